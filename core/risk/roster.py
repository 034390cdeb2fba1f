"""The account's strategies: which of them may trade, and what each holds of its own executions.

A strategy whose session is lost is *away*: what works of it is canceled, and what it sends is refused. When it comes back, in a
new life that remembers nothing, it waits until nothing works of its old one; then it learns what it holds, and that it may trade.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from core.instrument import Instrument
from core.ledger import Ledger
from core.message import Command, ExecType, ExecutionReport, Funding, Message, PositionReport
from core.risk.working import WorkingOrders


class Roster:
    """Strategies by name; one that nobody spoke of yet may trade and holds nothing."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments = tuple(instruments)
        self.ledgers: dict[str, Ledger] = {}
        self.absent: dict[str, bool] = {}
        """Those that may not trade; True once they are back and only wait for their orders' end."""
        self._told: dict[str, bool] = {}
        """Those that have begun from a position that they were told."""

    def ledger(self, strategy: str) -> Ledger:
        """A strategy's own ledger, opened on first mention."""
        if strategy not in self.ledgers:
            self.ledgers[strategy] = Ledger(self._instruments)
        return self.ledgers[strategy]

    def position(self, strategy: str, symbol: str) -> int:
        """What a strategy's own executions come to, in lots."""
        ledger = self.ledgers.get(strategy)
        return ledger.position(symbol) if ledger is not None else 0

    def apply(self, now: int, report: ExecutionReport) -> Iterator[Message]:
        """Count a new execution for its owner; what that has to be told of it beside the report itself.

        A bust or a correction may be of an execution that is only in the position that it began from: it is told the new one.
        """
        strategy = report.strategy
        if strategy:
            self.ledger(strategy).apply(report)
            if report.exec_type != ExecType.TRADE and strategy in self._told:
                yield self._position(now, strategy, report.symbol)

    def fund(self, funding: Funding) -> None:
        """Settle funding with every strategy."""
        for ledger in self.ledgers.values():
            ledger.fund(funding)

    def leave(self, strategy: str) -> None:
        """A strategy's session is lost."""
        self.absent[strategy] = False

    def enter(self, now: int, strategy: str, working: WorkingOrders) -> Iterator[Message]:
        """A strategy has begun anew."""
        self.absent[strategy] = True
        yield from self.admit(now, working)

    def admit(self, now: int, working: WorkingOrders) -> Iterator[Message]:
        """What those are told that are back and have nothing left of their earlier life."""
        for strategy in [name for name, back in self.absent.items() if back and not working.owned(name)]:
            del self.absent[strategy]
            self._told[strategy] = True
            for one in self._instruments:
                yield self._position(now, strategy, one.symbol)
            yield Command("", now, now, now, strategy, "trading", "on")

    def _position(self, now: int, strategy: str, symbol: str) -> PositionReport:
        return self.ledger(strategy).of(symbol).report(now, strategy)
