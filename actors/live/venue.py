"""The account's session with a real venue: what `core/dialect/binance/session.py` wants done, done by threads.

All logic runs on the loop's thread. Threads only block: eight wait for what orders are answered, three ask questions, two write
and read each web socket; what they bring is handed to the loop. A request that has no answer when its time is over, whatever its
thread is doing, is answered with nothing; a later answer is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, Protocol

from actors.live.credentials import Credentials
from actors.live.lane import Lane
from actors.live.sender import Questioner, Worker
from actors.live.websocket import WebSocket
from core.dialect.binance.answers import Answer
from core.dialect.binance.effects import Ask, Close, Effect, Open, Say, Tell
from core.dialect.binance.hosts import VenueTable
from core.dialect.binance.session import Session
from core.dialect.binance.stream import WS_API
from core.instrument import Instrument
from core.message import Bar, Message

ORDER_THREADS: Final = 8
"""As many orders are on their way at once: more would wait for each other here, at 50 ms a round trip 160 a second leave."""
QUERY_THREADS: Final = 3
GRACE_NS: Final = 1_000_000_000
"""Beyond a request's own time, before it is given up here."""
FAREWELL_NS: Final = 1_000_000_000
"""For the last requests of a session to leave."""


class Now(Protocol):
    def now(self) -> int: ...


class Loop(Protocol):
    """What a device sees of the loop (`actors/live/host.py`)."""

    @property
    def clock(self) -> Now: ...
    def soon(self, call: Callable[[], None]) -> None: ...
    def at(self, when: int, call: Callable[[], None]) -> None: ...
    def hand(self, node: str, message: Message) -> None: ...
    def news(self, urgency: int, headline: str, text: str = "") -> None: ...


