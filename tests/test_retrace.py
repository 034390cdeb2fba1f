"""Retracing a tape: what repeats is equal however a host writes its turns, and a difference is named with its cause."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from core.difference import Count, Difference
from core.gateway import Gateway
from core.message import Command, Heartbeat, Message, News, Tick, Timer
from core.node import Node, Outbox
from core.retrace import Retrace, retrace
from core.tape import digested, handed, read, refused, sent, took
from tests.test_tape import STORY, order, recorded


class Told:
    """A node that sends, for each message that it takes, what a table says for the message's time."""

    def __init__(self, name: str, table: dict[int, list[Message]]) -> None:
        self.name, self.table = name, table

    def bind(self, outbox: Outbox) -> None:
        self.outbox = outbox

    def on(self, now: int, message: Message) -> None:
        for one in self.table.get(now, []):
            self.outbox.send(one)


class Market(Told):
    """The same for frames."""

    def on_frame(self, now: int, received: int, frame: bytes) -> None:
        self.on(now, Heartbeat())


class Failing(Told):
    """One that fails at a time."""

    def on(self, now: int, message: Message) -> None:
        super().on(now, message)
        if now == 3:
            raise ZeroDivisionError("by nought")


TICKS = [Tick("BTCUSDT", now=now) for now in range(9)]
TOOK, NEWS = Heartbeat(), News(headline="look")


def way(nodes: Iterable[Node], tape: list[bytes], cut: bool = False) -> tuple[list[Difference], dict[str, Count]]:
    """Every difference, and the counts."""
    trace = Retrace({node.name: node for node in nodes}, {"mm"})
    found = [one for line in read(tape) for one in trace.feed(line)]
    return [*found, *trace.end(cut)], trace.counts


def mm(table: dict[int, list[Message]], kind: Callable[[str, dict[int, list[Message]]], Told] = Told) -> list[Node]:
    return [kind("mm", table)]


def test_a_tape_that_repeats_shows_no_difference() -> None:
    _, tape = recorded(STORY)
    assert list(retrace({"gateway:BTCUSDT": Gateway("BTCUSDT")}, tape)) == []


def test_an_input_that_is_missing_shows_as_the_first_difference_that_it_makes_with_its_cause() -> None:
    _, tape = recorded(STORY)
    first = next(iter(retrace({"gateway:BTCUSDT": Gateway("BTCUSDT")}, tape[2:])))
    assert first.number == 3
    assert first.then == STORY[2][1]
    assert first.caused_by is not None
    assert (first.caused_by.now, first.caused_by.message) == STORY[2]
    assert "sends OrderCancelReject" in str(first)


def test_something_sent_that_was_not_sent_then_is_a_difference() -> None:
    _, tape = recorded(STORY)
    differences = list(retrace({"gateway:BTCUSDT": Gateway("BTCUSDT")}, tape[:1]))
    assert [one.again for one in differences] == [order("a")]
    assert differences[0].then is None


def test_the_order_in_which_a_node_sends_is_compared() -> None:
    tape = [took(1, "mm", TOOK), sent(1, "mm", NEWS), refused(1, "mm", order("b")), sent(1, "mm", order("a"))]
    assert way(mm({1: [NEWS, order("b"), order("a")]}), tape) == ([], {"mm": Count(1, 3)})
    assert way(mm({1: [NEWS, order("a"), order("b")]}), tape)[1]["mm"].differences == 2


def test_a_normalizers_request_stands_before_its_frame_and_its_ticks_behind() -> None:
    table: dict[int, list[Message]] = {1: [Command(verb="snapshot"), TICKS[1]], 2: [TICKS[2]]}
    tape = [
        took(0, "mm", TOOK),
        sent(1, "normalizer:B", Command(verb="snapshot")),
        handed(1, "normalizer:B", 1, b"x"), digested(1, "normalizer:B", TICKS[1]),
        handed(2, "normalizer:B", 2, b"x"), digested(2, "normalizer:B", TICKS[2]),
    ]  # fmt: skip
    assert way([Market("normalizer:B", table)], tape)[0] == []
    wrong = [*tape[:-1], digested(2, "normalizer:B", TICKS[3])]
    (found,), _ = way([Market("normalizer:B", table)], wrong)
    assert isinstance(found.then, bytes)
    assert found.again == TICKS[2]
    assert found.caused_by is not None
    assert found.caused_by[1:] == (2, b"x")


def test_one_message_more_is_one_difference_and_the_rest_of_its_turn_is_equal() -> None:
    tape = [took(1, "mm", TOOK), *(sent(1, "mm", order(name)) for name in "abc")]
    found, _ = way(mm({1: [order("x"), *map(order, "abc")]}), tape)
    assert [(one.then, one.again) for one in found] == [(None, order("x"))]


