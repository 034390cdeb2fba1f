"""Imported minute and daily bars: STORE/<venue>/<SYMBOL>/bars-<freq>.h5, and the database over them.

Prices are whole ticks of the coarsest decimal grid that the file shows. Volumes, which such files often have as sums of doubles,
and the columns beyond the six (earnings ratios, foreign holdings, ...) are doubles.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from msgspec import Struct

from actors.errors import Exit, UserError, nearest
from actors.history.barcsv import BarReport, read_bars
from actors.history.shelf import folder_of
from actors.history.tickdb import parse_day
from core.instrument import Key

if TYPE_CHECKING:
    import pandas as pd

PRICES = ("open", "high", "low", "close")
DAY_NS = 86_400_000_000_000
_FREQS = {60 * 10**9: "1min", 5 * 60 * 10**9: "5min", 3600 * 10**9: "1h", DAY_NS: "1d"}


class BarWords(Struct):
    """What a bar file says of itself."""

    freq: str
    period_ns: int
    tick_decimals: int
    source: str
    digest: str
    extras: list[str]


def import_bars(root: Path, path: Path, venue: str = "csv", symbol: str = "", columns: dict[str, str] | None = None) -> BarReport:
    """Read one CSV file into the store. The symbol is the file's name unless told. Raises UserError."""
    file = read_bars(path, columns)
    if not file.bars:
        raise UserError(
            f"{path}: no bars in it: {', '.join(f'{n} {kind}' for kind, n in file.report.dirt.items()) or 'it is empty'}"
        )
    symbol = (symbol or path.name.split(".")[0]).upper()
    times = np.array([bar.time_ns for bar in file.bars], np.int64)
    period = int(np.median(np.diff(times))) if len(times) > 1 else DAY_NS
    period = DAY_NS if period >= DAY_NS // 2 else period
    freq = _FREQS.get(period, f"{period // 10**9}s")
    tick = max(_decimals(price) for bar in file.bars for price in bar.prices)
    data: dict[str, Any] = {"time_ns": times}
    for place, name in enumerate(PRICES):
        data[name] = np.array([int(bar.prices[place].scaleb(tick)) for bar in file.bars], np.int64)
    data["volume"] = np.array([float(bar.volume) for bar in file.bars])
    for place, name in enumerate(file.extras):
        data[name] = np.array([bar.extras[place] for bar in file.bars])
    words = BarWords(freq, period, tick, path.name, _digest(data), list(file.extras))
    report = file.report
    home = folder_of(root, Key(venue, symbol)) / f"bars-{freq}.h5"
    if home.exists():
        words, data, changed = _merged(home, words, data)
        if changed:
            report.dirt["differ from stored bars of the same time, which they replace"] = changed
    report.instrument, report.freq = str(Key(venue, symbol)), freq
    report.first, report.last = (str(np.datetime64(int(t), "ns"))[:19] for t in (times[0], times[-1]))
    report.unchanged = not _write(home, words, data)
    return report


def _digest(data: dict[str, Any]) -> str:
    return hashlib.sha256(b"".join(column.tobytes() for column in data.values())).hexdigest()


def _merged(path: Path, words: BarWords, data: dict[str, Any]) -> tuple[BarWords, dict[str, Any], int]:
    """The stored bars and the new ones as one file, the newer winning where both have a time, and how many of those differ.

    A damaged stored file is replaced by what is new.
    """
    try:
        old_words, old = _read(path)
    except UserError:
        return words, data, 0
    tick = max(old_words.tick_decimals, words.tick_decimals)
    extras = list(dict.fromkeys([*old_words.extras, *words.extras]))
    for one, decimals in ((old, old_words.tick_decimals), (data, words.tick_decimals)):
        for name in PRICES:
            one[name] = one[name] * 10 ** (tick - decimals)
        for name in extras:
            one.setdefault(name, np.full(len(one["time_ns"]), np.nan))
    names = ("time_ns", *PRICES, "volume", *extras)
    times, first_new = np.unique(np.concatenate([data["time_ns"], old["time_ns"]]), return_index=True)
    both, mine, theirs = np.intersect1d(data["time_ns"], old["time_ns"], return_indices=True)
    differ = np.zeros(len(both), bool)
    for name in (*PRICES, "volume"):
        differ |= data[name][mine] != old[name][theirs]
    merged = {name: np.concatenate([data[name], old[name]])[first_new] for name in names}
    merged["time_ns"] = times
    source = words.source if words.source == old_words.source else f"{old_words.source}, {words.source}"
    return BarWords(words.freq, words.period_ns, tick, source, _digest(merged), extras), merged, int(differ.sum())


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _write(path: Path, words: BarWords, data: dict[str, Any]) -> bool:
    """Write a bar file beside and rename it; False where the same is there already."""
    import tables

    from actors.history.dayfile import FILTERS

    if path.exists():
        try:
            if _read(path)[0].digest == words.digest:
                return False
        except UserError:
            pass  # a damaged file is replaced
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with tables.open_file(str(beside), "w", title="astrarium bars") as file:
        for name, values in data.items():
            file.create_carray("/bars", name, obj=values, filters=FILTERS, createparents=True, track_times=False)
        file.create_array("/", "words", obj=np.frombuffer(msgspec.json.encode(words), np.uint8), track_times=False)
    beside.replace(path)
    return True


