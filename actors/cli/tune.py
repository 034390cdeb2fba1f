"""`astrarium tune grid GRAPH`: many parameter sets over stored days, and what the best of them is worth."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from actors.errors import Exit, UserError, nearest

if TYPE_CHECKING:
    from actors.sweep import Sweep

app = App(name="tune", help="Try many parameter sets over stored days.", default_parameter=Parameter(negative_iterable=()))

RUNS_MAX = 2_000
"""Runs that need no --yes: on the nodes a run takes seconds to minutes, so these are hours at worst."""
FAILURES_MAX = 10


@app.command
def grid(
    graph: Path,
    /,
    *,
    set_grid: Annotated[tuple[str, ...], Parameter(name="--set-grid")] = (),
    store: Annotated[str, Parameter(name="--store")] = "store",
    days: Annotated[str, Parameter(name="--days")] = "",
    instruments: Annotated[str, Parameter(name="--instruments")] = "",
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    by: Annotated[str, Parameter(name="--by")] = "pnl",
    workers: Annotated[int | None, Parameter(name="--workers")] = None,
    block: Annotated[int, Parameter(name="--block")] = 0,
    ray: Annotated[bool, Parameter(name="--ray", negative="--no-ray")] = True,
    address: Annotated[str, Parameter(name="--address")] = "",
    results: Annotated[Path, Parameter(name="--results")] = Path("results"),
    yes: Annotated[bool, Parameter(name="--yes", negative="")] = False,
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Try every combination of some keys' values. The same command again does only what is missing.

    Parameters
    ----------
    graph
        The graph's TOML file, such as strategies/market_maker.toml.
    set_grid
        A key and its values, as strategy.gamma=0.05,0.1,0.3 or strategy.adj1=0.5:2:0.25 (both ends); once for each key.
    store
        The tick store: a folder, or a URL as s3://bucket/prefix.
    days
        A day, or first:last with both ends, as YYYY-MM-DD; all stored days when left out.
    instruments
        Instead of the graph's own: BTCUSDT,ETHUSDT.
    set_
        Another value for one key of the graph in all sets, as strategy.delta=2; may be given again.
    by
        What sets are ordered by: pnl, gross_pnl, sharpe, return_over_trade, return_over_drawdown.
    workers
        Worker processes; by default as many as there are cores.
    block
        Sets that share one reading of a day; by default as many as suit. The results are the same.
    ray
        With --no-ray everything runs in this process.
    address
        Have a Ray cluster do it: auto on one of its machines, else ray://HOST:10001. Its machines must see a store in a folder
        under the same path. The run goes on without this terminal; the same command comes back to it, Ctrl-C ends it.
    results
        Where the sweep's folder is put.
    yes
        Do it even if it is more than 2,000 runs.
    json
        Print one JSON object at the end instead of a table.
    """
    if workers is not None and workers < 1:
        raise UserError(f"--workers {workers}: at least 1 (or --no-ray for none)", Exit.CONFIGURATION)
    if not ray and (workers or address):
        raise UserError("--no-ray runs in this process: leave out --workers and --address", Exit.CONFIGURATION)
    if block < 0:
        raise UserError(f"--block {block}: at least 1, or 0 for as many as suit", Exit.CONFIGURATION)
    from actors.cli.progress import board
    from actors.standing import OBJECTIVES
    from actors.tune import sweep_job, tune

    if by not in OBJECTIVES:
        raise UserError(f"--by {by}: {nearest(by, OBJECTIVES)}", Exit.CONFIGURATION)
    wanted = [name.strip() for name in instruments.split(",") if name.strip()]
    work = sweep_job(graph, store, set_grid, set_, days, wanted, None if yes else RUNS_MAX)
    each = work.runs // len(work.sets)
    sys.stderr.write(f"{len(work.sets):,} sets x {each:,} days of an instrument = {work.runs:,} runs\n")
    try:
        with board("runs") as watcher:
            found = tune(work, results.expanduser(), workers or len(os.sched_getaffinity(0)), address, ray, watcher, by, block)
    except KeyboardInterrupt:
        sys.stderr.write("the sets and days that are done are kept: the same command goes on from there\n")
        raise
    show(found, json)
    return int(Exit.ERROR if found.failed else Exit.FINE)


def show(found: Sweep, json: bool) -> None:
    """A sweep on stdout: tables, or one JSON object."""
    if json:
        import msgspec

        sys.stdout.write(msgspec.json.encode(found.json()).decode() + "\n")
        return
    from rich.console import Console

    from actors.report.sweep_words import sets_table

    console = Console(width=None if sys.stdout.isatty() else 160)
    if len(found.standing.complete):
        console.print(sets_table(found))
    lines = list(found.standing.luck.sentences)
    for row in found.failed[:FAILURES_MAX]:
        lines.append(f"failed: set {row['set']} ({found.label(row['set'])}), {row['day']} {row['instrument']}: {row['cause']}")
    if len(found.failed) > FAILURES_MAX:
        lines.append(f"... and {len(found.failed) - FAILURES_MAX} more")
    lines += [f"results: {found.path}", f"page:    {found.path / 'sweep.html'}"]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
