"""A generated day of L2 depth and trades, from a seed.

What the captures showed, and so what the model is made of (`python -m bench.synth_match` holds the two side by side):

- The price stands still in 93 to 99 of 100 frames and then jumps ten or twenty ticks. It does so where a burst of trades sweeps
  the book, or where quotes are pulled. A sweep against the run of the sides is likelier than one with it, in inverse proportion
  to the side's own chance: so the sides have a long memory and the price has none.
- Bursts excite further bursts (a Hawkes process with a fast and a slow exponential kernel). The trades of a burst share a
  millisecond; two thirds of the bursts are one trade, the others Lomax-many. Quantities are lognormal above a least one.
- The touch holds most of what is near: deep, and changing by little. Behind it levels are sparse and fill up with distance.
- Depth comes in frames some 53 ms apart. Rows of a frame lie lognormally far behind the touch. A frame first tells what trades
  took, so a sweep's trades stand before the frame that shows their effect.
- A frame is stamped when its last change happened, and sent a moment later, behind trades that happened since; one connection
  carries all, in the order sent. So exchange order and local order differ, as in life.

`NUMBERS` were set by hand against four captures, not fitted: the day is a test bed, not a forecast.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.kernel.chance import exp, exponential, log, lognormal, mixed, normal, uniform
from core.kernel.layout import ASK, BID, BUY, SELL
from core.kernel.memory import compiled

FRAME, TRADE = 0, 1
ROWS_MIN: Final = 10_000
PRICE_MIN: Final = 1_000
"""Ticks. Below, a tick is a tenth of a percent and more, and nothing here resembles such a market."""
PRICE_MAX: Final = 2_000_000_000
REFERENCE_PRICE: Final = 600_000
"""Ticks of BTCUSDT, in which `NUMBERS` has its distances; another price's are in proportion."""
SPAN: Final = 1 << 18
"""Ticks that the book's arrays cover, the opening price in their middle: BTCUSDT moves a tenth of that a day."""
SECOND: Final = 1_000_000_000
MS: Final = 1_000_000
TOUCHED: Final = 256
"""Levels a side that trades may change before a frame tells of them; a burst ends where there is no room."""
STEP_MAX: Final = 200
"""Ticks that the best prices move in one frame; what is left of a jump follows in the next."""
BURST_MAX: Final = 300
FULL_DAY_S: Final = 86_340
"""A day of many rows ends a minute before midnight: the pace holds over seconds, and no event may be tomorrow's."""
LOTS_LIMIT: Final = (1 << 31) - 1
SLACK: Final = 1_500
"""Rows that one frame or burst may have besides its renewed levels: with fewer left nothing moves any more."""
GAIN: Final = 0.005
"""Share of the rows still owed to the pace that a frame pays: the pace holds over some ten seconds."""


class Numbers(NamedTuple):
    """What shapes a day. Prices in ticks, quantities in lots; `_spread` is the standard deviation of a logarithm."""

    frame_ms: float = 52.8
    frame_ms_sd: float = 4.5
    frame_sent_ms: float = 2.0
    """Median time from a frame's stamp to its sending."""
    wire_ms: float = 1.0
    queue_ms: float = 1.0
    """The least feed latency, and the median of what comes on top."""
    bursts_s: float = 10.2
    fast: float = 0.33
    fast_s: float = 0.04
    slow: float = 0.46
    slow_s: float = 3.0
    """Shares of the bursts that earlier ones excite, and how long they do."""
    single: float = 0.73
    lomax_scale: float = 5.0
    lomax_shape: float = 1.9
    """Share of bursts of one trade; the size of the others, less two."""
    repeat: float = 0.08
    memory: float = 0.965
    lean: float = 0.5
    """Chance that a burst repeats the last one's side; how long and how far one side prevails."""
    trade_lots: float = 14.0
    trade_spread: float = 2.35
    trade_least: float = 2.0
    sweep: float = 0.115
    sweep_ticks: float = 7.5
    sweep_spread: float = 1.0
    """Share of bursts that sweep, and how far."""
    undone: float = 0.5
    """Share of sweeps after which the price returns."""
    carried: float = 1.3
    carried_spread: float = 0.6
    """How far the price goes, in widths of its sweep."""
    pulled: float = 0.004
    pulled_ticks: float = 11.0
    """Chance a frame that quotes move without a trade, and how far."""
    quick: float = 0.82
    """Chance that the other side follows within the same frame: what is left are wide spreads."""
    touch_lots: float = 6_000.0
    touch_spread: float = 1.3
    touch_fresh: float = 0.5
    """How much of that median a price has that has just become the best."""
    touch_step: float = 0.5
    touch_renewed: float = 0.2
    touch_told: float = 0.45
    """Chance a frame that the touch changes without a trade."""
    level_lots: float = 60.0
    level_spread: float = 2.05
    changed: float = 300.0
    changed_spread: float = 1.8
    """Distance at which levels are renewed."""
    changed_max: float = 32_000.0
    removed_near: float = 0.35
    removed_far: float = 0.17
    """Share of a present level's renewals that remove it, within a hundred ticks and beyond."""
    frame_spread: float = 0.7
    """Of the number of renewed levels a frame."""
    opening_levels: float = 1_000.0
    """Ticks of the opening book, a side."""
    hostile: float = 0.0
    """How often each nasty thing happens; 0 in a market that behaves."""


