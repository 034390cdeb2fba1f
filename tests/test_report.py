"""A run's folder, read: figures by day and instrument, tables, plots, the page and the verb that shows them."""

from __future__ import annotations

import html.parser
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from actors.cli.main import main
from actors.errors import UserError
from actors.report import Run, write_report
from actors.report.series import GAP_NS, MARKERS, Material, thin, typical
from actors.report.words import summary_table
from actors.results import Result, RunFolder, filed
from tests.runs import begin, day, failed, made

SECTIONS = (
    "Equity", "Drawdown", "Profit by day and instrument", "Where the profit came from", "Spread captured", "Fees and funding",
    "Inventory", "Fills on the price: BTCUSDT", "Quotes against the market: BTCUSDT", "Fills on the price: ETHUSDT",
    "Quotes against the market: ETHUSDT", "Figures", "By day and instrument", "Days as they were simulated", "Assumptions",
    "Strategy and limits", "Orders sent", "Hashes", "Versions",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two days of two instruments, five minutes each, and a third day that failed."""
    path = made(tmp_path_factory.mktemp("results") / "made_up-0123")
    folder = RunFolder(path)
    folder.write_failure(failed("2024-07-20", ["BTCUSDT"], "a <b>bad</b> day"), "Traceback ...")
    folder.finish()
    write_report(Result(path))
    return Run(path)


class Page(html.parser.HTMLParser):
    """What a browser would fetch, which headings there are, and the plots' data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.headings: list[str] = []
        self.plots: list[dict[str, Any]] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "srcset", "action", "data")]
        self.fetched += [given["href"] or ""] if tag in ("link", "base") else []
        self._inside = "plot" if given.get("type") == "application/json" else tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "h2":
            self.headings.append(data)
        elif self._inside == "plot":
            self.plots.append(json.loads(data))


@pytest.fixture(scope="module")
def page(run: Run) -> Page:
    return Page(run.report().read_text())


def numbers(document: Any) -> list[float]:
    if isinstance(document, dict):
        return [one for value in document.values() for one in numbers(value)]
    if isinstance(document, list):
        return [one for value in document for one in numbers(value)]
    return [document] if isinstance(document, float) else []


def test_parts_add_up_to_the_whole(run: Run) -> None:
    figures = run.metrics
    for name in ("pnl", "gross_pnl", "spread_captured", "inventory_pnl", "fees", "funding", "turnover", "trades"):
        whole = pytest.approx(figures[name])
        assert sum(one[name] for one in figures["by_instrument"].values()) == whole
        assert sum(one[name] for one in figures["by_day"].values()) == whole
        assert sum(one[name] for one in figures["by_day_and_instrument"]) == whole
    assert figures["pnl"] == pytest.approx(sum(one["pnl"] for one in run.done))
    assert figures["pnl"] == pytest.approx(figures["gross_pnl"] - figures["fees"] + figures["funding"])
    assert figures["gross_pnl"] == pytest.approx(figures["spread_captured"] + figures["inventory_pnl"])
    assert (figures["days"], figures["days_failed"]) == (2, 1)


def test_metrics_hold_every_figure_every_assumption_and_no_infinity(run: Run) -> None:
    text = (run.path / "metrics.json").read_text()
    assert not re.search(r"NaN|Infinity", text)
    assert all(math.isfinite(one) for one in numbers(json.loads(text)))
    wanted = (
        "total_return annualised_return volatility sharpe sortino calmar max_drawdown trades_a_day turnover win_rate "
        "profit_factor max_leverage median_leverage return_over_trade capital samples sample_s annualised_over_days "
        "events_a_second ticks_received ticks_replaced greatest_age_ms assumptions notes"
    )
    assert set(wanted.split()) <= set(run.metrics)
    assert set(run.metrics["assumptions"]) == {"feed latency", "order latency", "queue model", "fees", "busy time", "midnight"}


