"""A run on a cluster as its terminal sees it: joined, followed, and found again after the line broke.

The run is its keeper's (`actors/cluster/keeper.py`), named by what it computes. So the same command finds it again, from this
machine or another, and takes only words that nobody has written down. Ctrl-C ends a run; a line that breaks, or a terminal that
is closed or dies, does not.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any, Final

from msgspec import structs

from actors.cluster.inspection import Outfit, outfit
from actors.cluster.keeper import Batch, Keeper
from actors.cluster.luggage import pack
from actors.crew import ray_here
from actors.errors import Exit, UserError, last_line
from actors.results import DayFiles
from actors.tasks import Task
from actors.trials import Block, Tried
from actors.work import Failure, Notice, Word

NAMESPACE: Final = "astrarium"
OF_NO_TASK: Final = -1
IN_A_JOB: Final = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Ray sets it for the driver of a job."""
WAIT_S: Final = 1.0
"""A keeper's answer takes so long where nothing happens."""
ANSWER_S: Final = 30.0
"""Without an answer the line is broken."""
AGAIN_S: Final = 5.0
GIVE_UP_S: Final = 600.0
"""The cluster is out of reach for so long: this ends, the run goes on there."""
SHORT: Final = 3
"""How often a run may end while this terminal misses something of it: somebody else was handed that, and it is done again."""
KEEPERS: Final = 4
"""A run whose keeper ends so often by itself brings it down."""


class LineBroken(Exception):
    """The cluster does not answer, or not any more."""


class KeeperLost(Exception):
    """The run's keeper ended by itself, or its machine did."""


def followed(name: str, tasks: Sequence[Task], address: str) -> Iterator[tuple[int, Word]]:
    """Have a cluster do the tasks of the run of this name; each word with the number of its task, -1 for one of no task.

    Raises UserError when no cluster answers, and where another terminal takes the run over.
    """
    _stopped_as_interrupted()
    with tempfile.TemporaryDirectory(prefix="astrarium-") as luggage:
        plans = pack([task.plan for task in tasks], Path(luggage))
        packed = [structs.replace(task, plan=plan) for task, plan in zip(tasks, plans, strict=True)]
        yield from _Following(name, packed, outfit(tasks[0].plan), address, luggage).words()


