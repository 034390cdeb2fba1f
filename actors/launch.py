"""THE choice between the two worlds. Nothing else knows which one runs.

`simulated` builds the nodes of a graph on the simulated host, over recorded or generated days. (The live twin comes with the
live hosts; it will stand here beside it, and build the same nodes from the same graph.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from actors.errors import Exit, UserError
from actors.graph import US, Graph, Plan
from actors.wiring import door_of, trading_edges
from core.gateway import Gateway
from core.instrument import Instrument
from core.mailbox import Mailbox
from core.message import Command, Funding, Message, Timer
from core.node import Node
from core.price import E8
from core.risk.door import Door
from core.risk.judge import Risk
from core.strategy import ParameterError, Strategy

if TYPE_CHECKING:
    from actors.history.prepared import PreparedDay
    from actors.sim.door import SimDoor
    from actors.sim.heap import Target
    from actors.sim.host import SimHost, Watch
    from actors.sim.session import FaultySession
    from actors.sim.venue import SimVenue
    from actors.sim.weather import Storm
    from core.kernel.replay import Latency


class Simulation(Struct):
    """A built graph: the host that runs it and the nodes that one may want to look at."""

    host: SimHost
    strategies: dict[str, Strategy]
    mailboxes: dict[str, Mailbox]
    risk: Risk
    gateways: dict[str, Gateway]
    venues: dict[str, SimVenue]
    sessions: dict[str, FaultySession]
    """Where faults stand between gateways and venues; empty without any."""
    doors: dict[str, SimDoor] = {}
    """By the names of nodes; empty where the account has no guards."""


def priced(instrument: Instrument, graph: Graph) -> Instrument:
    """The instrument with the graph's fees."""
    return structs.replace(instrument, maker_fee=graph.fees.maker, taker_fee=graph.fees.taker)


def simulated(
    plan: Plan,
    days: Sequence[PreparedDay],
    span: tuple[int, int] | None = None,
    watch: Watch | None = None,
    trading: bool = True,
    before: Simulation | None = None,
    storm: Storm | None = None,
) -> Simulation:
    """The graph over one span of time: one prepared day an instrument, all on one heap.

    `span` bounds the run (ns UTC, the end excluded; default: from the days' first event to their last, within the day). Without
    `trading` strategies see the market and send nothing. `before` is a run whose nodes go on: their state, their wakes and
    what was on its way to them are taken over. In a `storm` the market comes as the venue's own frames, and what is
    between the nodes, or between them and the venue, suffers its faults. Raises UserError for a day without a book.
    """
    from actors.sim.host import SimHost
    from actors.sim.marks import Marks

    graph = plan.graph
    _refuse_bookless(days)
    start, end = span or whole(days)
    link_ns = round(graph.latency.link_us * US)
    host = storm.make_host(start, end, link_ns, watch) if storm else SimHost(start, end, link_ns, watch)
    if len(days) > 1:
        host.lookahead_ns = _least_entry_ns(plan)
    kind = plan.strategy_class()
    instruments = [priced(day.instrument, graph) for day in days]
    busy = graph.busy_us.ns()

    account = host.place("account", busy)
    risk = before.risk if before else risk_of(graph, instruments)
    gateways = before.gateways if before else gateways_of(instruments)
    strategies = before.strategies if before else strategies_of(plan, instruments)
    fixed: tuple[Node, ...] = (risk, *gateways.values())
    seats = {node.name: host.add(node, account) for node in fixed}
    doors = _doors(host, gateways, before) if risk.guard is not None else {}
    mailboxes = {name: Mailbox(kind.sampling()) for name in strategies}
    for name, strategy in strategies.items():
        seats[name] = host.add(strategy, host.place("market:" + "+".join(strategy.instruments), busy), mailboxes[name])

    venues, sessions = {}, {}
    for day, instrument in zip(days, instruments, strict=True):
        venue = venues[instrument.symbol] = _venue(plan, day, instrument, kind.levels, start)
        watchers = [name for name, one in strategies.items() if instrument.symbol in one.instruments]
        place = seats[watchers[0]].place
        gateway = seats[f"gateway:{instrument.symbol}"]
        if storm is None:
            boxes = [mailboxes[name] for name in watchers]
            marks = [Marks(host, seats["risk"], instrument)] if risk.guard is not None else []
            host.add_feed(venue, place, [*boxes, *marks], gateway)
        else:
            session = sessions[instrument.symbol] = storm.make_session(venue, gateway)
            host.add_feed(venue, place, [], session.inward)
            storm.make_market(seats, day, instrument, place.name, busy, watchers)
    ends: Mapping[str, Target] = {**seats, **doors}
    for name, routes in trading_edges(ends, sessions or venues, strategies).items():
        (seats.get(name) or doors[name]).routes.update(routes)
    simulation = Simulation(host, strategies, mailboxes, risk, gateways, venues, sessions, doors)
    _announce(simulation, days, trading, fresh=before is None)
    if before:
        _take_over(simulation, before)
    return simulation


