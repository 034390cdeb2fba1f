"""A strategy that is two compiled functions: written once, it runs in the graph, in a compiled day, and live.

    FIT = np.dtype([("every_ns", "i8")])
    SEEN = np.dtype([("mid_twice", "i8")])
    STATE = np.dtype([("quoted", "i8")])
    PARAMS = np.dtype([("lots", "i8"), ("away", "i8")])

    @compiled
    def look(view, seen, fit):
        seen.mid_twice = view.bid + view.ask

    @compiled
    def quote(view, seen, own, state, params, out):
        if view.bid and view.ask and own.position < 10 * params.lots:
            want(out, BID, seen.mid_twice // 2 - params.away, params.lots)

    class Bidder(Quoter):
        program = Program(look, quote, SEEN, FIT, STATE, PARAMS)
        away: int = 5
        order_qty: float = 0.01

        def records(self):
            return (self.requote_ms,), (self.lots(self.order_qty), self.away)

What the functions are handed is told in `core/kernel/quoting.py`. `records` gives the values of FIT and PARAMS; `requote_ms` is
how often the market is looked at. The node below calls the functions on each of its timers and follows what they want: it
cancels the orders whose price is not wanted any more, once the venue has acknowledged them, and posts what is missing,
post-only; a price is taken until its order is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from core.instrument import Instrument
from core.kernel.memory import entry
from core.kernel.quoting import LEVELS, OUT, OWN, VIEW, VIEW_BIDS, desk_of, run_look, run_quote
from core.message import NO_TRADES, Tick, Timer, Trades
from core.price import BUY, SELL, Side
from core.strategy import GTX, MS, ParameterError, Strategy


class Program:
    """The two functions and the dtypes of their records."""

    def __init__(self, look: Any, quote: Any, seen: Any, fit: Any, state: Any, params: Any) -> None:
        self.look, self.quote = look, quote
        self.seen, self.fit, self.state, self.params = seen, fit, state, params
        self.desk = desk_of(seen, fit, state, params)

    @cached_property
    def entries(self) -> tuple[int, int]:
        """Where `look` is, to be called with three addresses, and `quote`, with six. Compiles them, or finds them compiled."""
        quoting = (VIEW, self.seen, OWN, self.state, self.params, OUT)
        return entry(self.look, VIEW, self.seen, self.fit), entry(self.quote, *quoting)

    def offset(self, part: str) -> int:
        """Where in a desk a part stands: bytes."""
        return int(self.desk.fields[part][1])


class Desk:
    """One DESK and its program's functions on it. `record` is the array of one that all reads and writes go to."""

    def __init__(self, program: Program, fit: tuple[Any, ...], params: tuple[Any, ...]) -> None:
        self.record = np.zeros(1, program.desk)
        self.record["fit"][0], self.record["params"][0] = fit, params
        market, seen, own, state, params_at, out, fit_at = (
            self.record.ctypes.data + program.offset(part) for part in ("market", "seen", "own", "state", "params", "out", "fit")
        )
        look, quote = program.entries
        self._look_parts = (look, market, seen, fit_at)
        self._quote_parts = (quote, market, seen, own, state, params_at, out)
        self._words = self.record["market"].view(np.int64).reshape(-1)
        self._levels = [self.record["market"][name][0] for name in ("bids", "asks")]
        self._counts, self._own = self.record["out"], self.record["own"]
        self._quotes = [self.record["out"][name][0] for name in ("bid", "ask")]

    def look(self, now: int, tick: Tick, trades: Trades) -> None:
        """Look at a tick at a time, with the trades since the last look."""
        sides = tick.bids, tick.asks
        self._words[:VIEW_BIDS] = (now, tick.bid, tick.ask, tick.mark_price_e8, *trades, *map(len, sides))
        for room, levels in zip(self._levels, sides, strict=True):
            if levels:
                room[: len(levels)] = levels
        run_look(*self._look_parts)

    def quote(self, position: int) -> tuple[list[list[int]], list[list[int]]]:
        """What is wanted with that position: bids and asks, each quote as [tick, lots]."""
        counts = self._counts
        counts["bids"] = counts["asks"] = 0
        self._own["position"] = position
        run_quote(*self._quote_parts)
        bids, asks = self._quotes
        return bids[: int(counts["bids"][0])].tolist(), asks[: int(counts["asks"][0])].tolist()


class Quoter(Strategy):
    """A strategy that is a `program`; see above."""

    program: ClassVar[Program]
    levels: ClassVar[int] = 1

    requote_ms: int = 100  # between looks at the market

    def __init__(self, name: str, instruments: Iterable[Instrument], capital: float = 0.0, **parameters: Any) -> None:
        super().__init__(name, instruments, capital, **parameters)
        self._check_requote()
        if not 0 < self.levels <= LEVELS:
            raise ValueError(f"{type(self).__name__}.levels is {self.levels}: a view has room for {LEVELS}")
        self.desk = Desk(self.program, *self.records())
        self._seen: Tick | None = None

    def _check_requote(self) -> None:
        if self.requote_ms <= 0:
            raise ParameterError(f"{type(self).__name__}.requote_ms must be positive, it is {self.requote_ms}", "requote_ms")

    def records(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The values of the program's FIT and PARAMS, from the strategy's own parameters. ParameterError for those it refuses."""
        raise NotImplementedError

    def on_start(self) -> None:
        self.every(self.requote_ms * MS, "quote")

    def on_parameters(self, changed: Mapping[str, Any]) -> None:
        self._check_requote()
        self.desk.record["fit"][0], self.desk.record["params"][0] = self.records()
        if "requote_ms" in changed:
            self.every(self.requote_ms * MS, "quote")

    def on_timer(self, timer: Timer) -> None:
        tick = self.tick
        self.desk.look(self.now, tick, NO_TRADES if tick is self._seen else tick.trades)  # no trade counts twice
        self._seen = tick
        bids, asks = self.desk.quote(self.position())
        if self.trading:
            self._follow(BUY, bids)
            self._follow(SELL, asks)

    def _follow(self, side: Side, wanted: list[list[int]]) -> None:
        """Cancel a side's quotes that are not wanted, post what is missing.

        One request at a time an order, as the venue has it: what is not acknowledged yet is canceled at a later look.
        """
        prices = {price for price, _ in wanted}
        taken = set()
        for order in self.orders.values():
            if order.side == side:
                taken.add(order.price)
                if order.price not in prices and order.acknowledged:
                    self.cancel(order)
        for price, lots in wanted:
            if price not in taken:
                self.order(side, price, lots, tif=GTX)
