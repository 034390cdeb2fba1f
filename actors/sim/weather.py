"""What goes wrong in one run: drawn from a seed, then let loose on a simulation.

Swarm testing: each kind of fault is on in half of the runs, at a strength of its own up to its range (the ranges are chosen after
those of VOPR's swarm, and such that a run of three minutes still trades). Two sorts: faults that a message meets, by chance, and
episodes, which are put on the heap beforehand: a process dies, a disk is full, a machine is slow, its clock stands or is set.

`calm` ends it all. What is wrong by then stays wrong until the code under test makes it right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from actors.sim.chance import Chance
from actors.sim.clock import ClockFaults
from actors.sim.death import ACCOUNT, MarketDeath, Remake
from actors.sim.faults import Faults
from actors.sim.heap import ARRIVAL, NEVER, Errand, Target
from actors.sim.host import Seat, Watch
from actors.sim.link import FaultyLink, LinkFaults
from actors.sim.recovery import AccountDeath
from actors.sim.session import FaultySession
from actors.sim.store import FaultyJournal, StoreFaults
from actors.sim.storm import StormHost, StormPlace
from actors.sim.stream import Stream, StreamFaults
from actors.wiring import market_edges, normalizer_of
from core.instrument import Instrument
from core.message import Command
from core.normalizer import Normalizer

if TYPE_CHECKING:
    from actors.history.prepared import PreparedDay
    from actors.launch import Simulation

MS: Final = 1_000_000
SECOND: Final = 1_000_000_000
HOUR: Final = 3_600 * SECOND
LASTS_NS_MAX: Final = 5 * SECOND
"""How long an episode lasts at most, a death apart."""


class Episodes(Struct, frozen=True):
    """How often each happens in a run."""

    crash: int = 0
    strategy_dies: int = 0
    disk_full: int = 0
    slow_node: int = 0
    clock_stands: int = 0
    clock_set: int = 0
    killed: int = 0


class Weather(Struct, frozen=True):
    """Every fault of one run."""

    session: Faults = Faults()
    stream: StreamFaults = StreamFaults()
    link: LinkFaults = LinkFaults()
    store: StoreFaults = StoreFaults()
    clocks: Mapping[str, ClockFaults] = {}
    episodes: Episodes = Episodes()
    split: bool = False
    """Whether the normalizer has a process of its own."""
    feed_ns: int = 5 * MS
    """From the exchange to the house."""

    @classmethod
    def draw(cls, random: Random) -> Weather:
        """One run's weather."""

        def some(most: float) -> float:
            return random.uniform(most / 20, most) * (random.random() < 0.5)

        def times(most: int) -> int:
            return random.randrange(1, most + 1) * (random.random() < 0.5)

        def clock() -> ClockFaults:
            wall = random.randrange(-HOUR, HOUR) if random.random() < 0.5 else 0
            return ClockFaults(wall, random.randrange(-500, 501) * (random.random() < 0.5))

        delayed = random.random() < 0.5
        return cls(
            Faults.draw(random),
            StreamFaults(some(0.1), some(0.2), some(0.1), some(0.01), some(0.004), some(0.004), some(0.5)),
            LinkFaults(
                random.randrange(30 * MS) * delayed,
                random.randrange(30 * MS, 100 * MS) * delayed,
                some(0.01),
                some(0.01),
                some(0.2),
            ),
            StoreFaults(some(0.02), some(0.01), some(0.9), some(0.6), some(0.6)),
            {ACCOUNT: clock(), "market": clock(), "feed": clock()},
            Episodes(times(3), times(2), times(3), times(3), times(2), times(2), times(1)),
            random.random() < 0.5,
            random.randrange(20 * MS),
        )


