"""The simulated journal: entries in memory, in the order in which nodes wrote them."""

from __future__ import annotations

from collections.abc import Iterator


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
