"""The account's working orders as risk counts them: from approval until the venue says that nothing of them is left.

What may still be filled counts in full, and while replaces are unanswered at the largest quantity, and the most aggressive price,
that any of them may leave open. Orders that this house never sent (another session's, the venue's own) count like ours once a
report speaks of them. While the outcome of a request is unknown its instrument is in doubt; a report decides that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from core.message import (
    ExecType,
    ExecutionReport,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrdStatus,
    OrdType,
    Unanswered,
)
from core.price import BUY, Side

ENDS: Final = (ExecType.CANCELED, ExecType.EXPIRED, ExecType.REJECTED)
PENDING: Final = (OrdStatus.PENDING_CANCEL, OrdStatus.PENDING_REPLACE)


class Working(Struct):
    """An order that may still fill. `asked`: total quantity and price of its unanswered replaces, by their own ids.

    A price of 0 is a market order's: any.
    """

    symbol: str
    side: Side
    leaves: int
    price: int = 0
    strategy: str = ""
    cum: int = 0
    asked: dict[str, tuple[int, int]] = {}

    @property
    def open_most(self) -> int:
        """Lots that may still fill, whichever of the replaces is accepted."""
        return max(self.leaves, *(qty - self.cum for qty, _ in self.asked.values())) if self.asked else self.leaves

    def meets(self, price: int) -> bool:
        """Whether an order of the other side at a price (0: any) would trade with this one."""
        prices = [self.price, *(asked for _, asked in self.asked.values())] if self.asked else [self.price]
        if not price or 0 in prices:
            return True
        return max(prices) >= price if self.side == BUY else min(prices) <= price


class WorkingOrders:
    """All of them, by the ids that the venue knows them by."""

    def __init__(self) -> None:
        self._orders: dict[str, Working] = {}
        self._by_symbol: dict[str, dict[str, Working]] = {}
        self._doubted: dict[str, Unanswered] = {}

    def __contains__(self, cl_ord_id: str) -> bool:
        return cl_ord_id in self._orders

    def get(self, cl_ord_id: str) -> Working | None:
        """The order last known by this id."""
        return self._orders.get(cl_ord_id)

    def of(self, symbol: str) -> dict[str, Working]:
        """An instrument's, by id."""
        return self._by_symbol.get(symbol) or {}

    def open_most(self, symbol: str, side: Side, strategy: str | None = None) -> int:
        """Lots of one side that may still fill; of one strategy, or of all."""
        return sum(
            one.open_most
            for one in self.of(symbol).values()
            if one.side == side and (strategy is None or one.strategy == strategy)
        )

    def owned(self, strategy: str) -> bool:
        """Whether anything of a strategy works."""
        return any(one.strategy == strategy for one in self._orders.values())

    def opposite(self, symbol: str, side: Side, price: int) -> Iterator[str]:
        """The ids of orders of the other side that an order at a price (0: any) would trade with."""
        return (key for key, one in self.of(symbol).items() if one.side != side and one.meets(price))

    # --- requests that were approved

    def approve(self, order: NewOrderSingle) -> None:
        """A new order is on its way."""
        price = order.price if order.ord_type == OrdType.LIMIT else 0
        self._put(order.cl_ord_id, Working(order.symbol, order.side, order.order_qty, price, order.strategy))

    def approve_replace(self, working: Working, request: OrderCancelReplaceRequest) -> None:
        """A replace is on its way."""
        working.asked = {**working.asked, request.cl_ord_id: (request.order_qty, request.price)}

    # --- answers

    def report(self, report: ExecutionReport) -> None:
        """What the venue says is left of an order.

        Nothing left is the end of it, unless a replace is unanswered: that may have been accepted, and what was executed since
        may be more than the quantity of before.
        """
        working = self._take(report.cl_ord_id) or self._take(report.orig_cl_ord_id)
        if working is None:
            working = Working(report.symbol, report.side, 0, report.price, report.strategy)
        working.leaves, working.cum = report.leaves_qty, report.cum_qty
        if working.asked:
            accepted = working.asked.get(report.cl_ord_id)
            working.price = accepted[1] if accepted else working.price
            working.asked = {key: terms for key, terms in working.asked.items() if key != report.cl_ord_id}
        ended = not working.leaves and (report.exec_type in ENDS or not working.asked) and report.ord_status not in PENDING
        if self._doubted:
            self._decide(report, ended)
        if not ended and report.cl_ord_id:
            self._put(report.cl_ord_id, working)

    def reject(self, reject: OrderCancelReject) -> None:
        """A cancel or replace was refused: it asks for nothing any more."""
        self._doubted.pop(reject.cl_ord_id, None)
        working = self._orders.get(reject.orig_cl_ord_id)
        if working is not None and working.asked:
            working.asked = {key: terms for key, terms in working.asked.items() if key != reject.cl_ord_id}
            if not working.leaves and not working.asked:
                self._take(reject.orig_cl_ord_id)

    def doubt(self, message: Unanswered) -> None:
        """The outcome of a request is unknown."""
        self._doubted[message.cl_ord_id] = message

    def doubtful(self, symbol: str) -> bool:
        """Whether the outcome of any request about this instrument is unknown."""
        return bool(self._doubted) and any(one.symbol == symbol for one in self._doubted.values())

    def _decide(self, report: ExecutionReport, ended: bool) -> None:
        """A report decides what was unknown of its own id, and, where it is the order's end, of every request about it."""
        ids = (report.cl_ord_id, report.orig_cl_ord_id)
        for cl_ord_id, one in tuple(self._doubted.items()):
            if cl_ord_id == report.cl_ord_id or (ended and one.orig_cl_ord_id in ids):
                del self._doubted[cl_ord_id]

    def _put(self, cl_ord_id: str, working: Working) -> None:
        self._orders[cl_ord_id] = working
        self._by_symbol.setdefault(working.symbol, {})[cl_ord_id] = working

    def _take(self, cl_ord_id: str) -> Working | None:
        working = self._orders.pop(cl_ord_id, None)
        if working is not None:
            del self._by_symbol[working.symbol][cl_ord_id]
        return working
