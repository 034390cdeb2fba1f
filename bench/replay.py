"""`python -m bench.replay`: our kernel and hftbacktest side by side in one process, and whether they did the same.

Each case runs the same compiled strategy on both (`bench/ours.py`, `bench/theirs.py`): the reference on its array depth, its
fastest, with bounds around the day's prices. Compilation and loading are not timed; a run's time is the best of several, in
this thread's own processor time, so that a busy machine disturbs the ratio little. `equal`: the same number of steps,
the same checksum of what was seen and held at every one of them, the same position, traded value and number of fills.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hftbacktest import ROIVectorMarketDepthBacktest

from bench import ours, reference, theirs
from bench.fidelity import latency_of, queue_of
from core.kernel import state as w
from core.kernel.replay import Columns, Latency, Queue, Replay
from core.kernel.synth import TRADE, generate

MS = 1_000_000
LOTS, LIMIT = 5, 200
HELD = 16


class Market(NamedTuple):
    """A day of one instrument, ours and theirs."""

    name: str
    exch: Columns
    local: Columns
    bids: np.ndarray
    asks: np.ndarray
    grid: reference.Grid
    events: np.ndarray


class Rows(NamedTuple):
    """A stream."""

    ns: np.ndarray
    kind: np.ndarray
    tick: np.ndarray
    lots: np.ndarray


class Case(NamedTuple):
    """A strategy on both sides, each from its simulator to (steps, checksum)."""

    ours: Callable[[int], tuple[int, int]]
    theirs: Callable[[Any, reference.Grid], tuple[int, int]]


def _quoting(count: int, gap: int) -> Case:
    step = 100 * MS

    def held() -> np.ndarray:
        return np.full((2, HELD), -1, np.int64)

    return Case(
        lambda s: ours.quotes(s, step, count, gap, LOTS, LIMIT, held()),
        lambda hbt, grid: theirs.quotes(hbt, step, count, gap, LOTS, LIMIT, held(), grid.tick, grid.lot),
    )


def _clock(step_ns: int) -> Case:
    return Case(lambda s: ours.clock(s, step_ns), lambda hbt, grid: theirs.clock(hbt, step_ns, grid.lot))


CASES = {
    "clock": _clock(100 * MS),
    "clock 10 s": _clock(10_000 * MS),
    "feed": Case(lambda s: ours.feed(s, 1_000 * MS), lambda hbt, grid: theirs.feed(hbt, 1_000 * MS)),
    "grid": _quoting(5, 1),
    "join": _quoting(1, 0),
    "join 5": _quoting(5, 0),
}


def generated(rows: int, seed: int) -> Market:
    """A generated day of so many rows."""
    made = generate(rows, seed, 0, 600_000)
    count = np.where(made.event == TRADE, 1, made.bids + made.asks).astype(np.int64)
    streams = []
    for ns in (np.repeat(made.exch_ns, count), np.repeat(made.local_ns, count)):
        order = np.argsort(ns, kind="stable")
        streams.append(Rows(ns[order], made.kind[order], made.tick[order], made.lots[order]))
    grid = reference.Grid(0.1, 0.001)
    opening = (made.opening_bids, made.opening_asks)
    return Market(f"generated {rows:,}", *streams, *opening, grid, reference.events(*streams, grid))


def captured(captures: list[str], store: Path) -> list[Market]:
    """The days of raw captures, imported."""
    from bench.fidelity import days_of

    markets = []
    for day in days_of(captures, store):
        grid = reference.Grid(float(day.instrument.tick_size), float(day.instrument.lot_size))
        streams = (day.exch, day.local)
        markets.append(Market(f"{day.key} {day.day}", *streams, day.bids, day.asks, grid, reference.events(*streams, grid)))
    return markets


def run_ours(market: Market, case: Case, queue: Queue, latency: Latency) -> tuple[float, tuple[int, ...]]:
    """Seconds, and what is compared."""
    streams = (market.exch, market.local, market.bids, market.asks)
    replay = Replay(*streams, market.grid.lot, queue, latency, orders=256)
    start = time.thread_time()
    seen = case.ours(replay.at)
    seconds = time.thread_time() - start
    words = replay._words
    if words[w.FAILURE]:
        raise RuntimeError(f"the kernel failed with {words[w.FAILURE]}")
    return seconds, (*seen, words[w.POSITION], words[w.MAKER_VALUE] + words[w.TAKER_VALUE])


def run_theirs(market: Market, case: Case, queue: Queue, latency: Latency) -> tuple[float, tuple[int, ...], int]:
    """Seconds, what is compared, and the number of fills."""
    opening = reference.snapshot(market.bids, market.asks, market.grid)
    made, kept = reference.asset(market.events, opening, market.grid, queue, latency, partial=False)
    ticks = market.exch.tick[market.exch.kind != 5]
    levels = [side[:, 0] for side in (market.bids, market.asks) if len(side)]
    low, high = min(map(np.min, [ticks, *levels])), max(map(np.max, [ticks, *levels]))
    made.roi_lb(float(low - 1000) * market.grid.tick).roi_ub(float(high + 1000) * market.grid.tick)
    hbt = ROIVectorMarketDepthBacktest([made])
    start = time.thread_time()
    seen = case.theirs(hbt, market.grid)
    seconds = time.thread_time() - start
    state = hbt.state_values(0)
    position, fills = round(state.position / market.grid.lot), state.num_trades
    value = round(state.trading_value / market.grid.lot / market.grid.tick)
    hbt.close()
    del kept
    return seconds, (*seen, position, value), fills


def measure(market: Market, name: str, queue: str, latency: str, repeats: int) -> dict[str, Any]:
    """One row of the table."""
    case = CASES[name]
    models = (queue_of(queue), latency_of(latency, int(market.exch.ns[0]), int(market.exch.ns[-1])))
    mine = [run_ours(market, case, *models) for _ in range(repeats + 1)][1:]
    other = [run_theirs(market, case, *models) for _ in range(repeats + 1)][1:]
    seconds, their_seconds = min(run[0] for run in mine), min(run[0] for run in other)
    rows = len(market.exch.ns)
    return {
        "market": market.name, "case": name, "queue": queue, "latency": latency,
        "ours_rows_s": rows / seconds, "theirs_rows_s": rows / their_seconds, "ratio": their_seconds / seconds,
        "fills": other[0][2], "equal": mine[0][1] == other[0][1], "checksum": mine[0][1][1],
    }  # fmt: skip


def plan(markets: list[Market], quick: bool) -> list[tuple[Market, str, str, str]]:
    """Every case with one queue and latency; the other models on the quoting cases."""
    rows = [(market, name, "power:3", "10") for market in markets for name in CASES]
    if not quick:
        for queue in ("risk", "power2:2", "log", "log2"):
            rows += [(market, name, queue, "10") for market in markets for name in ("grid", "join")]
        rows += [(market, name, "power:3", "table") for market in markets for name in ("grid", "join")]
    return rows


def main() -> int:
    """Measure, print the table, write the JSON."""
    import tempfile

    parser = argparse.ArgumentParser(prog="python -m bench.replay", description=__doc__.splitlines()[0])
    parser.add_argument("captures", nargs="*", metavar="CAPTURE")
    parser.add_argument("--events", type=lambda text: int(float(text)), nargs="*", default=[5_000_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one queue model, one latency")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        markets = [generated(events, 1) for events in arguments.events] + captured(arguments.captures, Path(folder))
        print(f"{'market':<34}{'case':<12}{'queue':<10}{'latency':<9}{'ours M/s':>9}{'theirs':>8}{'ratio':>7}{'fills':>9}  equal")
        for market, name, queue, latency in plan(markets, arguments.quick):
            row = measure(market, name, queue, latency, arguments.repeats)
            found.append(row)
            speeds = f"{row['ours_rows_s'] / 1e6:>9.1f}{row['theirs_rows_s'] / 1e6:>8.1f}{row['ratio']:>7.1f}"
            print(f"{market.name:<34}{name:<12}{queue:<10}{latency:<9}{speeds}{row['fills']:>9}  {row['equal']}", flush=True)
    if arguments.json:
        words = {"machine": platform.processor() or platform.machine(), "python": platform.python_version(), "rows": found}
        arguments.json.write_text(json.dumps(words, indent=1))
    return int(not all(row["equal"] for row in found))


if __name__ == "__main__":
    raise SystemExit(main())
