"""Performance figures, named as the field names them: pure functions of arrays.

Everything is on the graph's capital, which is not reinvested: a return is a change of equity over capital, so it does not
depend on the days before it, and days add up. The steps are equity's changes from sample to sample (every 10 s, see
`core/study/equity.py`). A ratio per sample is annualised by the square root of the number of samples in 365 days, a rate in
proportion to time; both count only simulated time. With minutes of data such a figure says little: the number of samples and
the simulated time stand beside it. A figure that is not defined (no variance, no loss, no trade) is None, never infinite.

Where hftbacktest 2.4 has a figure (SR, Sortino, MaxDrawdown, ReturnOverMDD, ReturnOverTrade, DailyNumberOfTrades,
DailyTradingValue, MaxLeverage, MedianLeverage; with a book size), the definition is the same; a test compares the numbers.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np

from core.study.equity import Array, Curve, Times
from core.study.trades import profit_factor, win_rate

SAMPLE_S: Final = 10.0
DAY_S: Final = 86_400.0
YEAR_S: Final = 365 * DAY_S

NOISE: Final = 1e-12
"""A deviation this small beside the mean is rounding: equal steps have no variance."""


def total_return(profit: float, capital: float) -> float:
    """Profit over capital."""
    return profit / capital


def annualised_return(profit: float, capital: float, span_s: float) -> float | None:
    """The total return scaled in proportion from `span_s` seconds to 365 days: nothing is reinvested, so nothing compounds."""
    return _finite(profit / capital * YEAR_S / span_s) if span_s > 0 else None


def volatility(steps: Array, capital: float, sample_s: float = SAMPLE_S) -> float | None:
    """Annualised standard deviation (unbiased) of the steps over capital."""
    return _deviation(steps) / capital * math.sqrt(YEAR_S / sample_s) if len(steps) > 1 else None


def sharpe(steps: Array, sample_s: float = SAMPLE_S) -> float | None:
    """Annualised mean over standard deviation (unbiased), riskless rate 0 (Sharpe 1994, "The Sharpe Ratio")."""
    deviation = _deviation(steps)
    return float(np.mean(steps)) / deviation * math.sqrt(YEAR_S / sample_s) if deviation > 0 else None


def sortino(steps: Array, sample_s: float = SAMPLE_S) -> float | None:
    """Annualised mean over downside deviation, target 0: the root of the mean, over all steps, of squared losses.

    Source: Sortino and Price 1994.
    """
    downside = math.sqrt(float(np.mean(np.minimum(steps, 0.0) ** 2))) if len(steps) else 0.0
    return float(np.mean(steps)) / downside * math.sqrt(YEAR_S / sample_s) if downside > 0 else None


def drawdown(equity: Array) -> Array:
    """How far equity stands below its highest so far, in currency, 0 or less; the beginning, 0, counts as a high."""
    below: Array = equity - np.maximum(np.maximum.accumulate(equity), 0.0)
    return below


class Drawdown(NamedTuple):
    """The deepest fall: `value` in currency, positive, from the high at `begin_ns` to the low at `end_ns`; None without one."""

    value: float
    begin_ns: int | None
    end_ns: int | None


def max_drawdown(time_ns: Times, equity: Array) -> Drawdown:
    """The deepest fall of equity from a high before it (Magdon-Ismail, Atiya 2004); it begins at the latest such high."""
    below = drawdown(equity)
    if not len(below) or below.min() >= 0:
        return Drawdown(0.0, None, None)
    low = int(np.argmin(below))
    begin = int(np.flatnonzero(below[: low + 1] >= 0)[-1]) if (below[: low + 1] >= 0).any() else 0
    return Drawdown(float(-below[low]), int(time_ns[begin]), int(time_ns[low]))


def calmar(yearly: float | None, deepest: float) -> float | None:
    """Annualised return over the maximum drawdown, both on capital (Young 1991)."""
    return _finite(yearly / deepest) if yearly is not None and deepest > 0 else None


def summary(
    curve: Curve, trips: Array, capital: float, days: int, trades: int, turnover: float, sample_s: float = SAMPLE_S
) -> dict[str, Any]:
    """All figures of a curve: numbers, None, and times as nanoseconds since 1970.

    `trips` are the round trips' profits, `trades` the number of fills, `turnover` their value, all in currency; `capital` is
    positive.
    """
    steps, profit, span_s = curve.steps, curve.profit, curve.span_s
    yearly = annualised_return(profit, capital, span_s)
    fall = max_drawdown(curve.time_ns, curve.equity)
    leverage = curve.notional / capital
    a_day = DAY_S / span_s if span_s > 0 else None
    return {
        "pnl": profit,
        "total_return": total_return(profit, capital),
        "annualised_return": yearly,
        "volatility": volatility(steps, capital, sample_s),
        "sharpe": sharpe(steps, sample_s),
        "sortino": sortino(steps, sample_s),
        "calmar": calmar(yearly, fall.value / capital),
        "max_drawdown": fall.value / capital,
        "max_drawdown_value": fall.value,
        "max_drawdown_begin_ns": fall.begin_ns,
        "max_drawdown_end_ns": fall.end_ns,
        "trades": trades,
        "trades_a_day": trades * a_day if a_day else None,
        "turnover": turnover,
        "turnover_of_capital": turnover / capital,
        "turnover_of_capital_a_day": turnover / capital * a_day if a_day else None,
        "round_trips": len(trips),
        "win_rate": win_rate(trips),
        "profit_factor": profit_factor(trips),
        "max_leverage": float(leverage.max(initial=0.0)),
        "median_leverage": float(np.median(leverage)) if len(leverage) else 0.0,
        "return_over_trade": profit / turnover if turnover > 0 else None,
        "pnl_a_trade": profit / trades if trades else None,
        "capital": capital,
        "days": days,
        "samples": len(steps),
        "sample_s": sample_s,
        "span_s": span_s,
        "annualised_over_days": 365,
    }


def _deviation(steps: Array) -> float:
    """Unbiased standard deviation; 0 where there is none but rounding's."""
    found = float(np.std(steps, ddof=1)) if len(steps) > 1 else 0.0
    return found if found > NOISE * float(np.max(np.abs(steps), initial=0.0)) else 0.0


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
