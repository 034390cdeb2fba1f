"""Streaming indicators against slow plain twins that look at the whole window each time."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernel.indicators import (
    FLOW,
    LEVELS,
    SAMPLES,
    depth_reached,
    flow_intensity,
    flow_put,
    flow_sigma,
    moments,
    realized,
    rolling,
    rolling_realized,
)

SECOND = 1_000_000_000
Sample = tuple[int, int, int]


def fed(samples: list[Sample], window_ns: int) -> np.void:
    """A flow after samples of (span, change in half ticks, reach), each right after the one before."""
    flow, now = np.zeros(1, FLOW)[0], 0
    for span, change, reach in samples:
        now += span
        flow_put(flow, now, span, change, reach, window_ns)
    return flow


def plain_window(samples: list[Sample], window_ns: int) -> list[Sample]:
    """The samples younger than the window at the time of the last one."""
    ages = np.cumsum([0, *(span for span, _, _ in reversed(samples))])[:-1]
    return [one for one, age in zip(reversed(samples), ages, strict=True) if age < window_ns][::-1]


def plain_intensity(samples: list[Sample], levels: int) -> tuple[float, float]:
    """A and k by numpy's polynomial fit of log λ."""
    seconds = sum(span for span, _, _ in samples) / SECOND
    counts = [sum(reach > level for _, _, reach in samples) for level in range(levels)]
    points = [(level + 0.5, math.log(count / seconds)) for level, count in enumerate(counts) if count]
    if len(points) < 2 or points[0][1] == points[-1][1]:
        return 0.0, 0.0
    slope, height = np.polyfit(*zip(*points, strict=True), 1)
    return math.exp(height), -slope


SAMPLE = st.tuples(st.integers(1, 3 * SECOND), st.integers(-50, 50), st.integers(0, LEVELS))


@settings(deadline=None)
@given(st.lists(SAMPLE, min_size=1, max_size=60), st.integers(2, LEVELS), st.integers(1, 30))
def test_the_flow_is_that_of_the_window_however_long_it_ran(samples: list[Sample], levels: int, window_s: int) -> None:
    flow = fed(samples, window_s * SECOND)
    kept = plain_window(samples, window_s * SECOND)
    changes = np.array([change for _, change, _ in kept]) / 2.0
    seconds = sum(span for span, _, _ in kept) / SECOND
    assert flow["count"] == len(kept)
    assert flow["span_sum"] == sum(span for span, _, _ in kept)
    assert flow["reached"].sum() == len(kept)
    assert flow_sigma(flow) == pytest.approx(changes.std() * math.sqrt(len(kept) / seconds), rel=1e-9, abs=1e-9)
    assert flow_intensity(flow, levels) == pytest.approx(plain_intensity(kept, levels), rel=1e-6, abs=1e-9)


def test_an_exponential_flow_gives_back_its_own_numbers() -> None:
    generator = np.random.default_rng(7)
    depth = generator.exponential(1 / 0.2, 8000)
    flow = fed([(SECOND // 10, 0, min(int(one + 0.5), LEVELS)) for one in depth], 10**6 * SECOND)
    a, k = flow_intensity(flow, 20)
    assert a == pytest.approx(10.0, rel=0.1)
    assert k == pytest.approx(0.2, rel=0.05)


def test_the_fit_on_three_levels_by_hand() -> None:
    """Reaches 1, 2, 2, 3 in four seconds: 1, 0.75 and 0.25 a second at 0.5, 1.5 and 2.5 ticks."""
    flow = fed([(SECOND, 0, reach) for reach in (1, 2, 2, 3)], 100 * SECOND)
    a, k = flow_intensity(flow, 40)
    assert k == pytest.approx(math.log(4) / 2)
    assert a == pytest.approx((0.75 * 0.25) ** (1 / 3) * math.exp(1.5 * k))


def test_nothing_traded_a_single_level_and_a_flat_intensity_give_no_fit() -> None:
    assert flow_intensity(np.zeros(1, FLOW)[0], 40) == (0.0, 0.0)
    assert flow_intensity(fed([(SECOND, 3, 0)] * 9, 100 * SECOND), 40) == (0.0, 0.0)
    assert flow_intensity(fed([(SECOND, 3, 1)] * 9, 100 * SECOND), 40) == (0.0, 0.0)
    assert flow_intensity(fed([(SECOND, 3, 50)] * 9, 100 * SECOND), 40) == (0.0, 0.0)


def test_a_mid_that_stands_or_drifts_evenly_has_no_volatility() -> None:
    assert flow_sigma(np.zeros(1, FLOW)[0]) == 0.0
    assert flow_sigma(fed([(SECOND, 0, 0)] * 5, 100 * SECOND)) == 0.0
    assert flow_sigma(fed([(SECOND, 4, 0)] * 5, 100 * SECOND)) == 0.0
    assert flow_sigma(fed([(SECOND // 4, one, 0) for one in (2, -2, 2, -2)], 100 * SECOND)) == pytest.approx(2.0)


def test_a_full_ring_forgets_its_oldest() -> None:
    flow = fed([(1, 1, 5)] * 10 + [(1, 2, 7)] * SAMPLES, 10**9)
    assert flow["count"] == SAMPLES
    assert flow["reached"][5] == 0
    assert flow["change_sum"] == 2 * SAMPLES


@pytest.mark.parametrize(
    ("buy_high", "sell_low", "mid_twice", "levels"),
    [
        (0, 0, 201, 0),
        (101, 0, 201, 0),  # at the best ask, half a tick from the mid: went through no level
        (102, 0, 201, 1),
        (102, 0, 200, 2),
        (101, 0, 200, 1),
        (0, 100, 201, 0),
        (0, 97, 201, 3),
        (103, 97, 201, 3),
        (99, 103, 201, 0),  # the near side of a mid that has moved since
        (99_999, 0, 201, LEVELS),
    ],
)
def test_how_deep_trades_reach(buy_high: int, sell_low: int, mid_twice: int, levels: int) -> None:
    assert depth_reached(buy_high, sell_low, mid_twice) == levels
    through = [i for i in range(LEVELS) if buy_high and buy_high > mid_twice / 2 + i + 0.5]
    below = [i for i in range(LEVELS) if sell_low and sell_low < mid_twice / 2 - i - 0.5]
    assert levels == max(len(through), len(below))


@settings(deadline=None)
@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=40), st.integers(1, 25))
def test_bands_are_numpys_mean_and_deviation_of_each_window(values: list[int], period: int) -> None:
    prices = np.array(values, np.float64)
    means, deviations = rolling(prices, period)
    for i in range(len(prices)):
        window = prices[i - period + 1 : i + 1] if i >= period - 1 else None
        assert math.isnan(means[i]) if window is None else means[i] == pytest.approx(window.mean())
        assert math.isnan(deviations[i]) if window is None else deviations[i] == pytest.approx(window.std(), abs=1e-6)
    assert moments(prices) == pytest.approx((prices.mean(), prices.std()), abs=1e-6)


def test_realized_volatility_is_the_root_of_the_summed_squares() -> None:
    prices = np.array([100.0, 101.0, 99.0, 99.0, 102.0])
    returns = np.diff(np.log(prices))
    assert realized(returns) == pytest.approx(math.sqrt((returns**2).sum()))
    out = rolling_realized(prices, 3)
    assert np.isnan(out[:3]).all()
    assert out[3:] == pytest.approx([math.sqrt((returns[i : i + 3] ** 2).sum()) for i in range(2)])
