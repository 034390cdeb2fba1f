"""A run on a cluster of several Ray nodes: the same digests, machines that die or are refused, terminals that come back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.backtest import backtest
from actors.graph import read
from actors.tasks import job
from tests.conftest import ROOT
from tests.days import graph

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own warnings are not ours
AT = "127.0.0.1"
MB = 1 << 20


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A head without cores, and whatever nodes a test adds."""
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray stays on loopback
    from ray.cluster_utils import Cluster

    settings = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 80 * MB, "node_ip_address": AT}
    made = Cluster(initialize_head=True, head_node_args=settings)
    try:
        yield made
    finally:
        made.shutdown()


def node(cluster: Any, cpus: int = 1, **more: Any) -> Any:
    return cluster.add_node(num_cpus=cpus, object_store_memory=80 * MB, node_ip_address=AT, **more)


@pytest.fixture
def two(cluster: Any) -> Iterator[list[Any]]:
    """Two workers, which a test may take away."""
    nodes = [node(cluster), node(cluster)]
    yield nodes
    for one in nodes:
        if one in cluster.worker_nodes:
            cluster.remove_node(one, allow_graceful=False)


class Terminal:
    """`astrarium backtest --address` as its user types it."""

    def __init__(self, cluster: Any, folder: Path, store: Path, *more: str, results: str = "results") -> None:
        self.results = folder / results
        command = [sys.executable, "-m", "actors.cli.main", "backtest", str(graph(folder)), "--store", str(store)]
        command += [
            "--instruments",
            "BTCUSDT,ETHUSDT",
            "--results",
            str(self.results),
            "--address",
            cluster.address,
            "--json",
            *more,
        ]
        self.said = folder / f"{results}.said"
        with self.said.open("a") as said:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=said, text=True)

    def end(self) -> dict[str, Any]:
        """Wait for its end; what it printed."""
        out, _ = self.process.communicate(timeout=240)
        assert out, self.said.read_text()
        return json.loads(out)  # type: ignore[no-any-return]

    def until(self, words: str) -> None:
        """Wait until it says something."""
        for _ in range(1200):
            if words in self.said.read_text():
                return
            assert self.process.poll() is None, self.said.read_text()
            time.sleep(0.1)
        raise AssertionError(self.said.read_text())


def digests(outcome: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(day["day"], day["instrument"], day["digest"]) for day in outcome["days"]]


def calm(folder: Path, store: Path, *overrides: str) -> list[tuple[str, str, str]]:
    plan = read(graph(folder), overrides)
    return digests(backtest(job(plan, store, "", ["BTCUSDT", "ETHUSDT"]), folder / "calm", ray=False).json())


def reached(flag: Path) -> int:
    """The process of the worker that waits at a flag."""
    for _ in range(1200):
        if flag.exists() and flag.read_text():
            return int(flag.read_text())
        time.sleep(0.1)
    raise AssertionError("no worker ever reached the strategy")


@pytest.mark.usefixtures("two")
def test_days_on_two_machines_have_the_digests_of_one_process(cluster: Any, tmp_path: Path, small_store: Path) -> None:
    terminal = Terminal(cluster, tmp_path, small_store)
    assert digests(terminal.end()) == calm(tmp_path, small_store)
    assert " part: " in terminal.said.read_text()
    assert terminal.process.returncode == 0


def test_a_machine_that_dies_costs_what_it_had_begun_with(
    cluster: Any, two: list[Any], tmp_path: Path, small_store: Path
) -> None:
    flag = tmp_path / "waits"
    terminal = Terminal(cluster, tmp_path, small_store, "--set", f'strategy.wait_flag="{flag}"')
    worker = reached(flag)
    mine = next(one for one in two if parent(Path(f"/proc/{worker}")) == one.all_processes["raylet"][0].process.pid)
    cluster.remove_node(mine, allow_graceful=False)
    outcome = terminal.end()
    assert digests(outcome) == calm(tmp_path, small_store, f'strategy.wait_flag="{flag}"')
    said = terminal.said.read_text()
    assert "is lost; the day that it had begun with is done again elsewhere" in said or "its worker died; done again (1)" in said


