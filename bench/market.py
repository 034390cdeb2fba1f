"""The days that the kernel's benchmarks run on: generated ones of any size, and real captures; ours and the reference's rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench import reference
from core.kernel.layout import CLEAR
from core.kernel.replay import Columns
from core.kernel.synth import TRADE, generate


class Rows(NamedTuple):
    """A stream."""

    ns: np.ndarray
    kind: np.ndarray
    tick: np.ndarray
    lots: np.ndarray


class Market(NamedTuple):
    """A day of one instrument, ours and theirs."""

    name: str
    exch: Columns
    local: Columns
    bids: np.ndarray
    asks: np.ndarray
    grid: reference.Grid
    events: np.ndarray

    @property
    def streams(self) -> tuple[Columns, Columns, np.ndarray, np.ndarray]:
        """What a Replay takes first."""
        return self.exch, self.local, self.bids, self.asks

    @property
    def bounds(self) -> tuple[float, float]:
        """Prices around the day's own, for the reference's array depth."""
        ticks = self.exch.tick[self.exch.kind != CLEAR]
        levels = [side[:, 0] for side in (self.bids, self.asks) if len(side)]
        low, high = min(map(np.min, [ticks, *levels])), max(map(np.max, [ticks, *levels]))
        return float(low - 3_000) * self.grid.tick, float(high + 3_000) * self.grid.tick


def generated(rows: int, seed: int = 1) -> Market:
    """A generated day of so many rows."""
    made = generate(rows, seed, 0, 600_000)
    count = np.where(made.event == TRADE, 1, made.bids + made.asks).astype(np.int64)
    streams = []
    for stamps in (made.exch_ns, made.local_ns):
        ns = np.repeat(stamps, count)
        order = np.argsort(ns, kind="stable")
        streams.append(Rows(ns[order], made.kind[order], made.tick[order], made.lots[order]))
    grid = reference.Grid(0.1, 0.001)
    opening = (made.opening_bids, made.opening_asks)
    del made, count
    return Market(f"generated {rows:,}", *streams, *opening, grid, reference.events(*streams, grid))


def captured(captures: list[str], store: Path) -> Iterator[Market]:
    """The days of raw captures, imported."""
    from bench.fidelity import days_of

    for day in days_of(captures, store):
        grid = reference.Grid(float(day.instrument.tick_size), float(day.instrument.lot_size))
        streams = (day.exch, day.local)
        yield Market(f"{day.key} {day.day}", *streams, day.bids, day.asks, grid, reference.events(*streams, grid))
