"""Equity over time: samples on a grid, days one after the other, instruments together.

The rules, and why they are these:

- A sample is the last known value in each period of UTC (10 s), as hftbacktest resamples its records. So instruments that were
  sampled at other instants of a period still stand together, and a stray sample at a day's end makes no short step.
- Days stand on each other. One that starts flat starts from 0, and its equity is added to where the day before ended: the
  same capital every day, nothing reinvested. A carried day's equity goes on by itself.
- The time between days, in which nothing was simulated, does not count: no step spans it, but for a carried position, whose
  change of value in between did happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Array = NDArray[np.float64]
Table = Mapping[str, NDArray[Any]]

SAMPLE_NS: Final = 10 * 10**9
DAY_NS: Final = 86_400 * 10**9


class Curve(NamedTuple):
    """Samples in order of time (ns): equity since the beginning and value of positions (currency), and whether one opens a day.

    `span_s` is the time that was simulated, in seconds; `steps` are the changes of equity from sample to sample.
    """

    time_ns: Times
    equity: Array
    notional: Array
    opens: NDArray[np.bool_]
    span_s: float
    carried: bool

    @property
    def steps(self) -> Array:
        """Changes of equity from sample to sample, in currency."""
        change: Array = np.diff(self.equity)
        return change if self.carried else change[~self.opens[1:]]

    @property
    def profit(self) -> float:
        """All that was earned; equity begins at 0."""
        return float(self.equity[-1]) if len(self.equity) else 0.0


def periods(time_ns: Times, sample_ns: int = SAMPLE_NS) -> Times:
    """The number of each sample's period since 1970; what a day's end at midnight says belongs to that day."""
    if not len(time_ns):
        return np.zeros(0, np.int64)
    last = (time_ns[0] // DAY_NS + 1) * DAY_NS - 1
    found: Times = np.minimum(time_ns, last) // sample_ns
    return found


def chained(days: Sequence[Table], carried: bool = False, sample_ns: int = SAMPLE_NS) -> Curve:
    """One instrument's days, in order, one after the other; a table has `time_ns`, `equity` and `notional`."""
    number, equity, notional, opens, span_ns, ended = [], [], [], [], 0, 0.0
    for table in days:
        if not len(table["time_ns"]):
            continue
        own = periods(table["time_ns"], sample_ns)
        last = np.flatnonzero(np.r_[own[1:] != own[:-1], True])
        number.append(own[last])
        equity.append(table["equity"][last] + (0.0 if carried else ended))
        notional.append(table["notional"][last])
        opens.append(np.arange(len(last)) == 0)
        span_ns += int(table["time_ns"][-1] - table["time_ns"][0])
        ended = float(equity[-1][-1])
    return Curve(
        np.concatenate([np.zeros(0, np.int64), *number]) * sample_ns,
        np.concatenate([np.zeros(0), *equity]),
        np.concatenate([np.zeros(0), *notional]),
        np.concatenate([np.zeros(0, np.bool_), *opens]),
        span_ns / 1e9,
        carried,
    )


def together(curves: Sequence[Curve]) -> Curve:
    """Several instruments as one: equity holds between an instrument's samples, a position only within its day.

    Simulated time is the time in which any of them was, on the grid they share.
    """
    if len(curves) == 1:
        return curves[0]
    time_ns = np.unique(np.concatenate([np.zeros(0, np.int64), *(one.time_ns for one in curves)]))
    day = time_ns // DAY_NS
    equity, notional = np.zeros(len(time_ns)), np.zeros(len(time_ns))
    for one in curves:
        at = np.searchsorted(one.time_ns, time_ns, side="right") - 1
        known = at >= 0
        equity[known] += one.equity[at[known]]
        held = known.copy()
        if not one.carried:
            held[known] = one.time_ns[at[known]] // DAY_NS == day[known]
        notional[held] += one.notional[at[held]]
    opens = np.r_[True, day[1:] != day[:-1]] if len(day) else np.zeros(0, np.bool_)
    return Curve(time_ns, equity, notional, opens, _span_s(curves, time_ns, opens), any(one.carried for one in curves))


def _span_s(curves: Sequence[Curve], time_ns: Times, opens: NDArray[np.bool_]) -> float:
    """Time from each day's first sample to its last, but never less than the longest instrument's own."""
    within = np.diff(time_ns)[~opens[1:]] if len(time_ns) else np.zeros(0)
    return max([float(within.sum()) / 1e9, *(one.span_s for one in curves)], default=0.0)
