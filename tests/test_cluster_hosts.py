"""A cluster on hosts of its own, from `ray up` to `ray down`, and what happens to a run when a host goes wrong in its middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.backtest import backtest
from actors.graph import read
from actors.history.synth import synthesize
from actors.tasks import job
from tests.cluster_hosts import HOME, QUIET, first_child, hosts, missing, until
from tests.conftest import ROOT
from tests.launched import FILE, Launched, launched

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900), pytest.mark.skipif(bool(missing()), reason=missing())]

DAYS = 12
FEW = 4
HOUR_S = 3600
DISK_MB = 400
GRAPH = """
name = "patient"
instruments = ["BTCUSDT"]

[strategy]
use = "patient.py:Patient"
"""
STRATEGY = '''
"""Joins the best quotes with one order a side, and takes its time, so that something can happen to its machine meanwhile."""

import time
from pathlib import Path

from core.message import Timer
from core.price import BUY, SELL
from core.strategy import GTX, MS, Strategy


class Patient(Strategy):
    order_qty: float = 0.01
    rest_ms: float = 0.0  # of a machine's time, every tenth of a simulated second
    begun: str = ""  # a file that takes a line a day that is begun

    def on_start(self) -> None:
        if self.begun:
            with Path(self.begun).open("a") as file:
                file.write("another\\n")
        self.every(100 * MS, "quote")

    def on_timer(self, timer: Timer) -> None:
        time.sleep(self.rest_ms / 1000)
        tick = self.tick
        sides = {order.side for order in self.orders.values()}
        for side, price in ((BUY, tick.bid), (SELL, tick.ask)):
            if tick.two_sided and side not in sides:
                self.order(side, price, self.lots(self.order_qty), tif=GTX)
        for order in tuple(self.orders.values()):
            if order.acknowledged and order.price not in (tick.bid, tick.ask):
                self.cancel(order)
'''


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """A head and two workers: the first has a small disk, the second's clock is an hour ahead."""
    with (
        hosts(tmp_path_factory.mktemp("hosts"), {}, {"disk_mb": DISK_MB}, {"clock_s": HOUR_S}) as made,
        launched(made) as cluster,
    ):
        (made.shared / "graph").mkdir()
        (made.shared / "graph" / "patient.py").write_text(STRATEGY)
        (made.shared / "graph" / "patient.toml").write_text(GRAPH)
        synthesize(made.shared / "store", "BTCUSDT", days=DAYS, events=10_000, seed=1)
        yield cluster


