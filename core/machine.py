"""A state machine that is a table, with event filters: handlers chosen by the pair of state and event type.

The table lists which state may follow which, and for what reason; a move that is not in it is a bug and raises. What to do
when an event arrives is not in the table but in handlers, each registered for one pair (state, type of event). Several may
stand for one pair; they run in the order in which they were added. Handlers may be added and removed while running, by
other handlers too: the pair is looked up once, when the event arrives, so one that is added for the same pair waits for the
next event, and one that is removed before its turn is not called. A move made by one handler does not keep the others of
the old pair from seeing the event that they were chosen for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

Handler = Callable[[Any], None]
ANY: Final = "*"
"""As a state of a handler: whatever the machine's state."""


class TransitionError(AssertionError):
    """The table has no such move: a bug in the code that asked for it."""


class Machine:
    """States, the moves between them, and handlers by (state, event type)."""

    __slots__ = ("_handlers", "moves", "state", "states")

    def __init__(self, moves: Iterable[tuple[str, str]], start: str) -> None:
        self.moves = frozenset(moves)
        self.states = frozenset(state for move in self.moves for state in move) | {start}
        self.state = start
        self._handlers: dict[tuple[str, type], tuple[Handler, ...]] = {}

    def to(self, state: str) -> None:
        """Move to a state. Raises TransitionError when the table has no such move; staying is always allowed."""
        if state != self.state and (self.state, state) not in self.moves:
            raise TransitionError(f"no move from {self.state!r} to {state!r}")
        self.state = state

    def add(self, state: str, event: type, handler: Handler) -> None:
        """Call `handler` for events of exactly this type while in this state (or ANY). Adding it again changes nothing."""
        if state != ANY and state not in self.states:
            raise KeyError(f"unknown state {state!r}: the table has {', '.join(sorted(self.states))}")
        present = self._handlers.get((state, event), ())
        if handler not in present:
            self._handlers[state, event] = (*present, handler)

    def remove(self, state: str, event: type, handler: Handler) -> None:
        """Stop calling a handler; removing one that is not there changes nothing."""
        present = self._handlers.get((state, event), ())
        self._handlers[state, event] = tuple(one for one in present if one != handler)

    def handlers(self, event: type) -> tuple[Handler, ...]:
        """Those that an event of this type would reach now: the state's own first, then those of ANY state."""
        return self._handlers.get((self.state, event), ()) + self._handlers.get((ANY, event), ())

    def handle(self, event: object) -> int:
        """Give an event to the handlers of its pair; returns how many took it."""
        if not self._handlers:  # most strategies react by method alone
            return 0
        kind, state, count = type(event), self.state, 0
        for source in (state, ANY):
            for handler in self._handlers.get((source, kind), ()):
                if handler in self._handlers[source, kind]:
                    handler(event)
                    count += 1
        return count
