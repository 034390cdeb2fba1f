"""Binance's private stream: orders in our words, executions that keep their ids, and nothing but WireError for damage."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import WireError
from core.dialect.binance_private import AccountUpdate, AlgoUpdate, Hint, Notice, Unplaced, parse_private
from core.instrument import Instrument, Key
from core.message import ExecType, ExecutionReport, Liquidity, OrdStatus
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
        frame(o={**ORDER, "q": "0.0001"}),
        frame(o={**ORDER, "q": "1e999999999"}),
    ],
)
def test_what_is_no_frame_is_a_wire_error(damage: bytes) -> None:
    with pytest.raises(WireError):
        parse_private(damage, 5, INSTRUMENTS)


@settings(max_examples=300)
@given(st.integers(0, 300), st.integers(0, 255))
def test_a_damaged_byte_is_read_or_refused_but_raises_nothing_else(at: int, byte: int) -> None:
    damaged = bytearray(frame(o=ORDER))
    damaged[at % len(damaged)] = byte
    with suppress(WireError):
        parse_private(bytes(damaged), 5, INSTRUMENTS)


def test_every_published_example_of_the_private_stream_is_read(captures: Path) -> None:
    events = ("account_", "algo_", "order_", "trade_lite", "ws_futures_algo", "ws_futures_order", "ws_futures_trade_lite")
    found = [path for path in sorted((captures / "nautilus").glob("*/*.json")) if path.name.startswith(events)]
    assert len(found) >= 25
    for path in found:
        raw = path.read_bytes()
        said = parse_private(raw, 5, {})
        if isinstance(said, Unplaced):
            fine = {said.symbol: Instrument(Key("binance_usdm", said.symbol), "0.00000001", "0.00000001")}
            said = parse_private(raw, 5, fine)
            assert isinstance(said, ExecutionReport), path.name
        assert not isinstance(said, Notice), path.name
