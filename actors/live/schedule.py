"""The calendar on the host's clock: the table that the simulated clock fires too, run by APScheduler.

It only emits timer messages: what is to be done at a time is the affair of the node that takes them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger

from actors.calendar import JOBS
from core.message import Timer
from core.ports import Clock


class Schedule:
    """Jobs of the calendar for nodes of one host; `hand` puts a message before a node and may be called from any thread."""

    def __init__(self, clock: Clock, hand: Callable[[str, Timer], None]) -> None:
        self._clock, self._hand = clock, hand
        self._scheduler = BackgroundScheduler(timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True})
        self._scheduler.start()

    def enter(self, node: str, name: str) -> None:
        """Send the node a Timer with the job's name at each of its due times from now on."""
        self._plan(node, name, JOBS[name].next_after(self._clock.now()))

    def close(self) -> None:
        """Fire nothing more."""
        self._scheduler.shutdown(wait=False)

    def _plan(self, node: str, name: str, due: int) -> None:
        at = datetime.fromtimestamp(due / 1e9, UTC)
        self._scheduler.add_job(self._fire, DateTrigger(at), (node, name, due), id=f"{node} {name}", replace_existing=True)

    def _fire(self, node: str, name: str, due: int) -> None:
        """A job is due: the host's clock decides, so where the scheduler's is ahead of it, it is planned once more."""
        now = self._clock.now()
        if now < due:
            self._plan(node, name, due)
            return
        self._hand(node, Timer("", due, now, now, due, name))
        self._plan(node, name, JOBS[name].next_after(now))
