"""A sweep's page: `sweep.html`, one file that needs no network. It shares the report's looks and its way to draw."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.grid import say_value
from actors.report.page import Plot, facts_of, plotted, rendered
from actors.report.sweep_figures import FIGURES
from actors.report.sweep_words import LEGEND, set_rows
from actors.report.words import say
from actors.standing import OBJECTIVES, Standing

if TYPE_CHECKING:
    from actors.sweep import Sweep

SETS_MAX: Final = 1_000
"""Rows of the table of sets on the page; sets.csv has all."""
BY_DAY_MAX: Final = 200
DAYS_MAX: Final = 62
"""Sets and days of the table by set and day on the page; by_day.csv has all."""


def write_page(sweep: Sweep) -> Path:
    """Write `sweep.html` into the sweep's folder, whole or not at all; returns its path."""
    from actors.results import write_beside

    path = sweep.path / "sweep.html"
    write_beside(path, rendered("sweep.html", content(sweep)))
    return path


def content(sweep: Sweep) -> dict[str, Any]:
    """Everything the template shows."""
    standing, luck = sweep.standing, sweep.standing.luck
    titles, rows = set_rows(sweep)
    days = standing.days
    return {
        "name": sweep.sweep["name"],
        "sweep": sweep.sweep["sweep"],
        "span": days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}",
        "instruments": ", ".join(sweep.sweep["instruments"]),
        "objective": standing.by.title,
        "verdict": luck.verdict,
        "sentences": luck.sentences,
        "tiles": list(_tiles(sweep)),
        "plots": list(_plots(sweep)) if len(standing.complete) else [],
        "heat": _safe(_heat(sweep)) if len(standing.complete) else "",
        "legend": LEGEND,
        "titles": titles,
        "sets": rows[:SETS_MAX],
        "sets_left": max(len(rows) - SETS_MAX, 0),
        "days": days[:DAYS_MAX],
        "by_day": list(_by_day(sweep)),
        "by_day_left": len(rows) > BY_DAY_MAX or len(days) > DAYS_MAX,
        "failed": sweep.failed,
        "labels": {one["set"]: sweep.label(one["set"]) for one in sweep.failed},
        "facts": _facts(sweep),
    }


def _tiles(sweep: Sweep) -> Iterator[tuple[str, str, str, str]]:
    standing, luck = sweep.standing, sweep.standing.luck
    kind = standing.by.kind
    above = int((standing.scores[standing.order] > 0).sum())
    yield "sets", f"{luck.sets:,}", f"{luck.distinct:,} different, {above:,} above 0", ""
    yield "days", f"{luck.days:,}", f"{len(sweep.rows):,} runs", ""
    if not len(standing.complete):
        return
    scores = standing.scores[standing.order]
    for title, score, of in (
        ("best set", scores[0], f"set {standing.order[0] + 1}: {standing.by.title}"),
        ("median set", float(sorted(scores)[len(scores) // 2]), standing.by.title),
        ("worst set", scores[-1], standing.by.title),
    ):
        yield title, say(float(score), kind), of, "good" if score > 0 else "bad" if score < 0 else ""
    yield "luck", luck.verdict, "in words below", "bad" if luck.verdict == "likely" else ""


def _plots(sweep: Sweep) -> Iterator[Plot]:
    order = "Every set that has all its days, best to worst, and the mean of its neighbours in the grid: far apart is noise."
    lines = "A line a set, through its value of each key to what came of it. A click on the legend hides a group."
    days = "The best sets by day, among where four of five sets were. One day that makes the whole profit is one day."
    yield plotted("All sets", order, FIGURES["order"](sweep))
    yield plotted("Parallel coordinates", lines, FIGURES["parallel"](sweep))
    yield plotted("The best sets by day", days, FIGURES["days"](sweep))
    if 1 < len(sweep.standing.days) <= DAYS_MAX:
        note = "Whether the order of the sets on one day is that on another: 1 the same, 0 unrelated, -1 the reverse."
        yield plotted("Rank correlation between days", note, FIGURES["correlation"](sweep))


def _heat(sweep: Sweep) -> dict[str, Any]:
    """What `sweep.js` draws the heat map from: the grid, each set's place, its score by every objective."""
    standing = sweep.standing
    measures = {}
    for name, objective in OBJECTIVES.items():
        other = standing if objective is standing.by else Standing(sweep.sweep, sweep.rows, name)
        measures[name] = {"title": objective.title, "scores": [float(one) if isfinite(one) else None for one in other.scores]}
    return {
        "grid": [{"key": axis["key"], "values": [say_value(one) for one in axis["values"]]} for axis in sweep.sweep["grid"]],
        "places": standing.places, "best": standing.places[int(standing.order[0])], "measures": measures, "by": sweep.by,
    }  # fmt: skip


def _safe(document: Any) -> str:
    return msgspec.json.encode(document).decode().replace("<", "\\u003c")


def _by_day(sweep: Sweep) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Rank and set, its values, its objective on each day with a tone."""
    standing = sweep.standing
    values, kind = standing.by.of(standing.by_day), standing.by.kind
    for row in standing.table[:BY_DAY_MAX]:
        k = row["set"] - 1
        cells = []
        for day in range(min(len(standing.days), DAYS_MAX)):
            value = float(values[k, day]) if standing.done[k, day] else None
            cells.append((say(value, kind), "" if not value else "good" if value > 0 else "bad"))
        yield f"{row['rank'] or '–'}. set {row['set']}", sweep.label(row["set"]), cells


def _facts(sweep: Sweep) -> list[tuple[str, list[tuple[str, str]]]]:
    described = sweep.sweep
    graph = described["graph"]
    limits = [(f"limits.{key}", value) for key, value in graph.get("limits", {}).items() if value is not None]
    grid = [(axis["key"], ", ".join(map(say_value, axis["values"]))) for axis in described["grid"]]
    return facts_of(
        [
            ("Grid", grid), ("Assumptions, where the grid does not say otherwise", [*described["assumptions"].items()]),
            ("Strategy and limits, where the grid does not say otherwise", [*graph["strategy"].items(), *limits]),
        ],
        described,
    )  # fmt: skip
