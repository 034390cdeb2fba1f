"""The door between a gateway and the venue's session: what left must equal what was approved, byte for byte.

Risk tells the door the id and a digest of each request that it approves, over a road of its own; the gateway's requests come over
the other. A new order or a replace goes through when a digest of its bytes is the one that was approved under its id, and once.
The first difference closes the door: nothing but cancels and queries goes through from that message on, the account is halted and
the operator hears why. Only a person opens it again (Command "resume", which goes on to the session, for what that had halted).
Cancels need no approval, and are counted.

No difference has ever a good reason: it is a bug in between, damaged memory, or somebody who found another way in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Final

from core.codec import encode
from core.message import (
    Command,
    ExecutionReport,
    Message,
    NewOrderSingle,
    News,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassStatusRequest,
    OrderStatusRequest,
    OrdStatus,
    SecurityStatus,
    TradingState,
)
from core.node import Outbox
from core.refusal import order_refused, request_refused

Order = NewOrderSingle | OrderCancelReplaceRequest
WAITING_MAX: Final = 10_000
"""What is approved leaves in the same turn or never; the oldest of so many that never left are forgotten."""


def digest(request: Message) -> str:
    """128 bits of a request's bytes."""
    return blake2b(encode(request), digest_size=16).hexdigest()


class Door:
    """One instrument's door. `approved` and `left` count orders; `waiting` holds those approved that have not left.

    A gateway may refuse what risk approved, so some that wait never leave; none leaves that did not wait.
    """

    def __init__(self, symbol: str) -> None:
        self.name = f"door:{symbol}"
        self.symbol = symbol
        self.approved = self.left = self.cancels = self.refused = 0
        self.waiting: dict[str, str] = {}
        self.closed = ""
        """Why nothing goes through, in words."""
        self._outbox: Outbox

    def bind(self, outbox: Outbox) -> None:
        """Receive the outbox from the host."""
        self._outbox = outbox

    def on(self, now: int, message: Message) -> None:
        """Take an approval from risk, or a request from the gateway."""
        _ROUTES[type(message)](self, now, message)

    def _command(self, now: int, command: Command) -> None:
        if command.verb == "approved":
            cl_ord_id, _, approved = command.argument.partition(" ")
            self.waiting[cl_ord_id] = approved
            if len(self.waiting) > WAITING_MAX:
                del self.waiting[next(iter(self.waiting))]
            self.approved += 1
        elif command.verb == "resume":
            self.closed = ""
        if command.verb != "approved":
            self._outbox.send(command)

    def _order(self, now: int, request: Order) -> None:
        approved = self.waiting.pop(request.cl_ord_id, "")
        if not self.closed and approved == digest(request):
            self.left += 1
            self._outbox.send(request)
            return
        self.refused += 1
        if not self.closed:
            what = "other bytes than risk approved" if approved else "without risk's approval, or a second time"
            self.closed = f"{request.cl_ord_id} came to the door of {self.symbol} {what}"
            self._outbox.send(SecurityStatus("", now, now, now, "door", TradingState.HALT, self.closed))
            self._outbox.send(News("", now, now, now, 2, "what left is not what was approved", self.closed, self.name))
        text = f"door: {self.closed}"
        if isinstance(request, NewOrderSingle):
            self._outbox.send(order_refused(now, request, f"door-{request.cl_ord_id}", text))
        else:
            self._outbox.send(request_refused(now, request, OrdStatus.NEW, 99, text))

    def _cancel(self, now: int, request: OrderCancelRequest) -> None:
        self.cancels += 1
        self._outbox.send(request)

    def _stopped(self, now: int, refusal: ExecutionReport | OrderCancelReject) -> None:
        """The host did not let an order go that was let through here (its journal took nothing): it has not left."""
        self.left -= 1
        self.refused += 1
        self._outbox.send(refusal)

    def _pass(self, now: int, message: Message) -> None:
        self._outbox.send(message)


_ROUTES: Mapping[type[Message], Callable[[Door, int, Any], None]] = {
    Command: Door._command,
    NewOrderSingle: Door._order,
    OrderCancelReplaceRequest: Door._order,
    OrderCancelRequest: Door._cancel,
    ExecutionReport: Door._stopped,
    OrderCancelReject: Door._stopped,
    OrderStatusRequest: Door._pass,
    OrderMassStatusRequest: Door._pass,
}
