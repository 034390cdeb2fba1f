"""The report's plots, each from a run's columns.

Series are thinned to POINTS each, keeping the lowest and highest of every bucket, so that a month loads as fast as a minute
and no extreme is lost. Days and gaps in the market are not joined by a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.study.metrics import drawdown

if TYPE_CHECKING:
    import pandas as pd

    from actors.results import Result

POINTS: Final = 4_000
"""Points a series: more than a screen has pixels."""
MARKERS: Final = 3_000
"""Fills drawn a side and instrument; more are thinned evenly, and the page says so."""
GAP_NS: Final = 60 * 1_000_000_000
BUY, SELL, LINE, SOFT = "#2a9d8f", "#e4572e", "#3b6fb6", "#9aa5b1"
COLOURS: Final = (LINE, "#b5651d", "#7b4fa3", "#4f7942", "#a33b5b", "#5b7c99")


def styled(figure: go.Figure, height: int = 320) -> go.Figure:
    """The look that all figures share; colours of text and grid come from the page."""
    figure.update_layout(
        height=height,
        margin={"l": 64, "r": 20, "t": 34, "b": 36},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 12, "color": "#6b7785"},
        legend={"orientation": "h", "y": 1.12, "x": 0},
        hovermode="x unified",
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": "#9aa5b1"},
    )
    figure.update_xaxes(gridcolor="rgba(128,140,150,0.18)", zeroline=False)
    figure.update_yaxes(gridcolor="rgba(128,140,150,0.18)", zerolinecolor="rgba(128,140,150,0.45)")
    return figure


def thin(times: np.ndarray, values: np.ndarray, points: int = POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most about `points` of a series: the first, lowest and highest of each bucket, with a hole where time jumps."""
    if len(times) > points:
        edges = np.linspace(0, len(times), points // 2 + 1).astype(int)[:-1]
        keep = []
        for start, stop in zip(edges, [*edges[1:], len(times)], strict=True):
            part = values[start:stop]
            if np.isnan(part).all():
                keep.append(start)
            else:
                keep += [start + int(np.nanargmin(part)), start + int(np.nanargmax(part))]
        at = np.unique(keep)
        limit = max(GAP_NS, int(np.median(np.diff(times[at]))) * 20)
        times, values = times[at], values[at]
    else:
        limit = GAP_NS
    holes = np.flatnonzero(np.diff(times) > limit) + 1
    return np.insert(times, holes, times[holes] - 1), np.insert(values.astype(float), holes, np.nan)


def _line(figure: go.Figure, times: np.ndarray, values: np.ndarray, name: str, colour: str, **more: Any) -> None:
    x, y = thin(times, values)
    place = {key: more.pop(key) for key in ("row", "col") if key in more}
    line = {"color": colour, "width": more.pop("width", 1.6), **more.pop("line", {})}
    figure.add_trace(go.Scatter(x=x.astype("datetime64[ns]"), y=y, name=name, mode="lines", line=line, **more), **place)


def _nanoseconds(frame: pd.DataFrame) -> np.ndarray:
    return frame.index.as_unit("ns").asi8  # type: ignore[attr-defined, no-any-return]


def book_equity(result: Result) -> tuple[np.ndarray, np.ndarray]:
    """Times and equity of all instruments together, days standing on each other."""
    times, values, ended = [], [], 0.0
    frame = result.equity()
    if not len(frame):
        return np.zeros(0, np.int64), np.zeros(0)
    for _, day in frame.groupby("day", sort=True):
        table = day.pivot_table(index=day.index, columns="symbol", values="equity", aggfunc="last").ffill().fillna(0.0)
        total = table.sum(axis=1).to_numpy() + (0.0 if result.carries else ended)
        times.append(_nanoseconds(table))
        values.append(total)
        ended = float(total[-1])
    return np.concatenate(times), np.concatenate(values)


def equity_figure(result: Result) -> go.Figure:
    """Equity above, drawdown below."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.06)
    times, equity = book_equity(result)
    _line(figure, times, equity, "equity", LINE, row=1, col=1)
    if len(equity):
        below = drawdown(equity, result.capital) * 100
        _line(figure, times, below, "drawdown, %", SELL, row=2, col=1, fill="tozeroy", width=1)
    figure.update_yaxes(title_text="profit", row=1, col=1)
    figure.update_yaxes(title_text="%", row=2, col=1)
    return styled(figure, 430)


def inventory_figure(frame: pd.DataFrame) -> go.Figure:
    """Position of each instrument."""
    figure = go.Figure()
    for colour, (symbol, mine) in zip(COLOURS, frame.groupby("symbol"), strict=False):
        x, y = thin(_nanoseconds(mine), mine["position"].to_numpy())
        figure.add_trace(
            go.Scatter(x=x.astype("datetime64[ns]"), y=y, name=str(symbol), line={"color": colour, "width": 1.4, "shape": "hv"})
        )
    figure.update_yaxes(title_text="position")
    return styled(figure)


def price_figure(frame: pd.DataFrame, fills: pd.DataFrame) -> go.Figure:
    """One instrument's mid, our quotes around it, and our fills on it."""
    figure = go.Figure()
    times = _nanoseconds(frame)
    _line(figure, times, frame["mid"].to_numpy(), "mid", SOFT)
    for side, column, name, colour in ((1, "own_bid", "our best bid", BUY), (2, "own_ask", "our best ask", SELL)):
        _line(figure, times, frame[column].to_numpy(), name, colour, width=1, line={"dash": "dot"})
        for maker in (True, False):
            mine = fills[(fills["side"] == side) & (fills["maker"] == maker)] if len(fills) else fills
            if not len(mine):
                continue
            mine = mine.iloc[:: -(-len(mine) // MARKERS)]
            figure.add_trace(
                go.Scattergl(
                    x=mine.index.tz_localize(None),
                    y=mine["price"],
                    mode="markers",
                    name=f"{'bought' if side == 1 else 'sold'}, {'maker' if maker else 'taker'}",
                    marker={
                        "symbol": ("triangle-up" if side == 1 else "triangle-down") + ("" if maker else "-open"),
                        "size": 8,
                        "color": colour,
                    },
                    customdata=mine[["qty", "position"]],
                    hovertemplate="%{y} x %{customdata[0]:g}, position %{customdata[1]:g}",
                )
            )
    figure.update_yaxes(title_text="price")
    return styled(figure, 420)


def distance_figure(frame: pd.DataFrame) -> go.Figure:
    """How far our best quotes stand from the mid, with the market's own, in basis points."""
    figure = go.Figure()
    times, mid = _nanoseconds(frame), frame["mid"].to_numpy()
    for column, name, colour in (
        ("ask", "market ask", SOFT), ("bid", "market bid", SOFT), ("own_ask", "our ask", SELL), ("own_bid", "our bid", BUY),
    ):  # fmt: skip
        with np.errstate(divide="ignore", invalid="ignore"):
            _line(figure, times, (frame[column].to_numpy() / mid - 1) * 1e4, name, colour, width=1.2)
    figure.update_yaxes(title_text="from mid, bp")
    return styled(figure)


def captured_figure(fills: pd.DataFrame) -> go.Figure:
    """What each fill was better than the mid when it was heard of: as a histogram and added up."""
    figure = make_subplots(rows=1, cols=2, column_widths=[0.42, 0.58])
    if len(fills):
        sign = np.where(fills["side"] == 1, 1.0, -1.0)
        edge = sign * (fills["mid"] - fills["price"])
        figure.add_trace(
            go.Histogram(x=edge / fills["mid"] * 1e4, nbinsx=60, marker={"color": LINE}, name="fills by edge, bp"), row=1, col=1
        )
        earned = (edge * fills["qty"]).cumsum().to_numpy()
        times = _nanoseconds(fills)
        _line(figure, times, earned, "spread captured, added up", BUY, row=1, col=2)
        _line(figure, times, -fills["fee"].cumsum().to_numpy(), "fees, added up", SELL, row=1, col=2)
    figure.update_xaxes(title_text="bp better than mid", row=1, col=1)
    return styled(figure)


def days_figure(days: list[dict[str, Any]]) -> go.Figure:
    """Profit by day, a bar an instrument."""
    figure = go.Figure()
    names = sorted({"+".join(one["instruments"]) for one in days})
    for colour, name in zip(COLOURS * len(names), names, strict=False):
        mine = [one for one in days if "+".join(one["instruments"]) == name and one["status"] == "done"]
        figure.add_trace(
            go.Bar(x=[one["day"] for one in mine], y=[one["pnl"] for one in mine], name=name, marker={"color": colour})
        )
    figure.update_xaxes(type="category")
    figure.update_yaxes(title_text="profit")
    return styled(figure, 280)
