"""Days simulated: what repeats, what crosses midnight, what busy places miss, and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import Exit, UserError
from actors.graph import Plan, read
from actors.history.prepared import PreparedDay
from actors.history.synth import synthesize
from actors.history.tickdb import TickDb
from actors.sim import days as days_module
from actors.sim.bars import PATIENCE_NS, closes
from actors.sim.days import DayResult, Progress, simulate, watched
from core.instrument import Instrument, Key
from core.kernel.layout import BUY, SELL
from core.price import E8
from tests.days import DAY_S, graph
from tests.tiny_day import BTC, DAY_NS, MS, OPENING, SECOND, Row, day_name, market, tiny_day

BTCUSDT, ETHUSDT = Key("binance_usdm", "BTCUSDT"), Key("binance_usdm", "ETHUSDT")
DAYS = list(DAY_S)

PROBE = '''
"""Writes down what it sees, and does what the parameters say."""

from typing import ClassVar

from core.message import Bar, ExecutionReport, Funding, Tick, Timer
from core.strategy import MINUTE, SECOND, Strategy


class Probe(Strategy):
    bars = (MINUTE,)
    calendar = ("minute",)
    log: ClassVar[list] = []
    buy_at_s: float = 0.0    # buy one lot at market then, seconds since 1970
    rest_at_s: float = 0.0   # post a bid far from the market then
    cancel_at_s: float = 0.0 # and cancel it then
    eager: bool = False      # buy at every second

    def say(self, *words):
        self.log.append((self.now, *words))

    def on_start(self):
        self.say("start")
        self.every(SECOND, "second")
        for at, key in ((self.buy_at_s, "buy"), (self.rest_at_s, "rest"), (self.cancel_at_s, "cancel")):
            if at:
                self.wake(round(at * SECOND), key)

    def on_tick(self, tick: Tick):
        self.say("tick", tick.bid)

    def on_bar(self, bar: Bar):
        self.say("bar", bar.open_time)

    def on_timer(self, timer: Timer):
        self.say(timer.key)
        if timer.key == "buy" or (timer.key == "second" and self.eager):
            self.say("bought", self.buy(None, 1).status)
        elif timer.key == "rest":
            self.buy(900, 1)
        elif timer.key == "cancel":
            self.cancel_all()

    def on_report(self, report: ExecutionReport):
        self.say("report", report.exec_type, report.text)

    def on_reject(self, reject):
        self.say("reject", reject.text)

    def on_funding(self, funding: Funding):
        self.say("funding", self.ledger.of(funding.symbol).funding_e8)


class Pair(Probe):
    shared = True

    def on_timer(self, timer: Timer):
        if timer.key == "second" and len(self.market) == 2 and not self.orders:
            self.buy(None, 1, "BTCUSDT")
            self.sell(None, 1, "ETHUSDT")
'''
GRAPH = """
name = "probe"
instruments = ["BTCUSDT"]
[strategy]
use = "probe.py:Probe"
"""


def probe(folder: Path, *overrides: str) -> Plan:
    """The probe's graph, with nothing written down yet."""
    (folder / "probe.py").write_text(PROBE)
    (folder / "probe.toml").write_text(GRAPH)
    plan = read(folder / "probe.toml", overrides)
    log(plan).clear()
    return plan


def log(plan: Plan) -> list[Any]:
    return plan.strategy_class().log  # type: ignore[attr-defined, no-any-return]


class Shelf:
    """A store of days written by hand."""

    def __init__(self, *prepared: PreparedDay) -> None:
        self._prepared = {(one.key, one.day): one for one in prepared}

    def __call__(self, root: str) -> Shelf:
        return self

    def days(self, key: Key) -> list[str]:
        return sorted(day for one, day in self._prepared if one == key)

    def prepared(self, key: Key, day: str, base_ns: int = 0) -> PreparedDay:
        return self._prepared[key, day]


