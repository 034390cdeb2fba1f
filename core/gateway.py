"""An instrument's gateway node: it keeps the truth about this account's orders on one instrument.

Requests come from risk, already approved; the venue's answers come from the session. The gateway holds one Order an id
chain, sees that ids are unique, refuses what cannot be asked (a cancel of an order that is unknown by this id now, done, or
has a request pending: the venue allows one request in flight an order), and passes every answer on, to the strategy that owns
the order and to risk. Reports for orders that it never sent (a liquidation, another session) are passed on as well: they move the
account's position all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.message import (
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdStatus,
)
from core.node import Outbox
from core.order import Order
from core.refusal import order_refused, request_refused

TOO_LATE, UNKNOWN_ORDER, ALREADY_PENDING, DUPLICATE_ID = 0, 1, 3, 6
"""FIX CxlRejReason(102)."""


class Gateway:
    """Orders of one instrument, by every id that they have had."""

    def __init__(self, symbol: str) -> None:
        self.name = f"gateway:{symbol}"
        self.symbol = symbol
        self.orders: dict[str, Order] = {}
        self._owner: dict[str, str] = {}
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
        self._outbox.send(request)

    def _cancel(self, now: int, request: OrderCancelRequest) -> None:
        order = self._askable(now, request)
        if order is not None:
            order.request_cancel(request)
            self._adopt(request, order)

    def _replace(self, now: int, request: OrderCancelReplaceRequest) -> None:
        order = self._askable(now, request)
        if order is not None:
            order.request_replace(request)
            self._adopt(request, order)

    def _adopt(self, request: OrderCancelRequest | OrderCancelReplaceRequest, order: Order) -> None:
        self.orders[request.cl_ord_id] = order
        self._owner[request.cl_ord_id] = request.strategy
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

    def _report(self, now: int, report: ExecutionReport) -> None:
        order = self.orders.get(report.cl_ord_id) or self.orders.get(report.orig_cl_ord_id)
        if order is not None:
            order.on_report(report)
            self._retire(order)
        report.strategy = self._owner.get(report.cl_ord_id) or self._owner.get(report.orig_cl_ord_id, "")
        report.now = now
        self._outbox.send(report)

    def _cancel_reject(self, now: int, reject: OrderCancelReject) -> None:
        order = self.orders.get(reject.orig_cl_ord_id)
        if order is not None:
            order.on_cancel_reject(reject)
            self._retire(order)
        reject.strategy = self._owner.get(reject.orig_cl_ord_id, "")
        reject.now = now
        self._outbox.send(reject)

    def _retire(self, order: Order) -> None:
        """Let go of a finished order; its ids stay reserved for ever."""
        if order.done:
            for cl_ord_id in order.cl_ord_ids:
                self.orders.pop(cl_ord_id, None)


_ROUTES: Mapping[type[Message], Callable[[Gateway, int, Any], None]] = {
    NewOrderSingle: Gateway._new,
    OrderCancelRequest: Gateway._cancel,
    OrderCancelReplaceRequest: Gateway._replace,
    ExecutionReport: Gateway._report,
    OrderCancelReject: Gateway._cancel_reject,
}
