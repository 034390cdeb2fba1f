"""The calendar under the simulated clock: the same table as live, fired as events of the heap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.calendar import JOBS
from core.message import Message, Timer

if TYPE_CHECKING:
    from actors.sim.host import SimHost, Target


class Schedule:
    """Emits timer messages, and nothing else, for the jobs that targets are entered for."""

    def __init__(self, host: SimHost) -> None:
        self._host = host

    def enter(self, target: Target, name: str, rank: int = 0) -> None:
        """Send `target` a Timer with the job's name at each of its due times from now on, for as long as the run lasts."""
        _Entry(self._host, target, name, rank).plan(self._host.clock.time)


class _Entry:
    """One target's entry for one job: an event of its own, which hands the Timer over and plans the next."""

    beside = True

    def __init__(self, host: SimHost, target: Target, name: str, rank: int) -> None:
        self._host, self._target, self._name, self._rank = host, target, name, rank

    def plan(self, now: int) -> None:
        """Put the next due time on the heap, if the run reaches it."""
        due = JOBS[self._name].next_after(now)
        if due < self._host.end:
            self._host.push(due, self._rank, self, None)

    def arrive(self, now: int, message: Message | None) -> None:
        """The job is due."""
        self._target.arrive(now, Timer("", now, now, now, now, self._name))
        self.plan(now)
