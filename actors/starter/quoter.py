"""A first strategy: one order a side at the best prices, as long as the position stays within bounds."""

from core.message import Timer
from core.price import BUY, SELL
from core.strategy import GTX, MS, Strategy


class Quoter(Strategy):
    """Looks at the market every `every_ms` and follows the best bid and ask with one post-only order each."""

    order_qty: float = 0.003  # base currency
    max_position: float = 0.03  # base currency, either way
    every_ms: int = 500

    def on_start(self) -> None:
        self.every(self.every_ms * MS, "quote")

    def on_timer(self, timer: Timer) -> None:
        if not self.tick.two_sided:
            return
        qty, most, held = self.lots(self.order_qty), self.lots(self.max_position), self.position()
        for side, price, room in ((BUY, self.tick.bid, most - held), (SELL, self.tick.ask, most + held)):
            mine = [order for order in self.orders.values() if order.side == side]
            for order in mine:
                if order.price != price or room < qty:
                    self.cancel(order)
            if not mine and room >= qty:
                self.order(side, price, qty, tif=GTX)
