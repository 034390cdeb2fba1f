"""What `astrarium doctor --venue NAME` looks at: a venue from this machine with this key, a line each, and nothing is traded.

Whether a key may withdraw is told by another service of the venue (`actors/live/admission.py`); where there is none, an account
that may transfer out (`canWithdraw`) is refused, and the words say what was not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import websocket
from msgspec import Struct

from actors.cli.doctor import Finding
from actors.live.admission import restrictions
from actors.live.asking import Asker
from actors.live.credentials import Credentials
from core.codec import WireError
from core.dialect.binance import account, rest
from core.dialect.binance.filters import exchange_info, rate_limits
from core.dialect.binance.hosts import CHECKED, VenueTable

FRAME_S: Final = 6.0
"""The slowest of the streams that are listened to comes every second."""
OFFSET_MS_MAX: Final = 500
SYMBOL: Final = "BTCUSDT"


class _Indicator(Struct, rename="camel"):
    indicator: str = ""
    is_locked: bool = False


class _Status(Struct):
    indicators: dict[str, list[_Indicator]] = {}


def checkup(table: VenueTable, credentials: Credentials) -> Iterator[Finding]:
    """Every look at a venue; after one that makes the others pointless there are no more."""
    hosts = table.hosts
    yield Finding("venue", True, f"{table.name} at {hosts.rest}; facts checked on {CHECKED}")
    yield Finding("key", True, f"from {credentials.source}")
    ask = Asker(table, credentials)
    try:
        offset_ms = ask.keep_time()
    except (OSError, WireError) as error:
        yield Finding("reach", False, f"{hosts.rest}: {error}")
        return
    fine = abs(offset_ms) <= OFFSET_MS_MAX
    cure = "" if fine else f": at most {OFFSET_MS_MAX} are allowed; set this machine's clock right"
    yield Finding("clock", fine, f"{offset_ms:+,.1f} ms from here to the venue's{cure}")
    for what, look in LOOKS.items():
        yield from _looked(what, look, ask)
    yield from _roads(ask)


def _looked(what: str, look: Callable[[Asker], Iterator[Finding]], ask: Asker) -> Iterator[Finding]:
    try:
        yield from look(ask)
    except (OSError, ValueError) as error:
        yield Finding(what, False, str(error))


def _filters(ask: Asker) -> Iterator[Finding]:
    info = exchange_info(ask(rest.exchange_info()))
    trading = [one for one in info.symbols.values() if one.status == "TRADING" and one.tick_size and one.lot_size]
    limits = ", ".join(f"{pool.limit:,} {pool.name}" for pool in info.pools)
    yield Finding("filters", bool(trading), f"{len(trading)} instruments trade; {limits or 'no limits are told'}")


def _wallets(ask: Asker) -> Iterator[Finding]:
    found = account.wallets(ask(rest.account("account")))
    held = ", ".join(f"{one.wallet_e8 / 1e8:,.2f} {one.asset}" for one in found if one.wallet_e8)
    yield Finding("key's use", True, f"the venue takes the key; the account holds {held or 'nothing'}")


def _permissions(ask: Asker) -> Iterator[Finding]:
    config = account.account_config(ask(rest.account("accountConfig")))
    yield Finding("trading", config.can_trade, "the account may trade" if config.can_trade else "the account may not trade")
    yield _withdrawals(ask, config.can_withdraw)
    mode = "hedge mode: set the account to one-way mode" if config.dual_side_position else "one-way"
    yield Finding("position mode", not config.dual_side_position, mode)


def _withdrawals(ask: Asker, account_may: bool) -> Finding:
    allowed = restrictions(ask)
    may = account_may if allowed is None else allowed.enable_withdrawals
    who, what = ("account", "transfer out") if allowed is None else ("key", "withdraw")
    text = f"the {who} may {'' if may else 'not '}{what}"
    if may:
        text += ": a key that may withdraw is not for trading, make one that may only trade"
    if allowed is None:
        text += "; what the key itself may is not told here: look at its restrictions where it was made"
    return Finding("withdrawals", not may, text)


def _locks(ask: Asker) -> Iterator[Finding]:
    try:
        body = ask(rest.Request("GET", "/fapi/v1/apiTradingStatus"))
        status = msgspec.json.decode(body, type=_Status)
    except WireError as error:
        yield Finding("locks", True, f"not told by this venue ({error})")
        return
    locked = [f"{symbol} {one.indicator}" for symbol, rows in status.indicators.items() for one in rows if one.is_locked]
    yield Finding("locks", not locked, f"locked by the venue's quantitative rules: {', '.join(locked)}" if locked else "none")


def _limits(ask: Asker) -> Iterator[Finding]:
    pools = rate_limits(ask(rest.account("rateLimit")))
    yield Finding("order limits", True, ", ".join(f"{pool.limit:,} {pool.name}" for pool in pools) or "as filters say")


LOOKS: Final[dict[str, Callable[[Asker], Iterator[Finding]]]] = {
    "filters": _filters,
    "key's use": _wallets,
    "permissions": _permissions,
    "locks": _locks,
    "order limits": _limits,
}


def _roads(ask: Asker) -> Iterator[Finding]:
    """Each of the streams' roads brings what is served on it; on a wrong one everything would be silent."""
    base = ask.table.hosts.stream
    symbol = SYMBOL.lower()
    yield _heard("/public", f"{base}/public/ws/{symbol}@bookTicker", True)
    yield _heard("/market", f"{base}/market/ws/{symbol}@markPrice@1s", True)
    try:
        key = account.listen_key(ask(rest.listen_key("POST")))
        yield _heard("/private", f"{base}/private/ws/{key}", False)
    except (OSError, WireError) as error:
        yield Finding("/private", False, f"no key for the private stream: {error}")
    if ask.table.orders == "ws":
        yield _heard("orders' web socket", ask.table.hosts.ws_api, False)


def _heard(what: str, url: str, speaks: bool) -> Finding:
    """Whether a web socket opens and, if it `speaks` by itself, a frame comes."""
    try:
        connection = websocket.create_connection(url, timeout=FRAME_S)
        try:
            if speaks:
                connection.recv()
        finally:
            connection.close(timeout=0)
    except websocket.WebSocketTimeoutException:
        return Finding(what, False, f"opens and is silent for {FRAME_S:.0f} s: is it the right road?")
    except (websocket.WebSocketException, OSError, ValueError) as error:
        return Finding(what, False, f"does not open ({type(error).__name__})")
    return Finding(what, True, "opens and speaks" if speaks else "opens")
