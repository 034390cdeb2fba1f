"""Seeded runs of the whole road under faults: `python -m tests.seeds --seeds N` runs N of them; a failing seed is the bug report.

A seed draws a market, a strategy that trades at random, and which faults happen how often (`actors/sim/weather.py`). Three
phases: trading under faults; calm, in which everything must converge within 60 simulated seconds; the audit by the checkers.
The nodes are those of every backtest and of live trading, the normalizer among them; only what is around them is
`actors/sim/`'s. What a seed may suffer: requests refused, lost, late and unanswered; reports lost, doubled and late; market
frames lost, doubled, late, damaged, a silent stream and a broken one; a link that delays, clogs and breaks; a disk that is
full, fails, is slow and loses its tail; a slow node; a clock that drifts, stands and is set; and the death of the account's
process between any two effects.

Left out: two versions of the code side by side.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from time import monotonic
from typing import Final

from msgspec import Struct

from tests.world import World
from tests.world import run as run_world

CORPUS: Final = Path(__file__).parent / "data" / "seeds.json"
"""Every seed that ever failed, with what it found. What a seed draws changes with the weather's ranges; the numbers stay."""


class Outcome(Struct):
    """What a seed came to."""

    seed: int
    violations: list[str]
    fired: list[str]
    messages: int
    executions: int
    digest: str


def run(seed: int) -> Outcome:
    """One seed; an exception is the worst of violations."""
    world = World(seed)
    try:
        violations = run_world(world)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the seed's finding
        violations = [f"crash: {error!r}"]
    return Outcome(
        seed, violations, sorted(world.storm.fired), world.simulation.host.handled, world.executions, world.trace.hexdigest()
    )


def corpus() -> dict[int, str]:
    """Seeds that once failed, and why."""
    return {int(seed): why for seed, why in json.loads(CORPUS.read_text()).items()}


def outcomes(seeds: Iterable[int], workers: int = 1) -> Iterator[Outcome]:
    """Run seeds, in order, with so many processes."""
    if workers <= 1:
        yield from map(run, seeds)
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(run, seeds, chunksize=8)


class Tally:
    """What many seeds came to."""

    def __init__(self) -> None:
        self.seeds = self.messages = 0
        self.least = sys.maxsize
        self.failed: list[Outcome] = []
        self.kinds: Counter[str] = Counter()
        self.pairs: Counter[tuple[str, str]] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Count one."""
        self.seeds += 1
        self.messages += outcome.messages
        self.least = min(self.least, outcome.messages)
        self.kinds.update(outcome.fired)
        self.pairs.update(combinations(outcome.fired, 2))
        if outcome.violations:
            self.failed.append(outcome)

    def rare(self) -> list[str]:
        """Kinds of faults that fired in less than a tenth of the seeds, and pairs that did in less than a hundredth."""
        kinds = [f"{name} in {self.kinds[name]}" for name in KINDS if self.kinds[name] < self.seeds / 10]
        pairs = [
            f"{a} with {b} in {self.pairs[a, b]}"
            for a, b in combinations(sorted(KINDS), 2)
            if self.pairs[a, b] < self.seeds / 100
        ]
        return kinds + pairs


KINDS: Final = (
    "refused", "never_arrives", "arrives_late", "answer_lost", "report_dropped", "report_doubled", "report_delayed", "query_lost",
    "unasked_cancel", "frame_dropped", "frame_doubled", "frame_late", "frame_malformed", "stream_silent", "stream_broken",
    "snapshot_lost", "link_delay", "link_clogged", "link_broken", "tick_dropped", "disk_full", "disk_failed", "disk_slow",
    "slow_node", "clock_stands", "clock_set", "crash", "strategy_dies", "normalizer_dies", "killed",
)  # fmt: skip
"""Faults that must each fire in a tenth of the seeds."""


def main(arguments: list[str] | None = None) -> int:
    """Run seeds and say which of them failed, and how often each fault happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them: to run one again, --first SEED --seeds 1")
    parser.add_argument("--workers", type=int, default=2, help="how many processes")
    given = parser.parse_args(arguments)
    tally, begun = Tally(), monotonic()
    for outcome in outcomes(range(given.first, given.first + given.seeds), given.workers if given.seeds > 1 else 1):
        tally.add(outcome)
        if outcome.violations:
            print(f"seed {outcome.seed}: " + "\n  ".join(outcome.violations[:4]), flush=True)
            print(f"  again: python -m tests.seeds --first {outcome.seed} --seeds 1", flush=True)
        if tally.seeds % 100 == 0:
            print(f"{tally.seeds} seeds, {len(tally.failed)} failed, {monotonic() - begun:.0f} s", flush=True)
    failed = [one.seed for one in tally.failed]
    print(
        f"{tally.seeds} seeds, {tally.messages:,} messages, at least {tally.least:,} a seed, {len(failed)} failed: {failed[:20]}"
    )
    print("seeds in which each fault happened: " + ", ".join(f"{name} {count}" for name, count in tally.kinds.most_common()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
