"""`python -m bench.replay`: our kernel and hftbacktest side by side in one process, and whether they did the same.

Each case (`bench/cases.py`) runs the same strategy on both: the reference on its array depth, its fastest, with bounds around the
day's prices; ours linear, row by row, and prepared, from the day's index, which is made once a day and timed apart. Compilation
and loading are not in the speeds; a run's time is the best of several, in this thread's own processor time, so that a busy
machine disturbs the ratio little. `equal`: the same number of steps, the same checksum of what was seen and held at every one of
them, every fill (time, order, side, price, quantity, maker), position, traded value, fee and equity.

Without captures and --events it runs generated days of 5, 20 and 50 million rows and the real captures where there are any
(ASTRARIUM_CAPTURES, by default ../shared/data). What loading costs, in time and memory, is `bench.load`'s; many sets,
`bench.sweep`'s.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hftbacktest import ROIVectorMarketDepthBacktest

from bench import reference
from bench.cases import CASES, QUIET, Case
from bench.fidelity import latency_of, queue_of
from bench.market import Market, captured, generated
from bench.table import keep
from core.kernel import state as w
from core.kernel.index import index_day
from core.kernel.replay import Latency, Queue, Replay
from core.kernel.terms import DayIndex

SIZES = (5_000_000, 20_000_000, 50_000_000)
FEES = (0.0002, 0.0005)
"""Maker and taker, of the traded value."""
FILLS = 1 << 21
DEFAULT = ("power:3", "10")
QUEUES = ("risk", "power2:2", "log", "log2")
"""The other models that the quoting cases run with."""


class Seen(NamedTuple):
    """What must be equal: steps and checksum, position, traded value, number of fills; then money, to rounding."""

    exact: tuple[int, ...]
    fee: float
    equity: float


def run_ours(
    market: Market, case: Case, queue: Queue, latency: Latency, index: DayIndex | None, fills: int = 0
) -> tuple[float, Seen, np.ndarray]:
    """Seconds, what is compared, and the fills."""
    replay = Replay(*market.streams, market.grid.lot, queue, latency, orders=512, fills=FILLS, index=index)
    start = time.thread_time()
    steps, checksum = case.ours(replay.at)
    seconds = time.thread_time() - start
    words = replay._words
    if words[w.FAILURE]:
        raise RuntimeError(f"the kernel failed with {words[w.FAILURE]}")
    unit = market.grid.tick * market.grid.lot
    maker, taker = words[w.MAKER_VALUE], words[w.TAKER_VALUE]
    fee = (maker * FEES[0] + taker * FEES[1]) * unit
    bid, _, ask, _ = replay.best()
    equity = words[w.CASH] * unit + words[w.POSITION] * 0.5 * (bid + ask) * unit - fee
    log = replay.fills() if fills else np.zeros((0, 6), np.int64)
    return seconds, Seen((steps, checksum, words[w.POSITION], maker + taker), fee, equity), log


def run_theirs(market: Market, case: Case, queue: Queue, latency: Latency, fills: int = 0) -> tuple[float, Seen, np.ndarray]:
    """The same of the reference."""
    opening = reference.snapshot(market.bids, market.asks, market.grid)
    made, kept = reference.asset(market.events, opening, market.grid, queue, latency, partial=False, trades=1_000)
    low, high = market.bounds
    hbt = ROIVectorMarketDepthBacktest([made.trading_value_fee_model(*FEES).roi_lb(low).roi_ub(high)])
    log = np.zeros((fills, 6), np.int64)
    start = time.thread_time()
    steps, checksum = case.theirs(hbt, market.grid, log)
    seconds = time.thread_time() - start
    state = hbt.state_values(0)
    position, value = round(state.position / market.grid.lot), round(state.trading_value / market.grid.lot / market.grid.tick)
    depth = hbt.depth(0)
    mid = 0.5 * (depth.best_bid_tick + depth.best_ask_tick) * market.grid.tick
    equity = state.balance + state.position * mid - state.fee
    seen = Seen((steps, checksum, position, value), state.fee, equity)
    count = state.num_trades
    hbt.close()
    del kept
    return seconds, seen, log[:count]


def equal(one: Seen, other: Seen) -> bool:
    """Counts to the last digit, money to what summing doubles in another order may differ by."""
    money = ((one.fee, other.fee), (one.equity, other.equity))
    return one.exact == other.exact and all(math.isclose(*pair, rel_tol=1e-9, abs_tol=1e-6) for pair in money)


def same_fills(mine: np.ndarray, theirs: np.ndarray) -> bool:
    """The fills that the reference's strategy heard of, all of them, as ours; ours may have one on its way at the end."""
    order = np.lexsort((mine[:, 1], mine[:, 0]))[: len(theirs)]
    return len(mine) - len(theirs) in range(64) and np.array_equal(mine[order], theirs[np.lexsort((theirs[:, 1], theirs[:, 0]))])


