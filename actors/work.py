"""What a worker does, wherever it is: a plain generator of progress, results and failures.

What a day raises is that day's failure and never the worker's, so the other days go on. The words are all that leaves a
worker: `actors/crew.py` carries them over Ray, `alone` hands them over in this process.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator, Sequence
from time import monotonic

from msgspec import Struct

from actors.compile_cache import write_alone
from actors.errors import MachineError, UserError, cause
from actors.history.tickdb import TickDb
from actors.results import DayFiles, filed
from actors.sim.days import DayResult, Progress, watched
from actors.tasks import Task
from actors.trials import Block, Tried, attempts
from core.instrument import Key

WORD_S = 0.2
"""Between two words of progress from one worker; each costs about a millisecond of Ray."""


class Failure(Struct, frozen=True):
    """A day that could not be simulated: why in one line, and where in many."""

    day: str
    cause: str
    traceback: str


class Unfit(Struct, frozen=True):
    """The machine is at fault: it is out of disk, or sees other data than the run began with. Another one may do the task."""

    cause: str


class Notice(Struct, frozen=True):
    """Something to know about the machines of a run; of no task."""

    text: str


class Died(Struct, frozen=True):
    """A task's worker died; the task is done again from its first day."""

    times: int


Word = Progress | DayFiles | Tried | Failure | Unfit | Notice | Died
OUT_OF_DISK = (errno.ENOSPC, errno.EDQUOT)


def work(task: Task, every_s: float = WORD_S) -> Iterator[Word]:
    """Do a task: a block of parameter sets, or days, where a day that fails under `carry` takes the later ones with it.

    Words of progress are `every_s` apart.
    """
    left = list(task.days)
    heard = -every_s
    try:
        same_data(task)
        if isinstance(task, Block):
            yield from attempts(task)
            return
        for word in watched(task.plan, task.store, task.keys, task.days):
            if isinstance(word, DayResult):
                left.remove(word.summary["day"])
                yield filed(word)
            elif monotonic() - heard >= every_s:
                heard = monotonic()
                yield word
    except MachineError as error:
        yield Unfit(str(error))
    except Exception as error:  # noqa: BLE001 - whatever a strategy raises is its day's result
        if isinstance(error, OSError) and error.errno in OUT_OF_DISK:
            yield Unfit(f"its disk is full: {error}")
            return
        yield Failure(left[0], cause(error, task.plan.strategy_file.parent), traceback.format_exc())
        for day in left[1:]:
            yield Failure(day, f"not simulated: {left[0]} failed, and its positions would be carried into this day", "")


def same_data(task: Task) -> None:
    """Raises MachineError where what lies in the store is not what the run began with."""
    db = TickDb(task.store)
    for label, digest in task.data.items():
        name, _, day = label.rpartition(" ")
        try:
            here = db.digest(Key.parse(name), day)
        except UserError as error:
            raise MachineError(str(error)) from error
        if here != digest:
            raise MachineError(f"it sees other data of {label} in {task.store} than the run began with")


def alone(tasks: Sequence[Task]) -> Iterator[tuple[int, Word]]:
    """Do the tasks in this process, one after the other; each word with the number of its task."""
    write_alone()
    for number, task in enumerate(tasks):
        for word in work(task):
            yield from ((number, one) for one in settled(task, word))


def settled(task: Task, word: Word) -> tuple[Word, ...]:
    """A word where there is no other machine: what this one cannot do has failed."""
    return tuple(Failure(day, word.cause, "") for day in task.days) if isinstance(word, Unfit) else (word,)
