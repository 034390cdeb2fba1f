"""Binance's answers: orders, executions, the account, filters and limits in our words, and nothing but WireError for damage."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from core.codec import WireError
from core.dialect.binance import account, answers, filters
from core.dialect.binance.private import fee_aside, parse_private
from core.instrument import Instrument, Key
from core.message import ExecType, ExecutionReport, NewOrderSingle, OrderCancelReplaceRequest, OrdStatus, OrdType, TimeInForce
from core.price import SELL
from tests.tiny_day import BTC

INSTRUMENTS = {"BTCUSDT": BTC}
ORDER: dict[str, Any] = {
    "symbol": "BTCUSDT", "orderId": 77, "clientOrderId": "h-mm-1-7", "status": "PARTIALLY_FILLED", "side": "SELL",
    "type": "LIMIT",
    "timeInForce": "GTX", "price": "60000.5", "origQty": "0.010", "executedQty": "0.006", "updateTime": 1_700_000_000_123,
    "avgPrice": "1", "new": [],
}  # fmt: skip
TRADE: dict[str, Any] = {
    "symbol": "BTCUSDT", "id": 991, "orderId": 77, "side": "SELL", "price": "60000.5", "qty": "0.004", "commission": "0.04800004",
    "commissionAsset": "USDT", "maker": True, "time": 1_700_000_000_123, "buyer": False,
}  # fmt: skip
INFO: dict[str, Any] = {
    "rateLimits": [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
        {"rateLimitType": "RAW_REQUESTS", "interval": "FORTNIGHT", "intervalNum": 1, "limit": 300},
    ],
    "symbols": [
        {
            "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "pricePrecision": 2,
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": "556.80", "maxPrice": "4529764", "tickSize": "0.10"},
                {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
                {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
                {"filterType": "MAX_NUM_ORDERS", "limit": 200},
                {"filterType": "MIN_NOTIONAL", "notional": "100"},
            ],
        }
    ],
}  # fmt: skip


def raw(value: object) -> bytes:
    return json.dumps(value).encode()


def test_an_orders_state_is_a_status_report() -> None:
    state = answers.order(raw(ORDER), 5, INSTRUMENTS)
    assert (state.exec_type, state.ord_status, state.exec_id) == (ExecType.ORDER_STATUS, OrdStatus.PARTIALLY_FILLED, "")
    assert (state.cl_ord_id, state.order_id, state.side) == ("h-mm-1-7", "77", SELL)
    assert (state.price, state.order_qty, state.cum_qty, state.leaves_qty) == (600_005, 10, 6, 4)
    assert (state.ord_type, state.time_in_force) == (OrdType.LIMIT, TimeInForce.GTX)
    assert state.transact_time == 1_700_000_000_123_000_000
    assert answers.order(raw({**ORDER, "status": "EXPIRED_IN_MATCH"}), 5, INSTRUMENTS).leaves_qty == 0


def test_open_orders_of_instruments_that_are_not_loaded_are_left_out() -> None:
    assert [one.cl_ord_id for one in answers.orders(raw([ORDER, {**ORDER, "symbol": "X"}]), 5, INSTRUMENTS)] == ["h-mm-1-7"]


def test_an_execution_is_the_same_one_that_the_stream_tells() -> None:
    told = {"s": "BTCUSDT", "c": "h-mm-1-7", "S": "SELL", "o": "LIMIT", "f": "GTX", "q": "0.010", "p": "60000.5", "x": "TRADE",
            "X": "PARTIALLY_FILLED", "i": 77, "l": "0.004", "z": "0.006", "L": "60000.5", "N": "USDT", "n": "0.04800004",
            "T": 1_700_000_000_123, "t": 991, "m": True}  # fmt: skip
    stream = parse_private(raw({"e": "ORDER_TRADE_UPDATE", "E": 1, "T": 1, "o": told}), 5, INSTRUMENTS)
    assert isinstance(stream, ExecutionReport)
    listed = answers.executions(raw([TRADE]), 5, BTC)[0].report
    assert listed is not None
    for name in ("exec_id", "order_id", "side", "last_qty", "last_px", "commission_e8", "transact_time", "last_liquidity_ind"):
        assert getattr(listed, name) == getattr(stream, name), name


def test_a_listed_execution_off_the_grid_or_with_a_strange_fee_loses_nothing() -> None:
    off, bnb, lots = answers.executions(
        raw([{**TRADE, "price": "60000.53"}, {**TRADE, "commissionAsset": "BNB"}, {**TRADE, "qty": "0.0001"}]), 5, BTC
    )
    assert off.report is not None
    assert (off.report.last_px, off.report.commission_e8) == (600_005, 4_800_004 - 12_000)
    assert bnb.report is not None
    assert (bnb.report.commission_e8, fee_aside(bnb.report)) == (0, ("BNB", 4_800_004))
    assert (lots.report, lots.order_id) == (None, "77")
    assert "multiple" in lots.reason


def test_the_account_is_read() -> None:
    held = account.positions(raw([{"symbol": "BTCUSDT", "positionAmt": "-0.030", "entryPrice": "385.", "positionSide": "BOTH"}]))
    assert held == [account.Held("BTCUSDT", Decimal("-0.030"), Decimal("385"))]
    wallet = account.wallets(raw({"assets": [{"asset": "USDT", "walletBalance": "23.5", "availableBalance": "1"}]}))
    assert wallet == [account.Wallet("USDT", 2_350_000_000, 100_000_000)]
    config = account.account_config(raw({"canTrade": True, "canWithdraw": True, "dualSidePosition": True}))
    assert (config.can_withdraw, config.dual_side_position) == (True, True)
    for shape in ([{"symbol": "X", "brackets": [{"bracket": 1}]}], {"symbol": "X", "brackets": [{"bracket": 1}]}):
        assert account.leverage_brackets(raw(shape))["X"][0].bracket == 1
    assert account.server_time(raw({"serverTime": 7})) == 7_000_000
    assert account.listen_key(raw({"listenKey": "a" * 64})) == "a" * 64


def test_a_kline_is_a_bar() -> None:
    row = [60_000, "100.0", "100.4", "99.9", "100.1", "0.050", 119_999, "5.0050", 3, "0.02", "2.0", "0"]
    bar = account.klines(raw([row]), 5, BTC, 60 * 10**9)[0]
    assert (bar.open_time, bar.period, bar.open, bar.high, bar.low, bar.close) == (60 * 10**9, 60 * 10**9, 1000, 1004, 999, 1001)
    assert (bar.volume, bar.trades, bar.notional, bar.transact_time) == (50, 3, 50_050, 120 * 10**9)


def listed() -> tuple[Instrument, filters.Filters]:
    found = filters.exchange_info(raw(INFO)).symbols["BTCUSDT"]
    instrument = found.instrument()
    return instrument, found.filters(instrument)


def test_an_instrument_is_what_its_filters_say_and_not_its_precisions() -> None:
    instrument, found = listed()
    assert instrument == Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001", base="BTC", quote="USDT")
    assert (found.price_min, found.qty_max, found.market_qty_max, found.notional_least) == (5_568, 1_000_000, 120_000, 1_000_000)
    pools = filters.exchange_info(raw(INFO)).pools
    assert [(one.name, one.limit, one.window_ns // 10**9) for one in pools] == [
        ("REQUEST_WEIGHT:1M", 2400, 60), ("ORDERS:10S", 300, 10),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, ""),
        ({"order_qty": 0}, "LOT_SIZE"),
        ({"order_qty": 1_000_001}, "LOT_SIZE"),
        ({"ord_type": OrdType.MARKET, "price": 0, "order_qty": 120_001}, "MARKET_LOT_SIZE"),
        ({"ord_type": OrdType.MARKET, "price": 0, "order_qty": 1}, ""),
        ({"price": 5_567}, "PRICE_FILTER"),
        ({"price": 45_297_641}, "PRICE_FILTER"),
        ({"order_qty": 1}, "MIN_NOTIONAL"),
        ({"order_qty": 1, "reduce_only": True}, ""),
        ({"cl_ord_id": "a" * 37}, "ClOrdID"),
        ({"cl_ord_id": "a b"}, "ClOrdID"),
        ({"cl_ord_id": ""}, "ClOrdID"),
    ],
)
def test_what_the_venue_would_refuse_is_refused_here_by_the_filters_name(changes: dict[str, Any], name: str) -> None:
    order = NewOrderSingle(**{"symbol": "BTCUSDT", "cl_ord_id": "a", "price": 600_000, "order_qty": 10, **changes})
    refusal = listed()[1].refusal(order)
    assert refusal.startswith(name)
    assert bool(refusal) == bool(name)


def test_orders_open_are_counted_for_new_ones_alone() -> None:
    order = NewOrderSingle("BTCUSDT", cl_ord_id="a", price=600_000, order_qty=10)
    amend = OrderCancelReplaceRequest("BTCUSDT", cl_ord_id="a", price=600_000, order_qty=10)
    assert listed()[1].refusal(order, 200).startswith("MAX_NUM_ORDERS")
    assert not listed()[1].refusal(amend, 200)


def test_a_refusal_has_a_code_and_a_text_even_where_it_is_a_page() -> None:
    assert answers.refusal(raw({"code": -2011, "msg": "Unknown order sent."})) == (-2011, "Unknown order sent.")
    assert answers.refusal(b"<html>") == (0, "<html>")
    assert answers.refusal(b"") == (0, "")


READERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "order": (lambda body: answers.order(body, 5, INSTRUMENTS), raw(ORDER)),
    "orders": (lambda body: answers.orders(body, 5, INSTRUMENTS), raw([ORDER, ORDER])),
    "executions": (lambda body: answers.executions(body, 5, BTC), raw([TRADE])),
    "positions": (account.positions, raw([{"symbol": "BTCUSDT", "positionAmt": "-0.030", "entryPrice": "0.385"}])),
    "wallets": (account.wallets, raw({"assets": [{"asset": "USDT", "walletBalance": "23.5"}]})),
    "account_config": (account.account_config, raw({"canTrade": True, "dualSidePosition": False})),
    "brackets": (account.leverage_brackets, raw([{"symbol": "X", "brackets": [{"bracket": 1, "notionalCap": 5000}]}])),
    "klines": (
        lambda body: account.klines(body, 5, BTC, 60 * 10**9),
        raw([[60_000, "100.0", "100.4", "99.9", "100.1", "0.050", 119_999, "5.0050", 3]]),
    ),
    "server_time": (account.server_time, raw({"serverTime": 1_700_000_000_000})),
    "listen_key": (account.listen_key, raw({"listenKey": "a" * 64})),
    "open_algos": (account.open_algos, raw([{"algoId": 1}])),
    "exchange_info": (lambda body: _filtered(filters.exchange_info(body)), raw(INFO)),
    "rate_limits": (filters.rate_limits, raw(INFO["rateLimits"])),
    "reply": (answers.reply, raw({"id": "7", "status": 200, "result": {"a": 1}, "rateLimits": [{"count": 1}]})),
}


def _filtered(info: filters.ExchangeInfo) -> None:
    for one in info.symbols.values():
        one.filters(BTC)


def damaged(body: bytes, random: Random) -> bytes:
    """An answer as the road may leave it: bytes changed, cut off, doubled, or a number grown beyond measure."""
    data = bytearray(body)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(data))
        match random.randrange(5):
            case 0:
                data[at] = random.randrange(256)
            case 1:
                del data[at:]
            case 2:
                data[at:at] = data[: random.randrange(30)]
            case 3:
                data[at:at] = random.choice((b"9" * 30, b"e99999999", b"[" * 5_000, b"-", b"null", b'"', b"0.0000000000000001"))
            case _:
                data[at : at + 1] = b""
        if not data:
            break
    return bytes(data)


def fuzz(count: int) -> None:
    random = Random(f"answers {count}")
    readers = list(READERS.values())
    for number in range(count):
        read, body = readers[number % len(readers)]
        with suppress(WireError):
            read(damaged(body, random))


def test_damaged_answers_are_read_or_refused_and_raise_nothing_else() -> None:
    fuzz(14_000)


@pytest.mark.slow
def test_a_million_damaged_answers_raise_nothing_but_wire_errors() -> None:
    fuzz(1_000_000)


@pytest.mark.parametrize("name", READERS)
def test_bombs_are_refused(name: str) -> None:
    read, body = READERS[name]
    for bomb in (b"[" * 100_000, b'{"a":' * 100_000, b"", b"null", b"9" * (9 << 20), b" " * (33 << 20)):
        with pytest.raises(WireError):
            read(bomb)
    read(body)


def test_every_published_answer_is_read(captures: Path) -> None:
    book = json.loads((captures / "binance_official" / "usds_futures_documented_payloads.json").read_text())
    trade, mine = book["rest_api/test_trade_api.py"], book["rest_api/test_account_api.py"]
    fine = {"BTCUSDT": BTC}
    for name in ("new_order", "query_order", "cancel_order", "modify_order", "query_current_open_order"):
        assert answers.order(raw(trade[name]["expected_response"]), 5, fine).exec_type == ExecType.ORDER_STATUS, name
    assert answers.orders(raw(trade["current_all_open_orders"]["expected_response"]), 5, fine)
    assert answers.executions(raw(trade["account_trade_list"]["expected_response"]), 5, BTC)[0].report
    assert account.positions(raw(trade["position_information_v3"]["expected_response"]))
    assert account.wallets(raw(mine["account_information_v3"]["expected_response"]))
    assert account.account_config(raw(mine["futures_account_configuration"]["expected_response"]))
    assert account.leverage_brackets(raw(mine["notional_and_leverage_brackets"]["expected_response"])) == {"ETHUSDT": ()}
    assert filters.rate_limits(raw(mine["query_user_rate_limit"]["expected_response"]))[0].name == "ORDERS:10S"
    for name, one in book["websocket_api/test_trade_api_ws_api.py"].items():
        assert answers.reply(raw(one["expected_response"])).status == 200, name
