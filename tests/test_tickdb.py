"""The store's faces: names and days, prepared days, the past as DataFrames, bars from CSV, and plain words for what is wrong."""

import multiprocessing
import shutil
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from actors.errors import Exit, UserError
from actors.history.barcsv import column_map, read_bars
from actors.history.dailydb import DailyDb, import_bars
from actors.history.historical import HistoricalTickDb
from actors.history.importer import Importer
from actors.history.tickdb import TickDb
from actors.history.writing import write_day
from core.bars import bars, period_ns
from core.book import Book
from core.instrument import Instrument, Key
from core.kernel.layout import ASK, BID, BUY, CLEAR, SELL
from tests.captures import MS, PlainReader, Venue, plain_bars

MIDNIGHT = 1_721_347_200_000 * MS
KEY = Key("binance_usdm", "BTCUSDT")


@pytest.fixture(scope="module")
def market(tmp_path_factory) -> tuple[Venue, Path, Path]:
    """A venue, its capture of a stretch around midnight, and the store with it."""
    folder = tmp_path_factory.mktemp("market")
    venue = Venue(start=MIDNIGHT - 4_000 * MS).run(600, snapshot_at=9)
    path = venue.save(folder / "c.gz")
    Importer(folder / "store").run(path)
    return venue, path, folder / "store"


def replayed(rows, bids, asks) -> Book:
    book = Book(bids.tolist(), asks.tolist())
    for kind, tick, lots in zip(rows.kind.tolist(), rows.tick.tolist(), rows.lots.tolist(), strict=True):
        if kind == CLEAR:
            book.clear()
        elif kind in (BID, ASK):
            book.apply(*([[(tick, lots)], []] if kind == BID else [[], [(tick, lots)]]))
    return book


def test_both_streams_of_a_prepared_day_end_with_the_venues_book_and_hold_its_trades(market):
    venue, _, store = market
    day = TickDb(store).prepared(KEY, "2024-07-19")
    assert (day.quality, day.start_ns, day.end_ns) == ("book", MIDNIGHT, MIDNIGHT + 86_400_000 * MS)
    assert len(day.bids)
    assert len(day.asks)
    for stream in (day.exch, day.local):
        book = replayed(stream, day.bids, day.asks)
        assert book.bids == venue.bids
        assert book.asks == venue.asks
        assert (np.diff(stream.ns) >= 0).all()
        traded = (stream.kind == BUY) | (stream.kind == SELL)
        mine = [(p / venue.tick, q / venue.lot) for ns, p, q in venue.trades if ns >= MIDNIGHT]
        assert sorted(zip(stream.tick[traded].tolist(), stream.lots[traded].tolist(), strict=True)) == sorted(mine)


def test_the_smallest_feed_latency_of_a_file_is_the_stated_base(market):
    _, _, store = market
    base = 250_000
    latencies = []
    for day in TickDb(store).days(KEY):
        made = TickDb(store).prepared(KEY, day, base)
        traded = [stream.ns[(stream.kind == BUY) | (stream.kind == SELL)] for stream in (made.exch, made.local)]
        plain = TickDb(store).prepared(KEY, day)
        assert (made.local.ns - plain.local.ns == base).all()
        assert made.digest != plain.digest
        latencies.append(int((np.sort(traded[1]) - np.sort(traded[0])).min()))
    assert base <= min(latencies) < base + 2 * MS


