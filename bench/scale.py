"""What it costs to grow: `python -m bench.scale [PART...] [--quick] [--json FILE]`.

The rates of one host, measured, in parts: `day`, a day's own work and what it reads; `memory`, by rows; `overhead`, what a day
costs beyond its own work and where that goes; `flat`, a thousand tiny days; `workers`, equal work on 1, 2 and 4 worker
processes in rounds that take turns; `live`. `bench/scale_limits.py` carries them to a thousand nodes by arithmetic,
`bench/scale_schedule.py` by simulation. What a run does once (starting Ray, loading compiled code) is told apart.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from actors.backtest import backtest
from actors.crew import ray_here
from actors.graph import read
from actors.history.synth import synthesize
from actors.history.tickdb import TickDb
from actors.results import DayFiles
from actors.tasks import Job, Task, job
from actors.work import Word
from bench import scale_crew, scale_live
from bench.scale_crew import simulated, timed
from bench.scale_rows import Row, row
from bench.table import write

GRAPH: Final = Path(__file__).resolve().parent.parent / "strategies" / "market_maker.toml"
SYMBOL: Final = "BTCUSDT"
DAY_S: Final = 10.0
"""The day that overhead is measured against."""
WORKERS: Final = (1, 2, 4)


class Sizes(NamedTuple):
    """How much is measured: events of a day, days, rounds."""

    small: int
    large: int
    memory: tuple[int, ...]
    tiny_days: int
    flat_days: int
    share_events: int
    share_days: int
    rounds: int


WHOLE: Final = Sizes(100_000, 1_500_000, (10_000, 100_000, 300_000, 1_000_000, 3_000_000), 200, 1_000, 300_000, 12, 2)
QUICK: Final = Sizes(20_000, 100_000, (10_000, 50_000, 200_000), 30, 60, 50_000, 8, 1)
TINY: Final = 10_000
WARMINGS: Final = 10


def stored(folder: Path, days: int, events: int) -> Job:
    """A job over so many generated days."""
    synthesize(folder, SYMBOL, days, events, seed=1)
    return job(read(GRAPH), folder)


# --- a day's own work


class Traffic(NamedTuple):
    """Bytes that this process asked the system for, and those that came from a disk or a network."""

    asked: int
    fetched: int

    @classmethod
    def now(cls) -> Traffic:
        """Since the process began."""
        words = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
        return cls(int(words["rchar"]), int(words["read_bytes"]))


def forgotten(folder: Path) -> None:
    """Have the system forget a folder's pages, so that the next reader fetches them."""
    os.sync()
    for path in (path for path in folder.rglob("*") if path.is_file()):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def day(sizes: Sizes, home: Path) -> Iterator[Row]:
    """A day's own work in this process, everything compiled: from prepared columns, and what preparing costs."""
    for name, events in (("small", sizes.small), ("large", sizes.large)):
        store = home / f"day-{name}"
        tasks = stored(store, 2, events).tasks
        simulated(tasks[0])
        db, key, date = TickDb(store), tasks[1].keys[0], tasks[1].days[0]
        began = time.perf_counter()
        prepared = db.prepared(key, date)
        prepare_s = time.perf_counter() - began
        folder = prepared.folder
        mapped = sum(path.stat().st_size for path in folder.iterdir())
        del prepared
        forgotten(store)
        before = Traffic.now()
        result = simulated(tasks[1])
        after = Traffic.now()
        warm = [simulated(tasks[1]).summary["seconds"] for _ in range(3)]
        rows, seconds = result.summary["events"], statistics.median(warm)
        yield row(f"{name}_rows", rows)
        yield row(f"{name}_s", seconds, meaning="a day's own seconds, columns prepared and in memory")
        yield row(f"{name}_rows_s", rows / seconds)
        yield row(f"{name}_spread", (max(warm) - min(warm)) / seconds, meaning="of three runs of the same day")
        yield row(f"{name}_prepare_s", prepare_s, meaning="columns from the day file, once a host")
        yield row(f"{name}_cold_s", result.summary["seconds"], meaning="the day with its columns to be fetched from the disk")
        yield row(f"{name}_file_bytes_row", db.path(key, date).stat().st_size / rows, meaning="the day file")
        yield row(f"{name}_columns_bytes_row", mapped / rows, meaning="its prepared columns")
        yield row(
            f"{name}_fetched_bytes_row", (after.fetched - before.fetched) / rows, meaning="came from the disk, columns prepared"
        )
        yield row(f"{name}_result_bytes", carried(result), meaning="what travels back")
        yield row(f"{name}_result_bytes_row", carried(result) / rows)
        asked, lasted = result.summary["orders"], np.ptp(np.load(io.BytesIO(result.columns["equity.npz"]))["time_ns"]) / 1e9
        yield row(
            f"{name}_orders_s",
            (asked["new"] + asked["replace"]) / lasted,
            meaning="new and replaced orders a second of the market",
        )


