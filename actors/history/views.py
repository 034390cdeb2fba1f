"""A stored day as people ask for it: trades, best quotes, depth events, mark prices, bars, and the book at a moment.

Rows are dictionaries of plain values. Prices and quantities are exact decimal strings; times are ns UTC, bars' are ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.errors import Exit, UserError
from actors.history.dayfile import Book, DayFile
from actors.history.folding import Depth, Folding, rules_of
from actors.history.prepared import instrument_of
from actors.history.sources import Stored
from core.bars import bars as make_bars
from core.price import E8
from core.price import text as grid_text

Row = dict[str, Any]
BLOCK_ROWS = 1 << 16
SIDES = {1: "buy", 2: "sell"}


def trades(file: DayFile) -> Iterator[Row]:
    """Market trades in capture order; `side` is the aggressor's."""
    instrument = instrument_of(file.day)
    for block in _blocks(file, "trades"):
        for exch, local, _, identity, tick, lots, side in block:
            yield {
                "time_ns": exch,
                "local_ns": local,
                "id": identity,
                "side": SIDES[side],
                "price": instrument.price_text(tick),
                "qty": instrument.qty_text(lots),
            }


def bbo(file: DayFile) -> Iterator[Row]:
    """The venue's own best bid and offer, in capture order."""
    instrument = instrument_of(file.day)
    for block in _blocks(file, "bbo"):
        for exch, local, _, update_id, bid, bid_lots, ask, ask_lots in block:
            yield {
                "time_ns": exch,
                "local_ns": local,
                "update_id": update_id,
                "bid": instrument.price_text(bid),
                "bid_qty": instrument.qty_text(bid_lots),
                "ask": instrument.price_text(ask),
                "ask_qty": instrument.qty_text(ask_lots),
            }


def depth(file: DayFile) -> Iterator[Row]:
    """Depth events and snapshots in capture order; `state` says whether the book was built from it."""
    instrument = instrument_of(file.day)
    rows = file.rows("depth")
    sources = [Stored(file, number) for number in range(len(file.day.segments))]
    numbers = Depth.of(sources)
    _, verdict, _ = numbers.plan(rules_of(file.day.venue), file.day.opening_id)
    c = numbers.columns
    for first in range(0, rows, 1024):
        last = min(first + 1024, rows)
        low, high = int(numbers.start[first]), int(numbers.start[last - 1] + c["bids"][last - 1] + c["asks"][last - 1])
        levels = [
            [instrument.price_text(tick), instrument.qty_text(lots)]
            for tick, lots in zip(*(file.column("levels", name, low, high).tolist() for name in ("tick", "lots")), strict=True)
        ]
        for i in range(first, last):
            at = int(numbers.start[i]) - low
            middle = at + int(c["bids"][i])
            yield {
                "time_ns": int(c["exch_ns"][i]),
                "local_ns": int(c["local_ns"][i]),
                "snapshot": bool(c["snapshot"][i]),
                "first_update_id": int(c["first_id"][i]),
                "last_update_id": int(c["last_id"][i]),
                "state": ("apart", "applied", "repeated", "gap")[verdict[i]],
                "bids": levels[at:middle],
                "asks": levels[middle : middle + int(c["asks"][i])],
            }


def marks(file: DayFile) -> Iterator[Row]:
    """Mark prices in capture order."""
    for block in _blocks(file, "marks"):
        for exch, local, _, mark, index, rate, due in block:
            prices = {"mark_price": _e8(mark), "index_price": _e8(index), "funding_rate": _e8(rate)}
            yield {"time_ns": exch, "local_ns": local, **prices, "next_funding_ns": due}


def aside(file: DayFile) -> Iterator[Row]:
    """Prints that are no market trades, and why."""
    for block in _blocks(file, "aside"):
        for exch, local, line, identity, side, price, qty, reason in block:
            texts = {"price": price.decode(), "qty": qty.decode(), "reason": reason.decode()}
            yield {"time_ns": exch, "local_ns": local, "line": line, "id": identity, "side": SIDES[side], **texts}


