"""Days of remote stores kept on this machine, so that each is read over the network once.

<cache>/days/<hash of the store's URL>/<venue>/<SYMBOL>/ has the file of each day, its prepared columns and its sidecar, which is
put there last: with it the day is *held*. A day has two locks, both the kernel's, so that a process that dies leaves none behind:

    .<day>.fetch   taken by the one process that fetches; the others wait and find the day there
    .<day>.use     shared by all who use the day; who makes room asks for it alone, and leaves a day alone that it does not get

What a process has mapped stays readable even if its file is removed (Linux keeps the pages), so a day that is replaced because
the store has another one now is replaced at once, used or not.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from actors.compile_cache import home
from actors.errors import Exit, MachineError, UserError
from actors.history.shelf import folder_of
from actors.history.sidecar import Sidecar, encode
from core.instrument import Key

SHARE: Final = 0.8
"""Of what the disk would have free without the cache: the rest is for results, journals and whatever else it is there for."""
FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class CacheFull(MachineError):
    """This machine has no room for a day; another one may have."""


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
            lease = Lease(path, _locked(_beside(path, "use"), fcntl.LOCK_SH))
            try:
                if not _holds(path, wanted):
                    with _alone(_beside(path, "fetch")):
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
        _remove(folder_of(self.folder, key) / f"{day}.h5")

    def _fetch(self, path: Path, wanted: Sidecar, blocks: Callable[[], Iterable[bytes]]) -> None:
        _remove(path)
        part = _beside(path, "part")
        try:
            with part.open("wb") as out:
                with _alone(self.home / ".room"):
                    make_room(self.home, wanted.size_bytes + wanted.columns_bytes, path)
                    _allocate(out.fileno(), wanted.size_bytes)
                digest = hashlib.blake2b()
                for block in blocks():
                    digest.update(block)
                    out.write(block)
                out.truncate()
            if (part.stat().st_size, digest.hexdigest()) != (wanted.size_bytes, wanted.blake2b):
                raise Altered(f"{part.stat().st_size:,} of {wanted.size_bytes:,} bytes came, hash {digest.hexdigest()[:12]}")
            part.replace(path)
            kept = _beside(path, "json.part")
            kept.write_bytes(encode(wanted))
            kept.replace(path.with_suffix(".json"))
        finally:
            part.unlink(missing_ok=True)


def held(url: str) -> set[str]:
    """The labels, `<venue>:<SYMBOL> <day>`, of a store's days that this machine holds. Nothing is asked of the network."""
    found = DayCache(url).folder.glob("*/*/*.json")
    return {f"{Key(path.parent.parent.name, path.parent.name)} {path.stem}" for path in found if not path.name.startswith(".")}


def bytes_max(folder: Path, used_bytes: int) -> int:
    """How large the cache may become: ASTRARIUM_CACHE_GB, else 80 % of what its disk has free beside it. Raises UserError."""
    said = os.environ.get("ASTRARIUM_CACHE_GB", "")
    if not said:
        return int(SHARE * (shutil.disk_usage(folder).free + used_bytes))
    try:
        return int(float(said) * 1e9)
    except (ValueError, OverflowError) as error:
        raise UserError(f"ASTRARIUM_CACHE_GB={said}: write a number of gigabytes, as 50", Exit.CONFIGURATION) from error


def make_room(folder: Path, size_bytes: int, wanted: Path) -> None:
    """Remove days that nobody uses, least recently used first, until so many bytes fit the bound and the disk.

    Raises CacheFull when they do not fit; nothing is removed for a day that could not fit into an empty cache.
    """
    sizes = dict(_days(folder))
    used = sum(sizes.values())
    most = bytes_max(folder, used)

    def room() -> int:
        return min(most - used, shutil.disk_usage(folder).free)

    for path in sorted(sizes, key=_last_used) if size_bytes <= room() + used else ():
        if size_bytes <= room():
            break
        if _let_go(path):
            used -= sizes[path]
    if size_bytes > room():
        free = shutil.disk_usage(folder).free
        raise CacheFull(
            f"no room for {wanted.parent.name} {wanted.stem} in {folder}: {size_bytes / 1e6:,.1f} MB with its columns, where "
            f"{free / 1e6:,.1f} MB are free and days in use take {used / 1e6:,.1f} of at most {most / 1e6:,.1f} MB; "
            "ASTRARIUM_CACHE moves the cache, ASTRARIUM_CACHE_GB bounds it"
        )


def _days(folder: Path) -> Iterator[tuple[Path, int]]:
    """Every day in the cache by its file's name, there or not yet, and the bytes of all that belongs to it."""
    for instrument in folder.glob("*/*/*"):
        sizes: dict[Path, int] = {}
        for entry in os.scandir(instrument):
            day = instrument / f"{entry.name.lstrip('.').partition('.')[0]}.h5"
            sizes[day] = sizes.get(day, 0) + _size(Path(entry.path))
        yield from ((day, size) for day, size in sizes.items() if size)  # locks stay, and are empty


def _size(path: Path) -> int:
    """Bytes of a file, or of all below a folder; what is removed meanwhile counts as nothing."""
    total = 0
    with suppress(OSError):
        total = path.stat().st_blocks * 512
        if path.is_dir():
            total += sum(_size(one) for one in path.iterdir())
    return total


def _last_used(path: Path) -> float:
    """Seconds since 1970; 0 for what was left by a fetch that died."""
    try:
        return path.with_suffix(".json").stat().st_mtime
    except OSError:
        return 0.0


def _let_go(path: Path) -> bool:
    """Remove a day, unless somebody uses it."""
    try:
        lock = _locked(_beside(path, "use"), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    try:
        _remove(path)
    finally:
        os.close(lock)
    return True


def _remove(path: Path) -> None:
    """The sidecar first: without it nobody takes the rest for a day."""
    path.with_suffix(".json").unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    _beside(path, "part").unlink(missing_ok=True)
    shutil.rmtree(path.with_suffix(".prepared"), ignore_errors=True)


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


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f".{path.stem}.{what}")


def _locked(path: Path, how: int) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(file, how)
    except BaseException:
        os.close(file)
        raise
    return file


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    lock = _locked(path, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(lock)


@contextmanager
def _in_words(folder: Path) -> Iterator[None]:
    """What the disk says of the cache is said in a line."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise CacheFull(f"{folder}: the disk is full; ASTRARIUM_CACHE moves the cache") from error
        raise MachineError(f"{folder}: {error.strerror or error}; ASTRARIUM_CACHE moves the cache") from error
