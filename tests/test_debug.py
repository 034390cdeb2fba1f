"""The debugger's session: the same run, held at will."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.debug import Session
from actors.errors import UserError
from core.message import NewOrderSingle, Timer
from tests.days import DAY_S, graph

SECOND = 1_000_000_000


@pytest.fixture
def session(tmp_path: Path, small_store: Path) -> Session:
    return Session(graph(tmp_path), small_store)


def test_it_stands_at_the_days_first_event_and_stops_before_the_break(session: Session) -> None:
    session.backtest_set_datetime("2024-01-02")
    assert session.now == DAY_S["2024-01-02"] * SECOND
    session.backtest_set_breaktime("00:00:05")
    said = session.backtest_go()
    assert session.now == (DAY_S["2024-01-02"] + 5) * SECOND
    assert "2024-01-02 00:00:05.000000000" in said
    assert session.last is not None
    assert session.last.now < session.now + 100_000


def test_a_step_is_one_message_and_says_which(session: Session) -> None:
    session.backtest_set_breaktime("00:00:05")
    session.backtest_go()
    seen = [session.backtest_step() for _ in range(200)]
    assert all(step is not None for step in seen)
    times = [step.now for step in seen if step]
    assert times == sorted(times) or max(times) - min(times) > 0
    nodes = {step.node for step in seen if step}
    assert nodes == {"joiner.BTCUSDT", "risk", "gateway:BTCUSDT"} == set(session.nodes)
    kinds = {type(step.message) for step in seen if step}
    assert {Timer, NewOrderSingle} <= kinds
    timer = next(step for step in seen if step and type(step.message) is Timer)
    assert "joiner.BTCUSDT <- Timer(" in repr(timer)


def test_steps_breaks_and_an_uncut_run_end_the_same(session: Session) -> None:
    def end() -> tuple[object, ...]:
        risk = session.simulation.risk
        return session.position, session.simulation.host.handled, risk.ledger.of("BTCUSDT").cash, session.market

    session.backtest_go()
    uncut = end()
    session.backtest_set_datetime("2024-01-01")
    for second in (1, 2, 7, 20):
        session.backtest_set_breaktime(f"00:00:{second:02}")
        session.backtest_go()
        for _ in range(second):
            session.backtest_step()
    session.backtest_go()
    assert end() == uncut
    assert session.backtest_step() is None


def test_everything_can_be_looked_at(session: Session) -> None:
    session.backtest_set_breaktime("00:00:10")
    session.backtest_go()
    tick = session.market["BTCUSDT"]
    assert tick.two_sided
    assert set(session.position) == {"BTCUSDT"}
    assert {order.symbol for order in session.orders} <= {"BTCUSDT"}
    assert session.nodes["joiner.BTCUSDT"].name == "joiner.BTCUSDT"
    assert any(isinstance(step.message, Timer) for step in session.waiting)
    book = session.book()
    assert book["bids"][0][0] < book["asks"][0][0]
    assert repr(session).startswith("<Session 2024-01-01 00:00:10")


def test_it_begins_in_the_middle_of_a_day_with_the_book_as_it_stood(session: Session) -> None:
    session.backtest_set_breaktime("00:00:10")
    session.backtest_go()
    book = session.book()
    session.backtest_set_datetime("2024-01-01", "00:00:10")
    assert session.book() == book
    assert session.simulation.host.handled == 0
    session.backtest_go()
    box = session.simulation.mailboxes["joiner.BTCUSDT"]
    assert 0 < box.received < 9_000


@pytest.mark.parametrize(
    ("date", "time", "words"),
    [
        ("2024-1-1", "", "YYYY-MM-DD"),
        ("2024-02-01", "", "has no day 2024-02-01"),
        ("2024-01-01", "12:00:00", "is not within the data of 2024-01-01"),
        ("2024-01-01", "noon", "is not a time"),
    ],
)
def test_a_moment_that_is_not_there_is_one_clear_line(session: Session, date: str, time: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        session.backtest_set_datetime(date, time)
