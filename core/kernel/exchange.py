"""The exchange's side of own orders: what becomes of a request when it arrives, and when a resting order fills.

Rules (FIDELITY sections 4 and 5). An order that arrives at or through the opposite best is a taker: post-only expires, any other
fills whole at the opposite best. With partial fills it takes what each level shows instead: IOC up to its price, the rest
expires; FOK all or nothing; GTC what stands before its price and the rest at its own price; market through at most 100 ticks.
An order that does not cross rests behind everything its level shows; IOC and FOK expire, and so does a market order when the
other side is empty (the reference fills it at its marker for "no price").

A change of an order keeps its place if the price stays and the quantity does not grow; else it leaves and arrives again, with
the new quantity (the reference gives it the new price and fills what was open before).

A resting order fills at its own price, as maker: when the best price of the other side comes to it through a depth row of
that side; when a trade goes through its price; when a trade at its price exceeds what the queue model has before it. Own orders
never change the book, and the same trade is offered whole to each of them.

Resting orders hang in lists by rank, in the order of their arrival. An order outside the day's prices hangs one rank
outside of them: no row ever touches it but as "everything beyond". The lists' best and worst ranks stay in the state, so that a
market row far from every own order costs two compares.
"""

from __future__ import annotations

from core.kernel.latency import response_latency
from core.kernel.level import begin_entries, level_lots, tell_entries
from core.kernel.memory import compiled, i32, i64, inlined, put_i32, put_i64
from core.kernel.queue import queue_entered, queue_reached, queue_traded
from core.kernel.state import (
    ACCEPTED,
    ASK_SIDE,
    BEST,
    BID_SIDE,
    CANCEL,
    CANCEL_REJECTED,
    CANCELED,
    EXCH_BOOK,
    EXPIRED,
    FAILURE,
    FILL_EXCH,
    FILL_MAKER,
    FILL_ORDER,
    FILL_PRICE,
    FILL_QTY,
    FILL_SIDE,
    FILL_WORDS,
    FILLED,
    FILLS,
    FILLS_AT,
    FILLS_FULL,
    FILLS_SIZE,
    FOK,
    FOREVER,
    GTC,
    GTX,
    INDEXED,
    LEAVES,
    MARKET,
    MESSAGES,
    MODIFY_REJECTED,
    MODIFY_TOTAL,
    NEW,
    NEXT,
    NOWHERE,
    ORDER_NO,
    OWN_AT,
    OWN_BEST,
    OWN_WORST,
    PARTIAL,
    PLACE,
    PRICE,
    QTY,
    RANK,
    RANK_HIGH,
    RANK_LOW,
    REPLACED,
    REQ_KIND,
    REQ_ORDER,
    REQ_PRICE,
    REQ_QTY,
    REQ_SLOT,
    RES_ARRIVAL,
    RES_CUM,
    RES_EXCH,
    RES_KIND,
    RES_LEAVES,
    RES_MAKER,
    RES_ORDER,
    RES_PRICE,
    RES_QTY,
    RES_SIDE,
    RES_SLOT,
    RESPONSE_WORDS,
    RESPONSES_AT,
    RESPONSES_FULL,
    RESPONSES_LAST,
    RESPONSES_MASK,
    RESPONSES_READ,
    RESPONSES_TAIL,
    RESTING,
    RESTING_AT,
    RESTS,
    SIDE,
    SLOT_WORDS,
    SLOTS_AT,
    TIF,
)

NEARBY = 32
"""Ranks that are looked at one by one before all resting orders are: quotes stand close together."""
SLOT_BYTES = 8 * SLOT_WORDS
TAKER, MAKER = 0, 1
MARKET_DEPTH = 100
"""Ticks that a market order to buy walks with partial fills, one to sell walks one more: the reference's."""


@inlined
def slot_at(s: int, slot: int) -> int:
    """The address of a slot."""
    return i64(s, SLOTS_AT) + slot * SLOT_BYTES


@inlined
def rank_of(side: int, tick: int) -> int:
    """A tick as a rank of the side, and back."""
    return -tick if side == ASK_SIDE else tick


# --- messages ------------------------------------------------------------------------------------------------------------


