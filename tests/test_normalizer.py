"""The live road's normalizer and the store read the same capture and know the same market."""

import json
from itertools import pairwise

import pytest

from actors.history import views
from actors.history.importer import Importer
from actors.history.tickdb import TickDb
from core.dialect.binance.market import market_message
from core.dialect.binance.words import Parsed, parse
from core.instrument import Instrument, Key
from core.message import Bar, Command, Funding, MarkPrice, Tick, Timer
from core.normalizer import ASK_AGAIN_NS, Normalizer
from core.price import GridError
from tests.captures import MS, Venue

MIDNIGHT = 1_721_347_200_000 * MS


class Out:
    """An outbox that remembers."""

    def __init__(self):
        self.sent = []
        self.wakes = []

    def wake(self, at, key=""):
        self.wakes.append((at, key))

    def send(self, message):
        self.sent.append(message)

    def ticks(self):
        return [message for message in self.sent if isinstance(message, Tick)]


def fed(venue, lines=None):
    """A normalizer that took the venue's lines, and what it sent."""
    instrument = Instrument(Key("binance_usdm" if venue.usdm else "binance_spot", venue.symbol), "0.1", "0.001")
    node, out = Normalizer(instrument), Out()
    node.bind(out)
    for line in venue.lines if lines is None else lines:
        parsed = parse(line)
        message = market_message(parsed, instrument) if isinstance(parsed, Parsed) else None
        if message is not None:
            node.on(message.received, message)
    return node, out


@pytest.mark.parametrize("kind", ["usdm", "spot"])
def test_the_last_tick_is_the_stores_last_book_and_every_tick_agrees_with_the_venue(tmp_path, kind):
    venue = Venue(kind, start=MIDNIGHT).run(200, snapshot_at=9)
    node, out = fed(venue)
    Importer(tmp_path).run(venue.save(tmp_path / "c.gz"))
    with TickDb(tmp_path).file(node.instrument.key, "2024-07-19") as file:
        bids, asks = views.book(file)
    last = out.ticks()[-1]
    assert last.bids == tuple(map(tuple, bids[:20].tolist()))
    assert last.asks == tuple(map(tuple, asks[:20].tolist()))
    agreed = 0
    for tick in out.ticks():
        if tick.update_id in venue.best_at and tick.two_sided:
            (bid, bid_qty), (ask, ask_qty) = tick.bids[0], tick.asks[0]
            ours = (venue.price(bid), venue.qty(bid_qty), venue.price(ask), venue.qty(ask_qty))
            agreed += 1
            assert ours == venue.best_at[tick.update_id]
    assert agreed > 40
    assert sum(tick.trades[0] for tick in out.ticks()) == len(venue.trades)
    assert sum(tick.trades[1] + tick.trades[2] for tick in out.ticks()) == sum(qty / venue.lot for _, _, qty in venue.trades)


def test_a_gap_empties_the_tick_and_asks_for_a_snapshot_now_and_then(tmp_path):
    venue = Venue(start=MIDNIGHT).run(60, snapshot_at=5)
    lost = [i for i, line in enumerate(venue.lines) if b"depthUpdate" in line][8]
    venue.run(600)
    node, out = fed(venue, [line for i, line in enumerate(venue.lines) if i != lost])
    assert node.gaps == 1
    assert out.ticks()[-1].stale
    asked = [message.now for message in out.sent if isinstance(message, Command)]
    assert len(asked) >= 3  # at the start, at the gap, and while nobody answers
    assert all(later - earlier >= ASK_AGAIN_NS for earlier, later in pairwise(asked[1:]))


def test_a_funding_time_that_moves_on_is_a_settlement():
    venue = Venue(start=MIDNIGHT - 50 * MS)
    venue.mark(MIDNIGHT, "0.00012000", "64000.5")
    venue.now = MIDNIGHT + 900 * MS
    venue.mark(MIDNIGHT + 10**12, "-0.00001000", "64100.25")
    node, out = fed(venue)
    settled = [message for message in out.sent if isinstance(message, Funding)]
    assert [(m.transact_time, m.funding_rate_e8, m.mark_price_e8) for m in settled] == [(MIDNIGHT, 12_000, 6_400_050_000_000)]
    marks = [message for message in out.sent if isinstance(message, MarkPrice)]
    assert [(m.mark_price_e8, m.now) for m in marks] == [
        (6_400_050_000_000, marks[0].received),
        (node.mark.mark_price_e8, marks[1].received),
    ]
    assert out.ticks()[-1].mark_price_e8 == node.mark.mark_price_e8 == 6_410_025_000_000


def test_what_is_off_the_grid_is_an_error_and_odd_prints_are_no_messages():
    venue = Venue(start=MIDNIGHT)
    venue.trade(True)
    instrument = Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001")
    frame = json.loads(venue.lines[0].split(b" ", 1)[1])
    frame["data"]["p"] = "63950.05"
    with pytest.raises(GridError):
        market_message(parse(b"1 " + json.dumps(frame).encode()), instrument)
    frame["data"]["X"] = "INSURANCE_FUND"
    assert market_message(parse(b"1 " + json.dumps(frame).encode()), instrument) is None


def test_trades_become_bars_that_the_next_one_closes_or_the_wake():
    venue = Venue(start=MIDNIGHT, skew_ns=0)
    for at in (10_000, 59_999, 60_001, 61_000):
        venue.now = MIDNIGHT + at * MS
        venue.trade(True, ticks=639_500 + at % 7)
    node, out = Normalizer(Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001"), 5, [60_000 * MS]), Out()
    node.bind(out)
    for line in venue.lines:
        stamp, _, frame = line.partition(b" ")
        node.on_frame(int(stamp), int(stamp), frame)
    due = MIDNIGHT + 121_000 * MS
    assert out.wakes == [(MIDNIGHT + 61_000 * MS, "bar"), (due, "bar")]
    node.on(due - 1, Timer(key="bar"))
    node.on(due, Timer(key="bar"))
    bars = [message for message in out.sent if isinstance(message, Bar)]
    assert [(bar.open_time, bar.trades, bar.open, bar.close) for bar in bars] == [
        (MIDNIGHT, 2, 639_500 + 10_000 % 7, 639_500 + 59_999 % 7),
        (MIDNIGHT + 60_000 * MS, 2, 639_500 + 60_001 % 7, 639_500 + 61_000 % 7),
    ]
    assert bars[-1].now == due


def test_a_trade_that_comes_twice_counts_once_and_a_venue_may_number_anew():
    venue = Venue(start=MIDNIGHT)
    venue.trade_id = 5_000_000
    for _ in range(3):
        venue.trade(True)
    twice = [venue.lines[0], venue.lines[1], venue.lines[0], venue.lines[1], venue.lines[2]]
    venue.cut()
    venue.trade_id = 7
    venue.trade(False)
    _, out = fed(venue, twice + venue.lines)
    assert [tick.trades[0] for tick in out.ticks()] == [1, 1, 1, 1]
    assert out.ticks()[-1].sell_qty > 0
