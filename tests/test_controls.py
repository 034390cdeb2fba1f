"""What people and hosts tell the account: limits while it trades, the kill switch, strategies that come and go."""

from __future__ import annotations

import pytest

from core.message import (
    Command,
    ExecType,
    ExecutionReport,
    Funding,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelRequest,
    PositionReport,
    SecurityStatus,
    Timer,
    TradingState,
    Unanswered,
)
from core.price import BUY, E8, SELL
from core.risk.limits import GuardLimits, Limits
from tests.guarded import SECOND, Desk, cancel, new, replace


def test_limits_change_while_the_account_trades_in_the_words_and_units_of_a_graph_file() -> None:
    desk = Desk(GuardLimits(), Limits(position=5))
    assert desk.ask(new(qty=6)) != ""
    assert desk.tell("limit", "position = 0.006") == "the limit position of the account is 0.006: "
    assert desk.ask(new(qty=6)) == ""
    desk.tell("limit", "position=none", symbol="BTCUSDT")
    assert desk.ask(new(qty=10**6)) == ""
    assert "position could reach 7 lots" in desk.ask(new(qty=7, symbol="ETHUSDT"))
    desk.tell("limit", "exposure=0.001")
    assert "exposure would pass" in desk.ask(new(qty=1, symbol="ETHUSDT"))
    desk.tell("limit", "exposure=none")
    assert desk.ask(new(qty=1, symbol="ETHUSDT")) == ""
    desk.tell("limit", "collar=0.01")
    assert "the limit is 1.0%" in desk.ask(new(price=1_020))
    desk.tell("limit", "refuse_self_trade=true")
    assert "our own order" in desk.ask(new(SELL, price=1_000))
    desk.tell("limit", "refuse_self_trade=false")
    assert desk.ask(new(SELL, price=1_000)) == ""
    desk.tell("limit", "repeats_s=2")
    assert desk.risk.guard.limits.repeats_ns == 2 * SECOND  # type: ignore[union-attr]
    desk.tell("limit", "requests_1s=7")
    desk.tell("limit", "stale_ms=1.5")
    assert (desk.risk.guard.limits.requests_1s, desk.risk.guard.limits.stale_ns) == (7, 1_500_000)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("positoin=3", "there is no limit 'positoin': did you mean 'position'?"),
        ("position", "a limit is written key=value, not 'position'"),
        ("position=many", "position is a number that is not negative, not 'many'"),
        ("position=-1", "not '-1'"),
        ("position=nan", "not 'nan'"),
        ("repeats_s=none", "not 'none'"),
    ],
)
def test_what_is_no_limit_changes_nothing_and_is_answered_with_the_nearest_right_one(argument: str, words: str) -> None:
    desk = Desk()
    limits, guard = dict(desk.risk.limits), desk.risk.guard.limits  # type: ignore[union-attr]
    answer = desk.tell("limit", argument)
    assert answer.startswith("no limit was changed: ")
    assert words in answer
    assert (desk.risk.limits, desk.risk.guard.limits) == (limits, guard)  # type: ignore[union-attr]


def test_limits_of_unknown_instruments_and_of_guards_that_are_not_there_are_refused() -> None:
    desk = Desk(guard=None)
    assert "did you mean 'BTCUSDT'" in desk.tell("limit", "position=1", symbol="BTCUSD")
    assert "this account has none" in desk.tell("limit", "collar=0.1")
    assert "was not off" in desk.tell("enable", "Ada", "a")


def test_an_unknown_command_is_answered_with_the_nearest_right_one() -> None:
    assert Desk().tell("kil") == "risk knows no command 'kil': did you mean 'kill'?"


def test_kill_halts_all_at_once_and_asks_every_session_for_its_cancel_alls() -> None:
    desk = Desk()
    orders = [new(qty=2), new(qty=3, strategy="b"), new(symbol="ETHUSDT")]
    for order in orders:
        desk.ask(order)
        desk.accept(order)
    desk.tell("kill", "Ada")
    assert desk.alarms() == ["all instruments: halt, by operator"]
    for symbol in ("BTCUSDT", "ETHUSDT"):
        assert (desk.left(symbol)[-1].verb, desk.left(symbol)[-1].symbol) == ("cancel_all", symbol)
        assert "is halted by operator: Ada" in desk.ask(new(SELL, symbol=symbol))
    assert desk.ask(cancel(orders[0])) == ""
    assert "needs the name" in desk.tell("resume")
    assert "is halted" in desk.ask(new())
    desk.tell("resume", "Ada")
    assert desk.ask(new()) == ""


