"""What Binance takes at all: an instrument's grid and filters and the venue's rate limits, read from exchangeInfo.

`tickSize` of PRICE_FILTER and `stepSize` of LOT_SIZE are the grid; the precisions beside them are not. Orders are measured
against the filters here before they are sent, so that what the venue would refuse costs neither a count nor a round trip.

Left out: PERCENT_PRICE (its mark price is the venue's own; risk's price collar is tighter, and -4131 says the rest), and
market orders' notional, for the same reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Final

import msgspec
from msgspec import Struct

from core.allowance import Pool
from core.codec import WireError
from core.dialect.binance.private import plain
from core.instrument import Instrument, Key
from core.message import NewOrderSingle, OrderCancelReplaceRequest, OrdType

INFO_BYTES_MAX: Final = 32 << 20
"""The whole venue's exchangeInfo has about 1.5 MB."""
CL_ORD_ID: Final = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}", re.ASCII)


class _Filter(Struct, rename="camel"):
    filter_type: str = ""
    tick_size: str = ""
    min_price: str = "0"
    max_price: str = "0"
    step_size: str = ""
    min_qty: str = "0"
    max_qty: str = "0"
    limit: int = 0
    notional: str = "0"


class _Symbol(Struct, rename="camel"):
    symbol: str
    status: str = ""
    contract_type: str = ""
    base_asset: str = ""
    quote_asset: str = ""
    margin_asset: str = ""
    filters: list[_Filter] = []


class _RateLimit(Struct, rename="camel"):
    rate_limit_type: str = ""
    interval: str = ""
    interval_num: int = 1
    limit: int = 0


class _Info(Struct, rename="camel"):
    symbols: list[_Symbol]
    rate_limits: list[_RateLimit] = []


_info = msgspec.json.Decoder(_Info)
_limits = msgspec.json.Decoder(list[_RateLimit])


class Filters(Struct, frozen=True):
    """One instrument's filters in ticks and lots; 0: no such limit. `notional_least`: ticks times lots."""

    price_min: int = 0
    price_max: int = 0
    qty_min: int = 0
    qty_max: int = 0
    market_qty_min: int = 0
    market_qty_max: int = 0
    notional_least: int = 0
    orders_max: int = 0

    def refusal(self, order: NewOrderSingle | OrderCancelReplaceRequest, open_orders: int = 0) -> str:
        """The name of the filter that an order would fail, with the numbers; "" when the venue should take it."""
        opens = isinstance(order, NewOrderSingle) and not order.reduce_only
        limit = order.ord_type == OrdType.LIMIT
        qty, price = order.order_qty, order.price
        least, most = (self.qty_min, self.qty_max) if limit else (self.market_qty_min, self.market_qty_max)
        if qty < max(least, 1) or (most and qty > most):
            return f"{'LOT_SIZE' if limit else 'MARKET_LOT_SIZE'}: {qty} lots are not between {least} and {most}"
        if limit and (price < max(self.price_min, 1) or (self.price_max and price > self.price_max)):
            return f"PRICE_FILTER: {price} ticks are not between {self.price_min} and {self.price_max}"
        if opens and limit and price * qty < self.notional_least:
            return f"MIN_NOTIONAL: {price} ticks times {qty} lots are less than {self.notional_least}"
        if isinstance(order, NewOrderSingle) and self.orders_max and open_orders >= self.orders_max:
            return f"MAX_NUM_ORDERS: {open_orders} orders are open"
        if CL_ORD_ID.fullmatch(order.cl_ord_id) is None:
            return f"ClOrdID {order.cl_ord_id[:60]!r} is none that the venue takes"
        return ""


