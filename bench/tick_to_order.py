"""Web socket frame in to order bytes out: `python -m bench.tick_to_order [--seconds N] [--instruments 1,10,100] [--json FILE]`.

All is real: the venue is a process of its own (bench/tick_venue.py), frames come over web sockets, orders leave over HTTP,
strategy and account are two processes with CURVE between them, started as a session of `astrarium trade --live` is. The venue
notes when a frame left and when the bytes of the order were there that answers it; so both ways through the machine's loopback
are in every figure.

The *floor* is what no system in Python with these libraries can go below: one process in which the same web socket library
receives the frame, and a fixed, signed request of bytes goes out on an open connection, with nothing in between.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.table import write

RATE: Final = 1_000
EVERY: Final = 20
"""One frame in so many is answered by an order: fifty a second at a thousand ticks a second, for one instrument or for many."""
PLACEMENTS: Final = (("colocated", False, False), ("colocated, pinned", False, True), ("split", True, False))
ASKED: Final = {"p50": 3.0, "p99": 5.0}
STRATEGY: Final = f'''
"""Answers one tick in {EVERY} with an order at its best bid that is gone at once."""

from core.message import Tick
from core.strategy import IOC, Strategy


class Echo(Strategy):
    """One for all instruments, so that they share a process."""

    shared = True

    def on_tick(self, tick: Tick) -> None:
        if tick.update_id % {EVERY} == 0 and tick.two_sided:
            self.buy(tick.bid, 1, tick.symbol, tif=IOC)
'''
FLOOR: Final = f"""
import hashlib, hmac, re, socket, sys
import websocket

rest, streams, url = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
query = "symbol=S000USDT&side=BUY&type=LIMIT&timeInForce=IOC&price=60000.0&quantity=0.001&newClientOrderId=fixed"
query += "&recvWindow=5000&timestamp=1700000000000"
query += "&signature=" + hmac.new(b"demo-secret", query.encode(), hashlib.sha256).hexdigest()
order = "POST /fapi/v1/order?" + query + " HTTP/1.1\\r\\nHost: x\\r\\nX-MBX-APIKEY: demo-key\\r\\nContent-Length: 0\\r\\n\\r\\n"
order = order.encode()
out = socket.create_connection(("127.0.0.1", rest))
out.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
out.setblocking(False)
number = re.compile(rb'"u":(\\d+)')
into = websocket.create_connection(url, enable_multithread=False)
into.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
print("ready", flush=True)
while True:
    frame = into.recv_data()[1]
    if int(number.search(frame)[1]) % {EVERY} == 0:
        out.sendall(order)
        try:
            out.recv(65536)
        except BlockingIOError:
            pass
"""


@contextmanager
def venue(count: int, rate: int = RATE) -> Iterator[tuple[int, int]]:
    """The venue's process, which sends so many ticks a second, and its two ports."""
    command = [sys.executable, "-m", "bench.tick_venue", str(count), str(rate), str(EVERY)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            rest, streams = map(int, process.stdout.readline().split())
            yield rest, streams
        finally:
            process.kill()


def asked(port: int, what: str) -> Any:
    """A word to the venue, and its answer."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{what}", timeout=30) as answer:
        return json.load(answer)


def measured(port: int, seconds: float) -> np.ndarray[Any, Any]:
    """Let frames run for so long, and take what the venue noted, in µs."""
    asked(port, "begin")
    time.sleep(seconds + 3.0)
    return np.array(asked(port, "end"), float) / 1_000


def floor(count: int, seconds: float) -> np.ndarray[Any, Any]:
    """The least that these libraries take."""
    with venue(count) as (rest, streams):
        names = "/".join(f"s{number:03d}usdt@depth@100ms" for number in range(count))
        url = f"ws://127.0.0.1:{streams}/public/stream?streams={names}"
        with subprocess.Popen([sys.executable, "-c", FLOOR, str(rest), str(streams), url], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            try:
                process.stdout.readline()
                return measured(rest, seconds)
            finally:
                process.kill()


def ours(count: int, seconds: float, split: bool, pin: bool, folder: Path) -> np.ndarray[Any, Any]:
    """A session that trades for real, at the measuring venue."""
    from actors.graph import read
    from actors.live.crew import crew
    from actors.live.opening import open_session
    from core.dialect.binance.hosts import VenueTable

    symbols = ", ".join(f'"S{number:03d}USDT"' for number in range(count))
    (folder / "echo.py").write_text(STRATEGY)
    (folder / "echo.toml").write_text(
        f'name = "echo"\ninstruments = [{symbols}]\n[strategy]\nuse = "echo.py:Echo"\n[limits]\norder_qty = 0.01\n'
        "[guard]\nrequests_1s = 10000\nrequests_10s = 100000\nstrategy_requests_1s = 10000\nstrategy_requests_10s = 100000\n"
    )
    with venue(count) as (rest, streams):
        table = VenueTable(
            "emulator",
            f"http://127.0.0.1:{rest}",
            f"ws://127.0.0.1:{streams}",
            lease_s=0.0,
            streams=("depth@100ms", "markPrice@1s"),
        )
        plan = read(folder / "echo.toml")
        session = open_session(folder / "sessions", [plan], table, True, "split" if split else "together", pin=pin)
        with crew(session) as hosts:
            hosts.wait()
            time.sleep(4.0)
            return measured(rest, seconds)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--instruments", default="1,10,100")
    parser.add_argument("--json", default=None)
    given = parser.parse_args(arguments)
    os.environ.setdefault("ASTRARIUM_KEY", "demo-key")
    os.environ.setdefault("ASTRARIUM_SECRET", "demo-secret")
    rows: list[dict[str, object]] = []
    for count in map(int, given.instruments.split(",")):
        least = floor(count, given.seconds)
        cases = {"floor": least}
        for name, split, pin in PLACEMENTS:
            with tempfile.TemporaryDirectory() as folder:
                cases[name] = ours(count, given.seconds, split, pin, Path(folder))
        for name, took in cases.items():
            row: dict[str, object] = {"instruments": count, "placement": name, "orders": len(took)}
            for label, share in (("p50", 50), ("p99", 99), ("p99.9", 99.9)):
                row[f"{label}, µs"] = float(np.percentile(took, share)) if len(took) else 0.0
            for label, share in (("p50", 50), ("p99", 99)):
                row[f"{label} / floor"] = float(np.percentile(took, share) / np.percentile(least, share)) if len(took) else 0.0
                row[f"asked {label}"] = ASKED[label] if name.startswith("colocated") else ""
            rows.append(row)
    write("web socket frame in to order bytes out", rows, given.json)


if __name__ == "__main__":
    main()
