"""`python -m bench.sweep`: many parameter sets over one day, beside hftbacktest running them one after the other.

The sets are GLFT grids of twenty quotes a side that differ in their factors on half spread and skew and share one window. Ours
go through the day together (`core/kernel/sweep.py`); what one costs is the whole time over their number. The reference's time is
that of one set with the same incremental fit, the median of the first, the middle and the last; its sets do not help each other.
Both are in this thread's processor time, without compilation, loading and the index, which is timed apart.

The same strategy as `bench.replay`'s `glft 20` is written here as the two functions of a quoting strategy, and looks at the
market at every multiple of 100 ms. The reference steps from its first event on, so the fills differ a little; `bench.replay`
proves that they are equal where the steps are.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from actors.graph import BusyTable, Graph, LatencyTable, LimitsTable, Plan, QueueTable
from actors.history.prepared import Columns, Fundings, Marks, PreparedDay
from actors.sim.compiled import swept
from actors.sim.road import Road
from bench import glft
from bench.cases import LIMIT, LOTS, glft_of
from bench.fidelity import latency_of, queue_of
from bench.market import Market, generated
from bench.sides import run_theirs
from bench.table import write
from core.instrument import Instrument, Key
from core.kernel import post
from core.kernel.index import index_day
from core.kernel.memory import compiled
from core.kernel.quoting import ASK, BID, want_grid
from core.kernel.terms import DayIndex
from core.quoter import Program, Quoter

ASKED = 25.0
FIT = np.dtype([("window", "i8")])
SEEN = np.dtype(
    [(name, "i8") for name in ("mid_twice", "sample", "moved", "squares")]
    + [("half_spread", "f8"), ("skew", "f8"), ("depths", "i8", (glft.WINDOW,)), ("changes", "i8", (glft.WINDOW,))]
    + [("counts", "i8", (glft.DEEPEST + 1,))]
)
STATE = np.dtype([("nothing", "i8")])
PARAMS = np.dtype([("adj1", "f8"), ("adj2", "f8"), ("count", "i8"), ("lots", "i8"), ("limit", "i8")])


@compiled
def look(view: Any, seen: Any, fit: Any) -> None:
    """The window, kept incrementally, and the fit."""
    if view.bid == 0 or view.ask == 0:
        return
    now_twice = view.bid + view.ask
    if seen.mid_twice != 0:
        depth = 0
        if view.buy_high != 0:
            depth = max(depth, 2 * view.buy_high - seen.mid_twice)
        if view.sell_low != 0:
            depth = max(depth, seen.mid_twice - 2 * view.sell_low)
        depth, change, n = min(depth, glft.DEEPEST), now_twice - seen.mid_twice, seen.sample % fit.window
        if seen.sample >= fit.window:
            seen.counts[seen.depths[n]] -= 1
            seen.moved -= seen.changes[n]
            seen.squares -= seen.changes[n] * seen.changes[n]
        seen.depths[n], seen.changes[n] = depth, change
        seen.counts[depth] += 1
        seen.moved += change
        seen.squares += change * change
        seen.sample += 1
    seen.mid_twice = now_twice
    if seen.sample % glft.REFIT == 0 and seen.sample >= fit.window:
        seen.half_spread, seen.skew = glft.fit(seen.counts, fit.window, seen.moved, seen.squares)


@compiled
def quote(view: Any, seen: Any, own: Any, state: Any, params: Any, out: Any) -> None:
    """The grids of both sides, inside the position limit."""
    if seen.half_spread == 0.0 or view.bid == 0 or view.ask == 0:
        return
    bid, ask, gap = glft.quotes(
        view.bid, view.ask, seen.mid_twice, seen.half_spread, seen.skew, own.position, params.lots, params.adj1, params.adj2
    )
    want_grid(out, BID, int(bid), -gap, params.count if own.position < params.limit else 0, params.lots)
    want_grid(out, ASK, int(ask), gap, params.count if own.position > -params.limit else 0, params.lots)


class Grid(Quoter):
    """The strategy, for the graph's nodes."""

    program = Program(look, quote, SEEN, FIT, STATE, PARAMS)

    adj1: float = 0.2
    adj2: float = 0.2

    def records(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """FIT and PARAMS."""
        return (glft.WINDOW,), (self.adj1, self.adj2, 20, LOTS, LIMIT)


def plan_of(adj1: float, adj2: float) -> Plan:
    """The reference's world: nothing takes time but the venue, and nothing is limited."""
    graph = Graph(
        name="grid", instruments=("BTCUSDT",), strategy={"use": f"{__file__}:Grid", "adj1": adj1, "adj2": adj2},
        latency=LatencyTable(order_entry_us=10_000, order_response_us=10_000, link_us=0), queue=QueueTable("power", 3.0),
        busy_us=BusyTable(0, 0, 0, 0, 0), limits=LimitsTable(),
    )  # fmt: skip
    return Plan(graph, "", "")


def day_of(market: Market) -> PreparedDay:
    """The market as a prepared day that no store holds."""
    none = np.zeros(0, np.int64)
    instrument = Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001")
    streams = (Columns(one.ns, one.kind, one.tick, one.lots) for one in (market.exch, market.local))
    return PreparedDay(
        instrument.key, "1970-01-01", instrument, *streams, market.bids, market.asks, Marks(*[none] * 6), Fundings(*[none] * 3),
        "book", 0, 86_400 * 10**9, market.name, None,
    )  # fmt: skip


def factors(count: int) -> list[tuple[float, float]]:
    """So many different sets around the one of `bench.replay`."""
    side = math.ceil(math.sqrt(count))
    return [(0.15 + 0.1 * (n // side) / side, 0.1 + 0.2 * (n % side) / side) for n in range(count)]


def ours(day: PreparedDay, index: DayIndex, sets: list[tuple[float, float]]) -> tuple[float, list[str]]:
    """Seconds for all sets together, and what each leaves."""
    roads = [Road(plan_of(*one), day, index) for one in sets]
    start = time.thread_time()
    swept(roads)
    return time.thread_time() - start, [left(road) for road in roads]


def alone(day: PreparedDay, index: DayIndex, sets: list[tuple[float, float]]) -> list[str]:
    """What each set leaves that goes the whole road alone."""
    roads = [Road(plan_of(*one), day, index) for one in sets]
    for road in roads:
        road.run()
    return [left(road) for road in roads]


def left(road: Road) -> str:
    """A digest of the requests and of what risk booked."""
    logs = (road.sent[: road.count(post.SENT)], road.booked[: road.count(post.BOOKED)])
    return hashlib.blake2b(b"".join(log.tobytes() for log in logs)).hexdigest()


def rows_of(market: Market, index: DayIndex, counts: list[int]) -> Iterator[dict[str, Any]]:
    """A row for each number of sets. `equal`: each set leaves the same requests, fills and account as when it runs alone."""
    day = day_of(market)
    models = queue_of("power:3"), latency_of("10", 0, 0)
    events = len(market.exch.ns)
    for count in counts:
        sets = factors(count)
        chosen = [sets[0], sets[count // 2], sets[-1]] if count > 1 else sets
        ours(day, index, sets[:1])
        seconds, digests = min(ours(day, index, sets) for _ in range(2))
        run_theirs(market, glft_of(20, False, ASKED, *sets[0]), *models)
        one = statistics.median(run_theirs(market, glft_of(20, False, ASKED, *each), *models)[0] for each in chosen)
        yield {
            "market": market.name, "sets": count, "ours_s_a_set": seconds / count, "theirs_s_a_set": one,
            "ours_rows_s": events * count / seconds, "theirs_rows_s": events / one, "ratio": one * count / seconds,
            "asked": ASKED if count == 32 else None,
            "equal": alone(day, index, chosen) == [digests[sets.index(each)] for each in chosen],
        }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.sweep", description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=lambda text: int(float(text)), default=20_000_000, help="rows of the generated day")
    parser.add_argument("--sets", type=int, nargs="*", default=[1, 8, 32])
    parser.add_argument("--json")
    options = parser.parse_args()
    market = generated(options.events)
    rows = list(rows_of(market, index_day(*market.streams), options.sets))
    write(f"GLFT grids of 20 over a generated day of {options.events:,} rows", rows, options.json)


if __name__ == "__main__":
    main()
