"""Deaths of processes in a storm: between two effects, with everything that was only in memory, and their return some time later.

The account's process comes back from its tape: fresh nodes are fed their inputs, what was under way inside the process goes
on, what other hosts had sent and the tape does not have is sent again by their sessions, and the gateways ask the venue for
the rest. Until the venue has answered in full, the session says HALT.

A strategy's process comes back knowing nothing, in a new epoch. That its session ended tells the account to cancel what it left
working; when that has ended the fresh strategy is told what it holds, and may trade. A normalizer comes back without a book.

Where a machine lost its power, or a tape was found damaged, what was promised is gone, and the sessions' numbers with it:
then every process begins anew, the venue says what is missing, and a person cancels what nobody knows any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from heapq import heapify
from random import Random
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from actors.sim.heap import ARRIVAL, Errand, Event
from actors.sim.host import Seat
from actors.sim.storm import Dying, StormPlace
from core.mailbox import Mailbox
from core.message import (
    Command,
    ExecutionReport,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    PositionReport,
    SecurityStatus,
    Tick,
    Timer,
)
from core.node import Node

if TYPE_CHECKING:
    from actors.launch import Simulation
    from actors.sim.weather import Storm

SECOND: Final = 1_000_000_000
DOWN_NS_MAX: Final = 10 * SECOND
NOTICED_NS_MAX: Final = 3 * SECOND
"""Until a session's other end takes it for lost: three heartbeats."""
REQUESTS: Final = (NewOrderSingle, OrderCancelRequest, OrderCancelReplaceRequest)
FOR_STRATEGIES: Final = (ExecutionReport, OrderCancelReject, PositionReport, SecurityStatus, Command)
ACCOUNT: Final = "account"


class Remake(Struct, frozen=True):
    """How nodes are made anew, by their names."""

    account: Callable[[], Mapping[str, Node]]
    strategies: Callable[[], Mapping[str, Node]]
    normalizers: Callable[[], Mapping[str, Node]]


class Death:
    """What all deaths share: a process that is to die some effects after a time, and how long it is away."""

    def __init__(self, storm: Storm, place: StormPlace, simulation: Simulation, remake: Remake, random: Random) -> None:
        self.storm, self.place, self.simulation, self.remake, self.host = storm, place, simulation, remake, storm.host
        self.down_ns, self.fuse = random.randrange(1, DOWN_NS_MAX), random.randrange(8)
        self.noticed_ns = random.randrange(NOTICED_NS_MAX)
        self.again = random.random() < 0.3
        """Whether it dies once more while it comes back."""
        self.seats = {seat.name: seat for seat in self.host.seats.values() if seat.place is place}

    def arm(self, now: int) -> None:
        """From now on the process is to die, within some effects."""
        if not self.storm.over and now >= self.place.down_until:
            self.place.on_death = self.die
            self.place.fuse = self.fuse

    def die(self, now: int, dying: Dying) -> None:
        """The process dies in the middle of what it did."""
        raise NotImplementedError

    def _forget(self, gone: Callable[[Event], bool]) -> None:
        """What was on the heap for a process that is no more."""
        events = self.host.heap.events
        events[:] = [one for one in events if not gone(one)]
        heapify(events)

    def _later(self, at: int, call: Callable[[int], None]) -> None:
        self.host.push(at, ARRIVAL, Errand(lambda now, _: call(now)), None)

    def _down(self, now: int) -> int:
        place = self.place
        place.free_at = place.down_until = back = now + self.down_ns
        self.storm.back.append(back)
        if self.again:
            self.again = False
            self._later(back, self.arm)
        return back


class MarketDeath(Death):
    """Of strategies, or of a normalizer, or of both."""

    def die(self, now: int, dying: Dying) -> None:
        """Everything is gone; the account notices, at the latest when they come back."""
        self.storm.fired[
            "strategy_dies" if any(one.mailbox is not None for one in self.seats.values()) else "normalizer_dies"
        ] += 1
        gone = (Tick, Timer)
        self._forget(lambda one: isinstance(one[3], Seat) and one[3].name in self.seats and isinstance(one[4], gone))
        self.place.inbox.clear()
        back = self._down(now)
        if self.noticed_ns < self.down_ns:
            self._later(now + self.noticed_ns, lambda at: self._tell_account(at, "disconnected"))
        self._later(back, self._come_back)

    def _tell_account(self, now: int, verb: str) -> None:
        risk = self.host.seats["risk"]
        for name, seat in self.seats.items():
            if seat.mailbox is not None:
                self.host.push(now, ARRIVAL, risk, Command("", now, now, now, name, verb))

    def _come_back(self, now: int) -> None:
        """Fresh nodes, and a session of a new epoch: nothing of the old one arrives any more, in either direction."""
        storm, place, host = self.storm, self.place, self.host
        place.journal = storm.fresh_journal(place)
        place.clock.begin(now)
        names = [name for name, seat in self.seats.items() if seat.mailbox is not None]
        self._forget(lambda one: self._of_old_session(one, names))
        made = {**self.remake.strategies(), **self.remake.normalizers()}
        place.feeds = [(feed, []) for feed, _ in place.feeds]
        for name, seat in self.seats.items():
            host.restart(made[name])
            if seat.mailbox is not None:
                seat.mailbox = self.simulation.mailboxes[name] = Mailbox(seat.mailbox.sampling)
                self.simulation.strategies[name] = made[name]  # type: ignore[assignment]
                storm.epoch += 1
                storm.reborn(now, name)
                for verb, argument in (("trading", "off"), ("start", str(storm.epoch))):
                    host.push(now, ARRIVAL, seat, Command("", now, now, now, name, verb, argument))
        for stream in storm.streams.values():
            if stream.seat.place is place:
                stream.cut(now)
        self._tell_account(now, "connected")

    @staticmethod
    def _of_old_session(one: Event, names: list[str]) -> bool:
        target, message = one[3], one[4]
        if not isinstance(target, Seat):
            return False
        if target.name in names:
            return isinstance(message, FOR_STRATEGIES) and not (isinstance(message, Command) and message.verb == "enough")
        return target.name == "risk" and isinstance(message, REQUESTS) and message.strategy in names
