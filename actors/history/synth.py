"""Generated days in the store, written through the same door as imported ones.

Days of one run are independent of each other: each opens with a snapshot, at a price that the seed and the day's number
determine, so any of them can be made alone. A generated day never replaces one of another origin, and making the same one again
changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from actors.errors import Exit, UserError
from actors.history.dayfile import Part
from actors.history.importer import day_start
from actors.history.prepared import Columns
from actors.history.tickdb import TickDb, folder_of, parse_day
from actors.history.writing import write_day
from core.instrument import Instrument, Key
from core.kernel.synth import FRAME, HOSTILE, NUMBERS, Generated, generate
from core.price import E8, GridError, decimal

PRESETS: Final = {"BTCUSDT": ("0.1", "0.001", "60000"), "ETHUSDT": ("0.01", "0.001", "3400")}
"""Tick, lot and first opening price of the symbols that need no options."""
LAYOUT: Final = 1
"""Raise it when the same seed makes another day."""
SOURCE: Final = "generated"
FUNDING_NS: Final = 8 * 3_600 * 1_000_000_000
SECOND: Final = 1_000_000_000
BLOCK_EVENTS: Final = 1 << 18
DAILY_MOVE: Final = 0.01
"""Standard deviation of the move from one generated day's opening to the next's, as a fraction of the price."""


def instrument(symbol: str, tick: str = "", lot: str = "", venue: str = "binance_usdm") -> Instrument:
    """What is generated. Raises UserError for a symbol without a preset and without sizes."""
    preset = PRESETS.get(symbol, ("", "", ""))
    tick, lot = tick or preset[0], lot or preset[1]
    if not tick or not lot:
        raise UserError(f"{symbol} has no preset ({', '.join(PRESETS)} have): give --tick, --lot and --price", Exit.CONFIGURATION)
    for name, text in (("--tick", tick), ("--lot", lot)):
        _positive(name, text)
    return Instrument(Key(venue, symbol), tick, lot, base=symbol.removesuffix("USDT"))


def _positive(name: str, text: str) -> None:
    try:
        good = decimal(text) > 0
    except GridError:
        good = False
    if not good:
        raise UserError(f"{name} {text}: not a positive number", Exit.CONFIGURATION)


def synthesize(
    root: str | Path,
    symbol: str = "BTCUSDT",
    days: int = 3,
    events: int = 1_000_000,
    seed: int = 1,
    start: str = "2024-01-01",
    tick: str = "",
    lot: str = "",
    price: str = "",
    venue: str = "binance_usdm",
    hostile: bool = False,
    progress: Callable[[str], None] = lambda day: None,
) -> list[tuple[str, bool]]:
    """Generate days into a store; returns each with whether it was new. `progress` hears of each day when it is stored.

    Raises UserError for impossible sizes and where a day of another origin stands in the way.
    """
    if days < 1 or events < 10_000:
        raise UserError(f"{days} days of {events} events: at least one day of at least 10,000 events", Exit.CONFIGURATION)
    traded = instrument(symbol.upper(), tick, lot, venue)
    if price:
        _positive("--price", price)
    folder_of(root, traded.key)
    first = date.fromisoformat(parse_day(start))
    if days > date.max.toordinal() - first.toordinal():
        raise UserError(f"--days {days} from {start} on: no calendar goes that far", Exit.CONFIGURATION)
    named = [(first + timedelta(days=k)).isoformat() for k in range(days)]
    wanted = {day: _identity(traded, day, events, seed, price, hostile) for day in named}
    db = TickDb(root)
    stored = {day: _origin(db, traded.key, day) for day in named if day in db.days(traded.key)}
    for day, origin in stored.items():
        if origin != wanted[day]:
            raise UserError(
                f"{traded.key} {day} is stored already, from another origin or seed: choose another --start, --store or --symbol"
            )
    made = []
    for day in named:
        if day not in stored:
            generated = generated_events(traded, day, events, seed, price, hostile)
            try:
                write_day(root, traded, day, _parts(generated, day, traded), SOURCE, wanted[day])
            except OSError as error:
                raise UserError(f"{error.filename or root}: {error.strerror or error}") from error
        made.append((day, day not in stored))
        progress(day)
    return made


def generated_events(traded: Instrument, day: str, events: int, seed: int, price: str = "", hostile: bool = False) -> Generated:
    """The events of one generated day."""
    ordinal = date.fromisoformat(day).toordinal()
    opening = traded.ticks(price or PRESETS.get(traded.symbol, ("", "", "1000"))[2], "nearest")
    moves = [_normal(seed, past) for past in range(ordinal - ordinal % 31, ordinal)]
    opening = max(round(opening * float(np.exp(DAILY_MOVE * sum(moves)))), 140_000)
    return generate(events, _hashed(seed, ordinal), day_start(day), opening, HOSTILE if hostile else NUMBERS)


def generated_day(
    symbol: str = "BTCUSDT", day: str = "2024-01-01", events: int = 1_000_000, seed: int = 1, hostile: bool = False
) -> tuple[Columns, Columns, NDArray[np.int64], NDArray[np.int64]]:
    """A generated day as a replay takes it, without a store: exchange rows, local rows, opening bids and asks."""
    generated = generated_events(instrument(symbol), day, events, seed, hostile=hostile)
    counts = np.where(generated.event == FRAME, generated.bids + generated.asks, 1)
    exch = np.repeat(generated.exch_ns, counts)
    local = np.repeat(generated.local_ns, counts)
    order = np.argsort(exch, kind="stable")
    kind, tick, lots = generated.kind, generated.tick, generated.lots
    return (
        Columns(exch[order], kind[order], tick[order], lots[order]),
        Columns(local, kind, tick, lots),
        generated.opening_bids,
        generated.opening_asks,
    )


def _identity(traded: Instrument, day: str, events: int, seed: int, price: str, hostile: bool) -> str:
    words = f"{LAYOUT} {traded.key} {traded.tick_size} {traded.lot_size} {day} {events} {seed} {price} {hostile}"
    return hashlib.sha256(words.encode()).hexdigest()


def _origin(db: TickDb, key: Key, day: str) -> str:
    with db.file(key, day) as file:
        return " ".join(segment.digest for segment in file.day.segments)


def _hashed(seed: int, number: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed} {number}".encode(), digest_size=5).digest(), "little")


def _normal(seed: int, number: int) -> float:
    """A standard normal that a seed and a number determine, by twelve uniforms."""
    words = hashlib.blake2b(f"move {seed} {number}".encode(), digest_size=48).digest()
    return sum(int.from_bytes(words[k : k + 4], "little") / 2**32 for k in range(0, 48, 4)) - 6.0


def _parts(made: Generated, day: str, traded: Instrument) -> Iterator[Part]:
    """The day as blocks of the store's tables: an opening snapshot, then events in capture order, a mark price each second."""
    start = day_start(day)
    identity = 1 + np.cumsum(made.event == FRAME)
    yield _snapshot(made, start)
    counts = np.where(made.event == FRAME, made.bids + made.asks, 1)
    rows = np.concatenate([[0], np.cumsum(counts)])
    for first in range(0, len(made.event), BLOCK_EVENTS):
        last = min(first + BLOCK_EVENTS, len(made.event))
        span = slice(first, last)
        lines = np.arange(first, last, dtype=np.int64) + 2
        frame = made.event[span] == FRAME
        level = np.repeat(frame, counts[span])
        held = slice(rows[first], rows[last])
        kind, tick, lots = made.kind[held], made.tick[held], made.lots[held]
        times: dict[str, NDArray[Any]] = {
            "exch_ns": made.exch_ns[span],
            "local_ns": made.local_ns[span],
            "line": lines.astype(np.int32),
        }
        ids = identity[span]
        yield {
            "depth": {
                **{name: values[frame] for name, values in times.items()},
                "snapshot": np.zeros(int(frame.sum()), np.uint8),
                "first_id": ids[frame],
                "last_id": ids[frame],
                "prev_id": ids[frame] - 1,
                "bids": made.bids[span][frame],
                "asks": made.asks[span][frame],
            },
            "levels": {"tick": tick[level], "lots": lots[level]},
            "trades": {
                **{name: values[~frame] for name, values in times.items()},
                "id": lines[~frame],
                "tick": tick[~level],
                "lots": lots[~level],
                "side": (kind[~level] - 2).astype(np.uint8),
            },
            "bbo": {
                **{name: values[frame] for name, values in times.items()},
                "update_id": ids[frame],
                **{
                    name: made.best[span][frame, k].astype(np.int32)
                    for k, name in enumerate(("bid_tick", "bid_lots", "ask_tick", "ask_lots"))
                },
            },
        }
    yield {"marks": _marks(made, start, traded)}


