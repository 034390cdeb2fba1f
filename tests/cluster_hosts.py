"""Hosts of one's own on one machine, for what only happens between machines: one dies, is cut off, runs out of disk.

A host is a set of namespaces (network, mount, process, name, IPC), so that inside it looks like a machine of its own: its
address on a bridge, its home, its temporary folder and shared memory, its process table, in which killing the first kills all
(and `ray stop`, which ends what it finds in /proc, finds nobody else's), and an sshd with a throw-away key. The rest of the
machine's files it sees read-only. `/srv` is one folder that all hosts share, as a network's file system would be.

The bridge is in the namespaces of one more host, the `terminal`: the machine that `ray up` is typed on, with the project in it.
Nothing has a name outside. The machine's network is not touched, two runs cannot meet, and when the process that made the hosts
is gone, however, all of it is gone: the hosts' first processes end with it, and namespaces with their last process.

To try things by hand, as root, from the project's folder:

    python -m tests.cluster_hosts 2              makes a terminal and two hosts, says how to enter each, and waits for Ctrl-C
    nsenter --target PID --all bash              ... which is so; from the terminal also: ssh -i ~/key root@10.77.0.11
    ip link set v11 down                         in the terminal: cuts off 10.77.0.11; `up` mends it

What it needs is told by `missing()`: root, the kernel's namespaces, and of Debian's packages iproute2, openssh-server and rsync.

No namespace has another time of day, and libfaketime 0.9.10 breaks Python's sleeps and waits, which are by the monotonic clock.
So a wrong clock (`clock_s`) is Python's alone: `time.time` and `time.time_ns` of every Python process.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT

NET = "10.77.0"
TERMINAL = f"{NET}.1"
FIRST = 11
"""The last number of the first host's address."""
HOME = pwd.getpwuid(0).pw_dir
SHARED = "/srv"
"""Where every host has the one shared folder."""
SHM_MB = 512
PROGRAMS = {"sshd": "openssh-server", "ssh": "openssh-client", "rsync": "rsync", "ip": "iproute2", "nsenter": "util-linux"}
SITE = next(path for path in site.getsitepackages() if path.startswith(sys.prefix))
CLOCK = """
import time
clock, clock_ns, ahead = time.time, time.time_ns, {ahead}
time.time = lambda: clock() + ahead
time.time_ns = lambda: clock_ns() + ahead * 10**9
"""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
QUIET = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid")


def missing() -> str:
    """Why hosts cannot be made here, or nothing."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "hosts are namespaces, which only Linux has and only root makes"
    packages = sorted({package for name, package in PROGRAMS.items() if not shutil.which(name, path=PATH)})
    if packages:
        return f"not installed: {' '.join(packages)}"
    script = "mount -t proc proc /proc; mount -t tmpfs tmpfs /run; ip link add v1 type veth; ip link add bridge0 type bridge"
    tried = subprocess.run(["unshare", *NAMESPACES, "--fork", "sh", "-ec", script], capture_output=True, text=True, check=False)
    return f"this machine makes no namespaces for us: {tried.stderr.strip()}" if tried.returncode else ""


def until(true: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Wait for something. Raises AssertionError when it does not come."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


def first_child(process: subprocess.Popen[str]) -> int:
    """What runs inside, of `unshare` or `nsenter` outside: the one child that they fork and wait for."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until(lambda: process.poll() is not None or children.read_text().split(), "a first process")
    assert process.poll() is None, f"it ended at once: {process.returncode}"
    return int(children.read_text().split()[0])


class Bind(NamedTuple):
    """A folder of the machine, and where a host has it."""

    source: str
    target: str
    mode: str = "ro"


