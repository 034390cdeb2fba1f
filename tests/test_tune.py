"""A sweep from grid to page: one row a set and day whatever the blocks and workers, whatever was killed when."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from actors.backtest import backtest
from actors.cli.main import main
from actors.errors import UserError
from actors.graph import read
from actors.sweep import read_rows
from actors.tasks import job
from actors.trials import offers
from actors.tune import Sweep, sweep_job, tune
from tests.conftest import ROOT
from tests.days import DAY_S, graph

GRID = ("strategy.order_qty=0.01,0.02", "queue.model=risk,front")
MAKER = ROOT / "strategies" / "market_maker.toml"
NEAR = ("strategy.adj1=0.2", "strategy.observe_s=5")
MAKER_GRID = ("strategy.adj2=0.1,0.2,0.5", "latency.order_entry_us=500,5000")
DAYS = "2024-01-01:2024-01-02"


def run(folder: Path, store: Path, *grid: str, overrides: tuple[str, ...] = (), days: str = DAYS, **options: Any) -> Sweep:
    work = sweep_job(graph(folder), store, grid or GRID, overrides, days)
    return tune(work, folder / "results", **{"ray": False, **options})


def timeless(sweep: Sweep) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in sweep.rows]


def test_every_set_and_day_is_a_row_and_says_what_a_backtest_of_it_says(tmp_path: Path, small_store: Path) -> None:
    found = run(tmp_path, small_store)
    assert [(row["set"], row["day"]) for row in found.rows] == [(k, day) for k in (1, 2, 3, 4) for day in list(DAY_S)[:2]]
    plan = read(graph(tmp_path), ["strategy.order_qty=0.02", "queue.model=risk"])
    alone = backtest(job(plan, small_store, DAYS), tmp_path / "alone", ray=False)
    mine = [row for row in found.rows if row["set"] == 3]
    for row, day in zip(mine, alone.days, strict=True):
        assert all(row[name] == day[name] for name in ("digest", "pnl", "fees", "turnover", "fills"))
    by_day = [alone.result.metrics["by_day"][day]["max_drawdown_value"] for day in list(DAY_S)[:2]]
    assert [row["max_drawdown"] for row in mine] == pytest.approx(by_day)
    third = found.sets().loc[3]
    assert third["sharpe"] == pytest.approx(alone.result.metrics["sharpe"])
    assert third["pnl"] == pytest.approx(alone.result.metrics["pnl"])


def test_the_compiled_way_gives_what_the_nodes_give_in_blocks_of_any_size(tmp_path: Path, small_store: Path) -> None:
    assert offers(read(MAKER))
    work = sweep_job(MAKER, small_store, MAKER_GRID, NEAR, DAYS)
    found = [tune(work, tmp_path / str(size), ray=False, block=size) for size in (1, 2, 32)]
    assert timeless(found[0]) == timeless(found[1]) == timeless(found[2])
    plan = read(MAKER, [*NEAR, "strategy.adj2=0.5", "latency.order_entry_us=5000"])
    alone = backtest(job(plan, small_store, DAYS), tmp_path / "alone", ray=False)
    last = [row for row in found[0].rows if row["set"] == 6]
    assert sum(row["fills"] for row in last) > 0
    for row, day in zip(last, alone.days, strict=True):
        assert row["fills"] == day["fills"]
        assert [row[name] for name in ("pnl", "fees", "turnover")] == pytest.approx(
            [day[name] for name in ("pnl", "fees", "turnover")]
        )


def test_the_same_command_goes_on_from_a_line_that_was_cut(tmp_path: Path, small_store: Path) -> None:
    first = run(tmp_path, small_store)
    journal = first.path / "rows.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:3]) + lines[3][:40])
    second = run(tmp_path, small_store, block=1)
    assert second.path == first.path
    assert timeless(second) == timeless(first)
    keys = [
        (row["set"], row["day"])
        for row in map(json.loads, journal.read_bytes().splitlines()[:3] + journal.read_bytes().splitlines()[4:])
    ]
    assert len(keys) == len(set(keys)) == 8
    kept = journal.read_bytes()
    run(tmp_path, small_store)
    assert journal.read_bytes() == kept


def test_another_grid_graph_strategy_or_day_is_another_sweep(tmp_path: Path, small_store: Path) -> None:
    path = graph(tmp_path)

    def name(*grid: str, overrides: tuple[str, ...] = (), days: str = DAYS) -> str:
        return sweep_job(path, small_store, grid or GRID, overrides, days).sweep_id

    known = {name(), name(*GRID[:1]), name(overrides=("fees.maker=0",)), name(days="2024-01-01")}
    assert len(known) == 4
    assert name() in known
    (tmp_path / "joiner.py").write_text((tmp_path / "joiner.py").read_text() + "\n# edited\n")
    assert name() not in known


def test_a_set_that_fails_fails_alone_and_is_tried_again(tmp_path: Path, small_store: Path) -> None:
    grid = (f"strategy.fail_at_s=0,{DAY_S['2024-01-02'] + 5}", "strategy.order_qty=0.01,0.02")
    found = run(tmp_path, small_store, *grid)
    assert [(row["set"], row["day"]) for row in found.failed] == [(3, "2024-01-02"), (4, "2024-01-02")]
    assert found.failed[0]["cause"].startswith("ZeroDivisionError: a price of nothing (joiner.py:")
    assert "in on_timer" in (found.path / "failures.txt").read_text()
    table = found.sets()
    assert table["rank"].dropna().tolist() == [1, 2]
    assert table.loc[3, "days"] == 1
    assert "2 of 4 sets lack days and stand in no ranking." in found.standing.luck.sentences
    assert run(tmp_path, small_store, *grid).rows == found.rows
    assert len((found.path / "rows.jsonl").read_text().splitlines()) == 8 + 2


def test_a_damaged_day_fails_each_set_on_it_in_the_compiled_way_too(tmp_path: Path, small_store: Path) -> None:
    import shutil

    store = tmp_path / "store"
    shutil.copytree(small_store, store)
    work = sweep_job(MAKER, store, MAKER_GRID, NEAR, DAYS)
    broken = store / "binance_usdm/BTCUSDT/2024-01-02.h5"
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    shutil.rmtree(store / "binance_usdm/BTCUSDT/2024-01-02.prepared", ignore_errors=True)
    found = tune(work, tmp_path / "results", ray=False)
    assert {(row["day"], row["status"]) for row in found.rows} == {("2024-01-01", "done"), ("2024-01-02", "failed")}
    assert found.standing.luck.verdict == "nothing to choose"
    assert found.report().exists()


def test_days_and_instruments_are_cells_of_their_own_and_days_add_up(tmp_path: Path, small_store: Path) -> None:
    work = sweep_job(graph(tmp_path), small_store, GRID[:1], (), DAYS, ["BTCUSDT", "ETHUSDT"])
    found = tune(work, tmp_path / "results", ray=False)
    assert len(found.rows) == work.runs == 8
    assert found.sets().loc[1, "pnl"] == pytest.approx(sum(row["pnl"] for row in found.rows if row["set"] == 1))
    assert found.standing.daily.shape == (2, 2)


def test_carried_days_run_in_sequence(tmp_path: Path, small_store: Path) -> None:
    found = run(tmp_path, small_store, GRID[0], overrides=('midnight="carry"',))
    flat = run(tmp_path / "flat", small_store, GRID[0])
    first, second = (row["digest"] for row in found.rows if row["set"] == 1)
    assert first == flat.rows[0]["digest"]
    assert second != flat.rows[1]["digest"]


def test_of_two_rows_the_one_that_is_done_counts(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    base = {"set": 1, "day": "d", "instrument": "i"}
    lines = [{**base, "status": "failed"}, {**base, "status": "done", "digest": "x"}, {**base, "status": "failed"}]
    rows.write_text("".join(json.dumps(one) + "\n" for one in lines) + '{"set": 2, "da')
    assert read_rows(rows) == {(1, "d", "i"): lines[1]}


def test_there_is_a_sweep_or_an_error(tmp_path: Path, small_store: Path) -> None:
    with pytest.raises(UserError, match="no sweep is there"):
        Sweep(tmp_path)
    found = run(tmp_path, small_store, GRID[0], days="2024-01-01")
    with pytest.raises(UserError, match="did you mean 'sharpe'"):
        Sweep(found.path, "sharp")
    with pytest.raises(UserError, match="did you mean 'heat'"):
        found.plot("heet")


def tune_verb(tmp_path: Path, store: Path, *words: str) -> int:
    options = ["--store", str(store), "--results", str(tmp_path / "results"), "--no-ray", "--days", DAYS]
    return main(["tune", "grid", str(graph(tmp_path)), *options, *words])


GRID_WORDS = ("--set-grid", GRID[0], "--set-grid", GRID[1])


def test_the_verb_prints_one_table_the_words_and_where_the_page_is(
    tmp_path: Path, small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune_verb(tmp_path, small_store, *GRID_WORDS) == 0
    said = capsys.readouterr()
    assert "4 sets x 2 days of an instrument = 8 runs" in said.err
    assert "That set " in said.out
    assert "2 days are few" in said.out
    page = next(line for line in said.out.splitlines() if line.startswith("page:"))
    assert Path(page.removeprefix("page:").strip()).exists()
    assert main(["report", "--results", str(tmp_path / "results")]) == 0
    assert capsys.readouterr().out == said.out


def test_json_is_one_object_and_a_resumed_sweep_says_so(
    tmp_path: Path, small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune_verb(tmp_path, small_store, *GRID_WORDS, "--json", "--by", "sharpe") == 0
    first = json.loads(capsys.readouterr().out)
    assert first["by"] == "sharpe"
    assert [row["rank"] for row in first["sets"]] == [1, 2, 3, 4]
    assert {"worst_day", "days_above_median", "neighbours_mean", "strategy.order_qty"} <= set(first["sets"][0])
    assert first["luck"]["verdict"] in ("likely", "possible")
    assert tune_verb(tmp_path, small_store, *GRID_WORDS, "--json", "--by", "sharpe") == 0
    again = capsys.readouterr()
    assert json.loads(again.out) == first
    assert "resumed: 8 of 8 runs were already done" in again.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([], 4, "at least one --set-grid"),
        (["--set-grid", "strategy.order_qtty=1,2"], 4, "did you mean 'order_qty'?"),
        (["--set-grid", "queue.model=risk,logg"], 4, "set 2 (queue.model=logg)"),
        (["--set-grid", "strategy.order_qty=1:2000:1", "--set-grid", "queue.n=1:9:1"], 4, "2000 values"),
        (
            ["--set-grid", "strategy.order_qty=1:999:1", "--set-grid", "queue.n=1,2"],
            4,
            "more than 2,000: narrow the grid, or say --yes",
        ),
        (["--set-grid", "strategy.order_qty=1,2", "--by", "profit"], 4, "--by profit"),
        (["--set-grid", "strategy.order_qty=1,2", "--workers", "0"], 4, "--workers 0"),
        (["--set-grid", "strategy.order_qty=1,2", "--block", "-1"], 4, "--block -1"),
        (["--set-grid", "strategy.order_qty=1,2", "--instruments", "BTCUSDC"], 2, "did you mean 'BTCUSDT'?"),
    ],
)
def test_what_is_wrong_is_one_line(
    words: list[str], code: int, says: str, tmp_path: Path, small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune_verb(tmp_path, small_store, *words) == code
    said = capsys.readouterr()
    assert says.replace("2000 values", "2,000 values") in said.err
    assert said.err.count("\n") == 1
    assert not said.out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_workers_give_what_one_process_gives_and_a_set_that_kills_them_fails_alone(tmp_path: Path, small_store: Path) -> None:
    grid = (f"strategy.kill_at_s=0,{DAY_S['2024-01-02'] + 5}", "strategy.order_qty=0.01,0.02")
    calm = run(tmp_path, small_store, GRID[0])
    found = run(tmp_path, small_store, *grid, ray=True, workers=2, block=4)
    assert [(row["set"], row["day"]) for row in found.failed] == [(3, "2024-01-02"), (4, "2024-01-02")]
    assert "its worker died" in found.failed[0]["cause"]
    healthy = [row["digest"] for row in found.rows if row["set"] in (1, 2)]
    assert healthy == [row["digest"] for row in calm.rows]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_killed_sweep_goes_on_where_it_was_cut_and_counts_nothing_twice(tmp_path: Path, small_store: Path) -> None:
    flag = tmp_path / "waits"
    grid = [f'strategy.wait_flag="",{flag}', "strategy.order_qty=0.01,0.02,0.03"]
    path = graph(tmp_path)
    code = (
        "import sys; from pathlib import Path; from actors.tune import sweep_job, tune\n"
        "tune(sweep_job(Path(sys.argv[1]), sys.argv[2], sys.argv[4:]), sys.argv[3], 1, block=1)"
    )
    arguments = [sys.executable, "-c", code, str(path), str(small_store), str(tmp_path / "results"), *grid]
    driver = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        if flag.exists() and flag.read_text():
            break
        time.sleep(0.1)
    worker = int(flag.read_text())
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    for _ in range(200):
        if not Path(f"/proc/{worker}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists()
    (folder,) = (tmp_path / "results").iterdir()
    before = (folder / "rows.jsonl").read_bytes()
    assert 0 < before.count(b"\n") < 18
    found = tune(sweep_job(path, small_store, grid), tmp_path / "results", ray=False)
    assert found.path == folder
    assert (folder / "rows.jsonl").read_bytes().startswith(before)
    keys = [(row["set"], row["day"]) for row in map(json.loads, (folder / "rows.jsonl").read_text().splitlines())]
    assert len(keys) == len(set(keys)) == 18
    assert os.environ.get("RAY_ADDRESS") is None
    calm = run(tmp_path / "calm", small_store, grid[1], days="")
    assert [row["digest"] for row in found.rows[:9]] == [row["digest"] for row in calm.rows]
