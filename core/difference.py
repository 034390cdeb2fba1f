"""What a retrace finds: where a node did not do again what it did, and what each node did in all."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from core.message import Message


class Input(NamedTuple):
    """What a node took: the number of the tape's line, when, and what: a message or a venue's frame."""

    number: int
    now: int
    message: Message | bytes


class Difference(Struct):
    """Where a node did not do again what it did: what it was doing it about, what it sent then and what it sends now.

    `then` is a digest where the tape keeps no more. `failure` is the exception, where the node raises now. Where it is about a
    wake, `wake` says it.
    """

    number: int
    node: str
    caused_by: Input | None
    then: Message | bytes | None
    again: Message | None
    failure: str = ""
    wake: str = ""

    def __str__(self) -> str:
        return (
            f"entry {self.number}, {self.node}: sent {self.then!r}, sends {self.again!r}{self.wake}; caused by {self.caused_by}"
        )


class Count(Struct):
    """What a node took and sent by the tape, how much of that differs now, and what its host's death kept off the tape."""

    inputs: int = 0
    outputs: int = 0
    differences: int = 0
    unwritten: int = 0
    failure: str = ""
    """Why the node goes on no more."""
