"""Whole runs under seeded faults: nothing lost, nothing doubled, all doubts decided; and the checkers see what is planted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from itertools import count

import pytest

import actors.sim.recovery
import core.gateway
import core.outcome
from actors.sim.session import FaultySession
from core.message import ExecutionReport, Message, NewOrderSingle, Unanswered
from core.node import Node
from core.order import Order
from core.tape import Deaf
from tests.seeds import Tally, corpus, outcomes, run
from tests.world import World

SEEDS = range(12)
PLANT_SEEDS = range(200)
FRESH = range(1_000, 2_000)
WORKERS = 2


def test_no_seed_breaks_a_promise() -> None:
    broken = {seed: outcome.violations for seed in SEEDS if (outcome := run(seed)).violations}
    assert not broken


def test_no_seed_that_ever_failed_fails_again() -> None:
    broken = {seed: outcome.violations for seed in corpus() if (outcome := run(seed)).violations}
    assert not broken


@pytest.mark.slow
def test_no_seed_of_a_thousand_breaks_a_promise_and_every_fault_and_every_pair_of_them_happens_often_enough() -> None:
    tally = Tally()
    for outcome in outcomes(FRESH, WORKERS):
        tally.add(outcome)
    assert not {one.seed: one.violations for one in tally.failed}
    assert tally.least >= 5_000
    assert not tally.rare()


def test_the_same_seed_runs_the_same_and_another_one_does_not() -> None:
    first, again, other = run(3), run(3), run(4)
    assert first.digest == again.digest
    assert first.digest != other.digest


@pytest.mark.slow
def test_a_hundred_seeds_run_the_same_in_every_process_whatever_its_hash_seed_and_none_like_another() -> None:
    code = "from tests.seeds import run; print(*(run(seed).digest for seed in range(100)))"
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(told) == 1
    assert len(set(told.pop().split())) == 100


def test_a_run_trades() -> None:
    outcome = run(5)
    assert outcome.messages > 5_000
    assert outcome.executions > 20


def caught(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Some seed of the first forty breaks a promise whose name begins so."""
    for seed in PLANT_SEEDS:
        try:
            violations = World(seed).run()
        except (AssertionError, KeyError) as error:
            violations = [f"crash: {error!r}"]
        if any(one.startswith(what) for one in violations):
            return
    pytest.fail(f"the planted bug was not seen as {what} in {len(PLANT_SEEDS)} seeds")


def test_a_timeout_that_is_taken_for_a_reject_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def rejected(self: core.gateway.Gateway, now: int, message: Unanswered) -> None:
        order = self.orders.get(message.cl_ord_id)
        if order is not None and not order.acknowledged:
            report = core.outcome._as(
                order, ExecutionReport(order.symbol), core.outcome.ExecType.REJECTED, core.outcome.OrdStatus.REJECTED
            )
            self.on(now, report)

    monkeypatch.setitem(core.gateway._ROUTES, Unanswered, rejected)  # type: ignore[arg-type]
    caught(monkeypatch, "I4")


def test_an_order_sent_again_after_a_timeout_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def again(self: core.gateway.Gateway, now: int, message: Unanswered) -> None:
        order = self.orders.get(message.cl_ord_id)
        if order is not None:
            self._outbox.send(order.request)

    monkeypatch.setitem(core.gateway._ROUTES, Unanswered, again)  # type: ignore[arg-type]
    caught(monkeypatch, "H1")


def test_absence_believed_at_once_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.outcome.Inquiry, "late", lambda self, cl_ord_id, now: True)
    caught(monkeypatch, "I")


def test_a_gateway_that_never_asks_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.gateway.Gateway, "_ask", lambda self, now, order: None)
    caught(monkeypatch, "I15")


def test_a_gateway_that_does_not_reconcile_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(core.gateway._TIMERS, "reconcile", lambda self, now: None)  # type: ignore[arg-type]
    caught(monkeypatch, "I")


def test_executions_counted_twice_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    arrive = FaultySession._say

    def renamed(self: FaultySession, at: int, message: Message) -> None:
        if isinstance(message, ExecutionReport) and message.exec_id:
            message.exec_id += f"@{at}"
        arrive(self, at, message)

    monkeypatch.setattr(FaultySession, "_say", renamed)
    caught(monkeypatch, "I1")


def test_a_cancel_that_is_refused_as_unknown_and_taken_for_done_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Order.on_cancel_reject

    def ended(self: Order, reject: object) -> bool:
        known = real(self, reject)  # type: ignore[arg-type]
        if reject.cxl_rej_reason == core.gateway.UNKNOWN_ORDER:  # type: ignore[attr-defined]
            self._finish(
                core.outcome._as(
                    self, ExecutionReport(self.symbol), core.outcome.ExecType.CANCELED, core.outcome.OrdStatus.CANCELED
                )
            )
        return known

    monkeypatch.setattr(Order, "on_cancel_reject", ended)
    caught(monkeypatch, "I")


def test_limits_that_ignore_what_is_unknown_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.risk import Risk

    real = Risk.on

    def forgetful(self: Risk, now: int, message: Message) -> None:
        real(self, now, message)
        if isinstance(message, Unanswered):
            self.working._take(message.cl_ord_id)
            self.working._doubted.clear()

    monkeypatch.setattr(Risk, "on", forgetful)
    caught(monkeypatch, "I")


def test_limits_that_ignore_what_is_open_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.risk import Risk

    monkeypatch.setattr(Risk, "exposed", lambda self, symbol, side: self.ledger.position(symbol))
    caught(monkeypatch, "I5")


def test_an_account_that_comes_back_empty_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def empty(nodes: Mapping[str, Node], entries: object) -> None:
        for node in nodes.values():
            node.bind(Deaf())

    monkeypatch.setattr(actors.sim.recovery, "recall", empty)
    caught(monkeypatch, "I")


def test_a_gateway_that_comes_back_and_asks_nothing_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(core.gateway._TIMERS, "recover", lambda self, now: None)  # type: ignore[arg-type]
    caught(monkeypatch, "I")


def test_a_node_whose_answer_depends_on_more_than_its_inputs_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = count()
    real = core.gateway.Gateway._ask

    def impure(self: core.gateway.Gateway, now: int, order: Order) -> None:
        real(self, now + next(ids), order)

    monkeypatch.setattr(core.gateway.Gateway, "_ask", impure)
    caught(monkeypatch, "I6")


def test_orders_leave_under_their_own_ids_only_once() -> None:
    world = World(7)
    world.run()
    sent = [one.cl_ord_id for one in world.left if isinstance(one, NewOrderSingle)]
    assert len(sent) == len(set(sent)) > 50
