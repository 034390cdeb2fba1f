"""From a graph, a store and a wish for days to tasks: what one worker does without anybody's help.

A task is a span (see `actors/sim/days.py`): one day of one independent group of instruments, or under `carry` all its days in
sequence. The same tasks on the same content are the same run: its id is a hash of the code, the parameters, the data of each
day, the days and the instruments, so a result is found again by asking for it, and an edit of any of these is another run.
"""

from __future__ import annotations

import hashlib
import re
from collections import ChainMap, Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from msgspec import Struct, structs

from actors.errors import Exit, UserError
from actors.graph import Plan
from actors.history.shelf import located
from actors.history.tickdb import TickDb, days_between, parse_day
from actors.launch import strategies_of
from core.instrument import Key

MEMORY_BYTES = 240e6
MEMORY_ROW_BYTES = 140
NAMED_MAX = 4
"""Missing days named in an error; the others are counted."""


class Task(Struct, frozen=True):
    """One span of work. `days` is one day, or under `carry` several that are simulated in sequence."""

    plan: Plan
    store: str
    keys: tuple[Key, ...]
    days: tuple[str, ...]
    data: dict[str, str] = {}
    """The digest of each day's data that a result depends on, by `<venue>:<symbol> <day>`."""

    rows: int = 0
    """Market rows of its largest day, which time and memory go with."""

    @property
    def memory(self) -> int:
        """What a worker may come to need for it, in bytes, as bench/scale.py measured it: it makes the columns, too."""
        return round(MEMORY_BYTES + MEMORY_ROW_BYTES * self.rows)

    @property
    def labels(self) -> frozenset[str]:
        """What it reads."""
        return frozenset(self.data)

    @property
    def symbols(self) -> list[str]:
        """The instruments' symbols, as results name them."""
        return [key.symbol for key in self.keys]

    def label(self, day: str = "") -> str:
        """How people see it: `2024-07-18 BTCUSDT`, or `2024-07-18:2024-07-19 BTCUSDT`."""
        days = day or (self.days[0] if len(self.days) == 1 else f"{self.days[0]}:{self.days[-1]}")
        return f"{days} {'+'.join(self.symbols)}"


class Job(Struct, frozen=True):
    """A whole backtest: its tasks in order of day. Hashes are taken once, here: sources may be edited while it runs."""

    plan: Plan
    tasks: tuple[Task, ...]
    data: dict[str, str]
    """The digest of each day's data by `<venue>:<symbol> <day>`."""
    code: str
    parameters: str
    run_id: str
    """The graph's name and a short content hash."""


def job(plan: Plan, store: str | Path, days: str = "", instruments: Sequence[str] = ()) -> Job:
    """The tasks for the days `first:last` (both included, all that are stored when empty) of the graph's or other instruments.

    Raises UserError for an empty store, an unknown instrument, words that are no days, and days that are not stored.
    """
    db = TickDb(store)
    keys = resolved(db, instruments or plan.graph.instruments)
    plan = structs.replace(plan, graph=structs.replace(plan.graph, instruments=tuple(map(str, keys))))
    by_symbol = {key.symbol: key for key in keys}
    rehearse(plan, db, keys)
    tasks: list[Task] = []
    for group in plan.groups([key.symbol for key in keys]):
        members = tuple(by_symbol[symbol] for symbol in group)
        chosen = _chosen(db, members, days)
        spans = [tuple(chosen)] if plan.graph.carries else [(day,) for day in chosen]
        tasks += [Task(plan, located(store), members, span) for span in spans]
    tasks.sort(key=lambda task: (task.days, task.symbols))
    tasks = [_informed(db, task) for task in tasks]
    data, code, parameters = dict(ChainMap(*(task.data for task in tasks))), plan.code_hash(), plan.parameters_hash()
    return Job(plan, tuple(tasks), data, code, parameters, _run_id(plan, tasks, data, code, parameters))


def _run_id(plan: Plan, tasks: Sequence[Task], data: Mapping[str, str], code: str, parameters: str) -> str:
    digest = hashlib.blake2b(digest_size=6)
    contents = [f"{name} {content}" for name, content in sorted(data.items())]
    for part in (code, parameters, _table_hash(plan), *contents, *(task.label() for task in tasks)):
        digest.update(part.encode() + b"\0")
    return f"{re.sub(r'[^A-Za-z0-9_.]+', '_', plan.graph.name)}-{digest.hexdigest()}"


