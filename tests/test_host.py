"""The simulated host: one heap, turns, busy time, conflation."""

from __future__ import annotations

import os
import subprocess
import sys

from actors.sim.heap import NEVER
from actors.sim.host import SimHost
from actors.sim.recorder import Trace
from core.mailbox import Mailbox
from core.message import Heartbeat, Message, NewOrderSingle, Tick, Timer
from core.node import Outbox

MS = 1_000_000


class Listener:
    """Keeps what it is handed; answers with what it is told to."""

    def __init__(self, name: str, answer: Message | None = None) -> None:
        self.name, self.answer = name, answer
        self.seen: list[tuple[int, Message]] = []

    def bind(self, outbox: Outbox) -> None:
        self.outbox = outbox

    def on(self, now: int, message: Message) -> None:
        self.seen.append((now, message))
        if self.answer is not None:
            self.outbox.send(self.answer)


class Frames:
    """A market whose frames arrive at given times and never answers."""

    beside = True

    def __init__(self, times: list[int]) -> None:
        self.times, self.at, self.absorbed, self.charged = times, 0, 0, 0

    def advance(self, until: int) -> int:
        self.at = max(self.at, until)
        return until

    look = advance

    def _arrived(self) -> int:
        return sum(time <= self.at for time in self.times)

    def replies(self) -> list[Message]:
        return []

    def next_frame(self) -> int:
        return next(iter(self.times[self.absorbed :]), NEVER)

    def settle(self, free_at: int, frame_ns: int, until: int) -> int:
        while self.charged < self._arrived() and (begin := max(free_at, self.times[self.charged])) < until:
            count = sum(self.times[self.charged] <= time <= begin for time in self.times)
            self.charged += count
            free_at = begin + count * frame_ns
        return free_at

    def absorb(self) -> tuple[int, int]:
        seen = self._arrived()
        fresh, uncharged = seen - self.absorbed, seen - self.charged
        self.absorbed = self.charged = seen
        return fresh, uncharged

    def tick(self, now: int) -> Tick:
        last = max(time for time in self.times if time <= self.at)
        return Tick("BTCUSDT", last, last, now)


def market(times: list[int], busy_ns: dict[str, int], sampling: bool = False) -> tuple[SimHost, Listener, Mailbox]:
    host = SimHost(0, 1000 * MS)
    listener, mailbox = Listener("strategy"), Mailbox(sampling)
    place = host.place("market", busy_ns)
    seat = host.add(listener, place, mailbox)
    host.add_feed(Frames(times), place, [mailbox], seat)
    return host, listener, mailbox


def test_a_fast_strategy_sees_every_frame_when_it_arrives() -> None:
    host, listener, mailbox = market([MS, 2 * MS, 3 * MS], {})
    host.run()
    assert [now for now, _ in listener.seen] == [MS, 2 * MS, 3 * MS]
    assert (mailbox.received, mailbox.delivered, mailbox.replaced) == (3, 3, 0)


def test_a_slow_strategy_sees_the_newest_market_and_never_a_queue() -> None:
    times = [k * MS for k in range(1, 11)]
    host, listener, mailbox = market(times, {"tick": 4 * MS})
    host.run()
    handled = [(now, message.received) for now, message in listener.seen]
    assert handled == [(MS, MS), (5 * MS, 5 * MS), (9 * MS, 9 * MS), (13 * MS, 10 * MS)]
    assert mailbox.replaced == 10 - 4
    assert mailbox.received == mailbox.delivered + mailbox.replaced


