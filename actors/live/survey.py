"""A cluster's machines, looked at before a session's processes are placed on them: `look` runs on each.

A machine where a process may have to begin again must be able to: it sees the session's folder, runs the session's code, has the
account's key, and, where orders are real, a right clock and a road to the venue.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from actors.errors import Exit, UserError, last_line
from actors.graph import code_of
from actors.live.credentials import credentials
from actors.live.folder import Folder
from actors.live.keys import load
from actors.live.opening import OFFSET_MS_MAX, clock_offset_ms
from actors.live.placement import ACCOUNT, LIVE, Machine, chosen

ANSWER_S: Final = 90.0
"""For a machine to fetch the program, start a process and look."""

AGAIN_S: Final = 30.0
"""A machine that cannot take part is looked at again after so long: a clock is set right, a folder mounted."""


def machines(nodes: Sequence[Mapping[str, Any]]) -> list[Machine]:
    """Those of a cluster that are alive, of what Ray says of its nodes, as processes are placed on them."""
    return chosen(
        Machine(one["NodeID"], one["NodeManagerAddress"], one["Resources"].get("CPU", 0.0), LIVE in one["Resources"])
        for one in nodes
        if one["Alive"]
    )


def look(path: str, proof: str) -> str:
    """What is wrong with this machine for the session in a folder; "" when nothing is."""
    folder = Folder(Path(path))
    if not folder.proves(proof):
        return (
            f"does not see the session's folder {path}: name with --sessions one that every machine has at the same path, as NFS"
        )
    sitting = folder.read()
    try:
        if (code := code_of(sitting.plans)) != sitting.code:
            return f"runs other code ({code}) than the session ({sitting.code}): take away what stands first on its Python path"
        load(folder.keys, ACCOUNT)
        if sitting.live:
            credentials(sitting.venue.name)
            offset = clock_offset_ms(sitting.venue)
            if abs(offset) > OFFSET_MS_MAX:
                return f"has a clock that is {offset:+,.0f} ms from the venue's: {OFFSET_MS_MAX} are allowed; set it right"
    except UserError as error:
        return f"cannot take part: {error}"
    return ""


class Survey:
    """What is known of each machine. One that was not looked at yet is looked at while others go on."""

    def __init__(self, ray: Any, folder: Folder, proof: str, environment: Mapping[str, str]) -> None:
        self._ray, self._path, self._proof, self._environment = ray, str(folder.path.resolve()), proof, environment
        self._task = ray.remote(num_cpus=0, max_retries=0)(look)
        self._asked: dict[str, Any] = {}
        self._wrong: dict[str, str] = {}
        self._since: dict[str, float] = {}

    def ask(self, found: Iterable[Machine]) -> None:
        """Have machines looked at, if they were not, or were found wrong a while ago."""
        for one in found:
            wrong_long = self._wrong.get(one.node) and time.monotonic() - self._since[one.node] > AGAIN_S
            if one.node not in self._asked or wrong_long:
                self._wrong.pop(one.node, None)
                task = self._task.options(**on(self._ray, one, self._environment))
                self._asked[one.node] = task.remote(self._path, self._proof)

    def wrong(self, one: Machine, seconds: float) -> str | None:
        """What is wrong with a machine, "" when nothing is, None when that is not known after so long."""
        if one.node not in self._wrong:
            errors = self._ray.exceptions
            try:
                self._wrong[one.node] = self._ray.get(self._asked[one.node], timeout=seconds)
            except errors.GetTimeoutError:
                return None
            except errors.RayError as error:
                self._wrong[one.node] = f"cannot run the session's code: {last_line(error)}"
            self._since[one.node] = time.monotonic()
        return self._wrong[one.node]

    def require(self, found: Sequence[Machine]) -> None:
        """Raise UserError for a machine that cannot take part."""
        self.ask(found)
        words = {one.address: self.wrong(one, ANSWER_S) for one in found}
        troubles = [
            f"{at} {f'does not answer within {ANSWER_S:g} s' if it is None else it}" for at, it in words.items() if it != ""
        ]
        if troubles:
            raise UserError(f"not on this cluster: {'; '.join(troubles)}", Exit.CONFIGURATION)

    def fit(self, found: Iterable[Machine]) -> list[Machine]:
        """Those that are known to be as they must."""
        found = list(found)
        self.ask(found)
        return [one for one in found if self.wrong(one, 0.0) == ""]


def on(ray: Any, one: Machine, environment: Mapping[str, str]) -> dict[str, Any]:
    """Ray's options for something on a machine and nowhere else: a soft affinity Ray 2.60 passes over where no core is asked."""
    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(one.node, soft=False)
    return {"scheduling_strategy": affinity} | ({"runtime_env": {"env_vars": dict(environment)}} if environment else {})
