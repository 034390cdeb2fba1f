"""The emulated venue's answers beside the documented examples: every key that is documented is there, with the same JSON type.

The examples are public documentation and not part of the project; without them these tests skip, and the few shapes below stand.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.emulator.settings import Settings
from tests.emulated_client import Client, opened, order

DOCUMENTED = Path(__file__).resolve().parents[2] / "shared/data/binance_official/usds_futures_documented_payloads.json"

PLACES = {
    "account_information_v2", "account_information_v3", "futures_account_balance_v2", "futures_account_balance_v3",
    "futures_account_configuration", "get_bnb_burn_status", "get_current_multi_assets_mode", "get_current_position_mode",
    "get_income_history", "notional_and_leverage_brackets", "query_user_rate_limit", "symbol_configuration",
    "user_commission_rate",
    "check_server_time", "compressed_aggregate_trades_list", "exchange_information", "get_funding_rate_history",
    "get_funding_rate_info", "mark_price", "old_trades_lookup", "open_interest", "order_book", "recent_trades_list",
    "symbol_order_book_ticker", "symbol_price_ticker", "symbol_price_ticker_v2", "ticker24hr_price_change_statistics",
    "account_trade_list", "all_orders", "current_all_algo_open_orders", "current_all_open_orders", "get_order_modify_history",
    "position_adl_quantile_estimation", "position_information_v2", "position_information_v3", "query_algo_order",
    "query_all_algo_orders", "query_current_open_order", "query_order",
}  # fmt: skip
"""Documented examples of GET requests that the venue answers."""
PARAMETERS: dict[str, dict[str, Any]] = {
    "get_order_modify_history": {"origClientOrderId": "open"},
    "query_current_open_order": {"origClientOrderId": "open"},
    "query_order": {"origClientOrderId": "open"},
    "query_algo_order": {"clientAlgoId": "algo"},
    "get_income_history": {"symbol": None},
    "get_funding_rate_info": {"symbol": None},
    "query_user_rate_limit": {"symbol": None},
}
ABSENT = {"activatePrice", "priceRate", "code", "msg"}
"""Documented as given only for trailing stops, and for items of a batch that were refused."""


@pytest.fixture(scope="module")
def documented() -> dict[str, dict[str, Any]]:
    if not DOCUMENTED.exists():
        pytest.skip("the documented payloads are not on this machine")
    return msgspec.json.decode(DOCUMENTED.read_bytes(), type=dict[str, Any])


@pytest.fixture(scope="module")
def client() -> Client:
    """An account to which everything has happened that answers speak of."""
    made = Client(opened(Settings(funding_seconds=20)))
    bid, _ = made.best()
    made.market("BUY", "0.100")
    made.sleep(25)
    made.limit("BUY", bid - 100, newClientOrderId="open")
    asked = {"symbol": "BTCUSDT", "side": "BUY", "price": f"{bid - 101}", "quantity": "0.020", "origClientOrderId": "open"}
    made.put("v1/order", **asked)
    stop = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.01", "triggerPrice": f"{bid - 2000}"}
    made.post("v1/algoOrder", algoType="CONDITIONAL", clientAlgoId="algo", **stop)
    return made


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "null" if value is None else type(value).__name__


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Keys of the example that are missing here or of another type."""
    if isinstance(theirs, str) and theirs == "None":
        return []
    if kind(ours) != kind(theirs):
        return [f"{path}: {kind(ours)} instead of {kind(theirs)}"]
    if isinstance(theirs, dict):
        found = []
        for name, value in theirs.items():
            if name in ours:
                found += differences(ours[name], value, f"{path}.{name}")
            elif name not in ABSENT:
                found.append(f"{path}.{name}: missing")
        return found
    if isinstance(theirs, list) and theirs and ours:
        return differences(ours[0], theirs[0], f"{path}[0]")
    return []


def differing(documented: dict[str, dict[str, Any]], files: str, name: str, ours: Any) -> list[str]:
    example = next(tests[name] for file, tests in documented.items() if file.startswith(files) and name in tests)
    return differences(ours, example["expected_response"], name)


@pytest.mark.parametrize("name", sorted(PLACES))
def test_queries_answer_as_documented(client: Client, documented: dict[str, dict[str, Any]], name: str) -> None:
    example = next(tests[name] for file, tests in documented.items() if file.startswith("rest") and name in tests)
    asked = {"symbol": "BTCUSDT", **PARAMETERS.get(name, {})}
    body = client.get(example["path"].removeprefix("/fapi/"), **{key: value for key, value in asked.items() if value})
    theirs = example["expected_response"]
    if isinstance(body, list) and not isinstance(theirs, list):
        body = body[0]
    if name == "exchange_information":  # the example writes all filters into one, and a text for an empty list
        theirs["exchangeFilters"] = []
        filters = theirs["symbols"][0].pop("filters")[0]
        ours = {key: value for one in body["symbols"][0]["filters"] for key, value in one.items()}
        assert differences(ours, filters) == []
    assert body, "an empty answer compares with nothing"
    assert differences(body, theirs, name) == []


