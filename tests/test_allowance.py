"""What may still be asked of a venue: never more than it allows, with something left for cancels."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.allowance import MARGIN_NS, Allowance, Pool

S = 10**9
MINUTE, TEN = 60 * S, 10 * S


def account() -> Allowance:
    return Allowance([Pool("weight", 100, MINUTE), Pool("orders", 20, TEN)])


@given(
    st.lists(st.tuples(st.integers(0, 2 * S), st.integers(0, 30), st.integers(0, 3), st.booleans()), max_size=200),
    st.integers(-MARGIN_NS + 1, MARGIN_NS - 1),
)
def test_no_window_of_the_venue_ever_holds_more_than_its_limit(asked: list[tuple[int, int, int, bool]], wrong: int) -> None:
    """Though our idea of its time is wrong by up to the margin."""
    allowance, now = account(), MINUTE
    weight: Counter[int] = Counter()
    orders: Counter[int] = Counter()
    for passed, units, count, reducing in asked:
        now += passed
        if allowance.take(now, {"weight": units, "orders": count}, reducing) == 0:
            weight[(now + wrong) // MINUTE] += units
            orders[(now + wrong) // TEN] += count
    assert max(weight.values(), default=0) <= 100
    assert max(orders.values(), default=0) <= 20


@given(st.lists(st.integers(1, 20), max_size=40), st.integers(0, MINUTE))
def test_whoever_waits_as_long_as_told_is_let_out_then_or_a_window_later(costs: list[int], start: int) -> None:
    allowance, now = account(), MINUTE + start
    for units in costs:
        wait = allowance.take(now, {"weight": units})
        tries = 0
        while wait:
            assert wait > now
            now, tries = wait, tries + 1
            wait = allowance.take(now, {"weight": units})
        assert tries <= 2


def test_cancels_find_room_where_orders_no_longer_do() -> None:
    allowance = account()
    while allowance.take(MINUTE + S, {"orders": 1}) == 0:
        pass
    assert allowance.take(MINUTE + S, {"orders": 1}) == MINUTE + TEN + MARGIN_NS
    assert [allowance.take(MINUTE + S, {"orders": 1}, reducing=True) for _ in range(3)] == [0, 0, MINUTE + TEN + MARGIN_NS]


def test_a_request_that_one_pool_cannot_hold_is_charged_to_none() -> None:
    allowance = account()
    allowance.take(MINUTE + S, {"orders": 18})
    assert allowance.take(MINUTE + S, {"weight": 40, "orders": 1}) > 0
    assert allowance.pools["weight"].used == 0


def test_the_venues_higher_count_is_believed_and_its_lower_one_is_not() -> None:
    allowance = account()
    allowance.take(MINUTE + S, {"weight": 10})
    allowance.counted(MINUTE + S, "weight", 85)
    assert allowance.take(MINUTE + S, {"weight": 6}) > 0
    allowance.counted(MINUTE + S, "weight", 5)
    assert allowance.take(MINUTE + S, {"weight": 6}) > 0
    assert allowance.take(2 * MINUTE + S, {"weight": 6}) == 0


def test_after_a_refusal_only_cancels_go_out_and_after_a_ban_nothing_does() -> None:
    allowance = account()
    allowance.refused(MINUTE, 5)
    assert allowance.take(MINUTE + S, {"weight": 1}) == MINUTE + 5 * S
    assert allowance.take(MINUTE + S, {"weight": 1}, reducing=True) == 0
    allowance.refused(MINUTE + S, 120, banned=True)
    assert allowance.take(MINUTE + 2 * S, {"weight": 1}, reducing=True) == MINUTE + 121 * S
    assert allowance.take(MINUTE + 121 * S, {"weight": 1}) == 0


def test_a_request_too_dear_for_any_window_is_an_error_and_does_not_wait_for_ever() -> None:
    with pytest.raises(ValueError, match="never fits"):
        account().take(MINUTE, {"weight": 101}, reducing=True)
