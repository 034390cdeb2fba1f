"""Candles of a market, kept a minute at a time and put together when longer ones are asked for."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from core.kernel.replay import FOREVER
from core.kernel.terms import Array

MINUTE_NS: Final = 60_000_000_000
MINUTES_KEPT: Final = 10_080
INTERVALS: Final = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480, "12h": 720,
    "1d": 1440, "3d": 4320, "1w": 10_080,
}  # fmt: skip
"""Minutes of each interval. (1M, of changing length, is left out.)"""


class Bar(NamedTuple):
    """Prices in ticks, volumes in lots, notionals in ticks times lots; `buy_*` are the aggressive buyers' part."""

    open_ns: int
    open: int
    high: int
    low: int
    close: int
    lots: int
    notional: int
    trades: int
    buy_lots: int
    buy_notional: int
    first_id: int
    last_id: int


class Bars:
    """One market's candles."""

    def __init__(self) -> None:
        self._minutes: dict[int, Bar] = {}

    def add(self, ns: int, tick: int, lots: int, bought: bool, trade_id: int) -> None:
        """A trade."""
        minute = ns // MINUTE_NS
        value = tick * lots
        mine = (lots, value) if bought else (0, 0)
        bar = self._minutes.get(minute)
        if bar is None:
            self._minutes[minute] = Bar(minute * MINUTE_NS, tick, tick, tick, tick, lots, value, 1, *mine, trade_id, trade_id)
            if len(self._minutes) > MINUTES_KEPT:
                del self._minutes[next(iter(self._minutes))]
            return
        self._minutes[minute] = _joined(bar, Bar(ns, tick, tick, tick, tick, lots, value, 1, *mine, trade_id, trade_id))

    def precede(self, ns: Array, tick: Array, lots: Array, bought: Array, ids: Array) -> None:
        """Trades from before all others, in order (columns of the same length)."""
        minutes = ns // MINUTE_NS
        edges = [0, *(np.flatnonzero(np.diff(minutes)) + 1).tolist(), len(ns)] if len(ns) else []
        before: dict[int, Bar] = {}
        for start, stop in pairwise(edges):
            span = slice(start, stop)
            ticks, sizes, buys = tick[span].astype(np.int64), lots[span].astype(np.int64), bought[span]
            values = ticks * sizes
            prices = int(ticks[0]), int(ticks.max()), int(ticks.min()), int(ticks[-1])
            sums = int(sizes.sum()), int(values.sum()), stop - start, int(sizes[buys].sum()), int(values[buys].sum())
            minute = int(minutes[start])
            before[minute] = Bar(minute * MINUTE_NS, *prices, *sums, int(ids[start]), int(ids[stop - 1]))
        for minute, bar in self._minutes.items():
            before[minute] = _joined(before[minute], bar) if minute in before else bar
        self._minutes = before

    def of(self, interval: str, start: int = 0, end: int = FOREVER, most: int = 1500) -> list[Bar]:
        """The last `most` candles that open within [start, end] (ns UTC); with a start, the first ones from there on."""
        length = INTERVALS[interval] * MINUTE_NS
        found: dict[int, Bar] = {}
        for minute, bar in self._minutes.items():
            open_ns = minute * MINUTE_NS // length * length
            if start <= open_ns <= end:
                found[open_ns] = _joined(found[open_ns], bar) if open_ns in found else bar._replace(open_ns=open_ns)
        bars = list(found.values())
        return bars[:most] if start else bars[-most:]

    def current(self, interval: str, now: int) -> Bar | None:
        """The candle that is forming, if it has a trade."""
        length = INTERVALS[interval] * MINUTE_NS
        open_ns = now // length * length
        joined: Bar | None = None
        for minute in range(open_ns // MINUTE_NS, now // MINUTE_NS + 1):
            bar = self._minutes.get(minute)
            if bar is not None:
                joined = _joined(joined, bar) if joined else bar._replace(open_ns=open_ns)
        return joined


def _joined(a: Bar, b: Bar) -> Bar:
    return Bar(
        a.open_ns,
        a.open,
        max(a.high, b.high),
        min(a.low, b.low),
        b.close,
        a.lots + b.lots,
        a.notional + b.notional,
        a.trades + b.trades,
        a.buy_lots + b.buy_lots,
        a.buy_notional + b.buy_notional,
        a.first_id,
        b.last_id,
    )
