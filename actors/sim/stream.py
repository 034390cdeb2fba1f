"""The venue's market streams as bytes, on a bad road: what a normalizer has to make a book of.

From the rows of a prepared day come depth events with the venue's numbering, trades and, when asked for, snapshots, in the
venue's own JSON. The road loses, doubles, delays and damages frames, falls silent while it seems healthy, and breaks. Two
rules make it fair: damage never yields another valid frame (a web socket over TLS vouches for that), and `books` keeps what
the book really was at each update, so that an onlooker can tell whether what a strategy saw was true.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from msgspec import Struct, json

from actors.history.prepared import PreparedDay
from actors.sim.chance import Chance
from actors.sim.heap import ARRIVAL, Heap
from actors.sim.host import Seat
from actors.sim.storm import StormPlace
from core.instrument import Instrument
from core.kernel.layout import ASK, BID, BUY
from core.message import Command, Levels, Message

MS: Final = 1_000_000
SILENT_NS: Final = 3_000 * MS
"""Whoever holds the connection takes it for broken when nothing came for so long, and opens another."""
RECONNECT_NS: Final = 500 * MS
MARK_NS: Final = 1_000 * MS
FUNDING_MS: Final = 4_102_444_800_000
"""Settled in 2100: no run sees it."""
Book = tuple[dict[int, int], dict[int, int]]


class StreamFaults(Struct, frozen=True):
    """How likely each fault is, a frame; of `snapshot_lost`, a question."""

    frame_dropped: float = 0.0
    frame_doubled: float = 0.0
    frame_late: float = 0.0
    """By up to half a second, so that it is overtaken."""
    frame_malformed: float = 0.0
    stream_silent: float = 0.0
    """For up to 5 s nothing comes of a connection that seems whole."""
    stream_broken: float = 0.0
    snapshot_lost: float = 0.0


class Stream:
    """One instrument's streams into one place, and the truth about its book."""

    beside = True

    def __init__(
        self,
        heap: Heap,
        day: PreparedDay,
        instrument: Instrument,
        seat: Seat,
        latency_ns: int,
        faults: StreamFaults,
        chance: Chance,
    ) -> None:
        self._heap, self.instrument, self.seat, self.latency_ns = heap, instrument, seat, latency_ns
        self.faults, self.chance = faults, chance
        self._events = _events(day)
        self._place = 0
        self.book: Book = ({}, {})
        self.books: dict[int, tuple[Levels, Levels]] = {}
        """Best levels by update id."""
        self.traded = 0
        """Lots traded so far, as the exchange knows them."""
        self._id = 1_000
        self._trade_id = 0
        self._next_mark = 0
        self._apart = 0
        """No frame passes before this."""
        self._last_arrival = 0
        self._last_heard = heap.clock.time
        self._opens = 0
        self._plan()
        heap.push(heap.clock.time + SILENT_NS, ARRIVAL, _Watchdog(self), None)

    def _plan(self) -> None:
        if self._place < len(self._events) and self._events[self._place][0] < self._heap.end:
            self._heap.push(max(self._events[self._place][0], self._heap.clock.time), ARRIVAL, self, None)

    def arrive(self, now: int, message: Message | None) -> None:
        """Something happened at the exchange, or a normalizer asks for a snapshot."""
        if isinstance(message, Command):
            self._snapshot(now)
            return
        at, depth, trades = self._events[self._place]
        self._place += 1
        if depth:
            self._send(now, self._depth(at, depth))
        if at >= self._next_mark and all(self.book):
            self._next_mark = at + MARK_NS
            self._send(now, self._mark(at))
        for side, price, lots in trades:
            self._send(now, self._trade(at, side, price, lots))
        self._plan()

    # --- frames

    def _level(self, price: int, lots: int) -> tuple[str, str]:
        return self.instrument.price_text(price), self.instrument.qty_text(lots)

    def _depth(self, at: int, rows: Sequence[tuple[int, int, int]]) -> bytes:
        before, self._id = self._id, self._id + 2 * len(rows)
        sides: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
        for kind, price, lots in rows:
            side = 0 if kind == BID else 1
            sides[side].append(self._level(price, lots))
            if lots:
                self.book[side][price] = lots
            else:
                self.book[side].pop(price, None)
        bids, asks = (tuple(sorted(side.items(), reverse=not place)) for place, side in enumerate(self.book))
        self.books[self._id] = bids, asks
        return json.encode({
            "e": "depthUpdate", "E": at // MS, "T": at // MS, "s": self.instrument.symbol,
            "U": before + 1, "u": self._id, "pu": before, "b": sides[0], "a": sides[1],
        })  # fmt: skip

    def _trade(self, at: int, side: int, price: int, lots: int) -> bytes:
        self._trade_id += 1
        self.traded += lots
        price_text, qty_text = self._level(price, lots)
        return json.encode({
            "e": "aggTrade", "E": at // MS, "a": self._trade_id, "s": self.instrument.symbol, "p": price_text, "q": qty_text,
            "f": self._trade_id, "l": self._trade_id, "T": at // MS, "m": side != BUY,
        })  # fmt: skip

    def _mark(self, at: int) -> bytes:
        price = self.instrument.price_text(max(self.book[0]))
        return json.encode({
            "e": "markPriceUpdate", "E": at // MS, "s": self.instrument.symbol, "p": price, "i": price, "P": price,
            "r": "0.00010000", "T": FUNDING_MS,
        })  # fmt: skip

    def _snapshot(self, now: int) -> None:
        chance = self.chance
        if now < self._opens or chance.strikes("snapshot_lost", self.faults.snapshot_lost):
            return
        sides = [[self._level(*level) for level in self.book[place].items()] for place in (0, 1)]
        frame = json.encode({"lastUpdateId": self._id, "E": now // MS, "T": now // MS, "bids": sides[0], "asks": sides[1]})
        self._heap.push(now + chance.random.randrange(10 * MS, 300 * MS), ARRIVAL, _Frame(self, frame, 0), None)

    # --- the road

    def _send(self, now: int, frame: bytes) -> None:
        chance, faults = self.chance, self.faults
        if chance.strikes("stream_broken", faults.stream_broken):
            self.cut(now + chance.random.randrange(5_000 * MS))
        if chance.strikes("stream_silent", faults.stream_silent):
            self._apart = now + chance.random.randrange(5_000 * MS)
        if now < self._opens or now < self._apart or chance.strikes("frame_dropped", faults.frame_dropped):
            return
        if chance.strikes("frame_malformed", faults.frame_malformed):
            frame = _damaged(frame, chance)
        self._last_arrival = at = max(self._last_arrival, now + self.latency_ns)
        if chance.strikes("frame_late", faults.frame_late):
            at += chance.random.randrange(500 * MS)
        self._bring(at, frame)
        if chance.strikes("frame_doubled", faults.frame_doubled):
            self._bring(at + chance.random.randrange(500 * MS), frame)

    def _bring(self, at: int, frame: bytes) -> None:
        self._heap.push(at, ARRIVAL, _Frame(self, frame, self._opens), None)

    def cut(self, until: int) -> None:
        """The connection breaks: what is under way is lost, and nothing comes before the next one is open.

        Whoever holds it sees both, and says so to the normalizer.
        """
        now = self._heap.clock.time
        self._opens = until + RECONNECT_NS
        for at, verb in ((now, "lost"), (self._opens, "connected")):
            self._heap.push(at, ARRIVAL, self.seat, Command(self.instrument.symbol, verb=verb))

    def bring(self, now: int, frame: bytes, opened: int) -> None:
        """Bytes have come, unless by a connection that is gone; the answer to a question comes by another (`opened` 0)."""
        if opened not in (0, self._opens):
            return
        self._last_heard = now
        place = self.seat.place
        assert isinstance(place, StormPlace)
        place.bring_frame(now, self.seat, frame)

    def look(self, now: int) -> None:
        """Whether the stream is taken for dead."""
        if now - self._last_heard >= SILENT_NS and now >= self._opens:
            self.chance.fired["stream_given_up"] += 1
            self._last_heard = now
            self._apart = 0
            self.cut(now)


class _Frame:
    """Bytes on their way by the connection that was opened then."""

    beside = True

    def __init__(self, stream: Stream, frame: bytes, opened: int) -> None:
        self.stream, self.frame, self.opened = stream, frame, opened

    def arrive(self, now: int, message: Message | None) -> None:
        self.stream.bring(now, self.frame, self.opened)


class _Watchdog:
    """Looks at the stream every second."""

    beside = True

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def arrive(self, now: int, message: Message | None) -> None:
        self.stream.look(now)
        heap = self.stream._heap
        if now + 1_000 * MS < heap.end:
            heap.push(now + 1_000 * MS, ARRIVAL, self, None)


def _events(day: PreparedDay) -> list[tuple[int, list[tuple[int, int, int]], list[tuple[int, int, int]]]]:
    """What happened at the exchange at each time: changes of the book, then trades."""
    exch = day.exch
    rows = zip(exch.ns.tolist(), exch.kind.tolist(), exch.tick.tolist(), exch.lots.tolist(), strict=True)
    found = []
    for at, group in groupby(rows, key=lambda row: row[0]):
        mine = [row[1:] for row in group]
        found.append((at, [row for row in mine if row[0] in (BID, ASK)], [row for row in mine if row[0] not in (BID, ASK)]))
    return found


def _damaged(frame: bytes, chance: Chance) -> bytes:
    """Bytes that are no frame."""
    random = chance.random
    cut = random.randrange(len(frame))
    return random.choice(
        (frame[:cut], frame[cut:], frame[:cut] + bytes([random.randrange(128, 256)]) + frame[cut:], b"", b"[" * 200)
    )