def test_a_prepared_day_is_mapped_kept_and_made_again_when_its_day_changes(market, tmp_path):
    venue, path, _ = market
    lines = venue.lines
    half = venue.save(tmp_path / "half.gz", lines[: len(lines) * 3 // 4])
    store = tmp_path / "store"
    Importer(store).run(half)
    first = TickDb(store).prepared(KEY, "2024-07-19")
    stamp = (first.folder / "words.json").stat().st_mtime_ns
    again = TickDb(store).prepared(KEY, "2024-07-19")
    assert isinstance(again.exch.ns, np.memmap)
    assert (again.folder / "words.json").stat().st_mtime_ns == stamp
    Importer(store).run(path)
    later = TickDb(store).prepared(KEY, "2024-07-19")
    assert later.folder != first.folder
    assert not first.folder.exists()
    assert len(later.exch.ns) > len(first.exch.ns)


def test_two_processes_that_prepare_at_once_both_end_with_a_whole_day(market, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(market[2], store, ignore=shutil.ignore_patterns("*.prepared"))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        seen = pool.starmap(prepared_rows, [(store, "2024-07-19")] * 4)
    assert len(set(seen)) == 1
    assert not list(store.rglob(".*.prepared*"))


def prepared_rows(store: Path, day: str) -> tuple[int, int]:
    made = TickDb(store).prepared(KEY, day)
    return len(made.exch.ns), int(made.local.ns.sum() % 10**9)


def test_names_resolve_while_they_are_unique_and_errors_name_the_nearest(tmp_path):
    for kind in ("usdm", "spot"):
        Importer(tmp_path).run(Venue(kind, start=MIDNIGHT).run(20, snapshot_at=3).save(tmp_path / f"{kind}.gz"))
    db = TickDb(tmp_path)
    assert db.resolve("binance_spot:btcusdt") == Key("binance_spot", "BTCUSDT")
    with pytest.raises(UserError, match="binance_spot:BTCUSDT or binance_usdm:BTCUSDT") as caught:
        db.resolve("BTCUSDT")
    assert caught.value.exit_code == Exit.CONFIGURATION
    with pytest.raises(UserError, match="did you mean 'BTCUSDT'") as caught:
        db.resolve("BTCUSD")
    assert caught.value.exit_code == Exit.NOT_FOUND
    with pytest.raises(UserError, match=r"has no day 2024-07-20 .* 2024-07-19"):
        db.prepared(KEY, "2024-07-20")
    with pytest.raises(UserError, match="is not a day"):
        db.prepared(KEY, "20240732")
    with pytest.raises(UserError, match="holds no days"):
        TickDb(tmp_path / "nowhere").resolve("BTCUSDT")


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "flipped"])
def test_a_damaged_day_file_is_one_clear_line(market, tmp_path, damage):
    store = tmp_path / "store"
    shutil.copytree(market[2], store)
    path = store / "binance_usdm" / "BTCUSDT" / "2024-07-19.h5"
    raw = bytearray(path.read_bytes())
    if damage == "flipped":
        for at in range(len(raw) // 4, 3 * len(raw) // 4, 97):
            raw[at] ^= 255
    path.write_bytes({"truncated": raw[: len(raw) // 2], "empty": b"", "text": b"hello\n" * 99}.get(damage, raw))
    shutil.rmtree(path.with_suffix(".prepared"), ignore_errors=True)
    with pytest.raises(UserError, match=r"2024-07-19\.h5: damaged") as caught:
        TickDb(store).prepared(KEY, "2024-07-19")
    assert "\n" not in str(caught.value)


def test_the_past_shows_nothing_later_than_the_set_time(market):
    _, path, store = market
    past = HistoricalTickDb(store, "BTCUSDT")
    past.set_date("2024-07-19")
    everything = past.trades()
    past.set_time("00:00:02.5")
    assert past.now == MIDNIGHT + 2_500 * MS
    trades = past.trades()
    assert 0 < len(trades) < len(everything)
    assert trades.index.max().value <= past.now
    assert str(trades.index.dtype) == "datetime64[ns, UTC]"
    for frame in (past.bbo(), past.depth()):
        assert frame.index.max().value <= past.now
    plain = PlainReader(path)
    book, truth = past.book(5), plain.book(at_ms=past.now // MS)
    assert [Decimal(str(price)) for price in book["bid"]] == [price for price, _ in truth["bids"][:5]]
    assert [Decimal(str(qty)) for qty in book["ask_qty"]] == [qty for _, qty in truth["asks"][:5]]
    mine = plain_bars([trade for trade in plain.trades if MIDNIGHT <= trade[0] <= past.now], 1_000 * MS)
    made = past.bars("1s")
    assert made["close"].tolist() == [float(row["close"]) for row in mine]
    assert made["quote_volume"].tolist() == pytest.approx([float(row["quote_volume"]) for row in mine])
    past.set_time("2024-07-18T23:59:59")
    assert past.trades().index.max().value < MIDNIGHT
    with pytest.raises(UserError, match="has no day 2024-08-01"):
        past.set_date("2024-08-01")
    with pytest.raises(UserError, match="not a time"):
        past.set_time("noon")


def test_bars_are_exact_where_doubles_would_not_be():
    ns = np.array([0, 10, 59, 60, 60], np.int64)
    made = bars(ns, np.array([3, 1, 2, 9, 9]), np.array([2**40, 2**40, 1, 5, 2**52]), 60)
    assert (made.open.tolist(), made.high.tolist(), made.low.tolist(), made.close.tolist()) == ([3, 9], [3, 9], [1, 9], [2, 9])
    assert made.notional == [4 * 2**40 + 2, 9 * 5 + 9 * 2**52]
    assert made.trades.tolist() == [3, 2]
    assert [period_ns(text) for text in ("1min", "5m", "1H", "1d", "250ms")] == [
        60 * 10**9,
        300 * 10**9,
        3600 * 10**9,
        86400 * 10**9,
        25 * 10**7,
    ]
    for wrong in ("", "min5", "0s", "1week"):
        with pytest.raises(ValueError, match="not a bar length"):
            period_ns(wrong)


def test_generated_days_are_stored_through_the_same_door(tmp_path):
    n = 50
    times = MIDNIGHT + np.arange(n, dtype=np.int64) * MS
    instrument = Instrument(Key("synthetic", "XUSDT"), "0.1", "0.001", base="X")
    ids = np.arange(1, n + 1, dtype=np.int64)
    depth = {"exch_ns": times, "local_ns": times + 5, "line": ids, "snapshot": (ids == 1).astype(np.uint8), "first_id": ids}
    depth |= {"last_id": ids, "prev_id": ids - 1, "bids": np.ones(n, np.int32), "asks": np.ones(n, np.int32)}
    levels = {"tick": np.tile([100, 102], n), "lots": np.arange(1, 2 * n + 1)}
    day = write_day(tmp_path, instrument, "2024-07-19", [{"depth": depth, "levels": levels}], "seed 1", "abc")
    assert day.quality == "book"
    made = TickDb(tmp_path).prepared(instrument.key, "2024-07-19")
    assert made.instrument.tick_size == "0.1"
    assert (made.local.ns - made.exch.ns == 5).all()
    assert len(made.exch.ns) == 2 * n + 1


DIRTY = (
    '\ufeff2018-01-02,"6,511","6,600","6,473","6,480","2,232"\n2018-01-03,6500,6400,6450,6480,10\n'
    "2018-01-04,6500,6500,6500,6500,0\n2018-01-05,x,1,1,1,1\n,,,,,\n2018-01-02,1,2,1,2,3\n,,,,,\n"
)


def test_dirt_in_bars_is_counted_and_named_and_only_what_cannot_be_read_is_left_out(tmp_path):
    path = tmp_path / "005930.csv"
    path.write_text(DIRTY)
    report = import_bars(tmp_path / "store", path)
    assert report.dirt == {
        "byte order mark": 1,
        "rows with thousands separators": 1,
        "open, high, low and close contradict": 1,
        "no volume": 1,
        "unreadable row": 1,
        "empty row": 2,
        "out of order": 1,
        "time given twice": 1,
    }
    assert report.named["unreadable row"][0].startswith(f"{path}:4: ")
    assert (report.bars, report.freq, report.instrument) == (3, "1d", "csv:005930")
    frame = DailyDb(tmp_path / "store").bars("005930")
    assert frame["close"].tolist() == [2.0, 6480.0, 6500.0]
    assert import_bars(tmp_path / "store", path).unchanged


def test_daily_bars_are_seen_once_they_have_closed(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("Date,Open,High,Low,Close,Volume,pbr\n20240101,1.5,2,1,1.5,10,0.4\n20240102,1.5,2,1,1.75,10,\n")
    import_bars(tmp_path / "store", path, "nyse", "KO", column_map("pbr=pbr"))
    db = DailyDb(tmp_path / "store")
    assert db.instruments() == [Key("nyse", "KO")]
    assert db.bars("KO")["close"].tolist() == [1.5, 1.75]
    db.set_date("2024-01-01")
    assert db.bars("nyse:KO")["pbr"].tolist() == [0.4]
    db.set_time("2024-01-01T12:00:00")
    assert not len(db.bars("KO"))
    with pytest.raises(UserError, match="no 1d bars"):
        db.bars("PEP")
    with pytest.raises(UserError, match="no column 'Price'"):
        read_bars(path, {"close": "Price"})


def test_korean_files_of_both_versions_come_in_with_their_dirt_named(captures, tmp_path):
    folder = captures / "krx_rltrader"
    kospi = import_bars(tmp_path, folder / "v1" / "kospi.csv", "krx")
    assert kospi.delimiter == "\t"
    assert kospi.dirt["empty row"] + kospi.bars + kospi.dirt.get("unreadable row", 0) == 2304
    for path in sorted(folder.glob("v[12]/*.csv.gz")):
        report = import_bars(tmp_path / path.parent.name, path, "krx", path.name.split(".")[0].upper())
        assert report.bars > 900
        assert report.freq == "1d"
        assert report.dirt.get("byte order mark", 0) == (path.parent.name == "v1")
    assert (
        import_bars(tmp_path, captures / "nautilus" / "misc" / "btc-perp-20211231-20220201_1m.csv.gz", "x", "BTC").bars == 45_031
    )


def test_a_second_file_of_bars_adds_to_the_first_and_says_where_it_differs(tmp_path):
    for name, lines in (
        ("A", ["2024-01-01,1.5,2,1,1.5,10", "2024-01-02,2,2,2,2,5"]),
        ("B", ["2024-01-02,2,3,2,2,5", "2024-01-03,2,2,2,2,1"]),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "XYZ.csv").write_text("\n".join(["time,open,high,low,close,volume", *lines]) + "\n")
    store = tmp_path / "store"
    import_bars(store, tmp_path / "A" / "XYZ.csv")
    report = import_bars(store, tmp_path / "B" / "XYZ.csv")
    bars = DailyDb(store).bars("XYZ")
    assert bars["high"].tolist() == [2.0, 3.0, 2.0]
    assert [one for kind, one in report.dirt.items() if "replace" in kind] == [1]
    assert import_bars(store, tmp_path / "B" / "XYZ.csv").unchanged
    assert [row["open"] for row in DailyDb(store).rows("XYZ", "2024-01-01", "2024-01-02")] == ["1.5", "2.0"]
