"""Prepared days small enough to write by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from actors.history.prepared import Columns, Fundings, Marks, PreparedDay
from core.instrument import Instrument, Key
from core.kernel.layout import ASK, BID
from tests.hostile import columns

BTC = Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001")
DAY_NS = 86_400 * 10**9
Row = tuple[int, int, int, int]
"""Exchange time, kind, tick, lots."""

OPENING: tuple[Row, ...] = ((0, BID, 999, 20), (0, BID, 1000, 10), (0, ASK, 1001, 10), (0, ASK, 1002, 20))
"""A book of two levels a side around 1000/1001, in one frame at the first instant."""


def tiny_day(rows: Sequence[Row], feed_ns: int = 0, instrument: Instrument = BTC, quality: str = "book") -> PreparedDay:
    """1970-01-01, every row heard of `feed_ns` after it happened."""
    exch = columns(np.array(rows, np.int64))
    none, no_book = np.zeros(0, np.int64), np.zeros((0, 2), np.int64)
    return PreparedDay(
        instrument.key, "1970-01-01", instrument, Columns(*exch), Columns(exch.ns + feed_ns, *exch[1:]), no_book, no_book,
        Marks(*[none] * 6), Fundings(*[none] * 3), quality, 0, DAY_NS, "tiny", Path(),
    )  # fmt: skip
