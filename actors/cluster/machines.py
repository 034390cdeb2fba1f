"""The machines of a cluster as a run sees them: who is there, how it was found, who is given nothing and why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from actors.cluster.inspection import Found, Outfit, look
from actors.errors import last_line
from actors.tasks import Task

AGAIN_S: Final = 30.0
"""Until a machine that was refused is looked at again: its disk may have been cleaned."""
LOOK_S: Final = 120.0
"""For a machine to fetch the program, start a worker and look at itself."""
NAMED: Final = 4
"""Machines named in one notice; more are counted."""
ASTRAY_S: Final = 60.0
"""A machine's clock that is further off is told."""


class Machines:
    """Every machine with room for a day, by Ray's name of it."""

    def __init__(self, ray: Any, tell: Callable[[str], None], wanted: Outfit, store: str) -> None:
        self._ray, self._tell, self._wanted, self._store = ray, tell, wanted, store
        self._look = ray.remote(num_cpus=0, max_retries=0)(look)
        self._looks: dict[Any, tuple[str, float]] = {}
        """What was asked of whom, and until when an answer is waited for."""
        self._names: dict[str, str] = {}
        self.slots: dict[str, int] = {}
        """How many days at once each has cores for."""
        self.memory: dict[str, float] = {}
        """Bytes that each has for them."""
        self._refused: dict[str, tuple[str, float]] = {}
        """Why a machine is given nothing, and since when."""

    def round(self, task: Task) -> list[str]:
        """Look who is there, and have those who came looked at, with a task's eyes; returns who is gone."""
        alive: dict[str, int] = {}
        nodes: list[dict[str, Any]] = self._ray.nodes()
        for node in nodes:
            if node["Alive"] and (slots := int(node["Resources"].get("CPU", 0))):
                alive[node["NodeID"]] = slots
                self.memory[node["NodeID"]] = node["Resources"].get("memory", 0.0)
                self._names.setdefault(node["NodeID"], node["NodeManagerAddress"])
        gone = [machine for machine in self.slots if machine not in alive]
        now = time.monotonic()
        for machine, slots in alive.items():
            again = machine in self._refused and now - self._refused[machine][1] > AGAIN_S
            if again or machine not in self.slots:
                self.slots[machine] = slots
                if again:
                    self._refused[machine] = (self._refused[machine][0], now)
                asked = pinned(self._look, machine).remote(task.plan, self._store, self._wanted, min(task.labels))
                self._looks[asked] = (machine, now + LOOK_S)
        return gone

    def judged(self) -> Iterator[tuple[str, Found]]:
        """Those that were found fit since the last time."""
        if not self._looks:
            return
        ready, _ = self._ray.wait(list(self._looks), num_returns=len(self._looks), timeout=0)
        found = []
        for answer in ready:
            machine, _ = self._looks.pop(answer)
            try:
                one: Found = self._ray.get(answer)
            except (self._ray.exceptions.NodeDiedError, self._ray.exceptions.TaskUnschedulableError):
                self.slots.pop(machine, None)  # gone, or so new that Ray's own head does not know it: the next round asks again
                continue
            except self._ray.exceptions.RayError as error:
                self.refuse(machine, last_line(error))
                continue
            self._names[machine] = f"{one.name} ({self._names[machine].rpartition('(')[2].rstrip(')')})"
            if one.trouble:
                self.refuse(machine, one.trouble)
            elif machine in self.slots:
                self._refused.pop(machine, None)
                found.append((machine, one))
        for asked, (machine, until) in tuple(self._looks.items()):
            if time.monotonic() > until:
                del self._looks[asked]
                self.refuse(machine, f"it does not answer within {LOOK_S:g} s: look at its disk and its Ray's logs")
        self._welcome(found)
        yield from found

    def _welcome(self, found: list[tuple[str, Found]]) -> None:
        for machine, one in found:
            astray = one.wall - time.time()
            if abs(astray) > ASTRAY_S:
                self._tell(f"{self.name(machine)}: its clock is {astray:+,.0f} s off; a simulated day does not read it")
        if found:
            slots = sum(self.slots[machine] for machine, _ in found)
            names = sorted(self.name(machine) for machine, _ in found)
            who = ", ".join(names) if len(names) <= NAMED else f"{len(names)} machines"
            self._tell(f"{who} {'takes' if len(names) == 1 else 'take'} part: {slots} day{'s' if slots != 1 else ''} at a time")

    def name(self, machine: str) -> str:
        """What people call it."""
        return self._names[machine]

    def refuse(self, machine: str, why: str) -> None:
        """A machine is given nothing for a while."""
        before = self._refused.get(machine, ("", 0.0))[0]
        self._refused[machine] = (why, time.monotonic())
        if why != before:
            self._tell(f"{self.name(machine)} is given no days: {why}")

    def forget(self, machine: str) -> None:
        """A machine is gone."""
        self.slots.pop(machine, None)
        self._refused.pop(machine, None)

    @property
    def refused(self) -> list[str]:
        """Why, of each machine that is given nothing."""
        return [f"{self.name(machine)}: {why}" for machine, (why, _) in self._refused.items()]

    @property
    def fit(self) -> set[str]:
        """Machines that are not refused."""
        return self.slots.keys() - self._refused.keys()

    @property
    def unsettled(self) -> bool:
        """Whether some machine is refused, or is being looked at."""
        return bool(self._looks or self._refused)

    @property
    def hopeless(self) -> bool:
        """Whether there are machines, and all of them are refused."""
        return bool(self.slots) and self.slots.keys() <= self._refused.keys()


def pinned(remote: Any, machine: str, memory: int = 0) -> Any:
    """A remote function, to run on this machine or not at all, with so many bytes of its memory."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return remote.options(memory=memory or None, scheduling_strategy=NodeAffinitySchedulingStrategy(machine, soft=False))
