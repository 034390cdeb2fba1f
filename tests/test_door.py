"""The door: what left equals what was approved, byte for byte, and the first difference stops trading."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from core.message import (
    Command,
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassStatusRequest,
    OrderStatusRequest,
    OrdStatus,
    SecurityStatus,
    TradingState,
)
from core.price import SELL
from core.refusal import order_refused, request_refused
from core.risk.door import WAITING_MAX, Door, digest
from tests.guarded import ORDERS, Desk, cancel, new, replace


def test_what_risk_approves_leaves_and_the_counts_agree() -> None:
    desk = Desk()
    orders = [new(qty=3), new(SELL, 2), new(qty=1)]
    for order in orders:
        assert desk.ask(order) == ""
        desk.accept(order)
    desk.ask(replace(orders[0], 1_001, 4))
    desk.ask(cancel(orders[1]))
    door = desk.doors["BTCUSDT"]
    assert (door.approved, door.left, door.cancels, door.refused, door.waiting) == (4, 4, 1, 0, {})
    assert desk.left() == [one for name, one in desk.sent if name == "door:BTCUSDT"]


@pytest.mark.parametrize(
    "damage",
    [{"price": 1_001}, {"order_qty": 2}, {"side": SELL}, {"cl_ord_id": "other"}, {"strategy": "b"}, {"reduce_only": True}],
)
def test_a_planted_difference_stops_trading_with_the_message_that_shows_it(damage: dict[str, Any]) -> None:
    desk = Desk()
    order = new()
    wrong = structs.replace(order, **damage)
    desk.nodes["gateway:BTCUSDT"] = _Planted(desk.gateways["BTCUSDT"], wrong)
    assert "door: " in desk.ask(order)
    assert desk.left() == []
    assert desk.alarms() == ["what left is not what was approved", "all instruments: halt, by door"]
    assert "halted by door" in desk.ask(new())
    assert "halted by door" in desk.ask(new(symbol="ETHUSDT"))
    assert desk.left() == desk.left("ETHUSDT") == []


class _Planted:
    """A gateway that passes something else on than it was given."""

    def __init__(self, gateway: Any, wrong: NewOrderSingle) -> None:
        self.gateway, self.wrong = gateway, wrong

    def on(self, now: int, message: Any) -> None:
        self.gateway.on(now, self.wrong if isinstance(message, NewOrderSingle) else message)


def test_nothing_that_risk_never_saw_and_nothing_twice() -> None:
    for again in (False, True):
        desk = Desk()
        order = new()
        if again:
            desk.ask(order)
        desk.hand("door:BTCUSDT", order)
        assert "without risk's approval, or a second time" in desk.doors["BTCUSDT"].closed
        assert sum(isinstance(one, ORDERS) for one in desk.left()) == again


def test_a_closed_door_lets_cancels_and_questions_out_and_a_person_opens_it() -> None:
    desk = Desk()
    resting = new()
    desk.ask(resting)
    desk.accept(resting)
    desk.hand("door:BTCUSDT", replace(resting, 1, 1))
    assert isinstance(desk.sent[-1][1], OrderCancelReject | SecurityStatus)
    assert any(isinstance(one, OrderCancelReject) and "door: " in one.text for one in desk.heard["a"])
    for message in (cancel(resting), OrderStatusRequest("BTCUSDT"), OrderMassStatusRequest("BTCUSDT")):
        desk.hand("door:BTCUSDT", message)
        assert desk.left()[-1] is message
    approved = Command("BTCUSDT", verb="approved", argument="x y")
    desk.hand("door:BTCUSDT", approved)
    desk.hand("door:BTCUSDT", new())
    assert desk.doors["BTCUSDT"].refused == 2
    desk.tell("resume", "Ada")
    assert desk.doors["BTCUSDT"].closed == ""
    assert desk.ask(new()) == ""


def test_what_a_gateway_refuses_never_leaves_and_is_forgotten_in_the_end() -> None:
    desk = Desk()
    order = new()
    desk.ask(order)
    desk.cancel(order.cl_ord_id)
    desk.hand("risk", structs.replace(order))
    door = desk.doors["BTCUSDT"]
    assert (door.left, len(door.waiting)) == (1, 1)
    for number in range(WAITING_MAX + 5):
        door.on(0, Command("BTCUSDT", verb="approved", argument=f"{number} digest"))
    assert len(door.waiting) == WAITING_MAX


def test_the_words_for_the_session_pass_the_door() -> None:
    desk = Desk()
    desk.tell("kill", "fire")
    assert [one.verb for one in desk.left()] == ["cancel_all"]
    assert isinstance(desk.doors["BTCUSDT"], Door)
    assert desk.heard["a"][-1].state == TradingState.HALT
    assert not [one for one in desk.left() if isinstance(one, OrderCancelRequest | OrderCancelReplaceRequest | ExecutionReport)]


def test_what_the_host_could_not_let_go_has_not_left_and_its_gateway_hears_of_it() -> None:
    order = new()
    change = replace(order, 1_001, 4)
    door, outbox = Door("BTCUSDT"), Kept()
    door.bind(outbox)
    for request in (order, change):
        door.on(0, Command("BTCUSDT", verb="approved", argument=f"{request.cl_ord_id} {digest(request)}"))
        door.on(0, request)
    assert door.left == 2
    door.on(0, order_refused(0, order, f"host-{order.cl_ord_id}", "host: the journal takes nothing"))
    door.on(0, request_refused(0, change, OrdStatus.NEW, 99, "host: the journal takes nothing"))
    assert (door.left, door.refused, door.closed) == (0, 2, "")
    assert [type(one) for one in outbox.sent[2:]] == [ExecutionReport, OrderCancelReject]


class Kept:
    """An outbox that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def wake(self, at: int, key: str = "") -> None:
        raise AssertionError("a door asks for no wakes")

    def record(self, entry: Message) -> None:
        raise AssertionError("a door has no journal")
