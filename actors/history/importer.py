"""`data import`: capture files into day files, each file wholly or not at all, in any order, and again.

A file is read into spools, its grid settled, and only then are the days it touches rebuilt from their segments. A segment is
known by the hash of its file's text: what is stored already is left alone. When a day's closing book changes, the next stored
day that goes on from it is rebuilt too, so importing the second day first heals when the first arrives.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct, field

from actors.errors import Exit, UserError
from actors.history.dayfile import EMPTY_BOOK, DayFile
from actors.history.folding import Depth, rules_of
from actors.history.intake import DAY_NS, Intake, quantiles
from actors.history.rebuild import NOTHING_BEFORE, Before, digest, rebuild
from actors.history.schema import Day
from actors.history.shelf import folder_of
from actors.history.sources import Source, Stored
from actors.history.spool import Grid, OffGrid, Spool
from core.dialect.binance.words import currencies
from core.instrument import Key

SEEN = "seen"
"""The grid came from the data: the coarsest decimal one on which all of it lies."""


class Sizes(NamedTuple):
    """An instrument's grid and currencies as somebody states them."""

    tick_size: str
    lot_size: str
    source: str
    base: str = ""
    quote: str = ""


class Report(Struct):
    """What became of one file."""

    file: str
    venue: str = ""
    symbols: list[str] = field(default_factory=list)
    lines: int = 0
    bytes: int = 0
    rows: int = 0
    events: dict[str, int] = field(default_factory=dict)
    aside: dict[str, int] = field(default_factory=dict)
    damaged: int = 0
    damage: list[str] = field(default_factory=list)
    gaps: int = 0
    gap_lines: list[str] = field(default_factory=list)
    crossed: int = 0
    latency_ms: dict[str, float] = field(default_factory=dict)
    grid: dict[str, dict[str, str]] = field(default_factory=dict)
    days: dict[str, str] = field(default_factory=dict)
    """`venue:SYMBOL day` to its quality after this import."""
    unchanged: bool = False
    """Everything in the file was stored before."""
    error: str = ""


