"""The Ray cluster launcher's files: what Ray's own schema says of them, and what we promise beside."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from actors.live.placement import LIVE
from tests.conftest import ROOT

LOCK = "requirements-cluster.txt"


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())


@pytest.fixture(scope="module", params=["cluster.yaml", "cluster.local.yaml"])
def either(request: pytest.FixtureRequest) -> dict[str, Any]:
    return yaml.safe_load((ROOT / request.param).read_text())


def test_a_file_is_valid_by_rays_own_schema(either: dict[str, Any]) -> None:
    spec = find_spec("ray")
    assert spec is not None
    assert spec.origin is not None
    schema = json.loads((Path(spec.origin).parent / "autoscaler" / "ray-schema.json").read_text())
    jsonschema.Draft7Validator(schema).validate(either)


def test_every_node_installs_from_the_lock(either: dict[str, Any]) -> None:
    mounted = {place for place, source in either["file_mounts"].items() if source == LOCK}
    installs = [line for line in either["setup_commands"] if "pip install" in line]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert installs[0].split()[-1] in mounted


def test_the_image_has_the_locks_ray_and_a_python_that_we_support(cluster: dict[str, Any]) -> None:
    version, python = re.fullmatch(r"rayproject/ray:([\d.]+)-py(\d+)", cluster["docker"]["image"]).groups()  # type: ignore[union-attr]
    assert f"ray=={version} " in (ROOT / LOCK).read_text()
    assert python == "311"


def test_ray_never_starts_without_the_token(either: dict[str, Any]) -> None:
    assert any(place.endswith("/.ray/auth_token") for place in either["file_mounts"])
    for role in ("head", "worker"):
        starts = [line for line in either[f"{role}_start_ray_commands"] if "ray start" in line]
        assert starts
        assert all("RAY_AUTH_MODE=token" in line for line in starts)


def test_nothing_is_open_to_the_world(cluster: dict[str, Any]) -> None:
    """A node type without a group of its own would get one from Ray that lets SSH in from everywhere."""
    assert "0.0.0.0" not in (ROOT / "cluster.yaml").read_text()
    assert all(kind["node_config"].get("SecurityGroupIds") for kind in cluster["available_node_types"].values())
    assert "security_group" not in cluster["provider"]


def test_the_page_and_the_jobs_of_a_head_are_reached_through_ssh_alone(either: dict[str, Any]) -> None:
    told = " ".join(either["head_start_ray_commands"])
    assert "0.0.0.0" not in told
    assert "--dashboard-host=127.0.0.1" in told


def test_days_run_on_the_spot_market_and_trading_does_not(cluster: dict[str, Any]) -> None:
    kinds = cluster["available_node_types"]
    assert kinds["days"]["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"
    assert kinds["days"]["min_workers"] == 0
    assert "InstanceMarketOptions" not in kinds["live"]["node_config"]
    assert kinds["live"]["resources"] == {"CPU": 0, LIVE: 1}  # and no day runs beside it
