"""One process of a session, from its start to its end: the same class for every host; what it is, its place in the session says.

It is a plain class with a thread for the loop. Ray makes an actor of it (`actors/live/crew.py`) and restarts it when it dies;
then it begins like the first time, because start-up is recovery. An error that is not a strategy's ends the process: a node in an
unknown state must not trade, and the next life begins from the tape.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from traceback import format_exception
from typing import Any, Final, Protocol

import msgspec

from actors.errors import Exit, UserError
from actors.graph import code_of
from actors.live.clock import Clock
from actors.live.directory import Directory, RayTable
from actors.live.folder import Folder
from actors.live.host import Host
from actors.live.link import Link
from actors.live.log import Log
from actors.live.loop import MS, Loop
from actors.live.names import Address
from actors.live.part import Part
from actors.live.placement import ACCOUNT
from actors.live.store import Journal
from core.message import Command, News

SWITCH_S: Final = 0.0005
"""How long one thread may keep the others waiting (Python's default is ten times that): a frame waits for the loop at most so
long."""
GARBAGE: Final = (50_000, 20, 100)
"""Python's collector looks for cycles after so many allocations: by default after 700, some of them in the way of every order."""
ASTRAY_NS_MAX: Final = 500 * MS
LOOK_AT_CLOCK_NS: Final = 1_000 * MS
CRASHED: Final = 70
"""Exit code, as sysexits.h has it for an error inside."""


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

    def __init__(self, path: str, name: str, ray: bool = True) -> None:
        """Begin at once. With `ray` hosts are found through Ray's table, else through the session's folder."""
        sys.setswitchinterval(SWITCH_S)
        self.folder = Folder(Path(path))
        self.sitting = self.folder.read()
        self.name = name
        self.log = Log(self.folder.log(name), name)
        self.ended, self.clean = Event(), True
        self._ray = ray
        self._thread = Thread(target=self._live, name=f"host {name}")
        self._ready = Event()
        self._thread.start()

    # --- from outside

    def ready(self, seconds: float) -> bool:
        """Whether the loop turns, waiting at the most so long."""
        return self._ready.wait(seconds)

    def pid(self) -> int:
        """The process's number."""
        return os.getpid()

    def status(self) -> bytes:
        """What an operator wants to know, as JSON."""
        said: list[bytes] = []
        told = Event()

        def look() -> None:
            said.append(msgspec.json.encode(self._status()))
            told.set()

        self.host.soon(look)
        told.wait(5.0)
        return said[0] if said else b"{}"

    def stop(self, seconds: float = 15.0) -> bool:
        """End in good order; False when that took longer than so long, or orders are left behind."""
        self.host.soon(self._leave)
        return self.ended.wait(seconds) and self.clean

    # --- the thread

    def _live(self) -> None:
        try:
            self._begin()
            self._ready.set()
            self.host.run()
            self._end()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends this life, and is told
            text = "".join(format_exception(error))
            self.log.tell(News("", urgency=2, headline=f"{self.name} dies", text=text, source=self.name))
            os._exit(CRASHED)
        self.ended.set()

    def _begin(self) -> None:
        self._pin()
        from actors.live.account import Account
        from actors.live.trading import Trading

        clock = Clock()
        loop = Loop(clock)
        all_places = self.sitting.places()
        place = next(one for one in all_places if one.name == self.name)
        account = self.name == ACCOUNT
        self.epoch = 0 if account else clock.now() // (10 * MS)
        self._astray = False
        code = code_of(self.sitting.plans)
        mixed = self._mixed(code)
        self.tape = Journal(self.folder.tape(self.name, self.epoch))
        part = Part(self.folder, self.sitting, place, self.epoch)
        self.link = Link(self.name, self.folder.keys, clock, loop.poller, epoch=self.epoch, where=part.where())
        self.host = Host(self.name, loop, self.link, self.tape, self.log.tell)
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
        self.directory.begin(Address(*self.link.addresses, os.getpid(), self.epoch, code))
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
        self.link.close()
        self.tape.close()
        self.log.close()
