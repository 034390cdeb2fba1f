"""A compiled day: the graph's own road, from market to strategy to risk to gateway to venue and back, in one compiled loop.

It is `actors/sim/host.py` with its nodes, for one instrument and a quoting strategy (quoting.py), message by message: the same
places that are busy, the same turns, the same link, the same mailbox that replaces ticks and folds trades, the same limits, the
same facts about orders in the strategy, in risk and in the gateway. Why each rule is as it is stands there and in `core/`; here
it is said in words of memory (post.py), and a test holds the two together: same requests at the same times, same fills, same
samples, same number of messages. All times are ns, prices ticks, quantities lots.
"""

from __future__ import annotations

import math

import numpy as np

from core.kernel import post as p
from core.kernel.book import read_levels
from core.kernel.memory import call3, call6, compiled, f64, i64, inlined, put_i64
from core.kernel.post import (
    done_with,
    event,
    forward,
    let_go,
    make,
    message,
    placed,
    pop,
    push,
    ring_put,
    ring_take,
)
from core.kernel.quoting import (
    OUT_COUNT,
    OUT_QUOTES,
    QUOTES,
    VIEW_ASK,
    VIEW_ASKS,
    VIEW_BID,
    VIEW_BID_LEVELS,
    VIEW_BIDS,
    VIEW_MARK,
    VIEW_NOW,
    VIEW_TRADES,
)
from core.kernel.request import read_responses, send, send_new
from core.kernel.state import (
    ACCEPTED,
    ASK_SIDE,
    BEST,
    BID_SIDE,
    CANCEL,
    CANCEL_REJECTED,
    CANCELED,
    EXPIRED,
    FAILURE,
    FILLED,
    GTX,
    LOCAL_BOOK,
    LOCAL_ROWS,
    NOWHERE,
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
from core.kernel.timeline import advance, fold_trades
from core.kernel.touched import write_local
from core.kernel.turns import frames_between, settle_frames

E8 = 100_000_000.0
BATCH = 64
"""Responses read at a time."""


@inlined
def add(d: int, word: int, more: int) -> None:
    """Count."""
    put_i64(d, word, i64(d, word) + more)


# --- the venue -----------------------------------------------------------------------------------------------------------


@compiled
def advance_market(d: int, until: int) -> int:
    """Replay up to `until` or to the first reply, and put what is answered on its way to the gateway; the time reached."""
    if until <= i64(d, p.REACHED) and not i64(d, p.ASKED):
        return until
    s = i64(d, p.REPLAY)
    put_i64(d, p.ASKED, 0)
    reached = advance(s, until, True)
    put_i64(d, p.REACHED, reached)
    if i64(s, FAILURE):
        put_i64(d, p.BROKEN, p.REPLAY_BROKE)
    while i64(s, RESPONSES_READ) != i64(s, RESPONSES_HEAD):
        out = i64(d, p.OUT_RESPONSES)
        for k in range(read_responses(s, out, BATCH)):
            answer(d, out + 8 * RESPONSE_WORDS * k)
    return reached


@compiled
def answer(d: int, response: int) -> None:
    """A response becomes a report or a reject, which arrives at the gateway in its time."""
    kind = i64(response, RES_KIND)
    order = i64(response, RES_ORDER) & (p.TABLE - 1)
    if i64(response, RES_SLOT) < 0:
        put_i64(placed(d, order), p.SLOT, -1)
    m = make(d, p.REJECT if kind == CANCEL_REJECTED else p.REPORT, p.GATEWAY, order)
    at = message(d, m)
    put_i64(at, p.EXEC, kind)
    put_i64(at, p.PRICE, i64(response, RES_PRICE))
    put_i64(at, p.QTY, i64(response, RES_QTY))
    put_i64(at, p.MAKER, i64(response, RES_MAKER))
    put_i64(at, p.EXCH_NS, i64(response, RES_EXCH))
    put_i64(at, p.LEAVES, i64(response, RES_LEAVES) if kind in (ACCEPTED, FILLED) else 0)
    if kind != CANCEL_REJECTED:
        add(d, p.EXECUTIONS, 1)
        put_i64(at, p.EXEC_NO, i64(d, p.EXECUTIONS))
    push(d, i64(response, RES_ARRIVAL), p.ARRIVAL, p.GATEWAY, m)
    if kind != FILLED:
        let_go(d, order)  # a request has been answered


@compiled
def ask_venue(d: int, now: int, m: int) -> None:
    """A request leaves the gateway."""
    put_i64(d, p.ASKED, 1)
    s = i64(d, p.REPLAY)
    at = message(d, m)
    order = i64(at, p.ORDER)
    o = placed(d, order)
    put_i64(o, p.USES, i64(o, p.USES) + 1)
    if i64(at, p.KIND) == p.NEW_ORDER:
        add(d, p.NUMBERS, 1)
        number = i64(d, p.NUMBERS) * p.TABLE + order
        put_i64(o, p.NUMBER, number)
        slot = send_new(s, now, number, i64(o, p.PLACED_SIDE), i64(o, p.PLACED_PRICE), i64(o, p.PLACED_QTY), GTX)
        put_i64(o, p.SLOT, slot)
    else:
        send(s, now, CANCEL, i64(o, p.SLOT), i64(o, p.NUMBER), 0, 0)
    done_with(d, m)


# --- facts about an order, the strategy's and the gateway's alike ----------------------------------------------------------


@compiled
def learn(o: int, m: int, asked: int) -> bool:
    """Take a report or reject about an order whose facts begin at a word (asked, ended, executed); whether it is done."""
    ended, cum = asked + 1, asked + 2
    kind = i64(m, p.EXEC)
    if i64(m, p.KIND) == p.REJECT:
        put_i64(o, asked, 0)
    elif kind == FILLED:
        put_i64(o, cum, i64(o, cum) + i64(m, p.QTY))
    elif kind in (CANCELED, EXPIRED, REJECTED):
        put_i64(o, ended, 1)
        if kind == CANCELED:
            put_i64(o, asked, 0)
    working = not i64(o, ended) and i64(o, cum) < i64(o, p.PLACED_QTY)
    return not working and (i64(o, ended) != 0 or i64(o, asked) == 0)


# --- the strategy --------------------------------------------------------------------------------------------------------


@compiled
def plan_wake(d: int, time: int) -> None:
    """Ask for the timer at the next multiple of its period."""
    period = i64(d, p.PERIOD_NS)
    due = time - time % period + period
    push(d, max(due, i64(d, p.NOW)), p.ARRIVAL, p.STRATEGY, p.WAKE)


@compiled
def hear_tick(d: int) -> None:
    """The waiting tick is the strategy's now."""
    tick, view = i64(d, p.TICK_AT), i64(d, p.VIEW_AT)
    for word in range(VIEW_BID, VIEW_BIDS):
        put_i64(view, word, i64(tick, word))
    for side in range(2):
        first = VIEW_ASKS if side else VIEW_BIDS
        for word in range(first, first + 2 * i64(tick, VIEW_BID_LEVELS + side)):
            put_i64(view, word, i64(tick, word))
    put_i64(d, p.FRESH, 1)
    put_i64(d, p.TICK_WAITS, 0)


@compiled
def hear_wake(d: int, time: int, done: int) -> None:
    """Look at the market, decide, and follow."""
    plan_wake(d, time)
    view, out = i64(d, p.VIEW_AT), i64(d, p.OUT_AT)
    put_i64(view, VIEW_NOW, time)
    if not i64(d, p.FRESH):
        for word in range(9):
            put_i64(view, VIEW_TRADES + word, 0)
    put_i64(d, p.FRESH, 0)
    call3(i64(d, p.LOOK), view, i64(d, p.SEEN_AT), i64(d, p.FIT_AT))
    put_i64(out, OUT_COUNT, 0)
    put_i64(out, OUT_COUNT + 1, 0)
    put_i64(i64(d, p.OWN_AT), 0, i64(d, p.POSITION))
    call6(i64(d, p.QUOTE), view, i64(d, p.SEEN_AT), i64(d, p.OWN_AT), i64(d, p.STATE_AT), i64(d, p.PARAMS_AT), out)
    other = wants_other(d, out)
    if i64(d, p.TRADING) and (other or i64(d, p.STIRRED)):
        put_i64(d, p.STIRRED, 0)
        for side in range(2):
            follow(d, side, out, done)


@compiled
def wants_other(d: int, out: int) -> bool:
    """Whether the quotes wanted are others than last time; notes them. If not, and nothing was heard, there is nothing to do."""
    last = i64(d, p.LAST_OUT_AT)
    bids, asks = i64(out, OUT_COUNT), i64(out, OUT_COUNT + 1)
    other = (bids ^ i64(last, OUT_COUNT)) | (asks ^ i64(last, OUT_COUNT + 1))
    if other == 0:
        for word in range(OUT_QUOTES, OUT_QUOTES + 2 * bids):
            other |= i64(out, word) ^ i64(last, word)
        for word in range(OUT_QUOTES + 2 * QUOTES, OUT_QUOTES + 2 * QUOTES + 2 * asks):
            other |= i64(out, word) ^ i64(last, word)
    if other == 0:
        return False
    for word in range(OUT_QUOTES + 4 * QUOTES):
        put_i64(last, word, i64(out, word))
    return True


@compiled
def even_step(quotes: int, count: int) -> int:
    """By how much each quote differs from the one before, if that is the same for all of them; 0 when it is not."""
    step = i64(quotes, 2) - i64(quotes, 0) if count > 1 else 1
    for q in range(2, count):
        if i64(quotes, 2 * q) - i64(quotes, 2 * q - 2) != step:
            return 0
    return step


@compiled
def matching(quotes: int, count: int, step: int, steps_a_tick: float, price: int) -> int:
    """Which of the quotes are at a price: a bit each. `step`: even_step's; `steps_a_tick`: 1 / step, for a division is dear."""
    if count == 0:
        return 0
    if step != 0:
        away = price - i64(quotes, 0)
        n = math.floor(away * steps_a_tick + 0.5)
        return 1 << n if n * step == away and 0 <= n < count else 0
    found = 0
    for q in range(count):
        if i64(quotes, 2 * q) == price:
            found |= 1 << q
    return found


@compiled
def follow(d: int, side: int, out: int, done: int) -> None:
    """Cancel a side's quotes that are not wanted, post what is missing; core/quoter.py says why so."""
    quotes = out + 8 * (OUT_QUOTES + 2 * QUOTES * side)
    count = i64(out, OUT_COUNT + side)
    step = even_step(quotes, count)
    steps_a_tick = 1.0 / step if step else 0.0
    mine, taken = i64(d, p.MINE_AT), 0
    for k in range(i64(d, p.MINE)):
        order = i64(mine, k)
        o = placed(d, order)
        if i64(o, p.PLACED_SIDE) != side:
            continue
        found = matching(quotes, count, step, steps_a_tick, i64(o, p.PLACED_PRICE))
        taken |= found
        if not found and i64(o, p.S_ACK) and not i64(o, p.S_ASKED) and i64(o, p.S_CUM) < i64(o, p.PLACED_QTY):
            put_i64(o, p.S_ASKED, 1)
            push(d, done + i64(d, p.LINK_NS), p.ARRIVAL, p.RISK, make(d, p.CANCEL_ORDER, p.RISK, order))
    for q in range(count):
        if not taken >> q & 1:
            post(d, side, i64(quotes, 2 * q), i64(quotes, 2 * q + 1), done)


@compiled
def place(d: int, side: int, price: int, lots: int) -> int:
    """A new order of the strategy's in the table, its own latest; -1 when there is no room."""
    free = i64(d, p.TABLE_FREE) - 1
    if free < 0:
        put_i64(d, p.BROKEN, p.TABLE_FULL)
        return -1
    put_i64(d, p.TABLE_FREE, free)
    order = i64(i64(d, p.TABLE_FREE_AT), free)
    o = placed(d, order)
    for word in range(p.ORDER_WORDS):
        put_i64(o, word, 0)
    put_i64(o, p.PLACED_PRICE, price)
    put_i64(o, p.PLACED_QTY, lots)
    put_i64(o, p.PLACED_SIDE, side)
    put_i64(o, p.SLOT, -1)
    put_i64(o, p.S_HELD, 1)
    put_i64(o, p.USES, 1)
    put_i64(i64(d, p.MINE_AT), i64(d, p.MINE), order)
    add(d, p.MINE, 1)
    return order


@compiled
def post(d: int, side: int, price: int, lots: int, done: int) -> None:
    """Send a new order."""
    order = place(d, side, price, lots)
    if order >= 0:
        push(d, done + i64(d, p.LINK_NS), p.ARRIVAL, p.RISK, make(d, p.NEW_ORDER, p.RISK, order))


@compiled
def drop(d: int, order: int) -> None:
    """The strategy keeps the order no longer."""
    put_i64(placed(d, order), p.S_HELD, 0)
    mine, last = i64(d, p.MINE_AT), i64(d, p.MINE) - 1
    k = 0
    while k < last and i64(mine, k) != order:
        k += 1
    for later in range(k, last):
        put_i64(mine, later, i64(mine, later + 1))
    put_i64(d, p.MINE, last)
    let_go(d, order)


@compiled
def hear_answer(d: int, m: int) -> None:
    """A report or reject reached the strategy."""
    at = message(d, m)
    order = i64(at, p.ORDER)
    o = placed(d, order)
    put_i64(d, p.STIRRED, 1)
    if i64(at, p.KIND) == p.REPORT and i64(at, p.EXEC) == FILLED:
        lots = i64(at, p.QTY)
        add(d, p.POSITION, -lots if i64(o, p.PLACED_SIDE) == ASK_SIDE else lots)
    if i64(at, p.KIND) == p.REJECT or i64(at, p.EXEC) == REJECTED:
        add(d, p.REFUSALS, 1)
    if i64(at, p.KIND) == p.REPORT and i64(at, p.EXEC) in (ACCEPTED, FILLED):
        put_i64(o, p.S_ACK, 1)
    if i64(o, p.S_HELD) and learn(o, at, p.S_ASKED):
        drop(d, order)


# --- risk ----------------------------------------------------------------------------------------------------------------


@inlined
def value(d: int, price: int, lots: int) -> float:
    """Notional, as Instrument.value computes it."""
    if i64(d, p.INVERSE):
        return lots / price * f64(d, p.UNIT) if price else 0.0
    return price * lots * f64(d, p.UNIT)


@compiled
def refused(d: int, side: int, price: int, lots: int) -> bool:
    """Whether a limit forbids a new order (core/risk/judge.py, in its order)."""
    limit = i64(d, p.LIMIT_ORDERS)
    if lots <= 0 or (limit >= 0 and i64(d, p.WORKING) >= limit):
        return True
    if 0 <= i64(d, p.LIMIT_QTY) < lots:
        return True
    if 0 <= i64(d, p.LIMIT_VALUE_E8) < np.rint(value(d, price, lots) * E8):
        return True
    sign = -1 if side == ASK_SIDE else 1
    position = i64(d, p.RISK_POSITION)
    after = position + sign * (i64(d, p.WORKING_LOTS + side) + lots)
    if abs(after) <= abs(position) and after * position >= 0:
        return False
    if 0 <= i64(d, p.LIMIT_POSITION) < sign * after:
        return True
    return bool(0 <= i64(d, p.LIMIT_EXPOSURE_E8) < np.rint(value(d, price, abs(after)) * E8))


@compiled
def note_request(d: int, time: int, kind: int, o: int) -> None:
    """Into the log of requests."""
    n = i64(d, p.SENT)
    add(d, p.CANCELS if kind == p.CANCEL_ORDER else p.NEWS, 1)
    if n >= i64(d, p.SENT_SIZE):
        put_i64(d, p.BROKEN, p.LOG_FULL)
        return
    at = i64(d, p.SENT_AT) + 8 * p.SENT_WORDS * n
    put_i64(at, p.SENT_NS, time)
    put_i64(at, p.SENT_KIND, int(kind == p.CANCEL_ORDER))
    put_i64(at, p.SENT_SIDE, i64(o, p.PLACED_SIDE))
    put_i64(at, p.SENT_PRICE, i64(o, p.PLACED_PRICE))
    put_i64(at, p.SENT_QTY, i64(o, p.PLACED_QTY))
    put_i64(d, p.SENT, n + 1)


@compiled
def book(d: int, ns: int, side: int, price: int, lots: int, maker: int, number: int) -> None:
    """Into the log of what risk booked; executions with the mid that is known."""
    n = i64(d, p.BOOKED)
    if n >= i64(d, p.BOOKED_SIZE):
        put_i64(d, p.BROKEN, p.LOG_FULL)
        return
    at = i64(d, p.BOOKED_AT) + 8 * p.BOOKED_WORDS * n
    put_i64(at, p.BOOKED_NS, ns)
    put_i64(at, p.BOOKED_SIDE, side)
    put_i64(at, p.BOOKED_PRICE, price)
    put_i64(at, p.BOOKED_QTY, lots)
    put_i64(at, p.BOOKED_MAKER, maker)
    put_i64(at, p.BOOKED_POSITION, i64(d, p.RISK_POSITION))
    put_i64(at, p.BOOKED_MID, i64(d, p.MID_TWICE) if side >= 0 else 0)
    put_i64(at, p.BOOKED_NO, number)
    put_i64(d, p.BOOKED, n + 1)


@compiled
def admit(d: int, o: int, side: int, lots: int) -> None:
    """Risk approves an order: it counts from now on."""
    put_i64(o, p.R_HELD, 1)
    put_i64(o, p.R_LEAVES, lots)
    put_i64(o, p.USES, i64(o, p.USES) + 1)
    add(d, p.WORKING, 1)
    add(d, p.WORKING_LOTS + side, lots)


@compiled
def count_open(d: int, order: int, lots: int) -> None:
    """So much of the order is open, as risk counts; with nothing open it counts no longer."""
    o = placed(d, order)
    if not i64(o, p.R_HELD):
        return
    add(d, p.WORKING_LOTS + i64(o, p.PLACED_SIDE), lots - i64(o, p.R_LEAVES))
    put_i64(o, p.R_LEAVES, lots)
    if lots == 0:
        put_i64(o, p.R_HELD, 0)
        add(d, p.WORKING, -1)
        let_go(d, order)


@compiled
def judge(d: int, time: int, m: int, done: int) -> None:
    """Risk is handed a request."""
    at = message(d, m)
    order = i64(at, p.ORDER)
    o = placed(d, order)
    kind = i64(at, p.KIND)
    note_request(d, time, kind, o)
    if kind == p.CANCEL_ORDER:
        ring_put(d, p.INBOX_AT, forward(d, m, p.GATEWAY))
        return
    side, lots, price = i64(o, p.PLACED_SIDE), i64(o, p.PLACED_QTY), i64(o, p.PLACED_PRICE)
    if refused(d, side, price, lots):
        refusal = make(d, p.REPORT, p.STRATEGY, order)
        put_i64(message(d, refusal), p.EXEC, REJECTED)
        push(d, done + i64(d, p.LINK_NS), p.ARRIVAL, p.STRATEGY, refusal)
        return
    admit(d, o, side, lots)
    ring_put(d, p.INBOX_AT, forward(d, m, p.GATEWAY))


@compiled
def release(d: int, m: int) -> None:
    """Risk is handed a report: executions move the position, and what is no longer open counts no longer."""
    at = message(d, m)
    order = i64(at, p.ORDER)
    o = placed(d, order)
    side = i64(o, p.PLACED_SIDE)
    if i64(at, p.EXEC) == FILLED:
        lots = i64(at, p.QTY)
        add(d, p.RISK_POSITION, -lots if side == ASK_SIDE else lots)
        see_mid(d)
        book(d, i64(at, p.EXCH_NS), side, i64(at, p.PRICE), lots, i64(at, p.MAKER), i64(at, p.EXEC_NO))
    count_open(d, order, i64(at, p.LEAVES))


# --- the gateway ---------------------------------------------------------------------------------------------------------


@compiled
def tell_both(d: int, m: int, done: int) -> None:
    """The gateway tells the strategy, over the link, and risk, beside it."""
    push(d, done + i64(d, p.LINK_NS), p.ARRIVAL, p.STRATEGY, forward(d, m, p.STRATEGY))
    ring_put(d, p.INBOX_AT, forward(d, m, p.RISK))


@compiled
def gate(d: int, m: int, done: int) -> None:
    """The gateway is handed a request or an answer."""
    at = message(d, m)
    kind, order = i64(at, p.KIND), i64(at, p.ORDER)
    o = placed(d, order)
    if kind in (p.REPORT, p.REJECT):
        if i64(o, p.G_HELD) and learn(o, at, p.G_ASKED):
            put_i64(o, p.G_HELD, 0)
            let_go(d, order)
        tell_both(d, m, done)
    elif kind == p.NEW_ORDER:
        put_i64(o, p.G_HELD, 1)
        put_i64(o, p.USES, i64(o, p.USES) + 1)
        push(d, done, p.ARRIVAL, p.VENUE, forward(d, m, p.VENUE))
    elif not i64(o, p.G_HELD) or i64(o, p.G_ASKED) or i64(o, p.G_ENDED) or i64(o, p.G_CUM) >= i64(o, p.PLACED_QTY):
        put_i64(at, p.KIND, p.REJECT)
        tell_both(d, m, done)
    else:
        put_i64(o, p.G_ASKED, 1)
        push(d, done, p.ARRIVAL, p.VENUE, forward(d, m, p.VENUE))


# --- places --------------------------------------------------------------------------------------------------------------


@compiled
def begin(d: int, place: int, now: int) -> None:
    """Schedule a place's next turn: as soon as it is free, at the earliest now."""
    free, turn = (p.MARKET_FREE_AT, p.MARKET_TURN) if place == p.MARKET_PLACE else (p.ACCOUNT_FREE_AT, p.ACCOUNT_TURN)
    if place == p.MARKET_PLACE and i64(d, p.FRAME_NS):
        rows = i64(d, p.REPLAY) + 8 * LOCAL_ROWS
        row, free_at = settle_frames(
            i64(rows, NS), i64(d, p.CHARGED), i64(rows, UPCOMING), i64(d, free), i64(d, p.FRAME_NS), now
        )  # fmt: skip
        put_i64(d, p.CHARGED, row)
        put_i64(d, free, free_at)
    at = max(i64(d, free), now)
    put_i64(d, turn, at)
    push(d, at, p.TURN, place, p.WAKE)


@compiled
def normalize(d: int, now: int) -> int:
    """Put what has arrived of the market into the mailbox, if a wake waits for it; returns the time that it took."""
    if i64(d, p.WAKES) == 0:
        return 0
    s = i64(d, p.REPLAY)
    times, rows = i64(s, LOCAL_ROWS + NS), i64(s, LOCAL_ROWS + UPCOMING)
    absorbed, charged = i64(d, p.ABSORBED), i64(d, p.CHARGED)
    fresh = frames_between(times, absorbed, rows)
    uncharged = frames_between(times, charged, rows) if charged > absorbed else fresh
    put_i64(d, p.ABSORBED, rows)
    put_i64(d, p.CHARGED, rows)
    if fresh == 0:
        return 0
    add(d, p.REPLACED, fresh - 1 + i64(d, p.TICK_WAITS))
    make_tick(d, now)
    put_i64(d, p.TICK_RECEIVED, i64(times, rows - 1))
    put_i64(d, p.TICK_WAITS, 1)
    return uncharged * i64(d, p.FRAME_NS)


@compiled
def make_tick(d: int, now: int) -> None:
    """The newest market, in the place of the tick that waits, whose trades are folded into it."""
    s, tick = i64(d, p.REPLAY), i64(d, p.TICK_AT)
    write_local(s)
    for side in range(2):
        first = VIEW_ASKS if side else VIEW_BIDS
        count = read_levels(s, LOCAL_BOOK, side, i64(d, p.LEVELS), tick + 8 * first)
        put_i64(tick, VIEW_BID_LEVELS + side, count)
        put_i64(tick, VIEW_ASK if side else VIEW_BID, i64(tick, first) if count else 0)
    n = i64(d, p.MARK_NEXT)
    marks = i64(d, p.MARKS_AT)
    while n < i64(d, p.MARKS) and i64(marks, 2 * n) <= now:
        n += 1
    put_i64(d, p.MARK_NEXT, n)
    put_i64(tick, VIEW_MARK, i64(marks, 2 * n - 1) if n else 0)
    newer, older = i64(d, p.TRADES_AT), tick + 8 * VIEW_TRADES
    fold_trades(s, newer)
    if i64(d, p.TICK_WAITS) and i64(older, 0):
        fold_into(newer, older)
    for word in range(9):
        put_i64(older, word, i64(newer, word))


@compiled
def fold_into(newer: int, older: int) -> None:
    """The trades of two intervals as those of one, at `newer` (core/mailbox.py's `fold`)."""
    if not i64(newer, 0):
        for word in range(9):
            put_i64(newer, word, i64(older, word))
        return
    for word in range(4):
        put_i64(newer, word, i64(newer, word) + i64(older, word))
    put_i64(newer, 4, max(i64(newer, 4), i64(older, 4)))
    put_i64(newer, 5, min(i64(newer, 5), i64(older, 5)))
    put_i64(newer, 7, max(i64(newer, 7), i64(older, 7)))
    low, low0 = i64(newer, 8), i64(older, 8)
    put_i64(newer, 8, low0 if not low or 0 < low0 < low else low)


@compiled
def market_turn(d: int, now: int) -> None:
    """A turn of the strategy's place: frames, then one item of the mailbox."""
    put_i64(d, p.MARKET_TURN, p.NEVER)
    time = now + normalize(d, now)
    if i64(d, p.EVERY_HEAD) != i64(d, p.EVERY_TAIL):
        time = hand_message(d, ring_take(d, p.EVERY_AT), time)
    elif i64(d, p.WAKES):
        add(d, p.HANDLED, 1)
        if i64(d, p.TICK_WAITS) and not i64(d, p.OVERTAKEN):
            put_i64(d, p.OVERTAKEN, 1)
            add(d, p.DELIVERED, 1)
            put_i64(d, p.AGE_MAX, max(i64(d, p.AGE_MAX), time - i64(d, p.TICK_RECEIVED)))
            hear_tick(d)
            time += i64(d, p.TICK_NS)
        else:
            add(d, p.WAKES, -1)
            put_i64(d, p.OVERTAKEN, i64(d, p.OVERTAKEN) if i64(d, p.WAKES) else 0)
            done = time + i64(d, p.TIMER_NS)
            hear_wake(d, time, done)
            time = done
    put_i64(d, p.MARKET_FREE_AT, time)
    if i64(d, p.EVERY_HEAD) != i64(d, p.EVERY_TAIL) or i64(d, p.WAKES):
        begin(d, p.MARKET_PLACE, time)


@compiled
def hand_message(d: int, m: int, time: int) -> int:
    """Give the strategy what its every lane held; returns when it is done with it."""
    add(d, p.HANDLED, 1)
    kind = i64(message(d, m), p.KIND)
    if kind == p.TRADE_ON:
        put_i64(d, p.TRADING, 1)
    elif kind == p.START:
        plan_wake(d, time)
    elif kind in (p.REPORT, p.REJECT):
        hear_answer(d, m)
    done_with(d, m)
    return time + (i64(d, p.ORDER_NS) if kind in (p.TRADE_ON, p.START) else i64(d, p.REPORT_NS))


@compiled
def account_turn(d: int, now: int) -> None:
    """A turn of the account's place: what waited at its start, in order."""
    put_i64(d, p.ACCOUNT_TURN, p.NEVER)
    time = now
    for _ in range(i64(d, p.INBOX_TAIL) - i64(d, p.INBOX_HEAD)):
        m = ring_take(d, p.INBOX_AT)
        add(d, p.HANDLED, 1)
        at = message(d, m)
        kind = i64(at, p.KIND)
        done = time + (i64(d, p.ORDER_NS) if kind in (p.NEW_ORDER, p.CANCEL_ORDER) else i64(d, p.REPORT_NS))
        if i64(at, p.WHOM) == p.GATEWAY:
            gate(d, m, done)
        elif kind in (p.NEW_ORDER, p.CANCEL_ORDER):
            judge(d, time, m, done)
        elif kind == p.REPORT:
            release(d, m)
        elif kind == p.FUND:
            book(d, time, -1, i64(at, p.EXEC), i64(d, p.RISK_POSITION), 0, 0)
        done_with(d, m)
        time = done
    put_i64(d, p.ACCOUNT_FREE_AT, time)
    if i64(d, p.INBOX_HEAD) != i64(d, p.INBOX_TAIL):
        begin(d, p.ACCOUNT_PLACE, time)


# --- the run -------------------------------------------------------------------------------------------------------------


@compiled
def see_mid(d: int) -> tuple[int, int]:
    """The best prices that are known, 0 and 0 unless there are two; keeps the last mid."""
    s = i64(d, p.REPLAY)
    bid, ask = i64(s, LOCAL_BOOK + BEST), -i64(s, LOCAL_BOOK + BEST + ASK_SIDE)
    if bid == NOWHERE or ask == -NOWHERE:
        return 0, 0
    put_i64(d, p.MID_TWICE, bid + ask)
    return bid, ask


@compiled
def sample(d: int, now: int) -> None:
    """Into the log of samples: market, own quotes, position."""
    bid, ask = see_mid(d)
    n = i64(d, p.SAMPLES)
    if n >= i64(d, p.SAMPLES_SIZE):
        put_i64(d, p.BROKEN, p.LOG_FULL)
        return
    own_bid, own_ask = 0, 0
    for order in range(p.TABLE):
        o = placed(d, order)
        if i64(o, p.G_HELD) and not i64(o, p.G_ENDED) and i64(o, p.G_CUM) < i64(o, p.PLACED_QTY):
            price = i64(o, p.PLACED_PRICE)
            if i64(o, p.PLACED_SIDE) == BID_SIDE:
                own_bid = max(own_bid, price)
            else:
                own_ask = min(own_ask, price) if own_ask else price
    at = i64(d, p.SAMPLES_AT) + 8 * p.SAMPLE_WORDS * n
    put_i64(at, p.SAMPLE_AT, now)
    put_i64(at, p.SAMPLE_BID, bid)
    put_i64(at, p.SAMPLE_ASK, ask)
    put_i64(at, p.SAMPLE_MID, i64(d, p.MID_TWICE))
    put_i64(at, p.SAMPLE_OWN_BID, own_bid)
    put_i64(at, p.SAMPLE_OWN_ASK, own_ask)
    put_i64(at, p.SAMPLE_POSITION, i64(d, p.RISK_POSITION))
    put_i64(at, p.BOOKED_SO_FAR, i64(d, p.BOOKED))
    put_i64(d, p.SAMPLES, n + 1)


@compiled
def plan_sample(d: int, now: int) -> None:
    """The next sample, if the run reaches it."""
    due = now // i64(d, p.SAMPLE_NS) * i64(d, p.SAMPLE_NS) + i64(d, p.SAMPLE_NS)
    if due < i64(d, p.END):
        push(d, due, p.OBSERVE, p.OBSERVER, p.WAKE)


@compiled
def take_event(d: int, now: int) -> None:
    """The first event's time has come."""
    first = event(d, 0)
    target, m = i64(first, p.TARGET), i64(first, p.MESSAGE)
    pop(d)
    if target == p.STRATEGY:
        if m == p.WAKE:
            add(d, p.WAKES, 1)
        else:
            ring_put(d, p.EVERY_AT, m)
        if i64(d, p.MARKET_TURN) == p.NEVER:
            begin(d, p.MARKET_PLACE, now)
    elif target in (p.RISK, p.GATEWAY):
        ring_put(d, p.INBOX_AT, m)
        if i64(d, p.ACCOUNT_TURN) == p.NEVER:
            more = i64(d, p.HEAP_SIZE) > 0 and i64(event(d, 0), p.AT) <= now
            if i64(d, p.ACCOUNT_FREE_AT) > now or more:
                begin(d, p.ACCOUNT_PLACE, now)
            else:
                account_turn(d, now)
    elif target == p.VENUE:
        ask_venue(d, now, m)
    elif target == p.MARKET_PLACE:
        market_turn(d, now)
    elif target == p.ACCOUNT_PLACE:
        account_turn(d, now)
    else:
        sample(d, now)
        plan_sample(d, now)


@compiled
def run_road(d: int, until: int) -> bool:
    """Take events until none is left before `until`; False when the run broke (BROKEN says by what)."""
    while not i64(d, p.BROKEN):
        due = i64(event(d, 0), p.AT) if i64(d, p.HEAP_SIZE) else p.NEVER
        last = due >= until
        pushed = i64(d, p.PUSHED)
        reached = advance_market(d, until - 1 if last else due)
        if i64(d, p.PUSHED) != pushed:
            put_i64(d, p.NOW, reached)
            continue
        put_i64(d, p.NOW, until if last else due)
        if last:
            return True
        take_event(d, due)
    return False
