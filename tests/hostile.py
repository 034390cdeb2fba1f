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


def columns(rows: np.ndarray, wide: bool = False) -> Columns:
    """Rows of (ns, kind, tick, lots) as a stream; with `wide` lots are 64 bits."""
    ns, kind, tick, lots = np.asarray(rows, np.int64).reshape(-1, 4).T
    return Columns(ns.copy(), kind.astype(np.uint8), tick.astype(np.int32), lots.astype(np.int64 if wide else np.int32))


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


class Wild:
    """A market out of hand: bursts at one nanosecond, sweeps through a side, empty sides, levels far off, lots at the limit."""

    def __init__(self, rng: Generator, most: int) -> None:
        self.rng, self.most = rng, most
        self.rows: list[tuple[int, ...]] = []
        self.now, self.mid, self.burst = 1000, 20_000, 0
        self.width = int(rng.choice([3, 4, 10, 60, 800, 6000], p=[0.2, 0.3, 0.2, 0.15, 0.1, 0.05]))
        self.near = min(self.width, 8)

    def lots(self) -> int:
        chance = self.rng.random()
        return self.most if chance < 0.04 else int(self.rng.integers(1, self.most if chance < 0.08 else 20))

    def put(self, kind: int, tick: int, lots: int) -> None:
        self.rows.append((self.now, kind, tick, lots))

    def wait(self) -> None:
        """Mostly nothing passes in a burst; now and then a long time does."""
        self.burst -= 1
        if self.burst < 0:
            self.now += 10 * int(self.rng.integers(0, 3)) * int(self.rng.integers(0, 5)) + 500 * (self.rng.random() < 0.01)
            self.burst = int(self.rng.integers(5, 40)) if self.rng.random() < 0.03 else 0
        if self.rng.random() < 0.15:
            self.mid += int(self.rng.integers(-1, 2)) * int(self.rng.choice([1, 1, 1, self.near]))

    def clear(self) -> None:
        self.put(CLEAR, 0, 0)

    def clear_side(self) -> None:
        self.put(int(self.rng.choice([CLEAR_BID, CLEAR_ASK])), self.mid + int(self.rng.integers(-self.width, self.width + 1)), 0)

    def trade(self) -> None:
        self.put(int(self.rng.choice([BUY, SELL])), self.mid + int(self.rng.integers(-self.near, self.near + 1)), self.lots())

    def sweep(self) -> None:
        """Trades through several levels, the levels gone after them, perhaps at once."""
        taker, level, step = [(BUY, ASK, 1), (SELL, BID, -1)][int(self.rng.integers(2))]
        count = int(self.rng.integers(2, min(self.width, 12) + 1))
        for k in range(count):
            self.put(taker, self.mid + step * k, self.lots())
        self.now += 10 * (self.rng.random() < 0.3)
        for k in range(count):
            self.put(level, self.mid + step * k, 0)
        self.mid += step * count

    def empty(self) -> None:
        kind, step = [(BID, -1), (ASK, 1)][int(self.rng.integers(2))]
        for k in range(-self.near, min(self.width, 20)):
            self.put(kind, self.mid + step * k, 0)

    def jump(self) -> None:
        self.put(int(self.rng.choice([BID, ASK])), self.mid + int(self.rng.integers(-self.width, self.width + 1)), self.lots())

    def quote(self) -> None:
        kind, step = [(BID, -1), (ASK, 1)][int(self.rng.integers(2))]
        crossed = self.rng.random() < 0.1
        away = int(self.rng.integers(-2 if crossed else 0, self.width if self.rng.random() < 0.2 else self.near))
        tick = self.mid + step * (away + (kind == ASK and not crossed))
        self.put(kind, tick, 0 if self.rng.random() < 0.35 else self.lots())


def wild_day(rng: Generator, count: int, clears: str = "all", most: int = (1 << 31) - 1) -> tuple[np.ndarray, ...]:
    """Exchange rows, the same in local order, and an opening book (bids, asks), often none. `clears` as above."""
    wild = Wild(rng, most)
    odds = {
        wild.clear: 0.01 * (clears != "none"), wild.clear_side: 0.02 * (clears == "all"), wild.trade: 0.11, wild.sweep: 0.02,
        wild.empty: 0.005, wild.jump: 0.01, wild.quote: 0.8,
    }  # fmt: skip
    weights = np.array([*odds.values()]) / sum(odds.values())
    while len(wild.rows) < count:
        wild.wait()
        [*odds][int(rng.choice(len(odds), p=weights))]()
    exch = np.array(wild.rows, np.int64)
    local = exch.copy()
    local[:, 0] += rng.integers(0, int(rng.choice([1, 30, 500])), len(local))
    depth = [np.flatnonzero(rng.random(12) < 0.7) if rng.random() < 0.5 else np.zeros(0, np.int64) for _ in range(2)]
    bids, asks = (np.array([(20_000 + step * k, wild.lots()) for k in away], np.int64).reshape(-1, 2)
                  for step, away in ((-1, depth[0]), (1, depth[1] + 1)))  # fmt: skip
    return exch, local[np.argsort(local[:, 0], kind="stable")], bids, asks
