"""What each instrument and the account may do now: the strictest of what all sources want.

A source (the session, the market, the door, the operator, a loss) wants a TradingState of one instrument or, with no symbol, of
the account. READY takes its word back. HALT takes cancels alone, REDUCE also what can only reduce the position.
"""

from __future__ import annotations

from typing import Final

from core.message import SecurityStatus, TradingState

STRICTNESS: Final = {TradingState.READY: 0, TradingState.REDUCE: 1, TradingState.HALT: 2}


class States:
    """The words of all sources, by source and symbol; those that want READY are not kept."""

    def __init__(self) -> None:
        self._wanted: dict[tuple[str, str], SecurityStatus] = {}

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def take(self, status: SecurityStatus) -> bool:
        """A source's word; True when it changes what that source wants."""
        key = status.source, status.symbol
        before = self._wanted.pop(key, None)
        if status.state != TradingState.READY:
            self._wanted[key] = status
        return (before.state if before else TradingState.READY) != status.state

    def words(self) -> list[SecurityStatus]:
        """What all sources want that is not READY."""
        return list(self._wanted.values())

    def strictest(self, symbol: str) -> SecurityStatus | None:
        """The word that holds for an instrument ("": for the account as a whole); None when it is ready."""
        mine = [one for one in self._wanted.values() if one.symbol in ("", symbol)]
        return max(mine, key=lambda one: STRICTNESS[one.state]) if mine else None
