"""Requests to Binance USDⓈ-M futures over REST: what is asked for, what it costs, and the signature over the exact bytes sent.

A signed request carries `timestamp` and `recvWindow` (ms) and, as its last parameter, the HMAC-SHA256 of everything before it.
The venue refuses it when it is older than the window on arrival and again before its matching engine: that is what makes lasting
absence a proof (`core/outcome.py`). Parameters always go into the query string, percent-encoded before signing.

An amended order keeps its client id at this venue, whatever ids our requests have: cancels, amendments and queries name the
order by the id that its first request had (`venue_id`). Weights and order counts are those documented in October 2026; what is
left of them is for the venue's headers to say.
"""

from __future__ import annotations

import hmac
import json
import re
from hashlib import sha256
from typing import Final, Literal, NamedTuple
from urllib.parse import urlencode

from core.instrument import Instrument
from core.message import NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest, OrdType, TimeInForce
from core.outcome import WINDOW_NS
from core.price import BUY, Side

Method = Literal["GET", "POST", "PUT", "DELETE"]
Parameters = tuple[tuple[str, str], ...]
TIMES_IN_FORCE: Final = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK", TimeInForce.GTX: "GTX"}
ORDER: Final = "/fapi/v1/order"
USER_TRADES: Final = "/fapi/v1/userTrades"


class Request(NamedTuple):
    """One request, before it has a time: `weight` on the address's minute, `orders` on the account's order counts."""

    method: Method
    path: str
    parameters: Parameters = ()
    signed: bool = True
    weight: int = 1
    orders: int = 0


def new_order(instrument: Instrument, order: NewOrderSingle) -> Request:
    """POST of a limit or market order. Raises KeyError for a time in force that the venue does not have."""
    parameters = [("symbol", order.symbol), ("side", _side(order.side))]
    if order.ord_type == OrdType.LIMIT:
        parameters += [("type", "LIMIT"), ("timeInForce", TIMES_IN_FORCE[order.time_in_force])]
        parameters += [("price", instrument.price_text(order.price))]
    else:
        parameters += [("type", "MARKET")]
    parameters += [("quantity", instrument.qty_text(order.order_qty)), ("newClientOrderId", order.cl_ord_id)]
    if order.reduce_only:
        parameters += [("reduceOnly", "true")]
    return Request("POST", ORDER, tuple(parameters), weight=0, orders=1)


def cancel(request: OrderCancelRequest, venue_id: str) -> Request:
    """DELETE of the order that the venue knows as `venue_id`."""
    return Request("DELETE", ORDER, (("symbol", request.symbol), ("origClientOrderId", venue_id)))


def replace(instrument: Instrument, request: OrderCancelReplaceRequest, venue_id: str) -> Request:
    """PUT of a new price and total quantity; the venue wants side, quantity and price, all three. The order loses its place."""
    parameters = (
        ("symbol", request.symbol),
        ("side", _side(request.side)),
        ("quantity", instrument.qty_text(request.order_qty)),
        ("price", instrument.price_text(request.price)),
        ("origClientOrderId", venue_id),
    )
    return Request("PUT", ORDER, parameters, weight=0, orders=1)


def query(symbol: str, venue_id: str) -> Request:
    """GET of one order's state."""
    return Request("GET", ORDER, (("symbol", symbol), ("origClientOrderId", venue_id)))


def query_number(symbol: str, order_id: str) -> Request:
    """GET of one order's state by the venue's number."""
    return Request("GET", ORDER, (("symbol", symbol), ("orderId", order_id)))


def cancel_number(symbol: str, order_id: str) -> Request:
    """DELETE of an order by the venue's number: one that this house did not send."""
    return Request("DELETE", ORDER, (("symbol", symbol), ("orderId", order_id)))


def open_orders(symbol: str) -> Request:
    """GET of an instrument's open orders; without a symbol it would cost 40."""
    return Request("GET", "/fapi/v1/openOrders", (("symbol", symbol),))


PAGE: Final = 1000
"""Executions that one answer has at most."""


