"""A guarded account at a desk: risk, gateways and doors wired as both worlds wire them, with a venue that a test plays itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any

from actors.wiring import gateway_of, trading_edges
from core.gateway import Gateway
from core.instrument import Instrument, Key
from core.message import (
    Command,
    ExecType,
    ExecutionReport,
    MarkPrice,
    Message,
    NewOrderSingle,
    News,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdStatus,
    OrdType,
    Timer,
)
from core.price import BUY, E8, Side
from core.risk.door import Door
from core.risk.judge import Risk
from core.risk.limits import GuardLimits, Limits

BTC = Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001")
ETH = Instrument(Key("binance_usdm", "ETHUSDT"), "0.01", "0.001")
STRATEGIES = ("a", "b")
MS = 1_000_000
SECOND = 1_000_000_000
FREE, NO_LIMITS = GuardLimits(), Limits()
ORDERS = (NewOrderSingle, OrderCancelReplaceRequest)


class Outlet:
    """A node's outbox: its edges, its wakes, and the queue that all share."""

    def __init__(self, desk: Desk, name: str) -> None:
        self.desk, self.name = desk, name
        self.routes: dict[type[Message], Callable[[Message], tuple[str, ...]]] = {}

    def send(self, message: Message) -> None:
        self.desk.sent.append((self.name, message))
        for end in self.routes[type(message)](message):
            self.desk.waiting.append((end, message))

    def wake(self, at: int, key: str = "") -> None:
        self.desk.wakes.append((at, self.name, key))

    def record(self, entry: Message) -> None: ...


