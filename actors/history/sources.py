"""A segment's rows wherever they are: in a spool, in a day file, or in either but without what another segment has too.

Two recorders of one market, or a file that was cut and then sent whole, overlap. An event is known by the venue's own number, so
of overlapping segments the later one (by first event; the smaller one of two that begin alike) gives up what the others have.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from actors.history.dayfile import DayFile
from actors.history.schema import LOTS_COLUMNS, TABLES, Segment

IDENTITY = {"depth": "last_id", "trades": "id", "bbo": "update_id", "marks": "exch_ns", "aside": "id"}
"""The column whose value no two different events of a table share (several bookTickers may, and then agree)."""
INT32_MAX = 2**31 - 1
_LOTS = {table: [name for name in columns if name in LOTS_COLUMNS] for table, columns in TABLES.items() if table != "aside"}


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

    def __init__(self, file: DayFile, number: int, lot_size: str = "") -> None:
        """`lot_size`: read quantities in this finer lot."""
        self._file = file
        self._factor = int(Decimal(file.day.lot_size) / Decimal(lot_size)) if lot_size else 1
        self.segment = file.day.segments[number]
        before = file.day.segments[:number]
        self._first = {table: sum(segment.rows.get(table, 0) for segment in before) for table in TABLES}
        self.wide = {what for what in ("tick", "lots") if file.column("levels", what, 0, 1).dtype == np.int64}
        self.wide |= {what for what in ("tick", "lots") if file.column("trades", what, 0, 1).dtype == np.int64}
        if self._factor != 1:
            columns = (self.column(table, name) for table, names in _LOTS.items() for name in names)
            self.wide |= {"lots" for values in columns if len(values) and values.max() > INT32_MAX}

    def column(self, table: str, column: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """A slice of a column, counted from the segment's first row."""
        rows = self.segment.rows.get(table, 0)
        stop = rows if stop is None else min(stop, rows)
        first = self._first[table]
        values = self._file.column(table, column, first + start, first + max(start, stop))
        return values.astype(np.int64) * self._factor if self._factor != 1 and column in LOTS_COLUMNS else values

    def table(self, table: str, start: int = 0, stop: int | None = None) -> dict[str, NDArray[Any]]:
        """A slice of a table, counted from the segment's first row."""
        return {column: self.column(table, column, start, stop) for column in TABLES[table]}


class Trimmed:
    """A segment without the rows that others have."""

    def __init__(self, source: Source, keep: dict[str, NDArray[np.bool_]]) -> None:
        self._source = source
        self._keep = keep
        rows = source.segment.rows | {table: int(np.count_nonzero(mask)) for table, mask in keep.items()}
        self.segment = msgspec.structs.replace(source.segment, rows={table: count for table, count in rows.items() if count})
        self.wide = source.wide
        self._last: tuple[tuple[str, str], NDArray[Any]] | None = None

    def column(self, table: str, column: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """A slice of a column, counted without what was left out."""
        if table not in self._keep:
            return self._source.column(table, column, start, stop)
        if self._last is None or self._last[0] != (table, column):
            self._last = (table, column), self._source.column(table, column)[self._keep[table]]
        return self._last[1][start:stop]

    def table(self, table: str, start: int = 0, stop: int | None = None) -> dict[str, NDArray[Any]]:
        """A slice of a table, counted without what was left out."""
        return {column: self.column(table, column, start, stop) for column in TABLES[table]}


def in_order(sources: Sequence[Source]) -> list[Source]:
    """The segments in order of time, each without what an earlier one has."""

    def place(source: Source) -> tuple[int, int, str]:
        return source.segment.first_ns, -sum(source.segment.rows.values()), source.segment.digest

    kept: list[Source] = []
    for source in sorted(sources, key=place):
        masks = {table: mask for table in IDENTITY if (mask := _fresh(table, source, kept)) is not None}
        if "depth" in masks:
            levels = source.column("depth", "bids").astype(np.int64) + source.column("depth", "asks")
            masks["levels"] = np.repeat(masks["depth"], levels)
        kept.append(Trimmed(source, masks) if masks else source)
    return kept


def _fresh(table: str, source: Source, others: Sequence[Source]) -> NDArray[np.bool_] | None:
    """Which rows of a table none of the others has; None where all are fresh, which two numbers a segment mostly tell."""
    near = [other for other in others if _meet(table, source, other)]
    if not near:
        return None
    column = IDENTITY[table]
    mine = source.column(table, column)
    seen = np.zeros(len(mine), np.bool_)
    for other in near:
        known = np.isin(mine, other.column(table, column))
        if table == "depth":  # events of another speed may end at the same update
            known &= np.isin(source.column(table, "first_id"), other.column(table, "first_id"))
            known &= np.isin(mine * 2 + source.column(table, "snapshot"), _with_kind(other))
        seen |= known
    return ~seen if seen.any() else None


def _with_kind(source: Source) -> NDArray[np.int64]:
    return source.column("depth", "last_id") * 2 + source.column("depth", "snapshot")  # type: ignore[no-any-return]


def _meet(table: str, one: Source, other: Source) -> bool:
    edges = []
    for source in (one, other):
        rows = source.segment.rows.get(table, 0)
        if not rows:
            return False
        ends = [int(source.column(table, IDENTITY[table], row, row + 1)[0]) for row in (0, rows - 1)]
        edges.append((min(ends), max(ends)))
    return edges[0][0] <= edges[1][1] and edges[1][0] <= edges[0][1]
