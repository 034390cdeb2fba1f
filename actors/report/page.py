"""The page around the plots: tiles, tables, assumptions, and the template that holds them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jinja2

from actors.report import figures
from actors.report.words import headline, metric_rows, say

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from actors.results import Result

PARTS_MAX: Final = 6
"""Instruments that get plots of their own; the tables have all."""


def write_report(result: Result) -> Path:
    """Write `report.html` into the run's folder; returns its path."""
    from plotly.offline import get_plotlyjs

    from actors.results import write_beside

    path = result.path / "report.html"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("report.html").render(plotly=get_plotlyjs(), **content(result))
    write_beside(path, page.encode())
    return path


def content(result: Result) -> dict[str, Any]:
    """Everything the template shows."""
    figures_of, run = result.metrics, result.run
    equity, fills = result.equity(), result.fills()
    done = [one for one in result.summaries if one["status"] == "done"]
    plots: list[dict[str, Any]] = []

    def plot(title: str, figure: go.Figure, note: str = "") -> None:
        plots.append({"title": title, "note": note, "html": _div(figure)})

    if done:
        plot("Equity and drawdown", figures.equity_figure(result), "All instruments together; drawdown in % of capital.")
        plot("Profit by day and instrument", figures.days_figure(done), "After fees and funding.")
        plot("Inventory", figures.inventory_figure(equity))
        plot(
            "Spread captured and fees",
            figures.captured_figure(fills),
            "How much better than the mid each fill was when it was reported; what the position then made or lost is not in it.",
        )
        for symbol in sorted(equity["symbol"].unique())[:PARTS_MAX]:
            mine = fills[fills["symbol"] == symbol] if len(fills) else fills
            thinned = f" Of {len(mine):,} fills some are left out of the plot." if len(mine) > figures.MARKERS else ""
            plot(f"{symbol}: fills on the price", figures.price_figure(equity[equity["symbol"] == symbol], mine), thinned)
            plot(
                f"{symbol}: our quotes against the market",
                figures.distance_figure(equity[equity["symbol"] == symbol]),
                "Best quotes, sampled every 10 s.",
            )
    return {
        "name": run["graph"]["name"],
        "run": run["run"],
        "span": f"{done[0]['day']} to {done[-1]['day']}" if done else "no day was completed",
        "instruments": ", ".join(sorted({symbol for one in result.summaries for symbol in one["instruments"]})),
        "tiles": headline(figures_of),
        "metrics": metric_rows(figures_of),
        "columns": ["all", *figures_of["by_instrument"]],
        "days": [_day_row(one) for one in result.summaries],
        "failed": [one for one in result.summaries if one["status"] != "done"],
        "plots": plots,
        "split": _split(fills, figures_of),
        "assumptions": run.get("assumptions", {}),
        "parameters": dict(run["graph"]["strategy"]),
        "hashes": run.get("hashes", {}),
        "versions": run.get("versions", {}),
    }


def _div(figure: go.Figure) -> str:
    return figure.to_html(include_plotlyjs=False, full_html=False, config={"displaylogo": False, "responsive": True})  # type: ignore[no-any-return]


def _day_row(one: dict[str, Any]) -> dict[str, str]:
    row = {"day": one["day"], "instrument": "+".join(one["instruments"]), "status": one["status"]}
    if one["status"] != "done":
        return row | {"cause": one.get("cause") or ""}
    return row | {
        "profit": say(one["pnl"], "money"),
        "fees": say(one["fees"], "money"),
        "funding": say(one["funding"], "money"),
        "fills": f"{one['fills']:,}",
        "events": f"{one['events']:,}",
        "rows a second": f"{one['rows_per_s']:,}",
        "ticks replaced": f"{one['ticks']['replaced']:,} of {one['ticks']['received']:,}",
        "seconds": f"{one['seconds']:.1f}",
        "memory, MB": f"{one['peak_rss_mb']:,.0f}",
        "digest": one["digest"][:12],
    }


def _split(fills: Any, run: dict[str, Any]) -> list[tuple[str, str]]:
    """Where the profit came from: spread captured, what positions made after it, fees, funding."""
    captured = 0.0
    if len(fills):
        sign = fills["side"].map({1: 1.0, 2: -1.0})
        captured = float((sign * (fills["mid"] - fills["price"]) * fills["qty"]).sum())
    return [
        ("spread captured", say(captured, "money")),
        ("inventory (all else before fees)", say(run["gross_pnl"] - captured, "money")),
        ("fees", say(-run["fees"], "money")),
        ("funding", say(run["funding"], "money")),
        ("profit", say(run["pnl"], "money")),
    ]
