"""The benchmark's strategies on our compiled desk. `bench/theirs.py` has the same for the reference, line by line.

Each returns the steps it was given and a checksum of what it saw at every one of them: two runs with equal checksums saw the
same prices and held the same position all along.
"""

from __future__ import annotations

import numpy as np

from core.kernel.book import shown_below
from core.kernel.desk import ask_tick, await_feed, bid_tick, cancel, done, elapse, forget, live, now, order, position, price
from core.kernel.memory import compiled, high_zeros, i64
from core.kernel.state import ASK_SIDE, BEST, BID_SIDE, GTX, LEVELS_AT, LOCAL_BOOK, NOWHERE, WORST
from core.kernel.touched import write_local

DEPTH = 5
REACH = 400
"""Ticks from the best price within which the five levels are looked for: on the reference every tick is asked for."""


@compiled
def five_levels(s: int) -> int:
    """A checksum of the prices and quantities of five levels a side."""
    total = 0
    write_local(s)
    for side in range(2):
        levels = i64(s, LOCAL_BOOK + LEVELS_AT + side)
        worst = i64(s, LOCAL_BOOK + WORST + side)
        best = first = i64(s, LOCAL_BOOK + BEST + side)
        n = 0
        while n < DEPTH and first >= worst and best - first < REACH:
            found = shown_below(levels, first, max(worst, best - REACH + 1))
            while n < DEPTH and found != 0:
                zeros = high_zeros(found)
                found ^= 1 << 63 - zeros
                rank = first - zeros
                total += (-rank if side == ASK_SIDE else rank) + 7 * i64(levels, rank)
                n += 1
            first -= 64
    return total


@compiled
def clock(s: int, step_ns: int) -> tuple[int, int]:
    """Nothing but the clock, and five levels a side at every step."""
    steps, checksum = 0, 0
    while elapse(s, step_ns):
        steps += 1
        checksum = (checksum * 31 + five_levels(s)) & 0xFFFFFFFFFFFF
    return steps, checksum


@compiled
def feed(s: int, longest_ns: int) -> tuple[int, int]:
    """Wake on every feed batch and look at the best prices."""
    steps, checksum = 0, 0
    while await_feed(s, longest_ns):
        steps += 1
        bid, ask = bid_tick(s), ask_tick(s)
        if bid != NOWHERE and ask != -NOWHERE:
            checksum = (checksum * 31 + bid + 3 * ask + now(s)) & 0xFFFFFFFFFFFF
    return steps, checksum


@compiled
def follow(s: int, side: int, near: int, count: int, lots: int, held: np.ndarray) -> None:
    """Keep `count` quotes from `near` outwards; `held` has a side's slots, -1 where there is none."""
    outwards = -1 if side == BID_SIDE else 1
    taken = 0
    for k in range(len(held)):
        slot = held[k]
        if slot < 0:
            continue
        if done(s, slot):
            forget(s, slot)
            held[k] = -1
            continue
        place = (price(s, slot) - near) * outwards
        if 0 <= place < count:
            taken |= 1 << place
        elif live(s, slot):
            cancel(s, slot)
    free = 0
    for place in range(count):
        if taken >> place & 1:
            continue
        while free < len(held) and held[free] >= 0:
            free += 1
        if free == len(held):
            break
        held[free] = order(s, side, near + outwards * place, lots, GTX)


@compiled
def quotes(s: int, step_ns: int, count: int, gap: int, lots: int, limit: int, held: np.ndarray) -> tuple[int, int]:
    """`count` quotes a side, `gap` ticks out from the best prices, inside a position limit. `held` is (2, n) int64 of -1."""
    steps, checksum = 0, 0
    held_bids, held_asks = held[0], held[1]
    while elapse(s, step_ns):
        steps += 1
        bid, ask, lots_held = bid_tick(s), ask_tick(s), position(s)
        if bid == NOWHERE or ask == -NOWHERE:
            continue
        checksum = (checksum * 31 + bid + 3 * ask + 5 * lots_held) & 0xFFFFFFFFFFFF
        follow(s, BID_SIDE, bid - gap, count if lots_held < limit else 0, lots, held_bids)
        follow(s, ASK_SIDE, ask + gap, count if lots_held > -limit else 0, lots, held_asks)
    return steps, checksum
