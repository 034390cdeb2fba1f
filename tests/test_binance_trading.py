"""Binance USDⓈ-M: how requests are written and signed, what answers prove, and which road serves a stream."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialect.binance import rest
from core.dialect.binance.errors import CODES, Action, Proof, closed_until, verdict
from core.dialect.binance.routes import by_route, route
from core.message import NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest, OrdType, TimeInForce
from core.price import BUY, SELL
from tests.tiny_day import BTC

SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
"""The documentation's own example."""


def test_the_documented_example_is_signed_as_documented() -> None:
    payload = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943"
    assert rest.signature(payload, SECRET) == "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"


@given(st.text(max_size=20), st.integers(0, 2**60))
def test_the_signature_comes_last_and_is_that_of_the_exact_bytes_before_it(symbol: str, time_ns: int) -> None:
    sent = rest.written(rest.query(symbol, "a"), SECRET, time_ns)
    payload, _, signed = sent.rpartition("&signature=")
    assert rest.signature(payload, SECRET) == signed
    assert sent.isascii()
    assert dict(parse_qsl(payload, keep_blank_values=True))["symbol"] == symbol


def test_a_limit_order_is_written_in_the_instruments_own_steps() -> None:
    order = NewOrderSingle("BTCUSDT", cl_ord_id="h-mm-1-7", side=SELL, time_in_force=TimeInForce.GTX, price=600_005, order_qty=12)
    request = rest.new_order(BTC, order)
    assert (request.method, request.path, request.orders) == ("POST", "/fapi/v1/order", 1)
    assert dict(request.parameters) == {
        "symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTX", "price": "60000.5", "quantity": "0.012",
        "newClientOrderId": "h-mm-1-7",
    }  # fmt: skip


def test_a_market_order_has_neither_price_nor_time_in_force() -> None:
    order = NewOrderSingle("BTCUSDT", cl_ord_id="a", side=BUY, ord_type=OrdType.MARKET, order_qty=1, reduce_only=True)
    written = dict(rest.new_order(BTC, order).parameters)
    assert written.keys() == {"symbol", "side", "type", "quantity", "newClientOrderId", "reduceOnly"}


def test_a_cancel_and_an_amendment_name_the_order_by_its_first_id() -> None:
    cancel = OrderCancelRequest("BTCUSDT", cl_ord_id="c", orig_cl_ord_id="b")
    amend = OrderCancelReplaceRequest("BTCUSDT", cl_ord_id="d", orig_cl_ord_id="b", side=BUY, price=1000, order_qty=3)
    assert dict(rest.cancel(cancel, "a").parameters)["origClientOrderId"] == "a"
    amended = dict(rest.replace(BTC, amend, "a").parameters)
    assert (amended["origClientOrderId"], amended["side"], amended["quantity"], amended["price"]) == (
        "a",
        "BUY",
        "0.003",
        "100.0",
    )


def test_cancelling_everything_takes_two_requests() -> None:
    assert [one.path for one in rest.cancel_all("BTCUSDT")] == ["/fapi/v1/allOpenOrders", "/fapi/v1/algoOpenOrders"]


def test_a_listen_key_is_asked_for_without_a_signature() -> None:
    assert rest.written(rest.listen_key("PUT"), SECRET, 5) == ""


def test_a_request_is_given_the_window_that_proofs_of_absence_count_on() -> None:
    assert "recvWindow=2000&timestamp=5&" in rest.written(rest.query("BTCUSDT", "a"), SECRET, 5_000_000)


