"""The edges of a graph, in the order of the road: strategy, risk, gateway, venue, and back.

Both worlds are wired by this one function. What stands at the end of an edge is the host's affair: a seat on the simulated
host, a node of the same process or one that the link reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final, TypeVar

from core.message import (
    Command,
    ExecutionReport,
    Funding,
    MarkPrice,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassStatusRequest,
    OrderStatusRequest,
    Tick,
    Unanswered,
)

REQUESTS: Final = (NewOrderSingle, OrderCancelRequest, OrderCancelReplaceRequest)
QUERIES: Final = (OrderStatusRequest, OrderMassStatusRequest)
ANSWERS: Final = (ExecutionReport, OrderCancelReject)

RISK: Final = "risk"

T = TypeVar("T")
Routes = dict[type[Message], Callable[[Message], tuple[T, ...]]]


def gateway_of(symbol: str) -> str:
    """The name of an instrument's gateway node."""
    return f"gateway:{symbol}"


def normalizer_of(symbol: str) -> str:
    """The name of an instrument's normalizer node."""
    return f"normalizer:{symbol}"


def trading_edges(nodes: Mapping[str, T], venues: Mapping[str, T], strategies: Collection[str]) -> dict[str, Routes[T]]:
    """Where what each node sends goes, by the sender's name: requests forth, answers back.

    `nodes` are the ends by the names of nodes (risk, gateways, strategies), `venues` the sessions by symbol. Answers about
    orders that no strategy of this graph sent (a liquidation, another session) go to risk alone: they move its ledger.
    """
    risk = (nodes[RISK],)
    by_symbol = {symbol: (nodes[gateway_of(symbol)],) for symbol in venues}
    by_strategy = {name: (nodes[name],) for name in strategies}
    back: dict[str, tuple[T, ...]] = {name: (nodes[name], *risk) for name in strategies}
    edges: dict[str, Routes[T]] = {RISK: {}}
    for name in strategies:
        edges[name] = {request: lambda message: risk for request in REQUESTS}
    for request in REQUESTS:
        edges[RISK][request] = lambda message: by_symbol[message.symbol]
    for answer in ANSWERS:
        edges[RISK][answer] = lambda message: by_strategy[message.strategy]  # type: ignore[attr-defined]
    for symbol, venue in venues.items():
        routes: Routes[T] = {kind: lambda message, to=(venue,): to for kind in (*REQUESTS, *QUERIES)}  # type: ignore[misc]
        routes[Unanswered] = lambda message: risk
        for answer in ANSWERS:
            routes[answer] = lambda message: back.get(message.strategy, risk)  # type: ignore[attr-defined]
        edges[gateway_of(symbol)] = routes
    return edges


def market_edges(nodes: Mapping[str, T], watchers: Mapping[str, Collection[str]], source: T) -> dict[str, Routes[T]]:
    """Where what normalizers send goes: ticks to the strategies that watch the symbol, marks to risk, settlements to both, and
    the request for a snapshot to the `source` of the market's frames.
    """
    risk = (nodes[RISK],)
    edges: dict[str, Routes[T]] = {}
    for symbol, names in watchers.items():
        watching = tuple(nodes[name] for name in names)
        edges[normalizer_of(symbol)] = {
            Tick: lambda message, to=watching: to,  # type: ignore[misc]
            Funding: lambda message, to=(*watching, *risk): to,  # type: ignore[misc]
            MarkPrice: lambda message: risk,
            Command: lambda message, to=(source,): to,  # type: ignore[misc]
        }
    return edges
