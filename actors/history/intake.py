"""One capture file, chunk by chunk, into spools an instrument and day of exchange time.

The exchange time of a frame is its T, else its E; a spot bookTicker and a spot snapshot have neither and take that of the last
depth or trade event before them (the first ones of a file: of the first such event after them, else their local time).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.history.capture import CHUNK_BYTES, Capture, Chunk
from actors.history.dayfile import Part
from actors.history.schema import Segment
from actors.history.spool import Spool
from core.dialect.binance.words import USDM, VENUE_NAMES, Aside, Parsed, WrongShape, parse
from core.kernel import frames as f

DAY_NS = 86_400_000_000_000
DAMAGE_KEPT = 100
"""Damaged lines described one by one; beyond that they are counted."""

KIND_NAMES = {
    f.DEPTH: "depth",
    f.SNAPSHOT: "snapshot",
    f.TRADE: "trade",
    f.AGG_TRADE: "aggTrade",
    f.BBO: "bookTicker",
    f.MARK: "markPrice",
}
_SNAPSHOT_NEAR = 0.05
"""In a file of several instruments a bare snapshot is given to the one whose prices are this near, and no other's."""

Key = tuple[str, str]
"""Symbol and day."""


def day_text(number: int) -> str:
    """A day counted from 1970 as YYYY-MM-DD."""
    return datetime.fromtimestamp(number * 86_400, UTC).strftime("%Y-%m-%d")


