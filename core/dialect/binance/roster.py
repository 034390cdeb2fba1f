"""Which of our ids is which of the venue's, and which request of ours a report on the stream answers.

An amended order keeps its client id at this venue, while here every request has an id of its own: the first id of an order is the
venue's for ever. An AMENDMENT answers the replace that is under way about the order if it has its terms; a CANCELED answers the
cancel that is under way. Whatever else is said of an order keeps its first id, which the gateway knows.

After a restart the roster is made again from the gateways' recalled requests (`remember`). Ids of orders that ended are kept for
the newest 100,000, because the list of executions names orders by the venue's number alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from core.message import ExecType, ExecutionReport, NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest

KEPT: Final = 100_000

Change = OrderCancelRequest | OrderCancelReplaceRequest


class Roster:
    """Orders by id and number. `open` holds, by symbol, the venue's ids of what may be working."""

    def __init__(self) -> None:
        self.open: dict[str, dict[str, int]] = {}
        self.heard: dict[str, int] = {}
        """When the stream last spoke of an order (ns UTC), by the venue's id; of orders that work or lately did."""
        self._venue_id: dict[str, str] = {}
        self._asked: dict[str, Change] = {}
        self._by_number: dict[str, str] = {}

    def remember(self, request: NewOrderSingle | Change, now: int = 0) -> str:
        """A request left, now or (0) in an earlier life; the venue's id of its order."""
        if isinstance(request, NewOrderSingle):
            venue_id = request.cl_ord_id
            self.open.setdefault(request.symbol, {})[venue_id] = now
        else:
            venue_id = self.venue_id(request.orig_cl_ord_id)
            self._asked[venue_id] = request
        self._venue_id[request.cl_ord_id] = venue_id
        while len(self._venue_id) > KEPT:
            first = next(iter(self._venue_id))
            kept = self._venue_id.pop(first)
            if first not in self.open.get(request.symbol, {}):
                break
            self._venue_id[first] = kept
        return venue_id

    def venue_id(self, cl_ord_id: str) -> str:
        """The id by which the venue knows the order that had this id of ours; one that we never gave is the venue's own."""
        return self._venue_id.get(cl_ord_id, cl_ord_id)

    def ours(self, venue_id: str) -> bool:
        """Whether this house sent the order."""
        return venue_id in self._venue_id

    def number(self, order_id: str) -> str | None:
        """The client id of the order that the venue numbers so; None where nobody said it yet."""
        return self._by_number.get(order_id)

    def name(self, order_id: str, venue_id: str) -> None:
        """The venue numbers this order so."""
        self._by_number[order_id] = venue_id
        _bound(self._by_number)

    def learn(self, state: ExecutionReport) -> None:
        """The venue named an order by both its ids, and said what is left of it."""
        if state.cl_ord_id:
            self.name(state.order_id, state.cl_ord_id)
        working = self.open.setdefault(state.symbol, {})
        if state.exec_type == ExecType.TRADE:
            if state.order_qty and state.cum_qty >= state.order_qty:
                self.over(state.symbol, state.cl_ord_id)
        elif state.leaves_qty:
            working.setdefault(state.cl_ord_id, 0)
        else:
            self.over(state.symbol, state.cl_ord_id)

    def standing(self, symbol: str, venue_ids: Iterable[str], asked_at: int) -> None:
        """What the venue said is open, when it was asked at a time (ns UTC); what was sent later is open too."""
        later = {key: sent for key, sent in self.open.get(symbol, {}).items() if sent >= asked_at}
        self.open[symbol] = dict.fromkeys(venue_ids, 0) | later

    def over(self, symbol: str, venue_id: str) -> None:
        """Nothing of the order works."""
        self.open.get(symbol, {}).pop(venue_id, None)

    def refused(self, request: Change) -> None:
        """A cancel or replace was refused: nothing answers it any more."""
        venue_id = self.venue_id(request.cl_ord_id)
        if self._asked.get(venue_id) is request:
            del self._asked[venue_id]

    def told(self, now: int, report: ExecutionReport) -> ExecutionReport:
        """A report of the stream under our ids: as the answer to a request where it is one."""
        self.learn(report)
        venue_id = report.cl_ord_id
        self.heard[venue_id] = now
        _bound(self.heard)
        asked = self._asked.get(venue_id)
        if asked is not None and _answers(report, asked):
            del self._asked[venue_id]
            report.cl_ord_id, report.orig_cl_ord_id = asked.cl_ord_id, asked.orig_cl_ord_id
            if report.exec_type == ExecType.RESTATED:
                report.exec_type = ExecType.REPLACED
        return report


def _answers(report: ExecutionReport, asked: Change) -> bool:
    if isinstance(asked, OrderCancelRequest):
        return report.exec_type == ExecType.CANCELED
    return report.exec_type == ExecType.RESTATED and (report.price, report.order_qty) == (asked.price, asked.order_qty)


def _bound(kept: dict[str, str] | dict[str, int]) -> None:
    if len(kept) > KEPT:
        del kept[next(iter(kept))]
