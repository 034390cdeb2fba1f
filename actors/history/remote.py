"""Days at a URL: the catalogue from what is listed and from sidecars, the days themselves through this machine's cache.

A listing and a sidecar are asked for once an instance: a TickDb sees the store as it was when it first looked.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

from actors.errors import Exit, MachineError, UserError
from actors.history.daycache import Altered, DayCache, Lease
from actors.history.objects import Objects
from actors.history.shelf import DAY, NotStored, Read
from actors.history.sidecar import Sidecar, decode, encode
from core.instrument import Key

T = TypeVar("T")

AHEAD: Final = 64
"""Sidecars read at once, in order of day: who asks for one day's words mostly asks for the next one's."""
REQUESTS_MAX: Final = 16


class RemoteShelf:
    """The days of a store at a URL."""

    def __init__(self, url: str) -> None:
        """Raises UserError for a URL that names no such place, and where pyarrow is not installed."""
        self._objects = Objects(url)
        self._cache = DayCache(url)
        self._listed: dict[Key, list[str]] = {}
        self._all = False
        self._sidecars: dict[tuple[Key, str], Sidecar] = {}

    def keys(self) -> set[Key]:
        """Instruments with a day."""
        if not self._all:
            self._listed = _days(self._objects.names())
            self._all = True
        return set(self._listed)

    def days(self, key: Key) -> list[str]:
        """Days of an instrument in order."""
        if key not in self._listed and not self._all:
            self._listed |= {key: []} | _days(self._objects.names(f"{key.venue}/{key.symbol}"))
        return self._listed.get(key, [])

    def sidecar(self, key: Key, day: str) -> Sidecar:
        """A day in words. Raises NotStored, and UserError where its sidecar is damaged or missing."""
        if (key, day) not in self._sidecars:
            later = [one for one in self._listed.get(key, ()) if one > day and (key, one) not in self._sidecars][: AHEAD - 1]
            if later:
                with ThreadPoolExecutor(REQUESTS_MAX) as pool:
                    list(pool.map(lambda one: self._forgiven(key, one), later))
        return self._words(key, day)

    def digest(self, key: Key, day: str) -> str:
        """The content of a day, as its sidecar has it."""
        return self.sidecar(key, day).words.digest

    def read(self, key: Key, day: str, how: Read[T], while_: Callable[[T], object] | None = None) -> T:
        """What `how` makes of a day's file in the cache, which stays there at least as long as `while_` of it is alive.

        A file that `how` calls damaged is fetched once more. Raises NotStored and UserError.
        """
        lease = self._lease(key, day)
        try:
            return _lent(lease, how, while_)
        except MachineError:
            raise
        except UserError:
            self._cache.drop(key, day)
        return _lent(self._lease(key, day), how, while_)

    def blocks(self, key: Key, day: str) -> Iterator[bytes]:
        """A day file's bytes, past the cache. Raises Altered where it is not there."""
        try:
            yield from self._objects.blocks(f"{_name(key, day)}.h5")
        except FileNotFoundError as error:
            raise Altered("there is no such day file") from error

    def put(self, key: Key, day: str, blocks: Iterable[bytes], described: Callable[[], Sidecar]) -> None:
        """Store a day: its file and then its sidecar, which `described` makes when all blocks are through.

        An older sidecar is emptied first: until the new one is there, nobody takes the day for whole.
        """
        name = _name(key, day)
        if day in self.days(key):
            self._objects.write(f"{name}.json", ())
        self._objects.write(f"{name}.h5", blocks)
        self._objects.write(f"{name}.json", [encode(described())])
        self._sidecars.pop((key, day), None)

    def _lease(self, key: Key, day: str) -> Lease:
        for left in (1, 0):
            wanted = self._words(key, day)
            try:
                return self._cache.lease(key, day, wanted, lambda: self.blocks(key, day))
            except Altered as error:
                del self._sidecars[key, day]  # perhaps it was just replaced
                if not left:
                    place = f"{self._objects.url}/{_name(key, day)}.h5"
                    raise UserError(
                        f"{place}: not the day that its sidecar tells of, twice ({error}); `astrarium data copy` puts both right"
                    ) from error
        raise AssertionError("returned or raised")

    def _words(self, key: Key, day: str) -> Sidecar:
        found = self._sidecars.get((key, day))
        if found is None:
            name = _name(key, day)
            place = f"{self._objects.url}/{name}"
            raw = self._objects.read(f"{name}.json")
            if not raw:
                if not self._objects.has(f"{name}.h5"):
                    raise NotStored
                raise UserError(
                    f"{place}.h5 has no sidecar, {day}.json: `astrarium data copy STORE {self._objects.url}` writes it",
                    Exit.NOT_FOUND,
                )
            found = self._sidecars[key, day] = decode(raw, f"{place}.json", key, day)
        return found

    def _forgiven(self, key: Key, day: str) -> None:
        """Read ahead; what is wrong is said when the day is asked for."""
        with suppress(UserError, NotStored):
            self._words(key, day)


def _lent(lease: Lease, how: Read[T], while_: Callable[[T], object] | None) -> T:
    try:
        made = how(lease.path)
    except BaseException:
        lease.end()
        raise
    if while_ is None:
        lease.end()
    else:
        weakref.finalize(while_(made), lease.end)
    return made


def _name(key: Key, day: str) -> str:
    return f"{key.venue}/{key.symbol}/{day}"


def _days(names: Iterable[str]) -> dict[Key, list[str]]:
    found: dict[Key, list[str]] = {}
    for name in sorted(names):
        venue, _, rest = name.partition("/")
        symbol, _, file = rest.partition("/")
        if DAY.fullmatch(file):
            found.setdefault(Key(venue, symbol), []).append(file.removesuffix(".h5"))
    return found
