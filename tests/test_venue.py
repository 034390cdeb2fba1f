"""The simulated venue: what becomes of each kind of order, when anybody hears of it, and in which FIX words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from actors.sim.venue import SimVenue
from core.instrument import Instrument
from core.kernel.layout import ASK, BID, BUY, SELL
from core.kernel.replay import Latency, Queue, Replay
from core.message import (
    ExecType,
    ExecutionReport,
    Liquidity,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdStatus,
    OrdType,
    TimeInForce,
)
from core.order import Order
from core.price import Side
from tests.tiny_day import BTC, OPENING, Row, tiny_day

GTC, IOC, FOK, GTX = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTX
LONG = 1_000_000
QUIET: Row = (LONG, BID, 900, 1)


class Floor:
    """A venue over a few rows, with requests sent and answers heard; the answers also go to Orders, as a gateway's would."""

    def __init__(
        self,
        rows: Sequence[Row] = (),
        latency: Latency = Latency(10, 5),  # noqa: B008
        feed_ns: int = 0,
        queue: str = "risk",
        partial: bool = False,
        levels: int = 20,
        instrument: Instrument = BTC,
    ) -> None:
        day = tiny_day([*OPENING, *rows, QUIET], feed_ns, instrument)
        replay = Replay(day.exch, day.local, day.bids, day.asks, 0.001, Queue(queue), latency, partial, start_ns=-1)
        self.venue = SimVenue(instrument, day, replay, levels, 0)
        self.orders: dict[str, Order] = {}
        self.heard: list[Any] = []

    def new(
        self, cl_ord_id: str, side: Side, price: int | None, qty: int = 5, tif: TimeInForce = GTC, at: int = 1
    ) -> ExecutionReport:
        """Send an order; the first that is heard of it."""
        kind = OrdType.MARKET if price is None else OrdType.LIMIT
        request = NewOrderSingle("BTCUSDT", 0, 0, at, cl_ord_id, side, kind, tif, price or 0, qty, False, "s")
        self.orders[cl_ord_id] = Order(request)
        return self.send(request, at)

    def cancel(self, cl_ord_id: str, orig: str, at: int) -> Any:
        request = OrderCancelRequest("BTCUSDT", cl_ord_id=cl_ord_id, orig_cl_ord_id=orig, strategy="s")
        self.orders[orig].request_cancel(request)
        return self.send(request, at)

    def replace(self, cl_ord_id: str, orig: str, price: int, qty: int, at: int) -> Any:
        request = OrderCancelReplaceRequest(
            "BTCUSDT", cl_ord_id=cl_ord_id, orig_cl_ord_id=orig, price=price, order_qty=qty, strategy="s"
        )
        self.orders[cl_ord_id] = self.orders[orig]
        self.orders[orig].request_replace(request)
        return self.send(request, at)

    def send(self, request: Message, at: int) -> Any:
        self.run(at)
        count = len(self.heard)
        self.venue.submit(at, request)
        while len(self.heard) == count and self.venue.replay.now < LONG:
            self.run(LONG, once=True)
        return self.heard[count] if len(self.heard) > count else None

    def run(self, until: int, once: bool = False) -> list[Any]:
        """Let time pass; all that was heard so far."""
        while True:
            reached = self.venue.advance(until)
            for reply in self.venue.replies():
                self.heard.append(reply)
                order = self.orders.get(reply.orig_cl_ord_id) or self.orders[reply.cl_ord_id]
                order.on_report(reply) if isinstance(reply, ExecutionReport) else order.on_cancel_reject(reply)
            if once or reached >= until:
                return self.heard


def said(report: ExecutionReport) -> tuple[ExecType, OrdStatus, int, int]:
    return report.exec_type, report.ord_status, report.cum_qty, report.leaves_qty


# --- arrivals


def test_an_order_that_does_not_cross_rests_and_is_acknowledged_in_full() -> None:
    report = Floor().new("a", 1, 1000)
    assert said(report) == (ExecType.NEW, OrdStatus.NEW, 0, 5)
    assert (report.cl_ord_id, report.order_id, report.price, report.order_qty) == ("a", "1", 1000, 5)
    assert (report.strategy, report.side, report.symbol) == ("s", 1, "BTCUSDT")


@pytest.mark.parametrize("tif", [GTC, IOC, FOK])
@pytest.mark.parametrize(("side", "price", "best"), [(1, 1001, 1001), (1, 1500, 1001), (2, 1000, 1000), (2, 900, 1000)])
def test_an_order_that_crosses_fills_whole_at_the_opposite_best_as_taker(
    tif: TimeInForce, side: Side, price: int, best: int
) -> None:
    report = Floor().new("a", side, price, 50, tif)
    assert said(report) == (ExecType.TRADE, OrdStatus.FILLED, 50, 0)
    assert (report.last_px, report.last_qty, report.last_liquidity_ind) == (best, 50, Liquidity.TAKER)


