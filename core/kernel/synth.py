"""A generated day of L2 depth and trades, from a seed.

The model. An efficient price walks at random; its volatility breathes. Best bid and ask stand around it, one tick apart most
of the time. Depth arrives in frames, each with the levels that changed: what the price passed is removed, what it uncovered is
filled, and the rest of the frame renews levels drawn by their distance from the touch. Trades come in bursts that excite
further bursts (a Hawkes process with an exponential kernel); a burst has one side, which tends to persist, and a
heavy-tailed volume that eats the levels it meets. Its trades stand before the frame that shows their effect, and a burst
that sweeps a level moves the efficient price with it.

`NUMBERS` were set by hand against the captures that `python -m bench.synth_match` compares with, not fitted: the day is a test
bed, not a forecast. Randomness is a counter through splitmix64, so a seed gives the same day on every machine.

The loop is one function of many lines because numba keeps its locals in registers; it is exempt from the house's length.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from core.kernel.layout import ASK, BID, BUY, SELL

FRAME, TRADE = 0, 1
SECOND: Final = 1_000_000_000
REACH: Final = 1_000
"""Levels a side of the opening book, as many as the venue's snapshot has."""
SPAN: Final = 1 << 18
"""Ticks that the book's arrays cover, the opening price in their middle: four daily standard deviations of BTCUSDT either way."""
ROWS_MAX: Final = 4_000
"""More rows than one frame or burst can have: where fewer are left, the last frame fills them with far levels."""


class Numbers(NamedTuple):
    """What shapes a day. Times in seconds, prices in ticks, quantities in lots."""

    frame_s: float = 0.052
    burst_s: float = 0.098
    excited: float = 0.55
    """Share of the bursts that earlier bursts excited."""
    calm_s: float = 0.35
    """How long a burst excites others."""
    burst_trades: float = 2.8
    side_persists: float = 0.72
    trade_lots: float = 9.0
    trade_spread: float = 2.1
    """Median and log standard deviation of a trade's quantity."""
    best_lots: float = 4_000.0
    level_lots: float = 110.0
    level_spread: float = 1.5
    """Quantity at the touch and behind it (median), and its log standard deviation."""
    volatility: float = 20.0
    """Of the efficient price, ticks a root second."""
    impact: float = 0.6
    """Share of a sweep that stays."""
    wide: float = 0.03
    """How often the spread is more than a tick."""
    gap: float = 0.25
    """Share of levels behind the touch that are empty."""
    near: float = 22.0
    """Scale of the distance at which levels change, ticks."""
    far: float = 0.45
    """Share of the changes that are anywhere in the book."""
    hostile: float = 0.0
    """How often something nasty happens: see `hostile`."""


NUMBERS: Final = Numbers()
HOSTILE: Final = Numbers(wide=0.3, gap=0.7, hostile=0.05)


class Generated(NamedTuple):
    """Events in capture order, and the rows that they consist of. A trade's row is (price, lots) and its kind the side."""

    event: NDArray[np.uint8]
    exch_ns: NDArray[np.int64]
    local_ns: NDArray[np.int64]
    bids: NDArray[np.int32]
    asks: NDArray[np.int32]
    best: NDArray[np.int64]
    """Best bid tick, lots, best ask tick, lots after each frame, (events, 4)."""
    kind: NDArray[np.uint8]
    tick: NDArray[np.int32]
    lots: NDArray[np.int32]
    opening_bids: NDArray[np.int64]
    opening_asks: NDArray[np.int64]


@njit(cache=True, inline="always")
def _mixed(counter: int) -> np.uint64:
    """splitmix64 (Steele, Lea, Flood 2014): the counter as 64 well-mixed bits."""
    z = np.uint64(counter) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, inline="always")
def _uniform(counter: int) -> float:
    """In (0, 1)."""
    return (float(_mixed(counter) >> np.uint64(11)) + 0.5) * 1.1102230246251565e-16


@njit(cache=True, inline="always")
def _normal(counter: int) -> float:
    """Standard normal, by Box and Muller; takes two counters."""
    return math.sqrt(-2.0 * math.log(_uniform(counter))) * math.cos(2.0 * math.pi * _uniform(counter + 1))


