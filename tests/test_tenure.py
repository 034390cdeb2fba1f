"""One process at a time acts for an account: the rules alone, then contenders in a place where everything may take its time."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.tenure import LOST_NS, RENEW_NS, SECOND, TAKE_NS, Tenure

S = SECOND
WINDOW_NS = 2 * S
"""How old a request may be at the venue."""


def holder(began: int = 0) -> Tenure:
    one = Tenure()
    assert one.saw(began, began, 0, b"") == 1
    one.took(began, 1)
    return one


def test_what_nobody_ever_held_is_taken_at_once_by_the_first_and_later_by_others() -> None:
    assert Tenure().saw(0, 0, 0, b"") == 1
    second = Tenure(first=False)
    assert second.saw(0, 0, 0, b"") == 0
    assert second.saw(TAKE_NS - 1, TAKE_NS, 0, b"") == 0
    assert second.saw(TAKE_NS, TAKE_NS, 0, b"") == 1


def test_a_holder_acts_as_long_as_its_last_write_says_and_then_never_again() -> None:
    one = holder()
    assert one.acts(LOST_NS - 1)
    one.renewed(RENEW_NS + 5, RENEW_NS)
    assert one.acts(RENEW_NS + LOST_NS - 1)
    assert not one.acts(RENEW_NS + LOST_NS)
    one.renewed(RENEW_NS + LOST_NS, RENEW_NS + LOST_NS)
    assert not one.acts(RENEW_NS + LOST_NS)
    assert one.state == "lost"


def test_a_write_that_took_too_long_gives_nothing() -> None:
    one = holder()
    one.renewed(LOST_NS, RENEW_NS)
    assert not one.acts(LOST_NS)


def test_one_who_waits_takes_it_when_the_word_has_stood_still() -> None:
    one = Tenure()
    assert one.saw(0, 10, 7, b"a") == 0
    assert one.saw(9, TAKE_NS, 7, b"a") == 0
    assert one.saw(TAKE_NS + 9, TAKE_NS + 9, 7, b"a") == 0, "counted from the end of the first look"
    assert not one.alive
    assert one.saw(TAKE_NS + 9, TAKE_NS + 9, 7, b"b") == 0
    assert one.alive
    assert one.saw(2 * TAKE_NS + 9, 2 * TAKE_NS + 9, 7, b"b") == 8


def test_a_look_that_took_long_counts_from_where_it_began() -> None:
    one = Tenure()
    one.saw(0, 0, 1, b"a")
    assert one.saw(TAKE_NS - 1, 100 * S, 1, b"a") == 0


def test_a_newer_term_begins_the_wait_anew_and_an_older_view_is_passed_over() -> None:
    one = Tenure()
    one.saw(0, 0, 1, b"a")
    assert one.saw(TAKE_NS, TAKE_NS, 2, b"") == 0
    assert one.saw(2 * TAKE_NS, 2 * TAKE_NS, 1, b"a") == 0
    assert one.saw(2 * TAKE_NS, 2 * TAKE_NS, 2, b"") == 3


def test_a_proof_that_the_holder_is_gone_spares_the_wait_and_is_worth_nothing_for_another_term() -> None:
    one = Tenure()
    one.saw(0, 0, 3, b"a")
    one.vacant(2)
    assert one.saw(1, 1, 3, b"a") == 0
    one.vacant(3)
    assert one.saw(1, 1, 3, b"a") == 4
    assert one.saw(1, 1, 4, b"") == 0, "somebody else was faster"


def test_who_is_cut_off_gives_up_to_a_claim_and_to_nothing_else() -> None:
    one = holder()
    assert not one.gives_up(60 * S, False)
    assert not one.gives_up(LOST_NS - 1, True)
    assert one.gives_up(LOST_NS, True)


class Place:
    """Terms and words; what is done here takes effect at a moment that chance chooses between its beginning and its end."""

    def __init__(self) -> None:
        self.words: dict[int, bytes] = {}
        self.now = 0
        self.heap: list[tuple[int, int, Callable[[], None]]] = []
        self.count = 0

    def at(self, when: int, call: Callable[[], None]) -> None:
        self.count += 1
        heappush(self.heap, (max(when, self.now), self.count, call))

    def run(self, end: int) -> None:
        while self.heap and self.heap[0][0] <= end:
            self.now, _, call = heappop(self.heap)
            call()


class Contender:
    """One process: looks, makes terms, writes words, acts; each takes as long as chance says, and any step may be slept through.

    Its clock began at some time of its own and runs too fast or too slow.
    """

    def __init__(
        self, name: str, place: Place, draw: Callable[[], int], offset: int, ppm: int, acts: list[tuple[int, str]]
    ) -> None:
        self.name, self.place, self.draw, self.offset, self.ppm, self.acted = name, place, draw, offset, ppm, acts
        self.count = 0
        self.begin()

    def clock(self) -> int:
        return self.offset + self.place.now + self.place.now * self.ppm // 1_000_000

    def begin(self) -> None:
        self.tenure = Tenure(first=self.name == "a")
        self.look()

    def later(self, call: Callable[[], None]) -> None:
        self.place.at(self.place.now + self.draw(), call)

    def look(self) -> None:
        began = self.clock()

        def effect() -> None:
            term = max(self.place.words, default=0)
            word = self.place.words.get(term, b"")
            self.later(lambda: self.looked(began, term, word))

        self.later(effect)

    def looked(self, began: int, term: int, word: bytes) -> None:
        wanted = self.tenure.saw(began, self.clock(), term, word)
        if not wanted:
            self.place.at(self.place.now + RENEW_NS, self.look)
            return
        began = self.clock()

        def effect() -> None:
            made = wanted not in self.place.words
            self.place.words.setdefault(wanted, self.name.encode())
            self.later(lambda: self.made(began, wanted) if made else self.look())

        self.later(effect)

    def made(self, began: int, term: int) -> None:
        self.tenure.took(began, term)
        self.write()
        self.act()

    def write(self) -> None:
        began, term = self.clock(), self.tenure.term
        self.count += 1
        word = f"{self.name}{self.count}".encode()

        def effect() -> None:
            self.place.words[term] = word
            self.later(written)

        def written() -> None:
            self.tenure.renewed(self.clock(), began)
            if self.tenure.state == "holding":
                self.place.at(self.place.now + RENEW_NS, self.write)

        self.later(effect)

    def act(self) -> None:
        if self.tenure.acts(self.clock()):
            self.acted.append((self.place.now, self.name))
            self.place.at(self.place.now + 50_000_000, self.act)
        else:
            self.later(self.begin)  # its next life


DELAYS = st.lists(
    st.one_of(st.integers(0, 20), st.integers(0, 300), st.integers(0, 12_000)).map(lambda ms: ms * 1_000_000),
    min_size=1,
    max_size=60,
)


def played(delays: list[int], offsets: list[int], ppm: list[int], seconds: int = 90) -> list[tuple[int, str]]:
    place, acts = Place(), list[tuple[int, str]]()
    drawn = iter(delays)

    def draw() -> int:
        return next(drawn, 5_000_000)  # then all is quick

    for number, name in enumerate(("a", "b", "c")):
        Contender(name, place, draw, offsets[number] * S, ppm[number], acts)
    place.run(seconds * S)
    return acts


@settings(max_examples=400, deadline=None)
@given(DELAYS, st.lists(st.integers(0, 10_000), min_size=3, max_size=3), st.lists(st.integers(-500, 500), min_size=3, max_size=3))
def test_never_two_act_and_never_one_before_the_venues_window_has_closed_on_the_other(
    delays: list[int], offsets: list[int], ppm: list[int]
) -> None:
    acts = played(delays, offsets, ppm)
    for (before, one), (after, other) in pairwise(acts):
        assert after - before > WINDOW_NS or one == other, f"{one} at {before / S}, {other} at {after / S}"
    assert acts, "and somebody acts"
    assert acts[-1][0] > 89 * S, "to the end: when all is quick again, somebody does"


def test_with_a_shorter_wait_such_plays_find_two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the play can see what it looks for."""
    monkeypatch.setattr("core.tenure.TAKE_NS", 2 * S)
    found = 0
    for seed in range(200):
        random = Random(seed)
        delays = [random.choice((1, 50, 3_000)) * 1_000_000 for _ in range(100)]
        acts = played(delays, [0, 5, 9], [0, 0, 0], 60)
        found += any(b - a < WINDOW_NS and one != other for (a, one), (b, other) in pairwise(acts))
    assert found
