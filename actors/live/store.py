"""The live journal: a file that one process appends to, sealed record by record (`core/journal.py`).

Entries are written with one write before `append` returns, so they survive this process's death by any signal; a thread brings
them to the disk within `SYNC_S`, so a loss of power may cost the last milliseconds, for which the venue is the second witness. An
fdatasync in the caller's way would cost 0.1 ms at the median and 5 ms at the 99th percentile. On a network's file system
the death of a machine costs what a loss of power costs here, and what was under way to the server.

What cannot be kept is an error and leaves nothing half kept, of several entries none: the file is cut back to its last whole
record. Where even that fails, or the disk refuses a sync, the journal takes nothing more and says why. Whoever trades
must stop opening new orders then.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Final

from core.journal import Record, records, seal

SYNC_S: Final = 0.005
HELD_BYTES: Final = 16 << 20
"""Of a journal that is read: so much of the map stays in memory."""


class Journal:
    """An append-only file behind the Store port."""

    def __init__(self, path: Path, lock: bool = True) -> None:
        """Open or make the file, cut off a torn tail, and go on behind the last whole record.

        Without `lock` something else says that nobody else writes it: on a network's file system a dead machine's lock may last.

        Raises JournalError for a damaged file, OSError for one that cannot be opened or is another process's journal.
        """
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if lock:
                self._lock()
            self._end = self._count = 0
            for record in records(_mapped(path)):
                self._end, self._count = record.end, self._count + 1
            os.ftruncate(self._file, self._end)
        except BaseException:
            os.close(self._file)
            raise
        self._broken: OSError | None = None
        self._unsynced, self._closing = False, Event()
        self._syncing = Thread(target=self._sync, name=f"journal {path.name}", daemon=True)
        self._syncing.start()

    def append(self, *entries: bytes) -> None:
        """Keep entries, all or none. Raises OSError when they cannot be kept; they are then not in the file."""
        if self._broken is not None:
            raise OSError(self._broken.errno, f"{self.path} takes nothing more: {self._broken.strerror}")
        block = seal(self._count, *entries)
        try:
            written = os.write(self._file, block)
            if written != len(block):
                os.write(self._file, block[written:])  # says why the first one stopped, or finishes it
                if os.fstat(self._file).st_size != self._end + len(block):
                    raise OSError(5, "written short")
        except OSError:
            self._cut_back()
            raise
        self._end += len(block)
        self._count += len(entries)
        self._unsynced = True  # and nobody is woken: what is to leave leaves first

    def entries(self) -> Iterator[bytes]:
        """All entries, oldest first."""
        return entries(self.path)

    def close(self) -> None:
        """Bring everything to the disk and let the file go."""
        if not self._closing.is_set():
            self._closing.set()
            self._syncing.join()
            os.close(self._file)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OSError(error.errno, f"{self.path} is the journal of a process that is running") from error

    def _cut_back(self) -> None:
        try:
            os.ftruncate(self._file, self._end)
        except OSError as error:
            self._broken = error

    def _sync(self) -> None:
        while not self._closing.wait(SYNC_S):
            if self._unsynced:
                self._unsynced = False
                try:
                    os.fdatasync(self._file)
                except OSError as error:
                    self._broken = error
        os.fdatasync(self._file)


def entries(path: Path) -> Iterator[bytes]:
    """The whole entries of a journal's file, oldest first, whoever writes it. Raises JournalError for a damaged one."""
    return (record.entry for record in kept(path))


def kept(path: Path) -> Iterator[Record]:
    """The whole records of a journal's file, in memory that does not grow with it. Raises JournalError for a damaged one."""
    mapped, held = _mapped(path), 0
    for record in records(mapped):
        yield record
        if record.end - held >= HELD_BYTES:
            whole = (record.end - held) // mmap.PAGESIZE * mmap.PAGESIZE
            mapped.madvise(mmap.MADV_DONTNEED, held, whole)  # type: ignore[union-attr]
            held += whole


def _mapped(path: Path) -> mmap.mmap | bytes:
    """A file's content, without reading it all at once."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else b""
