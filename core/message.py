"""What nodes say to each other: FIX messages as msgspec Structs.

Each is tagged with its FIX MsgType and has the FIX names of its fields in snake case, encoded as a msgpack array. Market
data has one MsgType in FIX and an MDEntryType inside it; here the two are the tag together (`X2`: incremental, trade), and
what FIX has no word for starts with `U`, as the standard reserves.

Truth is integers: nanoseconds UTC, ticks, lots, and 1e-8 for what the venue gives eight decimals of. Every message carries
three times: `transact_time` (the exchange's), `received` (when it reached this house) and `now` (what its node was handed).
The link's `sent` stamp is not among them: it travels outside the bytes that replay and audit compare.

Each type has a lane. *latest* messages may be replaced by a newer one before they are read; *every* message arrives, in
order, once. Increments of a book go to the normalizer alone and never enter a strategy's mailbox.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

from msgspec import Struct

from core.price import Side

Lane = Literal["latest", "every"]
Levels = tuple[tuple[int, int], ...]
"""Price levels as (price_ticks, qty_lots), best first."""


class OrdType(StrEnum):
    """FIX OrdType(40)."""

    MARKET = "1"
    LIMIT = "2"


class TimeInForce(StrEnum):
    """FIX TimeInForce(59). GTX (good till crossing) is the venue's post-only."""

    GTC = "1"
    IOC = "3"
    FOK = "4"
    GTX = "5"


class OrdStatus(StrEnum):
    """FIX OrdStatus(39)."""

    NEW = "0"
    PARTIALLY_FILLED = "1"
    FILLED = "2"
    DONE_FOR_DAY = "3"
    CANCELED = "4"
    REPLACED = "5"
    PENDING_CANCEL = "6"
    STOPPED = "7"
    REJECTED = "8"
    SUSPENDED = "9"
    PENDING_NEW = "A"
    CALCULATED = "B"
    EXPIRED = "C"
    PENDING_REPLACE = "E"


class ExecType(StrEnum):
    """FIX ExecType(150)."""

    NEW = "0"
    DONE_FOR_DAY = "3"
    CANCELED = "4"
    REPLACED = "5"
    PENDING_CANCEL = "6"
    STOPPED = "7"
    REJECTED = "8"
    SUSPENDED = "9"
    PENDING_NEW = "A"
    CALCULATED = "B"
    EXPIRED = "C"
    RESTATED = "D"
    PENDING_REPLACE = "E"
    TRADE = "F"
    TRADE_CORRECT = "G"
    TRADE_CANCEL = "H"
    ORDER_STATUS = "I"


class Liquidity(StrEnum):
    """FIX LastLiquidityInd(851): whether a fill added liquidity (maker) or removed it (taker)."""

    MAKER = "1"
    TAKER = "2"


class Message(Struct, array_like=True, gc=False):
    """What every message carries: the instrument and the times of its legs, in nanoseconds UTC (0: not known)."""

    lane: ClassVar[Lane] = "every"

    symbol: str = ""
    transact_time: int = 0
    received: int = 0
    now: int = 0


# --- market data ---------------------------------------------------------------------------------------------------------


class MarketDataSnapshot(Message, tag="W"):
    """A whole book as the venue gave it. `last_update_id` is the update it includes."""

    last_update_id: int = 0
    bids: Levels = ()
    asks: Levels = ()


class DepthUpdate(Message, tag="X"):
    """An incremental refresh: absolute quantities at the named levels, 0 removes. Ids as the venue numbers its updates."""

    first_update_id: int = 0
    last_update_id: int = 0
    prev_update_id: int = 0
    bids: Levels = ()
    asks: Levels = ()


class Trade(Message, tag="X2"):
    """One public trade. `side` is the aggressor's (the taker's)."""

    trade_id: int = 0
    side: Side = 1
    price: int = 0
    qty: int = 0


class BestBidOffer(Message, tag="X0"):
    """The venue's own best bid and offer at an update id."""

    lane: ClassVar[Lane] = "latest"

    update_id: int = 0
    bid_price: int = 0
    bid_qty: int = 0
    ask_price: int = 0
    ask_qty: int = 0


class MarkPrice(Message, tag="X6"):
    """Mark and index price and the funding rate, all in 1e-8, with the time at which that rate is settled."""

    lane: ClassVar[Lane] = "latest"

    mark_price_e8: int = 0
    index_price_e8: int = 0
    funding_rate_e8: int = 0
    next_funding_time: int = 0


class Bar(Message, tag="XB"):
    """A closed bar [open_time, open_time + period), in ticks and lots; `notional` is the sum of ticks times lots."""

    open_time: int = 0
    period: int = 0
    open: int = 0
    high: int = 0
    low: int = 0
    close: int = 0
    volume: int = 0
    trades: int = 0
    notional: int = 0


Trades = tuple[int, int, int, int, int, int, int, int, int]
"""Folded trades: (count, buy_qty, sell_qty, notional, high, low, last, buy_high, sell_low), see Tick."""
NO_TRADES: Trades = (0, 0, 0, 0, 0, 0, 0, 0, 0)


