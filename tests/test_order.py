"""The order's rules as stories, its arrangements exhaustively, and the standard's scenarios."""

import json
from collections.abc import Iterable, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.message import (
    ExecType,
    ExecutionReport,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdStatus,
)
from core.order import DAY_NS, PRECEDENCE, Order
from tests import fix_playthrough

OWN = Path(__file__).parent / "data" / "order_scenarios.json"
Fact = ExecutionReport | OrderCancelReject


def order(qty: int = 10, price: int = 100) -> Order:
    return Order(NewOrderSingle(symbol="BTCUSDT", cl_ord_id="X", order_qty=qty, price=price))


def report(kind: ExecType, exec_id: str = "", **fields: Any) -> ExecutionReport:
    given = {"cl_ord_id": "X", "exec_id": exec_id or kind.name, **fields}
    return ExecutionReport(exec_type=kind, **given)


def new(**fields: Any) -> ExecutionReport:
    return report(ExecType.NEW, **fields)


def fill(exec_id: str, qty: int, price: int = 100, **fields: Any) -> ExecutionReport:
    return report(ExecType.TRADE, exec_id, last_qty=qty, last_px=price, **fields)


def take(one: Order, facts: Iterable[Fact]) -> Order:
    for fact in facts:
        tell(one, fact)
    return one


def tell(one: Order, fact: Fact) -> bool:
    return one.on_report(fact) if isinstance(fact, ExecutionReport) else one.on_cancel_reject(fact)


def canceling(one: Order, cl_ord_id: str = "Y") -> Order:
    one.request_cancel(OrderCancelRequest(cl_ord_id=cl_ord_id, orig_cl_ord_id="X"))
    return one


def replacing(one: Order, cl_ord_id: str = "Y", orig: str = "X", qty: int = 8, price: int = 101) -> Order:
    request = OrderCancelReplaceRequest(cl_ord_id=cl_ord_id, orig_cl_ord_id=orig, order_qty=qty, price=price)
    one.request_replace(request)
    return one


# --- stories


def test_an_order_is_pending_new_until_the_venue_says_anything() -> None:
    one = order()
    assert one.status is OrdStatus.PENDING_NEW
    assert (one.working, one.pending, one.done, one.acknowledged) == (True, False, False, False)
    assert not one.on_report(report(ExecType.PENDING_NEW))
    assert one.on_report(new())
    assert (one.status, one.leaves_qty, one.acknowledged) == (OrdStatus.NEW, 10, True)
    assert "X buy 0/10 at 100: NEW" in repr(one)


def test_a_request_waits_from_sending_and_shows_from_the_venues_word() -> None:
    one = canceling(take(order(), [new()]))
    assert one.pending
    assert one.status is OrdStatus.NEW
    assert one.on_report(report(ExecType.PENDING_CANCEL, cl_ord_id="Y"))
    assert one.status is OrdStatus.PENDING_CANCEL
    assert one.on_cancel_reject(OrderCancelReject(cl_ord_id="Y"))
    assert not one.on_cancel_reject(OrderCancelReject(cl_ord_id="Y"))
    assert (one.status, one.pending) == (OrdStatus.NEW, False)


def test_a_fill_after_cancel_still_counts() -> None:
    one = take(canceling(order()), [new(), report(ExecType.CANCELED, cl_ord_id="Y"), fill("a", 4, 100), fill("b", 2, 103)])
    assert (one.status, one.cum_qty, one.leaves_qty, one.avg_px) == (OrdStatus.CANCELED, 6, 0, 101.0)
    assert one.done


def test_average_price_of_nothing_is_zero() -> None:
    assert order().avg_px == 0.0


def test_a_pending_report_that_comes_after_its_answer_holds_nothing() -> None:
    one = replacing(take(order(), [new(transact_time=1)]))
    late = report(ExecType.PENDING_REPLACE, cl_ord_id="Y", transact_time=2)
    take(one, [report(ExecType.REPLACED, cl_ord_id="Y", transact_time=3), late])
    assert (one.status, one.cl_ord_id, one.order_qty, one.price) == (OrdStatus.NEW, "Y", 8, 101)
    refused = take(replacing(order()), [new(), OrderCancelReject(cl_ord_id="Y"), late])
    assert refused.status is OrdStatus.NEW


