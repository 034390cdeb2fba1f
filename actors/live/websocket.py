"""A web socket's thread: it connects, reads, and tells the loop; it decides nothing.

Pings are answered by the library. A connection on which nothing came for a while is pinged, and one on which nothing came for
much longer, not even an answer to that, is given up: a dead peer does not close anything. Whoever says something does not wait
for it to leave; if it cannot, the connection ends.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Final, Protocol

import websocket

QUIET_S: Final = 30.0
"""Without a frame for so long, the other end is pinged."""
DEAD_QUIETS: Final = 3
OPENING_S: Final = 8.0


class Listener(Protocol):
    """Who hears of it, each on this thread."""

    def on_open(self) -> None: ...
    def on_frame(self, frame: bytes) -> None: ...
    def on_close(self, why: str) -> None: ...


class WebSocket:
    """One connection, from its opening to its end."""

    def __init__(self, url: str, name: str, listener: Listener) -> None:
        self._url, self._listener = url, listener
        self._socket: websocket.WebSocket | None = None
        self._closing = False
        self._texts: SimpleQueue[str | None] = SimpleQueue()
        self._writer = Thread(target=self._write, name=f"{name} out", daemon=True)
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Connect, elsewhere."""
        self._thread.start()

    def say(self, text: str) -> None:
        """Have a text sent, from any thread."""
        self._texts.put(text)

    def close(self) -> None:
        """End it; nobody is told."""
        self._closing = True
        self._hang_up()

    def join(self, timeout_s: float) -> None:
        """Wait for its thread to end."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._socket = websocket.create_connection(
                self._url, timeout=OPENING_S, sockopt=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),), skip_utf8_validation=True
            )
        except (websocket.WebSocketException, OSError, ValueError) as error:
            self._end(f"could not be opened: {type(error).__name__}")
            return
        if self._closing:
            self._socket.close(timeout=0)
            return
        self._writer.start()
        self._listener.on_open()
        self._end(self._read(self._socket))

    def _write(self) -> None:
        """Texts, until there are no more or one cannot leave: then the reader finds the connection closed."""
        assert self._socket is not None
        try:
            while (text := self._texts.get()) is not None:
                self._socket.send(text)
        except (websocket.WebSocketException, OSError):
            self._hang_up()

    def _hang_up(self) -> None:
        """Whoever reads finds the end."""
        connection = self._socket.sock if self._socket is not None else None
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _read(self, connection: websocket.WebSocket) -> str:
        """Frames until there are no more; why there are no more."""
        connection.settimeout(QUIET_S)
        quiet = 0
        while True:
            try:
                code, data = connection.recv_data(control_frame=True)
            except websocket.WebSocketTimeoutException:
                quiet += 1
                if quiet >= DEAD_QUIETS:
                    return "nothing came, not even an answer to a ping"
                try:
                    connection.ping()
                except (websocket.WebSocketException, OSError) as error:
                    return type(error).__name__
                continue
            except (websocket.WebSocketException, OSError, ValueError) as error:
                return type(error).__name__
            quiet = 0
            if code == websocket.ABNF.OPCODE_CLOSE:
                return f"closed by the venue: {data[2:100].decode('ascii', 'replace')}"
            if code in (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY):
                self._listener.on_frame(data)

    def _end(self, why: str) -> None:
        self._texts.put(None)
        if self._socket is not None:
            with suppress(websocket.WebSocketException, OSError):
                self._socket.close(timeout=0)
        if not self._closing:
            self._listener.on_close(why)
