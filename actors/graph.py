"""A graph file: one TOML file says what runs, on what, within which limits, and how the simulated world behaves.

The file is read into Structs that refuse unknown keys, so that a misspelt limit is an error and not a missing limit. Units
stand in the names: `_us` microseconds; quantities in base currency, values and capital in quote currency. `--set` overrides
one key by its dotted name before anything is checked.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType, structs

from actors.errors import Exit, UserError, nearest
from actors.guard import GuardTable
from core.dialect.binance.hosts import VenueTable
from core.instrument import Instrument
from core.price import E8
from core.risk.limits import Limits
from core.strategy import ParameterError, Strategy

US = 1_000


class LimitsTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[limits]`: quantities in base currency, values in quote currency; a key left out is no limit."""

    order_qty: float | None = None
    position: float | None = None
    open_orders: int | None = None
    order_value: float | None = None
    exposure: float | None = None

    def of(self, instrument: Instrument) -> Limits:
        """The limits in an instrument's lots."""

        def lots(qty: float | None) -> int | None:
            return None if qty is None else instrument.lots(repr(qty), "down")

        value = None if self.order_value is None else round(self.order_value * E8)
        return Limits(lots(self.order_qty), lots(self.position), self.open_orders, value)


class FeesTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[fees]`: fractions of the notional; negative is a rebate."""

    maker: float = 0.0002
    taker: float = 0.0005


class LatencyTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[latency]`: constants, or a recorded table of (sent, at exchange, answered) in ns UTC as a CSV or .npy file.

    `feed_base_us` is the smallest feed latency that a capture is taken to have had (its clock offset is shifted to that).
    """

    feed_base_us: float = 0.0
    order_entry_us: float = 1_000.0
    order_response_us: float = 1_000.0
    link_us: float = 45.0
    table: str | None = None


QueueModel = Literal["risk", "power", "power2", "power3", "log", "log2", "front", "back"]


class QueueTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[queue]`: how the quantity ahead of a resting order shrinks, and whether orders may fill in part."""

    model: QueueModel = "power"
    n: float = 3.0
    partial_fills: bool = False


class BusyTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[busy_us]`: how long a process is busy with a message of each kind. All zero: the reference simulator's world."""

    frame: float = 20.0
    tick: float = 50.0
    report: float = 50.0
    timer: float = 50.0
    order: float = 50.0

    def ns(self) -> dict[str, int]:
        """The table in nanoseconds."""
        return {name: round(getattr(self, name) * US) for name in self.__struct_fields__}


class Graph(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole graph file, checked. `strategy` holds `use` and the strategy's own parameters."""

    name: str
    instruments: tuple[str, ...]
    strategy: dict[str, Any]
    capital: float = 10_000.0
    midnight: str = "flat"
    limits: LimitsTable = LimitsTable()
    fees: FeesTable = FeesTable()
    latency: LatencyTable = LatencyTable()
    queue: QueueTable = QueueTable()
    busy_us: BusyTable = BusyTable()
    guard: GuardTable | UnsetType = UNSET
    venue: VenueTable | UnsetType = UNSET

    @property
    def guarded(self) -> GuardTable | None:
        """The account's guards; None where the graph names none."""
        return self.guard if isinstance(self.guard, GuardTable) else None

    @property
    def warmup_minutes(self) -> int:
        """Minutes of the day before that feed indicators and trade nothing; 0 without warm-up."""
        return int(self.midnight.removeprefix("warmup=")) if self.midnight.startswith("warmup=") else 0

    @property
    def carries(self) -> bool:
        """Whether positions are carried across midnight, so that days run in sequence."""
        return self.midnight == "carry"

    @property
    def parameters(self) -> dict[str, Any]:
        """The strategy's parameters as given."""
        return {key: value for key, value in self.strategy.items() if key != "use"}


class Plan(Struct, frozen=True):
    """A graph and where it was read from: all that a worker needs to build the same nodes."""

    graph: Graph
    folder: str
    source: str

    @property
    def strategy_file(self) -> Path:
        """The strategy's source file."""
        return Path(self.folder, str(self.graph.strategy["use"]).partition(":")[0]).resolve()

    def strategy_class(self) -> type[Strategy]:
        """The class that `use` names. Raises UserError when the file or the class is not there."""
        use = str(self.graph.strategy["use"])
        file, colon, name = use.partition(":")
        if not colon or not name:
            raise UserError(f'strategy.use is "file.py:Class", not {use!r}', Exit.CONFIGURATION)
        module = _load(self.strategy_file)
        found = getattr(module, name, None)
        if not (isinstance(found, type) and issubclass(found, Strategy)):
            classes = [key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, Strategy)]
            raise UserError(f"{file} has no strategy {name!r}: {nearest(name, classes)}", Exit.CONFIGURATION)
        return found

    def groups(self, symbols: Sequence[str]) -> list[tuple[str, ...]]:
        """Instruments that must run together: all of them where a strategy or an account limit spans them, else each alone."""
        graph = self.graph
        together = self.strategy_class().shared or graph.limits.exposure is not None or graph.guarded is not None
        return [tuple(symbols)] if together else [(symbol,) for symbol in symbols]

    def parameters_hash(self) -> str:
        """Content hash of everything in the graph but its instruments' days."""
        return _digest(msgspec.json.encode(self.graph, order="sorted"))

    def code_hash(self) -> str:
        """Content hash of this program's own source and of the strategy's folder, wherever both lie."""
        root = Path(__file__).resolve().parent.parent
        own = [(str(file.relative_to(root)), file) for name in ("core", "actors") for file in root.glob(f"{name}/**/*.py")]
        beside = [(file.name, file) for file in self.strategy_file.parent.glob("*.py")]
        return _digest(*(part for name, file in (*sorted(own), *sorted(beside)) for part in (name.encode(), file.read_bytes())))


def read(path: str | Path, overrides: Iterable[str] = ()) -> Plan:
    """Read and check a graph file. Raises UserError that names the key and the nearest right one."""
    path = Path(path)
    try:
        source = path.read_text("utf-8")
    except OSError as error:
        beside = [str(other) for other in path.parent.glob("*.toml")]
        hint = f"; {nearest(str(path), beside)}" if beside and not path.exists() else ""
        raise UserError(f"cannot read graph file {path}: {error.strerror}{hint}", Exit.NOT_FOUND) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a TOML file: {error.reason} at byte {error.start}", Exit.CONFIGURATION) from error
    try:
        table = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: {error}", Exit.CONFIGURATION) from error
    for override in overrides:
        _override(table, override)
    plan = Plan(_convert(table, path), str(path.resolve().parent), source)
    _check(plan, path)
    return plan


def changed(plan: Plan, overrides: Iterable[str]) -> Plan:
    """The same plan with other values of some keys. Raises UserError as `read` does."""
    table = msgspec.to_builtins(plan.graph)
    for override in overrides:
        _override(table, override)
    path = Path(plan.folder, plan.graph.name)
    other = structs.replace(plan, graph=_convert(table, path))
    _check(other, path)
    return other


def code_of(plans: Iterable[Plan]) -> str:
    """What names the code of several plans, short."""
    return "+".join(sorted({plan.code_hash()[:12] for plan in plans}))


def _override(table: dict[str, Any], override: str) -> None:
    key, equals, written = override.partition("=")
    if not equals or not key:
        raise UserError(f"--set takes key=value, not {override!r}", Exit.CONFIGURATION)
    try:
        value = tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        value = written
    *sections, name = key.split(".")
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise UserError(f"--set {key}: {section} is not a section", Exit.CONFIGURATION)
    table[name] = value


def _convert(table: dict[str, Any], path: Path) -> Graph:
    structs: dict[str, type[Struct]] = {"": Graph, **SECTIONS}
    for section, struct in structs.items():
        given = table.get(section, {}) if section else table
        for key in given if isinstance(given, dict) else ():
            if key not in struct.__struct_fields__:
                where = f"[{section}] " if section else ""
                known = nearest(key, struct.__struct_fields__)
                raise UserError(f"{path}: unknown key {where}{key!r}: {known}", Exit.CONFIGURATION)
    try:
        return msgspec.convert(table, Graph)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {error}", Exit.CONFIGURATION) from error


SECTIONS: Final[Mapping[str, type[Struct]]] = {
    "limits": LimitsTable, "fees": FeesTable, "latency": LatencyTable, "queue": QueueTable, "busy_us": BusyTable,
    "guard": GuardTable, "venue": VenueTable,
}  # fmt: skip


def _check(plan: Plan, path: Path) -> None:
    graph = plan.graph
    if not graph.instruments:
        raise UserError(f"{path}: instruments is empty: name at least one", Exit.CONFIGURATION)
    if not re.fullmatch(r"flat|carry|warmup=\d{1,4}", graph.midnight):
        raise UserError(f'{path}: midnight is "flat", "carry" or "warmup=MINUTES", not {graph.midnight!r}', Exit.CONFIGURATION)
    twice = [name for name in graph.instruments if graph.instruments.count(name) > 1]
    if twice:
        raise UserError(f"{path}: instruments names {twice[0]} twice", Exit.CONFIGURATION)
    if not 0 < graph.capital < math.inf:
        raise UserError(f"{path}: capital must be positive, not {graph.capital}", Exit.CONFIGURATION)
    for section in SECTIONS:
        if isinstance(table := getattr(graph, section), Struct):
            _check_numbers(table, section, path)
    if "use" not in graph.strategy:
        raise UserError(f'{path}: [strategy] needs use = "file.py:Class"', Exit.CONFIGURATION)
    kind = plan.strategy_class()
    try:
        kind.checked(graph.parameters)
    except ParameterError as error:
        hint = "" if error.name in kind.parameters() else f": {nearest(error.name, kind.parameters())}"
        raise UserError(f"{path}: {error}{hint}", Exit.CONFIGURATION) from error


def _check_numbers(table: Struct, section: str, path: Path) -> None:
    """Whatever is a number is finite, and not negative unless it may be a rebate."""
    for name in table.__struct_fields__:
        value = getattr(table, name)
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"{path}: [{section}] {name} must be a finite number, not {value}", Exit.CONFIGURATION)
        if isinstance(value, int | float) and value < 0 and section != "fees":
            raise UserError(f"{path}: [{section}] {name} must not be negative, not {value}", Exit.CONFIGURATION)


def _load(file: Path) -> ModuleType:
    """Import a strategy file under a name of its own; the same file is imported once a process and content."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read strategy file {file}: {error.strerror}", Exit.NOT_FOUND) from error
    name = f"astrarium_strategy_{file.stem}_{_digest(str(file).encode(), content)[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UserError(f"strategy file {file} does not load: {type(error).__name__}: {error}", Exit.CONFIGURATION) from error
    return module


def _digest(*parts: bytes) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def describe(graph: Graph) -> Mapping[str, str]:
    """Every assumption that a simulated run makes, as words for people."""
    latency, busy, queue, guard = graph.latency, graph.busy_us, graph.queue, graph.guarded
    order = f"recorded in {latency.table}" if latency.table else (
        f"{latency.order_entry_us:g} µs to the exchange, {latency.order_response_us:g} µs back"
    )  # fmt: skip
    charged = ", ".join(f"{name} {getattr(busy, name):g}" for name in busy.__struct_fields__)
    return {
        "feed latency": f"as captured, each file's clock shifted so that its smallest is {latency.feed_base_us:g} µs",
        "order latency": order,
        "link latency": f"{latency.link_us:g} µs between processes",
        "queue model": f"{queue.model}" + (f" n={queue.n:g}" if queue.model.startswith("power") else ""),
        "partial fills": "yes" if queue.partial_fills else "no: an order fills whole",
        "fees": f"maker {graph.fees.maker:.4%}, taker {graph.fees.taker:.4%} of the notional",
        "busy time": f"{charged} µs a message",
        "midnight": {
            "flat": "flat: each day starts flat; open orders canceled, position marked at the last mid, no closing trade",
            "carry": "carry: position, orders' cancellation and cash carry over; days in sequence",
        }.get(graph.midnight, f"{graph.midnight}: so many earlier minutes feed the strategy, nothing is traded; then as flat"),
        "capital": f"{graph.capital:,.2f}",
        **({"guards": ", ".join(f"{key} {value}" for key, value in structs.asdict(guard).items() if value)} if guard else {}),
    }
