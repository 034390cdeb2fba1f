"""Capture lines of known shape to integers: a byte parser for what a recorder wrote thousands of times a second.

A line is `<local stamp> <json>`, and nearly every json is one of six shapes with one-letter keys and decimal strings. This
scanner reads those straight into rows of integers; whatever is not exactly as expected (a space, an escape, a float, a
nested object, a key out of place, an unknown stream) it leaves alone and reports by its offset, and the dialect decodes it
with msgspec. So it may be strict where JSON is not, but never lenient: a test holds it equal to msgspec and Decimal.

A decimal "28145.10" becomes its significant digits and how many of them are decimals, (281451, 1). Nothing is scaled
here, because the grid is known only when the whole file was seen. One frame is one row of `FRAME_COLUMNS` integers; what
the columns from ID on mean depends on the kind. Levels go to four parallel arrays, a frame's bids before its asks.

One long loop on purpose: this is the hot path of every import (0.7 GB/s on a core that inflates gzip at 0.25).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.kernel.memory import compiled

DEPTH, SNAPSHOT, TRADE, AGG_TRADE, BBO, MARK = 1, 2, 3, 4, 5, 6
USDM, SPOT = 1, 2
"""Which venue's shape a frame has (VENUE column); 0 where both write it alike."""

LINE, KIND, SYMBOL, LOCAL, T, E, VENUE, ID = 0, 1, 2, 3, 4, 5, 6, 7
FIRST_ID, PREV_ID, LEVEL, BIDS, ASKS = 8, 9, 10, 11, 12  # depth and snapshot; PREV_ID -1: the frame has none
PRICE, PRICE_DECIMALS, QTY, QTY_DECIMALS, MAKER = 8, 9, 10, 11, 12  # trades; MAKER 1: the buyer was the maker
BID, BID_QTY, ASK, ASK_QTY, DECIMALS = 8, 9, 10, 11, 12  # best bid and offer; DECIMALS packs four bytes in that order
MARK_E8, INDEX_E8, RATE_E8, NEXT_NS = 8, 9, 10, 11
FRAME_COLUMNS = 13

SYMBOL_BYTES, SYMBOLS_MAX = 32, 64
LEVEL_BYTES_MIN = 9  # `["1","1"]`: no level can be shorter, so no chunk can hold more than its bytes over this

_PLAIN = np.zeros(256, np.bool_)
"""Bytes that may stand in a string as they are; a quote, an escape, a control byte or anything beyond ASCII is not."""
_PLAIN[32:128] = True
_PLAIN[[34, 92]] = False

_STRING, _DECIMAL, _INT, _TRUE, _FALSE, _NULL, _LEVELS = 1, 2, 3, 4, 5, 6, 7
_KEY_PU, _KEY_LAST_UPDATE_ID, _KEY_OTHER = 1, 2, 3

_WANTED = np.zeros(128, np.int64)
"""The kind of value a key must have in any frame, as the dialect's types say (a decimal is a string); 0: none in particular."""
_WANTED[[ord(key) for key in "esABpqirX"]] = _STRING
_WANTED[[*(ord(key) for key in "ETuUt"), _KEY_PU, _KEY_LAST_UPDATE_ID]] = _INT
_WANTED[[ord(key) for key in "mM"]] = _TRUE


@compiled
def to_ns(stamp: int) -> int:
    """A stamp in s, ms, µs or ns, told apart by its value (each unit ends in 2262, when ns leave 63 bits), as ns."""
    if stamp <= 9_223_372_036:
        return stamp * 1_000_000_000
    if stamp <= 9_223_372_036_854:
        return stamp * 1_000_000
    if stamp <= 9_223_372_036_854_775:
        return stamp * 1_000
    return stamp


