"""Who is let trade for real: keys, accounts, ports and code, each refusal in its own words."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.cli.main import main
from actors.driver import Driver
from actors.emulator.running import RunningVenue
from actors.errors import Exit, UserError
from actors.graph import read
from actors.live.admission import of_account, of_listeners, of_ray
from actors.live.credentials import Credentials
from actors.live.folder import Folder
from actors.live.listeners import Listener, family, listeners, named
from actors.live.log import lines
from actors.live.opening import open_session
from core.dialect.binance.hosts import VenueTable

ACCOUNTS = """
[[accounts]]
name = "demo"
[[accounts]]
name = "hedged"
key = "hedge-key"
secret = "hedge-secret"
hedge_mode = true
[[accounts]]
name = "open-handed"
key = "open-key"
secret = "open-secret"
may_withdraw = true
"""
GRAPH = (
    'name = "quoter"\ninstruments = ["BTCUSDT"]\n[strategy]\nuse = "quoter.py:Quoter"\n'
    "[limits]\norder_qty = 1.0\nposition = 2.0\nopen_orders = 30\norder_value = 100000.0\n"
)


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    file = tmp_path_factory.mktemp("venue") / "accounts.toml"
    file.write_text(ACCOUNTS)
    with RunningVenue("--synth", "7", "--accounts", str(file)) as running:
        yield running


def objections(venue: RunningVenue, key: str, secret: str) -> list[str]:
    return list(of_account(VenueTable().at(venue.rest), Credentials(key, secret, "a test")))


def test_an_account_that_is_well_is_let_in(venue: RunningVenue) -> None:
    assert objections(venue, "demo-key", "demo-secret") == []


@pytest.mark.parametrize(
    ("key", "secret", "word"),
    [
        ("no-such-key", "demo-secret", "-2015"),
        ("demo-key", "no-such-secret", "-1022"),
        ("hedge-key", "hedge-secret", "hedge mode"),
        ("open-key", "open-secret", "may withdraw"),
    ],
)
def test_each_thing_that_is_wrong_with_a_key_has_its_words(venue: RunningVenue, key: str, secret: str, word: str) -> None:
    found = objections(venue, key, secret)
    assert len(found) == 1
    assert word in found[0]
    assert secret not in found[0]


def test_a_clock_that_is_astray_does_not_hide_what_the_venue_says_of_the_key(venue: RunningVenue) -> None:
    venue.set_clock(60_000)
    try:
        assert objections(venue, "demo-key", "demo-secret") == []
    finally:
        venue.set_clock(0)


def test_a_venue_that_is_not_there_is_said() -> None:
    found = list(of_account(VenueTable().at("http://127.0.0.1:9"), Credentials("k", "s", "a test")))
    assert "no answer" in found[0]


def test_ray_without_a_token_or_far_away_in_plain_text_is_refused() -> None:
    assert list(of_ray("", {})) == []
    assert list(of_ray("127.0.0.1:6379", {"RAY_AUTH_MODE": "token"})) == []
    assert "RAY_AUTH_MODE" in next(of_ray("", {"RAY_AUTH_MODE": "disabled"}))
    assert "plain text" in next(of_ray("10.0.0.7:6379", {}))
    assert "--trust-network" in next(of_ray("10.0.0.7:6379", {}))
    assert list(of_ray("10.0.0.7:6379", {"RAY_USE_TLS": "1"})) == []
    assert list(of_ray("10.0.0.7:6379", {}, trusted=True)) == []


@pytest.mark.parametrize(("address", "alone"), [("127.0.0.1", True), ("0.0.0.0", False), ("::1", True), ("::", False)])
def test_the_kernel_tells_who_listens_where(address: str, alone: bool) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as listening:
        try:
            listening.bind((address, 0))
        except OSError:
            pytest.skip(f"this machine has no {address}")
        listening.listen()
        port = listening.getsockname()[1]
        found = [one for one in listeners([os.getpid()]) if one.port == port]
        assert [(one.address, one.loopback, one.pid) for one in found] == [(address, alone, os.getpid())]
        objected = list(of_listeners(found, {}))
        assert bool(objected) != alone
        assert all(f"{address}:{port}" in one for one in objected)
        assert list(of_listeners(found, {"RAY_USE_TLS": "1"})) == []


def test_an_address_of_the_older_kind_within_the_newer_is_still_this_machine_alone() -> None:
    assert Listener("raylet", 1, "::ffff:127.0.0.1", 1).loopback
    assert not Listener("raylet", 1, "::ffff:10.0.0.7", 1).loopback


def test_a_family_is_a_process_and_all_that_came_of_it() -> None:
    words = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = family(child.pid)
        assert len(found) == 2
        assert set(found) < set(family(os.getpid()))
        child.communicate("\n")
    assert os.getpid() in named(Path(f"/proc/{os.getpid()}/comm").read_text().strip())


@pytest.mark.parametrize("live", [True, False])
def test_a_process_with_other_code_than_the_sessions_does_not_begin_real_trading_and_tells_it_otherwise(
    venue: RunningVenue, tmp_path: Path, live: bool
) -> None:
    folder = opened(venue, tmp_path, live)
    sitting = folder.path / "session.json"
    sitting.write_text(sitting.read_text().replace(f'"code": "{folder.read().code}"', '"code": "0123456789ab"'))
    began, code = lived(folder)
    told = {one.event: one.text for _, one in lines(folder.log("account"))}
    if live:
        assert (began, code) == (False, 70)
        assert "opened with 0123456789ab" in told["account dies"]
    else:
        assert began
        assert "opened with 0123456789ab" in told["this process runs other code than the session began with"]


def test_a_later_life_of_other_code_goes_on_and_is_an_alarm(venue: RunningVenue, tmp_path: Path) -> None:
    folder = opened(venue, tmp_path, live=True)
    assert lived(folder) == (True, 0)
    (tmp_path / "quoter.py").write_text((tmp_path / "quoter.py").read_text() + "\n# changed\n")
    assert lived(folder) == (True, 0)
    assert [one.level for _, one in lines(folder.log("account")) if "other code" in one.event] == ["error"]


def opened(venue: RunningVenue, folder: Path, live: bool) -> Folder:
    """A session that has not begun."""
    quoter(folder)
    return open_session(folder / "s", [read(folder / "quoter.toml")], VenueTable().at(venue.rest), live)


def lived(folder: Folder) -> tuple[bool, int]:
    """A short life of the account's process: whether it began, and how it ended."""
    words = (
        "from actors.live.process import Process; import sys; p = Process(*sys.argv[1:], ray=False); print(p.ready(30)); p.stop()"
    )
    command = [sys.executable, "-c", words, str(folder.path), "account"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return "True" in run.stdout, run.returncode


def quoter(folder: Path) -> None:
    """The starter's strategy and a graph of it."""
    starter = Path(main.__code__.co_filename).parent.parent / "starter" / "quoter.py"
    (folder / "quoter.py").write_text(starter.read_text())
    (folder / "quoter.toml").write_text(GRAPH)


def test_a_session_that_is_refused_leaves_no_folder(venue: RunningVenue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quoter(tmp_path)
    monkeypatch.setenv("ASTRARIUM_KEY", "hedge-key")
    monkeypatch.setenv("ASTRARIUM_SECRET", "hedge-secret")
    sessions = tmp_path / "sessions"
    assert main(["trade", str(tmp_path / "quoter.toml"), "--live", "--url", venue.rest, "--sessions", str(sessions)]) == 4
    assert not sessions.exists()


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf"])
def test_a_time_that_is_none_is_refused(seconds: str, tmp_path: Path) -> None:
    quoter(tmp_path)
    assert main(["trade", str(tmp_path / "quoter.toml"), f"--for={seconds}", "--sessions", str(tmp_path / "s")]) == 4


def test_a_session_is_not_held_from_a_machine_outside_of_its_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quoter(tmp_path)
    assert main(["trade", str(tmp_path / "quoter.toml"), "--address", "ray://10.0.0.7:10001"]) == 4
    assert "--address auto" in capsys.readouterr().err


def test_what_ended_a_driver_is_the_verb_s_own_exit_code(tmp_path: Path) -> None:
    driver = Driver(Folder(tmp_path), "")
    (tmp_path / "logs").mkdir()
    driver._command = [sys.executable, "-c", "import sys; sys.stderr.write('not for real: a port\\n'); sys.exit(4)"]
    with pytest.raises(UserError, match="not for real: a port") as ended:
        driver.start()
    assert ended.value.exit_code == Exit.CONFIGURATION
