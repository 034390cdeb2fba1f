"""The events of an account, as the private stream writes them. Times in the venue's milliseconds."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from actors.emulator.account import Account, Position
from actors.emulator.order import Execution, VenueOrder, money

if TYPE_CHECKING:
    from actors.emulator.conditional import AlgoOrder


EXPIRY_REASONS: Final = {"FOK": "10", "GTX": "11", "RPI": "11"}
"""Why an order expired at once: it could not be filled whole, or would have taken."""


def order_update(
    order: VenueOrder, kind: str, stamp: int, fill: Execution | None, notionals: tuple[Decimal, Decimal]
) -> dict[str, Any]:
    """ORDER_TRADE_UPDATE; `kind` is its `x`, `notionals` what is open of bids and asks."""
    instrument = order.instrument
    body = {
        "s": instrument.symbol,
        "c": order.client_id,
        "S": order.side,
        "o": order.type,
        "f": order.tif,
        "q": order.qty(order.lots),
        "p": order.price_text,
        "ap": order.average if order.done else "0",
        "sp": "0",
        "x": kind,
        "X": order.status,
        "i": order.id,
        "l": order.qty(fill.lots) if fill else "0",
        "z": order.qty(order.done),
        "L": instrument.price_text(fill.tick) if fill else "0",
        "n": money(fill.fee) if fill else "0",
        "N": instrument.quote,
        "T": stamp,
        "t": fill.id if fill else 0,
        "b": format(notionals[0].normalize(), "f"),
        "a": format(notionals[1].normalize(), "f"),
        "m": fill.maker if fill else False,
        "R": order.reduce_only,
        "wt": order.working_type,
        "ot": order.original_type or order.type,
        "ps": order.position_side,
        "cp": order.close_position,
        "rp": money(fill.pnl) if fill else "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": order.stp,
        "pm": order.price_match,
        "gtd": order.good_till_ms,
        "er": EXPIRY_REASONS.get(order.tif, "0") if kind == "EXPIRED" else "0",
    }
    return {"e": "ORDER_TRADE_UPDATE", "E": stamp, "T": stamp, "o": body}


def trade_lite(order: VenueOrder, fill: Execution, stamp: int) -> dict[str, Any]:
    """TRADE_LITE: the early hint of a fill."""
    return {
        "e": "TRADE_LITE",
        "E": stamp,
        "T": stamp,
        "s": fill.symbol,
        "q": order.qty(order.lots),
        "p": order.price_text,
        "m": fill.maker,
        "c": order.client_id,
        "S": order.side,
        "L": order.instrument.price_text(fill.tick),
        "l": order.qty(fill.lots),
        "t": fill.id,
        "i": order.id,
    }


def account_update(
    account: Account, reason: str, asset: str, change: Decimal, positions: Iterable[Position], stamp: int
) -> dict[str, Any]:
    """ACCOUNT_UPDATE; `change` is what moved the wallet other than profit and fees."""
    wallet = money(account.wallets.get(asset, Decimal(0)))
    balances = [{"a": asset, "wb": wallet, "cw": wallet, "bc": money(change) if change else "0"}]
    listed = [_position(account, one) for one in positions]
    return {"e": "ACCOUNT_UPDATE", "E": stamp, "T": stamp, "a": {"m": reason, "B": balances, "P": listed}}


def _position(account: Account, position: Position) -> dict[str, Any]:
    instrument = account.instruments[position.symbol]
    entry = position.entry(instrument)
    return {
        "s": position.symbol,
        "pa": instrument.qty_text(position.lots),
        "ep": f"{entry:.5f}",
        "bep": f"{entry:.8f}",
        "cr": money(position.realised),
        "up": money(account.unrealised(position)),
        "mt": "isolated" if position.symbol in account.isolated else "cross",
        "iw": "0",
        "ps": position.side,
    }


def config_update(symbol: str, leverage: int, stamp: int) -> dict[str, Any]:
    """ACCOUNT_CONFIG_UPDATE of a symbol's leverage."""
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": stamp, "T": stamp, "ac": {"s": symbol, "l": leverage}}


def assets_update(multi: bool, stamp: int) -> dict[str, Any]:
    """ACCOUNT_CONFIG_UPDATE of the multi-assets mode."""
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": stamp, "T": stamp, "ai": {"j": multi}}


def algo_update(algo: AlgoOrder, stamp: int) -> dict[str, Any]:
    """ALGO_UPDATE: a conditional order's state."""
    instrument = algo.instrument
    body: dict[str, Any] = {
        "caid": algo.client_id,
        "aid": algo.id,
        "at": "CONDITIONAL",
        "o": algo.type,
        "s": instrument.symbol,
        "S": algo.side,
        "ps": algo.position_side,
        "f": algo.tif,
        "q": instrument.qty_text(algo.lots),
        "X": algo.status,
        "ai": str(algo.order.id) if algo.order else "",
        "ap": algo.order.average if algo.order else "0.00000",
        "aq": algo.order.qty(algo.order.done) if algo.order else "0.00000",
        "act": algo.order.type if algo.order else "0",
        "tp": instrument.price_text(algo.trigger_tick) if algo.trigger_tick else "0",
        "p": instrument.price_text(algo.tick) if algo.tick else "0",
        "V": algo.stp,
        "wt": algo.working_type,
        "pm": "NONE",
        "cp": algo.close_position,
        "pP": False,
        "R": algo.reduce_only,
        "tt": algo.triggered // 1_000_000,
        "gtd": algo.good_till_ms,
        "rm": algo.reason,
        "ia": algo.activated,
    }
    if algo.type == "TRAILING_STOP_MARKET":
        body |= {"AP": instrument.price_text(algo.activate_tick) if algo.activate_tick else "0", "cr": algo.callback_text}
    return {"e": "ALGO_UPDATE", "E": stamp, "T": stamp, "o": body}


def key_expired(key: str, stamp: int) -> dict[str, Any]:
    """listenKeyExpired."""
    return {"e": "listenKeyExpired", "E": stamp, "listenKey": key}
