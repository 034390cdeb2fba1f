"""Indicators that a strategy feeds while it runs, compiled: bands and volatility of bars, order flow of a market.

The two of bars look at a short window of values (twenty bars, once a minute) and sum it anew each time: no drift, nothing
to reset. The order flow looks at two minutes in steps of 100 ms, so it is kept incrementally: a ring of samples, and integer
sums that each sample enters once and leaves once. Integers make that exact: after any number of steps the sums are those of
the samples in the ring, so the estimates do not depend on how long the strategy has run.

A sample is one look at the market: how long since the one before, how far the mid moved, and how many price levels the
deepest trade in between went through.

Sources: Bollinger, "Bollinger on Bollinger Bands" (2001), ch. 7 (population deviation around the same mean); Andersen and
Bollerslev, "Answering the Skeptics" (1998), section 2 (sum of squared returns); Avellaneda and Stoikov, "High-frequency
trading in a limit order book" (2008), section 2.5, for λ(δ) = A exp(-kδ).
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from core.kernel.memory import compiled

SAMPLES: Final = 8192
"""Most samples a window holds: ten minutes of 100 ms looks with room to spare. Fixed, so that one compilation serves all."""
LEVELS: Final = 256
"""Deepest level counted; a trade that went further counts as having gone this far."""

FLOW: Final = np.dtype(
    [
        ("at", "i8", (SAMPLES,)),  # when the look was, ns
        ("span", "i8", (SAMPLES,)),  # time since the look before, ns
        ("change", "i8", (SAMPLES,)),  # of the mid, in half ticks
        ("reach", "i8", (SAMPLES,)),  # levels gone through
        ("reached", "i8", (LEVELS + 1,)),  # how many samples of each reach
        ("first", "i8"),
        ("count", "i8"),
        ("span_sum", "i8"),
        ("change_sum", "i8"),
        ("square_sum", "i8"),
    ]
)
"""The order flow of a window, as one record: numpy.zeros(1, FLOW)[0] is an empty one."""


@compiled
def moments(window: Any) -> tuple[float, float]:
    """Mean and population standard deviation of an array."""
    mean = 0.0
    for value in window:
        mean += value
    mean /= len(window)
    squares = 0.0
    for value in window:
        squares += (value - mean) ** 2
    return mean, math.sqrt(squares / len(window))


@compiled
def realized(returns: Any) -> float:
    """Realized volatility of log returns over their whole span: the root of the sum of their squares, a fraction of the price."""
    total = 0.0
    for value in returns:
        total += value * value
    return math.sqrt(total)


@compiled
def rolling(values: Any, period: int) -> tuple[Any, Any]:
    """`moments` of the last `period` values at each place of an array; NaN where there are fewer."""
    means, deviations = np.full(len(values), np.nan), np.full(len(values), np.nan)
    for i in range(period - 1, len(values)):
        means[i], deviations[i] = moments(values[i - period + 1 : i + 1])
    return means, deviations


@compiled
def rolling_realized(prices: Any, period: int) -> Any:
    """`realized` of the last `period` log returns at each place of an array of prices; NaN where there are fewer."""
    returns, out = np.full(len(prices), np.nan), np.full(len(prices), np.nan)
    for i in range(1, len(prices)):
        returns[i] = math.log(prices[i] / prices[i - 1])
    for i in range(period, len(prices)):
        out[i] = realized(returns[i - period + 1 : i + 1])
    return out


# --- order flow ----------------------------------------------------------------------------------------------------------


@compiled
def depth_reached(buy_high: int, sell_low: int, mid_twice: int) -> int:
    """How many levels the deepest trade went through, seen from a mid (in half ticks). 0 as a price: no such trade.

    Level i is a quote half a tick plus i ticks from the mid. A trade at a level's own price did not go through it: the queue
    there may have taken it all. A trade on the near side of the mid (the mid moved since) went through none.
    """
    depth = 0
    if buy_high != 0:
        depth = max(depth, 2 * buy_high - mid_twice)
    if sell_low != 0:
        depth = max(depth, mid_twice - 2 * sell_low)
    return min(depth // 2, LEVELS)


@compiled
def flow_drop(flow: Any) -> None:
    """Forget the oldest sample."""
    i = flow.first
    flow.reached[flow.reach[i]] -= 1
    flow.span_sum -= flow.span[i]
    flow.change_sum -= flow.change[i]
    flow.square_sum -= flow.change[i] * flow.change[i]
    flow.first = (i + 1) % SAMPLES
    flow.count -= 1


@compiled
def flow_put(flow: Any, now: int, span: int, change: int, reach: int, window_ns: int) -> None:
    """Take in a sample, and forget those not younger than the window (or the oldest, when the ring is full)."""
    while flow.count > 0 and (flow.at[flow.first] <= now - window_ns or flow.count == SAMPLES):
        flow_drop(flow)
    i = (flow.first + flow.count) % SAMPLES
    flow.at[i], flow.span[i], flow.change[i], flow.reach[i] = now, span, change, reach
    flow.reached[reach] += 1
    flow.span_sum += span
    flow.change_sum += change
    flow.square_sum += change * change
    flow.count += 1


@compiled
def flow_sigma(flow: Any) -> float:
    """Volatility of the mid in ticks a square root of a second: deviation of the changes, scaled by the time they took."""
    if flow.span_sum <= 0:
        return 0.0
    squares = flow.square_sum - float(flow.change_sum) * flow.change_sum / flow.count
    return 0.5 * math.sqrt(max(squares, 0.0) / (flow.span_sum * 1e-9))


@compiled
def flow_intensity(flow: Any, levels: int) -> tuple[float, float]:
    """A (arrivals a second) and k (1/tick) of λ(δ) = A exp(-kδ), by least squares of log λ over the first `levels` levels.

    Levels that nothing went through have no logarithm and stay out; they are the outermost, so what is left is x = 0.5, 1.5,
    ..., whose sums are known in closed form. (0, 0) where fewer than two are left, or no trade stopped between them.
    """
    beyond = 0
    for r in range(levels + 1, LEVELS + 1):
        beyond += flow.reached[r]
    top, count, furthest = 0, beyond, 0
    total, moment = 0.0, 0.0
    for r in range(levels, 0, -1):
        count += flow.reached[r]
        if count > 0:
            if top == 0:
                top, furthest = r, count
            y = math.log(count / (flow.span_sum * 1e-9))
            total += y
            moment += (r - 0.5) * y
    if top < 2 or count == furthest:
        return 0.0, 0.0
    middle = 0.5 * top
    k = -(moment - middle * total) / (top * (top * top - 1.0) / 12.0)
    return math.exp(total / top + k * middle), k
