"""Questions to a venue over HTTP, one after the other, before a session trades and while nothing is in a hurry.

The venue's own words come back where it refuses; key and secret are in none of ours.
"""

from __future__ import annotations

import time
from typing import Final

import requests

from actors.live.credentials import Credentials
from core.codec import WireError
from core.dialect.binance import account, rest
from core.dialect.binance.answers import refusal
from core.dialect.binance.hosts import VenueTable

ANSWER_S: Final = 5.0
SAMPLES: Final = 5
MS: Final = 1_000_000


class Asker:
    """Asks a venue with an account's key, in the venue's own time."""

    def __init__(self, table: VenueTable, credentials: Credentials) -> None:
        self.table, self.credentials = table, credentials
        self.offset_ns = 0
        self._signer = credentials.signer()

    def __call__(self, request: rest.Request, base: str = "") -> bytes:
        """The body of an answer, of another address of the venue's if one is given. Raises WireError with the venue's own words
        where it refuses, OSError where none comes."""
        query = self._signer.written(request, time.time_ns() + self.offset_ns)
        url = f"{base or self.table.hosts.rest}{request.path}{'?' if query else ''}{query}"
        try:
            answer = requests.request(
                request.method, url, headers={"X-MBX-APIKEY": self.credentials.key}, timeout=ANSWER_S, allow_redirects=False
            )
        except requests.RequestException as error:
            raise OSError(f"no answer ({type(error).__name__})") from None
        if answer.status_code != 200:
            code, text = refusal(answer.content)
            raise WireError(f"{answer.status_code} {code or ''} {text}".strip())
        return answer.content

    def keep_time(self) -> float:
        """Follow the venue's clock from now on; how far it is ahead of this machine's by the sample with the shortest round
        trip, ms."""
        best: tuple[int, int] | None = None
        for _ in range(SAMPLES):
            sent = time.time_ns()
            there = account.server_time(self(rest.server_time())) + MS // 2
            back = time.time_ns()
            if best is None or back - sent < best[0]:
                best = back - sent, there - (sent + back) // 2
        assert best is not None
        self.offset_ns = best[1]
        return self.offset_ns / MS
