"""A market maker after Guéant, Lehalle and Fernandez-Tapia, on a grid.

Optimal distances of a quote from the mid, for an inventory of q orders, far from the end of trading ("Dealing with the inventory
risk: a solution to the market making problem", 2012, Mathematics and Financial Economics 7(4), section 4: the asymptotic
quotes and their closed-form approximation):

    bid: (1/γ) ln(1+γ/k) + (2q+1)/2 · S      ask: (1/γ) ln(1+γ/k) - (2q-1)/2 · S      S = sqrt(σ²γ/(2kA) · (1+γ/k)^(1+k/γ))

So half the spread is (1/γ) ln(1+γ/k) + S/2, and each order held moves both quotes by S against it. Prices in ticks, time
in seconds. A and k are of the market's order flow, λ(δ) = A exp(-kδ) orders a second that reach further than δ ticks; σ in
ticks a root second. All three are estimated over a rolling window (`core/kernel/indicators.py`).

`quote` is the whole decision, compiled: the strategy's node calls it, and a compiled day calls the same function. It keeps
everything it remembers in `state`. It quotes nothing until the market was seen for `observe_s`, and while there is no book or
no fit; a fit that fails (nothing traded, or no fewer trades further out) leaves the earlier one standing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from core.instrument import Instrument
from core.kernel.indicators import FLOW, LEVELS, SAMPLES, depth_reached, flow_intensity, flow_put, flow_sigma
from core.kernel.memory import compiled
from core.message import Tick, Timer
from core.price import BUY, SELL, Side
from core.strategy import GTX, MS, SECOND, ParameterError, Strategy

GRID = 64
"""Most quotes a side."""
FAR = 1e12
"""Ticks. A quote computed further away than this is none."""

VIEW = np.dtype([(name, "i8") for name in ("now", "bid", "ask", "buy_high", "sell_low", "position")])
"""What `quote` looks at: ns UTC, ticks (0: none), trades since it last looked, lots."""
STATE = np.dtype(
    [("flow", FLOW), ("seen", "i8"), ("mid_twice", "i8"), ("next_fit", "i8"), ("fitted", "i8")]
    + [(name, "f8") for name in ("A", "k", "sigma", "half_spread", "skew")]
)
"""What it remembers. Zeros at the start."""
PARAMS = np.dtype(
    [(name, "f8") for name in ("gamma", "adj1", "adj2", "edge")]
    + [(name, "i8") for name in ("delta", "order_lots", "max_lots", "grid_num", "levels", "window_ns", "refit_ns", "observe_ns")]
)
OUT = np.dtype([("bids", "i8"), ("asks", "i8"), ("bid", "i8", (GRID,)), ("ask", "i8", (GRID,))])
"""What it wants: how many quotes a side, and their prices in ticks, best first. Each is for `order_lots`."""
DESK = np.dtype([("market", VIEW), ("state", STATE), ("params", PARAMS), ("out", OUT)])
"""All four as one record."""


@compiled
def glft(gamma: float, k: float, A: float, sigma: float) -> tuple[float, float]:
    """Half spread and skew an order held, both in ticks, of the formula at the top."""
    ratio = math.log1p(gamma / k)
    step = sigma * math.sqrt(gamma / (2.0 * k * A) * math.exp((1.0 + k / gamma) * ratio))
    return ratio / gamma + 0.5 * step, step


@compiled
def watch(view: Any, state: Any, params: Any) -> None:
    """Take the market since the last look into the window. A look without a book, or the first after one, is no sample."""
    mid_twice = view.bid + view.ask if 0 < view.bid < view.ask else 0
    if mid_twice != 0 and state.mid_twice != 0:
        reach = depth_reached(view.buy_high, view.sell_low, state.mid_twice)
        flow_put(state.flow, view.now, view.now - state.seen, mid_twice - state.mid_twice, reach, params.window_ns)
    state.mid_twice = mid_twice
    state.seen = view.now


@compiled
def refit(state: Any, params: Any) -> None:
    """Estimate A, k and σ and what follows from them, if the window gives them."""
    if state.flow.span_sum < params.observe_ns:
        return
    A, k = flow_intensity(state.flow, params.levels)
    if A > 0.0 and k > 0.0:
        sigma = flow_sigma(state.flow)
        half_spread, skew = glft(params.gamma, k, A, sigma)
        if half_spread < FAR and skew < FAR:
            state.A, state.k, state.sigma, state.half_spread, state.skew = A, k, sigma, half_spread, skew
            state.fitted = 1


@compiled
def lay(view: Any, state: Any, params: Any, out: Any) -> None:
    """The grids of both sides: from the quote outwards, on multiples of `delta`, as far as the position may still grow."""
    mid = 0.5 * state.mid_twice
    reservation = mid - params.adj2 * state.skew * view.position / params.order_lots
    half_spread = params.adj1 * state.half_spread + params.edge * mid
    if not abs(reservation) + half_spread < FAR:
        return
    delta = params.delta
    bid = math.floor(min(reservation - half_spread, float(view.bid)) / delta) * delta
    ask = math.ceil(max(reservation + half_spread, float(view.ask)) / delta) * delta
    out.bids = max(0, min(params.grid_num, (params.max_lots - view.position) // params.order_lots, bid // delta))
    out.asks = max(0, min(params.grid_num, (params.max_lots + view.position) // params.order_lots))
    for i in range(out.bids):
        out.bid[i] = bid - i * delta
    for i in range(out.asks):
        out.ask[i] = ask + i * delta


@compiled
def quote(view: Any, state: Any, params: Any, out: Any) -> None:
    """One look at the market: which quotes are wanted now. Records of VIEW, STATE, PARAMS and OUT; `state` and `out` change."""
    out.bids = 0
    out.asks = 0
    watch(view, state, params)
    if view.now >= state.next_fit:
        state.next_fit = view.now - view.now % params.refit_ns + params.refit_ns
        refit(state, params)
    if state.fitted and state.mid_twice:
        lay(view, state, params, out)


@compiled
def quote_at(desks: Any) -> None:
    """`quote` on an array of one DESK: one argument, and an array is unpacked four times as fast as a record."""
    desk = desks[0]
    quote(desk.market, desk.state, desk.params, desk.out)


class MarketMaker(Strategy):
    """Quotes a grid around the reservation price, looking at the market every `requote_ms`; orders whose price stays are kept."""

    levels: ClassVar[int] = 1

    gamma: float = 0.3  # risk aversion, 1/tick
    delta: int = 3  # grid spacing, ticks
    adj1: float = 1.5  # factor on the half spread
    adj2: float = 10.0  # factor on the skew by inventory
    edge_bps: float = 0.0  # added to the half spread, 1/10,000 of the price: the formula knows no fees
    order_qty: float = 0.003  # of each quote, base currency; also the unit of the inventory q
    max_position: float = 0.12  # either way, base currency; no quote is wanted that could take the position past it
    grid_num: int = 4  # quotes a side
    lambda_levels: int = 40  # levels that the fit of λ uses, ticks from the mid
    requote_ms: int = 100
    refit_s: float = 5.0
    window_s: float = 120.0
    observe_s: float = 30.0  # how much of the market must be in the window for a fit

    def __init__(self, name: str, instruments: Iterable[Instrument], capital: float = 0.0, **parameters: Any) -> None:
        super().__init__(name, instruments, capital, **parameters)
        self._lots = self.lots(self.order_qty)
        self._check()
        self.desk = np.zeros(1, DESK)
        self._views, self._out = self.desk["market"], self.desk["out"][0]
        self.desk["params"][0] = (
            self.gamma, self.adj1, self.adj2, self.edge_bps * 1e-4,
            self.delta, self._lots, self.lots(self.max_position), self.grid_num, self.lambda_levels,
            round(self.window_s * SECOND), round(self.refit_s * SECOND), round(self.observe_s * SECOND),
        )  # fmt: skip
        self._bid, self._ask = self._out["bid"], self._out["ask"]
        self._seen: Tick | None = None

    def on_start(self) -> None:
        self.every(self.requote_ms * MS, "quote")

    def on_timer(self, timer: Timer) -> None:
        tick = self.tick
        buy_high, sell_low = (0, 0) if tick is self._seen else (tick.buy_high, tick.sell_low)  # no trade counts twice
        self._seen = tick
        self._views[0] = (self.now, tick.bid, tick.ask, buy_high, sell_low, self.position())
        quote_at(self.desk)
        if self.trading:
            self._follow(BUY, self._bid[: self._out["bids"]].tolist())
            self._follow(SELL, self._ask[: self._out["asks"]].tolist())

    def _follow(self, side: Side, wanted: list[int]) -> None:
        """Cancel a side's quotes that are not wanted, post what is missing; a price is taken until its order is gone.

        One request at a time an order, as the venue has it: what is not acknowledged yet is canceled at a later look.
        """
        taken = set()
        for order in self.orders.values():
            if order.side == side:
                taken.add(order.price)
                if order.price not in wanted and order.acknowledged:
                    self.cancel(order)
        for price in wanted:
            if price not in taken:
                self.order(side, price, self._lots, tif=GTX)

    def _check(self) -> None:
        positive = "must be positive and finite"
        for name, good, must in (
            *(
                (name, 0 < getattr(self, name) < math.inf, positive)
                for name in ("gamma", "delta", "adj1", "requote_ms", "refit_s")
            ),
            ("order_qty", self._lots > 0, f"is less than one lot of {self.instrument.symbol} ({self.instrument.lot_size})"),
            ("grid_num", 0 < self.grid_num <= GRID, f"must be from 1 to {GRID}"),
            ("lambda_levels", 1 < self.lambda_levels <= LEVELS, f"must be from 2 to {LEVELS}"),
            ("window_s", self.window_s * 1000 <= SAMPLES * self.requote_ms, f"must be at most {SAMPLES} times requote_ms"),
            ("observe_s", 0 < self.observe_s <= self.window_s, "must be positive and at most window_s"),
        ):
            if not good:
                raise ParameterError(f"{type(self).__name__}.{name} {must}, it is {getattr(self, name)}", name)
