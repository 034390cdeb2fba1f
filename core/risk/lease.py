"""The dead man's switch as a lease: renewed while this house is well, left to lapse when it is not, and the venue cancels all.

The venue is told "cancel everything of this instrument in so many seconds, unless I speak again" (Binance: countdownCancelAll).
So open orders outlive a dead or cut-off account process by one term at most. Whoever holds the lease names what must be well: the
account is READY, the journal takes what is written, strategies live. The session asks `due` after every turn and calls the venue.

A renewal counts from when it was sent, and only once the venue has answered: what got lost may not have arrived.
"""

from __future__ import annotations

from typing import Final

TERM_NS: Final = 30_000_000_000
"""Longer than a restart of the account's process (5 s, 15 s at most): its orders keep their places in the queue meanwhile."""
RENEW_NS: Final = 10_000_000_000
"""Two renewals may be lost and the third still comes in time; 6 calls a minute and instrument, weight 10 each, of 2,400."""


class Lease:
    """One instrument's lease with the venue. Times are ns UTC."""

    def __init__(self, term_ns: int = TERM_NS, renew_ns: int = RENEW_NS) -> None:
        self.term_ns, self.renew_ns = term_ns, renew_ns
        self._ill: dict[str, str] = {}
        self._asked_at = self._held_from = -1

    def state(self, source: str, reason: str = "") -> None:
        """What a source (account, journal, strategies) has to say against renewing; "": nothing, it is well."""
        self._ill.pop(source, None)
        if reason:
            self._ill[source] = reason

    @property
    def ill(self) -> str:
        """Why the lease is left to lapse, in words; "" while all is well."""
        return "; ".join(f"{source}: {reason}" for source, reason in self._ill.items())

    def due(self, now: int) -> bool:
        """Whether a renewal should leave now."""
        return not self._ill and (self._asked_at < 0 or now - self._asked_at >= self.renew_ns)

    def asked(self, now: int) -> None:
        """A renewal leaves."""
        self._asked_at = now

    def answered(self, sent: int) -> None:
        """The venue confirmed the renewal that left at `sent`."""
        self._held_from = max(self._held_from, sent)

    def failed(self) -> None:
        """A renewal was refused or its answer is missing: the next is due at once, if all is well."""
        self._asked_at = -1

    def lapsed(self, now: int) -> bool:
        """Whether the venue has, or may have, canceled all by now."""
        return self._held_from < 0 or now - self._held_from >= self.term_ns

    def released(self) -> None:
        """The countdown was ended on purpose (asked with 0): nothing is held, and the next renewal begins anew."""
        self._asked_at = self._held_from = -1
