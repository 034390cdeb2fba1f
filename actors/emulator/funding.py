"""Funding: every eight hours of the venue's clock each position pays, or is paid, its value at the mark price times the rate."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from actors.emulator.account import rounded
from actors.emulator.agenda import Agenda
from actors.emulator.desk import Desk
from actors.emulator.order import ZERO
from actors.emulator.tickers import e8_text
from actors.emulator.userdata import account_update
from core.price import E8


class Funding:
    """Settles all accounts at the multiples of `every_ns`. Rates and marks are the markets' own at that time."""

    def __init__(self, start: int, every_ns: int, agenda: Agenda, desk: Desk) -> None:
        self._every, self._agenda, self._desk = every_ns, agenda, desk
        self.history: list[dict[str, Any]] = []
        self.next_ns = (start // every_ns + 1) * every_ns
        agenda.at(self.next_ns, self._settle)

    def _settle(self, now: int) -> None:
        desk, stamp = self._desk, self._desk.stamp(now)
        for market in desk.markets.values():
            mark, _, rate = market.mark(now)
            row = {"symbol": market.symbol, "fundingRate": e8_text(rate), "fundingTime": stamp, "markPrice": e8_text(mark)}
            self.history.append({**row, "rateType": "Regular"})
            for account in desk.accounts.values():
                signed = sum((account.notional(one) for one in account.held(market.symbol)), ZERO)
                paid = rounded(signed * Decimal(rate) / E8)
                if not paid:
                    continue
                quote = market.instrument.quote
                account.moved(quote, -paid, now)
                account.earned(stamp, market.symbol, "FUNDING_FEE", -paid, quote, desk.number(), "", "FUNDING_FEE")
                desk.tell(account.name, "ACCOUNT_UPDATE", account_update(account, "FUNDING_FEE", quote, -paid, (), stamp))
        self.next_ns = now + self._every
        self._agenda.at(self.next_ns, self._settle)
