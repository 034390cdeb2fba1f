"""Recent bars, asked of the venue before a strategy begins, so that bands and averages need not wait for an hour of market."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import requests

from actors.errors import UserError
from core.codec import WireError
from core.dialect.binance.account import klines
from core.dialect.binance.hosts import VenueTable
from core.instrument import Instrument
from core.message import Bar

INTERVALS: Final = {60: "1m", 180: "3m", 300: "5m", 900: "15m", 1_800: "30m", 3_600: "1h", 14_400: "4h", 86_400: "1d"}
"""The venue's names of the lengths of bars that it has, by seconds."""
ANSWER_S: Final = 3.0
SECOND: Final = 1_000_000_000


def recent(venue: VenueTable, instrument: Instrument, periods: Iterable[int], now: int) -> list[Bar]:
    """Closed bars of the last `kline_minutes`, oldest first; none of lengths that the venue does not have.

    Raises UserError when the venue does not answer with bars.
    """
    found: list[Bar] = []
    for period in periods:
        count = min(venue.kline_minutes * 60 * SECOND // period, 1_500)
        name = INTERVALS.get(period // SECOND)
        if name is None or not count:
            continue
        asked = {"symbol": instrument.symbol, "interval": name, "limit": str(count + 1)}
        try:
            answer = requests.get(venue.hosts.rest + "/fapi/v1/klines", asked, timeout=ANSWER_S)
            bars = klines(answer.content, now, instrument, period)
        except (requests.RequestException, WireError) as error:
            raise UserError(f"{venue.hosts.rest} gives no bars of {instrument.symbol}: {error}") from error
        found += [bar for bar in bars if bar.open_time + period <= now]
    return sorted(found, key=lambda bar: (bar.open_time + bar.period, bar.period))
