"""Connections that transmit requests over HTTP, each once, kept alive; a thread of each waits for the answers.

Orders leave as bytes on a connection of our own: `requests` takes half a millisecond to write one, this 30 µs. Where a connection
is free the loop's own thread puts the bytes into it, and the connection's thread is woken behind that: a wake-up takes as long as
all the rest. Where none is free, or it does not stand, the first that is free takes the request and opens what has to be opened.
A connection that the venue has closed meanwhile is noticed before it is used. What breaks after the first byte has left has no
answer: nothing is transmitted again here, whatever happens. What waited for a connection until its time was over is not
transmitted at all.

Questions leave through `requests`, without its retries and without following redirects; a slow one delays other questions and no
order. No error that is raised here is put into words but by its type: addresses of requests carry signatures.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from queue import SimpleQueue
from typing import Final
from urllib.parse import urlsplit

import requests

from core.dialect.binance.answers import Answer
from core.dialect.binance.effects import Ask

BODY_MAX: Final = 32 << 20
SECOND: Final = 1_000_000_000


class Job:
    """A request on its way: until when it may be transmitted, and when it was (ns UTC; 0: not yet)."""

    __slots__ = ("ask", "sent", "until")

    def __init__(self, ask: Ask, until: int) -> None:
        self.ask, self.until, self.sent = ask, until, 0


class Worker:
    """One connection, as raw bytes, and what its thread is to do."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._host, self._secure = parts.hostname or "", parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 80)
        named = self._host if parts.port is None else f"{self._host}:{parts.port}"
        self._tail = f" HTTP/1.1\r\nHost: {named}\r\nX-MBX-APIKEY: {key}\r\nContent-Length: 0\r\n\r\n".encode()
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._socket: socket.socket | None = None
        self._tls = ssl.create_default_context() if self._secure else None
        self._rest = b""

    def ready(self) -> None:
        """Have a connection that stands, if one can be had."""
        if self._socket is not None and _gone(self._socket):
            self.close()
        if self._socket is None:
            try:
                self._connect(2.0)
            except OSError:
                self.close()

    def send(self, ask: Ask) -> bool:
        """Put the bytes into a connection that stands, without waiting; False when not one of them left.

        Where the connection is encrypted nobody can tell how many did: then it counts as sent, and the answer will be none.
        """
        if self._socket is None or _gone(self._socket):
            return False
        data = f"{ask.method} {ask.target}".encode() + self._tail
        try:
            self._rest = data[self._socket.send(data) :]
        except OSError:
            if self._secure:
                self.close()
            return self._secure
        return True

    def receive(self, ask: Ask) -> Answer | None:
        """The answer to what was sent; None when none came that could be read."""
        try:
            if self._socket is None:
                return None
            self._socket.settimeout(ask.timeout_ns / SECOND)
            if self._rest:
                self._socket.sendall(self._rest)
            return self._answer(ask)
        except (OSError, http.client.HTTPException, ValueError):
            self.close()
            return None

    def transmit(self, ask: Ask) -> Answer | None:
        """Send it, once, and wait for the answer; None when none came that could be read."""
        try:
            if self._socket is None or _gone(self._socket):
                self.close()
                self._connect(ask.timeout_ns / SECOND)
            assert self._socket is not None
            self._socket.settimeout(ask.timeout_ns / SECOND)
            self._socket.sendall(f"{ask.method} {ask.target}".encode() + self._tail)
            return self._answer(ask)
        except (OSError, http.client.HTTPException, ValueError):
            self.close()
            return None

    def close(self) -> None:
        """Let the connection go."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self, timeout_s: float) -> None:
        plain = socket.create_connection((self._host, self._port), timeout_s)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = self._tls.wrap_socket(plain, server_hostname=self._host) if self._tls is not None else plain

    def _answer(self, ask: Ask) -> Answer:
        assert self._socket is not None
        response = http.client.HTTPResponse(self._socket, method=ask.method)
        try:
            response.begin()
            body = response.read(BODY_MAX)
            if not response.isclosed():
                raise ValueError("an answer without an end")
            if response.will_close:
                self.close()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
        finally:
            response.close()


class Questioner(Worker):
    """One thread's connection, through `requests`."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__(url, key)
        self._url = url
        self._session = requests.Session()
        self._session.headers["X-MBX-APIKEY"] = key

    def ready(self) -> None:
        """The library opens connections by itself."""

    def send(self, ask: Ask) -> bool:
        """The library sends where it waits."""
        return False

    def transmit(self, ask: Ask) -> Answer | None:
        """Send it, once."""
        timeout = ask.timeout_ns / SECOND
        try:
            with self._session.request(
                ask.method, self._url + ask.target, timeout=(timeout, timeout), allow_redirects=False, stream=True
            ) as found:
                body = b""
                for piece in found.iter_content(1 << 16):
                    body += piece
                    if len(body) > BODY_MAX:
                        return None
                return Answer(found.status_code, {name.lower(): value for name, value in found.headers.items()}, body)
        except (requests.RequestException, OSError, ValueError):
            return None

    def close(self) -> None:
        """Let the connections go."""
        self._session.close()


def _gone(connection: socket.socket) -> bool:
    """Whether the other end closed a connection on which nothing is awaited: its end is all that can be read then.

    What the encryption says to itself (session tickets) is read on the way and is none.
    """
    try:
        connection.settimeout(0)
        connection.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    return True
