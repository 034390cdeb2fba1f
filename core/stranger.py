"""Orders that this house never sent: another session's, or the venue's own (a liquidation).

They count like ours from the first report that speaks of them, and belong to nobody (strategy ""). What of one was executed
before this house's record begins is in the position that the account began from: the order knows of it, the ledger does not.
"""

from __future__ import annotations

from msgspec import structs

from core.message import ExecType, ExecutionReport, NewOrderSingle
from core.order import Order


def stranger(report: ExecutionReport) -> Order:
    """The order that a report about no order of ours speaks of, as if it had been asked for."""
    return Order(
        NewOrderSingle(
            report.symbol, report.transact_time, report.received, report.now, report.orig_cl_ord_id or report.cl_ord_id,
            report.side, report.ord_type, report.time_in_force, report.price, report.order_qty,
        )
    )  # fmt: skip


def found(status: ExecutionReport) -> tuple[Order, ExecutionReport]:
    """An open order that only a status answer speaks of (its executions since the record's beginning would have come first), and
    the report by which it becomes known."""
    order = stranger(status)
    if status.cum_qty:
        before = structs.replace(status, exec_type=ExecType.TRADE, exec_id=f"before-{status.cl_ord_id}", last_qty=status.cum_qty)
        order.on_report(before)
    return order, structs.replace(status, exec_type=ExecType.NEW, exec_id=f"found-{status.cl_ord_id}", last_qty=0, last_px=0)
