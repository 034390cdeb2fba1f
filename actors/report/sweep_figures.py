"""A sweep's plots: what the keys do, where all sets stand, how the best did day by day. The page's heat map is `sweep.js`'s."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import plotly.graph_objects as go

from actors.grid import say_value
from actors.report.figures import BUY, COLOURS, GRID, LINE, SELL, SOFT, look
from core.study.selection import day_correlation

if TYPE_CHECKING:
    from actors.sweep import Sweep

CHIP, SMALL = "rgba(255,255,255,0.82)", {"size": 11, "color": "#1d2733"}
"""What is written over lines, on both grounds."""
TOP: Final = 6
"""Sets with a line of their own."""
LINES_MAX: Final = 2_000
"""Sets drawn as lines between the axes; of more, the best and evenly chosen others."""
GAINS: Final = [[0.0, SELL], [0.5, "#e8e4da"], [1.0, BUY]]
RISES: Final = [[0.0, "#e8e4da"], [1.0, BUY]]


def heat_figure(sweep: Sweep, x: str = "", y: str = "") -> go.Figure:
    """The objective over two keys of the grid, the first two that have several values when left out; other keys averaged."""
    grid = sweep.sweep["grid"]
    several = [axis["key"] for axis in grid if len(axis["values"]) > 1] or [grid[0]["key"]]
    x, y = x or several[0], y or (several[1] if len(several) > 1 else "")
    at = {axis["key"]: k for k, axis in enumerate(grid)}
    standing = sweep.standing
    columns = grid[at[x]]["values"]
    lines = grid[at[y]]["values"] if y else [""]
    cells: list[list[list[float]]] = [[[] for _ in columns] for _ in lines]
    for place, score in zip(standing.places, standing.scores, strict=True):
        if not np.isnan(score):
            cells[place[at[y]] if y else 0][place[at[x]]].append(float(score))
    z = [[float(np.mean(cell)) if cell else None for cell in line] for line in cells]
    known = [one for line in z for one in line if one is not None]
    both = bool(known) and min(known) < 0 < max(known)
    figure = go.Figure(
        go.Heatmap(
            x=[say_value(one) for one in columns], y=[say_value(one) for one in lines], z=z, texttemplate="%{z:,.4~g}",
            colorscale=GAINS if both else RISES, zmid=0 if both else None, xgap=2, ygap=2, colorbar={"outlinewidth": 0},
        )
    )  # fmt: skip
    figure.update_xaxes(type="category", title_text=x)
    figure.update_yaxes(type="category", title_text=y)
    return look(figure, 120 + 46 * max(len(lines), 3))


def parallel_figure(sweep: Sweep) -> go.Figure:
    """A line a set through its value of each key to what came of it; lines in order of rank, the best on top."""
    standing = sweep.standing
    table = [row for row in standing.table if row["rank"] is not None]
    ranked = [row for k, row in enumerate(table) if k < TOP or k % max(1, -(-len(table) // LINES_MAX)) == 0]
    axes = list(_axes(sweep, table))
    figure = go.Figure()
    best, tenth, half = 1, max(2, len(table) // 10), max(3, len(table) // 2)
    for name, low, high, colour, width in (
        ("lower half", half, len(table), SELL, 0.8), ("upper half", tenth, half, SOFT, 0.8),
        ("best tenth", best, tenth, BUY, 1.4), ("best set", 0, best, LINE, 3.2),
    ):  # fmt: skip
        x: list[Any] = []
        y: list[Any] = []
        words: list[Any] = []
        for row in ranked:
            if low < row["rank"] <= high:
                x += [*range(len(axes)), None]
                y += [*(place(row) for _, place, _ in axes), None]
                words += [f"{row['rank']}. set {row['set']}: {sweep.label(row['set'])}"] * (len(axes) + 1)
        if x:
            style = {"color": colour, "width": width}
            figure.add_trace(
                go.Scatter(
                    x=x,
                    y=y,
                    text=words,
                    name=name,
                    mode="lines",
                    line=style,
                    opacity=0.85,
                    hovertemplate="%{text}<extra></extra>",
                )
            )
    for k, (_, _, ticks) in enumerate(axes):
        figure.add_shape(type="line", x0=k, x1=k, y0=0, y1=1, line={"color": GRID, "width": 2}, layer="below")
        for height, written in ticks:
            figure.add_annotation(
                x=k, y=height, text=written, showarrow=False, xanchor="left", xshift=5, font=SMALL, bgcolor=CHIP
            )
    look(figure, 420).update_layout(legend={"traceorder": "reversed"})
    figure.update_xaxes(tickvals=list(range(len(axes))), ticktext=[title for title, _, _ in axes], showgrid=False)
    figure.update_xaxes(range=[-0.12, len(axes) - 1 + 0.4])
    return figure.update_yaxes(visible=False, range=[-0.06, 1.06])


Place = Callable[[dict[str, Any]], float]


def _axes(sweep: Sweep, table: Sequence[dict[str, Any]]) -> Iterator[tuple[str, Place, list[tuple[float, str]]]]:
    """Title, where a set stands between 0 and 1, and what is written where; of each key, then of the results."""
    for axis in sweep.sweep["grid"]:
        key, values = axis["key"], axis["values"]
        heights = [k / (len(values) - 1) if len(values) > 1 else 0.5 for k in range(len(values))]
        every = max(1, len(values) // 12)
        ticks = [(heights[k], say_value(values[k])) for k in range(0, len(values), every)]
        yield key, lambda row, key=key, heights=heights, values=values: heights[values.index(row[key])], ticks  # type: ignore[misc]
    for name, title in (
        ("score", sweep.standing.by.title),
        ("worst_day", "worst day"),
        ("days_above_median", "days above median"),
    ):
        found = [row[name] for row in table]
        low, high = (0.0, 1.0) if name == "days_above_median" else (min(found, default=0.0), max(found, default=1.0))
        ticks = [(k / 4, _brief(low + (high - low) * k / 4)) for k in range(5)] if high > low else [(0.5, f"{low:,.3g}")]
        span = high - low
        yield title, lambda row, name=name, low=low, span=span: (row[name] - low) / span if span > 0 else 0.5, ticks  # type: ignore[misc]


def _brief(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def days_figure(sweep: Sweep) -> go.Figure:
    """The best sets' objective by day, among where most of all sets were."""
    standing = sweep.standing
    figure, daily, days = go.Figure(), standing.daily, standing.days
    if len(standing.complete):
        low, middle, high = np.percentile(daily, [10, 50, 90], axis=0)
        figure.add_scatter(x=days, y=low, mode="lines", line={"width": 0}, showlegend=False, hoverinfo="skip")
        figure.add_scatter(
            x=days, y=high, mode="lines", line={"width": 0}, fill="tonexty", fillcolor="rgba(128,140,150,0.2)",
            name="80 % of all sets", hoverinfo="skip",
        )  # fmt: skip
        figure.add_scatter(
            x=days, y=middle, mode="lines+markers", name="median set", line={"color": SOFT, "width": 2, "dash": "dot"}
        )
    row = {int(k): n for n, k in enumerate(standing.complete)}
    for n, k in enumerate(standing.order[:TOP]):
        look_of = {"color": COLOURS[n % len(COLOURS)], "width": 2.6 if n == 0 else 1.4}
        figure.add_scatter(x=days, y=daily[row[int(k)]], mode="lines+markers", name=f"{n + 1}. set {k + 1}", line=look_of)
    look(figure, 360, "x unified").update_layout(legend={"traceorder": "normal"})
    figure.update_yaxes(title_text=standing.by.title)
    room = max(5 - len(days), 0) / 2 + 0.3
    return figure.update_xaxes(type="category", range=[-room, len(days) - 1 + room])


