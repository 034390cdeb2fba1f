"""A session as it goes: its processes started, its word passed on to whoever watches, its end in good order."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import msgspec

from actors.errors import Exit, UserError
from actors.live.crew import Crew, crew
from actors.live.folder import Folder, Sitting
from actors.live.log import lines
from actors.live.operator import Operator, operator
from actors.live.placement import ACCOUNT
from actors.live.words import brief, shown
from core.message import Command

LOOK_S: Final = 0.5
STATUS_S: Final = 10.0
STOP_S: Final = 20.0
"""For a host's graceful end: its cancels are given ten seconds."""
FLATTEN_S: Final = 10.0


def run(folder: Folder, seconds: float, flatten: bool, address: str, json: bool) -> int:
    """Trade until Ctrl-C, or for so long; then stop in good order and say what came of it."""
    sitting = folder.read()
    say = Teller(folder, quiet=json)
    say.line(f"session {sitting.id}, {'FOR REAL' if sitting.live else 'on paper'}, at {sitting.venue.hosts.rest}")
    late: list[str] = []
    status: dict[str, Any] = {}
    folder.say_driver()
    with stopping() as stopped, crew(folder, address) as hosts:
        hosts.wait()
        say.line(f"{len(hosts.places)} processes trade: {', '.join(place.name for place in hosts.places)}; Ctrl-C ends it")
        _watch(hosts, say, stopped, time.monotonic() + seconds if seconds else 0.0)
        say.line("stopping: orders are canceled" + (", positions closed" if flatten else ""))
        with operator(folder) as line:
            _end_strategies(hosts, line, flatten)
            status = account_status(line)
        late = hosts.stop(STOP_S)
        say.news()
    return _conclude(folder, sitting, status, late, json)


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
    """A list that is filled when somebody asks to stop (Ctrl-C, or the signal to terminate)."""
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


def _watch(hosts: Crew, say: Teller, stopped: list[bool], end: float) -> None:
    told = 0.0
    while not stopped and not (end and time.monotonic() >= end):
        time.sleep(LOOK_S)
        say.news()
        if time.monotonic() - told >= STATUS_S:
            told = time.monotonic()
            say.line(brief(hosts.status(ACCOUNT)))


def _end_strategies(hosts: Crew, line: Operator, flatten: bool) -> None:
    """Strategies cancel what is theirs, and close what they hold if that was asked for."""
    for place in hosts.places:
        if place.strategies and line.reach(place.name, 2.0):
            for name in place.strategies:
                line.say(place.name, name, Command(strategy=name, verb="flatten" if flatten else "stop"))
            line.delivered(place.name, 2.0)
    end = time.monotonic() + FLATTEN_S
    while flatten and time.monotonic() < end and any(account_status(line).get("positions", {}).values()):
        time.sleep(LOOK_S)


def account_status(line: Operator) -> dict[str, Any]:
    """The account's status; nothing where its host does not answer."""
    return line.ask(ACCOUNT, "status", 5.0) if line.reach(ACCOUNT, 2.0) else {}


def _conclude(folder: Folder, sitting: Sitting, status: dict[str, Any], late: list[str], json: bool) -> int:
    found = {"session": sitting.id, "folder": str(folder.path), "live": sitting.live, "late": late, "account": status}
    (folder.path / "end.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))
    if json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        again = f"`astrarium replay {sitting.id}` shows that it would do the same again"
        sys.stdout.write(f"{brief(status)}\nkept in {folder.path}\n{again}\n")
    for name in late:
        sys.stderr.write(f"{name} did not end in time: see {folder.log(name)}\n")
    return int(Exit.TIMED_OUT if late else Exit.FINE)


def end(folder: Folder) -> int:
    """Have a session end: by whoever started it, or where that died, by its hosts themselves. Raises UserError when nothing
    lives."""
    pid = folder.driver()
    if pid and _alive(pid):
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + 3 * STOP_S
        while _alive(pid) and time.monotonic() < until:
            time.sleep(0.1)
        return int(Exit.TIMED_OUT if _alive(pid) else Exit.FINE)
    with operator(folder) as line:
        hosts = [place.name for place in folder.read().places()]
        there = [name for name in reversed(hosts) if line.reach(name, 1.0)]
        for name in there:
            line.say(name, name, Command(verb="stop"))
            line.delivered(name, STOP_S)
    if not there:
        raise UserError(f"session {folder.path.name} does not run", Exit.NOT_RUNNING)
    return int(Exit.FINE)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] if Path(f"/proc/{pid}/stat").exists() else ""
    return state != "Z"
