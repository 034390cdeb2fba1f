"""Binance's words for market data, spot and USDⓈ-M: what a frame is, what its fields mean, what its sequence promises.

The two venues write nearly alike and differ where it hurts; the differences are the table `RULES`:

| | USDⓈ-M | spot |
|---|---|---|
| next depth event | `pu` equals the previous `u` | `U` equals the previous `u` + 1 |
| exchange time | T (transaction) of depth, trade and bookTicker | T of trades, E of depth, none in bookTicker and snapshot |
| market trades | those with X = "MARKET" (others: insurance fund, ...) | all |

In a mark price frame T is not a transaction time but the next funding time; its exchange time is E. A capture line whose
shape is known is parsed by `core.kernel.frames`; everything else comes here, to msgspec, and yields the same rows. Unknown
fields are ignored, unknown streams named and counted, and a line that is not a frame is damage. Checked on 2024-08-09.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct, field

from core.kernel import frames as f

USDM: Final = "binance_usdm"
SPOT: Final = "binance_spot"

_to_ns = f.to_ns.py_func  # type: ignore[attr-defined]


class Rules(NamedTuple):
    """What the store and the normalizer must know of a venue."""

    prev_id_linked: bool
    """True: a depth event continues one whose `u` is its `pu`. False: one whose `u` + 1 is its `U`."""
    maker_fee: float
    taker_fee: float
    depth_transaction_time: bool


RULES: Final = {
    USDM: Rules(True, 0.0002, 0.0005, True),
    SPOT: Rules(False, 0.001, 0.001, False),
}
VENUE_NAMES: Final = {f.USDM: USDM, f.SPOT: SPOT}

QUOTES: Final = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD1", "BTC", "ETH", "BNB", "EUR", "TRY", "BRL", "JPY", "USD")
"""Quote currencies by which a symbol is split into base and quote where no exchangeInfo is at hand."""

COIN_MARGINED: Final = b"2"
"""What `st` says in a frame of a COIN-M instrument; some streams carry both kinds since 2026-06-30."""

Side = list[tuple[str, str]]


class WrongShape(ValueError):
    """A line that is not a frame of any kind we know how to read; the text says why."""


class Aside(NamedTuple):
    """A frame that is whole but not market data for the store, and the reason under which it is counted."""

    reason: str


class _Event(Struct):
    """The union of the fields that any market frame may have; which of them must be there depends on `e`."""

    e: str = ""
    s: str = ""
    E: int = 0
    T: int = 0
    u: int = -1
    U: int = -1
    pu: int = -1
    t: int = -1
    a: msgspec.Raw = msgspec.Raw()
    A: str = ""
    b: msgspec.Raw = msgspec.Raw()
    B: str = ""
    p: str = ""
    q: str = ""
    i: str = ""
    r: str = ""
    m: bool | None = None
    M: bool | None = None
    st: msgspec.Raw = msgspec.Raw()
    X: str | None = None
    last_update_id: int = field(default=-1, name="lastUpdateId")
    bids: msgspec.Raw = msgspec.Raw()
    asks: msgspec.Raw = msgspec.Raw()


class _Frame(_Event):
    """A line's json: a combined-stream wrapper, or (then with the event's own fields) a raw frame or a REST snapshot."""

    stream: str = ""
    data: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()


class _Type(Struct):
    e: str = ""


_frame = msgspec.json.Decoder(_Frame)
_event = msgspec.json.Decoder(_Event)
_type = msgspec.json.Decoder(_Type)
_levels = msgspec.json.Decoder(Side)
_string = msgspec.json.Decoder(str)
_int = msgspec.json.Decoder(int)

_NUMBER = re.compile(r"([0-9]+)(?:\.([0-9]+))?", re.ASCII)

_EVENTS: Final = {
    "depthUpdate": f.DEPTH,
    "trade": f.TRADE,
    "aggTrade": f.AGG_TRADE,
    "bookTicker": f.BBO,
    "markPriceUpdate": f.MARK,
}
_STREAMS: Final = {"depth": "depthUpdate", "trade": "trade", "aggTrade": "aggTrade", "bookTicker": "bookTicker"}
_STREAMS_MARK: Final = "markPrice"


class Parsed(NamedTuple):
    """One frame as integers: the columns of `core.kernel.frames`, its symbol, its levels, and why it is set aside, if it is."""

    columns: list[int]
    symbol: str
    bids: list[tuple[int, int, int, int]]
    asks: list[tuple[int, int, int, int]]
    aside: str = ""
    texts: tuple[str, str] = ("", "")


def number(text: str) -> tuple[int, int]:
    """A decimal string as (significant digits, decimals among them). Raises WrongShape for anything but digits and a point."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise WrongShape(f"{text!r} is not a price or quantity")
    fraction = (match[2] or "").rstrip("0")
    value = int(match[1] + fraction)
    if value >= 1 << 62:
        raise WrongShape(f"{text} has more digits than can be kept")
    return value, len(fraction)


