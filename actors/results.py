"""A run's folder: what ran, on what, and what came of it. It explains itself and is never overwritten.

    run.json       configuration as resolved, hashes of code, parameters and data, every assumption
    graph.toml     the graph file as given
    days/<day>_<SYMBOLS>/   day.json, fills.npz, equity.npz; failure.txt where it failed
    metrics.json   figures of the whole run, by instrument and by day
    report.html    the same to look at

A day's folder is written beside and renamed, so it is whole or absent. `Result` reads a run in Python, one call a table;
`actors.report.Run` adds the plots.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from actors.errors import Exit, UserError
from core.study import metrics

if TYPE_CHECKING:
    import pandas as pd

    from actors.sim.days import DayResult


def _json(document: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def write_beside(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    beside.write_bytes(content)
    beside.replace(path)


def day_name(day: str, symbols: Sequence[str]) -> str:
    """The name of a day's folder."""
    return f"{day}_{'+'.join(symbols)}"


class RunFolder:
    """The writer's side of a run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, run: Mapping[str, Any], graph_source: str) -> None:
        """Make the folder, or find it made by the same run before; its description is written once."""
        (self.path / "days").mkdir(parents=True, exist_ok=True)
        if not (self.path / "run.json").exists():
            write_beside(self.path / "graph.toml", graph_source.encode())
            write_beside(self.path / "run.json", _json(run))

    def finished(self, day: str, symbols: Sequence[str]) -> dict[str, Any] | None:
        """The summary of a day that is done; None where it is missing or failed."""
        summary = _read(self.path / "days" / day_name(day, symbols) / "day.json")
        return summary if summary is not None and summary.get("status") == "done" else None

    def write_day(self, result: DayResult) -> None:
        """Keep a day. One that is there already stays: the same content made it."""
        summary = result.summary
        if self.finished(summary["day"], summary["instruments"]) is None:
            self._place(summary, {"fills.npz": result.fills, "equity.npz": result.equity}, "")

    def write_failure(self, summary: Mapping[str, Any], traceback: str) -> None:
        """Keep a day's failure; a later run of the same days tries it again."""
        self._place(summary, {}, traceback)

    def _place(self, summary: Mapping[str, Any], columns: Mapping[str, Mapping[str, np.ndarray]], traceback: str) -> None:
        home = self.path / "days" / day_name(summary["day"], summary["instruments"])
        beside = home.with_name(f".{home.name}.{os.getpid()}.part")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        for name, table in columns.items():
            np.savez_compressed(beside / name, **table)  # type: ignore[arg-type]
        if traceback:
            (beside / "failure.txt").write_text(traceback)
        (beside / "day.json").write_bytes(_json(summary))
        if home.exists() and self.finished(summary["day"], summary["instruments"]) is None:
            shutil.rmtree(home, ignore_errors=True)
        try:
            beside.rename(home)
        except OSError:
            shutil.rmtree(beside, ignore_errors=True)
            if not home.exists():
                raise

    def finish(self) -> None:
        """Compute the figures of all days that are there."""
        write_beside(self.path / "metrics.json", _json(Result(self.path).compute()))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError):
        return None


