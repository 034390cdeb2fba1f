"""A stored day as the two streams of a replay: the same events in exchange order and in local order.

Times. An event's exchange time is the stored one; its local time is the raw stamp, shifted a file by the constant that makes
the file's smallest feed latency the stated base. Two corrections keep a book a book whatever the stamps say: a snapshot is not
later than the first event applied on top of it (it is what that event builds on), and no depth event takes effect before the one
it continues. The second also makes the events that were buffered before a snapshot take effect when it arrives, as in life.

Ties keep the order of the capture. Everything here is an event a row; the levels are looked at by `prepared`, block by block.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.history.dayfile import DayFile
from actors.history.folding import Depth, rules_of
from actors.history.schema import Day
from actors.history.sources import Stored
from core.kernel.rows import DIFF, LOST, SNAPSHOT, TRADE

_LINE_BITS = 40  # lines of a file, below the number of its segment


class Events(NamedTuple):
    """A day's depth events that make the book, and its trades, in capture order; for `core.kernel.rows.expand`."""

    shape: NDArray[np.uint8]
    at: NDArray[np.int64]
    bids: NDArray[np.int64]
    asks: NDArray[np.int64]
    exch_ns: NDArray[np.int64]
    local_ns: NDArray[np.int64]

    def ordered(self, order: NDArray[np.int64] | None) -> Events:
        """The events in another order; None: as they are."""
        return self if order is None else Events._make(column[order] for column in self)

    @property
    def rows(self) -> NDArray[np.int64]:
        """How many rows each becomes."""
        levels = np.where(self.shape == LOST, 0, self.bids + self.asks)
        return np.where(self.shape == TRADE, 1, levels + (self.shape == SNAPSHOT) + (self.shape == LOST))


def shifts(day: Day, base_ns: int) -> NDArray[np.int64]:
    """What to add to the local stamps of each segment."""
    return np.array([shift(segment.latency_ns_min, segment.clock_exact, base_ns) for segment in day.segments], np.int64)


def shift(latency_ns_min: int | None, exact: bool, base_ns: int) -> int:
    """What to add to a file's local stamps so that its smallest feed latency is the base; nothing where its clock is exact."""
    return 0 if exact or latency_ns_min is None else base_ns - latency_ns_min


def events(file: DayFile, base_ns: int = 0) -> Events:
    """The day's events in capture order, with their corrected times."""
    day = file.day
    sources = [Stored(file, number) for number in range(len(day.segments))]
    moved = shifts(day, base_ns)
    depth = Depth.of(sources)
    steps, _, _ = depth.plan(rules_of(day.venue), day.opening_id)
    event = np.where(steps < 0, -steps - 1, steps)
    c = depth.columns
    snapshot = c["snapshot"][event].astype(bool)
    shape = np.where(steps < 0, LOST, np.where(snapshot, SNAPSHOT, DIFF)).astype(np.uint8)
    exch_ns = c["exch_ns"][event]
    later = np.flatnonzero((shape == SNAPSHOT)[:-1])
    exch_ns[later] = np.minimum(exch_ns[later], exch_ns[later + 1])
    local_ns = c["local_ns"][event] + moved[depth.owner[event]]
    capture = (depth.owner[event] << _LINE_BITS) + c["line"][event]
    made = Events(
        shape,
        depth.start[event],
        c["bids"][event].astype(np.int64),
        c["asks"][event].astype(np.int64),
        np.maximum.accumulate(exch_ns),
        np.maximum.accumulate(local_ns),
    )
    return _merged(made, np.maximum.accumulate(capture), *_traded(sources, moved))


def _traded(sources: list[Stored], moved: NDArray[np.int64]) -> tuple[Events, NDArray[np.int64]]:
    """The trades as events, and their places in the capture."""
    columns: dict[str, list[NDArray[Any]]] = {"exch_ns": [], "local_ns": [], "capture": []}
    for number, source in enumerate(sources):
        columns["exch_ns"].append(source.column("trades", "exch_ns"))
        columns["local_ns"].append(source.column("trades", "local_ns") + moved[number])
        columns["capture"].append((number << _LINE_BITS) + source.column("trades", "line").astype(np.int64))
    exch_ns, local_ns, capture = (np.concatenate([*blocks, np.zeros(0, np.int64)]) for blocks in columns.values())
    nothing = np.zeros(len(exch_ns), np.int64)
    shape = np.full(len(exch_ns), TRADE, np.uint8)
    return Events(shape, np.arange(len(exch_ns)), nothing, nothing, exch_ns, local_ns), capture


def _merged(depth: Events, depth_capture: NDArray[np.int64], trades: Events, trades_capture: NDArray[np.int64]) -> Events:
    columns: Any = zip(depth, trades, strict=True)
    joined = Events._make(np.concatenate(pair) for pair in columns)
    return joined.ordered(np.argsort(np.concatenate([depth_capture, trades_capture]), kind="stable"))


def order(times: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """The stable order by time; None where the times are in order already."""
    if np.all(times[1:] >= times[:-1]):
        return None
    return np.argsort(times, kind="stable")
