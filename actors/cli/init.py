"""`astrarium init FOLDER`: a strategy and a graph that run as they stand, to change."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

from actors.errors import Exit, UserError

FILES = ("quoter.py", "quoter.toml")


def init(folder: Path = Path("my_strategies"), /) -> None:
    """Write a strategy to begin with, and its graph, into a folder. What is there already is never overwritten.

    Parameters
    ----------
    folder
        Where to; made if it is not there.
    """
    there = [name for name in FILES if (folder / name).exists()]
    if there:
        raise UserError(f"{folder / there[0]} is there already and stays as it is: name another folder", Exit.CONFIGURATION)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (folder / name).write_text((files("actors.starter") / name).read_text())
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}") from error
    graph = folder / FILES[1]
    steps = {
        "astrarium data synth --days 1": "generates a day of BTCUSDT into ./store, if you have none",
        f"astrarium backtest {graph}": "simulates it",
        "astrarium venue --port 8900": "serves a market to trade on, in another terminal",
        f"astrarium trade {graph}": "trades there on paper; with --live it sends orders",
    }
    wide = max(map(len, steps)) + 4
    sys.stdout.write(f"{folder / FILES[0]}: the strategy\n{graph}: what runs, on what, within which limits\n")
    for number, (command, meaning) in enumerate(steps.items()):
        sys.stdout.write(f"{'      ' if number else 'next: '}{command:{wide}}{meaning}\n")
