"""What a day costs beyond its own work, in parts; `bench/scale.py` runs it.

Each part is a thing that the crew does with a day: hand it out and take its words, compress its columns where it was simulated,
lay them on the keeper's shelf and fetch them from there, write them down.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from actors.cluster.keeper import Shelf
from actors.history.tickdb import TickDb
from actors.results import DayFiles, RunFolder, filed
from actors.sim.days import simulate
from actors.tasks import Task
from actors.work import Word, work
from bench.scale_rows import Row, row

WAITING: Final = 2_000


def simulated(task: Task) -> DayFiles:
    """A day in this process."""
    *_, last = work(task)
    assert isinstance(last, DayFiles), last
    return last


def rows(ray: Any, tiny: Task, large: Task, home: Path, times: int) -> Iterator[Row]:
    """All parts; writing is the driver's and runs beside the next day."""
    times = max(20, times)
    result = simulated(tiny)
    yield from handed(ray, result, times)
    yield from told(ray)
    for task, name, many in ((tiny, "", times), (large, "_large", 20)):
        day = result if task is tiny else simulated(task)
        of = f"a day of {day.summary['events']:,} rows: "
        yield row(f"compress{name}_ms", compressed_ms(task, many), meaning=f"{of}its columns, in the worker; not in its own work")
        yield row(f"keeper{name}_ms", kept_ms(ray, day, many), meaning=f"{of}onto the keeper's shelf, and fetched by a terminal")
        yield row(f"write{name}_ms", written_ms(day, home / f"written{name}", many), meaning=f"{of}its folder, by the driver")
    open_s = [timed(lambda: TickDb(tiny.store).prepared(tiny.keys[0], tiny.days[0])) for _ in range(20)]
    yield row("open_ms", 1_000 * statistics.median(open_s), meaning="opening a prepared day; in its own work")
    told_gc = "collecting what the day before left, the program itself frozen as in a worker; not in its own work"
    yield row("gc_ms", collected_ms(tiny), meaning=told_gc)


def handed(ray: Any, result: DayFiles, times: int) -> Iterator[Row]:
    """Tasks of Ray's that say one word, empty or a day's result."""
    for name, load in (("", None), ("_result", result)):
        remote = ray.remote(num_cpus=1, num_returns="streaming", max_retries=0)(_say)
        said = ray.put(load)
        _drained(ray, [remote.remote(said, 1) for _ in range(5)])
        trips = [timed(lambda: _drained(ray, [remote.remote(said, 1)])) for _ in range(times)]  # noqa: B023
        many = timed(lambda: _drained(ray, [remote.remote(said, 1) for _ in range(times)]))  # noqa: B023
        yield row(
            f"ray_trip{name}_ms", 1_000 * statistics.median(trips), meaning="a task handed out, its word and its end, alone"
        )
        yield row(f"ray_task{name}_ms", 1_000 * many / times, meaning="the same, one of many that wait: one worker")
    crowd = timed(lambda: _drained(ray, [remote.remote(said, 1) for _ in range(10 * times)]))
    yield row("ray_task_crowd_ms", 1_000 * crowd / (10 * times), meaning=f"the same, with {10 * times:,} handed out at once")


def told(ray: Any) -> Iterator[Row]:
    """Looks, words and bytes."""
    late = ray.remote(num_cpus=1)(_rest)
    waiting = [late.remote(seconds) for seconds in (3.0, *[0.0] * WAITING)]
    looks = [timed(lambda: ray.wait(waiting, num_returns=len(waiting), timeout=0)) for _ in range(20)]
    ray.get(waiting)
    yield row(
        "ray_wait_us_ref",
        1e6 * statistics.median(looks) / WAITING,
        meaning=f"a look at which of {WAITING:,} tasks said something",
    )
    remote = ray.remote(num_cpus=1, num_returns="streaming", max_retries=0)(_say)
    words = timed(lambda: _drained(ray, [remote.remote(ray.put(None), 200)]))
    yield row("ray_word_ms", 1_000 * words / 200, meaning="a word of progress")
    big = ray.put(np.zeros(4 << 20, np.uint8))
    _drained(ray, [remote.remote(big, 1)])
    took = timed(lambda: _drained(ray, [remote.remote(big, 5)]))
    yield row("ray_result_mb_s", 5 * (4 << 20) / 1e6 / took, meaning="results of 4 MB from a worker")


def _say(load: Any, times: int) -> Iterator[Any]:
    for _ in range(times):
        yield load


def _rest(seconds: float) -> None:
    time.sleep(seconds)


def _drained(ray: Any, streams: list[Any]) -> None:
    """Take all words of all streams, as the crew does."""
    while streams:
        for stream in ray.wait(streams, timeout=0.25)[0]:
            try:
                ray.get(next(stream))
            except StopIteration:
                streams.remove(stream)


class Kept:
    """A keeper's shelf in an actor, as on a cluster's head."""

    def __init__(self) -> None:
        self._shelf = Shelf()

    def put(self, word: Word, times: int) -> float:
        """Lay a word there so often; returns the seconds."""
        began = time.perf_counter()
        for _ in range(times):
            self._shelf.put("a day", word)
        return time.perf_counter() - began

    def words(self, receipt: int) -> tuple[int, int, Any]:
        """The number of the last word that is handed over, how many stay, and the words."""
        self._shelf.receipt(receipt)
        found = self._shelf.oldest()
        return self._shelf.first + len(found) - 1, len(self._shelf) - len(found), found


def kept_ms(ray: Any, result: DayFiles, times: int) -> float:
    """Milliseconds a result takes of a keeper: laid on its shelf, and fetched with others by a terminal."""
    keeper = ray.remote(num_cpus=0)(Kept).remote()

    def fetched() -> None:
        receipt, left = 0, 1
        while left:
            receipt, left, _ = ray.get(keeper.words.remote(receipt))
        ray.get(keeper.words.remote(receipt))

    def round_s() -> float:
        put_s: float = ray.get(keeper.put.remote(result, times))
        return put_s + timed(fetched)

    round_s()
    return 1_000 * min(round_s() for _ in range(3)) / times


def compressed_ms(task: Task, times: int) -> float:
    """Milliseconds to compress a day's columns."""
    result = next(simulate(task.plan, task.store, task.keys, task.days))
    return 1_000 * statistics.median(timed(lambda: filed(result)) for _ in range(times))


def written_ms(result: DayFiles, folder: Path, times: int) -> float:
    """Milliseconds to write a day's folder, the looks whether it is there included."""
    home = RunFolder(folder)
    home.begin({}, "")
    took = []
    for number in range(times):
        result.summary["day"] = f"day-{number}"

        def keep() -> None:
            home.finished(result.summary["day"], result.summary["instruments"])
            home.write_day(result)

        took.append(timed(keep))
    return 1_000 * statistics.median(took)


def collected_ms(task: Task) -> float:
    """Milliseconds of a collection after a day, in a process whose first day was followed by `gc.freeze`."""
    simulated(task)
    gc.collect()
    gc.freeze()
    try:
        spent = []
        for _ in range(10):
            simulated(task)
            spent.append(timed(gc.collect))
    finally:
        gc.unfreeze()
    return 1_000 * statistics.median(spent)


def timed(what: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    what()
    return time.perf_counter() - began
