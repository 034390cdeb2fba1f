"""What must be true of a run, whatever the faults: checked from outside, from the venue's log and what nodes say of themselves.

Names are those of the reliability page. None of them uses the code under test to find out what is true: the venue's log is
folded here, anew, in the plainest way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice

from actors.launch import Simulation
from core.codec import decode, encode
from core.message import (
    Command,
    ExecType,
    ExecutionReport,
    Levels,
    MarkPrice,
    Message,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    SecurityStatus,
    Tick,
    TradingState,
)
from core.node import Node
from core.outcome import ASK_EVERY_NS, PROOF_NS
from core.retrace import retrace
from core.tape import read

ORDERS = (NewOrderSingle, OrderCancelReplaceRequest)
REQUESTS = (NewOrderSingle, OrderCancelRequest, OrderCancelReplaceRequest)
UNKNOWN_NS_MAX = PROOF_NS + 3 * ASK_EVERY_NS
BEHIND_MAX = 3
"""Updates that may be under way when a run ends."""
Log = Sequence[ExecutionReport]


def position(log: Log) -> int:
    """Lots: the sum of the venue's executions."""
    return sum(one.last_qty * (1 if one.side == 1 else -1) for one in log if one.exec_type == ExecType.TRADE)


def executions_counted_once(simulation: Simulation, symbol: str, log: Log, strategies: bool = True) -> Iterator[str]:
    """I1 and I3: every execution of the venue is in the ledger once, and the position is their sum, here and there.

    Whose orders were on a part of the tape that is gone nobody knows: then only the account's position is (no `strategies`).
    """
    executed = Counter(one.exec_id for one in log if one.exec_type == ExecType.TRADE)
    booked = Counter(one.exec_id for one in simulation.risk.ledger.accounts[symbol].executions)
    if executed != booked:
        yield f"I1: executed and not booked: {executed - booked}; booked and not the venue's: {booked - executed}"
    for name, strategy in simulation.strategies.items():
        if strategies and strategy.position(symbol) != position(log):
            yield f"I3: {name} holds {strategy.position(symbol)}, the venue's executions make {position(log)}"


def one_order_an_intent(log: Log) -> Iterator[str]:
    """I2: no id is accepted twice."""
    accepted = Counter(one.cl_ord_id for one in log if one.exec_type == ExecType.NEW)
    yield from (f"I2: {cl_ord_id} became {count} orders" for cl_ord_id, count in accepted.items() if count > 1)


def open_orders_equal(simulation: Simulation, symbol: str, states: Mapping[str, ExecutionReport]) -> Iterator[str]:
    """I4: once all is settled, what works here works there, with as much left; in the gateway, in risk and in the strategy."""
    there = {one.cl_ord_id: one.leaves_qty for one in states.values()}
    orders = simulation.gateways[symbol].orders.values()
    gateway = {one.cl_ord_id: one.leaves_qty for one in orders if one.working}
    if gateway != there:
        yield f"I4: the gateway's open orders are {gateway}, the venue's {there}"
    strategy = {one.cl_ord_id: one.leaves_qty for node in simulation.strategies.values() for one in node.orders.values()}
    if strategy != there:
        yield f"I4: the strategy's open orders are {strategy}, the venue's {there}"
    for side in (1, 2):
        signed = sum(one.leaves_qty for one in states.values() if one.side == side) * (1 if side == 1 else -1)
        if simulation.risk.exposed(symbol, side) != simulation.risk.ledger.position(symbol) + signed:
            yield f"I4: risk counts {simulation.risk.exposed(symbol, side)} on side {side}, the venue has {signed} open"


def sent_once(sent: Sequence[Message], kinds: tuple[type[Message], ...]) -> Iterator[str]:
    """H1: no request of these kinds leaves twice under one id."""
    left = Counter(one.cl_ord_id for one in sent if isinstance(one, kinds))  # type: ignore[attr-defined]
    yield from (f"H1: {cl_ord_id} left {count} times" for cl_ord_id, count in left.items() if count > 1)