def _doors(host: SimHost, symbols: Iterable[str], before: Simulation | None) -> dict[str, SimDoor]:
    """A door an instrument; those of an earlier run go on, with the approvals that were on their way to them."""
    from actors.sim.door import SimDoor

    doors = {door_of(symbol): SimDoor(host, Door(symbol)) for symbol in symbols}
    for name, old in before.doors.items() if before else ():
        doors[name] = SimDoor(host, old.door)
        for at, rank, _, target, message in sorted(before.host.heap.events) if before else ():
            if target is old and isinstance(message, Command):
                host.push(max(at, host.clock.time), rank, doors[name], message)
    return doors


def whole(days: Sequence[PreparedDay]) -> tuple[int, int]:
    """From the days' first event or settlement to just after their last row arrives, within their UTC day."""
    firsts = [column[0] for day in days for column in (day.exch.ns, day.local.ns, day.fundings.settle_ns) if len(column)]
    lasts = [day.local.ns[-1] for day in days if len(day.local.ns)]
    start = max(int(min(firsts, default=days[0].start_ns)), days[0].start_ns)
    return start, max(start, min(int(max(lasts, default=start)) + 1, days[0].end_ns))


def _refuse_bookless(days: Sequence[PreparedDay]) -> None:
    for day in days:
        if day.quality != "book":
            raise UserError(
                f"{day.key} {day.day} has no book (its capture neither begins with a snapshot nor continues a stored day): "
                "trading on it is refused"
            )


def gateways_of(instruments: Iterable[Instrument]) -> dict[str, Gateway]:
    """A gateway node each, by symbol."""
    return {one.symbol: Gateway(one.symbol) for one in instruments}


def risk_of(graph: Graph, instruments: Sequence[Instrument]) -> Risk:
    """The account's risk node with the graph's limits."""
    exposure = None if graph.limits.exposure is None else round(graph.limits.exposure * E8)
    limits, guard = {one.symbol: graph.limits.of(one) for one in instruments}, graph.guarded
    if guard is None:
        return Risk(instruments, limits, exposure)
    guarded = {one.symbol: guard.of(limits[one.symbol], one) for one in instruments}
    return Risk(instruments, guarded, exposure, guard.limits(instruments[0]), graph.capital)


def strategies_of(plan: Plan, instruments: Sequence[Instrument]) -> dict[str, Strategy]:
    """By name: one strategy for all instruments, or one each. Raises UserError for parameters that the strategy refuses."""
    graph, kind = plan.graph, plan.strategy_class()
    shares = [(graph.name, instruments)] if kind.shared else [(f"{graph.name}.{one.symbol}", [one]) for one in instruments]
    try:
        return {name: kind(name, traded, graph.capital, **graph.parameters) for name, traded in shares}
    except ParameterError as error:
        raise UserError(f"[strategy] {error.name}: {error}", Exit.CONFIGURATION) from error


def _venue(plan: Plan, day: PreparedDay, instrument: Instrument, levels: int, start: int) -> SimVenue:
    from actors.sim.venue import SimVenue
    from core.kernel.replay import Queue, Replay

    queue = plan.graph.queue
    replay = Replay(
        day.exch,
        day.local,
        day.bids,
        day.asks,
        instrument.lot_float,
        Queue(queue.model, queue.n),
        order_latency(plan),
        queue.partial_fills,
        start_ns=start - 1,
    )
    return SimVenue(instrument, day, replay, levels, start)


