"""The live link over real sockets: both lanes, ends that die and come back, strangers, noise, and whoever sends too much."""

from __future__ import annotations

import os
import random
import signal
import socket as plain
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from actors.live.keys import load, make, revoke
from actors.live.sockets import MESSAGE_BYTES_MAX, QUEUED_MAX
from core.codec import FRAME_BYTES_MAX, WireError, encode
from core.envelope import Envelope, seal
from core.message import Heartbeat, Logon, NewOrderSingle, News, Tick
from core.outgoing import KEPT_MAX, Kept, SessionFull
from core.session import HEARTBEAT_NS, ROOM, Down, Fresh, Refused, Up
from tests.conftest import ROOT
from tests.live_links import Ear, idle, until

Make = Callable[..., Ear]


@pytest.fixture
def ears(tmp_path: Path) -> Iterator[Make]:
    """Makes links that are closed when the test ends."""
    made: list[Ear] = []

    def make_ear(name: str, **more: Any) -> Ear:
        made.append(Ear(tmp_path / "keys", name, **more))
        return made[-1]

    yield make_ear
    for ear in made:
        ear.link.close()


def pair(ears: Make) -> tuple[Ear, Ear]:
    """A strategies' host with its session to the account's."""
    account, market = ears("account"), ears("market", epoch=1)
    market.reach(account)
    until(lambda: market.link.state("account") == account.link.state("market") == "up", account, market)
    return account, market


def order(number: int) -> NewOrderSingle:
    return NewOrderSingle("BTCUSDT", cl_ord_id=str(number), price=1, order_qty=1)


# --- lanes


def test_messages_go_both_ways_with_numbers_known_beforehand(ears: Make) -> None:
    account, market = pair(ears)
    for number in range(1, 50):
        assert market.link.number("account") == number
        assert market.link.post("account", "s", "risk", order(number)) == number
        account.link.post("market", "risk", "s", News(headline=str(number)))
    until(lambda: len(market.arrived) == len(account.arrived) == 49, account, market)
    assert account.messages() == [order(number) for number in range(1, 50)]
    assert [one.headline for one in market.messages()] == [str(number) for number in range(1, 50)]  # type: ignore[attr-defined]
    first = account.arrived[0]
    assert (first.peer, first.seq, first.source, first.target) == ("market", 1, "s", "risk")
    assert first.frame == encode(order(1))
    assert abs(time.time_ns() - first.sent) < 10e9


def test_what_is_posted_before_the_session_stands_leaves_when_it_does(ears: Make) -> None:
    account, market = ears("account"), ears("market", epoch=1)
    market.link.post("account", "s", "risk", order(1))
    assert market.link.refuses("account") == "no session with account"
    market.reach(account)
    until(lambda: bool(account.arrived), account, market)
    assert account.messages() == [order(1)]
    assert market.link.refuses("account") == ""


def test_a_subscriber_hears_its_targets_and_counts_what_it_missed(ears: Make) -> None:
    feed, market = ears("feed"), ears("market")
    market.hear(feed, "s1")
    n = 0

    def heard() -> bool:
        nonlocal n
        n += 1
        for target in ("s1", "s10", "s2"):
            feed.link.publish("normalizer", target, Tick("BTCUSDT", update_id=n))
        return len(market.arrived) >= 50

    until(heard, feed, market)
    assert {one.target for one in market.arrived} == {"s1"}
    numbers = [one.seq for one in market.arrived]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert market.link.missed == 0
    for _ in range(5 * QUEUED_MAX):
        feed.link.publish("normalizer", "s1", Tick("BTCUSDT"))
    idle(0.3, feed, market)
    feed.link.publish("normalizer", "s1", Tick("BTCUSDT"))
    idle(0.3, feed, market)
    received = len(market.arrived) + numbers[0] - 1
    assert market.link.missed == market.arrived[-1].seq - received


def test_a_node_known_to_be_elsewhere_cannot_speak_in_a_session(ears: Make) -> None:
    account = ears("account", where={"victim": "other", "s": "market"})
    market = ears("market", epoch=1)
    market.reach(account)
    market.link.post("account", "s", "risk", order(1))
    market.link.post("account", "victim", "risk", order(2))
    until(lambda: market.link.state("account") == "refused", account, market)
    assert account.messages() == [order(1)]
    assert account.link.forged == 1
    assert account.told(Refused) == [Refused("market", "market speaks for victim")]


# --- ends that die


