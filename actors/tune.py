"""A sweep: many parameter sets over stored days, in blocks that a crew of workers takes one after the other.

The machinery is a backtest's: tasks, workers, words. Here is what is a sweep's own: which sets share a world, how they are cut
into blocks, and what is done again. A sweep is named by its content, so the same command goes on where it was cut; what was done
in blocks of another size, by other workers, counts all the same, since a row is one set's day.

In a notebook: `Sweep("results/...")` reads one; `.sets()`, `.by_day()` are tables, `.plot("heat")`, `"parallel"`, `"days"`,
`"order"`, `"correlation"` figures.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from math import prod
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct, structs

from actors.backtest import RESULTS, versions
from actors.crew import worked
from actors.errors import Exit, UserError
from actors.graph import Plan, describe, read
from actors.grid import Axis, ParameterSet, axes, parameter_sets, worlds
from actors.history.tickdb import TickDb
from actors.sweep import Sweep, SweepFolder
from actors.tasks import Job, Task, job, rehearse, resolved
from actors.trials import Block, Trial, Tried, failed, offers
from actors.work import Failure, Notice, Word

__all__ = ["Sweep", "SweepJob", "sweep_job", "tune"]

BLOCK_COMPILED, BLOCK_NODES = 32, 4
"""Sets in a block at most: in the compiled day they share its reading; on the nodes they share only the task's cost."""
SLOTS = 64
"""What a cluster is taken for when a sweep is cut into blocks: the same from wherever it is begun again."""
ROUNDS = 4
"""Blocks for each worker and world at least, where there are sets enough: so the last one to finish is not alone for long."""


class SweepJob(Struct, frozen=True):
    """A whole sweep: its sets, put together by the world that they share, and that world's tasks."""

    plan: Plan
    grid: tuple[Axis, ...]
    sets: tuple[ParameterSet, ...]
    parts: tuple[tuple[Job, tuple[ParameterSet, ...]], ...]
    sweep_id: str
    """The graph's name and a short content hash."""

    @property
    def cells(self) -> tuple[Task, ...]:
        """The days and instruments that every set is tried on."""
        return self.parts[0][0].tasks

    @property
    def days(self) -> list[str]:
        """The days, each once."""
        return sorted({day for task in self.cells for day in task.days})

    @property
    def runs(self) -> int:
        """Sets times days times instruments."""
        return len(self.sets) * sum(len(task.days) for task in self.cells)


class Watcher(Protocol):
    """Somebody who follows a sweep."""

    def begin(self, tasks: Sequence[Task], resumed: int, runs: int) -> None:
        """These blocks are to be done; of all runs so many were done before."""

    def see(self, task: Task, number: int, word: Word) -> None:
        """A word of a block; its rows are those that are new."""

    def tell(self, text: str) -> None:
        """Something to know about the machines that do it."""


def sweep_job(
    graph: Path,
    store: str | Path,
    grid: Sequence[str],
    overrides: Sequence[str] = (),
    days: str = "",
    instruments: Sequence[str] = (),
    runs_max: int | None = None,
) -> SweepJob:
    """Read a graph and a grid of `key=values` texts, and check every set.

    Raises UserError for what `read`, `axes`, `parameter_sets` and `job` refuse, and for more than `runs_max` runs; a value that a
    strategy refuses names its set.
    """
    along = axes(grid)
    plan = read(graph, overrides)
    db = TickDb(store)
    keys = resolved(db, instruments or plan.graph.instruments)
    cells = sum(len(task.days) for task in job(plan, store, days, [str(key) for key in keys]).tasks)
    count = prod(len(axis.values) for axis in along)
    if runs_max is not None and count * cells > runs_max:
        size = f"{count:,} sets x {cells:,} days of an instrument = {count * cells:,} runs"
        raise UserError(f"{size}, more than {runs_max:,}: narrow the grid, or say --yes", Exit.CONFIGURATION)
    sets = parameter_sets(graph, overrides, along)
    for one in sets:
        try:
            rehearse(one.plan, db, keys)
        except UserError as error:
            raise UserError(f"set {one.number} ({one.label}): {error}", error.exit_code) from error
    parts = [(job(part[0].plan, store, days, [str(key) for key in keys]), tuple(part)) for part in worlds(sets, along)]
    plan = structs.replace(plan, graph=structs.replace(plan.graph, instruments=tuple(map(str, keys))))
    return SweepJob(plan, tuple(along), tuple(sets), tuple(parts), _sweep_id(plan, along, [part for part, _ in parts]))


def _sweep_id(plan: Plan, along: Sequence[Axis], jobs: Sequence[Job]) -> str:
    """A job's own id holds the content of code, data and all parameters but the grid's."""
    digest = hashlib.blake2b(digest_size=6)
    for part in (*(one.run_id for one in jobs), *(msgspec.json.encode([axis.key, axis.values]).decode() for axis in along)):
        digest.update(part.encode() + b"\0")
    return f"{re.sub(r'[^A-Za-z0-9_.]+', '_', plan.graph.name)}-grid-{digest.hexdigest()}"


