"""`[guard]` of a graph file: the account's guards (`core/risk/guard.py`), and live the defaults of what a graph leaves out."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct, structs

from core.instrument import Instrument
from core.risk.limits import KEYS, GuardLimits, Limits, converted


class GuardTable(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`[guard]`: quantities in base currency, fractions as fractions; a key left out is no limit, but live the default."""

    collar: float | None = None
    stale_ms: float | None = None
    age_ms: float | None = None
    duplicate_ms: float | None = None
    refuse_self_trade: bool | None = None
    requests_1s: int | None = None
    requests_10s: int | None = None
    strategy_requests_1s: int | None = None
    strategy_requests_10s: int | None = None
    strategy_position: float | None = None
    repeats: int | None = None
    repeats_s: float = 60.0
    daily_loss: float | None = None
    drawdown: float | None = None

    def limits(self, instrument: Instrument) -> GuardLimits:
        """The account's guards."""
        mine: dict[str, Any] = {
            KEYS[name].field: converted(name, value, instrument)
            for name, value in structs.asdict(self).items()
            if KEYS[name].of == "guard"
        }
        return GuardLimits(**mine)

    def of(self, limits: Limits, instrument: Instrument) -> Limits:
        """An instrument's limits with those that stand in this table."""
        return structs.replace(limits, strategy_position=converted("strategy_position", self.strategy_position, instrument))


LIVE_DEFAULTS: Final = GuardTable(
    collar=0.05,  # Binance's own price filter on its large perpetuals (multiplierUp and Down 1.05 and 0.95): what is
    # further away it refuses, or, on instruments with a wider filter, would fill at an absurd price
    stale_ms=5_000.0,  # mark prices come every second: five in a row are missing (RTS 6 asks for alerts within five seconds)
    age_ms=1_000.0,  # a hundred times the way from a strategy to risk when all is well; less than any freeze that one notices
    duplicate_ms=50.0,  # shorter than the looks of the strategies that ship (100 ms), so that none of them repeats itself sooner
    refuse_self_trade=True,  # the venue's own prevention expires orders, after a round trip and differently by account setting
    requests_1s=50,  # a burst: one look of a strategy that quotes a dozen levels a side anew
    requests_10s=250,  # of the venue's 300 in 10 s: the rest is for cancels, which always pass
    strategy_requests_1s=40,  # so that no strategy alone spends the account's
    strategy_requests_10s=200,
    repeats=60,  # one execution a second for a minute, all on one side: Knight's went out at thousands a minute
    repeats_s=60.0,
    drawdown=0.10,  # of the day's peak
)
"""Live trading's guards where a graph says nothing; backtests have those that their graph names."""


def guards_live(table: GuardTable | None) -> GuardTable:
    """What holds live: what a graph says, and the defaults of what it leaves out, so that no guard is lost by naming another.

    A person can lift one while the account trades (`tell risk limit collar=none`), which is on the record.
    """
    said = {} if table is None else {name: value for name, value in structs.asdict(table).items() if value is not None}
    return structs.replace(LIVE_DEFAULTS, **said)
