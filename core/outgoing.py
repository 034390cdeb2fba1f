"""The sending half of a session: messages numbered, kept until they are acknowledged, sent again from any number on.

Everything below `acknowledged` is forgotten; from there to `cursor` is on the way; from `cursor` to `next_seq` waits. To send
again is to move the cursor back. Memory holds the newest `kept_max`; what is older and still not acknowledged is asked of the
journal, and where that has none the number is filled by saying so (FIX: gap fill).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from core.codec import WireError, encode
from core.envelope import Envelope, fits, seal
from core.message import SequenceReset

KEPT_MAX: Final = 4_096
"""Messages in memory, some 200 bytes each; beyond this the journal is asked."""
WINDOW: Final = 1_024
"""Messages on the way at once; a socket's queue holds twice as many (actors/live/sockets.py), so it never overflows."""


class Kept(NamedTuple):
    """A numbered message."""

    seq: int
    source: str
    target: str
    body: bytes


Older = Callable[[int, int], Iterable[Kept]]
"""The messages between two numbers, both included, that a journal has, in order."""


class SessionFull(Exception):
    """No more can be kept in memory, and there is no journal behind it."""


class Outgoing:
    """Numbers, what they stand for, and how far each is."""

    def __init__(self, older: Older | None = None, window: int = WINDOW, kept_max: int = KEPT_MAX) -> None:
        self._older, self._window, self._kept_max = older, window, kept_max
        self.restore(1)

    def restore(self, next_seq: int) -> None:
        """Begin at a number; those below it may have been sent. How many of them arrived, the other end will say."""
        self.next_seq = self.cursor = self._first_kept = self._unsent = next_seq
        self.acknowledged = 1
        self._kept: dict[int, Kept] = {}

    @property
    def count(self) -> int:
        """Messages that are not acknowledged."""
        return self.next_seq - self.acknowledged

    @property
    def waits(self) -> bool:
        """Whether anything may be put on the wire."""
        return self.cursor < self.next_seq and self.cursor < self.acknowledged + self._window

    def number(self, source: str, target: str, body: bytes) -> int:
        """Number a message and keep it. Raises WireError for what no frame can hold, SessionFull where nothing can be let go."""
        problem = fits(source, target, body)
        if problem:
            raise WireError(problem)
        if len(self._kept) >= self._kept_max:
            if self._older is None:
                raise SessionFull(f"{len(self._kept)} messages are not acknowledged")
            del self._kept[self._first_kept]
            self._first_kept += 1
        seq = self.next_seq
        self._kept[seq] = Kept(seq, source, target, body)
        self.next_seq = seq + 1
        return seq

    def acknowledge(self, ack: int) -> None:
        """Forget what is below a number, which is at most the next one."""
        for seq in range(max(self._first_kept, self.acknowledged), ack):
            del self._kept[seq]
        self._first_kept = max(self._first_kept, ack)
        self.acknowledged = max(self.acknowledged, ack)
        self.cursor = max(self.cursor, ack)

    def rewind(self, seq: int) -> None:
        """Send again from this number on, or from the first that is not acknowledged."""
        self.cursor = min(self.cursor, max(seq, self.acknowledged))

    def left(self) -> tuple[Kept, ...]:
        """All that is not acknowledged."""
        return tuple(self._messages(self.acknowledged, self.next_seq))

    def frames(self, now: int, ack: int) -> Iterator[bytes]:
        """What may be put on the wire now; `ack` is what each frame says of the other direction."""
        end, unsent = min(self.next_seq, self.acknowledged + self._window), self._unsent
        for seq, source, target, body in self._messages(self.cursor, end):
            if seq > self.cursor:
                yield self._fill(now, ack, seq)
            yield seal(Envelope(seq, ack, now, seq < unsent, source, target, body))
            self.cursor = seq + 1
        if self.cursor < end:
            yield self._fill(now, ack, end)
        self._unsent = max(unsent, end)

    def _messages(self, first: int, end: int) -> Iterator[Kept]:
        if first < self._first_kept and self._older is not None:
            yield from self._older(first, min(end, self._first_kept) - 1)
        for seq in range(max(first, self._first_kept), end):
            yield self._kept[seq]

    def _fill(self, now: int, ack: int, end: int) -> bytes:
        seq, self.cursor = self.cursor, end
        return seal(Envelope(seq, ack, now, True, "", "", encode(SequenceReset(new_seq_no=end))))