def test_what_the_venues_cancel_all_has_left_is_canceled_one_by_one_a_second_later() -> None:
    desk = Desk()
    first, second = new(), new(qty=2)
    for order in (first, second):
        desk.ask(order)
        desk.accept(order)
    desk.tell("kill")
    desk.cancel(first.cl_ord_id)
    assert not [one for one in desk.left() if isinstance(one, OrderCancelRequest)]
    desk.sleep(SECOND)
    withdrawn = [one for one in desk.left() if isinstance(one, OrderCancelRequest)]
    assert [one.orig_cl_ord_id for one in withdrawn] == [second.cl_ord_id]
    desk.cancel(withdrawn[0].cl_ord_id, second.cl_ord_id)
    assert not any(one.working for one in desk.gateways["BTCUSDT"].orders.values())


def test_a_strategy_whose_session_is_lost_may_not_trade_and_all_its_orders_end() -> None:
    desk = Desk()
    mine, others, elsewhere = new(qty=2), new(qty=3, strategy="b"), new(symbol="ETHUSDT")
    for order in (mine, others, elsewhere):
        desk.ask(order)
        desk.accept(order)
    desk.tell("disconnected", strategy="a")
    for symbol, order in (("BTCUSDT", mine), ("ETHUSDT", elsewhere)):
        withdrawn = desk.left(symbol)[-1]
        assert isinstance(withdrawn, OrderCancelRequest)
        assert withdrawn.orig_cl_ord_id == order.cl_ord_id
        assert withdrawn.cl_ord_id == f"{order.cl_ord_id}-x1"
        assert withdrawn.strategy == "a"
    assert sum(isinstance(one, OrderCancelRequest) for one in desk.left()) == 1
    assert "a is not connected" in desk.ask(new())
    assert desk.ask(new(strategy="b")) == ""


def test_a_strategy_that_begins_anew_learns_what_it_holds_once_its_old_orders_have_ended() -> None:
    desk = Desk()
    desk.trade(BUY, 10, "a")
    desk.trade(BUY, 4, "b")
    desk.trade(SELL, 3, "a", price=1_100)
    working = new(qty=2)
    desk.ask(working)
    desk.accept(working)
    desk.hand("risk", Funding("BTCUSDT", 5, funding_rate_e8=10_000, mark_price_e8=100 * E8))
    desk.tell("disconnected", strategy="a")
    desk.tell("connected", "a 7", strategy="a")
    assert not [one for one in desk.heard["a"] if isinstance(one, PositionReport | Command)], "an old order still works"
    assert "a is not connected" in desk.ask(new())
    desk.fill(working, 1)
    desk.cancel(f"{working.cl_ord_id}-x1", working.cl_ord_id)
    *reports, last = [one for one in desk.heard["a"] if isinstance(one, PositionReport | Command)]
    assert (last.verb, last.argument, last.strategy) == ("trading", "on", "a")
    assert [(one.symbol, one.strategy, one.qty) for one in reports] == [("BTCUSDT", "a", 8), ("ETHUSDT", "a", 0)]
    account = desk.risk.roster.ledger("a").of("BTCUSDT")
    assert reports[0].cost_units == account.cost_units == 8_000
    assert reports[0].cash_e8 == round((account.realised + account.funding - account.fees) * E8) == 3 * 100 * 10**4 - 7_000
    assert desk.ask(new()) == ""


def test_a_strategy_that_had_nothing_working_is_told_at_once_and_one_that_was_never_missed_loses_its_old_orders() -> None:
    desk = Desk()
    desk.tell("connected", strategy="b")
    assert desk.heard["b"][-1].argument == "on"
    order = new(strategy="b")
    desk.ask(order)
    desk.accept(order)
    heard = len(desk.heard["b"])
    desk.tell("connected", strategy="b")
    assert desk.left()[-1].orig_cl_ord_id == order.cl_ord_id
    assert len(desk.heard["b"]) == heard
    desk.cancel(f"{order.cl_ord_id}-x1", order.cl_ord_id)
    assert desk.heard["b"][-1].argument == "on"