class Listed(Struct, frozen=True):
    """What the venue says of one instrument; sizes as decimal strings without trailing zeros, "" where it names none."""

    symbol: str
    status: str
    tick_size: str
    lot_size: str
    base: str
    quote: str
    rows: tuple[_Filter, ...] = ()

    def instrument(self, venue: str = "binance_usdm", maker_fee: float = 0.0002, taker_fee: float = 0.0005) -> Instrument:
        """The instrument that trades on this grid."""
        key = Key(venue, self.symbol)
        return Instrument(
            key, self.tick_size, self.lot_size, maker_fee=maker_fee, taker_fee=taker_fee, base=self.base, quote=self.quote
        )

    def filters(self, instrument: Instrument) -> Filters:
        """Its filters on that grid. Raises WireError where they are no numbers."""
        by_type = {one.filter_type: one for one in self.rows}
        none = _Filter()
        price, lot = by_type.get("PRICE_FILTER", none), by_type.get("LOT_SIZE", none)
        market = by_type.get("MARKET_LOT_SIZE", lot)
        notional = Decimal(plain(by_type.get("MIN_NOTIONAL", none).notional))
        unit = instrument.tick * instrument.lot * Decimal(instrument.contract_value)
        return Filters(
            price_min=instrument.ticks(plain(price.min_price), "up"),
            price_max=instrument.ticks(plain(price.max_price), "down"),
            qty_min=instrument.lots(plain(lot.min_qty), "up"),
            qty_max=instrument.lots(plain(lot.max_qty), "down"),
            market_qty_min=instrument.lots(plain(market.min_qty), "up"),
            market_qty_max=instrument.lots(plain(market.max_qty), "down"),
            notional_least=int((notional / unit).to_integral_value(ROUND_CEILING)),
            orders_max=by_type.get("MAX_NUM_ORDERS", none).limit,
        )


class ExchangeInfo(Struct, frozen=True):
    """The venue's instruments by symbol, and its rate limits."""

    symbols: Mapping[str, Listed]
    pools: tuple[Pool, ...]


def exchange_info(body: bytes) -> ExchangeInfo:
    """What an exchangeInfo answer says. Raises WireError for anything else."""
    if len(body) > INFO_BYTES_MAX:
        raise WireError(f"{len(body)} bytes are more than an exchangeInfo has")
    try:
        info = _info.decode(body)
        return ExchangeInfo({one.symbol: _listed(one) for one in info.symbols}, tuple(_pools(info.rate_limits)))
    except (ValueError, RecursionError) as error:
        raise WireError(f"no exchangeInfo answer: {error}") from error


def rate_limits(body: bytes) -> tuple[Pool, ...]:
    """What `rateLimit/order` says: the limits of this very account. Raises WireError for anything else."""
    try:
        return tuple(_pools(_limits.decode(body)))
    except (ValueError, RecursionError) as error:
        raise WireError(f"no list of rate limits: {error}") from error


_SECONDS: Final = {"SECOND": 1, "MINUTE": 60, "HOUR": 3_600, "DAY": 86_400}
WEIGHT: Final = "REQUEST_WEIGHT:1M"


def _pools(rows: Iterable[_RateLimit]) -> Iterable[Pool]:
    """A pool is named by its kind and its window as the venue's headers write it: REQUEST_WEIGHT:1M, ORDERS:10S."""
    for one in rows:
        seconds = _SECONDS.get(one.interval, 0) * one.interval_num
        if 0 < seconds <= 7 * 86_400 and 0 < one.limit < 10**9 and one.rate_limit_type in ("REQUEST_WEIGHT", "ORDERS"):
            name = f"{one.rate_limit_type}:{one.interval_num}{one.interval[0]}"
            yield Pool(name, one.limit, seconds * 1_000_000_000)


def _listed(symbol: _Symbol) -> Listed:
    tick = next((one.tick_size for one in symbol.filters if one.filter_type == "PRICE_FILTER"), "")
    lot = next((one.step_size for one in symbol.filters if one.filter_type == "LOT_SIZE"), "")
    rows = tuple(symbol.filters)
    return Listed(symbol.symbol, symbol.status, _size(tick), _size(lot), symbol.base_asset, symbol.quote_asset, rows)


def _size(text: str) -> str:
    """Without trailing zeros: the same grid is always written alike. A size of nothing is none."""
    if text and not Decimal(plain(text)):
        return ""
    return text.rstrip("0").rstrip(".") if "." in text else text
