"""Captures into day files: any order, again, damaged, chained, without a snapshot; books and bars against a plain account."""

import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest

from actors.errors import UserError
from actors.history import views
from actors.history.check import check
from actors.history.dailydb import import_bars
from actors.history.importer import Importer, Sizes
from actors.history.intake import Intake
from actors.history.tickdb import TickDb
from core.instrument import Key
from tests.captures import MS, PlainReader, Venue, plain_bars

MIDNIGHT = 1_721_347_200_000 * MS
KEY = Key("binance_usdm", "BTCUSDT")


def two_days(folder: Path, kind: str = "usdm", **given) -> tuple[Venue, list[Path]]:
    """A capture cut at the local clock's midnight, which is not the exchange's: day 1 with the snapshot, day 2 without."""
    venue = Venue(kind, start=MIDNIGHT - 6_000 * MS, **given)
    venue.run(200, snapshot_at=9)
    while venue.now + venue.skew_ns < MIDNIGHT:
        venue.run(4)
    first = venue.save(folder / "day1.gz", venue.cut())
    second = venue.run(400).save(folder / "day2.gz", venue.cut())
    return venue, [first, second]


def files_of(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.rglob("*.h5"))}


def decimals(book) -> dict[str, list[tuple[Decimal, Decimal]]]:
    return {side: [(Decimal(p), Decimal(q)) for p, q in levels] for side, levels in book.items()}


def bars_of(store: Path, key: Key) -> list[dict]:
    rows = []
    for day in TickDb(store).days(key):
        with TickDb(store).file(key, day) as file:
            rows += views.bars(file, 60_000 * MS)
    exact = ("open", "high", "low", "close", "volume", "quote_volume")
    return [{name: Decimal(value) if name in exact else value for name, value in row.items()} for row in rows]


