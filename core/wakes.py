"""The wakes of a node that is retraced: those that it asks for are those that came.

A wake is a Timer on the tape, with the time and key that it was asked for under. One that nobody asks for now, or that is asked
for and never came, is as much a difference as a message. Some Timers come unasked: the calendar's jobs, and a host's own words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from core.message import Timer
from core.tape import Deaf

LATE_NS: Final = 1_000_000_000
"""A wake may come this late: what is due in the last second of a life may be missing on its tape."""


class Asked(NamedTuple):
    """A wake that was asked for: when, what for, and by how many inputs before."""

    at: int
    key: str
    number: int


class Wakes(Deaf):
    """An outbox that keeps what is sent to it, and the wakes that it is asked for until they come."""

    def __init__(self, unasked: Collection[str]) -> None:
        super().__init__()
        self.number = 0
        """The tape's line that the node is taking."""
        self._unasked = unasked
        self._waiting: dict[tuple[int, str], list[int]] = {}

    def wake(self, at: int, key: str = "") -> None:
        """Expect a Timer."""
        self._waiting.setdefault((at, key), []).append(self.number)

    def came(self, timer: Timer) -> bool:
        """A Timer is on the tape; False for one that was not asked for."""
        asked = self._waiting.get((timer.due, timer.key))
        if asked is None:
            return timer.key in self._unasked
        asked.pop(0)
        if not asked:
            del self._waiting[timer.due, timer.key]
        return True

    def overdue(self, now: int) -> Iterator[Asked]:
        """What had to come before a time and did not; it is waited for no more."""
        for at, key in [one for one in self._waiting if one[0] < now - LATE_NS]:
            for number in self._waiting.pop((at, key)):
                yield Asked(at, key, number)

    def forget(self) -> None:
        """The process that would have woken the node is gone."""
        self._waiting.clear()
