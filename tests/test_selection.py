"""What the best of many sets is worth: each measure on tables whose answer is known, and on noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.study.selection import (
    above_median,
    best_mean,
    day_correlation,
    held_out,
    idle_axes,
    mean_correlation,
    neighbours,
    percentiles,
    shuffled_best,
)

tables = st.tuples(st.integers(1, 12), st.integers(1, 8), st.integers(0, 10**6)).map(
    lambda one: np.random.default_rng(one[2]).integers(-5, 5, one[:2]).astype(float)
)
LASTING = np.arange(10.0)[:, None] + np.array([0.0, 100.0, -3.0, 7.0])


@given(tables)
def test_standings_are_shares_whose_mean_is_a_half_and_larger_is_higher(values: np.ndarray) -> None:
    found = percentiles(values)
    assert found.min() >= 0
    assert found.max() <= 1
    assert found.mean(axis=0) == pytest.approx(0.5)
    for day in range(values.shape[1]):
        assert (np.diff(found[np.argsort(values[:, day], kind="stable"), day]) >= 0).all()


@given(tables)
def test_correlations_are_of_each_pair_and_between_minus_one_and_one(values: np.ndarray) -> None:
    found = day_correlation(values)
    known = found[~np.isnan(found)]
    assert (np.abs(known) <= 1 + 1e-9).all()
    assert np.array_equal(found, found.T, equal_nan=True)


def test_an_order_that_lasts_correlates_and_is_found_again_on_the_day_left_out() -> None:
    assert mean_correlation(LASTING) == pytest.approx(1)
    assert mean_correlation(np.column_stack([LASTING[:, 0], -LASTING[:, 0]])) == pytest.approx(-1)
    assert held_out(LASTING) == pytest.approx(1)
    assert above_median(LASTING) == pytest.approx([0] * 5 + [1] * 5)


def test_one_day_and_equal_sets_say_nothing() -> None:
    assert mean_correlation(LASTING[:, :1]) is None
    assert mean_correlation(np.zeros((4, 3))) is None
    assert len(held_out(LASTING[:, :1])) == 0
    assert held_out(np.zeros((4, 3))) == pytest.approx(0.5)


def test_on_noise_the_choice_made_on_other_days_stands_half_way() -> None:
    rng = np.random.default_rng(1)
    found = [held_out(rng.normal(size=(20, 5))).mean() for _ in range(200)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)


def test_shuffled_sets_reach_the_best_of_noise_but_not_of_an_order_that_lasts() -> None:
    rng = np.random.default_rng(2)

    def chance(values: np.ndarray) -> float:
        return float(np.mean([shuffled_best(values, rng.random(values.shape)) >= best_mean(values) for _ in range(200)]))

    assert chance(LASTING) < 0.02
    assert np.mean([chance(rng.normal(size=(12, 5))) for _ in range(30)]) == pytest.approx(0.5, abs=0.15)
    assert chance(LASTING[:, :1]) == 1


@given(tables)
def test_a_shuffle_moves_sets_within_their_day_only(values: np.ndarray) -> None:
    draws = np.random.default_rng(0).random(values.shape)
    assert shuffled_best(values, draws) <= values.max(axis=0).mean() + 1e-9
    assert shuffled_best(values, draws) >= values.mean() - 1e-9


def test_neighbours_are_one_step_along_one_ordered_axis() -> None:
    places = [(a, b) for a in range(3) for b in range(2)]
    assert neighbours(places, [True, True])[places.index((1, 0))] == [
        places.index((0, 0)),
        places.index((2, 0)),
        places.index((1, 1)),
    ]
    assert neighbours(places, [True, False])[places.index((0, 1))] == [places.index((1, 1))]


def test_a_key_that_changes_nothing_is_idle() -> None:
    places = [(a, b) for a in range(2) for b in range(2)]
    assert idle_axes(places, ["x", "x", "y", "y"]) == [False, True]
    assert idle_axes(places, ["x", "y", "z", "x"]) == [False, False]
    assert idle_axes([(0, 0), (0, 1)], ["x", "y"]) == [False, False]
