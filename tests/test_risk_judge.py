"""Risk: what it refuses and in which words, and that no stream of orders can ever take the account past a limit."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.gateway import Gateway
from core.instrument import Instrument, Key
from core.message import (
    ExecType,
    ExecutionReport,
    Funding,
    Message,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdStatus,
    OrdType,
    Unanswered,
)
from core.price import BUY, E8, SELL, Side, sign
from core.risk.judge import Risk
from core.risk.limits import Limits

BTC = Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001")
ETH = Instrument(Key("binance_usdm", "ETHUSDT"), "0.01", "0.001")
REQUESTS = NewOrderSingle | OrderCancelRequest | OrderCancelReplaceRequest


class Account:
    """Risk and a gateway plugged into each other, and a venue that answers when it is told to.

    Requests reach the venue in order, its answers come back in order, and both take as long as the test likes.
    """

    def __init__(self, limits: Limits, exposure_e8: int | None = None) -> None:
        self.risk = Risk([BTC, ETH], {"BTCUSDT": limits, "ETHUSDT": limits}, exposure_e8)
        self.gateways = {one.symbol: Gateway(one.symbol) for one in (BTC, ETH)}
        self.risk.bind(_Outbox(self._from_risk))
        for gateway in self.gateways.values():
            gateway.bind(_Outbox(self._from_gateway))
        self.heard: list[Message] = []
        self.to_venue: deque[Any] = deque()
        self.to_house: deque[Any] = deque()
        self.open: dict[str, dict[str, Any]] = {}
        self.position = {"BTCUSDT": 0, "ETHUSDT": 0}
        self.count = 0

    def _from_risk(self, message: Message) -> None:
        if isinstance(message, REQUESTS):
            self.gateways[message.symbol].on(0, message)
        else:
            self.heard.append(message)

    def _from_gateway(self, message: Message) -> None:
        if isinstance(message, REQUESTS):
            self.to_venue.append(message)
        else:
            self.heard.append(message)
            self.risk.on(0, message)

    # --- what a test does

    def ask(self, message: Message) -> None:
        self.risk.on(0, message)

    def refusal(self, message: Message) -> str:
        """Ask for something that is refused; the words."""
        before = len(self.to_venue)
        self.ask(message)
        assert len(self.to_venue) == before
        answer = self.heard[-1]
        assert isinstance(answer, ExecutionReport | OrderCancelReject)
        return answer.text

    def arrive(self) -> None:
        """The oldest request reaches the venue."""
        if self.to_venue:
            request = self.to_venue.popleft()
            {NewOrderSingle: self._accept, OrderCancelRequest: self._cancel, OrderCancelReplaceRequest: self._replace}[
                type(request)
            ](request)

    def answer(self) -> None:
        """The oldest answer reaches the house."""
        if self.to_house:
            message = self.to_house.popleft()
            self.gateways[message.symbol].on(0, message)

    def settle(self) -> None:
        """Everything under way arrives."""
        while self.to_venue or self.to_house:
            self.arrive()
            self.answer()

    def fill(self, cl_ord_id: str, qty: int, price: int = 100) -> None:
        """The venue executes some of an order."""
        order = self.open[cl_ord_id]
        qty = min(qty, order["qty"] - order["cum"])
        order["cum"] += qty
        self.position[order["symbol"]] += sign(order["side"]) * qty
        self._say(order, ExecType.TRADE, cl_ord_id, last_qty=qty, last_px=price)
        if order["cum"] == order["qty"]:
            del self.open[cl_ord_id]

    # --- the venue

    def _accept(self, request: NewOrderSingle) -> None:
        order = {"symbol": request.symbol, "side": request.side, "qty": request.order_qty, "cum": 0}
        self.open[request.cl_ord_id] = order
        self._say(order, ExecType.NEW, request.cl_ord_id)

    def _cancel(self, request: OrderCancelRequest) -> None:
        order = self.open.pop(request.orig_cl_ord_id, None)
        if order is None:
            self._refuse(request, "F")
        else:
            order["qty"] = order["cum"]
            self._say(order, ExecType.CANCELED, request.cl_ord_id, orig_cl_ord_id=request.orig_cl_ord_id)

    def _replace(self, request: OrderCancelReplaceRequest) -> None:
        order = self.open.get(request.orig_cl_ord_id)
        if order is None or request.order_qty <= order["cum"]:
            self._refuse(request, "G")
        else:
            del self.open[request.orig_cl_ord_id]
            order["qty"] = request.order_qty
            self.open[request.cl_ord_id] = order
            self._say(order, ExecType.REPLACED, request.cl_ord_id, orig_cl_ord_id=request.orig_cl_ord_id)

    def _refuse(self, request: Any, kind: Any) -> None:
        self.to_house.append(
            OrderCancelReject(
                request.symbol, cl_ord_id=request.cl_ord_id, orig_cl_ord_id=request.orig_cl_ord_id, cxl_rej_response_to=kind
            )
        )

    def _say(self, order: dict[str, Any], kind: ExecType, cl_ord_id: str, **more: Any) -> None:
        self.count += 1
        leaves = order["qty"] - order["cum"]
        self.to_house.append(
            ExecutionReport(
                order["symbol"], transact_time=self.count, cl_ord_id=cl_ord_id, exec_id=f"e{self.count}", exec_type=kind,
                ord_status=OrdStatus.CANCELED if kind == ExecType.CANCELED else OrdStatus.NEW, side=order["side"],
                order_qty=order["qty"], cum_qty=order["cum"], leaves_qty=leaves, **more,
            )
        )  # fmt: skip

    # --- what could become of it

    def worst(self, symbol: str, side: Side) -> int:
        """The position if all that the venue has, or will have when what is under way arrives, were filled on one side."""
        most = {key: one["qty"] - one["cum"] for key, one in self.open.items() if (one["symbol"], one["side"]) == (symbol, side)}
        for request in self.to_venue:
            if isinstance(request, NewOrderSingle) and (request.symbol, request.side) == (symbol, side):
                most[request.cl_ord_id] = request.order_qty
            elif isinstance(request, OrderCancelReplaceRequest) and request.orig_cl_ord_id in most:
                done = self.open[request.orig_cl_ord_id]["cum"] if request.orig_cl_ord_id in self.open else 0
                most[request.orig_cl_ord_id] = max(most[request.orig_cl_ord_id], request.order_qty - done)
        return self.position[symbol] + sign(side) * sum(most.values())

    def orders(self, symbol: str) -> int:
        return sum(one["symbol"] == symbol for one in self.open.values()) + sum(
            isinstance(one, NewOrderSingle) and one.symbol == symbol for one in self.to_venue
        )


class _Outbox:
    def __init__(self, send: Any) -> None:
        self.send = send

    def wake(self, at: int, key: str = "") -> None: ...

    def record(self, entry: Message) -> None: ...


def new(cl_ord_id: str, qty: int, side: Side = BUY, price: int = 100, symbol: str = "BTCUSDT") -> NewOrderSingle:
    kind = OrdType.LIMIT if price else OrdType.MARKET
    return NewOrderSingle(symbol, cl_ord_id=cl_ord_id, side=side, ord_type=kind, price=price, order_qty=qty, strategy="s")


def replace(cl_ord_id: str, orig: str, qty: int, side: Side = BUY, price: int = 100) -> OrderCancelReplaceRequest:
    return OrderCancelReplaceRequest(
        "BTCUSDT", cl_ord_id=cl_ord_id, orig_cl_ord_id=orig, side=side, price=price, order_qty=qty, strategy="s"
    )


def cancel(cl_ord_id: str, orig: str) -> OrderCancelRequest:
    return OrderCancelRequest("BTCUSDT", cl_ord_id=cl_ord_id, orig_cl_ord_id=orig, strategy="s")


def test_what_is_refused_comes_back_with_the_reason_and_the_venue_never_sees_it() -> None:
    account = Account(Limits(order_qty=10, position=15, open_orders=2, order_value_e8=12 * E8))
    for words, order in (
        ("is not positive", new("z", 0)),
        ("quantity 11 lots is above the limit of 10", new("a", 11)),
        ("order value 100.00 is above the limit of 12.00", new("b", 10, price=100_000)),
        ("DOGEUSDT is not traded", new("c", 1, symbol="DOGEUSDT")),
    ):
        assert words in account.refusal(order)
    account.ask(new("d", 10))
    assert "position could reach 16 lots, the limit is 15" in account.refusal(new("e", 6))
    assert "ClOrdID d is in use" in account.refusal(new("d", 1))
    account.ask(new("f", 5))
    assert "open orders at the limit of 2" in account.refusal(new("g", 1, SELL))
    assert (account.risk.approved, account.risk.refused) == (2, 7)


def test_no_limit_is_no_limit() -> None:
    account = Account(Limits())
    account.ask(new("a", 10**9))
    assert len(account.to_venue) == 1


def test_an_order_counts_from_its_approval_until_nothing_is_left_of_it() -> None:
    account = Account(Limits(position=10))
    account.ask(new("a", 10))
    assert account.refusal(new("b", 1))
    account.settle()
    assert account.refusal(new("c", 1))
    account.ask(cancel("d", "a"))
    account.arrive()
    assert account.refusal(new("e", 1))
    account.settle()
    account.ask(new("f", 10))
    assert len(account.to_venue) == 1


def test_a_fill_turns_what_is_working_into_position_and_frees_nothing() -> None:
    account = Account(Limits(position=10))
    account.ask(new("a", 8))
    account.settle()
    account.fill("a", 3)
    account.settle()
    assert account.risk.exposed("BTCUSDT", BUY) == 8
    assert account.risk.exposed("BTCUSDT", SELL) == 3
    assert account.refusal(new("b", 3))
    account.ask(new("c", 13, SELL))
    assert "-11 lots" in account.refusal(new("d", 1, SELL))


def test_an_order_that_can_only_reduce_the_position_passes_though_the_position_is_past_its_limit() -> None:
    account = Account(Limits(position=10))
    account.gateways["BTCUSDT"].on(
        0, ExecutionReport("BTCUSDT", exec_id="forced", exec_type=ExecType.TRADE, side=BUY, last_qty=20, last_px=100)
    )
    assert account.refusal(new("a", 1))
    account.ask(new("b", 20, SELL))
    assert len(account.to_venue) == 1
    account.ask(new("c", 10, SELL))
    assert account.refusal(new("d", 1, SELL))


def test_a_replace_counts_by_what_it_adds() -> None:
    account = Account(Limits(position=10))
    account.ask(new("a", 8))
    account.settle()
    account.fill("a", 6)
    account.settle()
    assert "11 lots" in account.refusal(replace("r", "a", 11))
    account.ask(replace("r", "a", 8, price=101))
    assert len(account.to_venue) == 1
    assert account.risk.exposed("BTCUSDT", BUY) == 8
    account.settle()
    account.ask(replace("r2", "r", 10))
    assert account.risk.exposed("BTCUSDT", BUY) == 10


def test_an_unanswered_replace_counts_at_its_larger_quantity_until_it_is_answered() -> None:
    account = Account(Limits(position=10))
    account.ask(new("a", 8))
    account.settle()
    account.ask(replace("r", "a", 2))
    assert account.refusal(new("b", 3))
    account.settle()
    account.ask(new("c", 8))
    account.settle()
    account.ask(cancel("x", "c"))
    account.settle()
    account.ask(replace("r2", "r", 9))
    assert account.risk.exposed("BTCUSDT", BUY) == 9


def test_a_refused_request_does_not_hide_another_that_is_still_under_way() -> None:
    account = Account(Limits(position=10))
    account.ask(new("a", 2))
    account.settle()
    account.ask(replace("r", "a", 9))
    for request in (replace("r2", "a", 3), cancel("x", "a")):
        account.ask(request)
        assert isinstance(account.heard[-1], OrderCancelReject)
        assert account.risk.exposed("BTCUSDT", BUY) == 9
    assert account.refusal(new("b", 2))


def test_a_replace_that_takes_something_away_passes_even_past_the_limit() -> None:
    account = Account(Limits(position=10))
    account.ask(new("a", 8))
    account.settle()
    account.gateways["BTCUSDT"].on(
        0, ExecutionReport("BTCUSDT", exec_id="forced", exec_type=ExecType.TRADE, side=BUY, last_qty=9, last_px=100)
    )
    assert account.refusal(replace("r", "a", 9))
    account.ask(replace("r2", "a", 3))
    assert len(account.to_venue) == 1


def test_a_replace_of_an_order_that_is_not_known_is_measured_whole() -> None:
    account = Account(Limits(position=10))
    assert "11 lots" in account.refusal(replace("r", "nobody", 11))


def test_cancels_always_pass() -> None:
    account = Account(Limits(order_qty=0, position=0, open_orders=0))
    account.ask(cancel("x", "nobody"))
    assert isinstance(account.heard[-1], OrderCancelReject)
    assert "nothing was sent" in account.heard[-1].text


def test_exposure_is_the_accounts_over_all_instruments() -> None:
    """100 lots of BTC at 1000 ticks are worth 10, and so are 10,000 lots of ETH at 100."""
    account = Account(Limits(), exposure_e8=15 * E8)
    account.ask(new("a", 100, price=1000))
    assert "exposure" in account.refusal(new("b", 10_000, symbol="ETHUSDT"))
    account.ask(new("c", 5_000, symbol="ETHUSDT"))
    account.settle()
    assert "exposure" in account.refusal(new("d", 10_000, SELL, symbol="ETHUSDT", price=101))


def test_funding_and_fills_reach_the_accounts_ledger() -> None:
    account = Account(Limits())
    account.ask(new("a", 10))
    account.settle()
    account.fill("a", 10)
    account.settle()
    account.ask(Funding("BTCUSDT", 5, funding_rate_e8=10_000, mark_price_e8=1000 * E8))
    assert account.risk.ledger.of("BTCUSDT").position == 10
    assert account.risk.ledger.of("BTCUSDT").funding == pytest.approx(-0.01 * 1000 * 0.0001)


Deed = tuple[str, int, int, Side]
DEEDS = st.tuples(
    st.sampled_from(["new", "new", "replace", "replace", "cancel", "fill", "arrive", "arrive", "answer", "answer"]),
    st.integers(0, 7),
    st.integers(1, 12),
    st.sampled_from([BUY, SELL]),
)


@given(st.lists(DEEDS, max_size=60), st.integers(0, 20), st.integers(0, 4))
@settings(deadline=None, max_examples=300)
def test_no_stream_of_orders_can_take_the_account_past_a_limit(deeds: list[Deed], position: int, orders: int) -> None:
    """With any order of arrivals, fills between any two of them, and requests that overlap or speak of what is gone."""
    account = Account(Limits(order_qty=10, position=position, open_orders=orders))
    ids: list[str] = []
    for number, (deed, which, qty, side) in enumerate(deeds):
        about = ids[-1 - which % len(ids)] if ids else "nobody"
        fresh = f"{deed}{number}"
        if deed == "new":
            account.ask(new(fresh, qty, side))
        elif deed == "replace":
            account.ask(replace(fresh, about, qty, side))
        elif deed == "cancel":
            account.ask(cancel(fresh, about))
        elif deed == "fill" and account.open:
            account.fill(list(account.open)[which % len(account.open)], qty)
        elif deed == "arrive":
            account.arrive()
        elif deed == "answer":
            account.answer()
        if deed in ("new", "replace", "cancel"):
            ids.append(fresh)
        assert account.worst("BTCUSDT", BUY) <= position
        assert account.worst("BTCUSDT", SELL) >= -position
        assert account.orders("BTCUSDT") <= orders


@given(st.lists(DEEDS, max_size=40))
@settings(deadline=None, max_examples=100)
def test_when_all_is_answered_risk_knows_exactly_what_the_venue_has(deeds: list[Deed]) -> None:
    account = Account(Limits())
    ids: list[str] = []
    for number, (deed, which, qty, side) in enumerate(deeds):
        fresh, about = f"{deed}{number}", ids[-1 - which % len(ids)] if ids else "nobody"
        if deed == "fill":
            if account.open:
                account.fill(list(account.open)[which % len(account.open)], qty)
        elif deed in ("arrive", "answer"):
            getattr(account, deed)()
        else:
            ids.append(fresh)
            made = {"new": new(fresh, qty, side), "replace": replace(fresh, about, qty, side), "cancel": cancel(fresh, about)}
            account.ask(made[deed])
    account.settle()
    for side in (BUY, SELL):
        assert account.risk.exposed("BTCUSDT", side) == account.worst("BTCUSDT", side)
    assert account.risk.ledger.position("BTCUSDT") == account.position["BTCUSDT"]


def test_while_an_outcome_is_unknown_its_instrument_takes_only_what_reduces_and_another_takes_all() -> None:
    account = Account(Limits())
    for cl_ord_id, side in (("a", BUY), ("b", BUY)):
        account.ask(NewOrderSingle("BTCUSDT", cl_ord_id=cl_ord_id, side=side, price=100, order_qty=5))
    account.settle()
    account.fill("a", 5)
    account.settle()
    account.risk.on(0, Unanswered("BTCUSDT", 1, cl_ord_id="c", orig_cl_ord_id="b"))
    more = NewOrderSingle("BTCUSDT", cl_ord_id="d", side=BUY, price=100, order_qty=1)
    assert "is unknown" in account.refusal(more)
    account.ask(NewOrderSingle("BTCUSDT", cl_ord_id="e", side=SELL, price=100, order_qty=5))
    account.ask(NewOrderSingle("ETHUSDT", cl_ord_id="f", side=BUY, price=100, order_qty=1))
    account.ask(OrderCancelRequest("BTCUSDT", cl_ord_id="g", orig_cl_ord_id="b"))
    assert len(account.to_venue) == 3
    account.settle()
    account.ask(NewOrderSingle("BTCUSDT", cl_ord_id="h", side=BUY, price=100, order_qty=1))
    assert len(account.to_venue) == 1, "the end of b decided what was unknown of it"


def test_a_fill_of_more_than_the_old_quantity_leaves_an_order_working_while_its_replace_is_unanswered() -> None:
    """The replace was accepted, its answer is lost, and what is executed under the new terms is heard of first."""
    account = Account(Limits(position=10))
    account.ask(new("a", 2))
    account.settle()
    account.ask(replace("r", "a", 7))
    account.arrive()
    account.to_house.clear()
    account.risk.on(0, Unanswered("BTCUSDT", 1, cl_ord_id="r", orig_cl_ord_id="a"))
    report = ExecutionReport(
        "BTCUSDT", 9, cl_ord_id="a", exec_id="f", exec_type=ExecType.TRADE, side=BUY, order_qty=7, cum_qty=5, leaves_qty=0,
        last_qty=5, last_px=100,
    )  # fmt: skip
    account.risk.on(0, report)
    assert account.risk.exposed("BTCUSDT", BUY) == 7
    assert "is unknown" in account.refusal(new("b", 1))
    account.risk.on(0, OrderCancelReject("BTCUSDT", cl_ord_id="r", orig_cl_ord_id="a"))
    assert account.risk.exposed("BTCUSDT", BUY) == 5
    account.ask(new("c", 5))
    assert len(account.to_venue) == 1
