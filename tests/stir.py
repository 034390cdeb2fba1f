"""What a strategy does that trades at random: places, moves and cancels orders near the touch, at most six at a time."""

from __future__ import annotations

from random import Random

from core.message import TimeInForce
from core.strategy import Strategy


def stir(strategy: Strategy, random: Random, cancels: float, lots: range) -> None:
    """One such act on the strategy's instrument; `cancels` is the chance of a cancel, `lots` what an order may be large."""
    tick = strategy.tick
    if not tick.two_sided:
        return
    orders = list(strategy.orders.values())
    choice = random.random()
    if orders and choice < cancels:
        strategy.cancel(random.choice(orders))
    elif orders and choice < 0.4:
        order = random.choice(orders)
        strategy.replace(order, order.price + random.choice((-1, 1)), order.order_qty + random.randrange(2))
    elif len(orders) < 6 and choice < 0.8:
        buy = random.random() < 0.5
        price = (tick.bid if buy else tick.ask) + random.randrange(-1, 2)
        tif = random.choice((TimeInForce.GTC, TimeInForce.GTC, TimeInForce.GTX, TimeInForce.IOC))
        (strategy.buy if buy else strategy.sell)(price, random.choice(lots), tif=tif)
