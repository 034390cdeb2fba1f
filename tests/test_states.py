"""States of trading: of all sources' words the strictest holds, an instrument's and the account's together."""

from __future__ import annotations

from core.message import SecurityStatus, TradingState
from core.risk.states import States

READY, REDUCE, HALT = TradingState.READY, TradingState.REDUCE, TradingState.HALT


def test_the_strictest_holds_and_ready_takes_back_only_its_own_sources_word() -> None:
    states = States()
    assert not states
    assert states.strictest("A") is None
    assert states.take(SecurityStatus("A", source="market", state=REDUCE))
    assert states.take(SecurityStatus("", source="session", state=HALT))
    assert states.strictest("A").source == "session"  # type: ignore[union-attr]
    assert states.strictest("B").state == HALT  # type: ignore[union-attr]
    assert not states.take(SecurityStatus("", source="operator", state=READY)), "it wanted nothing before"
    assert states.take(SecurityStatus("", source="session", state=READY))
    assert states.strictest("A").source == "market"  # type: ignore[union-attr]
    assert states.strictest("B") is None
    assert states.take(SecurityStatus("A", source="market", state=HALT))
    assert not states.take(SecurityStatus("A", source="market", state=HALT))
    assert states.take(SecurityStatus("A", source="market", state=READY))
    assert not states
