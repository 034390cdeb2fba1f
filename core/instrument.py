"""What is traded: an instrument's grid, contract and fees, and how money comes out of ticks and lots.

A linear contract (USDⓈ-M, spot) is worth price times quantity in the quote currency; an inverse one (COIN-M) is worth
contract value times quantity over price in the base currency. Both stand behind the same three questions: the value of a
quantity at a price, the profit of a move, the fee of a fill.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property

from msgspec import Struct

from core.price import E8, Rounding, Side, sign, steps, text


class Key(Struct, frozen=True, order=True):
    """The store's key of an instrument, written `venue:SYMBOL`."""

    venue: str
    symbol: str

    def __str__(self) -> str:
        return f"{self.venue}:{self.symbol}"

    @classmethod
    def parse(cls, written: str) -> Key:
        """Read `venue:SYMBOL`; the venue is "" where only a symbol was written."""
        venue, colon, symbol = written.rpartition(":")
        return cls(venue if colon else "", symbol.upper())


class Instrument(Struct, frozen=True, dict=True):
    """One instrument. Sizes are decimal strings, so that no grid is ever a float.

    `contract_value` is base currency a unit of quantity for a linear contract (1 for USDⓈ-M) and quote currency a contract
    for an inverse one (100 for BTCUSD). Fees are fractions of the notional; a rebate is negative.
    """

    key: Key
    tick_size: str
    lot_size: str
    contract_value: str = "1"
    inverse: bool = False
    maker_fee: float = 0.0002
    taker_fee: float = 0.0005
    base: str = ""
    quote: str = "USDT"

    @property
    def symbol(self) -> str:
        """The venue's own name of it."""
        return self.key.symbol

    @cached_property
    def tick(self) -> Decimal:
        """One price step."""
        return Decimal(self.tick_size)

    @cached_property
    def lot(self) -> Decimal:
        """One quantity step."""
        return Decimal(self.lot_size)

    @cached_property
    def tick_float(self) -> float:
        """One price step as a float, for kernels and plots."""
        return float(self.tick)

    @cached_property
    def lot_float(self) -> float:
        """One quantity step as a float, for kernels and plots."""
        return float(self.lot)

    @cached_property
    def settles_in(self) -> str:
        """The currency in which profit, fees and funding are paid."""
        return self.base if self.inverse else self.quote

    @cached_property
    def unit(self) -> float:
        """Money a tick times a lot (linear), or a lot over a tick (inverse), is worth."""
        value = Decimal(self.contract_value)
        return float(value * self.lot / self.tick) if self.inverse else float(value * self.lot * self.tick)

    def ticks(self, price: str | Decimal, rounding: Rounding = "exact") -> int:
        """A decimal price in ticks. Raises GridError when it is off the grid and `rounding` is "exact"."""
        return steps(price, self.tick, rounding)

    def lots(self, qty: str | Decimal, rounding: Rounding = "exact") -> int:
        """A decimal quantity in lots. Raises GridError when it is off the grid and `rounding` is "exact"."""
        return steps(qty, self.lot, rounding)

    def price_text(self, price_ticks: int) -> str:
        """The exact decimal of a price in ticks."""
        return text(price_ticks, self.tick)

    def qty_text(self, qty_lots: int) -> str:
        """The exact decimal of a quantity in lots."""
        return text(qty_lots, self.lot)

    def value(self, price_ticks: float, qty_lots: float) -> float:
        """Notional in the settlement currency."""
        if self.inverse:
            return qty_lots / price_ticks * self.unit if price_ticks else 0.0
        return price_ticks * qty_lots * self.unit

    def profit(self, qty_lots: float, entry_ticks: float, exit_ticks: float) -> float:
        """Profit in the settlement currency of a signed quantity entered at one price and left at another."""
        if self.inverse:
            return self.value(entry_ticks, qty_lots) - self.value(exit_ticks, qty_lots)
        return self.value(exit_ticks, qty_lots) - self.value(entry_ticks, qty_lots)

    def cash_flow(self, side: Side, price_ticks: int, qty_lots: int) -> float:
        """What a fill moves in the settlement currency: linear buys pay, inverse buys receive the value at entry."""
        flow = sign(side) * self.value(price_ticks, qty_lots)
        return flow if self.inverse else -flow

    def fee_e8(self, price_ticks: int, qty_lots: int, maker: bool) -> int:
        """Fee of a fill in 1e-8 of the settlement currency, to the nearest unit; negative for a rebate."""
        return round(self.value(price_ticks, qty_lots) * (self.maker_fee if maker else self.taker_fee) * E8)
