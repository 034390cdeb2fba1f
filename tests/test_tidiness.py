"""The house's own rules, read off the sources: who may import what, nothing unsafe, nothing orphaned, nothing of a machine.

An exception to a rule stands in a table here, with its reason beside it.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.conftest import ROOT

PURE: Final = {
    "__future__", "abc", "base64", "bisect", "collections", "contextlib", "copy", "dataclasses", "datetime", "decimal", "difflib",
    "enum", "fractions", "functools", "hashlib", "heapq", "hmac", "itertools", "json", "math", "numbers", "operator", "re",
    "statistics", "string", "struct", "types", "typing", "urllib.parse", "zlib", "msgspec", "numpy", "numba",
}  # fmt: skip
"""What `core` may import from outside: nothing with a socket, a file, a clock, a thread or chance in it."""
FOR_CORE: Final = {
    "core/kernel/memory.py": {"llvmlite", "pathlib"},  # the kernel's own caches are keyed by the content of its sources
}
"""More, for one file."""
FOR_STUDY: Final = {"pandas", "scipy", "statsmodels"}
FOR_STRATEGIES: Final = {"__future__", "collections", "dataclasses", "enum", "functools", "itertools", "math", "typing"} | {
    "core", "numpy", "numba", "msgspec",
}  # fmt: skip

UNSAFE: Final = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
"""Modules that run what they read."""
UNSAFE_CALLS: Final = {"eval", "exec", "compile", "__import__"}
UNSAFE_METHODS: Final = {"recv_pyobj", "send_pyobj"}
WORLD_CALLS: Final = {"open", "print", "input", "breakpoint"}
"""Built-in names that reach out of `core`."""
CLOCKS: Final = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}

ENTRIES: Final = {
    "actors.cli.main": "the console script",
    "strategies.market_maker": "named by its graph file",
    "strategies.bollinger": "named by its graph file",
    "actors.starter.quoter": "copied by `astrarium init`",
}
"""Where a program begins: everything else in the three packages is imported, at the end of some chain, by one of these."""
LIBRARY: Final = {
    "actors.emulator.running": "tests and trials against a venue of their own",
    "actors.debug": "a session in a Python console or notebook",
    "actors.history.historical": "HistoricalTickDb, for notebooks",
}
"""What users import themselves."""
AHEAD: Final = {
    "core.codec": "the live link's",
    "actors.live.store": "the live host's journal",
    "actors.live.host": "the live launch's",
    "actors.live.schedule": "the live launch's",
    "core.dialect.binance.routes": "the live venue's streams",
    "core.ports": "what live and simulated twins have to have in common",
    "core.normalizer": "the live host's; a simulated day's market arrives prepared",
    "actors.history.dayindex": "for compiled days",
    "core.kernel.desk": "for strategies that own their loop, as the reference's do; bench/ours.py is written so",
}
"""What stands ready, tested, for a road that is not built yet."""
LINES_MAX: Final = 260
LONG: Final = {
    "core/dialect/binance/session.py": "every input of a session and every action, beside what ties its parts together",
    "core/dialect/binance/private.py": "the venue's shapes of seven events beside what is made of them",
    "actors/cli/data.py": "one verb a function, each with its options",
    "actors/graph.py": "every table of a graph file",
    "actors/history/importer.py": "a file's way into day files, from segment to segment",
    "actors/history/intake.py": "the documented depth synchronisation over a stream of blocks",
    "actors/history/prepared.py": "what a prepared day is, made, kept and read again",
    "actors/launch.py": "the choice of the world, with every edge of the graph",
    "actors/live/link.py": "everything that may happen to a connection, from the first frame to the last",
    "actors/sim/host.py": "the turn and the heap are one loop",
    "actors/sim/venue.py": "the venue's side of every request and report",
    "core/dialect/binance/words.py": "one file a venue",
    "core/message.py": "all messages on one page",
    "core/gateway.py": "an order's whole way: asked, answered, doubted, reconciled, withdrawn",
    "core/risk/judge.py": "the one judge, with every question it asks and in which order",
    "core/order.py": "the order's facts, rules and precedence",
    "core/session.py": "a session's rules, its table, its events and every word of it",
    "core/strategy.py": "all that one who writes a strategy reads",
}
"""Files that are longer, and why. (`core/kernel` is exempt: a compiled loop is one function.)"""
VAGUE: Final = re.compile(r"(^|_)(utils?|helpers?|base|manager|engine|common|misc)(_|$)")
OTHER_TESTS: Final = {
    "planted": "bugs put in on purpose, and the checkers that must find them",
    "scenarios": "what went wrong for others, as stories",
    "backtest_verb": "`astrarium backtest` as a user meets it",
    "binance_trading": "Binance's requests, errors and stream routes together",
    "cli": "the command line as a user meets it",
    "cluster": "cluster.yaml and cluster.local.yaml",
    "cluster_hosts": "a cluster on hosts out of namespaces, from `ray up` to `ray down`",
    "cluster_run": "a run on a cluster of several Ray nodes",
    "emulator": "the emulated venue's orders and money",
    "emulator_clients": "public clients against the emulated venue",
    "emulator_server": "the emulated venue with real sockets, and strangers' bytes",
    "emulator_shapes": "the emulated venue's answers beside the documented ones",
    "data_cli": "`astrarium data ...` as a user meets it",
    "import": "the importer's stories, from captures to day files",
    "live_cluster": "sessions over machines that die",
    "live_soak": "sessions whose processes are killed again and again",
    "live_trading": "sessions tried whole",
    "kernel_reference": "the kernel's fills beside hftbacktest's",
    "readme": "the pages beside the code that they speak of",
    "scale": "the model of growth, and the simulated schedule beside it (bench/scale_*.py)",
    "tidiness": "this",
}
"""Tests that are not named after a module, and what they hold."""
BYTES_MAX: Final = 1_500_000


class Source(NamedTuple):
    """A module: its path below the project, its import name, and what its syntax tree holds."""

    path: str
    name: str
    lines: int
    doc: str
    nodes: tuple[ast.AST, ...]
    imports: tuple[tuple[int, str], ...]


@cache
def tracked() -> tuple[str, ...]:
    """What git knows of, and what it would take; without git, all that is here."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
        ).stdout.decode()
        names = [name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if not any(part[0] == "." for part in path.parts)]
    return tuple(sorted(name for name in names if (ROOT / name).is_file()))