@compiled
def respond_at(s: int, arrival: int, exch_ns: int, slot: int, order_no: int, kind: int, price: int, qty: int, maker: int) -> None:
    """Queue a response; it overtakes none before it. `slot` is -1 for an order that is not known."""
    tail = i64(s, RESPONSES_TAIL)
    if tail - i64(s, RESPONSES_READ) > i64(s, RESPONSES_MASK):
        put_i64(s, FAILURE, RESPONSES_FULL)
        return
    arrival = max(arrival, i64(s, RESPONSES_LAST))
    put_i64(s, RESPONSES_LAST, arrival)
    at = i64(s, RESPONSES_AT) + 8 * RESPONSE_WORDS * (tail & i64(s, RESPONSES_MASK))
    put_i64(at, RES_ARRIVAL, arrival)
    put_i64(at, RES_EXCH, exch_ns)
    put_i64(at, RES_ORDER, order_no)
    put_i64(at, RES_KIND, kind)
    put_i64(at, RES_PRICE, price)
    put_i64(at, RES_QTY, qty)
    put_i64(at, RES_MAKER, maker)
    put_i64(at, RES_SLOT, slot)
    side, leaves, cum = 0, 0, 0
    if slot >= 0:
        o = slot_at(s, slot)
        side, leaves, cum = i64(o, SIDE), i64(o, LEAVES), i64(o, QTY) - i64(o, LEAVES)
        put_i64(o, MESSAGES, i64(o, MESSAGES) + 1)
    put_i64(at, RES_SIDE, side)
    put_i64(at, RES_LEAVES, leaves)
    put_i64(at, RES_CUM, cum)
    put_i64(s, RESPONSES_TAIL, tail + 1)


@compiled
def respond(s: int, t: int, slot: int, kind: int, price: int, qty: int, maker: int) -> None:
    """The exchange answers about a known order at time `t`."""
    respond_at(s, t + response_latency(s, t), t, slot, i64(slot_at(s, slot), ORDER_NO), kind, price, qty, maker)


@compiled
def fill(s: int, t: int, slot: int, tick: int, lots: int, maker: int) -> None:
    """`lots` of the order are executed at `tick`."""
    o = slot_at(s, slot)
    put_i64(o, LEAVES, i64(o, LEAVES) - lots)
    respond(s, t, slot, FILLED, tick, lots, maker)
    n = i64(s, FILLS)
    if i64(s, FILLS_SIZE) == 0:
        return
    if n >= i64(s, FILLS_SIZE):
        put_i64(s, FAILURE, FILLS_FULL)
        return
    at = i64(s, FILLS_AT) + 8 * FILL_WORDS * n
    put_i64(at, FILL_EXCH, t)
    put_i64(at, FILL_ORDER, i64(o, ORDER_NO))
    put_i64(at, FILL_SIDE, i64(o, SIDE))
    put_i64(at, FILL_PRICE, tick)
    put_i64(at, FILL_QTY, lots)
    put_i64(at, FILL_MAKER, maker)
    put_i64(s, FILLS, n + 1)


# --- resting -------------------------------------------------------------------------------------------------------------


@compiled
def rest(s: int, slot: int) -> None:
    """Hang the order at the end of its level's list (outside the day's prices: of its price), behind all that the level shows."""
    o = slot_at(s, slot)
    side = i64(o, SIDE)
    rank = max(min(rank_of(side, i64(o, PRICE)), i64(s, RANK_HIGH + side) + 1), i64(s, RANK_LOW + side) - 1)
    queue_entered(s, o, level_lots(s, side, rank))
    put_i64(o, RANK, rank)
    if i64(s, INDEXED):
        begin_entries(s, o)
    put_i64(o, RESTS, 1)
    true_rank = rank_of(side, i64(o, PRICE))
    own = i64(s, OWN_AT + side)
    before, after = -1, i32(own, rank) - 1
    while after >= 0 and rank_of(side, i64(slot_at(s, after), PRICE)) >= true_rank:
        before, after = after, i64(slot_at(s, after), NEXT)
    put_i64(o, NEXT, after)
    if before < 0:
        put_i32(own, rank, slot + 1)
    else:
        put_i64(slot_at(s, before), NEXT, slot)
    n = i64(s, RESTING + side)
    put_i64(i64(s, RESTING_AT + side), n, slot)
    put_i64(o, PLACE, n)
    put_i64(s, RESTING + side, n + 1)
    put_i64(s, OWN_BEST + side, max(rank, i64(s, OWN_BEST + side)))
    put_i64(s, OWN_WORST + side, min(rank, i64(s, OWN_WORST + side)))


