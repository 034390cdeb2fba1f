"""The kill switch with many orders open: `python -m bench.kill [--orders 200] [--json FILE]`.

A session trades at the emulated venue, both as real processes; a strategy keeps orders open far from the market and places and
cancels others all the time. Then `astrarium kill`. The venue's own log says when the last new order came and when the last one
was gone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from actors.emulator.running import RunningVenue
from actors.live.folder import find
from bench.table import write

STRATEGY: Final = '''
"""Many orders far from the market, and one that comes and goes."""

from core.message import Timer
from core.strategy import GTX, MS, Strategy


class Ladder(Strategy):
    orders_open: int = 200

    def on_start(self) -> None:
        self.every(50 * MS, "act")

    def on_timer(self, timer: Timer) -> None:
        if not self.tick.two_sided:
            return
        far = self.tick.bid * 97 // 100
        for _ in range(min(4, self.orders_open - len(self.orders))):
            self.buy(far - len(self.orders) * 10, 1, tif=GTX)
        if len(self.orders) >= self.orders_open:
            self.cancel(next(iter(self.orders.values())))
'''
GRAPH: Final = """
name = "ladder"
instruments = ["BTCUSDT"]
[strategy]
use = "ladder.py:Ladder"
orders_open = COUNT
[limits]
order_qty = 0.1
position = 10.0
open_orders = 250
order_value = 100000.0
[guard]
stale_ms = 5000
requests_1s = 500
requests_10s = 5000
"""


def truth(venue: RunningVenue) -> dict[str, Any]:
    """The demo account as it is."""
    account: dict[str, Any] = venue.truth()["accounts"]["demo"]
    return account


def tried(count: int, folder: Path) -> dict[str, object]:
    """One session, killed once it has so many orders open."""
    (folder / "ladder.py").write_text(STRATEGY)
    (folder / "ladder.toml").write_text(GRAPH.replace("COUNT", str(count)))
    with RunningVenue("--synth", "1", "--symbols", "BTCUSDT") as venue:
        trade = [sys.executable, "-m", "actors.cli.main", "trade", str(folder / "ladder.toml"), "--live", "--url", venue.rest]
        words = [*trade, "--sessions", str(folder / "sessions"), "--json"]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as session:
            end = time.monotonic() + 180
            while len(truth(venue)["open_orders"]) < count - 2:
                assert time.monotonic() < end, f"only {len(truth(venue)['open_orders'])} orders are open"
                time.sleep(0.2)
            kill = [sys.executable, "-c", KILL, str(find(folder / "sessions").path)]
            with subprocess.Popen(kill, stdout=subprocess.PIPE, text=True) as killer:
                assert killer.stdout is not None
                said = int(killer.stdout.readline())
                while truth(venue)["open_orders"] and time.time_ns() < said + 20 * 10**9:
                    time.sleep(0.02)
                gone = time.time_ns()
                killer.wait()
            placed = max(order["time"] for order in truth(venue)["orders"])
            session.terminate()
            session.wait(60)
    return {
        "open orders": count,
        "last new order after, ms": placed - said / 1e6,
        "asked, ms": 100,
        "nothing open after, s": (gone - said) / 1e9,
        "asked, s": 1.0,
    }


KILL: Final = """
import sys, time
from pathlib import Path
from actors.live.folder import Folder
from actors.live.operator import operator
from core.message import Command
with operator(Folder(Path(sys.argv[1]))) as line:
    assert line.reach("account", 5.0)
    print(time.time_ns(), flush=True)
    line.say("account", "risk", Command(verb="kill", argument="bench"))
    line.delivered("account", 5.0)
"""


def main(arguments: list[str] | None = None) -> None:
    """Try and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=198, help="the venue allows 200 on an instrument")
    parser.add_argument("--json", default=None)
    given = parser.parse_args(arguments)
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).resolve().parent.parent))
    rows = []
    for count in (20, given.orders):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(tried(count, Path(folder)))
    write("the kill switch", rows, given.json)


if __name__ == "__main__":
    main()