def sources(*packages: str) -> Iterator[Source]:
    """The Python files of top-level folders."""
    for name in tracked():
        if name.endswith(".py") and name.split("/")[0] in packages:
            yield source(name)


@cache
def source(path: str) -> Source:
    text = (ROOT / path).read_text()
    tree = ast.parse(text, path)
    nodes = tuple(ast.walk(tree))
    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return Source(path, name, text.count("\n"), ast.get_docstring(tree) or "", nodes, tuple(imports(nodes)))


def imports(nodes: tuple[ast.AST, ...]) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported; for `from a import b` both `a` and `a.b`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            yield node.lineno, node.module or ""
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def within(name: str, allowed: set[str]) -> bool:
    """Whether a dotted name or one of its parents is in a set."""
    parts = name.split(".")
    return any(".".join(parts[:length]) in allowed for length in range(1, len(parts) + 1))


def nothing(found: list[str], rule: str) -> None:
    assert not found, f"{rule}:\n  " + "\n  ".join(found)


def test_core_imports_nothing_of_the_world() -> None:
    found = []
    for one in sources("core"):
        allowed = PURE | {"core"} | FOR_CORE.get(one.path, set())
        if one.name.startswith("core.study"):
            allowed = allowed | FOR_STUDY
        found += [f"{one.path}:{line}: {name}" for line, name in one.imports if not within(name, allowed)]
        found += [f"{one.path}:{line}: {name}" for line, name in one.imports if within(name, {"numpy.random"})]
    nothing(found, "core decides and imports neither I/O, nor a clock, nor chance, nor actors")