def test_a_cancel_that_nobody_asked_for_may_be_pending_on_the_orders_own_id() -> None:
    one = take(replacing(order()), [report(ExecType.REPLACED, cl_ord_id="Y", transact_time=3)])
    take(one, [report(ExecType.PENDING_CANCEL, cl_ord_id="Y", transact_time=4)])
    assert one.status is OrdStatus.PENDING_CANCEL
    take(one, [report(ExecType.CANCELED, cl_ord_id="Y", transact_time=5)])
    assert one.status is OrdStatus.CANCELED


def test_a_filled_order_waits_for_the_answer_to_its_cancel() -> None:
    one = take(canceling(order()), [new(), report(ExecType.PENDING_CANCEL, cl_ord_id="Y"), fill("a", 10)])
    assert (one.status, one.working, one.done) == (OrdStatus.PENDING_CANCEL, False, False)
    one.on_cancel_reject(OrderCancelReject(cl_ord_id="Y"))
    assert (one.status, one.done) == (OrdStatus.FILLED, True)


def test_the_end_of_an_order_answers_whatever_was_asked() -> None:
    one = take(canceling(order()), [new(), report(ExecType.PENDING_CANCEL, cl_ord_id="Y"), report(ExecType.EXPIRED)])
    assert (one.status, one.pending, one.done) == (OrdStatus.EXPIRED, False, True)


def test_of_replaces_reported_out_of_order_the_venues_last_holds() -> None:
    one = replacing(replacing(order(), "Y", "X", 8), "Z", "Y", 6)
    second = report(ExecType.REPLACED, "2", cl_ord_id="Z", order_qty=6, price=102, transact_time=5)
    first = report(ExecType.REPLACED, "1", cl_ord_id="Y", order_qty=8, price=101, transact_time=4)
    take(one, [second, first, new(transact_time=1)])
    assert (one.cl_ord_id, one.order_qty, one.price, one.pending) == ("Z", 6, 102, False)
    assert one.cl_ord_ids == ("X", "Y", "Z")


def test_without_times_the_replace_that_was_sent_last_holds() -> None:
    one = replacing(replacing(order(), "Y", "X", 8), "Z", "Y", 6)
    take(one, [report(ExecType.REPLACED, "2", cl_ord_id="Z"), report(ExecType.REPLACED, "1", cl_ord_id="Y")])
    assert (one.cl_ord_id, one.order_qty) == ("Z", 6)


def test_the_venue_may_replace_an_order_unasked() -> None:
    one = take(order(), [new(transact_time=1), report(ExecType.REPLACED, cl_ord_id="V", order_qty=7, price=99, transact_time=2)])
    assert (one.cl_ord_id, one.order_qty, one.price, one.leaves_qty) == ("V", 7, 99, 7)


def test_a_request_sent_after_its_answer_came_is_not_pending() -> None:
    one = take(order(), [new(), OrderCancelReject(cl_ord_id="Y")])
    assert not canceling(one).pending


def test_a_rejected_replace_does_not_reject_the_order() -> None:
    one = take(replacing(order()), [new(), report(ExecType.REJECTED, cl_ord_id="Y")])
    assert (one.status, one.pending, one.cl_ord_id) == (OrdStatus.NEW, False, "X")


def test_a_duplicate_that_is_rejected_leaves_the_first_alone() -> None:
    one = take(order(), [new()])
    assert not one.on_report(report(ExecType.REJECTED, leaves_qty=10))
    assert one.status is OrdStatus.NEW
    assert one.on_report(report(ExecType.REJECTED))
    assert (one.status, one.leaves_qty) == (OrdStatus.REJECTED, 0)


