"""What the session lets be traded: each instrument by all the reasons that stand against it, and what it says of that to risk.

A reason is put up (`hold`) and taken down (`lift`) by whoever knows of it. Risk hears one SecurityStatus an instrument whenever
the strictest of its reasons changes; the account's lease with the venue is renewed only for instruments that are ready.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from core.dialect.binance.wire import Wire
from core.message import SecurityStatus, TradingState
from core.risk.lease import Lease

SOURCE: Final = "session"
_STRICTNESS: Final = {TradingState.REDUCE: 1, TradingState.HALT: 2}


class Standing:
    """Reasons by instrument."""

    def __init__(self, wire: Wire, symbols: Iterable[str], leases: dict[str, Lease]) -> None:
        self._wire, self._leases = wire, leases
        self._reasons: dict[str, dict[str, tuple[TradingState, str]]] = {symbol: {} for symbol in symbols}
        self._said: dict[str, tuple[TradingState, str]] = {}

    def hold(self, symbol: str, reason: str, state: TradingState, text: str) -> None:
        """A reason against an instrument, or ("") against all of them."""
        for one in (symbol,) if symbol else tuple(self._reasons):
            self._reasons[one][reason] = state, text
            self._say(one)

    def lift(self, symbol: str, reason: str) -> None:
        """It does not stand any more."""
        for one in (symbol,) if symbol else tuple(self._reasons):
            if self._reasons[one].pop(reason, None):
                self._say(one)

    def held(self, symbol: str, reason: str) -> bool:
        """Whether a reason stands."""
        return reason in self._reasons[symbol]

    def state(self, symbol: str) -> tuple[TradingState, str]:
        """The strictest of all reasons, and its words."""
        reasons = self._reasons[symbol].values()
        return max(reasons, key=lambda one: _STRICTNESS[one[0]]) if reasons else (TradingState.READY, "")

    def _say(self, symbol: str) -> None:
        found = self.state(symbol)
        self._leases[symbol].state(SOURCE, found[1])
        if self._said.get(symbol) == found:
            return
        self._said[symbol] = found
        now = self._wire.now
        self._wire.say("risk", SecurityStatus(symbol, now, now, 0, SOURCE, *found))
