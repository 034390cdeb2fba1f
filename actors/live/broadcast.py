"""The latest lane: what a host publishes, and what it hears of others, over PUB and SUB.

A message is one part: the name that it is for, a zero byte, and an envelope. That name is a node's, or a topic's that several
hosts subscribe to. Nobody waits for a subscriber: one that does not read loses messages. They are numbered by target, so that it
knows how many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import zmq

from actors.live.keys import KeyPair
from actors.live.sockets import reaching, serving
from core.codec import WireError, encode
from core.envelope import Envelope, fits, seal, unseal
from core.message import Lane, Message

BATCH_MAX: Final = 4_096
"""Messages from one socket a turn: twice what its queue holds."""
_NOW: Final = int(zmq.NOBLOCK)
_IN: Final = int(zmq.POLLIN)


class Arrival(NamedTuple):
    """A message as it came: `frame` is its sender's bytes, `sent` when it left (ns UTC, by the sender's clock)."""

    lane: Lane
    peer: str
    seq: int
    source: str
    target: str
    frame: bytes
    sent: int


class Broadcast:
    """One host's end of the latest lane. `where` knows the hosts of nodes: none speaks for another's."""

    def __init__(self, context: zmq.SyncContext, pair: KeyPair, address: str, where: Mapping[str, str]) -> None:
        self.damaged = self.forged = self.missed = 0
        self._context, self._pair, self._where = context, pair, where
        self.socket, self.endpoint = serving(context, zmq.PUB, pair, address)
        self.subscribed: dict[zmq.SyncSocket, str] = {}
        self._published: dict[str, int] = {}
        self._seen: dict[tuple[str, str], int] = {}

    def publish(self, source: str, target: str, message: Message, now: int) -> None:
        """Send to whoever subscribed to the target. Raises WireError for what no frame can hold."""
        body = encode(message)
        problem = fits(source, target, body)
        if problem:
            raise WireError(problem)
        seq = self._published[target] = self._published.get(target, 0) + 1
        self.socket.send(target.encode() + b"\0" + seal(Envelope(seq, 0, now, False, source, target, body)), _NOW)

    def subscribe(self, name: str, endpoint: str, server: bytes, targets: Iterable[str]) -> zmq.SyncSocket:
        """A socket that hears what a peer publishes for some targets."""
        self._seen = {key: seq for key, seq in self._seen.items() if key[0] != name}
        socket = reaching(self._context, zmq.SUB, self._pair, endpoint, server)
        for target in targets:
            socket.subscribe(target.encode() + b"\0")
        self.subscribed[socket] = name
        return socket

    def read(self, socket: zmq.SyncSocket, arrived: list[Arrival]) -> None:
        """All that waits in a subscribed socket."""
        name = self.subscribed[socket]
        for _ in range(BATCH_MAX):
            frame = socket.recv(_NOW)
            try:
                self._hear(name, unseal(memoryview(frame)[frame.find(b"\0") + 1 :]), arrived)
            except WireError:
                self.damaged += 1
            if not socket.get(zmq.EVENTS) & _IN:  # type: ignore[operator]
                return

    def _hear(self, name: str, envelope: Envelope, arrived: list[Arrival]) -> None:
        if self._where.get(envelope.source, name) != name:
            self.forged += 1
            return
        seq, target = envelope.seq, envelope.target
        self.missed += max(seq - self._seen.get((name, target), seq - 1) - 1, 0)
        self._seen[name, target] = seq
        arrived.append(Arrival("latest", name, seq, envelope.source, target, envelope.body, envelope.sent))
