"""Generated days: the same from the same seed, exactly as large as asked for, a sound book, a market of about the right pace."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.errors import Exit, UserError
from actors.history.prepared import Columns
from actors.history.synth import generated_day, instrument, synthesize
from actors.history.tickdb import TickDb
from bench.synth_match import measures
from core.instrument import Key
from core.kernel.chance import exp, log
from core.kernel.layout import ASK, BID, BUY, SELL
from core.kernel.replay import Latency, Queue, Replay
from core.kernel.synth import FRAME, HOSTILE, NUMBERS, TRADE, Generated, Numbers, generate, pace

KEY = Key("binance_usdm", "BTCUSDT")
SECOND = 10**9
PRICE = 600_000


def make(rows: int = 50_000, seed: int = 1, numbers: Numbers = NUMBERS) -> Generated:
    return generate(rows, seed, 0, PRICE, numbers)


def contents(root: Path) -> dict[str, str]:
    """Every file of a store with a hash of its bytes, the files' own times and scratch left out."""
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*.h5")}


def test_the_same_seed_is_the_same_day_and_another_seed_another() -> None:
    first, again, other = make(), make(), make(seed=2)
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not np.array_equal(first.tick, other.tick)
    assert not np.array_equal(first.lots, other.lots)


@given(st.integers(10_000, 30_000), st.integers(0, 2**40 - 1), st.sampled_from([NUMBERS, HOSTILE]))
@settings(deadline=None, max_examples=25)
def test_a_day_has_exactly_the_rows_asked_for_and_time_runs_forward(rows: int, seed: int, numbers: Numbers) -> None:
    day = generate(rows, seed, 5 * SECOND, PRICE, numbers)
    assert len(day.kind) == len(day.tick) == len(day.lots) == rows
    assert day.rows.sum() == rows
    assert (np.diff(day.exch_ns) >= 0).all()
    for event in (FRAME, TRADE):  # a connection delivers each stream in its order
        assert (np.diff(day.local_ns[day.event == event]) >= 0).all()
    assert (day.local_ns >= day.exch_ns).all()
    assert (day.exch_ns >= 5 * SECOND).all()
    assert (day.lots >= 0).all()
    assert (day.lots[day.kind >= BUY] > 0).all()
    assert (day.tick > 0).all()


@pytest.mark.parametrize("price", [1_000, 5_000, 340_000, 3_000_000])
def test_a_market_of_any_price_stays_above_nothing(price: int) -> None:
    day = generate(20_000, 1, 0, price)
    assert (day.tick > 0).all()
    assert (day.best[day.event == FRAME, 0] < day.best[day.event == FRAME, 2]).all()
    assert abs(np.median(day.best[day.event == FRAME, 0]) / price - 1) < 0.05


def test_a_level_is_told_once_a_frame() -> None:
    day = make(30_000)
    frame = np.repeat(np.arange(len(day.event)), day.rows)
    level = day.kind <= ASK
    told = np.stack([frame[level], day.kind[level], day.tick[level]], axis=1)
    assert len(np.unique(told, axis=0)) == len(told)


def test_the_numbers_are_the_same_on_every_machine() -> None:
    """A hash that was written down. Where it differs, a machine's arithmetic does, or the store's `LAYOUT` is to be raised."""
    day = make(20_000, seed=7)
    assert hashlib.sha256(b"".join(column.tobytes() for column in day)).hexdigest()[:16] == "176e462d6cccbc5d"


@given(st.floats(-39, 39))
def test_logarithm_and_exponential_are_those_of_the_library(x: float) -> None:
    assert exp(x) == pytest.approx(math.exp(x), rel=1e-12)
    assert log(math.exp(x)) == pytest.approx(x, rel=1e-11, abs=1e-11)


def walk(day: Generated) -> tuple[dict[int, dict[int, int]], list[tuple[int, int]]]:
    """The book rebuilt row by row in the plainest way, and its best prices after each frame, checked against the day's own."""
    book = {BID: dict(day.opening_bids.tolist()), ASK: dict(day.opening_asks.tolist())}
    best, row = [], 0
    for number, event in enumerate(day.event):
        count = int(day.bids[number] + day.asks[number]) if event == FRAME else 1
        for k in range(row, row + count):
            kind, tick, lots = int(day.kind[k]), int(day.tick[k]), int(day.lots[k])
            if kind in book and lots:
                book[kind][tick] = lots
            elif kind in book:
                book[kind].pop(tick, None)
        row += count
        if event == FRAME:
            bid, ask = max(book[BID]), min(book[ASK])
            assert [bid, book[BID][bid], ask, book[ASK][ask]] == day.best[number].tolist()
            best.append((bid, ask))
    return book, best


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_book_is_never_crossed_and_never_empty_after_a_frame(seed: int) -> None:
    _, best = walk(make(30_000, seed))
    assert all(bid < ask for bid, ask in best)


def test_the_spread_is_mostly_one_tick_and_the_price_mostly_stands() -> None:
    _, best = walk(make(40_000))
    bids, asks = np.array(best).T
    assert 0.95 < (asks - bids == 1).mean() < 1.0
    assert 0.93 < (np.diff(bids) == 0).mean() < 0.99


