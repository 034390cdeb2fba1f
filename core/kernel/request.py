"""The strategy's end of the order messages: requests leave here.

A slot holds an order from its request until nothing can concern it any more: it does not rest, and no message about it is
under way. Then it is free for the next. An order number that has no slot is unknown to the exchange and refused there, in its
own time. A request with a negative entry latency never reaches the exchange; the refusal arrives after the latency's size.
"""

from __future__ import annotations

from core.kernel.exchange import respond_at, slot_at
from core.kernel.latency import entry_latency
from core.kernel.memory import compiled, i64, put_i64
from core.kernel.state import (
    CANCEL,
    CANCEL_REJECTED,
    FAILURE,
    FREE,
    FREE_AT,
    LEAVES,
    MESSAGES,
    MODIFY_REJECTED,
    NEW,
    ORDER_NO,
    PRICE,
    QTY,
    REJECTED,
    REQ_ARRIVAL,
    REQ_KIND,
    REQ_ORDER,
    REQ_PRICE,
    REQ_QTY,
    REQ_SLOT,
    REQUEST_WORDS,
    REQUESTS_AT,
    REQUESTS_FULL,
    REQUESTS_HEAD,
    REQUESTS_LAST,
    REQUESTS_MASK,
    REQUESTS_TAIL,
    RES_SLOT,
    RESPONSE_WORDS,
    RESPONSES_AT,
    RESPONSES_HEAD,
    RESPONSES_MASK,
    RESPONSES_READ,
    RESTS,
    SIDE,
    SLOTS_FULL,
    STATUS,
    TIF,
    UNSEEN,
)


@compiled
def send(s: int, now: int, kind: int, slot: int, order_no: int, price: int, lots: int) -> None:
    """A request leaves at `now`; it overtakes none before it."""
    latency = entry_latency(s, now)
    if latency < 0:
        refusal = REJECTED if kind == NEW else CANCEL_REJECTED if kind == CANCEL else MODIFY_REJECTED
        respond_at(s, now - latency, now, slot, order_no, refusal, price, lots, 0)
        return
    tail = i64(s, REQUESTS_TAIL)
    if tail - i64(s, REQUESTS_HEAD) > i64(s, REQUESTS_MASK):
        put_i64(s, FAILURE, REQUESTS_FULL)
        return
    arrival = max(now + latency, i64(s, REQUESTS_LAST))
    put_i64(s, REQUESTS_LAST, arrival)
    at = i64(s, REQUESTS_AT) + 8 * REQUEST_WORDS * (tail & i64(s, REQUESTS_MASK))
    put_i64(at, REQ_ARRIVAL, arrival)
    put_i64(at, REQ_KIND, kind)
    put_i64(at, REQ_SLOT, slot)
    put_i64(at, REQ_ORDER, order_no)
    put_i64(at, REQ_PRICE, price)
    put_i64(at, REQ_QTY, lots)
    put_i64(s, REQUESTS_TAIL, tail + 1)
    if slot >= 0:
        o = slot_at(s, slot)
        put_i64(o, MESSAGES, i64(o, MESSAGES) + 1)


@compiled
def send_new(s: int, now: int, order_no: int, side: int, price: int, lots: int, tif: int) -> int:
    """A new order leaves at `now`. Returns its slot, -1 when no slot is free."""
    free = i64(s, FREE) - 1
    if free < 0:
        put_i64(s, FAILURE, SLOTS_FULL)
        return -1
    put_i64(s, FREE, free)
    slot = i64(i64(s, FREE_AT), free)
    o = slot_at(s, slot)
    put_i64(o, RESTS, 0)
    put_i64(o, MESSAGES, 0)
    put_i64(o, STATUS, UNSEEN)
    put_i64(o, ORDER_NO, order_no)
    put_i64(o, SIDE, side)
    put_i64(o, PRICE, price)
    put_i64(o, QTY, lots)
    put_i64(o, LEAVES, lots)
    put_i64(o, TIF, tif)
    send(s, now, NEW, slot, order_no, price, lots)
    return slot


@compiled
def free_slot(s: int, slot: int) -> None:
    """Give the slot back."""
    put_i64(i64(s, FREE_AT), i64(s, FREE), slot)
    put_i64(s, FREE, i64(s, FREE) + 1)


@compiled
def read_responses(s: int, out: int, most: int) -> int:
    """Copy at most `most` delivered responses to the address `out` and free slots that nothing concerns any more; how many."""
    read = i64(s, RESPONSES_READ)
    n = min(i64(s, RESPONSES_HEAD) - read, most)
    for k in range(n):
        at = i64(s, RESPONSES_AT) + 8 * RESPONSE_WORDS * ((read + k) & i64(s, RESPONSES_MASK))
        for word in range(RESPONSE_WORDS):
            put_i64(out, k * RESPONSE_WORDS + word, i64(at, word))
        slot = i64(at, RES_SLOT)
        if slot >= 0:
            o = slot_at(s, slot)
            put_i64(o, MESSAGES, i64(o, MESSAGES) - 1)
            over = i64(o, MESSAGES) == 0 and i64(o, RESTS) == 0
            if over:
                free_slot(s, slot)
            put_i64(out, k * RESPONSE_WORDS + RES_SLOT, -1 if over else slot)
    put_i64(s, RESPONSES_READ, read + n)
    return n
