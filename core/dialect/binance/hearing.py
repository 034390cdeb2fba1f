"""What the private stream says, what lists say when they are asked, and whether the one has said what the other knows.

The stream's executions are kept by id. A list of executions that holds one which the stream should have brought proves that the
stream is not whole, whatever else comes on it; an early hint (TRADE_LITE) that no execution follows makes the gateway reconcile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from core.dialect.binance.private import AccountUpdate, AlgoUpdate, Hint, Notice, Private, Unplaced, fee_aside
from core.dialect.binance.wire import SECOND
from core.message import ExecType, ExecutionReport

if TYPE_CHECKING:
    from core.dialect.binance.session import Session

HINT_NS: Final = 2 * SECOND
MARGIN_NS: Final = 1 * SECOND
"""How much earlier or later than a connection stands something may happen and not come on it."""
KEPT: Final = 100_000


class Hearing:
    """The ears of a session. `aside`: fees paid in other currencies than instruments settle in, in 1e-8."""

    def __init__(self, session: Session) -> None:
        self.aside: dict[str, int] = {}
        self._session = session
        self._wire, self._counts = session.wire, session.counts
        self._executed: dict[str, None] = {}
        self._paid: dict[str, None] = {}
        self._told: set[str] = set()

    def take(self, said: Private) -> None:
        """What a frame says."""
        if isinstance(said, ExecutionReport):
            if said.exec_type == ExecType.TRADE:
                _keep(self._executed, said.exec_id)
            self.report(self._session.roster.told(self._wire.now, said))
        elif isinstance(said, Hint):
            self._wire.after(HINT_NS, lambda: self._hinted(said))
        elif isinstance(said, AccountUpdate):
            for position in said.positions:
                if position.side == "BOTH":
                    self._session.positions.changed(position.symbol, position.qty)
        elif isinstance(said, AlgoUpdate):
            self.tell_once(f"algo {said.algo_id}", 1, "a conditional order that is not ours", f"{said.symbol}: {said.status}")
        elif isinstance(said, Unplaced):
            self._unplaced(said)
        else:
            self._notice(said)

    def report(self, report: ExecutionReport) -> None:
        """Hand a report on, but for an execution that the opening position holds already."""
        if report.exec_type == ExecType.TRADE:
            if report.transact_time < self._session.inquiries.opened.get(report.symbol, 0):
                self._counts["executions before the opening"] += 1
                return
            self._pay(report)
        self._wire.say(f"gateway:{report.symbol}", report)

    def compare(self, asked_at: int, told: list[ExecutionReport]) -> None:
        """Executions of a complete list, asked for at a time: should the stream have brought one that it did not?"""
        stream = self._session.stream
        since = stream.opened_at + self._wire.offset + MARGIN_NS
        until = asked_at + self._wire.offset - 2 * MARGIN_NS
        missing = [one.exec_id for one in told if since < one.transact_time < until and one.exec_id not in self._executed]
        for exec_id in missing:
            _keep(self._executed, exec_id)
        if missing:
            self._counts["executions that the stream did not bring"] += len(missing)
            stream.suspect(f"it did not bring {missing[0]}")

    def tell_once(self, key: str, urgency: Literal[0, 1, 2], headline: str, text: str) -> bool:
        """A word to the operator that is not said again; True when it was said."""
        if key in self._told or len(self._told) > KEPT:
            return False
        self._told.add(key)
        self._wire.tell(urgency, headline, text)
        return True

    def _pay(self, report: ExecutionReport) -> None:
        paid = fee_aside(report)
        if paid and report.exec_id not in self._paid:
            _keep(self._paid, report.exec_id)
            asset, amount = paid
            self.aside[asset] = self.aside.get(asset, 0) + amount
            self.tell_once(f"fee {asset}", 1, "fees are paid in another currency", f"{asset}: kept aside, in no profit or loss")

    def _hinted(self, hint: Hint) -> None:
        symbol = hint.exec_id.rpartition("-")[0]
        if hint.exec_id not in self._executed and symbol in self._session.instruments:
            self._counts["hints without an execution"] += 1
            self._session.reconcile(symbol)

    def _unplaced(self, said: Unplaced) -> None:
        if not said.reason:
            self._counts["frames of other instruments"] += 1
            self.tell_once(f"other {said.symbol}", 1, "the account trades an instrument that is not loaded", said.symbol)
            return
        self._counts["frames that cannot be said"] += 1
        text = f"{said.symbol}: {said.reason}: {said.frame[:600].decode('ascii', 'replace')}"
        self._wire.tell(2, "a report that cannot be booked", text)
        self._session.reconcile(said.symbol)
        self._session.positions.look()

    def _notice(self, said: Notice) -> None:
        self._counts[said.event[:60]] += 1
        if said.event == "listenKeyExpired":
            self._session.stream.expired(said.event)
        elif said.event == "MARGIN_CALL":
            self._wire.tell(2, "margin call", "the venue may liquidate positions")
        elif said.event == "ACCOUNT_CONFIG_UPDATE":
            self._wire.tell(1, "the account's settings were changed", "leverage or margin mode")


def _keep(kept: dict[str, None], key: str) -> None:
    kept[key] = None
    if len(kept) > KEPT:
        del kept[next(iter(kept))]
