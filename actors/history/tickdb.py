"""The tick store: which instruments and days there are, and a day ready to replay.

STORE/<venue>/<SYMBOL>/<YYYY-MM-DD>.h5 is the whole catalogue: there is no index that could disagree with the files. A store is a
folder, whose files are used in place, or a URL (`s3://bucket/prefix`, `file:///mounted/share`), whose days are copied to this
machine once (`actors/history/daycache.py`) and have a sidecar beside them, so that a catalogue is read without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path

from actors.errors import Exit, UserError, nearest
from actors.history.dayfile import DayFile
from actors.history.prepared import PreparedDay, instrument_of, prepared
from actors.history.shelf import NotStored, shelf
from actors.history.sidecar import Sidecar
from core.instrument import Instrument, Key


class TickDb:
    """A store, by its folder or URL."""

    def __init__(self, root: str | Path) -> None:
        """Raises UserError for a URL that names no store, and where it needs a package that is not installed."""
        self.root = root
        self._shelf = shelf(root)

    def instruments(self) -> list[Key]:
        """Every instrument with a stored day."""
        return sorted(self._shelf.keys())

    def days(self, key: Key) -> list[str]:
        """The stored days of an instrument, YYYY-MM-DD in order."""
        return self._shelf.days(key)

    def resolve(self, name: str) -> Key:
        """`ETHUSDT` or `binance_usdm:ETHUSDT` as a key. Raises UserError when it is unknown or means more than one."""
        wanted = Key.parse(name)
        known = self.instruments()
        if not known:
            raise UserError(
                f"{self.root}: the store holds no days; `astrarium data import` or `data synth` makes some", Exit.NOT_FOUND
            )
        found = [key for key in known if key.symbol == wanted.symbol and wanted.venue in ("", key.venue)]
        if not found:
            names = {str(key) for key in known} if wanted.venue else {key.symbol for key in known}
            raise UserError(
                f"{name}: no such instrument in {self.root}; {nearest(str(wanted).lstrip(':'), names)}", Exit.NOT_FOUND
            )
        if len(found) > 1:
            raise UserError(f"{name} is ambiguous: write {' or '.join(map(str, found))}", Exit.CONFIGURATION)
        return found[0]

    def path(self, key: Key, day: str) -> Path:
        """The file of a day; of a store at a URL its copy here, which may go when others need the room.

        Raises UserError when the day is no date or is not stored.
        """
        with self._stored(key, day):
            return self._shelf.read(key, parse_day(day), lambda path: path)

    def file(self, key: Key, day: str) -> DayFile:
        """A day file, open for reading; close it or use it in a `with` block."""
        with self._stored(key, day):
            return self._shelf.read(key, parse_day(day), DayFile)

    def sidecar(self, key: Key, day: str) -> Sidecar:
        """A day in words; nothing is fetched for it. Raises UserError for a day that is damaged or not stored."""
        with self._stored(key, day):
            return self._shelf.sidecar(key, parse_day(day))

    def digest(self, key: Key, day: str) -> str:
        """The content of a stored day: the day file's own digest; of a damaged one, which will fail, that of its bytes."""
        with self._stored(key, day):
            return self._shelf.digest(key, parse_day(day))

    def instrument(self, key: Key) -> Instrument:
        """The instrument as its newest readable day describes it."""
        error = UserError(f"{key} has no day in {self.root}", Exit.NOT_FOUND)
        for day in reversed(self.days(key)):
            try:
                return instrument_of(self.sidecar(key, day).words)
            except UserError as damaged:
                error = damaged
        raise error

    def prepared(self, key: Key, day: str, base_ns: int = 0) -> PreparedDay:
        """A day ready to replay; the smallest feed latency of each of its files is `base_ns`."""
        with self._stored(key, day):  # a prepared day lives as long as its columns: what is made of it later lies beside them
            return self._shelf.read(key, parse_day(day), partial(prepared, base_ns=base_ns), lambda made: made.exch.ns)

    @contextmanager
    def _stored(self, key: Key, day: str) -> Iterator[None]:
        try:
            yield
        except NotStored:
            raise UserError(
                f"{key} has no day {day} in {self.root}; {_stored_days(self.days(key), day)}", Exit.NOT_FOUND
            ) from None


def parse_day(text: str) -> str:
    """A date as YYYY-MM-DD. Raises UserError for anything else."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise UserError(f"{text!r} is not a day: write YYYY-MM-DD", Exit.CONFIGURATION) from error


def _stored_days(days: list[str], wanted: str) -> str:
    if not days:
        return "it has none"
    near = sorted(
        sorted(days, key=lambda day: abs(date.fromisoformat(day).toordinal() - date.fromisoformat(wanted).toordinal()))[:2]
    )
    return f"the nearest of its {len(days)} {'is' if len(near) == 1 else 'are'} {' and '.join(near)}"


def days_between(stored: list[str], days: str, what: str) -> list[str]:
    """The stored days within `day` or `first:last`, both ends included; all of them where nothing is said.

    Raises UserError when the words are no days, or none of the days is stored.
    """
    if not days:
        return stored
    first, colon, last = days.partition(":")
    first, last = parse_day(first), parse_day(last if colon else first)
    if first > last:
        raise UserError(f"--days {days}: the first day is after the last", Exit.CONFIGURATION)
    found = [day for day in stored if first <= day <= last]
    if not found:
        raise UserError(f"{what}: no day of {days} is stored; {_stored_days(stored, first)}", Exit.NOT_FOUND)
    return found
