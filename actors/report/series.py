"""What the plots draw: series of a run on one time axis, thinned to what a screen can show.

A line keeps the lowest and highest sample of every bucket, so a month loads as fast as a minute and no extreme is lost. No line
crosses a time in which nothing was simulated, and where such times are long they are cut out of the axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from actors.tally import Cell, cells
from core.study.equity import Array, Curve, Times, chained, together

if TYPE_CHECKING:
    from actors.results import Result

POINTS_MAX: Final = 4_000
"""Points a series: more than a screen has pixels."""
POINTS_ALL: Final = 100_000
"""Points on the whole page: at 21 bytes each they add 2 MB to plotly's own 4.5."""
MARKERS: Final = 1_000
"""Fills drawn a side and kind; more are thinned evenly, and the page says so."""
GAP_NS: Final = 60 * 10**9
CUTS_MAX: Final = 60
DETAILED_MAX: Final = 6
"""Instruments that get plots of their own: those with the largest turnover."""
LINES_MAX: Final = 8
"""Instruments that get a line of their own in a common plot."""


class Material:
    """A run's columns and what all its plots share."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.cells = cells(result)
        self.carried = result.carries
        self.capital = result.capital
        turnover = {symbol: sum(one.turnover for one in self.of(symbol)) for symbol in result.symbols}
        self.symbols = sorted(turnover, key=lambda symbol: (-turnover[symbol], symbol))

    def of(self, symbol: str) -> list[Cell]:
        """One instrument's days."""
        return [one for one in self.cells if one.symbol == symbol]

    @cached_property
    def points(self) -> int:
        """Points a series may have, so that all together stay within the page's."""
        series = 10 + 3 * min(len(self.symbols), LINES_MAX) + 8 * min(len(self.symbols), DETAILED_MAX)
        return min(POINTS_MAX, POINTS_ALL // series)

    @cached_property
    def equity(self) -> Curve:
        """Equity of all instruments together."""
        return self.accrued(lambda one: one.equity["equity"])

    def accrued(self, level: Callable[[Cell], Array], symbol: str = "") -> Curve:
        """A running total at each sample, of one instrument or all together, days standing on each other."""
        parts = [self.of(name) for name in ([symbol] if symbol else self.symbols)]
        tables = [
            [{"time_ns": one.equity["time_ns"], "equity": level(one), "notional": one.equity["notional"]} for one in part]
            for part in parts
        ]
        return together([chained(days, self.carried) for days in tables])

    def summed(self, of_fills: Callable[[Cell], Array], symbol: str = "") -> Curve:
        """As `accrued`, of an amount a fill."""
        before: dict[tuple[str, str], float] = {}
        for name in self.symbols if self.carried else ():
            total = 0.0
            for one in self.of(name):
                before[name, one.day] = total
                total += float(of_fills(one).sum())

        def level(one: Cell) -> Array:
            sums = np.concatenate([[before.get((one.symbol, one.day), 0.0)], of_fills(one)]).cumsum()
            order = np.maximum.accumulate(one.fills["time_ns"])
            found: Array = sums[np.searchsorted(order, one.equity["time_ns"], side="right")]
            # The last sample has all: a fill near the end may be reported after the last sample's own time.
            return np.concatenate([found[:-1], sums[-1:]]) if len(found) else found

        return self.accrued(level, symbol)

    def column(self, name: str, symbol: str) -> tuple[Times, Array]:
        """An instrument's samples as they are, its days one after the other."""
        tables = [one.equity for one in self.of(symbol)]
        return np.concatenate([table["time_ns"] for table in tables]), np.concatenate([table[name] for table in tables])

    def fills(self, name: str, symbol: str) -> NDArray[Any]:
        """A column of an instrument's fills."""
        return np.concatenate([one.fills[name] for one in self.of(symbol)])

    @cached_property
    def cuts(self) -> list[tuple[int, int]]:
        """Times (ns) to cut out of the axis: in which nothing was simulated, where that is much of what would be seen."""
        times = self.equity.time_ns
        jumps = np.flatnonzero(np.diff(times) > max(GAP_NS, self.equity.span_s * 1e9 / 50))
        return [(int(times[at]), int(times[at + 1])) for at in jumps[:CUTS_MAX]]


def thin(times: Times, values: Array, points: int = POINTS_MAX) -> tuple[Times, Array]:
    """At most about `points` of a series (two holes' ends a gap aside), with a NaN wherever time jumps by more than a minute."""
    values = values.astype(float)
    holes = np.flatnonzero(np.diff(times) > GAP_NS) + 1
    if len(times) > points:
        width = -(-len(times) // max(points // 2, 1))
        rows = np.full((-(-len(times) // width), width), np.nan)
        rows.ravel()[: len(times)] = values
        starts = np.arange(len(rows)) * width
        lowest = starts + np.argmin(np.where(np.isnan(rows), np.inf, rows), axis=1)
        highest = starts + np.argmax(np.where(np.isnan(rows), -np.inf, rows), axis=1)
        keep = np.concatenate([[0, len(times) - 1], holes, holes - 1, lowest, highest])
        kept = np.unique(keep)
        holes = np.searchsorted(kept, holes)
        times, values = times[kept], values[kept]
    return np.insert(times, holes, times[holes] - 1), np.insert(values, holes, np.nan)


def typical(times: Times, values: Array, points: int = POINTS_MAX) -> tuple[Times, Array]:
    """As `thin`, by medians: for a series that jumps about, whose extremes would hide where it mostly is."""
    if len(times) <= points:
        return thin(times, values, points)
    buckets = np.array_split(np.arange(len(times)), points // 4)
    known = [bucket[~np.isnan(values[bucket])] for bucket in buckets]
    middle = np.array([np.median(values[bucket]) if len(bucket) else np.nan for bucket in known])
    first = np.array([bucket[0] for bucket in buckets])
    holes = np.unique(np.searchsorted(first, np.flatnonzero(np.diff(times) > GAP_NS) + 1))
    holes = holes[holes < len(first)]
    return np.insert(times[first], holes, times[first[holes]] - 1), np.insert(middle, holes, np.nan)


def milliseconds(times: Times) -> Array:
    """Times as plotly's date axis takes them in binary: milliseconds since 1970."""
    return times / 1e6


def iso(ns: int) -> str:
    """A time as plotly takes it in words."""
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def every(count: int, most: int = MARKERS) -> Sequence[int]:
    """Which of `count` things to draw, evenly, so that at most `most` are."""
    return range(0, count, -(-count // most) or 1)
