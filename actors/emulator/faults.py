"""Faults that happen to the venue's clients, drawn from a seed, scripted, or asked for.

They touch what clients are told and when requests are executed, never what the venue knows: its log, its orders and its positions
stay the truth (an unasked cancel is one too). What happens to a request:

| fault | executed | answer |
|---|---|---|
| answer_lost, never_arrived, late | now, never, later | none |
| slow_answer | now | late |
| unknown_503, code_1000, code_1006, code_1007 | perhaps | that nobody knows |
| unavailable_503, code_1001, code_1003, code_1008, code_1015, code_1021, banned, forbidden | never | that it was refused |
| race_2011 | now | -2011 |
| hidden_2013 | | -2013, of an order that exists |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from actors.emulator.answer import Answer, Refused
from actors.emulator.faultplan import OF_MOMENTS, OF_REQUESTS, FaultPlan, Scripted
from actors.emulator.gate import Gate
from actors.emulator.moments import MOMENTS
from actors.emulator.parameters import Parameters

if TYPE_CHECKING:
    from actors.emulator.exchange import Exchange

MS: Final = 1_000_000
HIDDEN_NS: Final = 5_000_000_000
UNKNOWN: Final = "Unknown error, please check your request or try again later."
UNAVAILABLE: Final = "Service Unavailable."
FIREWALL: Final = b"<html><head><title>403 Forbidden</title></head><body><center><h1>403 Forbidden</h1></center></body></html>"
ORDERS: Final = (
    ("POST", "/fapi/v1/order"),
    ("PUT", "/fapi/v1/order"),
    ("POST", "/fapi/v1/batchOrders"),
    ("PUT", "/fapi/v1/batchOrders"),
)


class Request(NamedTuple):
    """A request on its way to the venue. `payload` is what its signature stands for."""

    method: str
    path: str
    parameters: Parameters
    payload: str
    key: str
    address: str


class Faults:
    """The faults of one venue."""

    def __init__(self, venue: Exchange, plan: FaultPlan) -> None:
        self.venue, self.plan, self.on = venue, plan, True
        self._random = Random(f"requests {plan.seed}")
        self._moments = Random(f"moments {plan.seed}")
        self._counts: dict[str, int] = {"": 0}
        self._wanted: list[tuple[str, str]] = []
        self.happened: dict[str, int] = {}
        venue.hub.gate = Gate(self).pass_on
        for one in plan.script:
            if one.at_seconds >= 0:
                self.venue.agenda.at(venue.started + int(one.at_seconds * 1e9), self._moment(one.fault))
        for name in OF_MOMENTS:
            self._next_moment(name, venue.started)
        if plan.until_seconds:
            venue.agenda.at(venue.started + int(plan.until_seconds * 1e9), lambda when: self.stop())

    def stop(self) -> None:
        """From now on all goes well."""
        self.on = False

    def want(self, fault: str, of: str = "") -> None:
        """A fault now, or for the next request that it can happen to (`of` a method and path, if given). Raises KeyError."""
        if fault in OF_MOMENTS:
            self.count(fault)
            MOMENTS[fault](self.venue, self._moments, self.plan.moments)
        elif fault in OF_REQUESTS:
            self._wanted.append((fault, of))
        else:
            raise KeyError(fault)

    def count(self, fault: str) -> None:
        """One more of these has happened."""
        self.happened[fault] = self.happened.get(fault, 0) + 1

    # --- by themselves

    def _next_moment(self, name: str, now: int) -> None:
        often = getattr(self.plan.moments, name)
        if often > 0:
            self.venue.agenda.at(now + int(self._moments.expovariate(often / 60) * 1e9), lambda when: self._again(name, when))

    def _again(self, name: str, now: int) -> None:
        if self.on:
            self._moment(name)(now)
            self._next_moment(name, now)

    def _moment(self, name: str) -> Callable[[int], None]:
        return lambda when: self.want(name)

    # --- requests

    def answer(self, request: Request) -> Answer:
        """Execute a request, or not, and answer it, or not."""
        fault = self._fate(request)
        if not fault:
            return self.venue.perform(request)
        self.count(fault)
        if fault in _REFUSALS:
            return self._refused(fault, request)
        return _EFFECTS[fault](self, request)

    def _fate(self, request: Request) -> str:
        words = f"{request.method} {request.path}"
        for name in ("", words):
            self._counts[name] = self._counts.get(name, 0) + 1
        for fault, of in self._wanted:
            if of in ("", words) and self._can(fault, request):
                self._wanted.remove((fault, of))
                return fault
        for one in self.plan.script:
            if self._scripted(one, words):
                return one.fault
        if not self.on:
            return ""
        for fault in OF_REQUESTS:
            chance = getattr(self.plan.requests, fault)
            if chance and self._random.random() < chance and self._can(fault, request):
                return fault
        return ""

    def _scripted(self, one: Scripted, words: str) -> bool:
        return one.request > 0 and one.of in ("", words) and self._counts[one.of] == one.request

    def _can(self, fault: str, request: Request) -> bool:
        place = request.method, request.path
        if fault == "race_2011":
            return place == ("DELETE", "/fapi/v1/order")
        if fault == "hidden_2013":
            return place == ("GET", "/fapi/v1/order") and self._young(request)
        if fault == "code_1015":
            return place in ORDERS
        if fault == "code_1008":
            return place in ORDERS and request.parameters.values.get("reduceOnly") != "true"
        return True

    def _young(self, request: Request) -> bool:
        wanted = {request.parameters.values.get("origClientOrderId", ""), request.parameters.values.get("orderId", "")} - {""}
        return any(
            self.venue.now - order.created < HIDDEN_NS and {order.client_id, str(order.id)} & wanted
            for account in self.venue.accounts.values()
            for order in account.orders.values()
        )

    def _refused(self, fault: str, request: Request) -> Answer:
        limits, address = self.venue.settings.limits, request.address
        if fault == "banned":
            until = self.venue.now + self.plan.requests.banned_ms * MS
            self.venue.counters.ban(address, until)
            return self.venue.refusal(self.venue.counters.banned(until), address)
        words = {"code_1003": (address, limits.weight_minute), "code_1015": (limits.orders_minute, "1 MINUTE")}
        made = _REFUSALS[fault]
        refused = made if isinstance(made, Refused) else Refused(made, *words.get(fault, ()))
        return self.venue.refusal(refused, request.address)

    def _lost(self, request: Request) -> Answer:
        return self.venue.perform(request)._replace(lost=True)

    def _never(self, request: Request) -> Answer:
        return Answer(0, {}, b"", lost=True)

    def _late(self, request: Request) -> Answer:
        when = self.venue.now + int(self._random.random() * self.plan.requests.late_ms * MS)

        def arrives(then: int) -> None:
            self.venue.perform(request)

        self.venue.agenda.at(when, arrives)
        return Answer(0, {}, b"", lost=True)

    def _slow(self, request: Request) -> Answer:
        answer = self.venue.perform(request)
        return answer._replace(delay_ns=answer.delay_ns + int(self._random.random() * self.plan.requests.slow_ms * MS))

    def _unknown(self, refused: Refused) -> Callable[[Request], Answer]:
        def answered(request: Request) -> Answer:
            if self._random.random() < 0.5:
                self.venue.perform(request)
            return self.venue.refusal(refused, request.address)

        return answered

    def _race(self, request: Request) -> Answer:
        self.venue.perform(request)
        return self.venue.refusal(Refused(-2011), request.address)

    def _forbidden(self, request: Request) -> Answer:
        return Answer(403, {"Content-Type": "text/html"}, FIREWALL)


_REFUSALS: Final[Mapping[str, int | Refused]] = {
    "unavailable_503": Refused(-1000, text=UNAVAILABLE, status=503),
    "code_1001": -1001,
    "code_1003": -1003,
    "code_1008": -1008,
    "code_1015": -1015,
    "code_1021": -1021,
    "banned": -1003,
    "hidden_2013": -2013,
}
_EFFECTS: Final[Mapping[str, Callable[[Faults, Request], Answer]]] = {
    "answer_lost": Faults._lost,
    "never_arrived": Faults._never,
    "late": Faults._late,
    "slow_answer": Faults._slow,
    "unknown_503": lambda faults, request: faults._unknown(Refused(-1000, text=UNKNOWN, status=503))(request),
    "code_1000": lambda faults, request: faults._unknown(Refused(-1000))(request),
    "code_1006": lambda faults, request: faults._unknown(Refused(-1006))(request),
    "code_1007": lambda faults, request: faults._unknown(Refused(-1007))(request),
    "race_2011": Faults._race,
    "forbidden": Faults._forbidden,
}
