"""How the kernel's cost grows with events, orders and parameter sets: three SVGs from the benchmarks' own rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

QUOTES = {"clock": 0, "join": 2, "glft 4": 8, "grid": 10, "glft 20": 40}
"""Quotes that a case keeps, both sides together."""
LOOKS = {"linear": ("#888888", "o"), "prepared": ("#1f6f8b", "s"), "theirs": ("#c0504d", "^")}
mpl.rcParams["svg.hashsalt"] = "astrarium"


def _rows(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.read_text())["rows"]) if path.exists() else []


def _axes(title: str, across: str, up: str) -> Axes:
    _, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    axes.set_title(title)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    return axes


def _line(axes: Axes, side: str, points: dict[float, float], label: str) -> None:
    colour, marker = LOOKS[side]
    axes.plot(list(points), list(points.values()), color=colour, marker=marker, label=label)


def _keep(axes: Axes, path: Path) -> str:
    axes.legend(frameon=False)
    axes.set_ylim(bottom=0)
    plt.savefig(path, metadata={"Date": None})
    plt.close()
    return path.name


def _generated(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    models = ("power:3", "10")
    found = [row for row in rows if row["market"].startswith("generated") and (row["queue"], row["latency"]) == models]
    return [row | {"events": int(row["market"].split()[1].replace(",", ""))} for row in found]


def draw(results: Path) -> list[str]:
    """Draw what there are rows for; returns the files' names."""
    rows, drawn = _generated(_rows(results / "replay.json")), []
    if rows:
        axes = _axes("A GLFT grid of 20 by rows of the day", "million rows", "ns a row")
        drawn.append(_keep(_by(axes, [row for row in rows if row["case"] == "glft 20"], "events", 1e-6), results / "events.svg"))
        smallest = min(row["events"] for row in rows)
        kept = [row | {"quotes": QUOTES[row["case"]]} for row in rows if row["case"] in QUOTES and row["events"] == smallest]
        axes = _axes(f"By quotes kept, {smallest / 1e6:.0f} million rows", "quotes", "ns a row")
        drawn.append(_keep(_by(axes, sorted(kept, key=lambda row: row["quotes"]), "quotes", 1.0), results / "orders.svg"))
    every = _rows(results / "replay.json")
    largest = max((row["market"] for row in every if "sets" in row), key=len, default="")
    sets = [row for row in every if "sets" in row and row["market"] == largest]
    if sets:
        axes = _axes("GLFT grids of 20, many sets over one day", "sets", "s a set")
        _line(axes, "prepared", {row["sets"]: row["ours_s_a_set"] for row in sets}, "ours, together")
        _line(axes, "theirs", {row["sets"]: row["theirs_s_a_set"] for row in sets}, "hftbacktest, one by one")
        drawn.append(_keep(axes, results / "sets.svg"))
    return drawn


def _by(axes: Axes, rows: list[dict[str, Any]], across: str, scale: float) -> Axes:
    for replay in ("linear", "prepared"):
        mine = {row[across] * scale: 1e9 / row["ours_rows_s"] for row in rows if row["replay"] == replay}
        _line(axes, replay, mine, f"ours, {replay}")
    _line(axes, "theirs", {row[across] * scale: 1e9 / row["theirs_rows_s"] for row in rows}, "hftbacktest")
    return axes
