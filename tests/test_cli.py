"""The command line's door: what it imports, how it fails, and that what `init` writes really runs."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from cyclopts import App

from actors.cli import main as door
from actors.cli.main import VERBS, main
from actors.errors import Exit, UserError
from tests.conftest import ROOT

HEAVY = ("ray", "pandas", "numba", "tables", "plotly", "numpy", "zmq", "scipy", "matplotlib", "pyarrow")


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[BaseException], None]:
    """Makes every verb raise; what a failure leaves behind goes to the test's own folder."""
    monkeypatch.setenv("ASTRARIUM_CACHE", str(tmp_path))
    monkeypatch.delenv("ASTRARIUM_DEBUG", raising=False)

    def arm(error: BaseException) -> None:
        def fail(*words: object, **options: object) -> None:
            raise error

        monkeypatch.setattr(door, "app", fail)

    return arm


def test_help_imports_nothing_heavy() -> None:
    """A start-up that stays under 300 ms is measured by bench/startup.py; this is why it can be."""
    code = (
        "import sys\nfrom actors.cli.main import main\n"
        "for verb in ([], ['backtest'], ['data', 'copy']):\n    assert main([*verb, '--help']) == 0\n"
        f"sys.stderr.write(' '.join(name for name in {HEAVY} if name in sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stderr == ""
    assert "backtest" in run.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_is_listed_is_there(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    module, _, name = VERBS[verb][0].partition(":")
    found = getattr(import_module(module), name)
    assert isinstance(found, App) or inspect.getdoc(found)
    assert main([verb, "--help"]) == Exit.FINE
    assert VERBS[verb][1].split()[0] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bactest"], '"backtest"'),
        (["backtest", "graph.toml", "--instrument", "X"], "--instruments"),
        (["backtest", "graph.toml", "--workers", "many"], "many"),
        (["data", "lst"], '"list"'),
        (["data", "show", "BTCUSDT", "--days", "x", "--kind", "trade"], '"trades"'),
        (["backtest"], "GRAPH"),
    ],
)
def test_a_word_that_no_verb_takes_is_one_line_with_the_nearest(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == Exit.CONFIGURATION
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert told.err.count("\n") == 1
    assert said in told.err


def test_a_users_error_is_one_line_with_its_own_exit_code(raising, capsys: pytest.CaptureFixture[str]) -> None:
    raising(UserError("two\nlines", Exit.NOT_RUNNING))
    assert main([]) == Exit.NOT_RUNNING
    assert capsys.readouterr().err == "error: two lines\n"


def test_a_graph_that_is_not_there_is_not_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", str(tmp_path / "none.toml")]) == Exit.NOT_FOUND
    assert capsys.readouterr().err.count("\n") == 1


def test_a_bug_is_one_line_that_says_where_its_traceback_is(raising, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raising(ZeroDivisionError("by zero"))
    assert main([]) == Exit.ERROR
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "ZeroDivisionError: by zero" in told
    kept = tmp_path / "last-failure.txt"
    assert str(kept) in told
    assert "Traceback" in kept.read_text()


def test_a_bug_is_shown_when_asked_for(raising, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(ZeroDivisionError("by zero"))
    with pytest.raises(ZeroDivisionError):
        main(["--debug"])
    monkeypatch.setenv("ASTRARIUM_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main([])


def test_an_interrupt_ends_as_shells_expect(raising, capsys: pytest.CaptureFixture[str]) -> None:
    raising(KeyboardInterrupt())
    assert main([]) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    code = (
        "import sys\nfrom actors.cli import main as door\n"
        "def much(*words, **options):\n    for _ in range(100_000): print('x' * 100)\n"
        "door.app = much\nsys.exit(door.main([]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.readline()
        run.stdout.close()
        assert run.wait() == Exit.FINE
        assert run.stderr.read() == ""


def test_the_version_is_the_projects(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == Exit.FINE
    assert capsys.readouterr().out.strip() == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_doctor_finds_this_machine_fit_and_names_what_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--store", str(tmp_path / "none"), "--json"])
    found = {finding["what"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert found["python"]["good"]
    assert found["ray"]["good"]
    assert found["store"]["good"]
    day = tmp_path / "binance_usdm" / "BTCUSDT" / "2024-01-01.h5"
    day.parent.mkdir(parents=True)
    day.write_bytes(b"no HDF5")
    assert main(["doctor", "--store", str(tmp_path), "--json"]) == Exit.ERROR
    found = {finding["what"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert not found["binance_usdm:BTCUSDT"]["good"]


def test_init_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path)]) == Exit.FINE
    (tmp_path / "quoter.py").write_text("mine")
    assert main(["init", str(tmp_path)]) == Exit.CONFIGURATION
    assert (tmp_path / "quoter.py").read_text() == "mine"
    assert capsys.readouterr().err.count("\n") == 1


def test_what_init_writes_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, mine = str(tmp_path / "store"), tmp_path / "mine"
    assert main(["init", str(mine)]) == Exit.FINE
    told = capsys.readouterr().out
    assert f"astrarium trade {mine / 'quoter.toml'} " in told
    assert "astrarium venue --port 8900 " in told
    assert main(["data", "synth", "--days", "1", "--events", "20000", "--store", store]) == Exit.FINE
    capsys.readouterr()
    graph = str(mine / "quoter.toml")
    words = ["backtest", graph, "--store", store, "--results", str(tmp_path / "results"), "--no-ray", "--json"]
    assert main(words) == Exit.FINE
    run = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [day["status"] for day in run["days"]] == ["done"]
    assert run["days"][0]["fills"] > 0


def test_the_readme_shows_the_strategy_that_init_writes() -> None:
    assert (ROOT / "actors" / "starter" / "quoter.py").read_text() in (ROOT / "README.md").read_text()