def test_frames_that_came_while_a_strategy_was_busy_are_handed_over_when_it_is_free_whatever_others_do() -> None:
    host, listener, _ = market([MS, 2 * MS, 3 * MS], {"tick": 4 * MS})
    bystander = host.add(Listener("bystander"), host.place("elsewhere"))
    bystander.wake(7 * MS // 2, "noise")
    host.run()
    assert [now for now, _ in listener.seen] == [MS, 5 * MS]


def test_a_run_cut_into_slices_is_the_same_run() -> None:
    cuts = [MS, MS + 1, 2 * MS, 3 * MS, 4 * MS, 5 * MS, 6 * MS, 9 * MS]
    seen = []
    for slices in ([], cuts):
        host, listener, _ = market([k * MS for k in (1, 2, 3, 6, 7)], {"tick": 2 * MS})
        for until in slices:
            host.run(until)
            assert host.clock.now() == until
        host.run()
        seen.append([(now, message.received) for now, message in listener.seen])
    assert seen[0] == seen[1]


def test_frames_cost_the_place_their_time_before_the_strategy_is_called() -> None:
    host, listener, _ = market([MS, MS + 1], {"frame": 1000})
    host.run()
    assert [now for now, _ in listener.seen] == [MS + 1000, MS + 2000]


def test_a_wake_in_the_middle_of_a_frames_turn_waits_for_its_end() -> None:
    host, listener, _ = market([MS, 5 * MS], {"frame": 1000}, sampling=True)
    host.seats["strategy"].wake(MS + 400, "quote")
    host.run(4 * MS)
    assert [(now, type(message)) for now, message in listener.seen] == [(MS + 1000, Tick), (MS + 1000, Timer)]


def test_a_sampling_strategy_is_called_for_its_wakes_only() -> None:
    host, listener, mailbox = market([k * MS for k in range(1, 100)], {}, sampling=True)
    host.seats["strategy"].wake(50 * MS, "quote")
    host.run()
    assert [(now, type(message)) for now, message in listener.seen] == [(50 * MS, Tick), (50 * MS, Timer)]
    assert mailbox.received == 50


def test_messages_between_places_take_the_link_and_those_within_one_do_not() -> None:
    host = SimHost(0, MS, link_ns=700)
    near = [host.add(Listener(name), host.place("here")) for name in ("a", "b")]
    far = host.add(Listener("c"), host.place("there"))
    near[0].node.answer = Heartbeat()
    near[0].routes[Heartbeat] = lambda message: (near[1], far)
    host.push(100, 0, near[0], Heartbeat())
    host.run()
    assert [now for now, _ in near[1].node.seen] == [100]
    assert [now for now, _ in far.node.seen] == [800]


def test_nodes_that_share_a_place_delay_each_other() -> None:
    host = SimHost(0, MS)
    one, two = (host.add(Listener(name), host.place("here", {"order": 500})) for name in ("a", "b"))
    host.push(100, 0, one, NewOrderSingle())
    host.push(100, 0, two, NewOrderSingle())
    host.push(300, 0, one, NewOrderSingle())
    host.run()
    assert [now for now, _ in one.node.seen] == [100, 1100]
    assert [now for now, _ in two.node.seen] == [600]


def test_what_a_node_sends_leaves_when_its_time_with_the_message_is_over() -> None:
    host = SimHost(0, MS, link_ns=10)
    one = host.add(Listener("a", Heartbeat()), host.place("here", {"order": 500}))
    two = host.add(Listener("b"), host.place("there"))
    one.routes[Heartbeat] = lambda message: (two,)
    host.push(100, 0, one, NewOrderSingle())
    host.run()
    assert [now for now, _ in two.node.seen] == [610]


def test_the_run_ends_before_its_end_and_the_clock_stands_there() -> None:
    host = SimHost(0, 500)
    seat = host.add(Listener("a"), host.place("here"))
    for at in (499, 500):
        seat.wake(at, "w")
    host.run()
    assert [now for now, _ in seat.node.seen] == [499]
    assert host.clock.now() == 500
    assert [(at, name) for at, name, _ in host.in_flight()] == [(500, "a")]


def test_one_step_is_one_message_handled_by_one_node() -> None:
    host, listener, _ = market([MS, 2 * MS], {})
    assert host.step()
    assert len(listener.seen) == 1
    assert host.step()
    assert not host.step()
    assert len(listener.seen) == 2


def test_a_step_stops_within_a_turn_and_leaves_the_same_trace() -> None:
    traces = []
    for stepped in (False, True):
        host, digest = tangle()
        steps = 0
        while stepped and host.step():
            steps += 1
            assert host.handled == steps
        host.run()
        traces.append(digest.hex())
    assert traces[0] == traces[1] == ordered_trace()


def test_a_run_goes_on_from_the_middle_of_a_turn() -> None:
    host, digest = tangle()
    for _ in range(101):
        host.step()
    host.run()
    assert digest.hex() == ordered_trace()


def test_the_trace_is_the_same_under_any_hash_seed() -> None:
    code = "from tests.test_host import ordered_trace; print(ordered_trace())"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(digests) == 1
    assert digests.pop().strip() == ordered_trace()


def tangle() -> tuple[SimHost, Trace]:
    """Seven nodes in three places, each answering on."""
    digest = Trace()
    host = SimHost(0, 5 * MS, link_ns=45_000, watch=digest)
    seats = [host.add(Listener(f"n{k}", Heartbeat()), host.place(f"p{k % 3}", {"order": 10_000})) for k in range(7)]
    for k, seat in enumerate(seats):
        seat.routes[Heartbeat] = lambda message, to=(seats[(3 * k + 2) % 7],): to
        seat.wake(k * 1000, f"start {k}")
    return host, digest


def ordered_trace() -> str:
    """What the tangle leaves."""
    host, digest = tangle()
    host.run()
    return digest.hex()


def test_another_run_leaves_another_trace() -> None:
    first, second = Trace(), Trace()
    first(1, "a", Heartbeat())
    second(2, "a", Heartbeat())
    assert first.hex() != second.hex()
