"""A run of many days on many hosts, simulated: `python -m bench.scale_schedule [--quick] [--html FILE] [--json FILE]`.

The rules are the crew's on a cluster. A slot a core. A host is given first the days that it holds, then those that nobody holds,
then the last of the others'; of each the longest first. A worker compresses its day before it is taken back. A lost host's
running days come again before all others, and a day that has lost more than twenty has failed. What everybody shares takes one
at a time, in order of arrival: the head (a day handed out, a day taken back with its words of progress, kept and fetched), the
writer of the days' folders, the storage that day files come from; what a host has for itself is its own link to that storage.
Lengths of days are lognormal, over instruments and over days; hosts are lost at a hazard and replaced after a while, with nothing
in their caches; a share of them is slow. Everything follows from the seed.

`efficiency`: the least that so many slots could take (the longest day, or all seconds over all slots) over what was taken.

Left out: the start of the hosts, a terminal that is away, how a host's days share its caches, and its memory: a slot is a core
here, also where the longest day leaves room for fewer (`bench/scale_limits.py`).
"""

from __future__ import annotations

import argparse
import heapq
import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count, product
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from actors.cluster.dispatch import LOSSES, WORD_S
from bench.scale_limits import Line, full_at, words_of
from bench.scale_rows import figures
from bench.table import write


class Day(NamedTuple):
    """A day's own seconds on a usual host, compressing included; what has to be fetched and done before where its columns
    are not; what it takes of the head and of the writer for its length."""

    seconds: float
    fetch_bytes: float = 0.0
    prepare_s: float = 0.0
    write_s: float = 0.0
    keep_s: float = 0.0


class Fleet(NamedTuple):
    """Hosts. Losses are of one host in an hour; `notice_s` passes until the head knows, `replaced_s` until another is there."""

    nodes: int
    slots: int = 16
    slow_share: float = 0.0
    slow_by: float = 1.5
    losses_hour: float = 0.0
    notice_s: float = 15.0
    replaced_s: float = 180.0


class Costs(NamedTuple):
    """What a day takes of what all share (`head_s` to hand it out and as much to take it, `word_s` a word), and of
    its slot (`trip_s`)."""

    head_s: float = 0.0
    word_s: float = 0.0
    trip_s: float = 0.0
    storage_bytes_s: float = math.inf
    link_bytes_s: float = math.inf


FREE: Final = Costs()
"""Nothing is shared."""


class Outcome(NamedTuple):
    """What came of a run. `*_busy`: the share of the time that a shared thing worked; `again`: days that were begun in vain."""

    makespan_s: float
    least_s: float
    done: int
    failed: int
    lost_hosts: int
    again: int
    again_s: float
    head_busy: float
    writer_busy: float
    storage_busy: float

    @property
    def efficiency(self) -> float:
        """Of what so many slots could do."""
        return self.least_s / self.makespan_s if self.makespan_s else 1.0


class _Server:
    """Takes one at a time, in order of arrival."""

    def __init__(self) -> None:
        self.free = 0.0
        self.busy = 0.0

    def take(self, now: float, seconds: float) -> float:
        """When what arrives now is done."""
        self.free = max(self.free, now) + seconds
        self.busy += seconds
        return self.free


class _Host:
    """One host in one life. `name`: whose cached days it holds; -1 for one that came in another's place."""

    def __init__(self, name: int, speed: float, held: deque[int]) -> None:
        self.name, self.speed, self.held = name, speed, held
        self.gone = False
        self.running: dict[int, float] = {}
        self.link = _Server()


