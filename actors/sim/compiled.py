"""Days of a quoting strategy in one compiled loop (`core/kernel/road.py`): the graph's day, some hundred times as fast.

Fills, samples and totals have the columns and the names of `actors/sim/days.py`, to the last bit; what is missing is what only a
graph has: its trace, and who was busy when. Days come from their index, so that many sets of parameters over one day share all
of it but their own orders.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray

from actors.errors import UserError
from actors.graph import Plan
from actors.history.dayindex import index_of
from actors.history.prepared import PreparedDay
from actors.sim.money import Money
from actors.sim.recorder import EQUITY_COLUMNS, FILL_COLUMNS
from actors.sim.road import Road
from core.kernel import post as p
from core.kernel.sweep import run_sweep
from core.kernel.terms import DayIndex
from core.price import E8
from core.quoter import Quoter
from core.strategy import Strategy

_OWN = (
    "on_tick", "on_trade", "on_bar", "on_report", "on_reject", "on_funding", "on_command", "on_status", "on_parameters", "on",
    "order", "cancel",
)  # fmt: skip


class SetDay(Struct):
    """One day of one set of parameters: totals by the names of a day's summary, fills and samples as columns."""

    summary: dict[str, Any]
    fills: Mapping[str, NDArray[Any]]
    equity: Mapping[str, NDArray[Any]]


def uncompiled(plan: Plan) -> str:
    """Why days of this graph cannot be compiled; "" when they can."""
    kind = plan.strategy_class()
    graph = plan.graph
    if not issubclass(kind, Quoter):
        return f"{kind.__name__} is no quoting strategy (core/quoter.py)"
    if kind.shared:
        return f"{kind.__name__} trades several instruments together"
    changed = [name for name in _OWN if getattr(kind, name) is not getattr(Quoter, name)]
    changed += [name for name in ("on_start", "on_timer") if getattr(kind, name) is not getattr(Quoter, name)]
    if changed:
        return f"{kind.__name__} has a Python method of its own: {', '.join(changed)}"
    if kind.bars or kind.calendar or kind.moves or _filters(kind):
        return f"{kind.__name__} wants bars, calendar jobs or event filters"
    if graph.guarded is not None:
        return "it has a [guard], whose limits only the graph's own days keep"
    if graph.midnight != "flat":
        return f'midnight = "{graph.midnight}" lets state cross midnight'
    return ""


def _filters(kind: type[Strategy]) -> bool:
    return any(getattr(getattr(kind, name), "pairs", ()) for name in dir(kind))


def simulate_sets(plan: Plan, day: PreparedDay, sets: Sequence[Mapping[str, Any]]) -> list[SetDay]:
    """One day of one instrument under each set of strategy parameters (those that differ from the plan's).

    Raises UserError for a graph that cannot be compiled, a day without a book, parameters that the strategy refuses, and a run
    that outgrows its room.
    """
    reason = uncompiled(plan)
    if reason:
        raise UserError(f"this graph's days cannot be compiled: {reason}")
    if day.quality != "book":
        raise UserError(f"{day.key} {day.day} has no book: trading on it is refused")
    index = index_of(day)
    if not immediate(plan):
        return [_simulate(plan, day, index, one) for one in sets]
    periods: dict[int, list[int]] = {}
    for number, one in enumerate(sets):
        periods.setdefault(one.get("requote_ms", plan.graph.strategy.get("requote_ms")), []).append(number)
    found = {
        number: done
        for numbers in periods.values()
        for number, done in zip(numbers, _together(plan, day, index, [sets[k] for k in numbers]), strict=True)
    }
    return [found[number] for number in range(len(sets))]


def immediate(plan: Plan) -> bool:
    """Whether nothing takes time in this graph but the venue: its sets then go through a day together, and share looks."""
    return plan.graph.latency.link_us == 0 and not any(plan.graph.busy_us.ns().values())


def _road(plan: Plan, day: PreparedDay, index: DayIndex, given: Mapping[str, Any]) -> Road:
    strategy = dict(plan.graph.strategy) | dict(given)
    return Road(structs.replace(plan, graph=structs.replace(plan.graph, strategy=strategy)), day, index)


def _simulate(plan: Plan, day: PreparedDay, index: DayIndex, given: Mapping[str, Any]) -> SetDay:
    began = time.perf_counter()
    road = _road(plan, day, index, given)
    road.run()
    return result(road, time.perf_counter() - began)


def _together(plan: Plan, day: PreparedDay, index: DayIndex, sets: Sequence[Mapping[str, Any]]) -> list[SetDay]:
    """Sets that look at the same moments, stop by stop (`core/kernel/sweep.py`)."""
    began = time.perf_counter()
    roads = [_road(plan, day, index, one) for one in sets]
    leaders = swept(roads)
    for road, leader in zip(roads, leaders, strict=True):
        road.take_ticks(roads[leader])
        road.close()
    seconds = (time.perf_counter() - began) / len(sets)
    return [result(road, seconds) for road in roads]


