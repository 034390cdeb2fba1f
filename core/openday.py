"""A replay whose day is not over: rows are appended while it runs, and those that everybody has seen are let go.

It is the replay kernel's exchange side, for a market that is happening now: what a paper account's orders meet. Fed in whatever
pieces, it answers as a `Replay` of the whole day does, and a test holds the two equal. Its local side stays empty: who watches
the market does it elsewhere.

Nobody knows the day's prices beforehand, so the arrays by price are laid wider when a row lies outside. Orders that hung outside
of the old prices are hung where they belong then; they have seen no row at their price, or it would not have been outside.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.kernel import state as w
from core.kernel.layout import ASK, BID, CLEAR, SELL
from core.kernel.replay import RANGE_MAX, Latency, Queue, Replay
from core.kernel.terms import Array

ROOM: Final = 1 << 12
"""Rows kept at first; a busy instrument has some thousand a second."""
MARGIN: Final = 1 << 10
"""Ticks beyond what was asked for, when the arrays by price are laid."""
_NOTHING: Final = np.zeros((0, 2), np.int64)
_PAD: Final = 65


class Rows(NamedTuple):
    """Rows of a stream, as `core.kernel.terms.Columns`."""

    ns: NDArray[np.int64]
    kind: NDArray[np.uint8]
    tick: NDArray[np.int32]
    lots: NDArray[np.int64]

    @classmethod
    def empty(cls, count: int) -> Rows:
        """So many rows of nothing."""
        return cls(np.zeros(count, np.int64), np.zeros(count, np.uint8), np.zeros(count, np.int32), np.zeros(count, np.int64))


class OpenDay(Replay):
    """One instrument's day as it comes. Arguments as a Replay's; `room`: rows for which there is memory at first.

    `margin`: ticks beyond the prices known that the arrays are laid for.
    """

    def __init__(
        self,
        lot_size: float,
        queue: Queue = Queue(),  # noqa: B008
        latency: Latency = Latency(),  # noqa: B008
        partial_fills: bool = False,
        orders: int = 1024,
        start_ns: int = 0,
        room: int = ROOM,
        margin: int = MARGIN,
    ) -> None:
        none = Rows.empty(0)
        super().__init__(none, none, _NOTHING, _NOTHING, lot_size, queue, latency, partial_fills, orders, start_ns)
        self._count = 0
        self._margin = margin
        self._priced = False
        self._levels: list[Array] = []
        self._own = [np.zeros(3, np.int32) for _ in range(2)]
        for side in range(2):  # until there is a price, all orders hang outside of the only one, 0
            self._words[w.OWN_AT + side] = int(self._own[side].ctypes.data) + 4
        self._low = self._high = 0
        self._keep(Rows.empty(room))

    @classmethod
    def warm(cls) -> None:
        """Compile everything, by a day of a few rows: seconds the first time on a machine, then next to nothing."""
        day = cls(1.0)
        both = np.array([BID, ASK], np.uint8)
        for ns in range(1, 7):
            day.append(Rows(np.full(2, ns), both, np.array([10, 12], np.int32), np.full(2, 5)))
            day.new(ns, ns, 1 + ns % 2, 10 + 2 * (ns % 2), 1, tif="5")
            day.advance(ns)
            day.responses()
        day.append(Rows(np.array([7]), np.array([SELL], np.uint8), np.array([9], np.int32), np.array([9])))
        day.modify(7, 1, 13, 1, total=True)
        day.cancel(7, 3)
        day.advance(8)
        day.responses()
        day.best_exch()

    @property
    def rows_kept(self) -> int:
        """Rows for which there is memory now."""
        return len(self._rows.ns)

    @property
    def last_ns(self) -> int:
        """The time of the last row that is kept; 0 without one."""
        return int(self._rows.ns[self._count - 1]) if self._count else 0

    def append(self, rows: Rows) -> None:
        """More rows of the exchange, sorted by time, none before those appended and none before the time reached.

        Raises ValueError for rows out of order, and for a price further than RANGE_MAX ticks from the others.
        """
        more = len(rows.ns)
        if not more:
            return
        if int(rows.ns[0]) < max(self.last_ns, self.now) or bool(np.any(np.diff(rows.ns) < 0)):
            raise ValueError("rows that are earlier than what was there, or than the time reached")
        priced = rows.tick[rows.kind != CLEAR]
        if len(priced):
            self._reach(int(priced.min()), int(priced.max()))
        if self._count + more > self.rows_kept:
            self._make_room(more)
        copied = slice(self._count, self._count + more)
        kept = self._rows
        kept.ns[copied], kept.kind[copied], kept.tick[copied], kept.lots[copied] = rows
        self._set_count(self._count + more)

    # --- rows

    def _make_room(self, more: int) -> None:
        """Let go of rows that have been applied; where that gives too little, take twice the memory."""
        self.best_exch()  # a side that waits, because nobody would hear of it, is brought to now
        gone = self._words[w.EXCH_ROWS + w.UPCOMING]
        left = self._count - gone
        rows = self._rows
        if left + more > self.rows_kept // 2:
            rows = Rows.empty(max(2 * self.rows_kept, 2 * (left + more)))
        ns, kind, tick, lots = (column[gone : self._count].copy() for column in self._rows)
        rows.ns[:left], rows.kind[:left], rows.tick[:left], rows.lots[:left] = ns, kind, tick, lots
        self._words[w.EXCH_ROWS + w.UPCOMING] = 0
        self._count = left
        self._keep(rows)

    def _keep(self, rows: Rows) -> None:
        self._rows = rows
        words = self._words
        columns: tuple[Array, ...] = rows
        for word, column in zip((w.NS, w.KIND, w.TICK, w.LOTS), columns, strict=True):
            words[w.EXCH_ROWS + word] = int(column.ctypes.data)
        words[w.LOTS_WIDE] = 1
        self._set_count(self._count)

    def _set_count(self, count: int) -> None:
        self._count = count
        self._words[w.EXCH_ROWS + w.COUNT] = count
        self._exch_ns = self._rows.ns[:count]

    # --- prices

    def _reach(self, low: int, high: int) -> None:
        """See to it that the arrays by price reach from `low` to `high`."""
        if self._priced and self._low <= low and high <= self._high:
            return
        if self._priced:
            low, high = min(low, self._low), max(high, self._high)
        if high - low > RANGE_MAX:
            raise ValueError(f"prices from {low} to {high} ticks: more than {RANGE_MAX} ticks apart")
        margin = max(self._margin, (high - low) // 4)
        self._lay(low - margin, high + margin)

    def _lay(self, low: int, high: int) -> None:
        words = self._words
        size = high - low + 3
        hanging = [self._outside(side) for side in range(2)]
        levels, own = self._levels, self._own
        self._levels = [np.zeros(size + _PAD - 1, np.int64) for _ in range(2)]
        self._own = [np.zeros(size, np.int32) for _ in range(2)]
        for side, (first, last) in enumerate(((low, high), (-high, -low))):
            if self._priced:
                before = words[w.RANK_LOW + side]
                shift = before - first
                self._levels[side][shift + _PAD : shift + len(levels[side])] = levels[side][_PAD:]
                self._own[side][shift : shift + len(own[side])] = own[side]
            words[w.RANK_LOW + side], words[w.RANK_HIGH + side] = first, last
            words[w.EXCH_BOOK + w.LEVELS_AT + side] = int(self._levels[side].ctypes.data) - 8 * (first - _PAD)
            words[w.OWN_AT + side] = int(self._own[side].ctypes.data) - 4 * (first - 1)
        self._low, self._high, self._priced = low, high, True
        for side in range(2):
            self._hang(side, hanging[side])

    def _outside(self, side: int) -> list[int]:
        """Take down the orders that hang outside of the prices, best first and in their order; the slots of those."""
        slots, own, found = self._arrays._slot_rows, self._own[side], []
        for place in (len(own) - 1, 0):
            slot = int(own[place]) - 1
            own[place] = 0
            while slot >= 0:
                found.append(slot)
                slot = int(slots[slot, w.NEXT])
        return found

    def _hang(self, side: int, taken: list[int]) -> None:
        words, slots, own = self._words, self._arrays._slot_rows, self._own[side]
        first, last = words[w.RANK_LOW + side], words[w.RANK_HIGH + side]
        ends: dict[int, int] = {}
        for slot in taken:
            price = int(slots[slot, w.PRICE])
            rank = max(min(-price if side == w.ASK_SIDE else price, last + 1), first - 1)
            slots[slot, w.RANK], slots[slot, w.NEXT] = rank, -1
            if rank in ends:
                slots[ends[rank], w.NEXT] = slot
            else:
                own[rank - first + 1] = slot + 1
            ends[rank] = slot
        place = np.flatnonzero(own)
        words[w.OWN_BEST + side] = int(place[-1]) + first - 1 if len(place) else w.NOWHERE
        words[w.OWN_WORST + side] = int(place[0]) + first - 1 if len(place) else w.FOREVER
