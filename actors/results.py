"""A run's folder: what ran, on what, and what came of it. It explains itself and is never overwritten.

    run.json       configuration as resolved, hashes of code, parameters and data, every assumption
    graph.toml     the graph file as given
    days/<day>_<SYMBOLS>/   day.json, fills.npz, equity.npz; failure.txt where it failed
    metrics.json   figures of the whole run, by instrument and by day
    report.html    the same to look at
    fills.csv.gz, equity.csv.gz   the days' columns together, where somebody asked for them

A day's folder is written beside and renamed, so it is whole or absent. A day that is done is never written again; what is made
of the days (figures, tables, report) is made again when days were added. `Result` reads a run in Python, one call a table;
`actors.report.Run` adds the plots.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from actors.errors import Exit, UserError

if TYPE_CHECKING:
    import pandas as pd

    from actors.sim.days import DayResult


def json_text(document: Any) -> bytes:
    """A document as people can read it."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def write_beside(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    beside.write_bytes(content)
    beside.replace(path)


def day_name(day: str, symbols: Sequence[str]) -> str:
    """The name of a day's folder."""
    return f"{day}_{'+'.join(symbols)}"


class DayFiles(Struct):
    """A simulated day as its folder will hold it: `summary` is day.json, `columns` the content of the files of columns by name.

    It is made where the day was simulated, for one process writes the days of all: compressing them took most of its time.
    """

    summary: dict[str, Any]
    columns: dict[str, bytes]


def filed(result: DayResult) -> DayFiles:
    """A day's result, ready to be written."""
    return DayFiles(result.summary, {"fills.npz": _npz(result.fills), "equity.npz": _npz(result.equity)})


def _npz(table: Mapping[str, NDArray[Any]]) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **table)  # type: ignore[arg-type]
    return out.getvalue()


class RunFolder:
    """The writer's side of a run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, run: Mapping[str, Any], graph_source: str) -> None:
        """Make the folder, or find it made by the same run before; its description is written once."""
        (self.path / "days").mkdir(parents=True, exist_ok=True)
        if not (self.path / "run.json").exists():
            write_beside(self.path / "graph.toml", graph_source.encode())
            write_beside(self.path / "run.json", json_text(run))

    def finished(self, day: str, symbols: Sequence[str]) -> dict[str, Any] | None:
        """The summary of a day that is done; None where it is missing or failed."""
        summary = _read(self.path / "days" / day_name(day, symbols) / "day.json")
        return summary if summary is not None and summary.get("status") == "done" else None

    def write_day(self, day: DayFiles) -> None:
        """Keep a day. One that is there already stays: the same content made it."""
        if self.finished(day.summary["day"], day.summary["instruments"]) is None:
            self._place(day.summary, day.columns, "")

    def write_failure(self, summary: Mapping[str, Any], traceback: str) -> None:
        """Keep a day's failure; a later run of the same days tries it again."""
        self._place(summary, {}, traceback)

    def _place(self, summary: Mapping[str, Any], columns: Mapping[str, bytes], traceback: str) -> None:
        home = self.path / "days" / day_name(summary["day"], summary["instruments"])
        beside = home.with_name(f".{home.name}.{os.getpid()}.part")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        for name, content in columns.items():
            (beside / name).write_bytes(content)
        if traceback:
            (beside / "failure.txt").write_text(traceback)
        (beside / "day.json").write_bytes(json_text(summary))
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
        write_beside(self.path / "metrics.json", json_text(Result(self.path).compute()))


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
    def done(self) -> list[dict[str, Any]]:
        """The summaries of the days that are done."""
        return [one for one in self.summaries if one["status"] == "done"]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The summaries of the days that failed."""
        return [one for one in self.summaries if one["status"] != "done"]

    @property
    def symbols(self) -> list[str]:
        """The instruments of the days that are done."""
        return sorted({symbol for one in self.done for symbol in one["instruments"]})

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

    def compute(self) -> dict[str, Any]:
        """All figures of the days that are there: of the run, by instrument, by day."""
        from actors.tally import tally

        return tally(self)

    def columns(self, summary: Mapping[str, Any], name: str, wanted: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """The `fills` or `equity` columns of one day, all or those wanted. Raises UserError for a damaged file."""
        path = self.path / "days" / day_name(summary["day"], summary["instruments"]) / f"{name}.npz"
        try:
            with path.open("rb") as stream, np.load(stream) as file:
                return {key: file[key] for key in wanted or file.files}
        except (OSError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            why = "is damaged; remove its folder and run the day again"
            raise UserError(f"{path}: {why} ({type(error).__name__}: {error})") from error

    def days(self) -> pd.DataFrame:
        """One row a day and group of instruments, by the day's midnight (UTC)."""
        import pandas as pd

        frame = pd.json_normalize(self.summaries)
        if len(frame):
            frame["instruments"] = frame["instruments"].map("+".join)
            frame.index = pd.DatetimeIndex(pd.to_datetime(frame["day"], utc=True), name="time").as_unit("ns")
        return frame

    def fills(self) -> pd.DataFrame:
        """Every fill, by its exchange time (UTC, ns)."""
        return self._frame("fills")

    def equity(self) -> pd.DataFrame:
        """Samples of market, quotes, position and money by time (UTC, ns); under `flat` each day starts from 0."""
        return self._frame("equity")

    def write_csv(self) -> list[Path]:
        """Write fills and equity of all days as compressed CSV into the run's folder; returns where."""
        paths = []
        for name, frame in (("fills", self.fills()), ("equity", self.equity())):
            frame.insert(0, "time_ns", frame.index.as_unit("ns").asi8)
            text = frame.to_csv(index=False, float_format="%.12g")
            paths.append(self.path / f"{name}.csv.gz")
            write_beside(paths[-1], gzip.compress(text.encode(), compresslevel=1, mtime=0))
        return paths

    def _frame(self, name: str) -> pd.DataFrame:
        import pandas as pd

        frames = []
        for summary in self.done:
            table = pd.DataFrame(self.columns(summary, name))
            table["symbol"] = np.array(summary["instruments"], object)[table["symbol"].to_numpy()]
            table["day"] = summary["day"]
            frames.append(table)
        whole = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({"time_ns": np.zeros(0, np.int64)})
        times = pd.to_datetime(whole.pop("time_ns"), unit="ns", utc=True)
        whole.index = pd.DatetimeIndex(times, name="time").as_unit("ns")
        return whole.sort_index(kind="stable")