def measure(
    market: Market, index: DayIndex, prepare_s: float, name: str, queue: str, latency: str, repeats: int
) -> Iterator[Any]:
    """Two rows of the table: linear and prepared."""
    case = CASES[name]
    models = (queue_of(queue), latency_of(latency, int(market.exch.ns[0]), int(market.exch.ns[-1])))
    quiet = name in QUIET
    run_theirs(market, case, *models)
    proof = run_theirs(market, case, *models, fills=0 if quiet else FILLS)
    theirs_s = min(run_theirs(market, case, *models)[0] for _ in range(repeats))
    rows = len(market.exch.ns)
    for replay, asked, used in (("linear", case.asked[0], None), ("prepared", case.asked[1], index)):
        run_ours(market, case, *models, used)
        _, seen, fills = run_ours(market, case, *models, used, fills=not quiet)
        seconds = min(run_ours(market, case, *models, used)[0] for _ in range(repeats))
        yield {
            "market": market.name, "case": name, "queue": queue, "latency": latency, "replay": replay,
            "ours_rows_s": rows / seconds, "theirs_rows_s": rows / theirs_s, "ratio": theirs_s / seconds, "asked": asked,
            "prepare_s": prepare_s if used is not None else 0.0, "fills": len(proof[2]),
            "equal": equal(seen, proof[1]) and (quiet or same_fills(fills, proof[2])), "checksum": seen.exact[1],
        }  # fmt: skip


def models_of(name: str, quick: bool) -> list[tuple[str, str]]:
    """Which queue models and latencies a case runs with."""
    if quick or name not in ("grid", "join"):
        return [DEFAULT]
    return [DEFAULT, *((queue, DEFAULT[1]) for queue in QUEUES), (DEFAULT[0], "table")]


def markets(arguments: argparse.Namespace, folder: Path) -> Iterator[Market]:
    """The days asked for, one at a time: a day of fifty million rows is some gigabytes on the reference's side."""
    for events in arguments.events if arguments.events is not None else () if arguments.captures else SIZES:
        yield generated(events)
    captures = arguments.captures or ([] if arguments.events is not None else found_captures())
    yield from captured(captures, folder)


def found_captures() -> list[str]:
    """The real captures, where there are any."""
    folder = Path(os.environ.get("ASTRARIUM_CAPTURES", Path(__file__).parents[2] / "shared" / "data"))
    return sorted(str(path) for path in folder.glob("usdm*/*.gz")) if folder.is_dir() else []


def main() -> int:
    """Measure, print each row as it comes, write the JSON. Exit code 1 when anything differed."""
    parser = argparse.ArgumentParser(prog="python -m bench.replay", description=__doc__.splitlines()[0])
    parser.add_argument("captures", nargs="*", metavar="CAPTURE")
    parser.add_argument("--events", type=lambda text: int(float(text)), nargs="*", help="rows of generated days")
    parser.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one queue model, one latency")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for market in markets(arguments, Path(folder)):
            index_day(*(stream_of(market, 1_000)))
            start = time.thread_time()
            index = index_day(*market.streams)
            prepare_s = time.thread_time() - start
            for name in arguments.cases:
                for queue, latency in models_of(name, arguments.quick):
                    for row in measure(market, index, prepare_s, name, queue, latency, arguments.repeats):
                        rows.append(row)
                        print(_line(row), flush=True)
            del market, index
    if not rows:
        print("nothing to run: no captures, and no --events")
        return 1
    keep("The replay kernel beside hftbacktest", rows, arguments.json)
    return int(not all(row["equal"] for row in rows))


def stream_of(market: Market, rows: int) -> tuple[Any, ...]:
    """The first rows of a day, to compile on."""
    from bench.market import Rows

    return (
        *(Rows(*(column[:rows] for column in (s.ns, s.kind, s.tick, s.lots))) for s in market.streams[:2]),
        market.bids,
        market.asks,
    )


def _line(row: dict[str, Any]) -> str:
    speeds = f"{row['ours_rows_s'] / 1e6:>8.1f}{row['theirs_rows_s'] / 1e6:>7.1f}{row['ratio']:>7.1f}x"
    words = f"{row['market']:<34}{row['case']:<18}{row['queue']:<9}{row['latency']:<6}{row['replay']:<9}"
    return f"{words}{speeds}{row['fills']:>9}  {'equal' if row['equal'] else 'DIFFERENT'}"


if __name__ == "__main__":
    raise SystemExit(main())
