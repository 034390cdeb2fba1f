"""The simulated link between places: every message arrives once, in the order sent, after a constant time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.message import Lane, Message

if TYPE_CHECKING:
    from actors.sim.host import SimHost, Target


class Link:
    """Carries messages over the host's heap; `latency_ns` is one way."""

    def __init__(self, host: SimHost, latency_ns: int) -> None:
        self.host, self.latency_ns = host, latency_ns

    def carry(self, leaves: int, target: Target, message: Message) -> None:
        """Bring a message that leaves at a time to a target in another place. A venue's session is in the sender's place."""
        self.host.push(leaves + (0 if target.beside else self.latency_ns), 0, target, message)

    def send(self, lane: Lane, source: str, target: str, message: Message) -> None:
        """The port's face: send by the names of nodes, at the host's present time. Both lanes arrive whole here."""
        self.carry(self.host.clock.time, self.host.seats[target], message)