class Intake:
    """What one file gives."""

    def __init__(self, path: Path, folder: Path, venue: str = "") -> None:
        """`folder` takes what does not fit memory. `venue`: told by the user, else by the shape of the frames."""
        self.capture = Capture(path)
        self.venue = venue
        self.spools: dict[Key, Spool] = {}
        self.events: Counter[str] = Counter()
        self.aside: Counter[str] = Counter()
        self.damaged = 0
        self.latencies_ms: list[NDArray[np.float32]] = []
        self.latency_ns_min: int | None = None
        """The smallest local minus exchange time of depth events, trades and timed snapshots; None where there are none."""
        self._folder = folder
        self._symbols = np.zeros((f.SYMBOLS_MAX, f.SYMBOL_BYTES + 1), np.uint8)
        self._names: list[str] = []
        self._last_ns: dict[int, int] = {}
        self._room = 0

    def read(self, progress: Callable[[int], None] = lambda done: None, chunk_bytes: int = CHUNK_BYTES) -> None:
        """Take the whole file. `progress` is told how many bytes of it are done."""
        for chunk in self.capture.chunks(chunk_bytes):
            self._take(chunk)
            progress(self.capture.bytes_read)
        for spool in self.spools.values():
            spool.segment.digest = self.capture.digest
            spool.segment.latency_ns_min = self.latency_ns_min

    def damage(self, line: int, what: str) -> None:
        """Note what is wrong with a line."""
        self.damaged += 1
        if self.damaged <= DAMAGE_KEPT:
            self.capture.damage.append((line, what))

    def _take(self, chunk: Chunk) -> None:
        rows, levels = self._scan(chunk)
        rows[:, f.LINE] += chunk.line
        rows = self._of_venue(rows)
        rows = self._with_snapshots_named(rows, levels)
        if not len(rows):
            return
        exch_ns = self._exchange_times(rows)
        for kind, count in zip(*np.unique(rows[:, f.KIND], return_counts=True), strict=True):
            self.events[KIND_NAMES[int(kind)]] += int(count)
        self._note_latency(rows, exch_ns)
        number = rows[:, f.SYMBOL] * 1_000_000 + exch_ns // DAY_NS
        for group in [number[0]] if (number == number[0]).all() else np.unique(number):
            mask = number == group
            whole = bool(mask.all())
            part = _columns(rows if whole else rows[mask], exch_ns if whole else exch_ns[mask], levels)
            self._spool(int(group) // 1_000_000, int(group) % 1_000_000, part)

    def _scan(self, chunk: Chunk) -> tuple[NDArray[np.int64], list[NDArray[Any]]]:
        """The chunk's frames, and the columns of their levels: digits and decimals of price, digits and decimals of quantity."""
        if chunk.size > self._room:
            self._allocate(chunk.size)
        out = (self._frames, *self._levels, self._odd, self._symbols)
        count, level_count, odd, known, _ = f.scan(chunk.text, chunk.size, out, len(self._names))
        while len(self._names) < known:
            row = self._symbols[len(self._names)]
            self._names.append(bytes(row[1 : row[0] + 1]).decode())
        rows = self._frames[:count]
        levels = [column[:level_count] for column in self._levels]
        if not odd:
            return rows, levels
        return self._with_odd(chunk, self._odd[:odd], rows, levels)

    def _allocate(self, size: int) -> None:
        self._room = size
        lines = size // 20 + 1  # a stamp and the shortest frame are longer
        levels = size // f.LEVEL_BYTES_MIN + 1
        self._frames = np.empty((lines, f.FRAME_COLUMNS), np.int64)
        self._odd = np.empty((size // 2 + 1, 3), np.int64)
        wide, narrow = np.empty((2, levels), np.int64), np.empty((2, levels), np.uint8)
        self._levels = (wide[0], narrow[0], wide[1], narrow[1])

    def _with_odd(
        self, chunk: Chunk, odd: NDArray[np.int64], rows: NDArray[np.int64], levels: list[NDArray[Any]]
    ) -> tuple[NDArray[np.int64], list[NDArray[Any]]]:
        """The same with the lines that the byte parser left to msgspec, in the order of the lines."""
        more: list[list[int]] = []
        found: list[tuple[int, int, int, int]] = []
        for line, start, stop in odd.tolist():
            text = bytes(chunk.text[start:stop])
            try:
                parsed = parse(text.rstrip(b"\r"))
            except WrongShape as error:
                if text.strip():
                    self.damage(chunk.line + line, str(error))
                continue
            if isinstance(parsed, Aside):
                self.aside[parsed.reason] += 1
                continue
            columns = self._admitted(parsed, chunk.line + line)
            if columns is None:
                continue
            columns[f.LINE] = line
            if columns[f.KIND] in (f.DEPTH, f.SNAPSHOT):
                columns[f.LEVEL] = len(levels[0]) + len(found)
                found += [*parsed.bids, *parsed.asks]
            more.append(columns)
        if not more:
            return rows, levels
        joined = np.concatenate([rows, np.array(more, np.int64)])
        if found:
            levels = [
                np.concatenate([old, np.array(new).astype(old.dtype)])
                for old, new in zip(levels, zip(*found, strict=True), strict=True)
            ]
        return joined[np.argsort(joined[:, f.LINE], kind="stable")], levels

    def _admitted(self, parsed: Parsed, line: int) -> list[int] | None:
        """The frame's columns with its symbol's number; None for a print that is no market trade, which is set aside."""
        columns = parsed.columns
        columns[f.SYMBOL] = self._number(parsed.symbol) if parsed.symbol else -1
        if not parsed.aside:
            return columns
        self.aside[f"print with {parsed.aside}"] += 1
        exch_ns = columns[f.T] or columns[f.E]
        row: dict[str, Any] = {"exch_ns": exch_ns, "local_ns": columns[f.LOCAL], "line": line, "id": columns[f.ID]}
        row |= {"side": 2 if columns[f.MAKER] else 1, "price": parsed.texts[0], "qty": parsed.texts[1], "reason": parsed.aside}
        types = {"side": "u1", "price": "S24", "qty": "S24", "reason": "S32"}
        part = {"aside": {name: np.array([value], types.get(name, "i8")) for name, value in row.items()}}
        self.venue = self.venue or USDM
        self._spool(columns[f.SYMBOL], exch_ns // DAY_NS, part)
        return None

    def _number(self, symbol: str) -> int:
        if symbol not in self._names:
            number, text = len(self._names), symbol.encode()
            self._symbols[number, 0] = len(text)
            self._symbols[number, 1 : len(text) + 1] = np.frombuffer(text, np.uint8)
            self._names.append(symbol)
        return self._names.index(symbol)

    def _of_venue(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Without frames in another venue's shape than the file's first that tells."""
        shapes = rows[:, f.VENUE]
        if not self.venue and shapes.any():
            self.venue = VENUE_NAMES[int(shapes[shapes != 0][0])]
        other = (shapes != 0) & (shapes != next((code for code, name in VENUE_NAMES.items() if name == self.venue), 0))
        if not other.any():
            return rows
        self.aside[f"frame not in the shape of {self.venue}"] += int(np.count_nonzero(other))
        kept: NDArray[np.int64] = rows[~other]
        return kept

    def _with_snapshots_named(self, rows: NDArray[np.int64], levels: list[NDArray[Any]]) -> NDArray[np.int64]:
        """A REST snapshot names no symbol: it is that of the file, or the one whose prices it is near."""
        nameless = np.flatnonzero(rows[:, f.SYMBOL] < 0)
        if not len(nameless):
            return rows
        lost = []
        for i in nameless.tolist():
            symbol = self._symbol_of_snapshot(rows, i, levels)
            rows[i, f.SYMBOL] = symbol
            if symbol < 0:
                lost.append(i)
                self.aside["snapshot of no known symbol"] += 1
        return np.delete(rows, lost, axis=0) if lost else rows

    def _symbol_of_snapshot(self, rows: NDArray[np.int64], i: int, levels: list[NDArray[Any]]) -> int:
        if len(self._names) == 1:
            return 0
        if not rows[i, f.BIDS]:
            return -1
        at = rows[i, f.LEVEL]
        price = float(levels[0][at]) / 10.0 ** float(levels[1][at])
        near = []
        for symbol in range(len(self._names)):
            quotes = rows[(rows[:, f.SYMBOL] == symbol) & (rows[:, f.KIND] == f.BBO)][:1]
            for row in quotes:
                bid = float(row[f.BID]) / 10.0 ** float(row[f.DECIMALS] & 255)
                if abs(bid - price) <= _SNAPSHOT_NEAR * price:
                    near.append(symbol)
        return near[0] if len(near) == 1 else -1

    def _exchange_times(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        exch_ns = np.where(rows[:, f.T] > 0, rows[:, f.T], rows[:, f.E])
        market = np.isin(rows[:, f.KIND], (f.DEPTH, f.TRADE, f.AGG_TRADE))
        for symbol in np.unique(rows[:, f.SYMBOL]).tolist():
            mine = np.flatnonzero(rows[:, f.SYMBOL] == symbol)
            times, clocked = exch_ns[mine], market[mine]
            if (times == 0).any():
                newest = np.maximum.accumulate(np.where(clocked, np.arange(len(mine)), -1))
                first = times[clocked][0] if clocked.any() else 0
                before = np.where(newest >= 0, times[newest], self._last_ns.get(symbol, 0) or first)
                exch_ns[mine] = np.where(times > 0, times, np.where(before > 0, before, rows[mine, f.LOCAL]))
            if clocked.any():
                self._last_ns[symbol] = int(times[clocked][-1])
        return exch_ns

    def _note_latency(self, rows: NDArray[np.int64], exch_ns: NDArray[np.int64]) -> None:
        kind = rows[:, f.KIND]
        timed = (kind == f.DEPTH) | (kind == f.TRADE) | (kind == f.AGG_TRADE) | ((kind == f.SNAPSHOT) & (rows[:, f.T] > 0))
        if timed.any():
            latency = rows[timed, f.LOCAL] - exch_ns[timed]
            least = int(latency.min())
            self.latency_ns_min = least if self.latency_ns_min is None else min(self.latency_ns_min, least)
            self.latencies_ms.append((latency / 1e6).astype(np.float32))

    def _spool(self, symbol: int, day: int, part: Part) -> None:
        key = (self._names[symbol], day_text(day))
        first_ns = min(
            int(columns["exch_ns"].min()) for columns in part.values() if "exch_ns" in columns and len(columns["exch_ns"])
        )
        spool = self.spools.get(key)
        if spool is None:
            segment = Segment(self.capture.path.name, "", {}, first_ns)
            spool = self.spools[key] = Spool(self._folder / f"{len(self.spools)}", segment)
        spool.segment.first_ns = min(spool.segment.first_ns, first_ns)
        spool.append(part)


def _columns(rows: NDArray[np.int64], exch_ns: NDArray[np.int64], levels: list[NDArray[Any]]) -> Part:
    """Frames as the columns of the day file's tables, prices and quantities still as digits and decimals."""
    part: Part = {}
    kind = rows[:, f.KIND]
    for table, kinds, columns in _TABLES:
        mask = np.isin(kind, kinds) if len(kinds) > 1 else kind == kinds[0]
        if not mask.any():
            continue
        mine = rows[mask]
        part[table] = {"exch_ns": exch_ns[mask], "local_ns": mine[:, f.LOCAL].copy(), "line": mine[:, f.LINE].copy()}
        part[table] |= {name: mine[:, column].copy() for name, column in columns.items()}
        _SHAPES[table](part, mine, levels)
    return part


def _depth_shape(part: Part, mine: NDArray[np.int64], levels: list[NDArray[Any]]) -> None:
    part["depth"]["snapshot"] = (mine[:, f.KIND] == f.SNAPSHOT).astype(np.uint8)
    count = mine[:, f.BIDS] + mine[:, f.ASKS]
    start = mine[:, f.LEVEL]
    total = int(count.sum())
    if (start[1:] == start[:-1] + count[:-1]).all():
        taken = [column[start[0] : start[0] + total].copy() for column in levels]
    else:
        index = np.repeat(start - (np.cumsum(count) - count), count) + np.arange(total)
        taken = [column[index] for column in levels]
    part["levels"] = dict(zip(("tick", "tick_decimals", "lots", "lots_decimals"), taken, strict=True))


def _trade_shape(table: str) -> Callable[[Part, NDArray[np.int64], list[NDArray[Any]]], None]:
    def shape(part: Part, mine: NDArray[np.int64], levels: list[NDArray[Any]]) -> None:
        part[table]["side"] = (mine[:, f.MAKER] + 1).astype(np.uint8)
        part[table]["tick_decimals"] = mine[:, f.PRICE_DECIMALS].astype(np.uint8)
        part[table]["lots_decimals"] = mine[:, f.QTY_DECIMALS].astype(np.uint8)

    return shape


def _bbo_shape(part: Part, mine: NDArray[np.int64], levels: list[NDArray[Any]]) -> None:
    for place, name in enumerate(("bid_tick", "bid_lots", "ask_tick", "ask_lots")):
        part["bbo"][f"{name}_decimals"] = (mine[:, f.DECIMALS] >> (8 * place)).astype(np.uint8)


_TRADE_COLUMNS = {"id": f.ID, "tick": f.PRICE, "lots": f.QTY}
_TABLES: tuple[tuple[str, tuple[int, ...], dict[str, int]], ...] = (
    (
        "depth",
        (f.DEPTH, f.SNAPSHOT),
        {"first_id": f.FIRST_ID, "last_id": f.ID, "prev_id": f.PREV_ID, "bids": f.BIDS, "asks": f.ASKS},
    ),
    ("trades", (f.TRADE,), _TRADE_COLUMNS),
    ("aggregates", (f.AGG_TRADE,), _TRADE_COLUMNS),
    ("bbo", (f.BBO,), {"update_id": f.ID, "bid_tick": f.BID, "bid_lots": f.BID_QTY, "ask_tick": f.ASK, "ask_lots": f.ASK_QTY}),
    ("marks", (f.MARK,), {"mark_e8": f.MARK_E8, "index_e8": f.INDEX_E8, "rate_e8": f.RATE_E8, "next_funding_ns": f.NEXT_NS}),
)
_SHAPES: dict[str, Callable[[Part, NDArray[np.int64], list[NDArray[Any]]], None]] = {
    "depth": _depth_shape,
    "trades": _trade_shape("trades"),
    "aggregates": _trade_shape("aggregates"),
    "bbo": _bbo_shape,
    "marks": lambda part, mine, levels: None,
}


def quantiles(latencies_ms: list[NDArray[np.float32]]) -> dict[str, float]:
    """Feed latency: least, median, 99 % and greatest; empty where nothing was timed."""
    if not latencies_ms:
        return {}
    found = np.quantile(np.concatenate(latencies_ms), (0, 0.5, 0.99, 1), overwrite_input=True)
    return dict(zip(("min", "p50", "p99", "max"), (round(float(value), 3) for value in found), strict=True))