def test_tables_are_data_frames_by_nanoseconds_of_utc(run: Run) -> None:
    for frame in (run.fills(), run.equity(), run.days()):
        assert isinstance(frame.index, pd.DatetimeIndex)
        assert str(frame.index.dtype) == "datetime64[ns, UTC]"
        assert frame.index.is_monotonic_increasing
    assert len(run.fills()) == run.metrics["trades"]
    assert set(run.equity()["symbol"]) == {"BTCUSDT", "ETHUSDT"}
    assert run.days()["status"].tolist() == ["done"] * 4 + ["failed"]
    assert run.table().loc["trades", "all"] == f"{run.metrics['trades']:,}"


@pytest.mark.parametrize("name", ["equity", "days", "sources", "captured", "fees", "inventory", "price", "quotes"])
def test_each_plot_is_one_call(run: Run, name: str) -> None:
    assert len(run.plot(name).data) > 0


def test_a_wrong_plot_or_instrument_is_answered_with_the_nearest(run: Run) -> None:
    with pytest.raises(UserError, match="'inventory'"):
        run.plot("inventry")
    with pytest.raises(UserError, match="'BTCUSDT'"):
        run.plot("price", "BTCUSD")


def test_the_page_has_all_sections_and_needs_no_network(run: Run, page: Page) -> None:
    text = run.report().read_text()
    assert page.fetched == []
    assert "default-src 'none'" in text
    assert [one for one in SECTIONS if one not in page.headings] == []
    assert len(page.plots) == 11
    assert text.count("plotly.js v") == 1
    assert len(text) < 8_000_000
    for said in ("1000 µs to the exchange", "power n=3", "c0de", "da7a", "7.5 ms", "36,000"):
        assert said in text


def test_a_failed_day_is_on_the_page_with_its_cause_escaped(run: Run, page: Page) -> None:
    assert "Days that failed" in page.headings
    assert "a &lt;b&gt;bad&lt;/b&gt; day" in run.report().read_text()


def test_a_run_without_a_single_day_has_a_page_and_figures_too(tmp_path: Path) -> None:
    folder = begin(tmp_path / "r")
    folder.write_failure(failed("2024-07-18", ["BTCUSDT"], "gone"), "")
    folder.finish()
    empty = Run(tmp_path / "r")
    assert "no day was completed" in empty.report().read_text()
    assert empty.metrics["sharpe"] is None
    assert (len(empty.fills()), len(empty.equity()), len(empty.days())) == (0, 0, 1)
    assert len(empty.plot().data) == 2
    summary_table(empty)


def test_a_day_without_fills_has_a_page(tmp_path: Path) -> None:
    quiet = day("2024-07-18", ["BTCUSDT"], minutes=2)
    nothing = {name: values[:0] for name, values in quiet.fills.items()}
    still = {**quiet.equity, **{name: quiet.equity[name] * 0 for name in ("position", "cash", "equity", "fees", "notional")}}
    still |= {"own_bid": np.full(len(still["mid"]), np.nan), "own_ask": np.full(len(still["mid"]), np.nan)}
    folder = begin(tmp_path / "r")
    folder.write_day(filed(type(quiet)(quiet.summary, nothing, still)))
    folder.finish()
    run = Run(tmp_path / "r")
    assert run.metrics["trades"] == 0
    assert run.metrics["return_over_trade"] is run.metrics["sharpe"] is None
    assert "at no sample was there a quote of ours" in run.report().read_text()


def test_carried_days_are_one_sequence(tmp_path: Path) -> None:
    folder = begin(tmp_path / "r", "carry")
    first = day("2024-07-18", ["BTCUSDT"])
    ended = {name: float(first.equity[name][-1]) for name in ("position", "cash", "fees", "funding", "equity")}
    second = day("2024-07-19", ["BTCUSDT"], **ended)
    for one in (first, second):
        folder.write_day(filed(one))
    folder.finish()
    figures = Result(tmp_path / "r").metrics
    assert figures["pnl"] == pytest.approx(float(second.equity["equity"][-1]))
    assert [one["pnl"] for one in figures["by_day"].values()] == pytest.approx([first.summary["pnl"], second.summary["pnl"]])
    assert figures["fees"] == pytest.approx(first.summary["fees"] + second.summary["fees"])
    material = Material(Result(tmp_path / "r"))
    assert material.summed(lambda one: one.fills["fee"]).profit == pytest.approx(figures["fees"])
    assert material.summed(lambda one: one.edge).profit == pytest.approx(figures["spread_captured"])


