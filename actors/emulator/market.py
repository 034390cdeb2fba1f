"""One instrument's market: days played into the present, with a replay beside them that matches everybody's orders.

The times of a day are mapped once, when it begins, onto the venue's wall time (and divided by the speed); after that nothing
here knows of any other time. All accounts' orders stand in one replay: own orders never change the book and each trade is offered
whole to each of them, so one replay for all gives what one an account would give.

The public book is kept row by row, so that snapshots and streams agree by construction. Update ids grow by three a row and a
snapshot's id lies one above its last row's: so the event that straddles it always exists, as it does where ids are dense.

When a day ends, the next one's opening book arrives as one change of the book. Orders that rest are carried over: behind what
their level shows there, or filled at their own price if the market has opened beyond it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from actors.emulator.bars import Bars
from actors.emulator.days import Day, Source
from actors.emulator.past import past
from actors.emulator.present import played
from core.kernel import state as said
from core.kernel.layout import ASK, BID, BUY, CLEAR, CLEAR_ASK, CLEAR_BID
from core.kernel.replay import Latency, Queue, Replay, Response
from core.price import E8

IDS_A_ROW: Final = 3
TRADES_KEPT: Final = 5_000
FIRST_TRADE: Final = 10_000_001
"""The id of the first trade; those of the past have lower ones."""
BETWEEN_DAYS_NS: Final = 100_000_000


class Trade(NamedTuple):
    """A trade of the market; `buyer_maker`: the seller was the aggressor."""

    id: int
    tick: int
    lots: int
    ns: int
    buyer_maker: bool


class Market:
    """The market of one instrument from `start` (ns UTC) on. `told` hears what becomes of orders, at the time it happens."""

    def __init__(self, source: Source, start: int, speed: float, told: Callable[[Market, Response], None]) -> None:
        self.source, self.instrument, self.speed, self.told = source, source.instrument, speed, told
        self.symbol = self.instrument.symbol
        self.reached = start
        self.trades: deque[Trade] = deque(maxlen=TRADES_KEPT)
        self.fresh: list[Trade] = []
        """Trades since they were last published."""
        self.bars = Bars()
        self.changes: dict[str, dict[tuple[int, int], int]] = {}
        """Levels changed since the last event of each depth stream that somebody hears; key: kind and tick."""
        self.resting: dict[int, tuple[int, int, int]] = {}
        """Orders that stand in the replay by their number there: side, price, open lots."""
        self.book: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._past: tuple[int, int] | None = None
        self._trade_id, self._day_number, self.row_ns = FIRST_TRADE - 1, -1, start
        self._ids = 1_000_000
        self._next_day(start)
        bid, _, ask, _ = self.best()
        self._past = (start, (bid + ask) // 2)

    # --- time

    def due(self, closely: bool) -> int:
        """When something happens by itself: the next row if rows matter one by one, else the day's end."""
        if closely or self.resting:
            return self._ns[self._row] if self._row < self._rows else self._day_end
        return self._day_end

    def run(self, until: int) -> None:
        """Replay to `until`."""
        while self._day_end <= until:
            self._to(self._day_end)
            self._next_day(self._day_end)
        self._to(until)

    def _to(self, until: int) -> None:
        self.reached = max(self.reached, until)
        self.settle(until)
        stop = int(self._columns.ns.searchsorted(until, side="right"))
        if stop > self._row:
            self._absorb(self._row, stop)

    def settle(self, now: int) -> None:
        """Let the replay reach `now` and pass on what it says."""
        replay = self.replay
        while True:
            reached = replay.advance(now)
            if not replay.answered:
                if reached >= now:
                    return
                continue
            for response in replay.responses():
                self._note(response)
                self.told(self, response)

    def _absorb(self, start: int, stop: int) -> None:
        columns = self._columns
        span = slice(start, stop)
        self._row = stop
        self.row_ns = int(columns.ns[stop - 1])
        rows = zip(
            columns.ns[span].tolist(),
            columns.kind[span].tolist(),
            columns.tick[span].tolist(),
            columns.lots[span].tolist(),
            strict=True,
        )
        pending = list(self.changes.values())
        for ns, kind, tick, lots in rows:
            if kind <= ASK:
                self._level(kind, tick, lots, pending)
            elif kind < CLEAR:
                self._trade_id += 1
                trade = Trade(self._trade_id, tick, lots, ns, kind != BUY)
                self.trades.append(trade)
                self.fresh.append(trade)
                self.bars.add(ns, tick, lots, kind == BUY, self._trade_id)
            else:
                self._clear(kind, tick, pending)

    def _level(self, kind: int, tick: int, lots: int, pending: list[dict[tuple[int, int], int]]) -> None:
        side = self.book[kind - 1]
        if lots:
            side[tick] = lots
        else:
            side.pop(tick, None)
        for changes in pending:
            changes[kind, tick] = lots

    def _clear(self, kind: int, tick: int, pending: list[dict[tuple[int, int], int]]) -> None:
        for which, side in ((BID, self.book[0]), (ASK, self.book[1])):
            for level in list(side):
                beyond = kind == CLEAR or (kind == CLEAR_BID and which == BID and level >= tick)
                if beyond or (kind == CLEAR_ASK and which == ASK and level <= tick):
                    self._level(which, level, 0, pending)

    # --- days

    def _next_day(self, now: int) -> None:
        self._day_number += 1
        opening = sum(self.best()[::2]) // 2 if self._day_number else 0
        day = self.source.day(self._day_number, opening)
        self.day_name = day.name
        self._begin(day, now)

    def _begin(self, day: Day, now: int) -> None:
        columns, self._marks = played(day, now, self.speed)
        self._columns, self._rows, self._row = columns, len(columns.ns), 0
        self._ns = memoryview(np.ascontiguousarray(columns.ns))  # type: ignore[arg-type]
        self._day_end = int(columns.ns[-1]) + BETWEEN_DAYS_NS
        self._mark_rows = day.mark_e8, day.index_e8, day.rate_e8
        self.replay = Replay(
            columns, columns, day.bids, day.asks, self.instrument.lot_float, Queue("risk"), Latency(0, 0), True, 256, now
        )
        self._open(day)
        self._carry(now)

    def _open(self, day: Day) -> None:
        before = [(kind, tick) for kind in (BID, ASK) for tick in self.book[kind - 1]]
        opening = [(kind, tick, lots) for kind, side in ((BID, day.bids), (ASK, day.asks)) for tick, lots in side.tolist()]
        pending = list(self.changes.values())
        for kind, tick in before:
            self._level(kind, tick, 0, pending)
        for kind, tick, lots in opening:
            self._level(kind, tick, lots, pending)
        self._ids += IDS_A_ROW * (len(before) + len(opening))
        self._ids_before = self._ids

    def _carry(self, now: int) -> None:
        resting, self.resting = self.resting, {}
        bid, _, ask, _ = self.best()
        for number, (side, tick, lots) in resting.items():
            gone = (ask and tick >= ask) if side == 1 else (bid and tick <= bid)
            if gone:
                self.told(self, Response(now, now, number, said.FILLED, side, tick, lots, 0, lots, True))
            else:
                self.replay.new(now, number, side, tick, lots)
        self.settle(now)

    # --- orders

    def place(self, now: int, number: int, side: int, tick: int, lots: int, market: bool, tif: str) -> None:
        """An order arrives; what becomes of it at once is told before this returns. Numbers are never used twice."""
        self.replay.new(now, number, side, tick, lots, "1" if market else "2", tif)
        self.settle(now)

    def cancel(self, now: int, number: int) -> None:
        """An order leaves; told before this returns."""
        self.replay.cancel(now, number)
        self.settle(now)

    def shrink(self, now: int, number: int, lots: int) -> None:
        """Of a resting order only `lots` stay open, at its place."""
        _, tick, _ = self.resting[number]
        self.replay.modify(now, number, tick, lots)
        self.settle(now)

    def _note(self, response: Response) -> None:
        if response.kind in (said.ACCEPTED, said.REPLACED) and response.leaves_lots:
            self.resting[response.order_no] = (response.side, response.price_ticks, response.leaves_lots)
        elif response.kind == said.FILLED and response.leaves_lots and response.order_no in self.resting:
            side, tick, _ = self.resting[response.order_no]
            self.resting[response.order_no] = (side, tick, response.leaves_lots)
        else:
            self.resting.pop(response.order_no, None)

    # --- what everybody may see

    @property
    def update_id(self) -> int:
        """Of the last row; a snapshot's is one more."""
        return self._ids + IDS_A_ROW * self._row

    def best(self) -> tuple[int, int, int, int]:
        """Best bid tick and lots, best ask tick and lots; zeros where a side is empty."""
        return self.replay.best()

    def levels(self, count: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The best levels a side as (tick, lots), best first."""
        bids, asks = self.book
        return sorted(bids.items(), reverse=True)[:count], sorted(asks.items())[:count]

    def mark(self, now: int) -> tuple[int, int, int]:
        """Mark price, index price and funding rate, in 1e-8: as recorded, or the mid and one basis point where none is."""
        row = bisect_right(self._marks, now) - 1
        if row >= 0:
            return int(self._mark_rows[0][row]), int(self._mark_rows[1][row]), int(self._mark_rows[2][row])
        bid, _, ask, _ = self.best()
        ticks = (bid + ask) if bid and ask else 2 * (self.last or bid or ask)
        mid = int(ticks * self.instrument.tick * E8) // 2
        return mid, mid, 10_000

    def remember(self) -> Bars:
        """The candles, with those of the time before the venue opened."""
        if self._past is not None:
            start, opening = self._past
            self._past = None
            self.bars.precede(*past(self.source, start, opening, FIRST_TRADE))
        return self.bars

    @property
    def last(self) -> int:
        """The last trade's tick; 0 before the first."""
        return self.trades[-1].tick if self.trades else 0
