"""`python -m bench.wakeups`: how often a second a Python strategy can look at the market in the graph, waking every 100 ms.

The first strategy reads the best prices and counts trades at each wake; the market maker also quotes. The day is generated; not
in the figure: reading the day, and compiling. Asked: 50,000 wake-ups a second of a strategy that only looks.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from actors.graph import Plan, read
from actors.history.synth import synthesize
from actors.history.tickdb import TickDb
from actors.launch import simulated
from bench.table import write
from core.message import Timer
from core.strategy import MS, Strategy

ASKED = 50_000
GRAPHS = Path(__file__).resolve().parent.parent / "strategies"
WATCHER = f'name = "watcher"\ninstruments = ["BTCUSDT"]\n\n[strategy]\nuse = "{Path(__file__).name}:Watcher"\n'


class Watcher(Strategy):
    """Looks, and does nothing."""

    levels = 1

    def on_start(self) -> None:
        self.every(100 * MS, "look")
        self.looks = 0
        self.seen = 0

    def on_timer(self, timer: Timer) -> None:
        tick = self.tick
        self.looks += 1
        self.seen += tick.bid + tick.ask + tick.trade_count


def looks_a_second(plan: Plan, store: str) -> tuple[int, float]:
    """Wake-ups of a day, and seconds of this thread that it took."""
    db = TickDb(store)
    key = db.resolve("BTCUSDT")
    simulation = simulated(plan, [db.prepared(key, db.days(key)[0])])
    start = time.thread_time()
    simulation.host.run()
    seconds = time.thread_time() - start
    (box,) = simulation.mailboxes.values()
    return box.delivered, seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.wakeups", description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="astrarium-bench-") as home:
        graph = Path(home) / "watcher.toml"
        graph.write_text(WATCHER.replace(Path(__file__).name, str(Path(__file__).resolve())))
        synthesize(home, "BTCUSDT", 1, options.events, seed=1)
        plans = {"looks": read(graph), "quotes (market_maker)": read(GRAPHS / "market_maker.toml")}
        rows = []
        for case, plan in plans.items():
            looks_a_second(plan, home)
            looks, seconds = min((looks_a_second(plan, home) for _ in range(3)), key=lambda one: one[1])
            rows.append({
                "case": case, "wake-ups": looks, "a second": looks / seconds, "rows_s": options.events / seconds,
                "asked": ASKED if case == "looks" else None,
            })  # fmt: skip
    write(f"A Python strategy waking at 100 ms, {options.events:,} events", rows, options.json)


if __name__ == "__main__":
    main()
