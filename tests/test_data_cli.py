"""`astrarium data ...` as a user meets it: what is printed, as tables and as JSON, and the exit codes."""

import gzip
import json
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from actors.cli.data import app
from actors.errors import Exit, UserError
from tests.captures import MS, PlainReader, Venue, plain_bars

MIDNIGHT = 1_721_347_200_000 * MS


@pytest.fixture(scope="module")
def market(tmp_path_factory) -> tuple[Venue, Path, Path]:
    """A venue, its capture around midnight, and a store with it."""
    folder = tmp_path_factory.mktemp("market")
    venue = Venue(start=MIDNIGHT - 4_000 * MS).run(500, snapshot_at=9)
    path = venue.save(folder / "c.gz")
    assert run("import", path, "--store", folder / "store") == 0
    return venue, path, folder / "store"


def run(*words) -> int:
    """The verb's exit code."""
    return app([str(word) for word in words], result_action="return_value")


def said(capsys, *words):
    """The JSON that a verb prints."""
    capsys.readouterr()
    code = run(*words, "--json")
    return code, json.loads(capsys.readouterr().out)


def decimals(book):
    return {side: [(Decimal(p), Decimal(q)) for p, q in levels] for side, levels in book.items()}


def test_import_says_what_came_in_and_that_again_nothing_changed(market, tmp_path, capsys):
    venue, path, _ = market
    code, document = said(capsys, "import", path, "--store", tmp_path)
    report = document["files"][0]
    assert code == 0
    assert report["events"]["trade"] == len(venue.trades)
    assert report["grid"] == {"BTCUSDT": {"tick_size": "0.1", "lot_size": "0.001", "source": "seen"}}
    assert report["days"] == {"binance_usdm:BTCUSDT 2024-07-18": "book", "binance_usdm:BTCUSDT 2024-07-19": "book"}
    assert set(report["latency_ms"]) == {"min", "p50", "p99", "max"}
    assert run("import", path, "--store", tmp_path) == 0
    assert "nothing changed" in capsys.readouterr().out


def test_damage_and_gaps_are_warned_of_with_file_and_line(market, tmp_path, capsys):
    venue, _, _ = market
    events = [i for i, line in enumerate(venue.lines) if b"depthUpdate" in line]
    lines = [line for i, line in enumerate(venue.lines) if i != events[20]]
    lines[events[3]] = b"oops"
    path = venue.save(tmp_path / "bad.gz", lines)
    assert run("import", path, "--store", tmp_path / "store") == 0
    errors = capsys.readouterr().err
    assert f"{path}:{events[3] + 1}: the line does not begin with a time stamp" in errors
    assert f"{path}:{events[21]}: update " in errors


def test_one_bad_file_is_named_and_the_others_come_in(market, tmp_path, capsys):
    _, path, _ = market
    code, document = said(capsys, "import", tmp_path / "none.gz", path, "--store", tmp_path / "store")
    assert code == Exit.NOT_FOUND
    assert "no such file" in document["files"][0]["error"]
    assert not document["files"][1]["error"]


def test_list_shows_days_and_their_quality(market, capsys):
    code, document = said(capsys, "list", "--store", market[2])
    assert code == 0
    assert [(row["day"], row["quality"]) for row in document["days"]] == [("2024-07-18", "book"), ("2024-07-19", "book")]
    assert run("list", "--store", market[2]) == 0
    assert "binance_usdm:BTCUSDT" in capsys.readouterr().out


def test_check_agrees_with_the_venue_and_fails_when_a_book_ticker_differs(market, tmp_path, capsys):
    venue, _, store = market
    code, document = said(capsys, "check", "--store", store)
    assert code == 0
    assert all(row["shared"] == row["equal"] > 5 for row in document["days"])
    ids = {json.loads(line.split(b" ", 1)[1])["data"]["u"] for line in venue.lines if b"depthUpdate" in line}
    at = next(i for i, line in enumerate(venue.lines) if i > 99 and any(b'"bookTicker","u":%d,' % u in line for u in ids))
    lines = list(venue.lines)
    lines[at] = lines[at].replace(b'"B":"', b'"B":"1')
    path = venue.save(tmp_path / "lie.gz", lines)
    run("import", path, "--store", tmp_path / "store")
    code, document = said(capsys, "check", "BTCUSDT", "--store", tmp_path / "store")
    assert code == Exit.ERROR
    assert any(row["first_mismatch"].startswith(f"lie.gz:{at + 1}: update ") for row in document["days"])


