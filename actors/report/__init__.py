"""A run as a page: figures, tables and every assumption, in one HTML file that needs no network.

In a notebook: `run = Run("results/...")`, then `run.metrics`, `run.days()`, `run.fills()`, `run.equity()`, `run.plot()` and
`run.report()`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from actors.report.figures import equity_figure
from actors.report.page import write_report
from actors.results import Result

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["Run", "write_report"]


class Run(Result):
    """A run's tables and plots."""

    def plot(self) -> Figure:
        """Equity and drawdown over time, an interactive figure."""
        return equity_figure(self)

    def report(self) -> Path:
        """Where the HTML report is; it is written if it is not there."""
        path = self.path / "report.html"
        return path if path.exists() else write_report(self)
