"""What a day's rows tell once and for all, whoever trades in it: the index with which a replay skips the rows themselves.

A linear replay applies every row to two books. But the market does not depend on our orders, so its books can be known
beforehand, and an order of ours meets it in few places only:

- `bests`: the best ranks (state.py) of both sides after each row, on either clock. NONE32 where a side is empty.
- `lists`: every level's own history at the exchange: (row, lots) in the order of rows, one level behind the other. A level that
  a clearing row emptied has an entry of SILENT lots: it shows nothing, and no queue of ours is told (FIDELITY section 3).
- `touches`, a list a side: the exchange's rows that can fill orders of ours that rest on that side, with the rank from which
  on they do: trades, and rows by which the other side's best came nearer. `minima`: the lowest such rank of each BLOCK of
  them, so that a block that reaches none of our orders is passed in one compare.
- of the local stream also the rows that are trades, those that clear, and where the search for levels ends (`worsts`).

A replay that has the index finds what concerns its orders and its wake-ups, and nothing else (touched.py); the linear one stays
as its plain twin. Everything here is made by the linear book's own functions, so the twins cannot read a row differently.
"""

from __future__ import annotations

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

VERSION: Final = 1
"""Raise it when the arrays or their meaning change: what was stored before is then made again."""


@compiled
def narrowed(rank: int) -> int:
    """A best rank in 32 bits."""
    return NONE32 if rank == NOWHERE else rank


@compiled
def each_quantity(s: int, side: int, low: int, high: int, counts: int) -> None:
    """Count an entry for every level of the exchange's book that shows something, from `low` up to `high`."""
    levels = i64(s, EXCH_BOOK + LEVELS_AT + side)
    rank = next_level(levels, high, low)
    while rank != NOWHERE:
        put_i32(counts, rank, i32(counts, rank) + 1)
        rank = next_level(levels, rank - 1, low)


@compiled
def walk_exchange(s: int, rows: int, bests: int, counts: int, touches: int, touched: int) -> None:
    """Replay the exchange's rows. `counts` and `touches` are addresses of two addresses, a side each: entries by rank, and
    (row, rank) pairs; `touched` of two counters.
    """
    kinds = i64(s, EXCH_ROWS + KIND)
    ticks = i64(s, EXCH_ROWS + TICK)
    for k in range(rows):
        kind = u8(kinds, k)
        tick = i32(ticks, k)
        side = ASK_SIDE if kind in (ASK, BUY, CLEAR_ASK) else BID_SIDE
        rank = -tick if side == ASK_SIDE else tick
        before = i64(s, EXCH_BOOK + BEST + side)
        if kind <= ASK:
            put_i32(i64(counts, side), rank, i32(i64(counts, side), rank) + 1)
        elif kind == CLEAR:
            for both in range(2):
                each_quantity(s, both, i64(s, RANK_LOW + both), i64(s, RANK_HIGH + both), i64(counts, both))
        elif kind > CLEAR and before != NOWHERE:
            each_quantity(s, side, rank, before, i64(counts, side))
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


@compiled
def walk_local(s: int, rows: int, bests: int, worsts: int, special: int, found: int) -> None:
    """Replay the local rows. `special` is the address of two addresses: rows that are trades, rows that clear; `found` of three
    counters: those two and how many `worsts` (row, bid, ask) were written.
    """
    kinds = i64(s, LOCAL_ROWS + KIND)
    last_bid, last_ask = i64(s, LOCAL_BOOK + WORST), i64(s, LOCAL_BOOK + WORST + ASK_SIDE)
    for k in range(rows):
        kind = u8(kinds, k)
        if kind > ASK:
            which = 0 if kind < CLEAR else 1
            put_i32(i64(special, which), i64(found, which), k)
            put_i64(found, which, i64(found, which) + 1)
        apply_rows(s, LOCAL_BOOK, LOCAL_ROWS, k, k + 1)
        put_i32(bests, 2 * k, narrowed(i64(s, LOCAL_BOOK + BEST)))
        put_i32(bests, 2 * k + 1, narrowed(i64(s, LOCAL_BOOK + BEST + ASK_SIDE)))
        bid, ask = i64(s, LOCAL_BOOK + WORST), i64(s, LOCAL_BOOK + WORST + ASK_SIDE)
        if bid != last_bid or ask != last_ask:
            n = i64(found, 2)
            put_i32(worsts, 3 * n, k)
            put_i32(worsts, 3 * n + 1, min(bid, WORST_NONE32))
            put_i32(worsts, 3 * n + 2, min(ask, WORST_NONE32))
            put_i64(found, 2, n + 1)
            last_bid, last_ask = bid, ask


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
def entry_lots(entries: int, wide: int, n: int) -> int:
    """The lots of the n-th entry, as written."""
    return i64(entries, 2 * n + 1) if wide else i32(entries, 2 * n + 1)


