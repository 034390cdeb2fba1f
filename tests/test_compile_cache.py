"""Where compiled kernels are kept."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from actors import compile_cache


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASTRARIUM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    import numba

    monkeypatch.setattr(numba.config, "CACHE_DIR", numba.config.CACHE_DIR)
    folder = tmp_path / "kernel"
    folder.mkdir()
    (folder / "queue.py").write_text("AHEAD = 1\n")
    return folder


def place() -> Path:
    return Path(os.environ["NUMBA_CACHE_DIR"])


def test_an_edited_kernel_finds_another_folder_and_the_old_one_again(kernel: Path) -> None:
    compile_cache.point(kernel)
    first = place()
    (kernel / "queue.py").write_text("AHEAD = 2\n")
    compile_cache.point(kernel)
    second = place()
    (kernel / "queue.py").write_text("AHEAD = 1\n")
    compile_cache.point(kernel)
    assert place() == first != second
    assert first.is_dir()
    assert second.is_dir()


def test_a_folder_that_somebody_chose_is_left_alone(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/somewhere/else")
    compile_cache.point(kernel)
    assert place() == Path("/somewhere/else")


def test_without_a_place_to_write_numba_keeps_its_own(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTRARIUM_CACHE", "/proc/nothing")
    compile_cache.point(kernel)
    assert "NUMBA_CACHE_DIR" not in os.environ


def test_old_folders_go_and_the_last_few_and_fresh_ones_stay(tmp_path: Path) -> None:
    now = time.time()
    for number in range(8):
        folder = tmp_path / str(number)
        folder.mkdir()
        age = 10 * compile_cache.REST_S if number < 7 else 0.0
        os.utime(folder, (now - age + number, now - age + number))
    compile_cache.prune(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["4", "5", "6", "7"]


def test_numba_keeps_what_it_compiles_there() -> None:
    import numba

    assert os.environ["NUMBA_CACHE_DIR"] == numba.config.CACHE_DIR
    assert place().name == compile_cache.key() or place().parent != compile_cache.home() / "numba"
