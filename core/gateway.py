"""An instrument's gateway node: it keeps the truth about this account's orders on one instrument.

Requests come from risk, already approved; the venue's answers come from the session. The gateway holds one Order an id
chain, sees that ids are unique, refuses what cannot be asked (a cancel of an order that is unknown by this id now, done, or
has a request pending: the venue allows one request in flight an order), and passes every answer that is news on, to the
strategy that owns the order and to risk, with the order's quantities as they stand (reports may come twice and out of order).
Orders that it never sent (a liquidation, another session) are adopted with the first report that speaks of them
(`core/stranger.py`): they move the account's position all the same. Told to (Command "cancel"), it cancels what works of a
strategy, or of all (`core/withdrawal.py`); "cancel_all" it hands on to the session, for the venue's own cancel-all.

A request to which no answer came is not sent again: the gateway asks what became of the order until that is proved
(`core/outcome.py`), and meanwhile says so to risk. A cancel that the venue refuses because it knows no such order proves nothing
either, and leads to the same question. The timer `reconcile` asks for everything: executions since the last complete answer and
open orders; orders that work here are asked about one by one. Finished orders are kept for an hour, because what is late still
counts. A gateway that died is fed its inputs again (`core/tape.py`) and then `recover`: the same as reconciling, but all that is
unanswered is in doubt, for its answers died with the process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.message import (
    BusinessMessageReject,
    Command,
    ExecType,
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassStatusRequest,
    OrderStatusRequest,
    OrdStatus,
    Timer,
    Unanswered,
)
from core.node import Outbox
from core.order import Order
from core.outcome import ASK_EVERY_NS, Inquiry, absent, proved
from core.refusal import order_refused, request_refused
from core.stranger import found, stranger
from core.withdrawal import Withdrawals

TOO_LATE, UNKNOWN_ORDER, ALREADY_PENDING, DUPLICATE_ID = 0, 1, 3, 6
"""FIX CxlRejReason(102)."""
PAST_NS = 3_600_000_000_000
SETTLED_NS = 2_000_000_000
"""An order asked about sooner after it was sent than this may not be known to the venue's query yet."""


