"""The simulated journal: entries in memory, in the order in which nodes wrote them."""

from __future__ import annotations

from collections.abc import Iterator


class Journal:
    """An append-only list of bytes behind the Store port."""

    def __init__(self) -> None:
        self._entries: list[bytes] = []

    def append(self, entry: bytes) -> None:
        """Keep an entry."""
        self._entries.append(entry)

    def entries(self) -> Iterator[bytes]:
        """All entries, oldest first."""
        return iter(self._entries)
