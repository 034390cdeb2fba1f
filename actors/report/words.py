"""Figures as words: which are shown, what they are called, how they are written. The terminal and the page share them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.table import Table

    from actors.results import Result

SAMPLED: Final = "10 s samples, 365 days"
METRICS: Final = (
    ("pnl", "profit", "money", "after fees and funding"),
    ("gross_pnl", "profit before fees and funding", "money", ""),
    ("spread_captured", "  spread captured", "money", "fills against the mid"),
    ("inventory_pnl", "  inventory", "money", "the rest of it"),
    ("fees", "fees paid", "money", "negative: rebates"),
    ("funding", "funding received", "money", ""),
    ("total_return", "total return", "percent", "of capital"),
    ("annualised_return", "annualised return", "percent", "365 days, simple"),
    ("volatility", "volatility", "percent", SAMPLED),
    ("sharpe", "Sharpe", "ratio", SAMPLED),
    ("sortino", "Sortino", "ratio", SAMPLED),
    ("calmar", "Calmar", "ratio", "yearly return / drawdown"),
    ("max_drawdown", "maximum drawdown", "percent", "of capital"),
    ("max_drawdown_value", "maximum drawdown, value", "money", ""),
    ("trades", "trades", "count", "fills"),
    ("trades_a_day", "trades a day", "ratio", "24 h of simulated time"),
    ("turnover", "turnover", "money", ""),
    ("turnover_of_capital", "turnover x capital", "times", ""),
    ("win_rate", "win rate", "percent", "closing fills"),
    ("profit_factor", "profit factor", "ratio", "closing fills"),
    ("max_leverage", "maximum leverage", "times", "positions / capital"),
    ("median_leverage", "median leverage", "times", "positions / capital"),
    ("return_over_trade", "return over trade", "bp", "profit / turnover"),
    ("pnl_a_trade", "profit a trade", "money", ""),
)
"""Key in metrics.json, name, way of writing, and what it is of."""
RUNNING: Final = (
    ("events", "market events", "count", "rows replayed"),
    ("events_a_second", "events a second", "count", "a worker"),
    ("ticks_received", "ticks received", "count", ""),
    ("ticks_delivered", "ticks delivered", "count", ""),
    ("ticks_replaced", "ticks replaced", "count", "by newer ones, untaken"),
    ("greatest_age_ms", "greatest age", "ms", "of a tick when taken"),
    ("peak_rss_mb", "peak memory", "MB", "of a worker"),
)
COLUMNS_MAX: Final = 5
"""Instruments with a column of their own on a terminal; the report has up to COLUMNS_PAGE, metrics.json all."""
COLUMNS_PAGE: Final = 12


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
        case "ms" | "MB":
            return f"{value:,.{1 if kind == 'ms' else 0}f} {kind}"
        case "money":
            return f"{value:,.2f}" if abs(value) >= 1 or value == 0 else f"{value:,.4f}"
    return f"{value:,.2f}" if abs(value) < 1000 else f"{value:,.0f}"


def headline(figures: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """What one wants to know first, as (name, value, what it is of, tone)."""
    tone = "good" if figures["pnl"] > 0 else "bad" if figures["pnl"] < 0 else ""
    table = {key: rest for key, *rest in METRICS}
    shown = (
        "pnl", "total_return", "annualised_return", "sharpe", "sortino", "max_drawdown", "trades", "turnover_of_capital", "fees",
        "win_rate", "profit_factor", "return_over_trade",
    )  # fmt: skip
    colour = {"pnl": tone, "total_return": tone, "annualised_return": tone}
    return [(table[key][0], say(figures[key], table[key][1]), table[key][2], colour.get(key, "")) for key in shown]


def columns(figures: Mapping[str, Any], most: int = COLUMNS_PAGE) -> dict[str, Mapping[str, Any]]:
    """Which figures stand side by side: of all together, and of each instrument where there are several but not too many."""
    parts = figures["by_instrument"]
    if len(parts) == 1:
        return {next(iter(parts)): figures}
    return {"all": figures, **(parts if len(parts) <= most else {})}


def metric_rows(figures: Mapping[str, Any], most: int = COLUMNS_PAGE) -> list[tuple[str, list[str], str]]:
    """Every figure: its name, its value in each of `columns`, and what it is of."""
    parts = list(columns(figures, most).values())
    rows = [(name, [say(one[key], kind) for one in parts], of) for key, name, kind, of in METRICS]
    rows.insert(13, ("  from, to", [_span(one) for one in parts], "high to low, UTC"))
    return rows + [(name, [say(figures[key], kind), *[""] * (len(parts) - 1)], of) for key, name, kind, of in RUNNING]


def _span(figures: Mapping[str, Any]) -> str:
    begin, end = figures["max_drawdown_begin"], figures["max_drawdown_end"]
    if not begin:
        return "–"
    shown = end[11:19] if begin[:10] == end[:10] else f"{end[5:10]} {end[11:19]}"
    return f"{begin[5:10]} {begin[11:19]} – {shown}"


def summary_table(result: Result) -> Table:
    """The run on one table for the terminal: figures, what they rest on, and every assumption."""
    from rich.markup import escape
    from rich.table import Table

    figures = result.metrics
    failed = figures["days_failed"]
    title = f"{escape(result.run['graph']['name'])}: {_many(figures['days'], 'day')}" + (f", {failed} failed" if failed else "")
    caption = [*figures["notes"], *(f"{name}: {said}" for name, said in figures["assumptions"].items())]
    table = Table(title=title, title_justify="left", caption=escape("\n".join(caption)), caption_justify="left")
    table.add_column("")
    shown = columns(figures, COLUMNS_MAX)
    for name in shown:
        table.add_column(escape(name), justify="right")
    table.add_column("", style="dim")
    rows: Sequence[tuple[str, list[str], str]] = metric_rows(figures, COLUMNS_MAX)
    ends = {"funding received", "maximum drawdown, value", "profit a trade"}
    for name, values, of in rows:
        table.add_row(name, *values, of, end_section=name in ends)
    return table


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
