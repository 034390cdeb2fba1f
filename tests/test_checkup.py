"""`astrarium doctor --venue`: what it finds at a venue that is well, and at ones that are not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.cli.checkup import LOOKS, checkup
from actors.cli.doctor import Finding
from actors.emulator.running import RunningVenue
from actors.live.admission import RESTRICTIONS
from actors.live.asking import Asker
from actors.live.credentials import Credentials, credentials
from core.codec import WireError
from core.dialect.binance.hosts import VenueTable
from core.dialect.binance.rest import Request
from tests.conftest import ROOT

TABLE = VenueTable("emulator", orders="ws")


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    file: Path = tmp_path_factory.mktemp("venue") / "accounts.toml"
    file.write_text(
        '[[accounts]]\nname = "demo"\n'
        '[[accounts]]\nname = "hedged"\nkey = "hedge-key"\nsecret = "hedge-secret"\nhedge_mode = true\n'
    )
    with RunningVenue("--synth", "7", "--accounts", str(file)) as venue:
        yield venue


def astrarium(*words: str) -> tuple[int, str, str]:
    """The command as a user gives it."""
    run = subprocess.run([sys.executable, "-m", "actors.cli.main", *words], capture_output=True, text=True, cwd=ROOT, check=False)
    return run.returncode, run.stdout, run.stderr


class Answering(Asker):
    """Answers everything the same, and tells what a key may, or nothing of it."""

    def __init__(self, answer: Any, key: Any = None) -> None:
        super().__init__(TABLE, Credentials("k", "s", "a test"))
        self.answer, self.restrictions = answer, key

    def __call__(self, request: Request, base: str = "") -> bytes:
        if request != RESTRICTIONS:
            return json.dumps(self.answer).encode()
        if self.restrictions is None:
            raise WireError("404")
        return json.dumps(self.restrictions).encode()


def bad(findings: list[Finding]) -> list[str]:
    return [one.what for one in findings if not one.good]


def test_a_venue_that_is_well_is_found_well(exchange: RunningVenue) -> None:
    found = list(checkup(TABLE.at(exchange.rest), credentials("emulator", {})))
    assert bad(found) == [], found
    words = {one.what: one.words for one in found}
    assert "facts checked on 20" in words["venue"]
    assert words["position mode"] == "one-way"
    assert {"/public", "/market", "/private", "orders' web socket"} <= words.keys()
    assert words["withdrawals"] == "the key may not withdraw"


def test_hedge_mode_is_refused(exchange: RunningVenue) -> None:
    found = list(checkup(TABLE.at(exchange.rest), Credentials("hedge-key", "hedge-secret", "a test")))
    assert bad(found) == ["position mode"]


def test_a_wrong_secret_is_said_in_the_venues_words_and_not_in_ours(exchange: RunningVenue) -> None:
    found = list(checkup(TABLE.at(exchange.rest), Credentials("demo-key", "a-wrong-secret", "a test")))
    assert "key's use" in bad(found)
    assert "-1022" in next(one.words for one in found if one.what == "key's use")
    assert "a-wrong-secret" not in str(found)


def test_a_wrong_clock_is_measured(exchange: RunningVenue) -> None:
    exchange.set_clock(4_000)
    try:
        found = list(checkup(TABLE.at(exchange.rest), credentials("emulator", {})))
    finally:
        exchange.set_clock(0)
    assert bad(found) == ["clock"], "what is signed is signed with the venue's time"


def test_streams_on_a_road_that_is_none_are_silent_and_that_is_seen(exchange: RunningVenue) -> None:
    crooked = VenueTable("emulator", rest=exchange.rest, stream=f"{exchange.streams}/public", ws_api=exchange.ws_api)
    found = list(checkup(crooked, credentials("emulator", {})))
    assert {"/public", "/market"} & set(bad(found))


def test_nobody_there_ends_it() -> None:
    found = list(checkup(VenueTable("emulator", rest="http://127.0.0.1:1"), credentials("emulator", {})))
    assert [one.what for one in found] == ["venue", "key", "reach"]
    assert bad(found) == ["reach"]


@pytest.mark.parametrize(
    ("look", "answer", "what"),
    [
        ("permissions", {"canTrade": True, "canWithdraw": True}, ["withdrawals"]),
        ("permissions", {"canTrade": False, "canWithdraw": False}, ["trading"]),
        ("locks", {"indicators": {"BTCUSDT": [{"isLocked": True, "indicator": "UFR"}]}}, ["locks"]),
        ("locks", {"indicators": {"BTCUSDT": [{"isLocked": False, "indicator": "UFR"}]}}, []),
        ("filters", {"symbols": []}, ["filters"]),
    ],
)
def test_what_an_account_may_not_be_like(look: str, answer: Any, what: list[str]) -> None:
    assert bad(list(LOOKS[look](Answering(answer)))) == what


@pytest.mark.parametrize("may", [True, False])
def test_the_key_s_own_restrictions_go_before_the_account_s_where_they_are_told(may: bool) -> None:
    found = list(LOOKS["permissions"](Answering({"canTrade": True, "canWithdraw": not may}, {"enableWithdrawals": may})))
    assert bad(found) == (["withdrawals"] if may else [])
    untold = list(LOOKS["permissions"](Answering({"canTrade": True, "canWithdraw": False})))
    assert "not told here" in next(one.words for one in untold if one.what == "withdrawals"), "what was not seen is said"


def test_the_verb_prints_it_with_the_rest_and_ends_with_an_error_where_something_is_wrong(exchange: RunningVenue) -> None:
    code, out, _ = astrarium("doctor", "--venue", "emulator", "--url", exchange.rest, "--json")
    assert code == 0
    assert {"venue", "clock", "withdrawals"} <= {one["what"] for one in json.loads(out)}
    code, _, error = astrarium("doctor", "--venue", "production")
    assert code == 4
    assert "ASTRARIUM_KEY" in error
