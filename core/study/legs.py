"""The legs of an order's road, told from a session's tapes: from the market's bytes to the venue and back.

Each message carries the times of its legs, so nothing had to be measured while it ran. Times are ns UTC of the hosts' own clocks;
what the venue says of its own time has its clock in it, in whole milliseconds, and is brought between the times at which the
request left and its answer arrived where it lies outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.codec import decode
from core.message import ExecType, ExecutionReport, NewOrderSingle, Tick
from core.tape import Entry

LEGS: Final[Mapping[str, tuple[str, str]]] = {
    "market's bytes to normalizer": ("received", "normalized"),
    "normalizer to strategy": ("normalized", "looked"),
    "strategy to risk": ("looked", "judged"),
    "risk to the door": ("judged", "left"),
    "the door to the venue": ("left", "arrived"),
    "the venue to the gateway": ("arrived", "heard"),
    "market's bytes to the door": ("received", "left"),
    "there and back": ("left", "heard"),
}
"""Each leg by the moments that it lies between."""
MOMENTS: Final = ("received", "normalized", "looked", "judged", "left", "arrived", "heard")

Orders = dict[str, dict[str, int]]


def of_market(entries: Iterable[Entry], orders: Orders) -> None:
    """What a market's tape tells: for each order the tick that it answers, and when the strategy had it."""
    newest: dict[str, tuple[Tick, int]] = {}
    for line in entries:
        if line.way == "<":
            message = decode(line.frame)
            if isinstance(message, Tick):
                newest[line.node] = message, line.now
        elif line.way == ">" and line.node in newest:
            message = decode(line.frame)
            if isinstance(message, NewOrderSingle):
                tick, looked = newest[line.node]
                orders.setdefault(message.cl_ord_id, {}).update(received=tick.received, normalized=tick.now, looked=looked)


def of_account(entries: Iterable[Entry], orders: Orders) -> None:
    """What the account's tape tells: when risk judged an order, when it left, and when the venue's acknowledgement was here."""
    for line in entries:
        if line.way not in "<>" or not line.node:
            continue
        message = decode(line.frame)
        if isinstance(message, NewOrderSingle):
            if line.node == "risk" and line.way == "<":
                orders.setdefault(message.cl_ord_id, {})["judged"] = line.now
            elif line.node.startswith("door:") and line.way == ">":
                orders.setdefault(message.cl_ord_id, {})["left"] = line.now
        elif line.node.startswith("gateway:") and line.way == "<" and isinstance(message, ExecutionReport):
            order = orders.get(message.cl_ord_id, {})
            if message.exec_type == ExecType.NEW and "left" in order and "heard" not in order:
                order["heard"] = message.received or line.now
                order["arrived"] = min(max(message.transact_time, order["left"] + 1), order["heard"])


def durations(orders: Orders) -> dict[str, NDArray[np.int64]]:
    """Each leg's durations in ns, of the orders that have both of its ends."""
    return {
        name: np.array([one[last] - one[first] for one in orders.values() if first in one and last in one], np.int64)
        for name, (first, last) in LEGS.items()
    }


def table(orders: Orders) -> NDArray[np.int64]:
    """(sent, at the exchange, answered) in ns UTC, an order a row, by the time sent: a latency model's rows (n, 3)."""
    rows = [(one["left"], one["arrived"], one["heard"]) for one in orders.values() if "heard" in one]
    return np.array(sorted(rows), np.int64).reshape(-1, 3)
