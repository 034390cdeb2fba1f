"""Binance's words: the byte parser and msgspec say the same, and odd lines are damage, aside or data, never a crash."""

import gzip
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialect.binance import words as binance
from core.kernel import frames as f
from tests.captures import Venue

TRADE = (
    b'{"stream":"btcusdt@trade","data":'
    b'{"e":"trade","E":2,"T":1,"s":"BTCUSDT","t":7,"p":"1.50","q":"0.020","X":"MARKET","m":true}}'
)


def scan(text: bytes) -> tuple[list[list[int]], list[list[tuple[int, ...]]], list[bytes], list[str]]:
    """Rows, each row's levels, the odd lines, and the symbols."""
    buffer = np.zeros(len(text) + 64, np.uint8)
    buffer[: len(text)] = np.frombuffer(text, np.uint8)
    lines, room = text.count(b"\n"), len(text) // f.LEVEL_BYTES_MIN + 1
    rows, odd = np.zeros((lines, f.FRAME_COLUMNS), np.int64), np.zeros((lines, 3), np.int64)
    levels = [np.zeros(room, dtype) for dtype in (np.int64, np.uint8, np.int64, np.uint8)]
    symbols = np.zeros((f.SYMBOLS_MAX, f.SYMBOL_BYTES + 1), np.uint8)
    count, _, odd_count, known, total = f.scan(buffer, len(text), (rows, *levels, odd, symbols), 0)
    assert total == lines
    found = []
    for row in rows[:count]:
        at, size = (row[f.LEVEL], row[f.BIDS] + row[f.ASKS]) if row[f.KIND] in (f.DEPTH, f.SNAPSHOT) else (0, 0)
        found.append(list(zip(*(column[at : at + size].tolist() for column in levels), strict=True)))
    names = [bytes(symbols[i, 1 : symbols[i, 0] + 1]).decode() for i in range(known)]
    return rows[:count].tolist(), found, [bytes(buffer[a:b]) for _, a, b in odd[:odd_count]], names


def assert_same(text: bytes) -> int:
    """Every line that the byte parser took is what msgspec makes of it; says how many it took."""
    rows, levels, _, names = scan(text)
    lines = text.split(b"\n")
    for row, mine in zip(rows, levels, strict=True):
        parsed = binance.parse(lines[row[f.LINE]])
        assert isinstance(parsed, binance.Parsed)
        assert not parsed.aside
        depth = row[f.KIND] in (f.DEPTH, f.SNAPSHOT)
        row[f.LINE], number = 0, row[f.SYMBOL]
        row[f.SYMBOL] = -1
        if depth:
            row[f.LEVEL] = 0
        assert row == parsed.columns
        assert mine == parsed.bids + parsed.asks
        assert parsed.symbol == (names[number] if number >= 0 else "")
    return len(rows)


@pytest.mark.parametrize("kind", ["usdm", "spot"])
def test_the_byte_parser_takes_every_frame_of_a_generated_capture_and_agrees_with_msgspec(kind):
    venue = Venue(kind)
    venue.run(200, snapshot_at=10)
    if venue.usdm:
        venue.mark(venue.now + 10**12, "-0.00001234")
    assert assert_same(b"\n".join(venue.lines) + b"\n") == len(venue.lines)


@pytest.mark.parametrize(
    "name", ["usdm/btcusdt_20230404.dat.gz", "usdm/btcusdt_20240718.gz", "usdm/ethusdt_20240718.gz", "spot/ethusdt_20240808.gz"]
)
def test_the_byte_parser_agrees_with_msgspec_on_real_captures(captures, name):
    text = b"".join(gzip.decompress((captures / "hftbacktest" / name).read_bytes()).splitlines(keepends=True)[:3000])
    taken = assert_same(text)
    assert taken >= text.count(b"\n") - 1  # the 2023 snapshot is written with spaces


@given(st.integers(0, 10**12), st.integers(0, 8), st.integers(0, 4))
def test_a_decimal_is_its_digits_and_decimals_whichever_way_it_is_read(value, decimals, zeros):
    text = f"{value / Decimal(10) ** decimals:.{decimals}f}" + ("0" * zeros if decimals else "")
    digits, places = binance.number(text)
    assert digits / Decimal(10) ** places == Decimal(text)
    assert assert_same(b"1 " + TRADE.replace(b'"1.50"', f'"{text}"'.encode()) + b"\n") == 1


