"""Endpoints of balances and positions, in the second and the third version."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from actors.emulator.account import Account, Position, notional_max
from actors.emulator.endpoints import Ask
from actors.emulator.order import money


def _stamp(ask: Ask, ns: int) -> int:
    return ask.venue.stamp(ns) if ns else 0


def account(ask: Ask) -> Any:
    """GET v3/account: only symbols with a position or an open order."""
    return _account(ask, [_held(ask, one) for symbol in ask.account.active() for one in _sides(ask.account, symbol)])


def account_v2(ask: Ask) -> Any:
    """GET v2/account: every symbol, and the account's settings."""
    rows = []
    for symbol in ask.venue.markets:
        for one in _sides(ask.account, symbol):
            row = _held(ask, one)
            more = {
                "positionInitialMargin": row["initialMargin"],
                "openOrderInitialMargin": money(ask.account.margins(symbol)[1]),
            }
            more |= {"leverage": str(ask.account.leverage(symbol)), "isolated": symbol in ask.account.isolated}
            more |= {"maxNotional": str(notional_max(ask.account.leverage(symbol))), "entryPrice": _entry(ask, one)}
            buys, sells = ask.account.open_notional(symbol)
            rows.append({**row, **more, "bidNotional": money(buys), "askNotional": money(sells)})
    body = {**account_settings(ask), "feeBurn": False, **_account(ask, rows)}
    body["assets"] = [{**one, "marginAvailable": True} for one in body["assets"]]
    return body


def _account(ask: Ask, positions: list[dict[str, Any]]) -> dict[str, Any]:
    totals = ask.account.totals()
    wallet, profit = totals["wallet"], totals["unrealised"]
    initial = totals["position"] + totals["orders"]
    return {
        "totalInitialMargin": money(initial),
        "totalMaintMargin": money(totals["maintenance"]),
        "totalWalletBalance": money(wallet),
        "totalUnrealizedProfit": money(profit),
        "totalMarginBalance": money(wallet + profit),
        "totalPositionInitialMargin": money(totals["position"]),
        "totalOpenOrderInitialMargin": money(totals["orders"]),
        "totalCrossWalletBalance": money(wallet),
        "totalCrossUnPnl": money(profit),
        "availableBalance": money(totals["available"]),
        "maxWithdrawAmount": money(totals["available"]),
        "assets": [_asset(ask, asset, totals) for asset in ask.account.wallets],
        "positions": positions,
    }


def _asset(ask: Ask, asset: str, totals: dict[str, Decimal]) -> dict[str, Any]:
    wallet = ask.account.wallets[asset]
    mine = asset == "USDT"
    zero = Decimal(0)
    position, orders = (totals["position"], totals["orders"]) if mine else (zero, zero)
    profit, available = (totals["unrealised"], totals["available"]) if mine else (zero, wallet)
    return {
        "asset": asset,
        "walletBalance": money(wallet),
        "unrealizedProfit": money(profit),
        "marginBalance": money(wallet + profit),
        "maintMargin": money(totals["maintenance"] if mine else zero),
        "initialMargin": money(position + orders),
        "positionInitialMargin": money(position),
        "openOrderInitialMargin": money(orders),
        "crossWalletBalance": money(wallet),
        "crossUnPnl": money(profit),
        "availableBalance": money(available),
        "maxWithdrawAmount": money(available),
        "updateTime": _stamp(ask, ask.account.updated),
    }


def _sides(one: Account, symbol: str) -> list[Position]:
    return [one.position(symbol, side) for side in (("LONG", "SHORT") if one.dual else ("BOTH",))]


def _entry(ask: Ask, position: Position) -> str:
    """With one decimal at least, as the venue writes it."""
    if not position.lots:
        return "0.0"
    whole, _, part = f"{position.entry(ask.account.instruments[position.symbol]):.8f}".partition(".")
    return f"{whole}.{part.rstrip('0') or '0'}"


