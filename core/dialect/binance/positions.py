"""Positions: what the account held when this house's record of it began, and ever after whether the venue still agrees.

*Opening.* The venue gives positions without saying which executions are in them. So a snapshot counts only if nothing was
executed on the instrument from shortly before it was asked for until after; then the record begins with it: executions before are
in the position, executions from then on count. It is told to risk once, ever: after a restart the record goes on.

*Comparison.* Every half minute, and soon after the venue says that a position changed, its positions are compared with what risk
believes. Reports under way make them differ for moments, so a difference counts that stays the same; the gateway reconciles at
once, and if it is still the same at the third look, the instrument is halted and a person is told.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from decimal import Decimal
from typing import Final

from core.codec import WireError
from core.dialect.binance import account, answers, rest
from core.dialect.binance.account import Held
from core.dialect.binance.answers import Answer
from core.dialect.binance.errors import Proof
from core.dialect.binance.standing import Standing
from core.dialect.binance.wire import SECOND, Flow, Wire, judged
from core.instrument import Instrument
from core.message import PositionReport, TradingState
from core.price import GridError

QUIET_NS: Final = 1 * SECOND
"""Nothing may have been executed from so long before the positions were asked for."""
SNAPSHOTS: Final = 5
SOON_NS: Final = 2 * SECOND
STRIKES: Final = 3
REASON: Final = "position"


class Positions:
    """The venue's positions beside ours."""

    def __init__(
        self,
        wire: Wire,
        instruments: Mapping[str, Instrument],
        standing: Standing,
        believed: Callable[[str], int],
        reconcile: Callable[[str], None],
    ) -> None:
        """`believed` gives the lots that risk holds the account to have; `reconcile` has a gateway compare everything."""
        self.differences = 0
        """How often a difference was seen that stayed."""
        self._wire, self._instruments, self._standing = wire, instruments, standing
        self._believed, self._reconcile = believed, reconcile
        self._seen: dict[str, tuple[Decimal, int]] = {}
        self._looking = self._waiting = False

    # --- opening

    def open(self, opened: dict[str, int]) -> Flow:
        """Begin the record of each instrument that has none; `opened` learns from when on its executions count."""
        for number in range(SNAPSHOTS):
            missing = [symbol for symbol in self._instruments if symbol not in opened]
            if not missing:
                return
            began = self._wire.venue_now
            held = yield from self._ask()
            if held is None:
                continue
            for symbol in missing:
                since = began - QUIET_NS
                answer = yield from self._wire.insist(rest.executions(symbol, since))
                if answer is None or judged(answer).proof != Proof.CONFIRMED:
                    continue
                try:
                    busy = answers.executions(answer.body, self._wire.now, self._instruments[symbol])
                except WireError:
                    continue
                if not busy or number == SNAPSHOTS - 1:
                    if busy:
                        self._wire.tell(1, "the opening position was taken while it moved", symbol)
                    opened[symbol] = since  # nothing is lost to a clock that is measured wrong by less than the quiet
                    self._begin(symbol, since, held.get(symbol))

    def _begin(self, symbol: str, began: int, held: Held | None) -> None:
        instrument = self._instruments[symbol]
        qty = instrument.lots(held.qty, "nearest") if held else 0
        entry = held.entry_price if held else Decimal(0)
        cost = round(entry / instrument.tick * qty)
        self._wire.say("risk", PositionReport(symbol, began, self._wire.now, 0, "", qty, cost))
        if qty:
            self._wire.tell(0, "opening position", f"{symbol}: {instrument.qty_text(qty)} at {entry}")

    def _ask(self) -> Generator[rest.Request | int, Answer | None, dict[str, Held] | None]:
        """The venue's positions by symbol, in a flow; None when there was no answer."""
        answer = yield from self._wire.insist(rest.account("positionRisk"))
        if answer is None or judged(answer).proof != Proof.CONFIRMED:
            return None
        try:
            held = account.positions(answer.body)
        except WireError as error:
            self._wire.tell(1, "an answer that is none", f"positions: {error}")
            return None
        for one in held:
            if one.side != "BOTH" and one.qty:
                text = f"{one.symbol} has a {one.side} position: one-way mode is required"
                if not any(self._standing.held(symbol, "mode") for symbol in self._instruments):
                    self._wire.tell(2, "trading is refused", text)
                self._standing.hold("", "mode", TradingState.HALT, text)
        return {one.symbol: one for one in held if one.side == "BOTH"}

    # --- comparison

    def changed(self, symbol: str, qty: Decimal) -> None:
        """The venue says that a position changed; by now, or in a moment, so should ours."""
        if symbol in self._instruments and self._difference(symbol, qty):
            self._later(SOON_NS)

    def _later(self, wait_ns: int) -> None:
        """Look again; one look to come is enough."""
        if not self._waiting:
            self._waiting = True
            self._wire.after(wait_ns, self.look)

    def look(self) -> None:
        """Compare all positions."""
        self._waiting = False
        if not self._looking:
            self._looking = True
            self._wire.start(self._look())

    def _look(self) -> Flow:
        held = yield from self._ask()
        self._looking = False
        if held is None:
            return
        for symbol in self._instruments:
            qty = held[symbol].qty if symbol in held else Decimal(0)
            self._weigh(symbol, self._difference(symbol, qty))

    def _difference(self, symbol: str, qty: Decimal) -> Decimal:
        """What the venue has more than risk believes, in lots; a part of a lot is a difference too."""
        instrument = self._instruments[symbol]
        try:
            return Decimal(instrument.lots(qty) - self._believed(symbol))
        except GridError:
            return qty / instrument.lot - self._believed(symbol)

    def _weigh(self, symbol: str, difference: Decimal) -> None:
        before, times = self._seen.pop(symbol, (Decimal(0), 0))
        if not difference:
            self._standing.lift(symbol, REASON)
            return
        times = times + 1 if difference == before else 1
        self._seen[symbol] = difference, times
        if times == 2:
            self.differences += 1
        if times >= STRIKES and not self._standing.held(symbol, REASON):
            text = f"the venue's position is {difference} lots more than ours"
            self._standing.hold(symbol, REASON, TradingState.HALT, text)
            self._wire.tell(2, "positions differ", f"{symbol}: {text}")
        self._reconcile(symbol)
        self._later(SOON_NS * min(times, STRIKES))
