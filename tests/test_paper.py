"""The paper venue on a live market: what gateways hear of it, in virtual time and through sockets."""

from __future__ import annotations

import gzip
import json
import os
from heapq import heappop, heappush
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec import structs

from actors.graph import Graph, LatencyTable
from actors.live.paper import Paper
from actors.live.store import Journal as FileJournal
from actors.sim.store import Journal
from core.dialect.binance.hosts import VenueTable
from core.instrument import Instrument, Key
from core.message import (
    BusinessMessageReject,
    Command,
    ExecType,
    ExecutionReport,
    Liquidity,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassStatusRequest,
    OrderStatusRequest,
    OrdStatus,
    TimeInForce,
)
from tests.captures import MS, Venue
from tests.stream_venue import Feed, StreamHost, StreamVenue

START = 1_780_000_000_000 * MS
NODE = "normalizer:BTCUSDT"
ENTRY, RESPONSE = 3 * MS, 2 * MS


def graph():
    latency = LatencyTable(order_entry_us=ENTRY / 1000, order_response_us=RESPONSE / 1000)
    return Graph("paper", ("BTCUSDT",), {}, latency=latency)


class VirtualHost:
    """A host whose clock the test turns."""

    def __init__(self):
        self.time = START
        self.clock = SimpleNamespace(now=lambda: self.time)
        self.loop = SimpleNamespace(frame=None)
        self.calls = []
        self.count = 0
        self.heard = []
        self.told = []

    def soon(self, call):
        self.at(self.time, call)

    def at(self, when, call):
        self.count += 1
        heappush(self.calls, (max(when, self.time), self.count, call))

    def hand(self, node, message):
        assert node == "gateway:BTCUSDT"
        self.heard.append((self.time, message))

    def news(self, urgency, headline, text=""):
        self.told.append(headline)

    def until(self, time):
        while self.calls and self.calls[0][0] <= time:
            self.time, _, call = heappop(self.calls)
            call()
        self.time = time


