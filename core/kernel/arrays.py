"""The arrays of one replay, and the state that holds their addresses.

Everything is allocated here, before the first row. The price range is known from the day's rows; the pages of a book that no
row touches are never mapped. Only slots grow, when a host sends more orders than it said, between two calls.
"""

from __future__ import annotations

import numpy as np

from core.kernel import state as w
from core.kernel.book import apply_rows
from core.kernel.layout import ASK, BID, CLEAR
from core.kernel.level import open_chapter
from core.kernel.memory import compiled, i32, put_i64, u8
from core.kernel.terms import QUEUES, Array, Columns, DayIndex, Latency, Queue

RANGE_MAX = 64 << 20
"""Ticks between the lowest and the highest price of a day: six arrays of that length must fit a worker's address space."""
_STREAM_TYPES = (("ns", np.int64), ("kind", np.uint8), ("tick", np.int32))


@compiled
def _price_range(kinds: int, ticks: int, count: int, out: int) -> None:
    low, high = 1 << 62, -(1 << 62)
    for k in range(count):
        tick = i32(ticks, k)
        if u8(kinds, k) != CLEAR:
            low = min(low, tick)
            high = max(high, tick)
    put_i64(out, 0, low)
    put_i64(out, 1, high)


def _longer(array: Array, more: int) -> Array:
    return np.concatenate([array, np.zeros((more, *array.shape[1:]), array.dtype)])


