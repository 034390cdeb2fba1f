"""A day made from its segments: sorted, synchronised, folded into its opening and closing book, written.

The same segments and the same book of the day before give the same file, in whatever order they came. Memory is that of the
depth events' numbers (some bytes an event) and one block of levels, never of the day's levels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from actors.history.dayfile import EMPTY_BOOK, Book, DayFile, DayWriter
from actors.history.schema import IMPORTER, LAYOUT, TABLES, Day, Gap, Mark, Segment
from core.book import APART, APPLIED, GAP
from core.dialect.binance import RULES, Rules
from core.kernel.sync import fold, plan

BLOCK_ROWS = 1 << 20
"""Rows copied or folded at once: some 10 MB a column."""
GAPS_KEPT = 1000
"""Gaps described one by one in the file; beyond that they are counted."""

FALLBACK_RULES = Rules(True, 0.0, 0.0, True)
"""For a venue that is not Binance: events linked by the id of the one before."""


class Source(Protocol):
    """A segment's rows, wherever they are."""

    segment: Segment
    wide: set[str]

    def column(self, table: str, column: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """A slice of a column."""

    def table(self, table: str, start: int = 0, stop: int | None = None) -> dict[str, NDArray[Any]]:
        """A slice of a table."""


class Stored:
    """A segment inside a day file."""

    def __init__(self, file: DayFile, number: int) -> None:
        self._file = file
        self.segment = file.day.segments[number]
        before = file.day.segments[:number]
        self._first = {table: sum(segment.rows.get(table, 0) for segment in before) for table in TABLES}
        self.wide = {what for what in ("tick", "lots") if file.column("levels", what, 0, 1).dtype == np.int64}
        self.wide |= {what for what in ("tick", "lots") if file.column("trades", what, 0, 1).dtype == np.int64}

    def column(self, table: str, column: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """A slice of a column, counted from the segment's first row."""
        rows = self.segment.rows.get(table, 0)
        stop = rows if stop is None else min(stop, rows)
        first = self._first[table]
        return self._file.column(table, column, first + start, first + max(start, stop))

    def table(self, table: str, start: int = 0, stop: int | None = None) -> dict[str, NDArray[Any]]:
        """A slice of a table, counted from the segment's first row."""
        return {column: self.column(table, column, start, stop) for column in TABLES[table]}


class Before(NamedTuple):
    """What the nearest earlier stored day leaves to this one."""

    closing_id: int
    book: Book
    mark: Mark | None


NOTHING_BEFORE = Before(-1, EMPTY_BOOK, None)


class Depth(NamedTuple):
    """The numbers of a day's depth events, in order; `start` is the first row of an event's levels, `owner` its segment."""

    columns: dict[str, NDArray[Any]]
    start: NDArray[np.int64]
    owner: NDArray[np.int64]

    @classmethod
    def of(cls, sources: Sequence[Source]) -> Depth:
        """Read them from the day's sources."""
        names = ("exch_ns", "local_ns", "line", "snapshot", "first_id", "last_id", "prev_id", "bids", "asks")
        columns = {name: _joined([source.column("depth", name) for source in sources], TABLES["depth"][name]) for name in names}
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


def rules_of(venue: str) -> Rules:
    """The sequence rule of a venue."""
    return RULES.get(venue, FALLBACK_RULES)


def rebuild(path: Path, day: Day, sources: Sequence[Source], before: Before) -> Day:
    """Write the day file of these segments; `day` names the instrument, grid and date. Returns the description as written."""
    sources = sorted(sources, key=lambda source: (source.segment.first_ns, source.segment.digest))
    rules = rules_of(day.venue)
    depth = Depth.of(sources)
    chained = depth.continues(rules, before.closing_id)
    opening = before.book if chained else EMPTY_BOOK
    day = msgspec.structs.replace(
        day,
        segments=[source.segment for source in sources],
        opening_id=before.closing_id if chained else -1,
        opening_mark=before.mark,
        closing_mark=_closing_mark(sources) or before.mark,
    )
    steps, verdict, day.closing_id = depth.plan(rules, day.opening_id)
    day.quality = "book" if np.any(verdict == APPLIED) else "no book"
    day.apart = int(np.count_nonzero((verdict == APART) | (verdict == GAP)))
    day.gap_count = int(np.count_nonzero(verdict == GAP))
    day.gaps = _gaps(day.segments, depth, verdict)
    with DayWriter(path, {what for source in sources for what in source.wide}) as writer:
        for source in sources:
            for table in TABLES:
                for start in range(0, source.segment.rows.get(table, 0), BLOCK_ROWS):
                    writer.append({table: source.table(table, start, start + BLOCK_ROWS)})
        folding = Folding(depth, steps, opening)
        for _ in folding.blocks(sources):
            pass
        day.crossed = folding.crossed
        closing = folding.book if day.closing_id >= 0 else EMPTY_BOOK
        writer.books(opening, closing)
        day.digest = digest(day, opening)
        writer.commit(day)
    return day


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
        yield from zip(edges[:-1], edges[1:], strict=True)

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
        tick, lots = (_joined([part[i] for part in parts], np.dtype(np.int64)) for i in (0, 1))
        return tick, lots


def _joined(parts: list[NDArray[Any]], dtype: np.dtype) -> NDArray[Any]:
    parts = [part for part in parts if len(part)]
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.zeros(0, dtype)


def _closing_mark(sources: Sequence[Source]) -> Mark | None:
    newest: Mark | None = None
    for source in sources:
        rows = source.segment.rows.get("marks", 0)
        for row in source.table("marks", max(0, rows - 1), rows)["exch_ns"][:1]:
            columns = source.table("marks", rows - 1, rows)
            names = ("exch_ns", "local_ns", "mark_e8", "index_e8", "rate_e8", "next_funding_ns")
            if newest is None or row >= newest[0]:
                newest = tuple(int(columns[name][0]) for name in names)  # type: ignore[assignment]
    return newest


def _gaps(segments: list[Segment], depth: Depth, verdict: NDArray[np.uint8]) -> list[Gap]:
    c = depth.columns
    return [
        Gap(
            segments[depth.owner[i]].source,
            int(c["line"][i]),
            int(c["first_id"][i]),
            int(c["last_id"][i]),
            int(c["last_id"][i - 1]) if i else -1,
        )
        for i in np.flatnonzero(verdict == GAP)[:GAPS_KEPT].tolist()
    ]


def digest(day: Day, opening: Book) -> str:
    """What the file's content follows from: the sources, the grid, the book before it, and this program's way of writing."""
    words = [LAYOUT, IMPORTER, day.venue, day.symbol, day.day, day.tick_size, day.lot_size, day.opening_id, day.opening_mark]
    words += [(segment.digest, sorted(segment.rows.items())) for segment in day.segments]
    digest = hashlib.sha256(msgspec.json.encode(words))
    for side in opening:
        digest.update(side.tobytes())
    return digest.hexdigest()
