"""One process of a session, from its start to its end: the same class for every host; what it is, its place in the session says.

It is a plain class with a thread for the loop. Ray makes an actor of it (`actors/live/crew.py`) and restarts it when it dies;
then it begins like the first time, because start-up is recovery. An error that is not a strategy's ends the process: a node in an
unknown state must not trade, and the next life begins from the tape.

On a cluster the account has two such processes, each in a *seat* of its own. Whoever gets the account's tenure
(`actors/live/tenure.py`) begins; the other waits, with everything imported, and begins when the first is through.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from traceback import format_exception
from typing import Any, Final, Protocol

import msgspec

from actors.errors import Exit, UserError
from actors.graph import code_of
from actors.live import machine
from actors.live.clock import Clock
from actors.live.directory import Directory, RayTable, Reach
from actors.live.folder import Folder
from actors.live.host import Host
from actors.live.link import Link
from actors.live.log import Log
from actors.live.loop import MS, Loop
from actors.live.names import Address
from actors.live.part import Part
from actors.live.placement import ACCOUNT
from actors.live.store import Journal
from actors.live.tenure import Fenced, Tenancy, end
from core.message import Command, News
from core.ports import Store

SWITCH_S: Final = 0.0005
"""How long one thread may keep the others waiting (Python's default is ten times that): a frame waits for the loop at most so
long."""
GARBAGE: Final = (50_000, 20, 100)
"""Python's collector looks for cycles after so many allocations: by default after 700, some of them in the way of every order."""
ASTRAY_NS_MAX: Final = 500 * MS
LOOK_AT_CLOCK_NS: Final = 1_000 * MS
CRASHED: Final = 70
"""Exit code, as sysexits.h has it for an error inside."""
BLIND_S: Final = 1.0
"""Before a process ends that does not see the session's folder: Ray starts it again, perhaps where one does."""
LOOK_S: Final = 0.1


class Role(Protocol):
    """What a host does in its session (`actors/live/account.py`, `actors/live/trading.py`)."""

    host: Host

    def begin(self) -> None:
        """Seat the nodes, bring back what they knew, start the devices."""

    def heard(self, event: Any) -> None:
        """A session with another host came up, fell, began anew or was refused."""

    def moved(self, name: str, address: Address) -> None:
        """Another host is somewhere new."""

    def status(self) -> dict[str, Any]:
        """What an operator wants to know."""

    def leave(self, done: Callable[[bool], None]) -> None:
        """End, then say whether that was in good order."""


class Process:
    """A host's process. Its methods may be called from any thread."""

    def __init__(self, path: str, name: str, ray: bool = True, seat: str = "", proof: str = "") -> None:
        """Begin at once. With `ray` hosts are found through Ray's table, else through the session's folder.

        `seat`: which of the processes that may be this host, if not the only one; `proof`: what the session's folder says.
        """
        sys.setswitchinterval(SWITCH_S)
        self.folder = Folder(Path(path))
        if proof and not self.folder.proves(proof):
            time.sleep(BLIND_S)
            end(f"{path} is not the session's folder here: every machine must see the same one under this path")
        self.sitting = self.folder.read()
        self.name, self.seat = name, seat or name
        self.log = Log(self.folder.log(self.seat), name)
        self.ended, self.clean = Event(), True
        self.tenancy: Tenancy | None = None
        self._leaving = Event()
        self._ray = ray
        self._thread = Thread(target=self._live, name=f"host {name}")
        self._ready = Event()
        self._thread.start()

    # --- from outside

    def ready(self, seconds: float) -> bool:
        """Whether the loop turns, or this process waits behind one that was seen to live, within so long."""
        until = time.monotonic() + seconds
        while not self._ready.wait(LOOK_S) and time.monotonic() < until:
            if self.tenancy is not None and self.tenancy.behind:
                return True
        return self._ready.is_set()

    def stop(self, seconds: float = 15.0) -> bool:
        """End in good order; False when that took longer than so long, or orders are left behind."""
        self._leaving.set()
        if self._ready.is_set():
            self.host.soon(self._leave)
        return self.ended.wait(seconds) and self.clean

    # --- the thread

    def _live(self) -> None:
        try:
            if self._may_begin():
                self._begin()
                self._ready.set()
                if self._leaving.is_set():
                    self.host.soon(self._leave)
                self.host.run()
                self._end()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends this life, and is told
            text = "".join(format_exception(error))
            self.log.tell(News("", urgency=2, headline=f"{self.name} dies", text=text, source=self.name))
            os._exit(CRASHED)
        self.ended.set()

    def _may_begin(self) -> bool:
        """Wait for the account's tenure, where this host's process needs it; False when the session ends before it is ours."""
        if self.name != ACCOUNT or not self.sitting.spread:
            return True
        from actors.live import account, venue  # noqa: F401 - so that nothing is left to import when it is our turn

        reach = Reach(RayTable(self.sitting.id) if self._ray else None)
        where = machine.name(self.sitting.spread and self._ray)
        self.tenancy = Tenancy(self.folder.tenure, self.seat, where, reach.cut_off, first=self.seat == ACCOUNT)
        self.log.tell(News("", headline="waits for the account", text=f"{self.seat} on {where}", source=self.seat))
        if not self.tenancy.wait(self._leaving):
            return False
        text = f"{self.seat} on {where}, term {self.tenancy.term}"
        self.log.tell(News("", headline="holds the account", text=text, source=self.seat, urgency=int(self.tenancy.term > 1)))  # type: ignore[arg-type]
        return True

    def _begin(self) -> None:
        self._pin()
        from actors.live.account import Account
        from actors.live.trading import Trading

        spread = self.sitting.spread and self._ray
        clock = Clock()
        loop = Loop(clock)
        all_places = self.sitting.places()
        place = next(one for one in all_places if one.name == self.name)
        account, tenancy = self.name == ACCOUNT, self.tenancy
        epoch = 0 if account else self.folder.next_epoch(self.name, clock.now() // (10 * MS))
        self.epoch = tenancy.term if tenancy is not None else epoch
        self._astray = False
        code = code_of(self.sitting.plans)
        mixed = self._mixed(code)
        self.tape = Journal(self.folder.tape(self.name, epoch), lock=not self.sitting.spread)
        part = Part(self.folder, self.sitting, place, epoch, tenancy.held if tenancy is not None else None)
        at = machine.address(spread)
        self.link = Link(self.name, self.folder.keys, clock, loop.poller, epoch=epoch, where=part.where(), address=at)
        tape: Store = Fenced(self.tape, tenancy) if tenancy is not None else self.tape
        self.host = Host(self.name, loop, self.link, tape, self.log.tell)
        self.role: Role = Account(self.host, self.link, part) if account else Trading(self.host, self.link, part)
        self.host.heard = self.role.heard
        if mixed:
            self.host.news(2 if self.sitting.live else 1, "this process runs other code than the session began with", mixed)
        self.role.begin()
        self.host.commands |= {"status": self._answer, "stop": lambda command: self._leave()}
        table = RayTable(self.sitting.id) if self._ray else None
        others = [one.name for one in all_places if one.name != self.name]
        self.directory = Directory(self.folder, self.name, table, others, self._moved)
        gc.collect()
        gc.freeze()  # what is there now stays: the collector need not walk through it again
        gc.set_threshold(*GARBAGE)
        self.machine = machine.name(spread)
        self.directory.begin(Address(*self.link.addresses, os.getpid(), self.epoch, code, self.machine, machine.home()))
        self._watch_clock()

    def _mixed(self, code: str) -> str:
        """How this process's code differs from that of who opened the session, in words. Where that is so at the start of real
        trading nobody trades; a later life tells it, because without it open orders would be without their keeper."""
        opened = self.sitting.code
        if not opened or code == opened:
            return ""
        text = f"{code}, and the session was opened with {opened}"
        if self.sitting.live and not self.folder.lived(self.name):
            raise UserError(f"not for real: {self.name} runs other code than who started it: {text}", Exit.CONFIGURATION)
        return text

    def _pin(self) -> None:
        """Keep the loop, and the threads that it will start, on one core: its caches stay its own."""
        if self.sitting.pin:
            cores = sorted(os.sched_getaffinity(0))
            number = [place.name for place in self.sitting.places()].index(self.name)
            os.sched_setaffinity(0, {cores[number % len(cores)]})

    def _moved(self, name: str, address: Address) -> None:
        self.host.soon(lambda: self.role.moved(name, address))

    def _watch_clock(self) -> None:
        """The wall's clock is followed slowly; one that jumped is told once, and again when it is right."""
        clock = self.host.clock
        clock.follow()
        astray = abs(clock.astray()) > ASTRAY_NS_MAX
        if astray != self._astray:
            self._astray = astray
            by = f"{clock.astray() / 1e9:+.3f} s from where the time was"
            self.host.news(1, "the machine's clock was stepped" if astray else "the machine's clock is right again", by)
        self.host.at(clock.now() + LOOK_AT_CLOCK_NS, self._watch_clock)

    def _status(self) -> dict[str, Any]:
        host = self.host
        return {
            "host": self.name,
            "seat": self.seat,
            "machine": self.machine,
            "pid": os.getpid(),
            "epoch": self.epoch,
            "now": host.clock.now(),
            "handled": host.handled,
            "busy_us": {
                kind.__name__ if kind else "frame": round(took / count / 1e3, 1) for kind, (count, took) in host.busy.items()
            },
            "journal": host.departures.unwritten,
            "names": self.directory.reached,
            "sessions": self.link.states(),
            **self.role.status(),
        }

    def _answer(self, command: Command) -> None:
        """An operator asks from outside Ray: the answer goes back the way it came."""
        text = msgspec.json.encode(self._status()).decode()
        self.link.post(command.strategy, self.name, command.strategy, News(headline="status", text=text, source=self.name), 0)

    def _leave(self) -> None:
        def done(clean: bool) -> None:
            self.clean = clean
            self.host.stopping = True

        self.role.leave(done)

    def _end(self) -> None:
        self.directory.close()
        self.host.save()
        if self.tenancy is not None:
            self.tenancy.close()
        self.link.close()
        self.tape.close()
        self.log.close()