class Story:
    """A paper venue and the market's frames, a few at a time."""

    def __init__(self, log=None, start=START):
        self.host = VirtualHost()
        self.host.time = start
        self.paper = Paper(self.host, VenueTable(), [Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001")], graph(), log)
        self.asked = []
        self.paper.source = SimpleNamespace(start=lambda: None, close=lambda: None, status=dict)
        self.paper.desks["BTCUSDT"].market.bind_source(lambda now, message: self.asked.append(message), self.host.clock.now)
        self.market = Venue(start=start)
        self.paper.start()

    def feed(self, frame):
        self.paper.frame(NODE, self.host.time, frame)
        self.host.until(self.host.time)

    def step(self, steps=4, lose=False):
        self.market.run(steps)
        for line in self.market.cut():
            if not lose and b"bookTicker" not in line:
                self.feed(line.partition(b" ")[2])

    def snapshot(self):
        self.feed(json.dumps(self.market.reply()).encode())

    def open(self):
        """A book on both sides, and no trade from now on unless the test makes one."""
        self.step()
        self.snapshot()
        self.step()
        assert self.paper.desks["BTCUSDT"].market.sync.settled
        return self

    def trade(self, buy, ticks, lots=1):
        self.market.trade_id += 1
        data = {"e": "trade", "E": 1, "T": self.host.time // MS, "s": "BTCUSDT", "t": self.market.trade_id, "X": "MARKET"}
        data |= {"p": self.market.price(ticks), "q": self.market.qty(lots), "m": not buy}
        self.feed(json.dumps({"stream": "btcusdt@trade", "data": data}, separators=(",", ":")).encode())

    def send(self, message):
        self.paper.submit(self.host.time, message)

    def order(self, name, side, price, qty=5, tif=TimeInForce.GTC):
        self.send(
            NewOrderSingle("BTCUSDT", cl_ord_id=name, side=side, price=price, order_qty=qty, time_in_force=tif, strategy="s")
        )

    def later(self, ns):
        self.host.until(self.host.time + ns)

    def reports(self):
        heard = [message for _, message in self.host.heard]
        self.host.heard.clear()
        return heard

    @property
    def best(self):
        return max(self.market.bids), min(self.market.asks)


def kinds(reports):
    return [(one.cl_ord_id, one.exec_type) for one in reports if isinstance(one, ExecutionReport)]


def test_an_order_rests_after_the_way_there_and_is_heard_of_after_the_way_back():
    story = Story().open()
    begun = story.host.time
    story.order("a", 1, story.best[0] - 5)
    story.later(ENTRY + RESPONSE - 1)
    assert story.host.heard == []
    story.later(1)
    ((at, report),) = story.host.heard
    assert at == begun + ENTRY + RESPONSE
    assert (report.exec_type, report.ord_status, report.leaves_qty, report.strategy) == (ExecType.NEW, OrdStatus.NEW, 5, "s")
    assert report.transact_time == begun + ENTRY


def test_a_trade_through_its_price_fills_an_order_as_maker_and_a_crossing_one_takes():
    story = Story().open()
    bid, ask = story.best
    story.order("maker", 1, bid)
    story.order("taker", 1, ask)
    story.later(10 * MS)
    assert kinds(story.reports()) == [("maker", ExecType.NEW), ("taker", ExecType.TRADE)]
    story.trade(False, bid - 1)
    story.later(10 * MS)
    (filled,) = story.reports()
    assert (filled.cl_ord_id, filled.last_px, filled.last_qty, filled.last_liquidity_ind) == ("maker", bid, 5, Liquidity.MAKER)
    assert filled.commission_e8 > 0
    assert filled.exec_id != ""


def test_orders_are_replaced_and_canceled_and_what_is_unknown_is_refused():
    story = Story().open()
    price = story.best[0] - 5
    story.order("a", 1, price)
    story.later(10 * MS)
    story.send(OrderCancelReplaceRequest("BTCUSDT", cl_ord_id="b", orig_cl_ord_id="a", side=1, price=price - 1, order_qty=4))
    story.send(OrderCancelRequest("BTCUSDT", cl_ord_id="c", orig_cl_ord_id="a", side=1))
    story.send(OrderCancelRequest("BTCUSDT", cl_ord_id="d", orig_cl_ord_id="never", side=1))
    story.later(20 * MS)
    heard = story.reports()
    assert kinds(heard) == [("a", ExecType.NEW), ("b", ExecType.REPLACED), ("c", ExecType.CANCELED)]
    (refused,) = [one for one in heard if isinstance(one, OrderCancelReject)]
    assert (refused.cl_ord_id, refused.cxl_rej_reason) == ("d", 1)


def test_questions_are_answered_from_what_was_said():
    story = Story().open()
    bid, _ = story.best
    story.order("a", 1, bid, 5)
    story.order("b", 1, bid - 9, 5)
    story.later(10 * MS)
    story.trade(False, bid - 1)
    story.later(10 * MS)
    said = story.reports()
    story.send(OrderStatusRequest("BTCUSDT", cl_ord_id="a"))
    story.send(OrderStatusRequest("BTCUSDT", cl_ord_id="never"))
    story.later(10 * MS)
    trade, state, unknown = story.reports()
    assert trade == said[-1]
    assert (state.exec_type, state.ord_status, state.cum_qty) == (ExecType.ORDER_STATUS, OrdStatus.FILLED, 5)
    assert isinstance(unknown, BusinessMessageReject)
    assert unknown.business_reject_ref_id == "never"
    asked = story.host.time
    story.send(OrderMassStatusRequest("BTCUSDT", since=START))
    story.later(10 * MS)
    trade, state, complete = story.reports()
    assert (trade.cl_ord_id, state.cl_ord_id, state.exec_type) == ("a", "b", ExecType.ORDER_STATUS)
    assert (type(complete), complete.transact_time) == (OrderMassStatusRequest, asked)


def test_a_cancel_all_ends_everything_that_works():
    story = Story().open()
    for number in range(5):
        story.order(f"a{number}", 1, story.best[0] - 5 - number)
    story.later(10 * MS)
    story.send(OrderCancelReplaceRequest("BTCUSDT", cl_ord_id="b", orig_cl_ord_id="a0", side=1, price=1000, order_qty=4))
    story.send(Command("BTCUSDT", verb="cancel_all"))
    story.later(20 * MS)
    ended = [one.cl_ord_id for one in story.reports() if getattr(one, "exec_type", "") == ExecType.CANCELED]
    assert sorted(ended) == ["a1", "a2", "a3", "a4", "b"]
    assert story.paper.log.open() == []


def test_before_there_is_a_market_orders_are_refused():
    story = Story()
    story.order("a", 1, 639_000)
    story.later(10 * MS)
    (report,) = story.reports()
    assert (report.exec_type, report.text) == (ExecType.REJECTED, "paper: there has been no market yet")


def test_orders_survive_a_gap_and_meet_the_book_that_comes_after_it():
    story = Story().open()
    price = story.best[0] - 300
    story.order("a", 1, price)
    story.later(10 * MS)
    story.step(lose=True)
    story.step()
    assert story.paper.desks["BTCUSDT"].market.gaps == 1
    assert story.asked[-1].verb == "snapshot"
    story.later(10**9)
    for ticks in list(story.market.bids):
        story.market.set(0, ticks - 400, 7)
        story.market.set(0, ticks, 0)
    story.market.set(1, price - 10, 3)
    story.market.depth()
    story.market.cut()
    story.reports()
    story.snapshot()
    story.later(10 * MS)
    (report,) = story.reports()
    assert (report.cl_ord_id, report.exec_type, report.last_px) == ("a", ExecType.TRADE, price)


def test_what_was_said_outlives_the_process_and_what_worked_is_canceled():
    log = Journal()
    story = Story(log).open()
    bid, ask = story.best
    story.order("taken", 1, ask)
    story.order("works", 1, bid - 9)
    story.later(10 * MS)
    told = story.reports()
    again = Story(log, story.host.time + 10**9)
    (ended,) = again.reports()
    assert kinds([ended]) == [("works", ExecType.CANCELED)]
    again.send(OrderMassStatusRequest("BTCUSDT", since=0))
    again.later(10 * MS)
    trade, complete = again.reports()
    assert trade in told
    assert isinstance(complete, OrderMassStatusRequest)
    again.open().order("new", 1, again.best[1])
    again.later(10 * MS)
    ids = [one.exec_id for one in again.paper.log.said]
    assert len(set(ids)) == len(ids) == 4


def test_frames_that_arrive_between_two_turns_are_not_late():
    story = Story().open()
    story.paper.frame(NODE, story.host.time - 50 * MS, b"{}")
    story.order("a", 1, story.best[0] - 5)
    story.later(20 * MS)
    assert kinds(story.reports()) == [("a", ExecType.NEW)]
    assert story.paper.damaged == 1


def test_the_paper_venue_fills_on_a_market_that_comes_through_sockets():
    venue = StreamVenue()
    feed = Feed(venue, "BTCUSDT")
    venue.answers["/fapi/v1/depth"] = feed.snapshot
    host = StreamHost([])
    heard = []
    host.hand = lambda node, message: heard.append((node, message))
    table = structs.replace(VenueTable(rest=venue.rest_url, stream=venue.stream_url), streams=("depth@100ms", "trade"))
    paper = Paper(host, table, [Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001")], graph())
    try:
        paper.start()
        host.until(lambda: len(venue.paths) == 2 and all(road.up for road in paper.source.roads))

        def traded():
            feed.step()
            host.turn(20)
            desk = paper.desks["BTCUSDT"]
            if desk.market.sync.settled and not heard and not paper.log.said and not traded.sent:
                traded.sent = True
                order = NewOrderSingle("BTCUSDT", cl_ord_id="a", side=1, price=feed.best()[1] + 50, order_qty=2)
                paper.submit(host.clock.now(), order)
            return bool(heard)

        traded.sent = False
        host.until(traded, 10)
        node, report = heard[0]
        assert (node, report.exec_type, report.last_qty) == ("gateway:BTCUSDT", ExecType.TRADE, 2)
    finally:
        paper.stop(lambda: None)
        venue.close()
        host.loop.close()


def test_the_log_lives_in_a_journal_on_disk(tmp_path):
    journal = FileJournal(tmp_path / "paper.journal")
    story = Story(journal).open()
    story.order("a", 1, story.best[1])
    story.later(10 * MS)
    (filled,) = story.reports()
    journal.close()
    journal = FileJournal(tmp_path / "paper.journal")
    assert list(Story(journal, story.host.time + 10**9).paper.log.trades("BTCUSDT")) == [filled]
    journal.close()


def test_on_a_real_capture_the_matching_sees_the_book_that_the_normalizer_sees():
    capture = Path(os.environ.get("ASTRARIUM_CAPTURES", "../shared/data")) / "hftbacktest/usdm/btcusdt_20240718.gz"
    if not capture.exists():
        pytest.skip(f"{capture} is not here")
    lines = [line.partition(b" ") for line in gzip.decompress(capture.read_bytes()).splitlines() if b"bookTicker" not in line]
    story = Story(start=int(lines[0][0]))
    desk = story.paper.desks["BTCUSDT"]
    compared = 0
    for number, (stamp, _, frame) in enumerate(lines):
        story.host.until(max(story.host.time, int(stamp)))
        story.feed(frame)
        if desk.market.sync.settled and number % 40 == 0:
            (bid, bid_qty), (ask, ask_qty) = desk.market.book.bids[0], desk.market.book.asks[0]
            assert desk.replay.best_exch() == (bid, bid_qty, ask, ask_qty)
            compared += 1
            story.order(f"o{number}", 1 + number // 40 % 2, bid if number // 40 % 2 == 0 else ask)
    said = kinds(story.reports())
    assert compared > 50
    assert sum(kind == ExecType.TRADE for _, kind in said) > 20
    assert len({report.exec_id for report in story.paper.log.said}) == len(story.paper.log.said)
    assert desk.replay.rows_kept <= 1 << 14