class Importer:
    """Imports files into one store."""

    def __init__(self, root: Path, sizes: dict[str, Sizes] | None = None, venue: str = "") -> None:
        self.root = root
        self.sizes = sizes or {}
        self.venue = venue

    def run(self, path: Path, progress: Callable[[int], None] = lambda done: None) -> Report:
        """Import one file. Raises UserError, with the store unchanged, when it cannot be read or is off its grid."""
        if not path.is_file():
            raise UserError(f"{path}: no such file", Exit.NOT_FOUND)
        folder = self.root / f".spool-{os.getpid()}"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            intake = Intake(path, folder, self.venue)
            intake.read(progress)
            with locked(self.root):
                return self._commit(intake)
        except OSError as error:
            raise UserError(f"{error.filename or path}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _commit(self, intake: Intake) -> Report:
        report = _reported(intake)
        by_symbol: dict[str, dict[str, Spool]] = {}
        for (symbol, day), spool in sorted(intake.spools.items()):
            by_symbol.setdefault(symbol, {})[day] = spool
        folders = {symbol: folder_of(self.root, Key(intake.venue, symbol)) for symbol in by_symbol}
        settled = {symbol: self._settled(intake, symbol, days) for symbol, days in by_symbol.items()}
        changed = False
        for symbol, days in by_symbol.items():
            sizes = settled[symbol]
            report.grid[symbol] = {"tick_size": sizes.tick_size, "lot_size": sizes.lot_size, "source": sizes.source}
            folder = folders[symbol]
            written = _rebuild_days(folder, intake.venue, symbol, sizes, days)
            changed |= bool(written)
            for name in sorted(set(days) | set(written)):
                now = written.get(name) or described(folder / f"{name}.h5")
                if name in days:
                    _note_day(report, now, intake.capture.digest)
                else:
                    report.days[f"{intake.venue}:{symbol} {name}"] = f"{now.quality}, rebuilt from its day before"
        report.unchanged = not changed and bool(by_symbol)
        report.aside = dict(intake.aside)
        if not by_symbol:
            none = (
                f"none of its {report.lines} lines is a market frame that is kept" if report.lines else "there is no line in it"
            )
            report.error = f"{report.file}: {none}"
        return report

    def _settled(self, intake: Intake, symbol: str, days: dict[str, Spool]) -> Sizes:
        """The instrument's grid, with every price and quantity of the file brought onto it."""
        _choose_trades(intake, list(days.values()))
        sizes = self._sizes(intake, symbol, days)
        for spool in days.values():
            try:
                spool.settle(Grid.parse(sizes.tick_size), Grid.parse(sizes.lot_size))
            except OffGrid as off:
                raise UserError(_off_grid(intake, symbol, spool, sizes, off)) from off
        return sizes

    def _sizes(self, intake: Intake, symbol: str, days: dict[str, Spool]) -> Sizes:
        stored = stored_sizes(self.root / intake.venue / symbol)
        stated = self.sizes.get(symbol)
        if stored and stated and _grids(stored) != _grids(stated):
            raise UserError(
                f"{symbol}: {stated.source} says tick {stated.tick_size} and lot {stated.lot_size}, its stored days have "
                f"{stored.tick_size} and {stored.lot_size} ({stored.source}): import them together into a new store",
                Exit.CONFIGURATION,
            )
        if stated:
            return stated
        seen = {what: max(spool.decimals[what] for spool in days.values()) for what in ("tick", "lots")}
        if stored is None:
            return Sizes(_step(seen["tick"]), _step(seen["lots"]), SEEN, *currencies(symbol))
        if stored.source == SEEN and seen["lots"] > Grid.parse(stored.lot_size).decimals:
            return stored._replace(
                lot_size=_step(seen["lots"])
            )  # small files show coarse quantities: refined, where a price is not
        return stored


def _step(decimals: int) -> str:
    return "1" if decimals == 0 else f"0.{'1'.rjust(decimals, '0')}"


def _grids(sizes: Sizes) -> tuple[Grid, Grid]:
    return Grid.parse(sizes.tick_size), Grid.parse(sizes.lot_size)


def _choose_trades(intake: Intake, spools: list[Spool]) -> None:
    """One kind of trade stream: single trades where there are any, else the aggregated ones; never both."""
    single = any(spool.segment.rows.get("trades") for spool in spools)
    for spool in spools:
        if not spool.segment.rows.get("aggregates"):
            spool.segment.trade_stream = "trade" if spool.segment.rows.get("trades") else ""
        elif single:
            intake.aside["aggTrade beside trade"] += spool.drop("aggregates")
            spool.segment.trade_stream = "trade"
        else:
            spool.rename("aggregates", "trades")
            spool.segment.trade_stream = "aggTrade"


def _off_grid(intake: Intake, symbol: str, spool: Spool, sizes: Sizes, off: OffGrid) -> str:
    price = off.column.endswith("tick")
    what, step = ("price", sizes.tick_size) if price else ("quantity", sizes.lot_size)
    if off.table == "levels":
        ends = (spool.raw("depth", "bids") + spool.raw("depth", "asks")).cumsum()
        line = int(spool.raw("depth", "line")[int(ends.searchsorted(off.row, "right"))])
    else:
        line = int(spool.raw(off.table, "line")[off.row])
    return (
        f"{intake.capture.path}:{line}: {what} {off.text} is finer than {symbol}'s {'tick' if price else 'lot'} {step} "
        f"({sizes.source}); nothing of this file was stored: give --exchange-info FILE with the right sizes and a new store"
    )


def _reported(intake: Intake) -> Report:
    capture = intake.capture
    rows = sum(sum(count for table, count in s.segment.rows.items() if table != "depth") for s in intake.spools.values())
    return Report(
        str(capture.path),
        intake.venue,
        sorted({symbol for symbol, _ in intake.spools}),
        capture.lines,
        capture.bytes_text,
        rows,
        dict(intake.events),
        damaged=intake.damaged,
        damage=[f"{capture.path}:{line}: {what}" for line, what in capture.damage],
        latency_ms=quantiles(intake.latencies_ms),
    )


def _note_day(report: Report, day: Day, digest_of_file: str) -> None:
    report.days[f"{day.venue}:{day.symbol} {day.day}"] = day.quality
    names = {segment.source for segment in day.segments if segment.digest == digest_of_file}
    mine = [gap for gap in day.gaps if gap.source in names]
    report.gaps += len(mine)
    report.gap_lines += [f"{report.file}:{gap.line}: update {gap.first_id} does not continue {gap.after_id}" for gap in mine[:20]]
    report.crossed += day.crossed


def stored_days(folder: Path) -> list[str]:
    """The days that an instrument's folder holds, in order; other files there (imported bars) are none."""
    return sorted(path.stem for path in folder.glob("????-??-??.h5"))


def described(path: Path) -> Day:
    """What a day file says of itself. Raises UserError when it is damaged."""
    with DayFile(path) as file:
        return file.day


def stored_sizes(folder: Path) -> Sizes | None:
    """The grid of an instrument's stored days; None where there are none that can be read."""
    for name in stored_days(folder):
        try:
            day = described(folder / f"{name}.h5")
        except UserError:
            continue
        return Sizes(day.tick_size, day.lot_size, day.grid_source, day.base, day.quote)
    return None


def _rebuild_days(folder: Path, venue: str, symbol: str, sizes: Sizes, spools: dict[str, Spool]) -> dict[str, Day]:
    """Rebuild the days that have something new and those that follow from them; returns those that were written.

    Raises UserError, before anything is written, when one of the days to which something is new is damaged.
    """
    written: dict[str, Day] = {}
    stored = stored_days(folder)
    found = {day: described(folder / f"{day}.h5") for day in stored if day in spools}
    known = next(iter(found.values()), None) or stored_sizes(folder)
    refined = known is not None and known.lot_size != sizes.lot_size
    follows = False
    for name in sorted({*stored, *spools}):
        spool = spools.get(name)
        if spool is None and not follows and not refined:
            continue
        blank = Day(venue, symbol, name, sizes.tick_size, sizes.lot_size, sizes.source, sizes.base, sizes.quote)
        try:
            day = _rebuild_day(folder / f"{name}.h5", blank, [spool] if spool else [], before_day(folder, name))
        except UserError:
            if spool is not None:
                raise
            day = None  # a damaged day that nothing is new to: `data list` names it
        follows = day is not None
        if day is not None:
            written[name] = day
    return written


def _rebuild_day(path: Path, blank: Day, fresh: Sequence[Spool], before: Before) -> Day | None:
    """Rebuild one day; None when nothing about it would change."""
    with ExitStack() as stack:
        sources: list[Source] = []
        old, finer = None, ""
        if path.exists():
            old = stack.enter_context(DayFile(path))
            finer = blank.lot_size if old.day.lot_size != blank.lot_size else ""
            sources += [Stored(old, number, finer) for number in range(len(old.day.segments))]
        known = {source.segment.digest for source in sources}
        new = [spool for spool in fresh if spool.segment.digest not in known]
        sources += new
        if old is not None and not new and not finer and not _would_change(old, sources, before):
            return None
        return rebuild(path, blank, sources, before)


def _would_change(old: DayFile, sources: Sequence[Source], before: Before) -> bool:
    chained = Depth.of(sources).continues(rules_of(old.day.venue), before.closing_id)
    day = old.day
    day.opening_id = before.closing_id if chained else -1
    day.opening_mark = before.mark
    return digest(day, before.book if chained else EMPTY_BOOK) != day.digest


def before_day(folder: Path, name: str) -> Before:
    """What the nearest readable day before a day leaves to it."""
    for earlier in reversed(stored_days(folder)):
        if earlier < name:
            try:
                with DayFile(folder / f"{earlier}.h5") as file:
                    return _mark_known(Before(file.day.closing_id, file.book("closing"), file.day.closing_mark), name)
            except UserError:
                continue
    return NOTHING_BEFORE


def _mark_known(before: Before, day: str) -> Before:
    """Without a mark price so old that its funding was settled before the day began."""
    if before.mark is not None and before.mark[5] < day_start(day):
        return before._replace(mark=None)
    return before


def day_start(day: str) -> int:
    """Midnight UTC at which a day begins, in ns."""
    return (date.fromisoformat(day) - date(1970, 1, 1)).days * DAY_NS


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """One writer at a time; readers need no lock, because files are replaced whole."""
    with (root / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
