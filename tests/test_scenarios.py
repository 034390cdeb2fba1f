"""What has gone wrong for others, each as a story: the causes are in the records of the projects that it happened to."""

from __future__ import annotations

import pytest

from core.gateway import UNKNOWN_ORDER, Gateway
from core.instrument import Instrument, Key
from core.ledger import Ledger
from core.message import (
    BusinessMessageReject,
    ExecType,
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelRequest,
    OrderMassStatusRequest,
    OrderStatusRequest,
    OrdStatus,
    Timer,
    Unanswered,
)
from core.outcome import PROOF_NS
from tests.tiny_day import BTC, SECOND

SYMBOL = "BTCUSDT"


class Account:
    """A gateway whose venue is this test, and the ledger that hears of what it passes on."""

    def __init__(self) -> None:
        self.gateway = Gateway(SYMBOL)
        self.gateway.bind(self)
        self.ledger = Ledger([BTC])
        self.out: list[Message] = []
        self.now = 100_000 * SECOND

    def send(self, message: Message) -> None:
        self.out.append(message)
        if isinstance(message, ExecutionReport):
            self.ledger.apply(message)

    def wake(self, at: int, key: str = "") -> None: ...

    def record(self, entry: Message) -> None: ...

    def take(self, message: Message, after: int = 0) -> list[Message]:
        """Hand the gateway a message, some time later; what it sends."""
        self.now += after
        self.out.clear()
        self.gateway.on(self.now, message)
        return list(self.out)

    def timer(self, key: str, after: int) -> list[Message]:
        return self.take(Timer("", key=key), after)

    @property
    def position(self) -> int:
        return self.ledger.position(SYMBOL)


def new(cl_ord_id: str = "a", qty: int = 5) -> NewOrderSingle:
    return NewOrderSingle(SYMBOL, cl_ord_id=cl_ord_id, price=100, order_qty=qty, strategy="mm")


def report(kind: ExecType, status: OrdStatus, exec_id: str = "", cum: int = 0, last: int = 0, at: int = 0) -> ExecutionReport:
    leaves = 0 if status in (OrdStatus.FILLED, OrdStatus.CANCELED) else 5 - cum
    return ExecutionReport(
        SYMBOL, at, order_id="77", cl_ord_id="a", exec_id=exec_id, exec_type=kind, ord_status=status, price=100, order_qty=5,
        cum_qty=cum, leaves_qty=leaves, last_qty=last, last_px=100 if last else 0,
    )  # fmt: skip


def unanswered(cl_ord_id: str, at: int, original: str = "") -> Unanswered:
    return Unanswered(SYMBOL, at, cl_ord_id=cl_ord_id, orig_cl_ord_id=original, text="timed out")


def orders(sent: list[Message]) -> list[Message]:
    return [one for one in sent if isinstance(one, NewOrderSingle)]


def test_an_acknowledgement_between_the_timeout_and_the_retry_leaves_nothing_to_retry() -> None:
    account = Account()
    account.take(new())
    left = account.now
    asked = account.take(unanswered("a", left), 2 * SECOND)
    assert not orders(asked)
    assert any(isinstance(one, OrderStatusRequest) for one in asked)
    account.take(report(ExecType.NEW, OrdStatus.NEW, "e1"))
    assert not orders(account.timer("inquire", SECOND))
    assert not account.gateway.orders["a"].unknown


def test_a_fill_of_an_instrument_that_is_not_loaded_is_kept_and_counts_once_it_is() -> None:
    ledger = Ledger([])
    fill = report(ExecType.TRADE, OrdStatus.FILLED, "e9", cum=5, last=5)
    assert not ledger.apply(fill)
    ledger.admit(BTC)
    assert ledger.position(SYMBOL) == 5
    assert not ledger.apply(fill), "heard of again it is the same fill"
    other = Instrument(Key("binance_usdm", "ETHUSDT"), "0.01", "0.001")
    ledger.admit(other)
    assert ledger.position("ETHUSDT") == 0


def test_the_same_truth_learnt_twice_makes_the_same_reports_and_the_second_changes_nothing() -> None:
    told: list[list[str]] = []
    for _ in range(2):
        account = Account()
        account.take(new())
        account.take(unanswered("a", account.now), 2 * SECOND)
        heard = account.take(report(ExecType.TRADE, OrdStatus.PARTIALLY_FILLED, "t1", cum=2, last=2))
        heard += account.take(report(ExecType.ORDER_STATUS, OrdStatus.PARTIALLY_FILLED, cum=2, at=account.now))
        told.append([one.exec_id for one in heard if isinstance(one, ExecutionReport)])
        again = account.take(report(ExecType.TRADE, OrdStatus.PARTIALLY_FILLED, "t1", cum=2, last=2), SECOND)
        again += account.take(report(ExecType.ORDER_STATUS, OrdStatus.PARTIALLY_FILLED, cum=2, at=account.now))
        assert not [one for one in again if isinstance(one, ExecutionReport)]
        assert account.position == 2
    assert told[0] == told[1]


def test_fills_during_a_disconnect_are_asked_for_afterwards() -> None:
    account = Account()
    account.take(new())
    account.take(report(ExecType.NEW, OrdStatus.NEW, "e1"))
    account.take(report(ExecType.TRADE, OrdStatus.PARTIALLY_FILLED, "t1", cum=1, last=1))
    asked = account.timer("reconcile", 20 * SECOND)  # the connection broke in between; two fills fell into the gap
    assert any(isinstance(one, OrderMassStatusRequest) for one in asked)
    assert any(isinstance(one, OrderStatusRequest) for one in asked)
    for cum, exec_id in ((1, "t1"), (3, "t2"), (5, "t3")):
        status = OrdStatus.FILLED if cum == 5 else OrdStatus.PARTIALLY_FILLED
        account.take(report(ExecType.TRADE, status, exec_id, cum=cum, last=1 if cum == 1 else 2))
    account.take(report(ExecType.ORDER_STATUS, OrdStatus.FILLED, cum=5, at=account.now))
    assert account.position == 5
    assert not account.gateway.orders


