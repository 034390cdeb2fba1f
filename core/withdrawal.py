"""Orders that the gateway itself cancels, because their strategy is gone or because it was told to.

An order waits its turn: it is canceled once the venue has it and no other request for it is unanswered, and again, a second
later, as long as it works. The ids of these cancels are made of the order's and of a count that never goes back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from core.message import OrderCancelRequest
from core.order import Order

ID_CHARACTERS_MAX: Final = 36
"""Of Binance's newClientOrderId."""


class Withdrawals:
    """The orders to be canceled, by their first ids."""

    def __init__(self) -> None:
        self._orders: dict[str, tuple[int, Order]] = {}
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._orders)

    def __contains__(self, order: Order) -> bool:
        return order.request.cl_ord_id in self._orders

    def add(self, order: Order, when: int) -> None:
        """This order is to end; it is canceled from this time on."""
        self._orders[order.request.cl_ord_id] = when, order

    def ready(self, now: int) -> list[Order]:
        """Those that can be canceled now; what has ended is forgotten."""
        self._orders = {key: one for key, one in self._orders.items() if not one[1].done}
        waiting = [one for when, one in self._orders.values() if when <= now]
        return [one for one in waiting if one.acknowledged and one.working and not one.pending]

    def request(self, now: int, order: Order, strategy: str, used: Callable[[str], bool]) -> OrderCancelRequest:
        """The cancel of an order, under an id that was never used."""
        cl_ord_id = ""
        while not cl_ord_id or used(cl_ord_id):
            self._count += 1
            end = f"-x{self._count}"
            cl_ord_id = order.cl_ord_id[: ID_CHARACTERS_MAX - len(end)] + end
        return OrderCancelRequest(order.symbol, now, now, now, cl_ord_id, order.cl_ord_id, order.side, order.order_qty, strategy)
