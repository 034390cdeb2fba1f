"""One instrument's book: absolute quantities by rank (see state.py), and the best of each side.

The rules are the reference's, crossed feeds included (FIDELITY section 3): a bid that reaches the best ask pushes the best ask
to the next level strictly above it, and the levels it passed stay in the array although no best price points at them. The
search for the next level ends at the worst level set so far; a side found empty by a removal or a clearing row forgets it, one
emptied by a cross does not (observed on hostile rows: the levels it hides come back otherwise than one would expect).
A removed best level is searched for downwards, eight ranks at a time.
"""

from __future__ import annotations

from core.kernel.layout import ASK, CLEAR, CLEAR_BID
from core.kernel.memory import compiled, eight_set, high_zeros, i32, i64, inlined, put_i64, u8
from core.kernel.state import (
    ASK_SIDE,
    BEST,
    BID_SIDE,
    FOREVER,
    KIND,
    LEVELS_AT,
    LOTS,
    LOTS_WIDE,
    NOWHERE,
    RANK_HIGH,
    RANK_LOW,
    TICK,
    WORST,
)

EMPTY_WORST = FOREVER


@inlined
def next_level(levels: int, rank: int, worst: int) -> int:
    """The best rank <= `rank` that has a quantity, not below `worst`; NOWHERE when there is none.

    Looks at eight ranks at once, so it reads up to seven below `worst`: the arrays have room for that, and for 63.
    """
    while rank >= worst:
        eight = eight_set(levels + 8 * (rank - 7))
        if eight != 0:
            rank -= high_zeros(eight) - 56
            return rank if rank >= worst else NOWHERE
        rank -= 8
    return NOWHERE


@compiled
def empty(s: int, book: int, side: int, rank: int, worst: int) -> None:
    """Remove the levels from `rank` down to and including `worst`."""
    levels = i64(s, book + LEVELS_AT + side)
    rank = next_level(levels, rank, worst)
    while rank != NOWHERE:
        put_i64(levels, rank, 0)
        rank = next_level(levels, rank - 1, worst)


@compiled
def clear_side(s: int, book: int, side: int, rank: int) -> None:
    """Remove from the best down to and including `rank`. The new best is searched from one rank further down: the reference's."""
    best = i64(s, book + BEST + side)
    if best != NOWHERE:
        empty(s, book, side, best, rank)
    found = next_level(i64(s, book + LEVELS_AT + side), rank - 2, i64(s, book + WORST + side))
    put_i64(s, book + BEST + side, found)
    if found == NOWHERE:
        put_i64(s, book + WORST + side, EMPTY_WORST)


@compiled
def clear(s: int, book: int, kind: int, tick: int) -> None:
    """Apply a clearing row."""
    if kind == CLEAR:
        for side in range(2):
            empty(s, book, side, i64(s, RANK_HIGH + side), i64(s, RANK_LOW + side))
            put_i64(s, book + BEST + side, NOWHERE)
            put_i64(s, book + WORST + side, EMPTY_WORST)
    elif kind == CLEAR_BID:
        clear_side(s, book, BID_SIDE, tick)
    else:
        clear_side(s, book, ASK_SIDE, -tick)


