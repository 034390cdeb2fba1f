"""An order: facts in, FIX status out (FIX 4.4 volume 4, "Order State Change Matrices").

What is held are facts: the request, the cancels and replaces that were sent, the venue's reports. What is read is derived
from them at the moment of reading. The rules:

1. *Precedence.* Several states may hold at once (part filled, done for the day, cancel pending). OrdStatus is the one with the
   highest precedence in the standard's table; nothing ever sets a status.
2. *Executions* are counted by id, once, and only they move CumQty, whatever else was reported: fills after a cancel count, a
   bust or a correction of a filled order opens it again, a trade reported on an older id of the chain counts too.
3. *Ends.* Canceled, Expired and Rejected leave nothing open. A reject that speaks of an order which has executions or
   open quantity refuses another order under the same id (a duplicate), not this one.
4. *Requests.* A cancel or replace makes the status pending when the venue says that it is, not when it is sent, and until the
   request is accepted or refused by its own id. The order keeps its terms and its id meanwhile, and may fill meanwhile.
   Requests may be chained, each is answered for itself. `pending` tells what was sent and is not answered.
5. *Terms* (id, quantity, price) are those last accepted: New, Replaced and Restated reports carry them. Of replaces that are
   reported out of order the one that the exchange made last holds, by its time, else by the order of sending.
6. *Standing.* Done for Day, Calculated, Stopped and Suspended hold until the venue says something later about the order as a
   whole: New, Replaced, Restated, an end, or, for an order whose Done for Day left quantity open (GT orders), an execution on
   a later day (UTC). If Done for Day left nothing open (a day order) nothing is open until then.
7. *Reinstatement.* New, Replaced or Restated with open quantity, made strictly later than an end, undoes the end. An
   acknowledgement that merely arrives later does not.
8. *Splits.* A Restated report that scales OrderQty and CumQty alike (a stock split) scales the executions before it.
9. *Duplicates* change nothing, and neither does ExecType I (an answer to a status request).

While an order works, OrderQty == CumQty + LeavesQty; CumQty falls only by a bust, a correction or a split.

10. *Doubt.* That no answer came for a request is a fact about it, beside sent, held and answered; it changes no status. The
   order is `unknown` while a doubted request is undecided: the new order until it is acknowledged, executed or ended; a cancel or
   replace until it is answered or the order has ended. What decides it is a report like any other (`core/outcome.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from core.execution import Executions
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
from core.price import BUY, Side

Request = OrderCancelRequest | OrderCancelReplaceRequest

PRECEDENCE: Mapping[OrdStatus, int] = {
    OrdStatus.PENDING_CANCEL: 12,
    OrdStatus.PENDING_REPLACE: 11,
    OrdStatus.DONE_FOR_DAY: 10,
    OrdStatus.CALCULATED: 9,
    OrdStatus.FILLED: 8,
    OrdStatus.STOPPED: 7,
    OrdStatus.SUSPENDED: 6,
    OrdStatus.CANCELED: 5,
    OrdStatus.EXPIRED: 5,
    OrdStatus.PARTIALLY_FILLED: 4,
    OrdStatus.NEW: 2,
    OrdStatus.REJECTED: 2,
    OrdStatus.PENDING_NEW: 2,
}
"""FIX 4.4 volume 4, ExecutionReport. Of equals the one that was a fact first holds, but an end outranks New."""

DAY_NS = 86_400_000_000_000


class Terms(NamedTuple):
    """What the venue last accepted; later terms compare greater by (time, rank)."""

    time: int
    rank: int
    cl_ord_id: str
    qty: int
    price: int


class End(NamedTuple):
    """How and when an order ended."""

    status: OrdStatus
    time: int


class Standing(NamedTuple):
    """When a standing was reported, and whether it left quantity open."""

    time: int
    open: bool


class Order:
    """One order, through all the ids that its replaces give it. Quantities in lots, prices in ticks."""

    __slots__ = (
        "_acknowledged", "_answered", "_doubted", "_end", "_executions", "_held", "_ids", "_open", "_seen", "_splits",
        "_standings", "_terms", "request",
    )  # fmt: skip

    def __init__(self, request: NewOrderSingle) -> None:
        self.request = request
        self._terms = Terms(-1, 0, request.cl_ord_id, request.order_qty, request.price)
        self._ids: dict[str, int] = {request.cl_ord_id: 0}
        self._acknowledged = False
        self._end: End | None = None
        self._executions = Executions()
        self._seen: set[str] = set()
        self._open: dict[str, Request] = {}
        self._held: dict[str, OrdStatus] = {}
        self._answered: set[str] = set()
        self._doubted: set[str] = set()
        self._standings: dict[OrdStatus, Standing] = {}
        self._splits: tuple[tuple[int, int, int], ...] = ()

    # --- facts in

    def request_cancel(self, request: OrderCancelRequest) -> None:
        """A cancel was sent."""
        self._send(request)

    def request_replace(self, request: OrderCancelReplaceRequest) -> None:
        """A replace was sent."""
        self._send(request)

    def on_report(self, report: ExecutionReport) -> bool:
        """The venue reported; True when it was news."""
        exec_type = report.exec_type
        if exec_type == _TRADE:
            return self._trade(report)
        exec_id = report.exec_id
        if exec_id in self._seen or not _FACTS[exec_type](self, report):
            return False
        if exec_id:
            self._seen.add(exec_id)
        return True

    def on_cancel_reject(self, reject: OrderCancelReject) -> bool:
        """The venue refused a cancel or replace; True when it was news."""
        if reject.cl_ord_id in self._answered:
            return False
        self._answer(reject.cl_ord_id)
        return True

    def doubt(self, cl_ord_id: str) -> bool:
        """No answer came for a request under this id; True when that leaves its outcome unknown."""
        self._doubted.add(cl_ord_id)
        return self._undecided(cl_ord_id)

    def _undecided(self, cl_ord_id: str) -> bool:
        if self._end is not None:
            return False
        return not self._acknowledged if cl_ord_id == self.request.cl_ord_id else cl_ord_id in self._open

    def _send(self, request: Request) -> None:
        self._ids.setdefault(request.cl_ord_id, len(self._ids))
        if request.cl_ord_id not in self._answered:
            self._open[request.cl_ord_id] = request

    def _answer(self, cl_ord_id: str) -> Request | None:
        self._answered.add(cl_ord_id)
        self._held.pop(cl_ord_id, None)
        return self._open.pop(cl_ord_id, None)

    def _trade(self, report: ExecutionReport) -> bool:
        if not self._executions.add(report):
            return False
        self._acknowledged = True
        done = self._standings.get(OrdStatus.DONE_FOR_DAY)
        if done is not None and done.open and report.transact_time // DAY_NS > done.time // DAY_NS:
            self._lift(report.transact_time)
        return True

    def _amend(self, report: ExecutionReport) -> bool:
        return self._executions.add(report)

    def _ignore(self, report: ExecutionReport) -> bool:
        return False

    def _accept(self, report: ExecutionReport) -> bool:
        """New, Replaced or Restated: the order stands at the venue with these terms."""
        replaced = report.exec_type == ExecType.REPLACED
        request = self._answer(report.cl_ord_id)
        held, time = self._terms, report.transact_time
        asked = request if isinstance(request, OrderCancelReplaceRequest) else None
        cl_ord_id = report.cl_ord_id if replaced else held.cl_ord_id
        rank = 0 if report.exec_type == ExecType.NEW else self._ids.setdefault(cl_ord_id, len(self._ids))
        if (time, rank) >= held[:2]:
            qty = report.order_qty or (asked.order_qty if asked else held.qty)
            price = report.price or (asked.price if asked else held.price)
            self._split(report, qty)
            self._terms = Terms(time, rank, cl_ord_id, qty, price)
        self._acknowledged = True
        self._lift(time)
        if self._end is not None and report.leaves_qty and time > self._end.time:
            self._end = None
        return True

    def _split(self, report: ExecutionReport, qty: int) -> None:
        if report.exec_type == ExecType.RESTATED:
            before, after = self._cum(report.transact_time), report.cum_qty
            if after != before and after * self._terms.qty == before * qty:
                self._splits = (*self._splits, (report.transact_time, after, before))

    def _finish(self, report: ExecutionReport) -> bool:
        """Canceled, Expired, or Rejected as a whole."""
        self._answer(report.cl_ord_id)
        status = _STATUS[report.exec_type]
        if self._end is None or PRECEDENCE[status] > PRECEDENCE[self._end.status]:
            self._end = End(status, report.transact_time)
        self._lift(report.transact_time)
        return True

    def _refuse(self, report: ExecutionReport) -> bool:
        """Rejected: the order, or only a request about it, or another order that came under the same id."""
        if report.cl_ord_id in self._open:
            self._answer(report.cl_ord_id)
            return True
        return not report.leaves_qty and not report.cum_qty and self._finish(report)

    def _hold(self, report: ExecutionReport) -> bool:
        """Pending Cancel or Pending Replace; what was answered before is not pending, unless the order's own id is, anew."""
        cl_ord_id, terms = report.cl_ord_id, self._terms
        if cl_ord_id in self._answered and (cl_ord_id != terms.cl_ord_id or report.transact_time <= terms.time):
            return False
        self._ids.setdefault(report.cl_ord_id, len(self._ids))
        self._held[report.cl_ord_id] = _STATUS[report.exec_type]
        return True

    def _stand(self, report: ExecutionReport) -> bool:
        """Done for Day, Calculated, Stopped or Suspended."""
        status = _STATUS[report.exec_type]
        halted = status in (OrdStatus.STOPPED, OrdStatus.SUSPENDED)
        if report.transact_time >= self._terms.time:
            self._standings[status] = Standing(report.transact_time, halted or report.leaves_qty > 0)
        self._acknowledged = True
        return True

    def _lift(self, time: int) -> None:
        """Drop the standings that are not later than something said about the order as a whole."""
        if self._standings:
            self._standings = {status: one for status, one in self._standings.items() if one.time > time}

    # --- states out

    @property
    def status(self) -> OrdStatus:
        """FIX OrdStatus: of all that holds, what has the highest precedence."""
        cum = self.cum_qty
        best = OrdStatus.NEW if self._acknowledged else OrdStatus.PENDING_NEW
        if cum:
            best = OrdStatus.FILLED if cum >= self._terms.qty else OrdStatus.PARTIALLY_FILLED
        end = self._end
        if end is not None and (not cum or PRECEDENCE[end.status] > PRECEDENCE[best]):
            best = end.status
        if self._standings or self._held:
            best = self._highest(best)
        return best

    def _highest(self, best: OrdStatus) -> OrdStatus:
        """With standings and held requests too; a stop, a suspension or a pending request dies with the order."""
        ended = self._end is not None
        holding = [one for one in self._standings if not ended or one not in (OrdStatus.STOPPED, OrdStatus.SUSPENDED)]
        if not ended:
            holding += self._held.values()
        return max([best, *holding], key=PRECEDENCE.__getitem__)

    @property
    def cum_qty(self) -> int:
        """Lots executed."""
        return self._cum() if self._splits else self._executions.qty

    def _cum(self, until: int | None = None) -> int:
        """Lots executed, splits applied; if a time is given, by executions not later."""
        total = 0
        for one in self._executions:
            if until is None or one.transact_time <= until:
                qty = one.last_qty
                for time, after, before in self._splits:
                    qty = qty * after // before if one.transact_time <= time else qty
                total += qty
        return total

    @property
    def executions(self) -> tuple[ExecutionReport, ...]:
        """The reports of its executions as they stand now."""
        return tuple(self._executions)

    @property
    def leaves_qty(self) -> int:
        """Lots that may still be executed."""
        if self._end is not None or (self._standings and not all(one.open for one in self._standings.values())):
            return 0
        return max(self._terms.qty - self.cum_qty, 0)

    @property
    def order_qty(self) -> int:
        """Lots ordered in all, as last accepted."""
        return self._terms.qty

    @property
    def price(self) -> int:
        """Limit in ticks, as last accepted; 0 for a market order."""
        return self._terms.price

    @property
    def avg_px(self) -> float:
        """Average price of the executions in ticks; 0 when there are none."""
        cum = self.cum_qty
        return self._executions.notional / cum if cum else 0.0

    @property
    def cl_ord_id(self) -> str:
        """The id by which the venue knows the order now."""
        return self._terms.cl_ord_id

    @property
    def cl_ord_ids(self) -> tuple[str, ...]:
        """Every id that the order and the requests about it have had, in order of sending."""
        return tuple(self._ids)

    @property
    def acknowledged(self) -> bool:
        """Whether the venue has said that it has the order."""
        return self._acknowledged

    @property
    def working(self) -> bool:
        """Whether something may still be executed, also while the order is unacknowledged."""
        return self.leaves_qty > 0

    @property
    def pending(self) -> bool:
        """Whether a cancel or replace was sent and is neither answered nor made pointless by the order's end."""
        return bool(self._open) and self._end is None

    @property
    def unknown(self) -> tuple[str, ...]:
        """The ids of requests whose outcome is unknown."""
        return tuple(filter(self._undecided, self._doubted)) if self._doubted else ()

    @property
    def asked(self) -> Mapping[str, Request]:
        """The cancels and replaces that are not answered, by their own ids."""
        return self._open

    @property
    def done(self) -> bool:
        """Whether nothing more is expected: nothing open, no request unanswered."""
        return not self.pending and not self.working

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
        """How long it stays."""
        return self.request.time_in_force

    def __repr__(self) -> str:
        side = "buy" if self.side == BUY else "sell"
        return f"<Order {self.cl_ord_id} {side} {self.cum_qty}/{self.order_qty} at {self.price}: {self.status.name}>"