class Venue:
    """One account at one venue. `bars` takes the recent bars that the session begins with, before anything trades; `allowed`
    says, where that may end, whether this process may act for the account: from then on nothing is transmitted."""

    def __init__(
        self,
        loop: Loop,
        table: VenueTable,
        credentials: Credentials,
        instruments: Iterable[Instrument],
        believed: Callable[[str], int],
        bars: Callable[[Bar], None] = lambda bar: None,
        allowed: Callable[[], bool] | None = None,
    ) -> None:
        self._allowed = allowed
        self.session = Session(table, credentials.signer(), instruments, believed)
        self._loop, self._table, self._bars = loop, table, bars
        self._source = credentials.source
        self._key = credentials.key
        self._lanes: dict[str, Lane] = {}
        self._sockets: dict[int, WebSocket] = {}
        self._due = 1 << 62
        self._ended = False

    def __repr__(self) -> str:
        return f"<Venue {self._table.name} at {self._table.hosts.rest}>"

    # --- what the host does with it

    def remember(self, message: Message) -> None:
        """Before `start`: a request or a position of an earlier life."""
        self.session.remember(message)

    def start(self) -> None:
        """Begin."""
        url, now = self._table.hosts.rest, self._loop.clock.now
        allowed = self._allowed or (lambda: True)
        self._lanes["orders"] = Lane("orders", ORDER_THREADS, lambda: Worker(url, self._key), self._done, now, allowed)
        self._lanes["queries"] = Lane("queries", QUERY_THREADS, lambda: Questioner(url, self._key), self._done, now, allowed)
        self._loop.news(0, f"session with {self._table.name}", f"{url}, with the key from {self._source}")
        self.session.start(now())
        self._carry_out()

    def submit(self, now: int, message: Message) -> None:
        """Take a request or a question."""
        self.session.submit(now, message)
        self._carry_out()

    def status(self) -> dict[str, Any]:
        """What an operator wants to know."""
        session = self.session
        return {
            "venue": self._table.name,
            "stream": bool(session.stream.current),
            "connections": session.stream.connections,
            "offset_ms": round(session.wire.offset / 1e6, 1),
            "transmitted": session.orders.transmitted,
            "used": {pool.name: [pool.used, pool.limit] for pool in session.wire.allowance.pools.values()},
            "states": {symbol: list(session.standing.state(symbol)) for symbol in session.instruments},
            "counts": dict(session.counts),
            "fees_aside_e8": dict(session.hearing.aside),
        }

    def stop(self, done: Callable[[], None]) -> None:
        """End on purpose: give leases and the private stream's key back, let that leave, then say so."""
        if self._ended:
            done()
            return
        self.session.stop(self._loop.clock.now())
        self._carry_out()
        self._ended = True
        self._loop.at(self._loop.clock.now() + FAREWELL_NS, lambda: self._leave(done))

    def _leave(self, done: Callable[[], None]) -> None:
        for lane in self._lanes.values():
            lane.close()
        for connection in self._sockets.values():
            connection.close()
        done()

    # --- effects

    def _carry_out(self) -> None:
        """Do what the session wants done, until it wants no more."""
        while effects := self.session.take():
            for effect in effects:
                self._do(effect)
        due = self.session.due()
        if due < self._due:
            self._due = due
            self._loop.at(due, self._wake)

    def _do(self, effect: Effect) -> None:
        if isinstance(effect, Ask):
            self._transmit(effect)
        elif isinstance(effect, Say):
            if effect.node:
                self._loop.hand(effect.node, effect.message)
            elif isinstance(effect.message, Bar):
                self._bars(effect.message)
        elif isinstance(effect, Tell):
            self._loop.news(effect.urgency, effect.headline, effect.text)
        elif isinstance(effect, Open):
            self._sockets[effect.stream] = WebSocket(effect.url, f"web socket {effect.stream}", _Ears(self, effect.stream))
            self._sockets[effect.stream].start()
        elif isinstance(effect, Close) and effect.stream in self._sockets:
            self._sockets.pop(effect.stream).close()

    def _transmit(self, ask: Ask) -> None:
        if self._allowed is not None and not self._allowed():
            return  # and this process is about to end
        if ask.lane == "ws":
            self._sockets[WS_API].say(ask.text)
        else:
            self._lanes[ask.lane].put(ask)
        self._loop.at(self._loop.clock.now() + ask.timeout_ns + GRACE_NS, lambda: self._answered(ask.call, None))

    def _wake(self) -> None:
        now = self._loop.clock.now()
        self._due = 1 << 62
        if not self._ended:
            self.session.wake(now)
            self._carry_out()

    # --- from threads

    def _done(self, call: int, answer: Answer | None) -> None:
        self._loop.soon(lambda: self._answered(call, answer))

    def _answered(self, call: int, answer: Answer | None) -> None:
        self.session.answered(self._loop.clock.now(), call, answer)
        self._carry_out()

    def heard(self, stream: int, frame: bytes) -> None:
        """A frame of a web socket, on the loop's thread."""
        if stream in self._sockets:
            self.session.frame(self._loop.clock.now(), stream, frame)
            self._carry_out()

    def opened(self, stream: int) -> None:
        """A web socket stands."""
        if stream in self._sockets:
            self.session.opened(self._loop.clock.now(), stream)
            self._carry_out()

    def hung_up(self, stream: int, why: str) -> None:
        """A web socket is gone."""
        with suppress(KeyError):
            del self._sockets[stream]
            self.session.closed(self._loop.clock.now(), stream, why)
            self._carry_out()

    def soon(self, call: Callable[[], None]) -> None:
        """From any thread: on the loop's."""
        self._loop.soon(call)


class _Ears:
    """What a web socket's thread tells the loop."""

    def __init__(self, venue: Venue, stream: int) -> None:
        self._venue, self._stream = venue, stream

    def on_open(self) -> None:
        self._venue.soon(lambda: self._venue.opened(self._stream))

    def on_frame(self, frame: bytes) -> None:
        self._venue.soon(lambda: self._venue.heard(self._stream, frame))

    def on_close(self, why: str) -> None:
        self._venue.soon(lambda: self._venue.hung_up(self._stream, why))
