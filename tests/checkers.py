"""What must be true of a run, whatever the faults: checked from outside, from the venue's log and what nodes say of themselves.

Names are those of the reliability page. None of them uses the code under test to find out what is true: the venue's log is
folded here, anew, in the plainest way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from actors.launch import Simulation
from actors.sim.host import SimHost
from core.message import ExecType, ExecutionReport, Message, NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest
from core.node import Node
from core.outcome import ASK_EVERY_NS, PROOF_NS
from core.retrace import retrace

REQUESTS = (NewOrderSingle, OrderCancelRequest, OrderCancelReplaceRequest)
UNKNOWN_NS_MAX = PROOF_NS + 3 * ASK_EVERY_NS
Log = Sequence[ExecutionReport]


def position(log: Log) -> int:
    """Lots: the sum of the venue's executions."""
    return sum(one.last_qty * (1 if one.side == 1 else -1) for one in log if one.exec_type == ExecType.TRADE)


def executions_counted_once(simulation: Simulation, symbol: str, log: Log) -> Iterator[str]:
    """I1 and I3: every execution of the venue is in the ledger once, and the position is their sum, here and there."""
    executed = Counter(one.exec_id for one in log if one.exec_type == ExecType.TRADE)
    booked = Counter(one.exec_id for one in simulation.risk.ledger.accounts[symbol].executions)
    if executed != booked:
        yield f"I1: executed and not booked: {executed - booked}; booked and not the venue's: {booked - executed}"
    for name, strategy in simulation.strategies.items():
        if strategy.position(symbol) != position(log):
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


def sent_once(sent: Sequence[Message]) -> Iterator[str]:
    """H1: no request leaves twice under one id."""
    left = Counter(one.cl_ord_id for one in sent if isinstance(one, REQUESTS))
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


def tape_repeats(fresh: Mapping[str, Node], host: SimHost) -> Iterator[str]:
    """I6: fresh nodes that are fed the tape send the same bytes, all of them, and nothing else."""
    assert host.tape is not None
    for difference in islice(retrace(fresh, host.tape.entries()), 2):
        yield f"I6: {difference}"


def doubts_end(unknown_since: Mapping[str, int], decided: Mapping[str, int], back: Sequence[int], bounded: bool) -> Iterator[str]:
    """I15: what was unknown is decided, and in time wherever queries were answered (`bounded`).

    Time counts from when there was last nobody to ask: `back` are the times at which a dead process came back.
    """
    for cl_ord_id, since in unknown_since.items():
        end = decided.get(cl_ord_id)
        if end is None:
            yield f"I15: {cl_ord_id} is still unknown"
        elif bounded and (took := end - max([since, *(one for one in back if one <= end)])) > UNKNOWN_NS_MAX:
            yield f"I15: {cl_ord_id} was unknown for {took / 1e9:.1f} s"
