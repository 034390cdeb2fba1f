"""Where hosts are: a table that every host writes itself into and looks the others up in. A Ray actor keeps it.

Nothing of trading passes through it. A host that cannot reach it goes on with the addresses that it has; who has none waits.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

SERVICE: Final = "names"
"""The actor's name, in the namespace that the session's id names."""


class Address(Struct, frozen=True):
    """A host in one life of its process: its two endpoints, its public key, its process and the code that it runs."""

    endpoint: str
    publishing: str
    public_key: str
    pid: int
    epoch: int
    code: str


class Names:
    """The table. Entries are bytes, so that hosts of another version can still be told apart."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def enter(self, name: str, address: bytes) -> None:
        """A host says where it is; what it said before is forgotten."""
        self._known[name] = address

    def look_up(self, name: str) -> bytes:
        """What a host said; nothing while it has not."""
        return self._known.get(name, b"")

    def everybody(self) -> dict[str, bytes]:
        """The whole table."""
        return dict(self._known)


def service(namespace: str) -> Any:
    """The handle of the session's table. Raises ValueError while there is none."""
    import ray

    return ray.get_actor(SERVICE, namespace=namespace)