class Storm:
    """The weather of one run, let loose. `fired` counts what happened, by its name."""

    def __init__(self, weather: Weather, seed: int) -> None:
        self.weather = weather
        self.fired: Counter[str] = Counter()
        self.chances: list[Chance] = []
        self.seed = seed
        self.back: list[int] = []
        """When dead processes came back."""
        self.streams: dict[str, Stream] = {}
        self.sessions: dict[str, FaultySession] = {}
        self.over = False
        """Whether all faults have ended."""
        self.epoch = 0
        """Counts the lives of strategies."""
        self.reborn: Callable[[int, str], None] = lambda now, name: None
        """Called when a strategy begins anew."""
        self.host: StormHost
        self._journals: dict[str, Chance] = {}

    def chance(self, name: str) -> Chance:
        """A source of randomness of its own, so that one fault does not change another's luck."""
        made = Chance(Random(f"{self.seed} {name}"), self.fired)
        self.chances.append(made)
        return made

    def calm(self) -> None:
        """No fault from now on."""
        self.over = True
        for chance in self.chances:
            chance.over = True
        for place in self.places():
            place.fuse, place.slow_until = NEVER, 0
            place.journal.full = False  # type: ignore[attr-defined]
            place.poke(self.host.clock.time)
        self._order(self.host.clock.time, "resume", "the person who drills")

    def places(self) -> list[StormPlace]:
        """Every process of the run."""
        return [self.host.place(name) for name in self.host.places]

    # --- assembly

    def make_host(self, start: int, end: int, link_ns: int, watch: Watch | None) -> StormHost:
        """The host of the run."""
        self.host = host = StormHost(start, end, link_ns, watch, dict(self.weather.clocks))
        host.link = FaultyLink(host.heap, host.seats, link_ns, self.weather.link, self.chance("link"))
        return host

    def make_session(self, venue: object, gateway: Seat) -> FaultySession:
        """The session between a gateway and a venue; only where requests may be lost is there anything to reconcile."""
        self.host.schedule.enter(gateway, "reconcile")
        place, chance = self.host.place(ACCOUNT), self.chance(f"session {gateway.name}")
        session = FaultySession(self.host.heap, venue, gateway, self.weather.session, chance, place.clock)  # type: ignore[arg-type]
        session.risk = self.host.seats["risk"]
        self.sessions[gateway.name] = session
        return session

    def make_market(
        self,
        seats: dict[str, Seat],
        day: PreparedDay,
        instrument: Instrument,
        place: str,
        busy: Mapping[str, int],
        watchers: list[str],
    ) -> None:
        """A normalizer and its streams: in the strategies' place, or in one of its own."""
        host, symbol = self.host, instrument.symbol
        where = host.place(f"feed:{symbol}" if self.weather.split else place, dict(busy))
        node = Normalizer(instrument)
        seat = seats[node.name] = host.add(node, where)
        stream = Stream(
            host.heap, day, instrument, seat, self.weather.feed_ns, self.weather.stream, self.chance(f"stream {symbol}")
        )
        self.streams[symbol] = stream
        nodes: dict[str, Target] = {**seats, normalizer_of(symbol): seat}
        for routes in market_edges(nodes, {symbol: watchers}, stream).values():
            seat.routes.update(routes)

    def fresh_journal(self, place: StormPlace) -> FaultyJournal:
        """An empty tape for a place, on the same disk."""
        if place.name not in self._journals:
            self._journals[place.name] = self.chance(f"journal {place.name}")
        return FaultyJournal(self.weather.store, self._journals[place.name])

    def unleash(self, simulation: Simulation, remake: Remake, until: int) -> None:
        """Plan the episodes before `until`; `remake` makes nodes as they are at first."""
        random, start = Random(f"{self.seed} episodes"), self.host.clock.time
        for place in self.places():
            place.journal = self.fresh_journal(place)
        for name in Episodes.__struct_fields__:
            for _ in range(getattr(self.weather.episodes, name)):
                at = random.randrange(start, until)
                if name == "crash":
                    self._at(at, AccountDeath(self, self.host.place(ACCOUNT), simulation, remake, random).arm)
                elif name == "strategy_dies":
                    place = random.choice([place for place in self.places() if place.name != ACCOUNT])
                    self._at(at, MarketDeath(self, place, simulation, remake, random).arm)
                else:
                    self._plan(name, at, random.choice(self.places()), random)

    def _at(self, at: int, call: Callable[[int], None]) -> None:
        self.host.push(at, ARRIVAL, Errand(lambda now, _: call(now)), None)

    def _plan(self, name: str, at: int, place: StormPlace, random: Random) -> None:
        """An episode that begins at a time and ends by itself."""
        lasts, step, times = random.randrange(LASTS_NS_MAX), random.randrange(-HOUR, HOUR), round(1_000 ** random.random())

        def begin(now: int) -> None:
            self.fired[name] += 1
            if name == "disk_full":
                place.journal.full = True  # type: ignore[attr-defined]
            elif name == "slow_node":
                place.slow, place.slow_until = times, now + lasts
            elif name == "clock_stands":
                place.sleep(now, lasts)
            elif name == "clock_set":
                place.clock.wall_ns += step
            else:
                self._order(now, "kill", "a drill")

        def end(now: int) -> None:
            if name == "disk_full":
                place.journal.full = False  # type: ignore[attr-defined]
                place.poke(now)
            elif name == "killed":
                self._order(now, "resume", "the person who drills")

        self._at(at, begin)
        self._at(at + lasts, end)

    def _order(self, now: int, verb: str, argument: str) -> None:
        self.host.push(now, ARRIVAL, self.host.seats["risk"], Command("", now, now, now, "", verb, argument))
