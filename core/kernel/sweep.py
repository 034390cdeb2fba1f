"""Many sets of parameters over one reading of a day: the road (road.py) where nothing takes time but the venue.

Where no process is ever busy and the link takes no time, every message between nodes is handled when it is sent. Nothing has to
wait then, so nothing needs a heap: between two stops (a look at the market, a sample, a funding) a set only hears what the venue
answers. And all sets look at the same moments: those whose `look` has the same parameters share one, which their leader does.

The sets go through the day together, stop by stop, so that the day is read once, from its index. Each has a road's memory of its
own, and leaves in it what the road would: a test holds the two together.
"""

from __future__ import annotations

from core.kernel import post as p
from core.kernel.memory import call3, call6, compiled, i32, i64, put_i64
from core.kernel.post import let_go, placed
from core.kernel.quoting import OUT_COUNT, OUT_QUOTES, QUOTES, VIEW_NOW, VIEW_TRADES
from core.kernel.request import read_responses, send, send_new
from core.kernel.road import (
    BATCH,
    add,
    admit,
    book,
    count_open,
    drop,
    even_step,
    hear_tick,
    make_tick,
    matching,
    note_request,
    place,
    refused,
    sample,
    wants_other,
)
from core.kernel.state import (
    ACCEPTED,
    ASK_SIDE,
    CANCEL,
    CANCEL_REJECTED,
    CANCELED,
    FAILURE,
    FILLED,
    GTX,
    LOCAL_BESTS,
    LOCAL_ROWS,
    NONE32,
    NS,
    REJECTED,
    RES_ARRIVAL,
    RES_EXCH,
    RES_KIND,
    RES_LEAVES,
    RES_MAKER,
    RES_ORDER,
    RES_PRICE,
    RES_QTY,
    RES_SLOT,
    RESPONSE_WORDS,
    RESPONSES_HEAD,
    RESPONSES_READ,
    UPCOMING,
)
from core.kernel.timeline import advance, first_after
from core.kernel.turns import frames_between


@compiled
def pass_time(d: int, until: int) -> None:
    """Let a set's time pass, and hear what the venue has answered on the way."""
    s = i64(d, p.REPLAY)
    row = i64(s, LOCAL_ROWS + UPCOMING)
    advance(s, until, False)
    while i64(s, RESPONSES_READ) != i64(s, RESPONSES_HEAD):
        put_i64(d, p.STIRRED, 1)
        out = i64(d, p.OUT_RESPONSES)
        for k in range(read_responses(s, out, BATCH)):
            hear(d, out + 8 * RESPONSE_WORDS * k, row)
    if i64(s, FAILURE):
        put_i64(d, p.BROKEN, p.REPLAY_BROKE)


@compiled
def see_mid_at(d: int, time: int, row: int) -> None:
    """Note the mid that was known at a time: the local rows from `row` on are those since the last stop."""
    s = i64(d, p.REPLAY)
    after = first_after(i64(s, LOCAL_ROWS + NS), row, i64(s, LOCAL_ROWS + UPCOMING), time)
    if after > 0:
        bests = i64(s, LOCAL_BESTS)
        bid, ask = i32(bests, 2 * after - 2), i32(bests, 2 * after - 1)
        if NONE32 not in (bid, ask):
            put_i64(d, p.MID_TWICE, bid - ask)


@compiled
def hear(d: int, response: int, row: int) -> None:
    """Gateway, strategy and risk hear an answer, each when it arrived; `row` was the next local one at the last stop."""
    kind, lots = i64(response, RES_KIND), i64(response, RES_QTY)
    order = i64(response, RES_ORDER) & (p.TABLE - 1)
    o = placed(d, order)
    side = i64(o, p.PLACED_SIDE)
    add(d, p.HANDLED, 3)
    if i64(response, RES_SLOT) < 0:
        put_i64(o, p.SLOT, -1)
    if kind == CANCEL_REJECTED:
        put_i64(o, p.S_ASKED, 0)
        add(d, p.REFUSALS, 1)
    else:
        add(d, p.EXECUTIONS, 1)
    if kind == FILLED:
        put_i64(o, p.S_ACK, 1)
        put_i64(o, p.G_CUM, i64(o, p.G_CUM) + lots)
        add(d, p.RISK_POSITION, -lots if side == ASK_SIDE else lots)
        price, maker = i64(response, RES_PRICE), i64(response, RES_MAKER)
        see_mid_at(d, i64(response, RES_ARRIVAL), row)
        book(d, i64(response, RES_EXCH), side, price, lots, maker, i64(d, p.EXECUTIONS))
    elif kind == ACCEPTED:
        put_i64(o, p.S_ACK, 1)
    elif kind != CANCEL_REJECTED:
        put_i64(o, p.G_ENDED, 1)
        if kind == CANCELED:
            put_i64(o, p.S_ASKED, 0)
        if kind == REJECTED:
            add(d, p.REFUSALS, 1)
    if kind != CANCEL_REJECTED:
        count_open(d, order, i64(response, RES_LEAVES) if kind in (ACCEPTED, FILLED) else 0)
    if kind != FILLED:
        let_go(d, order)  # a request has been answered
    working = not i64(o, p.G_ENDED) and i64(o, p.G_CUM) < i64(o, p.PLACED_QTY)
    if i64(o, p.G_HELD) and not working and (i64(o, p.G_ENDED) or not i64(o, p.S_ASKED)):
        put_i64(o, p.G_HELD, 0)
        drop(d, order)


