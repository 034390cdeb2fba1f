"""The state machine: moves that are a table, handlers chosen by state and event type."""

import pytest

from core.machine import ANY, Machine, TransitionError
from core.message import Bar, Tick


def machine() -> Machine:
    return Machine([("flat", "long"), ("long", "flat"), ("flat", "short"), ("short", "flat")], "flat")


def test_a_move_in_the_table_is_made_and_any_other_is_a_bug() -> None:
    one = machine()
    one.to("long")
    with pytest.raises(TransitionError, match="no move from 'long' to 'short'"):
        one.to("short")
    one.to("long")
    assert one.state == "long"


def test_handlers_of_the_pair_run_in_the_order_added_and_others_do_not() -> None:
    one, seen = machine(), []
    one.add("flat", Bar, lambda event: seen.append("first"))
    one.add("flat", Bar, lambda event: seen.append("second"))
    one.add("long", Bar, lambda event: seen.append("elsewhere"))
    one.add("flat", Tick, lambda event: seen.append("other type"))
    one.add(ANY, Bar, lambda event: seen.append("any state"))
    assert one.handle(Bar()) == 3
    assert seen == ["first", "second", "any state"]


def test_a_handler_added_for_the_same_pair_while_running_waits_for_the_next_event() -> None:
    one, seen = machine(), []

    def late(event: object) -> None:
        seen.append("late")

    def first(event: object) -> None:
        seen.append("first")
        one.add("flat", Bar, late)

    one.add("flat", Bar, first)
    one.handle(Bar())
    assert seen == ["first"]
    one.handle(Bar())
    assert seen == ["first", "first", "late"]


def test_a_handler_removed_before_its_turn_is_not_called() -> None:
    one, seen = machine(), []

    def second(event: object) -> None:
        seen.append("second")

    def first(event: object) -> None:
        seen.append("first")
        one.remove("flat", Bar, second)

    one.add("flat", Bar, first)
    one.add("flat", Bar, second)
    assert one.handle(Bar()) == 1
    assert seen == ["first"]


def test_a_move_does_not_keep_the_others_of_the_old_pair_from_the_event() -> None:
    one, seen = machine(), []
    one.add("flat", Bar, lambda event: one.to("long"))
    one.add("flat", Bar, lambda event: seen.append("saw it"))
    one.add("long", Bar, lambda event: seen.append("too early"))
    one.handle(Bar())
    assert seen == ["saw it"]
    assert one.state == "long"


def test_adding_twice_is_adding_once_and_an_unknown_state_is_named() -> None:
    one = machine()

    def handler(event: object) -> None: ...

    one.add("flat", Bar, handler)
    one.add("flat", Bar, handler)
    assert one.handlers(Bar) == (handler,)
    with pytest.raises(KeyError, match="unknown state 'flatt'"):
        one.add("flatt", Bar, handler)
