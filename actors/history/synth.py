"""Generated days in the store, written through the same door as imported ones.

Days of one run are independent of each other: each opens with a snapshot, at a price that the seed and the date determine, so any
of them can be made alone or beside the others. From one day's end to the next one's opening the price therefore jumps; the
openings themselves walk about the asked price and do not run away from it. A generated day never replaces one of another origin,
and making the same one again changes nothing.

What a frame of the venue would carry is there: update ids that chain, the venue's best prices at each of them (for `data check`;
not on hostile days, whose books contradict themselves), a mark price each second and funding every eight hours.
"""

from __future__ import annotations

import hashlib
import math
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
from actors.history.shelf import folder_of
from actors.history.tickdb import TickDb, parse_day
from actors.history.writing import write_day
from core.instrument import Instrument, Key
from core.kernel.synth import FRAME, HOSTILE, NUMBERS, Generated, generate
from core.price import E8, GridError, decimal

PRESETS: Final = {"BTCUSDT": ("0.1", "0.001", "60000"), "ETHUSDT": ("0.01", "0.001", "3400")}
"""Tick, lot and first opening price of the symbols that need no options."""
LAYOUT: Final = 2
"""Raise it when the same seed makes another day."""
SOURCE: Final = "generated"
QUOTE: Final = ("bid_tick", "bid_lots", "ask_tick", "ask_lots")
FUNDING_NS: Final = 8 * 3_600 * 1_000_000_000
SECOND: Final = 1_000_000_000
BLOCK_EVENTS: Final = 1 << 18
DAILY_MOVE: Final = 0.01
"""What a day adds to the openings after it, as a fraction of the price (standard deviation)."""
REMEMBERED: Final = 30
"""Days after which what a day added is gone."""


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
                write_day(root, traded, day, _parts(generated, day, traded, hostile), SOURCE, wanted[day])
            except OSError as error:
                raise UserError(f"{error.filename or root}: {error.strerror or error}") from error
        made.append((day, day not in stored))
        progress(day)
    return made


def generated_events(traded: Instrument, day: str, events: int, seed: int, price: str = "", hostile: bool = False) -> Generated:
    """The events of one generated day."""
    ordinal = date.fromisoformat(day).toordinal()
    asked = traded.ticks(price or PRESETS.get(traded.symbol, ("", "", "1000"))[2], "nearest")
    moves = sum((1 - k / REMEMBERED) * _normal(seed, ordinal - k) for k in range(REMEMBERED))
    opening = round(asked * math.exp(DAILY_MOVE * moves))
    try:
        return generate(events, _hashed(seed, ordinal), day_start(day), opening, HOSTILE if hostile else NUMBERS)
    except ValueError as error:
        raise UserError(f"{traded.key} {day}: {error}", Exit.CONFIGURATION) from error


def generated_day(
    symbol: str = "BTCUSDT", day: str = "2024-01-01", events: int = 1_000_000, seed: int = 1, hostile: bool = False
) -> tuple[Columns, Columns, NDArray[np.int64], NDArray[np.int64]]:
    """A generated day as a replay takes it, without a store: exchange rows, local rows, opening bids and asks.

    Rows of one exchange time stand in capture order, as in a prepared day.
    """
    made = generated_events(instrument(symbol), day, events, seed, hostile=hostile)
    captured = made.capture_order
    by_exchange = captured[np.argsort(made.exch_ns[captured], kind="stable")]
    streams = _stream(made, made.exch_ns, by_exchange), _stream(made, made.local_ns, captured)
    return *streams, made.opening_bids, made.opening_asks


def _stream(made: Generated, ns: NDArray[np.int64], order: NDArray[np.int64]) -> Columns:
    """The rows of the events in an order, each with its event's time."""
    counts = made.rows
    begins, sizes = (np.cumsum(counts) - counts)[order], counts[order]
    row = np.repeat(begins - (np.cumsum(sizes) - sizes), sizes)
    row += np.arange(len(row))
    return Columns(np.repeat(ns[order], sizes), made.kind[row], made.tick[row], made.lots[row])


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


def _parts(made: Generated, day: str, traded: Instrument, hostile: bool) -> Iterator[Part]:
    """The day as blocks of the store's tables: an opening snapshot, then the events, a mark price each second."""
    start = day_start(day)
    yield _snapshot(made, start)
    counts = made.rows
    ids = 1 + np.cumsum(np.where(made.event == FRAME, counts, 0))
    rows = np.concatenate([[0], np.cumsum(counts)])
    line = np.empty(len(counts), np.int32)
    line[made.capture_order] = np.arange(2, len(counts) + 2)
    for first in range(0, len(counts), BLOCK_EVENTS):
        span = slice(first, min(first + BLOCK_EVENTS, len(counts)))
        frame = made.event[span] == FRAME
        times: dict[str, NDArray[Any]] = {"exch_ns": made.exch_ns[span], "local_ns": made.local_ns[span], "line": line[span]}
        framed = {name: values[frame] for name, values in times.items()}
        last_id, size = ids[span][frame], counts[span][frame]
        level = np.repeat(frame, counts[span])
        held = slice(rows[span.start], rows[span.stop])
        kind, tick, lots = made.kind[held], made.tick[held], made.lots[held]
        part: Part = {
            "depth": {
                **framed,
                "snapshot": np.zeros(len(size), np.uint8),
                "first_id": last_id - size + 1,
                "last_id": last_id,
                "prev_id": last_id - size,
                "bids": made.bids[span][frame],
                "asks": made.asks[span][frame],
            },
            "levels": {"tick": tick[level], "lots": lots[level]},
            "trades": {
                **{name: values[~frame] for name, values in times.items()},
                "id": np.arange(span.start, span.stop)[~frame],
                "tick": tick[~level],
                "lots": lots[~level],
                "side": (kind[~level] - 2).astype(np.uint8),
            },
        }
        if not hostile:
            best = made.best[span][frame].T.astype(np.int32)
            part["bbo"] = {**framed, "update_id": last_id, **dict(zip(QUOTE, best, strict=True))}
        yield part
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
    """The mid each second as mark and index price. Each funding interval has its own rate.

    The mark on the hour of a settlement still announces that one: so a day knows of the settlement at its own midnight.
    """
    frames = np.flatnonzero(made.event == FRAME)
    seconds = np.arange(start, int(made.exch_ns[-1]), SECOND)
    at = frames[np.clip(np.searchsorted(made.exch_ns[frames], seconds, side="right") - 1, 0, None)]
    mid_e8 = (made.best[at, 0] + made.best[at, 2]) * round(traded.tick * E8) // 2
    interval = -(-seconds // FUNDING_NS)
    return {
        "exch_ns": seconds,
        "local_ns": seconds + 2_000_000,
        "line": np.full(len(seconds), len(made.event) + 2, np.int32),
        "mark_e8": mid_e8,
        "index_e8": mid_e8,
        "rate_e8": 10_000 + (interval * 7_919) % 5_000 - 2_500,
        "next_funding_ns": interval * FUNDING_NS,
    }
