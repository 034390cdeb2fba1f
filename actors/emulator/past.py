"""The time before the venue opened: candles of days played backwards from the opening, so that clients find a history.

They are the source's last days (of a generated market: more generated days), moved by whole ticks so that each ends where the
next one opens. Only candles are made of them: the venue has no trades or orders from before it opened.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from actors.emulator.days import Day, Source, opening
from core.kernel.layout import BUY, SELL
from core.kernel.terms import Array

DAYS_MAX: Final = 8
LONG_NS: Final = 2 * 3_600_000_000_000
"""So much is remembered, if that many days have it."""


def past(source: Source, start: int, opened: int, first_id: int) -> tuple[Array, Array, Array, Array, Array]:
    """Trades before `start` that lead to the opening tick: times (ns UTC), ticks, lots, whether buyers took, ids."""
    parts: list[tuple[Array, Array, Array, Array]] = []
    end, tick, number = start, opened, 0
    while start - end < LONG_NS and number < DAYS_MAX:
        number += 1
        day = source.day(-number, 0)
        rows = np.flatnonzero((day.kind == BUY) | (day.kind == SELL))
        if not len(rows):
            continue
        by = tick - int(day.tick[rows[-1]])
        parts.append((day.ns[rows] - int(day.ns[-1]) + end, day.tick[rows] + by, day.lots[rows], day.kind[rows] == BUY))
        end, tick = end - _length(day), (opening(day) or int(day.tick[rows[0]])) + by
    none = np.zeros(0, np.int64)
    ns, ticks, lots, bought = (np.concatenate([part[k] for part in reversed(parts)]) if parts else none for k in range(4))
    return ns, ticks, lots, bought.astype(bool), np.arange(first_id - len(ns), first_id)


def _length(day: Day) -> int:
    return int(day.ns[-1] - day.ns[0]) + 1
