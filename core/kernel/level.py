"""What a level of the exchange's book shows, and what it told the queue of an order of ours since the order last asked.

A linear replay keeps the book and tells each queue as a row changes its level. With the day's index there is no book: the
level's list of entries is looked up at the row reached, from where the last look ended, for time only goes forward; and a queue
is told all its level's changes at once, when a trade makes them matter.
"""

from __future__ import annotations

from core.kernel.memory import compiled, i32, i64, inlined, put_i64
from core.kernel.queue import queue_changed
from core.kernel.state import (
    ENTRIES,
    ENTRY,
    EXCH_BOOK,
    EXCH_ROWS,
    INDEXED,
    LEVEL_CURSORS,
    LEVEL_STARTS,
    LEVELS_AT,
    LOTS_WIDE,
    PLACE_AT,
    RANK,
    SIDE,
    UPCOMING,
)


@inlined
def entry_row(entries: int, wide: int, n: int) -> int:
    """The row of the n-th entry."""
    return i64(entries, 2 * n) if wide else i32(entries, 2 * n)


@inlined
def entry_shows(entries: int, wide: int, n: int) -> int:
    """What the level shows after the n-th entry."""
    return max(i64(entries, 2 * n + 1) if wide else i32(entries, 2 * n + 1), 0)


@compiled
def next_entry(s: int, level: int) -> int:
    """The level's first entry that is not before the row reached."""
    entries = i64(s, ENTRIES)
    wide = i64(s, LOTS_WIDE)
    row = i64(s, EXCH_ROWS + UPCOMING)
    cursor = i64(s, LEVEL_CURSORS)
    n = i64(cursor, level)
    end = i64(i64(s, LEVEL_STARTS), level + 1)
    step = 4
    while n + step < end and entry_row(entries, wide, n + step) < row:
        n += step
        step *= 2
    high = min(n + step, end)
    while n < high:
        middle = (n + high) // 2
        if entry_row(entries, wide, middle) < row:
            n = middle + 1
        else:
            high = middle
    put_i64(cursor, level, n)
    return n


@compiled
def level_lots(s: int, side: int, rank: int) -> int:
    """Lots that the exchange shows at a rank (of the day, or one outside) at the row reached."""
    if not i64(s, INDEXED):
        return i64(i64(s, EXCH_BOOK + LEVELS_AT + side), rank)
    level = i32(i64(s, PLACE_AT + side), rank) - 1
    if level < 0:
        return 0
    n = next_entry(s, level)
    return entry_shows(i64(s, ENTRIES), i64(s, LOTS_WIDE), n - 1) if n > i64(i64(s, LEVEL_STARTS), level) else 0


@compiled
def begin_entries(s: int, slot: int) -> None:
    """The order comes to rest: its queue has been told everything up to the row reached (whose level `level_lots` looked up)."""
    level = i32(i64(s, PLACE_AT + i64(slot, SIDE)), i64(slot, RANK)) - 1
    put_i64(slot, ENTRY, i64(i64(s, LEVEL_CURSORS), level) if level >= 0 else 0)


@compiled
def tell_entries(s: int, slot: int) -> None:
    """Tell the order's queue what its level showed since the last time, up to the row reached."""
    level = i32(i64(s, PLACE_AT + i64(slot, SIDE)), i64(slot, RANK)) - 1
    if level < 0:
        return
    entries = i64(s, ENTRIES)
    wide = i64(s, LOTS_WIDE)
    row = i64(s, EXCH_ROWS + UPCOMING)
    n = i64(slot, ENTRY)
    starts = i64(s, LEVEL_STARTS)
    end = i64(starts, level + 1)
    previous = entry_shows(entries, wide, n - 1) if n > i64(starts, level) else 0
    while n < end and entry_row(entries, wide, n) < row:
        lots = i64(entries, 2 * n + 1) if wide else i32(entries, 2 * n + 1)
        if lots >= 0:
            queue_changed(s, slot, previous, lots)
        previous = max(lots, 0)
        n += 1
    put_i64(slot, ENTRY, n)
