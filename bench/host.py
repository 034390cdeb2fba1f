"""How many messages a second the simulated host carries with thin nodes: `python -m bench.host [--messages N] [--json FILE]`.

Two pairs of nodes in four places throw one message back and forth: each hop is a send, a route, an event on the heap, a turn
of the other place and a call of its node. Encoding is off (no trace is kept), busy times are zero.
"""

from __future__ import annotations

import argparse
import time

from actors.sim.host import SimHost
from bench.table import write
from core.message import Heartbeat, Message
from core.node import Outbox


class Echo:
    """Sends back whatever it gets, until told enough."""

    def __init__(self, name: str, left: int) -> None:
        self.name, self.left = name, left

    def bind(self, outbox: Outbox) -> None:
        """Keep the outbox."""
        self.outbox = outbox

    def on(self, now: int, message: Message) -> None:
        """Send it on."""
        self.left -= 1
        if self.left > 0:
            self.outbox.send(message)


def messages_per_second(messages: int) -> float:
    """Run two pairs for so many messages in all."""
    host = SimHost(0, 10**15)
    seats = [host.add(Echo(f"node{i}", messages // 4), host.place(f"place{i}")) for i in range(4)]
    for one, other in ((0, 1), (1, 0), (2, 3), (3, 2)):
        to = (seats[other],)
        seats[one].routes[Heartbeat] = lambda message, to=to: to
    for seat in (seats[0], seats[2]):
        host.push(0, 0, seat, Heartbeat())
    began = time.perf_counter()
    host.run()
    return host.handled / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=400_000)
    parser.add_argument("--json", dest="target")
    options = parser.parse_args()
    rates = sorted(messages_per_second(options.messages) for _ in range(5))
    write(
        "the simulated host, thin nodes, encoding off",
        [{"case": "ping-pong over two places", "messages_per_s": round(rates[2]), "best": round(rates[-1]), "asked": 300_000}],
        options.target,
    )


if __name__ == "__main__":
    main()
