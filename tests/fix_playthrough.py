"""Play FIX order state scenarios against the order: `python -m tests.fix_playthrough FILE.json`.

A scenario is a list of rows as in the matrices of FIX 4.4, volume 4: requests that come in, reports that go out. Each row becomes
the message it describes, without its status; the order takes it, and what the order then shows is compared with what the
row prints. An `alt` row is an alternative ending: it is played on a copy of the state before it. Rows that the file lists
as known irregularities are reported as such and do not fail.
"""

from __future__ import annotations

import json
import re
import sys
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
    TimeInForce,
)
from core.order import DAY_NS, Order

EXEC_TYPES = {
    "new": ExecType.NEW, "pending new": ExecType.PENDING_NEW, "trade": ExecType.TRADE, "fill": ExecType.TRADE,
    "partial fill": ExecType.TRADE, "partially filled": ExecType.TRADE, "filled": ExecType.TRADE,
    "trade cancel": ExecType.TRADE_CANCEL, "trade correct": ExecType.TRADE_CORRECT, "trade correction": ExecType.TRADE_CORRECT,
    "canceled": ExecType.CANCELED, "cancelled": ExecType.CANCELED, "cancel": ExecType.CANCELED,
    "replace": ExecType.REPLACED, "replaced": ExecType.REPLACED, "pending cancel": ExecType.PENDING_CANCEL,
    "pending replace": ExecType.PENDING_REPLACE, "stopped": ExecType.STOPPED, "suspended": ExecType.SUSPENDED,
    "rejected": ExecType.REJECTED, "expired": ExecType.EXPIRED, "restated": ExecType.RESTATED,
    "calculated": ExecType.CALCULATED, "done for day": ExecType.DONE_FOR_DAY, "order status": ExecType.ORDER_STATUS,
    "status": ExecType.ORDER_STATUS,
}  # fmt: skip
STATUSES = {status.name.replace("_", " "): status for status in OrdStatus}
STATUSES |= {"DONE FOR DAY": OrdStatus.DONE_FOR_DAY, "CANCELLED": OrdStatus.CANCELED}


class ScenarioError(ValueError):
    """The file is not a scenario file, or a row of it cannot be read."""