def test_a_cancel_outranks_an_earlier_reject_and_not_the_other_way() -> None:
    ends = [report(ExecType.REJECTED), report(ExecType.CANCELED)]
    assert {take(order(), arranged).status for arranged in permutations(ends)} == {OrdStatus.CANCELED}


def test_a_busted_fill_opens_a_filled_order() -> None:
    one = take(order(), [new(), fill("a", 4), fill("b", 6)])
    assert one.status is OrdStatus.FILLED
    bust = report(ExecType.TRADE_CANCEL, "c", exec_ref_id="b")
    assert one.on_report(bust)
    assert not one.on_report(bust)
    assert (one.status, one.cum_qty, one.leaves_qty) == (OrdStatus.PARTIALLY_FILLED, 4, 6)
    assert [fact.exec_id for fact in one.executions] == ["a"]


def test_a_bust_may_outrun_its_fill() -> None:
    one = take(order(), [new(), report(ExecType.TRADE_CANCEL, "c", exec_ref_id="b"), fill("b", 6)])
    assert (one.status, one.cum_qty) == (OrdStatus.NEW, 0)


def test_corrections_are_followed_to_the_last_in_any_order() -> None:
    facts = [
        fill("a", 4, transact_time=1),
        report(ExecType.TRADE_CORRECT, "b", exec_ref_id="a", last_qty=5, last_px=100, transact_time=2),
        report(ExecType.TRADE_CORRECT, "c", exec_ref_id="b", last_qty=3, last_px=90, transact_time=3),
    ]
    assert {(one.cum_qty, one.avg_px) for one in (take(order(), arranged) for arranged in permutations(facts))} == {(3, 90.0)}


def test_of_two_corrections_of_one_fill_the_later_holds() -> None:
    facts = [
        fill("a", 4, transact_time=1),
        report(ExecType.TRADE_CORRECT, "b", exec_ref_id="a", last_qty=5, transact_time=2),
        report(ExecType.TRADE_CORRECT, "c", exec_ref_id="a", last_qty=3, transact_time=3),
    ]
    assert {take(order(), arranged).cum_qty for arranged in permutations(facts)} == {3}


def test_amendments_in_a_circle_hang_nothing() -> None:
    one = take(order(), [fill("a", 4), report(ExecType.TRADE_CORRECT, "b", exec_ref_id="c", last_qty=2)])
    take(one, [report(ExecType.TRADE_CORRECT, "c", exec_ref_id="b", last_qty=3)])
    assert not one.on_report(report(ExecType.TRADE_CANCEL, "d", exec_ref_id="d"))
    take(one, [report(ExecType.TRADE_CORRECT, "e", exec_ref_id="a", last_qty=1)])
    take(one, [fill("b", 1), fill("c", 1)])
    assert one.cum_qty > 0


def test_done_for_the_day_is_over_with_tomorrows_word_or_trade() -> None:
    done = report(ExecType.DONE_FOR_DAY, leaves_qty=10, transact_time=DAY_NS + 9)
    one = take(order(), [new(transact_time=DAY_NS), done])
    assert (one.status, one.leaves_qty) == (OrdStatus.DONE_FOR_DAY, 10)
    late, next_day = fill("a", 1, transact_time=DAY_NS + 8), fill("b", 1, transact_time=2 * DAY_NS)
    assert take(one, [late]).status is OrdStatus.DONE_FOR_DAY
    assert take(one, [next_day]).status is OrdStatus.PARTIALLY_FILLED
    again = take(order(), [new(transact_time=DAY_NS), done, new(exec_id="again", transact_time=2 * DAY_NS)])
    assert (again.status, again.leaves_qty) == (OrdStatus.NEW, 10)


def test_yesterdays_done_for_the_day_does_not_close_todays_renewed_order() -> None:
    renewed = report(ExecType.RESTATED, leaves_qty=10, transact_time=2 * DAY_NS)
    done = report(ExecType.DONE_FOR_DAY, leaves_qty=10, transact_time=DAY_NS + 9)
    assert take(order(), [new(transact_time=DAY_NS), renewed, done]).status is OrdStatus.NEW


