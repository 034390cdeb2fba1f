"""Frames read by the compiled road and by the plain one: the same messages, one by one, whatever the venue sends."""

from __future__ import annotations

import gzip
import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import WireError
from core.instrument import Instrument, Key
from core.ladder import NEAR_RANKS
from core.message import Command, Tick
from core.normalizer import Normalizer
from core.price import GridError
from tests.captures import MS, Venue
from tests.plain_normalizer import PlainNormalizer

CAPTURES = Path(os.environ.get("ASTRARIUM_CAPTURES", "../shared/data")) / "hftbacktest"
START = 1_721_347_200_000 * MS


class Out:
    """An outbox that remembers."""

    def __init__(self):
        self.sent = []

    def send(self, message):
        self.sent.append(message)


class Both:
    """The two normalizers side by side."""

    def __init__(self, instrument, levels=20):
        self.nodes = Normalizer(instrument, levels), PlainNormalizer(instrument, levels)
        self.outs = Out(), Out()
        for node, out in zip(self.nodes, self.outs, strict=True):
            node.bind(out)
        self.count = 0

    def take(self, now, frame):
        """One frame, or a Command, to both; what they say and how they fail has to be the same."""
        said = []
        for node, out in zip(self.nodes, self.outs, strict=True):
            out.sent.clear()
            try:
                node.on(now, frame) if isinstance(frame, Command) else node.on_frame(now, now - 5, frame)
            except (GridError, WireError) as error:
                out.sent.append((type(error), str(error)))
            said.append(list(out.sent))
        assert said[0] == said[1], frame
        assert self.nodes[0].gaps == self.nodes[1].gaps
        assert self.nodes[0].sync.whole == self.nodes[1].sync.whole
        self.count += len(said[0])
        return said[0]


def instrument(symbol="BTCUSDT", tick="0.1", lot="0.001", venue="binance_usdm"):
    return Instrument(Key(venue, symbol), tick, lot)


@pytest.mark.parametrize(
    ("name", "symbol", "tick", "lot"),
    [
        ("usdm/btcusdt_20230404.dat.gz", "BTCUSDT", "0.1", "0.001"),
        ("usdm/btcusdt_20240718.gz", "BTCUSDT", "0.1", "0.001"),
        ("usdm/ethusdt_20240718.gz", "ETHUSDT", "0.01", "0.001"),
        ("spot/ethusdt_20240808.gz", "ETHUSDT", "0.01", "0.0001"),
    ],
)
def test_a_real_capture_gives_the_same_messages_by_both_roads(name, symbol, tick, lot):
    if not (CAPTURES / name).exists():
        pytest.skip(f"{CAPTURES / name} is not here")
    both = Both(instrument(symbol, tick, lot, "binance_spot" if "spot" in name else "binance_usdm"))
    for line in gzip.decompress((CAPTURES / name).read_bytes()).splitlines():
        stamp, _, frame = line.partition(b" ")
        if b"bookTicker" not in frame:
            both.take(int(stamp) * (1 if len(stamp) > 16 else 1000), frame)
    assert both.count > 2_000
    assert both.nodes[0].odd <= 2  # a line cut off, a reply to a subscription


TEXTS = [b"1", b"0", b"100.10", b"0100.1", b"1e2", b"-1", b"", b"63950.05", b"0.0004", b"9" * 17, b"9" * 25, b"1.", b".5", b"5 "]
VALUES = [
    b'"x"',
    b"1",
    b"-1",
    b"1.5",
    b"null",
    b"true",
    b"false",
    b"[]",
    b"{}",
    b'[["1","2"]]',
    b'"\\u0031"',
    '"ü"'.encode(),
    b"01",
]
KEYS = [*(bytes([c]) for c in b"abeETUutpqirsSmMXxAB"), b"pu", b"st", b"ps", b"nq", b"bids", b"asks", b"lastUpdateId", b"ap"]


def bent(frame, rng):
    """A frame with something about it that a venue might, or should not, do."""
    what = rng.randrange(10)
    place = rng.randrange(len(frame) + (what == 0))
    if what == 0:
        return frame[:place] + rng.choice([b" ", b"\n", b"\t", b"x", b'"', b"\\", b",", b"]", b"0", b"1", b"."]) + frame[place:]
    if what == 1:
        return frame[:place]
    if what == 2:
        return frame[:place] + frame[place + 1 :]
    if what == 3:
        return frame[:place] + bytes([rng.randrange(256)]) + frame[place + 1 :]
    if what == 4:
        return json.dumps(json.loads(frame)).encode()
    if what == 5:
        numbers = [part for part in frame.split(b'"') if part.replace(b".", b"").isdigit()]
        return frame.replace(b'"%s"' % rng.choice(numbers), b'"%s"' % rng.choice(TEXTS), 1) if numbers else frame
    extra = b'"%s":%s' % (rng.choice(KEYS), rng.choice(VALUES))
    if what == 6:
        return frame.replace(b'"s":', extra + b',"s":', 1)
    if what == 7:
        head, closing, tail = frame.rpartition(b"}}")
        return head + b"," + extra + closing + tail if closing else frame[:-1] + b"," + extra + b"}"
    if what == 8:
        document = json.loads(frame)
        data = document.get("data", document)
        keys = list(data)
        rng.shuffle(keys)
        shuffled = {key: data[key] for key in keys}
        return json.dumps({**document, "data": shuffled} if "data" in document else shuffled, separators=(",", ":")).encode()
    return frame.replace(
        b'"s":"BTCUSDT"', rng.choice([b'"st":1,"s":"BTCUSDT"', b'"s":"BTCUSDT","st":2', b'"s":"ETHUSDT"', b'"s":""'])
    )


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from(["usdm", "spot"]), st.integers(1, 25))
def test_whatever_frames_come_both_roads_say_the_same(seed, kind, levels):
    rng = random.Random(seed)
    venue = Venue(kind, start=START, seed=seed).run(120, snapshot_at=rng.randrange(3, 20))
    if rng.random() < 0.5:
        venue.mark(START + 10**9)
        venue.now += 10**10
        venue.mark(START + 10**13, "-0.00010000", "1.5")
    both = Both(instrument(venue="binance_usdm" if kind == "usdm" else "binance_spot"), levels)
    frames = [line.partition(b" ")[2] for line in venue.lines]
    wild = rng.choice([0.0, 0.02, 0.3])
    for number, sent in enumerate(frames):
        now = START + number * 40 * MS
        chance = rng.random()
        frame = bent(sent, rng) if chance < wild else sent
        both.take(now, frame)
        if chance > 0.99:
            both.take(now, frame)
        if rng.random() < 0.01:
            both.take(now, Command(verb=rng.choice(["lost", "connected", "snapshot"]), now=now))
        if rng.random() < 0.02:
            both.take(now, json.dumps(venue.reply(), separators=(",", ":")).encode())
    assert both.count


