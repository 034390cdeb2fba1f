"""The calendar: what happens by the clock, as a table. `sim/schedule` fires it from the simulated clock.

A job is due at every multiple of its period since 1970-01-01 00:00 UTC, plus its offset. It does nothing itself: whoever is
entered for it receives a Timer with its name as key. Stream keep-alive and periodic reconciliation join the table with the live
hosts that need them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

SECOND: Final = 1_000_000_000


class Job(Struct, frozen=True):
    """When a job is due (ns), and what for."""

    period_ns: int
    offset_ns: int
    purpose: str

    def next_after(self, now: int) -> int:
        """The first due time after `now`."""
        return (now - self.offset_ns) // self.period_ns * self.period_ns + self.period_ns + self.offset_ns


JOBS: Final[Mapping[str, Job]] = {
    "sample": Job(10 * SECOND, 0, "equity, position and quotes are written down"),
    "reconcile": Job(15 * SECOND, 0, "gateways compare their orders and executions with the venue's"),
    "minute": Job(60 * SECOND, 0, "for strategies that act by the minute"),
    "funding": Job(8 * 3_600 * SECOND, 0, "the venue settles funding"),
    "day_roll": Job(86_400 * SECOND, 0, "a UTC day begins"),
}
