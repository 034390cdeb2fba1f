"""Binance USDⓈ-M's private stream in this house's words: what its frames say of our orders and of the account.

1. An execution's id is made of the venue's symbol and trade id, so that learnt from the stream or from the list of executions it
   is the same execution. (One without a trade id is named by its order and how much was executed with it.) Other reports are
   named by order, kind, time and terms: two amendments may happen in one millisecond.
2. Forced orders (liquidation, auto-deleveraging, settlement) are reported like any other, under ids that we never gave. The
   venue calls their fills CALCULATED: with a quantity it is a trade.
3. An amendment keeps the order's client id; which of our requests it answers is for the session to say, so it is Restated here.
4. A frame about an instrument that is not loaded is not dropped: it comes back as `Unplaced`, to be parsed again when it is.
   So does one that cannot be said in our words without a loss: a quantity between two lots, a side or a kind that nobody knows.
5. TRADE_LITE is a hint that comes early and knows neither fee nor status; nothing is booked by it.
6. A forced fill may lie between two ticks. It is booked at the nearest tick, and what that makes wrong, to 1e-8 of the currency,
   is booked with its fee: position and cash are the venue's, the average price is within half a tick. The report's text says so.
7. A fee in another currency than the instrument settles in (BNB) is not booked as if it were in that one: it is 0 in the report,
   and the report's text says what was paid; `fee_aside` reads it.
8. A status that is not known follows from the quantities; a type or time in force that is not known changes nothing.

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
from core.price import BUY, E8, SELL, GridError, Side, sign

MS: Final = 1_000_000
MOST: Final = 2**62
"""No number of a report is larger: what is summed of several still has room."""


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
    """A frame about an instrument that is not loaded yet, or, if there is a `reason`, one that our words cannot say."""

    symbol: str
    frame: bytes
    reason: str = ""


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
    N: str | None = None
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

_NUMBER: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{0,20})?", re.ASCII)
KINDS: Final = {
    "NEW": ExecType.NEW,
    "CANCELED": ExecType.CANCELED,
    "EXPIRED": ExecType.EXPIRED,
    "REJECTED": ExecType.REJECTED,
    "TRADE": ExecType.TRADE,
    "AMENDMENT": ExecType.RESTATED,
    "CALCULATED": ExecType.CALCULATED,
}
STATES: Final = {
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
ENDED: Final = (OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.REJECTED, OrdStatus.EXPIRED)
TIMES: Final = {"IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK, "GTX": TimeInForce.GTX, "RPI": TimeInForce.GTX}


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
        if instrument is None:
            return Unplaced(order.s, frame)
        reason = _unsayable(order, instrument)
        return Unplaced(order.s, frame, reason) if reason else fits(_report(order, instrument, time, received))
    if event.e == "TRADE_LITE":
        return Hint(trade_id(event.s, event.t), event.c)
    if event.e == "ACCOUNT_UPDATE":
        return _changed(_account.decode(event.a), time)
    if event.e == "ALGO_UPDATE":
        algo = _algo.decode(event.o)
        return AlgoUpdate(time, algo.s, algo.caid, algo.aid, algo.X, algo.ai)
    if not event.e:
        raise WireError("it has no event type")
    return Notice(event.e, time)


def _unsayable(order: _Order, instrument: Instrument) -> str:
    """Why a report cannot be said in our words, or ""."""
    if order.S not in SIDES:
        return f"a side {order.S[:20]!r} is not known"
    try:
        last = instrument.lots(plain(order.l))
    except GridError as error:
        return str(error)
    return "" if last or order.x in KINDS else f"a kind {order.x[:20]!r} is not known"


def _report(order: _Order, instrument: Instrument, time: int, received: int) -> ExecutionReport:
    last = instrument.lots(plain(order.l))
    kind = KINDS.get(order.x, ExecType.TRADE)
    if kind == ExecType.CALCULATED and last:
        kind = ExecType.TRADE
    trade = kind == ExecType.TRADE
    qty, cum = instrument.lots(plain(order.q), "nearest"), instrument.lots(plain(order.z), "nearest")
    status = STATES.get(order.X) or standing(qty, cum)
    side = SIDES[order.S]
    px, off_e8, off_text = fill_price(instrument, side, order.L, last) if trade else (0, 0, "")
    fee_e8, fee_text = fee(instrument, order.n or "0", order.N or "")
    return ExecutionReport(
        symbol=order.s,
        transact_time=(order.T * MS) or time,
        received=received,
        order_id=str(order.i),
        cl_ord_id=order.c,
        exec_id=trade_id(order.s, order.t, f"{order.i}-{order.z}")
        if trade
        else f"{order.i}-{order.x}-{order.T}" + (f"-{order.q}-{order.p}" if kind == ExecType.RESTATED else ""),
        exec_type=kind,
        ord_status=status,
        side=side,
        ord_type=OrdType.MARKET if order.o == "MARKET" else OrdType.LIMIT,
        time_in_force=TIMES.get(order.f, TimeInForce.GTC),
        price=instrument.ticks(plain(order.p), "nearest"),
        order_qty=qty,
        cum_qty=cum,
        leaves_qty=0 if status in ENDED else max(qty - cum, 0),
        last_qty=last,
        last_px=px,
        last_liquidity_ind=Liquidity.MAKER if order.m else Liquidity.TAKER,
        commission_e8=fee_e8 + off_e8,
        text=off_text + fee_text,
    )


SIDES: Final[Mapping[str, Side]] = {"BUY": BUY, "SELL": SELL}
FEE_ASIDE: Final = re.compile(r"fee of (-?[0-9]+)e-8 ([A-Z0-9]+) aside")


def standing(qty: int, cum: int) -> OrdStatus:
    """The status that follows from an order's quantities alone."""
    if not cum:
        return OrdStatus.NEW
    return OrdStatus.FILLED if cum >= qty else OrdStatus.PARTIALLY_FILLED


