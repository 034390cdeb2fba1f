"""The two simulators behind one face, for a strategy in Python that must do the same in both.

A desk is stepped in time and then asked: best prices, what traded, own orders, fills heard of since the last step. Both obey
the reference's local rule of one request in flight an order.
"""

from __future__ import annotations

from ctypes import byref, c_byte, c_uint64
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from hftbacktest import binding
from hftbacktest.types import BUY_EVENT, event_dtype

from bench import reference as ref
from core.kernel import state as w
from core.kernel.replay import FOREVER, Columns, Latency, Queue, Replay
from core.kernel.terms import DayIndex

BUY, SELL = 1, 2


class Fill(NamedTuple):
    """A fill that the strategy has heard of. Ticks, lots; side 1 bought, 2 sold."""

    exch_ns: int
    order_no: int
    side: int
    price: int
    lots: int
    maker: bool


class Order:
    """An own order as its strategy sees it: `live` on the exchange's word, `pending` while a request is under way."""

    __slots__ = ("filled", "known_fill", "live", "lots", "order_no", "pending", "price", "side", "total")

    def __init__(self, order_no: int, side: int, price: int, lots: int) -> None:
        self.order_no, self.side, self.price, self.lots = order_no, side, price, lots
        self.live, self.pending, self.known_fill = False, True, 0
        self.total, self.filled = lots, 0


class Desk:
    """What both have. `orders` holds the open ones by number.

    With partial fills an order may fill several times in a step, and the reference tells the last of them and what is left: both
    desks then give one fill an order and step, with all its lots, and count the position from those.
    """

    def __init__(self, partial: bool) -> None:
        self.partial = partial
        self.now = self.bid = self.ask = self.position = self.buy_high = self.sell_low = 0
        self.fills: list[Fill] = []
        self.orders: dict[int, Order] = {}
        self.last_no = 0

    def _open(self, side: int, price: int, lots: int) -> Order:
        self.last_no += 1
        order = self.orders[self.last_no] = Order(self.last_no, side, price, lots)
        return order


def _number(fill: Fill) -> int:
    return fill.order_no


def _joined(fills: list[Fill]) -> Fill:
    """An order's fills of one step as one: the last, with all the lots."""
    return fills[-1]._replace(lots=sum(fill.lots for fill in fills))


class OurDesk(Desk):
    """Ours, through `Replay`: with the day's `index` the prepared replay, without it the linear one."""

    def __init__(
        self,
        exch: Columns,
        local: Columns,
        bids: Any,
        asks: Any,
        grid: ref.Grid,
        queue: Queue,
        latency: Latency,
        partial: bool,
        index: DayIndex | None = None,
    ) -> None:
        super().__init__(partial)
        self.replay = Replay(exch, local, bids, asks, grid.lot, queue, latency, partial, index=index)
        self.now = self.replay.now

    def step(self, ns: int) -> bool:
        """Let `ns` pass; False when nothing was left at all."""
        replay = self.replay
        until = self.now + ns
        self.fills = []
        while replay.advance(until) < until or replay.next_response() <= until:
            self._hear()
        self._hear()
        if replay.exhausted:
            return False
        self.now = until
        self.bid, _, self.ask, _ = replay.best()
        trades = replay.take_trades()
        self.buy_high, self.sell_low = trades.buy_high, trades.sell_low
        self.fills.sort(key=_number if self.partial else None)
        if self.partial:
            self.fills = [_joined(list(same)) for _, same in groupby(self.fills, key=_number)]
        return True

    def _hear(self) -> None:
        for response in self.replay.responses():
            order = self.orders.get(response.order_no)
            if order is None:  # a refusal that crossed with the order's end
                continue
            if response.kind == w.FILLED:
                lots = response.qty_lots if response.side == BUY else -response.qty_lots
                self.position += lots
                self.fills.append(
                    Fill(response.exch_ns, order.order_no, order.side, response.price_ticks, response.qty_lots, response.maker)
                )
                if response.leaves_lots == 0:
                    del self.orders[order.order_no]
                else:
                    order.live, order.pending = True, order.pending and response.maker
            elif response.kind in (w.CANCELED, w.EXPIRED, w.REJECTED):
                if self.partial:  # the reference's record then has the time of the order's end only
                    self.fills = [f._replace(exch_ns=response.exch_ns) if f.order_no == order.order_no else f for f in self.fills]
                del self.orders[order.order_no]
            elif response.kind in (w.ACCEPTED, w.REPLACED):
                order.live, order.pending = True, False
                order.price, order.lots = response.price_ticks, response.leaves_lots
            else:
                order.pending = False

    def new(self, side: int, price: int, lots: int, tif: str = "5", market: bool = False) -> None:
        """A new order; post-only unless said otherwise."""
        self.replay.new(self.now, self._open(side, price, lots).order_no, side, price, lots, "1" if market else "2", tif)

    def cancel(self, order: Order) -> None:
        """Cancel, unless a request is under way."""
        if not order.pending:
            order.pending = True
            self.replay.cancel(self.now, order.order_no)

    def modify(self, order: Order, price: int, lots: int) -> None:
        """Change, unless a request is under way."""
        if not order.pending:
            order.pending = True
            self.replay.modify(self.now, order.order_no, price, lots)


