"""`python -m bench.fidelity CAPTURE...`: do our fills equal the reference's, on any raw captures?

The captures are imported (consecutive days chain), and both simulators replay the same imported rows of each day with the same
strategy, queue model and latencies. After every step the best prices, the position and the fills that the strategy has
heard of are compared. The first difference is printed with the market around it; without one, `N fills equal`. Exit code 1
when anything differed.

With --partial both run their partial-fill exchange. The reference keeps an exactly filled order in its exchange's books and
does not apply partial fills to its position (FIDELITY section 7): the comparison ends, and says so, where it stops by itself.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.desks import Desk, Fill, OurDesk, TheirDesk
from bench.quoting import STRATEGIES
from bench.reference import Grid
from core.kernel.replay import QUEUES, Latency, Queue

MS = 1_000_000


class Outcome(NamedTuple):
    """What a comparison saw: steps and fills that were equal, and the first difference in words ("" if none)."""

    steps: int
    fills: int
    difference: str
    ended: str = ""


def queue_of(text: str) -> Queue:
    """`risk`, `log`, `log2`, `power:3`, `power2:3`, `power3:3`."""
    kind, _, power = text.partition(":")
    return Queue(kind, float(power or 3.0))


def latency_of(text: str, start_ns: int, end_ns: int) -> Latency:
    """`ENTRY_MS[/RESPONSE_MS]`, or `table`: round trips that swing between 1 and 60 ms, measured once a second."""
    if text != "table":
        entry, _, response = text.partition("/")
        return Latency(round(float(entry) * MS), round(float(response or entry) * MS))
    sent = np.arange(start_ns - 10**9, end_ns + 10**9, 10**9)
    phase = np.arange(len(sent))
    entry_ns = ((1 + 29 * (phase * 7919 % 101) / 100) * MS).astype(np.int64)
    response_ns = ((1 + 29 * (phase * 104729 % 89) / 88) * MS).astype(np.int64)
    return Latency(rows=np.stack([sent, sent + entry_ns, sent + entry_ns + response_ns], axis=1))


def compare(ours: OurDesk, theirs: TheirDesk, make: Any, step_ns: int) -> Outcome:
    """Run a strategy in both, step by step, until the data ends or something differs."""
    mine, reference = make(), make()
    steps, fills = 0, 0
    while True:
        alive, their_alive = ours.step(step_ns), theirs.step(step_ns)
        if alive != their_alive:
            if theirs.failed or theirs.partial:
                return Outcome(steps, fills, "", f"the reference stopped by itself at {theirs.now}")
            return Outcome(steps, fills, f"the day ends at {ours.now} here and at {theirs.now} there")
        if not alive:
            return Outcome(steps, fills, "")
        words = _difference(ours, theirs)
        if words:
            return Outcome(steps, fills, words)
        steps += 1
        fills += len(ours.fills)
        mine.decide(ours)
        reference.decide(theirs)


def _difference(ours: Desk, theirs: Desk) -> str:
    for name in ("now", "bid", "ask", "position", "fills"):
        here, there = getattr(ours, name), getattr(theirs, name)
        if here != there:
            return f"{name}: {_words(here)} here, {_words(there)} in the reference, at {ours.now}"
    return ""


def _words(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def market_around(day: Any, fills: list[Fill], now: int) -> Iterator[str]:
    """The exchange's rows around a difference: at the price of the fill in question, and what traded."""
    centre = fills[0].exch_ns if fills else now
    first, last = np.searchsorted(day.exch.ns, [centre - 200 * MS, centre + 5 * MS])
    names = ("", "bid", "ask", "buy", "sell", "clear", "clear bids", "clear asks")
    rows = range(max(first, last - 400), last)
    price = fills[0].price if fills else None
    shown = [r for r in rows if price is None or abs(int(day.exch.tick[r]) - price) <= 1 or day.exch.kind[r] in (3, 4)]
    for r in shown[-40:]:
        yield f"  {int(day.exch.ns[r])} {names[day.exch.kind[r]]} {int(day.exch.tick[r])} x {int(day.exch.lots[r])}"


def run_day(day: Any, arguments: argparse.Namespace) -> Outcome:
    """One prepared day in both simulators; prints one line, and the market around a difference."""
    grid = Grid(float(day.instrument.tick_size), float(day.instrument.lot_size))
    queue = queue_of(arguments.queue)
    latency = latency_of(arguments.latency, day.start_ns, day.end_ns)
    market = (day.exch, day.local, day.bids, day.asks)
    ours = OurDesk(*market, grid, queue, latency, arguments.partial)
    theirs = TheirDesk(*market, grid, queue, latency, arguments.partial)
    outcome = compare(ours, theirs, lambda: STRATEGIES[arguments.strategy](grid), round(arguments.step_ms * MS))
    where = f"{day.key} {day.day} {arguments.strategy} {arguments.queue} {arguments.latency}"
    if outcome.difference:
        print(f"{where}: after {outcome.steps} steps and {outcome.fills} equal fills: {outcome.difference}")
        odd = [fill for fill in ours.fills + theirs.fills if (fill in ours.fills) != (fill in theirs.fills)]
        for line in market_around(day, odd, ours.now):
            print(line)
    else:
        print(f"{where}: {outcome.fills} fills equal, {outcome.steps} steps{'; ' + outcome.ended if outcome.ended else ''}")
    theirs.close()
    return outcome


def days_of(captures: list[str], store: Path) -> Iterator[Any]:
    """Import the captures and give every day that has a book."""
    from actors.history.importer import Importer
    from actors.history.tickdb import TickDb

    importer = Importer(store)
    for capture in captures:
        importer.run(Path(capture))
    db = TickDb(store)
    for key in db.instruments():
        for name in db.days(key):
            day = db.prepared(key, name)
            if day.quality == "book":
                yield day
            else:
                print(f"{key} {name}: {day.quality}, not compared")


def main() -> int:
    """Parse the command line and compare."""
    parser = argparse.ArgumentParser(prog="python -m bench.fidelity", description=__doc__.splitlines()[0])
    parser.add_argument("captures", nargs="+", metavar="CAPTURE")
    parser.add_argument("--strategy", choices=sorted(STRATEGIES), default="grid")
    parser.add_argument("--queue", default="power:3", help=", ".join(sorted(QUEUES)) + "; with :n for the powers")
    parser.add_argument("--latency", default="10", help="ms, ENTRY/RESPONSE, or `table`")
    parser.add_argument("--step-ms", type=float, default=100.0)
    parser.add_argument("--partial", action="store_true")
    arguments = parser.parse_args()
    if arguments.queue.partition(":")[0] in ("front", "back"):
        parser.error("the reference has no such bound")
    with tempfile.TemporaryDirectory() as folder:
        outcomes = [run_day(day, arguments) for day in days_of(arguments.captures, Path(folder))]
    if not outcomes:
        print("no day with a book")
        return 1
    print(f"{sum(outcome.fills for outcome in outcomes)} fills equal")
    return int(any(outcome.difference for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
