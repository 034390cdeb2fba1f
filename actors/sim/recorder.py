"""What a simulated day leaves behind: a digest of its trace, its fills, and samples of equity and quotes.

The recorder only looks: it sees each message as a node is handed it, and on a sampling grid it reads the market and the
account's ledger. Nothing in the run depends on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from actors.sim.heap import OBSERVE
from core.codec import encode
from core.message import (
    ExecType,
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
)
from core.price import BUY, E8, sign

if TYPE_CHECKING:
    from actors.launch import Simulation

FILL_COLUMNS = (
    ("time_ns", "i8"), ("symbol", "i2"), ("side", "i1"), ("price", "f8"), ("qty", "f8"), ("price_ticks", "i8"),
    ("qty_lots", "i8"), ("maker", "?"), ("fee", "f8"), ("position", "f8"), ("mid", "f8"), ("exec_id", "U64"),
)  # fmt: skip
EQUITY_COLUMNS = (
    ("time_ns", "i8"), ("symbol", "i2"), ("mid", "f8"), ("bid", "f8"), ("ask", "f8"), ("own_bid", "f8"), ("own_ask", "f8"),
    ("position", "f8"), ("cash", "f8"), ("fees", "f8"), ("funding", "f8"), ("equity", "f8"), ("notional", "f8"),
)  # fmt: skip


class Trace:
    """A digest of every message that a node was handed, with its time and the node's name."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=16)

    def __call__(self, time: int, node: str, message: Message) -> None:
        self._digest.update(b"%d %s " % (time, node.encode()))
        self._digest.update(encode(message))

    def hex(self) -> str:
        """The digest so far: 128 bits as hexadecimal digits."""
        return self._digest.hexdigest()


class Recorder:
    """Watches one simulated run; `columns` and `counters` tell afterwards what happened."""

    beside = True

    def __init__(self, mids: Mapping[str, float] | None = None) -> None:
        """`mids`: the last midpoint known of each instrument, in ticks, where a run goes on from an earlier one."""
        self.trace = Trace()
        self.orders = {"new": 0, "cancel": 0, "replace": 0, "rejected": 0}
        self._fills: list[tuple[Any, ...]] = []
        self._equity: list[tuple[Any, ...]] = []
        self.mids: dict[str, float] = dict(mids or {})
        self._counted: Mapping[type[Message], str] = {
            NewOrderSingle: "new",
            OrderCancelRequest: "cancel",
            OrderCancelReplaceRequest: "replace",
        }
        self._simulation: Simulation

    def attach(self, simulation: Simulation) -> None:
        """Begin to sample a run that has not started yet: now, then as the calendar says."""
        self._simulation = simulation
        self._index = {symbol: k for k, symbol in enumerate(simulation.venues)}
        self.sample(simulation.host.clock.time)
        simulation.host.schedule.enter(self, "sample", OBSERVE)

    def watch(self, time: int, node: str, message: Message) -> None:
        """See a message that a node is about to be handed."""
        self.trace(time, node, message)
        kind = type(message)
        if node == "risk":
            if kind is ExecutionReport:
                self._see_report(time, message)  # type: ignore[arg-type]
            elif kind in self._counted:
                self.orders[self._counted[kind]] += 1
        elif kind is OrderCancelReject or kind is ExecutionReport:
            refused = kind is OrderCancelReject or message.exec_type == ExecType.REJECTED  # type: ignore[attr-defined]
            self.orders["rejected"] += refused and node in self._simulation.strategies

    def arrive(self, now: int, message: Message | None) -> None:
        """The calendar's sampling job is due."""
        self.sample(now)

    def sample(self, now: int) -> None:
        """Write down market, own quotes and the account, an instrument each."""
        simulation = self._simulation
        ledger = simulation.risk.ledger
        for symbol, venue in simulation.venues.items():
            instrument = venue.instrument
            tick = instrument.tick_float
            bid, bid_lots, ask, ask_lots = venue.replay.best()
            two_sided = bid_lots > 0 and ask_lots > 0
            if two_sided:
                self.mids[symbol] = (bid + ask) / 2
            mid, known = self.mids.get(symbol, np.nan), symbol in self.mids
            own_bid, own_ask = self._own_quotes(symbol)
            account = ledger.of(symbol)
            equity = account.equity(mid) if known else account.cash
            self._equity.append((
                now, self._index[symbol], mid * tick, bid * tick if two_sided else np.nan, ask * tick if two_sided else np.nan,
                own_bid * tick, own_ask * tick, account.position * instrument.lot_float, account.cash, account.fees,
                account.funding, equity, instrument.value(mid, abs(account.position)) if known else 0.0,
            ))  # fmt: skip

    def _own_quotes(self, symbol: str) -> tuple[float, float]:
        gateway = self._simulation.gateways[symbol]
        bids = [one.price for one in gateway.orders.values() if one.side == BUY and one.price and one.working]
        asks = [one.price for one in gateway.orders.values() if one.side != BUY and one.price and one.working]
        return max(bids, default=np.nan), min(asks, default=np.nan)

    def _see_report(self, time: int, report: ExecutionReport) -> None:
        if report.exec_type != ExecType.TRADE:
            return
        venue = self._simulation.venues[report.symbol]
        instrument = venue.instrument
        bid, bid_lots, ask, ask_lots = venue.replay.best()
        if bid_lots and ask_lots:
            self.mids[report.symbol] = (bid + ask) / 2
        position = self._simulation.risk.ledger.position(report.symbol) + sign(report.side) * report.last_qty
        self._fills.append((
            report.transact_time, self._index[report.symbol], report.side, report.last_px * instrument.tick_float,
            report.last_qty * instrument.lot_float, report.last_px, report.last_qty, report.last_liquidity_ind == "1",
            report.commission_e8 / E8, position * instrument.lot_float,
            self.mids.get(report.symbol, np.nan) * instrument.tick_float, report.exec_id,
        ))  # fmt: skip

    def columns(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, NDArray[Any]]]:
        """Fills and samples as columns."""
        return _columns(self._fills, FILL_COLUMNS), _columns(self._equity, EQUITY_COLUMNS)


def _columns(rows: list[tuple[Any, ...]], layout: tuple[tuple[str, str], ...]) -> Mapping[str, NDArray[Any]]:
    found = zip(*rows, strict=True) if rows else [()] * len(layout)
    return {name: np.array(values, dtype) for (name, dtype), values in zip(layout, found, strict=True)}
