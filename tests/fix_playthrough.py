"""Play FIX order state scenarios against the order: `python -m tests.fix_playthrough FILE.json`.

A scenario is a list of rows as in the matrices of FIX 4.4, volume 4: requests that come in, reports that go out. Each row becomes
the message that it describes, *without its status*; the order takes it, and what the order then shows is compared with what the
row prints: OrdStatus, and OrderQty, CumQty and LeavesQty where they are given. An `alt` row is another ending: it is played on a
copy of the state before it. Rows that the file lists as known irregularities are named and do not fail.

The matrices print less than a report carries, so three things are made up here: a time (the row's day and number), an ExecID
a row (a report printed a second time keeps its first one), and, for a bust or correction that names none, the
execution which explains the printed CumQty.

Exit codes: 0 all as printed, 1 not all, 2 the file cannot be played.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from core.message import (
    ExecType,
    ExecutionReport,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdStatus,
)
from core.order import DAY_NS, Order

Row = Mapping[str, Any]

AMENDMENTS = (ExecType.TRADE_CANCEL, ExecType.TRADE_CORRECT)
OTHER_NAMES = {
    "fill": ExecType.TRADE, "partialfill": ExecType.TRADE, "partiallyfilled": ExecType.TRADE, "filled": ExecType.TRADE,
    "1": ExecType.TRADE, "2": ExecType.TRADE, "tradecorrection": ExecType.TRADE_CORRECT, "correct": ExecType.TRADE_CORRECT,
    "cancel": ExecType.CANCELED, "cancelled": ExecType.CANCELED, "bust": ExecType.TRADE_CANCEL, "replace": ExecType.REPLACED,
    "reject": ExecType.REJECTED, "restatement": ExecType.RESTATED, "status": ExecType.ORDER_STATUS, "": ExecType.ORDER_STATUS,
    "triggered": ExecType.RESTATED, "triggeredoractivatedbysystem": ExecType.RESTATED,
}  # fmt: skip
"""What FIX 4.2 and 5.0 and people call them. A trigger says that the order goes on as it stands, as a restatement does."""


def plain(name: object) -> str:
    """A name without its case, blanks and punctuation; what stands in parentheses is a comment."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\(.*", "", str(name or "")).lower())


EXEC_TYPES = {plain(one.name): one for one in ExecType} | {plain(one.value): one for one in ExecType} | OTHER_NAMES
STATUSES = {plain(one.name): one for one in OrdStatus} | {plain(one.value): one for one in OrdStatus}
STATUSES["cancelled"] = OrdStatus.CANCELED
TRANSACTIONS = {"cancel": ExecType.TRADE_CANCEL, "correct": ExecType.TRADE_CORRECT, "status": ExecType.ORDER_STATUS}
"""FIX 4.2's ExecTransType, where a row has one."""


class ScenarioError(ValueError):
    """The file is not a scenario file, or a row of it cannot be read."""


def number(row: Row, name: str) -> int | None:
    """A quantity of a row; None where the matrix prints none."""
    value = row.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str) or int(value) != float(value):
        raise ScenarioError(f"{name} {value!r} is not a whole number")
    return int(value)


