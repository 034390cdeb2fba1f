"""Random streams of orders against a guarded account, and a plain checker at the venue's end of it (J1, I5).

Three strategies on three instruments ask for anything at any price, too fast, twice, against each other, against a silent market
and after losses; requests and answers take their time, some answers never come. The checker stands where the venue's session
stands. It knows the market that was told, the executions that were told, and everything that left; of risk it knows only the
limits. It folds all of it anew in the plainest way, and says what left that should not have.
"""

from __future__ import annotations

from collections import Counter, deque
from heapq import heappop, heappush
from random import Random
from typing import Any

from actors.wiring import trading_edges
from core.gateway import Gateway
from core.instrument import Instrument, Key
from core.message import (
    BusinessMessageReject,
    Command,
    ExecType,
    ExecutionReport,
    MarkPrice,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderStatusRequest,
    OrdStatus,
    OrdType,
    Timer,
    Unanswered,
)
from core.price import E8
from core.risk.door import Door
from core.risk.judge import Risk
from core.risk.limits import GuardLimits, Limits

MS, SECOND, DAY = 10**6, 10**9, 86_400 * 10**9
TICK_E8 = E8 // 10
SYMBOLS = ("AAAUSDT", "BBBUSDT", "CCCUSDT")
INSTRUMENTS = tuple(Instrument(Key("binance_usdm", symbol), "0.1", "0.001") for symbol in SYMBOLS)
STRATEGIES = ("p", "q", "r")
LIMITS = Limits(order_qty=8, position=20, open_orders=4, order_value_e8=9 * E8 // 10, strategy_position=12)
EXPOSURE_E8 = 42 * E8 // 10
CAPITAL = 50.0
GUARD = GuardLimits(
    collar_e8=E8 // 50, stale_ns=3 * SECOND, age_ns=SECOND, duplicate_ns=50 * MS, refuse_self_trade=True, requests_1s=30,
    requests_10s=240, strategy_requests_1s=14, strategy_requests_10s=85, repeats=11, repeats_ns=15 * SECOND,
    drawdown_e8=E8 // 1000,
)  # fmt: skip
UNIT_E8 = E8 // 10_000
"""Value of a tick times a lot."""


class Held:
    """An order that left: what of it may still fill, at which price, and the replaces that may still arrive."""

    __slots__ = ("asked", "canceled", "cum", "ended", "id", "price", "qty", "side", "strategy", "symbol", "there")

    def __init__(self, request: NewOrderSingle) -> None:
        self.id, self.symbol, self.side, self.strategy = request.cl_ord_id, request.symbol, request.side, request.strategy
        self.price, self.qty, self.cum = request.price if request.ord_type == OrdType.LIMIT else 0, request.order_qty, 0
        self.there = self.ended = self.canceled = False
        self.asked: dict[str, tuple[int, int]] = {}

    @property
    def most(self) -> int:
        return max([self.qty, *(qty for qty, _ in self.asked.values())]) - self.cum


class Checker:
    """What left, beside what the limits say. `faults` are the violations, `passed` counts what was looked at."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.open: dict[str, dict[str, Held]] = {symbol: {} for symbol in SYMBOLS}
        self.true = dict.fromkeys(((one, name) for one in SYMBOLS for name in STRATEGIES), 0)
        self.told = Counter[str]()
        self.heard: dict[str, int] = {}
        self.mark: dict[str, int] = {}
        self.price: dict[str, int] = {}
        """What risk was last told of a price: a mark, or an execution."""
        self.known: dict[str, int] = {}
        """Lots of each order whose execution was told."""
        self.cash_e8 = 0
        self.peak = CAPITAL
        self.stopped = False
        self.off: dict[str, bool] = {}
        self.rows: dict[tuple[str, str], list[int]] = {}
        self.side: dict[tuple[str, str], int] = {}
        self.left_at: dict[tuple[str, int], deque[int]] = {
            (name, period): deque() for name in (*STRATEGIES, "") for period in (SECOND, 10 * SECOND)
        }
        self.likes: dict[tuple[Any, ...], int] = {}
        self.unknown: dict[str, str] = {}
        self.unknown_of: dict[str, str] = {}
        self.looked = 0

    # --- what is told to risk

    def marked(self, now: int, symbol: str, ticks: int) -> None:
        self.heard[symbol], self.mark[symbol], self.price[symbol] = now, ticks, ticks
        self.losses()

    def executed(self, report: ExecutionReport) -> None:
        sign = 1 if report.side == 1 else -1
        self.told[report.symbol] += sign * report.last_qty
        self.price[report.symbol] = report.last_px
        self.cash_e8 -= sign * report.last_qty * report.last_px * UNIT_E8
        key = report.strategy, report.symbol
        if self.side.get(key) != report.side:
            self.rows[key] = []
        self.side[key] = report.side
        since = report.transact_time - GUARD.repeats_ns
        self.rows[key] = [one for one in self.rows.get(key, []) if one >= since] + [report.transact_time]
        if len(self.rows[key]) >= GUARD.repeats:  # type: ignore[operator]
            self.off[report.strategy] = True
        self.losses()

    def losses(self) -> None:
        if len(self.mark) == len(SYMBOLS):
            worth = sum(self.told[one] * self.mark[one] * UNIT_E8 for one in SYMBOLS)
            equity = CAPITAL + (self.cash_e8 + worth) / E8
            self.peak = max(self.peak, equity)
            self.stopped = self.stopped or equity <= 0.999 * self.peak - 1e-9

    def enabled(self, strategy: str) -> None:
        self.off.pop(strategy, None)
        self.rows = {key: row for key, row in self.rows.items() if key[0] != strategy}

    def rolled(self) -> None:
        worth = sum(self.told[one] * self.mark[one] * UNIT_E8 for one in SYMBOLS)
        self.peak, self.stopped = CAPITAL + (self.cash_e8 + worth) / E8, False

    # --- what leaves

    def left(self, now: int, request: Any) -> None:
        """A request comes out of the door. Gateways' own cancels are no strategy's requests."""
        if "-x" in request.cl_ord_id:
            return
        for (name, period), times in self.left_at.items():
            if name in ("", request.strategy):
                times.append(now)
                while times[0] <= now - period:
                    times.popleft()
        if isinstance(request, OrderCancelRequest):
            return
        self.looked += 1
        symbol, orders = request.symbol, self.open[request.symbol]
        fresh = isinstance(request, NewOrderSingle)
        if fresh:
            held = orders[request.cl_ord_id] = Held(request)
        else:
            held = next(one for one in orders.values() if one.id == request.orig_cl_ord_id)
            held.asked[request.cl_ord_id] = request.order_qty, request.price
        grows = fresh or held.most > held.qty - held.cum
        self.paces(now, request)
        self.sizes(now, request, held, grows)
        if fresh:
            like = request.strategy, symbol, request.side, request.price, request.order_qty
            if now - self.likes.get(like, -DAY) < GUARD.duplicate_ns:  # type: ignore[operator]
                self.fault(now, request, "is a duplicate")
            self.likes[like] = now
            if len(orders) > LIMITS.open_orders:  # type: ignore[operator]
                self.fault(now, request, f"makes {len(orders)} open orders")
        price = held.price if fresh else request.price
        for other in orders.values():
            if other.side != held.side and not other.ended and crosses(held.side, price, other):
                self.fault(now, request, f"meets our own {other.id}")

    def paces(self, now: int, request: Any) -> None:
        for name, second, ten in (
            (request.strategy, GUARD.strategy_requests_1s, GUARD.strategy_requests_10s),
            ("", GUARD.requests_1s, GUARD.requests_10s),
        ):
            if len(self.left_at[name, SECOND]) > second or len(self.left_at[name, 10 * SECOND]) > ten:  # type: ignore[operator]
                self.fault(now, request, "is too fast")
        if request.strategy in self.off:
            self.fault(now, request, "is of a strategy that is off")
        if now - request.now > GUARD.age_ns:  # type: ignore[operator]
            self.fault(now, request, "is old")

    def sizes(self, now: int, request: Any, held: Held, grows: bool) -> None:
        symbol, side = request.symbol, request.side
        sign = 1 if side == 1 else -1
        if request.order_qty > LIMITS.order_qty:
            self.fault(now, request, "is too large")
        market = not request.price
        price = self.price[symbol] if market else request.price
        if request.order_qty * price * UNIT_E8 > LIMITS.order_value_e8:
            self.fault(now, request, "is worth too much")
        mine = [one for one in self.open[symbol].values() if one.side == side]
        house = self.told[symbol] + sign * sum(one.most + one.cum - self.known.get(one.id, 0) for one in mine)
        reduces = abs(house) <= abs(self.told[symbol]) and house * self.told[symbol] >= 0
        silent = now - self.heard[symbol] > GUARD.stale_ns  # type: ignore[operator]
        if not market and not silent and abs(price - self.mark[symbol]) * 50 > self.mark[symbol]:
            self.fault(now, request, f"is far from {self.mark[symbol]}")
        owner = self.true[symbol, request.strategy] + sign * sum(one.most for one in mine if one.strategy == request.strategy)
        if grows and sign * owner > LIMITS.strategy_position:  # type: ignore[operator]
            self.fault(now, request, f"could make {owner} of the strategy's")
        worst = sum(self.true[symbol, one] for one in STRATEGIES) + sign * sum(one.most for one in mine)
        if sign * worst > LIMITS.position:  # type: ignore[operator]
            self.fault(now, request, f"could make {worst} of the account's")
        if reduces:
            return
        for unless, words in (
            (silent, "meets a silent market"),
            (self.stopped, "adds after the loss"),
            (symbol in self.unknown.values(), "adds while an outcome is unknown"),
        ):
            if unless:
                self.fault(now, request, words)
        value = abs(house) * price * UNIT_E8 + sum(self.exposure(one) for one in SYMBOLS if one != symbol)
        if value > EXPOSURE_E8 + 1:
            self.fault(now, request, f"exposes {value / E8}")

    def exposure(self, symbol: str) -> int:
        """The worse of both sides, at the mark, as it is at the venue's end at least."""
        held = sum(self.true[symbol, one] for one in STRATEGIES)
        worst = max(
            abs(held + sign * sum(one.most for one in self.open[symbol].values() if one.side == side))
            for side, sign in ((1, 1), (2, -1))
        )
        return worst * self.price[symbol] * UNIT_E8

    def fault(self, now: int, request: Any, words: str) -> None:
        self.faults.append(f"{request.cl_ord_id} {words} (at {now})")


def crosses(side: int, price: int, other: Held) -> bool:
    """Whether an order of a side at a price (0: any) would trade with another, whichever of its prices holds."""
    prices = [other.price, *(asked for _, asked in other.asked.values())]
    if not price or 0 in prices:
        return True
    return price >= min(prices) if side == 1 else price <= max(prices)


class Stream:
    """One seed's world: three strategies, the account, and the venue, in virtual time."""

    def __init__(self, seed: int, limits: Limits = LIMITS, guard: GuardLimits = GUARD, exposure_e8: int = EXPOSURE_E8) -> None:
        """The limits are those that risk is given; the checker keeps its own."""
        self.random = Random(seed)
        self.now = DAY
        self.checker = Checker()
        self.asked = 0
        self.words: Counter[str] = Counter()
        """How often risk refused for which reason: without its numbers."""
        self.events: list[tuple[int, int, str, Any]] = []
        self.count = 0
        self.last: dict[str, int] = {}
        self.waiting: deque[tuple[str, Message]] = deque()
        self.orders: dict[str, Held] = {}
        self.recent: dict[str, list[NewOrderSingle]] = {name: [] for name in STRATEGIES}
        self.walk = dict.fromkeys(SYMBOLS, 1_000.0)
        self.risk = Risk(INSTRUMENTS, dict.fromkeys(SYMBOLS, limits), exposure_e8, guard, CAPITAL)
        self.gateways = [Gateway(symbol) for symbol in SYMBOLS]
        self.doors = [Door(symbol) for symbol in SYMBOLS]
        self.nodes: dict[str, Any] = {one.name: one for one in (self.risk, *self.gateways, *self.doors)}
        ends = {name: name for name in (*self.nodes, *STRATEGIES)}
        edges = trading_edges(ends, {symbol: f"venue:{symbol}" for symbol in SYMBOLS}, STRATEGIES)
        for name, node in self.nodes.items():
            node.bind(Outlet(self, name, edges[name]))
        for symbol in SYMBOLS:
            self.mark(symbol)
        self.later(0, "ask", None)
        self.later(0, "fill", None)
        self.later(10 * SECOND, "person", None)
        self.later(60 * SECOND, "roll", None)

    def later(self, ns: int, kind: str, what: Any) -> None:
        self.count += 1
        heappush(self.events, (self.now + ns, self.count, kind, what))

    def in_line(self, line: str, kind: str, what: Any) -> None:
        """After a delay, and not before what was sent along the same line before."""
        at = max(self.now + self.random.randrange(MS, 60 * MS), self.last.get(line, 0) + 1)
        self.last[line] = at
        self.later(at - self.now, kind, what)

    def run(self, orders: int) -> None:
        """Until so many orders and replaces were asked for."""
        while self.asked < orders:
            self.now, _, kind, what = heappop(self.events)
            getattr(self, kind)(what)

    def give(self, name: str, message: Message) -> None:
        """Hand a message to a node, and what comes of it to the others, until nothing waits."""
        self.waiting.append((name, message))
        while self.waiting:
            end, one = self.waiting.popleft()
            if end == "risk":
                self.overhear(one)
            node = self.nodes.get(end)
            if node is not None:
                node.on(self.now, one)
            elif end.startswith("venue:"):
                self.leave(one)
            elif isinstance(one, ExecutionReport | OrderCancelReject) and one.text.startswith("risk: "):
                self.words["".join(c for c in one.text if not c.isdigit())[:48]] += 1

    def overhear(self, message: Message) -> None:
        """What risk is told, for the checker."""
        checker = self.checker
        if isinstance(message, ExecutionReport):
            for key in [message.cl_ord_id] + ([*checker.unknown] if not message.leaves_qty else []):
                if key == message.cl_ord_id or checker.unknown_of.get(key) in (message.cl_ord_id, message.orig_cl_ord_id):
                    checker.unknown.pop(key, None)
            if message.exec_type == ExecType.TRADE:
                held = self.orders[message.cl_ord_id]
                checker.known[held.id] = checker.known.get(held.id, 0) + message.last_qty
                checker.executed(message)
        elif isinstance(message, OrderCancelReject):
            checker.unknown.pop(message.cl_ord_id, None)
        elif isinstance(message, Unanswered):
            checker.unknown[message.cl_ord_id] = message.symbol
            checker.unknown_of[message.cl_ord_id] = message.orig_cl_ord_id

    # --- what happens

    def wake(self, timer: tuple[str, Timer]) -> None:
        self.give(*timer)

    def mark(self, symbol: str) -> None:
        """A mark price every second; at times the market says nothing for a while."""
        random = self.random
        step = random.gauss(1, 0.04 if random.random() < 0.02 else 0.002)
        ticks = self.walk[symbol] = min(max(self.walk[symbol] * step, 800), 1_200)
        self.checker.marked(self.now, symbol, round(ticks))
        self.give("risk", MarkPrice(symbol, self.now, self.now, self.now, round(ticks) * TICK_E8))
        self.later(8 * SECOND if random.random() < 0.01 else SECOND, "mark", symbol)

    def roll(self, _: None) -> None:
        """A day begins, every minute here."""
        self.give("risk", Timer(key="day_roll"))
        self.checker.rolled()
        self.later(60 * SECOND, "roll", None)

    def person(self, _: None) -> None:
        """Somebody enables what was disabled."""
        for strategy in list(self.checker.off):
            self.give("risk", Command(strategy=strategy, verb="enable", argument="Ada"))
            self.checker.enabled(strategy)
        self.later(10 * SECOND, "person", None)

    def ask(self, _: None) -> None:
        """A strategy wants something."""
        random, now = self.random, self.now
        self.later(random.randrange(3 * MS, 50 * MS), "ask", None)
        strategy, symbol = random.choice(STRATEGIES), random.choice(SYMBOLS)
        choice = random.random()
        mine = [one for one in self.checker.open[symbol].values() if one.strategy == strategy] if choice < 0.6 else []
        sent = now - (2 * SECOND if random.random() < 0.01 else 0)
        cl_ord_id = f"{strategy}{self.count}"
        if mine:
            held = random.choice(mine)
            if choice < 0.4:
                self.give("risk", OrderCancelRequest(symbol, 0, 0, sent, cl_ord_id, held.id, held.side, held.qty, strategy))
                return
            self.asked += 1
            price = round(self.walk[symbol] * random.uniform(0.978, 1.022))
            self.give(
                "risk",
                OrderCancelReplaceRequest(
                    symbol, 0, 0, sent, cl_ord_id, held.id, held.side, price=price, order_qty=random.randrange(1, 10),
                    strategy=strategy,
                ),
            )  # fmt: skip
            return
        self.asked += 1
        before = self.recent[strategy]
        if before and random.random() < 0.1:
            order = random.choice(before)
            order = NewOrderSingle(
                order.symbol, 0, 0, sent, cl_ord_id, order.side, order.ord_type, price=order.price, order_qty=order.order_qty,
                strategy=strategy,
            )  # fmt: skip
        else:
            side, market = random.choice((1, 2)), random.random() < 0.02
            spread = random.uniform(-0.022, 0.004) if side == 1 else random.uniform(-0.004, 0.022)
            price = 0 if market else round(self.walk[symbol] * (1 + spread))
            order = NewOrderSingle(
                symbol, 0, 0, sent, cl_ord_id, side, OrdType.MARKET if market else OrdType.LIMIT, price=price,  # type: ignore[arg-type]
                order_qty=random.randrange(1, 10), strategy=strategy,
            )  # fmt: skip
        self.recent[strategy] = [*before[-2:], order]
        self.give("risk", order)

    # --- the venue

    def leave(self, request: Message) -> None:
        """Something comes out of a door; one request in a hundred is never answered, and half of those never arrives."""
        if not isinstance(request, OrderStatusRequest | Command):
            self.checker.left(self.now, request)
            if isinstance(request, NewOrderSingle):
                self.orders[request.cl_ord_id] = self.checker.open[request.symbol][request.cl_ord_id]
        self.in_line(f"to {request.symbol}", "arrive", request)

    def arrive(self, request: Any) -> None:
        """A request reaches the venue, or does not."""
        if isinstance(request, OrderStatusRequest):
            self.query(request)
            return
        answered = self.random.random() >= 0.01
        original = getattr(request, "orig_cl_ord_id", "")
        if not answered:
            message = Unanswered(request.symbol, self.now, cl_ord_id=request.cl_ord_id, orig_cl_ord_id=original)
            self.later(SECOND, "reach", message)
        if answered or self.random.random() < 0.5:
            self.obey(request, original, answered)
        elif not original:
            self.end(self.orders.pop(request.cl_ord_id))
        elif original in self.orders:
            self.orders[original].asked.pop(request.cl_ord_id, None)

    def obey(self, request: Any, original: str, answered: bool) -> None:
        """Accept, replace, cancel, or refuse."""
        held = self.orders.get(original or request.cl_ord_id)
        if held is None or held.ended or (original and original != held.id):
            if held is not None:
                held.asked.pop(request.cl_ord_id, None)
            self.refuse(request, answered)
            return
        if not original:
            held.there = True
            self.say(held, ExecType.NEW, answered)
            if not held.price:
                self.execute(held, held.qty)
        elif isinstance(request, OrderCancelRequest):
            held.qty, held.canceled = held.cum, True
            self.orders[request.cl_ord_id] = held
            self.end(held)
            self.say(held, ExecType.CANCELED, answered, request.cl_ord_id, original)
        else:
            held.asked.pop(request.cl_ord_id)
            if request.order_qty <= held.cum:
                self.refuse(request, answered)
                return
            orders = self.checker.open[held.symbol]
            del orders[held.id]
            self.checker.known[request.cl_ord_id] = self.checker.known.get(held.id, 0)
            held.id, held.price, held.qty = request.cl_ord_id, request.price, request.order_qty
            orders[held.id] = self.orders[held.id] = held
            self.say(held, ExecType.REPLACED, answered, request.cl_ord_id, original)

    def refuse(self, request: Any, answered: bool) -> None:
        if answered:
            kind: Any = "F" if isinstance(request, OrderCancelRequest) else "G"
            reject = OrderCancelReject(
                request.symbol, self.now, cl_ord_id=request.cl_ord_id, orig_cl_ord_id=request.orig_cl_ord_id,
                cxl_rej_response_to=kind,
            )  # fmt: skip
            self.in_line(f"from {request.symbol}", "reach", reject)

    def fill(self, _: None) -> None:
        """Something is executed."""
        self.later(self.random.randrange(10 * MS, 150 * MS), "fill", None)
        orders = [one for one in self.checker.open[self.random.choice(SYMBOLS)].values() if one.there]
        if orders:
            held = self.random.choice(orders)
            self.execute(held, self.random.randrange(1, held.qty - held.cum + 1))

    def execute(self, held: Held, qty: int) -> None:
        price = held.price or round(self.walk[held.symbol])
        held.cum += qty
        self.checker.true[held.symbol, held.strategy] += qty if held.side == 1 else -qty
        if held.cum == held.qty:
            self.end(held)
        self.say(held, ExecType.TRADE, True, last_qty=qty, last_px=price)

    def end(self, held: Held) -> None:
        held.ended = True
        del self.checker.open[held.symbol][held.id]

    def say(self, held: Held, kind: ExecType, answered: bool, cl_ord_id: str = "", orig: str = "", **more: int) -> None:
        report = self.state(held, kind)
        report.cl_ord_id, report.orig_cl_ord_id = cl_ord_id or held.id, orig
        report.last_qty, report.last_px = more.get("last_qty", 0), more.get("last_px", 0)
        self.count += 1
        report.exec_id = str(self.count)
        if answered:
            self.in_line(f"from {held.symbol}", "reach", report)

    def state(self, held: Held, kind: ExecType) -> ExecutionReport:
        open_ = not held.ended
        status = OrdStatus.PARTIALLY_FILLED if held.cum else OrdStatus.NEW
        ended = OrdStatus.CANCELED if held.canceled else OrdStatus.FILLED
        return ExecutionReport(
            held.symbol, self.now, self.now, 0, "", held.id, exec_type=kind, ord_status=status if open_ else ended,
            side=held.side, price=held.price, order_qty=held.qty, cum_qty=held.cum, strategy=held.strategy,
            leaves_qty=held.qty - held.cum if open_ else 0,
        )  # fmt: skip

    def query(self, request: OrderStatusRequest) -> None:
        held = self.orders.get(request.cl_ord_id)
        if held is None:
            answer: Message = BusinessMessageReject(request.symbol, business_reject_ref_id=request.cl_ord_id)
        else:
            answer = self.state(held, ExecType.ORDER_STATUS)
            answer.cl_ord_id = request.cl_ord_id
        self.in_line(f"from {request.symbol}", "reach", answer)

    def reach(self, message: Message) -> None:
        """Something reaches the house."""
        self.give(f"gateway:{message.symbol}", message)


class Outlet:
    """A node's outbox in a stream."""

    def __init__(self, stream: Stream, name: str, routes: Any) -> None:
        self.stream, self.name, self.routes = stream, name, routes

    def send(self, message: Message) -> None:
        for end in self.routes[type(message)](message):
            self.stream.waiting.append((end, message))

    def wake(self, at: int, key: str = "") -> None:
        self.stream.later(at - self.stream.now, "wake", (self.name, Timer("", at, at, at, at, key)))

    def record(self, entry: Message) -> None: ...
