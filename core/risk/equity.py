"""The account's equity from mark to mark, the day's beginning and its peak, and whether too much of them is lost.

Equity is capital, what fills, fees and funding have moved, and the open positions at their last mark prices. An inverse contract
settles in its base currency, which its own mark price turns into quote currency; so all of it is one sum. A day begins with the
Timer `day_roll` (UTC), or with the first mark. Left out: changes of a wallet from outside (transfers) and quote currencies that
differ from each other.
"""

from __future__ import annotations

from core.ledger import Ledger
from core.price import E8


class Equity:
    """Sums by symbol, so that a mark costs one product and not one an instrument."""

    def __init__(self, ledger: Ledger, capital: float) -> None:
        self._ledger, self._capital = ledger, capital
        self._ticks: dict[str, float] = {}
        self._worth: dict[str, float] = {}
        self.now = self.begun = self.peak = 0.0
        self._day_begins = True

    def mark(self, symbol: str, price_ticks: float) -> None:
        """An instrument's mark price."""
        self._ticks[symbol] = price_ticks
        self.moved(symbol)

    def moved(self, symbol: str) -> None:
        """An instrument's account has changed, or its price: take the sum anew. Without a price yet it waits for one."""
        price = self._ticks.get(symbol)
        if price is None:
            return
        account = self._ledger.of(symbol)
        equity = account.equity(price)
        self._worth[symbol] = equity * price * account.instrument.tick_float if account.instrument.inverse else equity
        self.now = self._capital + sum(self._worth.values())
        if self._day_begins:
            self._day_begins = False
            self.begun = self.peak = self.now
        self.peak = max(self.peak, self.now)

    def roll(self) -> None:
        """A UTC day begins: from what there is now, or from the first mark."""
        self.begun = self.peak = self.now
        self._day_begins = not self._ticks

    def lost(self, daily_loss_e8: int | None, drawdown_e8: int | None) -> str:
        """What of the two limits is passed, in words; "" when neither is."""
        for name, limit, since in (("since the day's peak", drawdown_e8, self.peak), ("today", daily_loss_e8, self.begun)):
            if limit is not None and since - self.now >= limit / E8 * since > 0:
                return f"{(since - self.now) / since:.1%} lost {name}, the limit is {limit / E8:.1%}"
        return ""
