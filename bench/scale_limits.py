"""Which resource is full first: `python -m bench.scale_limits [--json FILE]`.

Arithmetic over the figures that `bench/scale.py` measured here and over assumptions that name their source. A limit is a capacity
and what one more (node, instrument, million rows of a day, day of a run) takes of it; a resource counts as full at 70 %, where a
queue is more than twice as long as at half (M/M/1). Backtests are reckoned twice: with days of 10 s, which are the hardest on
everything that is paid a day, and with *busy* days, which have as many rows a second as the middle one of the real captures.

A day of a run on a cluster goes this way. A host that has not read it fetches its day file and makes its columns on its own
disk; its worker simulates, says a word every two seconds and compresses what came of it; the keeper on the head takes the words
and lays the result on its shelf; the terminal fetches batches of results and writes their bytes. Rows that begin with *if* come
last: what would be paid if it were done otherwise.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from actors.cluster.dispatch import WORD_S
from actors.live.directory import LOOK_EVERY_S
from actors.sim.days import SLICES
from actors.tasks import MEMORY_BYTES, MEMORY_ROW_BYTES
from actors.work import WORD_S as WORD_ALONE_S
from bench.scale_rows import RESULTS, figures, rows_of
from bench.table import write
from core.dialect.binance.feed import PROBES, SNAPSHOT_WEIGHT, STREAMS, STREAMS_MAX
from core.dialect.binance.hosts import VenueTable
from core.dialect.binance.safety import SHARE

FULL: Final = 0.7
SLOTS: Final = 16
NODE_MB: Final = 64 * 1_024
"""m7i.4xlarge, as in cluster.yaml: 16 cores, 64 GiB (aws.amazon.com/ec2/instance-types)."""
HEAD_STORE_MB: Final = 0.3 * 8 * 1_024
"""Ray gives its object store three tenths of a machine's memory; the head of cluster.yaml is an m7i.large of 8 GiB."""
HEAD_LINK: Final = 0.78e9 / 8
"""Bytes a second that an m7i.large sustains (AWS, instance network bandwidth)."""
LINE: Final = 100e6 / 8
"""A terminal's line, where the command is not typed in the cluster."""
DISK: Final = 125e6
"""A gp3 volume as it comes (AWS, EBS volume types)."""
EFS_READ, EFS_WRITE, EFS_CLIENT = 60 * 2**30, 5 * 2**30, 500 * 2**20
"""docs.aws.amazon.com/efs/latest/ug/limits.html, Tokyo, elastic throughput; to one client."""
SERVER: Final = 12.5e9 / 8
"""One NFS server's link."""
S3_GETS: Final = 5_500
S3_PART: Final = 8 << 20
"""Requests a second and prefix (AWS, S3 performance guidelines); bytes that a client asks for at once."""
RAY_TASKS_S: Final = 192
"""Of Ray's own release test over 250 nodes (ray-project/ray, release/perf_metrics/benchmarks/many_nodes.json)."""
RAY_NODES: Final = 2_000
"""The size that Ray's release tests go to."""
WEIGHT_MINUTE, ORDERS_10S, ORDERS_MINUTE, STREAMS_VENUE = 2_400, 300, 1_200, 1_024
"""Binance's, of an address, of an account, of a connection; `exchangeInfo` says what holds."""
CONNECTS_5MIN: Final = 300
"""Attempts to connect of an address in five minutes (academy.binance.com, what are Binance WebSocket limits)."""
ZMQ_SOCKETS: Final = 1_023
"""libzmq's own default for a context."""
LOSSES_HOUR: Final = 0.05
HEAD: Final = "head: words of progress and the days themselves"
WRITER: Final = "writing the days' folders, one process"
COMPRESSING: Final = "if one process compressed the columns of all days and wrote their folders"
STORAGE: Final = "a store on one NFS server: day files read, once a host"


