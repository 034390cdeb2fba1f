"""Files below a URL, over pyarrow: object storage, or a folder that many machines have mounted.

Endpoint, region and keys come from the usual environment (AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, ...) or from the URL's
parameters as pyarrow has them (`?endpoint_override=127.0.0.1:5000&scheme=http`); keys in a URL are refused, because a run writes
its store's name down. Reading is repeated where the network fails, writing is not.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

from actors.errors import Exit, UserError

T = TypeVar("T")

BLOCK_BYTES: Final = 8 << 20
"""Read at once: object storage answers after some 20 ms, in which a fast network carries about as much."""
TRIES: Final = 2
"""pyarrow's S3 repeats a request for some seconds by itself; this is once more, for what it gives up on."""
PAUSE_S: Final = 1.0
URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://", re.ASCII)
WRONG: Final = (OSError, ValueError, NotImplementedError)
"""What pyarrow raises."""

_meter = threading.Lock()
_read_bytes = 0


def bytes_read() -> int:
    """Bytes that this process has read from below URLs."""
    return _read_bytes


def _count(size: int) -> None:
    global _read_bytes  # noqa: PLW0603 - a meter of the process
    with _meter:
        _read_bytes += size


class Objects:
    """What lies below a URL; names are relative to it, with `/` between folders."""

    def __init__(self, url: str) -> None:
        """Raises UserError for a URL that names no such place, and where pyarrow is not installed."""
        self.url = url.partition("?")[0].rstrip("/")
        self._files, root = _opened(url)
        self._root = root.rstrip("/")

    def names(self, folder: str = "") -> list[str]:
        """All files below a folder, at any depth; none where it is not there. Object storage tells a thousand a request."""
        from pyarrow import fs  # type: ignore[import-untyped]

        below = fs.FileSelector(f"{self._root}/{folder}".rstrip("/"), allow_not_found=True, recursive=True)
        found = self._tried(folder, lambda: self._files.get_file_info(below))
        return [one.path[len(self._root) + 1 :] for one in found if one.type == fs.FileType.File]

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        from pyarrow import fs

        found = self._tried(name, lambda: self._files.get_file_info(self._path(name)))
        return bool(found.type == fs.FileType.File)

    def read(self, name: str) -> bytes | None:
        """A small file; None where it is not there."""
        try:
            return b"".join(self.blocks(name))
        except FileNotFoundError:
            return None

    def blocks(self, name: str) -> Iterator[bytes]:
        """A file in blocks, each asked for again where the network fails. Raises FileNotFoundError, else UserError."""
        with self._tried(name, lambda: self._files.open_input_file(self._path(name))) as file:
            for start in range(0, file.size(), BLOCK_BYTES):
                block: bytes = self._tried(name, lambda at=start: file.read_at(BLOCK_BYTES, at))  # type: ignore[misc]
                _count(len(block))
                yield block

    def write(self, name: str, blocks: Iterable[bytes]) -> None:
        """Put a file in its place, whole.

        Raises UserError, and whatever `blocks` raises: object storage then has what came until there.
        """
        local = self._files.type_name == "local"  # a rename makes it whole; object storage shows nothing before the end
        path = self._path(name)
        beside = f"{path}.part" if local else path
        if local:
            self._once(name, lambda: self._files.create_dir(path.rpartition("/")[0], recursive=True))
        out = self._once(name, lambda: self._files.open_output_stream(beside, compression=None))
        try:
            for block in blocks:
                self._once(name, lambda one=block: out.write(one))  # type: ignore[misc]
        finally:
            self._once(name, out.close)
        if local:
            self._once(name, lambda: self._files.move(beside, path))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _tried(self, name: str, read: Callable[[], T]) -> T:
        for left in reversed(range(TRIES)):
            try:
                return read()
            except FileNotFoundError:
                raise
            except WRONG as error:
                if not left or "ACCESS_DENIED" in str(error):
                    raise self._failure(name, error) from error
                time.sleep(PAUSE_S)
        raise AssertionError("at least one try")

    def _once(self, name: str, act: Callable[[], T]) -> T:
        try:
            return act()
        except WRONG as error:
            raise self._failure(name, error) from error

    def _failure(self, name: str, error: Exception) -> UserError:
        return UserError(f"{self.url}/{name}".rstrip("/") + f": {' '.join(str(error).split())}")


def _opened(url: str) -> tuple[Any, str]:
    try:
        from pyarrow import fs
    except ImportError as error:
        raise UserError(f"{url}: a store at a URL needs pyarrow: pip install astrarium[cluster]", Exit.CONFIGURATION) from error
    if re.match(r"[^/]+//[^/?]*:[^/?]*@", url):
        raise UserError(
            "a store's URL is written into results and must hold no keys: give them as AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY",
            Exit.CONFIGURATION,
        )
    try:
        return fs.FileSystem.from_uri(url)  # type: ignore[no-any-return]
    except WRONG as error:
        raise UserError(f"{url}: no store can be there: {' '.join(str(error).split())}", Exit.CONFIGURATION) from error
