"""The session's stories: what arrives, what is asked for again, what is refused, and what dies with whom."""

from __future__ import annotations

import time
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import FRAME_BYTES_MAX, WireError, encode
from core.envelope import BODY_BYTES_MAX, NAME_CHARACTERS_MAX, Envelope, seal, unseal
from core.machine import TransitionError
from core.message import Heartbeat, Logon, Message, Reject, ResendRequest, TestRequest
from core.outgoing import Kept, Outgoing, SessionFull
from core.session import LOGON_WAIT_NS, ROOM, Down, Fresh, Refused, Session, Skipped, Up
from tests.session_pair import BEAT, STEP, End, Pair


def up(window: int = 8, kept_max: int = 6) -> Pair:
    pair = Pair(window, kept_max)
    pair.connect()
    pair.step(2)
    assert [end.session.state for end in pair.ends] == ["up", "up"]
    return pair


def word(message: Message, seq: int = 1, ack: int = 1) -> Envelope:
    return Envelope(seq, ack, 0, False, "", "", encode(message))


def logon(**fields: object) -> Logon:
    return Logon(**{"sender": "a", "target": "b", "epoch": 1, "heartbeat_ns": BEAT, **fields})  # type: ignore[arg-type]


# --- on the way


def test_messages_arrive_both_ways_in_order_and_only_after_the_logon() -> None:
    pair = Pair()
    for number in range(5):
        pair.a.send(b"a%d" % number)
        pair.b.send(b"b%d" % number)
    pair.step()
    pair.step(3)
    assert pair.b.taken == [b"a%d" % number for number in range(5)]
    assert pair.a.told(Up) == [Up("b", 1)]
    assert pair.b.told(Fresh) == [Fresh("a", 1, tuple(Kept(n + 1, "b", "a", b"b%d" % n) for n in range(5)))]
    assert pair.a.taken == []
    pair.b.send(b"now")
    pair.step()
    assert pair.a.taken == [b"now"]


def test_a_lost_message_and_all_behind_it_come_again() -> None:
    pair = up()
    for body in (b"1", b"2"):
        pair.a.send(body)
        pair.put()
    pair.wires[0].popleft()
    pair.step(3)
    assert pair.b.taken == [b"1", b"2"]
    assert (pair.b.session.gaps, pair.b.session.duplicates) == (1, 0)


