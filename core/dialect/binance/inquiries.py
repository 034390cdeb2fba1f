"""What became of an order, and of everything: the gateways' questions, answered from what the venue says when it is asked.

An order's state comes after its executions, as a status answer must (`core/message.py`, OrderStatusRequest). A mass status is the
executions since a time, then the states of all open orders, then the request itself, handed back: only if all of it was answered.
An unanswered question is not answered at all; gateways ask again.

Executions are paged by their numbers, and by weeks while none is known yet: the venue gives at most seven days in one answer, and
three months in all. The list names orders by the venue's number alone; their client ids are asked for where nobody said them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Final

from msgspec.structs import replace

from core.codec import WireError
from core.dialect.binance import answers, rest
from core.dialect.binance.answers import Answer, Execution
from core.dialect.binance.errors import Proof
from core.dialect.binance.roster import Roster
from core.dialect.binance.wire import SECOND, Flow, Wire, judged
from core.instrument import Instrument
from core.message import BusinessMessageReject, ExecutionReport, OrderMassStatusRequest, OrderStatusRequest

KNOWS_NOTHING: Final = 1
"""FIX BusinessRejectReason(380): unknown id."""
WEEK_NS: Final = 7 * 86_400 * SECOND - SECOND
HISTORY_NS: Final = 89 * 86_400 * SECOND
"""The venue lists executions of three months."""
PAGES_MAX: Final = 1_000

Rows = Generator["rest.Request | int", Answer | None, "list[Execution] | None"]


class Inquiries:
    """Questions under way. `opened`: from when on executions count, by symbol; what was before is in the opening position."""

    def __init__(
        self,
        wire: Wire,
        roster: Roster,
        instruments: Mapping[str, Instrument],
        report: Callable[[ExecutionReport], None],
        complete: Callable[[str, int, list[ExecutionReport], list[ExecutionReport]], None],
    ) -> None:
        """`report` takes executions and states that were asked for; `complete` is called with symbol, when it was asked (ns UTC),
        executions and open orders of each mass status that is complete.
        """
        self.opened: dict[str, int] = {}
        self._wire, self._roster, self._instruments = wire, roster, instruments
        self._report, self._complete = report, complete
        self._asking: set[str] = set()

    def ask(self, request: OrderStatusRequest | OrderMassStatusRequest) -> None:
        """Take a gateway's question."""
        if isinstance(request, OrderStatusRequest):
            self.status(request)
        else:
            self.everything(request)

    def status(self, request: OrderStatusRequest) -> None:
        """Ask what became of one order; while the same question is under way it is not asked again."""
        venue_id = self._roster.venue_id(request.cl_ord_id)
        if venue_id not in self._asking:
            self._asking.add(venue_id)
            self._wire.start(self._status(request.symbol, request.cl_ord_id, venue_id))

    def _status(self, symbol: str, cl_ord_id: str, venue_id: str) -> Flow:
        try:
            answer = yield from self._wire.insist(rest.query(symbol, venue_id), 1)
            proof = judged(answer).proof
            if proof == Proof.NOT_FOUND and answer is not None:
                text = answers.refusal(answer.body)[1]
                now = self._wire.now
                node = f"gateway:{symbol}"
                self._wire.say(node, BusinessMessageReject(symbol, now, now, 0, "H", cl_ord_id, KNOWS_NOTHING, text))
            if proof != Proof.CONFIRMED or answer is None:
                return
            state = answers.order(answer.body, self._wire.now, self._instruments)
            if state.cum_qty:
                of = yield from self._wire.insist(rest.executions_of(symbol, state.order_id), 1)
                if of is None or judged(of).proof != Proof.CONFIRMED:
                    return
                for one in answers.executions(of.body, self._wire.now, self._instruments[symbol]):
                    self._tell(one, venue_id)
            self._roster.name(state.order_id, venue_id)
            state.cl_ord_id = cl_ord_id
            self._report(state)
        except WireError as error:
            self._wire.tell(1, "an answer that is none", f"{venue_id}: {error}")
        finally:
            self._asking.discard(venue_id)

    def _tell(self, one: Execution, venue_id: str) -> ExecutionReport | None:
        if one.report is None:
            self._wire.tell(2, "an execution that cannot be booked", one.reason)
            return None
        one.report.cl_ord_id = venue_id
        self._report(one.report)
        return one.report

    def everything(self, request: OrderMassStatusRequest) -> None:
        """Ask for all executions since a time, and for all open orders; one such question an instrument at a time."""
        key = f"all of {request.symbol}"
        if key not in self._asking:
            self._asking.add(key)
            self._wire.start(self._everything(request, key))

    def _everything(self, request: OrderMassStatusRequest, key: str) -> Flow:
        symbol, asked_at, asked_there = request.symbol, self._wire.now, self._wire.venue_now
        try:
            since = max(request.since, self.opened.get(symbol, 0))
            rows = yield from self._executions(symbol, since)
            answer = yield from self._wire.insist(rest.open_orders(symbol))
            if rows is None or answer is None or judged(answer).proof != Proof.CONFIRMED:
                self._wire.tell(1, "reconciliation found no answer", symbol)
                return
            states = answers.orders(answer.body, self._wire.now, self._instruments)
            for state in states:
                self._roster.name(state.order_id, state.cl_ord_id)
            yield from self._named(symbol, rows)
            told = [
                report
                for one in rows
                if (report := self._tell(one, self._roster.number(one.order_id) or f"number-{one.order_id}"))
            ]
            for state in states:
                self._report(state)
            self._roster.standing(symbol, [one.cl_ord_id for one in states], asked_at)
            # the gateway asks from there on next time, perhaps in another life of its process, whose clock was set since
            self._wire.say(f"gateway:{symbol}", replace(request, transact_time=asked_there))
            self._complete(symbol, asked_at, told, states)
        except WireError as error:
            self._wire.tell(1, "an answer that is none", f"{symbol}: {error}")
        finally:
            self._asking.discard(key)

    def _name(self, order_id: str) -> str:
        return self._roster.number(order_id) or f"number-{order_id}"

    def _named(self, symbol: str, rows: list[Execution]) -> Flow:
        """Learn the client ids of orders that are known by their number alone; who cannot be asked about stays nameless."""
        for order_id in dict.fromkeys(one.order_id for one in rows):
            if self._roster.number(order_id) is None:
                answer = yield from self._wire.insist(rest.query_number(symbol, order_id), 3)
                if answer is not None and judged(answer).proof == Proof.CONFIRMED:
                    state = answers.order(answer.body, self._wire.now, self._instruments)
                    self._roster.name(order_id, state.cl_ord_id)

    def _executions(self, symbol: str, since: int) -> Rows:
        """All executions from a time (the venue's, ns UTC) on; None when a page was not answered."""
        instrument = self._instruments[symbol]
        oldest = self._wire.venue_now - HISTORY_NS
        if since < oldest:
            self._wire.tell(2, "executions are older than the venue lists", f"{symbol}: some may be missing")
            since = oldest
        found: list[Execution] = []
        for _ in range(PAGES_MAX):
            until = since + WEEK_NS
            asked = rest.executions_from(symbol, found[-1].number + 1) if found else rest.executions(symbol, since, until)
            answer = yield from self._wire.insist(asked)
            if answer is None or judged(answer).proof != Proof.CONFIRMED:
                return None
            page = answers.executions(answer.body, self._wire.now, instrument)
            bounded = not found and until < self._wire.venue_now
            found += sorted(page, key=lambda one: one.number)
            if bounded:
                since = until
            elif len(page) < rest.PAGE:
                return found
        return None