def test_a_healthy_stream_that_drops_a_fill_is_found_out_by_the_periodic_question() -> None:
    account = Account()
    account.take(new())
    account.take(report(ExecType.NEW, OrdStatus.NEW, "e1"))
    account.timer("reconcile", 20 * SECOND)
    assert account.take(report(ExecType.ORDER_STATUS, OrdStatus.FILLED, cum=5, at=account.now)) == [], "not before its executions"
    assert account.gateway.orders["a"].working
    account.take(report(ExecType.TRADE, OrdStatus.FILLED, "t1", cum=5, last=5))
    account.take(report(ExecType.ORDER_STATUS, OrdStatus.FILLED, cum=5, at=account.now))
    assert account.position == 5
    assert not account.gateway.orders


@pytest.mark.parametrize("truth", [OrdStatus.CANCELED, OrdStatus.FILLED, OrdStatus.NEW])
def test_a_cancel_that_found_nothing_proves_nothing_and_the_answer_to_a_question_does(truth: OrdStatus) -> None:
    account = Account()
    account.take(new())
    account.take(report(ExecType.NEW, OrdStatus.NEW, "e1"))
    account.take(OrderCancelRequest(SYMBOL, cl_ord_id="c", orig_cl_ord_id="a", strategy="mm"), SECOND)
    refused = OrderCancelReject(
        SYMBOL, cl_ord_id="c", orig_cl_ord_id="a", cxl_rej_reason=UNKNOWN_ORDER, text="Unknown order sent."
    )
    asked = account.take(refused)
    assert any(isinstance(one, OrderStatusRequest) for one in asked)
    assert account.gateway.orders["a"].working, "-2011 is no end"
    if truth == OrdStatus.FILLED:
        account.take(report(ExecType.TRADE, truth, "t1", cum=5, last=5))
    account.take(report(ExecType.ORDER_STATUS, truth, cum=5 if truth == OrdStatus.FILLED else 0, at=account.now))
    assert ("a" in account.gateway.orders) == (truth == OrdStatus.NEW)
    assert account.position == (5 if truth == OrdStatus.FILLED else 0)


def test_an_order_whose_sending_failed_in_whatever_way_is_unknown_and_is_never_sent_again() -> None:
    account = Account()
    account.take(new())
    sent = account.take(unanswered("a", account.now), 2 * SECOND)
    for _ in range(60):
        sent += account.timer("inquire", SECOND)
    assert not orders(sent)
    assert account.gateway.orders["a"].unknown


def test_an_order_that_was_never_there_is_rejected_when_that_is_proved_and_not_before() -> None:
    account = Account()
    account.take(new())
    left = account.now
    account.take(unanswered("a", left), 2 * SECOND)
    nowhere = BusinessMessageReject(SYMBOL, ref_msg_type="H", business_reject_ref_id="a", business_reject_reason=1)
    assert account.take(nowhere, 9 * SECOND) == []
    account.now = left + PROOF_NS
    assert account.take(nowhere, 1) == [], "said once"
    (rejected,) = account.take(nowhere, SECOND)
    assert isinstance(rejected, ExecutionReport)
    assert rejected.exec_type == ExecType.REJECTED


def test_a_fill_that_comes_after_absence_was_believed_is_booked_all_the_same() -> None:
    account = Account()
    account.take(new())
    account.take(unanswered("a", account.now), 2 * SECOND)
    nowhere = BusinessMessageReject(SYMBOL, ref_msg_type="H", business_reject_ref_id="a", business_reject_reason=1)
    account.take(nowhere, PROOF_NS)
    account.take(nowhere, SECOND)
    account.take(report(ExecType.TRADE, OrdStatus.FILLED, "t1", cum=5, last=5), SECOND)
    assert account.position == 5


def test_a_request_of_a_machine_whose_clock_is_an_hour_behind_is_not_thought_absent_an_hour_too_early() -> None:
    account = Account()
    early = new()
    early.now = account.now - 3_600 * SECOND
    account.take(early)
    account.timer("reconcile", 3 * SECOND)
    nowhere = BusinessMessageReject(SYMBOL, ref_msg_type="H", business_reject_ref_id="a", business_reject_reason=1)
    assert [account.take(nowhere, SECOND) for _ in range(5)] == [[]] * 5
    assert account.gateway.orders["a"].unknown


def test_a_request_of_a_machine_whose_clock_is_an_hour_ahead_is_asked_about_all_the_same() -> None:
    account = Account()
    late = new()
    late.now = account.now + 3_600 * SECOND
    account.take(late)
    asked = account.timer("reconcile", 3 * SECOND)
    assert any(isinstance(one, OrderStatusRequest) for one in asked)
    assert account.gateway.orders["a"].unknown


def test_executions_are_asked_for_since_the_venues_time_whatever_our_clock_says() -> None:
    account = Account()
    venue = account.now - 3_600 * SECOND
    account.take(OrderMassStatusRequest(SYMBOL, transact_time=venue))
    (asked,) = [one for one in account.timer("reconcile", 20 * SECOND) if isinstance(one, OrderMassStatusRequest)]
    assert asked.since <= venue