class Tick(Message, tag="WT"):
    """The newest market of one instrument and what traded since the strategy last took one.

    `bids` and `asks` are the best N levels a side, best first; both are empty while the book is stale. `trades` folds every trade
    since the last take into nine integers (one tuple, because a mailbox folds on the road of every tick): how many, lots
    bought and sold by aggressors, sum of ticks times lots, highest, lowest and last price, and the deepest price that buyers
    and sellers reached (0: none).
    """

    lane: ClassVar[Lane] = "latest"

    update_id: int = 0
    bids: Levels = ()
    asks: Levels = ()
    mark_price_e8: int = 0
    trades: Trades = NO_TRADES

    @property
    def bid(self) -> int:
        """Best bid in ticks; 0 while there is none."""
        return self.bids[0][0] if self.bids else 0

    @property
    def ask(self) -> int:
        """Best ask in ticks; 0 while there is none."""
        return self.asks[0][0] if self.asks else 0

    @property
    def stale(self) -> bool:
        """Whether there is no book: before the first snapshot, after a gap, while the venue is out of reach."""
        return not self.bids and not self.asks

    @property
    def two_sided(self) -> bool:
        """Whether both sides have a price."""
        return bool(self.bids) and bool(self.asks)

    @property
    def mid(self) -> float:
        """Midpoint of the best prices, in ticks. Ask for it only of a two-sided tick."""
        return (self.bids[0][0] + self.asks[0][0]) / 2.0

    @property
    def trade_count(self) -> int:
        """Trades since the last take."""
        return self.trades[0]

    @property
    def buy_qty(self) -> int:
        """Lots that aggressors bought since the last take."""
        return self.trades[1]

    @property
    def sell_qty(self) -> int:
        """Lots that aggressors sold since the last take."""
        return self.trades[2]

    @property
    def trade_high(self) -> int:
        """Highest traded price in ticks; 0 when nothing traded."""
        return self.trades[4]

    @property
    def trade_low(self) -> int:
        """Lowest traded price in ticks; 0 when nothing traded."""
        return self.trades[5]

    @property
    def trade_last(self) -> int:
        """Last traded price in ticks; 0 when nothing traded."""
        return self.trades[6]

    @property
    def buy_high(self) -> int:
        """Highest price that an aggressive buy reached, in ticks; 0 when none."""
        return self.trades[7]

    @property
    def sell_low(self) -> int:
        """Lowest price that an aggressive sell reached, in ticks; 0 when none."""
        return self.trades[8]

    @property
    def vwap(self) -> float:
        """Volume-weighted price of the folded trades, in ticks; 0 when nothing traded."""
        volume = self.trades[1] + self.trades[2]
        return self.trades[3] / volume if volume else 0.0


class Funding(Message, tag="UF"):
    """A funding settlement at `transact_time`: the rate and the mark price it is charged on, in 1e-8."""

    funding_rate_e8: int = 0
    mark_price_e8: int = 0


# --- orders --------------------------------------------------------------------------------------------------------------


class NewOrderSingle(Message, tag="D"):
    """A new order. `price` in ticks (0 for a market order), `order_qty` in lots."""

    cl_ord_id: str = ""
    side: Side = 1
    ord_type: OrdType = OrdType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTC
    price: int = 0
    order_qty: int = 0
    reduce_only: bool = False
    strategy: str = ""


class OrderCancelRequest(Message, tag="F"):
    """Cancel of the order last known as `orig_cl_ord_id`."""

    cl_ord_id: str = ""
    orig_cl_ord_id: str = ""
    side: Side = 1
    order_qty: int = 0
    strategy: str = ""


class OrderCancelReplaceRequest(Message, tag="G"):
    """New price and total quantity for the order last known as `orig_cl_ord_id`."""

    cl_ord_id: str = ""
    orig_cl_ord_id: str = ""
    side: Side = 1
    ord_type: OrdType = OrdType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTC
    price: int = 0
    order_qty: int = 0
    strategy: str = ""


class ExecutionReport(Message, tag="8"):
    """What happened to an order: FIX ExecutionReport. Prices in ticks, quantities in lots, `commission` in 1e-8 of the currency.

    `exec_id` is unique for ever and is the ledger's key; `exec_ref_id` names the execution that a bust or correction changes.
    """

    order_id: str = ""
    cl_ord_id: str = ""
    orig_cl_ord_id: str = ""
    exec_id: str = ""
    exec_ref_id: str = ""
    exec_type: ExecType = ExecType.NEW
    ord_status: OrdStatus = OrdStatus.NEW
    side: Side = 1
    ord_type: OrdType = OrdType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTC
    price: int = 0
    order_qty: int = 0
    cum_qty: int = 0
    leaves_qty: int = 0
    last_qty: int = 0
    last_px: int = 0
    last_liquidity_ind: Liquidity = Liquidity.MAKER
    commission_e8: int = 0
    text: str = ""
    strategy: str = ""


