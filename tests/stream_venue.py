"""A small venue on loopback for the market's road: web socket streams and the few REST answers, told what to say by the test."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from actors.live.clock import Clock
from actors.live.loop import Loop
from core.message import Message
from core.normalizer import Normalizer
from tests.captures import MS, Venue


class StreamVenue:
    """Connections by path; `say` sends a frame to those that asked for its stream. `answers` by REST path, without the query."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.paths: list[str] = []
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.refuses = False
        self._streams = serve(self._serve, "127.0.0.1", 0, process_request=self._admit, max_size=None)
        venue = self

        class Rest(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                venue.asked.append(self.path)
                answer = venue.answers.get(self.path.partition("?")[0])
                status, headers, body = answer() if callable(answer) else (404, {}, b"{}")
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._rest = ThreadingHTTPServer(("127.0.0.1", 0), Rest)
        self._threads = [threading.Thread(target=one.serve_forever) for one in (self._streams, self._rest)]
        for thread in self._threads:
            thread.start()

    @property
    def stream_url(self) -> str:
        return f"ws://127.0.0.1:{self._streams.socket.getsockname()[1]}"

    @property
    def rest_url(self) -> str:
        return f"http://127.0.0.1:{self._rest.server_address[1]}"

    def _admit(self, connection: ServerConnection, request: Any) -> Any:
        return connection.respond(503, "not now") if self.refuses else None

    def _serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        self.paths.append(connection.request.path)  # type: ignore[union-attr]
        try:
            for _ in connection:
                pass
        except ConnectionClosed:
            pass
        self.connections.remove(connection)

    def say(self, frame: bytes) -> None:
        """Send a combined-stream frame to the connections that carry its stream."""
        name = json.loads(frame)["stream"]
        for one in list(self.connections):
            if name in one.request.path:  # type: ignore[union-attr]
                with suppress(ConnectionClosed):
                    one.send(frame.decode())

    def close(self) -> None:
        for one in list(self.connections):
            one.close()
        self._streams.shutdown()
        self._rest.shutdown()
        self._rest.server_close()
        for thread in self._threads:
            thread.join(5)


class StreamHost:
    """A host of normalizers alone: the real loop, turned by the test."""

    def __init__(self, nodes: list[Normalizer]) -> None:
        self.clock = Clock()
        self.loop = Loop(self.clock)
        self.nodes = {node.name: node for node in nodes}
        self.sent: list[Message] = []
        self.told: list[tuple[int, str, str]] = []
        self.source: Any = None
        for node in nodes:
            node.bind(self)

    def send(self, message: Message) -> None:
        self.sent.append(message)
        self.source.submit(self.clock.now(), message)

    def wake(self, at: int, key: str = "") -> None:
        pass

    def soon(self, call: Any) -> None:
        self.loop.soon(call)

    def at(self, when: int, call: Any) -> None:
        self.loop.at(when, call)

    def hand(self, node: str, message: Message) -> None:
        self.nodes[node].on(self.clock.now(), message)

    def news(self, urgency: int, headline: str, text: str = "") -> None:
        self.told.append((urgency, headline, text))

    def until(self, true: Any, seconds: float = 5.0) -> None:
        """Turn until it is so. AssertionError when that takes longer."""
        end = self.clock.now() + round(seconds * 1e9)
        while not true():
            assert self.clock.now() < end, f"not within {seconds} s; told {self.told}"
            self.turn(20)

    def turn(self, ms: int) -> None:
        self.loop.wait(self.clock.now() + ms * MS)
        self.loop.run_calls()
        while self.loop.frames:
            node, received, frame = self.loop.frames.popleft()
            self.nodes[node].on_frame(self.clock.now(), received, frame)


class Feed:
    """A generated market that is said step by step, and its snapshots."""

    def __init__(self, venue: StreamVenue, symbol: str, seed: int = 0) -> None:
        self.venue, self.symbol = venue, symbol
        self.market = Venue(symbol=symbol, seed=seed, skew_ns=0)
        self.market.run(8)
        self.market.cut()

    def step(self, steps: int = 4, lose: bool = False) -> None:
        """Change the market, and say so unless the frames are lost."""
        self.market.run(steps)
        for line in self.market.cut():
            frame = line.partition(b" ")[2].replace(b"depth@0ms", b"depth@100ms")
            if not lose and b"bookTicker" not in frame:
                self.venue.say(frame)

    def snapshot(self) -> tuple[int, dict[str, str], bytes]:
        return 200, {"X-MBX-USED-WEIGHT-1M": "20"}, json.dumps(self.market.reply()).encode()

    def best(self) -> tuple[int, int]:
        return max(self.market.bids), min(self.market.asks)
