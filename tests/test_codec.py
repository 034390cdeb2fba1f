"""Messages survive the wire, and whatever is not a message raises WireError and nothing else."""

from contextlib import suppress

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import FRAME_BYTES_MAX, WireError, decode, encode
from core.message import (
    AnyMessage,
    ExecutionReport,
    Heartbeat,
    Message,
    NewOrderSingle,
    OrdType,
    Tick,
    TimeInForce,
)

EVERY_TYPE = AnyMessage.__args__


@pytest.mark.parametrize("kind", EVERY_TYPE, ids=lambda kind: kind.__name__)
def test_every_type_comes_back_equal(kind: type[Message]) -> None:
    message = kind(symbol="BTCUSDT", transact_time=1, received=2, now=3)
    again = decode(encode(message))
    assert again == message
    assert type(again) is kind


def test_every_type_has_a_tag_of_its_own() -> None:
    tags = [kind.__struct_config__.tag for kind in EVERY_TYPE]
    assert len(set(tags)) == len(tags)


def test_only_the_market_may_be_replaced_before_it_is_read() -> None:
    latest = {kind.__name__ for kind in EVERY_TYPE if kind.lane == "latest"}
    assert latest == {"Tick", "BestBidOffer", "MarkPrice"}


def test_a_message_begins_with_its_msg_type() -> None:
    frame = encode(NewOrderSingle("BTCUSDT", 1, 2, 3, "id-1", 1, OrdType.LIMIT, TimeInForce.GTX, 639474, 3))
    assert msgspec.msgpack.decode(frame)[0] == "D"
    assert len(frame) < 64


@given(st.binary(max_size=200))
def test_random_bytes_are_a_wire_error_or_a_message(noise: bytes) -> None:
    with suppress(WireError):
        assert isinstance(decode(noise), Message)


@settings(max_examples=300)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_damaged_message_raises_nothing_but_wire_error(place: int, byte: int) -> None:
    frame = bytearray(encode(ExecutionReport("BTCUSDT", 1, 2, 3, "7", "a-1", "", "e-1", text="tëxt")))
    frame[place % len(frame)] = byte
    with suppress(WireError):
        assert isinstance(decode(frame), Message)


def test_deep_nesting_and_bad_text_are_wire_errors() -> None:
    with pytest.raises(WireError):
        decode(b"\x91" * 50_000 + b"\x00")
    with pytest.raises(WireError):
        decode(b"\x92\xa1" + b"0" + b"\xa2\xff\xfe")


def test_an_oversized_frame_is_refused_before_it_is_read() -> None:
    with pytest.raises(WireError, match="more than a message may have"):
        decode(b"\x00" * (FRAME_BYTES_MAX + 1))


def test_a_number_that_does_not_fit_is_a_wire_error() -> None:
    with pytest.raises(WireError):
        encode(Heartbeat(now=2**70))


def test_an_empty_tick_is_stale_and_has_no_prices() -> None:
    tick = Tick("BTCUSDT")
    assert tick.stale
    assert (tick.bid, tick.ask, tick.two_sided, tick.vwap) == (0, 0, False, 0.0)


def fuzz(count: int, seed: int) -> tuple[int, int]:
    """Any bytes are a message or a WireError. Returns how many of each there were."""
    rng = np.random.default_rng(seed)
    frames = [encode(kind(symbol="BTCUSDT", transact_time=1, now=2**40)) for kind in EVERY_TYPE]
    frames += [encode(Tick("BTCUSDT", bids=((5, 1), (4, 2)), asks=((6, 1),)))]
    fine = wrong = 0
    for which, place, byte, second in rng.integers(0, 1 << 16, (count, 4)).tolist():
        damaged = bytearray(frames[which % len(frames)])
        damaged[place % len(damaged)] = byte & 255
        if second & 1:
            damaged[second % len(damaged)] ^= 1 << (byte & 7)
        try:
            decode(damaged)
            fine += 1
        except WireError:
            wrong += 1
    return fine, wrong


def test_damaged_messages_of_every_type_are_messages_or_wire_errors() -> None:
    assert min(fuzz(20_000, 1)) > 500


@pytest.mark.slow
def test_a_million_damaged_messages_are_messages_or_wire_errors() -> None:
    assert min(fuzz(1_000_000, 2)) > 25_000
