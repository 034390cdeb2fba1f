"""The events and messages of a compiled day, in words: what `actors/sim/heap.py` and the messages' Structs are to a graph.

Everything of one day's road is one array of 64-bit words (the *road*, as state.py's is the replay), which holds scalars and the
addresses of: the heap of events in the order (time, rank, as put in); the pool of messages; two rings in which messages wait, the
strategy's every lane and the account's inbox; the table of orders; three logs. Nothing is allocated while a day runs.
"""

from __future__ import annotations

from typing import Final

from core.kernel.memory import compiled, i64, inlined, put_i64
from core.kernel.state import FOREVER

(
    REPLAY,  # the replay's state
    NOW, END,
    HEAP_AT, HEAP_SIZE, PUSHED,
    POOL_AT, POOL_FREE_AT, POOL_FREE,
    # the market's place: normalizer, mailbox, strategy
    MARKET_FREE_AT, MARKET_TURN,
    EVERY_AT, EVERY_HEAD, EVERY_TAIL,
    WAKES, OVERTAKEN, TICK_WAITS, TICK_RECEIVED, DELIVERED, REPLACED, AGE_MAX,
    ABSORBED, CHARGED,
    # the account's: risk, gateway, the venue's session
    ACCOUNT_FREE_AT, ACCOUNT_TURN, INBOX_AT, INBOX_HEAD, INBOX_TAIL,
    REACHED, ASKED, EXECUTIONS,
    # how long things take
    FRAME_NS, TICK_NS, REPORT_NS, TIMER_NS, ORDER_NS, LINK_NS,
    # the strategy
    PERIOD_NS, TRADING, POSITION, LEVELS, MINE_AT, MINE, STIRRED, LAST_OUT_AT, FRESH, TICK_AT, TRADES_AT,
    VIEW_AT, SEEN_AT, FIT_AT, OWN_AT, STATE_AT, PARAMS_AT, OUT_AT, LOOK, QUOTE,
    MARKS_AT, MARKS, MARK_NEXT,
    # risk: what is held and works, and limits (-1: none); UNIT is a double
    RISK_POSITION, RISK_PRICE, WORKING, WORKING_LOTS, _,
    LIMIT_QTY, LIMIT_POSITION, LIMIT_ORDERS, LIMIT_VALUE_E8, LIMIT_EXPOSURE_E8, UNIT, INVERSE,
    # orders, logs and counters
    TABLE_AT, TABLE_FREE_AT, TABLE_FREE, NUMBERS,
    SENT_AT, SENT, SENT_SIZE, BOOKED_AT, BOOKED, BOOKED_SIZE, SAMPLES_AT, SAMPLES, SAMPLES_SIZE, SAMPLE_NS, MID_TWICE,
    OUT_RESPONSES,
    HANDLED, NEWS, CANCELS, REFUSALS,
    BROKEN,
    ROAD_WORDS,
) = range(94)  # fmt: skip

# An event: when, its rank and number as one word, which message or 0, and for whom
AT, ORDERED, MESSAGE, TARGET, EVENT_WORDS = range(5)
# whom an event is for
STRATEGY, RISK, GATEWAY, VENUE, MARKET_PLACE, ACCOUNT_PLACE, OBSERVER = range(7)
ARRIVAL, TURN, OBSERVE = range(3)

# A message
KIND, WHOM, ORDER, EXEC, EXEC_NO, PRICE, QTY, LEAVES, MAKER, EXCH_NS, MESSAGE_WORDS = range(11)
# kinds of message
START, TRADE_ON, FUND, NEW_ORDER, CANCEL_ORDER, REPORT, REJECT = range(7)
WAKE: Final = -1
"""An event without a message: the strategy's timer, a place's turn, the observer's."""

# The logs: requests as risk is handed them; what risk booked (side -1: a funding, whose number is the price and whose position
# the quantity); samples. `BOOKED_SO_FAR` counts the entries of the second log before a sample.
SENT_NS, SENT_KIND, SENT_SIDE, SENT_PRICE, SENT_QTY, SENT_WORDS = range(6)
BOOKED_NS, BOOKED_SIDE, BOOKED_PRICE, BOOKED_QTY, BOOKED_MAKER, BOOKED_POSITION, BOOKED_MID, BOOKED_NO, BOOKED_WORDS = range(9)
SAMPLE_AT, SAMPLE_BID, SAMPLE_ASK, SAMPLE_MID, SAMPLE_OWN_BID, SAMPLE_OWN_ASK, SAMPLE_POSITION, BOOKED_SO_FAR, SAMPLE_WORDS = (
    range(9)
)

# An order in the table: what everybody knows of it. Each of the three that keep it has its own facts.
(
    PLACED_PRICE, PLACED_QTY, PLACED_SIDE, NUMBER, SLOT, USES,
    S_HELD, S_ACK, S_ASKED, S_ENDED, S_CUM,  # the strategy: keeps it, acknowledged, cancel unanswered, ended, executed
    G_HELD, G_ASKED, G_ENDED, G_CUM,  # the gateway
    R_HELD, R_LEAVES,  # risk
    ORDER_WORDS,
) = range(18)  # fmt: skip

