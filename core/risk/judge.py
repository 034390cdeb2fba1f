"""The account's risk node: every order passes here before it may reach a gateway, and counts against the limits at once.

Limits are the account's, not the strategy's, so this node stands in front of the venue, out of a strategy's reach. It is the one
judge, and asks in this order (2 and 3 for all orders, 5 for those that do not pass by 4):

1. *may it trade at all?* Its strategy is connected; the strictest of all sources' TradingStates is not HALT
   (`core/risk/states.py`).
2. *the guards*, where the account has them: age, rate, price, repetition, self-trade (`core/risk/guard.py`).
3. *size*: quantity and value of the order, open orders, the strategy's own position.
4. *does it only reduce the account's position?* Then it passes.
5. *what could add*: not in REDUCE, not while the outcome of a request of its instrument is unknown or its market is silent, not
   past the position or the account's exposure.

What may still be filled counts in full (`core/risk/working.py`). Cancels always pass. What is refused comes back as an
ExecutionReport with ExecType Rejected (a replace: as an OrderCancelReject) and the reason in words; the venue never sees it. What
is approved is told to the door too, with a digest of its bytes, where the account is guarded (`core/risk/door.py`).

Strategies that come and go, and what each holds, are in `core/risk/roster.py`; what people and hosts may tell this node is in
`core/risk/controls.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from core.instrument import Instrument
from core.ledger import Ledger
from core.message import (
    Command,
    ExecType,
    ExecutionReport,
    Funding,
    MarkPrice,
    Message,
    NewOrderSingle,
    News,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdStatus,
    OrdType,
    PositionReport,
    SecurityStatus,
    Tick,
    Timer,
    TradingState,
    Unanswered,
)
from core.node import Outbox
from core.price import BUY, E8, SELL, Side, sign
from core.refusal import order_refused, request_refused
from core.risk.controls import command
from core.risk.door import digest
from core.risk.guard import Guard
from core.risk.limits import GuardLimits, Limits
from core.risk.roster import Roster
from core.risk.states import States
from core.risk.working import Working, WorkingOrders

Order = NewOrderSingle | OrderCancelReplaceRequest
NONE = Limits()


class Risk:
    """Approves or refuses requests; keeps the account's ledger and each strategy's."""

    def __init__(
        self,
        instruments: Iterable[Instrument],
        limits: Mapping[str, Limits],
        exposure_e8: int | None = None,
        guard: GuardLimits | None = None,
        capital: float = 0.0,
    ) -> None:
        """`limits` by symbol; `exposure_e8` bounds the value of all positions together, in 1e-8 of the settlement currency.

        `capital` (quote currency) is what losses are measured against.
        """
        self.name = "risk"
        self.instruments = {one.symbol: one for one in instruments}
        self.limits = dict(limits)
        self.exposure_e8 = exposure_e8
        self.ledger = Ledger(self.instruments.values())
        self.roster = Roster(self.instruments.values())
        self.guard = Guard(self.instruments.values(), guard, self.ledger, capital) if guard is not None else None
        self.states = States()
        self.working = WorkingOrders()
        self.approved = 0
        self.refused = 0
        self.refusal = ""
        """Why the last request that was refused was."""
        self._price: dict[str, int] = dict.fromkeys(self.instruments, 0)
        self._outbox: Outbox

    def bind(self, outbox: Outbox) -> None:
        """Receive the outbox from the host."""
        self._outbox = outbox

    def on(self, now: int, message: Message) -> None:
        """Take a request from a strategy, a report from a gateway, the market, or a word from host and operator."""
        _ROUTES[type(message)](self, now, message)

    def exposed(self, symbol: str, side: Side, strategy: str | None = None) -> int:
        """Signed position, in lots, if everything working on one side were filled: the account's, or a strategy's own."""
        held = self.ledger.position(symbol) if strategy is None else self.roster.position(strategy, symbol)
        return held + sign(side) * self.working.open_most(symbol, side, strategy)

    def send(self, messages: Iterable[Message]) -> None:
        """Send several, in order; also for those who act in this node's name (`core/risk/controls.py`)."""
        for message in messages:
            self._outbox.send(message)

    def news(self, now: int, urgency: Any, headline: str, text: str = "") -> None:
        """A word to the operator."""
        self._outbox.send(News("", now, now, now, urgency, headline, text, self.name))

    # --- requests

    def _new(self, now: int, order: NewOrderSingle) -> None:
        reason = self._reason_new(now, order)
        if reason:
            self.refused, self.refusal = self.refused + 1, reason
            self._outbox.send(order_refused(now, order, f"risk-{order.cl_ord_id}", f"risk: {reason}"))
            return
        self.approved += 1
        self.working.approve(order)
        self._price[order.symbol] = self._price[order.symbol] or order.price  # all that is known of a price until then
        if self.guard is not None:
            self.guard.remember(now, order)
        self._approve(now, order)

    def _replace(self, now: int, request: OrderCancelReplaceRequest) -> None:
        working = self.working.get(request.orig_cl_ord_id)
        reason = self._reason_replace(now, request, working)
        if reason:
            self.refused, self.refusal = self.refused + 1, reason
            self._outbox.send(request_refused(now, request, OrdStatus.NEW, 2, f"risk: {reason}"))
            return
        if working is not None:
            self.working.approve_replace(working, request)
        self._approve(now, request)

    def _approve(self, now: int, order: Order) -> None:
        if self.guard is not None:
            self.guard.count(now, order.strategy)
            told = f"{order.cl_ord_id} {digest(order)}"
            self._outbox.send(Command(order.symbol, now, now, now, order.strategy, "approved", told))
        self._outbox.send(order)

    def _cancel(self, now: int, request: OrderCancelRequest) -> None:
        if self.guard is not None:
            self.guard.count(now, request.strategy)
        self._outbox.send(request)

    def _reason_replace(self, now: int, request: OrderCancelReplaceRequest, working: Working | None) -> str:
        """A replace counts by what it adds; one of an order that is not known, which a gateway will refuse, counts whole."""
        if request.symbol not in self.instruments:
            return f"{request.symbol} is not traded by this account"
        if working is None:
            return self._reason(now, request, request.price, request.order_qty)
        if (working.symbol, working.side, working.strategy) != (request.symbol, request.side, request.strategy):
            return f"{request.orig_cl_ord_id} is not an order of {request.strategy or 'nobody'} on that side of {request.symbol}"
        return self._reason(now, request, request.price, max(request.order_qty - working.cum - working.open_most, 0))

    def _reason_new(self, now: int, order: NewOrderSingle) -> str:
        if order.symbol not in self.instruments:
            return f"{order.symbol} is not traded by this account"
        if order.order_qty <= 0:
            return f"quantity {order.order_qty} is not positive"
        if order.cl_ord_id in self.working:
            return f"ClOrdID {order.cl_ord_id} is in use"
        limit = self.limits.get(order.symbol, NONE).open_orders
        if limit is not None and len(self.working.of(order.symbol)) >= limit:
            return f"open orders at the limit of {limit}"
        price = order.price if order.ord_type == OrdType.LIMIT else self._price[order.symbol]
        return self._reason(now, order, price, order.order_qty)

    def _reason(self, now: int, order: Order, price: int, more: int) -> str:
        """Why an order that may add `more` lots is refused; "" when it is approved. The module's list is this order."""
        symbol, side = order.symbol, order.side
        state = self.states.strictest(symbol) if self.states else None
        if order.strategy in self.roster.absent:
            return f"{order.strategy} is not connected"
        if state is not None and state.state == TradingState.HALT:
            return f"{symbol} is halted by {state.source}: {state.text}"
        reason = self.guard.refuses(now, order, self.working) if self.guard is not None else ""
        reason = reason or self._too_large(order, price, more)
        after = self.exposed(symbol, side) + sign(side) * more
        if reason or _reduces(self.ledger.position(symbol), after):
            return reason
        if state is not None:
            return f"{symbol} takes only what reduces the position, by {state.source}: {state.text}"
        return self._adds_too_much(now, order, price, more, after)

    def _too_large(self, order: Order, price: int, more: int) -> str:
        """Of the order itself, and of what its strategy would hold."""
        symbol, side, qty = order.symbol, order.side, order.order_qty
        limits = self.limits.get(symbol, NONE)
        if limits.order_qty is not None and qty > limits.order_qty:
            return f"quantity {qty} lots is above the limit of {limits.order_qty}"
        value = round(self.instruments[symbol].value(price, qty) * E8)
        if limits.order_value_e8 is not None and value > limits.order_value_e8:
            return f"order value {value / E8:,.2f} is above the limit of {limits.order_value_e8 / E8:,.2f}"
        if more and limits.strategy_position is not None:
            after = self.exposed(symbol, side, order.strategy) + sign(side) * more
            past = sign(side) * after > limits.strategy_position
            if past and not _reduces(self.roster.position(order.strategy, symbol), after):
                return f"{order.strategy}'s position could reach {after} lots, the limit is {limits.strategy_position}"
        return ""

    def _adds_too_much(self, now: int, order: Order, price: int, more: int, after: int) -> str:
        """Of what could add to the account's position."""
        symbol, limit = order.symbol, self.limits.get(order.symbol, NONE).position
        if self.working.doubtful(symbol):
            return "the outcome of an earlier request is unknown: only cancels and what reduces the position until it is proved"
        if self.guard is not None and (reason := self.guard.refuses_more(now, symbol)):
            return reason
        if more and limit is not None and sign(order.side) * after > limit:
            return f"position could reach {after} lots, the limit is {limit}"
        if self.exposure_e8 is not None and self._exposure_e8(symbol, after, price) > self.exposure_e8:
            return f"the account's exposure would pass the limit of {self.exposure_e8 / E8:,.2f}"
        return ""

    def _exposure_e8(self, symbol: str, after: int, price: int) -> int:
        total = self.instruments[symbol].value(price, abs(after))
        for other, instrument in self.instruments.items():
            if other != symbol and self._price[other]:
                worst = max(abs(self.exposed(other, BUY)), abs(self.exposed(other, SELL)))
                total += instrument.value(self._price[other], worst)
        return round(total * E8)

    # --- answers

    def _report(self, now: int, report: ExecutionReport) -> None:
        if report.exec_type == ExecType.TRADE:
            self._price[report.symbol] = report.last_px
        news = self.ledger.apply(report)
        self.working.report(report)
        if news:
            self._executed(now, report)
        if self.roster.absent:
            self.send(self.roster.admit(now, self.working))

    def _executed(self, now: int, report: ExecutionReport) -> None:
        self.send(self.roster.apply(now, report))
        if self.guard is not None:
            reason = self.guard.execution(report)
            if reason:
                self.news(now, 2, f"{report.strategy} is off until a person enables it", reason)
                self.cancel(now, report.strategy)
            self._mind_losses(now, self.guard)

    def _reject(self, now: int, reject: OrderCancelReject) -> None:
        self.working.reject(reject)
        if self.roster.absent:
            self.send(self.roster.admit(now, self.working))

    def _unanswered(self, now: int, message: Unanswered) -> None:
        self.working.doubt(message)

    def _funding(self, now: int, funding: Funding) -> None:
        self.ledger.fund(funding)
        self.roster.fund(funding)

    # --- market, states, words

    def _mark(self, now: int, message: MarkPrice) -> None:
        instrument = self.instruments.get(message.symbol)
        if instrument is None or not message.mark_price_e8:
            return
        self._price[message.symbol] = round(message.mark_price_e8 / E8 / instrument.tick_float)
        if self.guard is not None:
            self.guard.mark(now, message)
            self._mind_losses(now, self.guard)

    def _tick(self, now: int, message: Tick) -> None:
        if self.guard is not None:
            self.guard.tick(now, message)

    def _mind_losses(self, now: int, guard: Guard) -> None:
        """A loss stops trading for the day, though it be made good: a person may raise the limit (`core/risk/controls.py`)."""
        reason = guard.lost()
        if reason and self.take_state(now, SecurityStatus("", now, now, now, "loss", TradingState.REDUCE, reason)):
            self.cancel(now, "")

    def _status(self, now: int, status: SecurityStatus) -> None:
        self.take_state(now, status)

    def take_state(self, now: int, status: SecurityStatus) -> bool:
        """A source wants a state; False when it wanted that before. Who trades hears what holds, the operator what was wanted.

        The venue's session halts at every beginning and end; when it halts for a cause it tells of that itself.
        """
        if not self.states.take(status):
            return False
        alarming = status.source == "loss" or (status.state == TradingState.HALT and status.source != "session")
        where = status.symbol or "all instruments"
        self.news(now, 2 if alarming else 0, f"{where}: {status.state.value}, by {status.source}", status.text)
        for symbol in [status.symbol] if status.symbol else self.instruments:
            holds = self.states.strictest(symbol)
            state, text = (holds.state, f"{holds.source}: {holds.text}") if holds else (TradingState.READY, "")
            self._outbox.send(SecurityStatus(symbol, now, now, now, self.name, state, text))
        return True

    def _timer(self, now: int, timer: Timer) -> None:
        if timer.key == "day_roll" and self.guard is not None:
            self.guard.equity.roll()
            self.take_state(now, SecurityStatus("", now, now, now, "loss", TradingState.READY))

    def _command(self, now: int, message: Command) -> None:
        command(self, now, message)

    def _position(self, now: int, report: PositionReport) -> None:
        """A position to begin from: the account's own, or what a strategy brings from an earlier session."""
        if report.symbol in self.instruments:
            ledger = self.roster.ledger(report.strategy) if report.strategy else self.ledger
            ledger.of(report.symbol).open(report)

    def cancel(self, now: int, strategy: str) -> None:
        """Every gateway cancels what works of a strategy ("": all that works)."""
        self.send(Command(symbol, now, now, now, strategy, "cancel") for symbol in self.instruments)


def _reduces(held: int, after: int) -> bool:
    return abs(after) <= abs(held) and after * held >= 0


_ROUTES: Mapping[type[Message], Callable[[Risk, int, Any], None]] = {
    NewOrderSingle: Risk._new,
    OrderCancelReplaceRequest: Risk._replace,
    OrderCancelRequest: Risk._cancel,
    ExecutionReport: Risk._report,
    OrderCancelReject: Risk._reject,
    Unanswered: Risk._unanswered,
    Funding: Risk._funding,
    MarkPrice: Risk._mark,
    Tick: Risk._tick,
    SecurityStatus: Risk._status,
    PositionReport: Risk._position,
    Timer: Risk._timer,
    Command: Risk._command,
}
