"""Seeded sessions against the emulated venue, in virtual time: `python -m tests.emulated --seeds N`; a failing seed is a report.

Everything but the sockets is real: a strategy that trades at random, risk, gateways, the session with the venue, and the venue
itself (`actors/emulator/exchange.py`), which knows its protocol and nothing of us. A seed draws a market and which faults the
road between has: requests that never arrive, arrive late, or whose answers are lost; answers 503, 429, -1021, -1007 instead of
the true ones, with and without execution; frames that come late or twice or never; connections cut, in a burst of fills too, keys
that expire, and the account's process dying. In some the account holds a position and an open order before we come. Then calm,
in which all must converge; then the audit, from the venue's own books.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from random import Random
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from actors.emulator.days import GeneratedDays
from actors.emulator.exchange import Exchange
from actors.emulator.settings import Settings
from actors.emulator.streams import Subscriber
from actors.sim.store import Journal
from actors.wiring import trading_edges
from core.codec import decode, encode
from core.dialect.binance.answers import Answer
from core.dialect.binance.effects import Ask, Close, Open, Say, Tell
from core.dialect.binance.hosts import VenueTable
from core.dialect.binance.rest import ORDER, Request, Signer
from core.dialect.binance.session import Session
from core.gateway import Gateway
from core.message import (
    Bar,
    Command,
    ExecType,
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    PositionReport,
    Tick,
    Timer,
    TradingState,
)
from core.outcome import ASK_EVERY_NS, PROOF_NS
from core.risk.judge import Risk
from core.risk.limits import Limits
from core.strategy import Strategy
from core.tape import recall, took
from tests.stir import stir

MS: Final = 1_000_000
SECOND: Final = 1_000 * MS
START: Final = 1_780_000_000 * SECOND
TRADING_S: Final = 60
CALM_S: Final = 60
QUIET_S: Final = 30
"""Into the calm: by then what was unknown is proved, and all that the strategy wants canceled is."""
LIMIT_LOTS: Final = 60
SYMBOL: Final = "BTCUSDT"
GATEWAY: Final = f"gateway:{SYMBOL}"
UNKNOWN_NS_MAX: Final = PROOF_NS + 3 * ASK_EVERY_NS
UNHEARD_NS_MAX: Final = 3 * UNKNOWN_NS_MAX
"""Where questions are lost too: each takes four seconds to be given up."""
BROKEN: Final = {
    "503": (503, b'{"code":0,"msg":"Unknown error, please check your request or try again later."}'),
    "1007": (408, b'{"code":-1007,"msg":"Timeout waiting for response from backend server. Execution status unknown."}'),
}  # fmt: skip
REFUSED: Final = {
    "busy": (503, b"Service Unavailable.", {}),
    "429": (429, b'{"code":-1003,"msg":"Too many requests"}', {"retry-after": "1"}),
    "1021": (400, b'{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}', {}),
}


class Faults(Struct, frozen=True):
    """How likely each fault is, a request, a frame, or (cuts, deaths) a second."""

    never_arrives: float = 0.0
    arrives_late: float = 0.0
    answer_lost: float = 0.0
    answer_broken: float = 0.0
    refused: float = 0.0
    query_lost: float = 0.0
    frame_dropped: float = 0.0
    frame_doubled: float = 0.0
    frame_late: float = 0.0
    cut: float = 0.0
    key_expires: float = 0.0
    dies: float = 0.0

    @classmethod
    def draw(cls, random: Random) -> Faults:
        """Each is on in half of all seeds."""
        most = {"frame_doubled": 0.5, "frame_late": 0.5, "cut": 0.1, "key_expires": 0.03, "dies": 0.03, "query_lost": 0.2}
        return cls(
            **{name: random.uniform(0.01, most.get(name, 0.12)) * (random.random() < 0.5) for name in cls.__struct_fields__}
        )


class Restless(Strategy):
    """Places, moves and cancels orders near the touch as its seed says; cancels everything when told to stop."""

    seed: int = 0
    until: int = 0

    def on_start(self) -> None:
        self.random = Random(self.seed)
        self.every(100 * MS, "act")

    def on_timer(self, timer: Timer) -> None:
        if self.now >= self.until:
            self.cancel_all()
            return
        stir(self, self.random, 0.2, range(2, 9))

    def on_tick(self, tick: Tick) -> None:
        """Only looked at."""


class Box:
    """A node's outbox: what it sends goes along the graph's edges at once."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name

    def send(self, message: Message) -> None:
        for target in self.world.edges[self.name][type(message)](message):
            self.world.queue.append((target, message))

    def wake(self, at: int, key: str = "") -> None:
        world, life = self.world, self.world.life
        world.at(
            at, lambda: world.hand(self.name, Timer("", at, 0, 0, at, key)) if life == world.life or "less" in self.name else None
        )

    def record(self, entry: Message) -> None: ...


