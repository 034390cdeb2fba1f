"""A machine looked at before it is given work: the run's own code and the lock's packages, the store, room on its disk.

`look` runs there. A machine that differs is refused in words, because its results would not be the run's: a fill that depends
on where it was computed is worth nothing.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from msgspec import Struct

from actors.errors import Exit, UserError
from actors.graph import Plan
from actors.history.shelf import at_url
from actors.history.tickdb import TickDb
from core.instrument import Key

PACKAGES: Final = ("numpy", "numba", "llvmlite", "msgspec", "ray", "tables", "pandas")
"""What results, or words between machines, depend on."""
ROOM_MB: Final = 200
"""Free on the disk of temporary files, for whatever Ray and numba write there."""


class Outfit(Struct, frozen=True):
    """What every machine of a run must have alike: the content of the code, and versions by name."""

    code: str
    versions: dict[str, str]


class Found(Struct, frozen=True):
    """What a machine was found to be. `trouble` is why it cannot take part, or "". `wall` is its clock, seconds since 1970."""

    name: str
    trouble: str
    wall: float
    held: frozenset[str] = frozenset()
    """The labels of the days whose data is there already."""


def outfit(plan: Plan) -> Outfit:
    """What this process has."""
    return Outfit(
        plan.code_hash(), {"python": ".".join(map(str, sys.version_info[:2])), **{name: _version(name) for name in PACKAGES}}
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def look(plan: Plan, store: str, wanted: Outfit, label: str) -> Found:
    """Look at the machine that this runs on; `label` is of a day that it will have to find in the store."""
    trouble = differs(outfit(plan), wanted) or _full() or _blind(store, label)
    held = frozenset() if trouble else _held(store)
    return Found(socket.gethostname(), trouble, time.time(), held)


def differs(mine: Outfit, wanted: Outfit) -> str:
    """In what a machine is not like the one that began, or ""."""
    if mine.code != wanted.code:
        where = Path(__file__).resolve().parent.parent.parent
        return (
            f"it runs other code ({mine.code[:12]} in {where}) than the run ({wanted.code[:12]}): "
            "remove what stands before the run's own folder on its Python path"
        )
    for name, there in wanted.versions.items():
        if mine.versions[name] != there:
            return f"it has {name} {mine.versions[name]}, the run began with {there}: install both from one lock"
    return ""


def _full() -> str:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free >> 20
    return f"its disk is full: {free} MB are free in {folder}, {ROOM_MB} are needed" if free < ROOM_MB else ""


def _blind(store: str, label: str) -> str:
    if not at_url(store) and not os.path.isdir(store):
        return f"it does not see the store at {store}: mount it at the same path there, or name it by a URL"
    name, _, day = label.rpartition(" ")
    try:
        TickDb(store).digest(Key.parse(name), day)
    except UserError as error:
        return "" if error.exit_code == Exit.NOT_FOUND else str(error)  # a day that is gone is that day's trouble
    return ""


def _held(store: str) -> frozenset[str]:
    if not at_url(store):
        return frozenset()
    from actors.history.daycache import held

    return frozenset(held(store))
