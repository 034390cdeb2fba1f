"""The ledger: executions by their ids, each applied once; everything else is derived from them.

An `Account` is one instrument's (the asset): position, average price, profit, fees, funding. The `Ledger` holds one an
instrument and adds them up (the book). The convention is average cost: a fill that increases a position moves its average
price, one that reduces it realises the difference, one that goes through zero does both, closing first.

Money is exact inside. For a linear contract the value of a fill is a whole number of ticks times lots, so cash before fees is an
integer and cash + position * price is conserved to the last unit; fees and funding are whole 1e-8 of the settlement
currency. An inverse contract's value is a quotient, kept as a Fraction. Floats appear only where a figure is read.

A bust or correction changes an execution that was applied; the account is then folded again from its executions, in the order in
which they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Final

from core.instrument import Instrument
from core.message import ExecType, ExecutionReport, Funding, Liquidity
from core.price import BUY, E8

Money = int | Fraction
"""A value in the instrument's unit: ticks times lots (linear), lots over ticks (inverse)."""
Execution = tuple[int, int, int, bool]
"""Signed lots, price in ticks, commission in 1e-8, maker."""


class Account:
    """One instrument's position and money, in its settlement currency."""

    __slots__ = ("_busts", "_corrections", "_executions", "_inverse", "_unit", "cost", "fees_e8", "funding_e8", "instrument",
                 "position", "realised_units", "trades", "turnover_units", "unit_cash")  # fmt: skip

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self._inverse, self._unit = instrument.inverse, instrument.unit
        self._executions: dict[str, Execution] = {}
        self._busts: set[str] = set()
        self._corrections: dict[str, tuple[int, int]] = {}
        self.funding_e8 = 0
        self._clear()

    def _clear(self) -> None:
        self.position = 0
        self.cost: Money = 0
        self.unit_cash: Money = 0
        self.realised_units: Money = 0
        self.turnover_units: Money = 0
        self.fees_e8 = 0
        self.trades = 0

    # --- reading

    @property
    def avg_price(self) -> float:
        """Average entry price of the open position in ticks; 0 when flat."""
        if not self.position:
            return 0.0
        return float(self.position / self.cost if self._inverse else self.cost / self.position)

    @property
    def fees(self) -> float:
        """Commissions paid; negative when rebates exceed them."""
        return self.fees_e8 / E8

    @property
    def funding(self) -> float:
        """Funding received less funding paid."""
        return self.funding_e8 / E8

    @property
    def realised(self) -> float:
        """Profit of what was closed, before fees and funding."""
        return float(self.realised_units) * self._unit

    @property
    def cash(self) -> float:
        """What fills, fees and funding have moved; starts at 0."""
        return float(self.unit_cash) * self._unit - self.fees + self.funding

    @property
    def turnover(self) -> float:
        """Value of everything executed."""
        return float(self.turnover_units) * self._unit

    def unrealised(self, price_ticks: float) -> float:
        """Profit of the open position if it were closed at a price."""
        return (self._value(price_ticks) - float(self.cost)) * (-self._unit if self._inverse else self._unit)

    def equity(self, price_ticks: float) -> float:
        """Cash and the open position at a price: everything earned since the beginning, after fees and funding."""
        worth = self._value(price_ticks) * self._unit
        return self.cash - worth if self._inverse else self.cash + worth

    def _value(self, price_ticks: float) -> float:
        if self._inverse:
            return self.position / price_ticks if price_ticks else 0.0
        return self.position * price_ticks

    # --- writing

    def apply(self, report: ExecutionReport) -> bool:
        """Take an execution, bust or correction; False when it was taken before or is none of these."""
        kind = report.exec_type
        if kind == ExecType.TRADE:
            return self._trade(report)
        if kind == ExecType.TRADE_CANCEL:
            return self._bust(report.exec_ref_id)
        if kind == ExecType.TRADE_CORRECT:
            return self._correct(report)
        return False

    def fund(self, funding: Funding) -> int:
        """Settle funding: longs pay a positive rate on the value at the mark price. Returns what was received, in 1e-8."""
        instrument = self.instrument
        mark = Fraction(funding.mark_price_e8, E8) / Fraction(instrument.tick)
        if not self.position or not mark:
            return 0
        unit = _exact_unit(instrument)
        value = (Fraction(self.position) / mark if self._inverse else self.position * mark) * unit
        received = round(-value * funding.funding_rate_e8)
        self.funding_e8 += received
        return received

    def _trade(self, report: ExecutionReport) -> bool:
        if report.exec_id in self._executions or report.exec_id in self._busts or not report.last_qty:
            return False
        qty, price = self._corrections.get(report.exec_id, (report.last_qty, report.last_px))
        signed = qty if report.side == BUY else -qty
        execution = (signed, price, report.commission_e8, report.last_liquidity_ind == Liquidity.MAKER)
        self._executions[report.exec_id] = execution
        self._fold(execution)
        return True

    def _bust(self, exec_id: str) -> bool:
        if exec_id in self._busts:
            return False
        self._busts.add(exec_id)
        if self._executions.pop(exec_id, None) is not None:
            self._refold()
        return True

    def _correct(self, report: ExecutionReport) -> bool:
        corrected = (report.last_qty, report.last_px)
        if self._corrections.get(report.exec_ref_id) == corrected:
            return False
        self._corrections[report.exec_ref_id] = corrected
        known = self._executions.get(report.exec_ref_id)
        if known is not None:
            qty = report.last_qty if known[0] > 0 else -report.last_qty
            self._executions[report.exec_ref_id] = (qty, report.last_px, report.commission_e8 or known[2], known[3])
            self._refold()
        return True

    def _refold(self) -> None:
        self._clear()
        for execution in self._executions.values():
            self._fold(execution)

    def _fold(self, execution: Execution) -> None:
        qty, price, commission, _ = execution
        held = self.position
        value = self._worth(qty, price)
        self.trades += 1
        self.fees_e8 += commission
        traded: Money = value if qty > 0 else -value
        self.turnover_units += traded
        paid: Money = value if self._inverse else -value
        self.unit_cash += paid
        self.position = held + qty
        if held == 0 or (held > 0) == (qty > 0):
            self.cost += value
            return
        closed = max(held, -qty) if held < 0 else min(held, -qty)
        released = self.cost if closed == held else _share(self.cost, closed, held)
        gained = self._worth(closed, price) - released
        profit: Money = -gained if self._inverse else gained
        self.realised_units += profit
        self.cost += self._worth(qty + closed, price) - released

    def _worth(self, qty: int, price: int) -> Money:
        """Signed lots at a price, in units."""
        return Fraction(qty, price) if self._inverse else qty * price


