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
from core.dialect.binance import RULES, Rules
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
        return plan(c["snapshot"], c["first_id"], c["last_id"], c["prev_id"], rules.prev_id_linked, opening_id)  # type: ignore[no-any-return]

    def continues(self, rules: Rules, closing_id: int) -> bool:
        """Whether the first event goes on from a book at that update id."""
        events = np.flatnonzero(self.columns["snapshot"] == 0)
        if closing_id < 0 or not len(events):
            return False
        first = events[0]
        if rules.prev_id_linked:
            return bool(self.columns["prev_id"][first] == closing_id)
        return bool(self.columns["first_id"][first] == closing_id + 1)


class Folding:
    """The day's book, event by event, in blocks."""

    def __init__(self, depth: Depth, steps: NDArray[np.int64], opening: Book) -> None:
        self.depth = depth
        self.steps = steps
        self.crossed = 0
        room = max(len(side) for side in opening) + 4096
        self._price, self._qty = np.zeros((2, room), np.int64), np.zeros((2, room), np.int64)
        self._size = np.array([len(side) for side in opening], np.int64)
        for side, levels in enumerate(opening):
            self._price[side, : len(levels)] = levels[::-1, 0]
            self._qty[side, : len(levels)] = levels[::-1, 1]

    @property
    def book(self) -> Book:
        """Bids and asks as they stand, best first."""
        sides = (np.stack([self._price[i, :n], self._qty[i, :n]], axis=1)[::-1].copy() for i, n in enumerate(self._size.tolist()))
        bids, asks = sides
        return bids, asks

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
            self._grow(high - low)
            best = np.empty((len(steps), 4), np.int64)
            bids = np.where(steps < 0, -1, c["bids"][event]).astype(np.int64)
            asks = np.where(steps < 0, 0, c["asks"][event]).astype(np.int64)
            self.crossed += fold(
                c["snapshot"][event], start[event] - low, bids, asks, tick, lots, self._price, self._qty, self._size, best
            )
            yield steps, best

    def _runs(self) -> Iterator[tuple[int, int]]:
        """Stretches of steps whose events follow each other in the file, of a bounded number of levels."""
        if not len(self.steps):
            return
        event = np.where(self.steps < 0, -self.steps - 1, self.steps)
        block = self.depth.start[event] // BLOCK_ROWS
        cuts = np.flatnonzero((np.diff(event) != 1) | (np.diff(block) != 0)) + 1
        edges = [0, *cuts.tolist(), len(event)]
        yield from itertools.pairwise(edges)

    def _grow(self, levels: int) -> None:
        room = int(self._size.max()) + levels + 1
        if room > self._price.shape[1]:
            extra = ((0, 0), (0, room - self._price.shape[1]))
            self._price, self._qty = np.pad(self._price, extra), np.pad(self._qty, extra)


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


def joined(parts: list[NDArray[Any]], dtype: np.dtype) -> NDArray[Any]:
    parts = [part for part in parts if len(part)]
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.zeros(0, dtype)
