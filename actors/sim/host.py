"""The simulated host: every node of a graph on one heap of events, under a clock that moves only when an event is taken.

Nodes live in *places*. A place is what a process is live: its nodes share one thread, so a node that works delays the others,
and the place is charged `busy_ns` for each kind of message that one of its nodes takes. Time is never read from a clock: the
charge comes from the graph's configuration, so that a run repeats.

A turn of a place is the live host's turn. At its start T every market frame that has arrived goes through the normalizer into
all mailboxes (each costs the place its `frame` time); then each strategy takes at most one item from its mailbox, and nodes
without a mailbox take what waits for them, in order. What a node sends leaves when the time of its message is over: to a node of
the same place at once, for its next turn; to one elsewhere over the simulated link. A place with something waiting begins its
next turn as soon as it is free, else with the next arrival.

At one time t all arrivals update the mailboxes first; then turns begin; then observers look. Ties are broken by the order in
which things were scheduled, so a run is the same under any hash seed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import heapify
from typing import Final, Protocol

from actors.sim.heap import ARRIVAL, NEVER, TURN, Heap, Target
from actors.sim.link import Link
from actors.sim.schedule import Schedule
from actors.sim.store import Journal
from core.codec import encode
from core.mailbox import Mailbox
from core.message import ExecutionReport, Funding, Message, OrderCancelReject, Tick, Timer
from core.node import Node
from core.ports import Store
from core.tape import sent as wrote
from core.tape import took

BUSY_KINDS: Final[Mapping[type[Message], str]] = {
    Tick: "tick",
    Timer: "timer",
    ExecutionReport: "report",
    OrderCancelReject: "report",
    Funding: "report",
}
"""Which entry of the graph's busy table a message is charged by; those not named here count as `order`."""

Route = Callable[[Message], Iterable[Target]]
Watch = Callable[[int, str, Message], None]


class Feed(Protocol):
    """One instrument's market as it reaches a place (`actors/sim/venue.py`)."""

    def advance(self, until: int) -> int:
        """Replay up to `until` or to the venue's first reply; returns the time reached."""

    def look(self, until: int) -> int:
        """Replay the exchange's side alone up to `until`; returns that or when the first reply arrives, if earlier."""

    def replies(self) -> list[Message]:
        """What the venue answered by the time reached, each with the time it arrived in `received`."""

    def next_frame(self) -> int:
        """When the first market frame arrives, or has arrived, that `absorb` has not counted yet."""

    def settle(self, free_at: int, frame_ns: int, until: int) -> int:
        """When a place is free of the turns that frames alone began before `until`."""

    def absorb(self) -> tuple[int, int]:
        """How many frames have arrived since the last call, and how many of them `settle` has not yet charged."""

    def tick(self, now: int) -> Tick:
        """The newest market, with the trades since the last call."""


class Seat:
    """A node in its place: its mailbox, if it is a strategy, and the outbox through which it acts."""

    __slots__ = ("host", "mailbox", "name", "node", "place", "routes", "sent")
    beside = False

    def __init__(self, host: SimHost, node: Node, place: Place, mailbox: Mailbox | None) -> None:
        self.host, self.node, self.place, self.mailbox = host, node, place, mailbox
        self.name = node.name
        self.routes: dict[type[Message], Route] = {}
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        """The node's outbox: what it sends leaves when its time with the message in hand is over."""
        self.sent.append(message)

    def wake(self, at: int, key: str = "") -> None:
        """The node's outbox: a Timer at a time; at once when that time is past."""
        now = self.host.clock.time
        due = max(at, now)
        self.host.push(due, ARRIVAL, self, Timer("", at, due, due, at, key))

    def record(self, entry: Message) -> None:
        """The node's outbox: an entry of its journal."""
        self.host.journal.append(encode(entry))

    def arrive(self, now: int, message: Message | None) -> None:
        """A message reached this node's place."""
        place = self.place
        if self.mailbox is not None:
            self.mailbox.put(message)  # type: ignore[arg-type]
        else:
            place.inbox.append((self, message))  # type: ignore[arg-type]
        if place.turn_at == NEVER:
            if place.feeds or place.free_at > now or self.host.more_at(now):
                place.begin(now)
            else:
                place.arrive(now, None)


