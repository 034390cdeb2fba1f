"""The tape: a node that is fed it is the node that wrote it, and what is no tape is said to be none."""

from __future__ import annotations

import pytest

from core.codec import WireError
from core.gateway import Gateway
from core.message import Message, NewOrderSingle, OrderCancelRequest, Timer
from core.tape import Deaf, read, recall, sent, took


def order(cl_ord_id: str) -> NewOrderSingle:
    return NewOrderSingle("BTCUSDT", now=5, cl_ord_id=cl_ord_id, price=100, order_qty=10, strategy="mm")


def recorded(messages: list[tuple[int, Message]]) -> tuple[Gateway, list[bytes]]:
    """A gateway that took these messages, and the tape of it."""
    gateway, outbox, tape = Gateway("BTCUSDT"), Deaf(), list[bytes]()
    gateway.bind(outbox)
    for now, message in messages:
        tape.append(took(now, gateway.name, message))
        gateway.on(now, message)
        tape += [sent(now, gateway.name, one) for one in outbox.sent]
        outbox.sent.clear()
    return gateway, tape


STORY: list[tuple[int, Message]] = [
    (5, order("a")),
    (6, order("b")),
    (7, OrderCancelRequest("BTCUSDT", now=7, cl_ord_id="c", orig_cl_ord_id="a", strategy="mm")),
    (8, order("a")),
    (9, Timer(key="reconcile")),
]


def test_a_recalled_node_knows_what_the_first_one_knew() -> None:
    first, tape = recorded(STORY)
    again = Gateway("BTCUSDT")
    assert recall({again.name: again}, tape).now == 9
    assert {key: repr(one) for key, one in again.orders.items()} == {key: repr(one) for key, one in first.orders.items()}
    assert again.orders["a"].pending


def test_other_nodes_on_the_tape_are_passed_over() -> None:
    _, tape = recorded(STORY)
    other = Gateway("ETHUSDT")
    assert recall({other.name: other}, tape).now == 0


def test_what_is_no_entry_of_a_tape_is_a_wire_error() -> None:
    with pytest.raises(WireError, match="not an entry of a tape"):
        list(read([b"\xff\x00"]))
