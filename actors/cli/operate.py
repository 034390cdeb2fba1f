"""What a person does with a session that trades: `status`, `logs`, `tell`, `stop`, `kill`. None of them needs Ray."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from actors.errors import Exit, UserError, nearest

if TYPE_CHECKING:
    from actors.live.folder import Folder
    from actors.live.operator import Operator

REACH_S = 2.0
KILL_REACH_S = 1.0
"""The account's host is asked first; when it has not answered by then, the venue is asked without it."""
KILL_CONFIRM_S = 10.0

Sessions = Annotated[Path, Parameter(name="--sessions")]
Json = Annotated[bool, Parameter(name="--json", negative="")]


def status(session: str = "", /, *, sessions: Sessions = Path("sessions"), json: Json = False) -> int:
    """Show what a session's hosts say of themselves.

    Parameters
    ----------
    session
        Its id, the beginning of it, or its folder; the newest when left out.
    sessions
        Where sessions' folders are.
    json
        Print one JSON object instead of tables.
    """
    from actors.live.operator import operator

    folder = _folder(sessions, session)
    with operator(folder) as line:
        said = {name: _asked(line, name) for name in _hosts(folder)}
    if json:
        _write_json(said)
    else:
        _show(said)
    return int(Exit.FINE if all(said.values()) else Exit.NOT_RUNNING)


def logs(
    session: str = "",
    /,
    *,
    sessions: Sessions = Path("sessions"),
    follow: Annotated[bool, Parameter(name="--follow", negative="")] = False,
    all_: Annotated[bool, Parameter(name="--all", negative="")] = False,
) -> int:
    """Show what a session's hosts wrote, in order of time: warnings and alarms, or with --all everything.

    Parameters
    ----------
    session
        Its id, the beginning of it, or its folder; the newest when left out.
    sessions
        Where sessions' folders are.
    follow
        Go on until Ctrl-C.
    all_
        Facts too.
    """
    from actors.live.log import Line, lines
    from actors.live.words import shown

    folder = _folder(sessions, session)
    read: dict[Path, int] = {}
    while True:
        found: list[Line] = []
        for path in folder.logs.glob("*.jsonl"):
            for end, one in lines(path, read.get(path, 0)):
                read[path] = end
                found.append(one)
        for one in sorted(found, key=lambda one: one.timestamp):
            if all_ or one.level != "info":
                sys.stdout.write(shown(one) + "\n")
        sys.stdout.flush()
        if not follow:
            return Exit.FINE
        time.sleep(0.5)


def tell(
    node: str,
    verb: str,
    argument: str = "",
    /,
    *,
    session: Annotated[str, Parameter(name="--session")] = "",
    sessions: Sessions = Path("sessions"),
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
    from actors.live.operator import operator
    from actors.live.part import Part
    from core.message import Command

    folder = _folder(sessions, session)
    sitting = folder.read()
    where = Part(folder, sitting, sitting.places()[0], 0).where()
    if node not in where:
        raise UserError(
            f"this session has no {node!r}: {nearest(node, [one.name for one in sitting.runners()] + ['risk'])}", Exit.NOT_FOUND
        )
    with operator(folder) as line:
        host = where[node]
        _require(line, host)
        line.say(host, node, Command(symbol, strategy=strategy or node, verb=verb, argument=argument))
        if not line.delivered(host, REACH_S):
            raise UserError(f"{host} has not taken it within {REACH_S:g} s", Exit.TIMED_OUT)
    sys.stdout.write(f"{node} was told: {' '.join(filter(None, (verb, argument)))}; `astrarium logs --all` has its answer\n")
    return Exit.FINE


def stop(session: str = "", /, *, sessions: Sessions = Path("sessions")) -> int:
    """End a session in good order: orders canceled, journals closed. What is held stays held.

    Parameters
    ----------
    session
        Its id, the beginning of it, or its folder; the newest when left out.
    sessions
        Where sessions' folders are.
    """
    from actors.trade import end

    return end(_folder(sessions, session))


def kill(
    session: str = "",
    /,
    *,
    sessions: Sessions = Path("sessions"),
    why: Annotated[str, Parameter(name="--why")] = "killed by a person",
) -> int:
    """Stop trading at once: no new order, every open order canceled, plain and conditional. What is held stays held.

    The account's host is asked first. Where it does not answer within a second, the venue is asked for its cancel-alls without
    it.

    Parameters
    ----------
    session
        Its id, the beginning of it, or its folder; the newest when left out.
    sessions
        Where sessions' folders are.
    why
        What is written down as the reason.
    """
    from actors.live.kill import kill_session

    return kill_session(_folder(sessions, session), why, KILL_REACH_S, KILL_CONFIRM_S)


def _folder(sessions: Path, session: str) -> Folder:
    from actors.live.folder import find

    return find(sessions, session)


def _hosts(folder: Folder) -> list[str]:
    return [place.name for place in folder.read().places()]


def _require(line: Operator, host: str) -> None:
    if not line.reach(host, REACH_S):
        raise UserError(f"{host} is not running", Exit.NOT_RUNNING)


def _asked(line: Operator, host: str) -> dict[str, Any]:
    return line.ask(host, "status", REACH_S) if line.reach(host, REACH_S) else {}


def _write_json(value: Any) -> None:
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def _show(said: dict[str, dict[str, Any]]) -> None:
    from rich.console import Console

    from actors.live.words import tables

    console = Console(width=None if sys.stdout.isatty() else 160)
    for table in tables(said):
        console.print(table)
