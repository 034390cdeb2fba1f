"""A grid's texts: values, ranges, their order, every combination; what is wrong names the key, the word or the set."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import Exit, UserError
from actors.grid import axes, parameter_sets, worlds
from tests.days import graph


def test_a_range_has_both_ends_and_no_rounding() -> None:
    (axis,) = axes(["strategy.gamma=0.1:0.5:0.1"])
    assert axis.written == ("0.1", "0.2", "0.3", "0.4", "0.5")
    assert axis.values == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert axes(["strategy.gamma=1:10:4"])[0].values == (1, 5, 9)
    assert axes(["strategy.gamma=-1:1:1,3"])[0].values == (-1, 0, 1, 3)


def test_numbers_are_put_in_order_and_words_are_not() -> None:
    number, word, flag = axes(["strategy.a=3,1,2.5", "queue.model=risk,log,back", "queue.partial_fills=true,false"])
    assert (number.values, number.ordered, number.parameter) == ((1, 2.5, 3), True, "a")
    assert (word.values, word.ordered, word.parameter) == (("risk", "log", "back"), False, "")
    assert (flag.values, flag.ordered) == ((True, False), False)


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ([], "at least one --set-grid"),
        (["strategy.gamma"], "key=value,value,..."),
        (["=1,2"], "key=value,value,..."),
        (["a=1,,2"], "a value is missing between two commas"),
        (["a=1,1.0"], "1 is there twice"),
        (["a=1", "a=2"], "--set-grid a is there twice"),
        (["a=3:1:1"], "first:last:step, upwards"),
        (["a=0:1:0"], "first:last:step, upwards"),
        (["a=0:1:0.00001"], "100,001 values"),
        (["instruments=BTCUSDT,ETHUSDT"], "--instruments names them"),
        (["strategy.use=a.py:A,b.py:B"], "sweep one strategy"),
    ],
)
def test_what_is_no_grid_is_said(texts: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says.replace(".", r"\.")) as caught:
        axes(texts)
    assert caught.value.exit_code == Exit.CONFIGURATION


def sets(folder: Path, *texts: str, overrides: tuple[str, ...] = ()):
    along = axes(texts)
    return parameter_sets(graph(folder), overrides, along), along


def test_every_combination_is_a_set_numbered_from_one(tmp_path: Path) -> None:
    found, along = sets(tmp_path, "strategy.order_qty=0.01,0.02", "queue.model=risk,log,back")
    assert [one.number for one in found] == [1, 2, 3, 4, 5, 6]
    assert [one.place for one in found] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert found[4].label == "strategy.order_qty=0.02 queue.model=log"
    assert (found[4].plan.graph.queue.model, found[4].plan.graph.strategy["order_qty"]) == ("log", 0.02)
    assert [[one.number for one in part] for part in worlds(found, along)] == [[1, 4], [2, 5], [3, 6]]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_there_are_as_many_sets_as_combinations_and_all_differ(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int]
) -> None:
    keys = ("strategy.order_qty", "latency.order_entry_us", "fees.maker")[: len(counts)]
    texts = [f"{key}={','.join(str(k + 1) for k in range(n))}" for key, n in zip(keys, counts, strict=True)]
    found, _ = sets(tmp_path_factory.getbasetemp() / "grid", *texts)
    assert len({one.label for one in found}) == len(found) == math.prod(counts)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("strategy.order_qtty=1,2", "did you mean 'order_qty'?"),
        ("queue.modle=risk,log", "did you mean 'model'?"),
        ("limts.position=1,2", "did you mean 'limits'?"),
        ("queue.model=risk,logg", "set 2 (queue.model=logg): "),
        ("strategy.order_qty=0.01,much", "set 2 (strategy.order_qty=much): "),
        ("latency.order_entry_us=-5,5", "set 1 (latency.order_entry_us=-5): "),
    ],
)
def test_a_wrong_key_names_the_nearest_and_a_wrong_value_its_set(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UserError) as caught:
        sets(tmp_path, text)
    assert says in str(caught.value)
    assert caught.value.exit_code == Exit.CONFIGURATION


def test_a_key_is_either_set_or_varied(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="both in --set and in --set-grid"):
        sets(tmp_path, "strategy.order_qty=1,2", overrides=("strategy.order_qty=3",))
