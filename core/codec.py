"""Messages to bytes and back, and the one error for whatever is wrong with bytes.

msgspec raises DecodeError and ValidationError for most damage, but lets UnicodeDecodeError out for bad text and
RecursionError for deep nesting. All of them mean the same to a node: these bytes are not a message. About one damaged
message in a hundred still decodes (RELIABILITY, section 2), so a link must guard integrity itself; this only guards types.
"""

from __future__ import annotations

import msgspec

from core.message import AnyMessage, Message

FRAME_BYTES_MAX = 64 * 1024
"""Largest message accepted: a book of 1,000 levels a side is 20 kB; a peer that sends more is broken or hostile."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AnyMessage)


class WireError(ValueError):
    """The bytes are wrong; whoever sent them is to blame."""


def encode(message: Message) -> bytes:
    """The message as a msgpack array that begins with its MsgType. Raises WireError when an integer exceeds 64 bits."""
    try:
        return _encoder.encode(message)
    except OverflowError as error:
        raise WireError(f"{type(message).__name__} does not fit the wire: {error}") from error


def decode(frame: bytes | bytearray | memoryview) -> AnyMessage:
    """The message in a frame. Raises WireError, and nothing else, for anything that is not exactly one message."""
    if len(frame) > FRAME_BYTES_MAX:
        raise WireError(f"{len(frame)} bytes are more than a message may have ({FRAME_BYTES_MAX})")
    try:
        return _decoder.decode(frame)  # type: ignore[no-any-return]
    except (ValueError, RecursionError, MemoryError) as error:
        raise WireError(str(error) or type(error).__name__) from error