@pytest.fixture(scope="module")
def calm(cluster: Launched, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every day's digest, as one process has them."""
    work = job(read(cluster.shared / "graph" / "patient.toml"), cluster.shared / "store")
    return [day["digest"] for day in backtest(work, tmp_path_factory.mktemp("calm"), ray=False).days]


class Driver:
    """`astrarium backtest` on the terminal's machine, by Ray's client. The same name is the same command."""

    def __init__(self, cluster: Launched, name: str, days: int = DAYS) -> None:
        self.cluster, self.name = cluster, name
        self.results = cluster.shared / "results" / name
        command = f"cd {ROOT} && exec python -m actors.cli.main {backtest_of(name, cluster.address, days)}"
        self.process = cluster.terminal.begin(command, f"{name}.log")

    @property
    def words(self) -> str:
        """All that it said, however often it was begun."""
        return (self.cluster.terminal.folder / f"{self.name}.log").read_text()

    @property
    def begun(self) -> int:
        """How many days were begun, on whatever host."""
        return (self.cluster.shared / f"{self.name}.begun").read_text().count("\n")

    def at(self, days: int) -> None:
        """Wait until so many days are kept."""
        until(lambda: self.process.poll() is not None or len(kept(self.results)) >= days, f"{days} days are done", 400)
        assert self.process.poll() is None, self.words

    def die(self) -> None:
        """Kill it, as a terminal's machine that loses its power does."""
        os.kill(first_child(self.process), signal.SIGKILL)
        self.process.wait()

    def end(self) -> list[str]:
        """Wait for the end of the run; every day's digest."""
        try:
            code = self.process.wait(400)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(self.words) from error
        assert code == 0, self.words
        return kept(self.results)


def backtest_of(name: str, address: str, days: int) -> str:
    """The command after `astrarium`, on whatever host: everything is in the folder that all share."""
    files = f"/srv/graph/patient.toml --store /srv/store --results /srv/results/{name} --set strategy.begun=/srv/{name}.begun"
    return f"backtest {files} --set strategy.rest_ms=6 --days 2024-01-01:2024-01-{days:02d} --json --address {address}"


def kept(results: Path) -> list[str]:
    """The digests of the days that are kept by now, in order."""
    days = [json.loads(path.read_text()) for path in results.glob("*/days/*/day.json")]
    return [day["digest"] for day in sorted(days, key=lambda day: day["day"])]


def test_a_run_on_hosts_has_the_digests_of_one_process(cluster: Launched, calm: list[str]) -> None:
    """One worker's clock is an hour ahead, which no simulated day reads."""
    assert len(calm) == DAYS
    driver = Driver(cluster, "calm")
    assert driver.end() == calm
    assert driver.begun == DAYS
    assert f"{cluster.workers[1].name} ({cluster.workers[1].address}): its clock is" in driver.words


def test_a_host_that_dies_costs_the_day_that_it_did(cluster: Launched, calm: list[str]) -> None:
    driver = Driver(cluster, "dies")
    driver.at(3)
    cluster.workers[1].kill()
    assert driver.end() == calm
    assert driver.begun <= DAYS + 1
    assert f"({cluster.workers[1].address}) is lost" in driver.words
    cluster.restart(cluster.workers[1])
    cluster.whole()


def test_a_host_that_is_cut_off_counts_as_dead(cluster: Launched, calm: list[str]) -> None:
    """What it goes on with nobody hears of; when its cable is mended, the head starts Ray there anew."""
    driver = Driver(cluster, "cut")
    driver.at(3)
    cluster.terminal.cut(cluster.workers[1])
    assert driver.end() == calm
    assert driver.begun <= DAYS + 1
    assert f"({cluster.workers[1].address}) is lost" in driver.words
    cluster.terminal.mend(cluster.workers[1])
    cluster.whole()


@pytest.mark.parametrize(("left_mb", "told"), [(100, "is given no days: "), (0, "")])
def test_a_host_whose_disk_is_full_is_given_nothing(cluster: Launched, calm: list[str], left_mb: int, told: str) -> None:
    """Where nothing at all can be written Ray itself cannot begin, and it takes minutes to say so; nobody waits for that."""
    host = cluster.workers[0]
    host.fill_disk(left_mb << 10)
    driver = Driver(cluster, f"full{left_mb}", FEW)
    assert driver.end() == calm[:FEW]
    host.free_disk()
    assert not told or f"({host.address}) {told}" in driver.words


def test_a_killed_terminal_comes_back_to_its_run(cluster: Launched, calm: list[str]) -> None:
    driver = Driver(cluster, "comes")
    driver.at(3)
    driver.die()
    until(lambda: driver.begun > len(kept(driver.results)) + 3, "the run goes on without its terminal")
    assert Driver(cluster, "comes").end() == calm
    assert driver.begun == DAYS


def test_a_line_that_breaks_for_a_while_is_taken_up_again(cluster: Launched, calm: list[str]) -> None:
    driver = Driver(cluster, "line")
    driver.at(2)
    cluster.terminal.lose(cluster.head)
    until(lambda: "does not answer" in driver.words, "the terminal says that the line is broken", 200)
    cluster.terminal.find(cluster.head)
    assert driver.end() == calm
    assert driver.begun == DAYS


def test_a_run_is_begun_in_a_shell_on_the_head(cluster: Launched, calm: list[str]) -> None:
    cluster.terminal.run(f"cd {ROOT} && ray rsync-up {HOME}/{FILE} ./ '~/astrarium/'")
    cluster.exec(f"cd astrarium && astrarium {backtest_of('shell', 'auto', FEW)}", 300)
    assert kept(cluster.shared / "results" / "shell") == calm[:FEW]


def test_a_run_is_submitted_as_a_job(cluster: Launched, calm: list[str]) -> None:
    """The jobs server listens on the head's loopback alone: the way there is ssh."""
    tunnel = cluster.terminal.begin(
        f"exec ssh -i ~/key {QUIET} -N -L 8265:127.0.0.1:8265 root@{cluster.head.address}", "tunnel.log"
    )
    command = f"python -m actors.cli.main {backtest_of('job', 'auto', FEW)}"
    try:
        submit = f"ray job submit --address http://127.0.0.1:8265 --working-dir . -- {command}"
        cluster.terminal.run(f"cd {ROOT} && RAY_AUTH_MODE=token {submit}", 300)
    finally:
        os.kill(first_child(tunnel), signal.SIGTERM)
        tunnel.wait()
    assert kept(cluster.shared / "results" / "job") == calm[:FEW]


def test_a_run_outlives_its_head(cluster: Launched, calm: list[str]) -> None:
    """What was handed over is kept; the rest is done again, once there is a head."""
    driver = Driver(cluster, "head")
    driver.at(2)
    cluster.head.kill()
    until(lambda: "does not answer" in driver.words, "the terminal says that the line is broken", 200)
    cluster.restart(cluster.head)
    cluster.up()
    cluster.whole()
    assert driver.end() == calm


def test_ray_down_leaves_nothing_on_any_host(cluster: Launched) -> None:
    assert cluster.of_ray()
    cluster.down()
    assert not cluster.of_ray()
