"""The strategies that both simulators are compared with: what they quote is a function of what a desk shows."""

from __future__ import annotations

from typing import Any

from bench.desks import BUY, SELL, Desk
from bench.reference import Grid
from core.message import Tick
from core.quoter import Desk as QuoterDesk
from strategies.market_maker import MarketMaker as Shipped

LOTS = 5


def follow(desk: Any, side: int, wanted: list[int], lots: int) -> None:
    """Cancel what is not wanted, post what is missing; a price is taken until its order is gone."""
    taken = set()
    for order in list(desk.orders.values()):
        if order.side == side:
            taken.add(order.price)
            if order.price not in wanted and order.live:
                desk.cancel(order)
    for price in wanted:
        if price not in taken:
            desk.new(side, price, lots)


class FixedGrid:
    """Five quotes a side, one tick apart, from the best prices outwards, within a position limit."""

    depth, gap = 5, 0

    def __init__(self, grid: Grid) -> None:
        self.limit = 40 * LOTS

    def decide(self, desk: Any) -> None:
        if not desk.bid or not desk.ask:
            return
        bids = [desk.bid - self.gap - k for k in range(self.depth)] if desk.position < self.limit else []
        asks = [desk.ask + self.gap + k for k in range(self.depth)] if desk.position > -self.limit else []
        follow(desk, BUY, bids, LOTS)
        follow(desk, SELL, asks, LOTS)


class Join(FixedGrid):
    """One quote a side at the best price."""

    depth = 1


class Inside(FixedGrid):
    """One quote a side, a tick better than the best price wherever the spread has room for it."""

    depth = 1

    def decide(self, desk: Any) -> None:
        self.gap = -1 if desk.ask - desk.bid > 1 else 0
        super().decide(desk)


class Hasty(FixedGrid):
    """Quotes at the best prices, and cancels every order as soon as it is heard of: fills and cancels pass each other."""

    def decide(self, desk: Any) -> None:
        if not desk.bid or not desk.ask:
            return
        for order in list(desk.orders.values()):
            if order.live:
                desk.cancel(order)
        for side, price in ((BUY, desk.bid), (SELL, desk.ask)):
            if abs(desk.position) < self.limit or (desk.position > 0) == (side == SELL):
                desk.new(side, price, LOTS)


class Sweep:
    """Takes through many levels at once, with every kind of order that can, and back again; quotes far out for others' sweeps."""

    reach, far = 20, 10

    def __init__(self, grid: Grid) -> None:
        self.turn = 0

    def decide(self, desk: Any) -> None:
        if not desk.bid or not desk.ask:
            return
        self.turn += 1
        for side, price in ((BUY, desk.bid - self.far), (SELL, desk.ask + self.far)):
            follow(desk, side, [price], LOTS)
        if self.turn % 7 == 0:
            kind = self.turn // 7
            side = BUY if desk.position <= 0 else SELL
            price = desk.ask + self.reach if side == BUY else desk.bid - self.reach
            desk.new(side, price, abs(desk.position) + LOTS * 10 ** (kind % 4), "134"[kind % 3], market=kind % 5 == 0)


class Restless:
    """Every kind of order in turn: joins, crosses, replaces in place and away, cancels in flight. Repeats itself exactly.

    It changes price or quantity, never both: the reference keeps the old quantity of an order that loses its place. With partial
    fills it changes none: the reference's record does not tell a smaller order from a fill.
    """

    def __init__(self, grid: Grid) -> None:
        self.turn = 0

    def decide(self, desk: Any) -> None:
        if not desk.bid or not desk.ask:
            return
        self.turn += 1
        turn = self.turn
        side = BUY if turn % 2 else SELL
        near, far = (desk.bid, desk.ask) if side == BUY else (desk.ask, desk.bid)
        inwards = 1 if side == BUY else -1
        for order in list(desk.orders.values()):
            if order.live and (order.order_no * 7 + turn) % 5 == 0:
                desk.cancel(order)
            elif order.live and (order.order_no + turn) % 7 == 0 and not desk.partial:
                move = order.order_no % 3 - 1
                desk.modify(order, order.price + move, order.lots if move else max(1, order.lots - 1))
        if turn % 23 == 0:
            desk.new(side, far, LOTS, tif="134"[turn // 23 % 3])
        elif turn % 31 == 0:
            desk.new(side, far, 1, tif="1", market=True)
        elif turn % 29 == 0:
            desk.new(side, near + inwards, LOTS, tif="5")
        elif len(desk.orders) < 12:
            desk.new(side, near - inwards * (turn % 4), LOTS, tif="15"[turn % 2])


class MarketMaker:
    """The compiled decision of the strategy that ships, set much closer than it is: captures of minutes see no fill else."""

    def __init__(self, grid: Grid) -> None:
        self.lots = max(1, round(0.003 / grid.lot))
        fit = (40, 120 * 10**9, 5 * 10**9, 30 * 10**9)
        self.desk = QuoterDesk(Shipped.program, fit, (0.3, 0.1, 0.02, 0.0, 3, self.lots, 40 * self.lots, 4))

    def decide(self, desk: Desk) -> None:
        bids, asks = ((((price, 1),) if price else ()) for price in (desk.bid, desk.ask))
        trades = (0, 0, 0, 0, 0, 0, 0, desk.buy_high, desk.sell_low)
        self.desk.look(desk.now, Tick(bids=bids, asks=asks), trades)
        wanted = self.desk.quote(desk.position)
        for side, quotes in zip((BUY, SELL), wanted, strict=True):
            follow(desk, side, [tick for tick, _ in quotes], self.lots)


STRATEGIES: dict[str, Any] = {
    "grid": FixedGrid,
    "join": Join,
    "inside": Inside,
    "hasty": Hasty,
    "sweep": Sweep,
    "restless": Restless,
    "market_maker": MarketMaker,
}
