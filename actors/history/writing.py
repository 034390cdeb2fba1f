"""Days that no capture file holds: generated ones, or another source's, written through the same door as imported ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from actors.history.dayfile import Part
from actors.history.importer import before_day, locked
from actors.history.rebuild import rebuild
from actors.history.schema import LOTS_COLUMNS, TICK_COLUMNS, Day, Segment
from actors.history.shelf import folder_of
from actors.history.spool import Spool
from core.instrument import Instrument


def write_day(
    root: str | Path,
    instrument: Instrument,
    day: str,
    parts: Iterable[Part],
    source: str,
    digest: str,
    trade_stream: str = "trade",
) -> Day:
    """Store one whole day, replacing what was there; returns its description.

    `parts` are blocks of rows in capture order, tables and columns as in `actors.history.schema`, prices in ticks, quantities in
    lots. The depth events must begin with a snapshot or continue the day before. `digest` names the content: what it was made
    from. Local stamps are taken as they are, not corrected.
    """
    folder = folder_of(root, instrument.key)
    scratch = Path(root) / f".spool-{os.getpid()}"
    spool = Spool(scratch / "day", Segment(source, digest, {}, 0, trade_stream=trade_stream, clock_exact=True))
    first_ns: list[int] = []
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for part in parts:
            spool.append(part)
            for columns in part.values():
                first_ns += [int(values[0]) for name, values in columns.items() if name == "exch_ns" and len(values)][:1]
                for name, values in columns.items():
                    if len(values) and (name in TICK_COLUMNS or name in LOTS_COLUMNS) and values.max() > np.iinfo(np.int32).max:
                        spool.wide.add("tick" if name in TICK_COLUMNS else "lots")
        spool.segment.first_ns = min(first_ns, default=0)
        blank = Day(
            instrument.key.venue,
            instrument.key.symbol,
            day,
            instrument.tick_size,
            instrument.lot_size,
            source,
            instrument.base,
            instrument.quote,
        )
        with locked(Path(root)):
            return rebuild(folder / f"{day}.h5", blank, [spool], before_day(folder, day))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
