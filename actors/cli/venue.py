"""`astrarium venue`: the emulator of Binance USDⓈ-M futures, on loopback."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.cli.data import Days, Json
from actors.errors import Exit, UserError

if TYPE_CHECKING:
    from actors.emulator.exchange import Exchange


def venue(
    *,
    data: str | None = None,
    synth: int | None = None,
    port: int = 0,
    host: str = "127.0.0.1",
    faults: Path | None = None,
    accounts: Path | None = None,
    symbols: str = "",
    days: Days = "",
    speed: float = 1.0,
    clock_speed: float | None = None,
    seed: int = 1,
    json: Json = False,
) -> int:
    """Serve Binance's USD-M futures API on this machine: recorded or generated days, our own orders matched in them.

    REST and all web sockets are at one address, by the venue's own paths: /fapi/..., /public, /market and /private streams,
    /ws-fapi/v1. Ctrl-C ends it.

    Parameters
    ----------
    data
        A tick store, a folder or a URL: its days are replayed round and round.
    synth
        Generate days without end from this seed instead. (Without --data: seed 1.)
    port
        Where to listen; without it at a free port. A graph without [venue] looks for it at 8900.
    host
        Loopback only.
    faults
        A TOML file of what may go wrong (actors/emulator/faultplan.py shows one).
    accounts
        A TOML file of keys, balances and limits (actors/emulator/settings.py shows one). Without it: demo-key and demo-secret.
    symbols
        Which instruments, separated by commas. Without it: all of the store; BTCUSDT and ETHUSDT of generated days.
    speed
        How fast the market is replayed.
    clock_speed
        How fast listen keys, funding and the 24 hours of a connection pass.
    seed
        For everything else that is drawn.
    """
    import msgspec

    from actors.emulator.faultplan import FaultPlan, read_plan
    from actors.emulator.server import Clock, listen
    from actors.emulator.settings import Settings, check, read_settings

    if data is not None and synth is not None:
        raise UserError("--data or --synth: one of the two", Exit.CONFIGURATION)
    if not speed > 0 or speed > 10_000:
        raise UserError(f"--speed {speed}: above 0, at most 10000", Exit.CONFIGURATION)
    settings = read_settings(accounts) if accounts else Settings()
    if clock_speed is not None:
        settings = msgspec.structs.replace(settings, clock_speed=clock_speed)
        check(settings, "--clock-speed")
    plan = read_plan(faults) if faults else FaultPlan()
    listening = listen(port, host)
    clock = Clock()
    source = data or f"seed {1 if synth is None else synth}"
    with listening:
        exchange = _opened(clock.now(), data, synth, symbols, days, settings, seed, speed, plan)
        _tell(exchange, listening.getsockname()[:2], source, speed, faults, json)
        _serve(exchange, clock, listening)
    return int(Exit.FINE)


def _opened(
    now: int, data: str | None, synth: int | None, symbols: str, days: str, settings: Any, seed: int, speed: float, plan: Any
) -> Exchange:
    from actors.emulator.days import sources
    from actors.emulator.exchange import Exchange

    named = [symbol.strip().upper() for symbol in symbols.split(",") if symbol.strip()]
    return Exchange(sources(data, 1 if synth is None else synth, named, days), now, settings, seed, speed, plan)


def _tell(exchange: Exchange, at: Any, source: str, speed: float, faults: Path | None, json: bool) -> None:
    """Say where it listens, which keys it accepts and what it replays."""
    host, port = (f"[{at[0]}]" if ":" in at[0] else at[0]), at[1]
    keys = [{"account": one.name, "key": one.key, "balances": one.balances} for one in exchange.settings.accounts]
    markets = {symbol: market.day_name for symbol, market in exchange.markets.items()}
    if json:
        import msgspec

        urls = {"rest": f"http://{host}:{port}", "streams": f"ws://{host}:{port}", "ws_api": f"ws://{host}:{port}/ws-fapi/v1"}
        line = {**urls, "accounts": keys, "markets": markets, "speed": speed, "faults": str(faults or "")}
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    else:
        sys.stdout.write(f"venue: http://{host}:{port}, streams and trading API at ws://{host}:{port}\n")
        for one in exchange.settings.accounts:
            secret = f" with the secret {one.secret}" if one.secret == "demo-secret" else ""
            balance = ", ".join(f"{amount} {asset}" for asset, amount in one.balances.items())
            sys.stdout.write(f"account {one.name}: accepts the key {one.key}{secret}; balance {balance}\n")
        for symbol, day in markets.items():
            sys.stdout.write(f"{symbol}: {day}, from {source}, speed {speed:g}\n")
        if faults:
            sys.stdout.write(f"faults: {faults}\n")
        sys.stdout.write("Ctrl-C ends it.\n")
    sys.stdout.flush()


def _serve(exchange: Exchange, clock: Any, listening: Any) -> None:
    import asyncio
    import contextlib

    from actors.emulator.server import serve

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(exchange, clock, listening))
