"""A session as it goes: its processes started and started again, its word passed on to whoever watches, its end in good order.

This process holds nothing that could be lost: not Ray, which may take its process with it (`actors/live/drive.py` holds that), no
order and no socket to the venue. It hears of the session by its logs and by an operator's line.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import msgspec

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
AGAIN_S: Final = 1.0
"""Between the end of a driver and the next one's beginning."""
FAILURES_MAX: Final = 5
"""Drivers in a row that did not get a session to trade, before this gives up."""


def run(folder: Folder, seconds: float, flatten: bool, address: str, json: bool) -> int:
    """Trade until Ctrl-C, or for so long; then stop in good order and say what came of it."""
    sitting = folder.read()
    say = Teller(folder, quiet=json)
    say.line(f"session {sitting.id}, {'FOR REAL' if sitting.live else 'on paper'}, at {sitting.venue.hosts.rest}")
    folder.say_driver()
    with stopping() as stopped, operator(folder) as line, Driver(folder, address) as driver:
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


class Driver:
    """The process that holds the session's Ray, and the next one when it ends."""

    def __init__(self, folder: Folder, address: str) -> None:
        self._command = [sys.executable, "-m", "actors.live.drive", str(folder.path.resolve()), *filter(None, [address])]
        self._errors = folder.logs / "driver.txt"
        self._process: subprocess.Popen[str] | None = None
        self.failures = 0

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *given: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def start(self) -> list[str]:
        """Start one, and wait until the session's hosts turn; their names. Raises UserError when they do not."""
        root = str(Path(__file__).resolve().parent.parent)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))}
        with self._errors.open("ab") as errors:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
            )
        word = self._word()
        if "ready" not in word:
            raise UserError(self._end())
        self.failures = 0
        return word["ready"]

    @property
    def lost(self) -> bool:
        """Whether it ended by itself."""
        return self._process is None or self._process.poll() is not None

    def again(self) -> str:
        """Start the next one; why it did not get there, or "". Raises UserError after too many in a row."""
        time.sleep(AGAIN_S)
        try:
            self.start()
        except UserError as error:
            self.failures += 1
            if self.failures >= FAILURES_MAX:
                raise
            return str(error)
        return ""

    def stop(self) -> list[str]:
        """End the hosts in good order; those that did not end in time."""
        assert self._process is not None
        if self._process.poll() is not None:
            return [ACCOUNT]
        assert self._process.stdin is not None
        self._process.stdin.write("stop\n")
        self._process.stdin.close()
        late = self._word().get("late", [])
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return late

    def _word(self) -> dict[str, list[str]]:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                return msgspec.json.decode(line, type=dict[str, list[str]])
            except ValueError:
                continue  # Ray's own words
        return {}

    def _end(self) -> str:
        assert self._process is not None
        self._process.wait()
        words = [line for line in self._errors.read_text(errors="replace").splitlines() if line.strip()]
        return words[-1] if words else f"the driver ended with {self._process.returncode} and without a word"


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
    for name in late:
        sys.stderr.write(f"{name} did not end in time: see {folder.log(name)}\n")
    return int(Exit.TIMED_OUT if late else Exit.FINE)


def end(folder: Folder) -> int:
    """Have a session end: by whoever started it, or where that died, by its hosts themselves. Raises UserError when nothing
    lives."""
    pid = folder.driver()
    if pid and _alive(pid):
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + STOP_S
        while _alive(pid) and time.monotonic() < until:
            time.sleep(0.1)
        return int(Exit.TIMED_OUT if _alive(pid) else Exit.FINE)
    with operator(folder) as line:
        there = [place.name for place in reversed(folder.read().places()) if line.reach(place.name, 1.0)]
        for name in there:
            line.say(name, name, Command(verb="stop"))
            line.delivered(name, STOP_S)
    if not there:
        raise UserError(f"session {folder.path.name} does not run", Exit.NOT_RUNNING)
    return int(Exit.FINE)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
