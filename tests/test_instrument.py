"""Instruments: the grid, and how money comes out of ticks and lots, linear and inverse."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.instrument import Instrument, Key
from core.price import BUY, E8, SELL, GridError, Side

BTC = Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001", base="BTC")
COIN = Instrument(Key("binance_coinm", "BTCUSD_PERP"), "0.1", "1", contract_value="100", inverse=True, base="BTC", quote="USD")
TICKS = st.integers(1, 10**7)
LOTS = st.integers(0, 10**6)


def test_a_key_is_written_with_its_venue_and_read_with_or_without() -> None:
    assert str(BTC.key) == "binance_usdm:BTCUSDT"
    assert Key.parse("binance_usdm:BTCUSDT") == BTC.key
    assert Key.parse("btcusdt") == Key("", "BTCUSDT")


def test_decimals_and_steps_are_each_others_inverse() -> None:
    assert (BTC.ticks("63947.40"), BTC.lots("0.003")) == (639_474, 3)
    assert (BTC.price_text(639_474), BTC.qty_text(3)) == ("63947.4", "0.003")


@given(TICKS, LOTS)
def test_every_step_survives_being_written_and_read(ticks: int, lots: int) -> None:
    assert BTC.ticks(BTC.price_text(ticks)) == ticks
    assert BTC.lots(BTC.qty_text(lots)) == lots


def test_between_two_steps_is_an_error_unless_a_direction_is_given() -> None:
    with pytest.raises(GridError, match=r"63947\.45"):
        BTC.ticks("63947.45")
    assert [BTC.ticks("63947.45", way) for way in ("down", "up", "nearest")] == [639_474, 639_475, 639_475]


def test_a_linear_contract_is_worth_price_times_quantity() -> None:
    assert BTC.value(600_000, 2) == pytest.approx(60_000 * 0.002)
    assert BTC.settles_in == "USDT"
    assert BTC.profit(2, 600_000, 610_000) == pytest.approx(2.0)
    assert BTC.profit(-2, 600_000, 610_000) == pytest.approx(-2.0)


def test_an_inverse_contract_is_worth_its_face_over_the_price_in_the_base_currency() -> None:
    """10 contracts of 100 USD from 50,000 to 60,000: 1000/50,000 - 1000/60,000 = 0.02 - 0.016667 BTC."""
    assert COIN.value(500_000, 10) == pytest.approx(0.02)
    assert COIN.settles_in == "BTC"
    assert COIN.profit(10, 500_000, 600_000) == pytest.approx(0.02 - 1000 / 60_000)
    assert COIN.profit(-10, 500_000, 600_000) == pytest.approx(1000 / 60_000 - 0.02)
    assert COIN.value(0, 10) == 0.0


@pytest.mark.parametrize("one", [BTC, COIN])
def test_a_move_in_the_positions_favour_earns(one: Instrument) -> None:
    assert one.profit(5, 500_000, 500_001) > 0
    assert one.profit(-5, 500_000, 499_999) > 0
    assert one.profit(5, 500_000, 500_000) == 0


@given(st.sampled_from([BTC, COIN]), TICKS, TICKS, LOTS, st.sampled_from([BUY, SELL]))
def test_what_fills_move_in_and_out_is_the_profit_of_the_round_trip(
    one: Instrument, entry: int, leave: int, lots: int, side: Side
) -> None:
    back: Side = SELL if side == BUY else BUY
    moved = one.cash_flow(side, entry, lots) + one.cash_flow(back, leave, lots)
    held = lots if side == BUY else -lots
    assert moved == pytest.approx(one.profit(held, entry, leave), rel=1e-9, abs=1e-9)


@given(TICKS, LOTS, st.booleans(), st.sampled_from([-0.0001, 0.0, 0.0002, 0.0005]))
def test_a_fee_is_its_fraction_of_the_notional_to_the_nearest_hundred_millionth(
    ticks: int, lots: int, maker: bool, rate: float
) -> None:
    one = Instrument(BTC.key, "0.1", "0.001", maker_fee=rate, taker_fee=2 * rate)
    exact = Fraction(ticks * lots, 10_000) * Fraction(rate if maker else 2 * rate) * E8
    assert abs(one.fee_e8(ticks, lots, maker) - exact) <= Fraction(1, 2) + abs(exact) / 10**14


def test_a_rebate_is_a_negative_fee() -> None:
    rebated = Instrument(BTC.key, "0.1", "0.001", maker_fee=-0.0001)
    assert rebated.fee_e8(600_000, 1000, True) == -6 * E8
    assert rebated.fee_e8(600_000, 1000, False) == 30 * E8
