"""A day ready to replay: plain numpy columns beside the HDF5 file, memory-mapped and shared by all workers.

Built once for a content of the day file and a base latency, in a folder of its own that is renamed into its place, so two
processes that build at once both end with a whole one. A stale one (the day was rebuilt, the layout changed) is made again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from actors.errors import MachineError, UserError
from actors.history.dayfile import DayFile
from actors.history.schema import I8, U1, Day
from actors.history.streams import Events, events, order, shift
from core.dialect.binance.words import RULES
from core.instrument import Instrument, Key
from core.kernel.rows import LOST, TRADE, expand

LAYOUT: Final = 1
"""Raise it when the columns or their meaning change: older folders are then stale."""
BLOCK_ROWS = 1 << 20
"""Rows expanded at once."""
FREE_BYTES: Final = 1 << 20
"""With less than this, a column that could not be written was one for which there is no room."""
DAY_NS = 86_400_000_000_000


class Columns(NamedTuple):
    """Rows of a stream, stable-sorted by `ns`; kinds as in `core.kernel.layout`."""

    ns: NDArray[np.int64]
    kind: NDArray[np.uint8]
    tick: NDArray[Any]
    lots: NDArray[Any]


class Marks(NamedTuple):
    """Mark prices in order of arrival. Where one was known at midnight it is the first row, with its exchange time before it."""

    exch_ns: NDArray[np.int64]
    local_ns: NDArray[np.int64]
    mark_e8: NDArray[np.int64]
    index_e8: NDArray[np.int64]
    rate_e8: NDArray[np.int64]
    next_funding_ns: NDArray[np.int64]


class Fundings(NamedTuple):
    """Settlements within the day, midnight at its start included: when, at which rate, on which mark price."""

    settle_ns: NDArray[np.int64]
    rate_e8: NDArray[np.int64]
    mark_e8: NDArray[np.int64]


class PreparedDay(NamedTuple):
    """One instrument's day. `bids` and `asks` are the book as of midnight, best first, (levels, 2) of tick and lots."""

    key: Key
    day: str
    instrument: Instrument
    exch: Columns
    local: Columns
    bids: NDArray[np.int64]
    asks: NDArray[np.int64]
    marks: Marks
    fundings: Fundings
    quality: str
    start_ns: int
    end_ns: int
    digest: str
    folder: Path
    """Where the columns lie; what is derived from them alone may be kept there too, and goes stale with them."""


class _Words(Struct):
    digest: str
    content: str
    """The day file's own digest."""
    quality: str
    shared: bool
    """The local stream is the exchange stream with other times."""


def instrument_of(day: Day) -> Instrument:
    """The instrument that a day file describes, with its venue's usual fees."""
    made = Instrument(Key(day.venue, day.symbol), day.tick_size, day.lot_size, base=day.base, quote=day.quote or "USDT")
    rules = RULES.get(day.venue)
    return msgspec.structs.replace(made, maker_fee=rules.maker_fee, taker_fee=rules.taker_fee) if rules else made


def prepared(path: Path, base_ns: int = 0) -> PreparedDay:
    """The prepared day of a day file, built if it is not there. Raises UserError when the file is absent or damaged."""
    with DayFile(path) as file:
        day = file.day
        digest = hashlib.sha256(f"{day.digest} {base_ns} {LAYOUT}".encode()).hexdigest()
        home = path.with_suffix(".prepared")
        folder = home / digest[:16]
        if not (folder / "words.json").exists():
            _build(file, digest, base_ns, folder)
            _sweep(home, folder)
        return _opened(file, folder, base_ns)


def _opened(file: DayFile, folder: Path, base_ns: int) -> PreparedDay:
    day = file.day
    try:
        words = msgspec.json.decode((folder / "words.json").read_bytes(), type=_Words)
        exch = Columns(*(mapped(folder / f"exch_{name}.npy") for name in Columns._fields))
        rest = exch[1:] if words.shared else [mapped(folder / f"local_{name}.npy") for name in Columns._fields[1:]]
        local = Columns(mapped(folder / "local_ns.npy"), *rest)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise UserError(f"{folder}: damaged; remove it and it is made again") from error
    marks = _marks(file, base_ns)
    bids, asks = file.book("opening")
    start_ns = int(np.datetime64(day.day, "ns").astype(np.int64))
    return PreparedDay(
        Key(day.venue, day.symbol),
        day.day,
        instrument_of(day),
        exch,
        local,
        bids,
        asks,
        marks,
        fundings(marks, start_ns),
        words.quality,
        start_ns,
        start_ns + DAY_NS,
        words.digest,
        folder,
    )


def mapped(path: Path) -> NDArray[Any]:
    """A column as its file has it, without reading it. Raises OSError or ValueError for a file that is not one."""
    array: NDArray[Any] = np.load(path, mmap_mode="r") if path.stat().st_size > _NPY_EMPTY else np.load(path)
    return array


_NPY_EMPTY = 128  # a header without rows: nothing to map