def test_bars_are_exact_rows(market, capsys):
    venue, _, store = market
    code, rows = said(capsys, "show", "BTCUSDT", "--kind", "bars", "--days", "2024-07-18:2024-07-19", "--store", store)
    assert code == 0
    assert list(rows[0]) == ["time_ms", "open", "high", "low", "close", "volume", "trades", "quote_volume"]
    exact = [{name: Decimal(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows]
    assert exact == plain_bars(venue.trades)


def test_a_book_at_an_update_id_and_at_a_time(market, capsys):
    venue, path, store = market
    plain = PlainReader(path)
    event = plain.depth[-9]
    words = ("show", "BTCUSDT", "--kind", "book", "--days", "2024-07-19", "--store", store, "--levels", "9")
    code, book = said(capsys, *words, "--at-update-id", event["u"] + 3)
    assert code == 0
    assert decimals(book) == {side: levels[:9] for side, levels in plain.book(update_id=event["u"] + 3).items()}
    _, book = said(capsys, *words, "--at", event["T"] * MS)
    assert decimals(book) == {side: levels[:9] for side, levels in plain.book(at_ms=event["T"]).items()}
    _, book = said(capsys, *words, "--at", "2024-07-19T00:00:02.250Z")
    assert decimals(book) == {side: levels[:9] for side, levels in plain.book(at_ms=MIDNIGHT // MS + 2250).items()}
    _, book = said(capsys, *words)
    assert decimals(book)["bids"][0][0] == max(venue.bids) * venue.tick


def test_a_moment_beside_the_days_asked_for_has_its_own_days_book(market, capsys):
    _, path, store = market
    plain = PlainReader(path)
    event = plain.depth[-9]
    words = ("show", "BTCUSDT", "--kind", "book", "--days", "2024-07-18", "--store", store)
    _, book = said(capsys, *words, "--at-update-id", event["u"])
    assert decimals(book) == {side: levels[:5] for side, levels in plain.book(update_id=event["u"]).items()}
    _, book = said(capsys, *words, "--at", event["T"] * MS)
    assert decimals(book) == {side: levels[:5] for side, levels in plain.book(at_ms=event["T"]).items()}
    for wrong, code in ((("--at", "2024-08-01T00:00"), Exit.NOT_FOUND), (("--levels", 0), Exit.CONFIGURATION)):
        with pytest.raises(UserError) as error:
            run(*words, *wrong)
        assert error.value.exit_code == code


@pytest.mark.parametrize("kind", ["trades", "bbo", "depth", "marks", "aside"])
def test_every_kind_is_shown_as_rows(market, capsys, kind):
    _, path, store = market
    code, rows = said(capsys, "show", "BTCUSDT", "--kind", kind, "--days", "2024-07-18:2024-07-19", "--store", store)
    assert code == 0
    plain = PlainReader(path)
    count = {"trades": len(plain.trades), "bbo": len(plain.tickers), "depth": len(plain.depth) + 1}.get(kind, 0)
    assert len(rows) == count
    if kind == "depth":
        assert rows[-1]["bids"] == [[p.removesuffix("0"), q] for p, q in plain.depth[-1]["b"]]
    assert run("show", "BTCUSDT", "--kind", kind, "--days", "2024-07-19", "--store", store, "--limit", "3") == 0


@pytest.mark.parametrize(
    ("words", "match", "code"),
    [
        (("show", "BTCUSD", "--days", "2024-07-19"), "did you mean 'BTCUSDT'", Exit.NOT_FOUND),
        (("show", "BTCUSDT", "--days", "2024-07-20"), "no day of 2024-07-20", Exit.NOT_FOUND),
        (("show", "BTCUSDT", "--days", "2024-07-19:2024-07-18"), "after the last", Exit.CONFIGURATION),
        (("show", "BTCUSDT", "--days", "yesterday"), "is not a day", Exit.CONFIGURATION),
        (("show", "BTCUSDT", "--days", "2024-07-19", "--freq", "1week"), "not a bar length", Exit.CONFIGURATION),
        (("show", "BTCUSDT", "--days", "2024-07-18", "--kind", "book", "--at", "soon"), "not a time", Exit.CONFIGURATION),
        (("show", "BTCUSDT", "--days", "2024-07-18", "--kind", "book", "--at", "00:00:00"), "no book is known", Exit.NOT_FOUND),
        (("check", "DOGEUSDT"), "no such instrument", Exit.NOT_FOUND),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_its_exit_code(market, words, match, code):
    with pytest.raises(UserError, match=match) as caught:
        run(*words, "--store", market[2])
    assert caught.value.exit_code == code
    assert "\n" not in str(caught.value)


def test_an_empty_store_says_how_to_fill_it(tmp_path):
    for words in (("list",), ("check",), ("show", "BTCUSDT", "--days", "2024-07-19")):
        with pytest.raises(UserError, match="astrarium data import") as caught:
            run(*words, "--store", tmp_path)
        assert caught.value.exit_code == Exit.NOT_FOUND


def test_a_truncated_day_file_is_named_by_list_and_check_and_the_others_are_shown(market, tmp_path, capsys):
    store = tmp_path / "store"
    shutil.copytree(market[2], store)
    path = next(store.rglob("2024-07-18.h5"))
    path.write_bytes(path.read_bytes()[:5000])
    for verb in ("list", "check"):
        capsys.readouterr()
        assert run(verb, "--store", store) == Exit.ERROR
        seen = capsys.readouterr()
        assert "2024-07-18.h5: damaged" in seen.err
        assert "2024-07-19" in seen.out


def test_exchange_info_gives_the_sizes(market, tmp_path, capsys):
    filters = [{"filterType": "PRICE_FILTER", "tickSize": "0.10"}, {"filterType": "LOT_SIZE", "stepSize": "0.001"}]
    info = {"symbols": [{"symbol": "BTCUSDT", "pricePrecision": 2, "baseAsset": "BTC", "quoteAsset": "USDT", "filters": filters}]}
    (tmp_path / "info.json").write_text(json.dumps(info))
    _, document = said(capsys, "import", market[1], "--store", tmp_path / "s", "--exchange-info", tmp_path / "info.json")
    grid = {"tick_size": "0.1", "lot_size": "0.001", "source": "exchangeInfo info.json"}
    assert document["files"][0]["grid"]["BTCUSDT"] == grid
    with pytest.raises(UserError, match="no exchangeInfo"):
        run("import", market[1], "--store", tmp_path / "t", "--exchange-info", market[1])


def test_bars_come_from_csv_with_a_column_map(tmp_path, capsys):
    path = tmp_path / "ko.csv"
    path.write_text("Day;Start;Top;Bottom;End;Lots\n2024-01-02;1.5;2;1;1.75;0\n")
    columns = "time=Day,open=Start,high=Top,low=Bottom,close=End,volume=Lots"
    code, document = said(capsys, "import", "--kind", "bars", path, "--store", tmp_path / "s", "--columns", columns)
    assert code == 0
    assert document["files"][0]["dirt"] == {"not comma separated": 1, "no volume": 1}
    assert said(capsys, "list", "--store", tmp_path / "s")[1]["bars"] == [{"instrument": "csv:KO", "freq": "1d"}]
    assert run("import", "--kind", "bars", path, "--store", tmp_path / "s") == Exit.CONFIGURATION


def test_progress_is_a_line_now_and_then_where_there_is_no_terminal(market, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("actors.cli.data.PROGRESS_SECONDS", -1.0)
    path = tmp_path / "c.txt"
    path.write_bytes(gzip.decompress(market[1].read_bytes()))
    assert run("import", path, "--store", tmp_path / "store") == 0
    assert "c.txt: 100 %" in capsys.readouterr().err
