"""Whole runs under seeded faults: nothing lost, nothing doubled, all doubts decided; and the checkers see what is planted."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from core.message import NewOrderSingle
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
@pytest.mark.timeout(1_800)
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
@pytest.mark.timeout(1_800)
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


def test_orders_leave_under_their_own_ids_only_once() -> None:
    world = World(7)
    world.run()
    sent = [one.cl_ord_id for one in world.left if isinstance(one, NewOrderSingle)]
    assert len(sent) == len(set(sent)) > 50
