"""The market's road into a host: connections to the venue's streams, kept up, watched, and recorded.

A connection's thread does nothing but take frames from the socket, see by their first bytes which instrument's normalizer they
are for, and put them down for the loop. Everything else (opening again, the watchdogs, snapshots) happens on the loop's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from actors.live.fetching import Around, Fetching
from actors.live.recording import Recording
from actors.live.road import RENEW_NS, Road
from actors.live.watch import Stream
from actors.wiring import normalizer_of
from core.dialect.binance.feed import lines, snapshot
from core.dialect.binance.hosts import VenueTable
from core.instrument import Instrument
from core.message import Command, Message

LOOK_NS: Final = 1_000_000_000
STREAM_START: Final = len(b'{"stream":"')


Deliver = Callable[[str, int, bytes], None]
"""Puts a frame down for a node, from any thread: (node, received ns UTC, frame)."""
Hand = Callable[[str, Message], None]
"""Puts a message before a node, on the loop's thread."""


class Loop(Protocol):
    """Where frames are put down."""

    def frame(self, node: str, received: int, frame: bytes) -> None:
        """A frame of the market for a normalizer."""


class Host(Around, Protocol):
    """What the market needs of its host."""

    @property
    def loop(self) -> Loop: ...

    def hand(self, node: str, message: Message) -> None:
        """Put a message before a node."""

    def news(self, urgency: int, headline: str, text: str = "") -> None:
        """A word to the operator."""


class Market:
    """The streams of some instruments, of the kinds that `venue.streams` names, for their normalizers.

    With a `recording` all that came is kept. `deliver` and `hand`, where the normalizers are not nodes of the host: who takes
    frames (on any thread) and the words "lost" and "connected". `renew_ns`: how old a connection grows.
    """

    def __init__(
        self,
        host: Host,
        venue: VenueTable,
        instruments: Sequence[Instrument],
        recording: Recording | None = None,
        deliver: Deliver | None = None,
        hand: Hand | None = None,
        renew_ns: int = RENEW_NS,
    ) -> None:
        self.host, self.recording, self.renew_ns = host, recording, renew_ns
        self.deliver: Deliver = deliver or host.loop.frame
        self.hand: Hand = hand or host.hand
        self.fetching = Fetching(host, venue.hosts.rest)
        symbols = [one.symbol for one in instruments]
        self.streams: dict[bytes, Stream] = {}
        for symbol in symbols:
            for kind in venue.streams:
                name = f"{symbol.lower()}@{kind}"
                self.streams[name.encode()] = Stream(name, symbol, normalizer_of(symbol))
        self.roads = [Road(self, line, f"{venue.hosts.stream}{line.path}") for line in lines(symbols, venue.streams)]
        self.snapshots = self.foreign = 0
        self.closed = False

    def start(self) -> None:
        """Open everything."""
        if self.recording is not None:
            self.recording.start(
                lambda why: self.host.soon(lambda: self.host.news(2, "the market is not recorded any more", why))
            )
        for road in self.roads:
            road.open()
        self.host.at(self.host.clock.now() + LOOK_NS, self._look)

    def submit(self, now: int, message: Message) -> None:
        """Take a normalizer's Command "snapshot"."""
        if isinstance(message, Command) and message.verb == "snapshot" and not self.closed:
            symbol = message.symbol
            if self.fetching.ask(f"snapshot {symbol}", snapshot(symbol), lambda body: self._snapped(symbol, body)):
                self.host.news(0, f"a snapshot of {symbol} is asked for")

    def status(self) -> dict[str, Any]:
        """What an operator wants to know."""
        return {
            "connections": [road.status() for road in self.roads],
            "frames": {one.name: one.frames for one in self.streams.values()},
            "foreign": self.foreign,
            "snapshots": self.snapshots,
            "questions": {"asked": self.fetching.asked, "failed": self.fetching.failures, "trouble": self.fetching.trouble},
            "recording": {"frames": self.recording.frames, "failed": self.recording.failed} if self.recording else {},
        }

    def close(self) -> None:
        """End everything, and write what was recorded."""
        self.closed = True
        self.fetching.close()
        for road in self.roads:
            road.close()
        if self.recording is not None:
            self.recording.close()

    # --- the connections' threads

    def take(self, frame: bytes) -> None:
        """A frame came. Its stream's name stands in front; what has none (a reply) is nobody's."""
        received = self.host.clock.now()
        stream = self.streams.get(frame[STREAM_START : frame.find(b'"', STREAM_START)])
        if stream is None:
            self.foreign += 1
            return
        stream.last = received
        stream.frames += 1
        self.deliver(stream.node, received, frame)
        if self.recording is not None:
            self.recording.take(stream.symbol, received, frame)

    # --- the loop's thread

    def _snapped(self, symbol: str, body: bytes) -> None:
        if not body:
            self.host.news(1, f"no snapshot of {symbol}", self.fetching.trouble)
            return
        received = self.host.clock.now()
        self.snapshots += 1
        self.deliver(normalizer_of(symbol), received, body)
        if self.recording is not None:
            self.recording.take(symbol, received, body)

    def _look(self) -> None:
        if self.closed:
            return
        now = self.host.clock.now()
        for road in self.roads:
            road.look(now)
        self.host.at(now + LOOK_NS, self._look)
