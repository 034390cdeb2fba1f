"""What an order must be like before it reaches the engine: parameters, filters, modes, margin. Each breach has its code.

`pricePrecision` is finer than the tick and no multiple of it need be a price, as at the venue.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from actors.emulator.account import Account, notional_max
from actors.emulator.answer import Refused
from actors.emulator.market import Market
from actors.emulator.order import MS, VenueOrder
from actors.emulator.parameters import Parameters
from core.instrument import Instrument
from core.price import E8, GridError

CONDITIONAL: Final = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
TIMES: Final = ("GTC", "IOC", "FOK", "GTX", "GTD", "RPI")
MATCHES: Final = {"NONE": 0, "OPPONENT": 1, "OPPONENT_5": 5, "QUEUE": -1, "QUEUE_5": -5}
PREVENTIONS: Final = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")
CLIENT_ID: Final = re.compile(r"[\.A-Z\:/a-z0-9_-]{1,36}", re.ASCII)
NOTIONAL_MIN: Final = Decimal(5)
QTY_MAX: Final = 1_000_000
MARKET_QTY_MAX: Final = 120_000
PRICE_TICKS_MAX: Final = 2_000_000_000
MULTIPLIERS: Final = (Decimal("1.05"), Decimal("0.95"))
GTD_LEAST_MS: Final = 600_000
GTD_MOST_MS: Final = 253_402_300_799_000


def decimals(size: str) -> int:
    """Decimals of a grid's step."""
    return max(0, -int(Decimal(size).normalize().as_tuple().exponent))


def price_precision(instrument: Instrument) -> int:
    """As exchangeInfo has it: one decimal more than the tick."""
    return decimals(instrument.tick_size) + 1


def filters(instrument: Instrument, open_orders: int) -> list[dict[str, Any]]:
    """The filters of exchangeInfo."""
    lot, tick = format(instrument.lot.normalize(), "f"), format(instrument.tick.normalize(), "f")
    most = format(instrument.tick * PRICE_TICKS_MAX, "f")
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": most, "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": format(instrument.lot * QTY_MAX, "f"), "stepSize": lot},
        {"filterType": "MARKET_LOT_SIZE", "minQty": lot, "maxQty": format(instrument.lot * MARKET_QTY_MAX, "f"), "stepSize": lot},
        {"filterType": "MAX_NUM_ORDERS", "limit": open_orders},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 200},
        {"filterType": "MIN_NOTIONAL", "notional": str(NOTIONAL_MIN)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": f"{MULTIPLIERS[0]:.4f}",
            "multiplierDown": f"{MULTIPLIERS[1]:.4f}",
            "multiplierDecimal": "4",
        },
    ]


def quantity(instrument: Instrument, value: Decimal, market: bool) -> int:
    """Lots of a quantity."""
    if value <= 0:
        raise Refused(-4003)
    if -int(value.normalize().as_tuple().exponent) > decimals(instrument.lot_size):
        raise Refused(-1111)
    try:
        lots = instrument.lots(value)
    except GridError as error:
        raise Refused(-4023) from error
    if lots > (MARKET_QTY_MAX if market else QTY_MAX):
        raise Refused(-4005)
    return lots


def price(instrument: Instrument, value: Decimal) -> int:
    """Ticks of a price."""
    if value <= 0:
        raise Refused(-4001)
    if -int(value.normalize().as_tuple().exponent) > price_precision(instrument):
        raise Refused(-1111)
    try:
        ticks = instrument.ticks(value)
    except GridError as error:
        raise Refused(-4014) from error
    if ticks > PRICE_TICKS_MAX:
        raise Refused(-4002)
    return ticks


def client_id(parameters: Parameters, name: str, made: str) -> str:
    """The client's own id, or the one made for it."""
    given = parameters.text(name, made)
    if not CLIENT_ID.fullmatch(given):
        raise Refused(-4015)
    return given


def position_side(parameters: Parameters, account: Account) -> str:
    """The position that an order is for, by the account's mode."""
    side = parameters.choice("positionSide", ("BOTH", "LONG", "SHORT"), -4061, "BOTH")
    if (side == "BOTH") == account.dual:
        raise Refused(-4061)
    if account.dual and parameters.has("reduceOnly"):
        raise Refused(-1106, "reduceonly")
    return side


