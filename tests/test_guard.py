"""The account's guards, one story each: what they refuse and in which words, what they let pass, and when they let go."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from core.message import (
    MarkPrice,
    NewOrderSingle,
    OrderCancelRequest,
    SecurityStatus,
    Tick,
    Timer,
    TradingState,
)
from core.price import BUY, E8, SELL
from core.risk.limits import GuardLimits, Limits
from tests.guarded import MS, SECOND, Desk, cancel, new, replace
from tests.order_stream import EXPOSURE_E8, GUARD, LIMITS, Stream


def test_without_guards_nothing_of_them_is_asked_and_there_is_no_door() -> None:
    desk = Desk(guard=None)
    assert desk.ask(new(price=10**6)) == ""
    desk.hand("risk", Tick("BTCUSDT", bids=((1, 1),), asks=((2, 1),)))
    desk.hand("risk", Timer(key="day_roll"))
    assert desk.risk.guard is None
    assert [type(one) for one in desk.left()] == [NewOrderSingle]


def test_a_request_that_waited_too_long_is_refused_for_its_market_is_gone() -> None:
    desk = Desk(GuardLimits(age_ns=SECOND))
    frozen = new()
    frozen.now = desk.now
    desk.sleep(SECOND + MS)
    assert "the request is 1,001 ms old, the limit is 1000 ms" in desk.ask(frozen)
    assert desk.ask(new()) == ""


def test_a_cancel_is_never_too_old() -> None:
    desk = Desk(GuardLimits(age_ns=SECOND))
    order = new()
    desk.ask(order)
    old = cancel(order)
    old.now = desk.now
    desk.sleep(60 * SECOND)
    assert desk.ask(old) == ""
    assert isinstance(desk.left()[-1], OrderCancelRequest)


def test_a_price_too_far_from_the_mark_is_refused_on_either_side_of_it() -> None:
    desk = Desk(GuardLimits(collar_e8=5 * E8 // 100))
    assert "price 105.1 is +5.1% from the reference 100, the limit is 5.0%" in desk.ask(new(price=1_051))
    assert "-5.1%" in desk.ask(new(SELL, price=949))
    for price in (1_050, 950):
        assert desk.ask(new(price=price)) == ""
    order = new(price=1_000)
    desk.ask(order)
    desk.accept(order)
    assert "the limit is 5.0%" in desk.ask(replace(order, 1_060, 1))
    desk.mark(1_100)
    assert desk.ask(new(price=1_051)) == ""
    assert desk.ask(new(price=0)) == "", "a market order has no price to hold against the mark"


def test_the_middle_of_a_two_sided_book_is_a_reference_and_news_of_the_market_too() -> None:
    desk = Desk(GuardLimits(collar_e8=E8 // 100, stale_ns=5 * SECOND))
    desk.sleep(10 * SECOND)
    desk.hand("risk", Tick("BTCUSDT", bids=((1_199, 1),), asks=()))
    assert "nothing was heard of the market of BTCUSDT for 10,000 ms" in desk.ask(new())
    desk.hand("risk", Tick("BTCUSDT", bids=((1_199, 1),), asks=((1_201, 1),)))
    assert desk.ask(new(price=1_200)) == ""
    assert "-16.7% from the reference 120" in desk.ask(new(price=1_000))


def test_without_a_reference_an_instrument_takes_only_what_reduces() -> None:
    desk = Desk(GuardLimits(collar_e8=E8 // 100))
    desk.trade(BUY, 5)
    desk.risk.guard._reference_e8.clear()  # type: ignore[union-attr]
    assert "no reference price yet" in desk.ask(new())
    assert desk.ask(new(SELL, 5, price=1)) == ""


def test_a_silent_market_takes_only_cancels_and_what_reduces_until_it_speaks_again() -> None:
    desk = Desk(GuardLimits(stale_ns=5 * SECOND, collar_e8=E8 // 100))
    desk.trade(BUY, 5)
    resting = new(price=999)
    desk.ask(resting)
    desk.accept(resting)
    desk.sleep(5 * SECOND + 1)
    desk.mark(1_000, "ETHUSDT")
    assert "nothing was heard of the market of BTCUSDT for 5,000 ms" in desk.ask(new())
    assert desk.ask(new(symbol="ETHUSDT")) == ""
    assert desk.ask(cancel(resting)) == ""
    assert desk.ask(new(SELL, 5, price=1_500)) == "", "a collar around an old price says nothing"
    desk.mark(1_000)
    assert desk.ask(new()) == ""


def test_a_market_never_heard_of_is_silent() -> None:
    desk = Desk(GuardLimits(stale_ns=5 * SECOND))
    desk.risk.guard._heard.clear()  # type: ignore[union-attr]
    assert "nothing was heard of the market of BTCUSDT since the start" in desk.ask(new())


def test_marks_of_other_instruments_and_marks_without_a_price_change_nothing() -> None:
    desk = Desk(GuardLimits(collar_e8=E8 // 100))
    desk.hand("risk", MarkPrice("DOGEUSDT", mark_price_e8=E8))
    desk.hand("risk", MarkPrice("BTCUSDT", mark_price_e8=0))
    assert desk.ask(new()) == ""


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (GuardLimits(strategy_requests_1s=3), "3 requests of a within 1 s, the limit is 3"),
        (GuardLimits(strategy_requests_10s=3), "3 requests of a within 10 s, the limit is 3"),
        (GuardLimits(requests_1s=3), "3 requests of the account within 1 s, the limit is 3"),
        (GuardLimits(requests_10s=3), "3 requests of the account within 10 s, the limit is 3"),
    ],
)
def test_requests_a_second_and_in_ten_are_limited_cancels_pass_and_count(limits: GuardLimits, words: str) -> None:
    desk = Desk(limits)
    order = new()
    assert desk.ask(order) == ""
    desk.accept(order)
    assert desk.ask(cancel(order)) == ""
    assert desk.ask(new()) == ""
    assert words in desk.ask(new())
    assert words in desk.ask(replace(order, 1_001, 1)), "what is refused does not count"
    other = desk.ask(new(strategy="b"))
    assert ("of the account" in other) == ("of the account" in words)
    desk.sleep(SECOND)
    assert (desk.ask(new()) == "") == ("1 s" in words)
    desk.sleep(10 * SECOND)
    assert desk.ask(new()) == ""


def test_the_same_order_twice_within_the_window_is_a_duplicate() -> None:
    desk = Desk(GuardLimits(duplicate_ns=50 * MS))
    assert desk.ask(new(qty=3)) == ""
    assert "the same order as 0 ms ago: a duplicate" in desk.ask(new(qty=3))
    for other in (new(qty=2), new(SELL, 3), new(qty=3, price=999), new(qty=3, strategy="b"), new(qty=3, symbol="ETHUSDT")):
        assert desk.ask(other) == ""
    desk.sleep(50 * MS)
    assert desk.ask(new(qty=3)) == ""
    desk.sleep(25 * MS)
    assert "25 ms ago" in desk.ask(new(qty=3))
    desk.sleep(10 * SECOND)
    desk.ask(new(qty=3))
    assert len(desk.risk.guard._recent) == 1, "what is long past is forgotten"  # type: ignore[union-attr]


def test_an_order_that_would_trade_with_our_own_is_refused_whosever_that_is() -> None:
    desk = Desk(GuardLimits(refuse_self_trade=True))
    bid = new(BUY, 5, "a", 1_000)
    assert desk.ask(bid) == ""
    assert f"it would trade with our own order {bid.cl_ord_id}" in desk.ask(new(SELL, 1, "b", 1_000))
    assert "our own order" in desk.ask(new(SELL, 1, "b", 0)), "a market order trades with anything"
    assert desk.ask(new(SELL, 1, "b", 1_001)) == ""
    assert desk.ask(new(SELL, 1, "b", 1, "ETHUSDT")) == ""
    assert "our own order" in desk.ask(new(BUY, 1, "a", 1_001))


def test_while_a_replace_is_unanswered_both_prices_may_trade() -> None:
    desk = Desk(GuardLimits(refuse_self_trade=True))
    bid = new(BUY, 5, "a", 1_000)
    desk.ask(bid)
    desk.accept(bid)
    moved = replace(bid, 1_003, 5)
    assert desk.ask(moved) == ""
    assert "our own order" in desk.ask(new(SELL, 1, "b", 1_003))
    assert "our own order" in desk.ask(new(SELL, 1, "b", 0))
    assert desk.ask(new(SELL, 1, "b", 1_004)) == ""
    market = new(BUY, 1, "a", 0, "ETHUSDT")
    desk.ask(market)
    assert "our own order" in desk.ask(new(SELL, 1, "b", 10**6, "ETHUSDT")), "a market order on its way trades with anything"


def executions(desk: Desk, number: int, side: int = BUY, strategy: str = "a", gap: int = MS) -> None:
    for _ in range(number):
        desk.trade(side, 1, strategy)  # type: ignore[arg-type]
        desk.sleep(gap)


def test_a_strategy_that_executes_on_and_on_is_off_until_a_person_who_gives_a_name_enables_it() -> None:
    desk = Desk(GuardLimits(repeats=5, repeats_ns=SECOND))
    resting = new(BUY, 7, "a", 900)
    desk.ask(resting)
    desk.accept(resting)
    executions(desk, 5)
    assert desk.alarms() == ["a is off until a person enables it"]
    withdrawn = desk.left()[-1]
    assert isinstance(withdrawn, OrderCancelRequest)
    assert withdrawn.orig_cl_ord_id == resting.cl_ord_id
    assert "a is off until a person enables it: 5 executions on one side of BTCUSDT within 1 s" in desk.ask(new())
    assert "a is off" in desk.ask(new(SELL)), "what reduces is an order of a strategy that runs wild too"
    assert desk.ask(new(strategy="b")) == ""
    desk.sleep(3_600 * SECOND)
    assert "a is off" in desk.ask(new())
    desk.fill(resting, 7)
    assert len(desk.alarms()) == 1
    assert "enable needs the name" in desk.tell("enable", " ", "a")
    assert "a is off" in desk.ask(new())
    assert "enabled by Ada" in desk.tell("enable", "Ada", "a")
    assert desk.ask(new()) == ""
    assert "was not off" in desk.tell("enable", "Ada", "a")


def test_the_other_side_another_instrument_and_time_begin_the_row_anew() -> None:
    desk = Desk(GuardLimits(repeats=3, repeats_ns=SECOND))
    for _ in range(4):
        executions(desk, 2)
        executions(desk, 2, SELL)
    executions(desk, 2)
    desk.trade(BUY, 1, "a", "ETHUSDT")
    desk.trade(BUY, 1, "b")
    desk.sleep(SECOND + 1)
    executions(desk, 2)
    assert desk.alarms() == []
    executions(desk, 1)
    assert len(desk.alarms()) == 1


def test_executions_count_once_however_often_they_are_reported_and_foreign_ones_disable_nobody() -> None:
    desk = Desk(GuardLimits(repeats=2))
    order = new(qty=2)
    desk.ask(order)
    desk.fill(order, 1)
    last = desk.sent[-1][1]
    for _ in range(5):
        desk.hand("gateway:BTCUSDT", last)
    foreign = new(qty=9, strategy="")
    for _ in range(5):
        desk.fill(foreign, 1)
    assert desk.alarms() == []


@pytest.mark.parametrize("repeats", range(1, 101))
def test_the_throttle_trips_at_its_number_and_stays_off_until_it_is_enabled(repeats: int) -> None:
    desk = Desk(GuardLimits(repeats=repeats, repeats_ns=3_600 * SECOND))
    executions(desk, repeats - 1)
    assert desk.ask(new(qty=2, price=1)) == ""
    desk.trade(BUY, 1)
    for _ in range(3):
        assert "a is off" in desk.ask(new())
        desk.sleep(SECOND)
    desk.tell("enable", "Ada", "a")
    assert desk.ask(new()) == ""


def test_a_tenth_of_the_days_peak_lost_leaves_only_what_reduces_until_the_day_rolls() -> None:
    """1,000 lots of BTC at 100: a tick is worth 0.1 a lot times 0.001."""
    desk = Desk(GuardLimits(drawdown_e8=E8 // 10), capital=1_000.0)
    desk.trade(BUY, 10_000)
    resting = new(BUY, 1, price=500)
    desk.ask(resting)
    desk.accept(resting)
    desk.mark(2_000)
    assert desk.risk.guard.equity.peak == pytest.approx(2_000)  # type: ignore[union-attr]
    desk.mark(1_801)
    assert desk.ask(new()) == ""
    desk.mark(1_799)
    assert desk.alarms() == ["all instruments: reduce, by loss"]
    assert desk.left()[-1].orig_cl_ord_id == resting.cl_ord_id, "what could still add is canceled"
    assert "takes only what reduces the position, by loss: 10.1% lost since the day's peak, the limit is 10.0%" in desk.ask(new())
    assert desk.ask(new(SELL, 1)) == ""
    desk.mark(5_000)
    assert "by loss" in desk.ask(new()), "what was lost and won back is for a person, or the next day"
    desk.hand("risk", Timer(key="minute"))
    assert "by loss" in desk.ask(new())
    desk.hand("risk", Timer(key="day_roll"))
    assert desk.ask(new()) == ""
    assert desk.risk.guard.equity.begun == pytest.approx(5_000)  # type: ignore[union-attr]


def test_a_loss_counts_from_the_days_beginning_and_a_raised_limit_lets_trade_again() -> None:
    desk = Desk(GuardLimits(daily_loss_e8=E8 // 10), capital=1_000.0)
    desk.trade(BUY, 10_000)
    desk.mark(2_000)
    desk.mark(1_000)
    assert desk.ask(new()) == ""
    desk.mark(899)
    assert "10.1% lost today" in desk.ask(new())
    desk.tell("limit", "daily_loss=0.05")
    assert "lost today" in desk.ask(new())
    desk.tell("limit", "daily_loss=0.2")
    assert desk.ask(new()) == ""


def test_a_day_that_rolls_before_any_mark_begins_with_the_first() -> None:
    desk = Desk(GuardLimits(drawdown_e8=E8 // 10), capital=1_000.0)
    equity = desk.risk.guard.equity  # type: ignore[union-attr]
    equity._ticks.clear()
    equity.roll()
    desk.trade(BUY, 1)
    assert equity.peak == 1_000.0
    desk.mark(1_000)
    assert equity.begun == pytest.approx(1_000.0)


def test_the_strictest_of_all_sources_holds_for_an_instrument_and_for_the_account() -> None:
    desk = Desk()
    desk.trade(BUY, 5)

    def want(source: str, state: TradingState, symbol: str = "") -> None:
        desk.hand("risk", SecurityStatus(symbol, source=source, state=state, text="because"))

    want("market", TradingState.REDUCE, "BTCUSDT")
    assert "takes only what reduces the position, by market: because" in desk.ask(new())
    assert desk.ask(new(SELL)) == ""
    assert desk.ask(new(symbol="ETHUSDT")) == ""
    want("session", TradingState.HALT)
    assert "BTCUSDT is halted by session: because" in desk.ask(new(SELL))
    assert "ETHUSDT is halted by session" in desk.ask(new(symbol="ETHUSDT"))
    assert {one.state for one in desk.heard["a"] if isinstance(one, SecurityStatus)} == {TradingState.REDUCE, TradingState.HALT}
    heard = len(desk.heard["a"])
    want("session", TradingState.HALT)
    assert len(desk.heard["a"]) == heard, "nothing new was said"
    want("session", TradingState.READY)
    assert "by market" in desk.ask(new())
    want("market", TradingState.READY, "BTCUSDT")
    assert desk.ask(new()) == ""
    assert desk.heard["b"][-1].state == TradingState.READY


def test_cancels_pass_in_every_state() -> None:
    desk = Desk()
    order = new()
    desk.ask(order)
    desk.accept(order)
    desk.hand("risk", SecurityStatus("", source="session", state=TradingState.HALT))
    assert desk.ask(cancel(order)) == ""


def test_a_strategys_own_position_is_limited_beside_the_accounts() -> None:
    desk = Desk(limits=Limits(strategy_position=10, position=15))
    desk.trade(BUY, 8, "a")
    assert "a's position could reach 11 lots, the limit is 10" in desk.ask(new(BUY, 3, "a"))
    assert desk.ask(new(BUY, 2, "a")) == ""
    assert "position could reach 16 lots, the limit is 15" in desk.ask(new(BUY, 6, "b"))
    assert desk.ask(new(SELL, 10, "b")) == ""
    assert "b's position could reach -11 lots" in desk.ask(new(SELL, 1, "b")), "though the account's would only shrink"


def test_a_strategy_past_its_own_limit_may_still_reduce() -> None:
    desk = Desk()
    desk.trade(BUY, 8, "a")
    desk.tell("limit", "strategy_position=0.002")
    assert "a's position could reach 9 lots" in desk.ask(new(BUY, 1, "a"))
    assert desk.ask(new(SELL, 8, "a")) == ""


def test_a_replace_of_anothers_order_is_refused() -> None:
    desk = Desk()
    order = new(strategy="a")
    desk.ask(order)
    desk.accept(order)
    stolen = replace(order, 1_001, 1)
    stolen.strategy = "b"
    assert "is not an order of b on that side of BTCUSDT" in desk.ask(stolen)
    turned = replace(order, 1_001, 1)
    turned.side = SELL
    assert "is not an order of a on that side" in desk.ask(turned)
    unknown = replace(order, 1_001, 1)
    unknown.symbol = "DOGEUSDT"
    assert "DOGEUSDT is not traded" in desk.ask(unknown)


def test_no_stream_of_orders_takes_the_account_past_any_limit_at_the_venue() -> None:
    stream = checked(25_000)
    for reason in REASONS:
        assert any(reason in words for words in stream.words), f"nothing was refused because of: {reason}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 10))
def test_a_million_orders_in_eight_streams_take_the_account_past_no_limit_at_the_venue(seed: int) -> None:
    words = checked(125_000, seed).words
    for reason in REASONS:
        assert sum(count for key, count in words.items() if reason in key) > 10, reason


REASONS = (
    "ms old", "is off until", "requests of the account", "requests of p", "from the reference", "a duplicate", "our own order",
    "quantity", "order value", "p's position", "risk: position could reach", "exposure", "open orders", "the outcome of",
    "nothing was heard", "takes only what reduces",
)  # fmt: skip


def checked(orders: int, seed: int = 1) -> Stream:
    stream = Stream(seed)
    stream.run(orders)
    assert stream.checker.faults == []
    assert stream.checker.looked > orders / 10
    for door in stream.doors:
        assert not door.closed
        assert door.approved == door.left + len(door.waiting)
    return stream


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"age_ns": None}, "is old"),
        ({"collar_e8": None}, "is far from"),
        ({"stale_ns": None}, "meets a silent market"),
        ({"duplicate_ns": None}, "is a duplicate"),
        ({"refuse_self_trade": False}, "meets our own"),
        ({"requests_1s": None, "requests_10s": None}, "is too fast"),
        ({"strategy_requests_1s": None, "strategy_requests_10s": None}, "is too fast"),
        ({"repeats": None}, "is of a strategy that is off"),
        ({"drawdown_e8": None}, "adds after the loss"),
        ({"order_qty": None}, "is too large"),
        ({"order_value_e8": None}, "is worth too much"),
        ({"position": 21}, "of the account's"),
        ({"strategy_position": 13}, "of the strategy's"),
        ({"open_orders": 5}, "open orders"),
        ({"exposure_e8": 2 * EXPOSURE_E8}, "exposes"),
    ],
)
def test_the_checker_at_the_venue_sees_each_limit_that_risk_would_not_keep(missing: dict[str, Any], words: str) -> None:
    limits = {key: value for key, value in missing.items() if key in Limits.__struct_fields__}
    guard = {key: value for key, value in missing.items() if key in GuardLimits.__struct_fields__}
    stream = Stream(
        3, structs.replace(LIMITS, **limits), structs.replace(GUARD, **guard), missing.get("exposure_e8", EXPOSURE_E8)
    )
    for _ in range(20):
        stream.run(stream.asked + 2_000)
        if stream.checker.faults:
            break
    assert stream.checker.faults
    assert all(words in fault for fault in stream.checker.faults)
