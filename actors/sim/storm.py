"""The simulated host in bad weather: every place with a clock, a disk and a pace of its own, which go wrong as a seed says.

Where the plain host (`actors/sim/host.py`) hands a node a message and lets go what it sent, a stormy place does what the live
host does beside: it writes input and outputs down, all or none, before anything leaves. The rules for a tape that takes
nothing:

1. What it does not take is kept and tried again; meanwhile no new order and no replace leaves for the venue: each comes back
   to its gateway as refused. Cancels and questions to the venue always leave.
2. What is for other processes waits until the tape has what explains it. It cannot leave before: a process that comes back from a
   tape without it would do the same thing again, and might do it otherwise.

A process may die between any two effects: before the write, and before each thing that leaves (`fuse` counts down to it).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, cast

from actors.sim.clock import ClockFaults, HostClock
from actors.sim.heap import NEVER, Target
from actors.sim.host import Place, Seat, SimHost, Watch
from actors.sim.link import FaultyLink
from actors.sim.store import Journal
from core.codec import WireError
from core.message import (
    Command,
    Message,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassStatusRequest,
    OrderStatusRequest,
    OrdStatus,
    Tick,
    Timer,
)
from core.refusal import order_refused, request_refused
from core.tape import FrameReader, digested, handed, took
from core.tape import sent as wrote

ORDERS: Final = (NewOrderSingle, OrderCancelReplaceRequest)
ALWAYS: Final = (OrderCancelRequest, OrderStatusRequest, OrderMassStatusRequest, Command)
Onlooker = Callable[[int, str, Message], None]


class Dying(NamedTuple):
    """What a process was about when it died: what its tape did not have yet, what was to leave, and whether it was just
    writing."""

    unwritten: tuple[bytes, ...]
    leaving: tuple[tuple[Target, Message], ...]
    """Those held back before among them."""
    writing: bool


class Died(Exception):
    """The process is gone, between two effects."""


class StormSeat(Seat):
    """A seat whose timers come by its place's clock."""

    __slots__ = ()
    place: StormPlace

    def wake(self, at: int, key: str = "") -> None:
        """The node's outbox: a Timer at a time by this place's clock."""
        place = self.place
        true = place.host.clock.time
        due = place.clock.when(max(at, place.clock.now(true)), true)
        place.host.push(due, 0, self, Timer("", at, at, at, at, key))

    def arrive(self, now: int, message: Message | None) -> None:
        """A message reached this place; a timer whose time the place's clock has not reached waits."""
        if type(message) is Timer:
            clock = self.place.clock
            if message.due > clock.now(now):
                self.place.host.push(max(clock.when(message.due, now), now + 1), 0, self, message)
                return
            message.received = message.now = clock.now(now)
        super().arrive(now, message)