class OrderCancelReject(Message, tag="9"):
    """A cancel or replace was refused. `cxl_rej_response_to` is F (cancel) or G (replace), as FIX 434 by MsgType."""

    order_id: str = ""
    cl_ord_id: str = ""
    orig_cl_ord_id: str = ""
    ord_status: OrdStatus = OrdStatus.NEW
    cxl_rej_response_to: Literal["F", "G"] = "F"
    cxl_rej_reason: int = 0
    text: str = ""
    strategy: str = ""


class OrderStatusRequest(Message, tag="H"):
    """Asks what became of an order.

    The answer is its executions so far, then an ExecutionReport with ExecType I; for an order that the venue does not know, a
    BusinessMessageReject that names the ClOrdID.
    """

    cl_ord_id: str = ""
    side: Side = 1


class OrderMassStatusRequest(Message, tag="AF"):
    """Asks for the instrument's executions since a time (ns UTC), and for the state of every order that is open."""

    since: int = 0


class Unanswered(Message, tag="UN"):
    """A request left at `transact_time` and no answer came that proves anything: its outcome is unknown until proof comes.

    `cl_ord_id` is the request's own; `orig_cl_ord_id` the order's, where the request is a cancel or a replace.
    """

    cl_ord_id: str = ""
    orig_cl_ord_id: str = ""
    text: str = ""
    strategy: str = ""


class PositionReport(Message, tag="AP"):
    """A position as it stood at `transact_time`, to begin from: signed lots, and what they cost in the ledger's units.

    For the account ("" as strategy) where it held something before this house's own record begins; for a strategy whose process
    begins anew. `cash_e8` is what was earned and paid before, in 1e-8 of the settlement currency. What is in it: executions not
    later than `transact_time`; where that is 0, those that were reported up to the one called `exec_id`.
    """

    strategy: str = ""
    qty: int = 0
    cost_units: int = 0
    cash_e8: int = 0
    exec_id: str = ""


class TradingState(StrEnum):
    """What an instrument, or with no symbol an account, takes: everything, what reduces the position, or cancels alone."""

    READY = "ready"
    REDUCE = "reduce"
    HALT = "halt"


class SecurityStatus(Message, tag="f"):
    """`source` (gateway, session, market, operator, a limit) wants this state, and why. The strictest of all sources holds."""

    source: str = ""
    state: TradingState = TradingState.READY
    text: str = ""


# --- session and control -------------------------------------------------------------------------------------------------


class Logon(Message, tag="A"):
    """Opens a session: who speaks, in which life of its process, and which number it expects next from the other end."""

    sender: str = ""
    target: str = ""
    epoch: int = 0
    next_expected: int = 1
    heartbeat_ns: int = 0


class Logout(Message, tag="5"):
    """Closes a session on purpose."""

    text: str = ""


class ResendRequest(Message, tag="2"):
    """Asks for messages again, from one number to another, both included; 0 as the last: all there are."""

    begin_seq_no: int = 0
    end_seq_no: int = 0


class SequenceReset(Message, tag="4"):
    """The numbers up to `new_seq_no`, excluded, hold nothing that is worth sending again (FIX: gap fill)."""

    new_seq_no: int = 0


class Heartbeat(Message, tag="0"):
    """The other end lives. `test_req_id` answers a test request."""

    test_req_id: str = ""


class TestRequest(Message, tag="1"):
    """Asks the other end for a heartbeat with this id."""

    __test__: ClassVar[bool] = False

    test_req_id: str = ""


class Reject(Message, tag="3"):
    """A message broke the session's rules: FIX session-level Reject."""

    ref_seq_num: int = 0
    text: str = ""


class BusinessMessageReject(Message, tag="j"):
    """A well-formed message that this node does not take, with the reason in words."""

    ref_msg_type: str = ""
    business_reject_ref_id: str = ""
    business_reject_reason: int = 0
    text: str = ""


class Timer(Message, tag="UT"):
    """A wake that came due. `due` is the time that was asked for, `key` what for."""

    due: int = 0
    key: str = ""


class News(Message, tag="B"):
    """A word to the operator: FIX News. `urgency`: 0 a fact, 1 a warning, 2 an alarm; trading may go on after an alarm or not."""

    urgency: Literal[0, 1, 2] = 0
    headline: str = ""
    text: str = ""
    source: str = ""


class Command(Message, tag="UC"):
    """A word from an operator: `verb` with `argument`, for one strategy or ("") for all."""

    strategy: str = ""
    verb: str = ""
    argument: str = ""


AnyMessage = (
    MarketDataSnapshot
    | DepthUpdate
    | Trade
    | BestBidOffer
    | MarkPrice
    | Bar
    | Tick
    | Funding
    | NewOrderSingle
    | OrderCancelRequest
    | OrderCancelReplaceRequest
    | ExecutionReport
    | OrderCancelReject
    | OrderStatusRequest
    | OrderMassStatusRequest
    | Unanswered
    | PositionReport
    | SecurityStatus
    | Logon
    | Logout
    | ResendRequest
    | SequenceReset
    | Heartbeat
    | TestRequest
    | Reject
    | BusinessMessageReject
    | Timer
    | News
    | Command
)
"""Every type that may stand on a wire: the codec decodes into one of these or raises."""
