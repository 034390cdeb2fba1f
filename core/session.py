"""A session: what is sent on the every lane between two hosts arrives once, in order, whatever dies: host or connection.

It moves no bytes and reads no clock: whoever owns the connection says when it stands or fell, brings frames and takes them away.

*Numbers.* Each direction numbers its messages from 1. The session's own words (logon, heartbeat, ...) have none: they carry the
number that their sender will put on the wire next, so that a loss at the end is seen by the next heartbeat. The number that is
expected is delivered. A lower one was seen before and is dropped. A higher one is dropped too, and everything from the missing
one on is asked for again. A number that is lower, not marked as perhaps a duplicate, and sent later than what is known, comes
from somebody who counts from the beginning again: that is refused.

*Acknowledgement.* Each frame says below which number its sender has journalled everything. Only that lets the other end forget:
what was merely received dies with its process (`core/outgoing.py`).

*Logon.* The one who initiates says its name, its epoch (which life of its process) and which number it expects; the other end
answers alike, and both go on from there. A later epoch begins both directions at 1, and what had not been acknowledged is
handed out as abandoned, because those whom it was for are gone. An earlier epoch is refused: its process should be dead. So are
numbers that cannot be: an end expects what was never sent, or what it had acknowledged. Then one end has forgotten something,
nobody can say what, and only a new epoch helps.

*Silence.* After an interval without sending, a heartbeat; after one and a half without hearing, a test request; after two and
a half the connection is lost.

*Room.* Unacknowledged messages are counted; `room` is what new orders may use. Answers and cancels are numbered beyond it.

Left out: numbers for heartbeats, a reset on request, the last number of a resend request (all is sent again from its first).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from core.codec import decode, encode
from core.envelope import Envelope, seal
from core.machine import ANY, Machine
from core.message import Heartbeat, Logon, Logout, Message, Reject, ResendRequest, SequenceReset, TestRequest
from core.outgoing import Kept, Outgoing

HEARTBEAT_NS: Final = 500_000_000
"""The loss of the other end must be seen within 3 s: two and a half intervals are 1.25 s, and a host may stall as long again."""
HEARTBEAT_NS_RANGE: Final = (1_000_000, 10_000_000_000)
LOGON_WAIT_NS: Final = 1_000_000_000
"""A logon takes a handshake and a turn of the other host, some milliseconds; a turn that compiles something may take a second."""
ROOM: Final = 1_024
"""Unacknowledged messages before new orders are refused. A kill of 200 orders and its reports is under half of it."""
ACKNOWLEDGE_EVERY: Final = 64
"""Messages taken before a heartbeat out of turn says so: the window never stops a stream, and it costs a frame in 64."""

MOVES: Final = (
    ("down", "asked"),  # a connection stands, and our logon is on its way
    ("down", "up"),  # their logon came
    ("asked", "up"),  # ours was answered
    ("asked", "down"),  # or was not
    ("up", "leaving"),  # we said that we leave
    ("up", "down"),  # the connection fell, fell silent, or they left
    ("leaving", "down"),
    ("down", "refused"),
    ("asked", "refused"),
    ("up", "refused"),  # a rule was broken: by them, or as they say by us
    ("leaving", "refused"),
    ("refused", "up"),  # they came back in a new epoch
    ("refused", "asked"),  # somebody told us to try again
)
ANSWERING: Final = ("down", "up", "refused")
"""The states in which a logon may come to the end that does not initiate."""


class Up(NamedTuple):
    """The session stands."""

    peer: str
    epoch: int


class Down(NamedTuple):
    """It does not stand any more; it will go on where it was. Whether the peer meant to leave."""

    peer: str
    text: str
    meant: bool = False


class Fresh(NamedTuple):
    """The peer begins a new life; these messages to its old one were never acknowledged."""

    peer: str
    epoch: int
    abandoned: tuple[Kept, ...]


class Refused(NamedTuple):
    """A rule was broken, by them or as they say by us; only a new epoch helps."""

    peer: str
    text: str


class Skipped(NamedTuple):
    """These numbers, both included, hold nothing any more, says the peer."""

    peer: str
    first: int
    last: int


Event = Up | Down | Fresh | Refused | Skipped


class Session:
    """One end of one session."""

    def __init__(
        self, me: str, peer: str, outgoing: Outgoing, *, initiates: bool, epoch: int = 0, heartbeat_ns: int = HEARTBEAT_NS
    ) -> None:
        self.me, self.peer, self.initiates, self.heartbeat_ns = me, peer, False, heartbeat_ns
        self.outgoing, self.events = outgoing, list[Event]()
        self.duplicates = self.gaps = self.strange = 0
        self._words: list[Message] = []
        self._heard = self._spoke = self._asked_again = self._tested = 0
        self._why = ""
        self.restore(epoch, 1, 1)
        self.machine = Machine(MOVES, "down")
        for state in ANSWERING:
            self.machine.add(state, Logon, self._on_logon)
        for state in ("up", "leaving"):
            self.machine.add(state, Heartbeat, lambda word: None)
            self.machine.add(state, TestRequest, self._on_test_request)
            self.machine.add(state, ResendRequest, self._on_resend_request)
            self.machine.add(state, SequenceReset, self._on_sequence_reset)
        for state in ("asked", "up", "leaving"):
            self.machine.add(state, Reject, self._on_reject)
            self.machine.add(state, Logout, self._on_logout)
        self.machine.add(ANY, Logout, lambda word: None)
        if initiates:
            self.initiate(epoch)

    def initiate(self, epoch: int) -> None:
        """From now on this end is the one who logs on; what it numbered before is of this epoch."""
        for state in ANSWERING:
            self.machine.remove(state, Logon, self._on_logon)
        self.machine.add("asked", Logon, self._on_logon)
        self.initiates, self.epoch = True, epoch

    def restore(self, epoch: int, next_send: int, next_expected: int) -> None:
        """Begin where a journal ends: the initiator's epoch, and both directions' next numbers."""
        self.epoch, self.next_expected = epoch, next_expected
        self.outgoing.restore(next_send)
        self._taken = self._told = next_expected - 1
        self._taken_ahead: set[int] = set()
        self._newest_sent = 0

    @property
    def state(self) -> str:
        """down, asked, up, leaving or refused."""
        return self.machine.state

    @property
    def room(self) -> int:
        """How many more messages there is room for before new orders are to be refused; may be negative."""
        return ROOM - self.outgoing.count

    @property
    def busy(self) -> bool:
        """Whether `flush` would give anything."""
        return bool(self._words) or (self.machine.state == "up" and self.outgoing.waits)

    def flush(self, now: int) -> list[bytes]:
        """The frames that may leave now: the session's words, then messages by number."""
        frames, out, ack = [], self.outgoing, self._taken + 1
        if self._words:
            for word in self._words:
                seq = out.next_seq if type(word) is Logon else out.cursor
                frames.append(seal(Envelope(seq, ack, now, False, "", "", encode(word))))
            self._words.clear()
        if self.machine.state == "up" and out.cursor < out.next_seq:
            frames += out.frames(now, ack)
        if frames:
            self._spoke, self._told = now, self._taken
        return frames

    # --- what is heard

    def hear(self, now: int, envelope: Envelope) -> bool:
        """Take a frame; whether it is a message to be delivered. Raises WireError for a word that is none."""
        if not envelope.target:
            self._hear_word(now, envelope)
            return False
        if self.machine.state not in ("up", "leaving"):
            self.strange += 1
            return False
        self._heard = now
        if envelope.ack > self.outgoing.acknowledged and not self._acknowledge(envelope.ack):
            return False
        if envelope.seq == self.next_expected:
            self.next_expected += 1
            self._newest_sent, self._asked_again = envelope.sent, 0
            return True
        if envelope.seq > self.next_expected:
            self._gap(now)
        elif envelope.possdup or envelope.sent <= self._newest_sent:
            self.duplicates += 1
        else:
            self.refuse(f"{self.peer} sends number {envelope.seq} again, where {self.next_expected} is expected", envelope.seq)
        return False

    def taken(self, seq: int) -> None:
        """This number is journalled here; the other end may forget it when all before it are, too. They may come in any order."""
        if seq != self._taken + 1:
            if self._taken < seq < self.next_expected:  # what is not, is of an epoch that is over
                self._taken_ahead.add(seq)
            return
        self._taken = seq
        while self._taken + 1 in self._taken_ahead:
            self._taken += 1
            self._taken_ahead.remove(self._taken)
        if self._taken - self._told >= ACKNOWLEDGE_EVERY and self.machine.state == "up" and not self._words:
            self._words.append(Heartbeat())

    def objection(self, logon: Logon, envelope: Envelope) -> str:
        """Why a logon cannot be taken; "" when it can."""
        fresh = not self.initiates and logon.epoch > self.epoch
        out = self.outgoing
        known, sent, expected = (1, 1, 1) if fresh else (out.acknowledged, out.next_seq, self.next_expected)
        least, most = HEARTBEAT_NS_RANGE
        if (logon.sender, logon.target) != (self.peer, self.me):
            return f"a logon of {logon.sender!r} to {logon.target!r} in the session of {self.peer!r} and {self.me!r}"
        if not least <= logon.heartbeat_ns <= most:
            return f"a heartbeat every {logon.heartbeat_ns} ns"
        if not fresh and logon.epoch != self.epoch:
            return f"epoch {logon.epoch} is over: {self.epoch} lives"
        if not fresh and self.state == "refused":
            return f"epoch {self.epoch} was refused: {self._why}"
        if envelope.seq < expected:
            return f"numbers jumped back: {self.peer} would send {envelope.seq} next, where {expected} is expected"
        if not (known <= logon.next_expected <= sent and envelope.ack <= logon.next_expected):
            return f"{self.peer} expects number {logon.next_expected}; it acknowledged all below {known}, and {sent} is the next"
        return ""

    def _hear_word(self, now: int, envelope: Envelope) -> None:
        word = decode(envelope.body)
        self._heard, self._envelope = now, envelope
        if self.state in ("up", "leaving") and type(word) is not Logon:
            if envelope.ack > self.outgoing.acknowledged and not self._acknowledge(envelope.ack):
                return
            if envelope.seq > self.next_expected:
                self._gap(now)
        if not self.machine.handle(word):
            self.strange += 1

    def _acknowledge(self, ack: int) -> bool:
        if ack > self.outgoing.next_seq:
            self.refuse(f"{self.peer} acknowledges number {ack - 1}, which was never sent")
            return False
        self.outgoing.acknowledge(ack)
        return True

    def _gap(self, now: int) -> None:
        if now - self._asked_again >= self.heartbeat_ns or not self._asked_again:
            self.gaps += not self._asked_again
            self._asked_again = now
            self._words.append(ResendRequest(begin_seq_no=self.next_expected))

    def _on_logon(self, logon: Logon) -> None:
        problem = self.objection(logon, self._envelope)
        if problem:
            self.refuse(problem)
            return
        if logon.epoch > self.epoch:
            abandoned = self.outgoing.left()
            self.restore(logon.epoch, 1, 1)
            self.events.append(Fresh(self.peer, self.epoch, abandoned))
        if not self.initiates:
            self.heartbeat_ns = logon.heartbeat_ns
            self._words = [self._logon()]
        self.outgoing.acknowledge(self._envelope.ack)
        self.outgoing.cursor = logon.next_expected
        self._asked_again = self._tested = 0
        if self.state != "up":
            self.machine.to("up")
            self.events.append(Up(self.peer, self.epoch))

    def _logon(self) -> Logon:
        return Logon(
            sender=self.me,
            target=self.peer,
            epoch=self.epoch,
            next_expected=self.next_expected,
            heartbeat_ns=self.heartbeat_ns,
        )

    def _on_test_request(self, word: TestRequest) -> None:
        self._words.append(Heartbeat(test_req_id=word.test_req_id))

    def _on_resend_request(self, word: ResendRequest) -> None:
        if word.begin_seq_no > self.outgoing.next_seq:
            self.refuse(f"{self.peer} asks for number {word.begin_seq_no}, which was never sent")
        else:
            self.outgoing.rewind(word.begin_seq_no)

    def _on_sequence_reset(self, word: SequenceReset) -> None:
        if self._envelope.seq <= self.next_expected < word.new_seq_no:
            self.events.append(Skipped(self.peer, self.next_expected, word.new_seq_no - 1))
            empty = range(self.next_expected, word.new_seq_no)
            self.next_expected, self._asked_again = word.new_seq_no, 0
            for seq in empty:
                self.taken(seq)

    def _on_reject(self, word: Reject) -> None:
        self._end("refused", Refused(self.peer, f"{self.peer} refuses: {word.text}"), word.text)

    def _on_logout(self, word: Logout) -> None:
        answers = self.state == "up"
        self._end("down", Down(self.peer, f"{self.peer} left: {word.text}", True))
        if answers:
            self._words.append(Logout())

    # --- what happens to the connection

    def connected(self, now: int) -> None:
        """A connection to the other end stands, or will; the one who initiates logs on."""
        self._words = [self._logon()]
        self._heard = self._spoke = now
        self.machine.to("asked")

    def disconnected(self, text: str) -> None:
        """The connection fell. Nothing is forgotten, and one that never stood is no news."""
        if self.state == "asked":
            self.machine.to("down")
        elif self.state in ("up", "leaving"):
            self._end("down", Down(self.peer, text))
        self._words.clear()

    def leave(self, text: str) -> None:
        """Say that this end leaves; the session is down when the other end says so too, or falls silent."""
        if self.state == "up":
            self._words.append(Logout(text=text))
            self.machine.to("leaving")

    def refuse(self, text: str, seq: int = 0) -> None:
        """End the session because a rule was broken, and say which."""
        self._end("refused", Refused(self.peer, text), text)
        self._words.append(Reject(ref_seq_num=seq, text=text))

    def _end(self, state: str, event: Event, why: str = "") -> None:
        self._words.clear()
        self._why = why
        self.machine.to(state)
        self.events.append(event)

    def tick(self, now: int) -> int:
        """Do what silence asks for; returns when to come again at the latest (ns UTC)."""
        state, beat, silence = self.state, self.heartbeat_ns, now - self._heard
        if state == "asked" and silence >= LOGON_WAIT_NS:
            self.disconnected("no answer to the logon")
        elif state in ("up", "leaving"):
            if silence >= beat * 5 // 2:
                self.disconnected(f"nothing heard of {self.peer} for {silence / 1e9:.2f} s")
            elif silence >= beat * 3 // 2 and self._tested < self._heard:
                self._tested = now
                self._words.append(TestRequest(test_req_id=str(now)))
            elif now - self._spoke >= beat and not self._words:
                self._words.append(Heartbeat())
        return self._due(now)

    def _due(self, now: int) -> int:
        state, beat = self.state, self.heartbeat_ns
        if state == "asked":
            return self._heard + LOGON_WAIT_NS
        if state not in ("up", "leaving"):
            return now + beat
        silent = self._heard + (beat * 5 // 2 if self._tested >= self._heard else beat * 3 // 2)
        return min(silent, (now if self._words else self._spoke) + beat)
