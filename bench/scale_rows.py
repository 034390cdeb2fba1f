"""Figures by name: what `bench/scale.py` writes and the model of growth reads. A name ends with its unit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

Row = dict[str, object]
RESULTS: Final = Path(__file__).parent / "results"


def row(figure: str, value: float, asked: float | str = "", meaning: str = "") -> Row:
    """One figure."""
    return {"figure": figure, "value": value, "asked": asked, "meaning": meaning}


def figures(path: Path = RESULTS / "scale.json") -> dict[str, float]:
    """What was measured, by name. Raises OSError where nothing was."""
    return {found["figure"]: float(found["value"]) for found in rows_of(path)}


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows that a benchmark left."""
    return list(json.loads(path.read_text())["rows"])
