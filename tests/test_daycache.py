"""The days that a machine keeps of remote stores: fetched once, checked, bounded, and never taken from who uses them."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.cli.data import app
from actors.errors import MachineError, UserError
from actors.history import daycache
from actors.history.daycache import held
from actors.history.dayindex import index_of
from actors.history.room import CacheFull, bytes_max
from actors.history.tickdb import TickDb
from core.instrument import Key
from tests.buckets import Buckets
from tests.days import DAY_S

BTC = Key("binance_usdm", "BTCUSDT")
DAYS = list(DAY_S)


@pytest.fixture
def store(buckets: Buckets, small_store: Path, tmp_path: Path) -> str:
    """The small store's days of BTCUSDT in the bucket."""
    url = buckets.url(tmp_path.name)
    words = ["copy", str(small_store), url, "--instruments", "BTCUSDT", "--json"]
    assert app(words, result_action="return_value") == 0
    buckets.asked.clear()
    return url


def prepared_rows(store: str, day: str) -> int:
    return len(TickDb(store).prepared(BTC, day).exch.ns)


def test_processes_that_want_a_day_at_once_fetch_it_once(store: str, buckets: Buckets, small_store: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        seen = pool.starmap(prepared_rows, [(store, DAYS[0])] * 4, chunksize=1)
    assert set(seen) == {prepared_rows(str(small_store), DAYS[0])}
    assert buckets.fetched() == [f"{DAYS[0]}.h5"]


def test_a_cache_says_what_it_holds_and_asks_nobody(store: str, buckets: Buckets) -> None:
    assert held(store) == held("s3://nowhere/else") == held("some/folder") == set()
    for day in DAYS[:2]:
        TickDb(store).path(BTC, day)
    buckets.asked.clear()
    assert held(store) == held(store + "/") == {f"{BTC} {day}" for day in DAYS[:2]}
    assert held("s3://nowhere/else") == set()
    assert not buckets.asked


@pytest.mark.parametrize("damage", ["truncated", "removed", "flipped", "columns"])
def test_damage_in_the_cache_is_noticed_and_the_day_fetched_anew(
    store: str, buckets: Buckets, small_store: Path, damage: str
) -> None:
    whole = TickDb(small_store).prepared(BTC, DAYS[0])
    made = TickDb(store).prepared(BTC, DAYS[0])
    path = TickDb(store).path(BTC, DAYS[0])
    raw = path.read_bytes()
    if damage == "removed":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(raw[: len(raw) // 2])
    elif damage == "flipped":
        path.write_bytes(bytes(255 - one if at % 97 == 0 else one for at, one in enumerate(raw)))
    else:
        (made.folder / "exch_kind.npy").write_bytes(b"\x93NUMPY" + bytes(200))
    again = TickDb(store).prepared(BTC, DAYS[0])
    assert again.digest == whole.digest
    assert again.exch.tick.tolist() == whole.exch.tick.tolist()
    assert buckets.fetched() == [f"{DAYS[0]}.h5"] * 2
    assert path.read_bytes() == raw


def test_a_fetch_that_died_leaves_nothing_that_is_taken_for_a_day(store: str) -> None:
    path = TickDb(store).path(BTC, DAYS[0])
    path.with_suffix(".json").unlink()
    path.write_bytes(b"half")
    path.with_name(f".{DAYS[0]}.part").write_bytes(b"more")
    assert held(store) == set()
    assert TickDb(store).prepared(BTC, DAYS[0]).quality == "book"
    assert held(store) == {f"{BTC} {DAYS[0]}"}
    assert not path.with_name(f".{DAYS[0]}.part").exists()


def bounded(monkeypatch: pytest.MonkeyPatch, store: str, days: float) -> None:
    """Bound the cache to so many days with all that belongs to them."""
    sidecar = TickDb(store).sidecar(BTC, DAYS[0])
    monkeypatch.setenv("ASTRARIUM_CACHE_GB", str(days * (sidecar.size_bytes + sidecar.columns_bytes) / 1e9))


def test_the_least_recently_used_day_goes_first(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bounded(monkeypatch, store, 2.5)
    db = TickDb(store)
    for day in (*DAYS[:2], DAYS[0]):
        index_of(db.prepared(BTC, day))
    for number, day in enumerate((DAYS[1], DAYS[0])):
        os.utime(db.path(BTC, day).with_suffix(".json"), (number + 1, number + 1))
    index_of(db.prepared(BTC, DAYS[2]))
    assert held(store) == {f"{BTC} {DAYS[0]}", f"{BTC} {DAYS[2]}"}
    left = {path.name for path in db.path(BTC, DAYS[0]).parent.iterdir() if not path.name.startswith(".")}
    assert left == {f"{day}.{what}" for day in (DAYS[0], DAYS[2]) for what in ("h5", "json", "prepared")}


def test_a_day_in_use_stays_and_the_next_one_finds_no_room_until_it_goes(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bounded(monkeypatch, store, 1.5)
    used = TickDb(store).prepared(BTC, DAYS[0])
    with pytest.raises(CacheFull, match=r"no room for BTCUSDT 2024-01-02 .* ASTRARIUM_CACHE_GB") as caught:
        TickDb(store).prepared(BTC, DAYS[1])
    assert isinstance(caught.value, MachineError)
    assert len(index_of(used)) > 0
    assert held(store) == {f"{BTC} {DAYS[0]}"}
    del used
    assert TickDb(store).prepared(BTC, DAYS[1]).quality == "book"
    assert held(store) == {f"{BTC} {DAYS[1]}"}


def test_nothing_is_removed_for_a_day_that_fits_no_cache(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    TickDb(store).path(BTC, DAYS[0])
    bounded(monkeypatch, store, 0.9)
    with pytest.raises(CacheFull):
        TickDb(store).path(BTC, DAYS[1])
    assert held(store) == {f"{BTC} {DAYS[0]}"}
    monkeypatch.setenv("ASTRARIUM_CACHE_GB", "plenty")
    with pytest.raises(UserError, match="ASTRARIUM_CACHE_GB=plenty"):
        TickDb(store).path(BTC, DAYS[1])


def test_four_fifths_of_what_is_free_are_the_bound_however_much_the_cache_has_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ASTRARIUM_CACHE_GB", raising=False)
    usage = namedtuple("usage", "total used free")
    for used in (0, 300, 800):
        monkeypatch.setattr(shutil, "disk_usage", lambda folder, used=used: usage(2_000, 1_000 + used, 1_000 - used))
        assert bytes_max(tmp_path, used) == 800


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for a day's file, and not for its columns."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("no disk may be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_the_machines_trouble_and_said_so(store: str, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTRARIUM_CACHE", str(small_disk))
    with pytest.raises(CacheFull, match="no room for"):
        TickDb(store).path(BTC, DAYS[0])
    monkeypatch.setattr(daycache, "make_room", lambda *_: None)  # somebody else takes what was free when it looked
    TickDb(store).path(BTC, DAYS[0])
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free - 100_000))
    with pytest.raises(MachineError, match="the disk is full"):
        TickDb(store).prepared(BTC, DAYS[0])
    with pytest.raises(CacheFull, match="the disk is full"):
        TickDb(store).path(BTC, DAYS[1])
    assert held(store) == {f"{BTC} {DAYS[0]}"}


def test_a_cache_that_cannot_be_written_says_how_to_move_it(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ASTRARIUM_CACHE", str(tmp_path / "file"))
    with pytest.raises(MachineError, match="ASTRARIUM_CACHE moves the cache"):
        TickDb(store).path(BTC, DAYS[0])
