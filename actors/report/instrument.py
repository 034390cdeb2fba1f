"""The report's plots of one instrument: its fills on the price, its quotes against the market's."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from actors.report.figures import BUY, LINE, SELL, SOFT, line, styled
from actors.report.series import MARKERS, Material, every, milliseconds, typical

MARKS: Final = (
    (1, True, "bought, maker", "triangle-up", BUY),
    (1, False, "bought, taker", "triangle-up-open", BUY),
    (2, True, "sold, maker", "triangle-down", SELL),
    (2, False, "sold, taker", "triangle-down-open", SELL),
)
"""FIX Side, whether maker, and how such a fill is drawn."""


def price_figure(material: Material, symbol: str) -> go.Figure:
    """Mid, our quotes around it and our fills on it; the position below, on the same time."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.74, 0.26], vertical_spacing=0.05)
    line(figure, material, *material.column("mid", symbol), "mid", SOFT, row=1)
    for name, column, colour in (("our bid", "own_bid", BUY), ("our ask", "own_ask", SELL)):
        line(figure, material, *material.column(column, symbol), name, colour, row=1, width=0.9, line={"dash": "dot"})
    for side, maker, name, mark, colour in MARKS:
        _fills(figure, material, symbol, side, maker, name=name, marker={"symbol": mark, "color": colour})
    times, position = material.column("position", symbol)
    line(figure, material, times, position, "position", LINE, row=2, width=1.3, line={"shape": "hv"}, showlegend=False)
    figure.update_yaxes(title_text="price", tickformat=",", range=_range(material, symbol), row=1, col=1)
    figure.update_yaxes(title_text="position", row=2, col=1)
    return styled(figure, material, 520, ("x", "x2")).update_layout(hovermode="closest")


def _range(material: Material, symbol: str) -> list[float] | None:
    """Prices to show at first: all of the mid and the fills, most of our quotes; a quote far away must not flatten the rest."""
    quotes = np.concatenate([material.column(name, symbol)[1] for name in ("own_bid", "own_ask")])
    quotes = quotes[~np.isnan(quotes)]
    shown = [material.column("mid", symbol)[1], material.fills("price", symbol)]
    shown += [np.percentile(quotes, [10, 90])] if len(quotes) else []
    prices = np.concatenate(shown)
    prices = prices[~np.isnan(prices)]
    if not len(prices):
        return None
    low, high = float(prices.min()), float(prices.max())
    margin = (high - low) * 0.06 or high * 1e-4
    return [low - margin, high + margin]


def _fills(figure: go.Figure, material: Material, symbol: str, side: int, maker: bool, **look: Any) -> None:
    mine = np.flatnonzero((material.fills("side", symbol) == side) & (material.fills("maker", symbol) == maker))
    mine = mine[list(every(len(mine)))]
    if not len(mine):
        return
    look["marker"] |= {"size": 8 if len(mine) < 200 else 6, "opacity": 1.0 if len(mine) < 200 else 0.7}
    x, y, qty, position = (material.fills(name, symbol)[mine] for name in ("time_ns", "price", "qty", "position"))
    figure.add_trace(
        go.Scatter(
            x=milliseconds(x), y=y, mode="markers", customdata=np.column_stack([qty, position]),
            hovertemplate="%{y:,} x %{customdata[0]:g}, position then %{customdata[1]:g}<br>%{x|%H:%M:%S.%L}", **look,
        ),
        row=1, col=1,
    )  # fmt: skip


def thinned(material: Material, symbol: str) -> str:
    """A sentence where not all fills are drawn."""
    side, maker = material.fills("side", symbol), material.fills("maker", symbol)
    counts = [int(((side == one) & (maker == kind)).sum()) for one, kind, *_ in MARKS]
    drawn = sum(len(every(count)) for count in counts)
    return f" {drawn:,} of {sum(counts):,} fills are drawn, evenly chosen." if max(counts) > MARKERS else ""


def quotes_figure(material: Material, symbol: str) -> go.Figure:
    """How far our best quotes and the market's stand from the mid, in basis points."""
    figure = go.Figure()
    times, mid = material.column("mid", symbol)
    for column, name, colour, width in (
        ("ask", "market ask", SOFT, 1.2), ("bid", "market bid", SOFT, 1.2), ("own_ask", "our ask", SELL, 1.3),
        ("own_bid", "our bid", BUY, 1.3),
    ):  # fmt: skip
        values = (material.column(column, symbol)[1] / mid - 1) * 1e4
        line(figure, material, times, values, name, colour, width=width, by=typical)
    figure.update_yaxes(title_text="from the mid, bp")
    return styled(figure, material, 320)


def quoting(material: Material, symbol: str) -> str:
    """A sentence: how much of the time we quoted, and how far from the market's best."""
    bid, ask, own_bid, own_ask = (material.column(name, symbol)[1] for name in ("bid", "ask", "own_bid", "own_ask"))
    both = ~np.isnan(own_bid) & ~np.isnan(own_ask)
    away = np.concatenate([(bid - own_bid) / bid, (own_ask - ask) / ask]) * 1e4
    away = away[~np.isnan(away)]
    if not len(away):
        return "Sampled every 10 s; at no sample was there a quote of ours."
    drawn = " Drawn: medians of some samples each." if len(bid) > material.points else ""
    return (
        f"Sampled every 10 s.{drawn} Both sides were quoted in {both.mean():.1%} of the samples; a quote stood "
        f"{np.median(away):,.2f} bp (median) behind the market's best, and at it or better in {np.mean(away <= 1e-9):.1%}."
    )
