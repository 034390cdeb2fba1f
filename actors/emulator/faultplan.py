"""What may go wrong, as a file says it (`--faults FILE`). Unknown keys are errors that name the nearest right one.

seed = 7
until_seconds = 60            # then everything goes well; 0: never

[requests]                    # chance a request
answer_lost = 0.02            # executed, never answered
never_arrived = 0.02          # neither
late = 0.01                   # executed up to late_ms later, never answered

[streams]                     # chance a frame
user_dropped = 0.05

[moments]                     # how often a minute
user_cut = 0.5

[[script]]                    # at a time, or for the n-th request (of a kind)
fault = "code_1007"
request = 3
of = "POST /fapi/v1/order"

[[script]]
fault = "key_expired"
at_seconds = 20
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct, field, structs

from actors.emulator.settings import toml, typed
from actors.errors import Exit, UserError, nearest


class RequestFaults(Struct, forbid_unknown_fields=True, frozen=True):
    """Chances a request. Where execution is said to be unknown, an even coin decides whether it was executed."""

    answer_lost: float = 0.0
    never_arrived: float = 0.0
    late: float = 0.0
    slow_answer: float = 0.0
    """Executed at once, answered up to `slow_ms` later: fills come before the answer."""
    unknown_503: float = 0.0
    unavailable_503: float = 0.0
    code_1000: float = 0.0
    code_1001: float = 0.0
    code_1003: float = 0.0
    code_1006: float = 0.0
    code_1007: float = 0.0
    code_1008: float = 0.0
    code_1015: float = 0.0
    code_1021: float = 0.0
    banned: float = 0.0
    """418, for `banned_ms`."""
    forbidden: float = 0.0
    """403 from the firewall before the venue."""
    race_2011: float = 0.0
    """A cancel works, and its answer says that there was nothing to cancel."""
    hidden_2013: float = 0.0
    """An order placed within the last five seconds is not found."""
    late_ms: int = 10_000
    slow_ms: int = 3_000
    banned_ms: int = 5_000


class StreamFaults(Struct, forbid_unknown_fields=True, frozen=True):
    """Chances a frame."""

    user_dropped: float = 0.0
    user_repeated: float = 0.0
    user_delayed: float = 0.0
    depth_dropped: float = 0.0
    market_dropped: float = 0.0
    fill_cut: float = 0.0
    """Chance that a fill's report takes its connection down with it, unread frames included."""
    delay_ms: int = 5_000


class MomentFaults(Struct, forbid_unknown_fields=True, frozen=True):
    """How often a minute something happens by itself."""

    market_cut: float = 0.0
    user_cut: float = 0.0
    all_cut: float = 0.0
    market_silent: float = 0.0
    user_silent: float = 0.0
    """All connections of the kind stay open, and nothing comes any more."""
    key_expired: float = 0.0
    order_canceled: float = 0.0
    order_expired: float = 0.0
    clock_stepped: float = 0.0
    clock_step_ms: int = 2_000


class Scripted(Struct, forbid_unknown_fields=True, frozen=True):
    """One fault at a time since the start, or for the n-th request, counted among all or among those `of` a method and path."""

    fault: str
    at_seconds: float = -1.0
    request: int = 0
    of: str = ""


class FaultPlan(Struct, forbid_unknown_fields=True, frozen=True):
    """All of it."""

    seed: int = 1
    until_seconds: float = 0.0
    requests: RequestFaults = field(default_factory=RequestFaults)
    streams: StreamFaults = field(default_factory=StreamFaults)
    moments: MomentFaults = field(default_factory=MomentFaults)
    script: tuple[Scripted, ...] = ()


def _chances(kind: type[Struct]) -> tuple[str, ...]:
    return tuple(one.name for one in structs.fields(kind) if one.type in (float, "float"))


OF_REQUESTS: Final = _chances(RequestFaults)
OF_MOMENTS: Final = _chances(MomentFaults)


def read_plan(path: Path) -> FaultPlan:
    """Read a fault file. Raises UserError."""
    plan: FaultPlan = typed(toml(path), FaultPlan, path)
    for group in (plan.requests, plan.streams):
        for name in _chances(type(group)):
            if not 0 <= getattr(group, name) <= 1:
                raise UserError(f"{path}: {name} = {getattr(group, name)} is no chance between 0 and 1", Exit.CONFIGURATION)
    for one in plan.script:
        if one.fault not in (*OF_REQUESTS, *OF_MOMENTS):
            hint = nearest(one.fault, (*OF_REQUESTS, *OF_MOMENTS))
            raise UserError(f"{path}: there is no fault {one.fault!r}; {hint}", Exit.CONFIGURATION)
        if (one.request > 0) != (one.fault in OF_REQUESTS) or (one.at_seconds >= 0) == (one.request > 0):
            raise UserError(f"{path}: {one.fault} wants {_wants(one)}", Exit.CONFIGURATION)
    return plan


def _wants(one: Scripted) -> str:
    return "request = N, from 1 on" if one.fault in OF_REQUESTS else "at_seconds = S"
