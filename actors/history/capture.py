"""A capture file as chunks of whole lines: gz (also several members, also cut off) or plain, one pass, bounded memory.

Lines end in a newline; a chunk is what was read, cut after its last newline, and the rest begins the next. What is wrong with
the container is reported with the line at which it happened, and everything before that is kept.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

CHUNK_BYTES = 4 << 20
"""Text handed on at once: small against a gigabyte, large against the 20 µs that a chunk costs beyond its lines."""
SPARE_BYTES = 64
"""The byte parser looks ahead by less than this."""
LINE_BYTES_MAX = 16 << 20
"""A snapshot of 5,000 levels a side is 0.3 MB; a line longer than this is not a capture's."""
_GZIP_MAGIC = b"\x1f\x8b"


class Chunk(NamedTuple):
    """Whole lines: `text[:size]` ends with a newline and has spare bytes behind it. `line` is the first line's number, from 1."""

    text: NDArray[np.uint8]
    size: int
    line: int


class Capture:
    """One file on its way in. After the last chunk, `digest` names its text, however it was packed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes_packed = path.stat().st_size
        self.bytes_read = 0
        self.bytes_text = 0
        self.lines = 0
        self.damage: list[tuple[int, str]] = []
        self._broken = ""
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return self._hash.hexdigest()

    def chunks(self, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Chunk]:
        """The file, chunk by chunk; a last line without a newline is given one."""
        buffer: NDArray[np.uint8] = np.zeros(chunk_bytes + SPARE_BYTES, np.uint8)
        held = 0
        for block in self._blocks(chunk_bytes // 4):
            self._hash.update(block)
            self.bytes_text += len(block)
            if held + len(block) + SPARE_BYTES + 1 > len(buffer):
                if held > LINE_BYTES_MAX:
                    self.damage.append((self.lines + 1, f"no end of line in {held} bytes"))
                    return
                buffer = np.concatenate([buffer[:held], np.zeros(held + 2 * len(block) + SPARE_BYTES + 1, np.uint8)])
            buffer[held : held + len(block)] = np.frombuffer(block, np.uint8)
            held += len(block)
            if held < chunk_bytes * 3 // 4:
                continue
            size = _last_newline(buffer, held)
            if size:
                yield self._chunk(buffer, size)
                buffer[: held - size] = buffer[size:held].copy()
                held -= size
        if held:
            if buffer[held - 1] != 10:
                buffer[held] = 10
                held += 1
            yield self._chunk(buffer, held)
        if self._broken:  # known only to be after the last line that came out
            self.damage.append((self.lines, self._broken))

    def _chunk(self, buffer: NDArray[np.uint8], size: int) -> Chunk:
        line = self.lines + 1
        self.lines += int(np.count_nonzero(buffer[:size] == 10))
        return Chunk(buffer, size, line)

    def _blocks(self, block_bytes: int) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            packed = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            yield from self._unpacked(file, block_bytes) if packed else self._plain(file, block_bytes)

    def _plain(self, file: BinaryIO, block_bytes: int) -> Iterator[bytes]:
        while block := file.read(block_bytes):
            self.bytes_read += len(block)
            yield block

    def _unpacked(self, file: BinaryIO, block_bytes: int) -> Iterator[bytes]:
        inflate = zlib.decompressobj(wbits=31)
        fresh = False  # whether the next member has begun: zero padding after the last is normal
        try:
            while packed := file.read(256 << 10):
                self.bytes_read += len(packed)
                while packed:
                    if inflate.eof:
                        packed = packed.lstrip(b"\0")
                        if not packed:
                            break
                        inflate, fresh = zlib.decompressobj(wbits=31), True
                    block = inflate.decompress(packed, block_bytes)
                    packed = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
                    if block:
                        fresh = False
                        yield block
        except zlib.error as error:
            self._broken = "something that is not gzip follows" if fresh else f"the gzip stream is damaged here ({error})"
            return
        if not inflate.eof:
            self._broken = "the gzip stream ends early, after this line"


def _last_newline(buffer: NDArray[np.uint8], held: int) -> int:
    """The offset after the last newline of the first `held` bytes, 0 where there is none."""
    low = max(0, held - (64 << 10))  # a line is rarely longer
    found = buffer[low:held].tobytes().rfind(b"\n") + 1
    return low + found if found else buffer[:held].tobytes().rfind(b"\n") + 1
