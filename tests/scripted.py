"""A venue by hand: a session's effects are kept, and answered by what the test says, at the times that the test says."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from core.dialect.binance.answers import Answer
from core.dialect.binance.effects import Ask, Close, Open, Say, Tell
from core.dialect.binance.hosts import VenueTable
from core.dialect.binance.rest import Signer
from core.dialect.binance.session import Session
from core.instrument import Instrument, Key
from core.message import (
    Message,
    NewOrderSingle,
    OrderMassStatusRequest,
    SecurityStatus,
    Timer,
    TradingState,
)
from core.price import BUY
from tests.test_binance_answers import INFO

MS: Final = 1_000_000
SECOND: Final = 1_000 * MS
START: Final = 1_780_000_000 * SECOND
BTC: Final = Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001", base="BTC")
KEY: Final = "a" * 64

Reply = Any
"""A JSON value (200), an (int status, JSON value) pair, an Answer, or None: no answer."""


class Scripted:
    """A session with one instrument, whose venue answers every question of the prelude, and what the test adds to `answers`.

    `answers` are by method and path, and may be functions of the parameters. Requests for which `held` says so are kept
    unanswered in `waiting` until `reply`.
    """

    def __init__(self, believed: int = 0, start: bool = True, **table: Any) -> None:
        self.now = START
        self.believed = believed
        self.offset_ms = 0
        self.session = Session(VenueTable("emulator", **table), Signer("k", "s"), [BTC], lambda symbol: self.believed)
        self.asks: list[Ask] = []
        self.waiting: deque[Ask] = deque()
        self.held: Callable[[Ask], bool] = lambda ask: False
        self.said: list[tuple[str, Message]] = []
        self.told: list[Tell] = []
        self.opened: list[Open] = []
        self.closed: list[int] = []
        self.connects = True
        self.answers: dict[tuple[str, str], Reply | Callable[[dict[str, str]], Reply]] = {
            ("GET", "/fapi/v1/time"): lambda given: {"serverTime": self.now // MS + self.offset_ms},
            ("GET", "/fapi/v1/exchangeInfo"): INFO,
            ("GET", "/fapi/v1/accountConfig"): {"canTrade": True, "dualSidePosition": False},
            ("GET", "/fapi/v1/rateLimit/order"): [],
            ("GET", "/fapi/v3/account"): {"assets": [{"asset": "USDT", "walletBalance": "5", "availableBalance": "5"}]},
            ("GET", "/fapi/v1/leverageBracket"): [{"symbol": "BTCUSDT", "brackets": [{"bracket": 1}]}],
            ("GET", "/fapi/v1/klines"): [],
            ("GET", "/fapi/v3/positionRisk"): [],
            ("GET", "/fapi/v1/userTrades"): [],
            ("GET", "/fapi/v1/openOrders"): [],
            ("GET", "/fapi/v1/openAlgoOrders"): [],
            ("GET", "/fapi/v1/order"): (400, {"code": -2013, "msg": "Order does not exist."}),
            ("POST", "/fapi/v1/listenKey"): {"listenKey": KEY},
            ("PUT", "/fapi/v1/listenKey"): {"listenKey": KEY},
            ("DELETE", "/fapi/v1/listenKey"): {},
            ("POST", "/fapi/v1/order"): {"code": 200},
            ("PUT", "/fapi/v1/order"): {"code": 200},
            ("DELETE", "/fapi/v1/order"): {"code": 200},
            ("DELETE", "/fapi/v1/allOpenOrders"): {"code": 200, "msg": "done"},
            ("DELETE", "/fapi/v1/algoOpenOrders"): {"code": 200, "msg": "done"},
            ("POST", "/fapi/v1/countdownCancelAll"): {"symbol": "BTCUSDT", "countdownTime": "30000"},
        }
        if start:
            self.start()

    def start(self) -> Scripted:
        self.session.start(self.now)
        self.settle()
        self.run(3)
        return self

    # --- the world

    def settle(self) -> None:
        """Carry out what the session wants, until it wants no more."""
        while effects := self.session.take():
            for effect in effects:
                if isinstance(effect, Ask):
                    self.asks.append(effect)
                    if self.held(effect):
                        self.waiting.append(effect)
                    else:
                        self.answer(effect)
                elif isinstance(effect, Say):
                    self.said.append((effect.node, effect.message))
                    if isinstance(effect.message, Timer):
                        self.session.submit(self.now, OrderMassStatusRequest("BTCUSDT", self.now, self.now, self.now, 0))
                elif isinstance(effect, Tell):
                    self.told.append(effect)
                elif isinstance(effect, Open):
                    self.opened.append(effect)
                    if self.connects:
                        self.session.opened(self.now, effect.stream)
                elif isinstance(effect, Close):
                    self.closed.append(effect.stream)

    def answer(self, ask: Ask) -> None:
        parts = urlsplit(ask.target)
        reply = self.answers[ask.method, parts.path]
        if callable(reply):
            reply = reply({name: values[0] for name, values in parse_qs(parts.query).items()})
        self.session.answered(self.now, ask.call, made(reply))

    def reply(self, reply: Reply) -> Ask:
        """Answer the request that has waited longest."""
        ask = self.waiting.popleft()
        self.session.answered(self.now, ask.call, made(reply))
        self.settle()
        return ask

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + round(seconds * SECOND)
        while self.session.due() <= until:
            self.now = max(self.now, self.session.due())
            self.session.wake(self.now)
            self.settle()
        self.now = until

    def submit(self, message: Message) -> None:
        self.session.submit(self.now, message)
        self.settle()

    def new(self, cl_ord_id: str = "a", **more: Any) -> NewOrderSingle:
        fields = {"side": BUY, "price": 600_000, "order_qty": 10, "strategy": "mm", **more}
        order = NewOrderSingle("BTCUSDT", self.now, 0, self.now, cl_ord_id, **fields)
        self.submit(order)
        return order

    def frame(self, event: str, stream: int = 0, **more: Any) -> None:
        """A frame of the private stream."""
        whole = {"e": event, "E": self.now // MS, "T": self.now // MS, **more}
        self.session.frame(self.now, stream or self.session.stream.current, json.dumps(whole).encode())
        self.settle()

    def order(self, client_id: str, kind: str = "NEW", status: str = "", stream: int = 0, **more: Any) -> None:
        """ORDER_TRADE_UPDATE."""
        order = {
            "s": "BTCUSDT", "c": client_id, "S": "BUY", "o": "LIMIT", "f": "GTC", "q": "0.010", "p": "60000.0", "x": kind,
            "X": status or kind, "i": 7, "l": "0", "z": "0", "L": "0", "T": self.now // MS, "t": 0, "m": True, **more,
        }  # fmt: skip
        self.frame("ORDER_TRADE_UPDATE", stream, o=order)

    # --- what came of it

    def to(self, node: str, kind: type[Message]) -> list[Any]:
        """What a node was told of one kind."""
        return [message for name, message in self.said if name == node and isinstance(message, kind)]

    def gateway(self, kind: type[Message]) -> list[Any]:
        return self.to("gateway:BTCUSDT", kind)

    def left(self, method: str, path: str = "/fapi/v1/order") -> list[dict[str, str]]:
        """The parameters of requests that left."""
        found = [urlsplit(one.target) for one in self.asks if one.method == method]
        return [{name: values[0] for name, values in parse_qs(one.query).items()} for one in found if one.path == path]

    @property
    def state(self) -> TradingState:
        """What risk last heard of the instrument."""
        return self.to("risk", SecurityStatus)[-1].state  # type: ignore[no-any-return]

    def alarms(self) -> list[str]:
        return [one.headline for one in self.told if one.urgency == 2]


def made(reply: Reply) -> Answer | None:
    """An answer, of what a test says in short."""
    if reply is None or isinstance(reply, Answer):
        return reply
    status, value = reply if isinstance(reply, tuple) else (200, reply)
    return Answer(status, {}, json.dumps(value).encode() if not isinstance(value, bytes) else value)


def order_only(ask: Ask) -> bool:
    """Whether a request is about one order and changes it."""
    return ask.method != "GET" and ask.target.startswith("/fapi/v1/order?")
