"""Conditional orders: they wait for a price beside the market, and become plain orders when it comes.

    NEW -> TRIGGERING -> TRIGGERED -> FINISHED       the plain order was placed, and has ended
    NEW -> CANCELED | EXPIRED                        before its price came; EXPIRED: nothing to close
    TRIGGERING -> REJECTED                           the engine would not have the plain order

Ids are of their own space; margin is checked only at the trigger; `allOpenOrders` does not touch them. The plain order
carries the conditional order's client id.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from actors.emulator import rules
from actors.emulator.account import Account
from actors.emulator.answer import Refused
from actors.emulator.conditional import AlgoOrder
from actors.emulator.desk import Desk
from actors.emulator.market import Market
from actors.emulator.order import MS, VenueOrder
from actors.emulator.parameters import Parameters
from actors.emulator.userdata import algo_update
from core.price import E8

OPEN_MAX: Final = 200
CALLBACK_MAX: Final = Decimal(20)
LIMITED: Final = ("STOP", "TAKE_PROFIT")


class Algos:
    """All accounts' conditional orders."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.waiting: dict[int, AlgoOrder] = {}
        self.orders: dict[int, AlgoOrder] = {}
        self._spawned: dict[int, AlgoOrder] = {}
        desk.ended = self._ended

    def place(self, now: int, account: Account, parameters: Parameters) -> AlgoOrder:
        """Take a conditional order in. Raises Refused."""
        parameters.choice("algoType", ("CONDITIONAL",), -1130)
        market = self.desk.market(parameters.symbol())
        kind = parameters.choice("type", rules.CONDITIONAL, -1116)
        side = parameters.choice("side", ("BUY", "SELL"), -1117)
        number = self.desk.number()
        algo = AlgoOrder(
            2_000_000_000 + number, account.name, market.instrument, "", side, kind, "GTC", 0, 0, 0, now, updated=now
        )
        algo.client_id = rules.client_id(parameters, "clientAlgoId", f"algo_{number:020d}")
        algo.position_side = rules.position_side(parameters, account)
        algo.working_type = parameters.choice("workingType", ("CONTRACT_PRICE", "MARK_PRICE"), -1130, "CONTRACT_PRICE")
        algo.stp = parameters.choice("selfTradePreventionMode", rules.PREVENTIONS, -1130, "NONE")
        self._sized(algo, parameters)
        self._prices(algo, parameters, market)
        mine = [one for one in self.waiting.values() if one.account == account.name]
        if any(one.client_id == algo.client_id for one in mine):
            raise Refused(-4116)
        if len(mine) >= OPEN_MAX:
            raise Refused(-4045)
        price = self._price(algo, market, now)
        if algo.reached(price):
            raise Refused(-2021)
        self.waiting[algo.id] = self.orders[algo.id] = algo
        self._tell(now, algo)
        return algo

    def _sized(self, algo: AlgoOrder, parameters: Parameters) -> None:
        algo.tif = parameters.choice("timeInForce", rules.TIMES, -1115, "GTC")
        if algo.tif == "GTD":
            algo.good_till_ms = parameters.integer("goodTillDate") // 1000 * 1000
        algo.close_position = parameters.flag("closePosition", False)
        algo.reduce_only = parameters.flag("reduceOnly", False)
        if algo.close_position:
            if algo.type not in ("STOP_MARKET", "TAKE_PROFIT_MARKET"):
                raise Refused(-4136, algo.type, "true")
            if parameters.has("quantity"):
                raise Refused(-4137)
            if parameters.has("reduceOnly"):
                raise Refused(-1106, "reduceonly")
        else:
            algo.lots = rules.quantity(algo.instrument, parameters.number("quantity"), algo.type not in LIMITED)

    def _prices(self, algo: AlgoOrder, parameters: Parameters, market: Market) -> None:
        if algo.type in LIMITED:
            algo.tick = rules.price(algo.instrument, parameters.number("price"))
        if algo.type != "TRAILING_STOP_MARKET":
            algo.trigger_tick = rules.price(algo.instrument, parameters.number("triggerPrice"))
            return
        rate = parameters.number("callbackRate")
        if not Decimal("0.1") <= rate <= CALLBACK_MAX:
            raise Refused(-1130, "callbackRate")
        algo.callback_text = parameters.text("callbackRate")
        if parameters.has("activatePrice"):
            algo.activate_tick = rules.price(algo.instrument, parameters.number("activatePrice"))

    def _price(self, algo: AlgoOrder, market: Market, now: int) -> Decimal:
        if algo.working_type == "CONTRACT_PRICE" and market.last:
            return market.last * market.instrument.tick
        return Decimal(market.mark(now)[0]) / E8

    def find(self, account: Account, parameters: Parameters, code: int) -> AlgoOrder:
        """By algoId or clientAlgoId, the newest. Raises Refused with `code`."""
        if not parameters.has("algoId") and not parameters.has("clientAlgoId"):
            raise Refused(-1102, "algoid")
        for algo in reversed(self.orders.values()):
            named = str(algo.id) == parameters.text("algoId", "") or algo.client_id == parameters.text("clientAlgoId", "")
            if named and algo.account == account.name:
                return algo
        raise Refused(code)

    def cancel(self, now: int, account: Account, parameters: Parameters) -> AlgoOrder:
        """Cancel one that still waits. Raises Refused -2011."""
        algo = self.find(account, parameters, -2011)
        if algo.id not in self.waiting:
            raise Refused(-2011)
        self.end(now, algo, "CANCELED")
        return algo

    def end(self, now: int, algo: AlgoOrder, status: str, reason: str = "") -> None:
        """It waits no more."""
        self.waiting.pop(algo.id, None)
        algo.status, algo.reason = status, reason
        self._tell(now, algo)

    def watches(self, symbol: str) -> bool:
        """Whether one waits for prices of the symbol."""
        return any(algo.instrument.symbol == symbol for algo in self.waiting.values())

    def look(self, now: int) -> None:
        """Compare all that wait with the trades since the last look, and with the mark price."""
        for algo in list(self.waiting.values()):
            market, prices = self.desk.markets[algo.instrument.symbol], []
            if algo.good_till_ms and now >= algo.good_till_ms * MS:
                self.end(now, algo, "EXPIRED")
            elif algo.working_type == "MARK_PRICE":
                prices = [Decimal(market.mark(now)[0]) / E8]
            else:
                prices = [trade.tick * market.instrument.tick for trade in market.fresh]
            activated = algo.activated
            reached = algo.status == "NEW" and any(algo.reached(price) for price in prices)
            if algo.activated and not activated:  # a trailing stop that begins to trail says so by a second NEW
                self._tell(now, algo)
            if reached:
                self._trigger(now, algo)

    def _trigger(self, now: int, algo: AlgoOrder) -> None:
        algo.triggered = now
        self.end(now, algo, "TRIGGERING")
        account = self.desk.accounts[algo.account]
        held = account.position(algo.instrument.symbol, algo.position_side).lots
        if algo.close_position and held * (1 if algo.side == "BUY" else -1) >= 0:
            self.end(now, algo, "EXPIRED")
            return
        try:
            order = self.desk.draft(now, account, Parameters.of(self._asked(algo, abs(held))))
            order.original_type, order.close_position = algo.type, algo.close_position
            self._spawned[order.id] = algo
            algo.order, algo.status = order, "TRIGGERED"
            self._tell(now, algo)
            self.desk.place(now, account, order)
        except Refused as refused:
            algo.order = None
            self.end(now, algo, "REJECTED", refused.text)

    def _asked(self, algo: AlgoOrder, held: int) -> dict[str, Any]:
        instrument = algo.instrument
        limited = algo.type in LIMITED
        asked: dict[str, Any] = {"symbol": instrument.symbol, "side": algo.side, "type": "LIMIT" if limited else "MARKET"}
        asked |= {"quantity": instrument.qty_text(held if algo.close_position else algo.lots)}
        asked |= {"newClientOrderId": algo.client_id, "positionSide": algo.position_side, "selfTradePreventionMode": algo.stp}
        if limited:
            asked |= {"price": instrument.price_text(algo.tick), "timeInForce": "GTC" if algo.tif == "GTD" else algo.tif}
        if (algo.reduce_only or algo.close_position) and algo.position_side == "BOTH":
            asked["reduceOnly"] = True
        return asked

    def _ended(self, now: int, order: VenueOrder) -> None:
        algo = self._spawned.pop(order.id, None)
        if algo is not None:
            self.end(now, algo, "FINISHED")

    def _tell(self, now: int, algo: AlgoOrder) -> None:
        algo.updated = now
        self.desk.tell(algo.account, "ALGO_UPDATE", algo_update(algo, self.desk.stamp(now)))
