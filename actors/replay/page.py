"""The shadow's page, `shadow.html` in the session's folder: position and profit of both worlds over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from actors.live.folder import Folder
from actors.replay.compared import Pair
from actors.replay.words import clock
from actors.results import write_beside

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLES = ("strategy", "", "live", "shadow", "difference")


def write_page(
    folder: Folder, session: str, span: tuple[int, int], pairs: Sequence[Pair], assumptions: Sequence[tuple[str, str]]
) -> Path:
    """Write the page, whole or not at all; returns its path."""
    from actors.report.page import plotted, rendered

    shown = {
        "session": session,
        "span": f"{clock(span[0])[:19]} to {clock(span[1])[:19]}",
        "plots": [
            plotted(f"{pair.strategy}, {pair.symbol}", "Position above, profit at the mark price below.", figure(pair))
            for pair in pairs
        ],
        "titles": TITLES,
        "rows": [row for pair in pairs for row in rows(pair)],
        "assumptions": assumptions,
    }
    path = folder.path / "shadow.html"
    write_beside(path, rendered("shadow.html", shown))
    return path


def figure(pair: Pair) -> go.Figure:
    """Position and profit of both over time."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    from actors.report.figures import LINE, SELL, look
    from actors.report.series import milliseconds

    made = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06)
    for name, colour, curves in (("live", LINE, pair.curves[0]), ("shadow", SELL, pair.curves[1])):
        times = milliseconds(curves.times)
        style = {"color": colour, "width": 1.6}
        steps = {**style, "shape": "hv"}
        made.add_trace(
            go.Scatter(x=times, y=curves.position, name=name, mode="lines", line=steps, legendgroup=name), row=1, col=1
        )
        made.add_trace(
            go.Scatter(x=times, y=curves.pnl, name=name, mode="lines", line=style, legendgroup=name, showlegend=False),
            row=2,
            col=1,
        )
    look(made, 460, "x unified")
    made.update_xaxes(type="date")
    made.update_yaxes(title_text="position", row=1, col=1)
    made.update_yaxes(title_text="profit", row=2, col=1)
    return made


def rows(pair: Pair) -> Iterator[tuple[str, str, str, str, str]]:
    """The table's rows of one strategy on one instrument."""
    names = {
        "requests": "requests sent", "fills": "fills", "bought": "bought", "buy_price": "at, on average", "sold": "sold",
        "sell_price": "at, on average", "position": "position at the end", "fees": "fees", "pnl": "profit",
    }  # fmt: skip
    label = pair.strategy if pair.symbol in pair.strategy else f"{pair.strategy} {pair.symbol}"
    for field, name in names.items():
        live, shadow = getattr(pair.live, field), getattr(pair.shadow, field)
        apart = "" if live is None or shadow is None else _said(field, shadow - live, "+")
        yield label, name, _said(field, live), _said(field, shadow), apart
        label = ""


def _said(field: str, value: float | None, sign: str = "") -> str:
    """A figure with as many digits as it is worth."""
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:{sign},}"
    return f"{value:{sign},.4f}" if field in ("pnl", "fees") else f"{value:{sign},.{6 if sign else 8}g}"
