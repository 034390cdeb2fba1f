"""The live link: what nodes of different hosts say to each other, over ZeroMQ with CURVE keys.

*The every lane* is a session a pair of hosts (`core/session.py`). One of them initiates, from a DEALER that lives as long as one
connection; the other answers from its ROUTER. *The latest lane* is PUB and SUB (`actors/live/broadcast.py`).

Everything is called by one thread and nothing blocks. What a host sends leaves at once, so it is written down before; `number`
says beforehand which number it will have. What arrived is acknowledged when the host says that it is `taken`.

Who may speak: a key that the doorkeeper knows opens a connection, its name opens a session under that name, and a node that is
known to be elsewhere (`where`) cannot speak in it. A connection without a logon gets nothing but the advice to log on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import zmq

from actors.live.broadcast import BATCH_MAX, Arrival, Broadcast
from actors.live.keys import Doorkeeper, load, may_be
from actors.live.peer import Peer
from actors.live.sockets import reaching, serving
from core.codec import WireError, decode, encode
from core.envelope import Envelope, seal, unseal
from core.message import Lane, Logon, Logout, Message, Reject
from core.outgoing import Kept
from core.ports import Clock
from core.session import HEARTBEAT_NS, Event, Refused

LOOK_NS: Final = 100_000_000
"""How often the door and connections are looked at. A handshake waits so long for the doorkeeper, and no stranger wakes the loop;
a process that died is missed by who initiated within this, by the other after 1.25 s."""
RETRY_NS: Final = 100_000_000
"""Between two attempts to connect: a refused one costs some 0.2 ms."""
GOODBYE_MS: Final = 100
"""How long a link that is closed waits for its last words to leave."""
_NOW: Final = int(zmq.NOBLOCK)
_IN, _OUT = int(zmq.POLLIN), int(zmq.POLLOUT)


class Link:
    """One host's end of all its links."""

    def __init__(
        self,
        name: str,
        keys: Path,
        clock: Clock,
        poller: zmq.Poller | None = None,
        *,
        epoch: int = 0,
        where: Mapping[str, str] | None = None,
        older: Callable[[str, int, int], Iterable[Kept]] | None = None,
        address: str = "127.0.0.1",
        heartbeat_ns: int = HEARTBEAT_NS,
        key: str = "",
    ) -> None:
        """Open both lanes at an address, on ports that the system chooses. `poller` is told of every socket that may be read.

        `epoch` is this life of the process, for the sessions that it initiates; `where` the hosts of nodes; `older(peer, first,
        last)` what the journal has of what was sent; `key` whose key it is, where not of this name. Raises UserError when the key
        is not as it should be.
        """
        self.name, self.epoch, self.where, self.older = name, epoch, {} if where is None else where, older
        self.damaged = self.forged = 0
        self._clock, self._heartbeat_ns = clock, heartbeat_ns
        self._pair = load(keys, key or name)
        self._pollers = [zmq.Poller()] + ([poller] if poller is not None else [])
        self._context = zmq.Context()
        self._door = Doorkeeper(self._context, keys)
        self._router, self.endpoint = serving(self._context, zmq.ROUTER, self._pair, address)
        self._broadcast = Broadcast(self._context, self._pair, address, self.where)
        self._peers: dict[str, Peer] = {}
        self._by_route: dict[bytes, Peer] = {}
        self._by_dealer: dict[zmq.SyncSocket, Peer] = {}
        self._events: list[Event] = []
        self._waiting: tuple[bytes, Any] | None = None
        self._due = 0
        self._watch(self._router)

    @property
    def addresses(self) -> tuple[str, str, str]:
        """The endpoints of both lanes and the public key that is found there."""
        return self.endpoint, self._broadcast.endpoint, self._pair.public.decode()

    @property
    def missed(self) -> int:
        """Messages of the latest lane that were published for this host and did not come."""
        return self._broadcast.missed

    # --- who is there

    def connect(self, name: str, endpoint: str, server: str | bytes) -> None:
        """Initiate the session with a peer, there, under that public key; again and again until it stands, and when it fell."""
        peer = self._peer(name, initiates=True)
        address = endpoint, _key(server)
        if peer.address != address or peer.session.state == "refused":
            peer.address, peer.retry_at = address, 0
            peer.session.disconnected("it is somewhere new")
            self._cut(peer)
            self._dial(peer, self._clock.now())

    def subscribe(self, name: str, endpoint: str, server: str | bytes, targets: Iterable[str]) -> None:
        """Hear what a peer publishes for some targets, there, under that public key, instead of where it was before."""
        broadcast = self._broadcast
        for socket in [socket for socket, publisher in broadcast.subscribed.items() if publisher == name]:
            self._unwatch(socket)
            del broadcast.subscribed[socket]
        self._watch(broadcast.subscribe(name, endpoint, _key(server), targets))

    def restore(self, name: str, epoch: int, next_send: int, next_expected: int) -> None:
        """Begin a session where the journal ends. To be said before anything arrives."""
        self._peer(name).session.restore(epoch, next_send, next_expected)

    def state(self, name: str) -> str:
        """down, asked, up, leaving or refused."""
        return self._peers[name].session.state if name in self._peers else "down"

    def states(self) -> dict[str, dict[str, Any]]:
        """What an operator wants to know of every session."""
        return {name: peer.status() for name, peer in self._peers.items()}

    def events(self) -> list[Event]:
        """What happened to sessions since the last call. Those of one `receive` are older than the messages that it gave."""
        events, self._events = self._events, []
        return events

    # --- what is sent

    def refuses(self, name: str) -> str:
        """Why no new order may be sent to a peer now; "" when one may."""
        peer = self._peers.get(name)
        if peer is None or peer.session.state != "up":
            return f"no session with {name}"
        return "" if peer.session.room > 0 else f"{name} has not acknowledged {peer.outgoing.count} messages"

    def number(self, name: str) -> int:
        """The number that the next message to a peer will have."""
        return self._peer(name).outgoing.next_seq

    def post(self, name: str, source: str, target: str, message: Message, now: int = 0) -> int:
        """Send on the every lane, and return the number. It leaves now, or when the session stands.

        Raises WireError for what no frame can hold, SessionFull when memory is full and no journal stands behind it.
        """
        peer = self._peers.get(name) or self._peer(name)
        seq = peer.outgoing.number(source, target, encode(message))
        if peer.session.machine.state == "up":
            self._put(peer, now or self._clock.now())
        return seq

    def publish(self, source: str, target: str, message: Message, now: int = 0) -> None:
        """Send on the latest lane, to whoever subscribed to the target. Raises WireError for what no frame can hold."""
        self._broadcast.publish(source, target, message, now or self._clock.now())

    def send(self, lane: Lane, source: str, target: str, message: Message) -> None:
        """The port's face: send by the names of nodes, at the present time."""
        if lane == "latest":
            self.publish(source, target, message)
        else:
            self.post(self.where[target], source, target, message)

    def taken(self, name: str, seq: int) -> None:
        """A message of a peer's session is in the journal."""
        peer = self._peers.get(name)
        if peer is not None:
            peer.session.taken(seq)
            if peer.session.busy and peer.connected:
                self._put(peer, self._clock.now())

    # --- what arrives

    def receive(self, now: int, ready: Iterable[tuple[Any, int]] | None = None) -> list[Arrival]:
        """All that has arrived; `ready` is what a poll just found, if there was one.

        A logon waits for the next call when something is before it, so that this is taken first.
        """
        arrived: list[Arrival] = []
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self._knock(now, *waiting)
        for socket, _ in self._pollers[0].poll(0) if ready is None else ready:
            try:
                if socket is self._router:
                    self._read_router(now, arrived)
                elif socket in self._by_dealer:
                    self._read_dealer(now, socket, arrived)
                elif socket in self._broadcast.subscribed:
                    self._broadcast.read(socket, arrived)
            except zmq.Again:
                pass  # it was ready when the poll said so
        return arrived

    def _read_router(self, now: int, arrived: list[Arrival]) -> None:
        router = self._router
        for _ in range(BATCH_MAX):
            route = router.recv(_NOW)
            peer = self._by_route.get(route)
            part: Any = router.recv(_NOW, copy=peer is not None)
            if router.get(zmq.RCVMORE):
                self.damaged += 1
                while router.get(zmq.RCVMORE):
                    router.recv(_NOW)
            elif peer is not None:
                self._hear(now, peer, part, arrived)
            elif arrived:
                self._waiting = route, part
                return
            else:
                self._knock(now, route, part)
            if not router.get(zmq.EVENTS) & _IN:  # type: ignore[operator]
                return

    def _read_dealer(self, now: int, dealer: zmq.SyncSocket, arrived: list[Arrival]) -> None:
        peer = self._by_dealer[dealer]
        for _ in range(BATCH_MAX):
            self._hear(now, peer, dealer.recv(_NOW), arrived)
            if peer.dealer is not dealer or not dealer.get(zmq.EVENTS) & _IN:  # type: ignore[operator]
                return

    def _hear(self, now: int, peer: Peer, frame: bytes, arrived: list[Arrival]) -> None:
        """A frame of a peer's connection."""
        session = peer.session
        try:
            envelope = unseal(frame)
            if session.hear(now, envelope):
                if self.where.get(envelope.source, peer.name) == peer.name:
                    arrived.append(
                        Arrival("every", peer.name, envelope.seq, envelope.source, envelope.target, envelope.body, envelope.sent)
                    )
                else:
                    self.forged += 1
                    session.refuse(f"{peer.name} speaks for {envelope.source}", envelope.seq)
        except WireError:
            self.damaged += 1
        if session.busy or session.events:
            self._put(peer, now)

    def _knock(self, now: int, route: bytes, part: Any) -> None:
        """A frame of a connection that has no session: only a logon under the name of its key opens one."""
        try:
            envelope = unseal(part.buffer)
            word = None if envelope.target else decode(envelope.body)
            user = str(part.get("User-Id"))
        except WireError:
            self.damaged += 1
            return
        if type(word) is not Logon:
            self._answer(now, route, Logout(text="log on first"))
            return
        known = self._peers.get(word.sender)
        if not may_be(user, word.sender):
            problem = f"{word.sender} is not what the key of {user} may call itself"
        elif known is not None and known.session.initiates:
            problem = f"{self.name} initiates the session with {word.sender}"
        else:
            peer = self._peer(word.sender, passing=word.sender != user)
            problem = peer.session.objection(word, envelope)
        if problem:
            self._events.append(Refused(word.sender, problem))
            self._answer(now, route, Reject(text=problem))
            return
        if peer.route:
            peer.session.disconnected("a new connection takes the place of this one")
            self._cut(peer)
        peer.route = route
        self._by_route[route] = self._peers[peer.name] = peer
        self._hear(now, peer, part.bytes, [])

    # --- connections

    def tick(self, now: int) -> int:
        """Do what silence and lost connections ask for; returns when to come again at the latest (ns UTC)."""
        if self._waiting is not None:
            return now
        if now < self._due:
            return self._due
        due = now + LOOK_NS
        self._door.answer()
        for peer in list(self._peers.values()):
            session = peer.session
            if peer.connected:
                if peer.dealer is not None and not peer.dealer.get(zmq.EVENTS) & _OUT:  # type: ignore[operator]
                    session.disconnected(f"the connection to {peer.name} fell")
                due = min(due, session.tick(now))
                self._put(peer, now)
            elif peer.address and session.state == "down" and now >= peer.retry_at:
                self._dial(peer, now)
        self._due = due
        return due

    def close(self) -> None:
        """Say goodbye to everybody and let the ports go. A second time does nothing."""
        if self._context.closed:
            return
        for peer in list(self._peers.values()):
            peer.address = None
            peer.session.leave(f"{self.name} ends")
            if peer.connected:
                self._put(peer, self._clock.now())
        for socket in [self._router, *self._by_dealer, *self._broadcast.subscribed]:
            self._unwatch(socket)
        self._context.destroy(GOODBYE_MS)

    def _peer(self, name: str, *, initiates: bool = False, passing: bool = False) -> Peer:
        peer = self._peers.get(name)
        if peer is None:
            older = self.older
            behind = None if older is None else lambda first, last: older(name, first, last)
            peer = self._peers[name] = Peer(self.name, name, passing, behind, self._heartbeat_ns)
        if initiates and not peer.session.initiates:
            peer.session.initiate(self.epoch)
        return peer

    def _dial(self, peer: Peer, now: int) -> None:
        assert peer.address is not None
        peer.dealer = reaching(self._context, zmq.DEALER, self._pair, *peer.address)
        self._by_dealer[peer.dealer] = peer
        self._watch(peer.dealer)
        peer.session.connected(now)
        self._due = 0
        self._put(peer, now)

    def _put(self, peer: Peer, now: int) -> None:
        """Send what a session has to say, note what happened to it, and cut the connection of one that ended."""
        session, dealer = peer.session, peer.dealer
        try:
            for frame in session.flush(now):
                if dealer is not None:
                    dealer.send(frame, _NOW)
                else:
                    self._router.send(peer.route, _NOW | zmq.SNDMORE)
                    self._router.send(frame, _NOW)
        except zmq.ZMQError as error:
            session.disconnected(f"the connection to {peer.name} takes nothing more: {error}")
        if session.events:
            self._events += session.events
            session.events.clear()
        if session.machine.state in ("down", "refused"):
            self._cut(peer)
            peer.retry_at = now + RETRY_NS

    def _answer(self, now: int, route: bytes, word: Message) -> None:
        """A word to a connection that has no session."""
        try:
            self._router.send(route, _NOW | zmq.SNDMORE)
            self._router.send(seal(Envelope(1, 1, now, False, "", "", encode(word))), _NOW)
        except zmq.ZMQError:
            pass  # it is gone, or does not read: its affair

    def _cut(self, peer: Peer) -> None:
        if peer.dealer is not None:
            del self._by_dealer[peer.dealer]
            self._unwatch(peer.dealer)
        self._by_route.pop(peer.route, None)
        peer.dealer, peer.route = None, b""
        if peer.passing:
            self._peers.pop(peer.name, None)

    def _watch(self, socket: zmq.SyncSocket) -> None:
        for poller in self._pollers:
            poller.register(socket, _IN)

    def _unwatch(self, socket: zmq.SyncSocket) -> None:
        for poller in self._pollers:
            poller.unregister(socket)
        socket.close(GOODBYE_MS)


def _key(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key
