"""Answers of Binance USDⓈ-M's REST and WebSocket APIs in this house's words.

Here: orders, executions, refusals; the account and what else a session begins with are in `account.py`. An order's state
comes as an ExecutionReport with ExecType I; an execution from the list of executions under the same id that the private stream
gives it (`private.py`, rules 1, 6 and 7). The list names the order by the venue's number alone: whose client id that is,
the session says.

Every answer is bounded in size, decoded into a type, and raises WireError, and nothing else, where it is not what was asked for.
Unknown fields are ignored. Shapes as documented in October 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import InvalidOperation
from functools import wraps
from typing import Final, ParamSpec, TypeVar

import msgspec
from msgspec import Struct

from core.codec import WireError
from core.dialect.binance.private import (
    ENDED,
    MS,
    SIDES,
    STATES,
    TIMES,
    fee,
    fill_price,
    fits,
    plain,
    standing,
    trade_id,
)
from core.instrument import Instrument
from core.message import ExecType, ExecutionReport, Liquidity, OrdStatus, OrdType, TimeInForce

BYTES_MAX: Final = 8 << 20
"""A thousand executions have 400 kB; all positions of a large account 1 MB."""


class Answer(Struct, frozen=True):
    """What came back of one request; `headers` by their names in small letters. Times in ns UTC, 0: not measured."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""
    sent: int = 0
    received: int = 0


class Execution(Struct, frozen=True):
    """One row of the list of executions: the report, but for its order's client id; or why our words cannot say it."""

    number: int
    order_id: str
    report: ExecutionReport | None
    reason: str = ""


class _Order(Struct, rename="camel"):
    symbol: str
    order_id: int
    status: str
    side: str
    client_order_id: str = ""
    price: str = "0"
    orig_qty: str = "0"
    executed_qty: str = "0"
    type: str = ""
    time_in_force: str = ""
    update_time: int = 0
    time: int = 0


class _Trade(Struct, rename="camel"):
    id: int
    order_id: int
    side: str
    price: str
    qty: str
    commission: str = "0"
    commission_asset: str = ""
    maker: bool = False
    time: int = 0


class _Refusal(Struct):
    code: int = 0
    msg: str = ""


class Counted(Struct, rename="camel"):
    """How much of one limit was used, as the WebSocket API says it."""

    rate_limit_type: str = ""
    interval: str = ""
    interval_num: int = 1
    count: int = 0

    @property
    def pool(self) -> str:
        """The limit's name."""
        return f"{self.rate_limit_type}:{self.interval_num}{self.interval[:1]}"


class Reply(Struct, rename="camel"):
    """An answer over the WebSocket API, to the request that had this id."""

    id: str | int | None = None
    status: int = 0
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()
    rate_limits: list[Counted] = []


_order = msgspec.json.Decoder(_Order)
_orders = msgspec.json.Decoder(list[_Order])
_trades = msgspec.json.Decoder(list[_Trade])
_refusal = msgspec.json.Decoder(_Refusal)
_reply = msgspec.json.Decoder(Reply)

P = ParamSpec("P")
T = TypeVar("T")


def bounded(read: Callable[P, T]) -> Callable[P, T]:
    """A reader that refuses large answers, and from which nothing but WireError escapes."""

    @wraps(read)
    def reading(*arguments: P.args, **more: P.kwargs) -> T:
        body = arguments[0]
        if isinstance(body, bytes) and len(body) > BYTES_MAX:
            raise WireError(f"{len(body)} bytes are more than an answer has")
        try:
            return read(*arguments, **more)
        except (ValueError, InvalidOperation, OverflowError, RecursionError, KeyError, TypeError, IndexError) as error:
            raise WireError(f"not the answer that was asked for: {error}") from error

    return reading


@bounded
def order(body: bytes, received: int, instruments: Mapping[str, Instrument]) -> ExecutionReport:
    """One order's state; also the acknowledgement of a new order, a cancel or an amendment."""
    return _state(_order.decode(body), received, instruments)


@bounded
def orders(body: bytes, received: int, instruments: Mapping[str, Instrument]) -> list[ExecutionReport]:
    """The states of several orders; those of instruments that are not loaded are left out."""
    return [_state(one, received, instruments) for one in _orders.decode(body) if one.symbol in instruments]


def _state(one: _Order, received: int, instruments: Mapping[str, Instrument]) -> ExecutionReport:
    instrument = instruments[one.symbol]
    qty, cum = instrument.lots(plain(one.orig_qty), "nearest"), instrument.lots(plain(one.executed_qty), "nearest")
    status = STATES.get(one.status) or standing(qty, cum)
    return fits(
        ExecutionReport(
            symbol=one.symbol,
            transact_time=(one.update_time or one.time) * MS,
            received=received,
            order_id=str(one.order_id),
            cl_ord_id=one.client_order_id,
            exec_type=ExecType.ORDER_STATUS,
            ord_status=status,
            side=SIDES[one.side],
            ord_type=OrdType.MARKET if one.type == "MARKET" else OrdType.LIMIT,
            time_in_force=TIMES.get(one.time_in_force, TimeInForce.GTC),
            price=instrument.ticks(plain(one.price), "nearest"),
            order_qty=qty,
            cum_qty=cum,
            leaves_qty=0 if status in ENDED else max(qty - cum, 0),
        )
    )


@bounded
def executions(body: bytes, received: int, instrument: Instrument) -> list[Execution]:
    """A page of the account's executions on an instrument, in the order in which it was given."""
    return [_execution(one, received, instrument) for one in _trades.decode(body)]


def _execution(one: _Trade, received: int, instrument: Instrument) -> Execution:
    order_id = str(one.order_id)
    try:
        lots, side = instrument.lots(plain(one.qty)), SIDES[one.side]
    except (ValueError, KeyError) as error:
        return Execution(one.id, order_id, None, f"execution {one.id}: {error}")
    px, off_e8, off_text = fill_price(instrument, side, one.price, lots)
    fee_e8, fee_text = fee(instrument, one.commission, one.commission_asset)
    report = ExecutionReport(
        symbol=instrument.symbol,
        transact_time=one.time * MS,
        received=received,
        order_id=order_id,
        exec_id=trade_id(instrument.symbol, one.id, f"{order_id}-{one.qty}"),
        exec_type=ExecType.TRADE,
        ord_status=OrdStatus.PARTIALLY_FILLED,
        side=side,
        last_qty=lots,
        last_px=px,
        last_liquidity_ind=Liquidity.MAKER if one.maker else Liquidity.TAKER,
        commission_e8=fee_e8 + off_e8,
        text=off_text + fee_text,
    )
    return Execution(one.id, order_id, fits(report))


@bounded
def reply(body: bytes) -> Reply:
    """An answer over the WebSocket API."""
    return _reply.decode(body)


def refusal(body: bytes) -> tuple[int, str]:
    """Code and text of a refusal; of what is none, 0 and how it begins (a gateway's page, an empty answer)."""
    try:
        found = _refusal.decode(body[:BYTES_MAX])
        return found.code, found.msg[:300]
    except (ValueError, RecursionError):
        return 0, body[:200].decode("ascii", "replace")
