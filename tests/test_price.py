"""Grid arithmetic: exact or an error, and rounding that says where it goes."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import price
from core.price import BUY, SELL, GridError, steps, text


def test_a_price_on_the_grid_is_a_whole_number_of_ticks() -> None:
    assert steps("63947.40", Decimal("0.1")) == 639474


def test_a_price_between_two_ticks_is_an_error_that_names_it() -> None:
    with pytest.raises(GridError, match=r"63947\.45 is not a multiple of 0\.1"):
        steps("63947.45", Decimal("0.1"))


@pytest.mark.parametrize("word", ["", "abc", "NaN", "Infinity", None])
def test_what_is_not_a_number_is_an_error(word: str) -> None:
    with pytest.raises(GridError):
        steps(word, Decimal("0.1"))


def test_directions_are_towards_what_their_names_say() -> None:
    grid = Decimal("0.5")
    assert [steps("-0.6", grid, way) for way in ("down", "up", "nearest")] == [-2, -1, -1]
    assert [steps("0.25", grid, way) for way in ("down", "up", "nearest")] == [0, 1, 1]


def test_nearest_rounds_halves_away_from_zero_where_numpy_rounds_to_even() -> None:
    assert [price.nearest(value) for value in (0.5, 1.5, 2.5, -0.5, -2.5, 2.4999)] == [1, 2, 3, -1, -3, 2]


def test_passive_and_aggressive_follow_the_side() -> None:
    assert (price.passive(10.4, BUY), price.passive(10.4, SELL)) == (10, 11)
    assert (price.aggressive(10.4, BUY), price.aggressive(10.4, SELL)) == (11, 10)
    assert price.opposite(BUY) == SELL
    assert (price.sign(BUY), price.sign(SELL)) == (1, -1)


@given(st.integers(-(10**12), 10**12), st.sampled_from(["0.1", "0.01", "1", "0.00000001", "0.5", "25"]))
def test_text_and_back_is_the_same_number_of_steps(count: int, grid: str) -> None:
    assert steps(text(count, Decimal(grid)), Decimal(grid)) == count


@given(st.decimals("-1e9", "1e9", places=6), st.sampled_from(["0.1", "0.01", "0.5"]))
def test_down_and_up_enclose_the_price(value: Decimal, grid: str) -> None:
    step = Decimal(grid)
    low, high = steps(value, step, "down"), steps(value, step, "up")
    assert low * step <= value <= high * step
    assert high - low <= 1
