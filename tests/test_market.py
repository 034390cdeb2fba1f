"""The market's road against a venue on loopback: books come up, break, and come back; streams die silently; disks fill."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest
import requests
from msgspec import structs

from actors.emulator.running import RunningVenue
from actors.history import views
from actors.history.importer import Importer
from actors.history.tickdb import TickDb
from actors.live import market as roads
from actors.live import road
from actors.live.market import Market
from actors.live.recording import Recording
from core.dialect.binance import feed as binance_feed
from core.dialect.binance.hosts import VenueTable
from core.instrument import Instrument, Key
from core.message import Tick
from core.normalizer import Normalizer
from tests.stream_venue import Feed, StreamHost, StreamVenue

SYMBOLS = ("BTCUSDT", "ETHUSDT")


@pytest.fixture
def venue():
    one = StreamVenue()
    yield one
    one.close()


class Set:
    """A market and its host before a venue, with a feed an instrument."""

    def __init__(self, venue, symbols=SYMBOLS, kinds=("depth@100ms", "trade"), recording=None, **options):
        instruments = [Instrument(Key("binance_usdm", symbol), "0.1", "0.001") for symbol in symbols]
        self.feeds = {symbol: Feed(venue, symbol, seed) for seed, symbol in enumerate(symbols)}
        venue.answers["/fapi/v1/depth"] = lambda: self.asked_of(venue.asked[-1]).snapshot()
        self.host = StreamHost([Normalizer(one) for one in instruments])
        table = structs.replace(VenueTable(rest=venue.rest_url, stream=venue.stream_url), streams=kinds)
        self.host.source = self.market = Market(self.host, table, instruments, recording, **options)
        self.venue = venue

    def asked_of(self, path):
        return self.feeds[path.partition("symbol=")[2].partition("&")[0]]

    def node(self, symbol="BTCUSDT"):
        return self.host.nodes[f"normalizer:{symbol}"]

    def settled(self):
        """Every book is whole and its best prices are the venue's."""
        for symbol, feed in self.feeds.items():
            sync = self.node(symbol).sync
            if not sync.settled or (sync.book.bids[0][0], sync.book.asks[0][0]) != feed.best():
                return False
        return True

    def run(self, seconds=10.0):
        """Say the market's steps until the books are the venue's."""
        end = time.monotonic() + seconds
        while True:
            for feed in self.feeds.values():
                feed.step()
            self.host.turn(20)
            self.host.turn(20)
            if self.settled():
                return
            assert time.monotonic() < end, self.host.told

    def open(self, connections):
        self.market.start()
        self.host.until(lambda: sum(line.up for line in self.market.roads) == len(self.venue.paths) == connections)

    def close(self):
        self.market.close()
        self.host.loop.close()


def test_books_come_up_and_come_back_when_the_connection_breaks(venue):
    one = Set(venue)
    one.open(2)
    assert sorted(path.partition("?")[0] for path in venue.paths) == ["/market/stream", "/public/stream"]
    one.run()
    ticks = len(one.host.sent)
    public = next(c for c in venue.connections if "/public" in c.request.path)
    public.socket.close()
    one.host.until(lambda: not one.node().sync.whole)
    stale = [message for message in one.host.sent[ticks:] if isinstance(message, Tick)]
    assert stale[-1].stale
    one.run()
    assert one.market.snapshots >= 4
    assert one.market.roads[0].opened == 2
    assert any("ended" in headline for _, headline, _ in one.host.told)
    one.close()


def test_a_lost_event_is_a_gap_and_a_snapshot_mends_it(venue):
    one = Set(venue, ("BTCUSDT",))
    one.open(2)
    one.run()
    one.feeds["BTCUSDT"].step(lose=True)
    one.feeds["BTCUSDT"].step()
    one.host.until(lambda: one.node().gaps == 1)
    one.node()._asked = -(1 << 62)  # the first snapshot was asked for less than five seconds ago
    one.run()
    assert one.node().gaps == 1
    one.close()


