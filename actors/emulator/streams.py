"""Web socket connections: which streams each hears, on which road, and what it may say.

A stream is served on its own road only; on any other one, and on none at all for what is not public, a subscription is accepted
and silent. An old, unrouted connection hears what is public. After a listen key has ended its connection stays open and silent.
`trade` is a stream of which no document names the road, and clients seek it on either: it is served on both.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from actors.emulator.bars import INTERVALS

MS: Final = 1_000_000
SECOND: Final = 1_000_000_000
STREAMS_MAX: Final = 1024
MESSAGES_A_SECOND: Final = 10
BUFFER_MAX: Final = 100_000
"""Frames kept for a connection that nobody reads; then the venue closes it."""
PUBLIC: Final = re.compile(r"(?:([a-z0-9_]+)@(?:(bookTicker)|depth(5|10|20)?(?:@(0|100|250|500)ms)?)|(!bookTicker))", re.ASCII)
MARKET: Final = re.compile(
    r"([a-z0-9_]+)@(aggTrade|trade|markPrice(?:@1s)?|(?:kline|continuousKline)_(\w+)|miniTicker|ticker|forceOrder)"
    r"|!(markPrice@arr(?:@1s)?|miniTicker@arr|ticker@arr|forceOrder@arr)",
    re.ASCII,
)
PUBLIC_ROAD: Final = ("/public",)
MARKET_ROAD: Final = ("/market",)
PERIODS: Final = {
    "markPrice": 3 * SECOND, "markPrice@1s": SECOND, "miniTicker": SECOND, "ticker": SECOND, "!bookTicker": 5 * SECOND,
    "markPrice@arr": 3 * SECOND, "markPrice@arr@1s": SECOND, "miniTicker@arr": SECOND, "ticker@arr": SECOND,
}  # fmt: skip


class Stream(NamedTuple):
    """A stream by its name. `period`: between its frames in ns, 0 as things happen. `symbol` is "" for all markets."""

    name: str
    roads: tuple[str, ...]
    symbol: str
    kind: str
    argument: str
    period: int


def stream(name: str) -> Stream | None:
    """What a name stands for; None when the venue has no such stream."""
    found = PUBLIC.fullmatch(name)
    if found:
        symbol, ticker, levels, speed, everything = found.groups()
        if everything:
            return Stream(name, PUBLIC_ROAD, "", "!bookTicker", "", PERIODS["!bookTicker"])
        if ticker:
            return Stream(name, PUBLIC_ROAD, symbol.upper(), "bookTicker", "", 0)
        period = int(speed or 250) * MS
        return Stream(name, PUBLIC_ROAD, symbol.upper(), "partial" if levels else "depth", levels or "", period)
    found = MARKET.fullmatch(name)
    if found is None:
        return None
    symbol, kind, interval, everything = found.groups()
    if everything:
        return Stream(name, MARKET_ROAD, "", everything.partition("@")[0] + "s", "", PERIODS.get(everything, SECOND))
    if interval:
        contract, perpetual, _ = symbol.partition("_perpetual")
        known = interval in INTERVALS and bool(perpetual) == kind.startswith("continuous")
        return Stream(name, MARKET_ROAD, contract.upper(), kind.partition("_")[0], interval, 250 * MS) if known else None
    roads = PUBLIC_ROAD + MARKET_ROAD if kind == "trade" else MARKET_ROAD
    return Stream(name, roads, symbol.upper(), kind.partition("@")[0], "", PERIODS.get(kind, 0))


class Hub:
    """Who hears what. `gate` may hold back, repeat or lose a frame; it delivers by `Subscriber.push`."""

    def __init__(self) -> None:
        self.wanted: dict[str, Stream] = {}
        self._hearers: dict[str, dict[int, Subscriber]] = {}
        self.subscribers: dict[int, Subscriber] = {}
        self.gate: Callable[[Subscriber, str, bytes], None] = lambda subscriber, name, frame: subscriber.push(name, frame)
        self.begun: Callable[[Stream], None] = lambda one: None
        self.ended: Callable[[Stream], None] = lambda one: None
        self._count = 0

    def enter(self, subscriber: Subscriber) -> int:
        """A connection begins; returns its number."""
        self._count += 1
        self.subscribers[self._count] = subscriber
        return self._count

    def leave(self, subscriber: Subscriber) -> None:
        """A connection ended."""
        for name in list(subscriber.streams):
            self.unsubscribe(subscriber, name)
        self.subscribers.pop(subscriber.number, None)

    def subscribe(self, subscriber: Subscriber, name: str) -> None:
        """From now on the connection hears the stream, if this is the stream's road."""
        subscriber.streams[name] = None
        one = stream(name)
        if one is None or subscriber.road not in one.roads:
            return
        if name not in self.wanted:
            self.wanted[name] = one
            self.begun(one)
        self._hearers.setdefault(name, {})[subscriber.number] = subscriber

    def unsubscribe(self, subscriber: Subscriber, name: str) -> None:
        """The connection hears it no more."""
        subscriber.streams.pop(name, None)
        hearers = self._hearers.get(name, {})
        hearers.pop(subscriber.number, None)
        if not hearers and name in self.wanted:
            self.ended(self.wanted.pop(name))
            self._hearers.pop(name, None)

    def publish(self, name: str, frame: bytes) -> None:
        """A frame of the market to all who hear the stream."""
        for subscriber in list(self._hearers.get(name, {}).values()):
            if not subscriber.closed:
                self.gate(subscriber, name, frame)

    def tell(self, key: str, event: str, frame: bytes) -> None:
        """A frame of an account to the private connections that were opened with its key."""
        for subscriber in list(self.subscribers.values()):
            if subscriber.road == "/private" and not subscriber.closed and subscriber.hears(key, event):
                self.gate(subscriber, key, frame)


