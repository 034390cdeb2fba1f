"""Days of remote stores kept on this machine, so that each is read over the network once.

<cache>/days/<hash of the store's URL>/<venue>/<SYMBOL>/ has the file of each day, its prepared columns and its sidecar, which is
put there last: with it the day is *held*. A day has two locks, both the kernel's, so that a process that dies leaves none behind:

    .<day>.fetch   taken by the one process that fetches; the others wait and find the day there
    .<day>.use     shared by all who use the day; who makes room asks for it alone, and leaves a day alone that it does not get.
                   Its length (it has no content) is what the day takes when its columns are made: so much is kept free for it

What a process has mapped stays readable even if its file is removed (Linux keeps the pages), so a day that is replaced because
the store has another one now is replaced at once, used or not.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from actors.compile_cache import home
from actors.errors import MachineError
from actors.history.room import CacheFull, alone, beside, locked, make_room, remove
from actors.history.shelf import folder_of
from actors.history.sidecar import Sidecar, encode
from core.instrument import Key

FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class Altered(Exception):
    """What came is not what the sidecar says: cut short, damaged on its way, or replaced meanwhile."""


class Lease:
    """A held day that nobody removes before `end`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    def end(self) -> None:
        """Give it back, once."""
        os.close(self._lock)


class DayCache:
    """This machine's days of one store."""

    def __init__(self, url: str) -> None:
        self.home = home() / "days"
        self.folder = self.home / hashlib.blake2b(url.rstrip("/").encode(), digest_size=8).hexdigest()

    def lease(self, key: Key, day: str, wanted: Sidecar, blocks: Callable[[], Iterable[bytes]]) -> Lease:
        """A day, fetched where the cache does not hold just this one.

        Raises Altered when what comes is something else, CacheFull, MachineError when the cache cannot be written, and whatever
        `blocks` raises.
        """
        path = folder_of(self.folder, key) / f"{day}.h5"
        with _in_words(self.home):
            path.parent.mkdir(parents=True, exist_ok=True)
            lease = Lease(path, locked(beside(path, "use"), fcntl.LOCK_SH))
            try:
                if not _holds(path, wanted):
                    with alone(beside(path, "fetch")):
                        if not _holds(path, wanted):  # nobody else has fetched it meanwhile
                            self._fetch(path, wanted, blocks)
                with suppress(FileNotFoundError):  # somebody found it damaged and drops it: whoever reads it will too
                    os.utime(path.with_suffix(".json"))
            except BaseException:
                lease.end()
                raise
        return lease

    def drop(self, key: Key, day: str) -> None:
        """Remove a day that turned out to be damaged here."""
        remove(folder_of(self.folder, key) / f"{day}.h5")

    def _fetch(self, path: Path, wanted: Sidecar, blocks: Callable[[], Iterable[bytes]]) -> None:
        remove(path)
        part = beside(path, "part")
        try:
            with part.open("wb") as out:
                with alone(self.home / ".room"):
                    whole = wanted.size_bytes + wanted.columns_bytes
                    make_room(self.home, whole, path)
                    os.truncate(beside(path, "use"), whole)
                    _allocate(out.fileno(), wanted.size_bytes)
                digest = hashlib.blake2b()
                for block in blocks():
                    digest.update(block)
                    out.write(block)
                out.truncate()
            if (part.stat().st_size, digest.hexdigest()) != (wanted.size_bytes, wanted.blake2b):
                raise Altered(f"{part.stat().st_size:,} of {wanted.size_bytes:,} bytes came, hash {digest.hexdigest()[:12]}")
            part.replace(path)
            kept = beside(path, "json.part")
            kept.write_bytes(encode(wanted))
            kept.replace(path.with_suffix(".json"))
        finally:
            part.unlink(missing_ok=True)


def held(url: str) -> set[str]:
    """The labels, `<venue>:<SYMBOL> <day>`, of a store's days that this machine holds. Nothing is asked of the network."""
    found = DayCache(url).folder.glob("*/*/*.json")
    return {f"{Key(path.parent.parent.name, path.parent.name)} {path.stem}" for path in found if not path.name.startswith(".")}


def _holds(path: Path, wanted: Sidecar) -> bool:
    try:
        raw = path.with_suffix(".json").read_bytes()
        return raw == encode(wanted) and path.stat().st_size == wanted.size_bytes
    except OSError:
        return False


def _allocate(file: int, size_bytes: int) -> None:
    """Take the disk's space at once, so that what fits now fits to the end. Not every file system can."""
    try:
        os.posix_fallocate(file, 0, max(size_bytes, 1))
    except OSError as error:
        if error.errno in FULL:
            raise


@contextmanager
def _in_words(folder: Path) -> Iterator[None]:
    """What the disk says of the cache is said in a line."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise CacheFull(f"{folder}: the disk is full; ASTRARIUM_CACHE moves the cache") from error
        raise MachineError(f"{folder}: {error.strerror or error}; ASTRARIUM_CACHE moves the cache") from error
