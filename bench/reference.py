"""hftbacktest, the field's reference simulator, fed with our streams: the other side of every comparison.

The streams become its event rows: where the next row of both clocks is the same row, one event valid for both, else one for
each clock, so that each clock sees exactly its stream. `Reference` drives it row by row from Python through its C functions,
which needs no compilation; the compiled strategies in `bench/players.py` use its numba face.
"""

from __future__ import annotations

from ctypes import c_double, string_at
from typing import Any, NamedTuple

import numba
import numpy as np
from hftbacktest import BacktestAsset, binding, build_hashmap_backtest
from hftbacktest.types import (
    BUY_EVENT,
    DEPTH_CLEAR_EVENT,
    DEPTH_EVENT,
    DEPTH_SNAPSHOT_EVENT,
    EXCH_EVENT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    event_dtype,
    order_dtype,
    state_values_dtype,
)

from core.kernel.layout import ASK, BID, BUY, CLEAR, CLEAR_ASK, CLEAR_BID, SELL
from core.kernel.replay import Columns, Latency, Queue

CODES = np.zeros(8, np.uint64)
CODES[BID] = DEPTH_EVENT | BUY_EVENT
CODES[ASK] = DEPTH_EVENT | SELL_EVENT
CODES[BUY] = TRADE_EVENT | BUY_EVENT
CODES[SELL] = TRADE_EVENT | SELL_EVENT
CODES[CLEAR] = DEPTH_CLEAR_EVENT
CODES[CLEAR_BID] = DEPTH_CLEAR_EVENT | BUY_EVENT
CODES[CLEAR_ASK] = DEPTH_CLEAR_EVENT | SELL_EVENT
TIFS = {"1": 0, "5": 1, "4": 2, "3": 3}
NEW, EXPIRED, FILLED, CANCELED, PARTIALLY_FILLED = 1, 2, 3, 4, 5


class Grid(NamedTuple):
    """Tick and lot size as floats."""

    tick: float
    lot: float

    def price(self, ticks: Any) -> Any:
        """Ticks as prices: the doubles nearest to the decimals, where a unit is a whole number of ticks."""
        return _units(ticks, self.tick)

    def qty(self, lots: Any) -> Any:
        """Lots as quantities, likewise."""
        return _units(lots, self.lot)


def _units(count: Any, size: float) -> Any:
    per_unit = round(1 / size)
    return count / per_unit if per_unit >= 1 and abs(per_unit * size - 1) < 1e-9 else count * size


@numba.njit(cache=True)
def _merge(exch_ns, exch_kind, exch_tick, exch_lots, local_ns, local_kind, local_tick, local_lots, codes, out):
    i, j, n = 0, 0, 0
    while i < len(exch_ns) or j < len(local_ns):
        both = i < len(exch_ns) and j < len(local_ns)
        if both and exch_kind[i] == local_kind[j] and exch_tick[i] == local_tick[j] and exch_lots[i] == local_lots[j]:
            out[n]["ev"] = codes[exch_kind[i]] | np.uint64(EXCH_EVENT) | np.uint64(LOCAL_EVENT)
            out[n]["exch_ts"], out[n]["local_ts"] = exch_ns[i], local_ns[j]
            out[n]["ival"], out[n]["order_id"] = exch_tick[i], exch_lots[i]
            i, j, n = i + 1, j + 1, n + 1
            continue
        if i < len(exch_ns):
            out[n]["ev"] = codes[exch_kind[i]] | np.uint64(EXCH_EVENT)
            out[n]["exch_ts"] = out[n]["local_ts"] = exch_ns[i]
            out[n]["ival"], out[n]["order_id"] = exch_tick[i], exch_lots[i]
            i, n = i + 1, n + 1
        if j < len(local_ns):
            out[n]["ev"] = codes[local_kind[j]] | np.uint64(LOCAL_EVENT)
            out[n]["exch_ts"] = out[n]["local_ts"] = local_ns[j]
            out[n]["ival"], out[n]["order_id"] = local_tick[j], local_lots[j]
            j, n = j + 1, n + 1
    return n


def events(exch: Columns, local: Columns, grid: Grid) -> np.ndarray:
    """The reference's event rows for two streams."""
    out = np.zeros(len(exch.ns) + len(local.ns), event_dtype)
    count = _merge(exch.ns, exch.kind, exch.tick, exch.lots, local.ns, local.kind, local.tick, local.lots, CODES, out)
    rows = out[:count].copy()
    rows["px"] = grid.price(rows["ival"])
    rows["qty"] = grid.qty(rows["order_id"])
    rows["ival"] = 0
    rows["order_id"] = 0
    return rows


def snapshot(bids: np.ndarray, asks: np.ndarray, grid: Grid) -> np.ndarray:
    """The opening book as the reference's snapshot rows."""
    rows = np.zeros(len(bids) + len(asks), event_dtype)
    rows["ev"][: len(bids)] = DEPTH_SNAPSHOT_EVENT | BUY_EVENT | EXCH_EVENT | LOCAL_EVENT
    rows["ev"][len(bids) :] = DEPTH_SNAPSHOT_EVENT | SELL_EVENT | EXCH_EVENT | LOCAL_EVENT
    levels = np.concatenate([np.asarray(bids).reshape(-1, 2), np.asarray(asks).reshape(-1, 2)])
    rows["px"] = grid.price(levels[:, 0])
    rows["qty"] = grid.qty(levels[:, 1])
    return rows


