"""The road between gateway and venue, with faults drawn from a seed: the world as it is, only oftener.

A `FaultySession` stands where the gateway's requests leave and where the venue's reports come in. It loses, delays and refuses
requests, answers none of them in time, drops, doubles and delays reports, and answers queries like the venue's REST interface
would: from what has really happened, after a while, or not at all. Which kinds a run has, and how strong, is itself drawn
(swarm testing: a run with every fault at once hides what a run with two of them shows).

The rules that make it fair, so that only the code under test can be at fault:

1. What it answers to a query is true: it keeps every report that the venue made, and no fault touches that log.
2. A late request reaches the engine within 10 s or never (the venue's own limit), so lasting absence is a proof.
3. `calm` ends all faults. What was dropped before stays dropped: only asking can bring it back.

A request carries the time of its host's clock. One outside the venue's window is definitely refused before the engine
(-1021): the session measures its clock against the venue's, once, and sends the same request again under the same id, the
only case in which it may. Now and then the venue cancels an order that nobody asked it to cancel.

Left out: busts, corrections and restatements, which this replayed venue cannot make; `core/order.py` has tests of its own for
them.
"""

from __future__ import annotations

from collections import Counter
from copy import copy
from typing import Final

from msgspec import structs

from actors.sim.chance import Chance
from actors.sim.clock import HostClock
from actors.sim.faults import Faults
from actors.sim.heap import ARRIVAL, Errand, Heap, Target
from actors.sim.venue import SimVenue
from actors.sim.venuelog import VenueLog
from core.gateway import UNKNOWN_ORDER
from core.message import (
    BusinessMessageReject,
    Command,
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelRequest,
    OrderMassStatusRequest,
    OrderStatusRequest,
    OrdStatus,
    SecurityStatus,
    TradingState,
    Unanswered,
)
from core.refusal import order_refused, request_refused

MS: Final = 1_000_000
TIMEOUT_NS: Final = 2_000 * MS
"""A request is given up waiting for after its window."""
LATE_NS_MAX: Final = 10_000 * MS
WINDOW_NS: Final = 2_000 * MS
"""recvWindow of our requests."""
AHEAD_NS_MAX: Final = 1_000 * MS
"""How far a request may be ahead of the venue's time."""
UNASKED: Final = "unasked-"
KNOWS_NOTHING: Final = 1
"""FIX BusinessRejectReason(380): unknown id."""