@pytest.mark.parametrize(("side", "price"), [(1, 1001), (1, 1002), (2, 1000), (2, 999)])
def test_a_post_only_order_that_would_cross_expires(side: Side, price: int) -> None:
    floor = Floor()
    assert said(floor.new("a", side, price, tif=GTX)) == (ExecType.EXPIRED, OrdStatus.EXPIRED, 0, 0)
    assert floor.orders["a"].done


def test_a_post_only_order_that_does_not_cross_rests() -> None:
    assert Floor().new("a", 2, 1001, tif=GTX).exec_type == ExecType.NEW


@pytest.mark.parametrize("tif", [IOC, FOK])
def test_an_immediate_order_that_finds_nothing_expires(tif: TimeInForce) -> None:
    assert Floor().new("a", 1, 1000, tif=tif).exec_type == ExecType.EXPIRED


@pytest.mark.parametrize(("side", "price"), [(1, 1001), (2, 1000)])
def test_a_market_order_takes_the_opposite_best(side: Side, price: int) -> None:
    report = Floor().new("a", side, None)
    assert (report.exec_type, report.last_px, report.ord_type) == (ExecType.TRADE, price, OrdType.MARKET)


def test_with_partial_fills_an_immediate_order_walks_the_levels_and_the_rest_expires() -> None:
    floor = Floor(partial=True)
    floor.new("a", 1, 1002, 35, IOC)
    floor.run(100)
    assert [(one.exec_type, one.last_px, one.last_qty, one.leaves_qty) for one in floor.heard] == [
        (ExecType.TRADE, 1001, 10, 25), (ExecType.TRADE, 1002, 20, 5), (ExecType.EXPIRED, 0, 0, 0),
    ]  # fmt: skip
    assert (floor.orders["a"].cum_qty, floor.orders["a"].done) == (30, True)


def test_with_partial_fills_fill_or_kill_is_all_or_nothing() -> None:
    assert Floor(partial=True).new("a", 1, 1002, 31, FOK).exec_type == ExecType.EXPIRED
    floor = Floor(partial=True)
    floor.new("a", 1, 1002, 30, FOK)
    floor.run(100)
    assert floor.orders["a"].status == OrdStatus.FILLED


# --- fills of what rests


def test_a_trade_fills_what_rests_only_when_it_exceeds_the_queue_before_it() -> None:
    floor = Floor([(100, SELL, 1000, 10), (200, SELL, 1000, 1)])
    floor.new("a", 1, 1000)
    assert len(floor.run(199)) == 1
    fill = floor.run(300)[-1]
    assert said(fill) == (ExecType.TRADE, OrdStatus.FILLED, 5, 0)
    assert (fill.last_px, fill.last_liquidity_ind, fill.transact_time) == (1000, Liquidity.MAKER, 200)


def test_a_trade_through_the_price_fills_whatever_stood_before() -> None:
    floor = Floor([(100, BUY, 1003, 1)])
    floor.new("a", 2, 1002)
    assert floor.run(200)[-1].exec_type == ExecType.TRADE


def test_the_other_sides_best_coming_to_the_price_fills() -> None:
    floor = Floor([(100, BID, 1002, 3)])
    floor.new("a", 2, 1002)
    fill = floor.run(200)[-1]
    assert (fill.exec_type, fill.last_px, fill.last_qty) == (ExecType.TRADE, 1002, 5)


def test_a_canceled_queue_ahead_lets_the_order_forward() -> None:
    """Risk-averse: the level shrinks to 2 lots, so at most 2 are before us; a trade of 3 is more."""
    floor = Floor([(100, BID, 1000, 2), (200, SELL, 1000, 3)])
    floor.new("a", 1, 1000)
    assert floor.run(300)[-1].exec_type == ExecType.TRADE


def test_fees_are_the_makers_and_the_takers_and_a_rebate_is_negative() -> None:
    rebated = Instrument(BTC.key, "0.1", "0.001", maker_fee=-0.0001, taker_fee=0.0005)
    floor = Floor([(100, SELL, 999, 1)], instrument=rebated)
    taken = floor.new("t", 1, 1001, 1000)
    floor.new("m", 1, 1000, 1000, at=30)
    made = floor.run(200)[-1]
    assert (taken.commission_e8, made.commission_e8) == (5_005_000, -1_000_000)


# --- cancel and replace


