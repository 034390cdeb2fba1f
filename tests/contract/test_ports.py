"""What every implementation of a port keeps to. The live twins join each list when they come.

A *clock* never goes back and stands while nothing moves it. A *link* brings each message once, in the order sent, after its time.
A *store* gives back what it was given, in order. A *venue* answers each request once, and its tick is the newest market.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.live.broadcast import Arrival
from actors.live.clock import Clock
from actors.live.store import Journal as LiveJournal
from actors.sim.clock import Clock as SimClock
from actors.sim.heap import Heap
from actors.sim.host import SimHost
from actors.sim.link import Link as SimLink
from actors.sim.store import Journal as SimJournal
from actors.sim.venue import SimVenue
from core import ports
from core.codec import decode
from core.kernel.layout import BUY
from core.kernel.replay import Latency, Queue, Replay
from core.message import (
    ExecType,
    ExecutionReport,
    Heartbeat,
    Lane,
    Message,
    NewOrderSingle,
    OrderCancelRequest,
)
from tests.live_links import Ear, until
from tests.tiny_day import BTC, OPENING, tiny_day

# --- the implementations, each with what makes time pass for it


class Timed(Protocol):
    """A port and its time."""

    latency_ns: int

    def pass_time(self, until: int) -> None:
        """Let time pass, at least so far."""


class SimulatedClock:
    """The clock that events move."""

    latency_ns = 0

    def __init__(self) -> None:
        self.port = SimClock(1_000)

    def pass_time(self, until: int) -> None:
        self.port.move(max(until, self.port.now()))


class SimulatedLink:
    """The link over the heap, between a node and two others elsewhere."""

    latency_ns = 700

    def __init__(self) -> None:
        self.heard: dict[str, list[tuple[int, Message]]] = {"b": [], "c": []}
        self.heap = Heap(0, 10**9)
        self.port = SimLink(self.heap, {name: _Ear(heard) for name, heard in self.heard.items()}, self.latency_ns)

    def pass_time(self, until: int) -> None:
        events = self.heap.events
        while events and events[0][0] <= until:
            at, _, _, target, message = self.heap.pop()
            self.heap.clock.move(at)
            target.arrive(at, message)
        self.heap.clock.move(max(until, self.heap.clock.now()))

    def now(self) -> int:
        return self.heap.clock.now()


class _Ear:
    beside = False

    def __init__(self, heard: list[tuple[int, Message]]) -> None:
        self.heard = heard

    def arrive(self, now: int, message: Message | None) -> None:
        assert message is not None
        self.heard.append((now, message))


@cache
def live_folder() -> TemporaryDirectory[str]:
    """Where their keys are."""
    return TemporaryDirectory()


@pytest.fixture(scope="module", autouse=True)
def live_ears_are_closed() -> Iterator[None]:
    """When all examples are through."""
    yield
    if live_ears.cache_info().currsize:
        for ear in live_ears():
            ear.link.close()
        live_folder().cleanup()


@cache
def live_ears() -> tuple[Ear, ...]:
    """Three hosts, connected; they serve all examples, because a handshake takes longer than an example."""
    keys = Path(live_folder().name)
    a, b, c = Ear(keys, "host-a", epoch=1, where={"b": "host-b", "c": "host-c"}), Ear(keys, "host-b"), Ear(keys, "host-c")
    for ear, node in ((b, "b"), (c, "c")):
        a.reach(ear)
        ear.hear(a, node)

    def all_stand() -> bool:
        for node in ("b", "c"):
            a.link.publish("a", node, Heartbeat())
        return all(a.link.state(ear.name) == "up" and ear.messages("latest") for ear in (b, c))

    until(all_stand, a, b, c)
    return a, b, c


class LiveLink:
    """The link over loopback, between a node and two others on hosts of their own; `latency_ns` is less than any hop takes."""

    latency_ns = 1_000

    def __init__(self) -> None:
        self.ears = live_ears()
        self.port = self.ears[0].link
        self.heard: dict[str, list[tuple[int, Message]]] = {"b": [], "c": []}
        self.begun = self.now()
        for ear in self.ears:
            ear.heard = self.hear

    def hear(self, arrival: Arrival) -> None:
        if arrival.sent >= self.begun:  # what an example before this one did not wait for is not of this one
            self.heard[arrival.target].append((self.now(), decode(arrival.frame)))

    def pass_time(self, until_ns: int) -> None:
        """What is on the every lane arrives meanwhile."""

        def passed() -> bool:
            left = sum(self.port.number(ear.name) - 1 - ear.link.states()["host-a"]["received"] for ear in self.ears[1:])
            return self.now() >= until_ns and not left

        until(passed, *self.ears)

    def now(self) -> int:
        return self.ears[0].clock.now()


class SimulatedVenue:
    """The venue over a few rows: a trade at 1002, then silence."""

    latency_ns = 15

    def __init__(self) -> None:
        day = tiny_day([*OPENING, (100, BUY, 1002, 4), (10**6, BUY, 1002, 1)])
        replay = Replay(day.exch, day.local, day.bids, day.asks, 0.001, Queue("risk"), Latency(10, 5), start_ns=-1)
        self.port = SimVenue(BTC, day, replay, 5, 0)

    def pass_time(self, until: int) -> list[Message]:
        heard: list[Message] = []
        while self.port.advance(until) < until:
            heard += self.port.replies()
        return heard + self.port.replies()


class LiveClock:
    """The clock of a process, which time itself moves."""

    latency_ns = 0

    def __init__(self) -> None:
        self.port = Clock()

    def pass_time(self, until: int) -> None:
        while self.port.now() < until:
            pass


CLOCKS: list[Callable[[], Any]] = [SimulatedClock, LiveClock]
LINKS: list[Callable[[], Any]] = [SimulatedLink, LiveLink]


@contextmanager
def simulated_store() -> Iterator[ports.Store]:
    """The journal in memory."""
    yield SimJournal()


@contextmanager
def live_store() -> Iterator[ports.Store]:
    """The journal in a file, in a folder of its own."""
    with TemporaryDirectory() as folder, closing(LiveJournal(Path(folder, "journal"))) as journal:
        yield journal


STORES: list[Callable[[], AbstractContextManager[ports.Store]]] = [simulated_store, live_store]
VENUES: list[Callable[[], Any]] = [SimulatedVenue]


# --- clock


@pytest.fixture(params=CLOCKS)
def clock(request: pytest.FixtureRequest) -> Any:
    return request.param()


def test_a_clock_never_goes_back_and_is_at_a_time_once_that_has_passed(clock: Any) -> None:
    port: ports.Clock = clock.port
    seen = [port.now()]
    for step in (0, 1, 0, 10_000, 5):
        until = port.now() + step
        clock.pass_time(until)
        seen.append(port.now())
        assert seen[-1] >= until
    assert seen == sorted(seen)
    assert isinstance(seen[0], int)


def test_the_simulated_clock_refuses_to_go_back() -> None:
    clock = SimClock(10)
    assert clock.now() == clock.now() == 10
    with pytest.raises(AssertionError, match="cannot go back"):
        clock.move(9)


def test_the_simulated_clock_stands_where_the_last_event_left_it() -> None:
    host = SimHost(0, 500)
    host.run(123)
    assert host.clock.now() == 123


# --- link


@pytest.mark.parametrize("make", LINKS)
@settings(deadline=None)
@given(
    plan=st.lists(
        st.tuples(st.sampled_from(["b", "c"]), st.sampled_from(["latest", "every"]), st.integers(0, 2_000)), max_size=30
    )
)
def test_every_message_arrives_once_in_order_and_not_before_its_time(
    make: Callable[[], Any], plan: list[tuple[str, Lane, int]]
) -> None:
    """The latest lane may drop what a newer message replaces; what arrives of it is in order all the same. Neither waits for the
    other.
    """
    link = make()
    port: ports.Link = link.port
    sent: dict[str, list[tuple[int, Lane, str]]] = {"b": [], "c": []}
    for number, (target, lane, pause) in enumerate(plan):
        sent[target].append((link.now(), lane, str(number)))
        port.send(lane, "a", target, Heartbeat(test_req_id=str(number)))
        link.pass_time(link.now() + pause)
    link.pass_time(link.now() + 10 * link.latency_ns + 1)
    for target, heard in link.heard.items():
        ids = [message.test_req_id for _, message in heard]
        for one_lane in ("latest", "every"):
            of_lane = [int(one) for _, lane, one in sent[target] if lane == one_lane and one in ids]
            assert [int(one) for one in ids if int(one) in of_lane] == of_lane
        assert len(set(ids)) == len(ids)
        assert {one for _, lane, one in sent[target] if lane == "every"} <= set(ids) <= {one for *_, one in sent[target]}
        left = {one: at for at, _, one in sent[target]}
        assert all(now >= left[message.test_req_id] + link.latency_ns for now, message in heard)


def test_the_simulated_link_takes_exactly_its_latency_and_drops_nothing() -> None:
    link = SimulatedLink()
    for lane in ("latest", "latest", "every"):
        link.port.send(lane, "a", "b", Heartbeat())  # type: ignore[arg-type]
    link.pass_time(10_000)
    assert [now for now, _ in link.heard["b"]] == [700] * 3


# --- store


@pytest.mark.parametrize("make", STORES)
@given(entries=st.lists(st.binary(max_size=50)))
def test_entries_come_back_whole_and_in_order(
    make: Callable[[], AbstractContextManager[ports.Store]], entries: list[bytes]
) -> None:
    with make() as store:
        for number, entry in enumerate(entries):
            assert list(store.entries()) == entries[:number]
            store.append(entry)
        assert list(store.entries()) == list(store.entries()) == entries


# --- venue


@pytest.fixture(params=VENUES)
def venue(request: pytest.FixtureRequest) -> Any:
    return request.param()


def order(cl_ord_id: str, price: int = 990) -> NewOrderSingle:
    return NewOrderSingle("BTCUSDT", cl_ord_id=cl_ord_id, price=price, order_qty=3, strategy="s")


def test_a_venue_answers_each_request_once_in_order_and_not_before_its_time(venue: Any) -> None:
    port: ports.Venue = venue.port
    venue.pass_time(50)
    for cl_ord_id in ("a", "b"):
        port.submit(50, order(cl_ord_id))
    assert port.replies() == []
    heard = venue.pass_time(90)
    port.submit(90, OrderCancelRequest("BTCUSDT", cl_ord_id="c", orig_cl_ord_id="a"))
    heard += venue.pass_time(90 + 10 * venue.latency_ns)
    assert [(one.cl_ord_id, one.exec_type) for one in heard] == [
        ("a", ExecType.NEW), ("b", ExecType.NEW), ("c", ExecType.CANCELED),
    ]  # fmt: skip
    assert all(isinstance(one, ExecutionReport) and one.received >= one.transact_time > 50 for one in heard)
    assert len({one.exec_id for one in heard}) == 3
    assert port.replies() == []


def test_a_venues_tick_is_the_newest_market_with_the_trades_since_the_last_one(venue: Any) -> None:
    port: ports.Venue = venue.port
    venue.pass_time(200)
    tick = port.tick(200)
    assert (tick.symbol, tick.bid, tick.ask, tick.trade_count, tick.now) == ("BTCUSDT", 1000, 1001, 1, 200)
    assert tick.received <= 200
    assert port.tick(210).trade_count == 0
