"""The page around the plots: tiles, tables, assumptions, and the template that holds them.

Plots are embedded as data and drawn by `report.js`; plotly's own code is in the page once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from actors.report.words import COLUMNS_PAGE, columns, headline, metric_rows, say

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from actors.report.series import Material
    from actors.results import Result

CELLS_MAX: Final = 400
"""Rows of the table by day and instrument on the page; metrics.json has all."""


class Plot(NamedTuple):
    """A section with a plot: `data` is plotly's JSON, safe inside a script element."""

    title: str
    note: str
    data: str
    height: int


def write_report(result: Result) -> Path:
    """Write `report.html` into the run's folder, whole or not at all; returns its path."""
    from actors.results import write_beside

    path = result.path / "report.html"
    write_beside(path, rendered("report.html", content(result)))
    return path


def rendered(template: str, shown: Mapping[str, Any]) -> bytes:
    """A template beside this file, filled; plotly's code is in it."""
    import jinja2
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.get_template(template).render(plotly=get_plotlyjs(), **shown).encode()


def content(result: Result) -> dict[str, Any]:
    """Everything the template shows."""
    from actors.report.series import Material

    figures, run = result.metrics, result.run
    plots = list(_plots(Material(result), figures)) if result.done else []
    days = sorted({one["day"] for one in result.done})
    cells = figures["by_day_and_instrument"]
    return {
        "name": run["graph"]["name"],
        "run": run["run"],
        "span": (days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}") if days else "no day was completed",
        "instruments": ", ".join(sorted({symbol for one in result.summaries for symbol in one["instruments"]})),
        "notes": figures["notes"],
        "tiles": headline(figures),
        "metrics": metric_rows(figures),
        "columns": list(columns(figures)),
        "unlisted": len(figures["by_instrument"]) > COLUMNS_PAGE,
        "days": [_day_row(one) for one in result.summaries],
        "cells": [_cell_row(row) for row in cells[:CELLS_MAX]],
        "left_out": max(len(cells) - CELLS_MAX, 0),
        "total": _cell_row({"day": "all", "instrument": "", **{key: sum(row[key] for row in cells) for key in SUMMED}}),
        "failed": result.failed,
        "plots": plots,
        "facts": facts(run, figures),
    }


def _plots(material: Material, figures: Mapping[str, Any]) -> Iterator[Plot]:
    """Every plot of the page, in order."""
    from actors.report import figures as whole
    from actors.report import instrument as one
    from actors.report.series import DETAILED_MAX, LINES_MAX, POINTS_MAX

    thinned = ""
    if len(material.equity.time_ns) > material.points:
        thinned = f" Lines are thinned to {min(material.points, POINTS_MAX):,} points, lowest and highest kept."
    cut = f" {len(material.cuts)} times without data are cut out (dotted lines)." if material.cuts else ""
    said = f"Profit of all instruments together, after fees and funding.{thinned}{cut}"
    yield plotted("Equity", said, whole.equity_figure(material))
    yield plotted("Drawdown", "How far equity is below its highest, on the graph's capital.", whole.drawdown_figure(material))
    rows = figures["by_day_and_instrument"]
    yield plotted(
        "Profit by day and instrument", "After fees and funding; the table is below.", whole.days_figure(material, rows)
    )
    yield plotted("Where the profit came from", SOURCES, whole.sources_figure(material))
    yield plotted("Spread captured", CAPTURED, whole.captured_figure(material))
    yield plotted("Fees and funding", "Fees as paid: below zero they are rebates.", whole.fees_figure(material))
    few = f" The {LINES_MAX} instruments with the largest turnover." if len(material.symbols) > LINES_MAX else ""
    yield plotted("Inventory", f"Signed value of each position.{few}", whole.inventory_figure(material))
    shown = material.symbols[:DETAILED_MAX]
    left = len(material.symbols) - len(shown)
    for symbol in shown:
        note = f"Our best quotes are dotted; the position is below.{one.thinned(material, symbol)}"
        yield plotted(f"Fills on the price: {symbol}", note, one.price_figure(material, symbol))
        note = one.quoting(material, symbol) + (f" {left} more instruments are in the tables." if left else "")
        yield plotted(f"Quotes against the market: {symbol}", note, one.quotes_figure(material, symbol))


SOURCES: Final = (
    "Spread captured: each fill against the mid that was known when it was reported. Inventory: what positions then made or "
    "lost, all else before fees and funding."
)
CAPTURED: Final = (
    "Fills by how much better than the mid they were; to the left of 0 they were worse. The outermost 0.5 % stand in the "
    "outermost bars."
)
SIMULATED: Final = ("events", "a second", "ticks received", "replaced", "greatest age", "seconds", "memory", "digest")
SUMMED: Final = ("pnl", "gross_pnl", "spread_captured", "inventory_pnl", "fees", "funding", "trades", "turnover")


def plotted(title: str, note: str, figure: go.Figure) -> Plot:
    """A figure as a section of a page."""
    data = figure.to_json().replace("<", "\\u003c")
    return Plot(title, note.strip(), data, int(figure.layout.height))


def _cell_row(row: Mapping[str, Any]) -> dict[str, str]:
    names = {
        "pnl": "profit", "gross_pnl": "before fees", "spread_captured": "spread captured", "inventory_pnl": "inventory",
        "fees": "fees", "funding": "funding", "trades": "trades", "turnover": "turnover",
    }  # fmt: skip
    said = {title: say(row[key], "count" if key == "trades" else "money") for key, title in names.items()}
    most = f"{row['max_position']:g}" if "max_position" in row else ""
    return {"day": row["day"], "instrument": row["instrument"], **said, "largest position": most}


def _day_row(one: Mapping[str, Any]) -> dict[str, str]:
    row = {"day": one["day"], "instruments": "+".join(one["instruments"]), "status": one["status"]}
    if one["status"] != "done":
        return row | dict.fromkeys(SIMULATED, "")
    ticks = one["ticks"]
    said = (
        f"{one['events']:,}", f"{one['rows_per_s']:,}", f"{ticks['received']:,}", f"{ticks['replaced']:,}",
        say(ticks["age_ns_max"] / 1e6, "ms"), f"{one['seconds']:,.1f}", say(one["peak_rss_mb"], "MB"), one["digest"][:12],
    )  # fmt: skip
    return row | dict(zip(SIMULATED, said, strict=True))


def facts(run: Mapping[str, Any], figures: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The tables of two columns: assumptions, configuration, hashes, versions."""
    graph = run["graph"]
    limits = [(f"limits.{key}", value) for key, value in graph.get("limits", {}).items() if value is not None]
    orders = [(f"{name}", f"{count:,}") for name, count in figures["orders"].items()]
    own = [
        ("Assumptions", figures["assumptions"].items()),
        ("Strategy and limits", [*graph["strategy"].items(), *limits]),
        ("Orders sent", orders),
    ]
    return facts_of(own, run)


def facts_of(own: Sequence[tuple[str, Any]], described: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Tables of two columns, and the hashes and versions that every description has."""
    whole = [*own, ("Hashes", _flat(described.get("hashes", {}))), ("Versions", described.get("versions", {}).items())]
    return [(title, _pairs(items)) for title, items in whole]


def _flat(hashes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in hashes.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}: {part}", one) for part, one in value.items())
        else:
            yield name, value


def _pairs(items: Sequence[tuple[str, Any]] | Any) -> list[tuple[str, str]]:
    return [(name, value if isinstance(value, str) else msgspec.json.encode(value).decode()) for name, value in items]
