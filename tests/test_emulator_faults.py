"""The emulated venue's faults: what clients are told, and that the truth is untouched by it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.emulator.faultplan import FaultPlan, MomentFaults, RequestFaults, Scripted, StreamFaults, read_plan
from actors.emulator.limits import Limits
from actors.emulator.settings import Settings, read_settings
from actors.errors import UserError
from tests.emulated_client import SECOND, Client, opened, order

POST = "POST /fapi/v1/order"


def scripted(fault: str, request: int = 1, of: str = POST, **requests: Any) -> Client:
    plan = FaultPlan(script=(Scripted(fault, request=request, of=of),), requests=RequestFaults(**requests))
    client = Client(opened(plan=plan))
    client.listen()
    return client


def code(answer: Any) -> int:
    return int(msgspec.json.decode(answer.body)["code"])


def placed(client: Client) -> list[str]:
    return [one["clientOrderId"] for one in client.truth()["orders"]]


def asked(client: Client, name: str = "mine", **more: Any) -> Any:
    bid, _ = client.best()
    return client.ask("POST", "v1/order", **order("BUY", bid - 100), newClientOrderId=name, **more)


def test_an_answer_is_lost_and_the_order_lives() -> None:
    client = scripted("answer_lost")
    assert asked(client).lost
    assert placed(client) == ["mine"]
    assert client.heard("ORDER_TRADE_UPDATE")


def test_a_request_never_arrives() -> None:
    client = scripted("never_arrived")
    assert asked(client).lost
    client.sleep(20)
    assert placed(client) == []


def test_a_request_arrives_late_if_its_window_allows() -> None:
    client = scripted("late", late_ms=4_000)
    assert asked(client).lost
    assert placed(client) == []
    client.sleep(4)
    assert placed(client) == ["mine"]


def test_a_late_request_is_refused_after_its_window() -> None:
    client = scripted("late", late_ms=10_000)
    asked(client, recvWindow=1)
    client.sleep(11)
    assert placed(client) == []


def test_fills_come_before_a_slow_answer() -> None:
    client = scripted("slow_answer", slow_ms=3_000)
    answer = client.ask("POST", "v1/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.010")
    assert 0 < answer.delay_ns <= 3 * SECOND
    assert client.heard("TRADE_LITE")


@pytest.mark.parametrize(("fault", "status", "told"), [
    ("unavailable_503", 503, -1000), ("code_1001", 503, -1001), ("code_1003", 429, -1003), ("code_1008", 503, -1008),
    ("code_1015", 429, -1015), ("code_1021", 400, -1021), ("banned", 418, -1003),
])  # fmt: skip
def test_a_definite_refusal_leaves_nothing_behind(fault: str, status: int, told: int) -> None:
    client = scripted(fault)
    answer = asked(client)
    assert (answer.status, code(answer)) == (status, told)
    assert ("Retry-After" in answer.headers) == (status in (418, 429))
    assert placed(client) == []


@pytest.mark.parametrize(("fault", "status", "told"), [
    ("unknown_503", 503, -1000), ("code_1000", 503, -1000), ("code_1006", 503, -1006), ("code_1007", 408, -1007),
])  # fmt: skip
def test_of_an_unknown_execution_both_truths_occur(fault: str, status: int, told: int) -> None:
    found = set()
    for seed in range(12):
        plan = FaultPlan(seed=seed, script=(Scripted(fault, request=1, of=POST),))
        client = Client(opened(plan=plan))
        answer = asked(client)
        assert (answer.status, code(answer)) == (status, told)
        found.add(bool(placed(client)))
    assert found == {True, False}


def test_the_firewall_does_not_speak_json() -> None:
    answer = asked(scripted("forbidden"))
    assert answer.status == 403
    assert answer.body.startswith(b"<html>")


def test_a_cancel_works_and_says_it_did_not() -> None:
    client = scripted("race_2011", of="DELETE /fapi/v1/order")
    asked(client)
    assert code(client.ask("DELETE", "v1/order", symbol="BTCUSDT", origClientOrderId="mine")) == -2011
    assert client.truth()["open_orders"] == []


def test_a_young_order_is_hidden_from_a_query() -> None:
    client = Client(opened())
    asked(client)
    client.exchange.faults.want("hidden_2013")
    assert code(client.ask("GET", "v1/order", symbol="BTCUSDT", origClientOrderId="mine")) == -2013
    assert client.get("v1/order", symbol="BTCUSDT", origClientOrderId="mine")["status"] == "NEW"


def test_throttling_spares_cancels_and_what_reduces() -> None:
    client = Client(opened(plan=FaultPlan(requests=RequestFaults(code_1008=1.0))))
    assert code(asked(client)) == -1008
    assert client.delete("v1/allOpenOrders", symbol="BTCUSDT")["code"] == 200
    assert code(asked(client, reduceOnly="true")) == -2022


def fills(client: Client) -> list[Any]:
    return [one["o"] for one in client.heard("ORDER_TRADE_UPDATE") if one["o"]["x"] == "TRADE"]


def test_user_frames_are_lost_repeated_and_late_and_the_truth_is_whole() -> None:
    counts = {}
    for fault in ("user_dropped", "user_repeated", "user_delayed"):
        client = Client(opened(plan=FaultPlan(streams=StreamFaults(**{fault: 1.0}))))
        client.listen()
        client.market("BUY")
        now = len(fills(client))
        client.sleep(5)
        counts[fault] = (now, len(fills(client)))
        assert len(client.truth()["executions"]) == 1
    assert counts == {"user_dropped": (0, 0), "user_repeated": (2, 0), "user_delayed": (0, 1)}


def test_a_fill_takes_its_connection_down() -> None:
    client = Client(opened(plan=FaultPlan(streams=StreamFaults(fill_cut=1.0))))
    client.listen()
    client.market("BUY")
    assert client.user.closed
    assert client.user.take() == []
    assert len(client.truth()["executions"]) == 1


def test_dropped_depth_frames_leave_a_gap_that_the_sequence_shows() -> None:
    exchange = opened(plan=FaultPlan(streams=StreamFaults(depth_dropped=0.2)))
    subscriber = exchange.connect(exchange.now, "/public/ws/btcusdt@depth@100ms")
    exchange.advance(exchange.now + 30 * SECOND)
    events = [msgspec.json.decode(frame) for frame in subscriber.take()]
    gaps = sum(later["pu"] != earlier["u"] for earlier, later in pairwise(events))
    assert 10 < gaps < 120


@pytest.mark.parametrize(("fault", "closed", "heard"), [
    ("user_cut", True, False), ("all_cut", True, False), ("user_silent", False, False), ("market_cut", False, True),
])  # fmt: skip
def test_connections_break_or_fall_silent(fault: str, closed: bool, heard: bool) -> None:
    plan = FaultPlan(script=(Scripted(fault, at_seconds=5),))
    client = Client(opened(plan=plan))
    client.listen()
    market = client.exchange.connect(client.exchange.now, "/market/ws/btcusdt@aggTrade")
    client.sleep(6)
    client.market("BUY")
    assert bool(client.user.closed) == closed
    assert bool(client.heard()) == heard
    assert bool(market.closed) == (fault in ("market_cut", "all_cut"))


def test_orders_end_unasked_keys_end_early_and_the_clock_steps() -> None:
    moments = MomentFaults(order_canceled=30, order_expired=30, key_expired=5, clock_stepped=30)
    client = Client(opened(plan=FaultPlan(seed=4, until_seconds=60, moments=moments)))
    client.listen()
    bid, _ = client.best()
    for _ in range(20):
        client.limit("BUY", bid - 2500)
    client.sleep(60)
    happened = dict(client.exchange.faults.happened)
    assert set(happened) == {"order_canceled", "order_expired", "key_expired", "clock_stepped"}
    assert "listenKeyExpired" in [one["e"] for one in client.heard()]
    left = len(client.get("v1/openOrders"))
    assert left < 20
    client.sleep(60)
    assert len(client.get("v1/openOrders")) == left
    assert client.exchange.faults.happened == happened


def test_a_stepped_clock_is_what_clients_see_and_are_measured_by() -> None:
    client = Client(opened())
    true_ms = client.exchange.now // 1_000_000
    client.exchange.call(client.exchange.now, "POST", "/emulator/clock", body='{"offset_ms": -7000}')
    assert client.get("v1/time", signed=False)["serverTime"] == true_ms - 7000
    assert client.refused("GET", "v3/account", timestamp=true_ms) == -1021
    client.get("v3/account", timestamp=true_ms - 7000)
    assert client.refused("GET", "v3/account", timestamp=true_ms - 12_001) == -1021


def test_signatures_keys_and_times_are_checked() -> None:
    client = Client(opened())
    now = client.exchange.stamp(client.exchange.now)
    assert client.refused("GET", "v3/account", timestamp=now + 1000) == -1021
    client.get("v3/account", timestamp=now + 999)
    client.get("v3/account", timestamp=now - 5000)
    assert client.refused("GET", "v3/account", timestamp=now - 5001) == -1021
    assert client.refused("GET", "v3/account", signed=False) == -1102
    assert client.refused("GET", "v3/account", signed=False, timestamp=now, signature="ab") == -1022
    stranger = Client(client.exchange, client.account.__class__("x", "other", "demo-secret"))
    assert stranger.refused("GET", "v3/account") == -2015
    stranger.account = client.account.__class__("x", "", "demo-secret")
    assert stranger.refused("GET", "v3/account") == -2014
    bid, _ = client.best()
    assert client.ask("POST", "v1/order", in_body=True, **order("BUY", bid - 100)).status == 200


def test_weights_and_orders_are_counted_and_limited() -> None:
    client = Client(opened(Settings(limits=Limits(weight_minute=60, orders_ten_seconds=3))))
    assert client.ask("GET", "v1/openOrders").headers["X-MBX-USED-WEIGHT-1M"] == "40"
    bid, _ = client.best()
    answers = [client.ask("POST", "v1/order", **order("BUY", bid - 100)) for _ in range(4)]
    assert [answer.headers.get("X-MBX-ORDER-COUNT-10S") for answer in answers] == ["1", "2", "3", "3"]
    assert (answers[3].status, code(answers[3])) == (429, -1015)
    slow = client.ask("GET", "v1/openOrders")
    assert (slow.status, code(slow)) == (429, -1003)
    assert 0 < int(slow.headers["Retry-After"]) <= 60
    while client.ask("GET", "v1/openOrders").status == 429:
        pass
    banned = client.ask("GET", "v1/ping", signed=False)
    assert (banned.status, banned.headers["Retry-After"]) == (418, "120")
    client.sleep(121)
    assert client.get("v1/ping", signed=False) == {}


def test_the_same_seed_draws_the_same_faults() -> None:
    def drawn(seed: int) -> list[Any]:
        chances = RequestFaults(answer_lost=0.2, code_1007=0.2, never_arrived=0.2)
        client = Client(opened(plan=FaultPlan(seed=seed, requests=chances)))
        return [(answer.lost, answer.status) for answer in (client.ask("GET", "v3/account") for _ in range(40))]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_the_back_door_names_the_nearest_fault() -> None:
    exchange = opened()
    answer = exchange.call(exchange.now, "POST", "/emulator/fault", body='{"fault": "user_cutt"}')
    assert answer.status == 400
    assert "'user_cut'" in msgspec.json.decode(answer.body)["error"]


def test_a_fault_file_is_read_and_its_mistakes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(
        'seed = 7\nuntil_seconds = 60\n[requests]\nanswer_lost = 0.02\n[moments]\nuser_cut = 0.5\n'
        '[[script]]\nfault = "code_1007"\nrequest = 3\nof = "POST /fapi/v1/order"\n'
    )  # fmt: skip
    plan = read_plan(path)
    assert (plan.seed, plan.requests.answer_lost, plan.script[0].request) == (7, 0.02, 3)
    for text, said in (
        ("[requests]\nanswer_lots = 0.1", "did you mean 'answer_lost'?"),
        ("[requests]\nanswer_lost = 2", "no chance between 0 and 1"),
        ('[[script]]\nfault = "user_cu"\nat_seconds = 1', "did you mean 'user_cut'?"),
        ('[[script]]\nfault = "user_cut"\nrequest = 1', "at_seconds"),
        ('seed = "x"', "Expected `int`"),
        ("seed = ", "faults.toml"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=r"faults\.toml") as error:
            read_plan(path)
        assert said in str(error.value)


def test_an_accounts_file_is_read_and_its_mistakes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text('[[accounts]]\nname = "a"\nkey = "k"\nsecret = "s"\nbalances = { USDT = "5" }\n[limits]\nweight_minute = 9\n')
    settings = read_settings(path)
    assert (settings.accounts[0].balances, settings.limits.weight_minute) == ({"USDT": "5"}, 9)
    for text, said in (
        ('[[accounts]]\nnam = "a"', "did you mean 'name'?"),
        ('[[accounts]]\nname = "a"\n[[accounts]]\nname = "a"\nkey = "b"', "a name of its own"),
        ('[[accounts]]\nbalances = { USDT = "lots" }', "not a number"),
    ):
        path.write_text(text)
        with pytest.raises(UserError) as error:
            read_settings(path)
        assert said in str(error.value)
