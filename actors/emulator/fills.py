"""What the replay says about orders, put into accounts, events and the venue's log.

A reduce-only order never turns a position: of a fill that would, the rest is void (own fills never change the book), and the
order expires. What is executed stands in `log` whatever becomes of the reports about it: that is the venue's truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from actors.emulator.account import Account, rounded
from actors.emulator.agenda import Agenda
from actors.emulator.answer import Refused
from actors.emulator.market import Market
from actors.emulator.order import Execution, VenueOrder
from actors.emulator.settings import Settings
from actors.emulator.userdata import account_update, order_update, trade_lite
from core.kernel import state as said
from core.kernel.replay import Response


class Fills:
    """All accounts' orders. `tell(account, event, body)` sends a private event; `stamp` turns ns into the venue's ms."""

    def __init__(
        self,
        settings: Settings,
        agenda: Agenda,
        stamp: Callable[[int], int],
        tell: Callable[[str, str, dict[str, Any]], None],
    ) -> None:
        self.settings, self.agenda, self.stamp, self.tell = settings, agenda, stamp, tell
        self.accounts: dict[str, Account] = {}
        self.markets: Mapping[str, Market] = {}
        self.log: list[Execution] = []
        self.ended: Callable[[int, VenueOrder], None] = lambda now, order: None
        """Hears of each order that works no more."""
        self._numbers: dict[tuple[str, int], VenueOrder] = {}
        self._count = 0
        self._collected: list[Response] | None = None
        self._entering = 0

    def number(self) -> int:
        """A number that was never used."""
        self._count += 1
        return self._count

    def market(self, symbol: str) -> Market:
        """The market of a symbol. Raises Refused -1121."""
        if symbol not in self.markets:
            raise Refused(-1121)
        return self.markets[symbol]

    def end(self, now: int, order: VenueOrder, status: str) -> None:
        """Take a working order out of the market."""
        if not order.working:
            return
        symbol = order.instrument.symbol
        del self._numbers[symbol, order.number]
        self.markets[symbol].cancel(now, order.number)
        self._over(now, order, status)

    def told(self, market: Market, response: Response) -> None:
        """The replay's word about an order; about one that was taken out it has nothing to say any more."""
        if self._collected is not None and response.order_no == self._entering:
            self._collected.append(response)
            return
        order = self._numbers.get((market.symbol, response.order_no))
        if order is None:
            return
        if response.kind == said.FILLED:
            self._filled(market, order, response)
        elif response.kind == said.EXPIRED:
            del self._numbers[market.symbol, order.number]
            self._over(response.exch_ns, order, "EXPIRED")

    def _filled(self, market: Market, order: VenueOrder, response: Response) -> None:
        account, now = self.accounts[order.account], response.exch_ns
        position = account.position(market.symbol, order.position_side)
        lots = response.qty_lots
        if order.reduce_only:
            lots = min(lots, abs(position.lots)) if position.lots * order.sign < 0 else 0
        if lots:
            self._execute(now, account, order, response.price_ticks, lots, response.maker)
        if order.reduce_only and lots < response.qty_lots and order.working:
            self.end(now, order, "EXPIRED")
        if not position.lots:
            self._orphans(now, account, order.instrument.symbol, order.position_side)

    def _execute(self, now: int, account: Account, order: VenueOrder, tick: int, lots: int, maker: bool) -> None:
        instrument, symbol = order.instrument, order.instrument.symbol
        position = account.position(symbol, order.position_side)
        profit = position.fill(instrument, order.sign * lots, tick)
        position.updated = now
        value = tick * lots * instrument.tick * instrument.lot
        fee = rounded(value * Decimal(account.settings.maker_fee if maker else account.settings.taker_fee))
        account.moved(instrument.quote, profit - fee, now)
        order.done += lots
        order.notional += value
        order.updated = now
        order.status = "FILLED" if order.done == order.lots else "PARTIALLY_FILLED"
        number = self.number()
        fill = Execution(
            number,
            account.name,
            symbol,
            order.id,
            order.client_id,
            order.side,
            order.position_side,
            tick,
            lots,
            maker,
            fee,
            profit,
            now,
        )
        self.log.append(fill)
        account.executions.append(fill)
        stamp = self.stamp(now)
        if profit:
            account.earned(stamp, symbol, "REALIZED_PNL", profit, instrument.quote, number, str(number), str(number))
        account.earned(stamp, symbol, "COMMISSION", -fee, instrument.quote, number, str(number), str(number))
        if not order.working:
            account.open.pop(order.id, None)
            self._numbers.pop((symbol, order.number), None)
        self.tell(account.name, "TRADE_LITE", trade_lite(order, fill, stamp))
        self.tell(
            account.name, "ACCOUNT_UPDATE", account_update(account, "ORDER", instrument.quote, Decimal(0), [position], stamp)
        )
        self._report(now, order, "TRADE", fill)
        if not order.working:
            self.agenda.drop(f"gtd {order.id}")
            self.ended(now, order)

    def _orphans(self, now: int, account: Account, symbol: str, side: str) -> None:
        for order in list(account.open.values()):
            if order.reduce_only and order.instrument.symbol == symbol and order.position_side == side:
                self.end(now, order, "EXPIRED")

    def _over(self, now: int, order: VenueOrder, status: str) -> None:
        order.status, order.updated = status, now
        self.accounts[order.account].open.pop(order.id, None)
        self.agenda.drop(f"gtd {order.id}")
        self._report(now, order, status)
        self.ended(now, order)

    def _report(self, now: int, order: VenueOrder, kind: str, fill: Execution | None = None) -> None:
        open_notionals = self.accounts[order.account].open_notional(order.instrument.symbol)
        body = order_update(order, kind, self.stamp(now), fill, open_notionals)
        self.tell(order.account, "ORDER_TRADE_UPDATE", body)
