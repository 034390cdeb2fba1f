"""A compiled day and the graph's: the same requests at the same times, the same fills, the same account, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.errors import UserError
from actors.graph import Plan, read
from actors.history.importer import Importer
from actors.history.prepared import PreparedDay
from actors.history.synth import synthesize
from actors.history.tickdb import TickDb
from actors.launch import simulated
from actors.sim import compiled
from actors.sim import road as roads
from actors.sim.compiled import result, simulate_sets, uncompiled
from actors.sim.days import simulate
from actors.sim.recorder import Recorder
from actors.sim.road import Road
from core.instrument import Instrument, Key
from core.kernel import post as p
from core.kernel.index import index_day
from core.message import Message, NewOrderSingle, OrderCancelRequest
from tests.hostile import hostile_day
from tests.tiny_day import DAY_NS, tiny_day

ROOT = Path(__file__).resolve().parent.parent
GRAPH = ROOT / "strategies" / "market_maker.toml"
NEAR = ("strategy.adj1=0.1", "strategy.adj2=0.1")
IDLE = tuple(f"busy_us.{kind}=0" for kind in ("frame", "tick", "report", "timer", "order"))
WORLDS = {
    "the reference's": IDLE,
    "as it is": (),
    "slow": ("busy_us.timer=90000", "busy_us.tick=30000", "busy_us.frame=2000"),
    "slow to hear": ("busy_us.report=40000", "latency.link_us=0"),
    "little allowed": ("limits.position=0.01", "limits.open_orders=3"),
    "less allowed": ("limits.exposure=500", "limits.order_value=190", "busy_us.order=5000"),
    "far from the venue": ("latency.order_entry_us=40000", "latency.order_response_us=70000", 'queue.model="log"'),
    "in parts": ("queue.partial_fills=true", "strategy.order_qty=0.02", "limits.order_qty=1.0", 'queue.model="risk"'),
}
"""Overrides under which the two must agree."""


def requests_of(plan: Plan, day: PreparedDay) -> list[tuple[int, ...]]:
    """What risk is handed in the graph: (time, 0 for new or 1 for cancel, side from 0, price, quantity)."""
    seen: list[tuple[int, ...]] = []
    placed: dict[str, NewOrderSingle] = {}

    def watch(time: int, node: str, message: Message) -> None:
        if node == "risk" and isinstance(message, NewOrderSingle):
            placed[message.cl_ord_id] = message
            seen.append((time, 0, message.side - 1, message.price, message.order_qty))
        elif node == "risk" and isinstance(message, OrderCancelRequest):
            order = placed[message.orig_cl_ord_id]
            seen.append((time, 1, order.side - 1, order.price, order.order_qty))

    simulated(plan, [day], watch=watch).host.run()
    return seen


def day_of(plan: Plan, day: PreparedDay) -> tuple[Any, Any, dict[str, Any]]:
    """Fills, samples and counts of the graph's day, for days that no store holds."""
    recorder = Recorder()
    simulation = simulated(plan, [day], watch=recorder.watch)
    recorder.attach(simulation)
    simulation.host.run()
    recorder.sample(simulation.host.clock.time)
    (box,) = simulation.mailboxes.values()
    ticks = {name: getattr(box, name) for name in ("received", "delivered", "replaced", "age_ns_max")}
    return *recorder.columns(), {"messages": simulation.host.handled, "orders": recorder.orders, "ticks": ticks}


def agree(plan: Plan, day: PreparedDay) -> dict[str, Any]:
    """Hold the compiled day, linear and from its index, against the graph; returns its summary."""
    fills, equity, counts = day_of(plan, day)
    requests = requests_of(plan, day)
    for index in (None, index_day(day.exch, day.local, day.bids, day.asks, 512)):
        road = Road(plan, day, index)
        road.run()
        found = result(road, 1.0)
        assert road.sent[: road.count(p.SENT)].tolist() == [list(one) for one in requests]
        for mine, theirs in ((found.fills, fills), (found.equity, equity)):
            assert list(mine) == list(theirs)
            for name in theirs:
                assert mine[name].dtype == theirs[name].dtype, name
                np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
        assert {name: found.summary[name] for name in counts} == counts
    return found.summary


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> PreparedDay:
    root = tmp_path_factory.mktemp("compiled")
    synthesize(root, "BTCUSDT", days=1, events=15_000, seed=5)
    db = TickDb(root)
    return db.prepared(db.resolve("BTCUSDT"), db.days(db.resolve("BTCUSDT"))[0])


@pytest.mark.parametrize("world", WORLDS)
def test_a_generated_day_is_the_same_compiled_and_in_the_graph(day: PreparedDay, world: str) -> None:
    summary = agree(read(GRAPH, [*NEAR, *WORLDS[world]]), day)
    assert summary["fills"] > 20
    assert summary["orders"]["rejected"] > 0 or not world.endswith("allowed")
    assert summary["ticks"]["replaced"] > summary["ticks"]["delivered"] or world != "slow"


def test_latencies_from_a_table_are_the_same(day: PreparedDay, tmp_path: Path) -> None:
    sent = np.arange(day.start_ns, day.end_ns, 10**9)
    swing = np.arange(len(sent)) * 7919 % 101 * 10**6
    answered = np.where(np.arange(len(sent)) % 50 == 49, -1, sent + swing)
    np.save(tmp_path / "measured.npy", np.stack([sent, answered, sent + 2 * swing + 10**6], axis=1))
    agree(read(GRAPH, [*NEAR, f'latency.table="{tmp_path / "measured.npy"}"']), day)


