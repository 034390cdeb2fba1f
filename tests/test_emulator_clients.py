"""A public client trades against the emulator with nothing changed but the host: python-binance, on all its three roads."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from actors.emulator.running import RunningVenue

binance = pytest.importorskip("binance")

pytestmark = pytest.mark.filterwarnings("ignore")  # the client's own


@pytest.fixture(scope="module")
def venue() -> Iterator[RunningVenue]:
    with RunningVenue("--synth", "11", "--symbols", "BTCUSDT") as running:
        yield running


@asynccontextmanager
async def connected(venue: RunningVenue) -> AsyncIterator[Any]:
    client = binance.AsyncClient("demo-key", "demo-secret")
    client.FUTURES_URL = f"{venue.rest}/fapi"
    client.ws_future._url = venue.ws_api
    try:
        yield client
    finally:
        await client.close_connection()


def sockets(client: Any, venue: RunningVenue) -> Any:
    manager = binance.BinanceSocketManager(client)
    manager.FSTREAM_URL = f"{venue.streams}/"
    return manager


def played(venue: RunningVenue, story: Callable[[Any], Awaitable[None]]) -> None:
    async def run() -> None:
        async with connected(venue) as client:
            await story(client)

    asyncio.run(run())
    gc.collect()  # the client leaves sockets to the collector, whose warning would be blamed on the next test


async def limit(client: Any, side: str = "BUY", away: float = 0.98) -> dict[str, Any]:
    book = await client.futures_order_book(symbol="BTCUSDT", limit=5)
    price = round(float(book["bids"][0][0]) * away, 1)
    return {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": 0.01, "price": price}


QUERIES = {
    "futures_ping": {},
    "futures_time": {},
    "futures_exchange_info": {},
    "futures_recent_trades": {"symbol": "BTCUSDT"},
    "futures_historical_trades": {"symbol": "BTCUSDT"},
    "futures_aggregate_trades": {"symbol": "BTCUSDT"},
    "futures_klines": {"symbol": "BTCUSDT", "interval": "1m"},
    "futures_continuous_klines": {"pair": "BTCUSDT", "contractType": "PERPETUAL", "interval": "1m"},
    "futures_mark_price": {"symbol": "BTCUSDT"},
    "futures_funding_rate": {"symbol": "BTCUSDT"},
    "futures_ticker": {"symbol": "BTCUSDT"},
    "futures_symbol_ticker": {"symbol": "BTCUSDT"},
    "futures_orderbook_ticker": {"symbol": "BTCUSDT"},
    "futures_open_interest": {"symbol": "BTCUSDT"},
    "futures_account": {},
    "futures_account_balance": {},
    "futures_account_config": {},
    "futures_symbol_config": {},
    "futures_position_information": {},
    "futures_leverage_bracket": {},
    "futures_commission_rate": {"symbol": "BTCUSDT"},
    "futures_income_history": {},
    "futures_get_position_mode": {},
    "futures_get_multi_assets_mode": {},
    "futures_get_open_orders": {"symbol": "BTCUSDT"},
    "futures_get_all_orders": {"symbol": "BTCUSDT"},
    "futures_account_trades": {"symbol": "BTCUSDT"},
    "futures_get_open_algo_orders": {"symbol": "BTCUSDT"},
    "futures_adl_quantile_estimate": {},
    "futures_api_trading_status": {},
    "ws_futures_get_order_book": {"symbol": "BTCUSDT"},
    "ws_futures_get_order_book_ticker": {"symbol": "BTCUSDT"},
    "ws_futures_account_position": {},
    "ws_futures_v2_account_position": {},
    "ws_futures_account_balance": {},
    "ws_futures_v2_account_balance": {},
    "ws_futures_account_status": {},
    "ws_futures_v2_account_status": {},
}


def test_every_query_is_answered(venue: RunningVenue) -> None:
    async def story(client: Any) -> None:
        for name, parameters in QUERIES.items():
            assert await getattr(client, name)(**parameters) is not None, name

    played(venue, story)


def test_orders_over_rest(venue: RunningVenue) -> None:
    async def story(client: Any) -> None:
        placed = await client.futures_create_order(**await limit(client))
        same = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
        changed = await client.futures_modify_order(**same, side="BUY", quantity=0.02, price=float(placed["price"]) - 10)
        assert changed["origQty"] == "0.020"
        assert (await client.futures_get_order(**same))["status"] == "NEW"
        assert (await client.futures_cancel_order(**same))["status"] == "CANCELED"
        with pytest.raises(binance.exceptions.BinanceAPIException) as refused:
            await client.futures_cancel_order(**same)
        assert refused.value.code == -2011
        wanted = await limit(client)
        texts = {name: str(value) for name, value in wanted.items()}
        batch = await client.futures_place_batch_order(batchOrders=[texts, {**texts, "quantity": "0.0000001"}])
        assert [one.get("code", one.get("status")) for one in batch] == ["NEW", -1111]
        await client.futures_countdown_cancel_all(symbol="BTCUSDT", countdownTime=0)
        await client.futures_cancel_all_open_orders(symbol="BTCUSDT")
        assert await client.futures_get_open_orders(symbol="BTCUSDT") == []
        stop = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": 0.01, "stopPrice": wanted["price"]}
        algo = await client.futures_create_order(**stop)
        assert (await client.futures_cancel_algo_order(algoId=algo["algoId"]))["code"] == "200"

    played(venue, story)


def test_orders_over_the_web_socket_api(venue: RunningVenue) -> None:
    async def story(client: Any) -> None:
        placed = await client.ws_futures_create_order(**await limit(client))
        same = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
        assert (await client.ws_futures_get_order(**same))["status"] == "NEW"
        price = round(float(placed["price"]) - 10, 1)
        assert (await client.ws_futures_edit_order(**same, side="BUY", quantity=0.02, price=price))["origQty"] == "0.020"
        assert (await client.ws_futures_cancel_order(**same))["status"] == "CANCELED"

    played(venue, story)


def test_the_private_stream_tells_what_the_truth_is(venue: RunningVenue) -> None:
    async def story(client: Any) -> None:
        async with sockets(client, venue).futures_user_socket() as user:
            await client.futures_create_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01)
            events = [await asyncio.wait_for(user.recv(), 10) for _ in range(4)]
        fill = next(one["o"] for one in events if one["e"] == "ORDER_TRADE_UPDATE" and one["o"]["x"] == "TRADE")
        executed = venue.truth()["accounts"]["demo"]["executions"][-1]
        assert (fill["i"], Decimal(fill["l"]), fill["L"]) == (executed["order_id"], Decimal(executed["qty"]), executed["price"])

    played(venue, story)


def test_market_streams(venue: RunningVenue) -> None:
    async def story(client: Any) -> None:
        manager = sockets(client, venue)
        for opened, event in (
            (manager.futures_depth_socket("BTCUSDT"), "depthUpdate"),
            (manager.aggtrade_futures_socket("BTCUSDT"), "aggTrade"),
            (manager.kline_futures_socket("BTCUSDT"), "continuous_kline"),
        ):
            async with opened as stream:
                frame = await asyncio.wait_for(stream.recv(), 10)
                assert frame.get("data", frame)["e"] == event

    played(venue, story)
