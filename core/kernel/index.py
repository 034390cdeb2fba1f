"""What a day's rows tell once and for all, whoever trades in it: the index with which a replay skips the rows themselves.

A linear replay applies every row to two books. But the market does not depend on our orders, so its books can be known
beforehand, and an order of ours meets it in few places only:

- `bests`: the best ranks (state.py) of both sides after each row, on either clock. NONE32 where a side is empty.
- `entries`: every level's own history at the exchange: (row, lots) in the order of rows, one level's list behind the other's,
  in chapters of some rows, so that what a replay reads at a time lies close together. A level that a clearing row emptied has
  an entry of SILENT lots: it shows nothing, and no queue of ours is told (FIDELITY section 3).
- `touches`, a list a side: the exchange's rows that can fill orders of ours that rest on that side, with the rank from which
  on they do: trades, and rows by which the other side's best came nearer. `minima`: the lowest such rank of each BLOCK of
  them, so that a block that reaches none of our orders is passed in one compare.
- of the local stream also the rows that are trades, those that clear, and where the search for levels ends (`worsts`).

A replay that has the index finds what concerns its orders and its wake-ups, and nothing else (touched.py); the linear one stays
as its plain twin. Everything here is made by the linear book's own functions, so the twins cannot read a row differently.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from core.kernel import state as w
from core.kernel.arrays import Arrays
from core.kernel.book import apply_rows, next_level
from core.kernel.layout import ASK, BUY, CLEAR, CLEAR_ASK
from core.kernel.memory import compiled, i32, i64, put_i32, put_i64, u8
from core.kernel.state import (
    ASK_SIDE,
    BEST,
    BID_SIDE,
    BLOCK,
    EXCH_BOOK,
    EXCH_ROWS,
    KIND,
    LEVELS_AT,
    LOCAL_BOOK,
    LOCAL_ROWS,
    LOTS,
    LOTS_WIDE,
    NONE32,
    NOWHERE,
    RANK_HIGH,
    RANK_LOW,
    SILENT,
    TICK,
    WORST,
    WORST_NONE32,
)
from core.kernel.terms import Array, Columns, DayIndex

CHAPTER: Final = 1 << 15
"""Rows of a chapter: its entries are some 200 kB, what a processor keeps near."""
VERSION: Final = 2
"""Raise it when the arrays or their meaning change: what was stored before is then made again."""


@compiled
def narrowed(rank: int) -> int:
    """A best rank in 32 bits."""
    return NONE32 if rank == NOWHERE else rank


PLACES, _, LEVELS, SHOWN, COUNTS = range(5)
"""Addresses of the chapter in work: a list's number by rank, a side each (int32, from 1 on; 0 for a level without one); and of
each list its side and rank (int32), what the level showed when the chapter began, and how many entries it has (int64)."""


@compiled
def met(s: int, lists: int, known: int, side: int, rank: int) -> int:
    """The chapter has another entry of this level, which is about to change; returns how many lists there are now."""
    places, counts = i64(lists, PLACES + side), i64(lists, COUNTS)
    n = i32(places, rank) - 1
    if n < 0:
        n = known
        put_i32(places, rank, n + 1)
        put_i32(i64(lists, LEVELS), 2 * n, side)
        put_i32(i64(lists, LEVELS), 2 * n + 1, rank)
        put_i64(i64(lists, SHOWN), n, i64(i64(s, EXCH_BOOK + LEVELS_AT + side), rank))
        put_i64(counts, n, 0)
        known += 1
    put_i64(counts, n, i64(counts, n) + 1)
    return known


@compiled
def met_all(s: int, lists: int, known: int, side: int, best: int, worst: int) -> int:
    """A clearing row is about to empty all that the side shows from `best` down to `worst`."""
    levels = i64(s, EXCH_BOOK + LEVELS_AT + side)
    rank = next_level(levels, best, worst)
    while rank != NOWHERE:
        known = met(s, lists, known, side, rank)
        rank = next_level(levels, rank - 1, worst)
    return known


@compiled
def walk(s: int, first: int, stop: int, bests: int, lists: int, touches: int, touched: int) -> int:
    """Replay the exchange's rows [first, stop), a chapter, and write best ranks and touches; returns how many lists it has.

    `touches` and `touched` are addresses of two words, a side each: where the touches go, and how many there are.
    """
    kinds = i64(s, EXCH_ROWS + KIND)
    ticks = i64(s, EXCH_ROWS + TICK)
    known = 0
    for k in range(first, stop):
        kind = u8(kinds, k)
        tick = i32(ticks, k)
        side = ASK_SIDE if kind in (ASK, BUY, CLEAR_ASK) else BID_SIDE
        rank = -tick if side == ASK_SIDE else tick
        before = i64(s, EXCH_BOOK + BEST + side)
        if kind <= ASK:
            known = met(s, lists, known, side, rank)
        elif kind == CLEAR:
            for both in range(2):
                known = met_all(s, lists, known, both, i64(s, RANK_HIGH + both), i64(s, RANK_LOW + both))
        elif kind > CLEAR and before != NOWHERE:
            known = met_all(s, lists, known, side, before, rank)
        apply_rows(s, EXCH_BOOK, EXCH_ROWS, k, k + 1)
        put_i32(bests, 2 * k, narrowed(i64(s, EXCH_BOOK + BEST)))
        put_i32(bests, 2 * k + 1, narrowed(i64(s, EXCH_BOOK + BEST + ASK_SIDE)))
        hit = -1
        if kind <= ASK:
            if rank > before and i64(s, EXCH_BOOK + BEST + side) == rank:
                hit, rank = ASK_SIDE - side, -rank
        elif kind < CLEAR:
            hit = side
        if hit >= 0:
            n = i64(touched, hit)
            put_i32(i64(touches, hit), 2 * n, k)
            put_i32(i64(touches, hit), 2 * n + 1, rank)
            put_i64(touched, hit, n + 1)
    return known


@compiled
def put_entry(entries: int, wide: int, n: int, row: int, lots: int) -> None:
    """Write the n-th entry."""
    if wide:
        put_i64(entries, 2 * n, row)
        put_i64(entries, 2 * n + 1, lots)
    else:
        put_i32(entries, 2 * n, row)
        put_i32(entries, 2 * n + 1, lots)


@compiled
def silence(lists: int, starts: int, ends: int, entries: int, wide: int, n: int, row: int) -> None:
    """A clearing row empties the n-th list's level, if it shows something."""
    end = i64(ends, n)
    shows = i64(i64(lists, SHOWN), n)
    if end > i64(starts, n):
        shows = i64(entries, 2 * end - 1) if wide else i32(entries, 2 * end - 1)
    if shows > 0:
        put_entry(entries, wide, end, row, SILENT)
        put_i64(ends, n, end + 1)


