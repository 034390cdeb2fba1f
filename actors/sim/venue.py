"""One instrument's venue, simulated: the recorded market replayed beside our own orders.

It is two things to the host. As a *feed* it says when frames arrive and makes a Tick of the newest market when a mailbox can take
one: of all the rows of a day only what a strategy really sees becomes a message. As the venue's *session* it takes the gateway's
requests and answers with reports. When an order fills, and when anybody hears of it, is the replay kernel's to say
(`core/kernel/`); here its answers are put into FIX words.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from actors.history.prepared import PreparedDay
from actors.sim.heap import NEVER
from core.instrument import Instrument
from core.kernel import state as said
from core.kernel.replay import Replay, Response
from core.kernel.turns import frames_between, settle_frames
from core.message import (
    NO_TRADES,
    Command,
    ExecType,
    ExecutionReport,
    Liquidity,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdStatus,
    Tick,
)
from core.order import Order


class _Held:
    """An order as the session knows it: the request, the ids it has had, and what is asked of it now, in the order of asking."""

    __slots__ = ("asked", "cl_ord_id", "cum", "number", "price", "qty", "request", "status")

    def __init__(self, request: NewOrderSingle, number: int) -> None:
        self.request, self.number = request, number
        self.cl_ord_id = request.cl_ord_id
        self.price, self.qty, self.cum = request.price, request.order_qty, 0
        self.status = OrdStatus.NEW
        """As last reported."""
        self.asked: deque[OrderCancelRequest | OrderCancelReplaceRequest] = deque()


class SimVenue:
    """Feed and session of one instrument over one replay, whose market before `start` (ns UTC) is history to everybody."""

    beside = True

    def __init__(self, instrument: Instrument, day: PreparedDay, replay: Replay, levels: int, start: int) -> None:
        self.symbol = instrument.symbol
        self.instrument, self.replay, self.levels, self.day = instrument, replay, levels, day.day
        self._local_ns = memoryview(np.ascontiguousarray(day.local.ns))  # type: ignore[arg-type]
        self._exch_ns = memoryview(np.ascontiguousarray(day.exch.ns))  # type: ignore[arg-type]
        self._times = replay.local_times
        self._mark_times, self._marks = day.marks.local_ns.tolist(), day.marks.mark_e8.tolist()
        self._skip(start)
        self._held: dict[int, _Held] = {}
        self._number_of: dict[str, int] = {}
        self._numbers = 0
        self._executions = 0
        self._reached = start - 1
        self._asked = self._moved = False
        self.look = replay.look

    # --- the feed

    def advance(self, until: int) -> int:
        """Replay up to `until` or to the first reply; returns the time reached. Nothing moves where nothing could."""
        if until <= self._reached and not self._asked:
            return until
        self._asked, self._moved = False, True
        self._reached = self.replay.advance(until)
        return self._reached

    def _skip(self, start: int) -> None:
        """Bring the book to `start`: no frame before it is counted or charged, no trade before it is folded into a tick."""
        self.replay.advance(start - 1)
        self.replay.take_trades()
        self._absorbed = self._charged = self.replay.rows_local

    @property
    def rows_all(self) -> int:
        """Local rows of the whole day."""
        return len(self._local_ns)

    def next_frame(self) -> int:
        """When the first frame arrives, or has arrived, that `absorb` has not counted yet."""
        row = self._absorbed
        return self._local_ns[row] if row < len(self._local_ns) else NEVER

    def absorb(self) -> tuple[int, int]:
        """Frames arrived since the last call, and how many of them no earlier turn has been charged for."""
        rows = self.replay.rows_local
        if rows == self._absorbed == self._charged:
            return 0, 0
        fresh = frames_between(self._times, self._absorbed, rows)
        uncharged = frames_between(self._times, self._charged, rows) if self._charged > self._absorbed else fresh
        self._absorbed = self._charged = rows
        return fresh, uncharged

    def settle(self, free_at: int, frame_ns: int, until: int) -> int:
        """When a place is free of the turns that frames alone began before `until`; those frames count as charged."""
        rows = self.replay.rows_local
        if self._charged < rows:
            self._charged, free_at = settle_frames(self._times, self._charged, rows, free_at, frame_ns, until)
        return free_at

    def tick(self, now: int) -> Tick:
        """The newest market known at `now`, with the trades since the last call.

        The update id is the number of rows seen: a prepared day keeps no venue ids. The exchange's time is that of the row
        of the same number in exchange order.
        """
        replay = self.replay
        bids, asks = replay.levels(self.levels)
        trades = replay.take_trades()
        mark = bisect_right(self._mark_times, now) - 1
        rows = replay.rows_local
        return Tick(
            self.symbol,
            self._exch_ns[rows - 1],
            self._local_ns[rows - 1],
            now,
            rows,
            bids,
            asks,
            self._marks[mark] if mark >= 0 else 0,
            trades if trades[0] else NO_TRADES,
        )

    # --- the session

    def arrive(self, now: int, message: Message | None) -> None:
        """A request leaves the gateway."""
        self._asked = True
        _REQUESTS[type(message)](self, now, message)  # type: ignore[index]

    def holds(self, cl_ord_id: str) -> bool:
        """Whether an order has reached the session under this id."""
        return cl_ord_id in self._number_of

    def idle(self, cl_ord_id: str) -> bool:
        """Whether an order is held by this id and nothing is being asked of it."""
        number = self._number_of.get(cl_ord_id)
        return number is not None and not self._held[number].asked

    def submit(self, now: int, message: Message) -> None:
        """The Venue port's name for it."""
        self.arrive(now, message)

    def replies(self) -> list[Message]:
        """What the venue answered by now, in FIX words, in order of arrival."""
        if not self._moved:
            return []
        self._moved = False
        if not self.replay.answered:
            return []
        return [_ANSWERS[response.kind](self, response) for response in self.replay.responses()]

    def _new(self, now: int, request: NewOrderSingle) -> None:
        self._numbers += 1
        number = self._numbers
        self._held[number] = _Held(request, number)
        self._number_of[request.cl_ord_id] = number
        self.replay.new(
            now, number, request.side, request.price, request.order_qty, request.ord_type.value, request.time_in_force.value
        )

    def _cancel(self, now: int, request: OrderCancelRequest) -> None:
        held = self._ask(request)
        self.replay.cancel(now, held.number)

    def _replace(self, now: int, request: OrderCancelReplaceRequest) -> None:
        held = self._ask(request)
        self.replay.modify(now, held.number, request.price, request.order_qty, total=True)

    def _cancel_all(self, now: int, command: Command) -> None:
        """The venue's own cancel-all: whatever works, each under its order's own id. Other words are for sessions that can
        halt."""
        for held in self._held.values() if command.verb == "cancel_all" else ():
            if held.status in (OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED):
                held.asked.append(OrderCancelRequest(self.symbol, now, now, now, held.cl_ord_id, held.cl_ord_id))
                self.replay.cancel(now, held.number)

    def _ask(self, request: OrderCancelRequest | OrderCancelReplaceRequest) -> _Held:
        held = self._held[self._number_of[request.orig_cl_ord_id]]
        held.asked.append(request)
        return held

    # --- the end of its day

    def late_fills(self, until: int) -> list[Message]:
        """Reports of executions before `until` that were still on their way then."""
        replay = self.replay
        while replay.next_response() < NEVER:
            replay.advance(replay.next_response())
        return [self._filled(one) for one in replay.responses() if one.kind == said.FILLED and one.exch_ns < until]

    def day_over(self, now: int, orders: Mapping[str, Order]) -> list[ExecutionReport]:
        """Reports that cancel, unasked, whatever of these orders still works."""
        ended = []
        for order in {order.cl_ord_id: order for order in orders.values() if order.working}.values():
            self._executions += 1
            ended.append(
                ExecutionReport(
                    symbol=self.symbol,
                    transact_time=now,
                    received=now,
                    cl_ord_id=order.cl_ord_id,
                    exec_id=f"{self.symbol}-{self.day}-{self._executions}",
                    exec_type=ExecType.CANCELED,
                    ord_status=OrdStatus.CANCELED,
                    side=order.side,
                    price=order.price,
                    order_qty=order.order_qty,
                    cum_qty=order.cum_qty,
                    text="the day is over",
                )
            )
        return ended

    # --- its answers

    def _accepted(self, response: Response) -> Message:
        return self._report(response, ExecType.NEW, response.qty_lots)

    def _filled(self, response: Response) -> Message:
        held = self._held[response.order_no]
        held.cum = response.cum_lots
        report = self._report(response, ExecType.TRADE, response.leaves_lots)
        report.last_qty, report.last_px = response.qty_lots, response.price_ticks
        report.last_liquidity_ind = Liquidity.MAKER if response.maker else Liquidity.TAKER
        report.commission_e8 = self.instrument.fee_e8(response.price_ticks, response.qty_lots, response.maker)
        return report

    def _canceled(self, response: Response) -> Message:
        return self._report(response, ExecType.CANCELED, 0)

    def _expired(self, response: Response) -> Message:
        return self._report(response, ExecType.EXPIRED, 0)

    def _rejected(self, response: Response) -> Message:
        return self._report(response, ExecType.REJECTED, 0)

    def _replaced(self, response: Response) -> Message:
        held = self._held[response.order_no]
        asked = held.asked[0]
        assert isinstance(asked, OrderCancelReplaceRequest)
        held.price, held.qty = asked.price, max(asked.order_qty, held.cum)
        report = self._report(response, ExecType.REPLACED, response.leaves_lots)
        held.cl_ord_id = asked.cl_ord_id
        self._number_of[asked.cl_ord_id] = held.number
        return report

    def _cancel_rejected(self, response: Response) -> Message:
        return self._refusal(response, 0)

    def _report(self, response: Response, exec_type: ExecType, leaves: int) -> ExecutionReport:
        held = self._held[response.order_no]
        asked = held.asked.popleft() if held.asked and exec_type in (ExecType.CANCELED, ExecType.REPLACED) else None
        self._executions += 1
        held.status = _status(exec_type, held.cum, leaves)
        request = held.request
        return ExecutionReport(
            symbol=self.symbol,
            transact_time=response.exch_ns,
            received=response.arrival_ns,
            order_id=str(held.number),
            cl_ord_id=asked.cl_ord_id if asked else held.cl_ord_id,
            orig_cl_ord_id=held.cl_ord_id if asked else "",
            exec_id=f"{self.symbol}-{self.day}-{self._executions}",
            exec_type=exec_type,
            ord_status=held.status,
            side=request.side,
            ord_type=request.ord_type,
            time_in_force=request.time_in_force,
            price=held.price,
            order_qty=held.qty,
            cum_qty=held.cum,
            leaves_qty=leaves,
            strategy=request.strategy,
        )

    def _refusal(self, response: Response, reason: int) -> OrderCancelReject:
        held = self._held[response.order_no]
        asked = held.asked.popleft()
        return OrderCancelReject(
            symbol=self.symbol,
            transact_time=response.exch_ns,
            received=response.arrival_ns,
            order_id=str(held.number),
            cl_ord_id=asked.cl_ord_id,
            orig_cl_ord_id=asked.orig_cl_ord_id,
            ord_status=held.status,
            cxl_rej_response_to="F" if isinstance(asked, OrderCancelRequest) else "G",
            cxl_rej_reason=reason,
            text="Unknown order sent.",
            strategy=asked.strategy,
        )