@compiled
def _decimal(buf: Any, at: int) -> tuple[int, int, int]:
    """Digits with at most one point, up to a quote: (significant digits, decimals among them, offset of the quote or -1)."""
    value, kept, kept_decimals, kept_at, point, start = 0, 0, 0, at, -1, at
    while True:
        c = buf[at]
        if 48 <= c <= 57:
            value = value * 10 + (c - 48)  # may wrap in a tail of zeros, which is not kept
            if point < 0:
                kept, kept_at = value, at
            elif c != 48:
                kept, kept_at, kept_decimals = value, at, at - point
        elif c == 46 and point < 0 and at > start:
            point = at
        else:
            break
        at += 1
    if c != 34 or at == start or at - 1 == point or kept_at - start > 17:
        return 0, 0, -1
    return kept, kept_decimals, at


@compiled
def _e8(buf: Any, at: int) -> tuple[int, int]:
    """A signed decimal string as whole 1e-8: (value, offset of the closing quote, or -1)."""
    negative = buf[at] == 45
    value, decimals, close = _decimal(buf, at + 1 if negative else at)
    if close < 0 or decimals > 8:
        return 0, -1
    for _ in range(8 - decimals):
        if value > 900_000_000_000_000_000:
            return 0, -1
        value *= 10
    return (-value if negative else value), close


@compiled
def _integer(buf: Any, at: int) -> tuple[int, int]:
    """Digits from `at`: (value, offset after them, or -1 where JSON or 63 bits do not allow them)."""
    start, value = at, 0
    while 48 <= buf[at] <= 57:
        value = value * 10 + (buf[at] - 48)
        at += 1
    if at == start or at - start > 19 or value < 0 or (buf[start] == 48 and at - start > 1):
        return 0, -1
    return value, at


@compiled
def _is(buf: Any, at: int, word: Any) -> bool:
    for i in range(len(word)):  # noqa: SIM110 (a generator does not compile)
        if buf[at + i] != word[i]:
            return False
    return True


def _word(text: str) -> Any:
    return np.frombuffer(text.encode(), np.uint8).copy()


_STREAM, _DATA = _word('"stream":"'), _word('","data":{')
_W_TRADE, _W_AGG, _W_BBO = _word("trade"), _word("aggTrade"), _word("bookTicker")
_W_DEPTH, _W_MARK = _word("depth"), _word("markPrice")
_E_DEPTH, _E_MARK = _word("depthUpdate"), _word("markPriceUpdate")
_LAST_UPDATE_ID, _BIDS, _ASKS, _MARKET = _word("lastUpdateId"), _word("bids"), _word("asks"), _word("MARKET")
_W_TRUE, _W_FALSE, _W_NULL = _word("true"), _word("false"), _word("null")


@compiled
def _levels(buf: Any, at: int, count: int, price: Any, price_decimals: Any, qty: Any, qty_decimals: Any) -> tuple[int, int]:
    """`[["p","q"],...]` from the offset after its first bracket into the rows from `count`: (rows used, offset after, or -1)."""
    if buf[at] == 93:
        return count, at + 1
    while True:
        if buf[at] != 91 or buf[at + 1] != 34:
            return count, -1
        value, decimals, at = _decimal(buf, at + 2)
        if at < 0 or buf[at + 1] != 44 or buf[at + 2] != 34:
            return count, -1
        price[count] = value
        price_decimals[count] = decimals
        value, decimals, at = _decimal(buf, at + 3)
        if at < 0 or buf[at + 1] != 93:
            return count, -1
        qty[count] = value
        qty_decimals[count] = decimals
        count += 1
        at += 2
        if buf[at] == 93:
            return count, at + 1
        if buf[at] != 44:
            return count, -1
        at += 1


@compiled
def _stream_kind(buf: Any, at: int, size: int) -> int:
    """What a stream of this name carries; 0: nothing for this parser."""
    if size == 5 and _is(buf, at, _W_TRADE):
        return TRADE
    if size == 10 and _is(buf, at, _W_BBO):
        return BBO
    if size >= 5 and _is(buf, at, _W_DEPTH) and (size == 5 or buf[at + 5] == 64):
        return DEPTH
    if size == 8 and _is(buf, at, _W_AGG):
        return AGG_TRADE
    if size >= 9 and _is(buf, at, _W_MARK) and (size == 9 or buf[at + 9] == 64):
        return MARK
    return 0


