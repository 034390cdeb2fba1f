"""A run as a page: figures, tables and every assumption, in one HTML file that needs no network."""

from __future__ import annotations

from actors.report.figures import equity_figure
from actors.report.page import write_report

__all__ = ["equity_figure", "write_report"]
