"""The door in the simulated world: beside the gateway, as part of its process, so that passing it takes no time."""

from __future__ import annotations

from actors.sim.host import Route, SimHost
from core.message import Message
from core.risk.door import Door


class SimDoor:
    """A target for what gateway and risk send, and the outbox of its door."""

    beside = True

    def __init__(self, host: SimHost, door: Door) -> None:
        self._host, self.door = host, door
        self._now = 0
        self.routes: dict[type[Message], Route] = {}
        door.bind(self)

    def arrive(self, now: int, message: Message | None) -> None:
        """Something comes to the door."""
        assert message is not None
        self._now = now
        self.door.on(now, message)

    def send(self, message: Message) -> None:
        """The door's outbox."""
        for target in self.routes[type(message)](message):
            self._host.link.carry(self._now, target, message)

    def wake(self, at: int, key: str = "") -> None:
        """A door asks for no wake."""

    def record(self, entry: Message) -> None:
        """A door notes nothing."""