class Line(NamedTuple):
    """Milliseconds a day of so many rows: what one without rows takes, and what a row adds."""

    day_ms: float
    row_ms: float

    @classmethod
    def of(cls, found: dict[str, float], name: str) -> Line:
        """From `<name>_ms`, of a tiny day, and `<name>_large_ms`."""
        small = found[f"{name}_ms"]
        return cls(small, max(0.0, found[f"{name}_large_ms"] - small) / found["large_rows"])

    def at(self, rows: float) -> float:
        """Milliseconds."""
        return self.day_ms + self.row_ms * rows

    @property
    def told(self) -> str:
        """In a row's arithmetic."""
        return f"{self.day_ms:.2f} ms + {self.row_ms * 1e6:.2f} ms a million rows"


def words_of(seconds: float, every_s: float) -> float:
    """Words of progress that a day says."""
    return min(float(SLICES), 1 + seconds / every_s)


class Limit(NamedTuple):
    """`capacity` and what one of `grows_with` takes of it; `busy`: the same with busy days."""

    side: str
    grows_with: str
    resource: str
    capacity: float
    load: float
    arithmetic: str
    source: str
    remedy: str
    busy: float | None = None

    @property
    def at(self) -> float:
        """Where it counts as full."""
        return FULL * self.capacity / self.load

    @property
    def supposed(self) -> bool:
        """Of what is not so, or need not be."""
        return self.resource.startswith("if ")