@compiled
def write_lists(
    s: int, first: int, stop: int, opened: int, bests: int, lists: int, known: int, starts: int, ends: int, entries: int
) -> None:
    """Put a chapter's rows into its lists. `starts`, `ends`: where each begins and goes on among the chapter's `entries`;
    `opened`: the two best ranks before the day's first row.
    """
    kinds = i64(s, EXCH_ROWS + KIND)
    ticks = i64(s, EXCH_ROWS + TICK)
    lots_at = i64(s, EXCH_ROWS + LOTS)
    levels = i64(lists, LEVELS)
    wide = i64(s, LOTS_WIDE)
    for k in range(first, stop):
        kind = u8(kinds, k)
        side = ASK_SIDE if kind in (ASK, CLEAR_ASK) else BID_SIDE
        rank = -i32(ticks, k) if side == ASK_SIDE else i32(ticks, k)
        if kind <= ASK:
            n = i32(i64(lists, PLACES + side), rank) - 1
            put_entry(entries, wide, i64(ends, n), k, i64(lots_at, k) if wide else i32(lots_at, k))
            put_i64(ends, n, i64(ends, n) + 1)
        elif kind == CLEAR:
            for n in range(known):
                silence(lists, starts, ends, entries, wide, n, k)
        elif kind > CLEAR:
            top = i32(bests, 2 * k - 2 + side) if k > 0 else i64(opened, side)
            for n in range(known):
                if i32(levels, 2 * n) == side and rank <= i32(levels, 2 * n + 1) <= top:
                    silence(lists, starts, ends, entries, wide, n, k)


@compiled
def close_chapter(lists: int, known: int) -> None:
    """Empty the places by rank for the next chapter."""
    levels = i64(lists, LEVELS)
    for n in range(known):
        put_i32(i64(lists, PLACES + i32(levels, 2 * n)), i32(levels, 2 * n + 1), 0)


@compiled
def walk_local(s: int, rows: int, bests: int, worsts: int, trades: int, clears: int, found: int) -> None:
    """Replay the local rows; `found`: three words, how many `worsts`, `trades` and `clears` were written."""
    kinds = i64(s, LOCAL_ROWS + KIND)
    last_bid, last_ask = i64(s, LOCAL_BOOK + WORST), i64(s, LOCAL_BOOK + WORST + ASK_SIDE)
    changed, traded, cleared = 0, 0, 0
    for k in range(rows):
        kind = u8(kinds, k)
        if kind >= CLEAR:
            put_i32(clears, cleared, k)
            cleared += 1
        elif kind > ASK:
            put_i32(trades, traded, k)
            traded += 1
        apply_rows(s, LOCAL_BOOK, LOCAL_ROWS, k, k + 1)
        put_i32(bests, 2 * k, narrowed(i64(s, LOCAL_BOOK + BEST)))
        put_i32(bests, 2 * k + 1, narrowed(i64(s, LOCAL_BOOK + BEST + ASK_SIDE)))
        bid, ask = i64(s, LOCAL_BOOK + WORST), i64(s, LOCAL_BOOK + WORST + ASK_SIDE)
        if bid != last_bid or ask != last_ask:
            put_i32(worsts, 3 * changed, k)
            put_i32(worsts, 3 * changed + 1, min(bid, WORST_NONE32))
            put_i32(worsts, 3 * changed + 2, min(ask, WORST_NONE32))
            changed += 1
            last_bid, last_ask = bid, ask
    put_i64(found, 0, changed)
    put_i64(found, 1, traded)
    put_i64(found, 2, cleared)


