"""A session's shadow: the recorded market, the same graphs, and the simulated venue in place of the real one.

The recorded frames are imported into a store inside the session's folder. Each graph trades alone there, from when its strategies
began until they ended, steered as they were, from the positions that they began from, and guarded as live.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from actors.errors import Exit, UserError, cause
from actors.graph import Plan
from actors.guard import guards_live
from actors.history.tickdb import TickDb
from actors.launch import Simulation, simulated, whole
from actors.live.folder import Folder, Sitting
from actors.live.stored import Watch, stored
from actors.replay.lived import Lived, Steering, Story, see
from actors.replay.session import overridden
from actors.replay.words import clock
from actors.wiring import RISK
from core.instrument import Key
from core.message import Message, PositionReport, SecurityStatus

SLICES: Final = 100


class Shadow(Struct):
    """What the shadow did, by strategy, when (ns UTC, the end excluded), and what of the record it had to do without."""

    lived: Lived
    start: int
    end: int
    notes: list[str]


def shadowed(folder: Folder, sitting: Sitting, lived: Lived, overrides: Sequence[str], watch: Watch) -> Shadow:
    """Simulate a session again. Raises UserError where no market was recorded, or no book can be made of it."""
    began = [one.began for one in lived.steering.values() if one.began]
    if not began:
        raise UserError(f"no strategy of session {sitting.id} has begun: there is nothing to compare", Exit.NOT_FOUND)
    notes: list[str] = []
    db = TickDb(stored(folder, sitting, notes, watch))
    found = Lived({name: Story() for name in lived.stories}, {})
    for plan in overridden(sitting.plans, overrides):
        graph = structs.replace(plan.graph, guard=guards_live(plan.graph.guarded))
        guarded = structs.replace(plan, graph=graph)
        for symbols in guarded.groups(graph.instruments):
            _run(guarded, db, [db.resolve(symbol) for symbol in symbols], lived, found, notes, watch)
    return Shadow(found, min(began), max(one.ended for one in lived.steering.values()) + 1, notes)


def _run(plan: Plan, db: TickDb, keys: Sequence[Key], lived: Lived, found: Lived, notes: list[str], watch: Watch) -> None:
    """One independent group of a graph, over all recorded days that its strategies traded on."""
    names = [name for name in _names(plan, [key.symbol for key in keys]) if lived.steering[name].began]
    if not names:
        return
    begin = min(lived.steering[name].began for name in names)
    end = max(lived.steering[name].ended for name in names) + 1
    label = "+".join(key.symbol for key in keys)
    before: Simulation | None = None
    for day in [day for day in db.days(keys[0]) if all(day in db.days(key) for key in keys)]:
        prepared = [db.prepared(key, day, _base_ns(db, key, day, plan)) for key in keys]
        first, last = whole(prepared)
        start, stop = max(first, begin, before.host.end if before else 0), min(last, end)
        if start >= stop:
            continue
        simulation = simulated(plan, prepared, (start, stop), _looker(found), trading=False, before=before)
        if before is None:
            _open(simulation, [lived.steering[name] for name in names], start)
            if start - begin > 1_000_000_000:
                notes.append(f"{label}: the record begins {(start - begin) / 1e9:.1f} s after the strategies")
        seats = simulation.host.seats
        told: list[tuple[int, str, Message]] = [(at, name, one) for name in names for at, one in lived.steering[name].told]
        told += [(at, RISK, one) for at, one in lived.told if isinstance(one, SecurityStatus) or one.strategy in ("", *names)]
        for at, name, message in told:
            if before is None or at >= start:
                simulation.host.push(max(at, start), 0, seats[name], structs.replace(message))
        try:
            for part in range(1, SLICES + 1):
                simulation.host.run(start + (stop - start) * part // SLICES)
                watch(f"shadow {day} {label}", part, SLICES)
        except UserError:
            raise
        except Exception as error:  # noqa: BLE001 - it may be the strategy's, as live; whose it is, its line says
            when = clock(simulation.host.clock.time)
            notes.append(f"{label}: the shadow ends at {when}: {cause(error, Path(plan.folder))}")
            return
        before = simulation
    if before is None:
        raise UserError(f"{label}: nothing was recorded while its strategies traded", Exit.NOT_FOUND)


def _names(plan: Plan, symbols: Sequence[str]) -> list[str]:
    return [plan.graph.name] if plan.strategy_class().shared else [f"{plan.graph.name}.{symbol}" for symbol in symbols]


def _base_ns(db: TickDb, key: Key, day: str, plan: Plan) -> int:
    """The smallest feed latency that was recorded: the market arrives when it did, but where the clock was behind the venue's."""
    with db.file(key, day) as file:
        found = [one.latency_ns_min for one in file.day.segments if one.latency_ns_min is not None]
    least = min(found, default=-1)
    return least if least >= 0 else round(plan.graph.latency.feed_base_us * 1_000)


def _looker(found: Lived) -> Callable[[int, str, Message], None]:
    def look(time: int, node: str, message: Message) -> None:
        if node == RISK:
            see(found, time, message)

    return look


def _open(simulation: Simulation, steering: Sequence[Steering], start: int) -> None:
    """Give the account what its strategies began from; risk tells them, as live, when they are connected."""
    total: dict[str, PositionReport] = {}
    for one in steering:
        for symbol, opening in one.opening.items():
            mine = structs.replace(opening, transact_time=0, received=start, now=start, exec_id="")
            simulation.host.push(start, 0, simulation.host.seats[RISK], mine)
            known = total.setdefault(symbol, PositionReport(symbol, 0, start, start))
            known.qty, known.cost_units = known.qty + mine.qty, known.cost_units + mine.cost_units
            known.cash_e8 += mine.cash_e8
    for whole_position in total.values():
        simulation.host.push(start, 0, simulation.host.seats[RISK], whole_position)
