"""Where compiled kernels are kept: one folder a content of the kernel, shared by all processes of a machine.

numba decides by a file's own date and size whether machine code is still good, and knows nothing of the functions that were
compiled into it from elsewhere. So its folder is named by the content of all of `core/kernel`: an edited kernel finds an empty
one. `actors` calls `point` when it is imported, before numba can be; a worker on Ray and a notebook pass there as the command
line does. `ASTRARIUM_CACHE` moves the folder, a `NUMBA_CACHE_DIR` that is somebody else's is left alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KERNEL = Path(__file__).resolve().parent.parent / "core" / "kernel"
KEPT = 4
"""Folders of earlier kernels that stay: going back and forth between two branches compiles nothing."""
REST_S = 86_400.0
"""A folder used within the last day is not removed: a long run may still read it."""


def home() -> Path:
    """The folder of all caches: ASTRARIUM_CACHE, else astrarium under XDG_CACHE_HOME, else under ~/.cache."""
    own = os.environ.get("ASTRARIUM_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "astrarium"


def key(folder: Path = KERNEL) -> str:
    """Content hash of the sources in a folder and of the Python that compiles them."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def point(folder: Path = KERNEL) -> None:
    """Tell numba where to keep what it compiles. Where nothing can be written, numba's own place beside the sources stays."""
    root = home() / "numba"
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given and Path(given).parent != root:
        return
    place = root / key(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        os.utime(place)
    except OSError:
        return
    os.environ["NUMBA_CACHE_DIR"] = str(place)
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(place)
    prune(root)


def prune(root: Path) -> None:
    """Remove all but the last few folders that have not been used for a day."""
    try:
        used = sorted(((path.stat().st_mtime, path) for path in root.iterdir()), reverse=True)
    except OSError:
        return
    for when, path in used[KEPT:]:
        if when < time.time() - REST_S:
            shutil.rmtree(path, ignore_errors=True)


def compiled() -> bool:
    """Whether machine code of the simulated exchange is kept, so that the next run need not begin by making it."""
    place = os.environ.get("NUMBA_CACHE_DIR", "")
    return not place or next(Path(place).glob("**/exchange.*.nbi"), None) is not None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    import fcntl

    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_alone() -> None:
    """Let one process at a time write an entry.

    numba reads a function's index, chooses a number for the new signature and writes both, without a lock: two workers that
    compile one function for different types at once may each take number 1, and one then runs the other's machine code.
    """
    from numba.core import caching

    index: Any = caching.IndexDataCacheFile
    save = index.save
    if save.__module__ == __name__:
        return

    def guarded(self: Any, key: Any, data: Any) -> None:
        with _alone(Path(self._cache_path) / ".lock"):
            save(self, key, data)

    index.save = guarded
