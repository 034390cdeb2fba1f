"""The keeper's hands: tasks given to machines by Ray, and what came of them; deaths of workers and machines told apart.

A machine that is refused, or whose worker says that the machine is at fault, gets nothing more until it is looked at again; what
it has begun with may end. One that Ray declares dead gives its running tasks back.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from queue import SimpleQueue
from typing import Any, Final

from actors.cluster.inspection import Outfit
from actors.cluster.machines import Machines, pinned
from actors.cluster.roster import Roster
from actors.crew import RETRIES, work_there
from actors.errors import last_line
from actors.tasks import Task
from actors.work import Died, Failure, Notice, Unfit, Word

LOSSES: Final = 20
"""How often a task is begun again because its machine was lost: spot machines come and go, but a day may also bring one down."""
POLL_S: Final = 0.05
WORD_S: Final = 2.0
"""Between two words of a day's progress: there may be thousands at work."""
LOOK_S: Final = 1.0
"""Between two looks at the cluster's list of machines."""
BLAMED: Final = 3
"""So many machines that are at fault with one task are not."""
PATIENCE_S: Final = 60.0
"""While there are machines and none of them may work, before what waits is given up."""
IDLE_S: Final = 60.0
FIRST_IDLE_S: Final = 3.0
"""Between two words that there are no machines; and until the first."""
BECKONS: Final = 256
"""Tasks that wait on purpose: they are what an autoscaler counts, and they go with their owner, so nobody pays for a run that
ended."""


