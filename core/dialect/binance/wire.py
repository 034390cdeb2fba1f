"""A session's wire to Binance: requests out, each once; answers in; timers, the allowance and the venue's clock. Its rules:

1. *A call is transmitted once.* Its answer comes back once, or None when none came that proves anything.
2. *Asking costs.* A request leaves only when the allowance has it; one that must wait, waits here, and is written and signed anew
   with the time at which it leaves.
3. *The venue's clock* is ours and an offset, measured by the sample with the shortest round trip. A refusal for the time measures
   it anew; whoever waits for that is told when it is done.
4. *A flow* is a generator: it yields a request and is sent the answer, or yields a time to wait (ns). Only questions go through
   flows, never orders; `insist` asks again, which is safe of a question.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from heapq import heappop, heappush
from typing import Final, Literal

from core.allowance import Allowance, Pool
from core.codec import WireError
from core.dialect.binance import account, rest
from core.dialect.binance.answers import Answer, refusal
from core.dialect.binance.effects import Ask, Effect, Lane, Say, Tell
from core.dialect.binance.errors import Proof, Verdict, closed_until, verdict
from core.dialect.binance.filters import WEIGHT
from core.dialect.binance.hosts import VenueTable
from core.message import Message

SECOND: Final = 1_000_000_000
NEVER: Final = 2**62
SAMPLES: Final = 5
"""Of the venue's clock, at the start; three when it is measured anew."""
OFFSET_NS_MAX: Final = SECOND // 2
"""Beyond it between the venue's clock and ours the operator is told: a session does not begin like this, but may come to it."""
KEYLESS: Final = (-1022, -2014, -2015)
"""What the venue answers to a signature or a key that it does not take."""
TRIES: Final = 6
"""How often a question is asked before its flow gives up: with the waits between them about ten seconds."""


def documented() -> tuple[Pool, ...]:
    """The documented limits, until the venue's own are read."""
    return (
        Pool(WEIGHT, 2_400, 60 * SECOND),
        Pool("ORDERS:10S", 300, 10 * SECOND),
        Pool("ORDERS:1M", 1_200, 60 * SECOND),
    )


Answered = Callable[[Answer | None], None]
Flow = Generator["rest.Request | int", Answer | None, None]
Part = Generator["rest.Request | int", Answer | None, Answer | None]


