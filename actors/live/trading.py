"""A market's host: the normalizers and strategies of some instruments, fed by the venue's streams, in session with the account.

Each life of the process is a new epoch with fresh strategies: they begin with the market of now, not with what their predecessors
thought of the market then. What works of the earlier life the account cancels; then it tells each what it holds and that it may
trade. Until then, and whenever the session with the account is down, nothing that they send leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.errors import UserError
from actors.live.host import Host
from actors.live.link import Link
from actors.live.market import Market
from actors.live.names import Address
from actors.live.part import Part
from actors.live.placement import ACCOUNT
from actors.live.recent import recent
from actors.live.schedule import Schedule
from actors.live.seat import Device, Elsewhere, End
from actors.wiring import RISK, market_edges, trading_edges
from core.mailbox import Mailbox
from core.message import Command
from core.session import Event, Fresh, Refused, Up


class Trading:
    """The nodes and streams of a market's host."""

    def __init__(self, host: Host, link: Link, part: Part) -> None:
        self.host, self.link, self.part = host, link, part
        self.strategies = part.strategies()
        self.normalizers = part.normalizers()
        self.mailboxes = {name: Mailbox(type(one).sampling()) for name, one in self.strategies.items()}
        instruments = part.instruments(part.place.normalizes)
        self.market = Market(host, part.sitting.venue, instruments, part.recording())
        self.schedule = Schedule(host.clock, lambda node, timer: host.soon(lambda: host.hand(node, timer)))

    def begin(self) -> None:
        """Seat the nodes, connect them, and let the market in."""
        host, part = self.host, self.part
        for one in self.normalizers.values():
            host.add(one)
        for name, strategy in self.strategies.items():
            host.add(strategy, self.mailboxes[name])
        ends: dict[str, End] = {name: Elsewhere(self.link, where, name) for name, where in part.where().items()}
        ends |= host.seats
        source = Device(self.market.submit)
        symbols = [one.symbol for one in part.sitting.instruments]
        edges = trading_edges(ends, dict.fromkeys(symbols, source), [one.name for one in part.runners])
        watched = {symbol: part.watchers(symbol) for symbol in self.normalizers}
        edges |= market_edges(ends, watched, source)
        for name, seat in host.seats.items():
            seat.routes = edges[name]
        for name in self.strategies:  # what the host says of one that failed
            edges[name][Command] = lambda message: (ends[RISK],)
        now = host.clock.now()
        for name, strategy in self.strategies.items():
            host.hand(name, Command(now=now, strategy=name, verb="trading", argument="off"))
            host.hand(name, Command(now=now, strategy=name, verb="start", argument=part.start_of(name)))
            self._remind(name, now)
            for job in type(strategy).calendar:
                self.schedule.enter(name, job)
        self.market.start()

    def _remind(self, name: str, now: int) -> None:
        """Hand a strategy the bars that closed before it began; without them it begins with what comes."""
        strategy = self.strategies[name]
        for instrument in strategy.instruments.values() if strategy.bars else ():
            try:
                bars = recent(self.part.sitting.venue, instrument, strategy.bars, now)
            except UserError as error:
                self.host.news(1, f"{name} begins without earlier bars", str(error))
                continue
            for bar in bars:
                self.host.hand(name, bar)

    def heard(self, event: Event) -> None:
        """The session with the account: where it is refused, this life cannot go on, and the next one can."""
        if isinstance(event, Refused) and event.peer == ACCOUNT:
            raise RuntimeError(f"the account refuses this life of {self.host.name}: {event.text}")
        if event.peer != ACCOUNT:
            return  # an operator, who comes and goes
        if isinstance(event, Up):
            self.host.news(0, f"in session with {event.peer}")
        elif not isinstance(event, Fresh):
            self.host.news(1, f"no session with {event.peer}", getattr(event, "text", ""))

    def moved(self, name: str, address: Address) -> None:
        """Another host is somewhere new."""
        if name == ACCOUNT:
            self.link.connect(name, address.endpoint, address.public_key)
        kept = [place for place in self.part.places if place.name == name and place.normalizes]
        if kept and self.strategies and not self.normalizers:
            self.link.subscribe(name, address.publishing, address.public_key, self.strategies)

    def status(self) -> dict[str, Any]:
        """What an operator wants to know."""
        strategies = {}
        for name, one in self.strategies.items():
            mailbox = self.mailboxes[name]
            strategies[name] = {
                "state": one.machine.state,
                "trading": one.trading,
                "stopped": self.host.seats[name].stopped,
                "position": {symbol: one.position(symbol) for symbol in one.instruments},
                "held": {symbol: it.qty_text(one.position(symbol)) for symbol, it in one.instruments.items()},
                "orders": len(one.orders),
                "parameters": {key: getattr(one, key) for key in one.parameters()},
                "ticks": {
                    "received": mailbox.received,
                    "delivered": mailbox.delivered,
                    "replaced": mailbox.replaced,
                    "age_ns_max": mailbox.age_ns_max,
                    "waiting": len(mailbox),
                },
            }
        markets = {
            symbol: {"whole": one.sync.whole, "gaps": one.gaps, "damaged": one.damaged}
            for symbol, one in self.normalizers.items()
        }
        return {"strategies": strategies, "markets": markets, "streams": self.market.status()}

    def leave(self, done: Callable[[bool], None]) -> None:
        """Strategies cancel what is theirs; the account sees to the rest when the session ends."""
        now = self.host.clock.now()
        for name in self.strategies:
            self.host.hand(name, Command(now=now, strategy=name, verb="stop"))
        self.schedule.close()
        self.market.close()
        self.host.at(now + 1, lambda: done(True))
