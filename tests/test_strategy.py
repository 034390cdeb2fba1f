"""What every strategy gets: checked parameters, handlers, its orders' books, one request at a time, wakes that keep time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.instrument import Instrument, Key
from core.machine import ANY
from core.message import (
    Bar,
    Command,
    ExecType,
    ExecutionReport,
    Funding,
    Liquidity,
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
    TimeInForce,
    Timer,
    TradingState,
)
from core.price import BUY, E8, SELL
from core.strategy import GTX, MS, SECOND, ParameterError, Strategy, when

BTC = Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001")
ETH = Instrument(Key("binance_usdm", "ETHUSDT"), "0.01", "0.001")


class Plain(Strategy):
    """Writes down what it is called with."""

    order_qty: float = 0.003
    depth: int = 5
    eager: bool = False
    label: str = "x"
    levels: ClassVar[int] = 1
    _hidden: int = 0

    def __init__(self, name: str, instruments: Iterable[Instrument], capital: float = 0.0, **parameters: Any) -> None:
        super().__init__(name, instruments, capital, **parameters)
        self.called: list[tuple[str, Any]] = []

    def on_start(self) -> None:
        self.called.append(("start", self.now))

    def on_tick(self, tick: Tick) -> None:
        self.called.append(("tick", tick.bid))

    def on_trade(self, tick: Tick) -> None:
        self.called.append(("trade", tick.trade_last))

    def on_bar(self, bar: Bar) -> None:
        self.called.append(("bar", bar.close))

    def on_report(self, report: ExecutionReport) -> None:
        self.called.append(("report", report.exec_type))

    def on_reject(self, reject: OrderCancelReject) -> None:
        self.called.append(("reject", reject.cl_ord_id))

    def on_timer(self, timer: Timer) -> None:
        self.called.append((timer.key, self.now))

    def on_funding(self, funding: Funding) -> None:
        self.called.append(("funding", self.ledger.of(funding.symbol).funding))

    def on_command(self, command: Command) -> None:
        self.called.append((command.verb, command.argument))


class Desk:
    """A strategy's outbox and the venue behind it."""

    def __init__(self, kind: type[Strategy] = Plain, instruments: tuple[Instrument, ...] = (BTC,), **parameters: Any) -> None:
        self.strategy: Any = kind("s", instruments, 1000.0, **parameters)
        self.strategy.bind(self)
        self.sent: list[Any] = []
        self.wakes: list[tuple[int, str]] = []
        self.entries: list[Message] = []
        self.executions = 0
        self.hand(Command(verb="start", argument="7"), 0)

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def wake(self, at: int, key: str = "") -> None:
        self.wakes.append((at, key))

    def record(self, entry: Message) -> None:
        self.entries.append(entry)

    def hand(self, message: Message, now: int = 1) -> None:
        self.strategy.on(now, message)

    def report(self, cl_ord_id: str, kind: ExecType, status: OrdStatus, **more: Any) -> None:
        self.executions += 1
        self.hand(
            ExecutionReport(
                "BTCUSDT", cl_ord_id=cl_ord_id, exec_id=str(self.executions), exec_type=kind, ord_status=status, **more
            )
        )

    def working(self, qty: int = 10) -> Any:
        """An acknowledged buy."""
        order = self.strategy.buy(100, qty)
        self.report(order.cl_ord_id, ExecType.NEW, OrdStatus.NEW, order_qty=qty, leaves_qty=qty)
        return order


def tick(bid: int, last: int = 0) -> Tick:
    trades = (1, 5, 0, 5 * last, last, last, last, last, 0) if last else (0,) * 9
    return Tick("BTCUSDT", bids=((bid, 5),), asks=((bid + 1, 5),), trades=trades)


# --- parameters


def test_parameters_are_the_annotated_class_attributes_with_their_defaults() -> None:
    assert Plain.parameters() == {"order_qty": 0.003, "depth": 5, "eager": False, "label": "x"}


def test_parameters_of_a_subclass_come_after_those_it_inherits() -> None:
    class Deeper(Plain):
        depth: int = 9
        width: float = 1.0

    assert list(Deeper.parameters().items())[:2] == [("order_qty", 0.003), ("depth", 9)]
    assert Deeper("d", [BTC], width=2).width == 2.0