class Book:
    """The orders of one scenario, by every id they have had, and the executions by the row that made them."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.rejected_ids: set[str] = set()
        self.fills: list[tuple[str, int]] = []
        self.rows = 0

    def find(self, row: dict[str, Any]) -> Order | None:
        """The order that a row is about: by its id or by the one it was known under; the newest first."""
        ids = [one for one in (row.get("orig_cl_ord_id"), row.get("cl_ord_id")) if one]
        for wanted in ids:
            for order in reversed(self.orders):
                if wanted in order.cl_ord_ids:
                    return order
        return None

    def play(self, row: dict[str, Any]) -> Order | None:
        """Take a row; returns the order that it was about, None for one that nobody knows."""
        self.rows += 1
        message = re.sub(r"[^a-z]", "", (row.get("message") or "").lower())
        order = self.find(row)
        if message == "newordersingle":
            return self._new(row, order)
        if order is None:
            return None
        if message == "ordercancelrequest":
            order.request_cancel(OrderCancelRequest(cl_ord_id=row["cl_ord_id"], orig_cl_ord_id=row["orig_cl_ord_id"] or ""))
        elif message in ("ordercancelreplacerequest", "ordermodificationrequest"):
            order.request_replace(
                OrderCancelReplaceRequest(
                    cl_ord_id=row["cl_ord_id"], orig_cl_ord_id=row["orig_cl_ord_id"] or "", order_qty=row.get("order_qty") or 0
                )
            )
        elif message == "ordercancelreject":
            order.on_cancel_reject(OrderCancelReject(cl_ord_id=row["cl_ord_id"], orig_cl_ord_id=row["orig_cl_ord_id"] or ""))
        elif message == "executionreport":
            order.on_report(self._report(row, order))
        return order

    def _new(self, row: dict[str, Any], known: Order | None) -> Order:
        if known is not None and known.request.cl_ord_id == row["cl_ord_id"] and known.request.order_qty == row["order_qty"]:
            return known
        request = NewOrderSingle(cl_ord_id=row["cl_ord_id"], order_qty=row["order_qty"] or 0, time_in_force=TimeInForce.GTC)
        self.orders.append(Order(request))
        return self.orders[-1]

    def _report(self, row: dict[str, Any], order: Order) -> ExecutionReport:
        name = (row.get("exec_type") or "order status").lower().replace("_", " ").strip()
        kind = EXEC_TYPES.get(name)
        if kind is None:
            raise ScenarioError(f"unknown exec_type {row.get('exec_type')!r}")
        exec_id = str(row.get("exec_id") or f"row-{self.rows}")
        qty = int(row.get("last_qty") or 0)
        reference = ""
        if kind in (ExecType.TRADE_CANCEL, ExecType.TRADE_CORRECT):
            reference = str(row.get("exec_ref_id") or self._referred(row, order, kind, qty))
        elif kind == ExecType.TRADE:
            self.fills.append((exec_id, qty))
        day, _, step = str(row.get("time") or "").rpartition(",")
        return ExecutionReport(
            transact_time=int(day) * DAY_NS if day.strip().isdigit() and step else 0,
            cl_ord_id=row.get("cl_ord_id") or "",
            orig_cl_ord_id=row.get("orig_cl_ord_id") or "",
            exec_id=exec_id,
            exec_ref_id=reference,
            exec_type=kind,
            order_qty=int(row.get("order_qty") or 0),
            last_qty=self._corrected(row, order, reference, qty) if kind == ExecType.TRADE_CORRECT else qty,
            last_px=int(row.get("last_px") or 100),
        )

    def _referred(self, row: dict[str, Any], order: Order, kind: ExecType, qty: int) -> str:
        """The execution that a bust or correction without a reference means: by its quantity, else the last one."""
        cum = row.get("cum_qty")
        gone = qty or (order.cum_qty - int(cum) if kind == ExecType.TRADE_CANCEL and cum is not None else 0)
        same = [exec_id for exec_id, size in self.fills if size == gone]
        return (same or [exec_id for exec_id, _ in self.fills] or [""])[-1]

    def _corrected(self, row: dict[str, Any], order: Order, reference: str, qty: int) -> int:
        if qty:
            return qty
        cum, before = row.get("cum_qty"), dict(self.fills).get(reference, 0)
        return before + int(cum) - order.cum_qty if cum is not None else before


def shown(order: Order | None) -> dict[str, Any]:
    """What an order shows; one that nobody knows is Rejected."""
    if order is None:
        return {"ord_status": OrdStatus.REJECTED}
    return {
        "ord_status": order.status,
        "order_qty": order.order_qty,
        "cum_qty": order.cum_qty,
        "leaves_qty": order.leaves_qty,
    }


def mismatch(row: dict[str, Any], order: Order | None) -> str:
    """What differs between a row and the order, in words; "" when nothing does."""
    got = shown(order)
    wanted = {name: row.get(name) for name in got}
    status = STATUSES.get(str(row["ord_status"]).upper().replace("_", " "))
    if status is None:
        raise ScenarioError(f"unknown ord_status {row['ord_status']!r}")
    wanted["ord_status"] = status
    parts = [
        f"{name} {getattr(value, 'name', value)} expected, {getattr(got[name], 'name', got[name])} shown"
        for name, value in wanted.items()
        if value is not None and value != got[name]
    ]
    return ", ".join(parts)


def play(document: dict[str, Any]) -> tuple[list[str], int, int, int]:
    """Play all scenarios: (lines to print, rows as printed, rows with a status, mismatches that are not known)."""
    known = {
        (match[1], match[2])
        for entry in document.get("known_irregularities", [])
        if (match := re.match(r"\s*(\S+)\s+step\s+([^\s:]+)", str(entry)))
    }
    lines, good, total, bad = [], 0, 0, 0
    for scenario in document["scenarios"]:
        book = Book()
        for row in scenario["steps"]:
            stage = deepcopy(book) if row.get("path") == "alt" else book
            order = stage.play(row)
            if not row.get("ord_status"):
                continue
            total += 1
            wrong = mismatch(row, order)
            if not wrong:
                good += 1
                continue
            irregular = (str(scenario["ref"]), str(row["time"])) in known
            bad += not irregular
            note = " (a known irregularity of the standard)" if irregular else ""
            lines.append(f"{scenario['ref']} step {row['time']} {row['message']} {row.get('exec_type') or ''}: {wrong}{note}")
    return lines, good, total, bad


def main(path: str) -> int:
    """Play a file; returns the exit code."""
    try:
        lines, good, total, bad = play(json.loads(Path(path).read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{path}: not a scenario file: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    for line in lines:
        print(line)
    print(f"{good} of {total} rows as printed")
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.fix_playthrough FILE.json")
    sys.exit(main(sys.argv[1]))
