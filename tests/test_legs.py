"""The legs of an order's road, told from tapes."""

from __future__ import annotations

from core.message import ExecType, ExecutionReport, Heartbeat, NewOrderSingle, Tick
from core.study import legs
from core.tape import read, sent, took

MS = 1_000_000
ORDER = NewOrderSingle("BTCUSDT", now=130, cl_ord_id="a", price=100, order_qty=1, strategy="mm")


def account(arrived: int) -> list[bytes]:
    ack = ExecutionReport("BTCUSDT", arrived, 900, cl_ord_id="a", exec_id="1", exec_type=ExecType.NEW)
    return [
        took(200, "risk", ORDER, "market", 1),
        sent(210, "risk", ORDER),
        took(220, "gateway:BTCUSDT", ORDER),
        sent(300, "door:BTCUSDT", ORDER),
        took(910, "gateway:BTCUSDT", ack),
        took(950, "gateway:BTCUSDT", ack),
    ]


def test_every_leg_lies_between_two_moments_that_the_messages_carry() -> None:
    orders: legs.Orders = {}
    older, newer = (Tick("BTCUSDT", received=at, now=at + 10) for at in (50, 100))
    market = [took(60, "mm", older), took(120, "mm", newer), took(121, "mm", Heartbeat()), sent(130, "mm", ORDER, "account", 1)]
    legs.of_market(read(market), orders)
    legs.of_account(read(account(600)), orders)
    assert orders == {
        "a": {"received": 100, "normalized": 110, "looked": 120, "judged": 200, "left": 300, "arrived": 600, "heard": 900}
    }
    assert {name: took.tolist() for name, took in legs.durations(orders).items()} == {
        "market's bytes to normalizer": [10],
        "normalizer to strategy": [10],
        "strategy to risk": [80],
        "risk to the door": [100],
        "the door to the venue": [300],
        "the venue to the gateway": [300],
        "market's bytes to the door": [200],
        "there and back": [600],
    }
    assert legs.table(orders).tolist() == [[300, 600, 900]]


def test_a_venues_clock_that_is_wrong_stays_between_leaving_and_hearing() -> None:
    for said, kept in ((10, 301), (5_000, 900)):
        orders: legs.Orders = {}
        legs.of_account(read(account(said)), orders)
        assert legs.table(orders).tolist() == [[300, kept, 900]]


def test_an_order_that_was_not_answered_is_in_no_table() -> None:
    orders: legs.Orders = {}
    legs.of_account(read(account(600)[:4]), orders)
    assert len(legs.table(orders)) == 0
    assert legs.durations(orders)["there and back"].tolist() == []
