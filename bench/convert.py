"""How fast do raw captures become a day to replay, ours against hftbacktest's own converter, on the same files, in one run?

    python -m bench.convert [CAPTURE...] [--repeat N] [--one-core] [--json FILE]

Ours reads, checks and synchronises everything (bookTicker too), folds the book, and writes the compressed, checksummed HDF5 day
to the disk itself (fsync: on a file of 4 MB that is a third of the time);
theirs reads depth and trades into memory and writes nothing (column `theirs_s`; with its npz written: `theirs_npz_s`). A row is a
depth level or a trade, counted alike for both. Spot captures have no side to compare with: the reference has no converter for
them. Without CAPTURE: the futures captures of ../shared/data, and, where there are none, one that this program generates.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import gzip
import io
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.table import write

ROOT = Path(__file__).resolve().parent.parent


def captures() -> list[Path]:
    """The real futures captures beside the project, if any."""
    folder = Path(os.environ.get("ASTRARIUM_CAPTURES", ROOT.parent / "shared" / "data"))
    return sorted((folder / "hftbacktest" / "usdm").glob("*.gz"))


def generated(folder: Path) -> Path:
    """A capture from the tests' own venue, repeated in shape: 20,000 steps."""
    from tests.captures import Venue

    return Venue(seed=1).run(20_000, snapshot_at=50).save(folder / "generated.gz")


def best(repeat: int, action: Callable[[], object]) -> float:
    """The smallest wall time of several runs: what else the machine did only adds."""
    times = []
    for _ in range(repeat):
        gc.collect()
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    return min(times)


def reference_rows(path: Path, target: Path | None = None) -> int:
    """The reference's converter; the rows that it made before it splits them for the two clocks."""
    from hftbacktest.data.utils import binancefutures

    lines = 40 * os.path.getsize(path)  # a level takes more packed bytes than that
    with contextlib.redirect_stdout(io.StringIO()):
        rows = binancefutures.convert(str(path), str(target) if target else None, buffer_size=max(1_000_000, lines // 40))
    return len(rows)


def normal(path: Path, folder: Path) -> Path:
    """The capture as the reference needs it: gz, nanosecond stamps of 19 digits."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        text = file.read()
    if len(text.split(b" ", 1)[0]) == 19 and path.suffix == ".gz":
        return path
    lines = (line.split(b" ", 1) for line in text.splitlines())
    made = folder / f"{path.name}.ns.gz"
    made.write_bytes(gzip.compress(b"".join(stamp.ljust(19, b"0") + b" " + rest + b"\n" for stamp, rest in lines)))
    return made


def measure(path: Path, repeat: int, folder: Path) -> dict[str, object]:
    """One capture, both sides."""
    from actors.history.importer import Importer

    path = normal(path, folder)
    stores = iter(folder / f"store-{path.name}-{number}" for number in range(repeat + 1))
    report = Importer(next(stores)).run(path)  # also: compiled, and the file in the page cache
    rows = report.rows - report.events.get("bookTicker", 0) - report.events.get("markPrice", 0)
    ours = best(repeat, lambda: Importer(next(stores)).run(path))
    spot = report.venue != "binance_usdm"
    theirs = float("nan") if spot else best(max(1, repeat // 2), lambda: reference_rows(path))
    npz = float("nan") if spot else best(1, lambda: reference_rows(path, folder / "reference.npz"))
    return {
        "case": path.name.removesuffix(".gz"),
        "rows": rows,
        "mb": report.bytes / 1e6,
        "ours_s": ours,
        "theirs_s": theirs,
        "theirs_npz_s": npz,
        "ours_mb_s": report.bytes / 1e6 / ours,
        "theirs_mb_s": report.bytes / 1e6 / theirs,
        "ours_rows_s": rows / ours,
        "theirs_rows_s": rows / theirs,
        "ratio": theirs / ours,
        "ratio_npz": npz / ours,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("captures", nargs="*", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--one-core", action="store_true", help="pin the process, and so its compressor's threads, to one core")
    parser.add_argument("--json", default=None, metavar="FILE")
    given = parser.parse_args()
    if given.one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    folder = Path(tempfile.mkdtemp(prefix="bench-convert-"))
    try:
        paths = given.captures or captures() or [generated(folder)]
        rows = [measure(path, given.repeat, folder) for path in paths]
        write("conversion of raw captures, ours and hftbacktest's", rows, given.json)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
