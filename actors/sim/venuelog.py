"""What a venue said, all of it and true: what checkers hold a run against, and what questions are answered from."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

from msgspec import structs

from core.message import ExecType, ExecutionReport


class VenueLog:
    """Every report of one instrument's venue.

    It answers by the id that an order came under, whatever a replace made of it since.
    """

    def __init__(self) -> None:
        self.said: list[ExecutionReport] = []
        self.states: dict[str, ExecutionReport] = {}
        """The last report of each order, by the venue's id."""
        self._order_id: dict[str, str] = {}
        self._first: dict[str, str] = {}

    def add(self, report: ExecutionReport) -> None:
        """The venue made a report."""
        self.said.append(copy(report))
        self.states[report.order_id] = copy(report)
        self._order_id[report.cl_ord_id] = report.order_id
        self._first.setdefault(report.order_id, report.cl_ord_id)

    @property
    def open(self) -> dict[str, ExecutionReport]:
        """The last report of each order that has quantity left."""
        return {key: one for key, one in self.states.items() if one.leaves_qty}

    def knows(self, cl_ord_id: str) -> bool:
        """Whether any report was about an order under this id."""
        return cl_ord_id in self._order_id

    def first_ids(self) -> dict[str, str]:
        """The id that each order came under, by all that it has had."""
        return {key: self._first[order_id] for key, order_id in self._order_id.items()}

    def answer(self, cl_ord_id: str) -> Iterator[ExecutionReport]:
        """An order's executions, then its state."""
        order_id = self._order_id[cl_ord_id]
        for one in self.said:
            if one.order_id == order_id and one.exec_type == ExecType.TRADE:
                yield structs.replace(one, cl_ord_id=cl_ord_id, orig_cl_ord_id="")
        yield self._state(order_id, cl_ord_id)

    def answer_all(self, since: int) -> Iterator[ExecutionReport]:
        """Executions since a time (ns UTC), then the state of each open order."""
        for one in self.said:
            if one.exec_type == ExecType.TRADE and one.transact_time >= since:
                yield structs.replace(one, cl_ord_id=self._first[one.order_id], orig_cl_ord_id="")
        for order_id in self.open:
            yield self._state(order_id, self._first[order_id])

    def _state(self, order_id: str, cl_ord_id: str) -> ExecutionReport:
        last = self.states[order_id]
        return structs.replace(
            last, exec_id="", exec_type=ExecType.ORDER_STATUS, cl_ord_id=cl_ord_id, orig_cl_ord_id="", last_qty=0
        )
