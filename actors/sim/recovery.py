"""The death of the account's process, and its recovery from tape and venue (the rules are `actors/sim/death.py`'s).

The tape tells what was taken and what was sent. What it does not tell was not promised to anybody: other hosts send it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from random import Random
from typing import Final

from actors.sim.death import Death, MarketDeath
from actors.sim.heap import ARRIVAL, NEVER, Target
from actors.sim.host import Seat
from actors.sim.store import FaultyJournal
from actors.sim.storm import Dying
from core.codec import decode, encode
from core.message import (
    BusinessMessageReject,
    Command,
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassStatusRequest,
    Timer,
    Unanswered,
)
from core.node import Node
from core.tape import Deaf, read, recall, took
from core.tape import sent as wrote

TIDIED_NS: Final = 5_000_000_000
"""Until a person has looked at an account that lost part of its tape."""
REQUESTS: Final = (NewOrderSingle, OrderCancelRequest, OrderCancelReplaceRequest)
FROM_VENUE: Final = (ExecutionReport, OrderCancelReject, BusinessMessageReject, OrderMassStatusRequest, Unanswered)
"""What a session hands over, and a process has only in memory until it is written down."""
FROM_HOSTS: Final = (*REQUESTS, Command)
"""What another host's session sends again to an account that had not written it down."""


class AccountDeath(Death):
    """Of risk, gateways and the venue's session."""

    def die(self, now: int, dying: Dying) -> None:
        """Everything in memory is gone; the tape and the venue remain."""
        storm, place, host = self.storm, self.place, self.host
        storm.fired["crash"] += 1
        journal = place.journal
        assert isinstance(journal, FaultyJournal)
        lost = journal.die(dying.unwritten if dying.writing else ())
        back = self._down(now)
        resent = self._sent_again(dying, (Command,) if lost else FROM_HOSTS)
        gone = (*FROM_VENUE, Timer)
        self._forget(lambda one: isinstance(one[3], Seat) and one[3].name in self.seats and isinstance(one[4], gone))
        nodes = self.remake.account()
        recalled = recall(nodes, journal.entries(), self._within)
        self._later(back, lambda at: place.clock.begin(at, recalled.now))
        place.inbox = deque()
        for session in storm.sessions.values():
            place.inbox.append((self.seats["risk"], session.begin(back, lost)))
        for name, message in recalled.unsent:
            place.unwritten.append(wrote(recalled.now, name, message))
            for target in self.seats[name].routes[type(message)](message):
                if isinstance(target, Seat) and target.place is not place:
                    host.link.bring(back, place.name, target.place.name, target, message)
        for name, message in recalled.waiting:
            if lost and isinstance(message, REQUESTS):
                self._doubt(nodes[name], recalled.now, message)
            else:
                place.inbox.append((self.seats[name], message))
        place.inbox += resent
        for node in nodes.values():
            host.restart(node)
        self._show(nodes)
        for target, message in () if lost else self._written(dying):
            if isinstance(target, Seat) and target.place is not place:
                host.link.bring(back, place.name, target.place.name, target, message)
        self._later(back, self._recover)
        if place.turn_at == NEVER:
            place.begin(back)
        if lost:
            self._lose_all(now, back)

    def _doubt(self, node: Node, now: int, message: Message) -> None:
        """A request that was under way in the process, and may have left, for what says so may be gone: it is not sent again."""
        deaf = Deaf()
        node.bind(deaf)
        node.on(now, message)
        self.place.unwritten += [took(now, node.name, message), *(wrote(now, node.name, one) for one in deaf.sent)]

    def _recover(self, now: int) -> None:
        at = self.place.clock.now(now)
        for name, seat in self.seats.items():
            if name.startswith("gateway"):
                self.host.push(now, ARRIVAL, seat, Timer("", at, at, at, at, "recover"))

    def _written(self, dying: Dying) -> list[tuple[Target, Message]]:
        """Of what was to leave, what the tape has: the sessions send it from there."""
        if not dying.unwritten:
            return list(dying.leaving)
        kept = set(self.place.journal.entries())
        frames = {line.frame for line in read(one for one in dying.unwritten if one in kept) if line.way == ">"}
        return [(target, message) for target, message in dying.leaving if encode(message) in frames]

    def _sent_again(self, dying: Dying, kinds: tuple[type[Message], ...]) -> list[tuple[Seat, Message]]:
        """What was not taken, or taken and not written down; the numbers on the tape say what was."""
        kept = set(self.place.journal.entries())
        lost = [line for line in read(one for one in dying.unwritten if one not in kept) if line.way == "<"]
        risk = self.seats["risk"]
        waiting = [decode(line.frame) for line in lost if line.node == risk.name]
        waiting += [message for seat, message in self.place.inbox if seat is risk]  # type: ignore[misc]
        return [(risk, message) for message in waiting if isinstance(message, kinds)]

    def _within(self, name: str, message: Message) -> list[str]:
        targets = self.seats[name].routes[type(message)](message)
        return [one.name for one in targets if isinstance(one, Seat) and one.name in self.seats]

    def _show(self, nodes: Mapping[str, Node]) -> None:
        simulation = self.simulation
        simulation.risk = nodes["risk"]  # type: ignore[assignment]
        for symbol in simulation.gateways:
            simulation.gateways[symbol] = nodes[f"gateway:{symbol}"]  # type: ignore[assignment]

    def _lose_all(self, now: int, back: int) -> None:
        """The other processes begin anew, and a person looks after what is left of orders that nobody knows."""
        for place in self.storm.places():
            if place is not self.place:
                death = MarketDeath(self.storm, place, self.simulation, self.remake, Random(back))
                death.again = False
                place.on_death = death.die
                place.die(now)
        risk = self.seats["risk"]
        self._later(back + TIDIED_NS, lambda at: self.host.push(at, ARRIVAL, risk, Command("", at, at, at, "", "cancel", "")))
