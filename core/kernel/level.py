"""What a level of the exchange's book shows, and what it told the queue of an order of ours since the order last asked.

A linear replay keeps the book and tells each queue as a row changes its level. With the day's index the book stands as it was
when the chapter began. What a level shows since is looked up in its list of the chapter, from where the last look ended, for time
only goes forward; and a queue is told all its level's changes at once, when a trade makes them matter, or at the chapter's end.
"""

from __future__ import annotations

from core.kernel.memory import compiled, i32, i64, inlined, put_i32, put_i64
from core.kernel.queue import queue_changed
from core.kernel.state import (
    CHAPTER_NO,
    CHAPTER_ROWS,
    CHAPTER_STOP,
    CHAPTERS,
    ENTRIES,
    ENTRY,
    EXCH_BOOK,
    EXCH_ROWS,
    INDEXED,
    LEVELS_AT,
    LEVELS_OF,
    LIST_CURSORS,
    LIST_STARTS,
    LOTS_WIDE,
    PLACE_AT,
    RANK,
    RESTING,
    RESTING_AT,
    SIDE,
    SLOT_WORDS,
    SLOTS_AT,
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


@inlined
def list_of(s: int, side: int, rank: int) -> int:
    """The level's list in the chapter, counted from the chapter's first; -1 when nothing of it changes there."""
    return i32(i64(s, PLACE_AT + side), rank) - 1


@inlined
def list_start(s: int, n: int) -> int:
    """Where the chapter's n-th list begins among the entries."""
    return i64(i64(s, LIST_STARTS), i64(i64(s, CHAPTERS), i64(s, CHAPTER_NO)) + n)


@compiled
def next_entry(s: int, n: int) -> int:
    """The first entry of the chapter's n-th list that is not before the row reached."""
    entries = i64(s, ENTRIES)
    wide = i64(s, LOTS_WIDE)
    row = i64(s, EXCH_ROWS + UPCOMING)
    cursors = i64(s, LIST_CURSORS)
    low = i64(cursors, n)
    end = list_start(s, n + 1)
    step = 4
    while low + step < end and entry_row(entries, wide, low + step) < row:
        low += step
        step *= 2
    high = min(low + step, end)
    while low < high:
        middle = (low + high) // 2
        if entry_row(entries, wide, middle) < row:
            low = middle + 1
        else:
            high = middle
    put_i64(cursors, n, low)
    return low


@compiled
def level_lots(s: int, side: int, rank: int) -> int:
    """Lots that the exchange shows at a rank (of the day, or one outside) at the row reached."""
    n = list_of(s, side, rank) if i64(s, INDEXED) else -1
    if n >= 0:
        entry = next_entry(s, n)
        if entry > list_start(s, n):
            return entry_shows(i64(s, ENTRIES), i64(s, LOTS_WIDE), entry - 1)
    return i64(i64(s, EXCH_BOOK + LEVELS_AT + side), rank)


@compiled
def begin_entries(s: int, slot: int) -> None:
    """The order comes to rest: its queue has been told everything up to the row reached (whose level `level_lots` looked up)."""
    n = list_of(s, i64(slot, SIDE), i64(slot, RANK))
    put_i64(slot, ENTRY, i64(i64(s, LIST_CURSORS), n) if n >= 0 else 0)


@compiled
def tell_entries(s: int, slot: int) -> None:
    """Tell the order's queue what its level showed since the last time, up to the row reached."""
    side, rank = i64(slot, SIDE), i64(slot, RANK)
    n = list_of(s, side, rank)
    if n < 0:
        return
    entries = i64(s, ENTRIES)
    wide = i64(s, LOTS_WIDE)
    row = i64(s, EXCH_ROWS + UPCOMING)
    entry = i64(slot, ENTRY)
    end = list_start(s, n + 1)
    if entry == end or entry_row(entries, wide, entry) >= row:
        return
    first = entry == list_start(s, n)
    previous = i64(i64(s, EXCH_BOOK + LEVELS_AT + side), rank) if first else entry_shows(entries, wide, entry - 1)
    while entry < end and entry_row(entries, wide, entry) < row:
        lots = i64(entries, 2 * entry + 1) if wide else i32(entries, 2 * entry + 1)
        if lots >= 0:
            queue_changed(s, slot, previous, lots)
        previous = max(lots, 0)
        entry += 1
    put_i64(slot, ENTRY, entry)


# --- chapters ------------------------------------------------------------------------------------------------------------


@compiled
def reach(s: int, row: int) -> None:
    """The exchange is at `row`: every row before it has happened. Turns the chapters in between."""
    while row > i64(s, CHAPTER_STOP):
        put_i64(s, EXCH_ROWS + UPCOMING, i64(s, CHAPTER_STOP))
        close_chapter(s)
        put_i64(s, CHAPTER_NO, i64(s, CHAPTER_NO) + 1)
        open_chapter(s)
    put_i64(s, EXCH_ROWS + UPCOMING, row)


@compiled
def close_chapter(s: int) -> None:
    """Tell the queues what is left of the chapter, and bring the book to its end."""
    for side in range(2):
        resting = i64(s, RESTING_AT + side)
        for k in range(i64(s, RESTING + side)):
            tell_entries(s, i64(s, SLOTS_AT) + 8 * SLOT_WORDS * i64(resting, k))
    first = i64(i64(s, CHAPTERS), i64(s, CHAPTER_NO))
    levels, starts = i64(s, LEVELS_OF), i64(s, LIST_STARTS)
    for n in range(first, i64(i64(s, CHAPTERS), i64(s, CHAPTER_NO) + 1)):
        side, rank = i32(levels, 2 * n), i32(levels, 2 * n + 1)
        shows = entry_shows(i64(s, ENTRIES), i64(s, LOTS_WIDE), i64(starts, n + 1) - 1)
        put_i64(i64(s, EXCH_BOOK + LEVELS_AT + side), rank, shows)
        put_i32(i64(s, PLACE_AT + side), rank, 0)


@compiled
def open_chapter(s: int) -> None:
    """Note where the chapter's lists are, and let the resting orders begin there."""
    number = i64(s, CHAPTER_NO)
    put_i64(s, CHAPTER_STOP, (number + 1) * i64(s, CHAPTER_ROWS))
    first = i64(i64(s, CHAPTERS), number)
    levels, starts, cursors = i64(s, LEVELS_OF), i64(s, LIST_STARTS), i64(s, LIST_CURSORS)
    for n in range(i64(i64(s, CHAPTERS), number + 1) - first):
        put_i32(i64(s, PLACE_AT + i32(levels, 2 * (first + n))), i32(levels, 2 * (first + n) + 1), n + 1)
        put_i64(cursors, n, i64(starts, first + n))
    for side in range(2):
        resting = i64(s, RESTING_AT + side)
        for k in range(i64(s, RESTING + side)):
            begin_entries(s, i64(s, SLOTS_AT) + 8 * SLOT_WORDS * i64(resting, k))
