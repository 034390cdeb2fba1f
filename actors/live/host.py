"""The live host: the nodes that share one process, turned by the world.

A turn is the simulated host's turn. What other threads brought is run; what came over the link goes to the nodes it is for;
every frame of the market goes through its normalizer into all mailboxes; then each strategy takes at most one item from its
mailbox, and the other nodes take what waits for them until nothing does. Then the turn is written to the tape, and what was sent
leaves (`actors/live/departure.py` has the rules). Frames and ticks are written behind that: no session has to know them again.

A strategy's exception is a bug of its author: it is stopped, the account cancels its orders, the others trade on. An exception of
any other node is a bug of ours, and ends the process. An instrument whose prices are off the grid that it was begun with gets no
more ticks: its market goes stale, and the account takes only what reduces.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from traceback import format_exception
from typing import Any, Final

from actors.live.clock import Clock
from actors.live.departure import Departures
from actors.live.loop import Loop
from actors.live.seat import Carrier, Seat
from core.codec import WireError, decode
from core.mailbox import Mailbox
from core.message import Command, Heartbeat, Message, News, Timer
from core.node import Node
from core.ports import Store
from core.price import GridError
from core.session import Event
from core.tape import digested, handed, sent, took

NEVER: Final = 2**62
SAVE_NS: Final = 5_000_000
"""How long what explains nothing that left may wait for the tape while there is other work: as long as for the disk."""


class Host:
    """The nodes of one process, and the turn. `operator` takes the news."""

    def __init__(self, name: str, loop: Loop, link: Carrier, tape: Store, operator: Callable[[News], None]) -> None:
        self.name, self.loop, self.link, self.operator = name, loop, link, operator
        self.departures = Departures(link, tape, self.news)
        self.seats: dict[str, Seat] = {}
        self.strategies: list[Seat] = []
        self.commands: dict[str, Callable[[Command], None]] = {}
        """What an operator may ask of the host itself, by verb; the command's `strategy` is who asks."""
        self.heard: Callable[[Event], None] = lambda event: None
        """Is told what happens to sessions with other hosts."""
        self.handled = 0
        self.busy: dict[type[Message] | None, list[int]] = {}
        """By the type of what was handed over (None: frames): how often, and how many ns that took in all."""
        self.stopping = False
        self._inbox: deque[tuple[Seat, Message]] = deque()
        self._came: dict[int, tuple[str, int]] = {}
        self._wakes: list[tuple[int, int, Seat, Timer]] = []
        self._count = 0
        self._save_at = 0
        self._behind: list[tuple[Callable[..., bytes], tuple[Any, ...]]] = []

    def add(self, node: Node, mailbox: Mailbox | None = None) -> Seat:
        """Seat a node; a strategy brings its mailbox."""
        seat = self.seats[node.name] = Seat(self, node, mailbox)
        if mailbox is not None:
            self.strategies.append(seat)
        node.bind(seat)
        return seat

    # --- what devices see of it

    @property
    def clock(self) -> Clock:
        """Where `now` comes from."""
        return self.loop.clock

    def soon(self, call: Callable[[], None]) -> None:
        """From any thread: run a call on the loop's thread, in its next turn."""
        self.loop.soon(call)

    def at(self, when: int, call: Callable[[], None]) -> None:
        """Run a call at a time (ns UTC)."""
        self.loop.at(when, call)

    def hand(self, node: str, message: Message) -> None:
        """Put a message before a node, as arrived now."""
        self.seats[node].put(message)

    def news(self, urgency: int, headline: str, text: str = "") -> None:
        """A word to the operator."""
        self.operator(News("", now=self.clock.now(), urgency=urgency, headline=headline, text=text, source=self.name))  # type: ignore[arg-type]

    # --- what seats see of it

    def wait_for(self, seat: Seat, message: Message) -> None:
        """A message waits for a node without a mailbox."""
        self._inbox.append((seat, message))

    def wake(self, seat: Seat, at: int, key: str) -> None:
        """Hand the node a Timer at a time."""
        self._count += 1
        heappush(self._wakes, (at, self._count, seat, Timer("", at, 0, 0, at, key)))

    def noted(self, node: str, entry: Message) -> None:
        """A node wrote something down."""
        self.operator(News("", now=self.clock.now(), headline=f"{node} notes", text=repr(entry), source=node))

    # --- the turn

    def run(self) -> None:
        """Turn until told to stop."""
        while not self.stopping:
            self.turn()

    def turn(self, longest: int = NEVER) -> None:
        """Sleep until something happens, at the longest until a time, and take one turn."""
        due = min(longest, self.link.tick(self.clock.now()))
        if self._wakes:
            due = min(due, self._wakes[0][0])
        if self._busy():
            due = 0
        ready = self.loop.wait(due)
        now = self.loop.run_calls()
        self._arrive(now, ready)
        self._wake_up(now)
        frames = self.loop.frames
        for _ in range(len(frames)):
            self._normalize(*frames.popleft())
        for seat in self.strategies:
            item = seat.mailbox.take(self.clock.now())  # type: ignore[union-attr]
            if item is not None:
                self._hand(seat, item)
        while self._inbox:
            self._hand(*self._inbox.popleft())
        if self.departures.pressing:
            self.departures.settle(self.clock.now())
        if not self._busy() or self.clock.now() >= self._save_at:
            self.save()

    def save(self) -> None:
        """Bring the tape up to date: when nothing waits to be handled, and every few milliseconds whatever does."""
        self.departures.write_down(*[make(*given) for make, given in self._behind])
        self._behind.clear()
        now = self.clock.now()
        self._save_at = now + SAVE_NS
        self.departures.settle(now)

    def _busy(self) -> bool:
        """Whether something waits to be handled."""
        return bool(self._inbox or self.loop.frames) or any(seat.mailbox.ready for seat in self.strategies)  # type: ignore[union-attr]

    def _arrive(self, now: int, ready: list[tuple[Any, int]]) -> None:
        """What came over the link goes to whom it is for; what is no message, or for nobody, is done with."""
        arrived = self.link.receive(now, ready)
        for event in self.link.events():
            self.heard(event)
        for lane, peer, seq, _, target, frame, _ in arrived:
            try:
                message = decode(frame)
            except WireError as error:
                self.news(2, "a message that is none", f"number {seq} of {peer} for {target}: {error}")
                message = None
            seat = self.seats.get(target)
            if seat is not None and message is not None:
                if lane == "every":
                    self._came[id(message)] = peer, seq
                seat.put(message)
                continue
            if lane == "every":
                self.departures.write_down(took(now, "", message or Heartbeat(), peer, seq))
                self.departures.took(peer, seq)
            if isinstance(message, Command) and target == self.name:
                self._obey(message, peer)

    def _obey(self, command: Command, peer: str) -> None:
        verb = self.commands.get(command.verb)
        if verb is None:
            self.news(1, f"no verb {command.verb!r}", f"asked by {peer}")
        else:
            command.strategy = peer
            verb(command)

    def _wake_up(self, now: int) -> None:
        wakes = self._wakes
        while wakes and wakes[0][0] <= now:
            _, _, seat, timer = heappop(wakes)
            timer.received = timer.now = now
            seat.put(timer)

    def _normalize(self, node: str, received: int, frame: bytes) -> None:
        seat = self.seats[node]
        if seat.stopped:
            return
        now = self.clock.now()
        self.handled += 1
        self._behind.append((handed, (now, node, received, frame)))
        try:
            seat.node.on_frame(now, received, frame)  # type: ignore[attr-defined]
        except GridError as error:
            seat.stopped = True
            self.news(2, f"{node} is stopped: the instrument's tick or lot is not what it was", str(error))
        except WireError as error:
            self.news(1, f"{node}: the venue sent what is no frame", str(error))
        self._collect(seat, now)
        self._worked(None, now)

    def _hand(self, seat: Seat, message: Message) -> None:
        """Give a node one message, and collect what it sends."""
        now = self.clock.now()
        self.handled += 1
        peer, seq = self._came.pop(id(message), ("", 0)) if self._came else ("", 0)
        if seq:
            self.departures.took(peer, seq)
        if seat.stopped:
            return
        if seat.market:
            self._behind.append((bytes, (took(now, seat.name, message, peer, seq),)))
        else:
            self.departures.write_down(took(now, seat.name, message, peer, seq))
        try:
            seat.node.on(now, message)
        except Exception as error:
            if seat.mailbox is None:
                raise
            self._stop(seat, error, now)
        self._collect(seat, now)
        self._worked(type(message), now)

    def _worked(self, kind: type[Message] | None, since: int) -> None:
        spent = self.busy.setdefault(kind, [0, 0])
        spent[0] += 1
        spent[1] += self.clock.now() - since

    def _stop(self, seat: Seat, error: Exception, now: int) -> None:
        """A strategy failed: nothing more is handed to it, nothing that it wanted to send leaves, and the account is told."""
        seat.stopped = True
        seat.sent.clear()
        seat.sent.append(Command(now=now, strategy=seat.name, verb="disconnected"))
        self.news(2, f"{seat.name} failed and is stopped", "".join(format_exception(error)))

    def _collect(self, seat: Seat, now: int) -> None:
        """Put what a node sent where it leaves from."""
        for message in seat.sent:
            if type(message) is News:
                self.departures.write_down(sent(now, seat.name, message))
                self.operator(message)
            elif seat.market and message.lane == "latest":
                self._behind.append((digested, (now, seat.name, message)))
                for end in seat.routes[type(message)](message):
                    end.take(seat.name, message, now)
            else:
                self.departures.add(seat, message, seat.routes[type(message)](message), now)
        seat.sent.clear()
