"""Endpoints of market data: they need no key."""

from __future__ import annotations

from typing import Any, Final

from actors.emulator import rules
from actors.emulator.answer import Refused
from actors.emulator.bars import INTERVALS
from actors.emulator.endpoints import Ask, Endpoint, Table, with_symbol
from actors.emulator.market import Market
from actors.emulator.parameters import Parameters
from actors.emulator.publishing import aggregated
from actors.emulator.tickers import daily, e8_text

DEPTHS: Final = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
ORDER_TYPES: Final = ("LIMIT", "MARKET", *rules.CONDITIONAL)


def market(ask: Ask) -> Market:
    """The market that was asked for."""
    return ask.venue.desk.market(ask.parameters.symbol())


def one_or_all(ask: Ask) -> tuple[list[Market], bool]:
    """The markets asked for, and whether it was a single one."""
    if ask.parameters.has("symbol"):
        return [market(ask)], True
    return list(ask.venue.markets.values()), False


def exchange_info(ask: Ask) -> Any:
    """GET exchangeInfo."""
    venue = ask.venue
    return {
        "timezone": "UTC",
        "serverTime": ask.stamp,
        "futuresType": "U_MARGINED",
        "rateLimits": venue.counters.announced(),
        "exchangeFilters": [],
        "assets": [{"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"} for asset in ("USDT", "BTC", "USDC")],
        "symbols": [_symbol(one, venue.settings.open_orders_max) for one in venue.markets.values()],
    }


def _symbol(one: Market, open_orders: int) -> dict[str, Any]:
    instrument = one.instrument
    base = instrument.base or one.symbol.removesuffix(instrument.quote)
    return {
        "symbol": one.symbol,
        "pair": one.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": base,
        "quoteAsset": instrument.quote,
        "marginAsset": instrument.quote,
        "pricePrecision": rules.price_precision(instrument),
        "quantityPrecision": rules.decimals(instrument.lot_size),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "settlePlan": 0,
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": rules.filters(instrument, open_orders),
        "orderTypes": list(ORDER_TYPES),
        "timeInForce": list(rules.TIMES),
        "permissionSets": ["GRID", "COPY"],
    }


def depth(ask: Ask) -> Any:
    """GET depth: the book at this moment."""
    one, limit = market(ask), ask.parameters.integer("limit", 500)
    if limit not in DEPTHS:
        raise Refused(-4021, limit)
    bids, asks = one.levels(limit)
    price, qty = one.instrument.price_text, one.instrument.qty_text
    return {
        "lastUpdateId": one.update_id + 1,
        "E": ask.stamp,
        "T": ask.venue.stamp(one.row_ns),
        "bids": [[price(tick), qty(lots)] for tick, lots in bids],
        "asks": [[price(tick), qty(lots)] for tick, lots in asks],
    }


def _depth_weight(parameters: Parameters) -> int:
    return DEPTHS.get(int(limit) if (limit := parameters.text("limit", "500")).isascii() and limit.isdigit() else 0, 10)


def trades(ask: Ask) -> Any:
    """GET trades, and historicalTrades."""
    one, limit = market(ask), ask.parameters.integer("limit", 500, 1, 1000)
    first = ask.parameters.integer("fromId", 0)
    unit = one.instrument.tick * one.instrument.lot
    found = [trade for trade in one.trades if trade.id >= first]
    return [
        {
            "id": trade.id,
            "price": one.instrument.price_text(trade.tick),
            "qty": one.instrument.qty_text(trade.lots),
            "quoteQty": format(trade.tick * trade.lots * unit, "f"),
            "time": ask.venue.stamp(trade.ns),
            "isBuyerMaker": trade.buyer_maker,
            "isRPITrade": False,
        }
        for trade in (found[:limit] if first else found[-limit:])
    ]


def agg_trades(ask: Ask) -> Any:
    """GET aggTrades."""
    one, limit = market(ask), ask.parameters.integer("limit", 500, 1, 1000)
    first_id, start = ask.parameters.integer("fromId", 0), ask.parameters.integer("startTime", 0)
    end = ask.parameters.integer("endTime", 1 << 50)
    stamp, found = ask.venue.stamp, []
    for first, last, lots in aggregated(one.trades):
        if first.id >= first_id and start <= stamp(first.ns) <= end:
            price, qty = one.instrument.price_text(first.tick), one.instrument.qty_text(lots)
            row = {"a": first.id, "p": price, "q": qty, "nq": qty, "f": first.id, "l": last.id}
            found.append(row | {"T": stamp(first.ns), "m": first.buyer_maker})
    return found[:limit] if first_id or start else found[-limit:]


def klines(ask: Ask) -> Any:
    """GET klines, and continuousKlines."""
    name = "symbol" if ask.parameters.has("symbol") else "pair"
    one = ask.venue.desk.market(ask.parameters.symbol(name if ask.parameters.has(name) else "symbol"))
    interval = ask.parameters.choice("interval", INTERVALS, -1120)
    limit = ask.parameters.integer("limit", 500, 1, 1500)
    offset = ask.offset_ms
    start = ask.parameters.integer("startTime", 0, high=1 << 43)
    end = ask.parameters.integer("endTime", 1 << 43, high=1 << 43)
    bars = one.remember().of(interval, max(0, start - offset) * 1_000_000, (end - offset) * 1_000_000, limit)
    price, qty, unit = one.instrument.price_text, one.instrument.qty_text, one.instrument.tick * one.instrument.lot
    return [
        [
            ask.venue.stamp(bar.open_ns),
            price(bar.open),
            price(bar.high),
            price(bar.low),
            price(bar.close),
            qty(bar.lots),
            ask.venue.stamp(bar.open_ns) + INTERVALS[interval] * 60_000 - 1,
            format(bar.notional * unit, "f"),
            bar.trades,
            qty(bar.buy_lots),
            format(bar.buy_notional * unit, "f"),
            "0",
        ]
        for bar in bars
    ]


