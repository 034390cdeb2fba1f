"""An instrument's book where frames are read: the memory of `core.kernel.feed`, and its best levels as a tick has them.

To `core.book.Sync` it is a book like the plain one. To the normalizer it is more: a depth event that simply continues the book is
read from its bytes, applied and shown in one compiled call. Levels that are shown again are the same objects as before: most
events change a few of the best twenty, and making tuples costs more than all the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.instrument import Instrument
from core.kernel import feed as f
from core.kernel.frames import LEVEL_BYTES_MIN
from core.kernel.state import FOREVER, NOWHERE
from core.message import Levels

NEAR_RANKS: Final = 1 << 17
"""Ticks a side that are an array: 1 MB of which touched pages exist. For BTCUSDT 13,000 USD, a fifth of the price."""
BETTER: Final = NEAR_RANKS // 4
"""How many of them lie above the best price when the array is laid: a market may move by that before it is laid anew."""
_MARGIN: Final = 64
"""Ranks below the array that searches may read."""
_ROOM_BYTES: Final = 1 << 14
_ROOM_FAR: Final = 1 << 10


class Ladder:
    """The book of one instrument. `bids` and `asks` are its best `levels` levels, best first. `linked` as in `core.book.Sync`."""

    def __init__(self, instrument: Instrument, linked: bool, levels: int) -> None:
        self._state = np.zeros(f.WORDS, np.int64)
        self.at = int(self._state.ctypes.data)
        self.words = memoryview(self._state)  # type: ignore[arg-type]
        self._names = np.frombuffer(b"".join(f.TEXTS), np.uint8)
        self._symbol = np.frombuffer(instrument.symbol.encode() or b"\0", np.uint8)
        self._powers = np.array([10**n for n in range(f.DIGITS_MAX + 1)], np.int64)
        self._values = np.zeros(128, np.int64)
        self._shown = np.zeros((4, 2 * max(levels, 1)), np.int64)
        self._near = np.zeros((2, NEAR_RANKS + 2 * _MARGIN), np.int64)
        self._far: list[NDArray[np.int64]] = [np.zeros((_ROOM_FAR, 2), np.int64) for _ in range(2)]
        self._pairs = [Struct(f"={2 * count}q").unpack_from for count in range(levels + 1)]
        words = self.words
        words[f.SYMBOL], words[f.SYMBOL_SIZE] = self._symbol.ctypes.data, len(instrument.symbol.encode())
        words[f.NAMES], words[f.POWERS], words[f.VALUES] = (a.ctypes.data for a in (self._names, self._powers, self._values))
        words[f.PRICE_DECIMALS], words[f.PRICE_STEP] = _grid(instrument.tick)
        words[f.QTY_DECIMALS], words[f.QTY_STEP] = _grid(instrument.lot)
        words[f.LINKED], words[f.AFTER], words[f.MOST] = int(linked), f.UNSETTLED, levels
        for side in range(2):
            words[f.SHOWN + side] = self._shown[side].ctypes.data
            words[f.BEFORE + side] = self._shown[2 + side].ctypes.data
            self._keep_far(side, self._far[side], 0)
            self._lay(side, 0)
        self._texts = [memoryview(self._shown[n]).cast("B") for n in range(4)]
        self._turn = False
        self._make_room(_ROOM_BYTES)
        self.bids: Levels = ()
        self.asks: Levels = ()
        self._show()
        self.apply((), ())
        f.feed(self.at, 0)  # an empty frame: what has to be compiled is compiled now, and not while a market waits

    # --- frames

    def take(self, frame: bytes) -> int:
        """Read a frame, and apply it where that is all there is to do. Returns a verdict of `core.kernel.feed`.

        Never FULL or STRAYED: that is settled here.
        """
        size = len(frame)
        if size > self._room:
            self._make_room(size)
        self._text[:size] = frame
        verdict: int = f.feed(self.at, size)
        if verdict == f.APPLIED:
            self._turn = not self._turn
            words = self.words
            if not words[f.SAME]:
                self.bids = self._again(self.bids, 0)
            if not words[f.SAME + 1]:
                self.asks = self._again(self.asks, 1)
        elif verdict in (f.FULL, f.STRAYED):
            self._settle(verdict)
            self.words[f.AFTER] = self.words[f.ID]
            return f.APPLIED
        return verdict

    def read(self) -> tuple[Levels, Levels]:
        """The levels of the frame that was read last, bids and asks."""
        bids, asks = self.words[f.BIDS], self.words[f.ASKS]
        rows = self._read[: bids + asks].tolist()
        pairs = tuple(zip((row[0] for row in rows), (row[1] for row in rows), strict=True))
        return pairs[:bids], pairs[bids:]

    # --- as a book

    def clear(self) -> None:
        """Forget every level."""
        for side in range(2):
            best, worst = self.words[f.BEST + side], self.words[f.WORST + side]
            if best != NOWHERE:
                low = self.words[f.LOW + side] - _MARGIN
                self._near[side, worst - low : best - low + 1] = 0
            self.words[f.BEST + side], self.words[f.WORST + side] = NOWHERE, FOREVER
            self.words[f.FAR_COUNT + side] = 0
        self._show()

    def apply(self, bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]]) -> None:
        """Set absolute quantities; 0 removes a level."""
        bids, asks = tuple(bids), tuple(asks)
        count = len(bids) + len(asks)
        if count > len(self._read):
            self._make_room(count * LEVEL_BYTES_MIN)
        if count:
            self._read[:count] = bids + asks
        self.words[f.BIDS], self.words[f.ASKS] = len(bids), len(asks)
        verdict = f.apply(self.at)
        if verdict == f.APPLIED:
            self._turn = not self._turn
            self._renew()
        else:
            self._settle(verdict)

    # --- what is shown

    def _again(self, old: Levels, side: int) -> Levels:
        """A side's best levels after an event, from what they were and what is new among them."""
        words = self.words
        kept, fresh, again, stop = words[f.KEPT + side], words[f.FRESH + side], words[f.AGAIN + side], words[f.AGAIN_STOP + side]
        last = fresh + stop - again
        count = words[f.SHOWN_COUNT + side]
        new = old[:kept]
        if fresh > kept:
            new += self._made(side, kept, fresh)
        if stop > again:
            new += old[again:stop]
        return new + self._made(side, last, count) if count > last else new

    def _made(self, side: int, start: int, stop: int) -> Levels:
        flat = iter(self._pairs[stop - start](self._texts[side + 2 if self._turn else side], 16 * start))
        return tuple(zip(flat, flat, strict=True))

    def _show(self) -> None:
        f.show(self.at)
        self._turn = not self._turn
        self._renew()

    def _renew(self) -> None:
        self.bids = self._made(0, 0, self.words[f.SHOWN_COUNT])
        self.asks = self._made(1, 0, self.words[f.SHOWN_COUNT + 1])

    # --- memory

    def _make_room(self, size: int) -> None:
        """For frames of so many bytes, and the levels that they can hold."""
        self._room = size + size // 2
        self._bytes = np.zeros(self._room + _MARGIN, np.uint8)
        self._text = memoryview(self._bytes)  # type: ignore[arg-type]
        self._read = np.zeros((self._room // LEVEL_BYTES_MIN + 1, 2), np.int64)
        self.words[f.TEXT], self.words[f.READ] = self._bytes.ctypes.data, self._read.ctypes.data

    def _settle(self, verdict: int) -> None:
        """Finish an event for which a list had no room, or after which the best price is outside the near part."""
        if verdict == f.FULL:
            for side, more in enumerate((self.words[f.BIDS], self.words[f.ASKS])):
                count = self.words[f.FAR_COUNT + side]
                self._keep_far(side, np.concatenate([self._far[side][:count], np.zeros((count + 2 * more, 2), np.int64)]), count)
            verdict = f.apply(self.at)
            if verdict == f.APPLIED:
                self._turn = not self._turn
                self._renew()
                return
        for side in range(2):
            self._move(side)
        self._show()

    def _move(self, side: int) -> None:
        """Lay the near part around the best price again, if a level outside of it is better than all inside."""
        words = self.words
        far = self._far[side][: words[f.FAR_COUNT + side]]
        best, worst = words[f.BEST + side], words[f.WORST + side]
        if not len(far) or far[-1, 0] <= best:
            return
        low = words[f.LOW + side]
        near = self._near[side]
        if best != NOWHERE:
            place = np.flatnonzero(near[worst - low + _MARGIN : best - low + _MARGIN + 1]) + worst - low + _MARGIN
            inside = np.stack([place + (low - _MARGIN), near[place]], axis=1)
            near[place] = 0
            far = np.concatenate([far, inside])
            far = far[np.argsort(far[:, 0])]
        self._lay(side, int(far[-1, 0]))
        low = words[f.LOW + side]
        inside = far[far[:, 0] >= low]
        near[inside[:, 0] - low + _MARGIN] = inside[:, 1]
        words[f.BEST + side], words[f.WORST + side] = int(inside[-1, 0]), int(inside[0, 0])
        rest = far[far[:, 0] < low]
        self._keep_far(side, np.concatenate([rest, np.zeros((len(rest) + _ROOM_FAR, 2), np.int64)]), len(rest))

    def _lay(self, side: int, best: int) -> None:
        words, low = self.words, best + BETTER - NEAR_RANKS
        words[f.LOW + side], words[f.HIGH + side] = low, low + NEAR_RANKS
        words[f.NEAR + side] = int(self._near[side].ctypes.data) - 8 * (low - _MARGIN)
        words[f.BEST + side], words[f.WORST + side] = NOWHERE, FOREVER

    def _keep_far(self, side: int, far: NDArray[np.int64], count: int) -> None:
        self._far[side] = far
        words = self.words
        words[f.FAR + side], words[f.FAR_COUNT + side], words[f.FAR_ROOM + side] = far.ctypes.data, count, len(far)


def _grid(size: Any) -> tuple[int, int]:
    """A step as (decimals, how many of the last of them it is)."""
    decimals = max(0, -size.normalize().as_tuple().exponent)
    return decimals, int(size.scaleb(decimals))