def test_a_thinned_line_keeps_its_extremes_and_no_line_crosses_a_gap() -> None:
    times = np.arange(100_000, dtype=np.int64) * 10**9
    times[60_000:] += 5 * GAP_NS
    values = np.sin(times / 1e12)
    values[777], values[99_000] = 9.0, -9.0
    for x, y in (thin(times, values, 500), typical(times, values, 500)):
        assert len(x) <= 600
        assert np.all(np.diff(x) >= 0)
        assert np.isnan(y).sum() == 1
        assert times[59_999] < x[np.flatnonzero(np.isnan(y))[0]] < times[60_100]
    kept = thin(times, values, 500)[1]
    assert (np.nanmax(kept), np.nanmin(kept)) == (9.0, -9.0)


def test_hours_without_data_are_cut_out_of_the_axis(run: Run, page: Page) -> None:
    breaks = page.plots[0]["layout"]["xaxis"]["rangebreaks"]
    assert [one["bounds"][0][:10] for one in breaks] == ["2024-07-18"]
    assert all("rangebreaks" in plot["layout"]["xaxis"] for plot in page.plots if plot["layout"]["xaxis"].get("type") == "date")


def test_many_fills_are_thinned_and_the_page_says_so(tmp_path: Path) -> None:
    path = made(tmp_path / "r", days=1, symbols=["BTCUSDT"], minutes=60, each_s=0.5)
    run = Run(path)
    assert run.metrics["trades"] > 2 * MARKERS
    assert "fills are drawn, evenly chosen" in run.report().read_text()


def test_a_finished_day_is_never_written_again_and_a_failed_one_is_replaced(tmp_path: Path) -> None:
    folder = begin(tmp_path / "r")
    folder.write_failure(failed("2024-07-18", ["BTCUSDT"], "gone"), "Traceback")
    first = day("2024-07-18", ["BTCUSDT"])
    folder.write_day(filed(first))
    folder.write_day(filed(day("2024-07-18", ["BTCUSDT"], seed=9)))
    folder.write_failure(failed("2024-07-18", ["BTCUSDT"], "late"), "Traceback")
    (summary,) = Result(tmp_path / "r").summaries
    assert (summary["status"], summary["pnl"]) == ("done", first.summary["pnl"])
    assert sorted(path.name for path in (tmp_path / "r" / "days").iterdir()) == ["2024-07-18_BTCUSDT"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = made(tmp_path / "r", days=1, symbols=["BTCUSDT"])
    file = path / "days" / "2024-07-18_BTCUSDT" / "fills.npz"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match=r"fills\.npz: is damaged"):
        Result(path).fills()


def test_the_summary_is_one_table_with_every_assumption(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run.path)]) == 0
    shown = capsys.readouterr().out
    wanted = ("Sharpe", "return over trade", "ticks replaced", "greatest age", "queue model: power n=3", "a <b>bad</b> day")
    assert [said for said in (*wanted, "report.html") if said not in shown] == []
    assert shown.count("┏") == 1


def test_the_verb_finds_runs_by_name_beginning_or_age(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    results = str(run.path.parent)
    for named in (["made_up-0123"], ["made_up"], []):
        assert main(["report", *named, "--results", results, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["metrics"]["trades"] == run.metrics["trades"]
    assert main(["report", "made-up", "--results", results]) == 2
    assert "did you mean 'made_up-0123'?" in capsys.readouterr().err
    assert main(["report", "--results", results + "/nowhere"]) == 2


def test_csv_is_written_on_demand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path / "r", days=1, symbols=["BTCUSDT"])
    assert main(["report", str(path), "--csv"]) == 0
    capsys.readouterr()
    fills = pd.read_csv(path / "fills.csv.gz")
    assert fills["time_ns"].tolist() == Result(path).fills().index.as_unit("ns").asi8.tolist()
    assert len(pd.read_csv(path / "equity.csv.gz")) == len(Result(path).equity())
