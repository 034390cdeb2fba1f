"""Graph files: what is wrong with one is said in one line that names the key; what changes one changes its hash."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.errors import Exit, UserError
from actors.graph import LimitsTable, Plan, describe, read
from actors.guard import LIVE_DEFAULTS, GuardTable, guards_live
from core.instrument import Instrument, Key
from core.risk.limits import KEYS, GuardLimits, Limits

BTC = Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001")

STRATEGY = """
from core.strategy import Strategy

class Idle(Strategy):
    gamma: float = 0.3
    depth: int = 4

class Pair(Idle):
    shared = True
"""
GRAPH = """
name = "idle"
instruments = ["BTCUSDT", "ETHUSDT"]

[strategy]
use = "idle.py:Idle"
gamma = 1
"""
FULL = """
[limits]
position = 0.15
[latency]
order_entry_us = 500
[busy_us]
tick = 10
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "idle.py").write_text(STRATEGY)
    return tmp_path


def plan(folder: Path, *overrides: str, text: str = GRAPH) -> Plan:
    path = folder / "idle.toml"
    path.write_text(text)
    return read(path, overrides)


def refused(folder: Path, *overrides: str, text: str = GRAPH, code: Exit = Exit.CONFIGURATION) -> str:
    """What is said about a graph that is wrong."""
    with pytest.raises(UserError) as caught:
        plan(folder, *overrides, text=text)
    assert caught.value.exit_code == code
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_left_out_has_a_default(folder: Path) -> None:
    graph = plan(folder).graph
    assert (graph.capital, graph.midnight, graph.fees.maker) == (10_000.0, "flat", 0.0002)
    assert graph.limits.position is None
    assert graph.parameters == {"gamma": 1}
    assert plan(folder).strategy_class().__name__ == "Idle"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("captial = 5\n" + GRAPH, "unknown key 'captial': did you mean 'capital'?"),
        (GRAPH + "[limits]\npositon = 1\n", "unknown key [limits] 'positon': did you mean 'position'?"),
        (GRAPH + "[busy_us]\nframes = 1\n", "[busy_us] 'frames': did you mean 'frame'?"),
        (GRAPH + "[latency]\norder_entry_ms = 1\n", "did you mean 'order_entry_us'?"),
        (GRAPH + "[limit]\nposition = 1\n", "unknown key 'limit': did you mean 'limits'?"),
        (GRAPH + "[guard]\ncollor = 0.1\n", "unknown key [guard] 'collor': did you mean 'collar'?"),
        (GRAPH.replace("gamma", "gama"), "no parameter 'gama': did you mean 'gamma'?"),
        (GRAPH.replace("Idle", "Idel"), "has no strategy 'Idel': did you mean 'Idle'?"),
    ],
)
def test_a_key_that_is_not_known_is_named_with_the_nearest_right_one(folder: Path, text: str, words: str) -> None:
    assert words in refused(folder, text=text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('capital = "much"\n' + GRAPH, "$.capital"),
        ("limits = 5\n" + GRAPH, "$.limits"),
        ('fees = "none"\n' + GRAPH, "$.fees"),
        ("strategy = 5\n" + GRAPH.partition("[strategy]")[0], "$.strategy"),
        (GRAPH + '[latency]\nlink_us = "fast"\n', "$.latency.link_us"),
        (GRAPH + '[queue]\nmodel = "fifo"\n', "$.queue.model"),
        (GRAPH + "[queue]\npartial_fills = 1\n", "$.queue.partial_fills"),
        (GRAPH.replace("gamma = 1", 'gamma = "x"'), "Idle.gamma is a float, not 'x' (str)"),
        (GRAPH.replace("gamma = 1", "depth = 1.5"), "Idle.depth is a int"),
        (GRAPH.replace('use = "idle.py:Idle"', ""), 'needs use = "file.py:Class"'),
        (GRAPH.replace("idle.py:Idle", "idle.py"), "\"file.py:Class\", not 'idle.py'"),
        (GRAPH.replace('"idle.py:Idle"', "7"), '"file.py:Class", not'),
        (GRAPH.replace('name = "idle"', ""), "`name`"),
        ("instruments = [", "idle.toml"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_by_its_key(folder: Path, text: str, words: str) -> None:
    assert words in refused(folder, text=text)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("midnight=flatt", "midnight is"),
        ("midnight=warmup=", "midnight is"),
        ("midnight=warmup=-5", "midnight is"),
        ("capital=0", "capital must be positive"),
        ("capital=nan", "capital must be positive"),
        ("capital=inf", "capital must be positive"),
        ("latency.order_entry_us=-1", "[latency] order_entry_us must not be negative"),
        ("latency.order_response_us=nan", "[latency] order_response_us must be a finite number"),
        ("busy_us.tick=-0.5", "[busy_us] tick must not be negative"),
        ("limits.position=-1", "[limits] position must not be negative"),
        ("fees.maker=inf", "[fees] maker must be a finite number"),
        ("instruments=[]", "instruments is empty"),
        ('instruments=["A", "B", "A"]', "instruments names A twice"),
        ("strategy.gama=1", "did you mean 'gamma'?"),
        ("strategie.gamma=1", "did you mean 'strategy'?"),
        ("name.first=1", "name is not a section"),
        ("strategy.gamma", "--set takes key=value"),
        ("=1", "--set takes key=value"),
    ],
)
def test_a_value_that_cannot_be_is_refused_from_the_file_and_from_the_command_line(
    folder: Path, override: str, words: str
) -> None:
    assert words in refused(folder, override)


