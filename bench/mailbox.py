"""What a mailbox costs beside a dict: `python -m bench.mailbox [--json FILE]`.

A put and a take are compared with the bare set and pop of a dict. In the second row each tick finds an older one waiting and both
carry trades, so that every second put folds; its dict is set twice and popped once.
"""

from __future__ import annotations

import argparse
import timeit
from collections.abc import Callable

from bench.table import write
from core.mailbox import Mailbox
from core.message import NO_TRADES, Tick, Trades

TRADED: Trades = (3, 5, 2, 4_900_000, 700_002, 700_000, 700_001, 700_002, 700_000)
NUMBER = 100_000


def tick(trades: Trades) -> Tick:
    """A tick with one level a side."""
    return Tick("BTCUSDT", 1, 2, 3, 4, ((700_000, 5),), ((700_001, 5),), 0, trades)


def nanoseconds(act: Callable[[], object]) -> float:
    """Best of several timings of one call."""
    return min(timeit.repeat(act, number=NUMBER, repeat=9)) / NUMBER * 1e9


def rows() -> list[dict[str, object]]:
    """Measure both, alternately in one run."""
    box = Mailbox()
    put, take = box.put_tick, box.take
    bare: dict[str, Tick] = {}
    quiet, first, second = tick(NO_TRADES), tick(TRADED), tick(TRADED)

    def once() -> None:
        put(quiet)
        take(5)

    def once_bare() -> None:
        bare["BTCUSDT"] = quiet
        bare.pop("BTCUSDT")

    def folding() -> None:
        second.trades = TRADED
        put(first)
        put(second)
        take(5)

    def folding_bare() -> None:
        second.trades = TRADED
        bare["BTCUSDT"] = first
        bare["BTCUSDT"] = second
        bare.pop("BTCUSDT")

    found: list[dict[str, object]] = []
    for case, ours, theirs in (
        ("put, take", once, once_bare),
        ("put, put that folds, take", folding, folding_bare),
    ):
        cost, floor = nanoseconds(ours), nanoseconds(theirs)
        found.append({"case": case, "ns": round(cost), "on a bare dict, ns": round(floor), "ratio": cost / floor, "asked": 8})
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json")
    write("mailbox against dict", rows(), parser.parse_args().json)


if __name__ == "__main__":
    main()