def test_a_day_order_that_is_done_has_nothing_open() -> None:
    one = take(order(), [new(), fill("a", 3), report(ExecType.DONE_FOR_DAY)])
    assert (one.status, one.leaves_qty, one.done) == (OrdStatus.DONE_FOR_DAY, 0, True)


def test_a_renewal_lifts_only_what_came_before_it() -> None:
    one = take(order(), [new(), report(ExecType.STOPPED, transact_time=2), report(ExecType.SUSPENDED, transact_time=5)])
    assert one.status is OrdStatus.STOPPED
    assert take(one, [report(ExecType.RESTATED, transact_time=3)]).status is OrdStatus.SUSPENDED
    assert take(one, [report(ExecType.CANCELED, transact_time=4)]).status is OrdStatus.CANCELED


def test_a_stop_outlives_the_fill_that_it_promised_but_not_the_order() -> None:
    one = take(order(), [new(), report(ExecType.STOPPED, last_qty=2), fill("a", 2)])
    assert (one.status, one.cum_qty) == (OrdStatus.STOPPED, 2)
    assert take(one, [report(ExecType.CANCELED)]).status is OrdStatus.CANCELED


def test_an_order_is_reinstated_only_by_a_later_word_with_something_open() -> None:
    ended = [new(transact_time=1), report(ExecType.CANCELED, transact_time=5)]
    assert take(order(), [*ended, new(exec_id="n2", transact_time=6, leaves_qty=10)]).status is OrdStatus.NEW
    assert take(order(), [*ended, new(exec_id="n2", transact_time=4, leaves_qty=10)]).status is OrdStatus.CANCELED
    assert take(order(), [*ended, new(exec_id="n2", transact_time=6)]).status is OrdStatus.CANCELED


def test_a_split_scales_what_was_executed_before_it() -> None:
    one = take(order(), [new(transact_time=1), fill("a", 4, 100, transact_time=2)])
    split = report(ExecType.RESTATED, order_qty=20, cum_qty=8, price=50, leaves_qty=12, transact_time=4)
    take(one, [fill("b", 2, 50, transact_time=5), split])
    assert (one.order_qty, one.cum_qty, one.leaves_qty, one.avg_px, one.price) == (20, 10, 10, 50.0, 50)


def test_a_restatement_of_a_cumqty_that_is_no_split_moves_nothing() -> None:
    one = take(order(), [new(), fill("a", 4), report(ExecType.RESTATED, order_qty=9, cum_qty=5, leaves_qty=4)])
    assert (one.order_qty, one.cum_qty, one.leaves_qty) == (9, 4, 5)


def test_reports_without_an_id_are_taken_each_time() -> None:
    one = order()
    assert one.on_report(ExecutionReport(cl_ord_id="X", exec_type=ExecType.NEW))
    assert one.on_report(ExecutionReport(cl_ord_id="X", exec_type=ExecType.CANCELED))
    assert one.status is OrdStatus.CANCELED


def test_an_order_answers_for_what_was_asked_of_it() -> None:
    one = order()
    assert (one.symbol, one.side, one.ord_type, one.time_in_force) == ("BTCUSDT", 1, "2", "1")
    assert set(PRECEDENCE) == set(OrdStatus) - {OrdStatus.REPLACED}


# --- arrangements (RELIABILITY B2, B3)


def doubled(facts: Sequence[Fact]) -> list[Fact]:
    return [fact for one in facts for fact in (one, one)]


def swapped(facts: Sequence[Fact], start: int) -> list[Fact]:
    arranged = list(facts)
    for at in range(start, len(arranged) - 1, 2):
        arranged[at], arranged[at + 1] = arranged[at + 1], arranged[at]
    return arranged


