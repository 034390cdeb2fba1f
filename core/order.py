"""An order: facts go in, the FIX status comes out.

The theory. What is known of an order is a set of facts: it was asked for; the venue took it, or refused it; so much was executed,
by these executions, some of which were busted or corrected; a cancel or a replace was asked for, is pending at the venue, was
granted or refused; it expired, was stopped, suspended, calculated, or is done for the day. Facts come from the wire, in
any order that a network can make, some of them twice. None is ever taken back but by another fact.

The status is not stored. FIX 4.4 (volume 4, "Order State Change Matrices") gives each status a precedence, and where several
are true at once an order shows the highest: an order that fills while its cancel is pending shows Pending Cancel until the
cancel is answered, and Filled then. So `status` is a walk down that table.

Three rules follow from keeping facts apart:

- Executions count by their ids, whenever they come: after a cancel, twice, or before the acknowledgement. CumQty is their sum, so
  it falls only when one is busted or corrected. A bust may arrive before the execution that it undoes.
- A request is *pending* in the FIX sense from the venue's Pending report to its answer. Whether we still wait for an answer at
  all (`pending`) begins earlier, when the request leaves.
- A replace changes quantity and price when it is granted, to what the venue says. Of several granted, the one asked for last
  counts, in whatever order the answers come.

LeavesQty is OrderQty less CumQty while the order can still trade, else zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from core.message import (
    ExecType,
    ExecutionReport,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdStatus,
    OrdType,
    TimeInForce,
)
from core.price import Side

ENDED: Final = frozenset(
    {OrdStatus.CANCELED, OrdStatus.EXPIRED, OrdStatus.REJECTED, OrdStatus.CALCULATED, OrdStatus.DONE_FOR_DAY}
)
"""Facts after which nothing more of the order can trade."""

_PRECEDENCE: Final = (
    OrdStatus.PENDING_CANCEL,
    OrdStatus.PENDING_REPLACE,
    OrdStatus.DONE_FOR_DAY,
    OrdStatus.CALCULATED,
    OrdStatus.FILLED,
    OrdStatus.STOPPED,
    OrdStatus.SUSPENDED,
    OrdStatus.CANCELED,
    OrdStatus.EXPIRED,
    OrdStatus.PARTIALLY_FILLED,
    OrdStatus.REJECTED,
    OrdStatus.NEW,
)
"""Highest first. Rejected stands before New: a late reject undoes an acknowledgement."""

DAY_NS: Final = 86_400_000_000_000
_PAUSES: Final = frozenset({OrdStatus.DONE_FOR_DAY, OrdStatus.SUSPENDED})
"""What a renewal, a replace or a second acknowledgement ends."""
_PLAIN: Final = frozenset({OrdStatus.NEW})
"""Acknowledged and nothing special: the facts of nearly every order, answered without the walk."""

Request = OrderCancelRequest | OrderCancelReplaceRequest


class Order:
    """Everything known about one order, through all the ids it has had."""

    __slots__ = ("_asked", "_busts", "_corrections", "_day", "_executions", "_facts", "_granted", "_seen", "_terms", "_waiting",
                 "request")  # fmt: skip

    def __init__(self, request: NewOrderSingle) -> None:
        self.request = request
        self._asked: dict[str, Request] = {}
        self._waiting: dict[str, OrdStatus | None] = {}
        self._granted = ""
        self._terms = (request.order_qty, request.price)
        self._facts: set[OrdStatus] = set()
        self._executions: dict[str, tuple[int, int]] = {}
        self._busts: set[str] = set()
        self._corrections: dict[str, tuple[int, int]] = {}
        self._seen: set[str] = set()
        self._day = 0

    # --- facts in

    def request_cancel(self, request: OrderCancelRequest) -> None:
        """A cancel was sent."""
        self._ask(request)

    def request_replace(self, request: OrderCancelReplaceRequest) -> None:
        """A replace was sent."""
        self._ask(request)

    def on_report(self, report: ExecutionReport) -> bool:
        """Take a report; False when its ExecID was taken before or it only repeats the status that was asked for."""
        if report.exec_type == ExecType.ORDER_STATUS or report.exec_id in self._seen:
            return False
        if report.exec_id:
            self._seen.add(report.exec_id)
        _TAKE[report.exec_type](self, report)
        return True

    def on_cancel_reject(self, reject: OrderCancelReject) -> bool:
        """A cancel or replace was refused; False when nothing was waiting under that id."""
        if reject.cl_ord_id not in self._waiting:
            return False
        del self._waiting[reject.cl_ord_id]
        return True

    # --- what follows from them

    @property
    def status(self) -> OrdStatus:
        """FIX OrdStatus: the highest of what is true. Pending New until the venue has said anything."""
        if self._facts == _PLAIN and not self._waiting:
            cum = self.cum_qty
            return OrdStatus.NEW if not cum else OrdStatus.FILLED if cum >= self._terms[0] else OrdStatus.PARTIALLY_FILLED
        for status in _PRECEDENCE:
            if self._is(status):
                return status
        return OrdStatus.PENDING_NEW

    @property
    def cum_qty(self) -> int:
        """Lots executed."""
        return sum(qty for qty, _ in self._executions.values())

    @property
    def order_qty(self) -> int:
        """Lots asked for in all, as the venue last granted."""
        return self._terms[0]

    @property
    def price(self) -> int:
        """Limit price in ticks, as the venue last granted; 0 for a market order."""
        return self._terms[1]

    @property
    def leaves_qty(self) -> int:
        """Lots that can still be executed."""
        return 0 if self._facts & ENDED else max(self.order_qty - self.cum_qty, 0)

    @property
    def avg_px(self) -> float:
        """Average price of the executions, in ticks; 0 before the first."""
        cum = self.cum_qty
        return sum(qty * px for qty, px in self._executions.values()) / cum if cum else 0.0

    @property
    def working(self) -> bool:
        """Whether the venue may still execute some of it, as far as is known."""
        return self.leaves_qty > 0

    @property
    def pending(self) -> bool:
        """Whether a cancel or replace of ours has not been answered yet."""
        return bool(self._waiting)

    @property
    def done(self) -> bool:
        """Whether nothing more is expected: nothing works, nothing is asked, and no next day can revive it."""
        return not self.working and not self._waiting and OrdStatus.DONE_FOR_DAY not in self._facts

    @property
    def acknowledged(self) -> bool:
        """Whether the venue has said anything of it."""
        return bool(self._facts or self._executions)

    @property
    def cl_ord_id(self) -> str:
        """The id under which the venue knows the order now: that of the last granted replace."""
        return self._granted or self.request.cl_ord_id

    @property
    def cl_ord_ids(self) -> tuple[str, ...]:
        """Every id of the chain: the order's own and those of all requests about it."""
        return (self.request.cl_ord_id, *self._asked)

    @property
    def symbol(self) -> str:
        """The instrument."""
        return self.request.symbol

    @property
    def side(self) -> Side:
        """1 buy, 2 sell."""
        return self.request.side

    @property
    def ord_type(self) -> OrdType:
        """Market or limit."""
        return self.request.ord_type

    @property
    def time_in_force(self) -> TimeInForce:
        """How long it lives."""
        return self.request.time_in_force

    def __repr__(self) -> str:
        side = "buy" if self.side == 1 else "sell"
        return f"<Order {self.cl_ord_id} {side} {self.cum_qty}/{self.order_qty} at {self.price}: {self.status.name}>"

    # --- how facts are taken

    def _is(self, status: OrdStatus) -> bool:
        if status is OrdStatus.FILLED:
            return bool(self._executions) and self.cum_qty >= self.order_qty
        if status is OrdStatus.PARTIALLY_FILLED:
            return self.cum_qty > 0
        if status is OrdStatus.PENDING_CANCEL or status is OrdStatus.PENDING_REPLACE:
            return status in self._waiting.values()
        if status is OrdStatus.NEW:
            return self.acknowledged
        return status in self._facts

    def _ask(self, request: Request) -> None:
        self._asked[request.cl_ord_id] = request
        self._waiting[request.cl_ord_id] = None

    def _answer(self, cl_ord_id: str) -> None:
        self._waiting.pop(cl_ord_id, None)

    def _take_new(self, report: ExecutionReport) -> None:
        """Accepted; said again later, it means that a halt or a night is over."""
        if OrdStatus.NEW in self._facts:
            self._facts -= _PAUSES
        self._facts.add(OrdStatus.NEW)

    def _take_pending_new(self, report: ExecutionReport) -> None:
        """Received and not yet accepted: nothing that the order shows differently."""

    def _take_pending(self, report: ExecutionReport) -> None:
        """The venue has the request, ours or one made by telephone. Where its answer came first, there is nothing to wait for."""
        answered = report.cl_ord_id in self._asked and report.cl_ord_id not in self._waiting
        if not answered and OrdStatus.CANCELED not in self._facts:
            self._waiting[report.cl_ord_id] = OrdStatus(report.exec_type.value)

    def _take_trade(self, report: ExecutionReport) -> None:
        if report.exec_id not in self._busts and report.last_qty:
            self._executions[report.exec_id] = self._corrections.get(report.exec_id, (report.last_qty, report.last_px))
        if OrdStatus.DONE_FOR_DAY in self._facts and report.transact_time // DAY_NS > self._day:
            self._facts -= _PAUSES

    def _take_bust(self, report: ExecutionReport) -> None:
        self._busts.add(report.exec_ref_id)
        self._executions.pop(report.exec_ref_id, None)

    def _take_correct(self, report: ExecutionReport) -> None:
        """The corrected execution goes on under its first id; a correction may be corrected in turn, by either id."""
        first = report.exec_ref_id
        corrected = (report.last_qty, report.last_px)
        self._corrections[first] = corrected
        if first in self._executions:
            self._executions[first] = corrected

    def _take_replaced(self, report: ExecutionReport) -> None:
        ids = list(self._asked)
        self._answer(report.cl_ord_id)
        self._facts.add(OrdStatus.NEW)
        if report.cl_ord_id not in self._asked:
            self._terms = (report.order_qty or self.order_qty, report.price or self.price)
        elif self._granted not in self._asked or ids.index(report.cl_ord_id) > ids.index(self._granted):
            asked = self._asked[report.cl_ord_id]
            self._granted = report.cl_ord_id
            self._terms = (report.order_qty or asked.order_qty, report.price or getattr(asked, "price", 0) or self.price)
        self._facts -= _PAUSES

    def _take_restated(self, report: ExecutionReport) -> None:
        """The venue changed the order by itself, or renewed it for another day."""
        self._terms = (report.order_qty or self.order_qty, report.price or self.price)
        self._facts -= _PAUSES
        self._facts.add(OrdStatus.NEW)

    def _take_end(self, report: ExecutionReport) -> None:
        """Canceled, expired, rejected, done for the day, calculated, stopped, suspended: the fact has the status's name."""
        self._answer(report.cl_ord_id)
        self._day = report.transact_time // DAY_NS
        self._facts.add(OrdStatus(report.exec_type.value))


_TAKE: Final[Mapping[ExecType, Callable[[Order, ExecutionReport], Any]]] = {
    ExecType.PENDING_NEW: Order._take_pending_new,
    ExecType.NEW: Order._take_new,
    ExecType.TRADE: Order._take_trade,
    ExecType.TRADE_CANCEL: Order._take_bust,
    ExecType.TRADE_CORRECT: Order._take_correct,
    ExecType.PENDING_CANCEL: Order._take_pending,
    ExecType.PENDING_REPLACE: Order._take_pending,
    ExecType.REPLACED: Order._take_replaced,
    ExecType.RESTATED: Order._take_restated,
    ExecType.CANCELED: Order._take_end,
    ExecType.EXPIRED: Order._take_end,
    ExecType.REJECTED: Order._take_end,
    ExecType.DONE_FOR_DAY: Order._take_end,
    ExecType.CALCULATED: Order._take_end,
    ExecType.STOPPED: Order._take_end,
    ExecType.SUSPENDED: Order._take_end,
}
