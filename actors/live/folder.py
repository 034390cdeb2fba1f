"""A session's folder: what was asked for, who took part, and everything that was written down.

| there | what |
|---|---|
| session.json | graphs, instruments, venue, placement and code: enough to build the same nodes again |
| keys/ | each host's key pair for the links, and whom they admit |
| hosts/ | where each host is, for an operator's tools |
| tapes/ | what each host's nodes took and sent; the account's is one file, a market's host begins a new one with each life |
| market/ | the venue's frames as they arrived, in the form that `astrarium data import` takes |
| logs/ | one line of JSON a word, a file a host |

Of a session on a cluster also:

| there | what |
|---|---|
| graphs/ | the sources of each graph's strategy, by the graph's number: what all machines run |
| tenure/ | who holds the account, and who waits for it (`actors/live/tenure.py`) |
| proof | what was written last by who started the processes: who reads the same sees the same folder |

Folders of sessions are never written into by a later one.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import msgspec
from msgspec import Struct

from actors.errors import Exit, UserError, nearest
from actors.graph import Plan
from actors.live import machine
from actors.live.names import Address
from actors.live.placement import Place, Placement, Runner, places, runners
from core.dialect.binance.hosts import VenueTable
from core.instrument import Instrument


class Sitting(Struct, frozen=True, dict=True):
    """What a session is: the graphs that trade, what they trade, where, and for real or on paper."""

    id: str
    created: int
    live: bool
    venue: VenueTable
    plans: tuple[Plan, ...]
    instruments: tuple[Instrument, ...]
    placement: Placement = "together"
    markets: int = 0
    """At most so many processes for the markets, of each kind; 0: any number."""
    pin: bool = False
    """Each process on a core of its own, dealt out in turn."""
    code: str = ""
    record: bool = True
    spread: bool = False
    """On machines of a cluster: links are reached over its network, and the account is held by a tenure."""
    trusted: bool = False
    """Whoever started it says that nobody else reads on the machines' network."""

    def runners(self) -> list[Runner]:
        """The strategies."""
        return self._runners

    def places(self) -> list[Place]:
        """The processes."""
        return self._places

    @cached_property
    def _runners(self) -> list[Runner]:
        """Read once: a process that trades does not wait for the strategies' files again, which may be far away by then."""
        return runners(self.plans)

    @cached_property
    def _places(self) -> list[Place]:
        return places(self._runners, self.placement, self.markets)