class Desk:
    """The account at a time (`now`, ns). Prices of both instruments are 1,000 ticks until a test says otherwise."""

    def __init__(
        self, guard: GuardLimits | None = FREE, limits: Limits = NO_LIMITS, capital: float = 10_000.0, **more: Any
    ) -> None:
        self.now = SECOND
        symbols = [one.symbol for one in (BTC, ETH)]
        self.risk = Risk([BTC, ETH], dict.fromkeys(symbols, limits), guard=guard, capital=capital, **more)
        self.gateways = {symbol: Gateway(symbol) for symbol in symbols}
        self.doors = {symbol: Door(symbol) for symbol in symbols} if guard is not None else {}
        nodes = [self.risk, *self.gateways.values(), *self.doors.values()]
        self.nodes: dict[str, Any] = {node.name: node for node in nodes}
        ends = {name: name for name in (*self.nodes, *STRATEGIES)}
        edges = trading_edges(ends, {symbol: f"venue:{symbol}" for symbol in symbols}, STRATEGIES, ("operator",))
        self.waiting: deque[tuple[str, Message]] = deque()
        self.sent: list[tuple[str, Message]] = []
        self.wakes: list[tuple[int, str, str]] = []
        self.heard: dict[str, list[Any]] = {name: [] for name in (*STRATEGIES, "operator", *(f"venue:{one}" for one in symbols))}
        self.numbers = count(1)
        for name, node in self.nodes.items():
            outlet = Outlet(self, name)
            outlet.routes = edges[name]
            node.bind(outlet)
        for symbol in symbols:
            self.mark(1_000, symbol)

    def run(self) -> None:
        """Until nothing waits."""
        while self.waiting:
            end, message = self.waiting.popleft()
            if end in self.nodes:
                self.nodes[end].on(self.now, message)
            else:
                self.heard[end].append(message)

    def hand(self, name: str, message: Message) -> None:
        self.waiting.append((name, message))
        self.run()

    def sleep(self, ns: int) -> None:
        """Time passes, and what was to be woken is."""
        until = self.now + ns
        while due := [one for one in self.wakes if one[0] <= until]:
            first = min(due)
            self.wakes.remove(first)
            self.now = max(self.now, first[0])
            self.hand(first[1], Timer("", self.now, self.now, self.now, first[0], first[2]))
        self.now = until

    # --- what strategies, operators and the market say

    def ask(self, request: Message) -> str:
        """A request reaches risk now; the words in which it was refused, "" when it left for the venue."""
        if not request.now:
            request.now = self.now
        refused = self.risk.refused + sum(door.refused for door in self.doors.values())
        self.hand("risk", request)
        if self.risk.refused + sum(door.refused for door in self.doors.values()) == refused:
            return ""
        return str(self.heard[request.strategy][-1].text)  # type: ignore[attr-defined]

    def tell(self, verb: str, argument: str = "", strategy: str = "", symbol: str = "") -> str:
        """A command for risk; the last headline and text to the operator since."""
        before = len(self.heard["operator"])
        self.hand("risk", Command(symbol, self.now, self.now, self.now, strategy, verb, argument))
        said = self.heard["operator"][before:]
        return f"{said[-1].headline}: {said[-1].text}" if said else ""

    def mark(self, price: float, symbol: str = "BTCUSDT") -> None:
        """The mark price, in ticks."""
        tick = (BTC if symbol == "BTCUSDT" else ETH).tick_float
        self.hand("risk", MarkPrice(symbol, self.now, self.now, self.now, round(price * tick * E8)))

    # --- what the venue says

    def report(self, cl_ord_id: str, kind: ExecType, leaves: int, symbol: str = "BTCUSDT", **more: Any) -> None:
        ended = {ExecType.CANCELED: OrdStatus.CANCELED, ExecType.REJECTED: OrdStatus.REJECTED}
        report = ExecutionReport(
            symbol, self.now, self.now, self.now, cl_ord_id=cl_ord_id, exec_id=f"e{next(self.numbers)}", exec_type=kind,
            ord_status=ended.get(kind, OrdStatus.NEW), leaves_qty=leaves, **more,
        )  # fmt: skip
        self.hand(gateway_of(symbol), report)

    def accept(self, order: NewOrderSingle) -> None:
        """The venue has the order."""
        self.report(order.cl_ord_id, ExecType.NEW, order.order_qty, order.symbol, side=order.side, price=order.price)

    def fill(self, order: NewOrderSingle, qty: int, price: int = 1_000) -> None:
        """The venue executes some of it."""
        leaves = order.order_qty - qty
        self.report(
            order.cl_ord_id, ExecType.TRADE, leaves, order.symbol, side=order.side, last_qty=qty, last_px=price, cum_qty=qty
        )

    def cancel(self, cl_ord_id: str, orig: str = "", symbol: str = "BTCUSDT") -> None:
        """The venue has canceled it."""
        self.report(cl_ord_id, ExecType.CANCELED, 0, symbol, orig_cl_ord_id=orig)

    def trade(self, side: Side, qty: int, strategy: str = "a", symbol: str = "BTCUSDT", price: int = 1_000) -> None:
        """An order that is filled whole at once."""
        order = new(side, qty, strategy, price, symbol)
        assert self.ask(order) == ""
        self.fill(order, qty, price)

    # --- what came of it

    def left(self, symbol: str = "BTCUSDT") -> list[Any]:
        """All that reached the venue's session."""
        return self.heard[f"venue:{symbol}"]

    def alarms(self) -> list[str]:
        return [one.headline for one in self.heard["operator"] if isinstance(one, News) and one.urgency == 2]


IDS = count(1)


def new(side: Side = BUY, qty: int = 1, strategy: str = "a", price: int = 1_000, symbol: str = "BTCUSDT") -> NewOrderSingle:
    kind = OrdType.LIMIT if price else OrdType.MARKET
    cl_ord_id = f"{strategy}-{next(IDS)}"
    return NewOrderSingle(symbol, cl_ord_id=cl_ord_id, side=side, ord_type=kind, price=price, order_qty=qty, strategy=strategy)


def replace(order: NewOrderSingle, price: int, qty: int) -> OrderCancelReplaceRequest:
    return OrderCancelReplaceRequest(
        order.symbol, cl_ord_id=f"{order.strategy}-{next(IDS)}", orig_cl_ord_id=order.cl_ord_id, side=order.side, price=price,
        order_qty=qty, strategy=order.strategy,
    )  # fmt: skip


def cancel(order: NewOrderSingle) -> OrderCancelRequest:
    return OrderCancelRequest(
        order.symbol, cl_ord_id=f"{order.strategy}-{next(IDS)}", orig_cl_ord_id=order.cl_ord_id, strategy=order.strategy
    )
