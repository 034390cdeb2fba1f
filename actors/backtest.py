"""A backtest: tasks into results. What is done already is found and not done again; what fails is named, and the rest goes on.

The run's folder is named by its content (`actors/tasks.py`), so the same command finds it again. Only this process writes to
it, a day at a time and whole, so a run that is cut anywhere leaves days that are done and days that are not there. Under
`carry` the state between two days is not kept: a sequence that was cut begins again, and must then repeat the days it had
done, digest by digest.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from actors.crew import worked
from actors.errors import UserError
from actors.graph import describe
from actors.report import Run, write_report
from actors.results import DayFiles, RunFolder
from actors.tasks import Job, Task
from actors.work import Failure, Notice, Word

RESULTS = Path("results")


class Watcher(Protocol):
    """Somebody who follows a run."""

    def begin(self, tasks: Sequence[Task], resumed: int, days: int) -> None:
        """These tasks are to be done; of all days so many were done before."""

    def see(self, task: Task, number: int, word: Word) -> None:
        """A word of a task."""

    def tell(self, text: str) -> None:
        """Something to know about the machines that do it."""


class Outcome(Struct, frozen=True):
    """What a backtest gave. `days` is one summary a day and group, in order; `resumed` of them were done before."""

    run_id: str
    result: Run
    days: list[dict[str, Any]]
    resumed: int

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The days that failed."""
        return [day for day in self.days if day["status"] != "done"]

    def json(self) -> dict[str, Any]:
        """The object that `--json` ends with."""
        days = [{"day": day["day"], "instrument": "+".join(day["instruments"]), **day} for day in self.days]
        return {"run": self.run_id, "folder": str(self.result.path), "metrics": self.result.metrics, "days": days}


def backtest(
    job: Job, results: str | Path = RESULTS, workers: int = 1, address: str = "", ray: bool = True, watcher: Watcher | None = None
) -> Outcome:
    """Do what is left of a job and keep it under `results`/<run id>; without `ray` in this process alone.

    Raises UserError when the folder cannot be written or Ray does not start. Days that fail do not raise.
    """
    home = RunFolder(Path(results) / job.run_id)
    try:
        home.begin(_description(job), job.plan.source)
        left = [task for task in job.tasks if not all(home.finished(day, task.symbols) for day in task.days)]
        days = sum(len(task.days) for task in job.tasks)
        resumed = days - sum(len(task.days) for task in left)
        if watcher:
            watcher.begin(left, resumed, days)
        with closing(worked(job.run_id, left, workers, address, ray)) as words:
            for number, word in words:
                if isinstance(word, Notice):
                    if watcher:
                        watcher.tell(word.text)
                    continue
                _keep(home, left[number], word)
                if watcher:
                    watcher.see(left[number], number, word)
        fresh = bool(left) or not (home.path / "metrics.json").exists() or not (home.path / "report.html").exists()
        if fresh:
            home.finish()
        result = Run(home.path)
        if fresh:
            write_report(result)
    except OSError as error:
        raise UserError(f"cannot write results to {home.path}: {error.strerror or error}") from error
    mine = {(day, tuple(task.symbols)) for task in job.tasks for day in task.days}
    summaries = [one for one in result.summaries if (one["day"], tuple(one["instruments"])) in mine]
    return Outcome(job.run_id, result, summaries, resumed)


def _keep(home: RunFolder, task: Task, word: Word) -> None:
    """Write down what a word says, if it says something final."""
    if isinstance(word, DayFiles):
        known = home.finished(word.summary["day"], task.symbols)
        again = word.summary["digest"]
        assert known is None or known["digest"] == again, f"{task.label(word.summary['day'])}: {known}, and again {again}"
        home.write_day(word)
    elif isinstance(word, Failure) and home.finished(word.day, task.symbols) is None:
        home.write_failure(_failed(task, word), word.traceback)


def _failed(task: Task, failure: Failure) -> dict[str, Any]:
    """A failed day's summary: the keys that every row has, and why."""
    nothing: Mapping[str, Any] = {"digest": None, "fills": 0, "pnl": 0.0, "events": 0, "seconds": 0.0, "peak_rss_mb": 0.0}
    return {"day": failure.day, "instruments": task.symbols, "status": "failed", "cause": failure.cause, **nothing}


def _description(job: Job) -> dict[str, Any]:
    """All that run.json says: configuration as resolved, hashes, assumptions, versions."""
    plan = job.plan
    return {
        "run": job.run_id,
        "name": plan.graph.name,
        "graph": msgspec.to_builtins(plan.graph),
        "days": sorted({day for task in job.tasks for day in task.days}),
        "instruments": list(plan.graph.instruments),
        "store": job.tasks[0].store,
        "hashes": {"code": job.code, "parameters": job.parameters, "data": job.data},
        "assumptions": dict(describe(plan.graph)),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Of what a result depends on."""
    packages = ("astrarium", "numpy", "numba", "msgspec", "ray", "tables")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