def test_changes_answer_as_documented(client: Client, documented: dict[str, dict[str, Any]]) -> None:
    bid, _ = client.best()
    again = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.02", "price": str(bid - 70), "origClientOrderId": "b"}
    changes: dict[str, Callable[[], Any]] = {
        "test_order": lambda: client.post("v1/order/test", **order("BUY", bid)),
        "new_order": lambda: client.limit("BUY", bid - 50, newClientOrderId="x"),
        "modify_order": lambda: client.put("v1/order", symbol="BTCUSDT", side="BUY", quantity="0.030", price=f"{bid - 60}",
                                           origClientOrderId="x", modifyId=1),
        "cancel_order": lambda: client.delete("v1/order", symbol="BTCUSDT", origClientOrderId="x"),
        "place_multiple_orders": lambda: client.post(
            "v1/batchOrders", batchOrders=msgspec.json.encode([order("BUY", bid - 50) | {"newClientOrderId": "b"}]).decode()
        ),
        "modify_multiple_orders": lambda: client.put("v1/batchOrders", batchOrders=msgspec.json.encode([again]).decode()),
        "cancel_multiple_orders": lambda: client.delete("v1/batchOrders", symbol="BTCUSDT", origClientOrderIdList='["b"]'),
        "cancel_all_open_orders": lambda: client.delete("v1/allOpenOrders", symbol="BTCUSDT"),
        "auto_cancel_all_open_orders": lambda: client.post("v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=0),
        "new_algo_order": lambda: client.post(
            "v1/algoOrder", algoType="CONDITIONAL", symbol="BTCUSDT", side="SELL", type="STOP", quantity="0.01",
            price=f"{bid - 3000}", triggerPrice=f"{bid - 2500}", clientAlgoId="y"),
        "cancel_algo_order": lambda: client.delete("v1/algoOrder", clientAlgoId="y"),
        "cancel_all_algo_open_orders": lambda: client.delete("v1/algoOpenOrders", symbol="BTCUSDT"),
        "change_initial_leverage": lambda: client.post("v1/leverage", symbol="BTCUSDT", leverage=21),
        "change_multi_assets_mode": lambda: client.post("v1/multiAssetsMargin", multiAssetsMargin="true"),
        "start_user_data_stream": lambda: client.post("v1/listenKey", signed=False),
        "keepalive_user_data_stream": lambda: client.put("v1/listenKey", signed=False),
    }  # fmt: skip
    found = [one for name, change in changes.items() for one in differing(documented, "rest", name, change())]
    assert found == []


STREAMS = {
    "diff_book_depth_streams": "/public/ws/btcusdt@depth@100ms",
    "partial_book_depth_streams": "/public/ws/btcusdt@depth5@100ms",
    "individual_symbol_book_ticker_streams": "/public/ws/btcusdt@bookTicker",
    "all_book_tickers_stream": "/public/ws/!bookTicker",
    "aggregate_trade_streams": "/market/ws/btcusdt@aggTrade",
    "mark_price_stream": "/market/ws/btcusdt@markPrice@1s",
    "mark_price_stream_for_all_market": "/market/ws/!markPrice@arr@1s",
    "kline_candlestick_streams": "/market/ws/btcusdt@kline_1m",
    "continuous_contract_kline_candlestick_streams": "/market/ws/btcusdt_perpetual@continuousKline_1m",
    "individual_symbol_mini_ticker_stream": "/market/ws/btcusdt@miniTicker",
    "individual_symbol_ticker_streams": "/market/ws/btcusdt@ticker",
    "all_market_mini_tickers_stream": "/market/ws/!miniTicker@arr",
    "all_market_tickers_streams": "/market/ws/!ticker@arr",
}


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_streams_carry_what_is_documented(documented: dict[str, dict[str, Any]], name: str) -> None:
    exchange = opened()
    subscriber = exchange.connect(exchange.now, STREAMS[name])
    exchange.advance(exchange.now + 10_000_000_000)
    frames = [msgspec.json.decode(frame) for frame in subscriber.take()]
    assert frames
    assert differing(documented, "websocket_streams", name, frames[-1]) == []


def test_private_events_have_the_fields_that_clients_read(client: Client) -> None:
    client.listen()
    bid, _ = client.best()
    client.market("BUY", "0.010")
    client.post("v1/algoOrder", algoType="CONDITIONAL", symbol="BTCUSDT", side="SELL", type="STOP_MARKET", quantity="0.01",
                triggerPrice=f"{bid - 2000}", clientAlgoId="event")  # fmt: skip
    events = {one["e"]: one for one in client.heard()}
    fields = {
        "ORDER_TRADE_UPDATE": "s c S o f q p ap sp x X i l z L n N T t b a m R wt ot ps cp rp pP si ss V pm gtd er",
        "ALGO_UPDATE": "caid aid at o s S ps f q X ai ap aq act tp p V wt pm cp pP R tt gtd rm ia",
    }
    for event, names in fields.items():
        assert set(names.split()) <= set(events[event]["o"]), event
    assert {"s", "q", "p", "m", "c", "S", "L", "l", "t", "i", "E", "T"} <= set(events["TRADE_LITE"])
    account = events["ACCOUNT_UPDATE"]["a"]
    assert set(account["B"][0]) >= {"a", "wb", "cw", "bc"}
    assert set(account["P"][0]) >= {"s", "pa", "ep", "bep", "cr", "up", "mt", "iw", "ps"}


def test_placing_and_changing_no_longer_tell_of_fills(client: Client) -> None:
    bid, _ = client.best()
    assert not {"avgPrice", "cumQuote"} & set(client.limit("BUY", bid - 150))
