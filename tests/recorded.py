"""A session recorded on a real disk: the live hosts' own loop, nodes and tapes, with a wire and a venue that the test plays."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from actors.graph import Plan, code_of, read
from actors.live.account import Account
from actors.live.clock import Clock
from actors.live.folder import Folder, Sitting
from actors.live.host import Host
from actors.live.loop import Loop
from actors.live.part import Part
from actors.live.placement import ACCOUNT
from actors.live.seat import Device, Elsewhere, End
from actors.live.store import Journal
from actors.wiring import RISK, gateway_of, market_edges, trading_edges
from core.codec import encode
from core.dialect.binance.hosts import VenueTable
from core.instrument import Instrument, Key
from core.mailbox import Mailbox
from core.message import (
    Command,
    ExecType,
    ExecutionReport,
    Message,
    NewOrderSingle,
    News,
    OrderCancelRequest,
    OrderMassStatusRequest,
    OrdStatus,
)
from core.session import Event, Fresh, Up
from tests.captures import MS, Venue

SYMBOL = "BTCUSDT"
MARKET = f"market:{SYMBOL}"
BTC = Instrument(Key("binance_usdm", SYMBOL), "0.1", "0.001")
OWN = '''
"""Buys at the best bid, below it with `offset`, or takes every `take_ms`; fails at its tick number `fail_at`."""
from core.message import Tick, Timer
from core.strategy import MS, Strategy


class Own(Strategy):
    offset: int = 0
    fail_at: int = 0
    take_ms: int = 0

    def on_start(self) -> None:
        self.seen = 0
        if self.take_ms:
            self.every(self.take_ms * MS, "take")

    def on_timer(self, timer: Timer) -> None:
        if self.tick.two_sided:
            self.buy(self.tick.ask + 9, 2)

    def on_tick(self, tick: Tick) -> None:
        self.seen += 1
        if self.take_ms:
            return
        if self.seen == self.fail_at:
            raise RuntimeError("no more")
        if not tick.two_sided:
            return
        for order in self.orders.values():
            if order.price != tick.bid - self.offset:
                self.cancel(order)
        if not self.orders and self.seen % 3 == 0:
            self.buy(tick.bid - self.offset, 1 + self.seen % 2)
'''
GRAPH = """
name = "own"
instruments = ["BTCUSDT"]
[strategy]
use = "own.py:Own"
{parameters}
[limits]
order_qty = 1.0
position = 100.0
"""


class Wire:
    """A link whose peers are wires of the same test."""

    def __init__(self, name: str, wires: dict[str, Wire], where: dict[str, str]) -> None:
        self.name, self.wires, self.where = name, wires, where
        self.inward: deque[tuple[str, str, int, str, str, bytes, int]] = deque()
        self.numbers: dict[str, int] = {}
        self.older: Any = None
        wires[name] = self

    def number(self, peer: str) -> int:
        return self.numbers.get(peer, 1)

    def refuses(self, peer: str) -> str:
        return "" if peer in self.wires else f"no session with {peer}"

    def post(self, peer: str, source: str, target: str, message: Message, now: int) -> int:
        number = self.number(peer)
        self.numbers[peer] = number + 1
        if peer in self.wires:
            self.wires[peer].inward.append(("every", self.name, number, source, target, encode(message), now))
        return number

    def publish(self, source: str, target: str, message: Message, now: int) -> None:
        if self.where[target] in self.wires:
            self.wires[self.where[target]].inward.append(("latest", self.name, 0, source, target, encode(message), now))

    def restore(self, peer: str, epoch: int, sent: int, expected: int) -> None:
        self.numbers[peer] = sent

    def taken(self, peer: str, seq: int) -> None: ...

    def receive(self, now: int, ready: object = None) -> list[tuple[str, str, int, str, str, bytes, int]]:
        arrived = list(self.inward)
        self.inward.clear()
        return arrived

    def events(self) -> list[Event]:
        return []

    def tick(self, now: int) -> int:
        return now + 10_000 * MS


class Paced(Clock):
    """A clock that the test sets; it goes on by a microsecond whenever it is looked at."""

    __slots__ = ("time",)

    def __init__(self) -> None:
        super().__init__()
        self.time = time.time_ns()

    def now(self) -> int:
        self.time += 1_000
        return self.time


class Desk:
    """A venue that acknowledges every order, fills one of so many at once, and cancels what it is asked to."""

    def __init__(self, host: Host, fills: int) -> None:
        self.host, self.fills = host, fills
        self.count = 0
        self.open: dict[str, NewOrderSingle] = {}

    def remember(self, message: Message) -> None:
        if isinstance(message, NewOrderSingle):
            self.count += 1

    def start(self) -> None: ...

    def submit(self, now: int, message: Message) -> None:
        if isinstance(message, NewOrderSingle):
            self.count += 1
            self.open[message.cl_ord_id] = message
            self._say(now, message, ExecType.NEW, OrdStatus.NEW)
            if self.count % self.fills == 0:
                self._say(now, message, ExecType.TRADE, OrdStatus.FILLED, message.order_qty)
                del self.open[message.cl_ord_id]
        elif isinstance(message, OrderCancelRequest) and message.orig_cl_ord_id in self.open:
            order = self.open.pop(message.orig_cl_ord_id)
            self._say(now, order, ExecType.CANCELED, OrdStatus.CANCELED, cl_ord_id=message.cl_ord_id)
        elif isinstance(message, OrderMassStatusRequest):
            self.host.hand(gateway_of(message.symbol), message)

    def _say(self, now: int, order: NewOrderSingle, kind: ExecType, status: OrdStatus, qty: int = 0, cl_ord_id: str = "") -> None:
        done = status in (OrdStatus.FILLED, OrdStatus.CANCELED)
        report = ExecutionReport(
            order.symbol, now, now, now, f"v{order.cl_ord_id}", cl_ord_id or order.cl_ord_id,
            order.cl_ord_id if cl_ord_id else "", f"{order.cl_ord_id}-{kind}", "", kind, status, order.side, order.ord_type,
            order.time_in_force, order.price, order.order_qty, qty, 0 if done else order.order_qty, qty,
            order.price if qty else 0,
        )  # fmt: skip
        self.host.hand(gateway_of(order.symbol), report)

    def status(self) -> dict[str, Any]:
        return {}

    def stop(self, done: Callable[[], None]) -> None:
        done()


class Seated(Part):
    """A part whose venue is the desk. It fills all that takes."""

    def venue(self, host: Host, *given: Any) -> Desk:
        return Desk(host, 1 if self.graphs[0].parameters.get("take_ms") else 2)


class Recording:
    """A session that is being recorded. `begin_account` and `begin_market` begin a life of a host, `kill` ends one at once."""

    def __init__(self, root: Path, parameters: str = "") -> None:
        (root / "own.py").write_text(OWN)
        (root / "own.toml").write_text(GRAPH.format(parameters=parameters))
        plans = (read(root / "own.toml"),)
        sitting = Sitting(
            f"s{len(list(root.glob('sessions/*')))}", time.time_ns(), False, VenueTable(), plans, (BTC,), code=code_of(plans)
        )
        self.folder = Folder.create(root / "sessions", sitting)
        self.sitting = sitting
        self.wires: dict[str, Wire] = {}
        self.hosts: dict[str, Host] = {}
        self.tapes: dict[str, Journal] = {}
        self.news: list[News] = []
        self.clock = Paced()
        self.venue = Venue(start=self.clock.time // MS * MS, skew_ns=MS)
        self.funding = self.venue.now + 3_600_000 * MS
        self.market: list[bytes] = []

    @property
    def plans(self) -> Sequence[Plan]:
        return self.sitting.plans

    def _host(self, name: str, epoch: int) -> tuple[Host, Part]:
        place = next(one for one in self.sitting.places() if one.name == name)
        part = Seated(self.folder, self.sitting, place, epoch)
        self.tapes[name] = Journal(self.folder.tape(name, epoch))
        wire = Wire(name, self.wires, part.where())
        host = self.hosts[name] = Host(name, Loop(self.clock), wire, self.tapes[name], self.news.append)
        return host, part

    def begin_account(self) -> Account:
        """A life of the account, its strategies connected if they are there."""
        host, part = self._host(ACCOUNT, 0)
        self.account = Account(host, host.link, part)  # type: ignore[arg-type]
        self.account.begin()
        host.turn(0)
        if MARKET in self.hosts:
            self.account.heard(Up(MARKET, self.epoch))
        return self.account

    def begin_market(self, epoch: int) -> Host:
        """A life of the market's host."""
        self.epoch = epoch
        host, part = self._host(MARKET, epoch)
        strategies = part.strategies()
        for node in part.normalizers().values():
            host.add(node)
        for strategy in strategies.values():
            host.add(strategy, Mailbox(type(strategy).sampling()))
        ends: dict[str, End] = {name: Elsewhere(host.link, where, name) for name, where in part.where().items()}
        ends |= host.seats
        source = Device(lambda now, message: None)
        edges = trading_edges(ends, {SYMBOL: source}, list(strategies)) | market_edges(
            ends, {SYMBOL: part.watchers(SYMBOL)}, source
        )
        for name, seat in host.seats.items():
            seat.routes = edges[name]
        now = host.clock.now()
        for name in strategies:
            edges[name][Command] = lambda message: (ends[RISK],)
            host.hand(name, Command(now=now, strategy=name, verb="trading", argument="off"))
            host.hand(name, Command(now=now, strategy=name, verb="start", argument=part.start_of(name)))
        self.hosts[ACCOUNT].link.numbers.pop(MARKET, None)  # type: ignore[attr-defined]
        self.account.heard(Fresh(MARKET, epoch, ()))
        self.account.heard(Up(MARKET, self.epoch))
        return host

    def trade(self, steps: int) -> None:
        """The market goes on by so many steps, each frame a turn of both hosts."""
        for begin in range(0, steps, 40):
            self.venue.mark(self.funding)
            self.venue.run(min(40, steps - begin), snapshot_at=-1 if begin else 2)
        for line in self.venue.cut():
            stamp, frame = line.split(b" ", 1)
            self.clock.time = max(self.clock.time, int(stamp))
            if MARKET in self.hosts:
                received = self.clock.now()
                self.hosts[MARKET].loop.frame(f"normalizer:{SYMBOL}", received, frame)
                self.market.append(b"%d %s" % (received, frame))
            for _ in range(2):
                for one in list(self.hosts.values()):
                    one.turn(0)

    def kill(self, name: str) -> None:
        """End a host's life at once: what is not on its tape is gone."""
        self.tapes.pop(name).close()
        if name == ACCOUNT:
            self.account.schedule.close()
        del self.hosts[name], self.wires[name]

    def end(self) -> Folder:
        """Let every host go; the session's folder."""
        for _ in range(20):
            for one in self.hosts.values():
                one.turn(0)
        for name in list(self.hosts):
            self.kill(name)
        if self.market:
            self.venue.save(self.folder.market / f"{SYMBOL}-1.gz", self.market)
        return self.folder


def recorded(root: Path, parameters: str = "", steps: int = 200) -> Folder:
    """A session of one life a host."""
    recording = Recording(root, parameters)
    recording.begin_account()
    recording.begin_market(1)
    recording.trade(steps)
    return recording.end()
