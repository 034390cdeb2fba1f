"""Faults that happen at a moment, to connections, keys, orders and the clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Final

from actors.emulator.faultplan import MomentFaults

if TYPE_CHECKING:
    from actors.emulator.exchange import Exchange

MARKET: Final = ("/public", "/market")
USER: Final = ("/private",)


def _cut(*roads: str) -> Callable[[Exchange, Random, MomentFaults], None]:
    def cut(venue: Exchange, random: Random, faults: MomentFaults) -> None:
        for subscriber in list(venue.hub.subscribers.values()):
            if subscriber.road in roads:
                subscriber.cut("the connection was reset")

    return cut


def _silence(*roads: str) -> Callable[[Exchange, Random, MomentFaults], None]:
    def silence(venue: Exchange, random: Random, faults: MomentFaults) -> None:
        for subscriber in list(venue.hub.subscribers.values()):
            if subscriber.road in roads:
                subscriber.silent = True

    return silence


def _expire_key(venue: Exchange, random: Random, faults: MomentFaults) -> None:
    for account in sorted(venue.keys.of):
        venue.keys.expire(venue.now, account)


def _end_order(status: str) -> Callable[[Exchange, Random, MomentFaults], None]:
    def end(venue: Exchange, random: Random, faults: MomentFaults) -> None:
        working = [order for account in venue.accounts.values() for order in account.open.values()]
        if working:
            venue.desk.end(venue.now, random.choice(working), status)

    return end


def _step_clock(venue: Exchange, random: Random, faults: MomentFaults) -> None:
    venue.offset_ns = random.randint(-faults.clock_step_ms, faults.clock_step_ms) * 1_000_000


MOMENTS: Final[Mapping[str, Callable[[Exchange, Random, MomentFaults], None]]] = {
    "market_cut": _cut(*MARKET),
    "user_cut": _cut(*USER),
    "all_cut": _cut(*MARKET, *USER),
    "market_silent": _silence(*MARKET),
    "user_silent": _silence(*USER),
    "key_expired": _expire_key,
    "order_canceled": _end_order("CANCELED"),
    "order_expired": _end_order("EXPIRED"),
    "clock_stepped": _step_clock,
}
"""What each one does, by the name that a fault file gives it."""
