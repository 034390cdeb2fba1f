"""The account's tenure in a folder that all machines see: the files and threads behind `core/tenure.py`.

| there | what |
|---|---|
| tenure/7 | the seventh term: made by whoever holds it (O_EXCL), which writes its word into it every second |
| tenure/waits.SEAT | one who waits, and whether it is in touch with the session's table of names; written every second |

No file is locked: what a lock means on a network's file system, and when one of a dead machine ends, differs from one to the
next. What is needed is that making a file that must not be there succeeds for one, and that who opens a file reads what was
written and synchronised before (close-to-open; NFS and EFS as they are mounted by default). Where names are remembered for a
while, an attempt to make the next term tells the truth, and only costs another wait.

Two threads, because writing may hang for as long as a file server likes: one writes, the other ends the process by the clock. It
ends at once (`os._exit`), with nothing said to anybody: the next holder finds in tape and venue what was under way.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Final

import msgspec
from msgspec import Struct

from actors.live import machine
from core.ports import Store
from core.tenure import RENEW_NS, SECOND, Tenure

FENCED: Final = 75
"""Exit code, as sysexits.h has it for what may go well at another time."""
LOOK_S: Final = 0.05
"""How late, at the most, a process ends that may not act any more; its doors are shut by then."""
WORD_BYTES: Final = 1_024
"""Of a term's file: words of one length take each other's place whole."""
CLAIM_NS: Final = 3 * SECOND
"""One who waits and has written nothing for so long claims nothing."""


class Word(Struct, frozen=True):
    """Who holds or waits: its seat in the session, its machine, and which process there. `count` makes each word another; one who
    waits says whether it is `attached` to the others, and the last who held that the session has `ended`."""

    seat: str
    machine: str
    home: str
    pid: int
    born: int
    count: int = 0
    attached: bool = True
    ended: bool = False


def now() -> int:
    """Nanoseconds of a clock that counts sleep and is never set."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Tenancy:
    """This process's part in the account's tenure. `cut_off` tells for how many ns the others have been out of its reach."""

    def __init__(self, folder: Path, seat: str, where: str, cut_off: Callable[[], int], first: bool = True) -> None:
        self.folder, self.seat = folder, seat
        self._cut_off = cut_off
        self._tenure = Tenure(first)
        self._me = Word(seat, where, machine.home(), os.getpid(), machine.born(os.getpid()))
        self._known = self._count = 0
        self._claims: dict[str, tuple[bytes, int]] = {}
        self._closed, self._writing = Event(), Lock()
        folder.mkdir(mode=0o700, exist_ok=True)

    @property
    def term(self) -> int:
        """The number of the term that is held."""
        return self._tenure.term

    @property
    def behind(self) -> bool:
        """Whether this process waits behind one that was seen to live."""
        return self._tenure.state == "waiting" and self._tenure.alive

    def held(self) -> bool:
        """Whether this process may act for the account now. From any thread."""
        return self._tenure.acts(now())

    def _path(self, term: int) -> Path:
        return self.folder / str(term)

    # --- waiting

    def wait(self, stop: Event) -> bool:
        """Until the account is this process's, or `stop`, or the session has ended in good order; whether it is."""
        while not stop.is_set() and not self._closed.is_set():
            with suppress(OSError):
                self._say_waiting()
            try:
                wanted = self._look()
                if wanted and self._take(wanted):
                    return True
            except OSError:
                wanted = 0  # a file server that does not answer now
            if not wanted:
                stop.wait(RENEW_NS / SECOND)
        with suppress(OSError):
            (self.folder / f"waits.{self.seat}").unlink(missing_ok=True)
        return False

    def _look(self) -> int:
        """Look at the newest term. Returns the one that may be made now, 0 for none; raises OSError where it was not seen."""
        began = now()
        term = max([self._known, *(int(path.name) for path in self.folder.iterdir() if path.name.isdigit())])
        word = self._path(term).read_bytes() if term else b""  # one that is there and cannot be read is no look
        with suppress(FileNotFoundError):
            word = self._path(term + 1).read_bytes()  # the list of names may be an old one
            term += 1
        self._known = term
        wanted = self._tenure.saw(began, now(), term, word)
        holder = _decoded(word)
        if holder is not None and holder.ended:
            self._closed.set()
            return 0
        if holder is not None and machine.gone(holder.home, holder.pid, holder.born):
            self._tenure.vacant(term)
            wanted = self._tenure.saw(began, now(), term, word)
        return wanted

    def _take(self, term: int) -> bool:
        began = now()
        try:
            os.close(os.open(self._path(term), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            self._known = term
            return False
        self._tenure.took(began, term)
        self._write()
        for task in (self._renew, self._watch):
            Thread(target=task, name=f"tenure {task.__name__}", daemon=True).start()
        with suppress(OSError):
            (self.folder / f"waits.{self.seat}").unlink(missing_ok=True)
        return True

    def _say_waiting(self) -> None:
        self._count += 1
        word = msgspec.structs.replace(self._me, count=self._count, attached=self._cut_off() < RENEW_NS * 2)
        beside = self.folder / f"new.{self.seat}"
        beside.write_bytes(msgspec.json.encode(word))
        os.replace(beside, self.folder / f"waits.{self.seat}")

    # --- holding

    def close(self) -> None:
        """The session ends in good order: act no more, and let nobody take it up."""
        self._closed.set()
        self._write(ended=True)
        self._tenure.lose()

    def _write(self, ended: bool = False) -> None:
        """Write another word; one that is not written is not counted."""
        began = now()
        with self._writing:
            if self._closed.is_set() != ended:
                return  # the last word is said
            self._count += 1
            word = msgspec.json.encode(msgspec.structs.replace(self._me, count=self._count, ended=ended)).ljust(WORD_BYTES)
            try:
                with open(self._path(self.term), "r+b", buffering=0) as file:  # anew, so that what was cut off is noticed
                    file.write(word)
                    os.fsync(file.fileno())
            except OSError:
                return
        self._tenure.renewed(now(), began)

    def _renew(self) -> None:
        while not self._closed.wait(RENEW_NS / SECOND):
            self._write()
            with suppress(OSError):
                if self._tenure.gives_up(self._cut_off(), self._claimed()):
                    self._tenure.lose()
                if self._path(self.term + 1).exists():  # it cannot be, unless the folder keeps no promise
                    self._tenure.lose()

    def _claimed(self) -> bool:
        """Whether somebody waits who is in touch with the others."""
        claimed = False
        for path in self.folder.glob("waits.*"):
            raw = path.read_bytes()
            before, since = self._claims.get(path.name, (raw, -CLAIM_NS))  # what was never seen to change is a dead one's
            if raw != before:
                since = now()
            self._claims[path.name] = raw, since
            word = _decoded(raw)
            claimed |= word is not None and word.attached and now() - since < CLAIM_NS
        return claimed

    def _watch(self) -> None:
        try:
            while self.held():
                time.sleep(LOOK_S)
        finally:
            if not self._closed.is_set():
                end(f"{self.seat}: the account is not this process's any more (term {self.term})")


class Fenced:
    """The account's tape while a tenure stands behind it: whoever may not act any more writes nothing either, and ends."""

    def __init__(self, tape: Store, tenancy: Tenancy) -> None:
        self._tape, self._tenancy = tape, tenancy

    def append(self, *entries: bytes) -> None:
        """Keep entries. Raises OSError as the tape does."""
        if not self._tenancy.held():
            end(f"{self._tenancy.seat}: the account's tape is not this process's any more")
        self._tape.append(*entries)

    def entries(self) -> Any:
        """All entries, oldest first."""
        return self._tape.entries()


def end(words: str) -> None:
    """End this process, whatever its threads are doing; the words are Ray's to keep."""
    os.write(2, f"{words}\n".encode())
    os._exit(FENCED)


def seats(folder: Path) -> tuple[Word | None, dict[str, Word]]:
    """Who holds the account by what is written, and who waits, by seat."""
    terms = sorted((path for path in folder.glob("[0-9]*")), key=lambda path: int(path.name))
    waiting: dict[str, Word] = {}
    for path in folder.glob("waits.*"):
        with suppress(OSError):
            if (word := _decoded(path.read_bytes())) is not None:
                waiting[word.seat] = word
    return (_decoded(terms[-1].read_bytes()) if terms else None), waiting


def _decoded(raw: bytes) -> Word | None:
    """A word, or None for what is half of one."""
    try:
        return msgspec.json.decode(raw, type=Word)
    except (msgspec.MsgspecError, ValueError):
        return None