def backtests(found: dict[str, float]) -> Iterator[Limit]:
    """What days on many nodes use up."""
    rate, busy_rows = found["large_rows_s"], found.get("said_rows_median_s", 800.0) * 86_400
    busy_s, node_rows = busy_rows / rate, SLOTS * rate

    def nodes(resource: str, capacity: float, a_day: tuple[float, float], text: str, source: str, remedy: str) -> Limit:
        """A limit paid a day: what a day of 10 s takes, and what a busy one does."""
        ten, busy = (SLOTS / seconds * each for seconds, each in zip((10.0, busy_s), a_day, strict=True))
        said = (
            f"{text.format(a_day[0], a_day[1])}; a node ends {SLOTS / 10.0:.2g} days of 10 s a second, "
            f"{SLOTS / busy_s:.2g} busy ones"
        )
        return Limit("backtest", "nodes", resource, capacity, ten, said, source, remedy, FULL * capacity / busy)

    def flow(resource: str, capacity: float, bytes_row: float, source: str, remedy: str) -> Limit:
        """A limit paid a row."""
        load = bytes_row * node_rows
        said = (
            f"{bytes_row:.1f} bytes a row x {node_rows / 1e6:.2f} M rows a second and node = {load / 1e6:.0f} "
            f"MB/s of {capacity / 1e6:,.0f}"
        )
        return Limit("backtest", "nodes", resource, capacity, load, said, source, remedy, FULL * capacity / load)

    word_ms, task_ms, keeper = found["ray_word_ms"], found["ray_task_result_ms"], Line.of(found, "keeper")
    kept = [task_ms + keeper.at(rows) for rows in (10.0 * rate, busy_rows)]
    figured = "measured: ray_task_result_ms, keeper_ms, keeper_large_ms, ray_word_ms"
    for name, every_s, remedy in (
        (HEAD, WORD_S, "where days are short, several a task; then a keeper a range of days, each on a head of its own"),
        (
            f"if words were {WORD_ALONE_S} s apart, as on one machine: the head",
            WORD_ALONE_S,
            f"nothing: they are {WORD_S:.0f} s apart",
        ),
        ("if nobody said how far it is: the head", math.inf, "nothing: it is what fewer words could give at most"),
    ):
        words = [0.0 if every_s == math.inf else words_of(seconds, every_s) for seconds in (10.0, busy_s)]
        yield nodes(
            name,
            1_000.0,
            (kept[0] + words[0] * word_ms, kept[1] + words[1] * word_ms),
            f"a day is {task_ms:.1f} ms handed out and taken, {keeper.told} kept and fetched, {words[0]:.0f} words of "
            f"{word_ms:.2f} ms (busy: {words[1]:.0f}) = {{:.1f}} ms (busy: {{:.1f}})",
            figured,
            remedy,
        )
    yield nodes(
        "Ray's own rate of tasks",
        RAY_TASKS_S,
        (1.0, 1.0),
        f"{RAY_TASKS_S} tasks a second on 250 nodes; a task a day",
        "assumed: Ray's release test many_nodes",
        "several days a task, or a worker a slot that asks for its next day",
    )
    write, compress = Line.of(found, "write"), Line.of(found, "compress")
    both = Line(write.day_ms + compress.day_ms, write.row_ms + compress.row_ms)
    for name, line, figured, remedy in (
        (WRITER, write, "measured: write_ms, write_large_ms", "nothing before the head is full; a day's folder is its own"),
        (
            COMPRESSING,
            both,
            "measured: write_ms, write_large_ms, compress_ms, compress_large_ms",
            "nothing: workers compress what they simulated",
        ),
    ):
        takes = [line.at(rows) for rows in (10.0 * rate, busy_rows)]
        yield nodes(name, 1_000.0, (takes[0], takes[1]), f"{line.told} = {{:.1f}} ms (busy: {{:.1f}})", figured, remedy)
    looks = 2 * found["ray_wait_us_ref"] * 1e-6 * SLOTS
    yield Limit(
        "backtest",
        "nodes",
        "head: the looks at all running days of one turn, within a tenth of a second",
        0.1,
        looks,
        f"two looks a turn x {found['ray_wait_us_ref']:.2f} us a running day x {SLOTS} a node: {1e6 * looks:.0f} ms at 1,000 "
        "nodes",
        "measured: ray_wait_us_ref",
        "nothing: a turn takes every word that is there, so a longer one takes more at once",
        FULL * 0.1 / looks,
    )
    result = [found["large_result_bytes_row"] * rows for rows in (10.0 * rate, busy_rows)]
    for name, line_s, of, remedy in (
        ("the head's link: results coming in", HEAD_LINK, "m7i.large", "a head with a link of its own class"),
        (
            "if the terminal is outside of the cluster, its line: results fetched from the keeper",
            LINE,
            "100 Mbit/s",
            "type the command in the cluster; what waits meanwhile lies on the head's disk",
        ),
    ):
        yield nodes(
            name,
            line_s,
            (result[0], result[1]),
            "a result is {:,.0f} bytes, compressed (busy: {:,.0f}), of " + f"{line_s / 1e6:.1f} MB/s",
            f"measured: large_result_bytes_row; assumed: {of}",
            remedy,
        )
    stored = HEAD_STORE_MB * 2**20
    said = (
        f"16 results a node at once, {result[0] / 1e6:.1f} MB each (busy: {result[1] / 1e6:.0f}), twice while the keeper takes "
        f"them, of {HEAD_STORE_MB:,.0f} MB; beyond, Ray spills to disk"
    )
    yield Limit(
        "backtest",
        "nodes",
        "object store of the head, when days of one length end together",
        stored,
        2 * SLOTS * result[0],
        said,
        "measured: large_result_bytes_row; assumed: m7i.large",
        "nothing: what is spilled is read back as the terminal fetches it",
        FULL * stored / (2 * SLOTS * result[1]),
    )
    file_row, columns_row = found["large_file_bytes_row"], found["large_columns_bytes_row"]
    in_place = "a store with a URL: each host keeps its days, and the columns made of them, on its own disk"
    for name, capacity, bytes_row, source, remedy in (
        (STORAGE, SERVER, file_row, "measured: large_file_bytes_row; assumed: 12.5 Gbit/s", "EFS or S3"),
        (
            "if a folder of one NFS server is the store: columns read there in each run",
            SERVER,
            columns_row,
            "measured: large_columns_bytes_row; assumed: 12.5 Gbit/s",
            in_place,
        ),
        (
            "if a folder of EFS is the store: columns written there, once",
            EFS_WRITE,
            columns_row,
            "measured: large_columns_bytes_row; assumed: AWS",
            in_place,
        ),
        (
            "a store on EFS: day files read, once a host",
            EFS_READ,
            file_row,
            "measured: large_file_bytes_row; assumed: AWS",
            "nothing: a later run reads none, for days go to hosts that hold them",
        ),
    ):
        yield flow(name, capacity, bytes_row, source, remedy)
    gets = [math.ceil(file_row * rows / S3_PART) for rows in (10.0 * rate, busy_rows)]
    yield nodes(
        "a store on S3: requests a second of one prefix",
        S3_GETS,
        (float(gets[0]), float(gets[1])),
        "{:.0f} requests of 8 MiB a day (busy: {:.0f}), once a host",
        "assumed: AWS, S3 performance guidelines",
        "a prefix an instrument; S3 splits what is busy",
    )
    yield Limit(
        "backtest",
        "nodes",
        "nodes that Ray is tried with",
        RAY_NODES,
        1.0,
        "a node is a node",
        "assumed: Ray's release tests",
        "several clusters, a range of days each",
        FULL * RAY_NODES,
    )
    own = (file_row + columns_row) * node_rows
    yield Limit(
        "backtest",
        "slots of a node",
        "a node's own disk: day files and columns kept while days run for the first time",
        DISK,
        own / SLOTS,
        f"{file_row:.0f} + {columns_row:.0f} bytes a row x {rate / 1e3:.0f} k rows a second and slot = "
        f"{own / SLOTS / 1e6:.1f} MB/s of {DISK / 1e6:.0f}",
        "measured: large_file_bytes_row, large_columns_bytes_row; assumed: gp3",
        "instance storage (m7gd and the like), or a gp3 volume with more throughput",
    )
    yield Limit(
        "backtest",
        "slots of a node",
        "a node's link: day files read from EFS",
        EFS_CLIENT,
        file_row * rate,
        f"{file_row:.1f} bytes a row x {rate / 1e3:.0f} k rows a second and slot, of {EFS_CLIENT / 1e6:.0f} MB/s to one client",
        "measured: large_file_bytes_row; assumed: AWS",
        "nothing: a machine has fewer slots",
    )
    asked = (MEMORY_BYTES / 2**20, MEMORY_ROW_BYTES * 1e6 / 2**20)
    for a, b, what, source, remedy in (
        (
            *asked,
            "what a day is given, by its rows",
            "ours: actors/tasks.py",
            "beyond, fewer days share a node, and short ones fill what long ones leave; machines with 8 GiB a core",
        ),
        *(
            (
                found[f"memory_{case}_private_mb"],
                found[f"memory_{case}_private_mb_mrow"],
                what,
                f"measured: memory_{case}_private_mb",
                "nothing: what is given has to be above it, and decides",
            )
            for case, what in (("prepared", "columns there"), ("preparing", "columns made by the day's own worker"))
        ),
    ):
        # 0.7 of this is 0.7 of a slot's memory, which is Ray's share of it too, less what a worker has anyway
        room = NODE_MB / SLOTS - a / FULL
        yield Limit(
            "backtest",
            "million rows a day",
            f"a node's memory, {SLOTS} days at once: {what}",
            room,
            b,
            f"{a:.0f} MB + {b:.0f} MB a million rows, of {NODE_MB / SLOTS:,.0f} MB a slot; a busy day has "
            f"{busy_rows / 1e6:.0f} million: {(a + b * busy_rows / 1e6) / 1_024:.1f} GB, "
            f"{min(SLOTS, int(FULL * NODE_MB // (a + b * busy_rows / 1e6)))} a node",
            source,
            remedy,
        )
    yield Limit(
        "backtest",
        "seconds of a day",
        "spot: work that is lost with its host",
        0.05,
        LOSSES_HOUR / 3_600 / 2,
        f"{LOSSES_HOUR:.0%} of the hosts an hour x half a day's seconds are lost: 5 % of all work at "
        f"{0.05 / (LOSSES_HOUR / 7_200):,.0f} s a day; "
        f"a busy day has {busy_s:,.0f}, and loses its host with a chance of {1 - math.exp(-LOSSES_HOUR * busy_s / 3_600):.2%}",
        "assumed: 5 % an hour",
        "none at these lengths; `carry` is a sequence, and long",
    )
    yield Limit(
        "backtest",
        "days of a run",
        "before anything runs: each day's description read for the run's id, in ten minutes",
        600.0,
        found["list_day_ms"] / 1_000,
        f"{found['list_day_ms']:.1f} ms a day here, more over a network: 365,000 days are "
        f"{found['list_day_ms'] * 365 / 3_600:.1f} hours",
        "measured: list_day_ms",
        "descriptions of an instrument's days in one file, written with the days",
    )
    finish = found["flat_finish_s"] / found["flat_days"]
    yield Limit(
        "backtest",
        "days of a run",
        "after all: figures and report, in ten minutes",
        600.0,
        finish,
        f"{1_000 * finish:.1f} ms a day: 365,000 days are {finish * 365_000 / 3_600:.1f} hours",
        "measured: flat_finish_s",
        "figures a day made by its worker; a report of months instead of days",
    )


