"""The days that a market plays: recorded ones in a circle, or generated ones without end.

Stored days follow each other in their order and begin again when the last is over. A day that opens further than `JUMP_MAX` from
where the one before it ended is moved there by whole ticks, for records of different months would jump as no market does; the
first one, and days that follow each other in the records, stand as they were. A generated day opens where the last one ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from actors.errors import Exit, UserError
from actors.history.synth import PRESETS, instrument
from actors.history.tickdb import TickDb, days_between
from core.instrument import Instrument, Key
from core.kernel.layout import BUY, CLEAR, SELL
from core.kernel.synth import generate
from core.price import E8

EVENTS: Final = 400_000
"""Rows of a generated day: 55 minutes at 120 a second. Then comes the next."""
CAPTURE_ROWS_MIN: Final = 100


JUMP_MAX: Final = 0.01


class Day(NamedTuple):
    """Rows in the exchange's order, the book before them, and mark prices (e8) with rates (e8) by the exchange's time."""

    name: str
    ns: NDArray[np.int64]
    kind: NDArray[np.uint8]
    tick: NDArray[np.int32]
    lots: NDArray[np.int32]
    bids: NDArray[np.int64]
    asks: NDArray[np.int64]
    mark_ns: NDArray[np.int64]
    mark_e8: NDArray[np.int64]
    index_e8: NDArray[np.int64]
    rate_e8: NDArray[np.int64]


class Source(Protocol):
    """Where a market's days come from."""

    instrument: Instrument

    def day(self, number: int, opening_tick: int) -> Day:
        """Day `number` from 0 on; `opening_tick` is where the day before ended (0 at first)."""
        ...


class StoredDays:
    """Days of a store, round and round. Raises UserError when there is none with a book."""

    def __init__(self, root: str | Path, key: Key, days: str = "") -> None:
        db = TickDb(root)
        named = days_between(db.days(key), days, f"{key} in {root}") if days else db.days(key)
        prepared = [db.prepared(key, day) for day in named]
        self._days = [day for day in prepared if len(day.exch.ns) >= CAPTURE_ROWS_MIN]
        if not self._days:
            raise UserError(f"{key} in {root}: no day with a market to replay", Exit.NOT_FOUND)
        self.instrument = self._days[0].instrument
        self.names = [day.day for day in self._days]

    def day(self, number: int, opening_tick: int) -> Day:
        """A stored day, moved to open at that tick if it is far from it (0: as it is)."""
        stored = self._days[number % len(self._days)]
        exch, marks = stored.exch, stored.marks
        prices = marks.exch_ns, marks.mark_e8, marks.index_e8, marks.rate_e8
        day = Day(stored.day, exch.ns, exch.kind, exch.tick, exch.lots, stored.bids, stored.asks, *prices)
        by = opening_tick - opening(day) if opening_tick else 0
        return moved(day, by, int(by * self.instrument.tick * E8)) if abs(by) > JUMP_MAX * opening_tick else day


def opening(day: Day) -> int:
    """About where a day opens: the middle of its book, or its first trade."""
    if len(day.bids) and len(day.asks):
        return int(day.bids[0, 0] + day.asks[0, 0]) // 2
    trades = np.flatnonzero((day.kind == BUY) | (day.kind == SELL))
    return int(day.tick[trades[0]]) if len(trades) else 0


def moved(day: Day, ticks: int, price_e8: int) -> Day:
    """The day with all its prices moved."""
    by = np.array([ticks, 0])
    tick = np.where(day.kind == CLEAR, day.tick, day.tick + ticks).astype(day.tick.dtype)
    marks = day.mark_e8 + price_e8, day.index_e8 + price_e8
    return day._replace(tick=tick, bids=day.bids + by, asks=day.asks + by, mark_e8=marks[0], index_e8=marks[1])


class GeneratedDays:
    """Days from a seed. Raises UserError for a symbol without a preset."""

    def __init__(self, symbol: str, seed: int, events: int = EVENTS) -> None:
        self.instrument = instrument(symbol)
        self.seed, self.events = seed, events

    def day(self, number: int, opening_tick: int) -> Day:
        """The day of a number, opening at the tick given (0: at the symbol's usual price)."""
        opening = opening_tick or self.instrument.ticks(PRESETS[self.instrument.symbol][2])
        return _generated(self.instrument.symbol, self.seed, number, opening, self.events)


@lru_cache(maxsize=8)
def _generated(symbol: str, seed: int, number: int, opening: int, events: int) -> Day:
    chosen = hashlib.blake2b(f"{symbol} {seed} {number}".encode(), digest_size=5).digest()
    made = generate(events, int.from_bytes(chosen, "little"), 0, opening)
    counts = made.rows
    none = np.zeros(0, np.int64)
    ns = np.repeat(made.exch_ns, counts)
    return Day(
        f"generated {number}", ns, made.kind, made.tick, made.lots, made.opening_bids, made.opening_asks, none, none, none, none
    )


def sources(
    data: str | Path | None, seed: int, symbols: Sequence[str] = (), days: str = "", events: int = EVENTS
) -> dict[str, Source]:
    """A source a symbol: of a store's USDⓈ-M instruments (all, when none is named), or generated from the seed."""
    if data is None:
        return {symbol: GeneratedDays(symbol, seed, events) for symbol in symbols or PRESETS}
    db = TickDb(data)
    keys = [db.resolve(symbol) for symbol in symbols] if symbols else [key for key in db.instruments() if "usdm" in key.venue]
    if not keys:
        raise UserError(f"{data}: no days of USD-M futures in this store; `astrarium data import` makes some", Exit.NOT_FOUND)
    return {key.symbol: StoredDays(data, key, days) for key in keys}
