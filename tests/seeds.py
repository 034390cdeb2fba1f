"""Seeded runs of the whole road under faults: `python -m tests.seeds --seeds N` runs N of them; a failing seed is the bug report.

A seed draws a market, a strategy that trades at random, and which faults happen how often. Three phases: trading under faults;
calm, in which everything must converge within 60 simulated seconds; the audit by the checkers. In half of the runs the account's
process dies up to three times: risk and gateway forget everything and are brought back from their tape; what was said to them
meanwhile, or was received and not yet written down, is gone. The nodes are those of every
backtest and of live trading; only the session between gateway and venue is `actors/sim/faults.py`'s.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter, deque
from collections.abc import Iterator
from heapq import heapify
from random import Random
from typing import Any

from msgspec import Struct

from actors.graph import Graph, LatencyTable, LimitsTable, Plan
from actors.launch import Simulation, priced, simulated
from actors.sim.faults import Faults, FaultySession
from actors.sim.heap import ARRIVAL
from actors.sim.store import Journal
from core.codec import encode
from core.gateway import Gateway
from core.kernel.layout import ASK, BID, BUY, SELL
from core.message import (
    BusinessMessageReject,
    ExecType,
    ExecutionReport,
    Message,
    OrderCancelReject,
    OrderMassStatusRequest,
    Tick,
    TimeInForce,
    Timer,
    Unanswered,
)
from core.risk import Risk
from core.strategy import MS, Strategy
from core.tape import recall
from tests import checkers
from tests.tiny_day import BTC, SECOND, Row, tiny_day

TRADING_S = 120
CALM_S = 60
LIMIT_LOTS = 12
SYMBOL = "BTCUSDT"
FROM_VENUE = (ExecutionReport, OrderCancelReject, BusinessMessageReject, OrderMassStatusRequest, Unanswered)
"""What a process has only in memory until it is written down."""


class Chaos(Strategy):
    """Places, moves and cancels orders near the touch as its seed says; stops, and cancels everything, when it is told to."""

    seed: int = 0
    until_s: int = 0

    def on_start(self) -> None:
        self.random = Random(self.seed)
        self.every(100 * MS, "act")

    def on_timer(self, timer: Timer) -> None:
        if self.now >= self.until_s * SECOND:
            self.cancel_all()
            return
        tick, random = self.tick, self.random
        if not tick.two_sided:
            return
        orders = list(self.orders.values())
        choice = random.random()
        if orders and choice < 0.25:
            self.cancel(random.choice(orders))
        elif orders and choice < 0.4:
            order = random.choice(orders)
            self.replace(order, order.price + random.choice((-1, 1)), order.order_qty + random.randrange(2))
        elif len(orders) < 6 and choice < 0.8:
            buy = random.random() < 0.5
            price = (tick.bid if buy else tick.ask) + random.randrange(-1, 2)
            tif = random.choice((TimeInForce.GTC, TimeInForce.GTC, TimeInForce.GTX, TimeInForce.IOC))
            (self.buy if buy else self.sell)(price, random.randrange(1, 4), tif=tif)

    def on_tick(self, tick: Tick) -> None:
        """Ticks are taken one by one, so that the mailbox is part of the run."""


class Crash:
    """The death of the account's process, and its return some time later."""

    beside = True

    def __init__(self, world: World, down_ns: int) -> None:
        self.world, self.down_ns = world, down_ns

    def arrive(self, now: int, message: Message | None) -> None:
        world, simulation = self.world, self.world.simulation
        host = simulation.host
        back = now + self.down_ns
        world.session.fired["crash"] += 1
        world.session.deaf_until = back
        world.back.append(back)
        place = host.seats["risk"].place
        place.inbox = deque(one for one in place.inbox if not isinstance(one[1], FROM_VENUE))
        place.free_at = max(place.free_at, back)
        gateway = host.seats[f"gateway:{SYMBOL}"]
        host.heap.events[:] = [one for one in host.heap.events if not (one[3] is gateway and isinstance(one[4], FROM_VENUE))]
        heapify(host.heap.events)
        risk, fresh = world.account()
        recall({"risk": risk, fresh.name: fresh}, host.tape.entries())  # type: ignore[union-attr]
        simulation.risk, simulation.gateways[SYMBOL] = risk, fresh
        host.restart(risk)
        host.restart(fresh)
        host.push(back, ARRIVAL, gateway, Timer("", back, back, back, back, "recover"))


