"""An instrument's normalizer: what the venue says, kept as a book, handed on as ticks.

Depth events and snapshots go through the documented procedure (`core.book`); a trade is a tick of its own; a mark price is
carried in every tick and sent on, and when its next funding time moves on, the settlement that it passed is a message too. A
tick carries the best levels of the whole book, so a mailbox may replace it by the next and lose nothing. While there is no book
its sides are empty: no strategy ever sees levels that are known to be old.

A gap asks for a snapshot (a Command "snapshot" to whoever can fetch one), again after a while in which none of use came. The
Commands "lost" and "connected" tell that the stream broke and runs again: a broken stream has no book from that moment.

There are two ways in. A live host hands over frames as they came (`on_frame`): nearly all are read, applied and shown by one
compiled call (`core.kernel.feed`). A message (`on`) is what a frame means to `core.dialect.binance.words`, and odd frames take
that road. Both lead to the same book and the same ticks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec.structs import replace

from core.book import GAP, Sync
from core.codec import WireError
from core.dialect.binance.market import market_message
from core.dialect.binance.words import RULES, Aside, WrongShape, parse_frame
from core.instrument import Instrument
from core.kernel import feed as k
from core.ladder import Ladder
from core.message import (
    NO_TRADES,
    Command,
    DepthUpdate,
    Funding,
    MarketDataSnapshot,
    MarkPrice,
    Message,
    Tick,
    Timer,
    Trade,
    Trades,
)
from core.node import Outbox
from core.openbar import OpenBar
from core.price import BUY, SELL

LEVELS: Final = 20
"""Levels a side in a tick: what the venue's own partial streams give at most."""
REPEATS_MAX: Final = 100_000
"""Trades that may come twice: those of the two seconds in which two connections run together, and far more."""
BAR: Final = "bar"
"""The key of the wake at which a bar closes that no later trade has closed."""
ASK_AGAIN_NS: Final = 5_000_000_000
"""A snapshot weighs 20 of 2,400 a minute: asking every five seconds is a tenth of that."""


