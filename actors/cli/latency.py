"""`astrarium latency SESSION`: how long each leg of its orders' road took, and a table of it for simulated days."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from actors.errors import Exit, UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from actors.live.folder import Folder

BUSY = {"frame": "frame", "Tick": "tick", "ExecutionReport": "report", "Timer": "timer", "NewOrderSingle": "order"}
"""A graph's words for what keeps a process busy, by the kinds of messages."""
SHARES = {"p50": 50.0, "p99": 99.0, "p99.9": 99.9}


def latency(
    session: str = "",
    /,
    *,
    sessions: Annotated[Path, Parameter(name="--sessions")] = Path("sessions"),
    write: Annotated[Path | None, Parameter(name="--write")] = None,
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Show how long each leg of a session's orders took, from the market's bytes to the venue and back.

    Parameters
    ----------
    session
        Its id, the beginning of it, or its folder; the newest when left out.
    sessions
        Where sessions' folders are.
    write
        A CSV of (sent, at_exchange, answered) in ns: name it in a graph's [latency] table, and a backtest has these latencies.
    json
        Print one JSON object instead of a table.
    """
    from actors.live.folder import find
    from actors.live.placement import ACCOUNT
    from actors.live.store import entries
    from core.study import legs
    from core.tape import read

    folder = find(sessions, session)
    orders: legs.Orders = {}
    account = folder.tape(ACCOUNT)
    for path in folder.all_tapes():
        if path != account:
            legs.of_market(read(entries(path)), orders)
    legs.of_account(read(entries(account)), orders)
    found = {name: took for name, took in legs.durations(orders).items() if len(took)}
    if not found:
        raise UserError(f"session {folder.path.name} sent no order that the venue acknowledged", Exit.NOT_FOUND)
    if write is not None:
        rows = legs.table(orders)
        lines = ["sent,at_exchange,answered", *(",".join(map(str, row)) for row in rows.tolist())]
        write.write_text("\n".join(lines) + "\n")
    _show(found, json)
    if not json:
        _show_busy(folder)
    if write is not None and not json:
        sys.stdout.write(f'{len(orders):,} orders; in a graph: [latency] table = "{write}"\n')
    return Exit.FINE


def _show_busy(folder: Folder) -> None:
    """How long a message of each kind kept a host busy, on average, as a graph says it; known once the session has ended."""
    import msgspec

    try:
        ended = msgspec.json.decode((folder.path / "end.json").read_bytes(), type=dict[str, Any])
    except (OSError, ValueError):
        return
    for host, busy in ended.get("busy_us", {}).items():
        words = {word: busy[kind] for kind, word in BUSY.items() if kind in busy}
        if words:
            sys.stdout.write(f"{host}: [busy_us] " + ", ".join(f"{word} = {took:g}" for word, took in words.items()) + "\n")


def _show(found: Mapping[str, NDArray[np.int64]], json: bool) -> None:
    import numpy as np

    rows = {
        name: {"orders": len(took), **{label: float(np.percentile(took, share)) / 1e3 for label, share in SHARES.items()}}
        for name, took in found.items()
    }
    if json:
        import msgspec

        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("leg", "orders", *(f"{label}, µs" for label in SHARES))
    for name, row in rows.items():
        table.add_row(name, f"{row['orders']:,}", *(f"{row[label]:,.0f}" for label in SHARES))
    Console(width=None if sys.stdout.isatty() else 120).print(table)
