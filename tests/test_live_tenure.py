"""The account's tenure in a folder: real files, real processes, real seconds; rules alone are in `test_tenure.py`."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from actors.live import machine
from actors.live.tenure import FENCED, Fenced, Tenancy, Word, now, seats
from actors.sim.store import Journal
from core.tenure import LOST_NS, SECOND, TAKE_NS

CONTENDER = """
import sys, time
from pathlib import Path
from threading import Event
from actors.live import machine
from actors.live.tenure import Tenancy

folder, seat, home, cut_off = sys.argv[1:]
if home:
    machine.home = lambda: home
one = Tenancy(Path(folder), seat, seat, lambda: int(cut_off), first=seat == "a")
print("waits", flush=True)
one.wait(Event())
print("holds", one.term, flush=True)
while one.held():
    time.sleep(0.01)
time.sleep(60)
"""


@contextmanager
def contender(folder: Path, seat: str, home: str = "", cut_off: int = 0) -> Iterator[subprocess.Popen[str]]:
    """A process that contends; with a `home` as if on a machine of that name."""
    command = [sys.executable, "-c", CONTENDER, str(folder), seat, home, str(cut_off)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "waits\n"
            yield process
        finally:
            process.kill()


def holds(process: subprocess.Popen[str]) -> int:
    """The term that it holds, when it does."""
    assert process.stdout is not None
    return int(process.stdout.readline().split()[1])


def test_the_first_takes_it_at_once_and_the_second_waits_while_it_lives(tmp_path: Path) -> None:
    stop = Event()
    one = Tenancy(tmp_path / "t", "account", "here", lambda: 0)
    assert one.wait(stop)
    assert (one.term, one.held()) == (1, True)
    with contender(tmp_path / "t", "b", "elsewhere"):
        time.sleep(2.5)
        holder, waiting = seats(tmp_path / "t")
        assert holder is not None
        assert (holder.seat, list(waiting)) == ("account", ["b"])
        assert one.held()
    other = Tenancy(tmp_path / "t", "b", "here", lambda: 0)
    stop.set()
    assert not other.wait(stop)
    one.close()


def test_after_a_good_end_nobody_takes_it_up(tmp_path: Path) -> None:
    one = Tenancy(tmp_path / "t", "account", "here", lambda: 0)
    assert one.wait(Event())
    one.close()
    assert not one.held()
    assert not Tenancy(tmp_path / "t", "b", "here", lambda: 0).wait(Event())
    assert seats(tmp_path / "t")[1] == {}


def test_a_process_that_is_known_to_be_dead_leaves_it_at_once(tmp_path: Path) -> None:
    with contender(tmp_path / "t", "a") as first:
        assert holds(first) == 1
        with contender(tmp_path / "t", "b") as second:
            time.sleep(1.5)
            first.kill()
            first.wait()
            began = time.monotonic()
            assert holds(second) == 2
            assert time.monotonic() - began < 2.5


@pytest.mark.slow
def test_one_that_dies_elsewhere_leaves_it_when_its_word_has_stood_still(tmp_path: Path) -> None:
    with contender(tmp_path / "t", "a", "one") as first, contender(tmp_path / "t", "b", "another") as second:
        assert holds(first) == 1
        time.sleep(1.5)
        first.kill()
        began = time.monotonic()
        assert holds(second) == 2
        assert TAKE_NS / SECOND - 1.5 < time.monotonic() - began < TAKE_NS / SECOND + 2.5


@pytest.mark.slow
def test_one_that_slept_ends_when_it_wakes_and_did_not_hold_what_another_took(tmp_path: Path) -> None:
    with contender(tmp_path / "t", "a", "one") as first, contender(tmp_path / "t", "b", "another") as second:
        assert holds(first) == 1
        first.send_signal(signal.SIGSTOP)
        assert holds(second) == 2
        first.send_signal(signal.SIGCONT)
        assert first.wait(2.0) == FENCED
        time.sleep(1.0)
        assert second.poll() is None


@pytest.mark.slow
def test_one_that_cannot_write_any_more_ends_before_anybody_takes_it(tmp_path: Path) -> None:
    with contender(tmp_path / "t", "a", "one") as first:
        assert holds(first) == 1
        began = time.monotonic()
        (tmp_path / "t").rename(tmp_path / "away")
        assert first.wait(LOST_NS / SECOND + 2.0) == FENCED
        assert LOST_NS / SECOND - 1.5 < time.monotonic() - began < LOST_NS / SECOND + 0.5


@pytest.mark.slow
def test_one_that_is_cut_off_ends_for_one_that_is_not_and_for_nobody_else(tmp_path: Path) -> None:
    with contender(tmp_path / "t", "a", "one", LOST_NS) as first:
        assert holds(first) == 1
        with contender(tmp_path / "t", "b", "another", LOST_NS):
            time.sleep(3.5)
            assert first.poll() is None, "both are cut off"
        with contender(tmp_path / "t", "c", "another"):
            assert first.wait(5.0) == FENCED


def test_a_tape_takes_nothing_from_one_that_may_not_act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Tenancy(tmp_path / "t", "account", "here", lambda: 0)
    assert one.wait(Event())
    ended: list[str] = []
    monkeypatch.setattr("actors.live.tenure.end", ended.append)
    tape = Fenced(Journal(), one)
    tape.append(b"a")
    assert list(tape.entries()) == [b"a"]
    one.close()
    tape.append(b"b")
    assert len(ended) == 1


def test_half_a_word_is_nobodys_and_a_word_stays_the_process_s_own(tmp_path: Path) -> None:
    assert seats(tmp_path) == (None, {})
    (tmp_path / "3").write_bytes(b'{"seat":"acc')
    (tmp_path / "waits.b").write_bytes(b"{")
    assert seats(tmp_path) == (None, {})
    assert now() > 0
    word = Word("a", "m", machine.home(), 1, machine.born(1) + 1)
    assert machine.gone(word.home, word.pid, word.born)
    assert not machine.gone(word.home, word.pid, machine.born(1))
    assert not machine.gone("elsewhere", word.pid, word.born)
    assert not machine.here("")
