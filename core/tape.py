"""What a node took and what it sent, written down: enough to bring a node back, and to prove that it would do the same again.

A node is a function of its inputs and their times, so its inputs are its state. They are written before they are handled: what
a process did before it died can be told from them, and nothing leaves that they do not explain. The bytes are those that the node
was handed and wrote itself; the stamps of link and dialect are outside.

*Recall* feeds a fresh node its inputs and lets go of what it sends: that was sent before. *Retrace* feeds them and compares what
comes out, byte for byte: the first difference names the input that caused it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from core.codec import WireError, decode, encode
from core.message import Message
from core.node import Node


class Entry(Struct, array_like=True):
    """One line of a tape: at `now` (ns UTC) the node took ("<") or sent (">") this message."""

    now: int
    node: str
    way: Literal["<", ">"]
    frame: bytes


class Difference(Struct):
    """Where a node did not do again what it did: what it was doing it about, what it sent then and what it sends now."""

    number: int
    node: str
    caused_by: Message | None
    then: Message | None
    again: Message | None

    def __str__(self) -> str:
        return f"entry {self.number}, {self.node}: sent {self.then}, sends {self.again}; caused by {self.caused_by}"


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Entry)


def took(now: int, node: str, message: Message) -> bytes:
    """The entry of an input, to be kept before the node is handed it."""
    return _encoder.encode(Entry(now, node, "<", encode(message)))


def sent(now: int, node: str, message: Message) -> bytes:
    """The entry of an output."""
    return _encoder.encode(Entry(now, node, ">", encode(message)))


def read(entries: Iterable[bytes]) -> Iterator[Entry]:
    """The lines of a tape. Raises WireError for what is not one."""
    for entry in entries:
        try:
            line = _decoder.decode(entry)
        except ValueError as error:
            raise WireError(f"not an entry of a tape: {error}") from error
        yield line


class Deaf:
    """An outbox that keeps what is sent to it for whoever looks, and wakes nobody."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        """Keep a message."""
        self.sent.append(message)

    def wake(self, at: int, key: str = "") -> None:
        """The wakes that came are on the tape."""

    def record(self, entry: Message) -> None:
        """What was recorded is recorded."""


def recall(nodes: Mapping[str, Node], entries: Iterable[bytes]) -> int:
    """Bring fresh nodes to the state that their tape ends in; returns the time of the last input, 0 without one.

    The nodes are left bound to an outbox that does nothing: bind them again. Inputs of other nodes are passed over.
    """
    now = 0
    for node in nodes.values():
        node.bind(Deaf())
    for line in read(entries):
        if line.way == "<" and line.node in nodes:
            now = line.now
            nodes[line.node].on(now, decode(line.frame))
    return now


def retrace(nodes: Mapping[str, Node], entries: Iterable[bytes]) -> Iterator[Difference]:
    """Feed fresh nodes their inputs and compare each thing they send with what the tape says, in order."""
    outboxes = {name: Deaf() for name in nodes}
    cause: dict[str, Message] = {}
    for name, node in nodes.items():
        node.bind(outboxes[name])
    number = -1
    for number, line in enumerate(read(entries)):
        if line.node not in nodes:
            continue
        waiting = outboxes[line.node].sent
        if line.way == ">":
            again = waiting.pop(0) if waiting else None
            if again is None or encode(again) != line.frame:
                yield Difference(number, line.node, cause.get(line.node), decode(line.frame), again)
        else:
            if waiting:
                yield Difference(number, line.node, cause.get(line.node), None, waiting[0])
                waiting.clear()
            cause[line.node] = decode(line.frame)
            nodes[line.node].on(line.now, decode(line.frame))
    for name, outbox in outboxes.items():
        if outbox.sent:
            yield Difference(number + 1, name, cause.get(name), None, outbox.sent[0])
