"""Endpoints of orders, plain and conditional, one at a time and in batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from actors.emulator.answer import Refused
from actors.emulator.endpoints import Ask, Endpoint, Table, window, with_symbol
from actors.emulator.order import MS, VenueOrder
from actors.emulator.parameters import Parameters

PLACED_MAX: Final = 5
CANCELED_MAX: Final = 10
FORGOTTEN_NS: Final = 3 * 86_400 * 1_000_000_000
"""After which queries know nothing of an order that ended without a fill."""
ALL_CANCELED: Final = {"code": 200, "msg": "The operation of cancel all open order is done."}


def place(ask: Ask) -> Any:
    """POST order."""
    return _placed(ask, ask.parameters)


def _placed(ask: Ask, parameters: Parameters) -> dict[str, Any]:
    desk = ask.venue.desk
    order = desk.draft(ask.now, ask.account, parameters)
    acknowledged = order.acknowledged(ask.stamp)
    desk.place(ask.now, ask.account, order)
    return order.result(ask.stamp) if parameters.text("newOrderRespType", "ACK") == "RESULT" else acknowledged


def test(ask: Ask) -> Any:
    """POST order/test: checked, not placed."""
    order = ask.venue.desk.draft(ask.now, ask.account, ask.parameters)
    return order.result(ask.stamp)


def modify(ask: Ask) -> Any:
    """PUT order."""
    return _modified(ask, ask.parameters)


def _modified(ask: Ask, parameters: Parameters) -> dict[str, Any]:
    order = ask.venue.desk.modify(ask.now, ask.account, parameters)
    return order.modified(ask.stamp, parameters.integer("modifyId", 0))


def cancel(ask: Ask) -> Any:
    """DELETE order."""
    return ask.venue.desk.cancel(ask.now, ask.account, ask.parameters).acknowledged(ask.stamp)


def _batch(ask: Ask, one: Callable[[Ask, Parameters], dict[str, Any]]) -> list[dict[str, Any]]:
    answers = []
    for item in ask.parameters.listed("batchOrders", PLACED_MAX):
        try:
            if not isinstance(item, dict):
                raise Refused(-1130, "batchOrders")
            answers.append(one(ask, Parameters.of(item)))
        except Refused as refused:
            answers.append(refused.body())
    return answers


def place_batch(ask: Ask) -> Any:
    """POST batchOrders: up to five, each with its own answer."""
    return _batch(ask, _placed)


def modify_batch(ask: Ask) -> Any:
    """PUT batchOrders."""
    return _batch(ask, _modified)


def cancel_batch(ask: Ask) -> Any:
    """DELETE batchOrders: up to ten by orderIdList or origClientOrderIdList."""
    symbol = ask.venue.desk.market(ask.parameters.symbol()).symbol
    by_id = ask.parameters.has("orderIdList")
    name = "orderId" if by_id else "origClientOrderId"
    answers = []
    for item in ask.parameters.listed("orderIdList" if by_id else "origClientOrderIdList", CANCELED_MAX):
        asked = Parameters.of({"symbol": symbol, name: item})
        try:
            answers.append(ask.venue.desk.cancel(ask.now, ask.account, asked).acknowledged(ask.stamp))
        except Refused as refused:
            answers.append(refused.body())
    return answers


def cancel_all(ask: Ask) -> Any:
    """DELETE allOpenOrders of a symbol; conditional orders stay."""
    ask.venue.desk.cancel_all(ask.now, ask.account, ask.venue.desk.market(ask.parameters.symbol()).symbol)
    return ALL_CANCELED


def countdown(ask: Ask) -> Any:
    """POST countdownCancelAll: cancel a symbol's orders unless asked again in time; 0 stops it."""
    venue, account = ask.venue, ask.account
    symbol = venue.desk.market(ask.parameters.symbol()).symbol
    milliseconds = ask.parameters.integer("countdownTime", high=1 << 40)
    name = f"countdown {account.name} {symbol}"
    venue.agenda.drop(name)
    if milliseconds:
        venue.agenda.at(ask.now + milliseconds * MS, lambda when: venue.desk.cancel_all(when, account, symbol), name)
    return {"symbol": symbol, "countdownTime": str(milliseconds)}


def query(ask: Ask) -> Any:
    """GET order."""
    symbol = ask.venue.desk.market(ask.parameters.symbol()).symbol
    order = ask.venue.desk.find(ask.account, ask.parameters, symbol, -2013)
    if _forgotten(order, ask.now):
        raise Refused(-2013)
    return order.queried(ask.offset_ms)


def query_open(ask: Ask) -> Any:
    """GET openOrder."""
    symbol = ask.venue.desk.market(ask.parameters.symbol()).symbol
    order = ask.venue.desk.find(ask.account, ask.parameters, symbol, -2013)
    if not order.working:
        raise Refused(-2013)
    return order.queried(ask.offset_ms)


def open_orders(ask: Ask) -> Any:
    """GET openOrders, of one symbol or of all."""
    wanted = ask.venue.desk.market(ask.parameters.symbol()).symbol if ask.parameters.has("symbol") else ""
    return [one.queried(ask.offset_ms) for one in ask.account.open.values() if wanted in ("", one.instrument.symbol)]


def all_orders(ask: Ask) -> Any:
    """GET allOrders."""
    wanted = ask.venue.desk.market(ask.parameters.symbol()).symbol if ask.parameters.has("symbol") else ""
    first = ask.parameters.integer("orderId", 0)
    rows = [
        order.queried(ask.offset_ms, pair=True)
        for order in ask.account.orders.values()
        if wanted in ("", order.instrument.symbol) and order.id >= first and not _forgotten(order, ask.now)
    ]
    return window(ask, rows, lambda row: int(row["time"]))


