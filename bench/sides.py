"""A case run on either side: ours linear or prepared, and hftbacktest on its array depth; and whether both did the same."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import numpy as np
from hftbacktest import ROIVectorMarketDepthBacktest

from bench import reference
from bench.cases import Case
from bench.market import Market
from core.kernel import state as w
from core.kernel.replay import Latency, Queue, Replay
from core.kernel.terms import DayIndex

FEES = (0.0002, 0.0005)
"""Maker and taker, of the traded value."""
FILLS = 1 << 23


class Seen(NamedTuple):
    """What must be equal: steps and checksum, position, traded value, number of fills; then money, to rounding."""

    exact: tuple[int, ...]
    fee: float
    equity: float


def run_ours(
    market: Market, case: Case, queue: Queue, latency: Latency, index: DayIndex | None, fills: int = 0
) -> tuple[float, Seen, np.ndarray]:
    """Seconds, what is compared, and the fills."""
    replay = Replay(*market.streams, market.grid.lot, queue, latency, orders=512, fills=FILLS, index=index)
    start = time.thread_time()
    steps, checksum = case.ours(replay.at)
    seconds = time.thread_time() - start
    words = replay._words
    if words[w.FAILURE]:
        raise RuntimeError(f"the kernel failed with {words[w.FAILURE]}")
    unit = market.grid.tick * market.grid.lot
    maker, taker = words[w.MAKER_VALUE], words[w.TAKER_VALUE]
    fee = (maker * FEES[0] + taker * FEES[1]) * unit
    bid, _, ask, _ = replay.best()
    equity = words[w.CASH] * unit + words[w.POSITION] * 0.5 * (bid + ask) * unit - fee
    log = replay.fills() if fills else np.zeros((0, 6), np.int64)
    return seconds, Seen((steps, checksum, words[w.POSITION], maker + taker), fee, equity), log


def run_theirs(market: Market, case: Case, queue: Queue, latency: Latency, fills: int = 0) -> tuple[float, Seen, np.ndarray]:
    """The same of the reference, on its array depth: its hashmap depth took twice as long on the clock and the grid."""
    opening = reference.snapshot(market.bids, market.asks, market.grid)
    made, kept = reference.asset(market.events, opening, market.grid, queue, latency, partial=False, trades=1_000)
    low, high = market.bounds
    hbt = ROIVectorMarketDepthBacktest([made.trading_value_fee_model(*FEES).roi_lb(low).roi_ub(high)])
    log = np.zeros((fills, 6), np.int64)
    start = time.thread_time()
    steps, checksum = case.theirs(hbt, market.grid, log)
    seconds = time.thread_time() - start
    state = hbt.state_values(0)
    position, value = round(state.position / market.grid.lot), round(state.trading_value / market.grid.lot / market.grid.tick)
    depth = hbt.depth(0)
    mid = 0.5 * (depth.best_bid_tick + depth.best_ask_tick) * market.grid.tick
    equity = state.balance + state.position * mid - state.fee
    seen = Seen((steps, checksum, position, value), state.fee, equity)
    hbt.close()
    del kept
    return seconds, seen, log[log[:, 0] != 0]  # what was filled after the last step given is heard by nobody


def equal(one: Seen, other: Seen) -> bool:
    """Counts to the last digit, money to what summing doubles in another order may differ by."""
    money = ((one.fee, other.fee), (one.equity, other.equity))
    return one.exact == other.exact and all(math.isclose(*pair, rel_tol=1e-9, abs_tol=1e-6) for pair in money)


def same_fills(mine: np.ndarray, theirs: np.ndarray) -> bool:
    """The fills that the reference's strategy heard of, all of them, as ours; ours may have one on its way at the end."""
    order = np.lexsort((mine[:, 1], mine[:, 0]))[: len(theirs)]
    return len(mine) - len(theirs) in range(64) and np.array_equal(mine[order], theirs[np.lexsort((theirs[:, 1], theirs[:, 0]))])
