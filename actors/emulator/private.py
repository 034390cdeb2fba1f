"""Endpoints of the account: settings, history, and the keys of private streams."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from actors.emulator.account import MAX_NOTIONAL, notional_max
from actors.emulator.answer import Refused
from actors.emulator.endpoints import Ask, Endpoint, Table, window
from actors.emulator.positions import (
    account,
    account_settings,
    account_v2,
    asked_symbols,
    balance,
    position_risk,
    position_risk_v2,
)
from actors.emulator.userdata import assets_update, config_update

SUCCESS: Final = {"code": 200, "msg": "success"}


def account_config(ask: Ask) -> Any:
    """GET accountConfig."""
    return {**account_settings(ask), "dualSidePosition": ask.account.dual}


def restrictions(ask: Ask) -> Any:
    """GET apiRestrictions, which the venue serves beside the futures API."""
    allowed = {"enableReading": True, "enableFutures": True, "enableWithdrawals": ask.account.settings.may_withdraw}
    return {"ipRestrict": False, "createTime": 0, "enableInternalTransfer": False, **allowed}


def symbol_config(ask: Ask) -> Any:
    """GET symbolConfig."""
    rows = []
    for symbol in asked_symbols(ask, list(ask.venue.markets)):
        leverage = ask.account.leverage(symbol)
        kind = "ISOLATED" if symbol in ask.account.isolated else "CROSSED"
        row = {"symbol": symbol, "marginType": kind, "isAutoAddMargin": False, "leverage": leverage}
        rows.append(row | {"maxNotionalValue": str(notional_max(leverage))})
    return rows


def brackets(ask: Ask) -> Any:
    """GET leverageBracket."""
    listed, floor, cum = [], 0, Decimal(0)
    before = Decimal(0)
    for number, (leverage, cap) in enumerate(MAX_NOTIONAL, 1):
        ratio = Decimal(1) / (2 * leverage)
        cum += floor * (ratio - before)
        row = {"bracket": number, "initialLeverage": leverage, "notionalCap": cap, "notionalFloor": floor}
        listed.append(row | {"maintMarginRatio": float(round(ratio, 6)), "cum": float(round(cum, 2))})
        floor, before = cap, ratio
    return [{"symbol": symbol, "notionalCoef": 1.0, "brackets": listed} for symbol in asked_symbols(ask, list(ask.venue.markets))]


def queue(ask: Ask) -> Any:
    """GET adlQuantile: nobody is deleveraged here."""
    sides = ("LONG", "SHORT") if ask.account.dual else ("BOTH",)
    held = [symbol for symbol in asked_symbols(ask, ask.account.active()) if ask.account.held(symbol)]
    return [{"symbol": symbol, "adlQuantile": dict.fromkeys(sides, 0)} for symbol in held]


def commission(ask: Ask) -> Any:
    """GET commissionRate."""
    symbol, settings = ask.venue.desk.market(ask.parameters.symbol()).symbol, ask.account.settings
    rates = {"makerCommissionRate": settings.maker_fee, "takerCommissionRate": settings.taker_fee}
    return {"symbol": symbol, **rates, "rpiCommissionRate": "0.00005"}


def income(ask: Ask) -> Any:
    """GET income."""
    kind = ask.parameters.text("incomeType", "")
    symbol = ask.parameters.text("symbol", "")
    rows = [row for row in ask.account.income if kind in ("", row["incomeType"]) and symbol in ("", row["symbol"])]
    return window(ask, rows, lambda row: int(row["time"]), default=100)


def user_trades(ask: Ask) -> Any:
    """GET userTrades."""
    one = ask.venue.desk.market(ask.parameters.symbol())
    order, first = ask.parameters.integer("orderId", 0), ask.parameters.integer("fromId", 0)
    rows = [
        fill.listed(one.instrument, ask.offset_ms)
        for fill in ask.account.executions
        if fill.symbol == one.symbol and order in (0, fill.order_id) and fill.id >= first
    ]
    return window(ask, rows, lambda row: int(row["time"]))


def leverage(ask: Ask) -> Any:
    """POST leverage."""
    symbol = ask.venue.desk.market(ask.parameters.symbol()).symbol
    chosen = ask.parameters.integer("leverage")
    if not 1 <= chosen <= MAX_NOTIONAL[0][0]:
        raise Refused(-4028, chosen)
    if any(abs(ask.account.notional(one)) > notional_max(chosen) for one in ask.account.held(symbol)):
        raise Refused(-4203)
    ask.account.leverages[symbol] = chosen
    ask.venue.tell(ask.account.name, "ACCOUNT_CONFIG_UPDATE", config_update(symbol, chosen, ask.stamp))
    return {"leverage": chosen, "maxNotionalValue": str(notional_max(chosen)), "symbol": symbol}


def margin_type(ask: Ask) -> Any:
    """POST marginType."""
    symbol = ask.venue.desk.market(ask.parameters.symbol()).symbol
    isolated = ask.parameters.choice("marginType", ("ISOLATED", "CROSSED"), -1130) == "ISOLATED"
    if isolated == (symbol in ask.account.isolated):
        raise Refused(-4046)
    if any(order.instrument.symbol == symbol for order in ask.account.open.values()):
        raise Refused(-4047)
    if ask.account.held(symbol):
        raise Refused(-4048)
    (ask.account.isolated.add if isolated else ask.account.isolated.discard)(symbol)
    return SUCCESS


def position_mode(ask: Ask) -> Any:
    """POST positionSide/dual."""
    dual = ask.parameters.flag("dualSidePosition")
    if dual == ask.account.dual:
        raise Refused(-4059)
    if ask.account.open:
        raise Refused(-4067)
    if any(one.lots for one in ask.account.positions.values()):
        raise Refused(-4068)
    ask.account.dual = dual
    return SUCCESS


def assets_mode(ask: Ask) -> Any:
    """POST multiAssetsMargin."""
    multi = ask.parameters.flag("multiAssetsMargin")
    if multi == ask.account.multi_assets:
        raise Refused(-4171)
    ask.account.multi_assets = multi
    ask.venue.tell(ask.account.name, "ACCOUNT_CONFIG_UPDATE", assets_update(multi, ask.stamp))
    return SUCCESS


def open_key(ask: Ask) -> Any:
    """POST listenKey: a new key, or the present one for another hour."""
    return {"listenKey": ask.venue.keys.open(ask.now, ask.account.name)}


def keep_key(ask: Ask) -> Any:
    """PUT listenKey."""
    return {"listenKey": ask.venue.keys.keep(ask.now, ask.account.name)}


def close_key(ask: Ask) -> Any:
    """DELETE listenKey."""
    ask.venue.keys.close(ask.now, ask.account.name)
    return {}


_KEY: Final = "/fapi/v1/listenKey"
PRIVATE: Final[Table] = {
    ("POST", _KEY): Endpoint(open_key, 1, "key"),
    ("PUT", _KEY): Endpoint(keep_key, 1, "key"),
    ("DELETE", _KEY): Endpoint(close_key, 1, "key"),
    ("GET", "/fapi/v3/account"): Endpoint(account, 5, "signed"),
    ("GET", "/fapi/v2/account"): Endpoint(account_v2, 5, "signed"),
    ("GET", "/fapi/v3/balance"): Endpoint(balance, 5, "signed"),
    ("GET", "/fapi/v2/balance"): Endpoint(balance, 5, "signed"),
    ("GET", "/fapi/v3/positionRisk"): Endpoint(position_risk, 5, "signed"),
    ("GET", "/fapi/v2/positionRisk"): Endpoint(position_risk_v2, 5, "signed"),
    ("GET", "/fapi/v1/accountConfig"): Endpoint(account_config, 5, "signed"),
    ("GET", "/sapi/v1/account/apiRestrictions"): Endpoint(restrictions, 1, "signed"),
    ("GET", "/fapi/v1/symbolConfig"): Endpoint(symbol_config, 5, "signed"),
    ("GET", "/fapi/v1/leverageBracket"): Endpoint(brackets, 1, "signed"),
    ("GET", "/fapi/v1/commissionRate"): Endpoint(commission, 20, "signed"),
    ("GET", "/fapi/v1/income"): Endpoint(income, 30, "signed"),
    ("GET", "/fapi/v1/rateLimit/order"): Endpoint(lambda ask: ask.venue.counters.order_limits(), 1, "signed"),
    ("GET", "/fapi/v1/userTrades"): Endpoint(user_trades, 5, "signed"),
    ("GET", "/fapi/v1/forceOrders"): Endpoint(lambda ask: [], 20, "signed"),
    ("GET", "/fapi/v1/adlQuantile"): Endpoint(queue, 5, "signed"),
    ("GET", "/fapi/v1/apiTradingStatus"): Endpoint(lambda ask: {"indicators": {}, "updateTime": ask.stamp}, 1, "signed"),
    ("GET", "/fapi/v1/positionSide/dual"): Endpoint(lambda ask: {"dualSidePosition": ask.account.dual}, 30, "signed"),
    ("GET", "/fapi/v1/multiAssetsMargin"): Endpoint(lambda ask: {"multiAssetsMargin": ask.account.multi_assets}, 30, "signed"),
    ("GET", "/fapi/v1/feeBurn"): Endpoint(lambda ask: {"feeBurn": False}, 30, "signed"),
    ("POST", "/fapi/v1/leverage"): Endpoint(leverage, 1, "signed"),
    ("POST", "/fapi/v1/marginType"): Endpoint(margin_type, 1, "signed"),
    ("POST", "/fapi/v1/positionSide/dual"): Endpoint(position_mode, 1, "signed"),
    ("POST", "/fapi/v1/multiAssetsMargin"): Endpoint(assets_mode, 1, "signed"),
}
"""Endpoints that want a key."""
