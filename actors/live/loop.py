"""The loop under a live host: one thread, woken by sockets, by other threads and by the time.

Devices (the venue's session, market streams) keep threads of their own for what blocks, and do everything else here, on the
loop's thread: so no node and no device needs a lock. A thread wakes the loop only where it sleeps; a frame of the market costs it
an append otherwise.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final

import zmq

from actors.live.clock import Clock

MS: Final = 1_000_000
IDLE_NS: Final = 100 * MS
"""Longest sleep: what a lost wake-up could cost."""

Call = Callable[[], None]


class Loop:
    """Calls from other threads, calls at times, and frames of the market, for whoever turns it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.poller = zmq.Poller()
        self.frames: deque[tuple[str, int, bytes]] = deque()
        self._calls: deque[Call] = deque()
        self._timed: list[tuple[int, int, Call]] = []
        self._count = 0
        self._asleep = False
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.poller.register(self._bell, zmq.POLLIN)

    # --- for any thread

    def soon(self, call: Call) -> None:
        """Run a call on the loop's thread, in its next turn."""
        self._calls.append(call)
        if self._asleep:
            os.eventfd_write(self._bell, 1)

    def frame(self, node: str, received: int, frame: bytes) -> None:
        """A frame of the market for a normalizer, received at a time (ns UTC)."""
        self.frames.append((node, received, frame))
        if self._asleep:
            os.eventfd_write(self._bell, 1)

    # --- for the loop's thread

    def at(self, when: int, call: Call) -> None:
        """Run a call at a time (ns UTC); one that is past means in the next turn."""
        self._count += 1
        heappush(self._timed, (when, self._count, call))

    def wait(self, until: int) -> list[tuple[Any, int]]:
        """Sleep until a time, or until something happens; returns the sockets that may be read.

        The loop says that it sleeps before it looks whether there is something to do, and whoever brings something looks whether
        it sleeps after having put it down: so nothing is brought unseen.
        """
        self._asleep = True
        due = min(until, self._timed[0][0]) if self._timed else until
        left = 0 if self._calls or self.frames else min(due - self.clock.now(), IDLE_NS)
        ready = self.poller.poll(max(left, 0) // MS)
        self._asleep = False
        for socket, _ in ready:
            if socket == self._bell:
                os.eventfd_read(self._bell)
        return ready

    def run_calls(self) -> int:
        """Run what other threads brought and what is due; returns the time then."""
        for _ in range(len(self._calls)):
            self._calls.popleft()()
        now = self.clock.now()
        timed = self._timed
        while timed and timed[0][0] <= now:
            heappop(timed)[2]()
        return now

    def close(self) -> None:
        """Let the bell go."""
        self.poller.unregister(self._bell)
        os.close(self._bell)
