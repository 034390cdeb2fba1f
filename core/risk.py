"""The account's risk node: every order passes here before it may reach a gateway, and counts against the limits at once.

Limits are the account's, not the strategy's, so this node stands in front of the venue, out of a strategy's reach. What may
still be filled counts in full: an order from the moment it is approved until the venue says that nothing of it is left, and
while replaces are unanswered at the largest quantity that any of them may leave open. Cancels always pass; so does an order
that can only reduce the position. While the outcome of a request is unknown, its order counts in full and its instrument takes
nothing else.

What is refused comes back as an ExecutionReport with ExecType Rejected (a replace: as an OrderCancelReject) and the reason in
words; the venue never sees it. Not here yet, and named so that nobody counts on them: price collar, message rate, repeated
execution, duplicate and self-trade checks, loss limits. They belong to live trading.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from core.instrument import Instrument
from core.ledger import Ledger
from core.message import (
    ExecType,
    ExecutionReport,
    Funding,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdStatus,
    OrdType,
    Unanswered,
)
from core.node import Outbox
from core.price import BUY, E8, Side, sign
from core.refusal import order_refused, request_refused


class Limits(Struct, frozen=True):
    """One instrument's limits, in lots; None: no limit. `order_value` is in 1e-8 of the settlement currency."""

    order_qty: int | None = None
    position: int | None = None
    open_orders: int | None = None
    order_value_e8: int | None = None


class _Working(Struct):
    """An order that may still fill. `asked`: the total quantities of its unanswered replaces, by their own ids."""

    symbol: str
    side: Side
    leaves: int
    cum: int = 0
    asked: dict[str, int] = {}

    @property
    def open_most(self) -> int:
        """Lots that may still fill, whichever of the replaces is accepted."""
        return max(self.leaves, *(qty - self.cum for qty in self.asked.values())) if self.asked else self.leaves


