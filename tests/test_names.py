"""Where hosts are: the table, and who is heard in it."""

from __future__ import annotations

from actors.live.names import Names


def test_an_earlier_life_of_a_host_is_not_heard_after_a_later_one() -> None:
    names = Names()
    names.enter("account", 1, b"one")
    names.enter("account", 2, b"two")
    names.enter("account", 1, b"one again, as it was cut off for a while")
    names.enter("market:BTCUSDT", 7, b"market")
    assert names.everybody() == {"account": b"two", "market:BTCUSDT": b"market"}
    names.enter("account", 2, b"two, elsewhere")
    assert names.everybody()["account"] == b"two, elsewhere"