def _snapshot(made: Generated, start: int) -> Part:
    sides = made.opening_bids, made.opening_asks
    return {
        "depth": {
            "exch_ns": np.array([start]),
            "local_ns": np.array([start]),
            "line": np.ones(1, np.int32),
            "snapshot": np.ones(1, np.uint8),
            "first_id": np.ones(1, np.int64),
            "last_id": np.ones(1, np.int64),
            "prev_id": np.full(1, -1),
            "bids": np.array([len(sides[0])], np.int32),
            "asks": np.array([len(sides[1])], np.int32),
        },
        "levels": {
            name: np.concatenate([side[:, k] for side in sides]).astype(np.int32) for k, name in enumerate(("tick", "lots"))
        },
    }


def _marks(made: Generated, start: int, traded: Instrument) -> dict[str, NDArray[Any]]:
    """The mid each second as mark and index price, and a funding rate that changes with each eight hours."""
    frames = np.flatnonzero(made.event == FRAME)
    seconds = np.arange(start, int(made.exch_ns[-1]), SECOND)
    at = frames[np.clip(np.searchsorted(made.exch_ns[frames], seconds, side="right") - 1, 0, None)]
    mid_e8 = (made.best[at, 0] + made.best[at, 2]) * round(traded.tick * E8) // 2
    period = seconds // FUNDING_NS
    return {
        "exch_ns": seconds,
        "local_ns": seconds + 2_000_000,
        "line": np.full(len(seconds), len(made.event) + 2, np.int32),
        "mark_e8": mid_e8,
        "index_e8": mid_e8,
        "rate_e8": 10_000 + (period * 7_919) % 5_000 - 2_500,
        "next_funding_ns": (period + 1) * FUNDING_NS,
    }