@compiled
def _event_kind(buf: Any, at: int, size: int) -> int:
    """What an event calls itself; 0: nothing for this parser."""
    if size == 5 and _is(buf, at, _W_TRADE):
        return TRADE
    if size == 10 and _is(buf, at, _W_BBO):
        return BBO
    if size == 11 and _is(buf, at, _E_DEPTH):
        return DEPTH
    if size == 8 and _is(buf, at, _W_AGG):
        return AGG_TRADE
    return MARK if size == 15 and _is(buf, at, _E_MARK) else 0


@compiled
def _symbol(buf: Any, start: int, stop: int, symbols: Any, known: int) -> int:
    """The number of the symbol written there; `known` if it is new and was noted, -1 if it cannot be."""
    size = stop - start
    if size < 1 or size >= SYMBOL_BYTES:
        return -1
    for number in range(known):
        if symbols[number, 0] != size:
            continue
        same = True
        for i in range(size):
            if symbols[number, i + 1] != buf[start + i]:
                same = False
                break
        if same:
            return number
    if known >= SYMBOLS_MAX:
        return -1
    symbols[known, 0] = size
    for i in range(size):
        symbols[known, i + 1] = buf[start + i]
    return known


@compiled
def scan(buf: Any, end: int, out: tuple[Any, Any, Any, Any, Any, Any, Any], known: int) -> tuple[int, int, int, int, int]:
    """Read whole lines buf[0:end] (uint8, the last byte a newline, 64 spare bytes after it).

    `out`: frames (n, FRAME_COLUMNS); the levels' price digits, their decimals, quantity digits, their decimals; odd (n, 3: line,
    start, stop of each line left to msgspec); symbols (n, a length and bytes), of which `known` are filled. Returns (frames,
    levels, odd lines, symbols known, lines). LINE counts from 0 here.
    """
    frames, price, price_decimals, qty, qty_decimals, odd, symbols = out
    at, line, count, level_count, odd_count = 0, 0, 0, 0, 0
    seen = np.zeros(128, np.int64)  # the line, counted from 1, in which a key was last seen: no reset between lines
    first = np.zeros(128, np.int64)
    last = np.zeros(128, np.int64)
    kinds = np.zeros(128, np.int64)
    digits = np.zeros(128, np.int64)
    places = np.zeros(128, np.int64)
    while at < end:
        start = at
        stop = at
        ok = False
        level_start, bids, asks = level_count, -1, -1
        mark = line + 1
        kind, has_e, wrapped = 0, False, False
        while True:  # one pass; leaving it early means the line is odd
            local, p = _integer(buf, at)
            if p < 0 or buf[p] != 32 or buf[p + 1] != 123:
                break
            p += 2
            stream_kind = 0
            if buf[p + 1] == 115 and _is(buf, p, _STREAM):
                p += 10
                while _PLAIN[buf[p]] and buf[p] != 64:
                    p += 1
                if buf[p] != 64:
                    break
                p += 1
                name = p
                while 48 <= buf[p] <= 57 or 64 <= buf[p] <= 90 or 97 <= buf[p] <= 122:
                    p += 1
                size = p - name
                if not _is(buf, p, _DATA):
                    break
                stream_kind = _stream_kind(buf, name, size)
                if stream_kind == 0:
                    break
                wrapped = True
                p += 10
            while True:  # one key and value a turn; p is left at the closing brace, or -1
                if buf[p] != 34:
                    p = -1
                    break
                p += 1
                if buf[p + 1] == 34:
                    key = int(buf[p])
                    if key < 65 or key > 122 or 90 < key < 97 or seen[key] == mark:
                        p = -1
                        break
                    p += 2
                else:
                    begin = p
                    while _PLAIN[buf[p]]:
                        p += 1
                    if buf[p] != 34:
                        p = -1
                        break
                    size = p - begin
                    key = _KEY_OTHER
                    if size == 2 and buf[begin] == 112 and buf[begin + 1] == 117:
                        key = _KEY_PU
                    elif size == 4 and _is(buf, begin, _BIDS):
                        key = 98
                    elif size == 4 and _is(buf, begin, _ASKS):
                        key = 97
                    elif size == 12 and _is(buf, begin, _LAST_UPDATE_ID):
                        key = _KEY_LAST_UPDATE_ID
                    if key != _KEY_OTHER and seen[key] == mark:
                        p = -1
                        break
                    p += 1
                if buf[p] != 58:
                    p = -1
                    break
                p += 1
                c = buf[p]
                seen[key] = mark
                if c == 34:
                    p += 1
                    first[key] = p
                    kinds[key] = _STRING
                    close = -1
                    if 48 <= buf[p] <= 57:
                        digits[key], places[key], close = _decimal(buf, p)
                    if close >= 0:
                        kinds[key] = _DECIMAL
                        p = close
                    else:
                        while _PLAIN[buf[p]]:
                            p += 1
                        if buf[p] != 34:
                            p = -1
                            break
                    last[key] = p
                    p += 1
                elif 48 <= c <= 57:
                    value, p = _integer(buf, p)
                    if p < 0:
                        break
                    first[key] = value
                    kinds[key] = _INT
                elif c == 91 and 97 <= key <= 98:
                    before = level_count
                    if key == 97 and bids < 0:
                        p = -1  # asks before bids: the rows would be out of order
                        break
                    if (key == 98 and bids >= 0) or (key == 97 and asks >= 0):
                        p = -1  # a key given twice: the last counts, in JSON
                        break
                    level_count, p = _levels(buf, p + 1, level_count, price, price_decimals, qty, qty_decimals)
                    if p < 0:
                        break
                    if key == 98:
                        bids = level_count - before
                    else:
                        asks = level_count - before
                    kinds[key] = _LEVELS
                elif _is(buf, p, _W_TRUE):
                    kinds[key] = _TRUE
                    p += 4
                elif _is(buf, p, _W_FALSE):
                    kinds[key] = _FALSE
                    p += 5
                elif _is(buf, p, _W_NULL):
                    kinds[key] = _NULL
                    p += 4
                else:
                    p = -1
                    break
                found = kinds[key]
                found = _STRING if found == _DECIMAL else (_TRUE if found == _FALSE else found)
                if _WANTED[key] != 0 and _WANTED[key] != found:
                    p = -1
                    break
                if buf[p] == 44:
                    p += 1
                    continue
                if buf[p] != 125:
                    p = -1
                break
            if p < 0:
                break
            p += 1
            if wrapped:
                if buf[p] != 125:
                    break
                p += 1
            if buf[p] == 13:
                p += 1
            if buf[p] != 10:
                break
            stop = p
            has_e = seen[101] == mark
            if has_e:
                if kinds[101] != _STRING:
                    break
                kind = _event_kind(buf, first[101], last[101] - first[101])
                if kind == 0 or (wrapped and kind != stream_kind):
                    break
            elif seen[_KEY_LAST_UPDATE_ID] == mark and not wrapped:
                kind = SNAPSHOT
            elif stream_kind == BBO:
                kind = BBO
            else:
                break
            symbol = -1
            if kind != SNAPSHOT:
                if seen[115] != mark or kinds[115] > _DECIMAL:
                    break
                symbol = _symbol(buf, first[115], last[115], symbols, known)
                if symbol < 0:
                    break
                if symbol == known:
                    known += 1
            t_ms, e_ms = 0, 0
            if seen[84] == mark:  # T
                if kinds[84] != _INT:
                    break
                t_ms = first[84]
            if seen[69] == mark:  # E
                if kinds[69] != _INT:
                    break
                e_ms = first[69]
            frames[count, LINE] = line
            frames[count, KIND] = kind
            frames[count, SYMBOL] = symbol
            frames[count, LOCAL] = to_ns(local)
            frames[count, T] = to_ns(t_ms) if t_ms > 0 else 0
            frames[count, E] = to_ns(e_ms) if e_ms > 0 else 0
            frames[count, VENUE] = 0
            if kind in (DEPTH, SNAPSHOT):
                if bids < 0 or asks < 0:
                    break
                if kind == DEPTH:
                    if seen[85] != mark or seen[117] != mark or kinds[85] != _INT or kinds[117] != _INT or e_ms <= 0:
                        break
                    frames[count, FIRST_ID] = first[85]
                    frames[count, ID] = first[117]
                    frames[count, PREV_ID] = -1
                    frames[count, VENUE] = SPOT
                    if seen[_KEY_PU] == mark:
                        if kinds[_KEY_PU] != _INT:
                            break
                        frames[count, PREV_ID] = first[_KEY_PU]
                        frames[count, VENUE] = USDM
                else:
                    if kinds[_KEY_LAST_UPDATE_ID] != _INT:
                        break
                    frames[count, ID] = first[_KEY_LAST_UPDATE_ID]
                    frames[count, FIRST_ID] = frames[count, ID]
                    frames[count, PREV_ID] = -1
                    frames[count, VENUE] = USDM if t_ms > 0 else SPOT
                frames[count, LEVEL] = level_start
                frames[count, BIDS] = bids
                frames[count, ASKS] = asks
            elif kind in (TRADE, AGG_TRADE):
                key = 116 if kind == TRADE else 97
                if seen[key] != mark or kinds[key] != _INT or seen[112] != mark or seen[113] != mark or seen[109] != mark:
                    break
                if kinds[112] != _DECIMAL or kinds[113] != _DECIMAL or t_ms <= 0:
                    break
                frames[count, ID] = first[key]
                frames[count, PRICE] = digits[112]
                frames[count, PRICE_DECIMALS] = places[112]
                frames[count, QTY] = digits[113]
                frames[count, QTY_DECIMALS] = places[113]
                if kinds[109] == _TRUE:
                    frames[count, MAKER] = 1
                elif kinds[109] == _FALSE:
                    frames[count, MAKER] = 0
                else:
                    break
                if seen[88] == mark:  # X: anything but MARKET is set aside with its reason, by the dialect
                    if kinds[88] != _STRING or last[88] - first[88] != 6 or not _is(buf, first[88], _MARKET):
                        break
                    frames[count, VENUE] = USDM
                elif seen[77] == mark:  # M
                    frames[count, VENUE] = SPOT
                elif kind == AGG_TRADE:
                    frames[count, VENUE] = USDM
            elif kind == BBO:
                if seen[117] != mark or kinds[117] != _INT:
                    break
                frames[count, ID] = first[117]
                packed = 0
                good = True
                for i in range(4):
                    key = 98 if i == 0 else (66 if i == 1 else (97 if i == 2 else 65))
                    if seen[key] != mark or kinds[key] != _DECIMAL:
                        good = False
                        break
                    frames[count, BID + i] = digits[key]
                    packed |= places[key] << (8 * i)
                if not good:
                    break
                frames[count, DECIMALS] = packed
                frames[count, VENUE] = USDM if (t_ms > 0 or e_ms > 0) else SPOT
            else:
                if seen[112] != mark or kinds[112] > _DECIMAL or e_ms <= 0 or t_ms <= 0:
                    break
                value, close = _e8(buf, first[112])
                if close < 0 or seen[105] != mark or kinds[105] > _DECIMAL or seen[114] != mark or kinds[114] > _DECIMAL:
                    break
                frames[count, MARK_E8] = value
                value, close = _e8(buf, first[105])
                if close < 0:
                    break
                frames[count, INDEX_E8] = value
                value, close = _e8(buf, first[114])
                if close < 0:
                    break
                frames[count, RATE_E8] = value
                frames[count, NEXT_NS] = frames[count, T]
                frames[count, T] = 0
                frames[count, ID] = 0
                frames[count, VENUE] = USDM
            ok = True
            break
        if ok:
            count += 1
            at = stop + 1
        else:
            level_count = level_start
            stop = start
            while buf[stop] != 10:
                stop += 1
            if stop > start:
                odd[odd_count, 0] = line
                odd[odd_count, 1] = start
                odd[odd_count, 2] = stop
                odd_count += 1
            at = stop + 1
        line += 1
    return count, level_count, odd_count, known, line
