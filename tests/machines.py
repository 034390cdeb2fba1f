"""A session on machines of one's own (`tests/cluster_hosts.py`): a terminal with Ray's head, the venue and `trade`, and two
machines that its processes are spread over.

The machines have two networks. Over one they reach each other and Ray; over the other nothing but the venue, so that one can be
cut off from the cluster and still have orders taken. What the venue and the processes say is asked for from the terminal's
network.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import requests

from actors.compile_cache import home
from actors.live.log import lines
from actors.live.placement import ACCOUNT, STANDBY
from actors.live.tenure import Word, seats
from tests.cluster_hosts import SHARED, TERMINAL, Host, Hosts, hosts, until
from tests.conftest import ROOT
from tests.trial import Trial, graphs

ASTRARIUM: Final = f"cd {ROOT} && ASTRARIUM_CACHE={SHARED}/cache {sys.executable} -m actors.cli.main"
PORT: Final = 8900
VENUE_NET: Final = "10.78.0"
VENUE: Final = f"http://{VENUE_NET}.1:{PORT}"
TOKEN: Final = "a" * 64
RAY: Final = (
    "RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 RAY_health_check_initial_delay_ms=1000 RAY_health_check_period_ms=1000 "
    "RAY_health_check_timeout_ms=1000 RAY_health_check_failure_threshold=4"
)
"""The head takes a machine for dead that has not answered four questions in a row, a second each; by default that is a minute."""
STORE: Final = "--object-store-memory=80000000"
CLONE_NEWNET: Final = 0x40000000
FORWARD: Final = """
import asyncio, sys

async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()

async def join(reader, writer):
    try:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[2]))
    except OSError:
        return writer.close()
    await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

async def main():
    await (await asyncio.start_server(join, sys.argv[1], int(sys.argv[2]))).serve_forever()

asyncio.run(main())
"""
"""The emulated venue listens on loopback alone; this carries what arrives on another address to it."""


class Distant:
    """The venue, as asked from the terminal's network."""

    def __init__(self, ask: Callable[[Callable[[], Any]], Any]) -> None:
        self._ask = ask

    def truth(self) -> dict[str, Any]:
        """What has really happened there."""
        return dict(self._ask(lambda: requests.get(f"{VENUE}/emulator/truth", timeout=10).json()))