def depth(update, bids, asks, previous=None):
    data = {"e": "depthUpdate", "E": START // MS, "T": START // MS, "s": "BTCUSDT", "U": update, "u": update}
    data |= {"pu": update - 1 if previous is None else previous}
    data |= {name: [[str(price), str(qty)] for price, qty in side] for name, side in (("b", bids), ("a", asks))}
    return json.dumps({"stream": "btcusdt@depth@100ms", "data": data}, separators=(",", ":")).encode()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32))
def test_a_book_that_leaps_through_all_prices_is_the_plain_one(seed):
    """Prices far outside the near part, best prices that leave it, sides that empty, thousands of levels at once."""
    rng = random.Random(seed)
    both = Both(instrument(tick="1", lot="1"), rng.choice([1, 3, 20]))
    both.take(1, b'{"lastUpdateId":10,"E":1,"T":1,"bids":[["5","1"]],"asks":[["9","2"]]}')
    middle, known = 1_000_000, [[], []]
    for update in range(11, 60):
        if rng.random() < 0.2:
            middle = rng.choice([3, 70_000, 1_000_000, 10**9, 10**11])
        sides = []
        for side in (0, 1):
            levels = []
            for _ in range(rng.choice([0, 1, 3, 30, 1500]) if rng.random() < 0.1 else rng.randrange(4)):
                reach = rng.choice([3, 60, 5_000, NEAR_RANKS, 4 * NEAR_RANKS])
                price = max(1, middle + rng.randrange(-reach, reach + 1))
                if rng.random() < 0.4 and known[side]:
                    price = rng.choice(known[side])
                known[side].append(price)
                levels.append((price, rng.choice([0, 1, 2, 7])))
            if rng.random() < 0.03:
                levels += [(price, 0) for price in known[side]]
                known[side].clear()
            sides.append(levels)
        both.take(update, depth(update, *sides))
    assert both.nodes[0].sync.whole
    assert both.nodes[0].odd == 0


def test_a_frame_longer_than_any_before_finds_room():
    both = Both(instrument(tick="1", lot="1"))
    both.take(1, b'{"lastUpdateId":10,"E":1,"T":1,"bids":[["5","1"]],"asks":[["9","2"]]}')
    both.take(2, depth(11, [(10**9 + k, 3) for k in range(9_000)], [(2 * 10**9 + k, 4) for k in range(9_000)]))
    (tick,) = both.take(3, depth(12, [(10**9 + k, 0) for k in range(100, 9_000)], []))
    assert tick.bids[0] == (10**9 + 99, 3)


def test_an_applied_frame_shares_the_levels_that_did_not_change():
    both = Both(instrument(tick="1", lot="1"))
    bids = ",".join(f'["{100 - k}","5"]' for k in range(30))
    both.take(1, b'{"lastUpdateId":10,"E":1,"T":1,"bids":[%s],"asks":[["200","2"]]}' % bids.encode())
    both.take(2, depth(11, [(60, 5)], []))
    before = both.nodes[0].book.bids
    (tick,) = both.take(3, depth(12, [(95, 0)], []))
    assert tick.bids[:5] == before[:5]
    assert all(new is old for new, old in zip(tick.bids[5:19], before[6:], strict=True))


def test_a_lost_stream_is_stale_at_once_and_asks_anew():
    both = Both(instrument(tick="1", lot="1"))
    both.take(1, b'{"lastUpdateId":10,"E":1,"T":1,"bids":[["5","1"]],"asks":[["9","2"]]}')
    both.take(2, depth(11, [(6, 1)], []))
    (stale,) = both.take(3, Command(verb="lost", now=3))
    assert isinstance(stale, Tick)
    assert stale.stale
    assert both.take(4, Command(verb="connected", now=4)) == []
    (asked,) = both.take(5, depth(12, [(6, 2)], []))
    assert (asked.verb, asked.now) == ("snapshot", 5)


def test_the_compiled_call_allocates_nothing():
    from numba.core.runtime import _nrt_python, rtsys

    both = Both(instrument())
    venue = Venue(start=START).run(60, snapshot_at=5)
    _nrt_python.memsys_enable_stats()
    try:
        before = rtsys.get_allocation_stats()
        for line in venue.lines:
            both.nodes[0].on_frame(START, START, line.partition(b" ")[2])
        after = rtsys.get_allocation_stats()
    finally:
        _nrt_python.memsys_disable_stats()
    assert after == before
    assert both.nodes[0].sync.settled
