"""Which machine this is, where others reach it, and what can be proven of a process that was here.

A number of a process means something on its own machine only, and in a container only there; and numbers are used again. So who
says which process it is says all of it: the home of its number (the machine since it was last started, and the table that the
number stands in), the number, and when that process began.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

LOOPBACK = "127.0.0.1"
PROC = Path("/proc")


@cache
def home() -> str:
    """Names the table of processes that this one stands in: no two machines, containers or starts of a machine share one."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink(PROC / 'self/ns/pid')}"
    except OSError:
        return ""


def born(pid: int) -> int:
    """When a process of this machine began, in the kernel's ticks; 0 where there is none, or only what is left of one."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def here(at: str) -> bool:
    """Whether numbers of a home are numbers of this machine."""
    return bool(at) and at == home()


def gone(at: str, pid: int, began: int) -> bool:
    """Whether it is proven that a process is no more. Of one on another machine nothing is proven."""
    return here(at) and born(pid) != began


def address(spread: bool) -> str:
    """Where the links of this process are to be reached: over the cluster's network by Ray's address of the machine, else on
    loopback alone."""
    if not spread:
        return LOOPBACK
    import ray

    return str(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]


def name(spread: bool) -> str:
    """The machine, for people: its address among a cluster's machines, else what it calls itself."""
    return address(True) if spread else socket.gethostname()
