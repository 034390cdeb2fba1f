"""The venue itself, without a socket and without a clock: times are handed in (ns UTC), and the same calls give the same answers.

A request is executed at the time of the call; `Answer.delay_ns` says how much later its answer is on its way. Whatever happens by
itself (the market, fills, triggers, countdowns, funding, keys that end, faults) happens in `advance`, in order of time, and `due`
says when there is something next. Every call advances first, so a caller need not.

The market's times are the venue's wall time: a day is played into the present. Clients see that time plus `offset_ns`, which only
a fault or a test moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from actors.emulator.account import Account
from actors.emulator.agenda import Agenda
from actors.emulator.algo import Algos
from actors.emulator.answer import Answer, Refused, written
from actors.emulator.control import controlled
from actors.emulator.days import Source
from actors.emulator.desk import Desk
from actors.emulator.endpoints import Ask, Table
from actors.emulator.faultplan import FaultPlan
from actors.emulator.faults import Faults, Request
from actors.emulator.funding import Funding
from actors.emulator.keys import ListenKeys, caller, check_signature, check_time, payload
from actors.emulator.limits import SECOND, Counters
from actors.emulator.market import Market
from actors.emulator.parameters import Parameters
from actors.emulator.private import PRIVATE
from actors.emulator.public import PUBLIC
from actors.emulator.publishing import Publisher
from actors.emulator.settings import Settings
from actors.emulator.streams import Hub, Subscriber
from actors.emulator.trading import TRADING
from actors.emulator.wsapi import PATH, ApiSession
from core.price import E8

Connection = Subscriber | ApiSession
TABLE: Table = {**PUBLIC, **TRADING, **PRIVATE}
"""Every endpoint by method and path."""
BODY_MAX = 1 << 16


class Exchange:
    """A venue that opens at `start`, with a market a source and the settings' accounts."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        start: int,
        settings: Settings = Settings(),  # noqa: B008
        seed: int = 1,
        speed: float = 1.0,
        plan: FaultPlan = FaultPlan(),  # noqa: B008
    ) -> None:
        self.settings, self.seed, self.started, self.now = settings, seed, start, start
        self.offset_ns = 0
        self.agenda = Agenda()
        self.hub = Hub()
        self.counters: Counters = Counters(settings.limits)
        self.desk = Desk(settings, self.agenda, self.stamp, self.tell)
        self.algos = Algos(self.desk)
        self.markets = {symbol: Market(source, start, speed, self.desk.told) for symbol, source in sources.items()}
        self.desk.markets = self.markets
        instruments = {symbol: market.instrument for symbol, market in self.markets.items()}
        for one in settings.accounts:
            account = self.desk.accounts[one.name] = Account(one, instruments, self.mark, dual=one.hedge_mode)
            for asset, amount in account.settings.balances.items():
                account.moved(asset, Decimal(amount), start)
                account.earned(self.stamp(start), "", "TRANSFER", Decimal(amount), asset, self.desk.number(), "", "TRANSFER")
        self.accounts = self.desk.accounts
        self.keys = ListenKeys(seed, self.venue_ns(settings.listen_key_seconds), self.agenda, self.stamp, self._tell_key)
        self.funding = Funding(start, self.venue_ns(settings.funding_seconds), self.agenda, self.desk)
        self.publisher = Publisher(self.hub, self.markets, self.stamp, lambda: self.funding.next_ns)
        self.faults = Faults(self, plan)

    def venue_ns(self, seconds: float) -> int:
        """So many seconds of the venue's clock, which may be a fast one, in ns."""
        return max(1, int(seconds / self.settings.clock_speed * SECOND))

    def stamp(self, ns: int) -> int:
        """A time as clients see it, ms."""
        return (ns + self.offset_ns) // 1_000_000

    def mark(self, symbol: str) -> Decimal:
        """A mark price now."""
        return Decimal(self.markets[symbol].mark(self.now)[0]) / E8

    # --- time

    def due(self) -> int:
        """When something happens by itself next."""
        due = min(self.agenda.due(), self.publisher.due(self.now))
        for symbol, market in self.markets.items():
            watched = self.publisher.closely(symbol) or self.algos.watches(symbol)
            due = min(due, market.due(watched))
        return max(due, self.now)

    def advance(self, now: int) -> None:
        """Let everything happen that happens by itself up to `now`."""
        while True:
            due = self.due()
            if due > now:
                break
            self._step(due)
            if due == self.now and self.due() == due:  # nothing that is due stays due: rows at this very time are taken
                break
        if now > self.now:
            self._step(now)

    def _step(self, now: int) -> None:
        self.now = now
        for market in self.markets.values():
            market.run(now)
        self.algos.look(now)
        self.agenda.run(now)
        self.publisher.publish(now)

    # --- requests

    def call(
        self,
        now: int,
        method: str,
        path: str,
        query: str = "",
        body: str = "",
        headers: Mapping[str, str] | None = None,
        address: str = "127.0.0.1",
    ) -> Answer:
        """One HTTP request, executed now (unless a fault has it otherwise)."""
        self.advance(max(now, self.now))
        named = {name.lower(): value for name, value in (headers or {}).items()}
        method = method.upper()
        body = "" if method == "GET" else body
        if path.startswith("/emulator/"):
            return controlled(self, method, path, body)
        try:
            if (method, path) not in TABLE:
                raise Refused(-5000, path, method)
            if len(query) + len(body) > BODY_MAX:
                raise Refused(-1130, "query")
            parameters = Parameters.read(query, body)
        except Refused as refused:
            return self.refusal(refused, address)
        key = named.get("x-mbx-apikey", "")
        return self.faults.answer(Request(method, path, parameters, payload(query, body), key, address))

    def perform(self, request: Request) -> Answer:
        """Execute a request at the time reached, and answer it."""
        now, parameters, address = self.now, request.parameters, request.address
        headers: dict[str, str] = {}
        account: Account | None = None
        endpoint = TABLE[request.method, request.path]
        try:
            self.counters.charge(now, address, endpoint.cost(parameters))
            if endpoint.security != "open":
                account = caller(self.accounts, request.key, address)
            if endpoint.security == "signed" and account is not None:
                check_signature(account, request.payload, parameters)
                check_time(parameters, self.stamp(now))
            if account is not None and any(endpoint.orders):
                self.counters.order(now, account.name, *endpoint.orders)
            answer = written(endpoint.handler(Ask(self, now, parameters, address, account)))
        except Refused as refused:
            answer = self.refusal(refused, address)
        headers["X-MBX-USED-WEIGHT-1M"] = str(self.counters.used_weight(now, address))
        if account is not None and any(endpoint.orders):
            minute, ten = self.counters.used_orders(now, account.name)
            headers |= {"X-MBX-ORDER-COUNT-1M": str(minute), "X-MBX-ORDER-COUNT-10S": str(ten)}
        return answer._replace(headers={**answer.headers, **headers}, delay_ns=self.settings.answer_ms * 1_000_000)

    def refusal(self, refused: Refused, address: str) -> Answer:
        """A refusal as an answer; one for too many requests says when to come again."""
        wait = {"Retry-After": str(self.counters.retry_after(self.now, address))} if refused.status in (418, 429) else {}
        return written(refused.body(), refused.status, wait)

    # --- streams

    def connect(self, now: int, path_and_query: str, address: str = "127.0.0.1") -> Connection:
        """A web socket connection, to the streams or to the trading API; it is ended after a day of the venue's clock."""
        self.advance(max(now, self.now))
        subscriber: Connection
        if path_and_query.partition("?")[0].rstrip("/") == PATH:
            subscriber = ApiSession(self, address)
        else:
            subscriber = Subscriber(self.hub, self.now, path_and_query)
        until = self.now + self.venue_ns(self.settings.connection_seconds)
        self.agenda.at(until, lambda when: subscriber.close("24 hours are over"))
        return subscriber

    def tell(self, account: str, event: str, body: Mapping[str, Any]) -> None:
        """A private event to the account's connections, if it has a key."""
        key = self.keys.of.get(account, "")
        if key:
            self._tell_key(key, event, body)

    def _tell_key(self, key: str, event: str, body: Mapping[str, Any]) -> None:
        self.hub.tell(key, event, msgspec.json.encode(body))
