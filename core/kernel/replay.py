"""A day of one instrument replayed beside own orders: the face that the simulated graph uses.

A `Replay` holds the arrays that the compiled functions work on (state.py says what is where) and hands them requests and
times. It is exact for any sequence of times, so a host may move several of them in small steps. `advance` stops early
where a response arrives, for its receiver may want to act then; whoever sleeps just calls it again.

The compiled runs use the same functions without this class in between.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from core.kernel import state as w
from core.kernel.book import apply_rows, best_pair, read_levels
from core.kernel.layout import ASK, BID, CLEAR
from core.kernel.memory import compiled, i32, put_i64, u8
from core.kernel.request import read_responses, send, send_new
from core.kernel.timeline import advance, advance_exchange, catch_up, fold_trades, frames_seen

Array = NDArray[Any]
FOREVER = w.FOREVER
RANGE_MAX = 64 << 20
"""Ticks between the lowest and the highest price of a day: four arrays of that length must fit a worker's address space."""
DRAIN = 256


class Columns(Protocol):
    """A stream of rows: equally long arrays, sorted by `ns`."""

    @property
    def ns(self) -> Array: ...
    @property
    def kind(self) -> Array: ...
    @property
    def tick(self) -> Array: ...
    @property
    def lots(self) -> Array: ...


class Queue(NamedTuple):
    """A queue model by name (see queue.py), with the power n of those that have one."""

    kind: str = "risk"
    power: float = 1.0


class Latency(NamedTuple):
    """Constant entry and response latency in ns, or measured `rows` (k, 3) int64: sent, at exchange, answered."""

    entry_ns: int = 0
    response_ns: int = 0
    rows: Array | None = None


class Response(NamedTuple):
    """What the exchange said. `kind` is one of state.py's kinds of response; `side` is 1 for a buy, 2 for a sell, 0 unknown.

    For a fill, price and quantity are the execution's; else the order's own price and what was open of it.
    """

    arrival_ns: int
    exch_ns: int
    order_no: int
    kind: int
    side: int
    price_ticks: int
    qty_lots: int
    leaves_lots: int
    cum_lots: int
    maker: bool


class Trades(NamedTuple):
    """Trades folded, in the order and by the names of a Tick's fields; prices are 0 where there is none."""

    trade_count: int
    buy_qty: int
    sell_qty: int
    trade_notional: int
    trade_high: int
    trade_low: int
    trade_last: int
    buy_high: int
    sell_low: int


QUEUES = {
    "risk": w.RISK,
    "power": w.POWER,
    "power2": w.POWER2,
    "power3": w.POWER3,
    "log": w.LOG,
    "log2": w.LOG2,
    "front": w.FRONT_BOUND,
    "back": w.BACK_BOUND,
}
FAILURES = {
    w.REQUESTS_FULL: "too many requests in flight",
    w.RESPONSES_FULL: "too many responses in flight",
    w.FILLS_FULL: "the log of fills is full",
    w.SLOTS_FULL: "too many orders",
}
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


