"""Replaying from a day's index (index.py): only what concerns orders of ours is looked at.

At the exchange a resting order of ours is concerned by the touches of its side whose rank is not above its own; in between
nothing can fill it. What happens to its queue meanwhile matters only when a trade comes to its level: the level's entries since
the last time are then told to the queue model in one go. An order that is canceled before anything trades at its price costs
nothing.

The local book's best prices are read off the index at every wake. Its levels are brought up to date when someone reads them.
"""

from __future__ import annotations

from core.kernel.book import clear
from core.kernel.exchange import sweep, trade
from core.kernel.layout import ASK
from core.kernel.level import reach
from core.kernel.memory import compiled, i32, i64, inlined, put_i64, u8
from core.kernel.state import (
    ASK_SIDE,
    BEST,
    BID_SIDE,
    BLOCK,
    CLEAR_COUNT,
    CLEAR_NEXT,
    CLEARS,
    EXCH_ROWS,
    FOREVER,
    INDEXED,
    KIND,
    LEVELS_AT,
    LOCAL_BESTS,
    LOCAL_BOOK,
    LOCAL_ROWS,
    LOCAL_WRITTEN,
    LOTS,
    LOTS_WIDE,
    MINIMA,
    NONE32,
    NOWHERE,
    NS,
    OPENED,
    OWN_BEST,
    RESPONSES_HEAD,
    RESPONSES_TAIL,
    TICK,
    TOUCH_COUNT,
    TOUCH_NEXT,
    TOUCHES,
    UPCOMING,
    WORST,
    WORST_COUNT,
    WORST_NEXT,
    WORST_NONE32,
    WORSTS,
)


@inlined
def put_bests(s: int, book: int, bests: int, row: int) -> None:
    """Set a book's best ranks to what they are after the row; after row -1 they are the opening's."""
    if row < 0:
        put_i64(s, book + BEST, i64(s, OPENED))
        put_i64(s, book + BEST + ASK_SIDE, i64(s, OPENED + ASK_SIDE))
    else:
        bid, ask = i32(bests, 2 * row), i32(bests, 2 * row + 1)
        put_i64(s, book + BEST, NOWHERE if bid == NONE32 else bid)
        put_i64(s, book + BEST + ASK_SIDE, NOWHERE if ask == NONE32 else ask)


@compiled
def seek_touch(s: int, side: int, row: int) -> None:
    """Move a side's cursor to its first touch at or after the row."""
    at = i64(s, TOUCHES + side)
    n = i64(s, TOUCH_NEXT + side)
    count = i64(s, TOUCH_COUNT + side)
    if n >= count or i32(at, 2 * n) >= row:
        return
    step = 8
    while n + step < count and i32(at, 2 * (n + step)) < row:
        n += step
        step *= 2
    high = min(n + step, count)
    while n < high:
        middle = (n + high) // 2
        if i32(at, 2 * middle) < row:
            n = middle + 1
        else:
            high = middle
    put_i64(s, TOUCH_NEXT + side, n)


