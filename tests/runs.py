"""Made-up runs: day folders written by hand, so that a result's readers are tested without a simulation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from actors.results import RunFolder, filed
from actors.sim.days import DayResult

ASSUMPTIONS = {
    "feed latency": "as captured", "order latency": "1000 µs to the exchange, 1000 µs back", "queue model": "power n=3",
    "fees": "maker 0.0200%, taker 0.0500% of the notional", "busy time": "tick 50 µs a message", "midnight": "flat",
}  # fmt: skip
LOT, FEE = 0.001, 2e-4


def day(day: str, symbols: Sequence[str], minutes: float = 5, seed: int = 0, each_s: float = 7.0, **opening: float) -> DayResult:
    """A day of a maker who buys and sells at random around a random mid; `opening` is a carried account per column."""
    start = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 10**9 + 3_300_000_000
    rng = np.random.default_rng([seed, start // 10**9])
    end = min(start + int(minutes * 60e9), start // 86_400_000_000_000 * 86_400_000_000_000 + 86_400_000_000_000)
    parts = [_instrument(rng, start, end, k, each_s, opening) for k in range(len(symbols))]
    fills = {name: np.concatenate([part[0][name] for part in parts]) for name in parts[0][0]}
    equity = {name: np.concatenate([part[1][name] for part in parts]) for name in parts[0][1]}
    return DayResult(_summary(day, symbols, fills, equity, opening), _by_time(fills), _by_time(equity))


def _by_time(table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    order = np.argsort(table["time_ns"], kind="stable")
    return {name: values[order] for name, values in table.items()}


def _instrument(
    rng: np.random.Generator, start: int, end: int, number: int, each_s: float, opening: dict[str, float]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    step = 10_000_000_000
    grid = np.unique(np.r_[start, np.arange(start // step * step + step, end, step), end])
    walk = 60_000.0 / (1 + 19 * number) + np.cumsum(rng.normal(0, 2, len(grid)))
    n = max(int((end - start) / 1e9 / each_s), 1)
    time_ns = np.sort(rng.integers(start, end, n))
    side = rng.integers(1, 3, n).astype(np.int8)
    lots, maker = rng.integers(1, 5, n), rng.random(n) < 0.9
    sign = np.where(side == 1, 1, -1)
    mid = np.round(np.interp(time_ns, grid, walk), 1)
    price = mid - sign * np.where(maker, 1.0, -0.5) * rng.integers(1, 8, n) * 0.1
    fee = price * lots * LOT * np.where(maker, FEE, 2.5 * FEE)
    held = opening.get("position", 0.0) + np.cumsum(sign * lots) * LOT
    fills = {
        "time_ns": time_ns, "symbol": np.full(n, number, np.int16), "side": side, "price": price, "qty": lots * LOT,
        "price_ticks": np.round(price * 10).astype(np.int64), "qty_lots": lots, "maker": maker, "fee": fee, "position": held,
        "mid": mid, "exec_id": np.array([f"x{number}-{k}" for k in range(n)], "U64"),
    }  # fmt: skip
    at = np.searchsorted(time_ns, grid, side="right")

    def level(amounts: np.ndarray, name: str) -> np.ndarray:
        return np.concatenate([[0.0], np.cumsum(amounts)])[at] + opening.get(name, 0.0)

    position = level(sign * lots * LOT, "position")
    cash = level(-sign * price * lots * LOT - fee, "cash")
    quiet = rng.random(len(grid)) < 0.05
    equity = {
        "time_ns": grid, "symbol": np.full(len(grid), number, np.int16), "mid": walk, "bid": walk - 0.05, "ask": walk + 0.05,
        "own_bid": np.where(quiet, np.nan, walk - rng.integers(1, 9, len(grid))), "own_ask": walk + rng.integers(1, 9, len(grid)),
        "position": position, "cash": cash, "fees": level(fee, "fees"), "funding": level(fee * 0, "funding"),
        "equity": cash + position * walk, "notional": np.abs(position) * walk,
    }  # fmt: skip
    return fills, equity


def _summary(
    day: str, symbols: Sequence[str], fills: dict[str, np.ndarray], equity: dict[str, np.ndarray], opening: dict[str, float]
) -> dict[str, Any]:
    ends = [equity["equity"][equity["symbol"] == k][-1] for k in range(len(symbols))]
    fees = float(fills["fee"].sum())
    pnl = float(sum(ends)) - opening.get("equity", 0.0)
    return {
        "day": day, "instruments": list(symbols), "status": "done", "cause": None, "digest": f"{abs(hash(day)):032x}"[:32],
        "fills": len(fills["side"]), "pnl": pnl, "gross_pnl": pnl + fees, "fees": fees, "funding": 0.0,
        "turnover": float((fills["price"] * fills["qty"]).sum()), "events": 1_000_000, "messages": 5_000,
        "ticks": {"received": 9_000, "delivered": 8_000, "replaced": 1_000, "age_ns_max": 7_500_000},
        "orders": {"new": 50, "cancel": 30, "replace": 0, "rejected": 1}, "seconds": 2.5, "peak_rss_mb": 210.0,
        "rows_per_s": 400_000, "start_equity": opening.get("equity", 0.0), "end_equity": float(sum(ends)),
    }  # fmt: skip


def failed(day: str, symbols: Sequence[str], cause: str) -> dict[str, Any]:
    """The summary of a failed day, as a backtest writes it."""
    nothing = {"digest": None, "fills": 0, "pnl": 0.0, "events": 0, "seconds": 0.0, "peak_rss_mb": 0.0}
    return {"day": day, "instruments": list(symbols), "status": "failed", "cause": cause, **nothing}


def begin(path: Path, midnight: str = "flat", name: str = "made_up") -> RunFolder:
    """A run's folder with its description and no day."""
    folder = RunFolder(path)
    graph = {"name": name, "capital": 10_000.0, "midnight": midnight, "strategy": {"use": "a.py:A", "gamma": 0.3}}
    hashes = {"code": "c0de", "parameters": "9a4a", "data": {"binance_usdm:BTCUSDT 2024-07-18": "da7a"}}
    run = {
        "run": f"{name}-0123", "graph": graph, "assumptions": ASSUMPTIONS, "hashes": hashes, "versions": {"python": "3"}
    }  # fmt: skip
    folder.begin(run, f'name = "{name}"\n')
    return folder


def made(path: Path, days: int = 2, symbols: Sequence[str] = ("BTCUSDT", "ETHUSDT"), minutes: float = 5, **more: Any) -> Path:
    """A finished run: so many days from 2024-07-18 on, each instrument a task of its own."""
    folder = begin(path)
    for k in range(days):
        for number, symbol in enumerate(symbols):
            folder.write_day(filed(day(str(date(2024, 7, 18) + timedelta(k)), [symbol], minutes, seed=number, **more)))
    folder.finish()
    return path
