"""`astrarium backtest` as a user meets it: tables, one JSON object, and one clear line for whatever is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actors.cli.main import main
from tests.days import graph


def backtest(tmp_path: Path, store: Path, *words: str) -> int:
    arguments = [str(graph(tmp_path)), "--store", str(store), "--results", str(tmp_path / "results"), "--no-ray", *words]
    return main(["backtest", *arguments])


def test_json_is_one_object_on_stdout_and_progress_is_elsewhere(
    tmp_path: Path, small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--instruments", "BTCUSDT,ETHUSDT", "--days", "2024-01-01:2024-01-02", "--json")
    assert backtest(tmp_path, small_store, *words) == 0
    first = json.loads(capsys.readouterr().out)
    assert {"run", "metrics", "days"} <= set(first)
    asked = {"day", "instrument", "digest", "fills", "pnl", "events", "seconds", "peak_rss_mb", "status"}
    assert all(asked <= set(day) for day in first["days"])
    assert backtest(tmp_path, small_store, *words) == 0
    again = capsys.readouterr()
    assert json.loads(again.out) == first
    assert again.err == "resumed: 4 of 4 days were already done\n"


def test_the_terminal_gets_one_table_and_where_the_report_is(
    tmp_path: Path, small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest(tmp_path, small_store, "--days", "2024-01-01") == 0
    out = capsys.readouterr().out
    assert "peak memory a worker: " in out
    report = next(line for line in out.splitlines() if line.startswith("report:"))
    assert Path(report.removeprefix("report:").strip()).exists()


def test_a_failed_day_is_named_with_its_cause_and_the_exit_code_says_so(
    tmp_path: Path, small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest(tmp_path, small_store, "--days", "2024-01-01", "--set", "strategy.fail_at_s=1") == 1
    said = capsys.readouterr()
    assert "failed: 2024-01-01 BTCUSDT: ZeroDivisionError: a price of nothing (joiner.py:" in said.out
    assert "failed: 2024-01-01 BTCUSDT: ZeroDivisionError" in said.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--days", "2024-1-1"], 4, "YYYY-MM-DD"),
        (["--days", "2024-01-02:2024-01-01"], 4, "the first day is after the last"),
        (["--days", "2024-01-02:2024-01-09"], 2, "has no day 2024-01-04, 2024-01-05, 2024-01-06, 2024-01-07 and 2 more"),
        (["--days", "2025-01-01"], 2, "the nearest of its 3 are 2024-01-02 and 2024-01-03"),
        (["--instruments", "BTCUSDC"], 2, "did you mean 'BTCUSDT'?"),
        (["--set", "strategy.order_qtty=1"], 4, "did you mean 'order_qty'?"),
        (["--set", "limits.positon=1"], 4, "did you mean 'position'?"),
        (["--set", "strategy"], 4, "key=value"),
        (["--workers", "2"], 4, "--no-ray"),
        (["--worker", "2"], 4, "--workers"),
    ],
)
def test_what_is_wrong_is_one_line(
    words: list[str], code: int, says: str, tmp_path: Path, small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest(tmp_path, small_store, *words) == code
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert not said.out


def test_an_empty_store_and_no_workers_and_no_graph_are_one_line_each(
    tmp_path: Path, small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest(tmp_path, tmp_path / "nothing") == 2
    assert "the store holds no days" in capsys.readouterr().err
    path = graph(tmp_path)
    assert main(["backtest", str(path), "--store", str(small_store), "--workers", "0"]) == 4
    assert "--workers 0" in capsys.readouterr().err
    assert main(["backtest", str(path.with_name("joinr.toml"))]) == 2
    assert "did you mean" in capsys.readouterr().err
