"""One web socket connection of the market, from its opening to its end, with a thread that only reads.

websocket-client opens it and sends what is to be sent (pongs). Frames are cut from the bytes here: the library asks the system
three times for each frame, where one read brings as many as have come.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Thread
from typing import Any, Final

import websocket

CONNECT_S: Final = 10.0
IDLE_S: Final = 60.0
"""A connection that brings nothing for so long is given up. The venue pings every three minutes, but a market speaks oftener."""
READ_BYTES: Final = 1 << 18
FRAME_BYTES_MAX: Final = 1 << 24
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class ProtocolError(ValueError):
    """The other end does not speak RFC 6455 as it should."""


class Cutter:
    """Frames from a server's bytes: RFC 6455 without extensions, whatever the pieces in which they come."""

    def __init__(self) -> None:
        self._rest = b""
        self._parts: list[bytes] = []
        self._opcode = 0

    def cut(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The whole messages that these bytes complete, as (opcode, payload). Raises ProtocolError."""
        data = self._rest + data if self._rest else data
        at, size = 0, len(data)
        while at + 2 <= size:
            head, length = data[at], data[at + 1]
            start = at + 2
            if length >= 126:
                start += 2 if length == 126 else 8
                length = int.from_bytes(data[at + 2 : start], "big") if start <= size else 0
            if head & 0x70 or data[at + 1] & 0x80 or length > FRAME_BYTES_MAX:
                raise ProtocolError("a frame with extension bits, a mask, or of more than 16 MB")
            if start + length > size:
                break
            payload = data[start : start + length]
            at = start + length
            opcode = head & 0x0F
            if head & 0x80 and opcode and (opcode >= CLOSE or not self._parts):
                yield opcode, payload
            else:
                yield from self._piece(head, opcode, payload)
        self._rest = data[at:]

    def _piece(self, head: int, opcode: int, payload: bytes) -> Iterator[tuple[int, bytes]]:
        if bool(opcode) == bool(self._parts) or opcode >= CLOSE:
            raise ProtocolError("pieces of a message out of order")
        self._opcode = opcode or self._opcode
        self._parts.append(payload)
        if sum(map(len, self._parts)) > FRAME_BYTES_MAX:
            raise ProtocolError("a message of more than 16 MB")
        if head & 0x80:
            whole, self._parts = b"".join(self._parts), []
            yield self._opcode, whole


class Connection:
    """`take` gets each text frame, on the reading thread; there `opened` and `ended` are called too, the latter with a reason."""

    def __init__(self, url: str, take: Callable[[bytes], None], opened: Callable[[], None], ended: Callable[[str], None]) -> None:
        self.url = url
        self._take, self._opened, self._ended = take, opened, ended
        self._closing = ""
        self._socket: Any = None
        self._thread = Thread(target=self._live, name=f"stream {url.partition('?')[0]}", daemon=True)

    def start(self) -> None:
        """Open it."""
        self._thread.start()

    def close(self, why: str = "closed by us") -> None:
        """End it from any thread; does not wait."""
        self._closing = self._closing or why
        opened = self._socket
        if opened is not None:
            with suppress(OSError, websocket.WebSocketException):  # it may be gone already
                opened.abort()

    def join(self, seconds: float) -> None:
        """Wait for the thread's end."""
        self._thread.join(seconds)

    def _live(self) -> None:
        why = ""
        try:
            options = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
            self._socket = websocket.create_connection(
                self.url, timeout=CONNECT_S, sockopt=options, enable_multithread=True, skip_utf8_validation=True
            )
            if not self._closing:
                self._socket.settimeout(IDLE_S)
                self._opened()
                why = self._read(self._socket.sock)
        except (TimeoutError, websocket.WebSocketTimeoutException):
            why = "nothing came in time"
        except (OSError, ValueError, websocket.WebSocketException) as error:
            why = str(error) or type(error).__name__
        finally:
            if self._socket is not None:
                self._socket.shutdown()
            self._ended(self._closing or why)

    def _read(self, stream: socket.socket) -> str:
        cutter, take = Cutter(), self._take
        while not self._closing:
            data = stream.recv(READ_BYTES)
            if not data:
                return "closed by the venue without a word"
            for opcode, payload in cutter.cut(data):
                if opcode == TEXT:
                    take(payload)
                elif opcode == PING:
                    self._socket.pong(payload)
                elif opcode == CLOSE:
                    return f"closed by the venue: {int.from_bytes(payload[:2], 'big')} {payload[2:].decode(errors='replace')}"
        return self._closing
