"""The venue on loopback: Starlette and uvicorn around an `Exchange`, which runs on the event loop in real time.

One task lets the exchange advance whenever something is due and tells the connections that have something to send. An answer that
is lost keeps its caller waiting; nobody else is reachable than this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from actors.emulator.exchange import Connection, Exchange
from actors.errors import Exit, UserError

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
LOST_SECONDS: Final = 60.0
"""How long the caller of a lost answer is kept; every client has given up before."""
STEP_SECONDS: Final = (0.0005, 0.02)
"""Least and greatest pause between two steps of the market."""
PING_SECONDS: Final = (180.0, 600.0)
"""Between the venue's pings, and until a missing pong ends the connection."""
BODY_MAX: Final = 1 << 20


class Clock:
    """Wall time that never goes back, ns UTC."""

    def __init__(self) -> None:
        self._wall, self._begun = time.time_ns(), time.monotonic_ns()

    def now(self) -> int:
        """Now."""
        return self._wall + time.monotonic_ns() - self._begun


class Server:
    """An exchange that is reachable on this machine."""

    def __init__(self, exchange: Exchange, clock: Clock) -> None:
        self.exchange, self.clock = exchange, clock
        self.failure: BaseException | None = None
        """What stopped the market, if anything did: our bug."""
        self.stop: Callable[[], None] = lambda: None
        self._connections: dict[Connection, asyncio.Event] = {}
        routes = [
            Route("/{path:path}", self._http, methods=["GET", "POST", "PUT", "DELETE"]),
            WebSocketRoute("/{path:path}", self._web_socket),
        ]
        self.app = Starlette(routes=routes, lifespan=self._living)

    @contextlib.asynccontextmanager
    async def _living(self, app: Starlette) -> AsyncIterator[None]:
        driver = asyncio.create_task(self._drive())
        driver.add_done_callback(self._ended)
        yield
        driver.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await driver

    async def _drive(self) -> None:
        while True:
            self.exchange.advance(self.clock.now())
            self._wake()
            pause = (self.exchange.due() - self.clock.now()) / 1e9
            await asyncio.sleep(min(max(pause, STEP_SECONDS[0]), STEP_SECONDS[1]))

    def _ended(self, driver: asyncio.Task[None]) -> None:
        if not driver.cancelled():
            self.failure = driver.exception()
            self.stop()

    def _wake(self) -> None:
        for connection, event in self._connections.items():
            if connection.waiting:
                event.set()

    async def _http(self, request: Request) -> Response:
        if int(request.headers.get("content-length") or 0) > BODY_MAX:
            return Response(status_code=413)
        body = (await request.body()).decode(errors="replace")
        query = request.scope["query_string"].decode(errors="replace")
        address = request.client.host if request.client else "127.0.0.1"
        path = request.scope["path"]
        answer = self.exchange.call(self.clock.now(), request.method, path, query, body, request.headers, address)
        self._wake()
        if answer.lost:
            await asyncio.sleep(LOST_SECONDS)
            return Response(status_code=504)
        if answer.delay_ns:
            await asyncio.sleep(answer.delay_ns / 1e9)
        return Response(answer.body, answer.status, dict(answer.headers))

    async def _web_socket(self, socket: WebSocket) -> None:
        path, query = socket.scope["path"], socket.scope["query_string"].decode(errors="replace")
        address = socket.client.host if socket.client else "127.0.0.1"
        connection = self.exchange.connect(self.clock.now(), f"{path}?{query}" if query else path, address)
        if connection.closed:  # no such path, too many streams or requests: refused before it was open
            await socket.close()
            return
        await socket.accept()
        event = self._connections[connection] = asyncio.Event()
        sender = asyncio.create_task(self._send(socket, connection, event))
        try:
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    break
                text = message.get("text")
                connection.say(self.clock.now(), text if text is not None else message["bytes"].decode(errors="replace"))
                self._wake()
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            del self._connections[connection]
            connection.leave()
            sender.cancel()

    async def _send(self, socket: WebSocket, connection: Connection, event: asyncio.Event) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                for frame in connection.take():
                    await socket.send_text(frame.decode())
                if connection.closed:
                    await socket.close(1008 if "more than" in connection.closed else 1001, connection.closed)
                    return
                await event.wait()
                event.clear()


def listen(port: int, host: str = "127.0.0.1") -> socket.socket:
    """A listening socket on loopback; port 0 takes a free one. Raises UserError for another host or a port that is taken."""
    if host not in LOOPBACK:
        raise UserError(f"{host}: the emulator listens on loopback only", Exit.CONFIGURATION)
    # The protocol is named because asyncio turns off Nagle's delay only then: it would cost each answer 40 ms.
    family = socket.AF_INET6 if host == "::1" else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise UserError(f"port {port}: {getattr(error, 'strerror', '') or error}") from error
    return listening


async def serve(exchange: Exchange, clock: Clock, listening: socket.socket) -> None:
    """Serve until a signal comes. Raises what the market died of, if it did."""
    site = Server(exchange, clock)
    config = uvicorn.Config(
        site.app,
        log_level="warning",
        access_log=False,
        ws="websockets-sansio",
        ws_ping_interval=PING_SECONDS[0],
        ws_ping_timeout=PING_SECONDS[1],
        ws_max_size=BODY_MAX,
        ws_per_message_deflate=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    web = uvicorn.Server(config)
    site.stop = lambda: setattr(web, "should_exit", True)
    await web.serve(sockets=[listening])
    if site.failure is not None:
        raise site.failure