@compiled
def next_touch(s: int, side: int, stop: int) -> int:
    """The first row before `stop` that concerns orders of ours on the side, and its cursor there; FOREVER when none does."""
    own = i64(s, OWN_BEST + side)
    if own == NOWHERE:
        return FOREVER
    at = i64(s, TOUCHES + side)
    count = i64(s, TOUCH_COUNT + side)
    n = i64(s, TOUCH_NEXT + side)
    while n < count:
        last = n + BLOCK - 1
        if n % BLOCK == 0 and last < count and i32(i64(s, MINIMA + side), n // BLOCK) > own and i32(at, 2 * last) < stop:
            n += BLOCK
            continue
        row = i32(at, 2 * n)
        if row >= stop:
            break
        if i32(at, 2 * n + 1) <= own:
            put_i64(s, TOUCH_NEXT + side, n)
            return row
        n += 1
    put_i64(s, TOUCH_NEXT + side, n)
    return FOREVER


@compiled
def touch(s: int, side: int, row: int) -> None:
    """A row that can fill orders of ours on the side: a trade, or the other side's best that came nearer."""
    t = i64(i64(s, EXCH_ROWS + NS), row)
    kind = u8(i64(s, EXCH_ROWS + KIND), row)
    n = i64(s, TOUCH_NEXT + side)
    put_i64(s, TOUCH_NEXT + side, n + 1)
    rank = i32(i64(s, TOUCHES + side), 2 * n + 1)
    if kind <= ASK:
        sweep(s, t, side, rank)
        return
    lots_at = i64(s, EXCH_ROWS + LOTS)
    reach(s, row)
    trade(s, t, side, rank, i64(lots_at, row) if i64(s, LOTS_WIDE) else i32(lots_at, row))


@compiled
def pass_touches(s: int, start: int, stop: int, pause: bool) -> int:
    """Take the exchange from row `start` to `stop` while orders of ours rest. Returns the row after the last one passed.

    With `pause` it ends after the row that led to a response when none was under way before.
    """
    seek_touch(s, BID_SIDE, start)
    seek_touch(s, ASK_SIDE, start)
    bids, asks = next_touch(s, BID_SIDE, stop), next_touch(s, ASK_SIDE, stop)
    while bids != asks:  # a row concerns one side: equal is when neither has one
        side = BID_SIDE if bids < asks else ASK_SIDE
        row = min(bids, asks)
        touch(s, side, row)
        if pause and i64(s, RESPONSES_TAIL) != i64(s, RESPONSES_HEAD):
            return row + 1
        if side == BID_SIDE:
            bids = next_touch(s, side, stop)
        else:
            asks = next_touch(s, side, stop)
    return stop


# --- the local book ------------------------------------------------------------------------------------------------------


@compiled
def write_rows(s: int, start: int, stop: int) -> None:
    """Write the quantities of local rows [start, stop), none of which clears; best prices are not looked at.

    Nothing is searched for: most of a linear pass's time goes into branches on best prices, which no one can predict.
    """
    kinds = i64(s, LOCAL_ROWS + KIND)
    ticks = i64(s, LOCAL_ROWS + TICK)
    lots_at = i64(s, LOCAL_ROWS + LOTS)
    wide = i64(s, LOTS_WIDE)
    bids = i64(s, LOCAL_BOOK + LEVELS_AT)
    asks = i64(s, LOCAL_BOOK + LEVELS_AT + ASK_SIDE)
    for k in range(start, stop):
        kind = u8(kinds, k)
        lots = i64(lots_at, k) if wide else i32(lots_at, k)
        tick = i32(ticks, k)
        if kind <= ASK:
            is_ask = kind == ASK
            put_i64(asks if is_ask else bids, -tick if is_ask else tick, lots)


@compiled
def write_local(s: int) -> None:
    """Bring the levels of the local book up to date, and where the search for them ends. A linear replay's always are."""
    if not i64(s, INDEXED):
        return
    stop = i64(s, LOCAL_ROWS + UPCOMING)
    row = i64(s, LOCAL_WRITTEN)
    if row == stop:
        return
    worsts = i64(s, LOCAL_BOOK + WORST), i64(s, LOCAL_BOOK + WORST + ASK_SIDE)
    n = i64(s, CLEAR_NEXT)
    while n < i64(s, CLEAR_COUNT) and i32(i64(s, CLEARS), n) < stop:
        at = i32(i64(s, CLEARS), n)
        write_rows(s, row, at)
        put_bests(s, LOCAL_BOOK, i64(s, LOCAL_BESTS), at - 1)
        if at > 0 or i64(s, LOCAL_BOOK + BEST) != NOWHERE or i64(s, LOCAL_BOOK + BEST + ASK_SIDE) != NOWHERE:
            clear(s, LOCAL_BOOK, u8(i64(s, LOCAL_ROWS + KIND), at), i32(i64(s, LOCAL_ROWS + TICK), at))
        row = at + 1
        n += 1
    put_i64(s, CLEAR_NEXT, n)
    write_rows(s, row, stop)
    put_i64(s, LOCAL_WRITTEN, stop)
    put_bests(s, LOCAL_BOOK, i64(s, LOCAL_BESTS), stop - 1)
    put_i64(s, LOCAL_BOOK + WORST, worsts[0])
    put_i64(s, LOCAL_BOOK + WORST + ASK_SIDE, worsts[1])
    write_worsts(s, stop)


@compiled
def write_worsts(s: int, stop: int) -> None:
    """Where the search for levels ends after row `stop` - 1."""
    at = i64(s, WORSTS)
    n = i64(s, WORST_NEXT)
    while n < i64(s, WORST_COUNT) and i32(at, 3 * n) < stop:
        n += 1
    put_i64(s, WORST_NEXT, n)
    if n > 0:
        bid, ask = i32(at, 3 * n - 2), i32(at, 3 * n - 1)
        put_i64(s, LOCAL_BOOK + WORST, FOREVER if bid == WORST_NONE32 else bid)
        put_i64(s, LOCAL_BOOK + WORST + ASK_SIDE, FOREVER if ask == WORST_NONE32 else ask)
