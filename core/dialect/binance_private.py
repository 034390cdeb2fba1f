"""Binance USDⓈ-M's private stream in this house's words: what its frames say of our orders and of the account.

1. An execution's id is made of the venue's symbol and trade id, so that learnt from the stream or from the list of executions it
   is the same execution. Other reports are named by order, kind and time.
2. Forced orders (liquidation, auto-deleveraging, settlement) are reported like any other, under ids that we never gave. The
   venue calls their fills CALCULATED: with a quantity it is a trade.
3. An amendment keeps the order's client id; which of our requests it answers is for the session to say, so it is Restated here.
4. A frame about an instrument that is not loaded is not dropped: it comes back as `Unplaced`, to be parsed again when it is.
5. TRADE_LITE is a hint that comes early and knows neither fee nor status; nothing is booked by it.

Unknown fields are ignored and unknown events counted by their name, because the venue adds both without notice. Whatever is not a
frame raises WireError and nothing else. Checked on the documented examples of October 2026.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec
from msgspec import Struct

from core.codec import FRAME_BYTES_MAX, WireError
from core.instrument import Instrument
from core.message import ExecType, ExecutionReport, Liquidity, OrdStatus, OrdType, TimeInForce
from core.price import BUY, E8, SELL

MS: Final = 1_000_000


class Hint(Struct, frozen=True):
    """A fill is coming: its execution id, and the client id of its order."""

    exec_id: str
    cl_ord_id: str


class Balance(Struct, frozen=True):
    """One currency's wallet after a change, in 1e-8."""

    asset: str
    wallet_e8: int
    changed_e8: int


class Position(Struct, frozen=True):
    """One position after a change, as the venue writes it: `qty` in base currency, signed; `side` BOTH, LONG or SHORT."""

    symbol: str
    qty: Decimal
    side: str


class AccountUpdate(Struct, frozen=True):
    """What changed in the account and why (ORDER, FUNDING_FEE, ...)."""

    transact_time: int
    reason: str
    balances: tuple[Balance, ...]
    positions: tuple[Position, ...]


class AlgoUpdate(Struct, frozen=True):
    """A conditional order's state; `order_id` names the plain order that it became, "" before."""

    transact_time: int
    symbol: str
    client_algo_id: str
    algo_id: int
    status: str
    order_id: str


class Notice(Struct, frozen=True):
    """Any other event by its name: listenKeyExpired, MARGIN_CALL, ACCOUNT_CONFIG_UPDATE, ..."""

    event: str
    transact_time: int


class Unplaced(Struct, frozen=True):
    """A frame about an instrument that is not loaded yet."""

    symbol: str
    frame: bytes


Private = ExecutionReport | Hint | AccountUpdate | AlgoUpdate | Notice | Unplaced


class _Order(Struct):
    s: str
    S: str
    c: str = ""
    o: str = ""
    f: str = ""
    q: str = "0"
    p: str = "0"
    x: str = ""
    X: str = ""
    i: int = 0
    l: str = "0"
    z: str = "0"
    L: str = "0"
    n: str | None = None
    T: int = 0
    t: int = 0
    m: bool = False


class _Algo(Struct):
    s: str
    X: str
    caid: str = ""
    aid: int = 0
    ai: str = ""


class _Wallet(Struct):
    a: str
    wb: str
    bc: str = "0"


class _Held(Struct):
    s: str
    pa: str
    ps: str = "BOTH"


class _Account(Struct):
    m: str = ""
    B: list[_Wallet] = []
    P: list[_Held] = []


class _Event(Struct):
    e: str = ""
    E: int = 0
    T: int = 0
    o: msgspec.Raw = msgspec.Raw()
    a: msgspec.Raw = msgspec.Raw()
    s: str = ""
    c: str = ""
    t: int = 0
    data: msgspec.Raw = msgspec.Raw()


_event = msgspec.json.Decoder(_Event)
_order = msgspec.json.Decoder(_Order)
_algo = msgspec.json.Decoder(_Algo)
_account = msgspec.json.Decoder(_Account)

