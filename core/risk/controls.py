"""What people and hosts may tell the account's risk node: one table of verbs.

| verb | argument | who says it | what it does |
|---|---|---|---|
| `limit` | `key=value`, the names and units of a graph file; `none` lifts | a person | changes a limit, of one symbol or of all |
| `kill` | why | a person | HALT at once; every venue session is asked for its cancel-alls |
| `resume` | the person's name | a person | takes back the HALT of operator and door |
| `enable` | the person's name | a person | the strategy that repeated executions had disabled may trade |
| `cancel` | | a person, a host | gateways cancel what works of a strategy ("" all) |
| `disconnected` | | a host | the strategy's session is lost: it may not trade, what works of it is canceled |
| `connected` | | a host | it begins anew: it learns its position once its old orders have ended, and then may trade |

The Command itself is on the tape and so is the News that answers it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from core.message import Command, SecurityStatus, TradingState
from core.risk.limits import KEYS, LimitError, Limits, parse, with_value
from core.spelling import nearest

if TYPE_CHECKING:
    from core.risk.judge import Risk


def command(risk: Risk, now: int, message: Command) -> None:
    """Carry out a command, or say why not."""
    verb = VERBS.get(message.verb)
    if verb is None:
        risk.news(now, 1, f"risk knows no command {message.verb!r}", nearest(message.verb, VERBS))
    else:
        verb(risk, now, message)


def _limit(risk: Risk, now: int, message: Command) -> None:
    try:
        name, value = parse(message.argument)
    except LimitError as error:
        risk.news(now, 1, "no limit was changed", str(error))
        return
    if message.symbol and message.symbol not in risk.instruments:
        risk.news(now, 1, "no limit was changed", f"{message.symbol}: {nearest(message.symbol, risk.instruments)}")
        return
    first = next(iter(risk.instruments.values()))
    if KEYS[name].of == "account":
        risk.exposure_e8 = None if value is None else KEYS[name].convert(first, value)
    elif KEYS[name].of == "instrument":
        for symbol in [message.symbol] if message.symbol else risk.instruments:
            risk.limits[symbol] = with_value(risk.limits.get(symbol, Limits()), name, value, risk.instruments[symbol])
    elif risk.guard is not None:
        risk.guard.limits = with_value(risk.guard.limits, name, value, first)
        if not risk.guard.lost():
            risk.take_state(now, SecurityStatus("", now, now, now, "loss", TradingState.READY, f"{name} was changed"))
    else:
        risk.news(now, 1, "no limit was changed", f"{name} is a guard's, and this account has none")
        return
    risk.news(now, 0, f"the limit {name} of {message.symbol or 'the account'} is {message.argument.partition('=')[2].strip()}")


def _kill(risk: Risk, now: int, message: Command) -> None:
    risk.take_state(now, SecurityStatus("", now, now, now, "operator", TradingState.HALT, message.argument or "killed"))
    risk.send(Command(symbol, now, now, now, "", "cancel_all", message.argument) for symbol in risk.instruments)


def _resume(risk: Risk, now: int, message: Command) -> None:
    if not message.argument.strip():
        risk.news(now, 1, "nothing was resumed", "resume needs the name of the person who answers for it")
        return
    for source in ("operator", "door"):
        risk.take_state(now, SecurityStatus("", now, now, now, source, TradingState.READY, f"resumed by {message.argument}"))
    risk.send(Command(symbol, now, now, now, "", "resume", message.argument) for symbol in risk.instruments)


def _enable(risk: Risk, now: int, message: Command) -> None:
    if not message.argument.strip():
        risk.news(now, 1, f"{message.strategy} stays off", "enable needs the name of the person who answers for it")
    elif risk.guard is None or not risk.guard.enable(message.strategy):
        off = risk.guard.disabled if risk.guard is not None else {}
        risk.news(now, 1, f"{message.strategy} was not off", nearest(message.strategy, off))
    else:
        risk.news(now, 1, f"{message.strategy} may trade again", f"enabled by {message.argument}")


def _cancel(risk: Risk, now: int, message: Command) -> None:
    risk.cancel(now, message.strategy)


def _disconnected(risk: Risk, now: int, message: Command) -> None:
    risk.roster.leave(message.strategy)
    risk.cancel(now, message.strategy)
    risk.news(now, 0, f"{message.strategy} may not trade", "it is not connected; what works of it is canceled")


def _connected(risk: Risk, now: int, message: Command) -> None:
    if risk.working.owned(message.strategy):
        risk.cancel(now, message.strategy)
    risk.send(risk.roster.enter(now, message.strategy, risk.working))


VERBS: Final[Mapping[str, Callable[[Risk, int, Command], None]]] = {
    "limit": _limit,
    "kill": _kill,
    "resume": _resume,
    "enable": _enable,
    "cancel": _cancel,
    "disconnected": _disconnected,
    "connected": _connected,
}
