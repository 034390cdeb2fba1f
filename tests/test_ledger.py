"""The ledger against a slow plain twin in fractions, and what it conserves."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.account import INVERSE_UNITS, Account
from core.instrument import Instrument, Key
from core.ledger import Ledger
from core.message import ExecType, ExecutionReport, Funding, PositionReport
from core.price import BUY, E8, SELL

LINEAR = Instrument(Key("binance_usdm", "BTCUSDT"), "0.10", "0.001")
INVERSE = Instrument(Key("binance_coinm", "BTCUSD"), "0.1", "1", contract_value="100", inverse=True, base="BTC", quote="USD")
OTHER = Instrument(Key("binance_usdm", "ETHUSDT"), "0.01", "0.001")


def fill(exec_id: str, side: int, qty: int, price: int, fee_e8: int = 0, symbol: str = "BTCUSDT") -> ExecutionReport:
    return ExecutionReport(
        symbol=symbol,
        exec_id=exec_id,
        exec_type=ExecType.TRADE,
        side=side,  # type: ignore[arg-type]
        last_qty=qty,
        last_px=price,
        commission_e8=fee_e8,
    )


def bust(exec_id: str, of: str, symbol: str = "BTCUSDT") -> ExecutionReport:
    return ExecutionReport(symbol=symbol, exec_id=exec_id, exec_ref_id=of, exec_type=ExecType.TRADE_CANCEL)


def booked(*reports: ExecutionReport, instrument: Instrument = LINEAR) -> Account:
    ledger = Ledger([instrument])
    for report in reports:
        ledger.apply(report)
    return ledger.of(instrument.symbol)


# --- stories


def test_a_position_opens_grows_shrinks_and_flips_at_average_cost() -> None:
    ledger = Ledger([LINEAR])
    one = ledger.of("BTCUSDT")
    ledger.apply(fill("a", BUY, 10, 1000))
    ledger.apply(fill("b", BUY, 10, 1010))
    assert (one.position, one.avg_price, one.realised) == (20, 1005.0, 0.0)
    ledger.apply(fill("c", SELL, 5, 1025))
    assert (one.position, one.avg_price) == (15, 1005.0)
    assert one.realised == pytest.approx(5 * 20 * 0.0001)
    ledger.apply(fill("d", SELL, 20, 1000))
    assert (one.position, one.avg_price) == (-5, 1000.0)
    assert one.realised == pytest.approx((5 * 20 - 15 * 5) * 0.0001)
    assert one.unrealised(990) == pytest.approx(5 * 10 * 0.0001)
    ledger.apply(fill("e", BUY, 5, 990))
    assert (one.position, one.avg_price, one.unrealised(1)) == (0, 0.0, 0.0)
    assert one.cash == pytest.approx(one.realised)
    assert (one.trades, one.turnover) == (5, pytest.approx((10000 + 10100 + 5125 + 20000 + 4950) * 0.0001))
    assert ledger.position("BTCUSDT") == 0


def test_fees_and_rebates_move_cash_exactly() -> None:
    one = booked(fill("a", BUY, 1, 1000, fee_e8=3), fill("b", SELL, 1, 1000, fee_e8=-5))
    assert one.cash_exact == Decimal("0.00000002")
    assert (one.fees, one.cash) == (-2 / E8, 2 / E8)
    assert one.equity(1234.5) == one.cash


def test_an_inverse_long_gains_coins_when_the_price_rises() -> None:
    one = booked(fill("a", BUY, 5, 500_000, symbol="BTCUSD"), instrument=INVERSE)
    assert one.avg_price == pytest.approx(500_000)
    assert one.unrealised(625_000) == pytest.approx(500 * (1 / 50_000 - 1 / 62_500))
    assert one.equity(625_000) == pytest.approx(one.unrealised(625_000))
    assert one.unrealised(0) == one.equity(0) == one.cash
    assert one.cash == INVERSE.cash_flow(BUY, 500_000, 5)
    flat = booked(fill("a", BUY, 5, 500_000, symbol="BTCUSD"), fill("b", SELL, 5, 625_000, symbol="BTCUSD"), instrument=INVERSE)
    assert flat.cash_exact == Decimal("0.002")
    assert flat.turnover == pytest.approx(0.018)


@pytest.mark.parametrize(
    ("instrument", "mark", "paid"),
    [(LINEAR, 64_000, Fraction(7, 1000) * 64_000), (INVERSE, 64_000, Fraction(700, 64_000))],
)
def test_longs_pay_a_positive_funding_rate_once(instrument: Instrument, mark: int, paid: Fraction) -> None:
    ledger = Ledger([instrument])
    funding = Funding(symbol=instrument.symbol, transact_time=8, funding_rate_e8=10_000, mark_price_e8=mark * E8)
    ledger.apply(fill("a", BUY, 7, 640_000, symbol=instrument.symbol))
    assert ledger.fund(funding) == -round(paid / 10_000 * E8)
    assert ledger.fund(funding) == 0
    assert ledger.of(instrument.symbol).funding == -round(paid / 10_000 * E8) / E8
    assert ledger.fund(Funding(symbol=instrument.symbol, transact_time=9, funding_rate_e8=10_000)) == 0
    assert ledger.fund(Funding(symbol="NOBODY", transact_time=9)) == 0


def test_a_bust_takes_the_fill_and_its_fee_back_and_may_come_first() -> None:
    a, b = fill("a", BUY, 10, 1000, fee_e8=7), fill("b", SELL, 4, 1010, fee_e8=9)
    for reports in ([a, b, bust("c", "b")], [a, bust("c", "b"), b], [bust("c", "b"), b, a, b, bust("c", "b")]):
        one = booked(*reports)
        assert (one.position, one.fees_e8, one.trades, one.avg_price) == (10, 7, 1, 1000.0)


def test_a_correction_replaces_quantity_price_and_fee() -> None:
    correction = fill("b", BUY, 8, 1005, fee_e8=5)
    correction.exec_type, correction.exec_ref_id = ExecType.TRADE_CORRECT, "a"
    one = booked(fill("a", BUY, 10, 1000, fee_e8=7), correction)
    assert (one.position, one.avg_price, one.fees_e8) == (8, 1005.0, 5)


def test_what_is_no_execution_is_not_booked() -> None:
    ledger = Ledger([LINEAR])
    assert not ledger.apply(ExecutionReport(symbol="BTCUSDT", exec_type=ExecType.NEW))
    assert not ledger.apply(ExecutionReport(symbol="NOBODY", exec_type=ExecType.REJECTED))
    assert not ledger.strangers


def test_a_fill_of_an_instrument_not_yet_known_is_kept_and_booked_when_it_is() -> None:
    ledger = Ledger([LINEAR])
    assert not ledger.apply(fill("a", BUY, 3, 2000, symbol="ETHUSDT"))
    ledger.apply(fill("b", BUY, 3, 2000, symbol="NOBODY"))
    ledger.admit(OTHER)
    ledger.admit(OTHER)
    assert ledger.position("ETHUSDT") == 3
    assert [one.symbol for one in ledger.strangers] == ["NOBODY"]


def test_the_book_adds_up_accounts_of_one_currency_and_never_two() -> None:
    ledger = Ledger([LINEAR, OTHER, INVERSE])
    ledger.apply(fill("a", BUY, 10, 1000, fee_e8=E8))
    ledger.apply(fill("a", SELL, 10, 3000, symbol="ETHUSDT"))
    ledger.apply(fill("a", BUY, 1, 500_000, symbol="BTCUSD"))
    books = ledger.books({"BTCUSDT": 1100, "ETHUSDT": 2900, "BTCUSD": 500_000})
    assert set(books) == {"USDT", "BTC"}
    assert books["USDT"].fees == 1.0
    assert books["USDT"].unrealised == pytest.approx(10 * 100 * 0.0001 + 10 * 100 * 0.00001)
    assert books["USDT"].equity == pytest.approx(books["USDT"].realised + books["USDT"].unrealised - 1.0)
    assert books["BTC"].equity == 0.0
    with pytest.raises(KeyError):
        ledger.books({})


# --- the twin


class Twin:
    """An account said plainly: exact fractions in the settlement currency, one fill after the other."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.position = 0
        self.entry = self.realised = self.cash = Fraction(0)

    def worth(self, price: Fraction) -> Fraction:
        """One lot at a price in ticks."""
        contract = Fraction(self.instrument.contract_value) * Fraction(self.instrument.lot)
        tick = Fraction(self.instrument.tick)
        return -contract / (price * tick) if self.instrument.inverse else contract * price * tick

    def fill(self, signed: int, price: int) -> None:
        here = self.worth(Fraction(price))
        self.cash -= signed * here
        if self.position * signed < 0:
            closed = min(abs(signed), abs(self.position)) * (1 if self.position > 0 else -1)
            self.realised += closed * (here - self.entry)
            self.position -= closed
            signed += closed
        if signed:
            self.entry = (self.position * self.entry + signed * here) / (self.position + signed)
            self.position += signed


