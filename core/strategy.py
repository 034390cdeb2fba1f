"""What a strategy is: one short class with parameters, handlers and a handful of actions.

Parameters are annotated class attributes with defaults:

    class Join(Strategy):
        order_qty: float = 0.003

        def on_start(self) -> None:
            self.every(100 * MS, "quote")

        def on_timer(self, timer: Timer) -> None:
            if self.tick.two_sided and not self.orders:
                self.buy(self.tick.bid, self.lots(self.order_qty), tif=GTX)

There are two ways to react. The first is by method: `on_start`, `on_tick`, `on_trade` (a tick that carries trades), `on_bar`,
`on_report`, `on_reject`, `on_timer`, `on_funding`, `on_command`, `on_status`, `on_parameters`. The second is by event filter:
methods marked `@when(state, Type)` are called for events of that type while the strategy's machine is in that state; they can be
added and removed while running (`self.machine.add`, `self.machine.remove`). Both ways see every message; methods come first.

A strategy is a node: it reads no clock and no file, and what it does depends only on the messages handed to it and their times.
It is called with the newest market, one message at a time; what it sends leaves when it has returned.

People and hosts steer it by Commands: `start` with "TAG EPOCH", of which the ids of its orders are made (or "EPOCH" alone: the
tag is its name), or without an argument after a `stop`; `stop`: cancel what works, then trade no more; `flatten`: the same, and
close what is held; `trading` on or off; `set` with "key=value", which changes a parameter while it trades. Any other verb is the
strategy's own (`on_command`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final, Literal, TypeVar, get_type_hints

from core.instrument import Instrument
from core.ledger import Ledger
from core.machine import Machine
from core.message import (
    Bar,
    Command,
    ExecutionReport,
    Funding,
    Message,
    NewOrderSingle,
    News,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdType,
    PositionReport,
    SecurityStatus,
    Tick,
    TimeInForce,
    Timer,
    TradingState,
)
from core.node import Outbox
from core.order import Order
from core.price import BUY, SELL, Side
from core.refusal import order_refused
from core.spelling import nearest

US: Final = 1_000
MS: Final = 1_000_000
SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
GTC, IOC, FOK, GTX = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTX

_NOTHING = Tick()
_Method = TypeVar("_Method", bound=Callable[..., None])


class ParameterError(ValueError):
    """A parameter that the strategy does not have, or a value of the wrong type. `name` is the parameter's."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


def when(state: str, event: type[Message]) -> Callable[[_Method], _Method]:
    """Mark a method as the handler for events of a type while the machine is in a state (`machine.ANY` for all)."""

    def mark(method: _Method) -> _Method:
        method.__dict__.setdefault("pairs", []).append((state, event))
        return method

    return mark