@njit(cache=True)
def _quantity(counter: int, distance: int, n: Any) -> int:
    """Lots at a level so far behind the touch."""
    median = n.best_lots if distance == 0 else n.level_lots * (1.0 + 1.5 * math.exp(-distance / 20.0))
    return max(1, int(median * math.exp(n.level_spread * _normal(counter))))


@njit(cache=True)
def _generate(
    rows: int, seed: int, price: int, per_frame: float, n: Any,
    event: Any, exch: Any, local: Any, nbids: Any, nasks: Any, best: Any, kind: Any, tick: Any, lots: Any,
    bids: Any, asks: Any, opening_bids: Any, opening_asks: Any,
) -> int:  # fmt: skip
    """Fill the arrays with exactly `rows` rows; returns how many events they make. Books are by tick less `low`."""
    c = seed << 20
    low = price - SPAN // 2
    bid, ask = price - low, price - low + 1
    for d in range(REACH):
        c += 4
        bids[bid - d] = _quantity(c, d, n) if d == 0 or _uniform(c + 2) > n.gap else 0
        asks[ask + d] = _quantity(c + 4, d, n) if d == 0 or _uniform(c + 6) > n.gap else 0
        c += 4
        opening_bids[d, 0], opening_bids[d, 1] = bid - d + low, bids[bid - d]
        opening_asks[d, 0], opening_asks[d, 1] = ask + d + low, asks[ask + d]
    efficient = bid + 0.5
    heat, mood, side = 0.0, 1.0, 0
    now, before = 0.0, 0.0
    heard = 0
    next_frame = n.frame_s
    base = (1.0 - n.excited) / n.burst_s
    kick = n.excited / n.calm_s
    events, done = 0, 0
    touched_low, touched_high = 1 << 60, -1
    while done < rows:
        # the next burst, by thinning the excited intensity, which only falls between bursts
        burst = now
        level = heat
        while True:
            c += 2
            most = base + level
            wait = -math.log(_uniform(c)) / most
            burst += wait
            level *= math.exp(-wait / n.calm_s)
            if burst > next_frame or _uniform(c + 1) * most <= base + level:
                break
        nasty = n.hostile > 0.0
        if burst < next_frame and rows - done > ROWS_MAX:
            heat = level + kick
            now = burst
            c += 8
            if _uniform(c) > n.side_persists:
                side = 1 - side
            count = 1 + int(-math.log(_uniform(c + 1)) * (n.burst_trades - 0.5))
            count = min(count, 60)
            stamp = int(now * SECOND)
            if not nasty or _uniform(c + 2) > n.hostile:
                stamp -= stamp % 1_000_000
            heard = max(heard, stamp + 900_000 + int(600_000 * math.exp(0.8 * _normal(c + 3))))
            at = ask if side == 0 else bid
            step = 1 if side == 0 else -1
            swept = 0
            for _ in range(count):
                c += 4
                want = max(1, int(n.trade_lots * math.exp(n.trade_spread * _normal(c))))
                if nasty and _uniform(c + 2) < n.hostile:
                    want = 2_000_000_000 if _uniform(c + 3) < 0.1 else want * 1000
                hops = 0
                while want > 0 and hops < 40:
                    there = asks[at] if side == 0 else bids[at]
                    if there == 0:
                        at += step
                        hops += 1
                        if at < 2 or at > SPAN - 3:
                            at -= step
                            break
                        continue
                    take = min(want, there)
                    event[events], exch[events], local[events] = TRADE, stamp, heard
                    nbids[events], nasks[events] = 0, 0
                    kind[done] = BUY if side == 0 else SELL
                    tick[done], lots[done] = at + low, take
                    events += 1
                    done += 1
                    touched_low, touched_high = min(touched_low, at), max(touched_high, at)
                    if side == 0:
                        asks[at] -= take
                    else:
                        bids[at] -= take
                    want -= take
                    if take == there:
                        swept += 1
                    if rows - done <= ROWS_MAX // 2:
                        break
                if rows - done <= ROWS_MAX // 2:
                    break
            efficient += step * swept * n.impact
            continue
        # a frame of depth
        heat *= math.exp(-(next_frame - now) / n.calm_s)
        now = next_frame
        span = now - before
        before = now
        c += 12
        mood = min(3.0, max(0.4, mood * math.exp(0.03 * _normal(c)) ** 1.0 * (1.0 + 0.01 * (1.0 - mood))))
        efficient += n.volatility * mood * math.sqrt(span) * _normal(c + 2)
        efficient = min(max(efficient, 3_000.0), SPAN - 3_000.0)
        width = 1
        if _uniform(c + 4) < n.wide:
            width += 1 + int(-math.log(_uniform(c + 5)) * (12.0 if nasty else 1.5))
        new_bid = math.floor(efficient) - (width - 1) // 2
        new_ask = new_bid + width
        first = done
        stamp = int(now * SECOND)
        stamp -= stamp % 1_000_000
        crossed = nasty and _uniform(c + 6) < n.hostile
        emptied = nasty and _uniform(c + 7) < n.hostile * 0.2
        left = rows - done
        last_frame = left <= ROWS_MAX
        # bids: remove above the new best, fill what was uncovered, show what trades took
        count = 0
        top = max(bid, new_bid, touched_high if touched_high >= 0 else 0)
        for at in range(top, min(bid, new_bid) - 1, -1):
            if count > ROWS_MAX // 3:
                break
            c += 4
            if at > new_bid:
                if bids[at] != 0 or (touched_low <= at <= touched_high):
                    bids[at] = 0
                    if not crossed:
                        tick[done], lots[done], kind[done] = at + low, 0, BID
                        done += 1
                        count += 1
                continue
            distance = new_bid - at
            if bids[at] == 0 or distance == 0 or at == bid:
                if distance == 0 and bids[at] != 0 and _uniform(c + 3) < 0.3:
                    pass
                elif distance == 0 or at == bid or _uniform(c + 2) > n.gap:
                    bids[at] = _quantity(c, distance, n)
                    tick[done], lots[done], kind[done] = at + low, bids[at], BID
                    done += 1
                    count += 1
        for at in range(max(touched_low, new_bid - 300), min(touched_high, new_bid) + 1):
            if count > ROWS_MAX // 3:
                break
            tick[done], lots[done], kind[done] = at + low, bids[at], BID
            done += 1
            count += 1
        c += 8
        share = per_frame * 0.5
        more = int(share) + (1 if _uniform(c) < share - int(share) else 0)
        more = max(0, int(more * (0.2 - 0.8 * math.log(_uniform(c + 1)))))
        for _ in range(min(more, ROWS_MAX // 4)):
            c += 8
            distance = int(-math.log(_uniform(c)) * n.near) if _uniform(c + 1) > n.far else int(_uniform(c) * REACH)
            at = new_bid - distance
            bids[at] = _quantity(c + 2, distance, n) if distance == 0 or _uniform(c + 4) > n.gap else 0
            if nasty and _uniform(c + 5) < n.hostile * 0.1:
                bids[at] = 2_147_483_647
            tick[done], lots[done], kind[done] = at + low, bids[at], BID
            done += 1
            count += 1
        if emptied:
            for at in range(new_bid, new_bid - ROWS_MAX // 3, -1):
                if bids[at] != 0:
                    bids[at] = 0
                    tick[done], lots[done], kind[done] = at + low, 0, BID
                    done += 1
                    count += 1
        nbids[events] = count
        # asks: the same, mirrored
        count = 0
        bottom = min(ask, new_ask, touched_low)
        for at in range(bottom, max(ask, new_ask) + 1):
            if count > ROWS_MAX // 3:
                break
            c += 4
            if at < new_ask:
                if asks[at] != 0 or (touched_low <= at <= touched_high):
                    asks[at] = 0
                    tick[done], lots[done], kind[done] = at + low, 0, ASK
                    done += 1
                    count += 1
                continue
            distance = at - new_ask
            if asks[at] == 0 or distance == 0 or at == ask:
                if distance == 0 and asks[at] != 0 and _uniform(c + 3) < 0.3:
                    pass
                elif distance == 0 or at == ask or _uniform(c + 2) > n.gap:
                    asks[at] = _quantity(c, distance, n)
                    tick[done], lots[done], kind[done] = at + low, asks[at], ASK
                    done += 1
                    count += 1
        for at in range(max(touched_low, new_ask), min(touched_high, new_ask + 300) + 1):
            if count > ROWS_MAX // 3:
                break
            tick[done], lots[done], kind[done] = at + low, asks[at], ASK
            done += 1
            count += 1
        c += 8
        more = int(share) + (1 if _uniform(c) < share - int(share) else 0)
        more = max(0, int(more * (0.2 - 0.8 * math.log(_uniform(c + 1)))))
        for _ in range(min(more, ROWS_MAX // 4)):
            c += 8
            distance = int(-math.log(_uniform(c)) * n.near) if _uniform(c + 1) > n.far else int(_uniform(c) * REACH)
            at = new_ask + distance
            asks[at] = _quantity(c + 2, distance, n) if distance == 0 or _uniform(c + 4) > n.gap else 0
            tick[done], lots[done], kind[done] = at + low, asks[at], ASK
            done += 1
            count += 1
        if last_frame:
            while done < rows:
                c += 8
                at = new_ask + 50 + int(_uniform(c) * REACH)
                asks[at] = _quantity(c + 2, 50, n)
                tick[done], lots[done], kind[done] = at + low, asks[at], ASK
                done += 1
                count += 1
        nasks[events] = count
        bid, ask = new_bid, new_ask
        touched_low, touched_high = 1 << 60, -1
        c += 8
        next_frame = now + n.frame_s * (0.3 - 0.7 * math.log(_uniform(c + 1)))
        if nasty and _uniform(c + 2) < n.hostile:
            next_frame = now + 1e-9
        if done > first:
            heard = max(heard, stamp + 900_000 + int(600_000 * math.exp(0.8 * _normal(c + 3))))
            event[events], exch[events], local[events] = FRAME, stamp, heard
            best[events, 0], best[events, 1], best[events, 2], best[events, 3] = bid + low, bids[bid], ask + low, asks[ask]
            events += 1
    return events


def generate(rows: int, seed: int, start_ns: int, price: int, numbers: Numbers = NUMBERS) -> Generated:
    """A day of exactly `rows` rows from `start_ns` on, opening at `price` ticks.

    The pace is that of the captures in trades and frames; depth rows a frame are as many as bring the rows to
    clamp(rows / 86,400 s, 120, 1,200) a second, so a small day is shorter, not thinner. Raises ValueError below 10,000 rows.
    """
    if rows < 10_000:
        raise ValueError(f"a generated day has at least 10,000 events, not {rows}")
    room = rows + 2 * ROWS_MAX
    event, kind = np.zeros(room, np.uint8), np.zeros(room, np.uint8)
    exch, local = np.zeros(room, np.int64), np.zeros(room, np.int64)
    nbids, nasks = np.zeros(room, np.int32), np.zeros(room, np.int32)
    tick, lots = np.zeros(room, np.int32), np.zeros(room, np.int32)
    best = np.zeros((room, 4), np.int64)
    bids, asks = np.zeros(SPAN, np.int64), np.zeros(SPAN, np.int64)
    opening = np.zeros((2, REACH, 2), np.int64)
    rate = min(max(rows / 86_400, 120.0), 1_200.0)
    if rows > 1_200 * 86_400:
        rate = rows / 86_400
    trades = numbers.burst_trades * 1.15 / numbers.burst_s
    moved = 7.0
    per_frame = max(0.5, (rate - trades) * numbers.frame_s - moved)
    events = _generate(
        rows, seed, price, per_frame, numbers, event, exch, local, nbids, nasks, best, kind, tick, lots, bids, asks,
        opening[0], opening[1],
    )  # fmt: skip
    return Generated(
        event[:events].copy(),
        exch[:events] + start_ns,
        local[:events] + start_ns,
        nbids[:events].copy(),
        nasks[:events].copy(),
        best[:events].copy(),
        kind[:rows],
        tick[:rows],
        lots[:rows],
        opening[0][opening[0][:, 1] > 0],
        opening[1][opening[1][:, 1] > 0],
    )