def draft(parameters: Parameters, account: Account, market: Market, now: int, identity: int, made: str) -> VenueOrder:
    """The order that was asked for, checked against everything but the account's margin. Raises Refused."""
    instrument = market.instrument
    side = parameters.choice("side", ("BUY", "SELL"), -1117)
    kind = parameters.text("type")
    if kind in CONDITIONAL:
        raise Refused(-4120)
    if kind not in ("LIMIT", "MARKET"):
        raise Refused(-1116)
    order = VenueOrder(identity, account.name, instrument, "", side, kind, "GTC", 0, 0, now, updated=now)
    order.position_side = position_side(parameters, account)
    order.reduce_only = parameters.flag("reduceOnly", False)
    order.stp = parameters.choice("selfTradePreventionMode", PREVENTIONS, -1130, "NONE")
    parameters.choice("newOrderRespType", ("ACK", "RESULT"), -1130, "ACK")
    if parameters.has("closePosition") and parameters.flag("closePosition"):
        raise Refused(-4136, kind, "true")
    if parameters.has("stopPrice"):
        raise Refused(-1106, "stopprice")
    if kind == "LIMIT":
        _limit(parameters, order, market, now)
    else:
        for name in ("price", "timeInForce"):
            if parameters.has(name):
                raise Refused(-1106, name.lower())
    order.lots = quantity(instrument, parameters.number("quantity"), kind == "MARKET")
    order.client_id = client_id(parameters, "newClientOrderId", made)
    if any(one.client_id == order.client_id for one in account.open.values()):
        raise Refused(-4116)
    priced(order, market, now)
    return order


def _limit(parameters: Parameters, order: VenueOrder, market: Market, now: int) -> None:
    order.tif = parameters.choice("timeInForce", TIMES, -1115)
    order.price_match = parameters.choice("priceMatch", MATCHES, -1130, "NONE")
    if order.price_match == "NONE":
        order.tick = price(order.instrument, parameters.number("price"))
    elif parameters.has("price"):
        raise Refused(-1106, "price")
    else:
        order.tick = matched(market, order.side, MATCHES[order.price_match])
    if order.tif == "GTD":
        order.good_till_ms = parameters.integer("goodTillDate") // 1000 * 1000
        if not now // MS + GTD_LEAST_MS < order.good_till_ms < GTD_MOST_MS:
            raise Refused(-5040)


def matched(market: Market, side: str, level: int) -> int:
    """The price of a level: above 0 of the other side, below 0 of the own."""
    bids, asks = market.levels(5)
    levels = asks if (side == "BUY") == (level > 0) else bids
    if len(levels) < abs(level):
        raise Refused(-4131)
    return levels[abs(level) - 1][0]


def priced(order: VenueOrder, market: Market, now: int) -> None:
    """PERCENT_PRICE against the mark price, and the least notional."""
    instrument = order.instrument
    mark = Decimal(market.mark(now)[0]) / E8
    up, down = mark * MULTIPLIERS[0], mark * MULTIPLIERS[1]
    bid, _, ask, _ = market.best()
    at = order.tick or (ask if order.side == "BUY" else bid)
    value = at * instrument.tick
    if order.type == "MARKET" and (not at or not down <= value <= up):
        raise Refused(-4131)
    if order.side == "BUY" and value > up:
        raise Refused(-4016, f"{up:.{price_precision(instrument)}f}")
    if order.side == "SELL" and value < down:
        raise Refused(-4024, f"{down:.{price_precision(instrument)}f}")
    if not order.reduce_only and (value if order.tick else mark) * order.lots * instrument.lot < NOTIONAL_MIN:
        raise Refused(-4164, NOTIONAL_MIN)


def reduces(order: VenueOrder, account: Account) -> bool:
    """Whether it can only make a position smaller."""
    return order.reduce_only or (order.position_side, order.side) in (("LONG", "SELL"), ("SHORT", "BUY"))


def admitted(order: VenueOrder, account: Account, market: Market, most_open: int) -> None:
    """What depends on the account: reduce-only, the number of open orders, margin. A reduce-only order is cut to the position."""
    if len(account.open) >= most_open:
        raise Refused(-2025)
    if reduces(order, account):
        held = account.position(order.instrument.symbol, order.position_side).lots
        if held * order.sign >= 0 or (account.dual and order.lots > abs(held)):
            raise Refused(-2022)
        order.lots = min(order.lots, abs(held)) if order.reduce_only else order.lots
        return
    affordable(order, account, market)


def affordable(order: VenueOrder, account: Account, market: Market) -> None:
    """Margin, and the largest position at the leverage."""
    instrument = order.instrument
    bid, _, ask, _ = market.best()
    at = order.tick or (ask if order.side == "BUY" else bid)
    if not account.affords(order, at):
        raise Refused(-2019)
    held = account.position(instrument.symbol, order.position_side).lots + order.sign * order.leaves
    if abs(held) * instrument.lot * at * instrument.tick > notional_max(account.leverage(instrument.symbol)):
        raise Refused(-2027)