class Normalizer:
    """The node. Takes an instrument's market, sends a Tick after each thing that changes what a strategy may see.

    A tick has `levels` levels a side. `periods` (ns): bars that are made of the trades, each sent when it closes.
    """

    def __init__(self, instrument: Instrument, levels: int = LEVELS, periods: Iterable[int] = ()) -> None:
        self.name = f"normalizer:{instrument.symbol}"
        self.instrument = instrument
        linked = RULES[instrument.key.venue].prev_id_linked
        self.book = Ladder(instrument, linked, levels)
        self.sync = Sync(linked, self.book)
        self.mark: MarkPrice | None = None
        self.gaps = 0
        self.odd = 0
        """Frames that were left to the dialect; and of those, what was damaged, and what was sound but of no use here."""
        self.damaged = 0
        self.aside = 0
        self._symbol = instrument.symbol
        self._mark_e8 = 0
        self._trade_id = -1
        self._asked = -ASK_AGAIN_NS
        self._bars = [OpenBar(instrument.symbol, period) for period in periods]
        self._takes: dict[type[Message], Callable[[int, Any], None]] = {
            DepthUpdate: self._on_depth,
            MarketDataSnapshot: self._on_snapshot,
            Trade: self._on_trade,
            MarkPrice: self._on_mark,
            Command: self._on_command,
            Timer: self._on_timer,
        }

    def bind(self, outbox: Outbox) -> None:
        """Receive the outbox."""
        self._out = outbox

    def on(self, now: int, message: Message) -> None:
        """Take one market message, or word of the stream; others are not for this node and change nothing."""
        take = self._takes.get(type(message))
        if take is not None:
            take(now, message)

    def on_frame(self, now: int, received: int, frame: bytes) -> None:
        """Take one frame as the venue sent it, or the body of its answer to a request for a snapshot. `received`: ns UTC.

        Raises WireError for what is damaged, which changes nothing: where it was a depth event, the next one shows a gap. Raises
        GridError when a price or quantity is off the grid: the instrument is not the one that this node was made for.
        """
        verdict = self.book.take(frame)
        if verdict == k.APPLIED:
            book = self.book
            words = book.words
            self.sync.update_id = update_id = words[k.ID]
            at = words[k.T] or words[k.E]
            self._out.send(Tick(self._symbol, at, received, now, update_id, book.bids, book.asks, self._mark_e8))
        elif verdict == k.TRADED:
            self._on_print(now, received)
        elif verdict == k.MARKED:
            self._on_mark(now, self._message(MarkPrice, received, k.MARK_E8, k.INDEX_E8, k.RATE_E8, k.NEXT_NS))
        elif verdict == k.APART:
            event = self._message(DepthUpdate, received, k.FIRST_ID, k.ID, k.PREV_ID)
            event.bids, event.asks = self.book.read()
            self._on_depth(now, event)
        elif verdict == k.WHOLE_BOOK:
            snapshot = self._message(MarketDataSnapshot, received, k.ID)
            snapshot.bids, snapshot.asks = self.book.read()
            self._on_snapshot(now, snapshot)
        else:
            self._on_odd(now, received, frame)

    def _message(self, kind: Callable[..., Any], received: int, *fields: int) -> Any:
        words = self.book.words
        return kind(self._symbol, words[k.T] or words[k.E], received, 0, *(words[field] for field in fields))

    def _on_odd(self, now: int, received: int, frame: bytes) -> None:
        self.odd += 1
        try:
            parsed = parse_frame(received, frame)
        except WrongShape as error:
            self.damaged += 1
            raise WireError(str(error)) from error
        message = None if isinstance(parsed, Aside) else market_message(parsed, self.instrument)
        if message is None:
            self.aside += 1
        else:
            self.on(now, message)

    # --- what a message does

    def tick(self, now: int, transact_time: int, received: int, trades: Trades = NO_TRADES) -> Tick:
        """The market as it stands, at the times of what changed it."""
        whole, book = self.sync.whole, self.book
        return Tick(
            self._symbol,
            transact_time,
            received,
            now,
            self.sync.update_id if whole else 0,
            book.bids if whole else (),
            book.asks if whole else (),
            self._mark_e8,
            trades,
        )

    def _told(self, now: int, cause: Message, trades: Trades = NO_TRADES) -> None:
        self._out.send(self.tick(now, cause.transact_time, cause.received, trades))

    def _on_depth(self, now: int, event: DepthUpdate) -> None:
        sync = self.sync
        was_whole = sync.whole
        self.gaps += sync.depth(event) == GAP
        self._follow()
        if not sync.whole and now - self._asked >= ASK_AGAIN_NS:
            self._asked = now
            self._out.send(Command(symbol=self._symbol, now=now, verb="snapshot"))
        if was_whole:
            self._told(now, event)

    def _on_snapshot(self, now: int, message: MarketDataSnapshot) -> None:
        if self.sync.snapshot(message):
            self._follow()
            self._told(now, message)

    def _follow(self) -> None:
        """Tell the frames' reader which event simply continues the book, if there is one."""
        self.book.words[k.AFTER] = self.sync.update_id if self.sync.settled else k.UNSETTLED

    def _on_print(self, now: int, received: int) -> None:
        words = self.book.words
        side = SELL if words[k.MAKER] else BUY
        self._traded(now, words[k.T], received, words[k.ID], side, words[k.PRICE], words[k.QTY])

    def _on_trade(self, now: int, trade: Trade) -> None:
        self._traded(now, trade.transact_time, trade.received, trade.trade_id, trade.side, trade.price, trade.qty)

    def _traded(self, now: int, at: int, received: int, trade_id: int, side: int, price: int, qty: int) -> None:
        """A trade is a tick of its own. One seen before is none: two connections may say the same while one takes over."""
        if not self._fresh(trade_id):
            return
        if side == BUY:
            trades = (1, qty, 0, price * qty, price, price, price, price, 0)
        else:
            trades = (1, 0, qty, price * qty, price, price, price, 0, price)
        for bar in self._bars:
            self._count_in(bar, now, at, price, qty)
        self._out.send(self.tick(now, at, received, trades))

    def _fresh(self, trade_id: int) -> bool:
        """Whether a trade is not one seen before. Numbers that are lower by far are those of a venue that counts anew."""
        if self._trade_id - REPEATS_MAX < trade_id <= self._trade_id:
            return False
        self._trade_id = trade_id
        return True

    def _count_in(self, bar: OpenBar, now: int, at: int, price: int, qty: int) -> None:
        due = bar.due
        closed = bar.trade(now, at, price, qty)
        if closed is not None:
            self._out.send(closed)
        if bar.due not in (due, 0):
            self._out.wake(bar.due, BAR)

    def _on_timer(self, now: int, timer: Timer) -> None:
        if timer.key == BAR:
            for bar in self._bars:
                closed = bar.elapse(now)
                if closed is not None:
                    self._out.send(closed)

    def _on_mark(self, now: int, message: MarkPrice) -> None:
        before, self.mark = self.mark, message
        self._mark_e8 = message.mark_price_e8
        if before is not None and 0 < before.next_funding_time < message.next_funding_time:
            settled = before.next_funding_time
            price = message if message.transact_time <= settled else before
            rate, mark_e8 = before.funding_rate_e8, price.mark_price_e8
            self._out.send(Funding(self._symbol, settled, message.received, now, rate, mark_e8))
        self._out.send(replace(message, now=now))
        self._told(now, message)

    def _on_command(self, now: int, command: Command) -> None:
        """The stream's own words: "lost" when it broke or fell silent, "connected" when it runs again."""
        if command.verb not in ("lost", "connected"):
            return
        self._asked = now - ASK_AGAIN_NS
        if command.verb == "lost":
            was_whole = self.sync.whole
            self._trade_id = -1
            self.sync.lose()
            self._follow()
            if was_whole:
                self._out.send(self.tick(now, command.transact_time or now, command.received or now))