LATENCY_TYPE = np.dtype([("req_ts", "i8"), ("exch_ts", "i8"), ("resp_ts", "i8"), ("_padding", "i8")], align=True)


def asset(
    rows: np.ndarray, opening: np.ndarray, grid: Grid, queue: Queue, latency: Latency, partial: bool, trades: int = 0
) -> tuple[BacktestAsset, list[np.ndarray]]:
    """An asset, and the arrays that must outlive it."""
    kept = [rows, opening]
    made = BacktestAsset().data(rows).linear_asset(1.0).tick_size(grid.tick).lot_size(grid.lot).trading_value_fee_model(0.0, 0.0)
    if len(opening):
        made = made.initial_snapshot(opening)
    if latency.rows is None:
        made = made.constant_order_latency(latency.entry_ns, latency.response_ns)
    else:
        table = np.zeros(len(latency.rows), LATENCY_TYPE)
        for name, column in zip(("req_ts", "exch_ts", "resp_ts"), np.asarray(latency.rows).T, strict=True):
            table[name] = column
        kept.append(table)
        made = made.intp_order_latency(table)
    made = made.partial_fill_exchange() if partial else made.no_partial_fill_exchange()
    if trades:
        made = made.last_trades_capacity(trades)
    if queue.kind == "risk":
        return made.risk_adverse_queue_model(), kept
    if queue.kind.startswith("power"):
        name = "power_prob_queue_model" + queue.kind.removeprefix("power")
        return getattr(made, name)(queue.power), kept
    return getattr(made, {"log": "log_prob_queue_model", "log2": "log_prob_queue_model2"}[queue.kind])(), kept


def _record(at: int, dtype: np.dtype) -> Any:
    """A copy of the record at an address."""
    return np.frombuffer(string_at(at, dtype.itemsize), dtype)[0]


class Reference:
    """The reference behind plain Python calls, one instrument. `order` and `best` tell what its strategy would see."""

    def __init__(self, made: BacktestAsset, kept: list[np.ndarray], grid: Grid) -> None:
        self._kept = kept
        self._grid = grid
        self.pointer = build_hashmap_backtest([made])
        self._orders = binding.hashmapbt_orders(self.pointer, 0)
        self._depth = binding.hashmapbt_depth(self.pointer, 0)

    @property
    def now(self) -> int:
        """Its clock."""
        return int(binding.hashmapbt_current_timestamp(self.pointer))

    def elapse(self, ns: int) -> int:
        """0, or 1 at the end of the data."""
        return int(binding.hashmapbt_elapse(self.pointer, ns))

    def next_feed(self, timeout: int, responses: bool = False) -> int:
        """Wait for the next feed: 0 timeout, 1 end, 2 feed, 3 response."""
        return int(binding.hashmapbt_wait_next_feed(self.pointer, responses, timeout))

    def new(self, order_no: int, side: int, price: int, lots: int, market: bool, tif: str) -> int:
        """Submit; an error code of the reference, else 0."""
        submit = binding.hashmapbt_submit_buy_order if side == 1 else binding.hashmapbt_submit_sell_order
        arguments = (self._grid.price(price), self._grid.qty(lots), TIFS[tif], int(market), False)
        return int(submit(self.pointer, 0, order_no, *arguments))

    def cancel(self, order_no: int) -> int:
        """Cancel; an error code, else 0."""
        return int(binding.hashmapbt_cancel(self.pointer, 0, order_no, False))

    def modify(self, order_no: int, price: int, lots: int) -> int:
        """Modify; an error code, else 0."""
        return int(binding.hashmapbt_modify(self.pointer, 0, order_no, self._grid.price(price), self._grid.qty(lots), False))

    def order(self, order_no: int) -> Any:
        """The order's record as its strategy sees it, None if unknown."""
        at = binding.orders_get(self._orders, order_no)
        return _record(at, order_dtype) if at else None

    def best(self) -> tuple[int, int]:
        """Local best bid and ask in ticks; the reference's own markers where there is none."""
        return int(binding.hashmapdepth_best_bid_tick(self._depth)), int(binding.hashmapdepth_best_ask_tick(self._depth))

    def lots(self, side: int, tick: int) -> int:
        """Local lots at a price."""
        read = binding.hashmapdepth_bid_qty_at_tick if side == 1 else binding.hashmapdepth_ask_qty_at_tick
        read.restype = c_double
        return round(read(self._depth, tick) / self._grid.lot)

    def state(self) -> Any:
        """Position, balance, fee and so on."""
        return _record(binding.hashmapbt_state_values(self.pointer, 0), state_values_dtype)

    def close(self) -> None:
        """Free it."""
        binding.hashmapbt_close(self.pointer)
