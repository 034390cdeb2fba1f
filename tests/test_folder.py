"""A session's folder: found again, never written over, and enough to build the same nodes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from actors.errors import Exit, UserError
from actors.graph import Graph, Plan
from actors.live.folder import Folder, Sitting, find, fresh_id
from actors.live.names import Address
from core.dialect.binance.hosts import VenueTable
from core.instrument import Instrument, Key

GRAPH = Graph(name="mm", instruments=("BTCUSDT",), strategy={"use": "own.py:Own", "gamma": 0.1})
BTC = Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001")


def sitting(name: str) -> Sitting:
    return Sitting(name, time.time_ns(), False, VenueTable(), (Plan(GRAPH, "/x", "text"),), (BTC,))


def test_what_was_written_is_read_back_whole(tmp_path: Path) -> None:
    asked = sitting(fresh_id())
    folder = Folder.create(tmp_path, asked)
    assert folder.read() == asked
    assert (folder.keys.stat().st_mode & 0o777) == 0o700
    with pytest.raises(FileExistsError):
        Folder.create(tmp_path, asked)


def test_a_session_is_found_by_its_beginning_its_path_or_as_the_newest(tmp_path: Path) -> None:
    for name in ("20260101T000000-aaaa", "20260102T000000-bbbb"):
        Folder.create(tmp_path, sitting(name))
    assert find(tmp_path).path.name.endswith("bbbb")
    assert find(tmp_path, "20260101").path.name.endswith("aaaa")
    assert find(tmp_path, str(tmp_path / "20260101T000000-aaaa")).path.name.endswith("aaaa")
    with pytest.raises(UserError, match="several") as several:
        find(tmp_path, "2026")
    assert several.value.exit_code == Exit.CONFIGURATION
    with pytest.raises(UserError, match="did you mean '20260102T000000-bbbb'") as nothing:
        find(tmp_path, "20260102T000001-bbbb")
    assert nothing.value.exit_code == Exit.NOT_FOUND


def test_a_host_says_where_it_is_and_each_life_of_a_markets_host_has_its_own_tape(tmp_path: Path) -> None:
    folder = Folder.create(tmp_path, sitting("a"))
    assert folder.where("market:BTCUSDT") is None
    address = Address("tcp://127.0.0.1:1", "tcp://127.0.0.1:2", "key", 7, 1, "code")
    folder.say_where("market:BTCUSDT", address)
    assert folder.where("market:BTCUSDT") == address
    assert folder.tape("market:BTCUSDT", 2) != folder.tape("market:BTCUSDT", 3) != folder.tape("account")


def test_a_host_has_lived_once_it_has_a_tape(tmp_path: Path) -> None:
    folder = Folder.create(tmp_path, sitting("a"))
    folder.tape("market:BTC").touch()
    folder.tape("market:ETHUSDT", 7).touch()
    assert [folder.lived(host) for host in ("account", "market:BTC", "market:BTCUSDT", "market:ETHUSDT")] == [
        False,
        True,
        False,
        True,
    ]


def test_a_place_where_nothing_can_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="--sessions"):
        Folder.create(tmp_path / "file", sitting("a"))


def test_a_damaged_folder_is_an_error_in_words(tmp_path: Path) -> None:
    Path(tmp_path, "session.json").write_text("{")
    with pytest.raises(UserError, match="damaged or of another version"):
        Folder(tmp_path).read()


def test_a_life_has_a_later_number_than_all_before_whatever_the_clocks_of_machines_show(tmp_path: Path) -> None:
    folder = Folder.create(tmp_path, sitting("a"))
    assert folder.next_epoch("market:BTCUSDT", 100) == 100
    folder.tape("market:BTCUSDT", 100).touch()
    assert folder.next_epoch("market:BTCUSDT", 7) == 101
    folder.say_where("market:BTCUSDT", Address("tcp://1", "tcp://2", "key", 7, 205, "code"))
    assert folder.next_epoch("market:BTCUSDT", 7) == 206
    assert folder.next_epoch("market:BTC", 7) == 7


def test_who_reads_what_was_written_last_sees_the_same_folder(tmp_path: Path) -> None:
    folder = Folder.create(tmp_path, sitting("a"))
    assert not folder.proves("")
    words = folder.prove()
    assert folder.proves(words)
    folder.prove()
    assert not folder.proves(words), "a copy of yesterday is not the folder"


def test_who_started_a_session_is_known_while_it_lives_and_only_where_its_number_means_something(tmp_path: Path) -> None:
    folder = Folder.create(tmp_path, sitting("a"))
    assert folder.driver() == 0
    folder.say_driver()
    assert folder.driver() == os.getpid()
    said = (folder.path / "driver").read_text()
    (folder.path / "driver").write_text(said.replace(f"{os.getpid()} ", f"{os.getpid()} 1", 1))
    assert folder.driver() == 0, "the number is another process's now"
    (folder.path / "driver").write_text("1 1 elsewhere")
    with pytest.raises(UserError, match="not started on this machine"):
        folder.driver()
