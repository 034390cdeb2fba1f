"""What fills say: round trips, and how much of the spread each fill captured.

A round trip here is a *closing piece*: the part of a fill that reduces a position, against the average cost of what it closes,
after its share of both fees. So a market maker, who is rarely flat, has a round trip a closing fill; a strategy that goes in
and out at once has the same ones as flat-to-flat counting would give. Average cost is the ledger's convention too. What is
still open at the end is in the equity, not in the round trips. Linear contracts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BUY = 1
"""FIX Side, as the fills' `side` column has it; 2 sells."""


def signs(side: NDArray[Any]) -> Array:
    """1 where a fill bought, -1 where it sold."""
    found: Array = np.where(side == BUY, 1.0, -1.0)
    return found


def round_trips(side: NDArray[Any], price: Array, lots: NDArray[np.int64], fee: Array, lot: float) -> Array:
    """Profit of each fill's closing piece in currency, NaN for a fill that closes nothing: one instrument, from flat, in order.

    `side` 1 buys, 2 sells; `price` a unit of quantity; `lots` positive whole lots of `lot` units each, so that flat is exactly
    flat; `fee` in currency, negative for a rebate. A fill that goes through zero closes what was open and opens the rest.
    """
    held, cost, paid = 0, 0.0, 0.0
    made = np.full(len(side), np.nan)
    for k, (one, at, size, commission) in enumerate(zip(side.tolist(), price.tolist(), lots.tolist(), fee.tolist(), strict=True)):
        signed = size if one == BUY else -size
        closed = min(size, abs(held)) if held * signed < 0 else 0
        if closed:
            part = closed / abs(held)
            worth = (closed if held > 0 else -closed) * lot * at
            made[k] = worth - (cost + paid) * part - commission * closed / size
            cost, paid = cost * (1 - part), paid * (1 - part)
        held += signed
        opened = signed - (closed if signed > 0 else -closed)
        cost += opened * lot * at
        paid += commission * (size - closed) / size
        if not held:
            cost = paid = 0.0
    return made


def win_rate(made: Array) -> float | None:
    """Share of the round trips (no NaN) that made a profit; None without any."""
    return float(np.mean(made > 0)) if len(made) else None


def profit_factor(made: Array) -> float | None:
    """Sum of the profits over the sum of the losses; None where nothing was lost."""
    lost = -float(made[made < 0].sum())
    return float(made[made > 0].sum()) / lost if lost > 0 else None


def captured(side: NDArray[Any], price: Array, qty: Array, mid: Array) -> Array:
    """Spread captured by each fill in currency: how much better than the mid its price was, times its quantity.

    Negative where it was worse, as a taker's is; 0 where no mid was known. Summed up it is what fills alone would have earned
    had each been valued at its mid; the rest of the gross profit is what the inventory then made or lost (the split of trading
    profit into net spread and positioning: Menkveld 2013).
    """
    edge = signs(side) * (mid - price) * qty
    found: Array = np.where(np.isnan(edge), 0.0, edge)
    return found