class Place:
    """What shares one process, and therefore its time."""

    __slots__ = ("busy_ns", "feeds", "frame_ns", "free_at", "host", "inbox", "name", "order_ns", "seats", "turn_at", "watched")
    beside = True

    def __init__(self, host: SimHost, name: str, busy_ns: Mapping[str, int]) -> None:
        self.host, self.name = host, name
        self.frame_ns = busy_ns.get("frame", 0)
        self.order_ns = busy_ns.get("order", 0)
        self.busy_ns = {kind: busy_ns.get(word, 0) for kind, word in BUSY_KINDS.items()}
        self.free_at = 0
        self.turn_at = NEVER
        self.inbox: deque[tuple[Seat, Message]] = deque()
        self.seats: list[Seat] = []
        self.feeds: list[tuple[Feed, list[Mailbox]]] = []
        self.watched: list[Feed] = []

    def begin(self, now: int) -> None:
        """Schedule the next turn: as soon as the place is free, at the earliest now."""
        if self.frame_ns:
            for feed, _ in self.feeds:
                self.free_at = feed.settle(self.free_at, self.frame_ns, now)
        self.turn_at = max(self.free_at, now)
        self.host.push(self.turn_at, TURN, self, None)

    def waiting(self) -> Iterator[tuple[Seat, Message]]:
        """What has arrived and no node has taken yet, but for ticks."""
        for seat in self.seats:
            yield from ((seat, message) for message in seat.mailbox.undropped)  # type: ignore[union-attr]
        yield from self.inbox

    def next_frame_turn(self) -> int:
        """When a frame, waiting or next to come, begins a turn of its own; NEVER while a turn is scheduled anyway."""
        if self.turn_at != NEVER:
            return NEVER
        at = min(feed.next_frame() for feed in self.watched)
        return max(at, self.free_at)

    def arrive(self, now: int, message: Message | None) -> None:
        """A turn: frames, then one item a strategy, then what waits for the other nodes."""
        self.turn_at = NEVER
        time = now + self._normalize(now) if self.feeds else now
        if self.host.stepping:
            self.host.begun = self._turn(time)
        else:
            for _ in self._turn(time):
                pass

    def _turn(self, time: int) -> Iterator[None]:
        """What is left of a turn once the frames are in, a message at a time."""
        waiting = False
        for seat in self.seats:
            item = seat.mailbox.take(time)  # type: ignore[union-attr]
            if item is not None:
                time = self._hand(seat, time, item)
                waiting = waiting or seat.mailbox.ready  # type: ignore[union-attr]
                yield
        inbox = self.inbox
        for _ in range(len(inbox)):
            seat, item = inbox.popleft()
            time = self._hand(seat, time, item)
            yield
        self.free_at = time
        if waiting or inbox:
            self.begin(time)

    def _normalize(self, now: int) -> int:
        """Put what has arrived of each market into the mailboxes; returns the time that it took."""
        spent = 0
        for feed, mailboxes in self.feeds:
            for mailbox in mailboxes:
                if mailbox.wants_market:
                    break
            else:
                continue
            frames, uncharged = feed.absorb()
            if not frames:
                continue
            spent += uncharged * self.frame_ns
            tick = feed.tick(now)
            for mailbox in mailboxes:
                mailbox.pass_over(frames - 1)
                mailbox.put_tick(tick)
        return spent

    def _hand(self, seat: Seat, time: int, item: Message) -> int:
        """Give a node one message, charge the place for it and let go what the node sent; returns when that is done."""
        host = self.host
        host.handled += 1
        if host.watch is not None:
            host.watch(time, seat.name, item)
        if host.tape is not None:
            host.tape.append(took(time, seat.name, item))
        seat.node.on(time, item)
        done = time + self.busy_ns.get(type(item), self.order_ns)
        sent = seat.sent
        if sent:
            for message in sent:
                if host.tape is not None:
                    host.tape.append(wrote(time, seat.name, message))
                for target in seat.routes[type(message)](message):
                    if type(target) is Seat and target.place is self:
                        self.inbox.append((target, message))
                    else:
                        host.link.carry(done, target, message)
            sent.clear()
        return done


