"""A tape retraced: fresh nodes are fed what it says that they took, and what they send is compared, byte for byte.

Time comes from the tape, so this is the simulated clock's rule: a node is handed each input at the time at which it was handed
it then. What nodes send to each other is not passed on: what they took is on the tape.

What a node sent stands behind what it took, in its order. A normalizer's lines stand elsewhere: a host writes what is handed to
it, and the ticks that come of it, behind the turn in which all else happened. So what it sends beside ticks may stand before the
frame that explains it, in the same turn.

Where a life was cut off, the tape may say less than its nodes do: what they sent last, or a normalizer's frames, were not
written any more. That is no difference.

A strategy that raises was stopped by its host and said to be away; it does the same here. So one that failed then and fails now
is equal. A node of ours that raises ended its process, and its turn was not written: here that is a difference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from difflib import SequenceMatcher
from typing import Final, NamedTuple, cast

from core.codec import WireError, decode, encode
from core.difference import Count, Difference, Input
from core.message import AnyMessage, Command, Message, Timer
from core.node import Node
from core.price import GridError
from core.tape import Entry, FrameReader, digest, read
from core.wakes import Wakes

OPEN_MAX: Final = 1_000
"""Unequal messages of one node that wait for what may explain them; no turn of a host in order sends as many."""


class _Then(NamedTuple):
    number: int
    content: bytes
    way: str


class _Again(NamedTuple):
    content: bytes
    message: Message
    cause: Input
    failure: str


class _Sort:
    """What a node sent of one sort in this turn and has no counterpart yet."""

    __slots__ = ("again", "then")

    def __init__(self) -> None:
        self.then: list[_Then] = []
        self.again: list[_Again] = []

    def match(self) -> None:
        """Let go what is equal, from the front."""
        while self.then and self.again and self.then[0].content == self.again[0].content:
            del self.then[0], self.again[0]


class _Track:
    """One node on its way."""

    def __init__(self, node: Node, strategy: bool, unasked: Collection[str] | None) -> None:
        self.node, self.strategy = node, strategy
        self.market = hasattr(node, "on_frame")
        self.out = Wakes(unasked or ())
        self.timed = unasked is not None
        self.sent, self.ticks = self.sorts = (_Sort(), _Sort())
        self.cause: Input | None = None
        self.count = Count()
        node.bind(self.out)

    def take(self, line: Entry, number: int) -> Iterator[Difference]:
        """Hand the node its input, and sort what it sends; yields what is wrong with its wakes."""
        self.count.inputs += 1
        message = line.frame if line.way == "=" else decode(line.frame)
        self.cause = cause = Input(number, line.now, message)
        if self.count.failure:
            return
        if self.timed and type(message) is Timer and not self.out.came(message):
            yield self._about_wake(number, cause, f"takes the wake {message.key!r}, for which it does not ask now")
        self.out.number = number
        failure = ""
        try:
            self._hand(line, message)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends this node's way and is told
            failure = self.count.failure = f"{type(error).__name__}: {error}"
            self.out.sent.clear()
            if self.strategy:  # these are the words of its host
                self.out.sent.append(Command(now=line.now, strategy=line.node, verb="disconnected"))
        for one in self.out.sent:
            if self.market and one.lane == "latest":
                sort, content = self.ticks, digest(one)
            else:
                sort, content = self.sent, encode(one)
            sort.again.append(_Again(content, one, cause, failure))
            sort.match()
        self.out.sent.clear()

    def _hand(self, line: Entry, message: AnyMessage | bytes) -> None:
        if isinstance(message, Message):
            self.node.on(line.now, message)
            return
        with suppress(GridError, WireError):  # the host went on, too
            cast(FrameReader, self.node).on_frame(line.now, line.seq, line.frame)

    def _about_wake(self, number: int, cause: Input | None, words: str) -> Difference:
        self.count.differences += 1
        return Difference(number, self.node.name, cause, None, None, wake=words)

    def overdue(self) -> Iterator[Difference]:
        """Wakes that the node asks for, and that did not come."""
        if self.timed and self.cause is not None and not self.count.failure:
            for one in self.out.overdue(self.cause.now):
                yield self._about_wake(one.number, None, f"asks for a wake {one.key!r} at {one.at}, which did not come")

    def says(self, line: Entry, number: int) -> None:
        """The tape says that the node sent something."""
        self.count.outputs += 1
        sort = self.ticks if line.way == "#" else self.sent
        sort.then.append(_Then(number, line.frame, line.way))
        sort.match()

    def settle(self, cut: bool = False, ended: bool = False, sorts: Iterable[_Sort] = ()) -> Iterator[Difference]:
        """What is left are differences, unless it was cut off here, or a tape has ended before a normalizer's frames."""
        for sort in sorts or self.sorts:
            if not sort.then and not sort.again:
                continue
            if (cut and not sort.then) or (ended and self.market and not sort.again):
                self.count.unwritten += len(sort.then) + len(sort.again)
            else:
                yield from self._differences(sort)
            sort.then.clear()
            sort.again.clear()

    def _differences(self, sort: _Sort) -> Iterator[Difference]:
        then, again = sort.then, sort.again
        order = SequenceMatcher(None, [one.content for one in then], [one.content for one in again], autojunk=False)
        for what, first, last, low, high in order.get_opcodes():
            if what == "equal":
                continue
            for place in range(max(last - first, high - low)):
                was = then[first + place] if first + place < last else None
                now = again[low + place] if low + place < high else None
                self.count.differences += 1
                yield self._difference(was, now)

    def _difference(self, was: _Then | None, now: _Again | None) -> Difference:
        cause = now.cause if now is not None else self.cause
        number = was.number if was is not None else cause.number if cause is not None else 0
        then: Message | bytes | None = None
        if was is not None:
            then = was.content if was.way == "#" else decode(was.content)
        failure = now.failure if now is not None else self.count.failure
        return Difference(number, self.node.name, cause, then, now.message if now is not None else None, failure)


