"""A cluster's machines, looked at before anything is placed on them; and what of a session travels to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.emulator.running import RunningVenue
from actors.graph import code_of, read
from actors.live.folder import Folder
from actors.live.opening import open_session
from actors.live.survey import look, machines
from core.dialect.binance.hosts import VenueTable
from tests.trial import graphs


@pytest.fixture(scope="module")
def venue() -> Iterator[RunningVenue]:
    with RunningVenue("--synth", "7") as running:
        yield running


@pytest.fixture
def folder(venue: RunningVenue, tmp_path: Path) -> Folder:
    """A session over machines that has not begun, with real orders; what it was opened from is gone."""
    graphs(tmp_path / "g", 1)
    plans = [read(tmp_path / "g" / f"{name}.toml") for name in ("chaos", "quoter")]
    made = open_session(tmp_path / "s", plans, VenueTable().at(venue.rest), True, spread=True, trusted=True)
    assert code_of(made.read().plans) == code_of(plans)
    for file in (tmp_path / "g").iterdir():
        file.unlink()
    return made


def test_a_session_over_machines_takes_its_strategies_along(folder: Folder) -> None:
    sitting = folder.read()
    assert (sitting.spread, sitting.trusted) == (True, True)
    assert [one.name for one in sitting.runners()][:2] == ["chaos.BTCUSDT", "chaos.ETHUSDT"]
    assert all(Path(plan.folder).parent == folder.path.resolve() / "graphs" for plan in sitting.plans)


def test_a_machine_as_it_must_be_has_nothing_said_of_it(folder: Folder) -> None:
    assert look(str(folder.path), folder.prove()) == ""


def test_each_thing_that_is_wrong_with_a_machine_has_its_words(
    folder: Folder, venue: RunningVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = folder.prove()
    assert "name with --sessions one that every machine has" in look("/nowhere", proof)
    assert "does not see the session's folder" in look(str(folder.path), "another proof")
    venue.set_clock(60_000)
    try:
        assert re.search(r"has a clock that is \+(59,9|60,)", look(str(folder.path), proof))
    finally:
        venue.set_clock(0)
    monkeypatch.setenv("ASTRARIUM_KEYS", "/nowhere/keys.toml")
    assert "/nowhere/keys.toml" in look(str(folder.path), proof)
    monkeypatch.delenv("ASTRARIUM_KEYS")
    source = next(folder.path.glob("graphs/0/*.py"))
    source.write_text(source.read_text() + "\n# changed\n")
    assert "runs other code" in look(str(folder.path), proof)


def test_rays_nodes_are_machines_while_they_live() -> None:
    nodes = [
        {"NodeID": "a", "NodeManagerAddress": "10.0.0.1", "Resources": {"CPU": 4.0}, "Alive": True},
        {"NodeID": "b", "NodeManagerAddress": "10.0.0.2", "Resources": {"CPU": 4.0}, "Alive": False},
        {"NodeID": "c", "NodeManagerAddress": "10.0.0.3", "Resources": {}, "Alive": True},
    ]
    assert [one.node for one in machines(nodes)] == ["a"]
