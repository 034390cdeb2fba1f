"""Bugs planted on purpose, each as somebody might really write it: checkers that miss one of them are not worth their time.

A plant is a patch of the code under test and what the checkers must say of it. `tests/test_planted.py` runs seeds until they do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final

import msgspec
import pytest
from msgspec import Struct

import actors.sim.recovery
import core.gateway
import core.risk.controls
import core.strategy
from actors.sim.clock import HostClock
from actors.sim.link import FaultyLink
from actors.sim.session import FaultySession
from actors.sim.storm import StormPlace
from core.account import Account
from core.gateway import Gateway
from core.mailbox import Mailbox
from core.message import (
    ExecType,
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrdStatus,
    PositionReport,
    Tick,
    Unanswered,
)
from core.node import Node
from core.normalizer import Normalizer
from core.order import Order
from core.outcome import Inquiry, _as
from core.risk.guard import Guard
from core.risk.judge import Risk
from core.risk.working import WorkingOrders
from core.tape import Deaf, Recalled

Patch = pytest.MonkeyPatch


class Plant(Struct, frozen=True):
    """One bug: its name, how the finding begins, and how it is planted."""

    name: str
    found_as: str
    plant: Callable[[Patch], None]


PLANTS: Final[list[Plant]] = []


def planted(found_as: str) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Enter a plant in the list."""

    def enter(plant: Callable[[Patch], None]) -> Callable[[Patch], None]:
        PLANTS.append(Plant(plant.__name__, found_as, plant))
        return plant

    return enter


# --- requests whose outcome is unknown


@planted("I")
def a_timeout_is_a_reject(patch: Patch) -> None:
    def rejected(self: Gateway, now: int, message: Unanswered) -> None:
        order = self.orders.get(message.cl_ord_id)
        if order is not None and not order.acknowledged:
            self.on(now, _as(order, ExecutionReport(order.symbol), ExecType.REJECTED, OrdStatus.REJECTED))

    patch.setitem(core.gateway._ROUTES, Unanswered, rejected)  # type: ignore[arg-type]


@planted("H1")
def an_order_is_sent_again_after_a_timeout(patch: Patch) -> None:
    def again(self: Gateway, now: int, message: Unanswered) -> None:
        order = self.orders.get(message.cl_ord_id)
        if order is not None:
            self._outbox.send(order.request)

    patch.setitem(core.gateway._ROUTES, Unanswered, again)  # type: ignore[arg-type]


@planted("I8")
def an_order_is_sent_again_under_a_new_id(patch: Patch) -> None:
    def again(self: Gateway, now: int, message: Unanswered) -> None:
        order = self.orders.get(message.cl_ord_id)
        if order is not None and not order.acknowledged:
            self._outbox.send(msgspec.structs.replace(order.request, cl_ord_id=f"{message.cl_ord_id}-again"))

    patch.setitem(core.gateway._ROUTES, Unanswered, again)  # type: ignore[arg-type]


@planted("I")
def absence_is_believed_at_once(patch: Patch) -> None:
    patch.setattr(Inquiry, "late", lambda self, cl_ord_id, now: True)


@planted("I15")
def the_gateway_never_asks(patch: Patch) -> None:
    patch.setattr(Gateway, "_ask", lambda self, now, order: None)


@planted("I")
def the_gateway_does_not_reconcile(patch: Patch) -> None:
    patch.setitem(core.gateway._TIMERS, "reconcile", lambda self, now: None)  # type: ignore[arg-type]


@planted("I")
def a_cancel_that_found_nothing_is_taken_for_done(patch: Patch) -> None:
    real = Order.on_cancel_reject

    def ended(self: Order, reject: OrderCancelReject) -> bool:
        known = real(self, reject)
        if reject.cxl_rej_reason == core.gateway.UNKNOWN_ORDER:
            self._finish(_as(self, ExecutionReport(self.symbol), ExecType.CANCELED, OrdStatus.CANCELED))
        return known

    patch.setattr(Order, "on_cancel_reject", ended)


# --- reports


@planted("I")
def executions_are_not_deduplicated(patch: Patch) -> None:
    arrive = FaultySession._say

    def renamed(self: FaultySession, at: int, message: Message) -> None:
        if isinstance(message, ExecutionReport) and message.exec_id:
            message.exec_id += f"@{at}"
        arrive(self, at, message)

    patch.setattr(FaultySession, "_say", renamed)


@planted("I4")
def a_replace_report_is_lost(patch: Patch) -> None:
    real = Gateway._report

    def deaf(self: Gateway, now: int, report: ExecutionReport) -> None:
        if report.exec_type != ExecType.REPLACED:
            real(self, now, report)

    patch.setitem(core.gateway._ROUTES, ExecutionReport, deaf)  # type: ignore[arg-type]


@planted("I13")
def fees_are_forgotten(patch: Patch) -> None:
    real = Account._fold

    def free(self: Account, report: ExecutionReport) -> None:
        real(self, msgspec.structs.replace(report, commission_e8=0))

    patch.setattr(Account, "_fold", free)


# --- limits and stops


@planted("I5")
def limits_ignore_what_is_open(patch: Patch) -> None:
    patch.setattr(Risk, "exposed", lambda self, symbol, side, strategy=None: self.ledger.position(symbol))


