"""The venue of a dry run: the live market, and our own matching in it.

Requests and answers are those of a simulated day (`actors/sim/venue.py`), by the same kernel with the graph's queue and latency
models; only that the day is not over (`core/openday.py`): its rows are the venue's frames as they come. A frame counts as having
happened when it arrived here, so a request's way is the graph's entry latency from the market that the strategy saw.

It keeps a log of all that it has said, and answers questions from that: with a store, over the end of its process too. What
still worked then is canceled, as a venue's own countdown would. After a gap in the market its book is made anew from the next
snapshot; orders survive, and wait meanwhile in the book as it was.

Left out: funding (the normalizer tells of it), margin and filters; an order is refused while there has been no book yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, Final

from msgspec import structs

from actors.graph import Graph
from actors.live.market import Host, Market
from actors.live.paperdesk import Desk
from actors.live.paperlog import PaperLog
from actors.wiring import gateway_of, normalizer_of
from core.codec import WireError
from core.dialect.binance.hosts import VenueTable
from core.instrument import Instrument
from core.kernel.replay import FOREVER
from core.message import (
    BusinessMessageReject,
    Command,
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelRequest,
    OrderMassStatusRequest,
    OrderStatusRequest,
    OrdStatus,
)
from core.openday import OpenDay
from core.ports import Store
from core.refusal import order_refused, request_refused

UNKNOWN_ORDER: Final = 1
"""FIX CxlRejReason(102)."""
KNOWS_NOTHING: Final = 1
"""FIX BusinessRejectReason(380)."""
WITHDRAWN: Final = "all-"
"""How the ids of cancels begin that nobody sent: they are part of a cancel-all, and are not told."""


class Paper:
    """The session of all instruments. `log` keeps what was said; without one it ends with the process."""

    def __init__(
        self, host: Host, table: VenueTable, instruments: Sequence[Instrument], graph: Graph, log: Store | None = None
    ) -> None:
        OpenDay.warm()
        now = host.clock.now()
        self.host = host
        self.desks = {one.symbol: Desk(one, graph, now) for one in instruments}
        self.log = PaperLog(log)
        self.source = Market(host, table, instruments, None, self.frame, self._hand)
        for desk in self.desks.values():
            desk.market.bind_source(self.source.submit, host.clock.now)
        self._frames: deque[tuple[str, int, bytes]] = deque()
        self._nodes = {normalizer_of(symbol): desk for symbol, desk in self.desks.items()}
        self._touched: dict[str, Desk] = {}
        """Those with rows that nobody has run over yet."""
        self._ringing = False
        self.damaged = 0

    # --- as the account's host knows it

    def remember(self, message: Message) -> None:
        """What an earlier life did is in the log."""

    def start(self) -> None:
        """Cancel what an earlier life left working, and let the market in."""
        now = self.host.clock.now()
        for report in self.log.left_open(now):
            self._say(report)
        self.source.start()

    def submit(self, now: int, message: Message) -> None:
        """Take a request, a question, or the Command "cancel_all"."""
        desk = self.desks[message.symbol]
        self._drain()
        now = max(now, desk.replay.now)
        if isinstance(message, OrderStatusRequest):
            self._later(desk, lambda: self._answer(message))
        elif isinstance(message, OrderMassStatusRequest):
            asked = self.host.clock.now()
            self._later(desk, lambda: self._answer_all(message, asked))
        elif isinstance(message, Command):
            if message.verb == "cancel_all":
                self._cancel_all(desk, now)
        else:
            self._request(desk, now, message)

    def status(self) -> dict[str, Any]:
        """What an operator wants to know."""
        desks = {
            symbol: {"book": desk.market.sync.whole, "rows": desk.replay.rows_kept, "gaps": desk.market.gaps}
            for symbol, desk in self.desks.items()
        }
        return {"paper": desks, "open": len(self.log.open()), "said": len(self.log.said), "streams": self.source.status()}

    def stop(self, done: Callable[[], None]) -> None:
        """End."""
        self.source.close()
        self.host.at(self.host.clock.now(), done)

    # --- the market

    def frame(self, node: str, received: int, frame: bytes) -> None:
        """A frame of the market for an instrument's normalizer, from any thread."""
        self._frames.append((node, received, frame))
        if not self._ringing:
            self._ringing = True
            self.host.soon(self._came)

    def _hand(self, node: str, message: Message) -> None:
        desk = self._nodes[node]
        desk.market.on(self.host.clock.now(), message)

    def _came(self) -> None:
        """Frames wait: take them, and hear what they made of orders."""
        self._ringing = False
        self._drain()
        touched, self._touched = self._touched, {}
        now = self.host.clock.now()
        for desk in touched.values():
            self._run(desk, now)

    def _drain(self) -> None:
        frames = self._frames
        for _ in range(len(frames)):
            node, received, frame = frames.popleft()
            desk = self._nodes[node]
            try:
                desk.market.on_frame(received, received, frame)
            except WireError:
                self.damaged += 1
            rows = desk.market.rows(max(received, desk.replay.now, desk.replay.last_ns))
            if rows is not None:
                desk.replay.append(rows)
                self._touched[desk.symbol] = desk

    # --- matching

    def _request(self, desk: Desk, now: int, message: Message) -> None:
        original = getattr(message, "orig_cl_ord_id", "")
        if isinstance(message, NewOrderSingle):
            if not desk.market.priced:
                number = f"{desk.venue.day}-no-{message.cl_ord_id}"
                self._later(desk, lambda: self._say(order_refused(now, message, number, "paper: there has been no market yet")))
                return
        elif not desk.venue.holds(original):
            text = "Unknown order sent."
            refusal = request_refused(now, message, OrdStatus.REJECTED, UNKNOWN_ORDER, text)  # type: ignore[arg-type]
            self._later(desk, lambda: self._say(refusal))
            return
        elif not desk.venue.idle(original):
            desk.waiting.append(message)
            return
        desk.venue.arrive(now, copy(message))
        self._wake(desk, now + desk.entry_ns)

    def _cancel_all(self, desk: Desk, now: int) -> None:
        for one in self.log.open(desk.symbol):
            ids = f"{WITHDRAWN}{one.cl_ord_id}", one.cl_ord_id
            self._request(desk, now, OrderCancelRequest(desk.symbol, now, now, now, *ids, one.side, 0, one.strategy))

    def _run(self, desk: Desk, now: int) -> None:
        """Let the desk's time pass, and hand on what the venue says."""
        venue, now = desk.venue, max(now, desk.replay.now)
        while True:
            reached = venue.advance(now)
            for reply in venue.replies():
                self._say(reply)
            if reached >= now:
                break
        waiting, desk.waiting = desk.waiting, []
        for message in waiting:
            self._request(desk, now, message)
        following = desk.replay.next_response()
        if following < FOREVER:
            self._wake(desk, following)

    def _wake(self, desk: Desk, at: int) -> None:
        if at < desk.due:
            desk.due = at
            self.host.at(at, lambda: self._due(desk))

    def _due(self, desk: Desk) -> None:
        now = self.host.clock.now()
        if now >= desk.due:
            desk.due = FOREVER
        self._drain()
        self._run(desk, now)

    def _later(self, desk: Desk, call: Callable[[], None]) -> None:
        """After the way to the venue and back."""
        self.host.at(self.host.clock.now() + desk.entry_ns + desk.response_ns, call)

    def _say(self, message: Message) -> None:
        cl_ord_id = getattr(message, "cl_ord_id", "")
        if cl_ord_id.startswith(WITHDRAWN):
            if isinstance(message, OrderCancelReject):
                return
            message.cl_ord_id, message.orig_cl_ord_id = message.orig_cl_ord_id, ""  # type: ignore[attr-defined]
        if isinstance(message, ExecutionReport):
            try:
                self.log.keep(message)
            except OSError as error:
                self.host.news(2, "the paper venue's log takes nothing more", str(error))
        self.host.hand(gateway_of(message.symbol), message)

    # --- questions

    def _answer(self, asked: OrderStatusRequest) -> None:
        state = self.log.state(asked.cl_ord_id)
        hand, gateway = self.host.hand, gateway_of(asked.symbol)
        if state is None:
            now = self.host.clock.now()
            text = "Order does not exist."
            hand(gateway, BusinessMessageReject(asked.symbol, now, now, now, "H", asked.cl_ord_id, KNOWS_NOTHING, text))
            return
        for one in self.log.trades(asked.symbol, order_id=state.order_id):
            hand(gateway, one)
        hand(gateway, state)

    def _answer_all(self, asked: OrderMassStatusRequest, at: int) -> None:
        hand, gateway = self.host.hand, gateway_of(asked.symbol)
        for one in self.log.trades(asked.symbol, asked.since):
            hand(gateway, one)
        for one in self.log.open(asked.symbol):
            state = self.log.state(one.cl_ord_id)
            assert state is not None
            hand(gateway, state)
        hand(gateway, structs.replace(asked, transact_time=at))