class Subscriber:
    """One connection of a client to the streams."""

    def __init__(self, hub: Hub, now: int, path_and_query: str) -> None:
        parts = urlsplit(path_and_query)
        path = parts.path.rstrip("/")
        road = next((road for road in ("/public", "/market", "/private") if path == road or path.startswith(road + "/")), "")
        rest = path.removeprefix(road)
        query = parse_qs(parts.query)
        self.road = road or "/public"
        self.wrapped = rest.startswith("/stream")
        self.since = now
        self.closed = ""
        self.silent = False
        self.streams: dict[str, None] = {}
        self._events: dict[str, frozenset[str]] = {}
        self._frames: list[bytes] = []
        self._said: deque[int] = deque(maxlen=MESSAGES_A_SECOND)
        self._hub = hub
        self.number = hub.enter(self)
        names = query.get("streams", [""])[0] if self.wrapped else unquote(rest.removeprefix("/ws").strip("/"))
        listed = [name for name in names.split("/") if name]
        events = frozenset(event for text in query.get("events", []) for event in text.split("/"))
        for key in query.get("listenKey", []):
            listed.append(key)
            self._events[key] = events
        if not (self.wrapped or rest == "/ws" or rest.startswith("/ws/")):
            self.close("404 no such path")
        self._add(listed)

    def take(self) -> list[bytes]:
        """The frames to be sent to this connection, in order."""
        frames, self._frames = self._frames, []
        return frames

    @property
    def waiting(self) -> bool:
        """Whether there is something to send, or to close."""
        return bool(self._frames or self.closed)

    def push(self, name: str, frame: bytes) -> None:
        """Put a frame into its way; wrapped, if the connection is of that mode."""
        if self.closed or self.silent:
            return
        if len(self._frames) >= BUFFER_MAX:
            self.close("the client reads too slowly")
            return
        self._frames.append(b'{"stream":"%s","data":%s}' % (name.encode(), frame) if self.wrapped else frame)

    def hears(self, key: str, event: str) -> bool:
        """Whether this private connection was opened with the key, for such events."""
        if key not in self.streams:
            return False
        events = self._events.get(key)
        return not events or event in events or event == "listenKeyExpired"

    def close(self, why: str) -> None:
        """The venue ends the connection."""
        if not self.closed:
            self.closed = why
            self._hub.leave(self)

    def cut(self, why: str) -> None:
        """The connection breaks, and what was not yet sent is lost."""
        self._frames.clear()
        self.close(why)

    def leave(self) -> None:
        """The client is gone."""
        self.close("the client has left")

    def say(self, now: int, text: str) -> None:
        """A message of the client: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, and the connection's one property."""
        if self.closed:
            return
        if len(self._said) == MESSAGES_A_SECOND and now - self._said[0] < SECOND:
            self.close("more than ten messages a second")
            return
        self._said.append(now)
        try:
            asked = msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            self._answer({"error": {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}})
            return
        self._asked(asked)

    def _asked(self, asked: dict[str, Any]) -> None:
        method, names, identity = asked.get("method"), asked.get("params", []), asked.get("id")
        if identity is not None and not isinstance(identity, int | str):
            self._wrong("request ID must be an unsigned integer or a string", None)
        elif method == "LIST_SUBSCRIPTIONS":
            self._answer({"result": list(self.streams), "id": identity})
        elif method in ("GET_PROPERTY", "SET_PROPERTY"):
            self._property(method, names, identity)
        elif not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self._wrong("invalid type: expected a sequence of strings", identity)
        elif method == "SUBSCRIBE":
            self._add(names)
            self._answer({"result": None, "id": identity})
        elif method == "UNSUBSCRIBE":
            for name in names:
                self._hub.unsubscribe(self, name)
            self._answer({"result": None, "id": identity})
        else:
            self._wrong(f"unknown variant `{method}`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`", identity)

    def _property(self, method: str, names: Any, identity: Any) -> None:
        if not isinstance(names, list) or not names or names[0] != "combined":
            self._wrong("unknown property", identity)
        elif method == "GET_PROPERTY":
            self._answer({"result": self.wrapped, "id": identity})
        else:
            self.wrapped = names[-1] is True
            self._answer({"result": None, "id": identity})

    def _add(self, names: list[str]) -> None:
        if len(self.streams) + len(names) > STREAMS_MAX:
            self.close(f"more than {STREAMS_MAX} streams")
            return
        for name in names:
            self._hub.subscribe(self, name)

    def _wrong(self, text: str, identity: Any) -> None:
        self._answer({"error": {"code": 2, "msg": f"Invalid request: {text}"}, "id": identity})

    def _answer(self, body: dict[str, Any]) -> None:
        if not self.silent:
            self._frames.append(msgspec.json.encode(body))