class Folder:
    """The paths of one session, and what is read and written there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys, self.hosts, self.tapes = path / "keys", path / "hosts", path / "tapes"
        self.market, self.logs, self.tenure = path / "market", path / "logs", path / "tenure"

    @classmethod
    def create(cls, root: Path, sitting: Sitting) -> Folder:
        """Make the folder of a new session. Raises FileExistsError where there is one of this id, UserError where none can be."""
        folder = cls(root / sitting.id)
        try:
            folder.path.mkdir(parents=True, mode=0o700)
            for one in (folder.keys, folder.hosts, folder.tapes, folder.market, folder.logs):
                one.mkdir(mode=0o700)
            written = msgspec.json.encode(sitting, order="deterministic")
            (folder.path / "session.json").write_bytes(msgspec.json.format(written, indent=1))
        except FileExistsError:
            raise
        except OSError as error:
            raise UserError(f"no session can be kept in {root}: {error.strerror}; say another place with --sessions") from error
        return folder

    def read(self) -> Sitting:
        """What the session is. Raises UserError for a folder that is not one's."""
        try:
            return msgspec.json.decode((self.path / "session.json").read_bytes(), type=Sitting)
        except OSError as error:
            raise UserError(f"{self.path} is no session: {error.strerror}", Exit.NOT_FOUND) from error
        except ValueError as error:
            raise UserError(f"{self.path}/session.json is damaged or of another version: {error}", Exit.CONFIGURATION) from error

    def tape(self, host: str, epoch: int = 0) -> Path:
        """The tape of a host; of a life of it, where each begins a new one."""
        name = host.replace(":", "-")
        return self.tapes / (f"{name}.{epoch}.tape" if epoch else f"{name}.tape")

    def all_tapes(self) -> list[Path]:
        """Every tape, by host and life."""
        return sorted(self.tapes.glob("*.tape"), key=lambda path: (path.name.partition(".")[0], path.stat().st_mtime_ns))

    def lived(self, host: str) -> bool:
        """Whether a host had a life in this session already."""
        name = host.replace(":", "-")
        return any(self.tapes.glob(f"{name}.tape")) or any(self.tapes.glob(f"{name}.*.tape"))

    def next_epoch(self, host: str, least: int) -> int:
        """The number of a life of a host that begins now: later than all before, whatever another machine's clock showed."""
        name = host.replace(":", "-")
        lives = [int(path.name.split(".")[-2]) for path in self.tapes.glob(f"{name}.*.tape")]
        known = self.where(host)
        return max([least, *(life + 1 for life in lives), known.epoch + 1 if known else 0])

    def prove(self) -> str:
        """Write something that nobody can know who does not see this folder; the words to compare with."""
        words = secrets.token_hex(16)
        beside = self.path / "proof.new"
        beside.write_text(words)
        os.replace(beside, self.path / "proof")
        return words

    def proves(self, words: str) -> bool:
        """Whether this is the folder where these words were written last."""
        try:
            return (self.path / "proof").read_text() == words
        except OSError:
            return False

    def say_where(self, host: str, address: Address) -> None:
        """A host says where it is: the file is there whole or not at all."""
        path = self.hosts / f"{host.replace(':', '-')}.json"
        beside = path.with_suffix(".new")
        beside.write_bytes(msgspec.json.encode(address))
        os.replace(beside, path)

    def where(self, host: str) -> Address | None:
        """Where a host last said that it is."""
        try:
            return msgspec.json.decode((self.hosts / f"{host.replace(':', '-')}.json").read_bytes(), type=Address)
        except (OSError, ValueError):
            return None

    def say_driver(self) -> None:
        """This process started the session and ends it."""
        (self.path / "driver").write_text(f"{os.getpid()} {machine.born(os.getpid())} {machine.home()}")

    def driver(self) -> int:
        """The number of the process that started the session, while it lives; 0 where none said so or it has ended.

        Raises UserError where it is another machine's.
        """
        try:
            pid, born, home = (self.path / "driver").read_text().split(" ", 2)
        except (OSError, ValueError):
            return 0
        if not machine.here(home):
            raise UserError(
                f"session {self.path.name} was not started on this machine since it is up: end it where it was", Exit.NOT_RUNNING
            )
        return int(pid) if machine.born(int(pid)) == int(born) else 0

    def log(self, host: str) -> Path:
        """A host's log."""
        return self.logs / f"{host.replace(':', '-')}.jsonl"


def fresh_id() -> str:
    """An id for a session: when it began, and four letters that no other has."""
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + "-" + secrets.token_hex(2)


def find(root: Path, wanted: str = "") -> Folder:
    """The session with this id, or path, or beginning of an id; without one the newest. Raises UserError."""
    if wanted and Path(wanted, "session.json").is_file():
        return Folder(Path(wanted))
    known = sorted(path.parent for path in root.glob("*/session.json"))
    found = [path for path in known if path.name.startswith(wanted)]
    if not found:
        names: Iterable[str] = (path.name for path in known)
        what = f"no session {wanted!r} in {root}: {nearest(wanted, names)}" if wanted else f"no session in {root}"
        raise UserError(what, Exit.NOT_FOUND)
    if wanted and len(found) > 1:
        raise UserError(f"{wanted!r} are several: {', '.join(path.name for path in found[:6])}", Exit.CONFIGURATION)
    return Folder(found[-1])