class Stage:
    """What is on stage in one scenario: the orders, by every id that they have had, and the reports so far."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.reports: list[ExecutionReport] = []
        self.asked: dict[str, int] = {}
        self.rows = 0

    def find(self, row: Row) -> Order | None:
        """The order that a row is about, by its own id or by the one that it was known under."""
        ids = (row.get("cl_ord_id"), row.get("orig_cl_ord_id"))
        return next((self.orders[one] for one in ids if one in self.orders), None)

    def play(self, row: Row) -> Order | None:
        """Take a row; returns the order that it was about, None for one that nobody knows."""
        self.rows += 1
        act = ACTS.get(plain(row.get("message")))
        return act(self, row) if act else self.find(row)

    def new(self, row: Row) -> Order:
        """A NewOrderSingle under a known id is a resend or a duplicate: the order that has the id goes on."""
        cl_ord_id = row.get("cl_ord_id") or ""
        request = NewOrderSingle(cl_ord_id=cl_ord_id, order_qty=number(row, "order_qty") or 0)
        return self.orders.setdefault(cl_ord_id, Order(request))

    def cancel(self, row: Row) -> Order | None:
        """An OrderCancelRequest."""
        order = self.find(row)
        if order is not None:
            order.request_cancel(OrderCancelRequest(cl_ord_id=row["cl_ord_id"], orig_cl_ord_id=row.get("orig_cl_ord_id") or ""))
            self.orders.setdefault(row["cl_ord_id"], order)
        return order

    def replace(self, row: Row) -> Order | None:
        """An OrderCancelReplaceRequest."""
        order, qty = self.find(row), number(row, "order_qty") or 0
        if order is not None:
            ids = {"cl_ord_id": row["cl_ord_id"], "orig_cl_ord_id": row.get("orig_cl_ord_id") or ""}
            order.request_replace(OrderCancelReplaceRequest(**ids, order_qty=qty))
            self.orders.setdefault(row["cl_ord_id"], order)
            self.asked[row["cl_ord_id"]] = qty
        return order

    def reject(self, row: Row) -> Order | None:
        """An OrderCancelReject."""
        order = self.find(row)
        if order is not None:
            order.on_cancel_reject(OrderCancelReject(cl_ord_id=row["cl_ord_id"], orig_cl_ord_id=row.get("orig_cl_ord_id") or ""))
        return order

    def report(self, row: Row) -> Order | None:
        """An ExecutionReport; the first word of an order that came by telephone makes it known."""
        order, exec_type = self.find(row), exec_type_of(row)
        if order is None:
            if exec_type in (ExecType.ORDER_STATUS, ExecType.REJECTED):
                return None
            order = self.new(row)
        self.orders.setdefault(row.get("cl_ord_id") or "", order)
        report = self.written(row, order, exec_type)
        order.on_report(report)
        self.reports.append(report)
        return order

    def written(self, row: Row, order: Order, exec_type: ExecType) -> ExecutionReport:
        """The message that a row describes."""
        last_qty, cum_qty = number(row, "last_qty"), number(row, "cum_qty")
        if exec_type == ExecType.TRADE:  # of the two quantities of a trade one follows from the other
            last_qty = max((cum_qty or 0) - order.cum_qty, 0) if last_qty is None else last_qty
            cum_qty = order.cum_qty + last_qty if cum_qty is None else cum_qty
        last_qty = last_qty or 0
        report = ExecutionReport(
            transact_time=time_of(row) + self.rows,
            cl_ord_id=row.get("cl_ord_id") or "",
            orig_cl_ord_id=row.get("orig_cl_ord_id") or "",
            exec_id=str(row.get("exec_id") or f"row {self.rows}"),
            exec_type=exec_type,
            order_qty=number(row, "order_qty") or 0,
            cum_qty=order.cum_qty if cum_qty is None else cum_qty,
            leaves_qty=number(row, "leaves_qty") or 0,
            last_qty=last_qty,
            last_px=number(row, "last_px") or 100,
        )
        if exec_type in AMENDMENTS:
            fill = self.referred(row, order, report)
            report.exec_ref_id = str(row.get("exec_ref_id") or (fill.exec_id if fill else ""))
            if exec_type == ExecType.TRADE_CORRECT and not last_qty and fill:
                report.last_qty = fill.last_qty + report.cum_qty - order.cum_qty
        elif exec_type == ExecType.TRADE and last_qty and report.cum_qty == order.cum_qty and not row.get("exec_id"):
            self.recognise(report)
        return report

    def recognise(self, report: ExecutionReport) -> None:
        """A trade that leaves CumQty where it was is a report sent again or, in FIX 4.2, the guarantee of a trade to come."""
        same = (report.exec_type, report.cum_qty, report.last_qty, report.leaves_qty)
        for one in self.reports:
            if (one.exec_type, one.cum_qty, one.last_qty, one.leaves_qty) == same:
                report.exec_id = one.exec_id
                return
        report.exec_type = ExecType.STOPPED

    def referred(self, row: Row, order: Order, report: ExecutionReport) -> ExecutionReport | None:
        """The execution that a bust or correction is about: the one named, or the last that explains the printed CumQty."""
        named = row.get("exec_ref_id")
        fills = [one for one in order.executions if not named or one.exec_id == str(named)]
        gone = order.cum_qty - report.cum_qty + (report.last_qty if report.exec_type == ExecType.TRADE_CORRECT else 0)
        explained = [one for one in fills if one.last_qty == (gone or report.last_qty)]
        return (explained or fills or [None])[-1]


ACTS = {
    "newordersingle": Stage.new, "neworder": Stage.new, "ordercancelrequest": Stage.cancel, "cancelrequest": Stage.cancel,
    "ordercancelreplacerequest": Stage.replace, "replacerequest": Stage.replace, "ordermodificationrequest": Stage.replace,
    "ordercancelreject": Stage.reject, "cancelreject": Stage.reject, "executionreport": Stage.report, "execution": Stage.report,
}  # fmt: skip
"""Whatever else happens (a status request, a telephone call, a trading halt) tells an order nothing."""


def exec_type_of(row: Row) -> ExecType:
    """What kind of report a row is. Raises ScenarioError for a name that nobody uses."""
    found = EXEC_TYPES.get(plain(row.get("exec_type")))
    if found is None:
        raise ScenarioError(f"unknown exec_type {row.get('exec_type')!r}")
    return TRANSACTIONS.get(plain(row.get("exec_trans_type")), found)


def time_of(row: Row) -> int:
    """The start of the row's day in ns; rows without a day are all of one."""
    found = re.match(r"\D*(\d+)\s*,", str(row.get("time", "")))
    return int(found[1]) * DAY_NS if found else 0


