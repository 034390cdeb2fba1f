"""What bytes cost: `python -m bench.codec [--json FILE]`.

Each message to bytes and back, by the house's codec (msgpack arrays, checked against the type), beside the same struct as JSON by
msgspec, and beside the standard library's `json` of its fields as a dict, which checks nothing and makes no message. Best of
several short timings, taken in turns.
"""

from __future__ import annotations

import argparse
import json
import timeit
from collections.abc import Callable
from typing import Final

import msgspec

from bench.table import write
from core.codec import decode, encode
from core.message import (
    AnyMessage,
    DepthUpdate,
    ExecType,
    ExecutionReport,
    Heartbeat,
    MarkPrice,
    Message,
    NewOrderSingle,
    OrderCancelRequest,
    OrdStatus,
    OrdType,
    Tick,
    TimeInForce,
    Trade,
)

NUMBER: Final = 200
"""Calls a timing: under a millisecond, so that on a busy machine some timings are not interrupted."""
REPEAT: Final = 200
NS: Final = 1_780_000_000_123_456_789
LEVELS: Final = tuple((700_000 - n, 17 * n + 1) for n in range(20))
TRADED: Final = (3, 5, 2, 4_900_000, 700_002, 700_000, 700_001, 700_002, 700_000)
TICK: Final = Tick("BTCUSDT", NS, NS, NS, 4_999_999_999, LEVELS, LEVELS, 70_000_00000000, TRADED)
ORDER: Final = NewOrderSingle(
    "BTCUSDT", NS, NS, NS, "mm-178000000012-4711", 1, OrdType.LIMIT, TimeInForce.GTX, 700_000, 3, False, "mm"
)
REPORT: Final = ExecutionReport(
    "BTCUSDT", NS, NS, NS, "8886774", "mm-178000000012-4711", "", "8886774-123", "", ExecType.TRADE, OrdStatus.PARTIALLY_FILLED,
    price=700_000, order_qty=3, cum_qty=1, leaves_qty=2, last_qty=1, last_px=700_000, commission_e8=1_234, strategy="mm",
)  # fmt: skip
MESSAGES: Final[tuple[Message, ...]] = (
    ORDER,
    OrderCancelRequest("BTCUSDT", NS, NS, NS, "mm-178000000012-4712", "mm-178000000012-4711", 1, 3, "mm"),
    REPORT,
    TICK,
    Tick("BTCUSDT", NS, NS, NS, 4_999_999_999, LEVELS[:1], LEVELS[:1], 70_000_00000000, TRADED),
    Trade("BTCUSDT", NS, NS, NS, 3_000_000_000, 1, 700_000, 3),
    DepthUpdate("BTCUSDT", NS, NS, NS, 4_999_999_990, 4_999_999_999, 4_999_999_989, LEVELS[:15], LEVELS[:15]),
    MarkPrice("BTCUSDT", NS, NS, NS, 70_000_00000000, 70_001_00000000, 10_000, NS),
    Heartbeat(),
)


def microseconds(*acts: Callable[[], object]) -> list[float]:
    """Of each act the best of several timings of one call, taken in turns."""
    best = [float("inf")] * len(acts)
    for _ in range(REPEAT):
        for place, act in enumerate(acts):
            best[place] = min(best[place], timeit.timeit(act, number=NUMBER))
    return [seconds / NUMBER * 1e6 for seconds in best]


def row(message: Message) -> dict[str, object]:
    """One type of message, all ways."""
    to_json = msgspec.json.Encoder().encode
    from_json = msgspec.json.Decoder(AnyMessage).decode
    named = {name: getattr(message, name) for name in message.__struct_fields__}
    frame, as_json, as_dict = encode(message), to_json(message), json.dumps(named)
    assert decode(frame) == from_json(as_json) == message
    levels = f" of {len(message.bids)} levels" if isinstance(message, Tick) else ""
    out, back, json_out, json_back, plain_out, plain_back = microseconds(
        lambda: encode(message), lambda: decode(frame), lambda: to_json(message), lambda: from_json(as_json),
        lambda: json.dumps(named), lambda: json.loads(as_dict),
    )  # fmt: skip
    return {
        "message": type(message).__name__ + levels, "bytes": len(frame), "encode, µs": out, "decode, µs": back,
        "msgspec.json, bytes": len(as_json), "msgspec.json out, µs": json_out, "msgspec.json in, µs": json_back,
        "json, bytes": len(as_dict), "json out, µs": plain_out, "json in, µs": plain_back,
        "ratio to json": (plain_out + plain_back) / (out + back),
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.codec", description=__doc__)
    parser.add_argument("--json")
    write("messages to bytes and back", [row(message) for message in MESSAGES], parser.parse_args().json)


if __name__ == "__main__":
    main()