def executions(symbol: str, since_ns: int, until_ns: int = 0) -> Request:
    """GET of the account's executions on an instrument from a time on (ns UTC), oldest first, within at most seven days."""
    times = (("startTime", str(since_ns // 1_000_000)), *((("endTime", str(until_ns // 1_000_000)),) if until_ns else ()))
    return Request("GET", USER_TRADES, (("symbol", symbol), *times, ("limit", str(PAGE))), weight=5)


def executions_from(symbol: str, number: int) -> Request:
    """GET of the account's executions on an instrument from one trade's number on."""
    return Request("GET", USER_TRADES, (("symbol", symbol), ("fromId", str(number)), ("limit", str(PAGE))), weight=5)


def executions_of(symbol: str, order_id: str) -> Request:
    """GET of one order's executions."""
    return Request("GET", USER_TRADES, (("symbol", symbol), ("orderId", order_id), ("limit", str(PAGE))), weight=5)


def open_algos(symbol: str) -> Request:
    """GET of an instrument's open conditional orders."""
    return Request("GET", "/fapi/v1/openAlgoOrders", (("symbol", symbol),))


def server_time() -> Request:
    """GET of the venue's clock."""
    return Request("GET", "/fapi/v1/time", signed=False)


def exchange_info() -> Request:
    """GET of instruments, filters and limits."""
    return Request("GET", "/fapi/v1/exchangeInfo", signed=False)


def account(what: Literal["account", "positionRisk", "accountConfig", "leverageBracket", "rateLimit"]) -> Request:
    """GET of the account's state: balances, positions, how it is set up, brackets, and the limits that are its own."""
    path, weight = _ACCOUNT[what]
    return Request("GET", path, weight=weight)


_ACCOUNT: Final = {
    "account": ("/fapi/v3/account", 5),
    "positionRisk": ("/fapi/v3/positionRisk", 5),
    "accountConfig": ("/fapi/v1/accountConfig", 5),
    "leverageBracket": ("/fapi/v1/leverageBracket", 1),
    "rateLimit": ("/fapi/v1/rateLimit/order", 1),
}


def klines(symbol: str, count: int) -> Request:
    """GET of the last one-minute bars, the one that is open now included."""
    weight = 1 if count < 100 else 2 if count < 500 else 5 if count <= 1000 else 10
    return Request("GET", "/fapi/v1/klines", (("symbol", symbol), ("interval", "1m"), ("limit", str(count))), False, weight)


def cancel_all(symbol: str) -> tuple[Request, Request]:
    """DELETE of all open orders on an instrument: the plain ones, and the conditional ones, which the first does not touch."""
    asked = (("symbol", symbol),)
    return Request("DELETE", "/fapi/v1/allOpenOrders", asked), Request("DELETE", "/fapi/v1/algoOpenOrders", asked)


def countdown(symbol: str, milliseconds: int) -> Request:
    """POST of the dead man's switch: the venue cancels all open orders unless it is asked again in time; 0 stops it."""
    return Request("POST", "/fapi/v1/countdownCancelAll", (("symbol", symbol), ("countdownTime", str(milliseconds))), weight=10)


def listen_key(method: Literal["POST", "PUT", "DELETE"]) -> Request:
    """Open, prolong or close the private stream; these need the key and no signature."""
    return Request(method, "/fapi/v1/listenKey", signed=False)


def written(request: Request, secret: str, time_ns: int, window_ns: int = WINDOW_NS) -> str:
    """The query string as it is to be sent, at the venue's time `time_ns` (ns UTC); signed, if the request is."""
    if not request.signed:
        return urlencode(request.parameters)
    stamps = (("recvWindow", str(window_ns // 1_000_000)), ("timestamp", str(time_ns // 1_000_000)))
    payload = urlencode((*request.parameters, *stamps))
    return f"{payload}&signature={signature(payload, secret)}"


class Signer:
    """An account's key and secret. Neither is in its words: they would end in a log."""

    __slots__ = ("_keyed", "key")

    def __init__(self, key: str, secret: str) -> None:
        self.key = key
        self._keyed = hmac.new(secret.encode(), digestmod=sha256)

    def signature(self, payload: str) -> str:
        """As `signature`; what the secret alone determines is computed once."""
        keyed = self._keyed.copy()
        keyed.update(payload.encode())
        return keyed.hexdigest()

    def written(self, request: Request, time_ns: int, window_ns: int = WINDOW_NS) -> str:
        """As `written`."""
        if not request.signed:
            return urlencode(request.parameters)
        payload = f"{encoded(request.parameters)}&recvWindow={window_ns // 1_000_000}&timestamp={time_ns // 1_000_000}".lstrip(
            "&"
        )
        return f"{payload}&signature={self.signature(payload)}"

    def spoken(self, method: str, request: Request, time_ns: int, call: str, window_ns: int = WINDOW_NS) -> str:
        """A request as the WebSocket API takes it: parameters in the order of the alphabet, whole numbers as numbers."""
        stamps = (("recvWindow", str(window_ns // 1_000_000)), ("timestamp", str(time_ns // 1_000_000)), ("apiKey", self.key))
        said = dict(sorted((*request.parameters, *stamps)))
        payload = "&".join(f"{name}={value}" for name, value in said.items())
        numbers = {name: int(value) for name, value in said.items() if name in ("recvWindow", "timestamp")}
        whole = {"id": call, "method": method, "params": said | numbers | {"signature": self.signature(payload)}}
        return json.dumps(whole, separators=(",", ":"))

    def __repr__(self) -> str:
        return "<Signer ***>"


_SAFE: Final = re.compile(r"[A-Za-z0-9_.\-~]*", re.ASCII)


def encoded(parameters: Parameters) -> str:
    """As `urlencode`, in a third of its time where nothing needs an escape."""
    if all(_SAFE.fullmatch(value) for _, value in parameters):
        return "&".join([f"{name}={value}" for name, value in parameters])
    return urlencode(parameters)


SPOKEN: Final = {"POST": "order.place", "PUT": "order.modify", "DELETE": "order.cancel"}
"""What the WebSocket API calls the methods of an order."""


def signature(payload: str, secret: str) -> str:
    """Lower-case hex of the HMAC-SHA256 of what is sent before it: query string, then body, nothing between."""
    return hmac.new(secret.encode(), payload.encode(), sha256).hexdigest()


def _side(side: Side) -> str:
    return "BUY" if side == BUY else "SELL"
