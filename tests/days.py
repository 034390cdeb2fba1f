"""Small generated days and small strategies to run over them."""

from __future__ import annotations

from pathlib import Path

from actors.history.synth import synthesize

GRAPH = """
name = "joiner"
instruments = ["BTCUSDT"]
midnight = "{midnight}"

[strategy]
use = "joiner.py:Joiner"
"""

STRATEGY = '''
"""Joins the best quotes with one order a side; fails where it is told to."""

import os
import signal

from core.message import Timer
from core.price import BUY, SELL
from core.strategy import GTX, MS, Strategy


def first(flag: str) -> bool:
    """Whether nobody was here before; who it was is in the file."""
    try:
        with open(flag, "x") as file:
            file.write(str(os.getpid()))
    except FileExistsError:
        return False
    return True


class Joiner(Strategy):
    shared = {shared}
    order_qty: float = 0.01
    fail_at_s: int = 0      # seconds since 1970: raise there
    kill_at_s: int = 0      # die there
    kill_flag: str = ""     # a file: while it is not there, make it and die
    wait_flag: str = ""     # a file: say here who waits, and wait to be killed

    def on_start(self) -> None:
        self.every(100 * MS, "quote")

    def on_timer(self, timer: Timer) -> None:
        if self.fail_at_s and self.now // 10**9 >= self.fail_at_s:
            raise ZeroDivisionError("a price of\\nnothing")
        if self.kill_at_s and self.now // 10**9 >= self.kill_at_s:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kill_flag and first(self.kill_flag):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.wait_flag and first(self.wait_flag):
            signal.pause()
        tick = self.tick
        sides = {{order.side for order in self.orders.values()}}
        for side, price in ((BUY, tick.bid), (SELL, tick.ask)):
            if tick.two_sided and side not in sides:
                self.order(side, price, self.lots(self.order_qty), tif=GTX)
        for order in tuple(self.orders.values()):
            if order.acknowledged and order.price not in (tick.bid, tick.ask):
                self.cancel(order)
'''

DAY_S = {"2024-01-01": 1_704_067_200, "2024-01-02": 1_704_153_600, "2024-01-03": 1_704_240_000}
"""The generated days, and when each begins."""


def store(folder: Path) -> Path:
    """Three days of two instruments, half a minute of market each."""
    for symbol in ("BTCUSDT", "ETHUSDT"):
        synthesize(folder, symbol, days=len(DAY_S), events=10_000, seed=1)
    return folder


def graph(folder: Path, midnight: str = "flat", shared: bool = False) -> Path:
    """The strategy and its graph file in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "joiner.py").write_text(STRATEGY.format(shared=shared))
    path = folder / "joiner.toml"
    path.write_text(GRAPH.format(midnight=midnight))
    return path
