"""A day that is fed in pieces answers as the whole day does, in bounded memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernel import state as w
from core.kernel.layout import ASK, BID, BUY, CLEAR, SELL
from core.kernel.replay import Latency, Queue, Replay
from core.openday import OpenDay, Rows
from tests.hostile import Columns, columns, hostile_day, wild_day

LOT = 0.001
NO_BOOK = np.zeros((0, 2), np.int64)
KINDS = ("risk", "power", "power3", "log2", "front", "back")
TIFS = ("1", "1", "1", "3", "4", "5")


def rows_of(rows) -> Rows:
    return Rows(*columns(rows, wide=True))


def check(seed: int, kind: str, partial: bool, day) -> int:
    """The same requests at the same times to both; returns how many responses there were."""
    rng = np.random.default_rng(seed)
    latency = Latency(int(rng.integers(0, 60)), int(rng.integers(0, 60)))
    queue, start = Queue(kind, 2.0), int(day[0, 0]) - 50
    empty = Columns(*columns(np.zeros((0, 4)), wide=True))
    whole = Replay(columns(day, wide=True), empty, NO_BOOK, NO_BOOK, LOT, queue, latency, partial, 4, start)
    pieces = OpenDay(LOT, queue, latency, partial, 4, start, room=int(rng.integers(1, 40)), margin=0)
    times = np.unique(day[:, 0])
    now, number, fed, heard = start, 0, 0, 0
    middle = int(np.median(day[day[:, 1] != CLEAR, 2]))
    while fed < len(day):
        until = now + int(rng.integers(0, 120))
        if rng.random() < 0.1:
            until = int(rng.choice(times[times >= now][:30]))
        stop = int(np.searchsorted(day[:, 0], until, side="right"))
        while fed < stop:  # in pieces, but none between two rows of one time that is passed
            more = min(stop, fed + int(rng.integers(1, 30)))
            pieces.append(rows_of(day[fed:more]))
            fed = more
        while True:
            reached = [one.advance(until) for one in (whole, pieces)]
            assert reached[0] == reached[1]
            said = [one.responses() for one in (whole, pieces)]
            assert said[0] == said[1]
            heard += len(said[0])
            if rng.random() < 0.5:  # a look brings a side that waits to now: mostly it should wait
                assert whole.best_exch() == pieces.best_exch()
            if reached[0] >= until:
                break
        now = until
        for _ in range(int(rng.integers(0, 4))):
            what, lots = rng.random(), int(rng.integers(1, 12))
            price = max(1, middle + int(rng.integers(-6, 7)) * int(rng.choice([1, 1, 1, 50, 5000])))
            side, tif = int(rng.integers(1, 3)), str(rng.choice(TIFS))
            old = max(1, number - int(rng.integers(0, 9)))
            number += what < 0.6
            for one in (whole, pieces):
                if what < 0.6:
                    one.new(now, number, side, price, lots, "1" if what < 0.05 else "2", tif)
                elif what < 0.8:
                    one.cancel(now, old)
                else:
                    one.modify(now, old, price, lots, total=what > 0.9)
    return heard


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from(KINDS), st.booleans(), st.booleans())
def test_a_day_in_random_pieces_gives_the_responses_of_the_whole_day(seed, kind, partial, wild):
    rng = np.random.default_rng(seed)
    day = wild_day(rng, 250, clears="full")[0] if wild else hostile_day(rng, 250, clears="full")[0]
    check(seed, kind, partial, day)


def test_such_days_have_responses():
    assert (
        sum(check(seed, "power3", bool(seed % 2), hostile_day(np.random.default_rng(seed), 250)[0]) for seed in range(10)) > 200
    )


def quiet(start, count, step=10):
    """A market that changes between two prices and trades now and then."""
    rows = []
    for k in range(count):
        at = start + k * step
        rows.append((at, BID, 100, 5 + k % 7) if k % 3 else (at, ASK, 102, 5 + k % 5))
        if k % 50 == 0:
            rows.append((at, SELL, 100, 1))
    return np.array(rows, np.int64)


@pytest.mark.parametrize("resting", [False, True])
def test_memory_stays_what_it_was_however_long_the_day(resting):
    day = OpenDay(LOT, room=512)
    if resting:
        day.new(0, 1, 1, 90, 5)
    kept = set()
    for turn in range(300):
        rows = quiet(1000 + turn * 1000, 100)
        day.append(rows_of(rows))
        day.advance(int(rows[-1, 0]))
        day.responses()
        kept.add(day.rows_kept)
    assert max(kept) <= 512
    assert day.best_exch()[0] == 100


def test_orders_outside_of_the_prices_are_found_where_they_belong_when_prices_come():
    day = OpenDay(LOT)
    for number, price in ((1, 70_000), (2, 50_000), (3, 70_000), (4, 50_000)):
        day.new(0, number, 2, price, 5)
    day.append(rows_of([(10, BID, 100, 5), (10, ASK, 102, 5)]))
    day.advance(20)
    assert [one.kind for one in day.responses()] == [w.ACCEPTED] * 4
    day.append(rows_of([(30, CLEAR, 0, 0), (30, BID, 40_000, 9), (30, ASK, 80_000, 9)]))
    day.advance(40)
    day.append(rows_of([(50, BUY, 60_000, 1)]))
    day.advance(60)
    assert [(one.order_no, one.kind, one.price_ticks) for one in day.responses()] == [
        (2, w.FILLED, 50_000),
        (4, w.FILLED, 50_000),
    ]


def test_rows_that_are_late_or_out_of_order_are_refused():
    day = OpenDay(LOT)
    day.append(rows_of([(10, BID, 100, 5)]))
    with pytest.raises(ValueError, match="earlier"):
        day.append(rows_of([(9, BID, 100, 5)]))
    day.advance(50)
    with pytest.raises(ValueError, match="earlier"):
        day.append(rows_of([(49, BID, 100, 5)]))
    with pytest.raises(ValueError, match="apart"):
        day.append(rows_of([(60, BID, 1 << 30, 5)]))
