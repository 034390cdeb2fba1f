"""Sessions tried whole, at the emulated venue, over real sockets and with real processes that are killed."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.cli.main import main
from tests.trial import Trial

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FAULTS = """
seed = 5
until_seconds = 75
[requests]
answer_lost = 0.02
never_arrived = 0.02
late = 0.01
slow_answer = 0.03
unknown_503 = 0.02
unavailable_503 = 0.01
code_1007 = 0.01
code_1021 = 0.01
race_2011 = 0.03
hidden_2013 = 0.02
late_ms = 4000
[streams]
user_dropped = 0.03
user_repeated = 0.05
user_delayed = 0.05
depth_dropped = 0.002
fill_cut = 0.02
[moments]
market_cut = 1.0
user_cut = 1.5
key_expired = 0.5
order_canceled = 1.0
"""


def ready(status: dict[str, object]) -> bool:
    return not status["states"] and int(str(status["approved"])) > 5


def found(*words: str) -> int:
    """The number of the first process that fits."""
    return int(subprocess.run(["pgrep", *words], capture_output=True, text=True, check=True).stdout.split()[0])


def test_two_strategies_on_two_instruments_under_faults_while_each_kind_of_process_is_killed(tmp_path: Path) -> None:
    with Trial(tmp_path, faults=FAULTS) as trial:
        trial.wait_for(ready)
        kinds: list[Callable[[], int]] = [lambda: trial.pid("account")]
        kinds += [lambda name=place.name: trial.pid(name) for place in trial.folder.read().places()[1:]]  # type: ignore[misc]
        took = []
        for kind in (*kinds, *kinds):
            trial.kill(kind())
            time.sleep(1.0)
            before = trial.approved()
            took.append(trial.wait_for(lambda status, least=before: status["approved"] > least, 60.0))
            time.sleep(3.0)
        assert max(took) < 60.0
        trial.venue.calm()
        time.sleep(20.0)
        trial.stop()
        assert list(trial.violations()) == []
        assert trial.replays() == 0


def test_the_loss_of_ray_itself_costs_no_order_and_no_fill(tmp_path: Path) -> None:
    with Trial(tmp_path, seed=2) as trial:
        trial.wait_for(ready)
        driver = found("-f", f"actors.live.drive {trial.folder.path}")
        trial.kill(found("-P", str(driver), "-f", "raylet/raylet"))
        life = trial.status("account")["pid"]
        trial.wait_for(lambda status: status["pid"] != life and ready(status), 120.0)
        trial.stop()
        assert list(trial.violations()) == []
        assert trial.replays() == 0


def test_the_kill_switch_cancels_everything_with_the_account_alive_and_with_it_dead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Trial(tmp_path, seed=3) as trial:
        trial.wait_for(ready)
        trial.wait_for(lambda status: any(status["orders"].values()))
        assert main(["kill", "--sessions", str(trial.sessions), "--why", "a drill"]) == 0
        assert "nothing is open any more" in capsys.readouterr().out
        assert trial.venue.truth()["accounts"]["demo"]["open_orders"] == []
        status = trial.status()
        assert [one["source"] for one in status["states"]] == ["operator"]
        time.sleep(1.0)
        assert trial.approved() == status["approved"]
        assert main(["tell", "risk", "resume", "Ann", "--sessions", str(trial.sessions)]) == 0
        trial.wait_for(lambda now: now["approved"] > status["approved"])
        trial.wait_for(lambda status: any(status["orders"].values()))
        trial.process.kill()
        for place in reversed(trial.folder.read().places()):
            trial.kill(trial.pid(place.name))
        time.sleep(0.5)
        assert main(["kill", "--sessions", str(trial.sessions)]) == 0
        assert "directly" in capsys.readouterr().out
        assert trial.venue.truth()["accounts"]["demo"]["open_orders"] == []


def test_strategies_are_stopped_started_and_changed_while_others_trade(tmp_path: Path) -> None:
    with Trial(tmp_path, seed=4) as trial:
        trial.wait_for(ready)
        places = [place for place in trial.folder.read().places() if "quoter.BTCUSDT" in place.strategies]

        def strategy() -> dict[str, object]:
            return dict(trial.status(places[0].name)["strategies"]["quoter.BTCUSDT"])

        def told(*words: str) -> None:
            assert main(["tell", "quoter.BTCUSDT", *words, "--sessions", str(trial.sessions)]) == 0
            time.sleep(0.5)

        told("set", "every_ms=100")
        assert strategy()["parameters"]["every_ms"] == 100  # type: ignore[index]
        told("stop")
        time.sleep(2.0)
        assert (strategy()["trading"], strategy()["orders"]) == (False, 0)
        before = trial.approved()
        trial.wait_for(lambda status: status["approved"] > before)
        told("start")
        assert strategy()["trading"] is True
        assert main(["tell", "quoter.BTCUSD", "stop", "--sessions", str(trial.sessions)]) == 2
        trial.stop()
        assert list(trial.violations()) == []


def test_an_end_that_may_leave_orders_behind_is_not_called_a_good_one(tmp_path: Path) -> None:
    with Trial(tmp_path, seed=6) as trial:
        trial.wait_for(ready)
        trial.wait_for(lambda status: any(status["orders"].values()))
        trial.venue.process.kill()
        assert trial.stop()["late"] == ["account"]
        assert trial.process.returncode == 5
        assert "orders still work at the end" in trial.logs()