def _build(file: DayFile, digest: str, base_ns: int, folder: Path) -> None:
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        day = events(file, base_ns)
        exch_order, local_order = order(day.exch_ns), order(day.local_ns)
        shared = exch_order is None and local_order is None
        shared |= exch_order is not None and local_order is not None and bool(np.array_equal(exch_order, local_order))
        exch, local = day.ordered(exch_order), day.ordered(local_order)
        _write_stream(file, exch, exch.exch_ns, beside, "exch")
        if shared:
            _write_column(beside / "local_ns.npy", np.repeat(local.local_ns, local.rows))
        else:
            _write_stream(file, local, local.local_ns, beside, "local")
        (beside / "words.json").write_bytes(msgspec.json.encode(_Words(digest, file.day.digest, file.day.quality, shared)))
        beside.rename(folder)
    except OSError as error:
        if not (folder / "words.json").exists():  # another process was first; else the error is ours
            tell_full(error, beside)
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def tell_full(error: OSError, folder: Path) -> None:
    """Raises MachineError where an error, which numpy may leave without a number, is that the folder's disk is full."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or shutil.disk_usage(folder.parent).free < FREE_BYTES:
        raise MachineError(f"{folder.parent}: the disk is full") from error


def _sweep(home: Path, keep: Path) -> None:
    """Remove prepared days of another content. A process that has one mapped keeps its pages."""
    words = msgspec.json.decode((keep / "words.json").read_bytes(), type=_Words)
    for other in home.iterdir():
        if other != keep and not other.name.startswith(".") and _stale(other, words):
            shutil.rmtree(other, ignore_errors=True)


def _stale(folder: Path, words: _Words) -> bool:
    try:
        return msgspec.json.decode((folder / "words.json").read_bytes(), type=_Words).content != words.content
    except (OSError, msgspec.MsgspecError):
        return True


def _write_column(path: Path, values: NDArray[Any]) -> None:
    np.save(path, values)


def _write_stream(file: DayFile, stream: Events, ns: NDArray[np.int64], folder: Path, name: str) -> None:
    """Write a stream's four columns block by block: their length is known, so each is a header and then rows."""
    total = int(stream.rows.sum())
    types: dict[str, np.dtype[Any]] = {"ns": I8, "kind": U1, **_row_types(file)}
    with ExitStack() as opened:
        files = {column: opened.enter_context((folder / f"{name}_{column}.npy").open("wb")) for column in Columns._fields}
        for column, out in files.items():
            header = {"descr": types[column].str, "fortran_order": False, "shape": (total,)}
            np.lib.format.write_array_header_1_0(out, header)  # type: ignore[no-untyped-call]
        for rows in _blocks(file, stream, ns, types):
            for column, out in files.items():
                getattr(rows, column).tofile(out)


def _row_types(file: DayFile) -> dict[str, np.dtype[Any]]:
    """int32, or int64 where a table of the day needs it."""
    return {
        column: np.promote_types(file.column("levels", column, 0, 1).dtype, file.column("trades", column, 0, 1).dtype)
        for column in ("tick", "lots")
    }


def _blocks(file: DayFile, stream: Events, ns: NDArray[np.int64], types: dict[str, np.dtype[Any]]) -> Iterator[Columns]:
    counts = stream.rows
    block = (np.cumsum(counts) - counts) // BLOCK_ROWS
    edges = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), len(counts)] if len(counts) else []
    for first, last in pairwise(edges):
        part = Events._make(column[first:last] for column in stream)
        traded = part.shape == TRADE
        at = part.at.copy()
        levels, low = _span(file, "levels", ("tick", "lots"), at, part.bids + part.asks, ~traded & (part.shape != LOST))
        trades, trade_low = _span(file, "trades", ("tick", "lots", "side"), at, np.ones_like(at), traded)
        at -= np.where(traded, trade_low, low)
        size = int(counts[first:last].sum())
        out = Columns(*(np.empty(size, types[column]) for column in Columns._fields))
        expand(part.shape, at, part.bids, part.asks, levels, trades, ns[first:last], tuple(out))
        yield out


def _span(
    file: DayFile, table: str, columns: tuple[str, ...], at: NDArray[np.int64], count: NDArray[np.int64], mine: NDArray[np.bool_]
) -> tuple[Any, int]:
    """The slice of a table that the events marked `mine` touch, and the row at which it begins."""
    low = int(at[mine].min()) if mine.any() else 0
    high = int((at + count)[mine].max()) if mine.any() else 0
    return tuple(file.column(table, column, low, high) for column in columns), low


def _marks(file: DayFile, base_ns: int) -> Marks:
    columns = {name: file.column("marks", name) for name in Marks._fields}
    day = file.day
    moved = [shift(segment.latency_ns_min, segment.clock_exact, base_ns) for segment in day.segments]
    local = columns["local_ns"] + np.repeat(np.array(moved, np.int64), [s.rows.get("marks", 0) for s in day.segments])
    columns["local_ns"] = local
    if day.opening_mark is not None:
        exch_ns = day.opening_mark[0]
        opening = (exch_ns, exch_ns, *day.opening_mark[2:])
        columns = {name: np.concatenate([[value], columns[name]]) for name, value in zip(Marks._fields, opening, strict=True)}
    return Marks(**columns)


def fundings(marks: Marks, start_ns: int) -> Fundings:
    """The settlements that a day's marks show.

    When the next funding time moves on from N, the funding of N was settled: at the last rate that was published for N and on
    the last mark price at or before N. A day owns the settlements from its midnight on, up to the next.
    """
    found: list[tuple[int, int, int]] = []
    due = marks.next_funding_ns
    for i in (np.flatnonzero(np.diff(due) > 0) + 1).tolist():
        settle = int(due[i - 1])
        if start_ns <= settle < start_ns + DAY_NS:
            priced = np.flatnonzero(marks.exch_ns[: i + 1] <= settle)
            mark = marks.mark_e8[priced[-1] if len(priced) else i - 1]
            found.append((settle, int(marks.rate_e8[i - 1]), int(mark)))
    columns = np.array(found, np.int64).reshape(-1, 3)
    return Fundings(columns[:, 0], columns[:, 1], columns[:, 2])
