"""Which machine takes which task next. It decides and touches nothing: machines, deaths and results are told to it.

A machine has a slot a core, and memory. A free slot takes, of what fits into the memory that is free, in this order: a task
whose data its machine holds already; the next task that no machine holds; the last task that waits, for its holder is not there
yet. So a day is read over the network once, and nobody is idle while there is work that fits. The order is the one in which tasks
were given, but for those that came back from a machine that was lost, which are first. Given the largest first, small ones fill
what large ones leave, and a large one that ends makes room for the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from math import inf
from types import MappingProxyType
from typing import Final

SEARCHED: Final = 256
"""Tasks that are looked at for one that fits, in each queue."""


class Machine:
    """One machine, as the roster knows it."""

    __slots__ = ("memory", "own", "running", "slots")

    def __init__(self, slots: int, memory: float) -> None:
        self.slots, self.memory = slots, memory
        self.own: deque[int] = deque()
        """Waiting tasks whose data it holds; those that were taken since are still in here."""
        self.running: dict[int, float] = {}
        """Tasks, and the memory that each was given."""

    @property
    def free(self) -> int:
        """Slots that nobody has."""
        return self.slots - len(self.running)

    @property
    def room(self) -> float:
        """Memory that nobody has."""
        return self.memory - sum(self.running.values())


class Roster:
    """Tasks by their number, machines by their id. `labels` are the names of each task's data, of which machines hold some.

    Memory is in bytes, or whatever tasks and machines have alike.
    """

    def __init__(self) -> None:
        self.machines: dict[str, Machine] = {}
        self._labels: dict[int, Collection[str]] = {}
        self._memory: dict[int, float] = {}
        self._by_label: dict[str, list[int]] = {}
        self._holders: dict[int, int] = {}
        """How many machines hold a task's data."""
        self._waiting: dict[int, None] = {}
        self._cold: deque[int] = deque()
        self._first: deque[int] = deque()
        """Tasks that came back."""

    def add(self, tasks: Mapping[int, Collection[str]], memory: Mapping[int, float] = MappingProxyType({})) -> None:
        """More tasks, after those that are there, and what memory each takes."""
        for number, labels in tasks.items():
            self._labels[number] = labels
            self._memory[number] = memory.get(number, 0)
            self._waiting[number] = None
            for label in labels:
                self._by_label.setdefault(label, []).append(number)
            self._cold.append(number)

    def drop(self, numbers: Iterable[int]) -> list[int]:
        """These need not be done, if nobody has begun with them; returns those with which nobody had."""
        dropped = [number for number in numbers if number in self._waiting]
        for number in dropped:
            del self._waiting[number]
        return dropped

    @property
    def waiting(self) -> int:
        """Tasks that nobody has."""
        return len(self._waiting)

    def first(self, count: int) -> list[int]:
        """The first so many of those that wait."""
        return list(islice(self._waiting, count))

    @property
    def free(self) -> int:
        """Slots that nobody has, on all machines together."""
        return sum(max(one.free, 0) for one in self.machines.values())

    @property
    def slots(self) -> int:
        """Slots of all machines together, whoever has them."""
        return sum(one.slots for one in self.machines.values())

    def give_up(self) -> list[int]:
        """Forget everything that waits; returns it."""
        given_up = list(self._waiting)
        self._waiting.clear()
        return given_up

    def join(self, machine: str, slots: int, memory: float = inf, held: Collection[str] = ()) -> None:
        """A machine takes part; `held` are the labels of the data that it has."""
        one = self.machines.setdefault(machine, Machine(slots, memory))
        one.slots, one.memory = slots, memory
        self._release(one)
        mine = {number for label in held for number in self._by_label.get(label, ())}
        one.own = deque(number for number in sorted(mine) if number in self._waiting and set(self._labels[number]) <= set(held))
        for number in one.own:
            self._holders[number] = self._holders.get(number, 0) + 1

    def leave(self, machine: str) -> list[int]:
        """A machine is gone; what it had begun with waits again. Returns those tasks."""
        one = self.machines.pop(machine, None)
        if one is None:
            return []
        self._release(one)
        lost = sorted(one.running)
        for number in lost:
            self._return(number)
        return lost

    def close(self, machine: str) -> None:
        """A machine gets nothing more; what it has begun with goes on."""
        if machine in self.machines:
            self.machines[machine].slots = 0
            self._release(self.machines[machine])

    def _release(self, one: Machine) -> None:
        """What a machine holds counts no more."""
        for number in one.own:
            self._holders[number] -= 1
            if number in self._waiting and not self._holders[number]:
                self._cold.append(number)
        one.own.clear()

    def done(self, machine: str, number: int) -> None:
        """A task is over."""
        if machine in self.machines:
            self.machines[machine].running.pop(number, None)

    def again(self, machine: str, number: int) -> None:
        """A task has to be done anew, wherever."""
        self.done(machine, number)
        self._return(number)

    def _return(self, number: int) -> None:
        self._waiting[number] = None
        self._first.append(number)

    def hand_out(self) -> Iterator[tuple[int, str]]:
        """Give waiting tasks to free slots, one machine after the other in turn; (task, machine) each."""
        ready = deque(key for key, one in self.machines.items() if one.free > 0)
        while ready and self._waiting:
            key = ready.popleft()
            one = self.machines[key]
            number = self._next(one, one.room)
            if number is None:
                continue
            del self._waiting[number]
            one.running[number] = self._memory[number]
            yield number, key
            if one.free > 0:
                ready.append(key)

    def _next(self, one: Machine, room: float) -> int | None:
        for queue in (self._first, one.own, self._cold):
            while queue and queue[0] not in self._waiting:
                queue.popleft()
            for place, number in enumerate(islice(queue, SEARCHED)):
                held = queue is self._cold and self._holders.get(number)
                if number in self._waiting and not held and self._memory[number] <= room:
                    del queue[place]
                    return number
        fitting = (number for number in islice(reversed(self._waiting), SEARCHED) if self._memory[number] <= room)
        return next(fitting, None)