def test_a_venue_that_refuses_is_tried_again_less_and_less_often(venue, monkeypatch):
    monkeypatch.setattr(road, "WAITS_NS", (10_000_000, 20_000_000, 40_000_000))
    one = Set(venue, ("BTCUSDT",), ("depth@100ms",))
    venue.refuses = True
    one.market.start()
    one.host.until(lambda: one.market.roads[0].failed == 5)
    waits = [text.rpartition("again in ")[2] for _, headline, text in one.host.told if "ended" in headline]
    assert waits == ["0.01 s", "0.02 s", "0.04 s", "0.04 s", "0.04 s"]
    assert all("503" in text for _, _, text in one.host.told)
    venue.refuses = False
    one.run()
    one.close()


def test_a_connection_is_renewed_beside_the_old_one_and_nothing_is_lost(venue, monkeypatch):
    monkeypatch.setattr(road, "OVERLAP_NS", 300_000_000)
    one = Set(venue, ("BTCUSDT",), ("depth@100ms",), renew_ns=700_000_000)
    one.open(1)
    first = one.market.roads[0].connection
    one.run()
    began, ticks = one.market.snapshots, len(one.host.sent)
    while one.market.roads[0].connection is first:
        one.run()
    one.run()
    assert one.market.roads[0].opened >= 2
    assert one.market.snapshots == began
    assert one.node().gaps == 0
    assert not any(isinstance(message, Tick) and message.stale for message in one.host.sent[ticks:])
    one.close()


def test_a_stream_that_is_silent_while_the_market_moves_costs_its_connection(venue, monkeypatch):
    short = binance_feed.PROBES["depth"]._replace(silent_ns=300_000_000)
    monkeypatch.setitem(binance_feed.PROBES, "depth", short)
    monkeypatch.setattr("actors.live.watch.AGAIN_NS", 100_000_000)
    monkeypatch.setattr(roads, "LOOK_NS", 100_000_000)
    one = Set(venue, ("BTCUSDT",), ("depth@100ms",))
    price = iter(range(1, 1000))
    quiet = json.dumps({"symbol": "BTCUSDT", "bidPrice": "1", "bidQty": "2", "askPrice": "3", "askQty": "4"}).encode()
    venue.answers["/fapi/v1/ticker/bookTicker"] = lambda: (200, {}, quiet)
    one.open(1)
    one.run()
    one.host.until(lambda: sum("bookTicker" in path for path in venue.asked) >= 3)
    assert one.market.roads[0].silences == 0
    assert one.node().sync.whole
    venue.answers["/fapi/v1/ticker/bookTicker"] = lambda: (200, {}, quiet.replace(b'"2"', b'"%d"' % next(price)))
    one.host.until(lambda: one.market.roads[0].silences == 1)
    assert not one.node().sync.whole
    assert (0, "a silent stream", "btcusdt@depth@100ms is silent while the market moves") in one.host.told
    one.run()
    one.close()


def test_a_mark_price_that_is_late_is_proof_enough(venue, monkeypatch):
    monkeypatch.setitem(binance_feed.PROBES, "markPrice", binance_feed.Probe(200_000_000))
    monkeypatch.setattr(roads, "LOOK_NS", 50_000_000)
    one = Set(venue, ("BTCUSDT",), ("markPrice@1s",))
    one.open(1)
    one.host.until(lambda: one.market.roads[0].silences >= 1 and one.market.roads[0].opened >= 2)
    assert venue.asked == []
    one.close()


def test_too_many_questions_are_not_asked_again_before_the_venue_says_so(venue):
    one = Set(venue, ("BTCUSDT",), ("depth@100ms",))
    answers = iter([(429, {"Retry-After": "1"}, b"{}")])
    venue.answers["/fapi/v1/depth"] = lambda: next(answers, None) or one.feeds["BTCUSDT"].snapshot()
    one.open(1)
    one.feeds["BTCUSDT"].step()
    one.host.until(lambda: one.market.fetching.failures == 1)
    refused = time.monotonic()
    one.node()._asked = -(1 << 62)
    one.run()
    assert time.monotonic() - refused >= 0.9
    one.close()


