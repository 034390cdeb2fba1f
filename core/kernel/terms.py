"""What a replay is told and what it tells: streams, models, responses, folded trades."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from core.kernel import state as w

Array = NDArray[Any]


class Columns(Protocol):
    """A stream of rows: equally long arrays, sorted by `ns`."""

    @property
    def ns(self) -> Array: ...
    @property
    def kind(self) -> Array: ...
    @property
    def tick(self) -> Array: ...
    @property
    def lots(self) -> Array: ...


class DayIndex(NamedTuple):
    """What index.py finds in a day, as plain arrays. A side has its own; ranks are state.py's; rows are int32."""

    lowest: Array
    """(2,) int64: the lowest rank of each side; the highest is minus the other side's lowest."""
    exch_bests: Array
    """(rows, 2) int32: the best ranks after each row at the exchange."""
    chapter_rows: Array
    """(1,) int64: rows of a chapter."""
    chapters: Array
    """(chapters + 1,) int64: where each chapter's lists begin among all lists."""
    levels: Array
    """(lists, 2) int32: side and rank of each list."""
    starts: Array
    """(lists + 1,) int64: where each list begins in `entries`."""
    entries: Array
    """(n, 2) of the lots' type: row and lots."""
    bid_touches: Array
    """(n, 2) int32: row and rank from which on bids of ours are concerned."""
    ask_touches: Array
    bid_minima: Array
    """int32: the lowest rank of each whole block of touches."""
    ask_minima: Array
    local_bests: Array
    local_worsts: Array
    """(n, 3) int32: row, and where the search for levels ends from there on, bids and asks."""
    local_trades: Array
    local_clears: Array


class Queue(NamedTuple):
    """A queue model by name (see queue.py), with the power n of those that have one."""

    kind: str = "risk"
    power: float = 1.0


class Latency(NamedTuple):
    """Constant entry and response latency in ns, or measured `rows` (k, 3) int64: sent, at exchange, answered."""

    entry_ns: int = 0
    response_ns: int = 0
    rows: Array | None = None


class Response(NamedTuple):
    """What the exchange said. `kind` is one of state.py's kinds of response; `side` is 1 for a buy, 2 for a sell, 0 unknown.

    For a fill, price and quantity are the execution's; else the order's own price and what was open of it.
    """

    arrival_ns: int
    exch_ns: int
    order_no: int
    kind: int
    side: int
    price_ticks: int
    qty_lots: int
    leaves_lots: int
    cum_lots: int
    maker: bool


class Trades(NamedTuple):
    """Trades folded, in the order and by the names of a Tick's fields; prices are 0 where there is none."""

    trade_count: int
    buy_qty: int
    sell_qty: int
    trade_notional: int
    trade_high: int
    trade_low: int
    trade_last: int
    buy_high: int
    sell_low: int


QUEUES = {
    "risk": w.RISK,
    "power": w.POWER,
    "power2": w.POWER2,
    "power3": w.POWER3,
    "log": w.LOG,
    "log2": w.LOG2,
    "front": w.FRONT_BOUND,
    "back": w.BACK_BOUND,
}