def tune(
    work: SweepJob, results: str | Path = RESULTS, workers: int = 1, address: str = "", ray: bool = True,
    watcher: Watcher | None = None, by: str = "pnl", block: int = 0,
) -> Sweep:  # fmt: skip
    """Do what is left of a sweep and keep it under `results`/<sweep id>; without `ray` in this process alone.

    `block` is the number of sets in a block, 0 for one that suits. A block whose workers die again and again is done once more, a
    set at a time, so that only the set that kills them fails. Raises UserError when the folder cannot be written or Ray does not
    start. Sets that fail do not raise.
    """
    home = SweepFolder(Path(results) / work.sweep_id)
    try:
        home.begin(_description(work, by), work.plan.source)
        blocks = _blocks(work, home, SLOTS if address else workers, block)
        if watcher:
            watcher.begin(blocks, work.runs - _left(blocks, home), work.runs)
        again = _round(work.sweep_id, home, blocks, workers, address, ray, watcher)
        singles = [single for one in again for single in _singles(one, home)]
        _round(f"{work.sweep_id}.singles", home, singles, workers, address, ray, watcher)
        found = Sweep(home.path, by)
        found.report()
    except OSError as error:
        raise UserError(f"cannot write results to {home.path}: {error.strerror or error}") from error
    return found


def _round(
    name: str, home: SweepFolder, blocks: Sequence[Block], workers: int, address: str, ray: bool, watcher: Watcher | None
) -> list[Block]:
    """Do blocks and write their rows down; returns those of several sets that no worker survived."""
    lost: dict[int, Block] = {}
    with closing(worked(name, blocks, workers, address, ray)) as words:
        for number, word in words:
            if isinstance(word, Notice):
                if watcher:
                    watcher.tell(word.text)
                continue
            block, heard = blocks[number], word
            if isinstance(word, Failure) and len(block.trials) > 1:
                lost[number] = block
                continue
            if isinstance(word, Failure):
                heard = Tried((failed(block, block.trials[0], word.day, word.cause, word.traceback),))
            if isinstance(heard, Tried):
                heard = Tried(tuple(home.keep(heard.rows)))
            if watcher:
                watcher.see(block, number, heard)
    return list(lost.values())


def _blocks(work: SweepJob, home: SweepFolder, workers: int, size: int) -> list[Block]:
    """What is left to do, the first day first: a day that is read stays in the machine's memory for the next block."""
    found: list[Block] = []
    for part, sets in work.parts:
        for task in part.tasks:
            trials = [_trial(one, work.grid) for one in sets]
            most = size or _suiting(task, len(sets) * len(part.tasks), workers)
            for first in range(0, len(trials), most):
                if here := tuple(one for one in trials[first : first + most] if not all(_done(home, one, task))):
                    found.append(Block(**structs.asdict(task), trials=here))
    return sorted(found, key=lambda one: (one.days, one.symbols, one.trials[0].number))


def _done(home: SweepFolder, trial: Trial, task: Task) -> Iterator[bool]:
    return (home.done(_key(trial, task, day)) for day in task.days)


def _suiting(task: Task, runs: int, workers: int) -> int:
    most = BLOCK_COMPILED if offers(task.plan) and len(task.keys) == 1 else BLOCK_NODES
    return max(1, min(most, runs // (ROUNDS * workers)))


def _trial(one: ParameterSet, along: Sequence[Axis]) -> Trial:
    strategy = one.plan.graph.strategy
    return Trial(one.number, {axis.parameter: strategy[axis.parameter] for axis in along if axis.parameter})


def _key(trial: Trial, task: Task, day: str) -> tuple[int, str, str]:
    return trial.number, day, "+".join(task.symbols)


def _left(blocks: Sequence[Block], home: SweepFolder) -> int:
    """Runs that are not done."""
    keys = (_key(trial, block, day) for block in blocks for trial in block.trials for day in block.days)
    return sum(not home.done(key) for key in keys)


def _singles(block: Block, home: SweepFolder) -> Iterator[Block]:
    for trial in block.trials:
        if not all(home.done(_key(trial, block, day)) for day in block.days):
            yield structs.replace(block, trials=(trial,))


def _description(work: SweepJob, by: str) -> dict[str, Any]:
    """All that sweep.json says: the graph and the grid as resolved, hashes, assumptions, versions."""
    jobs = [part for part, _ in work.parts]
    return {
        "sweep": work.sweep_id,
        "name": work.plan.graph.name,
        "by": by,
        "graph": msgspec.to_builtins(work.plan.graph),
        "grid": [{"key": axis.key, "values": axis.values, "ordered": axis.ordered} for axis in work.grid],
        "sets": [{"set": one.number, "place": one.place, "values": one.values} for one in work.sets],
        "days": work.days,
        "cells": {day: ["+".join(task.symbols) for task in work.cells if day in task.days] for day in work.days},
        "instruments": list(work.plan.graph.instruments),
        "store": jobs[0].tasks[0].store,
        "hashes": {"code": jobs[0].code, "parameters": work.plan.parameters_hash(), "data": jobs[0].data},
        "assumptions": dict(describe(work.plan.graph)),
        "versions": versions(),
    }