def test_what_was_recorded_is_imported_and_gives_the_same_book(venue, tmp_path):
    one = Set(venue, recording=Recording(tmp_path / "market"))
    one.open(2)
    for _ in range(10):
        one.run()
    one.close()
    files = sorted((tmp_path / "market").iterdir())
    assert [file.name.split("-")[0] for file in files] == list(SYMBOLS)
    for symbol, file in zip(SYMBOLS, files, strict=True):
        Importer(tmp_path / "store").run(file)
        node = one.node(symbol)
        with TickDb(tmp_path / "store").file(node.instrument.key, "2024-07-18") as day:
            bids, asks = views.book(day)
        assert node.sync.book.bids == tuple(map(tuple, bids[:20].tolist()))
        assert node.sync.book.asks == tuple(map(tuple, asks[:20].tolist()))


def test_a_disk_that_is_full_ends_the_recording_and_nothing_else(venue, tmp_path):
    (tmp_path / "market").write_text("a file where the folder should be")
    one = Set(venue, ("BTCUSDT",), recording=Recording(tmp_path / "market"))
    one.open(2)
    one.run()
    one.host.until(lambda: one.market.recording.failed)
    one.run()
    assert [headline for urgency, headline, _ in one.host.told if urgency == 2] == ["the market is not recorded any more"]
    one.close()


@pytest.mark.slow
def test_against_the_emulator_books_are_those_that_it_shows():
    """Two instruments for a few seconds and a disconnection: who begins from the venue's book later knows the same market."""
    with RunningVenue("--synth", "11", "--symbols", "BTCUSDT,ETHUSDT") as venue:
        grids = {one["symbol"]: one for one in requests.get(f"{venue.rest}/fapi/v1/exchangeInfo", timeout=20).json()["symbols"]}
        instruments = []
        for symbol in SYMBOLS:
            filters = {one["filterType"]: one for one in grids[symbol]["filters"]}
            sizes = filters["PRICE_FILTER"]["tickSize"], filters["LOT_SIZE"]["stepSize"]
            instruments.append(Instrument(Key("binance_usdm", symbol), *sizes))
        host = StreamHost([Normalizer(one) for one in instruments])
        host.source = market = Market(host, VenueTable(rest=venue.rest, stream=venue.streams), instruments)
        market.start()
        try:
            host.until(lambda: all(node.sync.settled for node in host.nodes.values()), 30)
            for road in market.roads:
                road.connection.close("a test")
            host.until(lambda: all(road.opened == 2 for road in market.roads), 30)
            host.until(lambda: all(node.sync.settled and node.mark for node in host.nodes.values()), 30)
            for one in instruments:
                check_beside(host, venue, one)
            assert {node.odd for node in host.nodes.values()} == {0}
            assert sum(isinstance(message, Tick) and bool(message.trades[0]) for message in host.sent) > 0
        finally:
            market.close()
            host.loop.close()


def check_beside(host, venue, instrument):
    """A normalizer that begins now, from the venue's book of now, comes to the same book as the one that began long ago."""
    first, second = host.nodes[f"normalizer:{instrument.symbol}"], Normalizer(instrument)
    second.bind(SimpleNamespace(send=lambda message: None))
    host.nodes[first.name] = SimpleNamespace(
        on=first.on, on_frame=lambda *frame: (first.on_frame(*frame), second.on_frame(*frame)), sync=first.sync
    )
    ticks = len(host.sent)
    host.until(lambda: len(host.sent) > ticks + 20)
    body = requests.get(f"{venue.rest}/fapi/v1/depth?symbol={instrument.symbol}&limit=1000", timeout=20).content
    second.on_frame(host.clock.now(), host.clock.now(), body)
    host.until(lambda: second.sync.settled, 20)
    host.until(lambda: len(host.sent) > ticks + 200, 20)
    assert first.sync.update_id == second.sync.update_id
    assert first.book.bids == second.book.bids
    assert first.book.asks == second.book.asks
    host.nodes[first.name] = first