@pytest.mark.parametrize("seed", range(3))
def test_hostile_days_are_the_same(seed: int) -> None:
    """Crossed diffs, empty sides, trades through many levels and clearing rows, a market a second."""
    exch, _ = hostile_day(np.random.default_rng(seed), 2_000)
    exch[:, 0] *= 5_000_000
    start = int(exch[0, 0])
    rows = [tuple(map(int, row)) for row in exch if row[0] < DAY_NS]
    odd = tiny_day(rows, 1_000_000, fundings=[(start + 600 * 10**9, 10_000, 100 * 10**8)])
    plan = read(GRAPH, [*NEAR, "strategy.delta=1", "strategy.window_s=20.0", "strategy.observe_s=2.0", "strategy.refit_s=1.0"])
    agree(plan, odd)


def test_an_inverse_contract_is_booked_as_the_ledger_books_it(day: PreparedDay) -> None:
    coin = Instrument(Key("binance_coinm", "BTCUSD_PERP"), "0.1", "1", "100", inverse=True, base="BTC", quote="USD")
    plan = read(
        GRAPH, [*NEAR, "strategy.order_qty=3.0", "strategy.max_position=120.0", "limits.order_qty=50.0", "limits.position=150.0"]
    )
    summary = agree(plan, day._replace(key=coin.key, instrument=coin))
    assert summary["fees"] > 0


def test_a_set_of_parameters_is_the_day_that_a_backtest_gives(day: PreparedDay) -> None:
    store = day.folder.parents[3]
    sets = [{}, {"gamma": 0.05, "adj1": 0.3, "adj2": 0.2}, {"delta": 7, "adj1": 0.1}]
    for given, found in zip(sets, simulate_sets(read(GRAPH, list(NEAR)), day, sets), strict=True):
        plan = read(GRAPH, [*NEAR, *(f"strategy.{name}={value}" for name, value in given.items())])
        (theirs,) = simulate(plan, str(store), [day.key], [day.day])
        same = set(found.summary) - {"digest", "seconds", "rows_per_s"}
        assert {name: found.summary[name] for name in same} == {name: theirs.summary[name] for name in same}


@pytest.mark.parametrize(
    "extra",
    [(), WORLDS["little allowed"], (*WORLDS["far from the venue"], "queue.partial_fills=true")],
    ids=["free", "limits", "far"],
)
def test_sets_that_go_through_the_day_together_are_their_roads(day: PreparedDay, extra: tuple[str, ...]) -> None:
    """Where nothing takes time but the venue: looks are shared, messages are not sent, and nothing is different."""
    plan = read(GRAPH, [*NEAR, *IDLE, "latency.link_us=0", *extra])
    sets: list[dict[str, Any]] = [{"gamma": gamma, "adj1": adj1} for gamma in (0.05, 0.3) for adj1 in (0.1, 0.3)]
    sets += [{"window_s": 60.0}, {"window_s": 60.0, "delta": 9}, {"requote_ms": 250}, {}]
    assert compiled.immediate(plan)
    index = index_day(day.exch, day.local, day.bids, day.asks)
    together = simulate_sets(plan, day, sets)
    for given, found in zip(sets, together, strict=True):
        alone = compiled._simulate(plan, day, index, given)
        for mine, theirs in ((found.fills, alone.fills), (found.equity, alone.equity)):
            for name in theirs:
                np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
        same = set(alone.summary) - {"seconds", "rows_per_s"}
        assert {name: found.summary[name] for name in same} == {name: alone.summary[name] for name in same}
    digests = [found.summary["digest"] for found in together]
    assert digests[-1] == digests[2], "the last set is the third, in other words"
    assert len(set(digests)) == len(sets) - 1


def test_what_cannot_be_compiled_says_why(tmp_path: Path) -> None:
    assert uncompiled(read(GRAPH)) == ""
    assert "midnight" in uncompiled(read(GRAPH, ['midnight="carry"']))
    assert "[guard]" in uncompiled(read(GRAPH, ["guard.collar=0.05"]))
    assert "Bollinger is no quoting strategy" in uncompiled(read(ROOT / "strategies" / "bollinger.toml"))
    (tmp_path / "own.py").write_text(
        "from strategies.market_maker import MarketMaker\n\n\n"
        "class Own(MarketMaker):\n    def on_report(self, report):\n        self.cancel_all()\n"
    )
    (tmp_path / "own.toml").write_text('name = "own"\ninstruments = ["BTCUSDT"]\n\n[strategy]\nuse = "own.py:Own"\n')
    assert "on_report" in uncompiled(read(tmp_path / "own.toml"))


def test_a_day_that_outgrows_its_room_says_so(day: PreparedDay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roads, "LOG_ROWS", 10)
    with pytest.raises(UserError, match="requests or fills in a day"):
        simulate_sets(read(GRAPH, list(NEAR)), day, [{}])


def captured(folder: Path, store: Path) -> Iterator[PreparedDay]:
    """Every day with a book of the real captures."""
    importer = Importer(store)
    for capture in sorted(folder.rglob("*.gz")):
        importer.run(capture)
    db = TickDb(store)
    for key in db.instruments():
        for name in db.days(key):
            found = db.prepared(key, name)
            if found.quality == "book":
                yield found


@pytest.mark.slow
def test_every_real_capture_is_the_same_compiled_and_in_the_graph(captures: Path, tmp_path: Path) -> None:
    compared = 0
    for day in captured(captures, tmp_path):
        lots = day.instrument.lot_float
        for world in ("the reference's", "as it is", "slow"):
            sizes = (f"strategy.order_qty={3 * lots}", f"strategy.max_position={120 * lots}")
            limits = (f"limits.order_qty={50 * lots}", f"limits.position={150 * lots}")
            agree(read(GRAPH, [*NEAR, "strategy.observe_s=5.0", *sizes, *limits, *WORLDS[world]]), day)
            compared += 1
    assert compared > 3
