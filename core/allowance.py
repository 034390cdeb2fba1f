"""How much may still be asked of a venue: fixed windows, several pools, and the venue's own count as the truth.

1. A pool is a limit a window. Windows are fixed: they begin at multiples of their length of the venue's time, and what was spent
   is forgotten when the next begins.
2. A request costs something of several pools and is let out only if all of them have it; then it is charged to all.
3. The venue's headers say how much it has counted. A higher count than ours replaces ours (another process shares the address); a
   lower one does not, because requests that are under way are not in it yet.
4. A part of each pool is kept for what reduces risk: ordinary requests stop at the limit less the reserve, cancels at the limit.
5. A refusal for too many requests closes everything until the time that it states; a ban closes cancels too, for they would
   prolong it.

Our idea of the venue's time may be wrong by `MARGIN_NS`: a window is taken to be new only so long after it began here, and what
was spent from so long before it counts in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

MARGIN_NS: Final = 250_000_000
"""How far the measured offset of the venue's clock may be wrong."""
RESERVE: Final = 0.1
"""Of each pool, for cancels: of 2,400 weight a minute 240, one cancel for each of the 200 orders that may be open."""


class Pool(Struct):
    """One limit: `limit` units in every window of `window_ns`; what was spent in the window that began at `began` (ns UTC)."""

    name: str
    limit: int
    window_ns: int
    used: int = 0
    began: int = 0
    both: int = 0
    """Of it, what the venue may count in the next window."""

    def turn(self, now: int) -> None:
        """Begin a new window if one has begun."""
        began = (now - MARGIN_NS) // self.window_ns * self.window_ns
        if began > self.began:
            self.used = self.both if began == self.began + self.window_ns else 0
            self.began, self.both = began, 0

    def charge(self, now: int, units: int) -> None:
        """Spend units in the present window, and in the next one too if that may have begun at the venue."""
        self.used += units
        if now >= self.began + self.window_ns - MARGIN_NS:
            self.both += units

    @property
    def ends(self) -> int:
        """When the next window is taken to begin, ns UTC."""
        return self.began + self.window_ns + MARGIN_NS


class Allowance:
    """All pools of one account at one address. Times are the venue's, ns UTC, and are handed in."""

    def __init__(self, pools: Iterable[Pool], reserve: float = RESERVE) -> None:
        self.pools = {pool.name: pool for pool in pools}
        self._kept = {pool.name: int(pool.limit * reserve) for pool in self.pools.values()}
        self._closed_until = 0
        self._banned_until = 0

    def take(self, now: int, cost: Mapping[str, int], reducing: bool = False) -> int:
        """Charge a request and return 0; or charge nothing and return when it may be asked again (ns UTC).

        `cost` by pool; a pool that is not known costs nothing. Raises ValueError for a cost that no window could ever hold.
        """
        closed = self._banned_until if reducing else max(self._banned_until, self._closed_until)
        if now < closed:
            return closed
        wait = 0
        for name, units in cost.items():
            pool = self.pools.get(name)
            if pool is None or not units:
                continue
            pool.turn(now)
            most = pool.limit if reducing else pool.limit - self._kept[name]
            if units > most:
                raise ValueError(f"a request that costs {units} never fits the {most} of {name} a window")
            if pool.used + units > most:
                wait = max(wait, pool.ends)
        if not wait:
            for name, units in cost.items():
                if name in self.pools:
                    self.pools[name].charge(now, units)
        return wait

    def counted(self, now: int, name: str, used: int) -> None:
        """The venue says in a header how much of a pool it has counted in the present window."""
        pool = self.pools.get(name)
        if pool is not None:
            pool.turn(now)
            pool.used = max(pool.used, used)

    def refused(self, now: int, seconds: float, banned: bool = False) -> None:
        """The venue refused a request as one too many (429), or shuts this address out (418), for so many seconds."""
        until = now + round(seconds * 1e9)
        self._closed_until = max(self._closed_until, until)
        if banned:
            self._banned_until = max(self._banned_until, until)
