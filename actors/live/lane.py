"""Who transmits a request: the first connection that is free, and a thread of each that waits for the answers.

Where a connection is free the loop's own thread puts the bytes into it; where none is, or it does not stand, the first that is
free takes the request. What waited until its time was over is not transmitted at all. (`actors/live/sender.py` has the rules.)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import Empty
from threading import Lock, Thread
from typing import Final

from actors.live.sender import Job, Worker
from core.dialect.binance.answers import Answer
from core.dialect.binance.effects import Ask

IDLE_S: Final = 5.0
"""How often an idle connection is looked at."""

Done = Callable[[int, Answer | None], None]


class Lane:
    """Some connections and what waits for one. `done` is called, on a thread, with each call's number and what came of it;
    `allowed`, before what had to wait is transmitted, whether it still may be."""

    def __init__(
        self,
        name: str,
        threads: int,
        worker: Callable[[], Worker],
        done: Done,
        now: Callable[[], int],
        allowed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._done, self._now, self._allowed = done, now, allowed
        self._lock = Lock()
        self._free: list[Worker] = []
        self._waiting: deque[Job] = deque()
        self._workers = [worker() for _ in range(threads)]
        self._threads = [
            Thread(target=self._run, args=(one,), name=f"{name} {k}", daemon=True) for k, one in enumerate(self._workers)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, ask: Ask) -> None:
        """Have a request transmitted: at once where a connection is free, else by the first that will be."""
        job = Job(ask, self._now() + ask.timeout_ns)
        with self._lock:
            if not self._free:
                self._waiting.append(job)
                return
            worker = self._free.pop()
        if worker.send(ask):
            job.sent = self._now()
        worker.jobs.put(job)

    def close(self) -> None:
        """No more requests; those under way end by themselves."""
        for worker in self._workers:
            worker.jobs.put(None)

    def join(self, timeout_s: float) -> None:
        """Wait for the threads to end."""
        for thread in self._threads:
            thread.join(timeout_s)

    def _run(self, worker: Worker) -> None:
        worker.ready()
        job = self._next(worker)
        while True:
            if job is not None:
                self._answer(worker, job)
                job = self._next(worker)
                continue
            try:
                job = worker.jobs.get(timeout=IDLE_S)
            except Empty:
                if self._take_out(worker):
                    worker.ready()
                    job = self._next(worker)
                continue
            if job is None:
                break
        worker.close()

    def _answer(self, worker: Worker, job: Job) -> None:
        answer = None
        sent = job.sent or self._now()
        if job.sent:
            answer = worker.receive(job.ask)
        elif sent < job.until and self._allowed():
            answer = worker.transmit(job.ask)
        if answer is not None:
            answer = Answer(answer.status, answer.headers, answer.body, sent, self._now())
        self._done(job.ask.call, answer)

    def _next(self, worker: Worker) -> Job | None:
        """What waits for a connection; where nothing does, this one is free."""
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._free.append(worker)
            return None

    def _take_out(self, worker: Worker) -> bool:
        """Whether the connection was free, and is its thread's alone from now on."""
        with self._lock:
            if worker not in self._free:
                return False
            self._free.remove(worker)
            return True
