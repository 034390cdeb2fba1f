"""`astrarium data synth`: generated days, so that everything runs on a machine with no data."""

from __future__ import annotations

import sys

from actors.cli.data import STORE, Json, Store


def synth(
    *,
    store: Store = STORE,
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
    json: Json = False,
) -> int:
    """Generate days of depth and trades from a seed, statistically like a liquid perpetual.

    The same command again changes nothing, and a day of another origin is never replaced.

    Parameters
    ----------
    symbol
        BTCUSDT and ETHUSDT need no sizes; others take --tick, --lot and --price.
    days
        How many days, from --start on.
    events
        Rows a day: level changes and trades. 120 a second, so that a million are 2.3 hours; from 10.4 million on the whole day.
    seed
        The same seed makes the same days, on every machine.
    start
        The first day, as YYYY-MM-DD.
    price
        About which the days open.
    hostile
        Wide spreads, crossed and emptied books, huge quantities: for testing.
    """
    from actors.history.shelf import writable
    from actors.history.synth import synthesize

    def told(day: str) -> None:
        sys.stderr.write(f"{day} stored\n")

    made = synthesize(writable(store), symbol, days, events, seed, start, tick, lot, price, venue, hostile, told)
    if json:
        import msgspec

        rows = [{"instrument": f"{venue}:{symbol.upper()}", "day": day, "new": new} for day, new in made]
        sys.stdout.write(msgspec.json.encode({"store": store, "days": rows}).decode() + "\n")
        return 0
    fresh = sum(new for _, new in made)
    span = f"{made[0][0]} to {made[-1][0]} in {store}"
    sys.stdout.write(f"{venue}:{symbol.upper()}: {fresh} days generated, {len(made) - fresh} were there, {span}\n")
    return 0
