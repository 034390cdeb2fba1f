"""Made-up sweeps: rows written by hand, so that a sweep's readers are tested without a simulation."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from actors.grid import axes
from actors.sweep import Sweep, SweepFolder
from tests.runs import ASSUMPTIONS

GRID = ("strategy.gamma=0.05,0.1,0.2,0.3,0.5", "strategy.adj1=0.5:2:0.5", "queue.model=risk,power")
Profit = Callable[[Mapping[str, Any], np.random.Generator], float]


def luck(values: Mapping[str, Any], rng: np.random.Generator) -> float:
    """Profit of a set on a day: chance alone."""
    return float(rng.normal(0, 10))


def skill(values: Mapping[str, Any], rng: np.random.Generator) -> float:
    """Profit of a set on a day: best around gamma 0.2 and adj1 1, and a little chance."""
    return float(40 - 300 * (values["strategy.gamma"] - 0.2) ** 2 - 20 * (values["strategy.adj1"] - 1) ** 2 + rng.normal(0, 3))


def row(number: int, day: str, pnl: float, digest: str) -> dict[str, Any]:
    """A set's day that is done."""
    return {
        "set": number, "day": day, "instrument": "BTCUSDT", "status": "done", "cause": None, "pnl": pnl, "gross_pnl": pnl + 5,
        "fees": 5.0, "funding": 0.0, "turnover": 25_000.0, "fills": 120, "orders": 900, "max_drawdown": 12.0, "steps": 8_640,
        "step_mean": pnl / 8_640, "step_std": 0.3, "digest": digest, "seconds": 0.5,
    }  # fmt: skip


def made(path: Path, profit: Profit = skill, days: int = 8, grid: Sequence[str] = GRID, seed: int = 1) -> Sweep:
    """A finished sweep of so many days from 2024-07-18 on."""
    rng = np.random.default_rng(seed)
    along = axes(grid)
    places = list(itertools.product(*(range(len(axis.values)) for axis in along)))
    sets = [{axis.key: axis.values[k] for axis, k in zip(along, place, strict=True)} for place in places]
    names = [str(date(2024, 7, 18) + timedelta(k)) for k in range(days)]
    folder = SweepFolder(path)
    numbered = enumerate(zip(places, sets, strict=True), 1)
    described = {
        "sweep": path.name, "name": "made_up", "by": "pnl", "days": names, "instruments": ["BTCUSDT"], "store": "store",
        "graph": {"strategy": {"use": "a.py:A", "gamma": 0.3}}, "assumptions": ASSUMPTIONS, "versions": {"python": "3"},
        "grid": [{"key": axis.key, "values": axis.values, "ordered": axis.ordered} for axis in along],
        "sets": [{"set": k, "place": place, "values": values} for k, (place, values) in numbered],
        "cells": {day: ["BTCUSDT"] for day in names}, "hashes": {"code": "c0de", "data": {"BTCUSDT 2024-07-18": "da7a"}},
    }  # fmt: skip
    folder.begin(described, 'name = "made_up"\n')
    folder.keep([row(k, day, profit(values, rng), f"{k} {day}") for k, values in enumerate(sets, 1) for day in names])
    return Sweep(path)
