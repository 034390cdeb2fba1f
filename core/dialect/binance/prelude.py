"""How a session with Binance begins, every time: the same for the first start, a restart, and the first after a crash.

Clock, filters and limits, the account and how it is set up, leverage brackets, recent bars, the private stream, and only then
positions, so that nothing is executed unheard between the snapshot and the stream. Then every gateway recovers, and an instrument
may trade when that is complete. An account in hedge mode is refused: positions here are one-way. What the venue does not answer
is asked again until it does; nothing trades meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from core.allowance import Allowance, Pool
from core.codec import WireError
from core.dialect.binance import account, rest
from core.dialect.binance.answers import Answer, refusal
from core.dialect.binance.errors import Action, Proof
from core.dialect.binance.filters import exchange_info, rate_limits
from core.dialect.binance.wire import SAMPLES, SECOND, Flow, judged
from core.message import TradingState

if TYPE_CHECKING:
    from core.dialect.binance.session import Session

AGAIN_NS: Final = 2 * SECOND
MINUTE_NS: Final = 60 * SECOND
T = TypeVar("T")
Asked = Generator["rest.Request | int", Answer | None, T]


def prelude(session: Session) -> Flow:
    """Everything before the first order."""
    wire, standing = session.wire, session.standing
    wire.keyless = lambda text: _halt(session, text)
    measured: list[bool] = []
    wire.sync(lambda: measured.append(True), SAMPLES)
    while not measured:
        yield SECOND // 50
    yield from filters_of(session)
    yield from _limits(session)
    config = yield from _until(session, rest.account("accountConfig"), account.account_config)
    if config.dual_side_position:
        _refuse(session, "the account is in hedge mode: set it to one-way mode")
    if not config.can_trade:
        _refuse(session, "the account may not trade")
    wallets = yield from _until(session, rest.account("account"), account.wallets)
    wire.tell(0, "balances", ", ".join(f"{one.wallet_e8 / 1e8:,.2f} {one.asset}" for one in wallets if one.wallet_e8) or "none")
    session.brackets = yield from _until(session, rest.account("leverageBracket"), account.leverage_brackets)
    yield from _bars(session)
    session.stream.begin()
    while not session.stream.current:
        yield SECOND // 50
    while session.inquiries.opened.keys() < session.instruments.keys():
        yield from session.positions.open(session.inquiries.opened)
        yield SECOND // 50
    standing.hold("", "reconcile", TradingState.HALT, "orders and executions are being compared with the venue's")
    standing.lift("", "start")
    session.begun = True
    session.press("recover")
    session.safety.begin()
    wire.after(round(session.venue.reconcile_s * SECOND), session.watch)
    session.keep_time()


def filters_of(session: Session) -> Flow:
    """Load instruments' filters and the venue's limits; an instrument whose grid is another than ours does not trade."""
    info = yield from _until(session, rest.exchange_info(), exchange_info)
    _pools(session, info.pools)
    for symbol, instrument in session.instruments.items():
        listed = info.symbols.get(symbol)
        text = ""
        if listed is None:
            text = "the venue does not list it"
        elif (listed.tick_size, listed.lot_size) != (instrument.tick_size, instrument.lot_size):
            text = f"its grid is {listed.tick_size} by {listed.lot_size} and not {instrument.tick_size} by {instrument.lot_size}"
        elif listed.status != "TRADING":
            text = f"its status is {listed.status}"
        if listed is not None:
            session.orders.filters[symbol] = listed.filters(instrument)
        if text:
            session.standing.hold(symbol, "listing", TradingState.HALT, text)
            session.wire.tell(2, f"{symbol} cannot be traded", text)
        else:
            session.standing.lift(symbol, "listing")


def _limits(session: Session) -> Flow:
    """The account's own order limits, where the venue tells them."""
    answer = yield from session.wire.insist(rest.account("rateLimit"), 2)
    if answer is not None and judged(answer).proof == Proof.CONFIRMED:
        try:
            _pools(session, rate_limits(answer.body))
        except WireError as error:
            session.wire.tell(1, "an answer that is none", str(error))


def _pools(session: Session, found: tuple[Pool, ...]) -> None:
    """Take limits over; what has been spent of them stays spent."""
    before = session.wire.allowance.pools
    pools = before | {pool.name: pool for pool in found}
    if any(pool.limit != before[name].limit if name in before else True for name, pool in pools.items()):
        session.wire.allowance = Allowance(
            Pool(pool.name, pool.limit, pool.window_ns, was.used, was.began, was.both) if (was := before.get(name)) else pool
            for name, pool in pools.items()
        )


def _bars(session: Session) -> Flow:
    """Recent one-minute bars, whole ones only; without them strategies warm up by themselves."""
    count = session.venue.kline_minutes
    for symbol, instrument in session.instruments.items() if count else ():
        answer = yield from session.wire.insist(rest.klines(symbol, min(count + 1, 1_500)), 2)
        try:
            if answer is None or judged(answer).proof != Proof.CONFIRMED:
                raise WireError("no answer" if answer is None else str(refusal(answer.body)))
            for bar in account.klines(answer.body, session.wire.now, instrument, MINUTE_NS):
                if bar.transact_time <= session.wire.venue_now:
                    session.wire.say("", bar)
        except WireError as error:
            session.wire.tell(1, "no recent bars", f"{symbol}: {error}")


def _refuse(session: Session, text: str) -> None:
    session.standing.hold("", "mode", TradingState.HALT, text)
    session.wire.tell(2, "trading is refused", text)


def _halt(session: Session, text: str) -> None:
    """The venue does not take the key, or what it signs: a person's affair."""
    for symbol in session.instruments:
        if session.standing.held(symbol, "start"):  # it does not begin any more by itself: this is the reason to be read
            session.standing.hold(symbol, "start", TradingState.HALT, text)
    session.standing.hold("", "key", TradingState.HALT, text)
    session.hearing.tell_once(text, 2, "trading is halted: the venue refuses our key", text)


def _until(session: Session, request: rest.Request, read: Callable[[bytes], T]) -> Asked[T]:
    """Ask until there is an answer that can be read."""
    while True:
        answer = yield from session.wire.insist(request)
        found = judged(answer)
        try:
            if answer is None or found.proof != Proof.CONFIRMED:
                raise WireError("no answer" if answer is None else f"{answer.status} {refusal(answer.body)}")
            return read(answer.body)
        except WireError as error:
            urgency: Literal[1, 2] = 2 if found.action == Action.HALT else 1
            session.hearing.tell_once(f"{request.path} {error}", urgency, "the session cannot begin", f"{request.path}: {error}")
        yield AGAIN_NS
