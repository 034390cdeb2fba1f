"""Figures as words: which are shown, what they are called, how they are written. The terminal and the page share them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.table import Table

    from actors.results import Result

METRICS: Final = (
    ("pnl", "profit (net)", "money"),
    ("total_return", "total return", "percent"),
    ("annualised_return", "annualised return", "percent"),
    ("volatility", "volatility (annualised)", "percent"),
    ("sharpe", "Sharpe", "ratio"),
    ("sortino", "Sortino", "ratio"),
    ("calmar", "Calmar", "ratio"),
    ("max_drawdown", "maximum drawdown", "percent"),
    ("trades", "trades", "count"),
    ("trades_a_day", "trades a day", "ratio"),
    ("turnover", "turnover", "money"),
    ("turnover_of_capital", "turnover of capital", "times"),
    ("win_rate", "win rate (round trips)", "percent"),
    ("profit_factor", "profit factor", "ratio"),
    ("max_leverage", "maximum leverage", "times"),
    ("median_leverage", "median leverage", "times"),
    ("return_over_trade", "return over trade", "bp"),
    ("samples", "samples of 10 s", "count"),
)
BOOK_ONLY: Final = (
    ("gross_pnl", "profit before fees and funding", "money"),
    ("fees", "fees", "money"),
    ("funding", "funding", "money"),
    ("events", "market events replayed", "count"),
    ("events_a_second", "events a second", "count"),
    ("ticks_received", "ticks received", "count"),
    ("ticks_replaced", "ticks replaced", "count"),
    ("greatest_age_ms", "greatest age of a tick taken, ms", "ratio"),
    ("peak_rss_mb", "peak memory of a worker, MB", "count"),
)


def say(value: float | None, kind: str) -> str:
    """A figure as people read it; "–" where it is not defined."""
    if value is None:
        return "–"
    match kind:
        case "percent":
            return f"{value:,.3%}" if abs(value) < 0.1 else f"{value:,.1%}"
        case "bp":
            return f"{value * 1e4:,.3f} bp"
        case "times":
            return f"{value:,.3f} x"
        case "count":
            return f"{value:,.0f}"
        case "money":
            return f"{value:,.2f}" if abs(value) >= 1 or value == 0 else f"{value:,.4f}"
    return f"{value:,.2f}"


def headline(figures: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What one wants to know first, as (name, value, tone)."""
    tone = "good" if figures["pnl"] > 0 else "bad" if figures["pnl"] < 0 else ""
    shown = ("pnl", "total_return", "sharpe", "max_drawdown", "trades", "fees", "win_rate", "return_over_trade")
    table = {key: (name, kind) for key, name, kind in (*METRICS, *BOOK_ONLY)}
    return [(table[key][0], say(figures[key], table[key][1]), tone if key in ("pnl", "total_return") else "") for key in shown]


def metric_rows(figures: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Every figure: its name and its values, all instruments together first, then each."""
    parts = list(figures["by_instrument"].values())
    rows = [(name, [say(one[key], kind) for one in (figures, *parts)]) for key, name, kind in METRICS]
    return rows + [(name, [say(figures[key], kind), *[""] * len(parts)]) for key, name, kind in BOOK_ONLY]


def summary_table(result: Result) -> Table:
    """The run on one table for the terminal: a column for all and one an instrument."""
    from rich.table import Table

    figures = result.metrics
    failed = figures["days_failed"]
    title = f"{result.run['graph']['name']}: {figures['days']} days" + (f", {failed} failed" if failed else "")
    table = Table(title=title, title_justify="left", caption_justify="left", caption=_caption(figures))
    table.add_column("")
    for name in ("all", *figures["by_instrument"]):
        table.add_column(name, justify="right")
    for name, values in metric_rows(figures):
        table.add_row(name, *values)
    return table


def _caption(figures: Mapping[str, Any]) -> str:
    return f"on capital of {figures['capital']:,.2f}; sampled every 10 s of market, annualised over 365 days"