class StormPlace(Place):
    """A process on a machine with faults."""

    host: StormHost
    __slots__ = (
        "clock", "down_until", "frames", "fuse", "held", "journal", "leaving", "on_death", "slow", "slow_until", "unwritten",
        "writing",
    )  # fmt: skip

    def __init__(self, host: StormHost, name: str, busy_ns: dict[str, int]) -> None:
        super().__init__(host, name, busy_ns)
        self.clock = HostClock(host.clock.time, host.clocks.get(name.partition(":")[0], ClockFaults()))
        self.journal = Journal()
        self.frames: deque[tuple[Seat, int, bytes]] = deque()
        self.unwritten: list[bytes] = []
        self.held: list[tuple[Target, Message]] = []
        self.leaving: list[tuple[Target, Message]] = []
        self.writing = False
        self.fuse = NEVER
        self.slow, self.slow_until = 1, 0
        self.down_until = 0
        self.on_death: Callable[[int, Dying], None] = lambda now, dying: None

    def bring_frame(self, now: int, seat: Seat, frame: bytes) -> None:
        """Bytes of the venue have come for a normalizer."""
        if now >= self.down_until:
            self.frames.append((seat, self.clock.now(now), frame))
            if self.turn_at == NEVER:
                self.begin(now)

    def arrive(self, now: int, message: Message | None) -> None:
        """A turn, unless the process is dead, or dies of it."""
        if now < self.down_until:
            self.turn_at = NEVER
            self.begin(self.down_until)
            return
        try:
            super().arrive(now, message)
        except Died:
            self.die(now)

    def die(self, now: int) -> None:
        """The process is gone; whoever planned it cleans up."""
        self.fuse = NEVER
        dying = Dying(tuple(self.unwritten), (*self.held, *self.leaving), self.writing)
        self.frames.clear()
        self.unwritten.clear()
        self.held.clear()
        self.leaving.clear()
        self.writing = False
        self.on_death(now, dying)

    def _turn(self, time: int) -> Iterator[None]:
        for _ in range(len(self.frames)):
            time = self._hand_frame(time, *self.frames.popleft())
        yield from super()._turn(time)

    def _hand_frame(self, time: int, seat: Seat, received: int, frame: bytes) -> int:
        now = self.clock.now(time)
        self.host.handled += 1
        try:
            cast(FrameReader, seat.node).on_frame(now, received, frame)
        except WireError:
            self.host.malformed += 1
        return self._let_go(seat, time, now, handed(now, seat.name, received, frame), self.frame_ns)

    def _hand(self, seat: Seat, time: int, item: Message) -> int:
        host = self.host
        host.handled += 1
        now = self.clock.now(time)
        if host.watch is not None:
            host.watch(now, seat.name, item)
        entry = took(now, seat.name, item)
        seat.node.on(now, item)
        return self._let_go(seat, time, now, entry, self.busy_ns.get(type(item), self.order_ns))

    def _let_go(self, seat: Seat, time: int, now: int, entry: bytes, busy_ns: int) -> int:
        """Write input and outputs down, then let go what was sent; returns when that is done."""
        done = time + busy_ns * (self.slow if time < self.slow_until else 1)
        sent, seat.sent = seat.sent, []
        self.unwritten += [entry, *((digested if type(one) is Tick else wrote)(now, seat.name, one) for one in sent)]
        for message in sent:
            self.host.onlooker(now, seat.name, message)
            self.leaving += [(target, message) for target in seat.routes[type(message)](message)]
        self.writing = True
        self._effect()
        done += self._write()
        self.writing = False
        if self.held and not self.unwritten:
            self.leaving, self.held = [*self.held, *self.leaving], []
        while self.leaving:
            self._effect()
            self._leave(done, *self.leaving.pop(0))
        return done

    def _effect(self) -> None:
        self.fuse -= 1
        if self.fuse < 0:
            raise Died

    def _write(self) -> int:
        """Bring the tape up to date, if the disk lets us; returns how long that took."""
        try:
            self.journal.append(*self.unwritten)
        except OSError:
            return 0
        self.unwritten.clear()
        return getattr(self.journal, "took_ns", 0)

    def _leave(self, at: int, target: Target, message: Message) -> None:
        if isinstance(target, Seat):
            if target.place is self:
                if target.mailbox is not None:
                    target.mailbox.put(message)
                else:
                    self.inbox.append((target, message))
            elif self.unwritten and message.lane == "every":
                self.held.append((target, message))
            else:
                self.host.link.bring(at, self.name, target.place.name, target, message)
        elif self.unwritten and isinstance(message, ORDERS):
            self._refuse(at, message)
        elif not self.unwritten or isinstance(message, ALWAYS):
            self.host.push(at, 0, target, message)

    def _refuse(self, at: int, message: Message) -> None:
        """An order that the tape does not explain does not leave: its gateway hears that it was refused."""
        now, text = self.clock.now(at), "host: the journal takes nothing"
        gateway = self.host.seats[f"gateway:{message.symbol}"]
        if isinstance(message, NewOrderSingle):
            self.inbox.append((gateway, order_refused(now, message, f"host-{message.cl_ord_id}", text)))
        else:
            request = cast(OrderCancelReplaceRequest, message)
            self.inbox.append((gateway, request_refused(now, request, OrdStatus.NEW, 99, text)))

    def sleep(self, now: int, ns: int) -> None:
        """The machine is put to sleep: its clock stands, and nothing is done."""
        self.clock.stand(now, ns)
        self.free_at = max(self.free_at, now + ns)

    def poke(self, now: int) -> None:
        """The disk takes writes again: catch up."""
        if self.unwritten and now >= self.down_until:
            self._write()
            if not self.unwritten:
                waiting, self.held = self.held, []
                for target, message in waiting:
                    self._leave(now, target, message)


class StormHost(SimHost):
    """Places with faults of their own, and a link between them that has bad days."""

    link: FaultyLink
    seat_kind = StormSeat

    def __init__(self, start: int, end: int, link_ns: int, watch: Watch | None, clocks: dict[str, ClockFaults]) -> None:
        super().__init__(start, end, link_ns, watch)
        self.clocks = clocks
        self.malformed = 0
        """Frames that were none."""
        self.onlooker: Onlooker = lambda now, name, message: None
        """Sees what each node sends, before it leaves."""

    def place(self, name: str, busy_ns: dict[str, int] | None = None) -> StormPlace:  # type: ignore[override]
        """The place of this name, made on first mention."""
        if name not in self.places:
            self.places[name] = StormPlace(self, name, busy_ns or {})
        return cast(StormPlace, self.places[name])
