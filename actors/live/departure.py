"""The end of a turn: what was taken and sent is written to the tape, in one write, and only then leaves.

1. Nothing leaves that the tape does not explain, and nothing that arrived is acknowledged to its sender before it is on the tape.
2. What the tape cannot take (a full disk) is kept here and tried again; meanwhile *no new order leaves; cancels always do*, and
   reports too, for which the venue is the second witness.
3. A new order for which there is no tape, no session or no room comes back to its sender as refused. It is never held back to
   leave later, when the market that it was meant for is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from typing import Final

from actors.live.seat import Carrier, Elsewhere, End, Seat
from core.message import ExecutionReport, Message, NewOrderSingle, OrderCancelReject, OrderCancelReplaceRequest, OrdStatus
from core.ports import Store
from core.refusal import order_refused, request_refused
from core.tape import again, refused, sent

BACKLOG_BYTES_MAX: Final = 64 << 20
"""Of a tape that the disk does not take: some minutes of a busy account."""

News = Callable[[int, str, str], None]


class Leaving:
    """A message on its way out: who sent it when, where to, and whether it may leave."""

    __slots__ = ("admitted", "away", "ends", "message", "now", "seat")

    def __init__(self, seat: Seat, message: Message, ends: tuple[End, ...], now: int) -> None:
        self.seat, self.message, self.ends, self.now = seat, message, ends, now
        self.away = [end for end in ends if isinstance(end, Elsewhere)] if message.lane == "every" else []
        self.admitted = True

    @property
    def order(self) -> bool:
        """Whether it is a new order, or a replace, that would leave this host."""
        return isinstance(self.message, NewOrderSingle | OrderCancelReplaceRequest) and any(
            type(end) is not Seat for end in self.ends
        )


WORKED_ON: Final = (ExecutionReport, OrderCancelReject)
"""What gateways complete in place: each end has its own, so that the tape says what was sent and not what became of it."""


class Departures:
    """The door of one host. `write_down` takes lines of the tape, `add` what is to leave; `settle` lets it go."""

    def __init__(self, link: Carrier, tape: Store, news: News) -> None:
        self._link, self._tape, self._news = link, tape, news
        self.unwritten = ""
        """Why the tape takes nothing; "" while it does."""
        self.pressing = False
        """Whether something is to leave: then the tape is written at once, else when there is time."""
        self._lines: list[bytes | Leaving] = []
        self._taken: list[tuple[str, int]] = []

    def write_down(self, *lines: bytes) -> None:
        """Lines for the tape, behind those that it has been given."""
        self._lines += lines

    def add(self, seat: Seat, message: Message, ends: tuple[End, ...], now: int) -> None:
        """A node sends a message; what is for nodes of this host is theirs at once."""
        self._lines.append(Leaving(seat, message, ends, now))
        for end in ends:
            if type(end) is Seat:
                end.put(copy(message) if type(message) in WORKED_ON else message)
            else:
                self.pressing = True

    def took(self, peer: str, seq: int) -> None:
        """A message of a peer's session was handed to its node."""
        self._taken.append((peer, seq))

    def settle(self, now: int) -> None:
        """Write the turn down, then let go what was sent. Raises OSError when more waits for the tape than may be kept."""
        if not self._lines:
            return
        self.pressing = False
        leaving = [one for one in self._lines if type(one) is Leaving]
        self._admit(leaving, now)
        if not self._write():
            self._admit(leaving, now)
            self._lines = [*self._numbered()]
        for one in leaving:
            if one.admitted:
                for end in one.ends:
                    if type(end) is not Seat:
                        end.take(one.seat.name, one.message, now)
        if self._taken and not self.unwritten:
            for peer, seq in self._taken:
                self._link.taken(peer, seq)
            self._taken.clear()

    def _write(self) -> bool:
        """Bring the tape up to date; False when it does not take what there is."""
        lines = [*self._numbered()]
        try:
            self._tape.append(*lines)
        except OSError as error:
            if not self.unwritten:
                self._news(2, "the journal takes nothing: no new order leaves", str(error))
            self.unwritten = str(error)
            if sum(map(len, lines)) > BACKLOG_BYTES_MAX:
                raise
            return False
        self._lines = []
        if self.unwritten:
            self.unwritten = ""
            self._news(1, "the journal writes again", "")
        return True

    def _admit(self, leaving: list[Leaving], now: int) -> None:
        """Answer the new orders that may not leave; they stand on the tape as sent, and have no number."""
        for one in leaving:
            if one.admitted and one.order and (reason := self._reason(one)):
                one.admitted = False
                one.seat.put(_refused(one.message, now, reason))

    def _reason(self, one: Leaving) -> str:
        if self.unwritten:
            return f"the journal takes nothing: {self.unwritten}"
        return next((reason for end in one.away if (reason := self._link.refuses(end.peer))), "")

    def _numbered(self) -> Iterator[bytes]:
        """The lines, those of what leaves with the numbers that it will have in its sessions."""
        counts: dict[str, int] = {}
        for one in self._lines:
            if type(one) is not Leaving:
                yield one  # type: ignore[misc]
                continue
            name, message = one.seat.name, one.message
            if not one.admitted or not one.away:
                yield (sent if one.admitted else refused)(one.now, name, message)
                continue
            for place, end in enumerate(one.away):
                peer = end.peer
                seq = counts[peer] = counts.get(peer, self._link.number(peer) - 1) + 1
                yield (again if place else sent)(one.now, name, message, peer, seq, end.target)


def _refused(message: Message, now: int, reason: str) -> ExecutionReport | OrderCancelReject:
    if isinstance(message, NewOrderSingle):
        return order_refused(now, message, f"host-{message.cl_ord_id}", f"host: {reason}")
    assert isinstance(message, OrderCancelReplaceRequest)
    return request_refused(now, message, OrdStatus.NEW, 99, f"host: {reason}")