class Risk:
    """Approves or refuses requests; keeps the account's ledger."""

    def __init__(self, instruments: Iterable[Instrument], limits: Mapping[str, Limits], exposure_e8: int | None = None) -> None:
        """`limits` by symbol; `exposure_e8` bounds the value of all positions together, in 1e-8 of the settlement currency."""
        self.name = "risk"
        self.instruments = {one.symbol: one for one in instruments}
        self.limits = limits
        self.exposure_e8 = exposure_e8
        self.ledger = Ledger(self.instruments.values())
        self.approved = 0
        self.refused = 0
        self._working: dict[str, _Working] = {}
        self._doubted: dict[str, Unanswered] = {}
        self._price: dict[str, int] = dict.fromkeys(self.instruments, 0)
        self._outbox: Outbox

    def bind(self, outbox: Outbox) -> None:
        """Receive the outbox from the host."""
        self._outbox = outbox

    def on(self, now: int, message: Message) -> None:
        """Take a request from a strategy or a report from a gateway."""
        if isinstance(message, ExecutionReport):
            self.ledger.apply(message)
            self._release(message)
        elif isinstance(message, NewOrderSingle):
            self._judge(now, message, self._reason_new(message))
        elif isinstance(message, OrderCancelReplaceRequest):
            self._judge_replace(now, message)
        elif isinstance(message, OrderCancelRequest):
            self._outbox.send(message)
        elif isinstance(message, OrderCancelReject):
            self._doubted.pop(message.cl_ord_id, None)
            self._forget_ask(message)
        elif isinstance(message, Unanswered):
            self._doubted[message.cl_ord_id] = message
        elif isinstance(message, Funding):
            self.ledger.fund(message)

    def exposed(self, symbol: str, side: Side) -> int:
        """Signed position, in lots, if everything working on one side were filled."""
        working = sum(one.open_most for one in self._working.values() if one.symbol == symbol and one.side == side)
        return self.ledger.position(symbol) + sign(side) * working

    def _judge(self, now: int, order: NewOrderSingle, reason: str) -> None:
        if reason:
            self.refused += 1
            self._outbox.send(order_refused(now, order, f"risk-{order.cl_ord_id}", f"risk: {reason}"))
        else:
            self.approved += 1
            self._working[order.cl_ord_id] = _Working(order.symbol, order.side, order.order_qty)
            self._learn(order.symbol, order.price)
            self._outbox.send(order)

    def _judge_replace(self, now: int, request: OrderCancelReplaceRequest) -> None:
        working = self._working.get(request.orig_cl_ord_id)
        reason = self._reason_replace(request, working)
        if reason:
            self.refused += 1
            self._outbox.send(request_refused(now, request, OrdStatus.NEW, 2, f"risk: {reason}"))
        else:
            if working:
                working.asked = {**working.asked, request.cl_ord_id: request.order_qty}
            self._outbox.send(request)

    def _reason_replace(self, request: OrderCancelReplaceRequest, working: _Working | None) -> str:
        """A replace counts by what it adds; one of an order that is not known, which a gateway will refuse, counts whole."""
        if working is None:
            if request.symbol not in self.instruments:
                return f"{request.symbol} is not traded by this account"
            return self._reason(request.symbol, request.side, request.price, request.order_qty, request.order_qty)
        more = max(request.order_qty - working.cum - working.open_most, 0)
        return self._reason(working.symbol, working.side, request.price, request.order_qty, more)

    def _reason_new(self, order: NewOrderSingle) -> str:
        if order.symbol not in self.instruments:
            return f"{order.symbol} is not traded by this account"
        if order.order_qty <= 0:
            return f"quantity {order.order_qty} is not positive"
        if order.cl_ord_id in self._working:
            return f"ClOrdID {order.cl_ord_id} is in use"
        limit = self.limits.get(order.symbol, Limits()).open_orders
        if limit is not None and sum(one.symbol == order.symbol for one in self._working.values()) >= limit:
            return f"open orders at the limit of {limit}"
        price = order.price if order.ord_type == OrdType.LIMIT else self._price[order.symbol]
        return self._reason(order.symbol, order.side, price, order.order_qty, order.order_qty)

    def _reason(self, symbol: str, side: Side, price: int, qty: int, more: int) -> str:
        limits = self.limits.get(symbol, Limits())
        if limits.order_qty is not None and qty > limits.order_qty:
            return f"quantity {qty} lots is above the limit of {limits.order_qty}"
        value = round(self.instruments[symbol].value(price, qty) * E8)
        if limits.order_value_e8 is not None and value > limits.order_value_e8:
            return f"order value {value / E8:,.2f} is above the limit of {limits.order_value_e8 / E8:,.2f}"
        position = self.ledger.position(symbol)
        after = self.exposed(symbol, side) + sign(side) * more
        if abs(after) <= abs(position) and after * position >= 0:
            return ""
        if self._doubted and any(one.symbol == symbol for one in self._doubted.values()):
            return "the outcome of an earlier request is unknown: only cancels and what reduces the position until it is proved"
        if more and limits.position is not None and sign(side) * after > limits.position:
            return f"position could reach {after} lots, the limit is {limits.position}"
        if self.exposure_e8 is not None and self._exposure_e8(symbol, after, price) > self.exposure_e8:
            return f"the account's exposure would pass the limit of {self.exposure_e8 / E8:,.2f}"
        return ""

    def _exposure_e8(self, symbol: str, after: int, price: int) -> int:
        total = self.instruments[symbol].value(price, abs(after))
        for other, instrument in self.instruments.items():
            if other != symbol and self._price[other]:
                worst = max(abs(self.exposed(other, BUY)), abs(self.exposed(other, 2)))
                total += instrument.value(self._price[other], worst)
        return round(total * E8)

    def _learn(self, symbol: str, price: int) -> None:
        """Until something was executed, the price of an order is all that is known of a price."""
        self._price[symbol] = self._price[symbol] or price

    def _release(self, report: ExecutionReport) -> None:
        if report.exec_type == ExecType.TRADE:
            self._price[report.symbol] = report.last_px
        if self._doubted:
            self._decide(report)
        working = self._working.pop(report.cl_ord_id, None) or self._working.pop(report.orig_cl_ord_id, None)
        if working is None:
            return
        working.leaves, working.cum = report.leaves_qty, report.cum_qty
        working.asked = {key: qty for key, qty in working.asked.items() if key != report.cl_ord_id}
        if report.leaves_qty or report.ord_status in (OrdStatus.PENDING_CANCEL, OrdStatus.PENDING_REPLACE):
            self._working[report.cl_ord_id] = working

    def _decide(self, report: ExecutionReport) -> None:
        """A report decides what was unknown of its own id, and, when nothing is left of the order, of every request about it."""
        ids = (report.cl_ord_id, report.orig_cl_ord_id)
        for cl_ord_id, one in tuple(self._doubted.items()):
            if cl_ord_id == report.cl_ord_id or (not report.leaves_qty and one.orig_cl_ord_id in ids):
                del self._doubted[cl_ord_id]

    def _forget_ask(self, reject: OrderCancelReject) -> None:
        working = self._working.get(reject.orig_cl_ord_id)
        if working is not None:
            working.asked = {key: qty for key, qty in working.asked.items() if key != reject.cl_ord_id}