class Retrace:
    """Nodes on their way along a tape: `feed` it line by line, then `end`. Their host survives the failures of `strategies`.

    Wakes are compared where it is said which keys of Timers come `unasked`; for a tape without lives' beginnings it cannot be.
    """

    def __init__(
        self, nodes: Mapping[str, Node], strategies: Collection[str] = (), unasked: Collection[str] | None = None
    ) -> None:
        self._tracks = {name: _Track(node, name in strategies, unasked) for name, node in nodes.items()}
        self._markets = [track for track in self._tracks.values() if track.market]
        self._behind = False
        self.lines = 0
        self.lives = 1
        self.first = self.last = 0
        """When the tape begins and ends (ns UTC)."""

    @property
    def counts(self) -> dict[str, Count]:
        """What each node did so far."""
        return {name: track.count for name, track in self._tracks.items()}

    def feed(self, line: Entry) -> Iterator[Difference]:
        """Go on by a line; yields the differences that it shows. Raises WireError for a message of another version."""
        number, self.lines = self.lines, self.lines + 1
        self.first, self.last = self.first or line.now, line.now
        track = self._tracks.get(line.node)
        if not line.node and not line.peer and number:
            self.lives += 1
            yield from self._settle(self._tracks.values(), cut=True)
            for one in self._tracks.values():
                yield from one.overdue()
                one.out.forget()
        elif not (track.market if track is not None else line.way in "=#"):
            if self._behind:  # the next turn begins
                yield from self._settle(self._markets)
            self._behind = False
        if track is None or line.way == "+":
            return
        if track.market and line.way != ">":
            self._behind = True
        if line.way in "<=":
            yield from track.settle(sorts=(track.ticks,) if track.market else ())
            yield from track.take(line, number)
        else:
            if self._behind and line.way == ">" and not track.sent.again:
                yield from self._settle(self._markets)
                self._behind = False
            track.says(line, number)
        if any(len(sort.then) > OPEN_MAX or len(sort.again) > OPEN_MAX for sort in track.sorts):
            yield from track.settle()

    def end(self, cut: bool = False) -> Iterator[Difference]:
        """The tape is over. `cut`: torn off; else only a normalizer's frames can be missing."""
        for track in self._tracks.values():
            yield from track.settle(cut, ended=True)
            yield from track.overdue()

    def _settle(self, tracks: Iterable[_Track], cut: bool = False) -> Iterator[Difference]:
        for track in tracks:
            yield from track.settle(cut)


def retrace(nodes: Mapping[str, Node], entries: Iterable[bytes], strategies: Collection[str] = ()) -> Iterator[Difference]:
    """Every difference between what a tape says that nodes sent, and what they send when they take what it says."""
    way = Retrace(nodes, strategies)
    for line in read(entries):
        yield from way.feed(line)
    yield from way.end()