@pytest.mark.parametrize("kind", ["usdm", "spot"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_days_chain_in_either_order_and_equal_the_plain_account(tmp_path, kind, order):
    venue, paths = two_days(tmp_path, kind)
    store, key = tmp_path / "store", Key(f"binance_{kind}", "BTCUSDT")
    for number in order:
        report = Importer(store).run(paths[number])
        assert (report.damaged, report.gaps, report.crossed) == (0, 0, 0)
    plain = PlainReader(*paths)
    db = TickDb(store)
    assert db.days(key) == ["2024-07-18", "2024-07-19"]
    assert bars_of(store, key) == plain_bars(plain.trades)
    for day in db.days(key):
        with db.file(key, day) as file:
            assert file.day.quality == "book"
            verdict = check(file)
            assert verdict.shared > 10
            assert verdict.equal == verdict.shared
            ids = [int(i) for i in file.column("depth", "last_id")[20::37]]
            for update_id in ids:
                ours = views.book_row(file, views.book(file, update_id=update_id), 100)
                assert decimals(ours) == plain.book(update_id)
    with db.file(key, "2024-07-19") as file:
        assert decimals(views.book_row(file, views.book(file), 100)) == plain.book()
    truth = {"bids": venue.bids, "asks": venue.asks}
    assert plain.book() == {
        side: [(ticks * venue.tick, lots * venue.lot) for ticks, lots in sorted(truth[side].items(), reverse=side == "bids")]
        for side in truth
    }


def test_any_order_and_again_give_the_same_bytes(tmp_path):
    _, paths = two_days(tmp_path)
    stores = [tmp_path / name for name in ("forth", "back")]
    for store, order in zip(stores, (paths, paths[::-1]), strict=True):
        for path in order:
            Importer(store).run(path)
    assert files_of(stores[0]) == files_of(stores[1])
    stamps = {path: path.stat().st_mtime_ns for path in stores[0].rglob("*.h5")}
    for path in paths:
        assert Importer(stores[0]).run(path).unchanged
    assert {path: path.stat().st_mtime_ns for path in stores[0].rglob("*.h5")} == stamps


def test_packed_or_plain_it_is_the_same_segment(tmp_path):
    _, paths = two_days(tmp_path)
    Importer(tmp_path / "store").run(paths[0])
    unpacked = tmp_path / "other-name.txt"
    unpacked.write_bytes(gzip.decompress(paths[0].read_bytes()))
    assert Importer(tmp_path / "store").run(unpacked).unchanged


def test_chunks_of_any_size_give_the_same_events(tmp_path):
    _, paths = two_days(tmp_path)
    seen = []
    for size in (3_000, 50_000, 1 << 22):
        intake = Intake(paths[0], tmp_path / "spool")
        intake.read(chunk_bytes=size)
        spools = {key: {c: s.raw(*c).tolist() for c in sorted(s._held)} for key, s in intake.spools.items()}
        seen.append((dict(intake.events), intake.capture.digest, spools))
    assert seen[0] == seen[1] == seen[2]


def test_a_spool_on_disk_is_the_same_as_in_memory(tmp_path, monkeypatch):
    _, paths = two_days(tmp_path)
    Importer(tmp_path / "memory").run(paths[0])
    monkeypatch.setattr("actors.history.spool.SPILL_BYTES", 1000)
    Importer(tmp_path / "disk").run(paths[0])
    assert files_of(tmp_path / "memory") == files_of(tmp_path / "disk")
    assert not list((tmp_path / "disk").glob(".spool*"))


def test_without_a_snapshot_and_unchained_there_is_no_book(tmp_path):
    _, paths = two_days(tmp_path)
    report = Importer(tmp_path / "store").run(paths[1])
    assert set(report.days.values()) == {"no book"}
    db = TickDb(tmp_path / "store")
    day = db.prepared(KEY, "2024-07-19")
    assert day.quality == "no book"
    assert set(day.exch.kind.tolist()) == {3, 4}
    with db.file(KEY, "2024-07-19") as file, pytest.raises(UserError, match="no book is known"):
        views.book(file)


def test_events_belong_to_the_day_of_their_exchange_time(tmp_path):
    _, paths = two_days(tmp_path)
    Importer(tmp_path / "store").run(paths[0])
    db = TickDb(tmp_path / "store")
    assert db.days(KEY) == ["2024-07-18", "2024-07-19"]  # the recorder's clock is late: its day 1 ends in the exchange's day 2
    for day, before in (("2024-07-18", True), ("2024-07-19", False)):
        with db.file(KEY, day) as file:
            times = [file.column(table, "exch_ns") for table in ("depth", "trades", "bbo")]
            assert all(((column < MIDNIGHT) == before).all() for column in times)


def test_a_damaged_line_in_the_middle_is_named_and_the_rest_kept(tmp_path):
    venue = Venue(start=MIDNIGHT).run(80, snapshot_at=5)
    broken = next(i for i, line in enumerate(venue.lines) if i > 100 and b"@trade" in line)
    lines = list(venue.lines)
    lines[broken] = lines[broken][:50]
    path = venue.save(tmp_path / "c.gz", lines)
    report = Importer(tmp_path / "store").run(path)
    assert report.damaged == 1
    assert report.damage[0].startswith(f"{path}:{broken + 1}: ")
    assert report.events["trade"] == len(venue.trades) - 1


def test_a_gap_is_named_clears_the_book_and_a_snapshot_mends_it(tmp_path):
    venue = Venue(start=MIDNIGHT).run(80, snapshot_at=5)
    lost = [i for i, line in enumerate(venue.lines) if b"depthUpdate" in line][9]
    venue.run(80, snapshot_at=40)
    path = venue.save(tmp_path / "c.gz", [line for i, line in enumerate(venue.lines) if i != lost])
    report = Importer(tmp_path / "store").run(path)
    assert report.gaps == 1
    assert report.gap_lines[0].startswith(f"{path}:")
    db = TickDb(tmp_path / "store")
    assert (db.prepared(KEY, "2024-07-19").exch.kind == 5).sum() == 3  # snapshot, gap, snapshot
    with db.file(KEY, "2024-07-19") as file:
        assert check(file).sound
        last = decimals(views.book_row(file, views.book(file), 1))
        assert last["bids"][0][0] == max(venue.bids) * venue.tick
        times = file.column("depth", "exch_ns")
        with pytest.raises(UserError, match="no book is known"):
            views.book(file, at_ns=int(times[12]))


def test_a_truncated_gz_keeps_what_came_before_and_the_whole_file_later_completes_it(tmp_path):
    venue = Venue(start=MIDNIGHT).run(4000, snapshot_at=5)
    whole = venue.save(tmp_path / "c.gz")
    cut = tmp_path / "cut.gz"
    cut.write_bytes(whole.read_bytes()[:-20_000])
    report = Importer(tmp_path / "store").run(cut)
    assert "gzip stream ends early" in " ".join(report.damage)
    assert 1000 < report.events["bookTicker"] < 4000
    Importer(tmp_path / "store").run(whole)
    with TickDb(tmp_path / "store").file(KEY, "2024-07-19") as file:
        assert check(file).sound
        assert file.rows("trades") == len(venue.trades)
    assert bars_of(tmp_path / "store", KEY) == plain_bars(venue.trades)


def test_throwing_the_buffer_away_would_cross_this_spot_book(tmp_path):
    venue = Venue("spot", start=MIDNIGHT, seed=4)
    for _ in range(40):
        venue.step()
    reply, at = venue.reply(), venue.mid
    while abs(venue.mid - at) < 3:  # the market moves within the batch that straddles the snapshot
        venue.step()
    venue.depth()
    venue.write(reply)
    venue.run(100)
    path = venue.save(tmp_path / "c.gz")
    plain = PlainReader(path)
    plain.depth = plain.depth[plain.snapshots[0][0] :]
    naive = plain.book()
    assert naive["bids"][0][0] >= naive["asks"][0][0]
    report = Importer(tmp_path / "store").run(path)
    assert report.crossed == 0
    with TickDb(tmp_path / "store").file(Key("binance_spot", "BTCUSDT"), "2024-07-19") as file:
        assert check(file).sound


def test_a_print_far_off_the_market_is_set_aside_and_moves_no_bar(tmp_path):
    venue = Venue(start=MIDNIGHT).run(40, snapshot_at=5)
    venue.trade(True, "INSURANCE_FUND", int(venue.mid * 1.02))
    venue.trade(True, "NA", int(venue.mid * 0.9))
    venue.run(40)
    report = Importer(tmp_path / "store").run(venue.save(tmp_path / "c.gz"))
    assert report.aside == {"print with X=INSURANCE_FUND": 1, "print with X=NA": 1}
    assert bars_of(tmp_path / "store", KEY) == plain_bars(venue.trades)
    with TickDb(tmp_path / "store").file(KEY, "2024-07-19") as file:
        assert [row["reason"] for row in views.aside(file)] == ["X=INSURANCE_FUND", "X=NA"]


def test_funding_settled_at_midnight_belongs_to_the_new_day_with_the_old_days_rate_and_mark(tmp_path):
    venue = Venue(start=MIDNIGHT - 3_000 * MS).run(30, snapshot_at=5)
    while venue.now < MIDNIGHT - 1_000 * MS:
        venue.step()
    venue.mark(MIDNIGHT, "0.00012000", "64000.5")
    while venue.now < MIDNIGHT + 500 * MS:
        venue.step()
    venue.mark(MIDNIGHT + 8 * 3_600_000 * MS, "-0.00001000", "64100.25")
    venue.run(20)
    Importer(tmp_path / "store").run(venue.save(tmp_path / "c.gz"))
    db = TickDb(tmp_path / "store")
    old, new = (db.prepared(KEY, day) for day in ("2024-07-18", "2024-07-19"))
    assert not len(old.fundings.settle_ns)
    assert [column.tolist() for column in new.fundings] == [[MIDNIGHT], [12_000], [6_400_050_000_000]]
    assert new.marks.exch_ns[0] < MIDNIGHT <= new.marks.exch_ns[1]


def test_microsecond_stamps_and_local_stamps_out_of_order_are_kept_as_they_are(tmp_path):
    venue = Venue(start=MIDNIGHT, skew_ns=3 * MS).run(120, snapshot_at=5)
    stamps = []
    for i, line in enumerate(venue.lines):
        stamp, rest = line.split(b" ", 1)
        micros = int(stamp) // 1000 - (50_000 if i % 10 == 3 else 0)
        stamps.append(micros * 1000)
        venue.lines[i] = b"%d %s" % (micros, rest)
    Importer(tmp_path / "store").run(venue.save(tmp_path / "c.gz"))
    db = TickDb(tmp_path / "store")
    with db.file(KEY, "2024-07-19") as file:
        for table in ("depth", "trades", "bbo"):
            lines, local = file.column(table, "line"), file.column(table, "local_ns")
            assert local.tolist() == [stamps[line - 1] for line in lines]
        assert check(file).sound
    day = db.prepared(KEY, "2024-07-19", base_ns=7)
    assert (day.local.ns[1:] >= day.local.ns[:-1]).all()
    assert sorted(day.local.tick.tolist()) == sorted(day.exch.tick.tolist())


def test_a_finer_price_later_is_an_error_that_names_it_and_changes_nothing(tmp_path):
    venue, paths = two_days(tmp_path)
    Importer(tmp_path / "store").run(paths[0])
    before = files_of(tmp_path / "store")
    venue.tick = Decimal("0.05")
    venue.trade(True, ticks=1_279_001)
    path = venue.save(tmp_path / "finer.gz")
    with pytest.raises(UserError, match=r"finer\.gz:1: price 63950\.05 is finer than BTCUSDT's tick 0\.1"):
        Importer(tmp_path / "store").run(path)
    assert files_of(tmp_path / "store") == before


def test_a_finer_quantity_later_refines_the_stored_days(tmp_path):
    _, paths = two_days(tmp_path)
    Importer(tmp_path / "store").run(paths[0])
    bars = bars_of(tmp_path / "store", KEY)
    text = gzip.decompress(paths[1].read_bytes()).replace(b'"q":"0.', b'"q":"0.0', 1)
    paths[1].write_bytes(gzip.compress(text))
    report = Importer(tmp_path / "store").run(paths[1])
    assert report.grid["BTCUSDT"]["lot_size"] == "0.0001"
    db = TickDb(tmp_path / "store")
    assert bars_of(tmp_path / "store", KEY)[: len(bars) - 1] == bars[:-1]
    for day in db.days(KEY):
        with db.file(KEY, day) as file:
            assert (file.day.lot_size, file.day.quality) == ("0.0001", "book")
            assert check(file).sound


def test_a_symbol_that_is_a_way_out_of_the_store_is_refused(tmp_path):
    _, paths = two_days(tmp_path)
    path = tmp_path / "outward.txt"
    path.write_bytes(gzip.decompress(paths[0].read_bytes()).replace(b"BTCUSDT", b"../../OUT"))
    with pytest.raises(UserError, match="cannot be the name"):
        Importer(tmp_path / "store").run(path)
    assert not list(tmp_path.rglob("*.h5"))


def test_sizes_from_exchange_info_hold_and_are_stored(tmp_path):
    _, paths = two_days(tmp_path)
    sizes = {"BTCUSDT": Sizes("0.05", "0.0005", "exchangeInfo x.json", "BTC", "USDT")}
    report = Importer(tmp_path / "store", sizes).run(paths[0])
    assert report.grid["BTCUSDT"]["tick_size"] == "0.05"
    assert bars_of(tmp_path / "store", KEY)[0]["close"] > 60_000
    with pytest.raises(UserError, match=r"price 63\d+\.\d is finer than BTCUSDT's tick 1 "):
        Importer(tmp_path / "other", {"BTCUSDT": sizes["BTCUSDT"]._replace(tick_size="1")}).run(paths[0])


def test_quantities_beyond_32_bits_use_64(tmp_path):
    venue = Venue("spot", "PEPEUSDT", start=MIDNIGHT)
    venue.lot = Decimal("1000000.01")
    Importer(tmp_path / "store").run(venue.run(60, snapshot_at=5).save(tmp_path / "c.gz"))
    key = Key("binance_spot", "PEPEUSDT")
    assert bars_of(tmp_path / "store", key) == plain_bars(venue.trades)
    with TickDb(tmp_path / "store").file(key, "2024-07-19") as file:
        assert file.column("levels", "lots").dtype == "int64"
        assert file.column("levels", "tick").dtype == "int32"
        assert check(file).sound
    assert TickDb(tmp_path / "store").prepared(key, "2024-07-19").exch.lots.dtype == "int64"


def test_aggregated_trades_stand_in_for_trades_but_never_beside_them(tmp_path):
    venue = Venue(start=MIDNIGHT).run(60, snapshot_at=5)
    frames = [line.replace(b"@trade", b"@aggTrade").replace(b'"e":"trade"', b'"e":"aggTrade"') for line in venue.lines]
    frames = [line.replace(b'"t":', b'"a":') for line in frames]
    report = Importer(tmp_path / "only").run(venue.save(tmp_path / "only.gz", frames))
    assert report.events["aggTrade"] == len(venue.trades)
    assert bars_of(tmp_path / "only", KEY) == plain_bars(venue.trades)
    with TickDb(tmp_path / "only").file(KEY, "2024-07-19") as file:
        assert file.day.segments[0].trade_stream == "aggTrade"
    both = [line for pair in zip(venue.lines, frames, strict=True) for line in dict.fromkeys(pair)]
    report = Importer(tmp_path / "both").run(venue.save(tmp_path / "both.gz", both))
    assert report.aside == {"aggTrade beside trade": len(venue.trades)}
    assert bars_of(tmp_path / "both", KEY) == plain_bars(venue.trades)


def test_several_symbols_in_one_file_become_several_instruments(tmp_path):
    one, other = (Venue("usdm", symbol, start=MIDNIGHT, seed=seed) for symbol, seed in (("BTCUSDT", 1), ("ETHUSDT", 2)))
    other.mid -= 500_000
    other.bids = {other.mid - 1 - k: 5 for k in range(30)}
    other.asks = {other.mid + 1 + k: 5 for k in range(30)}
    lines = one.run(90, snapshot_at=5).lines + other.run(90, snapshot_at=5).lines
    lines.sort(key=lambda line: int(line.split(b" ")[0]))
    report = Importer(tmp_path / "store").run(one.save(tmp_path / "c.gz", lines))
    assert report.symbols == ["BTCUSDT", "ETHUSDT"]
    for venue in (one, other):
        assert bars_of(tmp_path / "store", Key("binance_usdm", venue.symbol)) == plain_bars(venue.trades)
        with TickDb(tmp_path / "store").file(Key("binance_usdm", venue.symbol), "2024-07-19") as file:
            assert file.day.quality == "book"
            assert check(file).sound


def test_a_file_of_nothing_known_is_reported_not_stored(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text("hello\n" + json.dumps({"a": 1}) + "\n")
    report = Importer(tmp_path / "store").run(path)
    assert (report.damaged, report.days) == (2, {})
    assert "none of its 2 lines is a market frame" in report.error
    empty = tmp_path / "empty.gz"
    empty.write_bytes(b"")
    assert Importer(tmp_path / "store").run(empty).lines == 0


@pytest.mark.parametrize("names", [("usdm/btcusdt_20240718.gz", "usdm/btcusdt_20240719.gz"), ("usdm/btcusdt_20230404.dat.gz",)])
def test_real_captures_equal_the_plain_account(captures, tmp_path, names):
    paths = [captures / "hftbacktest" / name for name in names]
    for path in reversed(paths):
        Importer(tmp_path / "store").run(path)
    plain, db = PlainReader(*paths), TickDb(tmp_path / "store")
    assert bars_of(tmp_path / "store", KEY) == plain_bars(plain.trades)
    for day in db.days(KEY):
        with db.file(KEY, day) as file:
            verdict = check(file)
            assert verdict.sound
            assert verdict.shared > 100
            for update_id in file.column("depth", "last_id")[50::1500].tolist():
                assert decimals(views.book_row(file, views.book(file, update_id=update_id), 10**6)) == plain.book(update_id)


@pytest.mark.parametrize("folder", ["usdm", "spot"])
def test_the_venues_own_best_prices_equal_the_rebuilt_book_on_every_real_capture(captures, tmp_path, folder):
    for path in sorted((captures / "hftbacktest" / folder).glob("*.gz")):
        assert Importer(tmp_path / "store").run(path).crossed == 0
    db = TickDb(tmp_path / "store")
    for key in db.instruments():
        for day in db.days(key):
            with db.file(key, day) as file:
                verdict = check(file)
                assert verdict.sound, verdict.first_mismatch
                assert verdict.shared


def test_a_mark_price_at_the_very_settlement_is_the_one_it_is_charged_on(tmp_path):
    venue = Venue(start=MIDNIGHT - 500 * MS)
    venue.mark(MIDNIGHT, "0.00012000", "64000.5")
    venue.now = MIDNIGHT
    venue.mark(MIDNIGHT + 8 * 3_600_000 * MS, "0.00030000", "64001.25")
    paths = [venue.save(tmp_path / f"{number}.gz", [line]) for number, line in enumerate(venue.lines)]
    for path in reversed(paths):
        Importer(tmp_path / "store").run(path)
    day = TickDb(tmp_path / "store").prepared(KEY, "2024-07-19")
    assert [column.tolist() for column in day.fundings] == [[MIDNIGHT], [12_000], [6_400_125_000_000]]
    assert (day.quality, len(day.exch.ns), len(day.marks.exch_ns)) == ("no book", 0, 2)


def test_a_store_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "store").write_text("a file where the folder should be")
    path = Venue(start=MIDNIGHT).run(5).save(tmp_path / "c.gz")
    with pytest.raises(UserError, match="store"):
        Importer(tmp_path / "store").run(path)


def test_bars_beside_the_days_and_days_between_the_touched_ones_disturb_nothing(tmp_path):
    venue = Venue(start=MIDNIGHT - 86_400_000 * MS).run(60, snapshot_at=5)
    first = venue.save(tmp_path / "1.gz", venue.cut())
    venue.now = MIDNIGHT
    second = venue.run(60).save(tmp_path / "2.gz", venue.cut())
    third = venue.run(20).cut()
    venue.now = MIDNIGHT + 86_400_000 * MS
    outer = venue.save(tmp_path / "13.gz", gzip.decompress(first.read_bytes()).splitlines() + venue.run(60).cut())
    (tmp_path / "BTCUSDT.csv").write_text("2024-07-18,1,2,1,2,5\n2024-07-19,1,2,1,2,5\n")
    import_bars(tmp_path / "store", tmp_path / "BTCUSDT.csv", KEY.venue)
    Importer(tmp_path / "store").run(second)
    Importer(tmp_path / "store").run(outer)  # touches the days on both sides of the stored one
    db = TickDb(tmp_path / "store")
    assert db.days(KEY) == ["2024-07-18", "2024-07-19", "2024-07-20"]
    with db.file(KEY, "2024-07-19") as file:
        assert file.day.quality == "book"
    with db.file(KEY, "2024-07-20") as file:
        assert file.day.quality == "no book"
    Importer(tmp_path / "store").run(venue.save(tmp_path / "3.gz", third))
    with db.file(KEY, "2024-07-20") as file:
        assert file.day.quality == "book"
        assert check(file).sound
