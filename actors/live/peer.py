"""Another host as a link knows it: its session, and the connection that it has now, if any."""

from __future__ import annotations

from typing import Any

import zmq

from core.outgoing import Older, Outgoing
from core.session import Session


class Peer:
    """`dealer` is the socket when we initiate, `route` the ROUTER's name of the connection when they do."""

    __slots__ = ("address", "dealer", "name", "outgoing", "passing", "retry_at", "route", "session")

    def __init__(self, me: str, name: str, passing: bool, older: Older | None, heartbeat_ns: int) -> None:
        """`passing`: an operator's tool, which is forgotten when it leaves."""
        self.name, self.passing = name, passing
        self.outgoing = Outgoing(older)
        self.session = Session(me, name, self.outgoing, initiates=False, heartbeat_ns=heartbeat_ns)
        self.address: tuple[str, bytes] | None = None
        self.dealer: zmq.SyncSocket | None = None
        self.route = b""
        self.retry_at = 0

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self.dealer is not None or bool(self.route)

    def status(self) -> dict[str, Any]:
        """What an operator wants to know."""
        session = self.session
        return {
            "state": session.state,
            "epoch": session.epoch,
            "sent": self.outgoing.next_seq - 1,
            "unacknowledged": self.outgoing.count,
            "received": session.next_expected - 1,
            "gaps": session.gaps,
            "duplicates": session.duplicates,
        }
