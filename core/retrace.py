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

from msgspec import Struct

from core.codec import WireError, decode, encode
from core.message import AnyMessage, Command, Message
from core.node import Node
from core.price import GridError
from core.tape import Deaf, Entry, FrameReader, digest, read

OPEN_MAX: Final = 1_000
"""Unequal messages of one node that wait for what may explain them; no turn of a host in order sends as many."""


class Input(NamedTuple):
    """What a node took: the number of the tape's line, when, and what: a message or a venue's frame."""

    number: int
    now: int
    message: Message | bytes


class Difference(Struct):
    """Where a node did not do again what it did: what it was doing it about, what it sent then and what it sends now.

    `then` is a digest where the tape keeps no more. `failure` is the exception, where the node raises now.
    """

    number: int
    node: str
    caused_by: Input | None
    then: Message | bytes | None
    again: Message | None
    failure: str = ""

    def __str__(self) -> str:
        return f"entry {self.number}, {self.node}: sent {self.then!r}, sends {self.again!r}; caused by {self.caused_by}"


class Count(Struct):
    """What a node took and sent by the tape, how much of that differs now, and what its host's death kept off the tape."""

    inputs: int = 0
    outputs: int = 0
    differences: int = 0
    unwritten: int = 0
    failure: str = ""
    """Why the node goes on no more."""


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

    def __init__(self, node: Node, strategy: bool) -> None:
        self.node, self.strategy = node, strategy
        self.market = hasattr(node, "on_frame")
        self.out = Deaf()
        self.sent, self.ticks = self.sorts = (_Sort(), _Sort())
        self.cause: Input | None = None
        self.count = Count()
        node.bind(self.out)

    def take(self, line: Entry, number: int) -> None:
        """Hand the node its input, and sort what it sends."""
        self.count.inputs += 1
        message = line.frame if line.way == "=" else decode(line.frame)
        self.cause = cause = Input(number, line.now, message)
        if self.count.failure:
            return
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
    """Nodes on their way along a tape: `feed` it line by line, then `end`. Their host survives the failures of `strategies`."""

    def __init__(self, nodes: Mapping[str, Node], strategies: Collection[str] = ()) -> None:
        self._tracks = {name: _Track(node, name in strategies) for name, node in nodes.items()}
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
            track.take(line, number)
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

    def _settle(self, tracks: Iterable[_Track], cut: bool = False) -> Iterator[Difference]:
        for track in tracks:
            yield from track.settle(cut)


def retrace(nodes: Mapping[str, Node], entries: Iterable[bytes], strategies: Collection[str] = ()) -> Iterator[Difference]:
    """Every difference between what a tape says that nodes sent, and what they send when they take what it says."""
    way = Retrace(nodes, strategies)
    for line in read(entries):
        yield from way.feed(line)
    yield from way.end()
