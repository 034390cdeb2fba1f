"""The simulated schedule beside the model of growth: each day counted once, never faster than possible, losses bounded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.cluster.dispatch import LOSSES, WORD_S
from bench.scale_limits import FULL, HEAD, backtests, full_at, live, table, words_of
from bench.scale_schedule import Campaign, Costs, Day, Fleet, Schedule, alone, longest_first, rates

LENGTHS = st.lists(st.floats(1.0, 500.0), min_size=1, max_size=60)
FLEETS = st.builds(
    Fleet,
    nodes=st.integers(1, 6),
    slots=st.integers(1, 5),
    slow_share=st.sampled_from([0.0, 0.3]),
    slow_by=st.just(1.5),
    losses_hour=st.sampled_from([0.0, 0.5, 20.0]),
    notice_s=st.floats(0.0, 60.0),
    replaced_s=st.floats(0.0, 600.0),
)
COSTS = st.builds(
    Costs,
    head_s=st.sampled_from([0.0, 0.01, 5.0]),
    word_s=st.sampled_from([0.0, 0.001]),
    trip_s=st.sampled_from([0.0, 0.1]),
    storage_bytes_s=st.sampled_from([math.inf, 1e6]),
    link_bytes_s=st.sampled_from([math.inf, 1e5]),
)


def days_of(lengths: Sequence[float]) -> list[Day]:
    return [Day(seconds, fetch_bytes=1e6, prepare_s=seconds / 10, write_s=0.01) for seconds in lengths]


@given(LENGTHS, FLEETS, COSTS, st.integers(0, 5), st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_day_is_counted_once_or_has_failed(lengths: list[float], fleet: Fleet, costs: Costs, seed: int, warm: bool) -> None:
    days = days_of(lengths)
    home = [number % fleet.nodes for number in range(len(days))] if warm else []
    schedule = Schedule(days, fleet, costs, longest_first(days), home, seed)
    found = schedule.run()
    assert set(schedule.finished) <= {0, 1}
    assert found.done == sum(schedule.finished)
    assert found.done + found.failed == len(days)
    assert found.failed == 0 or found.again > LOSSES


@given(LENGTHS, FLEETS, COSTS, st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_no_run_is_shorter_than_its_longest_day_or_than_its_slots_allow(
    lengths: list[float], fleet: Fleet, costs: Costs, seed: int
) -> None:
    found = Schedule(days_of(lengths), fleet, costs, seed=seed).run()
    if not found.failed:
        least = max(*lengths, sum(lengths) / (fleet.nodes * fleet.slots))
        assert found.least_s == pytest.approx(least)
        assert found.makespan_s >= least * (1 - 1e-9)
        assert found.makespan_s >= len(lengths) * 2 * costs.head_s * (1 - 1e-9), "the head takes one at a time"
        assert max(found.head_busy, found.writer_busy, found.storage_busy) <= 1 + 1e-9


@given(st.integers(1, 200), st.integers(1, 5), st.integers(1, 8), st.floats(1.0, 100.0), st.sampled_from([0.0, 0.5]))
@settings(deadline=None)
def test_equal_days_on_equal_hosts_take_what_arithmetic_says(
    many: int, nodes: int, slots: int, seconds: float, trip_s: float
) -> None:
    found = Schedule([Day(seconds)] * many, Fleet(nodes, slots), Costs(trip_s=trip_s)).run()
    assert found.makespan_s == pytest.approx(math.ceil(many / (nodes * slots)) * (seconds + trip_s))
    assert (found.lost_hosts, found.again, found.failed, found.done) == (0, 0, 0, many)


@given(LENGTHS, st.integers(1, 6), st.integers(1, 5))
@settings(deadline=None)
def test_slots_that_never_wait_are_within_grahams_bound(lengths: list[float], nodes: int, slots: int) -> None:
    """R. L. Graham, Bounds on multiprocessing timing anomalies (1969): an order of any kind is within 2 - 1/m of the best."""
    days, m = [Day(seconds) for seconds in lengths], nodes * slots
    for order in ((), longest_first(days)):
        found = Schedule(days, Fleet(nodes, slots), order=order).run()
        assert found.makespan_s <= (sum(lengths) + (m - 1) * max(lengths)) / m * (1 + 1e-9)


@given(LENGTHS, st.integers(1, 6), st.integers(1, 5), st.sampled_from([0.5, 5.0, 30.0]), st.integers(0, 5))
@settings(deadline=None)
def test_a_lost_host_costs_at_most_its_running_days(
    lengths: list[float], nodes: int, slots: int, hazard: float, seed: int
) -> None:
    found = Schedule([Day(seconds) for seconds in lengths], Fleet(nodes, slots, losses_hour=hazard), seed=seed).run()
    assert found.again <= found.lost_hosts * slots
    assert found.again_s <= found.lost_hosts * slots * max(lengths)


def test_a_day_whose_host_is_always_lost_fails_after_twenty_more_tries() -> None:
    schedule = Schedule([Day(3_600.0)], Fleet(1, 1, losses_hour=1_000.0, replaced_s=1.0))
    found = schedule.run()
    assert (found.done, found.failed, found.again) == (0, 1, 1 + LOSSES)


def test_same_seed_same_run_and_other_seed_other_run() -> None:
    campaign, fleet = Campaign(20, 5, 2e6), Fleet(4, 4, slow_share=0.3, losses_hour=2.0)
    days = [Day(rows / 1e5) for rows in campaign.rows(1)]
    first, again, other = (Schedule(days, fleet, seed=seed).run() for seed in (1, 1, 2))
    assert first == again != other
    assert list(campaign.rows(1)) == list(campaign.rows(1)) != list(campaign.rows(2))


def test_days_go_to_the_hosts_that_hold_them_and_are_then_not_fetched() -> None:
    days = [Day(10.0, fetch_bytes=1e9)] * 40
    costs = Costs(storage_bytes_s=1e8)
    cold = Schedule(days, Fleet(4, 2), costs).run()
    warm = Schedule(days, Fleet(4, 2), costs, home=[number % 4 for number in range(40)]).run()
    assert warm.storage_busy == 0.0
    assert warm.makespan_s == pytest.approx(50.0)
    assert cold.makespan_s >= 40 * 10.0, "each takes ten seconds of a storage that gives to one at a time"


def test_longest_first_is_not_worse_where_one_long_day_comes_last() -> None:
    days = [Day(10.0)] * 30 + [Day(100.0)]
    plain = Schedule(days, Fleet(1, 4)).run()
    longest = Schedule(days, Fleet(1, 4), order=longest_first(days)).run()
    assert plain.makespan_s == pytest.approx(170.0)
    assert longest.makespan_s == pytest.approx(100.0)


FOUND = {
    "large_rows": 1e6, "large_rows_s": 1.5e5, "large_prepare_s": 0.3, "large_file_bytes_row": 10.0,
    "large_columns_bytes_row": 34.0,
    "large_result_bytes_row": 1.0, "large_orders_s": 1.0, "ray_task_result_ms": 3.0, "ray_word_ms": 0.2,
    "ray_wait_us_ref": 2.0, "keeper_ms": 1.0, "keeper_large_ms": 2.0, "compress_ms": 1.0, "compress_large_ms": 11.0,
    "overhead_ms": 10.0, "write_ms": 0.2, "write_large_ms": 0.4, "list_day_ms": 3.0, "flat_finish_s": 20.0, "flat_days": 1_000.0,
    "memory_prepared_private_mb": 110.0, "memory_prepared_private_mb_mrow": 50.0, "memory_preparing_private_mb": 110.0,
    "memory_preparing_private_mb_mrow": 100.0, "tick_us": 130.0, "order_us": 1_800.0, "names_10_asks_s": 4_000.0,
    "names_1000_asks_s": 600.0, "said_trade_s": 60.0, "said_rows_median_s": 800.0,
}  # fmt: skip
"""Round figures, so that the arithmetic can be followed."""


def test_a_limit_is_full_where_its_load_is_seven_tenths_of_it() -> None:
    for limit in (*backtests(FOUND), *live(FOUND)):
        assert limit.at * limit.load == pytest.approx(FULL * limit.capacity), limit.resource


def kind(row: Mapping[str, object]) -> tuple[object, ...]:
    return row["side"], row["grows with"], str(row["resource"]).startswith("if ")


def test_the_table_has_the_first_limit_of_each_kind_on_top_and_what_is_not_so_below() -> None:
    rows = table(FOUND)
    kinds = [kind(row) for row in rows]
    assert len(set(kinds)) == sum(above != below for above, below in pairwise(kinds)) + 1, "those of a kind are together"
    assert not kinds[0][-1]
    for above, below in pairwise(rows):
        if kind(above) == kind(below):
            assert float(str(above["full at"])) <= float(str(below["full at"]))


def test_the_process_that_writes_would_be_full_first_if_it_compressed() -> None:
    full = {thing: nodes for thing, _, nodes in full_at(FOUND)}
    assert full["compressing"] < full["head"] < full["writer"]
    rate = rates(FOUND)
    rows = FOUND["large_rows"]
    ours, by_one = rate.day(rows), rate.compressed_by_one.day(rows)
    assert ours.seconds - by_one.seconds == pytest.approx(rate.compress.row_ms * rows / 1_000)
    assert by_one.write_s - ours.write_s == pytest.approx(rate.compress.at(rows) / 1_000)


def test_a_day_says_a_word_each_two_seconds_and_no_more_than_it_has_slices() -> None:
    assert words_of(10.0, WORD_S) == 6.0
    assert words_of(10_000.0, WORD_S) == 200.0
    head = next(limit for limit in backtests(FOUND) if limit.resource == HEAD)
    assert head.load == pytest.approx(1.6 * (3.0 + 1.0 + 1.5 + 6 * 0.2)), "handed out and taken, kept, 1.5 million rows, words"


def test_a_result_takes_the_head_as_long_as_it_is_kept_and_fetched() -> None:
    days = [Day(1.0, keep_s=0.5)] * 40
    found = Schedule(days, Fleet(1, 40)).run()
    assert found.makespan_s == pytest.approx(1.0 + 40 * 0.5)


@pytest.mark.parametrize(("thing", "seconds", "full"), [claim for claim in full_at(FOUND) if claim[2] < 80])
def test_the_simulation_loses_its_efficiency_where_the_model_says_that_a_thing_is_full(
    thing: str, seconds: float, full: float
) -> None:
    for share, efficiency in ((0.5, 1.0), (2.0, 0.5)):
        _, _, found = alone(rates(FOUND), thing, seconds, round(full * share))
        assert found.efficiency == pytest.approx(efficiency, abs=0.1)
