"""What a person does with a session that trades: `status`, `logs`, `stop`, `kill`. None of them needs Ray."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from actors.errors import Exit

if TYPE_CHECKING:
    from actors.live.folder import Folder
    from actors.live.operator import Operator

REACH_S = 2.0
KILL_REACH_S = 1.0
"""The account's host is asked first; when it has not answered by then, the venue is asked without it."""
KILL_CONFIRM_S = 10.0
WRITES_S = 1.5
"""Who waits for an account writes every second."""

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
    if folder.read().spread:
        said |= _waiting(folder)
    if json:
        _write_json(said)
    else:
        _show(said)
        if not any(said.values()):
            sys.stdout.write(_ended(folder) + "\n")
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


def _ended(folder: Folder) -> str:
    """How a session that does not run came to its end, by what it left."""
    import msgspec

    from actors.live.words import brief

    try:
        end = msgspec.json.decode((folder.path / "end.json").read_bytes(), type=dict[str, Any])
    except (OSError, ValueError):
        return f"session {folder.path.name} does not run; it left no word of its end"
    return f"session {folder.path.name} has ended: {brief(end['account'])}"


def _hosts(folder: Folder) -> list[str]:
    return [place.name for place in folder.read().places()]


def _asked(line: Operator, host: str) -> dict[str, Any]:
    return line.ask(host, "status", REACH_S) if line.reach(host, REACH_S) else {}


def _waiting(folder: Folder) -> dict[str, dict[str, Any]]:
    """Who waits for the account, by what it writes every second; who writes nothing is no more."""
    from actors.live.tenure import seats

    before = seats(folder.tenure)[1]
    time.sleep(WRITES_S)
    holder, after = seats(folder.tenure)
    return {
        f"{seat} (waits)": {"waits": holder.seat if holder is not None else "nobody", "machine": word.machine, "pid": word.pid}
        for seat, word in after.items()
        if seat in before and before[seat] != word
    }


def _write_json(value: Any) -> None:
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def _show(said: dict[str, dict[str, Any]]) -> None:
    from rich.console import Console

    from actors.live.words import tables

    console = Console(width=None if sys.stdout.isatty() else 160)
    for one in tables(said):
        console.print(one, markup=False, highlight=False)
