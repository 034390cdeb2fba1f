"""The gateway: ids, one request in flight an order, and every answer to whom it concerns."""

from __future__ import annotations

import pytest

from core.gateway import ALREADY_PENDING, DUPLICATE_ID, TOO_LATE, UNKNOWN_ORDER, Gateway
from core.message import (
    ExecType,
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdStatus,
)


class Desk:
    """A gateway and everything that it sends."""

    def __init__(self) -> None:
        self.gateway = Gateway("BTCUSDT")
        self.gateway.bind(self)
        self.sent: list[Message] = []
        self.executions = 0

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def wake(self, at: int, key: str = "") -> None: ...

    def record(self, entry: Message) -> None: ...

    def ask(self, message: Message) -> Message:
        """Hand a request over; what the gateway did with it."""
        self.gateway.on(5, message)
        return self.sent[-1]

    def report(self, cl_ord_id: str, kind: ExecType, status: OrdStatus, orig: str = "", **more: int) -> ExecutionReport:
        self.executions += 1
        report = ExecutionReport(
            symbol="BTCUSDT", cl_ord_id=cl_ord_id, orig_cl_ord_id=orig, exec_id=str(self.executions), exec_type=kind,
            ord_status=status, **more,
        )  # fmt: skip
        self.gateway.on(9, report)
        assert self.sent[-1] is report
        return report

    def working(self, cl_ord_id: str = "a") -> None:
        """An order that the venue has."""
        self.ask(new(cl_ord_id))
        self.report(cl_ord_id, ExecType.NEW, OrdStatus.NEW, order_qty=10, leaves_qty=10)


def new(cl_ord_id: str, strategy: str = "mm") -> NewOrderSingle:
    return NewOrderSingle("BTCUSDT", cl_ord_id=cl_ord_id, price=100, order_qty=10, strategy=strategy)


def cancel(cl_ord_id: str, orig: str) -> OrderCancelRequest:
    return OrderCancelRequest("BTCUSDT", cl_ord_id=cl_ord_id, orig_cl_ord_id=orig, strategy="mm")


def replace(cl_ord_id: str, orig: str, qty: int = 12) -> OrderCancelReplaceRequest:
    return OrderCancelReplaceRequest("BTCUSDT", cl_ord_id=cl_ord_id, orig_cl_ord_id=orig, price=100, order_qty=qty, strategy="mm")


def refused(answer: Message, reason: int) -> None:
    assert isinstance(answer, OrderCancelReject)
    assert (answer.cxl_rej_reason, answer.strategy) == (reason, "mm")


def test_an_approved_order_goes_to_the_venue_as_it_is() -> None:
    desk, order = Desk(), new("a")
    assert desk.ask(order) is order
    assert desk.gateway.orders["a"].request is order


def test_an_id_is_used_once_for_ever() -> None:
    desk = Desk()
    desk.working("a")
    desk.report("a", ExecType.TRADE, OrdStatus.FILLED, last_qty=10, last_px=100)
    assert "a" not in desk.gateway.orders
    answer = desk.ask(new("a", "another"))
    assert isinstance(answer, ExecutionReport)
    assert (answer.exec_type, answer.strategy) == (ExecType.REJECTED, "another")


@pytest.mark.parametrize("request_of", [cancel, replace])
def test_a_request_whose_id_another_order_has_is_refused_and_the_other_order_stays(request_of: type) -> None:
    desk = Desk()
    desk.working("a")
    desk.working("b")
    refused(desk.ask(request_of("b", "a")), DUPLICATE_ID)
    assert desk.gateway.orders["b"].request.cl_ord_id == "b"


@pytest.mark.parametrize("request_of", [cancel, replace])
def test_a_request_about_an_unknown_order_is_answered_without_the_venue(request_of: type) -> None:
    answer = Desk().ask(request_of("c", "nobody"))
    refused(answer, UNKNOWN_ORDER)
    assert isinstance(answer, OrderCancelReject)
    assert answer.ord_status == OrdStatus.REJECTED


