"""Where a file's events wait, a folder each instrument and day, until the whole file was seen and its grid is known.

A column is appended to memory and, beyond a bound, to a plain file, so a day of any size needs little memory. Decimals wait as
they came, as digits and how many of them are decimals, and become ticks and lots when they are read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from actors.history.dayfile import Part
from actors.history.schema import LOTS_COLUMNS, TABLES, TICK_COLUMNS, Segment

SPILL_BYTES = 64 << 20
"""What one instrument's day may hold in memory before it goes to disk."""

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
    """A value lies between two steps: table, column and row say where."""

    def __init__(self, table: str, column: str, row: int, text: str) -> None:
        super().__init__(text)
        self.table, self.column, self.row, self.text = table, column, row, text


@njit(cache=True, nogil=True)
def _to_grid(digits: Any, decimals: Any, step: int, grid_decimals: int, out: Any) -> int:
    """Digits and decimals as grid steps; the row of the first value off the grid or beyond 63 bits, else -1."""
    power = np.ones(19, np.int64)
    for i in range(1, 19):
        power[i] = power[i - 1] * 10
    for i in range(len(digits)):
        shift = grid_decimals - np.int64(decimals[i])
        if shift < 0 or shift > 18 or digits[i] > 9_200_000_000_000_000_000 // power[shift]:
            return i
        value = digits[i] * power[shift]
        if step != 1:
            if value % step:
                return i
            value //= step
        out[i] = value
    return -1


def decimal_text(digits: int, decimals: int) -> str:
    """The decimal that digits and their number of decimals stand for."""
    padded = str(digits).rjust(decimals + 1, "0")
    return f"{padded[: len(padded) - decimals]}.{padded[len(padded) - decimals :]}" if decimals else padded


class Spool:
    """One source file's events of one instrument and day."""

    def __init__(self, folder: Path, segment: Segment) -> None:
        self.folder = folder
        self.segment = segment
        self.tick, self.lot = Grid(1, 0), Grid(1, 0)
        self._held: dict[tuple[str, str], list[NDArray[Any]]] = {}
        self._held_bytes = 0
        self._types: dict[tuple[str, str], np.dtype] = {}
        self._joined: dict[tuple[str, str], NDArray[Any]] = {}

    def append(self, part: Part) -> None:
        """Take rows. Columns of decimals come as digits with a `_decimals` twin."""
        for table, columns in part.items():
            rows = 0
            for column, values in columns.items():
                rows = len(values)
                self._held.setdefault((table, column), []).append(values)
                self._types[table, column] = values.dtype
                self._held_bytes += values.nbytes
            self.segment.rows[table] = self.segment.rows.get(table, 0) + rows
        if self._held_bytes > SPILL_BYTES:
            self._spill()

    def _spill(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for (table, column), blocks in self._held.items():
            with (self.folder / f"{table}.{column}").open("ab") as file:
                for block in blocks:
                    block.tofile(file)
            blocks.clear()
        self._held_bytes = 0

    def drop(self, table: str) -> int:
        """Forget a table; says how many rows it had."""
        for key in [key for key in self._held if key[0] == table]:
            del self._held[key], self._types[key]
        return self.segment.rows.pop(table, 0)

    def raw(self, table: str, column: str) -> NDArray[Any]:
        """A whole column as it came."""
        key = (table, column)
        if key not in self._joined:
            path = self.folder / f"{table}.{column}"
            if path.exists():
                self._spill()
                self._joined[key] = np.memmap(path, self._types[key], "r")
            else:
                blocks = self._held.get(key, [])
                self._joined[key] = np.concatenate(blocks) if blocks else np.zeros(0, np.int64)
        return self._joined[key]

    def table(self, table: str, start: int = 0, stop: int | None = None) -> dict[str, NDArray[Any]]:
        """A slice of a table on the grid. Raises OffGrid."""
        return {column: self.column(table, column, start, stop) for column in TABLES[table]}

    def column(self, table: str, column: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """A slice of a column on the grid. Raises OffGrid."""
        values = self.raw(table, column)[start:stop]
        grid = self.tick if column in TICK_COLUMNS else self.lot if column in LOTS_COLUMNS else None
        if grid is None or not len(values):
            return values
        decimals = self.raw(table, column + DECIMALS)[start:stop]
        out = np.empty(len(values), np.int64)
        bad = _to_grid(values, decimals, grid.step, grid.decimals, out)
        if bad >= 0:
            raise OffGrid(table, column, start + bad, decimal_text(int(values[bad]), int(decimals[bad])))
        return out
