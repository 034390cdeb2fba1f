"""The live side's rates, for `bench/scale.py`: what a market says a second, what a tick and an order cost in processor time, how
fast the table of names answers.

A session is started as `astrarium trade --live` does it, at the venue of `bench/tick_to_order.py`, at two paces; processor time
is read off its processes. What is spent in both, whatever comes, cancels in the difference.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from actors.crew import ray_here
from actors.live.names import Names
from bench.scale_rows import Row, row

CAPTURES: Final = Path(os.environ.get("ASTRARIUM_CAPTURES", Path(__file__).resolve().parents[2] / "shared" / "data"))
TICKS: Final = os.sysconf("SC_CLK_TCK")
HOSTS: Final = (10, 1_000)
"""Entries in the table of names."""


def rows(home: Path, seconds: float) -> Iterator[Row]:
    """All of it."""
    yield from said(CAPTURES / "hftbacktest" / "usdm")
    yield from names()
    yield from spent(home, seconds)


# --- what a market says


def said(folder: Path) -> Iterator[Row]:
    """Messages, rows and bytes a second of each capture; nothing where there are none."""
    found = {path.name: capture(path) for path in sorted(folder.glob("*.gz"))}
    if not found:
        return
    rates = [one["rows"] for one in found.values()]
    for kind in ("depth", "trade", "bookTicker"):
        each = [one[kind] for one in found.values()]
        yield row(
            f"said_{kind}_s",
            max(each),
            meaning=f"messages a second of the busiest of {len(each)} captures; median {statistics.median(each):.0f}",
        )
    yield row("said_bytes_s", max(one["bytes"] for one in found.values()), meaning="depth and trades of the busiest")
    yield row("said_rows_s", max(rates), meaning=f"rows a second of the busiest; median {statistics.median(rates):,.0f}")
    yield row("said_rows_median_s", statistics.median(rates))
    sigma = statistics.stdev(math.log(one) for one in rates)
    yield row("said_sigma", sigma, meaning="dispersion (of logarithms) of rows a second between captures")


def capture(path: Path) -> dict[str, float]:
    """A capture's rates a second."""
    counts: Counter[str] = Counter()
    first = last = 0
    with gzip.open(path, "rt") as lines:
        for line in lines:
            stamp, _, text = line.partition(" ")
            frame = json.loads(text)
            kind = frame.get("stream", "@snapshot").split("@")[1]
            counts[kind] += 1
            if kind in ("depth", "trade"):
                counts["bytes"] += len(text)
                counts["rows"] += len(frame["data"].get("b", "-")) + len(frame["data"].get("a", "")) if kind == "depth" else 1
            last = int(stamp) * (1_000 if len(stamp) < 19 else 1)  # microseconds in 2023, nanoseconds since
            first = first or last
    return {kind: count * 1e9 / (last - first) for kind, count in counts.items()} | dict.fromkeys(
        {"depth", "trade", "bookTicker"} - set(counts), 0.0
    )


# --- the table of names


def names() -> Iterator[Row]:
    """How often a second one actor says where everybody is; each host asks twice a second."""
    with ray_here(1) as ray:
        for count in HOSTS:
            table = ray.remote(num_cpus=0)(Names).remote()
            address = json.dumps(
                {"endpoint": "tcp://10.0.0.1:40000", "publishing": "tcp://10.0.0.1:40001", "public_key": "k" * 40}
            ).encode()
            ray.get([table.enter.remote(f"market-{number}", 0, address) for number in range(count)])
            ray.get(table.everybody.remote())
            began = time.perf_counter()
            ray.get([table.everybody.remote() for _ in range(500)])
            yield row(
                f"names_{count}_asks_s",
                500 / (time.perf_counter() - began),
                meaning=f"answers a second of the table, {count:,} hosts in it",
            )
            ray.kill(table)


# --- what a tick and an order cost


def spent(home: Path, seconds: float) -> Iterator[Row]:
    """Processor time of a market's process a tick, and of the account's an order."""
    paces = {rate: session(home / str(rate), rate, seconds) for rate in (200, 1_000)}
    slow, fast = paces.values()
    ticks, orders = fast["ticks"] - slow["ticks"], fast["orders"] - slow["orders"]
    yield row(
        "tick_us",
        1e6 * (fast["market"] - slow["market"]) / ticks,
        meaning="a market's process, a tick; an order on every twentieth",
    )
    yield row(
        "order_us", 1e6 * (fast["account"] - slow["account"]) / orders, meaning="the account's process, an order and its answers"
    )
    yield row("market_idle_percent", _rest(slow, fast, "market", "ticks"), meaning="of a core, whatever comes")
    yield row("account_idle_percent", _rest(slow, fast, "account", "orders"), meaning="of a core, whatever comes")


def _rest(slow: dict[str, float], fast: dict[str, float], host: str, what: str) -> float:
    slope = (fast[host] - slow[host]) / (fast[what] - slow[what])
    return 100 * (slow[host] - slope * slow[what])


def session(home: Path, rate: int, seconds: float) -> dict[str, float]:
    """Cores spent by the two processes, ticks and orders a second."""
    from actors.graph import read
    from actors.live.crew import crew
    from actors.live.opening import open_session
    from bench import tick_to_order
    from core.dialect.binance.hosts import VenueTable

    os.environ.setdefault("ASTRARIUM_KEY", "demo-key")
    os.environ.setdefault("ASTRARIUM_SECRET", "demo-secret")
    home.mkdir()
    (home / "echo.py").write_text(tick_to_order.STRATEGY)
    (home / "echo.toml").write_text(
        'name = "echo"\ninstruments = ["S000USDT"]\n[strategy]\nuse = "echo.py:Echo"\n[limits]\norder_qty = 0.01\n'
        "[guard]\nrequests_1s = 10000\nrequests_10s = 100000\nstrategy_requests_1s = 10000\nstrategy_requests_10s = 100000\n"
    )
    with tick_to_order.venue(1, rate) as (rest, streams):
        where = (f"http://127.0.0.1:{rest}", f"ws://127.0.0.1:{streams}")
        table = VenueTable("emulator", *where, lease_s=0.0, streams=("depth@100ms", "markPrice@1s"))
        folder = open_session(home / "sessions", [read(home / "echo.toml")], table, True, "together")
        with crew(folder) as hosts:
            hosts.wait()
            time.sleep(4.0)
            pids = {place.name: address.pid for place in hosts.places if (address := folder.where(place.name))}
            tick_to_order.asked(rest, "begin")
            time.sleep(2.0)
            before, began = {name: _cpu_s(pid) for name, pid in pids.items()}, time.perf_counter()
            time.sleep(seconds)
            after, took = {name: _cpu_s(pid) for name, pid in pids.items()}, time.perf_counter() - began
            orders = len(tick_to_order.asked(rest, "end"))
    cores = {name: (after[name] - before[name]) / took for name in pids}
    account = cores.pop("account")
    return {
        "account": account,
        "market": sum(cores.values()),
        "ticks": float(rate),
        "orders": rate / tick_to_order.EVERY,
        "seen": orders,
    }


def _cpu_s(pid: int) -> float:
    """Processor seconds of a process and its threads."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


def main() -> None:
    """Only this part."""
    from bench.table import write

    with tempfile.TemporaryDirectory(prefix="astrarium-bench-") as home:
        write("the live side's rates", list(rows(Path(home), 5.0)))


if __name__ == "__main__":
    main()
