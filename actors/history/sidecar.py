"""What is told of a stored day without opening it. In a remote store it lies beside the day, as <day>.json.

A sidecar is written after its day, so it never speaks of what is not there; one that does not fit its day, because the day was
replaced behind it, is found out by the size and the hash.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct, structs

from actors.errors import UserError
from actors.history.schema import LAYOUT, Day
from core.instrument import Key


class Sidecar(Struct, frozen=True):
    """The day in words, and its file: `size_bytes`, and `blake2b` of all its bytes ("" where nobody has read them)."""

    words: Day
    size_bytes: int
    blake2b: str = ""

    @property
    def columns_bytes(self) -> int:
        """About what the prepared columns and their index take on a disk, each stream in an order of its own."""
        return ROW_BYTES * (self.words.rows("levels") + self.words.rows("trades"))


ROW_BYTES: Final = 64
"""Two streams of 17 bytes a row, and an index, which for a generated day takes 28."""


def encode(sidecar: Sidecar) -> bytes:
    """As its file has it. The gaps are counted in it and not listed: a bad day has thousands."""
    return msgspec.json.encode(structs.replace(sidecar, words=structs.replace(sidecar.words, gaps=[])))


def decode(raw: bytes, place: str, key: Key, day: str) -> Sidecar:
    """A sidecar's file. Raises UserError when it is damaged, of another layout, or another day's."""
    try:
        found = msgspec.json.decode(raw, type=Sidecar)
    except msgspec.MsgspecError as error:
        raise UserError(f"{place}: damaged; `astrarium data copy` writes it again") from error
    words = found.words
    if words.layout != LAYOUT:
        raise UserError(f"{place}: a day of layout {words.layout}, this program reads {LAYOUT}: import and copy it again")
    if (words.venue, words.symbol, words.day) != (key.venue, key.symbol, day):
        raise UserError(f"{place}: it speaks of {words.venue}:{words.symbol} {words.day}; copy the day again")
    return found
