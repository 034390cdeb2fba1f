"""`astrarium data copy` and the other `data` verbs over a URL, as a user meets them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from actors.cli.data import app
from actors.cli.doctor import doctor
from actors.errors import Exit, UserError
from actors.history.synth import synthesize
from tests.buckets import Buckets
from tests.days import DAY_S

DAYS = list(DAY_S)


@pytest.fixture
def url(buckets: Buckets, tmp_path: Path) -> str:
    """Where nothing is yet."""
    return buckets.url(tmp_path.name)


def said(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, Any]:
    capsys.readouterr()
    code = app([str(word) for word in (*words, "--json")], result_action="return_value")
    return code, json.loads(capsys.readouterr().out)


def states(document: Any) -> list[str]:
    return [row["state"] for row in document["days"]]


def test_only_what_is_missing_or_changed_is_copied(
    url: str, small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], buckets: Buckets
) -> None:
    code, document = said(capsys, "copy", small_store, url, "--days", DAYS[0], "--instruments", "BTCUSDT,ETHUSDT")
    assert (code, states(document)) == (0, ["copied"] * 2)
    mine = tmp_path / "mine"
    shutil.copytree(small_store, mine)
    code, document = said(capsys, "copy", mine, url)
    assert (code, states(document)) == (0, ["there", "copied", "copied"] * 2)
    shutil.rmtree(mine / "binance_usdm/ETHUSDT")
    synthesize(mine, "ETHUSDT", days=1, events=10_000, seed=9)
    buckets.asked.clear()
    code, document = said(capsys, "copy", mine, url)
    assert (code, states(document)) == (0, ["there"] * 3 + ["copied"])
    written = [one.rpartition("/")[2] for one in buckets.asked if one.startswith(("PUT", "POST"))]
    assert list(dict.fromkeys(reversed(written))) == [f"{DAYS[0]}.json", f"{DAYS[0]}.h5"]
    assert written[0] == f"{DAYS[0]}.json"  # emptied before its day is replaced
    assert app(["copy", str(mine), url], result_action="return_value") == 0
    assert "binance_usdm:ETHUSDT" in capsys.readouterr().out


def test_a_damaged_day_is_named_and_the_others_are_copied(
    url: str, small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(small_store, mine)
    (mine / "binance_usdm/BTCUSDT" / f"{DAYS[1]}.h5").write_bytes(b"nothing of ours")
    code = app(["copy", str(mine), url, "--instruments", "BTCUSDT", "--json"], result_action="return_value")
    out, err = capsys.readouterr()
    assert (code, states(json.loads(out))) == (Exit.ERROR, ["copied", "failed", "copied"])
    assert f"{DAYS[1]}.h5: damaged" in err


def test_what_the_source_does_not_have_is_said(url: str, small_store: Path, tmp_path: Path) -> None:
    for words, why in (
        ((small_store, url, "--days", "2025-01-01"), "no day of 2025-01-01 is stored"),
        ((small_store, url, "--instruments", "XRPUSDT"), "no such instrument"),
        ((tmp_path / "none", url), "holds no days"),
    ):
        with pytest.raises(UserError, match=why):
            app(["copy", *map(str, words)], result_action="return_value")


def test_a_folder_on_a_share_gets_its_sidecars_in_place(
    small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    share = tmp_path / "share"
    shutil.copytree(small_store, share, ignore=shutil.ignore_patterns("*.prepared"))
    days = {path: path.read_bytes() for path in share.rglob("*.h5")}
    code, document = said(capsys, "copy", share, share.as_uri())
    assert (code, states(document)) == (0, ["copied"] * 6)
    assert {path: path.read_bytes() for path in share.rglob("*.h5")} == days
    assert len(list(share.rglob("*.json"))) == 6
    assert not list(share.rglob("*.part"))


def test_list_and_check_and_show_say_the_same_of_a_url(
    url: str, small_store: Path, capsys: pytest.CaptureFixture[str], buckets: Buckets
) -> None:
    said(capsys, "copy", small_store, url)
    buckets.asked.clear()
    here, there = (said(capsys, "list", "--store", one) for one in (small_store, url))
    assert here[1]["days"] == there[1]["days"]
    assert there[1]["store"] == url
    assert not buckets.fetched()
    for words in (("check", "BTCUSDT"), ("check", "--days", DAYS[0])):
        here, there = (said(capsys, *words, "--store", one) for one in (small_store, url))
        assert here[1]["days"] == there[1]["days"]
    show = ("show", "BTCUSDT", "--days", DAYS[0], "--kind", "book")
    assert said(capsys, *show, "--store", url) == said(capsys, *show, "--store", small_store)


def test_the_doctor_looks_at_a_url(url: str, small_store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "copy", small_store, url, "--instruments", "BTCUSDT")
    doctor(store=url, json=True)
    found = {row["what"]: row for row in json.loads(capsys.readouterr().out)}
    assert found["binance_usdm:BTCUSDT"]["words"] == f"3 days to {DAYS[2]}, the last with book"
    doctor(store="ftp://nowhere/store", json=True)
    found = {row["what"]: row for row in json.loads(capsys.readouterr().out)}
    assert not found["store"]["good"]
