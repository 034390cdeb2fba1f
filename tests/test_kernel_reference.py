"""The kernel fills as hftbacktest fills: on hostile days, with every order kind, queue model and latency, and on captures."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("hftbacktest", reason="the reference simulator is a development dependency")

from bench import fidelity, reference
from bench.reference import Grid, Reference
from core.kernel import state as w
from core.kernel.layout import ASK, BID, SELL
from core.kernel.replay import Latency, Queue, Replay
from tests.hostile import columns, hostile_day

GRID = Grid(0.1, 0.001)
NO_BOOK = np.zeros((0, 2), np.int64)
QUEUES = [Queue(kind, power) for kind, power in (
    ("risk", 1.0), ("power", 0.5), ("power", 1.0), ("power", 3.0), ("power2", 2.0), ("power3", 3.0), ("log", 1.0), ("log2", 1.0),
)]  # fmt: skip
STATUS = {w.ACCEPTED: 1, w.EXPIRED: 2, w.REJECTED: 2, w.CANCELED: 4, w.REPLACED: 1}
NEW, FILLED, PARTIALLY_FILLED = 1, 3, 5


def both(rows: np.ndarray, local: np.ndarray, queue: Queue, latency: Latency, partial: bool) -> tuple[Replay, Reference]:
    exch, near = columns(rows), columns(local)
    opening = reference.snapshot(NO_BOOK, NO_BOOK, GRID)
    made, kept = reference.asset(reference.events(exch, near, GRID), opening, GRID, queue, latency, partial)
    return Replay(exch, near, NO_BOOK, NO_BOOK, GRID.lot, queue, latency, partial), Reference(made, kept, GRID)


def random_latency(rng: np.random.Generator, rows: np.ndarray, refusals: bool) -> Latency:
    if rng.random() < 0.5 and not refusals:
        return Latency(int(rng.integers(0, 40)), int(rng.integers(0, 40)))
    sent = np.unique(rng.integers(rows[0, 0] - 50, rows[-1, 0] + 50, int(rng.integers(1, 12))))
    exch = sent + rng.integers(0, 60, len(sent))
    answered = exch + rng.integers(0, 60, len(sent))
    if refusals:
        exch[rng.random(len(sent)) < 0.2] = 0
    return Latency(rows=np.stack([sent, exch, answered], axis=1))


class Known:
    """What our strategy's side knows of an order, to be held against the reference's record of it."""

    def __init__(self, price: int, lots: int) -> None:
        self.status, self.pending, self.price, self.lots = 0, True, price, lots
        self.fill: tuple[int, ...] = ()

    def hear(self, response: Any) -> None:
        if response.kind == w.FILLED:
            self.status = FILLED if response.leaves_lots == 0 else PARTIALLY_FILLED
            self.fill = (response.exch_ns, response.price_ticks, response.qty_lots, int(response.maker))
            self.lots = response.leaves_lots
            self.pending = False
        else:
            self.status = STATUS.get(response.kind, self.status)
            self.pending = False
            if response.kind == w.REPLACED:
                self.price, self.lots = response.price_ticks, response.leaves_lots

    def check(self, record: Any) -> None:
        assert int(record["status"]) == self.status
        if self.status in (FILLED, PARTIALLY_FILLED):
            lots = round(float(record["exec_qty"]) / GRID.lot)
            assert (int(record["exch_timestamp"]), int(record["exec_price_tick"]), lots, int(record["maker"])) == self.fill
        elif self.status in (0, NEW):
            assert (int(record["req"]) != 0) == self.pending


def act(rng: np.random.Generator, ours: Replay, theirs: Reference, known: dict[int, Known], market: bool) -> None:
    """A random request to both, where the reference may have one: see the cases of its errors below."""
    bid, _, ask, _ = ours.best()
    if len(known) < 2 or rng.random() < 0.6:
        number, side, lots = len(known) + 1, int(rng.integers(1, 3)), int(rng.integers(1, 8))
        price = ((bid if side == 1 else ask) or 1000) + int(rng.integers(-3, 4))
        tif = str(rng.choice(["1", "1", "5", "5", "3", "4"]))
        at_market = market and bid > 0 and ask > 0 and rng.random() < 0.08
        theirs.new(number, side, price, lots, at_market, tif)
        ours.new(ours.now, number, side, price, lots, "1" if at_market else "2", tif)
        known[number] = Known(price, lots)
        return
    number = max(1, len(known) - int(rng.integers(0, 6)))
    order = known[number]
    if order.pending or order.status not in (NEW, PARTIALLY_FILLED):
        return
    order.pending = True
    if rng.random() < 0.5:
        assert theirs.cancel(number) == 0
        ours.cancel(ours.now, number)
    else:
        move = int(rng.choice([0, 0, 1, -1]))
        lots = order.lots if move else int(rng.integers(1, order.lots + 1))
        assert theirs.modify(number, order.price + move, lots) == 0
        ours.modify(ours.now, number, order.price + move, lots)


def check_day(seed: int, queue: Queue, count: int = 250, *, clears: str = "none", refusals: bool = False) -> int:
    """One hostile day in both, every order held against the reference's at every step; returns how many fills."""
    rng = np.random.default_rng(seed)
    exch, local = hostile_day(rng, count, clears=clears)
    ours, theirs = both(exch, local, queue, random_latency(rng, exch, refusals), partial=False)
    known: dict[int, Known] = {}
    fills, position = 0, 0
    while theirs.elapse(int(rng.integers(0, 60))) == 0 and theirs.now < exch[-1, 0] + 400:
        while ours.advance(theirs.now) < theirs.now or ours.answered:
            for response in ours.responses():
                known[response.order_no].hear(response)
                if response.kind == w.FILLED:
                    fills += 1
                    position += response.qty_lots if response.side == 1 else -response.qty_lots
        if any(order.status == 2 and abs(int(theirs.order(n)["exec_price_tick"])) > 1 << 60 for n, order in known.items()):
            break  # a market order that met no other side: see below
        bid, bid_lots, ask, ask_lots = ours.best()
        assert (bid if bid_lots else -(1 << 63), ask if ask_lots else (1 << 63) - 1) == theirs.best()
        assert round(float(theirs.state()["position"]) / GRID.lot) == position
        for number, order in known.items():
            order.check(theirs.order(number))
        for _ in range(int(rng.integers(0, 4))):
            act(rng, ours, theirs, known, market=clears == "none")
    theirs.close()
    return fills


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: f"{queue.kind}{queue.power}")
def test_hostile_days_fill_alike(queue: Queue) -> None:
    assert sum(check_day(seed, queue) for seed in range(4)) > 5


