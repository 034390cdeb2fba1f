"""A venue for measuring, in a process of its own: depth frames go out at a rate, and the moment at which each order's bytes come
in is noted.

It speaks as much of Binance USD-M futures as a session needs to begin and to trade orders that expire at once. Each frame carries
a best bid that no other of the last thousand has; an order at that price says which frame it answers.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

from websockets.asyncio.server import ServerConnection, broadcast, serve

TICK: Final = "0.10"
BASE: Final = 600_000
"""Price in ticks."""
CYCLE: Final = 1_000
LEVELS: Final = 10
WARM_S: Final = 3.0


class Book:
    """One instrument: its last update id, and when the frames of the last cycle left."""

    def __init__(self, symbol: str, last: int) -> None:
        self.symbol, self.last = symbol, last
        self.sent: dict[int, int] = {}

    def frame(self) -> str:
        """The next depth frame: the best bid moves by a tick and wraps around, nine levels behind it change."""
        first, self.last = self.last + 1, self.last + 1
        best = BASE + self.last % CYCLE
        ms = time.time_ns() // 1_000_000
        gone = BASE + (self.last - 1) % CYCLE
        bids = [f'["{gone / 10:.1f}","0"]', f'["{best / 10:.1f}","1.5"]']
        bids += [f'["{(BASE - 10 - k) / 10:.1f}","{1 + (self.last + k) % 9}.25"]' for k in range(LEVELS - 2)]
        asks = [f'["{(BASE + 2_000 + k) / 10:.1f}","{1 + (self.last * 7 + k) % 9}.125"]' for k in range(LEVELS)]
        return (
            f'{{"stream":"{self.symbol.lower()}@depth@100ms","data":{{"e":"depthUpdate","E":{ms},"T":{ms},"s":"{self.symbol}",'
            f'"U":{first},"u":{self.last},"pu":{first - 1},"b":[{",".join(bids)}],"a":[{",".join(asks)}]}}}}'
        )

    def snapshot(self) -> dict[str, Any]:
        """The book as REST gives it."""
        bids = [[f"{(BASE - 20 - k) / 10:.1f}", "2.5"] for k in range(500)]
        asks = [[f"{(BASE + 2_000 + k) / 10:.1f}", "2.5"] for k in range(500)]
        return {"lastUpdateId": self.last, "E": 1, "T": 1, "bids": bids, "asks": asks}


class Venue:
    """All of it, on one event loop."""

    def __init__(self, count: int, rate: int, every: int) -> None:
        names = [f"S{number:03d}USDT" for number in range(count)]
        # Their orders come in turn and not all at once: update ids are out of step.
        self.books = {name: Book(name, 1_000 + number % every) for number, name in enumerate(names)}
        self.rate, self.every = rate, every
        self.roads: dict[str, set[ServerConnection]] = {"public": set(), "market": set(), "private": set()}
        self.took: list[int] = []
        self.fixed: list[int] = []
        """When the frames left that a fixed request answers, in order."""
        self.orders = 0
        self.pushing = False

    # --- streams

    async def stream(self, connection: ServerConnection) -> None:
        """A web socket, until its client leaves."""
        road = connection.request.path.split("/")[1]  # type: ignore[union-attr]
        self.roads[road].add(connection)
        await connection.wait_closed()
        self.roads[road].discard(connection)

    async def push(self) -> None:
        """Frames in turn over the instruments, as evenly as the machine lets them."""
        books = list(self.books.values())
        number, due = 0, time.monotonic_ns()
        period = 1_000_000_000 // self.rate
        while self.pushing:
            now = time.monotonic_ns()
            if due > now + 200_000:
                await asyncio.sleep((due - now) / 1e9 - 0.0001)
                continue
            if due > now:
                await asyncio.sleep(0)
                continue
            book = books[number % len(books)]
            number, due = number + 1, due + period
            frame = book.frame()
            if book.last % self.every == 0:
                at = book.sent[BASE + book.last % CYCLE] = time.monotonic_ns()
                self.fixed.append(at)
            broadcast(self.roads["public"], frame, raise_exceptions=False)

    async def marks(self) -> None:
        """A mark price a second, as the venue does."""
        while True:
            ms = time.time_ns() // 1_000_000
            for symbol in self.books:
                mark = {
                    "e": "markPriceUpdate",
                    "E": ms,
                    "s": symbol,
                    "p": "60050.0",
                    "i": "60050.0",
                    "P": "0",
                    "r": "0.0001",
                    "T": ms,
                }
                broadcast(
                    self.roads["market"],
                    json.dumps({"stream": f"{symbol.lower()}@markPrice@1s", "data": mark}, separators=(",", ":")),
                )
            await asyncio.sleep(1.0)

    # --- requests

    def answer(self, method: str, path: str, query: str, at: int) -> Any:
        """The answer's body. `at`: when the request's bytes were here."""
        given = dict(parse_qsl(query))
        if (method, path) == ("POST", "/fapi/v1/order"):
            return self.order(given, at)
        found = getattr(self, "on_" + path.rpartition("/")[2], None)
        return found(given) if found else []

    def order(self, given: dict[str, str], at: int) -> Any:
        """An order came: how long ago its frame left."""
        self.orders += 1
        if given["newClientOrderId"] == "fixed":
            if self.fixed:
                self.took.append(at - self.fixed.pop(0))
        else:
            left = self.books[given["symbol"]].sent.pop(round(float(given["price"]) * 10), 0)
            if left:
                self.took.append(at - left)
            for kind in ("NEW", "EXPIRED"):
                self.report(given, kind)
        return {
            "orderId": self.orders,
            "symbol": given["symbol"],
            "status": "NEW",
            "side": "BUY",
            "clientOrderId": given["newClientOrderId"],
        }

    def report(self, given: dict[str, str], kind: str) -> None:
        """The private stream says what became of an order."""
        ms = time.time_ns() // 1_000_000
        order = {
            "s": given["symbol"], "c": given["newClientOrderId"], "S": "BUY", "o": "LIMIT", "f": "IOC", "i": self.orders,
            "q": given["quantity"], "p": given["price"], "x": kind, "X": kind, "l": "0", "z": "0", "L": "0", "T": ms, "t": 0,
        }  # fmt: skip
        event = {"e": "ORDER_TRADE_UPDATE", "E": ms, "T": ms, "o": order}
        broadcast(self.roads["private"], json.dumps(event), raise_exceptions=False)

    def on_time(self, given: dict[str, str]) -> Any:
        return {"serverTime": time.time_ns() // 1_000_000}

    def on_exchangeInfo(self, given: dict[str, str]) -> Any:
        filters = [
            {"filterType": "PRICE_FILTER", "minPrice": "0.10", "maxPrice": "1000000", "tickSize": TICK},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        ]
        symbols = [
            {"symbol": symbol, "status": "TRADING", "baseAsset": symbol[:-4], "quoteAsset": "USDT", "filters": filters}
            for symbol in self.books
        ]
        limits = [
            {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": 1_000_000}
            for kind, interval, number in (("REQUEST_WEIGHT", "MINUTE", 1), ("ORDERS", "MINUTE", 1), ("ORDERS", "SECOND", 10))
        ]
        return {"symbols": symbols, "rateLimits": limits}

    def on_depth(self, given: dict[str, str]) -> Any:
        return self.books[given["symbol"]].snapshot()

    def on_accountConfig(self, given: dict[str, str]) -> Any:
        return {"canTrade": True, "dualSidePosition": False}

    def on_account(self, given: dict[str, str]) -> Any:
        return {"assets": [{"asset": "USDT", "walletBalance": "100000", "availableBalance": "100000"}], "positions": []}

    def on_listenKey(self, given: dict[str, str]) -> Any:
        return {"listenKey": "a" * 64}

    def on_begin(self, given: dict[str, str]) -> Any:
        """From the bench: push frames, and forget what was measured once they have run for a while."""
        self.pushing = True
        asyncio.get_running_loop().create_task(self.push())
        asyncio.get_running_loop().call_later(WARM_S, self.forget)
        return {}

    def forget(self) -> None:
        """What was measured so far is warming up."""
        self.took.clear()

    def on_end(self, given: dict[str, str]) -> Any:
        """To the bench: what was measured, in ns."""
        self.pushing = False
        took, self.took = self.took, []
        self.fixed.clear()
        return took


class Http(asyncio.Protocol):
    """One connection: requests in order, each answered at once."""

    def __init__(self, venue: Venue) -> None:
        self.venue, self.data = venue, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        at = time.monotonic_ns()
        self.data += data
        for method, target in self.requests():
            path, _, query = target.partition("?")
            body = json.dumps(self.venue.answer(method, path, query, at)).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            self.transport.write(head.encode() + body)

    def requests(self) -> Iterator[tuple[str, str]]:
        """The whole requests that are here; a body is passed over."""
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end].decode()
            length = next((int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0)
            if len(self.data) < end + 4 + length:
                return
            body, self.data = self.data[end + 4 : end + 4 + length].decode(), self.data[end + 4 + length :]
            method, target, _ = head.split("\r\n", 1)[0].split(" ")
            yield method, f"{target}?{body}" if body and "?" not in target else target


async def main(count: int, rate: int, every: int) -> None:
    """Serve until standard input ends; the two ports are printed first."""
    venue = Venue(count, rate, every)
    loop = asyncio.get_running_loop()
    rest = await loop.create_server(lambda: Http(venue), "127.0.0.1", 0)
    async with serve(venue.stream, "127.0.0.1", 0, compression=None, ping_interval=None) as streams:
        print(rest.sockets[0].getsockname()[1], streams.sockets[0].getsockname()[1], flush=True)
        marks = loop.create_task(venue.marks())
        await loop.run_in_executor(None, sys.stdin.read)
        marks.cancel()
        venue.pushing = False
    rest.close()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:4])))
