"""The index of a prepared day, kept beside its columns: memory-mapped and shared by all workers, as they are.

It follows from the columns alone, so it lies in their folder and goes stale with them; a newer version of the index has a folder
of another name, and the older one is removed. Like a prepared day it is written aside and renamed into its place.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from actors.errors import UserError
from actors.history.prepared import PreparedDay, mapped, tell_full
from core.kernel.index import VERSION, index_day
from core.kernel.terms import DayIndex


def index_of(day: PreparedDay) -> DayIndex:
    """The day's index, made if it is not there. Raises UserError when what lies there is damaged."""
    folder = day.folder / f"index-{VERSION}"
    if not folder.exists():
        _write(index_day(day.exch, day.local, day.bids, day.asks), folder)
        for other in day.folder.glob("index-*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    try:
        return DayIndex._make(mapped(folder / f"{name}.npy") for name in DayIndex._fields)
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: damaged; remove it and it is made again") from error


def _write(index: DayIndex, folder: Path) -> None:
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        for name, array in zip(DayIndex._fields, index, strict=True):
            np.save(beside / f"{name}.npy", array)
        beside.rename(folder)
    except OSError as error:
        if not folder.exists():  # another process was first; else the error is ours
            tell_full(error, beside)
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