NUMBERS: Final = Numbers()
HOSTILE: Final = Numbers(
    hostile=0.05, quick=0.3, sweep=0.2, sweep_ticks=20.0, sweep_spread=1.5, pulled=0.1, trade_least=1.0, trade_lots=40.0,
    touch_lots=200.0, opening_levels=60.0, changed=12.0, changed_spread=1.0, changed_max=200.0,
)  # fmt: skip
"""Wide spreads, sides that empty, trades through many levels, crossed diffs, bursts at one nanosecond with each other and with
depth, quantities of one lot and at the limit of 32 bits, trades where nothing is quoted, no feed latency at all."""
EMPTYING: Final = 400
"""Ticks behind the touch that an emptied side loses: more than a hostile book has."""


class Generated(NamedTuple):
    """Events in exchange order, and the rows that they consist of: a frame's bids, then asks; a trade's price, lots and side."""

    event: NDArray[np.uint8]
    exch_ns: NDArray[np.int64]
    local_ns: NDArray[np.int64]
    """Not in order: see `capture_order`."""
    bids: NDArray[np.int32]
    asks: NDArray[np.int32]
    best: NDArray[np.int64]
    """Best bid tick, lots, best ask tick, lots after each frame, (events, 4)."""
    kind: NDArray[np.uint8]
    tick: NDArray[np.int32]
    lots: NDArray[np.int32]
    opening_bids: NDArray[np.int64]
    opening_asks: NDArray[np.int64]

    @property
    def rows(self) -> NDArray[np.int64]:
        """How many rows each event has."""
        return np.where(self.event == TRADE, 1, self.bids + self.asks).astype(np.int64)

    @property
    def capture_order(self) -> NDArray[np.int64]:
        """The events as one connection delivers them."""
        return np.argsort(self.local_ns, kind="stable")


@compiled
def _occupied(distance: int, shares: Any) -> float:
    """Share of the levels at a distance that hold a quantity."""
    return shares[min(distance, len(shares) - 1)]  # type: ignore[no-any-return]


@compiled
def _level_lots(c: int, n: Any) -> int:
    return max(1, int(lognormal(c, n.level_lots, n.level_spread)))


@compiled
def _touch_lots(c: int, before: int, n: Any) -> int:
    """The touch, new (`before` 0) or a frame later: an order more or less, at times a good part of it. Takes three counters."""
    if before <= 0:
        return max(1, int(lognormal(c, n.touch_fresh * n.touch_lots, n.touch_spread)))
    if uniform(c + 1) < n.touch_renewed:
        return max(1, int(before * exp(0.1 * log(n.touch_lots / before) + n.touch_step * normal(c))))
    change = int(lognormal(c, 20.0, 1.5))
    return before + change if uniform(c + 2) < 0.5 or change >= before else before - change


@compiled
def _tell(row: int, first: int, side: int, at: int, quantity: int, low: int, book: Any, told: Any, rows: Any) -> int:
    """Set a level and tell of it in the frame that began at row `first`, once: told again, the row is corrected."""
    kind, tick, lots = rows
    quantity = min(quantity, LOTS_LIMIT)
    book[side, at] = quantity
    if told[side, at] >= first:
        lots[told[side, at]] = quantity
        return row
    told[side, at] = row
    kind[row] = ASK if side else BID
    tick[row], lots[row] = at + low, quantity
    return row + 1


