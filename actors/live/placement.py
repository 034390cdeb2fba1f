"""Which node lives in which process.

By default the normalizers, mailboxes and strategies of an instrument are together, and so are instruments that a strategy spans;
risk and gateways of the account are together and apart from every strategy. There are no more markets' processes than were asked
for: instruments are dealt out among them in turn. *split* puts the normalizers into processes of their
own, so that a strategy's arithmetic never delays the market's bookkeeping, for a hop more on a tick's road.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from msgspec import Struct

from actors.errors import Exit, UserError
from actors.graph import Plan

ACCOUNT: Final = "account"
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
