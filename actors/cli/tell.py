"""`astrarium tell`: a word to a strategy, or to risk, while all others trade on; and what it answers. It needs no Ray."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from actors.errors import Exit, UserError, nearest

REACH_S: Final = 2.0
ANSWER_S: Final = 0.5
"""What a node answers to a word is in its host's log within a turn; some words have no answer."""


def tell(
    node: str,
    verb: str,
    argument: str = "",
    /,
    *,
    session: Annotated[str, Parameter(name="--session")] = "",
    sessions: Annotated[Path, Parameter(name="--sessions")] = Path("sessions"),
    symbol: Annotated[str, Parameter(name="--symbol")] = "",
    strategy: Annotated[str, Parameter(name="--strategy")] = "",
) -> int:
    """Say something to a strategy, or to risk, while all others trade on. It is on the session's record.

    A strategy takes `stop`, `start`, `flatten` and `set KEY=VALUE`; risk takes `limit KEY=VALUE`, `resume PERSON`,
    `enable PERSON --strategy NAME` and `cancel`.

    Parameters
    ----------
    node
        The strategy's name as `status` shows it, or risk.
    verb
        What to do.
    argument
        With what: gamma=0.2, or the name of the person who answers for it.
    session
        Which session: its id, or the beginning of it; the newest when left out.
    sessions
        Where sessions' folders are.
    symbol
        For a limit of one instrument.
    strategy
        Which strategy `enable` and `cancel` are about.
    """
    from actors.live.folder import find
    from actors.live.operator import operator
    from actors.live.part import Part
    from core.message import Command

    folder = find(sessions, session)
    sitting = folder.read()
    where = Part(folder, sitting, sitting.places()[0], 0).where()
    if node not in where:
        raise UserError(
            f"this session has no {node!r}: {nearest(node, [one.name for one in sitting.runners()] + ['risk'])}", Exit.NOT_FOUND
        )
    _check(node, verb, argument)
    with operator(folder) as line:
        host = where[node]
        if not line.reach(host, REACH_S):
            raise UserError(f"{host} is not running", Exit.NOT_RUNNING)
        log = folder.log(host)
        begin = log.stat().st_size if log.exists() else 0
        line.say(host, node, Command(symbol, strategy=strategy or node, verb=verb, argument=argument))
        if not line.delivered(host, REACH_S):
            raise UserError(f"{host} has not taken it within {REACH_S:g} s", Exit.TIMED_OUT)
    sys.stdout.write(f"{node} was told: {' '.join(filter(None, (verb, argument)))}\n")
    for answer in _answers(log, begin, node):
        sys.stdout.write(answer + "\n")
    return Exit.FINE


def _check(node: str, verb: str, argument: str) -> None:
    """What risk would refuse to understand is said here. Strategies may have verbs of their own."""
    from actors.wiring import RISK
    from core.risk.controls import VERBS
    from core.risk.limits import LimitError, parse

    if node != RISK:
        return
    if verb not in VERBS:
        raise UserError(f"risk knows no {verb!r}: {nearest(verb, VERBS)}", Exit.CONFIGURATION)
    if verb in ("resume", "enable") and not argument.strip():
        raise UserError(f"{verb} needs the name of the person who answers for it: tell risk {verb} NAME", Exit.CONFIGURATION)
    if verb == "limit":
        try:
            parse(argument)
        except LimitError as error:
            raise UserError(str(error), Exit.CONFIGURATION) from error


def _answers(log: Path, begin: int, node: str) -> list[str]:
    """What a node said from a byte of its host's log on, waited for a moment."""
    from actors.live.log import lines
    from actors.live.words import shown

    end = time.monotonic() + ANSWER_S
    while time.monotonic() < end:
        found = [shown(one) for _, one in lines(log, begin) if one.source == node]
        if found:
            return found
        time.sleep(0.02)
    return []
