"""A store at a URL: catalogues from sidecars, days over the network once, and a run that does not know where its days lay."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from actors.backtest import Outcome, backtest
from actors.cli.data import app
from actors.errors import Exit, UserError
from actors.graph import read
from actors.history import objects
from actors.history.daycache import held
from actors.history.objects import bytes_read
from actors.history.sidecar import encode
from actors.history.tickdb import TickDb
from actors.tasks import job
from core.instrument import Key
from tests.buckets import BUCKET, Buckets
from tests.days import DAY_S, graph

BTC = Key("binance_usdm", "BTCUSDT")
DAYS = list(DAY_S)
FILES = [f"{day}.h5" for day in DAYS[:2]]


def verb(*words: object) -> int:
    return app([str(word) for word in words], result_action="return_value")  # type: ignore[no-any-return]


@pytest.fixture
def store(buckets: Buckets, small_store: Path, tmp_path: Path) -> str:
    """The small store's days of BTCUSDT in the bucket."""
    url = buckets.url(tmp_path.name)
    assert verb("copy", small_store, url, "--instruments", "BTCUSDT", "--json") == 0
    buckets.asked.clear()
    return url


def run(folder: Path, store: str | Path, workers: int = 0) -> Outcome:
    work = job(read(graph(folder)), store, f"{DAYS[0]}:{DAYS[1]}", ["BTCUSDT"])
    return backtest(work, folder / f"results-{len(list(folder.iterdir()))}", workers, ray=workers > 0)


def test_a_run_is_the_same_wherever_its_days_lie_and_reads_each_once(
    store: str, small_store: Path, tmp_path: Path, buckets: Buckets
) -> None:
    before = bytes_read()
    first, again, here = (run(tmp_path / "graph", one) for one in (store, store, small_store))
    assert first.run_id == again.run_id == here.run_id
    assert [day["digest"] for day in first.days] == [day["digest"] for day in again.days] == [day["digest"] for day in here.days]
    assert all(day["status"] == "done" for day in first.days)
    assert buckets.fetched() == FILES
    assert held(store) == {f"{BTC} {day}" for day in DAYS[:2]}
    sizes = sum(TickDb(small_store).path(BTC, day).stat().st_size for day in DAYS[:2])
    assert sizes < bytes_read() - before < sizes + 50_000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own warnings are not ours
def test_two_workers_read_each_day_once(store: str, tmp_path: Path, buckets: Buckets) -> None:
    first, again = (run(tmp_path / "graph", store, workers=2) for _ in range(2))
    assert [day["digest"] for day in first.days] == [day["digest"] for day in again.days]
    assert sorted(buckets.fetched()) == FILES


def test_a_task_names_its_store_as_it_was_named(store: str, small_store: Path, tmp_path: Path) -> None:
    plan = read(graph(tmp_path / "graph"))
    assert job(plan, store, DAYS[0]).tasks[0].store == store
    assert job(plan, small_store, DAYS[0]).tasks[0].store == str(small_store.resolve())


def test_a_job_is_planned_without_fetching_a_day(store: str, tmp_path: Path, buckets: Buckets) -> None:
    job(read(graph(tmp_path / "graph")), store)
    assert buckets.fetched() == []
    assert held(store) == set()


def test_a_thousand_days_are_listed_in_few_requests_and_their_words_come_many_at_once(store: str, buckets: Buckets) -> None:
    prefix = store.removeprefix(f"s3://{BUCKET}/")
    words = buckets.get(f"{prefix}/{BTC.venue}/{BTC.symbol}/{DAYS[0]}.json")
    days = [f"{year}-{month:02}-{day:02}" for year in (2021, 2022, 2023) for month in range(1, 13) for day in range(1, 29)]
    for day in days:
        buckets.put(f"{prefix}/{BTC.venue}/{BTC.symbol}/{day}.h5", b"-")
        buckets.put(f"{prefix}/{BTC.venue}/{BTC.symbol}/{day}.json", words.replace(DAYS[0].encode(), day.encode()))
    db = TickDb(store)
    assert db.resolve("BTCUSDT") == BTC
    assert db.days(BTC) == [*days, *DAYS]
    assert len(buckets.asked) <= 4
    assert {db.digest(BTC, day) for day in days[:64]} == {db.digest(BTC, DAYS[0])}
    asked = [one for one in buckets.asked if one.endswith(".json") and one.startswith("GET")]
    assert 64 <= len(asked) <= 128


def test_a_day_that_was_replaced_in_the_store_is_fetched_anew(store: str, small_store: Path, tmp_path: Path) -> None:
    old = TickDb(store).prepared(BTC, DAYS[0])
    other = tmp_path / "other"
    assert verb("synth", "--store", other, "--events", 10_000, "--seed", 2, "--days", 1, "--json") == 0
    assert verb("copy", other, store, "--json") == 0
    new = TickDb(store).prepared(BTC, DAYS[0])
    assert new.digest != old.digest
    assert new.digest == TickDb(other).prepared(BTC, DAYS[0]).digest
    assert TickDb(store).digest(BTC, DAYS[0]) != TickDb(small_store).digest(BTC, DAYS[0])
    assert old.exch.ns[-1] > 0  # whoever has the old one mapped goes on with it
    assert not old.folder.exists()