def test_core_reads_no_clock_draws_no_lots_and_reaches_nowhere() -> None:
    found = []
    for one in sources("core"):
        for node in one.nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WORLD_CALLS:
                found.append(f"{one.path}:{node.lineno}: {node.func.id}()")
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                pair = (node.value.id, node.attr)
                if pair in CLOCKS or pair in {("np", "random"), ("numpy", "random")}:
                    found.append(f"{one.path}:{node.lineno}: {'.'.join(pair)}")
    nothing(found, "time arrives as an argument, and so does chance")


def test_nothing_in_core_depends_on_the_order_of_a_set() -> None:
    """A set's order changes with PYTHONHASHSEED; `sorted(...)` around it does not."""
    found = []
    for one in sources("core"):
        for node in one.nodes:
            loops = [node.iter] if isinstance(node, ast.For | ast.comprehension) else []
            for loop in loops:
                made = isinstance(loop, ast.Call) and isinstance(loop.func, ast.Name) and loop.func.id in {"set", "frozenset"}
                if made or isinstance(loop, ast.Set | ast.SetComp):
                    found.append(f"{one.path}:{loop.lineno}")
    nothing(found, "a loop over a set takes another order in every process")


def test_strategies_import_only_core_and_arithmetic() -> None:
    found = [
        f"{one.path}:{line}: {name}"
        for one in sources("strategies", "actors")
        for line, name in one.imports
        if one.path.startswith(("strategies/", "actors/starter/"))
        if not within(name, FOR_STRATEGIES)
    ]
    nothing(found, "a strategy sees the market through its messages and nothing else")


def test_actors_do_not_import_strategies_or_tests_or_bench() -> None:
    found = [
        f"{one.path}:{line}: {name}"
        for one in sources("core", "actors", "strategies")
        for line, name in one.imports
        if within(name, {"tests", "bench"}) or (one.path.startswith("actors/") and within(name, {"strategies"}))
    ]
    nothing(found, "strategies are named by a graph; tests and benches are nobody's library")


def test_nothing_runs_what_it_reads() -> None:
    found = []
    for one in sources("core", "actors", "strategies", "bench"):
        found += [f"{one.path}:{line}: {name}" for line, name in one.imports if within(name, UNSAFE)]
        for node in one.nodes:
            if isinstance(node, ast.Call):
                found += [f"{one.path}:{node.lineno}: {word}" for word in unsafe(node)]
    nothing(found, "no pickle, no eval, no decoding without a type")


def unsafe(call: ast.Call) -> Iterator[str]:
    """What is unsafe about a call, if anything."""
    words = {keyword.arg: keyword.value for keyword in call.keywords}
    if isinstance(call.func, ast.Name):
        if call.func.id in UNSAFE_CALLS:
            yield f"{call.func.id}()"
    elif isinstance(call.func, ast.Attribute):
        name = ast.unparse(call.func)
        if call.func.attr in UNSAFE_METHODS:
            yield name
        if name.endswith(("msgpack.decode", "msgspec.json.decode")) and "type" not in words:
            yield f"{name} without type="
        if name.endswith(("msgpack.Decoder", "json.Decoder")) and not call.args and "type" not in words:
            yield f"{name} without a type"
        if isinstance(words.get("allow_pickle"), ast.Constant) and words["allow_pickle"].value:  # type: ignore[attr-defined]
            yield f"{name} with allow_pickle"


