"""What an account and this machine must be before orders leave for real: a key that is taken and may only trade, an account in
one-way mode, Ray behind its token, no port of ours that others can reach in plain text. Each objection has its own words.

Whether a *key* may withdraw is told by another service of the venue than the futures API, which only says whether the account may
transfer out at all. Where that service is not there (the demo exchange has none) the account's word stands.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from actors.live.asking import Asker
from actors.live.credentials import Credentials
from actors.live.listeners import Listener
from core.codec import WireError
from core.dialect.binance import account, rest
from core.dialect.binance.hosts import VenueTable

KEYS_SERVICE: Final = {"production": "https://api.binance.com"}
"""Where a venue tells what a key may, if not at the futures API's own address; the demo exchange does not tell."""
RESTRICTIONS: Final = rest.Request("GET", "/sapi/v1/account/apiRestrictions")


class Restrictions(Struct, rename="camel"):
    """What a key may."""

    enable_withdrawals: bool
    enable_futures: bool = True


def restrictions(ask: Asker) -> Restrictions | None:
    """What the key may, where the venue tells."""
    table = ask.table
    base = table.rest.rstrip("/") or KEYS_SERVICE.get(table.name, table.hosts.rest)
    try:
        return msgspec.json.decode(ask(RESTRICTIONS, base), type=Restrictions)
    except (OSError, WireError, msgspec.MsgspecError):
        return None


def of_account(venue: VenueTable, credentials: Credentials) -> Iterator[str]:
    """Why this key and this account may not trade for real."""
    ask = Asker(venue, credentials)
    try:
        ask.keep_time()
        config = account.account_config(ask(rest.account("accountConfig")))
    except (OSError, WireError) as error:
        yield f"{venue.name} does not take the key from {credentials.source}: {error}"
        return
    allowed = restrictions(ask)
    if not config.can_trade:
        yield "the account may not trade, says the venue"
    if config.dual_side_position:
        yield "the account is in hedge mode: set it to one-way mode"
    if allowed is not None and not allowed.enable_futures:
        yield f"the key from {credentials.source} may not trade futures: allow it where the key was made"
    if config.can_withdraw if allowed is None else allowed.enable_withdrawals:
        yield f"the key from {credentials.source} may withdraw: make one that may only trade"


def of_ray(address: str, environ: Mapping[str, str] = os.environ, trusted: bool = False) -> Iterator[str]:
    """Why hosts may not be placed by this Ray for real. `trusted`: nobody else reads on the machines' network."""
    if environ.get("RAY_AUTH_MODE", "token") != "token":
        yield "Ray would let in whoever reaches it: unset RAY_AUTH_MODE, or set it to token"
    host = address.rpartition(":")[0].strip("[]")
    if host and not host.startswith("127.") and host not in ("localhost", "::1") and not (trusted or _veiled(environ)):
        yield (
            f"Ray at {address} would be spoken to in plain text: set RAY_USE_TLS=1 and its certificates, or say "
            "--trust-network where nobody else reads on the machines' network"
        )


def of_listeners(found: Iterable[Listener], environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Which of these open ports others can reach, though nothing is encrypted there. (Our links are, always.)"""
    for one in found:
        if not one.loopback and not _veiled(environ):
            where = f"{one.process} listens on {one.address}:{one.port}"
            yield (
                f"{where}, where others reach it in plain text: keep it on 127.0.0.1, set RAY_USE_TLS=1, or on a cluster whose "
                "network is its own say --trust-network"
            )


def _veiled(environ: Mapping[str, str]) -> bool:
    return environ.get("RAY_USE_TLS", "0").lower() in ("1", "true")
