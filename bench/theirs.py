"""The benchmark's strategies on the reference, as its users write them: `bench/ours.py` line by line."""

from __future__ import annotations

import numba
import numpy as np
from hftbacktest.order import GTX, LIMIT

DEPTH = 5
BID_SIDE, ASK_SIDE = 0, 1
FILLED, EXPIRED, CANCELED, REJECTED, NEW, PARTIALLY_FILLED, NONE = 3, 2, 4, 6, 1, 5, 0
FAR = 1 << 62


@numba.njit
def five_levels(depth, lot):
    """A checksum of the prices and quantities of five levels a side, read one tick after another."""
    total = 0
    tick, found = depth.best_bid_tick, 0
    if tick > -FAR:
        last = tick - 400
        while found < DEPTH and tick > last:
            lots = round(depth.bid_qty_at_tick(tick) / lot)
            if lots > 0:
                total += tick + 7 * int(lots)
                found += 1
            tick -= 1
    tick, found = depth.best_ask_tick, 0
    if tick < FAR:
        last = tick + 400
        while found < DEPTH and tick < last:
            lots = round(depth.ask_qty_at_tick(tick) / lot)
            if lots > 0:
                total += tick + 7 * int(lots)
                found += 1
            tick += 1
    return total


@numba.njit
def clock(hbt, step_ns, lot):
    steps, checksum = 0, 0
    while hbt.elapse(step_ns) == 0:
        steps += 1
        checksum = (checksum * 31 + five_levels(hbt.depth(0), lot)) & 0xFFFFFFFFFFFF
    return steps, checksum


@numba.njit
def feed(hbt, longest_ns):
    steps, checksum = 0, 0
    while True:
        code = hbt.wait_next_feed(False, longest_ns)
        if code not in (0, 2):
            break
        steps += 1
        depth = hbt.depth(0)
        bid, ask = depth.best_bid_tick, depth.best_ask_tick
        if bid > -FAR and ask < FAR:
            checksum = (checksum * 31 + bid + 3 * ask + hbt.current_timestamp) & 0xFFFFFFFFFFFF
    return steps, checksum


@numba.njit
def follow(hbt, side, near, count, qty, tick_size, held, last_no):
    outwards = -1 if side == BID_SIDE else 1
    orders = hbt.orders(0)
    taken = 0
    for k in range(len(held)):
        if held[k] < 0:
            continue
        own = orders.get(held[k])
        if own is None or own.status in (FILLED, EXPIRED, CANCELED, REJECTED):
            held[k] = -1
            continue
        place = (own.price_tick - near) * outwards
        if 0 <= place < count:
            taken |= 1 << place
        elif own.cancellable:
            hbt.cancel(0, held[k], False)
    free = 0
    for place in range(count):
        if taken >> place & 1:
            continue
        while free < len(held) and held[free] >= 0:
            free += 1
        if free == len(held):
            break
        last_no += 1
        price = (near + outwards * place) * tick_size
        if side == BID_SIDE:
            hbt.submit_buy_order(0, last_no, price, qty, GTX, LIMIT, False)
        else:
            hbt.submit_sell_order(0, last_no, price, qty, GTX, LIMIT, False)
        held[free] = last_no
    return last_no


@numba.njit
def note_fills(hbt, lot, log, noted):
    """Write down what is filled, before it is cleared: time, number, side, price, lots, maker; how many there are by now."""
    values = hbt.orders(0).values()
    while values.has_next():
        own = values.get()
        if own.status == FILLED and noted < len(log):
            log[noted, 0] = own.exch_timestamp
            log[noted, 1] = own.order_id
            log[noted, 2] = 0 if own.side == 1 else 1
            log[noted, 3] = own.exec_price_tick
            log[noted, 4] = int(np.floor(own.exec_qty / lot + 0.5))
            log[noted, 5] = int(own.arr[0].maker)
            noted += 1
    return noted


@numba.njit
def quotes(hbt, step_ns, count, gap, lots, limit, held, tick_size, lot, log):
    """`log` (n, 6) int64: where fills are written down; of length 0 they are not."""
    steps, checksum, last_no, noted = 0, 0, 0, 0
    qty = lots * lot
    held_bids, held_asks = held[0], held[1]
    while hbt.elapse(step_ns) == 0:
        steps += 1
        depth = hbt.depth(0)
        bid, ask, lots_held = depth.best_bid_tick, depth.best_ask_tick, int(np.floor(hbt.position(0) / lot + 0.5))
        if bid < -FAR or ask > FAR:
            continue
        checksum = (checksum * 31 + bid + 3 * ask + 5 * lots_held) & 0xFFFFFFFFFFFF
        last_no = follow(hbt, BID_SIDE, bid - gap, count if lots_held < limit else 0, qty, tick_size, held_bids, last_no)
        last_no = follow(hbt, ASK_SIDE, ask + gap, count if lots_held > -limit else 0, qty, tick_size, held_asks, last_no)
        if len(log) > 0:
            noted = note_fills(hbt, lot, log, noted)
        hbt.clear_inactive_orders(0)
    return steps, checksum
