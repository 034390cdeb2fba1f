"""A node: a plain class that is handed messages and times, and acts through its outbox.

It never blocks, reads no clock, draws no random number, and is called by one thread. Given the same messages at the same
times it does the same things, bit for bit: that is what makes a recorded session replay and a backtest repeat.
"""

from __future__ import annotations

from typing import Protocol

from core.message import Message


class Outbox(Protocol):
    """All that a node can do to the world. The host binds one to each node it runs."""

    def send(self, message: Message) -> None:
        """Hand a message to whichever nodes the graph connects this one to for messages of that type."""

    def wake(self, at: int, key: str = "") -> None:
        """Ask for a Timer with this key at a time (ns UTC); a time not after now means as soon as possible."""

    def record(self, entry: Message) -> None:
        """Write an entry to this node's journal."""


class Node(Protocol):
    """Anything a host can run."""

    name: str

    def bind(self, outbox: Outbox) -> None:
        """Receive the outbox, once, before the first message."""

    def on(self, now: int, message: Message) -> None:
        """Take one message at one time."""
