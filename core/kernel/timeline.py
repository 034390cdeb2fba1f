"""Moving a replay forward: both streams in bulk, and the order messages between them.

The exchange's market and the local one are two streams of the same rows at two clocks. They meet only through requests and
responses. So the exchange is taken forward alone, in one sweep of rows up to the next arrival of a request, and the local book
after it in another; in the sweeps no time is read. How far a sweep goes is found by galloping over the column of times.

The order at equal times is the reference's: local rows, responses, exchange rows, requests (FIDELITY section 1). A request that
arrives with a market row meets the book after that row; whoever wakes at t has seen every row and response with time <= t.

While no order of ours rests and none is on its way, nothing can happen at the exchange that anyone would hear of: its stream
waits, and is caught up when a request needs it. The exchange is never ahead of `NOW`: a request that leaves now is never late.

`apply_own_rows` is long because it is one loop over rows with its state in local variables (numba keeps those in registers;
the same in a state array is several times slower).
"""

from __future__ import annotations

from core.kernel.book import EMPTY_WORST, apply_rows, clear, next_level
from core.kernel.exchange import handle_request, slot_at, sweep, trade
from core.kernel.layout import ASK, BUY, CLEAR
from core.kernel.level import level_lots, reach
from core.kernel.memory import compiled, i32, i64, put_i64, u8
from core.kernel.queue import queue_changed
from core.kernel.state import (
    ASK_SIDE,
    BEST,
    BID_SIDE,
    COUNT,
    EXCH_BESTS,
    EXCH_BOOK,
    EXCH_ROWS,
    FOREVER,
    FRAMES,
    FRAMES_NEXT,
    INDEXED,
    KIND,
    LEVELS_AT,
    LOCAL_BESTS,
    LOCAL_BOOK,
    LOCAL_ROWS,
    LOTS,
    LOTS_WIDE,
    NEXT,
    NOW,
    NOWHERE,
    NS,
    OWN_AT,
    OWN_BEST,
    OWN_WORST,
    REQ_ARRIVAL,
    REQUEST_WORDS,
    REQUESTS_AT,
    REQUESTS_HEAD,
    REQUESTS_MASK,
    REQUESTS_TAIL,
    RES_ARRIVAL,
    RESPONSE_WORDS,
    RESPONSES_AT,
    RESPONSES_HEAD,
    RESPONSES_MASK,
    RESPONSES_TAIL,
    RESTING,
    TICK,
    TRADES_NEXT,
    UPCOMING,
    WORST,
)
from core.kernel.touched import pass_touches, put_bests


@compiled
def first_after(times: int, start: int, count: int, limit: int) -> int:
    """The first row from `start` on whose time is after `limit`."""
    step = 8
    low = start
    high = start + step
    while high < count and i64(times, high - 1) <= limit:
        low = high
        step *= 2
        high = low + step
    high = min(high, count)
    while high - low > 8:
        middle = (low + high) // 2
        if i64(times, middle) <= limit:
            low = middle + 1
        else:
            high = middle
    while low < high and i64(times, low) <= limit:
        low += 1
    return low


@compiled
def queues_changed(s: int, side: int, rank: int, previous: int, lots: int) -> None:
    """A level at which orders of ours rest has changed."""
    slot = i32(i64(s, OWN_AT + side), rank) - 1
    while slot >= 0:
        o = slot_at(s, slot)
        queue_changed(s, o, previous, lots)
        slot = i64(o, NEXT)


