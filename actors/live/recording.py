"""The market as it came, kept in the store's own capture format: lines of `<ns> <json>`, packed, one file an instrument and day.

`astrarium data import` takes the files, snapshots included, and builds the same books again. A process that begins again on the
same day begins another file: the last one may have no proper end. Writing is a thread's affair: what trades only appends to a
queue. A disk that is full, or too slow, ends the recording with an alarm, and nothing else.
"""

from __future__ import annotations

import itertools
import zlib
from collections import deque
from collections.abc import Callable
from datetime import date
from pathlib import Path
from threading import Event, Thread
from typing import BinaryIO, Final

DAY_NS: Final = 86_400_000_000_000
EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
PAUSE_S: Final = 0.25
FLUSH_EVERY: Final = 20
"""Rounds between two flushes: a process that is killed loses five seconds of its recording."""
LEVEL: Final = 1
"""Of packing: 0.1 µs a byte less than the default, for a file a tenth longer."""
WAITING_MAX: Final = 2_000_000
"""Frames that may wait for the disk: two minutes of a hundred busy instruments, half a gigabyte."""


class _File:
    """One instrument's file of one day, open."""

    def __init__(self, folder: Path, symbol: str, day: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.day = day
        name = f"{symbol}-{date.fromordinal(EPOCH_ORDINAL + day):%Y%m%d}"
        numbers = itertools.count(2)
        path = folder / f"{name}.gz"
        while path.exists():
            path = folder / f"{name}-{next(numbers)}.gz"
        self._file: BinaryIO = path.open("xb")
        self._pack = zlib.compressobj(LEVEL, wbits=31)

    def write(self, text: bytes) -> None:
        self._file.write(self._pack.compress(text))

    def flush(self) -> None:
        self._file.write(self._pack.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def close(self) -> None:
        self._file.write(self._pack.flush())
        self._file.close()


class Recording:
    """`folder/<SYMBOL>-<YYYYMMDD>.gz`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.frames = 0
        self.failed = ""
        self._waiting: deque[tuple[str, int, bytes]] = deque()
        self._files: dict[str, _File] = {}
        self._over = Event()
        self._thread: Thread | None = None

    def start(self, alarm: Callable[[str], None]) -> None:
        """Begin to write. `alarm` is called once, on the writer's thread, when recording ends because it must."""
        self._alarm = alarm
        self._thread = Thread(target=self._live, name="recording", daemon=True)
        self._thread.start()

    def take(self, symbol: str, received: int, frame: bytes) -> None:
        """Keep a frame, from any thread; does not block."""
        if not self.failed:
            self._waiting.append((symbol, received, frame))

    def close(self, seconds: float = 10.0) -> None:
        """Write what waits and end."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _live(self) -> None:
        try:
            rounds = 0
            while not self._over.wait(PAUSE_S):
                rounds += 1
                self._write()
                if rounds % FLUSH_EVERY == 0:
                    for file in self._files.values():
                        file.flush()
            self._write()
            for file in self._files.values():
                file.close()
        except OSError as error:
            self.failed = str(error)
            self._waiting.clear()
            self._alarm(self.failed)

    def _write(self) -> None:
        waiting = self._waiting
        if len(waiting) > WAITING_MAX:
            raise OSError(f"{len(waiting):,} frames wait for the disk")
        texts: dict[tuple[str, int], list[bytes]] = {}
        for _ in range(len(waiting)):
            symbol, received, frame = waiting.popleft()
            if b"\n" in frame:
                frame = b" ".join(frame.split())
            texts.setdefault((symbol, received // DAY_NS), []).append(b"%d %s\n" % (received, frame))
            self.frames += 1
        for (symbol, day), lines in texts.items():
            self._file(symbol, day).write(b"".join(lines))

    def _file(self, symbol: str, day: int) -> _File:
        file = self._files.get(symbol)
        if file is None or file.day != day:
            if file is not None:
                file.close()
            file = self._files[symbol] = _File(self.folder, symbol, day)
        return file
