"""The normalizer written plainly, a dict a side and the best levels by a heap: what the compiled one means."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from core.book import GAP, Book, Sync
from core.codec import WireError
from core.dialect.binance.market import market_message
from core.dialect.binance.words import RULES, Parsed, WrongShape, parse_frame
from core.instrument import Instrument
from core.message import NO_TRADES, Command, DepthUpdate, Funding, MarketDataSnapshot, MarkPrice, Message, Tick, Trade
from core.node import Outbox
from core.price import BUY

LEVELS: Final = 20
"""Levels a side in a tick: what the venue's own partial streams give at most."""
REPEATS_MAX: Final = 100_000
ASK_AGAIN_NS: Final = 5_000_000_000
"""A snapshot weighs 20 of 2,400 a minute: asking every five seconds is a tenth of that."""


class PlainNormalizer:
    """The node. Takes market messages of one instrument, sends a Tick after each that changes what a strategy may see."""

    def __init__(self, instrument: Instrument, levels: int = LEVELS) -> None:
        self.name = f"normalizer:{instrument.symbol}"
        self.instrument = instrument
        self.levels = levels
        self.sync = Sync(RULES[instrument.key.venue].prev_id_linked, Book())
        self.mark: MarkPrice | None = None
        self.gaps = 0
        self._trades = NO_TRADES
        self._trade_id = -1
        self._asked = -ASK_AGAIN_NS
        self._takes: dict[type[Message], Callable[[int, Message], bool]] = {
            DepthUpdate: self._on_depth,  # type: ignore[dict-item]
            MarketDataSnapshot: self._on_snapshot,  # type: ignore[dict-item]
            Trade: self._on_trade,  # type: ignore[dict-item]
            MarkPrice: self._on_mark,  # type: ignore[dict-item]
            Command: self._on_command,  # type: ignore[dict-item]
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

    def on_frame(self, now: int, received: int, frame: bytes) -> None:
        """Take one frame; Raises WireError for what is damaged, GridError for what is off the grid."""
        try:
            parsed = parse_frame(received, frame)
        except WrongShape as error:
            raise WireError(str(error)) from error
        message = market_message(parsed, self.instrument) if isinstance(parsed, Parsed) else None
        if message is not None:
            self.on(now, message)

    def tick(self, now: int, cause: Message) -> Tick:
        """The market as it stands, at the times of the message that changed it."""
        whole, book = self.sync.whole, self.sync.book
        return Tick(
            symbol=self.instrument.symbol,
            transact_time=cause.transact_time or (now if isinstance(cause, Command) else 0),
            received=cause.received or (now if isinstance(cause, Command) else 0),
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
        if self._trade_id - REPEATS_MAX < trade.trade_id <= self._trade_id:
            return False
        self._trade_id = trade.trade_id
        bought, qty, price = trade.side == BUY, trade.qty, trade.price
        sides = (qty, 0) if bought else (0, qty)
        reach = (price, 0) if bought else (0, price)
        self._trades = (1, *sides, price * qty, price, price, price, *reach)
        return True

    def _on_command(self, now: int, command: Command) -> bool:
        if command.verb == "lost":
            was_whole = self.sync.whole
            self._asked = now - ASK_AGAIN_NS
            self._trade_id = -1
            self.sync.lose()
            return was_whole
        if command.verb == "connected":
            self._asked = now - ASK_AGAIN_NS
        return False

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
        self._out.send(
            MarkPrice(
                symbol=message.symbol,
                transact_time=message.transact_time,
                received=message.received,
                now=now,
                mark_price_e8=message.mark_price_e8,
                index_price_e8=message.index_price_e8,
                funding_rate_e8=message.funding_rate_e8,
                next_funding_time=message.next_funding_time,
            )
        )
        return True
