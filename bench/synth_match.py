"""How like the real captures a generated day is: `python -m bench.synth_match [--captures DIR] [--events N ...] [--json FILE]`.

Generated days and captures go through the same measures, in exchange order; the table is printed as Markdown, one column a day.
A capture lasts two to nine minutes of one day of one year: the columns differ among each other by more than any day is typical.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from actors.history.importer import Importer
from actors.history.prepared import Columns
from actors.history.synth import generated_day
from actors.history.tickdb import TickDb
from bench.table import cpu
from core.kernel.layout import ASK, BID, BUY, CLEAR, SELL

SECOND = 1_000_000_000
CAPTURES = Path(os.environ.get("ASTRARIUM_CAPTURES", Path(__file__).resolve().parents[2] / "shared" / "data"))
DEPTH = 1_000
"""Ticks behind the touch that the profile takes in."""
ZONES = ((1, 5), (6, 20), (21, 100), (101, 1_000))


class Walk(NamedTuple):
    """What a book going through the rows has seen."""

    frames: np.ndarray
    """A row a frame: ns, rows, bid, bid lots, ask before the next."""
    trades: np.ndarray
    """A row a trade: ns, side (+1 bought), lots, ticks, twice the ticks beyond the mid."""
    distances: np.ndarray
    """Depth rows by how far behind the touch they are: better, 0, each of ZONES, beyond; and those of them that remove."""
    lots: np.ndarray
    held: np.ndarray
    """By distance: mean quantity, and share of samples with any; a sample a second and side."""


@njit
def _walk(  # noqa: PLR0912, PLR0915
    rows: Any, low: int, book: Any, frames: Any, trades: Any, distances: Any, lots: Any, held: Any
) -> tuple[int, int, int]:
    """Frames, trades and samples seen; fills the arrays. The book is by tick less `low`."""
    ns, kind, tick, quantity = rows
    bid, ask = -1, book.shape[1]
    count, traded, samples, due = 0, 0, 0, 0
    k = 0
    for at in range(book.shape[1]):
        if book[0, at] > 0:
            bid = at
        if book[1, at] > 0 and at < ask:
            ask = at
    while k < len(ns):
        at = tick[k] - low
        if kind[k] == BUY or kind[k] == SELL:
            sign = 1 if kind[k] == BUY else -1
            trades[traded, 0], trades[traded, 1], trades[traded, 2] = ns[k], sign, quantity[k]
            trades[traded, 3], trades[traded, 4] = at, sign * (2 * at - bid - ask)
            traded += 1
            k += 1
            continue
        old = (bid, ask)
        first = k
        while k < len(ns) and ns[k] == ns[first] and (kind[k] == BID or kind[k] == ASK or kind[k] == CLEAR):
            at = tick[k] - low
            if kind[k] == CLEAR:
                book[:] = 0
                bid, ask = -1, book.shape[1]
            else:
                side = 1 if kind[k] == ASK else 0
                far = at - old[1] if side else old[0] - at
                zone = 0 if far < 0 else 1 if far == 0 else 2 if far <= 5 else 3 if far <= 20 else 4 if far <= 100 else 5
                zone = 6 if far > 1_000 else zone
                distances[0, zone] += 1
                distances[1, zone] += quantity[k] == 0
                if 0 <= at < book.shape[1]:
                    book[side, at] = quantity[k]
                    if quantity[k] > 0 and side == 0:
                        bid = max(bid, at)
                    if quantity[k] > 0 and side == 1:
                        ask = min(ask, at)
            k += 1
        while bid > 0 and book[0, bid] == 0:
            bid -= 1
        while ask < book.shape[1] - 1 and book[1, ask] == 0:
            ask += 1
        frames[count, 0], frames[count, 1] = ns[first], k - first
        frames[count, 2], frames[count, 3], frames[count, 4] = bid, book[0, bid], ask
        count += 1
        if ns[first] >= due and bid > len(lots) and ask < book.shape[1] - len(lots):
            due = ns[first] + 1_000_000_000
            samples += 2
            for d in range(len(lots)):
                lots[d] += book[0, bid - d] + book[1, ask + d]
                held[d] += (book[0, bid - d] > 0) + (book[1, ask + d] > 0)
    return count, traded, samples


def walk(stream: Columns, bids: np.ndarray, asks: np.ndarray) -> Walk:
    """Take a book through a day's rows. Levels beyond a quarter of a million ticks of the middle are passed over."""
    middle = int(np.median(stream.tick[stream.kind == BUY]))
    low = max(0, middle - (1 << 18))
    book = np.zeros((2, 1 << 19), np.int64)
    for side, levels in enumerate((bids, asks)):
        inside = levels[(levels[:, 0] >= low) & (levels[:, 0] < low + book.shape[1])]
        book[side, inside[:, 0] - low] = inside[:, 1]
    frames, trades = np.zeros((len(stream.ns), 5), np.int64), np.zeros((len(stream.ns), 5), np.int64)
    distances, lots, held = np.zeros((2, 7)), np.zeros(DEPTH + 1), np.zeros(DEPTH + 1)
    rows = tuple(np.ascontiguousarray(column) for column in stream)
    count, traded, samples = _walk(rows, low, book, frames, trades, distances, lots, held)
    frames, trades = frames[:count], trades[:traded]
    large = frames[:, 1] > 1_500  # a snapshot, or what fills up a generated day
    return Walk(frames[~large], trades, distances, lots / samples, held / samples)


