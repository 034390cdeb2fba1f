"""The bar that is still open: trades go in one by one as they arrive, and what comes out are closed bars.

A bar belongs to the exchange's clock: it holds the trades with open time <= T < open time + period. It closes with the first
trade of a later bar, or `PATIENCE_NS` after its end where none comes: the rule of simulated days (`actors/sim/bars.py`). A trade
of a bar that is closed already is left out and counted; a simulated day, which knows what will come, waits for it instead.
"""

from __future__ import annotations

from typing import Final

from core.message import Bar

PATIENCE_NS: Final = 1_000_000_000
"""How long after its end a bar waits for a later trade: feed latencies are milliseconds, a minute bar a second late is fresh."""


class OpenBar:
    """Bars of `period` ns of one instrument. `late` counts trades whose bar was closed."""

    __slots__ = ("_bar", "_closed_until", "late", "period", "symbol")

    def __init__(self, symbol: str, period: int) -> None:
        self.symbol, self.period = symbol, period
        self.late = 0
        self._bar: Bar | None = None
        self._closed_until = 0

    @property
    def due(self) -> int:
        """When the open bar closes if no trade comes, on our clock (ns UTC); 0 while none is open."""
        return self._bar.open_time + self.period + PATIENCE_NS if self._bar is not None else 0

    def trade(self, now: int, at: int, price: int, qty: int) -> Bar | None:
        """A trade made at `at` (the exchange's time) arrives; returns the bar that it closes, if it does."""
        opened = at - at % self.period
        bar = self._bar
        if opened < self._closed_until or (bar is not None and opened < bar.open_time):
            self.late += 1
            return None
        closed = self.close(now) if bar is not None and opened > bar.open_time else None
        bar = self._bar
        if bar is None:
            self._bar = Bar(
                self.symbol, at, 0, 0, open_time=opened, period=self.period,
                open=price, high=price, low=price, close=price, volume=qty, trades=1, notional=price * qty,
            )  # fmt: skip
            return closed
        bar.transact_time, bar.close = max(bar.transact_time, at), price
        bar.high, bar.low = max(bar.high, price), min(bar.low, price)
        bar.volume += qty
        bar.trades += 1
        bar.notional += price * qty
        return closed

    def elapse(self, now: int) -> Bar | None:
        """Time passes; returns the bar that waited long enough, if one did."""
        return self.close(now) if self._bar is not None and now >= self.due else None

    def close(self, now: int) -> Bar | None:
        """Close the open bar, whatever the time."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.received = bar.now = now
            self._closed_until = bar.open_time + self.period
        return bar