def _share(total: Money, part: int, whole: int) -> Money:
    """`total * part / whole`, exactly; a whole number stays an int, which is several times faster than a Fraction."""
    if isinstance(total, int):
        quotient, rest = divmod(total * part, whole)
        return Fraction(total * part, whole) if rest else quotient
    share = total * part / whole
    return share.numerator if share.denominator == 1 else share


def _exact_unit(instrument: Instrument) -> Fraction:
    value = Fraction(instrument.contract_value) * Fraction(instrument.lot)
    return value / Fraction(instrument.tick) if instrument.inverse else value * Fraction(instrument.tick)


class Ledger:
    """All accounts of one owner."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self.accounts: Final = {one.symbol: Account(one) for one in instruments}

    def of(self, symbol: str) -> Account:
        """One instrument's account."""
        return self.accounts[symbol]

    def position(self, symbol: str) -> int:
        """Position in lots."""
        return self.accounts[symbol].position

    def apply(self, report: ExecutionReport) -> bool:
        """Take a report; False when it is no execution or was taken before."""
        account = self.accounts.get(report.symbol)
        return account is not None and account.apply(report)

    def fund(self, funding: Funding) -> int:
        """Settle funding on one instrument; returns what was received, in 1e-8."""
        account = self.accounts.get(funding.symbol)
        return account.fund(funding) if account is not None else 0

    @property
    def cash(self) -> float:
        """All accounts' cash."""
        return sum(account.cash for account in self.accounts.values())

    @property
    def fees(self) -> float:
        """All accounts' fees."""
        return sum(account.fees for account in self.accounts.values())

    @property
    def funding(self) -> float:
        """All accounts' funding."""
        return sum(account.funding for account in self.accounts.values())

    @property
    def realised(self) -> float:
        """All accounts' realised profit."""
        return sum(account.realised for account in self.accounts.values())

    def unrealised(self, prices: Mapping[str, float]) -> float:
        """All open positions' profit at these prices in ticks by symbol."""
        return sum(account.unrealised(prices[symbol]) for symbol, account in self.accounts.items() if account.position)

    def equity(self, prices: Mapping[str, float]) -> float:
        """The book: cash and positions at these prices in ticks by symbol."""
        return sum(
            account.equity(prices[symbol]) if account.position else account.cash for symbol, account in self.accounts.items()
        )
