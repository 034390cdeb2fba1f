"""The emulated venue in virtual time: what becomes of orders, positions and money."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from actors.emulator.settings import AccountSettings, Settings
from tests.emulated_client import Client, opened, order


@pytest.fixture
def client() -> Client:
    made = Client(opened())
    made.listen()
    return made


@pytest.fixture
def rich() -> Client:
    """Whose orders are larger than what the market takes at once."""
    account = AccountSettings(balances={"USDT": "10000000"})
    made = Client(opened(Settings(accounts=(account,))), account)
    made.listen()
    return made


def statuses(client: Client) -> list[tuple[str, str]]:
    return [(one["o"]["x"], one["o"]["X"]) for one in client.heard("ORDER_TRADE_UPDATE")]


def test_a_market_order_is_filled_paid_for_and_told_of(client: Client) -> None:
    result = client.market("BUY", "0.500")
    assert result["status"] == "FILLED"
    assert Decimal(result["avgPrice"]) >= client.best()[1]
    events = client.heard()
    assert [one["e"] for one in events] == ["ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]
    fill = events[-1]["o"]
    assert (fill["x"], fill["X"], fill["z"], fill["m"]) == ("TRADE", "FILLED", "0.500", False)
    assert client.position() == Decimal("0.500")
    trades = client.get("v1/userTrades", symbol="BTCUSDT")
    fee = sum(Decimal(one["commission"]) for one in trades)
    assert fee == sum(Decimal(one["quoteQty"]) for one in trades) * Decimal("0.0005")
    assert Decimal(client.get("v3/account")["totalWalletBalance"]) == 100_000 - fee


def test_a_resting_order_waits_for_the_market_and_fills_as_maker(client: Client) -> None:
    bid, ask = client.best()
    client.limit("BUY", bid)
    client.limit("SELL", ask)
    assert len(client.get("v1/openOrders", symbol="BTCUSDT")) == 2
    client.sleep(120)
    trades = client.get("v1/userTrades", symbol="BTCUSDT")
    assert trades
    assert all(one["maker"] for one in trades)
    assert {Decimal(one["price"]) for one in trades} <= {bid, ask}


def test_partial_fills_are_told_one_by_one_and_add_up(rich: Client) -> None:
    client = rich
    _, ask = client.best()
    client.limit("BUY", ask + 20, "60.000")
    client.sleep(300)
    fills = [one["o"] for one in client.heard("ORDER_TRADE_UPDATE") if one["o"]["x"] == "TRADE"]
    assert len(fills) > 1
    summed = Decimal(0)
    for fill in fills:
        summed += Decimal(fill["l"])
        assert Decimal(fill["z"]) == summed
    assert client.position() == summed


def test_position_is_the_sum_of_executions_and_money_is_conserved(client: Client) -> None:
    for k in range(12):
        client.market("BUY" if k % 3 else "SELL", f"0.{k + 1:03d}")
        client.sleep(5)
    truth = client.truth()
    signed = [Decimal(one["qty"]) * (1 if one["side"] == "BUY" else -1) for one in truth["executions"]]
    assert sum(signed) == client.position() == Decimal(truth["positions"][0]["qty"])
    cash = -sum(qty * Decimal(one["price"]) for qty, one in zip(signed, truth["executions"], strict=True))
    fees = sum(Decimal(one["fee"]) for one in truth["executions"])
    wallet = Decimal(truth["wallets"]["USDT"])
    assert wallet - 100_000 == cash - fees + Decimal(truth["positions"][0]["cost"])
    assert sum(Decimal(one["income"]) for one in client.get("v1/income", limit=1000)) == wallet


def test_post_only_that_would_cross_is_refused_without_a_trace(client: Client) -> None:
    _, ask = client.best()
    assert client.refused("POST", "v1/order", **order("BUY", ask, tif="GTX")) == -5022
    assert client.heard() == []
    assert client.get("v1/allOrders", symbol="BTCUSDT") == []
    client.limit("BUY", ask - 1, tif="GTX")


def test_a_venue_may_be_told_to_expire_what_others_refuse() -> None:
    client = Client(opened(Settings(post_only="expire", fill_or_kill="expire")))
    client.listen()
    _, ask = client.best()
    client.limit("BUY", ask, tif="GTX")
    assert statuses(client) == [("NEW", "NEW"), ("EXPIRED", "EXPIRED")]


def test_fill_or_kill_takes_all_or_nothing(client: Client) -> None:
    bid, ask = client.best()
    assert client.refused("POST", "v1/order", **order("BUY", bid, tif="FOK")) == -5021
    client.limit("BUY", ask, "0.001", tif="FOK")
    assert statuses(client) == [("NEW", "NEW"), ("TRADE", "FILLED")]


def test_immediate_or_cancel_takes_what_is_there_and_expires(client: Client) -> None:
    bid, _ = client.best()
    client.limit("BUY", bid, tif="IOC")
    assert statuses(client) == [("NEW", "NEW"), ("EXPIRED", "EXPIRED")]


def test_good_till_date_expires_by_itself(client: Client) -> None:
    bid, _ = client.best()
    now_ms = client.exchange.stamp(client.exchange.now)
    wanted = order("BUY", bid - 2000, tif="GTD")
    assert client.refused("POST", "v1/order", **wanted, goodTillDate=now_ms + 599_000) == -5040
    placed = client.post("v1/order", **wanted, goodTillDate=now_ms + 605_000)
    client.sleep(606)
    assert client.get("v1/order", symbol="BTCUSDT", orderId=placed["orderId"])["status"] == "EXPIRED"


def test_a_change_loses_the_place_and_keeps_the_ids(client: Client) -> None:
    bid, _ = client.best()
    placed = client.limit("BUY", bid - 100, newClientOrderId="mine")
    asked = {"symbol": "BTCUSDT", "side": "BUY", "origClientOrderId": "mine"}
    changed = client.put("v1/order", **asked, price=f"{bid - 200}", quantity="0.020", modifyId=5)
    assert (changed["orderId"], changed["price"], changed["origQty"], changed["modifyId"]) == (
        placed["orderId"],
        f"{bid - 200}",
        "0.020",
        5,
    )
    assert client.refused("PUT", "v1/order", **asked, price=f"{bid - 200}", quantity="0.020") == -5027
    history = client.get("v1/orderAmendment", symbol="BTCUSDT", origClientOrderId="mine")
    assert history[0]["amendment"]["price"] == {"before": f"{bid - 100}", "after": f"{bid - 200}"}
    assert statuses(client) == [("NEW", "NEW"), ("AMENDMENT", "NEW")]


def test_a_change_below_what_is_executed_cancels_and_a_crossing_post_only_too(rich: Client) -> None:
    client = rich
    bid, ask = client.best()
    partly: list[Any] = []
    while not partly:
        for side, price in (("BUY", bid), ("SELL", ask)):
            client.limit(side, price, "30.000")
        client.sleep(2)
        partly = [one for one in client.get("v1/openOrders") if one["status"] == "PARTIALLY_FILLED"]
        if not partly:
            client.delete("v1/allOpenOrders", symbol="BTCUSDT")
        bid, ask = client.best()
    placed = partly[0]
    changed = client.put(
        "v1/order",
        symbol="BTCUSDT",
        side=placed["side"],
        orderId=placed["orderId"],
        price=placed["price"],
        quantity=placed["executedQty"],
    )
    assert changed["status"] == "CANCELED"
    bid, ask = client.best()
    post = client.limit("BUY", bid - 50, tif="GTX")
    asked = {"symbol": "BTCUSDT", "side": "BUY", "orderId": post["orderId"], "price": f"{ask}", "quantity": "0.010"}
    assert client.put("v1/order", **asked)["status"] == "CANCELED"


def test_a_canceled_order_is_unknown_to_the_next_cancel(client: Client) -> None:
    bid, _ = client.best()
    placed = client.limit("BUY", bid - 100)
    asked = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    assert client.delete("v1/order", **asked)["status"] == "CANCELED"
    assert client.refused("DELETE", "v1/order", **asked) == -2011
    assert client.get("v1/order", **asked)["status"] == "CANCELED"
    assert client.refused("GET", "v1/openOrder", **asked) == -2013
    assert client.refused("GET", "v1/order", symbol="BTCUSDT", orderId=1) == -2013


def test_client_ids_are_unique_among_open_orders_only(client: Client) -> None:
    bid, _ = client.best()
    client.limit("BUY", bid - 100, newClientOrderId="same")
    assert client.refused("POST", "v1/order", **order("BUY", bid - 100), newClientOrderId="same") == -4116
    client.delete("v1/order", symbol="BTCUSDT", origClientOrderId="same")
    client.limit("BUY", bid - 100, newClientOrderId="same")
    assert client.refused("POST", "v1/order", **order("BUY", bid), newClientOrderId="a b") == -4015


def test_batches_answer_item_by_item(client: Client) -> None:
    bid, _ = client.best()
    items = [order("BUY", bid - 100), order("BUY", bid - 100, "0.0001"), order("SELL", bid + 100)]
    import json

    answers = client.post("v1/batchOrders", batchOrders=json.dumps(items))
    assert [one.get("code", one.get("status")) for one in answers] == ["NEW", -1111, "NEW"]
    ids = [answers[0]["orderId"], 77]
    canceled = client.delete("v1/batchOrders", symbol="BTCUSDT", orderIdList=json.dumps(ids))
    assert canceled[0]["status"] == "CANCELED"
    assert canceled[1] == {"code": -2011, "msg": "Unknown order sent."}
    assert client.refused("POST", "v1/batchOrders", batchOrders=json.dumps(items * 2)) == -4082


def test_cancel_all_spares_conditional_orders_and_other_symbols() -> None:
    client = Client(opened(symbols=("BTCUSDT", "ETHUSDT")))
    bid, _ = client.best()
    client.limit("BUY", bid - 100)
    client.post("v1/order", **(order("BUY", 3300) | {"symbol": "ETHUSDT", "quantity": "0.1"}))
    stop = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.01", "triggerPrice": f"{bid - 2000}"}
    client.post("v1/algoOrder", algoType="CONDITIONAL", **stop)
    assert client.delete("v1/allOpenOrders", symbol="BTCUSDT")["code"] == 200
    assert [one["symbol"] for one in client.get("v1/openOrders")] == ["ETHUSDT"]
    assert len(client.get("v1/openAlgoOrders")) == 1
    client.delete("v1/algoOpenOrders", symbol="BTCUSDT")
    assert client.get("v1/openAlgoOrders") == []


def test_the_dead_mans_switch_cancels_unless_it_is_held(client: Client) -> None:
    bid, _ = client.best()
    client.limit("BUY", bid - 2000)
    client.post("v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=2000)
    client.sleep(1.5)
    client.post("v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=2000)
    client.sleep(1.9)
    assert len(client.get("v1/openOrders")) == 1
    client.post("v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=0)
    client.sleep(5)
    assert len(client.get("v1/openOrders")) == 1
    client.post("v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=1000)
    client.sleep(1.1)
    assert client.get("v1/openOrders") == []


def test_reduce_only_never_turns_a_position(client: Client) -> None:
    bid, ask = client.best()
    assert client.refused("POST", "v1/order", **order("SELL", ask), reduceOnly="true") == -2022
    client.market("BUY", "0.010")
    assert client.refused("POST", "v1/order", **order("BUY", bid), reduceOnly="true") == -2022
    for _ in range(3):
        client.limit("SELL", client.best()[1], "0.010", reduceOnly="true")
    client.sleep(120)
    assert client.position() == 0
    assert client.get("v1/openOrders") == []
    ends = sorted(one["status"] for one in client.get("v1/allOrders", symbol="BTCUSDT") if one["reduceOnly"])
    assert ends == ["EXPIRED", "EXPIRED", "FILLED"]


def test_the_margin_must_suffice(client: Client) -> None:
    bid, _ = client.best()
    assert client.refused("POST", "v1/order", **order("BUY", bid, "40.000")) == -2019
    client.post("v1/leverage", symbol="BTCUSDT", leverage=50)
    assert client.heard("ACCOUNT_CONFIG_UPDATE")[0]["ac"] == {"s": "BTCUSDT", "l": 50}
    client.limit("BUY", bid, "40.000")
    assert client.refused("POST", "v1/order", **order("BUY", bid, "45.000")) == -2019
    assert client.refused("POST", "v1/leverage", symbol="BTCUSDT", leverage=126) == -4028


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"side": "HOLD"}, -1117),
        ({"type": "STOP_MARKET"}, -4120),
        ({"type": "ICEBERG"}, -1116),
        ({"timeInForce": "GOOD"}, -1115),
        ({"timeInForce": ""}, -1102),
        ({"quantity": ""}, -1102),
        ({"quantity": "0.0105"}, -1111),
        ({"quantity": "0"}, -4003),
        ({"quantity": "5000"}, -4005),
        ({"quantity": "1e-2"}, -1100),
        ({"price": "59000.05"}, -4014),
        ({"price": "59000.001"}, -1111),
        ({"price": "-1"}, -4001),
        ({"price": "90000"}, -4016),
        ({"price": "50000", "side": "SELL"}, -4024),
        ({"quantity": "0.001", "price": "3000"}, -4164),
        ({"positionSide": "LONG"}, -4061),
        ({"stopPrice": "1"}, -1106),
        ({"reduceOnly": "maybe"}, -1130),
        ({"type": "MARKET"}, -1106),
    ],
)
def test_filters_and_parameters_have_their_codes(client: Client, changed: dict[str, str], code: int) -> None:
    assert client.refused("POST", "v1/order", **(order("BUY", 59_000) | changed)) == code
    assert client.heard() == []


def test_hedge_mode_wants_the_position_named(client: Client) -> None:
    client.post("v1/positionSide/dual", dualSidePosition="true")
    assert client.refused("POST", "v1/positionSide/dual", dualSidePosition="true") == -4059
    assert client.refused("POST", "v1/order", **order("BUY", 59_000)) == -4061
    client.market("BUY", "0.020", positionSide="LONG")
    client.market("SELL", "0.010", positionSide="SHORT")
    held = {row["positionSide"]: row["positionAmt"] for row in client.get("v3/positionRisk")}
    assert held == {"LONG": "0.020", "SHORT": "-0.010"}
    sell = order("SELL", client.best()[0], "0.030")
    assert client.refused("POST", "v1/order", **sell, positionSide="LONG") == -2022


def test_funding_is_paid_when_it_is_due() -> None:
    client = Client(opened(Settings(funding_seconds=60)))
    client.listen()
    client.market("BUY", "1.000")
    client.heard()
    client.sleep(61)
    paid = [one["a"] for one in client.heard("ACCOUNT_UPDATE")]
    assert [one["m"] for one in paid] == ["FUNDING_FEE"]
    assert paid[0]["P"] == []
    income = client.get("v1/income", incomeType="FUNDING_FEE")
    assert Decimal(paid[0]["B"][0]["bc"]) == Decimal(income[0]["income"]) < 0
    assert client.get("v1/fundingRate", signed=False, symbol="BTCUSDT")[0]["fundingTime"] == income[0]["time"]


def test_accounts_share_the_market_and_nothing_else() -> None:
    first = AccountSettings("one", "key-1", "secret-1")
    second = AccountSettings("two", "key-2", "secret-2", maker_fee="-0.0001")
    exchange = opened(Settings(accounts=(first, second)))
    clients = Client(exchange, first), Client(exchange, second)
    bid, _ = clients[0].best()
    for client in clients:
        client.listen()
        client.limit("BUY", bid, "0.010", newClientOrderId="shared")
    clients[0].sleep(120)
    told = [[one["o"] for one in client.heard("ORDER_TRADE_UPDATE")] for client in clients]
    assert [one["x"] for one in told[0]] == [one["x"] for one in told[1]] == ["NEW", "TRADE"]
    assert {one["i"] for one in told[0]}.isdisjoint({one["i"] for one in told[1]})
    assert Decimal(told[1][-1]["n"]) < 0 < Decimal(told[0][-1]["n"])


def test_resting_orders_live_through_the_end_of_a_day(client: Client) -> None:
    bid, _ = client.best()
    far = client.limit("BUY", bid - 2500)
    client.sleep(400)
    assert client.exchange.markets["BTCUSDT"].day_name == "generated 1"
    assert [one["orderId"] for one in client.get("v1/openOrders")] == [far["orderId"]]
    assert client.delete("v1/order", symbol="BTCUSDT", orderId=far["orderId"])["status"] == "CANCELED"


def test_the_same_seed_gives_the_same_venue_and_another_another() -> None:
    def played(seed: int) -> list[Any]:
        client = Client(opened(seed=seed))
        client.listen()
        bid, _ = client.best()
        client.limit("BUY", bid)
        client.sleep(100)
        client.market("SELL")
        return client.user.take()

    assert played(5) == played(5)
    assert played(5) != played(6)


@pytest.mark.parametrize("seed", range(6))
def test_random_trading_keeps_the_books_together(seed: int) -> None:
    """Whatever is asked: executions add up to orders and positions, and the replay holds exactly what is open."""
    random = Random(seed)
    client = Client(opened(seed=seed))
    exchange = client.exchange
    market, account = exchange.markets["BTCUSDT"], exchange.accounts["demo"]
    for _ in range(250):
        bid, ask = client.best()
        side = random.choice(("BUY", "SELL"))
        away = Decimal(random.randint(-20, 60)) / 10
        price = bid - away if side == "BUY" else ask + away
        wanted = order(side, price, f"{random.randint(1, 2000) / 1000:.3f}", random.choice(("GTC", "GTC", "GTX", "IOC", "FOK")))
        ids = [one.id for one in account.open.values()]
        act = random.random()
        if act < 0.45:
            client.ask("POST", "v1/order", **wanted, reduceOnly=random.choice(("true", "false", "false")))
        elif act < 0.6 and ids:
            changed = account.orders[random.choice(ids)]
            same = {"symbol": "BTCUSDT", "side": changed.side, "orderId": changed.id}
            client.ask("PUT", "v1/order", **same, quantity=wanted["quantity"], price=wanted["price"])
        elif act < 0.7 and ids:
            client.ask("DELETE", "v1/order", symbol="BTCUSDT", orderId=random.choice(ids))
        elif act < 0.75:
            client.ask("DELETE", "v1/allOpenOrders", symbol="BTCUSDT")
        else:
            client.sleep(random.random() * 4)
        sums: dict[int, int] = {}
        for fill in exchange.desk.log:
            sums[fill.order_id] = sums.get(fill.order_id, 0) + fill.lots
        assert all(one.done == sums.get(one.id, 0) <= one.lots for one in account.orders.values())
        signed = sum(fill.lots if fill.side == "BUY" else -fill.lots for fill in exchange.desk.log)
        assert account.position("BTCUSDT").lots == signed
        resting = {number: lots for number, (_, _, lots) in market.resting.items()}
        assert resting == {one.number: one.leaves for one in account.open.values()}
    assert len(exchange.desk.log) > 20