class Arrays:
    """Owns what the state's addresses point to. `at` is the state's own address: what the compiled functions take.

    Raises ValueError for a day whose prices lie further apart than RANGE_MAX ticks, and for columns of wrong types.
    """

    def __init__(
        self, exch: Columns, local: Columns, bids: Array, asks: Array, lot_size: float, index: DayIndex | None = None
    ) -> None:
        self.state = np.zeros(w.STATE_WORDS, np.int64)
        self.at = self.state.ctypes.data
        self.words = memoryview(self.state)  # type: ignore[arg-type]
        self._doubles = self.state.view(np.float64)
        self._kept: list[Array] = []
        self.exch_ns = self._load_stream(w.EXCH_ROWS, exch)
        self.local_ns = memoryview(self._load_stream(w.LOCAL_ROWS, local))  # type: ignore[arg-type]
        if exch.lots.dtype != local.lots.dtype:
            raise ValueError("the two streams' lots differ in type")
        self.words[w.LOTS_WIDE] = int(exch.lots.dtype == np.int64)
        bids, asks = np.asarray(bids, np.int64).reshape(-1, 2), np.asarray(asks, np.int64).reshape(-1, 2)
        low, high = self._range(bids, asks) if index is None else (int(index.lowest[0]), -int(index.lowest[1]))
        self._load_books(low, high, bids, asks)
        if index is not None:
            self._load_index(index)
        per_unit = round(1.0 / lot_size)
        self._doubles[w.LOT_SIZE] = lot_size
        self._doubles[w.LOTS_PER_UNIT] = per_unit if per_unit >= 1 and abs(per_unit * lot_size - 1.0) < 1e-9 else 0.0
        firsts = [int(stream.ns[0]) for stream in (exch, local) if len(stream.ns)]
        self.words[w.NOW] = min(firsts, default=0)

    def load_queue(self, queue: Queue) -> None:
        """Choose the queue model."""
        self.words[w.QUEUE_KIND] = QUEUES[queue.kind]
        self._doubles[w.QUEUE_POWER] = queue.power

    def load_fills(self, most: int) -> None:
        """Keep a log of at most so many fills."""
        self.fills: Array = np.zeros((most, w.FILL_WORDS), np.int64)
        self.words[w.FILLS_AT] = self._keep(self.fills)
        self.words[w.FILLS_SIZE] = most

    def _keep(self, array: Array) -> int:
        self._kept.append(array)
        return int(array.ctypes.data)

    def _load_stream(self, stream: int, columns: Columns) -> Array:
        count = len(columns.ns)
        for word, (name, dtype) in enumerate(_STREAM_TYPES):
            column = getattr(columns, name)
            if column.dtype != dtype or len(column) != count:
                raise ValueError(f"column {name} must be {np.dtype(dtype)} of length {count}")
            self.words[stream + word] = self._keep(np.ascontiguousarray(column))
        if columns.lots.dtype not in (np.int32, np.int64) or len(columns.lots) != count:
            raise ValueError(f"column lots must be int32 or int64 of length {count}")
        self.words[stream + w.LOTS] = self._keep(np.ascontiguousarray(columns.lots))
        self.words[stream + w.COUNT] = count
        return self._kept[-4]

    def _load_books(self, low: int, high: int, bids: Array, asks: Array) -> None:
        size = high - low + 3
        for side, (first, last) in enumerate(((low, high), (-high, -low))):
            self.words[w.RANK_LOW + side] = first
            self.words[w.RANK_HIGH + side] = last
            for book in (w.EXCH_BOOK, w.LOCAL_BOOK):
                self.words[book + w.LEVELS_AT + side] = self._keep(np.zeros(size + 64, np.int64)) - 8 * (first - 65)
                self.words[book + w.BEST + side] = w.NOWHERE
                self.words[book + w.WORST + side] = w.FOREVER
            self.words[w.OWN_AT + side] = self._keep(np.zeros(size, np.int32)) - 4 * (first - 1)
            self.words[w.OWN_BEST + side] = w.NOWHERE
            self.words[w.OWN_WORST + side] = w.FOREVER
        self._open(np.concatenate([bids, asks]), len(bids))

    def _open(self, levels: Array, bids: int) -> None:
        """Start both books from the opening levels, by the rules for rows: stale levels of a crossed book hide as they would."""
        kinds = np.full(len(levels), ASK, np.uint8)
        kinds[:bids] = BID
        opening: tuple[Array, ...] = (
            np.zeros(0, np.int64),
            kinds,
            levels[:, 0].astype(np.int32),
            np.ascontiguousarray(levels[:, 1]),
        )
        for word, column in enumerate(opening):
            self.words[w.OPENING_ROWS + word] = self._keep(column)
        self.words[w.OPENING_ROWS + w.COUNT] = len(levels)
        wide = self.words[w.LOTS_WIDE]
        self.words[w.LOTS_WIDE] = 1
        apply_rows(self.at, w.EXCH_BOOK, w.OPENING_ROWS, 0, len(levels))
        apply_rows(self.at, w.LOCAL_BOOK, w.OPENING_ROWS, 0, len(levels))
        self.words[w.LOTS_WIDE] = wide
        for side in range(2):
            self.words[w.OPENED + side] = self.words[w.LOCAL_BOOK + w.BEST + side]

    def _load_index(self, index: DayIndex) -> None:
        """Take the day's index; the memory of our own is where the chapter's lists are, and how far they were read."""
        words = self.words
        if len(index.exch_bests) != words[w.EXCH_ROWS + w.COUNT] or len(index.local_bests) != words[w.LOCAL_ROWS + w.COUNT]:
            raise ValueError("the index is not this day's: it has another number of rows")
        words[w.INDEXED] = 1
        words[w.CHAPTER_ROWS] = int(index.chapter_rows[0])
        for side in range(2):
            first = words[w.RANK_LOW + side]
            places = np.zeros(words[w.RANK_HIGH + side] - first + 3, np.int32)
            words[w.PLACE_AT + side] = self._keep(places) - 4 * (first - 1)
            touches, minima = (index.bid_touches, index.bid_minima) if side == 0 else (index.ask_touches, index.ask_minima)
            words[w.TOUCHES + side] = self._keep(touches)
            words[w.MINIMA + side] = self._keep(minima)
            words[w.TOUCH_COUNT + side] = len(touches)
        for word, column in (
            (w.CHAPTERS, index.chapters),
            (w.LEVELS_OF, index.levels),
            (w.LIST_STARTS, index.starts),
            (w.LIST_CURSORS, np.zeros(int(np.diff(index.chapters).max(initial=0)), np.int64)),
            (w.ENTRIES, index.entries),
            (w.EXCH_BESTS, index.exch_bests),
            (w.LOCAL_BESTS, index.local_bests),
        ):
            words[word] = self._keep(column)
        for word, count, column in (
            (w.WORSTS, w.WORST_COUNT, index.local_worsts),
            (w.TRADES, w.TRADE_COUNT, index.local_trades),
            (w.CLEARS, w.CLEAR_COUNT, index.local_clears),
        ):
            words[word] = self._keep(column)
            words[count] = len(column)
        if len(index.chapters) > 1:
            open_chapter(self.at)

    def _range(self, bids: Array, asks: Array) -> tuple[int, int]:
        """The lowest and highest price in ticks of anything in the day."""
        lows, highs = [], []
        out = np.zeros(2, np.int64)
        for stream in (w.EXCH_ROWS, w.LOCAL_ROWS):
            words = self.words
            _price_range(words[stream + w.KIND], words[stream + w.TICK], words[stream + w.COUNT], out.ctypes.data)
            lows.append(int(out[0]))
            highs.append(int(out[1]))
        for levels in (bids, asks):
            if len(levels):
                lows.append(int(levels[:, 0].min()))
                highs.append(int(levels[:, 0].max()))
        low, high = min(lows), max(highs)
        if low > high:
            return 0, 0
        if high - low > RANGE_MAX:
            raise ValueError(f"prices from {low} to {high} ticks: more than {RANGE_MAX} ticks apart")
        return low, high

    def load_latency(self, latency: Latency) -> None:
        """Choose the latency. Raises ValueError for a table without rows."""
        self.words[w.ENTRY_NS] = latency.entry_ns
        self.words[w.RESPONSE_NS] = latency.response_ns
        if latency.rows is not None:
            rows = np.ascontiguousarray(latency.rows, np.int64).reshape(-1, 3)
            if not len(rows):
                raise ValueError("a latency table needs a row")
            self.words[w.LATENCY_KIND] = w.INTERPOLATED
            self.words[w.LATENCY_AT] = self._keep(rows)
            self.words[w.LATENCY_ROWS] = len(rows)

    def load_orders(self, orders: int) -> None:
        """Slots for `orders` at once, and the rings of messages."""
        ring = 1 << max(12, (16 * orders - 1).bit_length())
        self._requests = np.zeros((ring, w.REQUEST_WORDS), np.int64)
        self.responses = np.zeros((ring, w.RESPONSE_WORDS), np.int64)
        self._slot_rows: Array = np.zeros((0, w.SLOT_WORDS), np.int64)
        self._resting: list[Array] = [np.zeros(0, np.int64), np.zeros(0, np.int64)]
        self.words[w.REQUESTS_AT] = self._requests.ctypes.data
        self.words[w.RESPONSES_AT] = self.responses.ctypes.data
        self.words[w.REQUESTS_MASK] = self.words[w.RESPONSES_MASK] = ring - 1
        self.words[w.REQUESTS_LAST] = self.words[w.RESPONSES_LAST] = -w.FOREVER
        self.add_slots(orders)

    def add_slots(self, more: int) -> None:
        """More slots, all of them free; only when none of the old ones is."""
        total = len(self._slot_rows) + more
        self._slot_rows = _longer(self._slot_rows, more)
        self._resting = [_longer(resting, more) for resting in self._resting]
        self._free = np.zeros(total, np.int64)
        self._free[:more] = np.arange(total - 1, total - more - 1, -1)
        self.words[w.SLOTS_AT] = self._slot_rows.ctypes.data
        self.words[w.SLOTS] = total
        self.words[w.FREE_AT] = self._free.ctypes.data
        self.words[w.FREE] = more
        for side in range(2):
            self.words[w.RESTING_AT + side] = self._resting[side].ctypes.data
