"""The ledger: accounts by symbol, added up by settlement currency, because amounts of different currencies have no sum.

An `Account` (`core/account.py`) is one instrument's (the asset); the `Ledger` holds one an instrument (the book).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import astuple

from core.account import Account
from core.execution import BUST, CORRECTION, TRADE
from core.instrument import Instrument
from core.message import ExecutionReport, Funding


class Book(Struct, frozen=True):
    """All accounts of one settlement currency together."""

    cash: float = 0.0
    fees: float = 0.0
    funding: float = 0.0
    turnover: float = 0.0
    realised: float = 0.0
    unrealised: float = 0.0
    equity: float = 0.0


class Ledger:
    """All accounts of one owner, by symbol."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self.accounts: Final = {one.symbol: Account(one) for one in instruments}
        self.strangers: Final[list[ExecutionReport]] = []

    def admit(self, instrument: Instrument) -> None:
        """Open an account for one more instrument and book what was executed on it before it was known."""
        account = self.accounts.setdefault(instrument.symbol, Account(instrument))
        for report in [one for one in self.strangers if one.symbol == instrument.symbol]:
            self.strangers.remove(report)
            account.apply(report)

    def of(self, symbol: str) -> Account:
        """One instrument's account. Raises KeyError for one that was never named."""
        return self.accounts[symbol]

    def position(self, symbol: str) -> int:
        """Position in lots."""
        return self.accounts[symbol].position

    def apply(self, report: ExecutionReport) -> bool:
        """Take a report; False when it is no execution or was taken before. One of an unknown instrument is kept aside."""
        account = self.accounts.get(report.symbol)
        if account is not None:
            return account.apply(report)
        if report.exec_type in (TRADE, BUST, CORRECTION):
            self.strangers.append(report)
        return False

    def fund(self, funding: Funding) -> int:
        """Settle funding on one instrument; returns what was received, in 1e-8."""
        account = self.accounts.get(funding.symbol)
        return account.fund(funding) if account is not None else 0

    def books(self, prices: Mapping[str, float]) -> dict[str, Book]:
        """All accounts together by settlement currency, at prices in ticks by symbol.

        Raises KeyError when an open position has no price.
        """
        found: dict[str, Book] = {}
        for symbol, one in self.accounts.items():
            price = prices[symbol] if one.position else 0.0
            figures = (one.cash, one.fees, one.funding, one.turnover, one.realised, one.unrealised(price), one.equity(price))
            before = astuple(found.get(one.instrument.settles_in, Book()))
            found[one.instrument.settles_in] = Book(*map(sum, zip(before, figures, strict=True)))
        return found
