"""What takes orders back in bulk: the venue's dead man's switch, held as a lease, and cancel-all for the kill switch.

The lease (`core/risk/lease.py`) is renewed while orders work on an instrument; when none does it is given back, so that it cannot
run out over the next one. Cancel-all asks for plain and for conditional orders, which the first does not touch, and looks until
the venue has none open; what takes longer than ten seconds is an alarm, and goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.codec import WireError
from core.dialect.binance import account, answers, rest
from core.dialect.binance.answers import Answer
from core.dialect.binance.errors import Proof
from core.dialect.binance.filters import WEIGHT
from core.dialect.binance.roster import Roster
from core.dialect.binance.wire import SECOND, Answered, Flow, Wire, judged
from core.instrument import Instrument
from core.risk.lease import Lease

TICK_NS: Final = 1 * SECOND
SHARE: Final = 0.25
"""Of the weight a minute, that renewals of all instruments may take."""
CONFIRMED_NS: Final = 10 * SECOND
LOOK_NS: Final = SECOND // 2


class Safety:
    """Leases by symbol; none where the venue's configuration says so."""

    def __init__(self, wire: Wire, roster: Roster, instruments: Mapping[str, Instrument], leases: Mapping[str, Lease]) -> None:
        self.leases = leases
        self.killing: dict[str, int] = {}
        """Instruments whose orders are being taken back, and since when (ns UTC)."""
        self._wire, self._roster, self._instruments = wire, roster, instruments
        self._held: set[str] = set()

    def begin(self) -> None:
        """Look after the leases from now on."""
        if self._wire.venue.lease_s > 0:
            self._tick()

    def _tick(self) -> None:
        for symbol, lease in self.leases.items():
            if self._roster.open.get(symbol):
                if lease.due(self._wire.now):
                    lease.asked(self._wire.now)
                    self._held.add(symbol)
                    self._count(symbol, lease.term_ns // 1_000_000)
            elif symbol in self._held:
                self._release(symbol)
        self._wire.after(TICK_NS, self._tick)

    def _release(self, symbol: str) -> None:
        self._held.discard(symbol)
        self.leases[symbol].released()
        self._count(symbol, 0)

    def _count(self, symbol: str, milliseconds: int) -> None:
        lease, sent = self.leases[symbol], self._wire.now

        def done(answer: Answer | None) -> None:
            if not milliseconds:
                return
            if judged(answer).proof == Proof.CONFIRMED:
                lease.answered(sent)
            else:
                self._wire.after(lease.renew_ns // 4, lease.failed)

        self._urgent(rest.countdown(symbol, milliseconds), done)

    def _urgent(self, request: rest.Request, done: Answered) -> None:
        """On the lane of orders, with what is kept for what reduces risk; what has no allowance even so, waits for it."""
        wire = self._wire
        wait = wire.allowance.take(wire.venue_now, {WEIGHT: request.weight}, reducing=True)
        if wait:
            wire.after(wait - wire.venue_now, lambda: self._urgent(request, done))
        else:
            wire.transmit(request, "orders", wire.venue.answer_ms * 1_000_000, done)

    def end(self) -> None:
        """This house ends on purpose: leases are given back, but where orders still work; there they run out."""
        for symbol in sorted(self._held):
            if not self._roster.open.get(symbol):
                self._release(symbol)

    # --- cancel-all

    def cancel_everything(self, symbols: tuple[str, ...]) -> None:
        """Take back all open orders of these instruments."""
        for symbol in symbols:
            if symbol not in self.killing:
                self.killing[symbol] = self._wire.now
                self._cancel_all(symbol)

    def _cancel_all(self, symbol: str) -> None:
        for request in rest.cancel_all(symbol):
            self._urgent(request, lambda answer: None)
        self._wire.after(LOOK_NS, lambda: self._wire.start(self._confirm(symbol)))

    def _confirm(self, symbol: str) -> Flow:
        """Look what is open; ask again for what is."""
        plain = yield rest.open_orders(symbol)
        algos = yield rest.open_algos(symbol)
        left = -1
        if plain is not None and algos is not None and plain.status == algos.status == 200:
            try:
                left = len(answers.orders(plain.body, self._wire.now, self._instruments)) + len(account.open_algos(algos.body))
            except WireError as error:
                self._wire.tell(1, "an answer that is none", f"open orders of {symbol}: {error}")
        took = self._wire.now - self.killing[symbol]
        if not left:
            del self.killing[symbol]
            self._wire.tell(0, "no order is open", f"{symbol}, after {took / 1e9:.1f} s")
            return
        if took > CONFIRMED_NS:
            seen = f"{left} orders are open" if left > 0 else "nobody says what is open"
            self._wire.tell(2, "orders are not canceled", f"{symbol}: {seen} after {took / 1e9:.0f} s")
        self._cancel_all(symbol)


def leases(symbols: tuple[str, ...], term_s: float, renew_s: float, weight_limit: int = 2_400) -> dict[str, Lease]:
    """A lease an instrument; with many instruments they are renewed more rarely, and last longer, to stay within their share."""
    least_s = 60 * len(symbols) * rest.countdown("", 0).weight / (weight_limit * SHARE)
    stretch = max(1.0, least_s / renew_s)
    return {one: Lease(round(term_s * stretch * SECOND), round(renew_s * stretch * SECOND)) for one in symbols}