def test_a_day_that_is_cut_short_in_the_store_is_asked_for_twice_and_then_named(store: str, buckets: Buckets) -> None:
    name = f"{store.removeprefix(f's3://{BUCKET}/')}/{BTC.venue}/{BTC.symbol}/{DAYS[0]}.h5"
    whole = buckets.get(name)
    buckets.put(name, whole[:-100])
    with pytest.raises(UserError, match=rf"{DAYS[0]}\.h5: not the day that its sidecar tells of, twice .* `astrarium data copy`"):
        TickDb(store).prepared(BTC, DAYS[0])
    assert len(buckets.fetched()) == 2
    assert held(store) == set()
    buckets.put(name, whole)
    assert TickDb(store).prepared(BTC, DAYS[0]).quality == "book"


def test_a_day_that_is_put_right_between_two_readings_is_not_an_error(store: str, buckets: Buckets) -> None:
    name = f"{store.removeprefix(f's3://{BUCKET}/')}/{BTC.venue}/{BTC.symbol}/{DAYS[0]}.h5"
    whole = buckets.get(name)
    buckets.put(name, whole[:-1] + b"?")

    def mend(asked: str) -> None:
        if len(buckets.fetched()) == 2:
            buckets.put(name, whole)

    buckets.fault = mend
    assert TickDb(store).path(BTC, DAYS[0]).read_bytes() == whole


def test_a_busy_store_is_asked_again_and_one_that_refuses_is_not(store: str, buckets: Buckets) -> None:
    busy = [True, True]
    buckets.fault = lambda asked: ("503 Slow Down", b"") if asked.endswith(".h5") and busy and busy.pop() else None
    assert TickDb(store).path(BTC, DAYS[0]).exists()
    assert not busy
    buckets.fault = lambda asked: ("403 Forbidden", b"") if asked.endswith(".h5") else None
    buckets.asked.clear()
    with pytest.raises(UserError, match=rf"^s3://.*/{DAYS[1]}\.h5: .*ACCESS_DENIED") as caught:
        TickDb(store).path(BTC, DAYS[1])
    assert "\n" not in str(caught.value)
    assert len([one for one in buckets.asked if one.endswith(".h5")]) == 1


def test_what_the_network_gave_up_on_is_asked_for_once_more(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PAUSE_S", 0.0)
    db = objects.Objects(store)
    tries = iter([OSError("reset by peer"), b"there"])

    def ask() -> bytes:
        one = next(tries)
        if isinstance(one, OSError):
            raise one
        return one

    assert db._tried("x", ask) == b"there"


def test_a_day_without_a_sidecar_says_who_writes_one(store: str, buckets: Buckets) -> None:
    place = f"{store.removeprefix(f's3://{BUCKET}/')}/{BTC.venue}/{BTC.symbol}"
    buckets.delete(f"{place}/{DAYS[0]}.json")
    for ask in (TickDb(store).digest, TickDb(store).path):
        with pytest.raises(UserError, match=rf"{DAYS[0]}\.h5 has no sidecar.*`astrarium data copy STORE {store}`") as caught:
            ask(BTC, DAYS[0])
        assert caught.value.exit_code == Exit.NOT_FOUND
    assert TickDb(store).digest(BTC, DAYS[1])


@pytest.mark.parametrize("wrong", ["damaged", "another day's", "another layout's"])
def test_a_wrong_sidecar_is_one_clear_line(store: str, buckets: Buckets, wrong: str) -> None:
    place = f"{store.removeprefix(f's3://{BUCKET}/')}/{BTC.venue}/{BTC.symbol}/{DAYS[0]}.json"
    sidecar = TickDb(store).sidecar(BTC, DAYS[0])
    if wrong == "another layout's":
        sidecar.words.layout = 99
    raws = {"damaged": b'{"words": 1}', "another day's": encode(TickDb(store).sidecar(BTC, DAYS[1]))}
    buckets.put(place, raws.get(wrong, encode(sidecar)))
    said = {"damaged": "damaged", "another day's": f"speaks of {BTC} {DAYS[1]}", "another layout's": "layout 99"}[wrong]
    with pytest.raises(UserError, match=rf"{DAYS[0]}\.json: .*{said}"):
        TickDb(store).prepared(BTC, DAYS[0])


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_the_environment_says_where_object_storage_is(
    store: str, buckets: Buckets, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv(name, buckets.endpoint)
    assert TickDb(store).days(BTC) == DAYS


def test_a_url_says_in_its_parameters_what_the_environment_does_not(
    store: str, buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    url = f"{store}?endpoint_override={buckets.endpoint.removeprefix('http://')}&scheme=http"
    assert TickDb(url).days(BTC) == DAYS
    assert TickDb(url).path(BTC, DAYS[0]).exists()


def test_urls_that_cannot_be_and_a_missing_package_are_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for url, words in (
        ("ftp://somewhere/store", "no store can be there"),
        ("s3://key:secret@bucket/store", "must hold no keys"),
        ("file:///with a space", "no store can be there"),
    ):
        with pytest.raises(UserError, match=words) as caught:
            TickDb(url)
        assert caught.value.exit_code == Exit.CONFIGURATION
        assert "secret@" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install astrarium\[cluster\]"):
        TickDb("s3://bucket/store")


def test_only_a_folder_is_written_to(tmp_path: Path) -> None:
    for words in (("import", tmp_path / "x.gz"), ("synth",)):
        with pytest.raises(
            UserError, match=r"s3://bucket/store: days are written to a folder; `astrarium data copy FOLDER s3://"
        ):
            verb(*words, "--store", "s3://bucket/store")