def carried(result: DayFiles) -> int:
    """A result's columns, in bytes; its summary is some two thousand more."""
    return sum(map(len, result.columns.values())) + 2_000


# --- memory by rows


def memory(sizes: Sizes, home: Path) -> Iterator[Row]:
    """Peak memory of a fresh process with Ray imported, by rows: `private` its own, `resident` with mapped files."""
    peaks: dict[str, list[tuple[float, float, float]]] = {"prepared": [], "preparing": []}
    stored(home / "compiled", 1, TINY)
    peak_of(home / "compiled")
    for events in sizes.memory:
        store = home / f"memory-{events}"
        stored(store, 1, events)
        for case in ("preparing", "prepared"):  # in this order: the first makes what the second finds
            peaks[case].append(peak_of(store))
    for case, found in peaks.items():
        rows, private, resident = np.array(found).T
        for kind, mb in (("private", private), ("resident", resident)):
            a, b, worst = fitted(rows, mb)
            yield row(f"memory_{case}_{kind}_mb", a, meaning=f"and {b:.3g} MB a million rows; off by {worst:.3g} MB at most")
            yield row(f"memory_{case}_{kind}_mb_mrow", b)
        yield row(
            f"memory_{case}_rows_max", int(rows.max()), meaning=" ".join(f"{r:,.0f}: {p:.0f}/{m:.0f} MB," for r, p, m in found)
        )


def fitted(rows: Any, mb: Any) -> tuple[float, float, float]:
    """Least squares: MB, MB a million rows, the largest residual."""
    b, a = np.polyfit(rows / 1e6, mb, 1)
    return float(a), float(b), float(np.abs(a + b * rows / 1e6 - mb).max())


def peak_of(store: Path) -> tuple[float, float, float]:
    """Rows, peak of private and of resident memory in MB, of a process that does a store's first day."""
    command = [sys.executable, "-m", "bench.scale", "--one", str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        private = 0
        while process.poll() is None:
            private = max(private, _status_kb(process.pid, "RssAnon"))
            time.sleep(0.01)
        assert process.stdout is not None
        assert process.returncode == 0, "a day failed in its own process"
        rows, resident = process.stdout.read().split()[-2:]
    return float(rows), private / 1024, float(resident)


def one(store: Path) -> None:
    """A day in a process that has what a worker has."""
    import ray  # noqa: F401

    result = simulated(job(read(GRAPH), store).tasks[0])
    print(result.summary["events"], result.summary["peak_rss_mb"])


def _status_kb(pid: int | str, word: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(word)), 0)


# --- beyond a day's own work


