"""A node's seat on a live host, and where what it sends may end: at a node here, at one that the link reaches, at a device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from core.mailbox import Mailbox
from core.message import Message
from core.node import Node
from core.session import Event


class Carrier(Protocol):
    """What a host needs of a link (`actors/live/link.py`)."""

    def number(self, peer: str) -> int:
        """The number that the next message to a peer will have."""

    def refuses(self, peer: str) -> str:
        """Why no new order may be sent to a peer now; "" when one may."""

    def post(self, peer: str, source: str, target: str, message: Message, now: int) -> int:
        """Send on the every lane; returns the message's number."""

    def publish(self, source: str, target: str, message: Message, now: int) -> None:
        """Send on the latest lane."""

    def taken(self, peer: str, seq: int) -> None:
        """A message of a peer's session is on the tape."""

    def receive(self, now: int, ready: Iterable[tuple[Any, int]] | None = None) -> Iterable[Any]:
        """What has arrived, if `ready` is what a poll found: (lane, peer, seq, source, target, frame, sent_ns)."""

    def events(self) -> list[Event]:
        """What happened to sessions; those of one `receive` are older than what it gave."""

    def tick(self, now: int) -> int:
        """Let time pass; returns when something is due next."""


class End(Protocol):
    """Where an edge of the graph ends. `peer` is the host that it lies on, "" for this one."""

    peer: str

    def take(self, source: str, message: Message, now: int) -> None:
        """Take a message that a node sends."""


class Elsewhere:
    """A node on another host."""

    __slots__ = ("_link", "peer", "target")

    def __init__(self, link: Carrier, peer: str, target: str) -> None:
        self._link, self.peer, self.target = link, peer, target

    def take(self, source: str, message: Message, now: int) -> None:
        """Send it over the link, on its lane."""
        if message.lane == "latest":
            self._link.publish(source, self.target, message, now)
        else:
            self._link.post(self.peer, source, self.target, message, now)


class Device:
    """Something beside the nodes that takes messages: the venue's session, a source of snapshots."""

    __slots__ = ("_submit",)
    peer = ""

    def __init__(self, submit: Callable[[int, Message], None]) -> None:
        self._submit = submit

    def take(self, source: str, message: Message, now: int) -> None:
        """Hand it over."""
        self._submit(now, message)


class Around(Protocol):
    """What a seat needs of its host."""

    def wait_for(self, seat: Seat, message: Message) -> None:
        """A message waits for a node without a mailbox."""

    def wake(self, seat: Seat, at: int, key: str) -> None:
        """Hand the node a Timer at a time."""

    def noted(self, node: str, entry: Message) -> None:
        """A node wrote something down."""


class Seat:
    """A node on a live host: its mailbox, if it is a strategy, and the outbox through which it acts."""

    __slots__ = ("_host", "mailbox", "market", "name", "node", "routes", "sent", "stopped")
    peer = ""

    def __init__(self, host: Around, node: Node, mailbox: Mailbox | None) -> None:
        self._host, self.node, self.mailbox, self.name = host, node, mailbox, node.name
        self.market = hasattr(node, "on_frame")
        """Whether it is a normalizer: it is handed the venue's own bytes too."""
        self.routes: Mapping[type[Message], Callable[[Message], tuple[End, ...]]] = {}
        self.sent: list[Message] = []
        self.stopped = False

    def send(self, message: Message) -> None:
        """The node's outbox: what it sends leaves at the end of the turn."""
        self.sent.append(message)

    def wake(self, at: int, key: str = "") -> None:
        """The node's outbox: a Timer at a time; at once when that time is past."""
        self._host.wake(self, at, key)

    def record(self, entry: Message) -> None:
        """The node's outbox: a word for the log."""
        self._host.noted(self.name, entry)

    def take(self, source: str, message: Message, now: int) -> None:
        """A message from a node of the same host."""
        self.put(message)

    def put(self, message: Message) -> None:
        """A message has arrived for this node."""
        if self.mailbox is not None:
            self.mailbox.put(message)
        else:
            self._host.wait_for(self, message)
