"""What a quoting strategy is made of: two compiled functions over numpy records.

    look(view, seen, fit)                         the market goes by: `seen` is what is remembered of it, `fit` the parameters
    quote(view, seen, own, state, params, out)    a decision: which quotes are wanted now, and nothing else

`look` knows neither position nor orders, so everybody who looks with the same `fit` at the same moments sees the same: a sweep
lets the sets of parameters that differ elsewhere share it. `quote` fills `out` through `want`; who has orders that nobody wants
any more cancels them, and sends what is missing (`follow` in day.py, and the node's in core/quoter.py: one rule, written twice,
and a test holds them together).

VIEW is the Tick that a mailbox holds, as numbers, with the trades since the last look; OWN is what the strategy knows of itself.
The functions are handed a DESK's parts by address; its first three parts stand at the same place for every strategy.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from core.kernel.memory import call3, call6, compiled

LEVELS: Final = 20
"""Levels a side that a view has room for: as many as a Tick brings by default."""
QUOTES: Final = 64
"""Most quotes a side."""
BID, ASK = 0, 1

VIEW: Final = np.dtype(
    [(name, "i8") for name in ("now", "bid", "ask", "mark_e8")]
    + [(name, "i8") for name in ("trade_count", "buy_qty", "sell_qty", "trade_notional", "trade_high", "trade_low")]
    + [(name, "i8") for name in ("trade_last", "buy_high", "sell_low", "bid_levels", "ask_levels")]
    + [(name, "i8", (LEVELS, 2)) for name in ("bids", "asks")]
)
"""The market: ns UTC, best ticks (0: none), mark price in 1e-8; trades since the last look by Tick's names, in ticks and lots (0:
none); levels as (tick, lots), best first, as many as `bid_levels` and `ask_levels` say."""
OWN: Final = np.dtype([("position", "i8")])
"""Lots held, as far as reports have told."""
OUT: Final = np.dtype([("bids", "i8"), ("asks", "i8"), ("bid", "i8", (QUOTES, 2)), ("ask", "i8", (QUOTES, 2))])
"""Quotes wanted: how many a side, and each as (tick, lots), in the order in which they are to be sent."""

VIEW_NOW, VIEW_BID, VIEW_ASK, VIEW_MARK, VIEW_TRADES = range(5)
VIEW_BID_LEVELS: Final = 13
VIEW_BIDS: Final = 15
VIEW_ASKS: Final = VIEW_BIDS + 2 * LEVELS
VIEW_WORDS: Final = VIEW.itemsize // 8
OUT_COUNT: Final = 0
OUT_QUOTES: Final = 2
"""Where the fields are, in words."""


@compiled
def want(out: Any, side: int, tick: int, lots: int) -> None:
    """Ask for a quote: `side` BID or ASK, price in ticks, quantity in lots. More than QUOTES a side are not heard."""
    if side == BID and out.bids < QUOTES:
        out.bid[out.bids, 0] = tick
        out.bid[out.bids, 1] = lots
        out.bids += 1
    elif side == ASK and out.asks < QUOTES:
        out.ask[out.asks, 0] = tick
        out.ask[out.asks, 1] = lots
        out.asks += 1


@compiled
def want_grid(out: Any, side: int, first: int, step: int, count: int, lots: int) -> None:
    """Ask for `count` quotes of `lots` each: the first at `first`, each further one `step` ticks from the one before."""
    if side == BID:
        begin = out.bids
        end = min(begin + max(count, 0), QUOTES)
        for n in range(begin, end):
            out.bid[n, 0] = first + (n - begin) * step
            out.bid[n, 1] = lots
        out.bids = end
    else:
        begin = out.asks
        end = min(begin + max(count, 0), QUOTES)
        for n in range(begin, end):
            out.ask[n, 0] = first + (n - begin) * step
            out.ask[n, 1] = lots
        out.asks = end


@compiled
def run_look(look: int, market: int, seen: int, fit: int) -> None:
    """Call a strategy's `look` by addresses."""
    call3(look, market, seen, fit)


@compiled
def run_quote(quote: int, market: int, seen: int, own: int, state: int, params: int, out: int) -> None:
    """Call a strategy's `quote` by addresses."""
    call6(quote, market, seen, own, state, params, out)


def desk_of(seen: Any, fit: Any, state: Any, params: Any) -> Any:
    """The dtype of a strategy's DESK: all that its two functions read and write, one record."""
    return np.dtype(
        [("market", VIEW), ("own", OWN), ("out", OUT), ("seen", seen), ("fit", fit), ("state", state), ("params", params)]
    )
