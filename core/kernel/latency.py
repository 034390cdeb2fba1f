"""Order latency: how long a request takes to the exchange and its response back.

Constant, or interpolated from rows of measured round trips (sent, at exchange, answered): entry latency by the time sent,
response latency by the exchange's time (FIDELITY section 2). Before the first row the first one's latency holds, after the last
the last one's. A row whose exchange time is not positive stands for an order that was refused; a request between rows of which
one was refused is refused too, and its sender learns so after the interpolated answer time. A refusal is a negative latency.
"""

from __future__ import annotations

from core.kernel.memory import compiled, i64, put_i64
from core.kernel.state import (
    CONSTANT,
    ENTRY_CURSOR,
    ENTRY_NS,
    LATENCY_AT,
    LATENCY_KIND,
    LATENCY_ROWS,
    RESPONSE_CURSOR,
    RESPONSE_NS,
)


@compiled
def between(x1: int, y1: int, x2: int, y2: int, x: int) -> int:
    """The straight line through two points, cut to a whole number, in double precision as the reference does."""
    return int((float(y2 - y1) / float(x2 - x1)) * float(x - x1)) + y1


@compiled
def entry_latency(s: int, now: int) -> int:
    """Nanoseconds until a request sent at `now` is at the exchange; negative: refused, and known after that size."""
    if i64(s, LATENCY_KIND) == CONSTANT:
        return i64(s, ENTRY_NS)
    at = i64(s, LATENCY_AT)
    last = i64(s, LATENCY_ROWS) - 1
    if now < i64(at, 0):
        return i64(at, 1) - i64(at, 0)
    if now >= i64(at, 3 * last):
        return i64(at, 3 * last + 1) - i64(at, 3 * last)
    row = i64(s, ENTRY_CURSOR)
    while now >= i64(at, 3 * (row + 1)):
        row += 1
    put_i64(s, ENTRY_CURSOR, row)
    sent, exch, answered = i64(at, 3 * row), i64(at, 3 * row + 1), i64(at, 3 * row + 2)
    sent2, exch2, answered2 = i64(at, 3 * row + 3), i64(at, 3 * row + 4), i64(at, 3 * row + 5)
    if exch <= 0 or exch2 <= 0:
        return -between(sent, answered - sent, sent2, answered2 - sent2, now)
    return between(sent, exch - sent, sent2, exch2 - sent2, now)


@compiled
def response_latency(s: int, exch_ns: int) -> int:
    """Nanoseconds until what the exchange answers at `exch_ns` arrives."""
    if i64(s, LATENCY_KIND) == CONSTANT:
        return i64(s, RESPONSE_NS)
    at = i64(s, LATENCY_AT)
    last = i64(s, LATENCY_ROWS) - 1
    if exch_ns < i64(at, 1):
        return i64(at, 2) - i64(at, 1)
    for row in range(i64(s, RESPONSE_CURSOR), last):
        if i64(at, 3 * row + 1) <= exch_ns < i64(at, 3 * row + 4):
            put_i64(s, RESPONSE_CURSOR, row)
            exch, exch2 = i64(at, 3 * row + 1), i64(at, 3 * row + 4)
            return between(exch, i64(at, 3 * row + 2) - exch, exch2, i64(at, 3 * row + 5) - exch2, exch_ns)
    return i64(at, 3 * last + 2) - i64(at, 3 * last + 1)
