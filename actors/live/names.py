"""Where hosts are: a table that every host writes itself into and looks the others up in. A Ray actor keeps it.

Nothing of trading passes through it. A host that cannot reach it goes on with the addresses that it has; who has none waits.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

SERVICE: Final = "names"
"""The actor's name, in the namespace that the session's id names."""


class Address(Struct, frozen=True):
    """A host in one life of its process: its two endpoints, its public key, its process and the code that it runs.

    `epoch` is the life's number (the account's: its term, 0 where nobody else could hold it); `machine` and `home` say on which
    machine, for people and for whoever wants to do something with `pid`.
    """

    endpoint: str
    publishing: str
    public_key: str
    pid: int
    epoch: int
    code: str
    machine: str = ""
    home: str = ""


class Names:
    """The table. Entries are bytes, so that hosts of another version can still be told apart."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, bytes]] = {}

    def enter(self, name: str, epoch: int, address: bytes) -> None:
        """A host says where it is in this epoch; what an earlier one of it said is forgotten, and it is not heard any more."""
        if epoch >= self._known.get(name, (epoch, b""))[0]:
            self._known[name] = epoch, address

    def everybody(self) -> dict[str, bytes]:
        """The whole table."""
        return {name: address for name, (_, address) in self._known.items()}


def service(namespace: str) -> Any:
    """The handle of the session's table. Raises ValueError while there is none."""
    import ray

    return ray.get_actor(SERVICE, namespace=namespace)
