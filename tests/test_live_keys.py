"""Key files that only their owner reads, the folder of the enrolled, and a socket that lets nobody in without a doorkeeper."""

from __future__ import annotations

import stat
import time
from contextlib import suppress
from pathlib import Path

import pytest
import zmq

from actors.errors import Exit, UserError
from actors.live.keys import Doorkeeper, enroll, enrolled, load, make, may_be, revoke
from actors.live.sockets import reaching, serving


def test_a_pair_comes_back_is_enrolled_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    pair = make(tmp_path / "keys", "market:BTCUSDT")
    assert load(tmp_path / "keys", "market:BTCUSDT") == pair
    assert enrolled(tmp_path / "keys") == {pair.public: "market:BTCUSDT"}
    assert stat.S_IMODE((tmp_path / "keys" / "market:BTCUSDT.secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_a_secret_is_in_no_text_of_its_pair(tmp_path: Path) -> None:
    pair = make(tmp_path, "a")
    assert pair.secret.decode() not in f"{pair} {pair!r} {[pair]}"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o601])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    make(tmp_path, "a")
    (tmp_path / "a.secret").chmod(mode)
    with pytest.raises(UserError, match=f"a.secret has mode {mode:04o}: others can read the key") as caught:
        load(tmp_path, "a")
    assert caught.value.exit_code == Exit.CONFIGURATION


def test_a_key_that_is_not_there_or_none_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no key of a: .*: No such file"):
        load(tmp_path, "a")
    pair = make(tmp_path, "a")
    for content in (b"", b"x y", pair.public + b" " + pair.public, b"\xff" * 40 + b" " + b"\xff" * 40):
        (tmp_path / "a.secret").write_bytes(content)
        with pytest.raises(UserError, match="holds no key pair"):
            load(tmp_path, "a")


def test_a_key_is_never_overwritten_and_a_name_stays_in_its_folder(tmp_path: Path) -> None:
    make(tmp_path, "a")
    with pytest.raises(UserError, match="a key is never overwritten"):
        make(tmp_path, "a")
    for name in ("", "../a", ".a", "a/b"):
        with pytest.raises(UserError, match="cannot be the name of a key"):
            make(tmp_path, name)


def test_who_is_enrolled_may_call_itself_by_its_name_with_more_behind_it() -> None:
    assert may_be("operator", "operator")
    assert may_be("operator", "operator:4711")
    assert not may_be("operator", "operators")
    assert not may_be("operator:1", "operator:2")
    assert not may_be("market:BTCUSDT", "account")


def test_a_folder_is_read_again_when_it_changes_and_damaged_files_enroll_nobody(tmp_path: Path) -> None:
    pair = make(tmp_path, "a")
    context = zmq.Context()
    door = Doorkeeper(context, tmp_path)
    assert door._lookup() == {pair.public: "a"}
    enroll(tmp_path, "b", b"not a key")
    assert door._lookup() == {pair.public: "a"}
    revoke(tmp_path, "a")
    assert door._lookup() == {}
    revoke(tmp_path, "a")
    door.close()
    context.term()


def test_without_a_doorkeeper_nobody_gets_in(tmp_path: Path) -> None:
    pair, client = make(tmp_path, "a"), make(tmp_path, "b")
    context = zmq.Context()
    server, endpoint = serving(context, zmq.ROUTER, pair, "127.0.0.1")
    socket = reaching(context, zmq.DEALER, client, endpoint, pair.public)
    with suppress(zmq.Again):  # it is refused so soon that there may be nobody to send to
        socket.send(b"x", zmq.NOBLOCK)
    time.sleep(0.3)
    assert not server.get(zmq.EVENTS) & zmq.POLLIN
    context.destroy(0)
