"""The process that holds a session's Ray (`actors/live/drive.py`), as whoever started it sees it: it may end at any time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from actors.errors import Exit, UserError
from actors.live.folder import Folder
from actors.live.placement import ACCOUNT

STOP_S: Final = 60.0
AGAIN_S: Final = 1.0
"""Between the end of a driver and the next one's beginning."""
FAILURES_MAX: Final = 5
"""Drivers in a row that did not get a session to trade, before this gives up."""


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
            raise UserError(self._end(), self._exit())
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
        self._process.communicate()  # its last words on stdout are Ray's; both pipes are closed
        words = [line for line in self._errors.read_text(errors="replace").splitlines() if line.strip()]
        return words[-1] if words else f"the driver ended with {self._process.returncode} and without a word"

    def _exit(self) -> Exit:
        """What its end means, where that is one of a verb's own codes."""
        code = self._process.returncode if self._process is not None else 1
        return Exit(code) if code in set(Exit) and code else Exit.ERROR
