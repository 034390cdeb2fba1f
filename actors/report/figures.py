"""The report's plots of a whole run. Colours are middle tones that read on white and on black; the page sets text and grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from actors.report.series import LINES_MAX, Material, iso, milliseconds, thin
from core.study.equity import SAMPLE_NS, Array, Times
from core.study.metrics import drawdown

BUY, SELL, LINE, SOFT = "#2a9d8f", "#e4572e", "#4a86d8", "#94a0ad"
COLOURS: Final = (LINE, "#c98a2b", "#9a6fc4", "#5f9e52", "#c65b7c", "#4fa3b5", "#8d7b68", "#b3703f")
GRID: Final = "rgba(128,140,150,0.22)"


def colour_of(material: Material, symbol: str) -> str:
    """An instrument's colour, the same in every plot; the first is left to the whole where there are several."""
    return COLOURS[(material.symbols.index(symbol) + (len(material.symbols) > 1)) % len(COLOURS)]


def look(figure: go.Figure, height: int = 320, hovermode: str = "closest") -> go.Figure:
    """The look that all figures share."""
    figure.update_layout(
        template=None,
        height=height,
        margin={"l": 66, "r": 22, "t": 36, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 12, "color": "#7d8996"},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode=hovermode,
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": SOFT},
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=GRID, zerolinecolor="rgba(128,140,150,0.6)", automargin=True, title_standoff=6)
    return figure


def styled(figure: go.Figure, material: Material, height: int = 320, timed: Sequence[str] = ("x",)) -> go.Figure:
    """That look for a run's figure; `timed` names the axes that are times, which get their cuts."""
    look(figure, height, "x unified" if timed else "closest")
    breaks = [{"bounds": [iso(begin + 10**9), iso(end - 10**9)]} for begin, end in material.cuts]
    times = material.equity.time_ns
    span = {"range": [iso(int(times[0])), iso(int(times[-1]) + SAMPLE_NS)]} if len(times) else {}
    for axis in timed:
        figure.update_layout({f"{axis[0]}axis{axis[1:]}": {"type": "date", "rangebreaks": breaks, **span}})
    for _, end in material.cuts if timed else ():
        figure.add_shape(
            type="line", x0=iso(end), x1=iso(end), y0=0, y1=1, yref="paper", line={"dash": "dot", "width": 1, "color": SOFT}
        )
    return figure


def line(figure: go.Figure, material: Material, times: Times, values: Array, name: str, colour: str, **more: Any) -> None:
    """Add a thinned series; `more` is plotly's, and `row`, and `by`, another way to thin."""
    x, y = more.pop("by", thin)(times, values, material.points)
    place = {"row": more.pop("row"), "col": 1} if "row" in more else {}
    style = {"color": colour, "width": more.pop("width", 1.6), **more.pop("line", {})}
    figure.add_trace(go.Scatter(x=milliseconds(x), y=y, name=name, mode="lines", line=style, **more), **place)


def equity_figure(material: Material) -> go.Figure:
    """Equity of all together, and of each instrument where there are a few, in currency."""
    figure = go.Figure()
    if 1 < len(material.symbols) <= LINES_MAX:
        for symbol in material.symbols:
            curve = material.accrued(lambda one: one.equity["equity"], symbol)
            line(figure, material, curve.time_ns, curve.equity, symbol, colour_of(material, symbol), width=1.1)
    line(figure, material, material.equity.time_ns, material.equity.equity, "equity", LINE, width=2)
    figure.update_yaxes(title_text="profit")
    figure.update_layout(showlegend=True)
    return styled(figure, material, 340)


def drawdown_figure(material: Material) -> go.Figure:
    """How far equity is below its highest, in percent of capital."""
    figure = go.Figure()
    below = drawdown(material.equity.equity) / material.capital * 100
    line(figure, material, material.equity.time_ns, below, "drawdown", SELL, width=1.2, fill="tozeroy")
    figure.update_yaxes(title_text="% of capital")
    return styled(figure, material, 220)