class _Following:
    def __init__(self, name: str, tasks: Sequence[Task], wanted: Outfit, address: str, luggage: str) -> None:
        self._wanted = wanted
        self._name, self._address, self._luggage = name, address, luggage
        self._tasks = {key_of(task): (number, task) for number, task in enumerate(tasks)}
        self._open = {key: _parts(task) for key, (_, task) in self._tasks.items()}
        """What is still to come of each task: its days, or each set's days."""
        self._reached = False
        self._keepers = self._short = 0

    def words(self) -> Iterator[tuple[int, Word]]:
        """Every word, until everything is done."""
        broken = 0.0
        while self._open:
            try:
                for number, word in self._sitting():
                    broken = 0.0
                    yield number, word
            except (LineBroken, UserError) as error:
                if isinstance(error, UserError) and not (self._reached and error.exit_code == Exit.NOT_RUNNING):
                    raise
                if not broken:
                    yield self._notice(
                        f"the cluster does not answer ({error}); trying again. Where its head lives, the run goes on"
                    )
                broken = broken or time.monotonic()
                if time.monotonic() - broken > GIVE_UP_S:
                    again = "Where its head lives the run goes on, and the same command comes back to it"
                    raise UserError(f"the cluster at {self._address} is out of reach. {again}", Exit.NOT_RUNNING) from error
                _rest(AGAIN_S)
            except KeeperLost as error:
                self._keepers += 1
                if self._keepers >= KEEPERS:
                    raise UserError(f"the run's keeper ended {self._keepers} times: {error}") from error
                yield self._notice("the run's keeper was lost with what it had not handed over: another one begins")

    def _notice(self, text: str) -> tuple[int, Word]:
        return OF_NO_TASK, Notice(text)

    def _sitting(self) -> Iterator[tuple[int, Word]]:
        """Join the cluster, attach to the keeper and take what it has, until nothing more comes."""
        with ray_here(0, self._address, NAMESPACE, self._luggage) as ray:
            self._reached = True
            keeper = self._asked(ray, lambda: self._keeper(ray))
            try:
                left = sorted(((key, self._tasks[key][1]) for key in self._open), key=lambda one: -one[1].rows)  # longest first
                terminal = self._asked(ray, lambda: ray.get(keeper.attach.remote(left, self._wanted), timeout=ANSWER_S))
                yield from self._taken(ray, keeper, terminal)
            except (LineBroken, KeeperLost, UserError):
                raise
            except BaseException:  # whoever ends this ends the run: Ctrl-C, or a disk here that is full
                with suppress(Exception):
                    ray.kill(keeper)
                raise
            if not self._open:
                with suppress(Exception):  # a keeper that is alone ends by itself
                    ray.kill(keeper)
                return
        self._short += 1
        if self._short > SHORT:
            raise UserError(f"the run ended {self._short} times without {', '.join(sorted(self._open)[:4])}")

    def _keeper(self, ray: Any) -> Any:
        store = next(task.store for _, task in self._tasks.values())
        actor = ray.remote(num_cpus=0, max_concurrency=8, resources={"node:__internal_head__": 0.001})(Keeper)
        options = {"name": f"run:{self._name}", "namespace": NAMESPACE, "lifetime": "detached", "get_if_exists": True}
        return actor.options(**options).remote(self._wanted, store)

    def _taken(self, ray: Any, keeper: Any, terminal: int) -> Iterator[tuple[int, Word]]:
        receipt = 0
        while True:
            batch: Batch = self._asked(ray, partial(_batch, ray, keeper, terminal, receipt))
            yield from ((self._tasks[key][0], far) for key, far in batch.progress.items() if key in self._open)
            for key, word in batch.words:
                if not key:
                    yield OF_NO_TASK, word
                elif key in self._tasks:
                    self._count(key, word)
                    yield self._tasks[key][0], word
            receipt = batch.first + len(batch.words) - 1
            self._keepers = 0 if batch.words else self._keepers
            if batch.over:
                return

    def _count(self, key: str, word: Word) -> None:
        came: set[tuple[int, str]] = set()
        if isinstance(word, Tried):
            came = {(row["set"], row["day"]) for row in word.rows}
        elif isinstance(word, DayFiles):
            came = {(0, word.summary["day"])}
        elif isinstance(word, Failure):
            came = {part for part in self._open.get(key, ()) if part[1] == word.day}
        left = self._open.get(key, set()) - came
        if left:
            self._open[key] = left
        else:
            self._open.pop(key, None)

    def _asked(self, ray: Any, question: Callable[[], Any]) -> Any:
        """An answer of the cluster's. Raises LineBroken, KeeperLost, or UserError with the keeper's own words."""
        errors = ray.exceptions
        try:
            return question()
        except errors.ActorUnavailableError as error:
            raise LineBroken(str(error).strip().splitlines()[0]) from error
        except errors.RayActorError as error:
            raise KeeperLost(str(error).strip().splitlines()[0]) from error
        except errors.RayTaskError as error:
            raise UserError(last_line(error.cause)) from error
        except (errors.RayError, ConnectionError, RuntimeError, OSError) as error:
            raise LineBroken(last_line(error)[:200]) from error


def _rest(seconds: float) -> None:
    try:
        time.sleep(seconds)
    except KeyboardInterrupt as error:
        words = "interrupted while the cluster does not answer: the run goes on there. The same command comes back to it"
        raise UserError(words, Exit.NOT_RUNNING) from error


def _stopped_as_interrupted() -> None:
    """A driver that is a job is stopped by a signal, where a person at a terminal presses Ctrl-C."""
    if IN_A_JOB in os.environ and current_thread() is main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _batch(ray: Any, keeper: Any, terminal: int, receipt: int) -> Batch:
    return ray.get(keeper.words.remote(terminal, receipt, WAIT_S), timeout=ANSWER_S)  # type: ignore[no-any-return]


def key_of(task: Task) -> str:
    """What a task is called within its run: the same however often the run is begun."""
    trials = ",".join(str(one.number) for one in task.trials) if isinstance(task, Block) else ""
    return f"{task.label()} {trials}".rstrip()


def _parts(task: Task) -> set[tuple[int, str]]:
    """The results that a task has: (set, day) each, without a sweep (0, day)."""
    sets = [one.number for one in task.trials] if isinstance(task, Block) else [0]
    return {(number, day) for number in sets for day in task.days}
