"""The simulated link between places: every message arrives once, in the order sent, after a constant time."""

from __future__ import annotations

from collections.abc import Mapping

from actors.sim.heap import ARRIVAL, Heap, Target
from core.message import Lane, Message


class Link:
    """Carries messages over the heap to nodes by their names; `latency_ns` is one way."""

    def __init__(self, heap: Heap, targets: Mapping[str, Target], latency_ns: int) -> None:
        self._heap, self._targets, self.latency_ns = heap, targets, latency_ns

    def carry(self, leaves: int, target: Target, message: Message) -> None:
        """Bring a message that leaves at a time to a target in another place. A venue's session is in the sender's place."""
        self._heap.push(leaves + (0 if target.beside else self.latency_ns), ARRIVAL, target, message)

    def send(self, lane: Lane, source: str, target: str, message: Message) -> None:
        """The port's face: send by the names of nodes, at the present time. Both lanes arrive whole here."""
        self.carry(self._heap.clock.time, self._targets[target], message)
