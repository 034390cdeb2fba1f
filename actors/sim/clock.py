"""The simulated clock: it stands until an event moves it."""

from __future__ import annotations


class Clock:
    """Nanoseconds UTC. `time` is read on the road of every event, so it is an attribute; `now()` is the port's face of it."""

    __slots__ = ("time",)

    def __init__(self, start: int) -> None:
        self.time = start

    def now(self) -> int:
        """The simulated time."""
        return self.time

    def move(self, to: int) -> None:
        """Move to a time. Raises AssertionError when that would be backwards: an event was scheduled in the past."""
        assert to >= self.time, f"the clock cannot go back from {self.time} to {to}"
        self.time = to
