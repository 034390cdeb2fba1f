"""Days from one store to another: only those that are missing there or have other content, each checked on its way.

Bars and prepared columns stay where they are: the former are small and read in a folder, the latter are made where they are used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct, structs

from actors.errors import Exit, UserError
from actors.history.daycache import Altered
from actors.history.shelf import Shelf, shelf
from actors.history.sidecar import Sidecar
from actors.history.tickdb import TickDb, days_between
from core.instrument import Key


class Found(Struct, frozen=True):
    """A day of the store that is copied from. `sidecar` is None, and `trouble` why, where it cannot be read."""

    key: Key
    day: str
    sidecar: Sidecar | None
    there: bool = False
    """The other store has it, with the same content."""
    trouble: str = ""


def compare(source: str, target: str, days: str = "", instruments: Sequence[str] = ()) -> Iterator[Found]:
    """The days to copy, and those that are there already. Raises UserError for names and days that the source does not have."""
    db, other = TickDb(source), shelf(target)
    keys = [db.resolve(name) for name in instruments] or db.instruments()
    if not keys:
        raise UserError(f"{source}: the store holds no days; `astrarium data import` or `data synth` makes some", Exit.NOT_FOUND)
    for key in keys:
        there = set(other.days(key))
        for day in days_between(db.days(key), days, f"{key} in {source}"):
            try:
                sidecar = db.sidecar(key, day)
            except UserError as error:
                yield Found(key, day, None, trouble=str(error))
                continue
            yield Found(key, day, sidecar, day in there and _content(other, key, day) == sidecar.words.digest)


def _content(other: Shelf, key: Key, day: str) -> str:
    """What the other store has under that name; nothing, where it cannot say."""
    try:
        return other.sidecar(key, day).words.digest
    except UserError:
        return ""


def copy_day(source: Shelf, target: Shelf, found: Found, advance: Callable[[int], None]) -> None:
    """Copy one day; `advance` is told the bytes of each block. Raises UserError when it cannot be read or written whole."""
    key, day, known = found.key, found.day, found.sidecar
    assert known is not None
    digest, size = hashlib.blake2b(), 0

    def through() -> Iterator[bytes]:
        nonlocal size
        for block in source.blocks(key, day):
            digest.update(block)
            size += len(block)
            yield block
            advance(len(block))

    def described() -> Sidecar:
        mine = structs.replace(known, size_bytes=size, blake2b=digest.hexdigest())
        now = known if known.blake2b else source.sidecar(key, day)  # a folder's day may have been replaced meanwhile
        if (now.words.digest, size, known.blake2b or mine.blake2b) != (known.words.digest, now.size_bytes, mine.blake2b):
            raise Altered(f"{size:,} of {now.size_bytes:,} bytes, hash {mine.blake2b[:12]}")
        return mine

    try:
        target.put(key, day, through(), described)
    except Altered as error:
        raise UserError(f"{key} {day}: what came is not what the store tells of it ({error}); copy it again") from error