@pytest.mark.parametrize(
    ("status", "code", "text", "proof"),
    [
        (None, 0, "", Proof.UNKNOWN),
        (408, 0, "", Proof.UNKNOWN),
        (500, 0, "", Proof.UNKNOWN),
        (503, 0, "Unknown error, please check your request or try again later.", Proof.UNKNOWN),
        (503, -1008, "Request throttled by system-level protection.", Proof.UNKNOWN),
        (400, -1007, "Timeout waiting for response from backend server.", Proof.UNKNOWN),
        (503, 0, "Service Unavailable.", Proof.REFUSED),
        (503, 0, "Internal error; unable to process your request. Please try again.", Proof.REFUSED),
        (400, -1021, "", Proof.REFUSED),
        (429, -1003, "", Proof.REFUSED),
        (418, 0, "", Proof.REFUSED),
        (400, -5022, "", Proof.REFUSED),
        (400, -2019, "", Proof.REFUSED),
        (400, -1102, "", Proof.REFUSED),
        (400, -2011, "Unknown order sent.", Proof.NOT_FOUND),
        (400, -2013, "", Proof.NOT_FOUND),
        (400, -4116, "", Proof.ARRIVED),
        (200, 0, "", Proof.CONFIRMED),
        (200, 200, "The operation of cancel all open order is done.", Proof.CONFIRMED),
        (200, -2011, "one of a batch", Proof.NOT_FOUND),
    ],
)
def test_what_an_answer_proves(status: int | None, code: int, text: str, proof: Proof) -> None:
    assert verdict(status, code, text).proof == proof


@given(st.one_of(st.none(), st.integers(100, 599)), st.one_of(st.sampled_from(sorted(CODES)), st.integers(-9999, 200)), st.text())
def test_only_a_definite_refusal_before_the_engine_may_be_transmitted_again(status: int | None, code: int, text: str) -> None:
    found = verdict(status, code, text)
    if found.again:
        assert found.proof == Proof.REFUSED
        assert code in (-1021, -1003) or status in (418, 429) or (status == 503 and text.startswith("Service Unavailable."))


@given(st.integers(500, 599), st.text())
def test_a_server_error_that_does_not_say_that_nothing_was_done_proves_nothing(status: int, text: str) -> None:
    if not text.startswith(("Service Unavailable.", "Internal error; unable to process")):
        assert verdict(status, 0, text).proof == Proof.UNKNOWN


def test_how_long_to_wait_is_what_the_refusal_says() -> None:
    now = 1_700_000_000_000_000_000
    assert closed_until(now, 429, "7") == now + 7_000_000_000
    banned = "Way too many requests; IP(1.2.3.4) banned until 1700000300000. Please use the websocket for live updates."
    assert closed_until(now, 418, "7", banned) == now + 300_000_000_000
    assert closed_until(now, 418) == now + 120_000_000_000
    assert closed_until(now, 429, "a while") == now + 10_000_000_000
    assert closed_until(now, 418, "", "banned until 9999999999999") == now + 3 * 86_400_000_000_000


def test_a_wrong_key_stops_trading_and_a_wrong_clock_is_measured() -> None:
    assert verdict(401, -2015).action == Action.HALT
    assert verdict(400, -1021).action == Action.RESYNC_CLOCK


@pytest.mark.parametrize(
    ("stream", "road"),
    [
        ("btcusdt@bookTicker", "/public"),
        ("!bookTicker", "/public"),
        ("btcusdt@depth@100ms", "/public"),
        ("btcusdt@depth", "/public"),
        ("btcusdt@depth20@500ms", "/public"),
        ("btcusdt@rpiDepth@500ms", "/public"),
        ("btcusdt@aggTrade", "/market"),
        ("btcusdt@markPrice@1s", "/market"),
        ("btcusdt_perpetual@continuousKline_1m", "/market"),
        ("btcusdt@kline_1m", "/market"),
        ("!forceOrder@arr", "/market"),
        ("!contractInfo", "/market"),
        ("a" * 64, "/private"),
    ],
)
def test_each_stream_has_its_road(stream: str, road: str) -> None:
    assert route(stream) == road


@pytest.mark.parametrize("stream", ["btcusdt", "btcusdt@depht", "", "@depth", "btcusdt@depth7"])
def test_a_stream_that_no_road_serves_is_an_error_and_not_silence(stream: str) -> None:
    with pytest.raises(ValueError, match="no road"):
        route(stream)


def test_streams_are_sorted_onto_connections() -> None:
    assert by_route(["a@depth", "a@aggTrade", "b@depth"]) == {"/public": ("a@depth", "b@depth"), "/market": ("a@aggTrade",)}
