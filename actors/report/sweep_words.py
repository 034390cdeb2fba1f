"""A sweep as words and tables: the terminal's and the page's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from actors.grid import say_value
from actors.report.words import say
from actors.standing import OBJECTIVES

if TYPE_CHECKING:
    from rich.table import Table

    from actors.sweep import Sweep

FIGURES: Final[tuple[tuple[str, str, str], ...]] = (
    ("mean_day", "mean day", "objective"), ("worst_day", "worst day", "objective"), ("best_day", "best day", "objective"),
    ("days_positive", "days > 0", "share"), ("days_above_median", "days > median", "share"),
    ("standing_mean", "standing, mean", "share"), ("neighbours_mean", "neighbours", "share"), ("pnl", "profit", "money"),
    ("fees", "fees", "money"), ("turnover", "turnover", "money"), ("fills", "fills", "count"),
    ("max_drawdown", "drawdown", "money"), ("sharpe", "Sharpe", "ratio"),
)  # fmt: skip
"""Key in a set's row, name, way of writing; `objective` is the objective's own."""
TERMINAL: Final[tuple[str, ...]] = (
    "mean_day",
    "worst_day",
    "days_above_median",
    "standing_mean",
    "neighbours_mean",
    "pnl",
    "fills",
    "max_drawdown",
)
SHOWN: Final = 12
"""Sets on a terminal; the page and sets.csv have all."""
LEGEND: Final = (
    "Standing: 0 % the worst of all sets, 100 % the best; its mean is over days. Neighbours: the mean standing of the sets one "
    "step away in the grid. Drawdown: the deepest of a day."
)


def written(row: Mapping[str, Any], key: str, kind: str, objective: str) -> str:
    """A figure of a set's row."""
    value = row[key]
    if kind == "share":
        return "–" if value is None else f"{value:.0%}"
    return say(value, objective if kind == "objective" else kind)


def set_rows(sweep: Sweep, keys: Sequence[str] = ()) -> tuple[list[str], list[list[str]]]:
    """Titles and rows of the table of sets, the best first; all figures, or those of `keys`."""
    kind = sweep.standing.by.kind
    shown = [one for one in FIGURES if (not keys or one[0] in keys) and not (one[0] == "pnl" and sweep.by == "pnl")]
    titles = ["rank", "set", *sweep.keys, OBJECTIVES[sweep.by].title, *(title for _, title, _ in shown)]
    rows = []
    for row in sweep.standing.table:
        rank = "–" if row["rank"] is None else str(row["rank"])
        values = [say_value(row[key]) for key in sweep.keys]
        figures = [written(row, key, way, kind) for key, _, way in shown]
        rows.append([rank, str(row["set"]), *values, say(row["score"], kind), *figures])
    return titles, rows


def sets_table(sweep: Sweep) -> Table:
    """The best sets for a terminal, and the last one: what is chosen is chosen among these."""
    from rich.markup import escape
    from rich.table import Table

    titles, rows = set_rows(sweep, TERMINAL)
    days = sweep.standing.days
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    title = f"{escape(sweep.sweep['name'])}: {len(rows):,} sets, {len(days)} day{'' if len(days) == 1 else 's'} ({span})"
    table = Table(title=title, title_justify="left", caption=escape(LEGEND), caption_justify="left")
    for column, name in enumerate(titles):
        table.add_column(escape(name.removeprefix("strategy.")), justify="right" if column else "left")
    shown = rows if len(rows) <= SHOWN + 2 else rows[:SHOWN]
    for row in shown:
        table.add_row(*row)
    if len(shown) < len(rows):
        table.add_row(*(["..."] * len(titles)))
        ranked = [row for row in rows if row[0] != "–"]
        if ranked:
            table.add_row(*ranked[-1])
    return table