def parent(path: Path) -> int:
    return int((path / "stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.usefixtures("two")
def test_a_terminal_that_dies_comes_back_to_its_run_which_went_on(cluster: Any, tmp_path: Path, small_store: Path) -> None:
    flag = tmp_path / "waits"
    arguments = ("--set", f'strategy.wait_flag="{flag}"')
    terminal = Terminal(cluster, tmp_path, small_store, *arguments)
    worker = reached(flag)
    terminal.process.send_signal(signal.SIGKILL)
    terminal.process.wait()
    os.kill(worker, 0)  # the day that it had begun with goes on without it
    again = Terminal(cluster, tmp_path, small_store, *arguments)
    again.until(" part: ")  # the keeper says so once: it is the first terminal's, if that had not taken it in
    os.kill(worker, signal.SIGKILL)
    outcome = again.end()
    assert digests(outcome) == calm(tmp_path, small_store, *arguments[1:])
    assert "its worker died; done again (1)" in again.said.read_text()


@pytest.mark.usefixtures("two")
def test_a_terminal_elsewhere_takes_a_run_over_and_is_handed_what_the_other_one_had_written_down(
    cluster: Any, tmp_path: Path, small_store: Path
) -> None:
    flag = tmp_path / "waits"
    arguments = ("--set", f'strategy.wait_flag="{flag}"')
    here = Terminal(cluster, tmp_path, small_store, *arguments)
    worker = reached(flag)
    while len(list(here.results.glob("*/days/*/day.json"))) < 3:
        time.sleep(0.1)
    there = Terminal(cluster, tmp_path, small_store, *arguments, results="elsewhere")
    assert here.process.wait(timeout=120) == 1
    assert "another terminal has taken this run over" in here.said.read_text()
    os.kill(worker, signal.SIGKILL)
    assert digests(there.end()) == calm(tmp_path, small_store, arguments[1])
    assert "keeper was lost" not in there.said.read_text()


@pytest.mark.usefixtures("two")
def test_ctrl_c_ends_the_run_on_the_cluster_too(cluster: Any, tmp_path: Path, small_store: Path) -> None:
    flag = tmp_path / "waits"
    terminal = Terminal(cluster, tmp_path, small_store, "--set", f'strategy.wait_flag="{flag}"')
    worker = reached(flag)
    terminal.process.send_signal(signal.SIGINT)
    terminal.process.wait(timeout=60)
    for _ in range(300):
        if not Path(f"/proc/{worker}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists()


@pytest.mark.usefixtures("two")
def test_a_keeper_that_is_killed_is_replaced_and_nothing_is_missing(cluster: Any, tmp_path: Path, small_store: Path) -> None:
    flag = tmp_path / "waits"
    terminal = Terminal(cluster, tmp_path, small_store, "--set", f'strategy.wait_flag="{flag}"')
    reached(flag)
    raylet = cluster.head_node.all_processes["raylet"][0].process.pid
    (keeper,) = [
        path for path in Path("/proc").glob("[0-9]*") if named(path).startswith(b"ray::Keeper") and parent(path) == raylet
    ]
    os.kill(int(keeper.name), signal.SIGKILL)
    assert digests(terminal.end()) == calm(tmp_path, small_store, f'strategy.wait_flag="{flag}"')
    assert "another one begins" in terminal.said.read_text()


def named(path: Path) -> bytes:
    try:
        return (path / "cmdline").read_bytes()
    except OSError:
        return b""


def test_a_machine_with_other_packages_is_given_nothing(cluster: Any, tmp_path: Path, small_store: Path) -> None:
    other = tmp_path / "site" / "msgspec-0.0.1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: msgspec\nVersion: 0.0.1\n")
    nodes = [node(cluster, env_vars={"PYTHONPATH": str(other.parent)}), node(cluster)]
    try:
        terminal = Terminal(cluster, tmp_path, small_store)
        assert digests(terminal.end()) == calm(tmp_path, small_store)
    finally:
        for one in nodes:
            cluster.remove_node(one, allow_graceful=False)
    assert "is given no days: it has msgspec 0.0.1, the run began with" in terminal.said.read_text()


def test_a_day_whose_data_is_not_what_the_run_began_with_fails_alone(cluster: Any, tmp_path: Path, small_store: Path) -> None:
    """The store was rebuilt between the beginning of the run and the day: here by a file that is exchanged meanwhile."""
    store = tmp_path / "store"
    shutil.copytree(small_store, store)
    terminal = Terminal(cluster, tmp_path, store)
    terminal.until("waiting for machines")
    day = next(store.glob("*/ETHUSDT/2024-01-01.h5"))
    day.write_bytes(next(store.glob("*/ETHUSDT/2024-01-02.h5")).read_bytes())
    one = node(cluster)
    try:
        outcome = terminal.end()
    finally:
        cluster.remove_node(one, allow_graceful=False)
    assert terminal.process.returncode == 1
    (failed,) = [day for day in outcome["days"] if day["status"] != "done"]
    assert (failed["day"], failed["instrument"]) == ("2024-01-01", "ETHUSDT")
    assert "no machine may do it: it sees other data of binance_usdm:ETHUSDT 2024-01-01" in failed["cause"]
