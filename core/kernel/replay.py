"""A day of one instrument replayed beside own orders: the face that the simulated graph uses.

A `Replay` holds the arrays that the compiled functions work on (state.py says what is where) and hands them requests and
times. It is exact for any sequence of times, so a host may move several of them in small steps. `advance` stops early
where a response arrives, for its receiver may want to act then; whoever sleeps just calls it again.

The compiled runs use the same functions without this class in between.
"""

from __future__ import annotations

import numpy as np

from core.kernel import state as w
from core.kernel.arrays import RANGE_MAX, Arrays
from core.kernel.book import best_pair, read_levels
from core.kernel.request import read_responses, send, send_new
from core.kernel.terms import QUEUES, Array, Columns, DayIndex, Latency, Queue, Response, Trades
from core.kernel.timeline import advance, advance_exchange, best_exch_pair, fold_trades, frames_seen
from core.kernel.touched import write_local

FOREVER = w.FOREVER
__all__ = ["FOREVER", "QUEUES", "RANGE_MAX", "Columns", "Latency", "Queue", "Replay", "Response", "Trades"]
DRAIN = 256


FAILURES = {
    w.REQUESTS_FULL: "too many requests in flight",
    w.RESPONSES_FULL: "too many responses in flight",
    w.FILLS_FULL: "the log of fills is full",
    w.SLOTS_FULL: "too many orders",
}


class Replay:
    """One instrument's day. `lot_size` is the size of a lot in units; `orders` how many may be known at once.

    With the day's `index` (index.py) rows that concern nobody are skipped, without it every row is applied: with equal results.

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
        index: DayIndex | None = None,
    ) -> None:
        self._arrays = arrays = Arrays(exch, local, bids, asks, lot_size, index)
        self.at = arrays.at
        """The address of the state: what the compiled functions take."""
        self._words = arrays.words
        self._words[w.PARTIAL] = int(partial_fills)
        arrays.load_queue(queue)
        arrays.load_latency(latency)
        arrays.load_orders(orders)
        if fills:
            arrays.load_fills(fills)
        if start_ns is not None:
            self._words[w.NOW] = start_ns
        self._local_ns, self._exch_ns = arrays.local_ns, arrays.exch_ns
        self._out = np.zeros(4096, np.int64)
        self._out_at = self._out.ctypes.data
        self._slots: dict[int, int] = {}

    # --- the market -------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The time reached."""
        return self._words[w.NOW]

    def advance(self, until: int) -> int:
        """Take everything with time <= `until`, or up to the first response's arrival if that is earlier; returns the time.

        Raises ValueError for `until` FOREVER: a time that never comes is not reached.
        """
        if until >= FOREVER:
            raise ValueError("a replay cannot be advanced to FOREVER")
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
        write_local(self.at)
        return best_pair(self.at, w.LOCAL_BOOK)

    def best_exch(self) -> tuple[int, int, int, int]:
        """The exchange's best bid and ask at the same time: what no strategy can know."""
        return best_exch_pair(self.at)

    def levels(self, count: int) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """The best `count` local levels of bids and asks as (tick, lots), best first."""
        if 4 * count > len(self._out):
            self._out = np.zeros(4 * count, np.int64)
            self._out_at = self._out.ctypes.data
        write_local(self.at)
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
            self._arrays.add_slots(self._words[w.SLOTS])
        slot = send_new(self.at, now, order_no, side - 1, price_ticks, qty_lots, w.MARKET if ord_type == "1" else int(tif))
        self._slots[order_no] = slot

    def cancel(self, now: int, order_no: int) -> None:
        """A cancel leaves at `now`; the exchange refuses it for an order that is not there any more, or never was."""
        send(self.at, now, w.CANCEL, self._slots.get(order_no, -1), order_no, 0, 0)

    def modify(self, now: int, order_no: int, price_ticks: int, qty_lots: int, total: bool = False) -> None:
        """A change leaves at `now`. `qty_lots` is what is to be open after it; with `total` it counts what was filled too."""
        kind = w.MODIFY_TOTAL if total else w.MODIFY
        send(self.at, now, kind, self._slots.get(order_no, -1), order_no, price_ticks, qty_lots)

    def next_response(self) -> int:
        """When the earliest response that is already under way arrives; FOREVER when none is."""
        head = self._words[w.RESPONSES_HEAD]
        if head == self._words[w.RESPONSES_TAIL]:
            return FOREVER
        return int(self._arrays.responses[head & self._words[w.RESPONSES_MASK], w.RES_ARRIVAL])

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

    def fills(self) -> Array:
        """The log of fills at the exchange, in order: (n, 6) int64 of time, order number, side from 0, price, lots, maker."""
        return self._arrays.fills[: self._words[w.FILLS]].copy()

    # --- counters ---------------------------------------------------------------------------------------------------------

    @property
    def frames(self) -> int:
        """Distinct local times (feed batches) among the rows seen."""
        return frames_seen(self.at)

    @property
    def local_times(self) -> int:
        """The address of the local rows' times, for compiled functions (turns.py)."""
        return self._words[w.LOCAL_ROWS + w.NS]

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

    def _fail(self) -> None:
        raise RuntimeError(FAILURES[self._words[w.FAILURE]])
