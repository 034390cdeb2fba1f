"""Answers of Binance USDⓈ-M about the account, and what else a session begins with: clock, bars, the private stream's key.

Bounded, typed, WireError and nothing else, as in `answers.py`.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import Struct

from core.codec import WireError
from core.dialect.binance.answers import bounded
from core.dialect.binance.private import MOST, MS, e8, plain
from core.instrument import Instrument
from core.message import Bar


class Held(Struct, frozen=True):
    """One position: `qty` in base currency, signed; `side` BOTH, LONG or SHORT."""

    symbol: str
    qty: Decimal
    entry_price: Decimal
    side: str = "BOTH"


class Wallet(Struct, frozen=True):
    """One currency of the account, in 1e-8."""

    asset: str
    wallet_e8: int
    available_e8: int


class AccountConfig(Struct, frozen=True, rename="camel"):
    """How the account is set up."""

    can_trade: bool = True
    can_withdraw: bool = False
    dual_side_position: bool = False
    multi_assets_margin: bool = False


class Bracket(Struct, frozen=True, rename="camel"):
    """Up to which notional which leverage is allowed, and what must be kept."""

    bracket: int = 0
    initial_leverage: int = 0
    notional_cap: float = 0.0
    notional_floor: float = 0.0
    maint_margin_ratio: float = 0.0


class _Position(Struct, rename="camel"):
    symbol: str
    position_amt: str
    position_side: str = "BOTH"
    entry_price: str = "0"


class _Asset(Struct, rename="camel"):
    asset: str
    wallet_balance: str
    available_balance: str = "0"


class _Account(Struct):
    assets: list[_Asset]


class _Brackets(Struct):
    symbol: str
    brackets: list[Bracket] = []


class _Time(Struct, rename="camel"):
    server_time: int


class _Key(Struct, rename="camel"):
    listen_key: str


class _Algo(Struct, rename="camel"):
    algo_id: int
    symbol: str = ""


_positions = msgspec.json.Decoder(list[_Position])
_account = msgspec.json.Decoder(_Account)
_config = msgspec.json.Decoder(AccountConfig)
_brackets = msgspec.json.Decoder(list[_Brackets] | _Brackets)
_klines = msgspec.json.Decoder(list[list[int | float | str]])
_time = msgspec.json.Decoder(_Time)
_key = msgspec.json.Decoder(_Key)
_algos = msgspec.json.Decoder(list[_Algo])


@bounded
def positions(body: bytes) -> list[Held]:
    """All positions; those that are flat may be left out by the venue."""
    return [
        Held(one.symbol, Decimal(plain(one.position_amt)), Decimal(plain(one.entry_price)), one.position_side)
        for one in _positions.decode(body)
    ]


@bounded
def wallets(body: bytes) -> list[Wallet]:
    """The currencies of an account answer."""
    return [Wallet(one.asset, e8(one.wallet_balance), e8(one.available_balance)) for one in _account.decode(body).assets]


@bounded
def account_config(body: bytes) -> AccountConfig:
    """How the account is set up."""
    return _config.decode(body)


@bounded
def leverage_brackets(body: bytes) -> dict[str, tuple[Bracket, ...]]:
    """Brackets by symbol; asked for one symbol the venue has answered with a list and without one."""
    found = _brackets.decode(body)
    rows = found if isinstance(found, list) else [found]
    return {one.symbol: tuple(one.brackets) for one in rows}


@bounded
def klines(body: bytes, received: int, instrument: Instrument, period_ns: int) -> list[Bar]:
    """Bars as rows of open time, open, high, low, close, volume, close time, quote volume, trades."""
    return [_bar(row, received, instrument, period_ns) for row in _klines.decode(body)]


def _bar(row: list[int | float | str], received: int, instrument: Instrument, period_ns: int) -> Bar:
    opened = int(row[0]) * MS
    first, high, low, last = (instrument.ticks(plain(str(one)), "nearest") for one in row[1:5])
    worth = Decimal(plain(str(row[7]))) / (instrument.tick * instrument.lot * Decimal(instrument.contract_value))
    volume, trades = instrument.lots(plain(str(row[5])), "nearest"), int(row[8])
    bar = Bar(
        instrument.symbol,
        opened + period_ns,
        received,
        0,
        opened,
        period_ns,
        first,
        high,
        low,
        last,
        volume,
        trades,
        round(worth),
    )
    if any(not 0 <= one < MOST for one in (opened, first, high, low, last, volume, trades, bar.notional)):
        raise WireError("a number that no bar has")
    return bar


@bounded
def server_time(body: bytes) -> int:
    """The venue's time in ns UTC."""
    found = _time.decode(body).server_time * MS
    if not 0 < found < MOST:
        raise WireError(f"{found} is no time")
    return found


@bounded
def listen_key(body: bytes) -> str:
    """The private stream's key."""
    key = _key.decode(body).listen_key
    if not (8 <= len(key) <= 256 and key.isascii() and key.isalnum()):
        raise WireError("no listen key")
    return key


@bounded
def open_algos(body: bytes) -> list[int]:
    """The numbers of conditional orders that are open."""
    return [one.algo_id for one in _algos.decode(body)]