@compiled
def silence(starts: int, ends: int, entries: int, wide: int, level: int, row: int) -> None:
    """A clearing row empties the level, if it shows something."""
    n = i64(ends, level)
    if n > i64(starts, level) and entry_lots(entries, wide, n - 1) > 0:
        put_entry(entries, wide, n, row, SILENT)
        put_i64(ends, level, n + 1)


@compiled
def write_lists(s: int, rows: int, bests: int, places: int, levels: int, starts: int, ends: int, entries: int) -> None:
    """Put every row into its level's list. `places`: address of two addresses, each side's level by rank, counted from 1;
    `starts` and `ends` (int64, `levels` long): where the lists begin and where their next entry goes.
    """
    kinds = i64(s, EXCH_ROWS + KIND)
    ticks = i64(s, EXCH_ROWS + TICK)
    lots_at = i64(s, EXCH_ROWS + LOTS)
    wide = i64(s, LOTS_WIDE)
    for k in range(rows):
        kind = u8(kinds, k)
        side = ASK_SIDE if kind in (ASK, CLEAR_ASK) else BID_SIDE
        rank = -i32(ticks, k) if side == ASK_SIDE else i32(ticks, k)
        if kind <= ASK:
            level = i32(i64(places, side), rank) - 1
            put_entry(entries, wide, i64(ends, level), k, i64(lots_at, k) if wide else i32(lots_at, k))
            put_i64(ends, level, i64(ends, level) + 1)
        elif kind == CLEAR:
            for level in range(levels):
                silence(starts, ends, entries, wide, level, k)
        elif kind > CLEAR:
            best = i32(bests, 2 * k - 2 + side) if k > 0 else narrowed(i64(s, EXCH_BOOK + BEST + side))
            for r in range(rank, best + 1):
                level = i32(i64(places, side), r) - 1
                if level >= 0:
                    silence(starts, ends, entries, wide, level, k)


def _pair(first: int, second: int) -> Array:
    return np.array([first, second], np.int64)


def _minima(touches: Array) -> Array:
    """The lowest rank of each block of touches; an unfinished block has none, and is looked through."""
    whole = len(touches) // BLOCK
    return touches[: whole * BLOCK, 1].reshape(whole, BLOCK).min(axis=1) if whole else np.zeros(0, np.int32)


class _Sides:
    """Two int32 arrays, one a side, indexed by rank through an address each; as long as the day's prices are apart."""

    def __init__(self, arrays: Arrays) -> None:
        words = arrays.words
        self.lows = [words[w.RANK_LOW + side] for side in range(2)]
        self.columns = [np.zeros(words[w.RANK_HIGH + side] - self.lows[side] + 1, np.int32) for side in range(2)]
        bases = [column.ctypes.data - 4 * low for column, low in zip(self.columns, self.lows, strict=True)]
        self.at = _pair(*bases)


def _opening(arrays: Arrays, bids: Array, asks: Array, counts: _Sides) -> None:
    for side, levels in enumerate((bids, asks)):
        ranks = levels[:, 0] if side == BID_SIDE else -levels[:, 0]
        counts.columns[side][ranks - counts.lows[side]] += 1


