"""The kernel says what its plain twin says, on days that no venue would send."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernel import state as w
from core.kernel.index import index_day
from core.kernel.layout import ASK, BID, BUY, CLEAR, CLEAR_ASK, CLEAR_BID, SELL
from core.kernel.replay import FOREVER, QUEUES, RANGE_MAX, Latency, Queue, Replay
from tests.hostile import columns, hostile_day, wild_day
from tests.replay_twin import TwinDay

NO_BOOK = np.zeros((0, 2), np.int64)
LOT = 0.001
KINDS = sorted(QUEUES)
TIFS = (w.GTC, w.GTC, w.GTC, w.GTX, w.GTX, w.IOC, w.FOK, w.MARKET)


def replay_of(rows: Any, local: Any = None, queue: str = "risk", indexed: bool = False, **rest: Any) -> Replay:
    latency = rest.pop("latency", Latency(1, 1))
    day = (columns(rows), columns(rows if local is None else local), NO_BOOK, NO_BOOK)
    return Replay(*day, LOT, Queue(queue, 2.0), latency, index=index_day(*day, chapter_rows=16) if indexed else None, **rest)


def send_new(replay: Replay, twin: TwinDay, number: int, side: int, price: int, lots: int, tif: int) -> None:
    replay.new(replay.now, number, side, price, lots, "1" if tif == w.MARKET else "2", str(tif))
    twin.new(number, side, price, lots, tif)


def act(rng: np.random.Generator, replay: Replay, twin: TwinDay) -> None:
    """A random request, the same to both; also of orders that are gone, and twice for the same order."""
    number = len(twin.orders) + 1
    if number < 3 or rng.random() < 0.6:
        bid, _, ask, _ = replay.best()
        price = (bid or ask or 1000) + int(rng.integers(-4, 5)) * (50 if rng.random() < 0.03 else 1)
        send_new(replay, twin, number, int(rng.integers(1, 3)), price, int(rng.integers(1, 9)), int(rng.choice(TIFS)))
        return
    number = max(1, number - int(rng.integers(1, 9)))
    if rng.random() < 0.5:
        replay.cancel(replay.now, number)
        twin.cancel(number)
    else:
        price, lots = twin.orders[number].price + int(rng.integers(-1, 2)), int(rng.integers(1, 9))
        replay.modify(replay.now, number, price, lots)
        twin.modify(number, price, lots)


def check_day(seed: int, kind: str, partial: bool, count: int = 150, indexed: bool = False) -> int:
    """Run one hostile day in both; returns how many fills both gave."""
    rng = np.random.default_rng(seed)
    exch, local = hostile_day(rng, count)
    latency = Latency(int(rng.integers(0, 40)), int(rng.integers(0, 40)))
    replay = replay_of(exch, local, kind, indexed, latency=latency, partial_fills=partial, orders=4)
    plain = [[tuple(map(int, row)) for row in rows] for rows in (exch, local)]
    twin = TwinDay(plain[0], plain[1], 1000, Queue(kind, 2.0), latency, partial, now=replay.now)
    fills = 0
    while not replay.exhausted:
        until = replay.now + int(rng.integers(0, 60))
        heard = []
        while replay.advance(until) < until or replay.answered:
            heard += replay.responses()
        twin.advance(until)
        assert [_comparable(r) for r in heard] == [_comparable(r) for r in twin.heard]
        fills += sum(r.kind == w.FILLED for r in heard)
        twin.heard.clear()
        bids, asks = replay.levels(5)
        assert [list(bids), list(asks)] == [twin.local_book.top(0, 5), twin.local_book.top(1, 5)]
        bid, _, ask, _ = replay.best_exch()
        assert [bid, ask] == [abs(best or 0) for best in twin.exch_book.best]
        for _ in range(int(rng.integers(0, 4))):
            act(rng, replay, twin)
    return fills


def check_wild_day(seed: int, count: int = 200) -> int:
    """Linear, prepared, and prepared as a host of several moves it: in everything they tell alike; returns how many fills."""
    rng = np.random.default_rng(seed)
    wide, partial = bool(rng.random() < 0.3), bool(rng.random() < 0.5)
    exch, local, bids, asks = wild_day(rng, count, most=1 << 40 if wide else (1 << 31) - 1)
    day = (columns(exch, wide), columns(local, wide), bids, asks)
    latency = Latency(int(rng.integers(0, 40)), int(rng.choice([0, 7, 300])))
    start = int(rng.integers(exch[0, 0] - 20, exch[-1, 0])) if rng.random() < 0.4 else None
    terms = (float(rng.choice([0.001, 1.0, 5.0])), Queue(KINDS[seed % len(KINDS)], 2.0), latency, partial, 64, start)
    index = index_day(*day, int(rng.choice([4, 16, 1 << 15])))
    linear = Replay(*day, *terms)
    replays = [linear, Replay(*day, *terms, index=index), Replay(*day, *terms, index=index)]
    fills, number = 0, 0
    while not linear.exhausted:
        until = linear.now + int(rng.integers(0, 60))
        told = [hear(replays[0], until), hear(replays[1], until), look_and_hear(replays[2], until, max(latency.entry_ns, 1))]
        fills += sum(r.kind == w.FILLED for r in told[0])
        bid, _, ask, _ = linear.best()
        seen = [
            (r.now, r.best(), r.next_feed(), r.next_response(), r.frames, r.rows_local, r.rows_exch, r.exhausted) for r in replays
        ]
        if rng.random() < 0.5:
            seen = [(*one, r.levels(2000), r.take_trades(), r.best_exch()) for one, r in zip(seen, replays, strict=True)]
        assert told[0] == told[1] == told[2]
        assert seen[0] == seen[1] == seen[2]
        for _ in range(int(rng.integers(0, 4)) if linear.now < exch[-1, 0] else 0):
            what, price, lots = rng.random(), (bid or ask or 20_000) + int(rng.integers(-4, 5)), int(rng.integers(1, 12))
            old, side, tif = max(1, number - int(rng.integers(0, 9))), int(rng.integers(1, 3)), str(rng.choice(TIFS[:-1]))
            number += what < 0.6
            for replay in replays:
                if what < 0.6:
                    replay.new(replay.now, number, side, price, lots, "1" if what < 0.05 else "2", tif)
                elif what < 0.8:
                    replay.cancel(replay.now, old)
                else:
                    replay.modify(replay.now, old, price, lots, total=what > 0.9)
    return fills


def hear(replay: Replay, until: int) -> list[Any]:
    heard = []
    while replay.advance(until) < until or replay.answered:
        heard += replay.responses()
    return heard


def look_and_hear(replay: Replay, until: int, ahead: int) -> list[Any]:
    """In steps no longer than a request's way, the exchange's side first."""
    heard = []
    while replay.now < until:
        step = min(until, replay.now + ahead)
        heard += hear(replay, max(min(step, replay.look(step)), replay.now))
        if replay.now < step:
            heard += hear(replay, min(step, replay.now + 1))
    return heard + hear(replay, until)


def test_wild_days_replay_alike_from_rows_and_from_the_index() -> None:
    assert sum(check_wild_day(seed) for seed in range(24)) > 200


@pytest.mark.slow
def test_many_wild_days_replay_alike_from_rows_and_from_the_index() -> None:
    assert sum(check_wild_day(seed, 400) for seed in range(1000, 2000)) > 10_000


def _comparable(response: Any) -> Any:
    """A refusal of an order whose slot is long free names no side and no quantities."""
    refused = response.kind in (w.CANCEL_REJECTED, w.MODIFY_REJECTED)
    return response._replace(side=0, leaves_lots=0, cum_lots=0) if refused else response


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32), kind=st.sampled_from(KINDS), partial=st.booleans(), indexed=st.booleans())
def test_any_hostile_day_gives_the_twins_responses_and_books(seed: int, kind: str, partial: bool, indexed: bool) -> None:
    check_day(seed, kind, partial, indexed=indexed)


def test_hostile_days_do_fill_orders() -> None:
    assert sum(check_day(seed, "power3", partial=bool(seed % 2)) for seed in range(20)) > 50


MARKET = [(0, BID, 100, 10), (0, ASK, 102, 10)]


def test_a_trade_must_exceed_what_is_ahead_by_half_a_lot() -> None:
    for traded, filled in ((10, False), (11, True)):
        replay = replay_of([*MARKET, (50, SELL, 100, traded), (90, ASK, 103, 1)])
        replay.advance(5)
        replay.new(5, 1, 1, 100, 3)
        replay.advance(10)
        replay.responses()
        replay.advance(80)
        assert [r.kind for r in replay.responses()] == ([w.FILLED] if filled else [])


def test_bounds_hold_every_queue_model_between_them() -> None:
    for seed in range(25):
        filled = {}
        for kind in ("front", "risk", "power3", "log2", "back"):
            rng = np.random.default_rng(seed)
            exch, local = hostile_day(rng, 120, clears="none")
            replay = replay_of(exch, local, kind)
            replay.advance(1300)
            for number in range(1, 9):
                side = 1 + number % 2
                replay.new(replay.now, number, side, 1000 + (number if side == 2 else -number), 1, "2", "5")
            replay.advance(FOREVER - 1)
            times: dict[int, int] = {}
            while replay.answered:
                for r in replay.responses():
                    if r.kind == w.FILLED:
                        times[r.order_no] = r.exch_ns
                replay.advance(FOREVER - 1)
            filled[kind] = times
        for kind in ("risk", "power3", "log2"):
            assert set(filled["back"]) <= set(filled[kind]) <= set(filled["front"])
            assert all(filled["front"][n] <= t for n, t in filled[kind].items())


def test_advance_stops_where_a_response_arrives_and_goes_on() -> None:
    replay = replay_of([*MARKET, (30, BID, 99, 5), (60, BID, 98, 5)], latency=Latency(10, 15))
    replay.advance(5)
    replay.new(5, 7, 1, 99, 1)
    assert replay.advance(100) == 30
    assert [(r.kind, r.exch_ns, r.arrival_ns) for r in replay.responses()] == [(w.ACCEPTED, 15, 30)]
    assert replay.levels(2)[0] == ((100, 10), (99, 5))
    assert replay.advance(100) == 100
    assert replay.exhausted


def test_a_request_that_arrives_with_a_row_meets_the_book_after_it() -> None:
    replay = replay_of([*MARKET, (15, ASK, 101, 4), (60, BID, 98, 5)], latency=Latency(10, 0))
    replay.advance(5)
    replay.new(5, 1, 1, 101, 1)
    replay.advance(100)
    assert [(r.kind, r.price_ticks, r.maker) for r in replay.responses()] == [(w.FILLED, 101, False)]


def test_an_order_outside_the_days_prices_rests_and_fills_when_all_is_swept() -> None:
    rows = [*MARKET, (20, CLEAR, 0, 0), (60, SELL, 100, 1), (90, BID, 100, 1)]
    replay = replay_of(rows, latency=Latency(30, 0))
    replay.advance(5)
    replay.new(5, 1, 1, 5000, 2)
    replay.new(5, 2, 1, 3, 2)
    replay.advance(35)
    assert [r.kind for r in replay.responses()] == [w.ACCEPTED, w.ACCEPTED]
    replay.advance(200)
    assert [(r.order_no, r.price_ticks) for r in replay.responses()] == [(1, 5000)]


def test_slots_grow_with_the_orders() -> None:
    replay = replay_of([*MARKET, (10**6, BID, 99, 1)], orders=2)
    replay.advance(5)
    for number in range(1, 101):
        replay.new(5, number, 1, 90, 1)
    replay.advance(50)
    assert len(replay.responses()) == 100
    for number in range(1, 101):
        replay.cancel(50, number)
    replay.advance(100)
    assert {r.kind for r in replay.responses()} == {w.CANCELED}


def test_a_replace_by_total_quantity_counts_what_was_filled() -> None:
    rows = [*MARKET, (40, SELL, 100, 13), (90, BID, 99, 1)]
    replay = replay_of(rows, partial_fills=True)
    replay.advance(5)
    replay.new(5, 1, 1, 100, 10)
    replay.advance(30)
    replay.modify(30, 1, 100, 8, total=True)
    replay.advance(35)
    replay.responses()
    replay.advance(60)
    replay.modify(60, 1, 100, 5, total=True)
    replay.advance(100)
    assert [(r.kind, r.leaves_lots, r.cum_lots) for r in replay.responses()] == [(w.FILLED, 5, 3), (w.REPLACED, 2, 3)]


def test_trades_fold_as_a_tick_has_them() -> None:
    replay = replay_of([*MARKET, (10, BUY, 102, 3), (11, BUY, 104, 1), (12, SELL, 100, 2), (99, BID, 1, 1)])
    replay.advance(50)
    assert replay.take_trades() == (3, 4, 2, 3 * 102 + 104 + 200, 104, 100, 100, 104, 100)
    assert replay.take_trades() == (0,) * 9
    assert replay.frames == 4


def test_a_day_of_absurd_width_is_refused() -> None:
    with pytest.raises(ValueError, match="ticks apart"):
        replay_of([(0, BID, 1, 1), (0, ASK, RANGE_MAX + 5, 1)])


def test_wide_lots_and_narrow_lots_replay_alike() -> None:
    rng = np.random.default_rng(3)
    exch, local = hostile_day(rng, 200)
    wide = [columns(rows)._replace(lots=np.asarray(rows)[:, 3].copy()) for rows in (exch, local)]
    one = replay_of(exch, local)
    other = Replay(wide[0], wide[1], NO_BOOK, NO_BOOK, LOT)
    for until in range(1000, 3000, 100):
        one.advance(until)
        other.advance(until)
        assert one.levels(9) == other.levels(9)


def test_the_opening_book_is_there_before_the_first_row() -> None:
    rows = columns([(100, BID, 99, 3)])
    replay = Replay(rows, rows, np.array([[98, 5], [97, 1]]), np.array([[101, 2]]), LOT, start_ns=50)
    assert replay.levels(3) == (((98, 5), (97, 1)), ((101, 2),))
    assert replay.best_exch() == (98, 5, 101, 2)
    assert replay.next_feed() == 100


@pytest.mark.parametrize("kind", [CLEAR, CLEAR_BID, CLEAR_ASK])
def test_a_day_that_opens_with_a_book_and_clears_it_at_once_shows_the_same_both_ways(kind: int) -> None:
    rows = columns([(100, kind, 98 if kind == CLEAR_BID else 103, 0), (110, BID, 96, 4), (120, BID, 99, 7), (130, ASK, 101, 2)])
    day = (rows, rows, np.array([[98, 5], [97, 1]]), np.array([[102, 2], [104, 3]]))
    linear, indexed = Replay(*day, LOT), Replay(*day, LOT, index=index_day(*day))
    for until in (100, 110, 120, 130):
        for replay in (linear, indexed):
            replay.advance(until)
        assert linear.best() == indexed.best()
        assert linear.best_exch() == indexed.best_exch()
    assert linear.levels(9) == indexed.levels(9)
