"""Guards of the account that look at the clock, at the market and at what was lost, beside the limits on size.

Risk is the one judge and asks here; each question is answered with the reason to refuse, in words, or "". What each guard means:

- *age*: a request that was made too long before it came here waited in a process that was dead or frozen: its market is gone.
- *collar*: a limit price may lie only so far from the reference, the newest mark price or, where ticks come, middle of the book.
  The reference may not be older than what counts as stale. A market order has no price to hold against it.
- *rate*: requests a second and in ten, of each strategy and of the account. What was refused does not count. Cancels always pass,
  and count.
- *duplicates*: a strategy's new order with symbol, side, price and quantity of one just before.
- *self-trade*: an order that would trade with a working order of this account, whichever strategy's.
- *stale*: an instrument whose market was not heard of takes only cancels and what reduces its position.
- *repeated executions*: a strategy that executes so often on one side is off until a person who gives a name enables it again
  (RTS 6, article 15).
- *losses*: once too much of the day's beginning or peak is lost, the account takes only what reduces, until the UTC day rolls.
"""

from __future__ import annotations

from collections.abc import Iterable

from core.instrument import Instrument
from core.ledger import Ledger
from core.message import ExecType, ExecutionReport, MarkPrice, NewOrderSingle, OrderCancelReplaceRequest, OrdType, Tick
from core.price import E8
from core.risk.equity import Equity
from core.risk.limits import GuardLimits
from core.risk.pace import Repeats, Requests
from core.risk.working import WorkingOrders

Order = NewOrderSingle | OrderCancelReplaceRequest