def order_figure(sweep: Sweep) -> go.Figure:
    """Every set from the best to the worst, its neighbours' mean beside it, and 0."""
    standing = sweep.standing
    figure, scores = go.Figure(), standing.scores
    ranks = list(range(1, len(standing.order) + 1))
    words = [f"set {k + 1}: {sweep.label(int(k) + 1)}" for k in standing.order]
    beside = []
    for k in standing.order:
        near = [scores[other] for other in standing.beside[int(k)] if not np.isnan(scores[other])]
        beside.append(float(np.mean(near)) if near else None)
    figure.add_scatter(
        x=ranks, y=beside, mode="markers", name="mean of its neighbours in the grid", hoverinfo="skip",
        marker={"color": COLOURS[1], "size": 9, "symbol": "line-ew-open"},
    )  # fmt: skip
    figure.add_scatter(
        x=ranks, y=scores[standing.order], text=words, mode="markers", name="set", marker={"color": LINE, "size": 6},
        hovertemplate="%{x}. %{text}<br>%{y:,.4~g}<extra></extra>",
    )  # fmt: skip
    look(figure, 320)
    figure.update_yaxes(title_text=standing.by.title)
    return figure.update_xaxes(title_text="rank", rangemode="tozero")


def correlation_figure(sweep: Sweep) -> go.Figure:
    """The rank correlation of the sets between each two days."""
    found, days = day_correlation(sweep.standing.daily), sweep.standing.days
    few = len(days) <= 12
    figure = go.Figure(
        go.Heatmap(
            x=days, y=days, z=found, zmin=-1, zmax=1, colorscale=GAINS, xgap=1, ygap=1,
            texttemplate="%{z:.2f}" if few else None, colorbar={"outlinewidth": 0},
        )
    )  # fmt: skip
    figure.update_xaxes(type="category")
    figure.update_yaxes(type="category", autorange="reversed")
    return look(figure, min(140 + 44 * len(days), 620))


FIGURES: Final[dict[str, Callable[[Sweep], go.Figure]]] = {
    "heat": heat_figure, "parallel": parallel_figure, "days": days_figure, "order": order_figure,
    "correlation": correlation_figure,
}  # fmt: skip
