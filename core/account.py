"""One instrument's account: position, average price, profit, fees and funding, all of them from executions by their ids.

The convention is average cost. A fill that increases a position moves its average price; one that reduces it realises the
difference to the average; one that goes through zero does both, closing first, then opening at its own price.

Money is exact inside. A linear contract's values are whole ticks times lots. An inverse contract's value is a quotient and is
rounded once, at the fill, to `INVERSE_UNITS` of the base currency. Fees and funding are whole 1e-8. So cash and the value of the
position at a price are conserved to the last unit, in any order of fills. Where a part of a position is closed, its share of the
cost is rounded to the unit; the remainder stays with the open part, so that realised and unrealised profit still add up to the
whole. Floats appear only where a figure is read.

A bust takes the whole fill back, its fee too; a correction replaces quantity, price and fee. The account is then folded again
from its executions as they stand, in the order in which their fills arrived.

An account may begin from a position (`PositionReport`): what it then held, at what cost, and what it had earned. Executions that
are in it count no more: those not later than its time, where the report has one, and those that arrived up to its last execution.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final

from core.execution import BUST, CORRECTION, TRADE, Executions
from core.instrument import Instrument
from core.message import ExecutionReport, Funding, PositionReport
from core.price import BUY, E8, Side

INVERSE_UNITS: Final = 10**12
"""Units of the base currency that inverse values are rounded to: four digits below the satoshi in which venues settle."""


class Account:
    """One instrument's position (signed lots) and money (settlement currency; `..._units` and `..._e8` are exact)."""

    __slots__ = (
        "_direction",
        "_funded",
        "_opening",
        "_ratio",
        "_scale",
        "_unit",
        "_until",
        "cost_units",
        "earned_e8",
        "executions",
        "fees_e8",
        "flow_units",
        "funding_e8",
        "instrument",
        "position",
        "trades",
        "turnover_units",
    )  # fmt: skip

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        contract = Fraction(instrument.contract_value) * Fraction(instrument.lot)
        tick = Fraction(instrument.tick)
        self._ratio = contract / tick if instrument.inverse else contract * tick
        self._scale = round(self._ratio * INVERSE_UNITS) if instrument.inverse else 0
        self._unit = 1 / INVERSE_UNITS if instrument.inverse else float(self._ratio)
        self._direction = 1 if instrument.inverse else -1
        self._funded: set[int] = set()
        self.executions = Executions()
        self.funding_e8 = 0
        self._opening: PositionReport | None = None
        self._until = -1
        self._clear()

    # --- facts in

    def open(self, report: PositionReport) -> bool:
        """Begin from a position; False when that was begun from before. What the report does not hold counts beside it."""
        before = self._opening
        if before is not None and _content(before) == _content(report):
            return False
        self._opening = report
        self._until = report.transact_time or -1
        self.funding_e8 = 0
        self.executions.let_go(report.exec_id)
        self._fold_again()
        return True

    def report(self, now: int, strategy: str = "") -> PositionReport:
        """The position to begin from that this account comes to; its last execution, not a time, tells what is in it."""
        unit = Fraction(1, INVERSE_UNITS) if self._scale else self._ratio
        cash_e8 = round(self.realised_units * unit * E8) + self.earned_e8 + self.funding_e8 - self.fees_e8
        symbol, last = self.instrument.symbol, self.executions.last
        return PositionReport(symbol, 0, now, now, strategy, self.position, self.cost_units, cash_e8, last)

    def apply(self, report: ExecutionReport) -> bool:
        """Take an execution, bust or correction; False when it was taken before or is none of these."""
        exec_type = report.exec_type
        if exec_type != TRADE and exec_type != BUST and exec_type != CORRECTION:  # noqa: PLR1714
            return False
        if report.transact_time <= self._until or not self.executions.add(report):
            return False
        if exec_type == TRADE and not self.executions.superseded(report.exec_id):
            self._fold(report)
        else:
            self._fold_again()
        return True

    def fund(self, funding: Funding) -> int:
        """Settle funding, once a settlement time: longs pay a positive rate on the value at the mark price.

        Returns what was received, in 1e-8, rounded to the nearest.
        """
        if funding.transact_time in self._funded or funding.transact_time <= self._until:
            return 0
        self._funded.add(funding.transact_time)
        mark = Fraction(funding.mark_price_e8, E8) / Fraction(self.instrument.tick)
        if not mark:
            return 0
        value = (self.position / mark if self._scale else self.position * mark) * self._ratio
        received = round(-value * funding.funding_rate_e8)
        self.funding_e8 += received
        return received

    def _clear(self) -> None:
        self.position = self.trades = 0
        self.cost_units = self.flow_units = self.turnover_units = self.fees_e8 = self.earned_e8 = 0
        opening = self._opening
        if opening is not None:
            self.position, self.cost_units, self.earned_e8 = opening.qty, opening.cost_units, opening.cash_e8
            self.flow_units = self._direction * opening.cost_units

    def _fold_again(self) -> None:
        self._clear()
        for one in self.executions:
            if one.transact_time > self._until:
                self._fold(one)

    def _fold(self, report: ExecutionReport) -> None:
        """Count one execution: `flow_units` is what fills paid in and out, `cost_units` the open part's signed value at entry."""
        qty, held = report.last_qty, self.position
        value = self.value_units(report.last_px, qty)
        self.trades += 1
        self.turnover_units += value
        self.fees_e8 += report.commission_e8
        self.flow_units += self.flow(report.side, value)
        if report.side != BUY:
            qty, value = -qty, -value
        after = self.position = held + qty
        if held * qty >= 0:
            self.cost_units += value
        elif held * after < 0:
            self.cost_units = _share(value, after, qty)
        else:
            self.cost_units = _share(self.cost_units, after, held)

    # --- what things are worth

    @property
    def unit(self) -> float:
        """What a unit is in the settlement currency."""
        return self._unit

    def value_units(self, price_ticks: int, qty_lots: int) -> int:
        """Value of a fill in units."""
        scale = self._scale
        return (2 * qty_lots * scale + price_ticks) // (2 * price_ticks) if scale else qty_lots * price_ticks

    def flow(self, side: Side, value_units: int) -> int:
        """What a fill of that value pays in (negative) or out: linear buys pay, inverse buys receive."""
        return self._direction * value_units if side == BUY else -self._direction * value_units

    def open_value(self, price_ticks: float) -> float:
        """The open position at a price, in the settlement currency: what `equity` adds to cash."""
        return -(self._direction * self._worth(price_ticks) * self._unit)

    # --- what follows from them

    @property
    def avg_price(self) -> float:
        """Average entry price of the open position in ticks (inverse: the harmonic mean); 0 when flat."""
        if not self.cost_units:
            return 0.0
        return self.position * self._scale / self.cost_units if self._scale else self.cost_units / self.position

    @property
    def realised_units(self) -> int:
        """Profit of what was closed, in units: what came in and went out, but for the cost of what is still open."""
        return self.flow_units - self._direction * self.cost_units

    @property
    def realised(self) -> float:
        """Profit of what was closed, before fees and funding."""
        return self.realised_units * self._unit

    def unrealised(self, price_ticks: float) -> float:
        """Profit of the open position if it were closed at a price."""
        return self._direction * (self.cost_units - self._worth(price_ticks)) * self._unit

    @property
    def fees(self) -> float:
        """Commissions paid; negative when rebates exceed them."""
        return self.fees_e8 / E8

    @property
    def funding(self) -> float:
        """Funding received less funding paid."""
        return self.funding_e8 / E8

    @property
    def cash(self) -> float:
        """What fills, fees and funding have moved; starts at 0, or at what the position to begin from had cost and earned."""
        return self.flow_units * self._unit + (self.earned_e8 + self.funding_e8 - self.fees_e8) / E8

    @property
    def cash_exact(self) -> Decimal:
        """`cash` to the last digit."""
        unit = Fraction(1, INVERSE_UNITS) if self._scale else self._ratio
        exact = self.flow_units * unit + Fraction(self.earned_e8 + self.funding_e8 - self.fees_e8, E8)
        return Decimal(exact.numerator) / Decimal(exact.denominator)

    @property
    def turnover(self) -> float:
        """Value of everything executed."""
        return self.turnover_units * self._unit

    def equity(self, price_ticks: float) -> float:
        """Cash and the open position at a price: everything earned since the beginning, after fees and funding."""
        return self.cash + self.open_value(price_ticks)

    def _worth(self, price_ticks: float) -> float:
        """Signed value of the position at a price, in units; a price of 0 is no price."""
        if self._scale:
            return self.position * self._scale / price_ticks if price_ticks else 0.0
        return self.position * price_ticks


def _content(report: PositionReport) -> tuple[object, ...]:
    return report.transact_time, report.qty, report.cost_units, report.cash_e8, report.exec_id


def _share(total: int, part: int, whole: int) -> int:
    """`total * part / whole` to the nearest whole number."""
    return (2 * total * part + whole) // (2 * whole)
