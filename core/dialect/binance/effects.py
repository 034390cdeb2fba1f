"""What a session with Binance does to the world, as values: requests, streams, messages, words to a person.

A session touches no socket. Whoever runs it takes its effects, carries them out (`actors/live/venue.py`, or a test in virtual
time), and calls back with what came of them.

Requests have three lanes, because an order must not wait behind a slow question: `orders`, `queries`, and `ws`, the WebSocket
API.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from core.dialect.binance.rest import Method
from core.message import Message

Lane = Literal["orders", "queries", "ws"]


class Ask(Struct, frozen=True):
    """Transmit this once: over HTTP `method` and `target`, over the WebSocket API the `text`. Give up after `timeout_ns`."""

    call: int
    lane: Lane
    method: Method
    target: str
    timeout_ns: int
    text: str = ""


class Open(Struct, frozen=True):
    """Connect a web socket; it is called by this number from now on."""

    stream: int
    url: str


class Close(Struct, frozen=True):
    """Close it."""

    stream: int


class Say(Struct, frozen=True):
    """Hand a message to a node."""

    node: str
    message: Message


class Tell(Struct, frozen=True):
    """A word to the operator."""

    urgency: Literal[0, 1, 2]
    headline: str
    text: str = ""


Effect = Ask | Open | Close | Say | Tell
