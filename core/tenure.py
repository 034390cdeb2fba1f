"""Who may act for an account where several processes could: one at a time, whatever dies, sleeps or is cut off.

They share a place where two things can be done (`actors/live/tenure.py` does them with files): *make a term*, which succeeds for
one process alone, and *write a word* into the term that one has made. Nothing else is asked of the place: words may be seen late,
and whoever wants to know may have to try.

1. Whoever made the newest term holds the account. It writes another word every second, and may act for four seconds from when
   the last write *that succeeded* was begun. A write that hangs, fails or comes too late gives it nothing. What is lost is lost
   for ever: the process ends, and its next life begins as one who waits.
2. Whoever waits looks at the newest term. When its word has been the same from the end of one look to the beginning of another,
   eight seconds by this process's own clock, its holder is through, and the next term may be made. Nobody's clock is compared
   with anybody else's, and no look that took long counts for more than it saw. A proof that the holder's process is no more
   (on its own machine there is one) spares the wait.
3. A holder that was cut off from the others gives up when one who waits is not: it would keep an account that nobody can reach.

Why it is safe: at the beginning of the second look no word newer than the one seen first is there. The holder's last word was
begun before the end of the first look, so it may not act four seconds later, and not ever again, for any newer word would have
had to succeed within those four seconds and be seen. What its network still carries then is refused by the venue, whose window
for a request's age (2 s) is shorter than the other four seconds.

Times are ns of a clock that counts sleep and is never set. Where a process sleeps between asking `acts` and what it does then,
nobody can help but the venue, by the same window.
"""

from __future__ import annotations

from typing import Final

from core.machine import Machine

SECOND: Final = 1_000_000_000
RENEW_NS: Final = 1 * SECOND
"""A write to a shared folder takes some milliseconds, on a bad day some hundred; a word a second is no load."""
LOST_NS: Final = 4 * SECOND
"""Three words may fail before the fourth is missed: a file server that changes hands takes longer, and then nobody trades."""
TAKE_NS: Final = 8 * SECOND
"""Twice that: the venue's window of 2 s for what the lost holder had signed, and 2 s for clocks that run at different speeds and
for a process that takes its time to end. The venue's countdown, 30 s, has not run out by then."""

MOVES: Final = (
    ("waiting", "holding"),  # we made a term
    ("holding", "lost"),  # its last word is too old, or we gave up
)


class Tenure:
    """One process's view. `first`: it may take an account that nobody ever held at once, others wait for the first to come."""

    def __init__(self, first: bool = True) -> None:
        self.machine = Machine(MOVES, "waiting")
        self.term = 0
        """The newest known."""
        self.until = 0
        """Until when a holder may act."""
        self._first = first
        self._word = b""
        self._since = -1
        self._changes = 0
        self._free = False

    @property
    def state(self) -> str:
        """waiting, holding or lost."""
        return self.machine.state

    @property
    def alive(self) -> bool:
        """Whether the holder was seen to write while we waited."""
        return self._changes > 0

    # --- one who waits

    def saw(self, began: int, ended: int, term: int, word: bytes) -> int:
        """What a look found that began and ended then: the newest term (0: none) and its word.

        Returns the number of the term that may be made now, 0 when none may.
        """
        if term < self.term:
            return 0  # an old view of the place
        if term > self.term or word != self._word or self._since < 0:
            self._changes = self._changes + 1 if term == self.term and self._since >= 0 else 0
            self.term, self._word, self._since, self._free = term, word, ended, False
        due = self._free or (not term and self._first) or began - self._since >= TAKE_NS
        return term + 1 if due and self.state == "waiting" else 0

    def vacant(self, term: int) -> None:
        """It is proven that the holder of a term will never act again: it said so itself, or its process is no more."""
        self._free = self._free or term == self.term

    def took(self, began: int, term: int) -> None:
        """We made a term, with a call that began then."""
        self.machine.to("holding")
        self.term, self.until = term, began + LOST_NS

    # --- one who holds

    def acts(self, now: int) -> bool:
        """Whether this process may act for the account now; once it may not, it never may again."""
        if now < self.until and self.machine.state == "holding":
            return True
        self.lose()
        return False

    def renewed(self, now: int, began: int) -> None:
        """A word was written: it is now, and the write began then."""
        if self.acts(now):
            self.until = max(self.until, began + LOST_NS)

    def gives_up(self, cut_off_ns: int, claimed: bool) -> bool:
        """Whether a holder that was cut off from the others for so long leaves to somebody who waits and is not."""
        return claimed and cut_off_ns >= LOST_NS

    def lose(self) -> None:
        """Act no more."""
        if self.machine.state == "holding":
            self.machine.to("lost")
            self.until = 0
