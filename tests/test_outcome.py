"""What a status answer proves, row by row of the table, through the gateway that asks."""

from __future__ import annotations

import pytest

from core.gateway import UNKNOWN_ORDER, Gateway
from core.message import (
    BusinessMessageReject,
    ExecType,
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassStatusRequest,
    OrderStatusRequest,
    OrdStatus,
    Timer,
    Unanswered,
)
from core.outcome import PROOF_NS

S = 10**9
SYMBOL = "BTCUSDT"


class Story:
    """A gateway with one new order `a` of ten lots at 100, sent at second 1."""

    def __init__(self, acknowledged: bool = True) -> None:
        self.gateway = Gateway(SYMBOL)
        self.gateway.bind(self)
        self.sent: list[Message] = []
        self.wakes: list[tuple[int, str]] = []
        self.at(1, NewOrderSingle(SYMBOL, now=S, cl_ord_id="a", price=100, order_qty=10, strategy="mm"))
        if acknowledged:
            self.at(1, self.report(ExecType.NEW, OrdStatus.NEW, leaves_qty=10, exec_id="v1"))

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def wake(self, at: int, key: str = "") -> None:
        self.wakes.append((at, key))

    def record(self, entry: Message) -> None: ...

    def at(self, second: float, message: Message) -> list[Message]:
        """Hand a message over; what the gateway sent because of it."""
        before = len(self.sent)
        self.gateway.on(round(second * S), message)
        return self.sent[before:]

    def report(self, exec_type: ExecType, status: OrdStatus, price: int = 100, qty: int = 10, **more: object) -> ExecutionReport:
        fields = {"order_id": "7", "cl_ord_id": "a", **more}
        return ExecutionReport(SYMBOL, exec_type=exec_type, ord_status=status, price=price, order_qty=qty, **fields)  # type: ignore[arg-type]

    def status(self, second: float, status: OrdStatus, **more: object) -> list[Message]:
        return self.at(second, self.report(ExecType.ORDER_STATUS, status, **more))  # type: ignore[arg-type]

    def timeout(self, cl_ord_id: str, orig: str = "", sent: float = 1, now: float = 3) -> list[Message]:
        return self.at(now, Unanswered(SYMBOL, round(sent * S), cl_ord_id=cl_ord_id, orig_cl_ord_id=orig))

    def not_found(self, second: float) -> list[Message]:
        return self.at(
            second, BusinessMessageReject(SYMBOL, business_reject_ref_id="a", ref_msg_type="H", business_reject_reason=1)
        )

    @property
    def unknown(self) -> bool:
        return any(order.unknown for order in self.gateway.orders.values())


def kinds(sent: list[Message]) -> list[object]:
    return [one.exec_type if isinstance(one, ExecutionReport) else type(one) for one in sent]


LATE = 1 + PROOF_NS / S + 0.1


def test_a_timeout_is_told_to_risk_and_asked_about_and_asked_again_but_nothing_is_sent_twice() -> None:
    story = Story(acknowledged=False)
    assert kinds(story.timeout("a")) == [Unanswered, OrderStatusRequest]
    assert story.wakes == [(4 * S, "inquire")]
    assert kinds(story.at(4, Timer(SYMBOL, key="inquire"))) == [OrderStatusRequest]
    assert sum(isinstance(one, NewOrderSingle) for one in story.sent) == 1
    assert story.unknown


def test_a_timeout_that_comes_after_the_acknowledgement_is_no_doubt() -> None:
    assert Story().timeout("a") == []


def test_an_order_that_the_venue_has_was_accepted_and_saying_so_twice_says_it_once() -> None:
    story = Story(acknowledged=False)
    story.timeout("a")
    assert kinds(story.status(3.1, OrdStatus.NEW, leaves_qty=10)) == [ExecType.NEW]
    assert not story.unknown
    assert story.status(3.2, OrdStatus.NEW, leaves_qty=10) == []


@pytest.mark.parametrize("status", [OrdStatus.CANCELED, OrdStatus.EXPIRED, OrdStatus.REJECTED])
def test_an_order_that_has_ended_there_ends_here(status: OrdStatus) -> None:
    story = Story()
    (report,) = story.status(5, status)
    assert isinstance(report, ExecutionReport)
    assert report.ord_status == status
    assert report.leaves_qty == 0
    assert not story.gateway.orders


def test_an_answer_that_counts_executions_not_yet_reported_waits_for_them() -> None:
    story = Story()
    assert story.status(5, OrdStatus.CANCELED, cum_qty=4) == []
    story.at(5, story.report(ExecType.TRADE, OrdStatus.PARTIALLY_FILLED, exec_id="t1", last_qty=4, last_px=100))
    assert kinds(story.status(5, OrdStatus.CANCELED, cum_qty=4)) == [ExecType.CANCELED]


def test_absence_proves_nothing_while_the_order_could_still_arrive() -> None:
    story = Story(acknowledged=False)
    story.timeout("a")
    for second in (3, 5, 9, 14):
        assert story.not_found(second) == []
    assert story.unknown