class Schedule:
    """One run. `home` names the host whose cache holds each day (-1: none); days are begun in `order`."""

    def __init__(
        self,
        days: Sequence[Day],
        fleet: Fleet,
        costs: Costs = FREE,
        order: Sequence[int] = (),
        home: Sequence[int] = (),
        seed: int = 0,
    ) -> None:
        self._days, self._fleet, self._costs = days, fleet, costs
        self._chance = np.random.default_rng(seed)
        self._home = list(home) or [-1] * len(days)
        self._order = list(order) or list(range(len(days)))
        self._cold = deque(day for day in self._order if self._home[day] < 0)
        self._begun = bytearray(len(days))
        self._losses = [0] * len(days)
        self._again: deque[int] = deque()
        self._idle: deque[_Host] = deque()
        self._events: list[tuple[float, int, str, Any]] = []
        self._number = count()
        self._head, self._writer, self._storage = _Server(), _Server(), _Server()
        self.finished = [0] * len(days)
        """How often each day was counted."""
        self._failed = self._lost = self._vain = 0
        self._vain_s = 0.0

    def run(self) -> Outcome:
        """From the first day to the last one's folder."""
        held: list[deque[int]] = [deque() for _ in range(self._fleet.nodes)]
        for day in self._order:
            if self._home[day] >= 0:
                held[self._home[day]].append(day)
        for name, mine in enumerate(held):
            self._join(0.0, name, mine)
        left, now = len(self._days), 0.0
        while left:
            now, _, kind, what = heapq.heappop(self._events)
            left -= getattr(self, f"_{kind}")(now, what)
        end = max(now, self._head.free, self._writer.free)
        total, slots = sum(day.seconds for day in self._days), self._fleet.nodes * self._fleet.slots
        least = max(total / slots, max((day.seconds for day in self._days), default=0.0))
        busy = [server.busy / end if end else 0.0 for server in (self._head, self._writer, self._storage)]
        return Outcome(end, least, sum(self.finished), self._failed, self._lost, self._vain, self._vain_s, *busy)

    # --- events: each returns how many days it settled

    def _free(self, now: float, host: _Host) -> int:
        """A slot can be given a day, if its host still is."""
        day = None if host.gone else self._next(host)
        if day is None:
            if not host.gone:
                self._idle.append(host)
            return 0
        one, costs = self._days[day], self._costs
        at = self._head.take(now, costs.head_s) + costs.trip_s
        if self._home[day] != host.name or host.name < 0:
            fetched = self._storage.take(at, one.fetch_bytes / costs.storage_bytes_s)
            at = max(fetched, host.link.take(at, one.fetch_bytes / costs.link_bytes_s)) + one.prepare_s * host.speed
        host.running[day] = now
        self._at(at + one.seconds * host.speed, "done", (host, day))
        return 0

    def _done(self, now: float, what: tuple[_Host, int]) -> int:
        """A day has ended on its host, if the host still is."""
        host, day = what
        if host.running.pop(day, None) is None:
            return 0
        one, costs = self._days[day], self._costs
        taken = self._head.take(now, costs.head_s + one.keep_s + costs.word_s * words_of(one.seconds, WORD_S))
        self._writer.take(taken, one.write_s)
        self.finished[day] += 1
        self._at(taken, "free", host)
        return 1

    def _loss(self, now: float, host: _Host) -> int:
        """A host is gone, with its cache and the days that it was at."""
        self._lost += 1
        self._vain += len(host.running)
        self._vain_s += sum(now - began for began in host.running.values())
        self._at(now + self._fleet.notice_s, "noticed", list(host.running))
        self._at(now + self._fleet.replaced_s, "replaced", None)
        self._cold.extend(host.held)
        host.running.clear()
        host.gone = True
        self._idle = deque(one for one in self._idle if one is not host)
        return 0

    def _noticed(self, now: float, days: list[int]) -> int:
        """The head knows: what the host was at comes again, or has failed."""
        failed = 0
        for day in days:
            self._losses[day] += 1
            if self._losses[day] > LOSSES:
                failed += 1
            else:
                self._again.append(day)
        for _ in range(min(len(self._again), len(self._idle))):
            self._at(now, "free", self._idle.popleft())
        self._failed += failed
        return failed

    def _replaced(self, now: float, _: None) -> int:
        self._join(now, -1, deque())
        return 0

    # --- parts of events

    def _join(self, now: float, name: int, held: deque[int]) -> None:
        fleet = self._fleet
        slow = fleet.slow_share > 0 and self._chance.random() < fleet.slow_share
        host = _Host(name, fleet.slow_by if slow else 1.0, held)
        if fleet.losses_hour:
            self._at(now + float(self._chance.exponential(3_600 / fleet.losses_hour)), "loss", host)
        for _ in range(fleet.slots):
            self._at(now, "free", host)

    def _next(self, host: _Host) -> int | None:
        """Which day comes now, on this host."""
        if self._again:
            return self._again.popleft()
        for waiting in (host.held, self._cold):
            while waiting:
                if self._begin(day := waiting.popleft()):
                    return day
        while self._order:  # only days that others hold are left: the last of them, which its holder would come to last
            if self._begin(day := self._order.pop()):
                return day
        return None

    def _begin(self, day: int) -> bool:
        """Whether nobody has begun with it before."""
        begun, self._begun[day] = self._begun[day], 1
        return not begun

    def _at(self, when: float, kind: str, what: Any) -> None:
        heapq.heappush(self._events, (when, next(self._number), kind, what))