@planted("I")
def limits_ignore_what_is_unknown(patch: Patch) -> None:
    patch.setattr(WorkingOrders, "doubt", lambda self, message: self._take(message.cl_ord_id))


@planted("I8")
def the_gateway_changes_what_risk_approved(patch: Patch) -> None:
    real = Gateway._new

    def dearer(self: Gateway, now: int, request: NewOrderSingle) -> None:
        real(self, now, msgspec.structs.replace(request, price=request.price + 1) if request.order_qty == 3 else request)

    patch.setitem(core.gateway._ROUTES, NewOrderSingle, dearer)  # type: ignore[arg-type]


@planted("I12")
def nobody_minds_the_kill_switch(patch: Patch) -> None:
    patch.setitem(core.risk.controls.VERBS, "kill", lambda risk, now, message: None)  # type: ignore[arg-type]


@planted("I12")
def a_silent_market_is_traded(patch: Patch) -> None:
    patch.setattr(Guard, "_stale", lambda self, now, symbol: False)


# --- the tape


@planted("E1")
def orders_leave_before_they_are_written(patch: Patch) -> None:
    real = StormPlace._let_go

    def hasty(self: StormPlace, seat: Any, time: int, now: int, entry: bytes, busy_ns: int) -> int:
        for message in seat.sent:
            for target in seat.routes[type(message)](message):
                if isinstance(target, FaultySession):
                    target.arrive(time, message)
        return real(self, seat, time, now, entry, busy_ns)

    patch.setattr(StormPlace, "_let_go", hasty)


@planted("E1")
def orders_leave_though_the_disk_is_full(patch: Patch) -> None:
    real = StormPlace._leave

    def anyway(self: StormPlace, at: int, target: Any, message: Message) -> None:
        unwritten, self.unwritten = self.unwritten, []
        real(self, at, target, message)
        self.unwritten = unwritten

    patch.setattr(StormPlace, "_leave", anyway)


@planted("I")
def the_account_comes_back_empty(patch: Patch) -> None:
    def empty(nodes: Mapping[str, Node], entries: object, within: object) -> Recalled:
        for node in nodes.values():
            node.bind(Deaf())
        return Recalled()

    patch.setattr(actors.sim.recovery, "recall", empty)


@planted("I")
def the_account_comes_back_and_asks_nothing(patch: Patch) -> None:
    patch.setitem(core.gateway._TIMERS, "recover", lambda self, now: None)  # type: ignore[arg-type]


@planted("I6")
def an_answer_depends_on_more_than_its_inputs(patch: Patch) -> None:
    ids, real = count(), Gateway._ask

    def impure(self: Gateway, now: int, order: Order) -> None:
        real(self, now + next(ids), order)

    patch.setattr(Gateway, "_ask", impure)


# --- strategies that die


@planted("I3")
def a_fresh_strategy_does_not_hear_what_it_holds(patch: Patch) -> None:
    patch.setitem(core.strategy._ROUTES, PositionReport, lambda self, report: None)  # type: ignore[arg-type]


@planted("I")
def a_dead_strategys_orders_work_on(patch: Patch) -> None:
    patch.setattr(Risk, "cancel", lambda self, now, strategy: None)
    patch.setattr(WorkingOrders, "owned", lambda self, strategy: False)


# --- market data, links, clocks


@planted("book")
def a_gap_is_not_noticed(patch: Patch) -> None:
    real = Normalizer.on_frame

    def trusting(self: Normalizer, now: int, received: int, frame: bytes) -> None:
        head, found, rest = frame.partition(b'"pu":')
        if found and self.sync.whole:
            frame = head + found + str(self.sync.update_id).encode() + rest[rest.index(b",") :]
        real(self, now, received, frame)

    patch.setattr(Normalizer, "on_frame", trusting)


@planted("I11")
def an_older_tick_is_acted_on(patch: Patch) -> None:
    real, turn = Mailbox._deliver, count()
    before: list[Tick] = []

    def reheated(self: Mailbox, tick: Tick, now: int) -> Tick:
        before.append(real(self, tick, now))
        return before[-3] if len(before) > 3 and next(turn) % 50 == 0 else tick

    patch.setattr(Mailbox, "_deliver", reheated)


@planted("I14")
def ticks_are_queued(patch: Patch) -> None:
    patch.setattr(Mailbox, "put_tick", lambda self, tick: self._every.append(tick))


@planted("I10")
def the_every_lane_loses_what_falls_into_a_break(patch: Patch) -> None:
    real = FaultyLink.bring

    def lossy(self: FaultyLink, leaves: int, source: str, place: str, target: Any, message: Message) -> None:
        if self._broken.get((source, place), 0) <= leaves:
            real(self, leaves, source, place, target, message)

    patch.setattr(FaultyLink, "bring", lossy)


@planted("I10")
def messages_overtake_each_other(patch: Patch) -> None:
    real = FaultyLink.bring

    def unordered(self: FaultyLink, *given: Any) -> None:
        self._last.clear()
        real(self, *given)

    patch.setattr(FaultyLink, "bring", unordered)


@planted("clock")
def now_is_the_wall_clocks(patch: Patch) -> None:
    patch.setattr(HostClock, "at", HostClock.wall)
