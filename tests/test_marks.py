"""Simulated days of a guarded account: the same risk, guards and doors as live, fed by the market that strategies look at."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from actors.graph import Graph, Plan
from actors.guard import LIVE_DEFAULTS, GuardTable
from actors.launch import Simulation, simulated
from core.message import Command, MarkPrice, Message, OrdStatus, SecurityStatus, TradingState
from core.strategy import SECOND as S
from core.strategy import Strategy
from tests.tiny_day import DAY_NS, SECOND, Row, market, tiny_day

FREE = GuardTable()
MINUTE = market(0, 60)


class Steady(Strategy):
    """Buys a lot far from and near the market every second, as long as it is told to."""

    near: bool = True
    stop_s: int = 60

    def on_start(self) -> None:
        self.texts: list[str] = []
        self.every(S, "act")

    def on_timer(self, timer: Any) -> None:
        if self.now < self.stop_s * S and self.tick.two_sided:
            self.buy(self.tick.ask if self.near else self.tick.bid // 2, 1)

    def on_report(self, report: Any) -> None:
        if report.ord_status == OrdStatus.REJECTED:
            self.texts.append(report.text)


def run(guard: GuardTable | None, rows: list[Row] = MINUTE, **parameters: Any) -> tuple[Simulation, list[Any]]:
    strategy = {"use": f"{__file__}:Steady", **parameters}
    more: dict[str, Any] = {} if guard is None else {"guard": guard}
    graph = Graph(name="steady", instruments=("BTCUSDT",), strategy=strategy, **more)
    seen: list[Any] = []

    def watch(now: int, node: str, message: Message) -> None:
        if node == "risk":
            seen.append(message)

    simulation = simulated(Plan(graph, "/", ""), [tiny_day(rows)], watch=watch)
    simulation.host.run()
    return simulation, seen


def texts(simulation: Simulation) -> list[str]:
    (strategy,) = simulation.strategies.values()
    return strategy.texts  # type: ignore[attr-defined, no-any-return]


def test_without_a_guard_risk_hears_of_no_market_and_there_is_no_door() -> None:
    simulation, seen = run(None)
    assert not any(isinstance(one, MarkPrice) for one in seen)
    assert (simulation.doors, simulation.risk.guard, simulation.risk.approved > 20) == ({}, None, True)


def test_with_one_it_hears_of_the_market_once_a_second_and_all_that_leaves_passes_the_door() -> None:
    simulation, seen = run(LIVE_DEFAULTS)
    marks = [one for one in seen if isinstance(one, MarkPrice)]
    assert all(later.now - earlier.now >= SECOND for earlier, later in pairwise(marks))
    assert 30 < len(marks) <= 60
    assert marks[0].mark_price_e8 == 10_005_000_000, "the middle of a book around 1000 and 1001 ticks of 0.1"
    door = simulation.doors["door:BTCUSDT"].door
    assert door.left == door.approved == simulation.risk.approved > 30
    assert texts(simulation) == []


def test_guards_refuse_in_a_backtest_what_they_would_refuse_live() -> None:
    far, _ = run(GuardTable(collar=0.05), near=False)
    assert "from the reference" in texts(far)[0]
    assert far.risk.approved == 0
    often, _ = run(GuardTable(repeats=5))
    assert any("is off until a person enables it" in text for text in texts(often))
    fast, _ = run(GuardTable(strategy_requests_10s=4))
    assert any("4 requests of steady.BTCUSDT within 10 s" in text for text in texts(fast))
    small, _ = run(GuardTable(strategy_position=0.003))
    assert any("position could reach 4 lots, the limit is 3" in text for text in texts(small))


def test_a_market_that_falls_silent_stops_what_adds_until_it_speaks_again() -> None:
    simulation, seen = run(GuardTable(stale_ms=2_500), market(0, 20) + market(40, 60))
    refused = texts(simulation)
    assert all("nothing was heard of the market of BTCUSDT" in text for text in refused)
    assert 16 <= len(refused) <= 19, "from 22.5 s to 40 s, a look a second"
    assert simulation.risk.approved + len(refused) == sum(type(one).__name__ == "NewOrderSingle" for one in seen)


def test_a_kill_reaches_the_simulated_venue_and_ends_what_works() -> None:
    strategy = {"use": f"{__file__}:Steady", "near": False, "stop_s": 20}
    graph = Graph(name="steady", instruments=("BTCUSDT",), strategy=strategy, guard=FREE)
    simulation = simulated(Plan(graph, "/", ""), [tiny_day(market(0, 60))])
    host = simulation.host
    host.run(30 * SECOND)
    (mine,) = simulation.strategies.values()
    assert len(mine.orders) > 10
    host.push(30 * SECOND, 0, host.seats["risk"], Command(verb="kill", argument="Ada"))
    host.run(31 * SECOND)
    assert mine.orders == {}
    assert mine.states == {"BTCUSDT": TradingState.HALT}
    assert not any(one.working for one in simulation.gateways["BTCUSDT"].orders.values())
    assert simulation.doors["door:BTCUSDT"].door.cancels == 0, "by the venue's own cancel-all"


def test_a_strategy_that_is_disconnected_and_comes_back_learns_its_position_in_a_backtest_too() -> None:
    strategy = {"use": f"{__file__}:Steady", "stop_s": 20}
    graph = Graph(name="steady", instruments=("BTCUSDT",), strategy=strategy, guard=FREE)
    simulation = simulated(Plan(graph, "/", ""), [tiny_day(market(0, 60))])
    host = simulation.host
    host.run(30 * SECOND)
    (mine,) = simulation.strategies.values()
    held = mine.position()
    assert held > 10
    fresh = type(mine)(mine.name, mine.instruments.values(), stop_s=50)
    host.restart(fresh)
    for verb, argument, name in (
        ("disconnected", "", "risk"),
        ("trading", "off", mine.name),
        ("start", "x 7", mine.name),
        ("connected", "", "risk"),
    ):
        host.push(30 * SECOND, 0, host.seats[name], Command(strategy=mine.name, verb=verb, argument=argument))
    host.run()
    assert fresh.position() == simulation.risk.ledger.position("BTCUSDT") > held
    assert fresh.texts == []  # type: ignore[attr-defined]


def test_a_carried_day_rolls_and_its_doors_go_on() -> None:
    strategy = {"use": f"{__file__}:Steady", "stop_s": 10**6}
    graph = Graph(name="steady", instruments=("BTCUSDT",), strategy=strategy, guard=GuardTable(drawdown=0.1), midnight="carry")
    plan = Plan(graph, "/", "")
    rows = market(86_300, 86_400)
    first = simulated(plan, [tiny_day(rows)], (86_300 * SECOND, DAY_NS))
    first.host.run()
    first.risk.take_state(0, SecurityStatus("", source="loss", state=TradingState.REDUCE))
    first.host.seats["risk"].sent.clear()
    second = simulated(plan, [tiny_day(market(0, 60), number=1)], (DAY_NS, DAY_NS + 60 * SECOND), before=first)
    second.host.run()
    door = second.doors["door:BTCUSDT"].door
    assert door is first.doors["door:BTCUSDT"].door
    assert (door.closed, door.approved) == ("", second.risk.approved)
    assert second.risk.states.strictest("") is None, "a new day"


@pytest.mark.parametrize("table", [LIVE_DEFAULTS, FREE])
def test_a_guarded_day_repeats(table: GuardTable) -> None:
    one, other = ([repr(message) for message in run(table)[1]] for _ in range(2))
    assert one == other
