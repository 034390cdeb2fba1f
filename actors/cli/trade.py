"""`astrarium trade GRAPH...`: strategies on live markets, on paper unless told otherwise, until Ctrl-C."""

from __future__ import annotations

import os
import sys
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from actors.errors import Exit, UserError

if TYPE_CHECKING:
    from actors.graph import Plan
    from actors.live.placement import Placement
    from core.dialect.binance.hosts import VenueTable

Venues = Literal["production", "demo", "emulator"] | None


def trade(
    graphs: tuple[Path, ...],
    /,
    *,
    live: Annotated[bool, Parameter(name="--live", negative="")] = False,
    venue: Annotated[Venues, Parameter(name="--venue")] = None,
    url: Annotated[str, Parameter(name="--url")] = "",
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    split: Annotated[bool, Parameter(name="--split", negative="")] = False,
    hosts: Annotated[int | None, Parameter(name="--hosts")] = None,
    pin: Annotated[bool, Parameter(name="--pin", negative="")] = False,
    for_: Annotated[float, Parameter(name="--for")] = 0.0,
    flatten: Annotated[bool, Parameter(name="--flatten", negative="")] = False,
    record: Annotated[bool, Parameter(name="--record", negative="--no-record")] = True,
    sessions: Annotated[Path, Parameter(name="--sessions")] = Path("sessions"),
    address: Annotated[str, Parameter(name="--address")] = "",
    trust_network: Annotated[bool, Parameter(name="--trust-network", negative="")] = False,
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Trade graphs on live markets, until Ctrl-C: on paper (live data, our own matching) unless --live is given.

    Parameters
    ----------
    graphs
        Graph files, such as strategies/market_maker.toml; several trade side by side on one account.
    live
        Send orders to the venue. Without it nothing leaves but questions about the market.
    venue
        production, demo or emulator, instead of the graphs' own.
    url
        Where the venue is, if all of it is at one address, as an emulator is: http://127.0.0.1:8900.
    set_
        Another value for one key of every graph, as strategy.gamma=0.3; may be given again.
    split
        Normalizers in processes of their own.
    hosts
        At most so many processes for the markets; by default as many as there are cores. 0: one for each instrument.
    pin
        Each process on a core of its own, dealt out in turn: a fifth less from tick to order where cores are not shared.
    for_
        Stop after so many seconds.
    flatten
        At the end close what is held, at market.
    record
        Keep the venue's frames, for `replay --shadow` and `data import`.
    sessions
        Where sessions' folders are; with --address a folder that every machine has at the same path.
    address
        A Ray cluster to trade on, instead of a Ray of this session's own: HOST:PORT, or auto on one of its machines.
    trust_network
        Nobody else reads on the cluster's network: Ray may speak there in plain text.
    json
        One JSON object at the end instead of tables.
    """
    from actors.graph import read
    from actors.live.admission import of_account, of_ray
    from actors.live.credentials import credentials
    from actors.live.opening import objections, open_session
    from actors.trade import run

    if not graphs:
        raise UserError("trade wants a graph file: astrarium trade strategies/market_maker.toml", Exit.CONFIGURATION)
    if not 0 <= for_ < inf:
        raise UserError(f"--for {for_:g}: seconds to trade for, or 0 for until Ctrl-C", Exit.CONFIGURATION)
    if "://" in address:
        words = "a session is held from one of the cluster's own machines: type it there, with --address auto"
        raise UserError(words, Exit.CONFIGURATION)
    plans = [read(path, set_) for path in graphs]
    where = _venue(plans, venue, url)
    key = credentials(where.name) if live else None  # one that is missing is said now, not by a process that begins
    for words in (*objections(plans, where), *of_ray(address, trusted=trust_network), *(of_account(where, key) if key else ())):
        if live:
            raise UserError(f"not for real: {words}", Exit.CONFIGURATION)
        sys.stderr.write(f"for real this would be refused: {words}\n")
    markets = len(os.sched_getaffinity(0)) if hosts is None else hosts
    placement: Placement = "split" if split else "together"
    folder = open_session(sessions, plans, where, live, placement, markets, record, pin, bool(address), trust_network)
    return run(folder, for_, flatten, address, json)


def _venue(plans: list[Plan], name: Venues, url: str) -> VenueTable:
    """The venue that the graphs name, or what is said instead."""
    from msgspec import structs

    from core.dialect.binance.hosts import VenueTable

    named = [plan.graph.venue for plan in plans if isinstance(plan.graph.venue, VenueTable)]
    if any(one != named[0] for one in named):
        raise UserError("these graphs name different venues: one session has one account", Exit.CONFIGURATION)
    table = named[0] if named else VenueTable()
    if name:
        table = structs.replace(table, name=name, rest="", stream="", ws_api="") if name != table.name else table
    return table.at(url) if url else table
