"""The oracle inside the data: at an update id that both carry, the venue's bookTicker must equal the rebuilt best bid and ask.

The book is rebuilt from the stored events and compared in price and quantity, at every shared id of a day.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from actors.history.dayfile import DayFile
from actors.history.folding import Depth, Folding, rules_of
from actors.history.prepared import instrument_of
from actors.history.sources import Stored


class Verdict(Struct):
    """What a day's check found. `shared`: bookTickers at an update id of the rebuilt book; `equal`: those that agree."""

    instrument: str
    day: str
    quality: str
    shared: int = 0
    equal: int = 0
    first_mismatch: str = ""
    crossed: int = 0
    gaps: int = 0
    apart: int = 0
    segments: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing contradicts the venue's own best prices."""
        return self.shared == self.equal


def check(file: DayFile) -> Verdict:
    """Rebuild a day's book and hold it against its bookTickers. Raises UserError when the file is damaged."""
    day = file.day
    verdict = Verdict(f"{day.venue}:{day.symbol}", day.day, day.quality, gaps=day.gap_count, apart=day.apart)
    verdict.segments = [segment.source for segment in day.segments]
    sources = [Stored(file, number) for number in range(len(day.segments))]
    numbers = Depth.of(sources)
    steps, _, _ = numbers.plan(rules_of(day.venue), day.opening_id)
    ids, line = file.column("bbo", "update_id"), file.column("bbo", "line")
    names = ("bid_tick", "bid_lots", "ask_tick", "ask_lots")
    quotes = np.stack([file.column("bbo", name).astype(np.int64) for name in names], axis=1)
    order = np.argsort(ids, kind="stable")
    sorted_ids = ids[order]
    folding = Folding(numbers, steps, file.book("opening"))
    wrong: list[tuple[int, NDArray[np.int64]]] = []
    for steps_done, best_after in folding.blocks(sources):
        block, best = steps_done[steps_done >= 0], best_after[steps_done >= 0]
        after = numbers.columns["last_id"][block]
        low, high = sorted_ids.searchsorted(after, "left"), sorted_ids.searchsorted(after, "right")
        row = np.repeat(np.arange(len(block)), high - low)
        within = np.arange(len(row)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
        quote = order[np.repeat(low, high - low) + within]
        same = (quotes[quote] == best[row]).all(axis=1)
        verdict.shared += len(row)
        verdict.equal += int(np.count_nonzero(same))
        wrong += [(int(quote[i]), best[row[i]]) for i in np.flatnonzero(~same)[:1].tolist()]
    verdict.crossed = folding.crossed
    if wrong:
        at, rebuilt = wrong[0]
        instrument = instrument_of(day)
        ours, theirs = (
            f"{instrument.price_text(b)} x {instrument.qty_text(bq)} / {instrument.price_text(a)} x {instrument.qty_text(aq)}"
            for b, bq, a, aq in (rebuilt.tolist(), quotes[at].tolist())
        )
        source = day.segments[int(np.searchsorted(np.cumsum([s.rows.get("bbo", 0) for s in day.segments]), at, "right"))].source
        verdict.first_mismatch = f"{source}:{line[at]}: update {ids[at]}: rebuilt {ours}, bookTicker {theirs}"
    return verdict
