"""The road between gateway and venue, with faults drawn from a seed: the world as it is, only oftener.

A `FaultySession` stands where the gateway's requests leave and where the venue's reports come in. It loses, delays and refuses
requests, answers none of them in time, drops, doubles and delays reports, and answers queries like the venue's REST interface
would: from what has really happened, after a while, or not at all. Which kinds a run has, and how strong, is itself drawn
(swarm testing: a run with every fault at once hides what a run with two of them shows).

The rules that make it fair, so that only the code under test can be at fault:

1. What it answers to a query is true: it keeps every report that the venue made, and no fault touches that log.
2. A late request reaches the engine within 10 s or never (the venue's own limit), so lasting absence is a proof.
3. `calm` ends all faults. What was dropped before stays dropped: only asking can bring it back.

Left out here, for the live road's own tests: sockets and journals on disk.
"""

from __future__ import annotations

from collections import Counter
from copy import copy
from random import Random
from typing import Final

from msgspec import Struct, structs

from actors.sim.heap import ARRIVAL, Heap, Target
from actors.sim.venue import SimVenue
from core.gateway import UNKNOWN_ORDER
from core.message import (
    BusinessMessageReject,
    ExecType,
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderMassStatusRequest,
    OrderStatusRequest,
    OrdStatus,
    Unanswered,
)
from core.refusal import order_refused, request_refused

MS: Final = 1_000_000
TIMEOUT_NS: Final = 2_000 * MS
"""A request is given up waiting for after its window."""
LATE_NS_MAX: Final = 10_000 * MS
KNOWS_NOTHING: Final = 1
"""FIX BusinessRejectReason(380): unknown id."""


class Faults(Struct, frozen=True):
    """How likely each fault is, a request or a report; 0: it does not happen."""

    refused: float = 0.0
    never_arrives: float = 0.0
    arrives_late: float = 0.0
    answer_lost: float = 0.0
    report_dropped: float = 0.0
    report_doubled: float = 0.0
    report_delayed: float = 0.0
    query_lost: float = 0.0

    @classmethod
    def draw(cls, random: Random) -> Faults:
        """Each kind is on in half of all runs, at a strength of its own up to its range (RELIABILITY, section 4)."""
        most = {"refused": 0.1, "report_dropped": 0.2, "report_doubled": 0.5, "report_delayed": 0.5, "query_lost": 0.3}
        return cls(
            **{name: random.uniform(0.01, most.get(name, 0.2)) * (random.random() < 0.5) for name in cls.__struct_fields__}
        )


class _Inward:
    """Where the venue's reports come in."""

    beside = True

    def __init__(self, session: FaultySession) -> None:
        self.session = session

    def arrive(self, now: int, message: Message | None) -> None:
        assert message is not None
        self.session.reported(now, message)


class FaultySession:
    """One instrument's session with the venue. `said` is the venue's log: every report it made, in order."""

    beside = True

    def __init__(self, heap: Heap, venue: SimVenue, gateway: Target, faults: Faults, random: Random) -> None:
        self._heap, self._venue, self._gateway, self._random = heap, venue, gateway, random
        self.faults = faults
        self.inward = _Inward(self)
        self.said: list[ExecutionReport] = []
        self.states: dict[str, ExecutionReport] = {}
        """The last report of each order, by the venue's order id."""
        self._order_id: dict[str, str] = {}
        self.deaf_until = 0
        """Reports before this find nobody at the other end: its process is down."""
        self.fired: Counter[str] = Counter()
        """How often each fault happened."""

    def calm(self) -> None:
        """No fault from now on."""
        self.faults = Faults()

    @property
    def open(self) -> dict[str, ExecutionReport]:
        """What the venue holds open: the last report of each order that has quantity left."""
        return {key: one for key, one in self.states.items() if one.leaves_qty}

    def _strikes(self, name: str) -> bool:
        likely: float = getattr(self.faults, name)
        if not likely or self._random.random() >= likely:
            return False
        self.fired[name] += 1
        return True

    def _say(self, at: int, message: Message) -> None:
        heap = self._heap
        message.received = at
        heap.push(at, ARRIVAL, self._gateway, message)

    # --- requests out

    def arrive(self, now: int, message: Message | None) -> None:
        """A request leaves the gateway."""
        assert message is not None
        if isinstance(message, OrderStatusRequest):
            self._query(now, message)
        elif isinstance(message, OrderMassStatusRequest):
            self._query_all(now, message)
        elif self._strikes("refused"):
            self._refuse(now, message)
        elif self._strikes("never_arrives"):
            self._leave_unanswered(now, message)
        elif self._strikes("arrives_late"):
            self._leave_unanswered(now, message)
            self._heap.push(now + self._random.randrange(LATE_NS_MAX), ARRIVAL, _Late(self), message)
        else:
            if self._strikes("answer_lost"):
                self._leave_unanswered(now, message)
            self.submit(now, message)

    def submit(self, now: int, message: Message) -> None:
        """The request reaches the venue, which refuses to cancel or replace what it does not hold."""
        original = getattr(message, "orig_cl_ord_id", "")
        if original and not self._venue.holds(original):
            reject = request_refused(now, message, OrdStatus.REJECTED, UNKNOWN_ORDER, "Unknown order sent.")  # type: ignore[arg-type]
            self._say(now + self._there_and_back(), reject)
        else:
            self._venue.arrive(now, copy(message))

    def _there_and_back(self) -> int:
        return self._random.randrange(2 * MS, 60 * MS)

    def _leave_unanswered(self, now: int, request: Message) -> None:
        original = getattr(request, "orig_cl_ord_id", "")
        answer = Unanswered(request.symbol, now, cl_ord_id=request.cl_ord_id, orig_cl_ord_id=original, text="timed out")  # type: ignore[attr-defined]
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
        if isinstance(message, ExecutionReport):
            self.said.append(copy(message))
            self.states[message.order_id] = copy(message)
            self._order_id[message.cl_ord_id] = message.order_id
        if now < self.deaf_until:
            return
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
        order_id = self._order_id.get(request.cl_ord_id)
        if order_id is None:
            self._say(
                at,
                BusinessMessageReject(request.symbol, now, 0, 0, "H", request.cl_ord_id, KNOWS_NOTHING, "Order does not exist."),
            )
            return
        for one in self.said:
            if one.order_id == order_id and one.exec_type == ExecType.TRADE:
                self._say(at, copy(one))
        self._say(at, self._state(order_id, request.cl_ord_id))

    def _query_all(self, now: int, request: OrderMassStatusRequest) -> None:
        at = now + self._there_and_back()
        if self._strikes("query_lost"):
            return
        for one in self.said:
            if one.exec_type == ExecType.TRADE and one.transact_time >= request.since:
                self._say(at, copy(one))
        for order_id, one in self.open.items():
            self._say(at, self._state(order_id, one.cl_ord_id))
        self._say(at, copy(request))

    def _state(self, order_id: str, cl_ord_id: str) -> ExecutionReport:
        return structs.replace(
            self.states[order_id], exec_id="", exec_type=ExecType.ORDER_STATUS, cl_ord_id=cl_ord_id, last_qty=0
        )


class _Late:
    """A request on its slow way to the venue."""

    beside = True

    def __init__(self, session: FaultySession) -> None:
        self.session = session

    def arrive(self, now: int, message: Message | None) -> None:
        assert message is not None
        self.session.submit(now, message)
