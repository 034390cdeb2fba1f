"""Small days that no venue would send: crossed diffs, empty sides, bursts at one nanosecond, trades through many levels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from core.kernel.layout import ASK, BID, BUY, CLEAR, CLEAR_ASK, CLEAR_BID, SELL


class Columns(NamedTuple):
    """A stream."""

    ns: np.ndarray
    kind: np.ndarray
    tick: np.ndarray
    lots: np.ndarray


def columns(rows: np.ndarray) -> Columns:
    """Rows of (ns, kind, tick, lots) as a stream."""
    ns, kind, tick, lots = np.asarray(rows, np.int64).reshape(-1, 4).T
    return Columns(ns.copy(), kind.astype(np.uint8), tick.astype(np.int32), lots.astype(np.int32))


def hostile_day(rng: Generator, count: int, width: int = 4, clears: str = "all") -> tuple[np.ndarray, np.ndarray]:
    """Exchange rows and the same rows in local order. `clears`: "all" kinds of clearing rows, "full" ones only, or "none"."""
    rows, now, mid = [], 1000, 1000
    for _ in range(count):
        now += 10 * int(rng.integers(0, 3)) * int(rng.integers(0, 5))
        mid += int(rng.integers(-1, 2)) if rng.random() < 0.2 else 0
        what = rng.random()
        if clears != "none" and what < 0.01:
            rows.append((now, CLEAR, 0, 0))
        elif clears == "all" and what < 0.03:
            rows.append((now, int(rng.choice([CLEAR_BID, CLEAR_ASK])), mid + int(rng.integers(-width, width + 1)), 0))
        elif what < 0.15:
            rows.append((now, int(rng.choice([BUY, SELL])), mid + int(rng.integers(-3, 4)), int(rng.integers(1, 20))))
        else:
            kind = int(rng.choice([BID, ASK]))
            crossed = rng.random() < 0.1
            away = int(rng.integers(-2 if crossed else 0, width)) + (kind == ASK and not crossed)
            lots = 0 if rng.random() < 0.35 else int(rng.integers(1, 20))
            rows.append((now, kind, mid - away if kind == BID else mid + away, lots))
    exch = np.array(rows, np.int64)
    local = exch.copy()
    local[:, 0] += rng.integers(0, 30, len(local))
    return exch, local[np.argsort(local[:, 0], kind="stable")]
