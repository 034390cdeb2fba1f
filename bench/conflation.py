"""A strategy ten times slower than its market, on the live host: `python -m bench.conflation [--seconds 60] [--json FILE]`.

The host, its loop, its tape and the normalizers are the real ones; frames are put down by another thread, as connections do, and
the strategy works for a while on every tick (it holds the interpreter meanwhile: the worst that a strategy can do). Reports are
put before it, too. Asked: the tick acted on is at most one handler's time and a millisecond old, no more waits than an
instrument's tick each and the reports under way, every report is handled once and in order, and memory stays within 5 %.

With several instruments the frames are spread over them, so a tick may be the newest and yet older than that: `behind` is for how
long a newer frame of the instrument had been put down when the strategy began to act on this one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from actors.live.clock import Clock
from actors.live.host import Host
from actors.live.loop import Loop
from actors.live.process import SWITCH_S
from actors.live.store import Journal
from bench.table import write
from core.instrument import Instrument, Key
from core.mailbox import Mailbox
from core.message import ExecutionReport, MarkPrice, Message, Tick
from core.node import Outbox
from core.normalizer import Normalizer

MS = 1_000_000
HANDLER_NS = 5 * MS
OVERLOAD = 10
REPORTS_A_SECOND = 50
SETTLED_S = 3.0
"""From when on memory is compared: before, the first rings and caches fill."""
CASES = (1, 10, 100)
FIRST_UPDATE = 11


class Carrier:
    """A link with nobody at the other end."""

    def number(self, peer: str) -> int:
        return 1

    def refuses(self, peer: str) -> str:
        return "nobody is there"

    def post(self, peer: str, source: str, target: str, message: Message, now: int) -> int:
        return 0

    def publish(self, source: str, target: str, message: Message, now: int) -> None:
        pass

    def taken(self, peer: str, seq: int) -> None:
        pass

    def receive(self, now: int, *ready: object) -> tuple[()]:
        return ()

    def events(self) -> tuple[()]:
        return ()

    def tick(self, now: int) -> int:
        return now + 100 * MS


class Slow:
    """The strategy: works on each tick, and notes what it was given."""

    name = "slow"

    def __init__(self, clock: Clock, mailbox: Mailbox) -> None:
        self.clock, self.mailbox = clock, mailbox
        self.ages: list[int] = []
        self.behind: list[int] = []
        self.put: dict[str, np.ndarray] = {}
        """When each update of an instrument was put down, ns UTC; 0: it was not yet."""
        self.reports: list[int] = []
        self.longest = self.excess = 0
        self.under_way = 0
        """Reports put down and not handled."""

    def bind(self, outbox: Outbox) -> None:
        """It sends nothing."""

    def on(self, now: int, message: Message) -> None:
        """Take one."""
        waiting = len(self.mailbox)
        self.longest = max(self.longest, waiting)
        self.excess = max(self.excess, waiting - self.under_way)
        if isinstance(message, Tick):
            started = self.clock.now()
            if message.update_id >= FIRST_UPDATE:
                newer = int(self.put[message.symbol][message.update_id - FIRST_UPDATE + 1])
                self.behind.append(started - newer if newer else 0)
                self.ages.append(started - message.received)
            while self.clock.now() - started < HANDLER_NS:
                pass
        elif isinstance(message, ExecutionReport):
            self.under_way -= 1
            self.reports.append(message.cum_qty)


class Pump(threading.Thread):
    """Frames of some instruments, so many a second in all, and reports."""

    def __init__(self, host: Host, slow: Slow, symbols: list[str], a_second: float, seconds: float) -> None:
        super().__init__(name="pump")
        self.host, self.slow, self.symbols, self.a_second, self.seconds = host, slow, symbols, a_second, seconds
        self.frames = self.reports = 0

    def run(self) -> None:
        """Put down what is due, every half millisecond."""
        loop, clock = self.host.loop, self.host.clock
        began = time.perf_counter()
        while (passed := time.perf_counter() - began) < self.seconds:
            while self.frames < passed * self.a_second:
                symbol = self.symbols[self.frames % len(self.symbols)]
                number = self.frames // len(self.symbols)
                now = clock.now()
                loop.frame(f"normalizer:{symbol}", now, frame(symbol, FIRST_UPDATE + number))
                self.slow.put[symbol][number] = now
                self.frames += 1
            while self.reports < passed * REPORTS_A_SECOND:
                self.reports += 1
                self.host.soon(lambda number=self.reports: self._report(number))  # type: ignore[misc]
            time.sleep(0.0005)
        self.host.soon(self._end)

    def _report(self, number: int) -> None:
        self.slow.under_way += 1
        self.host.hand("slow", ExecutionReport(self.symbols[0], received=self.host.clock.now(), cum_qty=number))

    def _end(self) -> None:
        self.host.stopping = True


def frame(symbol: str, update: int) -> bytes:
    """A depth event of four levels that continues the one before."""
    return (
        b'{"stream":"%s@depth@100ms","data":{"e":"depthUpdate","E":1780000000000,"T":1780000000000,"s":"%s","U":%d,"u":%d,"pu":%d,'
        b'"b":[["640.1","%d"],["639.9","7"]],"a":[["640.2","3"],["640.3","%d"]]}}'
    ) % (symbol.lower().encode(), symbol.encode(), update, update, update - 1, 1 + update % 50, 1 + update % 70)


def resident() -> int:
    """Resident memory of this process, bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def measured(instruments: int, seconds: float) -> dict[str, object]:
    """One row."""
    clock = Clock()
    loop = Loop(clock)
    with tempfile.TemporaryDirectory() as folder:
        tape = Journal(Path(folder) / "tape")
        host = Host("market", loop, Carrier(), tape, lambda news: None)
        mailbox = Mailbox()
        slow = Slow(clock, mailbox)
        seat = host.add(slow, mailbox)
        symbols = [f"C{number}USDT" for number in range(instruments)]
        for symbol in symbols:
            node = Normalizer(Instrument(Key("binance_usdm", symbol), "0.1", "1"))
            host.add(node).routes = {Tick: lambda message: (seat,), MarkPrice: lambda message: ()}
            loop.frame(node.name, clock.now(), b'{"lastUpdateId":10,"E":1,"T":1,"bids":[["640.0","5"]],"asks":[["640.4","5"]]}')
        host.turn(clock.now())
        a_second = OVERLOAD * 1e9 / HANDLER_NS
        slow.put = {symbol: np.zeros(int(a_second * seconds / instruments) + 2, np.int64) for symbol in symbols}
        pump = Pump(host, slow, symbols, a_second, seconds)
        memory: list[int] = []
        pump.start()
        began = clock.now()
        while not host.stopping:
            host.turn()
            if clock.now() - began > (SETTLED_S + len(memory)) * 1e9:
                memory.append(resident())
        while mailbox.ready:
            host.turn(clock.now())
        pump.join()
        tape.close()
    loop.close()
    ages, behind = np.array(slow.ages) / MS, np.array(slow.behind) / MS
    return {
        "instruments": instruments, "ticks": mailbox.received, "acted on": len(ages),
        "age p50, ms": float(np.median(ages)), "age p99, ms": float(np.quantile(ages, 0.99)),
        "behind p99, ms": float(np.quantile(behind, 0.99)), "behind max, ms": float(behind.max()),
        "asked, ms": HANDLER_NS / MS + 1,
        "most waiting": slow.longest, "less reports": slow.excess, "asked": instruments,
        "lost": pump.reports - len(slow.reports), "in order": slow.reports == sorted(set(slow.reports)),
        "MB": memory[-1] / 1e6 if memory else 0.0, "grown, %": (max(memory) / memory[0] - 1) * 100 if memory else 0.0,
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json")
    given = parser.parse_args()
    sys.setswitchinterval(SWITCH_S)
    write("ten times overload", [measured(count, given.seconds) for count in CASES], given.json)


if __name__ == "__main__":
    main()