def order_latency(plan: Plan) -> Latency:
    """The graph's order latency: constants, or the rows of its table. Raises UserError for a table that is not one."""
    import numpy as np

    from core.kernel.replay import Latency

    latency = plan.graph.latency
    entry, response = round(latency.order_entry_us * US), round(latency.order_response_us * US)
    if latency.table is None:
        return Latency(entry, response)
    path = Path(plan.folder) / latency.table
    try:
        rows = np.load(path) if path.suffix == ".npy" else np.loadtxt(path, np.int64, delimiter=",", skiprows=1, ndmin=2)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"latency table {path}: {error}", Exit.CONFIGURATION) from error
    if rows.ndim != 2 or rows.shape[1] != 3 or not len(rows) or (np.diff(rows[:, 0]) < 0).any():
        raise UserError(f"latency table {path}: want rows of sent,at_exchange,answered in ns, sorted by sent", Exit.CONFIGURATION)
    return Latency(entry, response, rows.astype(np.int64))


def _least_entry_ns(plan: Plan) -> int:
    """How far instruments that run together may be replayed apart: no request arrives sooner than this after it left."""
    latency = order_latency(plan)
    least = latency.entry_ns if latency.rows is None else int((latency.rows[:, 1] - latency.rows[:, 0]).min())
    if least <= 0:
        raise UserError("instruments that run together need [latency] order_entry_us above 0", Exit.CONFIGURATION)
    return least


def _announce(simulation: Simulation, days: Sequence[PreparedDay], trading: bool, fresh: bool) -> None:
    """What is known beforehand goes on the heap: the start, whether to trade, funding, bar closes."""
    from actors.sim.bars import closes

    host = simulation.host
    start = host.clock.time

    def tell(at: int, name: str, message: Message) -> None:
        if at >= start:  # what is known only after the end is still under way then, and a run that goes on takes it over
            host.push(at, 0, host.seats[name], message)

    if simulation.risk.guard is not None:
        host.schedule.enter(host.seats["risk"], "day_roll")
        if not fresh:  # the roll that was due at the end of the run before
            tell(start, "risk", Timer("", start, start, start, start, "day_roll"))
    for name in simulation.strategies:
        tell(start, name, Command(verb="trading", argument="on" if trading else "off"))
        for job in type(simulation.strategies[name]).calendar:
            host.schedule.enter(host.seats[name], job)
        if fresh:
            tell(start, name, Command(verb="start", argument=str(start // 1_000_000_000)))
    for day in days:
        traders = [name for name, one in simulation.strategies.items() if day.key.symbol in one.instruments]
        for funding in _fundings(day):
            for name in (*traders, "risk"):
                tell(funding.transact_time, name, funding)
        for name in traders:
            for period in simulation.strategies[name].bars:
                for ready, bar in closes(day, period):
                    tell(ready, name, bar)


def _take_over(simulation: Simulation, before: Simulation) -> None:
    """Hand what was on its way to a node in the earlier run to the same node in this one, and end the earlier day's orders.

    The venue cancels what still works at midnight, and the gateways hear of it before they take a request that was on its way:
    the new day's venue does not know the old orders. Executions that it had made and not yet reported are reported.
    """
    host, boundary = simulation.host, before.host.end
    for symbol, venue in before.venues.items():
        gateway = host.seats[f"gateway:{symbol}"]
        for report in venue.late_fills(boundary):
            host.push(max(report.received, host.clock.time), 0, gateway, report)
        for report in venue.day_over(boundary, before.gateways[symbol].orders):
            host.push(host.clock.time, 0, gateway, report)
    for at, name, message in before.host.in_flight():
        host.push(max(at, host.clock.time), 0, host.seats[name], message)


def _fundings(day: PreparedDay) -> Iterable[Funding]:
    columns = day.fundings
    for at, rate, mark in zip(columns.settle_ns.tolist(), columns.rate_e8.tolist(), columns.mark_e8.tolist(), strict=True):
        yield Funding(day.key.symbol, at, at, at, rate, mark)
