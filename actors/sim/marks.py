"""Mark prices for the account's guards, made of the ticks that strategies look at.

Live, risk hears the venue's mark price every second. A simulated market is put into messages only where somebody looks; so risk
hears of it there too, at most once a second: the mark price, or the middle of the book on a day without marks.
"""

from __future__ import annotations

from actors.sim.heap import Target
from actors.sim.host import SimHost
from core.instrument import Instrument
from core.mailbox import Mailbox
from core.message import MarkPrice, Tick
from core.price import E8

EVERY_NS = 1_000_000_000


class Marks(Mailbox):
    """A mailbox among those of a market, in which nothing stays: it wants no tick of its own, and passes on what others get."""

    __slots__ = ("_host", "_next", "_risk", "_tick_e8")

    def __init__(self, host: SimHost, risk: Target, instrument: Instrument) -> None:
        super().__init__(sampling=True)
        self._host, self._risk = host, risk
        self._tick_e8 = int(instrument.tick * E8)
        self._next = 0

    def put_tick(self, tick: Tick) -> None:
        """Tell risk, if a second has passed."""
        if tick.now < self._next or not (tick.mark_price_e8 or tick.two_sided):
            return
        self._next = tick.now + EVERY_NS
        mark_e8 = tick.mark_price_e8 or (tick.bid + tick.ask) * self._tick_e8 // 2
        mark = MarkPrice(tick.symbol, tick.transact_time, tick.received, tick.now, mark_e8, mark_e8)
        self._host.link.carry(tick.now, self._risk, mark)
