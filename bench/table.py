"""What every benchmark ends with: a table on the terminal and, when asked, the same rows as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table


def write(title: str, rows: Sequence[Mapping[str, object]], target: str | None = None) -> None:
    """Print the rows as a table; with a target, also write `{"title", "machine", "rows"}` there."""
    table = Table(title=title)
    for column in rows[0]:
        table.add_column(column, justify="left" if isinstance(rows[0][column], str) else "right")
    for row in rows:
        table.add_row(*(f"{value:,.3g}" if isinstance(value, float) else str(value) for value in row.values()))
    Console().print(table)
    keep(title, rows, target)


def keep(title: str, rows: Sequence[Mapping[str, object]], target: str | None) -> None:
    """Write `{"title", "machine", "load", "rows"}` as JSON, if there is a target; `load`: what else the machine was doing."""
    if target:
        machine = {"python": platform.python_version(), "system": platform.platform(), "cpu": cpu()}
        Path(target).write_text(
            json.dumps({"title": title, "machine": machine, "load": os.getloadavg()[0], "rows": list(rows)}, indent=1) + "\n"
        )


def cpu() -> str:
    """The processor's own name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
