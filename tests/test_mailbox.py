"""The mailbox: newest market, every report, no stale queue."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from core.mailbox import Mailbox, fold
from core.message import NO_TRADES, ExecutionReport, Message, Tick, Timer, Trades


def tick(symbol: str = "BTCUSDT", received: int = 0, trades: Trades = NO_TRADES) -> Tick:
    return Tick(symbol, received, received, received, 0, ((10, 1),), ((11, 1),), 0, trades)


def folded(*trades: tuple[int, int, bool]) -> Trades:
    """Trades as (price, qty, buy) folded the slow and plain way."""
    if not trades:
        return NO_TRADES
    buys, sells = [(p, q) for p, q, buy in trades if buy], [(p, q) for p, q, buy in trades if not buy]
    prices = [p for p, _, _ in trades]
    return (
        len(trades),
        sum(q for _, q in buys),
        sum(q for _, q in sells),
        sum(p * q for p, q, _ in trades),
        max(prices),
        min(prices),
        prices[-1],
        max((p for p, _ in buys), default=0),
        min((p for p, _ in sells), default=0),
    )


def test_a_newer_tick_takes_the_place_of_the_one_that_waits() -> None:
    box = Mailbox()
    box.put(tick(received=1))
    box.put(tick(received=2))
    assert len(box) == 1
    taken = box.take(5)
    assert isinstance(taken, Tick)
    assert taken.received == 2
    assert (box.received, box.delivered, box.replaced, box.age_ns_max) == (2, 1, 1, 3)
    assert box.take(6) is None


def test_reports_come_first_and_in_order_then_ticks_then_wakes() -> None:
    box = Mailbox()
    box.put(Timer(key="a"))
    box.put(tick("ETHUSDT"))
    box.put(ExecutionReport(exec_id="1"))
    box.put(tick("BTCUSDT"))
    box.put(ExecutionReport(exec_id="2"))
    order = [box.take(0) for _ in range(5)]
    assert [one.exec_id for one in order[:2]] == ["1", "2"]
    assert [one.symbol for one in order[2:4]] == ["ETHUSDT", "BTCUSDT"]
    assert isinstance(order[4], Timer)


def test_a_wake_is_not_starved_by_a_market_that_never_rests() -> None:
    box = Mailbox()
    box.put(Timer(key="quote"))
    box.put(tick(received=1))
    assert isinstance(box.take(1), Tick)
    box.put(tick(received=2))
    assert isinstance(box.take(2), Timer)
    assert isinstance(box.take(3), Tick)


def test_a_sampling_strategy_is_handed_the_market_only_with_its_wake() -> None:
    box = Mailbox(sampling=True)
    box.put(tick(received=1))
    assert box.take(1) is None
    assert not box.ready
    assert not box.wants_market
    box.put(Timer(key="quote"))
    assert box.wants_market
    assert isinstance(box.take(2), Tick)
    assert isinstance(box.take(2), Timer)


def test_what_traded_is_not_lost_with_the_tick_that_carried_it() -> None:
    box = Mailbox()
    box.put(tick(trades=folded((10, 2, True), (12, 1, True))))
    box.put(tick())
    box.put(tick(trades=folded((9, 5, False))))
    taken = box.take(0)
    assert isinstance(taken, Tick)
    assert taken.trades == folded((10, 2, True), (12, 1, True), (9, 5, False))
    assert (taken.trade_count, taken.buy_qty, taken.sell_qty) == (3, 3, 5)
    assert (taken.trade_high, taken.trade_low, taken.trade_last, taken.buy_high, taken.sell_low) == (12, 9, 9, 12, 9)
    assert taken.vwap == (20 + 12 + 45) / 8


trade = st.tuples(st.integers(1, 100), st.integers(1, 9), st.booleans())


@given(st.lists(trade, max_size=6), st.lists(trade, max_size=6))
def test_folding_two_intervals_is_folding_all_their_trades(first: list, second: list) -> None:
    assert fold(folded(*first), folded(*second)) == folded(*first, *second)


@given(st.lists(st.sampled_from(["tick A", "tick B", "report", "wake", "take"]), max_size=60), st.booleans())
def test_nothing_of_the_every_lane_is_lost_or_reordered_and_the_counters_add_up(moves: list[str], sampling: bool) -> None:
    box = Mailbox(sampling)
    sent, seen, newest = deque[str](), [], {"A": 0, "B": 0}
    for now, move in enumerate(moves):
        match move.split():
            case ["tick", symbol]:
                box.put(tick(symbol, now))
                newest[symbol] = now
            case ["report"]:
                box.put(ExecutionReport(exec_id=str(now)))
                sent.append(str(now))
            case ["wake"]:
                box.put(Timer(key="w"))
            case ["take"]:
                taken: Message | None = box.take(now)
                if isinstance(taken, ExecutionReport):
                    seen.append(taken.exec_id)
                elif isinstance(taken, Tick):
                    assert taken.received == newest[taken.symbol]
        assert box.received >= box.delivered + box.replaced
    assert seen == list(sent)[: len(seen)]
    while box._every:
        seen.append(box.take(0).exec_id)
    assert seen == list(sent)
