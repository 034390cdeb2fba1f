"""How like the real captures a generated day is: `python -m bench.synth_match [--captures DIR] [--events N] [--json FILE]`.

Both go through the same store and the same measures; the table is printed as Markdown, one column a day.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from actors.history.dayfile import DayFile
from actors.history.importer import Importer
from actors.history.synth import synthesize
from actors.history.tickdb import TickDb

SECOND = 1_000_000_000
CAPTURES = Path(os.environ.get("ASTRARIUM_CAPTURES", Path(__file__).resolve().parents[2] / "shared" / "data"))


def measures(file: DayFile) -> dict[str, float]:
    """Statistics of one day file; times in ms, quantities in lots, prices in ticks."""
    depth, trades, bbo = (file.table(name) for name in ("depth", "trades", "bbo"))
    plain = depth["snapshot"] == 0
    frames, rows = depth["exch_ns"][plain], (depth["bids"] + depth["asks"])[plain]
    spread = bbo["ask_tick"].astype(np.int64) - bbo["bid_tick"]
    seconds = (frames[-1] - frames[0]) / SECOND
    bursts, sizes = np.unique(trades["exch_ns"], return_counts=True)
    gaps = np.diff(bursts) / 1e6
    side = np.where(trades["side"] == 1, 1, -1)
    grid = np.arange(bbo["exch_ns"][0], bbo["exch_ns"][-1], SECOND)
    at = np.searchsorted(bbo["exch_ns"], grid, side="right") - 1
    mid = (bbo["bid_tick"][at] + bbo["ask_tick"][at].astype(np.int64)) / 2
    return {
        "depth rows a second": rows.sum() / seconds,
        "depth frames a second": len(frames) / seconds,
        "time between trades, mean (distinct times), ms": gaps.mean(),
        "time between trades, median (distinct times), ms": float(np.median(gaps)),
        "its coefficient of variation": gaps.std() / gaps.mean(),
        "trades a burst": sizes.mean(),
        "spread of one tick, share": float((spread == 1).mean()),
        "trade quantity, median": float(np.median(trades["lots"])),
        "trade quantity, 99 %": float(np.quantile(trades["lots"], 0.99)),
        "quantity at the touch, median": float(np.median(bbo["bid_lots"])),
        "volatility, ticks a root second": float(np.diff(mid).std()),
        "sides of successive trades, correlation": float(np.corrcoef(side[:-1], side[1:])[0, 1]),
        **_profile(file),
    }


def _profile(file: DayFile) -> dict[str, float]:
    """Mean quantity behind the touch in the closing book."""
    bids, asks = file.book("closing")
    best = {0: bids[0, 0], 1: asks[0, 0]}
    near = [
        levels[np.abs(levels[:, 0] - best[side]) <= reach][1:, 1].sum() / reach
        for reach in (20, 200)
        for side, levels in enumerate((bids, asks))
    ]
    return {"lots a tick within 20 ticks": float(np.mean(near[:2])), "lots a tick within 200 ticks": float(np.mean(near[2:]))}


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captures", type=Path, default=CAPTURES)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--json")
    options = parser.parse_args()
    columns: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as root:
        synthesize(Path(root) / "made", "BTCUSDT", days=1, events=options.events, seed=1)
        files = sorted((options.captures / "hftbacktest" / "usdm").glob("btcusdt*"))
        importer = Importer(Path(root) / "real")
        for file in files:
            importer.run(file)
        for folder in ("made", "real"):
            db = TickDb(Path(root) / folder)
            for key in db.instruments():
                for day in db.days(key):
                    with db.file(key, day) as stored:
                        if stored.rows("depth") > 1000:
                            columns["generated" if folder == "made" else day] = measures(stored)
    names = list(columns)
    print("| | " + " | ".join(names) + " |\n|---|" + "---:|" * len(names))
    for measure in columns[names[0]]:
        print(f"| {measure} | " + " | ".join(_figure(columns[name][measure]) for name in names) + " |")
    if options.json:
        Path(options.json).write_text(json.dumps(columns, indent=1) + "\n")


if __name__ == "__main__":
    main()