def _status(exec_type: ExecType, cum: int, leaves: int) -> OrdStatus:
    ended = {
        ExecType.CANCELED: OrdStatus.CANCELED,
        ExecType.EXPIRED: OrdStatus.EXPIRED,
        ExecType.REJECTED: OrdStatus.REJECTED,
    }.get(exec_type)
    if ended is not None:
        return ended
    if not cum:
        return OrdStatus.NEW
    return OrdStatus.PARTIALLY_FILLED if leaves else OrdStatus.FILLED


_REQUESTS: Mapping[type[Message], Callable[[SimVenue, int, Any], None]] = {
    NewOrderSingle: SimVenue._new,
    OrderCancelRequest: SimVenue._cancel,
    OrderCancelReplaceRequest: SimVenue._replace,
    Command: SimVenue._cancel_all,
}
_ANSWERS: Mapping[int, Callable[[SimVenue, Response], Message]] = {
    said.ACCEPTED: SimVenue._accepted,
    said.FILLED: SimVenue._filled,
    said.CANCELED: SimVenue._canceled,
    said.EXPIRED: SimVenue._expired,
    said.REJECTED: SimVenue._rejected,
    said.REPLACED: SimVenue._replaced,
    said.CANCEL_REJECTED: SimVenue._cancel_rejected,
    said.MODIFY_REJECTED: SimVenue._cancel_rejected,
}
