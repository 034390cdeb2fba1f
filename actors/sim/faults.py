"""What may go wrong on the road between a gateway and its venue, and how likely."""

from __future__ import annotations

from random import Random

from msgspec import Struct


class Faults(Struct, frozen=True):
    """How likely each fault is, a request or a report; 0: it does not happen."""

    refused: float = 0.0
    never_arrives: float = 0.0
    arrives_late: float = 0.0
    answer_lost: float = 0.0
    report_dropped: float = 0.0
    report_doubled: float = 0.0
    report_delayed: float = 0.0
    query_lost: float = 0.0
    unasked_cancel: float = 0.0

    @classmethod
    def draw(cls, random: Random) -> Faults:
        """Each kind is on in half of all runs, at a strength of its own up to its range (RELIABILITY, section 4)."""
        most = {
            "refused": 0.1,
            "report_dropped": 0.2,
            "report_doubled": 0.5,
            "report_delayed": 0.5,
            "query_lost": 0.3,
            "unasked_cancel": 0.02,
        }
        return cls(
            **{name: random.uniform(0.01, most.get(name, 0.2)) * (random.random() < 0.5) for name in cls.__struct_fields__}
        )