def index_day(exch: Columns, local: Columns, bids: Array, asks: Array) -> DayIndex:
    """The index of a day: the streams as a Replay takes them, the opening book as (levels, 2) of tick and lots.

    Takes some 60 ns a row, and while it works about as much memory as the index has. Raises what Arrays raises.
    """
    bids, asks = np.asarray(bids, np.int64).reshape(-1, 2), np.asarray(asks, np.int64).reshape(-1, 2)
    arrays = Arrays(exch, local, bids, asks, 1.0)
    rows = len(exch.ns)
    opened = _pair(arrays.words[w.EXCH_BOOK + w.BEST], arrays.words[w.EXCH_BOOK + w.BEST + 1])
    bests, counts = np.zeros((rows, 2), np.int32), _Sides(arrays)
    touches: list[Array] = [np.zeros((rows, 2), np.int32) for _ in range(2)]
    at, touched = _pair(*(one.ctypes.data for one in touches)), np.zeros(2, np.int64)
    _opening(arrays, bids, asks, counts)
    walk_exchange(arrays.at, rows, bests.ctypes.data, counts.at.ctypes.data, at.ctypes.data, touched.ctypes.data)
    touches = [np.ascontiguousarray(one[:n]) for one, n in zip(touches, touched.tolist(), strict=True)]
    arrays.words[w.EXCH_BOOK + w.BEST], arrays.words[w.EXCH_BOOK + w.BEST + 1] = opened.tolist()
    lists = _lists(arrays, rows, bests, counts, bids, asks)
    lowest = _pair(arrays.words[w.RANK_LOW], arrays.words[w.RANK_LOW + 1])
    return DayIndex._make([lowest, bests, *lists, *touches, *map(_minima, touches), *_local(arrays, len(local.ns))])


def _lists(arrays: Arrays, rows: int, bests: Array, counts: _Sides, bids: Array, asks: Array) -> tuple[Array, Array, Array]:
    """(levels, starts, entries): which side and rank, where each list begins (one more than levels), and all of them."""
    found: list[Array] = [np.flatnonzero(column) for column in counts.columns]
    sides = np.repeat([BID_SIDE, ASK_SIDE], [len(at) for at in found])
    ranks = np.concatenate([at + low for at, low in zip(found, counts.lows, strict=True)])
    levels: Array = np.stack([sides, ranks], axis=1).astype(np.int32)
    lengths = np.concatenate([column[at] for column, at in zip(counts.columns, found, strict=True)])
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    wide = arrays.words[w.LOTS_WIDE]
    entries = np.zeros((int(starts[-1]), 2), np.int64 if wide else np.int32)
    ends = starts[:-1].copy()
    for side, at in enumerate(found):
        counts.columns[side][at] = np.arange(1, len(at) + 1) + side * len(found[0])
    for side, opening in enumerate((bids, asks)):
        ranks = opening[:, 0] if side == BID_SIDE else -opening[:, 0]
        places = counts.columns[side][ranks - counts.lows[side]] - 1
        for place, lots in zip(places.tolist(), opening[:, 1].tolist(), strict=True):
            entries[ends[place]] = (-1, lots)
            ends[place] += 1
    write_lists(
        arrays.at, rows, bests.ctypes.data, counts.at.ctypes.data, len(levels),
        starts.ctypes.data, ends.ctypes.data, entries.ctypes.data,
    )  # fmt: skip
    return levels, starts, entries


def _local(arrays: Arrays, rows: int) -> tuple[Array, Array, Array, Array]:
    """(bests, worsts, trades, clears) of the local stream."""
    bests, worsts = np.zeros((rows, 2), np.int32), np.zeros((rows, 3), np.int32)
    special = [np.zeros(rows, np.int32) for _ in range(2)]
    at, found = _pair(*(one.ctypes.data for one in special)), np.zeros(3, np.int64)
    walk_local(arrays.at, rows, bests.ctypes.data, worsts.ctypes.data, at.ctypes.data, found.ctypes.data)
    trades, clears, changes = found.tolist()
    return bests, worsts[:changes].copy(), special[0][:trades].copy(), special[1][:clears].copy()
