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
from core.kernel.index import index_day
from core.kernel.layout import ASK, BID, CLEAR_ASK, SELL
from core.kernel.replay import Latency, Queue, Replay
from tests.hostile import columns, hostile_day, wild_day

GRID = Grid(0.1, 0.001)
NO_BOOK = np.zeros((0, 2), np.int64)
QUEUES = [Queue(kind, power) for kind, power in (
    ("risk", 1.0), ("power", 0.5), ("power", 1.0), ("power", 3.0), ("power2", 2.0), ("power3", 3.0), ("log", 1.0), ("log2", 1.0),
)]  # fmt: skip
STATUS = {w.ACCEPTED: 1, w.EXPIRED: 2, w.REJECTED: 2, w.CANCELED: 4, w.REPLACED: 1}
NEW, FILLED, CANCELED, PARTIALLY_FILLED = 1, 3, 4, 5


def all_three(
    rows: np.ndarray, local: np.ndarray, queue: Queue, latency: Latency, partial: bool, bids: Any = NO_BOOK, asks: Any = NO_BOOK
) -> tuple[Replay, Replay, Reference]:
    """Ours row by row, ours from the day's index, and the reference."""
    day = (columns(rows), columns(local), bids, asks)
    opening = reference.snapshot(bids, asks, GRID)
    made, kept = reference.asset(reference.events(day[0], day[1], GRID), opening, GRID, queue, latency, partial)
    terms = (*day, GRID.lot, queue, latency, partial)
    return Replay(*terms), Replay(*terms, index=index_day(*day, 64)), Reference(made, kept, GRID)


def both(rows: np.ndarray, local: np.ndarray, queue: Queue, latency: Latency, partial: bool) -> tuple[Replay, Reference]:
    ours, _, theirs = all_three(rows, local, queue, latency, partial)
    return ours, theirs


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


def act(
    rng: np.random.Generator, ours: list[Replay], theirs: Reference, known: dict[int, Known], market: bool, partial: bool
) -> None:
    """A random request to all, where the reference may have one: see the cases of its errors below."""
    bid, _, ask, _ = ours[0].best()
    if len(known) < 2 or rng.random() < 0.6:
        number, side, lots = len(known) + 1, int(rng.integers(1, 3)), int(rng.integers(1, 8))
        price = ((bid if side == 1 else ask) or 1000) + int(rng.integers(-3, 4))
        tif = str(rng.choice(["1", "1", "5", "5", "3", "4"]))
        at_market = market and bid > 0 and ask > 0 and rng.random() < 0.08
        theirs.new(number, side, price, lots, at_market, tif)
        for replay in ours:
            replay.new(replay.now, number, side, price, lots, "1" if at_market else "2", tif)
        known[number] = Known(price, lots)
        return
    number = max(1, len(known) - int(rng.integers(0, 6)))
    order = known[number]
    if order.pending or order.status not in (NEW, PARTIALLY_FILLED):
        return
    order.pending = True
    if partial or rng.random() < 0.5:
        assert theirs.cancel(number) == 0
        for replay in ours:
            replay.cancel(replay.now, number)
    else:
        move = int(rng.choice([0, 0, 1, -1]))
        lots = order.lots if move else int(rng.integers(1, order.lots + 1))
        assert theirs.modify(number, order.price + move, lots) == 0
        for replay in ours:
            replay.modify(replay.now, number, order.price + move, lots)


def hear(ours: list[Replay], until: int) -> list[Any]:
    """Both of ours to `until`; they are told the same."""
    told: list[list[Any]] = [[], []]
    for n, replay in enumerate(ours):
        while replay.advance(until) < until or replay.answered:
            told[n] += replay.responses()
    assert told[0] == told[1]
    return told[0]


def check_day(
    seed: int,
    queue: Queue,
    count: int = 250,
    *,
    clears: str = "none",
    refusals: bool = False,
    partial: bool = False,
    wild: bool = False,
) -> int:
    """One hostile day in all, every order held against the reference's at every step; returns how many fills.

    With partial fills it ends where the reference cancels what it had filled to the lot, or stops by itself for that.
    """
    rng = np.random.default_rng(seed)
    exch, local, *book = wild_day(rng, count, clears) if wild else (*hostile_day(rng, count, clears=clears), NO_BOOK, NO_BOOK)
    *ours, theirs = all_three(exch, local, queue, random_latency(rng, exch, refusals), partial, *book)
    known: dict[int, Known] = {}
    fills, position = 0, 0
    while theirs.elapse(int(rng.integers(0, 60))) == 0 and theirs.now < exch[-1, 0] + 400:
        for response in hear(ours, theirs.now):
            known[response.order_no].hear(response)
            if response.kind == w.FILLED:
                fills += 1
                position += response.qty_lots if response.side == 1 else -response.qty_lots
        if partial and any(order.status == FILLED and int(theirs.order(n)["status"]) == CANCELED for n, order in known.items()):
            break  # see below
        if any(order.status == 2 and abs(int(theirs.order(n)["exec_price_tick"])) > 1 << 60 for n, order in known.items()):
            break  # a market order that met no other side: see below
        bid, bid_lots, ask, ask_lots = ours[0].best()
        assert ours[0].best() == ours[1].best()
        assert (bid if bid_lots else -(1 << 63), ask if ask_lots else (1 << 63) - 1) == theirs.best()
        assert partial or round(float(theirs.state()["position"]) / GRID.lot) == position
        for number, order in known.items():
            order.check(theirs.order(number))
        for _ in range(int(rng.integers(0, 4))):
            act(rng, ours, theirs, known, clears == "none", partial)
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


