"""Two ends of a session plugged into each other over a channel that fails, each with a host that journals, dies and comes back.

What an end took and what it numbered is all that survives its death, as a tape does. Time is handed out here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from core.envelope import unseal
from core.outgoing import Kept, Outgoing
from core.session import Fresh, Session

BEAT = 500_000_000
STEP = 10_000_000


class End:
    """A session and the host around it: `taken` and `numbered` are its journal, `heard` what it delivered in this epoch."""

    def __init__(self, me: str, peer: str, initiates: bool, window: int = 8, kept_max: int = 6) -> None:
        self.me, self.peer, self.initiates, self.window, self.kept_max = me, peer, initiates, window, kept_max
        self.epoch = 1 if initiates else 0
        self.taken: list[bytes] = []
        self.numbered: list[Kept] = []
        self.unjournalled: list[bytes] = []
        self.events: list[object] = []
        self.session = self.begin()

    def begin(self) -> Session:
        """A fresh session, brought to where the journal ends."""
        outgoing = Outgoing(self.older, self.window, self.kept_max)
        session = Session(self.me, self.peer, outgoing, initiates=self.initiates, epoch=self.epoch)
        session.restore(self.epoch, len(self.numbered) + 1, len(self.taken) + 1)
        return session

    def older(self, first: int, last: int) -> Iterator[Kept]:
        """The journal's answer."""
        yield from self.numbered[first - 1 : last]

    def send(self, body: bytes) -> None:
        """Number a message and journal it."""
        seq = self.session.outgoing.number(self.me, self.peer, body)
        self.numbered.append(Kept(seq, self.me, self.peer, body))

    def hear(self, now: int, frame: bytes) -> None:
        """Take a frame; what is delivered waits for the journal."""
        envelope = unseal(frame)
        if self.session.hear(now, envelope):
            self.unjournalled.append(envelope.body)
        self.notice()

    def journal(self) -> None:
        """Write down what was delivered, and say so."""
        for body in self.unjournalled:
            self.taken.append(body)
            self.session.taken(len(self.taken))
        self.unjournalled.clear()

    def notice(self) -> None:
        """Look at the session's events; a peer's new life begins both journals of this pair at 1."""
        for event in self.session.events:
            if isinstance(event, Fresh):
                self.taken, self.numbered, self.unjournalled, self.epoch = [], [], [], event.epoch
            self.events.append(event)
        self.session.events.clear()

    def die(self) -> None:
        """Lose everything but the journal; an initiator comes back in a new epoch, with none."""
        self.unjournalled.clear()
        if self.initiates:
            self.epoch += 1
            self.taken, self.numbered = [], []
        self.session = self.begin()

    def told(self, kind: type) -> list[object]:
        """The events of one type so far."""
        return [event for event in self.events if isinstance(event, kind)]


class Pair:
    """Both ends and the connection between them, which keeps order, and drops what is on it when it falls."""

    def __init__(self, window: int = 8, kept_max: int = 6) -> None:
        self.now = 1_000 * BEAT
        self.a = End("a", "b", True, window, kept_max)
        self.b = End("b", "a", False, window, kept_max)
        self.ends = (self.a, self.b)
        self.stands = False
        self.wires: tuple[deque[bytes], deque[bytes]] = (deque(), deque())

    def connect(self) -> None:
        """A connection comes to stand; the initiator logs on."""
        self.stands = True
        self.a.session.connected(self.now)

    def cut(self, *, noticed: bool = True) -> None:
        """The connection falls, with all that is on it; an end that does not notice goes by the silence."""
        self.stands = False
        for wire, end in zip(self.wires, self.ends, strict=True):
            wire.clear()
            if noticed:
                end.session.disconnected("the connection fell")

    def die(self, end: End) -> None:
        """An end dies and comes back; with it falls the connection."""
        self.cut()
        end.die()

    def put(self) -> None:
        """What may leave goes on its way."""
        for wire, end in zip(self.wires, self.ends, strict=True):
            frames = end.session.flush(self.now)
            if self.stands:
                wire.extend(frames)

    def deliver(self, count: int = 10**6, *, twice: bool = False, lose: bool = False) -> None:
        """Bring some frames each way: once, twice, or not at all."""
        for wire, end in zip(self.wires, reversed(self.ends), strict=True):
            for _ in range(min(count, len(wire))):
                frame = wire.popleft()
                for _ in range(0 if lose else 2 if twice else 1):
                    end.hear(self.now, frame)

    def step(self, count: int = 1, *, journalling: bool = True) -> None:
        """Let some time pass with everything running: both ends tick, journal and send; what was sent arrives."""
        for _ in range(count):
            self.now += STEP
            for end in self.ends:
                end.session.tick(self.now)
                end.notice()
            if not self.stands and self.a.session.state == "down":
                self.connect()
            elif self.stands and self.a.session.state == "down":
                self.cut()
            self.put()
            self.deliver()
            for end in self.ends:
                if journalling:
                    end.journal()
