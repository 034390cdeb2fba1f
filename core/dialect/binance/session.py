"""The account's session with Binance USDⓈ-M futures, between gateways and venue, without a socket: inputs in, effects out.

It stands between two rules of the reliability page: an order is transmitted at most once, and only proof decides what became of
it. Its parts: requests out (`orders`), questions (`inquiries`), the private stream (`stream`) and what it
says (`hearing`), which of our ids is which of the venue's (`roster`), positions (`positions`), what may
be traded (`standing`), lease and cancel-all (`safety`), all on one wire (`wire`). How a session begins is
in `prelude`. Here is what ties them together:

1. What the stream says goes to the instrument's gateway under our ids. Executions from before the record of an instrument began
   are in its opening position and do not count.
2. The stream is never believed to be whole: every half minute, after each of its connections, and whenever a witness (an
   acknowledgement, an early hint, a position, a list of executions) knows more than it brought, the gateway is told to reconcile.
   What it turns out not to have brought makes it suspect, and it is replaced.
3. An instrument is READY when a mass status that was asked for after the stream stood is complete.
4. Open orders that this house did not send are told of once, and canceled if so configured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from core.codec import WireError
from core.dialect.binance import answers, rest
from core.dialect.binance.account import Bracket
from core.dialect.binance.answers import Answer
from core.dialect.binance.effects import Effect, Open
from core.dialect.binance.errors import Action, Proof, Verdict
from core.dialect.binance.hearing import Hearing
from core.dialect.binance.hosts import VenueTable
from core.dialect.binance.inquiries import Inquiries
from core.dialect.binance.orders import OrderRequest, Orders
from core.dialect.binance.positions import Positions
from core.dialect.binance.prelude import filters_of, prelude
from core.dialect.binance.private import parse_private
from core.dialect.binance.roster import Roster
from core.dialect.binance.safety import Safety, leases
from core.dialect.binance.standing import Standing
from core.dialect.binance.stream import WS_API, Stream
from core.dialect.binance.wire import SECOND, Wire
from core.instrument import Instrument
from core.message import (
    Command,
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassStatusRequest,
    OrderStatusRequest,
    PositionReport,
    Timer,
    TradingState,
)

PRESS_NS: Final = 3 * SECOND
"""An instrument that waits to be reconciled is asked to again."""
REGIME_NS: Final = 60 * SECOND
REFRESH_NS: Final = 60 * SECOND
CLOCK_NS: Final = 300 * SECOND


class Session:
    """One account at one venue. `brackets`: leverage brackets by symbol, as the prelude found them."""

    def __init__(
        self, venue: VenueTable, signer: rest.Signer, instruments: Iterable[Instrument], believed: Callable[[str], int]
    ) -> None:
        """`believed` gives the position, in lots, that risk holds the account to have in an instrument."""
        self.venue = venue
        self.instruments = {one.symbol: one for one in instruments}
        self.counts: Counter[str] = Counter()
        """What happened that should not: frames that are none, executions the stream did not bring, ..."""
        self.brackets: dict[str, tuple[Bracket, ...]] = {}
        self.wire = Wire(venue, signer)
        self.roster = Roster()
        held = leases(tuple(self.instruments), venue.lease_s, venue.renew_s)
        self.standing = Standing(self.wire, self.instruments, held)
        self.stream = Stream(self.wire, self._lost, self._ready)
        self.orders = Orders(self.wire, self.roster, self.instruments, self._act, self._silent)
        self.inquiries = Inquiries(self.wire, self.roster, self.instruments, self._told, self._complete)
        self.positions = Positions(self.wire, self.instruments, self.standing, believed, self.reconcile)
        self.hearing = Hearing(self)
        self.safety = Safety(self.wire, self.roster, self.instruments, held)
        self.begun = False
        self._reconciled_at: dict[str, int] = {}
        self._refreshed_at = self._press_due = 0
        self._spoken_failures = 0
        self._stopped = False

    # --- inputs

    def remember(self, message: Message) -> None:
        """Before `start`: a request that a gateway sent, or a PositionReport that risk was given, in an earlier life."""
        if isinstance(message, PositionReport):
            self.inquiries.opened.setdefault(message.symbol, message.transact_time)
        elif isinstance(message, NewOrderSingle | OrderCancelRequest | OrderCancelReplaceRequest):
            self.roster.remember(message)

    def start(self, now: int) -> None:
        """Begin."""
        self.wire.now = now
        self.standing.hold("", "start", TradingState.HALT, "the session begins")
        if self.venue.orders == "ws":
            self.wire.effects.append(Open(WS_API, self.venue.hosts.ws_api))
        self.wire.start(prelude(self))

    def submit(self, now: int, message: Message) -> None:
        """Take a request or question of a gateway, or a word of the operator ("cancel_all", "resume")."""
        self.wire.now = now
        if isinstance(message, OrderRequest):
            self.orders.submit(message)
        elif isinstance(message, OrderStatusRequest | OrderMassStatusRequest):
            known = message.symbol in self.inquiries.opened and isinstance(message, OrderStatusRequest)
            if self.begun or known:  # before that the record's beginning may not be known; gateways ask again
                self.inquiries.ask(message)
        elif isinstance(message, Command) and message.verb == "cancel_all":
            symbols = (message.symbol,) if message.symbol else tuple(self.instruments)
            self.orders.withdraw(symbols)
            self.safety.cancel_everything(symbols)
        elif isinstance(message, Command) and message.verb == "resume":
            for reason in ("key", "regime", "mode", "position"):
                self.standing.lift(message.symbol, reason)
        else:
            raise TypeError(f"a session with a venue takes no {type(message).__name__}")

    def answered(self, now: int, call: int, answer: Answer | None) -> None:
        """What came of a call; None: nothing that proves anything."""
        self.wire.now = now
        self.wire.answered(call, answer)

    def frame(self, now: int, stream: int, frame: bytes) -> None:
        """A frame of a web socket."""
        self.wire.now = now
        try:
            if stream == WS_API:
                self._reply(frame)
            else:
                self.hearing.take(parse_private(frame, now, self.instruments))
        except WireError as error:
            self.counts["frames that are none"] += 1
            self.hearing.tell_once("frame", 1, "a frame that is none", str(error))
            for symbol in self.instruments:
                self.reconcile(symbol)

    def opened(self, now: int, stream: int) -> None:
        """A web socket stands."""
        self.wire.now = now
        if stream == WS_API:
            self.wire.spoken = True
            self._spoken_failures = 0
        else:
            self.stream.opened(stream)

    def closed(self, now: int, stream: int, why: str) -> None:
        """A web socket is gone, or could not be opened."""
        self.wire.now = now
        if stream != WS_API:
            self.stream.closed(stream, why)
            return
        self.wire.speechless()
        if not self._stopped:
            self._spoken_failures += 1
            again = Open(WS_API, self.venue.hosts.ws_api)
            self.wire.after(min(SECOND * 2**self._spoken_failures // 10, 30 * SECOND), lambda: self.wire.effects.append(again))

    def wake(self, now: int) -> None:
        """Run what is due."""
        self.wire.now = now
        self.wire.wake()

    def due(self) -> int:
        """When `wake` is wanted next, ns UTC."""
        return self.wire.due()

    def take(self) -> list[Effect]:
        """What is to be done."""
        return self.wire.take()

    def stop(self, now: int) -> None:
        """End on purpose: leases are given back and the stream is closed; orders stay as they are unless they were canceled."""
        self.wire.now = now
        self._stopped = True
        self.standing.hold("", "stop", TradingState.HALT, "the session ends")
        self.safety.end()
        self.stream.stop()

    def _reply(self, frame: bytes) -> None:
        """An answer over the WebSocket API."""
        reply = answers.reply(frame)
        for one in reply.rate_limits:
            self.wire.allowance.counted(self.wire.venue_now, one.pool, one.count)
        number = str(reply.id)
        if number.isascii() and number.isdigit() and len(number) < 19:
            body = bytes(reply.result if reply.status == 200 else reply.error)
            self.wire.answered(int(number), Answer(reply.status, {}, body))

    # --- what ties the parts together

    def reconcile(self, symbol: str, key: str = "reconcile", urgent: bool = False) -> None:
        """Have a gateway compare everything; not more often than every two seconds, unless it is urgent."""
        now = self.wire.now
        if symbol not in self.instruments or (not urgent and now < self._reconciled_at.get(symbol, 0) + 2 * SECOND):
            return
        self._reconciled_at[symbol] = now
        self.wire.say(f"gateway:{symbol}", Timer("", now, now, 0, now, key))

    def press(self, key: str = "reconcile") -> None:
        """Reconcile what waits for it, until it is."""
        waiting = [symbol for symbol in self.instruments if self.standing.held(symbol, "reconcile")]
        for symbol in waiting:
            self.reconcile(symbol, key, urgent=True)
        if waiting and self.wire.now >= self._press_due:  # one chain of presses, however often the stream comes back
            self._press_due = self.wire.now + PRESS_NS
            self.wire.after(PRESS_NS, self.press)

    def _lost(self, why: str) -> None:
        self.counts["losses of the private stream"] += 1
        self.standing.hold("", "stream", TradingState.REDUCE, why)
        self.wire.tell(1, "reports may be missing", why)

    def _ready(self) -> None:
        if self.begun:
            self.standing.hold("", "reconcile", TradingState.REDUCE, "orders and executions are being compared with the venue's")
        self.standing.lift("", "stream")
        if self.begun:
            self.press()

    def _told(self, report: ExecutionReport) -> None:
        self.hearing.report(report)

    def _complete(self, symbol: str, asked_at: int, told: list[ExecutionReport], states: list[ExecutionReport]) -> None:
        """A mass status is complete."""
        if self.stream.current and asked_at >= self.stream.opened_at:
            self.standing.lift(symbol, "reconcile")
        self.hearing.compare(asked_at, told)
        for state in states:
            if not self.roster.ours(state.cl_ord_id):
                self._foreign(state)

    def _foreign(self, state: ExecutionReport) -> None:
        where = f"{state.symbol} {state.cl_ord_id or state.order_id}: {state.leaves_qty} lots at {state.price}"
        if (
            self.hearing.tell_once(f"order {state.order_id}", 1, "an open order that is not ours", where)
            and self.venue.cancel_foreign
        ):
            self.wire.ask(rest.cancel_number(state.symbol, state.order_id), lambda answer: None)

    def _silent(self, symbol: str, venue_id: str) -> None:
        """The venue confirmed a request and the stream says nothing of it."""
        self.counts["confirmed requests that the stream did not report"] += 1
        self.inquiries.status(OrderStatusRequest(symbol, cl_ord_id=venue_id))
        self.stream.suspect(f"nothing of {venue_id} came")

    def _act(self, found: Verdict, symbol: str, text: str) -> None:
        """What an answer to an order asks for, besides telling the gateway (`errors.Action`)."""
        action, wire = found.action, self.wire
        if action == Action.WAIT and not found.again:
            wire.allowance.refused(wire.venue_now, 1.0)
        elif action == Action.RESYNC_CLOCK and not found.again:
            wire.sync(lambda: None)
        elif action == Action.REDUCE:
            self.standing.hold(symbol, "regime", TradingState.REDUCE, text)
            wire.after(REGIME_NS, lambda: self.standing.lift(symbol, "regime"))
        elif action == Action.HALT:
            self.standing.hold("", "key", TradingState.HALT, text)
            wire.tell(2, "trading is halted", f"the venue says {text}")
        elif action == Action.REFRESH and wire.now >= self._refreshed_at + REFRESH_NS:
            self._refreshed_at = wire.now
            wire.start(filters_of(self))
        elif action == Action.RECONCILE and found.proof == Proof.REFUSED:
            self.reconcile(symbol)
            self.positions.look()
        elif action == Action.NEW_KEY:
            self.stream.expired(text)

    def watch(self) -> None:
        """From the end of the prelude on, as long as the session lasts."""
        for symbol in self.instruments:
            self.reconcile(symbol)
        self.positions.look()
        self.wire.after(round(self.venue.reconcile_s * SECOND), self.watch)

    def keep_time(self) -> None:
        """Clocks drift apart."""
        self.wire.sync(lambda: self.wire.after(CLOCK_NS, self.keep_time))