def bars(file: DayFile, period: int) -> Iterator[Row]:
    """Bars of `period` ns from the day's market trades, by the trades' own times."""
    instrument = instrument_of(file.day)
    ns, tick, lots = (file.column("trades", name) for name in ("exch_ns", "tick", "lots"))
    made = make_bars(ns, tick, lots, period)
    unit = instrument.tick * instrument.lot
    columns: Any = [*(column.tolist() for column in made[:7]), made.notional]
    for open_ns, *prices, volume, count, notional in zip(*columns, strict=True):
        named = zip(("open", "high", "low", "close"), map(instrument.price_text, prices), strict=True)
        yield {
            "time_ms": open_ns // 1_000_000,
            **dict(named),
            "volume": instrument.qty_text(volume),
            "trades": count,
            "quote_volume": grid_text(notional, unit),
        }


VIEWS: dict[str, Callable[[DayFile], Iterator[Row]]] = {
    "trades": trades,
    "bbo": bbo,
    "depth": depth,
    "marks": marks,
    "aside": aside,
}


def book(file: DayFile, at_ns: int | None = None, update_id: int | None = None) -> Book:
    """The book after all events with exchange time <= `at_ns`, or with u <= `update_id`, or (neither) at the day's end.

    Raises UserError where no book is known at that moment.
    """
    day = file.day
    sources = [Stored(file, number) for number in range(len(day.segments))]
    numbers = Depth.of(sources)
    steps, _, _ = numbers.plan(rules_of(day.venue), day.opening_id)
    event = np.where(steps < 0, -steps - 1, steps)
    if update_id is not None:
        taken = numbers.columns["last_id"][event] <= update_id
        known = 0 <= day.opening_id <= update_id
    elif at_ns is not None:
        taken = _book_times(numbers, steps, event) <= at_ns
        known = day.opening_id >= 0
    else:
        taken, known = np.ones(len(steps), np.bool_), day.opening_id >= 0
    steps = steps[taken]
    if (not len(steps) and not known) or (len(steps) and steps[-1] < 0):
        raise UserError(f"{day.venue}:{day.symbol} {day.day}: no book is known {_moment(at_ns, update_id)}", Exit.NOT_FOUND)
    folding = Folding(numbers, steps, file.book("opening"))
    for _ in folding.blocks(sources):
        pass
    return folding.book


def _book_times(numbers: Depth, steps: NDArray[np.int64], event: NDArray[np.int64]) -> NDArray[np.int64]:
    """Exchange times of the steps; a snapshot is not later than the first event that is applied on top of it."""
    times = numbers.columns["exch_ns"][event].copy()
    snapshots = np.flatnonzero((numbers.columns["snapshot"][event] == 1)[:-1] & (steps[:-1] >= 0))
    times[snapshots] = np.minimum(times[snapshots], times[snapshots + 1])
    return times


def _moment(at_ns: int | None, update_id: int | None) -> str:
    if update_id is not None:
        return f"at update {update_id}"
    return "at its end" if at_ns is None else f"at {np.datetime64(at_ns, 'ns')}"


def book_row(file: DayFile, sides: Book, levels: int) -> Row:
    """A book as `{"bids": [[price, qty], ...], "asks": ...}`, best first, at most `levels` a side."""
    instrument = instrument_of(file.day)
    return {
        name: [[instrument.price_text(tick), instrument.qty_text(lots)] for tick, lots in side[:levels].tolist()]
        for name, side in zip(("bids", "asks"), sides, strict=True)
    }


def _e8(value: int) -> str:
    sign, whole = ("-" if value < 0 else ""), abs(value)
    return f"{sign}{whole // E8}.{whole % E8:08d}"


def _blocks(file: DayFile, table: str) -> Iterator[Iterator[tuple[Any, ...]]]:
    for start in range(0, file.rows(table), BLOCK_ROWS):
        columns = file.table(table, start, start + BLOCK_ROWS)
        yield zip(*(column.tolist() for column in columns.values()), strict=True)
