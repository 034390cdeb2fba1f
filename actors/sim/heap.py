"""The events of a simulated run, in the order in which they come: by time, then by rank, then as they were put in."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final, Protocol

from actors.sim.clock import Clock
from core.message import Message

NEVER: Final = 2**62
"""Later than any time in a run."""
ARRIVAL, TURN, OBSERVE = 0, 1, 2
"""What comes first at one time."""


class Target(Protocol):
    """Anything that an event can be for."""

    beside: bool
    """Whether it lives in the sender's own process, so that no link lies between."""

    def arrive(self, now: int, message: Message | None) -> None:
        """The event's time has come."""


class Errand:
    """A call for the time at which its event comes."""

    beside = True

    def __init__(self, call: Callable[[int, Any], None]) -> None:
        self._call = call

    def arrive(self, now: int, message: Message | None) -> None:
        """Call, with the time and what the event brings."""
        self._call(now, message)


Event = tuple[int, int, int, Target, Message | None]


class Heap:
    """One heap and the clock that its events move. `end` is the time before which the run's events lie."""

    __slots__ = ("clock", "count", "end", "events")

    def __init__(self, start: int, end: int) -> None:
        self.clock = Clock(start)
        self.end = end
        self.events: list[Event] = []
        self.count = 0
        """Events ever put in: the last tie-break."""

    def push(self, at: int, rank: int, target: Target, message: Message | None) -> None:
        """Put an event in."""
        self.count = count = self.count + 1
        heappush(self.events, (at, rank, count, target, message))

    def pop(self) -> Event:
        """Take the next event out."""
        return heappop(self.events)
