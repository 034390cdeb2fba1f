"""One seed's world: a market, a strategy that trades at random, and an onlooker who writes down what happens.

The onlooker sees what nodes are handed, what they send, what leaves for the venue and what the venue said; it takes part in
nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from random import Random
from typing import Final

from msgspec import UNSET

from actors.graph import BusyTable, Graph, LatencyTable, LimitsTable, Plan
from actors.guard import GuardTable
from actors.launch import Simulation, gateways_of, priced, risk_of, simulated, strategies_of
from actors.sim.death import Remake
from actors.sim.session import FaultySession
from actors.sim.store import FaultyJournal
from actors.sim.weather import LASTS_NS_MAX, Storm, Weather
from core.codec import encode
from core.kernel.layout import ASK, BID, BUY, SELL
from core.message import Command, ExecType, ExecutionReport, Message, Tick, Timer
from core.node import Node
from core.normalizer import Normalizer
from core.strategy import MS, Strategy
from tests import checkers
from tests.stir import stir
from tests.tiny_day import BTC, SECOND, Row, tiny_day

TRADING_S: Final = 130
CALM_S: Final = 60
LIMIT_LOTS: Final = 12
TAPE_NEAR: Final = 400
"""Entries among which an order that leaves was written: those of one turn of a place that was slow. What was under way when the
power went was written among those that are lost."""
MOMENTS_MAX: Final = 1_000_000
"""Events of a phase, which has some ten thousand: more is a loop."""
SYMBOL: Final = "BTCUSDT"
STALE_MS: Final = 3_000.0
GATEWAY: Final = f"gateway:{SYMBOL}"


class Chaos(Strategy):
    """Places, moves and cancels orders near the touch as its seed says; stops, and cancels everything, when it is told to."""

    seed: int = 0

    def on_start(self) -> None:
        self.random = Random(self.seed)
        self.stopping = False
        self.every(100 * MS, "act")

    def on_command(self, command: Command) -> None:
        self.stopping = True

    def on_timer(self, timer: Timer) -> None:
        if self.stopping:
            self.cancel_all()
            return
        stir(self, self.random, 0.25, range(1, 4))

    def on_tick(self, tick: Tick) -> None:
        """Ticks are taken one by one, so that the mailbox is part of the run."""


def market(random: Random) -> list[Row]:
    """A book of three levels a side that walks by a tick at a time, with trades that reach into it."""
    rows: list[Row] = [(0, BID, 1000 - k, 5) for k in range(3)] + [(0, ASK, 1001 + k, 5) for k in range(3)]
    bid = 1000
    for step in range(1, (TRADING_S + CALM_S) * 10):
        at = step * 100 * MS + random.randrange(50 * MS)
        move = random.choice((-1, 0, 0, 0, 1))
        if move > 0:
            rows += [(at, ASK, bid + 1, 0), (at, BID, bid + 1, 5), (at, ASK, bid + 4, 5), (at, BID, bid - 2, 0)]
        elif move < 0:
            rows += [(at, BID, bid, 0), (at, ASK, bid, 5), (at, BID, bid - 3, 5), (at, ASK, bid + 3, 0)]
        bid += move
        rows.append((at, BID, bid, random.randrange(1, 9)))
        if random.random() < 0.4:
            rows.append((at + MS, random.choice((BUY, SELL)), bid + random.randrange(2), random.randrange(1, 12)))
    return rows


class World:
    """One seed's simulation, and what an onlooker writes down of it."""

    def __init__(self, seed: int, weather: Weather | None = None) -> None:
        random = Random(f"world {seed}")
        self.seed = seed
        self.guarded = random.random() < 0.5
        graph = Graph(
            name="chaos",
            instruments=(SYMBOL,),
            strategy={"use": f"{__file__}:Chaos", "seed": seed},
            limits=LimitsTable(position=LIMIT_LOTS * 0.001),
            latency=LatencyTable(order_entry_us=random.choice((500, 5_000)), order_response_us=random.choice((500, 5_000))),
            busy_us=BusyTable(),
            guard=GuardTable(collar=0.05, stale_ms=STALE_MS) if self.guarded else UNSET,
        )
        self.plan = Plan(graph, "/", "")
        self.storm = Storm(Weather.draw(random) if weather is None else weather, seed)
        self.trace = hashlib.blake2b(digest_size=16)
        self.took: dict[str, list[Message]] = defaultdict(list)
        """What each node was handed, in order."""
        self.sent: dict[str, list[Message]] = defaultdict(list)
        """What each node sent, in order."""
        self.lives: list[tuple[list[Message], list[Message]]] = []
        """What strategies took and sent in lives that are over."""
        self.left: list[Message] = []
        """What left for the venue."""
        self.bytes_left: list[bytes] = []
        self.found: list[str] = []
        """Violations seen while the run lasted."""
        self.unknown_since: dict[str, int] = {}
        self.decided: dict[str, int] = {}
        self.posts = Counter[str]()
        day = tiny_day(market(random))
        start = day.start_ns
        span = (start, start + (TRADING_S + CALM_S) * SECOND)
        self.calm_at = start + TRADING_S * SECOND
        self.simulation: Simulation = simulated(self.plan, [day], span, self.watch, storm=self.storm)
        self.session: FaultySession = self.simulation.sessions[SYMBOL]
        self.storm.reborn = self.reborn
        self.storm.unleash(self.simulation, Remake(self.account, self.strategies, self.normalizers), self.calm_at)
        self.strategy = next(iter(self.simulation.strategies))
        self.storm.host.onlooker = self.noted
        host = self.simulation.host
        host.push(self.calm_at, 0, host.seats[self.strategy], Command(verb="enough"))
        self._listen()

    def account(self) -> Mapping[str, Node]:
        """The account's nodes, as they are made."""
        instruments = [priced(BTC, self.plan.graph)]
        nodes = (risk_of(self.plan.graph, instruments), *gateways_of(instruments).values())
        return {node.name: node for node in nodes}

    def strategies(self) -> Mapping[str, Node]:
        """Strategies, as they are made."""
        return strategies_of(self.plan, [priced(BTC, self.plan.graph)])

    def normalizers(self) -> Mapping[str, Node]:
        """Normalizers, as they are made."""
        node = Normalizer(priced(BTC, self.plan.graph))
        return {node.name: node}

    def reborn(self, now: int, name: str) -> None:
        """A strategy begins anew: what it takes and sends is of another life; the word to stop is said again."""
        self.lives.append((self.took.pop(name, []), self.sent.pop(name, [])))
        host = self.simulation.host
        host.push(max(now, self.calm_at), 0, host.seats[name], Command(verb="enough"))

    @property
    def executions(self) -> int:
        """How often the venue traded."""
        return sum(one.exec_type == ExecType.TRADE for one in self.session.said)

    @property
    def tape(self) -> FaultyJournal:
        """The account's."""
        journal = self.storm.host.place("account").journal
        assert isinstance(journal, FaultyJournal)
        return journal

    def _listen(self) -> None:
        """Note what leaves for the venue: the session is asked through this one method, but for what it sends again itself."""
        arrive = self.session.arrive

        def noted(now: int, message: Message | None) -> None:
            assert message is not None
            self.left.append(message)
            frame = encode(message)
            self.bytes_left.append(frame)
            written = (*self.tape.last(TAPE_NEAR), *self.tape.lost)
            if isinstance(message, checkers.ORDERS) and not checkers.on_tape(frame, written):
                self.found.append(f"E1: {message} left and is not on the tape")
            arrive(now, message)

        self.session.arrive = noted  # type: ignore[method-assign]

    # --- looking on

    def watch(self, now: int, name: str, message: Message) -> None:
        """Called before each message is handed to a node."""
        self.trace.update(b"%d %s " % (now, name.encode()))
        self.trace.update(encode(message))
        self.took[name].append(message)
        if name == self.strategy:
            self._look_at_mailbox(message)
        elif name == GATEWAY:
            self._doubts(self.simulation.host.clock.time)

    def noted(self, now: int, name: str, message: Message) -> None:
        """Called with each message that a node sends."""
        self.sent[name].append(message)

    def _look_at_mailbox(self, message: Message) -> None:
        """I14, while the run lasts."""
        mailbox = self.simulation.mailboxes[self.strategy]
        self.posts["taken"] += not isinstance(message, Tick)
        waiting = len(mailbox)
        most = 1 + sum(not isinstance(one, Tick) for one in mailbox.undropped)
        if waiting > most:
            self.found.append(f"I14: {waiting} messages wait, {most} may")

    def _doubts(self, now: int) -> None:
        orders = self.simulation.gateways[SYMBOL].orders.values()
        unknown = {cl_ord_id for order in orders for cl_ord_id in order.unknown}
        for cl_ord_id in unknown - self.unknown_since.keys():
            self.unknown_since[cl_ord_id] = now
        for cl_ord_id in self.unknown_since.keys() - unknown - self.decided.keys():
            self.decided[cl_ord_id] = now

    def run(self) -> list[str]:
        """Trade, calm, audit: the violations."""
        host = self.simulation.host
        self._advance(self.calm_at)
        self.storm.calm()
        self._advance(host.end)
        self._doubts(host.clock.time)
        return [*self.found, *self.audit()]

    def _advance(self, until: int) -> None:
        host = self.simulation.host
        for _ in host.begun:
            pass
        for _ in range(MOMENTS_MAX):
            if not host.moment(until):
                return
        raise AssertionError(f"the world stands still at {host.clock.time}: something wakes itself without end")

    def audit(self) -> Iterator[str]:
        """Every checker, once."""
        log, simulation = self.session.said, self.simulation
        account, fired = self.tape, self.storm.fired
        yield from checkers.executions_counted_once(simulation, SYMBOL, log, strategies=not account.lost)
        yield from checkers.one_order_an_intent(log)
        yield from checkers.open_orders_equal(simulation, SYMBOL, self.session.open)
        yield from checkers.sent_once(self.left, checkers.ORDERS if account.failed or account.lost else checkers.REQUESTS)
        yield from checkers.limit_kept(log, LIMIT_LOTS)
        yield from checkers.money_conserved(simulation, SYMBOL, log)
        yield from checkers.approved_equals_left(self.sent["risk"], self.bytes_left)
        lives = [*self.lives, (self.took[self.strategy], self.sent[self.strategy])]
        for place, (took, sent) in enumerate(lives):
            yield from checkers.quantities_add_up(log, [one for one in took if isinstance(one, ExecutionReport)])
            yield from checkers.nothing_older(took)
            yield from checkers.book_true(took, self.storm.streams[SYMBOL].books, last=took is lives[-1][0])
            if not account.lost:
                yield from checkers.every_lane_whole(sent, self.took["risk"], whole=place == len(lives) - 1)
        yield from checkers.trading_stops(account.entries(), round(STALE_MS * MS) if self.guarded else None)
        yield from checkers.tape_repeats(dict(self.account()), account.entries())
        slack = (fired["clock_stands"] + fired["slow_node"]) * LASTS_NS_MAX
        most = None if self.storm.weather.session.query_lost else checkers.UNKNOWN_NS_MAX + slack
        yield from checkers.doubts_end(self.unknown_since, self.decided, self.storm.back, most)
        for place in self.storm.places():
            yield from checkers.clock_never_back(place.journal.entries())
        yield from checkers.cured_at_once(self.session.window_refused, fired["clock_stands"])


def run(world: World) -> list[str]:
    """Run a world; what was promised and not kept."""
    return world.run()
