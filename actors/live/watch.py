"""Whether the market's streams live: a watchdog for each, because a stream that dies says nothing.

It is told when each stream last spoke, and looks every second. A kind that comes by the clock (mark prices) is dead when it is
late. Of the others the venue is asked what it shows; asked again while the stream is still silent, it shows either the same (a
quiet market) or something else: then the stream is dead, though its connection lives.
"""

from __future__ import annotations

from typing import Final

from core.dialect.binance.feed import PROBES, Question, kind_of, probe

AGAIN_NS: Final = 2_000_000_000
"""Between two questions about one stream."""


class Stream:
    """One stream: which instrument's, and when it last spoke (ns UTC; a connection that has just opened counts as speech)."""

    __slots__ = ("_asked", "_shown", "_spoken", "frames", "last", "name", "node", "symbol")

    def __init__(self, name: str, symbol: str, node: str) -> None:
        self.name, self.symbol, self.node = name, symbol, node
        self.last = 0
        self.frames = 0
        self._asked = 0
        self._spoken = 0
        self._shown: tuple[object, ...] | None = None

    def hear(self, now: int) -> None:
        """Begin anew: its connection has just opened."""
        self.last, self._shown = now, None

    def look(self, now: int) -> Question | str | None:
        """A question to the venue, or why the stream is dead, or None: nothing is the matter."""
        wanted = PROBES[kind_of(self.name)]
        if self.last != self._spoken:
            self._spoken, self._shown = self.last, None
        if now - self.last < wanted.silent_ns:
            return None
        question = probe(self.name, self.symbol)
        if question is None:
            return f"{self.name} is silent for {(now - self.last) / 1e9:.0f} s"
        if now - self._asked < AGAIN_NS:
            return None
        self._asked = now
        return question

    def shown(self, sign: tuple[object, ...] | None) -> str:
        """The venue's answer: why the stream is dead, "" while that is not proved."""
        if sign is None or self.last != self._spoken:
            return ""
        before, self._shown = self._shown, sign
        return f"{self.name} is silent while the market moves" if before is not None and before != sign else ""
