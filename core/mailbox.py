"""A strategy's mailbox: the newest market, every report, and no stale queue.

Two lanes. *latest* holds one Tick an instrument: a newer one takes its place, and the trades folded into the one replaced are
folded into the newer, so replacing loses nothing. *every* holds reports, bar closes, funding and commands in order, each
once. Timers have a lane of their own because they come last: at one time t all arrivals update the lanes, then reports are
taken, then ticks, then wakes.

A wake may be overtaken by one tick an instrument, not by a stream of them: a strategy slower than its market would otherwise
never see its timer.

A *sampling* strategy (one without `on_tick`) takes a tick only when a wake is due: the market is there when it looks and it is
not called for what it does not use.

Counters tell what conflation did: received = delivered + replaced + waiting, at any time.
"""

from __future__ import annotations

from collections import deque
from copy import copy

from core.message import NO_TRADES, Message, Tick, Timer, Trades


def fold(older: Trades, newer: Trades) -> Trades:
    """The trades of two intervals as those of one. A price of 0 means that nothing traded there."""
    if not older[0]:
        return newer
    if not newer[0]:
        return older
    count, bought, sold, notional, high, low, last, buy_high, sell_low = newer
    count0, bought0, sold0, notional0, high0, low0, _, buy_high0, sell_low0 = older
    return (
        count0 + count,
        bought0 + bought,
        sold0 + sold,
        notional0 + notional,
        high0 if high0 > high else high,
        low0 if low0 < low else low,
        last,
        buy_high0 if buy_high0 > buy_high else buy_high,
        sell_low0 if not sell_low or 0 < sell_low0 < sell_low else sell_low,
    )


class Mailbox:
    """Lanes and counters of one strategy. Not thread-safe: its host's thread alone touches it."""

    __slots__ = ("_every", "_latest", "_overtook", "_wakes", "age_ns_max", "delivered", "replaced", "sampling")

    def __init__(self, sampling: bool = False) -> None:
        self.sampling = sampling
        self._latest: dict[str, Tick] = {}
        self._every: deque[Message] = deque()
        self._wakes: deque[Timer] = deque()
        self._overtook: set[str] = set()
        self.delivered = 0
        self.replaced = 0
        self.age_ns_max = 0

    @property
    def received(self) -> int:
        """Ticks that have arrived: delivered, replaced by a newer one, or waiting."""
        return self.delivered + self.replaced + len(self._latest)

    def __len__(self) -> int:
        """How many messages wait; at most one an instrument plus what the every lane holds."""
        return len(self._latest) + len(self._every) + len(self._wakes)

    def put(self, message: Message) -> None:
        """Take in a message that has arrived. A Tick replaces the waiting one of its instrument."""
        kind = type(message)
        if kind is Tick:
            self.put_tick(message)  # type: ignore[arg-type]
        elif kind is Timer:
            self._wakes.append(message)  # type: ignore[arg-type]
        else:
            self._every.append(message)

    def put_tick(self, tick: Tick) -> None:
        """Take in a tick: the fast road of `put`."""
        symbol = tick.symbol
        latest = self._latest
        older = latest.setdefault(symbol, tick)
        if older is not tick:
            self.replaced += 1
            if older.trades is not NO_TRADES:  # the tick may stand in other mailboxes, and be on its way to a tape
                tick = copy(tick)
                tick.trades = fold(older.trades, tick.trades)
            latest[symbol] = tick

    def pass_over(self, count: int) -> None:
        """Count ticks that were never made because a newer one was already there (the simulated feed conflates in bulk)."""
        self.replaced += count

    @property
    def undropped(self) -> list[Message]:
        """What waits and may not be lost, in order: the every lane, then wakes. A tick that waits is the market of its time."""
        return [*self._every, *self._wakes]

    @property
    def ready(self) -> bool:
        """Whether `take` would return something."""
        return bool(self._every or self._wakes or (self._latest and not self.sampling))

    @property
    def wants_market(self) -> bool:
        """Whether a tick put now could be taken: not while a sampling strategy has no wake due."""
        return bool(self._wakes) or not self.sampling

    def take(self, now: int) -> Message | None:
        """The next message to handle: reports in order, then ticks, then wakes; None when there is nothing to do."""
        if self._every:
            return self._every.popleft()
        if self._wakes:
            return self._take_before_wake(now)
        latest = self._latest
        if self.sampling:
            return None
        for symbol in latest:  # the first in line
            return self._deliver(latest.pop(symbol), now)
        return None

    def _take_before_wake(self, now: int) -> Message:
        for symbol in self._latest:
            if symbol not in self._overtook:
                self._overtook.add(symbol)
                return self._deliver(self._latest.pop(symbol), now)
        wake = self._wakes.popleft()
        if not self._wakes:
            self._overtook.clear()
        return wake

    def _deliver(self, tick: Tick, now: int) -> Tick:
        self.delivered += 1
        age = now - tick.received
        if age > self.age_ns_max:
            self.age_ns_max = age
        return tick
