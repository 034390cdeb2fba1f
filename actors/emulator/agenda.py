"""What happens by itself at a time: countdowns, expiries, funding, late requests.

Equal times keep the order in which they were set.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from core.kernel.replay import FOREVER


class Agenda:
    """Calls by time, ns UTC. A name that is set again replaces what stood under it."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, str, Callable[[int], None]]] = []
        self._named: dict[str, int] = {}
        self._count = 0

    def at(self, when: int, call: Callable[[int], None], name: str = "") -> None:
        """Run `call(when)` at a time."""
        self._count += 1
        if name:
            self._named[name] = self._count
        heappush(self._heap, (when, self._count, name, call))

    def drop(self, name: str) -> None:
        """Forget what stands under a name."""
        self._named.pop(name, None)

    def due(self) -> int:
        """When the next call is due; FOREVER when there is none."""
        heap = self._heap
        while heap and heap[0][2] and self._named.get(heap[0][2]) != heap[0][1]:
            heappop(heap)
        return heap[0][0] if heap else FOREVER

    def run(self, now: int) -> None:
        """Run everything that is due."""
        while self.due() <= now:
            when, _, name, call = heappop(self._heap)
            if name:
                del self._named[name]
            call(when)
