"""`astrarium backtest GRAPH`: days simulated, results kept, one table."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from actors.errors import Exit, UserError

if TYPE_CHECKING:
    from actors.backtest import Outcome

FAILURES_MAX = 10
"""Failed days named at the end; the others are counted."""


def backtest(
    graph: Path,
    /,
    *,
    store: Annotated[str, Parameter(name="--store")] = "store",
    days: Annotated[str, Parameter(name="--days")] = "",
    instruments: Annotated[str, Parameter(name="--instruments")] = "",
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    workers: Annotated[int | None, Parameter(name="--workers")] = None,
    ray: Annotated[bool, Parameter(name="--ray", negative="--no-ray")] = True,
    address: Annotated[str, Parameter(name="--address")] = "",
    results: Annotated[Path, Parameter(name="--results")] = Path("results"),
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Simulate a graph over stored days, many at once. The same command again does only what is missing.

    Parameters
    ----------
    graph
        The graph's TOML file, such as strategies/market_maker.toml.
    store
        The tick store: a folder, or a URL as s3://bucket/prefix.
    days
        A day, or first:last with both ends, as YYYY-MM-DD; all stored days when left out.
    instruments
        Instead of the graph's own: BTCUSDT,ETHUSDT.
    set_
        Another value for one key of the graph, as strategy.gamma=0.3; may be given again.
    workers
        Worker processes; by default as many as there are cores.
    ray
        With --no-ray everything runs in this process.
    address
        Have a Ray cluster do it: auto on one of its machines, else ray://HOST:10001. Its machines must see a store in a folder
        under the same path. The run goes on without this terminal; the same command comes back to it, Ctrl-C ends it.
    results
        Where the run's folder is put.
    json
        Print one JSON object at the end instead of a table.
    """
    if workers is not None and workers < 1:
        raise UserError(f"--workers {workers}: at least 1 (or --no-ray for none)", Exit.CONFIGURATION)
    if not ray and (workers or address):
        raise UserError("--no-ray runs in this process: leave out --workers and --address", Exit.CONFIGURATION)
    from actors.backtest import backtest as run
    from actors.cli.progress import board
    from actors.graph import read
    from actors.tasks import job

    plan = read(graph, set_)
    wanted = [name.strip() for name in instruments.split(",") if name.strip()]
    work = job(plan, store, days, wanted)
    try:
        with board() as watcher:
            outcome = run(work, results.expanduser(), workers or len(os.sched_getaffinity(0)), address, ray, watcher)
    except KeyboardInterrupt:
        sys.stderr.write("the days that are done are kept: the same command goes on from there\n")
        raise
    _print_json(outcome) if json else _print_tables(outcome)
    return int(Exit.ERROR if outcome.failed else Exit.FINE)


def _print_json(outcome: Outcome) -> None:
    import msgspec

    sys.stdout.write(msgspec.json.encode(outcome.json()).decode() + "\n")


def _print_tables(outcome: Outcome) -> None:
    from rich.console import Console

    from actors.report.words import summary_table

    console = Console(width=None if sys.stdout.isatty() else 160)
    simulated = any(day["status"] == "done" for day in outcome.days)
    if simulated:  # a table of nothing would hide why there is nothing
        console.print(summary_table(outcome.result))
    for day in outcome.failed[:FAILURES_MAX]:
        console.print(
            f"failed: {day['day']} {'+'.join(day['instruments'])}: {day['cause']}", markup=False, highlight=False, soft_wrap=True
        )
    if len(outcome.failed) > FAILURES_MAX:
        console.print(f"... and {len(outcome.failed) - FAILURES_MAX} more")
    peaks: dict[int, float] = {}
    for day in outcome.days:
        if day["status"] == "done":
            peaks[day["worker_pid"]] = max(peaks.get(day["worker_pid"], 0.0), day["peak_rss_mb"])
    if peaks:
        each = ", ".join(f"{peak:.0f}" for peak in peaks.values())
        console.print(f"peak memory a worker: {each} MB", highlight=False)
    if not simulated:
        return
    console.print(f"results: {outcome.result.path}", highlight=False, soft_wrap=True)
    console.print(f"report:  {outcome.result.path / 'report.html'}", highlight=False, soft_wrap=True)