def test_an_account_that_dies_goes_on_from_its_journal_at_a_new_address(ears: Make, tmp_path: Path) -> None:
    account, market = pair(ears)
    sent = [Kept(n, "risk", "s", encode(News(headline=str(n)))) for n in (1, 2, 3)]
    for n in (1, 2):
        account.link.post("market", "risk", "s", News(headline=str(n)))
    market.link.post("account", "s", "risk", order(1))
    until(lambda: len(account.arrived) == 1 and len(market.arrived) == 2, account, market)
    account.journalling = False
    market.link.post("account", "s", "risk", order(2))
    until(lambda: len(account.arrived) == 2, account, market)
    account.link.close()
    until(lambda: market.link.state("account") != "up", market)

    again = ears("account", older=lambda peer, first, last: sent[first - 1 : last])
    again.link.restore("market", 1, next_send=4, next_expected=2)
    market.reach(again)
    market.link.post("account", "s", "risk", order(3))
    until(lambda: len(again.arrived) == 2 and len(market.arrived) == 3, again, market)
    assert again.messages() == [order(2), order(3)]
    assert [one.headline for one in market.messages()] == ["1", "2", "3"]  # type: ignore[attr-defined]
    assert again.told(Up) == [Up("market", 1)]


def test_a_new_life_of_the_initiator_begins_at_one_and_the_account_hears_what_was_lost(ears: Make) -> None:
    account, market = pair(ears)
    market.link.post("account", "s", "risk", order(1))
    until(lambda: len(account.arrived) == 1, account, market)
    market.link.close()
    until(lambda: account.link.state("market") == "down", account)
    assert "market left: market ends" in str(account.told(Down))
    account.link.post("market", "risk", "s", News(headline="to the dead"))

    again = ears("market", epoch=2)
    again.reach(account)
    again.link.post("account", "s", "risk", order(2))
    until(lambda: len(account.arrived) == 2, account, again)
    assert [one.seq for one in account.arrived] == [1, 1]
    fresh = account.told(Fresh)[-1]
    assert isinstance(fresh, Fresh)
    assert (fresh.epoch, [kept.seq for kept in fresh.abandoned]) == (2, [1])
    assert again.arrived == []


OTHER = """
import sys, time
from pathlib import Path
from tests.live_links import Ear
keys, name, *address = sys.argv[1:]
ear = Ear(Path(keys), name, epoch=7)
if address:
    ear.link.connect("account", *address)
print(ear.link.endpoint, flush=True)
while True:
    ear.turn()
    time.sleep(0.001)
"""