class Gateway:
    """Orders of one instrument, by every id that they have had."""

    def __init__(self, symbol: str) -> None:
        self.name = f"gateway:{symbol}"
        self.symbol = symbol
        self.orders: dict[str, Order] = {}
        self._owner: dict[str, str] = {}
        self._past: dict[str, tuple[int, Order]] = {}
        self._sent: dict[str, int] = {}  # by this node's clock: a request's own `now` is another machine's
        self._inquiries: dict[str, Inquiry] = {}
        self._withdrawals = Withdrawals()
        self._asking = False
        self._complete_until = 0
        self._outbox: Outbox

    def bind(self, outbox: Outbox) -> None:
        """Receive the outbox from the host."""
        self._outbox = outbox

    def on(self, now: int, message: Message) -> None:
        """Take an approved request or an answer of the venue."""
        _ROUTES[type(message)](self, now, message)

    def _new(self, now: int, request: NewOrderSingle) -> None:
        if request.cl_ord_id in self._owner:
            text = "gateway: this ClOrdID was used before"
            self._outbox.send(order_refused(now, request, f"duplicate-{request.cl_ord_id}-{now}", text))
            return
        self.orders[request.cl_ord_id] = Order(request)
        self._owner[request.cl_ord_id] = request.strategy
        self._sent[request.cl_ord_id] = now
        self._outbox.send(request)

    def _cancel(self, now: int, request: OrderCancelRequest) -> None:
        order = self._askable(now, request)
        if order is not None:
            order.request_cancel(request)
            self._adopt(now, request, order)

    def _replace(self, now: int, request: OrderCancelReplaceRequest) -> None:
        order = self._askable(now, request)
        if order is not None:
            order.request_replace(request)
            self._adopt(now, request, order)

    def _adopt(self, now: int, request: OrderCancelRequest | OrderCancelReplaceRequest, order: Order) -> None:
        self.orders[request.cl_ord_id] = order
        self._owner[request.cl_ord_id] = request.strategy
        self._sent[request.cl_ord_id] = now
        self._outbox.send(request)

    def _askable(self, now: int, request: OrderCancelRequest | OrderCancelReplaceRequest) -> Order | None:
        """The order that a request is about, if the request can be sent; else it is answered here."""
        order = self.orders.get(request.orig_cl_ord_id)
        if order is None:
            reason, status = UNKNOWN_ORDER, OrdStatus.REJECTED
        elif request.cl_ord_id in self._owner:
            reason, status = DUPLICATE_ID, order.status
        elif order.working and request.orig_cl_ord_id != order.cl_ord_id:
            reason, status = UNKNOWN_ORDER, order.status
        elif order.pending:
            reason, status = ALREADY_PENDING, order.status
        elif not order.working:
            reason, status = TOO_LATE, order.status
        else:
            return order
        self._outbox.send(request_refused(now, request, status, reason, "gateway: nothing was sent"))
        return None

    # --- answers

    def _report(self, now: int, report: ExecutionReport) -> None:
        if report.exec_type == ExecType.ORDER_STATUS:
            self._status(now, report)
            return
        order = self._find(report.cl_ord_id) or self._find(report.orig_cl_ord_id) or self._take_in(report)
        if order is not None:
            before = order.cl_ord_id
            if not order.on_report(report):
                return
            report.cum_qty, report.leaves_qty = order.cum_qty, order.leaves_qty
            if not report.orig_cl_ord_id:
                report.cl_ord_id = order.cl_ord_id
            elif not order.working:
                report.orig_cl_ord_id = before  # what ended is known to risk by this one
            self._keep(now, order)
        report.strategy = self._owner.get(report.cl_ord_id) or self._owner.get(report.orig_cl_ord_id, "")
        report.now = now
        self._outbox.send(report)
        if order is not None and order in self._withdrawals:
            self._withdraw(now)

    def _take_in(self, report: ExecutionReport) -> Order | None:
        """An order of somebody else's, from the first report of it."""
        if not report.cl_ord_id or report.cl_ord_id in self._owner:
            return None
        order = stranger(report)
        self._own_nothing(order)
        return order

    def _own_nothing(self, order: Order) -> None:
        self.orders[order.request.cl_ord_id] = order
        self._owner[order.request.cl_ord_id] = ""

    def _cancel_reject(self, now: int, reject: OrderCancelReject) -> None:
        order = self.orders.get(reject.orig_cl_ord_id)
        if order is not None:
            order.on_cancel_reject(reject)
            if order.working and reject.cxl_rej_reason == UNKNOWN_ORDER:
                self._inquire(now, order)
            self._keep(now, order)
        reject.strategy = self._owner.get(reject.orig_cl_ord_id, "")
        reject.now = now
        self._outbox.send(reject)
        if order is not None and order in self._withdrawals and reject.cxl_rej_response_to == "G":
            self._withdraw(now)  # after a refused cancel of our own: when a second has passed

    def _find(self, cl_ord_id: str) -> Order | None:
        """The order, working or finished within the hour."""
        order = self.orders.get(cl_ord_id)
        if order is None and cl_ord_id in self._past:
            order = self._past[cl_ord_id][1]
        return order

    def _keep(self, now: int, order: Order) -> None:
        """An order that is finished goes to the past, one that is open again comes back; ids stay reserved for ever."""
        if order.done:
            for cl_ord_id in order.cl_ord_ids:
                self.orders.pop(cl_ord_id, None)
                self._sent.pop(cl_ord_id, None)
                self._past[cl_ord_id] = now, order
            while self._past and (first := next(iter(self._past))) and self._past[first][0] < now - PAST_NS:
                del self._past[first]
        else:
            for cl_ord_id in order.cl_ord_ids:
                self.orders[cl_ord_id] = order

    # --- doubt

    def _unanswered(self, now: int, message: Unanswered) -> None:
        order = self.orders.get(message.cl_ord_id)
        if order is None or not order.doubt(message.cl_ord_id):
            return
        message.strategy = self._owner[message.cl_ord_id]
        message.now = now
        self._outbox.send(message)
        self._inquire(now, order, {message.cl_ord_id: message.transact_time})

    def _inquire(self, now: int, order: Order, sent: Mapping[str, int] = {}) -> None:
        """Ask what became of an order, now and every second until the answer decides it; `sent`: its requests newly in doubt."""
        inquiry = self._inquiries.setdefault(order.request.cl_ord_id, Inquiry({}))
        inquiry.sent.update(sent)
        self._ask(now, order)
        self._ask_later(now)

    def _ask_later(self, now: int) -> None:
        if not self._asking:
            self._asking = True
            self._outbox.wake(now + ASK_EVERY_NS, "inquire")

    def _ask(self, now: int, order: Order) -> None:
        self._outbox.send(OrderStatusRequest(self.symbol, now, now, now, order.request.cl_ord_id, order.side))

    def _status(self, now: int, report: ExecutionReport) -> None:
        """What the venue says of an order; its executions were reported before, but for a stranger's of long ago."""
        order = self._find(report.cl_ord_id)
        if order is None and report.leaves_qty and report.cl_ord_id not in self._owner:
            order, report = found(report)
            self._own_nothing(order)
            self.on(now, report)
            return
        if order is None or (report.cum_qty > order.cum_qty and self._owner[order.request.cl_ord_id]):
            return
        inquiry = self._inquiries.get(order.request.cl_ord_id) or Inquiry({})
        for answer in proved(order, inquiry, now, report):
            self.on(now, answer)
        if not order.unknown:
            self._inquiries.pop(order.request.cl_ord_id, None)

    def _not_found(self, now: int, reject: BusinessMessageReject) -> None:
        order = self.orders.get(reject.business_reject_ref_id)
        inquiry = self._inquiries.get(reject.business_reject_ref_id)
        if order is not None and inquiry is not None and (answer := absent(order, inquiry, now)):
            self.on(now, answer)
            self._inquiries.pop(reject.business_reject_ref_id, None)

    def _timer(self, now: int, timer: Timer) -> None:
        _TIMERS[timer.key](self, now)

    def _ask_again(self, now: int) -> None:
        self._asking = False
        self._inquiries = {key: one for key, one in self._inquiries.items() if key in self.orders}
        for key in self._inquiries:
            self._ask(now, self.orders[key])
        self._withdraw(now)
        if self._inquiries:
            self._ask_later(now)

    # --- withdrawal

    def _command(self, now: int, command: Command) -> None:
        """Cancel: now, one by one, or by the venue's own cancel-all, and then one by one what that has left."""
        by_venue = command.verb == "cancel_all"
        for order in {id(order): order for order in self.orders.values()}.values():
            if not order.done and command.strategy in ("", self._owner[order.request.cl_ord_id]):
                self._withdrawals.add(order, now + ASK_EVERY_NS if by_venue else now)
        if by_venue:
            self._outbox.send(command)
        self._withdraw(now)

    def _withdraw(self, now: int) -> None:
        for order in self._withdrawals.ready(now):
            strategy = self._owner[order.request.cl_ord_id]
            self._cancel(now, self._withdrawals.request(now, order, strategy, self._owner.__contains__))
        if self._withdrawals:
            self._ask_later(now)

    # --- reconciliation

    def _recover(self, now: int) -> None:
        """The process came back: no answer that was under way will come, and no wake.

        Its clock may have been set meanwhile, so what left before is taken to have left now: proof of absence may come too late,
        and never too early.
        """
        self._asking = False
        self._sent = dict.fromkeys(self._sent, now)
        for inquiry in self._inquiries.values():
            inquiry.sent = dict.fromkeys(inquiry.sent, now)
        self._reconcile(now, waited=0)
        self._withdraw(now)

    def _reconcile(self, now: int, waited: int = SETTLED_NS) -> None:
        """Ask for all executions since the last complete answer, and for every order here that is not new; what was asked of it
        and is not answered by now is in doubt, whether or not anybody noticed that the answer is missing.
        """
        self._outbox.send(OrderMassStatusRequest(self.symbol, now, now, now, self._complete_until))
        for order in {id(order): order for order in self.orders.values()}.values():
            first = order.request.cl_ord_id
            asked = [*([] if order.acknowledged else [first]), *order.asked]
            sent = {key: self._sent.get(key, now - waited) for key in asked}
            overdue = {key: at for key, at in sent.items() if at <= now - waited and order.doubt(key)}
            if overdue or self._sent.get(first, 0) <= now - waited:
                self._inquire(now, order, overdue)

    def _reconciled(self, now: int, answered: OrderMassStatusRequest) -> None:
        """The session hands the request back when its answer is complete; `transact_time` is then the venue's time at which it
        asked, and nothing that old is asked for again.
        """
        self._complete_until = max(self._complete_until, answered.transact_time - SETTLED_NS)


_TIMERS: Mapping[str, Callable[[Gateway, int], None]] = {
    "inquire": Gateway._ask_again,
    "reconcile": Gateway._reconcile,
    "recover": Gateway._recover,
}
_ROUTES: Mapping[type[Message], Callable[[Gateway, int, Any], None]] = {
    NewOrderSingle: Gateway._new,
    OrderCancelRequest: Gateway._cancel,
    OrderCancelReplaceRequest: Gateway._replace,
    ExecutionReport: Gateway._report,
    OrderCancelReject: Gateway._cancel_reject,
    Unanswered: Gateway._unanswered,
    BusinessMessageReject: Gateway._not_found,
    OrderMassStatusRequest: Gateway._reconciled,
    Timer: Gateway._timer,
    Command: Gateway._command,
}
