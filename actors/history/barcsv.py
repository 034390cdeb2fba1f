"""Minute or daily bars from CSV files as people have them, dirt counted and named, nothing dropped in silence.

Comma, semicolon or tab; a byte order mark; quoted thousands; a header or none (then date, open, high, low, close, volume); dates
as 2018-01-25, 20180125, with a time of day, or epoch stamps. A row that cannot be read is left out and named with its line;
one that can be read but looks wrong (no volume, a high below the low) is kept, counted, and named.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct, field

from actors.errors import Exit, UserError, nearest

FIELDS = ("time", "open", "high", "low", "close", "volume")
_HEADINGS = {
    "date": "time",
    "datetime": "time",
    "timestamp": "time",
    "open_time": "time",
    "vol": "volume",
    "o": "open",
    "c": "close",
}
_HEADINGS |= {"h": "high", "l": "low", "v": "volume"} | {name: name for name in FIELDS}
_DELIMITERS = "\t;,"
NAMED_MAX = 5
"""Lines named a kind of dirt; the rest is counted."""


class BarReport(Struct):
    """What became of one CSV file."""

    file: str
    instrument: str = ""
    freq: str = ""
    bars: int = 0
    first: str = ""
    last: str = ""
    delimiter: str = ","
    dirt: dict[str, int] = field(default_factory=dict)
    named: dict[str, list[str]] = field(default_factory=dict)
    """Examples of each kind of dirt, `line: what`."""
    unchanged: bool = False
    error: str = ""


class Bar(NamedTuple):
    """One row, exact; `extras` are the mapped columns beyond the six, nan where empty."""

    time_ns: int
    prices: tuple[Decimal, Decimal, Decimal, Decimal]
    volume: Decimal
    extras: tuple[float, ...]


class BarFile(NamedTuple):
    """A CSV file, read."""

    bars: list[Bar]
    extras: tuple[str, ...]
    report: BarReport


def column_map(text: str) -> dict[str, str]:
    """`time=Date,open=Open,pbr=pbr` (or column numbers from 0) as a mapping. Raises UserError for a pair without `=`."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    for name, equals, column in pairs:
        if not equals or not column.strip():
            raise UserError(f"--columns: {name!r} is not name=column", Exit.CONFIGURATION)
    made = {name.strip(): column.strip() for name, _, column in pairs}
    if "date" in made:
        made["time"] = made.pop("date")
    return made


def read_bars(path: Path, columns: dict[str, str] | None = None) -> BarFile:
    """Read a CSV file. Raises UserError when it is absent, no text, or a mapped column is not in it."""
    dirt: Counter[str] = Counter()
    report = BarReport(str(path))
    text = _text(path)
    if text.startswith("\ufeff"):
        text = text.removeprefix("\ufeff")
        _note(report, dirt, "byte order mark", 1, "stripped")
    first = text.split("\n", 1)[0]
    report.delimiter = max(_DELIMITERS, key=lambda mark: _outside_quotes(first, mark))
    if report.delimiter != ",":
        _note(report, dirt, "not comma separated", 1, "tabs" if report.delimiter == "\t" else report.delimiter)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=report.delimiter)
    bars: list[Bar] = []
    places: dict[str, int] = {}
    for row in reader:
        line = reader.line_num
        if not places:
            places, header = _places(path, row, columns or {})
            if header:
                continue
        if not any(cell.strip() for cell in row):
            _note(report, dirt, "empty row", line, "left out")
            continue
        bar = _bar(row, places, report, dirt, line)
        if bar is not None:
            bars.append(bar)
    bars = _in_order(bars, report, dirt)
    report.dirt, report.bars = dict(dirt), len(bars)
    return BarFile(bars, tuple(name for name in places if name not in FIELDS), report)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        return raw.decode("utf-8")
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file", Exit.NOT_FOUND) from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable text file ({error})") from error


def _outside_quotes(line: str, mark: str) -> int:
    return sum(part.count(mark) for part in line.split('"')[::2])


def _places(path: Path, row: list[str], columns: dict[str, str]) -> tuple[dict[str, int], bool]:
    """Where each field is, and whether the first row is a header."""
    names = [cell.strip() for cell in row]
    header = not names or _time(names[0]) is None
    lower = [name.lower() for name in names]
    places: dict[str, int] = {}
    if header:
        for place, name in enumerate(lower):
            places.setdefault(_HEADINGS.get(name, ""), place)
        places.pop("", None)
    else:
        places = dict(zip(FIELDS, range(len(names)), strict=False))
    for name, column in columns.items():
        if column.isdigit() and int(column) < len(names):
            places[name] = int(column)
        elif header and column in names:
            places[name] = names.index(column)
        else:
            known = names if header else [str(place) for place in range(len(names))]
            raise UserError(f"{path}: no column {column!r} for {name}; {nearest(column, known)}", Exit.CONFIGURATION)
    missing = [name for name in FIELDS[:5] if name not in places]
    if missing:
        raise UserError(
            f"{path}: no column for {', '.join(missing)}; say where with --columns name=column,...", Exit.CONFIGURATION
        )
    return places, header


def _bar(row: list[str], places: dict[str, int], report: BarReport, dirt: Counter[str], line: int) -> Bar | None:
    cells = {name: row[place].strip() if place < len(row) else "" for name, place in places.items()}
    time_ns = _time(cells["time"])
    prices = [_decimal(cells[name]) for name in FIELDS[1:5]]
    volume = _decimal(cells.get("volume", "0") or "0")
    if time_ns is None or volume is None or any(price is None for price in prices):
        _note(report, dirt, "unreadable row", line, report.delimiter.join(row)[:60])
        return None
    if any("," in cells[name] for name in FIELDS[1:] if name in cells):
        dirt["rows with thousands separators"] += 1
    opened, high, low, close = (price for price in prices if price is not None)
    if volume == 0:
        _note(report, dirt, "no volume", line, cells["time"])
    if high < max(opened, low, close) or low > min(opened, high, close):
        _note(report, dirt, "open, high, low and close contradict", line, f"{cells['time']} {opened} {high} {low} {close}")
    extras = tuple(_double(text) for name, text in cells.items() if name not in FIELDS)
    return Bar(time_ns, (opened, high, low, close), volume, extras)


def _in_order(bars: list[Bar], report: BarReport, dirt: Counter[str]) -> list[Bar]:
    """Sorted by time, the last of several with one time kept."""
    late = sum(1 for before, after in pairwise(bars) if after.time_ns < before.time_ns)
    if late:
        dirt["out of order"] += late
    unique = {bar.time_ns: bar for bar in sorted(bars, key=lambda bar: bar.time_ns)}
    if len(unique) < len(bars):
        _note(report, dirt, "time given twice", 0, "the last is kept")
        dirt["time given twice"] = len(bars) - len(unique)
    return list(unique.values())


def _note(report: BarReport, dirt: Counter[str], kind: str, line: int, what: str) -> None:
    dirt[kind] += 1
    if len(report.named.setdefault(kind, [])) < NAMED_MAX:
        report.named[kind].append(f"{report.file}:{line}: {what}")


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _double(text: str) -> float:
    value = _decimal(text)
    return float("nan") if value is None else float(value)


def _time(text: str) -> int | None:
    """A date, a date with time, or an epoch stamp (s, ms, µs or ns by its size) as ns UTC."""
    if text.isdigit() and len(text) in (10, 13, 16, 19):
        return int(text) * int(10 ** (19 - len(text)))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
