"""What a run takes along: this program, the folder of its strategy and its latency table, as Ray's working_dir.

Machines need no copy of the program. What is installed there beside is the lock's; `actors/cluster/inspection.py` compares.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from msgspec import structs

from actors.graph import Plan

ROOT = Path(__file__).resolve().parent.parent.parent


def pack(plans: Sequence[Plan], luggage: Path) -> list[Plan]:
    """Copy what machines elsewhere need into a folder; the plans, all of one graph file, as they are read from there."""
    for package in ("core", "actors"):
        shutil.copytree(ROOT / package, luggage / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(plans[0].strategy_file.parent, luggage / "graph", ignore=_sources_only)
    moved: dict[int, Plan] = {}
    for plan in plans:
        if id(plan) not in moved:
            moved[id(plan)] = _moved(plan, luggage / "graph")
    return [moved[id(plan)] for plan in plans]


def _moved(plan: Plan, folder: Path) -> Plan:
    graph = plan.graph
    _, _, name = graph.strategy["use"].partition(":")
    graph = structs.replace(graph, strategy={**graph.strategy, "use": f"{plan.strategy_file.name}:{name}"})
    if graph.latency.table:
        table = Path(plan.folder) / graph.latency.table
        if table.is_file():  # the day that needs a missing one says so
            name = f"{blake2b(table.read_bytes(), digest_size=8).hexdigest()}{table.suffix}"  # two may have one name
            shutil.copy(table, folder / name)
            graph = structs.replace(graph, latency=structs.replace(graph.latency, table=name))
    return structs.replace(plan, graph=graph, folder="graph")


def _sources_only(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if not name.endswith(".py")}
