"""How often things happen: requests of a second and of ten, and executions that repeat on one side."""

from __future__ import annotations

from collections import deque
from typing import Final

from core.message import ExecutionReport

SECOND: Final = 1_000_000_000
TEN: Final = 10 * SECOND


class Requests:
    """The times of one sender's requests within the last ten seconds."""

    __slots__ = ("_one", "_ten")

    def __init__(self) -> None:
        self._one: deque[int] = deque()
        self._ten: deque[int] = deque()

    def count(self, now: int) -> None:
        """One more left."""
        self._one.append(now)
        self._ten.append(now)

    def within(self, now: int) -> tuple[int, int]:
        """How many left within the last second, and within the last ten."""
        for times, period in ((self._one, SECOND), (self._ten, TEN)):
            while times and times[0] <= now - period:
                times.popleft()
        return len(self._one), len(self._ten)


class Repeats:
    """Executions of each strategy on each instrument, one side in a row: what a strategy that runs wild does.

    An execution on the other side begins the row anew. Times are the exchange's, so that executions heard of together after a
    silence count as far apart as they were.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], tuple[int, deque[int]]] = {}

    def execution(self, report: ExecutionReport, repeats: int, within_ns: int) -> bool:
        """Count a new execution; True when it makes `repeats` of them within that time."""
        key = report.strategy, report.symbol
        side, times = self._rows.get(key, (0, deque()))
        if side != report.side:
            times = deque()
        self._rows[key] = report.side, times
        times.append(report.transact_time)
        while len(times) > repeats or times[0] < report.transact_time - within_ns:
            times.popleft()
        return len(times) >= repeats

    def forget(self, strategy: str) -> None:
        """A strategy begins anew."""
        self._rows = {key: row for key, row in self._rows.items() if key[0] != strategy}
