"""A session's processes as Ray actors: one class for all of them, placed and restarted by Ray, which carries no message of
trading.

A Ray of its own is started on this machine, with a token and on loopback alone, or the cluster at an address is joined. A host
that dies is restarted for ever; none of its calls is done twice.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

from actors.crew import ray_here
from actors.errors import Exit, UserError
from actors.live.admission import of_listeners
from actors.live.folder import Folder
from actors.live.listeners import family, listeners, named
from actors.live.log import lines
from actors.live.names import SERVICE, Names
from actors.live.placement import Place
from actors.live.process import Process

ANSWER_S: Final = 2.0
READY_S: Final = 60.0
"""For a process to import what it needs, to compile what is not cached, and to turn."""


class Crew:
    """The actors of one session."""

    def __init__(self, ray: Any, folder: Folder) -> None:
        sitting = folder.read()
        self._ray, self._folder = ray, folder
        self._asking = ThreadPoolExecutor(1)
        self._asked: Future[Any] | None = None
        self.names = ray.remote(num_cpus=0, max_restarts=-1)(Names).options(name=SERVICE, namespace=sitting.id).remote()
        self.places: list[Place] = sitting.places()
        actor = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=0, max_concurrency=4)(Process)
        self.actors = {
            one.name: actor.options(name=one.name, namespace=sitting.id).remote(str(folder.path.resolve()), one.name)
            for one in self.places
        }

    def wait(self) -> None:
        """Until every host turns. Raises UserError for one that does not."""
        asked = {self.actors[name].ready.remote(READY_S): name for name in self.actors}
        for answer, name in asked.items():
            try:
                ready = self._ray.get(answer, timeout=2 * READY_S)
            except self._ray.exceptions.RayError as error:
                told = [one.text for _, one in lines(self._folder.log(name)) if one.level == "error" and one.text]
                why = (told[-1] if told else str(error)).strip().splitlines()[-1]
                raise UserError(f"{name} does not start: {why}; more is in {self._folder.log(name)}") from error
            if not ready:
                raise UserError(f"{name} does not start within {READY_S:g} s: see its log", Exit.TIMED_OUT)

    def alive(self) -> bool:
        """Whether Ray answers: its actors, and its head, which calls of actors do without until something has to be restarted."""
        asked = self._asking.submit(self._ray.nodes) if self._asked is None else self._asked
        try:
            asked.result(ANSWER_S)
            self._asked = None
            self._ray.get(self.names.everybody.remote(), timeout=ANSWER_S)
        except TimeoutError:
            self._asked = asked if not asked.done() else None  # it waits for the head, for a minute
            return False
        except (self._ray.exceptions.RayError, RuntimeError):
            self._asked = None
            return False
        return True

    def stop(self, seconds: float) -> list[str]:
        """End all in good order: those who trade first, the account last. Returns the names of those who did not in time."""
        late = []
        for group in ([one for one in self.actors if one != self.places[0].name], [self.places[0].name]):
            asked = {self.actors[name].stop.remote(seconds): name for name in group}
            for answer, name in asked.items():
                try:
                    ended = self._ray.get(answer, timeout=seconds + 5)
                except self._ray.exceptions.RayError:
                    ended = False
                if not ended:
                    late.append(name)
        for actor in self.actors.values():
            self._ray.kill(actor)
        return late


@contextmanager
def crew(folder: Folder, address: str = "") -> Iterator[Crew]:
    """The session's processes, started; whatever happens, they and a Ray of our own are gone afterwards."""
    with ray_here(len(folder.read().plans), address, folder.path.name) as ray:
        admit(folder, address)
        yield Crew(ray, folder)


def admit(folder: Folder, address: str) -> None:
    """Look at every port that Ray and the session's processes opened on this machine. Raises UserError where orders would be
    real; on paper it is said."""
    sitting = folder.read()
    hosts = {where.pid for place in sitting.places() if (where := folder.where(place.name))}
    joined = named("gcs_server", "raylet") if address else []
    for words in of_listeners(listeners({*family(os.getpid()), *hosts, *joined})):
        if sitting.live:
            raise UserError(f"not for real: {words}", Exit.CONFIGURATION)
        sys.stderr.write(f"for real this would be refused: {words}\n")
