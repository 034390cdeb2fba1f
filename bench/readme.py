"""Run the benchmarks and write their tables into bench/README.md: `python -m bench.readme [NAME...]`.

The tables are generated, never typed. Each benchmark prints its table and leaves its rows as JSON in bench/results/; one that is
not named keeps the rows it had. The words around the tables are in WORDS, below.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

UNPRINTED = {"checksum"}
"""Columns that only machines compare."""
HERE = Path(__file__).parent
ROWS = HERE / "results"

WORDS = {
    "startup": "How long the command line takes to answer.",
    "mailbox": "A mailbox's put and take beside a dict's set and pop, folding of trades included. Asked: at most 8 times.",
    "host": "The simulated host with thin nodes. Asked: 300,000 messages a second a core, encoding off.",
    "convert": "Raw captures into the store, beside hftbacktest's own converter. Asked: no slower, later five times as fast.",
    "workers": "Ten equal generated days with one worker and with two. Asked: 1.7 times; **not reached**. Both workers are busy "
    "and the digests are equal, on a machine where two plain processes scale by 2.0. What is known of where the time goes: "
    "a day of this size is 1.4 s of work in one process and 2.6 s beside another; Ray's own processes and the driver share "
    "the two cores.",
    "synth_match": "A generated day beside each real capture of BTCUSDT, by the same measures.",
    "replay": "The replay kernel beside hftbacktest, and whether both give the same fills.",
}
"""One line a benchmark: what it measures and what was asked of it."""

TOP = """# Benchmarks

Each file answers one question, prints a table, writes JSON (`--json FILE`) and needs no network. Ratios are taken in one run,
because machines are noisy; the tables below are written by `python -m bench.readme` and name the machine that they come from.

| | |
|---|---|
| `python -m bench.startup` | what the command line takes to answer |
| `python -m bench.mailbox` | a mailbox beside a dict |
| `python -m bench.host` | messages a second of the simulated host |
| `python -m bench.convert [CAPTURE...]` | importing captures beside hftbacktest's converter |
| `python -m bench.workers` | two workers beside one |
| `python -m bench.replay` | the replay kernel beside hftbacktest, with equality of fills |
| `python -m bench.fidelity CAPTURE...` | fills of both simulators on any captures, to the first difference |
| `python -m bench.synth_match` | generated days beside the captures |

`convert`, `replay` and `fidelity` need the development dependencies (hftbacktest).
"""


def measured(name: str) -> dict[str, Any] | None:
    """The rows that a benchmark left."""
    path = ROWS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


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
            parts.append(f"## {name}\n\n{words}\n\n{table(document['rows'])}\n" + (f"\n{where}\n" if where else ""))
    return "\n".join(parts)


def main() -> int:
    """Run what is named (all, when nothing is), then write the page."""
    ROWS.mkdir(exist_ok=True)
    wanted = sys.argv[1:] or [name for name in WORDS if (HERE / f"{name}.py").exists()]
    failed = 0
    for name in wanted:
        done = subprocess.run([sys.executable, "-m", f"bench.{name}", "--json", str(ROWS / f"{name}.json")], check=False)
        failed += done.returncode != 0
    (HERE / "README.md").write_text(page())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
