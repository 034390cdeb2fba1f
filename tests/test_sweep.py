"""A sweep's folder, read: where sets stand, tables, figures and the page; in words what the best set is worth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from actors.report.sweep_figures import FIGURES
from actors.sweep import Sweep, SweepFolder
from tests.sweeps import GRID, luck, made, row, skill
from tests.test_report import Page, numbers


@pytest.fixture(scope="module")
def skilled(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Eight days of forty sets whose profit comes from their keys."""
    return made(tmp_path_factory.mktemp("sweeps") / "skilled", skill)


@pytest.fixture(scope="module")
def lucky(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Four days of forty sets that gain and lose at random."""
    return made(tmp_path_factory.mktemp("sweeps") / "lucky", luck, 4)


def test_skill_and_luck_are_told_apart(skilled: Sweep, lucky: Sweep) -> None:
    assert skilled.standing.luck.verdict == "less likely"
    assert lucky.standing.luck.verdict == "likely"
    assert "is likely luck" in lucky.standing.luck.sentences[0]
    assert any("4 days are few" in one for one in lucky.standing.luck.sentences)
    assert any("a lone peak" in one or "neighbours" in one for one in lucky.standing.luck.sentences)


@pytest.mark.parametrize("seed", range(6))
def test_the_best_of_noise_is_never_called_more_than_luck(tmp_path: Path, seed: int) -> None:
    assert made(tmp_path / "noise", luck, 6, seed=seed).standing.luck.verdict in ("likely", "possible")


def test_one_day_is_luck_however_good(tmp_path: Path) -> None:
    found = made(tmp_path / "one", skill, 1).standing.luck
    assert found.verdict == "likely"
    assert found.sentences[-1] == "One day says nothing about the next: chance alone makes one of the sets the best."


def test_sets_stand_in_order_with_their_days_and_their_neighbours(skilled: Sweep) -> None:
    table = skilled.sets()
    assert table["rank"].tolist() == list(range(1, 41))
    assert table["score"].is_monotonic_decreasing
    best = table.iloc[0]
    assert (best["strategy.gamma"], best["strategy.adj1"]) == (0.2, 1.0)
    frame = skilled.by_day()
    mine = frame.loc[best.name, "pnl"]
    assert best["pnl"] == pytest.approx(mine.sum())
    assert (best["worst_day"], best["best_day"]) == pytest.approx((mine.min(), mine.max()))
    medians = frame["pnl"].groupby("day").median()
    assert best["days_above_median"] == pytest.approx(np.mean(mine.droplevel("instrument") > medians))
    assert best["neighbours"] == 4
    assert best["neighbours_mean"] > 0.7


def test_ratios_are_of_all_days_together(skilled: Sweep) -> None:
    other = Sweep(skilled.path, "return_over_trade").sets()
    assert other["score"].loc[3] == pytest.approx(other["pnl"].loc[3] / other["turnover"].loc[3])
    steps = np.concatenate([_steps(one) for one in skilled.rows if one["set"] == 3])
    sharpe = steps.mean() / steps.std(ddof=1) * np.sqrt(365 * 8_640)
    assert skilled.sets()["sharpe"].loc[3] == pytest.approx(sharpe)


def _steps(one: dict) -> np.ndarray:
    """Steps that have exactly a row's count, mean and deviation."""
    around = np.resize([1.0, -1.0], one["steps"])
    return one["step_mean"] + around / around.std(ddof=1) * one["step_std"]


def test_keys_that_change_nothing_and_sets_that_do_the_same_are_said(tmp_path: Path) -> None:
    folder = made(tmp_path / "idle", luck, 3, ("strategy.gamma=1,2", "queue.n=1,2"))
    journal = folder.path / "rows.jsonl"
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    for one in rows:
        one["digest"] = f"{(one['set'] - 1) // 2} {one['day']}"
    journal.write_text("".join(json.dumps(one) + "\n" for one in rows))
    said = Sweep(folder.path).standing.luck.sentences
    assert "Of 4 sets 2 did anything different from another." in said
    assert "These keys changed no order and no fill: queue.n." in said


def test_the_page_needs_no_network_and_shows_every_set(lucky: Sweep) -> None:
    text = lucky.report().read_text()
    page = Page(text)
    assert page.fetched == []
    asked = {
        "Heat map",
        "All sets",
        "Parallel coordinates",
        "The best sets by day",
        "Rank correlation between days",
        "Sets",
        "Grid",
    }
    assert asked <= set(page.headings)
    assert "is likely luck" in text
    heat = page.plots[0]
    assert [axis["key"] for axis in heat["grid"]] == [text.partition("=")[0] for text in GRID]
    assert heat["measures"]["pnl"]["scores"] == pytest.approx(lucky.standing.scores.tolist())
    assert all(np.isfinite(numbers(page.plots)))
    assert all(f"<td>{number}</td>" in text for number in range(1, 41))


def test_tables_are_there_as_csv(lucky: Sweep) -> None:
    lucky.report()
    assert len(pd.read_csv(lucky.path / "sets.csv")) == 40
    assert len(pd.read_csv(lucky.path / "by_day.csv")) == 160


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("grid", [GRID, ("strategy.gamma=1,2,3",), ("strategy.gamma=1",)])
def test_every_figure_is_drawn_for_one_key_and_for_many(tmp_path: Path, name: str, grid: tuple[str, ...]) -> None:
    assert len(made(tmp_path / "some", luck, 2, grid).plot(name).data) > 0


def test_the_heat_figure_averages_the_keys_that_it_does_not_show(skilled: Sweep) -> None:
    (heat,) = skilled.plot("heat").data
    mine = skilled.sets()
    cell = mine[(mine["strategy.gamma"] == 0.3) & (mine["strategy.adj1"] == 1.5)]["score"]
    assert np.array(heat.z, float)[2][3] == pytest.approx(cell.mean())


def test_what_was_killed_in_a_line_is_mended_by_the_next_writer(tmp_path: Path) -> None:
    path = made(tmp_path / "cut", luck, 2).path
    with (path / "rows.jsonl").open("ab") as file:
        file.write(b'{"set":1,"day":"2024-07-2')
    folder = SweepFolder(path)
    folder.begin({}, "")
    fresh = row(1, "2024-07-30", 1.0, "new")
    assert folder.keep([fresh, fresh]) == [fresh]
    assert json.loads((path / "rows.jsonl").read_bytes().splitlines()[-1]) == fresh
