"""What a session did, read from its tapes: executions, orders and marks from the account's, and from the other hosts' how each
strategy was steered.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from msgspec import Struct, field

from actors.live.folder import Folder, Sitting
from actors.live.placement import ACCOUNT
from actors.live.store import entries
from actors.replay.session import tapes_of
from actors.wiring import RISK
from core.codec import decode, encode
from core.message import (
    Command,
    ExecutionReport,
    Funding,
    MarkPrice,
    Message,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    PositionReport,
    SecurityStatus,
    TradingState,
)
from core.tape import read

REQUESTS: Final = (NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest)
MARK_EVERY_NS: Final = 1_000_000_000


def heads(*kinds: type[Message]) -> tuple[bytes, ...]:
    """How messages of these types begin: enough to tell them from others without reading them."""
    found = []
    for kind in kinds:
        written, tag = encode(kind()), str(kind.__struct_config__.tag).encode()
        found.append(written[: written.index(tag) + len(tag)])
    return tuple(found)


FOR_RISK: Final = heads(ExecutionReport, Funding, MarkPrice, *REQUESTS)
TOLD_RISK: Final = heads(Command, SecurityStatus)
FOR_STRATEGIES: Final = heads(Command, PositionReport)


class Marks(Struct):
    """An instrument's mark prices (quote currency) by when they were known here."""

    times: list[int] = field(default_factory=list)
    prices: list[float] = field(default_factory=list)


class Story(Struct):
    """What happened to one strategy: executions, and how many requests it sent; live or in the shadow."""

    reports: list[tuple[int, ExecutionReport]] = field(default_factory=list)
    requests: int = 0


class Steering(Struct):
    """How one strategy was steered: when it began, from which positions, and what it was told later."""

    began: int = 0
    ended: int = 0
    lives: int = 0
    opening: dict[str, PositionReport] = field(default_factory=dict)
    told: list[tuple[int, Command]] = field(default_factory=list)


class Lived(Struct):
    """A whole session, by strategy; `fundings` and `marks` are the account's."""

    stories: dict[str, Story]
    steering: dict[str, Steering]
    fundings: list[tuple[int, Funding]] = field(default_factory=list)
    marks: dict[str, Marks] = field(default_factory=dict)
    told: list[tuple[int, Command | SecurityStatus]] = field(default_factory=list)
    """What risk was told by hosts, by people and by the session with the venue."""
    strangers: int = 0
    """Executions that no strategy of the session asked for."""


def lived(folder: Folder, sitting: Sitting) -> Lived:
    """Read a session's tapes. Raises JournalError and WireError for what is damaged."""
    names = [one.name for one in sitting.runners()]
    found = Lived({name: Story() for name in names}, {name: Steering() for name in names})
    for path, tape, place in tapes_of(folder, sitting, []):
        lines = read(entries(path))
        if tape.host == ACCOUNT:
            for line in lines:
                if line.node != RISK or line.way != "<":
                    continue
                if line.frame.startswith(FOR_RISK):
                    see(found, line.now, decode(line.frame))
                elif line.frame.startswith(TOLD_RISK):
                    _tell(found, line.now, decode(line.frame))
        else:
            seen: dict[str, bool] = defaultdict(bool)
            for line in lines:
                if line.way == "<" and line.node in place.strategies:
                    steering = found.steering[line.node]
                    steering.ended = line.now
                    if line.frame.startswith(FOR_STRATEGIES):
                        _steer(steering, line.now, decode(line.frame), seen, line.node)
    return found


def see(found: Lived, now: int, message: Message) -> None:
    """Take in what risk was handed."""
    if isinstance(message, ExecutionReport):
        if not message.last_qty and not message.exec_ref_id:
            return
        if message.strategy in found.stories:
            found.stories[message.strategy].reports.append((now, message))
        else:
            found.strangers += 1
    elif isinstance(message, Funding):
        found.fundings.append((now, message))
    elif isinstance(message, MarkPrice):
        marks = found.marks.setdefault(message.symbol, Marks())
        if message.mark_price_e8 and (not marks.times or now - marks.times[-1] >= MARK_EVERY_NS):
            marks.times.append(now)
            marks.prices.append(message.mark_price_e8 / 1e8)
    elif isinstance(message, REQUESTS) and message.strategy in found.stories:
        found.stories[message.strategy].requests += 1


def _tell(found: Lived, now: int, message: Message) -> None:
    """A simulated venue has no session to be asked for its cancel-alls, and a door of its own speaks for itself."""
    if isinstance(message, SecurityStatus) and message.source != "door":
        found.told.append((now, message))
    elif isinstance(message, Command) and message.verb == "kill":
        found.told.append((now, SecurityStatus("", now, now, now, "operator", TradingState.HALT, message.argument or "killed")))
        found.told.append((now, Command("", now, now, now, "", "cancel")))
    elif isinstance(message, Command):
        found.told.append((now, message))


def _steer(steering: Steering, now: int, message: Message, seen: dict[str, bool], name: str) -> None:
    """Begins and pauses come of what risk was told; of a later life's begin nothing is left."""
    if isinstance(message, PositionReport):
        if steering.lives == 1:  # an account that comes back says it again
            steering.opening.setdefault(message.symbol, message)
    elif isinstance(message, Command):
        if message.verb == "start" and not seen[name]:
            seen[name] = True
            steering.lives += 1
            steering.began = steering.began or now
        elif seen[name] and message.verb != "trading":
            steering.told.append((now, message))
