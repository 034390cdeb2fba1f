"""A frame's bytes to the normalizer's next tick: read, applied to the book, compared with what was shown before, in one call.

Nearly every frame of a venue's market streams has one of five shapes with one-letter keys and decimal strings. They are read
here straight into ticks and lots. Whatever is not exactly as expected (a space, an escape, a number in another notation, a key
twice, a price off the grid, an unknown shape) is left alone: the verdict ODD sends it to the dialect and msgspec, which give it
the same meaning or the same error. So this reader may be strict where JSON is not, but never lenient: a test holds it equal to
the plain road.

The book is made for a process that lives for weeks and knows no price range beforehand. A side's near part is an array by rank
(state.py: a higher rank is a better price), so that a level costs one store whatever its place; what lies outside of it is a
short sorted list of (rank, lots), best last. The near part lies around the market; when the best price leaves it, whoever called
lays it anew.

Nothing is allocated here. Where a list has no room the verdict is FULL, nothing was applied, and the caller makes room.
"""

from __future__ import annotations

from core.kernel.book import next_level, shown_below
from core.kernel.frames import AGG_TRADE, DEPTH, MARK, SNAPSHOT, TRADE, to_ns
from core.kernel.memory import compiled, high_zeros, i64, inlined, put_i64, put_u8, u8
from core.kernel.state import FOREVER, NOWHERE

# --- the state: one array of words ----------------------------------------------------------------------------------------

(
    TEXT,  # the address of the frame's bytes; one byte behind them is ours to write
    SYMBOL, SYMBOL_SIZE,  # the address of the instrument's symbol, and its length
    NAMES, POWERS,  # addresses of the words that frames use (TEXTS), and of the powers of ten
    PRICE_DECIMALS, PRICE_STEP, QTY_DECIMALS, QTY_STEP,  # the grid: a tick is PRICE_STEP of the last of PRICE_DECIMALS decimals
    LINKED,  # whether events carry the id of the one before
    AFTER,  # the update id that the next event has to follow; UNSETTLED while there is no book, or its first event is outstanding
    VALUES,  # the address of what each key of the frame was given
    # what was read
    KIND, T, E, ID, FIRST_ID, PREV_ID, PRICE, QTY, MAKER, MARK_E8, INDEX_E8, RATE_E8, NEXT_NS,
    READ, BIDS, ASKS,  # the address of the levels read (tick, lots), bids before asks, and how many of each
    # the book, a side each
    NEAR, _, LOW, _, HIGH, _, BEST, _, WORST, _,  # near[rank] is at NEAR + 8 * rank; LOW <= rank < HIGH
    FAR, _, FAR_COUNT, _, FAR_ROOM, _,
    # what is shown: the best levels of each side, as (tick, lots) pairs, and as they were before
    MOST, SHOWN, _, SHOWN_COUNT, _, BEFORE, _,
    SAME, _, KEPT, _, FRESH, _, AGAIN, _, AGAIN_STOP, _,  # see `compare`
    WORDS,
) = range(62)  # fmt: skip

UNSETTLED = -(1 << 62)

ODD, APPLIED, FULL, STRAYED, APART, TRADED, MARKED, WHOLE_BOOK = range(8)
"""Verdicts. ODD: left to the dialect. APPLIED: a depth event continued the book, and what is shown was made. FULL: it would, but
there is no room in a list. STRAYED: applied, but the near part has to be laid anew. APART: a depth event that does not simply
continue. TRADED, MARKED: a trade, a mark price. WHOLE_BOOK: a REST snapshot."""

TICKS_MAX = 1 << 39
"""Ticks that a price may have: a rank must not be taken for NOWHERE."""


TEXTS = (
    b'{"stream":"', b'","data":{', b"depthUpdate", b"trade", b"aggTrade", b"markPriceUpdate", b"markPrice", b"depth",
    b"lastUpdateId", b"true", b"false", b"MARKET", b"bids", b"asks",
)  # fmt: skip
"""The words of frames, one after the other at NAMES."""
_STARTS = tuple(sum(map(len, TEXTS[:n])) for n in range(len(TEXTS)))
(
    _STREAM, _DATA, _DEPTH_UPDATE, _TRADE, _AGG_TRADE, _MARK_UPDATE, _MARK, _DEPTH,
    _LAST_ID, _TRUE, _FALSE, _MARKET, _BIDS, _ASKS,
) = _STARTS  # fmt: skip

