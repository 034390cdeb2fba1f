"""The tick store: which instruments and days there are, and a day ready to replay.

STORE/<venue>/<SYMBOL>/<YYYY-MM-DD>.h5 is the whole catalogue: there is no index that could disagree with the files.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from actors.errors import Exit, UserError, nearest
from actors.history.dayfile import DayFile
from actors.history.prepared import PreparedDay, instrument_of, prepared
from core.instrument import Instrument, Key

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\.h5", re.ASCII)


class TickDb:
    """A store, by its folder."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def instruments(self) -> list[Key]:
        """Every instrument with a stored day."""
        found = {
            Key(path.parent.parent.name, path.parent.name) for path in self.root.glob("*/*/*.h5") if _DAY.fullmatch(path.name)
        }
        return sorted(found)

    def days(self, key: Key) -> list[str]:
        """The stored days of an instrument, YYYY-MM-DD in order."""
        folder = self.root / key.venue / key.symbol
        return sorted(path.stem for path in folder.glob("*.h5") if _DAY.fullmatch(path.name))

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
        """The file of a day. Raises UserError when the day is no date or is not stored."""
        path = self.root / key.venue / key.symbol / f"{parse_day(day)}.h5"
        if not path.exists():
            raise UserError(f"{key} has no day {day} in {self.root}; {_stored_days(self.days(key), day)}", Exit.NOT_FOUND)
        return path

    def file(self, key: Key, day: str) -> DayFile:
        """A day file, open for reading; close it or use it in a `with` block."""
        return DayFile(self.path(key, day))

    def instrument(self, key: Key) -> Instrument:
        """The instrument as its newest readable day describes it."""
        error = UserError(f"{key} has no day in {self.root}", Exit.NOT_FOUND)
        for day in reversed(self.days(key)):
            try:
                with self.file(key, day) as file:
                    return instrument_of(file.day)
            except UserError as damaged:
                error = damaged
        raise error

    def prepared(self, key: Key, day: str, base_ns: int = 0) -> PreparedDay:
        """A day ready to replay; the smallest feed latency of each of its files is `base_ns`."""
        return prepared(self.path(key, day), base_ns)


def folder_of(root: str | Path, key: Key) -> Path:
    """Where an instrument's files are. Raises UserError for a name that would lie outside the store: captures are strangers'."""
    for name in (key.venue, key.symbol):
        if not name or name.startswith(".") or set(name) & set("/\\:\0"):
            raise UserError(f"{name!r} cannot be the name of a venue or an instrument", Exit.CONFIGURATION)
    return Path(root) / key.venue / key.symbol


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
