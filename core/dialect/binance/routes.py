"""On which of Binance USDⓈ-M futures' three roads a stream is served. On the wrong one it is silent, without an error.

`/public`: books and best quotes. `/market`: everything else of the market. `/private`: the account. (Routes as announced in March
2026; the old single road was closed on 2026-04-23, and a connection without a route receives only what is public.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal

Route = Literal["/public", "/market", "/private"]

_PUBLIC: Final = re.compile(r"(!bookTicker|[^!@]+@(bookTicker|depth(5|10|20)?(@(100|500)ms|@0ms)?|rpiDepth@500ms))")
_MARKET: Final = re.compile(
    r"(!(markPrice@arr(@1s)?|miniTicker@arr|ticker@arr|forceOrder@arr|contractInfo|assetIndex@arr)"
    r"|[^!@]+@(aggTrade|trade|markPrice(@1s)?|kline_\w+|continuousKline_\w+|miniTicker|ticker|forceOrder|compositeIndex|assetIndex))"
)
_LISTEN_KEY: Final = re.compile(r"[A-Za-z0-9]{60,}")


def route(stream: str) -> Route:
    """The road of a stream by its name; a listen key is private. Raises ValueError for a name that is on none of them."""
    if _PUBLIC.fullmatch(stream):
        return "/public"
    if _MARKET.fullmatch(stream):
        return "/market"
    if _LISTEN_KEY.fullmatch(stream):
        return "/private"
    raise ValueError(f"no road of Binance USD-M futures serves a stream {stream!r}")


def by_route(streams: Iterable[str]) -> dict[Route, tuple[str, ...]]:
    """Streams sorted onto connections, in the order given."""
    found: dict[Route, tuple[str, ...]] = {}
    for stream in streams:
        road = route(stream)
        found[road] = (*found.get(road, ()), stream)
    return found