FILLS = st.lists(st.tuples(st.sampled_from((BUY, SELL)), st.integers(1, 50), st.integers(900, 1100)), max_size=30)


@given(FILLS, st.sampled_from((LINEAR, INVERSE)), st.integers(900, 1100))
def test_the_ledger_agrees_with_its_twin(fills: list[tuple[int, int, int]], instrument: Instrument, price: int) -> None:
    one, twin = Account(instrument), Twin(instrument)
    unit = 1 / Fraction(INVERSE_UNITS) if instrument.inverse else twin.worth(Fraction(1))
    for number, (side, qty, at) in enumerate(fills):
        one.apply(fill(str(number), side, qty, at))
        twin.fill(qty if side == BUY else -qty, at)
    rounding = unit * len(fills)
    assert one.position == twin.position
    assert abs(Fraction(one.cash_exact) - twin.cash) <= (rounding if instrument.inverse else 0)
    assert abs(one.realised_units * unit - twin.realised) <= 2 * rounding
    assert one.unrealised(price) == pytest.approx(
        float(twin.position * (twin.worth(Fraction(price)) - twin.entry)), abs=float(3 * rounding)
    )
    assert one.equity(price) == pytest.approx(float(twin.cash + twin.position * twin.worth(Fraction(price))), abs=1e-9)


