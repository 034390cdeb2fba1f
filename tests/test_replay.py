"""`astrarium replay`: a session that was recorded repeats byte for byte, and what does not is told with its cause."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.cli.main import main
from actors.errors import Exit
from actors.live.folder import Folder
from actors.live.placement import ACCOUNT
from actors.live.store import entries
from actors.replay.session import replayed
from core.codec import decode, encode
from core.journal import seal
from core.message import Command, ExecType, ExecutionReport, NewOrderSingle, PositionReport
from core.tape import Entry, read
from tests.recorded import MARKET, OWN, Recording, recorded

STRATEGY = "own.BTCUSDT"


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The verb, as a user types it: its exit code and what it said on stdout and stderr."""

    def call(*words: str) -> tuple[int, str, str]:
        code = main(["replay", "--sessions", str(tmp_path / "sessions"), *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def rewritten(path: Path, change: Callable[[int, Entry], Entry | None]) -> None:
    """Write a tape anew with changed lines; None leaves one out."""
    lines = [change(number, line) for number, line in enumerate(read(entries(path)))]
    kept = [msgspec.msgpack.encode(line) for line in lines if line is not None]
    path.write_bytes(b"".join(seal(number, entry) for number, entry in enumerate(kept)))


def orders(path: Path) -> list[int]:
    """The lines on which the strategy sends a new order."""
    sent = [(number, line) for number, line in enumerate(read(entries(path))) if (line.node, line.way) == (STRATEGY, ">")]
    return [number for number, line in sent if isinstance(decode(line.frame), NewOrderSingle)]


def test_a_session_repeats_byte_for_byte(tmp_path: Path, run: Callable[..., Any]) -> None:
    recorded(tmp_path)
    code, out, err = run()
    assert code == Exit.FINE, out
    assert "equal: " in out
    assert err == ""
    code, out, _ = run("--json")
    told = json.loads(out)
    assert told["equal"]
    assert (told["differences"], told["notes"]) == (0, [])
    took = {one["node"]: one for one in told["nodes"]}
    assert set(took) == {"risk", "gateway:BTCUSDT", "door:BTCUSDT", "normalizer:BTCUSDT", STRATEGY}
    assert all(one["inputs"] > 40 and one["outputs"] > 20 for one in took.values())


def test_the_first_difference_is_named_with_its_cause_and_field_by_field(tmp_path: Path, run: Callable[..., Any]) -> None:
    path = recorded(tmp_path).tape(MARKET, 1)
    at = orders(path)[4]

    def change(number: int, line: Entry) -> Entry:
        if number == at:
            order = decode(line.frame)
            assert isinstance(order, NewOrderSingle)
            order.price += 7
            line.frame = encode(order)
        return line

    rewritten(path, change)
    code, out, _ = run("--most", "1")
    assert code == Exit.ERROR
    lines = out.splitlines()
    (first,) = [
        number for number, line in enumerate(lines) if line.startswith(f"market-BTCUSDT.1.tape, entry {at:,}, {STRATEGY}")
    ]
    assert "cause: at 20" in lines[first + 1]
    assert f"entry {at - 1:,}: Tick BTCUSDT" in lines[first + 1]
    assert "NewOrderSingle, which differ in" in lines[first + 2]
    assert lines[first + 3].split()[0] == "price:"
    was, now = int(lines[first + 3].split()[1]), int(lines[first + 3].split()[3])
    assert was == now + 7
    assert "1 differences" in out
    _, out, _ = run("--json")
    (shown,) = json.loads(out)["shown"]
    assert shown["fields"] == {"price": [str(was), str(now)]}
    assert shown["cause"]["message"]["type"] == "Tick"


def test_a_ticks_digest_that_differs_names_the_frame(tmp_path: Path, run: Callable[..., Any]) -> None:
    path = recorded(tmp_path).tape(MARKET, 1)
    digests = [number for number, line in enumerate(read(entries(path))) if line.way == "#"]

    def change(number: int, line: Entry) -> Entry:
        if number == digests[9]:
            line.frame = bytes(8)
        return line

    rewritten(path, change)
    code, out, _ = run("--node", "normalizer:BTCUSDT")
    assert code == Exit.ERROR
    assert f"entry {digests[9]:,}, normalizer:BTCUSDT" in out
    assert "the frame {" in out
    assert "digest 0000000000000000" in out
    assert STRATEGY not in out


def test_another_parameter_shows_what_it_would_have_changed_of_that_strategy_alone(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    recorded(tmp_path)
    code, out, _ = run("--set", "strategy.offset=5", "--json")
    told = json.loads(out)
    assert code == Exit.ERROR
    assert "strategy.offset=5" in told["notes"][0]
    differ = {one["node"]: one["differences"] for one in told["nodes"] if one["differences"]}
    assert set(differ) == {STRATEGY}
    assert differ[STRATEGY] == told["differences"] > 10
    assert told["shown"][0]["fields"]["price"]
    assert len(told["shown"]) == 10


def test_another_period_is_a_difference_though_nothing_else_is(tmp_path: Path, run: Callable[..., Any]) -> None:
    recorded(tmp_path, "take_ms = 500")
    code, out, _ = run("--set", "strategy.take_ms=700", "--most", "1", "--node", STRATEGY)
    assert code == Exit.ERROR
    assert "it takes the wake 'take', for which it does not ask now" in out


def test_words_that_mean_nothing_are_said_so(tmp_path: Path, run: Callable[..., Any]) -> None:
    recorded(tmp_path, steps=8)
    code, _, err = run("--set", "strategy.ofset=5")
    assert (code, "offset" in err) == (Exit.CONFIGURATION, True)
    code, _, err = run("--node", "gateway:ETHUSDT")
    assert (code, "gateway:BTCUSDT" in err) == (Exit.NOT_FOUND, True)
    code, _, err = run("2020")
    assert (code, "no session '2020'" in err) == (Exit.NOT_FOUND, True)
    assert run("--most", "-1")[0] == Exit.CONFIGURATION
    assert run(str(tmp_path / "sessions" / "s0"))[0] == Exit.FINE


def test_code_that_has_changed_is_told_first_and_what_it_changes_is_shown(tmp_path: Path, run: Callable[..., Any]) -> None:
    recorded(tmp_path)
    (tmp_path / "own.py").write_text(OWN.replace("% 3 == 0", "% 4 == 0"))
    code, out, _ = run("--node", STRATEGY)
    assert code == Exit.ERROR
    assert out.startswith("the code has changed since")


def test_a_strategy_that_fails_only_now_is_a_difference_with_its_exception(tmp_path: Path, run: Callable[..., Any]) -> None:
    recorded(tmp_path)
    code, out, _ = run("--set", "strategy.fail_at=9", "--most", "1")
    assert code == Exit.ERROR
    assert "it fails now: RuntimeError: no more" in out
    assert "RuntimeError: no more │" in out


def test_a_strategy_that_failed_live_fails_again_and_that_is_equal(tmp_path: Path, run: Callable[..., Any]) -> None:
    recorded(tmp_path, "fail_at = 30")
    code, out, _ = run()
    assert code == Exit.FINE, out
    assert "RuntimeError: no more" in out
    assert run("--set", "strategy.fail_at=0")[0] == Exit.ERROR


def test_a_tape_that_was_torn_by_a_kill_is_equal(tmp_path: Path, run: Callable[..., Any]) -> None:
    folder = recorded(tmp_path)
    for path in (folder.tape(MARKET, 1), folder.tape(ACCOUNT)):
        size = path.stat().st_size
        for less in range(1, 2_000, 97):
            os.truncate(path, size - less)
            found = replayed(Folder(folder.path))
            assert found.exit_code == Exit.FINE, found.shown
    code, out, _ = run()
    assert code == Exit.FINE
    assert "ends within a record" in out


def test_a_damaged_tape_says_where_and_the_others_are_replayed(tmp_path: Path, run: Callable[..., Any]) -> None:
    path = recorded(tmp_path).tape(MARKET, 1)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    code, out, _ = run()
    assert code == Exit.CONFIGURATION
    assert "market-BTCUSDT.1.tape is damaged: record " in out
    assert " at byte " in out
    _, out, _ = run("--json")
    assert {one["node"]: one["outputs"] for one in json.loads(out)["nodes"]}["risk"] > 0


def test_an_entry_of_another_version_says_which(tmp_path: Path, run: Callable[..., Any]) -> None:
    path = recorded(tmp_path, steps=8).tape(ACCOUNT)
    with path.open("ab") as file:
        count = sum(1 for _ in entries(path))
        file.write(seal(count, msgspec.msgpack.encode(Entry(1, "risk", "<", b"\x91\xa2ZZ"))))
    code, out, _ = run()
    assert code == Exit.CONFIGURATION
    assert "of another version: entry" in out


def test_each_life_of_a_markets_host_is_replayed_with_fresh_nodes_and_the_accounts_lives_as_one(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    recording = Recording(tmp_path)
    recording.begin_account()
    recording.begin_market(1)
    recording.trade(80)
    recording.kill(MARKET)
    recording.trade(4)
    recording.begin_market(2)
    recording.trade(80)
    recording.kill(ACCOUNT)
    recording.begin_account()
    recording.trade(80)
    recording.end()
    code, out, _ = run("--json")
    told = json.loads(out)
    assert code == Exit.FINE, told["shown"]
    assert [(one["host"], one["epoch"], one["lives"]) for one in told["tapes"]] == [
        (ACCOUNT, 0, 2),
        (MARKET, 1, 1),
        (MARKET, 2, 1),
    ]
    assert [one["epoch"] for one in told["nodes"] if one["node"] == STRATEGY] == [1, 2]
    assert min(one["outputs"] for one in told["nodes"]) > 10


def test_an_account_that_was_killed_in_the_middle_of_a_write_and_came_back_is_equal(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    recording = Recording(tmp_path)
    recording.begin_account()
    recording.begin_market(1)
    recording.trade(100)
    recording.kill(ACCOUNT)
    path = recording.folder.tape(ACCOUNT)
    lines = [*read(entries(path))]
    last = max(number for number, line in enumerate(lines) if (line.node, line.way) == ("risk", ">"))
    content = b"".join(seal(number, entry) for number, entry in enumerate([*entries(path)][:last]))
    path.write_bytes(content + b"\x10\x00\x00")
    recording.begin_account()
    recording.trade(60)
    recording.end()
    code, out, _ = run("--json")
    told = json.loads(out)
    assert code == Exit.FINE, told["shown"]
    assert sum(one["unwritten"] for one in told["nodes"]) == 0, "the next life writes down what the torn tape had not"


def test_the_shadow_trades_the_recorded_market_and_what_differs_stands_beside_it(tmp_path: Path, run: Callable[..., Any]) -> None:
    folder = recorded(tmp_path, "take_ms = 500", steps=400)
    code, out, _ = run("--shadow", "--json")
    assert code == Exit.FINE
    told = json.loads(out)
    (pair,) = told["pairs"]
    live, shadow = pair["live"], pair["shadow"]
    reports = [decode(line.frame) for line in read(entries(folder.tape(ACCOUNT))) if (line.node, line.way) == ("risk", "<")]
    fills = [one for one in reports if isinstance(one, ExecutionReport) and one.exec_type == ExecType.TRADE]
    lots = sum(one.last_qty for one in fills)
    assert live["fills"] == len(fills) > 10
    assert live["bought"] == pytest.approx(lots / 1_000)
    assert live["buy_price"] == pytest.approx(sum(one.last_qty * one.last_px for one in fills) / lots / 10)
    assert (live["position"], live["sold"], live["sell_price"]) == (live["bought"], 0, None)
    assert [live[name] for name in ("requests", "fills", "bought", "position")] == [
        shadow[name] for name in ("requests", "fills", "bought", "position")
    ]
    assert 0 <= live["buy_price"] - shadow["buy_price"] <= 2
    assert shadow["fees"] == pytest.approx(0.0005 * shadow["bought"] * shadow["buy_price"], rel=1e-3)
    last = (live["bought"] * live["buy_price"]) + live["pnl"]
    assert shadow["pnl"] == pytest.approx(last - shadow["bought"] * shadow["buy_price"] - shadow["fees"], abs=1e-6)
    assert {"market impact", "queue", "order latency", "paper"} <= set(told["assumptions"])
    page = Path(told["page"]).read_text()
    assert page.count('class="plot"') == 1
    assert "own.BTCUSDT" in page
    code, out, _ = run("--shadow")
    assert code == Exit.FINE
    assert f"{live['fills']}" in next(line for line in out.splitlines() if "fills" in line)


def test_the_shadow_of_another_parameter_and_of_orders_that_wait(tmp_path: Path, run: Callable[..., Any]) -> None:
    recorded(tmp_path, steps=300)
    _, out, _ = run("--shadow", "--json")
    (pair,) = json.loads(out)["pairs"]
    assert pair["live"]["fills"] > pair["shadow"]["fills"]
    _, out, _ = run("--shadow", "--json", "--set", "strategy.take_ms=200")
    told = json.loads(out)
    assert told["pairs"][0]["shadow"]["fills"] > 10
    assert "strategy.take_ms=200" in told["assumptions"]["parameters"]


def test_a_later_life_pauses_the_shadow_and_an_opening_position_is_its_beginning(tmp_path: Path, run: Callable[..., Any]) -> None:
    recording = Recording(tmp_path, "take_ms = 500")
    recording.begin_account()
    recording.hosts[ACCOUNT].hand("risk", PositionReport("BTCUSDT", 0, 1, 1, STRATEGY, 50, 50 * 639_500))
    recording.begin_market(1)
    recording.trade(200)
    recording.kill(MARKET)
    recording.trade(8)
    recording.begin_market(2)
    recording.trade(200)
    recording.end()
    _, out, _ = run("--shadow", "--json")
    told = json.loads(out)
    (pair,) = told["pairs"]
    assert pair["live"]["position"] == pytest.approx(0.05 + pair["live"]["bought"])
    assert pair["shadow"]["position"] == pytest.approx(0.05 + pair["shadow"]["bought"])
    assert abs(pair["live"]["fills"] - pair["shadow"]["fills"]) <= 1
    assert "own.BTCUSDT 2 times" in told["assumptions"]["restarts"]


def test_a_shadow_whose_strategy_fails_ends_there_and_says_so(tmp_path: Path, run: Callable[..., Any]) -> None:
    recorded(tmp_path, steps=300)
    code, out, _ = run("--shadow", "--json", "--set", "strategy.fail_at=20")
    told = json.loads(out)
    assert code == Exit.FINE
    assert "RuntimeError: no more (own.py:" in told["assumptions"]["the record"]


def test_a_kill_halts_the_shadow_when_it_halted_live(tmp_path: Path, run: Callable[..., Any]) -> None:
    recording = Recording(tmp_path, "take_ms = 500")
    recording.begin_account()
    recording.begin_market(1)
    recording.trade(200)
    recording.hosts[ACCOUNT].hand("risk", Command(verb="kill", argument="enough"))
    recording.trade(200)
    recording.end()
    assert run()[0] == Exit.FINE
    _, out, _ = run("--shadow", "--json")
    (pair,) = json.loads(out)["pairs"]
    assert 5 < pair["live"]["fills"] == pair["shadow"]["fills"] < 12


def test_an_account_that_came_back_tells_positions_again_and_they_count_once(tmp_path: Path, run: Callable[..., Any]) -> None:
    recording = Recording(tmp_path, "take_ms = 500")
    recording.begin_account()
    recording.begin_market(1)
    recording.trade(200)
    recording.kill(ACCOUNT)
    recording.begin_account()
    recording.trade(200)
    recording.end()
    _, out, _ = run("--shadow", "--json")
    (pair,) = json.loads(out)["pairs"]
    for side in ("live", "shadow"):
        assert pair[side]["fills"] > 10
        assert pair[side]["position"] == pytest.approx(pair[side]["bought"])


def test_a_shadow_without_a_recorded_market_says_so(tmp_path: Path, run: Callable[..., Any]) -> None:
    folder = recorded(tmp_path, steps=8)
    for path in folder.market.glob("*"):
        path.unlink()
    code, _, err = run("--shadow")
    assert (code, "holds no market" in err) == (Exit.NOT_FOUND, True)
    folder.tape(ACCOUNT).write_bytes(b"\x00" * 64 + folder.tape(ACCOUNT).read_bytes())
    code, _, err = run("--shadow")
    assert (code, "is damaged" in err) == (Exit.CONFIGURATION, True)
