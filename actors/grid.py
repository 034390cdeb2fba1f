"""A grid of parameter sets: `--set-grid strategy.gamma=0.05,0.1,0.3` once for each key, and every combination is a set.

A value is written as `--set` takes it; `0.1:0.5:0.1` is a range with both ends. Numbers are put in order, so that two values side
by side are neighbours; words stay as given and have no neighbours. A set is checked as a graph file is, before anything runs,
and what is wrong names it.

Keys of the strategy change what a set does on the same simulated world; any other key (queue, latency, fees, limits ...) changes
the world, and sets are put together by those: what shares a world can share one reading of a day.
"""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from actors.errors import Exit, UserError
from actors.graph import Plan, read

NUMBER: Final = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
RANGE: Final = re.compile(rf"({NUMBER}):({NUMBER}):({NUMBER})")
VALUES_MAX: Final = 1_000
"""Of one key: a longer range is a step that was mistyped."""
SETS_MAX: Final = 20_000
"""Of one grid; each is checked before the first one runs, which takes some milliseconds."""
FIXED: Final = {
    "name": "a sweep has one name",
    "instruments": "--instruments names them, and every set runs on all of them",
    "strategy.use": "sweep one strategy, then the other",
}
"""Keys that no grid may vary, and why."""


class Axis(Struct, frozen=True):
    """One key of a grid: its values as written and as read, in order; whether they are numbers."""

    key: str
    written: tuple[str, ...]
    values: tuple[Any, ...]
    ordered: bool

    @property
    def parameter(self) -> str:
        """The strategy's parameter; empty for a key of the simulated world."""
        section, _, name = self.key.partition(".")
        return name if section == "strategy" else ""


class ParameterSet(Struct, frozen=True):
    """One set: its number from 1, where it stands on each axis, its values by key, and the graph with them."""

    number: int
    place: tuple[int, ...]
    values: dict[str, Any]
    plan: Plan

    @property
    def label(self) -> str:
        """`strategy.gamma=0.1 queue.model=risk`."""
        return labelled(self.values)


def labelled(values: Mapping[str, Any]) -> str:
    """Values by key in one line."""
    return " ".join(f"{key}={say_value(value)}" for key, value in values.items())


def say_value(value: Any) -> str:
    """A value as `--set` takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def axes(written: Sequence[str]) -> list[Axis]:
    """The axes that `key=value,value,...` name. Raises UserError for what is no such thing, or named twice."""
    found = [_axis(text) for text in written]
    if not found:
        raise UserError("a grid needs at least one --set-grid key=value,value,...", Exit.CONFIGURATION)
    keys = [axis.key for axis in found]
    for key in keys:
        if keys.count(key) > 1:
            raise UserError(f"--set-grid {key} is there twice: name all its values at once", Exit.CONFIGURATION)
    return found


def _axis(text: str) -> Axis:
    key, equals, listed = text.partition("=")
    key = key.strip()
    if not equals or not key or not listed.strip():
        raise UserError(f"--set-grid takes key=value,value,..., not {text!r}", Exit.CONFIGURATION)
    if key in FIXED:
        raise UserError(f"--set-grid {key}: {FIXED[key]}", Exit.CONFIGURATION)
    written = [value for part in listed.split(",") for value in _expanded(part.strip(), key)]
    read_ = [_value(one) for one in written]
    ordered = all(isinstance(one, int | float) and not isinstance(one, bool) for one in read_)
    if ordered:
        order = sorted(range(len(read_)), key=read_.__getitem__)
        written, read_ = [written[k] for k in order], [read_[k] for k in order]
    for number, value in enumerate(read_):
        if value in read_[:number]:
            raise UserError(f"--set-grid {key}: {say_value(value)} is there twice", Exit.CONFIGURATION)
    return Axis(key, tuple(written), tuple(read_), ordered)


def _value(written: str) -> Any:
    try:
        return tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        return written


def _expanded(part: str, key: str) -> Iterator[str]:
    """A value as it is, a range as its values, in decimal arithmetic: 0.1:0.5:0.1 has no 0.30000000000000004."""
    if not part:
        raise UserError(f"--set-grid {key}: a value is missing between two commas", Exit.CONFIGURATION)
    match = RANGE.fullmatch(part)
    if match is None:
        yield part
        return
    first, last, step = (Decimal(one) for one in match.groups())
    if step <= 0 or last < first:
        raise UserError(f"--set-grid {key}={part}: a range is first:last:step, upwards", Exit.CONFIGURATION)
    count = int((last - first) / step) + 1
    if count > VALUES_MAX:
        raise UserError(f"--set-grid {key}={part}: {count:,} values; at most {VALUES_MAX:,}", Exit.CONFIGURATION)
    yield from (f"{first + step * k:f}" for k in range(count))


def parameter_sets(graph: Path, overrides: Sequence[str], along: Sequence[Axis]) -> list[ParameterSet]:
    """Every combination of the axes' values over a graph file, the last axis fastest.

    Raises UserError for a graph that is wrong without any of them; for a key that it has not and a value that it refuses, naming
    the first such set; for a key that `--set` fixes; and for more than SETS_MAX.
    """
    read(graph, overrides)
    fixed = {one.partition("=")[0] for one in overrides}
    for axis in along:
        if axis.key in fixed:
            raise UserError(f"{axis.key} is both in --set and in --set-grid", Exit.CONFIGURATION)
    count = math.prod(len(axis.values) for axis in along)
    if count > SETS_MAX:
        raise UserError(f"{count:,} sets: a grid has at most {SETS_MAX:,}", Exit.CONFIGURATION)
    places = itertools.product(*(range(len(axis.values)) for axis in along))
    return [_set(graph, overrides, along, number, place) for number, place in enumerate(places, 1)]


def _set(graph: Path, overrides: Sequence[str], along: Sequence[Axis], number: int, place: tuple[int, ...]) -> ParameterSet:
    values = {axis.key: axis.values[k] for axis, k in zip(along, place, strict=True)}
    written = [f"{axis.key}={axis.written[k]}" for axis, k in zip(along, place, strict=True)]
    try:
        return ParameterSet(number, place, values, read(graph, [*overrides, *written]))
    except UserError as error:
        raise UserError(f"set {number} ({labelled(values)}): {error}", error.exit_code) from error


def worlds(sets: Sequence[ParameterSet], along: Sequence[Axis]) -> list[list[ParameterSet]]:
    """The sets put together by the values of all keys that are not the strategy's."""
    outside = [k for k, axis in enumerate(along) if not axis.parameter]
    found: dict[tuple[int, ...], list[ParameterSet]] = {}
    for one in sets:
        found.setdefault(tuple(one.place[k] for k in outside), []).append(one)
    return list(found.values())