def live(found: dict[str, float]) -> Iterator[Limit]:
    """What instruments that trade use up."""
    usual = VenueTable()

    def instruments(resource: str, capacity: float, load: float, text: str, source: str, remedy: str) -> Limit:
        return Limit("live", "instruments", resource, capacity, load, text, source, remedy)

    pages = 60 / usual.reconcile_s
    yield instruments(
        "weight of one address: reconciling",
        WEIGHT_MINUTE,
        6 * pages,
        f"executions 5 + open orders 1, every {usual.reconcile_s:.0f} s = {6 * pages:.1f} a minute of {WEIGHT_MINUTE:,}",
        "ours: core/dialect/binance; the venue's limit",
        "reconcile the quiet ones more rarely; open orders of all at once (40); `reconcile_s`",
    )
    quiet = PROBES["aggTrade"]
    asked = quiet.weight * 60e9 / quiet.silent_ns
    yield instruments(
        "weight of one address: quiet instruments",
        WEIGHT_MINUTE,
        asked,
        f"an instrument without a trade for {quiet.silent_ns / 1e9:.0f} s is asked about for {quiet.weight}: "
        f"{asked:.0f} a minute of {WEIGHT_MINUTE:,}",
        "ours: core/dialect/binance/feed.py",
        "addresses of their own for markets; ask for what 24 hours' statistics of all say at once",
    )
    yield instruments(
        "weight of one address: books at the start, within a minute",
        WEIGHT_MINUTE,
        float(SNAPSHOT_WEIGHT),
        f"a snapshot is {SNAPSHOT_WEIGHT} of {WEIGHT_MINUTE:,}; 10,000 take "
        f"{10_000 * SNAPSHOT_WEIGHT / WEIGHT_MINUTE:.0f} minutes",
        "ours, the venue's limit",
        "an address a market host",
    )
    yield instruments(
        "leases: weight that renewals may take",
        WEIGHT_MINUTE * SHARE,
        10 * 60 / usual.renew_s,
        f"10 every {usual.renew_s:.0f} s = {600 / usual.renew_s:.0f} a minute of {WEIGHT_MINUTE * SHARE:.0f}; beyond, a "
        "lease lasts longer: "
        f"{usual.lease_s * 1_000 / (WEIGHT_MINUTE * SHARE * usual.renew_s / 600):,.0f} s at 1,000 instruments",
        "ours: core/dialect/binance/safety.py",
        "accounts of some ten instruments where a lease has to be short",
    )
    orders = found["large_orders_s"]
    for told, limit, seconds in (("10 s", ORDERS_10S, 10), ("a minute", ORDERS_MINUTE, 60)):
        yield instruments(
            f"orders of one account in {told}",
            limit / seconds,
            orders,
            f"the market maker places {orders:.2g} a second and instrument; {limit:,} in {told}",
            "measured: large_orders_s; the venue's limit",
            "sub-accounts: a session each; a strategy that moves its quotes less",
        )
    each = found["order_us"] * orders / 1e6
    yield instruments(
        "the account's process, risk included: one core",
        1.0,
        each,
        f"{found['order_us']:,.0f} us an order x {orders:.2g} a second; a core does {1e6 / found['order_us']:,.0f} "
        "orders a second, "
        f"the venue allows an account {ORDERS_MINUTE / 60:.0f}",
        "measured: order_us",
        "nothing: an account is full long before",
    )
    one_way = next(
        (float(one["one way, a second"]) for one in rows_of(RESULTS / "link.json") if one["one way, a second"]), 15_000.0
    )
    yield instruments(
        "the link to the account",
        one_way,
        3 * orders,
        f"an order and two reports x {orders:.2g} a second, of {one_way:,.0f} messages a second",
        "measured: bench/link.py",
        "nothing",
    )
    ticks = 10 + 1 + found.get("said_trade_s", 60.0)
    yield instruments(
        "a core of a market host, busy instruments",
        1.0,
        found["tick_us"] * ticks / 1e6,
        f"{found['tick_us']:.0f} us x {ticks:.0f} messages a second (depth 10, mark 1, trades {ticks - 11:.0f}); 10,000 are "
        f"{10_000 * found['tick_us'] * ticks / 1e6:,.0f} cores",
        "measured: tick_us, said_trade_s",
        "more market hosts: instruments are dealt out",
    )
    lines = len(STREAMS) / STREAMS_MAX
    yield instruments(
        "connections of one address within five minutes",
        CONNECTS_5MIN,
        lines,
        f"{len(STREAMS)} streams, {STREAMS_MAX} a connection (the venue allows {STREAMS_VENUE:,}); a host an instrument "
        "needs two each: "
        f"{FULL * CONNECTS_5MIN / 2:.0f} instruments",
        "ours: core/dialect/binance/feed.py; the venue's limit",
        "fewer market hosts (`--hosts`), or an address each",
    )
    low, high = 1_000 / found["names_10_asks_s"], 1_000 / found["names_1000_asks_s"]
    slope, asks = (high - low) / 990, 1 / LOOK_EVERY_S
    hosts = (
        (-low + math.sqrt(low * low + 4 * slope * FULL * 1_000 / asks)) / (2 * slope) if slope > 0 else FULL * 1_000 / asks / low
    )
    yield Limit(
        "live",
        "hosts",
        "the table of names: one Ray actor",
        hosts,
        FULL,
        f"{asks:.0f} looks a second and host; a look costs {low:.2f} ms and {slope * 1_000:.2f} us an entry, so N hosts "
        f"take 2N({low:.2f} + "
        f"{slope * 1_000:.2f}N/1000) ms a second; 1,000 hosts would ask {1_000 * asks:,.0f} times, it answers "
        f"{found['names_1000_asks_s']:,.0f}",
        "measured: names_10_asks_s, names_1000_asks_s",
        "look rarely once all are known; answer with a version instead of the table",
    )
    yield Limit(
        "live",
        "hosts",
        "sockets of the account's process",
        ZMQ_SOCKETS,
        2.0,
        "two a host (its every lane, what it publishes), of ZeroMQ's 1,023",
        "assumed: libzmq's default",
        "raise ZMQ_MAX_SOCKETS",
    )


