"""Small captures that the tests make themselves: a venue with a true book, whose recorder writes frames as Binance sends them.

The venue knows its whole book, so every claim of the importer can be held against it: best quotes at each update id, the book
at an id, trades a minute. A snapshot is taken inside a batch of updates and answered a frame later, so the depth event that
straddles it is already in the buffer when it arrives: whoever throws the buffer away misses updates.
"""

from __future__ import annotations

import gzip
import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

MS = 1_000_000


class Venue:
    """One symbol's feed. Times in ns; `skew_ns` is how far the recorder's clock is from the exchange's."""

    def __init__(
        self,
        kind: str = "usdm",
        symbol: str = "BTCUSDT",
        start: int = 1_721_347_140_000 * MS,
        seed: int = 0,
        skew_ns: int = -1_400 * MS,
    ) -> None:
        self.usdm, self.symbol, self.skew_ns = kind == "usdm", symbol, skew_ns
        self.now = start
        self.random = random.Random(seed)
        self.tick, self.lot = Decimal("0.1"), Decimal("0.001")
        self.mid = 639_500
        self.bids = {self.mid - 1 - k: 1 + self.random.randrange(5000) for k in range(30)}
        self.asks = {self.mid + 1 + k: 1 + self.random.randrange(5000) for k in range(30)}
        self.update_id = 4_984_028_000_000
        self.previous = self.update_id
        self.first: int | None = None
        self.changed: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.trade_id = 5_000
        self.lines: list[bytes] = []
        self.best_at: dict[int, tuple[str, str, str, str]] = {}
        self.trades: list[tuple[int, Decimal, Decimal]] = []
        self.decimals = ("{:.2f}", "{:.3f}") if self.usdm else ("{:.8f}", "{:.8f}")

    def price(self, ticks: int) -> str:
        return self.decimals[0].format(ticks * self.tick)

    def qty(self, lots: int) -> str:
        return self.decimals[1].format(lots * self.lot)

    def write(self, data: Any, stream: str = "") -> None:
        body = {"stream": f"{self.symbol.lower()}@{stream}", "data": data} if stream else data
        stamp = self.now + self.skew_ns + self.random.randrange(2 * MS)
        self.lines.append(b"%d %s" % (stamp, json.dumps(body, separators=(",", ":")).encode()))

    def set(self, side: int, ticks: int, lots: int) -> None:
        self.update_id += self.random.randrange(1, 40) if self.usdm else 1
        self.first = self.update_id if self.first is None else self.first
        book = (self.bids, self.asks)[side]
        if lots:
            book[ticks] = lots
        else:
            book.pop(ticks, None)
        self.changed[side][ticks] = lots
        bid, ask = max(self.bids), min(self.asks)
        self.best_at[self.update_id] = (self.price(bid), self.qty(self.bids[bid]), self.price(ask), self.qty(self.asks[ask]))

    def step(self) -> None:
        """One change of the book, perhaps with a trade, and its bookTicker."""
        self.now += self.random.randrange(1, 40) * MS
        draw = self.random.random()
        if draw < 0.3:
            up = self.random.random() < 0.5
            self.trade(up)
            side, gone, come = (1, self.mid + 1, self.mid) if up else (0, self.mid - 1, self.mid)
            self.mid += 1 if up else -1
            self.set(side, gone, 0)
            self.set(1 - side, come, 1 + self.random.randrange(5000))
            far = self.mid + 31 if up else self.mid - 31
            self.set(side, far, 1 + self.random.randrange(5000))
        else:
            side = self.random.randrange(2)
            offset = 1 + self.random.randrange(25)
            self.set(side, self.mid + offset if side else self.mid - offset, 1 + self.random.randrange(5000))
        self.ticker()

    def trade(self, buy: bool, reason: str = "MARKET", ticks: int | None = None) -> None:
        self.trade_id += 1
        ticks = ticks if ticks is not None else self.mid + 1 if buy else self.mid - 1
        lots = 1 + self.random.randrange(2000)
        ms = self.now // MS
        data = {"e": "trade", "E": ms, "T": ms, "s": self.symbol, "t": self.trade_id}
        data |= {"p": self.price(ticks), "q": self.qty(lots)} | ({"X": reason} if self.usdm else {}) | {"m": not buy}
        self.write(data if self.usdm else data | {"M": True}, "trade")
        if reason == "MARKET":
            self.trades.append((self.now // MS * MS, ticks * self.tick, lots * self.lot))

    def ticker(self) -> None:
        b, bq, a, aq = self.best_at[self.update_id]
        data: dict[str, Any] = {"u": self.update_id, "s": self.symbol, "b": b, "B": bq, "a": a, "A": aq}
        if self.usdm:
            data = {"e": "bookTicker", **data, "T": self.now // MS, "E": self.now // MS}
        self.write(data, "bookTicker")

    def depth(self) -> None:
        """The batch of updates since the last one, as a depth event."""
        if self.first is None:
            return
        ms = self.now // MS
        data: dict[str, Any] = {"e": "depthUpdate", "E": ms, "s": self.symbol, "U": self.first, "u": self.update_id}
        data |= {"T": ms, "pu": self.previous} if self.usdm else {}
        for name, side in zip("ba", self.changed, strict=True):
            data[name] = [[self.price(ticks), self.qty(lots)] for ticks, lots in sorted(side.items())]
        self.write(data, "depth@0ms" if self.usdm else "depth@100ms")
        self.previous, self.first, self.changed = self.update_id, None, ({}, {})

    def mark(self, next_funding: int, rate: str = "0.00010000", price: str = "63950.12345678") -> None:
        data = {"e": "markPriceUpdate", "E": self.now // MS, "s": self.symbol, "p": price, "P": price, "i": price}
        self.write(data | {"r": rate, "T": next_funding // MS}, "markPrice@1s")

    def reply(self) -> dict[str, Any]:
        """A REST snapshot of this moment."""
        data: dict[str, Any] = {"lastUpdateId": self.update_id}
        if self.usdm:
            data |= {"E": self.now // MS, "T": self.now // MS}
        sides = (sorted(self.bids.items(), reverse=True), sorted(self.asks.items()))
        return data | {
            name: [[self.price(t), self.qty(q)] for t, q in side] for name, side in zip(("bids", "asks"), sides, strict=True)
        }

    def run(self, steps: int, snapshot_at: int = -1) -> Venue:
        """So many steps, a depth event every four; the snapshot is taken in one batch and arrives after its event."""
        for number in range(steps):
            self.step()
            if number == snapshot_at:
                reply = self.reply()
                self.step()
                self.depth()
                self.write(reply)
            elif number % 4 == 3:
                self.depth()
        self.depth()
        return self

    def save(self, path: Path, lines: list[bytes] | None = None) -> Path:
        """The lines so far (or those given) as a capture file, packed when the name says so."""
        text = b"\n".join(self.lines if lines is None else lines) + b"\n"
        path.write_bytes(gzip.compress(text, 1) if path.suffix == ".gz" else text)
        return path

    def cut(self) -> list[bytes]:
        """The lines since the last cut: one file of several."""
        lines, self.lines = self.lines, []
        return lines


def plain_bars(trades: list[tuple[int, Decimal, Decimal]], minute_ns: int = 60_000 * MS) -> list[dict[str, Any]]:
    """One-minute bars, written the slow way."""
    rows: dict[int, dict[str, Any]] = {}
    for ns, price, qty in trades:
        row = rows.setdefault(
            ns // minute_ns, {"open": price, "high": price, "low": price, "volume": 0, "trades": 0, "quote_volume": 0}
        )
        row |= {"high": max(row["high"], price), "low": min(row["low"], price), "close": price}
        row |= {"volume": row["volume"] + qty, "trades": row["trades"] + 1, "quote_volume": row["quote_volume"] + price * qty}
    return [{"time_ms": minute * minute_ns // MS, **row} for minute, row in sorted(rows.items())]


class PlainReader:
    """A capture read line by line with json and Decimal: the independent account of what a file says."""

    def __init__(self, *paths: Path) -> None:
        self.depth: list[dict[str, Any]] = []
        self.snapshots: list[tuple[int, dict[str, Any]]] = []
        self.trades: list[tuple[int, Decimal, Decimal]] = []
        self.tickers: list[dict[str, Any]] = []
        for path in paths:
            text = path.read_bytes()
            for line in (gzip.decompress(text) if path.suffix == ".gz" else text).splitlines():
                self._take(json.loads(line.split(b" ", 1)[1]))

    def _take(self, frame: dict[str, Any]) -> None:
        data = frame.get("data", frame)
        kind = data.get("e", "snapshot" if "lastUpdateId" in data else "bookTicker")
        if kind == "snapshot":
            self.snapshots.append((len(self.depth), data))
        elif kind == "depthUpdate":
            self.depth.append(data)
        elif kind == "trade" and data.get("X", "MARKET") == "MARKET":
            self.trades.append((data["T"] * MS, Decimal(data["p"]), Decimal(data["q"])))
        elif kind == "bookTicker":
            self.tickers.append(data)

    def book(self, update_id: int | None = None, at_ms: int | None = None) -> dict[str, list[tuple[Decimal, Decimal]]]:
        """The first snapshot and every event that the procedure applies, up to an update id or an exchange time."""
        snapshot = self.snapshots[0][1]
        book = {name: {Decimal(p): Decimal(q) for p, q in snapshot[name]} for name in ("bids", "asks")}
        for data in self.depth:
            late = (update_id is not None and data["u"] > update_id) or (at_ms is not None and data.get("T", data["E"]) > at_ms)
            if data["u"] < snapshot["lastUpdateId"] or late:
                continue
            for name, levels in (("bids", data["b"]), ("asks", data["a"])):
                for price, qty in levels:
                    book[name].pop(Decimal(price), None)
                    if Decimal(qty):
                        book[name][Decimal(price)] = Decimal(qty)
        return {name: sorted(side.items(), reverse=name == "bids") for name, side in book.items()}
