"""The market maker: its formula, its grid, its limits, and what it sends."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.graph import read
from core.instrument import Instrument, Key
from core.kernel.indicators import LEVELS
from core.message import (
    NO_TRADES,
    Command,
    ExecType,
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrderCancelRequest,
    OrdStatus,
    Tick,
    TimeInForce,
    Timer,
)
from core.price import BUY, SELL
from core.quoter import Desk
from core.strategy import MS, SECOND, ParameterError
from strategies.market_maker import MarketMaker, glft

BTC = Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001")


class Venue:
    """The strategy's outbox and everything behind it: acknowledges what is sent, fills what it is told to."""

    def __init__(self, **parameters: float) -> None:
        self.maker = MarketMaker("mm", [BTC], **parameters)
        self.maker.bind(self)
        self.sent: list[Message] = []
        self.wakes: list[int] = []
        self.now = 0
        self.executions = 0
        self.maker.on(0, Command(verb="start", argument="1"))

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def wake(self, at: int, key: str = "") -> None:
        self.wakes.append(at)

    def record(self, entry: Message) -> None: ...

    def report(self, request: NewOrderSingle | OrderCancelRequest, kind: ExecType, status: OrdStatus, qty: int = 0) -> None:
        self.executions += 1
        self.maker.on(
            self.now,
            ExecutionReport(
                symbol="BTCUSDT",
                cl_ord_id=request.cl_ord_id,
                orig_cl_ord_id=getattr(request, "orig_cl_ord_id", ""),
                exec_id=str(self.executions),
                exec_type=kind,
                ord_status=status,
                side=request.side,
                order_qty=request.order_qty,
                last_qty=qty,
                last_px=getattr(request, "price", 0),
            ),
        )

    def look(self, bid: int, ask: int, buy_high: int = 0, sell_low: int = 0, answer: bool = True) -> list[Message]:
        """100 ms later: a tick, the timer, and the venue's answers. Returns what was sent."""
        self.now += 100 * MS
        trades = (1, 1, 0, 0, 0, 0, 0, buy_high, sell_low) if buy_high or sell_low else NO_TRADES
        bids, asks = ((bid, 9),) if bid else (), ((ask, 9),) if ask else ()
        self.maker.on(self.now, Tick("BTCUSDT", self.now, self.now, self.now, 1, bids, asks, 0, trades))
        return self.timer(answer)

    def timer(self, answer: bool = True) -> list[Message]:
        self.maker.on(self.now, Timer("", self.now, self.now, self.now, self.now, "quote"))
        sent, self.sent = self.sent, []
        for message in sent if answer else ():
            if isinstance(message, NewOrderSingle):
                self.report(message, ExecType.NEW, OrdStatus.NEW)
            elif isinstance(message, OrderCancelRequest):
                self.report(message, ExecType.CANCELED, OrdStatus.CANCELED)
        return sent

    def flow(self, seconds: float = 30.0, wiggle: int = 1, depths: tuple[int, ...] = (1, 2, 3, 5, 9, 20)) -> None:
        """A market around 1000/1001 with trades that reach these depths in turn, buys and sells alternating."""
        for i in range(round(seconds * 10)):
            bid = 1000 + wiggle * (i % 2)
            depth = depths[i // 2 % len(depths)]
            self.look(bid, bid + 1, *((bid + depth, 0) if i % 4 < 2 else (0, bid - depth)))

    @property
    def state(self) -> np.void:
        return self.maker.desk.record["state"][0]

    @property
    def seen(self) -> np.void:
        return self.maker.desk.record["seen"][0]

    def quotes(self) -> tuple[list[int], list[int]]:
        """Prices of the working orders: bids and asks, best first."""
        prices = {side: [one.price for one in self.maker.orders.values() if one.side == side] for side in (BUY, SELL)}
        return sorted(prices[BUY], reverse=True), sorted(prices[SELL])


def desk(**given: float) -> Desk:
    """A desk with the given parameters in place of the defaults, fitted to (half spread 2, skew 0.5) at a mid of 1000.5."""
    one = Desk(MarketMaker.program, (40, 120 * SECOND, 5 * SECOND, 30 * SECOND), (0.3, 1.0, 1.0, 0.0, 1, 3, 120, 4))
    record = one.record
    record["state"]["fitted"], record["state"]["half_spread"], record["state"]["skew"] = 1, 2.0, 0.5
    record["seen"]["next_fit"] = 10**18
    record["market"]["bid"], record["market"]["ask"] = 1000, 1001
    for name, value in given.items():
        part = next(part for part in ("params", "market", "own", "state") if name in (record[part].dtype.names or ()))
        record[part][name] = value
    return one


def wanted(one: Desk) -> tuple[list[int], list[int]]:
    record = one.record
    bid, ask = int(record["market"]["bid"][0]), int(record["market"]["ask"][0])
    one.look(1, Tick(bids=((bid, 1),), asks=((ask, 1),)), NO_TRADES)
    bids, asks = one.quote(int(record["own"]["position"][0]))
    return [tick for tick, _ in bids], [tick for tick, _ in asks]


# --- the formula


def test_the_formula_on_numbers_worked_by_hand() -> None:
    """γ = k = 1: (1+γ/k)^(1+k/γ) = 4; with A = 2 and σ = 1, S = sqrt(1/4 · 4) = 1, so half a spread is ln 2 + 1/2."""
    half_spread, step = glft(1.0, 1.0, 2.0, 1.0)
    assert half_spread == pytest.approx(math.log(2) + 0.5)
    assert step == pytest.approx(1.0)


@given(st.floats(1e-3, 10), st.floats(1e-3, 5), st.floats(1e-2, 100), st.floats(0, 100), st.integers(-40, 40))
@settings(deadline=None)
def test_half_spread_and_skew_are_the_papers_distances(gamma: float, k: float, a: float, sigma: float, q: int) -> None:
    root = math.sqrt(sigma**2 * gamma / (2 * k * a) * (1 + gamma / k) ** (1 + k / gamma))
    bid_distance = math.log(1 + gamma / k) / gamma + (2 * q + 1) / 2 * root
    ask_distance = math.log(1 + gamma / k) / gamma - (2 * q - 1) / 2 * root
    half_spread, skew = glft(gamma, k, a, sigma)
    assert half_spread + q * skew == pytest.approx(bid_distance, rel=1e-6, abs=1e-6)
    assert half_spread - q * skew == pytest.approx(ask_distance, rel=1e-6, abs=1e-6)


def test_a_market_that_was_seen_gives_the_fit_of_a_plain_computation() -> None:
    venue = Venue()
    venue.flow(40.0)
    samples = int(venue.seen["flow"]["count"])
    reaches = venue.seen["flow"]["reach"][:samples]
    fit = [(i + 0.5, math.log((reaches > i).sum() / (samples * 0.1))) for i in range(40) if (reaches > i).any()]
    slope, height = np.polyfit(*zip(*fit, strict=True), 1)
    changes = [1.0 if i % 2 else -1.0 for i in range(1, samples + 1)]
    assert float(venue.seen["k"]) == pytest.approx(-slope, rel=0.05)
    assert float(venue.seen["A"]) == pytest.approx(math.exp(height), rel=0.05)
    assert float(venue.seen["sigma"]) == pytest.approx(np.std(changes) / math.sqrt(0.1), rel=0.01)
    assert (float(venue.state["half_spread"]), float(venue.state["skew"])) == pytest.approx(
        glft(0.3, float(venue.seen["k"]), float(venue.seen["A"]), float(venue.seen["sigma"]))
    )


# --- the grid


def test_the_grid_starts_at_the_quote_and_goes_outwards_on_multiples_of_delta() -> None:
    assert wanted(desk()) == ([998, 997, 996, 995], [1003, 1004, 1005, 1006])
    assert wanted(desk(delta=5, grid_num=2)) == ([995, 990], [1005, 1010])


def test_inventory_moves_both_quotes_against_it() -> None:
    bids, asks = wanted(desk(position=12, adj2=2.0))  # four orders held, one tick each
    assert (bids[0], asks[0]) == (994, 1001)
    bids, asks = wanted(desk(position=-12, adj2=2.0))
    assert (bids[0], asks[0]) == (1000, 1007)


def test_no_quote_is_better_than_the_best_of_its_own_side() -> None:
    bids, asks = wanted(desk(half_spread=0.0, position=99))
    assert asks[0] == 1001
    assert bids[0] < 1000
    assert wanted(desk(half_spread=-50.0))[0][0] == 1000


def test_no_quote_is_wanted_that_could_take_the_position_past_its_bound() -> None:
    assert [len(side) for side in wanted(desk(position=111))] == [3, 4]
    assert [len(side) for side in wanted(desk(position=118))] == [0, 4]
    assert [len(side) for side in wanted(desk(position=-130, skew=0.0))] == [4, 0]


def test_bids_end_where_prices_do() -> None:
    bids, _ = wanted(desk(bid=2, ask=3, half_spread=0.0, skew=0.0))
    assert bids == [2, 1]
    assert wanted(desk(bid=2, ask=3, half_spread=9.0, skew=0.0))[0] == []


def test_an_edge_widens_the_half_spread_by_that_part_of_the_price() -> None:
    bids, asks = wanted(desk(edge=0.01))
    assert (bids[0], asks[0]) == (math.floor(1000.5 - 2 - 10.005), math.ceil(1000.5 + 2 + 10.005))


@given(
    st.integers(1, 10**7), st.integers(1, 50), st.integers(-200, 200), st.floats(0, 1e5), st.floats(0, 1e3),
    st.integers(1, 20), st.integers(1, 64),
)  # fmt: skip
@settings(deadline=None)
def test_whatever_the_fit_says_the_grid_is_aligned_apart_and_crosses_nothing(
    bid: int, spread: int, position: int, half_spread: float, skew: float, delta: int, grid_num: int
) -> None:
    given = {"half_spread": half_spread, "skew": skew, "delta": delta, "grid_num": grid_num}
    bids, asks = wanted(desk(bid=bid, ask=bid + spread, position=position, **given))
    assert all(0 < price <= bid for price in bids)
    assert all(price >= bid + spread for price in asks)
    assert all(price % delta == 0 for price in bids + asks)
    assert bids == [bids[0] - i * delta for i in range(len(bids))]
    assert asks == [asks[0] + i * delta for i in range(len(asks))]
    assert 3 * len(bids) + position <= 120 or not bids
    assert 3 * len(asks) - position <= 120 or not asks


# --- when it quotes


def test_it_waits_until_it_has_seen_enough_and_then_quotes_both_sides_post_only() -> None:
    venue = Venue(adj2=1.0)
    venue.flow(29.9)
    assert venue.quotes() == ([], [])
    venue.flow(5.2)
    bids, asks = venue.quotes()
    assert len(bids) == len(asks) == 4
    assert {one.time_in_force for one in venue.maker.orders.values()} == {TimeInForce.GTX}
    assert {one.order_qty for one in venue.maker.orders.values()} == {3}


def test_it_looks_every_hundred_milliseconds() -> None:
    venue = Venue()
    venue.look(1000, 1001)
    venue.look(1000, 1001)
    assert venue.wakes == [100 * MS, 200 * MS, 300 * MS]
    assert MarketMaker.sampling()


@pytest.mark.parametrize("depths", [(0,), (1,), (LEVELS,)])
def test_a_market_that_gives_no_fit_is_not_quoted(depths: tuple[int, ...]) -> None:
    venue = Venue()
    venue.flow(40.0, wiggle=0, depths=depths)
    assert venue.quotes() == ([], [])


def test_a_market_that_stands_still_is_quoted_without_volatility() -> None:
    venue = Venue()
    venue.flow(40.0, wiggle=0)
    assert float(venue.seen["sigma"]) == 0.0
    assert float(venue.state["skew"]) == 0.0
    assert [len(side) for side in venue.quotes()] == [4, 4]


def test_a_fit_that_fails_leaves_the_earlier_one_standing() -> None:
    venue = Venue(window_s=30.0, observe_s=10.0)
    venue.flow(30.0)
    before = float(venue.seen["k"])
    venue.flow(60.0, depths=(0,))
    assert float(venue.seen["k"]) > 0
    assert venue.state["fitted"]
    assert before > 0
    assert venue.quotes()[0]


def test_trades_are_counted_once_when_no_newer_tick_came() -> None:
    venue = Venue()
    venue.look(1000, 1001)
    venue.look(1000, 1001, buy_high=1011)
    venue.now += 100 * MS
    venue.timer()
    assert venue.seen["flow"]["reached"][10] == 1
    assert venue.seen["flow"]["count"] == 2


def test_depth_is_measured_from_the_mid_of_the_look_before() -> None:
    venue = Venue()
    venue.look(1000, 1001)
    venue.look(1010, 1011, buy_high=1011)
    assert venue.seen["flow"]["reach"][0] == 10


def test_a_lost_book_withdraws_all_quotes_and_makes_no_sample() -> None:
    venue = Venue()
    venue.flow(40.0)
    before = int(venue.seen["flow"]["count"])
    sent = venue.look(0, 0)
    assert {type(one) for one in sent} == {OrderCancelRequest}
    assert venue.quotes() == ([], [])
    venue.look(0, 0)
    venue.look(2000, 2001)  # the first look at a new book has nothing to compare with
    assert int(venue.seen["flow"]["count"]) == before
    assert venue.quotes()[0]


# --- what it sends


@pytest.fixture
def quoting() -> Venue:
    venue = Venue()
    venue.flow(40.0)
    venue.look(1000, 1001)
    return venue


def test_orders_whose_price_stays_are_kept(quoting: Venue) -> None:
    before = dict(quoting.maker.orders)
    assert quoting.look(1000, 1001) == []
    assert quoting.maker.orders == before


def test_only_the_prices_that_changed_are_sent(quoting: Venue) -> None:
    bids, asks = quoting.quotes()
    sent = quoting.look(1003, 1004)  # one step of the grid up
    new = sorted(one.price for one in sent if isinstance(one, NewOrderSingle))
    assert new == [bids[0] + 3, asks[-1] + 3]
    assert sum(isinstance(one, OrderCancelRequest) for one in sent) == 2
    assert quoting.quotes() == ([one + 3 for one in bids], [one + 3 for one in asks])


def test_a_filled_quote_is_replaced_and_the_grid_moves_with_the_position(quoting: Venue) -> None:
    order = next(one for one in quoting.maker.orders.values() if one.side == BUY)
    before = quoting.quotes()
    quoting.report(order.request, ExecType.TRADE, OrdStatus.FILLED, 3)
    assert quoting.maker.position() == 3
    quoting.look(1000, 1001)
    bids, asks = quoting.quotes()
    assert len(bids) == len(asks) == 4
    assert bids[0] < before[0][0]
    assert asks[0] <= before[1][0]


def test_a_cancel_is_asked_once_and_its_price_is_taken_until_it_is_gone(quoting: Venue) -> None:
    bids, _ = quoting.quotes()
    quoting.look(900, 901, answer=False)
    assert not any(isinstance(one, OrderCancelRequest) for one in quoting.look(900, 901, answer=False))
    again = quoting.look(1000, 1001, answer=False)
    assert not any(isinstance(one, NewOrderSingle) and one.price in bids and one.side == BUY for one in again)


def test_what_is_not_acknowledged_is_not_canceled_yet(quoting: Venue) -> None:
    quoting.look(900, 901, answer=False)
    sent = quoting.look(950, 951, answer=False)
    assert not any(isinstance(one, OrderCancelRequest) for one in sent)


def test_nothing_is_sent_while_it_may_not_trade() -> None:
    venue = Venue()
    venue.maker.on(0, Command(verb="trading", argument="off"))
    venue.flow(40.0)
    assert venue.maker.orders == {}
    assert venue.state["fitted"]
    venue.maker.on(0, Command(verb="trading", argument="on"))
    assert venue.look(1000, 1001)


# --- parameters


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gamma", 0.0), ("delta", 0), ("grid_num", 65), ("lambda_levels", LEVELS + 1), ("order_qty", 0.0001),
        ("window_s", 820.0), ("observe_s", 121.0), ("requote_ms", 0), ("adj1", -1.0),
    ],
)  # fmt: skip
def test_a_parameter_out_of_its_range_is_named(name: str, value: float) -> None:
    with pytest.raises(ParameterError, match=name) as caught:
        MarketMaker("mm", [BTC], **{name: value})
    assert caught.value.name == name


def test_the_graph_file_gives_the_defaults() -> None:
    plan = read(Path(__file__).parent.parent / "strategies" / "market_maker.toml")
    assert plan.graph.parameters == MarketMaker.parameters()