def rehearse(plan: Plan, db: TickDb, keys: Sequence[Key]) -> None:
    """Make the strategies once, so that parameters which they refuse are said now and not by every day.

    Whatever else goes wrong here, a damaged day or an error in the strategy, is for the days that it spoils to name.
    """
    try:
        strategies_of(plan, [db.instrument(key) for key in keys])
    except UserError as error:
        if error.exit_code == Exit.CONFIGURATION:
            raise
    except Exception:  # noqa: BLE001
        pass


def resolved(db: TickDb, names: Sequence[str]) -> list[Key]:
    """The instruments of these names, each once. Raises UserError for an unknown one, and for one symbol at two venues."""
    keys = list(dict.fromkeys(db.resolve(name) for name in names))
    symbols = [key.symbol for key in keys]
    for key in keys:
        if symbols.count(key.symbol) > 1:
            raise UserError(f"{key.symbol} is named at two venues: one run takes it from one of them", Exit.CONFIGURATION)
    return keys


def _chosen(db: TickDb, keys: Sequence[Key], days: str) -> list[str]:
    """The days of instruments that run together: those asked for, which all of them must have, or all that they share."""
    stored = [db.days(key) for key in keys]
    shared = [day for day in stored[0] if all(day in one for one in stored)]
    names = "+".join(map(str, keys))
    if not days:
        if not shared:
            raise UserError(f"{names} have no day in common in {db.root}", Exit.NOT_FOUND)
        return shared
    for key, have in zip(keys, stored, strict=True):
        days_between(have, days, f"{key} in {db.root}")
        missing = [day for day in _calendar(days) if day not in have]
        if missing:
            more = f" and {len(missing) - NAMED_MAX} more" if len(missing) > NAMED_MAX else ""
            raise UserError(
                f"{key} has no day {', '.join(missing[:NAMED_MAX])}{more} in {db.root}; it has {_ranges(have)}", Exit.NOT_FOUND
            )
    return list(_calendar(days))


def _calendar(days: str) -> Iterator[str]:
    first, colon, last = days.partition(":")
    day, end = (date.fromisoformat(parse_day(text)) for text in (first, last if colon else first))
    while day <= end:
        yield day.isoformat()
        day += timedelta(days=1)


def _ranges(days: Sequence[str]) -> str:
    """`2024-07-18:2024-07-20, 2024-08-01`: runs of neighbouring days, the last few of them."""
    runs: list[list[str]] = []
    for day in days:
        if runs and date.fromisoformat(day) - date.fromisoformat(runs[-1][-1]) == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    named = [run[0] if len(run) == 1 else f"{run[0]}:{run[-1]}" for run in runs]
    return ("... " if len(named) > NAMED_MAX else "") + ", ".join(named[-NAMED_MAX:])


def _informed(db: TickDb, task: Task) -> Task:
    """A task with the content of every day that its result depends on, the day before included where it is warmed up on."""
    eve = (date.fromisoformat(task.days[0]) - timedelta(days=1)).isoformat()
    data: dict[str, str] = {}
    rows: Counter[str] = Counter()
    for key in task.keys:
        days = (eve, *task.days) if task.plan.graph.warmup_minutes and eve in db.days(key) else task.days
        for day in days:
            try:
                words = db.sidecar(key, day).words
            except UserError:  # it is damaged, and will fail with what is the matter
                data[f"{key} {day}"] = db.digest(key, day)
            else:
                data[f"{key} {day}"] = words.digest
                rows[day] += words.rows("levels") + words.rows("trades")
    return structs.replace(task, data=data, rows=max(rows.values(), default=0))


def _table_hash(plan: Plan) -> str:
    """The content of the recorded latency table, if the graph names one. A missing one is reported by the day that needs it."""
    table = plan.graph.latency.table
    path = Path(plan.folder) / (table or "")
    return hashlib.blake2b(path.read_bytes()).hexdigest() if table and path.is_file() else ""
