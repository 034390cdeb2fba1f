"""What an account may do at most: every limit, its name for people and its unit, in one table.

People write limits in a graph file or change them while the account trades, by the same names: quantities in base currency,
values in quote currency, times in milliseconds or seconds, fractions as fractions. Here they become lots, 1e-8 and nanoseconds. A
limit that is None is no limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from msgspec import Struct, structs

from core.instrument import Instrument
from core.price import E8
from core.spelling import nearest


class Limits(Struct, frozen=True):
    """One instrument's limits, in lots; values are in 1e-8 of the settlement currency."""

    order_qty: int | None = None
    position: int | None = None
    open_orders: int | None = None
    order_value_e8: int | None = None
    strategy_position: int | None = None
    """Of each strategy alone; `position` is the account's, over all of them."""


class GuardLimits(Struct, frozen=True):
    """The account's limits that have to do with time, with the market and with money lost (`core/risk/guard.py`)."""

    collar_e8: int | None = None
    """How far a limit price may lie from the reference price, in 1e-8 of the latter."""
    stale_ns: int | None = None
    """Age of the last market message of an instrument from which on it takes only cancels and what reduces."""
    age_ns: int | None = None
    """Age of a request, when it reaches risk, from which on it is refused."""
    duplicate_ns: int | None = None
    refuse_self_trade: bool = False
    requests_1s: int | None = None
    requests_10s: int | None = None
    strategy_requests_1s: int | None = None
    strategy_requests_10s: int | None = None
    repeats: int | None = None
    """Executions of a strategy on one side of an instrument, none on the other between them, that disable the strategy."""
    repeats_ns: int = 60_000_000_000
    """Executions further apart than this are not repeated."""
    daily_loss_e8: int | None = None
    """How far equity may fall below that of the day's beginning, in 1e-8 of it."""
    drawdown_e8: int | None = None
    """How far equity may fall below the day's peak, in 1e-8 of it."""


class LimitError(ValueError):
    """No limit of this name, or no value for it."""


def _lots(instrument: Instrument, value: float) -> int:
    return instrument.lots(repr(value), "down")


def _e8(instrument: Instrument, value: float) -> int:
    return round(value * E8)


def _ms(instrument: Instrument, value: float) -> int:
    return round(value * 1_000_000)


def _seconds(instrument: Instrument, value: float) -> int:
    return round(value * 1_000_000_000)


def _count(instrument: Instrument, value: float) -> int:
    return int(value)


def _truth(instrument: Instrument, value: float) -> bool:
    return bool(value)


class Key(Struct, frozen=True):
    """One limit: whose it is, its field there, and how its value is made of what people write."""

    of: Literal["instrument", "guard", "account"]
    field: str
    convert: Callable[[Instrument, float], Any]


KEYS: Final[Mapping[str, Key]] = {
    "order_qty": Key("instrument", "order_qty", _lots),
    "position": Key("instrument", "position", _lots),
    "strategy_position": Key("instrument", "strategy_position", _lots),
    "open_orders": Key("instrument", "open_orders", _count),
    "order_value": Key("instrument", "order_value_e8", _e8),
    "exposure": Key("account", "exposure_e8", _e8),
    "collar": Key("guard", "collar_e8", _e8),
    "stale_ms": Key("guard", "stale_ns", _ms),
    "age_ms": Key("guard", "age_ns", _ms),
    "duplicate_ms": Key("guard", "duplicate_ns", _ms),
    "refuse_self_trade": Key("guard", "refuse_self_trade", _truth),
    "requests_1s": Key("guard", "requests_1s", _count),
    "requests_10s": Key("guard", "requests_10s", _count),
    "strategy_requests_1s": Key("guard", "strategy_requests_1s", _count),
    "strategy_requests_10s": Key("guard", "strategy_requests_10s", _count),
    "repeats": Key("guard", "repeats", _count),
    "repeats_s": Key("guard", "repeats_ns", _seconds),
    "daily_loss": Key("guard", "daily_loss_e8", _e8),
    "drawdown": Key("guard", "drawdown_e8", _e8),
}
ALWAYS: Final = ("refuse_self_trade", "repeats_s")
"""Keys that have a value always: they cannot be lifted by `none`."""
_WORDS: Final = {"true": 1.0, "false": 0.0}


def parse(written: str) -> tuple[str, float | None]:
    """Read `key=value`; the value is None where it says `none`: no limit. Raises LimitError."""
    name, equals, text = (part.strip() for part in written.partition("="))
    if not equals:
        raise LimitError(f"a limit is written key=value, not {written!r}")
    if name not in KEYS:
        raise LimitError(f"there is no limit {name!r}: {nearest(name, KEYS)}")
    if text == "none" and name not in ALWAYS:
        return name, None
    try:
        value = _WORDS[text] if text in _WORDS else float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise LimitError(f"{name} is a number that is not negative, not {text!r}")
    return name, value


def converted(name: str, value: float | None, instrument: Instrument) -> Any:
    """A limit's value, as people write it, in the units of its field."""
    return None if value is None else KEYS[name].convert(instrument, value)


def with_value(limits: Any, name: str, value: float | None, instrument: Instrument) -> Any:
    """Limits or GuardLimits with one of them changed."""
    return structs.replace(limits, **{KEYS[name].field: converted(name, value, instrument)})
