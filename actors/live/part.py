"""What a host has to do in its session, and the nodes that it is made of: live and when the session is retraced, the same.

Where several graphs share the account, an instrument's limits are those of all of them: positions and open orders add up, as each
strategy is held to its own; of sizes and values the largest holds, of exposures and of the guards' limits the smallest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs

from actors.graph import Graph
from actors.guard import guards_live
from actors.launch import priced, strategies_of
from actors.live.credentials import credentials
from actors.live.folder import Folder, Sitting
from actors.live.placement import ACCOUNT, Place, Runner
from actors.live.recording import Recording
from actors.wiring import RISK, door_of, gateway_of, normalizer_of
from core.gateway import Gateway
from core.instrument import Instrument
from core.node import Node
from core.normalizer import Normalizer
from core.price import E8
from core.risk.door import Door
from core.risk.judge import Risk
from core.risk.limits import GuardLimits, Limits
from core.strategy import Strategy

if TYPE_CHECKING:
    from actors.live.account import Venue
    from actors.live.host import Host

BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
TAG_LENGTH = 12
"""With the rest of an id this leaves ten digits to count in, of the 36 characters that venues take."""


class Part(NamedTuple):
    """One host's part of a session. `allowed` says whether this process may act for the account, where that may end."""

    folder: Folder
    sitting: Sitting
    place: Place
    epoch: int
    allowed: Callable[[], bool] | None = None

    @property
    def runners(self) -> list[Runner]:
        """All strategies of the session."""
        return self.sitting.runners()

    @property
    def graphs(self) -> list[Graph]:
        """The session's graphs."""
        return [plan.graph for plan in self.sitting.plans]

    @property
    def places(self) -> list[Place]:
        """All processes of the session."""
        return self.sitting.places()

    def where(self) -> dict[str, str]:
        """The host of every node of the session."""
        found = {RISK: ACCOUNT}
        for one in self.sitting.instruments:
            found |= {gateway_of(one.symbol): ACCOUNT, door_of(one.symbol): ACCOUNT}
        for place in self.places:
            found |= dict.fromkeys(place.strategies, place.name)
            found |= {normalizer_of(symbol): place.name for symbol in place.normalizes}
        return found

    def watchers(self, symbol: str) -> list[str]:
        """The strategies that trade an instrument."""
        return [one.name for one in self.runners if symbol in one.symbols]

    def instruments(self, symbols: Iterable[str] | None = None) -> list[Instrument]:
        """The session's instruments, or some of them, with the fees of the first graph that trades each."""
        found = []
        for one in self.sitting.instruments:
            if symbols is None or one.symbol in symbols:
                graph = next(graph for graph in self.graphs if one.symbol in graph.instruments)
                found.append(priced(one, graph))
        return found

    def strategies(self) -> dict[str, Strategy]:
        """This host's strategies, fresh."""
        found: dict[str, Strategy] = {}
        for number, plan in enumerate(self.sitting.plans):
            names = {one.name for one in self.runners if one.graph == number}
            if names & set(self.place.strategies):
                found |= strategies_of(plan, self.instruments(plan.graph.instruments))
        return {name: found[name] for name in self.place.strategies}

    def normalizers(self) -> dict[str, Normalizer]:
        """This host's normalizers, fresh, by symbol, each with as many levels and the bars that its watchers want."""
        found = {}
        for one in self.instruments(self.place.normalizes):
            kinds = [self.sitting.plans[runner.graph].strategy_class() for runner in self.runners if one.symbol in runner.symbols]
            periods = sorted({period for kind in kinds for period in kind.bars})
            found[one.symbol] = Normalizer(one, max(kind.levels for kind in kinds), periods)
        return found

    def venue(self, host: Host, instruments: Sequence[Instrument], believed: Callable[[str], int]) -> Venue:
        """The session with the venue; on paper what stands for it."""
        table = self.sitting.venue
        if self.sitting.live:
            from actors.live import venue as live

            table = structs.replace(table, kline_minutes=0)
            return live.Venue(host, table, credentials(table.name), instruments, believed, allowed=self.allowed)
        from actors.live.paper import Paper
        from actors.live.store import Journal

        return Paper(
            host, table, instruments, self.graphs[0], Journal(self.folder.path / "paper.journal", not self.sitting.spread)
        )

    def recording(self) -> Recording | None:
        """What keeps the venue's frames, if they are kept."""
        return Recording(self.folder.market) if self.sitting.record and self.place.normalizes else None

    def start_of(self, strategy: str) -> str:
        """The argument of a strategy's start: how its ids begin, and in which life. Unique in the session, and short."""
        number = next(place for place, one in enumerate(self.runners) if one.name == strategy)
        return f"{strategy[:TAG_LENGTH]}.{base36(number)} {self.places.index(self.place)}{base36(self.epoch)}"


def base36(number: int) -> str:
    """A whole number in digits and letters."""
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = BASE36[digit] + digits
    return digits


class AccountNodes(NamedTuple):
    """The nodes of an account."""

    risk: Risk
    gateways: dict[str, Gateway]
    doors: dict[str, Door]

    def all(self) -> dict[str, Node]:
        """Every node, by its name."""
        nodes: tuple[Node, ...] = (self.risk, *self.gateways.values(), *self.doors.values())
        return {node.name: node for node in nodes}


def account_nodes(graphs: Sequence[Graph], instruments: Sequence[Instrument]) -> AccountNodes:
    """The account's nodes, fresh, with the limits of all graphs together and always with guards."""
    guards = [guards_live(graph.guarded) for graph in graphs]
    limits = {}
    for one in instruments:
        mine = [(graph, guard) for graph, guard in zip(graphs, guards, strict=True) if one.symbol in graph.instruments]
        limits[one.symbol] = together([guard.of(graph.limits.of(one), one) for graph, guard in mine])
    exposures = [graph.limits.exposure for graph in graphs if graph.limits.exposure is not None]
    exposure = round(min(exposures) * E8) if exposures else None
    guard = strictest([guard.limits(instruments[0]) for guard in guards])
    risk = Risk(instruments, limits, exposure, guard, sum(graph.capital for graph in graphs))
    symbols = [one.symbol for one in instruments]
    return AccountNodes(risk, {symbol: Gateway(symbol) for symbol in symbols}, {symbol: Door(symbol) for symbol in symbols})


def together(limits: Sequence[Limits]) -> Limits:
    """The limits of an instrument that several graphs trade."""

    def made(how: Callable[[list[int]], int], field: str) -> int | None:
        values = [getattr(one, field) for one in limits]
        return None if None in values else how(values)

    return Limits(
        order_qty=made(max, "order_qty"),
        position=made(sum, "position"),
        open_orders=made(sum, "open_orders"),
        order_value_e8=made(max, "order_value_e8"),
        strategy_position=made(max, "strategy_position"),
    )


def strictest(guards: Sequence[GuardLimits]) -> GuardLimits:
    """Of each guard's limits the smallest; a self-trade is refused if one of them refuses it."""
    found: dict[str, Any] = {}
    for field in GuardLimits.__struct_fields__:
        values = [value for one in guards if (value := getattr(one, field)) is not None]
        found[field] = None if not values else any(values) if field == "refuse_self_trade" else min(values)
    return GuardLimits(**found)
