"""The live clock: the wall's time where the process began, carried on by the monotonic clock.

The wall's clock may be stepped by an operator or a time service, backwards too; a `now` that goes back would fire timers twice
and give an input an earlier time than the one before it. So the wall is read once, and from then on only compared: `astray` says
how far the two have come apart, and the host tells the operator. Small differences are followed slowly (`follow`), never
backwards.
What a venue's clock shows is its session's affair: requests are signed by the offset measured there.
"""

from __future__ import annotations

import time
from typing import Final

SLEW_PPM: Final = 500
"""How fast a difference is followed: what time services allow themselves; a second of it takes half an hour."""


class Clock:
    """Nanoseconds UTC that never go back."""

    __slots__ = ("_base", "_followed")

    def __init__(self) -> None:
        self._followed = time.monotonic_ns()
        self._base = time.time_ns() - self._followed

    def now(self) -> int:
        """Nanoseconds UTC."""
        return self._base + time.monotonic_ns()

    def catch_up(self, time: int) -> None:
        """Be at this time at least: where a tape ended, whose process may have had a clock that was set back since."""
        self._base += max(0, time - self.now())

    def astray(self) -> int:
        """How far the wall's clock is ahead of this one, ns; negative: behind."""
        return time.time_ns() - self.now()

    def follow(self) -> None:
        """Come nearer to the wall's clock by what has passed since the last call allows."""
        monotonic = time.monotonic_ns()
        most = (monotonic - self._followed) * SLEW_PPM // 1_000_000
        self._followed = monotonic
        self._base += max(-most, min(most, self.astray()))
