"""The tick store as DataFrames, seen from a moment in the past: nothing later than `now` is ever returned.

The index is exchange time, ns UTC. Prices and quantities are floats here (the nearest double to each exact decimal); the
integers stay in the store.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from actors.errors import Exit, UserError
from actors.history import views
from actors.history.dayfile import DayFile
from actors.history.folding import Depth, rules_of
from actors.history.prepared import DAY_NS
from actors.history.sources import Stored
from actors.history.spool import Grid
from actors.history.tickdb import TickDb, parse_day
from core.bars import bars as make_bars
from core.bars import period_ns
from core.book import APPLIED

if TYPE_CHECKING:
    import pandas as pd

_TIME_OF_DAY = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d{1,9})?)?", re.ASCII)


def moment_ns(text: str, day: str | None = None) -> int:
    """An ISO time, a time of day (on `day`), or an epoch stamp (s, ms, µs or ns by its size) as ns UTC. Raises UserError."""
    if text.isdigit() and len(text) in (10, 13, 16, 19):
        return int(text) * int(10 ** (19 - len(text)))
    written = f"{day}T{text.rjust(len(text) + (text.find(':') == 1), '0')}" if day and _TIME_OF_DAY.fullmatch(text) else text
    try:
        return int(np.datetime64(re.sub(r"(Z|\+00:00)$", "", written), "ns").astype(np.int64))
    except ValueError as error:
        raise UserError(
            f"{text!r} is not a time: write 2024-07-19T00:03:00, 00:03:00 or ns since 1970", Exit.CONFIGURATION
        ) from error


class HistoricalTickDb:
    """One instrument's past."""

    def __init__(self, store: str | Path, instrument: str) -> None:
        """Raises UserError when the store does not know the instrument."""
        self._db = TickDb(store)
        self.key = self._db.resolve(instrument)
        self.instrument = self._db.instrument(self.key)
        self.days = self._db.days(self.key)
        self._day = self.days[-1]
        self._now_ns = _end(self._day)

    @property
    def now(self) -> int:
        """The moment from which the market is seen, ns UTC."""
        return self._now_ns

    def set_date(self, day: str | date) -> None:
        """Look at a day, from its end. Raises UserError when it is not stored."""
        named = parse_day(str(day)[:10] if isinstance(day, date) else day)
        self._db.path(self.key, named)
        self._day = named
        self._now_ns = _end(self._day)

    def set_time(self, moment: str | time | datetime | int) -> None:
        """Look from a moment: a time of day on the set date, a date and time (UTC), or ns since 1970. Raises UserError."""
        now_ns = moment_ns(str(moment), self._day)
        day = str(np.datetime64(now_ns, "ns").astype("M8[D]"))
        if day != self._day:
            self.set_date(day)
        self._now_ns = now_ns

    def trades(self) -> pd.DataFrame:
        """The day's market trades up to now: price, qty, side (1 the buyer was the aggressor, -1 the seller), id, local_ns."""
        with self._file() as file:
            c = file.table("trades")
            data = {"price": self._price(c["tick"]), "qty": self._qty(c["lots"]), "side": 3 - 2 * c["side"].astype(np.int64)}
            return self._frame(c["exch_ns"], data | {"id": c["id"], "local_ns": c["local_ns"]})

    def bbo(self) -> pd.DataFrame:
        """The venue's best quotes up to now: bid, bid_qty, ask, ask_qty, update_id, local_ns."""
        with self._file() as file:
            c = file.table("bbo")
            data = {"bid": self._price(c["bid_tick"]), "bid_qty": self._qty(c["bid_lots"])}
            data |= {"ask": self._price(c["ask_tick"]), "ask_qty": self._qty(c["ask_lots"])}
            return self._frame(c["exch_ns"], data | {"update_id": c["update_id"], "local_ns": c["local_ns"]})

    def depth(self) -> pd.DataFrame:
        """Level changes of the events that make the book, up to now: side (1 bid, -1 ask), price, qty, update_id, snapshot."""
        with self._file() as file:
            numbers = Depth.of([Stored(file, number) for number in range(len(file.day.segments))])
            _, verdict, _ = numbers.plan(rules_of(file.day.venue), file.day.opening_id)
            c = numbers.columns
            count = c["bids"].astype(np.int64) + c["asks"]
            event = np.repeat(np.arange(len(count)), count)
            within = np.arange(len(event)) - np.repeat(np.cumsum(count) - count, count)
            side = np.where(within < c["bids"][event], 1, -1)
            data = {
                "side": side,
                "price": self._price(file.column("levels", "tick")),
                "qty": self._qty(file.column("levels", "lots")),
            }
            data |= {"update_id": c["last_id"][event], "snapshot": c["snapshot"][event].astype(bool)}
            frame = self._frame(c["exch_ns"][event], data)
            return frame[(verdict[event] == APPLIED)[c["exch_ns"][event] <= self._now_ns]]

    def bars(self, freq: str = "1min") -> pd.DataFrame:
        """Bars of the day's trades up to now, the last one perhaps unfinished, by their opening times."""
        with self._file() as file:
            ns = file.column("trades", "exch_ns")
            seen = ns <= self._now_ns
            made = make_bars(ns[seen], file.column("trades", "tick")[seen], file.column("trades", "lots")[seen], _period(freq))
            data: dict[str, Any] = {name: self._price(getattr(made, name)) for name in ("open", "high", "low", "close")}
            data |= {"volume": self._qty(made.volume), "trades": made.trades}
            unit = float(self.instrument.tick * self.instrument.lot)
            data["quote_volume"] = np.array([notional * unit for notional in made.notional], np.float64)
            return self._frame(made.open_ns, data)

    def book(self, levels: int = 20) -> pd.DataFrame:
        """The book as of now: bid, bid_qty, ask, ask_qty by level, best first. Raises UserError where none is known."""
        import pandas as pd

        with self._file() as file:
            bids, asks = views.book(file, at_ns=self._now_ns)
        sides = {}
        for name, side in (("bid", bids[:levels]), ("ask", asks[:levels])):
            sides[name] = pd.Series(self._price(side[:, 0]))
            sides[f"{name}_qty"] = pd.Series(self._qty(side[:, 1]))
        return pd.DataFrame(sides).rename_axis("level")

    def _file(self) -> DayFile:
        return self._db.file(self.key, self._day)

    def _price(self, ticks: NDArray[Any]) -> NDArray[np.float64]:
        return _decimal(ticks, self.instrument.tick_size)

    def _qty(self, lots: NDArray[Any]) -> NDArray[np.float64]:
        return _decimal(lots, self.instrument.lot_size)

    def _frame(self, ns: NDArray[np.int64], data: dict[str, Any]) -> pd.DataFrame:
        import pandas as pd

        seen = ns <= self._now_ns
        index = pd.DatetimeIndex(ns[seen].view("M8[ns]"), tz="UTC", name="time")
        return pd.DataFrame({name: values[seen] for name, values in data.items()}, index=index)


def _decimal(steps: NDArray[Any], size: str) -> NDArray[np.float64]:
    """The nearest doubles to the exact decimals: a division by a power of ten rounds once, a product with 0.1 twice."""
    grid = Grid.parse(size)
    return steps.astype(np.int64) * grid.step / 10.0**grid.decimals


def _end(day: str) -> int:
    return int(np.datetime64(day, "ns").astype(np.int64)) + DAY_NS - 1


def _period(freq: str) -> int:
    try:
        return period_ns(freq)
    except ValueError as error:
        raise UserError(str(error), Exit.CONFIGURATION) from error
