"""The dead man's switch: renewed while all is well, never otherwise, and believed only as far as the venue has confirmed it."""

from __future__ import annotations

from core.risk.lease import RENEW_NS, TERM_NS, Lease

S = 1_000_000_000


def held(now: int = 0) -> Lease:
    lease = Lease(30 * S, 10 * S)
    lease.asked(now)
    lease.answered(now)
    return lease


def test_it_is_due_at_once_and_then_every_period() -> None:
    lease = Lease()
    assert lease.due(0)
    assert lease.lapsed(0), "nothing is held before the venue has confirmed it"
    lease.asked(0)
    assert not lease.due(RENEW_NS - 1)
    assert lease.due(RENEW_NS)
    assert RENEW_NS * 3 <= TERM_NS, "two renewals may be lost"


def test_while_anything_is_ill_it_is_left_to_lapse() -> None:
    lease = held()
    lease.state("journal", "the disk is full")
    lease.state("account", "halted")
    assert not lease.due(20 * S)
    assert lease.ill == "journal: the disk is full; account: halted"
    assert not lease.lapsed(30 * S - 1)
    assert lease.lapsed(30 * S)
    lease.state("journal")
    assert not lease.due(31 * S)
    lease.state("account")
    assert lease.due(31 * S)


def test_it_counts_from_when_the_confirmed_renewal_was_sent() -> None:
    lease = held()
    lease.asked(10 * S)
    assert lease.lapsed(30 * S), "the second was never confirmed"
    lease.answered(10 * S)
    lease.answered(0)
    assert not lease.lapsed(39 * S), "an answer that comes late takes nothing back"


def test_a_failed_renewal_is_due_again_at_once() -> None:
    lease = held()
    lease.asked(10 * S)
    assert not lease.due(11 * S)
    lease.failed()
    assert lease.due(11 * S)


def test_a_lease_that_was_ended_on_purpose_holds_nothing() -> None:
    lease = held()
    lease.released()
    assert lease.lapsed(S)
    assert lease.due(S)