def process(keys: Path, name: str, *address: str) -> subprocess.Popen[str]:
    """A host in a process of its own."""
    make(keys, name)
    return subprocess.Popen([sys.executable, "-c", OTHER, str(keys), name, *address], cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_an_initiator_that_is_killed_or_frozen_is_missed_within_three_seconds(ears: Make, how: int) -> None:
    account = ears("account")
    with process(account.keys, "market", account.link.endpoint, account.link.addresses[2]) as other:
        try:
            until(lambda: account.link.state("market") == "up", account)
            start = time.monotonic()
            os.kill(other.pid, how)
            until(lambda: account.link.state("market") == "down", account)
            assert time.monotonic() - start < 3
            if how == signal.SIGSTOP:
                os.kill(other.pid, signal.SIGCONT)
                until(lambda: account.link.state("market") == "up", account)
        finally:
            other.kill()


def test_an_account_that_is_killed_is_missed_at_once_and_told_of_once(ears: Make) -> None:
    market = ears("market", epoch=1)
    with process(market.keys, "account") as other:
        try:
            assert other.stdout is not None
            market.link.connect("account", other.stdout.readline().strip(), load(market.keys, "account").public)
            until(lambda: market.link.state("account") == "up", market)
            start = time.monotonic()
            other.kill()
            until(lambda: market.link.state("account") != "up", market)
            assert time.monotonic() - start < HEARTBEAT_NS / 1e9
            idle(0.5, market)
            assert len(market.told(Down)) == 1
        finally:
            other.kill()


def test_what_an_old_life_said_is_taken_before_a_new_life_logs_on(ears: Make) -> None:
    account = ears("account")
    make(account.keys, "market")
    old, new = raw(account, "market"), raw(account, "market")
    old.send(logon())
    until(lambda: account.link.state("market") == "up", account)
    new.send(seal(Envelope(1, 1, 1, False, "", "", b"\xff")))
    until(lambda: account.link.damaged == 1, account)
    account.events.clear()
    old.send(seal(Envelope(1, 1, 2, False, "s", "risk", encode(order(1)))))
    time.sleep(0.1)
    new.send(logon(epoch=2))
    new.send(seal(Envelope(1, 1, 2, False, "s", "risk", encode(order(2)))))
    time.sleep(0.1)
    arrived = account.link.receive(account.clock.now())
    assert [(one.seq, one.frame) for one in arrived] == [(1, encode(order(1)))]
    assert account.link.events() == []
    assert account.link.tick(account.clock.now()) <= account.clock.now()
    account.link.taken("market", 1)
    arrived = account.link.receive(account.clock.now())
    assert [type(event) for event in account.link.events()] == [Down, Fresh, Up]
    assert [(one.seq, one.frame) for one in arrived] == [(1, encode(order(2)))]
    for socket in (old, new):
        socket.close()


def test_a_zombie_of_an_earlier_epoch_is_refused_and_the_living_one_trades_on(ears: Make) -> None:
    account, market = ears("account"), ears("market", epoch=2)
    zombie = Ear(market.keys, "market", epoch=1)
    market.reach(account)
    until(lambda: market.link.state("account") == "up", account, market)
    zombie.reach(account)
    until(lambda: zombie.link.state("account") == "refused", account, market, zombie)
    assert "epoch 1 is over: 2 lives" in str(zombie.told(Refused))
    market.link.post("account", "s", "risk", order(1))
    until(lambda: bool(account.arrived), account, market)
    assert len(account.told(Up)) == 1
    zombie.link.close()


# --- too much


def test_a_full_session_refuses_new_orders_and_carries_cancels_and_reports_to_its_hard_bound(ears: Make) -> None:
    account, market = pair(ears)
    account.journalling = False
    for number in range(ROOM):
        assert market.link.refuses("account") == ""
        market.link.post("account", "s", "risk", order(number))
    assert market.link.refuses("account") == f"account has not acknowledged {ROOM} messages"
    for number in range(ROOM, KEPT_MAX):
        market.link.post("account", "s", "risk", order(number))
    with pytest.raises(SessionFull):
        market.link.post("account", "s", "risk", order(0))
    account.heard = lambda arrival: account.link.taken("market", arrival.seq)
    for arrival in account.arrived:
        account.link.taken("market", arrival.seq)
    until(lambda: len(account.arrived) == KEPT_MAX and market.link.refuses("account") == "", account, market)
    assert account.messages() == [order(number) for number in range(KEPT_MAX)]


def test_a_message_that_no_frame_holds_gets_no_number(ears: Make) -> None:
    account, market = pair(ears)
    with pytest.raises(WireError, match="more than a message may have on a link"):
        market.link.post("account", "s", "risk", News(text="x" * FRAME_BYTES_MAX))
    with pytest.raises(WireError, match="more than a message may have on a link"):
        market.link.publish("s", "risk", Tick("x" * FRAME_BYTES_MAX))
    assert market.link.number("account") == 1
    market.link.post("account", "s", "risk", News(text="x" * (FRAME_BYTES_MAX - 2_000)))
    until(lambda: bool(account.arrived), account, market)


def raw(ear: Ear, name: str) -> zmq.Socket:
    """A socket of an enrolled host without our layers, to misbehave with."""
    keys = load(ear.keys, name)
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger = 0
    socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
    socket.curve_serverkey = load(ear.keys, ear.name).public
    socket.reconnect_ivl = -1
    socket.connect(ear.link.endpoint)
    return socket


def logon(**fields: Any) -> bytes:
    word = Logon(**{"sender": "market", "target": "account", "epoch": 1, "heartbeat_ns": HEARTBEAT_NS, **fields})
    return seal(Envelope(1, 1, 1, False, "", "", encode(word)))


def test_an_oversize_message_costs_its_sender_the_connection_and_nobody_else(ears: Make) -> None:
    account, market = pair(ears)
    make(account.keys, "big")
    big = raw(account, "big")
    big.send(logon(sender="big"))
    until(lambda: account.link.state("big") == "up", account, market)
    big.send(b"x" * (MESSAGE_BYTES_MAX + 1))
    idle(0.2, account, market)
    assert not big.get(zmq.EVENTS) & zmq.POLLOUT
    market.link.post("account", "s", "risk", order(1))
    until(lambda: bool(account.arrived), account, market)
    big.close()


def test_damaged_frames_and_parts_of_an_enrolled_peer_are_counted_and_its_session_lives(ears: Make) -> None:
    account = ears("account")
    make(account.keys, "market")
    odd = raw(account, "market")
    odd.send(b"noise before a logon")
    odd.send(logon())
    odd.send(b"\x91" * 60_000)
    odd.send(seal(Envelope(1, 1, 1, False, "", "", b"\xff")))
    odd.send_multipart([b"", logon(), b"x"])
    odd.send(seal(Envelope(1, 1, 2, False, "s", "risk", encode(order(1)))))
    until(lambda: bool(account.arrived), account)
    assert account.link.damaged == 4
    assert account.link.state("market") == "up"
    odd.close()


def test_a_frame_without_a_logon_is_advised_to_log_on(ears: Make) -> None:
    account = ears("account")
    make(account.keys, "market")
    odd = raw(account, "market")
    odd.send(seal(Envelope(1, 1, 1, False, "s", "risk", encode(order(1)))))
    until(lambda: bool(odd.get(zmq.EVENTS) & zmq.POLLIN), account)
    assert b"log on first" in odd.recv()
    assert account.arrived == []
    odd.close()


# --- strangers


@pytest.mark.parametrize("how", ["no CURVE", "PLAIN", "a fresh key", "a revoked key", "another server's key"])
@pytest.mark.parametrize("lane", ["every", "latest"])
def test_no_stranger_gets_in_at_any_socket(ears: Make, how: str, lane: str) -> None:
    account, market = pair(ears)
    market.hear(account, "s")
    make(account.keys, "revoked")
    socket = zmq.Context.instance().socket(zmq.DEALER if lane == "every" else zmq.SUB)
    socket.linger = 0
    if how == "PLAIN":
        socket.plain_username, socket.plain_password = b"market", b"secret"
    elif how != "no CURVE":
        keys = load(account.keys, "revoked")
        revoke(account.keys, "revoked")
        public, secret = zmq.curve_keypair() if how == "a fresh key" else (keys.public, keys.secret)
        socket.curve_publickey, socket.curve_secretkey = public, secret
        socket.curve_serverkey = zmq.curve_keypair()[0] if how.startswith("another") else load(account.keys, "account").public
    if lane == "latest":
        socket.subscribe(b"")
    attempts = 20
    for _ in range(attempts):
        socket.connect(account.link.addresses[lane == "latest"])
    for _ in range(attempts if lane == "every" else 0):
        socket.setsockopt(zmq.SNDTIMEO, 0)
        try:
            socket.send(logon(sender="revoked"))
            socket.send(seal(Envelope(1, 1, 1, False, "s", "risk", encode(order(1)))))
        except zmq.Again:
            break
    for _ in range(10):
        account.link.publish("n", "s", Tick("BTCUSDT"))
        idle(0.05, account, market)
    assert not socket.get(zmq.EVENTS) & zmq.POLLIN
    assert account.arrived == []
    assert set(account.link.states()) == {"market"}
    if how in ("a fresh key", "a revoked key"):
        assert account.link._door.refused > 0
    market.link.post("account", "s", "risk", order(2))
    until(lambda: bool(account.arrived) and bool(market.arrived), account, market)
    socket.close()


def test_an_enrolled_host_cannot_speak_as_another(ears: Make) -> None:
    account, _ = pair(ears)
    make(account.keys, "thief")
    thief = raw(account, "thief")
    thief.send(logon(epoch=99))
    until(lambda: bool(account.told(Refused)), account)
    assert account.told(Refused) == [Refused("market", "market is not what the key of thief may call itself")]
    assert account.link.state("market") == "up"
    thief.close()


def test_operators_share_a_key_and_are_forgotten_when_they_leave(ears: Make) -> None:
    account = ears("account")
    make(account.keys, "operator")
    for pid in ("operator:1", "operator:2"):
        tool = ears(pid, key="operator", epoch=1)
        tool.link.connect("account", account.link.endpoint, load(account.keys, "account").public)
        tool.link.post("account", pid, "account", News(headline="status?"))
        until(lambda: account.link.state(pid) == "up" and bool(account.arrived), account, tool)  # noqa: B023
        account.link.post(pid, "account", pid, News(headline="fine"))
        until(lambda: bool(tool.arrived), account, tool)  # noqa: B023
        tool.link.close()
        until(lambda: pid not in account.link.states(), account)  # noqa: B023
        account.arrived.clear()


@pytest.mark.parametrize("lane", ["every", "latest"])
def test_noise_on_a_port_does_not_keep_a_host_out(ears: Make, lane: str) -> None:
    account = ears("account")
    port = int(account.link.addresses[lane == "latest"].rpartition(":")[2])
    rng = random.Random(1)
    half_open = []
    for number in range(200):
        noise = plain.create_connection(("127.0.0.1", port), timeout=5)
        noise.sendall(rng.randbytes(rng.randrange(1, 2_000)))
        if number % 4:
            noise.close()
        else:
            half_open.append(noise)
        account.turn()
    market = ears("market", epoch=1)
    market.reach(account)
    market.hear(account, "s")
    market.link.post("account", "s", "risk", order(1))

    def heard() -> bool:
        account.link.publish("n", "s", Tick("BTCUSDT"))
        return {one.lane for one in market.arrived} == {"latest"} and bool(account.arrived)

    until(heard, account, market)
    for noise in half_open:
        noise.close()


def test_an_idle_session_stays_up(ears: Make) -> None:
    account, market = pair(ears)
    idle(3 * HEARTBEAT_NS / 1e9, account, market)
    assert market.told(Up) == [Up("account", 1)]
    assert account.told(Down) == market.told(Down) == []
    assert Heartbeat() not in market.messages()