@compiled
def narrow(s: int, side: int, rank: int) -> None:
    """The best or the worst of our ranks is empty: find the next one, nearby by rank, else among all that rest."""
    n = i64(s, RESTING + side)
    if n == 0:
        put_i64(s, OWN_BEST + side, NOWHERE)
        put_i64(s, OWN_WORST + side, FOREVER)
        return
    own = i64(s, OWN_AT + side)
    best, worst = i64(s, OWN_BEST + side), i64(s, OWN_WORST + side)
    word, step, end = (OWN_BEST, -1, worst) if rank == best else (OWN_WORST, 1, best)
    for near in range(1, NEARBY):
        if i32(own, rank + step * near) != 0:
            put_i64(s, word + side, rank + step * near)
            return
        if rank + step * near == end:
            break
    resting = i64(s, RESTING_AT + side)
    best, worst = NOWHERE, FOREVER
    for k in range(n):
        r = i64(slot_at(s, i64(resting, k)), RANK)
        best = max(best, r)
        worst = min(worst, r)
    put_i64(s, OWN_BEST + side, best)
    put_i64(s, OWN_WORST + side, worst)


@compiled
def leave(s: int, slot: int) -> None:
    """Take the order out of its level's list and out of the side's."""
    o = slot_at(s, slot)
    side = i64(o, SIDE)
    rank = i64(o, RANK)
    own = i64(s, OWN_AT + side)
    head = i32(own, rank) - 1
    if head == slot:
        put_i32(own, rank, i64(o, NEXT) + 1)
    else:
        while i64(slot_at(s, head), NEXT) != slot:
            head = i64(slot_at(s, head), NEXT)
        put_i64(slot_at(s, head), NEXT, i64(o, NEXT))
    put_i64(o, RESTS, 0)
    resting = i64(s, RESTING_AT + side)
    n = i64(s, RESTING + side) - 1
    moved = i64(resting, n)
    put_i64(resting, i64(o, PLACE), moved)
    put_i64(slot_at(s, moved), PLACE, i64(o, PLACE))
    put_i64(s, RESTING + side, n)
    if i32(own, rank) == 0 and (rank == i64(s, OWN_BEST + side) or rank == i64(s, OWN_WORST + side)):
        narrow(s, side, rank)


# --- fills of resting orders ---------------------------------------------------------------------------------------------


@compiled
def fill_resting(s: int, t: int, slot: int, lots: int) -> None:
    """A resting order is executed at its own price, as maker; without partial fills always whole."""
    o = slot_at(s, slot)
    leaves = i64(o, LEAVES)
    taken = min(lots, leaves) if i64(s, PARTIAL) else leaves
    if taken == leaves:
        leave(s, slot)
    fill(s, t, slot, i64(o, PRICE), taken, MAKER)


@compiled
def sweep(s: int, t: int, side: int, rank: int) -> None:
    """Everything of ours on the side with a rank at or above `rank` fills whole, the best first."""
    while i64(s, OWN_BEST + side) >= rank:
        slot = i32(i64(s, OWN_AT + side), i64(s, OWN_BEST + side)) - 1
        fill_resting(s, t, slot, i64(slot_at(s, slot), LEAVES))


@compiled
def trade(s: int, t: int, side: int, rank: int, lots: int) -> None:
    """A trade takes `lots` at `rank` from the side on which our orders rest."""
    sweep(s, t, side, rank + 1)
    slot = i32(i64(s, OWN_AT + side), rank) - 1
    while slot >= 0:
        o = slot_at(s, slot)
        following = i64(o, NEXT)
        if i64(s, INDEXED):
            tell_entries(s, o)
        queue_traded(s, o, lots)
        reached = queue_reached(s, o)
        if reached > 0:
            fill_resting(s, t, slot, reached)
        slot = following


# --- arrivals ------------------------------------------------------------------------------------------------------------


