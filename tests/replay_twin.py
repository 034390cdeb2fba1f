"""A plain day: one event after another in time order, dictionaries for books. It says what `core/kernel` means.

Prices are ranks as in the kernel (an ask's is minus its tick). Nothing here is fast, and nothing is clever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from core.kernel import state as w
from core.kernel.layout import ASK, BID, BUY, CLEAR, CLEAR_BID, SELL
from core.kernel.replay import FOREVER, Latency, Queue, Response


class Book:
    """Levels by rank, the best of each side, and the worst rank seen since a side was last found empty."""

    def __init__(self) -> None:
        self.levels: list[dict[int, int]] = [{}, {}]
        self.best: list[int | None] = [None, None]
        self.worst: list[int | None] = [None, None]

    def next(self, side: int, rank: int) -> int | None:
        worst = self.worst[side]
        return None if worst is None else max((r for r in self.levels[side] if worst <= r <= rank), default=None)

    def search(self, side: int, rank: int) -> None:
        self.best[side] = self.next(side, rank)
        if self.best[side] is None:
            self.worst[side] = None

    def set(self, side: int, rank: int, lots: int) -> None:
        if lots == 0:
            self.levels[side].pop(rank, None)
            if rank == self.best[side]:
                self.search(side, rank - 1)
            return
        self.levels[side][rank] = lots
        worst, best, other = self.worst[side], self.best[side], self.best[1 - side]
        self.worst[side] = rank if worst is None else min(rank, worst)
        if best is None or rank > best:
            self.best[side] = rank
            if other is not None and rank + other >= 0:
                self.best[1 - side] = self.next(1 - side, -rank - 1)

    def clear(self, kind: int, tick: int) -> None:
        if kind == CLEAR:
            self.__init__()  # type: ignore[misc]
            return
        side, rank = (0, tick) if kind == CLEAR_BID else (1, -tick)
        best = self.best[side]
        if best is not None:
            for r in range(rank, best + 1):
                self.levels[side].pop(r, None)
        self.search(side, rank - 2)

    def row(self, kind: int, tick: int, lots: int) -> None:
        if kind in (BID, ASK):
            self.set(kind - BID, tick if kind == BID else -tick, lots)
        elif kind >= CLEAR:
            self.clear(kind, tick)

    def top(self, side: int, count: int) -> list[tuple[int, int]]:
        found, rank = [], self.best[side]
        while rank is not None and len(found) < count:
            found.append((-rank if side else rank, self.levels[side].get(rank, 0)))
            rank = self.next(side, rank - 1)
        return found


def share_behind(queue: Queue, f: float, b: float) -> float:
    n = queue.power
    with_nan = {
        "power": lambda: _ratio(b**n, b**n + f**n),
        "power2": lambda: _ratio(b**n, (b + f) ** n),
        "power3": lambda: 1.0 - _ratio(f, f + b) ** n,
        "log": lambda: _ratio(_ln(1.0 + b), _ln(1.0 + b) + _ln(1.0 + f)),
        "log2": lambda: _ratio(_ln(1.0 + b), _ln(1.0 + b + f)),
    }[queue.kind]()
    if isinstance(with_nan, complex):
        return math.nan
    return 1.0 if math.isinf(with_nan) else with_nan


def _ratio(a: Any, b: Any) -> Any:
    if isinstance(a, complex) or isinstance(b, complex):
        return math.nan
    if b == 0:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)
    return a / b


def _ln(x: float) -> float:
    return math.nan if x < 0 else -math.inf if x == 0 else math.log(x)


def _smaller(a: float, b: float) -> float:
    return b if math.isnan(a) else a if math.isnan(b) else min(a, b)


@dataclass
class Order:
    number: int
    side: int
    price: int
    qty: int
    tif: int
    leaves: int = 0
    rests: bool = False
    front: float = 0.0
    traded: float = 0.0

    @property
    def rank(self) -> int:
        return -self.price if self.side else self.price


@dataclass
class TwinDay:
    """The same face as `Replay`, as far as the tests need it. Streams are lists of (ns, kind, tick, lots)."""

    exch: list[tuple[int, int, int, int]]
    local: list[tuple[int, int, int, int]]
    lots_per_unit: int
    queue: Queue
    latency: Latency
    partial: bool
    now: int = 0
    exch_book: Book = field(default_factory=Book)
    local_book: Book = field(default_factory=Book)
    orders: dict[int, Order] = field(default_factory=dict)
    requests: list[tuple[int, Any]] = field(default_factory=list)
    in_flight: list[Response] = field(default_factory=list)
    heard: list[Response] = field(default_factory=list)
    last_request: int = -FOREVER
    last_response: int = -FOREVER

    def advance(self, until: int) -> None:
        """Everything with time <= until, one event at a time: local rows, responses, exchange rows, requests."""
        while True:
            times = [
                self.local[0][0] if self.local else FOREVER,
                self.in_flight[0].arrival_ns if self.in_flight else FOREVER,
                self.exch[0][0] if self.exch else FOREVER,
                self.requests[0][0] if self.requests else FOREVER,
            ]
            t = min(times)
            if t > until:
                break
            (self._local, self._hear, self._exch, self._request)[times.index(t)]()
        self.now = until

    def _local(self) -> None:
        self.local_book.row(*self.local.pop(0)[1:])

    def _hear(self) -> None:
        self.heard.append(self.in_flight.pop(0))

    # --- the exchange

    def _exch(self) -> None:
        t, kind, tick, lots = self.exch.pop(0)
        if kind in (BUY, SELL):
            side, rank = (1, -tick) if kind == BUY else (0, tick)
            self._sweep(t, side, rank + 1)
            for order in self._resting(side):
                if order.rank == rank:
                    self._trade(t, order, lots)
            return
        before = list(self.exch_book.best)
        if kind in (BID, ASK):
            side, rank = kind - BID, tick if kind == BID else -tick
            previous = self.exch_book.levels[side].get(rank, 0)
            for order in self._resting(side):
                if order.rank == rank:
                    self._changed(order, previous, lots)
        self.exch_book.row(kind, tick, lots)
        if kind in (BID, ASK):
            side = kind - BID
            old, new = before[side], self.exch_book.best[side]
            if new is not None and (old is None or new > old):
                self._sweep(t, 1 - side, -new)

    def _resting(self, side: int) -> list[Order]:
        """Best price first; dictionaries keep the order of arrival."""
        return sorted((o for o in self.orders.values() if o.rests and o.side == side), key=lambda o: -o.rank)

    def _sweep(self, t: int, side: int, rank: int) -> None:
        for order in self._resting(side):
            if order.rank >= rank:
                self._fill(t, order, order.price, order.leaves, True)

    def _units(self, lots: int) -> float:
        return lots / self.lots_per_unit

    def _trade(self, t: int, order: Order, lots: int) -> None:
        if self.queue.kind == "back":
            return
        order.front -= self._units(lots)
        order.traded += self._units(lots)
        ratio = -order.front / (1 / self.lots_per_unit)
        reached = math.floor(ratio + 0.5) if ratio >= 0 else 0
        if reached > 0:
            order.front = 0.0
            self._fill(t, order, order.price, min(reached, order.leaves) if self.partial else order.leaves, True)

    def _changed(self, order: Order, previous_lots: int, lots: int) -> None:
        f, new, previous = order.front, self._units(lots), self._units(previous_lots)
        if self.queue.kind in ("front", "back"):
            return
        if self.queue.kind == "risk":
            order.front = min(f, new)
            return
        c = previous - new - order.traded
        order.traded = 0.0
        if c < 0:
            order.front = _smaller(f, new)
            return
        b = previous - f
        p = share_behind(self.queue, f, b)
        order.front = _smaller(f - (1.0 - p) * c + _smaller(b - p * c, 0.0), new)

    def _fill(self, t: int, order: Order, price: int, lots: int, maker: bool) -> None:
        order.leaves -= lots
        if order.leaves == 0:
            order.rests = False
        self._respond(t, order, w.FILLED, price, lots, maker)

    def _respond(self, t: int, order: Order, kind: int, price: int, lots: int, maker: bool = False) -> None:
        cum = order.qty - order.leaves
        self._queue_response(t + self.latency.response_ns, t, order, kind, price, lots, order.leaves, cum, maker)

    def _queue_response(self, arrival: int, t: int, order: Order, *rest: Any) -> None:
        self.last_response = max(arrival, self.last_response)
        kind, price, lots, leaves, cum, maker = rest
        self.in_flight.append(
            Response(self.last_response, t, order.number, kind, order.side + 1, price, lots, leaves, cum, maker)
        )

    # --- requests

    def _send(self, request: Any) -> None:
        self.last_request = max(self.now + self.latency.entry_ns, self.last_request)
        self.requests.append((self.last_request, request))

    def new(self, number: int, side: int, price: int, lots: int, tif: int) -> None:
        self.orders[number] = Order(number, side - 1, price, lots, tif, lots)
        self._send(("new", number, price, lots))

    def cancel(self, number: int) -> None:
        self._send(("cancel", number, 0, 0))

    def modify(self, number: int, price: int, lots: int) -> None:
        self._send(("modify", number, price, lots))

    def _request(self) -> None:
        t, (kind, number, price, lots) = self.requests.pop(0)
        order = self.orders[number]
        if kind == "new":
            self._arrive(t, order, w.ACCEPTED)
        elif not order.rests:
            refusal = w.CANCEL_REJECTED if kind == "cancel" else w.MODIFY_REJECTED
            self._respond(t, order, refusal, 0, 0)
        elif kind == "cancel":
            order.rests = False
            self._respond(t, order, w.CANCELED, order.price, order.leaves)
        else:
            done = order.qty - order.leaves
            in_place = price == order.price and lots <= order.leaves
            order.price, order.leaves, order.qty = price, lots, done + lots
            if in_place:
                self._respond(t, order, w.REPLACED, price, lots)
            else:
                order.rests = False
                self._arrive(t, order, w.REPLACED)

    def _arrive(self, t: int, order: Order, accepted: int) -> None:
        best = self.exch_book.best[1 - order.side]
        crosses = best is not None and (order.tif == w.MARKET or order.rank + best >= 0)
        if crosses and order.tif != w.GTX:
            if accepted == w.REPLACED:
                self._respond(t, order, w.REPLACED, order.price, order.leaves)
            self._take(t, order, best)
        elif crosses or order.tif not in (w.GTC, w.GTX):
            self._respond(t, order, w.EXPIRED, order.price, order.leaves)
        else:
            level = self.exch_book.levels[order.side].get(order.rank, 0)
            order.front = 0.0 if self.queue.kind == "front" else self._units(level)
            order.traded = 0.0
            order.rests = True
            self.orders[order.number] = self.orders.pop(order.number)
            self._respond(t, order, accepted, order.price, order.leaves)

    def _take(self, t: int, order: Order, best: int | None) -> None:
        assert best is not None
        other = 1 - order.side
        sign = -1 if other else 1
        if not self.partial:
            self._fill(t, order, sign * best, order.leaves, False)
            return
        levels = self.exch_book.levels[other]
        limit = best - 99 - order.side if order.tif == w.MARKET else -order.rank
        ranks = sorted((rank for rank in levels if limit <= rank <= best), reverse=True)
        if order.tif == w.FOK and sum(levels[rank] for rank in ranks) < order.leaves:
            self._respond(t, order, w.EXPIRED, order.price, order.leaves)
            return
        for rank in ranks:
            if order.leaves and not (order.tif == w.GTC and rank == limit and order.side == 0):
                self._fill(t, order, sign * rank, min(levels[rank], order.leaves), False)
        if order.leaves and order.tif == w.GTC:
            self._fill(t, order, order.price, order.leaves, False)
        elif order.leaves:
            self._respond(t, order, w.EXPIRED, order.price, order.leaves)
