"""A client of the emulated venue in virtual time: signs, asks, reads its private stream."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import msgspec

from actors.emulator.answer import Answer
from actors.emulator.days import GeneratedDays
from actors.emulator.exchange import Exchange
from actors.emulator.faultplan import FaultPlan
from actors.emulator.settings import AccountSettings, Settings

SECOND = 1_000_000_000
START = 1_780_000_000 * SECOND
EVENTS = 40_000


def opened(
    settings: Settings = Settings(),  # noqa: B008
    plan: FaultPlan = FaultPlan(),  # noqa: B008
    seed: int = 3,
    symbols: tuple[str, ...] = ("BTCUSDT",),
    speed: float = 1.0,
) -> Exchange:
    """A venue with generated markets that opened a second ago."""
    exchange = Exchange({symbol: GeneratedDays(symbol, seed, EVENTS) for symbol in symbols}, START, settings, seed, speed, plan)
    exchange.advance(START + SECOND)
    return exchange


class Client:
    """One account's client. Its clock is the venue's."""

    def __init__(self, exchange: Exchange, account: AccountSettings = AccountSettings()) -> None:  # noqa: B008
        self.exchange, self.account = exchange, account
        self.user: Any = None

    def ask(self, method: str, path: str, signed: bool = True, in_body: bool = False, **parameters: Any) -> Answer:
        """One request at the venue's present; the answer as it is."""
        if signed:
            parameters.setdefault("timestamp", self.exchange.stamp(self.exchange.now))
        payload = urlencode(parameters)
        if signed:
            payload += f"&signature={hmac.new(self.account.secret.encode(), payload.encode(), sha256).hexdigest()}"
        query, body = ("", payload) if in_body else (payload, "")
        headers = {"X-MBX-APIKEY": self.account.key}
        return self.exchange.call(self.exchange.now, method, f"/fapi/{path}", query, body, headers)

    def get(self, path: str, **parameters: Any) -> Any:
        """The body of a GET that must succeed."""
        return self._sound(self.ask("GET", path, **parameters))

    def post(self, path: str, **parameters: Any) -> Any:
        """The body of a POST that must succeed."""
        return self._sound(self.ask("POST", path, **parameters))

    def put(self, path: str, **parameters: Any) -> Any:
        """The body of a PUT that must succeed."""
        return self._sound(self.ask("PUT", path, **parameters))

    def delete(self, path: str, **parameters: Any) -> Any:
        """The body of a DELETE that must succeed."""
        return self._sound(self.ask("DELETE", path, **parameters))

    def _sound(self, answer: Answer) -> Any:
        assert answer.status == 200, answer
        return msgspec.json.decode(answer.body)

    def refused(self, method: str, path: str, **parameters: Any) -> int:
        """The code of a request that must be refused."""
        answer = self.ask(method, path, **parameters)
        assert answer.status >= 400, answer
        return int(msgspec.json.decode(answer.body)["code"])

    def limit(self, side: str, price: Any, quantity: str = "0.010", tif: str = "GTC", **more: Any) -> Any:
        """Place a limit order; its acknowledgement."""
        return self.post("v1/order", **order(side, price, quantity, tif), **more)

    def market(self, side: str, quantity: str = "0.010", **more: Any) -> Any:
        """A market order; its result."""
        asked = {"symbol": "BTCUSDT", "side": side, "type": "MARKET", "quantity": quantity, "newOrderRespType": "RESULT"}
        return self.post("v1/order", **asked, **more)

    def best(self) -> tuple[Decimal, Decimal]:
        """Best bid and ask."""
        row = self.get("v1/ticker/bookTicker", signed=False, symbol="BTCUSDT")
        return Decimal(row["bidPrice"]), Decimal(row["askPrice"])

    def listen(self) -> Any:
        """Open the private stream."""
        key = self.post("v1/listenKey", signed=False)["listenKey"]
        self.user = self.exchange.connect(self.exchange.now, f"/private/ws/{key}")
        return self.user

    def heard(self, event: str = "") -> list[dict[str, Any]]:
        """The private events since the last call; of one kind, if named."""
        found = [msgspec.json.decode(frame, type=dict[str, Any]) for frame in self.user.take()]
        return [one for one in found if event in ("", one["e"])]

    def sleep(self, seconds: float) -> None:
        """Let the venue go on."""
        self.exchange.advance(self.exchange.now + int(seconds * SECOND))

    def position(self) -> Decimal:
        """The position in BTCUSDT."""
        return sum((Decimal(row["positionAmt"]) for row in self.get("v3/positionRisk")), Decimal(0))

    def truth(self) -> Mapping[str, Any]:
        """The account as the venue's back door shows it."""
        answer = self.exchange.call(self.exchange.now, "GET", "/emulator/truth")
        found: Mapping[str, Any] = msgspec.json.decode(answer.body)["accounts"][self.account.name]
        return found


def order(side: str, price: Any, quantity: str = "0.010", tif: str = "GTC") -> dict[str, Any]:
    """The parameters of a limit order."""
    price = f"{Decimal(price):.1f}"
    return {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": tif, "price": price, "quantity": quantity}
