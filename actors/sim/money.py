"""What the executions and fundings of a compiled day come to, entry by entry: sums by the ledger's own rules."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from actors.history.prepared import PreparedDay
from core.account import Account
from core.instrument import Instrument
from core.message import Funding
from core.price import E8


class Money:
    """Running totals of what risk booked, as `core/ledger.py` adds them: after n entries, for n from 0 on."""

    def __init__(self, instrument: Instrument, day: PreparedDay, booked: NDArray[np.int64]) -> None:
        self._account = account = Account(instrument)
        self.fee_e8: list[int] = []
        flow, received, turnover = [], [], 0
        fundings = day.fundings
        for _, side, price, qty, maker, *_ in booked.tolist():
            if side < 0:
                account.position = qty
                settled = int(fundings.settle_ns[price])
                funding = Funding(
                    instrument.symbol, settled, settled, settled, int(fundings.rate_e8[price]), int(fundings.mark_e8[price])
                )
                received.append(account.fund(funding))
                flow.append(0)
                self.fee_e8.append(0)
                continue
            value = account.value_units(price, qty)
            turnover += value
            flow.append(account.flow(side + 1, value))
            received.append(0)
            self.fee_e8.append(instrument.fee_e8(price, qty, maker == 1))
        self.turnover = turnover * account.unit
        self.fees_e8 = list(accumulate(self.fee_e8, initial=0))
        self.funding_e8 = list(accumulate(received, initial=0))
        flows = list(accumulate(flow, initial=0))
        self.fees, self.funding = [one / E8 for one in self.fees_e8], [one / E8 for one in self.funding_e8]
        self.cash = [
            moved * account.unit + (funding - fees) / E8
            for moved, funding, fees in zip(flows, self.funding_e8, self.fees_e8, strict=True)
        ]

    def worth(self, position: NDArray[np.int64], mids: NDArray[np.float64]) -> NDArray[np.float64]:
        """What positions are worth at prices in ticks, as cash counts: what `Account.equity` adds."""
        account = self._account
        found = []
        for held, mid in zip(position.tolist(), mids.tolist(), strict=True):
            account.position = held
            found.append(account.open_value(mid))
        return np.array(found)