def test_a_day_has_the_captures_statistics() -> None:
    """The bands are around what `python -m bench.synth_match` finds in the captures; some are wider than those differ."""
    found = measures(*generated_day(events=600_000, seed=3))
    bands = {
        "between frames, median, ms": (48, 56),
        "between bursts, mean, ms": (80, 130),
        "between bursts, coefficient of variation": (1.1, 1.6),
        "bursts a second, variance over mean": (2, 20),
        "trades a burst, mean": (2.0, 4.1),
        "bursts of one trade, share": (0.6, 0.8),
        "trade, median, lots": (7, 16),
        "trade, 99 %, lots": (900, 2_000),
        "sides of bursts, autocorrelation at 1": (0.15, 0.3),
        "sides of bursts, autocorrelation at 10": (0.06, 0.2),
        "bursts at several prices, share": (0.04, 0.14),
        "reach beyond the mid, 95 %, ticks": (8, 50),
        "volatility over 1 s, ticks a root second": (7, 83),
        "volatility over 10 s, ticks a root second": (8, 73),
        "touch, median, lots": (2_400, 20_000),
        "lots a tick, 101 to 1000 behind the touch": (200, 1_500),
        "levels held, 101 to 1000 behind": (0.6, 0.95),
        "depth rows that remove, share": (0.06, 0.22),
        "depth latency over the least, median, ms": (2, 17),
    }
    outside = {name: found[name] for name, (low, high) in bands.items() if not low <= found[name] <= high}
    assert not outside


def test_trades_come_in_bursts_about_a_tenth_of_a_second_apart_whatever_the_pace() -> None:
    for rate in (pace(400_000), 600.0):
        day = generate(400_000, 1, 0, PRICE, rate=rate)
        gaps = np.diff(np.unique(day.exch_ns[day.event == TRADE])) / SECOND
        assert 0.08 < gaps.mean() < 0.13
        assert len(day.kind) / (day.exch_ns[-1] / SECOND) == pytest.approx(rate, rel=0.01)


def test_trades_print_at_prices_that_the_book_had() -> None:
    """A burst stands before the frame that shows what it did, and takes what the last frame showed."""
    day = make(30_000)
    _, best = walk(day)
    frames = np.cumsum(day.event == FRAME) - 1
    rows = np.cumsum(np.where(day.event == FRAME, day.bids + day.asks, 1)) - 1
    for number in np.flatnonzero((day.event == TRADE) & (frames >= 0)):
        bid, ask = best[frames[number]]
        tick, kind = int(day.tick[rows[number]]), day.kind[rows[number]]
        assert tick >= ask if kind == BUY else tick <= bid


def test_feed_latency_is_above_a_millisecond_or_so_and_varies() -> None:
    day = make(200_000)
    latency = (day.local_ns - day.exch_ns) / 1e6
    assert latency.min() > 0.5
    assert 0.8 < np.median(latency) < 5
    assert latency.std() > 0.1


def test_a_larger_day_is_longer_and_not_denser_until_it_is_full() -> None:
    small, large = make(20_000), make(200_000)
    assert large.exch_ns[-1] / small.exch_ns[-1] == pytest.approx(10, rel=0.05)
    assert pace(1_000_000) == 120
    assert 500 < pace(50_000_000) < 600
    assert 86_400 - 100 < 50_000_000 / pace(50_000_000) < 86_400 - 30


def test_too_small_a_day_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 10,000"):
        make(9_999)


@pytest.mark.parametrize("hostile", [False, True])
def test_a_day_replays_from_end_to_end(hostile: bool) -> None:
    exch, local, bids, asks = generated_day(events=50_000, hostile=hostile)
    replay = Replay(exch, local, bids, asks, 0.001, Queue("power", 3.0), Latency(10**6, 10**6))
    trades = 0
    while not replay.exhausted:
        replay.advance(replay.now + 5 * SECOND)
        trades += replay.take_trades().trade_count
        bid, bid_lots, ask, ask_lots = replay.best()
        assert bid < ask or not (bid_lots and ask_lots)
    assert replay.rows_local == 50_000
    assert trades == ((local.kind == BUY) | (local.kind == SELL)).sum()


def test_a_price_too_low_is_refused() -> None:
    with pytest.raises(ValueError, match="1,000 to"):
        generate(10_000, 1, 0, 999)


def test_a_hostile_day_has_what_a_kind_one_has_not() -> None:
    kind, hostile = (nasties(*generated_day(events=60_000, hostile=hostile)) for hostile in (False, True))
    assert not any(kind[name] for name in ("crossed", "empty", "nowhere", "at the limit", "unlate"))
    assert kind["wide"] < 0.05 * kind["frames"]
    assert hostile["wide"] > 0.2 * hostile["frames"]
    assert hostile["through"] > 2 * kind["through"]
    assert all(hostile.values()), hostile