def test_partial_fills_fill_alike() -> None:
    assert sum(check_day(seed, QUEUES[seed % len(QUEUES)], partial=True) for seed in range(300, 308)) > 50


def test_wild_days_fill_alike() -> None:
    assert (
        sum(check_day(seed, QUEUES[seed % len(QUEUES)], 150, partial=seed % 2 == 1, wild=True) for seed in range(400, 408)) > 50
    )


@pytest.mark.slow
@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("wild", [False, True])
def test_many_hostile_days_fill_alike(partial: bool, wild: bool) -> None:
    for seed in range(1000, 1080 if wild else 1400):
        clears = ("none", "full")[seed // 8 % 2]
        check_day(seed, QUEUES[seed % len(QUEUES)], 300, clears=clears, refusals=seed % 5 == 0, partial=partial, wild=wild)


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


def told(ours: Replay, theirs: Reference, until: int) -> list[Any]:
    """Both to `until`; what ours was told."""
    theirs.elapse(0)  # its clock stands nowhere before the first call
    theirs.elapse(until - theirs.now)
    while ours.advance(theirs.now) < theirs.now:
        pass
    return ours.responses()


def test_an_order_filled_to_the_lot_is_gone_here_and_can_still_be_canceled_there() -> None:
    """With partial fills: the cancel was on its way when a trade of 15 took the 10 lots before the order and its own 5."""
    ours, theirs = small([*MARKET, (1100, SELL, 1000, 15)], partial=True)
    told(ours, theirs, 1010)
    theirs.new(1, 1, 1000, 5, False, "5")
    ours.new(ours.now, 1, 1, 1000, 5, tif="5")
    told(ours, theirs, 1100)
    theirs.cancel(1)
    ours.cancel(ours.now, 1)
    assert [(r.kind, r.qty_lots) for r in told(ours, theirs, 1200)] == [(w.FILLED, 5), (w.CANCEL_REJECTED, 0)]
    assert (int(theirs.order(1)["status"]), float(theirs.order(1)["leaves_qty"])) == (CANCELED, 0.0)
    theirs.close()


def test_a_trade_through_an_order_fills_it_here_and_not_there_once_a_clearing_row_has_crossed_the_book() -> None:
    """A level that a cross had hidden comes back below the best bid; the reference looks for orders between the two."""
    rows = [(1000, ASK, 970, 18), (1000, BID, 999, 9), (1100, CLEAR_ASK, 949, 0), (1200, SELL, 994, 4)]
    ours, theirs = small(rows)
    told(ours, theirs, 1010)
    theirs.new(1, 1, 1000, 5, False, "1")
    ours.new(ours.now, 1, 1, 1000, 5)
    told(ours, theirs, 1100)
    assert [(r.kind, r.exch_ns) for r in told(ours, theirs, 1210)] == [(w.FILLED, 1200)]
    assert int(theirs.order(1)["status"]) == NEW
    theirs.close()


def test_an_opening_book_that_is_crossed_opens_as_its_rows_would_here_and_crossed_there() -> None:
    rows = np.array([(1000, BID, 900, 1), (2000, BID, 901, 1)])
    book = (np.array([[1000, 5], [990, 5]]), np.array([[1000, 7], [1010, 7]]))
    ours, _, theirs = all_three(rows, rows, Queue("risk"), Latency(1, 1), False, *book)
    told(ours, theirs, 1010)
    assert ours.best() == (990, 5, 1000, 7)
    assert theirs.best() == (1000, 1000)
    theirs.close()


def test_a_market_order_walks_as_many_ticks_as_there() -> None:
    """With partial fills a hundred, and one more when it sells."""
    levels = [(1000, BID, 1000, 1), (1000, BID, 900, 2), (1000, BID, 899, 4), (1000, ASK, 1010, 1), (1000, ASK, 1109, 2)]
    for side, walked in ((1, [1010, 1109]), (2, [1000, 900])):
        ours, theirs = small([*levels, (1000, ASK, 1110, 4)], partial=True)
        told(ours, theirs, 1010)
        theirs.new(1, side, 1000, 50, True, "1")
        ours.new(ours.now, 1, side, 1000, 50, "1")
        assert [r.price_ticks for r in told(ours, theirs, 1050) if r.kind == w.FILLED] == walked
        assert round(float(theirs.order(1)["leaves_qty"]) / GRID.lot) == 47
        theirs.close()
