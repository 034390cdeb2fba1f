"""Where days lie: in a folder, or at a URL (`actors/history/remote.py`). The choice is made once, in `shelf`."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from actors.errors import Exit, UserError
from actors.history.dayfile import DayFile
from actors.history.objects import BLOCK_BYTES, URL
from actors.history.sidecar import Sidecar
from core.instrument import Key

T = TypeVar("T")
Read = Callable[[Path], T]
DAY = re.compile(r"\d{4}-\d{2}-\d{2}\.h5", re.ASCII)


class NotStored(Exception):
    """There is no such day."""


class Shelf(Protocol):
    """Where days lie. A day that is not there is NotStored; what is wrong with one that is there, a UserError."""

    def keys(self) -> set[Key]:
        """Instruments with a day."""

    def days(self, key: Key) -> list[str]:
        """Days of an instrument in order."""

    def sidecar(self, key: Key, day: str) -> Sidecar:
        """A day in words."""

    def digest(self, key: Key, day: str) -> str:
        """The content of a day."""

    def read(self, key: Key, day: str, how: Read[T], while_: Callable[[T], object] | None = None) -> T:
        """What `how` makes of a day's file; nobody takes the file away while `while_` of that is alive."""

    def blocks(self, key: Key, day: str) -> Iterator[bytes]:
        """A day file's bytes."""

    def put(self, key: Key, day: str, blocks: Iterable[bytes], described: Callable[[], Sidecar]) -> None:
        """Store a day, unless `described`, asked when all blocks are through, raises."""


def shelf(root: str | Path) -> Shelf:
    """Where a store's days lie, by its folder or URL."""
    if at_url(root):
        from actors.history.remote import RemoteShelf

        return RemoteShelf(str(root))
    return FolderShelf(Path(root))


def at_url(root: str | Path) -> bool:
    """Whether a store is named by a URL."""
    return isinstance(root, str) and bool(URL.match(root))


def located(root: str | Path) -> str:
    """A store's name that means the same in every process: a whole path, or the URL as it is."""
    return str(root) if at_url(root) else str(Path(root).resolve())


def writable(root: str | Path) -> Path:
    """The folder of a store that is to be written. Raises UserError for a URL."""
    if at_url(root):
        raise UserError(
            f"{root}: days are written to a folder; `astrarium data copy FOLDER {root}` puts them there", Exit.CONFIGURATION
        )
    return Path(root)


class FolderShelf:
    """The days of a store in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def keys(self) -> set[Key]:
        """Instruments with a day."""
        found = (path for path in self._root.glob("*/*/*.h5") if DAY.fullmatch(path.name))
        return {Key(path.parent.parent.name, path.parent.name) for path in found}

    def days(self, key: Key) -> list[str]:
        """Days of an instrument in order."""
        folder = self._root / key.venue / key.symbol
        return sorted(path.stem for path in folder.glob("*.h5") if DAY.fullmatch(path.name))

    def sidecar(self, key: Key, day: str) -> Sidecar:
        """A day in words, from the day file itself. Raises NotStored, and UserError for a damaged one."""
        path = self._path(key, day)
        with DayFile(path) as file:
            return Sidecar(file.day, path.stat().st_size)

    def digest(self, key: Key, day: str) -> str:
        """The day file's own digest; of a damaged one, which will fail, that of its bytes."""
        try:
            return self.sidecar(key, day).words.digest
        except UserError:
            with self._path(key, day).open("rb") as damaged:
                return f"damaged {hashlib.file_digest(damaged, 'blake2b').hexdigest()[:32]}"

    def read(self, key: Key, day: str, how: Read[T], while_: Callable[[T], object] | None = None) -> T:
        """What `how` makes of a day's file. Nobody but its owner removes it, so nothing need be said of `while_`."""
        return how(self._path(key, day))

    def blocks(self, key: Key, day: str) -> Iterator[bytes]:
        """A day file's bytes."""
        with self._path(key, day).open("rb") as file:
            yield from iter(partial(file.read, BLOCK_BYTES), b"")

    def put(self, key: Key, day: str, blocks: Iterable[bytes], described: Callable[[], Sidecar]) -> None:
        """Store a day, written beside and renamed. A folder is its own catalogue: what `described` makes is not kept."""
        from actors.history.importer import locked

        path = folder_of(self._root, key) / f"{day}.h5"
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with locked(self._root):
                with beside.open("wb") as out:
                    out.writelines(blocks)
                    os.fsync(out.fileno())
                described()
                beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    def _path(self, key: Key, day: str) -> Path:
        path = self._root / key.venue / key.symbol / f"{day}.h5"
        if not path.exists():
            raise NotStored
        return path


def folder_of(root: str | Path, key: Key) -> Path:
    """Where an instrument's files are. Raises UserError for a name that would lie outside the store: captures are strangers'."""
    for name in (key.venue, key.symbol):
        if not name or name.startswith(".") or set(name) & set("/\\:\0"):
            raise UserError(f"{name!r} cannot be the name of a venue or an instrument", Exit.CONFIGURATION)
    return Path(root) / key.venue / key.symbol
