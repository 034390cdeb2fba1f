"""What faults do to frames on their way to a connection: lose, repeat, delay them, or take the connection down.

The market's frames and the accounts' have their own draws: who listens to what must not change what becomes of the others.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field, json

from actors.emulator.streams import Subscriber

if TYPE_CHECKING:
    from actors.emulator.faults import Faults

MS: Final = 1_000_000


class _Order(Struct):
    x: str = ""


class _Event(Struct):
    e: str = ""
    o: _Order = field(default_factory=_Order)


class Gate:
    """The gate through which a venue's frames pass."""

    def __init__(self, faults: Faults) -> None:
        self._faults, self._chances = faults, faults.plan.streams
        self._market = Random(f"market frames {faults.plan.seed}")
        self._user = Random(f"user frames {faults.plan.seed}")

    def pass_on(self, subscriber: Subscriber, name: str, frame: bytes) -> None:
        """Let a frame through to a connection, or do to it what the plan says."""
        if not self._faults.on:
            subscriber.push(name, frame)
        elif subscriber.road == "/private":
            self._user_frame(subscriber, name, frame)
        elif "@depth" in name and self._happens(self._market, "depth_dropped"):
            pass
        elif not self._happens(self._market, "market_dropped"):
            subscriber.push(name, frame)

    def _happens(self, random: Random, fault: str) -> bool:
        chance = getattr(self._chances, fault)
        if not chance or random.random() >= chance:
            return False
        self._faults.count(fault)
        return True

    def _user_frame(self, subscriber: Subscriber, name: str, frame: bytes) -> None:
        event = json.decode(frame, type=_Event)
        if event.e == "listenKeyExpired":
            subscriber.push(name, frame)
        elif event.o.x == "TRADE" and self._happens(self._user, "fill_cut"):
            subscriber.cut("cut in a burst of fills")
        elif self._happens(self._user, "user_dropped"):
            return
        elif self._happens(self._user, "user_delayed"):
            venue = self._faults.venue
            when = venue.now + int(self._user.random() * self._chances.delay_ms * MS)
            venue.agenda.at(when, lambda then: subscriber.push(name, frame))
        else:
            subscriber.push(name, frame)
            if self._happens(self._user, "user_repeated"):
                subscriber.push(name, frame)
