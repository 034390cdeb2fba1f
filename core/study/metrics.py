"""Performance figures, named as the field names them: pure functions of arrays.

Equity is sampled on a grid (10 s) over the time in which there was a market; days stand one after the other, and the time between
them does not count. Returns are changes of equity over the graph's capital: capital is not reinvested, so a day's return
does not depend on the days before it. Ratios per sample are annualised by the square root of the number of samples in 365
days; with minutes of data such a figure says little, so the number of samples stands beside it. A figure that is not
defined (no variance, no loss, no trade) is None, never infinite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SAMPLE_S: Final = 10.0
YEAR_S: Final = 365 * 86_400.0


def finite(value: float) -> float | None:
    """The figure, or None where it is not one."""
    return float(value) if math.isfinite(value) else None


def returns(equity: Array, capital: float) -> Array:
    """Change of equity from sample to sample over the capital; `equity` in currency, one sample longer than the result."""
    return np.diff(equity) / capital


def total_return(equity: Array, capital: float) -> float:
    """Profit over capital."""
    return float(equity[-1] - equity[0]) / capital if len(equity) else 0.0


def annualised_return(equity: Array, capital: float, sample_s: float = SAMPLE_S) -> float | None:
    """The total return scaled in proportion to 365 days: without reinvestment there is nothing to compound."""
    seconds = (len(equity) - 1) * sample_s
    return total_return(equity, capital) * YEAR_S / seconds if seconds > 0 else None


def volatility(step: Array, sample_s: float = SAMPLE_S) -> float | None:
    """Annualised standard deviation of the returns (the unbiased one)."""
    return finite(float(np.std(step, ddof=1)) * math.sqrt(YEAR_S / sample_s)) if len(step) > 1 else None


def sharpe(step: Array, sample_s: float = SAMPLE_S) -> float | None:
    """Annualised mean over standard deviation of the returns; riskless rate 0 (Sharpe 1994, "The Sharpe Ratio")."""
    deviation = float(np.std(step, ddof=1)) if len(step) > 1 else 0.0
    return float(np.mean(step)) / deviation * math.sqrt(YEAR_S / sample_s) if deviation > 0 else None


def sortino(step: Array, sample_s: float = SAMPLE_S) -> float | None:
    """Annualised mean over downside deviation, the root mean square of the losses among all returns (Sortino, Price 1994)."""
    downside = math.sqrt(float(np.mean(np.minimum(step, 0.0) ** 2))) if len(step) else 0.0
    return float(np.mean(step)) / downside * math.sqrt(YEAR_S / sample_s) if downside > 0 else None


def drawdown(equity: Array, capital: float) -> Array:
    """How far equity stands below its highest so far, as a fraction of capital plus that highest; 0 or less."""
    peak = np.maximum.accumulate(np.concatenate([[0.0], equity]))[1:]
    below: Array = (equity - peak) / (capital + peak)
    return below


def calmar(equity: Array, capital: float, sample_s: float = SAMPLE_S) -> float | None:
    """Annualised return over maximum drawdown (Young 1991)."""
    deepest = -float(np.min(drawdown(equity, capital), initial=0.0))
    yearly = annualised_return(equity, capital, sample_s)
    return yearly / deepest if yearly is not None and deepest > 0 else None


def round_trips(side: Array, price: Array, qty: Array, fee: Array) -> Array:
    """Profit of each closing fill, after its share of both fees; average cost, one instrument, fills in order.

    `side` 1 buys, 2 sells; `price` and `qty` positive. A fill that goes through zero closes what was open and opens the rest.
    """
    position = cost = paid = 0.0
    made: list[float] = []
    for one, at, size, commission in zip(side.tolist(), price.tolist(), qty.tolist(), fee.tolist(), strict=True):
        signed = size if one == 1 else -size
        if position * signed >= 0:
            position, cost, paid = position + signed, cost + signed * at, paid + commission
            continue
        closed = math.copysign(min(abs(signed), abs(position)), position)
        share, part = closed / position, abs(closed) / size
        made.append(closed * at - cost * share - paid * share - commission * part)
        rest = signed + closed
        position += signed
        if abs(position) < 1e-12:
            position = 0.0
        cost = cost * (1 - share) + rest * at
        paid = paid * (1 - share) + commission * (1 - part)
    return np.array(made)


def win_rate(made: Array) -> float | None:
    """Share of round trips with a profit."""
    return float(np.mean(made > 0)) if len(made) else None


def profit_factor(made: Array) -> float | None:
    """Sum of the profits over sum of the losses."""
    lost = -float(made[made < 0].sum()) if len(made) else 0.0
    return float(made[made > 0].sum()) / lost if lost > 0 else None


def summary(
    equity: Array,
    notional: Array,
    trips: Sequence[Array],
    capital: float,
    days: int,
    trades: int,
    turnover: float,
    sample_s: float = SAMPLE_S,
) -> dict[str, Any]:
    """All figures of a run.

    `equity` and `notional` (value of all positions) are sampled together, in currency; `trips` are round trips an instrument
    and day; `turnover` is the value traded.
    """
    step = returns(equity, capital)
    made = np.concatenate([*trips, np.zeros(0)])
    leverage = notional / np.maximum(capital + equity, 1e-9) if len(equity) else np.zeros(0)
    below = drawdown(equity, capital) if len(equity) else np.zeros(1)
    profit = float(equity[-1] - equity[0]) if len(equity) else 0.0
    return {
        "pnl": profit,
        "total_return": total_return(equity, capital),
        "annualised_return": annualised_return(equity, capital, sample_s),
        "volatility": volatility(step, sample_s),
        "sharpe": sharpe(step, sample_s),
        "sortino": sortino(step, sample_s),
        "calmar": calmar(equity, capital, sample_s),
        "max_drawdown": abs(float(below.min())),
        "trades": trades,
        "trades_a_day": trades / days if days else 0.0,
        "turnover": turnover,
        "turnover_of_capital": turnover / capital,
        "round_trips": len(made),
        "win_rate": win_rate(made),
        "profit_factor": profit_factor(made),
        "max_leverage": float(leverage.max(initial=0.0)),
        "median_leverage": float(np.median(leverage)) if len(leverage) else 0.0,
        "return_over_trade": profit / turnover if turnover else None,
        "capital": capital,
        "days": days,
        "samples": max(len(equity) - 1, 0),
        "sample_s": sample_s,
        "annualised_over_days": 365,
    }