class Machines(Trial):
    """A session with real orders on two machines; each may be killed, cut off, and started again."""

    def __init__(self, made: Hosts, begun: list[subprocess.Popen[str]], seed: int = 1) -> None:
        self.made, self.terminal, self.begun = made, made.terminal, begun
        self.sessions = made.shared / "sessions"
        self._inside = ThreadPoolExecutor(1, initializer=_enter, initargs=(made.terminal.pid,))
        self.venue = Distant(self.inside)  # type: ignore[assignment]
        graphs(made.shared / "graphs", seed)
        if (home() / "numba").is_dir():
            shutil.copytree(home() / "numba", made.shared / "cache" / "numba")
        (made.shared / "forward.py").write_text(FORWARD)
        for host in (made.terminal, *made.hosts):
            (host.folder / "home" / ".ray").mkdir()
            token = host.folder / "home" / ".ray" / "auth_token"
            token.write_text(TOKEN)
            token.chmod(0o600)
        self.terminal._net("ip link add bridge1 type bridge")
        self.terminal._net(f"ip address add {VENUE_NET}.1/24 dev bridge1")
        self.terminal._net("ip link set bridge1 up")
        words = f"venue --synth {seed} --symbols BTCUSDT,ETHUSDT --port {PORT}"
        forward = f"{sys.executable} {SHARED}/forward.py {VENUE_NET}.1 {PORT}"
        self.begun += [self.terminal.begin(f"{ASTRARIUM} {words}", "venue.txt"), self.terminal.begin(forward, "forward.txt")]

    def close(self) -> None:
        """Ask for nothing more."""
        self._inside.shutdown()

    def join_all(self) -> None:
        """Begin Ray."""
        head = f"ray start --head --node-ip-address={TERMINAL} --port=6379 --num-cpus=0 --include-dashboard=false {STORE}"
        self.terminal.run(f"{RAY} {head}", 120)
        for host in self.made.hosts:
            self.join(host)

    def join(self, host: Host) -> None:
        """Give a machine that was started its second network, and have it join the cluster."""
        number = host.address.rpartition(".")[2]
        self.terminal._net(f"ip link delete w{number}", check=False)
        card = f"02:00:00:00:01:{int(number):02x}"
        self.terminal._net(f"ip link add w{number} type veth peer name eth1 address {card} netns {host.pid}")
        self.terminal._net(f"ip link set w{number} master bridge1 up")
        host.run(f"ip address add {VENUE_NET}.{number}/24 dev eth1 && ip link set eth1 up")
        host.run(f"{RAY} ray start --address={TERMINAL}:6379 --node-ip-address={host.address} --num-cpus=1 {STORE}", 120)

    def again(self, host: Host) -> None:
        """A machine that died is started anew."""
        self.made.restart(host)
        self.join(host)

    def begin(self) -> None:
        """Trade."""
        until(self._venue_answers, "the venue answers; it compiles its kernels first", 180)
        names = " ".join(f"{SHARED}/graphs/{name}.toml" for name in ("chaos", "quoter"))
        words = f"trade {names} --live --url {VENUE} --sessions {SHARED}/sessions --address {TERMINAL}:6379 --trust-network"
        self.process = self.terminal.begin(f"{ASTRARIUM} {words} --json", "trade.txt")
        self.begun.append(self.process)
        self.wait_for(lambda status: not status["states"] and status["approved"] > 5, 240.0)
        until(lambda: all(map(self.newest, ("BTCUSDT", "ETHUSDT"))), f"both instruments trade: {self.logs()}", 120)

    def _venue_answers(self) -> bool:
        try:
            return bool(self.venue.truth())
        except requests.RequestException:
            return False

    def inside(self, call: Callable[[], Any]) -> Any:
        """Do something in the terminal's network."""
        return self._inside.submit(call).result()

    def status(self, host: str = "account") -> dict[str, Any]:
        return dict(self.inside(lambda: super(Machines, self).status(host)))

    def typed(self, words: str, seconds: float = 120.0) -> tuple[int, str]:
        """A verb, typed in the terminal: its exit code, and what it said."""
        done = self.terminal.run(f"{ASTRARIUM} {words} --sessions {SHARED}/sessions", seconds, check=False)
        return done.returncode, done.stdout + done.stderr

    def logs(self) -> str:
        return super().logs() + "\n" + (self.terminal.folder / "trade.txt").read_text()[-1500:]

    def holder(self) -> Word:
        """Who holds the account, by what it wrote last; the first word of a term is waited for."""
        until(lambda: seats(self.folder.tenure)[0], "a word of who holds the account")
        word = seats(self.folder.tenure)[0]
        assert word is not None
        return word

    def term(self) -> int:
        """The number of the newest term."""
        return max(int(path.name) for path in self.folder.tenure.glob("[0-9]*"))

    def taken(self, term: int) -> float:
        """When a term began, by the log of who holds it; s UTC."""

        def said() -> list[str]:
            words = [one for seat in (ACCOUNT, STANDBY) for _, one in lines(self.folder.log(seat))]
            return [one.timestamp for one in words if one.event == "holds the account" and one.text.endswith(f"term {term}")]

        until(said, f"somebody says that it holds term {term}", 10)
        return datetime.fromisoformat(said()[0]).timestamp()

    def standby(self) -> str:
        """The machine of the one who waits, where that writes; "" else."""
        before = seats(self.folder.tenure)[1]
        time.sleep(1.5)
        after = seats(self.folder.tenure)[1]
        return next((word.machine for seat, word in after.items() if seat in before and before[seat] != word), "")

    def host_of(self, address: str) -> Host:
        """The machine at an address."""
        return next(host for host in self.made.hosts if host.address == address)

    def outside(self, host: Host, pid: int) -> int:
        """The number that a process of a machine has out here."""
        table = Path(f"/proc/{host.pid}/ns/pid").readlink()
        for path in Path("/proc").glob("[0-9]*/status"):
            try:
                numbers = next(line for line in path.read_text().splitlines() if line.startswith("NSpid:")).split()
                if numbers[-1] == str(pid) and (path.parent / "ns/pid").readlink() == table:
                    return int(path.parent.name)
            except (OSError, StopIteration):
                continue
        raise AssertionError(f"{host} has no process {pid}")

    def newest(self, symbol: str = "") -> int:
        """When the newest order, of an instrument or of any, was taken by the venue; ms UTC."""
        orders = self.venue.truth()["accounts"]["demo"]["orders"]
        return max((one["time"] for one in orders if not symbol or one["symbol"] == symbol), default=0)

    def traded_after(self, moment: float, symbol: str = "", seconds: float = 120.0) -> float:
        """Seconds from a moment (s UTC) to the first order that was taken after it; waited for so long."""
        until(lambda: self.newest(symbol) > moment * 1e3, f"an order of {symbol or 'any instrument'}: {self.logs()}", seconds)
        orders = self.venue.truth()["accounts"]["demo"]["orders"]
        times = [one["time"] for one in orders if not symbol or one["symbol"] == symbol]
        return float(min(one for one in times if one > moment * 1e3) / 1e3 - moment)

    def cut(self, host: Host, blind: bool) -> None:
        """Pull the cable to the cluster; the venue is still in reach. `blind`: the shared folder is out of its sight, too."""
        self.terminal.cut(host)
        if blind:
            host.run(f"mount -t tmpfs -o ro tmpfs {SHARED}")

    def stop(self) -> dict[str, Any]:
        """End it as a person does at the terminal; what it says of itself at the end."""
        code, said = self.typed("stop")
        assert code == 0, said
        assert self.process.wait(60) == 0, self.logs()
        return dict(json.loads((self.folder.path / "end.json").read_text()))

    def replays(self) -> int:
        return self.typed("replay --json")[0]


@contextmanager
def machines(folder: Path, seed: int = 1) -> Iterator[Machines]:
    """The machines with a session that trades; all is gone afterwards."""
    begun: list[subprocess.Popen[str]] = []
    with ExitStack() as stack:
        stack.callback(lambda: [process.wait() for process in begun])  # they end with the terminal
        made = stack.enter_context(hosts(folder / "machines", {}, {}))
        trial = Machines(made, begun, seed)
        stack.callback(trial.close)
        trial.join_all()
        trial.begin()
        yield trial


def _enter(pid: int) -> None:
    """From now on this thread, and what it begins, is in the network of a process."""
    library = ctypes.CDLL(None, use_errno=True)
    file = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        if library.setns(file, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "no way into the network")
    finally:
        os.close(file)