def test_a_loss_at_the_end_is_seen_by_the_next_heartbeat() -> None:
    pair = up()
    pair.a.send(b"last")
    pair.put()
    pair.deliver(lose=True)
    pair.step(BEAT // STEP + 3)
    assert pair.b.taken == [b"last"]


def test_a_resend_request_that_is_lost_is_made_again() -> None:
    pair = up()
    for body in (b"1", b"2"):
        pair.a.send(body)
        pair.put()
    pair.wires[0].popleft()
    pair.deliver()
    pair.b.session.flush(pair.now)
    pair.step(3)
    assert pair.b.taken == []
    pair.step(2 * BEAT // STEP)
    assert pair.b.taken == [b"1", b"2"]


def test_what_comes_twice_is_delivered_once() -> None:
    pair = up()
    for number in range(4):
        pair.a.send(b"%d" % number)
    pair.put()
    pair.deliver(twice=True)
    pair.step(2)
    assert pair.b.taken == [b"0", b"1", b"2", b"3"]
    assert pair.b.session.duplicates == 4
    assert pair.b.session.state == "up"


def test_what_is_sent_again_says_that_it_may_have_come_before() -> None:
    pair = up()
    pair.a.send(b"1")
    pair.put()
    pair.a.session.hear(pair.now, word(ResendRequest(begin_seq_no=1)))
    (again,) = (unseal(frame) for frame in pair.a.session.flush(pair.now))
    assert (again.seq, again.possdup, again.body) == (1, True, b"1")


def test_only_so_many_are_on_the_way_at_once_and_the_rest_follows_the_journal() -> None:
    pair = up(window=4, kept_max=100)
    for number in range(10):
        pair.a.send(b"%d" % number)
    pair.step(3, journalling=False)
    assert len(pair.b.unjournalled) == 4
    pair.step(4 * BEAT // STEP)
    assert pair.b.taken == [b"%d" % number for number in range(10)]
    assert pair.a.session.outgoing.count == 0


def test_a_stream_one_way_is_acknowledged_without_waiting_for_a_heartbeat() -> None:
    pair = up(window=1_000, kept_max=1_000)
    for _ in range(64):
        pair.a.send(b"x")
    pair.step(2)
    assert pair.a.session.outgoing.count == 0


def test_what_is_journalled_out_of_order_is_acknowledged_when_all_before_it_is() -> None:
    pair = up()
    for _ in range(3):
        pair.a.send(b"x")
    pair.put()
    pair.deliver()
    known = []
    for seq in (3, 1, 9, 2):
        pair.b.session.taken(seq)
        pair.b.send(b"y")
        (frame,) = pair.b.session.flush(pair.now)
        known.append(unseal(frame).ack)
    assert known == [1, 2, 2, 4]


# --- room


def test_room_shrinks_with_what_is_not_acknowledged_and_reports_go_on_beyond_it() -> None:
    pair = up(window=10**6, kept_max=10**6)
    for _ in range(ROOM + 5):
        pair.a.send(b"x")
    assert pair.a.session.room == -5
    pair.step(3)
    assert pair.a.session.room == ROOM


def test_memory_is_bounded_and_the_journal_stands_behind_it() -> None:
    pair = up(window=5, kept_max=3)
    for number in range(40):
        pair.a.send(b"%d" % number)
    assert len(pair.a.session.outgoing._kept) == 3
    pair.step(10 * BEAT // STEP)
    assert pair.b.taken == [b"%d" % number for number in range(40)]


def test_without_a_journal_a_full_memory_is_an_error_and_numbers_nothing() -> None:
    outgoing = Outgoing(kept_max=2)
    outgoing.number("s", "t", b"")
    outgoing.number("s", "t", b"")
    with pytest.raises(SessionFull, match="2 messages are not acknowledged"):
        outgoing.number("s", "t", b"")
    assert outgoing.next_seq == 3


def test_what_no_frame_can_hold_gets_no_number() -> None:
    outgoing = Outgoing()
    for source, target, body in (("s", "t", b"x" * (BODY_BYTES_MAX + 1)), ("s", "", b""), ("s" * 129, "t", b"")):
        with pytest.raises(WireError):
            outgoing.number(source, target, body)
    assert outgoing.next_seq == 1
    name = "\U0001f600" * NAME_CHARACTERS_MAX
    outgoing.number(name, name, b"x" * BODY_BYTES_MAX)
    assert len(outgoing.frames(2**63 - 1, 2**63 - 1)[0]) <= FRAME_BYTES_MAX


def test_numbers_that_the_journal_does_not_have_are_filled_by_saying_so() -> None:
    pair = up(window=10, kept_max=10)
    for number in range(6):
        pair.a.send(b"%d" % number)
    pair.cut()
    pair.a.session = Session("a", "b", Outgoing(lambda first, last: [pair.a.numbered[3]]), initiates=True, epoch=1)
    pair.a.session.restore(1, 7, 1)
    pair.step(BEAT // STEP)
    assert pair.b.unjournalled == []
    assert pair.b.taken == [b"3"]
    assert pair.b.told(Skipped) == [Skipped("a", 1, 3), Skipped("a", 5, 6)]
    assert pair.b.session.next_expected == 7


# --- who dies


def test_a_connection_that_falls_costs_nothing() -> None:
    pair = up()
    for number in range(20):
        pair.a.send(b"a%d" % number)
        pair.b.send(b"b%d" % number)
        pair.put()
        if number % 5 == 0:
            pair.cut()
        pair.step()
    pair.step(2 * BEAT // STEP)
    assert pair.b.taken == [b"a%d" % number for number in range(20)]
    assert pair.a.taken == [b"b%d" % number for number in range(20)]


def test_what_was_received_and_not_journalled_comes_again_after_a_death() -> None:
    pair = up()
    pair.a.send(b"1")
    pair.a.send(b"2")
    pair.put()
    pair.deliver(1)
    pair.b.journal()
    pair.deliver()
    assert pair.b.unjournalled == [b"2"]
    pair.die(pair.b)
    pair.step(3)
    assert pair.b.taken == [b"1", b"2"]


def test_what_a_dead_end_had_journalled_and_not_sent_leaves_after_its_recovery() -> None:
    pair = up()
    pair.b.send(b"sent")
    pair.put()
    pair.deliver()
    pair.b.send(b"journalled")
    pair.die(pair.b)
    pair.step(3)
    assert pair.a.unjournalled + pair.a.taken == [b"sent", b"journalled"]


def test_a_new_life_begins_at_one_and_what_the_old_one_never_acknowledged_is_handed_out() -> None:
    pair = up()
    pair.b.send(b"known")
    pair.step(BEAT // STEP + 2)
    pair.b.send(b"heard, and not acknowledged yet")
    pair.a.send(b"of the old life")
    pair.step(2)
    pair.b.send(b"never left")
    pair.die(pair.a)
    pair.a.send(b"of the new life")
    pair.step(3)
    assert pair.b.told(Fresh)[-1] == Fresh(
        "a", 2, (Kept(2, "b", "a", b"heard, and not acknowledged yet"), Kept(3, "b", "a", b"never left"))
    )
    assert pair.b.taken == [b"of the new life"]
    assert pair.b.session.next_expected == 2


def test_a_new_life_of_whom_a_recovered_end_knows_nothing_does_not_bring_up_the_whole_journal() -> None:
    pair = up()
    for _ in range(20):
        pair.b.send(b"x")
        pair.step(3)
    pair.die(pair.b)
    pair.b.send(b"since then")
    pair.die(pair.a)
    pair.step(3)
    assert pair.b.told(Fresh)[-1] == Fresh("a", 2, (Kept(21, "b", "a", b"since then"),))


def test_an_epoch_that_is_over_is_refused() -> None:
    pair = up()
    pair.die(pair.a)
    pair.step(3)
    pair.cut()
    pair.b.session.hear(pair.now, word(logon(epoch=1)))
    pair.b.notice()
    assert pair.b.told(Refused) == [Refused("a", "epoch 1 is over: 2 lives")]


def test_an_end_that_has_forgotten_what_it_acknowledged_is_refused_until_a_new_epoch() -> None:
    pair = up()
    for end in pair.ends:
        end.send(b"x")
    pair.step(BEAT // STEP + 2)
    pair.cut()
    pair.b.taken, pair.b.numbered = [], []
    pair.b.session = pair.b.begin()
    pair.step(3)
    assert [end.session.state for end in pair.ends] == ["refused", "refused"]
    (refused,) = pair.b.told(Refused)
    assert "a expects number 2; it acknowledged all below 1, and 1 is the next" in str(refused)
    pair.die(pair.a)
    pair.step(3)
    assert [end.session.state for end in pair.ends] == ["up", "up"]


def test_numbers_that_jump_back_in_the_same_epoch_are_refused() -> None:
    pair = up()
    for _ in range(3):
        pair.a.send(b"x")
    pair.step(3)
    pair.b.session.hear(pair.now, Envelope(1, 1, pair.now + 1, False, "a", "b", b"y"))
    pair.b.notice()
    assert pair.b.told(Refused) == [Refused("a", "a sends number 1 again, where 4 is expected")]
    (frame,) = pair.b.session.flush(pair.now)
    assert unseal(frame).body == encode(Reject(ref_seq_num=1, text="a sends number 1 again, where 4 is expected"))
    pair.a.session.hear(pair.now, unseal(frame))
    assert pair.a.session.state == "refused"


def test_a_logon_that_would_count_again_from_the_beginning_is_refused() -> None:
    pair = up()
    pair.a.send(b"x")
    pair.step(3)
    pair.cut()
    pair.a.numbered = []
    pair.a.session = pair.a.begin()
    pair.step(3)
    assert [str(event.text) for event in pair.b.told(Refused)] == [  # type: ignore[attr-defined]
        "numbers jumped back: a would send 1 next, where 2 is expected"
    ]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (logon(sender="c"), "a logon of 'c' to 'b'"),
        (logon(target="c"), "a logon of 'a' to 'c'"),
        (logon(heartbeat_ns=0), "a heartbeat every 0 ns"),
        (logon(heartbeat_ns=10**12), "a heartbeat every"),
        (logon(next_expected=2), "a expects number 2"),
        (logon(next_expected=0), "a expects number 0"),
        (logon(epoch=-1), "epoch -1 is over: 0 lives"),
    ],
)
def test_a_logon_that_cannot_be_is_refused_with_the_reason(wrong: Logon, says: str) -> None:
    end = End("b", "a", False)
    end.session.hear(1, word(wrong))
    assert end.session.state == "refused"
    assert says in str(end.session.events)


@pytest.mark.parametrize(
    "envelope", [word(Heartbeat(), ack=9), word(ResendRequest(begin_seq_no=9)), Envelope(1, 9, 1, False, "a", "b", b"")]
)
def test_what_was_never_sent_can_be_neither_acknowledged_nor_asked_for(envelope: Envelope) -> None:
    pair = up()
    assert not pair.b.session.hear(pair.now, envelope)
    assert pair.b.session.state == "refused"
    assert "never sent" in str(pair.b.session.events)


# --- silence


def test_silence_is_answered_by_a_test_request_and_then_by_the_end() -> None:
    pair = up()
    pair.a.send(b"x")
    pair.step()
    since = pair.now
    pair.cut(noticed=False)
    said: list[tuple[float, str]] = []
    while pair.b.session.state == "up":
        pair.now += STEP
        pair.b.session.tick(pair.now)
        for frame in pair.b.session.flush(pair.now):
            said.append(((pair.now - since) / BEAT, unseal(frame).body[:3].decode(errors="replace")))
    assert 2.5 <= (pair.now - since) / BEAT <= 2.55
    assert (pair.now - since) / 1e9 < 3
    assert encode(TestRequest())[:3].decode(errors="replace") in {kind for at, kind in said if 1.5 <= at < 1.6}
    pair.b.notice()
    assert "nothing heard of a for 1.2" in str(pair.b.told(Down))


def test_a_test_request_is_answered_and_the_session_lives() -> None:
    pair = up()
    pair.b.session.hear(pair.now, word(TestRequest(test_req_id="7")))
    (frame,) = pair.b.session.flush(pair.now)
    assert unseal(frame).body == encode(Heartbeat(test_req_id="7"))


def test_heartbeats_keep_an_idle_session_up() -> None:
    pair = up()
    pair.step(100 * BEAT // STEP)
    assert [end.session.state for end in pair.ends] == ["up", "up"]
    assert len(pair.a.told(Up)) == 1


def test_a_tick_says_when_to_come_again() -> None:
    pair = up()
    assert pair.now < pair.a.session.tick(pair.now) <= pair.now + BEAT
    pair.cut()
    pair.connect()
    assert pair.a.session.tick(pair.now) == pair.now + LOGON_WAIT_NS


def test_a_logon_without_an_answer_is_given_up() -> None:
    end = End("a", "b", True)
    end.session.connected(0)
    end.session.tick(LOGON_WAIT_NS - 1)
    assert end.session.state == "asked"
    end.session.tick(LOGON_WAIT_NS)
    assert (end.session.state, end.session.events) == ("down", [])


def test_who_leaves_is_answered_and_both_are_down() -> None:
    pair = up()
    pair.a.session.leave("the day is over")
    pair.put()
    pair.deliver()
    pair.put()
    pair.deliver()
    assert [end.session.state for end in pair.ends] == ["down", "down"]
    assert pair.b.told(Down) == [Down("a", "a left: the day is over", True)]


def test_words_out_of_place_are_counted_and_change_nothing() -> None:
    end = End("b", "a", False)
    for message in (Heartbeat(), TestRequest(), ResendRequest(begin_seq_no=1), Reject()):
        end.session.hear(1, word(message))
    end.session.hear(1, Envelope(1, 1, 1, False, "a", "b", b"x"))
    assert (end.session.state, end.session.strange, end.session.busy) == ("down", 5, False)
    with pytest.raises(WireError):
        end.session.hear(1, Envelope(1, 1, 1, False, "", "", b"\xff"))
    with pytest.raises(TransitionError):
        end.session.machine.to("leaving")


# --- everything at once

ACTS = ("send a", "send b", "put", "deliver", "deliver one", "twice", "lose one", "cut", "cut silently", "journal a",
        "journal b", "step", "a dies", "b dies")  # fmt: skip


class Story:
    """Runs acts, and knows what each life of each end must have heard."""

    def __init__(self) -> None:
        self.pair = Pair(window=5, kept_max=4)
        self.count = 0

    def act(self, what: str) -> None:
        pair = self.pair
        verb, _, rest = what.partition(" ")
        if what in ("a dies", "b dies"):
            pair.die(pair.a if verb == "a" else pair.b)
        elif verb == "send":
            self.count += 1
            (pair.a if rest == "a" else pair.b).send(b"%d" % self.count)
        elif verb == "journal":
            (pair.a if rest == "a" else pair.b).journal()
        elif verb == "cut":
            pair.cut(noticed=not rest)
        elif verb == "put":
            pair.put()
        elif verb == "step":
            pair.step()
        else:
            pair.deliver(1 if rest else 10**6, twice=verb == "twice", lose=verb == "lose")
        self.check()

    def check(self) -> None:
        """At all times what an end has heard of the other's present life is the beginning of what that numbered."""
        a, b = self.pair.ends
        for one, other in ((a, b), (b, a)):
            if one.epoch == other.epoch:
                heard = one.taken + one.unjournalled
                assert heard == [kept.body for kept in other.numbered[: len(heard)]]
            assert one.session.state != "refused", one.events

    def settle(self) -> None:
        """In calm everything comes through: a window of it a heartbeat."""
        beats = 10 + max(end.session.outgoing.count for end in self.pair.ends) // 4
        for _ in range(beats * BEAT // STEP):
            self.pair.step()
            self.check()
        a, b = self.pair.ends
        assert a.epoch == b.epoch
        assert b.taken == [kept.body for kept in a.numbered]
        assert a.taken == [kept.body for kept in b.numbered]
        assert a.session.outgoing.count == b.session.outgoing.count == 0


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(ACTS), max_size=80))
def test_everything_arrives_once_in_order_whatever_falls_doubles_waits_or_dies(acts: list[str]) -> None:
    story = Story()
    for act in acts:
        story.act(act)
    story.settle()


@pytest.mark.slow
def test_the_same_over_long_stories_from_seeds() -> None:
    """Counts that each kind of trouble happened."""
    died = gaps = duplicates = 0
    for seed in range(150):
        rng, story = np.random.default_rng(seed), Story()
        odds = rng.random(len(ACTS)) ** 2
        odds[:4] += 1
        odds[-2:] /= 40
        for act in rng.choice(ACTS, 2_000, p=odds / odds.sum()):
            story.act(str(act))
            died += act.endswith("dies")
        story.settle()
        gaps += sum(end.session.gaps for end in story.pair.ends)
        duplicates += sum(end.session.duplicates for end in story.pair.ends)
    assert min(died, gaps, duplicates) > 100, (died, gaps, duplicates)


# --- bytes


def test_an_envelope_comes_back_equal() -> None:
    envelope = Envelope(1, 2, 1_780_000_000_000_000_000, True, "strategy:é", "risk", b"\x00\xff")
    assert unseal(seal(envelope)) == envelope


@pytest.mark.parametrize(
    "bomb",
    [b"\x91" * 60_000, b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\x97\xc6\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff",
     b"\x97\x01\x01\x01\xc2\xdb\x40\x00\x00\x00", b"\x97" + b"\x91" * 50_000, b"\x00" * (FRAME_BYTES_MAX + 1), b"",
     seal(Envelope(1, 1, 1, False, "s", "t", b"")) + b"\x00", b"\x97\xff\x01\x01\xc2\xa1s\xa1t\xc4\x00",
     seal(Envelope(1, 1, 1, False, "s" * 129, "t", b"")), b"\x98\x01\x01\x01\xc2\xa1s\xa1t\xc4\x00\x00"],
)  # fmt: skip
def test_bombs_of_size_and_depth_are_refused_at_once(bomb: bytes) -> None:
    start = time.perf_counter()
    with pytest.raises(WireError):
        unseal(bomb)
    assert time.perf_counter() - start < 0.01


def fuzz(count: int, seed: int) -> tuple[int, int]:
    """Any bytes are an envelope or a WireError, and a session takes any envelope. Returns how many of each there were."""
    rng = np.random.default_rng(seed)
    seeds = [seal(Envelope(n, 1, n, n % 2 == 0, *names, encode(message))) for n, names, message in (
        (1, ("", ""), logon()), (2, ("a", "b"), Heartbeat()), (70_000, ("", ""), ResendRequest(begin_seq_no=3)),
        (1, ("", ""), TestRequest(test_req_id="x")), (2**62, ("a", "b"), Reject(text="é")),
    )]  # fmt: skip
    noise = rng.integers(0, 256, 1 << 20, dtype=np.uint8).tobytes()
    places = rng.integers(0, 1 << 16, (count, 4))
    fine = wrong = 0
    session = Session("b", "a", Outgoing(), initiates=False)
    for which, place, length, byte in places.tolist():
        if which % 4 == 0:
            frame = noise[place * 15 : place * 15 + length % 64]
        else:
            damaged = bytearray(seeds[which % len(seeds)])
            damaged[place % len(damaged)] = byte & 255
            if which % 4 == 1:
                damaged[byte % len(damaged)] ^= 1 << (length & 7)
            frame = bytes(damaged)
        try:
            envelope = unseal(frame)
            fine += 1
            with suppress(WireError):
                session.hear(5, envelope)
        except WireError:
            wrong += 1
        if session.state == "refused" or len(session.events) > 100:
            session = Session("b", "a", Outgoing(), initiates=False)
    return fine, wrong


def test_any_bytes_are_an_envelope_or_a_wire_error() -> None:
    assert min(fuzz(20_000, 1)) > 1_000


@pytest.mark.slow
def test_a_million_damaged_frames_are_envelopes_or_wire_errors() -> None:
    assert min(fuzz(1_000_000, 2)) > 50_000
