"""Which node lives in which process.

By default the normalizers, mailboxes and strategies of an instrument are together, and so are instruments that a strategy spans;
risk and gateways of the account are together and apart from every strategy. There are no more markets' processes than were asked
for: instruments are dealt out among them in turn. *split* puts the normalizers into processes of their
own, so that a strategy's arithmetic never delays the market's bookkeeping, for a hop more on a tick's road.

On a cluster processes are dealt out over its machines by `spread`, a table of our own: Ray's SPREAD is only meant to be even,
and knows of no instrument. An account has a second process there, its *standby*, never on the machine of the first as long as
there is another; the markets' begin with the standby's machine, so that the account's has the fewest beside it; and an
instrument's feed stays beside its strategies. Ray is told to place each process on its machine and nowhere else: there it begins
it again when it dies. Where the machine dies, the driver has it begin on the one that has the fewest (`elsewhere`). Markets are
not moved back when a machine joins: that would cost a pause to no end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

from actors.errors import Exit, UserError
from actors.graph import Plan

ACCOUNT: Final = "account"
STANDBY: Final = "standby"
"""The seat of the account's second process; the place is the account's."""
LIVE: Final = "live"
"""The resource of Ray that keeps machines for live sessions: where some have it, processes are placed there alone."""
Placement = Literal["together", "split"]
Group = tuple[set[str], list[str]]
"""Instruments that belong together, and their strategies."""


class Place(Struct, frozen=True):
    """One process: the instruments whose market it keeps, and the strategies that it runs."""

    name: str
    normalizes: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()


class Runner(Struct, frozen=True):
    """A strategy of a session: its name, the number of its graph among the session's, and the instruments that it trades."""

    name: str
    graph: int
    symbols: tuple[str, ...]


def runners(plans: Sequence[Plan]) -> list[Runner]:
    """The strategies of all graphs: one for all instruments of its graph, or one each.

    Raises UserError where two would have one name.
    """
    found: list[Runner] = []
    for number, plan in enumerate(plans):
        graph = plan.graph
        if plan.strategy_class().shared:
            found.append(Runner(graph.name, number, graph.instruments))
        else:
            found += [Runner(f"{graph.name}.{symbol}", number, (symbol,)) for symbol in graph.instruments]
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise UserError(
                f"two graphs of this session have a strategy {name!r}: give one of them another name", Exit.CONFIGURATION
            )
    return found


def places(found: Iterable[Runner], placement: Placement = "together", markets: int = 0) -> list[Place]:
    """The processes of a session, the account's first; at most `markets` of each kind for the markets (0: any number)."""
    groups: list[Group] = []
    for one in found:
        symbols, names = set(one.symbols), [one.name]
        for group in [group for group in groups if group[0] & symbols]:
            groups.remove(group)
            symbols |= group[0]
            names = [*group[1], *names]
        groups.append((symbols, names))
    hosts = [Place(ACCOUNT)]
    for symbols, names in _dealt(groups, markets):
        first, *more = sorted(symbols)
        label = first + (f"+{len(more)}" if more else "")
        kept = tuple(sorted(symbols))
        if placement == "split":
            hosts += [Place(f"feed:{label}", kept), Place(f"market:{label}", (), tuple(names))]
        else:
            hosts.append(Place(f"market:{label}", kept, tuple(names)))
    return hosts


class Machine(Struct, frozen=True):
    """A machine of a cluster: Ray's name of it, its address, how many cores Ray gives out there, and whether it has LIVE."""

    node: str
    address: str
    cores: float = 1.0
    live: bool = False


def chosen(machines: Iterable[Machine]) -> list[Machine]:
    """Those that processes are placed on: the ones for live sessions, else those with cores to give, else all."""
    found = sorted(machines, key=lambda one: one.address)
    return [one for one in found if one.live] or [one for one in found if one.cores > 0] or found


def spread(found: Sequence[Place], machines: Sequence[Machine]) -> dict[str, Machine]:
    """The machine of each process, and of the account's standby where there are two machines."""
    dealt = {ACCOUNT: machines[0]}
    if len(machines) > 1:
        dealt[STANDBY] = machines[1]
    groups = list(dict.fromkeys(place.name.partition(":")[2] for place in found if place.name != ACCOUNT))
    for place in found:
        if place.name != ACCOUNT:
            dealt[place.name] = machines[(groups.index(place.name.partition(":")[2]) + 1) % len(machines)]
    return dealt


def elsewhere(seat: str, dealt: Mapping[str, Machine], machines: Sequence[Machine]) -> Machine:
    """Where a process begins again whose machine is gone: not beside the account's other process if there is another machine,
    beside its feed or its strategies where those still are, and else where the fewest are."""
    other = {ACCOUNT: STANDBY, STANDBY: ACCOUNT}.get(seat, "")
    label = seat.partition(":")[2]
    mates = {where.node for name, where in dealt.items() if name != seat and label and name.partition(":")[2] == label}
    count = Counter(where.node for name, where in dealt.items() if name != seat)
    avoided = dealt[other].node if other in dealt else ""
    return min(machines, key=lambda one: (one.node == avoided, one.node not in mates, count[one.node], one.address))


def _dealt(groups: list[Group], count: int) -> list[Group]:
    """Groups dealt out into at most so many."""
    if not count or len(groups) <= count:
        return groups
    dealt: list[Group] = [(set(), []) for _ in range(count)]
    for number, (symbols, names) in enumerate(groups):
        kept, runs = dealt[number % count]
        kept |= symbols
        runs += names
    return dealt
