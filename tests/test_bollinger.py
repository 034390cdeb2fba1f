"""Stories of the Bollinger strategy: in at a band, out at a profit or a loss, and what goes wrong on the way."""

import math
from pathlib import Path

import numpy as np
import pytest

from actors.graph import read
from core.instrument import Instrument, Key
from core.message import (
    Bar,
    Command,
    ExecType,
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrdStatus,
    OrdType,
    Tick,
    TimeInForce,
    Timer,
)
from core.price import BUY, SELL
from core.strategy import MINUTE, MS, ParameterError
from strategies.bollinger import Bollinger

BTC = Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001")
CLOSES = [600_000 + 100 * (i % 5) for i in range(21)]
MEAN, DEVIATION = np.mean(CLOSES[1:]), np.std(CLOSES[1:])
ENTRY = 599_800


class Story:
    """The strategy's outbox, and the venue and market that it hears of."""

    def __init__(self, bars: int = 21, **parameters: float) -> None:
        self.strategy = Bollinger("bb", [BTC], **parameters)
        self.strategy.bind(self)
        self.sent: list[NewOrderSingle] = []
        self.records: list[tuple[str, str]] = []
        self.wakes: list[int] = []
        self.now = 0
        self.executions = 0
        for close in CLOSES[:bars]:
            self.bar(close)

    def send(self, message: Message) -> None:
        assert isinstance(message, NewOrderSingle)
        self.sent.append(message)

    def wake(self, at: int, key: str = "") -> None:
        self.wakes.append(at)

    def record(self, entry: Message) -> None:
        assert isinstance(entry, Command)
        self.records.append((entry.verb, entry.argument))

    def bar(self, close: int) -> None:
        self.now += MINUTE
        self.strategy.on(self.now, Bar("BTCUSDT", period=MINUTE, open=close, high=close, low=close, close=close))

    def tick(self, bid: int, later: int = MS) -> NewOrderSingle | None:
        """A tick with a spread of two; the order that it led to, if any."""
        self.now += later
        count = len(self.sent)
        self.strategy.on(self.now, Tick("BTCUSDT", self.now, self.now, self.now, 1, ((bid, 5),), ((bid + 2, 5),)))
        return self.sent[-1] if len(self.sent) > count else None

    def timer(self) -> NewOrderSingle | None:
        self.now = max(self.now, self.wakes[-1])
        count = len(self.sent)
        self.strategy.on(self.now, Timer("", self.now, self.now, self.now, self.now, "leave again"))
        return self.sent[-1] if len(self.sent) > count else None

    def report(self, order: NewOrderSingle, kind: ExecType, status: OrdStatus, qty: int = 0, price: int = 0) -> None:
        self.executions += 1
        report = ExecutionReport(
            symbol="BTCUSDT",
            cl_ord_id=order.cl_ord_id,
            exec_id=str(self.executions),
            exec_type=kind,
            ord_status=status,
            side=order.side,
            order_qty=order.order_qty,
            last_qty=qty,
            last_px=price,
        )
        self.strategy.on(self.now, report)

    def fill(self, order: NewOrderSingle, price: int, qty: int = 0) -> None:
        self.report(order, ExecType.TRADE, OrdStatus.FILLED, qty or order.order_qty, price)

    def enter(self, bid: int = ENTRY - 2) -> NewOrderSingle:
        """Below the lower band, filled at the ask: long 10 lots at ENTRY."""
        order = self.tick(bid)
        assert order is not None
        self.fill(order, bid + 2)
        return order

    @property
    def state(self) -> str:
        return self.strategy.machine.state


def test_the_bands_and_the_volatility_are_those_of_the_last_twenty_minutes() -> None:
    strategy = Story().strategy
    assert strategy.lower == pytest.approx(MEAN - 2 * DEVIATION)
    assert strategy.upper == pytest.approx(MEAN + 2 * DEVIATION)
    assert strategy.volatility == pytest.approx(math.sqrt((np.diff(np.log(CLOSES)) ** 2).sum()))


def test_it_buys_below_the_lower_band_at_the_ask_immediate_or_cancel() -> None:
    story = Story()
    assert story.tick(600_150) is None
    order = story.tick(ENTRY - 2)
    assert order is not None
    assert (order.side, order.price, order.order_qty, order.time_in_force) == (BUY, ENTRY, 10, TimeInForce.IOC)
    assert story.state == "flat"
    story.fill(order, ENTRY)
    assert story.state == "long"


def test_it_sells_above_the_upper_band_at_the_bid() -> None:
    story = Story()
    order = story.tick(600_600)
    assert order is not None
    assert (order.side, order.price) == (SELL, 600_600)
    story.fill(order, 600_600)
    assert story.state == "short"


@pytest.mark.parametrize(("side", "sign"), [(BUY, 1), (SELL, -1)])
@pytest.mark.parametrize("move", [0.0016, -0.0011])
def test_it_leaves_at_market_at_the_profit_and_at_the_stop(side: int, sign: int, move: float) -> None:
    story = Story()
    bid = ENTRY - 2 if side == BUY else 600_600
    entry = story.enter(bid)
    paid = bid + 2
    assert entry.side == side
    edge = paid * (1 + sign * move)
    inside = math.floor(edge) if edge > paid else math.ceil(edge)
    outside = inside + (1 if edge > paid else -1)
    assert story.tick(inside - 1) is None  # the mid is the bid and one
    order = story.tick(outside - 1)
    assert order is not None
    assert (order.side, order.ord_type, order.order_qty) == (SELL if side == BUY else BUY, OrdType.MARKET, 10)
    story.fill(order, outside)
    assert (story.state, story.strategy.position()) == ("flat", 0)


