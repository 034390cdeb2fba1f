"""Whether a sweep's best set is likely luck, in words; `core/study/selection.py` has the measures, here is what is said of them.

    likely       one day; or shuffled sets do as well once in ten; or the choice made on other days stands at or below half way
    possible     fewer than five days; or shuffled sets do as well once in a hundred; or ranks by day hardly agree
    less likely  none of these

It is never "no": the days were chosen by somebody, and so were the keys.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

DAYS_FEW: Final = 5
LIKELY: Final = 0.1
POSSIBLE: Final = 0.01
AGREE: Final = 0.3
"""Mean rank correlation between days under which a day says little of the next."""
HALF: Final = 0.5


class Luck(Struct, frozen=True):
    """What is known of the best set. Standings are 0 for the worst set to 1 for the best; None is: cannot be said."""

    sets: int
    complete: int
    distinct: int
    days: int
    best: int = 0
    gains: bool = False
    chance: float = 1.0
    """How often the best of shuffled sets is as good as the best that was found."""
    correlation: float | None = None
    held_out: float | None = None
    neighbours: float | None = None
    idle: tuple[str, ...] = ()
    """Keys that changed nothing."""
    still: int = 0
    """Sets that never traded."""

    @property
    def verdict(self) -> str:
        """likely, possible, less likely; or nothing where there is no best set."""
        if not self.complete or self.distinct < 2:
            return "nothing to choose"
        chosen_badly = self.held_out is not None and self.held_out <= HALF
        if self.days < 2 or self.chance >= LIKELY or chosen_badly:
            return "likely"
        agree = self.correlation is not None and self.correlation >= AGREE
        return "possible" if self.days < DAYS_FEW or self.chance >= POSSIBLE or not agree else "less likely"

    @property
    def sentences(self) -> list[str]:
        """The verdict and what it rests on, as sentences."""
        if not self.complete:
            return [f"None of the {self.sets:,} sets has all of its days: nothing is ranked."]
        said = [self._headline()]
        if self.complete < self.sets:
            said.append(f"{self.sets - self.complete:,} of {self.sets:,} sets lack days and stand in no ranking.")
        if self.distinct < self.complete:
            said.append(f"Of {self.complete:,} sets {self.distinct:,} did anything different from another.")
        if self.idle:
            said.append(f"These keys changed no order and no fill: {', '.join(self.idle)}.")
        if self.still:
            said.append(f"{self.still:,} sets never traded; they stand at 0.")
        return said + (self._measures() if self.distinct > 1 else [])

    def _headline(self) -> str:
        if self.distinct < 2:
            return "All sets did the same: there is nothing to choose."
        tried = f"the best of {self.distinct:,} sets on {self.days:,} day{'' if self.days == 1 else 's'}"
        loses = "" if self.gains else " No set gained: the best is the one that lost least."
        return {
            "likely": f"That set {self.best} is {tried} is likely luck.",
            "possible": f"That set {self.best} is {tried} may be luck: try it on days that are not among these.",
            "less likely": f"That set {self.best} is {tried} is more than luck on these days; the days themselves are a choice.",
        }[self.verdict] + loses

    def _measures(self) -> list[str]:
        said = []
        if self.days < 2:
            return ["One day says nothing about the next: chance alone makes one of the sets the best."]
        if self.days < DAYS_FEW:
            said.append(f"{self.days} days are few: fewer than {DAYS_FEW} cannot show that an order of sets lasts.")
        said.append(
            f"Were all sets alike, the best of them would look as good as this one {_often(self.chance)} "
            "(the sets of each day shuffled)."
        )
        if self.correlation is not None:
            little = ", so a day says little of another" if self.correlation < AGREE else ""
            said.append(f"The order of the sets on one day and on another: rank correlation {self.correlation:.2f}{little}.")
        if self.held_out is not None:
            said.append(
                f"Chosen on all other days, the best set stands on the day left out at {self.held_out:.0%} of the way from "
                "worst to best; half way is chance."
            )
        if self.neighbours is not None:
            lone = ": a lone peak" if self.neighbours < HALF else ""
            said.append(f"Its neighbours in the grid stand at {self.neighbours:.0%} of the way{lone}.")
        return said

    def json(self) -> dict[str, Any]:
        """For machines."""
        return {"verdict": self.verdict, "sentences": self.sentences, **msgspec.structs.asdict(self)}


def _often(share: float) -> str:
    return "in fewer than 1% of cases" if share < 0.01 else f"in {share:.0%} of cases"