def test_a_cancel_is_confirmed_under_its_own_id() -> None:
    floor = Floor()
    floor.new("a", 1, 1000)
    report = floor.cancel("c", "a", 50)
    assert said(report) == (ExecType.CANCELED, OrdStatus.CANCELED, 0, 0)
    assert (report.cl_ord_id, report.orig_cl_ord_id) == ("c", "a")
    assert floor.orders["a"].status == OrdStatus.CANCELED


def test_a_cancel_that_comes_after_the_fill_is_refused() -> None:
    floor = Floor([(55, SELL, 999, 1)])
    floor.new("a", 1, 1000)
    floor.cancel("c", "a", 50)
    fill, reject = floor.run(100)[-2:]
    assert fill.exec_type == ExecType.TRADE
    assert isinstance(reject, OrderCancelReject)
    assert (reject.cl_ord_id, reject.orig_cl_ord_id, reject.cxl_rej_response_to) == ("c", "a", "F")
    assert reject.ord_status == OrdStatus.FILLED
    assert (floor.orders["a"].status, floor.orders["a"].done) == (OrdStatus.FILLED, True)


def test_a_replace_of_an_order_that_is_gone_is_refused_as_such() -> None:
    floor = Floor([(55, SELL, 999, 1)])
    floor.new("a", 1, 1000)
    floor.replace("r", "a", 1000, 9, 50)
    reject = floor.run(100)[-1]
    assert (type(reject), reject.cxl_rej_response_to) == (OrderCancelReject, "G")


def test_a_refusal_says_what_had_become_of_the_order() -> None:
    """Expired before the cancel came: not new, not filled."""
    floor = Floor()
    floor.orders["a"] = Order(NewOrderSingle("BTCUSDT", cl_ord_id="a", price=1001, order_qty=5, time_in_force=GTX))
    floor.venue.submit(1, floor.orders["a"].request)
    reject = floor.cancel("c", "a", 2) and floor.run(100)[-1]
    assert [type(one) for one in floor.heard] == [ExecutionReport, OrderCancelReject]
    assert reject.ord_status == OrdStatus.EXPIRED


def test_a_replaced_order_has_a_new_id_price_and_quantity() -> None:
    floor = Floor()
    floor.new("a", 1, 1000)
    report = floor.replace("r", "a", 999, 8, 50)
    assert said(report) == (ExecType.REPLACED, OrdStatus.NEW, 0, 8)
    assert (report.cl_ord_id, report.orig_cl_ord_id, report.price, report.order_qty) == ("r", "a", 999, 8)
    order = floor.orders["a"]
    assert (order.cl_ord_id, order.price, order.leaves_qty) == ("r", 999, 8)
    assert floor.cancel("c", "r", 100).exec_type == ExecType.CANCELED


def test_a_smaller_quantity_keeps_the_place_in_the_queue_and_a_larger_one_loses_it() -> None:
    trades = [(100, SELL, 1000, 8), (150, BID, 1000, 12), (200, SELL, 1000, 3)]
    for qty, filled in ((4, True), (6, False)):
        floor = Floor(trades)
        floor.new("a", 1, 1000, 5)
        floor.replace("r", "a", 1000, qty, 160)
        assert (floor.run(300)[-1].exec_type == ExecType.TRADE) == filled


def test_a_replaces_quantity_counts_what_was_filled_before() -> None:
    floor = Floor([(100, SELL, 1000, 12)], partial=True)
    floor.new("a", 1, 1000, 5)
    assert said(floor.run(120)[-1]) == (ExecType.TRADE, OrdStatus.PARTIALLY_FILLED, 2, 3)
    assert said(floor.replace("r", "a", 1000, 9, 150)) == (ExecType.REPLACED, OrdStatus.PARTIALLY_FILLED, 2, 7)


def test_a_replace_down_to_what_is_filled_ends_the_order() -> None:
    floor = Floor([(100, SELL, 1000, 12)], partial=True)
    floor.new("a", 1, 1000, 5)
    floor.run(120)
    assert floor.replace("r", "a", 1000, 2, 150).exec_type == ExecType.CANCELED
    assert floor.orders["a"].done


def test_a_replace_that_crosses_is_accepted_and_then_filled() -> None:
    floor = Floor()
    floor.new("a", 1, 1000)
    floor.replace("r", "a", 1001, 5, 50)
    replaced, fill = floor.run(100)[-2:]
    assert (replaced.exec_type, replaced.cl_ord_id) == (ExecType.REPLACED, "r")
    assert (fill.exec_type, fill.cl_ord_id, fill.last_px) == (ExecType.TRADE, "r", 1001)
    assert floor.orders["a"].status == OrdStatus.FILLED


