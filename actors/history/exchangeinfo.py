"""Tick and lot sizes from a saved exchangeInfo reply: PRICE_FILTER.tickSize and LOT_SIZE.stepSize, never the precisions."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct, field

from actors.errors import Exit, UserError
from actors.history.importer import Sizes


class _Filter(Struct, rename="camel"):
    filter_type: str = ""
    tick_size: str = ""
    step_size: str = ""


class _Symbol(Struct, rename="camel"):
    symbol: str
    base_asset: str = ""
    quote_asset: str = ""
    filters: list[_Filter] = field(default_factory=list)


class _Info(Struct):
    symbols: list[_Symbol]


def exchange_info(path: Path) -> dict[str, Sizes]:
    """Each symbol's sizes. Raises UserError when the file is absent or no exchangeInfo."""
    try:
        info = msgspec.json.decode(path.read_bytes(), type=_Info)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file", Exit.NOT_FOUND) from error
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: no exchangeInfo reply ({error})", Exit.CONFIGURATION) from error
    found = {symbol.symbol: _sizes(path, symbol) for symbol in info.symbols}
    return {symbol: sizes for symbol, sizes in found.items() if sizes.tick_size and sizes.lot_size}


def _sizes(path: Path, symbol: _Symbol) -> Sizes:
    tick = next((f.tick_size for f in symbol.filters if f.filter_type == "PRICE_FILTER"), "")
    lot = next((f.step_size for f in symbol.filters if f.filter_type == "LOT_SIZE"), "")
    return Sizes(_plain(tick), _plain(lot), f"exchangeInfo {path.name}", symbol.base_asset, symbol.quote_asset)


def _plain(size: str) -> str:
    """Without trailing zeros: the same grid is always written alike."""
    return size.rstrip("0").rstrip(".") if "." in size else size
