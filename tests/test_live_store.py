"""The journal on a real disk, under a real `kill -9`, a real limit on file size and a second process that wants it too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from actors.live.store import Journal
from core.journal import JournalError, seal

WRITER = """
import sys
from pathlib import Path
from actors.live.store import Journal
journal = Journal(Path(sys.argv[1]))
for number in range(10**9):
    journal.append(b"entry %d" % number)
    if number % 50 == 0:
        print(number, flush=True)
"""
LIMITED = """
import resource, signal, sys
from pathlib import Path
from actors.live.store import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
journal = Journal(Path(sys.argv[1]))
kept = 0
try:
    while True:
        journal.append(b"x" * 100)
        kept += 1
except OSError:
    print(kept, flush=True)
journal.append(b"")
journal.close()
"""


def kept(path: Path) -> list[bytes]:
    journal = Journal(path)
    try:
        return list(journal.entries())
    finally:
        journal.close()


@pytest.mark.parametrize("kill", range(5))
def test_a_killed_writer_leaves_every_entry_that_it_was_promised(tmp_path: Path, kill: int) -> None:
    path = tmp_path / "journal"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(3 + 7 * kill):
            promised = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
    found = kept(path)
    assert len(found) > promised
    assert found == [b"entry %d" % number for number in range(len(found))]


def test_an_entry_that_finds_no_room_is_an_error_and_leaves_nothing_half_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    done = subprocess.run([sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True)
    found = kept(path)
    assert found == [b"x" * 100] * int(done.stdout) + [b""]
    assert len(found) > 20


def test_a_torn_tail_is_cut_off_and_writing_goes_on_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(seal(0, b"first") + seal(1, b"second")[:-1])
    journal = Journal(path)
    journal.append(b"third")
    journal.close()
    assert kept(path) == [b"first", b"third"]


def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    damaged = bytearray(seal(0, b"first") + seal(1, b"second") + seal(2, b"third"))
    damaged[18] ^= 4
    path.write_bytes(damaged)
    with pytest.raises(JournalError, match="record 0 at byte 0 is damaged"):
        Journal(path)
    assert path.read_bytes() == damaged


def test_a_journal_has_one_writer(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    with pytest.raises(OSError, match="is the journal of a process that is running"):
        Journal(tmp_path / "journal")
    journal.close()
    Journal(tmp_path / "journal").close()


def test_a_journal_that_the_disk_fails_takes_nothing_more_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(b"first")

    def fails(*arguments: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", fails)
        patched.setattr(os, "ftruncate", fails)
        with pytest.raises(OSError, match="Input/output error"):
            journal.append(b"second")
    with pytest.raises(OSError, match="takes nothing more: Input/output error"):
        journal.append(b"third")
    journal.close()
    assert kept(tmp_path / "journal") == [b"first"]
