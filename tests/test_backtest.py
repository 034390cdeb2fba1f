"""A backtest in one process: what is done stays, what fails is named, what is the same is found again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from actors.backtest import Outcome, backtest
from actors.graph import read
from actors.tasks import job
from tests.days import DAY_S, graph

DAYS = "2024-01-01:2024-01-03"


def run(folder: Path, store: Path, *overrides: str, midnight: str = "flat", days: str = DAYS, **options: Any) -> Outcome:
    plan = read(graph(folder, midnight), overrides)
    return backtest(job(plan, store, days, options.pop("instruments", ())), folder / "results", ray=False, **options)


def digests(outcome: Outcome) -> list[str]:
    return [day["digest"] for day in outcome.days]


def test_every_day_and_instrument_is_a_row_with_its_digest(tmp_path: Path, small_store: Path) -> None:
    outcome = run(tmp_path, small_store, instruments=["BTCUSDT", "ETHUSDT"])
    rows = outcome.json()["days"]
    assert [(row["day"], row["instrument"]) for row in rows] == [(day, s) for day in DAY_S for s in ("BTCUSDT", "ETHUSDT")]
    assert all(row["status"] == "done" and row["fills"] > 0 and row["events"] > 9_000 for row in rows)
    assert len(set(digests(outcome))) == 6
    assert (outcome.result.path / "report.html").exists()
    assert outcome.json()["metrics"]["trades"] == sum(row["fills"] for row in rows)


def test_the_same_command_again_does_nothing_and_says_the_same(tmp_path: Path, small_store: Path) -> None:
    first = run(tmp_path, small_store)
    kept = {path: path.stat().st_mtime_ns for path in first.result.path.rglob("*") if path.is_file()}
    second = run(tmp_path, small_store)
    assert (first.resumed, second.resumed) == (0, 3)
    assert second.json() == first.json()
    assert kept == {path: path.stat().st_mtime_ns for path in second.result.path.rglob("*") if path.is_file()}


def test_only_what_is_missing_is_done_again(tmp_path: Path, small_store: Path) -> None:
    first = run(tmp_path, small_store)
    folder = first.result.path / "days" / "2024-01-02_BTCUSDT"
    shutil.rmtree(folder)
    (folder.parent / ".2024-01-02_BTCUSDT.1.part").mkdir()
    second = run(tmp_path, small_store)
    assert second.resumed == 2
    assert digests(second) == digests(first)


def test_other_parameters_strategies_days_or_data_are_another_run(tmp_path: Path, small_store: Path) -> None:
    plan = read(graph(tmp_path))
    known = {job(plan, small_store, DAYS).run_id}

    def fresh(one: str) -> bool:
        return one not in known and not known.add(one)

    assert job(read(graph(tmp_path)), small_store, DAYS).run_id in known
    assert fresh(job(read(graph(tmp_path), ["strategy.order_qty=0.02"]), small_store, DAYS).run_id)
    assert fresh(job(plan, small_store, "2024-01-01").run_id)
    assert fresh(job(plan, small_store, DAYS, ["ETHUSDT"]).run_id)
    other = tmp_path / "other"
    shutil.copytree(small_store, other)
    assert job(plan, other, DAYS).run_id in known
    shutil.copy(other / "binance_usdm/BTCUSDT/2024-01-02.h5", other / "binance_usdm/BTCUSDT/2024-01-03.h5")
    assert fresh(job(plan, other, DAYS).run_id)
    strategy = tmp_path / "joiner.py"
    strategy.write_text(strategy.read_text() + "\n# edited\n")
    assert fresh(job(plan, small_store, DAYS).run_id)


def test_a_strategy_that_raises_fails_its_day_and_the_rest_completes(tmp_path: Path, small_store: Path) -> None:
    begins = DAY_S["2024-01-03"]
    outcome = run(tmp_path, small_store, f"strategy.fail_at_s={begins + 10}")
    assert [day["status"] for day in outcome.days] == ["done", "done", "failed"]
    (failed,) = outcome.failed
    assert failed["cause"].startswith("ZeroDivisionError: a price of nothing (joiner.py:")
    assert "\n" not in failed["cause"]
    assert "in on_timer" in (outcome.result.path / "days" / "2024-01-03_BTCUSDT" / "failure.txt").read_text()


def test_a_failed_day_is_tried_again(tmp_path: Path, small_store: Path) -> None:
    first = run(tmp_path, small_store, f"strategy.fail_at_s={DAY_S['2024-01-03'] + 10}")
    again = run(tmp_path, small_store, f"strategy.fail_at_s={DAY_S['2024-01-03'] + 10}")
    assert (first.resumed, again.resumed) == (0, 2)
    assert len(again.failed) == 1


def test_a_damaged_day_is_named_and_the_rest_completes(tmp_path: Path, small_store: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(small_store, store)
    broken = store / "binance_usdm/BTCUSDT/2024-01-02.h5"
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    outcome = run(tmp_path, store)
    assert [day["status"] for day in outcome.days] == ["done", "failed", "done"]
    assert "2024-01-02.h5" in outcome.failed[0]["cause"]
    assert "\n" not in outcome.failed[0]["cause"]


def test_when_every_day_fails_there_is_still_a_report(tmp_path: Path, small_store: Path) -> None:
    outcome = run(tmp_path, small_store, "strategy.fail_at_s=1")
    assert len(outcome.failed) == 3
    assert (outcome.result.path / "report.html").exists()


def test_carried_days_go_on_from_each_other_and_flat_ones_do_not(tmp_path: Path, small_store: Path) -> None:
    flat, carried = run(tmp_path / "a", small_store), run(tmp_path / "b", small_store, midnight="carry")
    assert digests(flat)[0] == digests(carried)[0]
    assert digests(flat)[1:] != digests(carried)[1:]
    assert [day["status"] for day in carried.days] == ["done"] * 3
    alone = run(tmp_path / "c", small_store, days="2024-01-02")
    assert digests(alone) == digests(flat)[1:2]


def test_a_failure_under_carry_takes_the_later_days_with_it(tmp_path: Path, small_store: Path) -> None:
    outcome = run(tmp_path, small_store, f"strategy.fail_at_s={DAY_S['2024-01-02'] + 5}", midnight="carry")
    assert [day["status"] for day in outcome.days] == ["done", "failed", "failed"]
    assert outcome.days[2]["cause"].startswith("not simulated: 2024-01-02 failed")


def test_a_cut_sequence_repeats_what_it_had_done(tmp_path: Path, small_store: Path) -> None:
    first = run(tmp_path, small_store, midnight="carry")
    shutil.rmtree(first.result.path / "days" / "2024-01-03_BTCUSDT")
    again = run(tmp_path, small_store, midnight="carry")
    assert again.resumed == 0
    assert digests(again) == digests(first)


@pytest.mark.parametrize("minutes", [1])
def test_a_warmed_day_depends_on_the_day_before(tmp_path: Path, small_store: Path, minutes: int) -> None:
    plan = read(graph(tmp_path, f"warmup={minutes}"))
    assert "binance_usdm:BTCUSDT 2024-01-01" in job(plan, small_store, "2024-01-02").data
    assert "binance_usdm:BTCUSDT 2024-01-01" not in job(read(graph(tmp_path)), small_store, "2024-01-02").data
    outcome = run(tmp_path, small_store, midnight=f"warmup={minutes}", days="2024-01-02")
    assert outcome.days[0]["status"] == "done"
