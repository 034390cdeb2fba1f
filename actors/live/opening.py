"""How a session is opened: graphs, venue and instruments brought together and looked at, the folder made, every host's keys in
it.

What is wrong is said before anything starts. A dry run warns of what trading for real would be refused for.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import requests
from msgspec import structs

from actors.errors import Exit, UserError, nearest
from actors.graph import Plan, code_of
from actors.live.folder import Folder, Sitting, fresh_id
from actors.live.keys import make
from actors.live.operator import OPERATOR
from actors.live.placement import Placement, runners
from core.codec import WireError
from core.dialect.binance.account import server_time
from core.dialect.binance.filters import exchange_info
from core.dialect.binance.hosts import VenueTable
from core.instrument import Instrument

ANSWER_S: Final = 10.0
OFFSET_MS_MAX: Final = 500
WANTED: Final = ("order_qty", "position", "open_orders", "order_value")
"""Limits without which nobody trades for real (SEC 15c3-5, RTS 6 article 15)."""


def open_session(
    root: Path,
    plans: Sequence[Plan],
    venue: VenueTable,
    live: bool,
    placement: Placement = "together",
    markets: int = 0,
    record: bool = True,
    pin: bool = False,
    spread: bool = False,
    trusted: bool = False,
) -> Folder:
    """The folder of a new session, ready for its hosts: `spread` over a cluster's machines, whose network nobody else reads on if
    it is `trusted`. Raises UserError for what is wrong."""
    found = runners(plans)
    symbols = sorted({symbol for one in found for symbol in one.symbols})
    instruments = listed(venue, symbols)
    code = code_of(plans)
    name = fresh_id()
    kept = [
        _kept(plan, (root / name / "graphs" / str(number)).resolve()) if spread else plan for number, plan in enumerate(plans)
    ]
    sitting = Sitting(
        name, time.time_ns(), live, venue, tuple(kept), instruments, placement, markets, pin, code, record, spread, trusted
    )  # fmt: skip
    folder = Folder.create(root, sitting)
    for before, plan in zip(plans, kept, strict=True):
        if spread:
            _keep(before, Path(plan.folder))
    for name in (OPERATOR, *(place.name for place in sitting.places())):
        make(folder.keys, name)
    return folder


def _kept(plan: Plan, place: Path) -> Plan:
    """A plan as it is read from the session's folder, which all machines see: graphs may lie anywhere."""
    graph = plan.graph
    _, _, name = graph.strategy["use"].partition(":")
    latency = graph.latency
    if latency.table:
        latency = structs.replace(latency, table=Path(latency.table).name)
    graph = structs.replace(graph, strategy={**graph.strategy, "use": f"{plan.strategy_file.name}:{name}"}, latency=latency)
    return structs.replace(plan, graph=graph, folder=str(place))


def _keep(plan: Plan, place: Path) -> None:
    """Copy what a plan is read from."""
    place.mkdir(parents=True)
    table = plan.graph.latency.table
    for file in (*plan.strategy_file.parent.glob("*.py"), *([Path(plan.folder, table)] if table else [])):
        shutil.copy(file, place / file.name)


def listed(venue: VenueTable, symbols: Sequence[str]) -> tuple[Instrument, ...]:
    """The instruments as the venue lists them now. Raises UserError when it does not answer, or lists one not or not for
    trading."""
    try:
        info = exchange_info(_asked(venue, "/fapi/v1/exchangeInfo"))
    except WireError as error:
        raise UserError(f"{venue.hosts.rest} answers with something else than exchangeInfo: {error}") from error
    for symbol in symbols:
        if symbol not in info.symbols:
            raise UserError(f"{venue.name} lists no {symbol}: {nearest(symbol, info.symbols)}", Exit.NOT_FOUND)
        if info.symbols[symbol].status != "TRADING":
            raise UserError(f"{symbol} is not traded at {venue.name} now: {info.symbols[symbol].status}")
    return tuple(info.symbols[symbol].instrument() for symbol in symbols)


def objections(plans: Sequence[Plan], venue: VenueTable) -> Iterator[str]:
    """Why these graphs may not trade for real, each in its own words."""
    for plan in plans:
        missing = [name for name in WANTED if structs.asdict(plan.graph.limits)[name] is None]
        if missing:
            yield f"{plan.graph.name} has no limit on {', '.join(missing)}: say [limits] {missing[0]} in its graph file"
    offset = clock_offset_ms(venue)
    if abs(offset) > OFFSET_MS_MAX:
        yield f"this machine's clock is {offset:+,.0f} ms from the venue's: {OFFSET_MS_MAX} are allowed; set it right"


def clock_offset_ms(venue: VenueTable) -> float:
    """How far the venue's clock is ahead of this machine's. Raises UserError when the venue does not answer."""
    best = (float("inf"), 0.0)
    for _ in range(3):
        sent = time.time_ns()
        at = server_time(_asked(venue, "/fapi/v1/time"))
        took = time.time_ns() - sent
        best = min(best, (took, (at - sent - took / 2) / 1e6))
    return best[1]


def _asked(venue: VenueTable, path: str) -> bytes:
    """The body of an answer to a public question."""
    url = venue.hosts.rest + path
    try:
        answer = requests.get(url, timeout=ANSWER_S)
    except requests.RequestException as error:
        hint = ": start one with `astrarium venue --port 8900`, or say with --url where it is" if venue.name == "emulator" else ""
        raise UserError(f"no answer from {venue.hosts.rest} ({type(error).__name__}){hint}", Exit.NOT_RUNNING) from error
    if answer.status_code != 200:
        raise UserError(f"{url} answers {answer.status_code}: {answer.text[:200]}")
    return answer.content
