"""Where a file's events wait, one spool each instrument and day, until the whole file was seen and its grid is known.

A column is appended to memory and, beyond a bound, to a plain file, so a day of any size needs little memory. Decimals wait as
they came, as digits and how many of them are decimals; `settle` turns them into ticks and lots, where they lie.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.history.dayfile import Part
from actors.history.schema import LOTS_COLUMNS, TABLES, TICK_COLUMNS, Segment
from core.kernel.grid import to_grid

SPILL_BYTES = 64 << 20
"""What one instrument's day may hold in memory before it goes to disk."""
SETTLE_ROWS = 1 << 20
DECIMALS = "_decimals"
"""A column of digits has a twin of this ending, with how many of them are decimals."""


class Grid(NamedTuple):
    """A step as a whole number of 10**-decimals: 0.25 is (25, 2)."""

    step: int
    decimals: int

    @classmethod
    def parse(cls, text: str) -> Grid:
        """The grid whose step is this decimal."""
        whole, _, fraction = text.partition(".")
        fraction = fraction.rstrip("0")
        return cls(int(whole + fraction), len(fraction))


class OffGrid(ValueError):
    """A value lies between two steps: table, row and the value's text say which."""

    def __init__(self, table: str, column: str, row: int, text: str) -> None:
        super().__init__(text)
        self.table, self.column, self.row, self.text = table, column, row, text


def decimal_text(digits: int, decimals: int) -> str:
    """The decimal that digits and their number of decimals stand for."""
    padded = str(digits).rjust(decimals + 1, "0")
    return f"{padded[: len(padded) - decimals]}.{padded[len(padded) - decimals :]}" if decimals else padded


class Spool:
    """One source file's events of one instrument and day."""

    def __init__(self, folder: Path, segment: Segment) -> None:
        self.folder = folder
        self.segment = segment
        self.decimals = {"tick": 0, "lots": 0}
        """The most decimals seen among prices and among quantities."""
        self.wide: set[str] = set()
        """Which of them do not fit 32 bits; known once settled."""
        self._held: dict[tuple[str, str], list[NDArray[Any]]] = {}
        self._held_bytes = 0
        self._types: dict[tuple[str, str], np.dtype[Any]] = {}

    def append(self, part: Part) -> None:
        """Take rows. Columns of decimals come as digits with a `_decimals` twin."""
        for table, columns in part.items():
            rows = 0
            for column, values in columns.items():
                rows = len(values)
                if not rows:
                    break
                self._held.setdefault((table, column), []).append(values)
                self._types[table, column] = values.dtype
                self._held_bytes += values.nbytes
                if column.endswith(DECIMALS):
                    what = "tick" if column.removesuffix(DECIMALS) in TICK_COLUMNS else "lots"
                    self.decimals[what] = max(self.decimals[what], int(values.max()))
            if rows:
                self.segment.rows[table] = self.segment.rows.get(table, 0) + rows
        if self._held_bytes > SPILL_BYTES:
            self._spill()

    def drop(self, table: str) -> int:
        """Forget a table; says how many rows it had."""
        for key in [key for key in self._held if key[0] == table]:
            del self._held[key]
        return self.segment.rows.pop(table, 0)

    def rename(self, table: str, name: str) -> None:
        """Let a table stand under another name."""
        for key in [key for key in self._held if key[0] == table]:
            self._held[name, key[1]] = self._held.pop(key)
            self._types[name, key[1]] = self._types[key]
            if self._path(key).exists():
                self._path(key).rename(self._path((name, key[1])))
        self.segment.rows[name] = self.segment.rows.pop(table, 0)

    def settle(self, tick: Grid, lot: Grid) -> None:
        """Turn decimals into grid steps. Raises OffGrid; then the spool is of no more use."""
        for table, column in list(self._held):
            what = "tick" if column in TICK_COLUMNS else "lots" if column in LOTS_COLUMNS else ""
            if what and self.segment.rows.get(table):
                self._settle(table, column, tick if what == "tick" else lot, what)

    def _settle(self, table: str, column: str, grid: Grid, what: str) -> None:
        rows = self.segment.rows[table]
        for start in range(0, rows, SETTLE_ROWS):
            block = self.column(table, column, start, start + SETTLE_ROWS)
            decimals = self.column(table, column + DECIMALS, start, start + SETTLE_ROWS)
            bad, largest = to_grid(block, decimals, grid.step, grid.decimals)
            if bad >= 0:
                raise OffGrid(table, column, start + bad, decimal_text(int(block[bad]), int(decimals[bad])))
            if largest > np.iinfo(np.int32).max:
                self.wide.add(what)
            self._put_back(table, column, start, block)

    def _put_back(self, table: str, column: str, start: int, block: NDArray[Any]) -> None:
        """A block changed: on disk it is written again; in memory it was a view."""
        path = self._path((table, column))
        if path.exists():
            with path.open("r+b") as file:
                file.seek(start * block.itemsize)
                block.tofile(file)

    def raw(self, table: str, column: str) -> NDArray[Any]:
        """A whole column as it lies here."""
        return self.column(table, column)

    def table(self, table: str, start: int = 0, stop: int | None = None) -> dict[str, NDArray[Any]]:
        """A slice of a table."""
        return {column: self.column(table, column, start, stop) for column in TABLES[table]}

    def column(self, table: str, column: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """A slice of a column; read, not mapped, because mapped pages would count as memory of ours."""
        key = (table, column)
        if self._held_bytes and self._path(key).exists():
            self._spill()
        if self._path(key).exists():
            dtype, rows = self._types[key], self.segment.rows.get(table, 0)
            count = (rows if stop is None else min(stop, rows)) - start
            return np.fromfile(self._path(key), dtype, max(count, 0), offset=start * dtype.itemsize)
        blocks = self._held.get(key, [])
        if len(blocks) != 1:
            blocks = self._held[key] = [np.concatenate(blocks) if blocks else np.zeros(0, np.int64)]
        return blocks[0][start:stop]

    def discard(self) -> None:
        """Give disk and memory back."""
        self._held.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, key: tuple[str, str]) -> Path:
        return self.folder / ".".join(key)

    def _spill(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for key, blocks in self._held.items():
            if blocks:
                with self._path(key).open("ab") as file:
                    for block in blocks:
                        block.tofile(file)
                blocks.clear()
        self._held_bytes = 0