_NUMBER: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
_KINDS: Final = {
    "NEW": ExecType.NEW,
    "CANCELED": ExecType.CANCELED,
    "EXPIRED": ExecType.EXPIRED,
    "REJECTED": ExecType.REJECTED,
    "TRADE": ExecType.TRADE,
    "AMENDMENT": ExecType.RESTATED,
    "CALCULATED": ExecType.CALCULATED,
}
_STATES: Final = {
    "NEW": OrdStatus.NEW,
    "PARTIALLY_FILLED": OrdStatus.PARTIALLY_FILLED,
    "FILLED": OrdStatus.FILLED,
    "CANCELED": OrdStatus.CANCELED,
    "REJECTED": OrdStatus.REJECTED,
    "EXPIRED": OrdStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrdStatus.EXPIRED,
    "NEW_INSURANCE": OrdStatus.CALCULATED,
    "NEW_ADL": OrdStatus.CALCULATED,
}
_ENDED: Final = (OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.REJECTED, OrdStatus.EXPIRED)
_TIMES: Final = {"IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK, "GTX": TimeInForce.GTX, "RPI": TimeInForce.GTX}


def parse_private(frame: bytes, received: int, instruments: Mapping[str, Instrument]) -> Private:
    """What a frame of the private stream says; `received` in ns UTC, instruments by symbol.

    Raises WireError for anything else.
    """
    if len(frame) > FRAME_BYTES_MAX:
        raise WireError(f"{len(frame)} bytes are more than a frame of the private stream has")
    try:
        event = _event.decode(frame)
        if event.data:
            event = _event.decode(event.data)
        return _read(event, bytes(frame), received, instruments)
    except (ValueError, InvalidOperation, OverflowError, RecursionError, KeyError) as error:
        raise WireError(f"not a frame of the private stream: {error}") from error


def _read(event: _Event, frame: bytes, received: int, instruments: Mapping[str, Instrument]) -> Private:
    time = (event.T or event.E) * MS
    if event.e == "ORDER_TRADE_UPDATE":
        order = _order.decode(event.o)
        instrument = instruments.get(order.s)
        return _report(order, instrument, time, received) if instrument else Unplaced(order.s, frame)
    if event.e == "TRADE_LITE":
        return Hint(_exec_id(event.s, event.t), event.c)
    if event.e == "ACCOUNT_UPDATE":
        return _changed(_account.decode(event.a), time)
    if event.e == "ALGO_UPDATE":
        algo = _algo.decode(event.o)
        return AlgoUpdate(time, algo.s, algo.caid, algo.aid, algo.X, algo.ai)
    if not event.e:
        raise WireError("it has no event type")
    return Notice(event.e, time)


def _report(order: _Order, instrument: Instrument, time: int, received: int) -> ExecutionReport:
    last = instrument.lots(_plain(order.l))
    kind = _KINDS[order.x]
    if kind == ExecType.CALCULATED and last:
        kind = ExecType.TRADE
    trade = kind == ExecType.TRADE
    qty, cum, status = instrument.lots(_plain(order.q)), instrument.lots(_plain(order.z)), _STATES[order.X]
    return ExecutionReport(
        symbol=order.s,
        transact_time=(order.T * MS) or time,
        received=received,
        order_id=str(order.i),
        cl_ord_id=order.c,
        exec_id=_exec_id(order.s, order.t) if trade else f"{order.i}-{order.x}-{order.T}",
        exec_type=kind,
        ord_status=status,
        side=_SIDES[order.S],
        ord_type=OrdType.MARKET if order.o == "MARKET" else OrdType.LIMIT,
        time_in_force=_TIMES.get(order.f, TimeInForce.GTC),
        price=instrument.ticks(_plain(order.p)),
        order_qty=qty,
        cum_qty=cum,
        leaves_qty=0 if status in _ENDED else max(qty - cum, 0),
        last_qty=last,
        last_px=instrument.ticks(_plain(order.L)) if trade else 0,
        last_liquidity_ind=Liquidity.MAKER if order.m else Liquidity.TAKER,
        commission_e8=_e8(order.n or "0"),
    )


_SIDES: Final = {"BUY": BUY, "SELL": SELL}


def _exec_id(symbol: str, trade_id: int) -> str:
    return f"{symbol}-{trade_id}"


def _plain(text: str) -> str:
    """A number as the venue writes them; "1e999999999" is one to a decimal, and would fill the memory as an integer."""
    if _NUMBER.fullmatch(text) is None:
        raise WireError(f"{text[:40]!r} is not a plain number")
    return text


def _e8(text: str) -> int:
    return int(Decimal(_plain(text)) * E8)


def _changed(account: _Account, time: int) -> AccountUpdate:
    balances = tuple(Balance(one.a, _e8(one.wb), _e8(one.bc)) for one in account.B)
    positions = tuple(Position(one.s, Decimal(_plain(one.pa)), one.ps) for one in account.P)
    return AccountUpdate(time, account.m, balances, positions)
