"""The simulated clock, which stands until an event moves it; and a machine's own, which goes wrong.

What a process may read of time is here what it is live: a monotonic counter, which drifts and may stand still (a machine that is
put to sleep) but never goes back, and a wall clock, which anybody may set. The rules that nodes and requests live by are those of
`actors/live/clock.py`:

1. `now`, which nodes are handed, is the wall's time where the process began, carried on by the counter. A step of the wall
   clock does not move it; it may be an hour wrong for as long as the process lives. A process that comes back begins where
   its tape ended if the wall says that it is earlier.
2. `stamp`, which a signed request carries, is the counter and an offset measured against the venue. When it is measured anew it
   may go back, because a request that is ahead of the venue's time is refused however monotonic it is.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

MILLION: Final = 1_000_000


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


class ClockFaults(Struct, frozen=True):
    """What is wrong with one machine's clock."""

    wall_ns: int = 0
    """How far from the truth its wall clock is at first."""
    drift_ppm: int = 0


class HostClock:
    """One machine's clock, as a function of the true time (ns UTC)."""

    __slots__ = ("_base", "_counted", "_ppm", "_read", "_true", "_venue", "wall_ns")

    def __init__(self, true: int, faults: ClockFaults = ClockFaults()) -> None:  # noqa: B008
        self._ppm, self.wall_ns = faults.drift_ppm, faults.wall_ns
        self._true, self._counted = true, 0
        self._read = true
        """The latest time of which this clock was read: nodes that are busy read it ahead of the events."""
        self._base = self._venue = 0
        self.begin(true)

    def counter(self, true: int) -> int:
        """The monotonic counter: nanoseconds since this clock was made, as it counts them."""
        gone = max(true - self._true, 0)
        return self._counted + gone + gone * self._ppm // MILLION

    def now(self, true: int) -> int:
        """What time it is for nodes."""
        if true > self._read:
            self._read = true
        return self.at(true)

    def at(self, true: int) -> int:
        """What `now` would say at a time, without being read."""
        return self._base + self.counter(true)

    def stamp(self, true: int) -> int:
        """What time it is for a request: the last measurement's opinion."""
        return self._venue + self.counter(true)

    def wall(self, true: int) -> int:
        """What the wall clock says."""
        return true + self.wall_ns

    def when(self, now: int, true: int) -> int:
        """The true time, not before `true`, at which it will for nodes be `now`, as things stand."""
        early = max(self._true, true)
        left = now - self.at(early)
        return early if left <= 0 else early + -(-left * MILLION // (MILLION + self._ppm))

    def begin(self, true: int, taped: int = 0) -> None:
        """A process begins; the last entry of its tape is of the time `taped`."""
        self._base = max(self.wall(true), taped) - self.counter(true)
        self.measure(true)

    def stand(self, true: int, ns: int) -> None:
        """The machine is put to sleep for a while: its counter does not move."""
        self._counted, self._true = self.counter(max(true, self._read)), true + ns

    def awake(self, true: int) -> int:
        """When the machine is awake again, at the earliest at this time."""
        return max(true, self._true)

    def measure(self, true: int, error_ns: int = 0) -> None:
        """The venue was asked for its time; the answer is off by `error_ns`."""
        self._venue = true + error_ns - self.counter(true)