class Wire:
    """Effects out, answers in, timers, the allowance and the venue's clock. `now` is the time of the input being handled."""

    def __init__(self, venue: VenueTable, signer: rest.Signer) -> None:
        self.venue, self.signer = venue, signer
        self.now = 0
        self.offset = 0
        self.allowance = Allowance(documented())
        self.effects: list[Effect] = []
        self.spoken = False
        """Whether the WebSocket API is connected."""
        self.keyless: Callable[[str], None] = lambda text: None
        """Told in the venue's words when it refuses the key, whatever was asked."""
        self._window = venue.window_ms * 1_000_000
        self._calls = 0
        self._open: dict[int, tuple[Answered, Lane, int]] = {}
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._timed = 0
        self._after_sync: list[Callable[[], None]] | None = None

    # --- effects

    def say(self, node: str, message: Message) -> None:
        """Hand a message to a node."""
        self.effects.append(Say(node, message))

    def tell(self, urgency: Literal[0, 1, 2], headline: str, text: str = "") -> None:
        """A word to the operator."""
        self.effects.append(Tell(urgency, headline, text))

    def take(self) -> list[Effect]:
        """What is to be done, once, in order."""
        effects, self.effects = self.effects, []
        return effects

    @property
    def venue_now(self) -> int:
        """The venue's time, ns UTC."""
        return self.now + self.offset

    # --- timers

    def after(self, wait_ns: int, call: Callable[[], None]) -> None:
        """Run a call so much later."""
        self._timed += 1
        heappush(self._timers, (self.now + max(wait_ns, 0), self._timed, call))

    def due(self) -> int:
        """When a timer is due next, ns UTC."""
        return self._timers[0][0] if self._timers else NEVER

    def wake(self) -> None:
        """Run what is due."""
        while self._timers and self._timers[0][0] <= self.now:
            heappop(self._timers)[2]()

    # --- calls

    def transmit(self, request: rest.Request, lane: Lane, timeout_ns: int, done: Answered) -> None:
        """Write, sign and send a request that is paid for."""
        self._calls += 1
        call = self._calls
        self._open[call] = done, lane, self.now
        if lane == "ws":
            text = self.signer.spoken(rest.SPOKEN[request.method], request, self.venue_now, str(call), self._window)
            self.effects.append(Ask(call, lane, request.method, "", timeout_ns, text))
            return
        query = self.signer.written(request, self.venue_now, self._window)
        self.effects.append(Ask(call, lane, request.method, f"{request.path}?{query}" if query else request.path, timeout_ns))

    def answered(self, call: int, answer: Answer | None) -> None:
        """The one answer to a call; a second one is ignored."""
        done, _, sent = self._open.pop(call, (None, "queries", 0))
        if done is None:
            return
        if answer is not None:
            self._count(answer)
            if not answer.sent:
                answer = Answer(answer.status, answer.headers, answer.body, sent, self.now)
        done(answer)

    def speechless(self) -> None:
        """The WebSocket API's connection broke: no answer comes to what was asked over it."""
        self.spoken = False
        for call in [call for call, (_, lane, _) in self._open.items() if lane == "ws"]:
            self.answered(call, None)

    def _count(self, answer: Answer) -> None:
        """Header truth: how much the venue has counted, and how long it wants to hear nothing."""
        for name, value in answer.headers.items():
            if name.startswith("x-mbx-") and value.isascii() and value.isdigit():
                kind, _, window = name.removeprefix("x-mbx-").rpartition("-")
                pool = {"used-weight": "REQUEST_WEIGHT", "order-count": "ORDERS"}.get(kind, "")
                self.allowance.counted(self.venue_now, f"{pool}:{window.upper()}", int(value))
        if answer.status in (418, 429):
            text = refusal(answer.body)[1]
            until = closed_until(self.venue_now, answer.status, answer.headers.get("retry-after", ""), text)
            self.allowance.refused(self.venue_now, (until - self.venue_now) / 1e9, answer.status == 418)
            self.tell(2 if answer.status == 418 else 1, "too many requests", f"{answer.status} {text}")
        if answer.status in (400, 401) and (refused := refusal(answer.body))[0] in KEYLESS:
            self.keyless(f"{refused[0]} {refused[1]}")

    def ask(self, request: rest.Request, done: Answered) -> None:
        """A question: it leaves as soon as the allowance has it."""
        wait = self.allowance.take(self.venue_now, {WEIGHT: request.weight})
        if wait:
            self.after(wait - self.venue_now, lambda: self.ask(request, done))
        else:
            self.transmit(request, "queries", 2 * self.venue.answer_ms * 1_000_000, done)

    # --- flows

    def start(self, flow: Flow) -> None:
        """Run a flow to its end."""
        self._step(flow, None)

    def _step(self, flow: Flow, answer: Answer | None) -> None:
        try:
            wanted = flow.send(answer)
        except StopIteration:
            return
        except WireError as error:
            self.tell(1, "an answer that is none", str(error))
            return
        if isinstance(wanted, int):
            self.after(wanted, lambda: self._step(flow, None))
        else:
            self.ask(wanted, lambda answer: self._step(flow, answer))

    def insist(self, request: rest.Request, tries: int = TRIES) -> Part:
        """Ask until the answer proves something, and return the last. What was refused for good is not asked again."""
        answer = None
        for number in range(tries):
            answer = yield request
            found = judged(answer)
            if found.proof in (Proof.CONFIRMED, Proof.NOT_FOUND) or (found.proof == Proof.REFUSED and not found.again):
                return answer
            if answer is not None and refusal(answer.body)[0] == -1021:
                yield from self._resynced()
            yield SECOND * 2**number // 5
        return answer

    # --- the clock

    def sync(self, done: Callable[[], None], samples: int = 3) -> None:
        """Measure the venue's clock, then call; one measurement serves all who ask while it runs."""
        if self._after_sync is None:
            self._after_sync = [done]
            self.start(self._measure(samples))
        else:
            self._after_sync.append(done)

    def _resynced(self) -> Generator[int, Answer | None, None]:
        ready: list[bool] = []
        self.sync(lambda: ready.append(True))
        while not ready:
            yield SECOND // 20

    def _measure(self, samples: int) -> Flow:
        best: tuple[int, int] | None = None
        for _ in range(samples):
            answer = yield rest.server_time()
            if answer is None or judged(answer).proof != Proof.CONFIRMED:
                continue
            try:
                there = account.server_time(answer.body) + 500_000
            except WireError:
                continue
            trip = answer.received - answer.sent
            offset = there - (answer.sent + answer.received) // 2
            if best is None or trip < best[0]:
                best = trip, offset
        if best is not None:
            before, self.offset = self.offset, best[1]
            if abs(self.offset) > OFFSET_NS_MAX and abs(self.offset - before) > OFFSET_NS_MAX:
                self.tell(
                    1,
                    "this machine's clock is not the venue's",
                    f"it is {self.offset / 1e6:+,.0f} ms there: requests are stamped so",
                )
        waiting, self._after_sync = self._after_sync or [], None
        for done in waiting:
            done()


def judged(answer: Answer | None) -> Verdict:
    """What an answer proves."""
    if answer is None:
        return verdict(None)
    code, text = refusal(answer.body) if answer.status != 200 else (0, "")
    return verdict(answer.status, code, text)
