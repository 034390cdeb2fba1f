"""How much faster two workers are than one on ten equal days: `python -m bench.workers [--events N] [--json FILE]`.

What a run does once is not in the ratio: starting Ray is shown apart, each worker does one day before the clock runs (imports,
compiled code from the cache), the days are prepared, and there is no report. What is left is what grows with the days. The
digests of both must be the same.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from actors.crew import hired, ray_here
from actors.graph import Plan, read
from actors.history.synth import synthesize
from actors.history.tickdb import TickDb
from actors.results import DayFiles
from actors.tasks import Task, job
from bench.table import write

ASKED = 1.7
GRAPH = Path(__file__).resolve().parent.parent / "strategies" / "market_maker.toml"


def days_on(plan: Plan, tasks: Sequence[Task], workers: int) -> tuple[float, float, list[str]]:
    """Seconds to start Ray, seconds for all tasks on warm workers, and the digests in order of task."""
    began = time.perf_counter()
    with ray_here(workers):
        up = time.perf_counter() - began
        for _ in hired(tasks[:workers], workers):
            pass
        began = time.perf_counter()
        done = {number: word for number, word in hired(tasks, workers) if isinstance(word, DayFiles)}
        return up, time.perf_counter() - began, [done[number].summary["digest"] for number in range(len(tasks))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="events a day")
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--json", dest="target")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="astrarium-bench-") as store:
        synthesize(store, "BTCUSDT", options.days, options.events, seed=1)
        plan = read(GRAPH)
        tasks = job(plan, store).tasks
        for task in tasks:
            TickDb(store).prepared(task.keys[0], task.days[0])
        one, two = (days_on(plan, tasks, workers) for workers in (1, 2))
    assert one[2] == two[2], "the digests differ"
    rows = [
        {"case": "1 worker", "ray_start_s": one[0], "days_s": one[1], "ratio": 1.0, "asked": 1.0},
        {"case": "2 workers", "ray_start_s": two[0], "days_s": two[1], "ratio": one[1] / two[1], "asked": ASKED},
    ]
    write(f"{options.days} days of {options.events:,} events, market_maker", rows, options.target)


if __name__ == "__main__":
    main()