def test_set_overrides_what_the_file_says_before_anything_is_checked(folder: Path) -> None:
    overrides = ("strategy.gamma=0.5", "midnight=carry", "limits.open_orders=3", "busy_us.tick=0", 'instruments=["ETHUSDT"]')
    graph = plan(folder, *overrides, text="captial = 1\n" + GRAPH if not overrides else GRAPH).graph
    assert (graph.parameters["gamma"], graph.midnight, graph.limits.open_orders) == (0.5, "carry", 3)
    assert (graph.busy_us.tick, graph.instruments) == (0, ("ETHUSDT",))


def test_a_rebate_is_a_negative_fee(folder: Path) -> None:
    assert plan(folder, "fees.maker=-0.0001").graph.fees.maker == -0.0001


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    for path, code in ((folder / "none.toml", Exit.NOT_FOUND), (folder, Exit.NOT_FOUND)):
        with pytest.raises(UserError, match=re.escape(str(path))) as caught:
            read(path)
        assert caught.value.exit_code == code
    (folder / "bytes.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(UserError, match=r"bytes\.toml") as caught:
        read(folder / "bytes.toml")
    assert caught.value.exit_code == Exit.CONFIGURATION


def test_a_strategy_file_that_is_absent_or_does_not_load_is_named_with_the_reason(folder: Path) -> None:
    assert "other.py" in refused(folder, text=GRAPH.replace("idle.py", "other.py"), code=Exit.NOT_FOUND)
    (folder / "idle.py").write_text("import nonsense_that_is_not_there")
    assert "ModuleNotFoundError" in refused(folder)
    (folder / "idle.py").write_text("class Idle(:")
    assert "SyntaxError" in refused(folder)


def test_an_edited_strategy_file_is_read_again(folder: Path) -> None:
    assert plan(folder).strategy_class().parameters()["gamma"] == 0.3
    (folder / "idle.py").write_text(STRATEGY.replace("0.3", "0.7"))
    assert plan(folder).strategy_class().parameters()["gamma"] == 0.7


@pytest.mark.parametrize(
    ("override", "together"),
    [
        ("capital=1", False),
        ("strategy.use=idle.py:Pair", True),
        ("limits.exposure=1000", True),
        ("guard.requests_1s=9", True),
        ("limits.position=1", False),
    ],
)
def test_instruments_run_together_where_a_strategy_or_an_account_limit_spans_them(
    folder: Path, override: str, together: bool
) -> None:
    groups = plan(folder, override).groups(["A", "B"])
    assert groups == ([("A", "B")] if together else [("A",), ("B",)])


def test_warmup_minutes_and_carrying_are_read_off_the_midnight_policy(folder: Path) -> None:
    for midnight, minutes, carries in (("flat", 0, False), ("carry", 0, True), ("warmup=25", 25, False)):
        graph = plan(folder, f"midnight={midnight}").graph
        assert (graph.warmup_minutes, graph.carries) == (minutes, carries)


def test_limits_in_base_currency_become_whole_lots_rounded_down() -> None:
    limits = LimitsTable(order_qty=0.0509, position=1e-05, open_orders=3, order_value=1234.5).of(BTC)
    assert (limits.order_qty, limits.position, limits.open_orders, limits.order_value_e8) == (50, 0, 3, 123_450_000_000)
    assert LimitsTable().of(BTC).position is None


def test_every_change_of_a_parameter_changes_the_parameters_hash_and_nothing_else(folder: Path) -> None:
    first = plan(folder)
    assert plan(folder, text=GRAPH + "\n# a comment\n").parameters_hash() == first.parameters_hash()
    changed = {
        plan(folder, one).parameters_hash() for one in ("strategy.gamma=2", "capital=1", "busy_us.tick=1", "midnight=carry")
    }
    assert len(changed | {first.parameters_hash()}) == 5
    assert plan(folder, "capital=1").code_hash() == first.code_hash()


def test_every_change_of_the_strategys_folder_changes_the_code_hash_and_nothing_else(folder: Path) -> None:
    first = plan(folder)
    parameters, code = first.parameters_hash(), first.code_hash()
    (folder / "notes.txt").write_text("no code")
    assert first.code_hash() == code
    (folder / "beside.py").write_text("X = 1")
    beside = first.code_hash()
    (folder / "beside.py").write_text("X = 2")
    assert len({code, beside, first.code_hash()}) == 3
    assert first.parameters_hash() == parameters


def test_every_assumption_is_said_in_words(folder: Path) -> None:
    words = describe(plan(folder, text=GRAPH + FULL).graph)
    said = " ".join(words.values())
    for part in ("500 µs to the exchange", "power n=3", "tick 10", "maker 0.0200%", "each day starts flat"):
        assert part in said
    carried = describe(plan(folder, "midnight=carry", "latency.table=rows.csv").graph)
    assert "recorded in rows.csv" in carried["order latency"]
    assert carried["midnight"].startswith("carry")


@pytest.mark.parametrize("name", ["market_maker", "bollinger"])
def test_the_graphs_that_ship_are_right(name: str) -> None:
    shipped = read(Path(__file__).resolve().parent.parent / "strategies" / f"{name}.toml")
    parameters: dict[str, Any] = shipped.strategy_class().parameters()
    assert set(shipped.graph.parameters) == set(parameters)


def test_a_guard_is_read_in_the_units_of_people_and_is_nowhere_where_it_is_not_written(folder: Path) -> None:
    bare = plan(folder)
    assert bare.graph.guarded is None
    assert "guards" not in describe(bare.graph)
    assert b"guard" not in msgspec.json.encode(bare.graph)
    written = """
[guard]
collar = 0.05
stale_ms = 5000
requests_1s = 20
refuse_self_trade = true
repeats = 7
repeats_s = 1.5
strategy_position = 0.0025
drawdown = 0.1
"""
    table = plan(folder, text=GRAPH + written).graph.guarded
    assert table is not None
    assert table.limits(BTC) == GuardLimits(
        collar_e8=5_000_000, stale_ns=5_000_000_000, requests_1s=20, refuse_self_trade=True, repeats=7, repeats_ns=1_500_000_000,
        drawdown_e8=10_000_000,
    )  # fmt: skip
    assert table.of(Limits(position=9), BTC) == Limits(position=9, strategy_position=2)
    assert "collar 0.05" in describe(plan(folder, text=GRAPH + written).graph)["guards"]
    assert "must not be negative" in refused(folder, text=GRAPH + "[guard]\ncollar = -1.0\n")


def test_every_limit_of_a_graph_can_be_changed_by_its_name_while_it_trades() -> None:
    assert {*LimitsTable.__struct_fields__, *GuardTable.__struct_fields__} == set(KEYS)
    assert LIVE_DEFAULTS.limits(BTC).repeats is not None


def test_a_graph_that_names_one_guard_keeps_the_defaults_of_the_others_live() -> None:
    assert guards_live(None) == LIVE_DEFAULTS
    found = guards_live(GuardTable(drawdown=0.03, refuse_self_trade=False))
    assert (found.drawdown, found.refuse_self_trade) == (0.03, False)
    assert (found.collar, found.requests_1s) == (LIVE_DEFAULTS.collar, LIVE_DEFAULTS.requests_1s)
