"""Performance figures against the same formulas in plain Python, and against hftbacktest's own."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.study import metrics
from core.study.equity import DAY_NS, SAMPLE_NS, Curve, chained, together
from core.study.trades import captured, profit_factor, round_trips, win_rate

CAPITAL = 10_000.0
SAMPLES_A_YEAR = 365 * 8_640
MONDAY = 19_900 * DAY_NS
money = st.floats(-100, 100, allow_nan=False).map(lambda value: round(value, 2))


def day(equity: list[float], start_ns: int = MONDAY, notional: float = 0.0) -> dict[str, np.ndarray]:
    times = start_ns + SAMPLE_NS * np.arange(len(equity))
    return {"time_ns": times, "equity": np.array(equity), "notional": np.full(len(equity), notional)}


def curve(*equity: float) -> Curve:
    return chained([day(list(equity))])


@given(st.lists(money, min_size=3, max_size=40))
def test_ratios_are_those_of_plain_python(levels: list[float]) -> None:
    levels = [0.0, *levels]
    steps = [b - a for a, b in itertools.pairwise(levels)]
    mean, year = statistics.fmean(steps), math.sqrt(SAMPLES_A_YEAR)
    found = metrics.summary(curve(*levels), np.zeros(0), CAPITAL, 1, 4, 200.0)
    if len(set(np.round(steps, 9))) > 1:
        assert found["sharpe"] == pytest.approx(mean / statistics.stdev(steps) * year, abs=1e-6)
        assert found["volatility"] == pytest.approx(statistics.stdev([step / CAPITAL for step in steps]) * year)
    losses = math.sqrt(sum(step**2 for step in steps if step < 0) / len(steps))
    if losses:
        assert found["sortino"] == pytest.approx(mean / losses * year, abs=1e-6)
    else:
        assert found["sortino"] is None
    deepest, peak = 0.0, 0.0
    for level in levels:
        peak = max(peak, level)
        deepest = max(deepest, peak - level)
    assert found["max_drawdown_value"] == pytest.approx(deepest)
    assert found["max_drawdown"] == pytest.approx(deepest / CAPITAL)
    yearly = levels[-1] / CAPITAL * 365 * 86_400 / (10 * len(steps))
    assert found["annualised_return"] == pytest.approx(yearly)
    if deepest:
        assert found["calmar"] == pytest.approx(yearly / (deepest / CAPITAL))


def test_figures_equal_the_reference_simulators() -> None:
    pytest.importorskip("hftbacktest")
    from hftbacktest.stats import LinearAssetRecord
    from hftbacktest.stats import metrics as theirs

    rng = np.random.default_rng(7)
    n = 500
    position = np.r_[0.0, np.cumsum(rng.integers(-2, 3, n - 2) * 0.01), 0.0]
    price = np.round(60_000 + np.cumsum(rng.normal(0, 5, n)), 1)
    traded = np.abs(np.diff(position, prepend=0.0))
    balance = -np.cumsum(np.diff(position, prepend=0.0) * price)
    fee, turnover, trades = 2e-4 * np.cumsum(traded * price), np.cumsum(traded * price), np.cumsum(traded > 0)
    time_ns = MONDAY + SAMPLE_NS * np.arange(n)
    record = np.rec.fromarrays(
        [time_ns, price, position, balance, fee, trades, np.cumsum(traded), turnover],
        names="timestamp,price,position,balance,fee,num_trades,trading_volume,trading_value",
    )
    wanted = [
        theirs.SR("sharpe", trading_days_per_year=365), theirs.Sortino("sortino", trading_days_per_year=365),
        theirs.Ret("total_return", book_size=CAPITAL),
        theirs.AnnualRet("annualised_return", trading_days_per_year=365, book_size=CAPITAL),
        theirs.MaxDrawdown("max_drawdown", book_size=CAPITAL), theirs.DailyNumberOfTrades("trades_a_day"),
        theirs.ReturnOverTrade("return_over_trade"), theirs.MaxLeverage("max_leverage", book_size=CAPITAL),
        theirs.TradingValue("turnover_of_capital", book_size=CAPITAL),
        theirs.DailyTradingValue("turnover_of_capital_a_day", book_size=CAPITAL),
        theirs.MedianPositionValue("median_leverage"),
    ]  # fmt: skip
    reference = LinearAssetRecord(record).resample("10s").stats(wanted).splits[-1]
    table = {"time_ns": time_ns, "equity": balance + position * price - fee, "notional": np.abs(position) * price}
    ours = metrics.summary(chained([table]), np.zeros(0), CAPITAL, 1, int(trades[-1]), float(turnover[-1]))
    reference["median_leverage"] /= CAPITAL
    assert {name: ours[name] for name in reference if name in ours} == pytest.approx(
        {name: value for name, value in reference.items() if name in ours}, rel=1e-9
    )
    assert len([name for name in reference if name in ours]) == len(wanted)


def test_what_is_not_defined_is_none_and_never_infinite() -> None:
    for levels in ([], [0.0], [0.0, 0.0, 0.0], [0.0, 0.1, 0.2, 0.30000000000000004]):
        found = metrics.summary(curve(*levels), np.zeros(0), CAPITAL, 1, 0, 0.0)
        assert found["sharpe"] is None
        assert found["sortino"] is None
        assert found["calmar"] is None
        assert found["profit_factor"] is found["win_rate"] is found["return_over_trade"] is None
        assert all(math.isfinite(value) for value in found.values() if isinstance(value, float))
    assert metrics.summary(curve(0.0), np.zeros(0), CAPITAL, 1, 5, 1.0)["trades_a_day"] is None


def test_the_drawdown_says_from_when_to_when() -> None:
    fall = metrics.max_drawdown(*curve(0.0, 5.0, 5.0, 1.0, 3.0, 9.0, 7.0)[:2])
    assert fall == (4.0, MONDAY + 2 * SAMPLE_NS, MONDAY + 3 * SAMPLE_NS)
    assert metrics.max_drawdown(*curve(0.0, 1.0)[:2]) == (0.0, None, None)
    assert metrics.max_drawdown(*curve(-1.0, -3.0)[:2]) == (3.0, MONDAY, MONDAY + SAMPLE_NS)


def test_days_that_start_flat_add_up_and_the_night_is_no_step() -> None:
    whole = chained([day([0.0, 1.0, 3.0]), day([0.0, -1.0], MONDAY + 3 * DAY_NS)])
    assert whole.equity.tolist() == [0.0, 1.0, 3.0, 3.0, 2.0]
    assert whole.steps.tolist() == [1.0, 2.0, -1.0]
    assert whole.span_s == 30.0
    assert whole.profit == 2.0


def test_a_carried_position_earns_over_night() -> None:
    whole = chained([day([0.0, 1.0]), day([4.0, 5.0], MONDAY + DAY_NS)], carried=True)
    assert whole.equity.tolist() == [0.0, 1.0, 4.0, 5.0]
    assert whole.steps.tolist() == [1.0, 3.0, 1.0]


def test_instruments_sampled_at_other_instants_stand_together() -> None:
    left, right = day([0.0, 1.0, 2.0]), day([0.0, 10.0], MONDAY + SAMPLE_NS + 3_000_000_000, notional=7.0)
    both = together([chained([left]), chained([right])])
    assert both.time_ns.tolist() == [MONDAY, MONDAY + SAMPLE_NS, MONDAY + 2 * SAMPLE_NS]
    assert both.equity.tolist() == [0.0, 1.0, 12.0]
    assert both.notional.tolist() == [0.0, 7.0, 7.0]


def test_a_sample_at_midnight_belongs_to_the_day_it_ends() -> None:
    one = day([0.0, 1.0], MONDAY + DAY_NS - SAMPLE_NS)
    assert chained([one]).time_ns.tolist() == [MONDAY + DAY_NS - SAMPLE_NS]
    assert chained([one]).profit == 1.0


@given(st.lists(st.lists(money, min_size=1, max_size=6), min_size=1, max_size=4), st.integers(0, 9))
def test_profit_is_the_sum_of_the_days_and_instruments(days: list[list[float]], offset_s: int) -> None:
    tables = [day([0.0, *levels], MONDAY + k * DAY_NS) for k, levels in enumerate(days)]
    other = [day([0.0, *levels], MONDAY + k * DAY_NS + offset_s * 10**9) for k, levels in enumerate(days)]
    both = together([chained(tables), chained(other)])
    assert both.profit == pytest.approx(2 * sum(levels[-1] for levels in days))
    assert float(both.steps.sum()) == pytest.approx(both.profit)


Fill = tuple[int, float, int, float]


def trips(*fills: Fill) -> list[float | None]:
    side, price, lots, fee = (np.array(column) for column in zip(*fills, strict=True))
    return [None if math.isnan(one) else round(one, 9) for one in round_trips(side, price, lots, fee, 0.5).tolist()]


def test_a_round_trip_is_a_closing_piece_at_average_cost_after_both_fees() -> None:
    assert trips((1, 100.0, 2, 0.2), (2, 110.0, 2, 0.1)) == [None, 9.7]
    assert trips((1, 100.0, 2, 0.0), (1, 104.0, 2, 0.0), (2, 103.0, 1, 0.0), (2, 101.0, 3, 0.0)) == [None, None, 0.5, -1.5]
    assert trips((2, 100.0, 2, 0.4), (1, 90.0, 6, 0.6), (2, 91.0, 4, 0.0)) == [None, 9.4, 1.6]


fees = st.integers(-1000, 1000).map(lambda fee: fee / 1000)
fill = st.tuples(st.sampled_from([1, 2]), st.integers(90, 110).map(float), st.integers(1, 5), fees)


@given(st.lists(fill, min_size=1, max_size=30))
def test_round_trips_of_a_closed_position_are_all_its_cash(fills: list[Fill]) -> None:
    held = sum(lots if side == 1 else -lots for side, _, lots, _ in fills)
    if held:
        fills.append((2 if held > 0 else 1, 100.0, abs(held), 0.25))
    side, price, lots, fee = (np.array(column) for column in zip(*fills, strict=True))
    cash = sum((-1 if one == 1 else 1) * at * size * 0.5 - cost for one, at, size, cost in fills)
    assert float(np.nansum(round_trips(side, price, lots, fee, 0.5))) == pytest.approx(cash, abs=1e-8)


def test_win_rate_and_profit_factor_are_of_round_trips() -> None:
    made = np.array([3.0, -1.0, 0.0, 1.0])
    assert win_rate(made) == 0.5
    assert profit_factor(made) == 4.0
    assert profit_factor(np.array([1.0])) is None
    assert win_rate(np.zeros(0)) is None


def test_the_spread_captured_is_signed_and_zero_without_a_mid() -> None:
    side, price, mid = np.array([1, 2, 1, 1]), np.array([99.0, 101.0, 101.0, 99.0]), np.array([100.0, 100.0, 100.0, np.nan])
    assert captured(side, price, np.full(4, 2.0), mid).tolist() == [2.0, 2.0, -2.0, 0.0]
