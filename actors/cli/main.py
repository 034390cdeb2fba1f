"""The command line's door: `astrarium VERB ...`.

A verb's module is imported when the verb is called, so that `--help` costs no ray, pandas or numba. Whatever goes wrong leaves
through `main`, in one line on stderr and with an exit code that scripts can rely on:

    what the user can mend (UserError)        what it says               the code it carries
    a flag or value that no verb takes        the nearest right one      4, configuration
    Ctrl-C                                    "interrupted"              130, as shells have it
    anything else, which is our bug           where its traceback is     1; --debug or ASTRARIUM_DEBUG=1 shows it at once
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from cyclopts import App, CycloptsError, Parameter

from actors.errors import Exit, UserError

VERBS: Final = {
    "init": ("actors.cli.init:init", "Write a strategy to begin with, and its graph, into a folder."),
    "data": ("actors.cli.data:app", "Import captures, list, check and copy the stored days, and look into them."),
    "backtest": ("actors.cli.backtest:backtest", "Simulate a graph over stored days, many at once."),
    "tune": ("actors.cli.tune:app", "Try many parameter sets over stored days: `tune grid`."),
    "venue": ("actors.cli.venue:venue", "Serve Binance's USD-M futures API on this machine, from recorded or generated days."),
    "trade": ("actors.cli.trade:trade", "Trade graphs on live markets: on paper, or with --live for real."),
    "status": ("actors.cli.operate:status", "Show what a trading session's hosts say of themselves."),
    "logs": ("actors.cli.operate:logs", "Show a trading session's warnings and alarms."),
    "tell": ("actors.cli.tell:tell", "Start, stop or change a strategy, or a limit, while the others trade."),
    "stop": ("actors.cli.operate:stop", "End a trading session in good order."),
    "kill": ("actors.cli.operate:kill", "Stop trading at once and cancel every open order."),
    "latency": ("actors.cli.latency:latency", "Show how long each leg of a session's orders took."),
    "report": ("actors.cli.report:report", "Show a run's figures, and where its page is."),
    "replay": ("actors.cli.replay:replay", "Feed a session's inputs to the same code again, and compare what it sends."),
    "doctor": ("actors.cli.doctor:doctor", "Look whether this machine has what the other verbs need."),
}
"""Each verb's function (or app), and the line that `--help` shows for it."""

INTERRUPTED: Final = 130


def _shown(default: object) -> str | None:
    """A default value as `--help` shows it: what means "none" or "no" goes without saying."""
    return None if default in ("", (), None, False, 0) else str(default)


def _version() -> str:
    from importlib.metadata import version

    return version("astrarium")


app = App(
    name="astrarium",
    help="One actor graph, two clocks: a trading system whose backtest is its live graph under a simulated clock.",
    help_epilogue="Exit codes: 0 fine, 1 error, 2 not found, 3 not running, 4 configuration, 5 timed out.",
    help_format="plaintext",
    version=_version,
    default_parameter=Parameter(negative_iterable=(), show_default=_shown),  # no --empty-instruments
    suppress_keyboard_interrupt=False,
)
for _name, (_place, _line) in VERBS.items():
    app.command(_place, name=_name, help=_line)


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code. The console script of the package."""
    words = list(sys.argv[1:] if tokens is None else tokens)
    debug = "--debug" in words or os.environ.get("ASTRARIUM_DEBUG", "") not in ("", "0")
    words = [word for word in words if word != "--debug"]
    try:
        result = app(words, exit_on_error=False, print_error=False, verbose=False, result_action="return_value")
        sys.stdout.flush()
    except UserError as error:
        return _complain(str(error), error.exit_code)
    except CycloptsError as error:
        return _complain(str(error), Exit.CONFIGURATION)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output (`| head`) has had enough. What is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FINE
    except Exception as error:
        if debug:
            raise
        return _complain(f"{type(error).__name__}: {error} ({_kept(error)})", Exit.ERROR)
    return result if isinstance(result, int) else Exit.FINE


def _complain(message: str, code: int) -> int:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    return int(code)


def _kept(error: Exception) -> str:
    """Write a bug's traceback beside the caches; a clause that says where it is."""
    import traceback

    from actors.compile_cache import home

    path = home() / "last-failure.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(error)))
    except OSError:
        return "a bug; --debug shows where"
    return f"a bug; its traceback is in {path}, --debug shows it"


if __name__ == "__main__":
    sys.exit(main())
