"""`ray up` against hosts of one's own, with the file that users get: `cluster.local.yaml`. Only what a test must differ in
is replaced."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from tests.cluster_hosts import HOME, Hosts, until
from tests.conftest import ROOT

FILE = "cluster.yaml"
"""Where the terminal has it, in its home."""
STORE_BYTES = 100 << 20
WATCH = """
import json, ray
ray.init(address="auto", log_to_driver=False, logging_level="ERROR")
print("alive", json.dumps(sorted(node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"])))
"""


class Launched:
    """A cluster of the first host, its head, and the others, its workers."""

    def __init__(self, made: Hosts) -> None:
        self.terminal, self.shared = made.terminal, made.shared
        self.head, *self.workers = made.hosts
        self.restart = made.restart

    @property
    def address(self) -> str:
        """What a driver on the terminal's machine joins."""
        return f"ray://{self.head.address}:10001"

    def up(self) -> None:
        """`ray up`, and wait until every worker is there, which the head starts."""
        self.terminal.path(f"{HOME}/{FILE}").write_text(yaml.safe_dump(self.configuration()))
        self.terminal.run(f"ray get-auth-token --generate > /dev/null && ray up -y {FILE}", 240)
        self.whole()

    def whole(self) -> None:
        """Wait until every worker takes part: the head also starts Ray anew on one that was away."""
        everybody = sorted(host.address for host in (self.head, *self.workers))
        until(lambda: self.alive() == everybody, "all workers have joined", 240)

    def down(self) -> None:
        """`ray down`, and wait until no host has a process of Ray's."""
        self.terminal.run(f"ray down -y {FILE}", 180)
        until(lambda: not self.of_ray(), "Ray has ended on every host", 120)

    def exec(self, command: str, seconds: float = 60.0) -> str:
        """`ray exec`: a shell on the head, as its user has it."""
        return self.terminal.run(f"ray exec {FILE} {shlex.quote(command)}", seconds).stdout

    def alive(self) -> list[str]:
        """The addresses of the nodes that Ray believes alive."""
        done = self.head.run(f"RAY_AUTH_MODE=token python -c '{WATCH}'", check=False)
        found = re.search(r"^alive (.*)$", done.stdout, re.MULTILINE)  # among whatever a raylet says there of dead ones
        return list(json.loads(found[1])) if found else []

    def of_ray(self) -> list[str]:
        """What runs of Ray, on all hosts that are on."""
        return [
            f"{host}: {line[:200]}"
            for host in (self.head, *self.workers)
            if host.alive
            for line in host.processes()
            if "site-packages/ray/" in line or "ray::" in line or "bin/ray" in line
        ]

    def configuration(self) -> dict[str, Any]:
        """The users' file with other addresses and key, this machine's environment, and workers of one small core."""
        told: dict[str, Any] = yaml.safe_load((ROOT / "cluster.local.yaml").read_text())
        told["provider"] |= {"head_ip": self.head.address, "worker_ips": [host.address for host in self.workers]}
        told["auth"] = {"ssh_user": "root", "ssh_private_key": "~/key"}
        told["file_mounts"] = {there: _here(path) for there, path in told["file_mounts"].items()}
        told["setup_commands"] = [
            # Hosts reach no package index, so what would be installed is linked: they have this machine's environment.
            f"ln -sfn {sys.prefix} ~/venv" if "pip install" in line else line
            for line in told["setup_commands"]
        ]
        for role, more in (("head", ""), ("worker", " --num-cpus=1")):
            told[f"{role}_start_ray_commands"] = [
                line.replace("--object-manager-port", f"--object-store-memory={STORE_BYTES}{more} --object-manager-port")
                for line in told[f"{role}_start_ray_commands"]
            ]
        return told


def _here(path: str) -> str:
    return path if path.startswith("~") else str(ROOT / path)


@contextmanager
def launched(made: Hosts) -> Iterator[Launched]:
    """A cluster that is up. It ends with its hosts, if nothing takes it down before."""
    cluster = Launched(made)
    cluster.up()
    yield cluster