def differences(row: Row, order: Order | None, asked: Mapping[str, int]) -> Iterator[str]:
    """What a row prints and the order does not show, in words. An order that nobody knows is Rejected and has no quantities."""
    wanted, got = STATUSES.get(plain(row["ord_status"])), order.status if order else OrdStatus.REJECTED
    if wanted is None:
        raise ScenarioError(f"unknown ord_status {row['ord_status']!r}")
    if wanted != got:
        yield f"OrdStatus {spoken(wanted)} expected, {spoken(got)} shown"
    for name in ("order_qty", "cum_qty", "leaves_qty") if order else ():
        printed, shown = number(row, name), getattr(order, name)
        if printed is not None and printed != shown and not looks_ahead(row, order, asked):
            yield f"{name} {printed} expected, {shown} shown"


def looks_ahead(row: Row, order: Order | None, asked: Mapping[str, int]) -> bool:
    """Whether a pending report prints the terms of the request that it is chained to, as in D.2.b, before they hold."""
    pending = exec_type_of(row) in (ExecType.PENDING_REPLACE, ExecType.PENDING_CANCEL)
    qty, cum, leaves = (number(row, name) for name in ("order_qty", "cum_qty", "leaves_qty"))
    others = [asked[one] for one in order.cl_ord_ids if one in asked and one != row.get("cl_ord_id")] if order else []
    return pending and order is not None and qty in others and cum == order.cum_qty and leaves == (qty or 0) - cum


def spoken(status: OrdStatus) -> str:
    """As the standard writes it."""
    return status.name.replace("_", " ").title().replace(" For ", " for ")


def play(document: Mapping[str, Any]) -> tuple[list[str], int, int, int]:
    """Play all scenarios: lines to print, rows as printed, rows with a status, rows not as printed that nobody knows of."""
    entries = (re.match(r"\s*(\S+)\s+step\s+([^\s:]+)", str(one)) for one in document.get("known_irregularities") or ())
    known = {(found[1], found[2]) for found in entries if found}
    lines, good, total, bad = [], 0, 0, 0
    for scenario in document["scenarios"]:
        stage, ref = Stage(), str(scenario["ref"])
        for row in scenario["steps"]:
            scene = deepcopy(stage) if row.get("path") == "alt" else stage
            order = scene.play(row)
            if not row.get("ord_status"):
                continue
            total += 1
            found = "; ".join(differences(row, order, scene.asked))
            irregular = (ref, str(row["time"])) in known
            good, bad = good + (not found), bad + bool(found and not irregular)
            if found:
                what = f"{ref} step {row['time']}: {row['message']} {row.get('exec_type') or ''}".rstrip()
                lines.append(f"{what}: {found}{' (known irregularity)' if irregular else ''}")
    return lines, good, total, bad


def main(arguments: list[str]) -> int:
    """Play the file that is named; returns the exit code."""
    if len(arguments) != 1:
        print("usage: python -m tests.fix_playthrough FILE.json", file=sys.stderr)
        return 2
    try:
        lines, good, total, bad = play(json.loads(Path(arguments[0]).read_text()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"{arguments[0]}: cannot be played: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    for line in lines:
        print(line)
    print(f"{good} of {total} rows as printed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
