"""The web socket trading API at /ws-fapi/v1: the same requests as over REST, as messages on a connection.

A request is `{"id", "method", "params"}`; it is signed over its parameters in alphabetical order, as they stand in the message
and without percent-encoding. Each answer repeats the id and lists the limits that the request counts against. `session.logon`
wants an Ed25519 key; with HMAC it is refused. The connection costs a weight of 5, from a pool of its own (or, if so configured,
from REST's).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.emulator.answer import Answer, Refused
from actors.emulator.faults import Request
from actors.emulator.parameters import Parameters

if TYPE_CHECKING:
    from actors.emulator.exchange import Exchange

PATH: Final = "/ws-fapi/v1"
HANDSHAKE_WEIGHT: Final = 5
_V1: Final = "/fapi/v1"
METHODS: Final = {
    "order.place": ("POST", f"{_V1}/order"),
    "order.modify": ("PUT", f"{_V1}/order"),
    "order.cancel": ("DELETE", f"{_V1}/order"),
    "order.status": ("GET", f"{_V1}/order"),
    "algoOrder.place": ("POST", f"{_V1}/algoOrder"),
    "algoOrder.cancel": ("DELETE", f"{_V1}/algoOrder"),
    "account.status": ("GET", "/fapi/v2/account"),
    "v2/account.status": ("GET", "/fapi/v3/account"),
    "account.balance": ("GET", "/fapi/v2/balance"),
    "v2/account.balance": ("GET", "/fapi/v3/balance"),
    "account.position": ("GET", "/fapi/v2/positionRisk"),
    "v2/account.position": ("GET", "/fapi/v3/positionRisk"),
    "userDataStream.start": ("POST", f"{_V1}/listenKey"),
    "userDataStream.ping": ("PUT", f"{_V1}/listenKey"),
    "userDataStream.stop": ("DELETE", f"{_V1}/listenKey"),
    "depth": ("GET", f"{_V1}/depth"),
    "ticker.book": ("GET", f"{_V1}/ticker/bookTicker"),
    "ticker.price": ("GET", f"{_V1}/ticker/price"),
    "ping": ("GET", f"{_V1}/ping"),
    "time": ("GET", f"{_V1}/time"),
}
"""Each method, and the endpoint that does the same."""
SESSION: Final = ("session.logon", "session.logout", "session.status")


class _Message(msgspec.Struct):
    method: str
    id: int | str | None = None
    params: dict[str, msgspec.Raw] = {}


class _Refusal(msgspec.Struct):
    code: int
    msg: str


class ApiSession:
    """One connection of a client to the trading API."""

    def __init__(self, venue: Exchange, address: str) -> None:
        self._venue = venue
        self._address = address if venue.settings.ws_weight_shared else f"{address} ws"
        self.closed = ""
        self._frames: list[bytes] = []
        try:
            venue.counters.charge(venue.now, self._address, HANDSHAKE_WEIGHT)
        except Refused as refused:
            self.close(f"{refused.status} {refused.text}")

    @property
    def waiting(self) -> bool:
        """Whether there is something to send, or to close."""
        return bool(self._frames or self.closed)

    def take(self) -> list[bytes]:
        """The frames to be sent to this connection, in order."""
        frames, self._frames = self._frames, []
        return frames

    def close(self, why: str) -> None:
        """The venue ends the connection."""
        self.closed = self.closed or why

    def leave(self) -> None:
        """The client is gone."""
        self.close("the client has left")

    def say(self, now: int, text: str) -> None:
        """A request of the client."""
        venue = self._venue
        venue.advance(max(now, venue.now))
        try:
            asked = msgspec.json.decode(text, type=_Message)
            values = {name: _text(value) for name, value in asked.params.items()}
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            self._refuse(None, -1135, "Invalid JSON Request")
            return
        if asked.method in SESSION:
            self._session(asked)
        elif asked.method not in METHODS:
            self._refuse(asked.id, -1000, f"Unknown method: {asked.method}")
        else:
            self._ask(asked.id, *METHODS[asked.method], values)

    def _ask(self, identity: int | str | None, method: str, path: str, values: dict[str, str]) -> None:
        key = values.pop("apiKey", "")
        signed = {name: value for name, value in values.items() if name not in ("signature",)}
        if key:
            signed["apiKey"] = key
        payload = "&".join(f"{name}={value}" for name, value in sorted(signed.items()))
        listed = values.pop("returnRateLimits", "true") != "false"
        request = Request(method, path, Parameters(values), payload, key, self._address)
        answer = self._venue.faults.answer(request)
        if answer.lost:
            return
        frame = msgspec.json.encode(self._written(identity, request, answer, listed))
        if answer.delay_ns:
            self._venue.agenda.at(self._venue.now + answer.delay_ns, lambda when: self._frames.append(frame))
        else:
            self._frames.append(frame)

    def _written(self, identity: int | str | None, request: Request, answer: Answer, listed: bool) -> dict[str, Any]:
        body: dict[str, Any] = {"id": identity, "status": answer.status}
        if answer.status < 300:
            body["result"] = msgspec.Raw(answer.body)
        elif answer.body.startswith(b"{"):
            refusal = msgspec.json.decode(answer.body, type=_Refusal)
            body["error"] = {"code": refusal.code, "msg": refusal.msg}
        else:
            body["error"] = {"code": -1000, "msg": "Forbidden"}
        return body | {"rateLimits": self._limits(request, answer)} if listed else body

    def _limits(self, request: Request, answer: Answer) -> list[dict[str, Any]]:
        counters, now = self._venue.counters, self._venue.now
        if "X-MBX-ORDER-COUNT-1M" in answer.headers:
            counts = answer.headers["X-MBX-ORDER-COUNT-1M"], answer.headers["X-MBX-ORDER-COUNT-10S"]
            return [{**row, "count": int(count)} for row, count in zip(counters.order_limits(), counts, strict=True)]
        return [{**counters.announced()[0], "count": counters.used_weight(now, self._address)}]

    def _session(self, asked: _Message) -> None:
        if asked.method == "session.logon":
            self._refuse(asked.id, -4056, "HMAC_SHA256 API key is not supported.")
            return
        nobody = {"apiKey": None, "authorizedSince": None, "connectedSince": None, "returnRateLimits": True}
        result = {**nobody, "serverTime": self._venue.stamp(self._venue.now)}
        self._frames.append(msgspec.json.encode({"id": asked.id, "status": 200, "result": result}))

    def _refuse(self, identity: int | str | None, code: int, text: str) -> None:
        self._frames.append(msgspec.json.encode({"id": identity, "status": 400, "error": {"code": code, "msg": text}}))


def _text(value: msgspec.Raw) -> str:
    """A parameter as the signature has it: a string's content, anything else as it is written."""
    written = bytes(value)
    return msgspec.json.decode(written, type=str) if written.startswith(b'"') else written.decode()