class SimHost:
    """Places, feeds, the heap and the clock of one simulated run."""

    seat_kind: type[Seat] = Seat

    def __init__(self, start: int, end: int, link_ns: int = 0, watch: Watch | None = None) -> None:
        """Simulate from `start` to `end` (ns UTC, the end excluded); `watch` sees each message as it is handed to a node."""
        self.heap = Heap(start, end)
        self.clock, self.end, self.push = self.heap.clock, end, self.heap.push
        self.seats: dict[str, Seat] = {}
        self.link = Link(self.heap, self.seats, link_ns)
        self.schedule = Schedule(self.heap)
        self.watch = watch
        self.handled = 0
        self.journal = Journal()
        self.tape: Store | None = None
        """Where every node's inputs and outputs are kept, if they are."""
        self.lookahead_ns = 1
        self.places: dict[str, Place] = {}
        self.feeds: list[Feed] = []
        self.gateways: dict[int, Target] = {}
        self._watching: list[Place] = []
        self.stepping = False
        self.begun: Iterator[None] = iter(())

    # --- assembly

    def place(self, name: str, busy_ns: Mapping[str, int] | None = None) -> Place:
        """The place of this name, made on first mention with its busy times."""
        if name not in self.places:
            self.places[name] = Place(self, name, busy_ns or {})
        return self.places[name]

    def add(self, node: Node, place: Place, mailbox: Mailbox | None = None) -> Seat:
        """Seat a node; a strategy brings its mailbox."""
        seat = self.seats[node.name] = self.seat_kind(self, node, place, mailbox)
        if mailbox is not None:
            place.seats.append(seat)
        node.bind(seat)
        return seat

    def add_feed(self, feed: Feed, place: Place, mailboxes: list[Mailbox], gateway: Target) -> None:
        """Connect a market to the mailboxes of a place and the venue's replies to their gateway."""
        self.feeds.append(feed)
        self.gateways[id(feed)] = gateway
        place.feeds.append((feed, mailboxes))
        if not all(mailbox.sampling for mailbox in mailboxes):
            place.watched.append(feed)
            if place not in self._watching:
                self._watching.append(place)

    def restart(self, node: Node) -> None:
        """Put another node of the same name in its seat: the old one's process died, and its wakes with it."""
        seat = self.seats[node.name]
        events = self.heap.events
        events[:] = [one for one in events if not (one[3] is seat and type(one[4]) is Timer)]
        heapify(events)
        seat.node = node
        node.bind(seat)

    # --- running

    def run(self, until: int | None = None) -> None:
        """Take events until none is left before `until` (default: the end)."""
        until = self.end if until is None else min(until, self.end)
        for _ in self.begun:
            pass
        while self.moment(until):
            pass

    def step(self) -> bool:
        """One node handles one message, though it be in the middle of its place's turn; False when nothing is left."""
        handled = self.handled
        self.stepping = True
        try:
            while self.handled == handled:
                for _ in self.begun:
                    break
                else:
                    if not self.moment(self.end):
                        return False
        finally:
            self.stepping = False
        return True

    def moment(self, until: int) -> bool:
        """Take the next event before `until`; False when there is none, the clock then stands at `until`.

        The markets then stand just before it, so that a run may be cut anywhere and goes on as if it had not been.
        """
        heap, clock = self.heap, self.clock
        due = heap.events[0][0] if heap.events else NEVER
        early: Place | None = None
        for place in self._watching:
            at = place.next_frame_turn()
            if at < due:
                due, early = at, place
        last = due >= until
        if self.feeds:
            pushed = heap.count
            reached = self._catch_up(until - 1 if last else due)
            if heap.count != pushed:
                clock.move(reached)
                return True
        if last:
            clock.move(until)
            return False
        if due != clock.time:
            clock.move(due)
        if early is not None:
            early.arrive(due, None)
        else:
            _, _, _, target, message = heap.pop()
            target.arrive(due, message)
        return True

    def more_at(self, now: int) -> bool:
        """Whether another event of this very time is still to come."""
        events = self.heap.events
        return bool(events) and events[0][0] <= now

    def in_flight(self) -> list[tuple[int, str, Message]]:
        """What nodes have not taken yet, as (time, node, message): messages that wait in their places, then those on their way
        and wakes not yet due."""
        now = self.clock.time
        waiting = [(now, seat.name, message) for place in self.places.values() for seat, message in place.waiting()]
        return waiting + [
            (at, target.name, message)
            for at, rank, _, target, message in sorted(self.heap.events)
            if rank == ARRIVAL and isinstance(target, Seat) and message is not None
        ]

    def _catch_up(self, due: int) -> int:
        """Replay all markets to `due`, or to the first reply on any of them; returns the time reached.

        Several markets are first looked ahead on the exchange's side alone, in steps shorter than any request's way there, so
        that none of them shows its strategy a future that another's reply could still change.
        """
        feeds = self.feeds
        if len(feeds) == 1:
            due = feeds[0].advance(due)
            self._post_replies(feeds[0])
            return due
        reached, posted = self.clock.time, False
        while reached < due and not posted:
            step = min(due, reached + self.lookahead_ns)
            for feed in feeds:
                step = min(step, feed.look(step))
            for feed in feeds:
                feed.advance(step)
                posted = self._post_replies(feed) or posted
            reached = step
        return reached

    def _post_replies(self, feed: Feed) -> bool:
        replies = feed.replies()
        if not replies:
            return False
        gateway = self.gateways[id(feed)]
        for reply in replies:
            self.push(reply.received, ARRIVAL, gateway, reply)
        return True
