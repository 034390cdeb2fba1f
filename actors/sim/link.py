"""The simulated link between places: every message arrives once, in the order sent, after a constant time; and one with bad days.

What a bad day may do is what the live link's session leaves of it. The every lane is late: a delay of its own for each message, a
path that is clogged, a connection that breaks and whose session sends again what was not taken. Nothing is lost and nothing
overtakes. The latest lane is late too, and what falls into a break is dropped for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from actors.sim.chance import Chance
from actors.sim.heap import ARRIVAL, Heap, Target
from core.message import Lane, Message

MS: Final = 1_000_000


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


class LinkFaults(Struct, frozen=True):
    """Delays in ns, the others how likely a message meets them."""

    delay_least_ns: int = 0
    delay_mean_ns: int = 0
    link_clogged: float = 0.0
    """For 0 to 5 s."""
    link_broken: float = 0.0
    """Both ways, for 1 to 5 s; then the session resumes."""
    tick_dropped: float = 0.0


class FaultyLink(Link):
    """The link of one run; a path is from one place to another, and knows until when it is blocked."""

    def __init__(self, heap: Heap, targets: Mapping[str, Target], latency_ns: int, faults: LinkFaults, chance: Chance) -> None:
        super().__init__(heap, targets, latency_ns)
        self.faults, self.chance = faults, chance
        self._blocked: dict[tuple[str, str], int] = {}
        self._broken: dict[tuple[str, str], int] = {}
        self._last: dict[tuple[str, str, str], int] = {}

    def bring(self, leaves: int, source: str, place: str, target: Target, message: Message) -> None:
        """Bring a message from one place to a target in another."""
        chance, faults, path = self.chance, self.faults, (source, place)
        lane = message.lane
        if lane == "latest" and (self._broken.get(path, 0) > leaves or chance.strikes("tick_dropped", faults.tick_dropped)):
            return
        if chance.strikes("link_clogged", faults.link_clogged):
            self._blocked[path] = leaves + chance.random.randrange(5_000 * MS)
        if chance.strikes("link_broken", faults.link_broken):
            until = leaves + chance.random.randrange(1_000 * MS, 5_000 * MS)
            for way in (path, (place, source)):
                self._blocked[way] = self._broken[way] = max(until, self._blocked.get(way, 0))
        at = max(leaves, 0 if chance.over else self._blocked.get(path, 0)) + self.latency_ns
        if faults.delay_mean_ns and not chance.over:
            chance.fired["link_delay"] += 1
            at += faults.delay_least_ns + round(chance.random.expovariate(1 / faults.delay_mean_ns))
        key = (source, place, lane)
        self._last[key] = at = max(at, self._last.get(key, 0))
        self._heap.push(at, ARRIVAL, target, message)
