"""The open bar: what simulated days know from columns, made of trades one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.bars import bars
from core.openbar import PATIENCE_NS, OpenBar

SECOND = 1_000_000_000


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(1, 1000), st.integers(1, 50)), min_size=1, max_size=40))
def test_trades_in_order_make_the_bars_that_their_columns_make(steps: list[tuple[int, int, int]]) -> None:
    ns = np.cumsum([pause for pause, _, _ in steps])
    price, qty = np.array([one[1] for one in steps]), np.array([one[2] for one in steps])
    one = OpenBar("BTCUSDT", 2 * SECOND)
    made = [one.trade(int(at), int(at), int(p), int(q)) for at, p, q in zip(ns, price, qty, strict=True)]
    closed = [bar for bar in [*made, one.close(0)] if bar is not None]
    wanted = bars(ns, price, qty, 2 * SECOND)
    assert [bar.open_time for bar in closed] == wanted.open_ns.tolist()
    for name in ("open", "high", "low", "close", "volume", "trades"):
        assert [getattr(bar, name) for bar in closed] == getattr(wanted, name).tolist()
    assert [bar.notional for bar in closed] == wanted.notional
    assert one.late == 0


def test_a_bar_without_a_later_trade_closes_a_second_after_its_end_and_a_trade_of_it_that_comes_then_is_late() -> None:
    one = OpenBar("BTCUSDT", SECOND)
    assert one.due == 0
    one.trade(10, 10, 100, 1)
    assert one.due == SECOND + PATIENCE_NS
    assert one.elapse(one.due - 1) is None
    closed = one.elapse(SECOND + PATIENCE_NS)
    assert closed is not None
    assert (closed.open_time, closed.received) == (0, SECOND + PATIENCE_NS)
    assert one.trade(3 * SECOND, 20, 100, 1) is None
    assert one.late == 1
    assert one.elapse(10 * SECOND) is None


def test_a_trade_of_an_earlier_bar_than_the_open_one_changes_nothing() -> None:
    one = OpenBar("BTCUSDT", SECOND)
    one.trade(5 * SECOND, 5 * SECOND, 100, 1)
    assert one.trade(5 * SECOND, 4 * SECOND, 999, 1) is None
    closed = one.close(0)
    assert closed is not None
    assert (closed.high, closed.trades, one.late) == (100, 1, 1)