def limit_kept(log: Log, limit: int) -> Iterator[str]:
    """I5: the position that the venue's executions make stays within the limit at every moment."""
    held = 0
    for one in log:
        if one.exec_type == ExecType.TRADE:
            held += one.last_qty * (1 if one.side == 1 else -1)
            if abs(held) > limit:
                yield f"I5: {held} lots after {one.exec_id}, the limit is {limit}"


def quantities_add_up(log: Log, seen: Sequence[ExecutionReport]) -> Iterator[str]:
    """I9: CumQty as handed to the strategy never falls, and never passes what the venue executed."""
    most: Counter[str] = Counter()
    executed: Counter[str] = Counter()
    for one in log:
        executed[one.order_id] += one.last_qty if one.exec_type == ExecType.TRADE else 0
    for one in seen:
        if not one.order_id:
            continue
        if one.cum_qty < most[one.order_id] or one.cum_qty > executed[one.order_id]:
            yield f"I9: CumQty {one.cum_qty} of {one.cl_ord_id} after {most[one.order_id]}, of {executed[one.order_id]} executed"
        most[one.order_id] = max(most[one.order_id], one.cum_qty)


def tape_repeats(fresh: Mapping[str, Node], tape: Iterable[bytes]) -> Iterator[str]:
    """I6: fresh nodes that are fed the tape send the same bytes, all of them, and nothing else."""
    for difference in islice(retrace(fresh, tape), 2):
        yield f"I6: {difference}"


def doubts_end(
    unknown_since: Mapping[str, int], decided: Mapping[str, int], back: Sequence[int], most_ns: int | None
) -> Iterator[str]:
    """I15: what was unknown is decided, and within a time wherever queries were answered.

    Time counts from when there was last nobody to ask: `back` are the times at which a dead process came back.
    """
    for cl_ord_id, since in unknown_since.items():
        end = decided.get(cl_ord_id)
        if end is None:
            yield f"I15: {cl_ord_id} is still unknown"
        elif most_ns is not None and (took := end - max([since, *(one for one in back if one <= end)])) > most_ns:
            yield f"I15: {cl_ord_id} was unknown for {took / 1e9:.1f} s"


def approved_equals_left(approved: Sequence[Message], left: Sequence[bytes]) -> Iterator[str]:
    """I8: an order that left for the venue is, byte for byte, one that risk had let pass; cancels need nobody's approval."""
    passed = {encode(one) for one in approved if isinstance(one, ORDERS)}
    for frame in left:
        message = decode(frame)
        if isinstance(message, ORDERS) and frame not in passed:
            yield f"I8: risk never let pass what left: {message}"


def every_lane_whole(sent: Sequence[Message], taken: Sequence[Message], whole: bool) -> Iterator[str]:
    """I10: the requests that a strategy sent in one life were taken by risk in the order sent; all of them, unless it died."""
    left = [one.cl_ord_id for one in sent if isinstance(one, REQUESTS)]
    mine = set(left)
    come = [one for one in dict.fromkeys(one.cl_ord_id for one in taken if isinstance(one, REQUESTS)) if one in mine]
    if come != (left if whole else left[: len(come)]):
        place = next((place for place, pair in enumerate(zip(left, come, strict=False)) if pair[0] != pair[1]), len(come))
        instead = come[place : place + 1]
        yield f"I10: request {place} of {len(left)}: sent {left[place : place + 1]}, taken {instead} of {len(come)}"


def nothing_older(taken: Sequence[Message]) -> Iterator[str]:
    """I11: no tick that a strategy takes shows an older book than one that it took before."""
    newest = 0
    for one in taken:
        if isinstance(one, Tick) and one.update_id:
            if one.update_id < newest:
                yield f"I11: update {one.update_id} taken after {newest}"
            newest = max(newest, one.update_id)


