"""What every place where days lie keeps to: a folder, a mounted share and object storage show the same days alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from actors.cli.data import app
from actors.errors import Exit, UserError
from actors.history.daycopy import compare, copy_day
from actors.history.shelf import NotStored, shelf
from actors.history.tickdb import TickDb
from core.instrument import Key
from tests.buckets import Buckets
from tests.days import DAY_S

BTC = Key("binance_usdm", "BTCUSDT")
DAYS = list(DAY_S)

Place = Callable[[Path, Buckets], str]


def folder(tmp_path: Path, buckets: Buckets) -> str:
    """A folder, used in place."""
    return str(tmp_path / "folder")


def share(tmp_path: Path, buckets: Buckets) -> str:
    """A folder that many machines have mounted."""
    return (tmp_path / "share").as_uri()


def bucket(tmp_path: Path, buckets: Buckets) -> str:
    """A prefix of a bucket."""
    return buckets.url(tmp_path.name)


PLACES: list[Place] = [folder, share, bucket]


def copied(source: str | Path, target: str, *words: str) -> str:
    assert app(["copy", str(source), target, *words, "--json"], result_action="return_value") == 0
    return target


@pytest.fixture(params=PLACES)
def store(request: pytest.FixtureRequest, tmp_path: Path, buckets: Buckets, small_store: Path) -> str:
    """A day of the small store, copied there."""
    return copied(small_store, request.param(tmp_path, buckets), "--days", DAYS[0], "--instruments", "BTCUSDT")


@pytest.fixture(scope="module", params=PLACES)
def whole(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, object_storage: Buckets, small_store: Path
) -> Iterator[str]:
    """All of the small store, copied there. Nobody may change it."""
    place = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in object_storage.variables.items():
            patch.setenv(name, value)
        patch.setenv("ASTRARIUM_CACHE", str(place / "cache"))
        yield copied(small_store, request.param(place, object_storage))


def test_a_store_shows_the_same_days_wherever_it_lies(whole: str, small_store: Path) -> None:
    here, there = TickDb(small_store), TickDb(whole)
    assert there.instruments() == here.instruments() == [BTC, Key("binance_usdm", "ETHUSDT")]
    assert there.resolve("BTCUSDT") == BTC
    assert there.days(BTC) == here.days(BTC) == DAYS
    assert there.instrument(BTC) == here.instrument(BTC)
    for day in DAYS:
        assert there.digest(BTC, day) == here.digest(BTC, day)
        assert there.sidecar(BTC, day).words == here.sidecar(BTC, day).words
        assert there.sidecar(BTC, day).size_bytes == here.path(BTC, day).stat().st_size
        assert there.path(BTC, day).read_bytes() == here.path(BTC, day).read_bytes()
    with there.file(BTC, DAYS[0]) as mine, here.file(BTC, DAYS[0]) as theirs:
        assert mine.day == theirs.day
        assert np.array_equal(mine.column("levels", "tick"), theirs.column("levels", "tick"))


def test_a_prepared_day_is_the_same_wherever_it_was_read(whole: str, small_store: Path) -> None:
    here, there = (TickDb(root).prepared(BTC, DAYS[1], 250_000) for root in (small_store, whole))
    assert there.digest == here.digest
    for mine, theirs in ((there.exch, here.exch), (there.local, here.local)):
        assert all(np.array_equal(*columns) for columns in zip(mine, theirs, strict=True))


def test_what_is_not_there_is_said_with_what_is(whole: str) -> None:
    db = TickDb(whole)
    for ask in (db.path, db.file, db.prepared, db.sidecar, db.digest):
        with pytest.raises(UserError, match=r"has no day 2024-01-09 in .*; the nearest of its 3 are 2024-01-02") as caught:
            ask(BTC, "2024-01-09")
        assert caught.value.exit_code == Exit.NOT_FOUND
        with pytest.raises(UserError, match="is not a day"):
            ask(BTC, "20240199")
    with pytest.raises(UserError, match="did you mean 'BTCUSDT'"):
        db.resolve("BTCUSD")
    assert db.days(Key("binance_usdm", "NONE")) == []
    with pytest.raises(NotStored):
        shelf(whole).sidecar(Key("binance_usdm", "NONE"), DAYS[0])


@pytest.mark.parametrize("place", PLACES)
def test_an_empty_store_says_so(place: Place, tmp_path: Path, buckets: Buckets) -> None:
    db = TickDb(place(tmp_path / "nothing", buckets))
    assert db.instruments() == []
    with pytest.raises(UserError, match="holds no days"):
        db.resolve("BTCUSDT")


def test_a_day_that_was_cut_on_its_way_is_never_taken_for_one(store: str, small_store: Path, tmp_path: Path) -> None:
    target, source = shelf(store), shelf(small_store)
    (found,) = compare(str(small_store), str(tmp_path / "none"), DAYS[0], ["BTCUSDT"])

    class Cut:
        """A source whose connection breaks."""

        sidecar = source.sidecar

        def blocks(self, key: Key, day: str):  # type: ignore[no-untyped-def]
            yield next(source.blocks(key, day))[:1000]

    with pytest.raises(UserError, match="copy it again"):
        copy_day(Cut(), target, found, lambda size: None)  # type: ignore[arg-type]
    try:
        left = TickDb(store).path(BTC, DAYS[0]).read_bytes()
    except UserError as error:
        assert "`astrarium data copy STORE" in str(error)  # noqa: PT017 - the other outcome is fine too
    else:
        assert left == TickDb(small_store).path(BTC, DAYS[0]).read_bytes()
    copied(small_store, store)
    assert TickDb(store).path(BTC, DAYS[0]).read_bytes() == TickDb(small_store).path(BTC, DAYS[0]).read_bytes()


@pytest.mark.parametrize("target", PLACES)
def test_a_copy_of_a_copy_is_the_same(store: str, target: Place, tmp_path: Path, buckets: Buckets, small_store: Path) -> None:
    again = TickDb(copied(store, target(tmp_path / "again", buckets)))
    here = TickDb(small_store)
    assert again.instruments() == [BTC]
    assert again.days(BTC) == DAYS[:1]
    assert again.digest(BTC, DAYS[0]) == here.digest(BTC, DAYS[0])
    assert again.path(BTC, DAYS[0]).read_bytes() == here.path(BTC, DAYS[0]).read_bytes()