def test_what_is_sent_later_than_it_was_is_two_differences() -> None:
    tape = [took(1, "mm", TOOK), took(2, "mm", TOOK), sent(2, "mm", order("a"))]
    found, _ = way(mm({1: [order("a")]}), tape)
    assert [(one.then, one.again) for one in found] == [(None, order("a")), (order("a"), None)]


def test_a_strategy_that_failed_then_fails_again_and_that_is_equal() -> None:
    table: dict[int, list[Message]] = {3: [order("a")]}
    away = Command(now=3, strategy="mm", verb="disconnected")
    tape = [took(3, "mm", TOOK), sent(3, "mm", away), took(4, "other", TOOK)]
    found, counts = way(mm(table, Failing), tape)
    assert found == []
    assert counts["mm"].failure == "ZeroDivisionError: by nought"
    (difference,), _ = way(mm(table), tape)
    assert (difference.then, difference.again) == (away, order("a"))


def test_one_that_fails_only_now_is_a_difference_with_the_exception_and_goes_on_no_more() -> None:
    tape = [took(3, "mm", TOOK), sent(3, "mm", order("a")), took(4, "mm", TOOK), sent(4, "mm", order("b"))]
    found, counts = way(mm({3: [order("a")], 4: [order("b")]}, Failing), tape)
    assert [(one.then, one.failure) for one in found] == [
        (order("a"), "ZeroDivisionError: by nought"), (order("b"), "ZeroDivisionError: by nought"),
    ]  # fmt: skip
    assert counts["mm"].inputs == 2


def test_what_a_cut_off_turn_did_not_write_is_no_difference_and_what_it_wrote_is_compared() -> None:
    table: dict[int, list[Message]] = {1: [order("a"), order("b")], 2: [order("c")]}
    tape = [took(1, "risk", TOOK), sent(1, "risk", order("a"))]
    found, counts = way([Told("risk", table)], tape, cut=True)
    assert (found, counts["risk"].unwritten) == ([], 1)
    assert len(way([Told("risk", table)], tape)[0]) == 1
    assert len(way([Told("risk", table)], [tape[0], sent(1, "risk", order("x"))], cut=True)[0]) == 2


def test_a_later_life_goes_on_with_the_same_nodes_and_forgives_the_turn_that_was_cut_off() -> None:
    table: dict[int, list[Message]] = {1: [order("a")], 2: [order("b")]}
    tape = [took(0, "", TOOK), took(1, "risk", TOOK), took(1, "", TOOK), took(2, "risk", TOOK), sent(2, "risk", order("b"))]
    found, counts = way([Told("risk", table)], tape)
    assert (found, counts["risk"]) == ([], Count(2, 1, 0, 1))


def test_a_request_whose_frame_was_not_written_any_more_is_forgiven_at_the_end_alone() -> None:
    ask = sent(1, "normalizer:B", Command(verb="snapshot"))
    assert way([Market("normalizer:B", {})], [ask])[0] == []
    later = [ask, handed(2, "normalizer:B", 2, b"x"), took(3, "mm", TOOK)]
    assert len(way([Market("normalizer:B", {})], later)[0]) == 1


class Waking(Told):
    """One that asks for a wake a second after each message."""

    def on(self, now: int, message: Message) -> None:
        self.outbox.wake(now + SECOND, "look")


SECOND = 1_000_000_000


def wake(due: int, key: str = "look") -> bytes:
    return took(due + 5, "mm", Timer(due=due, key=key))


def wakes(tape: list[bytes]) -> list[str]:
    trace = Retrace({"mm": Waking("mm", {})}, {"mm"}, {"recover"})
    return [one.wake for one in [*(one for line in read(tape) for one in trace.feed(line)), *trace.end()]]


def test_wakes_that_a_node_asks_for_are_those_that_came() -> None:
    asked = [took(0, "mm", TOOK), wake(SECOND)]
    assert wakes(asked) == []
    assert wakes([*asked, took(7, "mm", Timer(due=7, key="recover"))]) == []
    assert wakes([*asked, wake(3 * SECOND)]) == ["takes the wake 'look', for which it does not ask now"]
    never = wakes([took(0, "mm", TOOK), took(3 * SECOND, "mm", TOOK)])
    assert never == ["asks for a wake 'look' at 1000000000, which did not come"]


def test_wakes_of_a_process_that_died_are_not_waited_for() -> None:
    tape = [took(0, "mm", TOOK), took(SECOND, "", TOOK), took(9 * SECOND, "mm", TOOK)]
    assert wakes(tape) == []
