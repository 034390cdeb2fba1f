"""A live market as rows for the paper venue's matching: what a normalizer reads, without ticks.

Rows of levels at less than half or more than twice the market's price are left out: no order of ours fills there, and the arrays
by price would reach from nothing to everything.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.book import Sync
from core.instrument import Instrument
from core.kernel import feed as f
from core.kernel.layout import ASK, BID, BUY, CLEAR, SELL
from core.ladder import Ladder
from core.message import Command, Levels, Message
from core.normalizer import Normalizer
from core.openday import Rows
from core.price import BUY as BUYS

TICK_MAX = (1 << 31) - 1
"""Rows have 32 bits for a price."""

Piece = tuple[int, NDArray[np.int64]]
"""A kind of row, and (tick, lots) of each."""
_EMPTY = np.zeros((1, 2), np.int64)


class _RowLadder(Ladder):
    """A book that keeps what was done to it, until it is taken."""

    def __init__(self, instrument: Instrument, linked: bool) -> None:
        self.pieces: list[Piece] = []
        self._anew = False
        super().__init__(instrument, linked, 1)

    def take(self, frame: bytes) -> int:
        """As the ladder's."""
        verdict = super().take(frame)
        if verdict == f.APPLIED:
            self._note()
        return verdict

    def apply(self, bids: Levels, asks: Levels) -> None:  # type: ignore[override]
        """As the ladder's. The first levels after a loss replace the book: until they come the old one stands."""
        super().apply(bids, asks)
        if self._anew:
            self.pieces.append((CLEAR, _EMPTY))
            self._anew = False
        self._note()

    def clear(self) -> None:
        """As the ladder's."""
        super().clear()
        self._anew = True

    def _note(self) -> None:
        bids, asks = self.words[f.BIDS], self.words[f.ASKS]
        for kind, start, stop in ((BID, 0, bids), (ASK, bids, bids + asks)):
            if stop > start:
                self.pieces.append((kind, self._read[start:stop].copy()))


class PaperMarket(Normalizer):
    """Reads the market of one instrument; `rows` gives what came of it."""

    def __init__(self, instrument: Instrument) -> None:
        super().__init__(instrument, 1)
        self._ladder = _RowLadder(instrument, self.sync.linked)
        self.book = self._ladder
        self.sync = Sync(self.sync.linked, self.book)
        self.priced = False
        """Whether there has ever been a book with two sides."""
        self._low = self._high = 0
        self.bind(self)

    def bind_source(self, submit: Callable[[int, Message], None], now: Callable[[], int]) -> None:
        """Receive whom to ask for snapshots."""
        self._submit, self._now = submit, now

    def send(self, message: Message) -> None:
        """As its own outbox: only the wish for a snapshot leaves."""
        if type(message) is Command:
            self._submit(self._now(), message)

    def wake(self, at: int, key: str = "") -> None:
        """Nothing here waits."""

    def record(self, entry: Message) -> None:
        """Nothing here is written."""

    def _traded(self, now: int, at: int, received: int, trade_id: int, side: int, price: int, qty: int) -> None:
        if self._fresh(trade_id):
            self._ladder.pieces.append((BUY if side == BUYS else SELL, np.array([[price, qty]], np.int64)))

    def rows(self, ns: int) -> Rows | None:
        """What happened since the last call, at one time."""
        pieces, book = self._ladder.pieces, self.book
        if book.bids and book.asks:
            self.priced = True
            self._low, self._high = book.bids[0][0] // 2, book.asks[0][0] * 2
        if not pieces or not self.priced:
            return None
        self._ladder.pieces = []
        kinds = np.repeat(np.array([kind for kind, _ in pieces], np.uint8), [len(levels) for _, levels in pieces])
        levels = np.concatenate([levels for _, levels in pieces]) if len(pieces) > 1 else pieces[0][1]
        near = (levels[:, 0] >= self._low) & (levels[:, 0] <= min(self._high, TICK_MAX))
        if not near.all():
            near |= kinds == CLEAR
            kinds, levels = kinds[near], levels[near]
        return Rows(np.full(len(kinds), ns, np.int64), kinds, levels[:, 0].astype(np.int32), levels[:, 1].copy())
