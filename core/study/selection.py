"""How much the best of many parameter sets is worth: pure functions of a table of sets and days.

`values` is always sets by days, finite, larger is better. The best of many sets looks better than it is: part of what put it
first was chance, and the more sets and the fewer days, the larger that part. Four measures, none of which needs a distribution:

- Ranks by day: does the order of the sets on one day say anything of their order on another (Spearman 1904)?
- The day left out: the set that was best on the other days, where does it stand on this one? Half way up is chance. (The
  out-of-sample rank, a day at a time, of Bailey, Borwein, López de Prado, Zhu 2016, "The probability of backtest overfitting".)
- Shuffled sets: were no set better than another, the sets' names could be shuffled within each day. How often is the best of
  shuffled sets as good as the best that was found? (A permutation test of the largest mean, as Westfall and Young 1993.)
- Neighbours: a set that is good for a reason is good beside itself too; a lone peak in the grid is noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from core.study.equity import Array


def percentiles(values: Array) -> Array:
    """Where each set stands among all on each day, 0 worst to 1 best; equal sets share the middle of their places."""
    sets = len(values)
    if sets < 2:
        return np.full(values.shape, 0.5)
    found = np.empty(values.shape)
    for day in range(values.shape[1]):
        column = np.sort(values[:, day])
        below = np.searchsorted(column, values[:, day], "left")
        upto = np.searchsorted(column, values[:, day], "right")
        found[:, day] = (below + upto - 1) / 2 / (sets - 1)
    return found


def day_correlation(values: Array) -> Array:
    """Spearman's rank correlation of the sets between each two days; NaN for a day on which all are equal."""
    ranks = percentiles(values)
    ranks = ranks - ranks.mean(axis=0)
    size = np.sqrt((ranks**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = np.where(np.outer(size, size) > 0, ranks.T @ ranks / np.outer(size, size), np.nan)
    return found


def mean_correlation(values: Array) -> float | None:
    """The mean over all pairs of days; None without a pair that has one."""
    pairs = day_correlation(values)[np.triu_indices(values.shape[1], 1)]
    pairs = pairs[~np.isnan(pairs)]
    return float(pairs.mean()) if len(pairs) else None


def above_median(values: Array) -> Array:
    """The share of days on which each set was above the median set."""
    found: Array = (values > np.median(values, axis=0)).mean(axis=1)
    return found


def held_out(values: Array) -> Array:
    """For each day, where the best set of all other days stands on it; equal bests together. Empty for one day."""
    days = values.shape[1]
    if days < 2:
        return np.zeros(0)
    ranks, total = percentiles(values), values.sum(axis=1)
    found = np.empty(days)
    for day in range(days):
        others = total - values[:, day]
        best = others >= others.max() - 1e-9 * max(1.0, abs(float(others.max())))
        found[day] = ranks[best, day].mean()
    return found


def best_mean(values: Array) -> float:
    """The best set's mean over days."""
    return float(values.mean(axis=1).max())


def shuffled_best(values: Array, draws: Array) -> float:
    """The best mean over days after the sets of each day were put in the order of `draws`, random numbers of the same shape."""
    return best_mean(np.take_along_axis(values, np.argsort(draws, axis=0), axis=0))


def neighbours(places: Sequence[tuple[int, ...]], ordered: Sequence[bool]) -> list[list[int]]:
    """For each set, by its place on each axis of the grid, the sets one step away along one ordered axis."""
    number = {place: k for k, place in enumerate(places)}
    return [[number[one] for one in _beside(place, ordered) if one in number] for place in places]


def _beside(place: tuple[int, ...], ordered: Sequence[bool]) -> Iterator[tuple[int, ...]]:
    for axis, has_order in enumerate(ordered):
        if has_order:
            for step in (-1, 1):
                yield (*place[:axis], place[axis] + step, *place[axis + 1 :])


def idle_axes(places: Sequence[tuple[int, ...]], digests: Sequence[object]) -> list[bool]:
    """For each axis, whether moving along it never changed what a set did (equal digests)."""
    known = dict(zip(places, digests, strict=True))
    found = []
    for axis in range(len(places[0])):
        first: dict[tuple[int, ...], object] = {}
        rests = ((place[:axis] + place[axis + 1 :], digest) for place, digest in known.items())
        found.append(len({place[axis] for place in places}) > 1 and all(first.setdefault(r, d) == d for r, d in rests))
    return found


def distinct(values: NDArray[np.float64]) -> int:
    """How many sets are different from each other on some day."""
    return len(np.unique(values, axis=0))