def test_days_with_gaps_fill_alike() -> None:
    assert sum(check_day(seed, QUEUES[seed % len(QUEUES)], clears="full") for seed in range(100, 108)) > 10


def test_refused_requests_are_heard_of_alike() -> None:
    for seed in range(200, 208):
        check_day(seed, QUEUES[seed % len(QUEUES)], refusals=True)


@pytest.mark.slow
def test_many_hostile_days_fill_alike() -> None:
    for seed in range(1000, 2000):
        check_day(seed, QUEUES[seed % len(QUEUES)], 400, clears=("none", "full")[seed // 8 % 2], refusals=seed % 5 == 0)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["grid", "join", "inside", "hasty", "sweep", "restless", "market_maker"])
@pytest.mark.parametrize(("queue", "latency"), [("risk", "0"), ("power:3", "10/5"), ("power2:2", "table"), ("log", "table")])
def test_real_captures_fill_alike(tmp_path: Any, strategy: str, queue: str, latency: str, captures: Any) -> None:
    arguments = Namespace(strategy=strategy, queue=queue, latency=latency, step_ms=100.0, partial=False)
    names = ["usdm/ethusdt_20240718.gz", "usdm/ethusdt_20240719.gz", "usdm/btcusdt_20230404.dat.gz", "spot/ethusdt_20240808.gz"]
    for day in fidelity.days_of([str(captures / "hftbacktest" / name) for name in names], tmp_path):
        assert fidelity.run_day(day, arguments).difference == ""


# --- where the reference errs, in the smallest case that shows it (FIDELITY section 7, and what was found since) ---------


def small(rows: list[tuple[int, ...]], partial: bool = False) -> tuple[Replay, Reference]:
    made = np.array([*rows, *((2000 + 10 * k, BID, 900, 1 + k) for k in range(20))])
    return both(made, made, Queue("risk"), Latency(1, 1), partial)


MARKET = [(1000, BID, 1000, 10), (1000, ASK, 1010, 50)]


def test_a_replace_that_loses_its_place_has_the_new_quantity_here_and_the_old_one_there() -> None:
    ours, theirs = small([*MARKET, (1200, SELL, 990, 1)])
    theirs.elapse(5)
    ours.advance(theirs.now)
    theirs.new(1, 1, 1001, 5, False, "1")
    ours.new(ours.now, 1, 1, 1001, 5)
    theirs.elapse(20)
    ours.advance(ours.now + 20)
    ours.advance(theirs.now)
    theirs.modify(1, 1002, 2)
    ours.modify(ours.now, 1, 1002, 2)
    theirs.elapse(500)
    while ours.advance(theirs.now) < theirs.now:
        pass
    assert ours.responses()[-1].qty_lots == 2
    assert round(float(theirs.state()["position"]) / GRID.lot) == 5
    theirs.close()


def test_a_market_order_without_an_opposite_side_expires_here_and_fills_at_no_price_there() -> None:
    ours, theirs = small([(1000, BID, 1000, 10)])
    theirs.elapse(5)
    ours.advance(theirs.now)
    theirs.new(1, 1, 1000, 5, True, "1")
    ours.new(ours.now, 1, 1, 1000, 5, "1")
    theirs.elapse(50)
    ours.advance(theirs.now)
    assert [r.kind for r in ours.responses()] == [w.EXPIRED]
    assert int(theirs.order(1)["exec_price_tick"]) == (1 << 63) - 1
    theirs.close()
