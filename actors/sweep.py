"""A sweep's folder: what was tried, on what, and what each set made of each day. It explains itself and is never overwritten.

    sweep.json     the graph as resolved, the grid, every set; hashes of code, parameters and data; every assumption
    graph.toml     the graph file as given
    rows.jsonl     one line a set, day and instrument, in the order in which they were done: the sweep's memory
    failures.txt   where sets failed
    sets.csv       one line a set: its values, its figures over all days, how it did from day to day
    by_day.csv     one line a set, day and instrument
    sweep.html     the same to look at

One process writes. A line of rows.jsonl is there whole or does not count, and a set's day counts once, whatever was killed when:
one that is done already stays, one that failed gives way to a later try.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from actors.errors import Exit, UserError, nearest
from actors.grid import labelled
from actors.results import json_text, write_beside
from actors.standing import OBJECTIVES, Standing

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

Key = tuple[int, str, str]
"""A row's set, day and instruments."""


def key_of(row: Mapping[str, Any]) -> Key:
    """What a row is of."""
    return row["set"], row["day"], row["instrument"]


def read_rows(path: Path) -> dict[Key, dict[str, Any]]:
    """The rows that count, by what they are of; a line that was cut is none."""
    found: dict[Key, dict[str, Any]] = {}
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        try:
            row = msgspec.json.decode(line, type=dict[str, Any])
            key = key_of(row)
        except (msgspec.MsgspecError, KeyError, UnicodeDecodeError):
            continue
        known = found.get(key)
        if known is None or known["status"] != "done":
            found[key] = row
        elif row["status"] == "done":
            assert known["digest"] == row["digest"], f"set {key[0]} on {key[1]}: {known['digest']}, and again {row['digest']}"
    return found


class SweepFolder:
    """The writer's side of a sweep's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[Key, dict[str, Any]] = {}

    def begin(self, sweep: Mapping[str, Any], graph_source: str) -> None:
        """Make the folder, or find it made by the same sweep before, with its rows."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not (self.path / "sweep.json").exists():
            write_beside(self.path / "graph.toml", graph_source.encode())
            write_beside(self.path / "sweep.json", json_text(sweep))
        journal = self.path / "rows.jsonl"
        if journal.exists() and not journal.read_bytes().endswith(b"\n"):
            _append(journal, b"\n")  # whoever wrote the last line was killed in it
        self.rows = read_rows(journal)

    def done(self, key: Key) -> bool:
        """Whether a set's day is over and well."""
        return key in self.rows and self.rows[key]["status"] == "done"

    def keep(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Write down what is new; returns those rows."""
        fresh, where = [], []
        for row in rows:
            kept = {name: value for name, value in row.items() if name != "traceback"}
            if self.done(key_of(kept)):
                continue
            self.rows[key_of(kept)] = kept
            fresh.append(kept)
            if row.get("traceback"):
                where.append(f"set {row['set']}, {row['day']} {row['instrument']}\n{row['traceback']}\n")
        if where:
            _append(self.path / "failures.txt", "".join(where).encode())
        if fresh:
            _append(self.path / "rows.jsonl", b"".join(msgspec.json.encode(row) + b"\n" for row in fresh))
        return fresh


def _append(path: Path, content: bytes) -> None:
    with path.open("ab", buffering=0) as file:
        file.write(content)


class Sweep:
    """A sweep, read: `Sweep("results/...")`. Tables are DataFrames, figures one call each. Raises UserError where there is none.

    `by` is the objective: pnl, gross_pnl, sharpe, return_over_trade or return_over_drawdown.
    """

    def __init__(self, path: str | Path, by: str = "") -> None:
        self.path = Path(path)
        try:
            self.sweep = msgspec.json.decode((self.path / "sweep.json").read_bytes(), type=dict[str, Any])
        except (OSError, msgspec.MsgspecError) as error:
            raise UserError(f"{path}: no sweep is there (a sweep's folder holds sweep.json)", Exit.NOT_FOUND) from error
        self.by = by or str(self.sweep["by"])
        if self.by not in OBJECTIVES:
            raise UserError(f"no objective {self.by!r}: {nearest(self.by, OBJECTIVES)}", Exit.CONFIGURATION)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One row a set, day and instrument, in that order."""
        return [row for _, row in sorted(read_rows(self.path / "rows.jsonl").items())]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The rows of what failed."""
        return [row for row in self.rows if row["status"] != "done"]

    @cached_property
    def standing(self) -> Standing:
        """Figures of every set over all days and from day to day."""
        return Standing(self.sweep, self.rows, self.by)

    @property
    def keys(self) -> list[str]:
        """The grid's keys."""
        return [axis["key"] for axis in self.sweep["grid"]]

    def label(self, number: int) -> str:
        """A set's values in one line."""
        return labelled(self.sweep["sets"][number - 1]["values"])

    def sets(self) -> pd.DataFrame:
        """One row a set, the best first: its values, its figures over all days, how it did from day to day."""
        import pandas as pd

        return pd.DataFrame(self.standing.table).set_index("set")

    def by_day(self) -> pd.DataFrame:
        """One row a set, day and instrument, with the set's values."""
        import pandas as pd

        frame = pd.DataFrame([{**self.sweep["sets"][row["set"] - 1]["values"], **row} for row in self.rows])
        return frame.set_index(["set", "day", "instrument"]) if len(frame) else frame

    def plot(self, name: str = "heat") -> Figure:
        """An interactive figure: heat, parallel, days, order, correlation. Raises UserError for another name."""
        from actors.report.sweep_figures import FIGURES

        if name not in FIGURES:
            raise UserError(f"no plot {name!r}: {nearest(name, FIGURES)}", Exit.NOT_FOUND)
        return FIGURES[name](self)

    def report(self) -> Path:
        """Write the page and the tables; returns where the page is."""
        from actors.report.sweep_page import write_page

        write_beside(self.path / "sets.csv", self.sets().to_csv(float_format="%.12g").encode())
        write_beside(self.path / "by_day.csv", self.by_day().to_csv(float_format="%.12g").encode())
        return write_page(self)

    def json(self) -> dict[str, Any]:
        """The object that `--json` ends with."""
        return {
            "sweep": self.sweep["sweep"], "folder": str(self.path), "page": str(self.path / "sweep.html"), "by": self.by,
            "days": self.standing.days, "luck": self.standing.luck.json(), "sets": self.standing.table, "failed": self.failed,
        }  # fmt: skip

    def _repr_html_(self) -> str:
        return str(self.sets().to_html())