class Strategy:
    """Base of all strategies. Prices are ticks and quantities lots throughout; `ticks` and `lots` convert decimals."""

    moves: ClassVar[tuple[tuple[str, str], ...]] = ()
    """The machine's table: which state may follow which."""
    start_state: ClassVar[str] = "running"
    bars: ClassVar[tuple[int, ...]] = ()
    """Periods in ns of the bars wanted in `on_bar`."""
    calendar: ClassVar[tuple[str, ...]] = ()
    """Jobs of the calendar (`minute`, `funding`, `day_roll`) that come as timers with their name as key."""
    levels: ClassVar[int] = 20
    """Price levels a side that a Tick carries."""
    shared: ClassVar[bool] = False
    """False: one strategy an instrument. True: one for all instruments of the graph (pairs, baskets)."""

    def __init__(self, name: str, instruments: Iterable[Instrument], capital: float = 0.0, **parameters: Any) -> None:
        self.name = name
        self.instruments: dict[str, Instrument] = {one.symbol: one for one in instruments}
        self.instrument = next(iter(self.instruments.values()))
        self.capital = capital
        self.now = 0
        self.market: dict[str, Tick] = {}
        self.orders: dict[str, Order] = {}
        self.ledger = Ledger(self.instruments.values())
        self.states: dict[str, TradingState] = {}
        self._allowed = True
        self._stopped = False
        self._closing: tuple[str, ...] = ()
        self._outbox: Outbox
        self._count = 0
        self._tag, self._epoch = name, ""
        self._periods: dict[str, tuple[int, int]] = {}
        for key, value in self.checked(parameters).items():
            setattr(self, key, value)
        self.machine = Machine(self.moves, self.start_state)
        for attribute in dir(type(self)):
            for state, event in getattr(getattr(type(self), attribute), "pairs", ()):
                self.machine.add(state, event, getattr(self, attribute))

    # --- parameters

    @classmethod
    def parameters(cls) -> dict[str, Any]:
        """Names and defaults of the parameters: the annotated class attributes of the strategy, base classes first."""
        found: dict[str, Any] = {}
        for owner in reversed(cls.__mro__[:-1]):
            if owner is not Strategy:
                hints = get_type_hints(owner)
                for name in getattr(owner, "__annotations__", {}):
                    if (
                        getattr(hints[name], "__origin__", None) is not ClassVar
                        and not name.startswith("_")
                        and hasattr(cls, name)
                    ):
                        found[name] = getattr(cls, name)
        return found

    @classmethod
    def checked(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The given values, of the types of their defaults. Raises ParameterError for an unknown name or a wrong type."""
        known = cls.parameters()
        values: dict[str, Any] = {}
        for name, written in given.items():
            if name not in known:
                raise ParameterError(f"{cls.__name__} has no parameter {name!r}", name)
            default = known[name]
            value = float(written) if type(default) is float and type(written) is int else written
            if type(value) is not type(default):
                wanted, got = type(default).__name__, type(value).__name__
                raise ParameterError(f"{cls.__name__}.{name} is a {wanted}, not {value!r} ({got})", name)
            values[name] = value
        return values

    @classmethod
    def sampling(cls) -> bool:
        """Whether the strategy looks at the market only when a wake is due, so that no tick is handed to it in between."""
        marked = any(event is Tick for attribute in dir(cls) for _, event in getattr(getattr(cls, attribute), "pairs", ()))
        return cls.on_tick is Strategy.on_tick and cls.on_trade is Strategy.on_trade and not marked

    # --- handlers that a strategy overrides

    def on_start(self) -> None:
        """Called once, before the first market message."""

    def on_tick(self, tick: Tick) -> None:
        """The newest market. A strategy that overrides neither this nor `on_trade` is handed ticks only with its wakes."""

    def on_trade(self, tick: Tick) -> None:
        """A tick that carries trades; after `on_tick`."""

    def on_bar(self, bar: Bar) -> None:
        """A bar closed."""

    def on_report(self, report: ExecutionReport) -> None:
        """Something happened to one of our orders; `self.orders` and `self.ledger` already know."""

    def on_reject(self, reject: OrderCancelReject) -> None:
        """A cancel or replace was refused; the order itself lives on or is done, see its status."""

    def on_timer(self, timer: Timer) -> None:
        """A wake came due."""

    def on_funding(self, funding: Funding) -> None:
        """Funding was settled; `self.ledger` already knows."""

    def on_command(self, command: Command) -> None:
        """An operator's word that the strategy itself gives a meaning."""

    def on_status(self, status: SecurityStatus) -> None:
        """The account takes everything, what reduces, or cancels alone from now on; `self.states` already knows."""

    def on_parameters(self, changed: Mapping[str, Any]) -> None:
        """Parameters were changed while trading; the attributes are set. ParameterError refuses them, and they go back."""

    # --- what a strategy sees

    @property
    def trading(self) -> bool:
        """Whether it may send new orders: not during warm-up, not before it knows what it holds, not once it is stopped."""
        return self._allowed and not self._stopped

    @property
    def tick(self) -> Tick:
        """The last tick of the (first) instrument; an empty one before the first."""
        return self.market.get(self.instrument.symbol, _NOTHING)

    def position(self, symbol: str = "") -> int:
        """Position in lots, as far as executions reported to this strategy say."""
        return self.ledger.position(symbol or self.instrument.symbol)

    def ticks(self, price: float, symbol: str = "") -> int:
        """A price in quote currency as ticks, rounded to the nearest."""
        return self._of(symbol).ticks(repr(price), "nearest")

    def lots(self, qty: float, symbol: str = "") -> int:
        """A quantity in base currency as lots, rounded to the nearest."""
        return self._of(symbol).lots(repr(qty), "nearest")

    # --- what a strategy does

    def buy(self, price: int | None, qty: int, symbol: str = "", tif: TimeInForce = GTC) -> Order:
        """Send a buy of `qty` lots at `price` ticks (None: a market order); returns the order, pending."""
        return self.order(BUY, price, qty, symbol, tif)

    def sell(self, price: int | None, qty: int, symbol: str = "", tif: TimeInForce = GTC) -> Order:
        """Send a sell of `qty` lots at `price` ticks (None: a market order); returns the order, pending."""
        return self.order(SELL, price, qty, symbol, tif)

    def order(self, side: Side, price: int | None, qty: int, symbol: str = "", tif: TimeInForce = GTC) -> Order:
        """Send an order. While the strategy may not trade (warm-up) the order comes back already rejected."""
        symbol = symbol or self.instrument.symbol
        kind = OrdType.LIMIT if price is not None else OrdType.MARKET
        request = NewOrderSingle(symbol, 0, 0, self.now, self._next_id(), side, kind, tif, price or 0, qty, False, self.name)
        order = Order(request)
        if self.trading:
            self.orders[order.cl_ord_id] = order
            self._outbox.send(request)
        else:
            text = f"strategy: {'stopped' if self._stopped else 'not trading yet (warm-up, or its position is not known)'}"
            order.on_report(order_refused(self.now, request, f"{request.cl_ord_id}-refused", text))
        return order

    def cancel(self, order: Order) -> None:
        """Ask for the cancel of an order; nothing is sent while an earlier request for it is unanswered."""
        if order.pending or not order.working:
            return
        request = OrderCancelRequest(
            order.symbol, 0, 0, self.now, self._next_id(), order.cl_ord_id, order.side, order.order_qty, self.name
        )
        order.request_cancel(request)
        self._outbox.send(request)

    def replace(self, order: Order, price: int, qty: int) -> None:
        """Ask for a new price and total quantity; nothing is sent while an earlier request for it is unanswered."""
        if order.pending or not order.working or not self.trading:
            return
        request = OrderCancelReplaceRequest(
            order.symbol, 0, 0, self.now, self._next_id(), order.cl_ord_id, order.side, order.ord_type,
            order.time_in_force, price, qty, self.name,
        )  # fmt: skip
        order.request_replace(request)
        self._outbox.send(request)

    def cancel_all(self) -> None:
        """Cancel every working order of this strategy."""
        for order in tuple(self.orders.values()):
            self.cancel(order)

    def wake(self, at: int, key: str = "") -> None:
        """Ask for `on_timer` at a time (ns UTC)."""
        self._outbox.wake(at, key)

    def every(self, period: int, key: str) -> None:
        """Ask for `on_timer` at every multiple of `period` (ns) since the epoch, from the next one on.

        Asking again under the same key changes the period. Multiples that pass while the strategy is busy are not made up for.
        """
        due = self.now - self.now % period + period
        if self._periods.get(key) != (period, due):
            self._periods[key] = period, due
            self._outbox.wake(due, key)

    def note(self, entry: Message) -> None:
        """Write an entry to the strategy's journal: what it concluded, for whoever reads the run later."""
        self._outbox.record(entry)

    # --- the node's side

    def bind(self, outbox: Outbox) -> None:
        """Receive the outbox from the host."""
        self._outbox = outbox

    def on(self, now: int, message: Message) -> None:
        """Take one message: keep the books, then call the handlers. Messages of types with no row here are a bug."""
        self.now = now
        _ROUTES[type(message)](self, message)
        self.machine.handle(message)

    def _take_tick(self, tick: Tick) -> None:
        self.market[tick.symbol] = tick
        self.on_tick(tick)
        if tick.trades[0]:
            self.on_trade(tick)

    def _take_report(self, report: ExecutionReport) -> None:
        self.ledger.apply(report)
        order = self._find(report.cl_ord_id, report.orig_cl_ord_id)
        if order is not None and order.on_report(report):
            self._settle(order)
        self.on_report(report)
        self._end_stopped()

    def _take_reject(self, reject: OrderCancelReject) -> None:
        order = self._find(reject.cl_ord_id, reject.orig_cl_ord_id)
        if order is not None and order.on_cancel_reject(reject):
            self._settle(order)
        self.on_reject(reject)
        self._end_stopped()

    def _take_timer(self, timer: Timer) -> None:
        period, due = self._periods.get(timer.key, (0, 0))
        if period and timer.due == due:  # else it is a single wake under the same key, or one of an earlier period
            self.every(period, timer.key)
        self.on_timer(timer)

    def _take_funding(self, funding: Funding) -> None:
        self.ledger.fund(funding)
        self.on_funding(funding)

    def _take_command(self, command: Command) -> None:
        if command.verb == "start":
            self._start(command.argument.split())
        elif command.verb in ("stop", "flatten"):
            self._stopped = True
            self._closing = tuple(self.instruments) if command.verb == "flatten" else ()
            self._end_stopped()
        elif command.verb == "trading":
            self._allowed = command.argument == "on"
        elif command.verb == "set":
            self._set(command.argument)
        else:
            self.on_command(command)

    def _start(self, words: list[str]) -> None:
        """The first start, or another after a stop: its timers, bars and books went on meanwhile."""
        if not self._stopped:
            self._tag, self._epoch = (words[0], words[1]) if len(words) > 1 else (self._tag, "".join(words))
            self.on_start()
        self._stopped = False

    def _end_stopped(self) -> None:
        """What had a request pending when it was stopped is canceled once that is answered; then what is to be closed is."""
        if not self._stopped:
            return
        self.cancel_all()
        if not self.orders:
            held = {symbol: self.position(symbol) for symbol in self._closing}
            self._closing = ()
            for symbol, lots in held.items():
                if lots:
                    self._close(symbol, lots)

    def _close(self, symbol: str, held: int) -> None:
        """A market order that can only reduce; sent once: what it leaves is for a person to see."""
        side: Side = SELL if held > 0 else BUY
        request = NewOrderSingle(
            symbol, 0, 0, self.now, self._next_id(), side, OrdType.MARKET, GTC, 0, abs(held), True, self.name
        )  # fmt: skip
        self.orders[request.cl_ord_id] = Order(request)
        self._outbox.send(request)

    def _set(self, written: str) -> None:
        """Change a parameter, or say why not."""
        name, _, text = (part.strip() for part in written.partition("="))
        before = {name: getattr(self, name, None)}
        try:
            changed = self.checked({name: read(self.parameters().get(name), text)})
            for key, value in changed.items():
                setattr(self, key, value)
            self.on_parameters(changed)
        except ValueError as error:  # a ParameterError, or a quantity that is none
            if name in self.parameters():
                setattr(self, name, before[name])
            hint = "" if name in self.parameters() else f": {nearest(name, self.parameters())}"
            self._news(1, "no parameter was changed", f"{error}{hint}")
        else:
            self._news(0, f"{name} is {getattr(self, name)}", f"it was {before[name]}")

    def _news(self, urgency: Literal[0, 1, 2], headline: str, text: str) -> None:
        self._outbox.send(News("", self.now, self.now, self.now, urgency, headline, text, self.name))

    def _take_status(self, status: SecurityStatus) -> None:
        self.states[status.symbol] = status.state
        self.on_status(status)

    def _take_position(self, report: PositionReport) -> None:
        if report.symbol in self.instruments:
            self.ledger.of(report.symbol).open(report)

    def _find(self, cl_ord_id: str, orig_cl_ord_id: str) -> Order | None:
        found = self.orders.get(cl_ord_id) or self.orders.get(orig_cl_ord_id)
        if found is None:
            found = next((one for one in self.orders.values() if cl_ord_id in one.cl_ord_ids), None)
        return found

    def _settle(self, order: Order) -> None:
        """File the order under its current id, or drop it once nothing more is expected of it."""
        for key in [key for key, one in self.orders.items() if one is order and key != order.cl_ord_id]:
            del self.orders[key]
        if order.done:
            self.orders.pop(order.cl_ord_id, None)
        else:
            self.orders[order.cl_ord_id] = order

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._tag}-{self._epoch}-{self._count}"

    def _of(self, symbol: str) -> Instrument:
        return self.instruments[symbol] if symbol else self.instrument


def read(default: Any, text: str) -> Any:
    """A parameter's value as written by a person: a number or truth where its default is one, else the text itself."""
    if isinstance(default, bool):
        return {"true": True, "false": False}.get(text, text)
    if isinstance(default, int | float):
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
    return text


_ROUTES: Mapping[type[Message], Callable[[Strategy, Any], None]] = {
    Tick: Strategy._take_tick,
    ExecutionReport: Strategy._take_report,
    OrderCancelReject: Strategy._take_reject,
    Timer: Strategy._take_timer,
    Bar: lambda strategy, bar: strategy.on_bar(bar),
    Funding: Strategy._take_funding,
    Command: Strategy._take_command,
    SecurityStatus: Strategy._take_status,
    PositionReport: Strategy._take_position,
}
