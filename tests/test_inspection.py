"""A machine that would give other results, or none, is refused in words before it is given a day."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import pytest
from msgspec import structs

from actors.cluster import inspection
from actors.cluster.inspection import look, outfit
from actors.graph import Plan, read
from tests.days import graph

DAY = "binance_usdm:BTCUSDT 2024-01-01"


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return read(graph(tmp_path / "mine"))


def test_a_machine_like_the_one_that_began_is_fit(plan: Plan, tmp_path: Path) -> None:
    assert not look(plan, str(tmp_path), outfit(plan), DAY).trouble


def test_one_strategy_has_one_code_wherever_its_folder_lies(plan: Plan, tmp_path: Path) -> None:
    elsewhere = read(graph(tmp_path / "there"))
    assert outfit(elsewhere) == outfit(plan)
    (tmp_path / "there" / "joiner.py").write_text("# another\n")
    assert outfit(elsewhere) != outfit(plan)


def test_other_code_is_refused(plan: Plan, tmp_path: Path) -> None:
    wanted = structs.replace(outfit(plan), code="0123456789abcdef")
    assert "runs other code" in look(plan, str(tmp_path), wanted, DAY).trouble
    assert "0123456789ab" in look(plan, str(tmp_path), wanted, DAY).trouble


def test_another_version_of_what_results_depend_on_is_refused(plan: Plan, tmp_path: Path) -> None:
    mine = outfit(plan)
    wanted = structs.replace(mine, versions={**mine.versions, "numba": "0.1"})
    trouble = look(plan, str(tmp_path), wanted, DAY).trouble
    assert trouble == f"it has numba {mine.versions['numba']}, the run began with 0.1: install both from one lock"


def test_a_store_that_is_not_mounted_is_refused(plan: Plan, tmp_path: Path) -> None:
    trouble = look(plan, str(tmp_path / "nowhere"), outfit(plan), DAY).trouble
    assert "does not see the store" in trouble
    assert "URL" in trouble


def test_a_full_disk_is_refused(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(inspection.shutil, "disk_usage", lambda path: usage(1 << 30, 1 << 30, 5 << 20))
    assert "its disk is full: 5 MB are free" in look(plan, str(tmp_path), outfit(plan), DAY).trouble
