"""The emulated venue's streams: the documented depth procedure, routes and their silences, private keys, conditional orders."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from actors.emulator.conditional import AlgoOrder
from actors.emulator.exchange import Exchange
from actors.emulator.settings import Settings
from tests.emulated_client import SECOND, Client, opened


def frames(subscriber: Any) -> list[Any]:
    return [msgspec.json.decode(frame, type=dict[str, Any]) for frame in subscriber.take()]


class LocalBook:
    """A client's book by the documented procedure, written from the document: buffer, snapshot, straddle, chain."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.last = int(snapshot["lastUpdateId"])
        self.sides = {name: dict(snapshot[name]) for name in ("bids", "asks")}
        self.chained = False

    def apply(self, event: dict[str, Any]) -> None:
        if not self.chained:
            if event["u"] < self.last:
                return
            assert event["U"] <= self.last <= event["u"], "the event that straddles the snapshot is missing"
            self.chained = True
        else:
            assert event["pu"] == self.last, "a gap"
        self.last = event["u"]
        for name, letter in (("bids", "b"), ("asks", "a")):
            for price, qty in event[letter]:
                if Decimal(qty):
                    self.sides[name][price] = qty
                else:
                    self.sides[name].pop(price, None)


@pytest.mark.parametrize("speed", ["", "@100ms", "@500ms", "@0ms"])
def test_the_documented_depth_procedure_keeps_the_venues_book(speed: str) -> None:
    client = Client(opened())
    subscriber = client.exchange.connect(client.exchange.now, f"/public/ws/btcusdt@depth{speed}")
    client.sleep(0.73)
    book = LocalBook(client.get("v1/depth", signed=False, symbol="BTCUSDT", limit=1000))
    for _ in range(400):
        client.sleep(1)  # on the second, where every speed has just published
        for event in frames(subscriber):
            book.apply(event)
    client.exchange.advance((client.exchange.now // SECOND + 1) * SECOND)
    for event in frames(subscriber):
        book.apply(event)
    snapshot = client.get("v1/depth", signed=False, symbol="BTCUSDT", limit=1000)
    assert book.chained
    for name, best_first in (("bids", True), ("asks", False)):
        mine = sorted(book.sides[name].items(), key=lambda level: Decimal(level[0]), reverse=best_first)[:1000]
        assert mine == [tuple(level) for level in snapshot[name]], name
    assert client.exchange.markets["BTCUSDT"].day_name != "generated 0", "the end of a day is part of it"


def test_the_public_book_is_the_engines_book() -> None:
    exchange = opened()
    market = exchange.markets["BTCUSDT"]
    for second in range(2, 200, 7):
        exchange.advance(exchange.started + second * SECOND)
        assert tuple(tuple(side) for side in market.levels(1000)) == market.replay.levels(1000)


def test_book_tickers_are_the_best_of_the_book_at_their_update_id() -> None:
    client = Client(opened())
    now = client.exchange.now
    subscriber = client.exchange.connect(now, "/public/stream?streams=btcusdt@bookTicker/btcusdt@depth@0ms")
    book = LocalBook(client.get("v1/depth", signed=False, symbol="BTCUSDT", limit=1000))
    client.sleep(30)
    quotes, compared = {}, 0
    for wrapped in frames(subscriber):
        event = wrapped["data"]
        if event["e"] == "bookTicker":
            quotes[event["u"]] = event
        else:
            book.apply(event)
        if book.last in quotes and event["u"] == book.last:
            best = max(book.sides["bids"], key=Decimal), min(book.sides["asks"], key=Decimal)
            assert (quotes[book.last]["b"], quotes[book.last]["a"]) == best
            compared += 1
    assert compared > 50


def test_partial_depth_shows_the_top_of_the_book() -> None:
    client = Client(opened())
    subscriber = client.exchange.connect(client.exchange.now, "/public/ws/btcusdt@depth5@100ms")
    client.sleep(5)
    found = frames(subscriber)
    assert len(found) > 20
    assert {(len(one["b"]), len(one["a"])) for one in found} == {(5, 5)}
    assert all(later["pu"] == earlier["u"] for earlier, later in pairwise(found))


MARKET = ("btcusdt@aggTrade", "btcusdt@markPrice@1s", "btcusdt@kline_1m", "btcusdt@miniTicker", "btcusdt@ticker")
EITHER = "btcusdt@trade"
PUBLIC = ("btcusdt@depth@100ms", "btcusdt@depth20", "btcusdt@bookTicker", "!bookTicker")


@pytest.mark.parametrize("road", ["/public", "/market", "/private", ""])
def test_a_stream_is_heard_on_its_own_road_only(road: str) -> None:
    exchange = opened()
    connections = {name: exchange.connect(exchange.now, f"{road}/ws/{name}") for name in (*MARKET, *PUBLIC, EITHER)}
    exchange.advance(exchange.now + 10 * SECOND)
    heard = {name for name, one in connections.items() if one.take()}
    public, market = {*PUBLIC, EITHER}, {*MARKET, EITHER}
    assert heard == {"/public": public, "": public, "/market": market, "/private": set()}[road]
    assert not any(one.closed for one in connections.values())


def test_a_private_key_is_silent_without_its_road() -> None:
    client = Client(opened())
    key = client.post("v1/listenKey", signed=False)["listenKey"]
    roads = {
        path: client.exchange.connect(client.exchange.now, path.format(key))
        for path in ("/private/ws/{}", "/private/stream?streams={}", "/private/ws?listenKey={}&events=ACCOUNT_UPDATE", "/ws/{}")
    }
    client.market("BUY")
    counts = {path: len(one.take()) for path, one in roads.items()}
    assert list(counts.values()) == [4, 4, 1, 0]


def test_subscriptions_come_and_go_by_message() -> None:
    exchange = opened()
    one = exchange.connect(exchange.now, "/market/ws")

    def said(method: str, params: Any = None, identity: Any = 1) -> list[Any]:
        one.say(
            exchange.now,
            json.dumps(
                {"method": method, "params": params, "id": identity} if params is not None else {"method": method, "id": identity}
            ),
        )
        return frames(one)

    assert said("SUBSCRIBE", ["btcusdt@aggTrade"]) == [{"result": None, "id": 1}]
    assert said("LIST_SUBSCRIPTIONS", identity="two") == [{"result": ["btcusdt@aggTrade"], "id": "two"}]
    exchange.advance(exchange.now + 5 * SECOND)
    assert frames(one)
    assert said("UNSUBSCRIBE", ["btcusdt@aggTrade"]) == [{"result": None, "id": 1}]
    exchange.advance(exchange.now + 5 * SECOND)
    assert frames(one) == []
    assert said("SHOUT", [])[0]["error"]["code"] == 2
    one.say(exchange.now, "{")
    assert frames(one)[0]["error"]["code"] == 3


def test_who_talks_too_much_or_wants_too_much_is_cut_off() -> None:
    exchange = opened()
    talker = exchange.connect(exchange.now, "/market/ws")
    for _ in range(11):
        talker.say(exchange.now, '{"method":"LIST_SUBSCRIPTIONS","id":1}')
    assert talker.closed
    greedy = exchange.connect(exchange.now, "/market/ws")
    greedy.say(exchange.now, json.dumps({"method": "SUBSCRIBE", "params": [f"s{k}@aggTrade" for k in range(1025)], "id": 1}))
    assert greedy.closed


def test_a_listen_key_lives_an_hour_and_its_connection_falls_silent() -> None:
    client = Client(opened(Settings(clock_speed=60.0)))
    client.listen()
    first = client.post("v1/listenKey", signed=False)["listenKey"]
    client.sleep(50)
    assert client.put("v1/listenKey", signed=False)["listenKey"] == first
    client.sleep(50)
    client.market("BUY")
    assert client.heard("ORDER_TRADE_UPDATE")
    client.sleep(20)
    assert [one["e"] for one in client.heard()] == ["listenKeyExpired"]
    assert client.refused("PUT", "v1/listenKey", signed=False) == -1125
    client.market("BUY")
    assert client.heard() == []
    assert not client.user.closed
    assert client.post("v1/listenKey", signed=False)["listenKey"] != first


def test_connections_end_after_a_day_of_the_venues_clock() -> None:
    exchange = opened(Settings(clock_speed=1440.0))
    one = exchange.connect(exchange.now, "/public/ws/btcusdt@bookTicker")
    exchange.advance(exchange.now + 59 * SECOND)
    assert not one.closed
    exchange.advance(exchange.now + 2 * SECOND)
    assert one.closed


def stop(client: Client, **more: Any) -> Any:
    asked = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "clientAlgoId": "stop"}
    return client.post("v1/algoOrder", **(asked | more))


def until(client: Client, done: Any, seconds: int = 600) -> None:
    for _ in range(seconds):
        if done():
            return
        client.sleep(1)
    raise AssertionError("it never came")


def last_trade(exchange: Exchange) -> Decimal:
    market = exchange.markets["BTCUSDT"]
    return market.last * market.instrument.tick


@pytest.mark.parametrize(
    "more", [{"quantity": "0.010"}, {"closePosition": "true"}, {"quantity": "0.010", "workingType": "MARK_PRICE"}]
)
@pytest.mark.parametrize(("first", "side", "kind"), [("SELL", "BUY", "STOP_MARKET"), ("BUY", "SELL", "TAKE_PROFIT_MARKET")])
def test_a_condition_is_waited_for_and_becomes_an_order(more: dict[str, str], first: str, side: str, kind: str) -> None:
    client = Client(opened())
    client.listen()
    client.market(first, "0.010")
    client.heard()
    price = last_trade(client.exchange)
    asked = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": side, "type": kind, "quantity": "0.010"}
    assert client.refused("POST", "v1/algoOrder", **asked, triggerPrice=f"{price - 500}") == -2021
    placed = stop(client, side=side, type=kind, triggerPrice=f"{price + 3}", **more)
    assert (placed["algoStatus"], client.get("v1/openOrders")) == ("NEW", [])
    until(client, lambda: not client.exchange.algos.waiting)
    events = client.heard()
    states = [one["o"]["X"] for one in events if one["e"] == "ALGO_UPDATE"]
    assert states == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    order = client.get("v1/order", symbol="BTCUSDT", origClientOrderId="stop")
    assert (order["status"], order["origType"]) == ("FILLED", kind)
    assert client.get("v1/algoOrder", clientAlgoId="stop")["actualOrderId"] == str(order["orderId"])
    assert client.position() == 0


def test_a_triggered_order_without_margin_is_rejected_then() -> None:
    client = Client(opened())
    client.listen()
    stop(client, side="BUY", quantity="100.000", triggerPrice=f"{last_trade(client.exchange) + 2}")
    until(client, lambda: not client.exchange.algos.waiting)
    assert [one["o"]["X"] for one in client.heard("ALGO_UPDATE")] == ["NEW", "TRIGGERING", "REJECTED"]
    assert client.get("v1/algoOrder", clientAlgoId="stop")["algoStatus"] == "REJECTED"


def test_a_conditional_order_is_canceled_by_its_own_endpoint_only() -> None:
    client = Client(opened())
    low = last_trade(client.exchange) - 2000
    placed = stop(client, quantity="0.010", triggerPrice=f"{low}")
    assert client.refused("DELETE", "v1/order", symbol="BTCUSDT", orderId=placed["algoId"]) == -2011
    assert client.delete("v1/algoOrder", algoId=placed["algoId"])["code"] == "200"
    assert client.refused("DELETE", "v1/algoOrder", algoId=placed["algoId"]) == -2011


def test_a_trailing_stop_follows_the_price_and_turns_with_it() -> None:
    instrument = opened().markets["BTCUSDT"].instrument
    algo = AlgoOrder(1, "demo", instrument, "t", "SELL", "TRAILING_STOP_MARKET", "GTC", 1, 0, 0, 0, callback_text="1")
    algo.activate_tick = instrument.ticks("61000")
    reached = [algo.reached(Decimal(price)) for price in (60_900, 60_000, 61_000, 62_000, 61_500, 61_381, 61_380)]
    assert reached == [False] * 6 + [True]


def test_there_are_candles_from_before_the_opening_that_lead_to_it() -> None:
    client = Client(opened())
    bars = client.get("v1/klines", signed=False, symbol="BTCUSDT", interval="1m", limit=500)
    opening = client.exchange.started // 1_000_000
    assert len(bars) > 30
    assert [bar[0] for bar in bars] == list(range(bars[0][0], bars[-1][0] + 1, 60_000))
    assert bars[-1][0] <= opening <= bars[-1][6]
    assert all(later[0] - 1 == earlier[6] for earlier, later in pairwise(bars))
    closes = [Decimal(bar[4]) for bar in bars]
    assert max(abs(later / earlier - 1) for earlier, later in pairwise(closes)) < Decimal("0.02")
    assert all(Decimal(low) <= min(Decimal(first), Decimal(last)) for _, first, _, low, last, *_ in bars)


def test_a_trailing_stop_says_twice_that_it_is_new() -> None:
    client = Client(opened())
    client.listen()
    stop(
        client,
        type="TRAILING_STOP_MARKET",
        quantity="0.010",
        callbackRate="5",
        activatePrice=f"{last_trade(client.exchange) + 1}",
    )
    until(client, lambda: any(algo.activated for algo in client.exchange.algos.waiting.values()))
    assert [(one["o"]["X"], one["o"]["ia"]) for one in client.heard("ALGO_UPDATE")] == [("NEW", False), ("NEW", True)]
