"""The venue's back door on loopback, for tests and checkers: the truth, faults on command, the clock. Binance has no such thing.

GET  /emulator/truth     all executions, open orders, positions and wallets by account, and what faults have happened
POST /emulator/fault     {"fault": "user_cut"} now; {"fault": "late", "of": "POST /fapi/v1/order"} to the next of those
POST /emulator/calm      no fault happens any more
POST /emulator/clock     {"offset_ms": -1500}: what clients see of the venue's clock
GET  /emulator/state     time, days, connections
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from actors.emulator.answer import Answer, written
from actors.emulator.faultplan import OF_MOMENTS, OF_REQUESTS
from actors.errors import nearest

if TYPE_CHECKING:
    from actors.emulator.exchange import Exchange


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    fault: str = ""
    of: str = ""
    offset_ms: int = 0


def controlled(venue: Exchange, method: str, path: str, body: str) -> Answer:
    """Answer a request through the back door."""
    try:
        asked = msgspec.json.decode(body or "{}", type=_Asked)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        return written({"error": str(error)}, 400)
    match method, path:
        case "GET", "/emulator/truth":
            return written(truth(venue))
        case "GET", "/emulator/state":
            return written(state(venue))
        case "POST", "/emulator/fault":
            if asked.fault not in (*OF_MOMENTS, *OF_REQUESTS):
                hint = nearest(asked.fault, (*OF_MOMENTS, *OF_REQUESTS))
                return written({"error": f"there is no fault {asked.fault!r}; {hint}"}, 400)
            venue.faults.want(asked.fault, asked.of)
        case "POST", "/emulator/calm":
            venue.faults.stop()
        case "POST", "/emulator/clock":
            venue.offset_ns = asked.offset_ms * 1_000_000
        case _:
            return written({"error": f"no {method} {path}"}, 404)
    return written({})


def truth(venue: Exchange) -> dict[str, Any]:
    """What has really happened, in plain words; nothing that faults do reaches it."""
    return {
        "now_ns": venue.now,
        "accounts": {name: _account(venue, name) for name in venue.accounts},
        "faults": venue.faults.happened,
    }


def _account(venue: Exchange, name: str) -> dict[str, Any]:
    account = venue.accounts[name]
    executions = []
    for fill in account.executions:
        instrument = account.instruments[fill.symbol]
        row = {"trade_id": fill.id, "symbol": fill.symbol, "order_id": fill.order_id, "client_order_id": fill.client_id}
        row |= {"side": fill.side, "position_side": fill.position_side, "price": instrument.price_text(fill.tick)}
        row |= {"qty": instrument.qty_text(fill.lots), "maker": fill.maker, "fee": str(fill.fee), "pnl": str(fill.pnl)}
        executions.append(row | {"time_ns": fill.ns})
    return {
        "executions": executions,
        "orders": [order.queried(0, pair=True) for order in account.orders.values()],
        "open_orders": [order.queried(0) for order in account.open.values()],
        "open_algo_orders": [algo.listed(0) for algo in venue.algos.waiting.values() if algo.account == name],
        "positions": [
            {
                "symbol": one.symbol,
                "side": one.side,
                "qty": account.instruments[one.symbol].qty_text(one.lots),
                "cost": str(one.cost),
                "realised": str(one.realised),
            }
            for one in account.positions.values()
        ],
        "wallets": {asset: str(amount) for asset, amount in account.wallets.items()},
        "income": account.income,
    }


def state(venue: Exchange) -> dict[str, Any]:
    """Where the venue is."""
    return {
        "now_ns": venue.now,
        "offset_ms": venue.offset_ns // 1_000_000,
        "markets": {symbol: market.day_name for symbol, market in venue.markets.items()},
        "connections": [
            {"road": one.road, "streams": list(one.streams), "silent": one.silent} for one in venue.hub.subscribers.values()
        ],
    }
