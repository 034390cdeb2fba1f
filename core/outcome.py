"""What an answer proves about a request whose outcome is unknown: one table.

A request is transmitted at most once. When no answer comes that proves anything (a timeout, a 5XX, a broken connection), the
order is queried, never sent again. Three things end the doubt: a report on the stream, a status answer, or absence that has
lasted: the venue forwards nothing older than the request's window and gives up its own processing after 10 s, so "not found",
and "unchanged" after a cancel or replace, prove something only when said later than that, and "not found" only when said twice.
Until then the request counts in full. Rows are what was asked and what the status answer says; without a row it is asked again.

| asked | the venue says | that proves |
|---|---|---|
| any | ended | the end, which answers all requests |
| cancel, replace | filled | it came too late: refused |
| new | open | it was accepted |
| new | not found, late and twice | it never arrived: Rejected |
| replace | open or filled with the terms asked | it was accepted |
| cancel, replace | open with the old terms, late | it never arrived: refused |

(The rules and the ten seconds: Binance USD-M futures, General Info, as of 2026-10.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct, structs

from core.message import (
    ExecType,
    ExecutionReport,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrdStatus,
)
from core.order import Order
from core.refusal import request_refused

WINDOW_NS: Final = 2_000_000_000
"""recvWindow of our requests: the venue refuses what is older when it arrives."""
PROOF_NS: Final = WINDOW_NS + 12_000_000_000
"""How long after a request left its absence proves something: the window, the venue's own 10 s, and 2 s of margin."""
ASK_EVERY_NS: Final = 1_000_000_000
"""Between two queries about one order: weight 1 of the venue's 2,400 a minute."""
MISSES: Final = 2
ENDS: Final = {
    OrdStatus.CANCELED: ExecType.CANCELED,
    OrdStatus.EXPIRED: ExecType.EXPIRED,
    OrdStatus.REJECTED: ExecType.REJECTED,
}
STANDING: Final = (OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED, OrdStatus.FILLED)


class Inquiry(Struct):
    """What is being asked about one order: when its requests in doubt left, by id, and how often it was late and not found."""

    sent: dict[str, int]
    misses: int = 0

    def late(self, cl_ord_id: str, now: int) -> bool:
        """Whether the request under this id can no longer reach the venue's engine."""
        return cl_ord_id in self.sent and now > self.sent[cl_ord_id] + PROOF_NS


def proved(order: Order, inquiry: Inquiry, now: int, status: ExecutionReport) -> Iterator[ExecutionReport | OrderCancelReject]:
    """The reports that a status answer (ExecType I, made after the order's executions were reported) amounts to.

    Their ids are made of what they say, so that the same truth learnt twice makes the same report.
    """
    if status.ord_status in ENDS:
        if order.working or order.unknown:
            yield _as(order, status, ENDS[status.ord_status], status.ord_status)
    elif status.ord_status in STANDING:
        if not order.acknowledged:
            yield _as(order, status, ExecType.NEW, status.ord_status)
        for request in [order.asked[cl_ord_id] for cl_ord_id in order.unknown if cl_ord_id in order.asked]:
            if isinstance(request, OrderCancelReplaceRequest) and _terms(request) == _terms(status):
                report = _as(order, status, ExecType.REPLACED, status.ord_status)
                report.cl_ord_id, report.orig_cl_ord_id = request.cl_ord_id, request.orig_cl_ord_id
                yield report
            elif status.ord_status == OrdStatus.FILLED:
                yield request_refused(now, request, order.status, 0, "gateway: the order was filled before")
            elif inquiry.late(request.cl_ord_id, now):
                yield request_refused(now, request, order.status, 99, "gateway: the venue never took this request")


def absent(order: Order, inquiry: Inquiry, now: int) -> ExecutionReport | None:
    """The order was not found: the report that it never arrived, once that is proved; only a new order in doubt can be absent."""
    if order.acknowledged or not inquiry.late(order.request.cl_ord_id, now):
        return None
    inquiry.misses += 1
    if inquiry.misses < MISSES:
        return None
    said = ExecutionReport(order.symbol, now, now, cl_ord_id=order.cl_ord_id, price=order.price, order_qty=order.order_qty)
    report = _as(order, said, ExecType.REJECTED, OrdStatus.REJECTED)
    report.order_id = ""
    report.text = "gateway: the order never reached the venue"
    return report


def _terms(one: OrderCancelReplaceRequest | ExecutionReport) -> tuple[int, int]:
    return one.price, one.order_qty


def _as(order: Order, status: ExecutionReport, exec_type: ExecType, ord_status: OrdStatus) -> ExecutionReport:
    """The report that would have said on the stream what the status answer says."""
    request = order.request
    leaves = status.leaves_qty if ord_status in STANDING else 0
    return structs.replace(
        status,
        cl_ord_id=order.cl_ord_id,
        exec_id=f"status-{request.cl_ord_id}-{exec_type.value}-{status.transact_time}",
        exec_type=exec_type,
        ord_status=ord_status,
        side=request.side,
        ord_type=request.ord_type,
        time_in_force=request.time_in_force,
        leaves_qty=leaves,
        last_qty=0,
        last_px=0,
        strategy=request.strategy,
    )
