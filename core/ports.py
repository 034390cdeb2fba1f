"""The four places where the world is swapped: clock, link, venue, store.

Live and simulated twins stand under the same names in `actors/live/` and `actors/sim/`, and one contract suite runs against
both. Nothing in `core/` or in a strategy holds a port: hosts do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from core.message import Lane, Message, Tick


class Clock(Protocol):
    """Where `now` comes from."""

    def now(self) -> int:
        """Nanoseconds UTC. Never goes back."""


class Link(Protocol):
    """Carries messages between nodes that do not share a host. One sender's messages of one lane arrive in the order sent."""

    def send(self, lane: Lane, source: str, target: str, message: Message) -> None:
        """Take a message for a node elsewhere. Never blocks; the every lane never drops."""


class Venue(Protocol):
    """One instrument's market and the way to its matching engine."""

    def submit(self, now: int, message: Message) -> None:
        """Take a new order, cancel or replace that leaves at `now`."""

    def replies(self) -> list[Message]:
        """What the venue answered since the last call, in order of arrival: reports and rejects."""

    def tick(self, now: int) -> Tick:
        """The newest market as it is known here at `now`, with the trades since the last call folded in."""


class Store(Protocol):
    """An append-only journal."""

    def append(self, *entries: bytes) -> None:
        """Write entries, all or none; they survive this process once the call returns. Raises OSError when they cannot be
        kept."""

    def entries(self) -> Iterator[bytes]:
        """All whole entries, oldest first."""
