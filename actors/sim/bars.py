"""When a bar's close becomes known in a simulated day.

A bar belongs to the exchange's clock: it holds the trades with open time <= T < open time + period. It is handed over when the
first trade of a later bar arrives, or one second after its end where none does, and never before its own last trade has arrived.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from core.kernel.layout import BUY, SELL
from core.message import Bar
from core.openbar import PATIENCE_NS

if TYPE_CHECKING:
    from actors.history.prepared import PreparedDay


def closes(day: PreparedDay, period: int) -> Iterator[tuple[int, Bar]]:
    """Every bar of the day as (time it is known, Bar); minutes without a trade give none."""
    traded = np.flatnonzero((day.exch.kind == BUY) | (day.exch.kind == SELL))
    if not len(traded):
        return
    ns = day.exch.ns[traded]
    tick = day.exch.tick[traded].astype(np.int64)
    lots = day.exch.lots[traded].astype(np.int64)
    arrived = np.maximum.accumulate(day.local.ns[(day.local.kind == BUY) | (day.local.kind == SELL)])
    opens = ns - ns % period
    first = np.flatnonzero(np.r_[True, opens[1:] != opens[:-1]])
    last = np.r_[first[1:], len(ns)] - 1
    high, low = np.maximum.reduceat(tick, first), np.minimum.reduceat(tick, first)
    volume, notional = np.add.reduceat(lots, first), np.add.reduceat(lots * tick, first)
    later = np.r_[arrived[first[1:]], np.iinfo(np.int64).max]
    ready = np.maximum(arrived[last], np.minimum(later, opens[first] + period + PATIENCE_NS))
    symbol = day.key.symbol
    for k in range(len(first)):
        a, b, at = first[k], last[k], int(ready[k])
        yield (
            at,
            Bar(
                symbol,
                int(ns[b]),
                at,
                at,
                int(opens[a]),
                period,
                int(tick[a]),
                int(high[k]),
                int(low[k]),
                int(tick[b]),
                int(volume[k]),
                int(b - a + 1),
                int(notional[k]),
            ),
        )
