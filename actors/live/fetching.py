"""Questions to the venue's REST side about the market: one thread, one question about a thing at a time, and never too many.

What they weigh is counted against half of the address's minute, by the venue's own headers too: the account's session on the same
machine must never be refused because the market asked much. All of it is decided on the loop's thread; the other one only waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Final, Protocol

import requests

from core.allowance import Allowance, Pool
from core.dialect.binance.feed import Question
from core.ports import Clock

MINUTE_NS: Final = 60_000_000_000
WEIGHT_A_MINUTE: Final = 2400
KEPT: Final = 0.5
"""Of the weight, for others."""
TIMEOUT_S: Final = (3.0, 5.0)
WEIGHT: Final = "X-MBX-USED-WEIGHT-1M"
REFUSED_S: Final = 60.0
"""How long nothing is asked after a refusal that does not say for how long."""

Done = Callable[[bytes], object]
"""Takes the body of a good answer, or b"" where none came."""


class Around(Protocol):
    """What is needed of the host."""

    @property
    def clock(self) -> Clock: ...

    def soon(self, call: Callable[[], None]) -> None:
        """From any thread: run a call on the loop's thread."""

    def at(self, when: int, call: Callable[[], None]) -> None:
        """Run a call at a time."""


class Fetching:
    """Asks `base` + path. `failures` counts questions without a good answer, `trouble` says what was wrong with the last."""

    def __init__(self, host: Around, base: str) -> None:
        self._host, self._base = host, base
        self._allowance = Allowance([Pool("weight", WEIGHT_A_MINUTE, MINUTE_NS)], KEPT)
        self._waiting: deque[tuple[str, Question, Done]] = deque()
        self._about: set[str] = set()
        self._busy = self._held = False
        self._work: SimpleQueue[str] = SimpleQueue()
        self._done: Done = len
        self.asked = self.failures = 0
        self.trouble = ""
        self._thread = Thread(target=self._live, name="fetching", daemon=True)
        self._thread.start()

    def ask(self, about: str, question: Question, done: Done) -> bool:
        """Ask as soon as one may; `done` is called on the loop's thread. False: about this something is being asked already."""
        if about in self._about:
            return False
        self._about.add(about)
        self._waiting.append((about, question, done))
        self._next()
        return True

    def close(self) -> None:
        """Ask nothing more; what is under way is not waited for."""
        self._waiting.clear()
        self._work.put("")

    # --- the loop's thread

    def _next(self) -> None:
        if self._busy or self._held or not self._waiting:
            return
        now = self._host.clock.now()
        wait = self._allowance.take(now, {"weight": self._waiting[0][1].weight})
        if wait:
            self._held = True
            self._host.at(wait, self._release)
            return
        about, question, self._done = self._waiting.popleft()
        self._busy, self._asking = True, about
        self.asked += 1
        self._work.put(self._base + question.path)

    def _release(self) -> None:
        self._held = False
        self._next()

    def _answered(self, status: int, body: bytes, used: str, after: str) -> None:
        now = self._host.clock.now()
        self._busy = False
        self._about.discard(self._asking)
        if used.isdigit():
            self._allowance.counted(now, "weight", int(used))
        if status in (418, 429):
            self._allowance.refused(now, float(after) if after.isdigit() else REFUSED_S, status == 418)
        if status != 200:
            self.failures += 1
            self.trouble = f"{status} {body[:200].decode(errors='replace')}"
        self._done(body if status == 200 else b"")
        self._next()

    # --- the thread

    def _live(self) -> None:
        with requests.Session() as session:
            while url := self._work.get():
                try:
                    answer = session.get(url, timeout=TIMEOUT_S)
                    headers = answer.headers
                    found = answer.status_code, answer.content, headers.get(WEIGHT, ""), headers.get("Retry-After", "")
                except (requests.RequestException, OSError) as error:
                    found = 0, str(error).encode(), "", ""
                self._host.soon(lambda found=found: self._answered(*found))  # type: ignore[misc]