def test_absence_twice_after_the_window_ends_the_order() -> None:
    story = Story(acknowledged=False)
    story.timeout("a")
    assert story.not_found(LATE) == []
    assert kinds(story.not_found(LATE + 1)) == [ExecType.REJECTED]
    assert not story.gateway.orders


def test_an_execution_of_an_order_that_was_presumed_absent_still_counts_and_opens_it_again() -> None:
    story = Story(acknowledged=False)
    story.timeout("a")
    story.not_found(LATE)
    story.not_found(LATE + 1)
    (fill,) = story.at(40, story.report(ExecType.TRADE, OrdStatus.FILLED, exec_id="t1", last_qty=10, last_px=100))
    assert isinstance(fill, ExecutionReport)
    assert (fill.strategy, fill.cum_qty) == ("mm", 10)


def test_an_order_that_the_venue_acknowledged_is_never_presumed_absent() -> None:
    story = Story()
    story.timeout("c", now=3)
    for second in (LATE, LATE + 1, LATE + 2):
        assert story.not_found(second) == []
    assert story.gateway.orders


def cancel(story: Story) -> None:
    story.at(2, OrderCancelRequest(SYMBOL, now=2 * S, cl_ord_id="c", orig_cl_ord_id="a", strategy="mm"))
    story.timeout("c", "a", sent=2, now=4)


def replace(story: Story) -> None:
    request = OrderCancelReplaceRequest(
        SYMBOL, now=2 * S, cl_ord_id="r", orig_cl_ord_id="a", price=101, order_qty=12, strategy="mm"
    )
    story.at(2, request)
    story.timeout("r", "a", sent=2, now=4)


def test_a_cancel_in_doubt_is_refused_once_the_order_is_open_after_the_window_and_not_before() -> None:
    story = Story()
    cancel(story)
    assert story.status(5, OrdStatus.NEW, leaves_qty=10) == []
    assert kinds(story.status(LATE + 1, OrdStatus.NEW, leaves_qty=10)) == [OrderCancelReject]
    assert not story.unknown


def test_a_cancel_in_doubt_of_an_order_that_was_filled_came_too_late() -> None:
    story = Story()
    cancel(story)
    story.at(4, story.report(ExecType.TRADE, OrdStatus.FILLED, exec_id="t1", last_qty=10, last_px=100))
    (reject,) = story.status(5, OrdStatus.FILLED, cum_qty=10)
    assert isinstance(reject, OrderCancelReject)
    assert reject.cxl_rej_reason == 0
    assert not story.gateway.orders


def test_a_replace_in_doubt_whose_terms_the_order_has_was_accepted() -> None:
    story = Story()
    replace(story)
    (report,) = story.status(5, OrdStatus.NEW, price=101, qty=12, leaves_qty=12)
    assert isinstance(report, ExecutionReport)
    assert (report.exec_type, report.cl_ord_id, report.orig_cl_ord_id) == (ExecType.REPLACED, "r", "a")
    assert story.gateway.orders["r"].price == 101


def test_a_replace_in_doubt_whose_terms_the_order_does_not_have_is_refused_after_the_window() -> None:
    story = Story()
    replace(story)
    assert story.status(5, OrdStatus.NEW, leaves_qty=10) == []
    assert kinds(story.status(LATE + 1, OrdStatus.NEW, leaves_qty=10)) == [OrderCancelReject]


def test_a_cancel_refused_as_unknown_is_no_end_but_a_question() -> None:
    story = Story()
    story.at(2, OrderCancelRequest(SYMBOL, now=2 * S, cl_ord_id="c", orig_cl_ord_id="a", strategy="mm"))
    reject = OrderCancelReject(SYMBOL, cl_ord_id="c", orig_cl_ord_id="a", cxl_rej_reason=UNKNOWN_ORDER)
    assert kinds(story.at(3, reject)) == [OrderStatusRequest, OrderCancelReject]
    assert story.gateway.orders["a"].working


def test_reconciling_asks_for_everything_since_the_last_complete_answer_and_for_each_order_that_is_not_new() -> None:
    story = Story()
    asked, about = story.at(15, Timer(SYMBOL, key="reconcile"))
    assert isinstance(asked, OrderMassStatusRequest)
    assert isinstance(about, OrderStatusRequest)
    assert asked.since == 0
    story.at(16, asked)
    again = story.at(30, Timer(SYMBOL, key="reconcile"))[0]
    assert isinstance(again, OrderMassStatusRequest)
    assert again.since == 13 * S


def test_what_reconciling_finds_twice_is_reported_once_and_under_the_same_id() -> None:
    first, second = Story(), Story()
    (report,) = first.status(20, OrdStatus.CANCELED, transact_time=19 * S)
    assert first.status(21, OrdStatus.CANCELED, transact_time=19 * S) == []
    (same,) = second.status(25, OrdStatus.CANCELED, transact_time=19 * S)
    assert report.exec_id == same.exec_id  # type: ignore[attr-defined]