def test_a_replace_that_would_make_a_post_only_order_cross_ends_it() -> None:
    floor = Floor()
    floor.new("a", 1, 1000, tif=GTX)
    assert floor.replace("r", "a", 1001, 5, 50).exec_type == ExecType.EXPIRED
    assert floor.orders["a"].done


# --- time


def test_constant_latencies_are_charged_both_ways() -> None:
    report = Floor(latency=Latency(10, 5)).new("a", 1, 1000, at=20)
    assert (report.transact_time, report.received) == (30, 35)


def test_a_recorded_table_says_how_long_each_way_takes_at_that_time() -> None:
    """Sent at 100: 20 there, 10 back. Sent at 200: 40 there, 30 back. Between them in proportion."""
    rows = np.array([[100, 120, 130], [200, 240, 270]])
    for at, there, back in ((50, 20, 10), (100, 20, 10), (150, 30, None), (300, 40, 30)):
        report = Floor(latency=Latency(0, 0, rows)).new("a", 1, 1000, at=at)
        assert report.transact_time == at + there
        assert back is None or report.received == at + there + back


def test_a_negative_latency_is_a_refusal_by_the_house_and_the_venue_never_hears_of_it() -> None:
    report = Floor(latency=Latency(-30, 5)).new("a", 1, 1000, at=20)
    assert said(report)[:2] == (ExecType.REJECTED, OrdStatus.REJECTED)
    assert report.received == 50


def test_a_request_meets_the_market_as_it_is_when_it_arrives() -> None:
    early, late = (Floor([(50, ASK, 1001, 0), (50, ASK, 1002, 7)]).new("a", 1, None, at=at) for at in (39, 40))
    assert (early.last_px, late.last_px) == (1001, 1002)


def test_no_answer_overtakes_another() -> None:
    floor = Floor([(55, SELL, 999, 1)], latency=Latency(10, 40))
    floor.new("a", 1, 1000)
    floor.cancel("c", "a", 50)
    times = [one.received for one in floor.run(500)]
    assert times == sorted(times)
    assert len(times) == 3


def test_execution_ids_are_unique() -> None:
    floor = Floor()
    for k in range(20):
        floor.new(f"a{k}", 1, None, at=100 * k + 1)
    assert len({one.exec_id for one in floor.heard}) == 20


# --- the feed


def test_a_tick_is_the_book_as_it_is_known_here_with_the_trades_since_the_last() -> None:
    floor = Floor([(100, BUY, 1001, 4), (100, BUY, 1002, 6), (100, SELL, 999, 5), (200, ASK, 1001, 0)], feed_ns=50, levels=1)
    floor.run(99)
    assert floor.venue.tick(99).bids == ((1000, 10),)
    floor.run(160)
    tick = floor.venue.tick(160)
    assert (tick.bids, tick.asks) == (((1000, 10),), ((1001, 10),))
    assert (tick.trade_count, tick.buy_qty, tick.sell_qty, tick.trade_last) == (3, 10, 5, 999)
    assert (tick.buy_high, tick.sell_low, tick.vwap) == (1002, 999, pytest.approx((4 * 1001 + 6 * 1002 + 5 * 999) / 15))
    assert (tick.transact_time, tick.received, tick.now) == (100, 150, 160)
    floor.run(300)
    assert (floor.venue.tick(300).asks, floor.venue.tick(300).trade_count) == (((1002, 20),), 0)


def test_rows_that_arrive_at_one_time_are_one_frame() -> None:
    floor = Floor([(100, BID, 1000, 4), (100, ASK, 1001, 4), (200, BID, 1000, 5)])
    floor.run(0)
    assert floor.venue.absorb() == (1, 1)
    assert floor.venue.next_frame() == 100
    floor.run(250)
    assert floor.venue.absorb() == (2, 2)
    assert floor.venue.next_frame() == LONG


# --- midnight


def test_at_the_days_end_what_still_works_is_canceled_unasked_and_fills_on_their_way_are_told() -> None:
    floor = Floor([(100, SELL, 999, 1), (104, SELL, 998, 1)])
    floor.new("a", 1, 1000)
    floor.new("b", 1, 999, at=20)
    floor.run(102)
    assert [(one.cl_ord_id, one.exec_type, one.transact_time) for one in floor.venue.late_fills(103)] == [
        ("a", ExecType.TRADE, 100)
    ]
    request = NewOrderSingle("BTCUSDT", cl_ord_id="w", price=990, order_qty=3)
    (report,) = floor.venue.day_over(1000, {"w": Order(request), "also w": Order(request)})
    assert (report.exec_type, report.ord_status, report.leaves_qty) == (ExecType.CANCELED, OrdStatus.CANCELED, 0)
