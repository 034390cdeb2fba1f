"""The journal's records: how they are sealed, and what is believed of a file that a crash, a full disk or a bad one left behind.

A record is a header of sixteen bytes and its entry:

    length (4)   check (4)   sequence (8)   entry (length)

little-endian; `check` is the CRC-32 of length, sequence and entry. Sequences count from 0. Three things may be found on reading:

1. *A torn tail*: the file ends within a record. Its writer died before the write returned, so nothing was promised about it:
   it is cut off and the journal goes on.
2. *Damage*: a record whose check or sequence is wrong, with more behind it than a torn record could be. Entries that were
   promised may be gone, so nothing is guessed: JournalError says where, and a person decides.
3. *A flipped bit in the last record's length* looks like a torn tail. It is told apart by looking for a whole record behind it,
   and cannot be where it was the last: then the entry is lost, never believed wrongly; the venue is the second witness.

A CRC-32 sees every single flipped bit and every burst of up to 32; it is no defence against somebody who means to forge.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol
from zlib import crc32

_HEADER: Final = struct.Struct("<IIQ")
_COVERED: Final = struct.Struct("<IQ")
HEADER_BYTES: Final = _HEADER.size
ENTRY_BYTES_MAX: Final = 1 << 20
"""A depth snapshot of a thousand levels a side, as a venue writes it, is 60 kB; a length beyond this is a damaged one."""


class Bytes(Protocol):
    """A file's content: bytes, or a map of it."""

    def __len__(self) -> int:
        """How many."""

    def __getitem__(self, span: slice, /) -> bytes:
        """Some of them."""

    def find(self, sought: bytes, start: int, /) -> int:
        """Where these bytes stand from there on; -1: nowhere."""


class JournalError(ValueError):
    """The journal is damaged in a way that no crash explains; the text says where."""


class Record(NamedTuple):
    """A whole record: its entry, and where in the file the next one begins."""

    entry: bytes
    end: int


def seal(sequence: int, *entries: bytes) -> bytes:
    """The records of entries, the first of which has this sequence, to be written with one write.

    Raises ValueError for an entry longer than a journal takes.
    """
    parts: list[bytes] = []
    for entry in entries:  # on an order's way out: one loop, no call an entry
        size = len(entry)
        if size > ENTRY_BYTES_MAX:
            raise ValueError(f"an entry of {size} bytes is longer than a journal takes ({ENTRY_BYTES_MAX})")
        parts += (_HEADER.pack(size, crc32(entry, crc32(_COVERED.pack(size, sequence))), sequence), entry)
        sequence += 1
    return b"".join(parts)


def records(data: Bytes, sequence: int = 0) -> Iterator[Record]:
    """The whole records of a journal from the one with this sequence on, with which `data` begins; ends before a torn tail.

    Raises JournalError where a record is damaged and what follows is no torn tail.
    """
    at = 0
    while at < len(data):
        record = _record(data, at, sequence)
        if record is None:
            _require_torn(data, at, sequence)
            return
        yield record
        at, sequence = record.end, sequence + 1


def _check(sequence: int, entry: bytes) -> int:
    return crc32(entry, crc32(_COVERED.pack(len(entry), sequence)))


def _record(data: Bytes, at: int, sequence: int) -> Record | None:
    """The whole record with this sequence at an offset, or None."""
    if len(data) - at < HEADER_BYTES:
        return None
    length, check, found = _HEADER.unpack(data[at : at + HEADER_BYTES])
    end = at + HEADER_BYTES + length
    if found != sequence or length > ENTRY_BYTES_MAX or end > len(data):
        return None
    entry = data[at + HEADER_BYTES : end]
    return Record(entry, end) if check == _check(sequence, entry) else None


def _require_torn(data: Bytes, at: int, sequence: int) -> None:
    """Raise JournalError unless what is left can be one record that was not written to its end."""
    left = len(data) - at
    torn = left < HEADER_BYTES
    if not torn and left <= HEADER_BYTES + ENTRY_BYTES_MAX:
        length, _, _ = _HEADER.unpack(data[at : at + HEADER_BYTES])
        torn = HEADER_BYTES + length > left and not _whole_behind(data, at, sequence)
    if not torn:
        raise JournalError(
            f"record {sequence} at byte {at} is damaged, {left:,} bytes follow; entries may be missing from there on"
        )


def _whole_behind(data: Bytes, at: int, sequence: int) -> bool:
    """Whether the next record stands whole somewhere behind."""
    sought = (sequence + 1).to_bytes(8, "little")
    place = data.find(sought, at + 8)
    while place >= 0:
        if _record(data, place - 8, sequence + 1) is not None:
            return True
        place = data.find(sought, place + 1)
    return False
