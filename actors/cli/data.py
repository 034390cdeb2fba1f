"""`astrarium data ...`: captures into the store, and the store onto the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from actors.errors import Exit, UserError

if TYPE_CHECKING:
    from actors.history.barcsv import BarReport
    from actors.history.importer import Report

app = App(name="data", help="Import captures, list, check and copy the stored days, and look into them.")

Store = Annotated[str, Parameter(name="--store", help="The tick store: a folder, or a URL as s3://bucket/prefix.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document instead of tables.")]
Days = Annotated[str, Parameter(name="--days", help="A day, or first:last with both ends, as YYYY-MM-DD.")]

app.command("actors.cli.synth:synth", name="synth", help="Generate days of depth and trades from a seed.")
app.command("actors.cli.copy:copy", name="copy", help="Copy days from one store to another: folders, object storage.")

STORE = "store"
"""Where the verbs look when they are not told: a folder of that name in the current one."""
PROGRESS_SECONDS = 3.0
"""Between two lines of progress where there is no terminal."""
SHOWN_MAX = 10
"""Damaged lines and gaps printed a file; the others are counted."""


@app.command(name="import")
def import_(
    files: list[Path],
    /,
    *,
    store: Store = STORE,
    kind: Literal["capture", "bars"] = "capture",
    exchange_info: Path | None = None,
    venue: str = "",
    symbol: str = "",
    columns: str = "",
    json: Json = False,
) -> int:
    """Read capture files (or, with --kind bars, CSV files of bars) into the store. Importing again changes nothing.

    Parameters
    ----------
    files
        Raw Binance captures, gz or plain, in any order; with --kind bars, CSV files.
    exchange_info
        A saved exchangeInfo reply with the tick and lot sizes. Without it: the coarsest decimal grid that a file shows.
    venue
        binance_usdm or binance_spot, where the frames themselves do not tell; with --kind bars any name.
    symbol
        With --kind bars: the symbol, where it is not the file's name.
    columns
        With --kind bars: where the columns are, as time=Date,open=Open,... by name or by number from 0.
    """
    from actors.history.shelf import writable

    reports: list[Any] = []
    failed = Exit.FINE
    folder = writable(store)
    run = _bars_importer(folder, venue, symbol, columns) if kind == "bars" else _capture_importer(folder, exchange_info, venue)
    for path in files:
        try:
            reports.append(run(path))
        except UserError as error:
            failed = failed or error.exit_code
            warn(f"error: {error}")
            reports.append(_failed(path, str(error), kind))
            continue
        if reports[-1].error:
            failed = failed or Exit.ERROR
            warn(f"error: {reports[-1].error}")
        if not json:
            _print_bar_report(reports[-1]) if kind == "bars" else _print_report(reports[-1])
    if json:
        print_json({"store": store, "files": reports})
    return int(failed)


@app.command(name="list")
def list_(*, store: Store = STORE, json: Json = False) -> int:
    """List the stored instruments and days."""
    from actors.history.tickdb import TickDb

    db = TickDb(store)
    rows: list[dict[str, Any]] = []
    damaged: list[str] = []
    for key in db.instruments():
        for name in db.days(key):
            try:
                sidecar = db.sidecar(key, name)
            except UserError as error:
                damaged.append(str(error))
                rows.append({"instrument": str(key), "day": name, "quality": "damaged"})
                continue
            day = sidecar.words
            row: dict[str, Any] = {
                "instrument": str(key),
                "day": name,
                "quality": day.quality,
                "tick_size": day.tick_size,
                "lot_size": day.lot_size,
            }
            row |= {table: day.rows(table) for table in ("depth", "levels", "trades", "bbo", "marks", "aside")}
            row |= {"gaps": day.gap_count, "crossed": day.crossed, "segments": [segment.source for segment in day.segments]}
            row["source"] = " ".join(sorted({name if name == "generated" else "captured" for name in row["segments"]}))
            rows.append(row | {"megabytes": round(sidecar.size_bytes / 1e6, 3), "digest": day.digest})
    bars = _stored_bars(store)
    if json:
        print_json({"store": store, "days": rows, "bars": bars})
    elif rows or bars:
        shown = (
            *("instrument", "day", "source", "quality", "tick_size", "lot_size"),
            *("depth", "trades", "bbo", "marks", "gaps", "megabytes"),
        )
        print_table(f"{len(rows)} days in {store}", shown, rows)
        if bars:
            print_table(f"bars in {store}", ("instrument", "freq"), bars)
    for line in damaged:
        warn(f"error: {line}")
    if not rows and not bars:
        raise UserError(f"{store}: the store holds no days; `astrarium data import` or `data synth` makes some", Exit.NOT_FOUND)
    return int(Exit.ERROR if damaged else Exit.FINE)


@app.command
def check(instruments: list[str] | None = None, /, *, store: Store = STORE, days: Days = "", json: Json = False) -> int:
    """Rebuild the stored books and compare them with the venue's own bookTicker at every shared update id.

    Parameters
    ----------
    instruments
        Which ones; all of them when none is named.
    """
    from actors.history.check import check as check_day
    from actors.history.tickdb import TickDb

    db = TickDb(store)
    keys = [db.resolve(name) for name in instruments] if instruments else db.instruments()
    if not keys:
        raise UserError(f"{store}: the store holds no days; `astrarium data import` or `data synth` makes some", Exit.NOT_FOUND)
    verdicts, damaged = [], False
    for key in keys:
        for day in _chosen(db.days(key), days, f"{key} in {store}"):
            try:
                with db.file(key, day) as file:
                    verdicts.append(check_day(file))
            except UserError as error:
                damaged = True
                warn(f"error: {error}")
    rows = [_verdict_row(verdict) for verdict in verdicts]
    if json:
        print_json({"store": store, "days": rows})
    else:
        print_table("bookTicker against the rebuilt book", tuple(rows[0]) if rows else (), rows)
    for verdict in verdicts:
        if not verdict.sound:
            warn(f"mismatch: {verdict.instrument} {verdict.day}: {verdict.first_mismatch}")
    return int(Exit.FINE if not damaged and all(verdict.sound for verdict in verdicts) else Exit.ERROR)


@app.command
def show(
    instrument: str,
    /,
    *,
    days: Days,
    kind: Literal["trades", "bbo", "depth", "bars", "book", "marks", "aside"] = "bars",
    store: Store = STORE,
    freq: str = "1min",
    at_update_id: int | None = None,
    at: str = "",
    levels: int = 5,
    limit: int = 0,
    json: Json = False,
) -> int:
    """Show what is stored of an instrument: trades, best quotes, depth events, bars, or the book at a moment.

    Parameters
    ----------
    instrument
        BTCUSDT, or binance_usdm:BTCUSDT where several venues have it.
    freq
        The length of bars: 1s, 1min, 5min, 1h, 1d.
    at_update_id
        The book after all events with u up to this.
    at
        The book after all events with exchange time up to this: 2024-07-19T00:03:00, 00:03:00, or ns since 1970.
    levels
        Levels a side of a book.
    limit
        At most so many rows; 0 for all.
    """
    from actors.history.tickdb import TickDb

    db = TickDb(store)
    try:
        key = db.resolve(instrument)
    except UserError:
        if kind == "bars" and (imported := _imported_bars(store, instrument, days, freq)) is not None:
            return _show_rows(imported, f"{instrument} {days} bars", limit, json)
        raise
    chosen = _chosen(db.days(key), days, f"{key} in {store}")
    if levels < 1 or limit < 0:
        raise UserError(f"--levels {levels} --limit {limit}: at least 1 level, and 0 (all) or more rows", Exit.CONFIGURATION)
    if kind == "book":
        return _show_book(db, key, chosen, at, at_update_id, levels, json)
    return _show_rows(_rows(db, key, chosen, kind, freq), f"{key} {days} {kind}", limit, json)


def _show_rows(rows: Iterator[dict[str, Any]], title: str, limit: int, json: bool) -> int:
    if limit:
        from itertools import islice

        rows = islice(rows, limit)
    if json:
        _print_json_rows(rows)
        return 0
    listed = list(rows)
    print_table(title, tuple(listed[0]) if listed else (), listed)
    return 0


def _imported_bars(store: str, instrument: str, days: str, freq: str) -> Iterator[dict[str, Any]] | None:
    """Rows of bars that came from CSV files, for an instrument without ticks; None where it has no such bars."""
    from actors.history.dailydb import DailyDb
    from actors.history.shelf import at_url
    from actors.history.tickdb import parse_day
    from core.instrument import Key

    if at_url(store):
        return None
    db = DailyDb(store, freq)
    if Key.parse(instrument).symbol not in {key.symbol for key in db.instruments()}:
        return None
    first, colon, last = days.partition(":")
    return db.rows(instrument, parse_day(first), parse_day(last if colon else first))


def _rows(db: Any, key: Any, days: list[str], kind: str, freq: str) -> Iterator[dict[str, Any]]:
    from actors.history import views
    from core.bars import period_ns

    try:
        period = period_ns(freq)
    except ValueError as error:
        raise UserError(f"--freq: {error}", Exit.CONFIGURATION) from error
    for day in days:
        with db.file(key, day) as file:
            yield from views.bars(file, period) if kind == "bars" else views.VIEWS[kind](file)


def _show_book(db: Any, key: Any, days: list[str], at: str, update_id: int | None, levels: int, json: bool) -> int:
    from actors.history import views
    from actors.history.historical import moment_ns

    if at and update_id is not None:
        raise UserError("--at and --at-update-id: give one of them", Exit.CONFIGURATION)
    at_ns = moment_ns(at, days[-1]) if at else None
    with db.file(key, _book_day(db, key, days, at_ns, update_id)) as file:
        row = views.book_row(file, views.book(file, at_ns, update_id), levels)
        day = file.day.day
    if json:
        print_json(row)
        return 0
    pad = [["", ""]] * levels
    sides = zip((row["bids"] + pad)[:levels], (row["asks"] + pad)[:levels], strict=True)
    listed = [{"bid qty": bq, "bid": b, "ask": a, "ask qty": aq} for (b, bq), (a, aq) in sides if b or a]
    print_table(f"{key} {day} {at or update_id or 'at its end'}", ("bid qty", "bid", "ask", "ask qty"), listed)
    return 0


def _book_day(db: Any, key: Any, days: list[str], at_ns: int | None, update_id: int | None) -> str:
    """The stored day of a moment. It may lie beside the days asked for: no other day's book is shown in its place."""
    from actors.history.intake import DAY_NS, day_text

    if at_ns is not None:
        day = day_text(at_ns // DAY_NS)
        db.path(key, day)
        return day
    if update_id is None:
        return days[-1]
    day = days[0]
    for later in (stored for stored in db.days(key) if stored > day):
        with db.file(key, day) as file:
            rows, closing_id = file.rows("depth"), file.day.closing_id
            if rows and file.column("depth", "last_id", rows - 1, rows)[0] >= update_id:
                return day
        if later not in days and closing_id < 0:
            return day
        with db.file(key, later) as file:
            first = file.column("depth", "first_id", 0, 1)
            chained = file.day.opening_id == closing_id
        if (later not in days and not chained) or (len(first) and first[0] > update_id):
            return day
        day = later
    return day


def _chosen(stored: list[str], days: str, what: str) -> list[str]:
    """The stored days within `first:last`, both ends included. Raises UserError when there is none."""
    from actors.history.tickdb import days_between

    return days_between(stored, days, what)


def _capture_importer(store: Path, info: Path | None, venue: str) -> Callable[[Path], Report]:
    from actors.errors import nearest
    from actors.history.exchangeinfo import exchange_info
    from actors.history.importer import Importer
    from core.dialect.binance.words import RULES

    if venue and venue not in RULES:
        raise UserError(f"--venue {venue}: {nearest(venue, RULES)}", Exit.CONFIGURATION)
    importer = Importer(store, exchange_info(info) if info else None, venue)

    def run(path: Path) -> Report:
        with advancing(path.name, path.stat().st_size if path.exists() else 0) as advance:
            return importer.run(path, advance)

    return run


def _bars_importer(store: Path, venue: str, symbol: str, columns: str) -> Callable[[Path], BarReport]:
    from actors.history.barcsv import column_map
    from actors.history.dailydb import import_bars

    mapped = column_map(columns)
    return lambda path: import_bars(store, path, venue or "csv", symbol, mapped)


def _failed(path: Path, error: str, kind: str) -> Any:
    if kind == "bars":
        from actors.history.barcsv import BarReport

        return BarReport(str(path), error=error)
    from actors.history.importer import Report

    return Report(str(path), error=error)


@contextmanager
def advancing(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """It is told how many bytes of `total` are done: a bar on a terminal, else a line every few seconds; both on stderr."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)
        return
    import time

    told = time.monotonic()

    def advance(done: int) -> None:
        nonlocal told
        if time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            warn(f"{what}: {100 * done // max(total, 1)} %")

    yield advance


def _print_report(report: Report) -> None:
    counts = ", ".join(f"{count:,} {kind}" for kind, count in report.events.items()) or "no events"
    _say(f"{report.file}: {report.venue} {' '.join(report.symbols)}: {report.lines:,} lines, {counts}")
    for symbol, grid in report.grid.items():
        _say(f"  {symbol}: tick {grid['tick_size']}, lot {grid['lot_size']} ({grid['source']})")
    _say(f"  gaps {report.gaps}, crossed books {report.crossed}, damaged lines {report.damaged}")
    if report.latency_ms:
        _say("  feed latency ms: " + ", ".join(f"{name} {value}" for name, value in report.latency_ms.items()))
    if report.aside:
        _say("  set aside: " + ", ".join(f"{count} {reason}" for reason, count in report.aside.items()))
    for day, quality in report.days.items():
        _say(f"  {day}: {quality}")
        if quality == "no book":
            _say("    neither a snapshot nor a stored day that it continues: kept, and not to be traded on")
    if report.unchanged:
        _say("  everything in it was stored already: nothing changed")
    for lines, count in ((report.damage, report.damaged), (report.gap_lines, report.gaps)):
        for line in lines[:SHOWN_MAX]:
            warn(f"warning: {line}")
        if len(lines) > SHOWN_MAX:
            warn(f"warning: {lines[-1]} (and {max(count, len(lines)) - SHOWN_MAX - 1} more between)")


def _print_bar_report(report: BarReport) -> None:
    _say(f"{report.file}: {report.instrument}: {report.bars:,} bars of {report.freq}, {report.first} to {report.last}")
    for kind, count in report.dirt.items():
        _say(f"  {kind}: {count}")
        for line in report.named.get(kind, []):
            warn(f"warning: {line}")
    if report.unchanged:
        _say("  stored already: nothing changed")


def _verdict_row(verdict: Any) -> dict[str, Any]:
    row = {
        name: getattr(verdict, name) for name in ("instrument", "day", "quality", "shared", "equal", "crossed", "gaps", "apart")
    }
    return row | {"first_mismatch": verdict.first_mismatch}


def _stored_bars(store: str) -> list[dict[str, str]]:
    """A row for each instrument and length of imported bars, which a folder may hold."""
    from actors.history.dailydb import DailyDb
    from actors.history.shelf import at_url

    lengths = set() if at_url(store) else {path.stem.removeprefix("bars-") for path in Path(store).glob("*/*/bars-*.h5")}
    return [{"instrument": str(key), "freq": freq} for freq in sorted(lengths) for key in DailyDb(store, freq).instruments()]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def warn(line: str) -> None:
    """A line on stderr."""
    sys.stderr.write(line + "\n")


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")


def _print_json_rows(rows: Iterator[dict[str, Any]]) -> None:
    """One array, a row a line, written as it is read."""
    import msgspec

    sys.stdout.write("[")
    for number, row in enumerate(rows):
        sys.stdout.write((",\n" if number else "") + msgspec.json.encode(row).decode())
    sys.stdout.write("]\n")


def print_table(title: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    """Rows as a table on stdout."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(_cell(row.get(column, "")) for column in columns))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) and value < 10**9 else str(value)
