"""A day made from its segments: sorted, synchronised, folded into its opening and closing book, written.

The same segments and the same book of the day before give the same file, in whatever order they came. Memory is that of the
depth events' numbers (some bytes an event) and one block of levels, never of the day's levels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from actors.history.dayfile import EMPTY_BOOK, Book, DayWriter
from actors.history.folding import BLOCK_ROWS, Depth, Folding, rules_of
from actors.history.schema import IMPORTER, LAYOUT, TABLES, Day, Gap, Mark, Segment
from actors.history.sources import Source, in_order
from core.book import APART, APPLIED, GAP

GAPS_KEPT = 1000
"""Gaps described one by one in the file; beyond that they are counted."""


class Before(NamedTuple):
    """What the nearest earlier stored day leaves to this one."""

    closing_id: int
    book: Book
    mark: Mark | None


NOTHING_BEFORE = Before(-1, EMPTY_BOOK, None)


def rebuild(path: Path, day: Day, sources: Sequence[Source], before: Before) -> Day:
    """Write the day file of these segments; `day` names the instrument, grid and date. Returns the description as written."""
    sources = in_order(sources)
    rules = rules_of(day.venue)
    depth = Depth.of(sources)
    chained = depth.continues(rules, before.closing_id)
    opening = before.book if chained else EMPTY_BOOK
    day = msgspec.structs.replace(
        day,
        segments=[source.segment for source in sources],
        opening_id=before.closing_id if chained else -1,
        opening_mark=before.mark,
        closing_mark=_closing_mark(sources) or before.mark,
    )
    steps, verdict, day.closing_id = depth.plan(rules, day.opening_id)
    day.quality = "book" if np.any(verdict == APPLIED) else "no book"
    day.apart = int(np.count_nonzero((verdict == APART) | (verdict == GAP)))
    day.gap_count = int(np.count_nonzero(verdict == GAP))
    day.gaps = _gaps(day.segments, depth, verdict)
    wide = {what for source in sources for what in source.wide}
    with DayWriter(path, wide, {table: day.rows(table) for table in TABLES}) as writer:
        for source in sources:
            for table in TABLES:
                for start in range(0, source.segment.rows.get(table, 0), BLOCK_ROWS):
                    writer.append({table: source.table(table, start, start + BLOCK_ROWS)})
        folding = Folding(depth, steps, opening)
        for _ in folding.blocks(sources):
            pass
        day.crossed = folding.crossed
        closing = folding.book if day.closing_id >= 0 else EMPTY_BOOK
        writer.books(opening, closing)
        day.digest = digest(day, opening)
        writer.commit(day)
    return day


def _closing_mark(sources: Sequence[Source]) -> Mark | None:
    newest: Mark | None = None
    for source in sources:
        rows = source.segment.rows.get("marks", 0)
        for row in source.table("marks", max(0, rows - 1), rows)["exch_ns"][:1]:
            columns = source.table("marks", rows - 1, rows)
            names = ("exch_ns", "local_ns", "mark_e8", "index_e8", "rate_e8", "next_funding_ns")
            if newest is None or row >= newest[0]:
                newest = tuple(int(columns[name][0]) for name in names)  # type: ignore[assignment]
    return newest


def _gaps(segments: list[Segment], depth: Depth, verdict: NDArray[np.uint8]) -> list[Gap]:
    c = depth.columns
    return [
        Gap(
            segments[depth.owner[i]].source,
            int(c["line"][i]),
            int(c["first_id"][i]),
            int(c["last_id"][i]),
            int(c["last_id"][i - 1]) if i else -1,
        )
        for i in np.flatnonzero(verdict == GAP)[:GAPS_KEPT].tolist()
    ]


def digest(day: Day, opening: Book) -> str:
    """What the file's content follows from: the sources, the grid, the book before it, and this program's way of writing."""
    words = [LAYOUT, IMPORTER, day.venue, day.symbol, day.day, day.tick_size, day.lot_size, day.opening_id, day.opening_mark]
    words += [(segment.digest, sorted(segment.rows.items())) for segment in day.segments]
    digest = hashlib.sha256(msgspec.json.encode(words))
    for side in opening:
        digest.update(side.tobytes())
    return digest.hexdigest()