class Replay:
    """One instrument's day. `lot_size` is the size of a lot in units; `orders` how many may be known at once.

    Raises ValueError for a day whose prices lie further apart than RANGE_MAX ticks, and for columns of wrong types.
    """

    def __init__(
        self,
        exch: Columns,
        local: Columns,
        bids: Array,
        asks: Array,
        lot_size: float,
        queue: Queue = Queue(),  # noqa: B008
        latency: Latency = Latency(),  # noqa: B008
        partial_fills: bool = False,
        orders: int = 1024,
        start_ns: int | None = None,
        fills: int = 0,
    ) -> None:
        self._state = np.zeros(w.STATE_WORDS, np.int64)
        self._kept: list[Array] = []
        self.at = self._state.ctypes.data
        """The address of the state: what the compiled functions take."""
        self._words = memoryview(self._state)  # type: ignore[arg-type]
        self._out = np.zeros(4096, np.int64)
        self._out_at = self._out.ctypes.data
        self._slots: dict[int, int] = {}
        doubles = self._state.view(np.float64)
        self._load_stream(w.EXCH_ROWS, exch)
        self._load_stream(w.LOCAL_ROWS, local)
        if exch.lots.dtype != local.lots.dtype:
            raise ValueError("the two streams' lots differ in type")
        self._words[w.LOTS_WIDE] = int(exch.lots.dtype == np.int64)
        self._load_books(np.asarray(bids, np.int64).reshape(-1, 2), np.asarray(asks, np.int64).reshape(-1, 2))
        self._words[w.PARTIAL] = int(partial_fills)
        per_unit = round(1.0 / lot_size)
        doubles[w.LOT_SIZE] = lot_size
        doubles[w.LOTS_PER_UNIT] = per_unit if per_unit >= 1 and abs(per_unit * lot_size - 1.0) < 1e-9 else 0.0
        self._words[w.QUEUE_KIND] = QUEUES[queue.kind]
        doubles[w.QUEUE_POWER] = queue.power
        self._load_latency(latency)
        self._load_orders(orders)
        if fills:
            self._words[w.FILLS_AT] = self._keep(np.zeros((fills, w.FILL_WORDS), np.int64))
            self._words[w.FILLS_SIZE] = fills
        firsts = [int(stream.ns[0]) for stream in (exch, local) if len(stream.ns)]
        self._words[w.NOW] = start_ns if start_ns is not None else min(firsts, default=0)

    # --- the market -------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The time reached."""
        return self._words[w.NOW]

    def advance(self, until: int) -> int:
        """Take everything with time <= `until`, or up to the first response's arrival if that is earlier; returns the time."""
        reached = advance(self.at, until, True)
        if self._words[w.FAILURE]:
            self._fail()
        return reached

    def look(self, until: int) -> int:
        """Take the exchange's side alone to `until`, or to what leads to the first response; returns when that arrives.

        For hosts that run several replays in step. No request may leave later that arrives before `until`.
        """
        reached = advance_exchange(self.at, until, True)
        if self._words[w.FAILURE]:
            self._fail()
        return reached

    def next_feed(self) -> int:
        """When the next local row arrives; FOREVER when there is none."""
        row = self._words[w.LOCAL_ROWS + w.UPCOMING]
        return self._local_ns[row] if row < self._words[w.LOCAL_ROWS + w.COUNT] else FOREVER

    def best(self) -> tuple[int, int, int, int]:
        """Local best bid and ask as (bid tick, bid lots, ask tick, ask lots); tick 0 and lots 0 where a side is empty."""
        return best_pair(self.at, w.LOCAL_BOOK)

    def best_exch(self) -> tuple[int, int, int, int]:
        """The exchange's best bid and ask at the same time: what no strategy can know."""
        catch_up(self.at)
        return best_pair(self.at, w.EXCH_BOOK)

    def levels(self, count: int) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """The best `count` local levels of bids and asks as (tick, lots), best first."""
        if 4 * count > len(self._out):
            self._out = np.zeros(4 * count, np.int64)
            self._out_at = self._out.ctypes.data
        bids = read_levels(self.at, w.LOCAL_BOOK, w.BID_SIDE, count, self._out_at)
        asks = read_levels(self.at, w.LOCAL_BOOK, w.ASK_SIDE, count, self._out_at + 16 * bids)
        flat = self._out[: 2 * (bids + asks)].tolist()
        pairs = tuple(zip(flat[::2], flat[1::2], strict=True))
        return pairs[:bids], pairs[bids:]

    def take_trades(self) -> Trades:
        """Fold the trades among the local rows seen since the last take."""
        fold_trades(self.at, self._out_at)
        return Trades._make(self._out[:9].tolist())

    # --- orders -----------------------------------------------------------------------------------------------------------

    def new(
        self, now: int, order_no: int, side: int, price_ticks: int, qty_lots: int, ord_type: str = "2", tif: str = "1"
    ) -> None:
        """A new order leaves at `now`. `side` 1 buys, 2 sells; `ord_type` and `tif` as FIX writes them; `order_no` is fresh."""
        if self._words[w.FREE] == 0:
            self._add_slots(self._words[w.SLOTS])
        slot = send_new(self.at, now, order_no, side - 1, price_ticks, qty_lots, w.MARKET if ord_type == "1" else int(tif))
        self._slots[order_no] = slot

    def cancel(self, now: int, order_no: int) -> None:
        """A cancel leaves at `now`; the exchange refuses it for an order that is not there any more, or never was."""
        send(self.at, now, w.CANCEL, self._slots.get(order_no, -1), order_no, 0, 0)

    def modify(self, now: int, order_no: int, price_ticks: int, qty_lots: int, total: bool = False) -> None:
        """A change leaves at `now`. `qty_lots` is what is to be open after it; with `total` it counts what has been filled too."""
        kind = w.MODIFY_TOTAL if total else w.MODIFY
        send(self.at, now, kind, self._slots.get(order_no, -1), order_no, price_ticks, qty_lots)

    def next_response(self) -> int:
        """When the earliest response that is already under way arrives; FOREVER when none is."""
        head = self._words[w.RESPONSES_HEAD]
        if head == self._words[w.RESPONSES_TAIL]:
            return FOREVER
        return int(self._responses[head & self._words[w.RESPONSES_MASK], w.RES_ARRIVAL])

    @property
    def answered(self) -> bool:
        """Whether `responses` has something to give."""
        return self._words[w.RESPONSES_READ] != self._words[w.RESPONSES_HEAD]

    def responses(self) -> list[Response]:
        """The responses that have arrived by `now` and were not given yet, in order."""
        drained: list[Response] = []
        while self._words[w.RESPONSES_READ] != self._words[w.RESPONSES_HEAD]:
            n = read_responses(self.at, self._out_at, DRAIN)
            for row in self._out[: n * w.RESPONSE_WORDS].reshape(n, -1).tolist():
                arrival, exch, order_no, kind, side, price, qty, leaves, cum, maker, slot = row
                known = slot >= 0 or order_no in self._slots
                drained.append(
                    Response(arrival, exch, order_no, kind, side + 1 if known else 0, price, qty, leaves, cum, bool(maker))
                )
                if slot < 0:
                    self._slots.pop(order_no, None)
        return drained

    # --- counters ---------------------------------------------------------------------------------------------------------

    @property
    def frames(self) -> int:
        """Distinct local times (feed batches) among the rows seen."""
        return frames_seen(self.at)

    @property
    def rows_local(self) -> int:
        """Local rows seen."""
        return self._words[w.LOCAL_ROWS + w.UPCOMING]

    @property
    def rows_exch(self) -> int:
        """Exchange rows with time <= now."""
        return int(np.searchsorted(self._exch_ns, self.now, side="right"))

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left: no row on either clock and no message under way."""
        words = self._words
        return (
            words[w.LOCAL_ROWS + w.UPCOMING] == words[w.LOCAL_ROWS + w.COUNT]
            and words[w.REQUESTS_HEAD] == words[w.REQUESTS_TAIL]
            and words[w.RESPONSES_HEAD] == words[w.RESPONSES_TAIL]
            and (len(self._exch_ns) == 0 or int(self._exch_ns[-1]) <= words[w.NOW])
        )

    # --- building ---------------------------------------------------------------------------------------------------------

    def _keep(self, array: Array) -> int:
        self._kept.append(array)
        return int(array.ctypes.data)

    def _load_stream(self, stream: int, columns: Columns) -> None:
        count = len(columns.ns)
        for word, (name, dtype) in enumerate(_STREAM_TYPES):
            column = getattr(columns, name)
            if column.dtype != dtype or len(column) != count:
                raise ValueError(f"column {name} must be {np.dtype(dtype)} of length {count}")
            self._words[stream + word] = self._keep(np.ascontiguousarray(column))
        if columns.lots.dtype not in (np.int32, np.int64) or len(columns.lots) != count:
            raise ValueError(f"column lots must be int32 or int64 of length {count}")
        self._words[stream + w.LOTS] = self._keep(np.ascontiguousarray(columns.lots))
        self._words[stream + w.COUNT] = count
        times = memoryview(self._kept[-4])  # type: ignore[arg-type]
        if stream == w.EXCH_ROWS:
            self._exch_ns = self._kept[-4]
        else:
            self._local_ns = times

    def _load_books(self, bids: Array, asks: Array) -> None:
        low, high = self._range(bids, asks)
        size = high - low + 3
        for side, (first, last) in enumerate(((low, high), (-high, -low))):
            self._words[w.RANK_LOW + side] = first
            self._words[w.RANK_HIGH + side] = last
            for book in (w.EXCH_BOOK, w.LOCAL_BOOK):
                self._words[book + w.LEVELS_AT + side] = self._keep(np.zeros(size, np.int64)) - 8 * (first - 1)
                self._words[book + w.BEST + side] = w.NOWHERE
                self._words[book + w.WORST + side] = w.FOREVER
            self._words[w.OWN_AT + side] = self._keep(np.zeros(size, np.int32)) - 4 * (first - 1)
            self._words[w.OWN_BEST + side] = w.NOWHERE
            self._words[w.OWN_WORST + side] = w.FOREVER
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
            self._words[w.OPENING_ROWS + word] = self._keep(column)
        wide = self._words[w.LOTS_WIDE]
        self._words[w.LOTS_WIDE] = 1
        apply_rows(self.at, w.EXCH_BOOK, w.OPENING_ROWS, 0, len(levels))
        apply_rows(self.at, w.LOCAL_BOOK, w.OPENING_ROWS, 0, len(levels))
        self._words[w.LOTS_WIDE] = wide

    def _range(self, bids: Array, asks: Array) -> tuple[int, int]:
        """The lowest and highest price in ticks of anything in the day."""
        lows, highs = [], []
        for stream in (w.EXCH_ROWS, w.LOCAL_ROWS):
            words = self._words
            _price_range(words[stream + w.KIND], words[stream + w.TICK], words[stream + w.COUNT], self._out_at)
            lows.append(int(self._out[0]))
            highs.append(int(self._out[1]))
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

    def _load_latency(self, latency: Latency) -> None:
        self._words[w.ENTRY_NS] = latency.entry_ns
        self._words[w.RESPONSE_NS] = latency.response_ns
        if latency.rows is not None:
            rows = np.ascontiguousarray(latency.rows, np.int64).reshape(-1, 3)
            if not len(rows):
                raise ValueError("a latency table needs a row")
            self._words[w.LATENCY_KIND] = w.INTERPOLATED
            self._words[w.LATENCY_AT] = self._keep(rows)
            self._words[w.LATENCY_ROWS] = len(rows)

    def _load_orders(self, orders: int) -> None:
        ring = 1 << max(12, (16 * orders - 1).bit_length())
        self._requests = np.zeros((ring, w.REQUEST_WORDS), np.int64)
        self._responses = np.zeros((ring, w.RESPONSE_WORDS), np.int64)
        self._slot_rows: Array = np.zeros((0, w.SLOT_WORDS), np.int64)
        self._resting: list[Array] = [np.zeros(0, np.int64), np.zeros(0, np.int64)]
        self._words[w.REQUESTS_AT] = self._requests.ctypes.data
        self._words[w.RESPONSES_AT] = self._responses.ctypes.data
        self._words[w.REQUESTS_MASK] = self._words[w.RESPONSES_MASK] = ring - 1
        self._words[w.REQUESTS_LAST] = self._words[w.RESPONSES_LAST] = -FOREVER
        self._add_slots(orders)

    def _add_slots(self, more: int) -> None:
        """More slots, all of them free; only when none of the old ones is."""
        total = len(self._slot_rows) + more
        self._slot_rows = _longer(self._slot_rows, more)
        self._resting = [_longer(resting, more) for resting in self._resting]
        self._free = np.zeros(total, np.int64)
        self._free[:more] = np.arange(total - 1, total - more - 1, -1)
        self._words[w.SLOTS_AT] = self._slot_rows.ctypes.data
        self._words[w.SLOTS] = total
        self._words[w.FREE_AT] = self._free.ctypes.data
        self._words[w.FREE] = more
        for side in range(2):
            self._words[w.RESTING_AT + side] = self._resting[side].ctypes.data

    def _fail(self) -> None:
        raise RuntimeError(FAILURES[self._words[w.FAILURE]])
