"""What a day file holds: tables of columns, and a description in words.

Every table keeps the order of the capture. `line` is the line in the source file, so that an event can be found again and
events of one instant keep their order. Prices are ticks and quantities lots; a column of them is int32 and becomes int64 in a
day where one overflows. `depth` has a row for each event and snapshot; their levels, bids first, follow each other in `levels`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from msgspec import Struct, field

LAYOUT: Final = 1
"""Raise it when the meaning of a column changes: files of another layout are refused with that word, never misread."""
IMPORTER: Final = 1
"""Raise it when the same capture would be written differently: it is part of every digest."""

Types = dict[str, np.dtype[Any]]
I8, I4, U1 = (np.dtype(kind) for kind in (np.int64, np.int32, np.uint8))

TIMES: Final[Types] = {"exch_ns": I8, "local_ns": I8, "line": I4}
TABLES: Final[dict[str, Types]] = {
    "depth": {**TIMES, "snapshot": U1, "first_id": I8, "last_id": I8, "prev_id": I8, "bids": I4, "asks": I4},
    "levels": {"tick": I4, "lots": I4},
    "trades": {**TIMES, "id": I8, "tick": I4, "lots": I4, "side": U1},
    "bbo": {**TIMES, "update_id": I8, "bid_tick": I4, "bid_lots": I4, "ask_tick": I4, "ask_lots": I4},
    "marks": {**TIMES, "mark_e8": I8, "index_e8": I8, "rate_e8": I8, "next_funding_ns": I8},
    "aside": {**TIMES, "id": I8, "side": U1, "price": np.dtype("S24"), "qty": np.dtype("S24"), "reason": np.dtype("S32")},
}
"""`side` of a trade is its aggressor's: 1 bought, 2 sold. `prev_id` -1: the venue gives none. `aside`: other prints."""
BOOKS: Final = {"tick": I8, "lots": I8}

TICK_COLUMNS: Final = ("tick", "bid_tick", "ask_tick")
LOTS_COLUMNS: Final = ("lots", "bid_lots", "ask_lots")

Mark = tuple[int, int, int, int, int, int]
"""exch_ns, local_ns, mark_e8, index_e8, rate_e8, next_funding_ns"""


class Segment(Struct):
    """One source file's part of a day. `latency_ns_min` is the whole file's: its clock is corrected once, not a day."""

    source: str
    digest: str
    rows: dict[str, int]
    first_ns: int
    trade_stream: str = ""
    latency_ns_min: int | None = None
    clock_exact: bool = False
    """True where the local stamps need no correction, because they were generated."""


class Gap(Struct):
    """The depth event at a line does not continue the one before it. Its ids, and the last id before it (-1: none)."""

    source: str
    line: int
    first_id: int
    last_id: int
    after_id: int


class Day(Struct):
    """A day in words. `quality` is "book", or "no book" where no event of the day stands on a known book."""

    venue: str
    symbol: str
    day: str
    tick_size: str
    lot_size: str
    grid_source: str
    base: str = ""
    quote: str = ""
    layout: int = LAYOUT
    quality: str = "no book"
    digest: str = ""
    opening_id: int = -1
    opening_mark: Mark | None = None
    closing_id: int = -1
    closing_mark: Mark | None = None
    segments: list[Segment] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    gap_count: int = 0
    crossed: int = 0
    apart: int = 0
    """Depth events outside any known book: kept in the file, absent from replays."""

    def rows(self, table: str) -> int:
        """Rows of a table."""
        return sum(segment.rows.get(table, 0) for segment in self.segments)