@given(FILLS, st.integers(1, 2000))
def test_cash_and_position_are_conserved_to_the_last_unit(fills: list[tuple[int, int, int]], price: int) -> None:
    one = Account(LINEAR)
    for number, (side, qty, at) in enumerate(fills):
        one.apply(fill(str(number), side, qty, at, fee_e8=number - 7))
    signed = [(qty if side == BUY else -qty, at) for side, qty, at in fills]
    earned = sum(qty * (price - at) for qty, at in signed)
    assert one.flow_units + one.position * price == earned
    assert one.realised_units + one.position * price - one.cost_units == earned
    assert one.fees_e8 == sum(number - 7 for number in range(len(fills)))


@given(FILLS, st.integers(0, 29), st.booleans())
def test_reports_doubled_and_swapped_end_in_the_same_position_and_cash(
    fills: list[tuple[int, int, int]], busted: int, inverse: bool
) -> None:
    instrument = INVERSE if inverse else LINEAR
    reports = [fill(str(number), *one) for number, one in enumerate(fills)]
    if busted < len(reports):
        reports.append(bust("bust", str(busted)))
    plain = ends(instrument, reports)
    assert ends(instrument, [one for report in reports for one in (report, report)]) == plain
    for start in (0, 1):
        arranged = list(reports)
        for at in range(start, len(arranged) - 1, 2):
            arranged[at : at + 2] = arranged[at + 1], arranged[at]
        assert ends(instrument, arranged) == plain
        assert ends(instrument, [one for pair in pairwise([*arranged, *arranged]) for one in pair]) == plain


