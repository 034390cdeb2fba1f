"""Tasks given to a crew of Ray workers on this machine; and Ray itself, started here or joined.

Each task is a streaming Ray task around `actors/work.py`; one whose worker died is given to another, three times. Results travel
back over Ray (a day's are some megabytes at most) and one process writes them down, so that no day can be there twice. On a
cluster the same tasks are an actor's (`actors/cluster/`).
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from actors.compile_cache import write_alone
from actors.errors import Exit, UserError, last_line
from actors.tasks import Task
from actors.work import WORD_S, Died, Failure, Word, alone, settled, work

RETRIES = 3
"""How often a task is given to another worker after its worker died: a day that kills four is not unlucky."""
POLL_S = 0.25
KNOCK_S = 5.0
"""To reach a cluster's port: far more than any network takes that days can be computed over."""
SPREADS = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Whether Ray believes that it may ever be a cluster of several machines, "0" if not."""
SPREADS_HERE = os.environ.get(SPREADS)
STORE_BYTES = 200 << 20
"""Ray's object store: some results of some megabytes wait there at once."""


def worked(name: str, tasks: Sequence[Task], workers: int, address: str, ray: bool) -> Generator[tuple[int, Word]]:
    """Do the tasks of the run of this name by a crew here or on the cluster at an address, or without `ray` in this process.

    Each word comes with the number of its task, -1 for one of no task. Raises UserError when Ray does not start or no cluster
    answers.
    """
    if not tasks:
        return
    if not ray:
        yield from alone(tasks)
    elif not address:
        yield from hired(tasks, min(workers, len(tasks)))
    elif ray_runs():
        raise UserError("this process has a Ray already: leave the address out, or call ray.shutdown() first", Exit.CONFIGURATION)
    else:
        from actors.cluster.terminal import followed

        yield from followed(name, tasks, address)


def hired(tasks: Sequence[Task], workers: int) -> Iterator[tuple[int, Word]]:
    """Do the tasks on `workers` processes of this machine. Raises UserError when Ray does not start."""
    with ray_here(workers) as ray:
        remote = ray.remote(num_cpus=1, num_returns="streaming", max_retries=0)(work_there)
        lost = (
            ray.exceptions.WorkerCrashedError,
            ray.exceptions.NodeDiedError,
            ray.exceptions.OutOfMemoryError,
            ray.exceptions.ObjectLostError,
        )

        most = int(ray.cluster_resources().get("memory", 0))

        def hire(number: int) -> Any:
            return remote.options(memory=min(tasks[number].memory, most) or None).remote(tasks[number])

        running = {hire(number): number for number in range(len(tasks))}
        deaths = [0] * len(tasks)
        while running:
            for stream in ray.wait(list(running), timeout=POLL_S)[0]:
                number = running[stream]
                try:
                    yield from ((number, one) for one in settled(tasks[number], ray.get(next(stream))))
                    continue
                except StopIteration:
                    pass
                except lost:
                    deaths[number] += 1
                    if deaths[number] <= RETRIES:
                        running[hire(number)] = number
                        yield number, Died(deaths[number])
                    else:
                        cause = f"its worker died {deaths[number]} times: killed, or out of memory"
                        yield from ((number, Failure(day, cause, "")) for day in tasks[number].days)
                except ray.exceptions.RayError as error:
                    cause = last_line(error)
                    yield from ((number, Failure(day, cause, str(error))) for day in tasks[number].days)
                del running[stream]


def work_there(task: Task, every_s: float = WORD_S) -> Iterator[Word]:
    """What a worker of Ray's does."""
    write_alone()
    yield from work(task, every_s)
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()  # what a first day leaves is the program's own: each later day's collection need not walk through it again


def ray_runs() -> bool:
    """Whether this process has a Ray already."""
    return "ray" in sys.modules and bool(sys.modules["ray"].is_initialized())


@contextmanager
def ray_here(cpus: int, address: str = "", namespace: str = "", luggage: str = "") -> Iterator[Any]:
    """Ray with so many cores on this machine, or the cluster at an address, which is given the folder `luggage` to work in.

    A Ray that this process has already is used and left running.

    A local Ray listens on loopback alone: its servers bind to the node's address, and it keeps 127.0.0.1 for that only where it
    believes that it will never be a cluster. It asks for Ray's token, as a cluster is joined with it, and has no dashboard.

    Raises UserError when Ray does not start or no cluster answers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_worker_niceness", "0")  # of 15 by default: a machine with other work would starve the days
    if not address:
        os.environ[SPREADS] = "0"
    elif SPREADS_HERE is None:
        os.environ.pop(SPREADS, None)
    import ray

    # Ray reads this when it is imported, which may be long ago.
    ray._private.ray_constants.ENABLE_RAY_CLUSTER = os.environ.get(SPREADS) != "0"
    # The raylet's word on a dead worker would go to stdout, which may have to be JSON, whatever log_to_driver says; Ray's own
    # debugger silences it by the same switch.
    ray._private.worker._worker_logs_enabled = False
    if ray.is_initialized():
        yield ray
        return
    _knock(address)
    here = {
        "address": "local",  # else a Ray of somebody else's on this machine would be joined
        "num_cpus": cpus,
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
        "_node_ip_address": "127.0.0.1",
    }
    if luggage:
        os.environ["RAY_OVERRIDE_JOB_RUNTIME_ENV"] = "1"  # a driver that is a job has a working_dir already
    there: dict[str, Any] = {"address": address, **({"runtime_env": {"working_dir": luggage}} if luggage else {})}
    wanted: dict[str, Any] = {**(there if address else here), "log_to_driver": False, "logging_level": "ERROR"}
    try:
        _begin(ray, namespace, wanted)
    except ImportError as error:
        raise UserError(f"{address} needs what `pip install -r requirements-cluster.txt` brings: {error}") from error
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"no Ray cluster answers at {address}" if address else "Ray does not start"
        hint = "" if not address or "://" in address else "; from a machine outside of the cluster write ray://HOST:10001"
        raise UserError(f"{where}: {str(error).strip().splitlines()[0]}{hint}", Exit.NOT_RUNNING) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _begin(ray: Any, namespace: str, wanted: dict[str, Any]) -> None:
    """Start or join; a head under load may be late to start the server of a client's own, which is asked for twice."""
    try:
        ray.init(namespace=namespace or None, **wanted)
    except RuntimeError:
        if not str(wanted["address"]).startswith("ray://"):
            raise
        ray.init(namespace=namespace or None, **wanted)


def _knock(address: str) -> None:
    """Ray tries for minutes to reach a cluster that is not there. Raises UserError when nothing listens at `host:port`."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit() or "/" in host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_S).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"no Ray cluster answers at {address}: {error}", Exit.NOT_RUNNING) from error
