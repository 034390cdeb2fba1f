"""`python -m bench.fidelity CAPTURE...`: do our fills equal the reference's, on any raw captures?

The captures are imported (consecutive days chain), and both simulators replay the same imported rows of each day with the same
strategy, queue model and latencies; ours twice, row by row and from the day's index. After every step the best prices, what
traded, the position and the fills that the strategy has heard of are compared. The first difference is printed with the
market around it; without one, `N fills equal (linear, prepared)`. Exit code 1 when anything differed.

With --partial all run their partial-fill exchange. The reference keeps an exactly filled order in its exchange's books and
does not apply partial fills to its position (FIDELITY section 7): where it stops by itself, or cancels an order that is filled,
the comparison with it ends and says so, and our two are compared to the end of the day.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from actors.history.dayindex import index_of
from bench.desks import Desk, Fill, OurDesk, TheirDesk
from bench.quoting import STRATEGIES
from bench.reference import Grid
from core.kernel.replay import QUEUES, Latency, Queue

MS = 1_000_000


class Outcome(NamedTuple):
    """What a comparison saw: steps and fills that were equal to the reference's, the first difference in words ("" if none).

    `ended` says where the reference stopped by itself ("" if it did not); `alone` fills of ours were equal after that.
    """

    steps: int
    fills: int
    difference: str
    ended: str = ""
    alone: int = 0


def queue_of(text: str) -> Queue:
    """`risk`, `log`, `log2`, `power:3`, `power2:3`, `power3:3`; a power that is not given is 3. Raises ValueError."""
    kind, _, power = text.partition(":")
    if kind not in QUEUES:
        raise ValueError(f"{kind!r} is no queue model: {', '.join(sorted(QUEUES))}")
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


def compare(ours: Mapping[str, OurDesk], theirs: TheirDesk, make: Any, step_ns: int, last_ns: int) -> Outcome:
    """Run a strategy in all of them, step by step, until the data ends or something differs. `ours` by what they are called.

    After `last_ns`, the last row's time, it decides nothing more: who sends more often than answers come would never end.
    """
    desks: dict[str, Desk] = {"reference": theirs, **ours}
    players = {name: make() for name in desks}
    steps, fills, alone, ended = 0, 0, 0, ""
    while True:
        alive = {name: desk.step(step_ns) for name, desk in desks.items()}
        if not alive.get("reference", True) and (theirs.failed or (theirs.partial and any(alive.values()))):
            ended = f"the reference {'erred' if theirs.failed else 'stopped'} by itself after {theirs.now}"
            del desks["reference"], alive["reference"]
        words = _difference(desks, alive)
        if words or not all(alive.values()):
            return Outcome(steps, fills, words, ended, alone)
        heard = len(next(iter(ours.values())).fills)
        if ended:
            alone += heard
        else:
            fills += heard
            steps += 1
        for name, desk in desks.items() if min(desk.now for desk in ours.values()) < last_ns else ():
            players[name].decide(desk)


def _difference(desks: Mapping[str, Any], alive: Mapping[str, bool]) -> str:
    (first, standard), *others = desks.items()
    for name, desk in others:
        if alive[name] != alive[first]:
            return f"the day ends at {desk.now} {name} and at {standard.now} {first}"
        for what in ("now", "bid", "ask", "buy_high", "sell_low", "position", "fills") if alive[name] else ():
            here, there = getattr(desk, what), getattr(standard, what)
            if here != there:
                return f"{what}: {_words(here)} {name}, {_words(there)} {first}, at {desk.now}"
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
    """One prepared day in all three; prints one line, and the market around a difference."""
    grid = Grid(float(day.instrument.tick_size), float(day.instrument.lot_size))
    latency = latency_of(arguments.latency, day.start_ns, day.end_ns)
    terms = (day.exch, day.local, day.bids, day.asks, grid, queue_of(arguments.queue), latency, arguments.partial)
    ours = {"linear": OurDesk(*terms), "prepared": OurDesk(*terms, index=index_of(day))}
    theirs = TheirDesk(*terms)
    last_ns = max(int(rows.ns[-1]) for rows in (day.exch, day.local))
    make = STRATEGIES[arguments.strategy]
    outcome = compare(ours, theirs, lambda: make(grid), round(arguments.step_ms * MS), last_ns)
    where = f"{day.key} {day.day} {arguments.strategy} {arguments.queue} {arguments.latency}"
    if outcome.difference:
        print(f"{where}: after {outcome.steps} steps and {outcome.fills} equal fills: {outcome.difference}")
        heard = [desk.fills for desk in (*ours.values(), theirs)]
        odd = [fill for fills in heard for fill in fills if any(fill not in others for others in heard)]
        for line in market_around(day, odd, ours["linear"].now):
            print(line)
    else:
        ended = f"; {outcome.ended}, {outcome.alone} more equal without it" if outcome.ended else ""
        print(f"{where}: {outcome.fills} fills equal ({', '.join(ours)}), {outcome.steps} steps{ended}")
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
    try:
        queue = queue_of(arguments.queue)
        latency_of(arguments.latency, 0, 0)
    except ValueError as error:
        parser.error(f"--queue {arguments.queue}, --latency {arguments.latency}: {error}")
    if queue.kind in ("front", "back"):
        parser.error("the reference has no such bound")
    with tempfile.TemporaryDirectory() as folder:
        outcomes = [run_day(day, arguments) for day in days_of(arguments.captures, Path(folder))]
    if not outcomes:
        print("no day with a book")
        return 1
    differ = sum(bool(outcome.difference) for outcome in outcomes)
    print(
        f"{sum(outcome.fills for outcome in outcomes)} fills equal"
        + (f", {differ} days differ" if differ else " (linear, prepared)")
    )
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main())
