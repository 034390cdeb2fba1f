"""Room for days in the cache: how large it may become, which days go first, and the locks that say who uses one.

`actors/history/daycache.py` says where a day and its locks lie.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from actors.errors import Exit, MachineError, UserError

SHARE: Final = 0.8
"""Of what the disk would have free without the cache: the rest is for results, journals and whatever else it is there for."""


class CacheFull(MachineError):
    """This machine has no room for a day; another one may have."""


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
    """Every day in the cache by its file's name, there or not yet, and the bytes of all that belongs to it or will."""
    for instrument in folder.glob("*/*/*"):
        sizes: dict[Path, int] = {}
        for entry in os.scandir(instrument):
            day = instrument / f"{entry.name.lstrip('.').partition('.')[0]}.h5"
            sizes[day] = sizes.get(day, 0) + _size(Path(entry.path))
        for day, size in sizes.items():
            whole = max(size, _kept_free(day))
            if whole:  # locks stay when their day goes, and are empty then
                yield day, whole


def _kept_free(path: Path) -> int:
    try:
        return beside(path, "use").stat().st_size
    except OSError:
        return 0


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
        lock = locked(beside(path, "use"), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    try:
        remove(path)
    finally:
        os.close(lock)
    return True


def remove(path: Path) -> None:
    """Remove a day, its sidecar first: without it nobody takes the rest for one."""
    path.with_suffix(".json").unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    beside(path, "part").unlink(missing_ok=True)
    shutil.rmtree(path.with_suffix(".prepared"), ignore_errors=True)
    with suppress(FileNotFoundError):
        os.truncate(beside(path, "use"), 0)


def beside(path: Path, what: str) -> Path:
    """A day's lock, or a part of what is not there yet, by the name of its file."""
    return path.with_name(f".{path.stem}.{what}")


def locked(path: Path, how: int) -> int:
    """A lock, held until what is returned is closed. Raises BlockingIOError where it is not waited for (`LOCK_NB`)."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(file, how)
    except BaseException:
        os.close(file)
        raise
    return file


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody else is in such a block on this machine."""
    lock = locked(path, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(lock)