class Outcome(Struct):
    """What a seed came to."""

    seed: int
    violations: list[str]
    fired: Counter[str]
    messages: int
    executions: int
    digest: str


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

    def __init__(self, seed: int) -> None:
        random = Random(f"world {seed}")
        self.seed, self.faults = seed, Faults.draw(random)
        limits = LimitsTable(position=LIMIT_LOTS * 0.001)
        parameters = {"seed": seed, "until_s": TRADING_S}
        graph = Graph(
            name="chaos", instruments=("BTCUSDT",), strategy={"use": f"{__file__}:Chaos", **parameters}, limits=limits,
            latency=LatencyTable(order_entry_us=random.choice((500, 5_000)), order_response_us=random.choice((500, 5_000))),
        )  # fmt: skip
        self.plan = Plan(graph, "/", "")
        day = tiny_day(market(random), feed_ns=random.randrange(20 * MS))
        self.trace = hashlib.blake2b(digest_size=16)
        self.sent: list[Message] = []
        self.seen: list[ExecutionReport] = []
        self.unknown_since: dict[str, int] = {}
        self.decided: dict[str, int] = {}
        self.back: list[int] = []
        span = (day.start_ns, day.start_ns + (TRADING_S + CALM_S) * SECOND)
        self.simulation: Simulation = simulated(self.plan, [day], span, self.watch, faults=self.faults, seed=seed)
        self.session: FaultySession = self.simulation.sessions[SYMBOL]
        host = self.simulation.host
        host.tape = Journal()
        for _ in range(random.randrange(4) if random.random() < 0.5 else 0):
            at = host.clock.time + random.randrange(TRADING_S * SECOND)
            host.push(at, ARRIVAL, Crash(self, random.randrange(10 * SECOND)), None)
        self._listen()

    def account(self) -> tuple[Risk, Gateway]:
        """The account's nodes, as they are made."""
        instrument = priced(BTC, self.plan.graph)
        return Risk([instrument], {SYMBOL: self.plan.graph.limits.of(instrument)}), Gateway(SYMBOL)

    def _listen(self) -> None:
        """Note what leaves the gateway: the session is asked through this one method."""
        arrive = self.session.arrive

        def noted(now: int, message: Message | None) -> None:
            assert message is not None
            self.sent.append(message)
            arrive(now, message)

        self.session.arrive = noted  # type: ignore[method-assign]

    def watch(self, now: int, name: str, message: Message) -> None:
        """Called before each message is handed to a node."""
        self.trace.update(b"%d %s " % (now, name.encode()))
        self.trace.update(encode(message))
        if name.startswith("chaos") and isinstance(message, ExecutionReport):
            self.seen.append(message)
        if name.startswith("gateway"):
            self._doubts(now)

    def _doubts(self, now: int) -> None:
        orders = self.simulation.gateways[SYMBOL].orders.values()
        unknown = {cl_ord_id for order in orders for cl_ord_id in order.unknown}
        for cl_ord_id in unknown - self.unknown_since.keys():
            self.unknown_since[cl_ord_id] = now
        for cl_ord_id in self.unknown_since.keys() - unknown - self.decided.keys():
            self.decided[cl_ord_id] = now

    def run(self) -> Outcome:
        """Trade, calm, audit."""
        host = self.simulation.host
        host.run(host.clock.time + TRADING_S * SECOND)
        self.session.calm()
        host.run()
        self._doubts(host.clock.time)
        executions = sum(one.exec_type == ExecType.TRADE for one in self.session.said)
        return Outcome(
            self.seed, list(self.audit()), self.session.fired, host.handled, executions, self.trace.hexdigest()
        )  # fmt: skip

    def audit(self) -> Iterator[str]:
        """Every checker, once."""
        log = self.session.said
        yield from checkers.executions_counted_once(self.simulation, SYMBOL, log)
        yield from checkers.one_order_an_intent(log)
        yield from checkers.open_orders_equal(self.simulation, SYMBOL, self.session.open)
        yield from checkers.sent_once(self.sent)
        yield from checkers.limit_kept(log, LIMIT_LOTS)
        yield from checkers.quantities_add_up(log, self.seen)
        yield from checkers.tape_repeats(
            dict(zip(("risk", f"gateway:{SYMBOL}"), self.account(), strict=True)), self.simulation.host
        )
        yield from checkers.doubts_end(self.unknown_since, self.decided, self.back, not self.faults.query_lost)


def run(seed: int) -> Outcome:
    """One seed."""
    return World(seed).run()


def main(arguments: list[str] | None = None) -> int:
    """Run seeds and say which of them failed, and how often each fault happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them: to run one again, --first SEED --seeds 1")
    given = parser.parse_args(arguments)
    fired: Counter[str] = Counter()
    failed: list[Any] = []
    messages = 0
    for seed in range(given.first, given.first + given.seeds):
        outcome = run(seed)
        fired.update(outcome.fired.keys())
        messages += outcome.messages
        if outcome.violations:
            failed.append(seed)
            print(f"seed {seed}: " + "\n  ".join(outcome.violations[:4]), flush=True)
    print(f"{given.seeds} seeds, {messages:,} messages, {len(failed)} failed: {failed[:20]}")
    print("seeds in which each fault happened: " + ", ".join(f"{name} {count}" for name, count in fired.most_common()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