_TRADE = ExecType.TRADE
_STATUS: Mapping[ExecType, OrdStatus] = {
    one: OrdStatus(one.value)
    for one in (
        ExecType.CANCELED, ExecType.EXPIRED, ExecType.REJECTED, ExecType.PENDING_CANCEL, ExecType.PENDING_REPLACE,
        ExecType.DONE_FOR_DAY, ExecType.CALCULATED, ExecType.STOPPED, ExecType.SUSPENDED,
    )
}  # fmt: skip
"""The states that a report states outright: FIX gives both fields the same letters."""

_FACTS: Mapping[ExecType, Callable[[Order, ExecutionReport], bool]] = {
    ExecType.NEW: Order._accept,
    ExecType.REPLACED: Order._accept,
    ExecType.RESTATED: Order._accept,
    ExecType.CANCELED: Order._finish,
    ExecType.EXPIRED: Order._finish,
    ExecType.REJECTED: Order._refuse,
    ExecType.PENDING_CANCEL: Order._hold,
    ExecType.PENDING_REPLACE: Order._hold,
    ExecType.DONE_FOR_DAY: Order._stand,
    ExecType.CALCULATED: Order._stand,
    ExecType.STOPPED: Order._stand,
    ExecType.SUSPENDED: Order._stand,
    ExecType.TRADE: Order._trade,
    ExecType.TRADE_CANCEL: Order._amend,
    ExecType.TRADE_CORRECT: Order._amend,
    ExecType.PENDING_NEW: Order._ignore,
    ExecType.ORDER_STATUS: Order._ignore,
}
