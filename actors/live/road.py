"""One line of the market, kept up: a connection, its successor, and the watchdogs of its streams.

A connection that ends is opened again after a wait that doubles; the instruments whose books it carried are told that they are
lost at once. Before the venue ends a connection after its 24 hours, the next one is opened beside it, and the old one closed when
both have run together for a while: normalizers know what they have seen. A stream that is silent while the market moves
(`actors/live/watch.py`) costs its connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from actors.live.connection import Connection
from actors.live.fetching import Around, Fetching
from actors.live.watch import Stream
from core.dialect.binance.feed import Line, kind_of, sign_of_life
from core.message import Command, Message

SECOND: Final = 1_000_000_000
WAITS_NS: Final = tuple(seconds * SECOND // 4 for seconds in (1, 2, 4, 8, 16, 32, 64, 120))
"""From the end of a connection to the next attempt, by how many came to nothing: a quarter of a second to half a minute."""
STEADY_NS: Final = 10 * SECOND
"""A connection that lived so long came to something."""
RENEW_NS: Final = (23 * 60 + 30) * 60 * SECOND
OVERLAP_NS: Final = 2 * SECOND
"""Old and new run together: a depth stream's slowest speed is two events a second."""


class Host(Around, Protocol):
    """What a road needs of the host."""

    def news(self, urgency: int, headline: str, text: str = "") -> None:
        """A word to the operator."""


class Market(Protocol):
    """What a road needs of the market (`actors/live/market.py`)."""

    @property
    def host(self) -> Host: ...
    @property
    def streams(self) -> Mapping[bytes, Stream]: ...
    @property
    def fetching(self) -> Fetching: ...
    @property
    def hand(self) -> Callable[[str, Message], None]: ...
    @property
    def renew_ns(self) -> int: ...
    @property
    def closed(self) -> bool: ...
    def take(self, frame: bytes) -> None:
        """A frame came, on a connection's thread."""


class Road:
    """One line of the market: its connection, the one that takes over, and how often it had to be opened."""

    def __init__(self, market: Market, line: Line, url: str) -> None:
        self.market, self.line, self.url = market, line, url
        self.streams = [market.streams[name.encode()] for name in line.streams]
        self.books = sorted({(one.node, one.symbol) for one in self.streams if kind_of(one.name) == "depth"})
        self.connection: Connection | None = None
        self.next: Connection | None = None
        self.up = False
        self.opened = self.failed = self.silences = 0
        self._since = 0
        self._tries = 0

    def status(self) -> dict[str, Any]:
        """What an operator wants to know."""
        return {
            "route": self.line.route, "streams": len(self.streams), "up": self.up, "opened": self.opened,
            "ended": self.failed, "silences": self.silences,
        }  # fmt: skip

    def open(self) -> None:
        """Open the connection."""
        if not self.market.closed:
            self.connection = self._made()

    def close(self) -> None:
        """End what there is."""
        for one in (self.connection, self.next):
            if one is not None:
                one.close()

    def look(self, now: int) -> None:
        """Whether the streams live, while the connection does."""
        if not self.up:
            return
        for stream in self.streams:
            found = stream.look(now)
            if isinstance(found, str):
                self._give_up(found)
                return
            if found is not None:
                self.market.fetching.ask(f"probe {stream.name}", found, lambda body, one=stream: self._shown(one, body))  # type: ignore[misc]

    def _shown(self, stream: Stream, body: bytes) -> None:
        dead = stream.shown(sign_of_life(stream.name, body) if body else None)
        if dead and self.up:
            self._give_up(dead)

    def _give_up(self, why: str) -> None:
        self.silences += 1
        self.market.host.news(0, "a silent stream", why)
        if self.connection is not None:
            connection = self.connection
            self._ended(connection, why)
            connection.close(why)

    def _made(self) -> Connection:
        soon = self.market.host.soon
        one = Connection(
            self.url,
            self.market.take,
            lambda: soon(lambda: self._opened(one)),
            lambda why: soon(lambda: self._ended(one, why)),
        )
        one.start()
        return one

    def _opened(self, connection: Connection) -> None:
        host = self.market.host
        now = host.clock.now()
        if connection is self.connection:
            self.up, self._since = True, now
            self.opened += 1
            for stream in self.streams:
                stream.hear(now)
            self._tell("connected", now)
            host.at(now + self.market.renew_ns, lambda: self._renew(connection))
        elif connection is self.next:
            self.opened += 1
            host.at(now + OVERLAP_NS, lambda: self._take_over(connection))

    def _renew(self, old: Connection) -> None:
        if self.connection is old and self.up and self.next is None and not self.market.closed:
            self.next = self._made()

    def _take_over(self, connection: Connection) -> None:
        if connection is not self.next:
            return
        old, self.connection, self.next = self.connection, connection, None
        now = self.market.host.clock.now()
        self._since = now
        self.market.host.at(now + self.market.renew_ns, lambda: self._renew(connection))
        if old is not None:
            old.close("its successor runs")

    def _ended(self, connection: Connection, why: str) -> None:
        host = self.market.host
        now = host.clock.now()
        if connection is self.next:
            self.next = None
            if self.connection is not None and not self.market.closed:
                current = self.connection
                host.at(now + WAITS_NS[-1], lambda: self._renew(current))
            return
        if connection is not self.connection or self.market.closed:
            return
        self.failed += 1
        self._tries = 0 if self.up and now - self._since > STEADY_NS else self._tries + 1
        wait = WAITS_NS[min(self._tries, len(WAITS_NS)) - 1] if self._tries else 0
        host.news(1, f"the market's connection {self.line.route} ended", f"{why}; again in {wait / SECOND:g} s")
        if self.next is not None:  # it was about to take over: with an overlap cut short the books must begin anew
            self.next.close("its predecessor ended early")
            self.next = None
        self.connection = None
        if self.up:
            self.up = False
            self._tell("lost", now)
        host.at(now + wait, self.open)

    def _tell(self, verb: str, now: int) -> None:
        for node, symbol in self.books:
            self.market.hand(node, Command(symbol, now, now, now, verb=verb))
