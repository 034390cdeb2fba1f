"""What all tests share: where the real captures are, if anywhere."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of real market data: ASTRARIUM_CAPTURES, by default ../shared/data beside the project."""
    folder = Path(os.environ.get("ASTRARIUM_CAPTURES", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real captures: {folder} does not exist (set ASTRARIUM_CAPTURES)")
    return folder


@pytest.fixture(scope="session")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of three small generated days of BTCUSDT and ETHUSDT. Nobody may change it."""
    from tests.days import store

    return store(tmp_path_factory.mktemp("store"))
