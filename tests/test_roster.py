"""Who does which day on a cluster: data that is cached first, nobody idle, nothing lost, nothing done twice."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.cluster.roster import Roster

DAYS = [f"binance_usdm:BTCUSDT 2024-01-{day:02d}" for day in range(1, 13)]


def roster(days: int = 12) -> Roster:
    made = Roster()
    made.add({number: [DAYS[number]] for number in range(days)})
    return made


def test_days_go_where_their_data_is_and_the_others_to_whoever_is_free() -> None:
    made = roster(6)
    made.join("a", 2, held=[DAYS[4], DAYS[5]])
    made.join("b", 2)
    given_out = dict(made.hand_out())
    assert {number for number, machine in given_out.items() if machine == "a"} == {4, 5}
    assert {number for number, machine in given_out.items() if machine == "b"} == {0, 1}


def test_nobody_is_idle_while_there_is_work_even_if_another_holds_its_data() -> None:
    made = roster(4)
    made.join("a", 1, held=DAYS[:4])
    made.join("b", 1)
    assert dict(made.hand_out()) == {0: "a", 3: "b"}


def test_what_a_lost_machine_had_begun_with_is_done_again_and_first() -> None:
    made = roster(5)
    made.join("a", 2)
    made.join("b", 1)
    begun = dict(made.hand_out())
    mine = sorted(number for number, machine in begun.items() if machine == "a")
    assert made.leave("a") == mine
    theirs = next(number for number, machine in begun.items() if machine == "b")
    made.done("b", theirs)
    assert dict(made.hand_out()) == {mine[0]: "b"}


def test_a_closed_machine_gets_nothing_more_until_it_joins_again_and_keeps_what_it_does() -> None:
    made = roster(4)
    made.join("a", 2, held=DAYS[:4])
    assert len(dict(made.hand_out())) == 2
    made.close("a")
    made.done("a", 0)
    assert not dict(made.hand_out())
    made.join("a", 2, held=DAYS[:4])
    assert dict(made.hand_out()) == {2: "a"}
    made.done("a", 1)
    assert dict(made.hand_out()) == {3: "a"}


def test_a_day_that_waits_is_not_done_once_it_is_dropped() -> None:
    made = roster(3)
    made.drop([1])
    made.join("a", 3)
    assert sorted(dict(made.hand_out())) == [0, 2]


def test_large_days_go_first_and_small_ones_fill_what_they_leave() -> None:
    made = Roster()
    made.add({number: [DAYS[number]] for number in range(6)}, {0: 6, 1: 6, 2: 6, 3: 1, 4: 1, 5: 1})
    made.join("a", 4, 8)
    assert sorted(dict(made.hand_out())) == [0, 3, 4]
    made.done("a", 3)
    assert dict(made.hand_out()) == {5: "a"}
    made.done("a", 0)
    assert dict(made.hand_out()) == {1: "a"}


def test_a_day_that_fits_nowhere_waits() -> None:
    made = Roster()
    made.add({0: [DAYS[0]]}, {0: 9})
    made.join("a", 4, 8)
    assert not dict(made.hand_out())
    assert made.waiting == 1


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(1, 12))
def test_free_slots_are_filled_as_far_as_there_is_work(slots: list[int], days: int) -> None:
    made = roster(days)
    for place, count in enumerate(slots):
        made.join(str(place), count)
    assert len(dict(made.hand_out())) == min(sum(slots), days)
    assert made.free == max(sum(slots) - days, 0)


class Cluster(RuleBasedStateMachine):
    """Machines come, are refused, die and finish in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.roster = Roster()
        self.days = self.came = 0
        self.running: dict[int, str] = {}
        self.done: Counter[int] = Counter()

    @rule(count=st.integers(1, 4))
    def more_days(self, count: int) -> None:
        fresh = range(self.days, self.days + count)
        self.roster.add({number: [DAYS[number % len(DAYS)]] for number in fresh}, {number: 1 + number % 3 for number in fresh})
        self.days += count

    @rule(slots=st.integers(0, 3), memory=st.integers(3, 6), held=st.sets(st.sampled_from(DAYS)))
    def a_machine_comes(self, slots: int, memory: int, held: set[str]) -> None:
        self.came += 1
        self.roster.join(str(self.came), slots, memory, held)

    @precondition(lambda self: self.roster.machines)
    @rule(data=st.data())
    def a_machine_dies(self, data: st.DataObject) -> None:
        machine = data.draw(st.sampled_from(sorted(self.roster.machines)))
        lost = self.roster.leave(machine)
        assert set(lost) == {number for number, where in self.running.items() if where == machine}
        for number in lost:
            del self.running[number]

    @precondition(lambda self: self.roster.machines)
    @rule(data=st.data(), back=st.booleans(), held=st.sets(st.sampled_from(DAYS)))
    def a_machine_is_refused_or_comes_back(self, data: st.DataObject, back: bool, held: set[str]) -> None:
        machine = data.draw(st.sampled_from(sorted(self.roster.machines)))
        self.roster.join(machine, 2, 6, held) if back else self.roster.close(machine)

    @rule()
    def days_are_given_out(self) -> None:
        for number, machine in self.roster.hand_out():
            assert number not in self.running
            assert not self.done[number]
            self.running[number] = machine
        for one in self.roster.machines.values():  # a machine that has room for the largest of them has none left
            assert not self.roster.waiting or one.free <= 0 or one.room < 3

    @precondition(lambda self: self.running)
    @rule(data=st.data(), well=st.booleans())
    def a_day_ends(self, data: st.DataObject, well: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.running)))
        machine = self.running.pop(number)
        if well:
            self.roster.done(machine, number)
            self.done[number] += 1
        else:
            self.roster.again(machine, number)

    @invariant()
    def every_day_is_somewhere_once(self) -> None:
        assert self.roster.waiting + len(self.running) + sum(self.done.values()) == self.days
        for name, machine in self.roster.machines.items():
            assert machine.room >= 0 or not machine.slots
            assert machine.running.keys() == {number for number, where in self.running.items() if where == name}

    def teardown(self) -> None:
        self.roster.join("last", self.days + 100)
        for number, _ in self.roster.hand_out():
            self.done[number] += 1
        assert sum(self.done.values()) + len(self.running) == self.days
        assert max(self.done.values(), default=1) == 1


TestCluster = Cluster.TestCase
TestCluster.settings = settings(max_examples=150, stateful_step_count=30)
