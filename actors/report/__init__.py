"""A run as a page: figures, tables and every assumption, in one HTML file that needs no network.

In a notebook: `run = Run("results/...")`, then `run` itself shows the figures, and `run.metrics`, `run.table()`, `run.days()`,
`run.fills()`, `run.equity()`, `run.plot()`, `run.plot("quotes", "BTCUSDT")` and `run.report()` are one call each.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from actors.errors import Exit, UserError, nearest
from actors.report.page import write_report
from actors.report.words import metric_rows
from actors.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

    from actors.report.series import Material

__all__ = ["Run", "write_report"]


class Run(Result):
    """A run's tables and plots."""

    @cached_property
    def material(self) -> Material:
        """The run's columns as the plots take them, read once."""
        from actors.report.series import Material

        return Material(self)

    def table(self) -> pd.DataFrame:
        """The figures as people read them: a column for all and one an instrument."""
        import pandas as pd

        columns = ["all", *self.metrics["by_instrument"]]
        return pd.DataFrame({name: values for name, values, _ in metric_rows(self.metrics)}, columns).T

    def plot(self, name: str = "equity", symbol: str = "") -> Figure:
        """An interactive figure: equity, days, sources, captured, fees, inventory; of one instrument: price, quotes.

        Raises UserError for another name, or for an instrument that is not in the run.
        """
        from actors.report import figures, instrument

        if name in ("price", "quotes"):
            symbol = symbol or next(iter(self.material.symbols), "")
            if symbol not in self.symbols:
                raise UserError(f"{symbol or 'an instrument'}: not in this run; {nearest(symbol, self.symbols)}", Exit.NOT_FOUND)
            return getattr(instrument, f"{name}_figure")(self.material, symbol)
        if name == "days":
            return figures.days_figure(self.material, self.metrics["by_day_and_instrument"])
        whole = {"equity": "both", "sources": "sources", "captured": "captured", "fees": "fees", "inventory": "inventory"}
        if name not in whole:
            raise UserError(f"no plot {name!r}: {nearest(name, [*whole, 'days', 'price', 'quotes'])}", Exit.NOT_FOUND)
        return getattr(figures, f"{whole[name]}_figure")(self.material)

    def report(self) -> Path:
        """Where the HTML report is; it is written if it is not there."""
        path = self.path / "report.html"
        return path if path.exists() else write_report(self)

    def _repr_html_(self) -> str:
        return str(self.table().to_html())
