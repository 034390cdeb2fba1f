"""Who holds a session's Ray: a process of its own, because Ray ends whatever process has a Ray that was lost.

`python -m actors.live.drive FOLDER [ADDRESS]` starts the session's hosts, says `ready`, and waits: for the word `stop`, or the
end of its standard input, which both mean an end in good order; or for the loss of Ray, upon which it ends the hosts that are
left and itself, so that whoever started it may begin anew. The hosts' next life begins from their tapes. What is left on other
machines ends by itself: Ray ends the actors of a driver that is gone, and whoever is cut off from Ray as well loses the account's
tenure, or as a market's process is refused by the account.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from actors.errors import UserError
from actors.live import machine
from actors.live.crew import admit, crew
from actors.live.folder import Folder
from actors.live.tenure import seats

LOST: Final = 75
"""Exit code, as sysexits.h has it for what may go well at another time."""
LOOK_S: Final = 1.0
MISSES: Final = 3
"""Looks in a row at which Ray did not answer: with the two seconds that each waits, ten seconds."""
STOP_S: Final = 20.0
"""For a host's graceful end: its cancels are given ten seconds."""
END_S: Final = 5.0


def drive(folder: Folder, address: str) -> int:
    """Hold the session's Ray until the end."""
    clear(folder)
    with crew(folder, address) as hosts:
        hosts.wait()
        try:
            admit(folder, address)
        except UserError:
            hosts.stop(STOP_S)
            raise
        _say({"ready": [place.name for place in hosts.places]})
        misses = 0
        while not _asked_to_stop():
            misses = 0 if hosts.alive() else misses + 1
            if misses >= MISSES:
                clear(folder)
                os._exit(LOST)
        _say({"late": hosts.stop(STOP_S)})
    return 0


def clear(folder: Folder) -> None:
    """End the hosts of the session that a lost Ray left behind on this machine; returns when they are gone."""
    holder, waiting = seats(folder.tenure)
    known = [address for place in folder.read().places() if (address := folder.where(place.name))]
    known_here = [one.pid for one in (*known, holder, *waiting.values()) if one is not None and machine.here(one.home)]
    pids = [pid for pid in known_here if _ours(pid)]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + END_S
    while any(_ours(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)


def _ours(pid: int) -> bool:
    """Whether the process is a host's: numbers are used again."""
    try:
        return b"ray::Process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _asked_to_stop() -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], LOOK_S)
    return bool(ready)


def _say(word: dict[str, list[str]]) -> None:
    sys.stdout.write(msgspec.json.encode(word).decode() + "\n")
    sys.stdout.flush()


def main(path: str, address: str = "") -> int:
    """Drive; what is wrong is one line on stderr."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; who started this says when to stop
    try:
        return drive(Folder(Path(path)), address)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return int(error.exit_code)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
