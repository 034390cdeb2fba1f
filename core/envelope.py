"""What travels around a message between hosts: its number, who it is from and for, and when it left.

The message's own bytes are inside, untouched, because replay and audit compare them; the envelope is made anew for every
transmission. One msgpack array of seven typed, bounded fields: no nesting, so nothing to blow a stack with.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from core.codec import FRAME_BYTES_MAX, WireError

NAME_CHARACTERS_MAX: Final = 128
"""Longest name of a node: `strategy:` and the longest symbols are under 40."""
BODY_BYTES_MAX: Final = FRAME_BYTES_MAX - 2 * 4 * NAME_CHARACTERS_MAX - 64
"""Longest message that fits with the longest names, four bytes a character, and all numbers at their largest."""

Count = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Name = Annotated[str, Meta(max_length=NAME_CHARACTERS_MAX)]


class Envelope(Struct, array_like=True, gc=False, forbid_unknown_fields=True):
    """One frame of a link.

    `seq` is the message's number; a word of the session itself has no target, and as `seq` the number that its sender puts on the
    wire next. `ack`: the sender has journalled every number below this one. `sent`: ns UTC. `possdup`: it may have come before.
    """

    seq: Count
    ack: Count
    sent: Count
    possdup: bool
    source: Name
    target: Name
    body: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Envelope)


def seal(envelope: Envelope) -> bytes:
    """The envelope as a frame."""
    return _encoder.encode(envelope)


def unseal(frame: bytes | bytearray | memoryview) -> Envelope:
    """The envelope in a frame. Raises WireError, and nothing else, for anything that is not exactly one."""
    if len(frame) > FRAME_BYTES_MAX:
        raise WireError(f"{len(frame)} bytes are more than a frame may have ({FRAME_BYTES_MAX})")
    try:
        return _decoder.decode(frame)
    except (ValueError, RecursionError, MemoryError) as error:
        raise WireError(str(error) or type(error).__name__) from error


def fits(source: str, target: str, body: bytes) -> str:
    """Why this cannot be a frame, "" when it can: asked before a message gets its number, not when it leaves."""
    if target and len(source) <= NAME_CHARACTERS_MAX >= len(target) and len(body) <= BODY_BYTES_MAX:
        return ""
    if not target:
        return "a message without a target is a word of the session"
    if max(len(source), len(target)) > NAME_CHARACTERS_MAX:
        return f"a name has more than {NAME_CHARACTERS_MAX} characters"
    return f"{len(body)} bytes are more than a message may have on a link ({BODY_BYTES_MAX})"
