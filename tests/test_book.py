"""The depth procedure: what the class does event by event, the array kernels do for a day, and both follow the documentation."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.book import APART, APPLIED, GAP, REPEATED, Book, Sync
from core.kernel.sync import fold, plan
from core.message import DepthUpdate, MarketDataSnapshot


def event(first, last, previous=-1, bids=(), asks=()):
    return DepthUpdate(first_update_id=first, last_update_id=last, prev_update_id=previous, bids=tuple(bids), asks=tuple(asks))


def snapshot(update_id, bids=((10, 1),), asks=((12, 1),)):
    return MarketDataSnapshot(last_update_id=update_id, bids=tuple(bids), asks=tuple(asks))


def test_the_buffered_event_that_straddles_the_snapshot_is_replayed_on_top_of_it():
    sync = Sync(True, Book())
    sync.depth(event(1, 5, 0, bids=[(11, 9)]))
    sync.depth(event(6, 9, 5, bids=[(10, 4)], asks=[(12, 0), (13, 2)]))
    assert sync.snapshot(snapshot(7))
    assert (sync.book.best_bids(), sync.book.best_asks()) == (((10, 4),), ((13, 2),))
    assert sync.depth(event(12, 13, 9)) == APPLIED
    assert sync.update_id == 13


def test_futures_link_by_the_previous_id_and_spot_counts_on():
    futures, spot = Sync(linked=True, book=Book(), update_id=9), Sync(linked=False, book=Book(), update_id=9)
    assert futures.depth(event(20, 25, 9)) == APPLIED
    assert spot.depth(event(10, 25)) == APPLIED
    assert futures.depth(event(26, 30, 24)) == GAP
    assert spot.depth(event(27, 30)) == GAP


def test_spot_starts_with_the_event_after_the_snapshot_when_none_straddles_it():
    sync = Sync(False, Book())
    assert sync.snapshot(snapshot(7))
    assert sync.depth(event(8, 9)) == APPLIED


def test_a_snapshot_older_than_the_buffer_is_of_no_use():
    sync = Sync(True, Book())
    sync.depth(event(20, 25, 19))
    assert not sync.snapshot(snapshot(10))
    assert not sync.whole


def test_a_gap_loses_the_book_and_the_next_snapshot_brings_it_back():
    sync = Sync(linked=True, book=Book([(10, 1)], [(12, 1)]), update_id=5)
    assert sync.depth(event(9, 10, 8, bids=[(10, 7)])) == GAP
    assert not sync.whole
    assert not sync.book.bids
    assert sync.snapshot(snapshot(9, bids=[(9, 1)]))
    assert dict(sync.book.best_bids()) == {10: 7, 9: 1}


def test_an_event_seen_before_changes_nothing():
    sync = Sync(linked=True, book=Book([(10, 1)], [(12, 1)]), update_id=5)
    assert sync.depth(event(3, 5, 2, bids=[(10, 8)])) == REPEATED
    assert sync.book.bids == {10: 1}


def test_removing_an_unknown_level_is_normal_and_crossing_is_seen():
    book = Book([(10, 1)], [(12, 1)])
    book.apply([(9, 0)], [(13, 0)])
    assert not book.crossed
    book.apply([(12, 3)], [])
    assert book.crossed


@st.composite
def feeds(draw):
    """Depth events and snapshots with gaps, repetitions and stale snapshots in them, of either venue."""
    linked = draw(st.booleans())
    events, update_id = [], draw(st.integers(0, 5))
    for _ in range(draw(st.integers(0, 25))):
        levels = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 3)), max_size=4)
        action = draw(st.sampled_from(["next", "next", "next", "next", "gap", "again", "snapshot", "snapshot"]))
        if action == "snapshot":
            at = max(0, update_id + draw(st.integers(-6, 4)))
            events.append(snapshot(at, draw(levels.map(positive)), draw(levels.map(positive))))
            continue
        if action == "again" and events and isinstance(events[-1], DepthUpdate):
            events.append(events[-1])
            continue
        if action == "gap":
            update_id += draw(st.integers(1, 4))
        first = update_id + (draw(st.integers(1, 3)) if linked else 1)
        last = first + draw(st.integers(0, 3))
        events.append(event(first, last, update_id if linked else -1, draw(levels), draw(levels)))
        update_id = last
    return linked, events


def positive(levels):
    return [(price, qty + 1) for price, qty in dict(levels).items()]


@settings(max_examples=200, deadline=None)
@given(feeds(), st.integers(-1, 6))
def test_a_day_at_once_is_the_same_as_event_by_event(feed, opening):
    linked, events = feed
    sync = Sync(linked, Book(), opening)
    verdicts = []
    for message in events:
        if isinstance(message, MarketDataSnapshot):
            whole = sync.whole
            verdicts.append(APPLIED if sync.snapshot(message) else REPEATED if whole else APART)
        else:
            verdicts.append(sync.depth(message))
    is_snapshot = np.array([isinstance(m, MarketDataSnapshot) for m in events], np.uint8)
    last = np.array([m.last_update_id for m in events], np.int64)
    first = np.array([getattr(m, "first_update_id", m.last_update_id) for m in events], np.int64)
    previous = np.array([getattr(m, "prev_update_id", -1) for m in events], np.int64)
    steps, verdict, update_id = plan(is_snapshot, first, last, previous, linked, opening)
    replayed = [
        new if old in (APART, GAP) and new == APPLIED else old for old, new in zip(verdicts, verdict.tolist(), strict=True)
    ]
    assert verdict.tolist() == replayed  # what was buffered may turn out applied when the snapshot comes
    assert update_id == (sync.update_id if sync.whole else -1)
    bids, asks, best = folded(events, steps)
    if sync.whole:
        assert bids == dict(sync.book.bids)
        assert asks == dict(sync.book.asks)
        assert not len(best) or best[-1][0] == max(bids, default=0)
        assert not len(best) or best[-1][2] == min(asks, default=0)


def folded(events, steps, near=8):
    """The book by the kernel, with so few ticks in its near part that levels of the far part matter too."""
    picked = np.where(steps < 0, -steps - 1, steps)
    counts = [(len(m.bids), len(m.asks)) for m in events]
    levels = [level for m in events for level in (*m.bids, *m.asks)]
    start = np.cumsum([0] + [sum(pair) for pair in counts])[:-1].astype(np.int64)
    tick, lots = (np.array([level[i] for level in levels], np.int64) for i in (0, 1))
    bids = np.array([-1 if s < 0 else counts[i][0] for s, i in zip(steps, picked, strict=True)], np.int64)
    asks = np.array([0 if s < 0 else counts[i][1] for s, i in zip(steps, picked, strict=True)], np.int64)
    is_snapshot = np.array([isinstance(events[i], MarketDataSnapshot) for i in picked], np.uint8)
    best = np.zeros((len(steps), 4), np.int64)
    at = start[picked] if len(picked) else np.zeros(0, np.int64)
    touched = np.array([[near, -1], [near, -1]], np.int64)
    far = [np.zeros((2, len(levels) + 2), np.int64) for _ in range(2)]
    book = (np.zeros((2, near), np.int64), 12, touched, *far, np.zeros(2, np.int64))
    fold(is_snapshot, at, bids, asks, tick, lots, book, best)
    sides = []
    for side in (0, 1):
        kept = {12 + place: int(qty) for place, qty in enumerate(book[0][side]) if qty}
        size = book[5][side]
        sides.append(kept | dict(zip(far[0][side, :size].tolist(), far[1][side, :size].tolist(), strict=True)))
    return sides[0], sides[1], best
