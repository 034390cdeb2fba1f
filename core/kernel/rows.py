"""Events to rows: what the replay reads, from what the store keeps.

A diff becomes a BID row a bid level and an ASK row an ask level, a snapshot the same behind one CLEAR, a lost book one CLEAR, a
trade one BUY or SELL.
"""

from __future__ import annotations

from typing import Any, Final

from core.kernel.layout import ASK, BID, BUY, CLEAR, SELL
from core.kernel.memory import compiled

DIFF: Final = 0
SNAPSHOT: Final = 1
LOST: Final = 2
TRADE: Final = 3

_ASK, _BID, _BUY, _CLEAR, _SELL = ASK, BID, BUY, CLEAR, SELL
_SNAPSHOT, _LOST, _TRADE = SNAPSHOT, LOST, TRADE


@compiled
def expand(
    shape: Any,
    at: Any,
    bids: Any,
    asks: Any,
    levels: tuple[Any, Any],
    trades: tuple[Any, Any, Any],
    ns: Any,
    out: tuple[Any, ...],
) -> int:
    """Write the rows of events in their order; returns how many.

    An event: its `shape`; for depth `at`, the first of its `bids` + `asks` rows in `levels` (tick, lots); for a trade `at`, its
    row in `trades` (tick, lots, side). `ns` is its time. `out`: ns, kind, tick, lots, long enough.
    """
    out_ns, out_kind, out_tick, out_lots = out
    n = 0
    for i in range(len(shape)):
        if shape[i] == _TRADE:
            k = at[i]
            out_kind[n] = _BUY if trades[2][k] == 1 else _SELL
            out_tick[n] = trades[0][k]
            out_lots[n] = trades[1][k]
            out_ns[n] = ns[i]
            n += 1
            continue
        if shape[i] == _SNAPSHOT or shape[i] == _LOST:
            out_kind[n] = _CLEAR
            out_tick[n] = 0
            out_lots[n] = 0
            out_ns[n] = ns[i]
            n += 1
        if shape[i] == _LOST:
            continue
        middle = at[i] + bids[i]
        for k in range(at[i], middle + asks[i]):
            out_kind[n] = _BID if k < middle else _ASK
            out_tick[n] = levels[0][k]
            out_lots[n] = levels[1][k]
            out_ns[n] = ns[i]
            n += 1
    return n