@compiled
def apply_own_rows(s: int, start: int, stop: int, pause: bool) -> int:
    """Apply exchange rows [start, stop) while orders of ours rest. Returns the row after the last one applied.

    With `pause` it ends after the row that led to a response when none was under way before.
    """
    kinds = i64(s, EXCH_ROWS + KIND)
    ticks = i64(s, EXCH_ROWS + TICK)
    lots_at = i64(s, EXCH_ROWS + LOTS)
    times = i64(s, EXCH_ROWS + NS)
    wide = i64(s, LOTS_WIDE)
    bids = i64(s, EXCH_BOOK + LEVELS_AT)
    asks = i64(s, EXCH_BOOK + LEVELS_AT + ASK_SIDE)
    own_bids = i64(s, OWN_AT)
    own_asks = i64(s, OWN_AT + ASK_SIDE)
    bid = i64(s, EXCH_BOOK + BEST)
    ask = i64(s, EXCH_BOOK + BEST + ASK_SIDE)
    bid_worst = i64(s, EXCH_BOOK + WORST)
    ask_worst = i64(s, EXCH_BOOK + WORST + ASK_SIDE)
    own_bid = i64(s, OWN_BEST)
    own_ask = i64(s, OWN_BEST + ASK_SIDE)
    own_bid_worst = i64(s, OWN_WORST)
    own_ask_worst = i64(s, OWN_WORST + ASK_SIDE)
    k = start
    while k < stop:
        kind = u8(kinds, k)
        tick = i32(ticks, k)
        lots = i64(lots_at, k) if wide else i32(lots_at, k)
        k += 1
        if kind > ASK:
            if kind < CLEAR:
                side = ASK_SIDE if kind == BUY else BID_SIDE
                rank = -tick if kind == BUY else tick
                if (own_ask if kind == BUY else own_bid) < rank:
                    continue
                trade(s, i64(times, k - 1), side, rank, lots)
            else:
                put_i64(s, EXCH_BOOK + BEST, bid)
                put_i64(s, EXCH_BOOK + BEST + ASK_SIDE, ask)
                put_i64(s, EXCH_BOOK + WORST, bid_worst)
                put_i64(s, EXCH_BOOK + WORST + ASK_SIDE, ask_worst)
                clear(s, EXCH_BOOK, kind, tick)
                bid = i64(s, EXCH_BOOK + BEST)
                ask = i64(s, EXCH_BOOK + BEST + ASK_SIDE)
                bid_worst = i64(s, EXCH_BOOK + WORST)
                ask_worst = i64(s, EXCH_BOOK + WORST + ASK_SIDE)
                continue
        else:
            is_ask = kind == ASK
            rank = -tick if is_ask else tick
            best = ask if is_ask else bid
            worst = ask_worst if is_ask else bid_worst
            levels = asks if is_ask else bids
            if (own_ask_worst if is_ask else own_bid_worst) <= rank <= (own_ask if is_ask else own_bid) and i32(
                own_asks if is_ask else own_bids, rank
            ) != 0:
                queues_changed(s, ASK_SIDE if is_ask else BID_SIDE, rank, i64(levels, rank), lots)
            put_i64(levels, rank, lots)
            if rank < worst and lots != 0:
                if is_ask:
                    ask_worst = rank
                else:
                    bid_worst = rank
            if rank < best or (rank == best and lots != 0):
                continue
            if lots == 0:
                if rank != best:
                    continue
                found = next_level(levels, rank - 1, worst)
                if is_ask:
                    ask = found
                    ask_worst = EMPTY_WORST if found == NOWHERE else ask_worst
                else:
                    bid = found
                    bid_worst = EMPTY_WORST if found == NOWHERE else bid_worst
                continue
            if is_ask:
                ask = rank
                if bid + rank >= 0:
                    bid = next_level(bids, -rank - 1, bid_worst)
            else:
                bid = rank
                if ask + rank >= 0:
                    ask = next_level(asks, -rank - 1, ask_worst)
            if (own_bid if is_ask else own_ask) < -rank:
                continue
            sweep(s, i64(times, k - 1), BID_SIDE if is_ask else ASK_SIDE, -rank)
        own_bid = i64(s, OWN_BEST)
        own_ask = i64(s, OWN_BEST + ASK_SIDE)
        own_bid_worst = i64(s, OWN_WORST)
        own_ask_worst = i64(s, OWN_WORST + ASK_SIDE)
        if pause and i64(s, RESPONSES_TAIL) != i64(s, RESPONSES_HEAD):
            break
    put_i64(s, EXCH_BOOK + BEST, bid)
    put_i64(s, EXCH_BOOK + BEST + ASK_SIDE, ask)
    put_i64(s, EXCH_BOOK + WORST, bid_worst)
    put_i64(s, EXCH_BOOK + WORST + ASK_SIDE, ask_worst)
    return k


