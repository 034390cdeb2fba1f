"""The calendar under the simulated clock: the same table as live, fired as events of the heap."""

from __future__ import annotations

from actors.calendar import JOBS
from actors.sim.heap import ARRIVAL, Heap, Target
from core.message import Message, Timer


class Schedule:
    """Emits timer messages, and nothing else, for the jobs that targets are entered for."""

    def __init__(self, heap: Heap) -> None:
        self._heap = heap

    def enter(self, target: Target, name: str, rank: int = ARRIVAL) -> None:
        """Send `target` a Timer with the job's name at each of its due times from now on, for as long as the run lasts."""
        _Entry(self._heap, target, name, rank).plan(self._heap.clock.time)


class _Entry:
    """One target's entry for one job: an event of its own, which hands the Timer over and plans the next."""

    beside = True

    def __init__(self, heap: Heap, target: Target, name: str, rank: int) -> None:
        self._heap, self._target, self._name, self._rank = heap, target, name, rank

    def plan(self, now: int) -> None:
        """Put the next due time on the heap, if the run reaches it."""
        due = JOBS[self._name].next_after(now)
        if due < self._heap.end:
            self._heap.push(due, self._rank, self, None)

    def arrive(self, now: int, message: Message | None) -> None:
        """The job is due."""
        self._target.arrive(now, Timer("", now, now, now, now, self._name))
        self.plan(now)
