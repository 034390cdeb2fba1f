"""Ray workers: the same digests however many, a killed one's day again and once, a host that is a Ray actor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from actors.backtest import Outcome, backtest
from actors.crew import RETRIES
from actors.graph import read
from actors.sim.host import SimHost
from actors.tasks import Task, job
from actors.work import Died, Word
from tests.days import DAY_S, graph
from tests.test_host import ordered_trace, tangle

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own warnings are not ours


class Deaths:
    """A watcher that counts workers' deaths."""

    def __init__(self) -> None:
        self.seen: list[Word] = []

    def begin(self, tasks: list[Task], resumed: int, days: int) -> None:
        self.days = days

    def see(self, task: Task, number: int, word: Word) -> None:
        self.seen.append(word)

    @property
    def count(self) -> int:
        return sum(isinstance(word, Died) for word in self.seen)


def run(folder: Path, store: Path, workers: int, *overrides: str, watcher: Deaths | None = None) -> Outcome:
    plan = read(graph(folder), overrides)
    return backtest(job(plan, store, "", ["BTCUSDT", "ETHUSDT"]), folder / f"results{workers}", workers, "", workers > 0, watcher)


def test_one_worker_two_workers_and_none_give_the_same_digests(tmp_path: Path, small_store: Path) -> None:
    outcomes = [run(tmp_path, small_store, workers) for workers in (0, 1, 2)]
    found = [[(day["day"], day["instruments"], day["digest"], day["pnl"]) for day in one.days] for one in outcomes]
    assert found[0] == found[1] == found[2]
    assert len({one.run_id for one in outcomes}) == 1
    assert len({day["worker_pid"] for day in outcomes[2].days}) == 2


def test_a_killed_workers_day_is_done_again_and_counted_once(
    tmp_path: Path, small_store: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    watcher = Deaths()
    calm = run(tmp_path / "calm", small_store, 0)
    hit = run(tmp_path / "hit", small_store, 2, f'strategy.kill_flag="{tmp_path / "killed"}"', watcher=watcher)
    assert watcher.count == 1
    assert [day["digest"] for day in hit.days] == [day["digest"] for day in calm.days]
    assert not hit.failed
    assert not capfd.readouterr().out


def test_a_day_that_kills_every_worker_fails_with_that_cause_and_the_rest_completes(tmp_path: Path, small_store: Path) -> None:
    watcher = Deaths()
    outcome = run(tmp_path, small_store, 2, f"strategy.kill_at_s={DAY_S['2024-01-03'] + 5}", watcher=watcher)
    assert [day["status"] for day in outcome.days] == ["done"] * 4 + ["failed"] * 2
    assert watcher.count == 2 * RETRIES
    assert outcome.failed[0]["cause"] == "its worker died 4 times: killed, or out of memory"


def test_a_killed_driver_leaves_whole_days_and_no_processes_and_is_resumed(tmp_path: Path, small_store: Path) -> None:
    flag = tmp_path / "waits"
    path = graph(tmp_path)
    code = (
        "import sys; from actors.backtest import backtest; from actors.graph import read; from actors.tasks import job\n"
        "backtest(job(read(sys.argv[1], [sys.argv[4]]), sys.argv[2]), sys.argv[3], 1)"
    )
    override = f'strategy.wait_flag="{flag}"'
    arguments = [sys.executable, "-c", code, str(path), str(small_store), str(tmp_path / "results"), override]
    driver = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    worker = _wait_for(flag)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    for _ in range(200):
        if not Path(f"/proc/{worker}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists()
    (folder,) = (tmp_path / "results").iterdir()
    for day in (folder / "days").iterdir():
        assert json.loads((day / "day.json").read_text())["status"] == "done"
    outcome = backtest(job(read(path, [override]), small_store), tmp_path / "results", ray=False)
    assert [day["status"] for day in outcome.days] == ["done"] * 3
    assert outcome.result.path == folder


def _wait_for(flag: Path) -> int:
    for _ in range(600):
        if flag.exists() and flag.read_text():
            return int(flag.read_text())
        time.sleep(0.1)
    raise AssertionError("no worker ever reached the strategy")


class Stage:
    """The edge of Ray: a simulated host with its nodes, made where it lives."""

    def __init__(self) -> None:
        self.host, self.trace = tangle()

    def run(self) -> tuple[str, int]:
        """Run to the end; the trace it left, and in which process."""
        assert type(self.host) is SimHost
        self.host.run()
        return self.trace.hex(), os.getpid()


def test_the_same_host_class_runs_as_a_ray_actor() -> None:
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    import ray

    ray.init(
        address="local",
        num_cpus=1,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        _node_ip_address="127.0.0.1",
    )
    try:
        digest, pid = ray.get(ray.remote(Stage).remote().run.remote())
    finally:
        ray.shutdown()
    assert digest == ordered_trace()
    assert pid != os.getpid()