def e8(text: str) -> int:
    """A signed decimal string as whole 1e-8. Raises WrongShape."""
    value, decimals = number(text.removeprefix("-"))
    if decimals > 8:
        raise WrongShape(f"{text} is finer than 1e-8")
    value *= int(10 ** (8 - decimals))
    return -value if text.startswith("-") else value


def parse(line: bytes) -> Parsed | Aside:
    """One capture line, decoded by msgspec: the meaning that the byte parser must share.

    Raises WrongShape when the stamp, the json or a required field is damaged.
    """
    stamp, space, body = line.partition(b" ")
    if not space or not stamp.isdigit() or len(stamp) > 19:
        raise WrongShape("the line does not begin with a time stamp and a space")
    return parse_frame(_to_ns(int(stamp)), body)


def parse_frame(local_ns: int, body: bytes) -> Parsed | Aside:
    """One frame received at `local_ns`: a combined-stream wrapper, a raw event or a REST snapshot. Raises WrongShape."""
    try:
        frame = _frame.decode(body)
        if bytes(frame.data):
            return _wrapped(local_ns, frame.stream, frame.data)
        return _raw(local_ns, frame)
    except msgspec.MsgspecError as error:
        kind = _unknown(body)
        if kind:
            return Aside(kind)
        raise WrongShape(str(error)) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise WrongShape(str(error) or type(error).__name__) from error


def _unknown(body: bytes) -> str:
    """Why a whole frame that does not fit our fields may still be sound: it is an event of a kind we do not keep."""
    try:
        frame = msgspec.json.Decoder(_Wrapper).decode(body)
        event = _type.decode(frame.data).e if bytes(frame.data) else frame.e
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    known = event in _EVENTS or (not event and frame.stream.partition("@")[2] in _STREAMS)
    return "" if known or not (event or frame.stream) else f"stream {event or frame.stream.partition('@')[2]}"


class _Wrapper(Struct):
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw()
    e: str = ""


def _wrapped(local_ns: int, stream: str, data: msgspec.Raw) -> Parsed | Aside:
    name = stream.partition("@")[2]
    channel = name.partition("@")[0]
    if (channel.startswith("depth") and channel != "depth") or channel.startswith("rpiDepth"):
        return Aside(f"stream {channel}")  # partial or RPI books: not increments of the book we keep
    event = _event.decode(data)
    expected = "markPriceUpdate" if channel == _STREAMS_MARK else _STREAMS.get(channel, "")
    if not expected and event.e not in _EVENTS:
        return Aside(f"stream {event.e or channel or 'unnamed'}")
    if event.e and expected and event.e != expected:
        raise WrongShape(f"stream {stream} carries a {event.e}")
    return _parsed(local_ns, event, event.e or expected)


def _raw(local_ns: int, event: _Frame) -> Parsed | Aside:
    if event.e:
        if event.e not in _EVENTS:
            return Aside(f"stream {event.e}")
        return _parsed(local_ns, event, event.e)
    if event.last_update_id >= 0:
        return _parsed_book(local_ns, event, f.SNAPSHOT, event.bids, event.asks)
    if event.u >= 0 and event.A and event.B:
        return _parsed(local_ns, event, "bookTicker")
    if bytes(event.result):
        return Aside("reply to a subscription")
    raise WrongShape("neither an event nor a snapshot")


def _parsed(local_ns: int, event: _Event, kind: str) -> Parsed | Aside:
    if not event.s or len(event.s) >= f.SYMBOL_BYTES:
        raise WrongShape(f"{kind} without a symbol")
    if bytes(event.st) == COIN_MARGINED:
        return Aside("COIN-M instrument")
    return _READERS[kind](local_ns, event, _EVENTS[kind])