def full_at(found: dict[str, float]) -> list[tuple[str, float, float]]:
    """For the simulation: a shared thing, seconds of a day, the nodes at which it is full (not 70 %)."""
    by_name = {limit.resource: limit for limit in backtests(found)}
    busy_s = found.get("said_rows_median_s", 800.0) * 86_400 / found["large_rows_s"]
    claims = []
    for thing, name in (
        ("head", HEAD),
        ("writer", WRITER),
        ("compressing", COMPRESSING),
        ("storage", STORAGE),
    ):
        limit = by_name[name]
        claims.append((thing, 10.0, limit.at / FULL))
        if thing != "storage":  # which is paid a row: long days fill it no sooner
            claims.append((thing, busy_s, (limit.busy or 0.0) / FULL))
    return claims


def table(found: dict[str, float]) -> list[dict[str, object]]:
    """The limits, the first on top of those that grow with the same; below them what would be, if."""
    limits = [*backtests(found), *live(found)]
    limits.sort(key=lambda one: (one.side, one.grows_with != "nodes", one.grows_with, one.supposed, one.at))
    return [
        {
            "side": one.side,
            "grows with": one.grows_with,
            "full at": one.at,
            "busy days": one.busy if one.busy is not None else "",
            "resource": one.resource,
            "arithmetic": one.arithmetic,
            "figures": one.source,
            "what to do": one.remedy,
        }
        for one in limits
    ]


def main() -> None:
    """Reckon and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale_limits", description=__doc__)
    parser.add_argument("--json", dest="target")
    options = parser.parse_args()
    write("which resource is full first: at 70 %", table(figures()), options.target)


if __name__ == "__main__":
    main()
