"""A session's market in the store's own form: day files in the session's folder, made of what was recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from actors.errors import Exit, UserError
from actors.history.importer import Importer, Sizes
from actors.live.folder import Folder, Sitting
from core.instrument import Instrument

Watch = Callable[[str, int, int], None]
"""Is told how far one is: (what, how much is done, of how much)."""


def stored(folder: Folder, sitting: Sitting, notes: list[str], watch: Watch) -> Path:
    """The store with the session's market; a file that is in it already is left alone.

    What is wrong with a recording is noted. Raises UserError where there is none.
    """
    files = sorted(folder.market.glob("*.gz"))
    if not files:
        raise UserError(f"{folder.market} holds no market: the session was not recorded", Exit.NOT_FOUND)
    root = folder.path / "store"
    importer = Importer(root, {one.symbol: _sizes(one) for one in sitting.instruments})
    for path in files:
        size = path.stat().st_size

        def told(done: int, path: Path = path, size: int = size) -> None:
            watch(path.name, done, size)

        report = importer.run(path, told)
        if report.error:
            notes.append(report.error)
        if report.gaps:
            notes.append(f"{path.name}: {report.gaps} gaps in the depth stream, where neither had a book")
    return root


def _sizes(instrument: Instrument) -> Sizes:
    """An instrument's grid as the session had it."""
    return Sizes(instrument.tick_size, instrument.lot_size, "the session", instrument.base, instrument.quote)
