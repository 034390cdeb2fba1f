"""One instrument's day as one HDF5 file: read in slices, written beside and renamed.

A column is an extendable array under /<table>/<column>, `blosc:lz4` level 5 with checksums; a table without rows is absent. The
day in words is json under /day. Nothing in the file depends on when or by whom it was written: equal content, equal bytes.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np
import tables
from numpy.typing import NDArray

from actors.errors import UserError
from actors.history.schema import BOOKS, LAYOUT, TABLES, Day

CHUNK_ROWS = 16_384
"""Rows a compressed block: a slice of 10,000 rows touches two; four times as many compress 2 % better and write slower."""
DAMAGE: tuple[type[Exception], ...] = (
    tables.exceptions.HDF5ExtError,
    tables.exceptions.NodeError,
    msgspec.MsgspecError,
    OSError,
    ValueError,
    TypeError,
)
DAMAGE += (KeyError, AttributeError, RuntimeError, SystemError, MemoryError)
"""What HDF5 and PyTables were seen to raise on flipped bytes, whichever byte it was."""
CACHE_BYTES = 1 << 20
"""HDF5's cache a column while writing: blocks are written once, in order, and thirty columns are open at once."""
FILTERS = tables.Filters(complevel=5, complib="blosc:lz4", shuffle=True, fletcher32=True)

Part = dict[str, dict[str, NDArray[Any]]]
"""Some rows of some tables: table, column, values. All columns of a table are equally long."""
Book = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Bids (best first) and asks (best first), each (levels, 2) of tick and lots."""

EMPTY_BOOK: Book = (np.zeros((0, 2), np.int64), np.zeros((0, 2), np.int64))


class DayWriter:
    """Writes one day file. Leaving the `with` block without `commit` leaves the old file, if any, as it was."""

    def __init__(self, path: Path, wide: Iterable[str] = (), rows: dict[str, int] | None = None) -> None:
        """`wide`: "tick" and/or "lots", the columns that do not fit 32 bits. `rows`: how many a table will have."""
        self.path = path
        self._beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._wide = {name for name in ("tick", "bid_tick", "ask_tick") if "tick" in wide}
        self._wide |= {name for name in ("lots", "bid_lots", "ask_lots") if "lots" in wide}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = tables.open_file(str(self._beside), "w", title="astrarium day", chunk_cache_size=CACHE_BYTES)
        self._columns: dict[tuple[str, str], Any] = {}
        self._rows = rows or {}

    def append(self, part: Part) -> None:
        """Add rows to tables."""
        for table, columns in part.items():
            for column, values in columns.items():
                if len(values):
                    self._column(table, column).append(values)

    def books(self, opening: Book, closing: Book) -> None:
        """The book as of the day's first instant and as of its last."""
        for name, book in (("opening", opening), ("closing", closing)):
            for side, levels in zip(("bids", "asks"), book, strict=True):
                if len(levels):
                    self._file.create_carray(f"/{name}", side, obj=levels, filters=FILTERS, createparents=True, track_times=False)

    def commit(self, day: Day) -> None:
        """Write the description and put the file in its place."""
        words = np.frombuffer(msgspec.json.encode(day), np.uint8)
        self._file.create_carray("/", "day", obj=words, filters=FILTERS, track_times=False)
        for name in ("layout", "venue", "symbol", "day", "tick_size", "lot_size", "quality", "digest"):
            setattr(self._file.root._v_attrs, name, getattr(day, name))
        self._file.close()
        with self._beside.open("rb") as file:
            os.fsync(file.fileno())
        self._beside.replace(self.path)

    def __enter__(self) -> DayWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file.isopen:
            self._file.close()
        self._beside.unlink(missing_ok=True)

    def _column(self, table: str, column: str) -> Any:
        known = self._columns.get((table, column))
        if known is None:
            dtype = np.dtype(np.int64) if column in self._wide else TABLES[table][column]
            known = self._columns[table, column] = self._file.create_earray(
                f"/{table}",
                column,
                tables.Atom.from_dtype(dtype),
                (0,),
                filters=FILTERS,
                chunkshape=(max(1, min(CHUNK_ROWS, self._rows.get(table, CHUNK_ROWS))),),  # no block is padded to full length
                createparents=True,
                track_times=False,
            )
        return known


class DayFile:
    """One day file, open for reading."""

    def __init__(self, path: Path) -> None:
        """Raises UserError when the file is absent, damaged, or of another layout."""
        self.path = path
        if not path.is_file():
            raise UserError(f"{path}: no such day file")
        with _blame(path):
            self._file = tables.open_file(str(path), "r")
            try:
                self.day = _described(path, bytes(self._file.get_node("/day").read()))
            except BaseException:
                self._file.close()
                raise

    def rows(self, table: str) -> int:
        """Rows of a table."""
        return self.day.rows(table)

    def column(self, table: str, column: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """A slice of a column; an empty one where the table has no rows."""
        with _blame(self.path):
            if f"/{table}/{column}" not in self._file:
                return np.zeros(0, TABLES[table][column])
            return self._file.get_node(f"/{table}/{column}")[start:stop]  # type: ignore[no-any-return]

    def table(self, table: str, start: int = 0, stop: int | None = None) -> dict[str, NDArray[Any]]:
        """A slice of all columns of a table."""
        return {column: self.column(table, column, start, stop) for column in TABLES[table]}

    def book(self, name: str) -> Book:
        """The "opening" or the "closing" book."""
        with _blame(self.path):
            sides = (f"/{name}/{side}" for side in ("bids", "asks"))
            bids, asks = (
                self._file.get_node(side).read() if side in self._file else np.zeros((0, len(BOOKS)), np.int64) for side in sides
            )
            return bids, asks

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def __enter__(self) -> DayFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _described(path: Path, words: bytes) -> Day:
    day = msgspec.json.decode(words, type=Day)
    if day.layout != LAYOUT:
        raise UserError(f"{path}: written in layout {day.layout}, this program reads {LAYOUT}: import its captures again")
    return day


@contextmanager
def _blame(path: Path) -> Iterator[None]:
    """Whatever HDF5 says of a bad file becomes one line that names it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UserError:
        raise
    except DAMAGE as error:
        raise UserError(f"{path}: damaged or no day file of ours; remove it and import its captures again") from error