@compiled
def follow_now(d: int, side: int, out: int, now: int) -> None:
    """As road.py's `follow`, with requests that are at the venue's door at once."""
    s = i64(d, p.REPLAY)
    quotes = out + 8 * (OUT_QUOTES + 2 * QUOTES * side)
    count = i64(out, OUT_COUNT + side)
    step = even_step(quotes, count)
    steps_a_tick = 1.0 / step if step else 0.0
    mine, taken = i64(d, p.MINE_AT), 0
    for k in range(i64(d, p.MINE)):
        o = placed(d, i64(mine, k))
        if i64(o, p.PLACED_SIDE) != side:
            continue
        found = matching(quotes, count, step, steps_a_tick, i64(o, p.PLACED_PRICE))
        taken |= found
        if not found and i64(o, p.S_ACK) and not i64(o, p.S_ASKED):
            put_i64(o, p.S_ASKED, 1)
            put_i64(o, p.USES, i64(o, p.USES) + 1)
            note_request(d, now, p.CANCEL_ORDER, o)
            add(d, p.HANDLED, 2)
            send(s, now, CANCEL, i64(o, p.SLOT), i64(o, p.NUMBER), 0, 0)
    for q in range(count):
        if not taken >> q & 1:
            post_now(d, side, i64(quotes, 2 * q), i64(quotes, 2 * q + 1), now)


@compiled
def post_now(d: int, side: int, price: int, lots: int, now: int) -> None:
    """Send a new order, unless risk refuses it."""
    order = place(d, side, price, lots)
    if order < 0:
        return
    o = placed(d, order)
    note_request(d, now, p.NEW_ORDER, o)
    add(d, p.HANDLED, 2)
    if refused(d, side, price, lots):
        add(d, p.REFUSALS, 1)
        put_i64(d, p.STIRRED, 1)
        drop(d, order)
        return
    admit(d, o, side, lots)
    put_i64(o, p.G_HELD, 1)
    put_i64(o, p.USES, i64(o, p.USES) + 1)  # the request's, until it is answered
    add(d, p.NUMBERS, 1)
    put_i64(o, p.NUMBER, i64(d, p.NUMBERS) * p.TABLE + order)
    slot = send_new(i64(d, p.REPLAY), now, i64(o, p.NUMBER), side, price, lots, GTX)
    put_i64(o, p.SLOT, slot)


@compiled
def look_together(d: int, now: int) -> int:
    """A leader looks for all that follow it; returns how many ticks it was brought, 0 or 1."""
    s = i64(d, p.REPLAY)
    times, rows = i64(s, LOCAL_ROWS + NS), i64(s, LOCAL_ROWS + UPCOMING)
    fresh = frames_between(times, i64(d, p.ABSORBED), rows)
    put_i64(d, p.ABSORBED, rows)
    view = i64(d, p.VIEW_AT)
    if fresh:
        make_tick(d, now)
        hear_tick(d)
        add(d, p.REPLACED, fresh - 1)
        add(d, p.DELIVERED, 1)
        put_i64(d, p.AGE_MAX, max(i64(d, p.AGE_MAX), now - i64(times, rows - 1)))
    else:
        for word in range(9):
            put_i64(view, VIEW_TRADES + word, 0)
    put_i64(view, VIEW_NOW, now)
    call3(i64(d, p.LOOK), view, i64(d, p.SEEN_AT), i64(d, p.FIT_AT))
    return 1 if fresh else 0


@compiled
def decide(d: int, now: int) -> None:
    """A set decides on what its leader saw, and follows."""
    out = i64(d, p.OUT_AT)
    put_i64(out, OUT_COUNT, 0)
    put_i64(out, OUT_COUNT + 1, 0)
    put_i64(i64(d, p.OWN_AT), 0, i64(d, p.RISK_POSITION))
    seen, own = i64(d, p.SEEN_AT), i64(d, p.OWN_AT)
    call6(i64(d, p.QUOTE), i64(d, p.VIEW_AT), seen, own, i64(d, p.STATE_AT), i64(d, p.PARAMS_AT), out)
    other = wants_other(d, out)
    if other or i64(d, p.STIRRED):
        put_i64(d, p.STIRRED, 0)
        for side in range(2):
            follow_now(d, side, out, now)


@compiled
def run_sweep(roads: int, leaders: int, count: int, fundings: int, settled: int) -> int:
    """Take `count` sets through the day; returns the number of a set that broke, -1 when none did.

    `roads`: their roads' addresses; `leaders`: the number of each one's leader, which comes before it, or its own; `fundings`:
    when the `settled` settlements are. All int64.
    """
    first = i64(roads, 0)
    now, end, period, sampling = i64(first, p.NOW), i64(first, p.END), i64(first, p.PERIOD_NS), i64(first, p.SAMPLE_NS)
    look = now - now % period + period
    watch = now // sampling * sampling + sampling
    fund = 0
    while fund < settled and i64(fundings, fund) < now:
        fund += 1
    for k in range(count):
        add(i64(roads, k), p.HANDLED, 2)  # trading on, and the start
    while True:
        settle = i64(fundings, fund) if fund < settled else p.NEVER
        now = min(look, watch, settle)
        if now >= end:
            break
        ticks = 0
        for k in range(count):
            d = i64(roads, k)
            if settle == now:
                pass_time(d, now - 1)
                book(d, now, -1, fund, i64(d, p.RISK_POSITION), 0, 0)
                add(d, p.HANDLED, 2)
            pass_time(d, now)
            if look == now:
                if i64(leaders, k) == k:
                    ticks = look_together(d, now)
                add(d, p.HANDLED, 1 + ticks)
                decide(d, now)
            if watch == now:
                sample(d, now)
            if i64(d, p.BROKEN):
                return k
        look += period if look == now else 0
        watch += sampling if watch == now else 0
        fund += settle == now
    for k in range(count):
        pass_time(i64(roads, k), end - 1)
        if i64(i64(roads, k), p.BROKEN):
            return k
    return -1
