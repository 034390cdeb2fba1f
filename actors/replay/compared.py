"""Live and its shadow side by side: figures, curves, and in words what may explain that they differ.

Both are valued by the same code (`core/ledger.py`) at the same mark prices, those that the session itself heard.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from actors.graph import describe
from actors.live.folder import Sitting
from actors.replay.lived import Lived, Marks
from actors.replay.shadow import Shadow
from core.account import Account
from core.instrument import Instrument
from core.message import ExecType, ExecutionReport, Funding
from core.price import BUY, E8

POINTS = 600
"""Of a curve: half a page's width in pixels."""


class Figures(Struct):
    """What one strategy did on one instrument; quantities in base currency, prices and money in quote currency."""

    requests: int = 0
    fills: int = 0
    bought: float = 0.0
    buy_price: float | None = None
    sold: float = 0.0
    sell_price: float | None = None
    position: float = 0.0
    fees: float = 0.0
    pnl: float = 0.0


class Curves(Struct):
    """Position and profit at the session's times (ns UTC)."""

    times: NDArray[np.int64]
    position: NDArray[np.float64]
    pnl: NDArray[np.float64]


class Pair(Struct):
    """One strategy on one instrument, in both worlds."""

    strategy: str
    symbol: str
    live: Figures
    shadow: Figures
    curves: tuple[Curves, Curves]


def compared(sitting: Sitting, instruments: Sequence[Instrument], lived: Lived, shadow: Shadow) -> list[Pair]:
    """Every strategy on each of its instruments."""
    by_symbol = {one.symbol: one for one in instruments}
    pairs = []
    for runner in sitting.runners():
        for symbol in runner.symbols:
            marks = lived.marks.get(symbol) or marks_of(by_symbol[symbol], lived, shadow.lived)
            sides = [_side(by_symbol[symbol], runner.name, lived, one, marks, shadow) for one in (lived, shadow.lived)]
            pairs.append(Pair(runner.name, symbol, sides[0][0], sides[1][0], (sides[0][1], sides[1][1])))
    return pairs


def marks_of(instrument: Instrument, *both: Lived) -> Marks:
    """Where no mark price was heard: the prices of the executions."""
    reports = [one for lived in both for story in lived.stories.values() for one in story.reports]
    mine = sorted((at, one.last_px * instrument.tick_float) for at, one in reports if one.symbol == instrument.symbol)
    return Marks([at for at, _ in mine], [price for _, price in mine])


def _side(instrument: Instrument, name: str, lived: Lived, side: Lived, marks: Marks, shadow: Shadow) -> tuple[Figures, Curves]:
    account = Account(instrument)
    opening = lived.steering[name].opening.get(instrument.symbol)
    if opening is not None:
        account.open(opening)
    story = side.stories[name]
    reports = [(at, one) for at, one in story.reports if one.symbol == instrument.symbol]
    events: list[tuple[int, ExecutionReport | Funding]] = [*reports]
    events += [(at, one) for at, one in side.fundings if one.symbol == instrument.symbol]
    events.sort(key=lambda event: event[0])
    curves = _curves(account, instrument, events, marks, shadow)
    return _figures(account, [one for _, one in reports], story.requests, float(curves.pnl[-1])), curves


def _curves(
    account: Account,
    instrument: Instrument,
    events: Sequence[tuple[int, ExecutionReport | Funding]],
    marks: Marks,
    shadow: Shadow,
) -> Curves:
    times = np.linspace(shadow.start, max(shadow.end, shadow.start + 1), POINTS).astype(np.int64)
    position, pnl = np.zeros(POINTS), np.zeros(POINTS)
    opening = _equity(account, instrument, marks, shadow.start)
    place = 0
    for number, at in enumerate(times.tolist()):
        while place < len(events) and (events[place][0] <= at or number == POINTS - 1):
            event = events[place][1]
            account.fund(event) if isinstance(event, Funding) else account.apply(event)
            place += 1
        position[number] = account.position * instrument.lot_float
        pnl[number] = _equity(account, instrument, marks, at) - opening
    return Curves(times, position, pnl)


def _equity(account: Account, instrument: Instrument, marks: Marks, at: int) -> float:
    if not marks.times:
        return account.cash
    price = marks.prices[max(0, bisect_right(marks.times, at) - 1)]
    return account.equity(price / instrument.tick_float)


def _figures(account: Account, reports: Sequence[ExecutionReport], requests: int, pnl: float) -> Figures:
    instrument = account.instrument
    trades = [one for one in reports if one.exec_type == ExecType.TRADE]
    found = Figures(requests=requests, fills=len(trades), pnl=pnl)
    for buy in (True, False):
        mine = [one for one in trades if (one.side == BUY) is buy]
        lots = sum(one.last_qty for one in mine)
        price = sum(one.last_qty * one.last_px for one in mine) / lots * instrument.tick_float if lots else None
        if buy:
            found.bought, found.buy_price = lots * instrument.lot_float, price
        else:
            found.sold, found.sell_price = lots * instrument.lot_float, price
    found.position = account.position * instrument.lot_float
    found.fees = sum(one.commission_e8 for one in trades) / E8
    return found


def assumptions(sitting: Sitting, lived: Lived, shadow: Shadow) -> Iterator[tuple[str, str]]:
    """What the shadow takes for granted, each of which may explain a difference: what it is about, and the assumption."""
    graph = sitting.plans[0].graph
    words = describe(graph)
    yield (
        "market impact",
        "our own orders move nothing: the recorded market is as it was with live's orders in it, not the shadow's",
    )
    yield "queue", f"how much stood before an order of ours is guessed from the book: model {words['queue model']}"
    yield "partial fills", words["partial fills"]
    yield "order latency", words["order latency"] + "; live's varied"
    yield "between processes", words["link latency"]
    yield "time of working", words["busy time"]
    if len(sitting.plans) > 1:
        yield "alone", "each graph has an account and all that was traded to itself in the shadow; live they share both"
    if not sitting.live:
        yield "paper", "live's own fills were matched on paper, by another model of the queue and without these latencies"
    lives = {name: one.lives for name, one in lived.steering.items() if one.lives > 1}
    if lives:
        told = ", ".join(f"{name} {count} times" for name, count in lives.items())
        yield "restarts", f"live began anew ({told}) and forgot what it knew; the shadow pauses as long, and remembers"
    if lived.strangers:
        yield "others", f"{lived.strangers} executions of the account were no strategy's; the shadow has none of them"
    if shadow.notes:
        yield "the record", "; ".join(shadow.notes)
