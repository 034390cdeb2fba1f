"""A run's figures from its columns: of the run, by instrument, by day, and of each instrument's day.

What the figures mean is in `core/study`; here is only what is counted together. Under `carry` an instrument's fills and equity
are one sequence over all its days, so a round trip may begin on one day and end on another, and a day's own profit is what it
added.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.study import metrics
from core.study.equity import Curve, Table, chained, together
from core.study.trades import captured, round_trips

if TYPE_CHECKING:
    from actors.results import Result

FILLS: Final = ("time_ns", "symbol", "side", "price", "qty", "qty_lots", "maker", "fee", "position", "mid")
FEW_S: Final = 86_400
"""Simulated time under which a page says that annualised figures say little."""


class Cell(NamedTuple):
    """One instrument's day: its columns, and what equity, fees and funding stood at before it (0 unless carried).

    `trips` has the profit of each fill's closing piece, NaN where it closed nothing; `edge` the spread each fill captured.
    """

    day: str
    symbol: str
    fills: Table
    equity: Table
    trips: NDArray[Any]
    edge: NDArray[Any]
    before: dict[str, float]

    def made(self, column: str) -> float:
        """What the day added to `equity`, `fees` or `funding`."""
        values = self.equity[column]
        return float(values[-1]) - self.before[column] if len(values) else 0.0

    @property
    def turnover(self) -> float:
        """Value of the day's fills."""
        return float((self.fills["price"] * self.fills["qty"]).sum())

    def row(self) -> dict[str, Any]:
        """What the table by day and instrument shows."""
        pnl, fees, funding, edge = self.made("equity"), self.made("fees"), self.made("funding"), float(self.edge.sum())
        gross = pnl + fees - funding
        return {
            "day": self.day, "instrument": self.symbol, "pnl": pnl, "gross_pnl": gross, "spread_captured": edge,
            "inventory_pnl": gross - edge, "fees": fees, "funding": funding, "trades": len(self.edge), "turnover": self.turnover,
            "max_position": float(np.abs(self.equity["position"]).max(initial=0.0)),
        }  # fmt: skip


def cells(result: Result) -> list[Cell]:
    """Every instrument's day that is done, by instrument and then by day."""
    tables: dict[str, list[tuple[str, Table, Table]]] = {}
    for summary in result.done:
        fills, equity = result.columns(summary, "fills", FILLS), result.columns(summary, "equity")
        for number, symbol in enumerate(summary["instruments"]):
            mine = [{name: column[table["symbol"] == number] for name, column in table.items()} for table in (fills, equity)]
            tables.setdefault(symbol, []).append((summary["day"], mine[0], mine[1]))
    return [cell for symbol in sorted(tables) for cell in _cells(symbol, tables[symbol], result.carries)]


def _cells(symbol: str, days: Sequence[tuple[str, Table, Table]], carried: bool) -> Iterable[Cell]:
    fills = [table for _, table, _ in days]
    spans = [fills] if carried else [[table] for table in fills]
    trips = np.concatenate([_trips(span) for span in spans])
    ends = np.cumsum([len(table["side"]) for table in fills])
    before = dict.fromkeys(("equity", "fees", "funding"), 0.0)
    for (day, mine, equity), part in zip(days, np.split(trips, ends[:-1]), strict=True):
        yield Cell(day, symbol, mine, equity, part, captured(mine["side"], mine["price"], mine["qty"], mine["mid"]), before)
        if carried and len(equity["time_ns"]):
            before = {name: float(equity[name][-1]) for name in before}


def _trips(span: Sequence[Table]) -> NDArray[Any]:
    names = ("side", "price", "qty_lots", "fee", "qty")
    side, price, lots, fee, qty = (np.concatenate([table[name] for table in span]) for name in names)
    return round_trips(side, price, lots, fee, float(qty[0] / lots[0]) if len(lots) else 0.0)