class World:
    """One seed: the venue, the road, the account's nodes, and what an onlooker writes down."""

    def __init__(self, seed: int, orders: str = "rest") -> None:
        self.random = Random(f"emulated {seed}")
        self.seed, self.faults, self.now = seed, Faults.draw(self.random), START
        source = GeneratedDays(SYMBOL, seed % 4, 20_000)
        self.instrument = source.instrument
        self.exchange = Exchange({SYMBOL: source}, START - 10 * SECOND, Settings(), seed)
        self.account = self.exchange.accounts["demo"]
        self.before = self._before() if self.random.random() < 0.4 else 0
        """Lots that the account holds already, of executions that nobody here hears of."""
        self.offset = self.random.randrange(-3_000, 3_000) * MS
        """How far our clock is ahead of the venue's."""
        self.table = VenueTable("emulator", orders=orders, kline_minutes=5)  # type: ignore[arg-type]
        self.events: list[tuple[int, int, Callable[[], None]]] = []
        self.count = self.life = 0
        self.queue: deque[tuple[str, Message]] = deque()
        self.told: list[Tell] = []
        self.fired: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        self.named: set[str] = set()
        """The orders that cancels and amendments named, as they named them."""
        self.answered: dict[str, int] = {}
        self.unknown_since: dict[str, int] = {}
        self.decided: dict[str, int] = {}
        self.back: list[int] = []
        self.rejected: set[str] = set()
        """Orders that the strategy was told had been rejected, by whomever."""
        self.bars = self.messages = 0
        self.tape = Journal()
        self.strategy = Restless("restless", [self.instrument], seed=seed, until=START + TRADING_S * SECOND)
        self.sockets: dict[int, Subscriber] = {}
        self.strategy.bind(Box(self, self.strategy.name))
        self._account()
        self.down_until = 0
        self.hand(self.strategy.name, Command("", verb="start", argument=f"r {seed}"))
        self.at(START, self.begin)
        self.at(START, self.look)
        for second in range(TRADING_S):
            self.at(START + second * SECOND + self.random.randrange(SECOND), self.mischief)

    def _before(self) -> int:
        """Somebody trades by hand, and leaves an order open, before this house begins."""
        signer = Signer("demo-key", "demo-secret")
        side, lots = self.random.choice(("BUY", "SELL")), self.random.randrange(1, 20)
        base = {"symbol": SYMBOL, "side": side, "newClientOrderId": "web_1"}
        taken = {**base, "type": "MARKET", "quantity": self.instrument.qty_text(lots)}
        resting = {
            **base,
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.010",
            "price": "60000",
            "newClientOrderId": "web_2",
        }
        resting |= {"side": "BUY", "price": "40000"}
        for parameters in (taken, resting):
            at = self.exchange.now + SECOND
            query = signer.written(Request("POST", ORDER, tuple(parameters.items())), at)
            assert self.exchange.call(at, "POST", ORDER, query, "", {"X-MBX-APIKEY": "demo-key"}).status == 200
        self.hidden = len(self.account.executions)
        return self.account.position(SYMBOL).lots

    hidden: int = 0

    # --- the account

    def _account(self) -> None:
        """Its nodes, as they are made, and the session."""
        self.risk = Risk([self.instrument], {SYMBOL: Limits(position=LIMIT_LOTS)})
        self.gateway = Gateway(SYMBOL)
        self.nodes: dict[str, Any] = {"risk": self.risk, GATEWAY: self.gateway, self.strategy.name: self.strategy}
        names = {name: name for name in self.nodes}
        self.edges = trading_edges(names, {SYMBOL: "venue"}, [self.strategy.name], ("operator",))
        self.session = Session(self.table, Signer("demo-key", "demo-secret"), [self.instrument], self.risk.ledger.position)
        self.sockets = {}

    def _bind(self) -> None:
        for name in ("risk", GATEWAY):
            self.nodes[name].bind(Box(self, name))

    def begin(self) -> None:
        """The process is up."""
        self._bind()
        self.session.start(self.now)
        self.carry_out()

    def die(self) -> None:
        """The account's process is gone, and comes back with what it had written down."""
        self.fired["dies"] += 1
        self.life += 1
        for socket in self.sockets.values():
            socket.leave()
        self.queue.clear()
        self._account()
        fresh = {"risk": self.risk, GATEWAY: self.gateway}
        recall(fresh, self.tape.entries())
        for entry in self.requests:
            self.session.remember(entry)
        self.down_until = self.now + self.random.randrange(10 * SECOND)
        self.back.append(self.down_until)
        self.at(self.down_until, self.begin)

    requests: list[Message]

    # --- time

    def at(self, when: int, call: Callable[[], None]) -> None:
        """Run a call at a time."""
        self.count += 1
        heappush(self.events, (max(when, self.now), self.count, call))

    def hand(self, node: str, message: Message) -> None:
        """A message for a node, now."""
        self.queue.append((node, message))
        self.settle()

    def settle(self) -> None:
        """Until nothing waits."""
        while self.queue:
            node, message = self.queue.popleft()
            self.messages += 1
            if node == "venue":
                self.submit(message)
            elif node in ("risk", GATEWAY):
                if self.now < self.down_until:
                    self.lost(node, message)
                    continue
                message = decode(encode(message))  # what goes over a wire is not shared
                self.tape.append(took(self.now, node, message))
                self.nodes[node].on(self.now, message)
            elif node in self.nodes:
                if isinstance(message, ExecutionReport) and message.exec_type == ExecType.REJECTED:
                    self.rejected.add(message.cl_ord_id)
                self.nodes[node].on(self.now, decode(encode(message)))
        self.doubts()

    def lost(self, node: str, message: Message) -> None:
        """What a strategy sent to a dead process waits in its session until that is back."""
        if not isinstance(message, Timer):
            self.at(self.down_until + MS, lambda: self.hand(node, message))

    def run(self, until: int) -> None:
        """Everything up to a time."""
        while True:
            due = min(self.exchange.due() + self.offset, self.session.due() if self.now >= self.down_until else 2**62)
            if self.events:
                due = min(due, self.events[0][0])
            if due > until:
                break
            self.now = max(self.now, due)
            self.exchange.advance(self.now - self.offset)
            while self.events and self.events[0][0] <= self.now:
                heappop(self.events)[2]()
            if self.now >= self.down_until:
                self.session.wake(self.now)
                self.carry_out()
            self.listen()
        self.now = until

    # --- the session's effects

    def submit(self, message: Message) -> None:
        if isinstance(message, NewOrderSingle | OrderCancelRequest | OrderCancelReplaceRequest):
            self.requests.append(message)
        self.session.submit(self.now, message)
        self.carry_out()

    def carry_out(self) -> None:
        """Do what the session wants done."""
        for effect in self.session.take():
            if isinstance(effect, Ask):
                self.transmit(effect)
            elif isinstance(effect, Say):
                if effect.node:
                    self.queue.append((effect.node, effect.message))
                    if isinstance(effect.message, PositionReport):
                        self.requests.append(effect.message)
                else:
                    self.bars += isinstance(effect.message, Bar)
            elif isinstance(effect, Tell):
                self.told.append(effect)
            elif isinstance(effect, Open):
                self.later(self.trip(), lambda effect=effect: self.connect(effect))
            elif isinstance(effect, Close) and effect.stream in self.sockets:
                self.sockets.pop(effect.stream).leave()
        self.settle()

    def trip(self) -> int:
        return self.random.randrange(1 * MS, 30 * MS)

    def later(self, wait: int, call: Callable[[], None]) -> None:
        """So much later, if the process that wanted it still lives."""
        life = self.life
        self.at(self.now + wait, lambda: call() if life == self.life else None)

    def strikes(self, name: str) -> bool:
        likely: float = getattr(self.faults, name)
        if not likely or self.random.random() >= likely:
            return False
        self.fired[name] += 1
        return True

    def transmit(self, ask: Ask) -> None:
        """A request on its way, once."""
        change = ask.method != "GET" and ask.lane != "queries" and "/order?" in ask.target
        if change and ask.method != "POST":
            self.named.add(parse_qs(urlsplit(ask.target).query).get("origClientOrderId", [""])[0])
        if change and ask.method == "POST":
            self.left[parse_qs(urlsplit(ask.target).query)["newClientOrderId"][0]] += 1
        out = self.trip()
        if change:
            self.befall(ask, out)
        elif self.strikes("query_lost"):
            self.answer(ask, ask.timeout_ns, None)
        else:
            self.at(self.now + out, lambda: self.arrive(ask))

    def befall(self, ask: Ask, out: int) -> None:
        """What becomes of a request that changes something."""
        if self.strikes("refused"):
            status, body, headers = REFUSED[self.random.choice(sorted(REFUSED))]
            if ask.method == "POST":
                self.left[parse_qs(urlsplit(ask.target).query)["newClientOrderId"][0]] -= 1
            self.answer(ask, 2 * out, Answer(status, headers, body))
        elif self.strikes("never_arrives"):
            silent = self.random.random() < 0.5
            self.answer(ask, ask.timeout_ns if silent else 2 * out, None if silent else self.broken())
        elif self.strikes("arrives_late"):
            self.answer(ask, ask.timeout_ns, None)
            self.at(self.now + self.random.randrange(10 * SECOND), lambda: self.arrive(ask, answers=False))
        elif self.strikes("answer_lost"):
            self.answer(ask, ask.timeout_ns, None)
            self.at(self.now + out, lambda: self.arrive(ask, answers=False))
        elif self.strikes("answer_broken"):
            self.answer(ask, 2 * out, self.broken())
            self.at(self.now + out, lambda: self.arrive(ask, answers=False))
        else:
            self.at(self.now + out, lambda: self.arrive(ask))

    def broken(self) -> Answer:
        status, body = BROKEN[self.random.choice(sorted(BROKEN))]
        return Answer(status, {}, body)

    def arrive(self, ask: Ask, answers: bool = True) -> None:
        """The request is at the venue."""
        parts = urlsplit(ask.target)
        found = self.exchange.call(self.now - self.offset, ask.method, parts.path, parts.query, "", {"X-MBX-APIKEY": "demo-key"})
        if answers:
            headers = {name.lower(): value for name, value in found.headers.items()}
            self.answer(ask, self.trip(), Answer(found.status, headers, found.body))

    def answer(self, ask: Ask, wait: int, answer: Answer | None) -> None:
        life = self.life

        def arrives() -> None:
            if life == self.life and self.now >= self.down_until:
                self.session.answered(self.now, ask.call, answer)
                self.carry_out()

        self.at(self.now + wait, arrives)

    # --- streams

    def connect(self, effect: Open) -> None:
        parts = urlsplit(effect.url)
        socket = self.sockets[effect.stream] = self.exchange.connect(self.now - self.offset, parts.path)
        self.session.opened(self.now, effect.stream)
        self.carry_out()
        assert socket is not None

    def listen(self) -> None:
        """Frames that the venue has written go on their way, in order; some do not arrive, some come twice."""
        for number, socket in list(self.sockets.items()):
            for frame in socket.take():
                if self.strikes("frame_dropped"):
                    continue
                late = self.random.randrange(500 * MS) if self.strikes("frame_late") else 0
                for _ in range(2 if self.strikes("frame_doubled") else 1):
                    self.later(2 * MS + late, lambda number=number, frame=frame: self.heard(number, frame))
            if socket.closed:
                del self.sockets[number]
                self.later(2 * MS, lambda number=number, why=socket.closed: self.hung_up(number, why))

    def heard(self, number: int, frame: bytes) -> None:
        if self.now >= self.down_until:
            self.session.frame(self.now, number, frame)
            self.carry_out()

    def hung_up(self, number: int, why: str) -> None:
        if self.now >= self.down_until:
            self.session.closed(self.now, number, why)
            self.carry_out()

    def mischief(self) -> None:
        """What befalls connections and processes."""
        if self.now < self.down_until:
            return
        if self.sockets and self.strikes("cut"):
            self.sockets[max(self.sockets)].close("cut")
        if self.strikes("key_expires"):
            self.exchange.keys.expire(self.now - self.offset, "demo")
        if self.strikes("dies"):
            self.die()

    # --- the market, and what an onlooker sees

    def look(self) -> None:
        """The strategy is shown the market every tenth of a second."""
        bids, asks = self.exchange.markets[SYMBOL].book
        if bids and asks:
            best, worst = max(bids), min(asks)
            self.hand(
                self.strategy.name, Tick(SYMBOL, self.now, self.now, self.now, 0, ((best, bids[best]),), ((worst, asks[worst]),))
            )
        self.at(self.now + 100 * MS, self.look)

    def doubts(self) -> None:
        unknown = {key for order in self.gateway.orders.values() for key in order.unknown}
        for key in unknown - self.unknown_since.keys():
            self.unknown_since[key] = self.now
        for key in self.unknown_since.keys() - unknown - self.decided.keys():
            self.decided[key] = self.now

    def play(self) -> list[str]:
        """Trade, calm, audit."""
        self.requests = []
        self.run(START + TRADING_S * SECOND)
        self.faults = Faults()
        self.run(START + (TRADING_S + CALM_S) * SECOND)
        return list(self.audit())

    def audit(self) -> Iterator[str]:
        """Every checker, from the venue's books."""
        executions = self.account.executions[self.hidden :]
        executed = Counter(f"{SYMBOL}-{one.id}" for one in executions)
        booked = Counter(one.exec_id for one in self.risk.ledger.accounts[SYMBOL].executions)
        if executed != booked:
            yield f"I1: executed and not booked: {executed - booked}; booked and not executed: {booked - executed}"
        held = self.account.position(SYMBOL).lots
        strategys = self.strategy.position(SYMBOL) + self.before
        for who, ours in (("risk", self.risk.ledger.position(SYMBOL)), ("the strategy", strategys)):
            if ours != held:
                yield f"I3: {who} holds {ours}, the venue says {held}"
        unit = self.instrument.tick * self.instrument.lot
        paid = sum((one.tick * one.lots * (unit if one.side == "BUY" else -unit) + one.fee for one in executions), start=0 * unit)
        if executed == booked and not self.before and -paid != self.risk.ledger.accounts[SYMBOL].cash_exact:
            yield f"I13: the venue's executions cost {paid}, the ledger says {-self.risk.ledger.accounts[SYMBOL].cash_exact}"
        there = {one.client_id: one.leaves for one in self.account.open.values()}
        here = {one.request.cl_ord_id: one.leaves_qty for one in self.gateway.orders.values() if one.working}
        mine = {one.request.cl_ord_id: one.leaves_qty for one in self.strategy.orders.values()}
        mine |= {key: left for key, left in there.items() if key == "web_2"}
        late = START + (TRADING_S + QUIET_S) * SECOND - self.offset
        yield from (f"K1: {one.client_id} was to be canceled and executed all the same" for one in executions if one.ns > late)
        if ours := here.keys() - {"web_2"}:
            yield f"K1: all of ours was to be canceled, and there still is {sorted(ours)}"
        if not there == here == mine:
            yield f"I4: open at the venue {there}, at the gateway {here}, at the strategy {mine}"
        yield from self.limits()
        accepted = Counter(one.client_id for one in self.account.orders.values())
        yield from (f"I2: {key} became {count} orders" for key, count in accepted.items() if count > 1)
        # A process that died between its tape and the wire asks after what never left: then only the mapping is not to be judged.
        strange = self.named - self.left.keys() if not self.fired["dies"] else set()
        yield from (f"H3: a cancel or amendment named {key}, an id that the venue never saw" for key in sorted(strange))
        yield from (f"H1: {key} was transmitted {count} times" for key, count in self.left.items() if count > 1)
        most = UNHEARD_NS_MAX if self.fired["query_lost"] else UNKNOWN_NS_MAX
        alive = self.rejected & accepted.keys()
        yield from (f"H2: {key} was told to be rejected, and the venue took it" for key in sorted(alive))
        for key, since in self.unknown_since.items():
            end = self.decided.get(key)
            if end is None:
                yield f"I15: {key} is still unknown"
            elif (took := end - max([since, *(one for one in self.back if one <= end)])) > most:
                yield f"I15: {key} was unknown for {took / 1e9:.1f} s"
        state, why = self.session.standing.state(SYMBOL)
        if state != TradingState.READY:
            yield f"I12: in the calm the session is {state}: {why}"

    def limits(self) -> Iterator[str]:
        """I5: at every moment, and whatever was under way."""
        held = self.before
        for one in self.account.executions[self.hidden :]:
            held += one.lots if one.side == "BUY" else -one.lots
            if abs(held) > LIMIT_LOTS:
                yield f"I5: {held} lots after execution {one.id}, the limit is {LIMIT_LOTS}"
                return


def main(arguments: list[str] | None = None) -> int:
    """Run seeds and say which of them failed, and how often each fault happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them: to run one again, --first SEED --seeds 1")
    given = parser.parse_args(arguments)
    fired: Counter[str] = Counter()
    failed: list[int] = []
    messages = executions = 0
    for seed in range(given.first, given.first + given.seeds):
        world = World(seed)
        violations = world.play()
        fired.update(world.fired.keys())
        messages += world.messages
        executions += len(world.account.executions)
        if violations:
            failed.append(seed)
            print(f"seed {seed}: " + "\n  ".join(violations[:4]), flush=True)
    print(f"{given.seeds} seeds, {messages:,} messages, {executions:,} executions, {len(failed)} failed: {failed[:20]}")
    print("seeds in which each fault happened: " + ", ".join(f"{name} {count}" for name, count in fired.most_common()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
