"""Fading excursions from Bollinger bands: a flat, long or short machine over named conditions.

Bands: the mean of the last `period` one-minute closes, plus and minus `width` population standard deviations (Bollinger,
"Bollinger on Bollinger Bands", 2001, ch. 7: 20 and 2). Volatility: realized, the root of the summed squares of the last `period`
one-minute log returns (Andersen and Bollerslev, "Answering the Skeptics", 1998, section 2), a fraction of the price.

Conditions have names, and are true or false: bars move the bands, the running price (the mid) is held against them and against
the entry. Each change is written to the journal. Where the position stands is the machine's state, derived from what was
executed; handlers are chosen by that state and the event's type.

In: below the lower band a buy, above the upper a sell, at the opposite best, immediate or canceled: a price that has gone is not
chased. One attempt a bar, none while the market is volatile. Out: at a profit or a loss, at market. One order is in flight
at a time, entry or exit, and an exit is for exactly what is held then; so a position is never doubled nor
turned over. An exit that leaves something behind (refused, filled in part) is tried again until nothing is held.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final

import numpy as np

from core.instrument import Instrument
from core.kernel.indicators import moments, realized
from core.machine import ANY
from core.message import Bar, Command, ExecutionReport, Tick, Timer
from core.price import BUY, SELL, Side
from core.strategy import IOC, MINUTE, MS, ParameterError, Strategy, when


class Bollinger(Strategy):
    """Buys below the lower band and sells above the upper one, once a bar, and leaves at a fixed profit or loss."""

    moves: ClassVar[tuple[tuple[str, str], ...]] = (("flat", "long"), ("long", "flat"), ("flat", "short"), ("short", "flat"))
    start_state: ClassVar[str] = "flat"
    bars: ClassVar[tuple[int, ...]] = (MINUTE,)
    levels: ClassVar[int] = 1

    period: int = 20  # bars in the bands and in the volatility
    width: float = 2.0  # standard deviations from the mean to a band
    volatile_above: float = 0.004  # realized volatility over the period above which nothing is entered, fraction of the price
    take_profit: float = 0.0016  # fraction of the entry price
    stop: float = 0.0011  # fraction of the entry price
    order_qty: float = 0.01  # of an entry, base currency
    retry_ms: int = 200  # between an exit that failed and the next try

    def __init__(self, name: str, instruments: Iterable[Instrument], capital: float = 0.0, **parameters: Any) -> None:
        super().__init__(name, instruments, capital, **parameters)
        self._lots = self._checked_lots()
        self.conditions = dict.fromkeys(CONDITIONS, False)
        self.lower = self.upper = self.volatility = math.nan
        self.price = 0.0
        self.armed = False
        self.leaving = False
        self._retry_at = 0
        self._closes = np.zeros(self.period + 1)

    def _checked_lots(self) -> int:
        lots = self.lots(self.order_qty)
        for key, good in (("period", self.period > 1), ("order_qty", lots > 0), ("retry_ms", self.retry_ms > 0)):
            if not good:
                raise ParameterError(f"Bollinger.{key} is too small for {self.instrument.symbol}: {getattr(self, key)}", key)
        return lots

    def on_parameters(self, changed: Mapping[str, Any]) -> None:
        if "period" in changed:
            raise ParameterError("Bollinger.period counts the closes that it keeps: it cannot change while it trades", "period")
        self._lots = self._checked_lots()

    # --- what makes conditions true or false

    def on_bar(self, bar: Bar) -> None:
        self._closes[:-1] = self._closes[1:]
        self._closes[-1] = bar.close
        if self._closes[0]:
            mean, deviation = moments(self._closes[1:])
            self.lower, self.upper = mean - self.width * deviation, mean + self.width * deviation
            self.volatility = realized(np.diff(np.log(self._closes)))
            self.armed = True
        self.judge()

    def on_tick(self, tick: Tick) -> None:
        if tick.two_sided:
            self.price = tick.mid
            self.judge()

    def on_report(self, report: ExecutionReport) -> None:
        self.judge()

    def gain(self) -> float:
        """Profit of the position at the running price, a fraction of its entry price; 0 when flat."""
        account = self.ledger.of(self.instrument.symbol)
        if not account.position:
            return 0.0
        return math.copysign(1.0, account.position) * (self.price / account.avg_price - 1.0)

    def judge(self) -> None:
        """Hold the running price against every condition; what changed is recorded."""
        for name, holds in CONDITIONS.items():
            value = bool(self.price) and holds(self)
            if value != self.conditions[name]:
                self.conditions[name] = value
                symbol, now, word = self.instrument.symbol, self.now, "true" if value else "false"
                self.note(Command(symbol, now, now, now, self.name, name, word))

    # --- what is done about them

    @when("flat", Tick)
    def enter(self, tick: Tick) -> None:
        """Go in, once a bar, at the best price of the other side."""
        true = self.conditions
        if not (self.armed and self.trading and tick.two_sided) or self.orders or true["volatile"]:
            return
        if true["below_lower"] or true["above_upper"]:
            self.armed = False
            side: Side = BUY if true["below_lower"] else SELL
            self.order(side, tick.ask if side == BUY else tick.bid, self._lots, tif=IOC)

    @when("long", Tick)
    @when("short", Tick)
    def leave(self, tick: Tick) -> None:
        """Go out at the profit or the loss, and once begun, to the end."""
        if self.leaving or self.conditions["profit"] or self.conditions["loss"]:
            self._exit()

    @when("long", Timer)
    @when("short", Timer)
    def leave_again(self, timer: Timer) -> None:
        """An exit left something behind; where no tick comes, this tries again."""
        if self.leaving:
            self._exit()

    @when(ANY, ExecutionReport)
    def follow(self, report: ExecutionReport) -> None:
        """The state is the position's sign."""
        position = self.position()
        state = "long" if position > 0 else "short" if position < 0 else "flat"
        if state != self.machine.state:
            self.machine.to("flat")
            self.machine.to(state)
            self.leaving = False
        if self.leaving and not self.orders:
            self._retry_at = self.now + self.retry_ms * MS
            self.wake(self._retry_at, "leave again")

    def _exit(self) -> None:
        """Close what is held, unless an order is still in flight (it may change what is held) or the last try was just now."""
        if self.trading and not self.orders and self.now >= self._retry_at:
            self.leaving = True
            position = self.position()
            self.order(SELL if position > 0 else BUY, None, abs(position))


CONDITIONS: Final[Mapping[str, Callable[[Bollinger], bool]]] = {
    "below_lower": lambda one: one.price < one.lower,
    "above_upper": lambda one: one.price > one.upper,
    "volatile": lambda one: one.volatility > one.volatile_above,
    "profit": lambda one: one.gain() >= one.take_profit,
    "loss": lambda one: one.gain() <= -one.stop,
}
"""Every condition by its name. Nothing compares with bands that are not known yet (they are NaN)."""
