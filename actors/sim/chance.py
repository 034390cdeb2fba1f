"""Chance, drawn from a seed: whether a fault strikes now, and how often each kind did."""

from __future__ import annotations

from collections import Counter
from random import Random


class Chance:
    """One source of randomness for everything that goes wrong in a run; `fired` counts by the fault's name."""

    def __init__(self, random: Random, fired: Counter[str]) -> None:
        self.random, self.fired = random, fired
        self.over = False
        """No fault from now on."""

    def strikes(self, name: str, likely: float) -> bool:
        """Whether the fault of this name happens now."""
        if self.over or not likely or self.random.random() >= likely:
            return False
        self.fired[name] += 1
        return True
