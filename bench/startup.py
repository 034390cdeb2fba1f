"""How long the command line takes to answer: `python -m bench.startup [--json FILE] [--times N]`.

Each row is a fresh process; the fastest of N counts, for the machine may be busy. The goal is 300 ms for `--help`. `bare` is
what Python itself takes to start, and is part of every other row.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from bench.table import write

GOAL_MS = 300.0
PROGRAM = ["-c", "import sys; from actors.cli.main import main; sys.exit(main())"]
"""What the console script does."""
ROWS = {
    "bare python": ["-c", "pass"],
    "import cyclopts": ["-c", "import cyclopts"],
    "astrarium --help": [*PROGRAM, "--help"],
    "astrarium --version": [*PROGRAM, "--version"],
    "astrarium data --help": [*PROGRAM, "data", "--help"],
    "astrarium backtest --help": [*PROGRAM, "backtest", "--help"],
    "an unknown verb": [*PROGRAM, "bactest"],
}


def fastest_ms(arguments: list[str], times: int) -> float:
    """Wall time of a fresh process."""
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        best = min(best, time.perf_counter() - began)
    return best * 1e3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json")
    parser.add_argument("--times", type=int, default=15)
    given = parser.parse_args()
    rows = [{"command": name, "ms": round(fastest_ms(arguments, given.times), 1)} for name, arguments in ROWS.items()]
    write(f"start-up, fastest of {given.times} (goal for --help: {GOAL_MS:.0f} ms)", rows, given.json)


if __name__ == "__main__":
    main()
