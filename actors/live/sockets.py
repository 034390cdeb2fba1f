"""Where every ZeroMQ socket of the live world is made, because what bounds and guards one must be set on each before it is used.

None keeps a process from ending, none takes a message that is longer than a frame may be, and none speaks without CURVE.
"""

from __future__ import annotations

from typing import Final

import zmq

from actors.live.keys import DOMAIN, KeyPair
from core.codec import FRAME_BYTES_MAX
from core.outgoing import WINDOW

MESSAGE_BYTES_MAX: Final = FRAME_BYTES_MAX + 256
"""A frame, the topic before it, and CURVE's envelope of 33 bytes: who sends more loses the connection."""
QUEUED_MAX: Final = 2 * WINDOW
"""Messages that wait in a socket, each way. A session has at most a window of them on the way, and perhaps as many again; the
latest lane drops what comes on top for a subscriber that does not read."""
HEARTBEAT_MS: Final = 500
SILENT_MS: Final = 2_500
"""The transport's own heartbeats end connections whose other end is gone without a word; sessions have seen it before that."""
HANDSHAKE_MS: Final = 2_000
"""A connection that does not get through its handshake in this time is closed: half-open ones hold nothing for long."""
RECONNECT_MS: Final = (100, 1_000)
BACKLOG: Final = 512


def serving(context: zmq.SyncContext, kind: int, pair: KeyPair, address: str) -> tuple[zmq.SyncSocket, str]:
    """A socket that is bound at an address with a port that the system chooses, and its endpoint."""
    socket = _socket(context, kind)
    socket.curve_server = True
    socket.curve_publickey, socket.curve_secretkey = pair.public, pair.secret
    socket.zap_domain = DOMAIN.encode()
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
    socket.backlog = BACKLOG
    if kind == zmq.ROUTER:
        socket.router_mandatory = True
    socket.bind(f"tcp://{address}:*")
    return socket, bytes(socket.last_endpoint).decode()  # type: ignore[arg-type]


def reaching(context: zmq.SyncContext, kind: int, pair: KeyPair, endpoint: str, server: bytes) -> zmq.SyncSocket:
    """A socket that connects to an endpoint, if the one there has this public key.

    One for a session connects once: when that connection is lost, so is the socket, and nothing of it is mistaken for the next.
    """
    socket = _socket(context, kind)
    socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = pair.public, pair.secret, server
    if kind == zmq.DEALER:
        socket.reconnect_ivl = -1
    else:
        socket.reconnect_ivl, socket.reconnect_ivl_max = RECONNECT_MS
    socket.connect(endpoint)
    return socket


def _socket(context: zmq.SyncContext, kind: int) -> zmq.SyncSocket:
    socket: zmq.SyncSocket = context.socket(kind)
    socket.linger = 0
    socket.maxmsgsize = MESSAGE_BYTES_MAX
    socket.sndhwm = socket.rcvhwm = QUEUED_MAX
    socket.heartbeat_ivl, socket.heartbeat_timeout = HEARTBEAT_MS, SILENT_MS
    socket.heartbeat_ttl = SILENT_MS
    socket.handshake_ivl = HANDSHAKE_MS
    return socket
