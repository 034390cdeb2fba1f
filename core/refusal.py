"""How this house refuses a request before any venue sees it: the same FIX messages that a venue would send."""

from __future__ import annotations

from core.message import (
    ExecType,
    ExecutionReport,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdStatus,
)


def order_refused(now: int, order: NewOrderSingle, exec_id: str, text: str) -> ExecutionReport:
    """The report that rejects a new order; `text` begins with who refused."""
    return ExecutionReport(
        symbol=order.symbol,
        transact_time=now,
        received=now,
        now=now,
        cl_ord_id=order.cl_ord_id,
        exec_id=exec_id,
        exec_type=ExecType.REJECTED,
        ord_status=OrdStatus.REJECTED,
        side=order.side,
        ord_type=order.ord_type,
        time_in_force=order.time_in_force,
        price=order.price,
        order_qty=order.order_qty,
        text=text,
        strategy=order.strategy,
    )


def request_refused(
    now: int, request: OrderCancelRequest | OrderCancelReplaceRequest, status: OrdStatus, reason: int, text: str
) -> OrderCancelReject:
    """The reject of a cancel or replace; `status` is the order's, `reason` is FIX CxlRejReason(102)."""
    return OrderCancelReject(
        symbol=request.symbol,
        transact_time=now,
        received=now,
        now=now,
        cl_ord_id=request.cl_ord_id,
        orig_cl_ord_id=request.orig_cl_ord_id,
        ord_status=status,
        cxl_rej_response_to="F" if isinstance(request, OrderCancelRequest) else "G",
        cxl_rej_reason=reason,
        text=text,
        strategy=request.strategy,
    )
