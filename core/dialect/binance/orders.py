"""Orders, cancels and replaces to Binance: measured, paid for, transmitted, and what the answer makes of them.

The table of `errors.py` says what an answer proves; here is what follows:

| proof | what the gateway hears |
|---|---|
| confirmed | nothing: the stream reports. If it does not within two seconds, the order is asked about, the stream suspected |
| refused | Rejected, or an OrderCancelReject |
| not found | an OrderCancelReject "unknown order": the gateway asks what became of it |
| arrived, unknown | Unanswered: the gateway asks until it is proved |

A request is transmitted again, under the same id, only where the answer proves that it was refused before the engine: after one
measurement of the clock (-1021), or when the venue takes requests again (429, 418, -1003, 503 that says so). A new order or a
replace that is then older than a second is refused, because its market is gone; a cancel is kept for five. What fails one of the
venue's filters, or finds no allowance, is refused here and costs nothing. A cancel may pass what is held back so, for it has an
allowance of its own: what it takes back is then withdrawn, and so is everything when all is to be canceled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from msgspec import Struct

from core.codec import WireError
from core.dialect.binance import answers, rest
from core.dialect.binance.answers import Answer, refusal
from core.dialect.binance.errors import Action, Proof, Verdict, verdict
from core.dialect.binance.filters import WEIGHT, Filters
from core.dialect.binance.roster import Roster
from core.dialect.binance.wire import SECOND, Wire
from core.instrument import Instrument
from core.message import NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest, OrdStatus, Unanswered
from core.refusal import order_refused, request_refused

FRESH_NS: Final = 1 * SECOND
"""A new order or replace that could leave only later than this after it was made does not leave."""
CANCEL_NS: Final = 5 * SECOND
SILENT_NS: Final = 2 * SECOND
"""After the venue confirmed a request its report is on the stream within milliseconds; later than this, it is asked for."""
UNKNOWN_ORDER: Final = 1
OTHER: Final = 99
"""FIX CxlRejReason(102)."""

OrderRequest = NewOrderSingle | OrderCancelRequest | OrderCancelReplaceRequest


class _Sent(Struct):
    """One request on its way: made and last transmitted at (ns UTC), how often it was refused before the engine."""

    message: OrderRequest
    venue_id: str
    request: rest.Request
    made: int
    sent: int = 0
    tries: int = 0
    resynced: bool = False

    @property
    def reducing(self) -> bool:
        """Whether it may use what is kept for what reduces risk."""
        message = self.message
        return isinstance(message, OrderCancelRequest) or (isinstance(message, NewOrderSingle) and message.reduce_only)

    @property
    def lasts_ns(self) -> int:
        """How long after it was made it may still leave."""
        return CANCEL_NS if isinstance(self.message, OrderCancelRequest) else FRESH_NS


class Orders:
    """The way of requests about orders. `act` is told what an answer asks the session to do, about which instrument."""

    def __init__(
        self,
        wire: Wire,
        roster: Roster,
        instruments: Mapping[str, Instrument],
        act: Callable[[Verdict, str, str], None],
        silent: Callable[[str, str], None],
    ) -> None:
        self.filters: dict[str, Filters] = {}
        """By symbol; nothing is sent for an instrument that has none yet."""
        self.transmitted = 0
        self._wire, self._roster, self._instruments = wire, roster, instruments
        self._act, self._silent = act, silent
        self._held: dict[str, _Sent] = {}
        """What is not at the venue, for certain, and is to leave later."""

    def submit(self, message: OrderRequest) -> None:
        """Take one from a gateway."""
        instrument = self._instruments[message.symbol]
        if isinstance(message, OrderCancelRequest) and self._withdrawn(message):
            self._refuse(message, "session: the order had not left", Proof.NOT_FOUND)
            return
        reason = "" if isinstance(message, OrderCancelRequest) else self._reason(message)
        if reason:
            self._refuse(message, f"session: {reason}")
            return
        venue_id = self._roster.remember(message, self._wire.now)
        if isinstance(message, NewOrderSingle):
            request = rest.new_order(instrument, message)
        elif isinstance(message, OrderCancelRequest):
            request = rest.cancel(message, venue_id)
        else:
            request = rest.replace(instrument, message, venue_id)
        self._leave(_Sent(message, venue_id, request, self._wire.now))

    def withdraw(self, symbols: Collection[str]) -> None:
        """What of these instruments has not left does not leave any more, but for cancels."""
        for one in [one for one in self._held.values() if one.message.symbol in symbols]:
            if not isinstance(one.message, OrderCancelRequest):
                self._take_back(one)

    def _withdrawn(self, cancel: OrderCancelRequest) -> bool:
        """Whether what is to be canceled had not left, and now never will. Amendments of it do not leave either."""
        original = cancel.orig_cl_ord_id
        for one in list(self._held.values()):
            message = one.message
            if isinstance(message, OrderCancelReplaceRequest) and original in (message.cl_ord_id, message.orig_cl_ord_id):
                self._take_back(one)
        order = self._held.get(original)
        if order is None:
            return False
        self._take_back(order)
        return True

    def _take_back(self, one: _Sent) -> None:
        del self._held[one.message.cl_ord_id]
        self._refuse(one.message, "session: canceled before it left")

    def _reason(self, message: NewOrderSingle | OrderCancelReplaceRequest) -> str:
        if isinstance(message, OrderCancelReplaceRequest) and message.orig_cl_ord_id in self._held:
            return "what it amends has not left"
        filters = self.filters.get(message.symbol)
        if filters is None:
            return "the session has not begun"
        if isinstance(message, NewOrderSingle) and message.time_in_force not in rest.TIMES_IN_FORCE:
            return f"the venue has no time in force {message.time_in_force}"
        return filters.refusal(message, len(self._roster.open.get(message.symbol, ())))

    def _leave(self, one: _Sent) -> None:
        wire = self._wire
        cost = {WEIGHT: one.request.weight, "ORDERS:10S": one.request.orders, "ORDERS:1M": one.request.orders}
        wait = wire.allowance.take(wire.venue_now, cost, one.reducing)
        if wait:
            self._later(one, wait - wire.venue_now, "too many requests")
            return
        one.sent = wire.now
        self.transmitted += 1
        lane = "ws" if wire.venue.orders == "ws" and wire.spoken else "orders"
        wire.transmit(one.request, lane, wire.venue.answer_ms * 1_000_000, lambda answer: self._answered(one, answer))  # type: ignore[arg-type]

    def _later(self, one: _Sent, wait_ns: int, why: str) -> None:
        """It was not sent, or refused before the engine: it leaves after a while, if it is then still worth it."""
        if self._wire.now + wait_ns > one.made + one.lasts_ns:
            self._refuse(one.message, f"session: {why}, for {wait_ns / 1e9:.1f} s more")
        else:
            self._held[one.message.cl_ord_id] = one
            self._wire.after(wait_ns, lambda: self._leave(one) if self._released(one) else None)

    def _released(self, one: _Sent) -> bool:
        """Whether it is still to leave."""
        return self._held.pop(one.message.cl_ord_id, None) is not None

    # --- answers

    def _answered(self, one: _Sent, answer: Answer | None) -> None:
        code, text = refusal(answer.body) if answer is not None and answer.status != 200 else (0, "")
        found = verdict(answer.status if answer is not None else None, code, text)
        self._act(found, one.message.symbol, f"{code} {text}".strip())
        if found.proof == Proof.CONFIRMED:
            self._confirmed(one, answer)
        elif found.again:
            self._again(one, found, f"{answer.status if answer else ''} {code} {text}")
        elif found.proof in (Proof.UNKNOWN, Proof.ARRIVED):
            self._unanswered(one, f"{code} {text}" if answer is not None else "no answer")
        else:
            self._refuse(one.message, f"venue: {code} {text}", found.proof)

    def _confirmed(self, one: _Sent, answer: Answer | None) -> None:
        """The stream is to report it. The acknowledgement tells the order's number, and where the report is to be missed."""
        try:
            state = answers.order(answer.body if answer else b"", self._wire.now, self._instruments)
            if state.cl_ord_id == one.venue_id:
                self._roster.name(state.order_id, one.venue_id)
        except WireError:
            pass
        symbol, venue_id = one.message.symbol, one.venue_id
        sent = one.sent

        def missed() -> None:
            if self._roster.heard.get(venue_id, -1) < sent:
                self._silent(symbol, venue_id)

        self._wire.after(SILENT_NS, missed)

    def _again(self, one: _Sent, found: Verdict, why: str) -> None:
        one.tries += 1
        if found.action == Action.RESYNC_CLOCK:
            if one.resynced:
                self._refuse(one.message, f"venue: {why}, after the clock was measured anew")
                return
            one.resynced = True
            self._held[one.message.cl_ord_id] = one
            self._wire.sync(lambda: self._later(one, 0, "the clock was wrong") if self._released(one) else None)
        else:
            self._later(one, SECOND * 2**one.tries // 10, f"venue: {why}")

    def _unanswered(self, one: _Sent, why: str) -> None:
        message = one.message
        original = "" if isinstance(message, NewOrderSingle) else message.orig_cl_ord_id
        said = Unanswered(message.symbol, one.sent, self._wire.now, 0, message.cl_ord_id, original, why, message.strategy)
        self._wire.say(f"gateway:{message.symbol}", said)

    def _refuse(self, message: OrderRequest, why: str, proof: Proof = Proof.REFUSED) -> None:
        """The reason's first word says who refuses."""
        now = self._wire.now
        node = f"gateway:{message.symbol}"
        if isinstance(message, NewOrderSingle):
            self._roster.over(message.symbol, message.cl_ord_id)
            self._wire.say(node, order_refused(now, message, f"refused-{message.cl_ord_id}", why))
            return
        self._roster.refused(message)
        reason = UNKNOWN_ORDER if proof == Proof.NOT_FOUND else OTHER
        self._wire.say(node, request_refused(now, message, OrdStatus.NEW, reason, why))