# keys by number: single letters by their code less 64 (A is 1, z is 58), longer names above them
_PU, _LAST_UPDATE_ID, _WHOLE_BIDS, _WHOLE_ASKS, _ST = 59, 60, 61, 62, 0
_OTHER = 63
_TEXT_KEYS = sum(1 << (ord(letter) - 64) for letter in "esABpqirX")
_INT_KEYS = sum(1 << (ord(letter) - 64) for letter in "ETuUt") | 1 << _PU | 1 << _LAST_UPDATE_ID | 1 << _ST
_BOOL_KEYS = sum(1 << (ord(letter) - 64) for letter in "mM")
_EVENT_LISTS = 1 << (ord("a") - 64) | 1 << (ord("b") - 64)
_WHOLE_LISTS = 1 << _WHOLE_BIDS | 1 << _WHOLE_ASKS
_LIST_KEYS = _EVENT_LISTS | _WHOLE_LISTS
_KEY_E, _KEY_S, _KEY_P, _KEY_Q, _KEY_I, _KEY_R, _KEY_X, _KEY_M = (ord(letter) - 64 for letter in "espqirXm")
_KEY_TIME, _KEY_SENT, _KEY_LAST, _KEY_FIRST, _KEY_T, _KEY_A, _KEY_B = (ord(letter) - 64 for letter in "TEuUtab")

_NUMBER, _LEVELS, _TRUTH = 0, -1, -2
"""What stands in VALUES behind a key's value: what it is, or where a text ends."""

DIGITS_MAX = 18
"""More digits than this, or a value that would have more, may not fit 63 bits."""
COIN_MARGINED = 2
"""What `st` says of COIN-M instruments, whose frames some streams carry beside USDⓈ-M's."""


@inlined
def same(s: int, at: int, start: int, size: int) -> bool:
    """Whether the frame has one of the words there."""
    names = i64(s, NAMES) + start
    for k in range(size):  # noqa: SIM110 (a generator does not compile)
        if u8(at, k) != u8(names, k):
            return False
    return True


@inlined
def plain_end(at: int) -> int:
    """The first byte from there on that cannot stand in a string as it is: a quote, an escape, a control byte, not ASCII."""
    while 32 <= u8(at, 0) < 128 and u8(at, 0) != 34 and u8(at, 0) != 92:
        at += 1
    return at


@inlined
def whole_number(at: int) -> tuple[int, int]:
    """Digits as JSON allows them: (value, address behind them, 0 where it is none or may be too long)."""
    start, value = at, 0
    c = u8(at, 0)
    while 48 <= c <= 57:
        value = value * 10 + (c - 48)
        at += 1
        c = u8(at, 0)
    if at == start or at - start > DIGITS_MAX or (u8(start, 0) == 48 and at - start > 1):
        return 0, 0
    return value, at


@inlined
def on_grid(s: int, at: int, decimals: int, step: int) -> tuple[int, int]:
    """A decimal up to its closing quote, in steps of a grid: (steps, address of the quote, 0 where it is not on the grid)."""
    value, start = 0, at
    c = u8(at, 0)
    while 48 <= c <= 57:
        value = value * 10 + (c - 48)
        at += 1
        c = u8(at, 0)
    whole = at - start
    if whole == 0 or whole + decimals > DIGITS_MAX:
        return 0, 0
    left = decimals
    if c == 46:
        at += 1
        start = at
        c = u8(at, 0)
        while 48 <= c <= 57:
            if left > 0:
                value = value * 10 + (c - 48)
                left -= 1
            elif c != 48:
                return 0, 0
            at += 1
            c = u8(at, 0)
        if at == start:
            return 0, 0
    if c != 34:
        return 0, 0
    value *= i64(i64(s, POWERS), left)
    if step != 1:
        if value % step != 0:
            return 0, 0
        value //= step
    return value, at


@inlined
def signed_e8(s: int, at: int) -> tuple[int, int]:
    """A decimal with or without a minus, in 1e-8: (value, address of the closing quote or 0)."""
    if u8(at, 0) == 45:
        value, at = on_grid(s, at + 1, 8, 1)
        return -value, at
    return on_grid(s, at, 8, 1)