@compiled
def _opening(c: int, bid: int, low: int, n: Any, shares: Any, book: Any, opening: Any) -> int:
    """Fill both sides; `opening` gets (tick, lots) by side and distance, zeros where a level is empty. Returns the counter."""
    for side in range(2):
        step = 1 if side else -1
        for d in range(int(n.opening_levels)):
            at = bid + side + step * d
            c += 4
            if at < 1 or uniform(c) >= _occupied(d, shares):
                continue
            book[side, at] = _level_lots(c + 1, n) if d else _touch_lots(c + 1, 0, n)
            opening[side, d, 0], opening[side, d, 1] = at + low, book[side, at]
    return c + 4


@compiled
def _next(side: int, at: int, book: Any) -> int:
    """The first level from `at` outward that holds a quantity; -1 when there is none within a thousand ticks."""
    step = 1 if side else -1
    for hop in range(1_000):
        place = at + step * hop
        if place < 1 or place >= book.shape[1]:
            break
        if book[side, place] > 0:
            return place
    return -1


@compiled
def _burst(
    c: int, row: int, side: int, start: int, trades: int, reach: int, low: int, n: Any,
    book: Any, touched: Any, count: Any, rows: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """The trades of a burst that eats into `side` from its best level `start` on.

    A burst of reach 0 takes its trades' quantities. One that sweeps goes `reach` ticks far, and what its trades leave of the
    levels on its way is canceled. Returns the counter, the next row and the last level traded at.
    """
    kind, tick, lots = rows
    step = 1 if side else -1
    at = start
    left = trades
    more = BURST_MAX
    while more > 0 and (left > 0 or reach > 0) and count[side] < TOUCHED:
        found = _next(side, at, book)
        if found < 0 or (reach > 0 and (found - start) * step > reach):
            break
        at = found
        c += 4
        want = max(int(n.trade_least), int(lognormal(c, n.trade_lots, n.trade_spread)))
        if n.hostile > 0.0 and uniform(c + 1) < n.hostile:
            want = LOTS_LIMIT if uniform(c + 2) < 0.1 else want * 1_000
        there = book[side, at]
        taken = min(want, there)
        kind[row] = BUY if side else SELL
        tick[row], lots[row] = at + low, taken
        row += 1
        more -= 1
        left -= 1
        if count[side] == 0 or touched[side, count[side] - 1] != at:
            touched[side, count[side]] = at
            count[side] += 1
        done = taken == there or (reach > 0 and (left <= 0 or uniform(c + 3) < (0.15 if at == start else 0.6)))
        book[side, at] = 0 if done else there - taken
    return c + 4, row, at


@compiled
def _renewed(c: int, side: int, best: int, n: Any, shares: Any, book: Any) -> tuple[int, int]:
    """A level somewhere behind the touch and its new quantity; takes six counters.

    An empty place takes an order as often as levels at that distance are removed, so that the profile keeps; else the next level
    outward is renewed instead.
    """
    step = 1 if side else -1
    distance = 1 + int(min(lognormal(c, n.changed, n.changed_spread), n.changed_max))
    if side == 0 and distance >= best:
        distance = 1 + distance % (best - 1)
    at = min(best + step * distance, book.shape[1] - 1)
    removed = n.removed_near if distance < 100 else n.removed_far
    share = _occupied(distance, shares)
    if book[side, at] == 0:
        if distance > n.opening_levels or uniform(c + 1) * (1.0 - share) < removed * share:
            return at, _level_lots(c + 2, n)
        for hop in range(1, 24):
            outward = at + step * hop
            if 0 < outward < book.shape[1] and book[side, outward] > 0:
                at = outward
                break
        else:
            return at, _level_lots(c + 2, n)
    there = book[side, at]
    if uniform(c + 3) < removed:
        return at, 0
    if uniform(c + 4) < 0.4:
        return at, _level_lots(c + 2, n)
    change = int(lognormal(c + 2, 10.0, 1.5))
    return at, there + change if uniform(c + 5) < 0.5 or change >= there else there - change


@compiled
def _side(
    c: int, row: int, first: int, side: int, old: int, new: int, more: int, low: int, n: Any, shares: Any,
    book: Any, told: Any, touched: Any, count: Any, rows: Any, calm: bool,
) -> tuple[int, int]:  # fmt: skip
    """One side of a frame: the best level moves from `old` to `new`, trades' traces are told, `more` levels renewed."""
    step = 1 if side else -1
    hidden = n.hostile > 0.0 and not calm and uniform(c) < 4.0 * n.hostile
    c += 1
    for k in range((new - old) * step):  # retreat: what the price passes goes, and in a hostile market nobody may hear of it
        at = old + step * k
        if book[side, at] != 0:
            book[side, at] = 0
            if not hidden:
                row = _tell(row, first, side, at, 0, low, book, told, rows)
    for k in range((old - new) * step):  # advance: what was beyond the best becomes the book behind it
        at = old - step * k
        c += 4
        filled = uniform(c) < _occupied((at - new) * step, shares)
        if filled or k == 0:
            row = _tell(row, first, side, at, _level_lots(c + 1, n) if filled else 0, low, book, told, rows)
    kept = 0
    for k in range(count[side]):
        at = touched[side, k]
        if hidden and (new - at) * step > 0:
            touched[side, kept] = at
            kept += 1
        else:
            row = _tell(row, first, side, at, book[side, at], low, book, told, rows)
    if hidden:  # told a frame later, and with it levels that never were
        for k in range((new - old) * step):
            if kept < TOUCHED:
                touched[side, kept] = old + step * k
                kept += 1
    count[side] = kept
    c += 4
    there = book[side, new]
    vacant = there == 0 and (calm or n.hostile == 0.0 or uniform(c + 3) < 0.5)
    if new != old or vacant or (there > 0 and uniform(c + 3) < n.touch_told):
        row = _tell(row, first, side, new, _touch_lots(c, 0 if new != old else there, n), low, book, told, rows)
    for _ in range(more):
        c += 6
        at, quantity = _renewed(c, side, new, n, shares, book)
        if n.hostile > 0.0 and uniform(c + 7) < n.hostile:
            quantity = 1 if uniform(c + 8) < 0.9 else LOTS_LIMIT
            c += 3
        row = _tell(row, first, side, at, quantity, low, book, told, rows)
    if n.hostile > 0.0 and not calm and uniform(c + 6) < 0.2 * n.hostile:
        for k in range(EMPTYING):
            at = new + step * k
            if 0 < at < book.shape[1] and book[side, at] != 0:
                row = _tell(row, first, side, at, 0, low, book, told, rows)
    return c + 7, row


@compiled
def _generate(
    goal: int, c: int, low: int, bid: int, rate: float, n: Any, shares: Any, events: Any, rows: Any,
    book: Any, told: Any, opening: Any,
) -> int:  # fmt: skip
    """Fill the arrays with exactly `goal` rows; returns how many events they make. Levels are ticks less `low`; `c` counts."""
    event, exch, local, frame_bids, frame_asks, best = events
    kind, tick, lots = rows
    c = _opening(c, bid, low, n, shares, book, opening)
    touched, count = np.zeros((2, TOUCHED), np.int64), np.zeros(2, np.int64)
    hostile = n.hostile
    ask = bid + 1
    want = bid  # where the best bid is going
    floor, ceiling = max(bid // 2, bid - SPAN // 3), bid + SPAN // 3
    base = n.bursts_s * (1.0 - n.fast - n.slow)
    fast, slow = 0.0, n.bursts_s * n.slow  # excitement by the two kernels; the slow one starts at its mean
    lean, side = normal(c), 0
    now, stamp, framed, heard = 0.0, 0, 0, 0
    pending, sent = -1, 0
    next_frame = 1e-3 * n.frame_ms
    usual = max(1.0, rate * 1e-3 * n.frame_ms)
    owed = 0.5 * usual / GAIN
    slack = SLACK + int(16 * usual)
    at_event, row = 0, 0
    c += 1
    while row < goal:
        calm = goal - row <= slack
        # The next burst by thinning: between bursts the excitement only falls.
        burst, quick_part, slow_part = now, fast, slow
        while burst < next_frame:
            c += 2
            most = base + quick_part + slow_part
            wait = exponential(c) / most
            burst += wait
            quick_part *= exp(-min(wait / n.fast_s, 39.0))
            slow_part *= exp(-min(wait / n.slow_s, 39.0))
            if uniform(c + 1) * most <= base + quick_part + slow_part:
                break
        if burst < next_frame:
            now = burst
            fast, slow = quick_part + n.fast / n.fast_s, slow_part + n.slow / n.slow_s
            if calm:
                continue
            c += 16
            lean = n.memory * lean + math.sqrt(1.0 - n.memory * n.memory) * normal(c)
            buys = 0.5 + 0.5 * min(max(n.lean * lean, -0.75), 0.75)
            buys = (1.0 - n.repeat) * buys + n.repeat * side
            side = 1 if uniform(c + 1) < buys else 0
            chance = buys if side else 1.0 - buys
            trades = 1
            if uniform(c + 2) > n.single:
                trades = 2 + int(n.lomax_scale * (exp(exponential(c + 3) / n.lomax_shape) - 1.0))
            sweeps = uniform(c + 4) < n.sweep * 0.5 / chance
            reach = 0
            if sweeps:
                reach = max(1, int(lognormal(c + 5, n.sweep_ticks, n.sweep_spread)))
                trades += 1
            last = stamp
            stamp = int(now * SECOND)
            if hostile == 0.0:
                stamp -= stamp % MS
            elif uniform(c + 6) < 4 * hostile:
                stamp = last
            stamp = max(last, stamp)
            if hostile == 0.0 and stamp == framed:
                stamp += MS  # what a frame shows was there first
            if pending >= 0 and sent <= stamp:
                heard = max(heard, sent + int(1e6 * (n.wire_ms + lognormal(c + 7, n.queue_ms, 1.0))))
                local[pending] = heard
                pending = -1
            delay = int(1e6 * (n.wire_ms + lognormal(c + 8, n.queue_ms, 1.0)))
            heard = max(heard, stamp + (0 if hostile > 0.0 and uniform(c + 9) < 0.3 else delay))
            touch = ask if side else bid
            first = row
            c, row, reached = _burst(c + 16, row, side, touch, min(trades, BURST_MAX), reach, low, n, book, touched, count, rows)
            if row == first and hostile > 0.0:  # nothing is quoted, and yet it trades
                kind[row] = BUY if side else SELL
                tick[row], lots[row] = touch + low, 1
                row += 1
            for _ in range(first, row):
                event[at_event], exch[at_event], local[at_event] = TRADE, stamp, heard
                at_event += 1
            c += 4
            if sweeps and uniform(c) > n.undone:
                width = max(1.0, abs(reached - touch) * 1.0)
                far = int(width * lognormal(c + 1, n.carried, n.carried_spread) + uniform(c + 2))
                want += far if side else -far
            continue
        fast *= exp(-min((next_frame - now) / n.fast_s, 39.0))
        slow *= exp(-min((next_frame - now) / n.slow_s, 39.0))
        now = next_frame
        c += 24
        if not calm and uniform(c) < n.pulled:
            far = 1 + int(lognormal(c + 1, n.pulled_ticks, 1.0))
            want += far if uniform(c + 2) < 0.5 else -far
        want = min(max(want, floor), ceiling)
        if calm:
            want = bid
        goes = min(max(want, bid - STEP_MAX), bid + STEP_MAX)
        follows = calm or uniform(c + 3) < n.quick
        new_bid = goes if goes < bid or follows else bid
        new_ask = goes + 1 if goes + 1 > ask or follows else ask
        stamp = max(stamp, int(now * SECOND) if hostile > 0.0 else int(now * SECOND) // MS * MS)
        framed = stamp
        if pending >= 0:
            heard = max(heard, sent + int(1e6 * (n.wire_ms + lognormal(c + 4, n.queue_ms, 1.0))))
            local[pending] = heard
        owed = min(max(rate * now - row + 0.5 * usual / GAIN, 0.0), 4.0 * usual / GAIN)
        mean = 0.5 * GAIN * owed * exp(-0.5 * n.frame_spread * n.frame_spread)
        activity = exp(n.frame_spread * normal(c + 5))
        first = row
        left = goal - row
        final = left <= 3 * usual + 8
        for book_side in range(2):
            more = int(mean * activity + uniform(c + 6 + book_side))
            more = min(more, int(8 * usual), max(0, left // 2 - 4)) if not final else 0
            old, new = (ask, new_ask) if book_side else (bid, new_bid)
            begin = row
            if final:
                distance = 40
                while book_side and row < goal:
                    c += 1
                    distance += 1
                    row = _tell(row, first, 1, ask + distance, _level_lots(c, n), low, book, told, rows)
            else:
                c, row = _side(
                    c + 8, row, first, book_side, old, new, more, low, n, shares, book, told, touched, count, rows, calm
                )  # fmt: skip
            if book_side:
                frame_asks[at_event] = row - begin
            else:
                frame_bids[at_event] = row - begin
        bid, ask = new_bid, new_ask
        c += 4
        next_frame = now + 1e-3 * min(max(n.frame_ms + n.frame_ms_sd * normal(c), 0.6 * n.frame_ms), 2.0 * n.frame_ms)
        if hostile > 0.0 and uniform(c + 1) < hostile:
            next_frame = now + 1e-9
        pending = -1
        if row > first:
            event[at_event], exch[at_event] = FRAME, stamp
            best[at_event, 0], best[at_event, 1] = bid + low, book[0, bid]
            best[at_event, 2], best[at_event, 3] = ask + low, book[1, ask]
            pending, sent = at_event, stamp + int(1e6 * min(lognormal(c + 2, n.frame_sent_ms, 1.2), 0.5 * n.frame_ms))
            if hostile > 0.0 and uniform(c + 3) < 0.3:
                sent = stamp
            at_event += 1
    if pending >= 0:
        local[pending] = max(heard, sent + int(1e6 * n.wire_ms))
    return at_event


def _shares(scale: float) -> NDArray[np.float64]:
    """Share of levels that hold a quantity, by distance: the touch always, few just behind it, most from far on.

    Rounded, so that a last bit that machines disagree on is gone.
    """
    distance = np.arange(1024) / max(scale, 1e-3)
    shares = 0.3 + 0.5 * (1.0 - np.exp(-distance / 90.0)) + 0.3 * np.exp(-distance / 1.2)
    shares[0] = 1.0
    return np.round(shares, 9)


def pace(rows: int) -> float:
    """Rows a second of a day of so many: a small day is shorter, not thinner; a large one fills the day and is denser."""
    return max(rows / FULL_DAY_S, 120.0)


def generate(rows: int, seed: int, start_ns: int, price: int, numbers: Numbers = NUMBERS, rate: float = 0.0) -> Generated:
    """A day of exactly `rows` rows from `start_ns` on, opening at `price` ticks, at `rate` rows a second (0: `pace(rows)`).

    Raises ValueError below 10,000 rows, and for a price that is too low or does not fit 32 bits.
    """
    if rows < ROWS_MIN:
        raise ValueError(f"a generated day has at least {ROWS_MIN:,} events, not {rows}")
    if not PRICE_MIN <= price <= PRICE_MAX:
        raise ValueError(f"a generated day opens at {PRICE_MIN:,} to {PRICE_MAX:,} ticks, not {price:,}")
    scale = price / REFERENCE_PRICE
    if numbers.hostile == 0.0:
        named = ("sweep_ticks", "pulled_ticks", "changed")
        numbers = numbers._replace(**{name: getattr(numbers, name) * scale for name in named})
        numbers = numbers._replace(changed_max=numbers.changed_max * min(scale, 1.0))
    room = rows + 4 * BURST_MAX
    events: Any = (
        np.zeros(room, np.uint8), np.zeros(room, np.int64), np.zeros(room, np.int64),
        np.zeros(room, np.int32), np.zeros(room, np.int32), np.zeros((room, 4), np.int64),
    )  # fmt: skip
    columns: Any = np.zeros(room, np.uint8), np.zeros(room, np.int32), np.zeros(room, np.int32)
    book, told = np.zeros((2, SPAN), np.int64), np.full((2, SPAN), -1, np.int32)
    opening = np.zeros((2, int(numbers.opening_levels), 2), np.int64)
    low = max(0, price - SPAN // 2)
    first = int(mixed(seed)) >> 2  # far from any other seed's counters
    made = _generate(
        rows, first, low, price - low, rate or pace(rows), numbers, _shares(scale), events, columns, book, told, opening
    )  # fmt: skip
    event, exch, local, bids, asks, best = (column[:made].copy() for column in events)
    kept = [side[side[:, 1] > 0] for side in opening]
    return Generated(event, exch + start_ns, local + start_ns, bids, asks, best, *(column[:rows] for column in columns), *kept)