def measures(stream: Columns, local: Columns, bids: np.ndarray, asks: np.ndarray) -> dict[str, float]:
    """What is compared. Lots are 0.001 BTC, ticks 0.10 USDT."""
    seen = walk(stream, bids, asks)
    return {**_pace(seen), **_bursts(seen), **_price(seen), **_book(seen), **_latency(stream, local)}


def _pace(seen: Walk) -> dict[str, float]:
    ns, rows = seen.frames[:, 0], seen.frames[:, 1]
    return {
        "depth rows a second": rows.sum() / (ns[-1] - ns[0]) * SECOND,
        "rows a frame, median": float(np.median(rows)),
        "rows a frame, 95 % over median": float(np.quantile(rows, 0.95) / np.median(rows)),
        "between frames, median, ms": float(np.median(np.diff(ns)) / 1e6),
        "between frames, 95 %, ms": float(np.quantile(np.diff(ns), 0.95) / 1e6),
    }


def _bursts(seen: Walk) -> dict[str, float]:
    ns, side, lots, tick, beyond = seen.trades.T
    times, first, sizes = np.unique(ns, return_index=True, return_counts=True)
    gaps = np.diff(times) / 1e6
    signs = side[first].astype(float)
    width = np.maximum.reduceat(tick, first) - np.minimum.reduceat(tick, first)
    reach = np.maximum.reduceat(beyond, first) / 2
    a_second = np.bincount((times - times[0]) // SECOND)
    return {
        "between bursts, mean, ms": gaps.mean(),
        "between bursts, median, ms": float(np.median(gaps)),
        "between bursts, coefficient of variation": gaps.std() / gaps.mean(),
        "bursts a second, variance over mean": a_second.var() / a_second.mean(),
        "trades a burst, mean": sizes.mean(),
        "bursts of one trade, share": float((sizes == 1).mean()),
        "trades a burst, 99 %": float(np.quantile(sizes, 0.99)),
        "trade, median, lots": float(np.median(lots)),
        "trade, 95 %, lots": float(np.quantile(lots, 0.95)),
        "trade, 99 %, lots": float(np.quantile(lots, 0.99)),
        "sides of bursts, autocorrelation at 1": float(np.corrcoef(signs[1:], signs[:-1])[0, 1]),
        "sides of bursts, autocorrelation at 10": float(np.corrcoef(signs[10:], signs[:-10])[0, 1]),
        "bursts at several prices, share": float((width > 0).mean()),
        "reach beyond the mid, 95 %, ticks": float(np.quantile(reach, 0.95)),
        "reach beyond the mid, 99 %, ticks": float(np.quantile(reach, 0.99)),
    }


def _price(seen: Walk) -> dict[str, float]:
    ns, _, bid, _, ask = seen.frames.T
    found = {
        "spread of one tick, share of frames": float((ask - bid == 1).mean()),
        "frames in which the best bid stays, share": float((np.diff(bid) == 0).mean()),
    }
    for seconds in (0.1, 1.0, 10.0):
        grid = np.arange(ns[0], ns[-1], int(seconds * SECOND))
        at = np.searchsorted(ns, grid, side="right") - 1
        moves = np.diff((bid + ask)[at] / 2)
        found[f"volatility over {seconds:g} s, ticks a root second"] = moves.std() / np.sqrt(seconds)
        if seconds == 1.0:
            found["seconds in which the mid stays, share"] = float((moves == 0).mean())
    return found


def _book(seen: Walk) -> dict[str, float]:
    found = {"touch, median, lots": float(np.median(seen.frames[:, 3]))}
    for first, last in ZONES:
        found[f"lots a tick, {first} to {last} behind the touch"] = seen.lots[first : last + 1].mean()
    for first, last in ZONES:
        found[f"levels held, {first} to {last} behind"] = seen.held[first : last + 1].mean()
    rows = seen.distances[0]
    names = ("better than the touch", "at it", *(f"{first} to {last} behind" for first, last in ZONES), "beyond")
    found |= {f"depth rows {name}, share": rows[zone] / rows.sum() for zone, name in enumerate(names)}
    found["depth rows that remove, share"] = seen.distances[1].sum() / rows.sum()
    return found


def _latency(stream: Columns, local: Columns) -> dict[str, float]:
    """Over the least one, for a capture's clock is not the exchange's. Frames only; both streams hold them in the same order."""
    times = [rows.ns[(rows.kind == BID) | (rows.kind == ASK)] for rows in (stream, local)]
    late = np.sort(times[1] - times[0])
    late = (late - late[0]) / 1e6
    return {
        "depth latency over the least, median, ms": float(np.median(late)),
        "depth latency over the least, 95 %, ms": float(np.quantile(late, 0.95)),
    }


def captured(folder: Path, root: Path) -> dict[str, dict[str, float]]:
    """The measures of each BTCUSDT capture's day that has a book."""
    importer = Importer(root)
    for file in sorted((folder / "hftbacktest" / "usdm").glob("btcusdt*")):
        importer.run(file)
    db, found = TickDb(root), {}
    for key in db.instruments():
        for name in db.days(key):
            day = db.prepared(key, name)
            if len(day.exch.ns) > 10_000:
                found[name] = measures(day.exch, day.local, day.bids, day.asks)
    return found


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.synth_match", description=__doc__.splitlines()[0])
    parser.add_argument("--captures", type=Path, default=CAPTURES)
    parser.add_argument("--events", type=lambda text: int(float(text)), nargs="*", default=[1_000_000, 50_000_000])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json")
    options = parser.parse_args()
    columns = {f"generated, {n:,} rows": measures(*generated_day(events=n, seed=options.seed)) for n in options.events}
    with tempfile.TemporaryDirectory() as root:
        columns |= captured(options.captures, Path(root))
    rows = [{"measure": name, **{day: found[name] for day, found in columns.items()}} for name in next(iter(columns.values()))]
    print("| " + " | ".join(rows[0]) + " |\n|---|" + "---:|" * len(columns))
    for row in rows:
        print("| " + " | ".join(value if isinstance(value, str) else _figure(value) for value in row.values()) + " |")
    if options.json:
        machine = {"python": platform.python_version(), "cpu": cpu()}
        Path(options.json).write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