@compiled
def read_levels_text(s: int, at: int, count: int) -> tuple[int, int]:
    """`[["p","q"],...]` from behind its first bracket, added to the levels read: (how many they are now, address behind or 0)."""
    out = i64(s, READ)
    price_decimals, price_step = i64(s, PRICE_DECIMALS), i64(s, PRICE_STEP)
    qty_decimals, qty_step = i64(s, QTY_DECIMALS), i64(s, QTY_STEP)
    if u8(at, 0) == 93:
        return count, at + 1
    while True:
        if u8(at, 0) != 91 or u8(at, 1) != 34:
            return count, 0
        tick, at = on_grid(s, at + 2, price_decimals, price_step)
        if at == 0 or tick >= TICKS_MAX or u8(at, 1) != 44 or u8(at, 2) != 34:
            return count, 0
        lots, at = on_grid(s, at + 3, qty_decimals, qty_step)
        if at == 0 or u8(at, 1) != 93:
            return count, 0
        put_i64(out, 2 * count, tick)
        put_i64(out, 2 * count + 1, lots)
        count += 1
        at += 2
        if u8(at, 0) == 93:
            return count, at + 1
        if u8(at, 0) != 44:
            return count, 0
        at += 1


@compiled
def stream_kind(s: int, at: int) -> tuple[int, int]:
    """What the stream named there carries: (kind, address of the quote behind its name), or (0, 0)."""
    while 32 <= u8(at, 0) < 128 and u8(at, 0) != 34 and u8(at, 0) != 92 and u8(at, 0) != 64:
        at += 1
    if u8(at, 0) != 64:
        return 0, 0
    at += 1
    stop = at
    while 48 <= u8(stop, 0) <= 57 or 65 <= u8(stop, 0) <= 90 or 97 <= u8(stop, 0) <= 122:
        stop += 1
    size = stop - at
    kind = 0
    if u8(stop, 0) != 64 and u8(stop, 0) != 34:
        return 0, 0
    if size == 5 and same(s, at, _DEPTH, 5):
        kind = DEPTH
    elif size == 5 and same(s, at, _TRADE, 5):
        kind = TRADE
    elif size == 8 and same(s, at, _AGG_TRADE, 8):
        kind = AGG_TRADE
    elif size == 9 and same(s, at, _MARK, 9):
        kind = MARK
    return kind, plain_end(stop)


@compiled
def event_kind(s: int, at: int, size: int) -> int:
    """What an event calls itself; 0: nothing for this reader."""
    if size == 11 and same(s, at, _DEPTH_UPDATE, 11):
        return DEPTH
    if size == 5 and same(s, at, _TRADE, 5):
        return TRADE
    if size == 8 and same(s, at, _AGG_TRADE, 8):
        return AGG_TRADE
    return MARK if size == 15 and same(s, at, _MARK_UPDATE, 15) else 0


@inlined
def long_key(s: int, at: int, size: int) -> int:
    """The number of a key of more than one letter."""
    if size == 2:
        first, second = u8(at, 0), u8(at, 1)
        return _PU if first == 112 and second == 117 else _ST if first == 115 and second == 116 else _OTHER
    if size == 4:
        return _WHOLE_BIDS if same(s, at, _BIDS, 4) else _WHOLE_ASKS if same(s, at, _ASKS, 4) else _OTHER
    return _LAST_UPDATE_ID if size == 12 and same(s, at, _LAST_ID, 12) else _OTHER


