"""What takes long: each kind of process killed five times under load."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.test_live_trading import FAULTS, found, ready
from tests.trial import Trial

BACK_S = 120.0


def soon(pid: Callable[[], int], old: int = 0) -> int:
    """The number of a process, another one than `old`, as soon as there is one."""
    end = time.monotonic() + BACK_S
    while time.monotonic() < end:
        try:
            if (number := pid()) != old:
                return number
        except (subprocess.CalledProcessError, AssertionError):
            pass
        time.sleep(0.2)
    raise AssertionError(f"no process in the place of {old} within {BACK_S} s")


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_each_kind_of_process_killed_five_times_under_load(tmp_path: Path) -> None:
    """Hosts, Ray's raylet and head, the table of names, the driver, the venue's connections: no fill lost, no order doubled."""
    with Trial(tmp_path, seed=8, faults=FAULTS.replace("until_seconds = 75", "until_seconds = 0"), seconds=3_500) as trial:
        trial.wait_for(ready)

        def driver() -> int:
            return found("-f", f"actors.live.drive {trial.folder.path}")

        kinds: dict[str, Callable[[], int]] = {
            place.name: lambda name=place.name: trial.pid(name)  # type: ignore[misc]
            for place in trial.folder.read().places()
        }
        kinds |= {
            "raylet": lambda: found("-P", str(driver()), "-f", "raylet/raylet"),
            "head": lambda: found("-P", str(driver()), "-f", "gcs/gcs_server"),
            "names": lambda: found("-f", "ray::Names"),
            "driver": driver,
        }
        took: dict[str, list[float]] = {}
        for _ in range(5):
            for name, pid in kinds.items():
                old = soon(pid)
                trial.kill(old)
                began = time.monotonic()
                soon(pid, old)
                before = trial.approved()
                trial.wait_for(lambda now, least=before: now["approved"] > least, BACK_S)
                took.setdefault(name, []).append(time.monotonic() - began)
                time.sleep(3.0)
        print({name: [round(one, 1) for one in times] for name, times in took.items()})
        trial.venue.calm()
        time.sleep(30.0)
        trial.stop()
        assert list(trial.violations()) == []
        assert trial.replays() == 0
