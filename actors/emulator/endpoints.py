"""What an endpoint is: its handler, what it costs, and what it wants to see of the caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from actors.emulator.account import Account
from actors.emulator.answer import Refused
from actors.emulator.parameters import Parameters

if TYPE_CHECKING:
    from actors.emulator.exchange import Exchange

Security = Literal["open", "key", "signed"]
WEEK_MS: Final = 7 * 86_400_000


@dataclass
class Ask:
    """One request as a handler sees it. `now`: ns UTC; `account` only where a key was wanted."""

    venue: Exchange
    now: int
    parameters: Parameters
    address: str
    caller: Account | None = None

    @property
    def account(self) -> Account:
        """Whose request it is."""
        assert self.caller is not None
        return self.caller

    @property
    def stamp(self) -> int:
        """The venue's milliseconds now."""
        return self.venue.stamp(self.now)

    @property
    def offset_ms(self) -> int:
        """How far the venue's clock is from time."""
        return self.venue.offset_ns // 1_000_000


class Endpoint(NamedTuple):
    """`weight` may depend on the parameters; `orders` counts on the minute and on the ten seconds."""

    handler: Callable[[Ask], Any]
    weight: int | Callable[[Parameters], int] = 1
    security: Security = "open"
    orders: tuple[int, int] = (0, 0)
    reduces: bool = False
    """Cancels, and what else the venue never throttles."""

    def cost(self, parameters: Parameters) -> int:
        """Its weight for such parameters."""
        return self.weight if isinstance(self.weight, int) else self.weight(parameters)


Table = dict[tuple[str, str], Endpoint]


def with_symbol(one: int, every: int) -> Callable[[Parameters], int]:
    """A weight for one symbol and another one for all."""
    return lambda parameters: one if parameters.has("symbol") else every


def window(ask: Ask, rows: list[Any], time: Callable[[Any], int], most: int = 1000, default: int = 500) -> list[Any]:
    """Rows within startTime and endTime (ms), oldest first: the first `limit` from a start on, else the last."""
    limit = ask.parameters.integer("limit", default, 1, most)
    start, end = ask.parameters.integer("startTime", 0), ask.parameters.integer("endTime", 1 << 50)
    given = ask.parameters.has("startTime"), ask.parameters.has("endTime")
    if start > end or (all(given) and end - start > WEEK_MS):
        raise Refused(-4166 if start <= end else -1128)
    if given == (True, False):
        end = start + WEEK_MS
    found = [row for row in rows if start <= time(row) <= end]
    return found[:limit] if given[0] or ask.parameters.has("fromId") or ask.parameters.has("orderId") else found[-limit:]
