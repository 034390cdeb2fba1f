"""The private stream's life: its key, its connections, and the signs that it is dead.

1. A key lives for an hour and is prolonged every half. A key that the venue does not know any more (-1125, `listenKeyExpired`)
   is replaced, and the stream with it: on the old one nothing comes any more, without an error.
2. A connection is cut after 24 hours. Before that a second one is opened, and the first closed only once the second is there:
   what comes twice is counted once by everybody who counts.
3. When no connection is left, or the only one is suspected to be silent, what it did not bring has to be asked for: `lost` is
   called, and `ready` once there is a connection again. In between it is opened again and again, ever more slowly.
4. A connection that brings nothing while other witnesses know of something is replaced, at most once in ten seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from core.codec import WireError
from core.dialect.binance import account, rest
from core.dialect.binance.effects import Close, Open
from core.dialect.binance.errors import Action, Proof
from core.dialect.binance.wire import SECOND, Flow, Wire, judged

KEEP_NS: Final = 30 * 60 * SECOND
"""Half of a key's life."""
LIFE_NS: Final = 23 * 3_600 * SECOND
"""An hour before the venue cuts a connection."""
OVERLAP_NS: Final = 5 * SECOND
OPENING_NS: Final = 10 * SECOND
BACKOFF_NS_MAX: Final = 30 * SECOND
SUSPECT_NS: Final = 10 * SECOND
WS_API: Final = 0
"""The number of the WebSocket API's connection; private streams are counted from 1."""


class Stream:
    """Connections by number. `current` is the one that counts, 0 while there is none."""

    def __init__(self, wire: Wire, lost: Callable[[str], None], ready: Callable[[], None]) -> None:
        self.current = 0
        self.opened_at = 0
        """When the present connection was opened, ns UTC."""
        self.connections = 0
        self.suspicions = 0
        self._wire, self._lost, self._ready = wire, lost, ready
        self._key = ""
        self._chain = 0
        self._opening = 0
        self._numbers = 0
        self._failures = 0
        self._fetching = False
        self._suspected_at = -SUSPECT_NS
        self._stopped = False

    def begin(self, fresh: bool = False) -> None:
        """Get a key (`fresh`: ours is worthless) and open a connection, beside the present one if there is one."""
        if fresh:
            self._key = ""
        if not self._fetching and not self._opening and not self._stopped:
            self._fetching = True
            self._wire.start(self._fetch())

    def _fetch(self) -> Flow:
        answer = yield from self._wire.insist(rest.listen_key("POST"))
        self._fetching = False
        try:
            if answer is None or judged(answer).proof != Proof.CONFIRMED:
                raise WireError("refused" if answer else "no answer")
            key = account.listen_key(answer.body)
        except WireError as error:
            self._wire.tell(1, "no key for the private stream", str(error))
            self._fail()
            return
        if key != self._key:
            self._key = key
            self._chain += 1
            chain = self._chain
            self._wire.after(KEEP_NS, lambda: self._keep(chain))
        self._open()

    def _open(self) -> None:
        if self._stopped:
            return
        self._numbers += 1
        number = self._opening = self._numbers
        self._wire.effects.append(Open(number, f"{self._wire.venue.hosts.stream}/private/ws/{self._key}"))

        def late() -> None:
            if self._opening == number:
                self._wire.effects.append(Close(number))
                self.closed(number, "it did not open in time")

        self._wire.after(OPENING_NS, late)

    def _fail(self) -> None:
        self._failures += 1
        self._wire.after(min(SECOND * 2**self._failures // 10, BACKOFF_NS_MAX), self.begin)

    def opened(self, number: int) -> None:
        """A connection stands."""
        if number != self._opening:
            return
        before, self.current, self._opening = self.current, number, 0
        self.opened_at = self._wire.now
        self.connections += 1
        self._failures = 0
        if before:
            self._wire.after(OVERLAP_NS, lambda: self._wire.effects.append(Close(before)))
        self._wire.after(LIFE_NS, lambda: self.begin() if number == self.current else None)
        self._ready()

    def closed(self, number: int, why: str) -> None:
        """A connection is gone, or never was."""
        if self._stopped:
            return
        if number == self._opening:
            self._opening = 0
            self._fail()
        elif number == self.current:
            self.current = 0
            self._lost(f"private stream lost: {why}")
            self.begin()

    def _keep(self, chain: int) -> None:
        if chain == self._chain and not self._stopped:
            self._wire.start(self._prolong(chain))

    def _prolong(self, chain: int) -> Flow:
        answer = yield from self._wire.insist(rest.listen_key("PUT"))
        if chain != self._chain:
            return
        found = judged(answer)
        if found.action == Action.NEW_KEY:
            self.expired("the venue does not know its key any more")
        else:
            again = KEEP_NS if found.proof == Proof.CONFIRMED else 60 * SECOND
            self._wire.after(again, lambda: self._keep(chain))

    def expired(self, why: str) -> None:
        """Nothing comes on the present connection any more."""
        self._lost(f"private stream expired: {why}")
        if self._opening:
            self._wire.effects.append(Close(self._opening))
            self._opening = 0
        self.begin(fresh=True)

    def suspect(self, why: str) -> bool:
        """Something happened that the stream did not bring; False when it was replaced too lately to be replaced again."""
        self.suspicions += 1
        if self._wire.now < self._suspected_at + SUSPECT_NS or not self.current:
            return False
        self._suspected_at = self._wire.now
        self._lost(f"private stream silent: {why}")
        self.begin()
        return True

    def stop(self) -> None:
        """Close what is open and give the key back."""
        self._stopped = True
        for number in {self.current: 0, self._opening: 0}:
            if number:
                self._wire.effects.append(Close(number))
        self.current = self._opening = 0
        if self._key:
            self._wire.ask(rest.listen_key("DELETE"), lambda answer: None)
