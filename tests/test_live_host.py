"""The live host's turn: what is written before it leaves, what may leave at all, and who is told."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from threading import Thread

import pytest

from actors.live.clock import Clock
from actors.live.host import Host
from actors.live.loop import MS, Loop
from actors.live.seat import Device, Elsewhere
from actors.sim.store import Journal
from core.codec import encode
from core.mailbox import Mailbox
from core.message import (
    Command,
    ExecutionReport,
    Heartbeat,
    Message,
    NewOrderSingle,
    News,
    OrderCancelRequest,
    OrdStatus,
    Tick,
    Timer,
)
from core.node import Outbox
from core.session import Event
from core.tape import read


class Wire:
    """A link whose other end is the test: what was posted can be looked at, what is put in arrives."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, int, Message]] = []
        self.published: list[tuple[str, Message]] = []
        self.acknowledged: list[tuple[str, int]] = []
        self.inward: deque[tuple[str, str, int, str, str, bytes, int]] = deque()
        self.closed = ""

    def number(self, peer: str) -> int:
        return 1 + sum(one == peer for one, *_ in self.posted)

    def refuses(self, peer: str) -> str:
        return self.closed

    def post(self, peer: str, source: str, target: str, message: Message, now: int) -> int:
        number = self.number(peer)
        self.posted.append((peer, number, message))
        return number

    def publish(self, source: str, target: str, message: Message, now: int) -> None:
        self.published.append((target, message))

    def taken(self, peer: str, seq: int) -> None:
        self.acknowledged.append((peer, seq))

    def receive(self, now: int, ready: object = None) -> list[tuple[str, str, int, str, str, bytes, int]]:
        arrived = list(self.inward)
        self.inward.clear()
        return arrived

    def events(self) -> list[Event]:
        return []

    def tick(self, now: int) -> int:
        return now + 10_000 * MS

    def bring(self, target: str, message: Message, seq: int = 1) -> None:
        self.inward.append(("every", "account", seq, "risk", target, encode(message), 0))


class Answering:
    """A node that keeps what it takes and sends what it is told to for each."""

    def __init__(self, name: str, *answers: Message) -> None:
        self.name, self.answers = name, answers
        self.seen: list[Message] = []

    def bind(self, outbox: Outbox) -> None:
        self.outbox = outbox

    def on(self, now: int, message: Message) -> None:
        self.seen.append(message)
        if isinstance(message, Heartbeat):
            for answer in self.answers:
                self.outbox.send(answer)


class Normalizing(Answering):
    """A node that is handed frames and makes a tick of each."""

    def on_frame(self, now: int, received: int, frame: bytes) -> None:
        self.outbox.send(Tick(frame.decode(), received, received, now))


class Full(Journal):
    """A journal on a disk that can be full."""

    full = False

    def append(self, *entries: bytes) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        super().append(*entries)


ORDER = NewOrderSingle("BTCUSDT", cl_ord_id="a", price=100, order_qty=1, strategy="mm")
CANCEL = OrderCancelRequest("BTCUSDT", cl_ord_id="b", orig_cl_ord_id="a", strategy="mm")


class Stage:
    """A host with one node that sends to the account's risk node."""

    def __init__(self, *answers: Message, strategy: bool = True) -> None:
        self.link, self.tape, self.told = Wire(), Full(), list[News]()
        self.host = Host("market", Loop(Clock()), self.link, self.tape, self.told.append)
        self.node = Answering("mm", *answers)
        self.seat = self.host.add(self.node, Mailbox() if strategy else None)
        elsewhere = (Elsewhere(self.link, "account", "risk"),)
        self.seat.routes = dict.fromkeys((NewOrderSingle, OrderCancelRequest, Command), lambda message: elsewhere)

    def turn(self) -> None:
        self.host.turn(0)

    def lines(self) -> list[tuple[str, str, str, int]]:
        return [(line.node, line.way, line.peer, line.seq) for line in read(self.tape.entries())]


def test_a_turn_is_on_the_tape_with_the_numbers_of_its_session_before_anything_leaves() -> None:
    stage = Stage(ORDER, CANCEL)
    post = stage.link.post
    written: list[int] = []

    def noting(*given: object) -> int:
        written.append(len(stage.lines()))
        return post(*given)  # type: ignore[arg-type]

    stage.link.post = noting  # type: ignore[method-assign]
    stage.link.bring("mm", Heartbeat(), 7)
    stage.turn()
    assert stage.lines() == [("mm", "<", "account", 7), ("mm", ">", "account", 1), ("mm", ">", "account", 2)]
    assert written == [3, 3]
    assert [(number, message) for _, number, message in stage.link.posted] == [(1, ORDER), (2, CANCEL)]
    assert stage.link.acknowledged == [("account", 7)]


def test_a_full_disk_refuses_new_orders_and_lets_cancels_go_and_what_was_not_written_is_written_later() -> None:
    stage = Stage(ORDER, CANCEL)
    stage.tape.full = True
    stage.link.bring("mm", Heartbeat(), 1)
    stage.turn()
    assert [message for *_, message in stage.link.posted] == [CANCEL]
    assert stage.link.acknowledged == []
    assert [one.urgency for one in stage.told] == [2]
    stage.turn()
    refusal = stage.node.seen[-1]
    assert isinstance(refusal, ExecutionReport)
    assert refusal.ord_status == OrdStatus.REJECTED
    assert "No space left" in refusal.text
    stage.tape.full = False
    stage.host.hand("mm", Timer(key="x"))
    stage.turn()
    assert stage.link.acknowledged == [("account", 1)]
    assert stage.lines() == [
        ("mm", "<", "account", 1), ("mm", "!", "", 0), ("mm", ">", "account", 1), ("mm", "<", "", 0), ("mm", "<", "", 0),
    ]  # fmt: skip
    assert "writes again" in stage.told[-1].headline