class Diary:
    """Follows a run: when each day's result came, what the day itself took, and this process's memory then."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self.own: list[float] = []
        self.peak_mb: list[float] = []
        self.rss_mb: list[float] = []
        self.digests: dict[str, str] = {}
        self.pids: set[int] = set()
        self.began = 0.0

    def begin(self, tasks: Sequence[Task], resumed: int, days: int) -> None:
        """The run begins."""
        self.began = time.perf_counter()

    def see(self, task: Task, number: int, word: Word) -> None:
        """A word of a task; this is called when the day is written down."""
        if isinstance(word, DayFiles):
            self.at.append(time.perf_counter())
            self.own.append(word.summary["seconds"])
            self.peak_mb.append(word.summary["peak_rss_mb"])
            self.rss_mb.append(_status_kb("self", "VmRSS") / 1024)
            self.pids.add(word.summary["worker_pid"])
            self.digests[word.summary["day"]] = word.summary["digest"]

    def tell(self, text: str) -> None:
        """Something of the machines: there is one here."""

    @property
    def beyond_ms(self) -> float:
        """Milliseconds a day beyond its own, from the first result to the last, where one worker does them all."""
        return 1_000 * (self.at[-1] - self.at[0] - sum(self.own[1:])) / (len(self.at) - 1)


def followed(work_to_do: Job, results: Path, workers: int) -> Diary:
    """A backtest, and what was seen of it."""
    diary = Diary()
    outcome = backtest(work_to_do, results, workers, watcher=diary)
    assert not outcome.failed
    return diary


def warmed(some: Job, results: Path, workers: int) -> None:
    """Have every worker do a day: the first may be done with all before the last has started."""
    pids: set[int] = set()
    for turn in range(WARMINGS):
        pids |= followed(some, results / str(turn), workers).pids
        if len(pids) == workers:
            return
    raise RuntimeError(f"of {workers} workers {len(pids)} work")


def part_of(whole: Job, first: int, last: int) -> Job:
    """A job over some of a job's days."""
    days = [task.days[0] for task in whole.tasks[first:last]]
    return job(whole.plan, whole.tasks[0].store, f"{days[0]}:{days[-1]}")


def overhead(sizes: Sizes, home: Path) -> Iterator[Row]:
    """Tiny days through `backtest` on one worker, beside the sum of their own seconds; then where the difference goes."""
    whole = stored(home / "tiny", sizes.tiny_days + 2, TINY)
    for task in whole.tasks:
        TickDb(task.store).prepared(task.keys[0], task.days[0])
    began = time.perf_counter()
    with ray_here(1) as ray:
        yield row("ray_start_s", time.perf_counter() - began, meaning="once a run")
        first = followed(part_of(whole, 0, 2), home / "first", 1)
        yield row(
            "first_day_s", first.at[0] - first.began, meaning="once a worker: its start, imports, compiled code, a tiny day"
        )
        diary = followed(part_of(whole, 2, len(whole.tasks)), home / "tiny-results", 1)
        yield row("tiny_own_ms", 1_000 * statistics.mean(diary.own), meaning="a tiny day's own work")
        yield row("overhead_ms", diary.beyond_ms, 50.0, "a day beyond its own work, one worker")
        yield row("overhead_share_percent", diary.beyond_ms / (10 * DAY_S), 5.0, f"of a day of {DAY_S:.0f} s")
        yield row("worker_tiny_peak_mb", max(diary.peak_mb), meaning="resident memory of a Ray worker that did tiny days")
        yield from scale_crew.rows(ray, whole.tasks[0], stored(home / "long", 1, sizes.large).tasks[0], home, sizes.tiny_days)


# --- a thousand tiny days


