"""A simulated day under a debugger's hands, from a Python console or a notebook.

    session = Session("strategies/market_maker.toml", "store", instruments=["ETHUSDT"], overrides=["strategy.gamma=0.1"])
    session.backtest_set_datetime("2024-07-19")
    session.backtest_set_breaktime("00:02:00")
    session.backtest_go()                         # as far as the break
    session.backtest_step()                       # one node handles one message; says which
    session.nodes["market_maker.ETHUSDT"].orders  # look at anything

It is the host of a backtest, held at will: what happens is what happens in the run, message by message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from actors.errors import Exit, UserError
from actors.graph import read
from actors.history.historical import moment_ns
from actors.history.tickdb import TickDb, parse_day
from actors.launch import Simulation, simulated, whole
from core.message import Message, Tick
from core.node import Node
from core.order import Order


class Step(Struct, frozen=True):
    """One event: at a time (ns UTC) a node was handed a message."""

    now: int
    node: str
    message: Message

    def __repr__(self) -> str:
        return f"{stamp(self.now)} {self.node} <- {self.message}"


class Session:
    """One graph over one day of a store. Raises UserError for whatever is not there."""

    def __init__(
        self, graph: str | Path, store: str | Path = "store", instruments: Sequence[str] = (), overrides: Iterable[str] = ()
    ) -> None:
        """`instruments` instead of the graph's own; `overrides` as the command line's --set. The first stored day is set."""
        self.plan = read(graph, overrides)
        self._db = TickDb(store)
        self._keys = [self._db.resolve(name) for name in instruments or self.plan.graph.instruments]
        self._break: int | None = None
        self._last: Step | None = None
        days = self._db.days(self._keys[0])
        self.backtest_set_datetime(days[0])

    # --- the controls

    def backtest_set_datetime(self, date: str, time: str = "") -> None:
        """Begin again on a day, with fresh nodes: at its first event, or at a time (UTC) with the book as it stood then.

        A strategy that begins in the middle of a day has seen nothing of what was before; to look at what it does in a run, begin
        with the day, set a break time and go.
        """
        day = parse_day(date)
        prepared = [self._db.prepared(key, day, round(self.plan.graph.latency.feed_base_us * 1000)) for key in self._keys]
        first, end = whole(prepared)
        start = moment_ns(time, day) if time else first
        if not prepared[0].start_ns <= start < end:
            raise UserError(f"{stamp(start)} is not within the data of {day}, {stamp(first)} to {stamp(end)}", Exit.NOT_FOUND)
        self.day = day
        self._break = self._last = None
        self.simulation: Simulation = simulated(self.plan, prepared, (start, end), self._watch)

    def backtest_set_breaktime(self, time: str) -> None:
        """Let `backtest_go` stop before the first event at or after a time of the day (UTC), as 00:03:00 or 00:03:00.5."""
        self._break = moment_ns(time, self.day)

    def backtest_step(self) -> Step | None:
        """One event: one node handles one message. Returns what it was, or None when the day is over."""
        return self._last if self.simulation.host.step() else None

    def backtest_go(self) -> str:
        """Run to the break time, which is then spent, or to the end of the day; returns where it stands, in words."""
        stop, self._break = self._break, None
        self.simulation.host.run(stop)
        return repr(self)

    # --- what there is to see

    @property
    def now(self) -> int:
        """The simulated time, ns UTC."""
        return self.simulation.host.clock.now()

    @property
    def nodes(self) -> Mapping[str, Node]:
        """Every node by its name: strategies, risk, gateways."""
        return {name: seat.node for name, seat in self.simulation.host.seats.items()}

    @property
    def last(self) -> Step | None:
        """The last event."""
        return self._last

    @property
    def waiting(self) -> list[Step]:
        """Messages on their way and wakes not yet due, in order of time."""
        return [Step(at, name, message) for at, name, message in self.simulation.host.in_flight()]

    @property
    def market(self) -> dict[str, Tick]:
        """The newest tick that a strategy has seen, by instrument."""
        return {symbol: tick for one in self.simulation.strategies.values() for symbol, tick in one.market.items()}

    @property
    def position(self) -> dict[str, float]:
        """Position by instrument, in base currency, as risk's ledger has it."""
        ledger = self.simulation.risk.ledger
        return {name: ledger.position(name) * venue.instrument.lot_float for name, venue in self.simulation.venues.items()}

    @property
    def orders(self) -> list[Order]:
        """The orders that the strategies know to be working or on their way."""
        return [order for one in self.simulation.strategies.values() for order in one.orders.values()]

    def book(self, symbol: str = "", levels: int = 5) -> dict[str, list[tuple[float, float]]]:
        """The book as it is known here now: the best levels of bids and asks as (price, quantity)."""
        venue = self.simulation.venues[symbol or next(iter(self.simulation.venues))]
        one = venue.instrument
        sides = zip(("bids", "asks"), venue.replay.levels(levels), strict=True)
        return {name: [(tick * one.tick_float, lots * one.lot_float) for tick, lots in side] for name, side in sides}

    def __repr__(self) -> str:
        held = ", ".join(f"{symbol} {position:g}" for symbol, position in self.position.items())
        return f"<Session {stamp(self.now)}: position {held}; {len(self.orders)} orders; last: {self._last or 'nothing yet'}>"

    def _watch(self, time: int, node: str, message: Message) -> None:
        self._last = Step(time, node, message)


def stamp(ns: int) -> str:
    """A time as people read it: 2024-07-19 00:03:00.000000123."""
    whole_s, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(whole_s, UTC):%Y-%m-%d %H:%M:%S}.{rest:09d}"