def book_true(taken: Sequence[Message], books: Mapping[int, tuple[Levels, Levels]], last: bool) -> Iterator[str]:
    """The book in a tick is the venue's as of its update, or there is none; and at the end (`last`) it is the newest."""
    ticks = [one for one in taken if isinstance(one, Tick)]
    for one in ticks:
        if one.update_id and (one.bids, one.asks) != books.get(one.update_id):
            yield f"book: update {one.update_id} shows {one.bids[:2]} {one.asks[:2]}, the venue's was {books.get(one.update_id)}"
            return
    behind = sum(update > ticks[-1].update_id for update in books) if ticks else len(books)
    if last and behind > BEHIND_MAX:
        yield f"book: the last tick shows update {ticks[-1].update_id if ticks else 'none'} of {max(books)}, {behind} behind"


def money_conserved(simulation: Simulation, symbol: str, log: Log) -> Iterator[str]:
    """I13: the account's cash is what the venue's executions and their fees come to, to the last digit."""
    account = simulation.risk.ledger.accounts[symbol]
    unit = (
        Decimal(account.instrument.tick_size) * Decimal(account.instrument.lot_size) * Decimal(account.instrument.contract_value)
    )
    fills = [one for one in log if one.exec_type == ExecType.TRADE]
    flow = sum(-one.last_qty * one.last_px * (1 if one.side == 1 else -1) for one in fills) * unit
    cash = flow - Decimal(sum(one.commission_e8 for one in fills)) / 10**8
    if account.cash_exact != cash:
        yield f"I13: cash is {account.cash_exact}, the venue's executions make {cash}"


def cured_at_once(refused: Mapping[str, int], stood: int) -> Iterator[str]:
    """A request that the venue refused for its time is refused once, but for how often the clock stood still since."""
    said = ((cl_ord_id, times) for cl_ord_id, times in refused.items() if times > 1 + stood)
    yield from (f"clock: {cl_ord_id} was refused {times} times for its time" for cl_ord_id, times in said)


def clock_never_back(tape: Iterable[bytes]) -> Iterator[str]:
    """No node is handed a time before the one that it was handed last, in whichever life of its process."""
    last: dict[str, int] = {}
    for line in read(tape):
        if line.now < last.get(line.node, 0):
            yield f"clock: {line.node} was handed {line.now} after {last[line.node]}"
        last[line.node] = line.now


def on_tape(frame: bytes, entries: Iterable[bytes]) -> bool:
    """E1: whether some node sent this message, by the tape: what leaves was written down before."""
    return any(line.way == ">" and line.frame == frame for line in read(entries))


def trading_stops(tape: Iterable[bytes], stale_ns: int | None) -> Iterator[str]:
    """I12: risk lets no new order pass while a source says HALT (killed, not reconciled), and none that adds to the position
    while nothing was heard of the market for `stale_ns` (None: the account is not guarded).
    """
    halted: dict[str, str] = {}
    executions: set[str] = set()
    held, heard = 0, -(1 << 62)
    for line in read(tape):
        if line.node != "risk" or line.way not in "<>":
            continue
        message = decode(line.frame)
        if line.way == ">":
            if not isinstance(message, ORDERS):
                continue
            adds = held * (1 if message.side == 1 else -1) >= 0
            if halted:
                yield f"I12: {message.cl_ord_id} passed while {halted}"
            elif stale_ns is not None and adds and line.now - heard > stale_ns:
                yield f"I12: {message.cl_ord_id} passed {(line.now - heard) / 1e9:.1f} s after the last news of the market"
        elif isinstance(message, SecurityStatus):
            halted.pop(message.source, None)
            if message.state == TradingState.HALT:
                halted[message.source] = message.text
        elif isinstance(message, Command) and message.verb == "kill":
            halted["operator"] = "killed"
        elif isinstance(message, Command) and message.verb == "resume":
            halted.pop("operator", None)
            halted.pop("door", None)
        elif isinstance(message, MarkPrice):
            heard = line.now
        elif isinstance(message, ExecutionReport) and message.exec_type == ExecType.TRADE and message.exec_id not in executions:
            executions.add(message.exec_id)
            held += message.last_qty * (1 if message.side == 1 else -1)
