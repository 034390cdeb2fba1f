"""The simulated journal: entries in memory, in the order in which nodes wrote them; and one on a bad disk.

What a `FaultyJournal` has kept passes through the sealed bytes of a real file (`core/journal.py`) whenever its process dies,
so that a torn record, a lost tail and a flipped bit are found, or not, by the code that reads live journals.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from actors.sim.chance import Chance
from core.journal import JournalError, records, seal

MS: Final = 1_000_000
UNSYNCED: Final = 40
"""Entries that a loss of power may cost: what an account writes within some milliseconds of a burst."""


class Journal:
    """An append-only list of bytes behind the Store port."""

    def __init__(self) -> None:
        self._entries: list[bytes] = []

    def append(self, *entries: bytes) -> None:
        """Keep entries."""
        self._entries += entries

    def entries(self) -> Iterator[bytes]:
        """All entries, oldest first."""
        return iter(self._entries)


class StoreFaults(Struct, frozen=True):
    """How likely each fault is: of a write (`slow`, `failed`), of a crash (the others)."""

    disk_failed: float = 0.0
    """EIO: this write fails and leaves nothing."""
    disk_slow: float = 0.0
    """The write takes up to a second."""
    tape_torn: float = 0.0
    """The process died in the middle of its last write."""
    bit_flipped: float = 0.0
    """One bit of what was last written is wrong."""
    power_lost: float = 0.0
    """What was not yet on the disk is gone, and every process of the machine with it."""


class FaultyJournal(Journal):
    """A journal on a disk that fills, fails, is slow, and loses what it promised only when the power goes."""

    def __init__(self, faults: StoreFaults, chance: Chance) -> None:
        super().__init__()
        self.faults, self.chance = faults, chance
        self.full = False
        self.took_ns = 0
        """How long the last write took."""
        self.failed = 0
        self.lost: list[bytes] = []
        """Entries that were promised and are gone."""

    def append(self, *entries: bytes) -> None:
        """Keep entries, all or none. Raises OSError."""
        if self.full:
            self.failed += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        if self.chance.strikes("disk_failed", self.faults.disk_failed):
            self.failed += 1
            raise OSError(errno.EIO, "Input/output error")
        slow = self.chance.strikes("disk_slow", self.faults.disk_slow)
        self.took_ns = self.chance.random.randrange(1_000 * MS) if slow else 0
        super().append(*entries)

    def last(self, count: int) -> list[bytes]:
        """The newest entries, at most so many."""
        return self._entries[-count:]

    def die(self, dying: tuple[bytes, ...] = ()) -> bool:
        """The process dies, perhaps in the middle of writing these; what can be read again is all there is from now on.

        Returns whether something is gone that was promised.
        """
        chance, faults, promised = self.chance, self.faults, list(self._entries)
        if chance.strikes("power_lost", faults.power_lost):
            del self._entries[max(len(promised) - chance.random.randrange(1, UNSYNCED), 0) :]
            dying = ()
        start = max(len(self._entries) - UNSYNCED, 0)
        tail = [seal(start + place, entry) for place, entry in enumerate((*self._entries[start:], *dying))]
        data = bytearray(b"".join(tail))
        certain = sum(map(len, tail[: len(tail) - len(dying)]))
        if len(data) > certain and chance.strikes("tape_torn", faults.tape_torn):
            del data[chance.random.randrange(certain, len(data)) :]
        else:
            del data[certain:]
        if data and chance.strikes("bit_flipped", faults.bit_flipped):
            place = chance.random.randrange(8 * len(data))
            data[place // 8] ^= 1 << place % 8
        del self._entries[start:]
        try:
            for record in records(bytes(data), start):
                self._entries.append(record.entry)
        except JournalError:
            chance.fired["damage_found"] += 1  # a person looks at it, and lets the venue say what is missing
        lost = promised[len(self._entries) :]
        self.lost += lost
        return bool(lost)
