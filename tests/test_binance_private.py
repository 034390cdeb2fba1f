"""Binance's private stream: orders in our words, executions that keep their ids, and nothing but WireError for damage."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from random import Random
from resource import RUSAGE_SELF, getrusage
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import WireError, encode
from core.dialect.binance.private import AccountUpdate, AlgoUpdate, Hint, Notice, Unplaced, fee_aside, parse_private
from core.instrument import Instrument, Key
from core.ledger import Ledger
from core.message import ExecType, ExecutionReport, Liquidity, OrdStatus
from tests.test_binance_answers import damaged
from tests.tiny_day import BTC

INSTRUMENTS = {"BTCUSDT": BTC}
ORDER = {
    "s": "BTCUSDT", "c": "h-mm-1-7", "S": "SELL", "o": "LIMIT", "f": "GTX", "q": "0.010", "p": "60000.5", "x": "TRADE",
    "X": "PARTIALLY_FILLED", "i": 77, "l": "0.004", "z": "0.006", "L": "60000.5", "N": "USDT", "n": "0.04800004",
    "T": 1_700_000_000_123, "t": 991, "m": True, "new field of next year": {"a": [1]},
}  # fmt: skip


def frame(event: str = "ORDER_TRADE_UPDATE", **more: Any) -> bytes:
    return json.dumps({"e": event, "E": 1_700_000_000_125, "T": 1_700_000_000_123, **more}).encode()


def report(**changes: Any) -> ExecutionReport:
    found = parse_private(frame(o={**ORDER, **changes}), 5, INSTRUMENTS)
    assert isinstance(found, ExecutionReport)
    return found


def test_a_fill_is_read_into_ticks_and_lots() -> None:
    fill = report()
    assert (fill.cl_ord_id, fill.order_id) == ("h-mm-1-7", "77")
    assert (fill.exec_type, fill.ord_status) == (ExecType.TRADE, OrdStatus.PARTIALLY_FILLED)
    assert (fill.price, fill.order_qty, fill.cum_qty, fill.leaves_qty) == (600_005, 10, 6, 4)
    assert (fill.last_qty, fill.last_px, fill.last_liquidity_ind, fill.commission_e8) == (4, 600_005, Liquidity.MAKER, 4_800_004)
    assert fill.transact_time == 1_700_000_000_123_000_000


def test_an_execution_has_one_id_however_often_it_is_told_and_others_have_others() -> None:
    assert report().exec_id == report(X="FILLED", z="0.010").exec_id == "BTCUSDT-991"
    assert report(t=992).exec_id != report().exec_id


def test_an_early_hint_names_the_execution_that_is_coming() -> None:
    hint = parse_private(frame("TRADE_LITE", s="BTCUSDT", c="h-mm-1-7", t=991, i=77, l="0.004"), 5, INSTRUMENTS)
    assert hint == Hint(report().exec_id, "h-mm-1-7")


@pytest.mark.parametrize(
    ("said", "state", "kind", "leaves"),
    [
        ("NEW", "NEW", ExecType.NEW, 10),
        ("CANCELED", "CANCELED", ExecType.CANCELED, 0),
        ("EXPIRED", "EXPIRED", ExecType.EXPIRED, 0),
        ("EXPIRED", "EXPIRED_IN_MATCH", ExecType.EXPIRED, 0),
        ("AMENDMENT", "NEW", ExecType.RESTATED, 10),
    ],
)
def test_what_the_venue_calls_it_and_what_fix_does(said: str, state: str, kind: ExecType, leaves: int) -> None:
    found = report(x=said, X=state, l="0", z="0", L="0", t=0)
    assert (found.exec_type, found.leaves_qty, found.last_px) == (kind, leaves, 0)


def test_a_liquidation_with_a_quantity_is_a_trade_and_without_one_is_none() -> None:
    assert report(x="CALCULATED", c="autoclose-1").exec_type == ExecType.TRADE
    assert report(x="CALCULATED", c="autoclose-1", l="0.000", n=None).exec_type == ExecType.CALCULATED


def test_a_report_about_an_instrument_that_is_not_loaded_is_kept_whole() -> None:
    whole = frame(o={**ORDER, "s": "NEWUSDT"})
    kept = parse_private(whole, 5, INSTRUMENTS)
    assert kept == Unplaced("NEWUSDT", whole)
    loaded = {"NEWUSDT": Instrument(Key("binance_usdm", "NEWUSDT"), "0.1", "0.001")}
    assert isinstance(parse_private(kept.frame, 5, loaded), ExecutionReport)


def test_the_account_and_conditional_orders() -> None:
    account = {"m": "FUNDING_FEE", "B": [{"a": "USDT", "wb": "100.5", "bc": "-0.5"}], "P": [{"s": "BTCUSDT", "pa": "-0.004"}]}
    update = parse_private(frame("ACCOUNT_UPDATE", a=account), 5, INSTRUMENTS)
    assert isinstance(update, AccountUpdate)
    assert (update.balances[0].wallet_e8, str(update.positions[0].qty)) == (10_050_000_000, "-0.004")
    algo = parse_private(
        frame("ALGO_UPDATE", o={"s": "BTCUSDT", "X": "TRIGGERED", "caid": "x", "aid": 3, "ai": "77"}), 5, INSTRUMENTS
    )
    assert isinstance(algo, AlgoUpdate)
    assert algo.order_id == "77"


def test_an_event_that_is_not_known_is_named() -> None:
    assert parse_private(frame("listenKeyExpired"), 5, INSTRUMENTS) == Notice("listenKeyExpired", 1_700_000_000_123_000_000)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        b"1" * 70_000,
        b"[" * 60_000,
        frame(o={**ORDER, "q": "1e999999999"}),
    ],
)
def test_what_is_no_frame_is_a_wire_error(damage: bytes) -> None:
    with pytest.raises(WireError):
        parse_private(damage, 5, INSTRUMENTS)


def test_a_forced_fill_between_two_ticks_moves_position_and_cash_as_the_venue_says() -> None:
    forced = {"c": "autoclose-1", "x": "CALCULATED", "X": "FILLED"}
    fill = report(**forced, S="SELL", q="0.014", l="0.014", z="0.014", p="9910.00", L="9910.12", n="0.06937084")
    assert (fill.last_px, fill.last_qty) == (99_101, 14)
    ledger = Ledger([BTC])
    assert ledger.apply(fill)
    assert ledger.of("BTCUSDT").cash_exact == Decimal("9910.12") * Decimal("0.014") - Decimal("0.06937084")
    bought = report(x="CALCULATED", S="BUY", l="0.003", L="100.07", n="0")
    assert bought.commission_e8 == round(Decimal("100.07") * Decimal("0.003") * 10**8) - 1001 * 3 * 10_000
    assert "between two ticks" in bought.text


def test_a_fee_in_another_currency_is_kept_aside_and_not_booked_as_this_one() -> None:
    fill = report(N="BNB", n="0.00012")
    assert (fill.commission_e8, fee_aside(fill)) == (0, ("BNB", 12_000))
    assert fee_aside(report()) is None


def test_executions_without_a_trade_id_and_amendments_in_one_millisecond_are_not_taken_for_one() -> None:
    assert report(t=0, z="0.004").exec_id != report(t=0, z="0.006").exec_id
    first, second = (report(x="AMENDMENT", X="NEW", l="0", t=0, p=price) for price in ("60000.5", "60000.6"))
    assert first.exec_id != second.exec_id
    assert first.exec_id == report(x="AMENDMENT", X="NEW", l="0", t=0).exec_id


def test_words_that_are_not_known_yet_lose_no_fill() -> None:
    fill = report(x="NEXT_YEAR", X="HALF_DONE", o="ICEBERG", f="GTE_GTC")
    assert (fill.exec_type, fill.ord_status, fill.last_qty) == (ExecType.TRADE, OrdStatus.PARTIALLY_FILLED, 4)
    assert report(x="NEW", X="", l="0", z="0", t=0).ord_status == OrdStatus.NEW


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"S": "UP"}, "side"), ({"x": "NEXT_YEAR", "l": "0"}, "kind"), ({"l": "0.0001"}, "multiple")],
)
def test_what_our_words_cannot_say_is_kept_whole_with_the_reason(changes: dict[str, str], why: str) -> None:
    whole = frame(o={**ORDER, **changes})
    kept = parse_private(whole, 5, INSTRUMENTS)
    assert isinstance(kept, Unplaced)
    assert kept.frame == whole
    assert why in kept.reason


@settings(max_examples=300)
@given(st.integers(0, 300), st.integers(0, 255))
def test_a_damaged_byte_is_read_or_refused_but_raises_nothing_else(at: int, byte: int) -> None:
    damaged = bytearray(frame(o=ORDER))
    damaged[at % len(damaged)] = byte
    with suppress(WireError):
        parse_private(bytes(damaged), 5, INSTRUMENTS)


def fuzz(count: int) -> None:
    """Damaged frames of every kind: read or refused, and nothing else; memory does not grow with them."""
    random = Random(f"private {count}")
    held = {"m": "ORDER", "B": [{"a": "USDT", "wb": "1", "bc": "0"}], "P": [{"s": "BTCUSDT", "pa": "1"}]}
    algo = {"s": "BTCUSDT", "X": "TRIGGERED", "caid": "x", "aid": 3, "ai": "77"}
    frames = [frame(o=ORDER), frame("ACCOUNT_UPDATE", a=held), frame("ALGO_UPDATE", o=algo), frame("listenKeyExpired")]
    before = getrusage(RUSAGE_SELF).ru_maxrss
    for number in range(count):
        with suppress(WireError):
            said = parse_private(damaged(frames[number % len(frames)], random), 5, INSTRUMENTS)
            if isinstance(said, ExecutionReport):
                encode(said)
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 10_240


def test_damaged_frames_are_read_or_refused_and_what_is_read_fits_a_message() -> None:
    fuzz(10_000)


@pytest.mark.slow
def test_a_million_damaged_frames_raise_nothing_but_wire_errors() -> None:
    fuzz(1_000_000)


@pytest.mark.parametrize("folder", ["binance_futures_user_data_json", "it_ws_messages"])
def test_every_published_example_of_the_private_stream_is_read(captures: Path, folder: str) -> None:
    """On the grids of the real instruments: nothing is lost, whatever is off them."""
    words = ("account_", "algo_", "order_", "trade_lite", "listen", "margin", "ws_futures_algo", "ws_futures_order",
             "ws_futures_trade_lite", "ws_futures_account")  # fmt: skip
    found = [path for path in sorted((captures / "nautilus" / folder).glob("*.json")) if path.name.startswith(words)]
    assert len(found) >= 13
    instruments = {
        symbol: Instrument(Key("binance_usdm", symbol), *sizes)
        for symbol, sizes in {"BTCUSDT": ("0.1", "0.001"), "ETHUSDT": ("0.01", "0.001"), "BNBUSDT": ("0.01", "0.01")}.items()
    }
    for path in found:
        said = parse_private(path.read_bytes(), 5, instruments)
        if "order" in path.name and "delivery" not in path.name:
            assert isinstance(said, ExecutionReport), path.name
        assert not isinstance(said, Notice), path.name