@pytest.fixture
def over(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Simulate a plan over days written by hand: `over(plan, days, [which])`."""

    def run(plan: Plan, stored: Sequence[PreparedDay], which: Sequence[int] | None = None) -> list[DayResult]:
        monkeypatch.setattr(days_module, "TickDb", Shelf(*stored))
        keys = list(dict.fromkeys(one.key for one in stored))
        numbers = which if which is not None else sorted({one.start_ns // DAY_NS for one in stored})
        return list(simulate(plan, "", keys, [day_name(number) for number in numbers]))

    return run


def joined(folder: Path, store: Path, *overrides: str, days: Sequence[str] = DAYS[:1], midnight: str = "flat") -> list[DayResult]:
    return list(simulate(read(graph(folder, midnight), overrides), str(store), [BTCUSDT], days))


def total(results: Sequence[DayResult], name: str) -> float:
    return float(sum(one.summary[name] for one in results))


# --- what repeats


def test_the_same_day_leaves_the_same_trace_and_another_day_seed_or_parameter_another(tmp_path: Path, small_store: Path) -> None:
    first, again = joined(tmp_path, small_store)[0], joined(tmp_path, small_store)[0]
    assert first.summary["digest"] == again.summary["digest"]
    assert first.summary["fills"] > 0
    for name, column in first.fills.items():
        assert np.array_equal(column, again.fills[name])
    synthesize(tmp_path / "other", days=1, events=10_000, seed=2)
    others = [
        joined(tmp_path, tmp_path / "other")[0],
        joined(tmp_path, small_store, "strategy.order_qty=0.011")[0],
        joined(tmp_path, small_store, "latency.order_entry_us=1001")[0],
        joined(tmp_path, small_store, "fees.maker=0.0001")[0],
        joined(tmp_path, small_store, days=DAYS[1:2])[0],
    ]
    assert len({one.summary["digest"] for one in (first, *others)}) == 6


def test_a_days_summary_agrees_with_its_columns(tmp_path: Path, small_store: Path) -> None:
    (day,) = joined(tmp_path, small_store)
    fills, equity, summary = day.fills, day.equity, day.summary
    assert summary["fills"] == len(fills["time_ns"])
    assert summary["fees"] == pytest.approx(fills["fee"].sum())
    assert summary["turnover"] == pytest.approx((fills["price"] * fills["qty"]).sum())
    signed = np.where(fills["side"] == 1, 1.0, -1.0) * fills["qty"]
    assert np.allclose(np.cumsum(signed), fills["position"])
    cash = -(signed * fills["price"]).sum() - fills["fee"].sum()
    assert summary["pnl"] == pytest.approx(cash + signed.sum() * equity["mid"][-1])
    assert summary["pnl"] == pytest.approx(equity["equity"][-1])
    assert summary["gross_pnl"] == pytest.approx(summary["pnl"] + summary["fees"])
    assert (np.diff(equity["time_ns"]) > 0).all()
    assert (equity["time_ns"][1:-1] % (10 * SECOND) == 0).all()


def test_progress_is_heard_of_before_the_day_and_up_to_its_last_row(tmp_path: Path, small_store: Path) -> None:
    words = list(watched(read(graph(tmp_path)), str(small_store), [BTCUSDT], DAYS[:1]))
    progress = [word for word in words if isinstance(word, Progress)]
    assert progress[0].rows < progress[-1].rows <= progress[-1].rows_all
    assert words[-1].summary["events"] == progress[-1].rows_all  # type: ignore[union-attr]


def test_a_day_without_a_book_is_refused(tmp_path: Path, over: Any) -> None:
    with pytest.raises(UserError, match="1970-01-01 has no book"):
        over(probe(tmp_path), [tiny_day(OPENING, quality="no book")])


def test_parameters_that_the_strategy_refuses_are_a_configuration_error_that_names_the_key(tmp_path: Path, over: Any) -> None:
    (tmp_path / "probe.py").write_text("")
    shipped = Path(__file__).resolve().parent.parent / "strategies" / "market_maker.toml"
    with pytest.raises(UserError, match=r"grid_num.*must be from 1") as caught:
        over(read(shipped, ["strategy.grid_num=0"]), [tiny_day(OPENING)])
    assert caught.value.exit_code == Exit.CONFIGURATION


# --- midnight

EVE = market(86_280, 86_400, 1000)
MORNING = market(0, 90, 1010)


def two_days(**more: Any) -> list[PreparedDay]:
    """Two minutes up to a midnight around 1000, a minute and a half after it around 1010."""
    return [tiny_day(EVE, number=0), tiny_day(MORNING, number=1, **more)]


def test_flat_days_begin_with_nothing(tmp_path: Path, over: Any) -> None:
    plan = probe(tmp_path, "strategy.buy_at_s=86300")
    first, second = (over(plan, two_days(), [number])[0] for number in (0, 1))
    assert (first.summary["fills"], first.equity["position"][-1]) == (1, 0.001)
    assert (second.summary["start_equity"], second.equity["position"][0], second.equity["equity"][0]) == (0, 0, 0)


def test_a_carried_position_crosses_midnight_and_the_days_add_up(tmp_path: Path, over: Any) -> None:
    """Bought one lot at 1001; the mid is 1000.5 at the end of day one and 1010.5 on day two, 10 ticks of 0.1 on 0.001."""
    first, second = over(probe(tmp_path, "midnight=carry", "strategy.buy_at_s=86300", "fees.taker=0"), two_days())
    assert first.summary["pnl"] == pytest.approx(-0.5 * 0.1 * 0.001)
    assert second.summary["pnl"] == pytest.approx(10 * 0.1 * 0.001)
    assert second.summary["start_equity"] == first.summary["end_equity"]
    assert second.equity["position"][0] == 0.001
    assert second.summary["end_equity"] == pytest.approx(second.equity["equity"][-1])
    assert second.summary["digest"] != first.summary["digest"]


def test_carried_days_of_a_busy_strategy_add_up(tmp_path: Path, small_store: Path) -> None:
    results = joined(tmp_path, small_store, days=DAYS, midnight="carry")
    assert len(results) == 3
    assert total(results, "pnl") == pytest.approx(results[-1].equity["equity"][-1])
    assert total(results, "fees") == pytest.approx(results[-1].equity["fees"][-1])
    for before, after in pairwise(results):
        assert after.equity["position"][0] == before.equity["position"][-1]
    ids = np.concatenate([one.fills["exec_id"] for one in results])
    assert len(set(ids)) == len(ids)


def test_a_market_that_is_not_there_at_first_hides_no_carried_value(tmp_path: Path, over: Any) -> None:
    late = [tiny_day(EVE, number=0), tiny_day([(0, BUY, 1001, 1), *market(30, 90, 1000)], number=1)]
    first, second = over(probe(tmp_path, "midnight=carry", "strategy.buy_at_s=86300"), late)
    assert second.equity["equity"][0] == first.equity["equity"][-1]
    assert second.summary["pnl"] == pytest.approx(0)


def test_funding_at_midnight_is_charged_on_what_was_carried_and_on_nothing_else(tmp_path: Path, over: Any) -> None:
    """One lot is 0.001; at a mark of 1000 and a rate of 0.01 % the settlement is 0.0001."""
    funded = two_days(fundings=[(0, 10_000, 1000 * E8)])
    carried = probe(tmp_path, "midnight=carry", "strategy.buy_at_s=86300")
    _, second = over(carried, funded)
    assert second.summary["funding"] == pytest.approx(-0.0001)
    assert second.equity["funding"][-1] == pytest.approx(-0.0001)
    assert [words[1:] for words in log(carried) if words[1] == "funding"] == [("funding", -10_000)]
    assert second.summary["gross_pnl"] == pytest.approx(second.summary["pnl"] + second.summary["fees"] + 0.0001)
    for policy in ("flat", "warmup=2"):
        flat = over(probe(tmp_path, f"midnight={policy}", "strategy.buy_at_s=86300"), funded, [1])[0]
        assert flat.summary["funding"] == 0


def test_a_warm_up_shows_the_evening_and_trades_nothing_before_midnight(tmp_path: Path, over: Any) -> None:
    plan = probe(tmp_path, "midnight=warmup=1", "strategy.eager=true")
    (day,) = over(plan, two_days(), [1])
    seen = log(plan)
    assert seen[0][1] == "start"
    assert 0 <= seen[0][0] - (DAY_NS - 60 * SECOND) < MS
    before = Counter(words[1] for words in seen if words[0] < DAY_NS)
    assert before["tick"] > 50
    assert before["second"] == 59
    bought = [(now < DAY_NS, status) for now, word, *rest in seen if word == "bought" for status in rest]
    assert {status for early, status in bought if early} == {"8"}
    assert not any(word == "report" for now, word, *_ in seen if now < DAY_NS)
    assert day.summary["fills"] > 0
    assert (day.fills["time_ns"] >= DAY_NS).all()
    assert day.summary["start_equity"] == 0


def test_a_warm_up_without_a_day_before_begins_cold(tmp_path: Path, over: Any) -> None:
    plan = probe(tmp_path, "midnight=warmup=1")
    (day,) = over(plan, [tiny_day(MORNING, number=1)], [1])
    assert day.summary["status"] == "done"
    assert log(plan)[0][1] == "start"
    assert 0 <= log(plan)[0][0] - DAY_NS < MS


@pytest.mark.parametrize("policy", ["carry", "warmup=2"])
def test_the_last_bar_of_the_evening_is_known_in_the_morning(tmp_path: Path, over: Any, policy: str) -> None:
    plan = probe(tmp_path, f"midnight={policy}")
    over(plan, two_days(), [0, 1] if policy == "carry" else [1])
    bars = [open_time // SECOND for _, word, *rest in log(plan) if word == "bar" for open_time in rest]
    assert bars == [86_280, 86_340, 86_400]


@pytest.mark.parametrize("policy", ["carry", "warmup=1"])
def test_wakes_go_on_across_midnight_also_of_a_strategy_that_was_busy_then(tmp_path: Path, over: Any, policy: str) -> None:
    """Handling a tick takes 3 s: at midnight the every-second wake waits in the mailbox."""
    plan = probe(tmp_path, f"midnight={policy}", "busy_us.tick=3000000")
    over(plan, two_days(), [0, 1] if policy == "carry" else [1])
    assert sum(word == "second" and now > DAY_NS + 20 * SECOND for now, word, *_ in log(plan)) > 5


@pytest.mark.parametrize("before_us", [20, 65])
def test_orders_end_with_the_day_and_a_cancel_that_was_under_way_finds_them_gone(
    tmp_path: Path, over: Any, before_us: int
) -> None:
    """The link takes 45 µs and risk 50: at midnight the cancel is on its way to risk, or waits for the gateway."""
    at = f"strategy.cancel_at_s={86_400 - before_us / 1e6:.6f}"
    plan = probe(tmp_path, "midnight=carry", "strategy.rest_at_s=86390", at, "busy_us.timer=0")
    over(plan, [tiny_day([*EVE, (DAY_NS - 1, 1, 1000, 3)], number=0), tiny_day(MORNING, number=1)])
    reports = [(now, *rest) for now, word, *rest in log(plan) if word == "report"]
    assert [(kind, text) for _, kind, text in reports] == [("0", ""), ("4", "the day is over")]
    assert reports[1][0] >= DAY_NS
    assert any(word == "reject" for _, word, *_ in log(plan))


def test_a_fill_that_was_not_heard_of_by_midnight_is_heard_of_after_it(tmp_path: Path, over: Any) -> None:
    """Sent 1.5 s before midnight, half a second there and 2 s back."""
    slow = ("latency.order_entry_us=500000", "latency.order_response_us=2000000")
    first, second = over(probe(tmp_path, "midnight=carry", "strategy.buy_at_s=86398.5", *slow), two_days())
    assert (first.summary["fills"], second.summary["fills"]) == (0, 1)
    assert second.equity["position"][-1] == 0.001


# --- busy places

WATCHER = """
from core.strategy import Strategy

class Watcher(Strategy):
    def on_tick(self, tick):
        pass
"""
IDLE = ("frame", "tick", "report", "timer", "order")


def watcher(folder: Path, store: Path, **busy_us: float) -> dict[str, int]:
    (folder / "probe.py").write_text(WATCHER)
    (folder / "probe.toml").write_text(GRAPH.replace("Probe", "Watcher"))
    plan = read(folder / "probe.toml", [f"busy_us.{name}={busy_us.get(name, 0)}" for name in IDLE])
    return dict(next(iter(simulate(plan, str(store), [BTCUSDT], DAYS[:1]))).summary["ticks"])


def test_a_strategy_that_takes_no_time_is_handed_every_frame_when_it_arrives(tmp_path: Path, small_store: Path) -> None:
    ticks = watcher(tmp_path, small_store)
    frames = len(np.unique(TickDb(small_store).prepared(BTCUSDT, DAYS[0]).local.ns))
    assert ticks == {"received": frames, "delivered": frames, "replaced": 0, "age_ns_max": 0}


def test_a_slow_strategy_misses_frames_and_the_slower_the_more(tmp_path: Path, small_store: Path) -> None:
    counts = [watcher(tmp_path, small_store, tick=busy) for busy in (0, 50_000, 500_000)]
    assert 0 == counts[0]["replaced"] < counts[1]["replaced"] < counts[2]["replaced"]
    for one in counts:
        assert 0 <= one["received"] - one["delivered"] - one["replaced"] <= 1
        assert (
            0.95 * counts[0]["received"] < one["received"] <= counts[0]["received"]
        )  # but what came while it was busy at the end


def test_the_frames_themselves_cost_time(tmp_path: Path, small_store: Path) -> None:
    ticks = watcher(tmp_path, small_store, frame=100_000)
    assert ticks["replaced"] > 0
    assert ticks["age_ns_max"] >= 100_000_000


# --- several instruments


def test_two_instruments_run_together_under_a_strategy_that_they_share(tmp_path: Path, over: Any) -> None:
    eth = Instrument(ETHUSDT, "0.01", "0.001")
    stored = [tiny_day(MORNING, number=0), tiny_day(market(1, 90, 3000), number=0, instrument=eth)]
    plan = probe(tmp_path, "strategy.use=probe.py:Pair")
    first, again = over(plan, stored)[0], over(plan, stored)[0]
    assert first.summary["instruments"] == ["BTCUSDT", "ETHUSDT"]
    assert first.summary["digest"] == again.summary["digest"]
    sides = {(int(symbol), int(side)) for symbol, side in zip(first.fills["symbol"], first.fills["side"], strict=True)}
    assert sides == {(0, 1), (1, 2)}
    assert set(first.fills["price"][first.fills["symbol"] == 1]) == {30.0}
    assert first.summary["pnl"] == pytest.approx(sum(first.equity["equity"][first.equity["symbol"] == k][-1] for k in (0, 1)))


def test_refusals_by_risk_are_counted_and_heard_of(tmp_path: Path, over: Any) -> None:
    plan = probe(tmp_path, "strategy.eager=true", "limits.position=0.003")
    (day,) = over(plan, [tiny_day(MORNING, number=0)])
    assert day.summary["fills"] == 3
    assert day.equity["position"].max() == pytest.approx(0.003)
    refusals = [text for _, word, *rest in log(plan) if word == "report" for text in rest[1:] if text]
    assert day.summary["orders"]["rejected"] == len(refusals) > 50
    assert set(refusals) == {"risk: position could reach 4 lots, the limit is 3"}


# --- bars

PERIOD = 7


def bars_by_hand(rows: Sequence[Row], feed_ns: int) -> list[tuple[int, ...]]:
    """One bar after the other, in the plainest way: (known at, open time, open, high, low, close, volume, trades, notional)."""
    trades = [row for row in rows if row[1] in (BUY, SELL)]
    bars = []
    for open_time in sorted({ns - ns % PERIOD for ns, *_ in trades}):
        mine = [row for row in trades if open_time <= row[0] < open_time + PERIOD]
        later = [row[0] + feed_ns for row in trades if row[0] >= open_time + PERIOD]
        prices = [tick for _, _, tick, _ in mine]
        ready = max(min([open_time + PERIOD + PATIENCE_NS, *later]), mine[-1][0] + feed_ns)
        volume, notional = sum(lots for *_, lots in mine), sum(tick * lots for _, _, tick, lots in mine)
        bars.append((ready, open_time, prices[0], max(prices), min(prices), prices[-1], volume, len(mine), notional))
    return bars


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 4), st.integers(990, 1010), st.integers(1, 9)), max_size=40),
    st.integers(0, 20),
)
def test_bars_are_what_one_counts_by_hand(made: list[Row], feed_ns: int) -> None:
    rows = sorted(made, key=lambda row: row[0])
    found = [
        (at, bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trades, bar.notional)
        for at, bar in closes(tiny_day(rows, feed_ns), PERIOD)
    ]
    assert found == bars_by_hand(rows, feed_ns)


def test_a_bar_is_known_when_a_later_trade_is_or_a_second_after_its_end() -> None:
    minute = 60 * SECOND
    rows = [(5, BUY, 1000, 1), (minute + 9, BUY, 1001, 1), (minute + 11, SELL, 999, 2)]
    known = [(at, bar.open_time, bar.trades) for at, bar in closes(tiny_day(rows, feed_ns=3), minute)]
    assert known == [(minute + 12, 0, 1), (2 * minute + PATIENCE_NS, minute, 2)]


def test_the_clock_of_the_graph_never_shows_a_bar_before_its_end(tmp_path: Path, over: Any) -> None:
    plan = probe(tmp_path)
    over(plan, [tiny_day(MORNING, number=0)])
    assert [(now > 60 * SECOND, open_time) for now, word, *rest in log(plan) if word == "bar" for open_time in rest] == [
        (True, 0)
    ]


def test_the_store_that_is_asked_for_is_the_one_that_is_read(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        list(simulate(probe(tmp_path), str(tmp_path / "none"), [BTC.key], ["2024-01-01"]))
