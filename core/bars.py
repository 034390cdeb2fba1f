"""Bars from trades, in whole ticks and lots.

A bar [open, open + period) holds the trades whose own time falls into it; a period without a trade makes no bar. The notional is
exact: a product of ticks and lots fits 63 bits, a day's sum of them may not, so it is summed in two halves.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.kernel.memory import compiled

_UNITS_NS = {"ms": 10**6, "s": 10**9, "sec": 10**9, "m": 60 * 10**9, "min": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9}
_FREQ = re.compile(r"([0-9]*)([a-zA-Z]+)", re.ASCII)


class Bars(NamedTuple):
    """Columns of bars in order of time; `notional` is the exact sum of ticks times lots, as Python integers."""

    open_ns: NDArray[np.int64]
    open: NDArray[np.int64]
    high: NDArray[np.int64]
    low: NDArray[np.int64]
    close: NDArray[np.int64]
    volume: NDArray[np.int64]
    trades: NDArray[np.int64]
    notional: list[int]


def period_ns(freq: str) -> int:
    """The length of `1min`, `5min`, `10s`, `1h`, `1d`, ... in ns. Raises ValueError for anything else."""
    match = _FREQ.fullmatch(freq)
    unit = _UNITS_NS.get(match[2] if match and match[2] in _UNITS_NS else match[2].lower() if match else "")
    count = int(match[1] or 1) if match else 0
    if not unit or not count:
        raise ValueError(f"{freq!r} is not a bar length: write 1s, 1min, 5min, 1h or 1d")
    return count * unit


def bars(ns: NDArray[np.int64], tick: NDArray[Any], lots: NDArray[Any], period: int) -> Bars:
    """Bars of `period` ns from trades at `ns`; trades out of order are put in order, those of one instant keep theirs."""
    if np.any(ns[1:] < ns[:-1]):
        order = np.argsort(ns, kind="stable")
        ns, tick, lots = ns[order], tick[order], lots[order]
    columns: NDArray[np.int64] = np.zeros((9, len(ns)), np.int64)
    count = _fold(ns, tick.astype(np.int64), lots.astype(np.int64), period, columns)
    columns = columns[:, :count]
    notional = [(high << 32) + low for high, low in zip(columns[7].tolist(), columns[8].tolist(), strict=True)]
    return Bars._make([*columns[:7], notional])


@compiled
def _fold(ns: Any, tick: Any, lots: Any, period: int, out: Any) -> int:
    count = 0
    for i in range(len(ns)):
        opened = ns[i] // period * period
        if count == 0 or out[0, count - 1] != opened:
            out[0, count] = opened
            out[1, count] = out[2, count] = out[3, count] = tick[i]
            count += 1
        bar = count - 1
        out[2, bar] = max(out[2, bar], tick[i])
        out[3, bar] = min(out[3, bar], tick[i])
        out[4, bar] = tick[i]
        out[5, bar] += lots[i]
        out[6, bar] += 1
        value = tick[i] * lots[i]
        out[7, bar] += value >> 32
        out[8, bar] += value & 0xFFFFFFFF
    return count
