"""Which node lives in which process."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.errors import UserError
from actors.graph import Graph, Plan
from actors.live.placement import STANDBY, Machine, Place, Runner, chosen, elsewhere, places, runners, spread

SOURCE = """
from core.strategy import Strategy

class Alone(Strategy):
    pass

class Pair(Strategy):
    shared = True
"""


@pytest.fixture
def plan(tmp_path: Path) -> object:
    Path(tmp_path, "own.py").write_text(SOURCE)

    def make(name: str, kind: str, *symbols: str) -> Plan:
        return Plan(Graph(name=name, instruments=symbols, strategy={"use": f"own.py:{kind}"}), str(tmp_path), "")

    return make


def test_an_instrument_and_its_strategies_share_a_process_apart_from_the_accounts(plan: object) -> None:
    found = runners([plan("mm", "Alone", "BTCUSDT", "ETHUSDT"), plan("bb", "Alone", "ETHUSDT")])  # type: ignore[operator]
    assert [one.name for one in found] == ["mm.BTCUSDT", "mm.ETHUSDT", "bb.ETHUSDT"]
    assert places(found) == [
        Place("account"),
        Place("market:BTCUSDT", ("BTCUSDT",), ("mm.BTCUSDT",)),
        Place("market:ETHUSDT", ("ETHUSDT",), ("mm.ETHUSDT", "bb.ETHUSDT")),
    ]


def test_a_strategy_that_spans_instruments_brings_them_together(plan: object) -> None:
    graphs = [plan("mm", "Alone", "BTCUSDT", "ETHUSDT", "SOLUSDT"), plan("pair", "Pair", "ETHUSDT", "BTCUSDT")]  # type: ignore[operator]
    assert places(runners(graphs))[1:] == [
        Place("market:SOLUSDT", ("SOLUSDT",), ("mm.SOLUSDT",)),
        Place("market:BTCUSDT+1", ("BTCUSDT", "ETHUSDT"), ("mm.ETHUSDT", "mm.BTCUSDT", "pair")),
    ]


def test_split_puts_the_normalizers_into_a_process_of_their_own() -> None:
    assert places([Runner("mm", 0, ("BTCUSDT",))], "split")[1:] == [
        Place("feed:BTCUSDT", ("BTCUSDT",)), Place("market:BTCUSDT", (), ("mm",)),
    ]  # fmt: skip


def test_two_graphs_of_one_name_are_refused(plan: object) -> None:
    with pytest.raises(UserError, match=r"'mm.BTCUSDT'.*another name"):
        runners([plan("mm", "Alone", "BTCUSDT"), plan("mm", "Alone", "BTCUSDT")])  # type: ignore[operator]


def test_instruments_are_dealt_out_among_as_many_processes_as_were_asked_for() -> None:
    found = [Runner(f"mm.{symbol}", 0, (symbol,)) for symbol in ("A", "B", "C", "D", "E")]
    assert [(place.name, place.normalizes) for place in places(found, markets=2)[1:]] == [
        ("market:A+2", ("A", "C", "E")), ("market:B+1", ("B", "D")),
    ]  # fmt: skip


MACHINES = [Machine("n1", "10.0.0.1"), Machine("n2", "10.0.0.2"), Machine("n3", "10.0.0.3")]


def test_machines_for_live_sessions_are_chosen_else_those_with_cores_else_all() -> None:
    head, worker, kept = Machine("h", "10.0.0.9", 0.0), Machine("w", "10.0.0.8"), Machine("l", "10.0.0.7", live=True)
    assert chosen([head, worker, kept]) == [kept]
    assert chosen([head, worker]) == [worker]
    assert chosen([head]) == [head]
    assert chosen([MACHINES[1], MACHINES[0]]) == MACHINES[:2], "in the order of their addresses, whatever Ray's is"


def test_an_accounts_standby_is_on_another_machine_and_markets_are_spread_beginning_there() -> None:
    found = places([Runner(f"mm.{symbol}", 0, (symbol,)) for symbol in ("A", "B", "C")])
    dealt = {seat: one.node for seat, one in spread(found, MACHINES[:2]).items()}
    assert dealt == {"account": "n1", "standby": "n2", "market:A": "n2", "market:B": "n1", "market:C": "n2"}
    assert STANDBY not in spread(found, MACHINES[:1])


def test_a_feed_is_beside_its_strategies() -> None:
    found = places([Runner(f"mm.{symbol}", 0, (symbol,)) for symbol in ("A", "B")], "split")
    dealt = {seat: one.node for seat, one in spread(found, MACHINES).items()}
    assert dealt["feed:A"] == dealt["market:A"] != dealt["feed:B"] == dealt["market:B"]


def test_who_lost_its_machine_begins_apart_from_its_other_beside_its_mate_or_where_the_fewest_are() -> None:
    one, two, three = MACHINES
    dealt = {"account": one, "standby": two, "market:A": one, "feed:B": two, "market:C": three}
    assert elsewhere("standby", dealt, [one, three]) == three
    assert elsewhere("standby", dealt, [one]) == one, "better there than nowhere"
    assert elsewhere("market:A", {**dealt, "market:A": three}, [one, two]) == one
    assert elsewhere("market:B", {**dealt, "market:B": three}, [one, two]) == two
