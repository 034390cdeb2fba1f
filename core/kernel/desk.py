"""A compiled strategy's desk: it lets time pass, looks at the market and trades, all on the address of a replay's state.

The strategy is a compiled function that owns its loop, as the reference's are:

    while elapse(s, 100_000_000):
        bid, ask = bid_tick(s), ask_tick(s)
        ...
        slot = order(s, BID_SIDE, bid, lots, GTX)

An order is known by its slot until `forget` gives the slot back. What the strategy knows of it is what responses have told:
`live` (the exchange has it), `pending` (a request is under way: no second one is sent), `done`. Position and values change
when the fill's response arrives, in lots and in ticks times lots; fees are the business of whoever knows the rates.
"""

from __future__ import annotations

from core.kernel.exchange import slot_at
from core.kernel.memory import compiled, i64, inlined, put_i64
from core.kernel.request import free_slot, send, send_new
from core.kernel.state import (
    ACCEPTED,
    ASK_SIDE,
    BEST,
    CANCEL,
    CANCELED,
    CASH,
    COUNT,
    DONE,
    EXCH_ROWS,
    EXPIRED,
    FAILURE,
    FILLED,
    FOREVER,
    FORGOTTEN,
    KNOWN_LEAVES,
    KNOWN_PRICE,
    LAST_ORDER,
    LIVE,
    LOCAL_BOOK,
    LOCAL_ROWS,
    MAKER_VALUE,
    MESSAGES,
    MODIFY,
    NOW,
    NS,
    ORDER_NO,
    PENDING,
    POSITION,
    REJECTED,
    REPLACED,
    REQUESTS_HEAD,
    REQUESTS_TAIL,
    RES_KIND,
    RES_LEAVES,
    RES_MAKER,
    RES_PRICE,
    RES_QTY,
    RES_SIDE,
    RES_SLOT,
    RESPONSE_WORDS,
    RESPONSES_AT,
    RESPONSES_HEAD,
    RESPONSES_MASK,
    RESPONSES_READ,
    RESPONSES_TAIL,
    STATUS,
    TAKER_VALUE,
    UPCOMING,
)
from core.kernel.timeline import advance


@compiled
def hear(s: int) -> None:
    """Take in the responses that have arrived."""
    read = i64(s, RESPONSES_READ)
    head = i64(s, RESPONSES_HEAD)
    while read < head:
        at = i64(s, RESPONSES_AT) + 8 * RESPONSE_WORDS * (read & i64(s, RESPONSES_MASK))
        read += 1
        kind = i64(at, RES_KIND)
        o = slot_at(s, i64(at, RES_SLOT))
        put_i64(o, MESSAGES, i64(o, MESSAGES) - 1)
        if kind == FILLED:
            lots = i64(at, RES_QTY)
            value = i64(at, RES_PRICE) * lots
            sign = -1 if i64(at, RES_SIDE) == ASK_SIDE else 1
            put_i64(s, POSITION, i64(s, POSITION) + sign * lots)
            put_i64(s, CASH, i64(s, CASH) - sign * value)
            word = MAKER_VALUE if i64(at, RES_MAKER) else TAKER_VALUE
            put_i64(s, word, i64(s, word) + value)
            put_i64(o, KNOWN_LEAVES, i64(at, RES_LEAVES))
            put_i64(o, STATUS, LIVE if i64(at, RES_LEAVES) > 0 else DONE)
            if not i64(at, RES_MAKER) or i64(at, RES_LEAVES) == 0:
                put_i64(o, PENDING, 0)
        else:
            put_i64(o, PENDING, 0)
            if kind in (ACCEPTED, REPLACED):
                put_i64(o, STATUS, LIVE)
                put_i64(o, KNOWN_PRICE, i64(at, RES_PRICE))
                put_i64(o, KNOWN_LEAVES, i64(at, RES_LEAVES))
            elif kind in (CANCELED, EXPIRED, REJECTED):
                put_i64(o, STATUS, DONE)
            elif i64(o, STATUS) == FORGOTTEN and i64(o, MESSAGES) == 0:
                free_slot(s, i64(at, RES_SLOT))
    put_i64(s, RESPONSES_READ, read)


