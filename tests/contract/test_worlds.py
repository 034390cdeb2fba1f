"""What hosts, schedules and sessions with a venue keep to, in both worlds: the same stories, run in each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest

from actors.calendar import JOBS
from actors.emulator.running import RunningVenue
from actors.live.clock import Clock
from actors.live.host import Host
from actors.live.loop import Loop
from actors.live.schedule import Schedule as LiveSchedule
from actors.sim.heap import Heap
from actors.sim.host import SimHost
from actors.sim.schedule import Schedule as SimSchedule
from actors.sim.store import Journal
from core.mailbox import Mailbox
from core.message import ExecType, ExecutionReport, Message, NewOrderSingle, OrderCancelReject, OrderCancelRequest, Tick, Timer
from core.tape import read
from tests.test_host import Listener
from tests.test_live_host import Wire
from tests.test_live_venue import Account
from tests.test_paper import Story

MS = 1_000_000


# --- hosts


class World(Protocol):
    """A host with one strategy on it and one node beside it; what the strategy sends goes to the node."""

    strategy: Listener
    node: Listener

    def bring(self, message: Message) -> None:
        """A message for the strategy has arrived."""

    def wake(self, after: int, key: str) -> None:
        """The strategy asks for a wake, so many ns from now."""

    def pass_time(self, ns: int) -> None:
        """Let so much time pass."""

    def tape(self) -> list[tuple[str, str]]:
        """(node, way) of what was written down."""


class SimulatedWorld:
    """The simulated host."""

    def __init__(self, answer: Message | None = None) -> None:
        self.host = SimHost(0, 10**12)
        self.host.tape = Journal()
        self.strategy, self.node = Listener("strategy", answer), Listener("node")
        place = self.host.place("market")
        self.seat = self.host.add(self.strategy, place, Mailbox())
        other = self.host.add(self.node, place)
        self.seat.routes = {NewOrderSingle: lambda message: (other,)}

    def bring(self, message: Message) -> None:
        self.host.push(self.host.clock.time, 0, self.seat, message)

    def wake(self, after: int, key: str) -> None:
        self.seat.wake(self.host.clock.time + after, key)

    def pass_time(self, ns: int) -> None:
        self.host.run(self.host.clock.time + ns)

    def tape(self) -> list[tuple[str, str]]:
        assert self.host.tape is not None
        return [(line.node, line.way) for line in read(self.host.tape.entries())]


class LiveWorld:
    """The live host."""

    def __init__(self, answer: Message | None = None) -> None:
        self.kept = Journal()
        self.host = Host("market", Loop(Clock()), Wire(), self.kept, lambda news: None)
        self.strategy, self.node = Listener("strategy", answer), Listener("node")
        self.seat = self.host.add(self.strategy, Mailbox())
        other = self.host.add(self.node)
        self.seat.routes = {NewOrderSingle: lambda message: (other,)}

    def bring(self, message: Message) -> None:
        self.seat.put(message)

    def wake(self, after: int, key: str) -> None:
        self.seat.wake(self.host.clock.now() + after, key)

    def pass_time(self, ns: int) -> None:
        end = self.host.clock.now() + ns
        while self.host.clock.now() < end:
            self.host.turn(end)
        self.host.turn(0)

    def tape(self) -> list[tuple[str, str]]:
        return [(line.node, line.way) for line in read(self.kept.entries())]


WORLDS: list[Callable[..., Any]] = [SimulatedWorld, LiveWorld]


@pytest.mark.parametrize("make", WORLDS)
def test_reports_come_before_the_newest_tick_and_older_ticks_never(make: Callable[..., World]) -> None:
    world = make()
    for number in range(3):
        world.bring(Tick("BTCUSDT", update_id=number + 1))
    world.bring(ExecutionReport("BTCUSDT", cl_ord_id="a", exec_id="1"))
    world.pass_time(20 * MS)
    seen = [message for _, message in world.strategy.seen]
    assert [type(one) for one in seen] == [ExecutionReport, Tick]
    assert seen[1].update_id == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("make", WORLDS)
def test_a_wake_comes_when_it_is_due_and_not_before_and_one_that_is_past_at_once(make: Callable[..., World]) -> None:
    world = make()
    world.wake(15 * MS, "later")
    world.wake(-5 * MS, "past")
    world.pass_time(10 * MS)
    assert [message.key for _, message in world.strategy.seen] == ["past"]  # type: ignore[attr-defined]
    world.pass_time(30 * MS)
    assert [message.key for _, message in world.strategy.seen] == ["past", "later"]  # type: ignore[attr-defined]
    at, timer = world.strategy.seen[1]
    assert isinstance(timer, Timer)
    assert at >= timer.due


@pytest.mark.parametrize("make", WORLDS)
def test_what_a_node_sends_arrives_once_and_both_sides_are_on_the_tape(make: Callable[..., World]) -> None:
    world = make(NewOrderSingle("BTCUSDT", cl_ord_id="x"))
    world.bring(ExecutionReport("BTCUSDT", cl_ord_id="a", exec_id="1"))
    world.pass_time(20 * MS)
    assert [type(message) for _, message in world.node.seen] == [NewOrderSingle]
    assert sorted(world.tape()) == [("node", "<"), ("strategy", "<"), ("strategy", ">")]


# --- schedules


def simulated_timers(job: str, until: int) -> tuple[int, list[Timer]]:
    heap = Heap(1_000_000_007, 10**18)
    got: list[Timer] = []

    class Ear:
        beside = True

        def arrive(self, now: int, message: Message | None) -> None:
            assert isinstance(message, Timer)
            got.append(message)

    SimSchedule(heap).enter(Ear(), job)
    while heap.events and heap.events[0][0] <= heap.clock.time + until:
        at, _, _, target, message = heap.pop()
        heap.clock.move(at)
        target.arrive(at, message)
        if len(got) > 1:
            break
    return 1_000_000_007, got


def live_timers(job: str, until: int) -> tuple[int, list[Timer]]:
    clock, got = Clock(), list[Timer]()
    schedule = LiveSchedule(clock, lambda node, timer: got.append(timer))
    begun = clock.now()
    schedule.enter("node", job)
    while len(got) < 2 and clock.now() < begun + 3 * until:
        time.sleep(0.01)
    schedule.close()
    return begun, got


@pytest.mark.parametrize("timers", [simulated_timers, live_timers])
def test_a_job_comes_as_a_timer_at_each_multiple_of_its_period_and_is_never_early(
    timers: Callable[[str, int], tuple[int, list[Timer]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    period = 300 * MS
    monkeypatch.setitem(JOBS, "often", type(JOBS["sample"])(period, 0, "for this test"))  # type: ignore[arg-type]
    begun, got = timers("often", period * 3)
    first = begun - begun % period + period
    assert [one.due for one in got[:2]] == [first, first + period]
    assert all(one.key == "often" and one.now >= one.due for one in got)


# --- sessions with a venue


class PaperSession:
    """The venue of a dry run, on frames."""

    def __init__(self) -> None:
        self.story = Story().open()

    def send(self, *messages: Message) -> None:
        for message in messages:
            self.story.send(message)

    def answers(self, count: int) -> list[Message]:
        self.story.later(50 * MS)
        return self.story.reports()


class LiveSession:
    """A session over sockets, at the emulated venue."""

    def __init__(self) -> None:
        self.exchange = RunningVenue("--synth", "9")
        self.account = Account(self.exchange.rest).ready()
        self.heard: list[Message] = []
        self.account.gateway.on = lambda now, message: self.heard.append(message)  # type: ignore[method-assign]

    def send(self, *messages: Message) -> None:
        for message in messages:
            self.account.venue.submit(self.account.clock.now(), message)

    def answers(self, count: int) -> list[Message]:
        def told() -> list[Message]:
            return [one for one in self.heard if isinstance(one, ExecutionReport | OrderCancelReject)]

        self.account.until(lambda: len(told()) >= count)
        found = told()
        self.heard.clear()
        return found

    def close(self) -> None:
        self.account.end()
        self.exchange.stop()


@pytest.fixture(params=[PaperSession, LiveSession])
def session(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = request.param()
    yield made
    if hasattr(made, "close"):
        made.close()


def test_each_request_is_answered_once_and_in_the_words_of_the_request_that_it_answers(session: Any) -> None:
    session.send(
        NewOrderSingle("BTCUSDT", cl_ord_id="w-a", price=580_000, order_qty=3, strategy="s"),
        NewOrderSingle("BTCUSDT", cl_ord_id="w-b", price=580_001, order_qty=3, strategy="s"),
    )
    heard = session.answers(2)
    assert sorted((one.cl_ord_id, one.exec_type) for one in heard) == [("w-a", ExecType.NEW), ("w-b", ExecType.NEW)]
    session.send(
        OrderCancelRequest("BTCUSDT", cl_ord_id="w-c", orig_cl_ord_id="w-a", side=1, strategy="s"),
        OrderCancelRequest("BTCUSDT", cl_ord_id="w-d", orig_cl_ord_id="w-nobody", side=1, strategy="s"),
    )
    heard = sorted(session.answers(2), key=lambda one: one.cl_ord_id)
    assert [(type(one), one.cl_ord_id, one.orig_cl_ord_id) for one in heard] == [
        (ExecutionReport, "w-c", "w-a"), (OrderCancelReject, "w-d", "w-nobody"),
    ]  # fmt: skip
    assert heard[0].exec_type == ExecType.CANCELED
    assert session.answers(0) == []
