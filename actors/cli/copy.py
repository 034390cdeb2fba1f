"""`astrarium data copy`: days from a folder to where a cluster reads them, or back."""

from __future__ import annotations

from typing import Any

from actors.cli.data import Days, Json, advancing, print_json, print_table, warn
from actors.errors import Exit, UserError


def copy(source: str, target: str, /, *, days: Days = "", instruments: str = "", json: Json = False) -> int:
    """Copy days from one store to another: only what is missing there or has changed.

    A store is a folder or a URL: s3://bucket/prefix, gs://bucket/prefix, file:///mounted/share. At a URL every day gets a
    sidecar, from which a run's days are planned without reading them. Bars are not copied.

    Parameters
    ----------
    source
        The store to copy from.
    target
        The store to copy to.
    instruments
        Only these: BTCUSDT,ETHUSDT.
    """
    from actors.history.daycopy import compare, copy_day
    from actors.history.shelf import shelf

    wanted = [name.strip() for name in instruments.split(",") if name.strip()]
    found = list(compare(source, target, days, wanted))
    missing = sum(one.sidecar.size_bytes for one in found if one.sidecar and not one.there)
    rows: list[dict[str, Any]] = []
    here, there = shelf(source), shelf(target)
    done = 0
    with advancing("copied", missing) as told:

        def advance(size: int) -> None:
            nonlocal done
            done += size
            told(done)

        for one in found:
            state, why = "there" if one.there else "copied", one.trouble
            try:
                if one.sidecar and not one.there:
                    copy_day(here, there, one, advance)
            except UserError as error:
                why = str(error)
            if why:
                state = "failed"
                warn(f"error: {why}")
            size = one.sidecar.size_bytes if one.sidecar else 0
            rows.append({"instrument": str(one.key), "day": one.day, "state": state, "megabytes": round(size / 1e6, 3)})
    if json:
        print_json({"source": source, "target": target, "days": rows})
    else:
        print_table(f"{source} to {target}", ("instrument", "days", "copied", "there", "failed", "megabytes"), _summed(rows))
    return int(Exit.ERROR if any(row["state"] == "failed" for row in rows) else Exit.FINE)


def _summed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row an instrument; megabytes are those that were copied."""
    summed = []
    for instrument in dict.fromkeys(row["instrument"] for row in rows):
        mine = [row for row in rows if row["instrument"] == instrument]
        states = [row["state"] for row in mine]
        counts = {state: states.count(state) for state in ("copied", "there", "failed")}
        size = sum(row["megabytes"] for row in mine if row["state"] == "copied")
        summed.append({"instrument": instrument, "days": len(mine), **counts, "megabytes": round(size, 3)})
    return summed
