"""One instrument of the paper venue: its market as rows, the day that is not over, and a simulated venue's words."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from actors.graph import US, Graph
from actors.history.prepared import PreparedDay
from actors.live.papermarket import PaperMarket
from actors.sim.venue import SimVenue
from core.instrument import Instrument
from core.kernel.replay import FOREVER, Latency, Queue
from core.message import Message
from core.openday import OpenDay, Rows

MS: Final = 1_000_000


class _NoMarks(NamedTuple):
    local_ns: Any
    mark_e8: Any


class _Today(NamedTuple):
    """What a simulated venue asks of its day, of one that has no end: no rows beforehand, and a name for ids."""

    day: str
    exch: Any
    local: Any
    marks: _NoMarks


class Desk:
    """One instrument: its market as rows, the open day, and the session's words."""

    def __init__(self, instrument: Instrument, graph: Graph, now: int) -> None:
        latency, queue = graph.latency, graph.queue
        self.symbol, self.instrument = instrument.symbol, instrument
        self.entry_ns, self.response_ns = round(latency.order_entry_us * US), round(latency.order_response_us * US)
        model = Latency(self.entry_ns, self.response_ns)
        self.replay = OpenDay(instrument.lot_float, Queue(queue.model, queue.n), model, queue.partial_fills, start_ns=now)
        none = Rows.empty(0)
        today = _Today(f"paper{now // MS}", none, none, _NoMarks(none.ns, none.lots))
        self.venue = SimVenue(instrument, _as_day(today), self.replay, 1, now + 1)
        self.venue._numbers = now // MS  # order numbers, too, are unique over the lives of this venue
        self.market = PaperMarket(instrument)
        self.waiting: list[Message] = []
        """Requests about orders of which something else is being asked: one after the other, as they came."""
        self.due = FOREVER
        """When the loop will look at it next by itself."""


def _as_day(today: Any) -> PreparedDay:
    return today  # type: ignore[no-any-return]
