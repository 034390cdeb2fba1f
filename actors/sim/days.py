"""Days simulated: one at a time, or in sequence where the midnight policy lets state cross.

A *span* is what one worker does without anybody's help: one day and one group of instruments under `flat` and `warmup`, all
days of a group in sequence under `carry`. Each day of a span yields its result as soon as it is done, so that nothing is lost
when the worker dies later. A day is simulated in slices of its time, and between them says how far it is: a run may be cut
anywhere and goes on as if it had not been.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from msgspec import Struct
from numpy.typing import NDArray

from actors.graph import Plan
from actors.history.tickdb import TickDb
from actors.launch import Simulation, simulated, whole
from actors.sim.recorder import Recorder
from core.instrument import Key

MINUTE_NS = 60_000_000_000
SLICES = 200
"""A full day of a busy instrument takes a minute or two: something is heard of it at least every second."""


class Progress(Struct, frozen=True):
    """How far a day is: market rows replayed, of so many."""

    day: str
    rows: int
    rows_all: int


class DayResult(Struct):
    """What one simulated day gave: the summary that `day.json` holds, fills and samples as columns."""

    summary: dict[str, Any]
    fills: Mapping[str, NDArray[Any]]
    equity: Mapping[str, NDArray[Any]]


def simulate(plan: Plan, store: str, keys: Sequence[Key], days: Sequence[str]) -> Iterator[DayResult]:
    """Simulate the days in order, for instruments that run together; state crosses midnight only under `carry`.

    Raises UserError for data that cannot be traded on and whatever a strategy raises.
    """
    return (one for one in watched(plan, store, keys, days) if isinstance(one, DayResult))


def watched(plan: Plan, store: str, keys: Sequence[Key], days: Sequence[str]) -> Iterator[Progress | DayResult]:
    """As `simulate`, with word of each day's progress in between: first when its data is ready."""
    db = TickDb(store)
    base_ns = round(plan.graph.latency.feed_base_us * 1_000)
    before: Simulation | None = None
    ended: dict[str, float] = {}
    mids: dict[str, float] = {}
    for day in days:
        gc.collect()  # nodes and their seats know each other: an earlier day goes only now, and its mapped columns with it
        began = time.perf_counter()
        prepared = [db.prepared(key, day, base_ns) for key in keys]
        earlier = before or _warmed(plan, db, keys, day, base_ns)
        recorder = Recorder(mids)
        start, end = whole(prepared)
        if earlier is not None:
            start = max(start, earlier.host.end)
        simulation = simulated(plan, prepared, (start, end), recorder.watch, before=earlier)
        opening = ended or _account(simulation, recorder)
        recorder.attach(simulation)
        for part in range(1, SLICES + 1):
            yield _progress(simulation, day)
            simulation.host.run(start + (end - start) * part // SLICES)
        recorder.sample(simulation.host.clock.time)
        result = _result(simulation, recorder, day, opening, time.perf_counter() - began)
        yield result
        if plan.graph.carries:
            before, ended, mids = simulation, _account(simulation, recorder), recorder.mids
        del simulation, recorder, prepared, earlier, result


def _progress(simulation: Simulation, day: str) -> Progress:
    venues = simulation.venues.values()
    return Progress(day, sum(venue.replay.rows_local for venue in venues), sum(venue.rows_all for venue in venues))


def _warmed(plan: Plan, db: TickDb, keys: Sequence[Key], day: str, base_ns: int) -> Simulation | None:
    """The end of the day before, seen and not traded, if the graph wants a warm-up and the store has that day."""
    minutes = plan.graph.warmup_minutes
    eve = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
    if not minutes or any(eve not in db.days(key) for key in keys):
        return None
    prepared = [db.prepared(key, eve, base_ns) for key in keys]
    if any(one.quality != "book" for one in prepared):
        return None
    end = prepared[0].end_ns
    start = max(end - minutes * MINUTE_NS, whole(prepared)[0])
    simulation = simulated(plan, prepared, (min(start, end), end), trading=False)
    simulation.host.run()
    return simulation


def _account(simulation: Simulation, recorder: Recorder) -> dict[str, float]:
    """The account's running totals; a day's own are what it adds to those at the end of the day before.

    So what the market did between two carried days is the later day's, and days add up to the run.
    """
    totals = {"fees": 0.0, "funding": 0.0, "turnover": 0.0, "equity": 0.0}
    for symbol in simulation.venues:
        account = simulation.risk.ledger.of(symbol)
        mid = recorder.mids.get(symbol)
        totals["fees"] += account.fees
        totals["funding"] += account.funding
        totals["turnover"] += account.turnover
        totals["equity"] += account.equity(mid) if mid is not None else account.cash
    return totals


def _result(simulation: Simulation, recorder: Recorder, day: str, opening: Mapping[str, float], seconds: float) -> DayResult:
    fills, equity = recorder.columns()
    symbols = list(simulation.venues)
    closing = _account(simulation, recorder)
    pnl = closing["equity"] - opening["equity"]
    fees, funding = closing["fees"] - opening["fees"], closing["funding"] - opening["funding"]
    rows = sum(venue.replay.rows_local for venue in simulation.venues.values())
    boxes = simulation.mailboxes.values()
    summary = {
        "day": day,
        "instruments": symbols,
        "status": "done",
        "cause": None,
        "digest": recorder.trace.hex(),
        "fills": len(fills["time_ns"]),
        "pnl": pnl,
        "gross_pnl": pnl + fees - funding,
        "fees": fees,
        "funding": funding,
        "turnover": closing["turnover"] - opening["turnover"],
        "events": rows,
        "messages": simulation.host.handled,
        "ticks": {
            "received": sum(box.received for box in boxes),
            "delivered": sum(box.delivered for box in boxes),
            "replaced": sum(box.replaced for box in boxes),
            "age_ns_max": max((box.age_ns_max for box in boxes), default=0),
        },
        "orders": dict(recorder.orders),
        "seconds": round(seconds, 3),
        "peak_rss_mb": round(peak_rss_mb(), 1),
        "worker_pid": os.getpid(),
        "rows_per_s": round(rows / seconds) if seconds else 0,
        "start_equity": opening["equity"],
        "end_equity": opening["equity"] + pnl,
        "from": _stamp(int(equity["time_ns"][0])),
        "to": _stamp(int(equity["time_ns"][-1])),
    }
    return DayResult(summary, fills, equity)


def peak_rss_mb() -> float:
    """The largest resident memory that this process has had, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _stamp(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