@compiled
def take(s: int, t: int, slot: int) -> None:
    """The order crosses: it takes from the other side."""
    o = slot_at(s, slot)
    side = i64(o, SIDE)
    other = ASK_SIDE - side
    best = i64(s, EXCH_BOOK + BEST + other)
    tif = i64(o, TIF)
    if not i64(s, PARTIAL):
        fill(s, t, slot, rank_of(other, best), i64(o, LEAVES), TAKER)
        return
    first = i64(s, RANK_LOW + other)
    limit = best - MARKET_DEPTH + 1 - side if tif == MARKET else -rank_of(side, i64(o, PRICE))
    if tif == FOK:
        shown = 0
        for rank in range(max(limit, first), best + 1):
            shown += level_lots(s, other, rank)
        if shown < i64(o, LEAVES):
            respond(s, t, slot, EXPIRED, i64(o, PRICE), i64(o, LEAVES), TAKER)
            return
    rank = best
    while rank >= max(limit, first) and i64(o, LEAVES) > 0:
        if tif == GTC and rank == limit and side == BID_SIDE:  # a sell's fill at its own price is split in two, as there
            break
        lots = min(level_lots(s, other, rank), i64(o, LEAVES))
        if lots > 0:
            fill(s, t, slot, rank_of(other, rank), lots, TAKER)
        rank -= 1
    if i64(o, LEAVES) > 0:
        if tif == GTC:
            fill(s, t, slot, i64(o, PRICE), i64(o, LEAVES), TAKER)
        else:
            respond(s, t, slot, EXPIRED, i64(o, PRICE), i64(o, LEAVES), TAKER)


@compiled
def arrive(s: int, t: int, slot: int, accepted: int) -> None:
    """A new order, or one whose change makes it new, is at the exchange. `accepted` is how its resting is answered."""
    o = slot_at(s, slot)
    side = i64(o, SIDE)
    tif = i64(o, TIF)
    best = i64(s, EXCH_BOOK + BEST + ASK_SIDE - side)
    crosses = best != NOWHERE and (tif == MARKET or rank_of(side, i64(o, PRICE)) + best >= 0)
    if crosses and tif != GTX:
        if accepted == REPLACED:
            respond(s, t, slot, REPLACED, i64(o, PRICE), i64(o, LEAVES), TAKER)
        take(s, t, slot)
    elif crosses or tif not in (GTC, GTX):
        respond(s, t, slot, EXPIRED, i64(o, PRICE), i64(o, LEAVES), TAKER)
    else:
        rest(s, slot)
        respond(s, t, slot, accepted, i64(o, PRICE), i64(o, LEAVES), TAKER)


@compiled
def change(s: int, t: int, slot: int, price: int, lots: int) -> None:
    """Change price and open quantity: in place if the price stays and the quantity does not grow, else out and in again."""
    o = slot_at(s, slot)
    done = i64(o, QTY) - i64(o, LEAVES)
    if lots <= 0:
        leave(s, slot)
        respond(s, t, slot, CANCELED, i64(o, PRICE), i64(o, LEAVES), TAKER)
        return
    in_place = price == i64(o, PRICE) and lots <= i64(o, LEAVES)
    if not in_place:
        leave(s, slot)
    put_i64(o, PRICE, price)
    put_i64(o, LEAVES, lots)
    put_i64(o, QTY, done + lots)
    if in_place:
        respond(s, t, slot, REPLACED, price, lots, TAKER)
    else:
        arrive(s, t, slot, REPLACED)


@compiled
def handle_request(s: int, t: int, at: int) -> None:
    """The request at the address arrives at time `t`."""
    kind = i64(at, REQ_KIND)
    slot = i64(at, REQ_SLOT)
    if slot >= 0:
        o = slot_at(s, slot)
        put_i64(o, MESSAGES, i64(o, MESSAGES) - 1)
        if kind == NEW:
            arrive(s, t, slot, ACCEPTED)
            return
        if i64(o, RESTS):
            if kind == CANCEL:
                leave(s, slot)
                respond(s, t, slot, CANCELED, i64(o, PRICE), i64(o, LEAVES), TAKER)
            else:
                done = i64(o, QTY) - i64(o, LEAVES) if kind == MODIFY_TOTAL else 0
                change(s, t, slot, i64(at, REQ_PRICE), i64(at, REQ_QTY) - done)
            return
    refusal = CANCEL_REJECTED if kind == CANCEL else MODIFY_REJECTED
    respond_at(s, t + response_latency(s, t), t, slot, i64(at, REQ_ORDER), refusal, 0, 0, TAKER)
