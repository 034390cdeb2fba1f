"""The desk where orders are placed, canceled and changed.

A change of an order takes it out and in again: it loses its place, as at the venue. A refused post-only or FOK order leaves no
trace.
"""

from __future__ import annotations

from actors.emulator import rules
from actors.emulator.account import Account
from actors.emulator.answer import Refused
from actors.emulator.fills import Fills
from actors.emulator.market import Market
from actors.emulator.order import MS, Amendment, VenueOrder
from actors.emulator.parameters import Parameters
from core.kernel import state as said
from core.kernel.replay import Response

AMENDMENTS_MAX = 10_000
TIFS = {"GTC": "1", "GTD": "1", "IOC": "3", "FOK": "4", "GTX": "5", "RPI": "5"}
"""As the replay calls them."""


class Desk(Fills):
    """All accounts' requests about orders."""

    def draft(self, now: int, account: Account, parameters: Parameters) -> VenueOrder:
        """Check a request for an order. Raises Refused."""
        market = self.market(parameters.symbol())
        count = self.number()
        made = f"web_{count:022d}"[:36]
        order = rules.draft(parameters, account, market, now, 8_000_000_000 + count, made)
        rules.admitted(order, account, market, self.settings.open_orders_max)
        return order

    def place(self, now: int, account: Account, order: VenueOrder) -> VenueOrder:
        """Place a checked order. Raises Refused where the engine refuses it."""
        market = self.market(order.instrument.symbol)
        answers = self._enter(now, market, order)
        if answers and answers[0].kind == said.EXPIRED and self._refuses(order):
            del self._numbers[market.symbol, order.number]
            raise Refused(-5022 if order.tif in ("GTX", "RPI") else -5021)
        account.take(order)
        self._report(now, order, "NEW")
        if order.good_till_ms:
            until = order.good_till_ms * MS
            self.agenda.at(until, lambda when: self.end(when, order, "EXPIRED"), f"gtd {order.id}")
        for answer in answers:
            self.told(market, answer)
        return order

    def _enter(self, now: int, market: Market, order: VenueOrder) -> list[Response]:
        order.number = self.number()
        self._numbers[market.symbol, order.number] = order
        self._collected, self._entering = [], order.number
        try:
            side = 1 if order.side == "BUY" else 2
            market.place(now, order.number, side, order.tick, order.leaves, order.type == "MARKET", TIFS[order.tif])
        finally:
            answers, self._collected = self._collected, None
        return answers

    def _refuses(self, order: VenueOrder) -> bool:
        if order.tif in ("GTX", "RPI"):
            return self.settings.post_only == "reject"
        return order.tif == "FOK" and self.settings.fill_or_kill == "reject"

    def find(self, account: Account, parameters: Parameters, symbol: str, code: int) -> VenueOrder:
        """The newest order by orderId or origClientOrderId. Raises Refused with `code`."""
        if parameters.has("orderId"):
            found = account.orders.get(parameters.integer("orderId"))
            if found is not None and found.instrument.symbol == symbol:
                return found
        elif parameters.has("origClientOrderId"):
            wanted = parameters.text("origClientOrderId")
            named = [one for one in account.named.get(wanted, ()) if one.instrument.symbol == symbol]
            if named:
                return next((one for one in named if one.working), named[-1])
        else:
            raise Refused(-1102, "orderid")
        raise Refused(code)

    def cancel(self, now: int, account: Account, parameters: Parameters) -> VenueOrder:
        """Cancel one order. Raises Refused -2011 when it does not work any more, or never did."""
        symbol = self.market(parameters.symbol()).symbol
        order = self.find(account, parameters, symbol, -2011)
        if not order.working:
            raise Refused(-2011)
        self.end(now, order, "CANCELED")
        return order

    def cancel_all(self, now: int, account: Account, symbol: str) -> None:
        """Cancel all plain orders of a symbol."""
        for order in [one for one in account.open.values() if one.instrument.symbol == symbol]:
            self.end(now, order, "CANCELED")

    def modify(self, now: int, account: Account, parameters: Parameters) -> VenueOrder:
        """Change price and quantity of a limit order. Raises Refused."""
        market = self.market(parameters.symbol())
        side = parameters.choice("side", ("BUY", "SELL"), -1117)
        order = self.find(account, parameters, market.symbol, -2013)
        if not order.working:
            raise Refused(-2013)
        if order.type != "LIMIT":
            raise Refused(-5025)
        if side != order.side:
            raise Refused(-1117)
        match = parameters.choice("priceMatch", rules.MATCHES, -1130, "NONE")
        lots = rules.quantity(market.instrument, parameters.number("quantity"), False)
        if match == "NONE":
            tick = rules.price(market.instrument, parameters.number("price"))
        else:
            tick = rules.matched(market, side, rules.MATCHES[match])
        if len(order.amendments) >= AMENDMENTS_MAX:
            raise Refused(-5026)
        if (tick, lots) == (order.tick, order.lots):
            raise Refused(-5027)
        if lots <= order.done:
            self.end(now, order, "CANCELED")
            return order
        self._checked(now, account, market, order, tick, lots)
        self._amend(now, market, order, tick, lots, parameters.integer("modifyId", 0))
        return order

    def _checked(self, now: int, account: Account, market: Market, order: VenueOrder, tick: int, lots: int) -> None:
        before = order.tick, order.lots
        del account.open[order.id]
        order.tick, order.lots = tick, lots
        try:
            rules.priced(order, market, now)
            if not rules.reduces(order, account):
                rules.affordable(order, account, market)
        except Refused:
            order.tick, order.lots = before
            raise
        finally:
            account.open[order.id] = order
        order.tick, order.lots = before

    def _amend(self, now: int, market: Market, order: VenueOrder, tick: int, lots: int, modify_id: int) -> None:
        before = order.tick, order.lots
        del self._numbers[market.symbol, order.number]
        market.cancel(now, order.number)
        order.tick, order.lots = tick, lots
        answers = self._enter(now, market, order)
        if answers and answers[0].kind == said.EXPIRED:
            del self._numbers[market.symbol, order.number]
            order.tick, order.lots = before
            self._over(now, order, "CANCELED")
            return
        order.updated = now
        order.amendments.append(Amendment(self.number(), now, before, (tick, lots), modify_id))
        self._report(now, order, "AMENDMENT")
        for answer in answers:
            self.told(market, answer)
