"""An order as the venue holds it, and how the venue writes it in each of its answers.

The answers to placing, changing and canceling no longer carry average price and quote volume (since 2026-06-30); queries and the
stream do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

from core.instrument import Instrument

MS: Final = 1_000_000
ZERO: Final = Decimal(0)
WORKING: Final = ("NEW", "PARTIALLY_FILLED")


def money(value: Decimal) -> str:
    """Eight decimals, as the venue writes money."""
    return f"{value:.8f}" if value else "0.00000000"


class Amendment(NamedTuple):
    """A change of an order: when, price ticks and lots before and after, the change's own number and its client's."""

    id: int
    ns: int
    before: tuple[int, int]
    after: tuple[int, int]
    modify_id: int


@dataclass
class VenueOrder:
    """One order. Prices in ticks, quantities in lots, times in ns UTC."""

    id: int
    account: str
    instrument: Instrument
    client_id: str
    side: str
    type: str
    tif: str
    tick: int
    lots: int
    created: int
    reduce_only: bool = False
    close_position: bool = False
    position_side: str = "BOTH"
    price_match: str = "NONE"
    stp: str = "EXPIRE_MAKER"
    good_till_ms: int = 0
    working_type: str = "CONTRACT_PRICE"
    original_type: str = ""
    status: str = "NEW"
    done: int = 0
    notional: Decimal = ZERO
    updated: int = 0
    number: int = 0
    """What the replay knows it by; a change gives it another."""
    amendments: list[Amendment] = field(default_factory=list)

    @property
    def working(self) -> bool:
        """Whether it may still be executed."""
        return self.status in WORKING

    @property
    def leaves(self) -> int:
        """Open lots."""
        return self.lots - self.done if self.working else 0

    @property
    def sign(self) -> int:
        """+1 buys, -1 sells."""
        return 1 if self.side == "BUY" else -1

    @property
    def price_text(self) -> str:
        """Its limit, "0" of a market order."""
        return self.instrument.price_text(self.tick) if self.tick else "0"

    @property
    def average(self) -> str:
        """Mean price of what was executed."""
        if not self.done:
            return "0.00000"
        return f"{self.notional / (self.done * self.instrument.lot):.5f}"

    def qty(self, lots: int) -> str:
        """A quantity as text."""
        return self.instrument.qty_text(lots)

    def acknowledged(self, stamp: int) -> dict[str, Any]:
        """The answer to placing and to canceling it; `stamp`: updateTime, ms."""
        return {
            "orderId": self.id,
            "symbol": self.instrument.symbol,
            "status": self.status,
            "clientOrderId": self.client_id,
            "price": self.price_text,
            "origQty": self.qty(self.lots),
            "executedQty": self.qty(self.done),
            "cumQty": self.qty(self.done),
            "timeInForce": self.tif,
            "type": self.type,
            "reduceOnly": self.reduce_only,
            "closePosition": self.close_position,
            "side": self.side,
            "positionSide": self.position_side,
            "stopPrice": "0.00",
            "workingType": self.working_type,
            "priceProtect": False,
            "origType": self.original_type or self.type,
            "priceMatch": self.price_match,
            "selfTradePreventionMode": self.stp,
            "goodTillDate": self.good_till_ms,
            "updateTime": stamp,
        }

    def result(self, stamp: int) -> dict[str, Any]:
        """The answer to placing it with newOrderRespType=RESULT."""
        return {**self.acknowledged(stamp), "avgPrice": self.average, "cumQuote": self._quote()}

    def modified(self, stamp: int, modify_id: int) -> dict[str, Any]:
        """The answer to changing it."""
        return {**self.acknowledged(stamp), "pair": self.instrument.symbol, "modifyId": modify_id}

    def queried(self, offset_ms: int, pair: bool = False) -> dict[str, Any]:
        """The answer to a query; `pair` with what only lists of all orders carry."""
        body = self.acknowledged(self.updated // MS + offset_ms)
        del body["cumQty"]
        body |= {"avgPrice": self.average, "cumQuote": self._quote(), "time": self.created // MS + offset_ms}
        return body | {"pair": self.instrument.symbol, "cumBase": self.qty(self.done)} if pair else body

    def _quote(self) -> str:
        return format(self.notional.normalize(), "f") if self.notional else "0"


class Execution(NamedTuple):
    """A fill as the venue's log has it. `pnl`, `fee`: in the quote currency."""

    id: int
    account: str
    symbol: str
    order_id: int
    client_id: str
    side: str
    position_side: str
    tick: int
    lots: int
    maker: bool
    fee: Decimal
    pnl: Decimal
    ns: int

    def listed(self, instrument: Instrument, offset_ms: int) -> dict[str, Any]:
        """As userTrades lists it."""
        price, qty = instrument.price_text(self.tick), instrument.qty_text(self.lots)
        return {
            "buyer": self.side == "BUY",
            "commission": money(self.fee),
            "commissionAsset": instrument.quote,
            "id": self.id,
            "maker": self.maker,
            "orderId": self.order_id,
            "price": price,
            "qty": qty,
            "quoteQty": format(Decimal(price) * Decimal(qty), "f"),
            "baseQty": qty,
            "marginAsset": instrument.quote,
            "realizedPnl": money(self.pnl),
            "side": self.side,
            "positionSide": self.position_side,
            "symbol": self.symbol,
            "pair": self.symbol,
            "time": self.ns // MS + offset_ms,
        }
