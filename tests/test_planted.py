"""Every planted bug is found by the checkers, within two hundred seeds."""

from __future__ import annotations

import pytest

from tests.planted import PLANTS, Plant
from tests.seeds import run

SEEDS_MAX = 200


def test_there_are_plants_of_every_sort() -> None:
    assert len(PLANTS) >= 20
    assert len({one.name for one in PLANTS}) == len(PLANTS)


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTS, ids=lambda one: one.name)
def test_a_planted_bug_is_caught(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant.plant(monkeypatch)
    for seed in range(SEEDS_MAX):
        if any(one.startswith((plant.found_as, "crash")) for one in run(seed).violations):
            return
    pytest.fail(f"{plant.name} was not found as {plant.found_as} in {SEEDS_MAX} seeds")