def test_without_a_session_a_new_order_comes_back_and_nothing_of_it_leaves_later() -> None:
    stage = Stage(ORDER)
    stage.link.closed = "no session with account"
    stage.host.hand("mm", Heartbeat())
    stage.turn()
    stage.link.closed = ""
    stage.turn()
    assert stage.link.posted == []
    assert "no session with account" in stage.node.seen[-1].text  # type: ignore[attr-defined]


def test_nodes_of_one_host_hand_on_within_the_turn_and_a_device_is_asked_after_the_tape() -> None:
    stage = Stage(ORDER, strategy=False)
    asked: list[tuple[int, Message]] = []
    gateway = Answering("gateway")
    seat = stage.host.add(gateway)
    stage.seat.routes = {NewOrderSingle: lambda message: (seat, Device(lambda now, one: asked.append((len(stage.lines()), one))))}
    stage.host.hand("mm", Heartbeat())
    stage.turn()
    assert gateway.seen == [ORDER]
    assert asked == [(3, ORDER)]


def test_a_strategy_that_fails_is_stopped_the_account_is_told_and_the_others_go_on() -> None:
    stage = Stage()
    other = Answering("other")
    stage.host.add(other, Mailbox()).routes = {}
    stage.node.on = lambda now, message: 1 / 0  # type: ignore[method-assign]
    for name in ("mm", "other"):
        stage.host.hand(name, Heartbeat())
        stage.host.hand(name, Heartbeat())
    stage.turn()
    stage.turn()
    assert [message.verb for *_, message in stage.link.posted] == ["disconnected"]  # type: ignore[attr-defined]
    assert "ZeroDivisionError" in stage.told[0].text
    assert len(other.seen) == 2


def test_a_node_of_ours_that_fails_ends_the_process() -> None:
    stage = Stage(strategy=False)
    stage.node.on = lambda now, message: 1 / 0  # type: ignore[method-assign]
    stage.host.hand("mm", Heartbeat())
    with pytest.raises(ZeroDivisionError):
        stage.turn()


def test_frames_go_through_the_normalizer_into_mailboxes_first_and_are_written_behind_the_sends() -> None:
    stage = Stage()
    seat = stage.host.add(Normalizing("normalizer:BTCUSDT"))
    seat.routes = {Tick: lambda message: (stage.seat,)}
    for number in range(3):
        stage.host.loop.frame("normalizer:BTCUSDT", number, b"BTCUSDT")
    stage.turn()
    assert [message.received for message in stage.node.seen] == [2]
    assert [(node, way) for node, way, *_ in stage.lines()] == [
        ("mm", "<"), *[("normalizer:BTCUSDT", way) for way in "=#=#=#"],
    ]  # fmt: skip


def test_wakes_come_when_they_are_due_and_not_before() -> None:
    stage = Stage()
    start = stage.host.clock.now()
    stage.seat.wake(start + 20 * MS, "late")
    stage.seat.wake(start - MS, "past")
    while len(stage.node.seen) < 2 and stage.host.clock.now() < start + 5_000 * MS:
        stage.host.turn()
    assert [message.key for message in stage.node.seen] == ["past", "late"]  # type: ignore[attr-defined]
    assert stage.node.seen[1].now >= start + 20 * MS


def test_other_threads_wake_a_sleeping_loop_and_their_calls_run_on_its_thread() -> None:
    stage = Stage()
    ran: list[int] = []
    thread = Thread(target=lambda: [stage.host.soon(lambda k=k: ran.append(k)) for k in range(1000)])  # type: ignore[misc]
    thread.start()
    while len(ran) < 1000:
        stage.host.turn()
    thread.join()
    assert ran == list(range(1000))


def test_a_command_for_the_host_itself_is_obeyed_and_a_damaged_or_stray_message_is_told_and_acknowledged() -> None:
    stage = Stage()
    heard: list[Command] = []
    stage.host.commands["status"] = heard.append
    stage.link.bring("market", Command(verb="status"), 1)
    stage.link.bring("nobody", Heartbeat(), 2)
    stage.link.inward.append(("every", "account", 3, "risk", "mm", b"\xff", 0))
    stage.link.bring("market", Command(verb="dance"), 4)
    stage.turn()
    assert [(one.verb, one.strategy) for one in heard] == [("status", "account")]
    assert [seq for _, seq in stage.link.acknowledged] == [1, 2, 3, 4]
    assert [seq for *_, seq in stage.lines()] == [1, 2, 3, 4]
    assert [one.urgency for one in stage.told] == [2, 1]


def test_the_clock_never_goes_back_when_the_wall_does(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    before = clock.now()
    monkeypatch.setattr("time.time_ns", lambda: before - 3_600 * 10**9)
    after = clock.now()
    assert after >= before
    assert clock.astray() < -3_000 * 10**9
    clock.follow()
    assert clock.now() > after


def test_what_another_thread_says_while_the_loop_falls_asleep_is_not_missed(tmp_path: Path) -> None:
    loop = Loop(Clock())
    came: list[int] = []

    def ring() -> None:
        for number in range(300):
            loop.soon(lambda: came.append(1))
            while len(came) <= number:
                pass

    thread = Thread(target=ring)
    began = loop.clock.now()
    thread.start()
    while len(came) < 300:
        loop.wait(loop.clock.now() + 5_000 * MS)
        loop.run_calls()
    thread.join()
    assert loop.clock.now() - began < 10_000 * MS
    loop.close()