def test_a_bust_of_what_a_strategy_began_from_is_told_as_a_new_position() -> None:
    desk = Desk()
    desk.trade(BUY, 10, "a")
    fill = desk.risk.ledger.of("BTCUSDT").executions.last
    desk.tell("connected", strategy="a")
    order = next(one for name, one in desk.sent if isinstance(one, NewOrderSingle))
    desk.report(order.cl_ord_id, ExecType.TRADE_CANCEL, 10, exec_ref_id=fill, side=BUY)
    report = desk.heard["a"][-1]
    assert isinstance(report, PositionReport)
    assert (report.qty, report.cost_units) == (0, 0)


def test_an_order_with_a_request_under_way_is_withdrawn_once_that_is_answered() -> None:
    desk = Desk()
    order, unheard = new(qty=2), new(qty=5)
    for one in (order, unheard):
        desk.ask(one)
    desk.accept(order)
    moved = replace(order, 999, 3)
    desk.ask(moved)
    desk.tell("cancel", strategy="a")
    assert not [one for one in desk.left() if isinstance(one, OrderCancelRequest)]
    desk.hand("gateway:BTCUSDT", OrderCancelReject("BTCUSDT", cl_ord_id=moved.cl_ord_id, orig_cl_ord_id=order.cl_ord_id,
                                                   cxl_rej_response_to="G"))  # fmt: skip
    assert desk.left()[-1].orig_cl_ord_id == order.cl_ord_id
    desk.accept(unheard)
    assert desk.left()[-1].orig_cl_ord_id == unheard.cl_ord_id
    assert len({one.cl_ord_id for one in desk.left()}) == len(desk.left())


