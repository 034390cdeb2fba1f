"""What the venue is told: accounts with their keys and balances (`--accounts FILE`), limits, and how some rules are kept.

    [[accounts]]
    name = "demo"
    key = "demo-key"
    secret = "demo-secret"
    balances = { USDT = "100000" }

    [limits]
    weight_minute = 2400

Unknown keys are errors that name the nearest right one.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, field

from actors.emulator.limits import Limits
from actors.errors import Exit, UserError, nearest
from core.price import GridError, decimal

_UNKNOWN: Final = re.compile(r"unknown field `(\w+)`")


class AccountSettings(Struct, forbid_unknown_fields=True, frozen=True):
    """One account. Fees are fractions of the notional; a rebate is negative."""

    name: str = "demo"
    key: str = "demo-key"
    secret: str = "demo-secret"
    balances: dict[str, str] = field(default_factory=lambda: {"USDT": "100000"})
    maker_fee: str = "0.0002"
    taker_fee: str = "0.0005"
    hedge_mode: bool = False
    may_withdraw: bool = False
    """Whether its key may, as the venue's service for keys tells it."""


class Settings(Struct, forbid_unknown_fields=True, frozen=True):
    """Everything that is configuration. Durations in seconds of the venue's clock, `clock_speed` times as fast as time."""

    accounts: tuple[AccountSettings, ...] = (AccountSettings(),)
    limits: Limits = field(default_factory=Limits)
    clock_speed: float = 1.0
    listen_key_seconds: int = 3600
    funding_seconds: int = 8 * 3600
    connection_seconds: int = 24 * 3600
    post_only: Literal["reject", "expire"] = "reject"
    """What becomes of a post-only order that would cross: -5022 at once, or accepted and then expired."""
    fill_or_kill: Literal["reject", "expire"] = "reject"
    """The same for a FOK order that cannot be filled: -5021, or expired."""
    open_orders_max: int = 200
    ws_weight_shared: bool = False
    """Whether the web socket API's weight is taken from REST's pool."""
    answer_ms: int = 0
    """How long every answer takes."""


def read_settings(path: Path) -> Settings:
    """Read a TOML file. Raises UserError that names the file and what is wrong in it."""
    made: Settings = typed(toml(path), Settings, path)
    return made


def toml(path: Path) -> dict[str, Any]:
    """A TOML file's content. Raises UserError."""
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}", Exit.NOT_FOUND) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}", Exit.CONFIGURATION) from error


def typed(content: Any, kind: type[Any], path: Path) -> Any:
    """Content as a Struct. Raises UserError; an unknown key is answered with the nearest known one."""
    try:
        made = msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _UNKNOWN.search(text)
        hint = f"; {nearest(found[1], _names(kind))}" if found else ""
        raise UserError(f"{path}: {text}{hint}", Exit.CONFIGURATION) from error
    if isinstance(made, Settings):
        check(made, str(path))
    return made


def _names(kind: Any) -> set[str]:
    """The names of the fields of a Struct and of the Structs within."""
    names: set[str] = set()
    for one in msgspec.structs.fields(kind):
        names.add(one.name)
        for inner in (one.type, *getattr(one.type, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, Struct):
                names |= _names(inner)
    return names


def check(settings: Settings, what: str) -> None:
    """Raise UserError for accounts that cannot be told apart and for balances that are no numbers."""
    for word in ("name", "key"):
        values = [getattr(account, word) for account in settings.accounts]
        if len(set(values)) < len(values) or not all(values):
            raise UserError(f"{what}: every account needs a {word} of its own", Exit.CONFIGURATION)
    for account in settings.accounts:
        for number in (*account.balances.values(), account.maker_fee, account.taker_fee):
            try:
                decimal(number)
            except GridError as error:
                raise UserError(f"{what}: account {account.name}: {error}", Exit.CONFIGURATION) from error
    if settings.clock_speed <= 0:
        raise UserError(f"{what}: clock_speed {settings.clock_speed} is not above 0", Exit.CONFIGURATION)
