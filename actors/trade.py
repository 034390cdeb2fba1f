"""A session as it goes: its processes started and started again, its word passed on to whoever watches, its end in good order.

This process holds nothing that could be lost: not Ray, which may take its process with it (`actors/live/drive.py` holds that), no
order and no socket to the venue. It hears of the session by its logs and by an operator's line.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import msgspec

from actors.driver import Driver
from actors.errors import Exit, UserError
from actors.live.folder import Folder, Sitting
from actors.live.log import lines
from actors.live.operator import Operator, operator
from actors.live.placement import ACCOUNT
from actors.live.words import brief, shown
from core.message import Command

LOOK_S: Final = 0.5
STATUS_S: Final = 10.0
FLATTEN_S: Final = 10.0
READY_S: Final = 150.0
STOP_S: Final = 60.0


def run(folder: Folder, seconds: float, flatten: bool, address: str, json: bool) -> int:
    """Trade until Ctrl-C, or for so long; then stop in good order and say what came of it."""
    sitting = folder.read()
    say = Teller(folder, quiet=json)
    say.line(f"session {sitting.id}, {'FOR REAL' if sitting.live else 'on paper'}, at {sitting.venue.hosts.rest}")
    folder.say_driver()
    with stopping() as stopped, operator(folder) as line, Driver(folder, address) as driver:
        say.line(f"starting {len(sitting.places())} processes, which takes some ten seconds")
        names = driver.start()
        say.line(f"{len(names)} processes trade: {', '.join(names)}; Ctrl-C ends it")
        _watch(driver, line, say, stopped, time.monotonic() + seconds if seconds else 0.0)
        say.line("stopping: orders are canceled" + (", positions closed" if flatten else ""))
        _end_strategies(sitting, line, flatten)
        status = account_status(line)
        busy = {place.name: host_status(line, place.name).get("busy_us", {}) for place in sitting.places()}
        late = driver.stop()
        say.news()
    return _conclude(folder, sitting, {"account": status, "busy_us": busy}, late, json)


class Teller:
    """What a person reads of a session while it goes: warnings and alarms as they come, and a line of status every few
    seconds."""

    def __init__(self, folder: Folder, quiet: bool = False) -> None:
        self._folder, self._quiet = folder, quiet
        self._read: dict[str, int] = {}

    def line(self, words: str) -> None:
        """Say something."""
        if not self._quiet:
            sys.stderr.write(words + "\n")
            sys.stderr.flush()

    def news(self) -> None:
        """Pass on what hosts wrote since the last time that is more than a fact."""
        for path in sorted(self._folder.logs.glob("*.jsonl")):
            for end, one in lines(path, self._read.get(path.name, 0)):
                self._read[path.name] = end
                if one.level != "info":
                    self.line(shown(one))


@contextmanager
def stopping() -> Iterator[list[bool]]:
    """A list that is filled when somebody asks to stop (Ctrl-C, or the signal to terminate); the third asking is obeyed at
    once."""
    asked: list[bool] = []

    def note(number: int, frame: FrameType | None) -> None:
        asked.append(True)
        if len(asked) > 2:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(driver: Driver, line: Operator, say: Teller, stopped: list[bool], end: float) -> None:
    told = time.monotonic()
    while not stopped and not (end and time.monotonic() >= end):
        line.listen(LOOK_S)
        say.news()
        if driver.lost:
            say.line("Ray is lost: the session's processes are started again, and begin from their tapes")
            trouble = driver.again()
            say.line(trouble or "the session's processes trade again")
        if time.monotonic() - told >= STATUS_S:
            told = time.monotonic()
            say.line(brief(account_status(line)))


def _end_strategies(sitting: Sitting, line: Operator, flatten: bool) -> None:
    """Strategies cancel what is theirs, and close what they hold if that was asked for."""
    for place in sitting.places():
        if place.strategies and line.reach(place.name, 2.0):
            for name in place.strategies:
                line.say(place.name, name, Command(strategy=name, verb="flatten" if flatten else "stop"))
            line.delivered(place.name, 2.0)
    end = time.monotonic() + FLATTEN_S
    while flatten and time.monotonic() < end and any(account_status(line).get("positions", {}).values()):
        line.listen(LOOK_S)


def account_status(line: Operator) -> dict[str, Any]:
    """The account's status; nothing where its host does not answer."""
    return host_status(line, ACCOUNT)


def host_status(line: Operator, host: str) -> dict[str, Any]:
    """What a host says of itself; nothing where it does not answer."""
    try:
        return line.ask(host, "status", 3.0) if line.reach(host, 1.0) else {}
    except UserError:
        return {}


def _conclude(folder: Folder, sitting: Sitting, said: dict[str, Any], late: list[str], json: bool) -> int:
    found = {"session": sitting.id, "folder": str(folder.path), "live": sitting.live, "late": late, **said}
    (folder.path / "end.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))
    if json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        again = f"`astrarium replay {sitting.id}` shows that it would do the same again"
        sys.stdout.write(f"{brief(said['account'])}\nkept in {folder.path}\n{again}\n")
    if sitting.record:
        _store(folder, sitting, json)
    for name in late:
        sys.stderr.write(f"{name} did not end in good order: see {folder.log(name)}\n")
    return int(Exit.TIMED_OUT if late else Exit.FINE)


def _store(folder: Folder, sitting: Sitting, quiet: bool) -> None:
    """Bring the recorded market into the store's own form; what fails can be done again (`data import`), for the frames are
    kept."""
    from actors.live.stored import stored

    notes: list[str] = []
    told = [time.monotonic()]

    def watch(name: str, done: int, size: int) -> None:
        if not quiet and time.monotonic() - told[0] > LOOK_S * 6:
            told[0] = time.monotonic()
            sys.stderr.write(f"storing the market: {name}, {done / max(size, 1):.0%}\n")

    try:
        root = stored(folder, sitting, notes, watch)
    except UserError as error:
        notes.append(str(error))
    else:
        if not quiet:
            sys.stdout.write(f"its market is stored in {root}: `astrarium data list --store {root}`\n")
    for note in notes:
        sys.stderr.write(f"{note}\n")


def end(folder: Folder) -> int:
    """Have a session end: by whoever started it, or where that died, by its hosts themselves. Raises UserError when nothing
    lives, or who started it does so on another machine."""
    if pid := folder.driver():
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + STOP_S
        while folder.driver() and time.monotonic() < until:
            time.sleep(0.1)
        return int(Exit.TIMED_OUT if folder.driver() else Exit.FINE)
    with operator(folder) as line:
        there = [place.name for place in reversed(folder.read().places()) if line.reach(place.name, 1.0)]
        for name in there:
            line.say(name, name, Command(verb="stop"))
            line.delivered(name, STOP_S)
    if not there:
        raise UserError(f"session {folder.path.name} does not run", Exit.NOT_RUNNING)
    return int(Exit.FINE)
