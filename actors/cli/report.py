"""`astrarium report [RUN]`: a finished run or sweep once more: its table, its page, its figures for machines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from actors.errors import Exit, UserError, nearest

if TYPE_CHECKING:
    from actors.report import Run

DESCRIPTIONS = ("run.json", "sweep.json")
"""What a folder of results has one of."""


def report(
    run: str = "",
    /,
    *,
    results: Annotated[Path, Parameter(name="--results")] = Path("results"),
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    open_: Annotated[bool, Parameter(name="--open", negative="")] = False,
    csv: Annotated[bool, Parameter(name="--csv", negative="")] = False,
) -> int:
    """Show the figures of a run or a sweep, and where its page is.

    Parameters
    ----------
    run
        A run's folder, or its name under --results, or the beginning of it; the newest when left out.
    results
        Where runs are kept.
    json
        Print metrics.json's object instead of a table.
    open_
        Open the page in a browser.
    csv
        Also write fills and equity as compressed CSV into the run's folder; a sweep has its tables as CSV anyway.
    """
    place = folder(run, results.expanduser())
    page = _show_sweep(place, json) if (place / "sweep.json").exists() else _show_run(place, json, csv)
    if open_:
        import webbrowser

        if not webbrowser.open(page.resolve().as_uri()):
            raise UserError(f"no browser could be started; the page is {page}")
    return int(Exit.FINE)


def _show_run(place: Path, json: bool, csv: bool) -> Path:
    from actors.report import Run

    found = Run(place)
    page = found.report()
    tables = found.write_csv() if csv else []
    _print_json(found) if json else _print_table(found, [page, *tables])
    return page


def _show_sweep(place: Path, json: bool) -> Path:
    """A sweep's page and tables are made again from its rows: it may have been cut, or be at work."""
    from actors.cli.tune import show
    from actors.sweep import Sweep

    found = Sweep(place)
    page = found.report()
    show(found, json)
    return page


def folder(run: str, results: Path) -> Path:
    """The folder of a run or a sweep that somebody named. Raises UserError where none or more than one is meant."""
    if run and any((Path(run) / name).exists() for name in DESCRIPTIONS):
        return Path(run)
    known = {path.parent.name: path.parent for name in DESCRIPTIONS for path in results.glob(f"*/{name}")}
    if not known:
        raise UserError(f"{run or results}: no run is there (--results says where they are)", Exit.NOT_FOUND)
    if not run:
        return max(known.values(), key=_begun_ns)
    meant = [run] if run in known else [name for name in known if name.startswith(run)]
    if not meant:
        raise UserError(f"{results}: no run {run!r}: {nearest(run, known)}", Exit.NOT_FOUND)
    if len(meant) > 1:
        raise UserError(f"{results}: {run!r} may be {', '.join(sorted(meant)[:6])}", Exit.NOT_FOUND)
    return known[meant[0]]


def _begun_ns(place: Path) -> int:
    """When a run or sweep was begun."""
    return max((place / name).stat().st_mtime_ns for name in DESCRIPTIONS if (place / name).exists())


def _print_json(run: Run) -> None:
    import msgspec

    document = {"run": run.run["run"], "folder": str(run.path), "metrics": run.metrics}
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")


def _print_table(run: Run, paths: list[Path]) -> None:
    from rich.console import Console

    from actors.report.words import summary_table

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(summary_table(run))
    for one in run.failed:
        cause = f"failed: {one['day']} {'+'.join(one['instruments'])}: {one['cause']}"
        console.print(cause, markup=False, highlight=False, soft_wrap=True)
    for path in paths:
        console.print(str(path), markup=False, highlight=False, soft_wrap=True)
