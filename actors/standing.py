"""Where the sets of a sweep stand: over all days, from day to day, beside their neighbours; and what that is worth.

A set's figures over several instruments of a day are sums; only the Sharpe-like figure takes their steps as independent of each
other. Days add up as in a backtest that starts each day flat. A set that lacks a day, because it failed or is not done yet, is
shown and stands in no ranking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from actors.luck import Luck
from actors.trials import SUMMED
from core.study import selection
from core.study.equity import Array
from core.study.metrics import SAMPLE_S, YEAR_S

Columns = Mapping[str, Array]
"""Figures as arrays of sets by days, or of sets."""


class Objective(Struct, frozen=True):
    """What sets are ordered by: larger is better. A set for which it is not defined (no trade) stands at 0."""

    title: str
    kind: str
    of: Callable[[Columns], Array]


def _over(above: Array, below: Array) -> Array:
    found: Array = np.divide(above, below, out=np.zeros(np.shape(above)), where=below > 0)
    return found


def _sharpe(columns: Columns) -> Array:
    found: Array = _over(columns["step_mean"], columns["step_std"]) * np.sqrt(YEAR_S / SAMPLE_S)
    return found


OBJECTIVES: Final = {
    "pnl": Objective("profit", "money", lambda c: c["pnl"]),
    "gross_pnl": Objective("profit before fees and funding", "money", lambda c: c["gross_pnl"]),
    "sharpe": Objective("Sharpe, 10 s samples", "ratio", _sharpe),
    "return_over_trade": Objective("profit / turnover", "bp", lambda c: _over(c["pnl"], c["turnover"])),
    "return_over_drawdown": Objective("profit / maximum drawdown", "ratio", lambda c: _over(c["pnl"], c["max_drawdown"])),
}
COUNTED: Final = (*SUMMED, "fills", "orders", "max_drawdown")
PLENTY: Final = 400
"""Shuffles for the chance of the best: two digits of it."""


class Standing:
    """All that is said of a sweep's sets; made from its description and rows."""

    def __init__(self, sweep: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], by: str) -> None:
        self.sweep, self.rows, self.by = sweep, rows, OBJECTIVES[by]
        self.sets: list[dict[str, Any]] = sweep["sets"]
        self.days: list[str] = sweep["days"]
        self.values = [one["values"] for one in self.sets]
        self.places = [tuple(one["place"]) for one in self.sets]
        self._fill()

    def _fill(self) -> None:
        """Sums by set and day; a cell counts when all of its instruments are done."""
        shape = (len(self.sets), len(self.days))
        at = {day: k for k, day in enumerate(self.days)}
        cells = {name: np.zeros(shape) for name in (*COUNTED, "steps", "step_sum", "step_squares")}
        done = np.zeros(shape, np.int64)
        self.digests: list[list[str]] = [[] for _ in self.sets]
        for row in self.rows:
            if row["status"] != "done":
                continue
            place = row["set"] - 1, at[row["day"]]
            done[place] += 1
            self.digests[place[0]].append(row["digest"])
            for name in COUNTED:
                cells[name][place] += row[name]
            n = row["steps"]
            cells["steps"][place] = max(cells["steps"][place], n)
            cells["step_sum"][place] += row["step_mean"] * n
            cells["step_squares"][place] += row["step_std"] ** 2 * max(n - 1, 0)
        cells["step_squares"] += _over(cells["step_sum"] ** 2, cells["steps"])
        wanted = np.array([len(self.sweep["cells"][day]) for day in self.days])
        self.done: NDArray[np.bool_] = done == wanted
        self.complete: NDArray[np.intp] = np.flatnonzero(self.done.all(axis=1))
        """The sets that have every day: those that are ranked."""
        self.by_day = _with_steps(cells)
        over_days = {name: values.sum(axis=1) for name, values in cells.items()}
        over_days["max_drawdown"] = cells["max_drawdown"].max(axis=1, initial=0.0)
        self.total = _with_steps(over_days)

    @cached_property
    def scores(self) -> Array:
        """The objective of each set over all days; NaN for a set that is not complete."""
        found = np.array(self.by.of(self.total), float)
        found[np.setdiff1d(np.arange(len(found)), self.complete)] = np.nan
        return found

    @cached_property
    def daily(self) -> Array:
        """The objective of the complete sets by day."""
        return np.asarray(self.by.of(self.by_day))[self.complete]

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """The complete sets, the best first; the first in the grid among equals."""
        return self.complete[np.argsort(-self.scores[self.complete], kind="stable")]

    @cached_property
    def table(self) -> list[dict[str, Any]]:
        """One row a set: ranked ones first, in order, then those that lack days."""
        rank = {int(k): number for number, k in enumerate(self.order, 1)}
        others = [k for k in range(len(self.sets)) if k not in rank]
        return [self._row(int(k), rank.get(int(k))) for k in [*self.order, *others]]

    def _row(self, k: int, rank: int | None) -> dict[str, Any]:
        figures = {name: float(self.total[name][k]) for name in (*SUMMED, "max_drawdown")}
        row = {
            "set": k + 1, "rank": rank, **self.values[k], "score": None if rank is None else float(self.scores[k]), **figures,
            "fills": int(self.total["fills"][k]), "orders": int(self.total["orders"][k]),
            "sharpe": float(_sharpe(self.total)[k]), "return_over_trade": float(_over(figures["pnl"], figures["turnover"])),  # type: ignore[arg-type]
            "days": int(self.done[k].sum()),
        }  # fmt: skip
        return row | (self.stability[k] if rank else dict.fromkeys(STABILITY))

    @cached_property
    def stability(self) -> dict[int, dict[str, Any]]:
        """How each complete set did from day to day, and how its neighbours in the grid did over all days."""
        if not len(self.complete):
            return {}
        daily, standing = self.daily, selection.percentiles(self.daily)
        above = selection.above_median(daily)
        overall = dict(zip(self.complete.tolist(), selection.percentiles(self.scores[self.complete][:, None])[:, 0], strict=True))
        found = {}
        for n, k in enumerate(self.complete.tolist()):
            beside = [float(overall[other]) for other in self.beside[k] if other in overall]
            values = (
                daily[n].mean(), daily[n].std(ddof=1) if len(self.days) > 1 else None, daily[n].min(), daily[n].max(),
                (daily[n] > 0).mean(), above[n], standing[n].mean(), overall[k], len(beside),
                np.mean(beside) if beside else None, np.min(beside) if beside else None,
            )  # fmt: skip
            plain = [None if one is None else int(one) if isinstance(one, int) else float(one) for one in values]
            found[k] = dict(zip(STABILITY, plain, strict=True))
        return found

    @cached_property
    def beside(self) -> list[list[int]]:
        """Each set's neighbours in the grid."""
        return selection.neighbours(self.places, [axis["ordered"] for axis in self.sweep["grid"]])

    @cached_property
    def luck(self) -> Luck:
        """What the best set is worth."""
        if not len(self.complete):
            return Luck(sets=len(self.sets), complete=0, distinct=0, days=len(self.days))
        daily, best = self.daily, int(self.order[0])
        rng = np.random.default_rng(0)  # a fixed seed: the same sweep says the same again
        found = selection.best_mean(daily)
        slack = 1e-9 * max(abs(found), float(np.abs(daily).max()))
        chance = np.mean([selection.shuffled_best(daily, rng.random(daily.shape)) >= found - slack for _ in range(PLENTY)])
        out = selection.held_out(daily)
        digests = [tuple(self.digests[k]) for k in self.complete]
        idle = selection.idle_axes([self.places[k] for k in self.complete], digests)
        return Luck(
            sets=len(self.sets), complete=len(self.complete), distinct=len(set(digests)), days=len(self.days),
            best=best + 1, gains=bool(self.scores[best] > 0), chance=float(chance),
            correlation=selection.mean_correlation(daily), held_out=float(out.mean()) if len(out) else None,
            neighbours=self.stability[best]["neighbours_mean"],
            idle=tuple(axis["key"] for axis, still in zip(self.sweep["grid"], idle, strict=True) if still),
            still=int(sum(self.total["fills"][k] == 0 for k in self.complete)),
        )  # fmt: skip


STABILITY: Final = (
    "mean_day", "std_day", "worst_day", "best_day", "days_positive", "days_above_median", "standing_mean", "standing",
    "neighbours", "neighbours_mean", "neighbours_worst",
)  # fmt: skip
"""Of the objective by day; standings are 0 for the worst of all sets to 1 for the best."""


def _with_steps(cells: Mapping[str, Array]) -> dict[str, Array]:
    """Mean and deviation of the steps from their sums."""
    n = cells["steps"]
    mean = _over(cells["step_sum"], n)
    spread = np.maximum(cells["step_squares"] - n * mean * mean, 0.0)
    variance = np.divide(spread, n - 1, out=np.zeros(np.shape(n)), where=n > 1)
    return {**cells, "step_mean": mean, "step_std": np.sqrt(variance)}