class Dispatcher:
    """Gives tasks to machines and says what comes of them. All methods but `add` and `drop` belong to one thread."""

    def __init__(self, say: Callable[[int | None, Word], None], wanted: Outfit, store: str) -> None:
        """`say` takes the number of a task, or None, and a word of it."""
        import ray

        self._ray: Any = ray  # its types know less than its documentation
        self._say = say
        self._machines = Machines(ray, self._tell, wanted, store)
        self._roster = Roster()
        self._tasks: dict[int, Task] = {}
        self.open: set[int] = set()
        """Tasks that are to come, or at work. Whoever else looks may see one that has just ended."""
        self._orders: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._running: dict[Any, tuple[int, str]] = {}
        self._deaths, self._losses = Counter[int](), Counter[int]()
        self._unfit: defaultdict[int, set[str]] = defaultdict(set)
        """Machines that said of a task that they are at fault."""
        self._beckons: list[Any] = []
        self._looked = 0.0
        self._stuck = 0.0
        self._said_idle = time.monotonic() - IDLE_S + FIRST_IDLE_S
        errors = ray.exceptions
        self._worker_lost = (errors.WorkerCrashedError, errors.OutOfMemoryError)
        self._machine_lost = (errors.NodeDiedError, errors.ObjectLostError, errors.TaskUnschedulableError)
        self._work: Any = ray.remote(num_cpus=1, num_returns="streaming", max_retries=0)(work_there)
        self._nothing: Any = ray.remote(num_cpus=1, max_retries=0)(_nothing)

    # --- from other threads

    def add(self, tasks: Mapping[int, Task]) -> None:
        """More tasks."""
        self.open |= tasks.keys()
        self._orders.put(lambda: self._add(tasks))

    def drop(self, numbers: Iterable[int]) -> None:
        """These are not wanted any more, where nobody has begun with them."""
        gone = tuple(numbers)
        self._orders.put(lambda: self._drop(gone))

    @property
    def idle(self) -> bool:
        """Whether everything is done."""
        return self._orders.empty() and not self._roster.waiting and not self._running

    # --- one thread

    def turn(self) -> None:
        """Look round, hand out, take what came."""
        while not self._orders.empty():
            self._orders.get()()
        look = bool(self._tasks) and time.monotonic() - self._looked > LOOK_S
        if look:
            self._looked = time.monotonic()
            for gone in self._machines.round(next(iter(self._tasks.values()))):
                self._lost(gone)
        for machine, found in self._machines.judged():
            self._roster.join(machine, self._machines.slots[machine], self._machines.memory[machine], found.held)
        for number, machine in self._roster.hand_out():
            task = self._tasks[number]
            self._running[pinned(self._work, machine, task.memory).remote(task, WORD_S)] = (number, machine)
        if look:
            self._beckon()
            self._give_up()
        self._collect()

    def _add(self, tasks: Mapping[int, Task]) -> None:
        self._tasks |= tasks
        labels = {number: task.labels for number, task in tasks.items()}
        self._roster.add(labels, {number: task.memory for number, task in tasks.items()})

    def _drop(self, numbers: Iterable[int]) -> None:
        self.open.difference_update(self._roster.drop(numbers))

    def _lost(self, machine: str) -> None:
        took_part = machine in self._roster.machines
        for stream in [one for one, (_, where) in self._running.items() if where == machine]:
            del self._running[stream]
        lost = self._roster.leave(machine)
        for number in lost:
            self._again(number)
        if took_part:
            what = "the day that it had begun with is" if len(lost) == 1 else f"the {len(lost)} days that it had begun with are"
            begun = f"; {what} done again elsewhere" if lost else ""
            self._tell(f"{self._machines.name(machine)} is lost{begun}")
        self._machines.forget(machine)

    def _refuse(self, machine: str, why: str) -> None:
        self._roster.close(machine)
        self._machines.refuse(machine, why)

    def _again(self, number: int) -> None:
        """A machine was lost with a task; one that takes machines with it is given up."""
        self._losses[number] += 1
        if self._losses[number] > LOSSES:
            self._roster.drop([number])
            self._fail(number, f"the machine that did it was lost {self._losses[number]} times")

    def _tell(self, text: str) -> None:
        self._say(None, Notice(text))

    # --- words of tasks

    def _collect(self) -> None:
        """Take every word that is there; wait a little where there is none."""
        streams = list(self._running)
        if not streams:
            time.sleep(POLL_S)
            return
        ready, rest = self._ray.wait(streams, num_returns=1, timeout=POLL_S)
        if ready and rest:
            ready += self._ray.wait(rest, num_returns=len(rest), timeout=0)[0]
        for stream in ready:
            if stream in self._running:  # not of a machine that the one before was lost with
                self._hear(stream)

    def _hear(self, stream: Any) -> None:
        number, machine = self._running[stream]
        try:
            word: Word = self._ray.get(next(stream))
        except StopIteration:
            self._end(stream)
        except self._worker_lost as error:
            self._end(stream, again=True)
            self._died(number, error)
        except self._machine_lost:
            self._lost(machine)
        except (self._ray.exceptions.RuntimeEnvSetupError, self._ray.exceptions.OutOfDiskError) as error:
            self._blamed(stream, last_line(error))
        except self._ray.exceptions.RayError as error:
            self._end(stream)
            self._fail(number, last_line(error), str(error))
        else:
            if isinstance(word, Unfit):
                self._blamed(stream, word.cause)
            else:
                self._say(number, word)

    def _blamed(self, stream: Any, cause: str) -> None:
        """A machine says that it is at fault. Where several say so of one task, or all that are not refused, it is the task."""
        number, machine = self._running[stream]
        self._unfit[number].add(machine)
        if len(self._unfit[number]) < BLAMED and self._machines.fit - self._unfit[number]:
            self._end(stream, again=True)
            self._refuse(machine, cause)
        else:
            self._end(stream)
            self._fail(number, f"no machine may do it: {cause}")

    def _end(self, stream: Any, again: bool = False) -> None:
        number, machine = self._running.pop(stream)
        if again:
            self._roster.again(machine, number)
        else:
            self._roster.done(machine, number)
            self.open.discard(number)

    def _died(self, number: int, error: Exception) -> None:
        self._deaths[number] += 1
        if self._deaths[number] <= RETRIES:
            self._say(number, Died(self._deaths[number]))
            return
        self._roster.drop([number])
        why = "out of memory" if isinstance(error, self._ray.exceptions.OutOfMemoryError) else "killed, or out of memory"
        self._fail(number, f"its worker died {self._deaths[number]} times: {why}")

    def _fail(self, number: int, cause: str, text: str = "") -> None:
        for day in self._tasks[number].days:
            self._say(number, Failure(day, cause, text))
        self.open.discard(number)

    # --- too few machines

    def _beckon(self) -> None:
        """Have as many tasks wait as an autoscaler should make room for."""
        if self._beckons:
            self._beckons = self._ray.wait(self._beckons, num_returns=len(self._beckons), timeout=0)[1]
        wanted = self._roster.first(0 if self._machines.unsettled else BECKONS)  # they would begin and end on a refused one
        for one in self._beckons[len(wanted) :]:
            self._ray.cancel(one, force=False)
        self._beckons = self._beckons[: len(wanted)]
        more = (self._tasks[number].memory for number in wanted[len(self._beckons) :])
        self._beckons += [self._nothing.options(memory=memory).remote() for memory in more]

    def _give_up(self) -> None:
        """Nobody works, and nobody may or can, though there are machines: after a while that is the run's failure."""
        now = time.monotonic()
        idle = self._roster.waiting and not self._running
        if idle and not self._machines.slots and now - self._said_idle > IDLE_S:
            self._said_idle = now
            self._tell("waiting for machines: the cluster has none with a core for a day yet")
        stuck = idle and (self._machines.hopeless or self._roster.slots)
        self._stuck = (self._stuck or now) if stuck else 0.0
        if self._stuck and now - self._stuck > PATIENCE_S:
            for number in self._roster.give_up():
                self._fail(number, f"no machine may do it: {self._why(number)}")

    def _why(self, number: int) -> str:
        most = max((one.memory for one in self._roster.machines.values() if one.slots), default=0)
        memory = self._tasks[number].memory
        large = f"it may need {memory / 1e9:.1f} GB, and a machine has {most / 1e9:.1f} GB at the most"
        return "; ".join([*([large] if 0 < most < memory else []), *self._machines.refused])


def _nothing() -> None:
    """Room is wanted."""