class FaultySession:
    """One instrument's session with the venue. `said` is the venue's log: every report it made, in order."""

    beside = True

    def __init__(
        self, heap: Heap, venue: SimVenue, gateway: Target, faults: Faults, chance: Chance, clock: HostClock | None = None
    ) -> None:
        """`clock` is that of the session's own machine; without one it is right."""
        self._heap, self._venue, self._gateway, self._chance = heap, venue, gateway, chance
        self._random = chance.random
        self.faults, self.clock = faults, clock or HostClock(heap.clock.time)
        self.inward = Errand(self.reported)
        self.log = VenueLog()
        self._known_as: dict[str, str] = {}
        self.deaf_until = 0
        """Reports before this find nobody at the other end: its process is down."""
        self.fired = chance.fired
        """How often each fault happened."""
        self.risk: Target | None = None
        """Who hears whether this session is reconciled."""
        self._halted = False
        self.window_refused: Counter[str] = Counter()
        """How often each request was refused for its time."""

    def calm(self) -> None:
        """No fault from now on."""
        self.faults = Faults()

    def begin(self, back: int, forgot: bool) -> SecurityStatus:
        """The process that holds this session died and is back at a time: the word that it begins with.

        If it `forgot` a part of its tape, it may not know which ids its replaces had: it speaks of older orders by their first.
        """
        self.deaf_until, self._halted = back, True
        if forgot:
            self._known_as = self.log.first_ids()
        return SecurityStatus(self._venue.symbol, back, source="session", state=TradingState.HALT, text="not reconciled")

    @property
    def said(self) -> list[ExecutionReport]:
        """Every report that the venue made, in order."""
        return self.log.said

    @property
    def open(self) -> dict[str, ExecutionReport]:
        """What the venue holds open, by its own ids."""
        return self.log.open

    def _strikes(self, name: str) -> bool:
        return self._chance.strikes(name, getattr(self.faults, name))

    def _say(self, at: int, message: Message) -> None:
        heap = self._heap
        message.received = at
        heap.push(at, ARRIVAL, self._gateway, message)

    # --- requests out

    def arrive(self, now: int, message: Message | None) -> None:
        """A request leaves the gateway."""
        assert message is not None
        self.send(now, message)

    def send(self, now: int, message: Message) -> None:
        """A request is on its way to the venue, for the first time or because it was refused before the engine."""
        if isinstance(message, Command):
            if not self._strikes("never_arrives"):
                self._venue.arrive(now, message)
        elif not self._in_window(now):
            self._refuse_time(now, message)
        elif isinstance(message, OrderStatusRequest):
            self._query(now, message)
        elif isinstance(message, OrderMassStatusRequest):
            self._query_all(now, message)
        elif self._strikes("refused"):
            self._refuse(now, message)
        elif self._strikes("never_arrives"):
            self._leave_unanswered(now, message)
        elif self._strikes("arrives_late"):
            self._leave_unanswered(now, message)
            self._heap.push(now + self._random.randrange(LATE_NS_MAX), ARRIVAL, Errand(self.submit), message)
        else:
            if self._strikes("answer_lost"):
                self._leave_unanswered(now, message)
            self.submit(now, message)

    def _in_window(self, now: int) -> bool:
        return -WINDOW_NS <= self.clock.stamp(now) - now <= AHEAD_NS_MAX

    def _refuse_time(self, now: int, message: Message) -> None:
        """-1021: the clock is measured again, and the request sent again."""
        self.fired["out_of_window"] += 1
        self.window_refused[getattr(message, "cl_ord_id", "")] += 1
        self.clock.measure(now, self._random.randrange(-30 * MS, 30 * MS))
        self._heap.push(self.clock.awake(now + self._there_and_back()), ARRIVAL, Errand(self.send), message)

    def submit(self, now: int, message: Message) -> None:
        """The request reaches the venue, which refuses to cancel or replace what it does not hold."""
        original = getattr(message, "orig_cl_ord_id", "")
        if original and not self._venue.holds(original):
            reject = request_refused(now, message, OrdStatus.REJECTED, UNKNOWN_ORDER, "Unknown order sent.")  # type: ignore[arg-type]
            self._say(now + self._there_and_back(), reject)
        else:
            self._venue.arrive(now, copy(message))
            if isinstance(message, NewOrderSingle) and self._strikes("unasked_cancel"):
                self._heap.push(now + self._random.randrange(5_000 * MS), ARRIVAL, Errand(self.cancel_unasked), message)

    def cancel_unasked(self, now: int, message: Message) -> None:
        """The venue cancels an order by itself, if nothing is asked of it now."""
        cl_ord_id: str = message.cl_ord_id  # type: ignore[attr-defined]
        if self._venue.idle(cl_ord_id):
            self._venue.arrive(
                now, OrderCancelRequest(message.symbol, now, cl_ord_id=f"{UNASKED}{cl_ord_id}", orig_cl_ord_id=cl_ord_id)
            )

    def _there_and_back(self) -> int:
        return self._random.randrange(2 * MS, 60 * MS)

    def _leave_unanswered(self, now: int, request: Message) -> None:
        key, original = request.cl_ord_id, getattr(request, "orig_cl_ord_id", "")  # type: ignore[attr-defined]
        answer = Unanswered(request.symbol, self.clock.now(now), cl_ord_id=key, orig_cl_ord_id=original, text="timed out")
        self._say(now + TIMEOUT_NS, answer)

    def _refuse(self, now: int, request: Message) -> None:
        """Refused before the engine: too many requests."""
        at = now + self._there_and_back()
        if isinstance(request, NewOrderSingle):
            self._say(at, order_refused(at, request, f"busy-{request.cl_ord_id}", "Too many requests."))
        else:
            self._say(at, request_refused(at, request, OrdStatus.NEW, 99, "Too many requests."))  # type: ignore[arg-type]

    # --- reports in

    def reported(self, now: int, message: Message) -> None:
        """The venue made a report: it is true from now on, whatever becomes of its way to the gateway."""
        if not isinstance(message, (ExecutionReport, OrderCancelReject)):
            raise AssertionError(f"a venue does not say {message}")
        if message.cl_ord_id.startswith(UNASKED):
            if isinstance(message, OrderCancelReject):
                return
            message.cl_ord_id, message.orig_cl_ord_id = message.orig_cl_ord_id, ""
        if isinstance(message, ExecutionReport):
            self.log.add(message)
        if now < self.deaf_until:
            return
        if self._known_as and isinstance(message, (ExecutionReport, OrderCancelReject)):
            message.cl_ord_id = self._known_as.get(message.cl_ord_id, message.cl_ord_id)
            message.orig_cl_ord_id = self._known_as.get(message.orig_cl_ord_id, message.orig_cl_ord_id)
        if self._strikes("report_dropped") and not isinstance(message, OrderCancelReject):
            return
        late = self._random.randrange(500 * MS) if self._strikes("report_delayed") else 0
        self._say(now + late, message)
        if self._strikes("report_doubled"):
            self._say(now + late + self._random.randrange(500 * MS), copy(message))

    # --- queries

    def _query(self, now: int, request: OrderStatusRequest) -> None:
        at = now + self._there_and_back()
        if self._strikes("query_lost"):
            return
        if not self.log.knows(request.cl_ord_id):
            self._say(
                at,
                BusinessMessageReject(request.symbol, now, 0, 0, "H", request.cl_ord_id, KNOWS_NOTHING, "Order does not exist."),
            )
            return
        for one in self.log.answer(request.cl_ord_id):
            self._say(at, one)

    def _query_all(self, now: int, request: OrderMassStatusRequest) -> None:
        at = now + self._there_and_back()
        if self._strikes("query_lost"):
            return
        for one in self.log.answer_all(request.since):
            self._say(at, one)
        self._say(at, structs.replace(request, transact_time=self.clock.stamp(now)))
        if self._halted and self.risk is not None:
            self._halted = False
            self._heap.push(at, ARRIVAL, self.risk, SecurityStatus(self._venue.symbol, at, source="session", text="reconciled"))
