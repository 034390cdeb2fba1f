"""What a hop between two processes costs: `python -m bench.link [--count N] [--json FILE]`.

Both lanes of the live link, with CURVE, beside ZeroMQ without our layers and beside a call of a Ray actor. A hop is half of a
round trip: a message is sent, the other process sends it back, both wait as a host's loop does. Cases take turns in one run, with
a pause before each message, because a busy CPU is not what a tick finds. Throughput is one way, as fast as it goes, with
everything taken.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import zmq

from actors.crew import ray_here
from actors.live.broadcast import Arrival
from actors.live.clock import Clock
from actors.live.keys import KeyPair, load, make
from actors.live.link import Link
from bench.codec import ORDER, TICK
from bench.table import write
from core.codec import decode, encode
from core.message import Heartbeat, Message
from core.outgoing import SessionFull

PAUSE_S: Final = 0.001
ROUNDS: Final = 5
ASKED_US: Final = 80
Row = dict[str, object]


class Host:
    """A link, and a loop that waits for it."""

    def __init__(self, keys: Path, name: str) -> None:
        self.clock, self.poller = Clock(), zmq.Poller()
        self.link = Link(name, keys, self.clock, self.poller, epoch=1)

    def turn(self) -> list[Arrival]:
        """Wait until something arrives, 100 ms at most."""
        link = self.link
        ready = self.poller.poll(max(link.tick(self.clock.now()) - self.clock.now(), 0) // 1_000_000)
        arrived = link.receive(self.clock.now(), ready)
        for arrival in arrived:
            if arrival.lane == "every":
                link.taken(arrival.peer, arrival.seq)
        return arrived


def serve(keys: Path, endpoint: str, publishing: str) -> None:
    """The other process: sends back what arrives by the way that it came; says where its bare sockets are, too."""
    host = Host(keys, "other")
    public = load(keys, "one").public
    bare = Bare(load(keys, "other"), None)
    for socket in bare.sockets:
        host.poller.register(socket, zmq.POLLIN)
    host.link.connect("one", endpoint, public)
    host.link.subscribe("one", publishing, public, ["other"])
    print(*host.link.addresses[:2], *bare.endpoints, flush=True)
    while True:
        for arrival in host.turn():
            message = decode(arrival.frame)
            if arrival.target == "end":
                return
            if arrival.lane == "latest":
                host.link.publish("other", "one", message)
            elif arrival.target == "other":
                host.link.post("one", "other", "one", message)
        bare.echo()


class Bare:
    """ZeroMQ without our layers: the same two ways, with CURVE and without. The other process binds."""

    def __init__(self, pair: KeyPair, endpoints: list[str] | None, server: bytes = b"") -> None:
        context = zmq.Context()
        self.sockets, self.endpoints = [], []
        for number in range(2):
            socket = context.socket(zmq.DEALER if endpoints else zmq.ROUTER)
            socket.linger = 0
            if number == 0:
                socket.curve_publickey, socket.curve_secretkey = pair.public, pair.secret
                if endpoints:
                    socket.curve_serverkey = server
                else:
                    socket.curve_server = True
            if endpoints:
                socket.connect(endpoints[number])
            else:
                socket.bind("tcp://127.0.0.1:*")
                self.endpoints.append(bytes(socket.last_endpoint).decode())
            self.sockets.append(socket)

    def echo(self) -> None:
        """Send back what waits."""
        for socket in self.sockets:
            while socket.get(zmq.EVENTS) & zmq.POLLIN:
                socket.send_multipart(socket.recv_multipart())


def there_and_back(host: Host, act: Callable[[Message], object], message: Message) -> Callable[[], None]:
    """A round trip over our link; both ends encode and decode."""

    def go() -> None:
        act(message)
        while True:
            for arrival in host.turn():
                decode(arrival.frame)
                if arrival.target == "one":
                    return

    return go


def bare_trip(socket: zmq.SyncSocket, message: Message) -> Callable[[], None]:
    """A round trip of the same bytes over a bare socket."""
    poller, frame = zmq.Poller(), encode(message)
    poller.register(socket, zmq.POLLIN)

    def go() -> None:
        socket.send(frame)
        while not poller.poll(100):
            pass
        socket.recv()

    return go


def timed(go: Callable[[], None], count: int) -> list[int]:
    """Nanoseconds of each of some round trips, the first ones left out."""
    found = []
    for _ in range(count + count // 10):
        time.sleep(PAUSE_S)
        start = time.perf_counter_ns()
        go()
        found.append(time.perf_counter_ns() - start)
    return found[count // 10 :]


def throughput(host: Host, count: int) -> float:
    """Messages a second, one way on the every lane, until the last one is acknowledged."""
    link, start, sent = host.link, time.perf_counter(), 0
    while link.states()["other"]["unacknowledged"] or sent < count:
        while sent < count and link.refuses("other") == "":
            try:
                link.post("other", "one", "sink", ORDER)
            except SessionFull:
                break
            sent += 1
        host.turn()
    return count / (time.perf_counter() - start)


def rate_of_bare(socket: zmq.SyncSocket, count: int) -> float:
    """Messages a second there and back over a bare socket, a window of 500 on the way."""
    frame, start, back = encode(ORDER), time.perf_counter(), 0
    for sent in range(count):
        socket.send(frame)
        while sent - back >= 500:
            socket.recv()
            back += 1
    for _ in range(count - back):
        socket.recv()
    return count / (time.perf_counter() - start)


@contextmanager
def other_process(keys: Path, host: Host) -> Iterator[list[str]]:
    """The other process, connected; gives the endpoints of its bare sockets."""
    given = [sys.executable, "-m", "bench.link", "--serve", str(keys), *host.link.addresses[:2]]
    with subprocess.Popen(given, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        _, publishing, *bare = process.stdout.readline().split()
        host.link.subscribe("other", publishing, load(keys, "other").public, ["one"])
        try:
            until_up(host)
            time.sleep(0.3)  # subscriptions travel, too
            yield bare
            host.link.post("other", "one", "end", Heartbeat())
            while process.poll() is None:
                host.turn()
        finally:
            process.kill()


def until_up(host: Host) -> None:
    """Wait for the session: while bare sockets are measured nobody turns this end, and it is missed."""
    host.turn()
    while host.link.state("other") != "up":
        host.turn()


@contextmanager
def ray_trip() -> Iterator[Callable[[], None]]:
    """A call of a Ray actor that gives the bytes back."""
    with ray_here(1) as ray:

        @ray.remote(num_cpus=0)
        class Echo:
            def back(self, frame: bytes) -> bytes:
                return frame

        echo, frame = Echo.remote(), encode(ORDER)
        yield lambda: ray.get(echo.back.remote(frame))


def row(case: str, ns: list[int], asked: int | None = None, rate: float | None = None) -> Row:
    """One line of the table: a hop is half of a round trip."""
    p50, p99, p999 = (float(x) / 2_000 for x in np.percentile(ns, [50, 99, 99.9]))
    return {"case": case, "p50, µs": p50, "p99, µs": p99, "p99.9, µs": p999, "asked p50, µs": asked,
            "one way, a second": rate and round(rate)}  # fmt: skip


def rows(count: int, with_ray: bool) -> list[Row]:
    """Measure all cases in turn."""
    with tempfile.TemporaryDirectory(prefix="astrarium-bench-") as home:
        keys = Path(home) / "keys"
        for name in ("one", "other"):
            make(keys, name)
        host = Host(keys, "one")
        with other_process(keys, host) as endpoints:
            bare = Bare(load(keys, "one"), endpoints, load(keys, "other").public)
            link: Any = host.link
            trips = {
                "every lane, an order": there_and_back(host, lambda one: link.post("other", "one", "other", one), ORDER),
                "latest lane, a tick of 20 levels": there_and_back(host, lambda one: link.publish("one", "other", one), TICK),
                "bare ZeroMQ with CURVE, an order": bare_trip(bare.sockets[0], ORDER),
                "bare ZeroMQ with CURVE, a tick": bare_trip(bare.sockets[0], TICK),
                "bare ZeroMQ, an order": bare_trip(bare.sockets[1], ORDER),
            }
            found: dict[str, list[int]] = {case: [] for case in trips}
            for _ in range(ROUNDS):
                for case, go in trips.items():
                    until_up(host)
                    found[case] += timed(go, count // ROUNDS)
            until_up(host)
            rates = {"every lane, an order": throughput(host, 20_000),
                     "bare ZeroMQ with CURVE, an order": rate_of_bare(bare.sockets[0], 20_000)}  # fmt: skip
        host.link.close()
    if with_ray:
        with ray_trip() as go:
            found["a call of a Ray actor"] = timed(go, count // ROUNDS)
    ours = ("every lane, an order", "latest lane, a tick of 20 levels")
    return [row(case, ns, ASKED_US if case in ours else None, rates.get(case)) for case, ns in found.items()]


def main() -> None:
    """Measure and print; or be the other process."""
    parser = argparse.ArgumentParser(prog="python -m bench.link", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--no-ray", action="store_true")
    parser.add_argument("--json")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(Path(options.serve[0]), *options.serve[1:])
        return
    write("a hop between two processes", rows(options.count, not options.no_ray), options.json)


if __name__ == "__main__":
    main()