RING: Final = 4096
"""Messages that may wait at one place, and events at once: a power of two, far above what 128 quotes cause."""
POOL: Final = 3 * RING
TABLE: Final = 1024
NEVER: Final = FOREVER
HEAP_FULL, POOL_EMPTY, RING_FULL, TABLE_FULL, LOG_FULL, REPLAY_BROKE = range(1, 7)
"""What can break a run; the words are in actors/sim/compiled.py."""


@inlined
def event(d: int, n: int) -> int:
    """The n-th event's address."""
    return i64(d, HEAP_AT) + 8 * EVENT_WORDS * n


@inlined
def message(d: int, m: int) -> int:
    """A message's address."""
    return i64(d, POOL_AT) + 8 * MESSAGE_WORDS * m


@inlined
def placed(d: int, o: int) -> int:
    """An order's address."""
    return i64(d, TABLE_AT) + 8 * ORDER_WORDS * o


@compiled
def push(d: int, at: int, rank: int, target: int, m: int) -> None:
    """Put an event in."""
    count = i64(d, PUSHED) + 1
    put_i64(d, PUSHED, count)
    n = i64(d, HEAP_SIZE)
    if n >= RING:
        put_i64(d, BROKEN, HEAP_FULL)
        return
    put_i64(d, HEAP_SIZE, n + 1)
    ordered = (rank << 56) + count
    while n > 0:
        up = (n - 1) // 2
        e = event(d, up)
        if i64(e, AT) < at or (i64(e, AT) == at and i64(e, ORDERED) < ordered):
            break
        copy_event(e, event(d, n))
        n = up
    e = event(d, n)
    put_i64(e, AT, at)
    put_i64(e, ORDERED, ordered)
    put_i64(e, MESSAGE, m)
    put_i64(e, TARGET, target)


@inlined
def copy_event(source: int, target: int) -> None:
    """Move an event."""
    put_i64(target, AT, i64(source, AT))
    put_i64(target, ORDERED, i64(source, ORDERED))
    put_i64(target, MESSAGE, i64(source, MESSAGE))
    put_i64(target, TARGET, i64(source, TARGET))


@compiled
def pop(d: int) -> None:
    """Take the first event out."""
    size = i64(d, HEAP_SIZE) - 1
    put_i64(d, HEAP_SIZE, size)
    last = event(d, size)
    at, ordered = i64(last, AT), i64(last, ORDERED)
    n = 0
    while True:
        down = 2 * n + 1
        if down >= size:
            break
        e = event(d, down)
        if down + 1 < size:
            other = event(d, down + 1)
            if i64(other, AT) < i64(e, AT) or (i64(other, AT) == i64(e, AT) and i64(other, ORDERED) < i64(e, ORDERED)):
                down += 1
                e = other
        if at < i64(e, AT) or (at == i64(e, AT) and ordered < i64(e, ORDERED)):
            break
        copy_event(e, event(d, n))
        n = down
    if n != size:
        copy_event(last, event(d, n))


@compiled
def make(d: int, kind: int, whom: int, order: int) -> int:
    """A fresh message for somebody; of an order, whose place in the table it keeps, or -1."""
    free = i64(d, POOL_FREE) - 1
    if free < 0:
        put_i64(d, BROKEN, POOL_EMPTY)
        return 0
    put_i64(d, POOL_FREE, free)
    m = i64(i64(d, POOL_FREE_AT), free)
    at = message(d, m)
    put_i64(at, KIND, kind)
    put_i64(at, WHOM, whom)
    put_i64(at, ORDER, order)
    if order >= 0:
        o = placed(d, order)
        put_i64(o, USES, i64(o, USES) + 1)
    return m


@compiled
def forward(d: int, m: int, whom: int) -> int:
    """A copy of a message for somebody else."""
    source = message(d, m)
    made = make(d, i64(source, KIND), whom, i64(source, ORDER))
    target = message(d, made)
    for word in range(EXEC, MESSAGE_WORDS):
        put_i64(target, word, i64(source, word))
    return made


@compiled
def done_with(d: int, m: int) -> None:
    """A message has been handled."""
    order = i64(message(d, m), ORDER)
    put_i64(i64(d, POOL_FREE_AT), i64(d, POOL_FREE), m)
    put_i64(d, POOL_FREE, i64(d, POOL_FREE) + 1)
    if order >= 0:
        let_go(d, order)


@compiled
def let_go(d: int, order: int) -> None:
    """One use of the order less; its place is free when nobody knows it any more."""
    o = placed(d, order)
    uses = i64(o, USES) - 1
    put_i64(o, USES, uses)
    if uses == 0:
        put_i64(i64(d, TABLE_FREE_AT), i64(d, TABLE_FREE), order)
        put_i64(d, TABLE_FREE, i64(d, TABLE_FREE) + 1)


@compiled
def ring_put(d: int, ring: int, m: int) -> None:
    """Append to a ring, given by the word of its address; its head and tail follow that."""
    tail = i64(d, ring + 2)
    if tail - i64(d, ring + 1) >= RING:
        put_i64(d, BROKEN, RING_FULL)
        return
    put_i64(i64(d, ring), tail & (RING - 1), m)
    put_i64(d, ring + 2, tail + 1)


@compiled
def ring_take(d: int, ring: int) -> int:
    """The ring's first message; there is one."""
    head = i64(d, ring + 1)
    put_i64(d, ring + 1, head + 1)
    return i64(i64(d, ring), head & (RING - 1))
