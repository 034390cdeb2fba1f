"""Tick and lot sizes from a saved exchangeInfo reply: PRICE_FILTER.tickSize and LOT_SIZE.stepSize, never the precisions."""

from __future__ import annotations

from pathlib import Path

from actors.errors import Exit, UserError
from actors.history.importer import Sizes
from core.codec import WireError
from core.dialect.binance import filters as binance_filters


def exchange_info(path: Path) -> dict[str, Sizes]:
    """Each symbol's sizes. Raises UserError when the file is absent or no exchangeInfo."""
    try:
        info = binance_filters.exchange_info(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file", Exit.NOT_FOUND) from error
    except (OSError, WireError) as error:
        raise UserError(f"{path}: no exchangeInfo reply ({error})", Exit.CONFIGURATION) from error
    return {
        symbol: Sizes(one.tick_size, one.lot_size, f"exchangeInfo {path.name}", one.base, one.quote)
        for symbol, one in info.symbols.items()
        if one.tick_size and one.lot_size
    }
