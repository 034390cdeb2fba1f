"""A session's processes as Ray actors: one class for all of them, placed and restarted by Ray, which carries no message of
trading.

A Ray of its own is started on this machine, with a token and on loopback alone, or the cluster at an address is joined. A host
that dies is restarted for ever; none of its calls is done twice. On a cluster the program travels as Ray's working_dir, and the
account has a standby on another machine (`actors/live/placement.py`).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from actors.crew import ray_here
from actors.errors import Exit, UserError
from actors.live import machine
from actors.live.admission import of_listeners
from actors.live.credentials import FILE
from actors.live.folder import Folder
from actors.live.listeners import family, listeners, named
from actors.live.log import lines
from actors.live.names import SERVICE, Names
from actors.live.placement import ACCOUNT, STANDBY, Machine, Place, elsewhere, spread
from actors.live.process import Process
from actors.live.survey import Survey, machines, on
from actors.live.tenure import seats

ANSWER_S: Final = 2.0
READY_S: Final = 60.0
"""For a process to import what it needs, to compile what is not cached, and to turn."""
BURY_S: Final = 30.0
"""For Ray to end an actor."""
AGAIN_S: Final = 0.2


class Crew:
    """The actors of one session. `dealt`, on a cluster: the machine of each process."""

    def __init__(self, ray: Any, folder: Folder) -> None:
        sitting = folder.read()
        self._ray, self._folder, self._session, self._spread = ray, folder, sitting.id, sitting.spread
        self._asking = ThreadPoolExecutor(1)
        self._asked: Future[Any] | None = None
        self._environment = {name: value for name in (FILE,) if sitting.spread and (value := os.environ.get(name))}
        self.places: list[Place] = sitting.places()
        self._proof = folder.prove() if sitting.spread else ""
        self._survey = Survey(ray, folder, self._proof, self._environment)
        self.dealt: dict[str, Machine] = {}
        here = {}
        if sitting.spread:
            found = machines(ray.nodes())
            self._bury([SERVICE, STANDBY, *(place.name for place in self.places)])
            self._survey.require(found)
            self.dealt = spread(self.places, found)
            # The table of names ends with this process's machine: who reaches the table reaches the session.
            here = on(ray, Machine(ray.get_runtime_context().get_node_id(), ""), {})
        names = ray.remote(num_cpus=0, max_restarts=-1)(Names)
        self.names = names.options(name=SERVICE, namespace=sitting.id, **here).remote()
        self._actor = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=0, max_concurrency=4)(Process)
        self.actors: dict[str, Any] = {}
        for seat in self.dealt or [place.name for place in self.places]:
            self._begin(seat)

    def _begin(self, seat: str) -> None:
        options = on(self._ray, self.dealt[seat], self._environment) if seat in self.dealt else {}
        actor = self._actor.options(name=seat, namespace=self._session, **options)
        host = ACCOUNT if seat == STANDBY else seat
        self.actors[seat] = actor.remote(str(self._folder.path.resolve()), host, True, seat, self._proof)

    def _bury(self, names: list[str]) -> None:
        """End actors that Ray has not ended yet, of the session's last driver or of a machine that is gone: their names are
        wanted."""
        until = time.monotonic() + BURY_S
        while time.monotonic() < until:
            left = []
            for name in names:
                with suppress(ValueError):
                    left.append(self._ray.get_actor(name, namespace=self._session))
            if not left:
                return
            for actor in left:
                self._ray.kill(actor)
            time.sleep(AGAIN_S)

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
        """Whether Ray answers: its actors, and its head, which calls of actors do without until one has to begin anew.

        Where a machine of a cluster is gone, its processes begin on others.
        """
        asked = self._asking.submit(self._ray.nodes) if self._asked is None else self._asked
        try:
            nodes = asked.result(ANSWER_S)
            self._asked = None
            self._ray.get(self.names.everybody.remote(), timeout=ANSWER_S)
        except TimeoutError:
            self._asked = asked if not asked.done() else None  # it waits for the head, for a minute
            return False
        except (self._ray.exceptions.RayError, RuntimeError):
            self._asked = None
            return False
        if self._spread:
            with suppress(OSError):  # the file server's hiccup: the next look will do
                self._tend(machines(nodes))
        return True

    def _tend(self, there: list[Machine]) -> None:
        """Have those begin again whose machine is gone, and give the account a standby apart from its holder if that can be."""
        fit = self._survey.fit(there)
        nodes = {one.node for one in there}
        for seat in [seat for seat, where in self.dealt.items() if where.node not in nodes]:
            if fit:
                self._move(seat, elsewhere(seat, self.dealt, fit))
        holder, _ = seats(self._folder.tenure)
        if holder is None or holder.seat not in self.dealt:
            return
        waits = ACCOUNT if holder.seat == STANDBY else STANDBY
        at = self.dealt[holder.seat].node
        if any(one.node != at for one in fit) and (waits not in self.dealt or self.dealt[waits].node == at):
            self._move(waits, elsewhere(waits, self.dealt, fit))

    def _move(self, seat: str, where: Machine) -> None:
        sys.stderr.write(f"{seat} begins on {where.address}\n")
        self._bury([seat])
        self.dealt[seat] = where
        self._begin(seat)

    def stop(self, seconds: float) -> list[str]:
        """End all in good order: those who trade first, the account last. Returns the names of those who did not in time."""
        late = []
        account = (ACCOUNT, STANDBY)
        for group in ([one for one in self.actors if one not in account], [one for one in self.actors if one in account]):
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
    sitting = folder.read()
    with tempfile.TemporaryDirectory(prefix="astrarium-") as luggage:
        if sitting.spread:
            _pack(Path(luggage))
        with ray_here(len(sitting.plans), address, folder.path.name, luggage if sitting.spread else "") as ray:
            admit(folder, address)
            yield Crew(ray, folder)


def _pack(luggage: Path) -> None:
    """The program, for machines elsewhere; the graphs' strategies are in the session's folder."""
    root = Path(__file__).resolve().parent.parent.parent
    for package in ("core", "actors"):
        shutil.copytree(root / package, luggage / package, ignore=shutil.ignore_patterns("__pycache__"))


def admit(folder: Folder, address: str) -> None:
    """Look at every port that Ray and the session's processes opened on this machine. Raises UserError where orders would be
    real; on paper it is said. On a cluster whose network is its own they may be open."""
    sitting = folder.read()
    if sitting.trusted:
        return
    known = [where for place in sitting.places() if (where := folder.where(place.name))]
    hosts = {where.pid for where in known if machine.here(where.home)}
    joined = named("gcs_server", "raylet") if address else []
    for words in of_listeners(listeners({*family(os.getpid()), *hosts, *joined})):
        if sitting.live:
            raise UserError(f"not for real: {words}", Exit.CONFIGURATION)
        sys.stderr.write(f"for real this would be refused: {words}\n")