@compiled
def read_frame(s: int, size: int) -> int:
    """Read the frame into the state; returns its kind, 0 for an odd one."""
    at = i64(s, TEXT)
    end = at + size
    put_u8(end, 0, 0)
    values = i64(s, VALUES)
    wrapped, named, kind = False, 0, 0
    if u8(at, 0) != 123:
        return 0
    if u8(at, 2) == 115 and same(s, at, _STREAM, 11):
        named, at = stream_kind(s, at + 11)
        if named == 0 or not same(s, at, _DATA, 10):
            return 0
        wrapped = True
        at += 10
    else:
        at += 1
    seen, bids, levels = 0, -1, 0
    while True:  # one key and its value a turn
        if u8(at, 0) != 34:
            return 0
        at += 1
        if u8(at, 1) == 34:
            key = u8(at, 0) - 64
            if key < 1 or key > 58 or 26 < key < 33:
                return 0
            at += 1
        else:
            start = at
            at = plain_end(at)
            key = long_key(s, start, at - start)
        bit = 1 << key
        if u8(at, 0) != 34 or u8(at, 1) != 58 or (key != _OTHER and seen & bit != 0):
            return 0
        seen |= bit
        at += 2
        c = u8(at, 0)
        if c == 34:
            at += 1
            put_i64(values, 2 * key, at)
            at = plain_end(at)
            put_i64(values, 2 * key + 1, at)
            if u8(at, 0) != 34 or bit & (_INT_KEYS | _BOOL_KEYS) != 0:
                return 0
            at += 1
        elif 48 <= c <= 57:
            if bit & (_TEXT_KEYS | _BOOL_KEYS) != 0:
                return 0
            number, at = whole_number(at)
            if at == 0:
                return 0
            put_i64(values, 2 * key, number)
            put_i64(values, 2 * key + 1, _NUMBER)
        elif c == 91:
            if bit & _LIST_KEYS == 0:
                return 0
            if key in (_KEY_B, _WHOLE_BIDS):
                if bids >= 0 or levels > 0:
                    return 0
                levels, at = read_levels_text(s, at + 1, 0)
                bids = levels
            else:
                if bids < 0:
                    return 0
                levels, at = read_levels_text(s, at + 1, levels)
            if at == 0:
                return 0
            put_i64(values, 2 * key + 1, _LEVELS)
        elif c == 116 and same(s, at, _TRUE, 4):
            if bit & (_TEXT_KEYS | _INT_KEYS) != 0:
                return 0
            put_i64(values, 2 * key, 1)
            put_i64(values, 2 * key + 1, _TRUTH)
            at += 4
        elif c == 102 and same(s, at, _FALSE, 5):
            if bit & (_TEXT_KEYS | _INT_KEYS) != 0:
                return 0
            put_i64(values, 2 * key, 0)
            put_i64(values, 2 * key + 1, _TRUTH)
            at += 5
        else:
            return 0
        c = u8(at, 0)
        at += 1
        if c == 44:
            continue
        if c != 125:
            return 0
        break
    if wrapped:
        if u8(at, 0) != 125:
            return 0
        at += 1
    if at != end:
        return 0
    put_i64(s, BIDS, max(bids, 0))
    put_i64(s, ASKS, levels - max(bids, 0))
    put_i64(s, T, to_ns(i64(values, 2 * _KEY_TIME)) if seen & 1 << _KEY_TIME != 0 else 0)
    put_i64(s, E, to_ns(i64(values, 2 * _KEY_SENT)) if seen & 1 << _KEY_SENT != 0 else 0)
    if seen & 1 << _KEY_E == 0:
        if wrapped or seen & 1 << _KEY_S != 0:
            return 0
        wanted = 1 << _LAST_UPDATE_ID | 1 << _WHOLE_BIDS | 1 << _WHOLE_ASKS
        if (
            seen & (wanted | _EVENT_LISTS) != wanted
            or i64(values, 2 * _WHOLE_BIDS + 1) != -1
            or i64(values, 2 * _WHOLE_ASKS + 1) != -1
        ):
            return 0
        put_i64(s, ID, i64(values, 2 * _LAST_UPDATE_ID))
        return SNAPSHOT
    at = i64(values, 2 * _KEY_E)
    kind = event_kind(s, at, i64(values, 2 * _KEY_E + 1) - at)
    if kind == 0 or (wrapped and kind != named) or seen & 1 << _KEY_S == 0:
        return 0
    at = i64(values, 2 * _KEY_S)
    length = i64(values, 2 * _KEY_S + 1) - at
    if length == 0:
        return 0
    ours = length == i64(s, SYMBOL_SIZE)
    if ours:
        symbol = i64(s, SYMBOL)
        for k in range(length):
            ours = ours and u8(at, k) == u8(symbol, k)
    if not ours or (seen & 1 << _ST != 0 and i64(values, 2 * _ST) == COIN_MARGINED):
        return 0
    if kind == DEPTH:
        return kind if read_depth(s, values, seen) else 0
    if kind == MARK:
        return kind if read_mark(s, values, seen) else 0
    return kind if read_trade(s, values, seen, kind) else 0


@inlined
def read_depth(s: int, values: int, seen: int) -> bool:
    """Take a depth event's numbers; whether all are there."""
    wanted = 1 << _KEY_FIRST | 1 << _KEY_LAST | 1 << _KEY_SENT | 1 << _KEY_A | 1 << _KEY_B
    if (
        seen & (wanted | _WHOLE_LISTS) != wanted
        or i64(values, 2 * _KEY_A + 1) != -1
        or i64(values, 2 * _KEY_B + 1) != -1
        or i64(s, E) <= 0
    ):
        return False
    put_i64(s, FIRST_ID, i64(values, 2 * _KEY_FIRST))
    put_i64(s, ID, i64(values, 2 * _KEY_LAST))
    put_i64(s, PREV_ID, i64(values, 2 * _PU) if seen & 1 << _PU != 0 else -1)
    return True


