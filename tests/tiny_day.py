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
MS = 10**6
SECOND = 10**9
DAY_NS = 86_400 * SECOND
Row = tuple[int, int, int, int]
"""Exchange time, kind, tick, lots."""

OPENING: tuple[Row, ...] = ((0, BID, 999, 20), (0, BID, 1000, 10), (0, ASK, 1001, 10), (0, ASK, 1002, 20))
"""A book of two levels a side around 1000/1001, in one frame at the first instant."""


def day_name(number: int) -> str:
    """The day so many days after 1970-01-01."""
    return str(np.datetime64(number, "D"))


def tiny_day(
    rows: Sequence[Row],
    feed_ns: int = 0,
    instrument: Instrument = BTC,
    quality: str = "book",
    number: int = 0,
    fundings: Sequence[tuple[int, int, int]] = (),
) -> PreparedDay:
    """The day so many days after 1970-01-01, every row (times within the day) heard of `feed_ns` after it happened.

    `fundings` are (time within the day, rate, mark price), the latter two in 1e-8.
    """
    start = number * DAY_NS
    exch = columns(np.array(rows, np.int64))
    exch = exch._replace(ns=exch.ns + start)
    none, no_book = np.zeros(0, np.int64), np.zeros((0, 2), np.int64)
    settled = np.array(fundings, np.int64).reshape(-1, 3)
    return PreparedDay(
        instrument.key, day_name(number), instrument, Columns(*exch), Columns(exch.ns + feed_ns, *exch[1:]), no_book, no_book,
        Marks(*[none] * 6), Fundings(settled[:, 0] + start, settled[:, 1], settled[:, 2]), quality, start, start + DAY_NS,
        f"tiny {number}", Path(),
    )  # fmt: skip


def market(first_s: int, last_s: int, bid: int = 1000, step_s: int = 1) -> list[Row]:
    """A book around a price, refreshed and traded in every `step_s` from one second of the day to another."""
    rows: list[Row] = []
    for second in range(first_s, last_s, step_s):
        at = second * SECOND
        rows += [(at, BID, bid, 10 + second % 3), (at, ASK, bid + 1, 10), (at + SECOND // 2, 3, bid + 1, 1)]
    return rows
