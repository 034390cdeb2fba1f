"""The depth events of a day as numbers, and the book that they fold into, block by block."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.history.dayfile import Book
from actors.history.schema import TABLES
from actors.history.sources import Source
from core.dialect.binance.words import RULES, Rules
from core.kernel.sync import fold, plan

BLOCK_ROWS = 1 << 20
"""Rows copied or folded at once: some 10 MB a column."""

FALLBACK_RULES = Rules(True, 0.0, 0.0, True)
"""For a venue that is not Binance: events linked by the id of the one before."""


def rules_of(venue: str) -> Rules:
    """The sequence rule of a venue."""
    return RULES.get(venue, FALLBACK_RULES)


class Depth(NamedTuple):
    """The numbers of a day's depth events, in order; `start` is the first row of an event's levels, `owner` its segment."""

    columns: dict[str, NDArray[Any]]
    start: NDArray[np.int64]
    owner: NDArray[np.int64]

    @classmethod
    def of(cls, sources: Sequence[Source]) -> Depth:
        """Read them from the day's sources."""
        names = ("exch_ns", "local_ns", "line", "snapshot", "first_id", "last_id", "prev_id", "bids", "asks")
        columns = {name: joined([source.column("depth", name) for source in sources], TABLES["depth"][name]) for name in names}
        counts = columns["bids"].astype(np.int64) + columns["asks"]
        owner = np.repeat(np.arange(len(sources)), [source.segment.rows.get("depth", 0) for source in sources])
        return cls(columns, np.cumsum(counts) - counts, owner)

    def plan(self, rules: Rules, opening_id: int) -> tuple[NDArray[np.int64], NDArray[np.uint8], int]:
        """`core.kernel.sync.plan` of these events."""
        c = self.columns
        return plan(c["snapshot"], c["first_id"], c["last_id"], c["prev_id"], rules.prev_id_linked, opening_id)

    def continues(self, rules: Rules, closing_id: int) -> bool:
        """Whether the first event goes on from a book at that update id."""
        events = np.flatnonzero(self.columns["snapshot"] == 0)
        if closing_id < 0 or not len(events):
            return False
        first = events[0]
        if rules.prev_id_linked:
            return bool(self.columns["prev_id"][first] == closing_id)
        return bool(self.columns["first_id"][first] == closing_id + 1)


NEAR_TICKS = 1 << 20
"""Ticks around the market that the book keeps as an array: 16 MB, of which only touched pages exist; 52,000 of BTC at 0.1."""


class Folding:
    """The day's book, event by event, in blocks.

    The lots at tick t are `near[side, t - low]` where that exists, else in the side's sorted `price`, `qty`, worst first, of
    which `size` are used. `touched` bounds a side's nonzero near part: for bids (lowest, best), for asks (best, highest).
    """

    def __init__(self, depth: Depth, steps: NDArray[np.int64], opening: Book) -> None:
        self.depth = depth
        self.steps = steps
        self.crossed = 0
        self._opening = opening
        self._near = np.zeros((2, NEAR_TICKS), np.int64)
        self._low = 0
        self._touched = np.array([[NEAR_TICKS, -1], [NEAR_TICKS, -1]], np.int64)
        self._price: NDArray[np.int64] = np.zeros((2, 64), np.int64)
        self._qty: NDArray[np.int64] = np.zeros((2, 64), np.int64)
        self._size = np.zeros(2, np.int64)
        tick = np.concatenate([side[:, 0] for side in opening])
        if len(tick):
            self._place(tick)
            bids, asks = (np.array([len(side)]) for side in opening)
            lots = np.concatenate([side[:, 1] for side in opening])
            self._fold(np.ones(1, np.uint8), np.zeros(1, np.int64), bids, asks, tick, lots)

    @property
    def book(self) -> Book:
        """Bids and asks as they stand, best first."""
        sides = []
        for side in (0, 1):
            low, high = self._touched[side]
            place = low + np.flatnonzero(self._near[side, low : max(high + 1, low)])
            near = np.stack([place + self._low, self._near[side, place]], axis=1)
            far = np.stack([self._price[side], self._qty[side]], axis=1)[: self._size[side]]
            levels = np.concatenate([near, far])
            sides.append(levels[np.argsort(levels[:, 0] if side else -levels[:, 0])])
        return sides[0], sides[1]

    def _place(self, tick: NDArray[np.int64]) -> None:
        """Choose where the near part lies: around the middle of the first levels seen."""
        self._low = int(np.median(tick)) - NEAR_TICKS // 2

    def _fold(
        self,
        snapshot: NDArray[np.uint8],
        start: NDArray[np.int64],
        bids: NDArray[np.int64],
        asks: NDArray[np.int64],
        tick: NDArray[np.int64],
        lots: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        far = int(np.count_nonzero((tick < self._low) | (tick >= self._low + NEAR_TICKS)))
        room = int(self._size.max()) + far + 1
        if room > self._price.shape[1]:
            extra = ((0, 0), (0, 2 * room - self._price.shape[1]))
            self._price, self._qty = np.pad(self._price, extra), np.pad(self._qty, extra)
        best = np.empty((len(start), 4), np.int64)
        book = (self._near, self._low, self._touched, self._price, self._qty, self._size)
        self.crossed += fold(snapshot, start, bids, asks, tick, lots, book, best)
        return best

    def blocks(self, sources: Sequence[Source]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Apply the steps; after each block yields its steps and, for each, best bid, its lots, best ask, its lots."""
        c, start = self.depth.columns, self.depth.start
        levels = _Levels(sources)
        for first, last in self._runs():
            steps = self.steps[first:last]
            event = np.where(steps < 0, -steps - 1, steps)
            low = int(start[event[0]])
            high = int(start[event[-1]] + c["bids"][event[-1]] + c["asks"][event[-1]])
            tick, lots = levels.read(low, high)
            if first == 0 and len(tick) and not len(self._opening[0]) + len(self._opening[1]):
                self._place(tick)
            bids = np.where(steps < 0, -1, c["bids"][event]).astype(np.int64)
            asks = np.where(steps < 0, 0, c["asks"][event]).astype(np.int64)
            yield steps, self._fold(c["snapshot"][event], start[event] - low, bids, asks, tick, lots)

    def _runs(self) -> Iterator[tuple[int, int]]:
        """Stretches of steps whose events follow each other in the file, of a bounded number of levels."""
        if not len(self.steps):
            return
        event = np.where(self.steps < 0, -self.steps - 1, self.steps)
        block = self.depth.start[event] // BLOCK_ROWS
        cuts = np.flatnonzero((np.diff(event) != 1) | (np.diff(block) != 0)) + 1
        edges = [0, *cuts.tolist(), len(event)]
        yield from itertools.pairwise(edges)


class _Levels:
    """The levels of several sources as one column each, read in slices."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._edges = np.cumsum([0] + [source.segment.rows.get("levels", 0) for source in sources]).tolist()

    def read(self, low: int, high: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ticks and lots of the rows from low to high."""
        parts: list[tuple[NDArray[Any], NDArray[Any]]] = []
        for source, first, last in zip(self._sources, self._edges[:-1], self._edges[1:], strict=True):
            start, stop = max(low, first) - first, min(high, last) - first
            if start < stop:
                parts.append((source.column("levels", "tick", start, stop), source.column("levels", "lots", start, stop)))
        tick, lots = (joined([part[i] for part in parts], np.dtype(np.int64)) for i in (0, 1))
        return tick, lots


def joined(parts: list[NDArray[Any]], dtype: np.dtype[Any]) -> NDArray[Any]:
    parts = [part for part in parts if len(part)]
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.zeros(0, dtype)
