"""What a user can do wrong, said in one line, with the exit code that scripts rely on."""

from __future__ import annotations

import traceback
from enum import IntEnum
from pathlib import Path

from core.spelling import nearest as nearest  # noqa: PLC0414 (this is where the verbs find it)


class Exit(IntEnum):
    """Exit codes of every verb."""

    FINE = 0
    ERROR = 1
    NOT_FOUND = 2
    NOT_RUNNING = 3
    CONFIGURATION = 4
    TIMED_OUT = 5


class UserError(Exception):
    """Something outside the program is wrong; the message says what, where, and what to do. Shown without a traceback."""

    def __init__(self, message: str, exit_code: Exit = Exit.ERROR) -> None:
        super().__init__(message)
        self.exit_code = exit_code

    def __reduce__(self) -> tuple[type[UserError], tuple[str, Exit]]:
        return type(self), (str(self), self.exit_code)


class MachineError(UserError):
    """The machine is at fault and not the task: its disk is full, it sees other data. Another machine may do better."""


def cause(error: Exception, folder: Path) -> str:
    """One line: what was raised and, for what is not a user's error, the line of the user's folder that it came from."""
    if isinstance(error, UserError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).parent == folder] or frames
    return f"{type(error).__name__}: {' '.join(str(error).split())} ({Path(own[-1].filename).name}:{own[-1].lineno})"


def last_line(error: Exception) -> str:
    """The line of a long error that says what it comes to: Ray's end with it."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