@inlined
def read_trade(s: int, values: int, seen: int, kind: int) -> bool:
    """Take a market trade's numbers; whether all are there and it is one."""
    key = _KEY_T if kind == TRADE else _KEY_A
    wanted = 1 << key | 1 << _KEY_P | 1 << _KEY_Q | 1 << _KEY_M | 1 << _KEY_TIME
    if seen & wanted != wanted or i64(values, 2 * key + 1) != _NUMBER or i64(values, 2 * _KEY_M + 1) != _TRUTH or i64(s, T) <= 0:
        return False
    if seen & 1 << _KEY_X != 0:
        at = i64(values, 2 * _KEY_X)
        if i64(values, 2 * _KEY_X + 1) - at != 6 or not same(s, at, _MARKET, 6):
            return False
    price, at = on_grid(s, i64(values, 2 * _KEY_P), i64(s, PRICE_DECIMALS), i64(s, PRICE_STEP))
    if at == 0 or price >= TICKS_MAX:
        return False
    qty, at = on_grid(s, i64(values, 2 * _KEY_Q), i64(s, QTY_DECIMALS), i64(s, QTY_STEP))
    if at == 0:
        return False
    put_i64(s, ID, i64(values, 2 * key))
    put_i64(s, PRICE, price)
    put_i64(s, QTY, qty)
    put_i64(s, MAKER, i64(values, 2 * _KEY_M))
    return True


@inlined
def read_mark(s: int, values: int, seen: int) -> bool:
    """Take a mark price's numbers; whether all are there."""
    wanted = 1 << _KEY_P | 1 << _KEY_I | 1 << _KEY_R | 1 << _KEY_TIME | 1 << _KEY_SENT
    if seen & wanted != wanted or i64(s, E) <= 0 or i64(s, T) <= 0:
        return False
    mark, at = signed_e8(s, i64(values, 2 * _KEY_P))
    if at == 0:
        return False
    index, at = signed_e8(s, i64(values, 2 * _KEY_I))
    if at == 0:
        return False
    rate, at = signed_e8(s, i64(values, 2 * _KEY_R))
    if at == 0:
        return False
    put_i64(s, MARK_E8, mark)
    put_i64(s, INDEX_E8, index)
    put_i64(s, RATE_E8, rate)
    put_i64(s, NEXT_NS, i64(s, T))
    put_i64(s, T, 0)
    return True


# --- the book -------------------------------------------------------------------------------------------------------------


@compiled
def set_far(s: int, side: int, rank: int, lots: int) -> None:
    """Set a level outside the near part. There is room for one more."""
    far = i64(s, FAR + side)
    count = i64(s, FAR_COUNT + side)
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        if i64(far, 2 * middle) < rank:
            low = middle + 1
        else:
            high = middle
    found = low < count and i64(far, 2 * low) == rank
    if lots == 0:
        if found:
            for k in range(2 * low, 2 * count - 2):
                put_i64(far, k, i64(far, k + 2))
            put_i64(s, FAR_COUNT + side, count - 1)
        return
    if not found:
        for k in range(2 * count + 1, 2 * low + 1, -1):
            put_i64(far, k, i64(far, k - 2))
        put_i64(far, 2 * low, rank)
        put_i64(s, FAR_COUNT + side, count + 1)
    put_i64(far, 2 * low + 1, lots)


@inlined
def apply_side(s: int, side: int, start: int, stop: int) -> bool:
    """Set the levels read, from `start` on, on a side. Returns whether its best level has left the near part."""
    read = i64(s, READ)
    near, low, high = i64(s, NEAR + side), i64(s, LOW + side), i64(s, HIGH + side)
    best, worst = i64(s, BEST + side), i64(s, WORST + side)
    sign = -1 if side else 1
    for k in range(start, stop):
        rank = sign * i64(read, 2 * k)
        lots = i64(read, 2 * k + 1)
        if rank < low or rank >= high:
            set_far(s, side, rank, lots)
            continue
        put_i64(near, rank, lots)
        if lots != 0:
            best = max(best, rank)
            worst = min(worst, rank)
    if best != NOWHERE and i64(near, best) == 0:
        best = next_level(near, best - 1, worst)
        worst = FOREVER if best == NOWHERE else worst
    put_i64(s, BEST + side, best)
    put_i64(s, WORST + side, worst)
    count = i64(s, FAR_COUNT + side)
    return count > 0 and i64(i64(s, FAR + side), 2 * count - 2) > best