def _held(ask: Ask, one: Position) -> dict[str, Any]:
    mine = ask.account
    margin = abs(mine.notional(one)) / mine.leverage(one.symbol)
    return {
        "symbol": one.symbol,
        "positionSide": one.side,
        "positionAmt": mine.instruments[one.symbol].qty_text(one.lots),
        "unrealizedProfit": money(mine.unrealised(one)),
        "isolatedMargin": "0.00000000",
        "notional": money(mine.notional(one)),
        "isolatedWallet": "0",
        "initialMargin": money(margin),
        "maintMargin": money(mine.margins(one.symbol)[2]),
        "updateTime": _stamp(ask, one.updated),
    }


def balance(ask: Ask) -> Any:
    """GET balance."""
    totals = ask.account.totals()
    rows = []
    for asset in ask.account.wallets:
        row = _asset(ask, asset, totals)
        kept = {name: row[name] for name in ("crossWalletBalance", "crossUnPnl", "availableBalance", "maxWithdrawAmount")}
        row = {"accountAlias": ask.account.name, "asset": asset, "balance": row["walletBalance"], **kept}
        rows.append({**row, "marginAvailable": True, "updateTime": _stamp(ask, ask.account.updated)})
    return rows


def asked_symbols(ask: Ask, every: list[str]) -> list[str]:
    """The one symbol asked for, or all of these."""
    return [ask.venue.desk.market(ask.parameters.symbol()).symbol] if ask.parameters.has("symbol") else every


def position_risk(ask: Ask) -> Any:
    """GET v3/positionRisk: only symbols with a position or an open order."""
    rows = []
    active = ask.account.active()
    for symbol in asked_symbols(ask, active):
        position, orders, maintenance = ask.account.margins(symbol)
        buys, sells = ask.account.open_notional(symbol)
        for one in _sides(ask.account, symbol) if symbol in active else ():
            held = _held(ask, one)
            row = {
                name: held[name] for name in ("symbol", "positionSide", "positionAmt", "notional", "isolatedWallet", "updateTime")
            }
            row |= {
                "entryPrice": _entry(ask, one),
                "breakEvenPrice": _entry(ask, one),
                "liquidationPrice": "0",
                "isolatedMargin": "0",
            }
            row |= {
                "markPrice": money(ask.account.mark(symbol)),
                "unRealizedProfit": held["unrealizedProfit"],
                "marginAsset": "USDT",
            }
            row |= {"initialMargin": money(position + orders), "maintMargin": money(maintenance), "adl": 1}
            row |= {"positionInitialMargin": money(position), "openOrderInitialMargin": money(orders)}
            rows.append(row | {"bidNotional": money(buys), "askNotional": money(sells)})
    return rows


def position_risk_v2(ask: Ask) -> Any:
    """GET v2/positionRisk: every symbol."""
    rows = []
    for symbol in asked_symbols(ask, list(ask.venue.markets)):
        leverage = ask.account.leverage(symbol)
        for one in _sides(ask.account, symbol):
            held = _held(ask, one)
            row = {
                name: held[name] for name in ("symbol", "positionSide", "positionAmt", "notional", "isolatedWallet", "updateTime")
            }
            row |= {"entryPrice": _entry(ask, one), "breakEvenPrice": _entry(ask, one), "liquidationPrice": "0"}
            row |= {"marginType": "isolated" if symbol in ask.account.isolated else "cross", "isAutoAddMargin": "false"}
            row |= {"isolatedMargin": "0.00000000", "leverage": str(leverage), "maxNotionalValue": str(notional_max(leverage))}
            rows.append(row | {"markPrice": money(ask.account.mark(symbol)), "unRealizedProfit": held["unrealizedProfit"]})
    return rows


def account_settings(ask: Ask) -> dict[str, Any]:
    """What the account may do, and its modes but for that of positions."""
    permissions = {"feeTier": 0, "canTrade": True, "canDeposit": True, "canWithdraw": False}
    return {**permissions, "multiAssetsMargin": ask.account.multi_assets, "updateTime": 0, "tradeGroupId": -1}
