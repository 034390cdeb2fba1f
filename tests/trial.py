"""A session tried whole: `astrarium trade` and `astrarium venue`, each a process of its own, and what must be true in the end.

The truth is the venue's own log, which no fault touches. What the session believes is read from its tapes and from its last
status.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from actors.cli.main import main
from actors.emulator.running import RunningVenue
from actors.live.folder import Folder, find
from actors.live.operator import operator
from actors.live.store import entries
from core.codec import decode
from core.message import ExecType, ExecutionReport, NewOrderSingle
from core.tape import read

START_S: Final = 120.0
CHAOS: Final = '''
"""Orders near the touch, moved and canceled, as a seed says."""

from random import Random

from core.message import Timer
from core.strategy import GTC, GTX, IOC, MS, Strategy


class Chaos(Strategy):
    seed: int = 1

    def on_start(self) -> None:
        self.random = Random(f"{self.seed} {self.name}")
        self.every(150 * MS, "act")

    def on_timer(self, timer: Timer) -> None:
        tick, random = self.tick, self.random
        if not tick.two_sided:
            return
        orders, choice = list(self.orders.values()), random.random()
        if orders and choice < 0.3:
            self.cancel(random.choice(orders))
        elif orders and choice < 0.4:
            order = random.choice(orders)
            self.replace(order, order.price + random.choice((-3, 3)), order.order_qty + random.randrange(3))
        elif len(orders) < 6 and choice < 0.8:
            buy = random.random() < 0.5
            price = (tick.bid if buy else tick.ask) + random.randrange(-2, 3)
            tif = random.choice((GTC, GTC, GTX, IOC))
            (self.buy if buy else self.sell)(price, random.randrange(2, 8) * self.lots(self.least), tif=tif)

    least: float = 0.001
'''
GRAPHS: Final = {
    "chaos": 'name = "chaos"\ninstruments = ["BTCUSDT", "ETHUSDT"]\n[strategy]\nuse = "chaos.py:Chaos"\nseed = SEED\n'
    "least = 0.01\n",
    "quoter": 'name = "quoter"\ninstruments = ["BTCUSDT", "ETHUSDT"]\n[strategy]\nuse = "quoter.py:Quoter"\norder_qty = 0.02\n'
    "max_position = 0.2\nevery_ms = 300\n",
}
LIMITS: Final = "[limits]\norder_qty = 1.0\nposition = 2.0\nopen_orders = 30\norder_value = 100000.0\n"


def graphs(folder: Path, seed: int) -> None:
    """Write two graphs, and their strategies, into a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "chaos.py").write_text(CHAOS)
    (folder / "quoter.py").write_text((Path(main.__code__.co_filename).parent.parent / "starter" / "quoter.py").read_text())
    for name, text in GRAPHS.items():
        (folder / f"{name}.toml").write_text(text.replace("SEED", str(seed)) + LIMITS)


class Trial:
    """A session at a venue of its own, with orders that are real there; `folder` is scratch."""

    def __init__(self, folder: Path, seed: int = 1, faults: str = "", seconds: float = 600.0, live: bool = True) -> None:
        self.sessions = folder / "sessions"
        graphs(folder, seed)
        options = ["--synth", str(seed), "--symbols", "BTCUSDT,ETHUSDT"]
        if faults:
            (folder / "faults.toml").write_text(faults)
            options += ["--faults", str(folder / "faults.toml")]
        self.venue = RunningVenue(*options)
        words = ["trade", *(str(folder / f"{name}.toml") for name in GRAPHS), "--url", self.venue.rest, "--for", str(seconds)]
        words += ["--sessions", str(self.sessions), "--json", *(["--live"] if live else [])]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "actors.cli.main", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *given: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        self.venue.stop()

    @property
    def folder(self) -> Folder:
        """The session's folder."""
        return find(self.sessions)

    def status(self, host: str = "account") -> dict[str, Any]:
        """What a host says of itself; nothing while it does not answer."""
        try:
            with operator(self.folder) as line:
                return line.ask(host, "status", 3.0) if line.reach(host, 2.0) else {}
        except Exception:  # noqa: BLE001 - whatever is missing yet, it does not answer
            return {}

    def wait_for(self, true: Any, seconds: float = START_S) -> float:
        """Wait until something of the account's status is true; how long that took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if self.process.poll() is not None:
                raise AssertionError(f"the session ended: {self.process.communicate()}")
            status = self.status()
            if status and true(status):
                return time.monotonic() - began
            time.sleep(0.1)
        raise AssertionError(f"not within {seconds} s: {self.status()}; {self.logs()}")

    def pid(self, host: str) -> int:
        """A host's process."""
        address = self.folder.where(host)
        assert address is not None
        return address.pid

    def kill(self, pid: int) -> None:
        """As if the machine had taken it."""
        os.kill(pid, signal.SIGKILL)

    def approved(self) -> int:
        """Orders that risk approved so far, in this life of the account's host."""
        return int(self.status().get("approved", 0))

    def stop(self) -> dict[str, Any]:
        """End it as Ctrl-C does; what it says of itself at the end."""
        self.process.send_signal(signal.SIGINT)
        said, errors = self.process.communicate(timeout=90)
        assert self.process.returncode in (0, 5), errors
        return dict(json.loads(said.splitlines()[-1]))

    def logs(self) -> str:
        """The last words of every host."""
        return "\n".join(path.read_text()[-1500:] for path in self.folder.logs.glob("*.jsonl"))

    # --- what must be true

    def violations(self) -> Iterator[str]:
        """Once the session has ended: what is not as it must be."""
        truth = self.venue.truth()["accounts"]["demo"]
        executed = Counter(f"{one['symbol']}-{one['trade_id']}" for one in truth["executions"])
        booked: Counter[str] = Counter()
        sent: Counter[str] = Counter()
        for line in read(entries(self.folder.tape("account"))):
            if line.way == ">" and line.node.startswith(("gateway:", "door:")):
                message = decode(line.frame)
                if isinstance(message, ExecutionReport) and message.exec_type == ExecType.TRADE:
                    booked[message.exec_id] += 1
                if isinstance(message, NewOrderSingle) and line.node.startswith("door:"):
                    sent[message.cl_ord_id] += 1
        if executed != booked:
            yield f"executed and not booked: {executed - booked}; booked and not executed: {booked - executed}"
        yield from (f"{one} left {count} times" for one, count in sent.items() if count > 1)
        ids = Counter(one["clientOrderId"] for one in truth["orders"])
        yield from (f"{one} became {count} orders" for one, count in ids.items() if count > 1)
        if truth["open_orders"]:
            yield f"still open: {[one['clientOrderId'] for one in truth['open_orders']]}"
        ended = json.loads((self.folder.path / "end.json").read_text())["account"]
        held = {one["symbol"]: Decimal(one["qty"]) for one in truth["positions"]}
        lots = {one.symbol: one.lot for one in self.folder.read().instruments}
        for symbol, lot in lots.items():
            if ended["positions"][symbol] * lot != held.get(symbol, 0):
                yield f"{symbol}: we hold {ended['positions'][symbol] * lot}, the venue says {held.get(symbol, 0)}"
            if abs(held.get(symbol, Decimal(0))) > 4:
                yield f"{symbol}: {held[symbol]} is over the limit"

    def replays(self) -> int:
        """What `astrarium replay` says of it."""
        return main(["replay", "--sessions", str(self.sessions), "--json"])
