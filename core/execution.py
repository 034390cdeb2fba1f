"""Executions by id: each counted once, whatever the order in which they, their busts and their corrections arrive.

A fill is a fact that never changes. A bust (TRADE_CANCEL) or correction (TRADE_CORRECT) is another fact, which names by
`exec_ref_id` the execution that it supersedes: the fill itself, or the last correction of it. What stands is found by
following a fill to the end of its chain. An amendment that arrives before its fill waits for it, and where two name the same
execution the later one (by the exchange's time, else by arrival) holds: so reports that come twice, or swapped, end in the
same sums. Orders and the ledger share this rule, because a quantity that one of them counts and the other does not would be
a position that nobody ordered.

Left out: an amendment of a fill that never arrives counts nothing. Finding missing fills is reconciliation's work. Nor does
one of a fill that was let go because a position to begin from includes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from core.message import ExecType, ExecutionReport

TRADE, BUST, CORRECTION = ExecType.TRADE, ExecType.TRADE_CANCEL, ExecType.TRADE_CORRECT


class Executions:
    """Fills as they stand. `qty` (lots) and `notional` (sum of ticks times lots) are sums over them, kept by `add` alone."""

    __slots__ = ("_amendments", "_fills", "_let_go", "_superseding", "notional", "qty")

    def __init__(self) -> None:
        self._fills: dict[str, ExecutionReport] = {}
        self._amendments: set[str] = set()
        self._superseding: dict[str, ExecutionReport] = {}
        self._let_go = 0
        self.qty = 0
        self.notional = 0

    def add(self, report: ExecutionReport) -> bool:
        """Take a trade, bust or correction; False when it was known."""
        exec_id = report.exec_id
        if report.exec_type != TRADE:
            return self._amend(report)
        if exec_id in self._fills:
            return False
        self._fills[exec_id] = report
        if exec_id in self._superseding:
            self._sum()
        else:
            self.qty += report.last_qty
            self.notional += report.last_qty * report.last_px
        return True

    def _amend(self, report: ExecutionReport) -> bool:
        if report.exec_id in self._amendments or report.exec_id in self._fills or report.exec_id == report.exec_ref_id:
            return False
        self._amendments.add(report.exec_id)
        before = self._superseding.get(report.exec_ref_id)
        if before is None or before.transact_time <= report.transact_time:
            self._superseding[report.exec_ref_id] = report
            self._sum()
        return True

    @property
    def last(self) -> str:
        """The id of the fill that arrived last; "" without one."""
        return next(reversed(self._fills), "")

    def let_go(self, exec_id: str) -> None:
        """Fills that arrived up to this one count no more, and are still known: they are in a position to begin from."""
        if exec_id in self._fills:
            self._let_go = list(self._fills).index(exec_id) + 1
        self._sum()

    def superseded(self, exec_id: str) -> bool:
        """Whether a bust or correction of this execution is known."""
        return exec_id in self._superseding

    def __iter__(self) -> Iterator[ExecutionReport]:
        """The executions as they stand, busted ones left out, in the order in which their fills arrived."""
        fills = islice(self._fills.values(), self._let_go, None) if self._let_go else iter(self._fills.values())
        if not self._superseding:
            return fills
        return (one for one in map(self._standing, fills) if one.exec_type != BUST)

    def _standing(self, fill: ExecutionReport) -> ExecutionReport:
        """The end of a fill's chain; bounded, so that amendments that name each other in a circle cannot hang a node."""
        for _ in self._superseding:
            later = self._superseding.get(fill.exec_id)
            if later is None:
                break
            fill = later
        return fill

    def _sum(self) -> None:
        self.qty = sum(one.last_qty for one in self)
        self.notional = sum(one.last_qty * one.last_px for one in self)
