"""A session over machines that die: what was on one goes on on another, and nothing is lost, doubled, or done by two at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster_hosts import Host, missing, until
from tests.machines import Machines, machines

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(missing()), reason=missing() or "machines can be made"),
]


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with machines(tmp_path_factory.mktemp("cluster")) as made:
        yield made


def spread_out(trial: Machines) -> None:
    """The account's two processes are on two machines."""
    until(lambda: trial.standby() not in ("", trial.holder().machine), f"a standby elsewhere: {trial.logs()}", 120)


def symbol_on(trial: Machines, host: Host) -> str:
    """The last instrument whose market is on a machine; "" for none."""
    at = {symbol: trial.folder.where(f"market:{symbol}") for symbol in ("BTCUSDT", "ETHUSDT")}
    return next((symbol for symbol, where in at.items() if where is not None and where.machine == host.address), "")


def test_markets_are_spread_and_the_accounts_standby_is_on_another_machine(trial: Machines) -> None:
    spread_out(trial)
    code, said = trial.typed("status")
    assert code == 0, said
    assert "waits behind account" in said
    assert {symbol_on(trial, host) for host in trial.made.hosts} == {"BTCUSDT", "ETHUSDT"}
    assert all(said.count(host.address) == 2 for host in trial.made.hosts), said


def test_the_accounts_process_alone_dies_and_goes_on_there_or_on_the_other_machine_whoever_is_first(trial: Machines) -> None:
    before, term = trial.holder(), trial.term()
    died = time.time()
    trial.kill(trial.outside(trial.host_of(before.machine), before.pid))
    until(lambda: trial.term() > term, f"somebody holds the account: {trial.logs()}", 60)
    print(f"account's process: {trial.holder().seat} trades again after {trial.traded_after(died + 0.5) + 0.5:.1f} s")
    spread_out(trial)


def test_a_machine_dies_with_a_market_and_the_standby_and_its_instrument_moves(trial: Machines) -> None:
    account = trial.host_of(trial.holder().machine)
    dying = next(host for host in trial.made.hosts if host is not account)
    symbol, term = symbol_on(trial, dying), trial.status()["epoch"]
    died = time.time()
    trial.terminal.cut(dying)
    dying.kill()
    took = trial.traded_after(died + 1.0, symbol) + 1.0
    print(f"market's machine: {symbol} trades again after {took:.1f} s")
    assert not symbol_on(trial, dying)
    assert trial.status()["epoch"] == term, "the account is where it was"
    trial.again(dying)
    spread_out(trial)


def test_a_machine_that_is_cut_off_with_the_account_loses_it_before_the_standby_acts(trial: Machines) -> None:
    """It still reaches the venue, and does not see the shared folder any more."""
    lost(trial, trial.host_of(trial.holder().machine), blind=True)


def test_a_machine_that_is_cut_off_gives_the_account_up_though_it_sees_the_folder(trial: Machines) -> None:
    lost(trial, trial.host_of(trial.holder().machine), blind=False)


def test_the_machine_of_the_account_dies_and_the_session_ends_in_good_order(trial: Machines) -> None:
    before = trial.holder()
    dying = trial.host_of(before.machine)
    died = time.time()
    trial.terminal.cut(dying)
    dying.kill()
    until(lambda: trial.holder().seat != before.seat, f"the standby takes over: {trial.logs()}", 60)
    print(f"account's machine: trades again after {trial.traded_after(died + 1.0) + 1.0:.1f} s")
    time.sleep(10.0)
    assert trial.stop()["late"] == []
    assert list(trial.violations()) == []
    assert trial.replays() == 0


def lost(trial: Machines, host: Host, blind: bool) -> None:
    """Cut the account's machine off, look at who ends and begins when, and bring the machine back."""
    before, term = trial.holder(), trial.term()
    number = trial.outside(host, before.pid)
    moment = time.time()
    trial.cut(host, blind)
    until(lambda: not Path(f"/proc/{number}").exists(), f"the process that was cut off ends: {trial.logs()}", 60)
    ended = time.time()
    until(lambda: trial.term() > term, f"the standby takes over: {trial.logs()}", 60)
    assert trial.holder().machine != host.address
    assert trial.taken(term + 1) > ended - 0.2, "it ended before anybody else could act"
    again = trial.traded_after(ended) + ended - moment
    print(f"cut off{' and blind' if blind else ''}: ended after {ended - moment:.1f} s; trades again after {again:.1f} s")
    host.kill()
    trial.again(host)
    spread_out(trial)