def curve(of: Sequence[Cell], carried: bool) -> Curve:
    """Equity of these cells together."""
    symbols = sorted({one.symbol for one in of})
    return together([chained([one.equity for one in of if one.symbol == symbol], carried) for symbol in symbols])


def tally(result: Result) -> dict[str, Any]:
    """All that metrics.json says."""
    found = cells(result)
    days = sorted({one.day for one in found})
    book = figures(found, result)
    return {
        **book,
        **_running(result),
        "notes": notes(book, result),
        "assumptions": result.run.get("assumptions", {}),
        "by_instrument": {name: figures([one for one in found if one.symbol == name], result) for name in result.symbols},
        "by_day": {day: figures([one for one in found if one.day == day], result) for day in days},
        "by_day_and_instrument": [one.row() for one in sorted(found, key=lambda one: (one.day, one.symbol))],
    }


def figures(of: Sequence[Cell], result: Result) -> dict[str, Any]:
    """The figures of some cells together. A carried day's curve starts where the day before ended."""
    whole = curve(of, result.carries)
    days = {one.day for one in of}
    if len(days) == 1:
        whole = whole._replace(equity=whole.equity - sum(one.before["equity"] for one in of))
    trips = np.concatenate([np.zeros(0), *(one.trips for one in of)])
    trades, turnover = sum(len(one.edge) for one in of), sum(one.turnover for one in of)
    found = metrics.summary(whole, trips[~np.isnan(trips)], result.capital, len(days), trades, turnover)
    for name in ("max_drawdown_begin", "max_drawdown_end"):
        found[name] = stamp(found.pop(f"{name}_ns"))
    rows = [one.row() for one in of]
    return found | {
        name: sum(row[name] for row in rows) for name in ("gross_pnl", "spread_captured", "inventory_pnl", "fees", "funding")
    }


def _running(result: Result) -> dict[str, Any]:
    """How the simulation ran: events, ticks, orders, time, memory."""
    done = result.done
    seconds, events = sum(one["seconds"] for one in done), sum(one["events"] for one in done)
    orders: dict[str, int] = {}
    for one in done:
        for name, count in one.get("orders", {}).items():
            orders[name] = orders.get(name, 0) + count
    return {
        "days_failed": len(result.failed),
        "events": events,
        "seconds": seconds,
        "events_a_second": events / seconds if seconds else None,
        **{f"ticks_{name}": sum(one["ticks"][name] for one in done) for name in ("received", "delivered", "replaced")},
        "greatest_age_ms": max((one["ticks"]["age_ns_max"] for one in done), default=0) / 1e6,
        "orders": orders,
        "peak_rss_mb": max((one["peak_rss_mb"] for one in done), default=0.0),
    }


def notes(book: dict[str, Any], result: Result) -> list[str]:
    """What must be known to read the figures, as sentences."""
    policy = "positions carry over midnight" if result.carries else "days add up on the same capital"
    found = [
        f"On a capital of {book['capital']:,.2f}, nothing reinvested: {policy}. Sampled every {book['sample_s']:g} s of "
        f"simulated time ({book['samples']:,} samples, {lasting(book['span_s'])}), annualised over "
        f"{book['annualised_over_days']} days, riskless rate 0.",
        "A round trip is a closing fill at average cost, after its share of the fees.",
    ]
    if book["span_s"] < FEW_S:
        found.append(f"With {lasting(book['span_s'])} of market, annualised figures and those a day say little.")
    if result.failed:
        found.append(f"Failed, and in no figure: {len(result.failed)} of {len(result.summaries)} days.")
    return found


def lasting(seconds: float) -> str:
    """A length of time in words: 45 s, 12.5 min, 3.2 h, 30.0 days."""
    for unit, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= unit * (2 if name == "days" else 1):
            return f"{seconds / unit:,.1f} {name}"
    return f"{seconds:,.0f} s"


def stamp(ns: int | None) -> str | None:
    """A time for people and machines: 2024-07-18T00:00:10Z."""
    return None if ns is None else datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
