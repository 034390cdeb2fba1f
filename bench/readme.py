"""Run the benchmarks and write their tables into bench/README.md: `python -m bench.readme [NAME...]`.

The tables are generated, never typed. Each benchmark prints its table and leaves its rows as JSON in bench/results/; one that is
not named keeps the rows it had. The words around the tables are in words.toml.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from bench.plots import draw

PART_OF = {"sweep": "replay"}
"""Benchmarks that another one runs, too."""
UNPRINTED = {"checksum"}
"""Columns that only machines compare."""
HERE = Path(__file__).parent
ROWS = HERE / "results"

WORDS: dict[str, str] = tomllib.loads((Path(__file__).parent / "words.toml").read_text())
"""What each benchmark measures and what was asked of it."""

TOP = """# Benchmarks

Each file answers one question, prints a table, writes JSON (`--json FILE`) and needs no network. Ratios are taken in one run,
because machines are noisy; the tables below are written by `python -m bench.readme` and name the machine that they come from.

| | |
|---|---|
| `python -m bench.startup` | what the command line takes to answer |
| `python -m bench.mailbox` | a mailbox beside a dict |
| `python -m bench.normalize` | a web socket frame's bytes to the next tick, beside json and floats |
| `python -m bench.conflation` | a strategy ten times slower than its market, on the live host |
| `python -m bench.host` | messages a second of the simulated host |
| `python -m bench.convert [CAPTURE...]` | importing captures beside hftbacktest's converter |
| `python -m bench.workers` | two workers beside one |
| `python -m bench.scale` | one host's rates: a day, its memory, what a day costs beside its work, 1, 2 and 4 workers |
| `python -m bench.scale_limits` | from these rates to 1,000 nodes and 10,000 instruments: what is full first |
| `python -m bench.scale_schedule` | the same by simulation: slow hosts, lost hosts, caches, the order of days |
| `python -m bench.wakeups` | how often a second a Python strategy can look at the market |
| `python -m bench.replay` | the replay kernel beside hftbacktest, with equality of fills |
| `python -m bench.load` | time to the first event, load and run, memory a row |
| `python -m bench.sweep` | many parameter sets over one day, beside the reference one by one |
| `python -m bench.tick_to_order` | web socket frame in to order bytes out, beside its floor |
| `python -m bench.kill` | the kill switch, with 200 orders open |
| `python -m bench.link` | a hop between two processes beside bare ZeroMQ and a Ray call |
| `python -m bench.codec` | messages to bytes and back, beside JSON |
| `python -m bench.fidelity CAPTURE...` | fills of both simulators on any captures, to the first difference |
| `python -m bench.synth_match` | generated days beside the captures |

`convert`, `replay` and `fidelity` need the development dependencies (hftbacktest).
"""


def measured(name: str) -> dict[str, Any] | None:
    """The rows that a benchmark left."""
    path = ROWS / f"{PART_OF.get(name, name)}.json"
    if not path.exists():
        return None
    document: dict[str, Any] = json.loads(path.read_text())
    if name in ("replay", "sweep"):
        document["rows"] = [row for row in document["rows"] if ("sets" in row) == (name == "sweep")]
    return document


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as a Markdown table."""
    names = [name for name in rows[0] if name not in UNPRINTED]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(_cell(row.get(name)) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else "" if value is None else str(value)


def page() -> str:
    """The whole page."""
    parts = [TOP]
    for name, words in WORDS.items():
        document = measured(name)
        if document and document.get("rows"):
            machine = document.get("machine") or {}
            where = machine if isinstance(machine, str) else ", ".join(str(machine[key]) for key in ("cpu", "python"))
            load = f", load {document['load']:.1f}" if "load" in document else ""
            parts.append(f"## {name}\n\n{words.strip()}\n\n{table(document['rows'])}\n" + (f"\n{where}{load}\n" if where else ""))
    drawn = "\n".join(f"![{name}](results/{name})" for name in draw(ROWS))
    if drawn:
        parts.append(f"## How cost grows\n\nWith rows, with quotes kept, with parameter sets.\n\n{drawn}\n")
    return "\n".join(parts)


def main() -> int:
    """Run what is named (all, when nothing is), then write the page."""
    ROWS.mkdir(exist_ok=True)
    wanted = sys.argv[1:] or [name for name in WORDS if name not in PART_OF]
    failed = 0
    for name in wanted:
        done = subprocess.run([sys.executable, "-m", f"bench.{name}", "--json", str(ROWS / f"{name}.json")], check=False)
        failed += done.returncode != 0
    (HERE / "README.md").write_text(page())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