class Guard:
    """What the guards know, and their limits, which may change at any time."""

    def __init__(self, instruments: Iterable[Instrument], limits: GuardLimits, ledger: Ledger, capital: float) -> None:
        self.limits = limits
        self.equity = Equity(ledger, capital)
        self._tick_e8 = {one.symbol: int(one.tick * E8) for one in instruments}
        self._heard: dict[str, int] = {}
        self._reference_e8: dict[str, int] = {}
        self._account = Requests()
        self._strategies: dict[str, Requests] = {}
        self._recent: dict[tuple[str, str, int, int, int], int] = {}
        self._repeats = Repeats()
        self.disabled: dict[str, str] = {}
        """Strategies that are off, and why."""

    # --- what happens

    def mark(self, now: int, message: MarkPrice) -> None:
        """A mark price: the market lives, and this is what things are worth."""
        self._heard[message.symbol] = now
        if message.mark_price_e8:
            self._reference_e8[message.symbol] = message.mark_price_e8
            self.equity.mark(message.symbol, message.mark_price_e8 / self._tick_e8[message.symbol])

    def tick(self, now: int, message: Tick) -> None:
        """The book: one that is not stale is news of the market, and its middle is the reference."""
        if message.two_sided:
            self._heard[message.symbol] = now
            self._reference_e8[message.symbol] = (message.bid + message.ask) * self._tick_e8[message.symbol] // 2

    def execution(self, report: ExecutionReport) -> str:
        """An execution that was not known; why it disables its strategy, if it does."""
        self.equity.moved(report.symbol)
        limits, strategy = self.limits, report.strategy
        if report.exec_type != ExecType.TRADE or not strategy or limits.repeats is None or strategy in self.disabled:
            return ""
        if not self._repeats.execution(report, limits.repeats, limits.repeats_ns):
            return ""
        self.disabled[strategy] = (
            f"{limits.repeats} executions on one side of {report.symbol} within {limits.repeats_ns / 1e9:g} s"
        )
        return self.disabled[strategy]

    def enable(self, strategy: str) -> bool:
        """A person enables a strategy again; False when it was not off."""
        self._repeats.forget(strategy)
        return self.disabled.pop(strategy, "") != ""

    def count(self, now: int, strategy: str) -> None:
        """A request of a strategy goes on to the venue."""
        self._account.count(now)
        self._strategies.setdefault(strategy, Requests()).count(now)

    def remember(self, now: int, order: NewOrderSingle) -> None:
        """A new order was approved: another like it would be its duplicate for a while."""
        window = self.limits.duplicate_ns
        if window is None:
            return
        self._recent.pop(_likeness(order), None)
        self._recent[_likeness(order)] = now
        for key, then in tuple(self._recent.items()):  # oldest first, as far as they are forgotten
            if then > now - window:
                break
            del self._recent[key]

    # --- reasons to refuse

    def refuses(self, now: int, order: Order, working: WorkingOrders) -> str:
        """What is wrong with an order whatever it does to the position."""
        limits = self.limits
        if limits.age_ns is not None and now - order.now > limits.age_ns:
            return f"the request is {(now - order.now) / 1e6:,.0f} ms old, the limit is {limits.age_ns / 1e6:g} ms"
        if order.strategy in self.disabled:
            return f"{order.strategy} is off until a person enables it: {self.disabled[order.strategy]}"
        return (
            self._too_fast(now, order.strategy)
            or self._too_far(now, order)
            or self._repeated(now, order)
            or self._with_ourselves(order, working)
        )

    def refuses_more(self, now: int, symbol: str) -> str:
        """Why an instrument takes nothing that could add to its position."""
        if self._stale(now, symbol):
            heard = self._heard.get(symbol)
            since = "since the start" if heard is None else f"for {(now - heard) / 1e6:,.0f} ms"
            return f"nothing was heard of the market of {symbol} {since}: only cancels and what reduces the position"
        if self.limits.collar_e8 is not None and symbol not in self._reference_e8:
            return f"{symbol} has no reference price yet: only cancels and what reduces the position"
        return ""

    def lost(self) -> str:
        """Why the account stops trading until the day rolls, in words; "" while it does not."""
        return self.equity.lost(self.limits.daily_loss_e8, self.limits.drawdown_e8)

    def _stale(self, now: int, symbol: str) -> bool:
        limit = self.limits.stale_ns
        return limit is not None and (symbol not in self._heard or now - self._heard[symbol] > limit)

    def _too_fast(self, now: int, strategy: str) -> str:
        limits, mine = self.limits, self._strategies.setdefault(strategy, Requests())
        for whose, sent, most in (
            (strategy, mine, (limits.strategy_requests_1s, limits.strategy_requests_10s)),
            ("the account", self._account, (limits.requests_1s, limits.requests_10s)),
        ):
            for count, limit, period in zip(sent.within(now), most, ("1 s", "10 s"), strict=True):
                if limit is not None and count >= limit:
                    return f"{count} requests of {whose} within {period}, the limit is {limit}"
        return ""

    def _too_far(self, now: int, order: Order) -> str:
        collar = self.limits.collar_e8
        if collar is None or order.ord_type != OrdType.LIMIT or self._stale(now, order.symbol):
            return ""
        reference = self._reference_e8.get(order.symbol)
        if reference is None:
            return ""
        price = order.price * self._tick_e8[order.symbol]
        if abs(price - reference) * E8 <= collar * reference:
            return ""
        off, limit = f"{price / reference - 1:+.1%}", f"{collar / E8:.1%}"
        return f"price {price / E8:g} is {off} from the reference {reference / E8:g}, the limit is {limit}"

    def _repeated(self, now: int, order: Order) -> str:
        window = self.limits.duplicate_ns
        if window is None or type(order) is not NewOrderSingle:
            return ""
        then = self._recent.get(_likeness(order))
        if then is None or now - then >= window:
            return ""
        return f"the same order as {(now - then) / 1e6:g} ms ago: a duplicate"

    def _with_ourselves(self, order: Order, working: WorkingOrders) -> str:
        if not self.limits.refuse_self_trade:
            return ""
        price = order.price if order.ord_type == OrdType.LIMIT else 0
        other = next(working.opposite(order.symbol, order.side, price), "")
        return f"it would trade with our own order {other}" if other else ""


def _likeness(order: NewOrderSingle) -> tuple[str, str, int, int, int]:
    return order.strategy, order.symbol, order.side, order.price, order.order_qty