@compiled
def over(s: int) -> bool:
    """Whether nothing is left: no row on either clock, no message under way. Or something failed."""
    if i64(s, FAILURE):
        return True
    if i64(s, LOCAL_ROWS + UPCOMING) < i64(s, LOCAL_ROWS + COUNT):
        return False
    if i64(s, REQUESTS_HEAD) != i64(s, REQUESTS_TAIL) or i64(s, RESPONSES_HEAD) != i64(s, RESPONSES_TAIL):
        return False
    rows = i64(s, EXCH_ROWS + COUNT)
    return rows == 0 or i64(i64(s, EXCH_ROWS + NS), rows - 1) <= i64(s, NOW)


@compiled
def elapse(s: int, ns: int) -> bool:
    """Let `ns` pass; False when nothing was left at all (the reference does not give that last step)."""
    advance(s, i64(s, NOW) + ns, False)
    hear(s)
    return not over(s)


@compiled
def await_feed(s: int, ns: int) -> bool:
    """Wait for the next local row, at most `ns`; everything of that same time is done. False when nothing is left."""
    row = i64(s, LOCAL_ROWS + UPCOMING)
    feed = i64(i64(s, LOCAL_ROWS + NS), row) if row < i64(s, LOCAL_ROWS + COUNT) else FOREVER
    advance(s, min(feed, i64(s, NOW) + ns), False)
    hear(s)
    return not over(s)


# --- the market ----------------------------------------------------------------------------------------------------------


@inlined
def now(s: int) -> int:
    """The time, in ns."""
    return i64(s, NOW)


@inlined
def bid_tick(s: int) -> int:
    """The best bid in ticks; state.py's NOWHERE when there is none."""
    return i64(s, LOCAL_BOOK + BEST)


@inlined
def ask_tick(s: int) -> int:
    """The best ask in ticks; minus NOWHERE when there is none."""
    return -i64(s, LOCAL_BOOK + BEST + ASK_SIDE)


@inlined
def position(s: int) -> int:
    """Lots held, as the strategy has heard."""
    return i64(s, POSITION)


# --- orders --------------------------------------------------------------------------------------------------------------


@compiled
def order(s: int, side: int, price: int, lots: int, tif: int) -> int:
    """Send a new order; its slot, or -1 when there is none left. Sides and times in force are state.py's."""
    number = i64(s, LAST_ORDER) + 1
    put_i64(s, LAST_ORDER, number)
    slot = send_new(s, i64(s, NOW), number, side, price, lots, tif)
    if slot >= 0:
        o = slot_at(s, slot)
        put_i64(o, PENDING, 1)
        put_i64(o, KNOWN_PRICE, price)
        put_i64(o, KNOWN_LEAVES, lots)
    return slot


@inlined
def live(s: int, slot: int) -> bool:
    """Whether the exchange has the order and no request about it is under way."""
    o = slot_at(s, slot)
    return i64(o, STATUS) == LIVE and i64(o, PENDING) == 0


@inlined
def done(s: int, slot: int) -> bool:
    """Whether the order has ended: filled, canceled, expired or refused."""
    return i64(slot_at(s, slot), STATUS) == DONE


@inlined
def price(s: int, slot: int) -> int:
    """The order's price in ticks, as last confirmed."""
    return i64(slot_at(s, slot), KNOWN_PRICE)


@compiled
def cancel(s: int, slot: int) -> bool:
    """Send a cancel; False while another request is under way."""
    o = slot_at(s, slot)
    if i64(o, PENDING):
        return False
    put_i64(o, PENDING, 1)
    send(s, i64(s, NOW), CANCEL, slot, i64(o, ORDER_NO), 0, 0)
    return True


@compiled
def modify(s: int, slot: int, ticks: int, lots: int) -> bool:
    """Send a change of price and open quantity; False while another request is under way."""
    o = slot_at(s, slot)
    if i64(o, PENDING):
        return False
    put_i64(o, PENDING, 1)
    send(s, i64(s, NOW), MODIFY, slot, i64(o, ORDER_NO), ticks, lots)
    return True


@compiled
def forget(s: int, slot: int) -> None:
    """Give the slot of a done order back; it is free as soon as no message about it is under way."""
    o = slot_at(s, slot)
    if i64(o, MESSAGES):
        put_i64(o, STATUS, FORGOTTEN)
    else:
        free_slot(s, slot)
