"""A host's eye on the table of names: it says where it is itself, and watches where the others are.

A thread of its own, because the table is a Ray actor: asking it takes a millisecond where all is well, seconds where it is not.
A host that moved is told to the loop. While the table cannot be reached, what hosts wrote into the session's folder stands in for
it, which all of a session see; whoever finds nothing waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from threading import Event, Thread
from typing import Any, Final

import msgspec

from actors.live.folder import Folder
from actors.live.names import Address, service

LOOK_EVERY_S: Final = 0.5
"""A host that was restarted is found within this; it costs the table two short calls a second and host."""
PATIENCE_S: Final = 2.0
"""For one answer of the table."""

Moved = Callable[[str, Address], None]


class OutOfReach(Exception):
    """The table does not answer."""


class RayTable:
    """The session's table, asked over Ray."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._service: Any = None

    def enter(self, name: str, epoch: int, address: bytes) -> None:
        """Say where a host is. Raises OutOfReach."""
        self._ask("enter", name, epoch, address)

    def everybody(self) -> Mapping[str, bytes]:
        """Where all are. Raises OutOfReach."""
        return self._ask("everybody")  # type: ignore[no-any-return]

    def _ask(self, verb: str, *given: object) -> Any:
        import ray

        try:
            self._service = self._service or service(self._namespace)
            return ray.get(getattr(self._service, verb).remote(*given), timeout=PATIENCE_S)
        except (ray.exceptions.RayError, ValueError, RuntimeError, OSError) as error:
            self._service = None
            raise OutOfReach(str(error)) from error


class Reach:
    """Looks, on a thread of its own, whether the table is in reach: who is cut off from it is cut off from the session."""

    def __init__(self, table: RayTable | None) -> None:
        self._table = table
        self._reached = time.monotonic_ns()
        if table is not None:
            Thread(target=self._look, name="reach", daemon=True).start()

    def cut_off(self) -> int:
        """For how many ns the table has been out of reach."""
        return time.monotonic_ns() - self._reached if self._table is not None else 0

    def _look(self) -> None:
        assert self._table is not None
        while True:
            with suppress(OutOfReach):
                self._table.everybody()
                self._reached = time.monotonic_ns()
            time.sleep(LOOK_EVERY_S)


class Directory:
    """Watches the table for some hosts; `moved` is called, from a thread, for each of them that is somewhere new."""

    def __init__(self, folder: Folder, name: str, table: RayTable | None, wanted: Iterable[str], moved: Moved) -> None:
        self._folder, self._name, self._table, self._wanted, self._moved = folder, name, table, tuple(wanted), moved
        self._known: dict[str, Address] = {}
        self._stop = Event()
        self.reached = table is None
        """Whether the table answered the last time."""

    def begin(self, own: Address) -> None:
        """Say where this host is, and watch from now on."""
        self._folder.say_where(self._name, own)
        self._epoch, self._own = own.epoch, msgspec.json.encode(own)
        self._thread = Thread(target=self._watch, name="directory", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Watch no more."""
        self._stop.set()

    def forget(self, name: str) -> None:
        """The host is not reached where it was: say again where it is, even if it says the same."""
        self._known.pop(name, None)

    def _watch(self) -> None:
        entered = False
        while not self._stop.wait(LOOK_EVERY_S if entered or self._known else 0.02):
            entered = self._enter(entered)
            for name, address in self._everybody().items():
                if name in self._wanted and self._known.get(name) != address:
                    self._known[name] = address
                    self._moved(name, address)

    def _enter(self, entered: bool) -> bool:
        if self._table is None or (entered and self.reached):
            return entered
        try:
            self._table.enter(self._name, self._epoch, self._own)
        except OutOfReach:
            self.reached = False
            return entered
        return True

    def _everybody(self) -> dict[str, Address]:
        if self._table is not None:
            try:
                table = self._table.everybody()
            except OutOfReach:
                self.reached = False
            else:
                self.reached = True
                return {name: msgspec.json.decode(address, type=Address) for name, address in table.items()}
        written = {name: self._folder.where(name) for name in self._wanted}
        return {name: address for name, address in written.items() if address is not None}
