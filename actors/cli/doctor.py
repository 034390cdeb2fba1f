"""`astrarium doctor`: what this machine has of what the other verbs need; a line each, with the cure for what is missing."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from cyclopts import Parameter

from actors.errors import Exit, UserError

MEMORY_MB = 1024
"""A worker holds a day of columns; a 5 GB capture is imported in 1 GB."""
SHARED_MB = 256
"""Ray's object store asks for 200 MB of shared memory (`actors/crew.py`)."""


class Finding(NamedTuple):
    """One line: what was looked at, whether it is good, what was seen or what to do."""

    what: str
    good: bool
    words: str


def doctor(
    *,
    store: Annotated[str, Parameter(name="--store")] = "store",
    venue: Annotated[Literal["production", "demo", "emulator"] | None, Parameter(name="--venue")] = None,
    url: Annotated[str, Parameter(name="--url")] = "",
    keys: Annotated[Path | None, Parameter(name="--keys")] = None,
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Look whether this machine has what the other verbs need.

    Parameters
    ----------
    store
        The tick store, a folder or a URL; a folder that is not there is no fault.
    venue
        Look at a venue as well, with the account's key: clock, filters, permissions, streams. Nothing is traded.
    url
        Where that venue is, if everything of it is at one address (an emulator's: http://127.0.0.1:8900).
    keys
        A file with ASTRARIUM_KEY and ASTRARIUM_SECRET that only its owner can read; without it they come from the environment.
    json
        Print one JSON array instead of a table.
    """
    found = [finding for check in CHECKS for finding in check(store)]
    if venue is not None:
        from actors.cli.checkup import checkup
        from actors.live.credentials import credentials
        from core.dialect.binance.hosts import VenueTable

        table = VenueTable(venue)
        found += checkup(table.at(url) if url else table, credentials(venue, path=keys))
    _print_json(found) if json else _print_table(found)
    return int(Exit.FINE if all(finding.good for finding in found) else Exit.ERROR)


def _python(store: str) -> Iterator[Finding]:
    yield Finding("python", sys.version_info >= (3, 11), f"{sys.version.split()[0]} at {sys.executable} (3.11 or newer)")


def _packages(store: str) -> Iterator[Finding]:
    """Every package that the project asks for at run time, by the version that is installed."""
    for line in requires("astrarium") or ():
        if "extra ==" in line:
            continue
        name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
        try:
            yield Finding(name, True, version(name))
        except PackageNotFoundError:
            yield Finding(name, False, "is not installed: pip install --require-hashes -r requirements.txt")


def _machine(store: str) -> Iterator[Finding]:
    yield Finding("cores", True, f"{len(os.sched_getaffinity(0))}: as many days at once")
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES") >> 20
    yield Finding("memory", free >= MEMORY_MB, f"{free:,} MB free ({MEMORY_MB:,} MB a worker is plenty)")
    shared = Path("/dev/shm")
    if shared.is_dir():
        room = shutil.disk_usage(shared).free >> 20
        good = room >= SHARED_MB
        yield Finding("shared memory", good, f"{room:,} MB free" + ("" if good else f": Ray wants {SHARED_MB} MB, or --no-ray"))


def _compiled(store: str) -> Iterator[Finding]:
    place = os.environ.get("NUMBA_CACHE_DIR", "")
    good = bool(place) and os.access(place, os.W_OK)
    cure = "" if good else " cannot be written: set ASTRARIUM_CACHE to a folder that can, or each start compiles anew"
    yield Finding("compiled kernels", good, (place or "the cache") + cure)


def _stored(store: str) -> Iterator[Finding]:
    """The days of the store, the newest of each instrument looked at."""
    from actors.history.shelf import at_url
    from actors.history.tickdb import TickDb

    if not at_url(store) and not Path(store).exists():
        yield Finding("store", True, f"{store} is not there yet; `astrarium data import` or `data synth` makes it")
        return
    try:
        db = TickDb(store)
        keys = db.instruments()
    except UserError as error:
        yield Finding("store", False, str(error))
        return
    for key in keys:
        days = db.days(key)
        try:
            quality = db.sidecar(key, days[-1]).words.quality
            yield Finding(str(key), True, f"{len(days)} days to {days[-1]}, the last with {quality}")
        except UserError as error:
            yield Finding(str(key), False, str(error))


CHECKS: tuple[Callable[[str], Iterator[Finding]], ...] = (_python, _packages, _machine, _compiled, _stored)


def _print_json(found: list[Finding]) -> None:
    import msgspec

    rows = [finding._asdict() for finding in found]
    sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")


def _print_table(found: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False)
    for finding in found:
        table.add_row("ok" if finding.good else "NOT OK", finding.what, Text(finding.words, overflow="fold"))
    Console(width=None if sys.stdout.isatty() else 160).print(table)
