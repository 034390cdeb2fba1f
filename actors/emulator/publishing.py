"""The market's frames: what each stream carries, and when.

At every step of a market its streams are looked through: those of a period are published at the multiples of it, the others as
things happen. A depth event carries what has changed since the same stream's last one; `pu` is that one's `u`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from actors.emulator.bars import INTERVALS, MINUTE_NS
from actors.emulator.market import Market
from actors.emulator.streams import Hub, Stream
from actors.emulator.tickers import mark_words, statistics
from core.kernel.layout import BID
from core.kernel.replay import FOREVER

MS: Final = 1_000_000
CLOSELY: Final = ("bookTicker", "trade", "aggTrade")


class Publisher:
    """Publishes all markets to a hub. `stamp` turns ns into the venue's milliseconds; `funding` says when it is next settled."""

    def __init__(self, hub: Hub, markets: Mapping[str, Market], stamp: Callable[[int], int], funding: Callable[[], int]) -> None:
        self.hub, self.markets, self.stamp, self.funding = hub, markets, stamp, funding
        hub.begun, hub.ended = self._begun, self._ended
        self._last: dict[str, Any] = {}
        self._periods: Counter[int] = Counter()
        self._close: Counter[str] = Counter()
        """How many streams want each period, and how many each symbol's every row."""
        self._reached = 0

    def _begun(self, one: Stream) -> None:
        self._count(one, 1)
        market = self.markets.get(one.symbol)
        if one.kind == "depth" and market is not None:
            market.changes[one.name] = {}
            self._last[one.name] = market.update_id

    def _count(self, one: Stream, by: int) -> None:
        self._periods[one.period] += by
        if one.period == 0 or one.kind in CLOSELY:
            self._close[one.symbol] += by

    def _ended(self, one: Stream) -> None:
        self._count(one, -1)
        self._last.pop(one.name, None)
        if one.symbol in self.markets:
            self.markets[one.symbol].changes.pop(one.name, None)

    def closely(self, symbol: str) -> bool:
        """Whether somebody hears every row of the market."""
        return self._close[symbol] > 0

    def due(self, now: int) -> int:
        """When the next periodic stream has something to say."""
        periods = self._periods.items()
        return min(((now // period + 1) * period for period, count in periods if period and count > 0), default=FOREVER)

    def publish(self, now: int) -> None:
        """All streams, after the markets were taken to `now`."""
        for one in list(self.hub.wanted.values()):
            if one.period and (now % one.period or now == self._reached):
                continue
            if one.symbol == "":
                self._everything(one, now)
            elif one.symbol in self.markets:
                _WRITERS[one.kind](self, one, self.markets[one.symbol], now)
        self._reached = now
        for market in self.markets.values():
            market.fresh.clear()

    def _send(self, one: Stream, body: Any) -> None:
        self.hub.publish(one.name, msgspec.json.encode(body))

    def _depth(self, one: Stream, market: Market, now: int) -> None:
        changes = market.changes.get(one.name)
        if not changes:
            return
        market.changes[one.name] = {}
        before, update = self._last[one.name], market.update_id
        self._last[one.name] = update
        bids = [(tick, lots) for (kind, tick), lots in changes.items() if kind == BID]
        asks = [(tick, lots) for (kind, tick), lots in changes.items() if kind != BID]
        self._send(one, self._book(market, now, before + 1, update, before, sorted(bids, reverse=True), sorted(asks)))

    def _partial(self, one: Stream, market: Market, now: int) -> None:
        update, before = market.update_id, self._last.get(one.name, market.update_id - 1)
        if update == before:
            return
        self._last[one.name] = update
        bids, asks = market.levels(int(one.argument))
        self._send(one, self._book(market, now, before + 1, update, before, bids, asks))

    def _book(self, market: Market, now: int, first: int, last: int, before: int, bids: Any, asks: Any) -> dict[str, Any]:
        price, qty = market.instrument.price_text, market.instrument.qty_text
        return {
            "e": "depthUpdate",
            "E": self.stamp(now),
            "T": self.stamp(market.row_ns),
            "s": market.symbol,
            "U": first,
            "u": last,
            "pu": before,
            "b": [[price(tick), qty(lots)] for tick, lots in bids],
            "a": [[price(tick), qty(lots)] for tick, lots in asks],
            "ps": market.symbol,
            "st": 1,
        }

    def _best(self, one: Stream, market: Market, now: int) -> None:
        best = market.best()
        if best != self._last.get(one.name):
            self._last[one.name] = best
            self._send(one, self._quote(market, now))

    def _quote(self, market: Market, now: int) -> dict[str, Any]:
        bid, bid_lots, ask, ask_lots = market.best()
        price, qty = market.instrument.price_text, market.instrument.qty_text
        return {
            "e": "bookTicker",
            "u": market.update_id,
            "E": self.stamp(now),
            "T": self.stamp(market.row_ns),
            "s": market.symbol,
            "b": price(bid),
            "B": qty(bid_lots),
            "a": price(ask),
            "A": qty(ask_lots),
            "ps": market.symbol,
            "st": 1,
        }

    def _trades(self, one: Stream, market: Market, now: int) -> None:
        for trade in market.fresh:
            price, qty = market.instrument.price_text(trade.tick), market.instrument.qty_text(trade.lots)
            event = {"e": "trade", "E": self.stamp(now), "T": self.stamp(trade.ns), "s": market.symbol, "t": trade.id}
            self._send(one, event | {"p": price, "q": qty, "X": "MARKET", "m": trade.buyer_maker, "st": 1})

    def _aggregated(self, one: Stream, market: Market, now: int) -> None:
        for first, last, lots in aggregated(market.fresh):
            qty = market.instrument.qty_text(lots)
            event = {"e": "aggTrade", "E": self.stamp(now), "s": market.symbol, "a": first.id}
            event |= {"p": market.instrument.price_text(first.tick), "q": qty, "nq": qty, "f": first.id, "l": last.id}
            self._send(one, event | {"T": self.stamp(first.ns), "m": first.buyer_maker, "st": 1})

    def _mark(self, one: Stream, market: Market, now: int) -> None:
        self._send(one, mark_words(market, now, self.stamp(now), self.stamp(self.funding())))

    def _kline(self, one: Stream, market: Market, now: int) -> None:
        length = INTERVALS[one.argument] * MINUTE_NS
        if now % length == 0:
            self._candle(one, market, now, now - 1, True)
        self._candle(one, market, now, now, False)

    def _candle(self, one: Stream, market: Market, now: int, at: int, closed: bool) -> None:
        bar = market.remember().current(one.argument, at)
        if bar is None or (bar, closed) == self._last.get(one.name):
            return
        self._last[one.name] = (bar, closed)
        price, qty, unit = (
            market.instrument.price_text,
            market.instrument.qty_text,
            market.instrument.tick * market.instrument.lot,
        )
        candle = {
            "t": self.stamp(bar.open_ns),
            "T": self.stamp(bar.open_ns) + INTERVALS[one.argument] * 60_000 - 1,
            "s": market.symbol,
            "i": one.argument,
            "f": bar.first_id,
            "L": bar.last_id,
            "o": price(bar.open),
            "c": price(bar.close),
            "h": price(bar.high),
            "l": price(bar.low),
            "v": qty(bar.lots),
            "n": bar.trades,
            "x": closed,
            "q": format(bar.notional * unit, "f"),
            "V": qty(bar.buy_lots),
            "Q": format(bar.buy_notional * unit, "f"),
            "B": "0",
        }
        if one.kind == "kline":
            self._send(one, {"e": "kline", "E": self.stamp(now), "s": market.symbol, "k": candle, "st": 1})
        else:
            del candle["s"]
            event = {"e": "continuous_kline", "E": self.stamp(now), "ps": market.symbol, "ct": "PERPETUAL"}
            self._send(one, event | {"k": candle, "st": 1})

    def _ticker(self, one: Stream, market: Market, now: int) -> None:
        self._send(one, statistics(market, now, self.stamp, one.kind == "miniTicker"))

    def _forced(self, one: Stream, market: Market, now: int) -> None:
        """Nobody is liquidated here."""

    def _everything(self, one: Stream, now: int) -> None:
        markets = list(self.markets.values())
        if one.kind == "!bookTicker":
            for market in markets:
                self._send(one, self._quote(market, now))
        elif one.kind == "markPrices":
            self._send(one, [mark_words(market, now, self.stamp(now), self.stamp(self.funding())) for market in markets])
        elif one.kind in ("miniTickers", "tickers"):
            self._send(one, [statistics(market, now, self.stamp, one.kind == "miniTickers") for market in markets])


def aggregated(trades: Any) -> list[tuple[Any, Any, int]]:
    """Trades of one moment, price and aggressor as one: the first, the last and the lots of all."""
    found: list[tuple[Any, Any, int]] = []
    for trade in trades:
        if found:
            first, last, lots = found[-1]
            if (first.ns, first.tick, first.buyer_maker) == (trade.ns, trade.tick, trade.buyer_maker) and last.id + 1 == trade.id:
                found[-1] = (first, trade, lots + trade.lots)
                continue
        found.append((trade, trade, trade.lots))
    return found


_WRITERS: Final[Mapping[str, Callable[[Publisher, Stream, Market, int], None]]] = {
    "depth": Publisher._depth,
    "partial": Publisher._partial,
    "bookTicker": Publisher._best,
    "trade": Publisher._trades,
    "aggTrade": Publisher._aggregated,
    "markPrice": Publisher._mark,
    "kline": Publisher._kline,
    "continuousKline": Publisher._kline,
    "miniTicker": Publisher._ticker,
    "ticker": Publisher._ticker,
    "forceOrder": Publisher._forced,
}
