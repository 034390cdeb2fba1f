"""The account's host: risk, a gateway and a door an instrument, and the session with the venue, in one process.

It is one life for ever: what its nodes knew is on its tape, and a process that comes back feeds them their inputs again, hands on
what was under way between them, goes on with the sessions where they were, and asks the venue what it missed. Until that is
answered nothing new leaves. Strategies whose session falls are away: the account cancels what is theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

from actors.live.host import Host
from actors.live.link import Link
from actors.live.names import Address
from actors.live.operator import OPERATOR
from actors.live.part import Part, account_nodes
from actors.live.schedule import Schedule
from actors.live.seat import Device, Elsewhere, End
from actors.live.store import entries
from actors.wiring import RISK, gateway_of, trading_edges
from core.codec import decode
from core.ledger import Ledger
from core.message import (
    Command,
    Logon,
    Message,
    NewOrderSingle,
    News,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    PositionReport,
    Timer,
)
from core.node import Node
from core.outgoing import Kept
from core.session import Event, Fresh, Up
from core.tape import Deaf, Entry, Recalled, read, recall, refused, took

LEAVE_NS: Final = 10_000_000_000
"""For the cancels of a graceful end to be confirmed; what is not by then is told."""
LOOK_NS: Final = 50_000_000
REMEMBERED: Final = (NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest, PositionReport)


class Venue(Protocol):
    """The session with the venue, or what stands for it on paper."""

    def remember(self, message: Message) -> None:
        """Before `start`: what a gateway sent to the venue, or risk was told of a position, in an earlier life."""

    def start(self) -> None:
        """Begin."""

    def submit(self, now: int, message: Message) -> None:
        """Take a request."""

    def status(self) -> dict[str, Any]:
        """What an operator wants to know."""

    def stop(self, done: Callable[[], None]) -> None:
        """End on purpose, then say so."""


class Account:
    """The nodes of the account, and its session with the venue."""

    def __init__(self, host: Host, link: Link, part: Part) -> None:
        self.host, self.link, self.part = host, link, part
        self.instruments = part.instruments()
        self.nodes = account_nodes(part.graphs, self.instruments)
        self.risk = self.nodes.risk
        self.path = part.folder.tape(part.place.name)
        self.venue: Venue = part.venue(host, self.instruments, self.risk.ledger.position)
        self.schedule = Schedule(host.clock, lambda node, timer: host.soon(lambda: host.hand(node, timer)))
        link.older = self._older

    # --- beginning

    def begin(self) -> None:
        """Bring back what was known, seat the nodes, and begin with the venue."""
        host = self.host
        fresh = self.nodes.all()
        within = self._within()
        recalled = recall(fresh, entries(self.path), within)
        host.clock.catch_up(recalled.now)
        for node in fresh.values():
            host.add(node)
        ends: dict[str, End] = {name: Elsewhere(self.link, where, name) for name, where in self.part.where().items()}
        ends |= host.seats
        device = Device(self.venue.submit)
        symbols = [one.symbol for one in self.instruments]
        edges = trading_edges(ends, dict.fromkeys(symbols, device), [one.name for one in self.part.runners])
        for name, seat in host.seats.items():
            seat.routes = edges[name]
        self._restore(read(entries(self.path)))
        now = host.clock.now()
        self._make_good(recalled, now)
        host.departures.write_down(took(now, "", Logon(sender=host.name)))  # here another life begins
        self._resume(recalled, fresh, now)
        for symbol in symbols:
            host.hand(gateway_of(symbol), Timer(symbol, now, now, now, now, "recover"))
            self.schedule.enter(gateway_of(symbol), "reconcile")
        self.schedule.enter(RISK, "day_roll")
        for one in self.part.runners:  # until its session says otherwise
            host.hand(RISK, Command(now=now, strategy=one.name, verb="disconnected"))
        self.venue.start()

    def _make_good(self, recalled: Recalled, now: int) -> None:
        """What a node sent and a torn tape does not have is written down now, and sent to those elsewhere."""
        for name, message in recalled.unsent:
            seat = self.host.seats[name]
            ends = () if type(message) is News else seat.routes[type(message)](message)
            self.host.departures.add(seat, message, tuple(end for end in ends if isinstance(end, Elsewhere)), now)

    def _resume(self, recalled: Recalled, nodes: Mapping[str, Node], now: int) -> None:
        """What was under way when the process died goes on, but for new orders: the market that they were for is gone.

        Whether one of them had left is known only where the tape is whole, so its node takes it as sent, and "recover" puts it in
        doubt.
        """
        departures = self.host.departures
        for name, message in recalled.waiting:
            if isinstance(message, NewOrderSingle | OrderCancelReplaceRequest):
                outbox = Deaf()
                nodes[name].bind(outbox)
                departures.write_down(took(now, name, message))
                nodes[name].on(now, message)
                departures.write_down(*[refused(now, name, one) for one in outbox.sent])
                nodes[name].bind(self.host.seats[name])
            else:
                self.host.hand(name, message)

    def _within(self) -> Callable[[str, Message], Iterable[str]]:
        """Which of the account's own nodes a message is for, by the edges that it will be sent along."""
        names = self.nodes.all()
        ends: dict[str, str] = {name: name for name in self.part.where()} | {one.name: one.name for one in self.part.runners}
        edges = trading_edges(ends, {one.symbol: "" for one in self.instruments}, [one.name for one in self.part.runners])
        return lambda name, message: [end for end in edges[name][type(message)](message) if end in names]

    def _restore(self, lines: Iterable[Entry]) -> None:
        """The sessions' numbers as the tape ends in them, and what the venue's session must know of earlier requests."""
        numbers: dict[str, list[int]] = {}
        for line in lines:
            if line.peer and not line.peer.startswith(OPERATOR):  # what an operator's tool asked, it asks again
                epoch, sent, expected = numbers.setdefault(line.peer, [0, 1, 1])
                if line.way == "<" and not line.seq:
                    numbers[line.peer] = [decode(line.frame).epoch, 1, 1]  # type: ignore[union-attr]
                elif line.way == "<":
                    numbers[line.peer] = [epoch, sent, line.seq + 1]
                else:
                    numbers[line.peer] = [epoch, line.seq + 1, expected]
            if (line.way == ">" and line.node.startswith("gateway:")) or (line.way == "<" and line.node == RISK):
                message = decode(line.frame)
                if isinstance(message, REMEMBERED):
                    self.venue.remember(message)
        for peer, (epoch, sent, expected) in numbers.items():
            self.link.restore(peer, epoch, sent, expected)

    def _older(self, peer: str, first: int, last: int) -> Iterator[Kept]:
        """What was sent to a peer, in its present epoch, by the tape."""
        found: list[Kept] = []
        for line in read(entries(self.path)):
            if line.peer != peer:
                continue
            if line.way == "<" and not line.seq:
                found.clear()
            elif line.way in ">+" and first <= line.seq <= last:
                found.append(Kept(line.seq, line.node, line.target, line.frame))
        return iter(found)

    # --- what happens

    def heard(self, event: Event) -> None:
        """A host's session came up, fell or began anew: its strategies are there, or away."""
        now = self.host.clock.now()
        mine = [place.strategies for place in self.part.places if place.name == event.peer]
        strategies = mine[0] if mine else ()
        if isinstance(event, Fresh):
            logon = Logon(now=now, sender=event.peer, epoch=event.epoch)
            self.host.departures.write_down(took(now, "", logon, event.peer, 0))
        verb = "connected" if isinstance(event, Up) else "disconnected"
        for name in strategies:
            self.host.hand(RISK, Command(now=now, strategy=name, verb=verb))
        if strategies and not isinstance(event, Fresh):
            meant = isinstance(event, Up) or getattr(event, "meant", False)
            self.host.news(not meant, f"{event.peer} is {verb}", getattr(event, "text", ""))

    def moved(self, name: str, address: Address) -> None:
        """Another host is somewhere new: what it publishes of marks and ticks is for risk."""
        if any(place.name == name and place.normalizes for place in self.part.places):
            self.link.subscribe(name, address.publishing, address.public_key, [RISK])

    def status(self) -> dict[str, Any]:
        """What an operator wants to know."""
        risk, gateways = self.risk, self.nodes.gateways
        return {
            "positions": {one.symbol: risk.ledger.position(one.symbol) for one in self.instruments},
            "money": {one.symbol: _money(risk.ledger, one.symbol) for one in self.instruments},
            "orders": {
                symbol: [
                    {
                        "id": order.cl_ord_id,
                        "side": order.side,
                        "price": order.price,
                        "leaves": order.leaves_qty,
                        "status": order.status.name,
                    }
                    for order in {id(order): order for order in gateway.orders.values()}.values()
                ]
                for symbol, gateway in gateways.items()
            },
            "unknown": {
                symbol: [one for order in gateway.orders.values() for one in order.unknown]
                for symbol, gateway in gateways.items()
            },
            "held": {one.symbol: one.qty_text(risk.ledger.position(one.symbol)) for one in self.instruments},
            "today": risk.guard.equity.now - risk.guard.equity.begun if risk.guard is not None else 0.0,
            "approved": risk.approved,
            "refused": risk.refused,
            "refusal": risk.refusal,
            "left": {symbol: door.left for symbol, door in self.nodes.doors.items()},
            "states": [
                {"symbol": one.symbol, "source": one.source, "state": one.state.value, "text": one.text}
                for one in risk.states.words()
            ],
            "venue": self.venue.status(),
        }

    def leave(self, done: Callable[[bool], None]) -> None:
        """Strategies have said what they had to; what still works is canceled, then the session with the venue ends."""
        now = self.host.clock.now()
        self.host.hand(RISK, Command(now=now, verb="cancel"))
        self._await_flat(now + LEAVE_NS, done)

    def _await_flat(self, until: int, done: Callable[[bool], None]) -> None:
        working = sum(order.working for gateway in self.nodes.gateways.values() for order in gateway.orders.values())
        now = self.host.clock.now()
        if working and now < until:
            self.host.at(now + LOOK_NS, lambda: self._await_flat(until, done))
            return
        if working:
            self.host.news(
                2, f"{working} orders still work at the end", "the venue's countdown cancels them, if it holds a lease"
            )
        self.schedule.close()
        self.venue.stop(lambda: done(not working))


def _money(ledger: Ledger, symbol: str) -> dict[str, float]:
    account = ledger.of(symbol)
    return {
        "realised": account.realised, "fees": account.fees, "funding": account.funding, "turnover": account.turnover,
        "trades": account.trades,
    }  # fmt: skip