def test_one_attempt_a_bar() -> None:
    story = Story()
    order = story.tick(ENTRY - 2)
    assert order is not None
    story.report(order, ExecType.EXPIRED, OrdStatus.EXPIRED)
    assert story.state == "flat"
    assert story.tick(ENTRY - 3) is None
    story.bar(600_200)
    assert story.tick(ENTRY - 300) is not None


def test_nothing_is_entered_before_the_bands_are_known_nor_while_it_may_not_trade() -> None:
    assert Story(bars=20).tick(1) is None
    story = Story()
    story.strategy.on(story.now, Command(verb="trading", argument="off"))
    assert story.tick(ENTRY) is None
    story.strategy.on(story.now, Command(verb="trading", argument="on"))
    assert story.tick(ENTRY) is not None


def test_nothing_is_entered_while_the_market_is_volatile() -> None:
    story = Story(volatile_above=0.0001)
    assert story.tick(ENTRY) is None
    assert story.strategy.conditions["volatile"]
    assert story.strategy.conditions["below_lower"]


def test_a_second_entry_is_not_sent_while_the_first_is_in_flight() -> None:
    story = Story()
    assert story.tick(ENTRY) is not None
    story.bar(600_000)
    assert story.tick(ENTRY - 100) is None
    assert len(story.sent) == 1


def test_a_rejected_entry_leaves_it_flat() -> None:
    story = Story()
    order = story.tick(ENTRY)
    assert order is not None
    story.report(order, ExecType.REJECTED, OrdStatus.REJECTED)
    assert story.state == "flat"
    assert story.wakes == []


def test_a_partly_filled_entry_is_left_with_what_was_filled() -> None:
    story = Story()
    order = story.tick(ENTRY - 2)
    assert order is not None
    story.fill(order, ENTRY, qty=4)
    assert story.state == "long"
    assert story.tick(590_000) is None  # the entry is still in flight: it may fill more
    story.report(order, ExecType.EXPIRED, OrdStatus.EXPIRED)
    leave = story.tick(590_000)
    assert leave is not None
    assert leave.order_qty == 4


def test_a_rejected_exit_is_tried_again_after_a_pause_even_when_the_price_has_come_back() -> None:
    story = Story()
    story.enter()
    first = story.tick(590_000)
    assert first is not None
    assert story.tick(589_000) is None  # never two exits
    story.report(first, ExecType.REJECTED, OrdStatus.REJECTED)
    assert story.wakes == [story.now + 200 * MS]
    assert story.tick(ENTRY) is None
    again = story.timer()
    assert again is not None
    assert (again.side, again.order_qty, again.ord_type) == (SELL, 10, OrdType.MARKET)
    assert story.timer() is None
    story.fill(again, 589_000)
    assert story.state == "flat"
    assert story.timer() is None


def test_an_exit_filled_in_part_is_completed() -> None:
    story = Story()
    story.enter()
    first = story.tick(590_000)
    assert first is not None
    story.fill(first, 590_000, qty=7)
    assert story.tick(590_000) is None
    story.report(first, ExecType.EXPIRED, OrdStatus.EXPIRED)
    rest = story.tick(ENTRY, later=200 * MS)
    assert rest is not None
    assert rest.order_qty == 3
    story.fill(rest, ENTRY)
    assert (story.state, story.strategy.leaving) == ("flat", False)


def test_a_fill_that_comes_after_the_orders_end_still_makes_it_long() -> None:
    story = Story()
    order = story.tick(ENTRY - 2)
    assert order is not None
    story.report(order, ExecType.EXPIRED, OrdStatus.EXPIRED)
    story.fill(order, ENTRY)
    assert story.state == "long"
    assert story.tick(590_000) is not None


def test_a_position_that_changes_sides_at_once_passes_through_flat() -> None:
    story = Story()
    order = story.enter()
    foreign = NewOrderSingle("BTCUSDT", cl_ord_id="liquidation", side=SELL, order_qty=25)
    story.fill(foreign, ENTRY)
    assert order.side == BUY
    assert (story.state, story.strategy.position()) == ("short", -15)


def test_conditions_are_recorded_when_they_change() -> None:
    story = Story()
    story.tick(600_150)
    assert story.records == []
    story.enter()
    story.tick(600_150)
    story.tick(ENTRY + 1000)
    assert story.records == [
        ("below_lower", "true"), ("below_lower", "false"), ("above_upper", "true"), ("profit", "true"),
    ]  # fmt: skip
    assert story.strategy.conditions == {
        "below_lower": False, "above_upper": True, "volatile": False, "profit": True, "loss": False,
    }  # fmt: skip


def test_a_market_without_two_sides_changes_nothing() -> None:
    story = Story()
    story.strategy.on(story.now, Tick("BTCUSDT", story.now, story.now, story.now, 1, ((1, 1),), ()))
    assert story.sent == []
    assert story.records == []


def test_another_handler_can_be_added_for_the_same_pair_while_it_runs() -> None:
    story, seen = Story(), []
    story.strategy.machine.add("long", Tick, seen.append)
    story.tick(600_150)
    assert seen == []
    story.enter()
    story.tick(ENTRY)
    assert len(seen) == 1
    story.strategy.machine.remove("long", Tick, seen.append)


def test_too_small_a_parameter_is_named() -> None:
    with pytest.raises(ParameterError, match="order_qty"):
        Bollinger("bb", [BTC], order_qty=0.0001)


def test_the_graph_file_gives_the_defaults() -> None:
    plan = read(Path(__file__).parent.parent / "strategies" / "bollinger.toml")
    assert plan.graph.parameters == Bollinger.parameters()