class Host:
    """A machine of its own. `folder` holds its disk, which outlives it unless `disk_mb` makes it small and of memory.

    `clock_s` is by how many seconds Python's clock is ahead there.
    """

    def __init__(self, folder: Path, name: str, address: str, disk_mb: int = 0, clock_s: int = 0) -> None:
        self.folder, self.name, self.address, self.disk_mb, self.clock_s = folder, name, address, disk_mb, clock_s
        self._process: subprocess.Popen[str] | None = None
        self.pid = 0
        for part in ("home/.ssh", "tmp"):
            (folder / part).mkdir(parents=True, exist_ok=True)

    def __repr__(self) -> str:
        return f"{self.name} ({self.address})"

    @property
    def alive(self) -> bool:
        """Whether its first process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Power on. Its network is plugged in by who made it."""
        assert not self.alive
        script = self.folder / "etc" / "start"
        script.write_text(self._script())
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", *NAMESPACES, "--fork", "--kill-child", "sh", "-eu", str(script)]
        log = self._log("log")
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, env={"PATH": PATH}, text=True)
        os.close(log)
        self.pid = first_child(self._process)

    def kill(self) -> None:
        """All processes at once, as when the power goes; its address answers nothing any more."""
        if self._process is not None:
            if self.alive:
                os.kill(self.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def run(self, command: str, seconds: float = 60.0, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command inside. Raises AssertionError with its words when it fails and `check` is set."""
        done = subprocess.run(
            self._entered(command), capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL
        )
        words = f"{self}: {command}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        assert not (check and done.returncode), words
        return done

    def begin(self, command: str, log: str) -> subprocess.Popen[str]:
        """Begin a command inside; its words go to the file `log` of its folder. `first_child` of it is what runs inside."""
        out = self._log(log)
        process = subprocess.Popen(self._entered(command), stdin=subprocess.DEVNULL, stdout=out, stderr=out, text=True)
        os.close(out)
        return process

    def path(self, inside: str) -> Path:
        """A file inside, as seen from outside while the host lives."""
        return Path(f"/proc/{self.pid}/root{inside}")

    def processes(self) -> list[str]:
        """The command lines of all that runs inside."""
        lines = []
        for path in self.path("/proc").glob("[0-9]*/cmdline"):
            try:
                lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip())
            except (FileNotFoundError, ProcessLookupError):
                continue
        return [line for line in lines if line]

    def fill_disk(self, leave_kb: int = 0) -> None:
        """Let nothing more, or so much, fit on its disk."""
        assert self.disk_mb, "only a small disk can be filled"
        free = os.statvfs(self.path("/tmp"))
        size = max(0, free.f_bavail * free.f_frsize - leave_kb * 1024)
        self.run(f"head -c {size} /dev/zero > /tmp/full", check=False)

    def free_disk(self) -> None:
        """Take the filling away."""
        self.run("rm -f /tmp/full")

    def _log(self, name: str) -> int:
        return os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _entered(self, command: str) -> list[str]:
        assert self.alive, f"{self} is off"
        words = {"HOME": HOME, "PATH": f"{sys.prefix}/bin:{PATH}", "LANG": "C.UTF-8", "USER": "root", "TERM": "dumb"}
        inside = ["env", "-i", *(f"{key}={value}" for key, value in words.items()), "bash", "-c", f"cd {HOME} && {command}"]
        return ["nsenter", "--target", str(self.pid), *NAMESPACES, *inside]

    def _binds(self) -> list[Bind]:
        # There is no package index among hosts, so they use this machine's environment, which is why the test's cluster file
        # installs nothing. The project itself they do not see: what they run of it must have travelled.
        python = [Bind(path, path) for path in dict.fromkeys((sys.prefix, sys.base_prefix))]
        return [Bind(str(self.folder.parent / "shared"), SHARED, "rw"), *python]

    def _covered(self) -> list[str]:
        return [str(ROOT)]

    def _script(self) -> str:
        disk = [Bind(str(self.folder / "home"), HOME, "rw"), Bind(str(self.folder / "tmp"), "/tmp", "rw")]
        if self.disk_mb:
            disk = [Bind("/run/disk/home", HOME, "rw"), Bind("/run/disk/tmp", "/tmp", "rw")]
        size = f"size={self.disk_mb or 1}m,mode=755"
        lines = [
            "mount --make-rprivate /",
            "mount -t tmpfs -o mode=755 tmpfs /run",
            f"mkdir -p /run/sshd /run/hold /run/disk; mount -t tmpfs -o {size} tmpfs /run/disk",
            f"cp -a {self.folder}/home {self.folder}/tmp /run/disk/" if self.disk_mb else "",
            f"cp -a {self.folder}/etc/. /run/",
        ]
        binds = [*disk, *self._binds()]
        # A folder that stays may lie within one that is covered: all are held first, and put back where they were after.
        for number, bind in enumerate(binds):
            lines += [f"mkdir /run/hold/{number}", f"mount --bind {bind.source} /run/hold/{number}"]
        lines += ["mount --bind /run/hosts /etc/hosts", "mount -o remount,bind,ro /"]
        lines += [f"mount -t tmpfs -o size={SHM_MB}m,mode=1777 tmpfs /dev/shm", "mount -t tmpfs tmpfs /var/tmp"]
        for number, bind in enumerate(binds):
            if number == len(disk):
                lines += [f"mkdir -p {path}; mount -t tmpfs tmpfs {path}" for path in self._covered()]
            lines += [f"mkdir -p {bind.target}", f"mount --bind /run/hold/{number} {bind.target}"]
            lines += [f"mount -o remount,bind,{bind.mode} {bind.target}"]
        if self.clock_s:
            lines += [f"mount -t overlay overlay -o lowerdir=/run/clock:{SITE} {SITE}"]
        lines += ["chmod 1777 /tmp", "mount -t proc proc /proc", f"echo {self.name} > /proc/sys/kernel/hostname"]
        lines += ["ip link set lo up"]
        return "\n".join([*lines, *self._last()])

    def _last(self) -> list[str]:
        return [
            "until ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done",
            f"ip address add {self.address}/24 dev eth0; ip link set eth0 up; ip route add default via {TERMINAL}",
            "exec /usr/sbin/sshd -D -e -f /run/sshd_config",
        ]


class Terminal(Host):
    """The machine that one sits at: the bridge is here, and the project."""

    def plug(self, host: Host) -> None:
        """Wire a host that was started, and wait until it answers."""
        wire, last = _wire(host), int(host.address.rpartition(".")[2])
        self._net(f"ip link delete {wire}", check=False)
        # The card's address is the host's own as well: after a restart neighbors would look for the old one for a minute.
        card = f"02:00:00:00:00:{last:02x}"
        self._net(f"ip link add {wire} type veth peer name eth0 address {card} netns {host.pid}")
        self._net(f"ip link set {wire} master bridge0 up")
        ssh = f"ssh -i {HOME}/key {QUIET} -o ConnectTimeout=2 root@{host.address} true"
        until(lambda: self.run(ssh, check=False).returncode == 0, f"{host} answers over ssh")

    def cut(self, host: Host) -> None:
        """Pull its cable: it lives on, and nobody hears of it."""
        self._net(f"ip link set {_wire(host)} down")

    def mend(self, host: Host) -> None:
        """Plug the cable in again."""
        self._net(f"ip link set {_wire(host)} up")

    def lose(self, host: Host) -> None:
        """The terminal itself does not reach a host any more; the others do."""
        self._net(f"ip route add blackhole {host.address}/32")

    def find(self, host: Host) -> None:
        """It reaches it again."""
        self._net(f"ip route del blackhole {host.address}/32")

    def _net(self, command: str, check: bool = True) -> None:
        # Only the network is entered: a process of another host has its number in the table outside.
        command = f"nsenter --target {self.pid} --net {command}"
        done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)
        assert not (check and done.returncode), f"{command}: {done.stderr}"

    def _binds(self) -> list[Bind]:
        return [*super()._binds(), Bind(str(ROOT), str(ROOT))]

    def _covered(self) -> list[str]:
        return []

    def _last(self) -> list[str]:
        bridge = f"ip link add bridge0 type bridge; ip address add {self.address}/24 dev bridge0; ip link set bridge0 up"
        return [bridge, "touch /run/ready", "while :; do sleep 1000 & wait $!; done"]


def _wire(host: Host) -> str:
    return f"v{host.address.rpartition('.')[2]}"


class Hosts(NamedTuple):
    """A terminal, the hosts that it reaches, and the folder that all of them have as /srv."""

    terminal: Terminal
    hosts: Sequence[Host]
    shared: Path

    def restart(self, host: Host) -> None:
        """Power on again, with the disk that it had."""
        host.kill()
        host.start()
        self.terminal.plug(host)


@contextmanager
def hosts(folder: Path, *kinds: dict[str, int]) -> Iterator[Hosts]:
    """A running host for each of `kinds`, the options of `Host`; all is gone at the end."""
    for part in ("shared", "keys"):
        (folder / part).mkdir(parents=True)
    terminal = Terminal(folder / "terminal", "terminal", TERMINAL)
    others = [Host(folder / f"host{n}", f"host{n}", f"{NET}.{FIRST + n}", **kind) for n, kind in enumerate(kinds)]
    for key in ("host", "own"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "keys" / key], check=True)
    shutil.copy(folder / "keys" / "own", terminal.folder / "home" / "key")
    names = "127.0.0.1 localhost\n" + "".join(f"{host.address} {host.name}\n" for host in (terminal, *others))
    for host in (terminal, *others):
        _furnish(host, folder / "keys", names)
    with ExitStack() as stack:
        for host in (terminal, *others):
            stack.callback(host.kill)
            host.start()
        until(lambda: terminal.path("/run/ready").exists(), "the terminal is there", 10)
        for host in others:
            terminal.plug(host)
        yield Hosts(terminal, others, folder / "shared")


def _furnish(host: Host, keys: Path, names: str) -> None:
    """What a host finds in /run: its sshd's configuration, and who is who."""
    etc = host.folder / "etc"
    etc.mkdir()
    (etc / "hosts").write_text(names)
    shutil.copy(keys / "host", etc / "host_key")
    shutil.copytree("/etc/skel", host.folder / "home", dirs_exist_ok=True)
    shutil.copy(keys / "own.pub", host.folder / "home" / ".ssh" / "authorized_keys")
    lines = ["HostKey /run/host_key", "PidFile none", "UsePAM no", "UseDNS no", "PasswordAuthentication no"]
    lines += ["PermitRootLogin prohibit-password", "Subsystem sftp internal-sftp", "MaxStartups 100"]
    (etc / "clock").mkdir()
    (etc / "clock" / "clock.pth").write_text("import wrong_clock\n")
    (etc / "clock" / "wrong_clock.py").write_text(CLOCK.format(ahead=host.clock_s))
    (etc / "sshd_config").write_text("\n".join([*lines, ""]))


def main(count: int) -> None:
    """Make hosts and leave them to whoever typed this."""
    words = missing()
    if words:
        raise SystemExit(words)
    with tempfile.TemporaryDirectory(prefix="hosts-") as folder, hosts(Path(folder), *[{}] * count) as made:
        for host in (made.terminal, *made.hosts):
            print(f"{host.name:10} {host.address:12} nsenter --target {host.pid} --all bash", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