# --- what is run


class Campaign(NamedTuple):
    """Days of instruments: rows a day are lognormal, `sigma_instrument` and `sigma_day` their dispersions (of logarithms)."""

    instruments: int
    days: int
    rows_median: float
    sigma_instrument: float = 1.0
    sigma_day: float = 0.5

    @property
    def told(self) -> str:
        """In a table."""
        return f"{self.days:,} x {self.instruments:,}"

    def rows(self, seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Rows of each day, in order of day and then of instrument, as the crew's tasks are."""
        chance = np.random.default_rng(seed)
        size = np.exp(self.sigma_instrument * chance.standard_normal(self.instruments))
        move = np.exp(self.sigma_day * chance.standard_normal((self.days, self.instruments)))
        return np.asarray(self.rows_median * (move * size).ravel())


class Rates(NamedTuple):
    """What a day of so many rows costs of each thing, from what was measured."""

    rows_s: float
    fetch_bytes_row: float
    prepare_s_row: float
    compress: Line
    keep: Line
    write: Line
    costs: Costs

    def day(self, rows: float) -> Day:
        """A day of so many rows."""
        seconds = rows / self.rows_s + self.compress.row_ms * rows / 1_000
        keep_s, write_s = (line.at(rows) / 1_000 for line in (self.keep, self.write))
        return Day(seconds, rows * self.fetch_bytes_row, rows * self.prepare_s_row, write_s, keep_s)

    @property
    def compressed_by_one(self) -> Rates:
        """The same if the process that writes compressed, too."""
        both = Line(self.write.day_ms + self.compress.day_ms, self.write.row_ms + self.compress.row_ms)
        return self._replace(compress=Line(0.0, 0.0), write=both)


EFS_BYTES_S: Final = 60 * 2**30
"""A regional Amazon EFS in Tokyo, elastic throughput, reading (docs.aws.amazon.com/efs/latest/ug/limits.html)."""
LINK_BYTES_S: Final = 500 * 2**20
"""Of it to one client (the same page)."""
SERVER_BYTES_S: Final = 12.5e9 / 8
"""One NFS server with a link of 12.5 Gbit/s."""
USUAL: Final = Fleet(1, slow_share=0.05, slow_by=1.5, losses_hour=0.05)
"""Assumed: one host of twenty takes half as long again; one of twenty is taken away in an hour."""


def rates(found: dict[str, float]) -> Rates:
    """From `bench/scale.py`'s figures."""
    head_s = found["ray_task_result_ms"] / 2_000
    trip_s = max(0.0, found["overhead_ms"] / 1_000 - 2 * head_s)  # a tiny day's compressing is in it
    return Rates(
        found["large_rows_s"],
        found["large_file_bytes_row"],
        found["large_prepare_s"] / found["large_rows"],
        Line.of(found, "compress"),
        Line.of(found, "keeper"),
        Line.of(found, "write"),
        Costs(head_s, found["ray_word_ms"] / 1_000, trip_s, EFS_BYTES_S, LINK_BYTES_S),
    )


def longest_first(days: Sequence[Day]) -> list[int]:
    """The order by length."""
    return sorted(range(len(days)), key=lambda number: -days[number].seconds)


NODES_MAX: Final = 1_500
"""More are not simulated."""
QUESTIONS: Final = ("all of it, cold", "the same, if one process compressed")
Row = dict[str, object]


def told(question: str, case: str, days: int, fleet: Fleet, found: Outcome, beside: str = "") -> Row:
    """A row of the table."""
    return {
        "question": question,
        "days x instruments": case,
        "nodes": fleet.nodes,
        "hours": found.makespan_s / 3_600,
        "efficiency": found.efficiency,
        "head busy": found.head_busy,
        "writer busy": found.writer_busy,
        "storage busy": found.storage_busy,
        "hosts lost": found.lost_hosts,
        "days again": found.again,
        "failed": found.failed,
        "beside": beside,
    }


def grown(question: str, rate: Rates, campaigns: Sequence[Campaign], nodes: Sequence[int]) -> Iterator[Row]:
    """Everything at once: cold caches, slow hosts, losses."""
    for campaign in campaigns:
        days = [rate.day(rows) for rows in campaign.rows(1)]
        order = longest_first(days)
        for many in nodes:
            fleet = USUAL._replace(nodes=many)
            yield told(question, campaign.told, len(days), fleet, Schedule(days, fleet, rate.costs, order, seed=1).run())


def warm(rate: Rates, campaign: Campaign, nodes: Sequence[int]) -> Iterator[Row]:
    """Cold and warm caches, over one server and over a striped one; nothing else goes wrong."""
    days = [rate.day(rows) for rows in campaign.rows(1)]
    order = longest_first(days)
    for many in nodes:
        fleet = Fleet(many)
        server = rate.costs._replace(storage_bytes_s=SERVER_BYTES_S)
        for name, costs, home in (
            ("cold, one NFS server", server, ()),
            ("cold, EFS", rate.costs, ()),
            ("warm", rate.costs, [number % many for number in range(len(days))]),
        ):
            yield told(name, campaign.told, len(days), fleet, Schedule(days, fleet, costs, order, home).run())


def alone(rate: Rates, thing: str, seconds: float, nodes: int) -> tuple[Fleet, int, Outcome]:
    """A run in which one shared thing (head, writer, the same if it compressed, storage) costs and nothing else does.

    Twenty days a slot, 0.7 to 1.3 times `seconds` long, so that they do not all end together.
    """
    one = (rate.compressed_by_one if thing == "compressing" else rate).day(seconds * rate.rows_s)
    costs = {
        "head": Costs(rate.costs.head_s, rate.costs.word_s),
        "storage": Costs(storage_bytes_s=SERVER_BYTES_S),
    }.get(thing, FREE)
    fleet = Fleet(nodes)
    many = nodes * fleet.slots * 20
    writes = thing in {"writer", "compressing"}
    day = Day(seconds, one.fetch_bytes * (thing == "storage"), 0.0, one.write_s * writes, one.keep_s * (thing == "head"))
    lengths = seconds * np.random.default_rng(1).uniform(0.7, 1.3, many)
    return fleet, many, Schedule([day._replace(seconds=float(length)) for length in lengths], fleet, costs).run()


def one_by_one(rate: Rates, claims: Sequence[tuple[str, float, float]]) -> Iterator[Row]:
    """What the model says of one shared thing, alone, at 0.7, 1 and 2 times the nodes at which it is full.

    Claims: the thing, seconds of a day, nodes at which it is full.
    """
    for thing, seconds, full in claims:
        for share in (0.7, 1.0, 2.0):
            nodes = max(1, round(full * share))
            if nodes <= NODES_MAX:
                fleet, many, found = alone(rate, thing, seconds, nodes)
                beside = f"the model: full at {full:,.0f}, at most {min(1.0, full / nodes):.2f}"
                yield told(f"{thing} alone", f"{many:,} of {seconds:,.0f} s", many, fleet, found, beside)


def lost(rate: Rates, campaign: Campaign, nodes: int, hazards: Sequence[float]) -> Iterator[Row]:
    """Losses alone: what is done again, beside the most that the model allows (a host's slots, each at the longest day)."""
    days = [rate.day(rows)._replace(write_s=0.0, keep_s=0.0) for rows in campaign.rows(1)]
    longest, mean = max(day.seconds for day in days), sum(day.seconds for day in days) / len(days)
    for hazard in hazards:
        fleet = Fleet(nodes, losses_hour=hazard)
        found = Schedule(days, fleet, order=longest_first(days), seed=2).run()
        each = found.again_s / max(1, found.lost_hosts)
        beside = (
            f"{each:,.0f} s again a lost host; at most {fleet.slots * longest:,.0f} (16 x {longest:,.0f}); 16 "
            f"mean days {16 * mean:,.0f}"
        )
        yield told(f"{hazard:.0%} of the hosts lost an hour", campaign.told, len(days), fleet, found, beside)


def ordered(rate: Rates, campaigns: Sequence[Campaign], nodes: Sequence[int]) -> Iterator[Row]:
    """Longest days first, as the crew has them, beside the order of days: five seeds, usual fleet."""
    for campaign in campaigns:
        for many in nodes:
            fleet, gains = USUAL._replace(nodes=many), []
            for seed in range(1, 6):
                days = [rate.day(rows) for rows in campaign.rows(seed)]
                plain = Schedule(days, fleet, rate.costs, seed=seed).run()
                longest = Schedule(days, fleet, rate.costs, longest_first(days), seed=seed).run()
                gains.append(plain.makespan_s / longest.makespan_s)
            beside = f"day order takes {np.mean(gains):.2f} times as long ({min(gains):.2f} to {max(gains):.2f}, five seeds)"
            yield told("longest days first", campaign.told, len(days), fleet, longest, beside)


def drawn(rows: Sequence[Row], path: Path) -> None:
    """Efficiency and the shared things by nodes, a page to look at."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    whole = [row for row in rows if row["question"] in QUESTIONS]
    cases = list(dict.fromkeys(str(row["days x instruments"]) for row in whole))
    titles = [f"{case} days x instruments, {question}" for question in QUESTIONS for case in cases]
    figure = make_subplots(len(QUESTIONS), len(cases), subplot_titles=titles, shared_yaxes=True)
    looks = {"efficiency": "#1f6f8b", "head busy": "#c0504d", "writer busy": "#e0a030", "storage busy": "#888888"}
    for number, (question, case) in enumerate(product(QUESTIONS, cases)):
        mine = [row for row in whole if row["question"] == question and row["days x instruments"] == case]
        at = {"row": number // len(cases) + 1, "col": number % len(cases) + 1}
        for name, colour in looks.items():
            points = {"x": [row["nodes"] for row in mine], "y": [row[name] for row in mine]}
            line = go.Scatter(**points, name=name, line_color=colour, legendgroup=name, showlegend=number == 0)
            figure.add_trace(line, **at)
    figure.update_xaxes(type="log", title="nodes of 16 cores")
    figure.update_yaxes(range=[0, 1.05])
    figure.update_layout(title="What more hosts give", template="plotly_white")
    figure.write_html(path)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale_schedule", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--html", type=Path)
    parser.add_argument("--json", dest="target")
    options = parser.parse_args()
    found = figures()
    rate = rates(found)
    usual = found.get("said_rows_median_s", 800.0) * 86_400 / 10
    month, year, wide = Campaign(100, 30, usual), Campaign(1_000, 365, usual), Campaign(10_000, 30, usual)
    small = options.quick
    campaigns = [month] if small else [month, year, wide]
    rows = [
        *grown(QUESTIONS[0], rate, campaigns, (1, 10, 100, 1_000)),
        *grown(QUESTIONS[1], rate.compressed_by_one, campaigns, (1, 10, 100, 1_000)),
        *warm(rate, month if small else wide, (10, 100) if small else (10, 100, 1_000)),
        *one_by_one(rate, [claim for claim in full_at(found) if not small or claim[2] < 100]),
        *lost(rate, month if small else Campaign(1_000, 30, usual), 10 if small else 100, (0.05, 0.5)),
        *ordered(rate, [month], (10, 50, 100) if small else (10, 50, 100, 200)),
        *([] if small else ordered(rate, [Campaign(1_000, 30, usual)], (100, 1_000))),
    ]
    write(f"days on many hosts, simulated; a median day of {usual / rate.rows_s:.0f} s", rows, options.target)
    if options.html:
        drawn(rows, options.html)


if __name__ == "__main__":
    main()