def _start(local_ns: int, event: _Event, kind: int, venue: int, identity: int) -> list[int]:
    t_ns, e_ns = (_to_ns(max(stamp, 0)) for stamp in (event.T, event.E))
    return [0, kind, -1, local_ns, t_ns, e_ns, venue, identity, 0, 0, 0, 0, 0]


def _parsed_depth(local_ns: int, event: _Event, kind: int) -> Parsed:
    return _parsed_book(local_ns, event, kind, event.b, event.a)


def _parsed_book(local_ns: int, event: _Event, kind: int, bids: msgspec.Raw, asks: msgspec.Raw) -> Parsed:
    snapshot = kind == f.SNAPSHOT
    if not bytes(bids) or not bytes(asks) or (not snapshot and (min(event.u, event.U) < 0 or event.E <= 0)):
        raise WrongShape("a depth frame without its levels, ids or time")
    linked = event.T > 0 if snapshot else event.pu >= 0
    identity = event.last_update_id if snapshot else event.u
    columns = _start(local_ns, event, kind, f.USDM if linked else f.SPOT, identity)
    sides = [[(*number(price), *number(qty)) for price, qty in _levels.decode(side)] for side in (bids, asks)]
    columns[f.FIRST_ID] = identity if snapshot else event.U
    columns[f.PREV_ID] = -1 if snapshot else event.pu
    columns[f.BIDS], columns[f.ASKS] = len(sides[0]), len(sides[1])
    return Parsed(columns, event.s, sides[0], sides[1])


def _parsed_trade(local_ns: int, event: _Event, kind: int) -> Parsed:
    identity = event.t if kind == f.TRADE else _int.decode(bytes(event.a) or b"-1")
    if identity < 0 or event.T <= 0 or event.m is None:
        raise WrongShape("a trade without its id, time or side")
    venue = f.USDM if event.X is not None or (kind == f.AGG_TRADE and event.M is None) else f.SPOT if event.M is not None else 0
    columns = _start(local_ns, event, kind, venue, identity)
    columns[f.PRICE], columns[f.PRICE_DECIMALS] = number(event.p)
    columns[f.QTY], columns[f.QTY_DECIMALS] = number(event.q)
    columns[f.MAKER] = int(event.m)
    aside = f"X={event.X}" if event.X is not None and event.X != "MARKET" else ""
    return Parsed(columns, event.s, [], [], aside, (event.p, event.q))


def _parsed_bbo(local_ns: int, event: _Event, kind: int) -> Parsed:
    if event.u < 0 or not bytes(event.b) or not bytes(event.a):
        raise WrongShape("a bookTicker without its id or prices")
    columns = _start(local_ns, event, kind, f.USDM if event.T > 0 or event.E > 0 else f.SPOT, event.u)
    texts = (_string.decode(event.b), event.B, _string.decode(event.a), event.A)
    for place, text in enumerate(texts):
        value, decimals = number(text)
        columns[f.BID + place] = value
        columns[f.DECIMALS] |= decimals << (8 * place)
    return Parsed(columns, event.s, [], [])


def _parsed_mark(local_ns: int, event: _Event, kind: int) -> Parsed:
    if event.E <= 0:
        raise WrongShape("a mark price without its time")
    columns = _start(local_ns, event, kind, f.USDM, 0)
    columns[f.NEXT_NS], columns[f.T] = columns[f.T], 0
    columns[f.MARK_E8], columns[f.INDEX_E8] = e8(event.p), e8(event.i or "0")
    columns[f.RATE_E8] = e8(event.r or "0")
    return Parsed(columns, event.s, [], [])


_READERS: Final = {
    "depthUpdate": _parsed_depth,
    "trade": _parsed_trade,
    "aggTrade": _parsed_trade,
    "bookTicker": _parsed_bbo,
    "markPriceUpdate": _parsed_mark,
}


def currencies(symbol: str) -> tuple[str, str]:
    """(base, quote) of a symbol by its ending; a delivery contract's date is not part of either."""
    name = symbol.partition("_")[0]
    for quote in QUOTES:
        if name.endswith(quote) and len(name) > len(quote):
            return name.removesuffix(quote), quote
    return name, ""
