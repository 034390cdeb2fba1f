"""A session's status and logs in words and tables, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from actors.live.log import Line

if TYPE_CHECKING:
    from rich.table import Table


def shown(one: Line) -> str:
    """A line of a log for people."""
    text = one.text.strip().splitlines()
    return f"{one.timestamp[11:23]} {one.level.upper():7} {one.host}: {one.event}" + (f" ({text[-1]})" if text else "")


def brief(status: dict[str, Any]) -> str:
    """One line of an account's status."""
    if not status:
        return "the account's host does not answer"
    held = ", ".join(f"{symbol} {status['held'][symbol]}" for symbol, lots in status["positions"].items() if lots) or "flat"
    working = sum(len(orders) for orders in status["orders"].values())
    earned = sum(one["realised"] - one["fees"] + one["funding"] for one in status["money"].values())
    states = "; ".join(
        f"{one['symbol'] or 'account'} {one['state']} by {one['source']}: {one['text']}" for one in status["states"]
    )
    return (
        f"{held}; {working} open; {status['approved']} approved, {status['refused']} refused; "
        f"realised {earned:+,.2f}, today {status['today']:+,.2f}" + (f"; {states}" if states else "")
    )


def tables(said: dict[str, dict[str, Any]]) -> Iterator[Table | str]:
    """What hosts say of themselves, a table a subject."""
    from rich.table import Table

    hosts = Table("host", "machine", "process", "sessions", "messages", "journal", title="hosts")
    for name, one in said.items():
        if not one:
            hosts.add_row(name, "", "NOT RUNNING", "", "", "")
            continue
        if "waits" in one:
            hosts.add_row(name, one["machine"], str(one["pid"]), f"waits behind {one['waits']}", "", "")
            continue
        sessions = ", ".join(
            f"{peer} {state['state']}" for peer, state in one["sessions"].items() if not peer.startswith("operator")
        )
        hosts.add_row(name, one["machine"], str(one["pid"]), sessions, f"{one['handled']:,}", one["journal"] or "writes")
    yield hosts
    strategies = Table("strategy", "state", "trades", "position", "orders", "ticks", "replaced", "oldest, ms", title="strategies")
    for one in said.values():
        for name, it in one.get("strategies", {}).items():
            held = ", ".join(f"{symbol} {qty}" for symbol, qty in it["held"].items())
            trades = "FAILED" if it["stopped"] else "yes" if it["trading"] else "no"
            ticks = it["ticks"]
            strategies.add_row(
                name, it["state"], trades, held, str(it["orders"]), f"{ticks['delivered']:,}", f"{ticks['replaced']:,}",
                f"{ticks['age_ns_max'] / 1e6:,.1f}",
            )  # fmt: skip
    if strategies.row_count:
        yield strategies
    for one in said.values():
        if "positions" in one:
            yield from _account(one)


def _account(one: dict[str, Any]) -> Iterator[Table | str]:
    from rich.table import Table

    account = Table("instrument", "position", "orders", "unknown", "realised", "fees", "funding", "orders left", title="account")
    for symbol in one["positions"]:
        money = one["money"][symbol]
        account.add_row(
            symbol, one["held"][symbol], str(len(one["orders"][symbol])), str(len(one["unknown"][symbol])),
            f"{money['realised']:+,.2f}", f"{money['fees']:,.2f}", f"{money['funding']:+,.2f}", str(one["left"].get(symbol, "")),
        )  # fmt: skip
    yield account
    last = f"; the last because: {one['refusal']}" if one["refusal"] else ""
    yield f"{one['approved']:,} requests approved, {one['refused']:,} refused by risk{last}"
    if one["states"]:
        states = Table("instrument", "takes", "by", "because", title="restricted")
        for state in one["states"]:
            states.add_row(state["symbol"] or "all", state["state"], state["source"], state["text"])
        yield states
