"""A block of parameter sets tried on one reading of one day: a sweep's unit of work, and the row that each set leaves.

There are two ways, with the same numbers. A strategy that offers the compiled day has its block run in one loop; any other is
simulated set after set on the nodes themselves. The second way is also what state across midnight, a warm-up and instruments
that run together take.

A set that fails fails alone: in the compiled way a block that raises is done again set by set. What a row says is enough for
every table and figure; fills and equity of a set are a backtest's, which `--set` makes of it.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray

from actors.errors import cause
from actors.graph import US, Plan
from actors.history.tickdb import TickDb
from actors.sim.days import DayResult, Progress, watched
from actors.tasks import Task
from core.study.equity import Curve, chained, together
from core.study.metrics import max_drawdown

if TYPE_CHECKING:
    from actors.sim.compiled import SetDay


class Trial(Struct, frozen=True):
    """A set's number and its own parameters of the strategy."""

    number: int
    parameters: dict[str, Any]


class Block(Task, frozen=True, kw_only=True):
    """Sets to try on a task's days; the task's plan is the world that they share."""

    trials: tuple[Trial, ...]

    @property
    def compiled(self) -> bool:
        """Whether these sets run in one compiled loop."""
        return len(self.keys) == 1 and offers(self.plan)

    def label(self, day: str = "") -> str:
        """How people see it: `2024-07-18 BTCUSDT, sets 1 to 8`."""
        first, last = self.trials[0].number, self.trials[-1].number
        return f"{super().label(day)}, " + (f"set {first}" if first == last else f"sets {first} to {last}")

    def planned(self, trial: Trial) -> Plan:
        """The graph with a set's parameters."""
        graph = self.plan.graph
        return structs.replace(self.plan, graph=structs.replace(graph, strategy={**graph.strategy, **trial.parameters}))


class Tried(Struct, frozen=True):
    """Rows of sets and days that are over, done or failed."""

    rows: tuple[dict[str, Any], ...]


def offers(plan: Plan) -> bool:
    """Whether a graph's strategy runs in the compiled day, and nothing of the graph needs the nodes."""
    from actors.sim.compiled import uncompiled

    return not uncompiled(plan)


def attempts(block: Block) -> Iterator[Progress | Tried]:
    """Try a block's sets. Never raises for what a set does: that is the set's row."""
    if block.compiled:
        yield from _compiled(block)
        return
    for number, trial in enumerate(block.trials):
        yield from _simulated(block, trial, number)


def _compiled(block: Block) -> Iterator[Progress | Tried]:
    """All sets at once over each day; where one of them raises, each by itself."""
    for day in block.days:
        yield Progress(day, 0, len(block.trials))
        try:
            yield Tried(tuple(_in_one_loop(block, day, block.trials)))
        except Exception:  # noqa: BLE001 - which set it was, and why, is found below
            for number, trial in enumerate(block.trials):
                yield Progress(day, number, len(block.trials))
                try:
                    yield Tried(tuple(_in_one_loop(block, day, [trial])))
                except Exception as error:  # noqa: BLE001 - whatever a strategy raises is its set's result
                    why = cause(error, block.plan.strategy_file.parent)
                    yield Tried((failed(block, trial, day, why, traceback.format_exc()),))


def _in_one_loop(block: Block, day: str, trials: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    from actors.sim.compiled import simulate_sets

    base_ns = round(block.plan.graph.latency.feed_base_us * US)
    prepared = TickDb(block.store).prepared(block.keys[0], day, base_ns)
    found = simulate_sets(block.plan, prepared, [trial.parameters for trial in trials])
    for trial, one in zip(trials, found, strict=True):
        yield row(trial.number, one.summary, _curve(one))


def _simulated(block: Block, trial: Trial, number: int) -> Iterator[Progress | Tried]:
    """One set on the simulated host, its days in order; progress is of the whole block."""
    left = list(block.days)
    whole = len(block.trials)
    try:
        for word in watched(block.planned(trial), block.store, block.keys, block.days):
            if isinstance(word, DayResult):
                left.remove(word.summary["day"])
                yield Tried((row(trial.number, word.summary, _curve(word)),))
            else:
                yield Progress(word.day, word.rows + number * word.rows_all, whole * word.rows_all)
    except Exception as error:  # noqa: BLE001 - whatever a strategy raises is its set's result
        why = cause(error, block.plan.strategy_file.parent)
        rows = [failed(block, trial, left[0], why, traceback.format_exc())]
        rows += [failed(block, trial, day, f"not simulated: {left[0]} failed before it") for day in left[1:]]
        yield Tried(tuple(rows))


def _curve(result: DayResult | SetDay) -> Curve:
    """The day's equity, all instruments together, from 0 on."""
    table = result.equity
    parts = []
    for symbol in range(len(result.summary["instruments"])):
        mine = table["symbol"] == symbol
        parts.append(chained([{name: table[name][mine] for name in ("time_ns", "equity", "notional")}]))
    whole = together(parts)
    return whole._replace(equity=whole.equity - result.summary.get("start_equity", 0.0))


SUMMED = ("pnl", "gross_pnl", "fees", "funding", "turnover")


def row(number: int, summary: Mapping[str, Any], curve: Curve) -> dict[str, Any]:
    """What is kept of a set's day. Changes of equity from sample to sample are kept as their count, mean and deviation."""
    steps: NDArray[np.float64] = curve.steps
    orders = summary["orders"]
    return {
        "set": number,
        "day": summary["day"],
        "instrument": "+".join(summary["instruments"]),
        "status": "done",
        "cause": None,
        **{name: float(summary[name]) for name in SUMMED},
        "fills": summary["fills"],
        "orders": orders.get("new", 0) if isinstance(orders, Mapping) else int(orders),
        "max_drawdown": max_drawdown(curve.time_ns, curve.equity).value,
        "steps": len(steps),
        "step_mean": float(np.mean(steps)) if len(steps) else 0.0,
        "step_std": float(np.std(steps, ddof=1)) if len(steps) > 1 else 0.0,
        "digest": summary["digest"],
        "seconds": summary["seconds"],
    }


def failed(block: Block, trial: Trial, day: str, why: str, where: str = "") -> dict[str, Any]:
    """The row of a set that failed on a day: why in one line, and where in many."""
    key = {"set": trial.number, "day": day, "instrument": "+".join(block.symbols)}
    return {**key, "status": "failed", "cause": why, "traceback": where}
