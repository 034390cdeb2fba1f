"""Summaries of a market: mark price, and the last 24 hours, in the stream's short words and in the REST API's long ones."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from actors.emulator.market import Market
from actors.emulator.order import money

DAY_NS: Final = 86_400_000_000_000
LONG: Final = {
    "p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice", "c": "lastPrice", "Q": "lastQty", "o": "openPrice",
    "h": "highPrice", "l": "lowPrice", "v": "volume", "q": "quoteVolume", "O": "openTime", "C": "closeTime", "F": "firstId",
    "L": "lastId", "n": "count",
}  # fmt: skip
"""A field of the 24 hours' statistics: in the stream, and over REST."""


def e8_text(value: int) -> str:
    """A whole number of 1e-8 as a decimal."""
    return money(Decimal(value).scaleb(-8))


def mark_words(market: Market, now: int, stamp: int, funding_ms: int) -> dict[str, Any]:
    """A markPriceUpdate."""
    mark, index, rate = market.mark(now)
    return {
        "e": "markPriceUpdate",
        "E": stamp,
        "s": market.symbol,
        "p": e8_text(mark),
        "ap": e8_text(mark),
        "P": e8_text(mark),
        "i": e8_text(index),
        "r": e8_text(rate),
        "T": funding_ms,
        "st": 1,
    }


def statistics(market: Market, now: int, stamp: Callable[[int], int], short: bool) -> dict[str, Any]:
    """A 24hrMiniTicker (`short`) or 24hrTicker."""
    bars = market.remember().of("1m", now - DAY_NS, most=1441)
    instrument, unit = market.instrument, market.instrument.tick * market.instrument.lot
    last = market.last or market.best()[0]
    first = bars[0].open if bars else last
    lots, notional = sum(bar.lots for bar in bars), sum(bar.notional for bar in bars)
    body: dict[str, Any] = {"e": "24hrMiniTicker" if short else "24hrTicker", "E": stamp(now), "s": market.symbol}
    body |= {"c": instrument.price_text(last), "o": instrument.price_text(first)}
    body |= {"h": instrument.price_text(max((bar.high for bar in bars), default=last))}
    body |= {"l": instrument.price_text(min((bar.low for bar in bars), default=last))}
    body |= {"v": instrument.qty_text(lots), "q": format(notional * unit, "f"), "ps": market.symbol, "st": 1}
    if short:
        return body
    change = Decimal(last - first) * 100 / first if first else Decimal(0)
    average = instrument.tick * notional / lots if lots else instrument.tick * last
    body |= {"p": instrument.price_text(last - first), "P": f"{change:.3f}", "w": money(average)}
    body |= {"Q": instrument.qty_text(market.trades[-1].lots if market.trades else 0), "O": stamp(now - DAY_NS), "C": stamp(now)}
    return body | {
        "F": bars[0].first_id if bars else 0,
        "L": bars[-1].last_id if bars else 0,
        "n": sum(bar.trades for bar in bars),
    }


def daily(market: Market, now: int, stamp: Callable[[int], int]) -> dict[str, Any]:
    """The 24 hours' statistics over REST."""
    body = statistics(market, now, stamp, short=False)
    return {"symbol": market.symbol, **{name: body[letter] for letter, name in LONG.items()}}