def _forgotten(order: VenueOrder, now: int) -> bool:
    return not order.working and not order.done and now - order.created > FORGOTTEN_NS


def amendments(ask: Ask) -> Any:
    """GET orderAmendment: the history of an order's changes."""
    symbol = ask.venue.desk.market(ask.parameters.symbol()).symbol
    order = ask.venue.desk.find(ask.account, ask.parameters, symbol, -2013)
    price, qty = order.instrument.price_text, order.qty
    rows = []
    for count, one in enumerate(order.amendments, 1):
        changed = {
            "price": {"before": price(one.before[0]), "after": price(one.after[0])},
            "origQty": {"before": qty(one.before[1]), "after": qty(one.after[1])},
            "count": count,
            "modifyId": one.modify_id,
        }
        row = {"amendmentId": one.id, "symbol": symbol, "pair": symbol, "orderId": order.id, "clientOrderId": order.client_id}
        rows.append({**row, "time": ask.venue.stamp(one.ns), "amendment": changed})
    return window(ask, rows, lambda row: int(row["time"]), most=100, default=50)


def place_algo(ask: Ask) -> Any:
    """POST algoOrder."""
    return ask.venue.algos.place(ask.now, ask.account, ask.parameters).listed(ask.offset_ms, placed=True)


def cancel_algo(ask: Ask) -> Any:
    """DELETE algoOrder."""
    algo = ask.venue.algos.cancel(ask.now, ask.account, ask.parameters)
    return {"algoId": algo.id, "clientAlgoId": algo.client_id, "code": "200", "msg": "success"}


def query_algo(ask: Ask) -> Any:
    """GET algoOrder."""
    return ask.venue.algos.find(ask.account, ask.parameters, -2013).listed(ask.offset_ms)


def _algos(ask: Ask, waiting: bool) -> list[dict[str, Any]]:
    wanted = ask.venue.desk.market(ask.parameters.symbol()).symbol if ask.parameters.has("symbol") else ""
    algos = ask.venue.algos.waiting if waiting else ask.venue.algos.orders
    mine = [algo for algo in algos.values() if algo.account == ask.account.name and wanted in ("", algo.instrument.symbol)]
    return [algo.listed(ask.offset_ms) for algo in mine]


def cancel_algos(ask: Ask) -> Any:
    """DELETE algoOpenOrders of a symbol."""
    symbol = ask.venue.desk.market(ask.parameters.symbol()).symbol
    for algo in list(ask.venue.algos.waiting.values()):
        if algo.account == ask.account.name and algo.instrument.symbol == symbol:
            ask.venue.algos.end(ask.now, algo, "CANCELED")
    return ALL_CANCELED


def all_algos(ask: Ask) -> Any:
    """GET allAlgoOrders."""
    ask.parameters.symbol()
    return window(ask, _algos(ask, waiting=False), lambda row: int(row["createTime"]))


_ORDER: Final = "/fapi/v1/order"
_BATCH: Final = "/fapi/v1/batchOrders"
_ALGO: Final = "/fapi/v1/algoOrder"
TRADING: Final[Table] = {
    ("POST", _ORDER): Endpoint(place, 0, "signed", (1, 1)),
    ("POST", f"{_ORDER}/test"): Endpoint(test, 0, "signed"),
    ("PUT", _ORDER): Endpoint(modify, 0, "signed", (1, 1)),
    ("DELETE", _ORDER): Endpoint(cancel, 1, "signed", reduces=True),
    ("GET", _ORDER): Endpoint(query, 1, "signed"),
    ("POST", _BATCH): Endpoint(place_batch, 5, "signed", (1, 5)),
    ("PUT", _BATCH): Endpoint(modify_batch, 5, "signed", (1, 5)),
    ("DELETE", _BATCH): Endpoint(cancel_batch, 1, "signed", reduces=True),
    ("DELETE", "/fapi/v1/allOpenOrders"): Endpoint(cancel_all, 1, "signed", reduces=True),
    ("POST", "/fapi/v1/countdownCancelAll"): Endpoint(countdown, 10, "signed", reduces=True),
    ("GET", "/fapi/v1/openOrder"): Endpoint(query_open, 1, "signed"),
    ("GET", "/fapi/v1/openOrders"): Endpoint(open_orders, with_symbol(1, 40), "signed"),
    ("GET", "/fapi/v1/allOrders"): Endpoint(all_orders, 5, "signed"),
    ("GET", "/fapi/v1/orderAmendment"): Endpoint(amendments, 1, "signed"),
    ("POST", _ALGO): Endpoint(place_algo, 0, "signed", (1, 1)),
    ("DELETE", _ALGO): Endpoint(cancel_algo, 1, "signed", reduces=True),
    ("GET", _ALGO): Endpoint(query_algo, 1, "signed"),
    ("DELETE", "/fapi/v1/algoOpenOrders"): Endpoint(cancel_algos, 1, "signed", reduces=True),
    ("GET", "/fapi/v1/openAlgoOrders"): Endpoint(lambda ask: _algos(ask, waiting=True), with_symbol(1, 40), "signed"),
    ("GET", "/fapi/v1/allAlgoOrders"): Endpoint(all_algos, 5, "signed"),
}
"""Endpoints that move orders and look at them."""
