"""An operator's line to the hosts of a session: commands out, words back, over the links that the hosts use themselves.

It needs the session's folder, which has the operator's key and says where each host is, and no Ray: who wants to stop trading
does not want to hear that the cluster is down first.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from actors.errors import Exit, UserError
from actors.live.clock import Clock
from actors.live.folder import Folder
from actors.live.link import Link
from actors.live.loop import MS, Loop
from actors.live.names import Address
from core.codec import decode
from core.message import Command, News

OPERATOR: Final = "operator"
"""Whose key it is."""
STEP_NS: Final = 20 * MS


class Operator:
    """Speaks to hosts by their names."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._clock = Clock()
        self._loop = Loop(self._clock)
        self._name = f"{OPERATOR}:{os.getpid()}"
        self._link = self._fresh()
        self._there: dict[str, Address] = {}
        self._heard: list[tuple[str, News]] = []

    def _fresh(self) -> Link:
        """A link in a new epoch, which every host takes as the first word of somebody new."""
        epoch = self._clock.now() // (10 * MS)
        return Link(self._name, self._folder.keys, self._clock, self._loop.poller, epoch=epoch, key=OPERATOR)

    def reach(self, host: str, seconds: float) -> bool:
        """Whether the host is in session with us, tried for at most so long."""
        address = self._folder.where(host)
        if address is None:
            return False
        if host in self._there and (self._there[host] != address or self._link.state(host) != "up"):
            self._link.close()  # a host forgets an operator who fell silent, and another life of it knows none
            self._link, self._there = self._fresh(), {}
        self._there[host] = address
        self._link.connect(host, address.endpoint, address.public_key)
        return self._until(lambda: self._link.state(host) == "up", seconds)

    def say(self, host: str, node: str, command: Command) -> None:
        """A command for a node of a host, or with the host's own name for the host."""
        self._link.post(host, self._name, node, command)

    def ask(self, host: str, verb: str, seconds: float) -> dict[str, Any]:
        """What a host answers to a verb. Raises UserError when it does not in so long."""
        self._heard.clear()
        self.say(host, host, Command(verb=verb))
        if not self._until(lambda: any(one.headline == verb for _, one in self._heard), seconds):
            raise UserError(f"{host} does not answer within {seconds:g} s", Exit.TIMED_OUT)
        text = next(one.text for _, one in self._heard if one.headline == verb)
        return msgspec.json.decode(text, type=dict[str, Any])

    def delivered(self, host: str, seconds: float) -> bool:
        """Whether the host has written down all that was said to it, waited for at most so long."""
        return self._until(lambda: self._link.states()[host]["unacknowledged"] == 0, seconds)

    def listen(self, seconds: float) -> None:
        """Keep the sessions up for so long."""
        self._until(lambda: False, seconds)

    def close(self) -> None:
        """Say goodbye."""
        self._link.close()
        self._loop.close()

    def _until(self, true: Any, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() >= end:
                return False
            now = self._clock.now()
            ready = self._loop.wait(min(self._link.tick(now), now + STEP_NS))
            now = self._loop.run_calls()
            for arrival in self._link.receive(now, ready):
                message = decode(arrival.frame)
                if isinstance(message, News):
                    self._heard.append((arrival.peer, message))
                self._link.taken(arrival.peer, arrival.seq)
            self._link.events()
        return True


@contextmanager
def operator(folder: Folder) -> Iterator[Operator]:
    """The line, closed afterwards."""
    line = Operator(folder)
    try:
        yield line
    finally:
        line.close()