def flat(sizes: Sizes, home: Path) -> Iterator[Row]:
    """A run of a thousand tiny days on two workers: this process's memory from result to result, and the time."""
    whole = stored(home / "flat", sizes.flat_days, TINY)
    listing_s = timed(lambda: job(whole.plan, whole.tasks[0].store))
    yield row(
        "list_day_ms", 1_000 * listing_s / sizes.flat_days, meaning="opening a day file for the run's id, before anything runs"
    )
    with ray_here(2):
        began = time.perf_counter()
        diary = followed(whole, home / "flat-results", 2)
        took = time.perf_counter() - began
    half = len(diary.rss_mb) // 2
    slope, _ = np.polyfit(np.arange(half, len(diary.rss_mb)), diary.rss_mb[half:], 1)
    yield row("flat_days", len(diary.at))
    yield row(
        "flat_day_ms",
        1_000 * (diary.at[-1] - diary.began) / len(diary.at),
        meaning="a tiny day on two workers, preparing included",
    )
    yield row("flat_driver_mb", diary.rss_mb[-1], meaning=f"this process at the last day; {diary.rss_mb[half]:.0f} in the middle")
    yield row("flat_driver_mb_100_days", 100 * slope, 0.5, "growth over the second half")
    yield row("flat_finish_s", took - (diary.at[-1] - diary.began), meaning="figures and report of them all")


# --- more workers


def workers(sizes: Sizes, home: Path) -> Iterator[Row]:
    """Equal days on 1, 2 and 4 workers in rounds that take turns; every worker has done a day before the clock runs."""
    whole = stored(home / "share", sizes.share_days + max(WORKERS), sizes.share_events)
    for task in whole.tasks:
        TickDb(task.store).prepared(task.keys[0], task.days[0])
    timing, warming = part_of(whole, max(WORKERS), len(whole.tasks)), part_of(whole, 0, max(WORKERS))
    took: dict[int, list[float]] = {count: [] for count in WORKERS}
    own: dict[int, list[float]] = {count: [] for count in WORKERS}
    peak_mb: dict[int, float] = dict.fromkeys(WORKERS, 0.0)
    digests = []
    for turn in range(sizes.rounds):
        for count in WORKERS:
            with ray_here(count):
                warmed(warming, home / f"warm-{turn}-{count}", count)
                diary = followed(timing, home / f"share-{turn}-{count}", count)
            took[count].append(diary.at[-1] - diary.began)
            own[count] += diary.own
            peak_mb[count] = max(peak_mb[count], *diary.peak_mb)
            digests.append(diary.digests)
    assert all(found == digests[0] for found in digests), "the digests differ"
    for count in WORKERS:
        ratios = [one / many for one, many in zip(took[1], took[count], strict=True)]
        told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        yield row(
            f"workers_{count}_s",
            sum(took[count]),
            meaning=f"{sizes.share_days} days of {sizes.share_events:,} events, {sizes.rounds} rounds",
        )
        yield row(
            f"workers_{count}_ratio", statistics.median(ratios), 1.8 if count == 2 else "", f"times one worker; by round: {told}"
        )
        yield row(f"workers_{count}_day_s", statistics.mean(own[count]), meaning="a day's own seconds beside the others")
        yield row(f"workers_{count}_peak_mb", peak_mb[count], meaning="resident memory of a worker")
    yield row("cores", os.cpu_count() or 1)
    yield row(
        "run_sigma", float(np.std(np.log(own[1]))), meaning="dispersion (of logarithms) of equal days' seconds on one worker"
    )


MEASURES: Final[dict[str, Callable[[Sizes, Path], Iterator[Row]]]] = {
    "day": day,
    "memory": memory,
    "overhead": overhead,
    "flat": flat,
    "workers": workers,
    "live": lambda sizes, home: scale_live.rows(home, 5.0 if sizes is QUICK else 20.0),
}


@contextmanager
def _quiet_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="astrarium-bench-") as folder:
        yield Path(folder)


def main() -> None:
    """Measure and print; or do one day for the one who measures."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*MEASURES, []])
    parser.add_argument("--quick", action="store_true", help="a look at everything, in two minutes")
    parser.add_argument("--json", dest="target")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.one)
        return
    sizes, rows = QUICK if options.quick else WHOLE, []
    for name in options.parts or MEASURES:
        with _quiet_home() as home:
            rows += [{"part": name, **found} for found in MEASURES[name](sizes, home)]
            print(f"{name} is done", file=sys.stderr, flush=True)
    write("one host's rates", rows, options.target)


if __name__ == "__main__":
    main()
