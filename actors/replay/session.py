"""A session's tapes retraced: every node is built as it was, fed what it took, and what it sends is compared with what it sent.

A market's host has a tape a life, and each begins with fresh nodes; the account's host has one tape for all its lives, and its
nodes go on. Tapes are read once, a line at a time, whatever their size.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from actors.calendar import JOBS
from actors.errors import Exit, UserError, nearest
from actors.graph import Plan, changed, code_of
from actors.live.folder import Folder, Sitting
from actors.live.part import Part, account_nodes
from actors.live.placement import ACCOUNT, Place
from actors.live.store import kept
from core.codec import WireError
from core.difference import Difference
from core.journal import JournalError
from core.node import Node
from core.retrace import Retrace
from core.tape import read

TOLD_LINES: Final = 2_000
"""Between two words of progress: a tenth of a second."""

UNASKED: Final = {"recover", *JOBS}
"""Timers that hosts hand to nodes on their own."""

Watch = Callable[[str, int, int], None]
"""Is told a tape's name and how many bytes of how many are done."""


class Tape(Struct):
    """One tape: whose it is, how long, and whether it is whole."""

    file: str
    host: str
    epoch: int
    bytes: int = 0
    lines: int = 0
    lives: int = 1
    first: int = 0
    last: int = 0
    torn: bool = False
    """Its last record was not written to its end, as a process leaves it that is killed."""
    damage: str = ""


class NodeTold(Struct):
    """What became of one node in one life."""

    node: str
    host: str
    epoch: int
    inputs: int
    outputs: int
    differences: int
    unwritten: int
    failure: str


class Replayed(Struct):
    """What a replay showed. `shown` are the first differences, with the tape that each stands on."""

    session: str
    notes: list[str]
    tapes: list[Tape] = []
    nodes: list[NodeTold] = []
    shown: list[tuple[Tape, Difference]] = []

    @property
    def differences(self) -> int:
        """How many there are in all."""
        return sum(one.differences for one in self.nodes)

    @property
    def damaged(self) -> list[Tape]:
        """The tapes that could not be read to their end."""
        return [one for one in self.tapes if one.damage]

    @property
    def exit_code(self) -> Exit:
        """Fine when everything was equal."""
        if self.damaged:
            return Exit.CONFIGURATION
        return Exit.ERROR if self.differences else Exit.FINE


def replayed(
    folder: Folder, node: str = "", overrides: Sequence[str] = (), most: int = 10, watch: Watch = lambda name, done, size: None
) -> Replayed:
    """Retrace the tapes of a session; of one node alone where it is named, with other parameters where there are `overrides`.

    Raises UserError for what is no session, a node that it does not have, and a parameter that no graph of it has.
    """
    sitting = folder.read()
    found = Replayed(sitting.id, [*_notes(sitting, overrides)])
    sitting = structs.replace(sitting, plans=overridden(sitting.plans, overrides))
    tapes = [*tapes_of(folder, sitting, found.notes)]
    if not tapes:
        raise UserError(f"{folder.path} has no tape: nothing was recorded", Exit.NOT_FOUND)
    if node:
        names = Part(folder, sitting, tapes[0][2], 0).where()
        if node not in names:
            raise UserError(f"no node {node!r} in session {sitting.id}: {nearest(node, names)}", Exit.NOT_FOUND)
        tapes = [one for one in tapes if names[node] == one[1].host]
    for path, tape, place in tapes:
        nodes, strategies = nodes_of(Part(folder, sitting, place, tape.epoch))
        if node:
            nodes = {node: nodes[node]}
        found.tapes.append(tape)
        trace = Retrace(nodes, strategies, UNASKED)
        differences = _differences(path, tape, trace, watch)
        room = most - len(found.shown)
        found.shown += [(tape, one) for one in islice(differences, max(0, room))]
        for _ in differences:
            pass  # they are counted
        found.nodes += [_told(name, tape, trace) for name in nodes]
    return found


def nodes_of(part: Part) -> tuple[Mapping[str, Node], Collection[str]]:
    """A host's nodes, fresh, and which of them are strategies."""
    if part.place.name == ACCOUNT:
        return account_nodes(part.graphs, part.instruments()).all(), ()
    strategies = part.strategies()
    return {one.name: one for one in part.normalizers().values()} | strategies, strategies


def _differences(path: Path, tape: Tape, trace: Retrace, watch: Watch) -> Iterator[Difference]:
    """The differences on one tape; what else is to be said of it is written into `tape`."""
    size = tape.bytes
    end = 0

    def lines() -> Iterator[bytes]:
        nonlocal end
        for number, record in enumerate(kept(path)):
            end = record.end
            if number % TOLD_LINES == 0:
                watch(tape.file, end, size)
            yield record.entry

    try:
        for line in read(lines()):
            yield from trace.feed(line)
        tape.torn = end < size
        yield from trace.end(cut=tape.torn)
    except JournalError as error:
        tape.damage = f"{tape.file} is damaged: {error}"
    except WireError as error:
        tape.damage = f"{tape.file} is damaged or of another version: entry {trace.lines - 1} is no message: {error}"
    tape.lines, tape.lives, tape.first, tape.last = trace.lines, trace.lives, trace.first, trace.last
    watch(tape.file, size, size)


@contextmanager
def no_damage(folder: Folder) -> Iterator[None]:
    """What a damaged tape raises, as a user's error."""
    try:
        yield
    except (JournalError, WireError) as error:
        raise UserError(f"a tape in {folder.tapes} is damaged or of another version: {error}", Exit.CONFIGURATION) from error


def _told(name: str, tape: Tape, trace: Retrace) -> NodeTold:
    count = trace.counts[name]
    return NodeTold(
        name, tape.host, tape.epoch, count.inputs, count.outputs, count.differences, count.unwritten, count.failure
    )  # fmt: skip


def tapes_of(folder: Folder, sitting: Sitting, notes: list[str]) -> Iterator[tuple[Path, Tape, Place]]:
    """Every tape with the host that wrote it; a file that no host of the session has written is noted."""
    beginnings = {folder.tape(place.name).stem: place for place in sitting.places()}
    for path in folder.all_tapes():
        name, _, life = path.stem.partition(".")
        place = beginnings.get(name)
        if place is None or not (life.isdigit() or not life):
            notes.append(f"{path.name} is of no host of this session, and passed over")
            continue
        yield path, Tape(path.name, place.name, int(life or 0), path.stat().st_size), place


def _notes(sitting: Sitting, overrides: Sequence[str]) -> Iterator[str]:
    now = code_of(sitting.plans)
    if sitting.code and sitting.code != now:
        yield f"the code has changed since: it was {sitting.code}, it is {now}; differences may come of that"
    if overrides:
        yield f"with {', '.join(overrides)}: differences are what that would have changed"


def overridden(plans: Sequence[Plan], overrides: Sequence[str]) -> tuple[Plan, ...]:
    """The plans with other values, each where the graph has such a key. Raises UserError for one that none of them has."""
    found = list(plans)
    for override in overrides:
        refusals = []
        for place, plan in enumerate(found):
            try:
                found[place] = changed(plan, [override])
            except UserError as error:
                refusals.append(error)
        if len(refusals) == len(found):
            raise refusals[0]
    return tuple(found)