@compiled
def first_response(s: int) -> int:
    """When the next response arrives; FOREVER when none is under way."""
    head = i64(s, RESPONSES_HEAD)
    if head == i64(s, RESPONSES_TAIL):
        return FOREVER
    return i64(i64(s, RESPONSES_AT) + 8 * RESPONSE_WORDS * (head & i64(s, RESPONSES_MASK)), RES_ARRIVAL)


@compiled
def advance_exchange(s: int, until: int, pause: bool) -> int:
    """Apply exchange rows and requests up to `until`; with `pause` only up to the first response's arrival. Returns the limit."""
    times = i64(s, EXCH_ROWS + NS)
    count = i64(s, EXCH_ROWS + COUNT)
    row = i64(s, EXCH_ROWS + UPCOMING)
    requests = i64(s, REQUESTS_AT)
    indexed = i64(s, INDEXED)
    limit = until
    seen = i64(s, NOW)
    while True:
        if pause:
            limit = max(min(until, first_response(s)), seen)
        head = i64(s, REQUESTS_HEAD)
        request = FOREVER
        at = 0
        if head != i64(s, REQUESTS_TAIL):
            at = requests + 8 * REQUEST_WORDS * (head & i64(s, REQUESTS_MASK))
            request = i64(at, REQ_ARRIVAL)
        idle = i64(s, RESTING) + i64(s, RESTING + ASK_SIDE) == 0
        if idle and request > limit:
            break
        stop = first_after(times, row, count, min(limit, request))
        if idle:
            if not indexed:
                apply_rows(s, EXCH_BOOK, EXCH_ROWS, row, stop)
            row = stop
        else:
            first = pause and first_response(s) == FOREVER
            row = pass_touches(s, row, stop, first) if indexed else apply_own_rows(s, row, stop, first)
            if row > 0:
                seen = max(seen, i64(times, row - 1))
            if row < stop or (pause and max(first_response(s), seen) < limit):
                continue
        if request > limit:
            break
        if indexed:
            reach(s, row)
            put_bests(s, EXCH_BOOK, i64(s, EXCH_BESTS), row - 1)
        while True:  # a step's requests mostly arrive together
            head += 1
            put_i64(s, REQUESTS_HEAD, head)
            handle_request(s, request, at)
            at = requests + 8 * REQUEST_WORDS * (head & i64(s, REQUESTS_MASK))
            if head == i64(s, REQUESTS_TAIL) or i64(at, REQ_ARRIVAL) != request:
                break
        seen = max(seen, request)
    put_i64(s, EXCH_ROWS + UPCOMING, row)
    return limit


@compiled
def advance(s: int, until: int, pause: bool) -> int:
    """Take both sides to `until`, or with `pause` to the arrival of the first response if that is earlier. Returns the time.

    Responses with arrival <= that time are delivered: they stand between RESPONSES_READ and RESPONSES_HEAD.
    """
    now = max(advance_exchange(s, until, pause), i64(s, NOW))
    row = i64(s, LOCAL_ROWS + UPCOMING)
    stop = first_after(i64(s, LOCAL_ROWS + NS), row, i64(s, LOCAL_ROWS + COUNT), now)
    if i64(s, INDEXED):
        put_bests(s, LOCAL_BOOK, i64(s, LOCAL_BESTS), stop - 1)
    else:
        apply_rows(s, LOCAL_BOOK, LOCAL_ROWS, row, stop)
    put_i64(s, LOCAL_ROWS + UPCOMING, stop)
    put_i64(s, NOW, now)
    while first_response(s) <= now:
        put_i64(s, RESPONSES_HEAD, i64(s, RESPONSES_HEAD) + 1)
    return now