def test_given_parameters_take_the_place_of_defaults_and_leave_the_class_alone() -> None:
    one = Plain("s", [BTC], depth=7, order_qty=1)
    assert (one.depth, one.order_qty, type(one.order_qty)) == (7, 1.0, float)
    assert Plain("t", [BTC]).depth == 5


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dept": 5}, "Plain has no parameter 'dept'"),
        ({"levels": 5}, "no parameter 'levels'"),
        ({"_hidden": 5}, "no parameter '_hidden'"),
        ({"depth": 5.0}, "Plain.depth is a int, not 5.0 (float)"),
        ({"depth": True}, "Plain.depth is a int, not True (bool)"),
        ({"eager": 1}, "Plain.eager is a bool, not 1 (int)"),
        ({"order_qty": "much"}, "Plain.order_qty is a float, not 'much' (str)"),
    ],
)
def test_a_parameter_that_is_unknown_or_of_the_wrong_type_is_refused_by_name(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Plain("s", [BTC], **given)
    assert words in str(caught.value)
    assert caught.value.name == next(iter(given))


# --- handlers


def test_each_message_reaches_its_handler() -> None:
    desk = Desk()
    for message in (
        tick(100), tick(101, last=99), Bar("BTCUSDT", close=7), Timer("", due=1, key="w"),
        Funding("BTCUSDT", 1, funding_rate_e8=1, mark_price_e8=E8), Command(verb="widen", argument="2"),
    ):  # fmt: skip
        desk.hand(message)
    assert desk.strategy.called == [
        ("start", 0), ("tick", 100), ("tick", 101), ("trade", 99), ("bar", 7), ("w", 1), ("funding", 0.0), ("widen", "2"),
    ]  # fmt: skip


def test_a_message_that_no_strategy_takes_is_a_bug_and_not_silence() -> None:
    with pytest.raises(KeyError):
        Desk().hand(Message())


def test_the_newest_market_of_each_instrument_is_at_hand() -> None:
    desk = Desk(instruments=(BTC, ETH))
    assert desk.strategy.tick.stale
    desk.hand(tick(100))
    desk.hand(Tick("ETHUSDT", bids=((5, 1),), asks=((6, 1),)))
    desk.hand(tick(102))
    assert desk.strategy.tick.bid == 102
    assert desk.strategy.market["ETHUSDT"].bid == 5


@pytest.mark.parametrize(("handler", "sampling"), [("on_tick", False), ("on_trade", False), ("on_timer", True)])
def test_a_strategy_without_a_handler_for_ticks_is_a_sampling_one(handler: str, sampling: bool) -> None:
    assert type("Some", (Strategy,), {handler: lambda self, message: None}).sampling() == sampling


def test_a_marked_handler_for_ticks_wants_them_all() -> None:
    class Marked(Strategy):
        @when(ANY, Tick)
        def look(self, tick: Tick) -> None: ...

    assert not Marked.sampling()


class Door(Strategy):
    """Open or shut; counts by event filters."""

    moves: ClassVar[tuple[tuple[str, str], ...]] = (("shut", "open"), ("open", "shut"))
    start_state: ClassVar[str] = "shut"

    def __init__(self, name: str, instruments: Iterable[Instrument], capital: float = 0.0, **parameters: Any) -> None:
        super().__init__(name, instruments, capital, **parameters)
        self.seen: list[str] = []

    @when("shut", Timer)
    def unlock(self, timer: Timer) -> None:
        self.seen.append("unlock")
        self.machine.to("open")

    @when("open", Timer)
    @when("open", Tick)
    def lock(self, message: Message) -> None:
        self.seen.append("lock")
        self.machine.to("shut")

    @when(ANY, Timer)
    def ring(self, timer: Timer) -> None:
        self.seen.append("ring")

    def on_timer(self, timer: Timer) -> None:
        self.seen.append("method")


def test_event_filters_are_chosen_by_state_and_type_and_come_after_the_method() -> None:
    desk = Desk(Door)
    desk.hand(Timer())
    desk.hand(tick(100))
    desk.hand(tick(100))
    assert desk.strategy.seen == ["method", "unlock", "ring", "lock"]


def test_event_filters_come_and_go_while_running() -> None:
    desk, more = Desk(Door), []
    desk.strategy.machine.remove("shut", Timer, desk.strategy.unlock)
    desk.strategy.machine.add("shut", Timer, more.append)
    desk.hand(Timer())
    assert desk.strategy.seen == ["method", "ring"]
    assert len(more) == 1


# --- orders


def test_an_order_is_sent_as_a_request_and_kept_until_nothing_is_left_of_it() -> None:
    desk = Desk()
    order = desk.strategy.sell(100, 10, tif=GTX)
    request = desk.sent[0]
    assert isinstance(request, NewOrderSingle)
    assert (request.side, request.price, request.order_qty, request.time_in_force) == (SELL, 100, 10, TimeInForce.GTX)
    assert (request.ord_type, request.strategy) == (OrdType.LIMIT, "s")
    assert (order.status, order.working) == (OrdStatus.PENDING_NEW, True)
    desk.report(order.cl_ord_id, ExecType.NEW, OrdStatus.NEW, order_qty=10, leaves_qty=10)
    desk.report(order.cl_ord_id, ExecType.TRADE, OrdStatus.PARTIALLY_FILLED, side=SELL, last_qty=4, last_px=100)
    assert list(desk.strategy.orders.values()) == [order]
    desk.report(order.cl_ord_id, ExecType.TRADE, OrdStatus.FILLED, side=SELL, last_qty=6, last_px=101)
    assert not desk.strategy.orders
    assert (order.status, order.avg_px, desk.strategy.position()) == (OrdStatus.FILLED, 100.6, -10)


def test_no_price_is_a_market_order() -> None:
    desk = Desk()
    desk.strategy.buy(None, 3)
    assert (desk.sent[0].ord_type, desk.sent[0].price) == (OrdType.MARKET, 0)


def test_order_ids_are_never_used_twice() -> None:
    desk = Desk()
    order = desk.working()
    desk.strategy.cancel(order)
    desk.strategy.buy(99, 1)
    ids = [message.cl_ord_id for message in desk.sent]
    assert len(set(ids)) == 3
    assert all(one.startswith("s-7-") for one in ids)


def test_a_refused_order_is_gone_from_the_books() -> None:
    desk = Desk()
    order = desk.strategy.buy(100, 10)
    desk.report(order.cl_ord_id, ExecType.REJECTED, OrdStatus.REJECTED, order_qty=10)
    assert not desk.strategy.orders
    assert order.status == OrdStatus.REJECTED


def test_one_request_at_a_time_is_sent_for_an_order() -> None:
    desk = Desk()
    order = desk.working()
    desk.strategy.replace(order, 101, 12)
    desk.strategy.replace(order, 102, 12)
    desk.strategy.cancel(order)
    desk.strategy.cancel_all()
    assert [type(message) for message in desk.sent] == [NewOrderSingle, OrderCancelReplaceRequest]
    replaced = desk.sent[1]
    assert (replaced.orig_cl_ord_id, replaced.price, replaced.order_qty) == (order.cl_ord_id, 101, 12)
    desk.report(
        replaced.cl_ord_id, ExecType.REPLACED, OrdStatus.NEW,
        orig_cl_ord_id=replaced.orig_cl_ord_id, transact_time=1, price=101, order_qty=12, leaves_qty=12,
    )  # fmt: skip
    assert list(desk.strategy.orders) == [replaced.cl_ord_id]
    assert (order.price, order.order_qty) == (101, 12)
    desk.strategy.cancel(order)
    assert (type(desk.sent[2]), desk.sent[2].orig_cl_ord_id) == (OrderCancelRequest, replaced.cl_ord_id)


def test_an_order_that_filled_while_its_cancel_was_under_way_stays_until_the_cancel_is_refused() -> None:
    desk = Desk()
    order = desk.working()
    desk.strategy.cancel(order)
    desk.report(order.cl_ord_id, ExecType.TRADE, OrdStatus.FILLED, last_qty=10, last_px=100)
    assert desk.strategy.orders
    desk.hand(OrderCancelReject("BTCUSDT", cl_ord_id=desk.sent[-1].cl_ord_id, orig_cl_ord_id=order.cl_ord_id))
    assert not desk.strategy.orders
    assert desk.strategy.called[-1] == ("reject", desk.sent[-1].cl_ord_id)


def test_a_refused_replace_leaves_the_order_as_it_was() -> None:
    desk = Desk()
    order = desk.working()
    desk.strategy.replace(order, 101, 12)
    desk.hand(OrderCancelReject("BTCUSDT", cl_ord_id=desk.sent[-1].cl_ord_id, orig_cl_ord_id=order.cl_ord_id))
    assert (order.price, order.order_qty, order.pending) == (100, 10, False)
    assert list(desk.strategy.orders.values()) == [order]


def test_a_fill_of_an_order_that_was_let_go_still_moves_the_position() -> None:
    desk = Desk()
    order = desk.working()
    desk.strategy.cancel(order)
    desk.report(desk.sent[-1].cl_ord_id, ExecType.CANCELED, OrdStatus.CANCELED, orig_cl_ord_id=order.cl_ord_id)
    assert not desk.strategy.orders
    desk.report(order.cl_ord_id, ExecType.TRADE, OrdStatus.CANCELED, last_qty=4, last_px=100)
    assert desk.strategy.position() == 4


def test_nothing_is_asked_about_an_order_that_is_done() -> None:
    desk = Desk()
    order = desk.working()
    desk.report(order.cl_ord_id, ExecType.TRADE, OrdStatus.FILLED, last_qty=10, last_px=100)
    desk.strategy.cancel(order)
    desk.strategy.replace(order, 1, 1)
    assert len(desk.sent) == 1


def test_a_strategy_that_may_not_trade_gets_its_order_back_rejected_and_nothing_is_sent() -> None:
    desk = Desk()
    desk.hand(Command(verb="trading", argument="off"))
    order = desk.strategy.buy(100, 10)
    assert (order.status, order.done) == (OrdStatus.REJECTED, True)
    assert not desk.sent
    assert not desk.strategy.orders
    desk.hand(Command(verb="trading", argument="on"))
    desk.strategy.buy(100, 10)
    assert len(desk.sent) == 1


def test_the_ledger_knows_money_before_the_handler_is_called() -> None:
    desk = Desk()
    order = desk.working()
    desk.report(
        order.cl_ord_id, ExecType.TRADE, OrdStatus.FILLED,
        last_qty=10, last_px=1000, commission_e8=2 * E8, last_liquidity_ind=Liquidity.TAKER,
    )  # fmt: skip
    account = desk.strategy.ledger.of("BTCUSDT")
    assert (account.position, account.cash) == (10, pytest.approx(-10 * 1000 * 0.0001 - 2))
    desk.hand(Funding("BTCUSDT", 5, funding_rate_e8=10_000, mark_price_e8=100 * E8))
    assert desk.strategy.called[-1] == ("funding", pytest.approx(-0.01 * 100 * 0.0001))


def test_prices_and_quantities_are_read_as_decimals() -> None:
    desk = Desk(instruments=(BTC, ETH))
    assert (desk.strategy.ticks(63_947.4), desk.strategy.lots(0.1 + 0.2)) == (639_474, 300)
    assert desk.strategy.ticks(3400.25, "ETHUSDT") == 340_025


# --- wakes and notes


def ring(desk: Desk, at: int, due: int, key: str = "w") -> None:
    desk.hand(Timer("", due=due, key=key), at)


def test_every_wakes_at_the_multiples_of_its_period() -> None:
    desk = Desk()
    desk.strategy.now = 250 * MS
    desk.strategy.every(100 * MS, "w")
    for _ in range(3):
        at, key = desk.wakes[-1]
        ring(desk, at, at, key)
    assert [at for at, _ in desk.wakes] == [300 * MS, 400 * MS, 500 * MS, 600 * MS]


def test_multiples_that_pass_while_the_strategy_is_busy_are_not_made_up_for() -> None:
    desk = Desk()
    desk.strategy.every(100 * MS, "w")
    ring(desk, 270 * MS, 100 * MS)
    assert desk.wakes[-1] == (300 * MS, "w")


def test_a_single_wake_under_the_key_of_a_period_does_not_start_a_second_train() -> None:
    desk = Desk()
    desk.strategy.every(100 * MS, "w")
    desk.strategy.wake(150 * MS, "w")
    ring(desk, 100 * MS, 100 * MS)
    ring(desk, 150 * MS, 150 * MS)
    assert [at for at, _ in desk.wakes] == [100 * MS, 150 * MS, 200 * MS]


def test_asking_for_a_period_again_changes_it_and_doubles_nothing() -> None:
    desk = Desk()
    desk.strategy.every(100 * MS, "w")
    desk.strategy.every(100 * MS, "w")
    desk.strategy.every(SECOND, "w")
    ring(desk, 100 * MS, 100 * MS)
    ring(desk, SECOND, SECOND)
    assert [at for at, _ in desk.wakes] == [100 * MS, SECOND, 2 * SECOND]


@given(st.integers(0, 10**18), st.integers(1, 10**12))
def test_the_next_multiple_is_always_ahead_and_never_more_than_a_period_away(now: int, period: int) -> None:
    desk = Desk()
    desk.strategy.now = now
    desk.strategy.every(period, "w")
    at = desk.wakes[-1][0]
    assert at % period == 0
    assert 0 < at - now <= period


def test_a_note_goes_to_the_journal() -> None:
    desk, entry = Desk(), Command("BTCUSDT", verb="wide", argument="true")
    desk.strategy.note(entry)
    assert desk.entries == [entry]


def test_what_a_strategy_does_depends_on_its_messages_alone() -> None:
    sent = []
    for _ in range(2):
        desk = Desk()
        order = desk.working()
        desk.strategy.replace(order, 101, 12)
        desk.strategy.sell(None, 2)
        sent.append(desk.sent)
    assert sent[0] == sent[1]
    assert sent[0][0].side == BUY


def test_flatten_cancels_first_and_then_closes_what_is_held_once_with_an_order_that_only_reduces() -> None:
    desk = Desk()
    order = desk.working(5)
    desk.report(order.cl_ord_id, ExecType.TRADE, OrdStatus.PARTIALLY_FILLED, last_qty=2, last_px=100)
    desk.hand(Command(verb="flatten"))
    cancel = desk.sent[-1]
    assert isinstance(cancel, OrderCancelRequest)
    desk.report(cancel.cl_ord_id, ExecType.CANCELED, OrdStatus.CANCELED, orig_cl_ord_id=order.cl_ord_id)
    closing = desk.sent[-1]
    assert isinstance(closing, NewOrderSingle)
    assert (closing.side, closing.ord_type, closing.order_qty, closing.reduce_only) == (SELL, OrdType.MARKET, 2, True)
    desk.report(closing.cl_ord_id, ExecType.REJECTED, OrdStatus.REJECTED, order_qty=2)
    assert desk.sent[-1] is closing
    assert desk.strategy.buy(100, 1).status == OrdStatus.REJECTED


# --- what people and hosts say


class Told:
    """A strategy and what it sends."""

    def __init__(self, kind: type[Strategy] = Plain, **parameters: Any) -> None:
        self.sent: list[Any] = []
        self.wakes: list[tuple[int, str]] = []
        self.strategy = kind("mm", [BTC], **parameters)
        self.strategy.bind(self)

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def wake(self, at: int, key: str = "") -> None:
        self.wakes.append((at, key))

    def record(self, entry: Message) -> None: ...

    def say(self, verb: str, argument: str = "") -> Any:
        """A command; the last thing that it sent since, or None."""
        before = len(self.sent)
        self.strategy.on(7, Command(verb=verb, argument=argument))
        return self.sent[-1] if len(self.sent) > before else None


def test_ids_are_made_of_the_tag_and_the_epoch_that_it_was_started_with_or_of_its_name() -> None:
    desk = Told()
    desk.say("start", "live.mm.BTC 1790000000")
    assert desk.strategy.buy(1000, 1).cl_ord_id == "live.mm.BTC-1790000000-1"
    plain = Told()
    plain.say("start", "5")
    assert plain.strategy.buy(1000, 1).cl_ord_id == "mm-5-1"


def test_a_stopped_strategy_cancels_what_works_and_trades_no_more_until_it_is_started_again() -> None:
    desk = Told()
    strategy = desk.strategy
    desk.say("start", "tag 5")
    idle, moving = strategy.buy(1000, 3), strategy.buy(990, 3)
    strategy.replace(moving, 991, 3)
    desk.say("stop")
    assert [one.orig_cl_ord_id for one in desk.sent if isinstance(one, OrderCancelRequest)] == [idle.cl_ord_id]
    replaced = ExecutionReport("BTCUSDT", 9, cl_ord_id="tag-5-3", orig_cl_ord_id="tag-5-2", exec_id="r", order_qty=3, price=991,
                               exec_type=ExecType.REPLACED, leaves_qty=3)  # fmt: skip
    strategy.on(8, replaced)
    assert desk.sent[-1].orig_cl_ord_id == "tag-5-3", "what had a request pending ends once that is answered"
    before = len(desk.sent)
    refused = strategy.buy(1000, 1)
    strategy.replace(idle, 1001, 3)
    assert (refused.status, len(desk.sent), strategy.trading) == (OrdStatus.REJECTED, before, False)
    desk.say("trading", "on")
    assert not strategy.trading, "the account's leave does not start what a person stopped"
    desk.say("start")
    assert strategy.trading
    assert strategy.buy(1000, 1).cl_ord_id == "tag-5-7", "counting goes on, and so does the epoch"
    assert [name for name, _ in strategy.called if name == "start"] == ["start"]


def test_a_reject_after_the_stop_lets_the_cancel_follow() -> None:
    desk = Told()
    desk.say("start", "5")
    order = desk.strategy.buy(1000, 3)
    desk.strategy.replace(order, 999, 3)
    desk.say("stop")
    desk.strategy.on(8, OrderCancelReject("BTCUSDT", cl_ord_id="mm-5-2", orig_cl_ord_id="mm-5-1", cxl_rej_response_to="G"))
    assert isinstance(desk.sent[-1], OrderCancelRequest)


class Changing(Plain):
    """Refuses one value, and writes down what changed."""

    def on_parameters(self, changed: Mapping[str, Any]) -> None:
        if self.depth == 13:
            raise ParameterError("13 is unlucky", "depth")
        self.called.append(("changed", changed))


@pytest.mark.parametrize(
    ("written", "name", "value"),
    [
        ("order_qty=0.5", "order_qty", 0.5), ("order_qty = 2", "order_qty", 2.0), ("depth=9", "depth", 9),
        ("eager=true", "eager", True), ("eager=false", "eager", False), ("label=a=b", "label", "a=b"),
    ],
)  # fmt: skip
def test_parameters_change_while_it_trades(written: str, name: str, value: Any) -> None:
    desk = Told(Changing)
    answer = desk.say("set", written)
    assert isinstance(answer, News)
    assert (answer.urgency, answer.headline, answer.source) == (0, f"{name} is {value}", "mm")
    assert getattr(desk.strategy, name) == value
    assert desk.strategy.called[-1] == ("changed", {name: value})


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("dept=9", "Changing has no parameter 'dept': did you mean 'depth'?"),
        ("depth=much", "Changing.depth is a int, not 'much' (str)"),
        ("depth=1.5", "Changing.depth is a int, not 1.5 (float)"),
        ("eager=1", "Changing.eager is a bool, not '1' (str)"),
        ("depth=13", "13 is unlucky"),
        ("", "has no parameter ''"),
    ],
)
def test_what_is_no_parameter_or_no_value_of_it_changes_nothing_and_is_answered(written: str, words: str) -> None:
    desk = Told(Changing)
    before = {name: getattr(desk.strategy, name) for name in Changing.parameters()}
    answer = desk.say("set", written)
    assert (answer.urgency, answer.headline) == (1, "no parameter was changed")
    assert words in answer.text
    assert {name: getattr(desk.strategy, name) for name in Changing.parameters()} == before


def test_it_begins_from_the_position_that_it_is_told_and_hears_what_may_be_traded() -> None:
    desk = Told()
    desk.strategy.on(1, PositionReport("BTCUSDT", strategy="mm", qty=7, cost_units=7_000, cash_e8=E8))
    desk.strategy.on(1, PositionReport("DOGEUSDT", strategy="mm", qty=7))
    assert desk.strategy.position() == 7
    desk.strategy.on(2, SecurityStatus("BTCUSDT", source="risk", state=TradingState.REDUCE))
    assert desk.strategy.states == {"BTCUSDT": TradingState.REDUCE}
