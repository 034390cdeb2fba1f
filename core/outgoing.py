"""The sending half of a session: messages numbered, kept until they are acknowledged, sent again from any number on.

Everything below `acknowledged` is forgotten; from there to `cursor` is on the way; from `cursor` to `next_seq` waits. To send
again is to move the cursor back. Memory holds the newest `kept_max`; what is older and still not acknowledged is asked of the
journal, and where that has none the number is filled by saying so (FIX: gap fill).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
        self._kept: dict[int, tuple[int, str, str, bytes]] = {}

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
        kept, seq = self._kept, self.next_seq
        if len(kept) >= self._kept_max:
            if self._older is None:
                raise SessionFull(f"{len(kept)} messages are not acknowledged")
            del kept[self._first_kept]
            self._first_kept += 1
        kept[seq] = seq, source, target, body
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
        """All that is not acknowledged; where nothing is known of that, as after a recovery, only what is in memory."""
        first = self.acknowledged if self.acknowledged > 1 else self._first_kept
        return tuple(Kept(*one) for one in self._messages(first, self.next_seq))

    def frames(self, now: int, ack: int) -> list[bytes]:
        """What may be put on the wire now; `ack` is what each frame says of the other direction."""
        first, end, unsent = self.cursor, self.next_seq, self._unsent
        if end == first + 1 == unsent + 1 and first < self.acknowledged + self._window and first in self._kept:
            self.cursor = self._unsent = end  # one new message, as nearly always: the same as below, in half of the time
            _, source, target, body = self._kept[first]
            return [seal(Envelope(first, ack, now, False, source, target, body))]
        end = min(end, self.acknowledged + self._window)
        frames = []
        for seq, source, target, body in self._messages(first, end):
            if seq > self.cursor:
                frames.append(self._fill(now, ack, seq))
            frames.append(seal(Envelope(seq, ack, now, seq < unsent, source, target, body)))
            self.cursor = seq + 1
        if self.cursor < end:
            frames.append(self._fill(now, ack, end))
        self._unsent = max(unsent, end)
        return frames

    def _messages(self, first: int, end: int) -> list[tuple[int, str, str, bytes]]:
        kept, oldest = self._kept, self._first_kept
        if first >= oldest:
            return [kept[seq] for seq in range(first, end)]
        behind = () if self._older is None else self._older(first, min(end, oldest) - 1)
        return [*behind, *(kept[seq] for seq in range(oldest, end))]

    def _fill(self, now: int, ack: int, end: int) -> bytes:
        seq, self.cursor = self.cursor, end
        return seal(Envelope(seq, ack, now, True, "", "", encode(SequenceReset(new_seq_no=end))))
