"""An instrument's normalizer: what the venue says, kept as a book, handed on as ticks.

Depth events and snapshots go through the documented procedure (`core.book`); trades are folded into the next tick; a mark price
is carried in every tick, and when its next funding time moves on, the settlement that it passed is a message of its own. A tick
carries the best levels of the whole book, so a mailbox may replace it by the next and lose nothing. While there is no book its
sides are empty: no strategy ever sees levels that are known to be old.

A gap asks for a snapshot (a Command "snapshot" to whoever can fetch one), again after a while in which none of use came.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from core.book import GAP, Sync
from core.dialect.binance import RULES, Parsed
from core.instrument import Instrument
from core.kernel import frames as f
from core.mailbox import fold
from core.message import NO_TRADES, Command, DepthUpdate, Funding, Levels, MarketDataSnapshot, MarkPrice, Message, Tick, Trade
from core.node import Outbox
from core.price import BUY, GridError

LEVELS: Final = 20
"""Levels a side in a tick: what the venue's own partial streams give at most."""
ASK_AGAIN_NS: Final = 5_000_000_000
"""A snapshot weighs 20 of 2,400 a minute: asking every five seconds is a tenth of that."""


def market_message(parsed: Parsed, instrument: Instrument) -> Message | None:
    """One frame as a message on the instrument's grid; None for what a normalizer does not use (bookTicker, odd prints).

    Raises GridError when a price or quantity is off the grid.
    """
    columns = parsed.columns
    kind = columns[f.KIND]
    if parsed.aside or kind not in _MESSAGES:
        return None
    message = _MESSAGES[kind](parsed, instrument)
    message.symbol = parsed.symbol or instrument.symbol
    message.received = columns[f.LOCAL]
    message.transact_time = columns[f.T] or columns[f.E]
    return message


def _grid(digits: int, decimals: int, numerator: int, denominator: int) -> int:
    """Digits with so many decimals, in steps of numerator / denominator."""
    steps, rest = divmod(digits * denominator, numerator * 10**decimals)
    if rest:
        raise GridError(f"{digits}e-{decimals} is not a multiple of {numerator}/{denominator}")
    return int(steps)


def _levels(side: list[tuple[int, int, int, int]], instrument: Instrument) -> Levels:
    tick, lot = instrument.tick.as_integer_ratio(), instrument.lot.as_integer_ratio()
    return tuple((_grid(p, pd, *tick), _grid(q, qd, *lot)) for p, pd, q, qd in side)


def _snapshot(parsed: Parsed, instrument: Instrument) -> Message:
    bids, asks = _levels(parsed.bids, instrument), _levels(parsed.asks, instrument)
    return MarketDataSnapshot(last_update_id=parsed.columns[f.ID], bids=bids, asks=asks)


def _depth(parsed: Parsed, instrument: Instrument) -> Message:
    first, last, previous = (parsed.columns[place] for place in (f.FIRST_ID, f.ID, f.PREV_ID))
    bids, asks = _levels(parsed.bids, instrument), _levels(parsed.asks, instrument)
    return DepthUpdate(first_update_id=first, last_update_id=last, prev_update_id=previous, bids=bids, asks=asks)


def _trade(parsed: Parsed, instrument: Instrument) -> Message:
    c = parsed.columns
    price = _grid(c[f.PRICE], c[f.PRICE_DECIMALS], *instrument.tick.as_integer_ratio())
    qty = _grid(c[f.QTY], c[f.QTY_DECIMALS], *instrument.lot.as_integer_ratio())
    return Trade(trade_id=c[f.ID], side=2 if c[f.MAKER] else 1, price=price, qty=qty)


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


class Normalizer:
    """The node. Takes market messages of one instrument, sends a Tick after each that changes what a strategy may see."""

    def __init__(self, instrument: Instrument, levels: int = LEVELS) -> None:
        self.name = f"normalizer {instrument.key}"
        self.instrument = instrument
        self.levels = levels
        self.sync = Sync(RULES[instrument.key.venue].prev_id_linked)
        self.mark: MarkPrice | None = None
        self.gaps = 0
        self._trades = NO_TRADES
        self._asked = -ASK_AGAIN_NS
        self._takes: dict[type[Message], Callable[[int, Message], bool]] = {
            DepthUpdate: self._on_depth,  # type: ignore[dict-item]
            MarketDataSnapshot: self._on_snapshot,  # type: ignore[dict-item]
            Trade: self._on_trade,  # type: ignore[dict-item]
            MarkPrice: self._on_mark,  # type: ignore[dict-item]
        }

    def bind(self, outbox: Outbox) -> None:
        """Receive the outbox."""
        self._out = outbox

    def on(self, now: int, message: Message) -> None:
        """Take one market message; others are not for this node and change nothing."""
        take = self._takes.get(type(message))
        if take is not None and take(now, message):
            self._out.send(self.tick(now, message))
            self._trades = NO_TRADES

    def tick(self, now: int, cause: Message) -> Tick:
        """The market as it stands, at the times of the message that changed it."""
        whole, book = self.sync.whole, self.sync.book
        return Tick(
            symbol=self.instrument.symbol,
            transact_time=cause.transact_time,
            received=cause.received,
            now=now,
            update_id=self.sync.update_id if whole else 0,
            bids=tuple(heapq.nlargest(self.levels, book.bids.items())) if whole else (),
            asks=tuple(heapq.nsmallest(self.levels, book.asks.items())) if whole else (),
            mark_price_e8=self.mark.mark_price_e8 if self.mark else 0,
            trades=self._trades,
        )

    def _on_depth(self, now: int, event: DepthUpdate) -> bool:
        was_whole = self.sync.whole
        verdict = self.sync.depth(event)
        self.gaps += verdict == GAP
        if not self.sync.whole and now - self._asked >= ASK_AGAIN_NS:
            self._asked = now
            self._out.send(Command(symbol=self.instrument.symbol, now=now, verb="snapshot"))
        return was_whole

    def _on_snapshot(self, now: int, message: MarketDataSnapshot) -> bool:
        return self.sync.snapshot(message)

    def _on_trade(self, now: int, trade: Trade) -> bool:
        bought, qty, price = trade.side == BUY, trade.qty, trade.price
        sides = (qty, 0) if bought else (0, qty)
        reach = (price, 0) if bought else (0, price)
        self._trades = fold(self._trades, (1, *sides, price * qty, price, price, price, *reach))
        return True

    def _on_mark(self, now: int, message: MarkPrice) -> bool:
        before, self.mark = self.mark, message
        if before is not None and 0 < before.next_funding_time < message.next_funding_time:
            self._out.send(
                Funding(
                    symbol=self.instrument.symbol,
                    transact_time=before.next_funding_time,
                    received=message.received,
                    now=now,
                    funding_rate_e8=before.funding_rate_e8,
                    mark_price_e8=(message if message.transact_time <= before.next_funding_time else before).mark_price_e8,
                )
            )
        return True
