"""`python -m bench.load`: what it costs to begin: time to the first event, load and run of a whole day, memory a row.

Each side has a process of its own that has compiled everything on a small day first. Ours maps the prepared columns and the index
from their files; hftbacktest reads its events from its .npz. `private` is memory that a process has for itself, beyond what it
had before it loaded the day; `mapped` are the files' bytes, which all workers of a machine share.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from hftbacktest import BacktestAsset, ROIVectorMarketDepthBacktest

from bench import reference
from bench.cases import CASES
from bench.fidelity import latency_of, queue_of
from bench.market import Market, Rows, generated
from bench.table import write
from core.kernel.index import index_day
from core.kernel.replay import Replay
from core.kernel.terms import DayIndex

CASE = "grid"
SMALL = 10_000


def resident_kb() -> int:
    """Private memory of this process, in kB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    raise RuntimeError("this system does not tell private memory (/proc/self/status)")


class Peak:
    """The most private memory while it watches, in MB beyond the beginning."""

    def __enter__(self) -> Peak:
        self._before = self._most = resident_kb()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._over.wait(0.002):
            self._most = max(self._most, resident_kb())

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.mb = (max(self._most, resident_kb()) - self._before) / 1024


def lay_out(market: Market, index: DayIndex, folder: Path) -> tuple[float, float]:
    """Write a day for both sides; bytes a row of what is mapped: the linear streams, and the index."""
    folder.mkdir()
    linear = 0
    for name, stream in (("exch", market.exch), ("local", market.local)):
        for column in Rows._fields:
            np.save(folder / f"{name}_{column}.npy", getattr(stream, column))
            linear += getattr(stream, column).nbytes
    for name, side in (("bids", market.bids), ("asks", market.asks), ("bounds", np.array(market.bounds))):
        np.save(folder / f"{name}.npy", side)
    np.save(folder / "grid.npy", np.array(market.grid))
    for name, array in zip(index._fields, index, strict=True):
        np.save(folder / f"index_{name}.npy", array)
    np.savez(folder / "events.npz", data=market.events)
    np.savez(folder / "snapshot.npz", data=reference.snapshot(market.bids, market.asks, market.grid))
    rows = len(market.exch.ns)
    return linear / rows, sum(array.nbytes for array in index) / rows


def small_day(folder: Path) -> Path:
    """A day on which everything is compiled."""
    market = generated(SMALL)
    lay_out(market, index_day(*market.streams), folder)
    return folder


def load_ours(folder: Path, indexed: bool) -> Any:
    """The day, mapped; a Replay of it."""

    def mapped(name: str) -> np.ndarray:
        return np.load(folder / f"{name}.npy", mmap_mode="r")

    lot = float(np.load(folder / "grid.npy")[1])
    streams = [Rows(*(mapped(f"{clock}_{column}") for column in Rows._fields)) for clock in ("exch", "local")]
    index = DayIndex._make(mapped(f"index_{name}") for name in DayIndex._fields) if indexed else None
    models = queue_of("power:3"), latency_of("10", 0, 0)
    return Replay(*streams, np.load(folder / "bids.npy"), np.load(folder / "asks.npy"), lot, *models, orders=512, index=index)


def load_theirs(folder: Path) -> Any:
    """The reference, from its own file."""
    tick, lot = np.load(folder / "grid.npy").tolist()
    low, high = np.load(folder / "bounds.npy").tolist()
    made = BacktestAsset().data(str(folder / "events.npz")).linear_asset(1.0).tick_size(tick).lot_size(lot)
    if len(np.load(folder / "bids.npy")) + len(np.load(folder / "asks.npy")):
        made = made.initial_snapshot(str(folder / "snapshot.npz"))
    made = made.trading_value_fee_model(0.0, 0.0).constant_order_latency(10_000_000, 10_000_000).power_prob_queue_model(3.0)
    return ROIVectorMarketDepthBacktest([made.no_partial_fill_exchange().roi_lb(low).roi_ub(high)])


def one_side(side: str, folder: Path, small: Path) -> dict[str, float]:
    """In a process of its own: load and run, after the same on a small day."""
    case, none = CASES[CASE], np.zeros((0, 6), np.int64)
    grid = reference.Grid(*np.load(folder / "grid.npy").tolist())

    def load(where: Path) -> Any:
        return load_theirs(where) if side == "theirs" else load_ours(where, side == "prepared")

    def run(loaded: Any) -> None:
        case.theirs(loaded, grid, none) if side == "theirs" else case.ours(loaded.at)

    run(load(small))
    with Peak() as peak:
        start = time.perf_counter()
        loaded = load(folder)
        if side == "theirs":
            loaded.elapse(1)
        else:
            loaded.advance(loaded.now + 1)
        first = time.perf_counter() - start
        start = time.perf_counter()
        run(loaded)
        seconds = time.perf_counter() - start
    return {"first_event_s": first, "run_s": seconds, "load_and_run_s": first + seconds, "private_mb": peak.mb}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=lambda text: int(float(text)), nargs="*", default=[20_000_000, 50_000_000])
    parser.add_argument("--json")
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(one_side(options.side[0], *map(Path, options.side[1:]))))
        return 0
    rows = [row for events in options.events for row in rows_of(generated(events))]
    write(f"Load and run of a generated day, {CASE}", rows, options.json)
    return 0


def rows_of(market: Market) -> list[dict[str, Any]]:
    """Three rows: ours linear and prepared, theirs."""
    start = time.perf_counter()
    index = index_day(*market.streams)
    prepare_s = time.perf_counter() - start
    events = len(market.exch.ns)
    sides, (linear, indexed) = loaded(market, index)
    rows = []
    for side, found in sides.items():
        rows.append({
            "rows": events, "side": side, **found, "private_bytes_a_row": found["private_mb"] * (1 << 20) / events,
            "mapped_bytes_a_row": {"linear": linear, "prepared": linear + indexed, "theirs": 0.0}[side],
            "prepare_s": prepare_s if side == "prepared" else 0.0,
            "ratio": sides["theirs"]["load_and_run_s"] / found["load_and_run_s"],
        })  # fmt: skip
    return rows


def loaded(market: Market, index: DayIndex) -> tuple[dict[str, dict[str, float]], tuple[float, float]]:
    """What each side says of loading and running the day in a process of its own; and `lay_out`'s sizes."""
    with tempfile.TemporaryDirectory(prefix="astrarium-bench-") as home:
        small, folder = small_day(Path(home) / "small"), Path(home) / "day"
        sizes = lay_out(market, index, folder)
        return {side: measured(side, folder, small) for side in ("linear", "prepared", "theirs")}, sizes


def measured(side: str, folder: Path, small: Path) -> dict[str, float]:
    """What a fresh process of that side says."""
    command = [sys.executable, "-m", "bench.load", "--side", side, str(folder), str(small)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


if __name__ == "__main__":
    raise SystemExit(main())
