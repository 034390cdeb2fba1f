"""A conditional order: what it waits for, and how the venue writes it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from actors.emulator.order import MS, VenueOrder
from core.instrument import Instrument


@dataclass
class AlgoOrder:
    """One conditional order. `lots` 0 closes the position."""

    id: int
    account: str
    instrument: Instrument
    client_id: str
    side: str
    type: str
    tif: str
    lots: int
    tick: int
    trigger_tick: int
    created: int
    working_type: str = "CONTRACT_PRICE"
    reduce_only: bool = False
    close_position: bool = False
    position_side: str = "BOTH"
    stp: str = "NONE"
    good_till_ms: int = 0
    activate_tick: int = 0
    callback_text: str = ""
    activated: bool = False
    extreme: Decimal = Decimal(0)
    status: str = "NEW"
    triggered: int = 0
    updated: int = 0
    reason: str = ""
    order: VenueOrder | None = None

    @property
    def above(self) -> bool:
        """Whether it waits for a price at or above its trigger, not at or below."""
        return (self.side == "BUY") != self.type.startswith("TAKE_PROFIT")

    def reached(self, price: Decimal) -> bool:
        """Whether a price triggers it; a trailing stop follows the price meanwhile."""
        if self.type == "TRAILING_STOP_MARKET":
            return self._trails(price)
        trigger = self.trigger_tick * self.instrument.tick
        return price >= trigger if self.above else price <= trigger

    def _trails(self, price: Decimal) -> bool:
        buys = self.side == "BUY"
        if not self.activated:
            activate = self.activate_tick * self.instrument.tick
            if self.activate_tick and (price > activate if buys else price < activate):
                return False
            self.activated, self.extreme = True, price
        self.extreme = min(self.extreme, price) if buys else max(self.extreme, price)
        callback = Decimal(self.callback_text) / 100
        return price >= self.extreme * (1 + callback) if buys else price <= self.extreme * (1 - callback)

    def listed(self, offset_ms: int, placed: bool = False) -> dict[str, Any]:
        """As REST writes it; `placed`: as the answer to placing it, which knows nothing of a plain order."""
        instrument = self.instrument
        body: dict[str, Any] = {
            "algoId": self.id,
            "clientAlgoId": self.client_id,
            "algoType": "CONDITIONAL",
            "orderType": self.type,
            "symbol": instrument.symbol,
            "side": self.side,
            "positionSide": self.position_side,
            "timeInForce": self.tif,
            "quantity": instrument.qty_text(self.lots),
            "algoStatus": self.status,
            "triggerPrice": instrument.price_text(self.trigger_tick),
            "price": instrument.price_text(self.tick),
            "icebergQuantity": None,
            "selfTradePreventionMode": self.stp,
            "workingType": self.working_type,
            "priceMatch": "NONE",
            "closePosition": self.close_position,
            "priceProtect": False,
            "reduceOnly": self.reduce_only,
            "activatePrice": instrument.price_text(self.activate_tick) if self.activate_tick else "",
            "callbackRate": self.callback_text,
            "createTime": self.created // MS + offset_ms,
            "updateTime": self.updated // MS + offset_ms,
            "triggerTime": self.triggered // MS + offset_ms if self.triggered else 0,
            "goodTillDate": self.good_till_ms,
        }
        if placed:
            return body
        order = self.order
        return body | {
            "actualOrderId": str(order.id) if order else "",
            "actualPrice": order.average if order else "0.00000",
            "actualType": order.type if order else "",
            "actualQty": order.qty(order.done) if order else "0",
            "tpTriggerPrice": "0.000",
            "tpPrice": "0.000",
            "slTriggerPrice": "0.000",
            "slPrice": "0.000",
            "tpOrderType": "",
        }
