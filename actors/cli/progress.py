"""A run or a sweep as it goes, on stderr: a line a running task on a terminal, else one line every few seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from actors.compile_cache import compiled
from actors.results import DayFiles
from actors.sim.days import Progress
from actors.tasks import Task
from actors.trials import Tried
from actors.work import Died, Failure, Word

LINE_S = 3.0
"""Between two lines where there is no terminal."""


class _Running:
    """A task at work."""

    def __init__(self, task: Task) -> None:
        self.task, self.began, self.day = task, monotonic(), task.days[0]
        self.rows, self.rows_all = 0, 0

    @property
    def seconds(self) -> float:
        return monotonic() - self.began

    @property
    def fraction(self) -> float:
        return self.rows / self.rows_all if self.rows_all else 0.0

    @property
    def rate(self) -> str:
        return f"{self.rows / self.seconds / 1e3:,.0f} k rows/s" if self.rows and self.seconds else "getting ready"


class Board:
    """What is queued, running and done, in days or a sweep's runs; the Watcher of `actors.backtest` and `actors.tune`."""

    def __init__(self, unit: str = "days") -> None:
        self.unit = unit
        self.began = self._told = monotonic()
        self.running: dict[int, _Running] = {}
        self.days = self.done = self.failed = self.rows = self.resumed = 0
        self.notes: list[str] = []
        self.live: Live | None = None

    def begin(self, tasks: Sequence[Task], resumed: int, days: int) -> None:
        """Say what is to be done."""
        self.days, self.done, self.resumed = days, resumed, resumed
        if not compiled():
            self._note("getting ready: kernels are compiled first, once a machine, which takes a minute")
        if resumed:
            self._note(f"resumed: {resumed} of {days} {self.unit} were already done")

    def see(self, task: Task, number: int, word: Word) -> None:
        """Take a word in and show it when its time has come."""
        if isinstance(word, Progress):
            now = self.running.setdefault(number, _Running(task))
            if now.day != word.day:
                now.began, now.day = monotonic(), word.day
            now.rows, now.rows_all = word.rows, word.rows_all
        elif isinstance(word, Died):
            self.running.pop(number, None)
            self._note(f"{task.label()}: its worker died; done again ({word.times})")
        elif isinstance(word, DayFiles):
            self.done += 1
            self.rows += word.summary["events"]
            if word.summary["day"] == task.days[-1]:
                self.running.pop(number, None)
        elif isinstance(word, Tried):
            self._tried(task, number, word)
        elif isinstance(word, Failure):
            self.failed += 1
            self.running.pop(number, None)
            self._note(f"failed: {task.label(word.day)}: {word.cause}")
        self._show()

    def tell(self, text: str) -> None:
        """Show a line about the machines."""
        self._note(text)

    def _tried(self, task: Task, number: int, word: Tried) -> None:
        """Rows of a block; on the nodes there is more of it to come, and its next word says so."""
        self.running.pop(number, None)
        for row in word.rows:
            if row["status"] == "done":
                self.done += 1
            else:
                self.failed += 1
                self._note(f"failed: set {row['set']}, {row['day']} {row['instrument']}: {row['cause']}")

    def _note(self, line: str) -> None:
        if self.live is not None:
            self.live.console.print(Text(line))
        else:
            sys.stderr.write(line + "\n")

    def _show(self) -> None:
        if self.live is None and monotonic() - self._told > LINE_S:
            self._told = monotonic()
            each = "; ".join(f"{one.task.label(one.day)} {one.fraction:.0%}" for one in self.running.values())
            sys.stderr.write(f"{self.line()}{': ' if each else ''}{each}\n")

    def line(self) -> str:
        """Everything in one line."""
        queued = max(self.days - self.done - self.failed - len(self.running), 0)
        failed = f", {self.failed} failed" if self.failed else ""
        rows = (self.rows + sum(one.rows for one in self.running.values())) / max(monotonic() - self.began, 1e-9)
        begun = f"{self.done} of {self.days} {self.unit} done{failed}, {len(self.running)} running, "
        if self.unit != "days":
            return f"{begun}{monotonic() - self.began:.0f} s{self._left()}"
        return f"{begun}{queued} queued, {rows / 1e3:,.0f} k rows/s, {monotonic() - self.began:.0f} s"

    def _left(self) -> str:
        """The time that is left, from what was done in this sitting."""
        over = self.done + self.failed - self.resumed
        left = (self.days - self.done - self.failed) * (monotonic() - self.began) / over if over else 0.0
        return f", about {left / 60:.0f} min left" if left >= 90 else f", about {left:.0f} s left" if left else ""

    def __rich__(self) -> Any:
        table = Table.grid(padding=(0, 2))
        for one in tuple(self.running.values()):
            bar = ProgressBar(total=max(one.rows_all, 1), completed=one.rows, width=30)
            table.add_row(one.task.label(one.day), bar, f"{one.fraction:4.0%}", one.rate, f"{one.seconds:.0f} s")
        return Group(table, Text(self.line()))


@contextmanager
def board(unit: str = "days") -> Iterator[Board]:
    """A board for the length of a run: live on a terminal."""
    shown = Board(unit)
    if not sys.stderr.isatty():
        yield shown
        return
    with Live(shown, console=Console(stderr=True), refresh_per_second=4, transient=True) as live:
        shown.live = live
        yield shown
