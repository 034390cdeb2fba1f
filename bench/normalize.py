"""From a web socket frame's bytes to the next tick: `python -m bench.normalize [--json FILE]`.

Three roads over the same depth frames, alternately in one run: ours (read, applied, a tick with 20 levels a side), `json.loads`
with every price and quantity made a float (no book, no tick), and msgspec with whole ticks and lots (no book, no tick). By
captures and by the size of frames; captures are under ASTRARIUM_CAPTURES (../shared/data), else frames are generated.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.table import write
from core.dialect.binance.market import market_message
from core.dialect.binance.words import Parsed, parse_frame
from core.instrument import Instrument, Key
from core.normalizer import Normalizer
from tests.captures import Venue

CAPTURES = {
    "btcusdt_20240719.gz": ("BTCUSDT", "0.1"),
    "btcusdt_20240808.gz": ("BTCUSDT", "0.1"),
    "ethusdt_20240719.gz": ("ETHUSDT", "0.01"),
    "btcusdt_20230404.dat.gz": ("BTCUSDT", "0.1"),
}
SIZES = ((1, 8), (9, 24), (25, 60), (61, 150), (151, 10_000))
"""Levels of a frame, from and to."""
ASKED = 0.5
TURNS = 5

Frames = list[bytes]


class Nobody:
    """An outbox into nothing."""

    def send(self, message: object) -> None:
        """Take a message."""

    def wake(self, at: int, key: str = "") -> None:
        """No time passes here."""

    def record(self, entry: object) -> None:
        """Nothing is kept."""


def floats(frame: bytes) -> None:
    """What is compared with: the frame as Python objects, and its numbers as floats."""
    data = json.loads(frame)["data"]
    for side in (data["b"], data["a"]):
        [(float(price), float(qty)) for price, qty in side]


def begun(instrument: Instrument, frames: Frames) -> Normalizer:
    """A normalizer with a book that the first frame continues."""
    node = Normalizer(instrument)
    node.bind(Nobody())
    first = json.loads(frames[0])["data"]["pu"]
    node.on_frame(0, 0, b'{"lastUpdateId":%d,"E":1,"T":1,"bids":[["1","1"]],"asks":[]}' % first)
    return node


def decoded(instrument: Instrument, frame: bytes) -> None:
    """The frame by msgspec, as a message on the grid."""
    parsed = parse_frame(1, frame)
    assert isinstance(parsed, Parsed)
    market_message(parsed, instrument)


def seconds(act: Callable[[bytes], object], frames: Frames, wanted: Sequence[bool]) -> float:
    """The time of the wanted frames among all, which have to be taken in order."""
    clock, spent = time.perf_counter, 0.0
    for frame, counts in zip(frames, wanted, strict=True):
        if counts:
            start = clock()
            act(frame)
            spent += clock() - start
        else:
            act(frame)
    return spent


def measured(case: str, instrument: Instrument, frames: Frames, wanted: Sequence[bool]) -> dict[str, object]:
    """One row: microseconds a frame on each road, the best of several turns."""
    best = [float("inf")] * 3
    empty = float("inf")
    for _ in range(TURNS):
        ours = begun(instrument, frames)
        roads: tuple[Callable[[bytes], object], ...] = (
            lambda frame, node=ours: node.on_frame(1, 1, frame),  # type: ignore[misc]
            floats,
            lambda frame: decoded(instrument, frame),
        )
        best = [min(old, seconds(road, frames, wanted)) for old, road in zip(best, roads, strict=True)]
        empty = min(empty, seconds(len, frames, wanted))
        assert ours.sync.whole
        assert not ours.gaps
    count = sum(wanted)
    us = [(spent - empty) / count * 1e6 for spent in best]
    levels = sum(levels_of(frame) for frame, counts in zip(frames, wanted, strict=True) if counts) / count
    return {
        "frames": case, "count": count, "levels": levels, "ours, µs": us[0], "json and floats, µs": us[1], "msgspec, µs": us[2],
        "ratio": us[0] / us[1], "asked": ASKED,
    }  # fmt: skip


def levels_of(frame: bytes) -> int:
    """How many levels a depth frame has."""
    return frame.count(b'"],') + frame.count(b'"]]')


def rows() -> list[dict[str, object]]:
    """Measure what is here."""
    folder = Path(os.environ.get("ASTRARIUM_CAPTURES", "../shared/data")) / "hftbacktest" / "usdm"
    found: list[dict[str, object]] = []
    for name, (symbol, tick) in CAPTURES.items():
        if (folder / name).exists():
            lines = gzip.decompress((folder / name).read_bytes()).splitlines()
            frames = [line.partition(b" ")[2] for line in lines if b"depthUpdate" in line and line.endswith(b"}}")]
            instrument = Instrument(Key("binance_usdm", symbol), tick, "0.001")
            found.append(measured(name, instrument, frames, [True] * len(frames)))
            if name == "btcusdt_20240808.gz":
                for low, high in SIZES:
                    wanted = [low <= levels_of(frame) <= high for frame in frames]
                    found.append(measured(f"  of {low} to {high} levels", instrument, frames, wanted))
    if not found:
        lines = Venue().run(20_000).lines
        frames = [line.partition(b" ")[2] for line in lines if b"depthUpdate" in line]
        instrument = Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001")
        found.append(measured("generated", instrument, frames, [True] * len(frames)))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json")
    write("a depth frame to the next tick", rows(), parser.parse_args().json)


if __name__ == "__main__":
    main()
