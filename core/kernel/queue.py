"""Queue models: how many lots stand before an own order at its level, and what trades and diffs say about that.

A level's quantity is public, the order of the queue is not. When an order arrives, everything at its level stands before it.
A trade at the level eats from the front. When the level shrinks without a trade, someone has left, and the models differ in
whom they suspect:

- `risk`: always someone behind us; the front only shrinks when the level itself becomes smaller than it.
- the probability models: with f before and b behind us, the share that leaves from behind is p(f, b). `power` n: b^n/(b^n+f^n);
  `power2`: b^n/(b+f)^n; `power3`: 1-(f/(f+b))^n; `log`: ln(1+b)/(ln(1+b)+ln(1+f)); `log2`: ln(1+b)/ln(1+b+f).
  What traded since the level last changed (`traded`) has already been taken from the front and is not counted again.
- the bounds: `front` is first in its queue at once, `back` is never: it fills only when a trade goes through its price. No
  queue model can fill more than the one or, of what trades at the level, less than the other.

All quantities are in units, not lots: the logarithms are not scale-free. The formulas are FIDELITY section 6's, in the
reference's order of operations, since half a lot decides and a rounding error can be half a lot.
"""

from __future__ import annotations

import math

from core.kernel.memory import compiled, f64, i64, inlined, put_f64
from core.kernel.state import (
    BACK_BOUND,
    FRONT,
    FRONT_BOUND,
    LOG,
    LOT_SIZE,
    LOTS_PER_UNIT,
    POWER,
    POWER2,
    POWER3,
    QUEUE_KIND,
    QUEUE_POWER,
    RISK,
    TRADED,
)


@inlined
def units(s: int, lots: int) -> float:
    """Lots as a quantity: the double nearest to the decimal (7 lots of 0.001 are 0.007, which 7 * 0.001 is not)."""
    per_unit = f64(s, LOTS_PER_UNIT)
    return lots / per_unit if per_unit > 0 else lots * f64(s, LOT_SIZE)


@compiled
def share_behind(kind: int, n: float, front: float, back: float) -> float:
    """p(f, b): the share of those leaving that leave from behind the order. Infinite counts as 1; NaN stays."""
    if kind == POWER:
        p = back**n / (back**n + front**n)
    elif kind == POWER2:
        p = back**n / (back + front) ** n
    elif kind == POWER3:
        p = 1.0 - (front / (front + back)) ** n
    elif kind == LOG:
        p = math.log(1.0 + back) / (math.log(1.0 + back) + math.log(1.0 + front))
    else:
        p = math.log(1.0 + back) / math.log(1.0 + back + front)
    return 1.0 if math.isinf(p) else p


@inlined
def smaller(a: float, b: float) -> float:
    """The minimum that ignores a NaN."""
    if math.isnan(a):
        return b
    if math.isnan(b):
        return a
    return min(a, b)


@compiled
def queue_entered(s: int, slot: int, level_lots: int) -> None:
    """An order arrives at a level that shows `level_lots`."""
    front = units(s, level_lots) if i64(s, QUEUE_KIND) != FRONT_BOUND else 0.0
    put_f64(slot, FRONT, front)
    put_f64(slot, TRADED, 0.0)


@compiled
def queue_traded(s: int, slot: int, lots: int) -> None:
    """A trade of `lots` at the order's level, by the other side."""
    kind = i64(s, QUEUE_KIND)
    if kind != BACK_BOUND:
        qty = units(s, lots)
        put_f64(slot, FRONT, f64(slot, FRONT) - qty)
        put_f64(slot, TRADED, f64(slot, TRADED) + qty)


@compiled
def queue_changed(s: int, slot: int, previous_lots: int, new_lots: int) -> None:
    """The order's level goes from `previous_lots` to `new_lots`."""
    kind = i64(s, QUEUE_KIND)
    if kind in (FRONT_BOUND, BACK_BOUND):
        return
    front = f64(slot, FRONT)
    new = units(s, new_lots)
    if kind == RISK:
        put_f64(slot, FRONT, min(front, new))
        return
    previous = units(s, previous_lots)
    left = previous - new - f64(slot, TRADED)
    put_f64(slot, TRADED, 0.0)
    if left < 0.0:
        put_f64(slot, FRONT, smaller(front, new))
        return
    back = previous - front
    # With nothing before us and something behind, every model says 1: most of the calls, and the powers are dear.
    p = 1.0 if front == 0.0 and back > 0.0 else share_behind(kind, f64(s, QUEUE_POWER), front, back)
    estimate = front - (1.0 - p) * left + smaller(back - p * left, 0.0)
    put_f64(slot, FRONT, smaller(estimate, new))


@compiled
def queue_reached(s: int, slot: int) -> int:
    """How many lots of the last trade reach the order: what exceeded the front by more than half a lot. The front is then 0."""
    if i64(s, QUEUE_KIND) == BACK_BOUND:
        return 0
    ratio = -f64(slot, FRONT) / f64(s, LOT_SIZE)
    lots = math.floor(ratio + 0.5) if ratio >= 0.0 else 0
    if lots > 0:
        put_f64(slot, FRONT, 0.0)
        return int(lots)
    return 0
