"""The session with Binance as stories, each with a venue by hand; then seeded sessions against the emulated venue."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest

from core.dialect.binance.answers import Answer
from core.dialect.binance.rest import signature
from core.message import (
    Bar,
    BusinessMessageReject,
    Command,
    ExecType,
    ExecutionReport,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassStatusRequest,
    OrderStatusRequest,
    OrdStatus,
    PositionReport,
    SecurityStatus,
    TradingState,
    Unanswered,
)
from tests.conftest import ROOT
from tests.emulated import World
from tests.scripted import MS, SECOND, START, Scripted, order_only

CLOCK = (400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."})
DAY_S = 86_400
WRONG_KEY = (401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."})
NOBODY_KNOWS = (503, {"code": 0, "msg": "Unknown error, please check your request or try again later."})


def cancel(cl_ord_id: str, orig: str) -> OrderCancelRequest:
    return OrderCancelRequest("BTCUSDT", cl_ord_id=cl_ord_id, orig_cl_ord_id=orig, strategy="mm")


def replace(cl_ord_id: str, orig: str, price: int = 600_010, qty: int = 10) -> OrderCancelReplaceRequest:
    return OrderCancelReplaceRequest(
        "BTCUSDT", cl_ord_id=cl_ord_id, orig_cl_ord_id=orig, side=1, price=price, order_qty=qty, strategy="mm"
    )


def trade(number: int, order: int = 7, at: int = START + 10 * SECOND, **more: Any) -> dict[str, Any]:
    return {"id": number, "orderId": order, "side": "BUY", "price": "60000.0", "qty": "0.001", "time": at // MS,
            "commissionAsset": "USDT", "commission": "0", **more}  # fmt: skip


def state(client_id: str, order: int = 7, status: str = "NEW", **more: Any) -> dict[str, Any]:
    return {"symbol": "BTCUSDT", "orderId": order, "clientOrderId": client_id, "status": status, "side": "BUY", "type": "LIMIT",
            "timeInForce": "GTC", "price": "60000.0", "origQty": "0.010", "executedQty": "0", "updateTime": START // MS + 5_000,
            **more}  # fmt: skip


# --- the prelude


def test_a_session_begins_with_everything_that_it_must_know_and_only_then_trades() -> None:
    peer = Scripted()
    states = [one.state for one in peer.to("risk", SecurityStatus)]
    assert states == [TradingState.HALT, TradingState.HALT, TradingState.READY]
    opening = peer.to("risk", PositionReport)
    assert [(one.symbol, one.qty, one.cost_units) for one in opening] == [("BTCUSDT", 0, 0)]
    paths = [one.target.partition("?")[0] for one in peer.asks]
    assert paths.index("/fapi/v1/listenKey") < paths.index("/fapi/v3/positionRisk"), (
        "nothing is executed unheard after the snapshot"
    )
    assert peer.session.brackets["BTCUSDT"][0].bracket == 1


def test_the_position_at_the_beginning_is_told_once_and_not_again_after_a_restart() -> None:
    peer = Scripted(believed=30, start=False)
    peer.answers["GET", "/fapi/v3/positionRisk"] = [{"symbol": "BTCUSDT", "positionAmt": "0.030", "entryPrice": "60000.05"}]
    peer.start()
    opening = peer.to("risk", PositionReport)[0]
    assert (opening.qty, opening.cost_units) == (30, round(600_000.5 * 30))
    again = Scripted(believed=30, start=False)
    again.answers["GET", "/fapi/v3/positionRisk"] = peer.answers["GET", "/fapi/v3/positionRisk"]
    again.session.remember(opening)
    again.start()
    assert again.to("risk", PositionReport) == []
    assert again.state == TradingState.READY
    assert int(again.left("GET", "/fapi/v1/userTrades")[0]["startTime"]) == opening.transact_time // MS


def test_an_account_in_hedge_mode_is_refused_in_words() -> None:
    peer = Scripted(start=False)
    peer.answers["GET", "/fapi/v1/accountConfig"] = {"canTrade": True, "dualSidePosition": True}
    peer.start()
    assert peer.state == TradingState.HALT
    assert any("one-way" in one.text for one in peer.told if one.urgency == 2)


@pytest.mark.parametrize(
    ("change", "word"),
    [({"status": "SETTLING"}, "SETTLING"), ({"filters": []}, "grid"), ({"symbol": "OTHER"}, "does not list")],
)
def test_an_instrument_that_is_not_what_it_was_is_not_traded(change: dict[str, Any], word: str) -> None:
    peer = Scripted(start=False)
    info: Any = peer.answers["GET", "/fapi/v1/exchangeInfo"]
    peer.answers["GET", "/fapi/v1/exchangeInfo"] = {**info, "symbols": [{**info["symbols"][0], **change}]}
    peer.start()
    assert peer.state == TradingState.HALT
    assert any(word in one.text for one in peer.told)


def test_a_wrong_key_is_an_alarm_and_nothing_trades() -> None:
    peer = Scripted(start=False)
    peer.answers["GET", "/fapi/v1/accountConfig"] = (
        401,
        {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."},
    )
    peer.start()
    assert peer.state == TradingState.HALT
    assert "the session cannot begin" in peer.alarms()
    assert "-2015" in peer.session.standing.state("BTCUSDT")[1], "why is in the status"
    said = len(peer.alarms())
    peer.run(20)
    assert len(peer.alarms()) == said, "the same words are not said every two seconds"


@pytest.mark.parametrize("code", [-1022, -2014, -2015])
def test_a_key_that_is_refused_to_a_question_halts_as_it_does_to_an_order(code: int) -> None:
    peer = Scripted()
    peer.answers["GET", "/fapi/v3/positionRisk"] = (401, {"code": code, "msg": "Invalid."})
    peer.run(60)
    assert peer.state == TradingState.HALT
    assert sum("refuses our key" in one for one in peer.alarms()) == 1
    peer.answers["GET", "/fapi/v3/positionRisk"] = []
    peer.run(60)
    assert peer.state == TradingState.HALT, "only a person begins again"


def test_a_clock_that_goes_far_astray_is_told_once() -> None:
    peer = Scripted()
    peer.offset_ms = 400
    peer.run(400)
    assert not any("clock" in one.headline for one in peer.told)
    peer.offset_ms = 1_900
    peer.run(1_000)
    assert sum("clock" in one.headline for one in peer.told) == 1


def test_the_clock_is_measured_by_the_shortest_round_trip() -> None:
    peer = Scripted(start=False)
    peer.offset_ms = 2_345
    peer.start()
    assert abs(peer.session.wire.offset - 2_345 * MS) <= MS
    peer.new()
    assert abs(int(peer.left("POST")[0]["timestamp"]) - (peer.now // MS + 2_345)) <= 1


def test_recent_bars_are_handed_on_but_not_the_one_that_is_open() -> None:
    peer = Scripted(start=False, kline_minutes=2)
    minute = 60_000
    now = START // MS
    rows = [[now - back * minute, "1", "2", "1", "2", "0.01", 0, "1", 1] for back in (3, 2, 1, 0)]
    peer.answers["GET", "/fapi/v1/klines"] = rows
    peer.start()
    assert [one.open_time // MS for one in peer.to("", Bar)] == [now - 3 * minute, now - 2 * minute, now - minute]


# --- orders


def test_an_order_is_written_as_the_venue_wants_it_and_its_report_is_the_streams() -> None:
    peer = Scripted()
    peer.new()
    sent = peer.left("POST")
    assert len(sent) == 1
    assert (sent[0]["newClientOrderId"], sent[0]["price"], sent[0]["quantity"]) == ("a", "60000.0", "0.010")
    assert peer.gateway(ExecutionReport) == [], "the acknowledgement reports nothing"
    peer.order("a")
    assert [(one.exec_type, one.cl_ord_id) for one in peer.gateway(ExecutionReport)] == [(ExecType.NEW, "a")]


def test_a_silent_stream_after_an_acknowledgement_is_asked_about_and_replaced() -> None:
    peer = Scripted()
    peer.answers["GET", "/fapi/v1/order"] = state("a")
    peer.new()
    peer.run(2.5)
    found = peer.gateway(ExecutionReport)
    assert [(one.exec_type, one.cl_ord_id) for one in found] == [(ExecType.ORDER_STATUS, "a")]
    assert len(peer.opened) == 2
    assert peer.closed == []
    peer.run(10)
    assert peer.closed == [1], "the second is opened before the first is closed"
    assert peer.state == TradingState.READY


@pytest.mark.parametrize(
    "answer",
    [None, NOBODY_KNOWS, (408, {"code": -1007})],
)
def test_an_answer_that_proves_nothing_leaves_the_outcome_unknown_and_nothing_is_sent_again(answer: Any) -> None:
    peer = Scripted()
    peer.answers["POST", "/fapi/v1/order"] = answer
    peer.new()
    peer.run(30)
    assert len(peer.left("POST")) == 1
    told = peer.gateway(Unanswered)
    assert [(one.cl_ord_id, one.orig_cl_ord_id, one.strategy) for one in told] == [("a", "", "mm")]
    peer.answers["DELETE", "/fapi/v1/order"] = answer
    peer.submit(cancel("c", "a"))
    assert [(one.cl_ord_id, one.orig_cl_ord_id) for one in peer.gateway(Unanswered)][1:] == [("c", "a")]


def test_a_refusal_for_the_clock_is_cured_by_one_measurement_under_the_same_id() -> None:
    peer = Scripted()
    peer.held = order_only
    peer.new()
    peer.offset_ms = -4_000
    peer.reply(CLOCK)
    peer.run(0.1)
    sent = peer.left("POST")
    assert [one["newClientOrderId"] for one in sent] == ["a", "a"]
    assert int(sent[1]["timestamp"]) - int(sent[0]["timestamp"]) < -3_900
    peer.reply(CLOCK)
    peer.run(5)
    assert len(peer.left("POST")) == 2, "measured once, refused again: refused"
    assert peer.gateway(ExecutionReport)[0].exec_type == ExecType.REJECTED


def test_too_many_requests_waits_as_long_as_told_and_a_new_order_does_not_outlive_its_market() -> None:
    peer = Scripted()
    peer.held = order_only
    peer.new("a")
    peer.submit(cancel("c", "x"))
    for _ in range(2):
        busy = Answer(429, {"retry-after": "3"}, b'{"code":-1003,"msg":"Too many requests"}')
        ask = peer.waiting.popleft()
        peer.session.answered(peer.now, ask.call, busy)
        peer.settle()
    peer.run(1)
    assert [one.cl_ord_id for one in peer.gateway(ExecutionReport)] == ["a"]
    assert peer.gateway(ExecutionReport)[0].exec_type == ExecType.REJECTED
    peer.new("b")
    assert [one.text.split(":")[0] for one in peer.gateway(ExecutionReport)] == ["session", "session"]
    assert len(peer.left("POST")) == 1
    peer.run(3)
    assert len(peer.left("DELETE")) == 2, "a cancel is worth waiting for"


UNAVAILABLE = (503, b"Service Unavailable.")
"""A refusal before the engine, after which the same request leaves again by and by."""


def held_back() -> Scripted:
    """An order "a" that the venue refused before its engine, and that is to leave again."""
    peer = Scripted()
    peer.held = order_only
    peer.new("a")
    peer.reply(UNAVAILABLE)
    return peer


def test_what_is_held_back_leaves_again_when_nobody_objects() -> None:
    peer = held_back()
    peer.run(0.5)
    assert [one["newClientOrderId"] for one in peer.left("POST")] == ["a", "a"]


def test_a_cancel_withdraws_its_order_that_is_held_back() -> None:
    peer = held_back()
    peer.submit(cancel("c", "a"))
    peer.run(5)
    assert len(peer.left("POST")) == 1
    assert peer.left("DELETE") == [], "there is nothing at the venue to cancel"
    assert [(one.exec_type, one.text) for one in peer.gateway(ExecutionReport)] == [
        (ExecType.REJECTED, "session: canceled before it left")
    ]
    assert [(one.cl_ord_id, one.cxl_rej_reason) for one in peer.gateway(OrderCancelReject)] == [("c", 1)]


def test_an_amendment_does_not_pass_its_order_that_is_held_back() -> None:
    peer = held_back()
    peer.submit(replace("b", "a"))
    assert peer.left("PUT") == []
    assert [one.text for one in peer.gateway(OrderCancelReject)] == ["session: what it amends has not left"]


def test_a_cancel_withdraws_an_amendment_that_is_held_back_and_leaves() -> None:
    peer = Scripted()
    peer.new("a")
    peer.order("a")
    peer.held = order_only
    peer.submit(replace("b", "a"))
    peer.reply(UNAVAILABLE)
    peer.submit(cancel("c", "a"))
    peer.run(5)
    assert len(peer.left("PUT")) == 1
    assert [one["origClientOrderId"] for one in peer.left("DELETE")] == ["a"]


@pytest.mark.parametrize("symbol", ["", "BTCUSDT"])
def test_when_all_is_to_be_canceled_nothing_leaves_that_was_held_back(symbol: str) -> None:
    peer = held_back()
    peer.submit(Command(symbol, verb="cancel_all"))
    peer.run(5)
    assert len(peer.left("POST")) == 1
    assert len(peer.left("DELETE", "/fapi/v1/allOpenOrders")) >= 1
    assert peer.gateway(ExecutionReport)[0].exec_type == ExecType.REJECTED


@pytest.mark.parametrize("symbol", ["", "BTCUSDT"])
def test_an_order_that_waits_for_the_clock_is_withdrawn_too(symbol: str) -> None:
    peer = Scripted()
    peer.held = lambda ask: order_only(ask) or "/time" in ask.target
    peer.new("a")
    peer.reply(CLOCK)
    peer.submit(Command(symbol, verb="cancel_all"))
    peer.held = lambda ask: False
    peer.reply({"serverTime": peer.now // MS})
    peer.run(5)
    assert len(peer.left("POST")) == 1


def test_a_ban_is_kept_to_the_end_and_told() -> None:
    peer = Scripted()
    until = peer.now // MS + 60_000
    text = f"Way too many requests; IP(1.2.3.4) banned until {until}."
    peer.answers["POST", "/fapi/v1/order"] = (418, {"code": -1003, "msg": text})
    peer.new()
    before = len(peer.asks)
    peer.run(59)
    assert len(peer.asks) == before, "not a word until it is over"
    assert "too many requests" in peer.alarms()
    peer.run(5)
    assert len(peer.asks) > before


def test_what_fails_a_filter_is_refused_here_by_its_name_and_costs_nothing() -> None:
    peer = Scripted()
    peer.new(order_qty=1_000_001)
    peer.new("b" * 40)
    assert peer.left("POST") == []
    assert [one.text.split(":")[1].split()[0] for one in peer.gateway(ExecutionReport)] == ["LOT_SIZE", "ClOrdID"]


def test_orders_beyond_the_venues_count_are_refused_and_cancels_still_leave() -> None:
    peer = Scripted()
    for number in range(300):
        peer.new(f"n{number}")
        peer.order(f"n{number}", "EXPIRED", i=number)
    refused = [one for one in peer.gateway(ExecutionReport) if one.exec_type == ExecType.REJECTED]
    assert len(refused) == 30, "a tenth is kept for what reduces risk"
    assert len(peer.left("POST")) == 270
    peer.submit(cancel("c", "n1"))
    assert len(peer.left("DELETE")) == 1


def test_a_wrong_key_during_trading_halts_everything() -> None:
    peer = Scripted()
    peer.answers["POST", "/fapi/v1/order"] = WRONG_KEY
    peer.new()
    assert peer.state == TradingState.HALT
    assert peer.gateway(ExecutionReport)[0].exec_type == ExecType.REJECTED
    peer.submit(Command("", verb="resume"))
    assert peer.state == TradingState.READY


# --- ids


def test_an_amended_order_keeps_the_venues_id_and_answers_come_under_ours() -> None:
    peer = Scripted()
    peer.new("a")
    peer.order("a")
    peer.submit(replace("b", "a"))
    assert peer.left("PUT")[0]["origClientOrderId"] == "a"
    peer.order("a", "AMENDMENT", "NEW", p="60001.0")
    peer.order("a", "TRADE", "PARTIALLY_FILLED", l="0.001", z="0.001", L="60001.0", t=3)
    peer.submit(replace("d", "b", 600_020))
    peer.submit(cancel("c", "b"))
    assert peer.left("DELETE")[0]["origClientOrderId"] == "a"
    peer.order("a", "CANCELED")
    told = [(one.exec_type, one.cl_ord_id, one.orig_cl_ord_id) for one in peer.gateway(ExecutionReport)]
    assert told == [
        (ExecType.NEW, "a", ""), (ExecType.REPLACED, "b", "a"), (ExecType.TRADE, "a", ""), (ExecType.CANCELED, "c", "b"),
    ]  # fmt: skip


def test_an_amendment_that_no_request_of_ours_has_the_terms_of_is_somebody_elses() -> None:
    peer = Scripted()
    peer.new("a")
    peer.submit(replace("b", "a"))
    peer.order("a", "AMENDMENT", "NEW", p="61234.5")
    assert [one.exec_type for one in peer.gateway(ExecutionReport)] == [ExecType.RESTATED]


def test_after_a_restart_ids_are_known_by_what_the_gateways_remember() -> None:
    first = Scripted()
    order = first.new("a")
    peer = Scripted(start=False)
    for message in (order, replace("b", "a")):
        peer.session.remember(message)
    peer.start()
    peer.order("a", "AMENDMENT", "NEW", p="60001.0")
    assert peer.gateway(ExecutionReport)[-1].cl_ord_id == "b"
    peer.submit(cancel("c", "b"))
    assert peer.left("DELETE")[0]["origClientOrderId"] == "a"


def test_a_cancel_that_finds_nothing_is_no_cancellation() -> None:
    peer = Scripted()
    peer.answers["DELETE", "/fapi/v1/order"] = (400, {"code": -2011, "msg": "Unknown order sent."})
    peer.submit(cancel("c", "a"))
    reject = peer.gateway(OrderCancelReject)[0]
    assert (reject.cxl_rej_reason, reject.cl_ord_id) == (1, "c")


# --- over the WebSocket API


def over_ws() -> Scripted:
    peer = Scripted(orders="ws")
    peer.held = lambda ask: ask.lane == "ws"
    return peer


def test_an_order_over_the_web_socket_api_is_signed_over_its_parameters_in_the_order_of_the_alphabet() -> None:
    peer = over_ws()
    peer.new()
    said = json.loads(peer.waiting[0].text)
    assert said["method"] == "order.place"
    given = said["params"]
    signed = given.pop("signature")
    assert list(given) == sorted(given)
    assert isinstance(given["timestamp"], int)
    assert signature("&".join(f"{name}={value}" for name, value in given.items()), "s") == signed
    assert (given["quantity"], given["newClientOrderId"]) == ("0.010", "a")


def test_answers_over_the_web_socket_api_are_known_by_their_ids_and_count_against_the_limits() -> None:
    peer = over_ws()
    for name in ("a", "b"):
        peer.new(name)
    counted = [{"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300, "count": 269}]
    answers = {
        "b": {"status": 400, "error": {"code": -2019, "msg": "Margin is insufficient."}, "rateLimits": counted},
        "a": {"status": 200, "result": state("a")},
    }
    calls = {json.loads(one.text)["params"]["newClientOrderId"]: one.call for one in peer.waiting}
    for name, answer in answers.items():
        peer.session.frame(peer.now, 0, json.dumps({"id": str(calls[name]), **answer}).encode())
        peer.settle()
    rejected = peer.gateway(ExecutionReport)
    assert [(one.cl_ord_id, one.exec_type) for one in rejected] == [("b", ExecType.REJECTED)]
    assert "-2019" in rejected[0].text
    peer.new("c")
    peer.new("d")
    assert [one.cl_ord_id for one in peer.gateway(ExecutionReport)] == ["b", "d"], "the next window is too far away for it"
    assert len(peer.waiting) == 3


def test_what_was_asked_over_a_web_socket_that_broke_is_unknown_and_the_next_goes_over_rest() -> None:
    peer = over_ws()
    peer.new("a")
    peer.connects = False
    peer.session.closed(peer.now, 0, "reset by peer")
    peer.settle()
    assert [one.cl_ord_id for one in peer.gateway(Unanswered)] == ["a"]
    peer.new("b")
    assert [one["newClientOrderId"] for one in peer.left("POST")] == ["b"]
    peer.run(5)
    again = [one for one in peer.opened if one.stream == 0]
    assert len(again) == 2


# --- questions


def test_what_became_of_an_order_is_its_executions_and_then_its_state() -> None:
    peer = Scripted()
    peer.new("a")
    peer.order("a")
    peer.answers["GET", "/fapi/v1/order"] = state("a", status="CANCELED", executedQty="0.002")
    peer.answers["GET", "/fapi/v1/userTrades"] = [trade(3), trade(4)]
    peer.submit(OrderStatusRequest("BTCUSDT", cl_ord_id="a"))
    told = peer.gateway(ExecutionReport)[-3:]
    assert [(one.exec_type, one.exec_id) for one in told] == [
        (ExecType.TRADE, "BTCUSDT-3"), (ExecType.TRADE, "BTCUSDT-4"), (ExecType.ORDER_STATUS, ""),
    ]  # fmt: skip
    assert told[-1].ord_status == OrdStatus.CANCELED
    assert peer.left("GET", "/fapi/v1/userTrades")[-1]["orderId"] == "7"


def test_an_order_that_the_venue_does_not_know_is_said_not_to_be_found_by_name() -> None:
    peer = Scripted()
    peer.submit(OrderStatusRequest("BTCUSDT", cl_ord_id="a"))
    reject = peer.gateway(BusinessMessageReject)[0]
    assert (reject.business_reject_ref_id, reject.business_reject_reason) == ("a", 1)


def test_everything_is_paged_named_and_handed_back_when_it_is_complete() -> None:
    peer = Scripted()
    rows = [trade(number, order=70) for number in range(1, 2_501)]

    def page(given: dict[str, str]) -> Any:
        first = int(given.get("fromId", 0))
        return [one for one in rows if one["id"] >= first][:1_000]

    peer.answers["GET", "/fapi/v1/userTrades"] = page
    peer.answers["GET", "/fapi/v1/openOrders"] = [state("other", 71)]
    peer.answers["GET", "/fapi/v1/order"] = lambda given: state("theirs", int(given["orderId"]), "FILLED")
    request = OrderMassStatusRequest("BTCUSDT", peer.now, 0, 0, START)
    asked_at = peer.session.wire.venue_now
    peer.submit(request)
    told = peer.gateway(ExecutionReport)
    assert [one.exec_id for one in told if one.exec_type == ExecType.TRADE] == [f"BTCUSDT-{number}" for number in range(1, 2_501)]
    assert {one.cl_ord_id for one in told if one.exec_type == ExecType.TRADE} == {"theirs"}
    assert told[-1].cl_ord_id == "other"
    answered = peer.gateway(OrderMassStatusRequest)[-1]
    assert answered.since == START
    assert asked_at <= answered.transact_time <= peer.session.wire.venue_now, "from there on the next question is asked"


def test_an_answer_that_never_comes_leaves_everything_incomplete() -> None:
    peer = Scripted()
    before = len(peer.gateway(OrderMassStatusRequest))
    peer.answers["GET", "/fapi/v1/openOrders"] = None
    peer.submit(OrderMassStatusRequest("BTCUSDT", peer.now, 0, 0, START))
    peer.run(15)
    assert len(peer.gateway(OrderMassStatusRequest)) == before


def test_executions_older_than_a_week_are_asked_for_week_by_week() -> None:
    peer = Scripted()
    peer.run(20 * DAY_S)
    asked = len(peer.left("GET", "/fapi/v1/userTrades"))
    peer.session.inquiries.opened["BTCUSDT"] = START
    peer.submit(OrderMassStatusRequest("BTCUSDT", peer.now, 0, 0, 0))
    windows = peer.left("GET", "/fapi/v1/userTrades")[asked:]
    assert len(windows) == 3
    for one in windows:
        assert int(one["endTime"]) - int(one["startTime"]) < 7 * DAY_S * 1_000
    assert int(windows[0]["startTime"]) == START // MS


def test_an_execution_from_before_the_record_began_is_in_the_opening_position() -> None:
    peer = Scripted()
    peer.order("old", "TRADE", "FILLED", l="0.010", z="0.010", L="60000.0", t=3, T=START // MS - 60_000)
    assert peer.gateway(ExecutionReport) == []
    assert peer.session.counts["executions before the opening"] == 1


# --- the private stream


def test_a_lost_stream_reduces_until_it_stands_again_and_everything_is_compared() -> None:
    peer = Scripted()
    peer.connects = False
    peer.session.closed(peer.now, 1, "reset by peer")
    peer.settle()
    assert peer.state == TradingState.REDUCE
    peer.run(2)
    assert len(peer.opened) == 2
    peer.session.opened(peer.now, 2)
    peer.settle()
    assert peer.state == TradingState.READY
    assert peer.session.stream.connections == 2


def test_a_stream_that_cannot_be_opened_is_tried_ever_more_slowly() -> None:
    peer = Scripted()
    peer.connects = False
    times = []
    number = 1
    for _ in range(6):
        peer.session.closed(peer.now, number, "refused")
        peer.settle()
        before = len(peer.opened)
        while len(peer.opened) == before:
            peer.run(0.05)
        times.append(peer.now)
        number = peer.opened[-1].stream
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits == sorted(waits)
    assert waits[-1] > 3 * SECOND


def test_a_key_that_expired_gets_a_new_stream_though_the_old_one_stands() -> None:
    peer = Scripted()
    peer.answers["POST", "/fapi/v1/listenKey"] = {"listenKey": "b" * 64}
    peer.frame("listenKeyExpired", listenKey="a" * 64)
    assert peer.opened[-1].url.endswith("b" * 64)
    assert peer.state == TradingState.READY
    peer.run(6)
    assert peer.closed == [1]


def test_the_key_is_kept_alive_every_half_hour_and_replaced_when_the_venue_forgot_it() -> None:
    peer = Scripted()
    peer.run(65 * 60)
    assert len(peer.left("PUT", "/fapi/v1/listenKey")) == 2
    peer.answers["PUT", "/fapi/v1/listenKey"] = (400, {"code": -1125, "msg": "This listenKey does not exist."})
    peer.answers["POST", "/fapi/v1/listenKey"] = {"listenKey": "b" * 64}
    peer.run(30 * 60)
    assert peer.opened[-1].url.endswith("b" * 64)


def test_before_the_day_is_over_a_second_stream_is_opened_and_what_comes_twice_has_one_id() -> None:
    peer = Scripted(reconcile_s=3_600.0)
    peer.run(23 * 3_600 + 1)
    assert [one.stream for one in peer.opened] == [1, 2]
    assert peer.closed == []
    for stream in (1, 2):
        peer.order("a", "TRADE", "PARTIALLY_FILLED", stream=stream, l="0.001", z="0.001", L="60000.0", t=3)
    fills = [one.exec_id for one in peer.gateway(ExecutionReport)]
    assert fills == ["BTCUSDT-3", "BTCUSDT-3"], "whoever counts, counts it once"
    peer.run(10)
    assert peer.closed == [1]


def test_an_execution_in_the_list_that_the_stream_did_not_bring_replaces_the_stream() -> None:
    peer = Scripted()
    peer.run(20)
    peer.answers["GET", "/fapi/v1/userTrades"] = [trade(3)]
    peer.answers["GET", "/fapi/v1/order"] = state("a", status="PARTIALLY_FILLED")
    peer.run(10)
    assert [one.exec_id for one in peer.gateway(ExecutionReport)][:1] == ["BTCUSDT-3"]
    assert peer.session.counts["executions that the stream did not bring"] == 1
    assert len(peer.opened) == 2


def test_an_early_hint_that_nothing_follows_is_asked_about() -> None:
    peer = Scripted()
    before = len(peer.left("GET", "/fapi/v1/openOrders"))
    peer.frame("TRADE_LITE", s="BTCUSDT", c="a", t=9, i=7, l="0.001")
    peer.run(2.1)
    assert len(peer.left("GET", "/fapi/v1/openOrders")) == before + 1


def test_a_frame_that_is_none_is_counted_and_everything_compared() -> None:
    peer = Scripted()
    peer.run(3)
    before = len(peer.left("GET", "/fapi/v1/openOrders"))
    peer.session.frame(peer.now, 1, b"nonsense")
    peer.settle()
    assert peer.session.counts["frames that are none"] == 1
    assert len(peer.left("GET", "/fapi/v1/openOrders")) == before + 1


def test_fees_in_another_currency_are_counted_once_each_and_told_once() -> None:
    peer = Scripted()
    for number in (3, 3, 4):
        peer.order("a", "TRADE", "PARTIALLY_FILLED", l="0.001", z="0.001", L="60000.0", t=number, N="BNB", n="0.0001")
    assert peer.session.hearing.aside == {"BNB": 20_000}
    assert sum("currency" in one.headline for one in peer.told) == 1


# --- positions and orders of others


def test_a_position_that_stays_different_halts_and_is_told_and_is_lifted_when_it_agrees() -> None:
    peer = Scripted()
    peer.answers["GET", "/fapi/v3/positionRisk"] = [{"symbol": "BTCUSDT", "positionAmt": "0.005", "entryPrice": "1"}]
    peer.run(60)
    assert peer.state == TradingState.HALT
    assert "positions differ" in peer.alarms()
    peer.believed = 5
    peer.run(60)
    assert peer.state == TradingState.READY


def test_a_position_that_differs_only_while_reports_are_under_way_is_no_difference() -> None:
    peer = Scripted()
    peer.frame("ACCOUNT_UPDATE", a={"m": "ORDER", "B": [], "P": [{"s": "BTCUSDT", "pa": "0.005"}]})
    peer.answers["GET", "/fapi/v3/positionRisk"] = [{"symbol": "BTCUSDT", "positionAmt": "0.005", "entryPrice": "1"}]
    peer.believed = 5
    peer.run(60)
    assert peer.state == TradingState.READY
    assert peer.session.positions.differences == 0


@pytest.mark.parametrize("cancels", [False, True])
def test_an_open_order_of_somebody_else_is_told_once_and_canceled_if_so_configured(cancels: bool) -> None:
    peer = Scripted(start=False, cancel_foreign=cancels)
    peer.answers["GET", "/fapi/v1/openOrders"] = [state("web_1", 99)]
    peer.start()
    peer.run(60)
    assert sum("not ours" in one.headline for one in peer.told) == 1
    assert [one["orderId"] for one in peer.left("DELETE")] == (["99"] if cancels else [])


# --- lease and cancel-all


def test_the_lease_is_renewed_while_orders_work_and_given_back_when_none_does() -> None:
    peer = Scripted()
    path = "/fapi/v1/countdownCancelAll"
    peer.run(15)
    assert peer.left("POST", path) == []
    peer.answers["GET", "/fapi/v1/openOrders"] = [state("a")]
    peer.new("a")
    peer.order("a")
    peer.run(25)
    assert [one["countdownTime"] for one in peer.left("POST", path)] == ["30000"] * 3
    peer.answers["GET", "/fapi/v1/openOrders"] = []
    peer.order("a", "CANCELED")
    peer.run(15)
    assert [one["countdownTime"] for one in peer.left("POST", path)][3:] == ["0"]


def test_no_lease_where_none_is_configured() -> None:
    peer = Scripted(lease_s=0.0)
    peer.new("a")
    peer.order("a")
    peer.run(60)
    assert peer.left("POST", "/fapi/v1/countdownCancelAll") == []


def test_cancel_all_takes_back_plain_and_conditional_orders_until_none_is_open() -> None:
    peer = Scripted()
    peer.answers["GET", "/fapi/v1/openOrders"] = [state("a")]
    peer.submit(Command("BTCUSDT", verb="cancel_all"))
    assert len(peer.left("DELETE", "/fapi/v1/allOpenOrders")) == len(peer.left("DELETE", "/fapi/v1/algoOpenOrders")) == 1
    peer.run(1)
    assert peer.session.safety.killing
    peer.answers["GET", "/fapi/v1/openOrders"] = []
    peer.run(1)
    assert peer.session.safety.killing == {}
    assert peer.alarms() == []


def test_orders_that_cannot_be_canceled_are_an_alarm_after_ten_seconds() -> None:
    peer = Scripted()
    peer.answers["GET", "/fapi/v1/openAlgoOrders"] = [{"algoId": 5}]
    peer.submit(Command("BTCUSDT", verb="cancel_all"))
    peer.run(11)
    assert "orders are not canceled" in peer.alarms()


def test_the_end_closes_the_stream_and_gives_its_key_back() -> None:
    peer = Scripted()
    peer.session.stop(peer.now)
    peer.settle()
    assert peer.closed == [1]
    assert len(peer.left("DELETE", "/fapi/v1/listenKey")) == 1
    assert peer.state == TradingState.HALT


# --- seeds


@pytest.mark.parametrize("seed", range(6))
def test_a_seeded_session_with_faults_ends_with_equal_books(seed: int) -> None:
    assert World(seed).play() == []


def test_the_same_seed_is_the_same_session_and_another_is_another() -> None:
    def told(seed: int) -> tuple[int, list[Any], list[Any]]:
        world = World(seed)
        world.play()
        return world.messages, world.told, world.account.executions

    assert told(3) == told(3)
    assert told(3) != told(4)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_five_hundred_seeded_sessions_end_with_equal_books() -> None:
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.emulated", "--first", str(first), "--seeds", "250"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in (1_000, 1_250)
    ]
    words = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], "\n".join(words)
    for fault in ("never_arrives", "arrives_late", "answer_lost", "refused", "frame_dropped", "cut", "key_expires", "dies"):
        assert all(f"{fault} " in word for word in words), fault
