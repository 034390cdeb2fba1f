"""The strategies of `bench.replay`: each on our desk and on the reference, from its simulator to (steps, checksum).

A case's run on the reference is told whether to write down its fills: the equality of fills is proved in a run of its own, which
is not timed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bench import glft, ours, theirs
from bench.reference import Grid

MS = 1_000_000
STEP = 100 * MS
LOTS, LIMIT = 5, 200
HELD = 16
ADJ1, ADJ2 = 0.2, 0.2
"""Factors at which a generated day's GLFT grid is filled now and then."""


class Case(NamedTuple):
    """A strategy on both sides; `asked`: the ratios to reach on generated days, linear and prepared."""

    ours: Callable[[int], tuple[int, int]]
    theirs: Callable[[Any, Grid, np.ndarray], tuple[int, int]]
    asked: tuple[float, float]


def zeros(*shape: int) -> np.ndarray:
    """Fresh state of a strategy."""
    return np.zeros(shape, np.int64)


def _clock(step_ns: int, asked: tuple[float, float]) -> Case:
    return Case(lambda s: ours.clock(s, step_ns), lambda hbt, grid, log: theirs.clock(hbt, step_ns, grid.lot), asked)


def _quoting(count: int, gap: int, asked: float) -> Case:
    def held() -> np.ndarray:
        return np.full((2, HELD), -1, np.int64)

    return Case(
        lambda s: ours.quotes(s, STEP, count, gap, LOTS, LIMIT, held()),
        lambda hbt, grid, log: theirs.quotes(hbt, STEP, count, gap, LOTS, LIMIT, held(), grid.tick, grid.lot, log),
        (asked, asked),
    )


def window() -> tuple[np.ndarray, ...]:
    """A GLFT strategy's own memory: its orders' slots, the window's depths and changes, the counts by depth."""
    return zeros(2, 64), zeros(glft.WINDOW), zeros(glft.WINDOW), zeros(glft.DEEPEST + 1)


def glft_of(count: int, tutorial: bool, asked: float, adj1: float = ADJ1, adj2: float = ADJ2) -> Case:
    """A GLFT grid of `count` quotes a side; the reference with the same incremental fit, or as its users write it."""
    numbers = (STEP, count, adj1, adj2, LOTS, LIMIT)

    def on_theirs(hbt: Any, grid: Grid, log: np.ndarray) -> tuple[int, int]:
        if tutorial:
            return glft.tutorial(hbt, *numbers, grid.tick, grid.lot, log)
        return glft.theirs(hbt, *numbers, *window(), grid.tick, grid.lot, log)

    return Case(lambda s: glft.ours(s, *numbers, *window(), zeros(9)), on_theirs, (asked, asked))


CASES = {
    "clock": _clock(STEP, (5.0, 8.0)),
    "clock 10 s": _clock(100 * STEP, (5.0, 8.0)),
    "feed": Case(lambda s: ours.feed(s, 1_000 * MS), lambda hbt, grid, log: theirs.feed(hbt, 1_000 * MS), (5.0, 5.0)),
    "grid": _quoting(5, 1, 8.0),
    "join": _quoting(1, 0, 5.0),
    "join 5": _quoting(5, 0, 5.0),
    "glft 4": glft_of(4, False, 7.0),
    "glft 20": glft_of(20, False, 7.0),
    "glft 20 tutorial": glft_of(20, True, 12.0),
}
QUIET = ("clock", "clock 10 s", "feed")
"""Cases without orders: one queue model is as good as another."""
