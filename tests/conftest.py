"""What all tests share: where the real captures are, if anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.buckets import Buckets

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


@pytest.fixture(scope="session")
def object_storage() -> Iterator[Buckets]:
    """An S3 server on loopback for all tests; each takes a prefix of its own."""
    from tests.buckets import serving

    with serving() as buckets:
        yield buckets


@pytest.fixture
def buckets(object_storage: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Buckets]:
    """The server, this environment's own, with nothing asked of it yet; and a cache of this test's own."""
    for name, value in object_storage.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ASTRARIUM_CACHE", str(tmp_path / "cache"))
    object_storage.asked.clear()
    yield object_storage
    object_storage.fault = lambda asked: None
