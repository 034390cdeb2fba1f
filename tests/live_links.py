"""Links on this machine's loopback for tests: their keys, a host that takes what arrives, and time to let things happen."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.live.broadcast import Arrival
from actors.live.clock import Clock
from actors.live.keys import load, make
from actors.live.link import Link
from core.codec import decode
from core.message import Message

PATIENCE_S = 10.0


class Ear:
    """A link and a host that hears everything, and says at once that it is written down unless `deaf`."""

    def __init__(self, keys: Path, name: str, **more: Any) -> None:
        key = more.get("key", name)
        if not (keys / f"{key}.secret").exists():
            make(keys, key)
        self.keys, self.name = keys, name
        self.clock = Clock()
        self.link = Link(name, keys, self.clock, **more)
        self.arrived: list[Arrival] = []
        self.events: list[object] = []
        self.journalling = True
        self.heard: Callable[[Arrival], None] = lambda arrival: None

    def turn(self) -> None:
        """What a host does in a turn, without nodes."""
        link = self.link
        link.tick(self.clock.now())
        arrived = link.receive(self.clock.now())
        self.events += link.events()
        for arrival in arrived:
            self.arrived.append(arrival)
            self.heard(arrival)
            if arrival.lane == "every" and self.journalling:
                link.taken(arrival.peer, arrival.seq)

    def messages(self, lane: str = "every") -> list[Message]:
        """What came on a lane."""
        return [decode(one.frame) for one in self.arrived if one.lane == lane]

    def told(self, kind: type) -> list[object]:
        """The events of one type so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def reach(self, other: Ear) -> None:
        """Initiate the session with another."""
        self.link.connect(other.name, other.link.endpoint, load(other.keys, other.name).public)

    def hear(self, other: Ear, *targets: str) -> None:
        """Subscribe to what another publishes."""
        self.link.subscribe(other.name, other.link.addresses[1], load(other.keys, other.name).public, targets)


def until(happened: Callable[[], bool], *ears: Ear) -> None:
    """Turn until something happened; an assertion fails when it does not."""
    end = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < end, [(ear.name, ear.link.states(), ear.events) for ear in ears]
        for ear in ears:
            ear.turn()
        time.sleep(0.0005)


def idle(seconds: float, *ears: Ear) -> None:
    """Turn for a time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for ear in ears:
            ear.turn()
        time.sleep(0.001)