def test_every_module_is_reached_from_where_a_program_begins() -> None:
    by_name = {one.name: one for one in sources("core", "actors", "strategies")}
    reached: set[str] = set()
    waiting = [*ENTRIES, *LIBRARY, *AHEAD]
    while waiting:
        name = waiting.pop()
        if name not in by_name or name in reached:
            continue
        reached.add(name)
        waiting += [imported for _, imported in by_name[name].imports]
        waiting += [name.rpartition(".")[0]]
        waiting += [
            node.value.partition(":")[0]
            for node in by_name[name].nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]  # verbs are named as "module:attribute"
    empty = {one.name for one in by_name.values() if not one.lines}
    nothing(sorted(set(by_name) - reached - empty), "nobody imports these modules")


def test_every_entry_is_there() -> None:
    names = {one.name for one in sources("core", "actors", "strategies")}
    nothing(sorted({*ENTRIES, *LIBRARY, *AHEAD} - names), "tests/test_tidiness.py speaks of modules that are gone")
    nothing(sorted(path for path in {*LONG, *FOR_CORE} if not (ROOT / path).exists()), "and of files that are gone")


def test_every_module_says_what_it_is() -> None:
    found = [one.path for one in sources("core", "actors", "strategies", "bench", "tests") if one.lines and not one.doc]
    nothing(found, "a file opens with what it is about")


def test_files_are_of_a_length_to_read() -> None:
    found = [
        f"{one.path}: {one.lines} lines"
        for one in sources("core", "actors", "strategies")
        if one.lines > LINES_MAX and not one.path.startswith("core/kernel/") and one.path not in LONG
    ]
    nothing(found, f"more than {LINES_MAX} lines: split it, or say why not in LONG")


def test_files_are_named_by_nouns() -> None:
    found = [one.path for one in sources("core", "actors", "strategies", "bench") if VAGUE.search(Path(one.path).stem)]
    nothing(found, "a name that says nothing")


def test_tests_have_the_names_of_what_they_test() -> None:
    parts = [one.name.split(".")[1:] for one in sources("core", "actors", "strategies")]
    known = {"_".join(names[start:]) for names in parts for start in range(len(names))} | set(OTHER_TESTS)
    found = [name for name in tracked() if (match := re.fullmatch(r"tests/test_(\w+)\.py", name)) and match[1] not in known]
    nothing(found, "no module of that name: rename the test, or say what it holds in OTHER_TESTS")


@pytest.mark.parametrize("what", ["project", "home", "parent"])
def test_no_tracked_file_names_a_path_of_this_machine(what: str) -> None:
    """The parent of a checkout in a folder for temporary files is nobody's own place, and its name is a common word."""
    place = {"project": ROOT, "home": Path.home(), "parent": ROOT.parent}[what]
    if len(place.parts) < 2 or place == Path(tempfile.gettempdir()):
        pytest.skip(f"{place} is nobody's own")
    word = f"{place}/".encode()
    found = [name for name in tracked() if word in (ROOT / name).read_bytes()]
    nothing(found, f"{place}/ stands in")


def test_locks_name_versions_and_hashes_and_no_registry() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = (ROOT / name).read_text().splitlines()
        lines = [line.strip().removesuffix("\\").strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        fine = re.compile(r"[\w.-]+==[\w.+!-]+( ;.*)?|--hash=sha256:[0-9a-f]{64}")
        nothing([f"{name}: {line}" for line in lines if not fine.fullmatch(line)], "neither a pinned version nor a hash")


def test_both_locks_have_the_same_versions() -> None:
    locks = [
        set(re.findall(r"^[\w.-]+==\S+", (ROOT / name).read_text(), re.M))
        for name in ("requirements.txt", "requirements-dev.txt")
    ]
    nothing(sorted(locks[0] - locks[1]), "tests would run on other versions than users get")


def test_no_tracked_file_is_large() -> None:
    found = [f"{name}: {size:,} bytes" for name in tracked() if (size := (ROOT / name).stat().st_size) > BYTES_MAX]
    nothing(found, f"over {BYTES_MAX:,} bytes")