def ends(instrument: Instrument, reports: Sequence[ExecutionReport]) -> tuple[Any, ...]:
    one = Account(instrument)
    for report in reports:
        one.apply(report)
    return one.position, one.flow_units, one.turnover_units, one.trades, one.cash_exact


# --- positions to begin from


@given(
    st.lists(st.tuples(st.sampled_from([BUY, SELL]), st.integers(1, 50), st.integers(900, 1100)), max_size=12), st.integers(0, 12)
)
def test_an_account_that_begins_from_anothers_report_goes_on_as_if_it_had_seen_all(fills: list[Any], cut: int) -> None:
    """Position and cost to the last unit, whichever of the executions arrive before the report; money to the 1e-8."""
    for instrument in (LINEAR, INVERSE):
        whole, begun = Account(instrument), Account(instrument)
        reports = [fill(str(number), side, qty, price, 7, instrument.symbol) for number, (side, qty, price) in enumerate(fills)]
        for report in reports[:cut]:
            whole.apply(report)
        told = whole.report(now=5)
        heard = reports[cut // 2 :]
        for report in heard[: len(heard) // 2]:
            begun.apply(report)
        assert begun.open(told)
        for report in (*heard[len(heard) // 2 :], *reports[cut // 2 :]):
            begun.apply(report)
        for report in reports[cut:]:
            whole.apply(report)
        if cut // 2 < len(reports[:cut]) and len(heard) // 2 < cut - cut // 2:
            continue  # the report overtook executions that it holds: on one session that cannot be
        assert (begun.position, begun.cost_units) == (whole.position, whole.cost_units)
        assert begun.cash == pytest.approx(whole.cash, abs=2e-8)
        assert not begun.open(told)


def test_the_report_of_an_account_says_what_it_comes_to() -> None:
    account = booked(fill("a", BUY, 10, 1000, 3), fill("b", SELL, 4, 1100, 3))
    account.fund(Funding("BTCUSDT", 7, funding_rate_e8=10_000, mark_price_e8=100 * E8))
    report = account.report(now=9, strategy="mm")
    assert (report.symbol, report.strategy, report.now, report.transact_time) == ("BTCUSDT", "mm", 9, 0)
    assert (report.qty, report.cost_units, report.exec_id) == (6, 6_000, "b")
    assert report.cash_e8 == 4 * 100 * 10**4 - 6 - 6_000
    fresh = Account(LINEAR)
    fresh.open(report)
    assert fresh.equity(1_050) == pytest.approx(account.equity(1_050))
    assert fresh.cash_exact == account.cash_exact


def test_what_is_not_later_than_an_opening_position_is_in_it_fills_and_funding_alike() -> None:
    account = booked(fill("early", BUY, 5, 1000))
    account.open(PositionReport("BTCUSDT", 100, qty=7, cost_units=7_000))
    assert account.position == 7
    late = fill("late", SELL, 2, 1000)
    late.transact_time = 101
    old = fill("old", SELL, 2, 1000)
    old.transact_time = 100
    assert (account.apply(old), account.apply(late), account.position) == (False, True, 5)
    assert account.fund(Funding("BTCUSDT", 100, funding_rate_e8=E8, mark_price_e8=E8)) == 0
    assert account.fund(Funding("BTCUSDT", 101, funding_rate_e8=E8, mark_price_e8=E8)) != 0
    account.open(PositionReport("BTCUSDT", 200, qty=1, cost_units=1_000))
    assert account.position == 1, "a later report holds all that was before it"


def test_executions_let_go_are_still_known() -> None:
    account = booked(fill("a", BUY, 5, 1000), fill("b", BUY, 3, 1000))
    account.open(PositionReport("BTCUSDT", qty=50, cost_units=1, exec_id="a"))
    assert account.position == 53
    assert not account.apply(fill("a", BUY, 5, 1000))
    account.apply(bust("c", "a"))
    assert account.position == 53
    account.apply(bust("d", "b"))
    assert (account.position, account.executions.qty) == (50, 0)