def fill_price(instrument: Instrument, side: Side, price: str, lots: int) -> tuple[int, int, str]:
    """A fill's price in ticks; what must be added to its fee (1e-8) where that is not exactly it; and words about that."""
    exact = Decimal(plain(price))
    ticks = instrument.ticks(exact, "nearest")
    beside = exact - ticks * instrument.tick
    if not beside:
        return ticks, 0, ""
    value = beside * lots * instrument.lot * Decimal(instrument.contract_value)
    return ticks, round(sign(side) * value * E8), f"executed at {price}, between two ticks; "


def fee(instrument: Instrument, amount: str, asset: str) -> tuple[int, str]:
    """A fee in 1e-8 of the settlement currency and "", or 0 and words that say what was paid in another currency."""
    fee_e8 = e8(amount)
    if not fee_e8 or not asset or asset == instrument.settles_in:
        return fee_e8, ""
    return 0, f"fee of {fee_e8}e-8 {re.sub('[^A-Z0-9]', '', asset)[:12] or 'UNKNOWN'} aside; "


def fee_aside(report: ExecutionReport) -> tuple[str, int] | None:
    """Currency and amount (1e-8 of it) of a fee that is not in the report's own amount."""
    found = FEE_ASIDE.search(report.text)
    return (found[2], int(found[1])) if found else None


def trade_id(symbol: str, number: int, otherwise: str = "") -> str:
    """The execution id of a trade number; `otherwise` names an execution that has none."""
    return f"{symbol}-{number}" if number or not otherwise else f"{symbol}-of-{otherwise}"


def fits(report: ExecutionReport) -> ExecutionReport:
    """The report, if its numbers are ones that a message may carry. Raises WireError otherwise."""
    numbers = (report.transact_time, report.price, report.order_qty, report.cum_qty, report.last_qty, report.last_px)
    if any(not 0 <= one < MOST for one in numbers) or abs(report.commission_e8) >= MOST:
        raise WireError("a number that no order has")
    return report


def plain(text: str) -> str:
    """A number as the venue writes them; "1e999999999" is one to a decimal, and would fill the memory as an integer."""
    if _NUMBER.fullmatch(text) is None:
        raise WireError(f"{text[:40]!r} is not a plain number")
    return text


def e8(text: str) -> int:
    """An amount in 1e-8; digits beyond the eighth are cut off."""
    return int(Decimal(plain(text)) * E8)


def _changed(account: _Account, time: int) -> AccountUpdate:
    balances = tuple(Balance(one.a, e8(one.wb), e8(one.bc)) for one in account.B)
    positions = tuple(Position(one.s, Decimal(plain(one.pa)), one.ps) for one in account.P)
    return AccountUpdate(time, account.m, balances, positions)