class TheirDesk(Desk):
    """The reference's."""

    def __init__(
        self, exch: Columns, local: Columns, bids: Any, asks: Any, grid: ref.Grid, queue: Queue, latency: Latency, partial: bool
    ) -> None:
        super().__init__(partial)
        made, kept = ref.asset(
            ref.events(exch, local, grid), ref.snapshot(bids, asks, grid), grid, queue, latency, partial, trades=len(exch.ns)
        )
        self.grid = grid
        self.failed = False
        self.reference = ref.Reference(made, kept, grid)
        self.now = self.reference.now

    def step(self, ns: int) -> bool:
        """Let `ns` pass; False at the end, or where the reference errs or stops by itself (`failed`)."""
        code = self.reference.elapse(ns)
        self.failed = code not in (0, 1)
        if code:
            return False
        self.now = self.reference.now
        bid, ask = self.reference.best()
        self.bid, self.ask = (bid if bid > -FOREVER else 0), (ask if ask < FOREVER else 0)
        self.buy_high, self.sell_low = self._trades()
        if not self.partial:
            self.position = round(float(self.reference.state()["position"]) / self.grid.lot)
        self.fills = []
        for order in list(self.orders.values()):
            self._look(order)
        self.fills.sort(key=_number if self.partial else None)
        return not self.failed

    def _look(self, order: Order) -> None:
        seen = self.reference.order(order.order_no)
        order.pending = int(seen["req"]) != 0
        status = int(seen["status"])
        filled = order.total - round(float(seen["leaves_qty"]) / self.grid.lot)
        if self.partial and status == ref.CANCELED and filled == order.total:
            self.failed = True  # it canceled what it had filled to the lot (FIDELITY section 7)
        if self.partial and filled > order.filled:
            fill = Fill(
                int(seen["exch_timestamp"]), order.order_no, order.side, int(seen["exec_price_tick"]), filled - order.filled,
                bool(seen["maker"]),
            )  # fmt: skip
            self.position += fill.lots if order.side == BUY else -fill.lots
            order.filled = filled
            self.fills.append(fill)
        elif not self.partial and status == ref.FILLED and int(seen["exch_timestamp"]) != order.known_fill:
            order.known_fill = int(seen["exch_timestamp"])
            lots = round(float(seen["exec_qty"]) / self.grid.lot)
            self.fills.append(
                Fill(order.known_fill, order.order_no, order.side, int(seen["exec_price_tick"]), lots, bool(seen["maker"]))
            )
        order.live = status in (ref.NEW, ref.PARTIALLY_FILLED)
        order.price = int(seen["price_tick"])
        order.lots = round(float(seen["leaves_qty"]) / self.grid.lot) if order.live else order.lots
        if status not in (0, ref.NEW, ref.PARTIALLY_FILLED):
            del self.orders[order.order_no]

    def _trades(self) -> tuple[int, int]:
        count = c_uint64()
        at = binding.hashmapbt_last_trades(self.reference.pointer, 0, byref(count))
        if not count.value:
            return 0, 0
        rows = np.frombuffer((c_byte * (count.value * event_dtype.itemsize)).from_address(at), event_dtype)
        ticks = np.floor(rows["px"] / self.grid.tick + 0.5).astype(np.int64)
        bought = (rows["ev"] & BUY_EVENT) != 0
        found = int(ticks[bought].max(initial=0)), int(ticks[~bought].min(initial=FOREVER))
        binding.hashmapbt_clear_last_trades(self.reference.pointer, 0)
        return found[0], found[1] if found[1] < FOREVER else 0

    def new(self, side: int, price: int, lots: int, tif: str = "5", market: bool = False) -> None:
        """A new order; post-only unless said otherwise."""
        self.reference.new(self._open(side, price, lots).order_no, side, price, lots, market, tif)

    def cancel(self, order: Order) -> None:
        """Cancel, unless a request is under way."""
        if not order.pending:
            order.pending = True
            self.reference.cancel(order.order_no)

    def modify(self, order: Order, price: int, lots: int) -> None:
        """Change, unless a request is under way."""
        if not order.pending:
            order.pending = True
            self.reference.modify(order.order_no, price, lots)

    def close(self) -> None:
        """Free the reference."""
        self.reference.close()