def nasties(exch: Columns, local: Columns, bids: np.ndarray, asks: np.ndarray) -> Counter[str]:
    """What a book meets that takes each row as it comes, counted by instants of the exchange's clock."""
    book = {BID: dict(bids.tolist()), ASK: dict(asks.tolist())}
    times, kinds, ticks, lots = (column.tolist() for column in exch)
    trade = np.isin(exch.kind, (BUY, SELL))
    seen = Counter({"at the limit": int((exch.lots == 2**31 - 1).sum()), "unlate": int(np.isin(local.ns, exch.ns).sum() > 1_000)})
    seen["as depth"] = len(np.intersect1d(exch.ns[trade], exch.ns[~trade]))
    for name in ("crossed", "empty", "nowhere", "wide", "through"):
        seen[name] = 0
    prices: set[int] = set()
    for k, kind in enumerate(kinds):
        if kind in book:
            book[kind][ticks[k]] = lots[k]
            if not lots[k]:
                del book[kind][ticks[k]]
        else:
            prices.add(ticks[k])
            seen["nowhere"] += ticks[k] not in book[ASK if kind == BUY else BID]
        if k + 1 < len(kinds) and times[k + 1] == times[k]:
            continue
        seen["frames"] += kind in book
        seen["through"] += len(prices) > 12
        prices = set()
        if kind in book and book[BID] and book[ASK]:
            spread = min(book[ASK]) - max(book[BID])
            seen["crossed"] += spread <= 0
            seen["wide"] += spread > 1
        seen["empty"] += not book[BID] or not book[ASK]
    return seen


# --- in the store


def test_the_same_command_again_changes_nothing_and_the_same_seed_elsewhere_gives_the_same_day(tmp_path: Path) -> None:
    first = synthesize(tmp_path / "a", days=2, events=10_000, seed=5)
    stored = contents(tmp_path / "a")
    assert [new for _, new in first] == [True, True]
    assert [new for _, new in synthesize(tmp_path / "a", days=2, events=10_000, seed=5)] == [False, False]
    assert contents(tmp_path / "a") == stored
    assert len(stored) == 2
    synthesize(tmp_path / "b", days=1, events=10_000, seed=5, start="2024-01-02")
    one, two = (TickDb(tmp_path / name).prepared(KEY, "2024-01-02") for name in ("a", "b"))
    assert all(np.array_equal(x, y) for x, y in zip(one.exch, two.exch, strict=True))
    assert all(np.array_equal(x, y) for x, y in zip(one.local, two.local, strict=True))


def test_what_is_stored_is_what_was_generated(tmp_path: Path) -> None:
    synthesize(tmp_path, days=1, events=10_000, seed=5)
    exch, local, bids, asks = generated_day(events=10_000, seed=5)
    day = TickDb(tmp_path).prepared(KEY, "2024-01-01")
    opening = len(bids) + len(asks) + 1
    assert len(day.exch.ns) in (10_000, 10_000 + opening)
    skip = len(day.exch.ns) - 10_000
    assert np.array_equal(day.exch.ns[skip:], exch.ns)
    assert np.array_equal(day.exch.tick[skip:], exch.tick)
    assert np.array_equal(day.exch.lots[skip:], exch.lots)
    assert np.array_equal(day.local.kind[skip:], local.kind)
    assert day.quality == "book"


def test_a_stored_day_of_another_origin_is_never_replaced(tmp_path: Path) -> None:
    synthesize(tmp_path, days=1, events=10_000, seed=5)
    stored = contents(tmp_path)
    for other in ({"seed": 6}, {"events": 10_001}, {"hostile": True}, {"price": "50000"}, {"days": 2, "seed": 6}):
        with pytest.raises(UserError, match="stored already"):
            synthesize(tmp_path, **{"days": 1, "events": 10_000, "seed": 5, **other})  # type: ignore[arg-type]
    assert contents(tmp_path) == stored


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"events": 9_999}, "10,000"),
        ({"days": 0}, "at least one day"),
        ({"symbol": "DOGEUSDT"}, "DOGEUSDT has no preset"),
        ({"start": "01.01.2024"}, "is not a day"),
        ({"start": "9999-12-31"}, "no calendar"),
        ({"price": "dear"}, "--price dear: not a positive number"),
        ({"price": "1"}, "opens at 1,000 to"),
        ({"price": "1e12"}, "opens at 1,000 to"),
        ({"tick": "0"}, "--tick 0: not a positive number"),
        ({"symbol": "../../BTC", "tick": "0.1", "lot": "0.001"}, "cannot be the name"),
    ],
)
def test_what_cannot_be_generated_is_said_in_one_line(tmp_path: Path, wrong: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        synthesize(tmp_path, **{"days": 1, "events": 10_000, **wrong})  # type: ignore[arg-type]
    assert caught.value.exit_code == Exit.CONFIGURATION
    assert not contents(tmp_path)


def test_another_symbol_needs_its_sizes(tmp_path: Path) -> None:
    synthesize(tmp_path, "dogeusdt", days=1, events=10_000, tick="0.00001", lot="1", price="2")
    day = TickDb(tmp_path).prepared(Key("binance_usdm", "DOGEUSDT"), "2024-01-01")
    assert (day.instrument.tick_size, day.instrument.lot_size) == ("0.00001", "1")
    assert instrument("DOGEUSDT", "0.00001", "1").base == "DOGE"
