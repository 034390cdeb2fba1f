"""The end of a turn: what was taken and sent is written to the tape, in one write, and only then leaves.

1. Nothing leaves that the tape does not explain, and nothing that arrived is acknowledged to its sender before it is on the tape.
2. What the tape cannot take (a full disk) is kept here and tried again; meanwhile *no new order leaves; cancels always do*, and
   reports too, for which the venue is the second witness.
3. A new order for which there is no tape, no session or no room comes back to its sender as refused. It is never held back to
   leave later, when the market that it was meant for is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from actors.live.seat import Carrier, Elsewhere, End, Seat
from core.message import ExecutionReport, Message, NewOrderSingle, OrderCancelReject, OrderCancelReplaceRequest, OrdStatus
from core.ports import Store
from core.refusal import order_refused, request_refused
from core.tape import again, sent

BACKLOG_BYTES_MAX: Final = 64 << 20
"""Of a tape that the disk does not take: some minutes of a busy account."""

Leaving = tuple[Seat, Message, tuple[End, ...]]
News = Callable[[int, str, str], None]


class Departures:
    """The door of one host. `entries` takes lines of the tape, `add` what is to leave; `settle` lets it go."""

    def __init__(self, link: Carrier, tape: Store, news: News) -> None:
        self._link, self._tape, self._news = link, tape, news
        self.entries: list[bytes] = []
        self.unwritten = ""
        """Why the tape takes nothing; "" while it does."""
        self._leaving: list[Leaving] = []
        self._taken: list[tuple[str, int]] = []

    def add(self, seat: Seat, message: Message, ends: tuple[End, ...]) -> None:
        """A node sends a message; what is for nodes of this host is theirs at once."""
        for end in ends:
            if type(end) is Seat:
                end.put(message)
        self._leaving.append((seat, message, ends))

    def took(self, peer: str, seq: int) -> None:
        """A message of a peer's session was handed to its node."""
        self._taken.append((peer, seq))

    def settle(self, now: int) -> None:
        """Write the turn down, then let go what was sent."""
        leaving = self._leaving
        if leaving:
            self._leaving = []
            leaving = self._admit(leaving, now)
        if self.entries or leaving:
            numbered = self._numbered(leaving, now)
            if not self.write(numbered):
                leaving = self._admit(leaving, now)
                self.entries += self._numbered(leaving, now)
        for seat, message, ends in leaving:
            for end in ends:
                if type(end) is not Seat:
                    end.take(seat.name, message, now)
        if self._taken and not self.unwritten:
            for peer, seq in self._taken:
                self._link.taken(peer, seq)
            self._taken.clear()

    def write(self, more: list[bytes]) -> bool:
        """Bring the tape up to date, these lines last; False when it does not take them: they are then not kept, the others are.

        Raises OSError when more is waiting than may be kept.
        """
        entries = self.entries
        try:
            self._tape.append(*entries, *more)
        except OSError as error:
            if not self.unwritten:
                self._news(2, "the journal takes nothing: no new order leaves", str(error))
            self.unwritten = str(error)
            if sum(map(len, entries)) > BACKLOG_BYTES_MAX:
                raise
            return False
        entries.clear()
        if self.unwritten:
            self.unwritten = ""
            self._news(1, "the journal writes again", "")
        return True

    def _admit(self, leaving: list[Leaving], now: int) -> list[Leaving]:
        """All but the new orders that may not leave; those are on the tape as sent, and answered."""
        admitted = []
        for one in leaving:
            seat, message, ends = one
            reason = self._reason(ends) if isinstance(message, NewOrderSingle | OrderCancelReplaceRequest) else ""
            if reason:
                self.entries.append(sent(now, seat.name, message))
                seat.put(_refused(message, now, reason))
            else:
                admitted.append(one)
        return admitted

    def _reason(self, ends: tuple[End, ...]) -> str:
        if all(type(end) is Seat for end in ends):
            return ""  # it does not leave yet
        if self.unwritten:
            return f"the journal takes nothing: {self.unwritten}"
        return next((reason for end in ends if end.peer and (reason := self._link.refuses(end.peer))), "")

    def _numbered(self, leaving: list[Leaving], now: int) -> list[bytes]:
        """The lines of what is to leave, with the numbers that it will have in its sessions."""
        lines: list[bytes] = []
        counts: dict[str, int] = {}
        for seat, message, ends in leaving:
            away = [end for end in ends if isinstance(end, Elsewhere)] if message.lane == "every" else []
            if not away:
                lines.append(sent(now, seat.name, message))
            for place, end in enumerate(away):
                peer = end.peer
                seq = counts[peer] = counts.get(peer, self._link.number(peer) - 1) + 1
                lines.append((again if place else sent)(now, seat.name, message, peer, seq, end.target))
        return lines


def _refused(message: Message, now: int, reason: str) -> ExecutionReport | OrderCancelReject:
    if isinstance(message, NewOrderSingle):
        return order_refused(now, message, f"host-{message.cl_ord_id}", f"host: {reason}")
    assert isinstance(message, OrderCancelReplaceRequest)
    return request_refused(now, message, OrdStatus.NEW, 99, f"host: {reason}")
