"""A market frame of Binance as a message on its instrument's grid: the meaning that `core.kernel.feed` must share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from core.dialect.binance.words import Parsed
from core.instrument import Instrument
from core.kernel import frames as f
from core.kernel.feed import TICKS_MAX
from core.message import DepthUpdate, Levels, MarketDataSnapshot, MarkPrice, Message, Trade
from core.price import BUY, SELL, GridError

LOTS_MAX: Final = 1 << 62
"""Lots that a quantity may have: it is kept in 64 bits."""


def market_message(parsed: Parsed, instrument: Instrument) -> Message | None:
    """One frame as a message on the instrument's grid; None for what a normalizer does not use.

    That is bookTicker, odd prints, and what is another instrument's. Raises GridError when a price or quantity is off the grid.
    """
    columns = parsed.columns
    kind = columns[f.KIND]
    if parsed.aside or kind not in _MESSAGES or (parsed.symbol and parsed.symbol != instrument.symbol):
        return None
    message = _MESSAGES[kind](parsed, instrument)
    message.symbol = instrument.symbol
    message.received = columns[f.LOCAL]
    message.transact_time = columns[f.T] or columns[f.E]
    return message


def _grid(digits: int, decimals: int, numerator: int, denominator: int, most: int) -> int:
    """Digits with so many decimals, in steps of numerator / denominator."""
    steps, rest = divmod(digits * denominator, numerator * 10**decimals)
    if rest or steps >= most:
        raise GridError(f"{digits}e-{decimals} is not a multiple of {numerator}/{denominator}, or too many of it")
    return int(steps)


def _levels(side: list[tuple[int, int, int, int]], instrument: Instrument) -> Levels:
    tick, lot = instrument.tick.as_integer_ratio(), instrument.lot.as_integer_ratio()
    return tuple((_grid(p, pd, *tick, TICKS_MAX), _grid(q, qd, *lot, LOTS_MAX)) for p, pd, q, qd in side)


def _snapshot(parsed: Parsed, instrument: Instrument) -> Message:
    bids, asks = _levels(parsed.bids, instrument), _levels(parsed.asks, instrument)
    return MarketDataSnapshot(last_update_id=parsed.columns[f.ID], bids=bids, asks=asks)


def _depth(parsed: Parsed, instrument: Instrument) -> Message:
    first, last, previous = (parsed.columns[place] for place in (f.FIRST_ID, f.ID, f.PREV_ID))
    bids, asks = _levels(parsed.bids, instrument), _levels(parsed.asks, instrument)
    return DepthUpdate(first_update_id=first, last_update_id=last, prev_update_id=previous, bids=bids, asks=asks)


def _trade(parsed: Parsed, instrument: Instrument) -> Message:
    c = parsed.columns
    price = _grid(c[f.PRICE], c[f.PRICE_DECIMALS], *instrument.tick.as_integer_ratio(), TICKS_MAX)
    qty = _grid(c[f.QTY], c[f.QTY_DECIMALS], *instrument.lot.as_integer_ratio(), LOTS_MAX)
    return Trade(trade_id=c[f.ID], side=SELL if c[f.MAKER] else BUY, price=price, qty=qty)


def _mark(parsed: Parsed, instrument: Instrument) -> Message:
    c = parsed.columns
    return MarkPrice(
        mark_price_e8=c[f.MARK_E8], index_price_e8=c[f.INDEX_E8], funding_rate_e8=c[f.RATE_E8], next_funding_time=c[f.NEXT_NS]
    )


_MESSAGES: Final[dict[int, Callable[[Parsed, Instrument], Message]]] = {
    f.SNAPSHOT: _snapshot,
    f.DEPTH: _depth,
    f.TRADE: _trade,
    f.AGG_TRADE: _trade,
    f.MARK: _mark,
}