def swept(roads: Sequence[Road]) -> list[int]:
    """Take roads through their day together; returns the leader of each: the first that looks with the same parameters."""
    looks: dict[bytes, int] = {}
    leaders = [looks.setdefault(road.look_parameters, number) for number, road in enumerate(roads)]
    for road, leader in zip(roads, leaders, strict=True):
        road.follows(roads[leader])
    at = np.array([road.at for road in roads], np.int64)
    settled = np.ascontiguousarray(roads[0].day.fundings.settle_ns, np.int64)
    run_sweep(at.ctypes.data, np.array(leaders, np.int64).ctypes.data, len(roads), settled.ctypes.data, len(settled))
    return leaders


def result(road: Road, seconds: float) -> SetDay:
    """Totals, fills and samples."""
    booked = road.booked[: road.count(p.BOOKED)]
    money = Money(road.instrument, road.day, booked)
    equity = _equity(road, money)
    first, last = (float(equity["equity"][k]) for k in (0, -1))
    fees, funding = money.fees_e8[-1] / E8, money.funding_e8[-1] / E8
    rows = road.replay.rows_local
    summary = {
        "day": road.day.day,
        "instruments": [road.instrument.symbol],
        "status": "done",
        "cause": None,
        "digest": _digest(road, booked),
        "fills": road.fills,
        "pnl": last - first,
        "gross_pnl": last - first + fees - funding,
        "fees": fees,
        "funding": funding,
        "turnover": money.turnover,
        "events": rows,
        "messages": road.count(p.HANDLED),
        "ticks": {
            "received": road.count(p.DELIVERED) + road.count(p.REPLACED) + road.count(p.TICK_WAITS),
            "delivered": road.count(p.DELIVERED),
            "replaced": road.count(p.REPLACED),
            "age_ns_max": road.count(p.AGE_MAX),
        },
        "orders": {
            "new": road.count(p.NEWS), "cancel": road.count(p.CANCELS), "replace": 0, "rejected": road.count(p.REFUSALS),
        },
        "seconds": round(seconds, 3),
        "rows_per_s": round(rows / seconds) if seconds else 0,
        "start_equity": first,
        "end_equity": last,
    }  # fmt: skip
    return SetDay(summary, _fills(road, booked, money), equity)


def _digest(road: Road, booked: NDArray[np.int64]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(road.sent[: road.count(p.SENT)].tobytes())
    digest.update(booked.tobytes())
    return digest.hexdigest()


def _fills(road: Road, booked: NDArray[np.int64], money: Money) -> Mapping[str, NDArray[Any]]:
    traded = booked[:, p.BOOKED_SIDE] >= 0
    rows = booked[traded]
    one = road.instrument
    names = [f"{one.symbol}-{road.day.day}-{number}" for number in rows[:, p.BOOKED_NO].tolist()]
    price, qty = rows[:, p.BOOKED_PRICE], rows[:, p.BOOKED_QTY]
    columns = (
        rows[:, p.BOOKED_NS], np.zeros(len(rows)), rows[:, p.BOOKED_SIDE] + 1, price * one.tick_float, qty * one.lot_float,
        price, qty, rows[:, p.BOOKED_MAKER] == 1, np.array(money.fee_e8, np.int64)[traded] / E8,
        rows[:, p.BOOKED_POSITION] * one.lot_float, _mid(rows[:, p.BOOKED_MID]) * one.tick_float, np.array(names),
    )  # fmt: skip
    return {name: values.astype(dtype) for (name, dtype), values in zip(FILL_COLUMNS, columns, strict=True)}


def _equity(road: Road, money: Money) -> Mapping[str, NDArray[Any]]:
    rows, one = road.samples[: road.count(p.SAMPLES)], road.instrument
    tick = one.tick_float
    bid, ask, own_bid, own_ask = (
        np.where(rows[:, word] != 0, rows[:, word], np.nan) * tick
        for word in (p.SAMPLE_BID, p.SAMPLE_ASK, p.SAMPLE_OWN_BID, p.SAMPLE_OWN_ASK)
    )
    mids, position = _mid(rows[:, p.SAMPLE_MID]), rows[:, p.SAMPLE_POSITION]
    so_far = rows[:, p.BOOKED_SO_FAR].tolist()
    cash, fees, funding = (np.array([column[n] for n in so_far]) for column in (money.cash, money.fees, money.funding))
    worth = money.worth(position, mids)
    known = ~np.isnan(mids)
    notional = [
        one.value(mid, abs(held)) if seen else 0.0
        for mid, held, seen in zip(mids.tolist(), position.tolist(), known.tolist(), strict=True)
    ]
    columns = (
        rows[:, p.SAMPLE_AT], np.zeros(len(rows)), mids * tick, bid, ask, own_bid, own_ask, position * one.lot_float,
        cash, fees, funding, np.where(known, cash + worth, cash), np.array(notional),
    )  # fmt: skip
    return {name: values.astype(dtype) for (name, dtype), values in zip(EQUITY_COLUMNS, columns, strict=True)}


def _mid(twice: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mids in ticks; NaN before the first."""
    return np.where(twice != 0, twice / 2, np.nan)
