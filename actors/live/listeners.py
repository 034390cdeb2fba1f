"""Which ports processes listen on, as the kernel tells it: by a process's own files and the tables of its sockets.

Only Linux tells so; elsewhere nothing is found, and who asks must say so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final, NamedTuple

PROC: Final = Path("/proc")
LISTEN: Final = "0A"
"""The state of a socket that listens, in the kernel's tables."""


class Listener(NamedTuple):
    """A port that a process listens on."""

    process: str
    pid: int
    address: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        found = ip_address(self.address)
        mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
        return (mapped or found).is_loopback


def listeners(pids: Iterable[int]) -> Iterator[Listener]:
    """What these processes listen on over TCP."""
    tables: dict[str, tuple[str, int]] = {}
    for table in (PROC / "net/tcp", PROC / "net/tcp6"):
        with suppress(OSError):
            tables |= dict(_listening(table.read_text()))
    for pid in pids:
        with suppress(OSError):
            name = (PROC / str(pid) / "comm").read_text().strip()
            for file in (PROC / str(pid) / "fd").iterdir():
                with suppress(OSError):
                    if (at := tables.get(os.readlink(file))) is not None:
                        yield Listener(name, pid, *at)


def family(root: int) -> list[int]:
    """A process and all that it, and they, started."""
    parents: dict[int, list[int]] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        with suppress(OSError):
            parents.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    found = [root]
    for one in found:
        found += parents.get(one, ())
    return found


def named(*names: str) -> list[int]:
    """This machine's processes of these names."""
    found = []
    for file in PROC.glob("[0-9]*/comm"):
        with suppress(OSError):
            if file.read_text().strip() in names:
                found.append(int(file.parent.name))
    return found


def _listening(table: str) -> Iterator[tuple[str, tuple[str, int]]]:
    """Rows of a kernel's table: what a process's file of the socket points at, and where it listens."""
    for row in table.splitlines()[1:]:
        fields = row.split()
        if fields[3] == LISTEN:
            place, _, port = fields[1].partition(":")
            words = [bytes.fromhex(place[at : at + 8])[::-1] for at in range(0, len(place), 8)]
            yield f"socket:[{fields[9]}]", (str(ip_address(b"".join(words))), int(port, 16))