def test_a_withdrawal_that_the_venue_refuses_is_tried_again_a_second_later_and_not_sooner() -> None:
    desk = Desk()
    order = new()
    desk.ask(order)
    desk.accept(order)
    desk.tell("cancel")
    for number in (1, 2, 3):
        withdrawn = [one for one in desk.left() if isinstance(one, OrderCancelRequest)]
        assert [one.cl_ord_id for one in withdrawn] == [f"{order.cl_ord_id}-x{k + 1}" for k in range(number)]
        desk.hand("gateway:BTCUSDT", OrderCancelReject("BTCUSDT", cl_ord_id=withdrawn[-1].cl_ord_id, cxl_rej_reason=99,
                                                       orig_cl_ord_id=order.cl_ord_id))  # fmt: skip
        desk.sleep(SECOND // 2)
        assert len([one for one in desk.left() if isinstance(one, OrderCancelRequest)]) == number
        desk.sleep(SECOND // 2)
    assert "x4" in desk.left()[-1].cl_ord_id


def test_ids_of_withdrawals_have_at_most_36_characters_and_are_never_used_twice() -> None:
    desk = Desk()
    long = [new(qty=qty) for qty in (1, 2)]
    for number, order in enumerate(long):
        order.cl_ord_id = f"{'market-BTCUSDT-1790000000-12345678':36.36}".strip().ljust(35, "0") + str(number)
        desk.ask(order)
        desk.accept(order)
    taken = new()
    taken.cl_ord_id = long[0].cl_ord_id[:33] + "-x1"
    desk.ask(taken)
    desk.tell("cancel", strategy="a")
    ids = [one.cl_ord_id for one in desk.left() if isinstance(one, OrderCancelRequest)]
    assert len({*ids, taken.cl_ord_id}) == 3
    assert all(len(one) <= 36 for one in ids)


def test_after_a_crash_withdrawals_go_on() -> None:
    desk = Desk()
    order = new()
    desk.ask(order)
    desk.accept(order)
    desk.tell("cancel", strategy="a")
    gateway = desk.gateways["BTCUSDT"]
    desk.wakes.clear()
    gateway.on(desk.now, Unanswered("BTCUSDT", desk.now, cl_ord_id=f"{order.cl_ord_id}-x1", orig_cl_ord_id=order.cl_ord_id))
    desk.wakes.clear()
    desk.hand("gateway:BTCUSDT", Timer(key="recover"))
    assert desk.wakes, "it wakes again"


def open_report(**more: object) -> PositionReport:
    given = {"qty": 10, "cost_units": 9_000, "cash_e8": 5 * E8, **more}
    return PositionReport("BTCUSDT", 100 * SECOND, **given)  # type: ignore[arg-type]


def test_an_account_begins_from_a_position_and_twice_the_same_report_changes_nothing() -> None:
    desk = Desk(limits=Limits(position=12))
    for _ in range(2):
        desk.hand("risk", open_report())
        desk.hand("risk", PositionReport("DOGEUSDT", qty=4))
        assert desk.risk.ledger.position("BTCUSDT") == 10
    assert "position could reach 13 lots" in desk.ask(new(qty=3))
    assert desk.ask(new(qty=2)) == ""
    account = desk.risk.ledger.of("BTCUSDT")
    assert account.equity(1_000) == pytest.approx(5.0 + (10 * 1_000 - 9_000) * account.unit)
    desk.hand("risk", PositionReport("BTCUSDT", strategy="a", qty=4))
    assert desk.risk.roster.position("a", "BTCUSDT") == 4


def test_executions_of_before_the_opening_position_are_in_it() -> None:
    desk = Desk()
    desk.hand("risk", open_report())
    old = ExecutionReport("BTCUSDT", 100 * SECOND, exec_id="old", exec_type=ExecType.TRADE, side=BUY, last_qty=7, last_px=900)
    desk.hand("risk", old)
    assert desk.risk.ledger.position("BTCUSDT") == 10
    late = ExecutionReport(
        "BTCUSDT", 100 * SECOND + 1, exec_id="new", exec_type=ExecType.TRADE, side=SELL, last_qty=7, last_px=900
    )
    desk.hand("risk", late)
    assert desk.risk.ledger.position("BTCUSDT") == 3


def test_an_order_that_this_house_never_sent_counts_as_working_and_can_be_canceled() -> None:
    desk = Desk(limits=Limits(position=12))
    status = ExecutionReport("BTCUSDT", desk.now, cl_ord_id="theirs", order_id="9", exec_type=ExecType.ORDER_STATUS, side=BUY,
                             price=900, order_qty=10, cum_qty=3, leaves_qty=7)  # fmt: skip
    for _ in range(2):
        desk.hand("gateway:BTCUSDT", status)
        assert desk.risk.exposed("BTCUSDT", BUY) == 7
    order = desk.gateways["BTCUSDT"].orders["theirs"]
    assert (order.cum_qty, order.leaves_qty, order.order_qty) == (3, 7, 10)
    assert desk.risk.ledger.position("BTCUSDT") == 0, "what was executed before is in the position that the account begins from"
    assert "position could reach 13 lots" in desk.ask(new(qty=6))
    desk.tell("cancel", strategy="a")
    assert not desk.left()
    desk.tell("cancel")
    assert desk.left()[-1].orig_cl_ord_id == "theirs"
    desk.cancel("theirs-x1", "theirs")
    assert desk.risk.exposed("BTCUSDT", BUY) == 0
    assert not any(one.working for one in desk.gateways["BTCUSDT"].orders.values())


def test_an_order_of_another_session_is_known_from_any_report_of_it_and_its_end_is_believed() -> None:
    desk = Desk()
    desk.report("theirs", ExecType.NEW, 10, side=SELL, price=1_200, order_qty=10)
    assert desk.risk.exposed("BTCUSDT", SELL) == -10
    desk.report("theirs", ExecType.TRADE, 6, side=SELL, price=1_200, order_qty=10, last_qty=4, last_px=1_200, cum_qty=4)
    assert desk.risk.ledger.position("BTCUSDT") == -4
    assert desk.risk.exposed("BTCUSDT", SELL) == -10
    gone = ExecutionReport("BTCUSDT", desk.now, cl_ord_id="theirs", exec_type=ExecType.ORDER_STATUS, side=SELL, order_qty=10,
                           ord_status=ExecType.CANCELED, cum_qty=5)  # type: ignore[arg-type]  # fmt: skip
    desk.hand("gateway:BTCUSDT", gone)
    assert desk.risk.exposed("BTCUSDT", SELL) == -4
    ended = ExecutionReport("BTCUSDT", desk.now, cl_ord_id="never heard of", exec_type=ExecType.ORDER_STATUS, order_qty=10)
    desk.hand("gateway:BTCUSDT", ended)
    assert "never heard of" not in desk.gateways["BTCUSDT"].orders


def test_states_are_told_to_strategies_and_to_the_operator() -> None:
    desk = Desk()
    desk.hand("risk", SecurityStatus("BTCUSDT", source="market", state=TradingState.REDUCE, text="stale"))
    heard = desk.heard["b"][-1]
    assert (heard.symbol, heard.source, heard.state, heard.text) == ("BTCUSDT", "risk", TradingState.REDUCE, "market: stale")
    assert desk.heard["operator"][-1].headline == "BTCUSDT: reduce, by market"
