"""An order book in ticks and lots, and the venue's procedure for keeping one: snapshot, buffer, sequence.

The procedure, as the venue documents it, with events numbered U (first update) to u (last):

1. Without a book, every event is buffered.
2. A snapshot says it contains all updates up to its id L. Buffered events with u < L are dropped; the first one left must
   straddle L, and it and those after it are applied on top of the snapshot. A snapshot older than the whole buffer is
   of no use: a newer one must be fetched.
3. From then on each event must continue the one before. USDⓈ-M: its `pu` is the previous `u`. Spot: its U is the previous
   u + 1. Anything else is a gap: the book is lost, and the event is the first of a new buffer.

Two decisions of ours. An event whose u is not beyond the book's is a repetition, contained already, and changes nothing.
A USDⓈ-M event with pu <= L < U counts as straddling too: ids are shared by all symbols, so nothing of this one lies between.
A snapshot that arrives while the book is whole is not needed and not applied: the book knows more levels than it.

`core.kernel.sync` says the same for arrays of a whole day; a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Generic, Protocol, TypeVar

from core.message import DepthUpdate, Levels, MarketDataSnapshot

APART: Final = 0
"""The event is outside any known book: buffered in vain, or older than the snapshot that ended the buffer."""
APPLIED: Final = 1
REPEATED: Final = 2
GAP: Final = 3
"""The event does not continue the one before; a book is lost here, and the event is the first of a new buffer."""


class Levelled(Protocol):
    """What the procedure needs of a book."""

    def clear(self) -> None:
        """Forget every level."""

    def apply(self, bids: Levels, asks: Levels) -> None:
        """Set absolute quantities; 0 removes a level."""


class Book:
    """Price levels of one instrument: price in ticks to quantity in lots, a side each."""

    def __init__(self, bids: Iterable[tuple[int, int]] = (), asks: Iterable[tuple[int, int]] = ()) -> None:
        self.bids: dict[int, int] = dict(bids)
        self.asks: dict[int, int] = dict(asks)

    def clear(self) -> None:
        """Forget every level."""
        self.bids.clear()
        self.asks.clear()

    def apply(self, bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]]) -> None:
        """Set absolute quantities; 0 removes a level, and removing an unknown level is normal."""
        for levels, side in ((bids, self.bids), (asks, self.asks)):
            for price, qty in levels:
                if qty:
                    side[price] = qty
                else:
                    side.pop(price, None)

    def best_bids(self, count: int | None = None) -> Levels:
        """The highest bids, best first."""
        return tuple(sorted(self.bids.items(), reverse=True)[:count])

    def best_asks(self, count: int | None = None) -> Levels:
        """The lowest asks, best first."""
        return tuple(sorted(self.asks.items())[:count])

    @property
    def crossed(self) -> bool:
        """Whether the best bid reaches the best ask: never true of a book that was kept by the rules."""
        return bool(self.bids) and bool(self.asks) and max(self.bids) >= min(self.asks)


B = TypeVar("B", bound=Levelled)


class Sync(Generic[B]):
    """The procedure around one book. `linked`: events carry `pu` (USDⓈ-M); else U counts on from u (spot).

    With an `update_id` the book is whole, and includes that update.
    """

    def __init__(self, linked: bool, book: B, update_id: int = -1) -> None:
        self.linked = linked
        self.book = book
        self.update_id = update_id
        self.whole = update_id >= 0
        self._straddled = self.whole
        self._buffer: list[DepthUpdate] = []

    def snapshot(self, message: MarketDataSnapshot) -> bool:
        """Start from a snapshot and what was buffered. False: it was not needed, or is older than the buffer."""
        if self.whole:
            return False
        rest = [event for event in self._buffer if event.last_update_id >= message.last_update_id]
        if rest and not self._straddles(rest[0], message.last_update_id):
            return False
        self.book.clear()
        self.book.apply(message.bids, message.asks)
        self.update_id, self.whole, self._straddled = message.last_update_id, True, False
        self._buffer = []
        for event in rest:
            self.depth(event)
        return True

    def depth(self, event: DepthUpdate) -> int:
        """Take one event; says whether it was APPLIED, REPEATED, kept APART in the buffer, or opened a GAP."""
        if not self.whole:
            gap = bool(self._buffer) and not self._continues(event, self._buffer[-1].last_update_id)
            if gap:
                self._buffer.clear()
            self._buffer.append(event)
            return GAP if gap else APART
        if not self._straddled:
            if event.last_update_id < self.update_id:
                return REPEATED
            if not self._straddles(event, self.update_id):
                return self._lost(event)
            self._straddled = True
        elif not self._continues(event, self.update_id):
            return REPEATED if event.last_update_id <= self.update_id else self._lost(event)
        self.book.apply(event.bids, event.asks)
        self.update_id = event.last_update_id
        return APPLIED

    @property
    def settled(self) -> bool:
        """Whether all that is asked of the next event is that it continues the one before."""
        return self.whole and self._straddled

    def lose(self) -> None:
        """Forget the book, for instance because the connection broke."""
        self.whole = False
        self.book.clear()
        self._buffer = []

    def _lost(self, event: DepthUpdate) -> int:
        self.lose()
        self._buffer.append(event)
        return GAP

    def _continues(self, event: DepthUpdate, update_id: int) -> bool:
        return (event.prev_update_id == update_id) if self.linked else (event.first_update_id == update_id + 1)

    def _straddles(self, event: DepthUpdate, update_id: int) -> bool:
        before = min(event.first_update_id, event.prev_update_id) if self.linked else event.first_update_id - 1
        return before <= update_id <= event.last_update_id
