"""What each answer of Binance USDⓈ-M futures proves about the request that it answers, and what is to be done: one table.

The rule above all others: what does not prove a refusal is unknown. A request is transmitted again, under the same id, only where
the answer proves that it was refused before the engine and might be taken now. (The venue's error codes and HTTP codes as
documented in October 2026.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Proof(StrEnum):
    """What is known of the request after the answer."""

    CONFIRMED = "confirmed"
    REFUSED = "refused"
    """Never reached the engine, or the engine would not have it."""
    ARRIVED = "arrived"
    """An earlier transmission is alive there: a duplicate's refusal."""
    NOT_FOUND = "not found"
    """No such order now: proves something only late, and of a cancel nothing at all."""
    UNKNOWN = "unknown"


class Action(StrEnum):
    """What the session does besides telling the gateway."""

    NONE = "none"
    RESYNC_CLOCK = "measure the clock's offset"
    WAIT = "only cancels and what reduces, until the stated time"
    REDUCE = "only what reduces"
    HALT = "stop trading and tell a person"
    REFRESH = "load the filters again"
    RECONCILE = "compare orders and positions"
    NEW_KEY = "open a new private stream, then reconcile"


class Verdict(NamedTuple):
    """A row: `again` says that the same request may be transmitted again under the same id."""

    proof: Proof
    action: Action = Action.NONE
    again: bool = False


UNKNOWN: Final = Verdict(Proof.UNKNOWN, Action.RECONCILE)
LIMITED: Final = Verdict(Proof.REFUSED, Action.WAIT, again=True)
REFUSED: Final = Verdict(Proof.REFUSED)
_FILTERED: Final = Verdict(Proof.REFUSED, Action.REFRESH)
_REDUCING: Final = Verdict(Proof.REFUSED, Action.REDUCE)
_HALTED: Final = Verdict(Proof.REFUSED, Action.HALT)
_MISPLACED: Final = Verdict(Proof.REFUSED, Action.RECONCILE)

CODES: Final[Mapping[int, Verdict]] = {
    -1000: UNKNOWN,
    -1001: UNKNOWN,
    -1006: UNKNOWN,
    -1007: UNKNOWN,
    -1008: Verdict(Proof.UNKNOWN, Action.WAIT),
    -1003: LIMITED,
    -1015: Verdict(Proof.REFUSED, Action.WAIT),
    -1021: Verdict(Proof.REFUSED, Action.RESYNC_CLOCK, again=True),
    -5028: Verdict(Proof.REFUSED, Action.RESYNC_CLOCK),
    -1022: _HALTED,
    -2014: _HALTED,
    -2015: _HALTED,
    -4120: _HALTED,
    -4531: _HALTED,
    -4061: _HALTED,
    -1125: Verdict(Proof.REFUSED, Action.NEW_KEY),
    -1013: _FILTERED,
    -1111: _FILTERED,
    -4003: _FILTERED,
    -4004: _FILTERED,
    -4005: _FILTERED,
    -4001: _FILTERED,
    -4002: _FILTERED,
    -4013: _FILTERED,
    -4014: _FILTERED,
    -4015: REFUSED,
    -4016: REFUSED,
    -4024: REFUSED,
    -4023: _FILTERED,
    -4131: _FILTERED,
    -4164: _FILTERED,
    -2011: Verdict(Proof.NOT_FOUND, Action.RECONCILE),
    -2013: Verdict(Proof.NOT_FOUND),
    -2010: REFUSED,
    -2018: REFUSED,
    -2019: REFUSED,
    -2021: REFUSED,
    -2025: REFUSED,
    -2027: REFUSED,
    -4045: REFUSED,
    -4050: REFUSED,
    -4051: REFUSED,
    -4142: REFUSED,
    -5021: REFUSED,
    -5022: REFUSED,
    -5025: REFUSED,
    -5026: REFUSED,
    -5027: REFUSED,
    -5043: REFUSED,
    -1102: REFUSED,
    -1104: REFUSED,
    -4116: Verdict(Proof.ARRIVED, Action.RECONCILE),
    -2022: _MISPLACED,
    -4118: _MISPLACED,
    -4087: _REDUCING,
    -4088: _REDUCING,
    -4105: _REDUCING,
    -4106: _REDUCING,
    -4107: _REDUCING,
    -4189: _REDUCING,
    -4400: _REDUCING,
    -4401: _REDUCING,
}
"""By the code in the body. Codes that are not here prove what their HTTP status proves."""
DEFINITE: Final = ("Service Unavailable.", "Internal error; unable to process")
"""Beginnings of a 503's text that say that nothing was done."""


def verdict(status: int | None, code: int = 0, text: str = "") -> Verdict:
    """What an answer proves. `status`: HTTP's, None when none came (a timeout, a broken connection); `code`: 0 without one."""
    if status is None or status < 200 or status == 408:
        return UNKNOWN
    if status < 300 and code >= 0:
        return Verdict(Proof.CONFIRMED)
    if code in CODES:
        return CODES[code]
    if status in (418, 429):
        return LIMITED
    if status == 403:
        return Verdict(Proof.REFUSED, Action.WAIT)
    if status == 503 and text.startswith(DEFINITE):
        return LIMITED
    return REFUSED if 400 <= status < 500 else UNKNOWN


WAIT_NS: Final = 10_000_000_000
"""After a refusal for too many requests that does not say until when: the shortest of the venue's windows."""
BAN_NS: Final = 120_000_000_000
"""The shortest ban."""
WAIT_NS_MAX: Final = 3 * 86_400_000_000_000
"""The longest ban that is documented; what says more is not believed."""
_UNTIL: Final = re.compile(r"banned until (\d{13})\b", re.ASCII)


def closed_until(now: int, status: int | None, retry_after: str = "", text: str = "") -> int:
    """Until when (the venue's time, ns UTC) nothing more may be asked, of a refusal for too many requests at `now`.

    The text's own time ("IP banned until 1573346959000") goes before the header's seconds, and both before a guess.
    """
    named = _UNTIL.search(text)
    if named is not None:
        until = int(named[1]) * 1_000_000
    elif retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 9:
        until = now + int(retry_after) * 1_000_000_000
    else:
        until = now + (BAN_NS if status == 418 else WAIT_NS)
    return min(max(until, now), now + WAIT_NS_MAX)
