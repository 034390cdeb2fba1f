"""One account: wallets, positions, settings and what has happened to them.

Money is exact: a fill moves the wallet by its realised profit less its fee, rounded to 1e-8, and the entry's value leaves the
position exactly as it came. The initial margin of a symbol is the greater of what its position would be with all open buys, or
with all open sells, at the mark price, over the leverage. (The venue's own formula differs in details of no use to a test.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from actors.emulator.order import ZERO, Execution, VenueOrder, money
from actors.emulator.settings import AccountSettings
from core.instrument import Instrument

E8: Final = Decimal("0.00000001")
MAINTENANCE: Final = Decimal("0.004")
LEVERAGE: Final = 20
MAX_NOTIONAL: Final = ((125, 50_000), (100, 600_000), (50, 3_000_000), (20, 12_000_000), (10, 70_000_000), (5, 100_000_000))
"""The largest position at a leverage, in the quote currency: the venue's brackets of BTCUSDT, shortened."""


def rounded(value: Decimal) -> Decimal:
    """To 1e-8."""
    return value.quantize(E8, ROUND_HALF_EVEN)


def notional_max(leverage: int) -> int:
    """The largest position that a leverage allows."""
    return next((most for least, most in MAX_NOTIONAL if leverage > least // 2 or least == leverage), 230_000_000)


@dataclass
class Position:
    """A position: signed lots, and the value at which they were entered (signed like them)."""

    symbol: str
    side: str
    lots: int = 0
    cost: Decimal = ZERO
    realised: Decimal = ZERO
    updated: int = 0

    def entry(self, instrument: Instrument) -> Decimal:
        """Mean entry price."""
        return self.cost / (self.lots * instrument.lot) if self.lots else ZERO

    def fill(self, instrument: Instrument, signed_lots: int, tick: int) -> Decimal:
        """Take a fill in; returns the profit that it realises."""
        value = tick * instrument.tick * instrument.lot
        profit = ZERO
        closing = min(abs(signed_lots), abs(self.lots)) if signed_lots * self.lots < 0 else 0
        if closing:
            out = self.cost if closing == abs(self.lots) else rounded(self.cost * closing / abs(self.lots))
            profit = (closing if self.lots > 0 else -closing) * value - out
            self.cost -= out
            self.lots += closing if signed_lots > 0 else -closing
        opening = abs(signed_lots) - closing
        if opening:
            more = opening if signed_lots > 0 else -opening
            self.lots += more
            self.cost += more * value
        profit = rounded(profit)
        self.realised += profit
        return profit


@dataclass
class Account:
    """One account's state. `mark` gives a symbol's mark price now."""

    settings: AccountSettings
    instruments: dict[str, Instrument]
    mark: Callable[[str], Decimal]
    name: str = ""
    wallets: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    leverages: dict[str, int] = field(default_factory=dict)
    isolated: set[str] = field(default_factory=set)
    dual: bool = False
    multi_assets: bool = False
    open: dict[int, VenueOrder] = field(default_factory=dict)
    orders: dict[int, VenueOrder] = field(default_factory=dict)
    named: dict[str, list[VenueOrder]] = field(default_factory=dict)
    """All orders by their client ids, oldest first."""
    executions: list[Execution] = field(default_factory=list)
    income: list[dict[str, Any]] = field(default_factory=list)
    updated: int = 0

    def __post_init__(self) -> None:
        self.name = self.settings.name

    def take(self, order: VenueOrder) -> None:
        """An order is accepted."""
        self.orders[order.id] = self.open[order.id] = order
        self.named.setdefault(order.client_id, []).append(order)

    def leverage(self, symbol: str) -> int:
        """The leverage chosen for a symbol."""
        return self.leverages.get(symbol, LEVERAGE)

    def position(self, symbol: str, side: str = "BOTH") -> Position:
        """The position, flat if there never was one."""
        return self.positions.setdefault((symbol, side), Position(symbol, side))

    def unrealised(self, position: Position) -> Decimal:
        """Profit at the mark price."""
        instrument = self.instruments[position.symbol]
        return position.lots * instrument.lot * self.mark(position.symbol) - position.cost

    def notional(self, position: Position) -> Decimal:
        """Signed value at the mark price."""
        return position.lots * self.instruments[position.symbol].lot * self.mark(position.symbol)

    def held(self, symbol: str) -> list[Position]:
        """Positions in a symbol that are not flat."""
        return [one for one in self.positions.values() if one.symbol == symbol and one.lots]

    def open_notional(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Value of open buys and of open sells."""
        sums = {"BUY": ZERO, "SELL": ZERO}
        instrument = self.instruments[symbol]
        for order in self.open.values():
            if order.instrument.symbol == symbol and not order.reduce_only:
                sums[order.side] += order.leaves * order.tick * instrument.tick * instrument.lot
        return sums["BUY"], sums["SELL"]

    def margins(self, symbol: str) -> tuple[Decimal, Decimal, Decimal]:
        """Initial margin of the position, of the open orders beyond it, and the maintenance margin."""
        signed = sum((self.notional(one) for one in self.held(symbol)), ZERO)
        size = sum((abs(self.notional(one)) for one in self.held(symbol)), ZERO)
        buys, sells = self.open_notional(symbol)
        most = max(abs(signed + buys), abs(signed - sells), size)
        leverage = self.leverage(symbol)
        return rounded(size / leverage), rounded((most - size) / leverage), rounded(size * MAINTENANCE)

    def active(self) -> list[str]:
        """Symbols with a position or an open order."""
        symbols = {one.symbol for one in self.positions.values() if one.lots}
        return sorted(symbols | {order.instrument.symbol for order in self.open.values()})

    def totals(self) -> dict[str, Decimal]:
        """Sums over all symbols in USDT: wallet, unrealised, position and order margin, maintenance, available."""
        wallet = self.wallets.get("USDT", ZERO)
        profit = sum((self.unrealised(one) for one in self.positions.values() if one.lots), ZERO)
        margins = [self.margins(symbol) for symbol in self.active()]
        position, orders, maintenance = (sum((one[k] for one in margins), ZERO) for k in range(3))
        available = max(ZERO, wallet + profit - position - orders)
        return {
            "wallet": wallet,
            "unrealised": rounded(profit),
            "position": position,
            "orders": orders,
            "maintenance": maintenance,
            "available": rounded(available),
        }

    def affords(self, order: VenueOrder, tick: int) -> bool:
        """Whether the margin suffices with this order at a price of `tick`."""
        instrument, symbol = order.instrument, order.instrument.symbol
        totals = self.totals()
        signed = sum((self.notional(one) for one in self.held(symbol)), ZERO)
        buys, sells = self.open_notional(symbol)
        value = order.leaves * tick * instrument.tick * instrument.lot
        mine = abs(signed + buys + value) if order.side == "BUY" else abs(signed - sells - value)
        other = abs(signed - sells) if order.side == "BUY" else abs(signed + buys)
        before = sum(self.margins(symbol)[:2])
        needed = max(mine, other, abs(signed)) / self.leverage(symbol) - before
        return needed <= 0 or needed + value * Decimal("0.0005") <= totals["available"]

    def moved(self, asset: str, amount: Decimal, now: int) -> None:
        """Change a wallet."""
        self.wallets[asset] = self.wallets.get(asset, ZERO) + amount
        self.updated = now

    def earned(self, stamp: int, symbol: str, kind: str, amount: Decimal, asset: str, number: int, trade: str, info: str) -> None:
        """A line of the income history."""
        self.income.append(
            {
                "symbol": symbol,
                "incomeType": kind,
                "income": money(amount),
                "asset": asset,
                "info": info,
                "time": stamp,
                "tranId": number,
                "tradeId": trade,
            }
        )