def _klines_weight(parameters: Parameters) -> int:
    text = parameters.text("limit", "500")
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 500
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10


def premium_index(ask: Ask) -> Any:
    """GET premiumIndex."""
    rows = []
    markets, single = one_or_all(ask)
    for one in markets:
        mark, index, rate = one.mark(ask.now)
        row = {
            "symbol": one.symbol,
            "markPrice": e8_text(mark),
            "indexPrice": e8_text(index),
            "estimatedSettlePrice": e8_text(index),
        }
        row |= {"lastFundingRate": e8_text(rate), "interestRate": "0.00010000"}
        rows.append({**row, "nextFundingTime": ask.venue.stamp(ask.venue.funding.next_ns), "time": ask.stamp})
    return rows[0] if single else rows


def funding_rate(ask: Ask) -> Any:
    """GET fundingRate: the settlements since the venue began."""
    symbols = {one.symbol for one in one_or_all(ask)[0]}
    limit = ask.parameters.integer("limit", 100, 1, 1000)
    start, end = ask.parameters.integer("startTime", 0), ask.parameters.integer("endTime", 1 << 50)
    rows = [row for row in ask.venue.funding.history if row["symbol"] in symbols and start <= row["fundingTime"] <= end]
    return rows[:limit] if start else rows[-limit:]


def funding_info(ask: Ask) -> Any:
    """GET fundingInfo."""
    cap = {"adjustedFundingRateCap": "0.02000000", "adjustedFundingRateFloor": "-0.02000000"}
    hours = max(1, ask.venue.settings.funding_seconds // 3600)
    return [{"symbol": symbol, **cap, "fundingIntervalHours": hours, "disclaimer": False} for symbol in ask.venue.markets]


def book_ticker(ask: Ask) -> Any:
    """GET ticker/bookTicker."""
    rows = []
    markets, single = one_or_all(ask)
    for one in markets:
        bid, bid_lots, ask_tick, ask_lots = one.best()
        price, qty = one.instrument.price_text, one.instrument.qty_text
        row = {"symbol": one.symbol, "bidPrice": price(bid), "bidQty": qty(bid_lots), "askPrice": price(ask_tick)}
        rows.append(row | {"askQty": qty(ask_lots), "time": ask.venue.stamp(one.row_ns), "lastUpdateId": one.update_id})
    return rows[0] if single else rows


def ticker_price(ask: Ask) -> Any:
    """GET ticker/price."""
    markets, single = one_or_all(ask)
    rows = [
        {"symbol": one.symbol, "price": one.instrument.price_text(one.last or one.best()[0]), "time": ask.venue.stamp(one.row_ns)}
        for one in markets
    ]
    return rows[0] if single else rows


def ticker_daily(ask: Ask) -> Any:
    """GET ticker/24hr."""
    markets, single = one_or_all(ask)
    rows = [daily(one, ask.now, ask.venue.stamp) for one in markets]
    return rows[0] if single else rows


def open_interest(ask: Ask) -> Any:
    """GET openInterest: what the accounts of this venue hold; nobody else holds anything here."""
    one = market(ask)
    accounts = ask.venue.accounts.values()
    lots = sum(abs(position.lots) for account in accounts for position in account.held(one.symbol))
    return {"openInterest": one.instrument.qty_text(lots), "symbol": one.symbol, "time": ask.stamp}


PUBLIC: Final[Table] = {
    ("GET", "/fapi/v1/ping"): Endpoint(lambda ask: {}),
    ("GET", "/fapi/v1/time"): Endpoint(lambda ask: {"serverTime": ask.stamp}),
    ("GET", "/fapi/v1/exchangeInfo"): Endpoint(exchange_info),
    ("GET", "/fapi/v1/depth"): Endpoint(depth, _depth_weight),
    ("GET", "/fapi/v1/trades"): Endpoint(trades, 5),
    ("GET", "/fapi/v1/historicalTrades"): Endpoint(trades, 20, "key"),
    ("GET", "/fapi/v1/aggTrades"): Endpoint(agg_trades, 20),
    ("GET", "/fapi/v1/klines"): Endpoint(klines, _klines_weight),
    ("GET", "/fapi/v1/continuousKlines"): Endpoint(klines, _klines_weight),
    ("GET", "/fapi/v1/premiumIndex"): Endpoint(premium_index, with_symbol(1, 10)),
    ("GET", "/fapi/v1/fundingRate"): Endpoint(funding_rate),
    ("GET", "/fapi/v1/fundingInfo"): Endpoint(funding_info),
    ("GET", "/fapi/v1/openInterest"): Endpoint(open_interest),
    ("GET", "/fapi/v1/ticker/bookTicker"): Endpoint(book_ticker, with_symbol(2, 5)),
    ("GET", "/fapi/v1/ticker/price"): Endpoint(ticker_price, with_symbol(1, 2)),
    ("GET", "/fapi/v2/ticker/price"): Endpoint(ticker_price, with_symbol(1, 2)),
    ("GET", "/fapi/v1/ticker/24hr"): Endpoint(ticker_daily, with_symbol(1, 40)),
}
"""Endpoints that anybody may use."""