@compiled
def apply(s: int) -> int:
    """Set the levels read on both sides, and make what is shown: APPLIED, FULL or STRAYED."""
    bids, asks = i64(s, BIDS), i64(s, ASKS)
    if i64(s, FAR_COUNT) + bids > i64(s, FAR_ROOM) or i64(s, FAR_COUNT + 1) + asks > i64(s, FAR_ROOM + 1):
        return FULL
    strayed = apply_side(s, 0, 0, bids)
    strayed = apply_side(s, 1, bids, bids + asks) or strayed
    if strayed:
        return STRAYED
    show(s)
    return APPLIED


@compiled
def show(s: int) -> None:
    """Make what is shown of both sides, and say what has changed of it."""
    for side in range(2):
        before, shown = i64(s, SHOWN + side), i64(s, BEFORE + side)
        put_i64(s, SHOWN + side, shown)
        put_i64(s, BEFORE + side, before)
        old = i64(s, SHOWN_COUNT + side)
        count = top(s, side, shown)
        put_i64(s, SHOWN_COUNT + side, count)
        compare(s, side, before, old, shown, count)


@inlined
def top(s: int, side: int, out: int) -> int:
    """Write the best levels of a side as (tick, lots), best first; how many they are."""
    near, first, worst = i64(s, NEAR + side), i64(s, BEST + side), i64(s, WORST + side)
    most = i64(s, MOST)
    sign = -1 if side else 1
    n = 0
    while n < most and first >= worst:
        found = shown_below(near, first, worst)
        while n < most and found != 0:
            zeros = high_zeros(found)
            found ^= 1 << 63 - zeros
            rank = first - zeros
            put_i64(out, 2 * n, sign * rank)
            put_i64(out, 2 * n + 1, i64(near, rank))
            n += 1
        first -= 64
    far, k = i64(s, FAR + side), i64(s, FAR_COUNT + side) - 1
    while n < most and k >= 0:
        put_i64(out, 2 * n, sign * i64(far, 2 * k))
        put_i64(out, 2 * n + 1, i64(far, 2 * k + 1))
        n += 1
        k -= 1
    return n


@inlined
def compare(s: int, side: int, old: int, olds: int, new: int, news: int) -> None:
    """What of the levels shown before can be used again.

    The new ones are: the first KEPT of the old; new ones up to FRESH; the old ones from AGAIN to AGAIN_STOP; new ones to the end.
    SAME: all of them are the old ones.
    """
    both = min(olds, news)
    kept = 0
    while kept < both and i64(old, 2 * kept) == i64(new, 2 * kept) and i64(old, 2 * kept + 1) == i64(new, 2 * kept + 1):
        kept += 1
    put_i64(s, SAME + side, 1 if kept == olds and kept == news else 0)
    put_i64(s, KEPT + side, kept)
    sign = -1 if side else 1
    i, j = kept, kept
    while i < news and j < olds:
        ours, theirs = sign * i64(new, 2 * i), sign * i64(old, 2 * j)
        if ours == theirs and i64(new, 2 * i + 1) == i64(old, 2 * j + 1):
            break
        if ours >= theirs:
            i += 1
        if theirs >= ours:
            j += 1
    if i == news or j == olds:
        put_i64(s, FRESH + side, news)
        put_i64(s, AGAIN + side, 0)
        put_i64(s, AGAIN_STOP + side, 0)
        return
    put_i64(s, FRESH + side, i)
    put_i64(s, AGAIN + side, j)
    while i < news and j < olds and i64(new, 2 * i) == i64(old, 2 * j) and i64(new, 2 * i + 1) == i64(old, 2 * j + 1):
        i += 1
        j += 1
    put_i64(s, AGAIN_STOP + side, j)


@compiled
def feed(s: int, size: int) -> int:
    """Read a frame of so many bytes at TEXT, and apply a depth event that simply continues the book. Returns a verdict."""
    kind = read_frame(s, size)
    put_i64(s, KIND, kind)
    if kind == DEPTH:
        after = i64(s, AFTER)
        if (i64(s, PREV_ID) == after) if i64(s, LINKED) else (i64(s, FIRST_ID) == after + 1):
            verdict = apply(s)
            if verdict != FULL:
                put_i64(s, AFTER, i64(s, ID))
            return verdict
        return APART
    if kind in (TRADE, AGG_TRADE):
        return TRADED
    return MARKED if kind == MARK else WHOLE_BOOK if kind == SNAPSHOT else ODD
