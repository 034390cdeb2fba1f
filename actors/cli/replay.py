"""`astrarium replay SESSION`: the recorded inputs, the same code, and every message that is not the same.

With `--shadow` the recorded market at a simulated venue instead.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from actors.errors import Exit, UserError

if TYPE_CHECKING:
    from actors.live.folder import Folder
    from actors.replay.session import Replayed, Watch

LINE_S: Final = 3.0
"""Between two lines of progress where there is no terminal."""


def replay(
    session: str = "",
    /,
    *,
    sessions: Annotated[Path, Parameter(name="--sessions")] = Path("sessions"),
    node: Annotated[str, Parameter(name="--node")] = "",
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    most: Annotated[int, Parameter(name="--most")] = 10,
    shadow: Annotated[bool, Parameter(name="--shadow", negative="")] = False,
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Feed a session's recorded inputs to the same code and compare every message that it sends, byte for byte.

    Exit codes: 0 all equal, 1 something differs, 2 no such session, 4 a damaged tape or one of another version.

    Parameters
    ----------
    session
        Its id, the beginning of one, or its folder; the newest when left out.
    sessions
        Where sessions' folders are.
    node
        Only this node: risk, gateway:BTCUSDT, normalizer:BTCUSDT, or a strategy's name.
    set_
        Another value for one key of its graphs, as strategy.gamma=0.3, to see what that would have changed; may be given again.
    most
        Show so many differences; the others are counted.
    shadow
        Simulate the venue on the recorded market instead, and compare fills, position and profit; `shadow.html` shows both.
    json
        Print one JSON object instead of words.
    """
    if most < 0:
        raise UserError(f"--most {most}: 0 or more", Exit.CONFIGURATION)
    from actors.live.folder import find
    from actors.replay.session import replayed

    folder = find(sessions, session)
    if shadow:
        if node:
            raise UserError("--shadow runs whole graphs: leave out --node", Exit.CONFIGURATION)
        return _shadow(folder, set_, json)
    with progress() as watch:
        found = replayed(folder, node, set_, most, watch)
    _print_json(found) if json else _print_words(found)
    return int(found.exit_code)


def _shadow(folder: Folder, overrides: tuple[str, ...], json: bool) -> int:
    from actors.live.part import Part
    from actors.replay.compared import assumptions, compared
    from actors.replay.lived import lived
    from actors.replay.page import TITLES, rows, write_page
    from actors.replay.session import no_damage
    from actors.replay.shadow import shadowed

    sitting = folder.read()
    with no_damage(folder), progress() as watch:
        live = lived(folder, sitting)
        made = shadowed(folder, sitting, live, overrides, watch)
    pairs = compared(sitting, Part(folder, sitting, sitting.places()[0], 0).instruments(), live, made)
    words = [*assumptions(sitting, live, made)]
    if overrides:
        words.insert(0, ("parameters", f"the shadow has {', '.join(overrides)}"))
    page = write_page(folder, sitting.id, (made.start, made.end), pairs, words)
    if json:
        import msgspec

        told = [{"strategy": one.strategy, "symbol": one.symbol, "live": one.live, "shadow": one.shadow} for one in pairs]
        document = {"session": sitting.id, "pairs": told, "assumptions": dict(words), "page": str(page)}
        sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
        return int(Exit.FINE)
    from rich.console import Console
    from rich.table import Table

    out = Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False, soft_wrap=True)
    table = Table(*TITLES, title=f"session {sitting.id} and its shadow")
    for column in table.columns[2:]:
        column.justify = "right"
    for pair in pairs:
        for row in rows(pair):
            table.add_row(*row)
    out.print(table, soft_wrap=False)
    out.print("what may explain a difference:")
    for name, text in words:
        out.print(f"  {name}: {text}")
    out.print(f"page: {page}")
    return int(Exit.FINE)


@contextmanager
def progress() -> Iterator[Watch]:
    """A bar on a terminal, else a line every few seconds, on stderr."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        known: dict[str, Any] = {}

        def show(name: str, done: int, size: int) -> None:
            if name not in known:
                known[name] = bars.add_task(name, total=size)
            bars.update(known[name], completed=done)

        yield show


def _lines() -> Callable[[str, int, int], None]:
    told = monotonic()

    def show(name: str, done: int, size: int) -> None:
        nonlocal told
        if monotonic() - told >= LINE_S:
            told = monotonic()
            sys.stderr.write(f"{name}: {done / 1e6:,.0f} of {size / 1e6:,.0f} MB\n")

    return show


def _print_json(found: Replayed) -> None:
    import msgspec

    from actors.replay.words import fields
    from core.message import Message

    shown = []
    for tape, one in found.shown:
        cause = one.caused_by
        same = isinstance(one.then, Message) and type(one.then) is type(one.again)
        shown.append({
            "tape": tape.file,
            "entry": one.number,
            "node": one.node,
            "cause": cause and {"entry": cause.number, "now": cause.now, "message": _plain(cause.message)},
            "then": _plain(one.then),
            "again": _plain(one.again),
            "fields": fields(one.then, one.again) if same else {},  # type: ignore[arg-type]
            "failure": one.failure,
            "wake": one.wake,
        })  # fmt: skip
    document = {
        "session": found.session,
        "equal": found.exit_code == Exit.FINE,
        "notes": found.notes,
        "differences": found.differences,
        "tapes": found.tapes,
        "nodes": found.nodes,
        "shown": shown,
    }
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")


def _plain(one: Any) -> Any:
    """A message with its fields' names, bytes as text."""
    from msgspec import structs

    from core.message import Message

    if isinstance(one, Message):
        return {"type": type(one).__name__, **structs.asdict(one)}
    return one.decode("utf-8", "replace") if isinstance(one, bytes) else one


def _print_words(found: Replayed) -> None:
    from rich.console import Console
    from rich.table import Table

    from actors.replay.words import clock, told

    out = Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False, soft_wrap=True)
    for note in found.notes:
        out.print(note)
    table = Table("host", "life", "node", "took", "sent", "differ", "not written", "stopped by", title=f"session {found.session}")
    for column in table.columns[3:7]:
        column.justify = "right"
    for one in found.nodes:
        counts = (f"{count:,}" for count in (one.inputs, one.outputs, one.differences, one.unwritten))
        table.add_row(one.host, str(one.epoch or ""), one.node, *counts, one.failure)
    out.print(table, soft_wrap=False)
    for tape, difference in found.shown:
        out.print(f"{tape.file}, " + "\n".join(told(difference)))
    if found.differences > len(found.shown):
        out.print(f"... and {found.differences - len(found.shown):,} more")
    for tape in found.tapes:
        if tape.torn:
            out.print(f"{tape.file} ends within a record: its process was killed, or is writing it")
        if tape.damage:
            out.print(tape.damage)
    spans = [(tape.first, tape.last) for tape in found.tapes if tape.lines]
    if spans:
        first, last = min(one[0] for one in spans), max(one[1] for one in spans)
        lines = sum(tape.lines for tape in found.tapes)
        out.print(f"{lines:,} lines of {len(found.tapes)} tapes, from {clock(first)} to {clock(last)} UTC")
    if found.differences:
        out.print(f"{found.differences:,} differences")
    elif not found.damaged:
        out.print(f"equal: {sum(one.outputs for one in found.nodes):,} messages, byte for byte")