def _read(path: Path) -> tuple[BarWords, dict[str, Any]]:
    import tables

    from actors.history.dayfile import DAMAGE

    try:
        with warnings.catch_warnings(), tables.open_file(str(path), "r") as file:
            words = msgspec.json.decode(bytes(file.get_node("/words").read()), type=BarWords)
            names = ("time_ns", *PRICES, "volume", *words.extras)
            return words, {name: file.get_node(f"/bars/{name}").read() for name in names}
    except DAMAGE as error:
        raise UserError(f"{path}: damaged or no bar file of ours; remove it and import its CSV again") from error


class DailyDb:
    """Imported bars as DataFrames, as they were known at a moment: a bar is seen once it has closed."""

    def __init__(self, root: str | Path, freq: str = "1d") -> None:
        """`freq`: 1d, 1min, ..., as the import reported it."""
        self.root = Path(root)
        self.freq = freq
        self._now_ns: int | None = None

    def instruments(self) -> list[Key]:
        """Every instrument with bars of this length."""
        return sorted(Key(path.parent.parent.name, path.parent.name) for path in self.root.glob(f"*/*/bars-{self.freq}.h5"))

    def set_date(self, day: str) -> None:
        """See the bars that had closed when this day ended."""
        self._now_ns = int(np.datetime64(parse_day(day), "ns").astype(np.int64)) + DAY_NS

    def set_time(self, moment: str) -> None:
        """See the bars that had closed by this moment (UTC, ISO)."""
        self._now_ns = int(np.datetime64(moment.removesuffix("Z"), "ns").astype(np.int64))

    def bars(self, name: str, start: str | None = None, end: str | None = None) -> pd.DataFrame:
        """Open, high, low, close, volume and what else was mapped, by the bar's opening time; both ends included.

        Raises UserError for an unknown instrument.
        """
        import pandas as pd

        words, data = _read(self._path(name))
        index = pd.DatetimeIndex(data.pop("time_ns").view("M8[ns]"), tz="UTC", name="time")
        scale = 10.0**words.tick_decimals
        frame = pd.DataFrame({name: v / scale if name in PRICES else v for name, v in data.items()}, index=index)
        if self._now_ns is not None:
            frame = frame[index.asi8 + words.period_ns <= self._now_ns]
        return frame.loc[start:end]

    def rows(self, name: str, first: str, last: str) -> Iterator[dict[str, Any]]:
        """Bars of whole days, both included, with exact decimal prices: time_ms, open, high, low, close, volume and the rest."""
        words, data = _read(self._path(name))
        start, stop = (int(np.datetime64(day, "ns").astype(np.int64)) for day in (first, last))
        inside = np.flatnonzero((data["time_ns"] >= start) & (data["time_ns"] < stop + DAY_NS))
        for k in inside.tolist():
            prices = {name: str(Decimal(int(data[name][k])).scaleb(-words.tick_decimals)) for name in PRICES}
            rest = {name: float(data[name][k]) for name in ("volume", *words.extras)}
            yield {"time_ms": int(data["time_ns"][k]) // 1_000_000, **prices, **rest}

    def _path(self, name: str) -> Path:
        wanted = Key.parse(name)
        known = self.instruments()
        found = [key for key in known if key.symbol == wanted.symbol and wanted.venue in ("", key.venue)]
        if not found:
            raise UserError(f"{name}: no {self.freq} bars of it in {self.root}; {nearest(name, map(str, known))}", Exit.NOT_FOUND)
        if len(found) > 1:
            raise UserError(f"{name} is ambiguous: write {' or '.join(map(str, found))}", Exit.CONFIGURATION)
        return self.root / found[0].venue / found[0].symbol / f"bars-{self.freq}.h5"
