"""The kill switch: no new order, and every open order canceled, plain and conditional, whoever is still alive.

The account's host is asked first: it halts, cancels and knows when nothing works any more. Where it does not answer in time the
venue is asked directly, with the account's own key: its two cancel-alls for each instrument, until it shows nothing open. Neither
way needs Ray, or a strategy. What is held stays held.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import requests

from actors.errors import Exit, UserError
from actors.live.credentials import credentials
from actors.live.folder import Folder, Sitting
from actors.live.operator import Operator, operator
from actors.live.placement import ACCOUNT
from actors.wiring import RISK
from core.codec import WireError
from core.dialect.binance import rest
from core.dialect.binance.account import open_algos, server_time
from core.dialect.binance.hosts import VenueTable
from core.message import Command

ANSWER_S: Final = 5.0
AT_ONCE: Final = 8
"""Instruments that are asked about at the same time."""
LOOK_S: Final = 0.1
AGAIN_S: Final = 0.02
"""Between two questions to the account's host."""


def kill_session(folder: Folder, why: str, reach_s: float, confirm_s: float) -> int:
    """Stop trading and cancel everything; the exit code says whether nothing is open any more."""
    sitting = folder.read()
    began = time.monotonic()
    with operator(folder) as line:
        if line.reach(ACCOUNT, reach_s):
            line.say(ACCOUNT, RISK, Command(verb="kill", argument=why))
            if _confirmed(lambda: _halted(line, reach_s), reach_s):
                _say(f"the account is halted after {time.monotonic() - began:.2f} s; canceling")
                if _confirmed(lambda: _flat(line), confirm_s):
                    _say(f"nothing is open any more, {time.monotonic() - began:.2f} s after the word")
                    return Exit.FINE
                _say("the account's host does not get everything canceled")
    if not sitting.live:
        raise UserError(f"session {sitting.id} does not run, and on paper nothing is open anywhere", Exit.NOT_RUNNING)
    _say(f"asking {sitting.venue.name} directly")
    return _directly(sitting, confirm_s)


def _halted(line: Operator, seconds: float) -> bool:
    return any(one["source"] == "operator" and one["state"] == "halt" for one in _asked(line, seconds).get("states", ()))


def _flat(line: Operator) -> bool:
    orders = _asked(line, ANSWER_S).get("orders")
    return orders is not None and not any(orders.values())


def _asked(line: Operator, seconds: float) -> dict[str, Any]:
    """The account's status; nothing where its host has died meanwhile."""
    try:
        return line.ask(ACCOUNT, "status", seconds)
    except UserError:
        return {}


def _confirmed(true: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() >= end:
            return False
        time.sleep(AGAIN_S)
    return True


def _directly(sitting: Sitting, confirm_s: float) -> int:
    """Without the account's host: the venue's cancel-alls, until it shows nothing open or the time is over."""
    offset_ns = _offset_ns(sitting.venue)
    lines = [_Direct(sitting.venue, one.symbol, offset_ns) for one in sitting.instruments]
    end = time.monotonic() + confirm_s
    while True:
        with ThreadPoolExecutor(AT_ONCE) as crew:
            still = [words for found in crew.map(lambda line: list(line.clear()), lines) for words in found]
        if not still:
            _say("nothing is open any more")
            return Exit.FINE
        if time.monotonic() >= end:
            break
        time.sleep(LOOK_S)
    raise UserError(f"NOT confirmed: {'; '.join(still)}. Cancel by the venue's own page now", Exit.TIMED_OUT)


def _offset_ns(table: VenueTable) -> int:
    """How far the venue's clock is ahead of this machine's; 0 where it does not tell."""
    try:
        answer = requests.get(table.hosts.rest + "/fapi/v1/time", timeout=ANSWER_S)
        return server_time(answer.content) - time.time_ns()
    except (requests.RequestException, WireError) as error:
        _say(f"the venue does not tell the time ({type(error).__name__}); trying all the same")
        return 0


class _Direct:
    """Signed requests about one instrument, one after the other."""

    def __init__(self, table: VenueTable, symbol: str, offset_ns: int) -> None:
        self._table, self._symbol, self._offset_ns = table, symbol, offset_ns
        self._credentials = credentials(table.name)
        self._signer = self._credentials.signer()
        self._http = requests.Session()

    def clear(self) -> Iterator[str]:
        """Cancel everything, and say in words what is still open or not known to be closed."""
        symbol = self._symbol
        plain, conditional = rest.cancel_all(symbol)
        for request in (plain, conditional):
            yield from self._ask(request, lambda body: 0)
        yield from self._ask(rest.open_orders(symbol), lambda body: body.count(b'"orderId"'))
        yield from self._ask(rest.open_algos(symbol), lambda body: len(open_algos(body)))

    def _ask(self, request: rest.Request, left: Callable[[bytes], int]) -> Iterator[str]:
        """Nothing when all is well; else what is not."""
        query = self._signer.written(request, time.time_ns() + self._offset_ns)
        url = f"{self._table.hosts.rest}{request.path}?{query}"
        what = f"{request.method} {request.path} {self._symbol}"
        try:
            answer = self._http.request(request.method, url, headers={"X-MBX-APIKEY": self._credentials.key}, timeout=ANSWER_S)
        except requests.RequestException as error:
            yield f"{what}: {type(error).__name__}"
            return
        if answer.status_code != 200:
            yield f"{what}: {answer.status_code} {answer.text[:100]}"
        elif open_now := left(answer.content):
            yield f"{what}: {open_now} open"


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()
