"""A run's keeper: an actor on the cluster's head that hands out its tasks and keeps what comes of them until it is fetched.

The run is the keeper's and not its terminal's. A terminal attaches, fetches words and says which it has written down; one that
goes away changes nothing, and the same command, typed again, attaches anew. Progress takes a latest lane, results and notices an
every lane: a word is kept until its receipt.

Who does which task is the dispatcher's affair (`actors/cluster/dispatch.py`).
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Sequence
from threading import Condition, Thread
from typing import Any, Final

from msgspec import Struct

from actors.cluster.dispatch import Dispatcher
from actors.cluster.inspection import Outfit, differs
from actors.errors import UserError
from actors.results import DayFiles
from actors.sim.days import Progress
from actors.tasks import Task
from actors.work import Notice, Word

ALONE_S: Final = 24 * 3600.0
"""A keeper whose run is over and whose terminal is away ends itself after so long, and what it kept with it."""
BATCH_BYTES: Final = 16 << 20
LAST_WORDS_S: Final = 5.0


class Batch(Struct, frozen=True):
    """What a terminal fetches: words of tasks by their keys, numbered from `first` on, and how far running tasks are."""

    first: int
    words: tuple[tuple[str, Word], ...]
    progress: dict[str, Progress]
    over: bool
    """Nothing comes after these."""


class Shelf:
    """Words that nobody has written down yet, the oldest first, in Ray's object store, which goes to disk where it must."""

    def __init__(self) -> None:
        import ray

        self._ray = ray
        self._items: deque[tuple[Any, str, int]] = deque()
        self._keys: Counter[str] = Counter()
        self.first = 1

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: str) -> bool:
        return self._keys[key] > 0

    def put(self, key: str, word: Word) -> None:
        """Add one."""
        size = sum(map(len, word.columns.values())) if isinstance(word, DayFiles) else 0
        self._items.append((self._ray.put((key, word)), key, size))
        self._keys[key] += 1

    def receipt(self, number: int) -> None:
        """All up to this one are written down."""
        while self._items and self.first <= number:
            self._keys[self._items.popleft()[1]] -= 1
            self.first += 1

    def oldest(self) -> tuple[tuple[str, Word], ...]:
        """The oldest words, at least one where there is one, some megabytes together."""
        found: list[Any] = []
        size = 0
        for item, _, more in self._items:
            size += more
            if found and size > BATCH_BYTES:
                break
            found.append(item)
        return tuple(self._ray.get(found))


class Keeper:
    """Holds one run. Its methods are called by terminals, over Ray; a thread of its own does the work."""

    def __init__(self, wanted: Outfit, store: str) -> None:
        self._wanted = wanted
        self._changed = Condition()
        self._shelf, self._progress = Shelf(), dict[str, Progress]()
        self._keys: list[str] = []
        """What each task is called, by its number; one that is done anew has another number and the same key."""
        self._numbers: dict[str, int] = {}
        """The last number of each key."""
        self._terminal, self._over = 0, False
        self._asked = time.monotonic()
        self._dispatcher = Dispatcher(self._say, wanted, store)
        Thread(target=self._live, name="keeper", daemon=True).start()

    # --- by a terminal

    def attach(self, tasks: Sequence[tuple[str, Task]], wanted: Outfit) -> int:
        """A terminal wants these tasks done, by their keys, and takes over from any other. Returns the number to say it by.

        What is done already and was handed over, to somebody who wrote it down elsewhere, is done again. Raises UserError where
        the terminal has other packages than the run began with.
        """
        if trouble := differs(wanted, self._wanted):
            raise UserError(f"this machine cannot come back to the run: {trouble}")
        with self._changed:
            self._terminal += 1
            keys = {key for key, _ in tasks}
            self._dispatcher.drop(number for key, number in self._numbers.items() if key not in keys)
            fresh: dict[int, Task] = {}
            for key, task in tasks:
                if key not in self._shelf and self._numbers.get(key) not in self._dispatcher.open:
                    self._numbers[key] = len(self._keys)
                    fresh[len(self._keys)] = task
                    self._keys.append(key)
            self._dispatcher.add(fresh)
            self._over = self._over and not fresh
            self._changed.notify_all()
            return self._terminal

    def words(self, terminal: int, receipt: int, seconds: float) -> Batch:
        """What is new since, waiting for it so long; everything up to `receipt` is written down.

        Raises UserError where another terminal has attached since.
        """
        until = time.monotonic() + seconds
        with self._changed:
            self._asked = time.monotonic()
            if terminal == self._terminal:
                self._shelf.receipt(receipt)
            while terminal == self._terminal:
                found, progress = self._shelf.oldest(), self._progress
                over = self._over and len(found) == len(self._shelf)
                left = until - time.monotonic()
                if found or progress or over or left <= 0:
                    self._progress = {}
                    return Batch(self._shelf.first, found, progress, over)
                self._changed.wait(left)
        raise UserError("another terminal has taken this run over")

    # --- its own thread

    def _live(self) -> None:
        try:
            while True:
                self._dispatcher.turn()
                self._rest()
        except BaseException as error:  # noqa: BLE001 - told, because nobody else would
            try:
                self._say(None, Notice(f"the run's keeper dies: {type(error).__name__}: {error}"))
                time.sleep(LAST_WORDS_S)
            finally:
                os._exit(1)

    def _rest(self) -> None:
        """There is nothing to do while everything is done."""
        with self._changed:
            if self._dispatcher.idle and not self._over:
                self._over = True
                self._changed.notify_all()
            if self._over:
                if time.monotonic() - self._asked > ALONE_S:
                    os._exit(0)
                self._changed.wait(1.0)

    def _say(self, number: int | None, word: Word) -> None:
        with self._changed:
            key = "" if number is None else self._keys[number]
            if isinstance(word, Progress):
                self._progress[key] = word
            else:
                self._progress.pop(key, None)
                self._shelf.put(key, word)
            self._changed.notify_all()
