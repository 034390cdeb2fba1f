"""A market maker after Guéant, Lehalle and Fernandez-Tapia, on a grid.

Optimal distances of a quote from the mid, for an inventory of q orders, far from the end of trading ("Dealing with the inventory
risk: a solution to the market making problem", 2012, Mathematics and Financial Economics 7(4), section 4: the asymptotic
quotes and their closed-form approximation):

    bid: (1/γ) ln(1+γ/k) + (2q+1)/2 · S      ask: (1/γ) ln(1+γ/k) - (2q-1)/2 · S      S = sqrt(σ²γ/(2kA) · (1+γ/k)^(1+k/γ))

So half the spread is (1/γ) ln(1+γ/k) + S/2, and each order held moves both quotes by S against it. Prices in ticks, time
in seconds. A and k are of the market's order flow, λ(δ) = A exp(-kδ) orders a second that reach further than δ ticks; σ in
ticks a root second. All three are estimated over a rolling window (`core/kernel/indicators.py`).

It is a program of two compiled functions (`core/quoter.py`): `look` keeps the window and fits, `quote` lays the grids. The
graph's node and a compiled day call the same two. Nothing is quoted until the market was seen for `observe_s`, and while there
is no book or no fit; a fit that fails (nothing traded, or no fewer trades further out) leaves the earlier one standing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from core.kernel.indicators import FLOW, LEVELS, SAMPLES, depth_reached, flow_intensity, flow_put, flow_sigma
from core.kernel.memory import compiled
from core.kernel.quoting import ASK, BID, QUOTES, want_grid
from core.quoter import Program, Quoter
from core.strategy import SECOND, ParameterError

FAR = 1e12
"""Ticks. A quote computed further away than this is none."""

FIT = np.dtype([(name, "i8") for name in ("levels", "window_ns", "refit_ns", "observe_ns")])
SEEN = np.dtype(
    [("flow", FLOW), ("at", "i8"), ("mid_twice", "i8"), ("next_fit", "i8"), ("fits", "i8")]
    + [(name, "f8") for name in ("A", "k", "sigma")]
)
"""The window, the mid at the last look (0: no book), and the last fit that succeeded; `fits` counts them."""
STATE = np.dtype([("fits", "i8"), ("fitted", "i8"), ("half_spread", "f8"), ("skew", "f8")])
"""What follows from a fit for this risk aversion, and which one it was."""
PARAMS = np.dtype(
    [(name, "f8") for name in ("gamma", "adj1", "adj2", "edge")]
    + [(name, "i8") for name in ("delta", "order_lots", "max_lots", "grid_num")]
)


@compiled
def glft(gamma: float, k: float, A: float, sigma: float) -> tuple[float, float]:
    """Half spread and skew an order held, both in ticks, of the formula at the top."""
    ratio = math.log1p(gamma / k)
    step = sigma * math.sqrt(gamma / (2.0 * k * A) * math.exp((1.0 + k / gamma) * ratio))
    return ratio / gamma + 0.5 * step, step


@compiled
def look(view: Any, seen: Any, fit: Any) -> None:
    """Take the market since the last look into the window, and fit A, k and σ where it is time.

    A look without a book, or the first after one, is no sample.
    """
    mid_twice = view.bid + view.ask if 0 < view.bid < view.ask else 0
    if mid_twice != 0 and seen.mid_twice != 0:
        reach = depth_reached(view.buy_high, view.sell_low, seen.mid_twice)
        flow_put(seen.flow, view.now, view.now - seen.at, mid_twice - seen.mid_twice, reach, fit.window_ns)
    seen.mid_twice = mid_twice
    seen.at = view.now
    if view.now >= seen.next_fit:
        seen.next_fit = view.now - view.now % fit.refit_ns + fit.refit_ns
        if seen.flow.span_sum >= fit.observe_ns:
            A, k = flow_intensity(seen.flow, fit.levels)
            if A > 0.0 and k > 0.0:
                seen.A, seen.k, seen.sigma = A, k, flow_sigma(seen.flow)
                seen.fits += 1


@compiled
def lay(view: Any, seen: Any, own: Any, state: Any, params: Any, out: Any) -> None:
    """The grids of both sides: from the quote outwards, on multiples of `delta`, as far as the position may still grow."""
    mid = 0.5 * seen.mid_twice
    reservation = mid - params.adj2 * state.skew * own.position / params.order_lots
    half_spread = params.adj1 * state.half_spread + params.edge * mid
    if not abs(reservation) + half_spread < FAR:
        return
    delta, lots = params.delta, params.order_lots
    bid = math.floor(min(reservation - half_spread, float(view.bid)) / delta) * delta
    ask = math.ceil(max(reservation + half_spread, float(view.ask)) / delta) * delta
    want_grid(out, BID, bid, -delta, min(params.grid_num, (params.max_lots - own.position) // lots, bid // delta), lots)
    want_grid(out, ASK, ask, delta, min(params.grid_num, (params.max_lots + own.position) // lots), lots)


@compiled
def quote(view: Any, seen: Any, own: Any, state: Any, params: Any, out: Any) -> None:
    """Which quotes are wanted now."""
    if state.fits != seen.fits:
        state.fits = seen.fits
        half_spread, skew = glft(params.gamma, seen.k, seen.A, seen.sigma)
        if half_spread < FAR and skew < FAR:
            state.half_spread, state.skew, state.fitted = half_spread, skew, 1
    if state.fitted and seen.mid_twice:
        lay(view, seen, own, state, params, out)


class MarketMaker(Quoter):
    """Quotes a grid around the reservation price, looking at the market every `requote_ms`; orders whose price stays are kept."""

    program = Program(look, quote, SEEN, FIT, STATE, PARAMS)

    gamma: float = 0.3  # risk aversion, 1/tick
    delta: int = 3  # grid spacing, ticks
    adj1: float = 1.5  # factor on the half spread
    adj2: float = 10.0  # factor on the skew by inventory
    edge_bps: float = 0.0  # added to the half spread, 1/10,000 of the price: the formula knows no fees
    order_qty: float = 0.003  # of each quote, base currency; also the unit of the inventory q
    max_position: float = 0.12  # either way, base currency; no quote is wanted that could take the position past it
    grid_num: int = 4  # quotes a side
    lambda_levels: int = 40  # levels that the fit of λ uses, ticks from the mid
    refit_s: float = 5.0
    window_s: float = 120.0
    observe_s: float = 30.0  # how much of the market must be in the window for a fit

    def records(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """FIT and PARAMS."""
        lots = self.lots(self.order_qty)
        self._check(lots)
        times = (round(seconds * SECOND) for seconds in (self.window_s, self.refit_s, self.observe_s))
        return (self.lambda_levels, *times), (
            self.gamma, self.adj1, self.adj2, self.edge_bps * 1e-4, self.delta, lots, self.lots(self.max_position), self.grid_num,
        )  # fmt: skip

    def _check(self, lots: int) -> None:
        positive = "must be positive and finite"
        for name, good, must in (
            *((name, 0 < getattr(self, name) < math.inf, positive) for name in ("gamma", "delta", "adj1", "refit_s")),
            ("order_qty", lots > 0, f"is less than one lot of {self.instrument.symbol} ({self.instrument.lot_size})"),
            ("grid_num", 0 < self.grid_num <= QUOTES, f"must be from 1 to {QUOTES}"),
            ("lambda_levels", 1 < self.lambda_levels <= LEVELS, f"must be from 2 to {LEVELS}"),
            ("window_s", self.window_s * 1000 <= SAMPLES * self.requote_ms, f"must be at most {SAMPLES} times requote_ms"),
            ("observe_s", 0 < self.observe_s <= self.window_s, "must be positive and at most window_s"),
        ):
            if not good:
                raise ParameterError(f"{type(self).__name__}.{name} {must}, it is {getattr(self, name)}", name)
