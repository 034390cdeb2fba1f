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
    News,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassStatusRequest,
    OrderStatusRequest,
    PositionReport,
    SecurityStatus,
    Tick,
    Unanswered,
)

REQUESTS: Final = (NewOrderSingle, OrderCancelRequest, OrderCancelReplaceRequest)
QUERIES: Final = (OrderStatusRequest, OrderMassStatusRequest)
ANSWERS: Final = (ExecutionReport, OrderCancelReject)

RISK: Final = "risk"
TO_DOORS: Final = ("approved", "resume")
TO_GATEWAYS: Final = ("cancel", "cancel_all")
"""Commands of risk's that are not for strategies, by their verbs."""

T = TypeVar("T")
Routes = dict[type[Message], Callable[[Message], tuple[T, ...]]]


def gateway_of(symbol: str) -> str:
    """The name of an instrument's gateway node."""
    return f"gateway:{symbol}"


def normalizer_of(symbol: str) -> str:
    """The name of an instrument's normalizer node."""
    return f"normalizer:{symbol}"


def door_of(symbol: str) -> str:
    """The name of an instrument's door, through which a guarded account's requests leave."""
    return f"door:{symbol}"


def trading_edges(
    nodes: Mapping[str, T], venues: Mapping[str, T], strategies: Collection[str], operator: tuple[T, ...] = ()
) -> dict[str, Routes[T]]:
    """Where what each node sends goes, by the sender's name: requests forth, answers back, news to the `operator`.

    `nodes` are the ends by the names of nodes (risk, gateways, strategies; doors where there are any), `venues` the sessions by
    symbol. Answers about orders that no strategy of this graph sent (a liquidation, another session) go to risk alone: they move
    its ledger.
    """
    risk = (nodes[RISK],)
    by_symbol: dict[str, tuple[T, ...]] = {symbol: (nodes[gateway_of(symbol)],) for symbol in venues}
    by_strategy: dict[str, tuple[T, ...]] = {name: (nodes[name],) for name in strategies}
    back: dict[str, tuple[T, ...]] = {name: (nodes[name], *risk) for name in strategies}
    everybody = tuple(nodes[name] for name in strategies)
    doors: dict[str, tuple[T, ...]] = {symbol: (nodes[door_of(symbol)],) for symbol in venues if door_of(symbol) in nodes}
    edges: dict[str, Routes[T]] = {RISK: {News: lambda message: operator, SecurityStatus: lambda message: everybody}}
    for name in strategies:
        edges[name] = {request: lambda message: risk for request in REQUESTS}
        edges[name][News] = lambda message: operator
    for request in REQUESTS:
        edges[RISK][request] = lambda message: by_symbol[message.symbol]
    for answer in ANSWERS:
        edges[RISK][answer] = lambda message: by_strategy[message.strategy]  # type: ignore[attr-defined]
    nobody: tuple[T, ...] = ()

    def to_strategy(message: Message) -> tuple[T, ...]:
        return by_strategy.get(message.strategy, nobody)  # type: ignore[attr-defined]

    def told(message: Message) -> tuple[T, ...]:
        assert isinstance(message, Command)
        if message.verb in TO_DOORS:
            return doors.get(message.symbol, nobody)
        return by_symbol[message.symbol] if message.verb in TO_GATEWAYS else to_strategy(message)

    edges[RISK][PositionReport] = to_strategy
    edges[RISK][Command] = told
    for symbol, venue in venues.items():
        out: Routes[T] = {}
        routes: Routes[T] = {}
        way_out = doors.get(symbol, (venue,))
        for kind in (*REQUESTS, *QUERIES, Command):
            out[kind] = lambda message, to=(venue,): to  # type: ignore[misc]
            routes[kind] = lambda message, to=way_out: to  # type: ignore[misc]
        if symbol in doors:
            for answer in ANSWERS:
                out[answer] = lambda message, to=by_symbol[symbol]: to  # type: ignore[misc]
            out[SecurityStatus] = lambda message: risk
            out[News] = lambda message: operator
            edges[door_of(symbol)] = out
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