def test_one_request_is_in_flight_an_order() -> None:
    desk = Desk()
    desk.working()
    assert isinstance(desk.ask(replace("r", "a")), OrderCancelReplaceRequest)
    refused(desk.ask(cancel("c", "a")), ALREADY_PENDING)
    desk.report("r", ExecType.REPLACED, OrdStatus.NEW, orig="a", order_qty=12, leaves_qty=12)
    assert isinstance(desk.ask(cancel("c2", "r")), OrderCancelRequest)


def test_an_order_is_known_by_its_present_id_alone() -> None:
    """By an id that a replace took away, or that a refused one never gave, risk would not know what is asked for."""
    desk = Desk()
    desk.working()
    desk.ask(replace("r", "a"))
    desk.report("r", ExecType.REPLACED, OrdStatus.NEW, orig="a", order_qty=12, leaves_qty=12)
    refused(desk.ask(replace("r2", "a", 50)), UNKNOWN_ORDER)
    desk.ask(replace("r3", "r"))
    desk.gateway.on(9, OrderCancelReject("BTCUSDT", cl_ord_id="r3", orig_cl_ord_id="r"))
    refused(desk.ask(replace("r4", "r3", 50)), UNKNOWN_ORDER)
    assert isinstance(desk.ask(cancel("c", "r")), OrderCancelRequest)


def test_an_order_is_let_go_when_its_late_cancel_is_refused_and_not_before() -> None:
    desk = Desk()
    desk.working()
    desk.ask(cancel("c", "a"))
    desk.report("a", ExecType.TRADE, OrdStatus.FILLED, last_qty=10, last_px=100)
    assert desk.gateway.orders
    refused(desk.ask(cancel("c2", "a")), ALREADY_PENDING)
    desk.gateway.on(9, OrderCancelReject("BTCUSDT", cl_ord_id="c", orig_cl_ord_id="a"))
    assert not desk.gateway.orders
    refused(desk.ask(cancel("c3", "a")), UNKNOWN_ORDER)


def test_a_cancel_of_an_order_that_is_done_comes_too_late() -> None:
    desk = Desk()
    desk.working()
    desk.gateway.orders["a"].on_report(
        ExecutionReport("BTCUSDT", cl_ord_id="a", exec_id="x", exec_type=ExecType.EXPIRED, ord_status=OrdStatus.EXPIRED)
    )
    refused(desk.ask(cancel("c", "a")), TOO_LATE)


def test_a_fill_after_the_cancel_still_reaches_the_strategy() -> None:
    desk = Desk()
    desk.working()
    desk.ask(cancel("c", "a"))
    desk.report("c", ExecType.CANCELED, OrdStatus.CANCELED, orig="a")
    assert not desk.gateway.orders
    assert desk.report("a", ExecType.TRADE, OrdStatus.CANCELED, last_qty=3, last_px=100).strategy == "mm"


def test_a_report_about_an_order_that_we_never_sent_is_passed_on_as_nobodys() -> None:
    desk = Desk()
    report = desk.report("autoclose-1", ExecType.TRADE, OrdStatus.FILLED, last_qty=3, last_px=90)
    assert (report.strategy, report.now) == ("", 9)


def test_a_refused_cancel_is_its_owners() -> None:
    desk = Desk()
    desk.working()
    desk.ask(cancel("c", "a"))
    reject = OrderCancelReject("BTCUSDT", cl_ord_id="c", orig_cl_ord_id="a")
    desk.gateway.on(9, reject)
    assert desk.sent[-1] is reject
    assert (reject.strategy, reject.now) == ("mm", 9)
    assert desk.gateway.orders["a"].working


def test_a_fill_told_under_an_older_id_of_the_order_is_passed_on_under_the_id_that_it_has_now() -> None:
    """A venue that keeps the first id, or a report that comes late: risk and strategies know the order by its newest."""
    desk = Desk()
    desk.working()
    desk.ask(replace("b", "a"))
    desk.report("b", ExecType.REPLACED, OrdStatus.NEW, orig="a", order_qty=12, leaves_qty=12)
    late = desk.report("a", ExecType.TRADE, OrdStatus.PARTIALLY_FILLED, last_qty=4, last_px=100, transact_time=1)
    assert (late.cl_ord_id, late.cum_qty, late.leaves_qty) == ("b", 4, 8)
