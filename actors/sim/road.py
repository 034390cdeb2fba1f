"""The memory of one compiled day: everything that `core/kernel/road.py` runs on, laid out from a graph and a prepared day.

It is to a compiled day what `actors/launch.py` is to the graph's: the same instrument, replay, latencies, busy times and limits,
the same things announced beforehand in the same order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.calendar import JOBS
from actors.errors import UserError
from actors.graph import US, Graph, Plan
from actors.history.prepared import PreparedDay
from actors.launch import order_latency, priced, strategies_of, whole
from core.kernel import post as p
from core.kernel import state as w
from core.kernel.quoting import OUT, VIEW
from core.kernel.replay import Queue, Replay
from core.kernel.road import BATCH, run_road, sample
from core.kernel.terms import DayIndex
from core.price import E8
from core.quoter import Quoter
from core.strategy import MS

LOG_ROWS = 1 << 22
"""Requests and fills that a day may have; memory is mapped as it is written."""
WORDS = {
    p.HEAP_FULL: "more events are under way than a compiled day has room for",
    p.POOL_EMPTY: "more messages are under way than a compiled day has room for",
    p.RING_FULL: "more messages wait than a compiled day has room for",
    p.TABLE_FULL: f"more than {p.TABLE} orders at once",
    p.LOG_FULL: f"more than {LOG_ROWS:,} requests or fills in a day",
    p.REPLAY_BROKE: "the replay ran out of room for messages",
}


class Road:
    """One day of one instrument and one quoting strategy. Linear without the day's index, with equal results."""

    def __init__(self, plan: Plan, day: PreparedDay, index: DayIndex | None = None) -> None:
        graph = plan.graph
        self.day, self.instrument = day, priced(day.instrument, graph)
        (self.strategy,) = strategies_of(plan, [self.instrument]).values()
        assert isinstance(self.strategy, Quoter)
        self.start, self.end = whole([day])
        queue = graph.queue
        self.replay = Replay(
            day.exch, day.local, day.bids, day.asks, self.instrument.lot_float, Queue(queue.model, queue.n),
            order_latency(plan), queue.partial_fills, p.TABLE, self.start - 1, index=index,
        )  # fmt: skip
        self.replay.advance(self.start - 1)
        self.replay.take_trades()
        self._kept: list[NDArray[Any]] = []
        self._words = np.zeros(p.ROAD_WORDS, np.int64)
        self._lay(graph)
        self._limit(graph)
        self._seat(self.strategy)
        self._announce()

    def _room(self, word: int, *shape: int) -> NDArray[np.int64]:
        room = np.zeros(shape, np.int64)
        self._kept.append(room)
        self._words[word] = room.ctypes.data
        return room

    def _lay(self, graph: Graph) -> None:
        """Memory, times and clocks."""
        words = self._words
        words[p.REPLAY] = self.replay.at
        words[p.NOW], words[p.END], words[p.REACHED] = self.start, self.end, self.start - 1
        words[p.MARKET_TURN] = words[p.ACCOUNT_TURN] = p.NEVER
        words[p.ABSORBED] = words[p.CHARGED] = self.replay.rows_local
        self._room(p.HEAP_AT, p.RING, p.EVENT_WORDS)
        self._room(p.POOL_AT, p.POOL, p.MESSAGE_WORDS)
        self._room(p.POOL_FREE_AT, p.POOL)[:] = np.arange(p.POOL)[::-1]
        self._room(p.TABLE_AT, p.TABLE, p.ORDER_WORDS)
        self._room(p.TABLE_FREE_AT, p.TABLE)[:] = np.arange(p.TABLE)[::-1]
        words[p.POOL_FREE], words[p.TABLE_FREE] = p.POOL, p.TABLE
        for word in (p.EVERY_AT, p.INBOX_AT):
            self._room(word, p.RING)
        self._room(p.MINE_AT, p.TABLE)
        self._room(p.OUT_RESPONSES, BATCH, w.RESPONSE_WORDS)
        self.sent = self._room(p.SENT_AT, LOG_ROWS, p.SENT_WORDS)
        self.booked = self._room(p.BOOKED_AT, LOG_ROWS, p.BOOKED_WORDS)
        words[p.SENT_SIZE] = words[p.BOOKED_SIZE] = LOG_ROWS
        period = JOBS["sample"].period_ns
        samples = (self.end - self.start) // period + 3
        self.samples = self._room(p.SAMPLES_AT, samples, p.SAMPLE_WORDS)
        words[p.SAMPLES_SIZE], words[p.SAMPLE_NS] = samples, period
        marks = self._room(p.MARKS_AT, len(self.day.marks.local_ns) + 1, 2)
        marks[:-1, 0], marks[:-1, 1] = self.day.marks.local_ns, self.day.marks.mark_e8
        words[p.MARKS] = len(marks) - 1
        busy = graph.busy_us.ns()
        for word, kind in (
            (p.FRAME_NS, "frame"), (p.TICK_NS, "tick"), (p.REPORT_NS, "report"), (p.TIMER_NS, "timer"), (p.ORDER_NS, "order"),
        ):  # fmt: skip
            words[word] = busy[kind]
        words[p.LINK_NS] = round(graph.latency.link_us * US)

    def _limit(self, graph: Graph) -> None:
        words, limits = self._words, graph.limits.of(self.instrument)
        exposure = graph.limits.exposure
        for word, limit in (
            (p.LIMIT_QTY, limits.order_qty), (p.LIMIT_POSITION, limits.position), (p.LIMIT_ORDERS, limits.open_orders),
            (p.LIMIT_VALUE_E8, limits.order_value_e8), (p.LIMIT_EXPOSURE_E8, None if exposure is None else round(exposure * E8)),
        ):  # fmt: skip
            words[word] = -1 if limit is None else limit
        words.view(np.float64)[p.UNIT] = self.instrument.unit
        words[p.INVERSE] = self.instrument.inverse

    def _seat(self, strategy: Quoter) -> None:
        words, program = self._words, strategy.program
        words[p.PERIOD_NS], words[p.LEVELS] = strategy.requote_ms * MS, strategy.levels
        at = strategy.desk.record.ctypes.data
        for word, part in (
            (p.VIEW_AT, "market"), (p.SEEN_AT, "seen"), (p.FIT_AT, "fit"), (p.OWN_AT, "own"), (p.STATE_AT, "state"),
            (p.PARAMS_AT, "params"), (p.OUT_AT, "out"),
        ):  # fmt: skip
            words[word] = at + program.offset(part)
        words[p.LOOK], words[p.QUOTE] = program.entries
        self._room(p.LAST_OUT_AT, OUT.itemsize // 8)
        self._room(p.TICK_AT, VIEW.itemsize // 8)
        self._room(p.TRADES_AT, 9)

    @property
    def look_parameters(self) -> bytes:
        """What the strategy looks with: roads for which it is equal see the same."""
        assert isinstance(self.strategy, Quoter)
        return self.strategy.desk.record["fit"].tobytes()

    @property
    def at(self) -> int:
        """The address that compiled functions take."""
        return int(self._words.ctypes.data)

    def _announce(self) -> None:
        """What is known beforehand, in the graph's order: trading on, the start, fundings; and the first sample is taken."""
        at, words = self.at, self._words
        for kind in (p.TRADE_ON, p.START):
            p.push(at, self.start, p.ARRIVAL, p.STRATEGY, p.make(at, kind, p.STRATEGY, -1))
        for n, settle in enumerate(self.day.fundings.settle_ns.tolist()):
            if settle >= self.start:
                for whom in (p.STRATEGY, p.RISK):
                    m = p.make(at, p.FUND, whom, -1)
                    p.push(at, settle, p.ARRIVAL, whom, m)
                    self._kept_message(m)[p.EXEC] = n
        sample(at, self.start)
        due = JOBS["sample"].next_after(self.start)
        if due < self.end:
            p.push(at, due, p.OBSERVE, p.OBSERVER, p.WAKE)
        assert not words[p.BROKEN]

    def _kept_message(self, m: int) -> NDArray[np.int64]:
        pool = next(room for room in self._kept if room.ctypes.data == self._words[p.POOL_AT])
        row: NDArray[np.int64] = pool[m]
        return row

    def run(self) -> None:
        """Run the day. Raises UserError when it outgrows its room."""
        run_road(self.at, self.end)
        self.close()

    def close(self) -> None:
        """The day is over: the last sample. Raises UserError for a run that outgrew its room."""
        sample(self.at, self.end)
        if self._words[p.BROKEN]:
            raise UserError(f"{self.day.key} {self.day.day}: {WORDS[int(self._words[p.BROKEN])]}")

    def follows(self, leader: Road) -> None:
        """Look at what another road looks at, and remember what it remembers."""
        for word in (p.VIEW_AT, p.SEEN_AT, p.FIT_AT):
            self._words[word] = leader._words[word]

    def take_ticks(self, leader: Road) -> None:
        """Count the leader's ticks as one's own."""
        for word in (p.DELIVERED, p.REPLACED, p.TICK_WAITS, p.AGE_MAX):
            self._words[word] = leader._words[word]

    @property
    def fills(self) -> int:
        """How many executions risk has booked."""
        booked = self.booked[: self.count(p.BOOKED), p.BOOKED_SIDE]
        return int((booked >= 0).sum())

    def count(self, word: int) -> int:
        """A scalar of the road."""
        return int(self._words[word])