def scripts(document: dict[str, Any]) -> Iterable[tuple[str, Order, list[Fact]]]:
    """Each order of a scenario file as it began, with its requests sent, and the facts that came back in order."""
    for scenario in document["scenarios"]:
        stage = fix_playthrough.Stage()
        heard: list[tuple[Order, Fact]] = []
        for row in scenario["steps"]:
            if row["path"] == "main":
                count = len(stage.reports)
                subject = stage.play(row)
                heard += [(subject, one) for one in stage.reports[count:] if subject]
                if subject and row["message"] == "OrderCancelReject":
                    heard.append((subject, OrderCancelReject(cl_ord_id=row["cl_ord_id"])))
        for subject in {id(one): one for one in stage.orders.values()}.values():
            yield scenario["ref"], subject, [fact for one, fact in heard if one is subject]


def afresh(played: Order, facts: Sequence[Fact], requests: Sequence[OrderCancelReplaceRequest]) -> Order:
    one = Order(played.request)
    for request in requests:
        one.request_replace(request)
    return take(one, facts)


def check_arrangements(document: dict[str, Any]) -> int:
    count = 0
    for ref, played, facts in scripts(document):
        requests = [OrderCancelReplaceRequest(cl_ord_id=one) for one in played.cl_ord_ids[1:]]
        twice = doubled(facts)
        for arranged in (twice, swapped(facts, 0), swapped(facts, 1), swapped(twice, 0), swapped(twice, 1)):
            one = afresh(played, arranged, requests)
            assert one.cum_qty == played.cum_qty, ref
            assert one.leaves_qty in (played.leaves_qty, 0), ref
            count += 1
    return count


def test_every_report_doubled_swapped_or_both_ends_in_the_same_cumqty() -> None:
    assert check_arrangements(json.loads(OWN.read_text())) > 150


def test_the_standards_scenarios_survive_doubling_and_swapping(captures: Path) -> None:
    assert check_arrangements(json.loads((captures / "fix" / "order_state_scenarios.json").read_text())) > 80


SIX: dict[str, Fact] = {
    "ack": new(transact_time=1),
    "part": fill("part", 4, transact_time=2),
    "fill": fill("fill", 6, transact_time=3),
    "canceled": report(ExecType.CANCELED, cl_ord_id="Y", transact_time=4),
    "refused": OrderCancelReject(cl_ord_id="Z", transact_time=5),
    "status": report(ExecType.ORDER_STATUS, ord_status=OrdStatus.NEW, transact_time=6),
}


def expected(told: Sequence[str]) -> tuple[OrdStatus, int, int, bool]:
    """What six facts amount to, told as a set: the plain twin of the order."""
    cum = 4 * ("part" in told) + 6 * ("fill" in told)
    canceled = "canceled" in told
    status = OrdStatus.NEW if "ack" in told else OrdStatus.PENDING_NEW
    if cum:
        status = OrdStatus.PARTIALLY_FILLED
    if canceled:
        status = OrdStatus.CANCELED
    if cum == 10:
        status = OrdStatus.FILLED
    return status, cum, 0 if canceled else 10 - cum, not canceled


def test_all_1957_arrangements_of_six_facts_and_their_prefixes() -> None:
    count = 0
    for length in range(len(SIX) + 1):
        for told in permutations(SIX, length):
            one = canceling(canceling(order(), "Y"), "Z")
            news = [tell(one, SIX[name]) for name in told]
            assert news == [name != "status" for name in told]
            assert not any(tell(one, SIX[name]) for name in told)
            assert (one.status, one.cum_qty, one.leaves_qty, one.pending) == expected(told), told
            assert one.done is (not one.pending and not one.leaves_qty)
            count += 1
    assert count == 1957


KINDS = [one for one in ExecType if one not in (ExecType.TRADE_CANCEL, ExecType.TRADE_CORRECT, ExecType.RESTATED)]


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from("XYZ"), st.integers(0, 12), st.integers(0, 3), st.booleans())))
def test_whatever_is_reported_cumqty_never_falls_and_the_sum_holds_while_working(facts: list[tuple[Any, ...]]) -> None:
    one, before = replacing(canceling(order()), "Z"), 0
    for number, (kind, cl_ord_id, qty, time, is_open) in enumerate(facts):
        one.on_report(
            ExecutionReport(
                cl_ord_id=cl_ord_id, exec_id=str(number), exec_type=kind, last_qty=qty, transact_time=time, leaves_qty=is_open * 5
            )
        )
        assert one.cum_qty >= before
        assert not one.working or one.order_qty == one.cum_qty + one.leaves_qty
        assert one.status in PRECEDENCE
        before = one.cum_qty


