"""GLFT market making on a grid, three times: ours, the reference with the same incremental fit, and as its users write it.

What they do is the same at every step of 100 ms: note how far the deepest trade went from the mid and how the mid moved; every
five seconds, once ten minutes are in the window, fit λ(δ) = A exp(-kδ) to the depths by least squares and take the volatility of
the mid; quote `count` prices a side around the reservation price, on multiples of the half spread. The first two keep the
window's sums as samples come and go. The third does what the reference's published example does: arrays of a day's length, the
last 6,000 entries gone through at each fit, orders in a dictionary by price.

Sums are of integers (half ticks), so all three fit the same numbers and must quote the same prices; checksums say whether they
do.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from hftbacktest.order import GTX, LIMIT
from numba import types

from bench.theirs import note_fills
from core.kernel import state as w
from core.kernel.desk import ask_tick, bid_tick, cancel, done, elapse, forget, live, order, position, price
from core.kernel.memory import compiled, i64
from core.kernel.state import ASK_SIDE, BID_SIDE, NOWHERE
from core.kernel.timeline import fold_trades

WINDOW = 6_000
"""Steps that a fit looks back on: ten minutes."""
REFIT = 50
DEPTHS = 70
"""Half ticks from the mid that a fit uses."""
DEEPEST = 500
FAR = 1 << 62
BUY_EVENT = 1 << 29


@compiled
def fit(counts, steps, moved, squares):
    """(half spread, skew) for a risk aversion of 1, before the factors, in ticks; (0, 0) without a fit.

    `counts[i]`: samples whose deepest trade went i half ticks from the mid; sums of the mid's changes in half ticks.
    """
    seconds = steps * 0.1
    beyond, n = 0, 0
    for i in range(DEPTHS, DEEPEST + 1):
        beyond += counts[i]
    sx, sy, sxx, sxy = 0.0, 0.0, 0.0, 0.0
    for i in range(DEPTHS - 1, 0, -1):
        beyond += counts[i]
        if beyond > 0:
            x, y = 0.5 * i, math.log(beyond / seconds)
            sx, sy, sxx, sxy, n = sx + x, sy + y, sxx + x * x, sxy + x * y, n + 1
    if n < 2:
        return 0.0, 0.0
    slope = (n * sxy - sx * sy) / (n * sxx - sx * sx)
    if not slope < 0.0:
        return 0.0, 0.0
    k, a = -slope, math.exp((sy - slope * sx) / n)
    variance = max(squares - moved * moved / steps, 0.0) / steps
    sigma = 0.5 * math.sqrt(variance) * math.sqrt(10.0)
    step = sigma * math.sqrt(1.0 / (2.0 * a * k) * math.exp((1.0 + k) * math.log1p(1.0 / k)))
    return math.log1p(1.0 / k) + 0.5 * step, step


@compiled
def quotes(bid, ask, mid_twice, half_spread, skew, held, lots, adj1, adj2):
    """(best bid to quote, best ask to quote, distance between quotes), in ticks."""
    gap = max(round(half_spread * adj1), 1)
    reservation = 0.5 * mid_twice - skew * adj2 * held / lots
    half = half_spread * adj1
    near_bid = min(math.floor((reservation - half) / gap) * gap, bid)
    near_ask = max(math.ceil((reservation + half) / gap) * gap, ask)
    return near_bid, near_ask, gap


# --- ours ----------------------------------------------------------------------------------------------------------------


@compiled
def follow(s, side, near, gap, count, lots, slots, held):
    """Keep `count` quotes from `near` outwards; `slots[:held]` are the orders that are not gone. Returns how many there are."""
    outwards = -1 if side == BID_SIDE else 1
    taken, kept = 0, 0
    for n in range(held):
        slot = slots[n]
        if done(s, slot):
            forget(s, slot)
            continue
        slots[kept] = slot
        kept += 1
        away = (price(s, slot) - near) * outwards
        if 0 <= away < count * gap and away % gap == 0:
            taken |= 1 << away // gap
        elif live(s, slot):
            cancel(s, slot)
    for place in range(count):
        if not taken >> place & 1 and kept < len(slots):
            slots[kept] = order(s, side, near + outwards * place * gap, lots, w.GTX)
            kept += 1
    return kept


@compiled
def ours(s, step_ns, count, adj1, adj2, lots, limit, slots, depths, changes, counts, trades):
    """`slots` (2, n), `depths` and `changes` (WINDOW,), `counts` (DEEPEST + 1,), `trades` (9,), all int64 of zeros."""
    steps, checksum = 0, 0
    bid_slots, ask_slots = slots[0], slots[1]
    bids, asks = 0, 0
    trades_at = trades.ctypes.data
    mid_twice, sample, moved, squares = 0, 0, 0, 0
    half_spread, skew = 0.0, 0.0
    heard, last_bid, last_ask, last_gap, last_room = -1, 0, 0, 0, -1
    while elapse(s, step_ns):
        steps += 1
        fold_trades(s, trades_at)
        bid, ask = bid_tick(s), ask_tick(s)
        if bid == NOWHERE or ask == -NOWHERE:
            continue
        now_twice = bid + ask
        if mid_twice != 0:
            depth = 0
            if trades[7] != 0:
                depth = max(depth, 2 * trades[7] - mid_twice)
            if trades[8] != 0:
                depth = max(depth, mid_twice - 2 * trades[8])
            depth, change, n = min(depth, DEEPEST), now_twice - mid_twice, sample % WINDOW
            if sample >= WINDOW:
                counts[depths[n]] -= 1
                moved -= changes[n]
                squares -= changes[n] * changes[n]
            depths[n], changes[n] = depth, change
            counts[depth] += 1
            moved += change
            squares += change * change
            sample += 1
        mid_twice = now_twice
        if sample % REFIT == 0 and sample >= WINDOW:
            half_spread, skew = fit(counts, WINDOW, moved, squares)
        if half_spread == 0.0:
            continue
        held = position(s)
        near_bid, near_ask, gap = quotes(bid, ask, mid_twice, half_spread, skew, held, lots, adj1, adj2)
        checksum = (checksum * 31 + near_bid + 3 * near_ask + 5 * held + 7 * gap) & 0xFFFFFFFFFFFF
        room = int(held < limit) + 2 * int(held > -limit)
        read = i64(s, w.RESPONSES_READ)
        if read == heard and near_bid == last_bid and near_ask == last_ask and gap == last_gap and room == last_room:
            continue  # nothing was heard since, and the same is wanted: there is nothing to send
        heard, last_bid, last_ask, last_gap, last_room = read, near_bid, near_ask, gap, room
        bids = follow(s, BID_SIDE, near_bid, gap, count if held < limit else 0, lots, bid_slots, bids)
        asks = follow(s, ASK_SIDE, near_ask, gap, count if held > -limit else 0, lots, ask_slots, asks)
    return steps, checksum


# --- the reference, the same arithmetic ------------------------------------------------------------------------------------


@numba.njit
def their_follow(hbt, side, near, gap, count, qty, tick_size, held, kept_before, last_no):
    outwards = -1 if side == BID_SIDE else 1
    orders = hbt.orders(0)
    taken, kept = 0, 0
    for n in range(kept_before):
        own = orders.get(held[n])
        if own is None or own.status in (2, 3, 4, 6):
            continue
        held[kept] = held[n]
        kept += 1
        away = (own.price_tick - near) * outwards
        if 0 <= away < count * gap and away % gap == 0:
            taken |= 1 << away // gap
        elif own.cancellable:
            hbt.cancel(0, own.order_id, False)
    for place in range(count):
        if not taken >> place & 1 and kept < len(held):
            last_no += 1
            at = (near + outwards * place * gap) * tick_size
            if side == BID_SIDE:
                hbt.submit_buy_order(0, last_no, at, qty, GTX, LIMIT, False)
            else:
                hbt.submit_sell_order(0, last_no, at, qty, GTX, LIMIT, False)
            held[kept] = last_no
            kept += 1
    return kept, last_no


@numba.njit
def deepest(rows, mid_twice, tick_size):
    """How many half ticks from the mid the deepest of the trades went, buys above it and sells below."""
    depth = 0
    for row in rows:
        tick = math.floor(row.px / tick_size + 0.5)
        away = 2 * tick - mid_twice if row.ev & BUY_EVENT else mid_twice - 2 * tick
        depth = max(depth, away)
    return min(depth, DEEPEST)


@numba.njit
def theirs(hbt, step_ns, count, adj1, adj2, lots, limit, held, depths, changes, counts, tick_size, lot, log):
    """The reference, with the fit kept incrementally as ours is. Arrays as there."""
    steps, checksum, last_no, noted = 0, 0, 0, 0
    qty = lots * lot
    bid_held, ask_held = held[0], held[1]
    bids, asks = 0, 0
    mid_twice, sample, moved, squares = 0, 0, 0, 0
    half_spread, skew = 0.0, 0.0
    while hbt.elapse(step_ns) == 0:
        steps += 1
        depth = hbt.depth(0)
        bid, ask = depth.best_bid_tick, depth.best_ask_tick
        if bid < -FAR or ask > FAR:
            hbt.clear_last_trades(0)
            continue
        now_twice = bid + ask
        if mid_twice != 0:
            reach, change, n = deepest(hbt.last_trades(0), mid_twice, tick_size), now_twice - mid_twice, sample % WINDOW
            if sample >= WINDOW:
                counts[depths[n]] -= 1
                moved -= changes[n]
                squares -= changes[n] * changes[n]
            depths[n], changes[n] = reach, change
            counts[reach] += 1
            moved += change
            squares += change * change
            sample += 1
        hbt.clear_last_trades(0)
        mid_twice = now_twice
        if sample % REFIT == 0 and sample >= WINDOW:
            half_spread, skew = fit(counts, WINDOW, moved, squares)
        if half_spread == 0.0:
            continue
        lots_held = int(np.floor(hbt.position(0) / lot + 0.5))
        near_bid, near_ask, gap = quotes(bid, ask, mid_twice, half_spread, skew, lots_held, lots, adj1, adj2)
        checksum = (checksum * 31 + near_bid + 3 * near_ask + 5 * lots_held + 7 * gap) & 0xFFFFFFFFFFFF
        room = count if lots_held < limit else 0
        bids, last_no = their_follow(hbt, BID_SIDE, near_bid, gap, room, qty, tick_size, bid_held, bids, last_no)
        room = count if lots_held > -limit else 0
        asks, last_no = their_follow(hbt, ASK_SIDE, near_ask, gap, room, qty, tick_size, ask_held, asks, last_no)
        if len(log) > 0:
            noted = note_fills(hbt, lot, log, noted)
        hbt.clear_inactive_orders(0)
    return steps, checksum


# --- the reference, as its users write it ------------------------------------------------------------------------------------


@numba.njit
def their_grid(hbt, side, near, gap, count, qty, tick_size, last_no):
    """Orders wanted as a dictionary by price; those that are not wanted are canceled, those that are missing sent."""
    wanted = numba.typed.Dict.empty(types.int64, types.float64)
    outwards = -1 if side == BID_SIDE else 1
    for place in range(count):
        tick = near + outwards * place * gap
        wanted[tick] = tick * tick_size
    present = numba.typed.Dict.empty(types.int64, types.int64)
    orders = hbt.orders(0)
    values = orders.values()
    while values.has_next():
        own = values.get()
        if own.side != (1 if side == BID_SIDE else -1) or own.status in (2, 3, 4, 6):
            continue
        present[own.price_tick] = np.int64(own.order_id)
        if own.cancellable and own.price_tick not in wanted:
            hbt.cancel(0, own.order_id, False)
    for tick, at in wanted.items():
        if tick not in present:
            last_no += 1
            if side == BID_SIDE:
                hbt.submit_buy_order(0, last_no, at, qty, GTX, LIMIT, False)
            else:
                hbt.submit_sell_order(0, last_no, at, qty, GTX, LIMIT, False)
    return last_no


@numba.njit
def tutorial(hbt, step_ns, count, adj1, adj2, lots, limit, tick_size, lot, log):
    """Arrays of a day's length, gone through at each fit.

    They are not filled beforehand: that takes 0.2 s on any day, half of the reference's time on a short one.
    """
    steps, checksum, last_no, noted = 0, 0, 0, 0
    qty = lots * lot
    depths, changes = np.empty(30_000_000), np.empty(30_000_000)
    mid_twice, sample = 0, 0
    half_spread, skew = 0.0, 0.0
    while hbt.elapse(step_ns) == 0:
        steps += 1
        depth = hbt.depth(0)
        bid, ask = depth.best_bid_tick, depth.best_ask_tick
        if bid < -FAR or ask > FAR:
            hbt.clear_last_trades(0)
            continue
        now_twice = bid + ask
        if mid_twice != 0:
            depths[sample] = deepest(hbt.last_trades(0), mid_twice, tick_size)
            changes[sample] = now_twice - mid_twice
            sample += 1
        hbt.clear_last_trades(0)
        mid_twice = now_twice
        if sample % REFIT == 0 and sample >= WINDOW:
            counts = np.zeros(DEEPEST + 1, np.int64)
            for reach in depths[sample - WINDOW : sample]:
                counts[int(reach)] += 1
            last = changes[sample - WINDOW : sample]
            half_spread, skew = fit(counts, WINDOW, np.sum(last), np.sum(last * last))
        if half_spread == 0.0:
            continue
        lots_held = int(np.floor(hbt.position(0) / lot + 0.5))
        near_bid, near_ask, gap = quotes(bid, ask, mid_twice, half_spread, skew, lots_held, lots, adj1, adj2)
        checksum = (checksum * 31 + near_bid + 3 * near_ask + 5 * lots_held + 7 * gap) & 0xFFFFFFFFFFFF
        last_no = their_grid(hbt, BID_SIDE, near_bid, gap, np.int64(count if lots_held < limit else 0), qty, tick_size, last_no)
        last_no = their_grid(hbt, ASK_SIDE, near_ask, gap, np.int64(count if lots_held > -limit else 0), qty, tick_size, last_no)
        if len(log) > 0:
            noted = note_fills(hbt, lot, log, noted)
        hbt.clear_inactive_orders(0)
    return steps, checksum