def _minima(touches: Array) -> Array:
    """The lowest rank of each block of touches; an unfinished block has none, and is looked through."""
    whole = len(touches) // BLOCK
    return touches[: whole * BLOCK, 1].reshape(whole, BLOCK).min(axis=1) if whole else np.zeros(0, np.int32)


def _at(*arrays: Array) -> Array:
    """The arrays' addresses, to be handed over by the address of this one."""
    return np.array([array.ctypes.data for array in arrays], np.int64)


def index_day(exch: Columns, local: Columns, bids: Array, asks: Array, chapter_rows: int = CHAPTER) -> DayIndex:
    """The index of a day: the streams as a Replay takes them, the opening book as (levels, 2) of tick and lots.

    Takes some 60 ns a row, and while it works little more memory than the index has. Raises what Arrays raises.
    """
    arrays = Arrays(exch, local, bids, asks, 1.0)
    rows = len(exch.ns)
    lowest = np.array([arrays.words[w.RANK_LOW], arrays.words[w.RANK_LOW + 1]], np.int64)
    bests = np.zeros((rows, 2), np.int32)
    touches, touched = np.zeros((2, rows, 2), np.int32), np.zeros(2, np.int64)
    lists = tuple(_chapters(arrays, rows, bests, touches, touched, chapter_rows))
    reached = [touches[side, :count].copy() for side, count in enumerate(touched.tolist())]
    return DayIndex._make([lowest, bests, *lists, *reached, *map(_minima, reached), *_local(arrays, len(local.ns))])


def _chapters(arrays: Arrays, rows: int, bests: Array, touches: Array, touched: Array, chapter_rows: int) -> Iterator[Array]:
    """(chapter_rows, chapters, levels, starts, entries) of DayIndex; writes `bests` and `touches` on the way."""
    words, at = arrays.words, arrays.at
    opened = np.array([words[w.EXCH_BOOK + w.BEST], words[w.EXCH_BOOK + w.BEST + 1]], np.int64)
    places = [np.zeros(words[w.RANK_HIGH + side] - words[w.RANK_LOW + side] + 1, np.int32) for side in range(2)]
    room = min(rows + words[w.OPENING_ROWS + w.COUNT], sum(map(len, places)))
    met_levels, shown, counts = np.zeros((room, 2), np.int32), np.zeros(room, np.int64), np.zeros(room, np.int64)
    lists = _at(*places, met_levels, shown, counts)
    for side in range(2):
        lists[PLACES + side] -= 4 * words[w.RANK_LOW + side]
    to, lists_at, bests_at = _at(*touches), lists.ctypes.data, bests.ctypes.data
    chapters, total = [0], 0
    levels: list[Array] = []
    starts: list[Array] = [np.zeros(1, np.int64)]
    entries: list[Array] = []
    for first in range(0, rows, chapter_rows):
        stop = min(first + chapter_rows, rows)
        known = walk(at, first, stop, bests_at, lists_at, to.ctypes.data, touched.ctypes.data)
        begin = np.concatenate([[0], np.cumsum(counts[:known])])
        ends = begin.copy()
        chapter = np.zeros((int(begin[-1]), 2), np.int64 if words[w.LOTS_WIDE] else np.int32)
        write_lists(
            at, first, stop, opened.ctypes.data, bests_at, lists_at, known,
            begin.ctypes.data, ends.ctypes.data, chapter.ctypes.data,
        )  # fmt: skip
        close_chapter(lists_at, known)
        chapters.append(chapters[-1] + known)
        levels.append(met_levels[:known].copy())
        starts.append(begin[1:] + total)
        entries.append(chapter)
        total += len(chapter)
    none = np.zeros((0, 2), np.int64 if words[w.LOTS_WIDE] else np.int32)
    yield np.array([chapter_rows], np.int64)
    yield np.array(chapters, np.int64)
    yield np.concatenate([np.zeros((0, 2), np.int32), *levels])
    yield np.concatenate(starts)
    yield np.concatenate([none, *entries])


def _local(arrays: Arrays, rows: int) -> tuple[Array, Array, Array, Array]:
    """(bests, worsts, trades, clears) of the local stream."""
    bests, worsts = np.zeros((rows, 2), np.int32), np.zeros((rows, 3), np.int32)
    trades, clears, found = np.zeros(rows, np.int32), np.zeros(rows, np.int32), np.zeros(3, np.int64)
    walk_local(arrays.at, rows, *_at(bests, worsts, trades, clears, found).tolist())
    changed, traded, cleared = found.tolist()
    return bests, worsts[:changed].copy(), trades[:traded].copy(), clears[:cleared].copy()
