"""What is asked of Binance for an instrument's market: streams and their connections, snapshots, and proofs of life.

A stream that has died says nothing, and so does a quiet market. Which of the two it is, the venue's REST side tells: `PROBES`
names for each kind of stream how long it may be silent, and what is asked then. Two answers that differ while the stream between
them said nothing prove that it is dead. A kind without a question comes by the clock: its silence is proof enough.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from core.dialect.binance.routes import Route, by_route

STREAMS: Final = ("depth@100ms", "aggTrade", "markPrice@1s")
"""What an instrument's normalizer lives on, unless the configuration names others (`depth@0ms`, `trade`)."""
STREAMS_MAX: Final = 200
"""Streams of a connection. The venue allows 1,024; their names have to fit a request line of 8 kB, which 200 do."""
SNAPSHOT_LEVELS: Final = 1000
SNAPSHOT_WEIGHT: Final = 20
SECOND: Final = 1_000_000_000


class Question(NamedTuple):
    """A GET without a signature, and its weight."""

    path: str
    weight: int


class Probe(NamedTuple):
    """How long a kind of stream may be silent, what is asked then ("" nothing), which fields of the answer tell, its weight."""

    silent_ns: int
    path: str = ""
    fields: tuple[str, ...] = ()
    weight: int = 0


PROBES: Final = {
    "depth": Probe(5 * SECOND, "/fapi/v1/ticker/bookTicker?symbol={symbol}", ("bidPrice", "bidQty", "askPrice", "askQty"), 2),
    "bookTicker": Probe(
        5 * SECOND, "/fapi/v1/ticker/bookTicker?symbol={symbol}", ("bidPrice", "bidQty", "askPrice", "askQty"), 2
    ),
    "trade": Probe(60 * SECOND, "/fapi/v1/aggTrades?symbol={symbol}&limit=1", ("a",), 20),
    "aggTrade": Probe(60 * SECOND, "/fapi/v1/aggTrades?symbol={symbol}&limit=1", ("a",), 20),
    "markPrice": Probe(15 * SECOND),
}


class Line(NamedTuple):
    """One connection: its route and the streams that it carries."""

    route: Route
    streams: tuple[str, ...]

    @property
    def path(self) -> str:
        """The path and query under the venue's stream host."""
        return f"{self.route}/stream?streams={'/'.join(self.streams)}"


class _Quote(Struct):
    bidPrice: str = ""
    bidQty: str = ""
    askPrice: str = ""
    askQty: str = ""
    a: int = -1


_one = msgspec.json.Decoder(_Quote)
_list = msgspec.json.Decoder(list[_Quote])


def lines(symbols: Iterable[str], kinds: Iterable[str] = STREAMS) -> list[Line]:
    """The connections that carry these kinds of streams of these instruments. Raises ValueError for a kind on no route."""
    names = [f"{symbol.lower()}@{kind}" for kind in kinds for symbol in symbols]
    found = []
    for route, streams in by_route(names).items():
        found += [Line(route, streams[start : start + STREAMS_MAX]) for start in range(0, len(streams), STREAMS_MAX)]
    return found


def kind_of(stream: str) -> str:
    """The kind of a stream: `depth` of `btcusdt@depth@100ms`."""
    return stream.split("@")[1]


def snapshot(symbol: str) -> Question:
    """The whole book."""
    return Question(f"/fapi/v1/depth?symbol={symbol}&limit={SNAPSHOT_LEVELS}", SNAPSHOT_WEIGHT)


def probe(stream: str, symbol: str) -> Question | None:
    """What to ask about a silent stream; None where silence is proof enough."""
    wanted = PROBES[kind_of(stream)]
    return Question(wanted.path.format(symbol=symbol), wanted.weight) if wanted.path else None


def sign_of_life(stream: str, body: bytes) -> tuple[object, ...] | None:
    """What of an answer to `probe` changes when the market moves; None for an answer that is none."""
    try:
        quote = _list.decode(body)[-1] if body.lstrip().startswith(b"[") else _one.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, IndexError):
        return None
    return tuple(getattr(quote, name) for name in PROBES[kind_of(stream)].fields)