@compiled
def apply_rows(s: int, book: int, stream: int, start: int, stop: int) -> None:
    """Apply rows [start, stop) of the stream to a book. Trades change no book and are passed over.

    The loop writes the level first and asks afterwards: most rows lie behind the best price and are done with one store and one
    compare. Which side a row is for is never branched on, because nothing predicts it.
    """
    kinds = i64(s, stream + KIND)
    ticks = i64(s, stream + TICK)
    lots_at = i64(s, stream + LOTS)
    wide = i64(s, LOTS_WIDE)
    bids = i64(s, book + LEVELS_AT)
    asks = i64(s, book + LEVELS_AT + ASK_SIDE)
    bid = i64(s, book + BEST)
    ask = i64(s, book + BEST + ASK_SIDE)
    bid_worst = i64(s, book + WORST)
    ask_worst = i64(s, book + WORST + ASK_SIDE)
    for k in range(start, stop):
        kind = u8(kinds, k)
        if kind > ASK:
            if kind == CLEAR and k == 0 and bid == NOWHERE and ask == NOWHERE:
                continue  # most days open with one: nothing to clear, and no need to look at every level for it
            if kind >= CLEAR:
                put_i64(s, book + BEST, bid)
                put_i64(s, book + BEST + ASK_SIDE, ask)
                put_i64(s, book + WORST, bid_worst)
                put_i64(s, book + WORST + ASK_SIDE, ask_worst)
                clear(s, book, kind, i32(ticks, k))
                bid = i64(s, book + BEST)
                ask = i64(s, book + BEST + ASK_SIDE)
                bid_worst = i64(s, book + WORST)
                ask_worst = i64(s, book + WORST + ASK_SIDE)
            continue
        lots = i64(lots_at, k) if wide else i32(lots_at, k)
        tick = i32(ticks, k)
        is_ask = kind == ASK
        rank = -tick if is_ask else tick
        best = ask if is_ask else bid
        worst = ask_worst if is_ask else bid_worst
        levels = asks if is_ask else bids
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
        elif is_ask:
            ask = rank
            if bid + rank >= 0:
                bid = next_level(bids, -rank - 1, bid_worst)
        else:
            bid = rank
            if ask + rank >= 0:
                ask = next_level(asks, -rank - 1, ask_worst)
    put_i64(s, book + BEST, bid)
    put_i64(s, book + BEST + ASK_SIDE, ask)
    put_i64(s, book + WORST, bid_worst)
    put_i64(s, book + WORST + ASK_SIDE, ask_worst)


@inlined
def shown_below(levels: int, rank: int, worst: int) -> int:
    """Which of the 64 ranks from `rank` down show something, but none below `worst`: a bit each, `rank` the highest."""
    found = 0
    for eight in range(8):
        found |= eight_set(levels + 8 * (rank - 63 + 8 * eight)) << 8 * eight
    below = worst - rank + 63
    return found if below <= 0 else found >> below << below if below < 64 else 0


@compiled
def read_levels(s: int, book: int, side: int, count: int, out: int) -> int:
    """Write up to `count` levels of a side, best first, as (tick, lots) pairs at the address `out`; returns how many."""
    levels = i64(s, book + LEVELS_AT + side)
    worst = i64(s, book + WORST + side)
    first = i64(s, book + BEST + side)
    n = 0
    while n < count and first >= worst:
        found = shown_below(levels, first, worst)
        while n < count and found != 0:
            zeros = high_zeros(found)
            found ^= 1 << 63 - zeros
            rank = first - zeros
            put_i64(out, 2 * n, -rank if side == ASK_SIDE else rank)
            put_i64(out, 2 * n + 1, i64(levels, rank))
            n += 1
        first -= 64
    return n


@inlined
def best_tick(s: int, book: int, side: int) -> int:
    """The best price in ticks; NOWHERE when the side is empty."""
    rank = i64(s, book + BEST + side)
    return -rank if side == ASK_SIDE and rank != NOWHERE else rank


@inlined
def quantity(s: int, book: int, side: int, rank: int) -> int:
    """Lots at a rank within the day's range."""
    return i64(i64(s, book + LEVELS_AT + side), rank)


@compiled
def best_pair(s: int, book: int) -> tuple[int, int, int, int]:
    """(bid tick, bid lots, ask tick, ask lots), with 0 and 0 for an empty side."""
    bid = i64(s, book + BEST)
    ask = i64(s, book + BEST + ASK_SIDE)
    bid_lots = i64(i64(s, book + LEVELS_AT), bid) if bid != NOWHERE else 0
    ask_lots = i64(i64(s, book + LEVELS_AT + ASK_SIDE), ask) if ask != NOWHERE else 0
    return (bid if bid != NOWHERE else 0), bid_lots, (-ask if ask != NOWHERE else 0), ask_lots
