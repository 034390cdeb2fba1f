"""A day's index is kept beside its columns, found again, and made anew when it is stale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from actors.errors import UserError
from actors.history import dayindex
from actors.history.dayindex import index_of
from actors.history.prepared import PreparedDay
from actors.history.synth import synthesize
from actors.history.tickdb import TickDb
from core.kernel import state as w
from core.kernel.replay import FOREVER, Latency, Queue, Replay
from core.kernel.terms import DayIndex


@pytest.fixture
def day(tmp_path: Path) -> PreparedDay:
    synthesize(tmp_path, "BTCUSDT", days=1, events=10_000, seed=3)
    db = TickDb(tmp_path)
    key = db.resolve("BTCUSDT")
    return db.prepared(key, db.days(key)[0])


def test_it_is_made_once_and_mapped_after(day: PreparedDay, monkeypatch: pytest.MonkeyPatch) -> None:
    first = index_of(day)
    monkeypatch.setattr(dayindex, "index_day", None)
    again = index_of(day)
    for name, one, other in zip(DayIndex._fields, first, again, strict=True):
        assert np.array_equal(one, other), name
    assert isinstance(again.entries, np.memmap)


def test_another_version_is_made_anew_and_replaces_the_old(day: PreparedDay, monkeypatch: pytest.MonkeyPatch) -> None:
    index_of(day)
    monkeypatch.setattr(dayindex, "VERSION", 99)
    index_of(day)
    assert [path.name for path in day.folder.glob("index-*")] == ["index-99"]


def test_a_damaged_one_says_what_to_remove(day: PreparedDay) -> None:
    index_of(day)
    next(day.folder.glob("index-*/starts.npy")).write_bytes(b"no numbers")
    with pytest.raises(UserError, match=r"index-\d+: damaged; remove it"):
        index_of(day)


def test_an_index_of_another_day_is_refused(day: PreparedDay) -> None:
    index = index_of(day)
    with pytest.raises(ValueError, match="not this day's"):
        Replay(day.local, day.local, day.bids, day.asks, 0.001, index=index._replace(exch_bests=index.exch_bests[1:]))


def test_a_stored_day_replays_as_its_rows_do(day: PreparedDay) -> None:
    """Both replays are asked for everything a strategy can see, while orders rest at and behind the best prices."""
    streams = (day.exch, day.local, day.bids, day.asks)
    models = (0.001, Queue("power3", 2.0), Latency(2_000_000, 3_000_000))
    linear, indexed = Replay(*streams, *models), Replay(*streams, *models, index=index_of(day))
    number, heard = 0, []
    while linear.next_feed() != FOREVER:
        until = linear.now + 50_000_000
        seen = []
        for replay in (linear, indexed):
            told = []
            while replay.advance(until) < until or replay.answered:
                told += replay.responses()
            seen.append((told, replay.best(), replay.levels(20), replay.best_exch(), replay.take_trades(), replay.exhausted))
        assert seen[0] == seen[1]
        heard += seen[0][0]
        bid, _, ask, _ = linear.best()
        for side, price in ((1, bid - number % 3), (2, ask + number % 3)):
            number += 1
            for replay in (linear, indexed):
                replay.new(until, number, side, price, 5)
                replay.cancel(until, number - 20)
    assert sum(one.kind == w.FILLED for one in heard) > 100
