"""Who asks, and the keys of private streams.

A request is signed by the HMAC-SHA256, in hex of either case, over exactly what was sent: query string and body with nothing
between, without the signature itself. It is in time iff `timestamp < server + 1000` and `server - timestamp <= recvWindow`.

A listen key lives for an hour of the venue's clock, from when it was last opened or kept; then `listenKeyExpired` is the last
that its connections hear.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from random import Random
from typing import Any, Final

from actors.emulator.account import Account
from actors.emulator.agenda import Agenda
from actors.emulator.answer import Refused
from actors.emulator.parameters import Parameters
from actors.emulator.userdata import key_expired

SIGNATURE: Final = re.compile(r"(^|&)signature=[^&]*")
AHEAD_MS: Final = 1000
WINDOW_MS: Final = 5000
WINDOW_MS_MAX: Final = 60_000
SECOND: Final = 1_000_000_000
ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def caller(accounts: Mapping[str, Account], key: str, address: str) -> Account:
    """The account of an API key. Raises Refused -2014 for what cannot be one, -2015 for a stranger's."""
    if not key or not key.isascii() or len(key) > 128:
        raise Refused(-2014)
    for account in accounts.values():
        if hmac.compare_digest(account.settings.key.encode(), key.encode()):
            return account
    raise Refused(-2015, address)


def payload(query: str, body: str) -> str:
    """What a request's signature stands for."""
    return SIGNATURE.sub("", query) + SIGNATURE.sub("", body)


def check_signature(account: Account, payload: str, parameters: Parameters) -> None:
    """Raises Refused -1102 without a signature, -1022 for a wrong one."""
    given = parameters.text("signature")
    if not signed(account.settings.secret, payload, given):
        raise Refused(-1022)


def signed(secret: str, payload: str, given: str) -> bool:
    """Whether `given` is the payload's signature."""
    made = hmac.new(secret.encode(), payload.encode(errors="surrogateescape"), sha256).hexdigest()
    return hmac.compare_digest(made.encode(), given.lower().encode())


def check_time(parameters: Parameters, server_ms: int) -> None:
    """Raises Refused -1021 for a request that is too old, or from the future."""
    stamp = parameters.integer("timestamp")
    allowed = parameters.integer("recvWindow", WINDOW_MS, 1, WINDOW_MS_MAX)
    if stamp >= server_ms + AHEAD_MS:
        raise Refused(-1021, text="Timestamp for this request was 1000ms ahead of the server's time.")
    if server_ms - stamp > allowed:
        raise Refused(-1021)


class ListenKeys:
    """The keys of private streams, one an account. `tell(key, event, body)` writes to its connections."""

    def __init__(
        self, seed: int, life_ns: int, agenda: Agenda, stamp: Callable[[int], int], tell: Callable[[str, str, Any], None]
    ) -> None:
        self._random = Random(f"listen keys {seed}")
        self._life, self._agenda, self._stamp, self._tell = life_ns, agenda, stamp, tell
        self.of: dict[str, str] = {}

    def open(self, now: int, account: str) -> str:
        """The account's key, new if it has none, for another life."""
        if account not in self.of:
            self.of[account] = "".join(self._random.choices(ALPHABET, k=64))
        return self.keep(now, account)

    def keep(self, now: int, account: str) -> str:
        """Prolong. Raises Refused -1125 when there is none."""
        if account not in self.of:
            raise Refused(-1125)
        self._agenda.at(now + self._life, lambda when: self.expire(when, account), f"listen key {account}")
        return self.of[account]

    def close(self, now: int, account: str) -> None:
        """Forget the key; its connections fall silent."""
        self.of.pop(account, None)
        self._agenda.drop(f"listen key {account}")

    def expire(self, now: int, account: str) -> None:
        """The key's life is over."""
        key = self.of.pop(account, "")
        self._agenda.drop(f"listen key {account}")
        if key:
            self._tell(key, "listenKeyExpired", key_expired(key, self._stamp(now)))
