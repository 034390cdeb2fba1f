"""A venue in a process of its own, for tests and trials: started, asked, ended.

with RunningVenue("--synth", "7") as venue:
    venue.rest, venue.streams, venue.ws_api          # where it is
    venue.truth()                                    # what has really happened
"""

from __future__ import annotations

import subprocess
import sys
import time
from types import TracebackType
from typing import Any, Final

import msgspec
import requests

START_SECONDS: Final = 60.0


class RunningVenue:
    """`astrarium venue OPTIONS --port 0`, until `stop` or the end of a `with` block."""

    def __init__(self, *options: str) -> None:
        words = [sys.executable, "-m", "actors.cli.main", "venue", *options, "--json"]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the venue did not start; it ended with {self.process.wait()}")
        told = msgspec.json.decode(line, type=dict[str, Any])
        self.rest: str = told["rest"]
        self.streams: str = told["streams"]
        self.ws_api: str = told["ws_api"]
        self.wait()

    def wait(self) -> None:
        """Until it answers."""
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                requests.get(f"{self.rest}/emulator/state", timeout=START_SECONDS).raise_for_status()
                return
            except requests.ConnectionError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def truth(self) -> dict[str, Any]:
        """All accounts' executions, orders and positions, whatever faults have told clients."""
        return self._ask("GET", "truth")

    def fault(self, name: str, of: str = "") -> None:
        """A fault now, or for the next request `of` a method and path."""
        self._ask("POST", "fault", {"fault": name, "of": of})

    def calm(self) -> None:
        """No faults any more."""
        self._ask("POST", "calm")

    def set_clock(self, offset_ms: int) -> None:
        """What clients see of the venue's clock."""
        self._ask("POST", "clock", {"offset_ms": offset_ms})

    def _ask(self, method: str, name: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = requests.request(method, f"{self.rest}/emulator/{name}", json=body or {}, timeout=10)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def stop(self) -> int:
        """End it as Ctrl-C does; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(2)
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def __enter__(self) -> RunningVenue:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
