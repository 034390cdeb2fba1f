"""All that the paper venue has said: what it answers questions from, as a venue's own books would."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

from msgspec import structs

from core.codec import decode, encode
from core.message import ExecType, ExecutionReport, OrdStatus
from core.ports import Store


class PaperLog:
    """Every report, in order; with a store, those of earlier lives first."""

    def __init__(self, store: Store | None = None) -> None:
        self.said: list[ExecutionReport] = []
        self._store = store
        self._states: dict[str, ExecutionReport] = {}
        self._order_of: dict[str, str] = {}
        for entry in store.entries() if store is not None else ():
            report = decode(entry)
            if isinstance(report, ExecutionReport):
                self._note(report)

    def keep(self, report: ExecutionReport) -> None:
        """Note a report, before anybody is told. Raises OSError when the store does not take it; it is noted all the same."""
        self._note(copy(report))
        if self._store is not None:
            self._store.append(encode(report))

    def _note(self, report: ExecutionReport) -> None:
        self.said.append(report)
        order_id = report.order_id or report.cl_ord_id
        self._states[order_id] = report
        self._order_of[report.cl_ord_id] = order_id

    def open(self, symbol: str = "") -> list[ExecutionReport]:
        """The last report of each order that has quantity left, of one instrument or of all."""
        return [one for one in self._states.values() if one.leaves_qty and symbol in ("", one.symbol)]

    def state(self, cl_ord_id: str) -> ExecutionReport | None:
        """What became of an order, as an answer to a question; None for one that is not known."""
        order_id = self._order_of.get(cl_ord_id)
        if order_id is None:
            return None
        return structs.replace(
            self._states[order_id], exec_id="", exec_type=ExecType.ORDER_STATUS, cl_ord_id=cl_ord_id, last_qty=0
        )

    def trades(self, symbol: str, since: int = 0, order_id: str = "") -> Iterator[ExecutionReport]:
        """The executions of an instrument since a time, of one order or of all."""
        for one in self.said:
            mine = one.symbol == symbol and one.transact_time >= since and order_id in ("", one.order_id)
            if mine and one.exec_type == ExecType.TRADE:
                yield copy(one)

    def left_open(self, now: int) -> list[ExecutionReport]:
        """Reports that cancel what still worked when an earlier life ended."""
        return [
            structs.replace(
                one, transact_time=now, received=now, exec_id=f"{one.order_id}-end", exec_type=ExecType.CANCELED,
                ord_status=OrdStatus.CANCELED, leaves_qty=0, last_qty=0, last_px=0, commission_e8=0, orig_cl_ord_id="",
                text="the paper venue began anew",
            )
            for one in self.open()
        ]  # fmt: skip
