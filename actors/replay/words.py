"""Differences in words: what was sent then, what is sent now, in which fields they differ, and what it was an answer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import structs

from core.difference import Difference, Input
from core.message import Message, Tick

SHORT: Final = 100
"""Characters of one value that are shown: a tick's book is longer than anybody reads."""
FRAME: Final = 200
TIMES: Final = frozenset(("transact_time", "received", "now", "due"))


def told(difference: Difference) -> Iterator[str]:
    """The lines that tell of a difference."""
    then, again = difference.then, difference.again
    yield f"entry {difference.number:,}, {difference.node}"
    if difference.caused_by is not None:
        yield f"  cause: {cause(difference.caused_by)}"
    if difference.wake:
        yield f"  it {difference.wake}"
        return
    if difference.failure:
        yield f"  it fails now: {difference.failure}"
    if isinstance(then, Message) and type(then) is type(again):
        yield f"  both:  {type(then).__name__}, which differ in"
        yield from (f"         {name}: {was} then, {now} now" for name, (was, now) in fields(then, again).items())
        yield f"  then:  {words(then)}"
    else:
        yield f"  then:  {f'something with the digest {then.hex()}' if isinstance(then, bytes) else words(then)}"
        yield f"  now:   {words(again)}"


def fields(then: Message, again: Message) -> Mapping[str, tuple[str, str]]:
    """The fields in which two messages of a type differ, as words."""
    pairs = {name: (getattr(then, name), getattr(again, name)) for name in then.__struct_fields__}
    return {name: (value(name, was), value(name, now)) for name, (was, now) in pairs.items() if was != now}


def words(message: Message | None) -> str:
    """A message with the fields that say something."""
    if message is None:
        return "nothing"
    if isinstance(message, Tick) and message.two_sided:
        trades = f", {message.trades[0]} trades" if message.trades[0] else ""
        return f"Tick {message.symbol} {message.bids[0]} / {message.asks[0]}, update {message.update_id}{trades}"
    plain = type(message)()
    said = [(name, one) for name, one in structs.asdict(message).items() if name == "now" or one != getattr(plain, name)]
    return f"{type(message).__name__} " + ", ".join(f"{name} {value(name, one)}" for name, one in said)


def value(name: str, one: Any) -> str:
    """A field's value, short; times as times of day."""
    if name in TIMES and isinstance(one, int) and one > 0:
        return clock(one)
    text = str(one.name if hasattr(one, "name") else one)
    return text if len(text) <= SHORT else text[: SHORT - 3] + "..."


def cause(taken: Input) -> str:
    """What a node took, and when."""
    if isinstance(taken.message, bytes):
        text = taken.message.decode("utf-8", "replace")
        frame = text if len(text) <= FRAME else text[: FRAME - 3] + "..."
        return f"at {clock(taken.now)}, entry {taken.number:,}: the frame {frame}"
    return f"at {clock(taken.now)}, entry {taken.number:,}: {words(taken.message)}"


def clock(ns: int) -> str:
    """A time (UTC) with its nanoseconds."""
    whole = datetime.fromtimestamp(ns // 1_000_000_000, UTC)
    return f"{whole:%Y-%m-%d %H:%M:%S}.{ns % 1_000_000_000:09d}"
