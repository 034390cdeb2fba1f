"""`python -m bench.replay`: our kernel and hftbacktest side by side in one process, and whether they did the same.

Each case (`bench/cases.py`) runs the same strategy on both: the reference on its array depth, its fastest, with bounds around the
day's prices; ours linear, row by row, and prepared, from the day's index, which is made once a day and timed apart. Compilation
and loading are not in the speeds; a run's time is the best of several, in this thread's own processor time, so that a busy
machine disturbs the ratio little. `equal`: the same number of steps, the same checksum of what was seen and held at every one of
them, every fill (time, order, side, price, quantity, maker), position, traded value, fee and equity.

Without captures and --events it runs generated days of 5, 20 and 50 million rows and the real captures where there are any
(ASTRARIUM_CAPTURES, by default ../shared/data). Loading is measured once a day in processes of their own (`bench/load.py`), and
its columns stand in every row of the day. The same for sweeps of 1, 8 and 32 sets (`bench/sweep.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.cases import CASES, QUIET
from bench.fidelity import latency_of, queue_of
from bench.load import SMALL, loaded
from bench.market import Market, captured, generated
from bench.sides import FILLS, equal, run_ours, run_theirs, same_fills
from bench.sweep import rows_of
from bench.table import keep
from core.kernel.index import index_day
from core.kernel.terms import DayIndex

SIZES = (5_000_000, 20_000_000, 50_000_000)
SWEPT = 20_000_000
"""Rows up to which a day is swept."""
LARGE = 10_000_000
"""Rows above which a case runs once, with one model: the reference takes minutes."""
DEFAULT = ("power:3", "10")
QUEUES = ("risk", "power2:2", "log", "log2")
"""The other models that the quoting cases run with."""


def measure(
    market: Market, index: DayIndex, costs: dict[str, dict[str, float]], name: str, queue: str, latency: str, repeats: int
) -> Iterator[Any]:
    """Two rows of the table: linear and prepared."""
    case = CASES[name]
    models = (queue_of(queue), latency_of(latency, int(market.exch.ns[0]), int(market.exch.ns[-1])))
    quiet, large = name in QUIET, len(market.exch.ns) > LARGE
    repeats = 1 if large else repeats
    run_theirs(market, case, *models) if not large else None
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
            **costs[replay], "fills": len(proof[2]),
            "equal": equal(seen, proof[1]) and (quiet or same_fills(fills, proof[2])), "checksum": seen.exact[1],
        }  # fmt: skip


def models_of(market: Market, name: str, quick: bool) -> list[tuple[str, str]]:
    """Which queue models and latencies a case runs with: all of them on days that are not large."""
    if quick or name not in ("grid", "join") or len(market.exch.ns) > LARGE:
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
    return sorted(str(path) for path in (folder / "hftbacktest" / "usdm").glob("*.gz"))


def main() -> int:
    """Measure, print each row as it comes, write the JSON. Exit code 1 when anything differed."""
    parser = argparse.ArgumentParser(prog="python -m bench.replay", description=__doc__.splitlines()[0])
    parser.add_argument("captures", nargs="*", metavar="CAPTURE")
    parser.add_argument("--events", type=lambda text: int(float(text)), nargs="*", help="rows of generated days")
    parser.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one queue model, one latency")
    parser.add_argument("--sets", type=int, nargs="*", help="sizes of sweeps; default 1, 8 and 32, none with --quick")
    parser.add_argument("--json")
    parser.add_argument("--add", action="store_true", help="keep the file's rows that this run does not measure again")
    arguments = parser.parse_args()
    if arguments.sets is None:
        arguments.sets = [] if arguments.quick else [1, 8, 32]
    rows = []
    index_day(*generated(SMALL).streams)
    with tempfile.TemporaryDirectory() as folder:
        for market in markets(arguments, Path(folder)):
            for row in run_market(market, arguments):
                rows.append(row)
                print(_line(row), flush=True)
            del market
    if not rows:
        print("nothing to run: no captures, and no --events")
        return 1
    old = kept_rows(arguments.json) if arguments.add else []
    fresh = {_key(row) for row in rows}
    keep("The replay kernel beside hftbacktest", [row for row in old if _key(row) not in fresh] + rows, arguments.json)
    return int(not all(row["equal"] for row in rows))


def run_market(market: Market, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All rows of one day."""
    start = time.thread_time()
    index = index_day(*market.streams)
    prepare_s = time.thread_time() - start
    costs = costs_of(market, index, prepare_s)
    for name in arguments.cases:
        for queue, latency in models_of(market, name, arguments.quick):
            yield from measure(market, index, costs, name, queue, latency, arguments.repeats)
    if arguments.sets and market.name.startswith("generated") and len(market.exch.ns) <= SWEPT:
        for row in rows_of(market, index, arguments.sets):
            words = {"market": market.name, "case": f"sweep of {row['sets']} glft 20", "queue": "power:3", "latency": "10"}
            yield words | {"replay": "prepared", **costs["prepared"], "fills": None} | row


def costs_of(market: Market, index: DayIndex, prepare_s: float) -> dict[str, dict[str, float]]:
    """What loading costs each of ours, and the reference beside it: seconds to the first event, private and mapped memory."""
    sides, (linear, indexed) = loaded(market, index)
    theirs = sides["theirs"]
    return {
        side: {
            "prepare_s": prepare_s if side == "prepared" else 0.0,
            "load_s": sides[side]["first_event_s"], "theirs_load_s": theirs["first_event_s"],
            "peak_mb": sides[side]["private_mb"], "theirs_peak_mb": theirs["private_mb"], "mapped_bytes_a_row": mapped,
        }
        for side, mapped in (("linear", linear), ("prepared", linear + indexed))
    }  # fmt: skip


def kept_rows(target: str | None) -> list[dict[str, Any]]:
    """The rows that an earlier run left in a file."""
    path = Path(target or "")
    return list(json.loads(path.read_text())["rows"]) if path.is_file() else []


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in ("market", "case", "queue", "latency", "replay"))


def _line(row: dict[str, Any]) -> str:
    speeds = f"{row['ours_rows_s'] / 1e6:>8.1f}{row['theirs_rows_s'] / 1e6:>7.1f}{row['ratio']:>7.1f}x"
    words = f"{row['market']:<34}{row['case']:<21}{row['queue']:<9}{row['latency']:<6}{row['replay']:<9}"
    return f"{words}{speeds}{row['fills'] or '':>9}  {'equal' if row['equal'] else 'DIFFERENT'}"


if __name__ == "__main__":
    raise SystemExit(main())
