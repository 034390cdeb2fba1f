"""Which word of a replay's state holds what.

One array of 64-bit words is the whole replay: scalars, and the addresses of the other arrays (names that end in _AT). Sides
are 0 for bids and 1 for asks. Prices inside the kernel are *ranks*: a bid's rank is its tick, an ask's is minus its tick, so
that on both sides a higher rank is a better price and one code serves both. A bid of rank b and an ask of rank a cross when
a + b >= 0. Where a word has one value a side, the ask's stands behind the bid's, under the placeholder `_`.
"""

from __future__ import annotations

from typing import Final

FOREVER: Final = (1 << 63) - 1
"""A time that never comes."""
NOWHERE: Final = -(1 << 40)
"""The rank of the best price of an empty side: worse than any, and crossing none."""

NONE32: Final = -(1 << 31)
"""NOWHERE in an index, whose ranks have 32 bits."""
WORST_NONE32: Final = (1 << 31) - 1
"""And the worst rank of a side found empty."""
SILENT: Final = -1
"""Lots of an entry by which a clearing row emptied its level."""
BLOCK: Final = 64
"""Touches that one compare passes over."""

# A book, counted from its first word: rank of the best level, rank of the worst level set since the side was last found
# empty, address at which the level of rank 0 would stand.
BEST, _, WORST, _, LEVELS_AT, _ = range(6)
BID_SIDE: Final = 0
ASK_SIDE: Final = 1

# A stream of rows, counted from its first word: addresses of its columns, how many rows, the next row not yet applied.
NS, KIND, TICK, LOTS, COUNT, UPCOMING = range(6)

(
    NOW,
    EXCH_BOOK, _, _, _, _, _,
    LOCAL_BOOK, _, _, _, _, _,
    # the streams
    EXCH_ROWS, _, _, _, _, _,
    LOCAL_ROWS, _, _, _, _, _,
    OPENING_ROWS, _, _, _, _, _,  # the book at the start, as rows
    OPENED, _,  # and its best ranks
    LOTS_WIDE,  # whether the lots columns are 64 bits wide
    TRADES_NEXT,  # the first local row whose trade has not been taken
    FRAMES, FRAMES_NEXT,  # distinct local times among the rows before FRAMES_NEXT
    # models
    PARTIAL,
    LOTS_PER_UNIT, LOT_SIZE,  # doubles; the first is 0 when a unit is not a whole number of lots
    QUEUE_KIND, QUEUE_POWER,  # the second a double
    LATENCY_KIND, ENTRY_NS, RESPONSE_NS, LATENCY_AT, LATENCY_ROWS, ENTRY_CURSOR, RESPONSE_CURSOR,
    # own orders: their slots, the stack of free slots, heads of the levels' lists by rank, and the range of ranks that rest
    SLOTS_AT, SLOTS, FREE_AT, FREE,
    RANK_LOW, _, RANK_HIGH, _,
    OWN_AT, _, RESTING, _, RESTING_AT, _, OWN_WORST, _, OWN_BEST, _,
    # messages in flight: rings with ever-growing counters
    REQUESTS_AT, REQUESTS_MASK, REQUESTS_HEAD, REQUESTS_TAIL, REQUESTS_LAST,
    RESPONSES_AT, RESPONSES_MASK, RESPONSES_READ, RESPONSES_HEAD, RESPONSES_TAIL, RESPONSES_LAST,
    # what the strategy's side knows, and the log of fills as they happen at the exchange
    LAST_ORDER, POSITION, CASH, MAKER_VALUE, TAKER_VALUE,
    FILLS_AT, FILLS_SIZE, FILLS,
    FAILURE,
    # the day's index, if there is one (index.py): entries by level, touches by the side that they can fill, bests by row
    INDEXED,
    CHAPTER_ROWS, CHAPTER_NO, CHAPTER_STOP, CHAPTERS, LEVELS_OF, PLACE_AT, _, LIST_STARTS, LIST_CURSORS, ENTRIES,
    TOUCHES, _, MINIMA, _, TOUCH_COUNT, _, TOUCH_NEXT, _,
    EXCH_BESTS, LOCAL_BESTS,
    LOCAL_WRITTEN,  # the first local row whose level has not been written into the local book
    WORSTS, WORST_COUNT, WORST_NEXT,
    CLEARS, CLEAR_COUNT, CLEAR_NEXT,
    TRADES, TRADE_COUNT, TRADE_NEXT,
    STATE_WORDS,
) = range(119)  # fmt: skip

# A slot: one own order. The first block is the exchange's view, the second the strategy's (compiled runs only).
(
    ORDER_NO, SIDE, PRICE, RANK, QTY, LEAVES, TIF, NEXT, PLACE, RESTS, FRONT, TRADED, ENTRY, MESSAGES,
    STATUS, PENDING, KNOWN_PRICE, KNOWN_QTY, KNOWN_LEAVES, TAG, SLOT_WORDS,
) = range(21)  # fmt: skip

# A request in flight, and a response
REQ_ARRIVAL, REQ_KIND, REQ_SLOT, REQ_ORDER, REQ_PRICE, REQ_QTY, REQUEST_WORDS = range(7)
(
    RES_ARRIVAL, RES_EXCH, RES_ORDER, RES_KIND, RES_SIDE, RES_PRICE, RES_QTY, RES_LEAVES, RES_CUM, RES_MAKER, RES_SLOT,
    RESPONSE_WORDS,
) = range(12)  # fmt: skip

# A fill in the log
FILL_EXCH, FILL_ORDER, FILL_SIDE, FILL_PRICE, FILL_QTY, FILL_MAKER, FILL_WORDS = range(7)

# kinds of request
NEW, CANCEL, MODIFY, MODIFY_TOTAL = range(4)
# kinds of response
ACCEPTED, FILLED, CANCELED, EXPIRED, REJECTED, REPLACED, CANCEL_REJECTED, MODIFY_REJECTED = range(8)
# the strategy's view of an order
UNSEEN, LIVE, DONE, FORGOTTEN = range(4)
# order types and times in force, as the request carries them (time in force 9: a market order)
GTC, IOC, FOK, GTX, MARKET = 1, 3, 4, 5, 9
# queue models
RISK, POWER, POWER2, POWER3, LOG, LOG2, FRONT_BOUND, BACK_BOUND = range(8)
# latency models
CONSTANT, INTERPOLATED = range(2)
# failures
NONE, REQUESTS_FULL, RESPONSES_FULL, FILLS_FULL, SLOTS_FULL = range(5)
