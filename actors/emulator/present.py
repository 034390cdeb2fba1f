"""A recorded day in the present: its first row now, the others after it at the speed chosen, long holes shortened."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from actors.emulator.days import Day
from core.kernel.terms import Array

HOLE_NS: Final = 60_000_000_000
"""A hole in the records is shortened to so much."""


class Columns(NamedTuple):
    """Rows as a replay takes them."""

    ns: Array
    kind: Array
    tick: Array
    lots: Array


def played(day: Day, now: int, speed: float) -> tuple[Columns, list[int]]:
    """The day's rows from `now` on (ns UTC), and the times of its mark prices."""
    origin = int(day.ns[0])
    lengths = np.diff(day.ns)
    holes = np.flatnonzero(lengths > HOLE_NS)
    after, skipped = day.ns[holes + 1], np.concatenate([[0], np.cumsum(lengths[holes] - HOLE_NS)])

    def present(ns: Array) -> Array:
        moved = ns - origin - skipped[after.searchsorted(ns, side="right")]
        slowed: Array = moved if speed == 1.0 else (moved / speed).astype(np.int64)
        return slowed + now

    return Columns(present(day.ns), day.kind, day.tick, day.lots), present(day.mark_ns).tolist()