class Result:
    """A run, read: `Result("results/...")`. Raises UserError where there is none."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        run = _read(self.path / "run.json")
        if run is None:
            raise UserError(f"{path}: no run is there (a run's folder holds run.json)", Exit.NOT_FOUND)
        self.run = run

    @cached_property
    def summaries(self) -> list[dict[str, Any]]:
        """One summary a day and group of instruments, in order of day."""
        found = [summary for file in self.path.glob("days/[!.]*/day.json") if (summary := _read(file)) is not None]
        return sorted(found, key=lambda one: (one["day"], one["instruments"]))

    @property
    def capital(self) -> float:
        """The graph's capital."""
        return float(self.run["graph"]["capital"])

    @property
    def carries(self) -> bool:
        """Whether positions crossed midnight."""
        return bool(self.run["graph"]["midnight"] == "carry")

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The figures in metrics.json, or what they would be."""
        return _read(self.path / "metrics.json") or self.compute()

    def columns(self, summary: Mapping[str, Any], name: str) -> dict[str, np.ndarray]:
        """The `fills` or `equity` columns of one day."""
        with np.load(self.path / "days" / day_name(summary["day"], summary["instruments"]) / f"{name}.npz") as file:
            return {key: file[key] for key in file.files}

    def days(self) -> pd.DataFrame:
        """One row a day and group of instruments."""
        import pandas as pd

        frame = pd.json_normalize(self.summaries)
        if len(frame):
            frame["instruments"] = frame["instruments"].map("+".join)
        return frame

    def fills(self) -> pd.DataFrame:
        """Every fill, by its exchange time (UTC)."""
        return self._frame("fills")

    def equity(self) -> pd.DataFrame:
        """Samples of market, quotes, position and money, each day from 0."""
        return self._frame("equity")

    def _frame(self, name: str) -> pd.DataFrame:
        import pandas as pd

        frames = []
        for summary in self.summaries:
            if summary["status"] == "done":
                table = pd.DataFrame(self.columns(summary, name))
                table["symbol"] = np.array(summary["instruments"])[table["symbol"].to_numpy()]
                table["day"] = summary["day"]
                frames.append(table)
        if not frames:
            return pd.DataFrame()
        whole = pd.concat(frames, ignore_index=True)
        whole.index = pd.DatetimeIndex(pd.to_datetime(whole.pop("time_ns"), unit="ns", utc=True)).as_unit("ns")
        return whole.sort_index(kind="stable")

    def compute(self) -> dict[str, Any]:
        """All figures: of the run, by instrument, by day."""
        done = [one for one in self.summaries if one["status"] == "done"]
        symbols = sorted({symbol for one in done for symbol in one["instruments"]})
        book = self._figures(done, None)
        seconds = sum(one["seconds"] for one in done)
        events = sum(one["events"] for one in done)
        book |= {
            "gross_pnl": sum(one["gross_pnl"] for one in done),
            "fees": sum(one["fees"] for one in done),
            "funding": sum(one["funding"] for one in done),
            "days_failed": sum(one["status"] != "done" for one in self.summaries),
            "events": events,
            "events_a_second": events / seconds if seconds else None,
            "ticks_received": sum(one["ticks"]["received"] for one in done),
            "ticks_delivered": sum(one["ticks"]["delivered"] for one in done),
            "ticks_replaced": sum(one["ticks"]["replaced"] for one in done),
            "greatest_age_ms": max((one["ticks"]["age_ns_max"] for one in done), default=0) / 1e6,
            "peak_rss_mb": max((one["peak_rss_mb"] for one in done), default=0.0),
            "by_instrument": {symbol: self._figures(done, symbol) for symbol in symbols},
        }
        return book

    def _figures(self, done: Sequence[Mapping[str, Any]], symbol: str | None) -> dict[str, Any]:
        """Figures of one instrument, or of all together."""
        by_day: dict[str, list[dict[str, np.ndarray]]] = {}
        trips, trades, turnover = [], 0, 0.0
        for summary in done:
            names = summary["instruments"]
            if symbol is not None and symbol not in names:
                continue
            fills, equity = self.columns(summary, "fills"), self.columns(summary, "equity")
            for number, name in enumerate(names):
                if symbol is not None and name != symbol:
                    continue
                mine = fills["symbol"] == number
                own = {key: values[mine] for key, values in fills.items()}
                trips.append(metrics.round_trips(own["side"], own["price"], own["qty"], own["fee"]))
                trades += int(mine.sum())
                turnover += float((own["price"] * own["qty"]).sum())
                by_day.setdefault(summary["day"], []).append({k: v[equity["symbol"] == number] for k, v in equity.items()})
        equity, notional = chained([by_day[day] for day in sorted(by_day)], self.carries)
        return metrics.summary(equity, notional, trips, self.capital, len(by_day), trades, turnover)


def chained(days: Sequence[Sequence[Mapping[str, np.ndarray]]], carried: bool) -> tuple[np.ndarray, np.ndarray]:
    """Equity and notional of days one after the other, all their instruments together on the days' common sampling times.

    A day that starts flat starts from 0 and stands on the end of the one before; a carried day's equity goes on by itself.
    """
    equity, notional = [np.zeros(1)], [np.zeros(1)]
    for tables in days:
        times = np.unique(np.concatenate([table["time_ns"] for table in tables]))
        total, value = np.zeros(len(times)), np.zeros(len(times))
        for table in tables:
            at = np.searchsorted(table["time_ns"], times, side="right") - 1
            known = at >= 0
            total[known] += table["equity"][at[known]]
            value[known] += table["notional"][at[known]]
        equity.append(total if carried else equity[-1][-1] + total)
        notional.append(value)
    return np.concatenate(equity), np.concatenate(notional)