def both_figure(material: Material) -> go.Figure:
    """Equity over drawdown on one time axis, for a notebook."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.06)
    curve = material.equity
    line(figure, material, curve.time_ns, curve.equity, "equity", LINE, row=1)
    below = drawdown(curve.equity) / material.capital * 100
    line(figure, material, curve.time_ns, below, "drawdown, % of capital", SELL, row=2, width=1.2, fill="tozeroy")
    figure.update_yaxes(title_text="profit", row=1, col=1)
    figure.update_yaxes(title_text="%", row=2, col=1)
    return styled(figure, material, 460, ("x", "x2"))


def days_figure(material: Material, rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Profit of each day, a bar an instrument; `rows` are those of the table by day and instrument."""
    figure = go.Figure()
    for symbol in material.symbols:
        mine = [row for row in rows if row["instrument"] == symbol]
        figure.add_bar(
            x=[row["day"] for row in mine], y=[row["pnl"] for row in mine], name=symbol,
            marker={"color": colour_of(material, symbol)}, hovertemplate="%{y:,.2f}",
        )  # fmt: skip
    figure.update_layout(barmode="group" if len(material.symbols) <= 4 else "relative", bargap=0.3, showlegend=True)
    figure.update_yaxes(title_text="profit")
    styled(figure, material, 280, ())
    days = len({row["day"] for row in rows})
    room = max(5 - days, 0) / 2 + 0.5
    figure.update_xaxes(type="category", range=[-room, days - 1 + room], categoryorder="category ascending")
    figure.update_layout(hovermode="x unified")
    return figure


def sources_figure(material: Material) -> go.Figure:
    """Where the profit came from, added up over time."""
    figure = go.Figure()
    edge = material.summed(lambda one: one.edge)
    fees, funding = (material.accrued(lambda one, name=name: one.equity[name]) for name in ("fees", "funding"))  # type: ignore[misc]
    inventory = material.equity.equity + fees.equity - funding.equity - edge.equity
    for name, values, colour in (
        ("spread captured", edge.equity, BUY), ("inventory", inventory, COLOURS[2]), ("fees", -fees.equity, SELL),
        ("funding", funding.equity, COLOURS[1]), ("profit", material.equity.equity, LINE),
    ):  # fmt: skip
        line(figure, material, edge.time_ns, values, name, colour, width=2.2 if name == "profit" else 1.3)
    figure.update_yaxes(title_text="added up")
    return styled(figure, material, 340)


def captured_figure(material: Material) -> go.Figure:
    """How much better than the mid fills were: how many fills by basis points, makers and takers apart."""
    figure = go.Figure()
    qty, mid, maker = (np.concatenate([one.fills[name] for one in material.cells]) for name in ("qty", "mid", "maker"))
    edge = np.concatenate([one.edge for one in material.cells])
    known = mid > 0
    points, maker = edge[known] / (qty * mid)[known] * 1e4, maker[known]
    if len(points):
        low, high = np.percentile(points, [0.5, 99.5])
        edges = np.linspace(low, max(high, low + 1e-3), 61)
        for name, mine, colour in (("maker", maker, BUY), ("taker", ~maker, SELL)):
            if mine.any():
                counts, _ = np.histogram(np.clip(points[mine], edges[0], edges[-1]), edges)
                middle = (edges[1:] + edges[:-1]) / 2
                figure.add_bar(x=middle, y=counts, name=name, marker={"color": colour}, hovertemplate="%{y} fills at %{x:.3f} bp")
    figure.update_layout(barmode="stack", bargap=0.04, showlegend=True)
    figure.update_xaxes(title_text="better than the mid, basis points")
    figure.update_yaxes(title_text="fills")
    return styled(figure, material, 280, ())


def fees_figure(material: Material) -> go.Figure:
    """Fees paid as maker and as taker, and funding received, added up."""
    figure = go.Figure()
    for name, wanted, colour in (("maker fees", True, BUY), ("taker fees", False, SELL)):
        curve = material.summed(lambda one, wanted=wanted: np.where(one.fills["maker"] == wanted, one.fills["fee"], 0.0))  # type: ignore[misc]
        line(figure, material, curve.time_ns, curve.equity, name, colour)
    funding = material.accrued(lambda one: one.equity["funding"])
    line(figure, material, funding.time_ns, funding.equity, "funding received", COLOURS[1])
    figure.update_yaxes(title_text="added up")
    return styled(figure, material, 260)


def inventory_figure(material: Material) -> go.Figure:
    """Value of each instrument's position, signed, in currency."""
    figure = go.Figure()
    for symbol in material.symbols[:LINES_MAX]:
        times, position = material.column("position", symbol)
        value = np.where(position == 0, 0.0, position * material.column("mid", symbol)[1])
        line(figure, material, times, value, symbol, colour_of(material, symbol), width=1.3, line={"shape": "hv"})
    figure.update_yaxes(title_text="position x mid")
    figure.update_layout(showlegend=True)
    return styled(figure, material, 280)