@given(st.data())
def test_a_line_with_a_byte_changed_is_never_read_two_ways(data):
    line = bytearray(b"1721347021080832061 " + TRADE)
    at = data.draw(st.integers(0, len(line) - 1))
    line[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != 10))
    assert_same(bytes(line) + b"\n")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"x {}",
        b"1 ",
        b"1 {",
        b'1 {"stream":"btcusdt@trade","data":{"e":"trade"}}',
        b"1 " + TRADE.replace(b'"1.50"', b'"1e5"'),
        b"1 " + TRADE.replace(b'"1.50"', b'"-1"'),
        b"1 " + TRADE.replace(b'"1.50"', b"1.50"),
        b"1 " + TRADE.replace(b'"1.50"', b'"."'),
        b"1 " + TRADE[:-3],
        b"1 " + TRADE.replace(b"BTCUSDT", b"BTC\xffUSDT"),
        b"1 " + b"[" * 3000,
    ],
)
def test_a_damaged_line_is_named_as_damage_by_both_readers(line):
    rows, _, odd, _ = scan(line + b"\n")
    assert not rows
    assert odd == ([line] if line else [])
    with pytest.raises(binance.WrongShape):
        binance.parse(line)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'1 {"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1,"o":"1"}}}', "stream kline"),
        (b'1 {"stream":"btcusdt@depth20@100ms","data":{"lastUpdateId":1,"bids":[],"asks":[]}}', "stream depth20"),
        (b'1 {"stream":"btcusdt@forceOrder","data":{"e":"forceOrder","o":{"s":"BTCUSDT"}}}', "stream forceOrder"),
        (b'1 {"result":null,"id":3}', "reply to a subscription"),
        (b'1 {"e":"24hrTicker","E":1,"s":"BTCUSDT","p":"1"}', "stream 24hrTicker"),
    ],
)
def test_streams_that_are_not_kept_are_counted_by_their_name(line, reason):
    assert binance.parse(line) == binance.Aside(reason)
    assert scan(line + b"\n")[2] == [line]


def test_raw_frames_and_odd_spellings_mean_the_same_as_combined_ones():
    inner = TRADE[len(b'{"stream":"btcusdt@trade","data":') : -1]
    spaced = TRADE.replace(b":", b": ").replace(b",", b", ")
    combined, raw, loose = (binance.parse(b"1 " + text) for text in (TRADE, inner, spaced))
    assert combined == raw == loose
    assert assert_same(b"1 " + inner + b"\n") == 1
    assert scan(b"1 " + spaced + b"\n")[2] == [b"1 " + spaced]


def test_a_mark_price_frame_has_no_transaction_time_but_a_next_funding_time():
    line = b'1 {"e":"markPriceUpdate","E":5000,"s":"X","p":"1.5","P":"1","i":"2","r":"-0.0001","T":9000}'
    columns = binance.parse(line).columns
    assert columns[f.T] == 0
    assert (columns[f.MARK_E8], columns[f.INDEX_E8], columns[f.RATE_E8]) == (150_000_000, 200_000_000, -10_000)
    assert assert_same(line + b"\n") == 1


def test_a_print_that_is_no_market_trade_is_set_aside_with_its_reason():
    parsed = binance.parse(b"1 " + TRADE.replace(b"MARKET", b"INSURANCE_FUND"))
    assert parsed.aside == "X=INSURANCE_FUND"


@pytest.mark.parametrize(
    ("stamp", "ns"),
    [
        (1_680_652_700, 1_680_652_700 * 10**9),
        (1_680_652_700_423, 1_680_652_700_423 * 10**6),
        (1_680_652_700_423_575, 1_680_652_700_423_575_000),
        (1_721_347_020_984_480_942, 1_721_347_020_984_480_942),
    ],
)
def test_stamps_are_told_apart_by_their_value(stamp, ns):
    assert f.to_ns(stamp) == ns
    assert scan(b"%d " % stamp + TRADE + b"\n")[0][0][f.LOCAL] == ns


def test_documented_examples_of_other_recorders_parse_or_say_why(captures: Path):
    examples = sorted((captures / "nautilus").glob("binance_futures_*_json/*.json"))
    if not examples:
        pytest.skip("no example frames")
    for path in examples:
        try:
            binance.parse_frame(0, path.read_bytes())
        except binance.WrongShape as error:
            assert str(error)  # noqa: PT017