# --- the playthrough


def run(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str], str]:
    code = fix_playthrough.main([str(path)])
    said = capsys.readouterr()
    return code, said.out.splitlines(), said.err


def test_the_standards_scenarios_end_as_printed(captures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, _ = run(captures / "fix" / "order_state_scenarios.json", capsys)
    assert (code, lines[-1], len(lines)) == (0, "121 of 122 rows as printed", 2)
    assert lines[0].startswith("B.1.d step 4: ")
    assert "known irregularity" in lines[0]


def test_our_own_scenarios_end_as_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(OWN, capsys)[:2] == (0, ["156 of 156 rows as printed"])


def scenario(*rows: dict[str, Any], known: Sequence[str] = ()) -> dict[str, Any]:
    first = {"time": "1", "message": "NewOrderSingle", "cl_ord_id": "X", "order_qty": 10}
    return {"known_irregularities": list(known), "scenarios": [{"ref": "T", "steps": [first, *rows]}]}


def test_a_trade_that_prints_one_of_its_quantities_is_a_trade(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trade = {"message": "ExecutionReport", "cl_ord_id": "X", "exec_type": "Trade"}
    rows = (
        {**trade, "time": "2", "ord_status": "Partially Filled", "last_qty": 3, "leaves_qty": 7},
        {**trade, "time": "3", "ord_status": "Filled", "cum_qty": 10},
    )
    path = tmp_path / "sparse.json"
    path.write_text(json.dumps(scenario(*rows)))
    assert run(path, capsys)[:2] == (0, ["2 of 2 rows as printed"])


ACK = {"time": "2", "message": "ExecutionReport", "cl_ord_id": "X", "exec_type": "New", "ord_status": "New", "order_qty": 10}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (ACK | {"ord_status": "Filled"}, "OrdStatus Filled expected, New shown"),
        (ACK | {"cum_qty": 3}, "cum_qty 3 expected, 0 shown"),
        (ACK | {"leaves_qty": 9}, "leaves_qty 9 expected, 10 shown"),
        (ACK | {"exec_type": "Canceled"}, "OrdStatus New expected, Canceled shown"),
    ],
)
def test_what_differs_is_named_and_fails_unless_it_is_known(
    row: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(scenario(row)))
    code, lines, _ = run(path, capsys)
    assert (code, lines[-1]) == (1, "0 of 1 rows as printed")
    assert lines[0].startswith("T step 2: ExecutionReport")
    assert said in lines[0]
    path.write_text(json.dumps(scenario(row, known=["T step 2: so it is printed"])))
    assert run(path, capsys)[0] == 0


def test_an_alternative_row_leaves_no_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = ACK | {"exec_type": "Rejected", "ord_status": "Rejected", "path": "alt"}
    path = tmp_path / "one.json"
    path.write_text(json.dumps(scenario(refused, ACK, refused | {"time": "3"})))
    assert run(path, capsys)[:2] == (0, ["3 of 3 rows as printed"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"scenarios": [{"ref": "T"}]}',
        json.dumps(scenario(ACK | {"exec_type": "Dreamt"})),
        json.dumps(scenario(ACK | {"ord_status": "Dreamt"})),
        json.dumps(scenario(ACK | {"cum_qty": "many"})),
        json.dumps(scenario(ACK | {"cum_qty": 1.5})),
    ],
)
def test_a_file_that_cannot_be_played_is_answered_in_one_line(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    code, lines, error = run(path, capsys)
    assert (code, lines, error.count("\n")) == (2, [], 1)
    assert fix_playthrough.main([]) == 2
    assert fix_playthrough.main([str(tmp_path / "none.json")]) == 2