@compiled
def catch_up(s: int) -> None:
    """Bring a waiting exchange stream to NOW (only to look at it: a replay does so by itself when it matters)."""
    row = i64(s, EXCH_ROWS + UPCOMING)
    stop = row
    if i64(s, RESTING) + i64(s, RESTING + ASK_SIDE) == 0:
        stop = first_after(i64(s, EXCH_ROWS + NS), row, i64(s, EXCH_ROWS + COUNT), i64(s, NOW))
    if i64(s, INDEXED):
        reach(s, stop)
        put_bests(s, EXCH_BOOK, i64(s, EXCH_BESTS), stop - 1)
    else:
        apply_rows(s, EXCH_BOOK, EXCH_ROWS, row, stop)
        put_i64(s, EXCH_ROWS + UPCOMING, stop)


@compiled
def best_exch_pair(s: int) -> tuple[int, int, int, int]:
    """The exchange's (bid tick, bid lots, ask tick, ask lots) at NOW, with 0 and 0 for an empty side."""
    catch_up(s)
    bid = i64(s, EXCH_BOOK + BEST)
    ask = i64(s, EXCH_BOOK + BEST + ASK_SIDE)
    bid_lots = level_lots(s, BID_SIDE, bid) if bid != NOWHERE else 0
    ask_lots = level_lots(s, ASK_SIDE, ask) if ask != NOWHERE else 0
    return (bid if bid != NOWHERE else 0), bid_lots, (-ask if ask != NOWHERE else 0), ask_lots


@compiled
def frames_seen(s: int) -> int:
    """How many distinct local times there were among the rows seen."""
    times = i64(s, LOCAL_ROWS + NS)
    frames = i64(s, FRAMES)
    start = i64(s, FRAMES_NEXT)
    stop = i64(s, LOCAL_ROWS + UPCOMING)
    if start == 0 and stop > 0:
        frames, start = 1, 1
    for k in range(start, stop):
        frames += i64(times, k) != i64(times, k - 1)
    put_i64(s, FRAMES, frames)
    put_i64(s, FRAMES_NEXT, stop)
    return frames


@compiled
def fold_trades(s: int, out: int) -> None:
    """Fold the trades among the local rows seen since the last call into nine words at `out` (see Replay.take_trades)."""
    kinds = i64(s, LOCAL_ROWS + KIND)
    ticks = i64(s, LOCAL_ROWS + TICK)
    lots_at = i64(s, LOCAL_ROWS + LOTS)
    wide = i64(s, LOTS_WIDE)
    count, bought, sold, notional, high, low, last, buy_high, sell_low = 0, 0, 0, 0, 0, 0, 0, 0, 0
    stop = i64(s, LOCAL_ROWS + UPCOMING)
    for k in range(i64(s, TRADES_NEXT), stop):
        kind = u8(kinds, k)
        if kind <= ASK or kind >= CLEAR:
            continue
        tick = i32(ticks, k)
        lots = i64(lots_at, k) if wide else i32(lots_at, k)
        high = tick if count == 0 else max(high, tick)
        low = tick if count == 0 else min(low, tick)
        if kind == BUY:
            buy_high = tick if bought == 0 else max(buy_high, tick)
            bought += lots
        else:
            sell_low = tick if sold == 0 else min(sell_low, tick)
            sold += lots
        count += 1
        last = tick
        notional += tick * lots
    put_i64(s, TRADES_NEXT, stop)
    put_i64(out, 0, count)
    put_i64(out, 1, bought)
    put_i64(out, 2, sold)
    put_i64(out, 3, notional)
    put_i64(out, 4, high)
    put_i64(out, 5, low)
    put_i64(out, 6, last)
    put_i64(out, 7, buy_high)
    put_i64(out, 8, sell_low)
