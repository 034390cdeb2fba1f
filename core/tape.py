"""What a node took and what it sent, written down: enough to bring a node back, and to prove that it would do the same again.

A node is a function of its inputs and their times, so its inputs are its state. What a process did before it died can be told
from them, and nothing leaves that they do not explain: a turn's inputs and outputs are written together, before any of the
outputs leaves. The bytes are those that the node was handed and wrote itself; the stamps of link and dialect are outside, and
beside them stands by which numbered message of a session an input came or an output left.

An entry is one of six kinds:

| way | what |
|---|---|
| < | the node took this message |
| > | the node sent this message |
| = | the node, a normalizer, was handed these bytes of the venue; `seq` is when they were received |
| + | the same message went to one more node elsewhere |
| ! | the node sent this message, and its host refused it: it did not leave |
| # | the node sent a message whose bytes have this digest: ticks, which would fill the disk and follow from what was handed in |

*Recall* feeds fresh nodes their inputs and lets go of what they send: that was sent before. It says what was under way between
nodes of the same process, because that died with it. *Retrace* (`core/retrace.py`) feeds them and compares what comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Final, Literal, Protocol, cast

import msgspec
from msgspec import Struct

from core.codec import WireError, decode, encode
from core.message import Message
from core.node import Node

DIGEST_BYTES: Final = 8


class Entry(Struct, array_like=True):
    """One line of a tape: at `now` (ns UTC) this happened at the node; `peer` and `seq` name the session's message, if one, and
    `target` the node there that it was sent to.
    """

    now: int
    node: str
    way: Literal["<", ">", "+", "!", "=", "#"]
    frame: bytes
    peer: str = ""
    seq: int = 0
    target: str = ""


class FrameReader(Protocol):
    """A node that is handed the venue's own bytes."""

    def on_frame(self, now: int, received: int, frame: bytes) -> None:
        """Take one frame, received at a time (ns UTC)."""


class Recalled(Struct):
    """What a tape ends in, besides the nodes' state: when its last input was taken, and what was still under way."""

    now: int = 0
    waiting: list[tuple[str, Message]] = []
    """Sent from node to node of the process and not taken: (who it is for, what)."""
    unsent: list[tuple[str, Message]] = []
    """What a node sends and the tape does not have: (the sender, what). Only a torn tape leaves any."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Entry)


def took(now: int, node: str, message: Message, peer: str = "", seq: int = 0) -> bytes:
    """The entry of an input."""
    return _encoder.encode(Entry(now, node, "<", encode(message), peer, seq))


def sent(now: int, node: str, message: Message, peer: str = "", seq: int = 0, target: str = "") -> bytes:
    """The entry of an output."""
    return _encoder.encode(Entry(now, node, ">", encode(message), peer, seq, target))


def again(now: int, node: str, message: Message, peer: str, seq: int, target: str) -> bytes:
    """The entry of an output that went to one more node elsewhere."""
    return _encoder.encode(Entry(now, node, "+", encode(message), peer, seq, target))


def refused(now: int, node: str, message: Message) -> bytes:
    """The entry of an output that its host did not let leave."""
    return _encoder.encode(Entry(now, node, "!", encode(message)))


def handed(now: int, node: str, received: int, frame: bytes) -> bytes:
    """The entry of a frame that a normalizer was handed."""
    return _encoder.encode(Entry(now, node, "=", frame, "", received))


def digested(now: int, node: str, message: Message) -> bytes:
    """The entry of an output of which a digest is kept."""
    return _encoder.encode(Entry(now, node, "#", digest(message)))


def digest(message: Message) -> bytes:
    """What a tape keeps of a tick."""
    return blake2b(encode(message), digest_size=DIGEST_BYTES).digest()


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


def nobody(node: str, message: Message) -> Iterable[str]:
    """For nodes that do not speak to each other: whom a message is for."""
    return ()


def recall(
    nodes: Mapping[str, Node], entries: Iterable[bytes], within: Callable[[str, Message], Iterable[str]] = nobody
) -> Recalled:
    """Bring fresh nodes to the state that their tape ends in.

    `within` says for which of the nodes themselves a message is that a node sends. The nodes are left bound to an outbox that
    does nothing: bind them again. Inputs of other nodes are passed over.
    """
    now = 0
    outboxes = {name: Deaf() for name in nodes}
    waiting: dict[tuple[str, bytes], list[Message]] = {}
    for name, node in nodes.items():
        node.bind(outboxes[name])
    for line in read(entries):
        if line.node not in nodes:
            continue
        if line.way in "<=":
            now = line.now
            _untie(waiting, (line.node, line.frame))
            _feed(nodes[line.node], line)
            for message in outboxes[line.node].sent:
                for name in within(line.node, message):
                    waiting.setdefault((name, encode(message)), []).append(message)
        elif line.way != "+" and outboxes[line.node].sent:
            outboxes[line.node].sent.pop(0)
    still = [(name, message) for (name, _), messages in waiting.items() for message in messages]
    return Recalled(now, still, [(name, message) for name, outbox in outboxes.items() for message in outbox.sent])


def _untie(waiting: dict[tuple[str, bytes], list[Message]], key: tuple[str, bytes]) -> None:
    """What was waiting was taken."""
    if key in waiting:
        waiting[key].pop(0)
        if not waiting[key]:
            del waiting[key]


def _feed(node: Node, line: Entry) -> None:
    """Hand a node the input on a line."""
    if line.way == "=":
        cast(FrameReader, node).on_frame(line.now, line.seq, line.frame)
    else:
        node.on(line.now, decode(line.frame))
